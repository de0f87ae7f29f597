// SPDX-License-Identifier: Apache-2.0
/* Segments by the numbers: write speed, bytes a span by column, scan speed, trace look-ups.
 *
 *   bench_segment GENFILE DIR [ROWS_PER_FLUSH [DEALT]]
 *
 * GENFILE is gen's output.  Its bodies become parts of 20 bodies each, the parts are flushed to
 * segments of ROWS_PER_FLUSH (400,000) rows, these are merged into one, and that one is read: whole
 * columns, traces with what they need in the cache, with an empty one, with none at all.  CPU
 * time is the process's; DEALT n takes every nth part first: segments overlap, and the merge has to
 * encode nearly all rows anew.  DIR gets the files and keeps the last one, DIR/merged. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "ingest/otlp.h"
#include "os/os.h"
#include "store/column/rowset.h"

enum { BODIES_PER_PART = 20, MAX_SETS = 4096 };

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const skep_err *err)
{
    fprintf(stderr, "bench_segment: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

static struct skep_rowset *parts[MAX_SETS];
static unsigned n_parts;
static uint64_t spans;

static void finish_part(struct skep_batch *b)
{
    struct skep_buf buf;
    skep_err err;
    size_t n;
    skep_buf_init(&buf, (size_t)1 << 31);
    if (skep_frame_encode(b, &buf, &err) != SKEP_OK)
        die("encode", &err);
    uint8_t *payload = skep_buf_take(&buf, &n);
    if (skep_part_open(payload, n, n_parts + 1, NULL, &parts[n_parts], &err) != SKEP_OK)
        die("part", &err);
    if (++n_parts == MAX_SETS)
        die("too many parts", NULL);
    skep_batch_free(b);
}

static void load(const char *path)
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
            b = skep_batch_new(NULL, 1795132800000000000 + (int64_t)n_parts * 170000000);
        struct skep_otlp_opts opts = {0};
        struct skep_otlp_report report;
        if (skep_otlp_traces_pb((skep_bytes){body, n}, b, &opts, &report, &err) != SKEP_OK)
            die("decode", &err);
        spans += report.accepted;
        skep_free(body);
        if (++bodies % BODIES_PER_PART == 0) {
            finish_part(b);
            b = NULL;
        }
    }
    if (b)
        finish_part(b);
    fclose(f);
}

static struct skep_rowset *write_segment(struct skep_rowset *const *sets, unsigned n,
                                         const char *path, struct skep_cache *cache)
{
    struct skep_segment_source *src = skep_alloc_n(struct skep_segment_source, n);
    struct skep_budget budget;
    skep_err err;
    struct skep_segment_info info;
    struct skep_rowset *rs;
    skep_budget_init(&budget, "write", UINT64_MAX, NULL);
    for (unsigned i = 0; i < n; i++)
        src[i].rowset = sets[i];
    struct skep_segment_job job = {
        .os = skep_os_real(), .path = path, .sources = src, .n_sources = n, .budget = &budget};
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
    if (skep_segment_write(&job, &info, &err) != SKEP_OK)
        die("write", &err);
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = now(CLOCK_MONOTONIC) - wall;
    printf(
        "write %-9s %9llu rows from %3u sets: %6.3f CPU-s per M rows, %6.3f s wall, %6.2f B/row, "
        "memory peak %.1f MiB\n",
        n == 1                     ? "copy"
        : sets[0]->trace_clustered ? "merge"
                                   : "flush",
        (unsigned long long)info.n_rows, n, cpu / (double)info.n_rows * 1e6, wall,
        (double)info.file_bytes / (double)info.n_rows,
        (double)atomic_load(&budget.peak_bytes) / 1048576.0);
    if (skep_segment_open(skep_os_real(), path, cache, &rs, &err) != SKEP_OK)
        die("open", &err);
    skep_free(src);
    return rs;
}

static void scan(struct skep_rowset *rs, struct skep_colreader *r, const char *name)
{
    skep_err err;
    double best = 1e9;
    const char *form = "none";
    for (int round = 0; round < 4; round++) {
        double cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        for (uint64_t row = 0; row < rs->row_end; row += SKEP_BLOCK_ROWS) {
            static const char *const forms[] = {"i64", "f64", "dict", "str", "id16"};
            unsigned n = skep_rowset_block_rows(rs, row / SKEP_BLOCK_ROWS);
            struct skep_vec v;
            if (n == 0)
                continue;
            if (r->ops->read(r, row, n, &v, &err) != SKEP_OK)
                die("read", &err);
            if (!v.none)
                form = forms[v.form];
        }
        cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        if (round > 0 && cpu < best)
            best = cpu;
    }
    printf("scan %-28s %-5s %8.1f M rows/s\n", name, form, (double)rs->n_rows / best / 1e6);
    r->ops->close(r);
}

static void scans(struct skep_rowset *rs)
{
    static const struct {
        enum skep_column col;
        const char *name;
    } columns[] = {{SKEP_COL_TIME, "TIME"},
                   {SKEP_COL_DURATION, "DURATION"},
                   {SKEP_COL_TRACE_ID, "TRACE_ID"},
                   {SKEP_COL_SPAN_ID, "SPAN_ID"},
                   {SKEP_COL_PARENT_ID, "PARENT_ID"},
                   {SKEP_COL_NAME, "NAME"},
                   {SKEP_COL_RESOURCE, "RESOURCE"},
                   {SKEP_COL_STATUS, "STATUS"},
                   {SKEP_COL_SEQ, "SEQ"}};
    struct skep_colreader *r;
    skep_err err;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(columns); i++) {
        if (rs->ops->open_column(rs, columns[i].col, &r, &err) != SKEP_OK)
            die("column", &err);
        scan(rs, r, columns[i].name);
    }
    static const char *const fields[] = {"user.id",        "http.route", "http.status_code",
                                         "db.statement",   "http.url",   "session.id",
                                         "db.pool.wait_ms"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(fields); i++)
        for (uint32_t f = 0; f < rs->n_fields; f++)
            if (skep_str_eq(rs->fields[f].name, skep_str_c(fields[i]))) {
                if (rs->ops->open_field(rs, f, &r, &err) != SKEP_OK)
                    die("field", &err);
                scan(rs, r, fields[i]);
            }
}

static uint64_t read_range(struct skep_rowset *rs, struct skep_row_range range)
{
    skep_err err;
    uint64_t values = 0;
    for (uint32_t c = 0; c < SKEP_COL_COUNT + rs->n_fields; c++) {
        struct skep_colreader *r;
        skep_rc rc = c < SKEP_COL_COUNT ? rs->ops->open_column(rs, (enum skep_column)c, &r, &err)
                                        : rs->ops->open_field(rs, c - SKEP_COL_COUNT, &r, &err);
        for (uint64_t row = range.first; rc == SKEP_OK && row < range.end;) {
            uint64_t block = row / SKEP_BLOCK_ROWS;
            uint64_t to = block * SKEP_BLOCK_ROWS + skep_rowset_block_rows(rs, block);
            struct skep_vec v;
            to = SKEP_MIN(to, range.end);
            if (to <= row) {
                row = (block + 1) * SKEP_BLOCK_ROWS;
                continue;
            }
            rc = r->ops->read(r, row, (unsigned)(to - row), &v, &err);
            values += v.n;
            row = to;
        }
        if (rc != SKEP_OK)
            die("range", &err);
        r->ops->close(r);
    }
    return values;
}

struct looked {
    double find, read, worst, miss;
};

/* Traces of n rows anywhere in the segment. */
static void look(const char *path, uint64_t limit_bytes, int n, uint64_t *seed, struct looked *to)
{
    struct skep_cache *cache = skep_cache_new(NULL, limit_bytes);
    struct skep_rowset *rs;
    struct skep_colreader *r;
    skep_err err;
    if (skep_segment_open(skep_os_real(), path, cache, &rs, &err) != SKEP_OK)
        die("open", &err);
    rs->ops->open_column(rs, SKEP_COL_TRACE_ID, &r, &err);
    for (int i = 0; i < n; i++) {
        struct skep_vec v;
        struct skep_row_range range;
        unsigned found;
        *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t row = (*seed >> 20) % rs->row_end;
        if (row % SKEP_BLOCK_ROWS >= skep_rowset_block_rows(rs, row / SKEP_BLOCK_ROWS))
            continue;
        if (r->ops->read(r, row, 1, &v, &err) != SKEP_OK)
            die("id", &err);
        skep_trace_id id = v.id16[0];
        double t = now(CLOCK_PROCESS_CPUTIME_ID);
        if (rs->ops->find_trace(rs, &id, &range, 1, &found, &err) != SKEP_OK || found != 1)
            die("find", &err);
        double t2 = now(CLOCK_PROCESS_CPUTIME_ID);
        read_range(rs, range);
        double t3 = now(CLOCK_PROCESS_CPUTIME_ID);
        id.b[5] ^= 0x55;
        if (rs->ops->find_trace(rs, &id, &range, 1, &found, &err) != SKEP_OK || found != 0)
            die("find", &err);
        to->find += t2 - t;
        to->read += t3 - t2;
        to->miss += now(CLOCK_PROCESS_CPUTIME_ID) - t3;
        to->worst = SKEP_MAX(to->worst, t3 - t);
    }
    r->ops->close(r);
    skep_rowset_unref(rs);
    skep_cache_free(cache);
}

