// SPDX-License-Identifier: Apache-2.0
/* Revisions: a row that says so takes the place of an earlier one.
 *
 * A row with the intrinsic integer field meta.revision (skep_batch_revision) is one state of a
 * thing with the key (trace, span, source, environment).  Of all rows of a key one lives: that of
 * the highest revision, of equal ones the last committed.
 *
 * Events and links that carry the field are parts of the span they belong to, in its revision.
 * They live and die with it: parts of a lower revision die; of the same one, those that came with a
 * span row that dies.  In a commit a span row's parts stand between it and the span row of the key
 * before it.  Parts alone (a span imported in two commits) replace nothing.
 *
 *   rows of the commit, by key: the winner inside the batch; the others die in their own part
 *   for each trace of winners, for each rowset that has the field at all: find_trace (a part: one
 *   pass for all of them, blocks without any of the traces left out) -> rows of the key that live;
 * an older one dies; a newer one kills the winner
 *
 * I1  old rows die in the snapshot that first shows the new one.
 * I2  replay does the same again and gives the same rows, but for a row that died on arrival: what
 *     killed it may have been deleted since, in a bitmap that is already on disk.  So that death is
 *     logged, as a frame of ids behind the rows (commit.c).
 * I3  what cannot be read, when tried again and again, has no rows of the key: a damaged segment
 * does not stop ingest.
 *
 * Memory: 48 bytes a revision of the commit, 24 a row found; not charged: bounded by the batch.
 * Threads: who holds change_mu. */
#include "store/column/supersede.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/part.h"

enum { RANGES = 32, READ_TRIES = 4 };

struct revision {
    skep_trace_id trace;
    uint64_t span, environment; /* a hash; 0 = "default" */
    int64_t source, revision;
    uint32_t row;
    bool part;     /* an event or a link of the span */
    bool loses;    /* to a row that lives */
    bool replaces; /* a row of the same revision that lives */
};

struct match {
    uint32_t set, winner;
    uint64_t row;
    bool same_part; /* of the winner's own revision: dies if the winner replaces a span row */
};

struct search {
    struct revision *winners; /* by key; all are spans */
    size_t n;
    struct match *matches;
    size_t n_matches, cap_matches;
    uint64_t *sieve; /* of traces */
    unsigned sieve_shift;
};

static int by_key(const void *a, const void *b)
{
    const struct revision *x = a, *y = b;
    int c = memcmp(&x->trace, &y->trace, sizeof x->trace);
    if (c != 0)
        return c;
    if (x->span != y->span)
        return x->span < y->span ? -1 : 1;
    if (x->environment != y->environment)
        return x->environment < y->environment ? -1 : 1;
    return (x->source > y->source) - (x->source < y->source);
}

/* Of one key the winner comes last. */
static int by_key_and_revision(const void *a, const void *b)
{
    const struct revision *x = a, *y = b;
    int c = by_key(a, b);
    if (c != 0)
        return c;
    if (x->revision != y->revision)
        return x->revision < y->revision ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static uint32_t revision_field(const struct skep_rowset *rs)
{
    return skep_rowset_find_field(rs, SKEP_REVISION_FIELD, SKEP_SCOPE_INTRINSIC, SKEP_TYPE_INT);
}

bool skep_supersede__any(const struct skep_rowset *rs)
{
    return revision_field(rs) != UINT32_MAX;
}

/* --- reading keys --- */

struct key_readers {
    struct skep_colreader *trace, *span, *parent, *kind, *source, *revision;
    struct skep_colreader *environment; /* NULL: all of them are "default" */
};

static void close_readers(struct key_readers *r)
{
    struct skep_colreader *all[] = {r->trace,  r->span,     r->parent,     r->kind,
                                    r->source, r->revision, r->environment};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        if (all[i])
            all[i]->ops->close(all[i]);
}

static skep_rc open_readers(struct skep_rowset *rs, struct key_readers *r)
{
    *r = (struct key_readers){0};
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_TRACE_ID, &r->trace, NULL));
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_SPAN_ID, &r->span, NULL));
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_PARENT_ID, &r->parent, NULL));
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_KIND, &r->kind, NULL));
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_SOURCE, &r->source, NULL));
    uint32_t environment =
        skep_rowset_find_field(rs, SKEP_ENVIRONMENT_FIELD, SKEP_SCOPE_INTRINSIC, SKEP_TYPE_STRING);
    if (environment != UINT32_MAX)
        SKEP_TRY(rs->ops->open_field(rs, environment, &r->environment, NULL));
    return rs->ops->open_field(rs, revision_field(rs), &r->revision, NULL);
}

