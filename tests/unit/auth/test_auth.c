// SPDX-License-Identifier: Apache-2.0
/* Keys made, found, refused: over a real database and key file, with a clock of the test's own.
 * What each wire answers is tests/e2e/auth.test.mjs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth_priv.h"
#include "base/assert.h"
#include "net/net_priv.h"
#include "wire/base64.h"
#include "wire/sigv4.h"

static char dir[64], db[80], key_file[80];
static struct skep_os os;
static int64_t now_ns;
static struct skep_state *state_db;
static struct skep_arena arena;

static int64_t test_now(const struct skep_os *self)
{
    (void)self;
    return now_ns;
}

/* --- requests without a network: what the gate sees ----------------------------------------------
 */

static struct skep_header header_list[8];
static struct skep_net__req raw = {.magic = SKEP_NET__REQ_MAGIC, .headers = header_list};
#define request raw.pub
static struct skep_route route;

static void header(const char *name, const char *value)
{
    header_list[raw.n_headers++] = (struct skep_header){skep_str_c(name), skep_str_c(value)};
}

static void no_headers(void)
{
    raw.n_headers = 0;
}

/* A request to a route of a right and forms; headers are given before. */
static void prepare(unsigned right, unsigned form)
{
    route = (struct skep_route){.right = right, .form = form};
    request = (struct skep_request){.method = SKEP_STR("POST"),
                                    .target = SKEP_STR("/"),
                                    .path = SKEP_STR("/"),
                                    .query = SKEP_STR(""),
                                    .host = SKEP_STR("localhost:1"),
                                    .route = &route,
                                    .arena = &arena};
}

static skep_str message;

static enum skep_gate_answer ask_at(struct skep_auth *a, enum skep_gate_moment moment,
                                    const char *body)
{
    struct skep_gate gate = skep_auth_gate(a);
    skep_bytes wire = skep_str_bytes(skep_str_c(body));
    if (moment == SKEP_GATE_BODY)
        request.body = wire;
    return gate.ask(gate.ctx, &request, moment, wire, &message);
}

static enum skep_denied denied(struct skep_auth *a)
{
    request.denial.why = SKEP_DENIED_NO;
    if (ask_at(a, SKEP_GATE_HEAD, "") == SKEP_GATE_PASS)
        return SKEP_DENIED_NO;
    return request.denial.why;
}

static void with_header(const char *name, const char *value)
{
    no_headers();
    header(name, value);
}

/* The first header's value is a buffer that was written anew. */
static void again(const char *value)
{
    header_list[0].value = skep_str_c(value);
}

/* --- set-up
 * --------------------------------------------------------------------------------------- */

