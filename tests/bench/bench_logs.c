// SPDX-License-Identifier: Apache-2.0
/* Log lines by the numbers: bytes a line against the text, needles, pages of a stream.
 *
 *   bench_logs LOGFILE DIR [LINES_PER_FLUSH]
 *
 * LOGFILE is gen_logs'.  Its bodies become parts of 20 bodies, flushed to segments of
 * LINES_PER_FLUSH (400,000) lines, merged into one, DIR/merged.  The questions are asked on one
 * thread over the flushed segments and over the merged one: first with an empty cache, then the
 * median of nine. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "ingest/otlp.h"
#include "os/os.h"
#include "query/query.h"
#include "store/column/exec.h"
#include "store/column/rowset.h"

enum { BODIES_PER_PART = 20, MAX_PARTS = 512, MAX_SEGMENTS = 256, ROUNDS = 9 };

static double ms_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void die(const char *what, const skep_err *err)
{
    (void)fprintf(stderr, "bench_logs: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

/* --- writing --- */

static struct job {
    const char *dir;
    struct skep_cache *cache;
    struct skep_rowset *parts[MAX_PARTS], *segments[MAX_SEGMENTS];
    unsigned n_parts, n_segments;
    uint64_t n, pending, text_bytes, n_lines;
    double flush_ms;
} job;

static void write_segment(struct skep_rowset *const *sets, unsigned n, const char *name,
                          struct skep_rowset **ret)
{
    struct skep_segment_source *src = skep_alloc_n(struct skep_segment_source, n);
    struct skep_budget budget;
    struct skep_segment_info info;
    char path[512];
    skep_err err;
    for (unsigned i = 0; i < n; i++)
        src[i].rowset = sets[i];
    skep_budget_init(&budget, "write", UINT64_MAX, NULL);
    (void)snprintf(path, sizeof path, "%s/%s", job.dir, name);
    struct skep_segment_job w = {.os = skep_os_real(),
                                 .path = path,
                                 .sources = src,
                                 .n_sources = n,
                                 .layout = SKEP_LAYOUT_LOGS,
                                 .budget = &budget};
    double cpu = ms_of(CLOCK_PROCESS_CPUTIME_ID);
    if (skep_segment_write(&w, &info, &err) != SKEP_OK)
        die("write", &err);
    cpu = ms_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (ret == &job.segments[job.n_segments])
        job.flush_ms += cpu;
    else
        printf("%s: %.2f CPU-s a million lines, memory peak %.1f MiB\n", name,
               cpu * 1e3 / (double)info.n_rows,
               (double)atomic_load(&budget.peak_bytes) / 1048576.0);
    if (skep_segment_open(skep_os_real(), path, job.cache, ret, &err) != SKEP_OK)
        die("open", &err);
    skep_free(src);
}

static void flush(void)
{
    char name[32];
    if (job.n_parts == 0)
        return;
    if (job.n_segments == MAX_SEGMENTS)
        die("too many segments", NULL);
    (void)snprintf(name, sizeof name, "flush-%u", job.n_segments);
    write_segment(job.parts, job.n_parts, name, &job.segments[job.n_segments]);
    job.n_segments++;
    while (job.n_parts > 0)
        skep_rowset_unref(job.parts[--job.n_parts]);
    job.pending = 0;
}

static void finish_part(struct skep_batch *b)
{
    struct skep_buf buf;
    skep_err err;
    size_t n;
    skep_buf_init(&buf, (size_t)1 << 31);
    if (skep_frame_encode(b, &buf, &err) != SKEP_OK)
        die("encode", &err);
    uint8_t *payload = skep_buf_take(&buf, &n);
    if (job.n_parts == MAX_PARTS)
        die("too many parts", NULL);
    job.pending += b->n_rows;
    if (skep_part_open(payload, n, ++job.n, NULL, &job.parts[job.n_parts++], &err) != SKEP_OK)
        die("part", &err);
    skep_batch_free(b);
}

/* Bytes of the batch's bodies, a newline each. */
static void count_text(const struct skep_batch *b)
{
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *x = &b->fields[f];
        if (!skep_str_eq(skep_batch_str(b, x->name), SKEP_STR("body")) ||
            x->type != SKEP_TYPE_STRING)
            continue;
        for (uint32_t i = 0; i < x->n; i++)
            job.text_bytes += skep_batch_str(b, (uint32_t)x->vals[i]).n + 1;
        job.n_lines += x->n;
    }
}

