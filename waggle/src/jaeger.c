// SPDX-License-Identifier: Apache-2.0
/*
 * jaeger.c - Jaeger's own header
 *
 *   uber-trace-id: {trace id}:{span id}:{parent, unused}:{flags}
 *
 * Ids may be shorter than 32 and 16 digits; the colons may be percent-encoded. Flags: 1 sampled, 2
 * debug (then sampled, too). Baggage is written as uberctx-NAME headers; reading them would take a
 * carrier that can be listed, which ours need not be.
 *
 * Threads: no state.
 */
#include "hex.h"

#include <stdio.h>

static void jaeger_inject(const waggle_context *context, waggle_set_fn *set, void *carrier)
{
    waggle_span_context c;
    char text[33 + 17 + 6];
    if (waggle_context_get_span_context(context, &c)) {
        waggle_trace_id_hex(c.trace_id, text);
        text[32] = ':';
        waggle_span_id_hex(c.span_id, text + 33);
        memcpy(text + 49, waggle_span_context_is_sampled(&c) ? ":0:1" : ":0:0", 5);
        set(carrier, "uber-trace-id", text);
    }
    for (size_t i = 0; i < waggle_baggage_count(context->baggage); i++) {
        waggle_baggage_entry e = waggle_baggage_at(context->baggage, i);
        char key[128];
        char value[512];
        if (e.name_n + 9 > sizeof key || e.value_n >= sizeof value)
            continue;
        (void)snprintf(key, sizeof key, "uberctx-%.*s", (int)e.name_n, e.name); // fits
        (void)snprintf(value, sizeof value, "%.*s", (int)e.value_n, e.value);   // fits
        bool printable = true;
        for (size_t k = 0; value[k] != '\0'; k++)
            printable = printable && (unsigned char)value[k] >= 0x20 && value[k] != 0x7f;
        if (printable)
            set(carrier, key, value);
    }
}

/* The next part up to a colon or %3A; false at the end. */
static bool next_part(const char **p, const char *end, const char **ret, size_t *ret_n)
{
    const char *from = *p;
    if (from > end)
        return false;
    const char *at = from;
    size_t separator = 1;
    for (; at < end; at++) {
        if (*at == ':')
            break;
        if (end - at >= 3 && at[0] == '%' && at[1] == '3' && (at[2] == 'A' || at[2] == 'a')) {
            separator = 3;
            break;
        }
    }
    *ret = from;
    *ret_n = (size_t)(at - from);
    *p = at < end ? at + separator : end + 1;
    return true;
}

static void jaeger_extract(waggle_context *context, waggle_get_fn *get, void *carrier)
{
    const char *p = NULL;
    size_t n = 0;
    if (!get(carrier, "uber-trace-id", 0, &p, &n))
        return;
    const char *end = p + n;
    const char *part[4];
    size_t part_n[4];
    for (size_t i = 0; i < 4; i++)
        if (!next_part(&p, end, &part[i], &part_n[i]))
            return;
    waggle_span_context c;
    uint8_t flags = 0;
    memset(&c, 0, sizeof c);
    if (p <= end || !waggle__id_from_hex(part[0], part_n[0], c.trace_id, 16) ||
        !waggle__id_from_hex(part[1], part_n[1], c.span_id, 8))
        return;
    (void)waggle__id_from_hex(part[3], part_n[3], &flags, 1); // zero is "no id", and no flags
    c.flags = (flags & 3) != 0 ? WAGGLE_FLAG_SAMPLED : 0;
    waggle_context_set_remote(context, &c);
}

static const char *const jaeger_fields[] = {"uber-trace-id", NULL};

const struct waggle_propagator waggle_propagator_jaeger = {
    .name = "jaeger", .fields = jaeger_fields, .inject = jaeger_inject, .extract = jaeger_extract};
