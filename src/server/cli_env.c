// SPDX-License-Identifier: Apache-2.0
/* `skep env create|list|delete`: environments, in the data folder or through a server.
 * Threads: main. */
#include <stdio.h>

#include "auth/auth.h"
#include "server/cli_keys.h"
#include "wire/json_out.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    SKEP_CLI_DATA_FLAG,
    {"description", "TEXT", "Of the new environment"},
    {"color", "NAME", "Of the new environment: blue, green, gold, red, purple"},
    {"json", NULL, "One JSON object a line"},
};

static int usage(const char *text)
{
    (void)fprintf(stderr, "skep env: %s\n", text);
    return SKEP_EXIT_USAGE;
}

static bool create_there(struct skep_cli_keys *c, skep_str name)
{
    struct skep_buf body;
    struct skep_json json;
    skep_buf_init(&body, 64 << 10);
    skep_json_init(&json, &body);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("name"), name);
    skep_json_put_str(&json, SKEP_STR("description"),
                      skep_str_c(skep_cli_value(c->args, "description", "")));
    skep_json_put_str(&json, SKEP_STR("color"), skep_str_c(skep_cli_value(c->args, "color", "")));
    skep_json_end(&json);
    const struct skep_cli_call call = {
        .method = "POST", .path = SKEP_STR("/skep/v1/environments"), .body = skep_buf_bytes(&body)};
    bool ok = skep_cli_must(&c->http, &call);
    skep_buf_done(&body);
    return ok;
}

static int create(struct skep_cli_keys *c)
{
    struct skep_state_environment made;
    skep_err err = {.text = ""};
    if (c->args->rest.n != 2)
        return usage("which one: skep env create NAME");
    skep_str name = skep_str_c(c->args->rest.v[1]);
    skep_str slug = skep_state_slug(&c->arena, name);
    if (c->remote) {
        if (!create_there(c, name))
            return SKEP_EXIT_FAILED;
    } else if (skep_auth_environment(c->os, c->state, name,
                                     skep_str_c(skep_cli_value(c->args, "description", "")),
                                     skep_str_c(skep_cli_value(c->args, "color", "")), &c->arena,
                                     &made, &err) != SKEP_OK) {
        return skep_cli_keys_fail(c, &err);
    } else {
        skep_cli_keys_audit(c, "environment.create", made.slug);
    }
    skep_buf_str(&c->out, SKEP_STR("made environment "));
    skep_cli_safe(&c->out, slug);
    skep_buf_str(&c->out, SKEP_STR(". A key for it:  skep key create --env "));
    skep_cli_safe(&c->out, slug);
    skep_buf_str(&c->out, SKEP_STR(" --name NAME --rights ingest,query\n"));
    return SKEP_EXIT_OK;
}

static void show(struct skep_cli_keys *c, skep_str slug, skep_str name, skep_str description)
{
    if (skep_cli_has(c->args, "json")) {
        struct skep_json json;
        skep_json_init(&json, &c->out);
        skep_json_object(&json);
        skep_json_put_str(&json, SKEP_STR("slug"), slug);
        skep_json_put_str(&json, SKEP_STR("name"), name);
        skep_json_put_str(&json, SKEP_STR("description"), description);
        skep_json_end(&json);
    } else {
        skep_cli_cell(&c->out, slug, 24, false);
        skep_buf_u8(&c->out, ' ');
        skep_cli_safe(&c->out, description);
    }
    skep_buf_u8(&c->out, '\n');
}

static int list(struct skep_cli_keys *c)
{
    struct skep_state_environment *all = NULL;
    size_t n = 0, i;
    skep_err err = {.text = ""};
    if (!c->remote) {
        if (skep_state_list_environments(c->state, &c->arena, &all, &n, &err) != SKEP_OK)
            return skep_cli_keys_fail(c, &err);
        for (i = 0; i < n; i++)
            show(c, all[i].slug, all[i].name, all[i].description);
        return SKEP_EXIT_OK;
    }
    const struct skep_cli_call call = {.method = "GET", .path = SKEP_STR("/skep/v1/environments")};
    if (!skep_cli_must(&c->http, &call))
        return SKEP_EXIT_FAILED;
    yyjson_doc *doc = yyjson_read((const char *)c->http.body.p, c->http.body.n, 0);
    yyjson_val *v;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(doc), "environments"), i, n, v)
    {
        show(c, skep_cli_keys_text(v, "slug"), skep_cli_keys_text(v, "name"),
             skep_cli_keys_text(v, "description"));
    }
    yyjson_doc_free(doc);
    return SKEP_EXIT_OK;
}

static int drop(struct skep_cli_keys *c)
{
    skep_err err = {.text = ""};
    if (c->args->rest.n != 2)
        return usage("which one: skep env delete NAME (its keys are revoked with it)");
    skep_str slug = skep_str_c(c->args->rest.v[1]);
    if (c->remote) {
        if (!skep_cli_keys_delete(c, SKEP_STR("/skep/v1/environments/"), slug))
            return SKEP_EXIT_FAILED;
    } else if (skep_state_drop_environment(c->state, slug, &err) != SKEP_OK) {
        return skep_cli_keys_fail(c, &err);
    } else {
        skep_cli_keys_audit(c, "environment.delete", slug);
    }
    skep_buf_str(&c->out, SKEP_STR("deleted environment "));
    skep_cli_safe(&c->out, slug);
    skep_buf_str(&c->out, SKEP_STR("; its keys are revoked, its rows age away\n"));
    return SKEP_EXIT_OK;
}

int skep_cli_env(int argc, char *const *argv)
{
    static const struct skep_cli_keys_verb verbs[] = {
        {"create", create}, {"list", list}, {"delete", drop}};
    struct skep_cli_args args = {
        .usage = "skep env create NAME [flags]\n       skep env list [flags]\n       skep env "
                 "delete NAME [flags]\n\nEnvironments, in a data folder (also beside a running "
                 "server) or, with --server,\nthrough a server. A key selects the environment of "
                 "what is sent with it.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    return skep_cli_keys_run("skep env", &args, argc, argv, verbs, SKEP_ARRAY_LEN(verbs));
}
