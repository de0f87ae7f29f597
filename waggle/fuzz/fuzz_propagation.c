// SPDX-License-Identifier: Apache-2.0
/* traceparent, tracestate, baggage, B3, Jaeger, X-Ray: what is accepted is written and read back as
 * the same. */
#include <stdlib.h>
#include <string.h>

#include <waggle/waggle.h>

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void traceparent(const char *p, size_t n)
{
    waggle_span_context c;
    waggle_span_context again;
    char text[56];
    if (!waggle_traceparent_parse(p, n, &c))
        return;
    waggle_traceparent_format(&c, text);
    must(waggle_traceparent_parse(text, strlen(text), &again));
    must(memcmp(c.trace_id, again.trace_id, 16) == 0 && memcmp(c.span_id, again.span_id, 8) == 0);
    must(c.flags == again.flags);
}

static void tracestate(const char *p, size_t n)
{
    waggle_span_context c;
    memset(&c, 0, sizeof c);
    if (!waggle_tracestate_parse(p, n, &c))
        return;
    must(c.tracestate_n <= WAGGLE_TRACESTATE_BYTES_MAX);
    waggle_span_context again;
    memset(&again, 0, sizeof again);
    must(waggle_tracestate_parse(c.tracestate, c.tracestate_n, &again));
    must(again.tracestate_n == c.tracestate_n);
    must(memcmp(again.tracestate, c.tracestate, c.tracestate_n) == 0);
    must(waggle_tracestate_set(&c, "waggle", "1"));
    const char *value = NULL;
    size_t value_n = 0;
    must(waggle_tracestate_get(&c, "waggle", &value, &value_n) && value_n == 1);
}

static void baggage(const char *p, size_t n)
{
    static char header[WAGGLE_BAGGAGE_BYTES_MAX + 1];
    struct waggle_baggage *b = waggle_baggage_parse(p, n);
    if (b == NULL)
        return;
    size_t header_n = waggle_baggage_format(b, header, sizeof header);
    must(header_n > 0);
    struct waggle_baggage *again = waggle_baggage_parse(header, header_n);
    must(again != NULL && waggle_baggage_count(again) == waggle_baggage_count(b));
    for (size_t i = 0; i < waggle_baggage_count(b); i++) {
        waggle_baggage_entry x = waggle_baggage_at(b, i);
        waggle_baggage_entry y = waggle_baggage_at(again, i);
        must(x.value_n == y.value_n && memcmp(x.value, y.value, x.value_n) == 0);
    }
    waggle_baggage_unref(again);
    waggle_baggage_unref(b);
}

/* A carrier that has the same text in every header. */
struct text {
    const char *p;
    size_t n;
};

static bool get(void *self, const char *key, size_t index, const char **ret_value, size_t *ret_n)
{
    const struct text *text = self;
    (void)key;
    *ret_value = text->p;
    *ret_n = text->n;
    return index == 0;
}

/* The one it writes is the one it reads. */
static void keep(void *self, const char *key, const char *value)
{
    char *kept = self;
    if (kept[0] == '\0' && strlen(value) < 200)
        memcpy(kept, value, strlen(value) + 1);
    (void)key;
}

static void formats(const char *p, size_t n)
{
    static const char *const names[] = {"b3", "jaeger", "xray", "tracecontext"};
    for (size_t i = 0; i < 4; i++) {
        const struct waggle_propagator *propagator = waggle_propagator_find(names[i]);
        struct text text = {p, n};
        char kept[200] = "";
        waggle_context a;
        waggle_context b;
        waggle_span_context x;
        waggle_span_context y;
        waggle_context_init(&a);
        waggle_context_init(&b);
        propagator->extract(&a, get, &text);
        if (waggle_context_get_span_context(&a, &x)) {
            propagator->inject(&a, keep, kept);
            text = (struct text){kept, strlen(kept)};
            propagator->extract(&b, get, &text);
            must(waggle_context_get_span_context(&b, &y));
            must(memcmp(x.trace_id, y.trace_id, 16) == 0 && memcmp(x.span_id, y.span_id, 8) == 0);
            must((x.flags & 1) == (y.flags & 1));
        }
        waggle_context_done(&a);
        waggle_context_done(&b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    traceparent((const char *)data, size);
    tracestate((const char *)data, size);
    baggage((const char *)data, size);
    formats((const char *)data, size);
    return 0;
}
