// SPDX-License-Identifier: Apache-2.0
/*
 * context.c - contexts as values, and each thread's stack of current ones
 *
 * A context's remote identity has room for a tracestate of 512 bytes; only what is used of it is
 * ever copied. Values of the caller form a chain of immutable counted entries, newest first, so
 * that copies of a context share what they have in common.
 *
 * The stack is a block per thread, taken at the thread's first attach and given back at its end. It
 * is not the caller's memory, so that a scope that is never left cannot dangle.
 *
 * Threads: a context is one thread's at a time; baggage and values are counted atomically.
 */
#include "priv.h"

#include <stdlib.h>

struct waggle_context_value {
    _Atomic uint32_t refs;
    const waggle_context_key *key;
    void *value;
    const struct waggle_context_value *next; /* one reference is ours */
};

struct ambient {
    uint32_t depth;
    waggle_context stack[WAGGLE_ATTACH_DEPTH_MAX];
};

static _Thread_local struct ambient *ambient;
static pthread_key_t ambient_key;
static pthread_once_t ambient_once = PTHREAD_ONCE_INIT;
static bool ambient_key_ok;

/* --- counted parts ------------------------------------------------------------------------- */

static void values_ref(const struct waggle_context_value *v)
{
    if (v != NULL)
        atomic_fetch_add_explicit(&((struct waggle_context_value *)(uintptr_t)v)->refs, 1,
                                  memory_order_relaxed);
}

static void values_unref(const struct waggle_context_value *v)
{
    while (v != NULL) {
        struct waggle_context_value *own = (struct waggle_context_value *)(uintptr_t)v;
        if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
            return;
        v = own->next;
        free(own);
    }
}

static void copy_remote(waggle_span_context *to, const waggle_span_context *from)
{
    memcpy(to, from, offsetof(waggle_span_context, tracestate) + from->tracestate_n);
}

static void copy(waggle_context *to, const waggle_context *from)
{
    to->span = from->span;
    to->baggage = from->baggage;
    to->values = from->values;
    copy_remote(&to->remote, &from->remote);
    waggle_baggage_ref(to->baggage);
    values_ref(to->values);
}

static void clear_remote(waggle_span_context *remote)
{
    memset(remote, 0, offsetof(waggle_span_context, tracestate));
}

/* --- values -------------------------------------------------------------------------------- */

void waggle_context_init(waggle_context *ret_context)
{
    memset(ret_context, 0, offsetof(waggle_context, remote));
    clear_remote(&ret_context->remote);
}

void waggle_context_current(waggle_context *ret_context)
{
    const waggle_context *top = waggle__context_top();
    if (top != NULL)
        copy(ret_context, top);
    else
        waggle_context_init(ret_context);
}

void waggle_context_copy(waggle_context *ret_context, const waggle_context *from)
{
    copy(ret_context, from);
}

void waggle_context_done(waggle_context *context)
{
    waggle_baggage_unref(context->baggage);
    values_unref(context->values);
    waggle_context_init(context);
}

void waggle_context_set_span(waggle_context *context, waggle_span span)
{
    context->span = span;
    clear_remote(&context->remote);
}

void waggle_context_set_remote(waggle_context *context, const waggle_span_context *remote)
{
    context->span = WAGGLE_SPAN_NONE;
    copy_remote(&context->remote, remote);
    context->remote.is_remote = true;
}

bool waggle_context_get_span_context(const waggle_context *context,
                                     waggle_span_context *ret_span_context)
{
    memset(ret_span_context, 0, sizeof *ret_span_context);
    if (context->span.generation != 0)
        return waggle_span_get_context(context->span, ret_span_context);
    if (!waggle_span_context_is_valid(&context->remote))
        return false;
    copy_remote(ret_span_context, &context->remote);
    return true;
}

void waggle_context_set_baggage(waggle_context *context, const struct waggle_baggage *baggage)
{
    waggle_baggage_ref(baggage);
    waggle_baggage_unref(context->baggage);
    context->baggage = baggage;
}

bool waggle_context_set_value(waggle_context *context, const waggle_context_key *key, void *value)
{
    struct waggle_context_value *entry = malloc(sizeof *entry);
    if (entry == NULL)
        return false;
    atomic_init(&entry->refs, 1);
    entry->key = key;
    entry->value = value;
    entry->next = context->values; // the context's reference becomes the entry's
    context->values = entry;
    return true;
}

void *waggle_context_get_value(const waggle_context *context, const waggle_context_key *key)
{
    for (const struct waggle_context_value *v = context->values; v != NULL; v = v->next)
        if (v->key == key)
            return v->value;
    return NULL;
}

/* --- the stack ----------------------------------------------------------------------------- */

static void ambient_free(void *block)
{
    struct ambient *a = block;
    while (a->depth > 0)
        waggle_context_done(&a->stack[--a->depth]);
    ambient = NULL;
    free(a);
}

static void make_key(void)
{
    ambient_key_ok = pthread_key_create(&ambient_key, ambient_free) == 0;
}

WAGGLE__COLD static struct ambient *ambient_new(void)
{
    (void)pthread_once(&ambient_once, make_key); // fails only for a control that is none
    if (!ambient_key_ok)
        return NULL;
    struct ambient *a = malloc(sizeof *a);
    if (a == NULL)
        return NULL;
    a->depth = 0;
    if (pthread_setspecific(ambient_key, a) != 0) {
        free(a);
        return NULL;
    }
    ambient = a;
    return a;
}

const waggle_context *waggle__context_top(void)
{
    const struct ambient *a = ambient;
    return a != NULL && a->depth > 0 ? &a->stack[a->depth - 1] : NULL;
}

/* Room for one more context; NULL if there is none. */
static waggle_context *push(void)
{
    struct ambient *a = ambient != NULL ? ambient : ambient_new();
    return a != NULL && a->depth < WAGGLE_ATTACH_DEPTH_MAX ? &a->stack[a->depth++] : NULL;
}

waggle_scope waggle_attach(const waggle_context *context)
{
    waggle_context *to = push();
    if (to == NULL)
        return (waggle_scope){0};
    copy(to, context);
    return (waggle_scope){ambient->depth};
}

waggle_scope waggle_attach_span(waggle_span span)
{
    const waggle_context *below = waggle__context_top();
    waggle_context *to = push();
    if (to == NULL)
        return (waggle_scope){0};
    if (below != NULL)
        copy(to, below);
    else
        waggle_context_init(to);
    if (span.generation != 0) // no span hides nothing: what was current stays so
        waggle_context_set_span(to, span);
    return (waggle_scope){ambient->depth};
}

bool waggle_detach(waggle_scope scope)
{
    struct ambient *a = ambient;
    if (a == NULL || scope.depth == 0 || scope.depth > a->depth)
        return false;
    bool in_order = scope.depth == a->depth;
    while (a->depth >= scope.depth)
        waggle_context_done(&a->stack[--a->depth]);
    return in_order;
}

waggle_span waggle_span_current(void)
{
    const waggle_context *top = waggle__context_top();
    return top != NULL ? top->span : WAGGLE_SPAN_NONE;
}
