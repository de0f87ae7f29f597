// SPDX-License-Identifier: Apache-2.0
/* Pipelines over rows.
 *
 *   plan (pipe_push.c) --> pages of rows (pipe_pages.c) --> batches of 1,024 --> stage -> stage ->
 * answer
 *                     `--> AGGREGATE, for stats at the beginning -------------^
 *
 * A stage either hands its batch on at once (filter, assign, parse, limit, dedup) or keeps what it
 * needs until its rows have all come (stats, sort, patterns).
 *
 * I1  Rows come in the plan's order, which is total: the same data gives the same answer.
 * I2  Texts of a batch live in the page and the scratch; what a stage keeps it copies into an arena
 *     of its own, charged to the question's budget.
 * I3  When nothing behind wants a row more (LIMIT), the source stops.
 *
 * Threads: the caller's, helped by the store's pool for the pages.  Memory: opts->budget. */
#include "query/pipe.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "calc/dates.h"
#include "query/pipe_priv.h"

skep_rc skep_pipe__no_memory(struct skep_pipe__run *r)
{
    return skep_fail(r->err, SKEP_ENOMEM,
                     "the question needs more memory than it may use: fewer groups, a limit behind "
                     "sort, or a shorter time");
}

void skep_pipe__next_batch(struct skep_pipe__run *r)
{
    skep_calc_docs_clear(r->calc.docs);
    skep_arena_reset(&r->scratch);
}

skep_rc skep_pipe__batch_new(struct skep_pipe__run *r, struct skep_arena *a,
                             struct skep_pipe__batch *b)
{
    unsigned n = r->p->n_slots;
    skep_value *values = skep_arena_try_alloc(a, sizeof *values * n * SKEP_CALC_ROWS);
    b->columns = skep_arena_try_alloc(a, sizeof *b->columns * (n + 1));
    b->n = 0;
    if (!values || !b->columns)
        return skep_pipe__no_memory(r);
    for (unsigned i = 0; i < n; i++)
        b->columns[i] = values + (size_t)i * SKEP_CALC_ROWS;
    return SKEP_OK;
}

bool skep_pipe__keep(struct skep_arena *a, const skep_value *v, skep_value *ret)
{
    *ret = *v;
    bool text =
        v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_ARRAY || v->type == SKEP_TYPE_BYTES;
    if (!text || v->s.n == 0)
        return true;
    char *p = skep_arena_try_alloc(a, v->s.n);
    if (!p)
        return false;
    memcpy(p, v->s.p, v->s.n);
    ret->s.p = p;
    return true;
}

int skep_pipe__order(const struct skep_calc_ctx *ctx, const skep_value *a, const skep_value *b)
{
    double x, y;
    int c = 0;
    bool a_number = skep_calc_number(ctx, a, &x), b_number = skep_calc_number(ctx, b, &y);
    bool a_null = a->type == SKEP_TYPE_NULL, b_null = b->type == SKEP_TYPE_NULL;
    if (a_null || b_null)
        return (int)b_null - (int)a_null;
    if (a_number != b_number)
        return a_number ? -1 : 1;
    return skep_calc_compare(ctx, a, b, &c) ? c : 0;
}

skep_value *skep_pipe__eval(struct skep_pipe__run *r, const struct skep_calc *e,
                            const struct skep_pipe__batch *b)
{
    skep_value *v = skep_arena_try_alloc(&r->scratch, sizeof *v * (b->n + 1));
    if (!v)
        return NULL;
    skep_calc_eval(e, &(struct skep_calc_batch){b->n, b->columns}, &r->calc, v);
    return r->calc.short_of_memory ? NULL : v;
}

// --- stages that hand on -----------------------------------------------------------------------

/* Keep the rows at rows[n], ascending. */
static void keep_rows(struct skep_pipe__run *r, struct skep_pipe__batch *b, const uint16_t *rows,
                      unsigned n)
{
    for (unsigned s = 0; n < b->n && s < r->p->n_slots; s++)
        for (unsigned i = 0; i < n; i++)
            b->columns[s][i] = b->columns[s][rows[i]];
    b->n = n;
}

