// SPDX-License-Identifier: Apache-2.0
/* The write path by the numbers: encode, commit, fold, flush, restart.
 *
 *   bench_append GENFILE DIR [IN_FLIGHT [MEMORY_MIB]]
 *
 * GENFILE is gen's output: one body = one append of about 512 spans.  Decoding is done ahead and
 * not timed. Appends keep IN_FLIGHT (4) requests on their way, as so many connections would.  DIR
 * must be empty or missing; it is left behind.
 *
 * CPU seconds: `caller` = encoding and opening on the appending thread, `committer` = checksum
 * excluded (it is the caller's), copying, writing, fsync, publishing; `all` = the process, with
 * folding, flushing and merging that ran meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "ingest/otlp.h"
#include "os/os.h"
#include "os/thread.h"
#include "store/column/part.h"
#include "store/column/rowset.h"
#include "store/store.h"

enum { CHUNK = 256 };

static double now(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const skep_err *err)
{
    (void)fprintf(stderr, "bench_append: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

static FILE *in;
static struct skep_budget *peak_of;

static struct skep_batch *next_batch(void)
{
    uint8_t head[8];
    if (fread(head, 1, sizeof head, in) != sizeof head)
        return NULL;
    uint32_t n = skep_load_le32(head);
    uint8_t *body = skep_malloc(n);
    if (fread(body, 1, n, in) != n)
        die("short file", NULL);
    const struct skep_os *os = skep_os_real();
    struct skep_batch *b = skep_batch_new(NULL, os->now_ns(os));
    struct skep_otlp_opts opts = {0};
    struct skep_otlp_report report;
    skep_err err;
    if (skep_otlp_traces_pb((skep_bytes){body, n}, b, &opts, &report, &err) != SKEP_OK)
        die("decode", &err);
    skep_batch_identity(b, true);
    skep_free(body);
    return b;
}

static struct {
    struct skep_mutex mu;
    struct skep_cond cond;
    unsigned in_flight;
    uint64_t rows, refused;
} flight;

static void on_done(void *ctx, skep_rc rc, const struct skep_append_result *res,
                    const skep_err *err)
{
    (void)ctx;
    if (rc != SKEP_OK && rc != SKEP_ENOMEM)
        die("append", err);
    skep_mutex_lock(&flight.mu);
    flight.in_flight--;
    flight.rows += res->rows;
    flight.refused += rc != SKEP_OK;
    skep_cond_signal(&flight.cond);
    skep_mutex_unlock(&flight.mu);
}

static void wait_below(unsigned n)
{
    skep_mutex_lock(&flight.mu);
    while (flight.in_flight >= n)
        skep_cond_wait(&flight.cond, &flight.mu);
    flight.in_flight++;
    skep_mutex_unlock(&flight.mu);
}

static void bench_encode(void)
{
    struct skep_batch *b[CHUNK];
    unsigned n = 0;
    uint64_t rows = 0, bytes = 0;
    while (n < CHUNK && (b[n] = next_batch()))
        rows += b[n++]->n_rows;
    double encode = 0, open = 0, fold;
    struct skep_rowset *parts[CHUNK], *folded;
    skep_err err;
    for (unsigned i = 0; i < n; i++) {
        struct skep_buf buf;
        size_t size;
        double t = now(CLOCK_THREAD_CPUTIME_ID);
        skep_buf_init(&buf, 1u << 31);
        if (skep_frame_encode(b[i], &buf, &err) != SKEP_OK)
            die("encode", &err);
        uint8_t *p = skep_buf_take(&buf, &size);
        p = skep_realloc(p, size);
        encode += now(CLOCK_THREAD_CPUTIME_ID) - t;
        t = now(CLOCK_THREAD_CPUTIME_ID);
        if (skep_part_open(p, size, i + 1, NULL, &parts[i], &err) != SKEP_OK)
            die("open", &err);
        open += now(CLOCK_THREAD_CPUTIME_ID) - t;
        bytes += size;
        skep_batch_free(b[i]);
    }
    fold = now(CLOCK_THREAD_CPUTIME_ID);
    if (skep_part_fold(parts, n, NULL, &folded, &err) != SKEP_OK)
        die("fold", &err);
    fold = now(CLOCK_THREAD_CPUTIME_ID) - fold;
    double m = (double)rows / 1e6;
    printf("encode     %.3f CPU-s per M rows, %.1f B/row, %llu rows in %u frames\n", encode / m,
           (double)bytes / (double)rows, (unsigned long long)rows, n);
    printf("open       %.3f CPU-s per M rows\n", open / m);
    printf("fold       %.3f CPU-s per M rows, %u parts to one, %.1f B/row\n", fold / m, n,
           (double)folded->bytes / (double)rows);
    for (unsigned i = 0; i < n; i++)
        skep_rowset_unref(parts[i]);
    skep_rowset_unref(folded);
}

static void bench_append(struct skep_store *s, unsigned in_flight)
{
    double wall = 0, caller = 0, all = 0;
    struct skep_batch *b[CHUNK];
    unsigned n;
    do {
        for (n = 0; n < CHUNK && (b[n] = next_batch()); n++) {
        }
        double w = now(CLOCK_MONOTONIC), c = now(CLOCK_THREAD_CPUTIME_ID),
               p = now(CLOCK_PROCESS_CPUTIME_ID);
        for (unsigned i = 0; i < n; i++) {
            wait_below(in_flight);
            skep_store_append(s, b[i], on_done, NULL);
        }
        wait_below(1);
        flight.in_flight = 0;
        wall += now(CLOCK_MONOTONIC) - w;
        caller += now(CLOCK_THREAD_CPUTIME_ID) - c;
        all += now(CLOCK_PROCESS_CPUTIME_ID) - p;
    } while (n == CHUNK);
    double m = (double)flight.rows / 1e6;
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    printf("memory     peak %.1f MiB of the budget\n",
           (double)atomic_load(&peak_of->peak_bytes) / 1048576.0);
    printf("append     %.0f rows/s acknowledged on disk (%u in flight), %.3f s wall; CPU-s per M "
           "rows: "
           "caller %.3f, all %.3f; %llu commits, %llu refused, %.1f MB log\n",
           (double)flight.rows / wall, in_flight, wall, caller / m, all / m,
           (unsigned long long)st.commits, (unsigned long long)flight.refused,
           (double)st.wal_bytes / 1e6);
}

static struct skep_store *open_store(const char *dir, struct skep_pool *pool,
                                     struct skep_budget *memory)
{
    struct skep_column_config cfg = {
        .os = skep_os_real(), .dir = dir, .pool = pool, .memory = memory};
    struct skep_store *s;
    skep_err err;
    if (skep_column_open(&cfg, &s, &err) != SKEP_OK)
        die("open", &err);
    return s;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: bench_append GENFILE DIR [IN_FLIGHT [MEMORY_MIB]]", NULL);
    unsigned in_flight = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 4;
    skep_mutex_init(&flight.mu, "bench");
    skep_cond_init(&flight.cond);
    in = fopen(argv[1], "rb");
    if (!in)
        die(argv[1], NULL);
    bench_encode();
    rewind(in);
    struct skep_budget memory;
    skep_budget_init(&memory, "memory", (argc > 4 ? strtoull(argv[4], NULL, 10) : 4096) << 20,
                     NULL);
    peak_of = &memory;
    struct skep_pool *pool = skep_pool_new("bench", skep_n_cores());
    struct skep_store *s = open_store(argv[2], pool, &memory);
    bench_append(s, in_flight);
    s->ops->close(s);
    double w = now(CLOCK_MONOTONIC), p = now(CLOCK_PROCESS_CPUTIME_ID);
    s = open_store(argv[2], pool, &memory);
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    printf("restart    %.3f s wall, %.3f CPU-s for %llu rows in the log, %llu in segments\n",
           now(CLOCK_MONOTONIC) - w, now(CLOCK_PROCESS_CPUTIME_ID) - p,
           (unsigned long long)st.part_rows, (unsigned long long)st.segment_rows);
    skep_err err;
    w = now(CLOCK_MONOTONIC);
    p = now(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t rows = st.part_rows;
    if (s->ops->flush(s, &err) != SKEP_OK)
        die("flush", &err);
    s->ops->stats(s, &st);
    printf("flush      %.3f s wall, %.3f CPU-s per M rows, %.1f B/row in %llu segments\n",
           now(CLOCK_MONOTONIC) - w,
           rows ? (now(CLOCK_PROCESS_CPUTIME_ID) - p) / ((double)rows / 1e6) : 0.0,
           (double)st.segment_bytes / (double)st.segment_rows, (unsigned long long)st.segments);
    s->ops->close(s);
    skep_pool_free(pool);
    (void)fclose(in);
    return 0;
}
