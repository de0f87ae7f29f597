// SPDX-License-Identifier: Apache-2.0
/* gRPC over HTTP/2, unary calls: one framed message in, one framed message and trailers out.
 *
 *   DATA     = flag (0 plain, 1 compressed) | length (4 bytes, big endian) | message
 *   trailers = grpc-status, grpc-message (percent-encoded), grpc-status-details-bin (base64)
 *
 * A failure is "trailers-only": one HEADERS frame with :status 200 and the grpc-status.
 *
 * google.rpc.Status = { int32 code = 1; string message = 2; repeated Any details = 3 }; a delay to
 * retry after is a detail RetryInfo = { Duration retry_delay = 1 }, appended to whatever details
 * the API wrote (protobuf messages concatenate).
 *
 * I1  a request is one message exactly; anything else is status 13.
 * Threads: receive on the I/O thread, answer on any.  Memory: the request's arena and budget. */
#include "net/net_priv.h"

bool skep_net__is_grpc(skep_str type)
{
    const skep_str grpc = SKEP_STR("application/grpc");
    return skep_str_starts(type, grpc) && (type.n == grpc.n || type.p[grpc.n] == '+');
}

skep_rc skep_net__grpc_unframe(skep_bytes body, skep_bytes *ret, bool *ret_compressed,
                               skep_err *err)
{
    if (body.n < SKEP_NET__GRPC_PREFIX_BYTES)
        return skep_fail(err, SKEP_EMALFORMED, "grpc: %zu bytes are no message frame", body.n);
    if (body.p[0] > 1)
        return skep_fail(err, SKEP_EMALFORMED, "grpc: unknown frame flag %u", body.p[0]);
    size_t n = (size_t)body.p[1] << 24 | (size_t)body.p[2] << 16 | (size_t)body.p[3] << 8 |
               (size_t)body.p[4];
    if (n != body.n - SKEP_NET__GRPC_PREFIX_BYTES)
        return skep_fail(err, SKEP_EMALFORMED,
                         "grpc: the frame tells %zu bytes, %zu follow; one message is expected", n,
                         body.n - SKEP_NET__GRPC_PREFIX_BYTES);
    *ret = (skep_bytes){body.p + SKEP_NET__GRPC_PREFIX_BYTES, n};
    *ret_compressed = body.p[0] == 1;
    return SKEP_OK;
}

void skep_net__grpc_receive(struct skep_net__req *r, struct skep_net__inflater *inf)
{
    skep_err err = {0};
    bool compressed = false;
    skep_bytes wire = {r->wire.p, r->wire.n};
    skep_bytes message = {0};
    if (skep_net__grpc_unframe(wire, &message, &compressed, &err) != SKEP_OK) {
        skep_net__req_refuse(r, 400, SKEP_EINTERNAL, skep_str_c(err.text));
        return;
    }
    if (!compressed) {
        r->pub.body = message;
        return;
    }
    skep_str name = skep_request_header(&r->pub, SKEP_STR("grpc-encoding"));
    enum skep_net__coding coding = skep_net__coding_parse(name);
    if (coding == SKEP_NET__UNKNOWN_CODING || coding == SKEP_NET__IDENTITY) {
        bool unknown = coding == SKEP_NET__UNKNOWN_CODING;
        skep_net__count(r->net, refused_encoding, 1);
        skep_net__req_refuse(r, unknown ? 415 : 400, unknown ? SKEP_EUNSUPPORTED : SKEP_EINTERNAL,
                             unknown ? SKEP_STR("grpc: this grpc-encoding is not known: use gzip, "
                                                "deflate, zstd or identity")
                                     : SKEP_STR("grpc: a compressed message without "
                                                "grpc-encoding"));
        return;
    }
    size_t limit = r->limit_bytes - SKEP_NET__GRPC_PREFIX_BYTES;
    skep_rc rc = skep_net__inflate(inf, coding, message, limit, &r->body, &err);
    if (rc == SKEP_EMALFORMED)
        rc = SKEP_EINTERNAL; /* framing, not content: status 13 */
    if (rc == SKEP_ETOOLARGE)
        skep_net__count(r->net, refused_limit, 1);
    else if (rc == SKEP_ENOMEM)
        skep_net__count(r->net, refused_budget, 1);
    else if (rc != SKEP_OK)
        skep_net__count(r->net, refused_encoding, 1);
    if (rc != SKEP_OK) {
        skep_net__req_refuse(r, skep_rc_info(rc)->http, rc, skep_str_c(err.text));
        return;
    }
    skep_net__intake_done(&r->wire);
    r->pub.body = (skep_bytes){r->body.p, r->body.n};
}

skep_str skep_net__grpc_message(struct skep_arena *arena, skep_str s)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = skep_arena_alloc(arena, s.n * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            out[n++] = (char)c;
        } else {
            out[n++] = '%';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    return (skep_str){out, n};
}

