// SPDX-License-Identifier: Apache-2.0
/* Queries by the numbers, straight on segment files.
 *
 *   bench_query [-t THREADS] [-n ROUNDS] [-q NAME] [-m MIB] [-k MIB] [-c MIB] [-d PPM] SEGMENT...
 *
 * Each query runs ROUNDS (5) times; the first one (cold cache) and the best are printed, with the
 * CPU time of all threads (least of the rounds), the rows it looked at, the groups of its answer
 * and the most it took of its budget. THREADS (cores - 1) help the calling one. -m is the budget of
 * a question (2048), "refused" when it does not suffice; -k the size of the cache of partial
 * answers (0: none is kept, each round does all the work), of which "kept" is what it holds then,
 * -c that of the cache of chunks (6144).  -d: each round's range begins so many millionths of the
 * whole later, as a window does that moves with the clock; instead of the best the mean of all
 * rounds but the first is printed. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "calc/calc.h"
#include "os/os.h"
#include "query/query.h"
#include "store/column/exec.h"
#include "store/column/rowset.h"

static struct skep_snapshot *snap;
static struct skep_pool *pool;
static struct skep_time_range all;
static skep_trace_id some_trace;
static uint64_t peak_bytes; /* of the budget, last question */
static uint64_t budget_mib = 2048;
static struct skep_partials *partials; /* NULL = nothing is kept */
static uint64_t drift_ppm, asked;      /* this question, so often */

