// SPDX-License-Identifier: Apache-2.0
/* Certificates for tests, made by gnutls in a folder of their own; and a TLS client on a socket. */
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "raw_client.h"

struct tls_signer {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
};

static inline void tls_write(const char *dir, const char *name, const gnutls_datum_t *text)
{
    char path[256];
    char next[272];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(next, sizeof next, "%s.next", path);
    FILE *f = fopen(next, "wb");
    fwrite(text->data, 1, text->size, f);
    fclose(f);
    rename(next, path);
}

/* dir/name.pem and dir/name.key; signer NULL: its own authority. */
static inline struct tls_signer tls_make(const char *dir, const char *name, const char *dn,
                                         const struct tls_signer *signer)
{
    static unsigned char serial = 1;
    struct tls_signer s;
    gnutls_datum_t out;
    char file[128];
    const char *why;
    gnutls_x509_privkey_init(&s.key);
    gnutls_x509_privkey_generate(s.key, GNUTLS_PK_ECDSA,
                                 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&s.crt);
    gnutls_x509_crt_set_version(s.crt, 3);
    serial++;
    gnutls_x509_crt_set_serial(s.crt, &serial, 1);
    gnutls_x509_crt_set_dn(s.crt, dn, &why);
    gnutls_x509_crt_set_key(s.crt, s.key);
    gnutls_x509_crt_set_activation_time(s.crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(s.crt, time(NULL) + 86400);
    gnutls_x509_crt_set_basic_constraints(s.crt, signer ? 0 : 1, -1);
    gnutls_x509_crt_set_subject_alt_name(s.crt, GNUTLS_SAN_DNSNAME, "localhost", 9,
                                         GNUTLS_FSAN_SET);
    gnutls_x509_crt_sign2(s.crt, signer ? signer->crt : s.crt, signer ? signer->key : s.key,
                          GNUTLS_DIG_SHA256, 0);
    gnutls_x509_crt_export2(s.crt, GNUTLS_X509_FMT_PEM, &out);
    snprintf(file, sizeof file, "%s.pem", name);
    tls_write(dir, file, &out);
    gnutls_free(out.data);
    gnutls_x509_privkey_export2_pkcs8(s.key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &out);
    snprintf(file, sizeof file, "%s.key", name);
    tls_write(dir, file, &out);
    gnutls_free(out.data);
    return s;
}

static inline void tls_signer_done(struct tls_signer *s)
{
    gnutls_x509_crt_deinit(s->crt);
    gnutls_x509_privkey_deinit(s->key);
}

struct tls_client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t cred;
};

/* alpn and dir (of client.pem, client.key) may be NULL.  False: no handshake. */
static inline bool tls_open(struct tls_client *c, unsigned port, const char *alpn, const char *dir)
{
    char cert[256];
    char key[256];
    int rc;
    memset(c, 0, sizeof *c);
    c->fd = raw_connect(port);
    gnutls_certificate_allocate_credentials(&c->cred);
    if (dir) {
        snprintf(cert, sizeof cert, "%s/client.pem", dir);
        snprintf(key, sizeof key, "%s/client.key", dir);
        gnutls_certificate_set_x509_key_file(c->cred, cert, key, GNUTLS_X509_FMT_PEM);
    }
    gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL | GNUTLS_FORCE_CLIENT_CERT);
    gnutls_set_default_priority(c->session);
    gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->cred);
    gnutls_server_name_set(c->session, GNUTLS_NAME_DNS, "localhost", 9);
    if (alpn) {
        gnutls_datum_t name = {(unsigned char *)(uintptr_t)alpn, (unsigned)strlen(alpn)};
        gnutls_alpn_set_protocols(c->session, &name, 1, 0);
    }
    gnutls_transport_set_int(c->session, c->fd);
    gnutls_handshake_set_timeout(c->session, 20000);
    gnutls_record_set_timeout(c->session, 20000);
    do
        rc = gnutls_handshake(c->session);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    return rc == 0;
}

static inline void tls_close(struct tls_client *c)
{
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->cred);
    close(c->fd);
}

static inline bool tls_put(struct tls_client *c, const void *p, size_t n)
{
    return gnutls_record_send(c->session, p, n) == (ssize_t)n;
}

/* What comes until `want` bytes are there or the server ends; NUL-terminated. */
static inline size_t tls_get(struct tls_client *c, char *out, size_t want)
{
    size_t n = 0;
    while (n < want) {
        ssize_t k = gnutls_record_recv(c->session, out + n, want - n);
        if (k == GNUTLS_E_AGAIN || k == GNUTLS_E_INTERRUPTED)
            continue;
        if (k <= 0)
            break;
        n += (size_t)k;
    }
    out[n] = '\0';
    return n;
}
