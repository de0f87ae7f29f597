// SPDX-License-Identifier: Apache-2.0
/* Logging in, sessions at the gate, guesses that take longer: over a real database, with a clock of
 * the test's own.  Over HTTP: tests/e2e/login.test.mjs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>
#include <unistd.h>

#include "auth/auth_priv.h"
#include "auth/login.h"
#include "base/assert.h"
#include "net/net_priv.h"

static const int64_t s_ns = 1000000000;
static char dir[64], db[80], key_file[80];
static struct skep_os os;
static _Atomic int64_t now_ns;
static struct skep_state *state_db;
static struct skep_auth *auth;
static struct skep_people people;
static struct skep_arena arena;
static skep_err err;

static int64_t test_now(const struct skep_os *self)
{
    (void)self;
    return atomic_load(&now_ns);
}

static int set_up(void **unused)
{
    (void)unused;
    (void)snprintf(dir, sizeof dir, "/tmp/skep-test-login-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(db, sizeof db, "%s/state.db", dir);
    (void)snprintf(key_file, sizeof key_file, "%s/key", dir);
    os = *skep_os_real();
    os.now_ns = test_now;
    now_ns = 1440938160ll * s_ns;
    skep_arena_init(&arena, "test", NULL);
    const struct skep_state_config cfg = {.os = &os, .path = db};
    if (skep_state_open(&cfg, &state_db, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    const struct skep_auth_config c = {
        .os = &os, .state = state_db, .key_file = key_file, .keys = true};
    if (skep_auth_new(&c, &auth, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    people = (struct skep_people){.os = &os, .state = state_db, .auth = auth};
    return 0;
}

static int tear_down(void **unused)
{
    static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "key"};
    (void)unused;
    skep_auth_free(auth);
    skep_state_close(state_db);
    skep_arena_done(&arena);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        char path[96];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
    return 0;
}

static const char *const good = "correct horse";

static void make(const char *name, enum skep_role role)
{
    if (skep_auth_create_user(&people, skep_str_c(name), role, skep_str_c(good), &err) != SKEP_OK)
        fail_msg("%s", err.text);
}

static skep_rc try(const char *name, const char *password, const char *peer,
                   struct skep_logged_in *ret)
{
    const struct skep_login what = {.name = skep_str_c(name),
                                    .password = skep_str_c(password),
                                    .peer = skep_str_c(peer),
                                    .old = SKEP_STR("")};
    return skep_auth_login(&people, &what, &arena, ret, &err);
}

/* --- what the gate says of a request with headers
 * --------------------------------------------------- */

static struct skep_header header_list[4];
static struct skep_net__req raw = {.magic = SKEP_NET__REQ_MAGIC, .headers = header_list};
static struct skep_route route = {.form = SKEP_FORM_PAGE};

static void header(const char *name, skep_str value)
{
    header_list[raw.n_headers++] = (struct skep_header){skep_str_c(name), value};
}

static skep_str cookie_of(const char *name, const char *token)
{
    return skep_arena_printf(&arena, "theme=dark; %s=%s", name, token);
}

static enum skep_denied ask(const char *method, unsigned right, const char *path, bool tls)
{
    skep_str message = SKEP_STR("");
    route.right = right;
    raw.pub = (struct skep_request){.method = skep_str_c(method),
                                    .path = skep_str_c(path),
                                    .target = SKEP_STR("/"),
                                    .query = SKEP_STR(""),
                                    .host = SKEP_STR("localhost:1"),
                                    .tls = tls,
                                    .route = &route,
                                    .arena = &arena};
    struct skep_gate gate = skep_auth_gate(auth);
    bool passed =
        gate.ask(gate.ctx, &raw.pub, SKEP_GATE_HEAD, (skep_bytes){0}, &message) == SKEP_GATE_PASS;
    raw.n_headers = 0;
    return passed ? SKEP_DENIED_NO : raw.pub.denial.why;
}

static enum skep_denied get(const char *token, unsigned right)
{
    header("cookie", cookie_of("skep_session", token));
    return ask("GET", right, "/skep/v1/status", false);
}

