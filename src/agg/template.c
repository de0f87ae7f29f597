// SPDX-License-Identifier: Apache-2.0
/* The miner: a table of line signatures, what was counted for each, and templates from them.
 *
 *   line -> tokens -> signature -> entry (exact, by hash and bytes)
 *                         |  no such entry, table full
 *                         v
 *                       fold (template_fold.c); then a line also matches folded entries
 *
 * I1  the counts of all entries and of `other` add up to the lines added, in both periods
 * I2  no more than `max` entries, each of bounded size: memory is bounded whatever the lines are
 *
 * Threads: one at a time.  Memory: entries from the budget, by way of the miner's arena, which is
 * made anew when a fold takes many entries together. */
#include "agg/template_priv.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

enum { BINS_MAX = 1000, TRY_FOLDED = 64 };

struct skep_templates {
    struct skep_template_config cfg;
    struct skep_arena arena;              /* signatures, values, bins of entries */
    struct skep_template__entry *entries; /* [n] of max + 1; gone ones are squeezed out by folds */
    size_t n;
    struct skep_index index;  /* by hash, unfolded entries */
    struct skep_index shapes; /* by shape, folded entries */
    struct skep_template__entry other;
    struct skep_buf signature; /* of the line at hand */
    uint64_t lines, earlier;
};

static const skep_str kind_names[SKEP_TEMPLATE_KIND_COUNT] = {
    [SKEP_TEMPLATE_LITERAL] = {"", 0},
    [SKEP_TEMPLATE_NUMBER] = SKEP_STR_INIT("Number"),
    [SKEP_TEMPLATE_TIME] = SKEP_STR_INIT("Time"),
    [SKEP_TEMPLATE_IP] = SKEP_STR_INIT("IPAddress"),
    [SKEP_TEMPLATE_UUID] = SKEP_STR_INIT("UUID"),
    [SKEP_TEMPLATE_HEX] = SKEP_STR_INIT("Hex"),
    [SKEP_TEMPLATE_TOKEN] = SKEP_STR_INIT("Token"),
    [SKEP_TEMPLATE_REST] = SKEP_STR_INIT("Rest"),
};

skep_str skep_template_kind_name(enum skep_template_kind kind)
{
    skep_assert(kind < SKEP_TEMPLATE_KIND_COUNT);
    return kind_names[kind];
}

struct skep_templates *skep_templates_new(const struct skep_template_config *cfg)
{
    skep_assert(cfg->n_bins <= BINS_MAX);
    skep_assert(cfg->n_bins == 0 || cfg->range.end_ns > cfg->range.start_ns);
    struct skep_templates *t = skep_alloc(struct skep_templates);
    t->cfg = *cfg;
    if (t->cfg.max == 0)
        t->cfg.max = SKEP_TEMPLATE_MAX;
    skep_arena_init(&t->arena, "templates", cfg->budget);
    skep_index_init(&t->index, 0);
    skep_index_init(&t->shapes, 0);
    skep_buf_init(&t->signature, SKEP_TEMPLATE__SIGNATURE_BYTES);
    t->other.bins = skep_alloc_n(uint64_t, cfg->n_bins + 1);
    return t;
}

void skep_templates_free(struct skep_templates *t)
{
    if (!t)
        return;
    skep_index_done(&t->index);
    skep_index_done(&t->shapes);
    skep_buf_done(&t->signature);
    skep_free(t->entries);
    skep_free(t->other.bins);
    if (t->cfg.budget && t->entries)
        skep_budget_give(t->cfg.budget, (uint64_t)t->cfg.max * sizeof *t->entries);
    skep_arena_done(&t->arena);
    skep_free(t);
}

/* --- signatures --- */

void skep_template__write(struct skep_buf *b, const struct skep_template__token *tokens, unsigned n)
{
    size_t bytes = 0;
    skep_buf_reset(b);
    for (unsigned i = 0; i < n; i++)
        bytes += tokens[i].kind == SKEP_TEMPLATE_LITERAL ? tokens[i].text.n + 2 : 3;
    if (!skep_buf_reserve(b, bytes))
        return;
    uint8_t *to = b->p;
    for (unsigned i = 0; i < n; i++) {
        skep_str text = tokens[i].text;
        if (tokens[i].blank)
            *to++ = SKEP_TEMPLATE__BLANK;
        if (tokens[i].kind != SKEP_TEMPLATE_LITERAL) {
            *to++ = tokens[i].kind;
        } else if (text.n > 0) {
            memcpy(to, text.p, text.n);
            to += text.n;
        }
        *to++ = SKEP_TEMPLATE__END;
    }
    b->n = (size_t)(to - b->p);
    skep_assert(b->n <= bytes);
}

