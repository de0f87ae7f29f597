// SPDX-License-Identifier: Apache-2.0
/* `skep user create|list|disable|enable|role|password|link`: who may log in, on the data folder or
 * through a server (cli_user_remote.c).
 *
 * Works beside a running server, which notices within a second or so: a user who is disabled, or
 * has a new password, is logged out by then.  A password is asked for on a terminal, without echo,
 * or is the first line of standard input; never an argument, which others could see.
 *
 * I1  a password is wiped when it was hashed; a link is written to stdout once.
 * Threads: main. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "server/cli_user.h"
#include "wire/json_out.h"
#include "wire/rfc3339.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    SKEP_CLI_DATA_FLAG,
    {"role", "ROLE", "viewer (the default): asks questions; admin: keys, users, deletes, too"},
    {"oidc", NULL,
     "For create: who logs in through the identity provider, without a password here"},
    {"url", "URL", "For the link: how people reach the server; default http://localhost:4318"},
    {"json", NULL, "One JSON object a line"},
};

enum { LINE_BYTES = SKEP_PASSWORD_MAX_BYTES + 2 };

static int usage(const char *text)
{
    (void)fprintf(stderr, "skep user: %s\n", text);
    return SKEP_EXIT_USAGE;
}

static struct skep_people people_of(const struct skep_cli_keys *c)
{
    return (struct skep_people){.os = c->os, .state = c->state};
}

static bool role_flag(struct skep_cli_keys *c, enum skep_role *ret)
{
    if (skep_role_parse(skep_str_c(skep_cli_value(c->args, "role", "viewer")), ret))
        return true;
    (void)usage("--role: viewer or admin");
    return false;
}

/* The one argument behind the verb. */
static bool name_of(struct skep_cli_keys *c, skep_str *ret)
{
    *ret = c->args->rest.n == 2 ? skep_str_c(c->args->rest.v[1]) : SKEP_STR("");
    if (!ret->n)
        (void)usage("whom? skep user VERB NAME");
    return ret->n > 0;
}

/* A line of standard input, without its end; false at its end or when it is too long. */
static bool read_line(char line[LINE_BYTES], skep_str *ret)
{
    if (!fgets(line, LINE_BYTES, stdin))
        return false;
    size_t n = strcspn(line, "\r\n");
    bool whole = line[n] != '\0' || feof(stdin);
    *ret = (skep_str){line, n};
    return whole;
}

/* Echo off for one line. */
static bool ask_line(const char *prompt, char line[LINE_BYTES], skep_str *ret)
{
    struct termios before, quiet;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return read_line(line, ret);
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)fputs(prompt, stderr);
    (void)fflush(stderr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    bool ok = read_line(line, ret);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fputc('\n', stderr);
    return ok;
}

/* Asked for twice on a terminal. */
static bool read_password(char line[LINE_BYTES], skep_str *ret)
{
    char again[LINE_BYTES];
    skep_str second = SKEP_STR("");
    if (!ask_line("Password: ", line, ret)) {
        (void)usage("a password: on a terminal, or the first line of standard input");
        return false;
    }
    if (!isatty(STDIN_FILENO))
        return true;
    bool same = ask_line("Once more: ", again, &second) && skep_str_eq(*ret, second);
    sodium_memzero(again, sizeof again);
    if (!same)
        (void)usage("the two differ");
    return same;
}

static int done(struct skep_cli_keys *c, const char *what, const char *words, skep_str name)
{
    if (!c->remote)
        skep_cli_keys_audit(c, what, name);
    skep_buf_str(&c->out, skep_str_c(words));
    skep_buf_u8(&c->out, ' ');
    skep_cli_safe(&c->out, name);
    skep_buf_u8(&c->out, '\n');
    return SKEP_EXIT_OK;
}

/* What went wrong through a server was told already. */
static int failed(struct skep_cli_keys *c, const skep_err *err)
{
    return c->remote ? SKEP_EXIT_FAILED : skep_cli_keys_fail(c, err);
}

