// SPDX-License-Identifier: Apache-2.0
/* Items (items.h): what a look at new rows changes.
 *
 *   item          (id, environment, counter, stage, fingerprint, key ... status, counts)
 *   item_line     (id, item, at_ns, actor, what, before, after)
 *   item_cursor   one row: the row behind which the next look begins
 *   item_sum      (environment, how many items it has)
 *   item_kind     (environment, status, level, stage, owner, how many items that stand for
 *                 themselves are of these)
 *
 *   key           32 bits of a hash of (environment, stage, fingerprint): an index of it grows at
 *                 random places, so it is small; the three are compared
 *
 *   sighting -> item by (environment, stage, fingerprint)       none: a new one
 *            -> the item it is merged into
 *            -> counts, last seen; active again if it was resolved and this is no older version
 *
 * I1  counts and the cursor change in one transaction: a row is counted once, over crashes too.
 * I2  what is merged into something stands for nothing itself: merges are one level deep.
 * I3  item_kind and item_sum count every item when a transaction ends.  Triggers see to it, but for
 *     new items: a look counts all of its own at once.
 * I4  a look need not be on disk when it is over: if it goes, its cursor goes with it and the rows
 *     are looked at again.  Whatever somebody is told or changes of it is written behind it in the
 *     same log, with an fsync, and takes it along.
 *
 * Threads: any.  Memory: texts in the caller's arena. */
#include "base/assert.h"
#include "base/hash.h"
#include "state/items_priv.h"
#include "state/state_priv.h"

static const skep_str status_names[] = {[SKEP_ITEM_ACTIVE] = SKEP_STR_INIT("active"),
                                        [SKEP_ITEM_RESOLVED] = SKEP_STR_INIT("resolved"),
                                        [SKEP_ITEM_MUTED] = SKEP_STR_INIT("muted")};

skep_str skep_item_status_name(enum skep_item_status s)
{
    skep_assert(s >= SKEP_ITEM_ACTIVE && s <= SKEP_ITEM_MUTED);
    return status_names[s];
}

bool skep_item_status_parse(skep_str name, enum skep_item_status *ret)
{
    for (int s = SKEP_ITEM_ACTIVE; s <= SKEP_ITEM_MUTED; s++) {
        if (skep_str_eq(name, status_names[s])) {
            *ret = (enum skep_item_status)s;
            return true;
        }
    }
    return false;
}

// --- versions ----------------------------------------------------------------------------------

static bool digits(skep_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return s.n > 0;
}

/* Of "v1.2-rc1": "1" "2" "rc1". */
static skep_str next_part(skep_str *s)
{
    size_t n = 0;
    while (n < s->n && s->p[n] != '.' && s->p[n] != '-' && s->p[n] != '+')
        n++;
    skep_str part = {s->p, n};
    *s = n < s->n ? skep_str_skip(*s, n + 1) : SKEP_STR_NULL;
    return part;
}

static skep_str plain_version(skep_str s)
{
    return s.n > 1 && s.p[0] == 'v' && s.p[1] >= '0' && s.p[1] <= '9' ? skep_str_skip(s, 1) : s;
}

bool skep_version_before(skep_str a, skep_str b)
{
    a = plain_version(a);
    b = plain_version(b);
    skep_str first_a = a, first_b = b;
    if (!digits(next_part(&first_a)) || !digits(next_part(&first_b)))
        return false; /* hashes, names: nobody knows */
    while (a.p || b.p) {
        skep_str x = a.p ? next_part(&a) : SKEP_STR_NULL, y = b.p ? next_part(&b) : SKEP_STR_NULL;
        uint64_t m = 0, n = 0;
        bool x_number = x.p == NULL || (digits(x) && skep_str_u64(x, &m));
        bool y_number = y.p == NULL || (digits(y) && skep_str_u64(y, &n));
        if (x_number != y_number)
            return !x_number;
        int order = x_number ? (m > n) - (m < n) : skep_str_cmp(x, y);
        if (order != 0)
            return order < 0;
    }
    return false;
}

