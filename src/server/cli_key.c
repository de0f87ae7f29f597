// SPDX-License-Identifier: Apache-2.0
/* `skep key create|list|revoke`: API keys, in the data folder or through a server.
 *
 *   --data DIR    (default) on state.db itself, also beside a running server, which notices within
 *                 a second or so
 *   --server URL  through /skep/v1/keys, with a key that administers
 *
 * I1  a secret is written to stdout once, and to nothing else; what held it is wiped.
 * Threads: main. */
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "base/assert.h"
#include "server/cli_keys.h"
#include "wire/json_out.h"
#include "wire/rfc3339.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    SKEP_CLI_DATA_FLAG,
    {"name", "NAME", "Of the new key, for people"},
    {"env", "ENVIRONMENT", "Where the key belongs; default: default. 'all' for a key of all"},
    {"rights", "LIST", "Any of ingest, query, admin, separated by commas; default: ingest"},
    {"expires", "TIME", "Valid for so long: 12h, 90d; default: for ever"},
    {"events-per-minute", "N", "Send no more than so many spans, lines, items a minute"},
    {"bytes-per-minute", "SIZE", "Send no more than so many bytes a minute: 10M"},
    {"events-per-day", "N", "The same a day (UTC)"},
    {"bytes-per-day", "SIZE", "The same a day (UTC)"},
    {"region", "NAME", "For the lines to copy: the AWS region; default us-east-1"},
    {"url", "URL", "For the lines to copy: how clients reach the server"},
    {"xray", "HOST:PORT",
     "For the lines to copy: where the X-Ray daemon's port is; default: port 2000 of that host"},
    {"all", NULL, "List revoked and expired keys, too"},
    {"json", NULL, "One JSON object a line"},
};

static bool told(const char *text)
{
    (void)fprintf(stderr, "skep key: %s\n", text);
    return false;
}

/* --- create
 * ---------------------------------------------------------------------------------------- */

static bool count(const struct skep_cli_args *args, const char *flag, bool size, uint64_t *ret)
{
    const char *text = skep_cli_value(args, flag, NULL);
    if (!text)
        return true;
    if (size ? skep_parse_size(skep_str_c(text), ret) : skep_str_u64(skep_str_c(text), ret))
        return true;
    (void)fprintf(stderr, "skep key: --%s: '%.80s' is no %s\n", flag, text,
                  size ? "size" : "number");
    return false;
}

static bool read_issue(const struct skep_cli_args *args, int64_t now_ns, struct skep_issue *ret)
{
    int64_t lasts = 0;
    const char *env = skep_cli_value(args, "env", "default");
    const char *expires = skep_cli_value(args, "expires", "0");
    *ret = (struct skep_issue){.name = skep_str_c(skep_cli_value(args, "name", NULL)),
                               .environment = skep_str_c(env)};
    if (skep_str_eq(ret->environment, SKEP_STR("all")))
        ret->environment = SKEP_STR("");
    if (!ret->name.n)
        return told("say what the key is for: --name NAME");
    if (!skep_rights_parse(skep_str_c(skep_cli_value(args, "rights", "ingest")), &ret->rights))
        return told("--rights: any of ingest, query, admin, separated by commas");
    if (!skep_parse_duration(skep_str_c(expires), &lasts) || lasts > INT64_MAX - now_ns)
        return told("--expires: a time like 12h or 90d");
    ret->expires_ns = lasts ? now_ns + lasts : 0;
    struct skep_key_limits *l = &ret->limits;
    return count(args, "events-per-minute", false, &l->events_per_minute) &&
           count(args, "bytes-per-minute", true, &l->bytes_per_minute) &&
           count(args, "events-per-day", false, &l->events_per_day) &&
           count(args, "bytes-per-day", true, &l->bytes_per_day);
}

