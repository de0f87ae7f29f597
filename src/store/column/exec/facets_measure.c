// SPDX-License-Identifier: Apache-2.0
/* FACETS of fields with too many values to count each: by number, in cells under 1% wide, and by
 * whether there is a value at all.
 *
 *   bits of a double, negative ones inverted, so that they ascend as the numbers do
 *   [ sign and exponent: page ][ first 7 bits of the fraction: cell ][ ... ]
 *
 * I1  A number's cell is a function of the number: cells of several workers can be added.
 *
 * Threads: a context belongs to one.  Memory: pages as they are needed, from the query's budget. */
#include "store/column/exec/facets.h"

#include "base/assert.h"
#include "base/mem.h"

#include <math.h>

enum { CELL_BITS = 7, PAGE_SHIFT = 52, CELL_SHIFT = PAGE_SHIFT - CELL_BITS };
static const uint64_t sign_bit = 1ull << 63;

double skep_x__measure_least(unsigned page, unsigned cell)
{
    uint64_t bits = (uint64_t)page << PAGE_SHIFT | (uint64_t)cell << CELL_SHIFT;
    double f;
    bits = bits & sign_bit ? bits & ~sign_bit : ~bits;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static struct skep_x_sides *cell_of(struct skep_x_ctx *c, struct skep_x_numbers *x, double f)
{
    uint64_t bits;
    f = f == 0 ? 0 : f; /* of zero and its negative twin */
    memcpy(&bits, &f, sizeof bits);
    bits = bits & sign_bit ? ~bits : bits | sign_bit;
    struct skep_x_sides **page = &x->pages[bits >> PAGE_SHIFT];
    if (SKEP_UNLIKELY(!*page))
        *page = skep_agg_alloc(&c->partial->mem, SKEP_X_CELLS * sizeof **page);
    return *page ? &(*page)[bits >> CELL_SHIFT & (SKEP_X_CELLS - 1)] : NULL;
}

static struct skep_x_numbers *numbers_of(struct skep_x_ctx *c, unsigned f)
{
    struct skep_x_facet *x = &((struct skep_x_facets *)c->extra)->fields[f];
    if (!x->numbers)
        x->numbers = skep_agg_alloc(&c->partial->mem, sizeof *x->numbers);
    return x->numbers;
}

static void count(struct skep_x_sides *to, const struct skep_x_facet_rows *b, unsigned r)
{
    uint64_t w = skep_x__weight_of(b, r);
    to->all += w;
    to->selected += skep_x__has(&b->selected, r) ? w : 0;
}

uint64_t skep_x__facet_rows(const struct skep_x_ctx *c, const struct skep_x_facet_rows *b,
                            const struct skep_x_bits *bits)
{
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    uint64_t sum = 0;
    if (!b->weights)
        return skep_x__weight_of(b, 0) * skep_x__count(bits);
    struct skep_sel sel = skep_x__rows(bits, c->n, rows);
    for (unsigned k = 0; k < sel.n; k++)
        sum += skep_x__weight_of(b, sel.rows ? sel.rows[k] : k);
    return sum;
}

static void count_all(const struct skep_x_ctx *c, struct skep_x_sides *to,
                      const struct skep_x_facet_rows *b, const struct skep_x_bits *bits)
{
    struct skep_x_bits selected = *bits;
    skep_x__and(&selected, &b->selected);
    to->all += skep_x__facet_rows(c, b, bits);
    to->selected += skep_x__facet_rows(c, b, &selected);
}

/* Is the value of the row a number? */
static bool number_at(const struct skep_x_vals *v, unsigned r, double *ret)
{
    unsigned at = v->constant ? 0 : r;
    if (v->form == SKEP_X_F64) {
        *ret = v->f64[at];
    } else if (v->form == SKEP_X_NS) {
        *ret = (double)v->i64[at] / 1e6;
    } else if (v->form == SKEP_X_TIME || (v->form == SKEP_X_I64 && v->type == SKEP_TYPE_INT)) {
        *ret = (double)v->i64[at];
    } else if (v->form == SKEP_X_CODES) {
        const skep_value *x = &v->list[v->i64[at]];
        *ret = x->type == SKEP_TYPE_INT ? (double)x->i : x->f;
        return (x->type == SKEP_TYPE_INT || x->type == SKEP_TYPE_DOUBLE) && isfinite(*ret);
    } else {
        return false;
    }
    return isfinite(*ret);
}

/* Of what is none only the presence counts, which need not be decoded. */
static bool may_be_number(const struct skep_x_source *s)
{
    return s->type == SKEP_TYPE_INT || s->type == SKEP_TYPE_DOUBLE;
}

skep_rc skep_x__measure(struct skep_x_ctx *c, const struct skep_x_facet_rows *b, unsigned f,
                        skep_err *err)
{
    const struct skep_x_bound *bound = skep_x__sources(c, c->groups[f].name);
    struct skep_x_numbers *x = numbers_of(c, f);
    struct skep_x_bits rest = b->bits;
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    if (!x)
        return skep_x__facet_memory(c, f, err);
    for (unsigned i = 0; i < bound->n && skep_x__any(&rest); i++) {
        struct skep_x_vals v;
        if (!may_be_number(&bound->sources[i]) &&
            skep_x__presence(c, &bound->sources[i], &rest, &v.present, err)) {
            count_all(c, &x->others, b, &v.present);
            skep_x__andnot(&rest, &v.present);
            continue;
        }
        SKEP_TRY(skep_x__load(c, &bound->sources[i], &rest, &v, err));
        struct skep_sel sel = skep_x__rows(&v.present, c->n, rows);
        for (unsigned k = 0; k < sel.n; k++) {
            unsigned r = sel.rows ? sel.rows[k] : k;
            double number;
            struct skep_x_sides *to =
                number_at(&v, r, &number) ? cell_of(c, x, number) : &x->others;
            if (!to)
                return skep_x__facet_memory(c, f, err);
            count(to, b, r);
        }
        skep_x__andnot(&rest, &v.present);
    }
    count_all(c, &x->absent, b, &rest);
    return SKEP_OK;
}

static void add(struct skep_x_sides *to, const struct skep_x_sides *from)
{
    to->all += from->all;
    to->selected += from->selected;
}

skep_rc skep_x__measure_merge(struct skep_x_ctx *to, const struct skep_x_ctx *from, unsigned f,
                              skep_err *err)
{
    const struct skep_x_numbers *x = ((const struct skep_x_facets *)from->extra)->fields[f].numbers;
    struct skep_x_numbers *y = x ? numbers_of(to, f) : NULL;
    if (!x)
        return SKEP_OK;
    if (!y)
        return skep_x__facet_memory(to, f, err);
    add(&y->absent, &x->absent);
    add(&y->others, &x->others);
    for (unsigned p = 0; p < SKEP_X_PAGES; p++) {
        if (x->pages[p] && !y->pages[p])
            y->pages[p] = skep_agg_alloc(&to->partial->mem, SKEP_X_CELLS * sizeof *y->pages[p]);
        if (x->pages[p] && !y->pages[p])
            return skep_x__facet_memory(to, f, err);
        for (unsigned i = 0; x->pages[p] && i < SKEP_X_CELLS; i++)
            add(&y->pages[p][i], &x->pages[p][i]);
    }
    return SKEP_OK;
}

void skep_x__measure_done(struct skep_x_ctx *c, unsigned f)
{
    struct skep_x_facet *x = &((struct skep_x_facets *)c->extra)->fields[f];
    for (unsigned p = 0; x->numbers && p < SKEP_X_PAGES; p++)
        skep_agg_free(&c->partial->mem, x->numbers->pages[p],
                      SKEP_X_CELLS * sizeof *x->numbers->pages[p]);
    skep_agg_free(&c->partial->mem, x->numbers, sizeof *x->numbers);
    x->numbers = NULL;
}
