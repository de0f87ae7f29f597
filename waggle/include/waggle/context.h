// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/context.h - what surrounds a span: an explicit value, an ambient stack for convenience
 *
 * A waggle_context is a plain value that says which span is current, with which baggage and which
 * values of the caller's own. An event loop keeps one in each request; a thread pool copies one
 * into each job. All zero is the root context.
 *
 * Beside it each thread has a stack of current contexts. Spans that are begun without an explicit
 * parent are children of its top:
 *
 *     waggle_span s = waggle_span_start(tracer, "handle", NULL);
 *     WAGGLE_SPAN_SCOPE(s);          // current until the end of the block (gcc and clang)
 *     work();                        // spans in here are children of s
 *     waggle_span_end(s);
 *
 * Owns: a context holds references to its baggage and values. One that was filled by a function of
 * this file is given back with waggle_context_done; for a context that has neither (the usual case)
 * that does nothing.
 */
#ifndef WAGGLE_CONTEXT_H
#define WAGGLE_CONTEXT_H

#include "waggle/api.h"

#ifdef __cplusplus
extern "C" {
#endif

struct waggle_baggage;       /* waggle/baggage.h */
struct waggle_context_value; /* a chain of immutable, counted entries */

enum { WAGGLE_ATTACH_DEPTH_MAX = 64 }; /* contexts on one thread's stack */

typedef struct waggle_context {
    waggle_span span;                          /* the current span of this process */
    const struct waggle_baggage *baggage;      /* counted; NULL = none */
    const struct waggle_context_value *values; /* counted; NULL = none */
    waggle_span_context remote;                /* the current span if `span` is none */
} waggle_context;

/* Make *ret_context the root context without touching more of it than must be. */
WAGGLE_EXPORT void waggle_context_init(waggle_context *ret_context);

/* A copy of the thread's current context. Give it back with waggle_context_done. */
WAGGLE_EXPORT void waggle_context_current(waggle_context *ret_context);

/* A copy of `from`, with references of its own. */
WAGGLE_EXPORT void waggle_context_copy(waggle_context *ret_context, const waggle_context *from);

/* Let go of what the context refers to and make it the root context. */
WAGGLE_EXPORT void waggle_context_done(waggle_context *context);

/* Make `span` the context's span. */
WAGGLE_EXPORT void waggle_context_set_span(waggle_context *context, waggle_span span);

/* Make a span of another process the context's span. */
WAGGLE_EXPORT void waggle_context_set_remote(waggle_context *context,
                                             const waggle_span_context *remote);

/* The identity of the context's span, of this process or remote. False if there is none. */
WAGGLE_EXPORT bool waggle_context_get_span_context(const waggle_context *context,
                                                   waggle_span_context *ret_span_context);

/* Replace the context's baggage; NULL for none. The context takes a reference of its own. */
WAGGLE_EXPORT void waggle_context_set_baggage(waggle_context *context,
                                              const struct waggle_baggage *baggage);

/* --- the caller's own values --------------------------------------------------------------- */

/* A key, different from every other one even of the same name. `name` is for debugging. */
typedef struct waggle_context_key {
    const char *name;
} waggle_context_key;

/* Put `value` under `key`; the address of `key` is its identity. Copies of the context made before
 * do not change. Returns false (and leaves the context as it was) without memory. */
WAGGLE_EXPORT bool waggle_context_set_value(waggle_context *context, const waggle_context_key *key,
                                            void *value);

/* The value under `key`; NULL if there is none. */
WAGGLE_EXPORT void *waggle_context_get_value(const waggle_context *context,
                                             const waggle_context_key *key);

/* --- the ambient stack --------------------------------------------------------------------- */

/* What waggle_attach gave: how deep the stack was. 0 = nothing was attached. */
typedef struct waggle_scope {
    uint32_t depth;
} waggle_scope;

/* Make a copy of `context` the thread's current one, until waggle_detach. Beyond
 * WAGGLE_ATTACH_DEPTH_MAX nothing is attached. */
WAGGLE_EXPORT waggle_scope waggle_attach(const waggle_context *context);

/* Make `span` current; baggage and values stay those of the current context. */
WAGGLE_EXPORT waggle_scope waggle_attach_span(waggle_span span);

/* Go back to the context that was current before `scope` was attached. Returns false if what was
 * attached after it was still there (it is detached with it) or if `scope` is not attached. */
WAGGLE_EXPORT bool waggle_detach(waggle_scope scope);

/* The thread's current span; WAGGLE_SPAN_NONE if there is none of this process. */
WAGGLE_EXPORT waggle_span waggle_span_current(void);

static inline void waggle__detach_at(waggle_scope *scope)
{
    (void)waggle_detach(*scope);
}

#define WAGGLE__NAME2(a, b) a##b
#define WAGGLE__NAME(a, b)  WAGGLE__NAME2(a, b)

#if defined(__GNUC__)
/* `span` is current until the end of the enclosing block, however it is left. */
#define WAGGLE_SPAN_SCOPE(span)                                                                    \
    __attribute__((cleanup(waggle__detach_at), unused)) waggle_scope WAGGLE__NAME(                 \
        waggle__scope_, __LINE__) = waggle_attach_span(span)
/* The same with a whole context. */
#define WAGGLE_CONTEXT_SCOPE(context)                                                              \
    __attribute__((cleanup(waggle__detach_at), unused)) waggle_scope WAGGLE__NAME(                 \
        waggle__scope_, __LINE__) = waggle_attach(context)
#endif

#ifdef __cplusplus
}
#endif

#endif
