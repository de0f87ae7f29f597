// SPDX-License-Identifier: Apache-2.0
/* A ledger as a sorted array of (packed key, number).
 *
 *   key   minute since 1970 : 32 | width : 8 | source : 8 | signal : 8 | what : 8
 *
 * Counting goes to the end, where the newest minute stands: a look at the last place first, then
 * a binary search.  A minute takes four entries of 16 bytes for each source and signal.
 *
 * I1  keys ascend strictly.
 * I2  folding changes where numbers stand, never their sum; only days past their time are lost.
 *
 * Threads: one at a time.  Memory: the heap; bounded by folding, which its owner does at least once
 * an hour. */
#include "event/ledger.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

#define HOUR 60u
#define DAY  1440u

skep_str skep_signal_name(enum skep_signal s)
{
    static const skep_str names[SKEP_SIGNAL_COUNT] = {{"traces", 6}, {"logs", 4}, {"metrics", 7}};
    return s < SKEP_SIGNAL_COUNT ? names[s] : SKEP_STR("unknown");
}

skep_str skep_rejection_name(enum skep_rejection r)
{
    static const skep_str names[SKEP_REJECTION_COUNT] = {
#define X(id, number, name) [number] = {name, sizeof(name) - 1},
        SKEP_REJECTIONS(X)
#undef X
    };
    skep_assert(r < SKEP_REJECTION_COUNT);
    return names[r];
}

uint64_t skep_ledger_pack(struct skep_ledger_key k)
{
    skep_dassert(k.width <= SKEP_LEDGER_DAY);
    return (uint64_t)k.minute << 32 | (uint64_t)k.width << 24 | (uint64_t)k.source << 16 |
           (uint64_t)k.signal << 8 | k.what;
}

static bool is_what(uint8_t what)
{
    switch (what) {
#define X(id, number)                                                                              \
    case number: return true;
        SKEP_LEDGER_COUNTS(X)
#undef X
    default: return what > SKEP_LEDGER_REJECTED && what < SKEP_LEDGER_WHAT_END;
    }
}

bool skep_ledger_unpack(uint64_t packed, struct skep_ledger_key *ret)
{
    uint8_t width = (uint8_t)(packed >> 24);
    *ret = (struct skep_ledger_key){.minute = (uint32_t)(packed >> 32),
                                    .width = (enum skep_ledger_width)(width & 3),
                                    .source = (uint8_t)(packed >> 16),
                                    .signal = (uint8_t)(packed >> 8),
                                    .what = (uint8_t)packed};
    return width <= SKEP_LEDGER_DAY && ret->source < SKEP_SOURCE_COUNT &&
           ret->signal < SKEP_SIGNAL_COUNT && is_what(ret->what);
}

uint32_t skep_ledger_minute(skep_ts_ns ns)
{
    return ns > 0 ? (uint32_t)(ns / (60 * INT64_C(1000000000))) : 0;
}

uint32_t skep_ledger_minutes(enum skep_ledger_width w)
{
    return w == SKEP_LEDGER_DAY ? DAY : w == SKEP_LEDGER_HOUR ? HOUR : 1;
}

void skep_ledger_done(struct skep_ledger *l)
{
    skep_free(l->items);
    *l = (struct skep_ledger){0};
}

/* Index of the first entry whose key is not below `key`. */
static size_t lower_bound(const struct skep_ledger *l, uint64_t key)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (l->items[mid].key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void add(struct skep_ledger *l, uint64_t key, uint64_t n)
{
    size_t at = l->hint;
    if (at >= l->n || l->items[at].key != key)
        at = lower_bound(l, key);
    l->hint = at;
    if (at < l->n && l->items[at].key == key) {
        l->items[at].n += n;
        return;
    }
    SKEP_GROW(l->items, l->n, l->cap);
    memmove(l->items + at + 1, l->items + at, (l->n - at) * sizeof *l->items);
    l->items[at] = (struct skep_ledger_entry){key, n};
    l->n++;
}

void skep_ledger_add(struct skep_ledger *l, struct skep_ledger_key k, uint64_t n)
{
    skep_assert(k.source < SKEP_SOURCE_COUNT && k.signal < SKEP_SIGNAL_COUNT);
    if (n > 0)
        add(l, skep_ledger_pack(k), n);
}

void skep_ledger_merge(struct skep_ledger *l, const struct skep_ledger *from)
{
    skep_assert(l != from);
    for (size_t i = 0; i < from->n; i++)
        add(l, from->items[i].key, from->items[i].n);
}

void skep_ledger_unmerge(struct skep_ledger *l, const struct skep_ledger *from)
{
    skep_assert(l != from);
    for (size_t i = 0; i < from->n; i++)
        add(l, from->items[i].key, 0 - from->items[i].n);
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].n != 0)
            l->items[kept++] = l->items[i];
    l->n = kept;
    l->hint = 0;
}

