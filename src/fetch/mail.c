// SPDX-License-Identifier: Apache-2.0
/* One mail through libcurl (mail.h).  A handle a call, as fetch.c.
 *
 * I1  whatever the server does, a call ends after timeout_ms.
 * I2  a password goes to a server that speaks TLS, or to this machine.
 * Threads: any.  Memory: libcurl's. */
#include "fetch/mail.h"

#include "base/assert.h"
#include "fetch/libcurl.h"

struct reader {
    skep_bytes rest;
};

static size_t on_read(char *out, size_t size, size_t n, void *ctx)
{
    struct reader *r = ctx;
    size_t take = SKEP_MIN(size * n, r->rest.n);
    if (take)
        memcpy(out, r->rest.p, take);
    r->rest = (skep_bytes){r->rest.p + take, r->rest.n - take};
    return take;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct skep_mail *m = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return m->stop(m->stop_ctx) ? 1 : 0;
}

static bool is_near(const char *server)
{
    static const skep_str near[] = {SKEP_STR_INIT("smtp://localhost"),
                                    SKEP_STR_INIT("smtp://127.0.0.1"),
                                    SKEP_STR_INIT("smtp://[::1]")};
    skep_str s = skep_str_c(server);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(near); i++) {
        char next = s.n > near[i].n ? s.p[near[i].n] : ':';
        if (skep_str_starts(s, near[i]) && (next == ':' || next == '/'))
            return true;
    }
    return false;
}

static void set_credentials(const struct skep_curl *lib, CURL *curl, const struct skep_mail *m)
{
    bool must = m->user && !is_near(m->server); /* I2 */
    (void)lib->easy_setopt(curl, CURLOPT_USE_SSL,
                           must ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_TRY);
    if (m->ca_file)
        (void)lib->easy_setopt(curl, CURLOPT_CAINFO, m->ca_file);
    if (!m->user)
        return;
    (void)lib->easy_setopt(curl, CURLOPT_USERNAME, m->user);
    (void)lib->easy_setopt(curl, CURLOPT_PASSWORD, m->password ? m->password : "");
}

static struct curl_slist *set_up(const struct skep_curl *lib, CURL *curl, const struct skep_mail *m,
                                 struct reader *reader, char error[CURL_ERROR_SIZE])
{
    struct curl_slist *to = NULL;
    for (size_t i = 0; i < m->n_to; i++)
        to = lib->slist_append(to, m->to[i]);
    skep_assert(to != NULL);
    (void)lib->easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)lib->easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    (void)lib->easy_setopt(curl, CURLOPT_URL, m->server);
    (void)lib->easy_setopt(curl, CURLOPT_MAIL_FROM, m->from);
    (void)lib->easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
    (void)lib->easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    (void)lib->easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
    (void)lib->easy_setopt(curl, CURLOPT_READDATA, reader);
    (void)lib->easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    (void)lib->easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)m->timeout_ms);
    (void)lib->easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)SKEP_MIN(m->timeout_ms, 5000u));
    set_credentials(lib, curl, m);
    if (m->stop) {
        (void)lib->easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        (void)lib->easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)m);
        (void)lib->easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    }
    return to;
}

skep_rc skep_mail_send(const struct skep_mail *m, int *ret_status, skep_err *err)
{
    char error[CURL_ERROR_SIZE] = "";
    struct reader reader = {m->message};
    long status = 0;
    skep_assert(m->server && m->from && m->n_to > 0 && m->timeout_ms > 0);
    const struct skep_curl *lib = skep_curl(err);
    *ret_status = 0;
    if (!lib)
        return SKEP_EUNSUPPORTED;
    CURL *curl = lib->easy_init();
    skep_assert(curl != NULL);
    struct curl_slist *to = set_up(lib, curl, m, &reader, error);
    CURLcode code = lib->easy_perform(curl);
    (void)lib->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    lib->slist_free_all(to);
    lib->easy_cleanup(curl);
    *ret_status = (int)status;
    if (code == CURLE_OK)
        return SKEP_OK;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return skep_fail(err, SKEP_ETIMEOUT, "the mail server does not answer within %u ms",
                         m->timeout_ms);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return skep_fail(err, SKEP_ECANCELED, "the server is stopping");
    return skep_fail(err, SKEP_EIO, "mail server: %s", error[0] ? error : lib->easy_strerror(code));
}
