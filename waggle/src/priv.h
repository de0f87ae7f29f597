// SPDX-License-Identifier: Apache-2.0
/*
 * priv.h - what the files of the library share
 *
 * API side (works alone): api.c, context.c, baggage.c, propagation.c, w3c.c, encode.c, text.c.
 * SDK side: everything else; the API reaches it through the table waggle__sdk alone.
 */
#ifndef WAGGLE_PRIV_H
#define WAGGLE_PRIV_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* pipe2, getrandom, pthread_setname_np where there is one */
#endif

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "waggle/waggle.h"

#if defined(__GNUC__)
#define WAGGLE__LIKELY(c)    __builtin_expect(!!(c), 1)
#define WAGGLE__UNLIKELY(c)  __builtin_expect(!!(c), 0)
#define WAGGLE__COLD         __attribute__((cold, noinline))
#define WAGGLE__PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define WAGGLE__LIKELY(c)   (c)
#define WAGGLE__UNLIKELY(c) (c)
#define WAGGLE__COLD
#define WAGGLE__PRINTF(f, a)
#endif

#define WAGGLE__COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define WAGGLE__MIN(a, b) ((a) < (b) ? (a) : (b))

/* Everything below lies in the API's library and is used by the SDK's. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* --- encoding: encode.c, text.c ------------------------------------------------------------ */

/* Protobuf tags of OTLP: field number << 3 | wire type. */
enum { WAGGLE__VARINT = 0, WAGGLE__FIXED64 = 1, WAGGLE__LEN = 2, WAGGLE__FIXED32 = 5 };
#define WAGGLE__TAG(field, wire) ((uint32_t)(field) << 3 | (uint32_t)(wire))

/* How values are cut. */
struct waggle__value_limits {
    uint32_t length; /* WAGGLE_NO_LIMIT = none */
    uint32_t depth;
};

extern const struct waggle__value_limits waggle__no_value_limits;

/* A growing buffer for what is made rarely; `bad` once memory was missing or limit was met. */
struct waggle__buf {
    uint8_t *p;
    size_t n, cap, limit;
    bool bad;
};

void waggle__buf_init(struct waggle__buf *b, size_t limit);
void waggle__buf_done(struct waggle__buf *b);
bool waggle__buf_room(struct waggle__buf *b, size_t n);
void waggle__buf_put(struct waggle__buf *b, const void *p, size_t n);
void waggle__buf_str(struct waggle__buf *b, const char *s);
void waggle__buf_printf(struct waggle__buf *b, const char *format, ...) WAGGLE__PRINTF(2, 3);
void waggle__buf_varint(struct waggle__buf *b, uint64_t v);
void waggle__buf_field(struct waggle__buf *b, uint32_t field, const void *p, size_t n);
/* An attribute as field `field`, without limits. */
void waggle__buf_attr(struct waggle__buf *b, uint32_t field, const waggle_kv *kv);

