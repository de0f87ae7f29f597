// SPDX-License-Identifier: Apache-2.0
/* Items (items.h): lists, and what people change.
 *
 * I1  a change and its line in the history are one transaction.
 * Threads: any.  Memory: texts in the caller's arena. */
#include "base/assert.h"
#include "state/items_priv.h"
#include "state/state_priv.h"
#include "wire/json_out.h"

enum { LIST_MAX = 5000, LINES_MAX = 1000, QUERY_TEXT_MAX = 1 << 20 };

// --- lists -------------------------------------------------------------------------------------

/* ["production","staging"], or "" of none. */
static skep_str stages_of(const struct skep_item_query *q, struct skep_buf *out)
{
    struct skep_json j;
    if (q->n_stages == 0)
        return SKEP_STR("");
    skep_json_init(&j, out);
    skep_json_array(&j);
    for (size_t i = 0; i < q->n_stages; i++)
        skep_json_str(&j, q->stages[i]);
    skep_json_end(&j);
    return skep_buf_text(out);
}

static skep_str ids_of(const int64_t *ids, size_t n, struct skep_buf *out)
{
    struct skep_json j;
    size_t from = out->n;
    if (n == 0)
        return SKEP_STR("");
    skep_json_init(&j, out);
    skep_json_array(&j);
    for (size_t i = 0; i < n; i++)
        skep_json_i64(&j, ids[i]);
    skep_json_end(&j);
    return skep_str_skip(skep_buf_text(out), from);
}

/* The lists of a question as its statement takes them. */
struct lists {
    struct skep_buf stages_text, ids_text, not_ids_text, terms_text, parts_text;
    skep_str stages, ids, not_ids, terms, parts;
};

static bool lists_init(struct lists *x, const struct skep_item_query *q)
{
    struct skep_buf *all[] = {&x->stages_text, &x->ids_text, &x->not_ids_text, &x->terms_text,
                              &x->parts_text};
    bool bad = false;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        skep_buf_init(all[i], QUERY_TEXT_MAX);
    x->stages = stages_of(q, &x->stages_text);
    x->ids = ids_of(q->ids, q->n_ids, &x->ids_text);
    x->not_ids = ids_of(q->not_ids, q->n_not_ids, &x->not_ids_text);
    x->terms = skep_state__items_terms(q, &x->terms_text);
    x->parts = skep_state__items_parts(q, &x->parts_text);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        bad |= all[i]->bad;
    return !bad;
}

static void lists_done(struct lists *x)
{
    skep_buf_done(&x->stages_text);
    skep_buf_done(&x->ids_text);
    skep_buf_done(&x->not_ids_text);
    skep_buf_done(&x->terms_text);
    skep_buf_done(&x->parts_text);
}

/* What item_kind is asked. */
static sqlite3_stmt *kinds_of(struct skep_state *s, enum skep_state__stmt id,
                              const struct skep_item_query *q, const struct lists *x)
{
    sqlite3_stmt *st = skep_state__use(s, id);
    skep_state__bind_str(st, 1, q->environment);
    skep_state__bind_i64(st, 3, q->level_min);
    skep_state__bind_str(st, 4, q->stage);
    skep_state__bind_str(st, 5, q->owner);
    skep_state__bind_i64(st, 13, q->levels);
    skep_state__bind_str(st, 14, x->stages);
    return st;
}

static sqlite3_stmt *list_of(struct skep_state *s, enum skep_state__stmt id,
                             const struct skep_item_query *q, const struct lists *x)
{
    sqlite3_stmt *st = kinds_of(s, id, q, x);
    skep_state__bind_i64(st, 2, q->statuses);
    skep_state__bind_i64(st, 7, q->seen_after_ns);
    skep_state__bind_i64(st, 9, q->members_of);
    skep_state__bind_str(st, 15, x->ids);
    skep_state__bind_i64(st, 16, q->first_from_ns);
    skep_state__bind_i64(st, 17, q->first_to_ns);
    skep_state__bind_i64(st, 18, q->back_from_ns);
    skep_state__bind_i64(st, 19, q->back_to_ns);
    skep_state__bind_str(st, 20, x->not_ids);
    return st;
}