// --- reading -----------------------------------------------------------------------------------

struct skep_item skep_state__item_read(struct skep_arena *a, sqlite3_stmt *st)
{
    struct skep_item i = {
        .id = sqlite3_column_int64(st, 0),
        .counter = sqlite3_column_int64(st, 1),
        .environment = skep_state__text(a, st, 2),
        .stage = skep_state__text(a, st, 3),
        .fingerprint = skep_state__text(a, st, 4),
        .title = skep_state__text(a, st, 5),
        .type = skep_state__text(a, st, 6),
        .culprit = skep_state__text(a, st, 7),
        .dataset = skep_state__text(a, st, 8),
        .framework = skep_state__text(a, st, 9),
        .status =
            (enum skep_item_status)skep_state__one_of(st, 10, SKEP_ITEM_ACTIVE, SKEP_ITEM_MUTED),
        .level = sqlite3_column_int(st, 11),
        .level_set = sqlite3_column_int(st, 12) != 0,
        .title_set = sqlite3_column_int(st, 13) != 0,
        .owner = skep_state__text(a, st, 14),
        .merged_into = sqlite3_column_int64(st, 15),
        .total = (uint64_t)sqlite3_column_int64(st, 16),
        .since_activated = (uint64_t)sqlite3_column_int64(st, 17),
        .first_ns = sqlite3_column_int64(st, 18),
        .last_ns = sqlite3_column_int64(st, 19),
        .activated_ns = sqlite3_column_int64(st, 26),
        .resolved_ns = sqlite3_column_int64(st, 27),
        .muted_ns = sqlite3_column_int64(st, 28),
        .resolved_in = skep_state__text(a, st, 29),
        .first_version = skep_state__text(a, st, 30),
        .last_version = skep_state__text(a, st, 31),
        .mute_until_ns = sqlite3_column_int64(st, 32),
        .mute_until_total = (uint64_t)sqlite3_column_int64(st, 33),
    };
    i.first_row = (skep_row_id){(uint64_t)sqlite3_column_int64(st, 20),
                                (uint32_t)sqlite3_column_int64(st, 21)};
    i.last_row = (skep_row_id){(uint64_t)sqlite3_column_int64(st, 22),
                               (uint32_t)sqlite3_column_int64(st, 23)};
    i.activating_row = (skep_row_id){(uint64_t)sqlite3_column_int64(st, 24),
                                     (uint32_t)sqlite3_column_int64(st, 25)};
    return i;
}

skep_rc skep_state__item_one(struct skep_state *s, sqlite3_stmt *st, struct skep_arena *arena,
                             struct skep_item *ret, skep_err *err)
{
    bool row = false;
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row)
        *ret = skep_state__item_read(arena, st);
    skep_state__reset(st);
    return rc == SKEP_OK && !row ? skep_fail(err, SKEP_ENOTFOUND, "no such item") : rc;
}

skep_rc skep_state__item_by_id(struct skep_state *s, int64_t id, struct skep_arena *arena,
                               struct skep_item *ret, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_BY_ID);
    skep_state__bind_i64(st, 1, id);
    return skep_state__item_one(s, st, arena, ret, err);
}

skep_rc skep_state_item_get(struct skep_state *s, skep_str environment, int64_t id, int64_t counter,
                            struct skep_arena *arena, struct skep_item *ret, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_GET);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, id);
    skep_state__bind_i64(st, 3, counter);
    skep_rc rc = skep_state__item_one(s, st, arena, ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

int64_t skep_state__item_key(skep_str environment, skep_str stage, skep_str fingerprint)
{
    uint64_t h = skep_hash(skep_str_bytes(environment));
    h = skep_hash_seed(skep_str_bytes(stage), h);
    return (int32_t)skep_hash_seed(skep_str_bytes(fingerprint), h);
}

static skep_rc find_locked(struct skep_state *s, skep_str environment, skep_str stage,
                           skep_str fingerprint, struct skep_arena *arena, struct skep_item *ret,
                           skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_FIND);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, stage);
    skep_state__bind_str(st, 3, fingerprint);
    skep_state__bind_i64(st, 4, skep_state__item_key(environment, stage, fingerprint));
    return skep_state__item_one(s, st, arena, ret, err);
}

