// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/api.h - record traces; all that an instrumented program or library needs
 *
 * The API does nothing until an SDK is installed (waggle/sdk.h: waggle_init), at the cost of a few
 * nanoseconds a call and no allocation, so that a library can be instrumented for programs that
 * never heard of tracing.
 *
 *     waggle_span s = waggle_span_start(tracer, "GET /users", NULL);
 *     waggle_span_set(s, WAGGLE_ATTRS(waggle_kv_str("http.route", "/users"),
 *                                     waggle_kv_i64("http.response.status_code", 200)));
 *     waggle_span_end(s);
 *
 * A span is a small value: the number of a slot and the generation of its use. Zero is no span.
 * Calls on no span, on a span that has ended or on a stale handle are harmless: they do nothing.
 * Attributes are typed values in the caller's array; what is recorded is copied before the call
 * returns, so nothing needs to outlive it.
 *
 * Threads: every function, any thread, also on the same span. No function aborts or blocks.
 * C99 to C23, C++11 to C++23.
 */
#ifndef WAGGLE_API_H
#define WAGGLE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "waggle/export.h"
#include "waggle/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- identity ------------------------------------------------------------------------------ */

enum {
    WAGGLE_TRACESTATE_BYTES_MAX = 512, /* W3C: what must be propagated at least */
    WAGGLE_FLAG_SAMPLED = 0x01,        /* the bits of waggle_span_context.flags */
    WAGGLE_FLAG_RANDOM = 0x02          /* the trace id's low 56 bits are random (W3C level 2) */
};

/* What of a span crosses processes (OpenTelemetry's SpanContext). All zero is invalid. */
typedef struct waggle_span_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags;                                /* WAGGLE_FLAG_* */
    bool is_remote;                               /* came from another process */
    uint16_t tracestate_n;                        /* bytes of tracestate */
    char tracestate[WAGGLE_TRACESTATE_BYTES_MAX]; /* W3C text; bytes above tracestate_n are unset */
} waggle_span_context;

/* True if neither id is zero. */
static inline bool waggle_span_context_is_valid(const waggle_span_context *c)
{
    static const uint8_t zero[16] = {0};
    return memcmp(c->trace_id, zero, 16) != 0 && memcmp(c->span_id, zero, 8) != 0;
}

/* True if the trace is being recorded. */
static inline bool waggle_span_context_is_sampled(const waggle_span_context *c)
{
    return (c->flags & WAGGLE_FLAG_SAMPLED) != 0;
}

/* Write an id in lower-case hex with a terminating NUL: 33 bytes for a trace id, 17 for a span id.
 */
WAGGLE_EXPORT void waggle_trace_id_hex(const uint8_t trace_id[16], char ret_hex[33]);
WAGGLE_EXPORT void waggle_span_id_hex(const uint8_t span_id[8], char ret_hex[17]);

/* --- tracers ------------------------------------------------------------------------------- */

/* Makes spans in the name of one instrumentation scope. Never freed while the process lives. */
struct waggle_tracer;

/* The tracer of the global provider for this scope: usually a library's name and version. Works
 * before waggle_init and without it; may be kept for ever; the same arguments give the same tracer.
 *
 * name      borrowed; NULL or "" gives a working tracer without a name
 * version   borrowed; may be NULL
 * Returns   a tracer; NULL (whose spans are no spans) only without memory
 * Cost      a look-up under a lock: keep the result, for example in a static */
WAGGLE_EXPORT struct waggle_tracer *waggle_tracer_get(const char *name, const char *version);

/* The same with the scope's schema URL (may be NULL) and attributes; all are copied. */
WAGGLE_EXPORT struct waggle_tracer *waggle_tracer_get_with(const char *name, const char *version,
                                                           const char *schema_url,
                                                           waggle_attrs attributes);

/* True if a span of this tracer could be recorded at all: ask before work that serves nothing but
 * attributes. */
WAGGLE_EXPORT bool waggle_tracer_enabled(const struct waggle_tracer *tracer);

/* --- spans --------------------------------------------------------------------------------- */

/* A span, by value. generation's lowest bit says whether it records. */
typedef struct waggle_span {
    uint32_t slot;
    uint32_t generation; /* 0 = no span */
} waggle_span;

#ifdef __cplusplus
#define WAGGLE_SPAN_NONE waggle_span()
#else
#define WAGGLE_SPAN_NONE ((waggle_span){0, 0})
#endif

enum waggle_kind {
    WAGGLE_KIND_UNSET = 0, /* taken as internal */
    WAGGLE_KIND_INTERNAL = 1,
    WAGGLE_KIND_SERVER = 2,
    WAGGLE_KIND_CLIENT = 3,
    WAGGLE_KIND_PRODUCER = 4,
    WAGGLE_KIND_CONSUMER = 5
};

enum waggle_status { WAGGLE_STATUS_UNSET = 0, WAGGLE_STATUS_OK = 1, WAGGLE_STATUS_ERROR = 2 };

typedef struct waggle_link {
    const waggle_span_context *context; /* whom the span is linked to; borrowed for the call */
    waggle_attrs attributes;
} waggle_link;

struct waggle_context; /* waggle/context.h */

/* How a span begins. Zero everywhere (or NULL for the whole) is the usual case: an internal span,
 * child of the current span of this thread, from now on. */
typedef struct waggle_span_opts {
    size_t struct_size; /* 0, or sizeof(waggle_span_opts): which version the caller knows */
    enum waggle_kind kind;
    bool root;                            /* begin a new trace, whatever is current */
    waggle_span parent;                   /* explicit parent; wins over context */
    const struct waggle_context *context; /* explicit context; NULL: this thread's current one */
    uint64_t start_ns;                    /* since 1970 UTC; 0 = now */
    waggle_attrs attributes;              /* the sampler sees these, and no later ones */
    const waggle_link *links;
    size_t n_links;
} waggle_span_opts;

