// SPDX-License-Identifier: Apache-2.0
/* Certificates, and what every TLS session of the server is made with.
 *
 *   files --load--> context (credentials, trust, ticket key) --take--> sessions
 *     |                 ^
 *     `--changed?--> a new context takes its place; the old one lives until its sessions have ended
 *
 * A pair that cannot be used is refused and the current one stays.  Files are replaced one after
 * the other, so a change is only read once two looks have seen the same.  Session tickets are
 * sealed under a key of the context: what was resumable under old certificates or another trust is
 * not under new ones.
 *
 * TLS 1.2 with forward secrecy and AEAD ciphers only (what HTTP/2 demands), and 1.3.  No early
 * data, no renegotiation.  A client certificate is asked for, never demanded, in the handshake:
 * admission refuses the routes that need one, in their own form.
 *
 * I1  a context is immutable after load.
 * I2  a context is freed when two looks in a row found it without holders: gnutls may read
 *     credentials until gnutls_deinit, which libmicrohttpd calls just after it says "closed".
 * Threads: reload, new, free by the owner; take, give by any; mu guards the two lists.
 * Memory: a context a change of certificates. */
#include "net/tls_priv.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <sys/stat.h>
#include <time.h>

enum { FILES = 3, FILE_BYTES_MAX = 1 << 20, LOOKS_IDLE = 2 };

static const char priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-AES-128-CBC:-AES-256-CBC:"
    "-AES-128-CCM:-AES-256-CCM:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
    "%SERVER_PRECEDENCE"; /* X25519 first: most clients bring a share of it, which saves a turn */

struct skep_net__tls_ctx {
    struct skep_net__tls_ctx *next; /* retired */
    _Atomic unsigned refs;          /* without the one of being current */
    unsigned looks_idle;
    const struct skep_net__tls *tls;
    gnutls_certificate_credentials_t cred;
    gnutls_datum_t ticket_key;
    struct skep_net_tls_info info;
};

/* What tells one state of a file from another. */
struct stamp {
    uint64_t device, inode, size;
    int64_t changed_ns, modified_ns;
};

struct stamps {
    struct stamp of[FILES];
};

struct skep_net__tls {
    char *files[FILES]; /* certificate, key, clients' authority or NULL */
    enum skep_client_cert client_cert;
    gnutls_priority_t priority;
    pthread_mutex_t mu;
    struct skep_net__tls_ctx *current, *retired;
    struct stamps tried, seen; /* what was loaded or refused; the last look */
};

static void lock(struct skep_net__tls *t)
{
    int rc = pthread_mutex_lock(&t->mu);
    skep_assert(rc == 0);
}

static void unlock(struct skep_net__tls *t)
{
    int rc = pthread_mutex_unlock(&t->mu);
    skep_assert(rc == 0);
}

/* --- loading ----------------------------------------------------- */

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct stamps look(const struct skep_net__tls *t)
{
    struct stamps s = {0};
    for (unsigned i = 0; i < FILES; i++) {
        struct stat st;
        if (t->files[i] && stat(t->files[i], &st) == 0)
            s.of[i] = (struct stamp){st.st_dev, st.st_ino, (uint64_t)st.st_size,
                                     nanoseconds(st.st_ctim), nanoseconds(st.st_mtim)};
    }
    return s;
}

static bool same(const struct stamps *a, const struct stamps *b)
{
    for (unsigned i = 0; i < FILES; i++) {
        const struct stamp *x = &a->of[i];
        const struct stamp *y = &b->of[i];
        if (x->device != y->device || x->inode != y->inode || x->size != y->size ||
            x->changed_ns != y->changed_ns || x->modified_ns != y->modified_ns)
            return false;
    }
    return true;
}

static skep_rc read_file(const char *path, gnutls_datum_t *ret, skep_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return skep_fail(err, SKEP_EINVAL, "%.120s: %s", path, strerrordesc_np(errno));
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX)
        return skep_fail(err, SKEP_EINVAL, "%.120s: not a file of at most 1 MiB", path);
    int rc = gnutls_load_file(path, ret);
    if (rc != 0)
        return skep_fail(err, SKEP_EINVAL, "%.120s: it cannot be read", path);
    return SKEP_OK;
}

