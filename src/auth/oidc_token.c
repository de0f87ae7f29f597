// SPDX-License-Identifier: Apache-2.0
/* ID tokens: the signature, and what the claims must say (OpenID Connect Core, 3.1.3.7).
 *
 *   alg       kind of key   RS256 RS384 RS512 PS256 | ES256 ES384 | EdDSA
 *   iss       the issuer, to the letter
 *   aud       the client's id, alone or in a list; of several, azp must be it
 *   exp, nbf, iat   with a minute for clocks that differ
 *   nonce     the one that was sent
 *
 * I1  the algorithm is one of the table, so neither "none" nor one with a shared secret (HS*), and
 *     the key is of the kind that it takes: a public key is never a secret.
 * I2  RSA below 2,048 bits is not taken.
 * Threads: any.  Memory: GnuTLS's key for the length of a call. */
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "auth/oidc_priv.h"
#include "base/assert.h"

enum { SKEW_S = 60, RSA_BITS_MIN = 2048 };

static const struct alg {
    skep_str name, crv;
    enum skep_jwk_kind kind;
    gnutls_sign_algorithm_t sign;
    gnutls_ecc_curve_t curve;
    size_t half; /* ECDSA: bytes of r and of s */
} algs[] = {
    {SKEP_STR_INIT("RS256"), SKEP_STR_INIT(""), SKEP_JWK_RSA, GNUTLS_SIGN_RSA_SHA256, 0, 0},
    {SKEP_STR_INIT("RS384"), SKEP_STR_INIT(""), SKEP_JWK_RSA, GNUTLS_SIGN_RSA_SHA384, 0, 0},
    {SKEP_STR_INIT("RS512"), SKEP_STR_INIT(""), SKEP_JWK_RSA, GNUTLS_SIGN_RSA_SHA512, 0, 0},
    {SKEP_STR_INIT("PS256"), SKEP_STR_INIT(""), SKEP_JWK_RSA, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, 0,
     0},
    {SKEP_STR_INIT("ES256"), SKEP_STR_INIT("P-256"), SKEP_JWK_EC, GNUTLS_SIGN_ECDSA_SHA256,
     GNUTLS_ECC_CURVE_SECP256R1, 32},
    {SKEP_STR_INIT("ES384"), SKEP_STR_INIT("P-384"), SKEP_JWK_EC, GNUTLS_SIGN_ECDSA_SHA384,
     GNUTLS_ECC_CURVE_SECP384R1, 48},
    {SKEP_STR_INIT("EdDSA"), SKEP_STR_INIT("Ed25519"), SKEP_JWK_OKP, GNUTLS_SIGN_EDDSA_ED25519,
     GNUTLS_ECC_CURVE_ED25519, 0},
};

static const struct alg *find_alg(skep_str name)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(algs); i++)
        if (skep_str_eq(algs[i].name, name))
            return &algs[i];
    return NULL;
}

static gnutls_datum_t datum(skep_bytes b)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)b.p, (unsigned)b.n};
}

static bool import(gnutls_pubkey_t key, const struct alg *a, const struct skep_jwk *k)
{
    unsigned bits = 0;
    gnutls_datum_t n = datum(k->n), e = datum(k->e), x = datum(k->x), y = datum(k->y);
    if (a->kind != SKEP_JWK_RSA)
        return gnutls_pubkey_import_ecc_raw(key, a->curve, &x,
                                            a->kind == SKEP_JWK_OKP ? NULL : &y) >= 0;
    return gnutls_pubkey_import_rsa_raw(key, &n, &e) >= 0 &&
           gnutls_pubkey_get_pk_algorithm(key, &bits) >= 0 && bits >= RSA_BITS_MIN; /* I2 */
}

static bool verify_with(gnutls_pubkey_t key, const struct alg *a, const struct skep_jwt *t)
{
    gnutls_datum_t data = datum(skep_str_bytes(t->signed_part)), sig = datum(t->signature);
    if (!a->half)
        return gnutls_pubkey_verify_data2(key, a->sign, 0, &data, &sig) >= 0;
    if (t->signature.n != 2 * a->half)
        return false;
    gnutls_datum_t r = datum((skep_bytes){t->signature.p, a->half});
    gnutls_datum_t s = datum((skep_bytes){t->signature.p + a->half, a->half});
    gnutls_datum_t der = {NULL, 0};
    if (gnutls_encode_rs_value(&der, &r, &s) < 0)
        return false;
    bool good = gnutls_pubkey_verify_data2(key, a->sign, 0, &data, &der) >= 0;
    gnutls_free(der.data);
    return good;
}

