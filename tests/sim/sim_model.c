// SPDX-License-Identifier: Apache-2.0
/* What must be in the store, as a list of operations.
 *
 * An operation that failed while calls failed or the power went may have happened or not, whole or
 * not at all, until the store is opened again: it is in doubt.  The rows that follow are made anew
 * from the operations, for each combination of the doubts; what is seen must be one of them, and
 * that one settles the doubts.  While the store that refused an operation is open it has not
 * happened.
 *
 * A row that is older than the retention may be there or not, and is counted as expired if not. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "sim/sim.h"

static const char *const dataset_names[SIM_DATASETS] = {"api", "cart", "web"};

/* --- rows --- */

void sim_new_rows(struct sim *w, unsigned n)
{
    SIM_CHECK(w, w->n_rows + n <= SIM_ROWS_MAX);
    for (unsigned i = 0; i < n; i++) {
        struct sim_row *x = &w->rows[w->n_rows++];
        *x = (struct sim_row){.kind = (uint8_t)(1 + rnd_below(&w->r, 5)),
                              .dataset = (uint8_t)rnd_below(&w->r, SIM_DATASETS),
                              .trace = (uint8_t)rnd_below(&w->r, SIM_TRACES),
                              .span = (uint8_t)rnd_below(&w->r, SIM_SPANS),
                              .revision =
                                  (int16_t)(rnd_below(&w->r, 8) ? -1 : (int)rnd_below(&w->r, 4)),
                              .era = (uint8_t)w->era,
                              .filed_ns = w->now_ns - rnd_below(&w->r, 1000000000)};
        if (x->kind == SKEP_KIND_SPAN_EVENT || x->kind == SKEP_KIND_LINK)
            x->revision = -1; /* parts of a span: test_supersede.c */
    }
}

struct sim_op *sim_op_new(struct sim *w)
{
    SIM_CHECK(w, w->n_ops < SIM_OPS_MAX);
    struct sim_op *op = &w->ops[w->n_ops++];
    *op = (struct sim_op){.happened = SIM_NOT, .at_ns = w->now_ns};
    return op;
}

static void fill_row(struct sim *w, struct skep_batch *b, struct rnd *r, unsigned tag)
{
    const struct sim_row *x = &w->rows[tag];
    char text[64];
    /* Some come with a time out of all proportion: they are filed under their arrival. */
    int64_t time = rnd_below(r, 20) ? x->filed_ns : (int64_t)rnd_below(r, 1000);
    uint32_t row = skep_batch_row(b, x->kind, time, SKEP_SOURCE_XRAY);
    if (x->revision >= 0 || rnd_below(r, 2)) {
        b->trace_id[row].b[0] = (uint8_t)(1 + x->trace);
        b->trace_id[row].b[1] = x->era;
        b->span_id[row] = 1ull + x->span;
    }
    b->dataset[row] = skep_batch_intern(b, skep_str_c(dataset_names[x->dataset]));
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("tag"),
                   (skep_value){.type = SKEP_TYPE_INT, .i = tag});
    (void)snprintf(text, sizeof text, "line %u of %s", tag, dataset_names[x->dataset]);
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"),
                   (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(text)});
    if (rnd_below(r, 3) == 0) {
        (void)snprintf(text, sizeof text, "field.%u", rnd_below(r, 40));
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(text),
                       (skep_value){.type = SKEP_TYPE_DOUBLE, .f = (double)rnd_below(r, 99) / 7});
    }
    if (x->revision >= 0)
        skep_batch_revision(b, x->revision);
}

struct skep_batch *sim_batch(struct sim *w, const struct sim_op *op)
{
    struct skep_batch *b = skep_batch_new(NULL, w->now_ns);
    struct rnd r = {op->seed | 1};
    for (unsigned i = 0; i < op->n; i++)
        fill_row(w, b, &r, op->first + i);
    if (op->identity) {
        memcpy(b->identity, &op->seed, sizeof op->seed);
        b->identity[15] = 1;
    }
    return b;
}

bool sim_may_expire(const struct sim *w, unsigned row)
{
    return w->rows[row].filed_ns < w->now_ns - SIM_RETAIN_NS;
}

/* --- predicates --- */

struct sim_predicate sim_predicate(struct sim *w)
{
    struct sim_predicate p = {.dataset = -1, .kind = -1};
    p.from = rnd_below(&w->r, w->n_rows + 1);
    p.to = p.from + rnd_below(&w->r, rnd_below(&w->r, 8) ? 60 : w->n_rows + 1);
    if (rnd_below(&w->r, 3) == 0)
        p.dataset = (int)rnd_below(&w->r, SIM_DATASETS);
    if (rnd_below(&w->r, 3) == 0)
        p.kind = (int)(1 + rnd_below(&w->r, 5));
    return p;
}