static inline size_t waggle__varint_n(uint64_t v)
{
    size_t n = 1;
    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

static inline uint8_t *waggle__put_varint(uint8_t *w, uint64_t v)
{
    while (v >= 0x80) {
        *w++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *w++ = (uint8_t)v;
    return w;
}

static inline uint8_t *waggle__put_le64(uint8_t *w, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        w[i] = (uint8_t)(v >> (8 * i));
    return w + 8;
}

static inline uint8_t *waggle__put_le32(uint8_t *w, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        w[i] = (uint8_t)(v >> (8 * i));
    return w + 4;
}

/* A text as it will be recorded: `n` bytes of the input are used and become `out_n`. */
struct waggle__text {
    const char *p;
    size_t n, out_n; /* equal if it is clean */
};

/* Cut to `limit` characters, see what invalid bytes become. */
struct waggle__text waggle__text_of(const char *p, size_t n, uint32_t limit);
uint8_t *waggle__text_write(uint8_t *w, const struct waggle__text *text);
/* Length of the UTF-8 sequence at p, 0 if it is none. */
size_t waggle__utf8_n(const uint8_t *p, size_t n);

/* Bytes of the KeyValue message, without tag and length; of the AnyValue message. */
size_t waggle__kv_size(const waggle_kv *kv, const struct waggle__value_limits *limits,
                       uint32_t depth);
uint8_t *waggle__kv_write(uint8_t *w, const waggle_kv *kv,
                          const struct waggle__value_limits *limits, uint32_t depth);
size_t waggle__value_size(const waggle_value *v, const struct waggle__value_limits *limits,
                          uint32_t depth);
uint8_t *waggle__value_write(uint8_t *w, const waggle_value *v,
                             const struct waggle__value_limits *limits, uint32_t depth);

/* --- API side ------------------------------------------------------------------------------ */

enum { WAGGLE__SCOPES_MAX = 1024 };

/* A tracer; a logger is the same thing under its own name. */
struct waggle_tracer {
    _Atomic(struct waggle_provider *) provider; /* NULL: makes no spans */
    uint32_t scope;
    bool is_global;
    struct waggle_tracer *next;
};

/* What was measured: an integer or a double. */
struct waggle__number {
    union {
        int64_t i64;
        double f64;
    } as;
    bool is_double;
};

/* An instrument; a meter is a tracer under another name. What the SDK makes of it hangs on
 * `binding`; everything else never changes. */
struct waggle_instrument {
    struct waggle_tracer *meter;
    enum waggle_instrument_kind kind;
    bool is_double, has_boundaries;
    char *name, *unit, *description; /* "" for none */
    double *boundaries;
    size_t n_boundaries;
    char **keys; /* NULL: all */
    size_t n_keys;
    _Atomic(struct waggle__binding *) binding;
    _Atomic bool is_named_twice; /* told once */
    struct waggle_instrument *next;
};

struct waggle_callback {
    waggle_observe_fn *fn; /* NULL: removed while callbacks ran */
    void *self;
    struct waggle_callback *next;
    size_t n;
    struct waggle_instrument *instruments[];
};

/* The SDK as the API sees it. */
struct waggle__sdk_ops {
    waggle_span (*start)(struct waggle_tracer *tracer, const char *name,
                         const waggle_span_opts *opts);
    void (*set)(waggle_span span, waggle_attrs attributes);
    void (*set_name)(waggle_span span, const char *name);
    void (*set_status)(waggle_span span, enum waggle_status status, const char *description);
    void (*event)(waggle_span span, const char *name, uint64_t time_ns, waggle_attrs attributes);
    void (*link)(waggle_span span, const waggle_link *link);
    void (*end)(waggle_span span, uint64_t end_ns);
    bool (*is_recording)(waggle_span span);
    bool (*get_context)(waggle_span span, waggle_span_context *ret_context); /* no zeroing */
    bool (*enabled)(const struct waggle_tracer *tracer);
    void (*log)(struct waggle_tracer *scope, const waggle_log_record *record);
    bool (*log_enabled)(const struct waggle_tracer *scope, int severity, const char *event_name);
    void (*measure)(struct waggle_instrument *instrument, struct waggle__number value,
                    waggle_attrs attributes);
    bool (*measures)(struct waggle_instrument *instrument);
    void (*made)(struct waggle_instrument *instrument); /* it is new, or has a callback */
    void (*observe)(struct waggle_observer *observer, struct waggle_instrument *instrument,
                    struct waggle__number value, waggle_attrs attributes);
};

extern _Atomic(const struct waggle__sdk_ops *) waggle__sdk;
void waggle__install(const struct waggle__sdk_ops *ops);

/* The registry of tracers and scopes. */
void waggle__registry_lock(void);
void waggle__registry_unlock(void);
struct waggle_tracer *waggle__tracer(struct waggle_provider *provider, bool is_global,
                                     const char *name, const char *version, const char *schema_url,
                                     waggle_attrs attributes);
/* Give all global tracers a provider; let all tracers of `old` go. */
void waggle__tracers_set_global(struct waggle_provider *provider);
void waggle__tracers_forget(struct waggle_provider *old);
/* Scopes by number; the array only grows. */
extern _Atomic(const waggle_scope_info *) waggle__scopes[WAGGLE__SCOPES_MAX];

/* All instruments, the newest first; their list only grows. */
struct waggle_instrument *waggle__instruments(void);
void waggle__instruments_lock(void);
void waggle__instruments_unlock(void);
void waggle__mutex_init_recursive(pthread_mutex_t *mutex);
/* Held while callbacks run, too; a thread may take it twice. */
void waggle__callbacks_lock(void);
void waggle__callbacks_unlock(void);
void waggle__callbacks_after_fork(bool child);
/* Hand each callback to `each`, which may call it. */
typedef void waggle__each_callback_fn(void *self, const struct waggle_callback *callback);
void waggle__callbacks_each(waggle__each_callback_fn *each, void *self);

/* The thread's current context; NULL: the root. Borrowed until the stack changes. */
const waggle_context *waggle__context_top(void);

/* The event name of what waggle/error.h reports: told to Rollbar whatever its severity. */
#define WAGGLE__REPORT_EVENT "waggle.error"

/* Like waggle_span_get_context, but leaves what lies behind tracestate_n alone. */
bool waggle__span_context(waggle_span span, waggle_span_context *ret_context);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
