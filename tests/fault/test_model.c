// SPDX-License-Identifier: Apache-2.0
/* The engine against a list of rows: appends, deletes by predicate, revisions, folds, flushes,
 * merges, restarts, power cuts in the midst of any of them.  After each step the visible rows are
 * those of the list, by a scan and by the executor, and the counts add up.
 *
 * An operation under way when the power goes may have happened or not; whole or not at all.
 *
 * SKEP_SEED and SKEP_STEPS choose a run; the seed is printed when one fails. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "support/fault_os.h"
#include "support/instrumented.h"
#include "support/store_client.h"

#define DIR "/data"
#define T0  INT64_C(1700000000000000000)

enum { TRACES = 12, SPANS = 4, DATASETS = 4, MAX_ROWS = 60000 };

/* One row as the list knows it. */
struct row {
    int64_t time_ns, revision; /* revision -1: none */
    uint8_t kind, dataset, trace, span;
    enum { LIVE, DELETED, SUPERSEDED } is;
};

struct world {
    struct mem_os *m;
    struct skep_column_config cfg;
    struct skep_store *s;
    struct rnd r;
    uint64_t seed;
    struct row *rows; /* the tag is the index */
    size_t n;
    struct predicate {            /* what the newest rows are asked for again and again */
        int64_t tag_from, tag_to; /* [from, to) */
        int dataset, kind;        /* -1: any */
    } again;
    uint64_t steps, deletes, killed, merges, restarts, cuts, doubts, superseded;
};

static const char *const dataset_names[DATASETS] = {"api", "cart", "db", "web"};

#define CHECK(w, cond)                                                                             \
    do {                                                                                           \
        if (!(cond))                                                                               \
            fail_msg("seed %llu, step %llu: %s", (unsigned long long)(w)->seed,                    \
                     (unsigned long long)(w)->steps, #cond);                                       \
    } while (0)

/* --- the list --- */

static bool same_key(const struct row *a, const struct row *b)
{
    return a->revision >= 0 && b->revision >= 0 && a->trace == b->trace && a->span == b->span;
}

/* Row i was committed; rows before it are settled. */
static void settle(struct world *w, size_t i)
{
    struct row *mine = &w->rows[i];
    if (mine->revision < 0)
        return;
    for (size_t k = 0; k < i; k++) {
        struct row *other = &w->rows[k];
        if (other->is != LIVE || !same_key(other, mine))
            continue;
        if (other->revision > mine->revision)
            mine->is = SUPERSEDED;
        else
            other->is = SUPERSEDED;
    }
}

static bool matches(const struct world *w, const struct predicate *p, size_t i)
{
    const struct row *r = &w->rows[i];
    return (int64_t)i >= p->tag_from && (int64_t)i < p->tag_to &&
           (p->dataset < 0 || r->dataset == p->dataset) && (p->kind < 0 || r->kind == p->kind);
}

static uint64_t kill_matching(struct world *w, const struct predicate *p)
{
    uint64_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->rows[i].is != LIVE || !matches(w, p, i))
            continue;
        w->rows[i].is = DELETED;
        n++;
    }
    return n;
}

/* --- the store --- */

static void open_world(struct world *w)
{
    skep_err err;
    if (skep_column_open(&w->cfg, &w->s, &err) != SKEP_OK)
        fail_msg("seed %llu, step %llu: open: %s", (unsigned long long)w->seed,
                 (unsigned long long)w->steps, err.text);
    CHECK(w, skep_engine_of(w->s)->damage.regions == 0);
    CHECK(w, skep_engine_of(w->s)->damage.lost_first == 0);
}

