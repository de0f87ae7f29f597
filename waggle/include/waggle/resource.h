// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/resource.h - what a process says of itself with all it sends
 */
#ifndef WAGGLE_RESOURCE_H
#define WAGGLE_RESOURCE_H

#include "waggle/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An empty resource; NULL without memory. Free it with waggle_resource_free unless it was handed
 * on. Threads: one at a time. */
WAGGLE_EXPORT struct waggle_resource *waggle_resource_new(void);
WAGGLE_EXPORT void waggle_resource_free(struct waggle_resource *resource);

/* Set attributes; a key that is there already gets the new value. Copied. False without memory. */
WAGGLE_EXPORT bool waggle_resource_set(struct waggle_resource *resource, waggle_attrs attributes);

/* The attributes of `from` over those of `resource`. Two different schema URLs give none.
 * False without memory. */
WAGGLE_EXPORT bool waggle_resource_merge(struct waggle_resource *resource,
                                         const struct waggle_resource *from);

/* The schema URL; NULL or "" for none. */
WAGGLE_EXPORT bool waggle_resource_set_schema_url(struct waggle_resource *resource,
                                                  const char *schema_url);

/* One attribute that is a string: false if there is none. Borrowed until the resource changes. */
WAGGLE_EXPORT bool waggle_resource_get_str(const struct waggle_resource *resource, const char *key,
                                           waggle_str *ret_value);

/* The encoded form, as exporters see it; borrowed until the resource changes. */
WAGGLE_EXPORT waggle_resource_info waggle_resource_get_info(const struct waggle_resource *resource);

/* Detectors: telemetry.sdk.*, process.*, host.*, os.*, container.id, service.instance.id, and what
 * OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say. */
WAGGLE_EXPORT void waggle_detect_sdk(struct waggle_resource *resource);
WAGGLE_EXPORT void waggle_detect_process(struct waggle_resource *resource);
WAGGLE_EXPORT void waggle_detect_host(struct waggle_resource *resource);
WAGGLE_EXPORT void waggle_detect_os(struct waggle_resource *resource);
WAGGLE_EXPORT void waggle_detect_container(struct waggle_resource *resource);
WAGGLE_EXPORT void waggle_detect_instance(struct waggle_resource *resource);
WAGGLE_EXPORT void waggle_detect_env(struct waggle_resource *resource);

/* All of them, in the order above, with service.name "unknown_service:NAME" beneath. */
WAGGLE_EXPORT void waggle_detect_all(struct waggle_resource *resource);

#ifdef __cplusplus
}
#endif

#endif
