// SPDX-License-Identifier: Apache-2.0
/* Gather: the values of one column for the rows of a row group, out of the sources.
 *
 * The group's rows are sorted once by (source, source row); each column is then read block by block
 * in that order and scattered to the rows' new places, which works alike for parts (arrival order)
 * and segments (runs).
 *
 * A string is a token here: a number that says where it is, in a dictionary of a source or among
 * the strings copied to the writer's arena.  Dictionaries one after the other make up the numbers:
 *
 *   domain 0: dictionary of source 0, tokens 0 .. 499    domain 1: of source 1, 500 .. 870   ...
 *
 * Equal tokens are equal strings; what is found out about one (its code) is kept by token.
 *
 * I1  after gather, w->col holds n values in row order, n = bits set in w->col.bitmap.
 * I2  readers stay open until the next gather: their dictionaries hold the strings.
 * Threads: one. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_write.h"

/* v[n] of a source by its row, by two digits or as many as its rows take; tmp[n] is scratch. */
static void sort_slots(uint64_t *v, uint32_t n, uint64_t *tmp)
{
    enum { DIGIT = 11, ROW_SHIFT = 16 };
    uint64_t min = UINT64_MAX, max = 0;
    bool ascend = true;
    for (uint32_t i = 0; i < n; i++) {
        ascend = ascend && (i == 0 || v[i - 1] < v[i]);
        min = SKEP_MIN(min, v[i]);
        max = SKEP_MAX(max, v[i]);
    }
    if (ascend)
        return;
    uint64_t base = min >> ROW_SHIFT, top = (max >> ROW_SHIFT) - base;
    uint64_t *from = v, *to = tmp;
    for (unsigned shift = 0; top >> shift; shift += DIGIT) {
        uint32_t at[1 << DIGIT] = {0}, sum = 0;
        for (uint32_t i = 0; i < n; i++)
            at[((from[i] >> ROW_SHIFT) - base) >> shift & ((1 << DIGIT) - 1)]++;
        for (uint32_t d = 0; d < SKEP_ARRAY_LEN(at); d++) {
            uint32_t of = at[d];
            at[d] = sum;
            sum += of;
        }
        for (uint32_t i = 0; i < n; i++)
            to[at[((from[i] >> ROW_SHIFT) - base) >> shift & ((1 << DIGIT) - 1)]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != v)
        memcpy(v, from, n * sizeof *v);
}

void skep_segment__slot_rows(struct skep_segment_writer *w)
{
    unsigned n_sources = w->job->n_sources;
    uint32_t *first = w->source_first;
    memset(first, 0, (n_sources + 1) * sizeof *first);
    for (uint32_t i = 0; i < w->n_rows; i++)
        first[w->rows[i].source + 1]++;
    for (unsigned s = 0; s < n_sources; s++)
        first[s + 1] += first[s];
    for (uint32_t i = w->n_rows; i-- > 0;) {
        uint32_t at = --first[w->rows[i].source + 1];
        w->slots[at] = (uint64_t)w->rows[i].row << 16 | i;
    }
    /* Each first[s + 1] now is where s begins. */
    for (unsigned s = 0; s < n_sources; s++)
        first[s] = first[s + 1];
    first[n_sources] = w->n_rows;
    for (unsigned s = 0; s < n_sources; s++)
        sort_slots(w->slots + first[s], first[s + 1] - first[s], (uint64_t *)w->tmp);
}

/* Where values go, by row of the group. */
struct target {
    struct skep_segment_writer *w;
    enum skep_segment_form form;
    const uint32_t *map; /* list numbers of the source -> of the segment; NULL = as they are */
    uint32_t map_size;
    enum {
        ALL_HAVE, /* every row before `at` has a value */
        FEW_HAVE, /* few had so far: the bits of w->col.bitmap say which */
        MARKED    /* w->present says which */
    } known;
    uint32_t at; /* slots gone through */
};

/* From here on rows lack values. */
static void start_marking(struct target *t)
{
    struct skep_segment_writer *w = t->w;
    if (t->known == MARKED)
        return;
    memset(w->present, 0, ((size_t)w->n_rows + 63) / 64 * 64);
    for (uint32_t k = 0; t->known == ALL_HAVE && k < t->at; k++)
        w->present[(uint16_t)w->slots[k]] = 1;
    for (uint32_t word = 0; t->known == FEW_HAVE && word < (w->n_rows + 63) / 64; word++)
        for (uint64_t m = w->col.bitmap[word]; m; m &= m - 1)
            w->present[word * 64 + SKEP_CTZ64(m)] = 1;
    t->known = MARKED;
}

/* Few of the next rows have a value, or none: setting bits one by one is cheaper then than a byte a
 * row, which must be cleared and gone through, all 64 KiB of them, for each column. */
static void expect_few(struct target *t)
{
    if (t->known == ALL_HAVE && t->at == 0)
        t->known = FEW_HAVE;
    else if (t->known == ALL_HAVE)
        start_marking(t);
}

static inline void mark(const struct target *t, uint32_t row)
{
    if (t->known == FEW_HAVE)
        t->w->col.bitmap[row / 64] |= 1ull << (row % 64);
    else
        t->w->present[row] = 1;
}

/* Tokens for n strings of a new domain; *ret_base is the first one's. */
static skep_rc add_domain(struct skep_segment_writer *w, const struct skep_dict *dict,
                          const skep_str *strs, uint32_t n, uint32_t *ret_base, skep_err *err)
{
    uint32_t base = w->n_tokens;
    if (n > UINT32_MAX - base)
        return skep_fail(err, SKEP_ENOMEM, "too many strings in one column");
    if (base + n > w->cap_tokens) {
        uint32_t cap = SKEP_MAX(base + n, w->cap_tokens < UINT32_MAX / 2 ? w->cap_tokens * 2 : 0);
        uint32_t more = cap - w->cap_tokens;
        SKEP_TRY(skep_segment__charge(w, (uint64_t)more * sizeof *w->token_codes, err));
        w->token_codes = skep_realloc(w->token_codes, (size_t)cap * sizeof *w->token_codes);
        memset(w->token_codes + w->cap_tokens, 0, (size_t)more * sizeof *w->token_codes);
        w->cap_tokens = cap;
    }
    SKEP_GROW(w->domains, w->n_domains, w->cap_domains);
    w->domains[w->n_domains++] = (struct skep_wdomain){base, n, dict, strs};
    w->n_tokens = base + n;
    *ret_base = base;
    return SKEP_OK;
}

static skep_rc dict_base(struct target *t, const struct skep_dict *dict, uint32_t *ret,
                         skep_err *err)
{
    struct skep_segment_writer *w = t->w;
    for (uint32_t k = w->n_domains; k-- > w->source_domain;) {
        if (w->domains[k].dict == dict) {
            *ret = w->domains[k].base;
            return SKEP_OK;
        }
    }
    return add_domain(w, dict, NULL, dict->n, ret, err);
}

/* Strings that have no dictionary: copies in the arena, a token each, by the vector's place. */
static skep_rc copy_strings(struct target *t, const struct skep_vec *v, uint32_t *ret_base,
                            skep_err *err)
{
    struct skep_segment_writer *w = t->w;
    unsigned n = v->constant ? 1 : v->n;
    skep_str *to = skep_arena_try_alloc(&w->arena, n * sizeof *to);
    for (unsigned i = 0; to && i < n; i++) {
        skep_str s = v->str[i];
        bool has = v->constant || !v->valid || (v->valid[i / 64] >> (i % 64) & 1);
        char *p = has && s.n > 0 ? skep_arena_try_alloc(&w->arena, s.n) : NULL;
        to[i] = SKEP_STR("");
        if (!has || s.n == 0)
            continue;
        if (!p)
            return skep_fail(err, SKEP_ENOMEM, "no budget for the strings of a row group");
        memcpy(p, s.p, s.n);
        to[i] = (skep_str){p, s.n};
    }
    if (!to)
        return skep_fail(err, SKEP_ENOMEM, "no budget for the strings of a row group");
    return add_domain(w, NULL, to, n, ret_base, err);
}

/* List numbers of the source to those of the segment, into out. */
static skep_rc map_lists(const struct target *t, const struct skep_vec *v, int64_t *out,
                         skep_err *err)
{
    unsigned n = v->constant ? 1 : v->n;
    for (unsigned i = 0; i < n; i++) {
        bool has = v->constant || !v->valid || (v->valid[i / 64] >> (i % 64) & 1);
        if (has && (uint64_t)v->i64[i] >= t->map_size)
            return skep_fail(err, SKEP_ECORRUPT, "a row's list number is out of range");
        out[i] = has ? t->map[v->i64[i]] : 0;
    }
    return SKEP_OK;
}

/* For the rows of v among slots[0..n), v beginning at row0 of the source: `row` of the group takes
 * value i.  Rows that are neighbours in the source, as in a flush nearly all are, go without a look
 * at their number; absent ones are stepped over 64 at a time. */
#define EACH_PRESENT(body)                                                                         \
    if (!v->valid && dense) {                                                                      \
        for (uint32_t k = 0; k < n; k++) {                                                         \
            const uint32_t row = (uint16_t)slots[k], i = k & step;                                 \
            body;                                                                                  \
        }                                                                                          \
    } else if (dense) {                                                                            \
        for (uint32_t word = 0; word < (n + 63) / 64; word++)                                      \
            for (uint64_t m = v->valid[word]; m; m &= m - 1) {                                     \
                const uint32_t at = word * 64 + SKEP_CTZ64(m);                                     \
                const uint32_t row = (uint16_t)slots[at], i = at & step;                           \
                mark(t, row);                                                                      \
                body;                                                                              \
            }                                                                                      \
    } else {                                                                                       \
        for (uint32_t k = 0; k < n; k++) {                                                         \
            const uint32_t at = (uint32_t)((slots[k] >> 16) - row0), row = (uint16_t)slots[k];     \
            const uint32_t i = at & step;                                                          \
            if (v->valid && !(v->valid[at / 64] >> (at % 64) & 1))                                 \
                continue;                                                                          \
            mark(t, row);                                                                          \
            body;                                                                                  \
        }                                                                                          \
    }

/* One loop a form: this is where a flush spends its time. */
static skep_rc take_values(struct target *t, const struct skep_vec *v, uint64_t row0,
                           const uint64_t *slots, uint32_t n, skep_err *err)
{
    struct skep_segment_writer *w = t->w;
    SKEP_UNINIT int64_t mapped[SKEP_BLOCK_ROWS];
    const bool dense = v->n == n;
    const uint32_t step = v->constant ? 0 : UINT32_MAX; /* a constant stands at index 0 */
    uint32_t base;
    switch (v->form) {
    case SKEP_VEC_I64:
    case SKEP_VEC_F64: {
        const int64_t *in = v->form == SKEP_VEC_I64 ? v->i64 : (const int64_t *)v->f64;
        int64_t *out = w->row_ints;
        if (t->map) {
            SKEP_TRY(map_lists(t, v, mapped, err));
            in = mapped;
        }
        EACH_PRESENT(out[row] = in[i])
        return SKEP_OK;
    }
    case SKEP_VEC_DICT: {
        uint32_t *out = w->tokens;
        SKEP_TRY(dict_base(t, v->dict, &base, err));
        EACH_PRESENT(out[row] = base + v->codes[i])
        return SKEP_OK;
    }
    case SKEP_VEC_STR: {
        uint32_t *out = w->tokens;
        SKEP_TRY(copy_strings(t, v, &base, err));
        EACH_PRESENT(out[row] = base + i)
        return SKEP_OK;
    }
    case SKEP_VEC_ID16: {
        skep_trace_id *out = w->col.ids;
        EACH_PRESENT(out[row] = v->id16[i])
        return SKEP_OK;
    }
    }
    skep_unreachable("vector form");
}
#undef EACH_PRESENT

/* Of the rows of a block. */
static bool few_valid(const struct skep_vec *v)
{
    enum { FEW = 16 }; /* one in so many */
    uint32_t has = 0;
    for (uint32_t word = 0; v->valid && word < (v->n + 63) / 64; word++)
        has += skep_bits_count(v->valid[word]);
    return v->valid && has <= v->n / FEW;
}

/* slots[0..n) lie in one block of the source. */
static skep_rc take_block(struct target *t, struct skep_colreader *r, const uint64_t *slots,
                          uint32_t n, skep_err *err)
{
    uint64_t row0 = slots[0] >> 16;
    unsigned span = (unsigned)((slots[n - 1] >> 16) - row0 + 1);
    struct skep_vec v;
    SKEP_TRY(r->ops->read(r, row0, span, &v, err));
    if (v.none || few_valid(&v))
        expect_few(t);
    else if (v.valid || t->known == FEW_HAVE)
        start_marking(t);
    if (!v.none)
        SKEP_TRY(take_values(t, &v, row0, slots, n, err));
    if (t->known == MARKED && !v.none && !v.valid && span == n)
        for (uint32_t k = 0; k < n; k++)
            t->w->present[(uint16_t)slots[k]] = 1;
    t->at += n;
    return SKEP_OK;
}

/* The first of slots[at..n) at or behind the source's row, n if there is none.  `skipped`: rows
 * from the first slot's to the last one found that have no slot.  Few rows are skipped where any
 * are, so that the place is near the one that follows from the row before. */
static uint32_t slot_of_row(const uint64_t *slots, uint32_t at, uint32_t n, uint64_t row,
                            uint64_t *skipped)
{
    const uint64_t row0 = slots[0] >> 16;
    uint64_t guess = row - row0 - *skipped; /* no slot behind it is of the row */
    uint32_t low = at, high = (uint32_t)SKEP_MIN(guess + 1, (uint64_t)n), step = 1;
    while (low < high && slots[high - 1] >> 16 >= row) { /* back in ever longer steps */
        uint32_t to = high - low > step ? high - step : low;
        if (to == low || slots[to - 1] >> 16 < row) {
            low = SKEP_MAX(low, to);
            break;
        }
        high = to;
        step *= 2;
    }
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (slots[mid] >> 16 < row)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < n)
        *skipped = (slots[low] >> 16) - row0 - low;
    return low;
}

