// SPDX-License-Identifier: Apache-2.0
/* The login's two steps and the cookie between them (oidc.h).
 *
 *   cookie   base64url(nonce 24 | secretbox("l" expires_s \n state \n nonce \n verifier \n to))
 *            or, after a failure,  (... "e" expires_s \n words)
 *   begin    authorization_endpoint?response_type=code&client_id&redirect_uri&scope&state&nonce
 *                                   &code_challenge=base64url(SHA-256(verifier))&..._method=S256
 *   finish   state = the cookie's -> POST token_endpoint -> ID token -> person -> user -> session
 *
 * I1  no request that lacks the cookie whose state it names reaches the provider: a login that
 *     somebody else began (in another browser) is refused here.
 * I2  state, nonce and verifier are 256 random bits each.
 * I3  a message shows what the provider says only where the state was right, cut and without
 *     control characters.
 * Threads: workers.  Memory: the caller's arena; a few KiB of secrets in sodium_malloc. */
#include "auth/oidc.h"

#include <sodium.h>

#include "auth/oidc_priv.h"
#include "base/assert.h"
#include "base/mem.h"

enum {
    RANDOM_BYTES = 32,
    RANDOM_TEXT = 44,
    LOGIN_S = 600,
    WORDS_S = 120,
    TO_MAX_BYTES = 1024,
    COOKIE_MAX_BYTES = 4096,
    TIMEOUT_MS = 10000
};
static const int64_t ns_per_s = 1000000000;
static const skep_str plain_cookie = SKEP_STR_INIT("skep_oidc");
static const skep_str host_cookie = SKEP_STR_INIT("__Host-skep_oidc");

/* --- life ----------------------------------------------------------------------------------------
 */

/* "id.hive.example" of the issuer. */
static skep_str host_of(skep_str url)
{
    size_t at = skep_str_find(url, SKEP_STR("://"));
    skep_str rest = at == SIZE_MAX ? url : skep_str_skip(url, at + 3);
    return skep_str_cut(&rest, '/');
}

skep_rc skep_oidc_new(const struct skep_oidc_config *cfg, struct skep_oidc **ret, skep_err *err)
{
    skep_assert(cfg->os && cfg->issuer && cfg->client_id && cfg->scopes && cfg->session_s > 0);
    if (sodium_init() < 0)
        return skep_fail(err, SKEP_EIO, "libsodium finds no randomness");
    struct skep_oidc *o = skep_alloc(struct skep_oidc);
    o->cfg = *cfg;
    o->cfg.timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : TIMEOUT_MS;
    skep_str name = cfg->name ? skep_str_c(cfg->name) : host_of(skep_str_c(cfg->issuer));
    o->name = skep_strndup(name.p, name.n);
    o->cookie_key = sodium_malloc(crypto_secretbox_KEYBYTES);
    skep_assert(o->cookie_key != NULL);
    cfg->os->random(cfg->os, o->cookie_key, crypto_secretbox_KEYBYTES);
    skep_mutex_init(&o->mu, "identity provider");
    skep_arena_init(&o->provider_arena, "identity provider", NULL);
    skep_arena_init(&o->keys_arena, "identity provider's keys", NULL);
    skep_rc rc = cfg->client_secret_file
                     ? skep_auth_secret_file(cfg->os, cfg->client_secret_file, &o->secret, err)
                     : SKEP_OK;
    if (rc != SKEP_OK) {
        skep_oidc_free(o);
        return rc;
    }
    *ret = o;
    return SKEP_OK;
}

void skep_oidc_free(struct skep_oidc *o)
{
    if (!o)
        return;
    skep_arena_done(&o->provider_arena);
    skep_arena_done(&o->keys_arena);
    skep_mutex_done(&o->mu);
    sodium_free(o->secret);     // tidy: allow banned: sodium_malloc's
    sodium_free(o->cookie_key); // tidy: allow banned: sodium_malloc's
    skep_free(o->name);
    skep_free(o);
}

skep_str skep_oidc_name(const struct skep_oidc *o)
{
    return skep_str_c(o->name);
}

/* --- the cookie ----------------------------------------------------------------------------------
 */

