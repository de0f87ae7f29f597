// SPDX-License-Identifier: Apache-2.0
/* e2e_errors.c - a program with troubles, for the end-to-end tests: prints the trace its errors
 * belong to. With a directory it reports the crashes that were left there instead; with one more
 * argument it crashes. */
#include <stdio.h>
#include <stdlib.h>

#include <waggle/waggle.h>

static int crash(const char *directory)
{
    volatile int *volatile null = NULL;
    if (waggle_crash_install(directory) != 0)
        return 3;
    waggle_crash_note("request 7");
    waggle_span span = waggle_span_start(waggle_tracer_get("waggle-errors", "1"), "doomed", NULL);
    WAGGLE_SPAN_SCOPE(span);
    *null = 1;
    return 4;
}

int main(int argc, char **argv)
{
    if (waggle_init(
            &(waggle_options){.service_name = "waggle-errors", .service_version = "1.2.3"}) != 0)
        return 2;
    if (argc > 2)
        return crash(argv[1]);
    if (argc > 1) {
        printf("%d\n", waggle_crash_send(argv[1], 10000));
        return waggle_shutdown(10000) ? 0 : 1;
    }
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
    char id[WAGGLE_ERROR_ID_BYTES];
    waggle_error_report(logger,
                        &(waggle_error){.type = "StockError",
                                        .message = "less than none",
                                        .attributes = WAGGLE_ATTRS(waggle_kv_i64("left", -1))},
                        id);
    waggle_span_context c;
    char trace[33] = "";
    if (waggle_span_get_context(span, &c))
        waggle_trace_id_hex(c.trace_id, trace);
    waggle_span_end(span);
    printf("{\"traceId\":\"%s\",\"reportId\":\"%s\"}\n", trace, id);
    return waggle_shutdown(10000) ? 0 : 1;
}