/* n new rows in the list and as a batch. */
static struct skep_batch *new_rows(struct world *w, uint32_t n)
{
    struct skep_batch *b = skep_batch_new(NULL, T0 + (int64_t)w->steps * 1000000);
    char text[64];
    CHECK(w, w->n + n <= MAX_ROWS);
    for (uint32_t i = 0; i < n; i++) {
        struct row *x = &w->rows[w->n];
        *x = (struct row){.time_ns = b->received_ns - rnd_below(&w->r, 1000000000),
                          .kind = (uint8_t)(1 + rnd_below(&w->r, 5)),
                          .dataset = (uint8_t)rnd_below(&w->r, DATASETS),
                          .trace = (uint8_t)rnd_below(&w->r, TRACES),
                          .span = (uint8_t)rnd_below(&w->r, SPANS),
                          .revision = rnd_below(&w->r, 12) ? -1 : (int64_t)rnd_below(&w->r, 4)};
        if (x->kind == SKEP_KIND_SPAN_EVENT || x->kind == SKEP_KIND_LINK)
            x->revision = -1; /* parts of a span: test_supersede.c */
        uint32_t row = skep_batch_row(b, x->kind, x->time_ns, SKEP_SOURCE_XRAY);
        if (x->revision >= 0 || rnd_below(&w->r, 2)) {
            b->trace_id[row].b[0] = (uint8_t)(1 + x->trace);
            b->span_id[row] = 1ull + x->span;
        }
        b->dataset[row] = skep_batch_intern(b, skep_str_c(dataset_names[x->dataset]));
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("tag"),
                       (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)w->n});
        (void)snprintf(text, sizeof text, "line %zu of %s", w->n, dataset_names[x->dataset]);
        skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(text)});
        if (x->revision >= 0)
            skep_batch_revision(b, x->revision);
        w->n++;
    }
    return b;
}

static struct skep_expr *test_of(struct skep_arena *a, const char *name, enum skep_cmp op,
                                 skep_value v)
{
    skep_value *value = skep_new(a, skep_value);
    *value = v;
    struct skep_expr *e = skep_new(a, struct skep_expr);
    *e = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {.field = {skep_str_c(name)}, .op = op, .values = value, .n_values = 1}};
    return e;
}

static void plan_of(struct skep_arena *a, const struct predicate *p, struct skep_plan *plan)
{
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, 3);
    unsigned n = 0;
    kids[n++] =
        test_of(a, "tag", SKEP_CMP_GE, (skep_value){.type = SKEP_TYPE_INT, .i = p->tag_from});
    kids[n++] = test_of(a, "tag", SKEP_CMP_LT, (skep_value){.type = SKEP_TYPE_INT, .i = p->tag_to});
    if (p->kind >= 0)
        kids[n++] = test_of(
            a, "meta.kind", SKEP_CMP_EQ,
            (skep_value){.type = SKEP_TYPE_STRING, .s = skep_kind_name((enum skep_kind)p->kind)});
    struct skep_expr *all = skep_new(a, struct skep_expr);
    *all = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = n};
    *plan = (struct skep_plan){
        .kind = SKEP_PLAN_ROWS, .range = {INT64_MIN, INT64_MAX}, .filter = all, .limit = 1000000};
    if (p->dataset >= 0)
        plan->dataset = skep_str_c(dataset_names[p->dataset]);
}

static struct predicate random_predicate(struct world *w)
{
    struct predicate p = {.dataset = -1, .kind = -1};
    uint32_t n = (uint32_t)w->n + 1;
    p.tag_from = rnd_below(&w->r, n);
    p.tag_to = p.tag_from + rnd_below(&w->r, rnd_below(&w->r, 8) ? 200 : n);
    if (rnd_below(&w->r, 3) == 0)
        p.dataset = (int)rnd_below(&w->r, DATASETS);
    if (rnd_below(&w->r, 3) == 0)
        p.kind = (int)(1 + rnd_below(&w->r, 5));
    return p;
}

/* --- comparing --- */

static bool same_rows(struct world *w)
{
    size_t n, at = 0;
    int64_t *tags = client_tags(w->s, "tag", &n);
    bool same = true;
    for (size_t i = 0; i < w->n && same; i++) {
        if (w->rows[i].is != LIVE)
            continue;
        same = at < n && tags[at] == (int64_t)i;
        at++;
    }
    same = same && at == n;
    skep_free(tags);
    return same;
}

