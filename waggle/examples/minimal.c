// SPDX-License-Identifier: Apache-2.0
/* The least a traced program needs. Run it beside skep, or set OTEL_EXPORTER_OTLP_ENDPOINT. */
#include <waggle/waggle.h>

int main(void)
{
    waggle_init(NULL);
    struct waggle_tracer *tracer = waggle_tracer_get("minimal", "1.0");
    waggle_span span = waggle_span_start(tracer, "hello", NULL);
    waggle_span_set(span, WAGGLE_ATTRS(waggle_kv_str("who", "world"), waggle_kv_i64("times", 1)));
    waggle_span_end(span);
    return waggle_shutdown(2000) ? 0 : 1;
}
