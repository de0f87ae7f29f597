// SPDX-License-Identifier: Apache-2.0
/* Log records beside spans: each carries the ids of the span that is current when it is written. */
#include <waggle/waggle.h>

int main(void)
{
    if (waggle_init(&(waggle_options){.service_name = "logging"}) != 0)
        return 1;
    struct waggle_logger *logger = waggle_logger_get("logging", "1.0");
    waggle_span span = waggle_span_start(waggle_tracer_get("logging", "1.0"), "order", NULL);
    {
        WAGGLE_SPAN_SCOPE(span);
        waggle_log(logger, WAGGLE_WARN, "stock is low", WAGGLE_ATTRS(waggle_kv_i64("stock", 3)));
        waggle_logf(logger, WAGGLE_INFO, "order %d placed", 17);
    }
    waggle_span_end(span);
    return waggle_shutdown(2000) ? 0 : 1;
}
