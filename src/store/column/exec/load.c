// SPDX-License-Identifier: Apache-2.0
/* Values of one source for the selected rows of a block.
 *
 * Nothing is copied where the column already has the right shape: an ordinary field's vector is
 * handed on as it is.  Views say how an intrinsic column reads (view.h); ids and times keep their
 * binary form so that tests and hashes can work on it, and become text only where text is needed.
 *
 * Threads: a context belongs to one thread.  Memory: scratch in the binding's arena. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"
#include "store/column/exec/exec_priv.h"

#include <stdio.h>

size_t skep_x__hex16(const skep_trace_id *id, char *out)
{
    bool short_id = true;
    for (int i = 0; i < 8; i++)
        short_id = short_id && id->b[i] == 0;
    skep_hex_encode((skep_bytes){id->b + (short_id ? 8 : 0), short_id ? 8 : 16}, out);
    return short_id ? 16 : 32;
}

size_t skep_x__hex8(uint64_t id, char *out)
{
    uint8_t b[8];
    memcpy(b, &id, sizeof b); /* the wire's bytes are the little-endian ones */
    skep_hex_encode((skep_bytes){b, sizeof b}, out);
    return 16;
}

static void put_digits(char *out, unsigned n, uint64_t v)
{
    while (n > 0) {
        out[--n] = (char)('0' + v % 10);
        v /= 10;
    }
}

/* Days since 1970 to a date (Howard Hinnant's algorithm). */
static void civil(int64_t days, int64_t *ret_y, unsigned *ret_m, unsigned *ret_d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned doe = (unsigned)(days - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *ret_d = doy - (153 * mp + 2) / 5 + 1;
    *ret_m = mp < 10 ? mp + 3 : mp - 9;
    *ret_y = (int64_t)yoe + era * 400 + (*ret_m <= 2 ? 1 : 0);
}

size_t skep_x__rfc3339(skep_ts_ns ns, char *out)
{
    int64_t day_ns = INT64_C(86400000000000);
    int64_t days = ns / day_ns, rest = ns % day_ns;
    if (rest < 0) {
        rest += day_ns;
        days--;
    }
    int64_t y = 0;
    unsigned m = 0, d = 0;
    civil(days, &y, &m, &d); /* 1677..2262 */
    memcpy(out, "0000-00-00T00:00:00.000000000Z", 30);
    uint64_t secs = (uint64_t)(rest / 1000000000);
    put_digits(out, 4, (uint64_t)y);
    put_digits(out + 5, 2, m);
    put_digits(out + 8, 2, d);
    put_digits(out + 11, 2, secs / 3600);
    put_digits(out + 14, 2, secs / 60 % 60);
    put_digits(out + 17, 2, secs % 60);
    put_digits(out + 20, 9, (uint64_t)(rest % 1000000000));
    return 30;
}

static struct skep_x_scratch *scratch_of(struct skep_x_ctx *c, struct skep_x_source *s)
{
    if (!s->scratch)
        s->scratch = skep_arena_try_alloc(&c->arena, sizeof *s->scratch);
    return s->scratch;
}

/* Keep in `bits` the rows whose pass byte is set. */
static void keep(struct skep_x_bits *bits, const uint8_t *pass)
{
    struct skep_x_bits p;
    skep_x__pack(pass, &p);
    skep_x__and(bits, &p);
}

static void keep_valid(struct skep_x_bits *bits, const struct skep_vec *v)
{
    if (v->none)
        memset(bits, 0, sizeof *bits);
    else if (v->valid)
        for (unsigned w = 0; w < (v->n + 63) / 64; w++)
            bits->w[w] &= v->valid[w];
}

static skep_rc from_vec(const struct skep_vec *v, enum skep_type type, struct skep_x_vals *ret,
                        skep_err *err)
{
    ret->type = type;
    ret->constant = v->constant;
    switch (v->form) {
    case SKEP_VEC_I64:
        ret->form = SKEP_X_I64;
        ret->i64 = v->i64;
        if (type == SKEP_TYPE_INT || type == SKEP_TYPE_BOOL || type == SKEP_TYPE_EMPTY)
            return SKEP_OK;
        break;
    case SKEP_VEC_F64:
        ret->form = SKEP_X_F64;
        ret->f64 = v->f64;
        if (type == SKEP_TYPE_DOUBLE)
            return SKEP_OK;
        break;
    case SKEP_VEC_DICT:
        ret->form = SKEP_X_DICT;
        ret->codes = v->codes;
        ret->dict = v->dict;
        if (v->dict &&
            (type == SKEP_TYPE_STRING || type == SKEP_TYPE_BYTES || type == SKEP_TYPE_ARRAY))
            return SKEP_OK;
        break;
    case SKEP_VEC_STR:
        ret->form = SKEP_X_STR;
        ret->str = v->str;
        if (type == SKEP_TYPE_STRING || type == SKEP_TYPE_BYTES || type == SKEP_TYPE_ARRAY)
            return SKEP_OK;
        break;
    case SKEP_VEC_ID16:
        ret->form = SKEP_X_ID16;
        ret->id16 = v->id16;
        if (type == SKEP_TYPE_STRING)
            return SKEP_OK;
        break;
    default: break;
    }
    return skep_fail(err, SKEP_ECORRUPT, "a column of type %d has form %d", (int)type,
                     (int)v->form);
}

static skep_rc load_field(struct skep_x_ctx *c, const struct skep_x_source *s,
                          struct skep_x_vals *ret, skep_err *err)
{
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__field(c, s->field, &v, err));
    keep_valid(&ret->present, v);
    return v->none ? SKEP_OK : from_vec(v, s->type, ret, err);
}

