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
