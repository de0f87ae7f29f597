// SPDX-License-Identifier: Apache-2.0
/* What the terminal commands share: flags from a table, calls to a server, text for terminals. */
#pragma once

#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "fetch/libcurl.h"
#include "server/server.h"
#include "store/tools.h"

struct skep_json;

struct skep_cli_flag {
    const char *name, *meta, *help; /* meta NULL: takes no value */
};

enum { SKEP_CLI_FLAGS_MAX = 20, SKEP_CLI_VALUES_MAX = 40 };

struct skep_cli_args {
    const char *usage; /* "skep query [SPEC] [flags]" and what it does */
    const struct skep_cli_flag *flags;
    unsigned n_flags;
    struct skep_cli_values {
        const char *v[SKEP_CLI_VALUES_MAX];
        unsigned n;
    } given[SKEP_CLI_FLAGS_MAX]; /* by flag; flags without value count in n */
    struct skep_cli_values rest; /* arguments that are no flags */
};

/* Flags every command that calls a server takes; put into its table first. */
#define SKEP_CLI_SERVER_FLAG                                                                       \
    {"server", "URL", "The server (environment: SKEP_URL); default http://127.0.0.1:4318"},        \
        {"ca", "FILE",                                                                             \
         "Trust this authority or certificate (PEM) for https (environment: SKEP_CA)"},            \
        {"client-cert", "FILE",                                                                    \
         "Show this certificate; its key stands in the same PEM file (environment: "               \
         "SKEP_CLIENT_CERT)"},                                                                     \
    {                                                                                              \
        "key", "KEY",                                                                              \
            "API key for a server with --auth keys (environment: SKEP_KEY, which other users of "  \
            "the machine do not see)"                                                              \
    }

/* Returns -1 to go on, else the exit code (--help, or a mistake that was told). */
int skep_cli_parse(struct skep_cli_args *args, int argc, char *const *argv);
/* The last value of a flag, or `absent`. */
const char *skep_cli_value(const struct skep_cli_args *args, const char *name, const char *absent);
const struct skep_cli_values *skep_cli_values(const struct skep_cli_args *args, const char *name);
/* The command's table has such a flag. */
bool skep_cli_knows(const struct skep_cli_args *args, const char *name);
static inline bool skep_cli_has(const struct skep_cli_args *args, const char *name)
{
    return skep_cli_values(args, name)->n > 0;
}

/* --- calls --- */

struct skep_cli_http {
    const struct skep_curl *lib; /* with the first call */
    CURL *curl;
    struct skep_arena arena;
    skep_str server;              /* without a slash at the end */
    char *authorization;          /* "Authorization: Bearer ..." or NULL; owned */
    const char *ca, *client_cert; /* NULL = the system's; none */
    struct skep_buf body;         /* of the last answer */
    long status;
    long retry_after_s; /* 0 = not said */
    /* Instead of collecting the body: called with each whole line; false ends the call. */
    bool (*line)(void *ctx, skep_str line);
    void *line_ctx;
};

/* Finds the server (--server, SKEP_URL, default) and the key (--key, SKEP_KEY). */
void skep_cli_http_init(struct skep_cli_http *h, const struct skep_cli_args *args);
void skep_cli_http_done(struct skep_cli_http *h);

struct skep_cli_call {
    const char *method; /* "GET", "POST", "DELETE" */
    skep_str path;
    skep_bytes body;
    const char *content_type, *accept; /* NULL: application/json */
    const char *header;                /* one more, "Name: value"; NULL = none */
};
/* Returns SKEP_OK (any HTTP status) | SKEP_EIO (err: no connection ...) | SKEP_EUNSUPPORTED (no
 * libcurl) | SKEP_ECANCELED (line said so). */
SKEP_NODISCARD skep_rc skep_cli_call(struct skep_cli_http *h, const struct skep_cli_call *call,
                                     skep_err *err);
/* The same, but a status of 400 and more is an error, too: prints it.  False: exit with FAILED. */
bool skep_cli_must(struct skep_cli_http *h, const struct skep_cli_call *call);
/* The same for what must arrive: a request refused with 429, 502, 503 or 504, or not answered at
 * all, is sent again, as Retry-After says or after 1, 2, 4 ... 30 s, at most ten times. */
bool skep_cli_persist(struct skep_cli_http *h, const struct skep_cli_call *call,
                      const char *command);