static void expect_counts(struct world *w)
{
    uint64_t by[3] = {0};
    for (size_t i = 0; i < w->n; i++)
        by[w->rows[i].is]++;
    struct skep_store_stats st;
    w->s->ops->stats(w->s, &st);
    CHECK(w, st.rows_live == by[LIVE]);
    CHECK(w, st.stored_rows == w->n);
    CHECK(w,
          st.stored_rows == st.rows_live + st.expired_rows + st.deleted_rows + st.superseded_rows);
    CHECK(w, st.deleted_rows == by[DELETED]);
    CHECK(w, st.superseded_rows == by[SUPERSEDED]);
    w->merges += st.merges;
}

/* The executor answers a random predicate with the same rows, in order of time. */
static void expect_answer(struct world *w)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "model", NULL);
    struct skep_plan plan;
    struct predicate p = random_predicate(w);
    plan_of(&arena, &p, &plan);
    plan.oldest_first = true;
    struct skep_run_opts opts = {.arena = &arena};
    struct skep_answer a = {0};
    skep_err err;
    if (skep_store_run(w->s, &plan, &opts, &a, &err) != SKEP_OK)
        fail_msg("seed %llu: run: %s", (unsigned long long)w->seed, err.text);
    uint64_t want = 0;
    for (size_t i = 0; i < w->n; i++)
        want += w->rows[i].is == LIVE && matches(w, &p, i);
    CHECK(w, a.complete);
    CHECK(w, a.rows.n == want);
    for (size_t i = 1; i < a.rows.n; i++)
        CHECK(w, a.rows.rows[i - 1].time_ns <= a.rows.rows[i].time_ns);
    for (size_t i = 0; i < a.rows.n; i++) {
        const struct skep_row *row = &a.rows.rows[i];
        int64_t tag = -1;
        for (unsigned f = 0; f < row->n_fields; f++)
            if (skep_str_eq(row->fields[f].name, SKEP_STR("tag")))
                tag = row->fields[f].value.i;
        CHECK(w, tag >= 0 && matches(w, &p, (size_t)tag));
        CHECK(w, row->time_ns == w->rows[tag].time_ns && row->kind == w->rows[tag].kind);
        CHECK(w, skep_str_eq(row->dataset, skep_str_c(dataset_names[w->rows[tag].dataset])));
    }
    skep_arena_done(&arena);
}

/* The newest of the rows that pass, by time and then as they came: the same question for some
 * steps, so that it is answered out of what was kept of it before rows came and died, and were
 * written elsewhere. */
static void expect_newest(struct world *w)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "model", NULL);
    struct skep_plan plan;
    if (rnd_below(&w->r, 16) == 0 || w->again.tag_to == 0)
        w->again = random_predicate(w);
    plan_of(&arena, &w->again, &plan);
    plan.limit = 1 + rnd_below(&w->r, 8);
    struct skep_run_opts opts = {.arena = &arena};
    struct skep_answer a = {0};
    skep_err err;
    CHECK(w, skep_store_run(w->s, &plan, &opts, &a, &err) == SKEP_OK);
    const struct row *last = NULL;
    for (size_t k = 0; k < a.rows.n; k++) {
        const struct row *best = NULL; /* the next of the list */
        for (size_t i = 0; i < w->n; i++) {
            const struct row *x = &w->rows[i];
            bool before =
                !last || x->time_ns < last->time_ns || (x->time_ns == last->time_ns && x < last);
            if (x->is == LIVE && matches(w, &w->again, i) && before &&
                (!best || x->time_ns >= best->time_ns))
                best = x;
        }
        CHECK(w, best != NULL);
        const struct skep_row *row = &a.rows.rows[k];
        int64_t tag = -1;
        for (unsigned f = 0; f < row->n_fields; f++)
            if (skep_str_eq(row->fields[f].name, SKEP_STR("tag")))
                tag = row->fields[f].value.i;
        CHECK(w, tag == best - w->rows);
        last = best;
    }
    uint64_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += w->rows[i].is == LIVE && matches(w, &w->again, i);
    CHECK(w, a.rows.n == SKEP_MIN(n, plan.limit) && a.rows.more == (n > plan.limit));
    skep_arena_done(&arena);
}

