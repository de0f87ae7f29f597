// SPDX-License-Identifier: Apache-2.0
/*
 * composite.c - composable samplers, and the sampler that decides by one
 *
 * Threads: nothing changes once it is made, but for the thread's own list of attributes.
 */
#include "json.h"
#include "threshold.h"

#include <stdio.h>
#include <stdlib.h>

enum { DESCRIPTION_BYTES = 256, MERGED_MAX = 32 };

static void composable_free(struct waggle_composable *c)
{
    if (c != NULL && c->ops->free != NULL)
        c->ops->free(c);
}

static const char *composable_text(struct waggle_composable *c)
{
    return c->ops->description != NULL ? c->ops->description(c) : "custom";
}

static void free_plain(struct waggle_composable *c)
{
    free(c);
}

/* --- all, none, a share -------------------------------------------------------------------- */

static void intend_all(struct waggle_composable *c, const waggle_sampling_params *params,
                       waggle_intent *ret_intent)
{
    (void)c;
    (void)params;
    ret_intent->threshold = 0;
}

static void intend_none(struct waggle_composable *c, const waggle_sampling_params *params,
                        waggle_intent *ret_intent)
{
    (void)c;
    (void)params;
    ret_intent->threshold = WAGGLE_NEVER;
}

static const char *all_text(struct waggle_composable *c)
{
    (void)c;
    return "ComposableAlwaysOnSampler";
}

static const char *none_text(struct waggle_composable *c)
{
    (void)c;
    return "ComposableAlwaysOffSampler";
}

struct waggle_composable *waggle_composable_on(void)
{
    static const struct waggle_composable_ops ops = {
        .struct_size = sizeof ops, .intend = intend_all, .description = all_text};
    static struct waggle_composable on = {&ops};
    return &on;
}

struct waggle_composable *waggle_composable_off(void)
{
    static const struct waggle_composable_ops ops = {
        .struct_size = sizeof ops, .intend = intend_none, .description = none_text};
    static struct waggle_composable off = {&ops};
    return &off;
}

struct probability {
    struct waggle_composable base;
    uint64_t threshold;
    char text[80];
};

static void intend_probability(struct waggle_composable *c, const waggle_sampling_params *params,
                               waggle_intent *ret_intent)
{
    (void)params;
    ret_intent->threshold = ((const struct probability *)c)->threshold;
}

static const char *probability_text(struct waggle_composable *c)
{
    return ((const struct probability *)c)->text;
}

struct waggle_composable *waggle_composable_probability_new(double ratio)
{
    static const struct waggle_composable_ops ops = {.struct_size = sizeof ops,
                                                     .intend = intend_probability,
                                                     .description = probability_text,
                                                     .free = free_plain};
    char number[40];
    struct probability *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->base.ops = &ops;
    p->threshold = waggle__threshold_of(ratio);
    double clamped = ratio > 0 ? (ratio < 1 ? ratio : 1) : 0;                   // NaN is 0, too
    (void)snprintf(p->text, sizeof p->text, "ComposableProbabilitySampler{%s}", // fits
                   waggle__shortest_double(clamped, number));
    return &p->base;
}

/* --- around another one -------------------------------------------------------------------- */

struct around {
    struct waggle_composable base;
    struct waggle_composable *inner;
    waggle_kv *attributes; /* annotating: with their texts in one block */
    size_t n_attributes;
    char text[DESCRIPTION_BYTES];
};

static const char *around_text(struct waggle_composable *c)
{
    return ((const struct around *)c)->text;
}

static void free_around(struct waggle_composable *c)
{
    struct around *a = (struct around *)c;
    composable_free(a->inner);
    free(a->attributes);
    free(a);
}

/* Takes `inner` over, also on failure. */
static struct around *around_new(const struct waggle_composable_ops *ops,
                                 struct waggle_composable *inner, const char *name)
{
    struct around *a = inner != NULL ? calloc(1, sizeof *a) : NULL;
    if (a == NULL) {
        composable_free(inner);
        return NULL;
    }
    a->base.ops = ops;
    a->inner = inner;
    (void)snprintf(a->text, sizeof a->text, "%s{%s}", name, composable_text(inner)); // cut is fine
    return a;
}