static int set_up(void **unused)
{
    skep_err err = {.text = ""};
    (void)unused;
    (void)snprintf(dir, sizeof dir, "/tmp/skep-test-auth-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(db, sizeof db, "%s/state.db", dir);
    (void)snprintf(key_file, sizeof key_file, "%s/key", dir);
    os = *skep_os_real();
    os.now_ns = test_now;
    now_ns = 1440938160ll * 1000000000; /* 2015-08-30T12:36:00Z */
    skep_arena_init(&arena, "test", NULL);
    skep_arena_init(&raw.arena, "test", NULL);
    const struct skep_state_config cfg = {.os = &os, .path = db};
    if (skep_state_open(&cfg, &state_db, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    no_headers();
    return 0;
}

static int tear_down(void **unused)
{
    static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "key"};
    (void)unused;
    skep_state_close(state_db);
    skep_arena_done(&arena);
    skep_arena_done(&raw.arena);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        char path[96];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
    return 0;
}

static struct skep_auth *start(bool keys)
{
    struct skep_auth *a = NULL;
    skep_err err = {.text = ""};
    const struct skep_auth_config cfg = {
        .os = &os, .state = state_db, .key_file = key_file, .keys = keys};
    if (skep_auth_new(&cfg, &a, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return a;
}

static struct skep_issued issue(const char *env, unsigned rights, struct skep_key_limits limits)
{
    struct skep_issued made;
    skep_err err = {.text = ""};
    const struct skep_issue what = {.name = SKEP_STR("test"),
                                    .environment = skep_str_c(env),
                                    .rights = rights,
                                    .expires_ns = now_ns + 3600ll * 1000000000,
                                    .limits = limits};
    if (skep_auth_issue(&os, state_db, key_file, &what, &made, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return made;
}

static void make_environment(const char *name)
{
    struct skep_state_environment made;
    skep_err err = {.text = ""};
    if (skep_auth_environment(&os, state_db, skep_str_c(name), SKEP_STR(""), SKEP_STR(""), &arena,
                              &made, &err) != SKEP_OK)
        fail_msg("%s", err.text);
}

static void refresh(struct skep_auth *a)
{
    skep_err err = {.text = ""};
    if (skep_auth_refresh(a, &err) != SKEP_OK)
        fail_msg("%s", err.text);
}

static const struct skep_key_limits no_limits = {0};

/* --- tests
 * ---------------------------------------------------------------------------------------- */

static void test_forms_of_a_key(void **unused)
{
    struct stat st;
    struct skep_issued k = issue("default", SKEP_RIGHT_INGEST, no_limits);
    (void)unused;
    assert_int_equal(strlen(k.token), 64);
    assert_memory_equal(k.token, "hcxik_", 6);
    assert_memory_equal(k.token, k.id, 32);
    assert_int_equal(strlen(k.access_key), 20);
    assert_memory_equal(k.access_key, "AKIA", 4);
    assert_int_equal(strlen(k.aws_secret), 40);
    assert_int_equal(strlen(k.rollbar), 32);
    assert_int_equal(strspn(k.rollbar, "0123456789abcdef"), 32);
    assert_int_equal(stat(key_file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct skep_issued other = issue("default", SKEP_RIGHT_QUERY, no_limits);
    assert_memory_equal(other.token, "hcxlk_", 6);
    assert_string_not_equal(other.aws_secret, k.aws_secret);
    other = issue("", SKEP_RIGHT_ALL, no_limits);
    assert_memory_equal(other.token, "hcxmk_", 6);
}

/* No secret lies in the database's files as it is. */
static void test_nothing_kept(void **unused)
{
    struct skep_issued k = issue("default", SKEP_RIGHT_INGEST, no_limits);
    static const char *const names[] = {"state.db", "state.db-wal"};
    static char text[1 << 20];
    (void)unused;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        char path[96];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        skep_str all = {text, fread(text, 1, sizeof text, f)};
        fclose(f);
        const char *const secrets[] = {k.token + 32, k.aws_secret, k.rollbar};
        for (size_t s = 0; s < SKEP_ARRAY_LEN(secrets); s++)
            assert_true(skep_str_find(all, skep_str_c(secrets[s])) == SIZE_MAX);
        if (i == 1)
            assert_true(skep_str_find(all, skep_str_c(k.id)) != SIZE_MAX); /* the search works */
    }
}

static void test_mistakes(void **unused)
{
    static const struct skep_issue bad[] = {
        {.name = SKEP_STR_INIT(""), .environment = SKEP_STR_INIT("default"), .rights = 1},
        {.name = SKEP_STR_INIT("a\nb"), .environment = SKEP_STR_INIT("default"), .rights = 1},
        {.name = SKEP_STR_INIT("a"), .environment = SKEP_STR_INIT("default"), .rights = 0},
        {.name = SKEP_STR_INIT("a"), .environment = SKEP_STR_INIT("default"), .rights = 64},
        {.name = SKEP_STR_INIT("a"), .environment = SKEP_STR_INIT(""), .rights = 1},
        {.name = SKEP_STR_INIT("a"),
         .environment = SKEP_STR_INIT("default"),
         .rights = 1,
         .expires_ns = 5},
    };
    struct skep_issued made;
    struct skep_state_environment env;
    skep_err err;
    (void)unused;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++)
        assert_int_equal(skep_auth_issue(&os, state_db, key_file, &bad[i], &made, &err),
                         SKEP_EINVAL);
    const struct skep_issue nowhere = {
        .name = SKEP_STR("a"), .environment = SKEP_STR("nowhere"), .rights = 1};
    assert_int_equal(skep_auth_issue(&os, state_db, key_file, &nowhere, &made, &err),
                     SKEP_ENOTFOUND);
    static const char *const names[] = {"", "_skep", "-x", "a\x1b[0m", "\xff"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++)
        assert_int_equal(skep_auth_environment(&os, state_db, skep_str_c(names[i]), SKEP_STR(""),
                                               SKEP_STR(""), &arena, &env, &err),
                         SKEP_EINVAL);
    make_environment("Boot Camp");
    assert_int_equal(skep_auth_environment(&os, state_db, SKEP_STR("boot-camp"), SKEP_STR(""),
                                           SKEP_STR(""), &arena, &env, &err),
                     SKEP_EEXISTS);
    FILE *f = fopen(key_file, "w");
    assert_non_null(f);
    fputs("not a key", f);
    fclose(f);
    const struct skep_issue good = {
        .name = SKEP_STR("a"), .environment = SKEP_STR("default"), .rights = 1};
    assert_int_equal(skep_auth_issue(&os, state_db, key_file, &good, &made, &err), SKEP_ECORRUPT);
}

static void test_keys_mode(void **unused)
{
    make_environment("camp");
    struct skep_issued k = issue("camp", SKEP_RIGHT_INGEST, no_limits);
    struct skep_auth *a = start(true);
    (void)unused;
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_HONEYCOMB);
    assert_int_equal(denied(a), SKEP_DENIED_MISSING);
    with_header("x-honeycomb-team", "nonsense");
    assert_int_equal(denied(a), SKEP_DENIED_UNKNOWN);
    with_header("x-honeycomb-team", k.token);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    assert_memory_equal(request.caller.environment.p, "camp", 4);
    assert_int_equal(request.caller.rights, SKEP_RIGHT_INGEST);
    assert_true(request.caller.key > 0);
    /* a key's other parts are not its token, and the token is not another form's */
    with_header("x-honeycomb-team", k.rollbar);
    assert_int_equal(denied(a), SKEP_DENIED_UNKNOWN);
    with_header("x-honeycomb-team", k.id);
    assert_int_equal(denied(a), SKEP_DENIED_UNKNOWN);
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_ROLLBAR);
    with_header("x-rollbar-access-token", k.token);
    assert_int_equal(denied(a), SKEP_DENIED_UNKNOWN);
    /* only the forms of the route count */
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_BEARER);
    with_header("x-honeycomb-team", k.token);
    assert_int_equal(denied(a), SKEP_DENIED_MISSING);
    prepare(SKEP_RIGHT_QUERY, SKEP_FORM_HONEYCOMB);
    assert_int_equal(denied(a), SKEP_DENIED_RIGHT);
    prepare(0, SKEP_FORM_HONEYCOMB);
    assert_int_equal(denied(a), SKEP_DENIED_RIGHT);
    prepare(SKEP_RIGHT_ANY, SKEP_FORM_HONEYCOMB);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    header("x-skep-environment", "default");
    assert_int_equal(denied(a), SKEP_DENIED_ENVIRONMENT);
    no_headers();
    prepare(SKEP_RIGHT_PUBLIC, 0);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    assert_int_equal(request.caller.rights, 0);
    skep_auth_free(a);
}

static void test_end_of_a_key(void **unused)
{
    struct skep_issued k = issue("default", SKEP_RIGHT_INGEST, no_limits);
    struct skep_auth *a = start(true);
    skep_err err;
    (void)unused;
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_HONEYCOMB);
    with_header("x-honeycomb-team", k.token);
    now_ns += 3599ll * 1000000000;
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    now_ns += 1000000000;
    assert_int_equal(denied(a), SKEP_DENIED_EXPIRED);
    now_ns -= 1000000000;
    skep_str name = SKEP_STR("other");
    assert_int_equal(skep_state_set_key(state_db, skep_str_c(k.id), name, true, &err), SKEP_OK);
    refresh(a);
    assert_int_equal(denied(a), SKEP_DENIED_REVOKED);
    assert_int_equal(skep_state_set_key(state_db, skep_str_c(k.id), name, false, &err), SKEP_OK);
    refresh(a);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    assert_int_equal(skep_state_revoke_key(state_db, skep_str_c(k.id), &err), SKEP_OK);
    refresh(a);
    assert_int_equal(denied(a), SKEP_DENIED_REVOKED);
    assert_int_equal(skep_state_set_key(state_db, skep_str_c(k.id), name, false, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_revoke_key(state_db, SKEP_STR("none"), &err), SKEP_ENOTFOUND);
    skep_auth_free(a);
}

static void test_environment_dropped(void **unused)
{
    skep_err err;
    (void)unused;
    make_environment("camp");
    struct skep_issued k = issue("camp", SKEP_RIGHT_INGEST, no_limits);
    struct skep_auth *a = start(true);
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_HONEYCOMB);
    with_header("x-honeycomb-team", k.token);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    assert_int_equal(skep_state_drop_environment(state_db, SKEP_STR("default"), &err), SKEP_EINVAL);
    assert_int_equal(skep_state_drop_environment(state_db, SKEP_STR("camp"), &err), SKEP_OK);
    assert_int_equal(skep_state_drop_environment(state_db, SKEP_STR("camp"), &err), SKEP_ENOTFOUND);
    refresh(a);
    assert_int_equal(denied(a), SKEP_DENIED_REVOKED);
    skep_auth_free(a);
}

static void test_open_mode(void **unused)
{
    (void)unused;
    make_environment("camp");
    struct skep_issued k = issue("camp", SKEP_RIGHT_INGEST, no_limits);
    struct skep_auth *a = start(false);
    prepare(SKEP_RIGHT_ADMIN, SKEP_FORM_HONEYCOMB | SKEP_FORM_SIGV4 | SKEP_FORM_BEARER);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    assert_memory_equal(request.caller.environment.p, "default", 7);
    with_header("x-honeycomb-team", "0123456789abcdef0123456789abcdef"); /* a Classic key */
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    assert_memory_equal(request.caller.environment.p, "default", 7);
    assert_int_equal(request.caller.rights, SKEP_RIGHT_ALL);
    with_header("x-honeycomb-team", k.token);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    assert_memory_equal(request.caller.environment.p, "camp", 4);
    char authorization[200];
    (void)snprintf(authorization, sizeof authorization,
                   "AWS4-HMAC-SHA256 Credential=%s/20150830/us-east-1/logs/aws4_request, "
                   "SignedHeaders=host, Signature=0",
                   k.access_key);
    with_header("authorization", authorization);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    assert_memory_equal(request.caller.environment.p, "camp", 4);
    with_header("x-skep-environment", "nowhere");
    assert_int_equal(denied(a), SKEP_DENIED_NO_ENVIRONMENT);
    with_header("x-skep-environment", "camp");
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    assert_memory_equal(request.caller.environment.p, "camp", 4);
    skep_auth_free(a);
}

static void test_bearer(void **unused)
{
    struct skep_issued k = issue("", SKEP_RIGHT_ALL, no_limits);
    struct skep_auth *a = start(true);
    char value[200];
    (void)unused;
    prepare(SKEP_RIGHT_ADMIN, SKEP_FORM_BEARER);
    (void)snprintf(value, sizeof value, "Bearer %s", k.token);
    with_header("authorization", value);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    (void)snprintf(value, sizeof value, "bearer %s:%s", k.id, k.token + 32);
    again(value);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    for (int i = 0; i < 4; i++) {
        char plain[160];
        struct skep_buf encoded;
        (void)snprintf(plain, sizeof plain, "%s%.*s%s%s",
                       i == 1   ? "user:"
                       : i == 2 ? ":"
                                : "",
                       i == 3 ? 32 : 64, k.token, i == 0 || i == 3 ? ":" : "",
                       i == 3 ? k.token + 32 : "");
        skep_buf_init(&encoded, 1024);
        skep_base64_encode(&encoded, skep_str_bytes(skep_str_c(plain)));
        (void)snprintf(value, sizeof value, "Basic " SKEP_STRFMT,
                       SKEP_STRARG(skep_buf_text(&encoded)));
        skep_buf_done(&encoded);
        again(value);
        if (denied(a) != SKEP_DENIED_NO)
            fail_msg("%s", plain);
    }
    again("Basic !!!");
    assert_int_equal(denied(a), SKEP_DENIED_MALFORMED);
    again("Digest x");
    assert_int_equal(denied(a), SKEP_DENIED_MISSING);
    again("Bearer ");
    assert_int_equal(denied(a), SKEP_DENIED_MISSING);
    skep_auth_free(a);
}

static void test_rollbar(void **unused)
{
    struct skep_issued k = issue("default", SKEP_RIGHT_INGEST, no_limits);
    struct skep_auth *a = start(true);
    char text[200];
    (void)unused;
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_ROLLBAR);
    with_header("X-Rollbar-Access-Token", k.rollbar);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    no_headers();
    (void)snprintf(text, sizeof text, "page=1&access_token=%s", k.rollbar);
    request.query = skep_str_c(text);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    request.query = SKEP_STR("");
    assert_int_equal(ask_at(a, SKEP_GATE_HEAD, ""), SKEP_GATE_ASK_BODY);
    (void)snprintf(text, sizeof text, "{\"data\":{\"access_token\":\"x\"},\"access_token\":\"%s\"}",
                   k.rollbar);
    assert_int_equal(ask_at(a, SKEP_GATE_BODY, text), SKEP_GATE_PASS);
    assert_int_equal(ask_at(a, SKEP_GATE_BODY, "{\"data\":{}}"), SKEP_GATE_REFUSE);
    assert_int_equal(request.denial.why, SKEP_DENIED_MISSING);
    assert_int_equal(ask_at(a, SKEP_GATE_BODY, "{\"access_token\":\"x\"}"), SKEP_GATE_REFUSE);
    assert_int_equal(request.denial.why, SKEP_DENIED_UNKNOWN);
    assert_int_equal(ask_at(a, SKEP_GATE_BODY, "not json"), SKEP_GATE_REFUSE);
    request.content_type = SKEP_STR("application/x-www-form-urlencoded");
    (void)snprintf(text, sizeof text, "environment=x&access_token=%s&revision=1", k.rollbar);
    assert_int_equal(ask_at(a, SKEP_GATE_BODY, text), SKEP_GATE_PASS);
    request.method = SKEP_STR("GET");
    assert_int_equal(denied(a), SKEP_DENIED_MISSING);
    skep_auth_free(a);
}

/* A form with files: its token is found in what has come of it. */
static void test_rollbar_begun(void **unused)
{
    struct skep_issued k = issue("default", SKEP_RIGHT_ADMIN, no_limits);
    struct skep_auth *a = start(true);
    char text[400];
    (void)unused;
    prepare(SKEP_RIGHT_ADMIN, SKEP_FORM_ROLLBAR);
    request.method = SKEP_STR("POST");
    request.content_type = SKEP_STR("multipart/form-data");
    with_header("Content-Type", "multipart/form-data; boundary=x");
    (void)snprintf(text, sizeof text,
                   "--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\n%s\r\n"
                   "--x\r\nContent-Disposition: form-data; name=\"source_map\"\r\n\r\n{",
                   k.rollbar);
    assert_int_equal(ask_at(a, SKEP_GATE_HEAD, ""), SKEP_GATE_ASK_BODY);
    assert_int_equal(ask_at(a, SKEP_GATE_BEGUN, text), SKEP_GATE_PASS);
    char *token = strstr(text, k.rollbar);
    *token = *token == '0' ? '1' : '0';
    assert_int_equal(ask_at(a, SKEP_GATE_BEGUN, text), SKEP_GATE_REFUSE);
    assert_int_equal(request.denial.why, SKEP_DENIED_UNKNOWN);
    token[5] = '\0'; /* more of it may come */
    assert_int_equal(ask_at(a, SKEP_GATE_BEGUN, text), SKEP_GATE_ASK_BODY);
    no_headers();
    request.content_type = SKEP_STR("application/json"); /* not before all of it is there */
    assert_int_equal(ask_at(a, SKEP_GATE_BEGUN, "{\"access_token\":\"x\"}"), SKEP_GATE_ASK_BODY);
    skep_auth_free(a);
}

/* --- SigV4: signed here with the same code, refused for what was changed behind it -------------
 */

static bool signed_header(const void *ctx, skep_str name, unsigned i, skep_str *ret)
{
    (void)ctx;
    if (skep_str_eq(name, SKEP_STR("host"))) {
        *ret = request.host;
        return i == 0;
    }
    return skep_request_header_at(&request, name, i, ret);
}

static char authorization[400];

/* Headers of a request signed at a time; payload NULL: not told. */
static void sign(const struct skep_issued *k, const char *at, const char *body, const char *payload)
{
    char signature[SKEP_SIGV4_HEX_BYTES], hash[SKEP_SIGV4_HEX_BYTES + 1] = "";
    struct skep_sigv4 s;
    skep_err err = {.text = ""};
    no_headers();
    header("x-amz-date", at);
    if (payload)
        header("x-amz-content-sha256", payload);
    (void)snprintf(authorization, sizeof authorization,
                   "AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/logs/aws4_request, "
                   "SignedHeaders=host;x-amz-date, Signature=%064d",
                   k->access_key, at, 0);
    header("authorization", authorization);
    const struct skep_sigv4_request rq = {request.method, request.target, signed_header, NULL};
    assert_int_equal(skep_sigv4_read(&arena, &rq, &s, &err), SKEP_OK);
    skep_sigv4_hash(skep_str_bytes(skep_str_c(body)), hash);
    assert_int_equal(skep_sigv4_sign(&arena, &s, &rq,
                                     payload ? skep_str_c(payload) : (skep_str){hash, 64},
                                     skep_str_c(k->aws_secret), signature, &err),
                     SKEP_OK);
    memcpy(strstr(authorization, "Signature=") + 10, signature, sizeof signature);
}

static void test_sigv4(void **unused)
{
    struct skep_issued k = issue("default", SKEP_RIGHT_INGEST, no_limits);
    struct skep_auth *a = start(true);
    char hash[SKEP_SIGV4_HEX_BYTES + 1] = "";
    (void)unused;
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_SIGV4);
    assert_int_equal(denied(a), SKEP_DENIED_MISSING);
    sign(&k, "20150830T123600Z", "body", NULL);
    assert_int_equal(ask_at(a, SKEP_GATE_HEAD, ""), SKEP_GATE_ASK_WIRE);
    assert_int_equal(ask_at(a, SKEP_GATE_WIRE, "body"), SKEP_GATE_PASS);
    assert_int_equal(ask_at(a, SKEP_GATE_WIRE, "body"), SKEP_GATE_PASS); /* replayed */
    assert_int_equal(ask_at(a, SKEP_GATE_WIRE, "bodY"), SKEP_GATE_REFUSE);
    assert_int_equal(request.denial.why, SKEP_DENIED_SIGNATURE);
    request.target = SKEP_STR("/other");
    assert_int_equal(ask_at(a, SKEP_GATE_WIRE, "body"), SKEP_GATE_REFUSE);
    request.target = SKEP_STR("/");
    /* five minutes either way */
    now_ns += 300ll * 1000000000;
    assert_int_equal(ask_at(a, SKEP_GATE_WIRE, "body"), SKEP_GATE_PASS);
    now_ns += 1000000000;
    assert_int_equal(denied(a), SKEP_DENIED_CLOCK);
    assert_memory_equal(message.p, "Signature expired: ", 19);
    now_ns -= 602ll * 1000000000;
    assert_int_equal(denied(a), SKEP_DENIED_CLOCK);
    assert_memory_equal(message.p, "Signature not yet current: ", 27);
    now_ns += 301ll * 1000000000;
    /* a told hash is checked before the body comes */
    skep_sigv4_hash(skep_str_bytes(SKEP_STR("body")), hash);
    sign(&k, "20150830T123600Z", "", hash);
    assert_int_equal(ask_at(a, SKEP_GATE_HEAD, ""), SKEP_GATE_ASK_WIRE);
    assert_int_equal(ask_at(a, SKEP_GATE_WIRE, "body"), SKEP_GATE_PASS);
    assert_int_equal(ask_at(a, SKEP_GATE_WIRE, "else"), SKEP_GATE_REFUSE);
    request.host = SKEP_STR("elsewhere");
    assert_int_equal(denied(a), SKEP_DENIED_SIGNATURE);
    request.host = SKEP_STR("localhost:1");
    sign(&k, "20150830T123600Z", "", "UNSIGNED-PAYLOAD");
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    struct skep_issued other = k;
    memcpy(other.access_key, "AKIASKEPAAAAAAAAAAAA", 20);
    sign(&other, "20150830T123600Z", "", NULL);
    assert_int_equal(denied(a), SKEP_DENIED_UNKNOWN);
    other = k;
    other.aws_secret[3] ^= 1;
    sign(&other, "20150830T123600Z", "", "UNSIGNED-PAYLOAD");
    assert_int_equal(denied(a), SKEP_DENIED_SIGNATURE);
    with_header("authorization", "AWS4-HMAC-SHA256 Credential=x");
    assert_int_equal(denied(a), SKEP_DENIED_MALFORMED);
    prepare(SKEP_RIGHT_QUERY, SKEP_FORM_SIGV4);
    sign(&k, "20150830T123600Z", "", "UNSIGNED-PAYLOAD");
    assert_int_equal(denied(a), SKEP_DENIED_RIGHT);
    skep_auth_free(a);
}