/* A trace by its id has all its live rows, wherever they lie. */
static void expect_trace(struct world *w)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "model", NULL);
    unsigned trace = rnd_below(&w->r, TRACES);
    struct skep_plan plan = {
        .kind = SKEP_PLAN_ROWS, .range = {INT64_MIN, INT64_MAX}, .limit = 1000000};
    char hex[33];
    (void)snprintf(hex, sizeof hex, "%02x%030d", trace + 1, 0);
    plan.filter = test_of(&arena, "trace.trace_id", SKEP_CMP_EQ,
                          (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(hex)});
    struct skep_run_opts opts = {.arena = &arena};
    struct skep_answer by_filter = {0}, by_id = {0};
    skep_err err;
    CHECK(w, skep_store_run(w->s, &plan, &opts, &by_filter, &err) == SKEP_OK);
    plan.kind = SKEP_PLAN_TRACE;
    plan.filter = NULL;
    plan.trace_id.b[0] = (uint8_t)(trace + 1);
    skep_rc rc = skep_store_run(w->s, &plan, &opts, &by_id, &err);
    CHECK(w, rc == (by_filter.rows.n ? SKEP_OK : SKEP_ENOTFOUND));
    CHECK(w, by_id.rows.n == by_filter.rows.n);
    skep_arena_done(&arena);
}

static void expect_same(struct world *w)
{
    CHECK(w, same_rows(w));
    expect_counts(w);
    expect_answer(w);
    expect_newest(w);
    expect_trace(w);
}

/* --- steps --- */

/* The list as it was, should an operation turn out not to have happened. */
struct before {
    struct row *rows;
    size_t n;
};

static struct before keep(const struct world *w)
{
    struct before b = {skep_malloc(w->n * sizeof *b.rows + 1), w->n};
    if (w->n)
        memcpy(b.rows, w->rows, w->n * sizeof *b.rows);
    return b;
}

static void take_back(struct world *w, const struct before *b)
{
    if (b->n)
        memcpy(w->rows, b->rows, b->n * sizeof *b->rows);
    w->n = b->n;
}

static void reopen(struct world *w, bool power_cut)
{
    w->s->ops->close(w->s);
    power_cut |= mem_os_dead(w->m);
    if (power_cut)
        mem_os_power_cut(w->m);
    mem_os_die_after(w->m, -1);
    open_world(w);
    w->restarts++;
    w->cuts += power_cut;
}

/* The operation failed with the power: find out whether it happened. */
static void resolve(struct world *w, skep_rc rc, const struct before *b)
{
    if (rc == SKEP_OK)
        return;
    CHECK(w, mem_os_dead(w->m));
    reopen(w, true);
    w->doubts++;
    struct skep_store_stats st;
    w->s->ops->stats(w->s, &st);
    /* A row may have come and died at once: what lives does not tell all. */
    if (!same_rows(w) || st.stored_rows != w->n)
        take_back(w, b);
    expect_same(w);
}

static void step_append(struct world *w)
{
    struct before b = keep(w);
    size_t first = w->n;
    uint32_t n = 1 + rnd_below(&w->r, 1u << rnd_below(&w->r, 8));
    struct skep_batch *batch = new_rows(w, n);
    for (size_t i = first; i < w->n; i++)
        settle(w, i);
    struct client_result c = client_append(w->s, batch);
    resolve(w, c.rc, &b);
    skep_free(b.rows);
}

