// SPDX-License-Identifier: Apache-2.0
/* `skep key`, `skep env` and `skep user`: which of the two ways, and the running of a verb.
 *
 * state.db is opened beside a server that may have it open, too: SQLite's write-ahead log lets
 * both, and the server notices a change within a second or so. Threads: main.  Memory: one arena;
 * what was printed is wiped. */
#include "server/cli_keys.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state/audit.h"

void skep_cli_keys_audit(struct skep_cli_keys *c, const char *what, skep_str on)
{
    skep_err err;
    const struct skep_state_audit e = {
        .who = skep_arena_printf(&c->arena, "terminal, uid %u", (unsigned)getuid()),
        .what = skep_str_c(what),
        .on = on,
        .from = SKEP_STR("")};
    if (skep_state_put_audit(c->state, &e, &err) != SKEP_OK)
        (void)fprintf(stderr, "%s: done, but the audit log cannot be written: %s\n", c->name,
                      err.text);
}

int skep_cli_keys_fail(struct skep_cli_keys *c, const skep_err *err)
{
    (void)fprintf(stderr, "%s: %s\n", c->name, err->text);
    return SKEP_EXIT_FAILED;
}

bool skep_cli_keys_delete(struct skep_cli_keys *c, skep_str path, skep_str name)
{
    struct skep_buf full;
    skep_buf_init(&full, 4096);
    skep_buf_str(&full, path);
    skep_cli_url_encode(&full, name);
    const struct skep_cli_call call = {.method = "DELETE", .path = skep_buf_text(&full)};
    bool ok = !full.bad && skep_cli_must(&c->http, &call);
    skep_buf_done(&full);
    return ok;
}

skep_str skep_cli_keys_text(yyjson_val *obj, const char *member)
{
    yyjson_val *v = yyjson_obj_get(obj, member);
    return (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
}

int64_t skep_cli_keys_ns(yyjson_val *obj, const char *member)
{
    int64_t ns = 0;
    return skep_str_i64(skep_cli_keys_text(obj, member), &ns) ? ns : 0;
}

static skep_rc open_state(struct skep_cli_keys *c, skep_err *err)
{
    struct skep_os_stat st;
    const char *env = getenv("SKEP_DATA");
    const char *dir = skep_cli_value(c->args, "data", env && env[0] ? env : "skep-data");
    const char *path = skep_cstr(&c->arena, skep_arena_printf(&c->arena, "%s/state.db", dir));
    c->key_file = skep_cstr(&c->arena, skep_arena_printf(&c->arena, "%s/key", dir));
    /* A mistyped folder must not become a new one with a key that no server knows. */
    if (c->os->stat(c->os, dir, &st, NULL) != SKEP_OK || !st.is_dir)
        return skep_fail(err, SKEP_ENOTFOUND,
                         "%s is no data folder: say where it is (--data DIR), or start the server "
                         "once",
                         dir);
    const struct skep_state_config cfg = {.os = c->os, .path = path, .beside_owner = true};
    return skep_state_open(&cfg, &c->state, err);
}

static int run_verb(struct skep_cli_keys *c, const struct skep_cli_keys_verb *verb)
{
    skep_err err = {.text = ""};
    if (!c->remote && open_state(c, &err) != SKEP_OK)
        return skep_cli_keys_fail(c, &err);
    int code = verb->run(c);
    if (c->out.n) {
        (void)fwrite(c->out.p, 1, c->out.n, stdout);
        if (fflush(stdout) != 0)
            code = SKEP_EXIT_FAILED;
        sodium_memzero(c->out.p, c->out.n);
    }
    skep_state_close(c->state);
    return code;
}

int skep_cli_keys_run(const char *name, struct skep_cli_args *args, int argc, char *const *argv,
                      const struct skep_cli_keys_verb *verbs, unsigned n_verbs)
{
    const struct skep_cli_keys_verb *verb = NULL;
    int code = skep_cli_parse(args, argc, argv);
    if (code >= 0)
        return code;
    for (unsigned i = 0; i < n_verbs; i++)
        if (args->rest.n && strcmp(args->rest.v[0], verbs[i].name) == 0)
            verb = &verbs[i];
    if (!verb) {
        (void)fprintf(stderr, "%s: what to do? See %s --help\n", name, name);
        return SKEP_EXIT_USAGE;
    }
    struct skep_cli_keys c = {.name = name, .args = args, .os = skep_os_real()};
    bool remotely = skep_cli_knows(args, "server"); /* a command may be for the folder alone */
    c.remote = remotely && skep_cli_has(args, "server");
    skep_arena_init(&c.arena, "keys", NULL);
    skep_buf_init(&c.out, 64 << 20);
    if (remotely)
        skep_cli_http_init(&c.http, args);
    code = run_verb(&c, verb);
    if (c.http.body.n)
        sodium_memzero(c.http.body.p, c.http.body.n);
    if (remotely)
        skep_cli_http_done(&c.http);
    skep_buf_done(&c.out);
    skep_arena_done(&c.arena);
    return code;
}
