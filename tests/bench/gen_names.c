// SPDX-License-Identifier: Apache-2.0
/* OTLP traffic over any number of attribute names: what does a span cost when there are many?
 *
 *   gen_names NSPANS OUTFILE NAMES ops|random [SEED]      file as gen's
 *
 * Every span has ten attributes, five strings and five integers, whatever NAMES is; only which
 * names they have differs.
 *   ops      spans of NAMES / 10 operations, each with ten names of its own: what programs send
 *   random   ten names of all, drawn anew for each span, ascending: the worst that can come
 *
 * Values are the same in number and size for any NAMES.  One resource, traces of eight spans, 512
 * spans a body.  The same arguments give the same bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "pb.h"

enum {
    BODY_SPANS = 512,
    TRACE_SPANS = 8,
    ATTRIBUTES = 10,
    VALUES = 100, /* of each of the ten places */
    NAMES_MAX = 100000,
    BUF_LIMIT = 64 << 20
};
#define BASE_NS 1795132800000000000ull

static uint64_t rng;

static SKEP_WRAPS uint32_t below(uint32_t n)
{
    rng += 0x9e3779b97f4a7c15ull;
    return (uint32_t)(((skep_hash_u64(rng) >> 32) * n) >> 32);
}

/* Attribute in place k (0..9) of a span. */
static void put_attribute(struct skep_buf *span, uint32_t name, unsigned k)
{
    static struct skep_buf kv, any;
    char text[40];
    kv.limit = any.limit = BUF_LIMIT;
    skep_buf_reset(&kv);
    skep_buf_reset(&any);
    pb_bytes(&kv, 1, text, (size_t)snprintf(text, sizeof text, "app.attribute.%05u", name));
    uint32_t value = below(VALUES);
    if (k % 2)
        pb_u64(&any, 3, 0, value + 100);
    else
        pb_bytes(&any, 1, text, (size_t)snprintf(text, sizeof text, "value-%u-%03u", k, value));
    pb_bytes(&kv, 2, any.p, any.n);
    pb_bytes(span, 9, kv.p, kv.n);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Ten different names; their place among the ten says the type, so that no name has two. */
static void draw(uint32_t names, uint32_t ret[static ATTRIBUTES])
{
    for (unsigned k = 0; k < ATTRIBUTES; k++)
        ret[k] = below(names / ATTRIBUTES) * ATTRIBUTES + k;
    qsort(ret, ATTRIBUTES, sizeof ret[0], by_number);
}

static void put_span(struct skep_buf *body, uint64_t i, uint32_t names, bool random)
{
    static struct skep_buf span;
    uint32_t op = below(names / ATTRIBUTES), drawn[ATTRIBUTES];
    uint8_t id[16];
    char text[40];
    span.limit = BUF_LIMIT;
    skep_buf_reset(&span);
    uint64_t trace = i / TRACE_SPANS + 1;
    skep_store_le64(id, skep_hash_u64(trace));
    skep_store_le64(id + 8, trace);
    pb_bytes(&span, 1, id, 16);
    skep_store_le64(id, skep_hash_u64(i + 1));
    pb_bytes(&span, 2, id, 8);
    if (i % TRACE_SPANS) {
        skep_store_le64(id, skep_hash_u64(i / TRACE_SPANS * TRACE_SPANS + 1));
        pb_bytes(&span, 4, id, 8);
    }
    pb_bytes(&span, 5, text, (size_t)snprintf(text, sizeof text, "operation-%04u", op % 100));
    pb_u64(&span, 6, 0, 2);
    uint64_t start = BASE_NS + i * 1000000;
    pb_u64(&span, 7, 1, start);
    pb_u64(&span, 8, 1, start + below(50000000));
    draw(names, drawn);
    for (unsigned k = 0; k < ATTRIBUTES; k++) {
        uint32_t name = random ? drawn[k] : op * ATTRIBUTES + k;
        put_attribute(&span, name, name % ATTRIBUTES);
    }
    pb_bytes(body, 2, span.p, span.n);
}

static void put_body(FILE *out, uint64_t first, uint64_t end, uint32_t names, bool random)
{
    struct skep_buf spans, resource, kv, any, group, body;
    struct skep_buf *all[] = {&spans, &resource, &kv, &any, &group, &body};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        skep_buf_init(all[i], BUF_LIMIT);
    pb_bytes(&any, 1, "names", 5);
    pb_bytes(&kv, 1, "service.name", 12);
    pb_bytes(&kv, 2, any.p, any.n);
    pb_bytes(&resource, 1, kv.p, kv.n);
    for (uint64_t i = first; i < end; i++)
        put_span(&spans, i, names, random);
    pb_bytes(&group, 1, resource.p, resource.n);
    pb_bytes(&group, 2, spans.p, spans.n);
    pb_bytes(&body, 1, group.p, group.n);
    uint8_t head[8];
    skep_store_le32(head, (uint32_t)body.n);
    skep_store_le32(head + 4, (uint32_t)(end - first));
    if (fwrite(head, sizeof head, 1, out) != 1 || fwrite(body.p, body.n, 1, out) != 1) {
        perror("gen_names: write");
        exit(1);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        skep_buf_done(all[i]);
}

int main(int argc, char **argv)
{
    uint64_t spans, names, seed = 42;
    bool random = argc > 4 && skep_str_eq(skep_str_c(argv[4]), SKEP_STR("random"));
    bool ops = argc > 4 && skep_str_eq(skep_str_c(argv[4]), SKEP_STR("ops"));
    if (argc < 5 || argc > 6 || !(random || ops) || !skep_str_u64(skep_str_c(argv[1]), &spans) ||
        !skep_str_u64(skep_str_c(argv[3]), &names) || names < ATTRIBUTES || names > NAMES_MAX ||
        (argc > 5 && !skep_str_u64(skep_str_c(argv[5]), &seed))) {
        (void)fprintf(stderr, "usage: gen_names NSPANS OUTFILE NAMES ops|random [SEED]\n");
        return 2;
    }
    FILE *out = fopen(argv[2], "wb");
    if (!out) {
        perror(argv[2]);
        return 1;
    }
    rng = seed;
    for (uint64_t i = 0; i < spans; i += BODY_SPANS)
        put_body(out, i, SKEP_MIN(spans, i + BODY_SPANS), (uint32_t)names, random);
    if (fclose(out)) {
        perror(argv[2]);
        return 1;
    }
    return 0;
}