static void load(const char *path, uint64_t per_flush)
{
    FILE *f = fopen(path, "rb");
    uint8_t head[8];
    struct skep_batch *b = NULL;
    unsigned bodies = 0;
    skep_err err;
    if (!f)
        die(path, NULL);
    while (fread(head, 1, 8, f) == 8) {
        uint32_t n = skep_load_le32(head);
        uint8_t *body = skep_malloc(n);
        if (fread(body, 1, n, f) != n)
            die("short file", NULL);
        if (!b)
            b = skep_batch_new(NULL, 1795132800000000000 + (int64_t)job.n * 2000000000);
        struct skep_otlp_opts opts = {0};
        struct skep_otlp_report report;
        if (skep_otlp_logs_pb((skep_bytes){body, n}, b, &opts, &report, &err) != SKEP_OK)
            die("decode", &err);
        skep_free(body);
        if (++bodies % BODIES_PER_PART)
            continue;
        count_text(b);
        finish_part(b);
        b = NULL;
        if (job.pending >= per_flush)
            flush();
    }
    if (b) {
        count_text(b);
        finish_part(b);
    }
    flush();
    (void)fclose(f);
}

/* --- asking --- */

static struct skep_snapshot *snap;
static struct skep_time_range all;
static char some_id[33];

static skep_rc run(struct skep_store *s, const struct skep_plan *plan,
                   const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    (void)s;
    return skep_exec_run(snap, NULL, plan, opts, ret, err);
}
static const struct skep_store_ops ops = {.name = "bench", .run = run};

static const struct question {
    const char *name, *field, *text; /* text NULL: the trace id of some line */
    enum skep_cmp op;
    unsigned page; /* rows of the dataset named by text; 0: count */
} questions[] = {
    {"rare words in one line", "body", "OutOfDiskSpaceError on volume-7f3a91c2", SKEP_CMP_CONTAINS,
     0},
    {"one rare word", "body", "OutOfDiskSpaceError", SKEP_CMP_CONTAINS, 0},
    {"a trace id in one line", "body", NULL, SKEP_CMP_CONTAINS, 0},
    {"a word that is not there", "body", "NullPointerException", SKEP_CMP_CONTAINS, 0},
    {"an id that is not there", "body", "0123456789abcdeffedcba9876543210", SKEP_CMP_CONTAINS, 0},
    {"16 hex digits not there", "body", "0123456789abcdef", SKEP_CMP_CONTAINS, 0},
    {"8 hex digits, one line", "body", "7f3a91c2", SKEP_CMP_CONTAINS, 0},
    {"an order id", "body", "\"order_id\":8123456,", SKEP_CMP_CONTAINS, 0},
    {"rare word in any field", "*", "OutOfDiskSpaceError", SKEP_CMP_CONTAINS, 0},
    {"common word", "body", "deadlock", SKEP_CMP_CONTAINS, 0},
    {"newest 100 of a stream", "dataset", "orders", SKEP_CMP_EQ, 100},
    {"newest 100 of a small stream", "dataset", "rate-limiter", SKEP_CMP_EQ, 100},
};

