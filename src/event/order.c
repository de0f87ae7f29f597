// SPDX-License-Identifier: Apache-2.0
/* The fields of a batch in the order of their names: what a frame's directory is in.
 *
 *   sorted   known names in order of (name bytes, scope, type)      made when names were added
 *   rank     the place of each in it
 *
 *   fields --rank--> bits, one a place --sorted--> fields in order
 *
 * So the names of a request that the one before had as well are not compared again.
 *
 * Threads, memory: batch.c; beside it, scratch for the call. */
#include "event/batch_priv.h"

#include "base/assert.h"
#include "base/mem.h"

#define NONE SKEP_BATCH_NONE

/* A name to be put in order: the part of it behind what all names begin with, eight bytes of it as
 * a number that sorts like them. */
struct named {
    uint64_t first; /* zeros behind a shorter one: then the length decides */
    skep_str rest;  /* what stands behind these eight */
    uint32_t n;
    uint8_t scope, type;
};

static bool before(const struct named *x, const struct named *y)
{
    if (x->first != y->first)
        return x->first < y->first;
    int c = skep_str_cmp(x->rest, y->rest);
    if (c == 0)
        c = (x->n > y->n) - (x->n < y->n);
    if (c == 0)
        c = (int)x->scope - (int)y->scope;
    return c != 0 ? c < 0 : x->type < y->type;
}

/* order[n], numbers into v, by merging ever longer runs; tmp[n] is scratch.  A comparison is one of
 * two numbers nearly always: qsort would spend its time in calling it. */
static const uint32_t *sort_names(const struct named *v, uint32_t n, uint32_t *order, uint32_t *tmp)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t run = 1; run < n; run *= 2) {
        for (uint32_t at = 0; at < n; at += 2 * run) {
            uint32_t a = at, mid = SKEP_MIN(at + run, n), b = mid, end = SKEP_MIN(mid + run, n);
            for (uint32_t to = at; to < end; to++) {
                bool second = a == mid || (b < end && before(&v[order[b]], &v[order[a]]));
                tmp[to] = order[second ? b++ : a++];
            }
        }
        uint32_t *swap = order;
        order = tmp;
        tmp = swap;
    }
    return order;
}

static size_t common_prefix(skep_str a, skep_str b, size_t max)
{
    size_t n = 0;
    max = SKEP_MIN(max, SKEP_MIN(a.n, b.n));
    while (n < max && a.p[n] == b.p[n])
        n++;
    return n;
}

static void cut_prefix(struct named *v, uint32_t n)
{
    size_t prefix = n > 0 ? v[0].rest.n : 0;
    for (uint32_t i = 1; i < n; i++)
        prefix = common_prefix(v[0].rest, v[i].rest, prefix);
    for (uint32_t i = 0; i < n; i++) {
        struct named *x = &v[i];
        x->rest = skep_str_skip(x->rest, prefix);
        x->n = (uint32_t)x->rest.n;
        for (size_t k = 0; k < 8; k++)
            x->first = x->first << 8 | (k < x->rest.n ? (uint8_t)x->rest.p[k] : 0);
        x->rest = skep_str_skip(x->rest, SKEP_MIN(x->rest.n, (size_t)8));
    }
}

/* Makes sorted and rank anew. */
static void sort_known(struct skep_batch__scratch *s)
{
    uint32_t n = s->n_known - SKEP_KIND_COUNT;
    struct named *v = skep_alloc_n(struct named, n);
    uint32_t *tmp = skep_malloc((2 * (size_t)n + 1) * sizeof *tmp);
    for (uint32_t i = 0; i < n; i++) {
        const struct skep_batch__known *k = &s->known[SKEP_KIND_COUNT + i];
        v[i] = (struct named){
            .rest = {(const char *)s->names.data + k->offset, skep_batch__key_name_n(k->key)},
            .scope = skep_batch__key_scope(k->key),
            .type = skep_batch__key_type(k->key)};
    }
    cut_prefix(v, n);
    const uint32_t *order = sort_names(v, n, tmp, tmp + n);
    for (uint32_t at = 0; at < n; at++) {
        s->sorted[at] = SKEP_KIND_COUNT + order[at];
        s->rank[s->sorted[at]] = at;
    }
    s->n_sorted = s->n_known;
    skep_free(tmp);
    skep_free(v);
}

uint32_t skep_batch_order(const struct skep_batch *b, uint32_t *ret)
{
    struct skep_batch__scratch *s = b->scratch;
    if (s->n_sorted != s->n_known)
        sort_known(s);
    size_t words = (size_t)s->n_known / 64 + 1;
    uint64_t *bits = skep_alloc_n(uint64_t, words);
    for (uint32_t f = 0; f < b->n_fields; f++) {
        uint32_t at = s->rank[s->known_as[f]];
        if (b->fields[f].n > 0)
            bits[at / 64] |= 1ull << (at % 64);
    }
    uint32_t n = 0;
    for (size_t w = 0; w < words; w++)
        for (uint64_t left = bits[w]; left; left &= left - 1)
            ret[n++] = s->known[s->sorted[w * 64 + (size_t)SKEP_CTZ64(left)]].field;
    skep_free(bits);
    skep_assert(n <= b->n_fields);
    return n;
}
