// SPDX-License-Identifier: Apache-2.0
/* `skep user --server URL`: the same verbs through a server, with a key of all environments that
 * administers (docs/api/auth.md).
 *
 * I1  a password stands in one request's body, which is wiped.
 * Threads: main. */
#include <sodium.h>

#include "auth/login.h"
#include "server/cli_user.h"
#include "wire/json_out.h"

/* What a body holds; a text with p NULL is absent. */
struct member {
    skep_str name, value;
};
struct flag {
    skep_str name;
    bool value;
};

static bool ask(struct skep_cli_keys *c, const char *method, skep_str path,
                const struct member *members, unsigned n, const struct flag *flag)
{
    struct skep_buf body;
    struct skep_json json;
    skep_buf_init(&body, 64 << 10);
    skep_json_init(&json, &body);
    skep_json_object(&json);
    for (unsigned i = 0; i < n; i++)
        if (members[i].value.p)
            skep_json_put_str(&json, members[i].name, members[i].value);
    if (flag)
        skep_json_put_bool(&json, flag->name, flag->value);
    skep_json_end(&json);
    const struct skep_cli_call call = {
        .method = method, .path = path, .body = skep_buf_bytes(&body)};
    bool ok = skep_cli_must(&c->http, &call);
    sodium_memzero(body.p, body.n);
    skep_buf_done(&body);
    return ok;
}

bool skep_cli_user_create_there(struct skep_cli_keys *c, skep_str name, enum skep_role role,
                                skep_str password)
{
    const struct flag oidc = {SKEP_STR("oidc"), true};
    const struct member members[] = {{SKEP_STR("name"), name},
                                     {SKEP_STR("role"), skep_role_name(role)},
                                     {SKEP_STR("password"), password}};
    return ask(c, "POST", SKEP_STR("/skep/v1/users"), members, SKEP_ARRAY_LEN(members),
               password.p ? NULL : &oidc);
}

static bool patch(struct skep_cli_keys *c, skep_str name, const char *member, skep_str value,
                  const struct flag *flag)
{
    struct skep_buf path;
    const struct member one = {skep_str_c(member), value};
    skep_buf_init(&path, 4096);
    skep_buf_str(&path, SKEP_STR("/skep/v1/users/"));
    skep_cli_url_encode(&path, name);
    bool ok = !path.bad && ask(c, "PATCH", skep_buf_text(&path), &one, member ? 1 : 0, flag);
    skep_buf_done(&path);
    return ok;
}

bool skep_cli_user_password_there(struct skep_cli_keys *c, skep_str name, skep_str password)
{
    return patch(c, name, "password", password, NULL);
}

bool skep_cli_user_role_there(struct skep_cli_keys *c, skep_str name, enum skep_role role)
{
    return patch(c, name, "role", skep_role_name(role), NULL);
}

bool skep_cli_user_disable_there(struct skep_cli_keys *c, skep_str name, bool disabled)
{
    const struct flag flag = {SKEP_STR("disabled"), disabled};
    return patch(c, name, NULL, SKEP_STR_NULL, &flag);
}

bool skep_cli_user_list_there(struct skep_cli_keys *c, skep_cli_user_show_fn *show)
{
    const struct skep_cli_call call = {.method = "GET", .path = SKEP_STR("/skep/v1/users")};
    yyjson_val *v;
    size_t i, n;
    if (!skep_cli_must(&c->http, &call))
        return false;
    yyjson_doc *doc = yyjson_read((const char *)c->http.body.p, c->http.body.n, 0);
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(doc), "users"), i, n, v)
    {
        struct skep_state_user u = {.name = skep_cli_keys_text(v, "name"),
                                    .created_ns = skep_cli_keys_ns(v, "created_ns"),
                                    .disabled_ns = skep_cli_keys_ns(v, "disabled_ns"),
                                    .last_login_ns = skep_cli_keys_ns(v, "last_login_ns")};
        if (skep_role_parse(skep_cli_keys_text(v, "role"), &u.role))
            show(c, &u, skep_cli_keys_text(v, "login"));
    }
    yyjson_doc_free(doc);
    return true;
}

bool skep_cli_user_link_there(struct skep_cli_keys *c, enum skep_role role,
                              char ret[SKEP_LOGIN_TOKEN_BYTES])
{
    const struct member one = {SKEP_STR("role"), skep_role_name(role)};
    if (!ask(c, "POST", SKEP_STR("/skep/v1/links"), &one, 1, NULL))
        return false;
    yyjson_doc *doc = yyjson_read((const char *)c->http.body.p, c->http.body.n, 0);
    skep_str token = skep_cli_keys_text(yyjson_doc_get_root(doc), "token");
    bool ok = token.n == SKEP_LOGIN_TOKEN_BYTES - 1;
    if (ok) {
        memcpy(ret, token.p, token.n);
        ret[token.n] = '\0';
    }
    yyjson_doc_free(doc);
    return ok;
}