static skep_rc load_pair(const struct skep_net__tls *t, struct skep_net__tls_ctx *c, skep_err *err)
{
    gnutls_datum_t cert = {NULL, 0};
    gnutls_datum_t key = {NULL, 0};
    skep_rc rc = read_file(t->files[0], &cert, err);
    if (rc == SKEP_OK)
        rc = read_file(t->files[1], &key, err);
    if (rc == SKEP_OK) {
        int e = gnutls_certificate_set_x509_key_mem2(c->cred, &cert, &key, GNUTLS_X509_FMT_PEM,
                                                     NULL, 0);
        if (e == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
            rc = skep_fail(err, SKEP_EINVAL, "%.90s: not the key of the certificate %.90s",
                           t->files[1], t->files[0]);
        else if (e == GNUTLS_E_DECRYPTION_FAILED)
            rc = skep_fail(err, SKEP_EINVAL, "%.120s: the key has a password: store it without",
                           t->files[1]);
        else if (e < 0)
            rc =
                skep_fail(err, SKEP_EINVAL, "%.80s and %.80s: not a PEM certificate and key: %.60s",
                          t->files[0], t->files[1], gnutls_strerror(e));
    }
    if (key.data)
        gnutls_memset(key.data, 0, key.size);
    gnutls_free(cert.data);
    gnutls_free(key.data);
    return rc;
}

static skep_rc load_trust(const struct skep_net__tls *t, struct skep_net__tls_ctx *c, skep_err *err)
{
    gnutls_datum_t pem = {NULL, 0};
    if (!t->files[2])
        return SKEP_OK;
    SKEP_TRY(read_file(t->files[2], &pem, err));
    int n = gnutls_certificate_set_x509_trust_mem(c->cred, &pem, GNUTLS_X509_FMT_PEM);
    gnutls_free(pem.data);
    if (n <= 0)
        return skep_fail(err, SKEP_EINVAL, "%.120s: no PEM certificate of an authority",
                         t->files[2]);
    return SKEP_OK;
}

/* Who the certificate names and until when it holds. */
static void describe(struct skep_net__tls_ctx *c)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    size_t size = sizeof c->info.subject;
    if (gnutls_certificate_get_x509_crt(c->cred, 0, &chain, &n) != 0)
        return;
    if (gnutls_x509_crt_get_dn(chain[0], c->info.subject, &size) != 0)
        c->info.subject[0] = '\0'; /* too long, or it names nobody but its alternative names */
    c->info.not_after_s = (int64_t)gnutls_x509_crt_get_expiration_time(chain[0]);
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
}

static void ctx_free(struct skep_net__tls_ctx *c)
{
    skep_assert(atomic_load(&c->refs) == 0);
    if (c->cred)
        gnutls_certificate_free_credentials(c->cred);
    if (c->ticket_key.data)
        gnutls_memset(c->ticket_key.data, 0, c->ticket_key.size);
    gnutls_free(c->ticket_key.data);
    skep_free(c);
}

static skep_rc load(const struct skep_net__tls *t, struct skep_net__tls_ctx **ret, skep_err *err)
{
    struct skep_net__tls_ctx *c = skep_alloc(struct skep_net__tls_ctx);
    c->tls = t;
    skep_rc rc = SKEP_OK;
    if (gnutls_certificate_allocate_credentials(&c->cred) != 0 ||
        gnutls_session_ticket_key_generate(&c->ticket_key) != 0)
        rc = skep_fail(err, SKEP_ENOMEM, "TLS: out of memory");
    if (rc == SKEP_OK)
        rc = load_pair(t, c, err);
    if (rc == SKEP_OK)
        rc = load_trust(t, c, err);
    if (rc != SKEP_OK) {
        ctx_free(c);
        return rc;
    }
    describe(c);
    *ret = c;
    return SKEP_OK;
}

/* --- life -------------------------------------------------------- */

static char *copy(const char *s)
{
    return s ? skep_strndup(s, skep_str_c(s).n) : NULL;
}

skep_rc skep_net__tls_new(const struct skep_net_tls_config *cfg, struct skep_net__tls **ret,
                          skep_err *err)
{
    struct skep_net__tls *t = skep_alloc(struct skep_net__tls);
    skep_assert(cfg->cert && cfg->key);
    t->files[0] = copy(cfg->cert);
    t->files[1] = copy(cfg->key);
    t->files[2] = copy(cfg->client_ca);
    t->client_cert = cfg->client_cert;
    int mu = pthread_mutex_init(&t->mu, NULL);
    skep_assert(mu == 0);
    skep_rc rc = SKEP_OK;
    if (gnutls_priority_init(&t->priority, priorities, NULL) != 0)
        rc = skep_fail(err, SKEP_EINTERNAL, "TLS: this GnuTLS does not know the ciphers wanted");
    t->tried = t->seen = look(t);
    if (rc == SKEP_OK)
        rc = load(t, &t->current, err);
    if (rc != SKEP_OK) {
        skep_net__tls_free(t);
        return rc;
    }
    *ret = t;
    return SKEP_OK;
}

