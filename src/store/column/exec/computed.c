// SPDX-License-Identifier: Apache-2.0
/* Fields that are computed from a row's other fields (struct skep_computed).
 *
 * To everybody else such a field is a name like others, with one source a type; what is asked of
 * its rows in a block is computed once, however many tests, groups and aggregates look at it.
 *
 *   one input with codes    the expression is evaluated once a code, and once for rows without a
 *                           value: the source of type NULL hands out codes and a list of values
 *   a member of a document in a text   by what the text's column says of it (computed_member.c)
 *   numbers in, and functions that know columns   a column at a time (computed_vectors.c)
 *   one input of integers   once a value, as long as there are few
 *   anything else           the rows asked for are gathered into columns and evaluated together
 *
 * I1  What is handed out lives until another block is looked at: texts that an input's column lent
 *     are copied where the column may read itself anew.
 * I3  Codes of one block are of one list: rows whose codes would be of another are computed by row.
 * I2  Loading recurses as deep as computed fields stand in each other (SKEP_LIMIT_PLAN_NESTED).
 *
 * Threads: a context belongs to one.  Memory: charged to the query. */
#include "store/column/exec/computed.h"
#include "base/assert.h"
#include "base/mem.h"
#include "calc/calc.h"
#include "calc/vectors.h"

_Static_assert((int)SKEP_CALC_ROWS >= (int)SKEP_BLOCK_ROWS, "a block is one batch");

enum { VALUES_MAX = 512, VALUE_SLOTS = 2048 };
struct value_slot {
    int64_t value;
    uint32_t code; /* + 1; 0 = free */
};
struct skep_x_values {
    uint64_t serial; /* of the list that codes are of */
    uint32_t n;
    struct value_slot slots[VALUE_SLOTS];
};

void skep_x__compile_computed(struct skep_x_query *q, uint32_t name)
{
    const struct skep_computed *k = q->names[name].computed;
    uint32_t *inputs = skep_new_n(&q->arena, uint32_t, k->n_inputs + 1);
    for (unsigned i = 0; i < k->n_inputs; i++)
        inputs[i] = k->inputs[i].what == SKEP_COMPUTED_FIELD ? skep_x__name(q, k->inputs[i].name)
                                                             : UINT32_MAX;
    bool fields = true;
    for (unsigned i = 0; i < k->n_inputs; i++)
        fields = fields && inputs[i] != UINT32_MAX;
    q->names[name].inputs = inputs; /* names may have moved */
    q->names[name].member = fields ? skep_x__compile_member(&q->arena, k) : NULL;
    q->names[name].vectors = fields && !k->loose ? skep_calc_vectors_new(&q->arena, k->calc) : NULL;
}

void skep_x__computed_sources(struct skep_x_bound *b, uint32_t name)
{
    for (int type = SKEP_TYPE_NULL; type < SKEP_TYPE_COUNT; type++)
        b->sources[b->n++] = (struct skep_x_source){
            .kind = SKEP_X_COMPUTED, .type = (enum skep_type)type, .field = name};
}

static void free_list(struct skep_x_ctx *c, struct skep_x_computed *k)
{
    skep_x__give(c->q, (uint64_t)k->cap_list * (sizeof *k->list + 1));
    skep_free(k->list);
    skep_free(k->known);
    k->list = NULL;
    k->known = NULL;
    k->cap_list = k->n_list = 0;
    k->serial = 0;
}

void skep_x__computed_done(struct skep_x_ctx *c)
{
    for (unsigned i = 0; c->computed && i < c->q->n_names; i++) {
        struct skep_x_computed *k = c->computed[i];
        if (!k)
            continue;
        free_list(c, k);
        skep_arena_done(&k->texts);
        skep_arena_done(&k->list_texts);
        skep_x__give(c->q, k->values ? sizeof *k->values : 0);
        skep_free(k->values);
        skep_x__give(c->q, sizeof *k);
        skep_free(k);
    }
    skep_free(c->computed);
    c->computed = NULL;
}

skep_rc skep_x__computed_no_memory(skep_err *err)
{
    return skep_fail(err, SKEP_ENOMEM,
                     "the query needs more memory than it may use: calculated fields are long; "
                     "filter more, or compute less");
}

