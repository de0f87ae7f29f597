// SPDX-License-Identifier: Apache-2.0
/* An allocator for yyjson that asks a budget.
 *
 *   block: n 8 | unused 8 | n bytes for yyjson        free is not told the size
 *
 * Threads: any.  Memory: 16 bytes a block beside what yyjson asks for, both charged. */
#include "wire/json_in.h"

#include "base/assert.h"
#include "base/mem.h"

struct block {
    size_t n;
    size_t pad_;
};

static void *alc_malloc(void *ctx, size_t n)
{
    struct skep_budget *budget = ctx;
    if (budget && skep_budget_take(budget, n + sizeof(struct block), NULL) != SKEP_OK)
        return NULL;
    struct block *b = skep_malloc(n + sizeof *b);
    b->n = n;
    return b + 1;
}

static void alc_free(void *ctx, void *p)
{
    struct skep_budget *budget = ctx;
    if (!p)
        return;
    struct block *b = (struct block *)p - 1;
    if (budget)
        skep_budget_give(budget, b->n + sizeof *b);
    skep_free(b);
}

static void *alc_realloc(void *ctx, void *p, size_t old_n, size_t n)
{
    struct skep_budget *budget = ctx;
    struct block *b = (struct block *)p - 1;
    skep_assert(b->n == old_n);
    if (n > old_n && budget && skep_budget_take(budget, n - old_n, NULL) != SKEP_OK)
        return NULL;
    if (n < old_n && budget)
        skep_budget_give(budget, old_n - n);
    b = skep_realloc(b, n + sizeof *b);
    b->n = n;
    return b + 1;
}

yyjson_alc skep_json_alc(struct skep_budget *budget)
{
    return (yyjson_alc){alc_malloc, alc_realloc, alc_free, budget};
}
