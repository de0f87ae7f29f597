// SPDX-License-Identifier: Apache-2.0
/* Which segment a streamed subsegment belongs to.
 *
 * An independent subsegment names its parent, not its segment, and may come before both.  So the
 * last documents are remembered: of a segment what its subsegments take from it, of a subsegment
 * whose segment is not known its own text.
 *
 *   nodes    (trace, id)      -> record     every id inside a document leads to it
 *   waiters  (trace, parent)  -> records    of subsegments whose parent has no owner yet
 *   last     (trace, sender)  -> record     the last segment: what a guess is made from
 *   strays   (trace, sender)  -> records    of those that have not even a guess
 *
 *   a subsegment comes:  its parent has an owner: bound.  Else it waits, with a guess: the last
 *                        segment of its trace that the same process sent, or nobody.
 *   a segment comes:     it is the owner of its ids; who waits for one of them is bound and stored
 *                        again (it supersedes what was stored, xray_rows.c); so is, in turn, who
 *                        waits for those; strays of its process take it for a guess.
 *
 * What is remembered lies in two generations.  When the newer one has half of the bytes or of the
 * time, the older one is forgotten as a whole.
 *
 * I1  a document is bound to what the call and the table hold, whatever their order in the call.
 * I2  work is linear: a record is bound once, a chain is walked when its records leave it.
 * I3  a complete document is never replaced by an open one of the same id that comes late.
 * Threads: any; one lock, held for the table alone: of JSON only ids are read under it.
 * Memory: bytes_max, about: what one call adds comes on top of a generation's half. */
#include "ingest/xray_priv.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "os/thread.h"
#include "wire/json_in.h"

#define NONE SKEP_INDEX_NONE

/* u64 -> u32. */
struct map {
    struct map_item {
        uint64_t key;
        uint32_t value;
    } * items;
    uint32_t n, cap;
    struct skep_index index;
};

struct record {
    uint64_t key, parent_key;             /* of nodes; parent 0 = it has none */
    uint64_t peer_key;                    /* of last and strays; 0 = unknown */
    const struct skep_xray__owner *owner; /* while it waits a guess; NULL = nobody */
    skep_str raw;                         /* while it waits, behind its call */
    uint32_t next_waiter, next_stray;
    uint32_t first_node, n_nodes;
    uint32_t doc; /* of the call at hand, or NONE */
    bool waiting;
    enum skep_xray__state state;
};

enum { NODES, WAITERS, LAST, STRAYS, MAP_COUNT };

struct generation {
    struct skep_arena arena; /* owners and texts */
    struct record *records;
    uint32_t n_records, cap_records;
    struct map maps[MAP_COUNT];
    const struct skep_xray__owner **owners;
    uint32_t n_owners, cap_owners;
    struct skep_index owner_index;
    skep_ts_ns since_ns;
};

struct skep_xray_bind {
    struct skep_mutex lock;
    struct generation *g[2]; /* newer, older; all below: lock */
    size_t bytes_max;
    int64_t keep_ns;
};

/* A record by place; the array may move. */
struct at {
    struct generation *g;
    uint32_t i;
};

/* One call. */
struct call {
    struct skep_xray__dec *d;
    struct skep_xray_bind *bind;
    struct at *found; /* records that have their owner since, to be followed */
    size_t n_found, cap_found;
    struct moved { /* ids that led to another record before */
        uint64_t key;
        uint32_t record; /* of the newer generation */
    } * moved;
    size_t n_moved, cap_moved;
    const struct skep_xray__owner *copied; /* the last owner copied for the call, */
    struct skep_xray__owner *copy;         /* and its copy: neighbours mostly share it */
};

static const struct skep_xray__owner nobody;

// --- maps --------------------------------------------------------------------------------------

static uint32_t *map_find(const struct map *m, uint64_t key)
{
    struct skep_index_it it = skep_index_begin(&m->index, key);
    for (uint32_t i; (i = skep_index_next(&m->index, &it)) != NONE;)
        if (m->items[i].key == key)
            return &m->items[i].value;
    return NULL;
}

