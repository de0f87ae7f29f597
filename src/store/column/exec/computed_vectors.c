// SPDX-License-Identifier: Apache-2.0
/* Computed fields of numbers, a column at a time.
 *
 *   inputs   loaded for the rows asked for, handed over by row (struct skep_calc_vec)
 *   result   numbers and bools: by type, as rows computed one by one are
 *            texts: codes, of the expression's own list of texts
 *
 * I1  Rows that were computed before keep what they have: the others alone are written.
 * I2  What a row has is the same as by row (calc/vectors.c, I1).
 *
 * Threads: a context belongs to one.  Memory: columns between in the block's arena. */
#include "calc/vectors.h"

#include "base/assert.h"
#include "store/column/exec/computed.h"

enum { FEW_SHARE = 8 }; /* of fewer rows of a block by row: whole columns cost more */

/* Of the lists of texts of all expressions: each belongs to one name. */
#define VECTOR_SERIAL (1ull << 62)

/* Bytes of 1 for the bits. */
SKEP_CLONES static void spread_bits(const uint64_t *restrict bits, uint8_t *restrict out)
{
    for (unsigned w = 0; w < SKEP_X_WORDS; w++)
        for (unsigned i = 0; i < 8; i++) {
            /* A byte eight times, a bit of each left, moved down. */
            uint64_t eight = (bits[w] >> (8 * i) & 0xff) * 0x0101010101010101ull;
            eight = (eight & 0x8040201008040201ull) + 0x7f7f7f7f7f7f7f7full;
            eight = eight >> 7 & 0x0101010101010101ull;
            memcpy(out + w * 64 + i * 8, &eight, sizeof eight);
        }
}

/* Milliseconds of nanoseconds below 2^52, exact until the division; false: some is not. */
SKEP_CLONES SKEP_WRAPS static bool small_ms(const int64_t *restrict ns,
                                            const uint8_t *restrict present, unsigned n,
                                            double *restrict out)
{
    uint64_t large = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t x = (uint64_t)ns[i], b = x | 0x4330000000000000ull; /* 2^52 + x, as a double */
        double d;
        large |= (x >> 52) & (0 - (uint64_t)present[i]);
        memcpy(&d, &b, sizeof d);
        out[i] = (d - 0x1p52) / 1e6;
    }
    return large == 0;
}

static void any_ms(const int64_t *ns, unsigned n, double *out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = (double)ns[i] / 1e6;
}

static void *room(struct skep_x_computed *k, size_t size)
{
    return skep_arena_try_alloc(&k->texts, SKEP_BLOCK_ROWS * size);
}

/* One value for all rows, as a column. */
static const void *repeated(struct skep_x_computed *k, const void *value)
{
    uint64_t *out = room(k, sizeof *out);
    for (unsigned i = 0; out && i < SKEP_BLOCK_ROWS; i++)
        memcpy(&out[i], value, sizeof *out);
    return out;
}

static const double *ms_of(struct skep_x_computed *k, const int64_t *ns, const uint8_t *present)
{
    double *out = room(k, sizeof *out);
    if (out && !small_ms(ns, present, k->n, out))
        any_ms(ns, k->n, out);
    return out;
}

static const uint8_t *bools_of(struct skep_x_computed *k, const int64_t *v)
{
    uint8_t *out = room(k, 1);
    for (unsigned i = 0; out && i < k->n; i++)
        out[i] = v[i] != 0;
    return out;
}

/* Values of a source as a column; false: no memory. */
static bool column_of(struct skep_x_computed *k, const struct skep_x_vals *v,
                      const struct skep_x_bits *in, struct skep_calc_vec *ret)
{
    *ret = (struct skep_calc_vec){.type = v->type};
    uint8_t *present = room(k, 1);
    if (!present)
        return false;
    spread_bits(v->present.w, present);
    ret->present = skep_x__same(&v->present, in) ? NULL : present;
    bool number = v->form == SKEP_X_I64 || v->form == SKEP_X_NS;
    const int64_t *i64 = number && v->constant ? repeated(k, v->i64) : v->i64;
    switch (v->form) {
    case SKEP_X_F64:
        ret->doubles = v->constant ? repeated(k, v->f64) : v->f64;
        return ret->doubles != NULL;
    case SKEP_X_NS: ret->doubles = i64 ? ms_of(k, i64, present) : NULL; return ret->doubles != NULL;
    case SKEP_X_I64:
        if (v->type == SKEP_TYPE_BOOL)
            ret->bools = i64 ? bools_of(k, i64) : NULL;
        else if (v->type == SKEP_TYPE_INT)
            ret->ints = i64;
        else
            ret->type = SKEP_TYPE_COUNT;
        return i64 && (v->type != SKEP_TYPE_BOOL || ret->bools);
    case SKEP_X_DICT:
    case SKEP_X_STR:
    case SKEP_X_ID16:
    case SKEP_X_ID8:
    case SKEP_X_TIME:
    case SKEP_X_CODES:
    default: ret->type = SKEP_TYPE_COUNT; return true;
    }
}