/* create and password: what to do with a name and a password. */
static int with_password(struct skep_cli_keys *c, bool create)
{
    char line[LINE_BYTES];
    skep_str name, password;
    enum skep_role role;
    skep_err err = {.text = ""};
    const struct skep_people people = people_of(c);
    if (!name_of(c, &name) || !role_flag(c, &role) || !read_password(line, &password))
        return SKEP_EXIT_USAGE;
    bool ok;
    if (c->remote)
        ok = create ? skep_cli_user_create_there(c, name, role, password)
                    : skep_cli_user_password_there(c, name, password);
    else
        ok = (create ? skep_auth_create_user(&people, name, role, password, &err)
                     : skep_auth_set_password(&people, name, password, &err)) == SKEP_OK;
    sodium_memzero(line, sizeof line);
    if (!ok)
        return failed(c, &err);
    return create ? done(c, "user.create", "made user", name)
                  : done(c, "user.password", "a new password for", name);
}

static int expect(struct skep_cli_keys *c)
{
    skep_str name;
    enum skep_role role;
    skep_err err = {.text = ""};
    const struct skep_people people = people_of(c);
    if (!name_of(c, &name) || !role_flag(c, &role))
        return SKEP_EXIT_USAGE;
    if (c->remote ? !skep_cli_user_create_there(c, name, role, SKEP_STR_NULL)
                  : skep_auth_expect_user(&people, name, role, &err) != SKEP_OK)
        return failed(c, &err);
    return done(c, "user.create", "made user, who logs in through the identity provider:", name);
}

static int create(struct skep_cli_keys *c)
{
    return skep_cli_has(c->args, "oidc") ? expect(c) : with_password(c, true);
}

static int password(struct skep_cli_keys *c)
{
    return with_password(c, false);
}

static bool change_there(struct skep_cli_keys *c, skep_str name, const char *verb,
                         enum skep_role role)
{
    if (strcmp(verb, "role") == 0)
        return skep_cli_user_role_there(c, name, role);
    return skep_cli_user_disable_there(c, name, strcmp(verb, "disable") == 0);
}

static bool change_here(struct skep_cli_keys *c, skep_str name, const char *verb,
                        enum skep_role role, skep_err *err)
{
    struct skep_state_user u;
    const struct skep_people people = people_of(c);
    if (skep_state_find_user(c->state, name, &c->arena, &u, err) != SKEP_OK)
        return false;
    bool disabled = u.disabled_ns != 0;
    if (strcmp(verb, "role") != 0) {
        role = u.role;
        disabled = strcmp(verb, "disable") == 0;
    }
    return skep_auth_set_user(&people, name, role, disabled, err) == SKEP_OK;
}

/* disable, enable, role: what changes of one who is there. */
static int change(struct skep_cli_keys *c, const char *verb)
{
    skep_str name;
    enum skep_role role;
    skep_err err = {.text = ""};
    bool disabled = strcmp(verb, "disable") == 0;
    if (!name_of(c, &name) || !role_flag(c, &role))
        return SKEP_EXIT_USAGE;
    if (c->remote ? !change_there(c, name, verb, role) : !change_here(c, name, verb, role, &err))
        return failed(c, &err);
    return disabled
               ? done(c, "user.disable", "disabled, and logged out within a second or so:", name)
               : done(c, "user.change", "changed", name);
}

static int disable(struct skep_cli_keys *c)
{
    return change(c, "disable");
}

static int enable(struct skep_cli_keys *c)
{
    return change(c, "enable");
}

static int set_role(struct skep_cli_keys *c)
{
    if (!skep_cli_has(c->args, "role"))
        return usage("which role: --role viewer or --role admin");
    return change(c, "role");
}

static void put_time(struct skep_buf *out, const char *what, int64_t ns)
{
    char text[SKEP_RFC3339_BYTES];
    if (ns)
        skep_buf_printf(out, "  %s %.*s", what, (int)skep_rfc3339(ns, 0, text), text);
}

