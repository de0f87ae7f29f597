// SPDX-License-Identifier: Apache-2.0
/* TLS on the listeners: both protocols behind it, certificates that change, clients' certificates,
 * and what the wrong kind of client is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "echo_server.h"
#include "net/net_priv.h"
#include "tls_files.h"

static char dir[64], cert[80], key[80], ca[80];
static struct tls_signer authority;
static struct echo e;

static const char hello_text[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/skep-tls-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(cert, sizeof cert, "%s/server.pem", dir);
    snprintf(key, sizeof key, "%s/server.key", dir);
    snprintf(ca, sizeof ca, "%s/ca.pem", dir);
    authority = tls_make(dir, "ca", "CN=test authority", NULL);
    struct tls_signer s = tls_make(dir, "server", "CN=first", &authority);
    tls_signer_done(&s);
    s = tls_make(dir, "client", "CN=agent,O=Hive", &authority);
    tls_signer_done(&s);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"ca.pem",     "ca.key",     "server.pem", "server.key",
                                        "client.pem", "client.key", "other.pem",  "other.key"};
    (void)state;
    tls_signer_done(&authority);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static void start(struct skep_net_tls_config tls, unsigned idle_s)
{
    skep_err err = {0};
    tls.cert = cert;
    tls.key = key;
    if (!echo_start(&e, (struct skep_net_config){.tls = tls, .idle_timeout_s = idle_s}, &err))
        fail_msg("%s", err.text);
}

static void hello(struct tls_client *c)
{
    char got[1024];
    assert_true(tls_put(c, hello_text, sizeof hello_text - 1));
    tls_get(c, got, sizeof got - 1);
    if (!strstr(got, "200 OK") || !strstr(got, "Hello, world"))
        fail_msg("got %s", got);
}

/* The common name of the certificate that the server shows. */
static void shown_name(const char *want)
{
    struct tls_client c;
    unsigned n = 0;
    char name[128] = "";
    size_t size = sizeof name;
    gnutls_x509_crt_t crt;
    assert_true(tls_open(&c, e.port, NULL, NULL));
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(c.session, &n);
    assert_non_null(chain);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_import(crt, chain, GNUTLS_X509_FMT_DER);
    gnutls_x509_crt_get_dn(crt, name, &size);
    gnutls_x509_crt_deinit(crt);
    assert_string_equal(name, want);
    hello(&c);
    tls_close(&c);
}

static void test_protocols(void **state)
{
    struct tls_client c;
    char got[64];
    gnutls_datum_t chosen = {NULL, 0};
    (void)state;
    start((struct skep_net_tls_config){0}, 0);
    shown_name("CN=first");
    assert_true(tls_open(&c, e.port, "http/1.1", NULL));
    assert_int_equal(gnutls_alpn_get_selected_protocol(c.session, &chosen), 0);
    assert_int_equal(chosen.size, 8);
    hello(&c);
    tls_close(&c);
    assert_true(tls_open(&c, e.port, "h2", NULL));
    assert_int_equal(gnutls_alpn_get_selected_protocol(c.session, &chosen), 0);
    assert_memory_equal(chosen.data, "h2", 2);
    assert_true(tls_put(&c, preface, sizeof preface - 1));
    assert_int_equal(tls_get(&c, got, 9), 9);
    assert_int_equal(got[3], 4); /* SETTINGS */
    tls_close(&c);
    struct skep_net_stats s;
    skep_net_stats(e.net, &s);
    assert_int_equal(s.tls_connections, 3);
    assert_int_equal(s.refused_plain, 0);
    echo_stop(&e, 100);
}