/* Keep rows where the integer column lies in [lo, hi] (or, inverted, outside). */
static void keep_range(const struct skep_vec *v, int64_t lo, int64_t hi, bool invert,
                       struct skep_x_bits *bits)
{
    if (v->constant) {
        if ((v->i64[0] >= lo && v->i64[0] <= hi) == invert)
            memset(bits, 0, sizeof *bits);
        return;
    }
    uint64_t in[SKEP_X_WORDS];
    skep_codec__bits_between(v->i64, v->n, lo, hi, in);
    for (unsigned w = 0; w < (v->n + 63) / 64; w++)
        bits->w[w] &= invert ? ~in[w] : in[w];
}

/* Do the bounds of the block's values say so? */
static bool none_negative(const struct skep_x_ctx *c, enum skep_column column)
{
    struct skep_colreader *r = c->cols[column]->reader;
    double lo = -1, hi = 0;
    return r->ops->zone && r->ops->zone(r, c->row0, c->n, &lo, &hi) && lo >= 0;
}

enum { FEW_ROWS = 4 };

/* One by one: what is left of a block is often less than a column's codes are worth unpacking. */
static bool each_between(struct skep_x_ctx *c, struct skep_colreader *r, int64_t lo, int64_t hi,
                         const struct skep_x_bits *in, struct skep_x_bits *ret)
{
    for (unsigned w = 0; w < SKEP_X_WORDS; w++)
        for (uint64_t left = in->w[w]; left; left &= left - 1) {
            uint64_t bit = 0;
            if (!r->ops->between(r, c->row0 + w * 64 + SKEP_CTZ64(left), 1, lo, hi, &bit))
                return false;
            ret->w[w] |= bit ? left & (0 - left) : 0;
        }
    return true;
}

bool skep_x__ints_between(struct skep_x_ctx *c, struct skep_colreader *r, int64_t lo, int64_t hi,
                          const struct skep_x_bits *in, struct skep_x_bits *ret)
{
    if (!r || !r->ops->between)
        return false;
    memset(ret, 0, sizeof *ret);
    if (skep_x__count(in) <= FEW_ROWS)
        return each_between(c, r, lo, hi, in, ret);
    if (!r->ops->between(r, c->row0, c->n, lo, hi, ret->w))
        return false;
    skep_x__and(ret, in);
    return true;
}

bool skep_x__between(struct skep_x_ctx *c, enum skep_column col, int64_t lo, int64_t hi,
                     struct skep_x_bits *bits, skep_err *err)
{
    struct skep_x_bits some;
    if (!skep_x__ints_between(c, skep_x__column_reader(c, col, err), lo, hi, bits, &some))
        return false;
    *bits = some;
    return true;
}

skep_rc skep_x__keep_kinds(struct skep_x_ctx *c, uint32_t kinds, struct skep_x_bits *bits,
                           skep_err *err)
{
    uint32_t all = (1u << SKEP_KIND_COUNT) - 2;
    if ((kinds & all) == all)
        return SKEP_OK;
    unsigned first = SKEP_CTZ64((uint64_t)(kinds & all) | 1ull << 63);
    unsigned end = first + SKEP_POPCOUNT64(kinds & all);
    bool neighbours =
        first < 63 && kinds & all && (kinds & all) >> first == (1u << (end - first)) - 1;
    if (neighbours && skep_x__between(c, SKEP_COL_KIND, first, (int64_t)end - 1, bits, err))
        return SKEP_OK;
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__column(c, SKEP_COL_KIND, &v, err));
    keep_valid(bits, v);
    if (v->none)
        return SKEP_OK;
    if (v->constant) {
        if (!(kinds >> ((uint64_t)v->i64[0] & 31) & 1))
            memset(bits, 0, sizeof *bits);
        return SKEP_OK;
    }
    SKEP_UNINIT uint8_t pass[SKEP_BLOCK_ROWS];
    for (unsigned r = 0; r < v->n; r++)
        pass[r] = kinds >> ((uint64_t)v->i64[r] & 31) & 1;
    memset(pass + v->n, 0, SKEP_BLOCK_ROWS - v->n);
    keep(bits, pass);
    return SKEP_OK;
}