static skep_rc filter(struct skep_pipe__run *r, struct skep_pipe__node *node,
                      struct skep_pipe__batch *b)
{
    uint16_t rows[SKEP_CALC_ROWS];
    unsigned n = 0;
    const skep_value *v = skep_pipe__eval(r, node->stage->cond, b);
    if (!v)
        return skep_pipe__no_memory(r);
    for (unsigned i = 0; i < b->n; i++)
        if (skep_calc_true(&v[i]))
            rows[n++] = (uint16_t)i;
    if (node->counts)
        r->matched -= b->n - n;
    keep_rows(r, b, rows, n);
    return skep_pipe__push(r, node->next, b);
}

/* All expressions see the row as it was. */
static skep_rc assign(struct skep_pipe__run *r, struct skep_pipe__node *node,
                      struct skep_pipe__batch *b)
{
    const struct skep_pipe_stage *s = node->stage;
    skep_value **made = skep_arena_try_alloc(&r->scratch, sizeof *made * (s->n_assigns + 1));
    for (unsigned i = 0; made && i < s->n_assigns; i++)
        if ((made[i] = skep_pipe__eval(r, s->assigns[i].expr, b)) == NULL)
            made = NULL;
    if (!made)
        return skep_pipe__no_memory(r);
    for (unsigned i = 0; i < s->n_assigns; i++)
        memcpy(b->columns[s->assigns[i].slot], made[i], b->n * sizeof *made[i]);
    return skep_pipe__push(r, node->next, b);
}

static skep_rc limit(struct skep_pipe__run *r, struct skep_pipe__node *node,
                     struct skep_pipe__batch *b)
{
    uint64_t left = node->stage->limit - node->n_passed;
    b->n = (unsigned)SKEP_MIN(left, (uint64_t)b->n);
    node->n_passed += b->n;
    r->full = r->full || node->n_passed == node->stage->limit; /* I3 */
    return skep_pipe__push(r, node->next, b);
}

static skep_rc grow(struct skep_pipe__run *r)
{
    if (r->n_rows < r->cap_rows)
        return SKEP_OK;
    struct skep_arena *a = r->opts->arena;
    size_t cap = SKEP_MIN(r->cap_rows ? 2 * r->cap_rows : SKEP_CALC_ROWS, r->limit + 1);
    skep_value *rows = skep_arena_try_alloc(a, sizeof *rows * cap * (r->p->n_outs + 1));
    struct skep_pipe_id *ids = skep_arena_try_alloc(a, sizeof *ids * cap);
    if (!rows || !ids)
        return skep_pipe__no_memory(r);
    if (r->n_rows) {
        memcpy(rows, r->rows, sizeof *rows * r->n_rows * r->p->n_outs);
        memcpy(ids, r->ids, sizeof *ids * r->n_rows);
    }
    r->rows = rows;
    r->ids = ids;
    r->cap_rows = cap;
    return SKEP_OK;
}

/* "time_ns.seq-ordinal", as field_value() wrote it. */
static struct skep_pipe_id read_id(skep_str s)
{
    struct skep_pipe_id id = {0};
    uint64_t ordinal = 0;
    skep_str time = skep_str_cut(&s, '.'), seq = skep_str_cut(&s, '-');
    bool ok = skep_str_i64(time, &id.time_ns) && skep_str_u64(seq, &id.id.seq) &&
              skep_str_u64(s, &ordinal);
    skep_assert(ok);
    id.id.ordinal = (uint32_t)ordinal;
    return id;
}

