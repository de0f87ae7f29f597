// SPDX-License-Identifier: Apache-2.0
/* What the provider says of itself, and requests to it.
 *
 *   ISSUER/.well-known/openid-configuration  -> endpoints      kept for an hour
 *   jwks_uri                                 -> keys           kept for ten minutes; again at once
 *                                               for an unknown kid, at most twice a minute
 *
 * I1  the document must call its issuer as it was configured; its endpoints must be https, where
 *     the issuer is not plain http on this machine.
 * I2  answers are bounded: 256 KiB, cfg.timeout_ms, three redirects of what is public, none of
 *     what carries a secret.
 * I3  what could not be had is not remembered: the next login asks again.
 * Threads: workers.  Memory: two arenas of what is known, the caller's for the rest. */
#include "auth/oidc_priv.h"
#include "base/assert.h"
#include "fetch/fetch.h"

enum { ANSWER_MAX_BYTES = 256 << 10, REDIRECTS_MAX = 3 };
static const int64_t ns_per_s = 1000000000;
static const int64_t provider_ns = 3600 * ns_per_s;
static const int64_t keys_ns = 600 * ns_per_s;
static const int64_t keys_again_ns = 30 * ns_per_s;

skep_str skep_oidc__words(struct skep_arena *arena, skep_str s)
{
    enum { MAX = 200 };
    size_t n = SKEP_MIN(s.n, (size_t)MAX);
    while (n < s.n && n > 0 && ((uint8_t)s.p[n] & 0xc0) == 0x80)
        n--;
    if (!skep_utf8_valid((skep_str){s.p, n}))
        return SKEP_STR("(no UTF-8)");
    char *text = skep_cstr(arena, (skep_str){s.p, n});
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    return (skep_str){text, n};
}

void skep_oidc__pair(struct skep_buf *out, skep_str name, skep_str value)
{
    static const skep_str plain =
        SKEP_STR_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");
    if (out->n && name.n)
        skep_buf_u8(out, '&');
    skep_buf_str(out, name);
    if (name.n)
        skep_buf_u8(out, '=');
    for (size_t i = 0; i < value.n; i++) {
        if (skep_str_chr(plain, value.p[i]) != SIZE_MAX)
            skep_buf_u8(out, (uint8_t)value.p[i]);
        else
            skep_buf_printf(out, "%%%02X", (unsigned char)value.p[i]);
    }
}

/* RFC 6749, 2.3.1: id and secret are form-encoded before they become Basic's. */
static const char *encoded(struct skep_arena *arena, const char *text)
{
    struct skep_buf out;
    skep_buf_init(&out, 16 << 10);
    skep_oidc__pair(&out, SKEP_STR(""), skep_str_c(text));
    const char *ret = skep_cstr(arena, skep_buf_text(&out));
    skep_buf_done(&out);
    return ret;
}

static const char *bearer_line(struct skep_arena *arena, skep_str bearer)
{
    return skep_cstr(
        arena, skep_arena_printf(arena, "Authorization: Bearer " SKEP_STRFMT, SKEP_STRARG(bearer)));
}

skep_rc skep_oidc__ask(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                       const struct skep_oidc__ask *ask, struct skep_arena *arena,
                       yyjson_doc **ret_doc, int *ret_status, skep_err *err)
{
    struct skep_buf body;
    const struct skep_fetch f = {
        .method = ask->form.n ? "POST" : "GET",
        .url = skep_cstr(arena, ask->url),
        .headers = {"Accept: application/json",
                    ask->form.n     ? "Content-Type: application/x-www-form-urlencoded"
                    : ask->bearer.n ? bearer_line(arena, ask->bearer)
                                    : NULL},
        .body = skep_str_bytes(ask->form),
        .user = ask->basic ? encoded(arena, o->cfg.client_id) : NULL,
        .password = ask->basic && o->secret ? encoded(arena, o->secret) : NULL,
        .ca_file = o->cfg.ca_file,
        .timeout_ms = o->cfg.timeout_ms,
        .redirects_max = ask->form.n || ask->bearer.n ? 0 : REDIRECTS_MAX, /* I2 */
        .stop = visit->stop,
        .stop_ctx = visit->stop_ctx,
    };
    skep_buf_init(&body, ANSWER_MAX_BYTES);
    skep_err why = {.text = ""};
    skep_rc rc = skep_fetch(&f, &body, ret_status, &why);
    yyjson_doc *doc = rc == SKEP_OK && body.n ? yyjson_read((const char *)body.p, body.n, 0) : NULL;
    skep_buf_done(&body);
    if (rc != SKEP_OK)
        return skep_fail(err, rc, "the identity provider's %s: %s", ask->what, why.text);
    if (!yyjson_is_obj(yyjson_doc_get_root(doc))) {
        yyjson_doc_free(doc);
        return skep_fail(err, SKEP_EIO, "the identity provider's %s answers %d without JSON",
                         ask->what, *ret_status);
    }
    *ret_doc = doc;
    return SKEP_OK;
}