static void keep_ids(const struct skep_vec *v, struct skep_x_bits *bits)
{
    static const skep_trace_id none;
    if (v->constant) {
        if (memcmp(v->id16, &none, sizeof none) == 0)
            memset(bits, 0, sizeof *bits);
        return;
    }
    SKEP_UNINIT uint8_t pass[SKEP_BLOCK_ROWS];
    for (unsigned r = 0; r < v->n; r++) {
        uint64_t a, b;
        memcpy(&a, v->id16[r].b, 8);
        memcpy(&b, v->id16[r].b + 8, 8);
        pass[r] = (a | b) != 0;
    }
    memset(pass + v->n, 0, SKEP_BLOCK_ROWS - v->n);
    keep(bits, pass);
}

static bool dict_is_full(struct skep_x_source *s, const struct skep_dict *d)
{
    if (s->full_serial != d->serial) {
        s->full_serial = d->serial;
        s->full = true;
        for (uint32_t i = 0; i < d->n; i++)
            s->full = s->full && d->offsets[i] != d->offsets[i + 1];
    }
    return s->full;
}

/* Keep rows whose text is not empty. */
static void keep_texts(struct skep_x_source *s, const struct skep_x_vals *v, unsigned n,
                       struct skep_x_bits *bits)
{
    if (v->form == SKEP_X_DICT && dict_is_full(s, v->dict))
        return;
    if (v->constant) {
        size_t len = v->form == SKEP_X_DICT ? skep_dict_str(v->dict, v->codes[0]).n : v->str[0].n;
        if (len == 0)
            memset(bits, 0, sizeof *bits);
        return;
    }
    SKEP_UNINIT uint8_t pass[SKEP_BLOCK_ROWS];
    if (v->form == SKEP_X_DICT) {
        const uint32_t *at = v->dict->offsets;
        for (unsigned r = 0; r < n; r++)
            pass[r] = at[v->codes[r]] != at[v->codes[r] + 1];
    } else {
        for (unsigned r = 0; r < n; r++)
            pass[r] = v->str[r].n != 0;
    }
    memset(pass + n, 0, SKEP_BLOCK_ROWS - n);
    keep(bits, pass);
}

/* Are all codes list indexes? */
SKEP_CLONES static bool codes_below(const int64_t *codes, unsigned n, uint32_t n_list)
{
    uint64_t bad = 0;
    for (unsigned r = 0; r < n; r++) /* below zero or at least n_list: the difference is >= 0 */
        bad |= (uint64_t)codes[r] | ~((uint64_t)codes[r] - n_list);
    return !(bad >> 63);
}

static skep_rc load_codes(const struct skep_x_source *s, const struct skep_vec *v, unsigned n,
                          struct skep_x_vals *ret)
{
    ret->form = SKEP_X_CODES;
    ret->type = SKEP_TYPE_NULL;
    ret->constant = v->constant;
    ret->i64 = v->i64;
    ret->list = s->list;
    ret->n_list = s->n_list;
    unsigned m = v->constant ? 1 : n;
    if (s->complete && codes_below(v->i64, m, s->n_list))
        return SKEP_OK;
    SKEP_UNINIT uint8_t pass[SKEP_BLOCK_ROWS];
    for (unsigned r = 0; r < m; r++) {
        uint64_t code = (uint64_t)v->i64[r];
        pass[r] = code < s->n_list && s->list[code].type != SKEP_TYPE_NULL;
    }
    if (v->constant) {
        if (!pass[0])
            memset(&ret->present, 0, sizeof ret->present);
        return SKEP_OK;
    }
    memset(pass + n, 0, SKEP_BLOCK_ROWS - n);
    keep(&ret->present, pass);
    return SKEP_OK;
}

