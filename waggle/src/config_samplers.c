// SPDX-License-Identifier: Apache-2.0
/*
 * config_samplers.c - the samplers a configuration file knows by name, and those they are made of
 *
 * Threads: one at a time.
 */
#include "config_priv.h"

#include <stdlib.h>

#include "waggle/composite.h"

typedef struct waggle_config_node node;

/* --- samplers ------------------------------------------------------------------------------ */

struct waggle_sampler *waggle__file_on(const node *properties)
{
    return waggle__config_read(properties, "always_on", NULL, 0, NULL) ? waggle_sampler_always_on()
                                                                       : NULL;
}

struct waggle_sampler *waggle__file_off(const node *properties)
{
    return waggle__config_read(properties, "always_off", NULL, 0, NULL)
               ? waggle_sampler_always_off()
               : NULL;
}

struct waggle_sampler *waggle__file_ratio(const node *properties)
{
    struct ratio {
        double ratio;
    } r = {1};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("ratio", RATIO, struct ratio, ratio)};
    return WAGGLE__READ(properties, "trace_id_ratio_based", fields, &r)
               ? waggle_sampler_ratio_new(r.ratio)
               : NULL;
}

static void free_sampler(struct waggle_sampler *s)
{
    if (s != NULL && s->ops->free != NULL)
        s->ops->free(s);
}

struct waggle_sampler *waggle__file_parent_based(const node *properties)
{
    enum { N = 5 };
    static const struct waggle__config_field fields[N] = {
        {"root", WAGGLE__FIELD_NODE, 0, NULL, false},
        {"remote_parent_sampled", WAGGLE__FIELD_NODE, sizeof(node *), NULL, false},
        {"remote_parent_not_sampled", WAGGLE__FIELD_NODE, 2 * sizeof(node *), NULL, false},
        {"local_parent_sampled", WAGGLE__FIELD_NODE, 3 * sizeof(node *), NULL, false},
        {"local_parent_not_sampled", WAGGLE__FIELD_NODE, 4 * sizeof(node *), NULL, false},
    };
    const node *given[N] = {NULL};
    struct waggle_sampler *s[N] = {NULL};
    bool ok = WAGGLE__READ(properties, "parent_based", fields, given);
    for (size_t i = 0; i < N && ok; i++) {
        bool is_given = waggle_config_type(given[i]) > WAGGLE_CONFIG_NULL;
        s[i] = is_given ? waggle__config_sampler(given[i], fields[i].key) : NULL;
        ok = !is_given || s[i] != NULL;
    }
    if (ok)
        return waggle_sampler_parent_based_new(s[0], s[1], s[2], s[3], s[4]);
    for (size_t i = 0; i < N; i++)
        free_sampler(s[i]);
    return NULL;
}

struct waggle_sampler *waggle__file_xray_sampler(const node *properties)
{
    waggle_xray_sampler_options o = {.struct_size = sizeof o};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("endpoint", STR, waggle_xray_sampler_options, endpoint),
        WAGGLE__FIELD("service_name", STR, waggle_xray_sampler_options, service_name),
        WAGGLE__FIELD("service_type", STR, waggle_xray_sampler_options, service_type),
    };
    return WAGGLE__READ(properties, "xray", fields, &o) ? waggle_sampler_xray_new(&o) : NULL;
}

struct waggle_sampler *waggle__file_jaeger_remote(const node *properties)
{
    struct remote {
        waggle_jaeger_sampler_options o;
        const node *initial;
    } r = {.o = {.struct_size = sizeof r.o}};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD_NEEDED("endpoint", STR, struct remote, o.endpoint),
        WAGGLE__FIELD("service_name", STR, struct remote, o.service_name),
        WAGGLE__FIELD("interval", DELAY, struct remote, o.poll_ms),
        WAGGLE__FIELD_NEEDED("initial_sampler", NODE, struct remote, initial)};
    if (!WAGGLE__READ(properties, "jaeger_remote", fields, &r))
        return NULL;
    r.o.initial = waggle__config_sampler(r.initial, "initial_sampler");
    return r.o.initial != NULL ? waggle_sampler_jaeger_new(&r.o) : NULL;
}

/* --- composable samplers ------------------------------------------------------------------- */

static struct waggle_composable *file_composable(const node *map);

/* Bits of names in a list; false (told) for a name that is none. */
static bool read_bits(const node *list, const char *const *names, unsigned first, unsigned *ret)
{
    for (size_t i = 0; i < waggle_config_count(list); i++) {
        const node *x = waggle_config_at(list, i, NULL);
        const char *name = waggle_config_str(x, "");
        unsigned k = 0;
        while (names[k] != NULL && strcmp(names[k], name) != 0)
            k++;
        if (names[k] == NULL)
            return waggle__config_wrong(x, "%.60s is not known here", name);
        *ret |= 1u << (first + k);
    }
    return true;
}

struct rule_lists {
    const char *const *values;
    struct waggle__config_filter patterns;
};