/* What is known of the name, for the block that is looked at. */
static skep_rc computed_of(struct skep_x_ctx *c, uint32_t name, struct skep_x_computed **ret,
                           skep_err *err)
{
    if (!c->computed)
        c->computed = skep_alloc_n(struct skep_x_computed *, c->q->n_names);
    struct skep_x_computed *k = c->computed[name];
    if (!k) {
        if (skep_x__take(c->q, sizeof *k) != SKEP_OK)
            return skep_x__computed_no_memory(err);
        k = skep_alloc(struct skep_x_computed);
        k->set = UINT32_MAX;
        skep_arena_init(&k->texts, "computed fields", c->q->opts->budget);
        skep_arena_init(&k->list_texts, "computed fields by code", c->q->opts->budget);
        c->computed[name] = k;
    }
    if (k->set != c->set || k->row0 != c->row0 || k->n != c->n) {
        if (k->set != c->set)
            k->serial = 0;
        k->set = c->set;
        k->row0 = c->row0;
        k->n = c->n;
        memset(&k->done, 0, sizeof k->done);
        memset(&k->coded, 0, sizeof k->coded);
        memset(k->of_type, 0, sizeof k->of_type);
        skep_arena_reset(&k->texts);
    }
    *ret = k;
    return SKEP_OK;
}

skep_rc skep_x__evaluate(struct skep_x_ctx *c, const struct skep_computed *of,
                         const struct skep_calc *calc, unsigned n_columns, skep_value **columns,
                         unsigned n, struct skep_arena *scratch, skep_value *ret, skep_err *err)
{
    const struct skep_time_range *t = &c->q->plan->range;
    struct skep_calc_ctx ctx = {.scratch = scratch,
                                .start_ms = t->start_ns / 1000000,
                                .end_ms = t->end_ns / 1000000,
                                .loose = of->loose};
    const struct skep_calc_batch batch = {.n = n, .columns = columns};
    for (unsigned k = 0; of->loose && k < n_columns; k++)
        for (unsigned i = 0; i < n; i++)
            if (columns[k][i].type == SKEP_TYPE_EMPTY || columns[k][i].type == SKEP_TYPE_BYTES)
                columns[k][i] = (skep_value){.type = SKEP_TYPE_NULL};
    skep_calc_eval(calc, &batch, &ctx, ret);
    if (ctx.short_of_memory)
        return skep_x__computed_no_memory(err);
    if (ctx.too_slow && of->loose) /* its name is a pipeline's own */
        return skep_fail(err, SKEP_ELIMIT, "a regular expression takes too long");
    if (ctx.too_slow)
        return skep_fail(err, SKEP_ELIMIT,
                         "a regular expression of the calculated field " SKEP_STRFMT
                         " takes too long",
                         SKEP_STRARG(of->name));
    return SKEP_OK;
}

static skep_rc evaluate(struct skep_x_ctx *c, const struct skep_computed *of, skep_value **columns,
                        unsigned n, struct skep_arena *scratch, skep_value *ret, skep_err *err)
{
    return skep_x__evaluate(c, of, of->calc, of->n_inputs, columns, n, scratch, ret, err);
}

/* --- by code --- */

bool skep_x__has_text(const skep_value *v)
{
    return v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_BYTES || v->type == SKEP_TYPE_ARRAY;
}

skep_rc skep_x__computed_list(struct skep_x_ctx *c, struct skep_x_computed *k, uint64_t serial,
                              uint32_t n, skep_err *err)
{
    if (k->serial == serial && k->n_list == n)
        return SKEP_OK;
    if (n > k->cap_list) {
        free_list(c, k);
        if (skep_x__take(c->q, (uint64_t)n * (sizeof *k->list + 1)) != SKEP_OK)
            return skep_x__computed_no_memory(err);
        k->list = skep_alloc_n(skep_value, n);
        k->known = skep_alloc_n(uint8_t, n);
        k->cap_list = n;
    } else {
        memset(k->known, 0, n);
    }
    skep_arena_reset(&k->list_texts);
    k->n_list = n;
    k->serial = serial;
    k->has_null = false;
    return SKEP_OK;
}

