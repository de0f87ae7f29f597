// SPDX-License-Identifier: Apache-2.0
/* `skep delete`: rows that tests select, counted first and deleted when that is confirmed.
 * Threads: main.  Memory: the call's arena. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "lang/where.h"
#include "server/cli.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    {"where", "TEST", "service.name = shop AND user.id = 7; repeatable: all must hold"},
    {"dataset", "NAME", "Rows of one dataset; default all"},
    {"last", "TIME", "Time range up to now: 30m, 2h, 7d"},
    {"from", "SECONDS", "Begin of the time range, unix seconds"},
    {"to", "SECONDS", "End of the time range, unix seconds"},
    {"all", NULL, "All times; without it the time range must be given"},
    {"yes", NULL, "Delete without asking"},
};

static bool told(const char *text)
{
    (void)fprintf(stderr, "skep delete: %s\n", text);
    return false;
}

static bool times(const struct skep_cli_args *args, struct skep_json *json)
{
    bool bounded = skep_cli_has(args, "from") || skep_cli_has(args, "to");
    if (bounded + skep_cli_has(args, "last") + skep_cli_has(args, "all") != 1)
        return told("give one of --last, --from/--to, --all: which times");
    return skep_cli_times("delete", args, true, json);
}

/* confirm: UINT64_MAX = only count. */
static bool question(const struct skep_cli_args *args, struct skep_arena *arena, uint64_t confirm,
                     struct skep_buf *out)
{
    struct skep_json json;
    const char *dataset = skep_cli_value(args, "dataset", NULL);
    skep_buf_reset(out);
    skep_json_init(&json, out);
    skep_json_object(&json);
    if (!skep_cli_where("delete", args, arena, &json) || !times(args, &json))
        return false;
    if (dataset)
        skep_json_put_str(&json, SKEP_STR("dataset"), skep_str_c(dataset));
    if (confirm != UINT64_MAX)
        skep_json_put_u64(&json, SKEP_STR("confirm"), confirm);
    skep_json_end(&json);
    return true;
}

/* The number of rows in an answer; false when there is none. */
static bool call(struct skep_cli_http *http, const struct skep_buf *body, uint64_t *ret_rows)
{
    const struct skep_cli_call c = {
        .method = "POST", .path = SKEP_STR("/skep/v1/delete"), .body = skep_buf_bytes(body)};
    if (!skep_cli_must(http, &c))
        return false;
    yyjson_doc *doc = yyjson_read((const char *)http->body.p, http->body.n, 0);
    yyjson_val *rows = yyjson_obj_get(yyjson_doc_get_root(doc), "rows");
    bool ok = yyjson_is_uint(rows);
    *ret_rows = yyjson_get_uint(rows);
    yyjson_doc_free(doc);
    return ok || told("the answer is not what a skep sends");
}

/* On a terminal the number must be typed. */
static bool agreed(uint64_t rows)
{
    char line[64] = "";
    (void)printf("%llu rows match. Type the number to delete them for good: ",
                 (unsigned long long)rows);
    (void)fflush(stdout);
    uint64_t typed;
    if (!fgets(line, sizeof line, stdin))
        return false;
    return skep_str_u64(skep_str_trim(skep_str_c(line)), &typed) && typed == rows;
}

static int work(const struct skep_cli_args *args, struct skep_cli_http *http, struct skep_buf *body)
{
    uint64_t rows;
    if (!question(args, &http->arena, UINT64_MAX, body))
        return SKEP_EXIT_USAGE;
    if (!call(http, body, &rows))
        return SKEP_EXIT_FAILED;
    if (rows > 0 && !skep_cli_has(args, "yes")) {
        if (!isatty(STDIN_FILENO)) {
            (void)printf("%llu rows match; --yes deletes them\n", (unsigned long long)rows);
            return SKEP_EXIT_OK;
        }
        if (!agreed(rows)) {
            (void)printf("nothing deleted\n");
            return SKEP_EXIT_FAILED;
        }
    }
    if (rows > 0 && (!question(args, &http->arena, rows, body) || !call(http, body, &rows)))
        return SKEP_EXIT_FAILED;
    (void)printf("%llu rows deleted\n", (unsigned long long)rows);
    return SKEP_EXIT_OK;
}

int skep_cli_delete(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep delete --where TEST [flags]\n\nDelete rows, at once and for good. They are "
                 "counted first; the number is what is\nconfirmed: rows that came meanwhile stop "
                 "it.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_cli_http http;
    struct skep_buf body;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    if (args.rest.n > 0 || (!skep_cli_has(&args, "where") && !skep_cli_has(&args, "dataset"))) {
        (void)told("say which rows: --where TEST or --dataset NAME");
        return SKEP_EXIT_USAGE;
    }
    skep_cli_http_init(&http, &args);
    skep_buf_init(&body, 1 << 20);
    code = work(&args, &http, &body);
    skep_buf_done(&body);
    skep_cli_http_done(&http);
    return code;
}