static skep_rc load_row_ids(struct skep_x_ctx *c, struct skep_x_source *s, struct skep_x_vals *ret,
                            skep_err *err)
{
    struct skep_x_scratch *sc = scratch_of(c, s);
    if (!sc)
        return skep_fail(err, SKEP_ENOMEM, "query: out of memory");
    int64_t buf[SKEP_BLOCK_ROWS];
    const int64_t *seq = NULL, *ordinal = NULL;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_SEQ, sc->i64, &seq, err));
    SKEP_TRY(skep_x__ints(c, SKEP_COL_ORDINAL, buf, &ordinal, err));
    for (unsigned r = 0; r < c->n; r++) {
        if (!skep_x__has(&ret->present, r))
            continue;
        int n = snprintf(sc->text[r], sizeof sc->text[r], "%llu-%llu", (unsigned long long)seq[r],
                         (unsigned long long)ordinal[r]);
        sc->str[r] = (skep_str){sc->text[r], (size_t)n};
    }
    ret->form = SKEP_X_STR;
    ret->type = SKEP_TYPE_STRING;
    ret->str = sc->str;
    return SKEP_OK;
}

/* true where the column equals arg (BOOL_EQ: else absent), or is zero (IS_ROOT: else false). */
static skep_rc load_bool(struct skep_x_ctx *c, struct skep_x_source *s, const struct skep_vec *v,
                         struct skep_x_vals *ret, skep_err *err)
{
    static const int64_t yes = 1;
    ret->form = SKEP_X_I64;
    ret->type = SKEP_TYPE_BOOL;
    if (s->view->how == SKEP_VIEW_BOOL_EQ) {
        keep_range(v, s->view->arg, s->view->arg, false, &ret->present);
        ret->constant = true;
        ret->i64 = &yes;
        return SKEP_OK;
    }
    struct skep_x_scratch *sc = scratch_of(c, s);
    if (!sc)
        return skep_fail(err, SKEP_ENOMEM, "query: out of memory");
    for (unsigned r = 0; r < v->n; r++)
        sc->i64[r] = v->i64[v->constant ? 0 : r] == 0;
    ret->constant = v->constant;
    ret->i64 = sc->i64;
    return SKEP_OK;
}

static skep_rc load_view(struct skep_x_ctx *c, struct skep_x_source *s, struct skep_x_vals *ret,
                         skep_err *err)
{
    const struct skep_view *view = s->view;
    if (view->how != SKEP_VIEW_MS) /* rows of other kinds have the duration -1: absent */
        SKEP_TRY(skep_x__keep_kinds(c, view->kinds, &ret->present, err));
    if (view->how == SKEP_VIEW_ROW_ID)
        return load_row_ids(c, s, ret, err);
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__column(c, view->column, &v, err));
    keep_valid(&ret->present, v);
    if (v->none)
        return SKEP_OK;
    bool text = view->how == SKEP_VIEW_STRING || view->how == SKEP_VIEW_HEX16;
    SKEP_TRY(from_vec(v, text ? SKEP_TYPE_STRING : SKEP_TYPE_INT, ret, err));
    switch (view->how) {
    case SKEP_VIEW_HEX16:
        if (ret->form != SKEP_X_ID16)
            return skep_fail(err, SKEP_ECORRUPT, "trace ids have another form");
        keep_ids(v, &ret->present);
        return SKEP_OK;
    case SKEP_VIEW_HEX8:
        ret->form = SKEP_X_ID8;
        ret->type = SKEP_TYPE_STRING;
        keep_range(v, 0, 0, true, &ret->present);
        return SKEP_OK;
    case SKEP_VIEW_STRING: keep_texts(s, ret, v->n, &ret->present); return SKEP_OK;
    case SKEP_VIEW_INT: return SKEP_OK;
    case SKEP_VIEW_MS:
        ret->form = SKEP_X_NS;
        ret->type = SKEP_TYPE_DOUBLE;
        if (!none_negative(c, view->column))
            keep_range(v, 0, INT64_MAX, false, &ret->present);
        return SKEP_OK;
    case SKEP_VIEW_ENUM: return load_codes(s, v, v->n, ret);
    case SKEP_VIEW_BOOL_EQ:
    case SKEP_VIEW_IS_ROOT: return load_bool(c, s, v, ret, err);
    case SKEP_VIEW_TIMESTAMP: ret->form = SKEP_X_TIME; return SKEP_OK;
    case SKEP_VIEW_ROW_ID:
    default: return skep_fail(err, SKEP_EINTERNAL, "unknown view");
    }
}

