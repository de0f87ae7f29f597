// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/baggage.h - names and values that travel with a request through every service
 *
 * Immutable and counted: a change gives a new baggage and leaves the old one as it was. It is never
 * put on spans by itself: whoever receives it may have come from anywhere.
 *
 * Limits (W3C): 64 entries and 8192 bytes as a header; what goes beyond is left out.
 */
#ifndef WAGGLE_BAGGAGE_H
#define WAGGLE_BAGGAGE_H

#include "waggle/export.h"
#include "waggle/value.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WAGGLE_BAGGAGE_ENTRIES_MAX = 64, WAGGLE_BAGGAGE_BYTES_MAX = 8192 };

struct waggle_baggage;

typedef struct waggle_baggage_entry {
    const char *name; /* not NUL-terminated, as are the others */
    const char *value;
    const char *metadata; /* W3C properties behind the first ';', as they came; 0 bytes if none */
    uint32_t name_n, value_n, metadata_n;
} waggle_baggage_entry;

/* `baggage` (NULL: none yet) with one entry set. name: a token of RFC 7230. value: any UTF-8.
 * metadata may be NULL.
 * Returns  a new baggage with one reference; NULL if the name is no token, a limit is met, or there
 *          is no memory. The old one keeps its references. */
WAGGLE_EXPORT struct waggle_baggage *waggle_baggage_set(const struct waggle_baggage *baggage,
                                                        const char *name, const char *value,
                                                        const char *metadata);

/* `baggage` without the entry; a new baggage, or NULL if it is then empty. */
WAGGLE_EXPORT struct waggle_baggage *waggle_baggage_remove(const struct waggle_baggage *baggage,
                                                           const char *name);

/* The entry of that name; false if there is none. Borrowed from the baggage. */
WAGGLE_EXPORT bool waggle_baggage_find(const struct waggle_baggage *baggage, const char *name,
                                       waggle_baggage_entry *ret_entry);

/* Entries, in the order they were first set. */
WAGGLE_EXPORT size_t waggle_baggage_count(const struct waggle_baggage *baggage);
WAGGLE_EXPORT waggle_baggage_entry waggle_baggage_at(const struct waggle_baggage *baggage,
                                                     size_t i);

/* Read a W3C baggage header. Entries that are malformed or beyond the limits are left out.
 * Returns  a new baggage; NULL if no entry stands in it or there is no memory. */
WAGGLE_EXPORT struct waggle_baggage *waggle_baggage_parse(const char *header, size_t n);

/* Write a W3C baggage header, values percent-encoded, with a terminating NUL.
 * Returns the bytes without the NUL; 0 if it does not fit into cap bytes. */
WAGGLE_EXPORT size_t waggle_baggage_format(const struct waggle_baggage *baggage, char *ret_header,
                                           size_t cap);

/* One more reference, one less. NULL is fine. */
WAGGLE_EXPORT void waggle_baggage_ref(const struct waggle_baggage *baggage);
WAGGLE_EXPORT void waggle_baggage_unref(const struct waggle_baggage *baggage);

#ifdef __cplusplus
}
#endif

#endif
