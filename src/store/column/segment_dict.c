// SPDX-License-Identifier: Apache-2.0
/* Dictionaries of the segment writer: strings in order of first appearance.
 *
 * Sources bring each string with its hash, so a string is looked up without being hashed again, and
 * only once a source: its code is kept by token (segment_gather.c).
 *
 * I1  items[i].offset + len <= bytes_n; strings are unique.
 * Threads: one. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_write.h"

enum { AHEAD = 8 /* rows */ };

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

static uint32_t find_domain(const struct skep_segment_writer *w, uint32_t token)
{
    uint32_t low = 0, high = w->n_domains;
    while (high - low > 1) {
        uint32_t mid = (low + high) / 2;
        if (w->domains[mid].base <= token)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* Rows beside each other are mostly of one source: its domain is looked at first. */
static inline const struct skep_wdomain *domain_of(struct skep_segment_writer *w, uint32_t token)
{
    const struct skep_wdomain *d = &w->domains[w->token_domain];
    if (token - d->base < d->n)
        return d;
    w->token_domain = find_domain(w, token);
    return &w->domains[w->token_domain];
}

static inline skep_str token_str(const struct skep_wdomain *d, uint32_t token)
{
    return d->dict ? skep_dict_str(d->dict, token - d->base) : d->strs[token - d->base];
}

static inline uint64_t token_hash(const struct skep_wdomain *d, uint32_t token)
{
    return d->dict ? d->dict->hashes[token - d->base]
                   : skep_hash(skep_str_bytes(d->strs[token - d->base]));
}

void skep_segment__spell(struct skep_segment_writer *w)
{
    for (uint32_t i = 0; i < w->col.n; i++)
        w->col.strs[i] = i > 0 && w->tokens[i] == w->tokens[i - 1]
                             ? w->col.strs[i - 1]
                             : token_str(domain_of(w, w->tokens[i]), w->tokens[i]);
}

/* What the token of a later row will be looked up by, if that is of the same source. */
static inline void fetch_token(const struct skep_segment_writer *w, uint32_t token)
{
    const struct skep_wdomain *d = &w->domains[w->token_domain];
    if (token - d->base < d->n && d->dict)
        SKEP_PREFETCH(&d->dict->hashes[token - d->base]);
}

void skep_wdict__forget_tokens(struct skep_segment_writer *w)
{
    if (++w->token_stamp != 0)
        return;
    memset(w->token_codes, 0, w->cap_tokens * sizeof *w->token_codes);
    w->token_stamp = 1;
}

bool skep_wdict__map(struct skep_segment_writer *w, struct skep_wdict *d, uint32_t max_n,
                     size_t max_bytes)
{
    uint32_t before = d->n;
    for (uint32_t i = 0; i < w->col.n; i++) {
        if (i + AHEAD < w->col.n)
            fetch_token(w, w->tokens[i + AHEAD]);
        uint32_t token = w->tokens[i];
        struct skep_wtoken *known = &w->token_codes[token];
        if (known->stamp != w->token_stamp) {
            const struct skep_wdomain *in = domain_of(w, token);
            *known = (struct skep_wtoken){
                w->token_stamp, skep_wdict__add(d, token_str(in, token), token_hash(in, token))};
            if (d->n > max_n || d->bytes_n > max_bytes) {
                skep_wdict__truncate(d, before);
                skep_wdict__forget_tokens(w);
                return false;
            }
        }
        w->tmp[i] = known->code;
    }
    return true;
}