bool sim_matches(const struct sim *w, const struct sim_predicate *p, unsigned row)
{
    const struct sim_row *x = &w->rows[row];
    return row >= p->from && row < p->to && (p->dataset < 0 || x->dataset == p->dataset) &&
           (p->kind < 0 || x->kind == p->kind);
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

void sim_plan(struct skep_arena *a, const struct sim_predicate *p, struct skep_plan *plan)
{
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, 3);
    unsigned n = 0;
    kids[n++] = test_of(a, "tag", SKEP_CMP_GE, (skep_value){.type = SKEP_TYPE_INT, .i = p->from});
    kids[n++] = test_of(a, "tag", SKEP_CMP_LT, (skep_value){.type = SKEP_TYPE_INT, .i = p->to});
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

/* --- operations --- */

static bool same_key(const struct sim_row *a, const struct sim_row *b)
{
    return a->revision >= 0 && b->revision >= 0 && a->era == b->era && a->trace == b->trace &&
           a->span == b->span;
}

/* Row i is committed; of rows of one key the highest revision lives, of equal ones the last. */
static void arrive(struct sim *w, unsigned i)
{
    struct sim_row *mine = &w->rows[i];
    mine->is = SIM_LIVE;
    if (mine->revision < 0)
        return;
    for (unsigned k = 0; k < w->n_rows; k++) {
        struct sim_row *other = &w->rows[k];
        if (k == i || other->is != SIM_LIVE || !same_key(other, mine))
            continue;
        if (other->revision > mine->revision)
            mine->is = SIM_SUPERSEDED;
        else
            other->is = SIM_SUPERSEDED;
    }
}

static bool apply(struct sim *w, const struct sim_op *op)
{
    if (op->what == SIM_APPEND) {
        for (unsigned i = op->first; i < op->first + op->n; i++) {
            if (w->rows[i].is != SIM_ABSENT)
                return false;
            arrive(w, i);
        }
        return true;
    }
    for (unsigned i = 0; i < w->n_rows; i++)
        if (w->rows[i].is == SIM_LIVE && sim_matches(w, &op->where, i))
            w->rows[i].is = SIM_DELETED;
    return true;
}

bool sim_replay(struct sim *w, uint64_t doubts)
{
    unsigned d = 0;
    for (unsigned i = 0; i < w->n_rows; i++)
        w->rows[i].is = SIM_ABSENT;
    bool once = true;
    for (unsigned i = 0; i < w->n_ops && once; i++) {
        const struct sim_op *op = &w->ops[i];
        bool yes = op->happened == SIM_SURE;
        if (op->happened == SIM_DOUBT)
            yes = doubts >> d++ & 1;
        once = !yes || apply(w, op);
    }
    return once;
}

unsigned sim_doubts(const struct sim *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->n_ops; i++)
        n += w->ops[i].happened == SIM_DOUBT;
    return n;
}

/* --- what is seen --- */

struct seen {
    int64_t *tags; /* ascending */
    size_t n;
    struct skep_store_stats st;
};

static struct seen look(struct sim *w)
{
    struct seen s;
    s.tags = client_tags(w->s, "tag", &s.n);
    w->s->ops->stats(w->s, &s.st);
    return s;
}

/* Does it agree with the rows as replayed?  `counted`: with the store's counts, too. */
static bool agrees(struct sim *w, const struct seen *s, bool counted, char *why, size_t why_n)
{
    /* A row that may have expired: had it, when it was deleted? */
    uint64_t by[4] = {0}, old[4] = {0}, expired = 0;
    size_t at = 0;
    for (unsigned i = 0; i < w->n_rows; i++) {
        by[w->rows[i].is]++;
        old[w->rows[i].is] += sim_may_expire(w, i);
        bool there = at < s->n && s->tags[at] == (int64_t)i;
        bool live = w->rows[i].is == SIM_LIVE;
        if (there && at + 1 < s->n && s->tags[at + 1] == (int64_t)i) {
            (void)snprintf(why, why_n, "row %u is there twice", i);
            return false;
        }
        if (there != live && !(live && sim_may_expire(w, i))) {
            (void)snprintf(why, why_n, "row %u is %s", i, there ? "there" : "missing");
            return false;
        }
        expired += live && !there;
        at += there;
    }
    if (at != s->n) {
        (void)snprintf(why, why_n, "there is a row %" PRId64, s->tags[at]);
        return false;
    }
    uint64_t stored = by[SIM_LIVE] + by[SIM_DELETED] + by[SIM_SUPERSEDED];
    (void)snprintf(why, why_n,
                   "counts: %" PRIu64 " stored, %" PRIu64 " live, %" PRIu64 " deleted, %" PRIu64
                   " superseded, %" PRIu64 " expired; expected %" PRIu64 ", %zu, %" PRIu64
                   ", %" PRIu64 ", %" PRIu64,
                   s->st.stored_rows, s->st.rows_live, s->st.deleted_rows, s->st.superseded_rows,
                   s->st.expired_rows, stored, s->n, by[SIM_DELETED], by[SIM_SUPERSEDED], expired);
    return !counted || (s->st.stored_rows == stored && s->st.rows_live == s->n &&
                        s->st.expired_rows >= expired && s->st.deleted_rows <= by[SIM_DELETED] &&
                        s->st.deleted_rows >= by[SIM_DELETED] - old[SIM_DELETED] &&
                        s->st.superseded_rows == by[SIM_SUPERSEDED] &&
                        s->st.expired_rows + s->st.deleted_rows == expired + by[SIM_DELETED]);
}

