// SPDX-License-Identifier: Apache-2.0
/* What long and large traces do to a segment.
 *
 *   bench_giant DIR [LONG_PER_MILLE]
 *
 * An hour of one million spans in traces of ten that last a second, one trace of one million spans
 * over the whole hour, and of a thousand of the small traces LONG_PER_MILLE (10) last half an hour.
 * They become one segment in DIR.  Printed: how wide its blocks are in time, what a question of
 * five minutes looks at, relations and the giant's rows, each with CPU time and the most memory it
 * took. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "os/os.h"
#include "query/query.h"
#include "store/column/exec.h"

enum { SPANS = 1000000, PER_TRACE = 10, PARTS = 40, HOUR_S = 3600 };
#define T0     INT64_C(1700000000000000000)
#define SECOND INT64_C(1000000000)

static struct skep_snapshot *snap;
static uint64_t seed = 88172645463325252u;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void die(const char *what, const skep_err *err)
{
    fprintf(stderr, "bench_giant: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

static void put_span(struct skep_batch *b, uint64_t trace, int64_t t, uint64_t span,
                     uint64_t parent, const uint32_t *names)
{
    uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, t, SKEP_SOURCE_OTLP);
    b->duration_ns[row] = (int64_t)(rnd() % 50000000);
    memcpy(b->trace_id[row].b, &trace, 8);
    b->trace_id[row].b[15] = 1;
    b->span_id[row] = span;
    b->parent_id[row] = parent;
    b->name[row] = names[parent == 0 ? 0 : 1 + span % 7];
    b->status[row] = rnd() % 50 == 0 ? SKEP_STATUS_ERROR : SKEP_STATUS_UNSET;
}

/* Part k of the hour: every PARTS-th small trace, and a share of the giant. */
static struct skep_rowset *make_part(unsigned k, unsigned long_per_mille)
{
    struct skep_batch *b = skep_batch_new(NULL, T0 + (HOUR_S + 1) * SECOND);
    uint32_t names[8];
    char text[16];
    for (unsigned i = 0; i < 8; i++)
        names[i] =
            skep_batch_intern(b, (skep_str){text, (size_t)snprintf(text, sizeof text, "op-%u", i)});
    for (uint64_t t = k; t < SPANS / PER_TRACE; t += PARTS) {
        int64_t start = T0 + (int64_t)(rnd() % (HOUR_S / 2 * (uint64_t)SECOND)) * 2;
        int64_t length = rnd() % 1000 < long_per_mille ? HOUR_S / 2 * SECOND : SECOND;
        for (uint64_t i = 0; i < PER_TRACE; i++)
            put_span(b, 2 + t, start + (int64_t)i * length / PER_TRACE, t * 16 + i + 1,
                     i ? t * 16 + i / 2 + 1 : 0, names);
    }
    for (uint64_t i = k; i < SPANS; i += PARTS)
        put_span(b, 1, T0 + (int64_t)i * (HOUR_S * SECOND / SPANS), (1ull << 40) + i,
                 i ? (1ull << 40) + i / 3 : 0, names);
    struct skep_buf buf;
    struct skep_rowset *rs = NULL;
    skep_err err;
    size_t n;
    skep_buf_init(&buf, (size_t)1 << 31);
    if (skep_frame_encode(b, &buf, &err) != SKEP_OK)
        die("encode", &err);
    uint8_t *payload = skep_buf_take(&buf, &n);
    if (skep_part_open(payload, n, k + 1, NULL, &rs, &err) != SKEP_OK)
        die("part", &err);
    skep_batch_free(b);
    return rs;
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void write_segment(const char *path, unsigned long_per_mille)
{
    struct skep_segment_source sources[PARTS];
    struct skep_segment_info info;
    struct skep_budget budget;
    skep_err err;
    skep_budget_init(&budget, "flush", UINT64_C(1) << 31, NULL);
    for (unsigned k = 0; k < PARTS; k++)
        sources[k] = (struct skep_segment_source){make_part(k, long_per_mille), NULL};
    struct skep_segment_job job = {.os = skep_os_real(),
                                   .path = path,
                                   .sources = sources,
                                   .n_sources = PARTS,
                                   .budget = &budget};
    double start = cpu_ms();
    if (skep_segment_write(&job, &info, &err) != SKEP_OK)
        die("write", &err);
    printf("written: %llu rows, %llu traces, %.1f bytes a row, %.0f ms\n",
           (unsigned long long)info.n_rows, (unsigned long long)info.traces,
           (double)info.file_bytes / (double)info.n_rows, cpu_ms() - start);
    for (unsigned k = 0; k < PARTS; k++)
        skep_rowset_unref(sources[k].rowset);
}

static void blocks(const struct skep_rowset *rs)
{
    uint64_t n = 0, wide = 0;
    for (uint64_t b = 0; b < skep_rowset_blocks(rs); b++) {
        if (skep_rowset_block_rows(rs, b) == 0)
            continue;
        n++;
        wide += rs->blocks[b].max_start_ns - rs->blocks[b].min_start_ns > 300 * SECOND;
    }
    printf("blocks: %llu, of which %llu are wider than five minutes\n", (unsigned long long)n,
           (unsigned long long)wide);
}

static skep_rc run(struct skep_store *s, const struct skep_plan *plan,
                   const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    (void)s;
    return skep_exec_run(snap, NULL, plan, opts, ret, err);
}

static const struct skep_store_ops ops = {.name = "bench", .run = run};

static void ask(const char *what, const struct skep_plan *plan)
{
    struct skep_store store = {&ops};
    struct skep_arena arena;
    struct skep_budget budget;
    struct skep_result *r = NULL;
    struct skep_answer a;
    skep_err err;
    double best = 1e9;
    uint64_t rows = 0, peak = 0;
    for (int i = 0; i < 3; i++) {
        skep_budget_init(&budget, "query", UINT64_C(1) << 31, NULL);
        skep_arena_init(&arena, "answer", &budget);
        struct skep_run_opts opts = {.arena = &arena, .budget = &budget};
        double start = cpu_ms();
        bool agg = plan->kind == SKEP_PLAN_AGGREGATE;
        if ((agg ? skep_query_aggregate(&store, plan, &opts, &r, &err)
                 : skep_query_run(&store, plan, &opts, &a, &err)) != SKEP_OK)
            die(what, &err);
        best = SKEP_MIN(best, cpu_ms() - start);
        rows = agg ? r->rows_examined : a.rows_examined;
        peak = atomic_load(&budget.peak_bytes);
        skep_arena_done(&arena);
    }
    printf("%-34s %9.1f ms CPU %12llu rows looked at %8.1f MiB\n", what, best,
           (unsigned long long)rows, (double)peak / 1048576);
}

static void questions(void)
{
    struct skep_field_ref by[2] = {{.name = SKEP_STR("name")},
                                   {.name = SKEP_STR("name"), .relation = SKEP_REL_PARENT}};
    struct skep_agg count = {.op = SKEP_AGG_COUNT};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {T0, T0 + (HOUR_S + 3600) * SECOND},
                          .aggs = &count,
                          .n_aggs = 1,
                          .groups = by,
                          .n_groups = 1};
    struct skep_test failed = {.field.name = SKEP_STR("error"), .op = SKEP_CMP_EXISTS};
    struct skep_expr test = {.op = SKEP_EXPR_TEST, .test = failed};
    struct skep_expr *kid[1] = {&test};
    struct skep_expr some = {.op = SKEP_EXPR_RELATED, .kids = kid, .n_kids = 1};
    ask("by name", &p);
    p.n_groups = 2;
    ask("by name, parent.name", &p);
    by[1].relation = SKEP_REL_ROOT;
    ask("by name, root.name", &p);
    p.n_groups = 1;
    p.filter = &some;
    for (int how = SKEP_REL_CHILD; how < SKEP_REL_COUNT; how++) {
        static const char *const names[SKEP_REL_COUNT] = {
            [SKEP_REL_CHILD] = "where child.error",
            [SKEP_REL_ANY] = "where any.error",
            [SKEP_REL_ANCESTOR] = "where an ancestor failed",
            [SKEP_REL_DESCENDANT] = "where a descendant failed",
            [SKEP_REL_SIBLING] = "where a sibling failed"};
        some.relation = (enum skep_relation)how;
        ask(names[how], &p);
    }
    p.filter = NULL;
    p.range = (struct skep_time_range){T0 + 1500 * SECOND, T0 + 1800 * SECOND};
    ask("five minutes, by name", &p);
    p.n_groups = 2;
    by[1].relation = SKEP_REL_PARENT;
    ask("five minutes, by name, parent.name", &p);
    struct skep_plan trace = {.kind = SKEP_PLAN_TRACE, .n_columns = 1, .columns = by};
    trace.trace_id.b[0] = 2;
    trace.trace_id.b[15] = 1;
    ask("rows of a small trace", &trace);
    trace.trace_id.b[0] = 1;
    ask("rows of the giant", &trace);
}

int main(int argc, char **argv)
{
    char path[4096];
    skep_err err;
    struct skep_rowset *rs = NULL;
    if (argc < 2)
        die("bench_giant DIR [LONG_PER_MILLE]", NULL);
    snprintf(path, sizeof path, "%s/giant.seg", argv[1]);
    write_segment(path,
                  argc > 2 ? (unsigned)atoi(argv[2]) : 10); // tidy: allow banned: a bench's own
    struct skep_cache *cache = skep_cache_new(NULL, UINT64_C(1) << 30);
    if (skep_segment_open(skep_os_real(), path, cache, &rs, &err) != SKEP_OK)
        die("open", &err);
    snap = skep_calloc(1, sizeof *snap + sizeof snap->sets[0]);
    atomic_store(&snap->refs, 1);
    snap->n = 1;
    snap->sets[0].rowset = rs;
    blocks(rs);
    questions();
    skep_snapshot_unref(snap);
    skep_cache_free(cache);
    remove(path);
    return 0;
}
