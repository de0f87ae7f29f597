// SPDX-License-Identifier: Apache-2.0
/* Folding fields that have few values a part, of which there may be a thousand: all of them in one
 * pass over each part instead of a pass over the parts for each field.
 *
 *   part 0:  a a  b  c c c        a: | a a | a | a a a |   rows and values, by part
 *   part 1:  a    b b     ---->   b: | b   | b b | b   |
 *   part 2:  a a a  b     c       c: | c c c |     | c |
 *
 * Parts together are larger than the cache, and what one has of such a field is a line here and a
 * line there: field by field most of the time went into waiting for them.  Part by part they lie
 * one behind the other.
 *
 * The strings of these fields share one dictionary: the same ones stand in many of the fields, and
 * a part's code is looked up once and not once a field.
 *
 * I1  the places of a field's values follow each other by part, and by row in a part.
 * I2  there are at most VALUES_MAX: what is more goes field by field.
 *
 * Threads: one.  Memory: 12 bytes a value, 4 bytes a string of the parts. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/fold.h"

enum {
    FEW = 16, /* values a part */
    VALUES_MAX = 1 << 20
};

void skep_fold__few_init(struct skep_fold_few *x)
{
    *x = (struct skep_fold_few){0};
    skep_fold__union_init(&x->strings);
}

void skep_fold__few_done(struct skep_fold_few *x)
{
    skep_fold__union_done(&x->strings);
    skep_free(x->dict0);
    skep_free(x->first);
    skep_free(x->map);
    skep_free(x->rows);
    skep_free(x->vals);
}

void skep_fold__few_choose(struct skep_fold_group *groups, uint32_t n)
{
    uint64_t all = 0;
    for (uint32_t g = 0; g < n; g++) {
        struct skep_fold_group *x = &groups[g];
        x->few = x->n_values < (uint64_t)FEW * x->n && all + x->n_values <= VALUES_MAX;
        x->to = all;
        all += x->few ? x->n_values : 0;
    }
}

/* A place in `map` for each string of each part. */
static void make_map(struct skep_fold_few *x, struct skep_part *const *parts, unsigned n_parts)
{
    size_t n_dicts = 0, n = 0;
    x->dict0 = skep_alloc_n(uint32_t, n_parts);
    for (unsigned p = 0; p < n_parts; p++) {
        x->dict0[p] = (uint32_t)n_dicts;
        n_dicts += parts[p]->n_dicts;
    }
    x->first = skep_alloc_n(size_t, n_dicts);
    for (unsigned p = 0; p < n_parts; p++)
        for (uint32_t d = 0; d < parts[p]->n_dicts; d++) {
            x->first[x->dict0[p] + d] = n;
            n += parts[p]->dicts[d].n;
        }
    x->map = skep_alloc_n(uint32_t, n);
}

/* Codes of a dictionary to those of the shared one. */
static void share(struct skep_fold_few *x, const struct skep_dict *d, uint32_t *map, int64_t *codes,
                  uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t code = (uint32_t)codes[i];
        if (map[code] == 0)
            map[code] = skep_fold__union_add_code(&x->strings, d, code) + 1;
        codes[i] = map[code] - 1;
    }
}

void skep_fold__few_take(struct skep_fold_few *x, struct skep_part *const *parts, unsigned n_parts,
                         const uint32_t *row_base, struct skep_fold_group *groups, uint32_t n,
                         const uint32_t *of)
{
    uint64_t all = 0;
    for (uint32_t g = 0; g < n; g++)
        all += groups[g].few ? groups[g].n_values : 0;
    if (all == 0)
        return;
    make_map(x, parts, n_parts);
    x->rows = skep_malloc(all * sizeof *x->rows);
    x->vals = skep_malloc(all * sizeof *x->vals);
    for (unsigned p = 0; p < n_parts; p++)
        for (uint32_t i = 0; i < parts[p]->base.n_fields; i++) {
            struct skep_fold_group *g = &groups[*of++];
            const struct skep_part_col *c = &parts[p]->fields[i];
            if (!g->few)
                continue;
            skep_fold__rows(x->rows + g->to, c, row_base[p], (uint32_t)parts[p]->base.n_rows);
            skep_part__values(c, 0, c->n_present, x->vals + g->to);
            if (skep_fold__is_string(g->field->type))
                share(x, c->dict,
                      x->map + x->first[x->dict0[p] + (size_t)(c->dict - parts[p]->dicts)],
                      x->vals + g->to, c->n_present);
            g->to += c->n_present;
        }
}