static void intend_parent(struct waggle_composable *c, const waggle_sampling_params *params,
                          waggle_intent *ret_intent)
{
    struct waggle_composable *root = ((const struct around *)c)->inner;
    if (params->parent == NULL) {
        root->ops->intend(root, params, ret_intent);
    } else if (!waggle__threshold_of_parent(params->parent, &ret_intent->threshold)) {
        bool sampled = waggle_span_context_is_sampled(params->parent);
        ret_intent->threshold = sampled ? 0 : WAGGLE_NEVER;
        ret_intent->is_reliable = false; // nobody knows how many it stands for
    }
}

struct waggle_composable *waggle_composable_parent_new(struct waggle_composable *root)
{
    static const struct waggle_composable_ops ops = {.struct_size = sizeof ops,
                                                     .intend = intend_parent,
                                                     .description = around_text,
                                                     .free = free_around};
    struct around *a = around_new(&ops, root, "ComposableParentThresholdSampler");
    return a != NULL ? &a->base : NULL;
}

static void intend_annotated(struct waggle_composable *c, const waggle_sampling_params *params,
                             waggle_intent *ret_intent)
{
    const struct around *a = (const struct around *)c;
    a->inner->ops->intend(a->inner, params, ret_intent);
    if (ret_intent->n_attributes < WAGGLE_INTENT_ATTRS_MAX)
        ret_intent->attributes[ret_intent->n_attributes++] =
            waggle_attrs_of(a->attributes, a->n_attributes);
}

/* The attributes and their texts in one block. False for types it cannot copy. */
static bool own_attributes(struct around *a, waggle_attrs given)
{
    size_t bytes = (given.n + 1) * sizeof *a->attributes;
    for (size_t i = 0; i < given.n; i++) {
        const waggle_kv *kv = &given.p[i];
        if (kv->value.type > WAGGLE_F64 || kv->key == NULL)
            return false;
        bytes += kv->key_n + 1 + (kv->value.type == WAGGLE_STR ? kv->value.n + 1 : 0);
    }
    a->attributes = calloc(1, bytes);
    char *w = a->attributes != NULL ? (char *)(a->attributes + given.n + 1) : NULL;
    for (size_t i = 0; a->attributes != NULL && i < given.n; i++) {
        waggle_kv *kv = &a->attributes[i];
        *kv = given.p[i];
        memcpy(w, given.p[i].key, kv->key_n);
        kv->key = w;
        w += kv->key_n + 1;
        if (kv->value.type != WAGGLE_STR)
            continue;
        memcpy(w, given.p[i].value.as.str, kv->value.n);
        kv->value.as.str = w;
        w += kv->value.n + 1;
    }
    a->n_attributes = given.n;
    return a->attributes != NULL;
}

struct waggle_composable *waggle_composable_annotating_new(struct waggle_composable *inner,
                                                           waggle_attrs attributes)
{
    static const struct waggle_composable_ops ops = {.struct_size = sizeof ops,
                                                     .intend = intend_annotated,
                                                     .description = around_text,
                                                     .free = free_around};
    struct around *a = around_new(&ops, inner, "ComposableAnnotatingSampler");
    if (a == NULL || own_attributes(a, attributes))
        return a != NULL ? &a->base : NULL;
    free_around(&a->base);
    return NULL;
}

/* --- rules --------------------------------------------------------------------------------- */

struct rules {
    struct waggle_composable base;
    size_t n;
    char *texts; /* what the rules point to */
    char text[DESCRIPTION_BYTES];
    waggle_sampling_rule p[];
};

typedef bool matches_text_fn(const waggle_sampling_rule *rule, waggle_str text);

static bool is_one_of_values(const waggle_sampling_rule *rule, waggle_str text)
{
    for (size_t i = 0; i < rule->n_values; i++)
        if (strlen(rule->values[i]) == text.n && memcmp(rule->values[i], text.p, text.n) == 0)
            return true;
    return false;
}

static bool is_like(const waggle_sampling_rule *rule, waggle_str text)
{
    bool is = rule->n_included == 0;
    for (size_t i = 0; i < rule->n_included && !is; i++)
        is = waggle__wild_match_case(rule->included[i], text);
    for (size_t i = 0; i < rule->n_excluded && is; i++)
        is = !waggle__wild_match_case(rule->excluded[i], text);
    return is;
}