/* Items that an OTLP answer (JSON) says were refused one by one. */
uint64_t skep_cli_rejected(const struct skep_buf *body);
/* Print what an answer's {"error": ...} says, or its status. */
void skep_cli_print_error(const struct skep_cli_http *h);
/* Append percent-encoded. */
void skep_cli_url_encode(struct skep_buf *out, skep_str s);

/* --- which rows (cli_select.c) --- */

/* The flags --where as members of a question.  False: told what is wrong with them. */
bool skep_cli_where(const char *command, const struct skep_cli_args *args, struct skep_arena *arena,
                    struct skep_json *json);
/* The same with further filters, which `more` writes as items of the list; then no OR. */
typedef void skep_cli_more_fn(void *ctx, struct skep_json *json);
bool skep_cli_where_and(const char *command, const struct skep_cli_args *args,
                        struct skep_arena *arena, skep_cli_more_fn *more, void *ctx,
                        struct skep_json *json);
/* The flags --last, --from and --to likewise; always: all times when they say nothing. */
bool skep_cli_times(const char *command, const struct skep_cli_args *args, bool always,
                    struct skep_json *json);

/* --- tools on a data directory (store/tools.h) --- */

#define SKEP_CLI_DATA_FLAG                                                                         \
    {                                                                                              \
        "data", "DIR", "The data folder (environment: SKEP_DATA); default skep-data"               \
    }

/* A run of a tool: findings as lines or JSON, a progress bar on a terminal. */
struct skep_cli_tool {
    struct skep_tool tool; /* hand this on */
    const char *name;      /* "skep verify" */
    const char *data;      /* --data */
    struct skep_arena arena;
    bool json, bar;
    int last_percent;
    uint64_t damages, notes;
    struct skep_buf out;
};
void skep_cli_tool_init(struct skep_cli_tool *t, const char *name,
                        const struct skep_cli_args *args);
void skep_cli_tool_done(struct skep_cli_tool *t);
/* "<data>/<name>", in the tool's arena. */
const char *skep_cli_tool_path(struct skep_cli_tool *t, const char *name);
/* Take the bar off the terminal, before anything else is written. */
void skep_cli_tool_clear(struct skep_cli_tool *t);
/* "skep verify: text" to stderr; FAILED. */
int skep_cli_tool_fail(struct skep_cli_tool *t, const skep_err *err);
/* 1536000 -> "1.5 MB" */
void skep_cli_bytes(struct skep_buf *out, uint64_t n);

/* --- keys --- */

struct skep_issue;
struct skep_issued;
/* Where clients reach the server. */
struct skep_cli_places {
    skep_str url, region; /* AWS's */
    skep_str xray;        /* the daemon's port; empty = 2000 of url's host */
};
/* The lines to copy of a new key, for each client that can be pointed at a server. */
void skep_cli_key_lines(struct skep_buf *out, const struct skep_issue *what,
                        const struct skep_issued *k, const struct skep_cli_places *places);

/* --- text for terminals --- */

/* Append with control characters (C0, DEL, C1) as \xNN, so that no foreign byte steers a terminal,
 * and ill-formed UTF-8 likewise; what turns the reading order or is not seen as \u{202e}. */
void skep_cli_safe(struct skep_buf *out, skep_str s);
/* Append JSON with the same characters as \uNNNN: they stand in strings alone, so it means the
 * same. */
void skep_cli_json_safe(struct skep_buf *out, skep_str json);
/* Code points of a text, its width in cells near enough. */
size_t skep_cli_width(skep_str s);
/* Append a text cut or padded to `cells`; right: pad on the left. */
void skep_cli_cell(struct skep_buf *out, skep_str s, size_t cells, bool right);
/* A JSON value as text, strings without quotes; made safe. */
void skep_cli_json_text(struct skep_buf *out, yyjson_val *v);
/* "1.24 ms" of ns. */
void skep_cli_duration(struct skep_buf *out, int64_t ns);
/* 1234567 -> 1,234,567 */
void skep_cli_count(struct skep_buf *out, uint64_t n);
/* Columns of the terminal behind stdout; 100 when it is none. */
unsigned skep_cli_columns(void);
bool skep_cli_is_tty(int fd);
/* Write the buffer to stdout and empty it.  False when stdout is closed. */
bool skep_cli_print(struct skep_buf *out);
/* The same of JSON, made safe. */
bool skep_cli_print_json(struct skep_buf *json);
