// SPDX-License-Identifier: Apache-2.0
/* Where webhooks may go; what a place's target may be; what a message may hold; and that a kind of
 * trouble with one place - its answers, its secret - is only its own.  Deliveries over real sockets
 * are in tests/e2e/notify.test.mjs. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify/notify_priv.h"

static bool may(const struct skep_notify_config *cfg, const char *address)
{
    struct sockaddr_storage a = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
        a.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
        a.ss_family = AF_INET6;
    return skep_notify__may_connect((void *)(uintptr_t)cfg, (const struct sockaddr *)&a, sizeof a);
}

static void test_addresses(void **unused)
{
    static const char *const never[] = {"169.254.169.254", "fe80::1",          "224.0.0.1",
                                        "ff02::1",         "0.0.0.0",          "::",
                                        "255.255.255.255", "::ffff:a9fe:a9fe", "not an address"};
    static const char *const near[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
    static const char *const far[] = {"192.0.2.7", "10.1.2.3", "2001:db8::1", "fd00::1"};
    struct skep_notify_config open = {.near = true}, keys = {.near = false};
    struct skep_cidr ten[2];
    (void)unused;
    assert_int_equal(skep_cidr_parse(SKEP_STR("10.0.0.0/8"), &ten[0], NULL), SKEP_OK);
    assert_int_equal(skep_cidr_parse(SKEP_STR("::1"), &ten[1], NULL), SKEP_OK);
    const struct skep_notify_config only = {.near = true, .allow = ten, .n_allow = 2};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(never); i++)
        if (may(&open, never[i]) || may(&keys, never[i]) || may(&only, never[i]))
            fail_msg("%s", never[i]);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(near); i++)
        if (!may(&open, near[i]) || may(&keys, near[i]))
            fail_msg("%s", near[i]);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(far); i++)
        if (!may(&open, far[i]) || !may(&keys, far[i]))
            fail_msg("%s", far[i]);
    assert_true(may(&only, "10.1.2.3"));
    assert_true(may(&only, "::1"));
    assert_false(may(&only, "127.0.0.1"));
    assert_false(may(&only, "192.0.2.7"));
}

static void test_targets(void **unused)
{
    static const struct {
        const char *kind, *target;
        bool good;
    } cases[] = {
        {"webhook", "https://example.com", true},
        {"slack", "https://hooks.slack.com/services/T/B/x", true},
        {"webhook", "gopher://example.com", false},
        {"webhook", "https://", false},
        {"webhook", "http:///x", false},
        {"webhook", "http://a/\nx", false},
        {"mail", "a@b.example", true},
        {"mail", "a@b.example ,  c+d@e.example", true},
        {"mail", "a@b.example,", false},
        {"mail", "a@b@c", false},
        {"mail", "a@b\r", false},
        {"mail", "a@b,\r\nc@d", false},
        {"mail", "Ann <a@b>", false},
        {"mail", "a@b\r\nRCPT TO:<x@y>", false},
        {"pigeon", "a@b", false},
    };
    enum skep_state_place_kind kind;
    skep_err err;
    (void)unused;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        bool good = skep_notify_check_place(skep_str_c(cases[i].kind), skep_str_c(cases[i].target),
                                            &kind, &err) == SKEP_OK;
        if (good != cases[i].good)
            fail_msg("%s %s", cases[i].kind, cases[i].target);
        if (good)
            assert_string_equal(skep_notify_kind_name(kind), cases[i].kind);
    }
}

/* A target that fits nowhere whole is refused: its beginning could be somebody else's address. */
static void test_long_targets(void **unused)
{
    static char mail[20 * 200];
    enum skep_state_place_kind kind;
    skep_err err;
    size_t n = 0;
    (void)unused;
    while (n + 140 < sizeof mail) {
        n += (size_t)snprintf(mail + n, sizeof mail - n, "%s%0120d@b.example", n ? "," : "", 7);
        bool fits = n <= 2000;
        assert_int_equal(
            skep_notify_check_place(SKEP_STR("mail"), (skep_str){mail, n}, &kind, &err),
            fits ? SKEP_OK : SKEP_EINVAL);
        if (!fits)
            return;
    }
    fail_msg("never too long");
}

static bool no_secret(void *ctx, skep_str place, uint8_t ret[32])
{
    (void)ctx, (void)place, (void)ret;
    return false;
}

/* A place whose secret cannot be had: its message waits, and says why. */
static void test_put(void **unused)
{
    char dir[] = "/tmp/skep-test-notify-XXXXXX", path[80], id[SKEP_NOTICE_ID_BYTES];
    static char large[SKEP_STATE_MESSAGE_BYTES];
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct skep_state *state;
    struct skep_arena arena;
    skep_err err;
    (void)unused;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/state.db", dir);
    const struct skep_state_config cfg = {.os = skep_os_real(), .path = path};
    assert_int_equal(skep_state_open(&cfg, &state, &err), SKEP_OK);
    const struct skep_state_place p = {.id = SKEP_STR("p"),
                                       .environment = SKEP_STR("default"),
                                       .name = SKEP_STR("p"),
                                       .kind = SKEP_STATE_PLACE_WEBHOOK,
                                       .target = SKEP_STR("http://127.0.0.1:1/"),
                                       .per_minute = 60};
    assert_int_equal(skep_state_put_place(state, &p, &err), SKEP_OK);
    const struct skep_notify_config with = {
        .os = skep_os_real(), .state = state, .secret = no_secret, .backoff_ns = 1000000};
    struct skep_notify *n = skep_notify_new(&with);
    struct skep_notice w = {.environment = SKEP_STR("default"),
                            .place = SKEP_STR("p"),
                            .kind = SKEP_STR("test"),
                            .key = SKEP_STR("k")};
    assert_int_equal(skep_notify_put(n, &w, id, &err), SKEP_OK);
    assert_memory_equal(id, "msg_", 4);
    assert_int_equal(skep_notify_put(n, &w, id, &err), SKEP_OK);
    assert_string_equal(id, ""); /* told before */
    w.key = SKEP_STR("");
    w.data = SKEP_STR("[]");
    assert_int_equal(skep_notify_put(n, &w, id, &err), SKEP_EINVAL);
    w.data = SKEP_STR("");
    w.kind = SKEP_STR("a\r\nb: c");
    assert_int_equal(skep_notify_put(n, &w, id, &err), SKEP_EINVAL);
    w.kind = SKEP_STR("test");
    w.text = (skep_str){large, sizeof large};
    w.title = SKEP_STR("x");
    assert_int_equal(skep_notify_put(n, &w, id, &err), SKEP_ETOOLARGE);
    w.text = SKEP_STR("");
    w.place = SKEP_STR("q");
    assert_int_equal(skep_notify_put(n, &w, id, &err), SKEP_ENOTFOUND);
    struct skep_notify_stats stats = {0};
    while (stats.failed_attempts < 3) { /* it goes on trying; CTest has the time limit */
        usleep(1000);
        skep_notify_stats(n, &stats);
    }
    assert_int_equal(stats.queued, 1);
    assert_int_equal(stats.delivered + stats.dead, 0);
    skep_notify_free(n);
    struct skep_state_message m;
    skep_arena_init(&arena, "test", NULL);
    assert_int_equal(skep_state_next_message(state, SKEP_STR("p"), &arena, &m, &err), SKEP_OK);
    assert_true(skep_str_find(m.error, SKEP_STR("key file")) != SIZE_MAX);
    skep_arena_done(&arena);
    skep_state_close(state);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/state.db%s", dir, suffixes[i]);
        unlink(path);
    }
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_long_targets),
        cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
