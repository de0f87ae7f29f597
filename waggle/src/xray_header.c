// SPDX-License-Identifier: Apache-2.0
/*
 * xray_header.c - AWS X-Ray's header
 *
 *   X-Amzn-Trace-Id: Root=1-{8 hex: seconds}-{24 hex};Parent={16 hex};Sampled=0 or 1
 *
 * The same 128 bits as a W3C trace id, written differently. Parts may come in any order, with
 * others among them; a missing or undecided ("?") Sampled is taken as not sampled.
 *
 * Threads: no state.
 */
#include "hex.h"

#include <strings.h>

static void xray_inject(const waggle_context *context, waggle_set_fn *set, void *carrier)
{
    waggle_span_context c;
    char trace[33];
    char span[17];
    char text[128];
    if (!waggle_context_get_span_context(context, &c))
        return;
    waggle_trace_id_hex(c.trace_id, trace);
    waggle_span_id_hex(c.span_id, span);
    char *w = text;
    memcpy(w, "Root=1-", 7);
    memcpy(w + 7, trace, 8);
    w[15] = '-';
    memcpy(w + 16, trace + 8, 24);
    memcpy(w + 40, ";Parent=", 8);
    memcpy(w + 48, span, 16);
    memcpy(w + 64, waggle_span_context_is_sampled(&c) ? ";Sampled=1" : ";Sampled=0", 11);
    set(carrier, "x-amzn-trace-id", text);
}

static bool read_root(const char *p, size_t n, uint8_t trace_id[16])
{
    char digits[32];
    if (n != 35 || p[0] != '1' || p[1] != '-' || p[10] != '-')
        return false;
    memcpy(digits, p + 2, 8);
    memcpy(digits + 8, p + 11, 24);
    return waggle__id_from_hex(digits, sizeof digits, trace_id, 16);
}

static bool is_part(const char *p, size_t n, const char *name, const char **ret, size_t *ret_n)
{
    size_t name_n = strlen(name);
    if (n < name_n || strncasecmp(p, name, name_n) != 0)
        return false;
    *ret = p + name_n;
    *ret_n = n - name_n;
    return true;
}

static void xray_extract(waggle_context *context, waggle_get_fn *get, void *carrier)
{
    const char *p = NULL;
    size_t n = 0;
    waggle_span_context c;
    bool root = false;
    bool parent = false;
    memset(&c, 0, sizeof c);
    if (!get(carrier, "x-amzn-trace-id", 0, &p, &n))
        return;
    for (size_t i = 0; i < n;) {
        const char *semicolon = memchr(p + i, ';', n - i);
        size_t end = semicolon ? (size_t)(semicolon - p) : n;
        while (i < end && p[i] == ' ')
            i++;
        const char *v = NULL;
        size_t v_n = 0;
        if (is_part(p + i, end - i, "Root=", &v, &v_n))
            root = read_root(v, v_n, c.trace_id);
        else if (is_part(p + i, end - i, "Parent=", &v, &v_n))
            parent = v_n == 16 && waggle__id_from_hex(v, v_n, c.span_id, 8);
        else if (is_part(p + i, end - i, "Sampled=", &v, &v_n))
            c.flags = v_n == 1 && *v == '1' ? WAGGLE_FLAG_SAMPLED : 0;
        i = end + 1;
    }
    if (root && parent)
        waggle_context_set_remote(context, &c);
}

static const char *const xray_fields[] = {"x-amzn-trace-id", NULL};

const struct waggle_propagator waggle_propagator_xray = {
    .name = "xray", .fields = xray_fields, .inject = xray_inject, .extract = xray_extract};
