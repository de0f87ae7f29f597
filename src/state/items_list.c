// SPDX-License-Identifier: Apache-2.0
/* Lists of items (items.h).
 *
 *   without words   a walk along the index of the order, up to the page's end; how many there are
 * of each status from item_kind, or counted along an index with words      all items of the
 * environment, their texts read: counted, and the best of them remembered -> sorted -> the page's
 * are read by their ids
 *
 * Words have no index: one of parts of three letters (FTS5's trigrams) was a third of what a new
 * item cost, and a question about words took as long with it, because it went through all items of
 * the environment anyway (docs/performance.md).
 *
 * Threads: any.  Memory: texts in the caller's arena; of a search 16 bytes for each item up to
 * twice the page's end. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "state/items_priv.h"
#include "state/state_priv.h"
#include "wire/json_out.h"

enum { LIST_MAX = 5000, QUERY_TEXT_MAX = 1 << 20 };

// --- what is asked -----------------------------------------------------------------------------

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
    struct skep_buf stages_text, ids_text, not_ids_text, words_text, terms_text;
    skep_str stages, ids, not_ids, words, terms;
};

static bool lists_init(struct lists *x, const struct skep_item_query *q)
{
    struct skep_buf *all[] = {&x->stages_text, &x->ids_text, &x->not_ids_text, &x->words_text,
                              &x->terms_text};
    bool bad = false;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        skep_buf_init(all[i], QUERY_TEXT_MAX);
    x->stages = stages_of(q, &x->stages_text);
    x->ids = ids_of(q->ids, q->n_ids, &x->ids_text);
    x->not_ids = ids_of(q->not_ids, q->n_not_ids, &x->not_ids_text);
    x->words = skep_state__items_folded(q->words, &x->words_text);
    x->terms = skep_state__items_terms(q, &x->terms_text);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        bad |= all[i]->bad;
    return !bad;
}

static void lists_done(struct lists *x)
{
    skep_buf_done(&x->stages_text);
    skep_buf_done(&x->ids_text);
    skep_buf_done(&x->not_ids_text);
    skep_buf_done(&x->words_text);
    skep_buf_done(&x->terms_text);
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

static bool is_search(const struct lists *x)
{
    return x->words.n > 0 || x->terms.n > 0;
}

/* Is nothing asked but what item_kind knows? */
static bool is_of_kinds(const struct skep_item_query *q)
{
    return q->members_of == 0 && q->seen_after_ns == 0 && q->first_to_ns == 0 &&
           q->back_to_ns == 0 && q->n_ids == 0 && q->n_not_ids == 0;
}

// --- without words ------------------------------------------------------------------------------

