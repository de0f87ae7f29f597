// SPDX-License-Identifier: Apache-2.0
/* Both sides of the ledger beside each other.
 *
 *   wire, first look  ->  store  ->  wire, second look
 *
 * While requests come, the two sides cannot be looked at in one moment.  But what the wire called
 * stored at the first look must be in the store when that is looked at (a row is visible before
 * its answer is counted), and what is in the store then must have been received by the second look
 * (it is counted before the store is asked):
 *
 *   accepted(first)  <=  stored  <=  received - duplicate - sampled - rejected  (second)
 *
 * Outside of that is a difference: rows lost, or rows out of nothing.  Where no request is in
 * flight both bounds are one number, and the comparison is exact.
 *
 * Threads: any that may wait.  Memory: copies of the books on the heap, lines in the arena. */
#include "ingest/ingest_priv.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum { LINES_OF_ONE = 400 };

static const uint32_t steps[] = {1, 5, 15, 60, 360, 1440, 10080, 40320};

/* Where a number goes: lines of one report under construction. */
struct lines {
    struct skep_ledger_line *items;
    size_t n, cap;
    uint32_t step, first, end; /* minutes */
    int source;
};

struct books {
    struct skep_ledger before, after; /* the wire */
    struct skep_store_ledger store;
};

static bool is_asked(int asked, unsigned source)
{
    if (asked == SKEP_LEDGER_NOT_SELF)
        return source != SKEP_SOURCE_SELF;
    return asked == SKEP_LEDGER_ALL || asked == (int)source;
}

/* The widest entry of the range. */
static uint32_t widest(const struct skep_ledger *l, uint32_t first, uint32_t end)
{
    uint32_t most = 1;
    for (size_t i = 0; i < l->n; i++) {
        struct skep_ledger_key k;
        bool known = skep_ledger_unpack(l->items[i].key, &k);
        uint32_t minutes = skep_ledger_minutes(k.width);
        if (known && k.minute < end && k.minute + minutes > first)
            most = SKEP_MAX(most, minutes);
    }
    return most;
}

static uint32_t choose_step(const struct books *b, uint32_t first, uint32_t end)
{
    uint32_t least = SKEP_MAX(widest(&b->after, first, end), widest(&b->store.counts, first, end));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(steps); i++)
        if (steps[i] >= least && (end - first) / steps[i] <= LINES_OF_ONE)
            return steps[i];
    return steps[SKEP_ARRAY_LEN(steps) - 1];
}

/* The line of an entry; made when it is not there; NULL: not asked for. */
static struct skep_ledger_line *line_of(struct lines *l, struct skep_ledger_key k)
{
    uint32_t start = k.minute / l->step * l->step;
    if (start < l->first || start >= l->end || !is_asked(l->source, k.source))
        return NULL;
    skep_ts_ns start_ns = start * (60 * INT64_C(1000000000));
    for (size_t i = l->n; i-- > 0;) { /* entries come by time: it is among the last few */
        struct skep_ledger_line *x = &l->items[i];
        if (x->start_ns == start_ns && x->source == k.source && x->signal == k.signal)
            return x;
        if (x->start_ns < start_ns)
            break;
    }
    SKEP_GROW(l->items, l->n, l->cap);
    l->items[l->n] =
        (struct skep_ledger_line){.start_ns = start_ns, .source = k.source, .signal = k.signal};
    return &l->items[l->n++];
}

static uint64_t *place_of(struct skep_ledger_line *x, unsigned what)
{
    switch (what) {
    case SKEP_LEDGER_RECEIVED: return &x->received;
    case SKEP_LEDGER_DUPLICATE: return &x->duplicate;
    case SKEP_LEDGER_SAMPLED: return &x->sampled;
    case SKEP_LEDGER_STORED: return &x->stored;
    case SKEP_LEDGER_STORED_ROWS: return &x->stored_rows;
    case SKEP_LEDGER_LIVE: return &x->live;
    case SKEP_LEDGER_LIVE_ROWS: return &x->live_rows;
    case SKEP_LEDGER_EXPIRED: return &x->expired;
    case SKEP_LEDGER_DELETED: return &x->deleted;
    case SKEP_LEDGER_SUPERSEDED: return &x->superseded;
    default: return what >= SKEP_LEDGER_REJECTED ? &x->rejected[what - SKEP_LEDGER_REJECTED] : NULL;
    }
}

/* Three lists by key, merged by it, so that line_of finds what it looks for at the end. */
struct cursor {
    const struct skep_ledger *l;
    size_t at;
    enum { WIRE_BEFORE, WIRE_AFTER, STORE } from;
};

