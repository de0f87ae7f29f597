// SPDX-License-Identifier: Apache-2.0
/* The bodies of gen as one wide CSV table: what engines with typed columns are loaded from in the
 * comparison (tests/bench/peers).
 *
 *   wide FILE > OUT.csv        header, then a line a span, in the order of the file
 *   wide --schema FILE         a line a column: name, s (text), i (integer), d (double), b (bool)
 *
 *   columns = trace_id span_id parent_id name kind start_ns duration_ns status_code
 *             status_message exception.* of the first event, then every resource and span
 *             attribute by order of first appearance
 *
 * Two passes: the first finds the columns.  Absent values are empty fields.  Threads: one. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/str.h"
#include "wire/pb.h"

enum { COLUMNS_MAX = 256, FIXED = 12 };

static struct column {
    skep_str name;
    char type;
    bool present; /* in the current span */
    skep_pb_field value;
} columns[COLUMNS_MAX];
static unsigned n_columns, n_resource; /* those of the resource stay present over its spans */
static bool collecting;

static struct span {
    skep_bytes trace_id, id, parent, name, message;
    uint64_t kind, start_ns, end_ns, status;
    skep_bytes exception[3];
} span;

static void die(const char *what)
{
    (void)fprintf(stderr, "wide: %s\n", what);
    exit(1);
}

static skep_str text_of(skep_bytes b)
{
    return (skep_str){(const char *)b.p, b.n};
}

static struct column *column_of(skep_str key, char type)
{
    for (unsigned i = 0; i < n_columns; i++)
        if (skep_str_eq(columns[i].name, key))
            return &columns[i];
    if (!collecting || n_columns == COLUMNS_MAX)
        die("a column that the first pass did not see, or too many");
    columns[n_columns] = (struct column){.name = key, .type = type};
    return &columns[n_columns++];
}

/* AnyValue of a KeyValue; false when it is none of the four plain types. */
static bool read_attribute(struct skep_pb_ctx *ctx, skep_bytes kv, skep_str *ret_key,
                           skep_pb_field *ret, char *ret_type)
{
    skep_pb c = skep_pb_sub(ctx, kv);
    skep_pb_field f;
    *ret_type = 0;
    while (skep_pb_next(&c, &f)) {
        if (f.tag == SKEP_PB_TAG(1, LEN))
            *ret_key = text_of(f.bytes);
        if (f.tag != SKEP_PB_TAG(2, LEN))
            continue;
        skep_pb any = skep_pb_sub(ctx, f.bytes);
        while (skep_pb_next(&any, ret))
            *ret_type = ret->tag == SKEP_PB_TAG(1, LEN)      ? 's'
                        : ret->tag == SKEP_PB_TAG(2, VARINT) ? 'b'
                        : ret->tag == SKEP_PB_TAG(3, VARINT) ? 'i'
                        : ret->tag == SKEP_PB_TAG(4, I64)    ? 'd'
                                                             : 0;
    }
    return *ret_type != 0;
}

static void take_attribute(struct skep_pb_ctx *ctx, skep_bytes kv)
{
    skep_str key = {0};
    skep_pb_field value = {0};
    char type;
    if (!read_attribute(ctx, kv, &key, &value, &type))
        return;
    struct column *col = column_of(key, type);
    col->present = true;
    col->value = value;
}

static void take_event(struct skep_pb_ctx *ctx, skep_bytes event)
{
    static const skep_str keys[3] = {SKEP_STR("exception.type"), SKEP_STR("exception.message"),
                                     SKEP_STR("exception.stacktrace")};
    skep_pb c = skep_pb_sub(ctx, event);
    skep_pb_field f;
    while (skep_pb_next(&c, &f)) {
        skep_str key = {0};
        skep_pb_field value = {0};
        char type;
        if (f.tag != SKEP_PB_TAG(3, LEN) || !read_attribute(ctx, f.bytes, &key, &value, &type))
            continue;
        for (int i = 0; i < 3; i++)
            if (skep_str_eq(key, keys[i]))
                span.exception[i] = value.bytes;
    }
}

static void take_status(struct skep_pb_ctx *ctx, skep_bytes status)
{
    skep_pb c = skep_pb_sub(ctx, status);
    skep_pb_field f;
    while (skep_pb_next(&c, &f)) {
        if (f.tag == SKEP_PB_TAG(2, LEN))
            span.message = f.bytes;
        if (f.tag == SKEP_PB_TAG(3, VARINT))
            span.status = f.u;
    }
}

static void put_hex(skep_bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        (void)printf("%02x", b.p[i]);
}

static void put_text(skep_bytes b)
{
    (void)putchar('"');
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] == '"')
            (void)putchar('"');
        (void)putchar(b.p[i]);
    }
    (void)putchar('"');
}

static void put_value(const struct column *c)
{
    double d;
    if (!c->present)
        return;
    switch (c->type) {
    case 's': put_text(c->value.bytes); break;
    case 'd':
        memcpy(&d, &c->value.u, 8);
        (void)printf("%.17g", d);
        break;
    default: (void)printf("%lld", (long long)c->value.u);
    }
}

