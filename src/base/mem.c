// SPDX-License-Identifier: Apache-2.0
/* Heap memory that never returns NULL.  The only caller of malloc in the server.
 * Threads: any. */
#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static void *must(void *p)
{
    if (SKEP_UNLIKELY(!p))
        skep_assert_failed("out of memory", __FILE__, __LINE__);
    return p;
}

void *skep_malloc(size_t n)
{
    return must(malloc(n ? n : 1));
}

void *skep_calloc(size_t n, size_t size)
{
    return must(calloc(n ? n : 1, size ? size : 1));
}

void *skep_realloc(void *p, size_t n)
{
    return must(realloc(p, n ? n : 1));
}

void *skep_malloc_aligned(size_t align, size_t n)
{
    void *p = NULL;
    skep_assert(align >= sizeof(void *) && (align & (align - 1)) == 0);
    if (posix_memalign(&p, align, n ? n : 1))
        p = NULL;
    return must(p);
}

void skep_free(void *p)
{
    free(p);
}

void skep_heap_trim(void)
{
    (void)malloc_trim(0);
}

char *skep_strndup(const char *p, size_t n)
{
    skep_assert(n < SIZE_MAX);
    char *s = skep_malloc(n + 1);
    if (n)
        memcpy(s, p, n);
    s[n] = '\0';
    return s;
}