static void issue_json(struct skep_json *json, const struct skep_issue *what)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "key", NULL);
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), what->name);
    skep_json_put_str(json, SKEP_STR("environment"), what->environment);
    skep_json_key(json, SKEP_STR("rights"));
    skep_json_array(json);
    skep_str rights = skep_rights_text(&arena, what->rights);
    while (rights.p)
        skep_json_str(json, skep_str_cut(&rights, ','));
    skep_json_end(json);
    if (what->expires_ns)
        skep_json_put_i64_str(json, SKEP_STR("expires_ns"), what->expires_ns);
    skep_json_key(json, SKEP_STR("limits"));
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("events_per_minute"), what->limits.events_per_minute);
    skep_json_put_u64(json, SKEP_STR("bytes_per_minute"), what->limits.bytes_per_minute);
    skep_json_put_u64(json, SKEP_STR("events_per_day"), what->limits.events_per_day);
    skep_json_put_u64(json, SKEP_STR("bytes_per_day"), what->limits.bytes_per_day);
    skep_json_end(json);
    skep_json_end(json);
    skep_arena_done(&arena);
}

static void copy(char *to, size_t cap, yyjson_val *root, const char *member)
{
    yyjson_val *v = yyjson_obj_get(root, member);
    (void)snprintf(to, cap, "%s", yyjson_is_str(v) ? yyjson_get_str(v) : "");
}

static bool create_there(struct skep_cli_http *http, const struct skep_issue *what,
                         struct skep_issued *ret)
{
    struct skep_buf body;
    struct skep_json json;
    skep_buf_init(&body, 64 << 10);
    skep_json_init(&json, &body);
    issue_json(&json, what);
    const struct skep_cli_call call = {
        .method = "POST", .path = SKEP_STR("/skep/v1/keys"), .body = skep_buf_bytes(&body)};
    bool ok = skep_cli_must(http, &call);
    skep_buf_done(&body);
    if (!ok)
        return false;
    yyjson_doc *doc = yyjson_read((const char *)http->body.p, http->body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    copy(ret->id, sizeof ret->id, root, "id");
    copy(ret->token, sizeof ret->token, root, "token");
    copy(ret->access_key, sizeof ret->access_key, root, "access_key");
    copy(ret->aws_secret, sizeof ret->aws_secret, root, "aws_secret");
    copy(ret->rollbar, sizeof ret->rollbar, root, "rollbar_token");
    yyjson_doc_free(doc);
    return ret->token[0] != '\0' || told("the server's answer holds no key");
}

static void print_issued(struct skep_cli_keys *c, const struct skep_issue *what,
                         const struct skep_issued *made)
{
    skep_str url = skep_str_c(skep_cli_value(c->args, "url", NULL));
    if (!url.p)
        url = c->http.server;
    skep_str region = skep_str_c(skep_cli_value(c->args, "region", "us-east-1"));
    if (!skep_cli_has(c->args, "json")) {
        const struct skep_cli_places places = {
            .url = url,
            .region = region,
            .xray = skep_str_c(skep_cli_value(c->args, "xray", NULL))};
        skep_cli_key_lines(&c->out, what, made, &places);
        return;
    }
    struct skep_json json;
    skep_json_init(&json, &c->out);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("id"), skep_str_c(made->id));
    skep_json_put_str(&json, SKEP_STR("name"), what->name);
    skep_json_put_str(&json, SKEP_STR("environment"), what->environment);
    skep_json_put_str(&json, SKEP_STR("rights"), skep_rights_text(&c->arena, what->rights));
    skep_json_put_str(&json, SKEP_STR("token"), skep_str_c(made->token));
    skep_json_put_str(&json, SKEP_STR("access_key"), skep_str_c(made->access_key));
    skep_json_put_str(&json, SKEP_STR("aws_secret"), skep_str_c(made->aws_secret));
    skep_json_put_str(&json, SKEP_STR("rollbar_token"), skep_str_c(made->rollbar));
    skep_json_end(&json);
    skep_buf_u8(&c->out, '\n');
}