/* Values that stand in few rows, by row of the source. */
static skep_rc put_few(struct target *t, const uint64_t *slots, uint32_t n_slots, uint32_t n,
                       const struct skep_dict *dict, skep_err *err)
{
    struct skep_segment_writer *w = t->w;
    const uint32_t *rows = w->few_rows;
    const uint64_t row0 = slots[0] >> 16;
    const bool whole = (slots[n_slots - 1] >> 16) - row0 + 1 == n_slots; /* no row is left out */
    uint32_t base = 0, at = 0;
    uint64_t skipped = 0;
    if (dict)
        SKEP_TRY(dict_base(t, dict, &base, err));
    for (uint32_t k = 0; k < n; k++) {
        at =
            whole ? (uint32_t)(rows[k] - row0) : slot_of_row(slots, at, n_slots, rows[k], &skipped);
        if (at == n_slots)
            break;
        if (slots[at] >> 16 != rows[k])
            continue; /* dead, or of another group */
        uint32_t row = (uint16_t)slots[at];
        mark(t, row);
        if (dict)
            w->tokens[row] = base + (uint32_t)w->few_values[k];
        else
            w->row_ints[row] = w->few_values[k];
    }
    return SKEP_OK;
}

/* The whole source at once, if few of its rows have a value: among a thousand attributes of a
 * hundredth of the rows each, going through all rows for each is what a flush would do. */
