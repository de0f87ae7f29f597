// SPDX-License-Identifier: Apache-2.0
/* A host of the same plugin that traces: the plugin's spans are children of its own. */
#include <stdio.h>

#include <waggle/waggle.h>

int plugin_work(int n);

int main(void)
{
    if (waggle_init(&(waggle_options){.service_name = "host"}) != 0)
        return 1;
    waggle_span span = waggle_span_start(waggle_tracer_get("host", "1.0"), "host work", NULL);
    {
        WAGGLE_SPAN_SCOPE(span);
        printf("%d\n", plugin_work(12));
    }
    waggle_span_end(span);
    return waggle_shutdown(2000) ? 0 : 1;
}