/* The input's values in the rows of `in`; *ret_done false: they are of several sources. */
static skep_rc input_of(struct skep_x_ctx *c, struct skep_x_computed *k, uint32_t name,
                        const struct skep_x_bits *in, struct skep_calc_vec *ret, bool *ret_done,
                        skep_err *err)
{
    const struct skep_x_bound *b = skep_x__sources(c, name);
    struct skep_x_bits rest = *in;
    *ret = (struct skep_calc_vec){.type = SKEP_TYPE_NULL};
    *ret_done = true;
    for (unsigned i = 0; i < b->n && skep_x__any(&rest); i++) {
        struct skep_x_vals v;
        SKEP_TRY(skep_x__load(c, &b->sources[i], &rest, &v, err));
        if (!skep_x__any(&v.present))
            continue;
        if (ret->type != SKEP_TYPE_NULL) {
            *ret_done = false;
            return SKEP_OK;
        }
        if (!column_of(k, &v, in, ret))
            return skep_x__computed_no_memory(err);
        skep_x__andnot(&rest, &v.present);
    }
    return SKEP_OK;
}

/* The list of the expression's texts, whose numbers are the codes. */
static skep_rc texts_of(struct skep_x_ctx *c, struct skep_x_computed *k,
                        const struct skep_calc_vectors *vectors, skep_err *err)
{
    unsigned n = 0;
    const skep_str *texts = skep_calc_vectors_texts(vectors, &n);
    SKEP_TRY(skep_x__computed_list(c, k, VECTOR_SERIAL, n, err));
    for (unsigned i = 0; i < n; i++)
        k->list[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = texts[i]};
    return SKEP_OK;
}

/* The rows' values where others look for them. */
static void store(struct skep_x_computed *k, const struct skep_calc_vec *v, struct skep_sel sel)
{
    for (unsigned i = 0; v->type == SKEP_TYPE_INT && i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        k->i64[r] = v->ints[r];
    }
    for (unsigned i = 0; v->type == SKEP_TYPE_BOOL && i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        k->i64[r] = v->bools[r];
    }
    for (unsigned i = 0; v->type == SKEP_TYPE_DOUBLE && i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        k->f64[r] = v->doubles[r];
    }
    for (unsigned i = 0; v->type == SKEP_TYPE_STRING && i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        k->codes[r] = v->texts[r];
    }
}

skep_rc skep_x__compute_vectors(struct skep_x_ctx *c, struct skep_x_computed *k,
                                const struct skep_x_name *name, const struct skep_x_bits *in,
                                bool *ret_done, skep_err *err)
{
    unsigned n = name->computed->n_inputs;
    struct skep_calc_vec ret, *columns = skep_arena_try_alloc(&k->texts, (n + 1) * sizeof *columns);
    bool able = skep_x__count(in) >= c->n / FEW_SHARE;
    if (!columns)
        return skep_x__computed_no_memory(err);
    for (unsigned i = 0; i < n && able; i++)
        SKEP_TRY(input_of(c, k, name->inputs[i], in, &columns[i], &able, err));
    *ret_done = false;
    if (!able || !skep_calc_vectors_eval(name->vectors, columns, c->n, &k->texts, &ret))
        return SKEP_OK;
    bool text = ret.type == SKEP_TYPE_STRING;
    if (text && skep_x__any(&k->coded) && k->coded_how != SKEP_X_BY_VECTOR)
        return SKEP_OK;
    if (text)
        SKEP_TRY(texts_of(c, k, name->vectors, err));
    struct skep_x_bits present = *in;
    if (ret.present) {
        SKEP_UNINIT uint8_t bytes[SKEP_BLOCK_ROWS];
        memcpy(bytes, ret.present, c->n);
        memset(bytes + c->n, 0, SKEP_BLOCK_ROWS - c->n);
        struct skep_x_bits some;
        skep_x__pack(bytes, &some);
        skep_x__and(&present, &some);
    }
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    if (ret.type != SKEP_TYPE_NULL && skep_x__any(&present)) {
        store(k, &ret, skep_x__rows(&present, c->n, rows));
        skep_x__or(text ? &k->coded : &k->of_type[ret.type], &present);
        k->coded_how = text ? SKEP_X_BY_VECTOR : k->coded_how;
    }
    skep_x__or(&k->done, in);
    *ret_done = true;
    return SKEP_OK;
}