/* What only statements that read the rows themselves ask. */
static void bind_texts(sqlite3_stmt *st, const struct skep_item_query *q, const struct lists *x)
{
    skep_state__bind_str(st, 6, q->words);
    skep_state__bind_str(st, 21, x->terms);
    skep_state__bind_str(st, 22, x->parts);
}

/* Is nothing asked but what item_kind knows? */
static bool is_of_kinds(const struct skep_item_query *q)
{
    return q->members_of == 0 && q->seen_after_ns == 0 && q->first_to_ns == 0 &&
           q->back_to_ns == 0 && q->n_ids == 0 && q->n_not_ids == 0;
}

/* How many there are of each status, `statuses` put aside. */
static skep_rc count_of(struct skep_state *s, const struct skep_item_query *q,
                        const struct lists *x, uint64_t ret[SKEP_ITEM_STATUSES], skep_err *err)
{
    bool row = false;
    bool texts = q->words.n > 0 || x->terms.n > 0;
    sqlite3_stmt *st;
    if (!texts && is_of_kinds(q)) {
        st = kinds_of(s, SKEP_STATE__ITEM_COUNTS_OF_KINDS, q, x);
    } else {
        st = list_of(s, texts ? SKEP_STATE__ITEM_COUNTS_OF_WORDS : SKEP_STATE__ITEM_COUNTS, q, x);
        skep_state__bind_i64(st, 2, 0);
    }
    if (texts)
        bind_texts(st, q, x);
    memset(ret, 0, SKEP_ITEM_STATUSES * sizeof *ret);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        int status = sqlite3_column_int(st, 0);
        if (status >= SKEP_ITEM_ACTIVE && status < SKEP_ITEM_STATUSES)
            ret[status] = (uint64_t)sqlite3_column_int64(st, 1);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    return rc;
}

static const struct {
    enum skep_state__stmt any, plain;
} pages[] = {[SKEP_ITEMS_BY_LAST] = {SKEP_STATE__ITEM_BY_LAST, SKEP_STATE__ITEM_PLAIN_BY_LAST},
             [SKEP_ITEMS_BY_FIRST] = {SKEP_STATE__ITEM_BY_FIRST, SKEP_STATE__ITEM_PLAIN_BY_FIRST},
             [SKEP_ITEMS_BY_TOTAL] = {SKEP_STATE__ITEM_BY_TOTAL, SKEP_STATE__ITEM_PLAIN_BY_TOTAL},
             [SKEP_ITEMS_BY_LEVEL] = {SKEP_STATE__ITEM_BY_LEVEL, SKEP_STATE__ITEM_PLAIN_BY_LEVEL}};

/* Are all items of some statuses asked for? */
static bool is_plain(const struct skep_item_query *q, const struct lists *x)
{
    return is_of_kinds(q) && q->words.n == 0 && x->terms.n == 0 && q->level_min == 0 &&
           q->levels == 0 && q->stage.n == 0 && q->n_stages == 0 && q->owner.n == 0;
}

static sqlite3_stmt *page_statement(struct skep_state *s, const struct skep_item_query *q,
                                    const struct lists *x)
{
    skep_assert(q->order < SKEP_ARRAY_LEN(pages));
    if (!is_plain(q, x)) {
        sqlite3_stmt *any = list_of(s, pages[q->order].any, q, x);
        bind_texts(any, q, x);
        return any;
    }
    sqlite3_stmt *st = skep_state__use(s, pages[q->order].plain);
    skep_state__bind_str(st, 1, q->environment);
    skep_state__bind_i64(st, 2, q->statuses ? (int64_t)q->statuses : -1);
    return st;
}

