// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/composite.h - samplers made of parts, whose decisions agree across processes
 *
 *     struct waggle_composable *rules = waggle_composable_rules_new(
 *         (waggle_sampling_rule[]){{.key = "url.path", .included = health, .n_included = 1,
 *                                   .sampler = waggle_composable_off()},
 *                                  {.sampler = waggle_composable_probability_new(0.1)}}, 2);
 *     struct waggle_sampler *s =
 *         waggle_sampler_composite_new(waggle_composable_parent_new(rules));
 *
 * A composable says with which threshold a span is to be rejected; the composite sampler compares
 * it with the trace's randomness, the low 56 bits of the trace id or `rv` of the tracestate, and
 * writes the threshold into the tracestate (ot=th:...), so that whoever counts sampled spans knows
 * how many each stands for, and every other process that samples so keeps the same traces.
 *
 * A composable belongs to what it is given to, and is freed with it.
 *
 * Threads: any, once made.
 */
#ifndef WAGGLE_COMPOSITE_H
#define WAGGLE_COMPOSITE_H

#include "waggle/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of a rejection threshold: 0 rejects nothing, this everything. */
#define WAGGLE_NEVER (UINT64_C(1) << 56)

enum { WAGGLE_INTENT_ATTRS_MAX = 8 };

/* What a composable wants. */
typedef struct waggle_intent {
    uint64_t threshold;
    bool is_reliable; /* a sampled span stands for as many as it says */
    waggle_attrs attributes[WAGGLE_INTENT_ATTRS_MAX]; /* of a span that is sampled; borrowed */
    size_t n_attributes;
} waggle_intent;

struct waggle_composable {
    const struct waggle_composable_ops *ops;
};

/* One of your own: a struct whose first member is the above. */
struct waggle_composable_ops {
    size_t struct_size;
    void (*intend)(
        struct waggle_composable *composable, const waggle_sampling_params *params,
        waggle_intent *ret_intent); /* *ret_intent comes as NEVER, reliable, no attributes */
    const char *(*description)(struct waggle_composable *composable);
    void (*free)(struct waggle_composable *composable);
};

/* All; none. Constants. */
WAGGLE_EXPORT struct waggle_composable *waggle_composable_on(void);
WAGGLE_EXPORT struct waggle_composable *waggle_composable_off(void);

/* A share of traces, 0 to 1. NULL without memory. */
WAGGLE_EXPORT struct waggle_composable *waggle_composable_probability_new(double ratio);

/* As the parent was decided, with its threshold; roots as `root` says. NULL without memory. */
WAGGLE_EXPORT struct waggle_composable *
waggle_composable_parent_new(struct waggle_composable *root);

enum {
    WAGGLE_PARENT_NONE = 1, /* bits of waggle_sampling_rule.parents */
    WAGGLE_PARENT_REMOTE = 2,
    WAGGLE_PARENT_LOCAL = 4
};

/* For which spans a sampler is: all that is set must match. Copied but for `sampler`, which is
 * owned. */
typedef struct waggle_sampling_rule {
    size_t struct_size;
    unsigned parents; /* WAGGLE_PARENT_*; 0: any */
    unsigned kinds;   /* 1u << WAGGLE_KIND_SERVER | ...; 0: any */
    const char
        *value_key; /* an attribute that has one of these values, as text; lists: any element */
    const char *const *values;
    size_t n_values;
    const char
        *key; /* an attribute whose value, as text, is like these ('*', '?'), and not like those */
    const char *const *included; /* none: any value */
    size_t n_included;
    const char *const *excluded;
    size_t n_excluded;
    bool (*matches)(void *self, const waggle_sampling_params *params); /* NULL: any */
    void *self;                                                        /* borrowed for ever */
    struct waggle_composable *sampler;
} waggle_sampling_rule;

/* The first rule that matches decides; none: the span is dropped. NULL without memory, or if a rule
 * has no sampler (all that were given are then freed). */
WAGGLE_EXPORT struct waggle_composable *
waggle_composable_rules_new(const waggle_sampling_rule *rules, size_t n);

/* As `inner` decides, with attributes (copied; texts, numbers and booleans) on what is sampled.
 * NULL without memory, or for attributes of other types; inner is then freed. */
WAGGLE_EXPORT struct waggle_composable *
waggle_composable_annotating_new(struct waggle_composable *inner, waggle_attrs attributes);

/* The sampler that decides by it. NULL without memory, or for NULL. */
WAGGLE_EXPORT struct waggle_sampler *waggle_sampler_composite_new(struct waggle_composable *inner);

#ifdef __cplusplus
}
#endif

#endif