static struct cursor *next_of(struct cursor *c, size_t n)
{
    struct cursor *best = NULL;
    for (size_t i = 0; i < n; i++) {
        if (c[i].at < c[i].l->n &&
            (!best || c[i].l->items[c[i].at].key < best->l->items[best->at].key))
            best = &c[i];
    }
    return best;
}

/* What the wire had acknowledged at the first look stands in `pending` until compare(). */
static void enter(struct lines *l, const struct cursor *c)
{
    struct skep_ledger_key k;
    if (!skep_ledger_unpack(c->l->items[c->at].key, &k))
        return;
    bool theirs = k.what == SKEP_LEDGER_RECEIVED || k.what >= SKEP_LEDGER_REJECTED;
    if (c->from == WIRE_BEFORE && k.what != SKEP_LEDGER_ACCEPTED)
        return;
    if (c->from == STORE && theirs)
        return; /* receipts: the wire's own words */
    struct skep_ledger_line *x = line_of(l, k);
    uint64_t *place = x ? c->from == WIRE_BEFORE ? &x->pending : place_of(x, k.what) : NULL;
    if (place)
        *place += c->l->items[c->at].n;
}

/* Rows that could not be read are neither live nor lost: with any of them the store's equation is
 * left open, and the report says how many they are (I2 of store/column/counts.c). */
static void compare(struct skep_ledger_line *x, bool all_read)
{
    uint64_t settled = x->duplicate + x->sampled, sure = x->pending;
    for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++)
        settled += x->rejected[r];
    uint64_t most = x->received - settled; /* each is part of what was received */
    uint64_t there = x->stored;
    x->pending = most > SKEP_MAX(there, sure) ? most - SKEP_MAX(there, sure) : 0;
    x->difference = (int64_t)(most - there - x->pending);
    if (all_read)
        x->store_difference =
            (int64_t)(x->stored - x->live - x->expired - x->deleted - x->superseded);
    /* In the first equation what was superseded stands beside what is stored. */
    x->stored -= SKEP_MIN(x->superseded, x->stored);
}

static int by_source(const void *a, const void *b)
{
    const struct skep_ledger_line *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->signal != y->signal)
        return x->signal < y->signal ? -1 : 1;
    return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

static void look_at_wire(struct skep_ingest *in, uint32_t from, struct skep_ledger *ret)
{
    skep_mutex_lock(&in->ledger_lock);
    skep_ledger_copy(ret, &in->book, from);
    skep_mutex_unlock(&in->ledger_lock);
    (void)skep_ledger_fold(ret, in->cfg.os->now_ns(in->cfg.os));
}

static void look(struct skep_ingest *in, skep_ts_ns from_ns, struct books *b)
{
    uint32_t from = skep_ledger_minute(from_ns);
    look_at_wire(in, from, &b->before);
    if (in->cfg.store->ops->ledger)
        in->cfg.store->ops->ledger(in->cfg.store, from_ns, true, &b->store);
    look_at_wire(in, from, &b->after);
}

void skep_ingest_ledger(struct skep_ingest *in, skep_ts_ns start_ns, skep_ts_ns end_ns, int source,
                        struct skep_arena *arena, struct skep_ledger_report *ret)
{
    skep_assert(start_ns < end_ns && arena && ret);
    struct books b = {.before = {0}};
    look(in, start_ns, &b);
    struct lines l = {.source = source,
                      .first = skep_ledger_minute(start_ns),
                      .end = skep_ledger_minute(end_ns - 1) + 1};
    l.step = choose_step(&b, l.first, l.end);
    l.first = l.first / l.step * l.step;
    struct cursor cursors[] = {
        {&b.before, 0, WIRE_BEFORE}, {&b.after, 0, WIRE_AFTER}, {&b.store.counts, 0, STORE}};
    for (struct cursor *c; (c = next_of(cursors, SKEP_ARRAY_LEN(cursors))) != NULL; c->at++)
        enter(&l, c);
    for (size_t i = 0; i < l.n; i++)
        compare(&l.items[i], b.store.unread_rows == 0);
    *ret = (struct skep_ledger_report){.n = l.n,
                                       .step_minutes = l.step,
                                       .unread_rows = b.store.unread_rows,
                                       .why = skep_arena_str(arena, skep_str_c(b.store.why))};
    ret->lines = skep_new_n(arena, struct skep_ledger_line, l.n + 1);
    if (l.n > 0) {
        qsort(l.items, l.n, sizeof l.items[0], by_source);
        memcpy(ret->lines, l.items, l.n * sizeof l.items[0]);
    }
    skep_free(l.items);
    skep_ledger_done(&b.before);
    skep_ledger_done(&b.after);
    skep_ledger_done(&b.store.counts);
}
