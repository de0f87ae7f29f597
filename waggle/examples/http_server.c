// SPDX-License-Identifier: Apache-2.0
/* An HTTP server of the plainest kind: takes the caller's trace from the headers, names the span by
 * its route, says how it ended. `waggle_http_server PORT [REQUESTS]`. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <waggle/waggle.h>

static struct waggle_tracer *tracer;

/* A carrier: the text of the request's head. */
static bool get_header(void *head, const char *key, size_t index, const char **ret_value,
                       size_t *ret_n)
{
    size_t key_n = strlen(key);
    for (const char *line = strchr(head, '\n'); line != NULL; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, key, key_n) != 0 || line[key_n] != ':' || index-- > 0)
            continue;
        const char *value = line + key_n + 1;
        value += strspn(value, " \t");
        *ret_value = value;
        *ret_n = strcspn(value, "\r\n");
        return true;
    }
    return false;
}

static int answer(int fd, const char *path)
{
    static const char hello[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
    static const char missing[] =
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    bool found = strcmp(path, "/hello") == 0;
    const char *text = found ? hello : missing;
    ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL);
    return n < 0 ? 500 : found ? 200 : 404;
}

static void serve(int fd)
{
    char head[4096];
    char method[16];
    char path[256];
    ssize_t n = recv(fd, head, sizeof head - 1, 0);
    if (n <= 0)
        return;
    head[n] = '\0';
    size_t method_n = strcspn(head, " \r\n");
    const char *target = head + method_n + (head[method_n] == ' ');
    snprintf(method, sizeof method, "%.*s", (int)method_n, head);
    snprintf(path, sizeof path, "%.*s", (int)strcspn(target, " ?\r\n"), target);
    waggle_context context;
    waggle_extract(&context, get_header, head);
    waggle_span span = waggle_span_start(
        tracer, method,
        &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER,
                            .context = &context,
                            .attributes = WAGGLE_ATTRS(waggle_kv_str("http.request.method", method),
                                                       waggle_kv_str("url.path", path),
                                                       waggle_kv_str("url.scheme", "http"))});
    waggle_context_done(&context);
    WAGGLE_SPAN_SCOPE(span);
    int status = answer(fd, path);
    waggle_span_set_kv(span, waggle_kv_i64("http.response.status_code", status));
    if (status != 404) {
        waggle_span_set_kv(span, waggle_kv_str("http.route", path));
        waggle_span_set_name(span, "GET /hello");
    }
    if (status >= 500)
        waggle_span_set_status(span, WAGGLE_STATUS_ERROR, NULL);
    waggle_span_end(span);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080;
    long requests = argc > 2 ? strtol(argv[2], NULL, 10) : -1;
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t address_n = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (waggle_init(&(waggle_options){.service_name = "http-server"}) != 0)
        return 1;
    tracer = waggle_tracer_get("http_server", "1.0");
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &address_n) != 0)
        return 1;
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (; requests != 0; requests--) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        serve(fd);
        close(fd);
    }
    return waggle_shutdown(2000) ? 0 : 1;
}