/* Its value, NONE when it is new.  The pointer is good until the next one is added. */
static uint32_t *map_get(struct map *m, uint64_t key)
{
    uint32_t *value = map_find(m, key);
    if (value)
        return value;
    SKEP_GROW(m->items, m->n, m->cap);
    m->items[m->n] = (struct map_item){key, NONE};
    skep_index_add(&m->index, key, m->n);
    return &m->items[m->n++].value;
}

// --- generations -------------------------------------------------------------------------------

static struct generation *generation_new(skep_ts_ns now)
{
    struct generation *g = skep_alloc(struct generation);
    skep_arena_init(&g->arena, "x-ray documents", NULL);
    skep_index_init(&g->owner_index, 0);
    for (unsigned i = 0; i < MAP_COUNT; i++)
        skep_index_init(&g->maps[i].index, 0);
    g->since_ns = now;
    return g;
}

static void generation_free(struct generation *g)
{
    if (!g)
        return;
    skep_arena_done(&g->arena);
    skep_index_done(&g->owner_index);
    for (unsigned i = 0; i < MAP_COUNT; i++) {
        skep_index_done(&g->maps[i].index);
        skep_free(g->maps[i].items);
    }
    skep_free(g->records);
    skep_free(g->owners);
    skep_free(g);
}

static size_t bytes_of(const struct generation *g)
{
    size_t sum = g->arena.total_bytes + g->cap_records * sizeof *g->records;
    for (unsigned i = 0; i < MAP_COUNT; i++)
        sum += g->maps[i].cap * sizeof *g->maps[i].items +
               g->maps[i].index.cap * sizeof *g->maps[i].index.slots;
    return sum;
}

struct skep_xray_bind *skep_xray_bind_new(size_t bytes_max, int64_t keep_ns)
{
    struct skep_xray_bind *bind = skep_alloc(struct skep_xray_bind);
    skep_mutex_init(&bind->lock, "x-ray documents");
    bind->bytes_max = SKEP_MAX(bytes_max, (size_t)64 << 10);
    bind->keep_ns = keep_ns;
    bind->g[0] = generation_new(0);
    return bind;
}

void skep_xray_bind_free(struct skep_xray_bind *bind)
{
    if (!bind)
        return;
    generation_free(bind->g[0]);
    generation_free(bind->g[1]);
    skep_mutex_done(&bind->lock);
    skep_free(bind);
}

static void rotate(struct skep_xray_bind *bind, skep_ts_ns now)
{
    struct generation *g = bind->g[0];
    if (g->n_records == 0)
        g->since_ns = now;
    bool old = now < g->since_ns || now - g->since_ns > bind->keep_ns / 2;
    if (bytes_of(g) <= bind->bytes_max / 2 && !old)
        return;
    generation_free(bind->g[1]);
    bind->g[1] = g;
    bind->g[0] = generation_new(now);
}

// --- keys --------------------------------------------------------------------------------------

static SKEP_WRAPS uint64_t trace_key(const struct skep_xray__dec *d, const skep_trace_id *trace)
{
    skep_str env = d->opts->environment;
    bool own = env.n > 0 && !skep_str_eq(env, SKEP_ENVIRONMENT_DEFAULT);
    return skep_hash_seed((skep_bytes){trace->b, sizeof trace->b},
                          own ? skep_hash(skep_str_bytes(env)) : 0);
}

/* Never 0. */
static SKEP_WRAPS uint64_t key_in(uint64_t trace, uint64_t id)
{
    uint64_t key = skep_hash_u64(trace + skep_hash_u64(id));
    return key ? key : 1;
}

static bool find_record(struct skep_xray_bind *bind, uint64_t key, struct at *ret)
{
    for (unsigned i = 0; i < 2 && bind->g[i]; i++) {
        const uint32_t *record = map_find(&bind->g[i]->maps[NODES], key);
        if (record) {
            *ret = (struct at){bind->g[i], *record};
            return true;
        }
    }
    return false;
}

static struct record *record_at(struct at at)
{
    skep_assert(at.i < at.g->n_records);
    return &at.g->records[at.i];
}

