// SPDX-License-Identifier: Apache-2.0
/* An event loop: requests are interleaved on one thread, so each keeps its context itself and makes
 * it current for as long as one of its callbacks runs. */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <waggle/waggle.h>

struct request {
    int fd; /* where its next piece comes from */
    waggle_span span;
    int n_pieces;
};

static struct waggle_tracer *tracer;

static void parse(int n)
{
    waggle_span span = waggle_span_start(tracer, "parse", NULL); // the current request's
    waggle_span_set_kv(span, waggle_kv_i64("piece", n));
    waggle_span_end(span);
}

/* One callback; true if the request is complete. */
static bool on_readable(struct request *request)
{
    WAGGLE_SPAN_SCOPE(request->span);
    char piece[16];
    if (read(request->fd, piece, sizeof piece) <= 0)
        return true;
    parse(request->n_pieces++);
    if (request->n_pieces < 2)
        return false;
    waggle_span_event(request->span, "complete", WAGGLE_NO_ATTRS);
    waggle_span_end(request->span);
    return true;
}

int main(void)
{
    enum { REQUESTS = 3 };
    struct request requests[REQUESTS];
    int writers[REQUESTS];
    int loop = epoll_create1(EPOLL_CLOEXEC);
    if (loop < 0 || waggle_init(&(waggle_options){.service_name = "epoll-loop"}) != 0)
        return 1;
    tracer = waggle_tracer_get("epoll_loop", "1.0");
    for (int i = 0; i < REQUESTS; i++) {
        int fds[2];
        if (pipe(fds) != 0)
            return 1;
        writers[i] = fds[1];
        requests[i] = (struct request){.fd = fds[0]};
        requests[i].span =
            waggle_span_start(tracer, "request", &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER});
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &requests[i]};
        if (epoll_ctl(loop, EPOLL_CTL_ADD, fds[0], &event) != 0 || write(fds[1], "one", 3) != 3)
            return 1;
    }
    for (int open = REQUESTS; open > 0;) {
        struct epoll_event events[REQUESTS];
        int n = epoll_wait(loop, events, REQUESTS, -1);
        for (int i = 0; i < n; i++) {
            struct request *request = events[i].data.ptr;
            if (on_readable(request)) {
                (void)epoll_ctl(loop, EPOLL_CTL_DEL, request->fd, NULL); // it was added above
                open--;
            } else if (write(writers[request - requests], "two", 3) != 3) {
                return 1;
            }
        }
    }
    return waggle_shutdown(2000) ? 0 : 1;
}
