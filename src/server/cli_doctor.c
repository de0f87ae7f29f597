// SPDX-License-Identifier: Apache-2.0
/* `skep doctor`: looks at the machine, the data folder and the server, and says in plain sentences
 * what it sees and what to do about it.
 *
 *   ok       the disk has 73 GB free
 *   PROBLEM  an fsync takes 31 ms here: every acknowledgement waits for one
 *            Put the data folder on a disk of its own, or on a faster one.
 *
 * Threads: main. */
#include "server/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "wire/json_out.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    SKEP_CLI_DATA_FLAG,
    {"json", NULL, "One JSON object a line for each finding"},
};

void skep_doctor_say(struct skep_doctor *d, enum skep_doctor_level level, const char *what_to_do,
                     const char *fmt, ...)
{
    static const char *const names[] = {"ok", "note", "problem"};
    static const char *const marks[] = {"ok     ", "note   ", "PROBLEM"};
    struct skep_buf *out = &d->tool.out;
    char text[1200];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    skep_str seen = {text, n < 0 ? 0 : SKEP_MIN((size_t)n, sizeof text - 1)};
    d->problems += level == SKEP_DOCTOR_PROBLEM;
    if (d->tool.json) {
        struct skep_json json;
        skep_json_init(&json, out);
        skep_json_object(&json);
        skep_json_put_str(&json, SKEP_STR("level"), skep_str_c(names[level]));
        skep_json_put_str(&json, SKEP_STR("text"), seen);
        if (what_to_do)
            skep_json_put_str(&json, SKEP_STR("do"), skep_str_c(what_to_do));
        skep_json_end(&json);
        skep_buf_u8(out, '\n');
    } else {
        skep_buf_printf(out, "%s  ", marks[level]);
        skep_cli_safe(out, seen);
        skep_buf_u8(out, '\n');
        if (what_to_do) {
            skep_buf_str(out, SKEP_STR("         "));
            skep_cli_safe(out, skep_str_c(what_to_do));
            skep_buf_u8(out, '\n');
        }
    }
    (void)skep_cli_print(out);
}

uint64_t skep_doctor_number(const struct skep_doctor *d, const char *object, const char *member)
{
    yyjson_val *v = yyjson_obj_get(yyjson_obj_get(d->status, object), member);
    return yyjson_is_uint(v) ? yyjson_get_uint(v) : 0;
}

/* The status of the server, if one answers. */
static void ask(struct skep_doctor *d)
{
    struct skep_cli_http *http = &d->http;
    skep_err err = {.text = ""};
    const struct skep_cli_call call = {.method = "GET", .path = SKEP_STR("/skep/v1/status")};
    skep_rc rc = skep_cli_call(http, &call, &err);
    if (rc == SKEP_OK && http->status == 200)
        d->doc = yyjson_read((const char *)http->body.p, http->body.n, 0);
    d->status = yyjson_doc_get_root(d->doc);
    if (rc == SKEP_OK && (http->status == 401 || http->status == 403)) {
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM,
                        "Give a key with the right to query: --key KEY, or SKEP_KEY.",
                        "the server at " SKEP_STRFMT " asks for a key: it was not looked at",
                        SKEP_STRARG(http->server));
        d->status = NULL;
    } else if (!yyjson_is_obj(d->status)) {
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM,
                        "Start it (skep serve), or say where it is: --server URL.",
                        "no skep answers at " SKEP_STRFMT "%s%s", SKEP_STRARG(http->server),
                        err.text[0] ? ": " : "", err.text);
        d->status = NULL;
    } else {
        const char *version = yyjson_get_str(yyjson_obj_get(d->status, "version"));
        skep_doctor_say(d, SKEP_DOCTOR_OK, NULL,
                        "skep %s answers at " SKEP_STRFMT " and holds %llu rows",
                        version ? version : "?", SKEP_STRARG(http->server),
                        (unsigned long long)yyjson_get_uint(yyjson_obj_get(d->status, "rows")));
    }
}

int skep_cli_doctor(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep doctor [--data DIR] [--server URL] [flags]\n\nLook at machine, data folder "
                 "and server; say what is seen and what to do about it.\nExit status 1: there is "
                 "a problem.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_doctor d = {.doc = NULL};
    struct skep_os_stat st;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    if (args.rest.n) {
        (void)fprintf(stderr, "skep doctor: it takes no arguments\n");
        return SKEP_EXIT_USAGE;
    }
    skep_cli_tool_init(&d.tool, "skep doctor", &args);
    d.has_data = d.tool.tool.os->stat(d.tool.tool.os, skep_cli_tool_path(&d.tool, "rows"), &st,
                                      NULL) == SKEP_OK;
    skep_cli_http_init(&d.http, &args);
    ask(&d);
    if (d.status) {
        skep_doctor_server(&d);
        skep_doctor_ledger(&d);
    }
    skep_cli_http_done(&d.http);
    if (d.has_data)
        skep_doctor_disk(&d);
    else
        skep_doctor_say(&d, skep_cli_has(&args, "data") ? SKEP_DOCTOR_PROBLEM : SKEP_DOCTOR_NOTE,
                        "Say where it is, on the server's machine: --data DIR.",
                        "%s is no data folder: disk and files were not looked at", d.tool.data);
    yyjson_doc_free(d.doc);
    skep_cli_tool_done(&d.tool);
    return d.problems ? SKEP_EXIT_FAILED : SKEP_EXIT_OK;
}