static int create(struct skep_cli_keys *c)
{
    struct skep_issue what;
    struct skep_issued made = {.id = ""};
    skep_err err = {.text = ""};
    if (c->args->rest.n > 1) {
        (void)told("create takes flags only: --name NAME");
        return SKEP_EXIT_USAGE;
    }
    if (!read_issue(c->args, c->os->now_ns(c->os), &what))
        return SKEP_EXIT_USAGE;
    if (c->remote) {
        if (!create_there(&c->http, &what, &made))
            return SKEP_EXIT_FAILED;
    } else if (skep_auth_issue(c->os, c->state, c->key_file, &what, &made, &err) != SKEP_OK) {
        return skep_cli_keys_fail(c, &err);
    } else {
        skep_cli_keys_audit(c, "key.create",
                            skep_arena_printf(&c->arena, SKEP_STRFMT " (%s) of " SKEP_STRFMT,
                                              SKEP_STRARG(what.name), made.id,
                                              SKEP_STRARG(what.environment.n ? what.environment
                                                                             : SKEP_STR("all"))));
    }
    print_issued(c, &what, &made);
    skep_issued_wipe(&made);
    return SKEP_EXIT_OK;
}

/* --- list
 * ------------------------------------------------------------------------------------------ */

static void put_day(struct skep_buf *out, const char *what, int64_t ns)
{
    char text[SKEP_RFC3339_BYTES];
    if (ns)
        skep_buf_printf(out, "  %s %.*s", what, (int)skep_rfc3339(ns, 0, text), text);
}

static void list_one(struct skep_cli_keys *c, const struct skep_state_key *k)
{
    struct skep_buf *out = &c->out;
    skep_buf_printf(out, SKEP_STRFMT "  ", SKEP_STRARG(k->id));
    skep_cli_cell(out, k->environment.n ? k->environment : SKEP_STR("(all)"), 16, false);
    skep_buf_u8(out, ' ');
    skep_cli_cell(out, skep_rights_text(&c->arena, k->rights), 18, false);
    skep_buf_u8(out, ' ');
    skep_cli_safe(out, k->name);
    put_day(out, "made", k->created_ns);
    put_day(out, "used", k->use.last_used_ns);
    put_day(out, "expires", k->expires_ns);
    put_day(out, "REVOKED", k->revoked_ns);
    if (k->disabled)
        skep_buf_str(out, SKEP_STR("  DISABLED"));
    skep_buf_u8(out, '\n');
}

static void list_one_json(struct skep_cli_keys *c, const struct skep_state_key *k)
{
    struct skep_json json;
    skep_json_init(&json, &c->out);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("id"), k->id);
    skep_json_put_str(&json, SKEP_STR("name"), k->name);
    skep_json_put_str(&json, SKEP_STR("environment"), k->environment);
    skep_json_put_str(&json, SKEP_STR("rights"), skep_rights_text(&c->arena, k->rights));
    skep_json_put_str(&json, SKEP_STR("access_key"), k->access_key);
    skep_json_put_i64_str(&json, SKEP_STR("created_ns"), k->created_ns);
    skep_json_put_i64_str(&json, SKEP_STR("expires_ns"), k->expires_ns);
    skep_json_put_i64_str(&json, SKEP_STR("revoked_ns"), k->revoked_ns);
    skep_json_put_i64_str(&json, SKEP_STR("last_used_ns"), k->use.last_used_ns);
    skep_json_put_bool(&json, SKEP_STR("disabled"), k->disabled);
    skep_json_end(&json);
    skep_buf_u8(&c->out, '\n');
}