static bool good_under(const struct alg *a, const struct skep_jwk *k, const struct skep_jwt *t)
{
    gnutls_pubkey_t key;
    if (gnutls_pubkey_init(&key) < 0)
        return false;
    bool good = import(key, a, k) && verify_with(key, a, t);
    gnutls_pubkey_deinit(key);
    return good;
}

/* Is a key one that this token may have been signed with? */
static bool fits(const struct alg *a, const struct skep_jwk *k, const struct skep_jwt *t)
{
    return k->kind == a->kind && (!a->crv.n || skep_str_eq(k->crv, a->crv)) &&
           (!t->kid.n || skep_str_eq(t->kid, k->kid)) &&
           (!k->alg.n || skep_str_eq(k->alg, a->name)) &&
           (!k->use.n || skep_str_eq(k->use, SKEP_STR("sig")));
}

skep_rc skep_oidc__verify(const struct skep_jwt *t, const struct skep_jwk *keys, size_t n,
                          skep_err *err)
{
    const struct alg *a = find_alg(t->alg);
    bool any = false;
    if (!a) /* I1 */
        return skep_fail(err, SKEP_EUNAUTHENTICATED,
                         "the ID token is signed with an algorithm that is not taken (those with a "
                         "public key are: RS256, ES256, EdDSA ...)");
    for (size_t i = 0; i < n; i++) {
        if (!fits(a, &keys[i], t))
            continue;
        any = true;
        if (good_under(a, &keys[i], t))
            return SKEP_OK;
    }
    if (!any)
        return skep_fail(err, SKEP_ENOTFOUND,
                         "the provider's keys have none for the ID token's key id");
    return skep_fail(err, SKEP_EUNAUTHENTICATED, "the ID token's signature is not the provider's");
}

/* --- claims --------------------------------------------------------------------------------------
 */

static bool audience_is(yyjson_val *claims, skep_str client_id)
{
    yyjson_val *aud = yyjson_obj_get(claims, "aud"), *v;
    size_t i, max;
    bool ours = false;
    if (yyjson_is_str(aud))
        return skep_str_eq(skep_jwt_text(claims, "aud"), client_id);
    yyjson_arr_foreach(aud, i, max, v)
    {
        ours = ours || (yyjson_is_str(v) &&
                        skep_str_eq((skep_str){yyjson_get_str(v), yyjson_get_len(v)}, client_id));
    }
    /* Given to several: then it says for whom it was made. */
    return ours && (yyjson_arr_size(aud) == 1 || yyjson_obj_get(claims, "azp") != NULL);
}

/* A NumericDate; false when it is absent or none. */
static bool date_of(yyjson_val *claims, const char *member, double *ret)
{
    yyjson_val *v = yyjson_obj_get(claims, member);
    *ret = yyjson_get_num(v);
    return yyjson_is_num(v);
}

static skep_rc check_dates(yyjson_val *claims, double now_s, skep_err *err)
{
    double exp, iat, nbf;
    if (!date_of(claims, "exp", &exp) || !date_of(claims, "iat", &iat))
        return skep_fail(err, SKEP_EUNAUTHENTICATED, "the ID token has no time (exp, iat)");
    if (!(exp > now_s - SKEW_S))
        return skep_fail(err, SKEP_EUNAUTHENTICATED,
                         "the ID token has expired (do the clocks agree?)");
    if (!(iat < now_s + SKEW_S) || (date_of(claims, "nbf", &nbf) && !(nbf < now_s + SKEW_S)))
        return skep_fail(err, SKEP_EUNAUTHENTICATED,
                         "the ID token is of the future (do the clocks agree?)");
    return SKEP_OK;
}

skep_rc skep_oidc__check(yyjson_val *claims, const struct skep_oidc__expect *want, skep_err *err)
{
    skep_assert(want->nonce.n > 0);
    if (!skep_str_eq(skep_jwt_text(claims, "iss"), want->issuer))
        return skep_fail(err, SKEP_EUNAUTHENTICATED, "the ID token is of another issuer");
    if (!audience_is(claims, want->client_id) ||
        (yyjson_obj_get(claims, "azp") &&
         !skep_str_eq(skep_jwt_text(claims, "azp"), want->client_id)))
        return skep_fail(err, SKEP_EUNAUTHENTICATED, "the ID token is for another client");
    SKEP_TRY(check_dates(claims, (double)want->now_s, err));
    if (!skep_str_eq(skep_jwt_text(claims, "nonce"), want->nonce))
        return skep_fail(err, SKEP_EUNAUTHENTICATED,
                         "the ID token is no answer to this login (nonce)");
    skep_str sub = skep_jwt_text(claims, "sub");
    if (!sub.n || sub.n > 255)
        return skep_fail(err, SKEP_EUNAUTHENTICATED, "the ID token names nobody (sub)");
    return SKEP_OK;
}