/* Values of codes[n], which are not known yet, of their inputs in[n]. */
static skep_rc evaluate_codes(struct skep_x_ctx *c, struct skep_x_computed *k,
                              const struct skep_computed *of, const uint32_t *codes, skep_value *in,
                              unsigned n, skep_err *err)
{
    skep_value *out = skep_arena_try_alloc(&k->texts, n * sizeof *out);
    if (!out)
        return skep_x__computed_no_memory(err);
    SKEP_TRY(evaluate(c, of, &in, n, &k->texts, out, err));
    for (unsigned i = 0; i < n; i++) {
        skep_value *to = &k->list[codes[i]];
        *to = out[i];
        k->has_null = k->has_null || to->type == SKEP_TYPE_NULL;
        if (!skep_x__has_text(to) || to->s.n == 0)
            continue;
        char *text = skep_arena_try_alloc(&k->list_texts, to->s.n);
        if (!text)
            return skep_x__computed_no_memory(err);
        memcpy(text, to->s.p, to->s.n); /* I1: of a dictionary, or of the block's texts */
        to->s.p = text;
    }
    return SKEP_OK;
}

/* The same of codes of v. */
static skep_rc fresh_codes(struct skep_x_ctx *c, struct skep_x_computed *k,
                           const struct skep_computed *of, const struct skep_x_vals *v,
                           const uint32_t *codes, unsigned n, skep_err *err)
{
    skep_value *in = skep_arena_try_alloc(&k->texts, n * sizeof *in);
    if (!in)
        return skep_x__computed_no_memory(err);
    for (unsigned i = 0; i < n; i++) {
        if (codes[i] + 1 == k->n_list)
            in[i] = (skep_value){.type = SKEP_TYPE_NULL};
        else if (v->form == SKEP_X_DICT)
            in[i] = (skep_value){.type = v->type, .s = skep_dict_str(v->dict, codes[i])};
        else
            in[i] = v->list[codes[i]];
    }
    return evaluate_codes(c, k, of, codes, in, n, err);
}

/* The rows of `in` by the codes of v; absent rows have the last code. */
static skep_rc by_code(struct skep_x_ctx *c, struct skep_x_computed *k,
                       const struct skep_computed *of, const struct skep_x_vals *v,
                       const struct skep_x_bits *in, skep_err *err)
{
    bool dict = v->form == SKEP_X_DICT;
    uint32_t n = (dict ? v->dict->n : v->n_list) + 1, n_fresh = 0;
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    SKEP_UNINIT uint32_t fresh[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(in, c->n, rows);
    SKEP_TRY(skep_x__computed_list(c, k, skep_x__serial(c, v), n, err));
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i, at = v->constant ? 0 : r;
        uint32_t code = n - 1;
        if (skep_x__has(&v->present, r))
            code = dict ? v->codes[at] : (uint32_t)v->i64[at];
        skep_assert(code < n);
        k->codes[r] = code;
        if (k->known[code])
            continue;
        k->known[code] = 1;
        fresh[n_fresh++] = code;
    }
    if (n_fresh > 0) {
        skep_rc rc = fresh_codes(c, k, of, v, fresh, n_fresh, err);
        if (rc != SKEP_OK)
            k->serial = 0;
        SKEP_TRY(rc);
    }
    skep_x__or(&k->done, in);
    skep_x__or(&k->coded, in);
    k->coded_how = SKEP_X_BY_CODE;
    return SKEP_OK;
}

/* --- by value: integers of few different values --- */

/* The code of an integer; VALUES_MAX when there are too many. */
static uint32_t value_code(struct skep_x_computed *k, int64_t x, bool *ret_fresh)
{
    uint64_t at = skep_hash_u64((uint64_t)x);
    for (*ret_fresh = false;; at++) {
        struct value_slot *s = &k->values->slots[at % VALUE_SLOTS];
        if (s->code > 0 && s->value == x)
            return s->code - 1;
        if (s->code > 0)
            continue;
        if (k->values->n == VALUES_MAX)
            return VALUES_MAX;
        *s = (struct value_slot){x, ++k->values->n};
        *ret_fresh = true;
        return s->code - 1;
    }
}

/* A list for values, if there is none: codes begin anew, under a serial of their own. */
static skep_rc ready_values(struct skep_x_ctx *c, struct skep_x_computed *k, skep_err *err)
{
    if (!k->values) {
        if (skep_x__take(c->q, sizeof *k->values) != SKEP_OK)
            return skep_x__computed_no_memory(err);
        k->values = skep_alloc(struct skep_x_values);
    }
    if (k->serial != 0 && k->serial == k->values->serial)
        return SKEP_OK;
    SKEP_TRY(skep_x__computed_list(c, k, 1ull << 63 | ++k->n_values_made, VALUES_MAX + 1, err));
    *k->values = (struct skep_x_values){.serial = k->serial};
    return SKEP_OK;
}

