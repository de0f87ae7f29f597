// SPDX-License-Identifier: Apache-2.0
/* test_server.c - the server in this process, asked by several threads at once while telemetry has
 * nowhere to go: what the sanitizers are to see */
#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"
#include "log.h"
#include "server.h"
#include "store.h"

enum { THREADS = 4, ROUNDS = 12 };

static uint16_t port;

static const char *const requests[] = {
    "GET /api/activities/home HTTP/1.0\r\nbaggage: user.handle=worf,app.client=ios\r\n\r\n",
    "GET /api/activities/notifications HTTP/1.0\r\n\r\n",
    "GET /api/activities/@worf HTTP/1.0\r\nX-Amzn-Trace-Id: "
    "Root=1-5759e988-bd862e3fe1be46a994272793;"
    "Parent=53995c3f42cd8ad8;Sampled=1\r\n\r\n",
    "GET /api/activities/search?term=%00%ff%F0 HTTP/1.0\r\n\r\n",
    "GET /api/activities/home HTTP/1.0\r\nbaggage: cruddur.trouble=error\r\n\r\n",
    "POST /api/messages HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 46\r\n\r\n"
    "{\"message\":\"x\",\"user_receiver_handle\":\"worf\"}  ",
    "POST /api/messages HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: "
    "9\r\n\r\n{\"message",
    "POST /api/activities HTTP/1.0\r\nContent-Length: 999999999\r\n\r\n{",
    "OPTIONS /api/activities HTTP/1.0\r\nOrigin: http://localhost:3000\r\n"
    "Access-Control-Request-Method: POST\r\n\r\n",
    "POST /api/messages HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
};

static const int statuses[] = {200, 200, 200, 422, 500, 200, 400, 413, 200, 0};

/* Sends a request, closes its half, reads the answer's status; 0: there was none. */
static int ask(const char *request)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    char answer[64] = "";
    size_t n = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    (void)shutdown(fd, SHUT_WR);
    for (ssize_t got;
         n < sizeof answer - 1 && (got = recv(fd, answer + n, sizeof answer - 1 - n, 0)) > 0;)
        n += (size_t)got;
    (void)close(fd); // what is left of the answer is not read
    return n > 12 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

static void *visit(void *self)
{
    size_t *wrong = self;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
            *wrong += ask(requests[i]) != statuses[i];
    return NULL;
}

static void many_at_once(void **state)
{
    (void)state;
    char why[STORE_WHY_BYTES];
    const struct config config = {.host = "127.0.0.1", .trouble = true, .page_port = 3000};
    struct service service = {.config = &config, .backend = &backend_store};
    pthread_t threads[THREADS];
    size_t wrong[THREADS] = {0};
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9", 1);
    setenv("OTEL_LOGS_EXPORTER", "otlp", 1);
    log_be_quiet();
    assert_int_equal(waggle_init(NULL), 0);
    service.store = store_open(":memory:", why);
    service.xray = xray_new("test", "*", "127.0.0.1:9");
    assert_non_null(service.store);
    assert_non_null(service.xray);
    struct server *server = server_start(&service, &port);
    assert_non_null(server);
    service.port = port;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, visit, &wrong[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL); // ours, and joined once
        assert_int_equal(wrong[i], 0);
    }
    server_stop(server);
    xray_free(service.xray);
    store_close(service.store);
    (void)waggle_shutdown(0); // nobody hears it
    waggle_provider_free(waggle_provider_global());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