static void test_login_gives_a_session_and_its_role(void **unused)
{
    struct skep_logged_in ann, bob;
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    make("bob@hive.example", SKEP_ROLE_VIEWER);
    assert_int_equal(try("Ann", good, "127.0.0.1:1", &ann), SKEP_OK);
    assert_true(skep_str_eq(ann.name, SKEP_STR("ann")));
    assert_int_equal(try("bob@hive.example", good, "127.0.0.1:1", &bob), SKEP_OK);
    assert_int_equal(strlen(ann.token), SKEP_LOGIN_TOKEN_BYTES - 1);
    assert_string_not_equal(ann.token, bob.token);
    assert_int_equal(get(ann.token, SKEP_RIGHT_ADMIN), SKEP_DENIED_NO);
    assert_true(skep_str_eq(raw.pub.caller.actor, SKEP_STR("ann")));
    assert_int_equal(raw.pub.caller.rights, SKEP_RIGHT_ALL);
    assert_int_equal(get(bob.token, SKEP_RIGHT_QUERY), SKEP_DENIED_NO);
    assert_int_equal(get(bob.token, SKEP_RIGHT_ANY), SKEP_DENIED_NO);
    assert_int_equal(get(bob.token, SKEP_RIGHT_ADMIN), SKEP_DENIED_RIGHT);
    assert_int_equal(get(bob.token, SKEP_RIGHT_INGEST), SKEP_DENIED_RIGHT);
    bob.token[0] = bob.token[0] == '0' ? '1' : '0';
    assert_int_equal(get(bob.token, SKEP_RIGHT_QUERY), SKEP_DENIED_EXPIRED);
    assert_int_equal(get("", SKEP_RIGHT_QUERY), SKEP_DENIED_MISSING);
}

static void test_a_wrong_password_is_like_an_unknown_user(void **unused)
{
    struct skep_logged_in in;
    char first[256];
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    make("bob", SKEP_ROLE_VIEWER);
    assert_int_equal(try("ann", "wrong horse", "127.0.0.1:1", &in), SKEP_EUNAUTHENTICATED);
    (void)snprintf(first, sizeof first, "%s", err.text);
    assert_int_equal(try("eve", good, "127.0.0.1:1", &in), SKEP_EUNAUTHENTICATED);
    assert_string_equal(err.text, first);
    assert_int_equal(skep_auth_set_user(&people, SKEP_STR("bob"), SKEP_ROLE_VIEWER, true, &err),
                     SKEP_OK);
    assert_int_equal(try("bob", good, "127.0.0.1:1", &in), SKEP_EUNAUTHENTICATED);
    assert_string_equal(err.text, first);
    assert_int_equal(try("ann\n", good, "127.0.0.1:1", &in), SKEP_EUNAUTHENTICATED);
    assert_int_equal(try("ann", "", "127.0.0.1:1", &in), SKEP_EUNAUTHENTICATED);
}