/* The rows of `in` by value; those of too many values are left in *rest. */
static skep_rc by_value(struct skep_x_ctx *c, struct skep_x_computed *k,
                        const struct skep_computed *of, const struct skep_x_vals *v,
                        const struct skep_x_bits *in, struct skep_x_bits *rest, skep_err *err)
{
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    SKEP_UNINIT uint32_t fresh[VALUES_MAX + 1];
    struct skep_sel sel = skep_x__rows(in, c->n, rows);
    unsigned n = 0;
    SKEP_TRY(ready_values(c, k, err));
    skep_value *inputs = skep_arena_try_alloc(&k->texts, (VALUES_MAX + 1) * sizeof *inputs);
    if (!inputs)
        return skep_x__computed_no_memory(err);
    memset(rest, 0, sizeof *rest);
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        uint32_t code = VALUES_MAX; /* the last one: absent */
        bool is_fresh = !k->known[code];
        skep_value value = {.type = SKEP_TYPE_NULL};
        if (skep_x__has(&v->present, r)) {
            char none[1];
            value = skep_x__value(v, r, none);
            code = value_code(k, v->i64[v->constant ? 0 : r], &is_fresh);
            if (code == VALUES_MAX) {
                rest->w[r / 64] |= 1ull << (r % 64);
                k->many_values = true;
                continue;
            }
        }
        k->codes[r] = code;
        if (!is_fresh)
            continue;
        k->known[code] = 1;
        inputs[n] = value;
        fresh[n++] = code;
    }
    skep_rc rc = n > 0 ? evaluate_codes(c, k, of, fresh, inputs, n, err) : SKEP_OK;
    if (rc != SKEP_OK)
        k->serial = 0;
    SKEP_TRY(rc);
    struct skep_x_bits some = *in;
    skep_x__andnot(&some, rest);
    skep_x__or(&k->done, &some);
    skep_x__or(&k->coded, &some);
    k->coded_how = SKEP_X_BY_VALUE;
    return SKEP_OK;
}

/* Of a computed input: have all the rows codes?  Others have values that no code says. */
static bool all_coded(const struct skep_x_ctx *c, uint32_t name, const struct skep_x_bits *in)
{
    struct skep_x_bits others = *in;
    if (!c->q->names[name].computed)
        return true;
    skep_x__andnot(&others, &c->computed[name]->coded);
    return !skep_x__any(&others);
}

/* How the one input's values come. */
static skep_rc one_input(struct skep_x_ctx *c, const struct skep_x_computed *k,
                         const struct skep_x_name *name, const struct skep_x_bits *in,
                         struct skep_x_vals *ret, enum skep_x_how *ret_how, skep_err *err)
{
    *ret_how = SKEP_X_BY_ROW;
    if (name->computed->n_inputs != 1 || name->inputs[0] == UINT32_MAX)
        return SKEP_OK;
    const struct skep_x_bound *b = skep_x__sources(c, name->inputs[0]);
    if (b->n == 0 || (b->n > 1 && b->sources[0].kind != SKEP_X_COMPUTED))
        return SKEP_OK;
    SKEP_TRY(skep_x__load(c, &b->sources[0], in, ret, err));
    if (!skep_x__any(&ret->present) || !all_coded(c, name->inputs[0], in))
        return SKEP_OK;
    if ((ret->form == SKEP_X_DICT && ret->dict) || (ret->form == SKEP_X_CODES && ret->list))
        *ret_how = SKEP_X_BY_CODE;
    else if (b->n == 1 && ret->form == SKEP_X_I64 && !k->many_values)
        *ret_how = SKEP_X_BY_VALUE;
    return SKEP_OK;
}

/* --- by row --- */

/* Some rows of the block, side by side. */
struct rows {
    unsigned n;
    uint16_t at[SKEP_BLOCK_ROWS];   /* row of each */
    uint16_t back[SKEP_BLOCK_ROWS]; /* place of each row */
};