static void show(struct skep_cli_keys *c, const struct skep_state_user *u, skep_str login)
{
    if (!skep_cli_has(c->args, "json")) {
        skep_cli_cell(&c->out, u->name, 24, false);
        skep_buf_u8(&c->out, ' ');
        skep_cli_cell(&c->out, skep_role_name(u->role), 6, false);
        if (skep_str_eq(login, SKEP_STR("oidc")))
            skep_buf_str(&c->out, SKEP_STR("  identity provider"));
        if (skep_str_eq(login, SKEP_STR("waiting")))
            skep_buf_str(&c->out, SKEP_STR("  waits for the identity provider"));
        put_time(&c->out, "made", u->created_ns);
        put_time(&c->out, "logged in", u->last_login_ns);
        put_time(&c->out, "DISABLED", u->disabled_ns);
    } else {
        struct skep_json json;
        skep_json_init(&json, &c->out);
        skep_json_object(&json);
        skep_json_put_str(&json, SKEP_STR("name"), u->name);
        skep_json_put_str(&json, SKEP_STR("role"), skep_role_name(u->role));
        skep_json_put_str(&json, SKEP_STR("login"), login);
        skep_json_put_i64_str(&json, SKEP_STR("created_ns"), u->created_ns);
        skep_json_put_i64_str(&json, SKEP_STR("last_login_ns"), u->last_login_ns);
        skep_json_put_i64_str(&json, SKEP_STR("disabled_ns"), u->disabled_ns);
        skep_json_end(&json);
    }
    skep_buf_u8(&c->out, '\n');
}

static int list(struct skep_cli_keys *c)
{
    struct skep_state_user *users;
    size_t n = 0;
    skep_err err = {.text = ""};
    if (c->remote)
        return skep_cli_user_list_there(c, show) ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
    if (skep_state_list_users(c->state, &c->arena, &users, &n, &err) != SKEP_OK)
        return skep_cli_keys_fail(c, &err);
    for (size_t i = 0; i < n; i++)
        show(c, &users[i], skep_auth_way_in(&users[i]));
    return SKEP_EXIT_OK;
}

static int make_link(struct skep_cli_keys *c)
{
    char token[SKEP_LOGIN_TOKEN_BYTES];
    enum skep_role role;
    skep_err err = {.text = ""};
    const struct skep_people people = people_of(c);
    const char *near = c->remote ? skep_cli_value(c->args, "server", NULL) : NULL;
    const char *url = skep_cli_value(c->args, "url", near ? near : "http://localhost:4318");
    if (!role_flag(c, &role))
        return SKEP_EXIT_USAGE;
    if (c->remote ? !skep_cli_user_link_there(c, role, token)
                  : skep_auth_link(&people, role, token, &err) != SKEP_OK)
        return failed(c, &err);
    if (!c->remote)
        skep_cli_keys_audit(c, "link.create", skep_role_name(role));
    skep_buf_printf(&c->out, "%s/ui/welcome#%s\n", url, token);
    (void)fputs("For one person, within an hour.\n", stderr);
    sodium_memzero(token, sizeof token);
    return SKEP_EXIT_OK;
}

int skep_cli_user(int argc, char *const *argv)
{
    static const struct skep_cli_keys_verb verbs[] = {
        {"create", create}, {"list", list},         {"disable", disable}, {"enable", enable},
        {"role", set_role}, {"password", password}, {"link", make_link}};
    struct skep_cli_args args = {
        .usage =
            "skep user create NAME [--role admin] [--oidc]\n       skep user list\n       "
            "skep user disable|enable NAME\n       skep user role NAME --role ROLE\n       "
            "skep user password NAME\n       skep user link [--role admin]\n\nWho may log in "
            "to the page, in a data folder (also beside a running server) or, with "
            "--server,\nthrough "
            "a server. Passwords are asked for, or read from standard input. A link makes\none "
            "user, within an hour.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    return skep_cli_keys_run("skep user", &args, argc, argv, verbs, SKEP_ARRAY_LEN(verbs));
}
