// SPDX-License-Identifier: Apache-2.0
/*
 * support.h - an exporter that keeps what it gets, and an HTTP receiver that answers as it is told
 */
#ifndef WAGGLE_TEST_SUPPORT_H
#define WAGGLE_TEST_SUPPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <waggle/waggle.h>

/* The thread sanitizer cannot start threads in a forked child. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

/* --- the exporter -------------------------------------------------------------------------- */

enum { CAPTURE_MAX = 20000 };

struct capture {
    struct waggle_exporter base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t n, n_batches, largest_batch;
    waggle_record records[CAPTURE_MAX]; /* copies */
    char scopes[CAPTURE_MAX][32];
    enum waggle_export result;
    bool closed; /* exports wait while set */
    bool in_export, overlapped;
    _Atomic size_t n_shutdowns;
    waggle_resource_info resource;
};

struct capture *capture_new(void);
/* Forget what was kept. */
void capture_clear(struct capture *c);
void capture_free(struct capture *c);
/* The gate: while closed, exports wait. */
void capture_close(struct capture *c, bool closed);
/* Wait until an export stands at the gate. */
void capture_wait_in_export(struct capture *c);
size_t capture_count(struct capture *c);
/* The i-th span; the only one of that name (fails the test if there is none or several). */
waggle_span_data capture_span(struct capture *c, size_t i);
waggle_span_data capture_named(struct capture *c, const char *name);
bool capture_has(struct capture *c, const char *name);

/* A provider with that exporter behind a simple processor, made the global one. The capture is not
 * freed with it. */
struct waggle_provider *provider_with(struct capture *c, const waggle_provider_options *options);

bool str_is(waggle_str s, const char *text);
/* The span's attribute; type WAGGLE_EMPTY and no key if there is none. */
waggle_attr_data attr_of(const waggle_span_data *span, const char *key);
size_t attr_count(const waggle_span_data *span);
/* A text or a whole number as text; "" if there is none. Stays until the eighth call after. */
const char *attr_text(const waggle_span_data *span, const char *key);

/* --- the receiver -------------------------------------------------------------------------- */

struct sink_request {
    char head[4096];
    uint8_t *body;
    size_t body_n;
};

/* Answers the n-th request (from 0): writes a whole HTTP response to ret and gives its length; 0
 * closes the connection without a word, SIZE_MAX never answers. */
typedef size_t sink_answer_fn(void *self, size_t n, const struct sink_request *request, char *ret,
                              size_t cap);

struct sink;

/* Listens on a port of 127.0.0.1 (0: any). */
struct sink *sink_start(int port, sink_answer_fn *answer, void *self);
int sink_port(const struct sink *s);
const char *sink_url(const struct sink *s);
size_t sink_requests(struct sink *s);
size_t sink_connections(struct sink *s);
/* Spans in all bodies that were answered with 200. */
size_t sink_spans(struct sink *s);
/* The n-th request; borrowed until sink_stop. */
const struct sink_request *sink_request_at(struct sink *s, size_t n);
void sink_stop(struct sink *s);

/* Answers 200 with an empty body to everything. */
sink_answer_fn sink_ok;

/* Wait up to 20 s for the condition, looking every 2 ms. */
#define wait_for(condition)                                                                        \
    do {                                                                                           \
        for (int wait__i = 0; !(condition) && wait__i < 10000; wait__i++)                          \
            usleep(2000);                                                                          \
        assert_true(condition);                                                                    \
    } while (0)

#endif
