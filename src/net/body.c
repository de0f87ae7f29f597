// SPDX-License-Identifier: Apache-2.0
/* Bodies: collected as they arrive, and their encoding undone.
 *
 * A body goes into one block.  With a Content-Length the block grows in big steps up to exactly
 * that size (its bytes are taken from the budget as they arrive, so that a client that only
 * announces 64 MiB holds nothing); without, it doubles.
 *
 * gzip and zlib bodies are decoded by libdeflate, three times as fast as zlib's streams but in one
 * call with a given room.  The room is what the last four bytes of a gzip member say (a hint, at
 * most 1032 times the input: deflate can do no more), doubled and tried again when that was not
 * enough, up to the limit.  So a bomb costs at most twice the limit's decoding and never more
 * memory than the limit.  zstd is decoded as a stream with a window of at most 8 MiB (RFC 9659).
 *
 * I1  in->n <= in->cap; in->cap bytes are taken from in->budget.
 * I2  output never exceeds the limit, not even for a moment.
 * Threads: one owner a struct.  Memory: skep_free through *_done. */
#include "net/net_priv.h"

#include <libdeflate.h>
#include <zstd.h>

#include "base/bytes.h"

enum { STEP_MIN = 4096, STEP_KNOWN = 1 << 20, DEFLATE_RATIO_MAX = 1032, ZSTD_WINDOW_LOG = 23 };

/* --- intake ------------------------------------------------------ */

static skep_rc set_cap(struct skep_net__intake *in, size_t cap, skep_err *err)
{
    skep_assert(cap > in->cap);
    if (in->budget)
        SKEP_TRY(skep_budget_take(in->budget, cap - in->cap, err));
    in->p = skep_realloc(in->p, cap);
    in->cap = cap;
    return SKEP_OK;
}

skep_rc skep_net__intake_reserve(struct skep_net__intake *in, size_t n, size_t expect, size_t limit,
                                 skep_err *err)
{
    skep_assert(in->n <= in->cap);
    if (n > limit || in->n > limit - n)
        return skep_fail(err, SKEP_ETOOLARGE, "the body is larger than %zu bytes", limit);
    size_t need = in->n + n;
    if (need <= in->cap)
        return SKEP_OK;
    size_t cap = SKEP_MAX(in->cap * 2, (size_t)(expect ? STEP_KNOWN : STEP_MIN));
    cap = SKEP_MAX(cap, need);
    cap = SKEP_MIN(cap, limit);
    if (expect >= need)
        cap = SKEP_MIN(cap, expect);
    return set_cap(in, cap, err);
}

skep_rc skep_net__intake_put(struct skep_net__intake *in, skep_bytes b, size_t expect, size_t limit,
                             skep_err *err)
{
    if (b.n == 0)
        return SKEP_OK;
    SKEP_TRY(skep_net__intake_reserve(in, b.n, expect, limit, err));
    memcpy(in->p + in->n, b.p, b.n);
    in->n += b.n;
    return SKEP_OK;
}

void skep_net__intake_done(struct skep_net__intake *in)
{
    skep_free(in->p);
    if (in->budget && in->cap)
        skep_budget_give(in->budget, in->cap);
    *in = (struct skep_net__intake){.budget = in->budget};
}

/* --- encodings --------------------------------------------------- */

enum skep_net__coding skep_net__coding_parse(skep_str value)
{
    static const struct {
        skep_str name;
        enum skep_net__coding coding;
    } names[] = {
        {{"", 0}, SKEP_NET__IDENTITY},       {{"identity", 8}, SKEP_NET__IDENTITY},
        {{"gzip", 4}, SKEP_NET__GZIP},       {{"x-gzip", 6}, SKEP_NET__GZIP},
        {{"deflate", 7}, SKEP_NET__DEFLATE}, {{"zlib", 4}, SKEP_NET__DEFLATE},
        {{"zstd", 4}, SKEP_NET__ZSTD},
    };
    value = skep_str_trim(value);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++)
        if (skep_str_ieq(value, names[i].name))
            return names[i].coding;
    return SKEP_NET__UNKNOWN_CODING;
}