static skep_rc take_few(struct target *t, struct skep_colreader *r, uint32_t at, uint32_t end,
                        bool *ret_taken, skep_err *err)
{
    struct skep_segment_writer *w = t->w;
    uint64_t row0 = w->slots[at] >> 16, n = (w->slots[end - 1] >> 16) - row0 + 1;
    const struct skep_dict *dict = NULL;
    uint32_t n_few;
    *ret_taken = !t->map && r->ops->few &&
                 r->ops->few(r, row0, n, SKEP_WFEW, w->few_rows, w->few_values, &n_few, &dict);
    if (!*ret_taken)
        return SKEP_OK;
    expect_few(t);
    t->at += end - at;
    return put_few(t, w->slots + at, end - at, n_few, dict, err);
}

/* Where the slots of slots[at]'s block end, at most at `end`.  A block of which all rows are here
 * is found at once: nothing goes through all rows for each column. */
static uint32_t block_end(const uint64_t *slots, uint32_t at, uint32_t end)
{
    uint64_t row = slots[at] >> 16, last = row / SKEP_BLOCK_ROWS * SKEP_BLOCK_ROWS;
    uint32_t to = at + (uint32_t)(last + SKEP_BLOCK_ROWS - row), low = at + 1;
    last += SKEP_BLOCK_ROWS - 1;
    to = SKEP_MIN(to, end);
    while (low < to && slots[to - 1] >> 16 > last) { /* one in the block, one behind it */
        uint32_t mid = (low + to - 1) / 2;
        if (slots[mid] >> 16 > last)
            to = mid;
        else
            low = mid + 1;
    }
    return to;
}

