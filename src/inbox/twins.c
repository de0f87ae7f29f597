// SPDX-License-Identifier: Apache-2.0
/* Which reports are of the same occurrence (twins.h).
 *
 *   generation (two of them: what comes goes into the newer one)
 *     entries    an occurrence: its first report, and which wires have told of it
 *     lists      (environment, loose fingerprint, trace)                 -> entries, in order
 *                (environment, loose fingerprint, host, pid, 2 s)        -> entries, in order
 *
 *   report -> the first entry of its trace that its wire has not told of
 *          -> else the first such entry of its process, in its 2 s, then in those beside them,
 *             unless both name a trace of one tracer
 *          -> else an entry of its own
 *
 * Two ids of one tracer are two requests.  X-Ray traces beside others, with ids of its own: its id
 * and another one say nothing about each other.
 *
 * An entry learns traces and a process from its twins, so a third report finds it by any of them.
 * When a generation is full the older one goes: with the reports since its first, and what was
 * decided of each, all of it can be made anew (skep_twins_replay).
 *
 * I1  a report is of one entry; an entry has a wire once.
 * I2  per list and wire, no entry before the list's cursor lacks the wire: a storm of one wire
 * costs nothing a report.  Of the lists beside, and where a list has more than WIRES wires, at most
 *     WALK_MAX entries are looked at. */
#include "inbox/twins.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum { NONE = -1, WIRES = 4, WALK_MAX = 256 };
/* An entry may stand in a list by each of these; a place in a list is entry * SLOTS + slot. */
enum { TRACE, XRAY_TRACE, PROCESS, SLOTS, TRACERS = PROCESS };
static const int64_t window_ns = 2000000000;

struct entry {
    uint64_t place; /* hash of environment and loose fingerprint */
    skep_trace_id trace[TRACERS];
    uint64_t process; /* hash of place, host and pid; 0 = not said */
    skep_ts_ns time_ns;
    skep_row_id row;
    unsigned wire; /* of the first report */
    uint64_t wires;
    int32_t next[SLOTS]; /* places */
};

struct list {
    uint64_t hash;
    int32_t first, last; /* places */
    struct {
        unsigned wire; /* 0 = free */
        int32_t at;    /* I2; NONE = at the end: behind all there are */
    } cursor[WIRES];
};

struct generation {
    struct entry *entries;
    struct list *lists;
    int32_t n, n_lists;
    struct skep_index index; /* of lists */
};

struct skep_twins {
    struct generation generations[2];
    int newer;
};

_Static_assert(SKEP_SOURCE_COUNT *SKEP_KIND_COUNT <= 64, "wires are bits of a word");

struct skep_twins *skep_twins_new(void)
{
    struct skep_twins *t = skep_alloc(struct skep_twins);
    for (int g = 0; g < 2; g++)
        skep_index_init(&t->generations[g].index, 64);
    return t;
}

static void empty(struct generation *g)
{
    skep_free(g->entries);
    skep_free(g->lists);
    skep_index_clear(&g->index);
    g->entries = NULL;
    g->lists = NULL;
    g->n = g->n_lists = 0;
}

void skep_twins_free(struct skep_twins *t)
{
    if (!t)
        return;
    for (int g = 0; g < 2; g++) {
        empty(&t->generations[g]);
        skep_index_done(&t->generations[g].index);
    }
    skep_free(t);
}

// --- lists -------------------------------------------------------------------------------------

static uint64_t mixed(uint64_t hash, const void *p, size_t n)
{
    uint64_t both[2] = {hash, skep_hash((skep_bytes){p, n})};
    return skep_hash((skep_bytes){(const uint8_t *)both, sizeof both});
}

static bool has_trace(const skep_trace_id *t)
{
    static const skep_trace_id none;
    return memcmp(t, &none, sizeof none) != 0;
}

static uint64_t trace_key(uint64_t place, const skep_trace_id *trace)
{
    return mixed(place, trace, sizeof *trace);
}

static uint64_t process_key(uint64_t process, int64_t window)
{
    return mixed(process, &window, sizeof window);
}

static int64_t window_of(skep_ts_ns time_ns)
{
    return time_ns / window_ns - (time_ns % window_ns < 0);
}

static struct list *find_list(struct generation *g, uint64_t hash)
{
    struct skep_index_it it = skep_index_begin(&g->index, hash);
    uint32_t at;
    while ((at = skep_index_next(&g->index, &it)) != SKEP_INDEX_NONE) {
        if (g->lists[at].hash == hash)
            return &g->lists[at];
    }
    return NULL;
}

