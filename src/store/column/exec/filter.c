// SPDX-License-Identifier: Apache-2.0
/* Filters over blocks: an expression narrows a bitmap of rows.
 *
 *   AND   narrows (conjunct.c)        OR   adds what each operand finds in the rest
 *   NOT   takes away                  TEST walks the sources of its name
 *
 * A test of texts is evaluated once per distinct value (memo by dictionary code), one of a list
 * once per list, one of a constant column once per block; numbers are compared against intervals in
 * plain loops the compiler vectorises.
 *
 * I1  The result is a subset of the rows given.
 * I2  A negative operator is the complement of its positive twin within the rows given, so rows
 *     without the field pass it.
 *
 * Threads: a context belongs to one thread.  Memory: memos from the query's budget. */
#include "base/assert.h"

#include "base/mem.h"
#include "plan/compare.h"
#include "store/column/codec/codec.h"
#include "store/column/exec/exec_priv.h"
#include <stdatomic.h>

void skep_x__pack(const uint8_t *pass, struct skep_x_bits *ret)
{
    for (int w = 0; w < SKEP_X_WORDS; w++) {
        uint64_t bits = 0;
        for (int i = 0; i < 8; i++) {
            uint64_t eight;
            memcpy(&eight, pass + w * 64 + i * 8, 8);
            /* Bytes are 0 or 1: gather the eight of them into the top byte. */
            bits |= (eight * 0x0102040810204080ull >> 56) << (i * 8);
        }
        ret->w[w] = bits;
    }
}

/* Places of the set bits of each byte, lowest first; the rest is 0. */
#define BIT(b, k) ((b) >> (k)&1)
#define BELOW(b, k)                                                                                \
    (((k) > 0 && BIT(b, 0)) + ((k) > 1 && BIT(b, 1)) + ((k) > 2 && BIT(b, 2)) +                    \
     ((k) > 3 && BIT(b, 3)) + ((k) > 4 && BIT(b, 4)) + ((k) > 5 && BIT(b, 5)) +                    \
     ((k) > 6 && BIT(b, 6)))
#define IS(b, k, j) (BIT(b, k) && BELOW(b, k) == (j) ? (k) : 0)
#define PLACE(b, j)                                                                                \
    (IS(b, 1, j) + IS(b, 2, j) + IS(b, 3, j) + IS(b, 4, j) + IS(b, 5, j) + IS(b, 6, j) +           \
     IS(b, 7, j))
#define PLACES(b)                                                                                  \
    {                                                                                              \
        PLACE(b, 0), PLACE(b, 1), PLACE(b, 2), PLACE(b, 3), PLACE(b, 4), PLACE(b, 5), PLACE(b, 6), \
            PLACE(b, 7)                                                                            \
    }
#define PLACES4(b)  PLACES(b), PLACES((b) + 1), PLACES((b) + 2), PLACES((b) + 3)
#define PLACES16(b) PLACES4(b), PLACES4((b) + 4), PLACES4((b) + 8), PLACES4((b) + 12)
#define PLACES64(b) PLACES16(b), PLACES16((b) + 16), PLACES16((b) + 32), PLACES16((b) + 48)
static const uint16_t places[256][8] = {PLACES64(0), PLACES64(64), PLACES64(128), PLACES64(192)};

/* A byte at a time: eight numbers are stored at once, as many as there are bits are kept. */
SKEP_CLONES static unsigned list_rows(const uint64_t *words, uint16_t *rows)
{
    unsigned n = 0;
    for (unsigned w = 0; w < SKEP_X_WORDS; w++) {
        if (words[w] == 0)
            continue;
        for (unsigned b = 0; b < 8; b++) {
            SKEP_UNINIT uint16_t p[8]; /* apart from rows[], so that one instruction adds all */
            memcpy(p, places[words[w] >> b * 8 & 0xff], sizeof p);
            for (unsigned j = 0; j < 8; j++)
                p[j] = (uint16_t)(p[j] + w * 64 + b * 8);
            memcpy(rows + n, p, sizeof p); /* n <= w * 64 + b * 8: there is room for eight */
            n += SKEP_POPCOUNT64(words[w] >> b * 8 & 0xff);
        }
    }
    return n;
}

