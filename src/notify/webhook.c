// SPDX-License-Identifier: Apache-2.0
/* A webhook, in the form of Standard Webhooks (standardwebhooks.com), whose libraries check it:
 *
 *   POST target
 *   webhook-id: msg_...            the same at each attempt
 *   webhook-timestamp: 1795194450  of the attempt
 *   webhook-signature: v1,base64( HMAC-SHA256( secret, id "." timestamp "." body ) )
 *
 *   {"type":"error.new","timestamp":"2026-11-20T17:15:11Z","id":"msg_...","environment":"default",
 *    "title":"...","text":"...","url":"...","data":{...}}
 *
 * or the bytes that the notice came with; headers of the notice are sent beside these.  The secret
 * is shown as "whsec_" base64.
 *
 * Threads: any.  Memory: the attempt's arena and a buffer. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/assert.h"
#include "notify/notify_priv.h"
#include "wire/base64.h"
#include "wire/json_out.h"
#include "wire/rfc3339.h"

static void write_body(const struct skep_notify__try *t, struct skep_buf *out)
{
    const struct skep_state_message *m = t->m;
    struct skep_json json;
    char at[SKEP_RFC3339_BYTES];
    skep_json_init(&json, out);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("type"), m->kind);
    skep_json_put_str(&json, SKEP_STR("timestamp"),
                      (skep_str){at, skep_rfc3339(m->created_ns, 3, at)});
    skep_json_put_str(&json, SKEP_STR("id"), m->id);
    skep_json_put_str(&json, SKEP_STR("environment"), m->environment);
    skep_json_put_str(&json, SKEP_STR("title"), m->title);
    skep_json_put_str(&json, SKEP_STR("text"), m->text);
    skep_json_put_str(&json, SKEP_STR("url"), skep_notify__link(t));
    skep_json_key(&json, SKEP_STR("data"));
    skep_json_raw(&json, m->body.n ? skep_bytes_str(m->body) : SKEP_STR("{}"));
    skep_json_end(&json);
}

static skep_str signature(const struct skep_notify__try *t, const uint8_t secret[32], int64_t at_s,
                          skep_bytes body)
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state hmac;
    struct skep_buf text;
    skep_str head =
        skep_arena_printf(t->arena, SKEP_STRFMT ".%" PRId64 ".", SKEP_STRARG(t->m->id), at_s);
    (void)crypto_auth_hmacsha256_init(&hmac, secret, 32); /* these three cannot fail */
    (void)crypto_auth_hmacsha256_update(&hmac, (const uint8_t *)head.p, head.n);
    (void)crypto_auth_hmacsha256_update(&hmac, body.n ? body.p : (const uint8_t *)"", body.n);
    (void)crypto_auth_hmacsha256_final(&hmac, mac);
    sodium_memzero(&hmac, sizeof hmac);
    skep_buf_init(&text, 64);
    skep_base64_encode(&text, (skep_bytes){mac, sizeof mac});
    skep_str ret = skep_arena_str(t->arena, skep_buf_text(&text));
    skep_buf_done(&text);
    return ret;
}

static void send(const struct skep_notify__try *t, const uint8_t secret[32], skep_bytes body,
                 struct skep_notify__outcome *ret)
{
    const struct skep_state_message *m = t->m;
    const char *headers[SKEP_FETCH_HEADERS_MAX];
    size_t n = 0;
    int64_t at_s = t->cfg->os->now_ns(t->cfg->os) / 1000000000;
    skep_str sign = signature(t, secret, at_s, body);
    skep_str type = m->content_type.n ? m->content_type : SKEP_STR("application/json");
#define HEADER(...)                                                                                \
    headers[n++] = skep_arena_printf(t->arena, __VA_ARGS__).p /* it ends in a NUL                  \
                                                               */
    HEADER("content-type: " SKEP_STRFMT, SKEP_STRARG(type));
    HEADER("webhook-id: " SKEP_STRFMT, SKEP_STRARG(m->id));
    HEADER("webhook-timestamp: %" PRId64, at_s);
    HEADER("webhook-signature: v1," SKEP_STRFMT, SKEP_STRARG(sign));
    HEADER("x-skep-attempt: %u", m->attempts + 1);
    HEADER("x-skep-event: " SKEP_STRFMT, SKEP_STRARG(m->kind));
    if (m->content_encoding.n)
        HEADER("content-encoding: " SKEP_STRFMT, SKEP_STRARG(m->content_encoding));
    for (skep_str rest = m->headers; rest.n && n < SKEP_FETCH_HEADERS_MAX;) {
        skep_str value = skep_str_cut(&rest, '\n'), name = skep_str_cut(&value, ':');
        value = skep_str_trim(value);
        if (skep_str_eq(value, SKEP_STR("{id}")))
            value = m->id;
        HEADER(SKEP_STRFMT ": " SKEP_STRFMT, SKEP_STRARG(name), SKEP_STRARG(value));
    }
#undef HEADER
    skep_notify__post(t, headers, n, body, ret);
}

void skep_notify__webhook(const struct skep_notify__try *t, struct skep_notify__outcome *ret)
{
    uint8_t secret[32];
    struct skep_buf body;
    if (!t->cfg->secret(t->cfg->secret_ctx, t->m->place, secret)) {
        ret->verdict = SKEP_NOTIFY__AGAIN;
        (void)snprintf(ret->text, sizeof ret->text, "there is no key file to sign with");
        return;
    }
    skep_buf_init(&body, SKEP_STATE_MESSAGE_BYTES + (256 << 10));
    if (t->m->content_type.n == 0)
        write_body(t, &body);
    if (body.bad) {
        ret->verdict = SKEP_NOTIFY__NEVER;
        (void)snprintf(ret->text, sizeof ret->text, "too large to be sent");
    } else {
        send(t, secret, t->m->content_type.n ? t->m->body : skep_buf_bytes(&body), ret);
    }
    sodium_memzero(secret, sizeof secret);
    skep_buf_done(&body);
}