/* Without the key file its AWS form is lost, and only that. */
static void test_key_file_lost(void **unused)
{
    struct skep_issued k = issue("default", SKEP_RIGHT_INGEST, no_limits);
    (void)unused;
    assert_int_equal(unlink(key_file), 0);
    struct skep_auth *a = start(true);
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_SIGV4 | SKEP_FORM_HONEYCOMB);
    sign(&k, "20150830T123600Z", "", "UNSIGNED-PAYLOAD");
    assert_int_equal(denied(a), SKEP_DENIED_UNKNOWN);
    with_header("x-honeycomb-team", k.token);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    skep_auth_free(a);
}

static void test_limits(void **unused)
{
    struct skep_issued k =
        issue("default", SKEP_RIGHT_ALL,
              (struct skep_key_limits){.events_per_minute = 10, .bytes_per_day = 1000});
    struct skep_auth *a = start(true);
    (void)unused;
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_HONEYCOMB);
    with_header("x-honeycomb-team", k.token);
    struct skep_gate gate = skep_auth_gate(a);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    request.wire_bytes = 100;
    gate.rows(gate.ctx, &request, 9);
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    gate.rows(gate.ctx, &request, 1);
    now_ns += 20ll * 1000000000;
    assert_int_equal(denied(a), SKEP_DENIED_RATE);
    assert_int_equal(request.denial.retry_after_s, 40);
    prepare(SKEP_RIGHT_QUERY, SKEP_FORM_HONEYCOMB); /* questions are not what is limited */
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_HONEYCOMB);
    now_ns += 40ll * 1000000000;
    assert_int_equal(denied(a), SKEP_DENIED_NO);
    request.wire_bytes = 800;
    gate.rows(gate.ctx, &request, 1);
    assert_int_equal(denied(a), SKEP_DENIED_RATE);
    assert_int_equal(request.denial.retry_after_s, 86400 - (12 * 60 + 37) * 60);
    /* the day's counts are there after a restart */
    skep_auth_free(a);
    a = start(true);
    assert_int_equal(denied(a), SKEP_DENIED_RATE);
    struct skep_state_key *keys;
    size_t n;
    skep_err err;
    assert_int_equal(skep_state_list_keys(state_db, &arena, &keys, &n, &err), SKEP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(keys[0].use.day_bytes, 1000);
    assert_int_equal(keys[0].use.day_events, 11);
    assert_true(keys[0].use.last_used_ns == now_ns);
    now_ns += 86400ll * 1000000000;
    assert_int_equal(denied(a), SKEP_DENIED_EXPIRED);
    skep_auth_free(a);
}

