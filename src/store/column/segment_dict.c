// SPDX-License-Identifier: Apache-2.0
/* Dictionaries of the segment writer: strings in order of first appearance.
 *
 * Sources bring each string with its hash, so a string is looked up without being hashed again; a
 * small memo by address catches the repeats before that.
 *
 * I1  items[i].offset + len <= bytes_n; strings are unique.
 * Threads: one. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_write.h"

void skep_wdict__done(struct skep_wdict *d)
{
    skep_index_done(&d->index);
    skep_free(d->items);
    skep_free(d->bytes);
    *d = (struct skep_wdict){0};
}

skep_str skep_wdict__str(const struct skep_wdict *d, uint32_t i)
{
    skep_assert(i < d->n);
    return (skep_str){(const char *)d->bytes + d->items[i].offset, d->items[i].len};
}

static void add_bytes(struct skep_wdict *d, skep_str s)
{
    if (!d->bytes || d->bytes_cap - d->bytes_n < s.n) { /* also "": NULL + 0 is undefined */
        size_t cap = d->bytes_cap ? d->bytes_cap : 1024;
        while (cap - d->bytes_n < s.n)
            cap *= 2;
        d->bytes = skep_realloc(d->bytes, cap);
        d->bytes_cap = cap;
    }
    if (s.n)
        memcpy(d->bytes + d->bytes_n, s.p, s.n);
    d->bytes_n += s.n;
}

uint32_t skep_wdict__add(struct skep_wdict *d, skep_str s, uint64_t hash)
{
    struct skep_index_it it = skep_index_begin(&d->index, hash);
    for (uint32_t i; (i = skep_index_next(&d->index, &it)) != SKEP_INDEX_NONE;)
        if (d->items[i].hash == hash && skep_str_eq(skep_wdict__str(d, i), s))
            return i;
    SKEP_GROW(d->items, d->n, d->cap);
    d->items[d->n] = (struct skep_wdict_item){hash, (uint32_t)d->bytes_n, (uint32_t)s.n};
    add_bytes(d, s);
    skep_index_add(&d->index, hash, d->n);
    return d->n++;
}

void skep_wdict__truncate(struct skep_wdict *d, uint32_t n)
{
    skep_assert(n <= d->n);
    if (n == d->n)
        return;
    d->bytes_n = d->items[n].offset;
    d->n = n;
    skep_index_clear(&d->index);
    for (uint32_t i = 0; i < n; i++)
        skep_index_add(&d->index, d->items[i].hash, i);
}

bool skep_wdict__map(struct skep_segment_writer *w, struct skep_wdict *d, uint32_t max_n,
                     size_t max_bytes)
{
    uint32_t before = d->n;
    uint32_t generation = ++w->memo_generation;
    for (uint32_t i = 0; i < w->col.n; i++) {
        skep_str s = w->col.strs[i];
        size_t slot = (size_t)((uintptr_t)s.p / 4 * 2654435761u >> 7) % SKEP_WMEMO_SLOTS;
        struct skep_wmemo *m = &w->memo[slot];
        if (m->generation != generation || m->p != s.p || m->n != s.n) {
            *m = (struct skep_wmemo){s.p, (uint32_t)s.n, skep_wdict__add(d, s, w->col.hashes[i]),
                                     generation};
            if (d->n > max_n || d->bytes_n > max_bytes) {
                skep_wdict__truncate(d, before);
                return false;
            }
        }
        w->tmp[i] = m->code;
    }
    return true;
}