/* The parser against what real clients send, in pieces. */
static void test_hello(void **state)
{
    static const char *const offers[] = {NULL, "http/1.1", "h2"};
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(offers); i++) {
        uint8_t seen[4096];
        uint8_t cut[8192];
        int pair[2];
        gnutls_session_t s;
        gnutls_certificate_credentials_t cred;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        gnutls_certificate_allocate_credentials(&cred);
        gnutls_init(&s, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
        gnutls_set_default_priority(s);
        gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred);
        if (offers[i]) {
            gnutls_datum_t name = {(unsigned char *)(uintptr_t)offers[i],
                                   (unsigned)strlen(offers[i])};
            gnutls_alpn_set_protocols(s, &name, 1, 0);
        }
        gnutls_transport_set_int(s, pair[0]);
        assert_true(gnutls_handshake(s) < 0);
        ssize_t n = recv(pair[1], seen, sizeof seen, MSG_DONTWAIT);
        gnutls_deinit(s);
        gnutls_certificate_free_credentials(cred);
        close(pair[0]);
        close(pair[1]);
        assert_true(n > 100);
        enum skep_net__sniffed want = i == 2 ? SKEP_NET__SNIFF_TLS_H2 : SKEP_NET__SNIFF_TLS;
        assert_int_equal(skep_net__hello((skep_bytes){seen, (size_t)n}), want);
        for (size_t k = 2; k < (size_t)n; k++)
            assert_int_equal(skep_net__hello((skep_bytes){seen, k}), SKEP_NET__SNIFF_MORE);
        size_t m = 0; /* the same message, seven bytes a record */
        for (size_t at = 5; at < (size_t)n; at += 7) {
            size_t k = (size_t)n - at < 7 ? (size_t)n - at : 7;
            memcpy(cut + m, "\x16\3\3\0", 4);
            cut[m + 4] = (uint8_t)k;
            memcpy(cut + m + 5, seen + at, k);
            m += 5 + k;
        }
        assert_int_equal(skep_net__hello((skep_bytes){cut, m}), want);
    }
    uint8_t big[SKEP_NET__HELLO_MAX] = {22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0};
    assert_int_equal(skep_net__hello((skep_bytes){big, 1000}), SKEP_NET__SNIFF_TLS);
    big[7] = 0x2f;
    big[8] = 0xfa; /* as long as it may be, and cut by what we look at */
    assert_int_equal(skep_net__hello((skep_bytes){big, sizeof big - 1}), SKEP_NET__SNIFF_MORE);
    assert_int_equal(skep_net__hello((skep_bytes){big, sizeof big}), SKEP_NET__SNIFF_TLS);
}

static void test_wrong_kind(void **state)
{
    struct tls_client c;
    char got[256];
    struct skep_net_stats s;
    (void)state;
    start((struct skep_net_tls_config){0}, 0);
    int fd = raw_connect(e.port);
    assert_true(raw_puts(fd, hello_text));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body, "https://"));
    assert_true(raw_closed(fd, 60000));
    free(r.body);
    close(fd);
    fd = raw_connect(e.port);
    assert_true(raw_send(fd, preface, sizeof preface - 1));
    ssize_t n = 0;
    for (ssize_t k; (k = recv(fd, got + n, sizeof got - 1 - (size_t)n, 0)) > 0;)
        n += k;
    close(fd);
    assert_true(n > 26 && got[3] == 4 && got[12] == 7 && got[25] == 12);
    assert_memory_equal(got + 26, "this port speaks TLS", 20);
    skep_net_stats(e.net, &s);
    assert_int_equal(s.refused_plain, 2);
    echo_stop(&e, 100);
    start((struct skep_net_tls_config){.allow_plain = true}, 0);
    fd = raw_connect(e.port);
    assert_true(raw_puts(fd, hello_text));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    free(r.body);
    close(fd);
    shown_name("CN=first");
    echo_stop(&e, 100);
    skep_err err = {0};
    assert_true(echo_start(&e, (struct skep_net_config){0}, &err)); /* TLS to a port without */
    assert_false(tls_open(&c, e.port, NULL, NULL));
    assert_int_equal(gnutls_alert_get(c.session), GNUTLS_A_HANDSHAKE_FAILURE);
    tls_close(&c);
    echo_stop(&e, 100);
}

static void replace(const char *name)
{
    struct tls_signer s = tls_make(dir, "server", name, &authority);
    tls_signer_done(&s);
}