struct skep_sel skep_x__rows(const struct skep_x_bits *b, unsigned n_block, uint16_t *rows)
{
    unsigned w = 0;
    while (w < n_block / 64 && b->w[w] == UINT64_MAX)
        w++;
    if (w == n_block / 64 && (n_block % 64 == 0 || b->w[w] == (1ull << n_block % 64) - 1))
        return (struct skep_sel){n_block, NULL};
    return (struct skep_sel){list_rows(b->w, rows), rows};
}

skep_rc skep_x__memo(struct skep_x_ctx *c, struct skep_x_memo *m, uint64_t serial, uint32_t n)
{
    if (m->serial == serial && m->n == n)
        return SKEP_OK;
    if (n > m->cap) {
        SKEP_TRY(skep_x__take(c->q, (uint64_t)(n - m->cap) * sizeof *m->v));
        skep_free(m->v);
        m->v = skep_alloc_n(uint32_t, n);
        m->cap = n;
    } else if (n > 0) {
        memset(m->v, 0, n * sizeof *m->v);
    }
    m->serial = serial;
    m->n = n;
    return SKEP_OK;
}

void skep_x__memo_done(struct skep_x_ctx *c, struct skep_x_memo *m)
{
    skep_x__give(c->q, (uint64_t)m->cap * sizeof *m->v);
    skep_free(m->v);
    *m = (struct skep_x_memo){0};
}

struct skep_x_memo *skep_x__nth_memo(struct skep_x_memo **memos, unsigned *n, unsigned at)
{
    if (at >= *n) {
        unsigned more = at + 4;
        *memos = skep_realloc(*memos, more * sizeof **memos);
        memset(*memos + *n, 0, (more - *n) * sizeof **memos);
        *n = more;
    }
    return &(*memos)[at];
}

SKEP_CLONES static void ints_between(const int64_t *v, unsigned n, int64_t lo, int64_t hi,
                                     uint8_t *pass)
{
    for (unsigned r = 0; r < n; r++)
        pass[r] |= (uint8_t)((v[r] >= lo) & (v[r] <= hi));
}

SKEP_CLONES static void doubles_between(const double *v, unsigned n, double lo, double hi,
                                        uint8_t *pass)
{
    for (unsigned r = 0; r < n; r++)
        pass[r] |= (uint8_t)((v[r] >= lo) & (v[r] <= hi));
}

enum { MANY_SPANS = 16 };

/* Is v in one of many disjoint intervals? */
static uint8_t in_spans(int64_t v, const struct skep_x_span *s, unsigned n)
{
    unsigned lo = 0, hi = n;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (s[mid].hi < v)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && s[lo].lo <= v;
}

static void match_ints(const int64_t *v, unsigned n, const struct skep_x_span *s, unsigned n_spans,
                       uint8_t *pass)
{
    if (n_spans > MANY_SPANS) {
        for (unsigned r = 0; r < n; r++)
            pass[r] = in_spans(v[r], s, n_spans);
        return;
    }
    for (unsigned i = 0; i < n_spans; i++)
        ints_between(v, n, s[i].lo, s[i].hi, pass);
}

/* Does the string pass?  The common exact equality is done here, all else by compare.h. */
static bool string_passes(const struct skep_x_test *x, skep_str s, uint64_t hash, bool has_hash)
{
    if (x->str_eq) {
        for (unsigned i = 0; i < x->n_strs; i++)
            if ((!has_hash || x->hashes[i] == hash) && skep_str_eq(x->strs[i], s))
                return true;
        return false;
    }
    return skep_value_passes(x->t, &(skep_value){.type = SKEP_TYPE_STRING, .s = s});
}

bool skep_x__text_passes(const struct skep_x_test *x, skep_str s)
{
    return string_passes(x, s, 0, false);
}

