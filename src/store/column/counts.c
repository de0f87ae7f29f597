// SPDX-License-Identifier: Apache-2.0
/* What the store counts for the ledger (event/ledger.h): its side of the account, from the rows it
 * has.
 *
 *   part opened       STORED by (source, signal, minute of receipt), from the KIND and SOURCE
 * columns; RECEIVED and REJECTED as the frame's receipt says: the wire's words, kept as long as the
 * rows are commit            the part's ledger is added to the book, together with the publishing
 *   flush             the parts' ledgers go into the manifest, in the edit that moves the
 * checkpoint: after a crash manifest and log make the same book rows dropped      counted once more
 * (EXPIRED), in the edit that drops them asked             LIVE is counted from the snapshot: parts
 * as they were opened, segments by reading KIND, SOURCE and RECEIVED of the live rows.  A segment
 * is read once and remembered until its live rows change.
 *
 * I1  book and snapshot change under ledger_mu: who holds it sees STORED and LIVE of one moment.
 * I2  what cannot be read is not guessed: it is left out, and said.
 *
 * Threads: any.  Locks: ledger_mu -> snap_mu.  Memory: a few entries of 16 bytes a minute. */
#include "store/column/engine.h"

#include "base/mem.h"
#include "store/column/part.h"

enum { SLOTS = 256 };

/* Sums of neighbouring rows, by minute and source, before they go to a ledger. */
struct slot {
    uint32_t minute;
    uint8_t source;
    uint32_t kinds[SKEP_KIND_COUNT];
};

struct tally {
    struct skep_ledger *to;
    enum skep_ledger_what items, rows;
    struct slot *slots; /* [SLOTS] */
};

static enum skep_signal signal_of(unsigned kind)
{
    return kind == SKEP_KIND_LOG || kind == SKEP_KIND_ERROR ? SKEP_SIGNAL_LOGS : SKEP_SIGNAL_TRACES;
}

/* Events and links are rows of a span that is counted itself. */
static bool is_item(unsigned kind)
{
    return kind == SKEP_KIND_SPAN || kind == SKEP_KIND_LOG || kind == SKEP_KIND_ERROR;
}

static void settle(struct tally *t, struct slot *s)
{
    for (unsigned kind = 0; kind < SKEP_KIND_COUNT; kind++) {
        struct skep_ledger_key k = {.minute = s->minute,
                                    .source = s->source,
                                    .signal = (uint8_t)signal_of(kind),
                                    .what = (uint8_t)t->rows};
        skep_ledger_add(t->to, k, s->kinds[kind]);
        k.what = (uint8_t)t->items;
        if (is_item(kind))
            skep_ledger_add(t->to, k, s->kinds[kind]);
        s->kinds[kind] = 0;
    }
}

static void count_row(struct tally *t, uint32_t minute, int64_t source, int64_t kind)
{
    uint8_t from = source > 0 && source < SKEP_SOURCE_COUNT ? (uint8_t)source : 0;
    struct slot *s = &t->slots[(minute + from * 67u) % SLOTS];
    if (s->minute != minute || s->source != from) {
        settle(t, s);
        s->minute = minute;
        s->source = from;
    }
    s->kinds[kind > 0 && kind < SKEP_KIND_COUNT ? kind : 0]++;
}

static void tally_end(struct tally *t)
{
    for (unsigned i = 0; i < SLOTS; i++)
        settle(t, &t->slots[i]);
    skep_free(t->slots);
}

/* --- parts ------------------------------------------------------------------------------------ */

/* A frame that says nothing of its request: what its rows are is what was received. */
static void receive_rows(struct skep_ledger *l)
{
    struct skep_ledger more = {0};
    for (size_t i = 0; i < l->n; i++) {
        struct skep_ledger_key k;
        if (!skep_ledger_unpack(l->items[i].key, &k) || k.what != SKEP_LEDGER_STORED)
            continue;
        k.what = SKEP_LEDGER_RECEIVED;
        skep_ledger_add(&more, k, l->items[i].n);
    }
    skep_ledger_merge(l, &more);
    skep_ledger_done(&more);
}