/* Items while they are read: most questions about members find none. */
struct items {
    struct skep_item *list;
    size_t n, cap;
};

static void add_item(struct items *l, struct skep_arena *arena, const struct skep_item *i)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 8;
        struct skep_item *more = skep_new_n(arena, struct skep_item, l->cap);
        if (l->n > 0)
            memcpy(more, l->list, l->n * sizeof *more);
        l->list = more;
    }
    l->list[l->n++] = *i;
}

static skep_rc page_of(struct skep_state *s, const struct skep_item_query *q, const struct lists *x,
                       struct skep_arena *arena, struct items *ret, skep_err *err)
{
    size_t limit = q->limit == 0 ? 100 : SKEP_MIN(q->limit, (unsigned)LIST_MAX);
    bool row = false;
    sqlite3_stmt *st = page_statement(s, q, x);
    skep_state__bind_i64(st, 11, (int64_t)limit);
    skep_state__bind_i64(st, 12, (int64_t)q->offset);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && ret->n < limit) {
        struct skep_item i = skep_state__item_read(arena, st);
        add_item(ret, arena, &i);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    return rc;
}

skep_rc skep_state_items_counts(struct skep_state *s, const struct skep_item_query *q,
                                uint64_t ret[SKEP_ITEM_STATUSES], skep_err *err)
{
    struct lists x;
    bool fits = lists_init(&x, q);
    skep_mutex_lock(&s->lock);
    skep_rc rc = fits
                     ? count_of(s, q, &x, ret, err)
                     : skep_fail(err, SKEP_ETOOLARGE, "too many environments or ids in a question");
    skep_mutex_unlock(&s->lock);
    lists_done(&x);
    return rc;
}

skep_rc skep_state_items_page(struct skep_state *s, const struct skep_item_query *q,
                              struct skep_arena *arena, struct skep_item **ret, size_t *ret_n,
                              skep_err *err)
{
    struct items page = {.n = 0};
    struct lists x;
    bool fits = lists_init(&x, q);
    skep_mutex_lock(&s->lock);
    skep_rc rc = fits
                     ? page_of(s, q, &x, arena, &page, err)
                     : skep_fail(err, SKEP_ETOOLARGE, "too many environments or ids in a question");
    skep_mutex_unlock(&s->lock);
    lists_done(&x);
    *ret = page.list;
    *ret_n = page.n;
    return rc;
}

uint64_t skep_item_counts_all(const struct skep_item_query *q,
                              const uint64_t counts[SKEP_ITEM_STATUSES])
{
    uint64_t all = 0;
    for (unsigned status = SKEP_ITEM_ACTIVE; status < SKEP_ITEM_STATUSES; status++) {
        if (q->statuses == 0 || (q->statuses >> status) & 1)
            all += counts[status];
    }
    return all;
}

skep_rc skep_state_items(struct skep_state *s, const struct skep_item_query *q,
                         struct skep_arena *arena, struct skep_item **ret, size_t *ret_n,
                         uint64_t *ret_all, skep_err *err)
{
    uint64_t counts[SKEP_ITEM_STATUSES];
    SKEP_TRY(skep_state_items_counts(s, q, counts, err));
    *ret_all = skep_item_counts_all(q, counts);
    return skep_state_items_page(s, q, arena, ret, ret_n, err);
}

// --- changes -----------------------------------------------------------------------------------

struct change {
    struct skep_state *s;
    const struct skep_item *item;
    skep_str actor;
    skep_ts_ns now_ns;
    skep_rc rc;
    skep_err *err;
};

static void line(struct change *c, skep_str what, skep_str before, skep_str after)
{
    if (c->rc == SKEP_OK && !skep_str_eq(before, after))
        c->rc = skep_state__item_line(c->s, c->item->id, c->now_ns, c->actor, what, before, after,
                                      c->err);
}

static skep_str number(struct skep_arena *arena, int v)
{
    return skep_arena_printf(arena, "%d", v);
}