static void step_delete(struct world *w)
{
    struct before b = keep(w);
    struct predicate p = random_predicate(w);
    struct skep_arena arena;
    skep_arena_init(&arena, "model", NULL);
    struct skep_plan plan;
    plan_of(&arena, &p, &plan);
    struct skep_delete_opts opts = {.dry_run = true};
    uint64_t rows = 0, dry = 0, want = kill_matching(w, &p);
    skep_err err = {0};
    skep_rc rc = skep_store_delete(w->s, &plan, &opts, &dry, &err);
    if (!mem_os_dead(w->m)) { /* reading goes on failing where nothing can be read */
        CHECK(w, rc == SKEP_OK);
        CHECK(w, dry == want);
    }
    opts = (struct skep_delete_opts){.has_expected = rnd_below(&w->r, 2), .expected = want};
    rc = skep_store_delete(w->s, &plan, &opts, &rows, &err);
    if (rc != SKEP_OK && !mem_os_dead(w->m))
        fail_msg("seed %llu: delete: %s", (unsigned long long)w->seed, err.text);
    if (rc == SKEP_OK)
        CHECK(w, rows == want);
    resolve(w, rc, &b);
    w->deletes++;
    w->killed += want;
    skep_free(b.rows);
    skep_arena_done(&arena);
}

static void step(struct world *w)
{
    w->steps++;
    uint32_t what = rnd_below(&w->r, 100);
    skep_err err;
    if (what < 55) {
        step_append(w);
    } else if (what < 78) {
        step_delete(w);
    } else if (what < 88) {
        skep_rc rc = w->s->ops->flush(w->s, &err); /* and merge, expire */
        if (rc != SKEP_OK && !mem_os_dead(w->m))
            fail_msg("seed %llu: flush: %s", (unsigned long long)w->seed, err.text);
    } else if (what < 92) {
        reopen(w, mem_os_dead(w->m) || rnd_below(&w->r, 2));
    } else {
        mem_os_die_after(w->m, rnd_below(&w->r, 60)); /* the power goes soon */
    }
    if (mem_os_dead(w->m))
        reopen(w, true);
    expect_same(w);
}

static void test_model(void **state)
{
    (void)state;
    const char *env = getenv("SKEP_SEED"), *steps = getenv("SKEP_STEPS");
    uint64_t first = env ? strtoull(env, NULL, 10) : 1, runs = env ? 1 : skep_tries(12);
    struct world total = {0};
    for (uint64_t run = 0; run < runs; run++) {
        struct world w = {.seed = first + run, .r = {(first + run) * 7919 + 1}};
        w.rows = skep_calloc(MAX_ROWS, sizeof *w.rows);
        w.m = mem_os_new(w.seed);
        w.cfg = client_config(mem_os_ops(w.m), DIR);
        open_world(&w);
        uint64_t n = steps ? strtoull(steps, NULL, 10) : 250;
        while (w.steps < n && w.n + 300 < MAX_ROWS)
            step(&w);
        for (size_t i = 0; i < w.n; i++)
            w.superseded += w.rows[i].is == SUPERSEDED;
        w.s->ops->close(w.s);
        mem_os_free(w.m);
        skep_free(w.rows);
        total.steps += w.steps;
        total.deletes += w.deletes;
        total.killed += w.killed;
        total.merges += w.merges;
        total.cuts += w.cuts;
        total.doubts += w.doubts;
        total.superseded += w.superseded;
    }
    print_message("%llu steps, %llu deletes of %llu rows, %llu superseded, %llu power cuts, %llu "
                  "in doubt\n",
                  (unsigned long long)total.steps, (unsigned long long)total.deletes,
                  (unsigned long long)total.killed, (unsigned long long)total.superseded,
                  (unsigned long long)total.cuts, (unsigned long long)total.doubts);
    assert_true(total.deletes > 0 && total.superseded > 0);
    if (!env)
        assert_true(total.merges > 0 && total.cuts >= runs && total.doubts >= runs / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