/* Rows of a plain part by source and kind; both are bytes, and checked. */
static void count_columns(const struct skep_part *part,
                          uint32_t counts[SKEP_SOURCE_COUNT][SKEP_KIND_COUNT])
{
    enum { RUN = 256 };
    int64_t kind[RUN], source[RUN];
    for (size_t row = 0; row < part->base.n_rows; row += RUN) {
        size_t n = SKEP_MIN((size_t)RUN, part->base.n_rows - row);
        skep_part__values(&part->cols[SKEP_COL_KIND], row, n, kind);
        skep_part__values(&part->cols[SKEP_COL_SOURCE], row, n, source);
        for (size_t i = 0; i < n; i++)
            counts[source[i] < SKEP_SOURCE_COUNT ? source[i] : 0][kind[i]]++;
    }
}

void skep_part__count(struct skep_part *part, const struct skep_receipt *receipt)
{
    skep_assert(!part->folded && part->ledger.n == 0);
    uint32_t counts[SKEP_SOURCE_COUNT][SKEP_KIND_COUNT] = {{0}};
    count_columns(part, counts);
    struct tally t = {
        .to = &part->ledger, .items = SKEP_LEDGER_STORED, .rows = SKEP_LEDGER_STORED_ROWS};
    uint32_t minute = skep_ledger_minute(part->received_min_ns);
    for (unsigned source = 0; source < SKEP_SOURCE_COUNT; source++) {
        struct slot s = {.minute = minute, .source = (uint8_t)source};
        memcpy(s.kinds, counts[source], sizeof s.kinds);
        settle(&t, &s);
    }
    if (receipt->source != 0)
        skep_ledger_add_receipt(&part->ledger, receipt, minute);
    else
        receive_rows(&part->ledger);
}

bool skep_part__only_own(const struct skep_part *part)
{
    bool own = false;
    for (size_t i = 0; i < part->ledger.n; i++) {
        struct skep_ledger_key k;
        if (!skep_ledger_unpack(part->ledger.items[i].key, &k) || k.what != SKEP_LEDGER_STORED_ROWS)
            continue;
        if (k.source != SKEP_SOURCE_SELF)
            return false;
        own = true;
    }
    return own;
}

/* --- segments --------------------------------------------------------------------------------- */

struct count_job {
    struct tally tally;
    struct skep_rowset *rs;
    const struct skep_engine_which *which;
    struct skep_colreader *kind, *source, *received;
};

/* 64 rows of those asked for, from a multiple of 64. */
static uint64_t word_of(const struct skep_engine_which *w, uint64_t row0)
{
    uint64_t word = skep_live_word(w->live, row0);
    return w->but ? word & ~skep_live_word(w->but, row0) : word;
}

static bool any_of(const struct skep_engine_which *w, uint64_t row0, unsigned n)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < n; i += 64)
        any |= word_of(w, row0 + i);
    return any != 0;
}

static skep_rc count_block(struct count_job *j, uint64_t row0, unsigned n, skep_err *err)
{
    struct skep_vec kind, source, received;
    SKEP_TRY(j->kind->ops->read(j->kind, row0, n, &kind, err));
    SKEP_TRY(j->source->ops->read(j->source, row0, n, &source, err));
    SKEP_TRY(j->received->ops->read(j->received, row0, n, &received, err));
    bool good = kind.form == SKEP_VEC_I64 && source.form == SKEP_VEC_I64 &&
                received.form == SKEP_VEC_I64 && !kind.none && !source.none && !received.none;
    if (!good)
        return skep_fail(err, SKEP_ECORRUPT, "an intrinsic column without values");
    int64_t ns = INT64_MIN;
    uint32_t minute = 0;
    uint64_t word = 0;
    for (unsigned i = 0; i < n; i++) {
        word = i % 64 ? word >> 1 : word_of(j->which, row0 + i);
        if (!(word & 1))
            continue;
        int64_t at = received.i64[received.constant ? 0 : i];
        if (at != ns) { /* neighbours often came together */
            ns = at;
            minute = skep_ledger_minute(at);
        }
        count_row(&j->tally, minute, source.i64[source.constant ? 0 : i],
                  kind.i64[kind.constant ? 0 : i]);
    }
    return SKEP_OK;
}

static skep_rc open_readers(struct count_job *j, skep_err *err)
{
    struct skep_rowset *rs = j->rs;
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_KIND, &j->kind, err));
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_SOURCE, &j->source, err));
    return rs->ops->open_column(rs, SKEP_COL_RECEIVED, &j->received, err);
}

static void close_reader(struct skep_colreader *r)
{
    if (r)
        r->ops->close(r);
}