/* The i-th element of an array or list; false beyond its end. */
static bool element_of(const waggle_value *v, size_t i, waggle_value *ret)
{
    if (i >= v->n)
        return false;
    switch (v->type) {
    case WAGGLE_STRS: *ret = waggle_value_str(v->as.strs[i]); return true;
    case WAGGLE_BOOLS: *ret = waggle_value_bool(v->as.bools[i]); return true;
    case WAGGLE_I64S: *ret = waggle_value_i64(v->as.i64s[i]); return true;
    case WAGGLE_F64S: *ret = waggle_value_f64(v->as.f64s[i]); return true;
    case WAGGLE_LIST: *ret = v->as.list[i]; return true;
    default: return false;
    }
}

/* The value, or any element of a list, as text. */
static bool any_text(const waggle_sampling_rule *rule, const waggle_value *v,
                     matches_text_fn *matches)
{
    char number[40];
    switch (v->type) {
    case WAGGLE_STR: return matches(rule, (waggle_str){v->as.str, v->n});
    case WAGGLE_BOOL: return matches(rule, waggle__str(v->as.boolean ? "true" : "false"));
    case WAGGLE_I64:
        (void)snprintf(number, sizeof number, "%lld", (long long)v->as.i64); // fits
        return matches(rule, waggle__str(number));
    case WAGGLE_F64: return matches(rule, waggle__str(waggle__shortest_double(v->as.f64, number)));
    default: break;
    }
    bool any = false;
    waggle_value one;
    for (size_t i = 0; !any && element_of(v, i, &one); i++)
        any = one.type <= WAGGLE_F64 && any_text(rule, &one, matches);
    return any;
}

static bool attribute_matches(const waggle_sampling_rule *rule, const char *key,
                              waggle_attrs attributes, matches_text_fn *matches)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < attributes.n; i++)
        if (attributes.p[i].key_n == n && memcmp(attributes.p[i].key, key, n) == 0)
            return any_text(rule, &attributes.p[i].value, matches);
    return false;
}

static bool rule_matches(const waggle_sampling_rule *r, const waggle_sampling_params *p)
{
    unsigned parent = p->parent == NULL      ? WAGGLE_PARENT_NONE
                      : p->parent->is_remote ? WAGGLE_PARENT_REMOTE
                                             : WAGGLE_PARENT_LOCAL;
    return (r->parents == 0 || (r->parents & parent) != 0) &&
           (r->kinds == 0 || (r->kinds & 1u << (unsigned)p->kind) != 0) &&
           (r->value_key == NULL ||
            attribute_matches(r, r->value_key, p->attributes, is_one_of_values)) &&
           (r->key == NULL || attribute_matches(r, r->key, p->attributes, is_like)) &&
           (r->matches == NULL || r->matches(r->self, p));
}

static void intend_by_rules(struct waggle_composable *c, const waggle_sampling_params *params,
                            waggle_intent *ret_intent)
{
    const struct rules *rules = (const struct rules *)c;
    for (size_t i = 0; i < rules->n; i++) {
        if (!rule_matches(&rules->p[i], params))
            continue;
        struct waggle_composable *inner = rules->p[i].sampler;
        inner->ops->intend(inner, params, ret_intent);
        return;
    }
}

static const char *rules_text(struct waggle_composable *c)
{
    return ((const struct rules *)c)->text;
}

static void free_rules(struct waggle_composable *c)
{
    struct rules *rules = (struct rules *)c;
    for (size_t i = 0; i < rules->n; i++)
        composable_free(rules->p[i].sampler);
    free(rules->texts);
    free(rules);
}

/* Where copies go: counts first (w NULL), then writes. */
struct packing {
    char *w;
    size_t n;
};