#ifdef __cplusplus
#define WAGGLE_SPAN_OPTS_INIT waggle_span_opts()
#else
#define WAGGLE_SPAN_OPTS_INIT ((waggle_span_opts){.struct_size = sizeof(waggle_span_opts)})
#endif

/* Begin a span. It does not become the thread's current span by that: see WAGGLE_SPAN_SCOPE and
 * waggle_attach_span (waggle/context.h).
 *
 * tracer   NULL gives no span
 * name     NUL-terminated UTF-8; NULL is taken as ""
 * opts     borrowed for the call; may be NULL
 * Returns  the span; WAGGLE_SPAN_NONE without an SDK or when all slots are taken (counted) */
static inline waggle_span waggle_span_start(struct waggle_tracer *tracer, const char *name,
                                            const waggle_span_opts *opts);

/* True if what is set on the span is kept: false for no span, an unsampled one, and after its end.
 */
WAGGLE_EXPORT bool waggle_span_is_recording(waggle_span span);

/* The identity of a span; stays readable after its end until its slot is used again.
 * Returns false, and an all-zero *ret_context, for no span and stale handles. */
WAGGLE_EXPORT bool waggle_span_get_context(waggle_span span, waggle_span_context *ret_context);

/* 1 once an SDK is there. Asked inline, so that a call without one costs next to nothing. */
WAGGLE_EXPORT extern int waggle__active;

/* The functions behind the inline ones below, which leave no span alone without a call. */
WAGGLE_EXPORT waggle_span waggle__span_start(struct waggle_tracer *tracer, const char *name,
                                             const waggle_span_opts *opts);
WAGGLE_EXPORT void waggle__span_set(waggle_span span, waggle_attrs attributes);
WAGGLE_EXPORT void waggle__span_set_name(waggle_span span, const char *name);
WAGGLE_EXPORT void waggle__span_set_status(waggle_span span, enum waggle_status status,
                                           const char *description);
WAGGLE_EXPORT void waggle__span_event(waggle_span span, const char *name, uint64_t time_ns,
                                      waggle_attrs attributes);
WAGGLE_EXPORT void waggle__span_link(waggle_span span, const waggle_link *link);
WAGGLE_EXPORT void waggle__span_exception(waggle_span span, const char *type, const char *message,
                                          const char *stacktrace, waggle_attrs attributes);
WAGGLE_EXPORT void waggle__span_end(waggle_span span, uint64_t end_ns);

static inline waggle_span waggle_span_start(struct waggle_tracer *tracer, const char *name,
                                            const waggle_span_opts *opts)
{
    waggle_span none = {0, 0};
#if defined(__GNUC__)
    int active = __atomic_load_n(&waggle__active, __ATOMIC_RELAXED);
#else
    int active = *(volatile int *)&waggle__active;
#endif
    return active ? waggle__span_start(tracer, name, opts) : none;
}

/* Set attributes; a key that is there already gets the new value. Keys of no bytes are ignored. */
static inline void waggle_span_set(waggle_span span, waggle_attrs attributes)
{
    if (span.generation & 1)
        waggle__span_set(span, attributes);
}

/* Set one attribute. */
static inline void waggle_span_set_kv(waggle_span span, waggle_kv kv)
{
    if (span.generation & 1) {
        waggle_attrs attributes = {&kv, 1};
        waggle__span_set(span, attributes);
    }
}

/* Give the span another name. */
static inline void waggle_span_set_name(waggle_span span, const char *name)
{
    if (span.generation & 1)
        waggle__span_set_name(span, name);
}

/* Set the status. Ok wins over Error wins over Unset: Ok is final, and setting Unset does nothing.
 * description (may be NULL) is kept with Error alone. */
static inline void waggle_span_set_status(waggle_span span, enum waggle_status status,
                                          const char *description)
{
    if (span.generation & 1)
        waggle__span_set_status(span, status, description);
}

/* Add an event that happened now. */
static inline void waggle_span_event(waggle_span span, const char *name, waggle_attrs attributes)
{
    if (span.generation & 1)
        waggle__span_event(span, name, 0, attributes);
}

/* Add an event that happened at time_ns (since 1970 UTC). */
static inline void waggle_span_event_at(waggle_span span, const char *name, uint64_t time_ns,
                                        waggle_attrs attributes)
{
    if (span.generation & 1)
        waggle__span_event(span, name, time_ns, attributes);
}

/* Link the span to another one. A link to an invalid context is kept if it has attributes or a
 * tracestate. */
static inline void waggle_span_link(waggle_span span, const waggle_link *link)
{
    if (span.generation & 1)
        waggle__span_link(span, link);
}

/* Add the event "exception". type, message and stacktrace may each be NULL; attributes of the same
 * keys win. Does not set the status. */
static inline void waggle_span_exception(waggle_span span, const char *type, const char *message,
                                         const char *stacktrace, waggle_attrs attributes)
{
    if (span.generation & 1)
        waggle__span_exception(span, type, message, stacktrace, attributes);
}

/* End the span now. Of several calls, also from several threads, the first counts. */
static inline void waggle_span_end(waggle_span span)
{
    if (span.generation != 0)
        waggle__span_end(span, 0);
}

/* End the span at end_ns (since 1970 UTC). */
static inline void waggle_span_end_at(waggle_span span, uint64_t end_ns)
{
    if (span.generation != 0)
        waggle__span_end(span, end_ns);
}

#ifdef __cplusplus
}
#endif

#endif