unsigned skep_template__parse(skep_str signature,
                              struct skep_template__token ret[SKEP_TEMPLATE_TOKENS + 1])
{
    unsigned n = 0;
    while (signature.n > 0) {
        skep_str text = skep_str_cut(&signature, (char)SKEP_TEMPLATE__END);
        bool blank = text.n > 0 && text.p[0] == (char)SKEP_TEMPLATE__BLANK;
        if (blank)
            text = skep_str_skip(text, 1);
        uint8_t kind = text.n == 1 && (uint8_t)text.p[0] < SKEP_TEMPLATE_KIND_COUNT
                           ? (uint8_t)text.p[0]
                           : (uint8_t)SKEP_TEMPLATE_LITERAL;
        skep_assert(n <= SKEP_TEMPLATE_TOKENS);
        ret[n++] = (struct skep_template__token){
            .text = kind == SKEP_TEMPLATE_LITERAL ? text : SKEP_STR_NULL,
            .kind = kind,
            .blank = blank,
            .word = kind != SKEP_TEMPLATE_LITERAL || skep_template__is_word(text)};
    }
    return n;
}

SKEP_WRAPS uint64_t skep_template__shape(const struct skep_template__token *tokens, unsigned n)
{
    uint64_t h = n;
    for (unsigned i = 0; i < n; i++)
        h = skep_hash_u64(h * 31 +
                          (tokens[i].word ? 1 : skep_hash(skep_str_bytes(tokens[i].text))));
    return h;
}

static bool token_matches(const struct skep_template__token *of,
                          const struct skep_template__token *t)
{
    if (of->kind == SKEP_TEMPLATE_TOKEN)
        return t->word;
    return of->kind == t->kind &&
           (of->kind != SKEP_TEMPLATE_LITERAL || skep_str_eq(of->text, t->text));
}

static struct skep_template__entry *
find_folded(struct skep_templates *t, const struct skep_template__token *tokens, unsigned n)
{
    struct skep_template__token of[SKEP_TEMPLATE_TOKENS + 1];
    struct skep_index_it it = skep_index_begin(&t->shapes, skep_template__shape(tokens, n));
    uint32_t i;
    for (unsigned tries = 0; tries < TRY_FOLDED; tries++) {
        if ((i = skep_index_next(&t->shapes, &it)) == SKEP_INDEX_NONE)
            return NULL;
        if (skep_template__parse(t->entries[i].signature, of) != n)
            continue;
        unsigned k = 0;
        while (k < n && token_matches(&of[k], &tokens[k]))
            k++;
        if (k == n)
            return &t->entries[i];
    }
    return NULL;
}

static struct skep_template__entry *find(struct skep_templates *t, uint64_t hash)
{
    struct skep_index_it it = skep_index_begin(&t->index, hash);
    uint32_t i;
    while ((i = skep_index_next(&t->index, &it)) != SKEP_INDEX_NONE)
        if (t->entries[i].hash == hash &&
            skep_str_eq(t->entries[i].signature, skep_buf_text(&t->signature)))
            return &t->entries[i];
    return NULL;
}

/* --- making room --- */

static int by_count(const void *a, const void *b)
{
    const struct skep_template__entry *x = a, *y = b;
    uint64_t m = x->count + x->earlier, n = y->count + y->earlier;
    if (m != n)
        return m > n ? -1 : 1;
    return skep_str_cmp(x->signature, y->signature);
}

static uint64_t change(const struct skep_template__entry *e)
{
    return e->count > e->earlier ? e->count - e->earlier : e->earlier - e->count;
}

static int by_change(const void *a, const void *b)
{
    uint64_t m = change(a), n = change(b);
    return m != n ? (m > n ? -1 : 1) : by_count(a, b);
}

/* The entries in an arena of their own, so that what is gone gives its memory back. */
static void move_arena(struct skep_templates *t)
{
    struct skep_arena fresh;
    skep_arena_init(&fresh, "templates", t->cfg.budget);
    for (size_t i = 0; i < t->n; i++) {
        struct skep_template__entry *e = &t->entries[i];
        e->signature = skep_arena_str(&fresh, e->signature);
        uint64_t *bins = skep_new_n(&fresh, uint64_t, t->cfg.n_bins + 1);
        memcpy(bins, e->bins, t->cfg.n_bins * sizeof *bins);
        e->bins = bins;
        struct skep_template__values *values =
            skep_new_n(&fresh, struct skep_template__values, e->n_dynamic + 1);
        for (unsigned d = 0; d < e->n_dynamic; d++) {
            values[d].n = e->values[d].n;
            for (unsigned v = 0; v < values[d].n; v++)
                values[d].v[v] = skep_arena_str(&fresh, e->values[d].v[v]);
        }
        e->values = values;
    }
    skep_arena_done(&t->arena);
    t->arena = fresh;
}

