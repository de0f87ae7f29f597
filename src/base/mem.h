// SPDX-License-Identifier: Apache-2.0
/* Heap memory.  skep_malloc & co. abort with a message when the system has none left; anything
 * whose size a client, a file or a query can influence asks a budget (base/budget.h) first. */
#pragma once

#include "base/compiler.h"

#include <stddef.h>

/* n bytes, uninitialised; n == 0 gives a unique pointer.  Owns: caller, skep_free. */
void *skep_malloc(size_t n) SKEP_MALLOC;
/* n * size zeroed bytes; aborts when the product overflows. */
void *skep_calloc(size_t n, size_t size) SKEP_MALLOC;
/* Grown or shrunk block; the old pointer is invalid afterwards.  p may be NULL. */
void *skep_realloc(void *p, size_t n);
/* Block aligned to `align` (a power of two). */
void *skep_malloc_aligned(size_t align, size_t n) SKEP_MALLOC;
/* NULL is fine. */
void skep_free(void *p);
/* What is free of the heap goes to the system, wherever it lies; some milliseconds. */
void skep_heap_trim(void);
/* A NUL-terminated copy of n bytes at p. */
char *skep_strndup(const char *p, size_t n) SKEP_MALLOC;

#define skep_alloc(T)      ((T *)skep_calloc(1, sizeof(T)))
#define skep_alloc_n(T, n) ((T *)skep_calloc((n), sizeof(T)))

/* Make room for one more element in a growable array: `a` (T *), `n` used, `cap` reserved.
 * Invalidates pointers into a. */
#define SKEP_GROW(a, n, cap)                                                                       \
    do {                                                                                           \
        if ((n) >= (cap)) {                                                                        \
            (cap) = (cap) ? (cap)*2 : 16;                                                          \
            (a) = skep_realloc((a), (size_t)(cap) * sizeof *(a));                                  \
        }                                                                                          \
    } while (0)
