// SPDX-License-Identifier: Apache-2.0
/* Chunked bump allocator.
 *
 *   chunk: | next | cap | used | ...data (16-aligned)... |
 *
 * I1  used <= cap in each chunk; total_bytes = sum of (cap + header).
 * I2  memory given out is zero: fresh chunks come from calloc, a kept chunk is cleared on reset.
 * Chunks double from 4 KiB up to 1 MiB; larger requests get a chunk of their own behind the head.
 * Threads: one owner at a time. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

struct skep_arena__chunk {
    struct skep_arena__chunk *next;
    size_t cap;
    size_t used;
    size_t pad_;
};

enum { CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20, ALIGN = 16 };
_Static_assert(sizeof(struct skep_arena__chunk) % ALIGN == 0, "chunk data must be aligned");

void skep_arena_init(struct skep_arena *a, const char *name, struct skep_budget *budget)
{
    skep_assert(a && name);
    *a = (struct skep_arena){.name = name, .budget = budget};
}

static void drop_chunk(struct skep_arena *a, struct skep_arena__chunk *c)
{
    size_t bytes = c->cap + sizeof *c;
    skep_assert(a->total_bytes >= bytes);
    a->total_bytes -= bytes;
    if (a->budget)
        skep_budget_give(a->budget, bytes);
    skep_free(c);
}

void skep_arena_done(struct skep_arena *a)
{
    if (!a)
        return;
    while (a->head) {
        struct skep_arena__chunk *next = a->head->next;
        drop_chunk(a, a->head);
        a->head = next;
    }
    skep_assert(a->total_bytes == 0);
}

void skep_arena_reset(struct skep_arena *a)
{
    struct skep_arena__chunk *keep = a->head;
    if (!keep)
        return;
    while (keep->next) {
        struct skep_arena__chunk *c = keep->next;
        keep->next = c->next;
        drop_chunk(a, c);
    }
    memset(keep + 1, 0, keep->used);
    keep->used = 0;
}

static void *take(struct skep_arena__chunk *c, size_t n)
{
    void *p = (char *)(c + 1) + c->used;
    c->used += n;
    skep_assert(c->used <= c->cap);
    return p;
}

static void *alloc(struct skep_arena *a, size_t n, bool ask)
{
    skep_assert(n < SIZE_MAX / 2);
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (n == 0)
        n = ALIGN;
    if (a->head && a->head->cap - a->head->used >= n)
        return take(a->head, n);

    size_t cap = a->head ? SKEP_MIN(a->head->cap * 2, (size_t)CHUNK_MAX) : (size_t)CHUNK_MIN;
    bool own = n > cap;
    if (own)
        cap = n;
    size_t bytes = cap + sizeof(struct skep_arena__chunk);
    if (a->budget) {
        if (ask && skep_budget_take(a->budget, bytes, NULL) != SKEP_OK)
            return NULL;
        if (!ask)
            skep_budget_force(a->budget, bytes);
    }
    struct skep_arena__chunk *c = skep_calloc(1, bytes);
    c->cap = cap;
    a->total_bytes += bytes;
    if (own && a->head) { /* keep the half-used head in front */
        c->next = a->head->next;
        a->head->next = c;
    } else {
        c->next = a->head;
        a->head = c;
    }
    return take(c, n);
}

void *skep_arena_alloc(struct skep_arena *a, size_t n)
{
    return alloc(a, n, false);
}

void *skep_arena_try_alloc(struct skep_arena *a, size_t n)
{
    return alloc(a, n, true);
}

void *skep_arena__alloc_n(struct skep_arena *a, size_t n, size_t size)
{
    size_t bytes;
    bool over = SKEP_MUL_OVERFLOW(n, size, &bytes);
    skep_assert(!over);
    return alloc(a, bytes, false);
}

skep_str skep_arena_str(struct skep_arena *a, skep_str s)
{
    return (skep_str){skep_cstr(a, s), s.n};
}

char *skep_cstr(struct skep_arena *a, skep_str s)
{
    char *p = alloc(a, s.n + 1, false);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

skep_str skep_arena_printf(struct skep_arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    skep_assert(n >= 0);
    char *p = alloc(a, (size_t)n + 1, false);
    va_start(ap, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return (skep_str){p, (size_t)n};
}
