// SPDX-License-Identifier: Apache-2.0
/* `skep symbols upload|list|delete|table`: source maps and debug files.
 *
 *   upload FILE...   ELF: its table is made here and sent, so that debug files of any size go over
 *                    a slow line as little; anything else is a source map and needs --release and
 *                    --url
 *   table FILE       the table of a debug file, to standard output; --confined bounds the process
 *                    first: that is how the server reads files that were sent to it whole
 *
 * Threads: main.  Memory: a file and its table. */
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/os.h"
#include "os/run.h"
#include "server/cli.h"
#include "server/cli_input.h"
#include "symbols/debugfile.h"
#include "symbols/table.h"
#include "wire/json_in.h"

static const uint64_t confined_bytes = 2ull << 30;
enum { CONFINED_S = 60, PIECE = 1 << 20 };
static const size_t file_bytes_max = (size_t)4 << 30;

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    {"release", "VERSION", "Of a source map: the program's code_version"},
    {"url", "URL", "Of a source map: the bundle's address, as browsers load it"},
    {"json", NULL, "list: one JSON object a line"},
    {"confined", NULL, "table: with bounds on memory and time, as the server runs it"},
};

static int usage(const char *text)
{
    (void)fprintf(stderr, "skep symbols: %s\n", text);
    return SKEP_EXIT_USAGE;
}

static bool read_file(const char *name, struct skep_buf *out)
{
    struct skep_cli_input in;
    if (!skep_cli_input_open(&in, "skep symbols", name))
        return false;
    while (skep_cli_input_take(&in, out, PIECE)) {
    }
    bool ok = !in.failed && !out->bad;
    if (out->bad)
        (void)fprintf(stderr, "skep symbols: %s: too large\n", name);
    skep_cli_input_close(&in);
    return ok;
}

static bool is_elf(const struct skep_buf *b)
{
    return b->n > 4 && memcmp(b->p, "\177ELF", 4) == 0;
}

// --- table -------------------------------------------------------------------------------------

static int table(const struct skep_cli_args *args)
{
    struct skep_buf file, out;
    skep_err err = {.text = ""};
    bool confined = skep_cli_has(args, "confined");
    if (args->rest.n != 2)
        return usage("which one: skep symbols table FILE");
    if (confined)
        skep_os_confine(confined_bytes, CONFINED_S);
    skep_buf_init(&file, file_bytes_max);
    skep_buf_init(&out, skep_symtab_bytes_max);
    bool ok = read_file(args->rest.v[1], &file);
    if (ok && skep_debugfile_table(file.p, file.n, &out, &err) != SKEP_OK) {
        ok = false;
        (void)fprintf(confined ? stdout : stderr, "%s\n", err.text);
    } else if (ok) {
        ok = fwrite(out.p, 1, out.n, stdout) == out.n;
    }
    ok = fflush(stdout) == 0 && ok;
    skep_buf_done(&file);
    skep_buf_done(&out);
    return ok ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}

// --- upload ------------------------------------------------------------------------------------

static skep_str base_name(const char *path)
{
    skep_str s = skep_str_c(path);
    for (size_t i = s.n; i > 0; i--) {
        if (s.p[i - 1] == '/')
            return skep_str_skip(s, i);
    }
    return s;
}

static void add_param(struct skep_buf *path, const char *name, skep_str value)
{
    skep_buf_printf(path, "%c%s=", skep_str_chr(skep_buf_text(path), '?') == SIZE_MAX ? '?' : '&',
                    name);
    skep_cli_url_encode(path, value);
}

static bool send_file(struct skep_cli_http *http, const struct skep_cli_args *args,
                      const char *name, struct skep_buf *file)
{
    struct skep_buf path, made;
    skep_err err = {.text = ""};
    bool elf = is_elf(file), ok = true;
    skep_buf_init(&path, 16 << 10);
    skep_buf_init(&made, skep_symtab_bytes_max);
    skep_buf_str(&path, SKEP_STR("/skep/v1/symbols"));
    add_param(&path, "title", base_name(name));
    if (elf && skep_debugfile_table(file->p, file->n, &made, &err) != SKEP_OK) {
        (void)fprintf(stderr, "skep symbols: %s: %s\n", name, err.text);
        ok = false;
    } else if (!elf) {
        add_param(&path, "version", skep_str_c(skep_cli_value(args, "release", "")));
        add_param(&path, "url", skep_str_c(skep_cli_value(args, "url", "")));
    }
    const struct skep_cli_call call = {.method = "POST",
                                       .path = skep_buf_text(&path),
                                       .body = skep_buf_bytes(elf ? &made : file),
                                       .content_type = elf ? "application/octet-stream" : NULL};
    ok = ok && skep_cli_must(http, &call);
    if (ok) {
        struct skep_buf out;
        skep_buf_init(&out, 16 << 10);
        skep_cli_safe(&out, skep_str_c(name));
        skep_buf_str(&out, SKEP_STR(": "));
        yyjson_doc *doc = yyjson_read((const char *)http->body.p, http->body.n, 0);
        yyjson_val *root = yyjson_doc_get_root(doc);
        yyjson_val *id = yyjson_obj_get(root, elf ? "build_id" : "url");
        skep_cli_safe(&out, (skep_str){yyjson_get_str(id), yyjson_get_len(id)});
        yyjson_doc_free(doc);
        skep_buf_u8(&out, '\n');
        ok = skep_cli_print(&out);
        skep_buf_done(&out);
    }
    skep_buf_done(&made);
    skep_buf_done(&path);
    return ok;
}