/* Free retired contexts that nobody has held for two looks, or all of them. */
static void sweep_locked(struct skep_net__tls *t, bool all)
{
    for (struct skep_net__tls_ctx **p = &t->retired; *p;) {
        struct skep_net__tls_ctx *c = *p;
        c->looks_idle = atomic_load(&c->refs) == 0 ? c->looks_idle + 1 : 0;
        if (!all && c->looks_idle < LOOKS_IDLE) {
            p = &c->next;
            continue;
        }
        *p = c->next;
        ctx_free(c);
    }
}

void skep_net__tls_free(struct skep_net__tls *t)
{
    if (!t)
        return;
    sweep_locked(t, true);
    if (t->current)
        ctx_free(t->current);
    if (t->priority)
        gnutls_priority_deinit(t->priority);
    for (unsigned i = 0; i < FILES; i++)
        skep_free(t->files[i]);
    (void)pthread_mutex_destroy(&t->mu); /* nobody is left to hold it */
    skep_free(t);
}

skep_rc skep_net__tls_reload(struct skep_net__tls *t, bool force, bool *ret_changed, skep_err *err)
{
    struct skep_net__tls_ctx *fresh = NULL;
    struct stamps now = look(t);
    bool settled = same(&now, &t->seen);
    *ret_changed = false;
    t->seen = now;
    lock(t);
    sweep_locked(t, false);
    unlock(t);
    if (!force && (!settled || same(&now, &t->tried)))
        return SKEP_OK;
    t->tried = now;
    SKEP_TRY(load(t, &fresh, err));
    lock(t);
    t->current->next = t->retired;
    t->retired = t->current;
    t->current = fresh;
    unlock(t);
    *ret_changed = true;
    return SKEP_OK;
}

void skep_net__tls_info(struct skep_net__tls *t, struct skep_net_tls_info *ret)
{
    lock(t);
    *ret = t->current->info;
    unlock(t);
}

/* --- sessions ---------------------------------------------------- */

struct skep_net__tls_ctx *skep_net__tls_take(struct skep_net__tls *t)
{
    lock(t);
    struct skep_net__tls_ctx *c = t->current;
    atomic_fetch_add(&c->refs, 1);
    unlock(t);
    return c;
}

void skep_net__tls_give(struct skep_net__tls_ctx *ctx)
{
    unsigned old = atomic_fetch_sub(&ctx->refs, 1);
    skep_assert(old > 0);
}

bool skep_net__tls_prepare(struct skep_net__tls_ctx *ctx, gnutls_session_t session, bool h2)
{
    static uint8_t names[2][8] = {{'h', '2'}, {'h', 't', 't', 'p', '/', '1', '.', '1'}};
    const gnutls_datum_t alpn = {names[h2 ? 0 : 1], h2 ? 2 : 8};
    gnutls_certificate_server_set_request(session, ctx->tls->client_cert == SKEP_CLIENT_CERT_OFF
                                                       ? GNUTLS_CERT_IGNORE
                                                       : GNUTLS_CERT_REQUEST);
    gnutls_handshake_set_max_packet_length(session, 64 << 10);
    return gnutls_priority_set(session, ctx->tls->priority) == 0 &&
           gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, ctx->cred) == 0 &&
           gnutls_alpn_set_protocols(session, &alpn, 1, h2 ? GNUTLS_ALPN_MANDATORY : 0) == 0 &&
           gnutls_session_ticket_enable_server(session, &ctx->ticket_key) == 0;
}

/* The chain leads to the clients' authority and may be used by a client. */
static bool verifies(gnutls_session_t session)
{
    unsigned status = 0;
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = skep_net__unconst(GNUTLS_KP_TLS_WWW_CLIENT),
    };
    return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 && status == 0;
}

skep_str skep_net__tls_subject(const struct skep_net__tls_ctx *ctx, gnutls_session_t session,
                               char buf[SKEP_NET__SUBJECT_BYTES])
{
    gnutls_x509_crt_t crt = NULL;
    unsigned n = 0;
    size_t size = SKEP_NET__SUBJECT_BYTES;
    skep_str subject = SKEP_STR("");
    if (ctx->tls->client_cert == SKEP_CLIENT_CERT_OFF)
        return subject;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
    if (!chain || n == 0 || !verifies(session) || gnutls_x509_crt_init(&crt) != 0)
        return subject;
    if (gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) == 0)
        subject = gnutls_x509_crt_get_dn(crt, buf, &size) == 0 && size > 0
                      ? skep_str_c(buf)
                      : SKEP_STR("(no subject)"); /* verified all the same */
    gnutls_x509_crt_deinit(crt);
    return subject;
}