/* n look-ups; fresh: each begins with an empty cache. */
static void lookups(const char *path, uint64_t limit_bytes, const char *name, int n, bool fresh)
{
    uint64_t seed = 42;
    struct looked l = {0};
    for (int i = 0; i < (fresh ? n : 1); i++)
        look(path, limit_bytes, fresh ? 1 : n, &seed, &l);
    printf("trace by id, cache %-8s CPU: find %7.1f us, read all columns %8.1f us, worst %8.1f us, "
           "not there %6.1f us\n",
           name, l.find / n * 1e6, l.read / n * 1e6, l.worst * 1e6, l.miss / n * 1e6);
}

static void deal(unsigned n)
{
    static struct skep_rowset *dealt[MAX_SETS];
    unsigned to = 0;
    for (unsigned first = 0; first < n; first++)
        for (unsigned i = first; i < n_parts; i += n)
            dealt[to++] = parts[i];
    memcpy(parts, dealt, n_parts * sizeof *parts);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_segment GENFILE DIR [ROWS_PER_FLUSH [DEALT]]\n");
        return 2;
    }
    uint64_t per_flush = 400000, dealt = 1;
    if (argc > 3 && !skep_str_u64(skep_str_c(argv[3]), &per_flush))
        return 2;
    if (argc > 4 && (!skep_str_u64(skep_str_c(argv[4]), &dealt) || dealt == 0 || dealt > MAX_SETS))
        return 2;
    load(argv[1]);
    deal((unsigned)dealt);
    struct skep_cache *cache = skep_cache_new(NULL, 256ull << 20);
    struct skep_rowset *segs[256];
    unsigned n_segs = 0;
    char path[512];
    for (unsigned at = 0; at < n_parts;) {
        unsigned to = at;
        uint64_t rows = 0;
        while (to < n_parts && rows < per_flush)
            rows += parts[to++]->n_rows;
        snprintf(path, sizeof path, "%s/flush-%u", argv[2], n_segs);
        segs[n_segs++] = write_segment(parts + at, to - at, path, cache);
        for (; at < to; at++)
            skep_rowset_unref(parts[at]);
    }
    snprintf(path, sizeof path, "%s/merged", argv[2]);
    struct skep_rowset *all = write_segment(segs, n_segs, path, cache);
    printf("%.2f bytes a span (%llu spans, %llu rows)\n", (double)all->bytes / (double)spans,
           (unsigned long long)spans, (unsigned long long)all->n_rows);
    scans(all);
    skep_rowset_unref(all);
    lookups(path, 256ull << 20, "warm", 2000, false);
    lookups(path, 256ull << 20, "empty", 100, true);
    lookups(path, 1, "none", 300, false);
    for (unsigned i = 0; i < n_segs; i++)
        skep_rowset_unref(segs[i]);
    skep_cache_free(cache);
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    skep_err err;
    if (skep_segment_verify(skep_os_real(), path, NULL, &err) != SKEP_OK)
        die("verify", &err);
    printf("verify %.2f CPU-s\n", now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    struct skep_buf text;
    skep_buf_init(&text, 1 << 20);
    if (skep_segment_dump(skep_os_real(), path, &text, &err) != SKEP_OK)
        die("dump", &err);
    fwrite(text.p, 1, text.n, stdout);
    skep_buf_done(&text);
    return 0;
}
