// SPDX-License-Identifier: Apache-2.0
/*
 * propagation.c - which propagators there are, the global list of them, the baggage propagator
 *
 * A propagator is one file and one row of `known`. The global list is an immutable block behind one
 * pointer: setting it again leaves the old block alone, since a thread may be reading it; that is a
 * few bytes for each call of a function that programs call once.
 *
 * Threads: the list is read without a lock.
 */
#include "priv.h"

#include <stdlib.h>

static const struct waggle_propagator *const known[] = {
    &waggle_propagator_tracecontext, &waggle_propagator_baggage, &waggle_propagator_b3,
    &waggle_propagator_b3multi,      &waggle_propagator_jaeger,  &waggle_propagator_xray,
};

struct list_of_propagators {
    size_t n;
    const struct waggle_propagator *p[WAGGLE_PROPAGATORS_MAX];
    struct list_of_propagators *older; /* keeps it reachable: no leak in anyone's checker */
};

static _Atomic(struct list_of_propagators *) current;

const struct waggle_propagator *waggle_propagator_find(const char *name)
{
    for (size_t i = 0; i < WAGGLE__COUNT(known); i++)
        if (strcmp(known[i]->name, name) == 0)
            return known[i];
    return NULL;
}

void waggle_propagators_set(const struct waggle_propagator *const *propagators, size_t n)
{
    struct list_of_propagators *list = calloc(1, sizeof *list);
    if (list == NULL)
        return;
    list->n = WAGGLE__MIN(n, (size_t)WAGGLE_PROPAGATORS_MAX);
    for (size_t i = 0; i < list->n; i++)
        list->p[i] = propagators[i];
    list->older = atomic_load_explicit(&current, memory_order_acquire);
    while (!atomic_compare_exchange_weak_explicit(&current, &list->older, list,
                                                  memory_order_acq_rel, memory_order_acquire)) {
    }
}

static struct list_of_propagators *now(void)
{
    return atomic_load_explicit(&current, memory_order_acquire);
}

void waggle_inject(const waggle_context *context, waggle_set_fn *set, void *carrier)
{
    const struct list_of_propagators *list = now();
    if (context == NULL)
        context = waggle__context_top();
    if (context == NULL)
        return;
    for (size_t i = 0; list != NULL && i < list->n; i++)
        list->p[i]->inject(context, set, carrier);
}

void waggle_extract(waggle_context *ret_context, waggle_get_fn *get, void *carrier)
{
    const struct list_of_propagators *list = now();
    waggle_context_current(ret_context);
    for (size_t i = 0; list != NULL && i < list->n; i++)
        list->p[i]->extract(ret_context, get, carrier);
}

size_t waggle_propagation_fields(const char **ret_fields, size_t cap)
{
    const struct list_of_propagators *list = now();
    size_t n = 0;
    for (size_t i = 0; list != NULL && i < list->n; i++)
        for (size_t k = 0; list->p[i]->fields[k] != NULL; k++, n++)
            if (n < cap)
                ret_fields[n] = list->p[i]->fields[k];
    return n;
}

bool waggle_env_get(void *carrier, const char *key, size_t index, const char **ret_value,
                    size_t *ret_n)
{
    char name[64];
    size_t n = strlen(key);
    (void)carrier;
    if (index > 0 || n >= sizeof name)
        return false;
    for (size_t i = 0; i <= n; i++) {
        char c = key[i];
        bool letter = c >= 'a' && c <= 'z';
        bool kept = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '\0';
        name[i] = letter ? (char)(c - 'a' + 'A') : kept ? c : '_';
    }
    const char *value = getenv(name);
    if (value == NULL)
        return false;
    *ret_value = value;
    *ret_n = strlen(value);
    return true;
}

/* --- baggage ------------------------------------------------------------------------------- */

static void inject_baggage(const waggle_context *context, waggle_set_fn *set, void *carrier)
{
    char header[WAGGLE_BAGGAGE_BYTES_MAX + 1];
    if (context->baggage != NULL &&
        waggle_baggage_format(context->baggage, header, sizeof header) > 0)
        set(carrier, "baggage", header);
}

static void extract_baggage(waggle_context *context, waggle_get_fn *get, void *carrier)
{
    char joined[WAGGLE_BAGGAGE_BYTES_MAX];
    size_t at = 0;
    const char *value = NULL;
    size_t n = 0;
    for (size_t i = 0; get(carrier, "baggage", i, &value, &n); i++) {
        if (n + 1 > sizeof joined - at)
            break; // headers beyond what must be passed on
        if (at > 0)
            joined[at++] = ',';
        memcpy(joined + at, value, n);
        at += n;
    }
    struct waggle_baggage *baggage = waggle_baggage_parse(joined, at);
    if (baggage == NULL)
        return;
    waggle_context_set_baggage(context, baggage);
    waggle_baggage_unref(baggage);
}

static const char *const baggage_fields[] = {"baggage", NULL};

const struct waggle_propagator waggle_propagator_baggage = {
    .name = "baggage",
    .fields = baggage_fields,
    .inject = inject_baggage,
    .extract = extract_baggage,
};