static void fold(struct skep_templates *t)
{
    struct skep_template__token tokens[SKEP_TEMPLATE_TOKENS + 1];
    if (t->n == 0) /* nor is there a table */
        return;
    qsort(t->entries, t->n, sizeof *t->entries, by_count);
    skep_template__fold(t->entries, t->n, t->cfg.n_bins, &t->arena);
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++)
        if (!t->entries[i].gone)
            t->entries[kept++] = t->entries[i];
    t->n = kept;
    skep_index_clear(&t->index);
    skep_index_clear(&t->shapes);
    for (uint32_t i = 0; i < t->n; i++) {
        struct skep_template__entry *e = &t->entries[i];
        if (e->folded)
            skep_index_add(&t->shapes,
                           skep_template__shape(tokens, skep_template__parse(e->signature, tokens)),
                           i);
        else
            skep_index_add(&t->index, e->hash, i);
    }
}

/* Room for one more entry (I2): fold; where that does not help, the rarest half is "other". */
static void make_room(struct skep_templates *t)
{
    fold(t);
    if (t->n > t->cfg.max / 4 * 3) {
        qsort(t->entries, t->n, sizeof *t->entries, by_count);
        for (size_t i = t->cfg.max / 2; i < t->n; i++) {
            skep_template__merge(&t->other, &t->entries[i], t->cfg.n_bins);
            t->entries[i].gone = true;
        }
        fold(t);
    }
    move_arena(t);
}

/* --- adding --- */

static void keep_value(struct skep_templates *t, struct skep_template__values *values,
                       skep_str text)
{
    if (values->n == SKEP_TEMPLATE_VALUES)
        return;
    text.n = SKEP_MIN(text.n, (size_t)SKEP_TEMPLATE__VALUE_BYTES);
    for (unsigned i = 0; i < values->n; i++)
        if (skep_str_eq(values->v[i], text))
            return;
    values->v[values->n++] = skep_arena_str(&t->arena, text);
}

static void keep_sample(struct skep_template__entry *e, skep_row_id id)
{
    if (e->n_samples < SKEP_TEMPLATE_SAMPLES)
        e->samples[e->n_samples++] = id;
}

static unsigned severity_class(uint8_t severity)
{
    unsigned c = severity == 0 ? 0 : (severity - 1u) / 4 + 1;
    return SKEP_MIN(c, (unsigned)SKEP_TEMPLATE_SEVERITIES - 1);
}

static void count_line(struct skep_templates *t, struct skep_template__entry *e,
                       const struct skep_template_line *line)
{
    uint64_t weight = SKEP_MAX(line->weight, 1u);
    keep_sample(e, line->id);
    if (line->earlier) {
        e->earlier += weight;
        t->earlier += weight;
        return;
    }
    if (e->count == 0 || line->time_ns < e->first_ns)
        e->first_ns = line->time_ns;
    if (e->count == 0 || line->time_ns > e->last_ns)
        e->last_ns = line->time_ns;
    e->count += weight;
    e->severities[severity_class(line->severity)] += weight;
    const struct skep_time_range r = t->cfg.range;
    if (t->cfg.n_bins && line->time_ns >= r.start_ns && line->time_ns < r.end_ns) {
        double share = (double)(line->time_ns - r.start_ns) / (double)(r.end_ns - r.start_ns);
        unsigned bin = (unsigned)(share * t->cfg.n_bins);
        e->bins[SKEP_MIN(bin, t->cfg.n_bins - 1)] += weight;
    }
    t->lines += weight;
}

static void keep_values(struct skep_templates *t, struct skep_template__entry *e,
                        const struct skep_template__token *tokens, unsigned n)
{
    struct skep_template__token of[SKEP_TEMPLATE_TOKENS + 1];
    unsigned d = 0;
    if (e->folded)
        (void)skep_template__parse(e->signature, of);
    for (unsigned i = 0; i < n; i++) {
        uint8_t kind = e->folded ? of[i].kind : tokens[i].kind;
        if (kind == SKEP_TEMPLATE_LITERAL)
            continue;
        skep_assert(d < e->n_dynamic);
        if (kind != SKEP_TEMPLATE_REST)
            keep_value(t, &e->values[d], tokens[i].text);
        d++;
    }
}