/* Into the answer. */
static skep_rc answer(struct skep_pipe__run *r, struct skep_pipe__batch *b)
{
    const struct skep_pipe *p = r->p;
    for (unsigned i = 0; i < b->n; i++) {
        if (r->n_rows == r->limit) {
            r->truncated = true;
            r->full = true;
            return SKEP_OK;
        }
        SKEP_TRY(grow(r));
        skep_value *to = r->rows + r->n_rows * p->n_outs;
        for (unsigned o = 0; o < p->n_outs; o++)
            if (!skep_pipe__keep(r->opts->arena, &b->columns[p->outs[o].slot][i], &to[o]))
                return skep_pipe__no_memory(r);
        r->ids[r->n_rows] =
            p->raw ? read_id(b->columns[p->id_slot][i].s) : (struct skep_pipe_id){0};
        r->n_rows++;
    }
    return SKEP_OK;
}

typedef skep_rc push_fn(struct skep_pipe__run *r, struct skep_pipe__node *n,
                        struct skep_pipe__batch *b);

static const struct {
    push_fn *push;
    skep_rc (*end)(struct skep_pipe__run *r, struct skep_pipe__node *n);
    void (*done)(struct skep_pipe__node *n);
} ops[] = {
    [SKEP_PIPE_FILTER] = {filter, NULL, NULL},
    [SKEP_PIPE_ASSIGN] = {assign, NULL, NULL},
    [SKEP_PIPE_PARSE_GLOB] = {skep_pipe__parse_push, NULL, NULL},
    [SKEP_PIPE_PARSE_REGEX] = {skep_pipe__parse_push, NULL, NULL},
    [SKEP_PIPE_PARSE_LOGFMT] = {skep_pipe__parse_push, NULL, NULL},
    [SKEP_PIPE_PARSE_CSV] = {skep_pipe__parse_push, NULL, NULL},
    [SKEP_PIPE_STATS] = {skep_pipe__stats_push, skep_pipe__stats_end, skep_pipe__stats_done},
    [SKEP_PIPE_SORT] = {skep_pipe__sort_push, skep_pipe__sort_end, skep_pipe__sort_done},
    [SKEP_PIPE_LIMIT] = {limit, NULL, NULL},
    [SKEP_PIPE_DEDUP] = {skep_pipe__dedup_push, NULL, skep_pipe__dedup_done},
    [SKEP_PIPE_UNNEST] = {skep_pipe__unnest_push, NULL, NULL},
    [SKEP_PIPE_PATTERNS] = {skep_pipe__patterns_push, skep_pipe__patterns_end,
                            skep_pipe__patterns_done},
};

skep_rc skep_pipe__push(struct skep_pipe__run *r, struct skep_pipe__node *node,
                        struct skep_pipe__batch *b)
{
    const struct skep_run_opts *o = r->opts;
    skep_assert(b->n <= SKEP_CALC_ROWS);
    if (b->n == 0)
        return SKEP_OK;
    if (o->canceled && o->canceled(o->ctx))
        return skep_fail(r->err, SKEP_ECANCELED, "canceled");
    if (!node)
        return answer(r, b);
    return ops[node->stage->op].push(r, node, b);
}

skep_rc skep_pipe__end(struct skep_pipe__run *r, struct skep_pipe__node *node)
{
    for (; node; node = node->next) {
        if (!ops[node->stage->op].end)
            continue;
        r->full = false; /* what stood before is over */
        SKEP_TRY(ops[node->stage->op].end(r, node));
    }
    return SKEP_OK;
}

// --- the source --------------------------------------------------------------------------------

static char *put_digits(char *end, uint64_t v)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return end;
}

/* "time_ns.seq-ordinal"; every row has one, so it is written by hand. */
static skep_str id_text(const struct skep_row *row, struct skep_arena *a)
{
    char text[64], *end = text + sizeof text, *p = put_digits(end, row->id.ordinal);
    *--p = '-';
    p = put_digits(p, row->id.seq);
    *--p = '.';
    p = put_digits(p, row->time_ns < 0 ? 0 - (uint64_t)row->time_ns : (uint64_t)row->time_ns);
    if (row->time_ns < 0)
        *--p = '-';
    return skep_arena_str(a, (skep_str){p, (size_t)(end - p)});
}