static uint64_t ask(const struct question *q)
{
    struct skep_arena a;
    struct skep_budget budget;
    struct skep_store store = {&ops};
    skep_err err;
    uint64_t n = 0;
    skep_arena_init(&a, "bench", NULL);
    skep_budget_init(&budget, "query", UINT64_C(1) << 30, NULL);
    skep_value v = {.type = SKEP_TYPE_STRING, .s = skep_str_c(q->text ? q->text : some_id)};
    struct skep_expr e = {
        .op = SKEP_EXPR_TEST,
        .test = {
            .field = {.name = skep_str_c(q->field)}, .op = q->op, .values = &v, .n_values = 1}};
    struct skep_agg count = {.op = SKEP_AGG_COUNT};
    struct skep_plan p = {.kind = q->page ? SKEP_PLAN_ROWS : SKEP_PLAN_AGGREGATE,
                          .range = all,
                          .filter = &e,
                          .aggs = q->page ? NULL : &count,
                          .n_aggs = q->page ? 0 : 1,
                          .limit = q->page};
    struct skep_run_opts opts = {.arena = &a, .budget = &budget};
    if (q->page) {
        struct skep_answer r;
        if (skep_query_run(&store, &p, &opts, &r, &err) != SKEP_OK)
            die(q->name, &err);
        n = r.rows.n;
    } else {
        struct skep_result *r = NULL;
        if (skep_query_aggregate(&store, &p, &opts, &r, &err) != SKEP_OK)
            die(q->name, &err);
        n = (uint64_t)r->totals.values[0].i;
    }
    skep_arena_done(&a);
    return n;
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The files, each question first with nothing of them in the cache. */
static void ask_all(const char *title, unsigned n)
{
    printf("\n%-32s %10s %10s %10s %8s\n", title, "first ms", "median ms", "CPU ms", "lines");
    for (size_t k = 0; k < SKEP_ARRAY_LEN(questions); k++) {
        struct skep_cache *cache = skep_cache_new(NULL, 64ull << 20);
        double first = 0, ms[ROUNDS], cpu = 0;
        uint64_t lines = 0;
        char path[512];
        skep_err err;
        snap = skep_calloc(1, sizeof *snap + n * sizeof snap->sets[0]);
        atomic_store(&snap->refs, 1);
        for (unsigned i = 0; i < n; i++) {
            (void)snprintf(path, sizeof path, n > 1 ? "%s/flush-%u" : "%s/merged", job.dir, i);
            if (skep_segment_open(skep_os_real(), path, cache, &snap->sets[i].rowset, &err) !=
                SKEP_OK)
                die("open", &err);
            const struct skep_block_bounds *b = &snap->sets[snap->n++].rowset->bounds;
            all.start_ns = i ? SKEP_MIN(all.start_ns, b->min_start_ns) : b->min_start_ns;
            all.end_ns = SKEP_MAX(all.end_ns, b->max_start_ns + 1);
        }
        for (int i = -1; i < ROUNDS; i++) {
            double t = ms_of(CLOCK_MONOTONIC), c = ms_of(CLOCK_PROCESS_CPUTIME_ID);
            lines = ask(&questions[k]);
            t = ms_of(CLOCK_MONOTONIC) - t;
            c = ms_of(CLOCK_PROCESS_CPUTIME_ID) - c;
            if (i < 0)
                first = t;
            else
                ms[i] = t;
            cpu = i < 1 || c < cpu ? c : cpu;
        }
        qsort(ms, ROUNDS, sizeof *ms, by_double);
        printf("%-32s %10.2f %10.2f %10.2f %8llu\n", questions[k].name, first, ms[ROUNDS / 2], cpu,
               (unsigned long long)lines);
        skep_snapshot_unref(snap);
        skep_cache_free(cache);
    }
}

/* The trace id of some line that has one, as hex. */
static void find_id(struct skep_rowset *rs)
{
    struct skep_colreader *r = NULL;
    skep_err err;
    if (rs->ops->open_column(rs, SKEP_COL_TRACE_ID, &r, &err) != SKEP_OK)
        die("column", &err);
    for (uint64_t b = skep_rowset_blocks(rs) / 2; b < skep_rowset_blocks(rs) && !some_id[0]; b++) {
        struct skep_vec v;
        unsigned n = skep_rowset_block_rows(rs, b);
        if (n == 0)
            continue;
        if (r->ops->read(r, b * SKEP_BLOCK_ROWS, n, &v, &err) != SKEP_OK)
            die("read", &err);
        static const uint8_t none[16];
        const skep_trace_id *id = v.none ? NULL : &v.id16[v.constant ? 0 : n / 2];
        if (id && memcmp(id->b, none, 16) != 0)
            skep_hex_encode((skep_bytes){id->b, 16}, some_id);
    }
    r->ops->close(r);
}

int main(int argc, char **argv)
{
    uint64_t per_flush = 400000;
    if (argc < 3 || (argc > 3 && !skep_str_u64(skep_str_c(argv[3]), &per_flush))) {
        (void)fprintf(stderr, "usage: bench_logs LOGFILE DIR [LINES_PER_FLUSH]\n");
        return 2;
    }
    job.dir = argv[2];
    job.cache = skep_cache_new(NULL, 256ull << 20);
    load(argv[1], per_flush);
    struct skep_rowset *merged;
    uint64_t flushed = 0;
    for (unsigned i = 0; i < job.n_segments; i++)
        flushed += job.segments[i]->bytes;
    double lines = (double)job.n_lines, raw = (double)job.text_bytes;
    printf("%llu lines of %.1f bytes; flushed: %u segments, %.2f CPU-s a million lines, %.2f bytes "
           "a line, 1/%.1f\n",
           (unsigned long long)job.n_lines, raw / lines, job.n_segments, job.flush_ms * 1e3 / lines,
           (double)flushed / lines, raw / (double)flushed);
    write_segment(job.segments, job.n_segments, "merged", &merged);
    printf("merged: %.2f bytes a line, 1/%.1f of the text\n", (double)merged->bytes / lines,
           raw / (double)merged->bytes);
    find_id(merged);
    skep_rowset_unref(merged);
    unsigned n = job.n_segments;
    while (job.n_segments > 0)
        skep_rowset_unref(job.segments[--job.n_segments]);
    skep_cache_free(job.cache);
    ask_all("over the flushed segments", n);
    ask_all("over the merged one", 1);
    skep_err err;
    struct skep_buf text;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/merged", job.dir);
    skep_buf_init(&text, 1 << 20);
    if (skep_segment_dump(skep_os_real(), path, &text, &err) != SKEP_OK)
        die("dump", &err);
    (void)fwrite("\n", 1, 1, stdout);
    (void)fwrite(text.p, 1, text.n, stdout);
    skep_buf_done(&text);
    return 0;
}