static skep_rc new_entry(struct skep_templates *t, const struct skep_template__token *tokens,
                         unsigned n, uint64_t hash, struct skep_template__entry **ret)
{
    unsigned n_dynamic = 0;
    if (!t->entries) {
        if (t->cfg.budget)
            SKEP_TRY(
                skep_budget_take(t->cfg.budget, (uint64_t)t->cfg.max * sizeof *t->entries, NULL));
        t->entries = skep_alloc_n(struct skep_template__entry, t->cfg.max);
    }
    if (t->n == t->cfg.max)
        make_room(t);
    skep_assert(t->n < t->cfg.max); /* I2 */
    for (unsigned i = 0; i < n; i++)
        n_dynamic += tokens[i].kind != SKEP_TEMPLATE_LITERAL;
    /* A probe for what the entry takes; the rest is small and taken by force. */
    void *room = skep_arena_try_alloc(&t->arena, (t->cfg.n_bins + 1) * sizeof(uint64_t));
    if (!room)
        return SKEP_ENOMEM;
    struct skep_template__entry *e = &t->entries[t->n];
    *e = (struct skep_template__entry){.hash = hash, .n_dynamic = n_dynamic, .bins = room};
    e->signature = skep_arena_str(&t->arena, skep_buf_text(&t->signature));
    e->values = skep_new_n(&t->arena, struct skep_template__values, n_dynamic + 1);
    skep_index_add(&t->index, hash, (uint32_t)t->n);
    t->n++;
    *ret = e;
    return SKEP_OK;
}

skep_rc skep_templates_add(struct skep_templates *t, const struct skep_template_line *line)
{
    struct skep_template__token tokens[SKEP_TEMPLATE_TOKENS + 1];
    unsigned n = skep_template__tokens(line->text, tokens);
    skep_template__write(&t->signature, tokens, n);
    skep_assert(!t->signature.bad);
    uint64_t hash = skep_hash(skep_buf_bytes(&t->signature));
    struct skep_template__entry *e = find(t, hash);
    if (!e)
        e = find_folded(t, tokens, n);
    if (!e)
        SKEP_TRY(new_entry(t, tokens, n, hash, &e));
    keep_values(t, e, tokens, n);
    count_line(t, e, line);
    return SKEP_OK;
}

void skep_template__merge(struct skep_template__entry *a, const struct skep_template__entry *b,
                          unsigned n_bins)
{
    if (b->count > 0) {
        a->first_ns = a->count == 0 ? b->first_ns : SKEP_MIN(a->first_ns, b->first_ns);
        a->last_ns = a->count == 0 ? b->last_ns : SKEP_MAX(a->last_ns, b->last_ns);
    }
    a->count += b->count;
    a->earlier += b->earlier;
    for (unsigned i = 0; i < SKEP_TEMPLATE_SEVERITIES; i++)
        a->severities[i] += b->severities[i];
    for (unsigned i = 0; i < n_bins; i++)
        a->bins[i] += b->bins[i];
    for (unsigned i = 0; i < b->n_samples; i++)
        keep_sample(a, b->samples[i]);
}

/* --- the answer --- */

static void add_literal(struct skep_template *t, struct skep_arena *arena, skep_str text)
{
    struct skep_template_part *last = t->n_parts ? &t->parts[t->n_parts - 1] : NULL;
    if (text.n == 0)
        return;
    if (last && last->kind == SKEP_TEMPLATE_LITERAL) {
        char *p = skep_arena_alloc(arena, last->text.n + text.n);
        memcpy(p, last->text.p, last->text.n);
        memcpy(p + last->text.n, text.p, text.n);
        last->text = (skep_str){p, last->text.n + text.n};
        return;
    }
    t->parts[t->n_parts++] = (struct skep_template_part){.kind = SKEP_TEMPLATE_LITERAL,
                                                         .text = skep_arena_str(arena, text)};
}

/* What never varied is text like any other. */
static void add_dynamic(struct skep_template *t, struct skep_arena *arena, uint8_t kind,
                        const struct skep_template__values *values)
{
    if (kind != SKEP_TEMPLATE_REST && values->n == 1 &&
        values->v[0].n < SKEP_TEMPLATE__VALUE_BYTES) {
        add_literal(t, arena, values->v[0]);
        return;
    }
    struct skep_template_part *p = &t->parts[t->n_parts++];
    *p = (struct skep_template_part){.kind = (enum skep_template_kind)kind, .n_values = values->n};
    for (unsigned i = 0; i < values->n; i++)
        p->values[i] = skep_arena_str(arena, values->v[i]);
}

