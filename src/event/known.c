// SPDX-License-Identifier: Apache-2.0
/* What a batch's memory knows of names: each (scope, name, type) that was put, and what came behind
 * it.  It outlives the batch, whose fields do not: the next request has the same names most often,
 * and a thousand of them cost as much to make anew as all their values.
 *
 *   known        name, hash | field of this batch, or NONE | the names that came behind it
 *   known_index  one of each ring of kin: same scope and name, other type
 *
 * I1  known[k].field != NONE exactly when the batch has that field; then known_as[field] == k.
 * I2  what is known changes only how fast a field is found: a field is made by its first put, and
 *     has its number and its name's place in the string table from there (batch.c, I5).
 *
 * Threads, memory: batch.c. */
#include "event/batch_priv.h"

#include "base/assert.h"
#include "base/hash_inline.h"
#include "base/mem.h"

#define NONE SKEP_BATCH_NONE

enum { NAMES_MIN = 512, KNOWN_MIN = 32 };
_Static_assert(KNOWN_MIN >= (int)SKEP_KIND_COUNT, "the kinds come first");

/* With its places in sorted and rank. */
static const uint64_t known_bytes = sizeof(struct skep_batch__known) + 2 * sizeof(uint32_t);

static struct skep_batch__known nameless(void)
{
    struct skep_batch__known k = {.field = NONE};
    for (unsigned i = 0; i < SKEP_BATCH__WAYS; i++)
        k.behind[i] = NONE;
    return k;
}

void skep_batch__known_init(struct skep_batch *b)
{
    struct skep_batch__scratch *s = b->scratch;
    s->cap_known = KNOWN_MIN;
    s->known = skep_alloc_n(struct skep_batch__known, KNOWN_MIN);
    s->sorted = skep_alloc_n(uint32_t, KNOWN_MIN);
    s->rank = skep_alloc_n(uint32_t, KNOWN_MIN);
    s->names.cap = NAMES_MIN;
    s->names.data = skep_malloc(NAMES_MIN + SKEP_EQ_PAD);
    memset(s->names.data, 0, NAMES_MIN + SKEP_EQ_PAD);
    skep_index_init(&s->known_index, 0);
    s->used_bytes += NAMES_MIN + KNOWN_MIN * known_bytes;
    skep_batch__known_clear(b);
}

void skep_batch__known_done(struct skep_batch *b)
{
    struct skep_batch__scratch *s = b->scratch;
    skep_free(s->known);
    skep_free(s->sorted);
    skep_free(s->rank);
    skep_free(s->names.data);
    skep_index_done(&s->known_index);
}

void skep_batch__known_clear(struct skep_batch *b)
{
    struct skep_batch__scratch *s = b->scratch;
    skep_assert(b->n_fields == 0);
    skep_index_clear(&s->known_index);
    s->names.n = s->n_sorted = 0;
    s->last = 0; // no kind: the next row says which
    for (s->n_known = 0; s->n_known < SKEP_KIND_COUNT; s->n_known++)
        s->known[s->n_known] = nameless();
}

// --- finding -----------------------------------------------------------------------------------

SKEP_INLINE bool is_named(const struct skep_batch__scratch *s, uint32_t k, skep_str name)
{
    const char *p = (const char *)s->names.data + s->known[k].offset;
    return skep_str_eq_short((skep_str){p, skep_batch__key_name_n(s->known[k].key)}, name);
}

/* Any of that scope and name, whatever its type, or NONE. */
static uint32_t find_ring(const struct skep_batch__scratch *s, enum skep_scope scope, skep_str name,
                          uint64_t hash)
{
    struct skep_index_it it = skep_index_begin(&s->known_index, hash + scope);
    for (uint32_t k; (k = skep_index_next(&s->known_index, &it)) != NONE;) {
        if (skep_batch__key_scope(s->known[k].key) == scope && is_named(s, k, name))
            return k;
    }
    return NONE;
}