static skep_value field_value(const struct skep_pipe_field *f, const struct skep_row *row,
                              unsigned column, struct skep_arena *a)
{
    switch (f->what) {
    case SKEP_PIPE_TIME: return (skep_value){.type = SKEP_TYPE_INT, .i = row->time_ns / 1000000};
    case SKEP_PIPE_RECEIVED:
        return (skep_value){.type = SKEP_TYPE_INT, .i = row->received_ns / 1000000};
    case SKEP_PIPE_DATASET: return (skep_value){.type = SKEP_TYPE_STRING, .s = row->dataset};
    case SKEP_PIPE_ROW_ID: return (skep_value){.type = SKEP_TYPE_STRING, .s = id_text(row, a)};
    case SKEP_PIPE_FIELD:
    default: {
        skep_value v = row->fields[column].value;
        bool none = v.type == SKEP_TYPE_EMPTY || v.type == SKEP_TYPE_BYTES;
        return none ? (skep_value){.type = SKEP_TYPE_NULL} : v;
    }
    }
}

/* Rows [from, from + b->n) of a page as a batch. */
static void load(struct skep_pipe__run *r, const struct skep_rows *rows, size_t from,
                 struct skep_pipe__batch *b)
{
    const struct skep_pipe *p = r->p;
    for (unsigned s = 0; s < p->n_slots; s++)
        memset(b->columns[s], 0, b->n * sizeof b->columns[s][0]);
    for (unsigned i = 0; i < b->n; i++) {
        unsigned column = 0;
        for (unsigned f = 0; f < p->n_fields; f++) {
            b->columns[p->fields[f].slot][i] =
                field_value(&p->fields[f], &rows->rows[from + i], column, &r->scratch);
            column += p->fields[f].what == SKEP_PIPE_FIELD;
        }
    }
}

void skep_pipe__columns(const struct skep_pipe *p, struct skep_arena *a, struct skep_plan *plan)
{
    struct skep_field_ref *columns = skep_new_n(a, struct skep_field_ref, p->n_fields + 1);
    unsigned n = 0;
    for (unsigned i = 0; i < p->n_fields; i++)
        if (p->fields[i].what == SKEP_PIPE_FIELD)
            columns[n++].name = p->fields[i].name;
    if (n == 0) /* none would mean all */
        columns[n++].name = SKEP_STR("meta.kind");
    plan->columns = columns;
    plan->n_columns = n;
}

skep_rc skep_pipe__feed(struct skep_pipe__run *r, const struct skep_rows *rows)
{
    struct skep_pipe__batch b;
    for (size_t from = 0; from < rows->n && !r->full; from += SKEP_CALC_ROWS) {
        skep_pipe__next_batch(r);
        SKEP_TRY(skep_pipe__batch_new(r, &r->scratch, &b));
        b.n = (unsigned)SKEP_MIN(rows->n - from, (size_t)SKEP_CALC_ROWS);
        load(r, rows, from, &b);
        SKEP_TRY(skep_pipe__push(r, r->n_nodes ? &r->nodes[0] : NULL, &b));
        if (r->calc.too_slow)
            return skep_fail(r->err, SKEP_ELIMIT, "a regular expression takes too long");
    }
    return SKEP_OK;
}

static struct skep_time_range earlier_range(const struct skep_pipe *p)
{
    return (struct skep_time_range){p->range.start_ns - p->earlier_ns,
                                    p->range.end_ns - p->earlier_ns};
}

static skep_rc read_rows(struct skep_store *store, struct skep_pipe__run *r,
                         const struct skep_plan *plan, struct skep_pipe_result *ret)
{
    if (r->p->earlier_ns > 0) {
        r->earlier = true;
        SKEP_TRY(skep_pipe__pages(store, r, plan, earlier_range(r->p), ret));
        r->earlier = false;
    }
    return skep_pipe__pages(store, r, plan, r->p->range, ret);
}

// --- runs --------------------------------------------------------------------------------------