static void test_sessions_end(void **unused)
{
    struct skep_logged_in in;
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    make("bob", SKEP_ROLE_VIEWER);
    assert_int_equal(try("ann", good, "127.0.0.1:1", &in), SKEP_OK); /* not used */
    now_ns += SKEP_SESSION_IDLE_S * s_ns - 1;
    assert_int_equal(get(in.token, SKEP_RIGHT_QUERY), SKEP_DENIED_NO);
    now_ns += SKEP_SESSION_IDLE_S * s_ns;
    assert_int_equal(get(in.token, SKEP_RIGHT_QUERY), SKEP_DENIED_EXPIRED);

    assert_int_equal(try("ann", good, "127.0.0.1:1", &in), SKEP_OK); /* used each day */
    for (int day = 0; day < 30; day++) {
        assert_int_equal(get(in.token, SKEP_RIGHT_QUERY), SKEP_DENIED_NO);
        now_ns += 86400 * s_ns;
    }
    assert_int_equal(get(in.token, SKEP_RIGHT_QUERY), SKEP_DENIED_EXPIRED);

    assert_int_equal(try("bob", good, "127.0.0.1:1", &in), SKEP_OK);
    assert_int_equal(get(in.token, SKEP_RIGHT_QUERY), SKEP_DENIED_NO);
    assert_int_equal(skep_auth_set_user(&people, SKEP_STR("bob"), SKEP_ROLE_ADMIN, false, &err),
                     SKEP_OK);
    assert_int_equal(get(in.token, SKEP_RIGHT_ADMIN), SKEP_DENIED_NO); /* the role is today's */
    assert_int_equal(skep_auth_set_user(&people, SKEP_STR("bob"), SKEP_ROLE_ADMIN, true, &err),
                     SKEP_OK);
    assert_int_equal(get(in.token, SKEP_RIGHT_QUERY), SKEP_DENIED_EXPIRED);
    assert_int_equal(try("ann", good, "127.0.0.1:1", &in), SKEP_OK);
    assert_int_equal(skep_auth_logout(&people, skep_str_c(in.token), &err), SKEP_OK);
    assert_int_equal(get(in.token, SKEP_RIGHT_QUERY), SKEP_DENIED_EXPIRED);
}

static void test_a_login_ends_the_session_it_came_with(void **unused)
{
    struct skep_logged_in one, two;
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    assert_int_equal(try("ann", good, "127.0.0.1:1", &one), SKEP_OK);
    const struct skep_login what = {.name = SKEP_STR("ann"),
                                    .password = skep_str_c(good),
                                    .peer = SKEP_STR("127.0.0.1:1"),
                                    .old = skep_str_c(one.token)};
    assert_int_equal(skep_auth_login(&people, &what, &arena, &two, &err), SKEP_OK);
    assert_int_equal(get(one.token, SKEP_RIGHT_QUERY), SKEP_DENIED_EXPIRED);
    assert_int_equal(get(two.token, SKEP_RIGHT_QUERY), SKEP_DENIED_NO);
}

static void test_the_cookie_alone_changes_nothing(void **unused)
{
    struct skep_logged_in in;
    static const char *const not_enough[][2] = {{"content-type", "application/json"},
                                                {"x-skep-environment", "default"},
                                                {"x-requested-with", "x"}};
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    assert_int_equal(try("ann", good, "127.0.0.1:1", &in), SKEP_OK);
    skep_str cookie = cookie_of("skep_session", in.token);
    static const char *const methods[] = {"POST", "DELETE", "PATCH", "PUT"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(methods); i++) {
        header("cookie", cookie);
        assert_int_equal(ask(methods[i], SKEP_RIGHT_ADMIN, "/skep/v1/keys", false),
                         SKEP_DENIED_RIGHT);
        header("cookie", cookie);
        header("x-skep-page", SKEP_STR("1"));
        assert_int_equal(ask(methods[i], SKEP_RIGHT_ADMIN, "/skep/v1/keys", false), SKEP_DENIED_NO);
        header("cookie", cookie);
        header("origin", SKEP_STR("http://localhost:1")); /* net has found it to be ours */
        assert_int_equal(ask(methods[i], SKEP_RIGHT_ADMIN, "/skep/v1/keys", false), SKEP_DENIED_NO);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(not_enough); i++) {
        header("cookie", cookie);
        header(not_enough[i][0], skep_str_c(not_enough[i][1]));
        assert_int_equal(ask("POST", SKEP_RIGHT_ADMIN, "/skep/v1/keys", false), SKEP_DENIED_RIGHT);
    }
}