skep_str skep_net__base64(struct skep_arena *arena, skep_bytes b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = skep_arena_alloc(arena, (b.n + 2) / 3 * 4 + 1);
    size_t n = 0;
    for (size_t i = 0; i < b.n; i += 3) {
        size_t k = SKEP_MIN(b.n - i, (size_t)3);
        unsigned v = (unsigned)b.p[i] << 16;
        v |= k > 1 ? (unsigned)b.p[i + 1] << 8 : 0;
        v |= k > 2 ? (unsigned)b.p[i + 2] : 0;
        out[n++] = digits[v >> 18];
        out[n++] = digits[v >> 12 & 63];
        out[n++] = k > 1 ? digits[v >> 6 & 63] : '=';
        out[n++] = k > 2 ? digits[v & 63] : '=';
    }
    return (skep_str){out, n};
}

static void put_message(struct skep_buf *out, unsigned field, const struct skep_buf *inner)
{
    skep_buf_varint(out, field << 3 | 2);
    skep_buf_varint(out, inner->n);
    skep_buf_put(out, inner->p, inner->n);
}

/* Append details { Any { type_url, RetryInfo { Duration { seconds } } } }. */
static void put_retry_info(struct skep_buf *out, int seconds)
{
    static const char url[] = "type.googleapis.com/google.rpc.RetryInfo";
    struct skep_buf duration;
    struct skep_buf info;
    struct skep_buf any;
    skep_buf_init(&duration, 64);
    skep_buf_init(&info, 128);
    skep_buf_init(&any, 256);
    skep_buf_varint(&duration, 1 << 3);
    skep_buf_varint(&duration, (uint64_t)seconds);
    put_message(&info, 1, &duration);
    skep_buf_varint(&any, 1 << 3 | 2);
    skep_buf_varint(&any, sizeof url - 1);
    skep_buf_put(&any, url, sizeof url - 1);
    put_message(&any, 2, &info);
    put_message(out, 3, &any);
    skep_buf_done(&duration);
    skep_buf_done(&info);
    skep_buf_done(&any);
}

static skep_str details(struct skep_net__req *r, const struct skep_response *resp)
{
    struct skep_buf out;
    if (resp->grpc_details.n == 0 && resp->retry_after_s <= 0)
        return SKEP_STR("");
    skep_buf_init(&out, resp->grpc_details.n + resp->grpc_message.n + 512);
    if (resp->grpc_details.n) {
        skep_buf_put(&out, resp->grpc_details.p, resp->grpc_details.n);
    } else {
        skep_buf_varint(&out, 1 << 3);
        skep_buf_varint(&out, (uint64_t)resp->grpc_status);
        skep_buf_varint(&out, 2 << 3 | 2);
        skep_buf_varint(&out, resp->grpc_message.n);
        skep_buf_str(&out, resp->grpc_message);
    }
    if (resp->retry_after_s > 0)
        put_retry_info(&out, resp->retry_after_s);
    skep_assert(!out.bad);
    skep_str text = skep_net__base64(&r->arena, skep_buf_bytes(&out));
    skep_buf_done(&out);
    return text;
}

static void add_trailer(struct skep_net__req *r, skep_str name, skep_str value)
{
    struct skep_net__answer *a = &r->answer;
    skep_assert(a->n_trailers < SKEP_ARRAY_LEN(a->trailers));
    a->trailers[a->n_trailers++] = (struct skep_header){name, value};
}

void skep_net__grpc_answer(struct skep_net__req *r, const struct skep_response *resp,
                           skep_bytes body)
{
    struct skep_net__answer *a = &r->answer;
    struct skep_response own = *resp;
    if (own.grpc_status == 0 && own.status >= 400)
        own.grpc_status = 2; /* UNKNOWN: a failure must not read as success */
    own.retry_after_s = SKEP_MAX(own.retry_after_s, r->pub.denial.retry_after_s);
    skep_assert(own.grpc_status >= 0 && own.grpc_status <= 16);
    a->status = 200;
    skep_net__answer_add(r, SKEP_STR("content-type"), SKEP_STR("application/grpc"));
    if (r->action == SKEP_NET__REFUSE && own.grpc_status == 12)
        skep_net__answer_add(r, SKEP_STR("grpc-accept-encoding"),
                             SKEP_STR("identity, gzip, deflate, zstd"));
    add_trailer(r, SKEP_STR("grpc-status"), skep_arena_printf(&r->arena, "%d", own.grpc_status));
    a->trailers_only = own.grpc_status != 0;
    if (a->trailers_only) {
        if (own.grpc_message.n)
            add_trailer(r, SKEP_STR("grpc-message"),
                        skep_net__grpc_message(&r->arena, own.grpc_message));
        skep_str bin = details(r, &own);
        if (bin.n)
            add_trailer(r, SKEP_STR("grpc-status-details-bin"), bin);
        return;
    }
    skep_assert(body.n <= UINT32_MAX);
    a->body_n = body.n + SKEP_NET__GRPC_PREFIX_BYTES;
    a->body = skep_malloc(a->body_n);
    a->body[0] = 0;
    for (unsigned i = 0; i < 4; i++)
        a->body[1 + i] = (uint8_t)(body.n >> (24 - 8 * i));
    if (body.n)
        memcpy(a->body + SKEP_NET__GRPC_PREFIX_BYTES, body.p, body.n);
}

void skep_net__grpc_health(void *ctx, struct skep_request *req)
{
    static const uint8_t serving[] = {0x08, 0x01}; /* HealthCheckResponse { status = SERVING } */
    struct skep_response resp = {.status = 200, .body = {serving, sizeof serving}};
    (void)ctx;
    skep_respond(req, &resp);
}