/* The same for what must succeed. */
static skep_rc ask_for(struct skep_oidc *o, const struct skep_oidc_visit *visit, const char *what,
                       skep_str url, struct skep_arena *arena, yyjson_doc **ret_doc, skep_err *err)
{
    int status = 0;
    yyjson_doc *doc = NULL;
    const struct skep_oidc__ask ask = {.what = what, .url = url};
    SKEP_TRY(skep_oidc__ask(o, visit, &ask, arena, &doc, &status, err));
    if (status != 200) {
        yyjson_doc_free(doc);
        return skep_fail(err, SKEP_EIO, "the identity provider's %s answers %d", what, status);
    }
    *ret_doc = doc;
    return SKEP_OK;
}

/* --- endpoints -----------------------------------------------------------------------------------
 */

static bool has_word(yyjson_val *list, const char *word)
{
    yyjson_val *v;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, v)
    {
        if (yyjson_equals_str(v, word))
            return true;
    }
    return false;
}

static skep_rc endpoint(const struct skep_oidc *o, yyjson_val *root, const char *member,
                        struct skep_arena *arena, skep_str *ret, skep_err *err)
{
    skep_str url = skep_jwt_text(root, member);
    bool near = skep_str_starts(skep_str_c(o->cfg.issuer), SKEP_STR("http://"));
    if (!url.n || memchr(url.p, '\0', url.n) || url.n > 2048)
        return skep_fail(err, SKEP_EIO, "the identity provider's discovery document has no %s",
                         member);
    const char *text = skep_cstr(arena, url);
    if (!skep_fetch_is_safe(text) || (!near && !skep_str_starts(url, SKEP_STR("https://"))))
        return skep_fail(err, SKEP_EIO, "the identity provider's %s is not https", member); /* I1 */
    *ret = (skep_str){text, url.n};
    return SKEP_OK;
}

static skep_rc read_provider(const struct skep_oidc *o, yyjson_val *root, struct skep_arena *arena,
                             struct skep_oidc__provider *ret, skep_err *err)
{
    yyjson_val *ways = yyjson_obj_get(root, "token_endpoint_auth_methods_supported");
    if (!skep_str_eq(skep_jwt_text(root, "issuer"), skep_str_c(o->cfg.issuer)))
        return skep_fail(err, SKEP_EIO,
                         "the identity provider calls itself \"" SKEP_STRFMT
                         "\", which is not --oidc-issuer",
                         SKEP_STRARG(skep_oidc__words(arena, skep_jwt_text(root, "issuer"))));
    SKEP_TRY(endpoint(o, root, "authorization_endpoint", arena, &ret->authorization_endpoint, err));
    SKEP_TRY(endpoint(o, root, "token_endpoint", arena, &ret->token_endpoint, err));
    SKEP_TRY(endpoint(o, root, "jwks_uri", arena, &ret->jwks_uri, err));
    if (yyjson_obj_get(root, "userinfo_endpoint"))
        SKEP_TRY(endpoint(o, root, "userinfo_endpoint", arena, &ret->userinfo_endpoint, err));
    ret->post_secret = ways && !has_word(ways, "client_secret_basic");
    return SKEP_OK;
}