/* What the item becomes. */
static struct skep_item patched(const struct skep_item *old, const struct skep_item_patch *p,
                                skep_ts_ns now_ns)
{
    struct skep_item i = *old;
    if (p->set_status && p->status != old->status) {
        i.status = p->status;
        i.activated_ns = p->status == SKEP_ITEM_ACTIVE ? now_ns : i.activated_ns;
        i.resolved_ns = p->status == SKEP_ITEM_RESOLVED ? now_ns : i.resolved_ns;
        i.muted_ns = p->status == SKEP_ITEM_MUTED ? now_ns : i.muted_ns;
        i.since_activated = p->status == SKEP_ITEM_ACTIVE ? 0 : i.since_activated;
        i.mute_until_ns = 0;
        i.mute_until_total = 0;
        i.resolved_in = SKEP_STR_NULL;
    }
    if (p->set_mute) {
        i.mute_until_ns = p->mute_until_ns;
        i.mute_until_total = p->mute_until_total ? i.total + p->mute_until_total : 0;
    }
    i.resolved_in = p->set_resolved_in ? p->resolved_in : i.resolved_in;
    i.level = p->set_level ? p->level : i.level;
    i.level_set |= p->set_level;
    i.title = p->set_title ? p->title : i.title;
    i.title_set |= p->set_title;
    i.owner = p->set_owner ? p->owner : i.owner;
    return i;
}

static skep_rc save(struct skep_state *s, const struct skep_item *i, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_SET);
    skep_state__bind_i64(st, 1, i->id);
    skep_state__bind_i64(st, 2, (int64_t)i->status);
    skep_state__bind_i64(st, 3, i->level);
    skep_state__bind_i64(st, 4, i->level_set);
    skep_state__bind_str(st, 5, i->title);
    skep_state__bind_i64(st, 6, i->title_set);
    skep_state__bind_str(st, 7, i->owner);
    skep_state__bind_str(st, 8, i->resolved_in);
    skep_state__bind_i64(st, 9, i->activated_ns);
    skep_state__bind_i64(st, 10, i->resolved_ns);
    skep_state__bind_i64(st, 11, i->muted_ns);
    skep_state__bind_i64(st, 12, i->mute_until_ns);
    skep_state__bind_i64(st, 13, (int64_t)i->mute_until_total);
    skep_state__bind_i64(st, 14, (int64_t)i->since_activated);
    return skep_state__run(s, st, err);
}

static skep_rc get_locked(struct skep_state *s, skep_str environment, int64_t id,
                          struct skep_arena *arena, struct skep_item *ret, skep_err *err)
{
    SKEP_TRY(skep_state__item_by_id(s, id, arena, ret, err));
    if (!skep_str_eq(ret->environment, environment))
        return skep_fail(err, SKEP_ENOTFOUND, "no such item");
    return SKEP_OK;
}

static skep_rc patch_locked(struct skep_state *s, skep_str environment, int64_t id,
                            const struct skep_item_patch *p, skep_str actor, skep_ts_ns now_ns,
                            struct skep_arena *arena, skep_err *err)
{
    struct skep_item old;
    SKEP_TRY(get_locked(s, environment, id, arena, &old, err));
    struct skep_item i = patched(&old, p, now_ns);
    struct change c = {
        .s = s, .item = &i, .actor = actor, .now_ns = now_ns, .rc = SKEP_OK, .err = err};
    SKEP_TRY(save(s, &i, err));
    line(&c, SKEP_STR("status"), skep_item_status_name(old.status),
         skep_item_status_name(i.status));
    line(&c, SKEP_STR("resolved in"), old.resolved_in, i.resolved_in);
    line(&c, SKEP_STR("level"), number(arena, old.level), number(arena, i.level));
    line(&c, SKEP_STR("title"), old.title, i.title);
    line(&c, SKEP_STR("owner"), old.owner, i.owner);
    return c.rc;
}

