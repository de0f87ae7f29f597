// SPDX-License-Identifier: Apache-2.0
/* e2e_hop.c - a service between others: GET /start asks NEXT_URL by POST, everything else is
 * answered with []. Prints its port, then serves until its standard input ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <waggle/instrument/curl.h>
#include <waggle/instrument/microhttpd.h>
#include <waggle/waggle.h>

static struct waggle_tracer *tracer;

static size_t forget(char *p, size_t size, size_t n, void *self)
{
    (void)p;
    (void)self;
    return size * n;
}

static unsigned ask_next(void)
{
    const char *next = getenv("NEXT_URL");
    long status = 0;
    CURL *easy = curl_easy_init();
    if (next == NULL || easy == NULL)
        return 500;
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, forget);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 20L);
    if (waggle_curl_perform(tracer, easy, "POST", next, NULL) == CURLE_OK)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    return status > 0 ? (unsigned)status : 502;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **req_cls)
{
    static char body[] = "[]";
    static int begun;
    (void)cls;
    (void)method;
    (void)version;
    (void)upload_data;
    if (*req_cls == NULL) {
        *req_cls = &begun;
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    waggle_mhd_route(strcmp(url, "/start") == 0 ? "/start" : "/{any}");
    unsigned status = strcmp(url, "/start") == 0 ? ask_next() : 200;
    struct MHD_Response *r = MHD_create_response_from_buffer(2, body, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result ok = waggle_mhd_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return ok;
}

int main(void)
{
    static struct waggle_mhd traced = {.handler = answer};
    char c;
    curl_global_init(CURL_GLOBAL_ALL);
    if (waggle_init(NULL) != 0)
        return 1;
    traced.tracer = tracer = waggle_tracer_get("hop", "1");
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
                         NULL, waggle_mhd_handle, &traced, MHD_OPTION_NOTIFY_COMPLETED,
                         waggle_mhd_completed, &traced, MHD_OPTION_END);
    if (d == NULL)
        return 1;
    printf("%d\n", MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (read(0, &c, 1) > 0) {
    }
    MHD_stop_daemon(d);
    return waggle_shutdown(5000) ? 0 : 1;
}