static bool text_passes(const struct skep_x_test *x, enum skep_type type, skep_str s, uint64_t hash,
                        bool has_hash)
{
    if (type == SKEP_TYPE_STRING)
        return string_passes(x, s, hash, has_hash);
    return skep_value_passes(x->t, &(skep_value){.type = type, .s = s});
}

static SKEP_NOINLINE uint32_t new_dict_answer(const struct skep_x_test *x,
                                              const struct skep_x_vals *v, struct skep_x_memo *m,
                                              uint32_t code)
{
    bool has_hash = v->dict->hashes != NULL;
    m->v[code] = 1 + (uint32_t)text_passes(x, v->type, skep_dict_str(v->dict, code),
                                           has_hash ? v->dict->hashes[code] : 0, has_hash);
    return m->v[code];
}

static inline uint8_t dict_answer(const struct skep_x_test *x, const struct skep_x_vals *v,
                                  struct skep_x_memo *m, uint32_t code)
{
    uint32_t known = m->v[code];
    if (SKEP_UNLIKELY(known == 0))
        known = new_dict_answer(x, v, m, code);
    return (uint8_t)(known - 1);
}

bool skep_x__list_passes(const struct skep_x_test *x, const struct skep_rowset_lists *l,
                         uint32_t list)
{
    for (uint32_t e = l->first[list]; e < l->first[list + 1]; e++) {
        const skep_value *v = &l->entries[e].value;
        if ((v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_ARRAY) &&
            skep_value_passes(x->t, v))
            return true;
    }
    return false;
}

static SKEP_NOINLINE uint32_t new_code_answer(const struct skep_x_test *x,
                                              const struct skep_x_source *s,
                                              const struct skep_x_vals *v, struct skep_x_memo *m,
                                              uint64_t code)
{
    m->v[code] =
        1 + (uint32_t)(s->kind == SKEP_X_LIST_ANY ? skep_x__list_passes(x, s->lists, (uint32_t)code)
                                                  : skep_value_passes(x->t, &v->list[code]));
    return m->v[code];
}

static inline uint8_t code_answer(const struct skep_x_test *x, const struct skep_x_source *s,
                                  const struct skep_x_vals *v, struct skep_x_memo *m, int64_t code)
{
    if (SKEP_UNLIKELY((uint64_t)code >= v->n_list))
        return 0;
    uint32_t known = m->v[code];
    if (SKEP_UNLIKELY(known == 0))
        known = new_code_answer(x, s, v, m, (uint64_t)code);
    return (uint8_t)(known - 1);
}

static skep_rc match_memo(struct skep_x_ctx *c, const struct skep_x_test *x,
                          const struct skep_x_source *s, const struct skep_x_vals *v,
                          struct skep_x_memo *m, uint8_t *pass)
{
    bool dict = v->form == SKEP_X_DICT;
    skep_rc rc = skep_x__memo(c, m, skep_x__serial(c, v), dict ? v->dict->n : v->n_list);
    if (rc != SKEP_OK)
        return rc;
    if (v->constant) {
        pass[0] = dict ? dict_answer(x, v, m, v->codes[0]) : code_answer(x, s, v, m, v->i64[0]);
        return SKEP_OK;
    }
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(&v->present, c->n, rows);
    for (unsigned i = 0; dict && i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        pass[r] = dict_answer(x, v, m, v->codes[r]);
    }
    for (unsigned i = 0; !dict && i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        pass[r] = code_answer(x, s, v, m, v->i64[r]);
    }
    return SKEP_OK;
}

static bool id_passes(const struct skep_x_test *x, const struct skep_trace_id *id)
{
    if (x->str_eq) {
        for (unsigned i = 0; i < x->n_ids; i++)
            if (memcmp(&x->ids[i], id, sizeof *id) == 0)
                return true;
        return false;
    }
    char text[40];
    return skep_value_passes(
        x->t, &(skep_value){.type = SKEP_TYPE_STRING, .s = {text, skep_x__hex16(id, text)}});
}