static void test_where_the_cookie_counts(void **unused)
{
    struct skep_logged_in in;
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    assert_int_equal(try("ann", good, "127.0.0.1:1", &in), SKEP_OK);
    header("cookie", cookie_of("skep_session", in.token));
    assert_int_equal(ask("GET", SKEP_RIGHT_QUERY, "/1/queries", false), SKEP_DENIED_MISSING);
    /* With TLS the name that no other host can set, and that one alone. */
    header("cookie", cookie_of("skep_session", in.token));
    assert_int_equal(ask("GET", SKEP_RIGHT_QUERY, "/skep/v1/status", true), SKEP_DENIED_MISSING);
    header("cookie", cookie_of("__Host-skep_session", in.token));
    assert_int_equal(ask("GET", SKEP_RIGHT_QUERY, "/skep/v1/status", true), SKEP_DENIED_NO);
    header("cookie", SKEP_STR("a=b"));
    header("cookie", cookie_of("skep_session", in.token)); /* HTTP/2: in pieces */
    assert_int_equal(ask("GET", SKEP_RIGHT_QUERY, "/skep/v1/status", false), SKEP_DENIED_NO);
    header("cookie", cookie_of("xskep_session", in.token));
    assert_int_equal(ask("GET", SKEP_RIGHT_QUERY, "/skep/v1/status", false), SKEP_DENIED_MISSING);
    skep_str set = skep_auth_set_cookie(&arena, true, skep_str_c(in.token));
    assert_true(skep_str_starts(set, SKEP_STR("__Host-skep_session=")));
    assert_true(skep_str_find(set, SKEP_STR("; Path=/; HttpOnly; SameSite=Strict; Secure")) !=
                SIZE_MAX);
    set = skep_auth_set_cookie(&arena, false, SKEP_STR(""));
    assert_true(skep_str_find(set, SKEP_STR("Max-Age=0")) != SIZE_MAX);
}

static void test_a_link_makes_a_user(void **unused)
{
    char link[SKEP_LOGIN_TOKEN_BYTES];
    struct skep_logged_in in;
    struct skep_login what = {.name = SKEP_STR("ann"),
                              .password = SKEP_STR("short"),
                              .peer = SKEP_STR("127.0.0.1:1"),
                              .old = SKEP_STR("")};
    (void)unused;
    assert_int_equal(skep_auth_link(&people, SKEP_ROLE_ADMIN, link, &err), SKEP_OK);
    skep_str token = skep_str_c(link);
    assert_int_equal(skep_auth_welcome(&people, token, &what, &arena, &in, &err), SKEP_EINVAL);
    what.password = skep_str_c(good);
    what.name = SKEP_STR("an n");
    assert_int_equal(skep_auth_welcome(&people, token, &what, &arena, &in, &err), SKEP_EINVAL);
    what.name = what.password = SKEP_STR("annabella-ann");
    assert_int_equal(skep_auth_welcome(&people, token, &what, &arena, &in, &err), SKEP_EINVAL);
    what.name = SKEP_STR("ann");
    assert_int_equal(skep_auth_welcome(&people, token, &what, &arena, &in, &err), SKEP_OK);
    assert_int_equal(get(in.token, SKEP_RIGHT_ADMIN), SKEP_DENIED_NO);
    what.name = SKEP_STR("bob");
    assert_int_equal(skep_auth_welcome(&people, token, &what, &arena, &in, &err), SKEP_EFORBIDDEN);
    assert_int_equal(skep_auth_link(&people, SKEP_ROLE_ADMIN, link, &err), SKEP_OK);
    now_ns += SKEP_LINK_MAX_S * s_ns;
    assert_int_equal(skep_auth_welcome(&people, token, &what, &arena, &in, &err), SKEP_EFORBIDDEN);
    /* A session's token is no link, and a link's no session. */
    assert_int_equal(get(link, SKEP_RIGHT_QUERY), SKEP_DENIED_EXPIRED);
}

static void test_a_password_anew_ends_sessions(void **unused)
{
    struct skep_logged_in in;
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    assert_int_equal(try("ann", good, "127.0.0.1:1", &in), SKEP_OK);
    assert_int_equal(
        skep_auth_set_password(&people, SKEP_STR("ann"), SKEP_STR("another horse"), &err), SKEP_OK);
    assert_int_equal(get(in.token, SKEP_RIGHT_QUERY), SKEP_DENIED_EXPIRED);
    assert_int_equal(try("ann", good, "127.0.0.1:1", &in), SKEP_EUNAUTHENTICATED);
    assert_int_equal(try("ann", "another horse", "127.0.0.1:1", &in), SKEP_OK);
}

