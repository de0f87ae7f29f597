// SPDX-License-Identifier: Apache-2.0
/* How fast OTLP protobuf becomes a batch, and a batch a frame.
 *
 *   bench_decode FILE [ROUNDS]         FILE as written by gen
 *
 * Prints, for the best round of each step, CPU seconds per million spans, spans/s and MB/s of
 * bodies. walk      the cursor over every field of every message, nothing kept decode    into a
 * fresh batch per body identity  decode, and the identity of the request frame     all that, and
 * the frame that goes to the log, with a hash of all frames (only in builds with the store)
 *
 * One thread; nothing is asserted about time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "ingest/otlp.h"
#if defined(BENCH_FRAME)
#include "store/column/rowset.h"
#endif

enum { FILE_BYTES_MAX = 1 << 30 };

struct body {
    skep_bytes bytes;
    uint32_t spans;
};

static struct body *bodies;
static size_t n_bodies;
static uint64_t n_spans, n_bytes, n_rows, n_frame_bytes, frames_hash, checksum;

static void load(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    uint8_t *data = skep_malloc(FILE_BYTES_MAX);
    size_t n = fread(data, 1, FILE_BYTES_MAX, f), cap = 0;
    fclose(f);
    for (size_t at = 0; at + 8 <= n;) {
        struct body b = {{data + at + 8, skep_load_le32(data + at)}, skep_load_le32(data + at + 4)};
        if (at + 8 + b.bytes.n > n)
            break;
        SKEP_GROW(bodies, n_bodies, cap);
        bodies[n_bodies++] = b;
        n_spans += b.spans;
        n_bytes += b.bytes.n;
        at += 8 + b.bytes.n;
    }
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// --- steps -------------------------------------------------------------------------------------

/* Depths: request, resource spans, scope spans, span, attribute, value. */
static void walk_message(struct skep_pb_ctx *ctx, skep_bytes in, unsigned depth)
{
    static const uint32_t inner[6] = {SKEP_OTLP_REQUEST_RESOURCES, SKEP_OTLP_GROUP_SCOPES,
                                      SKEP_OTLP_ITEMS, SKEP_OTLP_SPAN_ATTRIBUTES,
                                      SKEP_OTLP_KV_VALUE};
    skep_pb c = skep_pb_sub(ctx, in);
    skep_pb_field f;
    while (skep_pb_next(&c, &f)) {
        checksum += f.tag;
        if (f.tag == inner[depth])
            walk_message(ctx, f.bytes, depth + 1);
    }
}

static void step_walk(const struct body *body)
{
    struct skep_pb_ctx ctx = {.start = body->bytes.p};
    walk_message(&ctx, body->bytes, 0);
    if (ctx.error)
        abort();
}

static struct skep_batch *decode(const struct body *body)
{
    struct skep_otlp_report rep;
    static struct skep_budget budget; /* of requests at --memory 256M */
    if (!budget.name)
        skep_budget_init(&budget, "requests", 77 << 20, NULL);
    struct skep_batch *b = skep_batch_new(&budget, 1795132800000000000);
    if (skep_otlp_traces_pb(body->bytes, b, NULL, &rep, NULL) != SKEP_OK ||
        rep.accepted != body->spans)
        abort();
    n_rows += b->n_rows;
    return b;
}

static void step_decode(const struct body *body)
{
    skep_batch_free(decode(body));
}

static void step_identity(const struct body *body)
{
    struct skep_batch *b = decode(body);
    skep_batch_identity(b, true);
    checksum += b->identity[0];
    skep_batch_free(b);
}

#if defined(BENCH_FRAME)
static void step_frame(const struct body *body)
{
    static struct skep_buf out;
    if (!out.limit)
        skep_buf_init(&out, 1 << 30);
    struct skep_batch *b = decode(body);
    skep_batch_identity(b, true);
    skep_buf_reset(&out);
    if (skep_frame_encode(b, &out, NULL) != SKEP_OK)
        abort();
    n_frame_bytes += out.n;
    frames_hash = skep_hash_u64(frames_hash ^ skep_hash(skep_buf_bytes(&out)));
    skep_batch_free(b);
}
#endif

static void run(const char *name, void (*step)(const struct body *), uint64_t rounds)
{
    double best = 1e9;
    for (uint64_t r = 0; r < rounds; r++) {
        double from = cpu_s();
        n_rows = 0;
        n_frame_bytes = frames_hash = 0;
        for (size_t i = 0; i < n_bodies; i++)
            step(&bodies[i]);
        double took = cpu_s() - from;
        best = took < best ? took : best;
    }
    printf("%-9s %.3f cpu-s/Mspan  %9.0f spans/s  %7.1f MB/s", name, best / (double)n_spans * 1e6,
           (double)n_spans / best, (double)n_bytes / best / 1e6);
    if (n_frame_bytes)
        printf("  %.1f bytes/span, hash %016" PRIx64, (double)n_frame_bytes / (double)n_spans,
               frames_hash);
    printf("\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "use bench_decode FILE [ROUNDS], FILE from gen\n");
        return 2;
    }
    uint64_t rounds = 3;
    if (argc > 2 && !skep_str_u64(skep_str_c(argv[2]), &rounds))
        return 2;
    load(argv[1]);
    if (n_spans == 0) {
        fprintf(stderr, "%s: no bodies\n", argv[1]);
        return 1;
    }
    printf("%zu bodies, %" PRIu64 " spans, %.1f MB, %.1f bytes/span, best of %" PRIu64 "\n",
           n_bodies, n_spans, (double)n_bytes / 1e6, (double)n_bytes / (double)n_spans, rounds);
    run("walk", step_walk, rounds);
    run("decode", step_decode, rounds);
    run("identity", step_identity, rounds);
#if defined(BENCH_FRAME)
    run("frame", step_frame, rounds);
#endif
    return 0;
}