static double ms_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void die(const char *what, const skep_err *err)
{
    fprintf(stderr, "bench_query: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

static skep_rc run(struct skep_store *s, const struct skep_plan *plan,
                   const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    (void)s;
    return skep_exec_run_kept(snap, pool, partials, plan, opts, ret, err);
}

static const struct skep_store_ops ops = {.name = "bench", .run = run};

/* "root.name" -> the field of the root. */
static struct skep_field_ref refer(const char *text)
{
    struct skep_field_ref f = {.name = skep_str_c(text), .label = skep_str_c(text)};
    if (skep_str_starts(f.name, SKEP_STR("root."))) {
        f.relation = SKEP_REL_ROOT;
        f.name = skep_str_skip(f.name, 5);
    } else if (skep_str_starts(f.name, SKEP_STR("parent."))) {
        f.relation = SKEP_REL_PARENT;
        f.name = skep_str_skip(f.name, 7);
    }
    return f;
}

/* "any.error", "child.error": some span passes; else a test of the row, its root or parent. */
static struct skep_expr *test(struct skep_arena *a, const char *field, enum skep_cmp op,
                              skep_value v)
{
    skep_str name = skep_str_c(field);
    bool any = skep_str_starts(name, SKEP_STR("any."));
    if (any || skep_str_starts(name, SKEP_STR("child."))) {
        struct skep_expr **kid = skep_new_n(a, struct skep_expr *, 1);
        kid[0] = test(a, field + (any ? 4 : 6), op, v);
        struct skep_expr *some = skep_new(a, struct skep_expr);
        *some = (struct skep_expr){.op = SKEP_EXPR_RELATED,
                                   .relation = any ? SKEP_REL_ANY : SKEP_REL_CHILD,
                                   .kids = kid,
                                   .n_kids = 1};
        return some;
    }
    skep_value *value = skep_new(a, skep_value);
    *value = v;
    struct skep_expr *e = skep_new(a, struct skep_expr);
    *e = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {.field = refer(field), .op = op, .values = value, .n_values = 1}};
    return e;
}

/* --- calculated fields: one question each has the field "x" --- */

enum calculated { PLAIN, BUCKET, STATUS, ITEMS };

static struct skep_calc *call(struct skep_arena *a, const char *fn, unsigned n,
                              struct skep_calc *const *args)
{
    struct skep_calc **kept = skep_new_n(a, struct skep_calc *, n), *e = NULL;
    unsigned wrong = 0;
    skep_err err;
    memcpy(kept, args, n * sizeof *args);
    if (skep_calc_call(a, skep_calc_find_derived(skep_str_c(fn)), kept, n, &e, &wrong, &err) !=
        SKEP_OK)
        die(fn, &err);
    return e;
}
#define CALL(fn, ...)                                                                              \
    call(a, fn, sizeof((struct skep_calc *[]){__VA_ARGS__}) / sizeof(struct skep_calc *),          \
         (struct skep_calc *[]){__VA_ARGS__})

static struct skep_calc *number(struct skep_arena *a, int64_t i)
{
    return skep_calc_const(a, (skep_value){.type = SKEP_TYPE_INT, .i = i});
}

static struct skep_calc *text(struct skep_arena *a, const char *t)
{
    return skep_calc_const(a, (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(t)});
}

static const struct skep_computed *compute(struct skep_arena *a, enum calculated what)
{
    static const char *const inputs[][2] = {[BUCKET] = {"duration_ms"},
                                            [STATUS] = {"http.status_code"},
                                            [ITEMS] = {"duration_ms", "app.items"}};
    struct skep_computed *k = skep_new(a, struct skep_computed);
    struct skep_computed_input *in = skep_new_n(a, struct skep_computed_input, 2);
    struct skep_calc *x = skep_calc_field(a, 0, false), *y = skep_calc_field(a, 1, false);
    *k = (struct skep_computed){.name = SKEP_STR("x"), .text = skep_str_c(inputs[what][0])};
    for (; k->n_inputs < 2 && inputs[what][k->n_inputs]; k->n_inputs++)
        in[k->n_inputs].name = skep_str_c(inputs[what][k->n_inputs]);
    k->inputs = in;
    k->calc = what == BUCKET   ? CALL("BUCKET", x, number(a, 50), number(a, 0), number(a, 1000))
              : what == STATUS ? CALL("IF", CALL("GTE", x, number(a, 500)), text(a, "5xx"),
                                      CALL("GTE", x, number(a, 400)), text(a, "4xx"),
                                      CALL("EXISTS", x), text(a, "ok"))
                               : CALL("IF", CALL("EXISTS", y), CALL("DIV", x, y));
    return k;
}

struct question {
    const char *name;
    enum calculated calc;
    enum skep_plan_kind kind;
    const char *groups[3];
    enum skep_agg_op op;
    const char *field;
    double param;
    int buckets;     /* of the whole range; 0 = totals only */
    int64_t step_ns; /* or the granularity itself */
    unsigned n_aggs; /* 3: two more percentiles */
    const char *test;
    enum skep_cmp cmp;
    skep_value value;
    int64_t slower_ms; /* and duration_ms above this */
    enum skep_traces_sort sort;
    unsigned limit;
};

#define STRV(t)                                                                                    \
    {                                                                                              \
        .type = SKEP_TYPE_STRING, .s = { t, sizeof(t) - 1 }                                        \
    }

static const struct question questions[] = {
    /* The table of goals: the data of gen, seed 42. */
    {.name = "goal-count-service-5m",
     .op = SKEP_AGG_COUNT,
     .groups = {"service.name"},
     .step_ns = INT64_C(300000000000)},
    {.name = "goal-percentiles-route",
     .op = SKEP_AGG_PERCENTILE,
     .param = 50,
     .n_aggs = 3,
     .field = "duration_ms",
     .groups = {"http.route"}},
    {.name = "goal-heatmap",
     .op = SKEP_AGG_HEATMAP,
     .field = "duration_ms",
     .step_ns = INT64_C(300000000000)},
    {.name = "goal-user-common", .op = SKEP_AGG_COUNT, .test = "user.id", .value = STRV("u-00042")},
    {.name = "goal-user-rare", .op = SKEP_AGG_COUNT, .test = "user.id", .value = STRV("u-99990")},
    {.name = "goal-top-user", .op = SKEP_AGG_COUNT, .groups = {"user.id"}, .limit = 20},
    {.name = "goal-distinct-user", .op = SKEP_AGG_COUNT_DISTINCT, .field = "user.id"},
    {.name = "goal-slow-errors-20",
     .kind = SKEP_PLAN_ROWS,
     .limit = 20,
     .test = "error",
     .value = {.type = SKEP_TYPE_BOOL, .b = true},
     .slower_ms = 1000},
    {.name = "goal-trace", .kind = SKEP_PLAN_TRACE},
    {.name = "goal-top-session", .op = SKEP_AGG_COUNT, .groups = {"session.id"}, .limit = 20},
    {.name = "goal-substring-common",
     .op = SKEP_AGG_COUNT,
     .test = "db.statement",
     .cmp = SKEP_CMP_CONTAINS,
     .value = STRV("warehouse_id = 7")},
    {.name = "goal-substring-rare",
     .op = SKEP_AGG_COUNT,
     .test = "db.statement",
     .cmp = SKEP_CMP_CONTAINS,
     .value = STRV("id = 123456")},
    {.name = "goal-facets-40",
     .kind = SKEP_PLAN_FACETS,
     .test = "duration_ms",
     .cmp = SKEP_CMP_GT,
     .value = {.type = SKEP_TYPE_INT, .i = 1000}},
    /* Others. */
    {.name = "count", .op = SKEP_AGG_COUNT},
    {.name = "count-minute", .op = SKEP_AGG_COUNT, .buckets = 120},
    {.name = "count-service-minute",
     .op = SKEP_AGG_COUNT,
     .groups = {"service.name"},
     .buckets = 120},
    {.name = "count-name-service",
     .op = SKEP_AGG_COUNT,
     .groups = {"name", "service.name"},
     .buckets = 120},
    {.name = "p95-route-minute",
     .op = SKEP_AGG_PERCENTILE,
     .param = 95,
     .field = "duration_ms",
     .groups = {"http.route"},
     .buckets = 120},
    {.name = "p95-five-minutes",
     .op = SKEP_AGG_PERCENTILE,
     .param = 95,
     .field = "duration_ms",
     .groups = {"service.name"},
     .step_ns = INT64_C(300000000000)},
    {.name = "p95", .op = SKEP_AGG_PERCENTILE, .param = 95, .field = "duration_ms"},
    {.name = "avg-service", .op = SKEP_AGG_AVG, .field = "duration_ms", .groups = {"service.name"}},
    {.name = "heatmap", .op = SKEP_AGG_HEATMAP, .field = "duration_ms", .buckets = 120},
    {.name = "filter-user",
     .op = SKEP_AGG_COUNT,
     .buckets = 120,
     .test = "user.id",
     .value = STRV("user-77")},
    {.name = "filter-slow",
     .op = SKEP_AGG_COUNT,
     .groups = {"name"},
     .test = "duration_ms",
     .cmp = SKEP_CMP_GT,
     .value = {.type = SKEP_TYPE_INT, .i = 1000}},
    {.name = "contains-statement",
     .op = SKEP_AGG_COUNT,
     .test = "db.statement",
     .cmp = SKEP_CMP_CONTAINS,
     .value = STRV("JOIN")},
    {.name = "contains-any",
     .op = SKEP_AGG_COUNT,
     .test = "*",
     .cmp = SKEP_CMP_CONTAINS,
     .value = STRV("timeout")},
    {.name = "errors-service",
     .op = SKEP_AGG_COUNT,
     .groups = {"service.name"},
     .test = "error",
     .value = {.type = SKEP_TYPE_BOOL, .b = true}},
    {.name = "group-user", .op = SKEP_AGG_COUNT, .groups = {"user.id"}},
    {.name = "group-user-minute", .op = SKEP_AGG_COUNT, .groups = {"user.id"}, .buckets = 120},
    {.name = "distinct-trace", .op = SKEP_AGG_COUNT_DISTINCT, .field = "trace.trace_id"},
    {.name = "distinct-user-service",
     .op = SKEP_AGG_COUNT_DISTINCT,
     .field = "user.id",
     .groups = {"service.name"}},
    {.name = "calc-bucket", .calc = BUCKET, .op = SKEP_AGG_COUNT, .groups = {"x"}},
    {.name = "calc-status", .calc = STATUS, .op = SKEP_AGG_COUNT, .groups = {"x"}},
    {.name = "calc-quotient",
     .calc = ITEMS,
     .op = SKEP_AGG_AVG,
     .field = "x",
     .groups = {"service.name"}},
    {.name = "concurrency", .op = SKEP_AGG_CONCURRENCY, .buckets = 120, .groups = {"service.name"}},
    /* Each relation behind the same question without. */
    {.name = "by-name", .op = SKEP_AGG_COUNT, .groups = {"name"}},
    {.name = "by-root-name", .op = SKEP_AGG_COUNT, .groups = {"root.name"}},
    {.name = "by-service", .op = SKEP_AGG_COUNT, .groups = {"service.name", "name"}},
    {.name = "edges", .op = SKEP_AGG_COUNT, .groups = {"parent.service.name", "service.name"}},
    {.name = "p95-service",
     .op = SKEP_AGG_PERCENTILE,
     .param = 95,
     .field = "duration_ms",
     .groups = {"service.name"}},
    {.name = "p95-edges",
     .op = SKEP_AGG_PERCENTILE,
     .param = 95,
     .field = "duration_ms",
     .groups = {"parent.service.name", "service.name"}},
    {.name = "p95-root-duration",
     .op = SKEP_AGG_PERCENTILE,
     .param = 95,
     .field = "root.duration_ms",
     .groups = {"service.name"}},
    {.name = "where-name",
     .op = SKEP_AGG_COUNT,
     .groups = {"service.name"},
     .test = "name",
     .value = STRV("POST /checkout")},
    {.name = "where-root-name",
     .op = SKEP_AGG_COUNT,
     .groups = {"service.name"},
     .test = "root.name",
     .value = STRV("POST /checkout")},
    {.name = "where-any-error",
     .op = SKEP_AGG_COUNT,
     .groups = {"service.name"},
     .test = "any.error",
     .value = {.type = SKEP_TYPE_BOOL, .b = true}},
    {.name = "where-child-error",
     .op = SKEP_AGG_COUNT,
     .groups = {"service.name"},
     .test = "child.error",
     .value = {.type = SKEP_TYPE_BOOL, .b = true}},
    {.name = "rows-newest", .kind = SKEP_PLAN_ROWS, .limit = 100},
    {.name = "rows-errors",
     .kind = SKEP_PLAN_ROWS,
     .limit = 100,
     .test = "error",
     .value = {.type = SKEP_TYPE_BOOL, .b = true}},
    {.name = "traces-recent", .kind = SKEP_PLAN_TRACES, .limit = 50},
    {.name = "traces-slow", .kind = SKEP_PLAN_TRACES, .limit = 50, .sort = SKEP_TRACES_SLOW},
    {.name = "traces-errors", .kind = SKEP_PLAN_TRACES, .limit = 50, .sort = SKEP_TRACES_ERRORS},
    {.name = "fields", .kind = SKEP_PLAN_FIELDS},
    {.name = "datasets", .kind = SKEP_PLAN_DATASETS},
};

static double ask(const struct question *q, double *ret_cpu_ms, uint64_t *ret_rows, size_t *ret_n)
{
    struct skep_arena a;
    skep_err err;
    struct skep_budget budget;
    skep_arena_init(&a, "bench", NULL);
    skep_budget_init(&budget, "query", budget_mib << 20, NULL);
    struct skep_run_opts opts = {.arena = &a, .budget = &budget};
    struct skep_field_ref groups[3];
    struct skep_agg aggs[3];
    struct skep_store store = {&ops};
    for (unsigned i = 0; i < 3; i++) {
        aggs[i] = (struct skep_agg){.op = q->op, .param = i ? 90 + 4.5 * i : q->param};
        aggs[i].field = refer(q->field ? q->field : "");
    }
    struct skep_plan p = {.kind = q->kind,
                          .range = all,
                          .aggs = aggs,
                          .n_aggs = q->n_aggs ? q->n_aggs : 1,
                          .groups = groups,
                          .limit = q->limit,
                          .granularity_ns = q->step_ns,
                          .trace_id = some_trace,
                          .sort = q->sort};
    p.range.start_ns += (all.end_ns - all.start_ns) / 1000000 * (int64_t)(drift_ppm * asked++);
    for (; p.n_groups < 3 && q->groups[p.n_groups]; p.n_groups++)
        groups[p.n_groups] = refer(q->groups[p.n_groups]);
    if (q->buckets)
        p.granularity_ns = (all.end_ns - all.start_ns) / q->buckets;
    if (q->calc != PLAIN) {
        p.computed = compute(&a, q->calc);
        p.n_computed = 1;
    }
    if (q->test)
        p.filter = test(&a, q->test, q->cmp, q->value);
    if (q->slower_ms) {
        struct skep_expr *both = skep_new(&a, struct skep_expr);
        struct skep_expr **kids = skep_new_n(&a, struct skep_expr *, 2);
        kids[0] = (struct skep_expr *)(uintptr_t)p.filter;
        kids[1] = test(&a, "duration_ms", SKEP_CMP_GT,
                       (skep_value){.type = SKEP_TYPE_INT, .i = q->slower_ms});
        *both = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = 2};
        p.filter = both;
    }
    if (q->kind == SKEP_PLAN_FACETS) { /* all fields, 40 at most; the test selects */
        const struct skep_rowset *rs = snap->sets[0].rowset;
        struct skep_field_ref *names = skep_new_n(&a, struct skep_field_ref, 40);
        for (uint32_t f = 0; f < rs->n_fields && p.n_groups < 40; f++)
            if (f == 0 || !skep_str_eq(rs->fields[f].name, rs->fields[f - 1].name))
                names[p.n_groups++].name = rs->fields[f].name;
        p.groups = names;
        p.selection = p.filter;
        p.filter = NULL;
    }
    double start = ms_of(CLOCK_MONOTONIC), cpu = ms_of(CLOCK_PROCESS_CPUTIME_ID);
    if (q->kind == SKEP_PLAN_AGGREGATE) {
        struct skep_result *r = NULL;
        skep_rc rc = skep_query_aggregate(&store, &p, &opts, &r, &err);
        if (rc != SKEP_OK && rc != SKEP_ENOMEM)
            die(q->name, &err);
        *ret_rows = rc == SKEP_OK ? r->rows_examined : 0;
        *ret_n = rc == SKEP_OK ? r->n_groups_total : 0;
    } else {
        struct skep_answer r;
        skep_rc rc = skep_query_run(&store, &p, &opts, &r, &err);
        if (rc != SKEP_OK && rc != SKEP_ENOMEM)
            die(q->name, &err);
        *ret_rows = rc == SKEP_OK ? r.rows_examined : 0;
        *ret_n = rc == SKEP_OK ? r.rows.n + r.traces.n + r.fields.n + r.datasets.n + r.facets.n : 0;
    }
    double ms = ms_of(CLOCK_MONOTONIC) - start;
    *ret_cpu_ms = ms_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    peak_bytes = atomic_load(&budget.peak_bytes);
    skep_arena_done(&a);
    return ms;
}