/* --- guesses
 * --------------------------------------------------------------------------------------- */

static int guess(const char *name, const char *peer)
{
    return skep_auth__guess_begin(&auth->guesses, skep_str_c(name), skep_str_c(peer), now_ns);
}

static void test_guesses_take_longer_and_longer(void **unused)
{
    static const int waits[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    (void)unused;
    for (int i = 0; i < 5; i++)
        assert_int_equal(guess("ann", "127.0.0.1:1"), 0);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(waits); i++) {
        assert_int_equal(guess("ANN", "127.0.0.1:2"), 0); /* the one that sets the wait */
        assert_int_equal(guess("ann", "127.0.0.1:3"), waits[i]);
        now_ns += waits[i] * s_ns;
    }
    assert_int_equal(guess("bob", "127.0.0.1:1"), 0); /* others do not wait */
    skep_auth__guess_good(&auth->guesses, SKEP_STR("ann"), SKEP_STR("127.0.0.1:1"), now_ns);
    for (int i = 0; i < 5; i++)
        assert_int_equal(guess("ann", "127.0.0.1:1"), 0);
    for (int i = 0; i < 10; i++) {
        (void)guess("ann", "127.0.0.1:1");
        now_ns += 60 * s_ns;
    }
    now_ns += 3601 * s_ns; /* forgotten */
    for (int i = 0; i < 6; i++)
        assert_int_equal(guess("ann", "127.0.0.1:1"), 0);
}

static void test_guesses_of_an_address(void **unused)
{
    char name[16];
    (void)unused;
    for (int i = 0; i < 21; i++) { /* another name each time */
        (void)snprintf(name, sizeof name, "user%d", i);
        assert_int_equal(guess(name, i % 2 ? "[2001:db8::1]:5" : "[2001:db8::ffff:2]:6"), 0);
        (void)snprintf(name, sizeof name, "local%d", i);
        assert_int_equal(guess(name, "[::1]:5"), 0);
        assert_int_equal(guess(name, "127.0.0.5:5"), 0);
    }
    assert_int_equal(guess("user99", "[2001:db8::77]:5"), 1);
    assert_int_equal(guess("user98", "[2001:db8:0:1::1]:5"), 0);
    assert_int_equal(guess("local99", "[::1]:5"), 0); /* a proxy speaks for everybody */
    for (int i = 0; i < 21; i++) {
        (void)snprintf(name, sizeof name, "four%d", i);
        assert_int_equal(guess(name, i % 2 ? "192.0.2.7:1" : "[::ffff:192.0.2.7]:1"), 0);
    }
    assert_int_equal(guess("four99", "192.0.2.7:9"), 1);
    for (int i = 0; i < 30; i++) { /* at most a quarter of an hour */
        now_ns += 900 * s_ns;
        (void)snprintf(name, sizeof name, "five%d", i);
        assert_int_equal(guess(name, "192.0.2.7:9"), 0);
    }
    assert_int_equal(guess("five99", "192.0.2.7:9"), 900);
}

static void test_the_table_of_guesses_is_bounded(void **unused)
{
    char name[24];
    (void)unused;
    for (int i = 0; i < 6; i++)
        (void)guess("ann", "127.0.0.1:1");
    for (int i = 0; i < 20000; i++) {
        now_ns += 1000;
        (void)snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(guess(name, "127.0.0.1:1"), 0);
    }
    size_t used = 0;
    for (unsigned s = 0; s < SKEP_AUTH__GUESS_SETS; s++)
        for (unsigned w = 0; w < SKEP_AUTH__GUESS_WAYS; w++)
            used += auth->guesses.slots[SKEP_AUTH__BY_USER][s][w].tag != 0;
    assert_int_equal(used, SKEP_AUTH__GUESS_SETS * SKEP_AUTH__GUESS_WAYS);
}