static skep_rc take_source(struct target *t, struct skep_colreader *r, unsigned source,
                           skep_err *err)
{
    struct skep_segment_writer *w = t->w;
    uint32_t at = w->source_first[source], end = w->source_first[source + 1];
    bool taken;
    w->source_domain = w->n_domains;
    SKEP_TRY(take_few(t, r, at, end, &taken, err));
    if (taken)
        return SKEP_OK;
    while (at < end) {
        uint32_t to = block_end(w->slots, at, end);
        SKEP_TRY(take_block(t, r, w->slots + at, to - at, err));
        at = to;
    }
    return SKEP_OK;
}

/* w->col.bitmap of what w->present says; returns how many rows. */
static uint32_t pack_present(struct skep_segment_writer *w)
{
    uint32_t n = 0;
    for (uint32_t word = 0; word < (w->n_rows + 63) / 64; word++) {
        uint64_t bits = 0;
        for (unsigned k = 0; k < 8; k++) {
            uint64_t bytes = skep_load_le64(w->present + (size_t)word * 64 + (size_t)k * 8);
            bits |= ((bytes * 0x0102040810204080ull) >> 56) << (k * 8);
        }
        w->col.bitmap[word] = bits;
        n += skep_bits_count(bits);
    }
    return n;
}

/* Every row has a value: nothing to push together. */
static void all_present(struct skep_segment_writer *w, enum skep_segment_form form)
{
    struct skep_wcolumn *c = &w->col;
    memset(c->bitmap, 0xff, (size_t)w->n_rows / 64 * 8);
    if (w->n_rows % 64)
        c->bitmap[w->n_rows / 64] = (1ull << (w->n_rows % 64)) - 1;
    c->n = w->n_rows;
    if (form == SKEP_FORM_INT || form == SKEP_FORM_F64)
        c->ints = w->row_ints;
    else if (form == SKEP_FORM_EMPTY)
        memset(c->ints, 0, c->n * sizeof *c->ints);
}