skep_rc skep_x__load(struct skep_x_ctx *c, struct skep_x_source *s, const struct skep_x_bits *in,
                     struct skep_x_vals *ret, skep_err *err)
{
    *ret = (struct skep_x_vals){.present = *in};
    switch (s->kind) {
    case SKEP_X_FIELD: return load_field(c, s, ret, err);
    case SKEP_X_VIEW: return load_view(c, s, ret, err);
    case SKEP_X_COMPUTED: return skep_x__load_computed(c, s, in, ret, err);
    case SKEP_X_LISTED:
    case SKEP_X_LIST_ANY: break;
    default: break;
    }
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__column(c, s->column, &v, err));
    if (!v->none && v->form != SKEP_VEC_I64)
        return skep_fail(err, SKEP_ECORRUPT, "column %d is not made of integers", (int)s->column);
    keep_valid(&ret->present, v);
    if (v->none)
        return SKEP_OK;
    if (s->kind == SKEP_X_LISTED)
        return load_codes(s, v, v->n, ret);
    ret->form = SKEP_X_CODES;
    ret->constant = v->constant;
    ret->i64 = v->i64;
    ret->n_list = s->lists->n;
    return SKEP_OK;
}

bool skep_x__presence(struct skep_x_ctx *c, const struct skep_x_source *s,
                      const struct skep_x_bits *in, struct skep_x_bits *ret, skep_err *err)
{
    struct skep_colreader *r =
        s->kind == SKEP_X_FIELD ? skep_x__field_reader(c, s->field, err) : NULL;
    memset(ret, 0, sizeof *ret);
    if (!r || !r->ops->present || !r->ops->present(r, c->row0, c->n, ret->w))
        return false;
    skep_x__and(ret, in);
    return true;
}

skep_value skep_x__value(const struct skep_x_vals *v, unsigned row, char *buf)
{
    unsigned at = v->constant ? 0 : row;
    skep_value x = {.type = v->type};
    switch (v->form) {
    case SKEP_X_I64:
        if (v->type == SKEP_TYPE_BOOL)
            x.b = v->i64[at] != 0;
        else if (v->type == SKEP_TYPE_INT)
            x.i = v->i64[at];
        return x;
    case SKEP_X_F64: x.f = v->f64[at]; return x;
    case SKEP_X_NS: x.f = (double)v->i64[at] / 1e6; return x;
    case SKEP_X_DICT: x.s = skep_dict_str(v->dict, v->codes[at]); return x;
    case SKEP_X_STR: x.s = v->str[at]; return x;
    case SKEP_X_ID16: x.s = (skep_str){buf, skep_x__hex16(&v->id16[at], buf)}; return x;
    case SKEP_X_ID8: x.s = (skep_str){buf, skep_x__hex8((uint64_t)v->i64[at], buf)}; return x;
    case SKEP_X_TIME:
        x.type = SKEP_TYPE_STRING;
        x.s = (skep_str){buf, skep_x__rfc3339(v->i64[at], buf)};
        return x;
    case SKEP_X_CODES:
    default: skep_assert(v->list && (uint64_t)v->i64[at] < v->n_list); return v->list[v->i64[at]];
    }
}

enum skep_scope skep_x__source_scope(const struct skep_x_ctx *c, const struct skep_x_source *s)
{
    if (s->kind == SKEP_X_FIELD)
        return (enum skep_scope)c->rs->fields[s->field].scope;
    if (s->kind == SKEP_X_VIEW || s->kind == SKEP_X_COMPUTED)
        return SKEP_SCOPE_INTRINSIC;
    return s->column == SKEP_COL_RESOURCE ? SKEP_SCOPE_RESOURCE : SKEP_SCOPE_INSTRUMENTATION;
}

skep_rc skep_x__row_value(struct skep_x_ctx *c, uint32_t name, unsigned row, char *buf,
                          skep_value *ret, enum skep_scope *ret_scope, skep_err *err)
{
    const struct skep_x_bound *b = skep_x__sources(c, name);
    struct skep_x_bits one = {{0}};
    one.w[row / 64] = 1ull << (row % 64);
    *ret = (skep_value){.type = SKEP_TYPE_NULL};
    *ret_scope = SKEP_SCOPE_ATTRIBUTE;
    for (unsigned i = 0; i < b->n; i++) {
        struct skep_x_vals v;
        SKEP_TRY(skep_x__load(c, &b->sources[i], &one, &v, err));
        if (!skep_x__has(&v.present, row))
            continue;
        *ret = skep_x__value(&v, row, buf);
        *ret_scope = skep_x__source_scope(c, &b->sources[i]);
        return SKEP_OK;
    }
    return SKEP_OK;
}
