// SPDX-License-Identifier: Apache-2.0
/*
 * config_priv.h - what the files of declarative configuration share
 *
 *   yaml.c           the file as a tree; config_env.c  its variables
 *   config.c         the tree as values; maps read by tables of their fields
 *   config_parts.c   what the names of components make; config_samplers.c  those of samplers
 *   config_metrics.c readers and views
 *   config_create.c  the whole: provider, resource, limits, processors, propagators
 */
#ifndef WAGGLE_CONFIG_PRIV_H
#define WAGGLE_CONFIG_PRIV_H

#include "metrics_priv.h"
#include "yaml.h"

/* --- tables of fields ---------------------------------------------------------------------- */

enum waggle__field_type {
    WAGGLE__FIELD_NODE,      /* const struct waggle_config_node *, whatever it is */
    WAGGLE__FIELD_STR,       /* const char * */
    WAGGLE__FIELD_BOOL,      /* bool */
    WAGGLE__FIELD_NOT,       /* bool, the contrary of what is said */
    WAGGLE__FIELD_COUNT,     /* uint32_t; 0 becomes WAGGLE_LIMIT_ZERO */
    WAGGLE__FIELD_POSITIVE,  /* uint32_t, 1 and more */
    WAGGLE__FIELD_DELAY,     /* uint32_t, milliseconds; 0 becomes 1 */
    WAGGLE__FIELD_TIMEOUT,   /* uint32_t, milliseconds; 0, no limit, becomes UINT32_MAX */
    WAGGLE__FIELD_INT,       /* int */
    WAGGLE__FIELD_RATIO,     /* double from 0 to 1 */
    WAGGLE__FIELD_CHOICE,    /* int: the index of its name */
    WAGGLE__FIELD_ELSEWHERE, /* somebody else reads it */
    WAGGLE__FIELD_MISSING    /* of the format, but nothing waggle has: told, and left out */
};

/* A member of a map, and where it goes in the struct that is filled. */
struct waggle__config_field {
    const char *key;
    enum waggle__field_type type;
    size_t offset;
    const char *const *choices; /* the last one NULL */
    bool is_required;
};

#define WAGGLE__FIELD(key, type, of, member)                                                       \
    {                                                                                              \
        key, WAGGLE__FIELD_##type, offsetof(of, member), NULL, false                               \
    }
#define WAGGLE__FIELD_NEEDED(key, type, of, member)                                                \
    {                                                                                              \
        key, WAGGLE__FIELD_##type, offsetof(of, member), NULL, true                                \
    }
#define WAGGLE__FIELD_OF(key, names, of, member)                                                   \
    {                                                                                              \
        key, WAGGLE__FIELD_CHOICE, offsetof(of, member), names, false                              \
    }
#define WAGGLE__FIELD_NO(key, type)                                                                \
    {                                                                                              \
        key, WAGGLE__FIELD_##type, 0, NULL, false                                                  \
    }

/* Read a map, or nothing, into a struct whose other members stay. False (told) for keys that are
 * not in the table (unless `what` is NULL), values of another type, and what is required but not
 * there. */
bool waggle__config_read(const struct waggle_config_node *map, const char *what,
                         const struct waggle__config_field *fields, size_t n, void *into);

#define WAGGLE__READ(map, what, fields, into)                                                      \
    waggle__config_read(map, what, fields, WAGGLE__COUNT(fields), into)

/* "FILE:LINE: ..." to the error handler; returns false. */
bool waggle__config_wrong(const struct waggle_config_node *node, const char *format, ...)
    WAGGLE__PRINTF(2, 3);
void waggle__config_warn(const struct waggle_config_node *node, const char *format, ...)
    WAGGLE__PRINTF(2, 3);

/* The only member of a map: the name of a component and its properties. NULL (told) if there is not
 * exactly one. */
const char *waggle__config_one(const struct waggle_config_node *map, const char *what,
                               const struct waggle_config_node **ret_properties);

/* A list of texts; *ret is NULL if there is none, else to be freed, its texts borrowed and a NULL
 * at the end. False (told) if it is no such list. */
bool waggle__config_texts(const struct waggle_config_node *list, const char *what,
                          const char *const **ret, size_t *ret_n);

/* { included: [patterns], excluded: [patterns] } */
struct waggle__config_filter {
    const char *const *included, *const *excluded; /* NULL: none */
    size_t n_included, n_excluded;
};
bool waggle__config_filter(const struct waggle_config_node *map, const char *what,
                           struct waggle__config_filter *ret);
/* The same of a map that was read, and may have other members. */
bool waggle__config_filter_lists(const struct waggle_config_node *map,
                                 struct waggle__config_filter *ret);
bool waggle__config_passes(const struct waggle__config_filter *filter, waggle_str key);
void waggle__config_filter_done(struct waggle__config_filter *filter);

/* --- components ---------------------------------------------------------------------------- */

enum waggle__part {
    WAGGLE__PART_EXPORTER,
    WAGGLE__PART_PROCESSOR,
    WAGGLE__PART_SAMPLER,
    WAGGLE__PART_READER,
    WAGGLE__PART_PROPAGATOR,
    WAGGLE__PART_DETECT
};

/* Who is that name, as that? NULL: nobody. */
const waggle_component *waggle__config_find(const char *name, enum waggle__part part);

/* Of { NAME: properties }: who is NAME, a `kind` of component? NULL (told): nobody. */
const waggle_component *waggle__config_component(const struct waggle_config_node *map,
                                                 const char *what, enum waggle__part part,
                                                 const char *kind,
                                                 const struct waggle_config_node **ret_properties);

/* Of { NAME: properties }; NULL (told) if it cannot be. */
struct waggle_exporter *waggle__config_exporter(const struct waggle_config_node *map,
                                                enum waggle_signal signal);
struct waggle_sampler *waggle__config_sampler(const struct waggle_config_node *map,
                                              const char *what);

/* The built-in samplers: config_samplers.c. */
struct waggle_sampler *waggle__file_on(const struct waggle_config_node *properties);
struct waggle_sampler *waggle__file_off(const struct waggle_config_node *properties);
struct waggle_sampler *waggle__file_ratio(const struct waggle_config_node *properties);
struct waggle_sampler *waggle__file_parent_based(const struct waggle_config_node *properties);
struct waggle_sampler *waggle__file_xray_sampler(const struct waggle_config_node *properties);
struct waggle_sampler *waggle__file_jaeger_remote(const struct waggle_config_node *properties);
struct waggle_sampler *waggle__file_composite(const struct waggle_config_node *properties);
struct waggle_sampler *
waggle__file_probability_sampler(const struct waggle_config_node *properties);

/* What of push exporters' properties is the reader's. */
bool waggle__config_exporter_reader(const struct waggle_config_node *map,
                                    waggle_reader_options *options);

/* --- metrics ------------------------------------------------------------------------------- */

/* A list of readers; a view. False (told) if one cannot be made. */
bool waggle__config_add_readers(struct waggle_provider *provider,
                                const struct waggle_config_node *list);
bool waggle__config_add_view(struct waggle_provider *provider,
                             const struct waggle_config_node *map);

/* --- the whole ----------------------------------------------------------------------------- */

/* As waggle_config_create; what `options` (may be NULL) say wins, their sampler and exporters are
 * taken over also on failure. */
struct waggle_provider *waggle__config_provider(const struct waggle_config *config,
                                                waggle_options *options);
bool waggle__config_is_disabled(const struct waggle_config *config);
void waggle__config_log_level(const struct waggle_config *config);

#endif