// --- remembering -------------------------------------------------------------------------------

static SKEP_WRAPS uint64_t owner_hash(const struct skep_xray__owner *o)
{
    uint64_t h = skep_hash(skep_str_bytes(o->service));
    for (unsigned i = 0; i < o->n_fields; i++) {
        const skep_value *v = &o->fields[i].value;
        bool text = v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_ARRAY;
        h = skep_hash_seed(skep_str_bytes(o->fields[i].name), h);
        h = text ? skep_hash_seed(skep_str_bytes(v->s), h) : skep_hash_u64(h + (uint64_t)v->i);
    }
    return h;
}

static bool same_owner(const struct skep_xray__owner *a, const struct skep_xray__owner *b)
{
    bool same = skep_str_eq(a->service, b->service) && a->n_fields == b->n_fields;
    for (unsigned i = 0; same && i < a->n_fields; i++) {
        const skep_value *x = &a->fields[i].value, *y = &b->fields[i].value;
        same = skep_str_eq(a->fields[i].name, b->fields[i].name) && x->type == y->type;
        if (same && (x->type == SKEP_TYPE_STRING || x->type == SKEP_TYPE_ARRAY))
            same = skep_str_eq(x->s, y->s);
        else if (same && x->type == SKEP_TYPE_BOOL)
            same = x->b == y->b;
        else if (same)
            same = x->i == y->i; // the bits of a double are as good
    }
    return same;
}

/* Segments of one process say the same of it: kept once. */
static const struct skep_xray__owner *keep_owner(struct generation *g,
                                                 const struct skep_xray__owner *o)
{
    uint64_t hash = owner_hash(o);
    struct skep_index_it it = skep_index_begin(&g->owner_index, hash);
    for (uint32_t i; (i = skep_index_next(&g->owner_index, &it)) != NONE;)
        if (same_owner(g->owners[i], o))
            return g->owners[i];
    SKEP_GROW(g->owners, g->n_owners, g->cap_owners);
    g->owners[g->n_owners] = skep_xray__owner_copy(&g->arena, o);
    skep_index_add(&g->owner_index, hash, g->n_owners);
    return g->owners[g->n_owners++];
}

static void add_node(struct call *c, uint64_t key, uint32_t record)
{
    uint32_t *value = map_get(&c->bind->g[0]->maps[NODES], key);
    if (*value != NONE) {
        SKEP_GROW(c->moved, c->n_moved, c->cap_moved);
        c->moved[c->n_moved++] = (struct moved){key, record};
    }
    *value = record;
}

static void add_nodes(struct call *c, yyjson_val *node, uint64_t trace, uint32_t record,
                      unsigned depth)
{
    yyjson_val *child;
    uint64_t id;
    size_t i, n;
    skep_str text = skep_xray__str(node, "id");
    if (text.n) {
        (void)skep_xray_span_id(text, &id); // odd ids are kept, by hash
        add_node(c, key_in(trace, id), record);
    }
    if (depth == SKEP_XRAY_DEPTH_MAX)
        return;
    yyjson_arr_foreach(yyjson_obj_get(node, "subsegments"), i, n, child)
    {
        add_nodes(c, child, trace, record, depth + 1);
    }
}

/* Make it the head of a chain; returns the head before. */
static uint32_t chain(struct map *m, uint64_t key, uint32_t record)
{
    uint32_t *head = map_get(m, key), before = *head;
    *head = record;
    return before;
}

/* The same document, remembered before: it steps back.  False: it stays, the new one is late. */
static bool replace_older(struct skep_xray_bind *bind, const struct skep_xray__doc *doc,
                          uint64_t key)
{
    struct at old;
    if (!find_record(bind, key, &old) || record_at(old)->key != key)
        return true; // none, or it stood inside another document
    if (record_at(old)->state == SKEP_XRAY__COMPLETE && doc->state == SKEP_XRAY__OPEN)
        return false; // I3
    record_at(old)->waiting = false;
    return true;
}

static void found(struct call *c, struct generation *g, uint32_t i)
{
    SKEP_GROW(c->found, c->n_found, c->cap_found);
    c->found[c->n_found++] = (struct at){g, i};
}

