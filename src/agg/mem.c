// SPDX-License-Identifier: Apache-2.0
/* Memory of a partial: blocks from the heap, accounted in one budget, and hashes of typed values.
 *
 * The budget's counter is shared by all threads of a query, so a partial takes from it in steps of
 * 64 KiB and serves small blocks out of what it has.  Threads: one at a time. */
#include "agg/agg.h"

#include "base/assert.h"
#include "base/mem.h"

enum { STEP_BYTES = 64 * 1024 };

skep_rc skep_agg_mem_take(struct skep_agg_mem *m, uint64_t n)
{
    skep_assert(m->used <= m->taken);
    if (n > m->taken - m->used) {
        uint64_t more = n - (m->taken - m->used);
        more = (more + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
        if (m->budget) {
            skep_rc rc = skep_budget_take(m->budget, more, NULL);
            if (rc != SKEP_OK)
                return rc;
        }
        m->taken += more;
    }
    m->used += n;
    return SKEP_OK;
}

void skep_agg_mem_give(struct skep_agg_mem *m, uint64_t n)
{
    skep_assert(n <= m->used);
    m->used -= n;
    uint64_t spare = m->taken - m->used;
    if (spare > 2 * STEP_BYTES || m->used == 0) {
        uint64_t back = m->used == 0 ? spare : spare - STEP_BYTES;
        if (m->budget)
            skep_budget_give(m->budget, back);
        m->taken -= back;
    }
}

void *skep_agg_alloc(struct skep_agg_mem *m, size_t n)
{
    if (skep_agg_mem_take(m, n) != SKEP_OK)
        return NULL;
    return skep_calloc(1, n);
}

void *skep_agg_realloc(struct skep_agg_mem *m, void *p, size_t old_n, size_t n)
{
    skep_assert(n >= old_n);
    if (skep_agg_mem_take(m, n - old_n) != SKEP_OK)
        return NULL;
    uint8_t *q = skep_realloc(p, n);
    memset(q + old_n, 0, n - old_n);
    return q;
}

void *skep_agg_shrink(struct skep_agg_mem *m, void *p, size_t old_n, size_t n)
{
    skep_assert(n > 0 && n <= old_n);
    p = skep_realloc(p, n);
    skep_agg_mem_give(m, old_n - n);
    return p;
}

void skep_agg_free(struct skep_agg_mem *m, void *p, size_t n)
{
    if (!p)
        return;
    skep_free(p);
    skep_agg_mem_give(m, n);
}

SKEP_WRAPS uint64_t skep_agg_hash_text(enum skep_type type, uint64_t str_hash)
{
    return skep_hash_u64(str_hash + (uint64_t)type * 0x9e3779b97f4a7c15ull);
}

SKEP_WRAPS uint64_t skep_agg_hash_int(int64_t i)
{
    return skep_hash_u64((uint64_t)i + SKEP_TYPE_INT * 0x9e3779b97f4a7c15ull);
}

SKEP_WRAPS uint64_t skep_agg_hash_double(double f)
{
    uint64_t bits = 0x7ff8000000000000ull; /* every NaN */
    f += 0.0;                              /* -0 becomes 0 */
    if (f == f)
        memcpy(&bits, &f, sizeof bits);
    return skep_hash_u64(bits + SKEP_TYPE_DOUBLE * 0x9e3779b97f4a7c15ull);
}

SKEP_WRAPS uint64_t skep_agg_hash_bool(bool b)
{
    return skep_hash_u64((uint64_t)b + SKEP_TYPE_BOOL * 0x9e3779b97f4a7c15ull);
}

uint64_t skep_agg_hash_value(const skep_value *v)
{
    switch (v->type) {
    case SKEP_TYPE_INT: return skep_agg_hash_int(v->i);
    case SKEP_TYPE_DOUBLE: return skep_agg_hash_double(v->f);
    case SKEP_TYPE_BOOL: return skep_agg_hash_bool(v->b);
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return skep_agg_hash_text(v->type, skep_hash(skep_str_bytes(v->s)));
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return skep_agg_hash_text(v->type, 0);
    }
}