/* How many there are of each status, `statuses` put aside. */
static skep_rc count_of(struct skep_state *s, const struct skep_item_query *q,
                        const struct lists *x, uint64_t ret[SKEP_ITEM_STATUSES], skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st;
    if (is_of_kinds(q)) {
        st = kinds_of(s, SKEP_STATE__ITEM_COUNTS_OF_KINDS, q, x);
    } else {
        st = list_of(s, SKEP_STATE__ITEM_COUNTS, q, x);
        skep_state__bind_i64(st, 2, 0);
    }
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
static bool is_plain(const struct skep_item_query *q)
{
    return is_of_kinds(q) && q->level_min == 0 && q->levels == 0 && q->stage.n == 0 &&
           q->n_stages == 0 && q->owner.n == 0;
}

static sqlite3_stmt *page_statement(struct skep_state *s, const struct skep_item_query *q,
                                    const struct lists *x)
{
    skep_assert(q->order < SKEP_ARRAY_LEN(pages));
    if (!is_plain(q))
        return list_of(s, pages[q->order].any, q, x);
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

static size_t limit_of(const struct skep_item_query *q)
{
    return q->limit == 0 ? 100 : SKEP_MIN(q->limit, (unsigned)LIST_MAX);
}

static skep_rc page_of(struct skep_state *s, const struct skep_item_query *q, const struct lists *x,
                       struct skep_arena *arena, struct items *ret, skep_err *err)
{
    size_t limit = limit_of(q);
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

// --- with words ---------------------------------------------------------------------------------

/* The best `want` items seen up to now, and some more. */
struct hits {
    struct hit {
        int64_t key, id;
    } * all;
    size_t n, cap, want;
};

static int better_first(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? 1 : -1;
    return (x->id < y->id) - (x->id > y->id);
}

static void keep_best(struct hits *h)
{
    if (h->n > 0)
        qsort(h->all, h->n, sizeof *h->all, better_first);
    h->n = SKEP_MIN(h->n, h->want);
}

static void add_hit(struct hits *h, int64_t key, int64_t id)
{
    if (h->n == h->cap && h->n / 2 >= h->want)
        keep_best(h);
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        h->all = skep_realloc(h->all, h->cap * sizeof *h->all);
    }
    h->all[h->n++] = (struct hit){key, id};
}

/* Are most items, of all environments, this one's? */
static skep_rc has_most(struct skep_state *s, skep_str environment, bool *ret, skep_err *err)
{
    static const enum skep_state__stmt sums[] = {SKEP_STATE__ITEM_SUM, SKEP_STATE__ITEM_SUM_OTHERS};
    uint64_t n[SKEP_ARRAY_LEN(sums)] = {0};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(sums); i++) {
        sqlite3_stmt *st = skep_state__use(s, sums[i]);
        skep_state__bind_str(st, 1, environment);
        SKEP_TRY(skep_state__number(s, st, &n[i], err));
    }
    *ret = n[0] > n[1];
    return SKEP_OK;
}

static skep_rc find_hits(struct skep_state *s, const struct skep_item_query *q,
                         const struct lists *x, struct hits *ret,
                         uint64_t ret_counts[SKEP_ITEM_STATUSES], skep_err *err)
{
    bool row = false, most = false;
    SKEP_TRY(has_most(s, q->environment, &most, err));
    sqlite3_stmt *st =
        list_of(s, most ? SKEP_STATE__ITEM_SEARCH_ALL : SKEP_STATE__ITEM_SEARCH, q, x);
    skep_state__bind_i64(st, 2, 0);
    skep_state__bind_str(st, 6, x->words);
    skep_state__bind_str(st, 21, x->terms);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        int status = sqlite3_column_int(st, 1);
        if (status >= SKEP_ITEM_ACTIVE && status < SKEP_ITEM_STATUSES)
            ret_counts[status]++;
        if (q->statuses == 0 || (q->statuses >> status) & 1)
            add_hit(ret, sqlite3_column_int64(st, 2 + (int)q->order), sqlite3_column_int64(st, 0));
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    keep_best(ret);
    return rc;
}

static skep_rc search(struct skep_state *s, const struct skep_item_query *q, const struct lists *x,
                      struct skep_arena *arena, struct items *ret,
                      uint64_t ret_counts[SKEP_ITEM_STATUSES], skep_err *err)
{
    struct hits hits = {.want = q->offset + limit_of(q)};
    struct skep_item i;
    skep_rc rc = find_hits(s, q, x, &hits, ret_counts, err);
    for (size_t k = q->offset; rc == SKEP_OK && k < hits.n; k++) {
        rc = skep_state__item_by_id(s, hits.all[k].id, arena, &i, err);
        if (rc == SKEP_OK)
            add_item(ret, arena, &i);
    }
    skep_free(hits.all);
    return rc;
}

// --- both ---------------------------------------------------------------------------------------

static skep_rc list_locked(struct skep_state *s, const struct skep_item_query *q,
                           const struct lists *x, struct skep_arena *arena, struct items *ret,
                           uint64_t *ret_counts, skep_err *err)
{
    uint64_t counts[SKEP_ITEM_STATUSES] = {0};
    if (is_search(x))
        SKEP_TRY(search(s, q, x, arena, ret, counts, err));
    else if (ret_counts)
        SKEP_TRY(count_of(s, q, x, counts, err));
    if (ret_counts)
        memcpy(ret_counts, counts, sizeof counts);
    return is_search(x) ? SKEP_OK : page_of(s, q, x, arena, ret, err);
}

skep_rc skep_state_items_page(struct skep_state *s, const struct skep_item_query *q,
                              struct skep_arena *arena, struct skep_item **ret, size_t *ret_n,
                              uint64_t ret_counts[SKEP_ITEM_STATUSES], skep_err *err)
{
    struct items page = {.n = 0};
    struct lists x;
    skep_assert(q->order <= SKEP_ITEMS_BY_LEVEL);
    bool fits = lists_init(&x, q);
    skep_mutex_lock(&s->lock);
    skep_rc rc = fits
                     ? list_locked(s, q, &x, arena, &page, ret_counts, err)
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
    SKEP_TRY(skep_state_items_page(s, q, arena, ret, ret_n, counts, err));
    *ret_all = skep_item_counts_all(q, counts);
    return SKEP_OK;
}