static bool span_id_passes(const struct skep_x_test *x, uint64_t id)
{
    if (x->str_eq) {
        for (unsigned i = 0; i < x->n_spans; i++)
            if (x->span_ids[i] == id)
                return true;
        return false;
    }
    char text[40];
    return skep_value_passes(
        x->t, &(skep_value){.type = SKEP_TYPE_STRING, .s = {text, skep_x__hex8(id, text)}});
}

static void match_each(struct skep_x_ctx *c, const struct skep_x_test *x,
                       const struct skep_x_vals *v, uint8_t *pass)
{
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(&v->present, c->n, rows);
    unsigned n = v->constant ? 1 : sel.n;
    for (unsigned i = 0; i < n; i++) {
        unsigned r = v->constant ? 0 : sel.rows ? sel.rows[i] : i;
        if (v->form == SKEP_X_ID16) {
            pass[r] = id_passes(x, &v->id16[r]);
        } else if (v->form == SKEP_X_ID8) {
            pass[r] = span_id_passes(x, (uint64_t)v->i64[r]);
        } else if (v->form == SKEP_X_STR) {
            pass[r] = text_passes(x, v->type, v->str[r], 0, false);
        } else { /* EMPTY: whatever the operator makes of it */
            char none[1];
            skep_value value = skep_x__value(v, r, none);
            pass[r] = skep_value_passes(x->t, &value);
        }
    }
}

/* Rows of v->present that pass the positive form of the test. */
static skep_rc match(struct skep_x_ctx *c, const struct skep_x_test *x,
                     const struct skep_x_source *s, const struct skep_x_vals *v,
                     struct skep_x_memo *m, struct skep_x_bits *ret)
{
    *ret = v->present;
    if (x->exists)
        return SKEP_OK;
    SKEP_UNINIT uint8_t pass[SKEP_BLOCK_ROWS];
    unsigned n = v->constant ? 1 : c->n;
    memset(pass, 0, sizeof pass);
    if (v->form == SKEP_X_DICT || v->form == SKEP_X_CODES) {
        SKEP_TRY(match_memo(c, x, s, v, m, pass));
    } else if (v->form == SKEP_X_NS) {
        match_ints(v->i64, n, x->ns, x->n_ns, pass);
    } else if (v->form == SKEP_X_TIME || (v->form == SKEP_X_I64 && v->type == SKEP_TYPE_INT)) {
        match_ints(v->i64, n, x->ints, x->n_ints, pass);
    } else if (v->form == SKEP_X_F64) {
        for (unsigned i = 0; i < x->n_doubles; i++)
            doubles_between(v->f64, n, x->doubles[i].lo, x->doubles[i].hi, pass);
    } else if (v->form == SKEP_X_I64 && v->type == SKEP_TYPE_BOOL) {
        uint8_t as[2];
        for (int b = 0; b < 2; b++)
            as[b] = skep_value_passes(x->t, &(skep_value){.type = SKEP_TYPE_BOOL, .b = b});
        for (unsigned r = 0; r < n; r++)
            pass[r] = as[v->i64[r] != 0];
    } else {
        match_each(c, x, v, pass);
    }
    if (v->constant) {
        if (!pass[0])
            memset(ret, 0, sizeof *ret);
        return SKEP_OK;
    }
    struct skep_x_bits bits;
    skep_x__pack(pass, &bits);
    skep_x__and(ret, &bits);
    return SKEP_OK;
}

static skep_rc test_any(struct skep_x_ctx *c, uint32_t at, const struct skep_x_bits *in,
                        struct skep_x_bits *out, skep_err *err)
{
    const struct skep_x_test *x = &c->q->tests[at];
    const struct skep_x_bound *b = skep_x__sources(c, SKEP_X_ANY_FIELD);
    struct skep_x_bits rest = *in;
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < b->n && skep_x__any(&rest); i++) {
        struct skep_x_vals v;
        struct skep_x_bits hit;
        /* No source hides another one here: what passes in any of them passes. */
        if (!skep_x__direct(c, x, &b->sources[i], &rest, &hit, err)) {
            SKEP_TRY(skep_x__load(c, &b->sources[i], &rest, &v, err));
            if (!skep_x__any(&v.present))
                continue;
            struct skep_x_memo *m = skep_x__nth_memo(&c->test_memos[at], &c->n_test_memos[at], i);
            SKEP_TRY(match(c, x, &b->sources[i], &v, m, &hit));
        }
        skep_x__or(out, &hit);
        skep_x__andnot(&rest, &hit);
    }
    return SKEP_OK;
}