void skep_engine__count_rows(struct skep_rowset *rs, const struct skep_engine_which *which,
                             enum skep_ledger_what as, struct skep_engine_counted *ret)
{
    *ret = (struct skep_engine_counted){0};
    struct count_job j = {.rs = rs, .which = which};
    j.tally =
        (struct tally){.to = &ret->ledger, .items = as, .rows = (enum skep_ledger_what)(as + 1)};
    j.tally.slots = skep_alloc_n(struct slot, SLOTS);
    skep_err err = {.text = ""};
    bool open = open_readers(&j, &err) == SKEP_OK;
    for (uint64_t block = 0; block < skep_rowset_blocks(rs); block++) {
        uint64_t row = block * SKEP_BLOCK_ROWS;
        unsigned n = skep_rowset_block_rows(rs, block);
        if (n == 0) /* a gap */
            continue;
        if (!any_of(which, row, n) || (open && count_block(&j, row, n, &err) == SKEP_OK))
            continue;
        if (ret->unread_rows == 0) /* I2 */
            memcpy(ret->why, err.text, sizeof ret->why);
        ret->unread_rows += n;
    }
    close_reader(j.kind);
    close_reader(j.source);
    close_reader(j.received);
    tally_end(&j.tally);
}

/* --- the book --------------------------------------------------------------------------------- */

/* Once an hour what is old becomes coarser. */
static void fold_locked(struct skep_engine *e)
{
    skep_assert_held(&e->ledger_mu);
    skep_ts_ns now = e->os->now_ns(e->os);
    uint32_t hour = skep_ledger_minute(now) / 60;
    if (hour == e->book_hour)
        return;
    e->book_hour = hour;
    (void)skep_ledger_fold(&e->book, now);
}

void skep_engine__publish_counted(struct skep_engine *e, struct skep_rowset *const *parts,
                                  unsigned n, uint64_t seq, const struct skep_changes *changes)
{
    skep_mutex_lock(&e->ledger_mu);
    for (unsigned i = 0; i < n; i++)
        skep_ledger_merge(&e->book, &skep_part_must(parts[i])->ledger);
    fold_locked(e);
    skep_engine__publish(e, parts, n, seq, changes); /* I1 */
    skep_mutex_unlock(&e->ledger_mu);
}

void skep_engine__replace_counted(struct skep_engine *e, struct skep_rowset *const *gone,
                                  unsigned n, const struct skep_snapshot_set *by, unsigned n_by,
                                  const struct skep_ledger *ended)
{
    skep_mutex_lock(&e->ledger_mu);
    skep_ledger_merge(&e->book, ended);
    skep_engine__replace(e, gone, n, by, n_by); /* I1 */
    skep_mutex_unlock(&e->ledger_mu);
}

/* Which of the two the dead rows of a version are counted as: bitmaps know how many died for which
 * reason, not which ones.  One reason is the rule. */
static enum skep_ledger_what death_of(const struct skep_live *live)
{
    return live->n_superseded > live->n_deleted ? SKEP_LEDGER_SUPERSEDED : SKEP_LEDGER_DELETED;
}

void skep_engine__count_dead(struct skep_engine *e, const struct skep_snapshot_set *sets,
                             unsigned n, struct skep_ledger *to)
{
    for (unsigned i = 0; i < n; i++) {
        struct skep_engine_counted c;
        if (!sets[i].live || sets[i].live->n_live == sets[i].live->n_rows)
            continue;
        const struct skep_engine_which which = {.but = sets[i].live};
        skep_engine__count_rows(sets[i].rowset, &which, death_of(sets[i].live), &c);
        (void)skep_ledger_fold(&c.ledger, e->os->now_ns(e->os));
        skep_ledger_merge(to, &c.ledger);
        skep_ledger_done(&c.ledger);
    }
}

void skep_engine__count_expired(struct skep_engine *e, const struct skep_snapshot_set *set,
                                struct skep_ledger *to)
{
    struct skep_engine_counted c;
    const struct skep_engine_which which = {.live = set->live};
    skep_engine__count_rows(set->rowset, &which, SKEP_LEDGER_EXPIRED, &c);
    (void)skep_ledger_fold(&c.ledger, e->os->now_ns(e->os));
    skep_ledger_merge(to, &c.ledger);
    skep_ledger_done(&c.ledger);
    skep_engine__count_dead(e, set, 1, to);
}