static struct skep_state_key key_of(yyjson_val *v)
{
    yyjson_val *right;
    size_t i, n;
    struct skep_state_key k = {.id = skep_cli_keys_text(v, "id"),
                               .name = skep_cli_keys_text(v, "name"),
                               .environment = skep_cli_keys_text(v, "environment"),
                               .access_key = skep_cli_keys_text(v, "access_key"),
                               .created_ns = skep_cli_keys_ns(v, "created_ns"),
                               .expires_ns = skep_cli_keys_ns(v, "expires_ns"),
                               .revoked_ns = skep_cli_keys_ns(v, "revoked_ns"),
                               .disabled = yyjson_is_true(yyjson_obj_get(v, "disabled")),
                               .use = {.last_used_ns = skep_cli_keys_ns(v, "last_used_ns")}};
    yyjson_arr_foreach(yyjson_obj_get(v, "rights"), i, n, right)
    {
        unsigned one = 0;
        if (skep_rights_parse((skep_str){yyjson_get_str(right), yyjson_get_len(right)}, &one))
            k.rights |= one;
    }
    return k;
}

static void show(struct skep_cli_keys *c, const struct skep_state_key *k)
{
    bool dead = k->revoked_ns || (k->expires_ns && k->expires_ns < c->os->now_ns(c->os));
    if (dead && !skep_cli_has(c->args, "all"))
        return;
    if (skep_cli_has(c->args, "json"))
        list_one_json(c, k);
    else
        list_one(c, k);
}

static int list(struct skep_cli_keys *c)
{
    struct skep_state_key *keys = NULL;
    size_t n = 0;
    skep_err err = {.text = ""};
    if (!c->remote) {
        if (skep_state_list_keys(c->state, &c->arena, &keys, &n, &err) != SKEP_OK)
            return skep_cli_keys_fail(c, &err);
        for (size_t i = 0; i < n; i++)
            show(c, &keys[i]);
        return SKEP_EXIT_OK;
    }
    const struct skep_cli_call call = {.method = "GET", .path = SKEP_STR("/skep/v1/keys")};
    if (!skep_cli_must(&c->http, &call))
        return SKEP_EXIT_FAILED;
    yyjson_doc *doc = yyjson_read((const char *)c->http.body.p, c->http.body.n, 0);
    yyjson_val *v;
    size_t i;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(doc), "keys"), i, n, v)
    {
        struct skep_state_key k = key_of(v);
        show(c, &k);
    }
    yyjson_doc_free(doc);
    return SKEP_EXIT_OK;
}

/* --- revoke
 * ---------------------------------------------------------------------------------------- */

static int revoke(struct skep_cli_keys *c)
{
    skep_err err = {.text = ""};
    if (c->args->rest.n != 2) {
        (void)told("which one: skep key revoke ID (skep key list shows ids)");
        return SKEP_EXIT_USAGE;
    }
    skep_str id = skep_str_c(c->args->rest.v[1]);
    if (c->remote) {
        if (!skep_cli_keys_delete(c, SKEP_STR("/skep/v1/keys/"), id))
            return SKEP_EXIT_FAILED;
    } else if (skep_state_revoke_key(c->state, id, &err) != SKEP_OK) {
        return skep_cli_keys_fail(c, &err);
    } else {
        skep_cli_keys_audit(c, "key.revoke", id);
    }
    skep_buf_str(&c->out, SKEP_STR("revoked "));
    skep_cli_safe(&c->out, id);
    skep_buf_u8(&c->out, '\n');
    return SKEP_EXIT_OK;
}

int skep_cli_key(int argc, char *const *argv)
{
    static const struct skep_cli_keys_verb verbs[] = {
        {"create", create}, {"list", list}, {"revoke", revoke}};
    struct skep_cli_args args = {
        .usage =
            "skep key create --name NAME [flags]\n       skep key list [flags]\n       "
            "skep key revoke ID [flags]\n\nAPI keys, in a data folder (also beside a running "
            "server) or, with --server, through\na server. A new key's secrets are shown once, "
            "with lines to copy for each client.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    return skep_cli_keys_run("skep key", &args, argc, argv, verbs, SKEP_ARRAY_LEN(verbs));
}