skep_rc skep_state_item_find(struct skep_state *s, skep_str environment, skep_str stage,
                             skep_str fingerprint, struct skep_arena *arena, struct skep_item *ret,
                             skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = find_locked(s, environment, stage, fingerprint, arena, ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

// --- a look at new rows ------------------------------------------------------------------------

skep_rc skep_state_items_cursor(struct skep_state *s, skep_row_id *ret, skep_err *err)
{
    bool row = false;
    *ret = (skep_row_id){0, 0};
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_CURSOR);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row)
        *ret = (skep_row_id){(uint64_t)sqlite3_column_int64(st, 0),
                             (uint32_t)sqlite3_column_int64(st, 1)};
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state__item_line(struct skep_state *s, int64_t item, skep_ts_ns at_ns, skep_str actor,
                              skep_str what, skep_str before, skep_str after, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_LINE_PUT);
    skep_state__bind_i64(st, 1, item);
    skep_state__bind_i64(st, 2, at_ns);
    skep_state__bind_str(st, 3, actor);
    skep_state__bind_str(st, 4, what);
    skep_state__bind_str(st, 5, before);
    skep_state__bind_str(st, 6, after);
    return skep_state__run(s, st, err);
}

static void bind_row(sqlite3_stmt *st, int i, skep_row_id id)
{
    skep_state__bind_i64(st, i, (int64_t)id.seq);
    skep_state__bind_i64(st, i + 1, (int64_t)id.ordinal);
}

/* What seeing it again makes of an item. */
static enum skep_item_event event_of(const struct skep_item *i, const struct skep_item_sighting *x,
                                     skep_ts_ns now_ns)
{
    bool older =
        i->resolved_in.n > 0 && x->version.n > 0 && skep_version_before(x->version, i->resolved_in);
    bool until = (i->mute_until_ns != 0 && now_ns >= i->mute_until_ns) ||
                 (i->mute_until_total != 0 && i->total + x->n >= i->mute_until_total);
    if (i->status == SKEP_ITEM_RESOLVED && !older)
        return SKEP_ITEM_REACTIVATED;
    if (i->status == SKEP_ITEM_MUTED && until)
        return SKEP_ITEM_UNMUTED;
    return (enum skep_item_event)0;
}

static skep_rc activate(struct skep_state *s, const struct skep_item *i,
                        const struct skep_item_sighting *x, enum skep_item_event event,
                        skep_ts_ns now_ns, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_ACTIVATE);
    skep_state__bind_i64(st, 1, i->id);
    skep_state__bind_i64(st, 2, now_ns);
    bind_row(st, 3, x->first_row);
    skep_state__bind_str(st, 5, i->title_set ? i->title : x->title);
    SKEP_TRY(skep_state__run(s, st, err));
    return skep_state__item_line(s, i->id, now_ns, SKEP_STR_NULL,
                                 event == SKEP_ITEM_UNMUTED ? SKEP_STR("unmuted")
                                                            : SKEP_STR("reactivated"),
                                 skep_item_status_name(i->status), x->version, err);
}