static void grow(struct generation *g)
{
    enum { FIRST = 64 };
    bool power = (g->n & (g->n - 1)) == 0;
    if (power && (g->n == 0 || g->n >= FIRST)) {
        size_t cap = g->n ? 2 * (size_t)g->n : FIRST;
        g->entries = skep_realloc(g->entries, cap * sizeof *g->entries);
        /* An entry begins at most one list a slot. */
        g->lists = skep_realloc(g->lists, SLOTS * cap * sizeof *g->lists);
    }
}

static struct entry *entry_at(struct generation *g, int32_t place)
{
    return &g->entries[place / SLOTS];
}

/* Put entry e at the end of the list of `hash`, by a slot. */
static void append(struct generation *g, uint64_t hash, int32_t e, int slot)
{
    struct list *l = find_list(g, hash);
    int32_t place = e * SLOTS + slot;
    if (!l) {
        l = &g->lists[g->n_lists];
        *l = (struct list){.hash = hash, .first = place, .last = place};
        skep_index_add(&g->index, hash, (uint32_t)g->n_lists++);
        return;
    }
    entry_at(g, l->last)->next[l->last % SLOTS] = place;
    l->last = place;
    for (int w = 0; w < WIRES; w++) {
        if (l->cursor[w].wire && l->cursor[w].at == NONE)
            l->cursor[w].at = place;
    }
}

static int32_t next_of(struct generation *g, int32_t place)
{
    return entry_at(g, place)->next[place % SLOTS];
}

/* The place where the wire's search begins, kept in the list when there is room for it. */
static int32_t *begin(struct list *l, unsigned wire, int32_t *otherwise)
{
    for (int w = 0; w < WIRES; w++) {
        if (l->cursor[w].wire == wire)
            return &l->cursor[w].at;
        if (l->cursor[w].wire == 0) {
            l->cursor[w].wire = wire;
            l->cursor[w].at = l->first;
            return &l->cursor[w].at;
        }
    }
    *otherwise = l->first;
    return otherwise;
}

// --- matching ----------------------------------------------------------------------------------

struct seeker {
    const struct skep_report *r;
    uint64_t place, process;
    bool trace;
    int tracer; /* whose trace it is: TRACE or XRAY_TRACE */
};

static bool is_of_trace(const struct entry *e, const skep_trace_id *t)
{
    return memcmp(&e->trace[TRACE], t, sizeof *t) == 0 ||
           memcmp(&e->trace[XRAY_TRACE], t, sizeof *t) == 0;
}

static bool fits(const struct seeker *s, const struct entry *e, bool of_trace)
{
    bool lacks = !((e->wires >> s->r->wire) & 1); /* I1 */
    if (of_trace)
        return lacks && e->place == s->place && is_of_trace(e, &s->r->trace);
    uint64_t a = (uint64_t)SKEP_MAX(e->time_ns, s->r->time_ns);
    uint64_t b = (uint64_t)SKEP_MIN(e->time_ns, s->r->time_ns);
    return lacks && e->process == s->process && a - b <= (uint64_t)window_ns &&
           !(s->trace && has_trace(&e->trace[s->tracer]));
}

static struct entry *search(struct generation *g, const struct seeker *s, uint64_t hash,
                            bool of_trace)
{
    struct list *l = find_list(g, hash);
    int32_t own;
    if (!l)
        return NULL;
    int32_t *cursor = begin(l, s->r->wire, &own);
    while (*cursor != NONE && ((entry_at(g, *cursor)->wires >> s->r->wire) & 1))
        *cursor = next_of(g, *cursor);
    int32_t at = *cursor;
    for (int walked = 0; at != NONE && walked < WALK_MAX; walked++) {
        if (fits(s, entry_at(g, at), of_trace))
            return entry_at(g, at);
        at = next_of(g, at);
    }
    return NULL;
}

