// SPDX-License-Identifier: Apache-2.0
/* `skep dump FILE`: what stands in a segment, a log file or a manifest.
 *
 *   log     epoch 0000000000000003  commits_before 12
 *   frame   offset 64  commit 13  rows 512  received 2026-11-29T08:00:00.000000000Z ...
 *   edit    record 4  operation add segment  segment 0000000000000002  rows 190 ...
 *
 * Columns of a segment are a table. --json: an object a line; --rows: the rows, as `skep export`
 * writes them.
 *
 * Threads: main. */
#include <stdio.h>

#include "base/assert.h"
#include "ingest/row_text.h"
#include "server/cli.h"
#include "wire/rfc3339.h"

static const struct skep_cli_flag flags[] = {
    {"rows", NULL, "The rows as JSON lines, dead ones too"},
    {"json", NULL, "One JSON object a line for each thing that stands in the file"},
};

struct dump {
    struct skep_buf out;
    bool json, table; /* table: its head was written */
    bool closed;      /* nobody reads on */
    uint64_t damages, rows;
};

static size_t time_text(uint64_t ns, char text[SKEP_RFC3339_BYTES])
{
    return skep_rfc3339((int64_t)ns, 9, text);
}

static void json_value(struct skep_json *json, const struct skep_dump_value *v)
{
    char text[SKEP_RFC3339_BYTES];
    int n;
    skep_json_key(json, skep_str_c(v->key));
    switch (v->type) {
    case SKEP_DUMP_U64: skep_json_u64(json, v->u); break;
    case SKEP_DUMP_TEXT: skep_json_str(json, v->s); break;
    case SKEP_DUMP_HEX:
        n = snprintf(text, sizeof text, "%016llx", (unsigned long long)v->u);
        skep_json_str(json, (skep_str){text, (size_t)n});
        break;
    case SKEP_DUMP_TIME:
    default: skep_json_i64_str(json, (int64_t)v->u); break;
    }
}

static void as_json(struct dump *d, const char *what, const struct skep_dump_value *v, unsigned n)
{
    struct skep_json json;
    skep_json_init(&json, &d->out);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("what"), skep_str_c(what));
    for (unsigned i = 0; i < n; i++)
        json_value(&json, &v[i]);
    skep_json_end(&json);
    skep_buf_u8(&d->out, '\n');
}

static void text_value(struct skep_buf *out, const struct skep_dump_value *v)
{
    char text[SKEP_RFC3339_BYTES];
    switch (v->type) {
    case SKEP_DUMP_U64: skep_buf_printf(out, "%llu", (unsigned long long)v->u); break;
    case SKEP_DUMP_HEX: skep_buf_printf(out, "%016llx", (unsigned long long)v->u); break;
    case SKEP_DUMP_TEXT: skep_cli_safe(out, v->s); break;
    case SKEP_DUMP_TIME:
    default: skep_buf_put(out, text, time_text(v->u, text)); break;
    }
}

static const struct skep_dump_value *find(const struct skep_dump_value *v, unsigned n,
                                          const char *key)
{
    for (unsigned i = 0; i < n; i++)
        if (skep_str_eq(skep_str_c(v[i].key), skep_str_c(key)))
            return &v[i];
    skep_unreachable("a column has all of its values");
}

/* A line of the table of columns. */
static void column(struct dump *d, const struct skep_dump_value *v, unsigned n)
{
    struct skep_buf *out = &d->out, name;
    skep_buf_init(&name, 1 << 20);
    if (!d->table)
        skep_buf_str(out, SKEP_STR("\ncolumn                              scope          type     "
                                   "    present        bytes  codecs by row group\n"));
    d->table = true;
    skep_cli_safe(&name, find(v, n, "name")->s);
    skep_cli_cell(out, skep_buf_text(&name), 34, false);
    skep_buf_str(out, SKEP_STR("  "));
    skep_cli_cell(out, find(v, n, "scope")->s, 13, false);
    skep_buf_str(out, SKEP_STR("  "));
    skep_cli_cell(out, find(v, n, "type")->s, 6, false);
    skep_buf_printf(out, "  %12llu %12llu  ", (unsigned long long)find(v, n, "present")->u,
                    (unsigned long long)find(v, n, "bytes")->u);
    skep_cli_safe(out, find(v, n, "codecs")->s);
    skep_buf_u8(out, '\n');
    skep_buf_done(&name);
}

static void as_text(struct dump *d, const char *what, const struct skep_dump_value *v, unsigned n)
{
    if (skep_str_eq(skep_str_c(what), SKEP_STR("column"))) {
        column(d, v, n);
        return;
    }
    skep_buf_printf(&d->out, "%-8s", what);
    for (unsigned i = 0; i < n; i++) {
        skep_buf_printf(&d->out, "%s%s ", i ? "  " : " ", v[i].key);
        text_value(&d->out, &v[i]);
    }
    skep_buf_u8(&d->out, '\n');
}

static void on_item(void *ctx, const char *what, const struct skep_dump_value *v, unsigned n)
{
    struct dump *d = ctx;
    d->damages += skep_str_eq(skep_str_c(what), SKEP_STR("damage"));
    if (d->json)
        as_json(d, what, v, n);
    else
        as_text(d, what, v, n);
    if (d->out.n > 64 << 10)
        d->closed |= !skep_cli_print(&d->out);
}

static bool on_row(void *ctx, const struct skep_row *row)
{
    struct dump *d = ctx;
    struct skep_json json;
    skep_json_init(&json, &d->out);
    skep_row_write(&json, row);
    skep_buf_u8(&d->out, '\n');
    d->rows++;
    if (d->out.n > 64 << 10)
        d->closed |= !skep_cli_print(&d->out);
    return !d->closed;
}

int skep_cli_dump(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep dump FILE [flags]\n\nPrint what stands in a segment, a log file or a "
                 "manifest: head, schema, bytes by\ncolumn and codec, frames, edits. Exit status "
                 "1: some of it is damaged.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct dump d = {.damages = 0};
    skep_err err;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    if (args.rest.n != 1) {
        (void)fprintf(stderr, "skep dump: give one file\n");
        return SKEP_EXIT_USAGE;
    }
    skep_buf_init(&d.out, 256 << 20);
    d.json = skep_cli_has(&args, "json");
    const char *file = args.rest.v[0];
    skep_rc rc = skep_cli_has(&args, "rows")
                     ? skep_tool_dump_rows(skep_os_real(), file, on_row, &d, &err)
                     : skep_tool_dump(skep_os_real(), file, on_item, &d, &err);
    if (d.out.n)
        (void)skep_cli_print(&d.out);
    skep_buf_done(&d.out);
    if (rc != SKEP_OK)
        (void)fprintf(stderr, "skep dump: %s\n", err.text);
    return rc == SKEP_OK && d.damages == 0 ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}