static void remember(struct call *c, uint32_t number)
{
    const struct skep_xray__doc *doc = &c->d->docs[number];
    struct generation *g = c->bind->g[0];
    uint64_t trace = trace_key(c->d, &doc->trace), key = key_in(trace, doc->id);
    if (!replace_older(c->bind, doc, key))
        return;
    SKEP_GROW(g->records, g->n_records, g->cap_records);
    uint32_t i = g->n_records++, first = g->maps[NODES].n;
    struct record *r = &g->records[i];
    *r = (struct record){.key = key,
                         .parent_key = doc->parent ? key_in(trace, doc->parent) : 0,
                         .peer_key = doc->sender ? key_in(trace, ~doc->sender) : 0,
                         .next_waiter = NONE,
                         .next_stray = NONE,
                         .first_node = first,
                         .doc = number,
                         .waiting = !doc->segment,
                         .state = doc->state};
    add_nodes(c, doc->root, trace, i, 0);
    r->n_nodes = g->maps[NODES].n - first;
    if (doc->segment) {
        r->owner = keep_owner(g, doc->owner);
        if (r->peer_key)
            *map_get(&g->maps[LAST], r->peer_key) = i;
        found(c, g, i);
        return;
    }
    if (r->parent_key)
        r->next_waiter = chain(&g->maps[WAITERS], r->parent_key, i);
    if (r->peer_key)
        r->next_stray = chain(&g->maps[STRAYS], r->peer_key, i);
}

// --- binding -----------------------------------------------------------------------------------

static struct skep_xray__owner *copy_of(struct call *c, const struct skep_xray__owner *from)
{
    if (!from)
        from = &nobody;
    if (c->copied != from) {
        c->copied = from;
        c->copy = skep_xray__owner_copy(c->d->arena, from);
    }
    return c->copy;
}

/* The rows get this owner: those of the call when they are made, older ones by being made again. */
static void tell(struct call *c, const struct record *r, bool bound)
{
    struct skep_xray__dec *d = c->d;
    if (r->doc != NONE) {
        d->docs[r->doc].owner = copy_of(c, r->owner);
        d->docs[r->doc].bound = bound;
        return;
    }
    SKEP_GROW(d->docs, d->n_docs, d->cap_docs);
    d->docs[d->n_docs++] = (struct skep_xray__doc){.raw = skep_arena_str(d->arena, r->raw),
                                                   .again = true,
                                                   .bound = bound,
                                                   .owner = copy_of(c, r->owner)};
}

static void own(struct call *c, struct at at, const struct skep_xray__owner *owner)
{
    struct record *r = record_at(at);
    bool known = r->owner && same_owner(r->owner, owner);
    r->owner = owner;
    r->waiting = false;
    if (r->doc != NONE || !known)
        tell(c, r, true);
    found(c, at.g, at.i);
}

/* Who waits for this node has its owner now. */
static void call_waiters(struct call *c, uint64_t node, const struct skep_xray__owner *owner)
{
    for (unsigned k = 0; k < 2 && c->bind->g[k]; k++) {
        struct generation *g = c->bind->g[k];
        uint32_t *head = map_find(&g->maps[WAITERS], node);
        if (!head)
            continue;
        for (uint32_t i = *head; i != NONE; i = g->records[i].next_waiter)
            if (g->records[i].waiting)
                own(c, (struct at){g, i}, owner);
        *head = NONE;
    }
}

static void follow_found(struct call *c)
{
    while (c->n_found > 0) {
        struct at at = c->found[--c->n_found];
        struct record r = *record_at(at);
        call_waiters(c, r.key, r.owner); // its node may be older than the record
        for (uint32_t i = 0; i < r.n_nodes; i++)
            call_waiters(c, at.g->maps[NODES].items[r.first_node + i].key, r.owner);
    }
}

static void follow(struct call *c)
{
    follow_found(c);
    for (size_t i = 0; i < c->n_moved; i++) {
        const struct record *r = &c->bind->g[0]->records[c->moved[i].record];
        if (r->waiting)
            continue;
        call_waiters(c, c->moved[i].key, r->owner);
        follow_found(c);
    }
}