static skep_rc test_name(struct skep_x_ctx *c, uint32_t at, const struct skep_x_bits *in,
                         struct skep_x_bits *out, skep_err *err)
{
    const struct skep_x_test *x = &c->q->tests[at];
    const struct skep_x_bound *b = skep_x__sources(c, x->name);
    struct skep_x_bits rest = *in;
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < b->n && skep_x__any(&rest); i++) {
        struct skep_x_source *s = &b->sources[i];
        struct skep_x_vals v;
        struct skep_x_bits hit;
        /* For the last source it does not matter any more which rows have a value. */
        if (i + 1 == b->n && skep_x__direct(c, x, s, &rest, &hit, err)) {
            skep_x__or(out, &hit);
            break;
        }
        if (i + 1 == b->n && skep_x__source_none(c, at, s, c->row0, c->n, err))
            break;
        SKEP_TRY(skep_x__load(c, s, &rest, &v, err));
        if (!skep_x__any(&v.present))
            continue;
        struct skep_x_memo *m = skep_x__nth_memo(&c->test_memos[at], &c->n_test_memos[at], i);
        SKEP_TRY(match(c, x, s, &v, m, &hit));
        skep_x__or(out, &hit);
        skep_x__andnot(&rest, &v.present);
    }
    return SKEP_OK;
}

static skep_rc filter_test(struct skep_x_ctx *c, uint32_t at, struct skep_x_bits *bits,
                           skep_err *err)
{
    const struct skep_x_test *x = &c->q->tests[at];
    struct skep_x_bits out;
    if (x->name == SKEP_X_ANY_FIELD)
        SKEP_TRY(test_any(c, at, bits, &out, err));
    else
        SKEP_TRY(test_name(c, at, bits, &out, err));
    const struct skep_matcher *m = x->t->matcher;
    if (m && atomic_load_explicit(&m->gave_up, memory_order_relaxed))
        return skep_fail(err, SKEP_ELIMIT, "matching %.*s takes too long: write it more simply",
                         (int)SKEP_MIN(x->t->values[0].s.n, (size_t)80), x->t->values[0].s.p);
    if (x->negative)
        skep_x__andnot(bits, &out);
    else
        *bits = out;
    return SKEP_OK;
}

static skep_rc filter_expr(struct skep_x_ctx *c, const struct skep_x_expr *e,
                           struct skep_x_bits *bits, skep_err *err)
{
    struct skep_x_bits rest = *bits, some;
    switch (e->op) {
    case SKEP_EXPR_TEST: return filter_test(c, e->test, bits, err);
    case SKEP_EXPR_AND: return skep_x__filter_and(c, e, bits, err);
    case SKEP_EXPR_OR:
        for (unsigned i = 0; i < e->n_kids && skep_x__any(&rest); i++) {
            some = rest;
            SKEP_TRY(skep_x__filter(c, e->kids[i], &some, err));
            skep_x__andnot(&rest, &some);
        }
        skep_x__andnot(bits, &rest);
        return SKEP_OK;
    case SKEP_EXPR_NOT:
        some = rest;
        SKEP_TRY(skep_x__filter(c, e->kids[0], &some, err));
        skep_x__andnot(bits, &some);
        return SKEP_OK;
    case SKEP_EXPR_RELATED: skep_x__related(c, e->test, bits); return SKEP_OK;
    case SKEP_EXPR_LASTS:
    case SKEP_EXPR_SAME: /* compiled to RELATED */
    case SKEP_EXPR_TRUE:
    default: return SKEP_OK;
    }
}

enum { SHARED_MANY = 16 };