static SKEP_NOINLINE void list_rows(const struct skep_x_ctx *c, const struct skep_x_bits *in,
                                    struct rows *ret)
{
    SKEP_UNINIT uint16_t list[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(in, c->n, list);
    ret->n = sel.n;
    for (unsigned i = 0; i < sel.n; i++) {
        ret->at[i] = sel.rows ? sel.rows[i] : (uint16_t)i;
        ret->back[ret->at[i]] = (uint16_t)i;
    }
}

skep_rc skep_x__keep_text(struct skep_arena *a, skep_value *v, skep_err *err)
{
    if (v->s.n == 0)
        return SKEP_OK;
    char *text = skep_arena_try_alloc(a, v->s.n);
    if (!text)
        return skep_x__computed_no_memory(err);
    memcpy(text, v->s.p, v->s.n);
    v->s.p = text;
    return SKEP_OK;
}

/* Of few rows: their texts alone are made. */
static SKEP_NOINLINE bool some_values(struct skep_x_ctx *c, struct skep_x_computed *k,
                                      const struct skep_x_bound *b, const struct skep_x_bits *in,
                                      const struct rows *rows, skep_value *column, skep_err *err)
{
    SKEP_UNINIT uint8_t wanted[SKEP_BLOCK_ROWS];
    if (rows->n > c->n / SKEP_X_FEW || b->n != 1 || b->sources[0].kind != SKEP_X_FIELD ||
        b->sources[0].type != SKEP_TYPE_STRING)
        return false;
    struct skep_colreader *r = skep_x__field_reader(c, b->sources[0].field, err);
    for (unsigned i = 0; i < c->n; i++)
        wanted[i] = skep_x__has(in, i);
    skep_str *texts = skep_arena_try_alloc(&k->texts, c->n * sizeof *texts);
    if (!r || !texts || !r->ops->some || !r->ops->some(r, c->row0, c->n, wanted, texts))
        return false;
    for (unsigned i = 0; i < rows->n; i++)
        if (texts[rows->at[i]].p)
            column[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = texts[rows->at[i]]};
    return true;
}

/* A field's values into column[rows->n]; *ret_lent: texts are the column's own. */
static SKEP_NOINLINE skep_rc field_values(struct skep_x_ctx *c, struct skep_x_computed *k,
                                          uint32_t name, const struct skep_x_bits *in,
                                          const struct rows *rows, skep_value *column,
                                          bool *ret_lent, skep_err *err)
{
    const struct skep_x_bound *b = skep_x__sources(c, name);
    struct skep_x_bits rest = *in;
    if (some_values(c, k, b, in, rows, column, err)) {
        *ret_lent = true;
        return SKEP_OK;
    }
    for (unsigned i = 0; i < b->n && skep_x__any(&rest); i++) {
        struct skep_x_vals v;
        char text[40];
        SKEP_UNINIT uint16_t list[SKEP_BLOCK_ROWS];
        SKEP_TRY(skep_x__load(c, &b->sources[i], &rest, &v, err));
        if (!skep_x__any(&v.present))
            continue;
        bool written = v.form == SKEP_X_ID16 || v.form == SKEP_X_ID8 || v.form == SKEP_X_TIME;
        *ret_lent = *ret_lent || v.form == SKEP_X_STR;
        struct skep_sel sel = skep_x__rows(&v.present, c->n, list);
        for (unsigned s = 0; s < sel.n; s++) {
            unsigned r = sel.rows ? sel.rows[s] : s;
            skep_value *to = &column[rows->back[r]];
            *to = skep_x__value(&v, r, text);
            if (written)
                SKEP_TRY(skep_x__keep_text(&k->texts, to, err));
        }
        skep_x__andnot(&rest, &v.present);
    }
    return SKEP_OK;
}

static double random_of(int64_t seq, int64_t ordinal)
{
    uint64_t h = skep_hash_u64((uint64_t)seq * 0x9e3779b97f4a7c15u ^ (uint64_t)ordinal);
    return (double)(h >> 11) / 9007199254740992.0;
}

/* Milliseconds of one, as a row's instant is cut. */
static SKEP_NOINLINE skep_rc ms_values(struct skep_x_ctx *c, enum skep_column col,
                                       const struct rows *rows, skep_value *column, skep_err *err)
{
    SKEP_UNINIT int64_t buf[SKEP_BLOCK_ROWS];
    const int64_t *ns = NULL;
    SKEP_TRY(skep_x__ints(c, col, buf, &ns, err));
    for (unsigned i = 0; i < rows->n; i++)
        column[i] = (skep_value){.type = SKEP_TYPE_INT, .i = ns[rows->at[i]] / 1000000};
    return SKEP_OK;
}

/* Seconds of a column of nanoseconds. */
static SKEP_NOINLINE skep_rc second_values(struct skep_x_ctx *c, enum skep_column col,
                                           const struct rows *rows, skep_value *column,
                                           skep_err *err)
{
    SKEP_UNINIT int64_t buf[SKEP_BLOCK_ROWS];
    const int64_t *ns = NULL;
    SKEP_TRY(skep_x__ints(c, col, buf, &ns, err));
    for (unsigned i = 0; i < rows->n; i++)
        column[i] = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = (double)ns[rows->at[i]] / 1e9};
    return SKEP_OK;
}