static void begin(struct skep_pipe__run *r, const struct skep_pipe__pushed *pushed)
{
    bool counts = true;
    r->nodes = skep_new_n(r->opts->arena, struct skep_pipe__node, pushed->n_stages + 1);
    r->n_nodes = pushed->n_stages;
    for (unsigned i = 0; i < r->n_nodes; i++) {
        struct skep_pipe__node *n = &r->nodes[i];
        n->stage = &pushed->stages[i];
        n->next = i + 1 < r->n_nodes ? n + 1 : NULL;
        counts = counts && skep_pipe__keeps_rows(n->stage);
        n->counts = counts;
        skep_arena_init(&n->arena, "pipe stage", r->opts->budget);
    }
}

static void finish_nodes(struct skep_pipe__run *r)
{
    for (unsigned i = 0; i < r->n_nodes; i++) {
        if (ops[r->nodes[i].stage->op].done)
            ops[r->nodes[i].stage->op].done(&r->nodes[i]);
        skep_arena_done(&r->nodes[i].arena);
    }
}

/* Adds the rows of a range that pass a filter, and the bytes of their messages. */
static skep_rc count_rows(struct skep_store *store, const struct skep_pipe__run *r,
                          struct skep_time_range range, const struct skep_plan *of,
                          const struct skep_expr *filter, uint64_t *rows, uint64_t *bytes)
{
    static const struct skep_agg aggs[] = {
        {.op = SKEP_AGG_COUNT, .key = {"COUNT", 5}},
        {.op = SKEP_AGG_SUM, .field = {.name = {"log.bytes", 9}}, .key = {"BYTES", 5}}};
    struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                             .range = range,
                             .dataset = of->dataset,
                             .computed = of->computed,
                             .n_computed = of->n_computed,
                             .filter = filter,
                             .aggs = aggs,
                             .n_aggs = 2,
                             .limit = 1,
                             .ignore_sample_rate = true};
    struct skep_result *result = NULL;
    struct skep_run_opts o = *r->opts;
    o.progress = NULL;
    o.also = NULL;
    SKEP_TRY(skep_query_aggregate(store, &plan, &o, &result, r->err));
    const struct skep_cell *v = result->totals.values;
    *rows += (uint64_t)v[0].i;
    *bytes += v[1].kind == SKEP_CELL_INT && v[1].i > 0 ? (uint64_t)v[1].i : 0;
    return SKEP_OK;
}

/* Rows that are asked about at all. */
static skep_rc count_scanned(struct skep_store *store, const struct skep_pipe__run *r,
                             const struct skep_pipe__pushed *pushed, struct skep_pipe_result *ret)
{
    const struct skep_pipe *p = r->p;
    if (p->earlier_ns > 0)
        SKEP_TRY(count_rows(store, r, earlier_range(p), &pushed->plan, pushed->scope,
                            &ret->rows_scanned, &ret->bytes_scanned));
    return count_rows(store, r, p->range, &pushed->plan, pushed->scope, &ret->rows_scanned,
                      &ret->bytes_scanned);
}

/* Rows that matched, when the answer was full before all were looked at: those the store counts. */
static skep_rc count_matched(struct skep_store *store, struct skep_pipe__run *r,
                             const struct skep_pipe__pushed *pushed)
{
    uint64_t bytes = 0;
    bool filtered = false;
    for (unsigned i = 0; i < r->n_nodes; i++)
        filtered = filtered || (r->nodes[i].counts && r->nodes[i].stage->op == SKEP_PIPE_FILTER);
    if (pushed->aggregate || !r->stopped || filtered)
        return SKEP_OK;
    r->matched = 0;
    return count_rows(store, r, r->p->range, &pushed->plan, pushed->plan.filter, &r->matched,
                      &bytes);
}

/* What the store does of it; of rows that are not the store's, nothing. */
static skep_rc prepare(struct skep_store *store, const struct skep_pipe__run *r,
                       struct skep_pipe__pushed *pushed, struct skep_pipe_result *ret)
{
    const struct skep_pipe *p = r->p;
    *pushed = (struct skep_pipe__pushed){.stages = p->stages, .n_stages = p->n_stages};
    if (p->source)
        return SKEP_OK;
    SKEP_TRY(skep_pipe__pushdown(store, p, r->opts, pushed, r->err));
    return count_scanned(store, r, pushed, ret);
}