void skep_net__inflater_done(struct skep_net__inflater *inf)
{
    libdeflate_free_decompressor(inf->deflate);
    (void)ZSTD_freeDCtx(inf->zstd); /* NULL is fine; there is nothing to fail */
    *inf = (struct skep_net__inflater){0};
}

typedef enum libdeflate_result decode_fn(struct libdeflate_decompressor *d, const void *in,
                                         size_t in_n, void *out, size_t out_n, size_t *ret_in_n,
                                         size_t *ret_out_n);

struct job {
    struct libdeflate_decompressor *decoder;
    decode_fn *decode;
    size_t limit;
    struct skep_net__intake *out;
};

/* Decode one member at `in` behind what the output holds; *ret_used = the member's bytes. */
static skep_rc member(const struct job *job, skep_bytes in, size_t hint, size_t *ret_used,
                      skep_err *err)
{
    static uint8_t nowhere[1];
    struct skep_net__intake *out = job->out;
    size_t left = job->limit - out->n;
    size_t room = SKEP_MAX(hint, (size_t)1);
    for (;;) {
        size_t used = 0;
        size_t made = 0;
        SKEP_TRY(skep_net__intake_reserve(out, SKEP_MIN(room, left), 0, job->limit, err));
        room = out->cap - out->n;
        void *to = out->p ? out->p + out->n : nowhere;
        switch (job->decode(job->decoder, in.p, in.n, to, room, &used, &made)) {
        case LIBDEFLATE_SUCCESS:
            skep_assert(used > 0 && used <= in.n && made <= room);
            out->n += made;
            *ret_used = used;
            return SKEP_OK;
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            if (room >= left)
                return skep_fail(err, SKEP_ETOOLARGE,
                                 "the body is larger than %zu bytes when decompressed", job->limit);
            room = room * 2;
            break;
        case LIBDEFLATE_BAD_DATA:
        case LIBDEFLATE_SHORT_OUTPUT:
        default: return skep_fail(err, SKEP_EMALFORMED, "bad compressed data");
        }
    }
}

static skep_rc gunzip(struct skep_net__inflater *inf, skep_bytes in, size_t limit,
                      struct skep_net__intake *out, skep_err *err)
{
    const struct job job = {inf->deflate, libdeflate_gzip_decompress_ex, limit, out};
    size_t at = 0;
    if (in.n < 18)
        return skep_fail(err, SKEP_EMALFORMED, "gzip: %zu bytes are too few", in.n);
    size_t hint = skep_load_le32(in.p + in.n - 4);
    hint = SKEP_MIN(hint, in.n * DEFLATE_RATIO_MAX);
    while (at < in.n) {
        size_t used = 0;
        skep_bytes rest = {in.p + at, in.n - at};
        skep_err why = {0};
        skep_rc rc = member(&job, rest, hint, &used, &why);
        if (rc == SKEP_EMALFORMED)
            return skep_fail(err, rc, "gzip: the member at byte %zu is damaged or cut", at);
        if (rc != SKEP_OK)
            return skep_fail(err, rc, "%s", why.text);
        at += used;
        hint = SKEP_MIN((in.n - at) * 4, (size_t)STEP_KNOWN);
    }
    return SKEP_OK;
}

/* "deflate" means zlib's format, but some senders mean the raw stream. */
static skep_rc inflate_zlib(struct skep_net__inflater *inf, skep_bytes in, size_t limit,
                            struct skep_net__intake *out, skep_err *err)
{
    size_t used = 0;
    skep_err why = {0};
    bool zlib = in.n >= 6 && (in.p[0] & 0x0f) == 8 && (in.p[0] * 256 + in.p[1]) % 31 == 0;
    decode_fn *decode = zlib ? libdeflate_zlib_decompress_ex : libdeflate_deflate_decompress_ex;
    const struct job job = {inf->deflate, decode, limit, out};
    skep_rc rc = member(&job, in, in.n * 4, &used, &why);
    if (rc == SKEP_EMALFORMED)
        return skep_fail(err, rc, "deflate: the data are damaged or cut");
    if (rc != SKEP_OK)
        return skep_fail(err, rc, "%s", why.text);
    if (used != in.n)
        return skep_fail(err, SKEP_EMALFORMED, "deflate: %zu bytes behind the end at byte %zu",
                         in.n - used, used);
    return SKEP_OK;
}

