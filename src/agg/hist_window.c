// SPDX-License-Identifier: Apache-2.0
/* Windows of a histogram: counts of neighbouring bins, open to be added to or packed to be kept.
 *
 *   open     a counter each bin, 4 bytes; 8 when one would overflow
 *   packed   u64 bits of 64 bins each: which have counts | those counts, in the least of 1, 2, 4
 *            and 8 bytes that holds the largest
 *
 * Latencies of one group lie in a few powers of two of the twenty a window spans, and of few values
 * most counts are small: packed, a window takes a tenth.  (Gaps as numbers would take as much where
 * bins are dense, and more to read.)
 *
 * I1  Packing loses nothing: open -> packed -> open gives the counts of before.
 * I2  Counts stop at UINT64_MAX.
 *
 * Threads: one at a time.  Memory: from the partial's. */
#include "agg/hist.h"
#include "base/assert.h"

static size_t open_bytes(const struct skep_hist_window *w)
{
    return (size_t)w->n * (w->form == SKEP_HIST_U64 ? sizeof(uint64_t) : sizeof(uint32_t));
}

static uint32_t n_words(uint32_t bins)
{
    return (bins + 63) / 64;
}

static size_t packed_bytes(uint32_t bins, uint32_t n_counts, unsigned width)
{
    return n_words(bins) * sizeof(uint64_t) + (size_t)n_counts * width;
}

void skep_hist__free(struct skep_hist_window *w, struct skep_agg_mem *mem)
{
    skep_agg_free(mem, w->counts,
                  w->form == SKEP_HIST_PACKED ? packed_bytes(w->n, w->n_counts, w->width)
                                              : open_bytes(w));
    *w = (struct skep_hist_window){0};
}

static skep_rc to_wide(struct skep_hist_window *w, struct skep_agg_mem *mem)
{
    uint64_t *wide = skep_agg_alloc(mem, w->n * sizeof *wide);
    if (!wide)
        return SKEP_ENOMEM;
    for (uint32_t i = 0; i < w->n; i++)
        wide[i] = ((const uint32_t *)w->counts)[i];
    skep_agg_free(mem, w->counts, open_bytes(w));
    w->counts = wide;
    w->form = SKEP_HIST_U64;
    return SKEP_OK;
}

/* Make the open window hold bins lo..hi: whole powers of two, grown by a quarter at least. */
static skep_rc cover(struct skep_hist_window *w, uint32_t lo, uint32_t hi, struct skep_agg_mem *mem)
{
    enum { STEP = 1 << SKEP_HIST_SUB_BITS };
    if (w->n > 0 && lo >= w->base && hi < w->base + w->n)
        return SKEP_OK;
    uint32_t spare = w->n / 4;
    uint32_t base = lo, end = hi + 1;
    if (w->n > 0) {
        base = lo < w->base ? (lo > spare ? lo - spare : 0) : w->base;
        end = hi >= w->base + w->n ? hi + 1 + spare : w->base + w->n;
    }
    base = base / STEP * STEP;
    end = SKEP_MIN((end + STEP - 1) / STEP * STEP, (uint32_t)SKEP_HIST_BINS);
    struct skep_hist_window more = {.base = base, .n = end - base, .form = w->form};
    more.counts = skep_agg_alloc(mem, open_bytes(&more));
    if (!more.counts)
        return SKEP_ENOMEM;
    if (w->n > 0)
        memcpy((uint8_t *)more.counts + open_bytes(w) / w->n * (w->base - base), w->counts,
               open_bytes(w));
    skep_hist__free(w, mem);
    *w = more;
    return SKEP_OK;
}

/* To an open window. */
static inline skep_rc bump(struct skep_hist_window *w, uint32_t bin, uint64_t by,
                           struct skep_agg_mem *mem)
{
    if (SKEP_UNLIKELY(bin - w->base >= w->n || bin < w->base))
        SKEP_TRY(cover(w, bin, bin, mem));
    uint32_t i = bin - w->base;
    if (SKEP_LIKELY(w->form == SKEP_HIST_U32)) {
        uint32_t *c = (uint32_t *)w->counts + i;
        if (SKEP_LIKELY(by <= UINT32_MAX - *c)) {
            *c += (uint32_t)by;
            return SKEP_OK;
        }
        SKEP_TRY(to_wide(w, mem));
    }
    uint64_t *c = (uint64_t *)w->counts + i;
    *c = skep_agg__add_sat(*c, by);
    return SKEP_OK;
}