static void to_template(const struct skep_template__entry *e, unsigned n_bins,
                        struct skep_arena *arena, struct skep_template *ret)
{
    struct skep_template__token tokens[SKEP_TEMPLATE_TOKENS + 1];
    unsigned n = skep_template__parse(e->signature, tokens), d = 0;
    *ret = (struct skep_template){.count = e->count,
                                  .earlier = e->earlier,
                                  .first_ns = e->first_ns,
                                  .last_ns = e->last_ns,
                                  .n_samples = e->n_samples};
    ret->parts = skep_new_n(arena, struct skep_template_part, 2 * (size_t)n + 1);
    for (unsigned i = 0; i < n; i++) {
        if (tokens[i].blank)
            add_literal(ret, arena, SKEP_STR(" "));
        if (tokens[i].kind == SKEP_TEMPLATE_LITERAL)
            add_literal(ret, arena, tokens[i].text);
        else
            add_dynamic(ret, arena, tokens[i].kind, &e->values[d++]);
    }
    memcpy(ret->severities, e->severities, sizeof ret->severities);
    memcpy(ret->samples, e->samples, sizeof ret->samples);
    uint64_t *bins = skep_new_n(arena, uint64_t, n_bins + 1);
    memcpy(bins, e->bins, n_bins * sizeof *bins);
    ret->bins = bins;
}

void skep_templates_finish(struct skep_templates *t, struct skep_arena *arena,
                           struct skep_template_list *ret)
{
    *ret = (struct skep_template_list){.lines = t->lines, .earlier = t->earlier};
    fold(t);
    if (t->n > 0)
        qsort(t->entries, t->n, sizeof *t->entries, by_change);
    ret->templates = skep_new_n(arena, struct skep_template, t->n + 1);
    uint64_t sum = t->other.count + t->other.earlier;
    for (size_t i = 0; i < t->n; i++) {
        to_template(&t->entries[i], t->cfg.n_bins, arena, &ret->templates[ret->n++]);
        sum += t->entries[i].count + t->entries[i].earlier;
    }
    skep_assert(sum == t->lines + t->earlier); /* I1 */
    if (t->other.count + t->other.earlier > 0) {
        struct skep_template *other = &ret->templates[ret->n++];
        to_template(&t->other, t->cfg.n_bins, arena, other);
        other->other = true;
    }
}

skep_str skep_template_text(const struct skep_template *t, struct skep_arena *arena)
{
    struct skep_buf b;
    unsigned n = 0;
    skep_buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < t->n_parts; i++) {
        const struct skep_template_part *p = &t->parts[i];
        if (p->kind == SKEP_TEMPLATE_LITERAL)
            skep_buf_str(&b, p->text);
        else
            skep_buf_printf(&b, "<" SKEP_STRFMT "-%u>",
                            SKEP_STRARG(skep_template_kind_name(p->kind)), ++n);
    }
    skep_str text = skep_arena_str(arena, skep_buf_text(&b));
    skep_buf_done(&b);
    return text;
}

static void escape(struct skep_buf *b, skep_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == ' ') {
            skep_buf_str(b, SKEP_STR("\\s+")); /* any blanks are one in a template */
            continue;
        }
        if (strchr("\\^$.|?*+()[]{}", c) && c != '\0')
            skep_buf_u8(b, '\\');
        skep_buf_u8(b, (uint8_t)c);
    }
}

skep_str skep_template_regex(const struct skep_template *t, struct skep_arena *arena)
{
    struct skep_buf b;
    bool rest = t->n_parts && t->parts[t->n_parts - 1].kind == SKEP_TEMPLATE_REST;
    skep_buf_init(&b, 1 << 20);
    skep_buf_str(&b, SKEP_STR("^\\s*"));
    for (unsigned i = 0; i < t->n_parts; i++) {
        if (t->parts[i].kind == SKEP_TEMPLATE_LITERAL)
            escape(&b, t->parts[i].text);
        else if (t->parts[i].kind != SKEP_TEMPLATE_REST)
            skep_buf_str(&b, t->parts[i].kind == SKEP_TEMPLATE_TIME ? SKEP_STR(".*?")
                                                                    : SKEP_STR("\\S*?"));
    }
    if (!rest)
        skep_buf_str(&b, SKEP_STR("\\s*$"));
    skep_str text = skep_arena_str(arena, skep_buf_text(&b));
    skep_buf_done(&b);
    return text;
}
