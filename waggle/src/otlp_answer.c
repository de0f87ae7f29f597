// SPDX-License-Identifier: Apache-2.0
/*
 * otlp_answer.c - what a receiver says in its answer
 *
 * Foreign bytes: whatever they are, the result is a number and a piece of them.
 *
 * Threads: no state.
 */
#include "otlp_answer.h"

/* Reads partial_success; gives the number rejected. */
uint64_t waggle__partial_protobuf(waggle_str body, waggle_str *ret_message)
{
    struct waggle__reader outer = {(const uint8_t *)body.p, body.n, 0, false};
    struct waggle__field f;
    uint64_t rejected = 0;
    *ret_message = (waggle_str){"", 0};
    while (waggle__field_next(&outer, &f)) {
        if (f.number != 1 || f.wire != WAGGLE__LEN)
            continue;
        struct waggle__reader r = {(const uint8_t *)f.bytes.p, f.bytes.n, 0, false};
        while (waggle__field_next(&r, &f)) {
            if (f.number == 1 && f.wire == WAGGLE__VARINT)
                rejected = f.value > INT64_MAX ? 0 : f.value;
            else if (f.number == 2)
                *ret_message = f.bytes;
        }
        break;
    }
    return outer.bad ? 0 : rejected;
}

/* The same of a JSON answer: {"partialSuccess":{"rejectedSpans":"2","errorMessage":"..."}}. */
uint64_t waggle__partial_json(waggle_str body, waggle_str *ret_message)
{
    static const char key[] = "\"rejected";
    const char *p = body.p;
    size_t n = body.n;
    uint64_t rejected = 0;
    size_t i = 0;
    *ret_message = (waggle_str){"", 0};
    while (i + sizeof key < n && memcmp(p + i, key, sizeof key - 1) != 0)
        i++;
    if (i + sizeof key >= n)
        return 0;
    while (i < n && p[i] != ':')
        i++;
    while (i < n && !(p[i] >= '0' && p[i] <= '9') && p[i] != ',' && p[i] != '}')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '9' && rejected < INT64_MAX / 100; i++)
        rejected = rejected * 10 + (uint64_t)(p[i] - '0');
    if (rejected > 0)
        *ret_message = (waggle_str){p, n};
    return rejected;
}

/* The message of a google.rpc.Status, if that is what the body is. */
waggle_str waggle__status_message(waggle_str body)
{
    struct waggle__reader r = {(const uint8_t *)body.p, body.n, 0, false};
    struct waggle__field f;
    waggle_str message = {"", 0};
    while (waggle__field_next(&r, &f))
        if (f.number == 2 && f.wire == WAGGLE__LEN)
            message = f.bytes;
    return r.bad ? (waggle_str){"", 0} : message;
}

/* --- gRPC ---------------------------------------------------------------------------------- */

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decode base64, padded or not; bytes written, 0 if it is none or too long. */
static size_t base64_decode(const char *p, size_t n, uint8_t *ret, size_t cap)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t out = 0;
    while (n > 0 && p[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(p[i]);
        if (digit < 0 || out == cap)
            return 0;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        ret[out++] = (uint8_t)(bits >> have);
    }
    return out;
}

static bool is_retry_info(waggle_str type_url)
{
    static const char name[] = "google.rpc.RetryInfo";
    size_t k = sizeof name - 1;
    return type_url.n >= k && memcmp(type_url.p + type_url.n - k, name, k) == 0;
}

/* RetryInfo { 1 Duration { 1 seconds  2 nanos } } */
static int64_t retry_delay_ms(waggle_str info)
{
    enum { DELAY_MAX_S = 86400 };
    waggle_str duration;
    struct waggle__field f;
    int64_t ms = 0;
    if (!waggle__next_of(info, &(waggle_cursor){0}, 1, &duration))
        return -1;
    struct waggle__reader r = {(const uint8_t *)duration.p, duration.n, 0, false};
    while (waggle__field_next(&r, &f)) {
        if (f.number == 1 && f.wire == WAGGLE__VARINT)
            ms += (int64_t)WAGGLE__MIN(f.value, (uint64_t)DELAY_MAX_S) * 1000;
        else if (f.number == 2 && f.wire == WAGGLE__VARINT)
            ms += (int64_t)WAGGLE__MIN(f.value, UINT64_C(999999999)) / 1000000;
    }
    return r.bad ? -1 : WAGGLE__MIN(ms, (int64_t)DELAY_MAX_S * 1000);
}

int64_t waggle_grpc_retry_ms(const char *details, size_t n)
{
    uint8_t bytes[4096];
    waggle_str any;
    waggle_str status = {(const char *)bytes, base64_decode(details, n, bytes, sizeof bytes)};
    for (waggle_cursor c = {0}; waggle__next_of(status, &c, 3, &any);) {
        waggle_str type_url;
        waggle_str info;
        if (waggle__next_of(any, &(waggle_cursor){0}, 1, &type_url) && is_retry_info(type_url) &&
            waggle__next_of(any, &(waggle_cursor){0}, 2, &info))
            return retry_delay_ms(info);
    }
    return -1;
}