/* --- packed ones --- */

SKEP_INLINE uint64_t get(const void *counts, uint32_t k, unsigned width)
{
    return width == 1   ? ((const uint8_t *)counts)[k]
           : width == 2 ? ((const uint16_t *)counts)[k]
           : width == 4 ? ((const uint32_t *)counts)[k]
                        : ((const uint64_t *)counts)[k];
}

SKEP_INLINE void put(void *counts, uint32_t k, unsigned width, uint64_t n)
{
    if (width == 1)
        ((uint8_t *)counts)[k] = (uint8_t)n;
    else if (width == 2)
        ((uint16_t *)counts)[k] = (uint16_t)n;
    else if (width == 4)
        ((uint32_t *)counts)[k] = (uint32_t)n;
    else
        ((uint64_t *)counts)[k] = n;
}

/* d += s, which is packed and lies inside; width is a constant where it is inlined. */
SKEP_INLINE skep_rc add_packed_of(struct skep_hist_window *d, const struct skep_hist_window *s,
                                  unsigned width, struct skep_agg_mem *mem)
{
    const uint64_t *words = s->counts;
    const void *counts = words + n_words(s->n);
    uint32_t k = 0, *to = d->form == SKEP_HIST_U32 ? (uint32_t *)d->counts : NULL;
    for (uint32_t i = 0; i < n_words(s->n); i++)
        for (uint64_t left = words[i]; left; left &= left - 1, k++) {
            uint32_t bin = s->base + i * 64 + SKEP_CTZ64(left);
            uint64_t by = get(counts, k, width);
            if (SKEP_LIKELY(to && by <= UINT32_MAX - to[bin - d->base])) {
                to[bin - d->base] += (uint32_t)by;
                continue;
            }
            SKEP_TRY(bump(d, bin, by, mem));
            to = NULL; /* counters are wide now */
        }
    return SKEP_OK;
}

static skep_rc add_packed(struct skep_hist_window *d, const struct skep_hist_window *s,
                          struct skep_agg_mem *mem)
{
    switch (s->width) {
    case 1: return add_packed_of(d, s, 1, mem);
    case 2: return add_packed_of(d, s, 2, mem);
    case 4: return add_packed_of(d, s, 4, mem);
    default: return add_packed_of(d, s, 8, mem);
    }
}

static skep_rc unpack(struct skep_hist_window *w, struct skep_agg_mem *mem)
{
    struct skep_hist_window open = {0};
    skep_rc rc = cover(&open, w->base, w->base + w->n - 1, mem);
    if (rc == SKEP_OK)
        rc = add_packed(&open, w, mem);
    skep_hist__free(rc == SKEP_OK ? w : &open, mem);
    if (rc == SKEP_OK)
        *w = open;
    return rc;
}

SKEP_INLINE void fill(const struct skep_hist_window *w, uint32_t from, unsigned width,
                      struct skep_hist_window *ret)
{
    uint64_t *words = ret->counts;
    void *counts = words + n_words(ret->n);
    uint32_t k = 0;
    for (uint32_t i = 0; i < ret->n; i++) {
        uint64_t n = skep_hist__count(w, from + i);
        if (n == 0)
            continue;
        words[i / 64] |= 1ull << (i % 64);
        put(counts, k++, width, n);
    }
}

bool skep_hist__next_packed(const struct skep_hist_window *w, struct skep_hist_it *it,
                            uint32_t *ret_bin, uint64_t *ret)
{
    const uint64_t *words = w->counts;
    while (it->left == 0 && it->at < n_words(w->n))
        it->left = words[it->at++];
    if (it->left == 0)
        return false;
    *ret_bin = w->base + (it->at - 1) * 64 + SKEP_CTZ64(it->left);
    it->left &= it->left - 1;
    *ret = get(words + n_words(w->n), it->k++, w->width);
    return true;
}