/* Where an item's members and itself point, when it is merged into something (or 0). */
static skep_rc merge_locked(struct skep_state *s, skep_str environment, int64_t id, int64_t into,
                            skep_str actor, skep_ts_ns now_ns, struct skep_arena *arena,
                            skep_err *err)
{
    struct skep_item item, other = {.id = 0};
    SKEP_TRY(get_locked(s, environment, id, arena, &item, err));
    if (into) {
        SKEP_TRY(get_locked(s, environment, into, arena, &other, err));
        if (other.merged_into)
            SKEP_TRY(get_locked(s, environment, other.merged_into, arena, &other, err));
        if (other.id == id)
            return skep_fail(err, SKEP_EINVAL, "an item cannot be merged into itself");
        if (!skep_str_eq(other.stage, item.stage))
            return skep_fail(err, SKEP_EINVAL, "items of two environments cannot be merged");
    }
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_MERGE);
    skep_state__bind_i64(st, 1, id);
    skep_state__bind_i64(st, 2, other.id);
    SKEP_TRY(skep_state__run(s, st, err));
    const int64_t counted[] = {other.id, item.merged_into, id};
    for (size_t k = 0; k < SKEP_ARRAY_LEN(counted); k++) { /* their own and their members' */
        st = skep_state__use(s, SKEP_STATE__ITEM_RECOUNT);
        skep_state__bind_i64(st, 1, counted[k]);
        if (counted[k])
            SKEP_TRY(skep_state__run(s, st, err));
    }
    struct change c = {
        .s = s, .item = &item, .actor = actor, .now_ns = now_ns, .rc = SKEP_OK, .err = err};
    line(&c, SKEP_STR("merged"), number(arena, (int)item.merged_into),
         number(arena, (int)other.id));
    return c.rc;
}

skep_rc skep_state_item_patch(struct skep_state *s, skep_str environment, int64_t id,
                              const struct skep_item_patch *p, skep_str actor, skep_ts_ns now_ns,
                              skep_err *err)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "item", NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, patch_locked(s, environment, id, p, actor, now_ns, &arena, err),
                             err);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&arena);
    return rc;
}

skep_rc skep_state_item_merge(struct skep_state *s, skep_str environment, int64_t id, int64_t into,
                              skep_str actor, skep_ts_ns now_ns, skep_err *err)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "item", NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, merge_locked(s, environment, id, into, actor, now_ns, &arena, err),
                             err);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&arena);
    return rc;
}

// --- history -----------------------------------------------------------------------------------

skep_rc skep_state_item_comment(struct skep_state *s, skep_str environment, int64_t id,
                                skep_str actor, skep_str text, skep_ts_ns now_ns, skep_err *err)
{
    struct skep_arena arena;
    struct skep_item item;
    skep_arena_init(&arena, "item", NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = get_locked(s, environment, id, &arena, &item, err);
    if (rc == SKEP_OK)
        rc = skep_state__item_line(s, id, now_ns, actor, SKEP_STR("comment"), SKEP_STR_NULL, text,
                                   err);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&arena);
    return rc;
}

skep_rc skep_state_item_history(struct skep_state *s, int64_t id, struct skep_arena *arena,
                                struct skep_item_line **ret, size_t *ret_n, skep_err *err)
{
    size_t n = 0;
    bool row = false;
    struct skep_item_line *list = skep_new_n(arena, struct skep_item_line, LINES_MAX);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_LINE_LIST);
    skep_state__bind_i64(st, 1, id);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < LINES_MAX) {
        list[n++] = (struct skep_item_line){.id = sqlite3_column_int64(st, 0),
                                            .at_ns = sqlite3_column_int64(st, 1),
                                            .actor = skep_state__text(arena, st, 2),
                                            .what = skep_state__text(arena, st, 3),
                                            .before = skep_state__text(arena, st, 4),
                                            .after = skep_state__text(arena, st, 5)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}