static void *pack(struct packing *p, const void *from, size_t n)
{
    void *at = p->w != NULL ? p->w + p->n : NULL;
    if (at != NULL && n > 0)
        memcpy(at, from, n);
    p->n += (n + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
    return at;
}

static void pack_text(struct packing *p, const char **s)
{
    const char *copy = *s != NULL ? pack(p, *s, strlen(*s) + 1) : NULL;
    if (p->w != NULL)
        *s = copy;
}

static void pack_texts(struct packing *p, const char *const **list, size_t n)
{
    const char **copy = n > 0 ? pack(p, *list, n * sizeof **list) : NULL;
    for (size_t i = 0; i < n; i++) {
        const char *s = (*list)[i];
        pack_text(p, &s);
        if (copy != NULL)
            copy[i] = s;
    }
    if (p->w != NULL)
        *list = copy;
}

static void pack_rules(struct packing *p, struct rules *rules)
{
    for (size_t i = 0; i < rules->n; i++) {
        waggle_sampling_rule *r = &rules->p[i];
        pack_text(p, &r->value_key);
        pack_text(p, &r->key);
        pack_texts(p, &r->values, r->n_values);
        pack_texts(p, &r->included, r->n_included);
        pack_texts(p, &r->excluded, r->n_excluded);
    }
}

static void describe_rules(struct rules *rules)
{
    size_t at = 0;
    for (size_t i = 0; i < rules->n && at < sizeof rules->text; i++)
        at += (size_t)snprintf(rules->text + at, sizeof rules->text - at, "%s%s", // cut is fine
                               i == 0 ? "ComposableRuleBasedSampler{" : ",",
                               composable_text(rules->p[i].sampler));
    if (at + 1 < sizeof rules->text)
        (void)snprintf(rules->text + at, sizeof rules->text - at, "%s", // cut is fine
                       rules->n > 0 ? "}" : "ComposableRuleBasedSampler{}");
}

struct waggle_composable *waggle_composable_rules_new(const waggle_sampling_rule *given, size_t n)
{
    static const struct waggle_composable_ops ops = {.struct_size = sizeof ops,
                                                     .intend = intend_by_rules,
                                                     .description = rules_text,
                                                     .free = free_rules};
    struct rules *rules = calloc(1, sizeof *rules + n * sizeof rules->p[0]);
    bool ok = rules != NULL;
    for (size_t i = 0; i < n; i++) {
        ok = ok && given[i].sampler != NULL;
        if (rules == NULL)
            composable_free(given[i].sampler);
        else
            rules->p[i] = given[i];
    }
    if (rules == NULL)
        return NULL;
    rules->base.ops = &ops;
    rules->n = n;
    struct packing packing = {NULL, 0};
    pack_rules(&packing, rules);
    rules->texts = ok ? malloc(packing.n + 1) : NULL;
    if (rules->texts == NULL) {
        free_rules(&rules->base);
        return NULL;
    }
    packing = (struct packing){rules->texts, 0};
    pack_rules(&packing, rules);
    describe_rules(rules);
    return &rules->base;
}

/* --- the sampler --------------------------------------------------------------------------- */

struct composite {
    struct waggle_sampler base;
    struct waggle_composable *inner;
    char text[DESCRIPTION_BYTES + 32];
};

static _Thread_local waggle_kv merged[MERGED_MAX];

static waggle_attrs merged_attributes(const waggle_intent *intent)
{
    size_t n = 0;
    if (intent->n_attributes == 1)
        return intent->attributes[0];
    for (size_t i = 0; i < intent->n_attributes; i++)
        for (size_t k = 0; k < intent->attributes[i].n && n < MERGED_MAX; k++)
            merged[n++] = intent->attributes[i].p[k];
    return waggle_attrs_of(merged, n);
}

static void sample_composite(struct waggle_sampler *s, const waggle_sampling_params *params,
                             waggle_sampling *ret_sampling)
{
    static _Thread_local char text[WAGGLE__TH_BYTES];
    struct waggle_composable *inner = ((const struct composite *)s)->inner;
    waggle_intent intent = {.threshold = WAGGLE_NEVER, .is_reliable = true};
    inner->ops->intend(inner, params, &intent);
    waggle__threshold_text(intent.threshold, text);
    waggle__threshold_decide(params, intent.threshold, intent.is_reliable, text, ret_sampling);
    if (ret_sampling->decision == WAGGLE_RECORD_AND_SAMPLE && intent.n_attributes > 0)
        ret_sampling->attributes = merged_attributes(&intent);
}

static const char *composite_text(struct waggle_sampler *s)
{
    return ((const struct composite *)s)->text;
}

static void composite_free(struct waggle_sampler *s)
{
    composable_free(((struct composite *)s)->inner);
    free(s);
}

struct waggle_sampler *waggle_sampler_composite_new(struct waggle_composable *inner)
{
    static const struct waggle_sampler_ops ops = {.struct_size = sizeof ops,
                                                  .sample = sample_composite,
                                                  .description = composite_text,
                                                  .free = composite_free};
    struct composite *c = inner != NULL ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) {
        composable_free(inner);
        return NULL;
    }
    c->base.ops = &ops;
    c->inner = inner;
    (void)snprintf(c->text, sizeof c->text, "CompositeSampler{%s}", composable_text(inner)); // fits
    return &c->base;
}
