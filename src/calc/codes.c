// SPDX-License-Identifier: Apache-2.0
/* Texts in other spellings: URL escapes, base64, hex.
 * Threads: any.  Memory: results in the context's scratch. */
#include "base/assert.h"
#include "calc/calc_priv.h"
#include "wire/base64.h"

#include <stdio.h>

#define TEXT(i, name)                                                                              \
    char name##_buf[64];                                                                           \
    skep_str name;                                                                                 \
    if (!skep_calc__text_of(ctx, &a[i], name##_buf, &name))                                        \
    return SKEP_CALC__NULL

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static skep_value url_encode(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    static const char digits[] = "0123456789ABCDEF";
    TEXT(0, s);
    size_t n = 0, room = 0;
    for (size_t i = 0; i < s.n; i++)
        room += unreserved(s.p[i]) ? 1 : 3;
    char *out = skep_calc__room(ctx, room);
    (void)e;
    if (!out)
        return SKEP_CALC__NULL;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (unreserved(s.p[i])) {
            out[n++] = s.p[i];
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[c >> 4];
        out[n++] = digits[c & 15];
    }
    return skep_calc__str((skep_str){out, n});
}

/* What is no UTF-8 is null: every text is UTF-8. */
static skep_value checked(skep_str s)
{
    return skep_utf8_valid(s) ? skep_calc__str(s) : SKEP_CALC__NULL;
}

static skep_value url_decode(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    TEXT(0, s);
    size_t n = 0;
    char *out = skep_calc__room(ctx, s.n);
    (void)e;
    if (!out)
        return SKEP_CALC__NULL;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t b;
        if (s.p[i] == '%' && i + 2 < s.n && skep_hex_decode((skep_str){s.p + i + 1, 2}, &b, 1)) {
            out[n++] = (char)b;
            i += 2;
        } else {
            out[n++] = s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    return checked((skep_str){out, n});
}

static skep_value base64_encode(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                                const skep_value *a)
{
    TEXT(0, s);
    struct skep_buf b;
    (void)e;
    skep_buf_init(&b, SKEP_LIMIT_CALC_TEXT);
    skep_base64_encode(&b, skep_str_bytes(s));
    skep_value v = b.bad ? SKEP_CALC__NULL : skep_calc__copy(ctx, skep_buf_text(&b));
    skep_buf_done(&b);
    return v;
}

static skep_value base64_decode(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                                const skep_value *a)
{
    TEXT(0, s);
    size_t cap = 3 * (s.n / 4) + 6, n;
    char *out = skep_calc__room(ctx, cap);
    (void)e;
    if (!out || !skep_base64_decode(s, (uint8_t *)out, cap, &n))
        return SKEP_CALC__NULL;
    return checked((skep_str){out, n});
}

static skep_value hex_to_ascii(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                               const skep_value *a)
{
    TEXT(0, s);
    char *out = skep_calc__room(ctx, s.n / 2);
    (void)e;
    if (!out || s.n % 2 || !skep_hex_decode(s, (uint8_t *)out, s.n / 2))
        return SKEP_CALC__NULL;
    return checked((skep_str){out, s.n / 2});
}

static skep_value hex_to_dec(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    TEXT(0, s);
    uint8_t bytes[8] = {0};
    char padded[16];
    uint64_t v = 0;
    (void)e;
    if (skep_str_starts(s, SKEP_STR("0x")) || skep_str_starts(s, SKEP_STR("0X")))
        s = skep_str_skip(s, 2);
    if (s.n == 0 || s.n > 16)
        return SKEP_CALC__NULL;
    memset(padded, '0', sizeof padded);
    memcpy(padded + 16 - s.n, s.p, s.n);
    if (!skep_hex_decode((skep_str){padded, 16}, bytes, 8))
        return SKEP_CALC__NULL;
    for (int i = 0; i < 8; i++)
        v = v << 8 | bytes[i];
    return v <= INT64_MAX ? skep_calc__int((int64_t)v) : SKEP_CALC__NULL;
}

static skep_value dec_to_hex(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    char out[24];
    int64_t i;
    (void)e;
    if (!skep_calc__int_of(ctx, &a[0], &i) || i < 0)
        return SKEP_CALC__NULL;
    int n = snprintf(out, sizeof out, "%llx", (unsigned long long)i);
    return skep_calc__copy(ctx, (skep_str){out, (size_t)n});
}

#define S "string"
const struct skep_calc_fn skep_calc__codes[] = {
    {"urlencode", "urlencode(text)", "With %XX for all but letters, digits and -_.~", S, 1, 1,
     url_encode, NULL, 0},
    {"urldecode", "urldecode(text)", "Without %XX; + is a blank.", S, 1, 1, url_decode, NULL, 0},
    {"base64encode", "base64encode(text)", "In base64.", S, 1, 1, base64_encode, NULL, 0},
    {"base64decode", "base64decode(text)", "Out of base64, if that is a text.", S, 1, 1,
     base64_decode, NULL, 0},
    {"hexToAscii", "hexToAscii(text)", "The text that hex digits write.", S, 1, 1, hex_to_ascii,
     NULL, 0},
    {"hexToDec", "hexToDec(text)", "The number that hex digits write.", S, 1, 1, hex_to_dec, NULL,
     0},
    {"decToHex", "decToHex(number)", "Its hex digits.", S, 1, 1, dec_to_hex, NULL, 0},
    {.name = NULL},
};
