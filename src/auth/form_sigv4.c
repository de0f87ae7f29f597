// SPDX-License-Identifier: Apache-2.0
/* AWS' form: Signature Version 4 in Authorization or in a presigned query (wire/sigv4.h).
 *
 *   HEAD  read, key, revoked?, clock; where the request tells its payload's hash: the signature
 *   WIRE  the body's hash against what was told, or the signature over it
 *
 * A repeated request within the window is let in again: it can do no more than it did, and SDKs
 * that retry send the same signature.
 *
 * I1  whatever passes was signed with the key's secret over method, path, query, host, time, target
 *     and - unless it says UNSIGNED-PAYLOAD - body.
 * I2  a secret is unsealed for one signature and wiped.
 * Threads: I/O.  Memory: the request's arena. */
#include <inttypes.h>
#include <sodium.h>

#include "auth/auth_priv.h"
#include "wire/sigv4.h"

enum { SKEW_S = 300 };

static const skep_str mismatch = SKEP_STR_INIT(
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details.");

static bool header(const void *ctx, skep_str name, unsigned i, skep_str *ret)
{
    const struct skep_request *req = ctx;
    if (skep_str_eq(name, SKEP_STR("host"))) { /* HTTP/2 has it in :authority */
        *ret = req->host;
        return i == 0 && req->host.n > 0;
    }
    return skep_request_header_at(req, name, i, ret);
}

static enum skep_auth__found denied(struct skep_auth__claim *ret, enum skep_denied why,
                                    skep_str message)
{
    *ret = (struct skep_auth__claim){.why = why, .message = message};
    return SKEP_AUTH__CLAIM;
}

/* AWS' words for a clock that is wrong; empty = it is right. */
static skep_str clock_fault(const struct skep_auth__question *q, const struct skep_sigv4 *s)
{
    int64_t now = q->now_ns / 1000000000;
    int64_t end = s->at_s + (s->presigned ? s->expires_s : SKEW_S);
    if (s->at_s > now + SKEW_S)
        return skep_arena_printf(q->req->arena,
                                 "Signature not yet current: " SKEP_STRFMT
                                 " is still later than the server's time by %" PRId64 " s",
                                 SKEP_STRARG(s->at), s->at_s - now);
    if (now > end)
        return skep_arena_printf(q->req->arena,
                                 "Signature expired: " SKEP_STRFMT
                                 " is now earlier than the server's time by %" PRId64 " s",
                                 SKEP_STRARG(s->at), now - s->at_s);
    return SKEP_STR("");
}

/* The signature under the key's secret is the one that came. */
static enum skep_auth__found check(const struct skep_auth__question *q,
                                   const struct skep_sigv4_request *rq, const struct skep_sigv4 *s,
                                   const struct skep_auth__key *key, skep_str payload,
                                   struct skep_auth__claim *ret)
{
    char secret[SKEP_AUTH__AWS_SECRET_BYTES], want[SKEP_SIGV4_HEX_BYTES];
    skep_err err = {.text = ""};
    skep_mutex_lock(&q->a->mu);
    bool opened = skep_auth__unseal(q->a->seal, key->k.sealed, secret);
    skep_mutex_unlock(&q->a->mu);
    if (!opened)
        return denied(ret, SKEP_DENIED_UNKNOWN,
                      SKEP_STR("The key's secret cannot be opened: the server's key file is "
                               "another one than when the key was made."));
    skep_rc rc = skep_sigv4_sign(q->req->arena, s, rq, payload, (skep_str){secret, sizeof secret},
                                 want, &err);
    sodium_memzero(secret, sizeof secret);
    if (rc != SKEP_OK)
        return denied(ret, SKEP_DENIED_MALFORMED,
                      skep_arena_str(q->req->arena, skep_str_c(err.text)));
    if (!skep_sigv4_equal(s->signature, (skep_str){want, sizeof want}))
        return denied(ret, SKEP_DENIED_SIGNATURE, mismatch);
    return skep_auth__claimed(key, ret);
}

static enum skep_auth__found at_head(const struct skep_auth__question *q,
                                     const struct skep_sigv4_request *rq,
                                     const struct skep_sigv4 *s, const struct skep_auth__key *key,
                                     struct skep_auth__claim *ret)
{
    if (!s->payload.n)
        return SKEP_AUTH__LATER_WIRE;
    enum skep_auth__found found = check(q, rq, s, key, s->payload, ret);
    bool hash = s->payload.n == SKEP_SIGV4_HEX_BYTES;
    return ret->key && hash ? SKEP_AUTH__LATER_WIRE : found;
}

static enum skep_auth__found at_wire(const struct skep_auth__question *q,
                                     const struct skep_sigv4_request *rq,
                                     const struct skep_sigv4 *s, const struct skep_auth__key *key,
                                     struct skep_auth__claim *ret)
{
    char hash[SKEP_SIGV4_HEX_BYTES];
    skep_sigv4_hash(q->wire, hash);
    skep_str payload = {hash, sizeof hash};
    if (!s->payload.n)
        return check(q, rq, s, key, payload, ret);
    if (!skep_sigv4_equal(s->payload, payload)) /* the signature was checked at HEAD */
        return denied(ret, SKEP_DENIED_SIGNATURE,
                      SKEP_STR("The provided 'x-amz-content-sha256' header does not match what was "
                               "computed."));
    return skep_auth__claimed(key, ret);
}

static enum skep_auth__found find(const struct skep_auth__question *q, struct skep_auth__claim *ret)
{
    const struct skep_sigv4_request rq = {q->req->method, q->req->target, header, q->req};
    struct skep_sigv4 s;
    skep_err err = {.text = ""};
    if (q->open) {
        skep_str id = skep_sigv4_access_key(q->req->arena, &rq);
        return id.n ? skep_auth__claimed(skep_auth__by_access_key(q->table, id), ret)
                    : SKEP_AUTH__NONE;
    }
    if (!skep_sigv4_present(q->req->arena, &rq))
        return SKEP_AUTH__NONE;
    if (skep_sigv4_read(q->req->arena, &rq, &s, &err) != SKEP_OK)
        return denied(ret, SKEP_DENIED_MALFORMED,
                      skep_arena_str(q->req->arena, skep_str_c(err.text)));
    const struct skep_auth__key *key = skep_auth__by_access_key(q->table, s.access_key);
    if (!key)
        return denied(ret, SKEP_DENIED_UNKNOWN,
                      SKEP_STR("The security token included in the request is invalid."));
    if (key->k.revoked_ns || key->k.disabled)
        return skep_auth__claimed(key, ret); /* which says so */
    skep_str fault = clock_fault(q, &s);
    if (fault.n)
        return denied(ret, SKEP_DENIED_CLOCK, fault);
    return q->moment == SKEP_GATE_HEAD ? at_head(q, &rq, &s, key, ret)
                                       : at_wire(q, &rq, &s, key, ret);
}

const struct skep_auth__form skep_auth__sigv4 = {
    SKEP_FORM_SIGV4, SKEP_STR_INIT("Missing Authentication Token"), find};
