// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/config.h - the SDK as a file says it: OpenTelemetry's declarative configuration
 *
 *     file_format: "1.0"
 *     tracer_provider:
 *       processors:
 *         - batch:
 *             exporter:
 *               otlp_http:
 *                 endpoint: ${OTLP_URL:-http://localhost:4318/v1/traces}
 *
 * With OTEL_CONFIG_FILE=FILE (or OTEL_EXPERIMENTAL_CONFIG_FILE) waggle_init does all of it, and the
 * other OTEL_* variables count only where the file names them. The file is YAML: maps, lists,
 * texts on one line, comments, anchors and aliases; ${NAME}, ${env:NAME} and ${NAME:-otherwise} in
 * values become the variable's value, $$ a '$'. What the file has wrong is told to the error
 * handler as FILE:LINE: what, and nothing is made of it.
 *
 * A component of your own (an exporter, a processor, a sampler ...) is registered under a name, and
 * made where the file names it:
 *
 *     static struct waggle_exporter *make(enum waggle_signal signal,
 *                                         const struct waggle_config_node *properties)
 *     {
 *         const char *to = waggle_config_str(waggle_config_get(properties, "to"), "stdout");
 *         ...
 *     }
 *     waggle_config_register(&(waggle_component){.name = "mine", .exporter = make});
 *
 * Threads: a configuration is read by one thread at a time; registering is done before.
 */
#ifndef WAGGLE_CONFIG_H
#define WAGGLE_CONFIG_H

#include "waggle/propagation.h"
#include "waggle/sdk.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- parsing ------------------------------------------------------------------------------- */

struct waggle_config;

/* What stands at a place of the file: a map, a list, a value. NULL stands for what is not there,
 * and may be given to every function here. */
struct waggle_config_node;

/* Read a file, or a text (`name` stands for the file's in messages). NULL if it is no configuration
 * (the error handler is told where and why), or without memory. */
WAGGLE_EXPORT struct waggle_config *waggle_config_load(const char *path);
WAGGLE_EXPORT struct waggle_config *waggle_config_parse(const char *name, const char *yaml,
                                                        size_t n);
WAGGLE_EXPORT void waggle_config_free(struct waggle_config *config);

/* The configuration model: its uppermost map. Borrowed until the configuration is freed. */
WAGGLE_EXPORT const struct waggle_config_node *
waggle_config_root(const struct waggle_config *config);

/* --- creating ------------------------------------------------------------------------------ */

/* Make what the configuration describes: one provider, of tracers, meters and loggers. NULL if
 * something in it cannot be made (the error handler is told), or without memory. */
WAGGLE_EXPORT struct waggle_provider *waggle_config_create(const struct waggle_config *config);

/* The propagators it names, in its order, for waggle_propagators_set. False if there is one that is
 * not known. */
WAGGLE_EXPORT bool
waggle_config_propagators(const struct waggle_config *config,
                          const struct waggle_propagator *ret_propagators[WAGGLE_PROPAGATORS_MAX],
                          size_t *ret_n);

/* --- components ---------------------------------------------------------------------------- */

/* What a name in a file makes. `properties` is what stands behind the name, perhaps nothing. A
 * function that returns NULL ends the creation. */
typedef struct waggle_component {
    size_t struct_size;
    const char *name; /* copied */
    struct waggle_exporter *(*exporter)(enum waggle_signal signal,
                                        const struct waggle_config_node *properties);
    struct waggle_processor *(*processor)(enum waggle_signal signal,
                                          const struct waggle_config_node *properties);
    struct waggle_sampler *(*sampler)(const struct waggle_config_node *properties);
    /* A pull exporter: a reader with these options, which the file says. */
    struct waggle_reader *(*reader)(const struct waggle_config_node *properties,
                                    const waggle_reader_options *options);
    const struct waggle_propagator *propagator;
    waggle_detect_fn *detect;
} waggle_component;

/* Register a component; it may be several things at once. False if the name has such a thing
 * already, or for more than 64. */
WAGGLE_EXPORT bool waggle_config_register(const waggle_component *component);

/* --- reading properties -------------------------------------------------------------------- */

enum waggle_config_type {
    WAGGLE_CONFIG_MISSING = 0, /* the node is NULL */
    WAGGLE_CONFIG_NULL = 1,    /* it is there, and null or empty */
    WAGGLE_CONFIG_BOOL = 2,
    WAGGLE_CONFIG_I64 = 3,
    WAGGLE_CONFIG_F64 = 4,
    WAGGLE_CONFIG_STR = 5,
    WAGGLE_CONFIG_MAP = 6,
    WAGGLE_CONFIG_LIST = 7
};

WAGGLE_EXPORT enum waggle_config_type waggle_config_type(const struct waggle_config_node *node);

/* The line it stands in, from 1; 0: nowhere. */
WAGGLE_EXPORT unsigned waggle_config_line(const struct waggle_config_node *node);

/* A map's member; NULL if it has none of that name. */
WAGGLE_EXPORT const struct waggle_config_node *
waggle_config_get(const struct waggle_config_node *map, const char *key);

/* How many elements a list or members a map has; the i-th, with its key (NULL in a list). */
WAGGLE_EXPORT size_t waggle_config_count(const struct waggle_config_node *node);
WAGGLE_EXPORT const struct waggle_config_node *
waggle_config_at(const struct waggle_config_node *node, size_t i, const char **ret_key);

/* A value, or `otherwise` if it is missing, null or of another type. A number or a boolean is a
 * text, too; an integer is a double. */
WAGGLE_EXPORT const char *waggle_config_str(const struct waggle_config_node *node,
                                            const char *otherwise);
WAGGLE_EXPORT bool waggle_config_bool(const struct waggle_config_node *node, bool otherwise);
WAGGLE_EXPORT int64_t waggle_config_i64(const struct waggle_config_node *node, int64_t otherwise);
WAGGLE_EXPORT double waggle_config_f64(const struct waggle_config_node *node, double otherwise);

/* Tell the error handler what is wrong there: "FILE:LINE: text". */
WAGGLE_EXPORT void waggle_config_error(const struct waggle_config_node *node, const char *text);

#ifdef __cplusplus
}
#endif

#endif