static int64_t int_at(const struct skep_vec *v, unsigned i)
{
    bool has = !v->none && (!v->valid || (v->valid[i / 64] >> (i % 64) & 1));
    return has ? v->i64[v->constant ? 0 : i] : 0;
}

/* Of the name of row i's environment. */
static uint64_t environment_at(const struct skep_vec *v, unsigned i)
{
    bool has = !v->none && (!v->valid || (v->valid[i / 64] >> (i % 64) & 1));
    unsigned at = v->constant ? 0 : i;
    if (!has)
        return 0;
    skep_str name = v->form == SKEP_VEC_DICT ? skep_dict_str(v->dict, v->codes[at]) : v->str[at];
    return skep_str_eq(name, SKEP_ENVIRONMENT_DEFAULT) ? 0 : skep_hash(skep_str_bytes(name));
}

static bool is_part(int64_t kind)
{
    return kind == SKEP_KIND_SPAN_EVENT || kind == SKEP_KIND_LINK;
}

typedef void row_fn(void *ctx, const struct revision *r, uint64_t row);

/* fn for each row of [row0, row0 + n) that is a revision of a span, or part of one. */
static skep_rc each_in_block(struct key_readers *r, uint64_t row0, unsigned n, row_fn *fn,
                             void *ctx)
{
    static const skep_trace_id none;
    struct skep_vec trace, span, parent, kind, source, revision, environment = {.none = true};
    SKEP_TRY(r->revision->ops->read(r->revision, row0, n, &revision, NULL));
    if (revision.none)
        return SKEP_OK;
    SKEP_TRY(r->trace->ops->read(r->trace, row0, n, &trace, NULL));
    SKEP_TRY(r->span->ops->read(r->span, row0, n, &span, NULL));
    SKEP_TRY(r->parent->ops->read(r->parent, row0, n, &parent, NULL));
    SKEP_TRY(r->kind->ops->read(r->kind, row0, n, &kind, NULL));
    SKEP_TRY(r->source->ops->read(r->source, row0, n, &source, NULL));
    if (r->environment)
        SKEP_TRY(r->environment->ops->read(r->environment, row0, n, &environment, NULL));
    for (unsigned i = 0; i < n; i++) {
        if (revision.valid && !(revision.valid[i / 64] >> (i % 64) & 1))
            continue;
        bool part = is_part(int_at(&kind, i));
        struct revision k = {.trace = trace.none ? none : trace.id16[trace.constant ? 0 : i],
                             .span = (uint64_t)int_at(part ? &parent : &span, i),
                             .part = part,
                             .environment = environment_at(&environment, i),
                             .source = int_at(&source, i),
                             .revision = revision.i64[revision.constant ? 0 : i],
                             .row = (uint32_t)(row0 + i)};
        if (k.span != 0 && memcmp(&k.trace, &none, sizeof none) != 0)
            fn(ctx, &k, row0 + i);
    }
    return SKEP_OK;
}

static skep_rc each_in(struct skep_rowset *rs, struct skep_row_range range, row_fn *fn, void *ctx)
{
    struct key_readers r;
    skep_rc rc = open_readers(rs, &r);
    uint64_t end = SKEP_MIN(range.end, rs->row_end);
    for (uint64_t row = range.first; rc == SKEP_OK && row < end;) {
        uint64_t block = row / SKEP_BLOCK_ROWS, next = (block + 1) * SKEP_BLOCK_ROWS;
        uint64_t stop = SKEP_MIN(end, block * SKEP_BLOCK_ROWS + skep_rowset_block_rows(rs, block));
        if (row < stop) /* else a gap */
            rc = each_in_block(&r, row, (unsigned)(stop - row), fn, ctx);
        row = next;
    }
    close_readers(&r);
    return rc;
}

/* --- the commit's own rows --- */

struct own {
    struct revision *all;
    size_t n, cap;
};

static void note_own(void *ctx, const struct revision *r, uint64_t row)
{
    (void)row;
    struct own *o = ctx;
    SKEP_GROW(o->all, o->n, o->cap);
    o->all[o->n++] = *r;
}

/* A part that lives if its span, a winner, does. */
struct own_part {
    uint32_t row, winner;
};

struct own_parts {
    struct own_part *all;
    size_t n, cap;
};