/* own: the rows are its own, not a member's. */
static skep_rc count(struct skep_state *s, const struct skep_item *i,
                     const struct skep_item_sighting *x, bool own, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_SEEN);
    skep_state__bind_i64(st, 1, i->id);
    skep_state__bind_i64(st, 2, (int64_t)x->n);
    skep_state__bind_i64(st, 3, x->last_ns);
    skep_state__bind_str(st, 4, x->version);
    skep_state__bind_i64(st, 5, own ? (int64_t)x->n : 0);
    bind_row(st, 6, x->last_row);
    SKEP_TRY(skep_state__run(s, st, err));
    if (x->first_ns >= i->first_ns)
        return SKEP_OK;
    st = skep_state__use(s, SKEP_STATE__ITEM_SEEN_EARLIER);
    skep_state__bind_i64(st, 1, i->id);
    skep_state__bind_i64(st, 2, x->first_ns);
    return skep_state__run(s, st, err);
}

// --- the bound ---------------------------------------------------------------------------------

static skep_rc number_locked(struct skep_state *s, skep_str environment, uint64_t *ret,
                             skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_SUM);
    *ret = 0;
    skep_state__bind_str(st, 1, environment);
    return skep_state__number(s, st, ret, err);
}

uint64_t skep_state_items_limit(const struct skep_state *s)
{
    return s->items_limit;
}

skep_rc skep_state_items_number(struct skep_state *s, skep_str environment, uint64_t *ret,
                                skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = number_locked(s, environment, ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* Old items of nobody's go; tried once a minute. */
static skep_rc make_room(struct skep_state *s, skep_str environment, skep_ts_ns now_ns,
                         skep_err *err)
{
    static const int64_t minute_ns = 60000000000ll, idle_ns = 30 * 86400 * 1000000000ll;
    enum { AT_ONCE = 2000 };
    if (now_ns - s->items_room_ns < minute_ns)
        return SKEP_OK;
    s->items_room_ns = now_ns;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_ROOM);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, now_ns - idle_ns);
    skep_state__bind_i64(st, 3, AT_ONCE);
    SKEP_TRY(skep_state__run(s, st, err));
    if (sqlite3_changes(s->db) == 0)
        return SKEP_OK;
    return skep_state__run(s, skep_state__use(s, SKEP_STATE__ITEM_LINES_LEFT), err);
}

/* The environment that had the look's last new item, or wanted one. */
struct room {
    skep_str environment; /* n 0 = there was none */
    uint64_t items;       /* how many it has */
    int64_t counter;      /* the greatest */
    bool full;
};

/* New items of a kind, which all are active and nobody's. */
struct kind {
    skep_str environment, stage;
    int level;
    uint64_t n;
};
enum { KINDS = 16 };

/* A look while it is entered.  Lock held, a transaction open. */
struct entering {
    struct skep_state *s;
    skep_ts_ns now_ns;
    struct skep_arena arena; /* of one sighting */
    struct room room;
    struct kind kinds[KINDS]; /* that item_kind and item_sum do not know of (I3) */
    size_t n_kinds;
    /* What that one's stage has more of than are told apart, together; n 0 = nothing. */
    struct skep_item_sighting over;
    struct skep_item_change *over_change;
    skep_err *err;
};

/* Tell item_kind and item_sum of the items that the look has made up to now. */
static skep_rc count_new(struct entering *e)
{
    struct skep_state *s = e->s;
    for (size_t i = 0; i < e->n_kinds; i++) {
        const struct kind *k = &e->kinds[i];
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_KIND_MORE);
        skep_state__bind_str(st, 1, k->environment);
        skep_state__bind_i64(st, 2, k->level);
        skep_state__bind_str(st, 3, k->stage);
        skep_state__bind_i64(st, 4, (int64_t)k->n);
        SKEP_TRY(skep_state__run(s, st, e->err));
        st = skep_state__use(s, SKEP_STATE__ITEM_SUM_MORE);
        skep_state__bind_str(st, 1, k->environment);
        skep_state__bind_i64(st, 2, (int64_t)k->n);
        SKEP_TRY(skep_state__run(s, st, e->err));
    }
    e->n_kinds = 0;
    return SKEP_OK;
}

