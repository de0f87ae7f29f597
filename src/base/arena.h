// SPDX-License-Identifier: Apache-2.0
/* Chunked bump allocator: everything in it dies together.
 *
 *   head -> [chunk: used | free]  -> [chunk: full] -> ... -> NULL
 *
 * Not thread-safe: one owner at a time.  Memory is zeroed. */
#pragma once

#include "base/budget.h"
#include "base/str.h"

struct skep_arena__chunk;

struct skep_arena {
    const char *name;
    struct skep_arena__chunk *head;
    struct skep_budget *budget; /* may be NULL; chunks are then taken by force */
    size_t total_bytes;         /* reserved in chunks */
};

/* budget may be NULL. */
void skep_arena_init(struct skep_arena *a, const char *name, struct skep_budget *budget);
/* Free all chunks; the arena may be used again. */
void skep_arena_done(struct skep_arena *a);
/* Keep one chunk, forget everything in it. */
void skep_arena_reset(struct skep_arena *a);

/* n zeroed bytes aligned to 16.  Small fixed things only: charges the budget by force. */
void *skep_arena_alloc(struct skep_arena *a, size_t n) SKEP_MALLOC;
/* Like skep_arena_alloc but asks the budget: NULL when it refuses. */
void *skep_arena_try_alloc(struct skep_arena *a, size_t n);

/* Copies. */
skep_str skep_arena_str(struct skep_arena *a, skep_str s);
/* A NUL-terminated copy, used only next to a system call or a library. */
char *skep_cstr(struct skep_arena *a, skep_str s);
skep_str skep_arena_printf(struct skep_arena *a, const char *fmt, ...) SKEP_PRINTF(2, 3);

#define skep_new(a, T)      ((T *)skep_arena_alloc((a), sizeof(T)))
#define skep_new_n(a, T, n) ((T *)skep_arena__alloc_n((a), (n), sizeof(T)))
void *skep_arena__alloc_n(struct skep_arena *a, size_t n, size_t size) SKEP_MALLOC;
