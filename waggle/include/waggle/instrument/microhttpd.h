// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/instrument/microhttpd.h - a span for each request of a libmicrohttpd server: the add-on
 * library waggle-microhttpd
 *
 *     static struct waggle_mhd traced = {.handler = answer};
 *     traced.tracer = waggle_tracer_get("shop", "1.0");
 *     MHD_start_daemon(flags, port, NULL, NULL, waggle_mhd_handle, &traced,
 *                      MHD_OPTION_NOTIFY_COMPLETED, waggle_mhd_completed, &traced, MHD_OPTION_END);
 *
 *     static enum MHD_Result answer(...)
 *     {
 *         waggle_mhd_route("/users/{id}");               // the span becomes "GET /users/{id}"
 *         ...                                            // the span is current in here
 *         return waggle_mhd_queue_response(connection, 200, response);
 *     }
 *
 * The handler is called as libmicrohttpd calls it, with a *req_cls of its own. A span lasts from
 * the first call for a request until the request is completed; it has a status if the response is
 * queued by waggle_mhd_queue_response.
 *
 * Threads: as libmicrohttpd's.
 */
#ifndef WAGGLE_INSTRUMENT_MICROHTTPD_H
#define WAGGLE_INSTRUMENT_MICROHTTPD_H

#include <microhttpd.h>

#include "waggle/http.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is wrapped. Must outlive the daemon, and not change while it runs. */
struct waggle_mhd {
    struct waggle_tracer *tracer;
    MHD_AccessHandlerCallback handler;
    void *handler_cls;
    MHD_RequestCompletedCallback completed; /* may be NULL */
    void *completed_cls;
    const char *scheme; /* NULL: "http" */
};

/* The daemon's access handler, with a struct waggle_mhd as its argument. */
WAGGLE_EXPORT enum MHD_Result waggle_mhd_handle(void *cls, struct MHD_Connection *connection,
                                                const char *url, const char *method,
                                                const char *version, const char *upload_data,
                                                size_t *upload_data_size, void **req_cls);

/* The daemon's MHD_OPTION_NOTIFY_COMPLETED, with the same argument. */
WAGGLE_EXPORT void waggle_mhd_completed(void *cls, struct MHD_Connection *connection,
                                        void **req_cls, enum MHD_RequestTerminationCode toe);

/* MHD_queue_response, and the status is the span's. From within the handler. */
WAGGLE_EXPORT enum MHD_Result waggle_mhd_queue_response(struct MHD_Connection *connection,
                                                        unsigned status,
                                                        struct MHD_Response *response);

/* The pattern that the request's path met; copied, cut at 127 bytes. From within the handler. */
WAGGLE_EXPORT void waggle_mhd_route(const char *route);

/* The request's span, from within the handler (where it is the thread's current one, too); for work
 * that goes on elsewhere. */
WAGGLE_EXPORT waggle_span waggle_mhd_span(void);

#ifdef __cplusplus
}
#endif

#endif