static skep_rc add_new(struct entering *e, const struct skep_item_sighting *x)
{
    for (size_t i = 0; i < e->n_kinds; i++) {
        struct kind *k = &e->kinds[i];
        if (k->level == x->level && skep_str_eq(k->stage, x->stage) &&
            skep_str_eq(k->environment, x->environment)) {
            k->n++;
            return SKEP_OK;
        }
    }
    if (e->n_kinds == KINDS)
        SKEP_TRY(count_new(e));
    e->kinds[e->n_kinds++] =
        (struct kind){.environment = x->environment, .stage = x->stage, .level = x->level, .n = 1};
    return SKEP_OK;
}

static skep_rc read_room(struct entering *e)
{
    struct room *r = &e->room;
    uint64_t counter = 0;
    SKEP_TRY(number_locked(e->s, r->environment, &r->items, e->err));
    sqlite3_stmt *st = skep_state__use(e->s, SKEP_STATE__ITEM_COUNTER);
    skep_state__bind_str(st, 1, r->environment);
    SKEP_TRY(skep_state__number(e->s, st, &counter, e->err));
    r->counter = (int64_t)counter;
    return SKEP_OK;
}

static skep_rc enter_room(struct entering *e, skep_str environment)
{
    if (e->room.environment.n > 0 && skep_str_eq(environment, e->room.environment))
        return SKEP_OK;
    SKEP_TRY(count_new(e));
    e->room = (struct room){.environment = environment};
    return read_room(e);
}

/* Is there room for one more?  Made once, when there is none. */
static skep_rc is_full(struct entering *e, skep_str environment, bool *ret)
{
    struct room *r = &e->room;
    SKEP_TRY(enter_room(e, environment));
    if (r->items >= e->s->items_limit && !r->full) {
        SKEP_TRY(count_new(e)); /* those that go are counted */
        SKEP_TRY(make_room(e->s, environment, e->now_ns, e->err));
        SKEP_TRY(read_room(e));
        r->full = r->items >= e->s->items_limit;
    }
    *ret = r->full;
    return SKEP_OK;
}

static skep_rc make(struct entering *e, const struct skep_item_sighting *x,
                    struct skep_item_change *ret)
{
    struct skep_state *s = e->s;
    SKEP_TRY(enter_room(e, x->environment));
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_PUT);
    const skep_str texts[] = {x->environment, x->stage,   x->fingerprint, x->title,  x->type,
                              x->culprit,     x->dataset, x->framework,   x->version};
    for (int i = 0; i < (int)SKEP_ARRAY_LEN(texts); i++)
        skep_state__bind_str(st, 1 + i, texts[i]);
    skep_state__bind_i64(st, 10, x->level);
    skep_state__bind_i64(st, 11, (int64_t)x->n);
    skep_state__bind_i64(st, 12, x->first_ns);
    skep_state__bind_i64(st, 13, x->last_ns);
    bind_row(st, 14, x->first_row);
    bind_row(st, 16, x->last_row);
    skep_state__bind_i64(st, 18, skep_state__item_key(x->environment, x->stage, x->fingerprint));
    skep_state__bind_i64(st, 19, e->room.counter + 1);
    skep_state__bind_i64(st, 20, e->now_ns);
    SKEP_TRY(skep_state__run(s, st, e->err));
    e->room.counter++;
    e->room.items++;
    *ret = (struct skep_item_change){
        .event = SKEP_ITEM_NEW, .id = sqlite3_last_insert_rowid(s->db), .total = x->n};
    return add_new(e, x);
}

/* The item is there, or is made: count a sighting in it. */
static skep_rc see_in(struct entering *e, const struct skep_item_sighting *x,
                      struct skep_item *item, struct skep_item_change *ret)
{
    struct skep_state *s = e->s;
    SKEP_TRY(count(s, item, x, true, e->err));
    if (item->merged_into) { /* I2 */
        SKEP_TRY(skep_state__item_by_id(s, item->merged_into, &e->arena, item, e->err));
        SKEP_TRY(count(s, item, x, false, e->err));
    }
    *ret = (struct skep_item_change){.event = event_of(item, x, e->now_ns),
                                     .id = item->id,
                                     .total_before = item->total,
                                     .total = item->total + x->n};
    return ret->event ? activate(s, item, x, ret->event, e->now_ns, e->err) : SKEP_OK;
}