/* Bits set in w->col.bitmap. */
static uint32_t count_bits(const struct skep_segment_writer *w)
{
    uint32_t n = 0;
    for (uint32_t word = 0; word < (w->n_rows + 63) / 64; word++)
        n += skep_bits_count(w->col.bitmap[word]);
    return n;
}

/* Push the present values together, in row order. */
static void compact(struct skep_segment_writer *w, enum skep_segment_form form, bool few)
{
    struct skep_wcolumn *c = &w->col;
    uint32_t n = 0;
    c->n = few ? count_bits(w) : pack_present(w);
    if (form == SKEP_FORM_EMPTY)
        memset(c->ints, 0, c->n * sizeof *c->ints);
    if (form == SKEP_FORM_EMPTY || form == SKEP_FORM_ID16)
        return; /* ids are kept by row */
    for (uint32_t word = 0; word < (w->n_rows + 63) / 64; word++) {
        for (uint64_t m = c->bitmap[word]; m; m &= m - 1, n++) {
            uint32_t row = word * 64 + SKEP_CTZ64(m);
            if (form == SKEP_FORM_STR)
                w->tokens[n] = w->tokens[row];
            else
                c->ints[n] = w->row_ints[row];
        }
    }
}

static void set_map(struct target *t, uint32_t key, unsigned s)
{
    const struct skep_wlists *l = key == SKEP_COL_RESOURCE ? &t->w->resources
                                  : key == SKEP_COL_SCOPE  ? &t->w->scopes
                                                           : NULL;
    t->map = l ? l->maps[s] : NULL;
    t->map_size = l ? l->map_sizes[s] : 0;
}