static void settle(struct sim *w, uint64_t doubts)
{
    unsigned d = 0;
    for (unsigned i = 0; i < w->n_ops; i++)
        if (w->ops[i].happened == SIM_DOUBT)
            w->ops[i].happened = doubts >> d++ & 1 ? SIM_SURE : SIM_NOT;
}

void sim_expect_visible(struct sim *w)
{
    char why[300];
    if (w->faulty)
        return; /* reading may fail: questions are asked instead */
    struct seen s = look(w);
    SIM_CHECK(w, sim_replay(w, 0));
    if (!agrees(w, &s, true, why, sizeof why))
        sim_fail(w, "visible: %s", why);
    skep_free(s.tags);
}

void sim_expect_settled(struct sim *w)
{
    char why[300] = "", first[300] = "";
    struct seen s = look(w);
    unsigned d = sim_doubts(w);
    bool found = false;
    w->counts.doubts += d;
    SIM_CHECK(w, d <= 2 * SIM_DOUBTS_MAX);
    for (uint64_t doubts = 0; doubts < 1ull << d && !found; doubts++) {
        found = sim_replay(w, doubts) && agrees(w, &s, true, why, sizeof why);
        if (found)
            settle(w, doubts);
        else if (doubts == 0)
            memcpy(first, why, sizeof first);
    }
    if (!found)
        sim_fail(w,
                 "%u operations in doubt, no way of settling them explains what is there: %s; %s",
                 d, first, why);
    SIM_CHECK(w, s.st.stored_rows ==
                     s.st.rows_live + s.st.expired_rows + s.st.deleted_rows + s.st.superseded_rows);
    SIM_CHECK(w, s.st.losses == 0 && s.st.damaged_regions == 0);
    skep_free(s.tags);
    client_ledger_expect(w->s);
    sim_expect_answer(w);
    SIM_CHECK(w, sim_replay(w, 0));
}

static int64_t tag_of(const struct skep_row *row)
{
    for (unsigned f = 0; f < row->n_fields; f++)
        if (skep_str_eq(row->fields[f].name, SKEP_STR("tag")))
            return row->fields[f].value.i;
    return -1;
}

/* The rows of an answer are those of the list that match. */
static void compare(struct sim *w, const struct sim_predicate *p, const struct skep_answer *a)
{
    uint8_t *there = skep_calloc(SIM_ROWS_MAX, 1);
    for (size_t i = 0; i < a->rows.n; i++) {
        int64_t tag = tag_of(&a->rows.rows[i]);
        SIM_CHECK(w, tag >= 0 && tag < w->n_rows && !there[tag]);
        if (w->rows[tag].is != SIM_LIVE || !sim_matches(w, p, (unsigned)tag))
            sim_fail(
                w,
                "an answer%s has row %d, which is %d and %s (tags %d to %d, dataset %d, kind %d)",
                a->complete ? "" : " that is incomplete", (int)tag, (int)w->rows[tag].is,
                sim_matches(w, p, (unsigned)tag) ? "matches" : "does not match", (int)p->from,
                (int)p->to, p->dataset, p->kind);
        there[tag] = 1;
    }
    for (unsigned i = 0; i < w->n_rows && a->complete; i++)
        if (w->rows[i].is == SIM_LIVE && sim_matches(w, p, i) && !sim_may_expire(w, i))
            SIM_CHECK(w, there[i]);
    skep_free(there);
}

void sim_expect_answer(struct sim *w)
{
    struct skep_arena arena;
    struct skep_plan plan;
    struct skep_answer a = {0};
    skep_err err;
    skep_arena_init(&arena, "sim", NULL);
    struct sim_predicate p = sim_predicate(w);
    sim_plan(&arena, &p, &plan);
    struct skep_run_opts opts = {.arena = &arena};
    skep_rc rc = skep_store_run(w->s, &plan, &opts, &a, &err);
    if (!w->faulty) {
        if (rc != SKEP_OK)
            sim_fail(w, "a question failed: %s", err.text);
        SIM_CHECK(w, a.complete);
    }
    SIM_CHECK(w, sim_replay(w, 0));
    if (rc == SKEP_OK)
        compare(w, &p, &a);
    skep_arena_done(&arena);
}