static void test_reload(void **state)
{
    struct tls_client held;
    skep_err err = {0};
    bool changed = false;
    (void)state;
    start((struct skep_net_tls_config){0}, 0);
    assert_true(tls_open(&held, e.port, NULL, NULL));
    assert_int_equal(skep_net_tls_reload(e.net, false, &changed, &err), SKEP_OK);
    assert_false(changed);
    replace("CN=second");
    assert_int_equal(skep_net_tls_reload(e.net, false, &changed, &err), SKEP_OK);
    assert_false(changed); /* it may be half a pair: looked at again */
    assert_int_equal(skep_net_tls_reload(e.net, false, &changed, &err), SKEP_OK);
    assert_true(changed);
    shown_name("CN=second");
    hello(&held); /* under the old one */
    tls_close(&held);
    struct tls_signer s = tls_make(dir, "other", "CN=other", &authority);
    gnutls_datum_t text;
    gnutls_x509_privkey_export2(s.key, GNUTLS_X509_FMT_PEM, &text);
    tls_write(dir, "server.key", &text); /* no key of this certificate */
    gnutls_free(text.data);
    tls_signer_done(&s);
    assert_int_equal(skep_net_tls_reload(e.net, false, &changed, &err), SKEP_OK);
    assert_int_equal(skep_net_tls_reload(e.net, false, &changed, &err), SKEP_EINVAL);
    assert_non_null(strstr(err.text, "not the key"));
    assert_int_equal(skep_net_tls_reload(e.net, false, &changed, &err), SKEP_OK); /* said once */
    assert_int_equal(skep_net_tls_reload(e.net, true, &changed, &err), SKEP_EINVAL);
    unlink(key);
    assert_int_equal(skep_net_tls_reload(e.net, true, &changed, &err), SKEP_EINVAL);
    assert_non_null(strstr(err.text, "server.key"));
    shown_name("CN=second");
    replace("CN=first");
    assert_int_equal(skep_net_tls_reload(e.net, true, &changed, &err), SKEP_OK);
    assert_true(changed);
    shown_name("CN=first");
    echo_stop(&e, 100);
    static const char *const listen[] = {"127.0.0.1:0"};
    struct skep_net *net = skep_net_new(&(struct skep_net_config){
        .listen = listen, .n_listen = 1, .tls = {.cert = cert, .key = ca}});
    assert_int_equal(skep_net_start(net, &err), SKEP_EINVAL);
    skep_net_free(net);
}

/* POST an empty OTLP body; the status. */
static int ingest(const char *client_dir)
{
    static const char post[] = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                               "0\r\nConnection: close\r\n\r\n";
    struct tls_client c;
    char got[1024];
    assert_true(tls_open(&c, e.port, NULL, client_dir));
    assert_true(tls_put(&c, post, sizeof post - 1));
    tls_get(&c, got, sizeof got - 1);
    tls_close(&c);
    return (int)strtol(got + 9, NULL, 10);
}

static void test_client_certificates(void **state)
{
    struct tls_client c;
    (void)state;
    start((struct skep_net_tls_config){.client_ca = ca, .client_cert = SKEP_CLIENT_CERT_INGEST}, 0);
    assert_int_equal(ingest(NULL), 403);
    assert_int_equal(ingest(dir), 200);
    assert_true(tls_open(&c, e.port, NULL, NULL)); /* other routes need none */
    hello(&c);
    tls_close(&c);
    struct tls_signer stranger = tls_make(dir, "other", "CN=stranger", NULL);
    struct tls_signer s = tls_make(dir, "client", "CN=agent,O=Hive", &stranger);
    assert_int_equal(ingest(dir), 403); /* of an authority we do not know */
    tls_signer_done(&s);
    tls_signer_done(&stranger);
    s = tls_make(dir, "client", "CN=agent,O=Hive", &authority);
    tls_signer_done(&s);
    echo_stop(&e, 100);
    start((struct skep_net_tls_config){.client_ca = ca, .client_cert = SKEP_CLIENT_CERT_ALL}, 0);
    char got[1024];
    assert_true(tls_open(&c, e.port, NULL, NULL));
    assert_true(tls_put(&c, hello_text, sizeof hello_text - 1));
    tls_get(&c, got, sizeof got - 1);
    assert_non_null(strstr(got, "403 "));
    tls_close(&c);
    assert_true(tls_open(&c, e.port, NULL, dir));
    hello(&c);
    tls_close(&c);
    echo_stop(&e, 100);
}