/* The last span row of [from, end) of which `revision` is the revision, or SIZE_MAX. */
static size_t last_span(const struct own *o, size_t from, size_t end, const int64_t *revision)
{
    for (size_t i = end; i-- > from;)
        if (!o->all[i].part && (!revision || o->all[i].revision == *revision))
            return i;
    return SIZE_MAX;
}

/* One key's rows, by revision and row; the winner goes to all[to].  True: there is one. */
static bool settle_key(struct own *o, size_t from, size_t end, size_t to, struct own_parts *parts,
                       struct skep_mask *dead)
{
    size_t last = last_span(o, from, end, NULL);
    if (last == SIZE_MAX)
        return false; /* parts alone */
    struct revision winner = o->all[last];
    size_t before = last_span(o, from, last, &winner.revision);
    for (size_t i = from; i < end; i++) {
        const struct revision *r = &o->all[i];
        bool lives =
            r->part && (r->revision > winner.revision ||
                        (r->revision == winner.revision && (before == SIZE_MAX || i > before)));
        if (i == last)
            continue;
        if (!lives) {
            skep_mask_add(dead, r->row);
            continue;
        }
        SKEP_GROW(parts->all, parts->n, parts->cap);
        parts->all[parts->n++] = (struct own_part){r->row, (uint32_t)to};
    }
    o->all[to] = winner;
    return true;
}

/* Winners to the front; the others die. */
static void settle_own(struct own *o, struct own_parts *parts, struct skep_mask *dead)
{
    size_t n = 0;
    if (o->n > 1)
        qsort(o->all, o->n, sizeof *o->all, by_key_and_revision);
    for (size_t from = 0, end; from < o->n; from = end) {
        for (end = from + 1; end < o->n && by_key(&o->all[from], &o->all[end]) == 0;)
            end++;
        n += settle_key(o, from, end, n, parts, dead);
    }
    o->n = n;
}

/* --- the rows before it --- */

struct looking {
    struct search *s;
    const struct skep_live *live;
    uint32_t set;
};

static void note_match(void *ctx, const struct revision *r, uint64_t row)
{
    struct looking *l = ctx;
    struct search *s = l->s;
    if (!skep_live_has(l->live, row))
        return;
    struct revision *w = bsearch(r, s->winners, s->n, sizeof *w, by_key);
    if (!w)
        return;
    bool same = r->revision == w->revision;
    w->loses |= !r->part && r->revision > w->revision;
    w->replaces |= !r->part && same;
    if (r->part && r->revision > w->revision)
        return;
    SKEP_GROW(s->matches, s->n_matches, s->cap_matches);
    s->matches[s->n_matches++] =
        (struct match){l->set, (uint32_t)(w - s->winners), row, r->part && same};
}

/* The rows of a trace in a rowset, matched. */
static skep_rc look_for(struct looking *l, struct skep_rowset *rs, const skep_trace_id *trace)
{
    struct skep_row_range ranges[RANGES];
    unsigned n = 0;
    SKEP_TRY(rs->ops->find_trace(rs, trace, ranges, RANGES, &n, NULL));
    for (unsigned k = 0; k < n; k++)
        SKEP_TRY(each_in(rs, ranges[k], note_match, l));
    return SKEP_OK;
}

static bool in_sieve(const struct search *s, const skep_trace_id *id)
{
    uint64_t h = skep_hash_u64(skep_load_le64(id->b + 8)) >> s->sieve_shift;
    return s->sieve[h / 64] >> (h % 64) & 1;
}

/* Bits of the traces of winners, 16 or more for each of them. */
static void make_sieve(struct search *s)
{
    unsigned log = 10;
    while (log < 40 && (uint64_t)1 << log < 16 * (uint64_t)s->n)
        log++;
    s->sieve = skep_alloc_n(uint64_t, ((size_t)1 << log) / 64);
    s->sieve_shift = 64 - log;
    for (size_t i = 0; i < s->n; i++) {
        uint64_t h = skep_hash_u64(skep_load_le64(s->winners[i].trace.b + 8)) >> s->sieve_shift;
        s->sieve[h / 64] |= (uint64_t)1 << (h % 64);
    }
}

