// SPDX-License-Identifier: Apache-2.0
/* traceparent, tracestate and baggage: what is accepted is written and read back as the same. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    traceparent((const char *)data, size);
    tracestate((const char *)data, size);
    baggage((const char *)data, size);
    return 0;
}