static skep_rc load_provider_locked(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                                    skep_err *err)
{
    yyjson_doc *doc;
    struct skep_oidc__provider fresh = {.at_ns = o->cfg.os->now_ns(o->cfg.os)};
    skep_str issuer = skep_str_c(o->cfg.issuer);
    skep_assert_held(&o->mu);
    while (issuer.n && issuer.p[issuer.n - 1] == '/')
        issuer.n--;
    o->provider = (struct skep_oidc__provider){.at_ns = 0}; /* I3 */
    skep_arena_reset(&o->provider_arena);
    skep_str url = skep_arena_printf(
        &o->provider_arena, SKEP_STRFMT "/.well-known/openid-configuration", SKEP_STRARG(issuer));
    SKEP_TRY(ask_for(o, visit, "discovery document", url, &o->provider_arena, &doc, err));
    skep_rc rc = read_provider(o, yyjson_doc_get_root(doc), &o->provider_arena, &fresh, err);
    yyjson_doc_free(doc);
    if (rc == SKEP_OK)
        o->provider = fresh;
    return rc;
}

static bool is_old(const struct skep_oidc *o, int64_t at_ns, int64_t keep_ns)
{
    int64_t now_ns = o->cfg.os->now_ns(o->cfg.os);
    return at_ns == 0 || now_ns - at_ns > keep_ns || at_ns > now_ns;
}

skep_rc skep_oidc__provider(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                            struct skep_arena *arena, struct skep_oidc__provider *ret,
                            skep_err *err)
{
    skep_mutex_lock(&o->mu);
    skep_rc rc =
        is_old(o, o->provider.at_ns, provider_ns) ? load_provider_locked(o, visit, err) : SKEP_OK;
    const struct skep_oidc__provider *p = &o->provider;
    if (rc == SKEP_OK)
        *ret = (struct skep_oidc__provider){
            .authorization_endpoint = skep_arena_str(arena, p->authorization_endpoint),
            .token_endpoint = skep_arena_str(arena, p->token_endpoint),
            .jwks_uri = skep_arena_str(arena, p->jwks_uri),
            .userinfo_endpoint = skep_arena_str(arena, p->userinfo_endpoint),
            .post_secret = p->post_secret,
            .at_ns = p->at_ns};
    skep_mutex_unlock(&o->mu);
    return rc;
}

/* --- keys ----------------------------------------------------------------------------------------
 */

static skep_rc load_keys_locked(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                                skep_str url, skep_err *err)
{
    yyjson_doc *doc;
    struct skep_oidc__keys fresh = {.at_ns = o->cfg.os->now_ns(o->cfg.os),
                                    .tried_ns = o->keys.tried_ns};
    skep_assert_held(&o->mu);
    o->keys = (struct skep_oidc__keys){.tried_ns = o->keys.tried_ns}; /* I3 */
    skep_arena_reset(&o->keys_arena);
    SKEP_TRY(ask_for(o, visit, "key set", url, &o->keys_arena, &doc, err));
    skep_err why = {.text = ""};
    skep_rc rc =
        skep_jwks_read(&o->keys_arena, yyjson_doc_get_root(doc), &fresh.keys, &fresh.n, &why);
    yyjson_doc_free(doc);
    if (rc != SKEP_OK)
        return skep_fail(err, SKEP_EIO, "the identity provider's key set: %s", why.text);
    o->keys = fresh;
    return SKEP_OK;
}

static skep_rc verify_locked(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                             const struct skep_oidc__provider *p, const struct skep_jwt *t,
                             skep_err *err)
{
    int64_t now_ns = o->cfg.os->now_ns(o->cfg.os);
    bool fresh = is_old(o, o->keys.at_ns, keys_ns);
    if (fresh)
        SKEP_TRY(load_keys_locked(o, visit, p->jwks_uri, err));
    skep_rc rc = skep_oidc__verify(t, o->keys.keys, o->keys.n, err);
    if (rc != SKEP_ENOTFOUND || fresh || !is_old(o, o->keys.tried_ns, keys_again_ns))
        return rc;
    o->keys.tried_ns = now_ns; /* they may have been changed: once more */
    SKEP_TRY(load_keys_locked(o, visit, p->jwks_uri, err));
    return skep_oidc__verify(t, o->keys.keys, o->keys.n, err);
}

skep_rc skep_oidc__verify_fresh(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                                const struct skep_oidc__provider *p, const struct skep_jwt *t,
                                skep_err *err)
{
    skep_mutex_lock(&o->mu);
    skep_rc rc = verify_locked(o, visit, p, t, err);
    skep_mutex_unlock(&o->mu);
    return rc == SKEP_ENOTFOUND ? SKEP_EUNAUTHENTICATED : rc;
}
