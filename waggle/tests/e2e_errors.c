// SPDX-License-Identifier: Apache-2.0
/* e2e_errors.c - a program with troubles, for the end-to-end tests: prints the trace its errors
 * belong to */
#include <stdio.h>
#include <stdlib.h>

#include <waggle/waggle.h>

int main(void)
{
    if (waggle_init(
            &(waggle_options){.service_name = "waggle-errors", .service_version = "1.2.3"}) != 0)
        return 2;
    struct waggle_tracer *tracer = waggle_tracer_get("waggle-errors", "1");
    struct waggle_logger *logger = waggle_logger_get("waggle-errors", "1");
    waggle_span span =
        waggle_span_start(tracer, "GET /cart", &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER});
    WAGGLE_SPAN_SCOPE(span);
    waggle_span_set(span, WAGGLE_ATTRS(waggle_kv_str("http.request.method", "GET"),
                                       waggle_kv_str("url.full", "http://shop/cart"),
                                       waggle_kv_str("user.id", "42")));
    waggle_log(logger, WAGGLE_INFO, "cart opened", WAGGLE_NO_ATTRS);
    waggle_log(logger, WAGGLE_ERROR, "stock \"is\" gone \xc3\xa4",
               WAGGLE_ATTRS(waggle_kv_i64("left", 0), waggle_kv_str("password", "hunter2")));
    waggle_span_exception(span, "CartError", "no total",
                          "    #0 0x1394 in total /srv/shop/cart.c:12:5\n"
                          "    #1 0x2f00 (/srv/shop/app+0x2f00) (BuildId: 6f0ad1c2)\n",
                          WAGGLE_NO_ATTRS);
    waggle_span_context c;
    char trace[33] = "";
    if (waggle_span_get_context(span, &c))
        waggle_trace_id_hex(c.trace_id, trace);
    waggle_span_end(span);
    printf("{\"traceId\":\"%s\"}\n", trace);
    return waggle_shutdown(10000) ? 0 : 1;
}