static void put_span(void)
{
    put_hex(span.trace_id);
    (void)putchar(',');
    put_hex(span.id);
    (void)putchar(',');
    put_hex(span.parent);
    (void)putchar(',');
    put_text(span.name);
    (void)printf(
        ",%llu,%llu,%llu,%llu,", (unsigned long long)span.kind, (unsigned long long)span.start_ns,
        (unsigned long long)(span.end_ns - span.start_ns), (unsigned long long)span.status);
    if (span.message.n)
        put_text(span.message);
    for (int i = 0; i < 3; i++) {
        (void)putchar(',');
        if (span.exception[i].n)
            put_text(span.exception[i]);
    }
    for (unsigned i = 0; i < n_columns; i++) {
        (void)putchar(',');
        put_value(&columns[i]);
    }
    (void)putchar('\n');
}

static void take_span(struct skep_pb_ctx *ctx, skep_bytes bytes)
{
    skep_pb c = skep_pb_sub(ctx, bytes);
    skep_pb_field f;
    span = (struct span){0};
    for (unsigned i = n_resource; i < n_columns; i++)
        columns[i].present = false;
    while (skep_pb_next(&c, &f))
        switch (f.tag) {
        case SKEP_PB_TAG(1, LEN): span.trace_id = f.bytes; break;
        case SKEP_PB_TAG(2, LEN): span.id = f.bytes; break;
        case SKEP_PB_TAG(4, LEN): span.parent = f.bytes; break;
        case SKEP_PB_TAG(5, LEN): span.name = f.bytes; break;
        case SKEP_PB_TAG(6, VARINT): span.kind = f.u; break;
        case SKEP_PB_TAG(7, I64): span.start_ns = f.u; break;
        case SKEP_PB_TAG(8, I64): span.end_ns = f.u; break;
        case SKEP_PB_TAG(9, LEN): take_attribute(ctx, f.bytes); break;
        case SKEP_PB_TAG(11, LEN): take_event(ctx, f.bytes); break;
        case SKEP_PB_TAG(15, LEN): take_status(ctx, f.bytes); break;
        default: break;
        }
    if (!collecting)
        put_span();
}

static void take_resource(struct skep_pb_ctx *ctx, skep_bytes resource)
{
    skep_pb c = skep_pb_sub(ctx, resource);
    skep_pb_field f;
    while (skep_pb_next(&c, &f))
        if (f.tag == SKEP_PB_TAG(1, LEN))
            take_attribute(ctx, f.bytes);
}

/* Resources stand before their spans, as gen writes them; the columns of the first ones come
 * first, so that one number divides resource from span columns. */
static void take_resource_spans(struct skep_pb_ctx *ctx, skep_bytes bytes)
{
    skep_pb c = skep_pb_sub(ctx, bytes), spans;
    skep_pb_field f, g;
    while (skep_pb_next(&c, &f)) {
        if (f.tag == SKEP_PB_TAG(1, LEN)) {
            take_resource(ctx, f.bytes);
            n_resource = n_resource ? n_resource : n_columns;
        }
        if (f.tag != SKEP_PB_TAG(2, LEN))
            continue;
        spans = skep_pb_sub(ctx, f.bytes);
        while (skep_pb_next(&spans, &g))
            if (g.tag == SKEP_PB_TAG(2, LEN))
                take_span(ctx, g.bytes);
    }
}

static void pass(skep_bytes file)
{
    for (size_t at = 0; at + 8 <= file.n;) {
        uint32_t bytes = skep_load_le32(file.p + at);
        at += 8;
        if (bytes > file.n - at)
            die("the file ends inside a body");
        struct skep_pb_ctx ctx;
        skep_pb c = skep_pb_make(&ctx, (skep_bytes){file.p + at, bytes});
        skep_pb_field f;
        while (skep_pb_next(&c, &f))
            if (f.tag == SKEP_PB_TAG(1, LEN))
                take_resource_spans(&ctx, f.bytes);
        if (ctx.error)
            die(ctx.error);
        at += bytes;
    }
}

/* A line of names, or a line a name with its type. */
static void put_names(bool types)
{
    static const struct {
        const char *name;
        char type;
    } fixed[FIXED] = {{"trace_id", 's'},
                      {"span_id", 's'},
                      {"parent_id", 's'},
                      {"name", 's'},
                      {"kind", 'i'},
                      {"start_ns", 'i'},
                      {"duration_ns", 'i'},
                      {"status_code", 'i'},
                      {"status_message", 's'},
                      {"exception_type", 's'},
                      {"exception_message", 's'},
                      {"exception_stack", 's'}};
    char separator = types ? '\n' : ',';
    for (unsigned i = 0; i < FIXED + n_columns; i++) {
        skep_str name = i < FIXED ? skep_str_c(fixed[i].name) : columns[i - FIXED].name;
        (void)printf(SKEP_STRFMT, SKEP_STRARG(name));
        if (types)
            (void)printf(" %c", i < FIXED ? fixed[i].type : columns[i - FIXED].type);
        (void)putchar(i + 1 < FIXED + n_columns ? separator : '\n');
    }
}

int main(int argc, char **argv)
{
    bool schema = argc == 3 && skep_str_eq(skep_str_c(argv[1]), SKEP_STR("--schema"));
    struct stat st;
    if (argc != 2 && !schema) {
        (void)fprintf(stderr, "usage: wide [--schema] FILE\n");
        return 2;
    }
    int fd = open(argv[argc - 1], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        die("cannot read the file");
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        die("cannot map the file");
    skep_bytes file = {p, (size_t)st.st_size};
    collecting = true;
    pass(file);
    collecting = false;
    put_names(schema);
    if (!schema)
        pass(file);
    return fflush(stdout) ? 1 : 0;
}
