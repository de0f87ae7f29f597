// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/propagation.h - contexts across processes
 *
 * A carrier is whatever holds names and values on the way: HTTP headers, message properties, the
 * environment. waggle reads and writes it through one callback each.
 *
 *     waggle_inject(NULL, set_header, request);          // client: of the current context
 *
 *     waggle_context ctx;                                 // server
 *     waggle_extract(&ctx, get_header, request);
 *     waggle_span s = waggle_span_start(tracer, "GET", &(waggle_span_opts){.context = &ctx});
 *     waggle_context_done(&ctx);
 *
 * Which propagators do it is global: none until waggle_init, which reads OTEL_PROPAGATORS.
 */
#ifndef WAGGLE_PROPAGATION_H
#define WAGGLE_PROPAGATION_H

#include "waggle/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads one value of a carrier. key is in lower case; header names are compared without case.
 * index 0 is the first value of that name, 1 the second ...
 * Returns true and the value, borrowed until the next call; false if there is none. */
typedef bool waggle_get_fn(void *carrier, const char *key, size_t index, const char **ret_value,
                           size_t *ret_n);

/* Writes one value, replacing an older one of that name. value ends with NUL. */
typedef void waggle_set_fn(void *carrier, const char *key, const char *value);

/* One way to write a context down. Stateless; any thread. */
struct waggle_propagator {
    const char *name;          /* as in OTEL_PROPAGATORS */
    const char *const *fields; /* the names it writes, ends with NULL */
    void (*inject)(const waggle_context *context, waggle_set_fn *set, void *carrier);
    /* Adds to *context what it finds; leaves it alone where nothing valid stands. */
    void (*extract)(waggle_context *context, waggle_get_fn *get, void *carrier);
};

WAGGLE_EXPORT extern const struct waggle_propagator waggle_propagator_tracecontext;
WAGGLE_EXPORT extern const struct waggle_propagator waggle_propagator_baggage;
WAGGLE_EXPORT extern const struct waggle_propagator waggle_propagator_b3;      /* one header */
WAGGLE_EXPORT extern const struct waggle_propagator waggle_propagator_b3multi; /* X-B3-* */
WAGGLE_EXPORT extern const struct waggle_propagator waggle_propagator_jaeger;
WAGGLE_EXPORT extern const struct waggle_propagator waggle_propagator_xray;

enum { WAGGLE_PROPAGATORS_MAX = 8 };

/* The built-in propagator of that name (OTEL_PROPAGATORS' names); NULL if unknown. */
WAGGLE_EXPORT const struct waggle_propagator *waggle_propagator_find(const char *name);

/* Set the global propagators, applied in this order. At most WAGGLE_PROPAGATORS_MAX; each must live
 * for ever. */
WAGGLE_EXPORT void waggle_propagators_set(const struct waggle_propagator *const *propagators,
                                          size_t n);

/* Write `context` (NULL: the thread's current one) into the carrier. */
WAGGLE_EXPORT void waggle_inject(const waggle_context *context, waggle_set_fn *set, void *carrier);

/* Make *ret_context from what the carrier holds, on top of the thread's current context. */
WAGGLE_EXPORT void waggle_extract(waggle_context *ret_context, waggle_get_fn *get, void *carrier);

/* The names the global propagators write, for carriers that must be emptied first. Returns their
 * number, at most cap of them are in ret_fields. */
WAGGLE_EXPORT size_t waggle_propagation_fields(const char **ret_fields, size_t cap);

/* The process environment as a carrier, for programs that were started by a traced one: names in
 * upper case, '_' for what is not alphanumeric. carrier is not used. */
WAGGLE_EXPORT bool waggle_env_get(void *carrier, const char *key, size_t index,
                                  const char **ret_value, size_t *ret_n);

/* Read a traceparent header (W3C, any version but ff). Returns false, and leaves *ret_context
 * alone, if it is malformed. The result is remote and has no tracestate. */
WAGGLE_EXPORT bool waggle_traceparent_parse(const char *header, size_t n,
                                            waggle_span_context *ret_context);

/* Write a traceparent header with a terminating NUL. */
WAGGLE_EXPORT void waggle_traceparent_format(const waggle_span_context *context,
                                             char ret_header[56]);

/* Read a tracestate header and add its entries to context->tracestate. A malformed one, or more
 * than 32 entries, leaves none. What is longer than 512 bytes loses whole entries, the long ones
 * first. Returns false if it is malformed. */
WAGGLE_EXPORT bool waggle_tracestate_parse(const char *header, size_t n,
                                           waggle_span_context *context);

/* The value of one tracestate entry, borrowed from the context; false if there is none. */
WAGGLE_EXPORT bool waggle_tracestate_get(const waggle_span_context *context, const char *key,
                                         const char **ret_value, size_t *ret_n);

/* Set one tracestate entry and put it first, as W3C wants; value NULL removes it. Returns false,
 * and changes nothing, for a malformed key or value. */
WAGGLE_EXPORT bool waggle_tracestate_set(waggle_span_context *context, const char *key,
                                         const char *value);

#ifdef __cplusplus
}
#endif

#endif