static struct entry *find(struct skep_twins *t, const struct seeker *s, struct generation **ret)
{
    static const int64_t beside[] = {0, -1, 1};
    struct generation *by_age[] = {&t->generations[!t->newer], &t->generations[t->newer]};
    struct entry *e;
    for (int g = 0; g < 2 && s->trace; g++) {
        *ret = by_age[g];
        if ((e = search(*ret, s, trace_key(s->place, &s->r->trace), true)) != NULL)
            return e;
    }
    for (size_t b = 0; b < SKEP_ARRAY_LEN(beside) && s->process; b++) {
        uint64_t hash = process_key(s->process, window_of(s->r->time_ns) + beside[b]);
        for (int g = 0; g < 2; g++) {
            *ret = by_age[g];
            if ((e = search(*ret, s, hash, false)) != NULL)
                return e;
        }
    }
    return NULL;
}

/* Entry e learns what a report of it says and it does not know yet. */
static void learn(struct generation *g, struct entry *e, const struct seeker *s)
{
    int32_t at = (int32_t)(e - g->entries);
    e->wires |= 1ull << s->r->wire;
    if (s->trace && !has_trace(&e->trace[s->tracer]) && !is_of_trace(e, &s->r->trace)) {
        e->trace[s->tracer] = s->r->trace;
        append(g, trace_key(e->place, &s->r->trace), at, s->tracer);
    }
    if (s->process && !e->process) {
        e->process = s->process;
        e->time_ns = s->r->time_ns;
        append(g, process_key(e->process, window_of(e->time_ns)), at, PROCESS);
    }
}

static void add(struct skep_twins *t, const struct seeker *s)
{
    struct generation *g = &t->generations[t->newer];
    if (g->n == SKEP_TWINS_REMEMBERED) {
        t->newer = !t->newer;
        g = &t->generations[t->newer];
        empty(g);
    }
    grow(g);
    struct entry *e = &g->entries[g->n++];
    *e = (struct entry){.place = s->place,
                        .time_ns = s->r->time_ns,
                        .row = s->r->row,
                        .wire = s->r->wire,
                        .next = {NONE, NONE, NONE}};
    learn(g, e, s);
}

/* false: nothing could be its twin. */
static bool seeker_of(const struct skep_report *r, struct seeker *ret)
{
    uint64_t place = skep_hash(skep_str_bytes(r->environment));
    place = mixed(place, r->loose.p, r->loose.n);
    *ret = (struct seeker){.r = r,
                           .place = place,
                           .trace = has_trace(&r->trace),
                           .tracer =
                               skep_twins_source(r->wire) == SKEP_SOURCE_XRAY ? XRAY_TRACE : TRACE};
    skep_assert(r->wire > 0 && r->wire < 64);
    if (r->host.n > 0 && r->pid != 0) {
        uint64_t process = mixed(mixed(place, r->host.p, r->host.n), &r->pid, sizeof r->pid);
        ret->process = process ? process : 1;
    }
    return r->loose.n > 0 && (ret->trace || ret->process);
}

bool skep_twins_see(struct skep_twins *t, const struct skep_report *r, skep_row_id *ret_of,
                    unsigned *ret_of_wire)
{
    struct seeker s;
    struct generation *g;
    if (!seeker_of(r, &s))
        return false;
    struct entry *e = find(t, &s, &g);
    if (!e) {
        add(t, &s);
        return false;
    }
    learn(g, e, &s);
    *ret_of = e->row;
    *ret_of_wire = e->wire;
    return true;
}

static int order(skep_row_id a, skep_row_id b)
{
    if (a.seq != b.seq)
        return a.seq < b.seq ? -1 : 1;
    return (a.ordinal > b.ordinal) - (a.ordinal < b.ordinal);
}

/* Entries stand in the order of their rows. */
static struct entry *by_row(struct generation *g, skep_row_id row)
{
    int32_t low = 0, high = g->n;
    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        if (order(g->entries[mid].row, row) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < g->n && order(g->entries[low].row, row) == 0 ? &g->entries[low] : NULL;
}

void skep_twins_replay(struct skep_twins *t, const struct skep_report *r, skep_row_id of)
{
    struct seeker s;
    if (!seeker_of(r, &s))
        return;
    if (of.seq == 0) {
        add(t, &s);
        return;
    }
    for (int g = 0; g < 2; g++) {
        struct entry *e = by_row(&t->generations[g], of);
        if (e)
            learn(&t->generations[g], e, &s);
    }
}

skep_row_id skep_twins_from(const struct skep_twins *t)
{
    const struct generation *older = &t->generations[!t->newer], *newer = &t->generations[t->newer];
    return older->n   ? older->entries[0].row
           : newer->n ? newer->entries[0].row
                      : (skep_row_id){0, 0};
}