/* --- one hash at a time, from a budget
 * -------------------------------------------------------------- */

static void test_the_hash_takes_from_the_budget(void **unused)
{
    struct skep_budget small, enough;
    struct skep_logged_in in;
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    skep_budget_init(&small, "small", 1 << 20, NULL);
    skep_budget_init(&enough, "enough", 32 << 20, NULL);
    people.budget = &small;
    for (int i = 0; i < 10; i++) /* no guess: the password was not looked at */
        assert_int_equal(try("ann", good, "127.0.0.1:1", &in), SKEP_ENOMEM);
    people.budget = &enough;
    assert_int_equal(try("ann", good, "127.0.0.1:1", &in), SKEP_OK);
    assert_int_equal(skep_budget_used(&enough), 0);
    assert_int_equal(atomic_load(&enough.peak_bytes), SKEP_PASSWORD_MEMORY_BYTES);
}

static _Atomic unsigned let_in, told_to_wait;

static void log_in_once(void *arg)
{
    struct skep_logged_in in;
    skep_err why;
    struct skep_arena own;
    const struct skep_login what = {.name = SKEP_STR("ann"),
                                    .password = skep_str_c(good),
                                    .peer = SKEP_STR("127.0.0.1:1"),
                                    .old = SKEP_STR("")};
    (void)arg;
    skep_arena_init(&own, "thread", NULL);
    skep_rc rc = skep_auth_login(&people, &what, &own, &in, &why);
    skep_arena_done(&own);
    if (rc == SKEP_OK)
        atomic_fetch_add(&let_in, 1);
    else if (rc == SKEP_ELIMIT)
        atomic_fetch_add(&told_to_wait, 1);
}

static void test_one_hash_at_a_time(void **unused)
{
    enum { N = 12 };
    skep_thread threads[N];
    struct skep_budget one;
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    skep_budget_init(&one, "one", SKEP_PASSWORD_MEMORY_BYTES, NULL);
    people.budget = &one; /* two at once would not fit */
    for (int i = 0; i < N; i++)
        skep_thread_start(&threads[i], "login", log_in_once, NULL);
    for (int i = 0; i < N; i++)
        skep_thread_join(&threads[i]);
    assert_true(let_in > 0);
    assert_int_equal(let_in + told_to_wait, N);
}

static void test_an_unknown_users_hash_is_like_anybodys(void **unused)
{
    struct skep_state_user u;
    (void)unused;
    make("ann", SKEP_ROLE_ADMIN);
    assert_int_equal(skep_state_find_user(state_db, SKEP_STR("ann"), &arena, &u, &err), SKEP_OK);
    /* The same algorithm, memory and passes; what differs is salt and hash. */
    assert_true(skep_str_starts(u.password, SKEP_STR("$argon2id$v=19$m=9216,t=4,p=1$")));
    assert_int_equal(crypto_pwhash_str_needs_rehash(skep_cstr(&arena, u.password), 4,
                                                    SKEP_PASSWORD_MEMORY_BYTES),
                     0);
    assert_int_equal(
        crypto_pwhash_str_needs_rehash(skep_auth__nobody, 4, SKEP_PASSWORD_MEMORY_BYTES), 0);
    assert_int_equal(strlen(skep_auth__nobody), u.password.n);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_login_gives_a_session_and_its_role),
        T(test_a_wrong_password_is_like_an_unknown_user),
        T(test_sessions_end),
        T(test_a_login_ends_the_session_it_came_with),
        T(test_the_cookie_alone_changes_nothing),
        T(test_where_the_cookie_counts),
        T(test_a_link_makes_a_user),
        T(test_a_password_anew_ends_sessions),
        T(test_guesses_take_longer_and_longer),
        T(test_guesses_of_an_address),
        T(test_the_table_of_guesses_is_bounded),
        T(test_the_hash_takes_from_the_budget),
        T(test_one_hash_at_a_time),
        T(test_an_unknown_users_hash_is_like_anybodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