/* Another process changes the keys: noticed without being told. */
static void test_noticed(void **unused)
{
    struct skep_auth *a = start(true);
    struct skep_state *other = NULL;
    struct skep_issued made;
    skep_err err;
    (void)unused;
    const struct skep_state_config cfg = {.os = &os, .path = db, .beside_owner = true};
    assert_int_equal(skep_state_open(&cfg, &other, &err), SKEP_OK);
    const struct skep_issue what = {
        .name = SKEP_STR("a"), .environment = SKEP_STR("default"), .rights = SKEP_RIGHT_INGEST};
    assert_int_equal(skep_auth_issue(&os, other, key_file, &what, &made, &err), SKEP_OK);
    prepare(SKEP_RIGHT_INGEST, SKEP_FORM_HONEYCOMB);
    with_header("x-honeycomb-team", made.token);
    for (int i = 0; denied(a) != SKEP_DENIED_NO; i++) {
        assert_true(i < 300);
        skep_sleep_ms(100);
    }
    assert_int_equal(skep_state_revoke_key(other, skep_str_c(made.id), &err), SKEP_OK);
    for (int i = 0; denied(a) != SKEP_DENIED_REVOKED; i++) {
        assert_true(i < 300);
        skep_sleep_ms(100);
    }
    skep_state_close(other);
    skep_auth_free(a);
}

static void test_rights(void **unused)
{
    unsigned rights = 0;
    (void)unused;
    assert_true(skep_rights_parse(SKEP_STR("ingest, admin"), &rights));
    assert_int_equal(rights, SKEP_RIGHT_INGEST | SKEP_RIGHT_ADMIN);
    skep_str text = skep_rights_text(&arena, rights);
    assert_true(skep_str_eq(text, SKEP_STR("ingest,admin")));
    assert_false(skep_rights_parse(SKEP_STR(""), &rights));
    assert_false(skep_rights_parse(SKEP_STR("ingest,"), &rights));
    assert_false(skep_rights_parse(SKEP_STR("root"), &rights));
    for (unsigned i = 0; i < SKEP_DENIED_COUNT; i++) {
        assert_non_null(skep_denied_name((enum skep_denied)i));
        assert_true(skep_denied_http((enum skep_denied)i) >= 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_forms_of_a_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_mode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_of_a_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_environment_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_mode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bearer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rollbar, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rollbar_begun, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sigv4, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_file_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rights, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