/* A part has no index of traces: it is gone through once for all winners. */
static skep_rc look_through(struct search *s, struct skep_rowset *rs, struct looking *l)
{
    struct key_readers r;
    skep_rc rc = open_readers(rs, &r);
    for (uint64_t block = 0; rc == SKEP_OK && block < skep_rowset_blocks(rs); block++) {
        struct skep_vec trace;
        uint64_t row = block * SKEP_BLOCK_ROWS;
        unsigned n = skep_rowset_block_rows(rs, block);
        bool any = false;
        rc = r.trace->ops->read(r.trace, row, n, &trace, NULL);
        if (rc != SKEP_OK || trace.none)
            continue;
        for (unsigned i = 0; i < (trace.constant ? 1 : n) && !any; i++)
            any = in_sieve(s, &trace.id16[i]);
        if (any)
            rc = each_in_block(&r, row, n, note_match, l);
    }
    close_readers(&r);
    return rc;
}

static void look_in(struct search *s, const struct skep_snapshot_set *set, uint32_t number,
                    const struct skep_changes *changes)
{
    struct skep_rowset *rs = set->rowset;
    if (!skep_supersede__any(rs))
        return;
    struct looking l = {.s = s, .live = skep_changes__live(changes, set), .set = number};
    if (rs->ops == &skep_part_ops && s->n > 1) {
        (void)look_through(s, rs, &l); /* I3; in memory, so it is not tried again */
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (i > 0 &&
            memcmp(&s->winners[i].trace, &s->winners[i - 1].trace, sizeof(skep_trace_id)) == 0)
            continue; /* once a trace */
        skep_rc rc = SKEP_EIO;
        for (int k = 0; k < READ_TRIES && rc != SKEP_OK; k++) {
            size_t was = s->n_matches;
            rc = look_for(&l, rs, &s->winners[i].trace); /* I3 */
            if (rc != SKEP_OK && k + 1 < READ_TRIES)
                s->n_matches = was;
        }
    }
}

static int by_place(const void *a, const void *b)
{
    const struct match *x = a, *y = b;
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The matches that lose die, set by set. */
static void kill_matches(struct search *s, const struct skep_snapshot_set *sets,
                         struct skep_changes *changes)
{
    if (s->n_matches > 1)
        qsort(s->matches, s->n_matches, sizeof *s->matches, by_place);
    for (size_t i = 0, end; i < s->n_matches; i = end) {
        const struct skep_snapshot_set *set = &sets[s->matches[i].set];
        struct skep_mask mask;
        uint64_t killed;
        skep_mask_init(&mask, set->rowset);
        for (end = i; end < s->n_matches && s->matches[end].set == s->matches[i].set; end++) {
            const struct match *m = &s->matches[end];
            const struct revision *w = &s->winners[m->winner];
            if (!w->loses && (!m->same_part || w->replaces))
                skep_mask_add(&mask, m->row);
        }
        skep_changes__kill(changes, set, &mask, SKEP_DEATH_SUPERSEDED, &killed);
        skep_mask_done(&mask);
    }
}

static void arrives_dead(struct skep_rowset *part, uint32_t row, struct skep_mask *dead,
                         struct skep_row_keys *arrived_dead)
{
    skep_mask_add(dead, row);
    SKEP_GROW(arrived_dead->keys, arrived_dead->n, arrived_dead->cap);
    arrived_dead->keys[arrived_dead->n++] = (struct skep_row_key){part->min_seq, row};
}

void skep_supersede(const struct skep_snapshot_set *sets, unsigned n, struct skep_rowset *part,
                    struct skep_changes *changes, struct skep_row_keys *arrived_dead)
{
    if (!skep_supersede__any(part))
        return;
    struct own own = {0};
    struct own_parts parts = {0};
    struct skep_mask dead;
    uint64_t killed;
    skep_mask_init(&dead, part);
    (void)each_in(part, (struct skep_row_range){0, part->n_rows}, note_own, &own);
    settle_own(&own, &parts, &dead);
    struct search s = {.winners = own.all, .n = own.n};
    make_sieve(&s);
    for (uint32_t i = 0; i < n && s.n > 0; i++)
        look_in(&s, &sets[i], i, changes);
    kill_matches(&s, sets, changes);
    for (size_t i = 0; i < s.n; i++)
        if (s.winners[i].loses)
            arrives_dead(part, s.winners[i].row, &dead, arrived_dead);
    for (size_t i = 0; i < parts.n; i++)
        if (s.winners[parts.all[i].winner].loses)
            arrives_dead(part, parts.all[i].row, &dead, arrived_dead);
    struct skep_snapshot_set self = {.rowset = part};
    skep_changes__kill(changes, &self, &dead, SKEP_DEATH_SUPERSEDED, &killed);
    skep_mask_done(&dead);
    skep_free(own.all);
    skep_free(parts.all);
    skep_free(s.matches);
    skep_free(s.sieve);
}