static void bind_by_parent(struct call *c, struct at at)
{
    const struct record *r = record_at(at);
    struct at parent;
    if (r->waiting && r->parent_key && find_record(c->bind, r->parent_key, &parent) &&
        !record_at(parent)->waiting && record_at(parent)->owner)
        own(c, at, record_at(parent)->owner);
}

/* Strays of the process that sent a segment: that one. */
static void call_strays(struct call *c, const struct record *segment)
{
    for (unsigned k = 0; segment->peer_key && k < 2 && c->bind->g[k]; k++) {
        struct generation *g = c->bind->g[k];
        uint32_t *head = map_find(&g->maps[STRAYS], segment->peer_key);
        if (!head)
            continue;
        for (uint32_t i = *head; i != NONE; i = g->records[i].next_stray) {
            struct record *r = &g->records[i];
            if (!r->waiting || r->owner)
                continue;
            r->owner = segment->owner;
            tell(c, r, false);
        }
        *head = NONE;
    }
}

/* A subsegment that waits on: a guess for its rows, its text for later. */
static void settle(struct call *c, struct record *r)
{
    struct generation *g = c->bind->g[0];
    for (unsigned k = 0; r->peer_key && !r->owner && k < 2 && c->bind->g[k]; k++) {
        const uint32_t *last = map_find(&c->bind->g[k]->maps[LAST], r->peer_key);
        if (last)
            r->owner = c->bind->g[k]->records[*last].owner;
    }
    r->raw = skep_arena_str(&g->arena, c->d->docs[r->doc].raw);
    tell(c, r, false);
}

static void bind_locked(struct call *c, size_t n)
{
    struct generation *g = c->bind->g[0];
    uint32_t from = g->n_records;
    for (size_t i = 0; i < n; i++)
        remember(c, (uint32_t)i);
    for (uint32_t i = from; i < g->n_records; i++)
        bind_by_parent(c, (struct at){g, i});
    follow(c);
    for (uint32_t i = from; i < g->n_records; i++)
        if (c->d->docs[g->records[i].doc].segment)
            call_strays(c, &g->records[i]);
    for (uint32_t i = from; i < g->n_records; i++) {
        struct record *r = &g->records[i];
        if (r->waiting)
            settle(c, r);
        r->doc = NONE;
    }
}

/* Texts that are stored again are read again; they were good before. */
static void read_again(struct skep_xray__dec *d, size_t from)
{
    const yyjson_alc alc = skep_json_alc(d->b->budget);
    for (size_t i = from; i < d->n_docs && !d->no_memory; i++) {
        struct skep_xray__doc *doc = &d->docs[i];
        doc->json = yyjson_read_opts((char *)(uintptr_t)doc->raw.p, doc->raw.n,
                                     YYJSON_READ_ALLOW_INF_AND_NAN, &alc, NULL);
        d->no_memory |= !doc->json;
        if (doc->json)
            skep_xray__ids(doc);
    }
}

void skep_xray__bind(struct skep_xray__dec *d)
{
    struct call c = {.d = d, .bind = d->opts->bind};
    size_t n = d->n_docs;
    if (!c.bind)
        c.bind = skep_xray_bind_new(0, INT64_MAX);
    for (size_t i = 0; i < n; i++) {
        d->docs[i].bound = d->docs[i].segment;
        if (d->docs[i].segment)
            d->docs[i].owner = skep_xray__owner_of(d, d->docs[i].root);
    }
    skep_mutex_lock(&c.bind->lock);
    rotate(c.bind, d->b->received_ns);
    bind_locked(&c, n);
    skep_mutex_unlock(&c.bind->lock);
    for (size_t i = 0; i < n; i++) // replaced within the call, or open and late
        if (!d->docs[i].owner)
            d->docs[i].owner = copy_of(&c, NULL);
    read_again(d, n);
    skep_free(c.found);
    skep_free(c.moved);
    if (!d->opts->bind)
        skep_xray_bind_free(c.bind);
}