/* Of the row's id. */
static SKEP_NOINLINE skep_rc random_values(struct skep_x_ctx *c, const struct rows *rows,
                                           skep_value *column, skep_err *err)
{
    SKEP_UNINIT int64_t buf[SKEP_BLOCK_ROWS];
    const int64_t *ids = NULL;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_SEQ, buf, &ids, err));
    for (unsigned i = 0; i < rows->n; i++)
        column[i].i = ids[rows->at[i]];
    SKEP_TRY(skep_x__ints(c, SKEP_COL_ORDINAL, buf, &ids, err));
    for (unsigned i = 0; i < rows->n; i++)
        column[i] =
            (skep_value){.type = SKEP_TYPE_DOUBLE, .f = random_of(column[i].i, ids[rows->at[i]])};
    return SKEP_OK;
}

static skep_rc other_values(struct skep_x_ctx *c, enum skep_computed_what what,
                            const struct rows *rows, skep_value *column, skep_err *err)
{
    switch (what) {
    case SKEP_COMPUTED_RANDOM: return random_values(c, rows, column, err);
    case SKEP_COMPUTED_TIME: return second_values(c, SKEP_COL_TIME, rows, column, err);
    case SKEP_COMPUTED_RECEIVED: return second_values(c, SKEP_COL_RECEIVED, rows, column, err);
    case SKEP_COMPUTED_TIME_MS: return ms_values(c, SKEP_COL_TIME, rows, column, err);
    case SKEP_COMPUTED_RECEIVED_MS: return ms_values(c, SKEP_COL_RECEIVED, rows, column, err);
    case SKEP_COMPUTED_FIELD:
    default: skep_unreachable("an input that is no field");
    }
}

/* Does a part of an input's text stand there? */
static bool is_lent(const skep_value *v, skep_value *const *columns, unsigned n_columns, unsigned i)
{
    for (unsigned k = 0; k < n_columns; k++) {
        const skep_value *in = &columns[k][i];
        if (skep_x__has_text(in) && (uintptr_t)v->s.p >= (uintptr_t)in->s.p &&
            (uintptr_t)v->s.p <= (uintptr_t)in->s.p + in->s.n)
            return true;
    }
    return false;
}

void skep_x__put_value(struct skep_x_computed *k, unsigned r, const skep_value *v)
{
    k->of_type[v->type].w[r / 64] |= 1ull << (r % 64);
    switch (v->type) {
    case SKEP_TYPE_INT: k->i64[r] = v->i; return;
    case SKEP_TYPE_BOOL: k->i64[r] = v->b; return;
    case SKEP_TYPE_DOUBLE: k->f64[r] = v->f; return;
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: k->str[r] = v->s; return;
    case SKEP_TYPE_EMPTY: k->i64[r] = 0; return;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_COUNT:
    default: return;
    }
}

static skep_rc by_row(struct skep_x_ctx *c, struct skep_x_computed *k,
                      const struct skep_x_name *name, const struct skep_x_bits *in, skep_err *err)
{
    const struct skep_computed *of = name->computed;
    SKEP_UNINIT struct rows rows;
    list_rows(c, in, &rows);
    size_t bytes = (size_t)(of->n_inputs + 1) * rows.n * sizeof(skep_value);
    skep_value **columns = skep_arena_try_alloc(&k->texts, (of->n_inputs + 1) * sizeof *columns);
    skep_value *values = skep_arena_try_alloc(&k->texts, bytes); /* zeroed: null */
    bool lent = false;
    if (!columns || !values)
        return skep_x__computed_no_memory(err);
    for (unsigned i = 0; i < of->n_inputs; i++) {
        columns[i] = values + (size_t)i * rows.n;
        if (of->inputs[i].what == SKEP_COMPUTED_FIELD)
            SKEP_TRY(field_values(c, k, name->inputs[i], in, &rows, columns[i], &lent, err));
        else
            SKEP_TRY(other_values(c, of->inputs[i].what, &rows, columns[i], err));
    }
    skep_value *out = values + (size_t)of->n_inputs * rows.n;
    SKEP_TRY(evaluate(c, of, columns, rows.n, &k->texts, out, err));
    for (unsigned i = 0; i < rows.n; i++) {
        if (lent && skep_x__has_text(&out[i]) &&
            is_lent(&out[i], columns, of->n_inputs, i)) /* I1 */
            SKEP_TRY(skep_x__keep_text(&k->texts, &out[i], err));
        skep_x__put_value(k, rows.at[i], &out[i]);
    }
    skep_x__or(&k->done, in);
    return SKEP_OK;
}