/* Count what was put together by over(). */
static skep_rc see_over(struct entering *e)
{
    struct skep_item item;
    const struct skep_item_sighting *x = &e->over;
    if (x->n == 0)
        return SKEP_OK;
    skep_rc rc =
        find_locked(e->s, x->environment, x->stage, x->fingerprint, &e->arena, &item, e->err);
    rc = rc == SKEP_ENOTFOUND ? make(e, x, e->over_change)
         : rc == SKEP_OK      ? see_in(e, x, &item, e->over_change)
                              : rc;
    e->over.n = 0;
    return rc;
}

/* There is no room: x is counted with the others of its stage.  What happened to their item is
 * said of the first of them. */
static skep_rc over(struct entering *e, const struct skep_item_sighting *x,
                    struct skep_item_change *ret)
{
    struct skep_item_sighting *o = &e->over;
    *ret = (struct skep_item_change){.id = 0};
    if (o->n > 0 && skep_str_eq(o->stage, x->stage) &&
        skep_str_eq(o->environment, x->environment)) {
        o->n += x->n;
        o->first_ns = SKEP_MIN(o->first_ns, x->first_ns);
        o->last_ns = SKEP_MAX(o->last_ns, x->last_ns);
        o->last_row = x->last_row;
        o->version = x->version.n ? x->version : o->version;
        return SKEP_OK;
    }
    SKEP_TRY(see_over(e));
    *o = *x;
    o->fingerprint = SKEP_ITEMS_OVERFLOW;
    o->title = SKEP_STR("More different errors than are told apart");
    o->type = o->culprit = o->framework = SKEP_STR_NULL;
    e->over_change = ret;
    return SKEP_OK;
}

static skep_rc see_one(struct entering *e, const struct skep_item_sighting *x,
                       struct skep_item_change *ret)
{
    struct skep_item item;
    bool full = false;
    skep_rc rc =
        find_locked(e->s, x->environment, x->stage, x->fingerprint, &e->arena, &item, e->err);
    if (rc == SKEP_OK)
        return see_in(e, x, &item, ret);
    if (rc != SKEP_ENOTFOUND)
        return rc;
    SKEP_TRY(is_full(e, x->environment, &full));
    return full ? over(e, x, ret) : make(e, x, ret);
}

static skep_rc move_cursor(struct skep_state *s, skep_row_id at, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_CURSOR_SET);
    bind_row(st, 1, at);
    return skep_state__run(s, st, err);
}

static skep_rc enter_all(struct entering *e, const struct skep_items_look *look,
                         struct skep_item_change *ret)
{
    for (size_t i = 0; i < look->n; i++) {
        SKEP_TRY(see_one(e, &look->sightings[i], &ret[i]));
        skep_arena_reset(&e->arena);
    }
    SKEP_TRY(see_over(e));
    SKEP_TRY(count_new(e));
    SKEP_TRY(skep_state__twins_put(e->s, look, e->err));
    return move_cursor(e->s, look->at, e->err);
}

skep_rc skep_state_items_see(struct skep_state *s, const struct skep_items_look *look,
                             skep_ts_ns now_ns, struct skep_item_change *ret, skep_err *err)
{
    struct entering e = {.s = s, .now_ns = now_ns, .err = err};
    skep_arena_init(&e.arena, "items", NULL);
    skep_mutex_lock(&s->lock);
    skep_state__sync(s, false); /* I4 */
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, enter_all(&e, look, ret), err);
    skep_state__sync(s, true);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&e.arena);
    return rc;
}