/* The trace of some row in the middle. */
static void find_trace(void)
{
    struct skep_rowset *rs = snap->sets[snap->n / 2].rowset;
    struct skep_colreader *r = NULL;
    struct skep_vec v;
    skep_err err;
    uint64_t block = skep_rowset_blocks(rs) / 2; /* behind a short row group numbers are left out */
    while (skep_rowset_block_rows(rs, block) == 0)
        block++;
    const uint64_t row = block * SKEP_BLOCK_ROWS;
    if (rs->ops->open_column(rs, SKEP_COL_TRACE_ID, &r, &err) != SKEP_OK ||
        r->ops->read(r, row, 1, &v, &err) != SKEP_OK || v.form != SKEP_VEC_ID16)
        die("a trace", &err);
    some_trace = v.id16[0];
    r->ops->close(r);
}

static void open_all(char **paths, unsigned n, uint64_t cache_mib)
{
    struct skep_cache *cache = skep_cache_new(NULL, cache_mib << 20);
    skep_err err;
    snap = skep_calloc(1, sizeof *snap + n * sizeof snap->sets[0]);
    atomic_store(&snap->refs, 1);
    all = (struct skep_time_range){INT64_MAX, INT64_MIN};
    for (unsigned i = 0; i < n; i++) {
        struct skep_rowset *rs = NULL;
        if (skep_segment_open(skep_os_real(), paths[i], cache, &rs, &err) != SKEP_OK)
            die(paths[i], &err);
        snap->sets[snap->n++].rowset = rs;
        all.start_ns = SKEP_MIN(all.start_ns, rs->bounds.min_start_ns);
        all.end_ns = SKEP_MAX(all.end_ns, rs->bounds.max_start_ns + 1);
        printf("%s: %llu rows, %u fields, %u resources\n", paths[i], (unsigned long long)rs->n_rows,
               rs->n_fields, rs->resources.n);
    }
}