static bool read_rule(const node *map, waggle_sampling_rule *rule, struct rule_lists *lists)
{
    struct section {
        const node *values_map, *patterns, *parent, *kinds, *sampler;
        const char *key;
        const node *values, *included, *excluded;
    } s = {0};
    static const char *const parents[] = {"none", "remote", "local", NULL};
    static const char *const kinds[] = {"internal", "server",   "client",
                                        "producer", "consumer", NULL};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("attribute_values", NODE, struct section, values_map),
        WAGGLE__FIELD("attribute_patterns", NODE, struct section, patterns),
        WAGGLE__FIELD("parent", NODE, struct section, parent),
        WAGGLE__FIELD("span_kinds", NODE, struct section, kinds),
        WAGGLE__FIELD_NEEDED("sampler", NODE, struct section, sampler)};
    static const struct waggle__config_field value_fields[] = {
        WAGGLE__FIELD_NEEDED("key", STR, waggle_sampling_rule, value_key),
        WAGGLE__FIELD_NO("values", ELSEWHERE)};
    static const struct waggle__config_field pattern_fields[] = {
        WAGGLE__FIELD_NEEDED("key", STR, waggle_sampling_rule, key),
        WAGGLE__FIELD_NO("included", ELSEWHERE), WAGGLE__FIELD_NO("excluded", ELSEWHERE)};
    bool ok = WAGGLE__READ(map, "a rule", fields, &s) &&
              read_bits(s.parent, parents, 0, &rule->parents) &&
              read_bits(s.kinds, kinds, WAGGLE_KIND_INTERNAL, &rule->kinds);
    if (ok && s.values_map != NULL)
        ok = WAGGLE__READ(s.values_map, "attribute_values", value_fields, rule) &&
             waggle__config_texts(waggle_config_get(s.values_map, "values"), "values",
                                  &lists->values, &rule->n_values);
    if (ok && s.patterns != NULL)
        ok = WAGGLE__READ(s.patterns, "attribute_patterns", pattern_fields, rule) &&
             waggle__config_filter_lists(s.patterns, &lists->patterns);
    rule->values = lists->values;
    rule->included = lists->patterns.included;
    rule->n_included = lists->patterns.n_included;
    rule->excluded = lists->patterns.excluded;
    rule->n_excluded = lists->patterns.n_excluded;
    rule->sampler = ok ? file_composable(s.sampler) : NULL;
    return rule->sampler != NULL;
}

static struct waggle_composable *file_rules(const node *properties)
{
    struct section {
        const node *rules;
    } s = {NULL};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("rules", NODE, struct section, rules)};
    if (!WAGGLE__READ(properties, "rule_based", fields, &s))
        return NULL;
    size_t n = waggle_config_count(s.rules);
    waggle_sampling_rule *rules = calloc(n + 1, sizeof *rules);
    struct rule_lists *lists = calloc(n + 1, sizeof *lists);
    bool ok = rules != NULL && lists != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = read_rule(waggle_config_at(s.rules, i, NULL), &rules[i], &lists[i]);
    // Without a sampler for each it frees those that there are.
    struct waggle_composable *c =
        rules != NULL && lists != NULL ? waggle_composable_rules_new(rules, n) : NULL;
    for (size_t i = 0; lists != NULL && i < n; i++) {
        free((void *)(uintptr_t)lists[i].values);
        waggle__config_filter_done(&lists[i].patterns);
    }
    free(lists);
    free(rules);
    return c;
}

static struct waggle_composable *file_probability(const node *properties)
{
    double ratio = 1;
    static const struct waggle__config_field fields[] = {
        {"ratio", WAGGLE__FIELD_RATIO, 0, NULL, false}};
    return WAGGLE__READ(properties, "probability", fields, &ratio)
               ? waggle_composable_probability_new(ratio)
               : NULL;
}

static struct waggle_composable *file_parent_threshold(const node *properties)
{
    struct section {
        const node *root;
    } s = {NULL};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD_NEEDED("root", NODE, struct section, root)};
    return WAGGLE__READ(properties, "parent_threshold", fields, &s)
               ? waggle_composable_parent_new(file_composable(s.root))
               : NULL;
}

static struct waggle_composable *file_composable_on(const node *properties)
{
    return waggle__config_read(properties, "always_on", NULL, 0, NULL) ? waggle_composable_on()
                                                                       : NULL;
}

static struct waggle_composable *file_composable_off(const node *properties)
{
    return waggle__config_read(properties, "always_off", NULL, 0, NULL) ? waggle_composable_off()
                                                                        : NULL;
}

static struct waggle_composable *file_composable(const node *map)
{
    static const struct {
        const char *name;
        struct waggle_composable *(*make)(const node *properties);
    } all[] = {{"always_on", file_composable_on},
               {"always_off", file_composable_off},
               {"probability", file_probability},
               {"parent_threshold", file_parent_threshold},
               {"rule_based", file_rules}};
    const node *properties = NULL;
    const char *name = waggle__config_one(map, "sampler", &properties);
    for (size_t i = 0; name != NULL && i < WAGGLE__COUNT(all); i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].make(properties);
    if (name != NULL)
        (void)waggle__config_wrong(properties, "there is no composable sampler \"%.60s\"", name);
    return NULL;
}

struct waggle_sampler *waggle__file_composite(const node *properties)
{
    struct waggle_composable *c = file_composable(properties);
    return c != NULL ? waggle_sampler_composite_new(c) : NULL;
}

struct waggle_sampler *waggle__file_probability_sampler(const node *properties)
{
    struct waggle_composable *c = file_probability(properties);
    return c != NULL ? waggle_sampler_composite_new(c) : NULL;
}