static skep_rc compute(struct skep_x_ctx *c, struct skep_x_computed *k, uint32_t at,
                       const struct skep_x_bits *in, skep_err *err)
{
    const struct skep_x_name *name = &c->q->names[at];
    struct skep_x_vals v;
    struct skep_x_bits left = *in, rest;
    enum skep_x_how how;
    if (name->member) {
        SKEP_TRY(skep_x__compute_members(c, k, name, &left, err));
        if (!skep_x__any(&left))
            return SKEP_OK;
        if (skep_x__count(&left) <=
            c->n / SKEP_X_FEW) /* how the column's values come is not asked */
            return by_row(c, k, name, &left, err);
    }
    in = &left;
    rest = left;
    SKEP_TRY(one_input(c, k, name, in, &v, &how, err));
    bool other = skep_x__any(&k->coded) && k->coded_how != how; /* I3 */
    if (how == SKEP_X_BY_CODE && !other)
        return by_code(c, k, name->computed, &v, in, err);
    bool done = false;
    if (name->vectors)
        SKEP_TRY(skep_x__compute_vectors(c, k, name, in, &done, err));
    if (!done && how == SKEP_X_BY_VALUE && !other)
        SKEP_TRY(by_value(c, k, name->computed, &v, in, &rest, err));
    return !done && skep_x__any(&rest) ? by_row(c, k, name, &rest, err) : SKEP_OK;
}

bool skep_x__computed_coded(const struct skep_x_ctx *c, uint32_t name,
                            const struct skep_x_bits *bits)
{
    const struct skep_x_computed *k = c->computed[name];
    uint64_t other = 0;
    for (int type = 0; type < SKEP_TYPE_COUNT; type++)
        for (unsigned w = 0; w < SKEP_X_WORDS; w++)
            other |= type == SKEP_TYPE_NULL ? 0 : k->of_type[type].w[w] & bits->w[w];
    return other == 0;
}

/* Codes whose value is not null. */
static void keep_known(const struct skep_x_computed *k, struct skep_x_bits *bits)
{
    for (unsigned w = 0; w < SKEP_X_WORDS; w++)
        for (uint64_t left = bits->w[w]; left; left &= left - 1)
            if (k->list[k->codes[w * 64 + SKEP_CTZ64(left)]].type == SKEP_TYPE_NULL)
                bits->w[w] &= ~(left & (0 - left));
}

skep_rc skep_x__load_computed(struct skep_x_ctx *c, const struct skep_x_source *s,
                              const struct skep_x_bits *in, struct skep_x_vals *ret, skep_err *err)
{
    struct skep_x_computed *k = NULL;
    SKEP_TRY(computed_of(c, s->field, &k, err));
    struct skep_x_bits fresh = *in;
    skep_x__andnot(&fresh, &k->done);
    if (skep_x__any(&fresh))
        SKEP_TRY(compute(c, k, s->field, &fresh, err));
    ret->type = s->type;
    if (s->type == SKEP_TYPE_NULL) {
        skep_x__and(&ret->present, &k->coded);
        if (k->has_null && skep_x__any(&ret->present))
            keep_known(k, &ret->present);
        ret->form = SKEP_X_CODES;
        ret->i64 = k->codes;
        ret->list = k->list;
        ret->n_list = k->n_list;
        ret->serial = k->serial;
        return SKEP_OK;
    }
    skep_x__and(&ret->present, &k->of_type[s->type]);
    bool text =
        s->type == SKEP_TYPE_STRING || s->type == SKEP_TYPE_BYTES || s->type == SKEP_TYPE_ARRAY;
    ret->form = text ? SKEP_X_STR : s->type == SKEP_TYPE_DOUBLE ? SKEP_X_F64 : SKEP_X_I64;
    ret->i64 = k->i64;
    ret->f64 = k->f64;
    ret->str = k->str;
    return SKEP_OK;
}