/* All rows, through the stages. */
static skep_rc read_all(struct skep_store *store, struct skep_pipe__run *r,
                        struct skep_pipe__pushed *pushed, struct skep_pipe_result *ret)
{
    bool again = false;
    if (r->p->source)
        return skep_pipe__read_source(r, ret);
    if (pushed->aggregate)
        SKEP_TRY(skep_pipe__aggregate(store, r, pushed, ret, &again));
    if (again) {
        finish_nodes(r);
        skep_pipe__no_aggregate(r->p, r->opts->arena, pushed);
        begin(r, pushed);
    }
    if (!pushed->aggregate)
        SKEP_TRY(read_rows(store, r, &pushed->plan, ret));
    r->stopped = r->full;
    return count_matched(store, r, pushed);
}

skep_rc skep_pipe_run(struct skep_store *store, const struct skep_pipe *p,
                      const struct skep_run_opts *opts, struct skep_pipe_result *ret, skep_err *err)
{
    struct skep_pipe__pushed pushed;
    struct skep_pipe__run r = {
        .p = p,
        .opts = opts,
        .err = err,
        .limit = p->limit,
        .calc = {.now_ms = p->now_ns / 1000000,
                 .start_ms = p->range.start_ns / 1000000,
                 .end_ms = p->range.end_ns / 1000000,
                 .loose = p->loose},
    };
    skep_assert(p->limit > 0 && p->limit <= SKEP_LIMIT_PIPE_ROWS);
    *ret = (struct skep_pipe_result){.complete = true};
    SKEP_TRY(prepare(store, &r, &pushed, ret));
    skep_arena_init(&r.scratch, "pipe scratch", opts->budget);
    r.calc.scratch = &r.scratch;
    r.calc.docs = skep_calc_docs_new(opts->budget);
    begin(&r, &pushed);
    skep_rc rc = read_all(store, &r, &pushed, ret);
    if (rc == SKEP_OK)
        rc = skep_pipe__end(&r, r.n_nodes ? &r.nodes[0] : NULL);
    finish_nodes(&r);
    skep_calc_docs_free(r.calc.docs);
    skep_arena_done(&r.scratch);
    SKEP_TRY(rc);
    ret->values = r.rows;
    ret->ids = r.ids;
    ret->n_rows = r.n_rows;
    ret->truncated = r.truncated;
    ret->rows_matched = r.matched;
    return SKEP_OK;
}

skep_rc skep_pipe_explain(struct skep_store *store, const struct skep_pipe *p,
                          const struct skep_run_opts *opts, skep_str **ret, unsigned *ret_n,
                          skep_err *err)
{
    struct skep_pipe__pushed pushed;
    SKEP_TRY(skep_pipe__pushdown(store, p, opts, &pushed, err));
    *ret = skep_new_n(opts->arena, skep_str, p->n_stages + 1);
    *ret_n = p->n_stages;
    for (unsigned i = 0; i < p->n_stages; i++)
        (*ret)[i] = pushed.how[i] == SKEP_PIPE__STORE  ? SKEP_STR("by the store")
                    : pushed.how[i] == SKEP_PIPE__PART ? SKEP_STR("in part by the store")
                                                       : SKEP_STR("row by row");
    return SKEP_OK;
}

skep_str skep_pipe_text(const skep_value *v, bool time, char out[SKEP_PIPE_TEXT_BYTES])
{
    if (v->type == SKEP_TYPE_NULL)
        return SKEP_STR_NULL;
    if (time && (v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE)) {
        int64_t ms = v->type == SKEP_TYPE_INT      ? v->i
                     : v->f > -9e18 && v->f < 9e18 ? (int64_t)v->f
                                                   : INT64_MAX;
        return (skep_str){out, skep_instant_text(ms, out)};
    }
    skep_str s = skep_calc_text(v, out);
    return s.p ? s : SKEP_STR("");
}