/* Open the key in a source; *ret is NULL when the source does not have it. */
static skep_rc open_key(struct skep_segment_writer *w, uint32_t key, unsigned s,
                        struct skep_colreader **ret, skep_err *err)
{
    struct skep_rowset *rs = w->job->sources[s].rowset;
    *ret = NULL;
    if (key < SKEP_SEGMENT_FIELD_KEY)
        return rs->ops->open_column(rs, (enum skep_column)key, ret, err);
    uint32_t field = w->field_maps[s][key - SKEP_SEGMENT_FIELD_KEY];
    return field == UINT32_MAX ? SKEP_OK : rs->ops->open_field(rs, field, ret, err);
}

void skep_segment__close_readers(struct skep_segment_writer *w)
{
    for (unsigned s = 0; s < w->job->n_sources; s++) {
        if (w->readers[s])
            w->readers[s]->ops->close(w->readers[s]);
        w->readers[s] = NULL;
    }
}

skep_rc skep_segment__gather(struct skep_segment_writer *w, uint32_t key, skep_err *err)
{
    struct target t = {
        .w = w,
        .form = key < SKEP_SEGMENT_FIELD_KEY
                    ? skep_segment__column_form(key)
                    : skep_segment__type_form(w->fields[key - SKEP_SEGMENT_FIELD_KEY].type)};
    if (w->job->canceled && w->job->canceled(w->job->ctx))
        return skep_fail(err, SKEP_ECANCELED, "segment write canceled");
    memset(w->col.bitmap, 0, SKEP_ROW_GROUP_ROWS / 8);
    if (t.form == SKEP_FORM_ID16)
        memset(w->col.ids, 0, w->n_rows * sizeof *w->col.ids);
    skep_segment__close_readers(w);
    skep_arena_reset(&w->arena);
    w->n_domains = w->n_tokens = w->token_domain = 0;
    skep_wdict__forget_tokens(w);
    w->col.ints = w->packed_ints;
    for (unsigned s = 0; s < w->job->n_sources; s++) {
        uint32_t n = w->source_first[s + 1] - w->source_first[s];
        struct skep_colreader *r = NULL;
        if (n == 0)
            continue;
        SKEP_TRY(open_key(w, key, s, &r, err));
        if (!r) {
            expect_few(&t);
            t.at += n;
            continue;
        }
        w->readers[s] = r;
        set_map(&t, key, s);
        SKEP_TRY(take_source(&t, r, s, err));
    }
    if (t.known == ALL_HAVE)
        all_present(w, t.form);
    else
        compact(w, t.form, t.known == FEW_HAVE);
    skep_assert(w->col.n <= w->n_rows);
    return SKEP_OK;
}