/* The one of that key in the ring of k, or NONE. */
static uint32_t in_ring(const struct skep_batch__scratch *s, uint32_t k, uint32_t key)
{
    uint32_t first = k;
    if (k == NONE)
        return NONE;
    do {
        if (s->known[k].key == key)
            return k;
        k = s->known[k].kin;
    } while (k != first);
    return NONE;
}

uint32_t skep_batch__known(const struct skep_batch *b, enum skep_scope scope, skep_str name,
                           enum skep_type type)
{
    uint64_t hash = skep_hash_inline(skep_str_bytes(name));
    return in_ring(b->scratch, find_ring(b->scratch, scope, name, hash),
                   skep_batch__label_key(scope, name.n, type));
}

// --- adding ------------------------------------------------------------------------------------

static bool grow(struct skep_batch *b, size_t name_n)
{
    struct skep_batch__scratch *s = b->scratch;
    if (s->n_known == s->cap_known) {
        if (!skep_batch__charge(b, (uint64_t)s->cap_known * known_bytes))
            return false;
        s->cap_known *= 2;
        s->sorted = skep_realloc(s->sorted, s->cap_known * sizeof *s->sorted);
        s->rank = skep_realloc(s->rank, s->cap_known * sizeof *s->rank);
        s->known = skep_realloc(s->known, s->cap_known * sizeof *s->known);
    }
    uint32_t cap = s->names.cap;
    while (cap < s->names.n + name_n)
        cap *= 2;
    if (cap == s->names.cap)
        return true;
    if (!skep_batch__charge(b, cap - s->names.cap))
        return false;
    s->names.data = skep_realloc(s->names.data, (size_t)cap + SKEP_EQ_PAD);
    s->names.cap = cap;
    return true;
}

/* kin: one of the same scope and name, or NONE. */
static uint32_t add(struct skep_batch *b, skep_str name, uint32_t key, uint32_t kin, uint64_t hash)
{
    struct skep_batch__scratch *s = b->scratch;
    if (b->over_budget || b->over_limit || !grow(b, name.n))
        return NONE;
    uint32_t k = s->n_known++;
    struct skep_batch__known *known = &s->known[k];
    *known = nameless();
    known->offset = s->names.n;
    known->key = key;
    known->hash = hash;
    known->kin = k;
    memcpy(s->names.data + s->names.n, name.p, name.n);
    s->names.n += (uint32_t)name.n;
    if (kin != NONE) {
        known->kin = s->known[kin].kin;
        s->known[kin].kin = k;
    } else {
        skep_batch__index_add(b, &s->known_index, hash + skep_batch__key_scope(key), k);
    }
    return k;
}

uint32_t skep_batch__know(struct skep_batch *b, enum skep_scope scope, skep_str name,
                          enum skep_type type)
{
    uint64_t hash = skep_hash_inline(skep_str_bytes(name));
    uint32_t key = skep_batch__label_key(scope, name.n, type);
    uint32_t kin = find_ring(b->scratch, scope, name, hash);
    uint32_t k = in_ring(b->scratch, kin, key);
    return k == NONE ? add(b, name, key, kin, hash) : k;
}

uint32_t skep_batch__know_next(struct skep_batch *b, enum skep_scope scope, skep_str name,
                               enum skep_type type, bool make)
{
    struct skep_batch__scratch *s = b->scratch;
    uint32_t key = skep_batch__label_key(scope, name.n, type);
    const uint32_t *way = s->known[s->last].behind;
    unsigned at = 0; // where it is remembered
    for (; at < SKEP_BATCH__WAYS && way[at] != NONE; at++) {
        if (s->known[way[at]].key == key && is_named(s, way[at], name)) {
            s->last = way[at];
            return s->last;
        }
    }
    uint32_t k =
        make ? skep_batch__know(b, scope, name, type) : skep_batch__known(b, scope, name, type);
    if (k == NONE)
        return NONE;
    // `add` may have moved them; the first free place, or that of the least likely
    s->known[s->last].behind[SKEP_MIN(at, (unsigned)SKEP_BATCH__WAYS - 1)] = k;
    s->last = k;
    return k;
}
