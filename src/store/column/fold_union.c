// SPDX-License-Identifier: Apache-2.0
/* The union of dictionaries: strings of several, each once, in the order they are met.
 *
 * I1  nothing is hashed: strings come with the hashes stored beside them.
 *
 * Threads: one.  Memory: its own, kept when it is cleared. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/fold.h"

void skep_fold__union_init(struct skep_fold_union *u)
{
    *u = (struct skep_fold_union){0};
    skep_buf_init(&u->bytes, UINT32_MAX);
}

void skep_fold__union_clear(struct skep_fold_union *u)
{
    enum { KEEP_SLOTS = 256, SPARE = 8 };
    if (u->index.cap > KEEP_SLOTS && u->index.n * SPARE < u->index.cap)
        skep_index_done(&u->index); /* clearing it would cost more than filling it */
    else
        skep_index_clear(&u->index);
    u->n = 0;
    skep_buf_reset(&u->bytes);
}

void skep_fold__union_done(struct skep_fold_union *u)
{
    skep_index_done(&u->index);
    skep_free(u->offsets);
    skep_free(u->hashes);
    skep_buf_done(&u->bytes);
}

static bool is_string(const struct skep_fold_union *u, uint32_t i, skep_str s)
{
    size_t n = u->offsets[i + 1] - u->offsets[i];
    return n == s.n && (n == 0 || skep_str_eq_short(
                                      (skep_str){(const char *)u->bytes.p + u->offsets[i], n}, s));
}

uint32_t skep_fold__union_add(struct skep_fold_union *u, skep_str s, uint64_t hash)
{
    struct skep_index_it it = skep_index_begin(&u->index, hash);
    for (uint32_t i; (i = skep_index_next(&u->index, &it)) != SKEP_INDEX_NONE;)
        if (u->hashes[i] == hash && is_string(u, i, s))
            return i;
    if (u->n == u->cap) {
        u->cap = u->cap ? u->cap * 2 : 256;
        u->offsets = skep_realloc(u->offsets, ((size_t)u->cap + 1) * sizeof *u->offsets);
        u->hashes = skep_realloc(u->hashes, (size_t)u->cap * sizeof *u->hashes);
        u->offsets[0] = 0;
    }
    skep_buf_str(&u->bytes, s);
    u->hashes[u->n] = hash;
    u->offsets[u->n + 1] = (uint32_t)u->bytes.n;
    skep_index_add(&u->index, hash, u->n);
    return u->n++;
}

uint32_t skep_fold__union_add_code(struct skep_fold_union *u, const struct skep_dict *d,
                                   uint32_t code)
{
    return skep_fold__union_add(u, skep_dict_str(d, code), d->hashes[code]);
}