static skep_str set_cookie(struct skep_arena *arena, bool tls, skep_str value, int max_age_s)
{
    /* Lax: the provider sends the browser back, which is another site's link. */
    return skep_arena_printf(
        arena, SKEP_STRFMT "=" SKEP_STRFMT "; Path=/; HttpOnly; SameSite=Lax%s; Max-Age=%d",
        SKEP_STRARG(tls ? host_cookie : plain_cookie), SKEP_STRARG(value), tls ? "; Secure" : "",
        max_age_s);
}

skep_str skep_oidc_cookie(const struct skep_request *req)
{
    return skep_auth__cookie_named(req, req->tls ? host_cookie : plain_cookie);
}

skep_str skep_oidc_forget(struct skep_arena *arena, bool tls)
{
    return set_cookie(arena, tls, SKEP_STR(""), 0);
}

static skep_str seal(const struct skep_oidc *o, skep_str text, struct skep_arena *arena)
{
    size_t n = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + text.n;
    uint8_t *box = skep_arena_alloc(arena, n);
    o->cfg.os->random(o->cfg.os, box, crypto_secretbox_NONCEBYTES);
    int rc = crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, (const uint8_t *)text.p,
                                   text.n, box, o->cookie_key);
    skep_assert(rc == 0);
    size_t cap = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *out = skep_arena_alloc(arena, cap);
    return skep_str_c(
        sodium_bin2base64(out, cap, box, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
}

/* What was sealed, of a kind and not too old; empty otherwise. */
static skep_str unseal(const struct skep_oidc *o, skep_str value, char kind,
                       struct skep_arena *arena)
{
    const size_t head = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    size_t n = 0;
    uint64_t until_s = 0;
    if (!value.n || value.n > COOKIE_MAX_BYTES)
        return SKEP_STR("");
    uint8_t *box = skep_arena_alloc(arena, value.n);
    if (sodium_base642bin(box, value.n, value.p, value.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        n <= head)
        return SKEP_STR("");
    char *text = skep_arena_alloc(arena, n);
    if (crypto_secretbox_open_easy((uint8_t *)text, box + crypto_secretbox_NONCEBYTES,
                                   n - crypto_secretbox_NONCEBYTES, box, o->cookie_key) != 0)
        return SKEP_STR("");
    skep_str rest = {text, n - head};
    skep_str first = skep_str_cut(&rest, '\n');
    if (!first.n || first.p[0] != kind || !skep_str_u64(skep_str_skip(first, 1), &until_s) ||
        (int64_t)until_s * ns_per_s < o->cfg.os->now_ns(o->cfg.os))
        return SKEP_STR("");
    return rest;
}

static int64_t in_s(const struct skep_oidc *o, int seconds)
{
    return o->cfg.os->now_ns(o->cfg.os) / ns_per_s + seconds;
}

skep_str skep_oidc_say(struct skep_oidc *o, bool tls, skep_str text, struct skep_arena *arena)
{
    skep_str words = skep_arena_printf(arena, "e%lld\n" SKEP_STRFMT, (long long)in_s(o, WORDS_S),
                                       SKEP_STRARG(text));
    return set_cookie(arena, tls, seal(o, words, arena), WORDS_S);
}

skep_str skep_oidc_said(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                        struct skep_arena *arena)
{
    return unseal(o, visit->cookie, 'e', arena);
}

/* --- begin ---------------------------------------------------------------------------------------
 */

static skep_str draw(const struct skep_oidc *o, struct skep_arena *arena)
{
    uint8_t bytes[RANDOM_BYTES];
    char *text = skep_arena_alloc(arena, RANDOM_TEXT);
    o->cfg.os->random(o->cfg.os, bytes, sizeof bytes);
    return skep_str_c(sodium_bin2base64(text, RANDOM_TEXT, bytes, sizeof bytes,
                                        sodium_base64_VARIANT_URLSAFE_NO_PADDING));
}

static skep_str challenge_of(skep_str verifier, struct skep_arena *arena)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char *text = skep_arena_alloc(arena, RANDOM_TEXT);
    (void)crypto_hash_sha256(hash, (const uint8_t *)verifier.p, verifier.n); /* always 0 */
    return skep_str_c(sodium_bin2base64(text, RANDOM_TEXT, hash, sizeof hash,
                                        sodium_base64_VARIANT_URLSAFE_NO_PADDING));
}

static skep_str redirect_uri(const struct skep_oidc *o, const struct skep_oidc_visit *visit,
                             struct skep_arena *arena)
{
    static const char path[] = "/skep/v1/oidc/callback";
    skep_str base = skep_str_c(o->cfg.public_url);
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    if (base.n)
        return skep_arena_printf(arena, SKEP_STRFMT "%s", SKEP_STRARG(base), path);
    return skep_arena_printf(arena, "%s://" SKEP_STRFMT "%s", visit->tls ? "https" : "http",
                             SKEP_STRARG(visit->host), path);
}

/* A path of the page and nothing that a browser could read as another place. */
static skep_str safe_to(skep_str to)
{
    bool good = to.n <= TO_MAX_BYTES && skep_str_starts(to, SKEP_STR("/ui/"));
    for (size_t i = 0; i < to.n; i++)
        good = good && (uint8_t)to.p[i] > 0x20 && (uint8_t)to.p[i] < 0x7f && to.p[i] != '\\';
    return good ? to : SKEP_STR("/ui/home");
}

skep_rc skep_oidc_begin(struct skep_oidc *o, const struct skep_oidc_visit *visit, skep_str to,
                        struct skep_arena *arena, skep_str *ret_location, skep_str *ret_cookie,
                        skep_err *err)
{
    struct skep_oidc__provider p;
    struct skep_buf url;
    SKEP_TRY(skep_oidc__provider(o, visit, arena, &p, err));
    skep_str state = draw(o, arena), nonce = draw(o, arena), verifier = draw(o, arena); /* I2 */
    skep_str inside = skep_arena_printf(
        arena, "l%lld\n" SKEP_STRFMT "\n" SKEP_STRFMT "\n" SKEP_STRFMT "\n" SKEP_STRFMT,
        (long long)in_s(o, LOGIN_S), SKEP_STRARG(state), SKEP_STRARG(nonce), SKEP_STRARG(verifier),
        SKEP_STRARG(safe_to(to)));
    skep_buf_init(&url, 16 << 10);
    skep_buf_str(&url, p.authorization_endpoint);
    if (skep_str_chr(p.authorization_endpoint, '?') == SIZE_MAX)
        skep_buf_str(&url, SKEP_STR("?response_type=code"));
    else
        skep_buf_str(&url, SKEP_STR("&response_type=code"));
    skep_oidc__pair(&url, SKEP_STR("client_id"), skep_str_c(o->cfg.client_id));
    skep_oidc__pair(&url, SKEP_STR("redirect_uri"), redirect_uri(o, visit, arena));
    skep_oidc__pair(&url, SKEP_STR("scope"), skep_str_c(o->cfg.scopes));
    skep_oidc__pair(&url, SKEP_STR("state"), state);
    skep_oidc__pair(&url, SKEP_STR("nonce"), nonce);
    skep_oidc__pair(&url, SKEP_STR("code_challenge"), challenge_of(verifier, arena));
    skep_oidc__pair(&url, SKEP_STR("code_challenge_method"), SKEP_STR("S256"));
    *ret_location = skep_arena_str(arena, skep_buf_text(&url));
    *ret_cookie = set_cookie(arena, visit->tls, seal(o, inside, arena), LOGIN_S);
    skep_buf_done(&url);
    return SKEP_OK;
}

/* --- finish --------------------------------------------------------------------------------------
 */

struct begun {
    skep_str state, nonce, verifier, to;
};

static struct begun begun_of(const struct skep_oidc *o, const struct skep_oidc_visit *visit,
                             struct skep_arena *arena)
{
    struct begun b;
    skep_str rest = unseal(o, visit->cookie, 'l', arena);
    b.state = skep_str_cut(&rest, '\n');
    b.nonce = rest.p ? skep_str_cut(&rest, '\n') : SKEP_STR("");
    b.verifier = rest.p ? skep_str_cut(&rest, '\n') : SKEP_STR("");
    b.to = rest;
    return b;
}

/* I1 */
static skep_rc check_return(const struct begun *b, const struct skep_oidc_return *back,
                            struct skep_arena *arena, bool *ret_ours, skep_err *err)
{
    if (!b->state.n)
        return skep_fail(err, SKEP_EUNAUTHENTICATED,
                         "this login was not begun in this browser, or too long ago: begin again");
    if (b->state.n != back->state.n || sodium_memcmp(b->state.p, back->state.p, b->state.n) != 0)
        return skep_fail(err, SKEP_EUNAUTHENTICATED,
                         "this is the answer to another login (state): begin again");
    *ret_ours = true;
    if (back->error.n)
        return skep_fail(err, SKEP_EUNAUTHENTICATED,
                         "the identity provider says: " SKEP_STRFMT "%s" SKEP_STRFMT,
                         SKEP_STRARG(skep_oidc__words(arena, back->error)),
                         back->error_description.n ? ", " : "",
                         SKEP_STRARG(skep_oidc__words(arena, back->error_description)));
    if (!back->code.n || back->code.n > 4096)
        return skep_fail(err, SKEP_EUNAUTHENTICATED, "the identity provider sent no code");
    return SKEP_OK;
}

static skep_str token_form(struct skep_oidc *o, const struct skep_oidc__provider *p,
                           const struct begun *b, skep_str code, skep_str redirect,
                           struct skep_arena *arena)
{
    struct skep_buf form;
    skep_buf_init(&form, 64 << 10);
    skep_oidc__pair(&form, SKEP_STR("grant_type"), SKEP_STR("authorization_code"));
    skep_oidc__pair(&form, SKEP_STR("code"), code);
    skep_oidc__pair(&form, SKEP_STR("redirect_uri"), redirect);
    skep_oidc__pair(&form, SKEP_STR("code_verifier"), b->verifier);
    if (!o->secret || p->post_secret)
        skep_oidc__pair(&form, SKEP_STR("client_id"), skep_str_c(o->cfg.client_id));
    if (o->secret && p->post_secret)
        skep_oidc__pair(&form, SKEP_STR("client_secret"), skep_str_c(o->secret));
    skep_str text = skep_arena_str(arena, skep_buf_text(&form));
    sodium_memzero(form.p, form.n);
    skep_buf_done(&form);
    return text;
}

/* The code's tokens. */
static skep_rc exchange(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                        const struct skep_oidc__provider *p, skep_str form,
                        struct skep_arena *arena, yyjson_doc **ret, skep_err *err)
{
    yyjson_doc *doc = NULL;
    int status = 0;
    const struct skep_oidc__ask ask = {.what = "token endpoint",
                                       .url = p->token_endpoint,
                                       .form = form,
                                       .basic = o->secret && !p->post_secret};
    SKEP_TRY(skep_oidc__ask(o, visit, &ask, arena, &doc, &status, err));
    yyjson_val *root = yyjson_doc_get_root(doc);
    skep_str error = skep_jwt_text(root, "error");
    if (status == 200 && skep_jwt_text(root, "id_token").n) {
        *ret = doc;
        return SKEP_OK;
    }
    skep_rc rc =
        skep_fail(err, SKEP_EUNAUTHENTICATED,
                  "the identity provider's token endpoint answers %d: " SKEP_STRFMT, status,
                  SKEP_STRARG(error.n ? skep_oidc__words(arena, error) : SKEP_STR("no ID token")));
    yyjson_doc_free(doc);
    return rc;
}

/* Claims of the userinfo endpoint, where the token's do not suffice; NULL when there are none. */
static yyjson_doc *more_claims(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                               const struct skep_oidc__provider *p, yyjson_val *claims,
                               skep_str access_token, struct skep_arena *arena)
{
    yyjson_doc *doc = NULL;
    int status = 0;
    bool plain = access_token.n > 0 && access_token.n <= SKEP_JWT_MAX_BYTES;
    for (size_t i = 0; i < access_token.n && plain; i++)
        plain = (uint8_t)access_token.p[i] > 0x20 && (uint8_t)access_token.p[i] < 0x7f;
    if (!plain || !p->userinfo_endpoint.n || !skep_oidc__wants_info(o, claims))
        return NULL;
    const struct skep_oidc__ask ask = {
        .what = "userinfo endpoint", .url = p->userinfo_endpoint, .bearer = access_token};
    if (skep_oidc__ask(o, visit, &ask, arena, &doc, &status, NULL) != SKEP_OK)
        return NULL; /* what is missing then is said in its own words */
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (status == 200 && skep_str_eq(skep_jwt_text(root, "sub"), skep_jwt_text(claims, "sub")))
        return doc;
    yyjson_doc_free(doc);
    return NULL;
}

struct login {
    const struct skep_oidc_visit *visit;
    const struct skep_oidc_return *back;
    const struct skep_people *people;
    struct begun begun;
    struct skep_oidc__provider provider;
};

/* A verified token's person becomes a session. */
static skep_rc enter(struct skep_oidc *o, const struct login *l, yyjson_val *claims,
                     skep_str access_token, struct skep_arena *arena, struct skep_oidc_entered *ret,
                     skep_err *err)
{
    struct skep_state_user u;
    yyjson_doc *info = more_claims(o, l->visit, &l->provider, claims, access_token, arena);
    const struct skep_oidc__person who = {claims, yyjson_doc_get_root(info)};
    skep_rc rc = skep_oidc__user(o, l->people, &who, arena, &u, ret, err);
    yyjson_doc_free(info);
    if (rc == SKEP_OK)
        rc = skep_auth__begin_session(l->people, &u, l->back->old, o->cfg.session_s, &ret->in, err);
    return rc == SKEP_ENOTFOUND ? skep_fail(err, SKEP_EFORBIDDEN, "this user is disabled") : rc;
}

static skep_rc check_tokens(struct skep_oidc *o, const struct login *l, yyjson_val *tokens,
                            struct skep_arena *arena, struct skep_oidc_entered *ret, skep_err *err)
{
    struct skep_jwt t;
    skep_err why = {.text = ""};
    const struct skep_oidc__expect want = {.issuer = skep_str_c(o->cfg.issuer),
                                           .client_id = skep_str_c(o->cfg.client_id),
                                           .nonce = l->begun.nonce,
                                           .now_s = o->cfg.os->now_ns(o->cfg.os) / ns_per_s};
    if (skep_jwt_read(arena, skep_jwt_text(tokens, "id_token"), &t, &why) != SKEP_OK)
        return skep_fail(err, SKEP_EUNAUTHENTICATED, "the ID token: %s", why.text);
    yyjson_val *claims = yyjson_doc_get_root(t.claims);
    skep_rc rc = skep_oidc__verify_fresh(o, l->visit, &l->provider, &t, err);
    if (rc == SKEP_OK)
        rc = skep_oidc__check(claims, &want, err);
    if (rc == SKEP_OK)
        rc = enter(o, l, claims, skep_jwt_text(tokens, "access_token"), arena, ret, err);
    skep_jwt_done(&t);
    return rc;
}

skep_rc skep_oidc_finish(struct skep_oidc *o, const struct skep_people *people,
                         const struct skep_oidc_visit *visit, const struct skep_oidc_return *back,
                         struct skep_arena *arena, struct skep_oidc_entered *ret, skep_str *ret_to,
                         skep_err *err)
{
    yyjson_doc *tokens = NULL;
    struct login l = {
        .visit = visit, .back = back, .people = people, .begun = begun_of(o, visit, arena)};
    *ret = (struct skep_oidc_entered){.made = false};
    *ret_to = safe_to(l.begun.to);
    SKEP_TRY(check_return(&l.begun, back, arena, &ret->vouched, err));
    SKEP_TRY(skep_oidc__provider(o, visit, arena, &l.provider, err));
    skep_str form =
        token_form(o, &l.provider, &l.begun, back->code, redirect_uri(o, visit, arena), arena);
    skep_rc rc = exchange(o, visit, &l.provider, form, arena, &tokens, err);
    sodium_memzero((char *)(uintptr_t)form.p, form.n); /* the arena's, so ours */
    SKEP_TRY(rc);
    rc = check_tokens(o, &l, yyjson_doc_get_root(tokens), arena, ret, err);
    yyjson_doc_free(tokens);
    return rc;
}