void skep_engine__parts_ledger(const struct skep_snapshot_set *sets, unsigned n,
                               struct skep_ledger *to)
{
    for (unsigned i = 0; i < n; i++)
        skep_ledger_merge(to, &skep_part_must(sets[i].rowset)->ledger);
}

/* Of a store that was written before there was a ledger: its rows are what was received. */
skep_rc skep_engine__found_book(struct skep_engine *e, skep_err *err)
{
    const struct skep_manifest_state *s = skep_manifest_state(e->manifest);
    if (s->has_ledger) {
        skep_ledger_merge(&e->book, &s->ledger);
        return SKEP_OK;
    }
    for (unsigned i = 0; i < e->snap->n; i++) {
        struct skep_engine_counted c;
        const struct skep_engine_which which = {.live = e->snap->sets[i].live};
        skep_engine__count_rows(e->snap->sets[i].rowset, &which, SKEP_LEDGER_STORED, &c);
        skep_ledger_merge(&e->book, &c.ledger);
        skep_ledger_done(&c.ledger);
    }
    receive_rows(&e->book);
    if (e->read_only)
        return SKEP_OK;
    skep_ts_ns now = e->os->now_ns(e->os);
    (void)skep_ledger_fold(&e->book, now);
    struct skep_manifest_edit edit = {
        .next_segment = s->next_segment, .totals = s->totals, .ledger = &e->book, .now_ns = now};
    return skep_manifest_edit(e->manifest, &edit, err);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* What a segment's live rows are, remembered with it. */
static void count_segment(struct skep_engine *e, const struct skep_snapshot_set *set,
                          struct skep_ledger *to, struct skep_store_ledger *ret)
{
    struct skep_engine_segment *seg = skep_engine__segment(set->rowset);
    uint64_t version = set->live ? set->live->version : 0;
    skep_mutex_lock(&e->ledger_mu);
    bool known = seg->is_counted && seg->counted_version == version;
    if (known)
        skep_ledger_merge(to, &seg->counted.ledger);
    skep_mutex_unlock(&e->ledger_mu);
    if (known)
        return;
    struct skep_engine_counted c;
    const struct skep_engine_which which = {.live = set->live};
    skep_engine__count_rows(set->rowset, &which, SKEP_LEDGER_LIVE, &c);
    (void)skep_ledger_fold(&c.ledger, e->os->now_ns(e->os));
    skep_engine__count_dead(e, set, 1, &c.ledger);
    skep_ledger_merge(to, &c.ledger);
    if (c.unread_rows > 0) {
        if (ret->unread_rows == 0)
            memcpy(ret->why, c.why, sizeof ret->why);
        ret->unread_rows += c.unread_rows;
        skep_ledger_done(&c.ledger);
        return;
    }
    skep_mutex_lock(&e->ledger_mu);
    skep_ledger_done(&seg->counted.ledger);
    seg->counted = c;
    seg->counted_version = version;
    seg->is_counted = true;
    skep_mutex_unlock(&e->ledger_mu);
}

static void count_part(struct skep_engine *e, const struct skep_snapshot_set *set,
                       struct skep_ledger *to)
{
    const struct skep_ledger *l = &skep_part_must(set->rowset)->ledger;
    if (set->live) {
        struct skep_engine_counted c;
        const struct skep_engine_which which = {.live = set->live};
        skep_engine__count_rows(set->rowset, &which, SKEP_LEDGER_LIVE, &c);
        skep_ledger_merge(to, &c.ledger);
        skep_ledger_done(&c.ledger);
        skep_engine__count_dead(e, set, 1, to);
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        struct skep_ledger_key k;
        bool known = skep_ledger_unpack(l->items[i].key, &k);
        if (!known || (k.what != SKEP_LEDGER_STORED && k.what != SKEP_LEDGER_STORED_ROWS))
            continue;
        k.what = k.what == SKEP_LEDGER_STORED ? SKEP_LEDGER_LIVE : SKEP_LEDGER_LIVE_ROWS;
        skep_ledger_add(to, k, l->items[i].n);
    }
}

static void add_live(struct skep_engine *e, const struct skep_snapshot *snap, uint32_t from,
                     struct skep_store_ledger *ret)
{
    struct skep_ledger live = {0}, asked;
    for (unsigned i = 0; i < snap->n; i++) {
        struct skep_rowset *rs = snap->sets[i].rowset;
        if (skep_part_of(rs))
            count_part(e, &snap->sets[i], &live);
        else if (skep_ledger_minute(skep_engine__segment(rs)->m.received_max_ns) >= from)
            count_segment(e, &snap->sets[i], &live, ret);
    }
    (void)skep_ledger_fold(&live, e->os->now_ns(e->os));
    skep_ledger_copy(&asked, &live, from);
    skep_ledger_merge(&ret->counts, &asked);
    skep_ledger_done(&asked);
    skep_ledger_done(&live);
}

void skep_engine__ledger(struct skep_store *s, skep_ts_ns from_ns, bool live,
                         struct skep_store_ledger *ret)
{
    struct skep_engine *e = skep_engine_of(s);
    uint32_t from = skep_ledger_minute(from_ns);
    *ret = (struct skep_store_ledger){0};
    skep_mutex_lock(&e->ledger_mu);
    fold_locked(e);
    skep_ledger_copy(&ret->counts, &e->book, from);
    struct skep_snapshot *snap = skep_engine__snapshot(e); /* I1 */
    skep_mutex_unlock(&e->ledger_mu);
    (void)skep_ledger_fold(&ret->counts, e->os->now_ns(e->os)); /* like LIVE, to the minute */
    if (live)
        add_live(e, snap, from, ret);
    skep_snapshot_unref(snap);
}

/* --- what is settled -------------------------------------------------------------------------- */

/* Numbers of one minute, source and signal. */
struct balance {
    uint64_t of[SKEP_LEDGER_LIVE_ROWS + 1];
};

/* Stored, and neither live nor gone for a reason; `rows` 1: in rows. */
static uint64_t lacking(const struct balance *b, unsigned rows)
{
    uint64_t there = b->of[SKEP_LEDGER_LIVE + rows] + b->of[SKEP_LEDGER_EXPIRED + rows] +
                     b->of[SKEP_LEDGER_DELETED + rows] + b->of[SKEP_LEDGER_SUPERSEDED + rows];
    uint64_t stored = b->of[SKEP_LEDGER_STORED + rows];
    return stored > there ? stored - there : 0;
}

/* What is lacking as EXPIRED; the number of rows. */
static uint64_t expire_lacking(const struct skep_ledger *counts, struct skep_ledger *ret)
{
    uint64_t rows = 0;
    for (size_t i = 0, n; i < counts->n; i += n) {
        struct balance b = {.of = {0}};
        struct skep_ledger_key k, first;
        bool known = skep_ledger_unpack(counts->items[i].key, &first);
        for (n = 0; i + n < counts->n && counts->items[i + n].key >> 8 == counts->items[i].key >> 8;
             n++)
            if (skep_ledger_unpack(counts->items[i + n].key, &k) && k.what <= SKEP_LEDGER_LIVE_ROWS)
                b.of[k.what] = counts->items[i + n].n;
        for (unsigned as_rows = 0; known && as_rows < 2; as_rows++) {
            first.what = (uint8_t)(SKEP_LEDGER_EXPIRED + as_rows);
            skep_ledger_add(ret, first, lacking(&b, as_rows));
        }
        rows += lacking(&b, 1);
    }
    return rows;
}

skep_rc skep_engine__expire_lost(struct skep_engine *e, uint64_t rows, skep_err *err)
{
    struct skep_store_ledger l;
    struct skep_ledger gone = {0};
    skep_engine__ledger(&e->base, 0, true, &l);
    uint64_t lacks = l.unread_rows > 0 ? 0 : expire_lacking(&l.counts, &gone);
    skep_rc rc = SKEP_OK;
    if (lacks > 0 && lacks <= rows) { /* else something is lost that is on no record */
        struct skep_manifest_edit edit = {.next_segment = atomic_load(&e->next_segment),
                                          .ledger = &gone,
                                          .now_ns = e->os->now_ns(e->os)};
        skep_mutex_lock(&e->manifest_mu);
        edit.totals = e->totals;
        rc = skep_manifest_edit(e->manifest, &edit, err);
        skep_mutex_unlock(&e->manifest_mu);
        skep_mutex_lock(&e->ledger_mu);
        if (rc == SKEP_OK)
            skep_ledger_merge(&e->book, &gone);
        skep_mutex_unlock(&e->ledger_mu);
    }
    skep_ledger_done(&gone);
    skep_ledger_done(&l.counts);
    return rc;
}
