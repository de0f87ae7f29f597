// SPDX-License-Identifier: Apache-2.0
/*
 * b3.c - Zipkin's B3, in one header or in several
 *
 *   b3: {trace id}-{span id}-{0, 1 or d}-{parent}        the last two may be missing
 *   X-B3-TraceId, X-B3-SpanId, X-B3-Sampled, X-B3-Flags: 1
 *
 * Both are read, the single header wins; what is written is the propagator's name. Trace ids of 64
 * bits are padded. "d" is debug: sampled, and passed on as "d" (a value of the context, so that it
 * lives as long as that is attached). The parent's id is never written.
 *
 * Threads: no state.
 */
#include "hex.h"

static const waggle_context_key debug_key = {"b3 debug"};

static const char *sampling_state(const waggle_context *context, const waggle_span_context *c)
{
    if (waggle_context_get_value(context, &debug_key) != NULL)
        return "d";
    return waggle_span_context_is_sampled(c) ? "1" : "0";
}

static void inject_single(const waggle_context *context, waggle_set_fn *set, void *carrier)
{
    waggle_span_context c;
    char text[33 + 17 + 2];
    if (!waggle_context_get_span_context(context, &c))
        return;
    waggle_trace_id_hex(c.trace_id, text);
    text[32] = '-';
    waggle_span_id_hex(c.span_id, text + 33);
    text[49] = '-';
    text[50] = *sampling_state(context, &c);
    text[51] = '\0';
    set(carrier, "b3", text);
}

static void inject_multi(const waggle_context *context, waggle_set_fn *set, void *carrier)
{
    waggle_span_context c;
    char trace[33];
    char span[17];
    if (!waggle_context_get_span_context(context, &c))
        return;
    waggle_trace_id_hex(c.trace_id, trace);
    waggle_span_id_hex(c.span_id, span);
    set(carrier, "x-b3-traceid", trace);
    set(carrier, "x-b3-spanid", span);
    const char *state = sampling_state(context, &c);
    if (*state == 'd')
        set(carrier, "x-b3-flags", "1");
    else
        set(carrier, "x-b3-sampled", state);
}

/* What a header said. */
struct found {
    waggle_span_context c;
    bool debug;
};

static bool ids(struct found *f, const char *trace, size_t trace_n, const char *span, size_t span_n)
{
    if (trace_n != 16 && trace_n != 32)
        return false;
    return waggle__id_from_hex(trace, trace_n, f->c.trace_id, 16) && span_n == 16 &&
           waggle__id_from_hex(span, span_n, f->c.span_id, 8);
}

static void state(struct found *f, const char *p, size_t n)
{
    f->debug = n == 1 && *p == 'd';
    bool sampled = f->debug || (n == 1 && *p == '1') || (n == 4 && memcmp(p, "true", 4) == 0);
    f->c.flags = sampled ? WAGGLE_FLAG_SAMPLED : 0;
}

static bool read_single(struct found *f, waggle_get_fn *get, void *carrier)
{
    const char *p = NULL;
    size_t n = 0;
    if (!get(carrier, "b3", 0, &p, &n))
        return false;
    const char *end = p + n;
    const char *dash = memchr(p, '-', n);
    if (dash == NULL)
        return false;
    const char *span = dash + 1;
    const char *dash2 = memchr(span, '-', (size_t)(end - span));
    const char *span_end = dash2 ? dash2 : end;
    if (!ids(f, p, (size_t)(dash - p), span, (size_t)(span_end - span)))
        return false;
    if (dash2 != NULL) {
        const char *s = dash2 + 1;
        const char *dash3 = memchr(s, '-', (size_t)(end - s));
        state(f, s, (size_t)((dash3 ? dash3 : end) - s));
    }
    return true;
}

static bool read_multi(struct found *f, waggle_get_fn *get, void *carrier)
{
    const char *p = NULL;
    size_t n = 0;
    char trace[32];
    if (!get(carrier, "x-b3-traceid", 0, &p, &n) || n > sizeof trace)
        return false;
    size_t trace_n = n;
    memcpy(trace, p, n); // borrowed until the next call
    if (!get(carrier, "x-b3-spanid", 0, &p, &n) || !ids(f, trace, trace_n, p, n))
        return false;
    if (get(carrier, "x-b3-flags", 0, &p, &n) && n == 1 && *p == '1')
        state(f, "d", 1);
    else if (get(carrier, "x-b3-sampled", 0, &p, &n))
        state(f, p, n);
    return true;
}

static void b3_extract(waggle_context *context, waggle_get_fn *get, void *carrier)
{
    struct found f;
    memset(&f, 0, sizeof f);
    if (!read_single(&f, get, carrier)) {
        memset(&f, 0, sizeof f);
        if (!read_multi(&f, get, carrier))
            return;
    }
    waggle_context_set_remote(context, &f.c);
    if (f.debug) // without memory it is sampled all the same
        (void)waggle_context_set_value(context, &debug_key, (void *)(uintptr_t)&debug_key);
}

static const char *const single_fields[] = {"b3", NULL};
static const char *const multi_fields[] = {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled",
                                           "x-b3-flags", NULL};

const struct waggle_propagator waggle_propagator_b3 = {
    .name = "b3", .fields = single_fields, .inject = inject_single, .extract = b3_extract};
const struct waggle_propagator waggle_propagator_b3multi = {
    .name = "b3multi", .fields = multi_fields, .inject = inject_multi, .extract = b3_extract};