static int upload(const struct skep_cli_args *args, struct skep_cli_http *http)
{
    bool ok = true;
    if (args->rest.n < 2)
        return usage("which files: skep symbols upload FILE...");
    for (unsigned i = 1; ok && i < args->rest.n; i++) {
        struct skep_buf file;
        skep_buf_init(&file, file_bytes_max);
        ok = read_file(args->rest.v[i], &file) && send_file(http, args, args->rest.v[i], &file);
        skep_buf_done(&file);
    }
    return ok ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}

// --- list, delete ------------------------------------------------------------------------------

static void cell(struct skep_buf *out, yyjson_val *v, size_t cells)
{
    skep_cli_cell(out, (skep_str){yyjson_get_str(v), yyjson_get_len(v)}, cells, false);
    skep_buf_u8(out, ' ');
}

static void show(struct skep_buf *out, yyjson_val *v, bool json)
{
    if (json) {
        yyjson_alc alc = skep_json_alc(NULL);
        size_t n = 0;
        char *text = yyjson_val_write_opts(v, 0, &alc, &n, NULL);
        skep_cli_json_safe(out, (skep_str){text, text ? n : 0});
        skep_buf_u8(out, '\n');
        alc.free(alc.ctx, text);
        return;
    }
    yyjson_val *url = yyjson_obj_get(v, "url");
    skep_buf_printf(out, "%6lld ", (long long)yyjson_get_sint(yyjson_obj_get(v, "id")));
    cell(out, yyjson_obj_get(v, "kind"), 10);
    cell(out, url ? yyjson_obj_get(v, "version") : yyjson_obj_get(v, "title"), 24);
    skep_cli_safe(out, url ? (skep_str){yyjson_get_str(url), yyjson_get_len(url)}
                           : (skep_str){yyjson_get_str(yyjson_obj_get(v, "build_id")),
                                        yyjson_get_len(yyjson_obj_get(v, "build_id"))});
    skep_buf_u8(out, '\n');
}

static int list(const struct skep_cli_args *args, struct skep_cli_http *http)
{
    const struct skep_cli_call call = {.method = "GET", .path = SKEP_STR("/skep/v1/symbols")};
    struct skep_buf out;
    size_t i, n;
    yyjson_val *v;
    if (!skep_cli_must(http, &call))
        return SKEP_EXIT_FAILED;
    skep_buf_init(&out, 16 << 20);
    yyjson_doc *doc = yyjson_read((const char *)http->body.p, http->body.n, 0);
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(doc), "symbols"), i, n, v)
    {
        show(&out, v, skep_cli_has(args, "json"));
    }
    yyjson_doc_free(doc);
    bool ok = skep_cli_print(&out);
    skep_buf_done(&out);
    return ok ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}

static int drop(const struct skep_cli_args *args, struct skep_cli_http *http)
{
    if (args->rest.n != 2)
        return usage("which one: skep symbols delete ID (skep symbols list)");
    struct skep_buf path;
    skep_buf_init(&path, 4 << 10);
    skep_buf_str(&path, SKEP_STR("/skep/v1/symbols/"));
    skep_cli_url_encode(&path, skep_str_c(args->rest.v[1]));
    const struct skep_cli_call call = {.method = "DELETE", .path = skep_buf_text(&path)};
    bool ok = skep_cli_must(http, &call);
    skep_buf_done(&path);
    return ok ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}

int skep_cli_symbols(int argc, char *const *argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct skep_cli_args *args, struct skep_cli_http *http);
    } verbs[] = {{"upload", upload}, {"list", list}, {"delete", drop}};
    struct skep_cli_args args = {
        .usage = "skep symbols upload FILE... [flags]\n       skep symbols list [flags]\n       "
                 "skep symbols delete ID [flags]\n       skep symbols table FILE\n\nWhat stacks "
                 "are read with: debug files of compiled programs (ELF with DWARF\nand a build "
                 "id), source maps of bundles (with --release and --url).",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    skep_str verb = skep_str_c(args.rest.n ? args.rest.v[0] : "");
    if (skep_str_eq(verb, SKEP_STR("table")))
        return table(&args);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(verbs); i++) {
        if (!skep_str_eq(verb, skep_str_c(verbs[i].name)))
            continue;
        struct skep_cli_http http;
        skep_cli_http_init(&http, &args);
        code = verbs[i].run(&args, &http);
        skep_cli_http_done(&http);
        return code;
    }
    return usage("say upload, list, delete or table (skep symbols --help)");
}