static skep_rc unzstd(struct skep_net__inflater *inf, skep_bytes in, size_t limit,
                      struct skep_net__intake *out, skep_err *err)
{
    ZSTD_inBuffer src = {in.p, in.n, 0};
    size_t left = 1; /* what the decoder still wants; 0 = at the end of a frame */
    unsigned long long told = ZSTD_getFrameContentSize(in.p, in.n);
    if (told == ZSTD_CONTENTSIZE_ERROR)
        return skep_fail(err, SKEP_EMALFORMED, "zstd: not a frame");
    if (told != ZSTD_CONTENTSIZE_UNKNOWN && told > limit)
        return skep_fail(err, SKEP_ETOOLARGE, "the body is larger than %zu bytes when decompressed",
                         limit);
    size_t first = told == ZSTD_CONTENTSIZE_UNKNOWN ? in.n * 4 : (size_t)told + 1;
    first = SKEP_MIN(first, SKEP_MIN(limit, (size_t)STEP_KNOWN * 4));
    (void)ZSTD_DCtx_reset(inf->zstd, ZSTD_reset_session_only); /* cannot fail */
    SKEP_TRY(skep_net__intake_reserve(out, SKEP_MAX(first, (size_t)1), 0, limit, err));
    for (;;) {
        ZSTD_outBuffer dst = {out->p, out->cap, out->n};
        size_t before_in = src.pos;
        left = ZSTD_decompressStream(inf->zstd, &dst, &src);
        bool stuck = src.pos == before_in && dst.pos == out->n;
        out->n = dst.pos;
        if (ZSTD_isError(left))
            return skep_fail(err, SKEP_EMALFORMED, "zstd: %s at about byte %zu",
                             ZSTD_getErrorName(left), src.pos);
        if (src.pos == src.size && left == 0)
            return SKEP_OK;
        if (out->n == out->cap) {
            if (out->n == limit && stuck)
                return skep_fail(err, SKEP_ETOOLARGE,
                                 "the body is larger than %zu bytes when decompressed", limit);
            if (out->n < limit)
                SKEP_TRY(skep_net__intake_reserve(out, 1, 0, limit, err));
        } else if (src.pos == src.size) {
            return skep_fail(err, SKEP_EMALFORMED, "zstd: cut at byte %zu", src.pos);
        }
    }
}

static void prepare(struct skep_net__inflater *inf, enum skep_net__coding c)
{
    if (c == SKEP_NET__ZSTD && !inf->zstd) {
        inf->zstd = ZSTD_createDCtx();
        skep_assert(inf->zstd != NULL);
        size_t rc = ZSTD_DCtx_setParameter(inf->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
        skep_assert(!ZSTD_isError(rc));
    } else if (c != SKEP_NET__ZSTD && !inf->deflate) {
        inf->deflate = libdeflate_alloc_decompressor();
        skep_assert(inf->deflate != NULL);
    }
}

skep_rc skep_net__inflate(struct skep_net__inflater *inf, enum skep_net__coding c, skep_bytes in,
                          size_t limit, struct skep_net__intake *out, skep_err *err)
{
    skep_rc rc;
    skep_assert(out->n == 0 && limit > 0);
    if (in.n == 0 && c != SKEP_NET__UNKNOWN_CODING)
        return SKEP_OK; /* nothing sent is nothing, whatever it is said to be */
    prepare(inf, c);
    switch (c) {
    case SKEP_NET__GZIP: rc = gunzip(inf, in, limit, out, err); break;
    case SKEP_NET__DEFLATE: rc = inflate_zlib(inf, in, limit, out, err); break;
    case SKEP_NET__ZSTD: rc = unzstd(inf, in, limit, out, err); break;
    case SKEP_NET__IDENTITY: rc = skep_net__intake_put(out, in, in.n, limit, err); break;
    case SKEP_NET__UNKNOWN_CODING:
    default: rc = skep_fail(err, SKEP_EUNSUPPORTED, "unknown content encoding"); break;
    }
    if (rc != SKEP_OK)
        skep_net__intake_done(out);
    skep_assert(out->n <= limit);
    return rc;
}
