// SPDX-License-Identifier: Apache-2.0
/* A library that is instrumented with the API alone. In a host without an SDK its spans are no
 * spans and cost a few nanoseconds; in a host with one they appear in the host's traces. */
#include <waggle/api.h>
#include <waggle/context.h>

int plugin_work(int n);

int plugin_work(int n)
{
    static struct waggle_tracer *tracer; // the first call's race is harmless: all get the same one
    if (tracer == NULL)
        tracer = waggle_tracer_get("plugin", "2.0");
    waggle_span span = waggle_span_start(tracer, "plugin work", NULL);
    waggle_span_set(span, WAGGLE_ATTRS(waggle_kv_i64("plugin.n", n)));
    int result = n * n;
    waggle_span_end(span);
    return result;
}