/* Room for what the expression said of the block: of all blocks of a window, else of the last. */
static struct skep_x_said *said(struct skep_x_ctx *c, const struct skep_x_expr *e)
{
    uint64_t at = skep_x__window_at(c);
    struct skep_x_said *s = &c->said[e->shared * c->said_blocks + (at < c->said_blocks ? at : 0)];
    if (s->window != c->window_serial + 1 || s->row0 != c->row0 || s->set != c->set || s->n != c->n)
        *s = (struct skep_x_said){
            .window = c->window_serial + 1, .row0 = c->row0, .set = c->set, .n = c->n};
    return s;
}

/* The same, by what it said of this block before. */
static skep_rc filter_shared(struct skep_x_ctx *c, const struct skep_x_expr *e,
                             struct skep_x_bits *bits, skep_err *err)
{
    struct skep_x_said *s = said(c, e);
    struct skep_x_bits fresh = *bits, asked = *bits;
    skep_x__andnot(&fresh, &s->asked);
    if (skep_x__any(&fresh)) {
        /* Of a window's rows those not asked for now are asked for later: all cost hardly more. */
        if (skep_x__window_at(c) != UINT64_MAX && skep_x__count(&fresh) > c->n / SHARED_MANY) {
            skep_x__live(c, &asked);
            fresh = asked;
            skep_x__andnot(&fresh, &s->asked);
        }
        skep_x__or(&asked, &s->asked);
        SKEP_TRY(filter_expr(c, e, &fresh, err));
        skep_x__or(&s->passed, &fresh);
        s->asked = asked;
    }
    skep_x__and(bits, &s->passed);
    return SKEP_OK;
}

/* Recursion is bounded by SKEP_LIMIT_PLAN_DEPTH. */
skep_rc skep_x__filter(struct skep_x_ctx *c, const struct skep_x_expr *e, struct skep_x_bits *bits,
                       skep_err *err)
{
    if (!e || e->op == SKEP_EXPR_TRUE || !skep_x__any(bits))
        return SKEP_OK;
    return e->shared > 0 ? filter_shared(c, e, bits, err) : filter_expr(c, e, bits, err);
}

skep_rc skep_x__filter_block(struct skep_x_ctx *c, struct skep_x_bits *bits, skep_err *err)
{
    if (!c->q->filter || skep_x__known_narrow(c, bits))
        return SKEP_OK;
    struct skep_x_bits asked = *bits;
    if (skep_x__none(c, c->q->filter, c->row0, c->n))
        memset(bits, 0, sizeof *bits);
    else
        SKEP_TRY(skep_x__filter(c, c->q->filter, bits, err));
    skep_x__known_note(c, &asked, bits);
    return SKEP_OK;
}

skep_rc skep_x__in_range(struct skep_x_ctx *c, struct skep_x_bits *bits, skep_err *err)
{
    const struct skep_time_range *t = &c->q->plan->range;
    const struct skep_block_bounds *b = &c->rs->blocks[c->block];
    if (b->min_start_ns >= t->start_ns && b->max_start_ns < t->end_ns)
        return SKEP_OK;
    if (b->max_start_ns < t->start_ns || b->min_start_ns >= t->end_ns) {
        memset(bits, 0, sizeof *bits);
        return SKEP_OK;
    }
    SKEP_UNINIT int64_t buf[SKEP_BLOCK_ROWS];
    const int64_t *time = NULL;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, buf, &time, err));
    uint64_t in[SKEP_X_WORDS];
    skep_codec__bits_between(time, c->n, t->start_ns, t->end_ns - 1, in);
    for (unsigned w = 0; w < (c->n + 63) / 64; w++)
        bits->w[w] &= in[w];
    return SKEP_OK;
}

skep_rc skep_x__select(struct skep_x_ctx *c, struct skep_x_bits *ret, skep_err *err)
{
    skep_x__live(c, ret);
    if (!skep_x__any(ret))
        return SKEP_OK;
    SKEP_TRY(skep_x__in_range(c, ret, err));
    return skep_x__filter_block(c, ret, err);
}