void skep_ledger_copy(struct skep_ledger *to, const struct skep_ledger *from, uint32_t minute)
{
    skep_assert(to != from);
    *to = (struct skep_ledger){0};
    /* The widest entry that reaches beyond `minute` begins less than a day before it. */
    size_t first = lower_bound(from, (uint64_t)(minute > DAY ? minute - DAY : 0) << 32);
    to->cap = from->n - first;
    to->items = skep_alloc_n(struct skep_ledger_entry, to->cap);
    for (size_t i = first; i < from->n; i++) {
        struct skep_ledger_key k;
        bool known = skep_ledger_unpack(from->items[i].key, &k);
        if (known && k.minute + skep_ledger_minutes(k.width) > minute)
            to->items[to->n++] = from->items[i];
    }
}

uint64_t skep_ledger_get(const struct skep_ledger *l, struct skep_ledger_key k)
{
    uint64_t key = skep_ledger_pack(k);
    size_t at = lower_bound(l, key);
    return at < l->n && l->items[at].key == key ? l->items[at].n : 0;
}

/* Where the entry belongs as of minute `now`; false: it is past its time. */
static bool folded(uint64_t *key, uint32_t now)
{
    struct skep_ledger_key k;
    if (!skep_ledger_unpack(*key, &k))
        return false;
    if (k.width == SKEP_LEDGER_MINUTE &&
        k.minute / HOUR * HOUR + HOUR + SKEP_LEDGER_MINUTE_HOURS * HOUR <= now) {
        k.width = SKEP_LEDGER_HOUR;
        k.minute = k.minute / HOUR * HOUR;
    }
    if (k.width == SKEP_LEDGER_HOUR &&
        k.minute / DAY * DAY + DAY + SKEP_LEDGER_HOUR_DAYS * DAY <= now) {
        k.width = SKEP_LEDGER_DAY;
        k.minute = k.minute / DAY * DAY;
    }
    *key = skep_ledger_pack(k);
    return k.width != SKEP_LEDGER_DAY || k.minute + DAY + SKEP_LEDGER_DAY_DAYS * DAY > now;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct skep_ledger_entry *)a)->key;
    uint64_t y = ((const struct skep_ledger_entry *)b)->key;
    return x < y ? -1 : x > y;
}

bool skep_ledger_fold(struct skep_ledger *l, skep_ts_ns now_ns)
{
    uint32_t now = skep_ledger_minute(now_ns);
    bool changed = false;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct skep_ledger_entry e = l->items[i];
        bool keep = folded(&e.key, now);
        changed |= !keep || e.key != l->items[i].key;
        if (keep)
            l->items[n++] = e;
    }
    l->n = n;
    l->hint = 0;
    if (!changed || n == 0)
        return changed;
    qsort(l->items, n, sizeof l->items[0], by_key);
    size_t kept = 0;
    for (size_t i = 1; i < n; i++) {
        if (l->items[i].key == l->items[kept].key)
            l->items[kept].n += l->items[i].n;
        else
            l->items[++kept] = l->items[i];
    }
    l->n = kept + 1;
    skep_dassert(skep_ledger_check(l)); /* I1 */
    return true;
}

bool skep_ledger_check(const struct skep_ledger *l)
{
    struct skep_ledger_key k;
    for (size_t i = 0; i < l->n; i++) {
        if (!skep_ledger_unpack(l->items[i].key, &k) || l->items[i].n == 0)
            return false;
        if (i > 0 && l->items[i - 1].key >= l->items[i].key)
            return false;
    }
    return true;
}

void skep_ledger_add_receipt(struct skep_ledger *l, const struct skep_receipt *r, uint32_t minute)
{
    skep_assert(r->source > 0);
    struct skep_ledger_key k = {.minute = minute, .source = r->source, .signal = r->signal};
    k.what = SKEP_LEDGER_RECEIVED;
    skep_ledger_add(l, k, r->received);
    for (unsigned i = 0; i < SKEP_REJECTION_COUNT; i++) {
        k.what = (uint8_t)(SKEP_LEDGER_REJECTED + i);
        skep_ledger_add(l, k, r->rejected[i]);
    }
}