static void wait_closed(void)
{
    struct skep_net_stats s;
    for (int i = 0; i < 12000; i++) {
        skep_net_stats(e.net, &s);
        if (s.connections_open == 0)
            break;
        usleep(5000);
    }
    assert_int_equal(s.connections_open, 0);
}

/* Half hellos, broken ones, silence behind the handshake: all end, all is given back. */
static void test_slow_and_broken(void **state)
{
    static const uint8_t broken[] = {22, 3, 1, 0, 5, 1, 0, 0, 1, 0, 22, 3, 1, 0, 9};
    struct tls_client silent[2];
    (void)state;
    start((struct skep_net_tls_config){0}, 1);
    for (size_t n = 1; n <= sizeof broken; n++) {
        int fd = raw_connect(e.port);
        assert_true(raw_send(fd, broken, n));
        if (n % 2) { /* the others wait for the timeout */
            close(fd);
            continue;
        }
        if (!raw_closed(fd, 60000))
            fail_msg("still open after %zu bytes", n);
        close(fd);
    }
    assert_true(tls_open(&silent[0], e.port, NULL, NULL));
    assert_true(tls_open(&silent[1], e.port, "h2", NULL));
    for (int i = 0; i < 2; i++) {
        assert_true(raw_closed(silent[i].fd, 60000));
        tls_close(&silent[i]);
    }
    wait_closed();
    assert_int_equal(skep_budget_used(&e.budget), 0);
    echo_stop(&e, 100);
}

/* Without memory for a session the connection ends; the server goes on. */
static void test_budget(void **state)
{
    struct tls_client c[3];
    struct skep_budget small;
    skep_err err = {0};
    (void)state;
    skep_budget_init(&small, "small", 4 * SKEP_NET__TLS_BYTES, NULL);
    assert_true(echo_start(
        &e, (struct skep_net_config){.tls = {.cert = cert, .key = key}, .budget = &small}, &err));
    assert_true(tls_open(&c[0], e.port, NULL, NULL));
    assert_true(tls_open(&c[1], e.port, "h2", NULL));
    assert_false(tls_open(&c[2], e.port, NULL, NULL)); /* half is for bodies */
    tls_close(&c[2]);
    hello(&c[0]);
    tls_close(&c[0]);
    tls_close(&c[1]);
    wait_closed();
    assert_int_equal(skep_budget_used(&small), 0);
    shown_name("CN=first");
    echo_stop(&e, 100);
}

static _Atomic unsigned n_hellos;

static void *hammer_main(void *arg)
{
    uintptr_t i = (uintptr_t)arg;
    char got[256];
    for (int k = 0; k < 12; k++) {
        struct tls_client c;
        bool h2 = (i + (unsigned)k) % 3 == 0;
        if (tls_open(&c, e.port, h2 ? "h2" : NULL, NULL)) {
            const char *text = h2 ? preface : hello_text;
            size_t n = h2 ? sizeof preface - 1 : sizeof hello_text - 1;
            if (k % 4 != 3 && tls_put(&c, text, n) && tls_get(&c, got, 9) == 9)
                atomic_fetch_add(&n_hellos, 1);
        }
        tls_close(&c);
    }
    return NULL;
}

/* Connections of both kinds while certificates change, then a stop with some open. */
static void test_hammer(void **state)
{
    pthread_t threads[4];
    struct tls_client open[2];
    skep_err err = {0};
    bool changed = false;
    (void)state;
    start((struct skep_net_tls_config){0}, 0);
    for (uintptr_t i = 0; i < SKEP_ARRAY_LEN(threads); i++)
        pthread_create(&threads[i], NULL, hammer_main, (void *)i);
    for (int k = 0; k < 20; k++) {
        assert_int_equal(skep_net_tls_reload(e.net, true, &changed, &err), SKEP_OK);
        usleep(3000);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&n_hellos), 4 * 9);
    assert_true(tls_open(&open[0], e.port, NULL, NULL));
    assert_true(tls_open(&open[1], e.port, "h2", NULL));
    int half = raw_connect(e.port);
    assert_true(raw_send(half, "\x16\3\1\0\x20\1", 6));
    echo_stop(&e, 100);
    tls_close(&open[0]);
    tls_close(&open[1]);
    close(half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_wrong_kind),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_slow_and_broken),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_hammer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