int main(int argc, char **argv)
{
    unsigned threads = skep_n_cores() - 1, rounds = 5;
    const char *only = NULL;
    uint64_t kept_mib = 0, cache_mib = 6144;
    int at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (argv[at][1] == 't')
            threads = (unsigned)strtoul(argv[at + 1], NULL, 10);
        else if (argv[at][1] == 'n')
            rounds = (unsigned)strtoul(argv[at + 1], NULL, 10);
        else if (argv[at][1] == 'm')
            budget_mib = strtoull(argv[at + 1], NULL, 10);
        else if (argv[at][1] == 'k')
            kept_mib = strtoull(argv[at + 1], NULL, 10);
        else if (argv[at][1] == 'c')
            cache_mib = strtoull(argv[at + 1], NULL, 10);
        else if (argv[at][1] == 'd')
            drift_ppm = strtoull(argv[at + 1], NULL, 10);
        else
            only = argv[at + 1];
    }
    if (at >= argc) {
        printf("bench_query: name segment files (bench_segment writes one)\n");
        return 0;
    }
    open_all(argv + at, (unsigned)(argc - at), cache_mib);
    find_trace();
    partials = kept_mib ? skep_partials_new(NULL, kept_mib << 20) : NULL;
    pool = threads ? skep_pool_new("bench", threads) : NULL;
    printf("%-24s %10s %10s %10s %12s %8s %8s %8s\n", "query", "first ms", "best ms", "CPU ms",
           "rows", "answers", "MiB", "kept KiB");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(questions); i++) {
        double first = 0, best = 1e18, best_cpu = 1e18, sum = 0, sum_cpu = 0;
        uint64_t rows = 0;
        size_t n = 0;
        struct skep_partials_stats before = {0}, stats = {0};
        asked = 0;
        if (partials)
            skep_partials_stats(partials, &before);
        if (only && strstr(questions[i].name, only) == NULL)
            continue;
        for (unsigned k = 0; k < rounds; k++) {
            double cpu = 0, ms = ask(&questions[i], &cpu, &rows, &n);
            first = k ? first : ms;
            sum += k ? ms : 0;
            sum_cpu += k ? cpu : 0;
            best = SKEP_MIN(best, ms);
            best_cpu = SKEP_MIN(best_cpu, cpu);
        }
        if (partials)
            skep_partials_stats(partials, &stats);
        if (drift_ppm > 0 && rounds > 1) {
            best = sum / (rounds - 1);
            best_cpu = sum_cpu / (rounds - 1);
        }
        printf("%-24s %10.1f %10.1f %10.1f %12llu %8zu %8.1f %8.0f%s\n", questions[i].name, first,
               best, best_cpu, (unsigned long long)rows, n, (double)peak_bytes / 1048576,
               ((double)stats.bytes - (double)before.bytes) / 1024, rows ? "" : " refused");
    }
    skep_partials_free(partials);
    return 0;
}