SKEP_CLONES static uint64_t sum32(const uint32_t *counts, uint32_t n)
{
    uint64_t sum = 0; /* of at most 2^17 counts */
    for (uint32_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

uint64_t skep_hist__total(const struct skep_hist_window *w)
{
    if (w->form == SKEP_HIST_U32)
        return sum32(w->counts, w->n);
    uint64_t total = 0, n = 0;
    uint32_t bin = 0;
    for (struct skep_hist_it it = {0}; skep_hist__next(w, &it, &bin, &n);)
        total = skep_agg__add_sat(total, n);
    return total;
}

bool skep_hist__find(const struct skep_hist_window *w, uint64_t rank, uint32_t *ret)
{
    enum { STEP = 64 };
    struct skep_hist_it it = {0};
    uint64_t seen = 0, n = 0;
    if (w->form == SKEP_HIST_U32) /* 64 bins at once, as far as all of them come before it */
        for (; it.at + STEP <= w->n; it.at += STEP, seen += n) {
            n = sum32((const uint32_t *)w->counts + it.at, STEP);
            if (seen + n >= rank)
                break;
        }
    while (skep_hist__next(w, &it, ret, &n)) {
        seen = skep_agg__add_sat(seen, n);
        if (seen >= rank)
            return true;
    }
    return false;
}

void skep_hist__pack(struct skep_hist_window *w, struct skep_agg_mem *mem)
{
    if (w->n == 0 || w->form == SKEP_HIST_PACKED)
        return;
    uint32_t lo = 0, hi = w->n;
    while (lo < hi && skep_hist__count(w, lo) == 0)
        lo++;
    while (hi > lo && skep_hist__count(w, hi - 1) == 0)
        hi--;
    struct skep_hist_window p = {.base = w->base + lo, .n = hi - lo, .form = SKEP_HIST_PACKED};
    uint64_t all = 0;
    for (uint32_t i = lo; i < hi; i++) {
        all |= skep_hist__count(w, i);
        p.n_counts += skep_hist__count(w, i) > 0;
    }
    p.width = all <= UINT8_MAX ? 1 : all <= UINT16_MAX ? 2 : all <= UINT32_MAX ? 4 : 8;
    if (p.n == 0 || packed_bytes(p.n, p.n_counts, p.width) >= open_bytes(w))
        return;
    p.counts = skep_agg_alloc(mem, packed_bytes(p.n, p.n_counts, p.width));
    if (!p.counts)
        return;
    switch (p.width) {
    case 1: fill(w, lo, 1, &p); break;
    case 2: fill(w, lo, 2, &p); break;
    case 4: fill(w, lo, 4, &p); break;
    default: fill(w, lo, 8, &p); break;
    }
    skep_hist__free(w, mem);
    *w = p;
}

/* --- adding --- */

skep_rc skep_hist__bump(struct skep_hist_window *w, uint32_t bin, uint64_t by,
                        struct skep_agg_mem *mem)
{
    if (SKEP_UNLIKELY(w->form == SKEP_HIST_PACKED))
        SKEP_TRY(unpack(w, mem));
    return bump(w, bin, by, mem);
}

/* d += s, or false, and nothing has changed: a counter would overflow. */
SKEP_CLONES SKEP_WRAPS static bool add_counts(uint32_t *restrict d, const uint32_t *restrict s,
                                              uint32_t n)
{
    uint32_t over = 0;
    for (uint32_t i = 0; i < n; i++)
        over |= (uint32_t)(s[i] > ~d[i]);
    for (uint32_t i = 0; i < n && !over; i++)
        d[i] += s[i];
    return !over;
}

static skep_rc copy_packed(struct skep_hist_window *d, const struct skep_hist_window *s,
                           struct skep_agg_mem *mem)
{
    size_t bytes = packed_bytes(s->n, s->n_counts, s->width);
    void *counts = skep_agg_alloc(mem, bytes);
    if (!counts)
        return SKEP_ENOMEM;
    *d = *s;
    d->counts = memcpy(counts, s->counts, bytes);
    return SKEP_OK;
}

skep_rc skep_hist__merge(struct skep_hist_window *d, const struct skep_hist_window *s,
                         struct skep_agg_mem *mem)
{
    if (s->n == 0)
        return SKEP_OK;
    if (d->n == 0 && s->form == SKEP_HIST_PACKED)
        return copy_packed(d, s, mem);
    if (d->form == SKEP_HIST_PACKED)
        SKEP_TRY(unpack(d, mem));
    SKEP_TRY(cover(d, s->base, s->base + s->n - 1, mem));
    if (s->form == SKEP_HIST_PACKED)
        return add_packed(d, s, mem);
    if (d->form == SKEP_HIST_U32 && s->form == SKEP_HIST_U32 &&
        add_counts((uint32_t *)d->counts + (s->base - d->base), (const uint32_t *)s->counts, s->n))
        return SKEP_OK;
    for (uint32_t i = 0; i < s->n; i++) {
        uint64_t n = skep_hist__count(s, i);
        if (n > 0)
            SKEP_TRY(bump(d, s->base + i, n, mem));
    }
    return SKEP_OK;
}
