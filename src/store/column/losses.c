// SPDX-License-Identifier: Apache-2.0
/* What the engine does with what is lost: notes it, says it in answers, settles it.
 *
 *   recovery finds a hole in the log -+
 *   skep repair sets a segment aside -+-> records of the manifest --> answers over their time:
 *                                     |                               complete:false, and why
 *   retention passes over their time -+-> settled: the rows count as expired
 *
 * I1  a hole is recorded before the log files that show it may be deleted.
 * I2  a record that cannot be written (the disk is full) still stands in memory; the next start
 *     finds the hole again.
 * I3  the ledger hears of what is settled before the record goes: where the process dies between,
 * it lacks nothing the second time.
 *
 * Threads: recording on the one that opens; settling on the merger; marking on any.  Locks:
 * manifest_mu -> snap_mu (the list). */
#include "store/column/engine.h"

#include "base/log.h"
#include "base/mem.h"

enum { TOLD_MAX = 3 };
/* Rows of one trace that are apart by more than this are not looked for. */
#define TRACE_SLACK_NS (3600ll * 1000000000)

static void take_over(struct skep_engine *e, const struct skep_missing_list *l)
{
    skep_mutex_lock(&e->snap_mu);
    skep_missing__copy(&e->missing, l);
    skep_mutex_unlock(&e->snap_mu);
}

/* Holes that replay found and no record names yet. */
static void new_holes(const struct skep_engine *e, const struct skep_missing_list *known,
                      struct skep_missing_list *ret)
{
    skep_ts_ns now = e->os->now_ns(e->os);
    for (unsigned i = 0; i < e->damage.n_gaps; i++) {
        const struct skep_wal_gap *g = &e->damage.gaps[i];
        struct skep_missing m = {.kind = SKEP_MISSING_LOG,
                                 .number = g->epoch,
                                 .min_seq = g->first,
                                 .max_seq = g->last,
                                 .rows = SKEP_MISSING_ROWS_UNKNOWN,
                                 .min_start_ns = INT64_MIN,
                                 .max_start_ns = INT64_MAX,
                                 .found_ns = now};
        if (!skep_missing__has(known, &m))
            skep_missing__add(ret, &m);
    }
}

void skep_engine__record_losses(struct skep_engine *e)
{
    const struct skep_manifest_state *s = skep_manifest_state(e->manifest);
    struct skep_missing_list holes = {0};
    new_holes(e, &s->missing, &holes);
    if (holes.n > 0 && !e->read_only) {
        struct skep_manifest_edit edit = {.next_segment = atomic_load(&e->next_segment),
                                          .totals = e->totals,
                                          .missing = holes.items,
                                          .n_missing = holes.n,
                                          .now_ns = e->os->now_ns(e->os)};
        skep_err err;
        skep_mutex_lock(&e->manifest_mu);
        skep_rc rc = skep_manifest_edit(e->manifest, &edit, &err);
        skep_mutex_unlock(&e->manifest_mu);
        if (rc == SKEP_OK)
            holes.n = 0; /* they stand in the state now */
        else
            skep_log(WARN, "what is lost could not be recorded", SKEP_K_RC(rc),
                     SKEP_K_CSTR("error", err.text));
    }
    struct skep_missing_list all = {0};
    skep_missing__copy(&all, &s->missing);
    for (unsigned i = 0; i < holes.n; i++) /* I2 */
        skep_missing__add(&all, &holes.items[i]);
    take_over(e, &all);
    skep_missing__done(&all);
    skep_missing__done(&holes);
}

/* Rows of a record are past the retention: by their own time, or where that is not known, by the
 * time they were missed, before which they had come. */
static bool is_past(const struct skep_missing *m, skep_ts_ns limit)
{
    return m->max_start_ns == INT64_MAX ? m->found_ns < limit : m->max_start_ns < limit;
}

/* Rows of past records; false: there is none. */
static bool past_rows_locked(const struct skep_engine *e, skep_ts_ns limit, uint64_t *ret)
{
    const struct skep_missing_list *now = &skep_manifest_state(e->manifest)->missing;
    bool any = false;
    *ret = 0;
    for (unsigned i = 0; i < now->n; i++) {
        if (!is_past(&now->items[i], limit))
            continue;
        any = true;
        *ret += skep_missing__at_most(&now->items[i]);
    }
    return any;
}

skep_rc skep_engine__settle_losses(struct skep_engine *e, skep_ts_ns limit, skep_err *err)
{
    struct skep_missing_list kept = {0};
    uint64_t rows;
    skep_mutex_lock(&e->manifest_mu);
    bool any = past_rows_locked(e, limit, &rows);
    skep_mutex_unlock(&e->manifest_mu);
    if (!any)
        return SKEP_OK;
    SKEP_TRY(skep_engine__expire_lost(e, rows, err)); /* I3 */
    skep_mutex_lock(&e->manifest_mu);
    struct skep_manifest_edit edit = {.next_segment = atomic_load(&e->next_segment),
                                      .totals = e->totals,
                                      .forget_missing = true,
                                      .now_ns = e->os->now_ns(e->os)};
    const struct skep_missing_list *now = &skep_manifest_state(e->manifest)->missing;
    for (unsigned i = 0; i < now->n; i++) {
        const struct skep_missing *m = &now->items[i];
        if (!is_past(m, limit))
            skep_missing__add(&kept, m);
        else if (m->rows != SKEP_MISSING_ROWS_UNKNOWN)
            edit.totals.expired_rows += m->rows;
    }
    edit.missing = kept.items;
    edit.n_missing = kept.n;
    skep_rc rc = skep_manifest_edit(e->manifest, &edit, err);
    if (rc == SKEP_OK) {
        e->totals = edit.totals;
        take_over(e, &kept);
    }
    skep_mutex_unlock(&e->manifest_mu);
    skep_missing__done(&kept);
    return rc;
}

/* The time that an answer speaks about; false: nothing lost can matter to it. */
static bool span_of(const struct skep_plan *plan, const struct skep_answer *a, skep_ts_ns *from,
                    skep_ts_ns *to)
{
    *from = plan->range.start_ns;
    *to = plan->range.end_ns - 1;
    if (plan->kind == SKEP_PLAN_ROW)
        return false; /* it is there */
    if (plan->kind != SKEP_PLAN_TRACE || a->rows.n == 0)
        return true;
    *from = *to = a->rows.rows[0].time_ns;
    for (size_t i = 1; i < a->rows.n; i++) {
        *from = SKEP_MIN(*from, a->rows.rows[i].time_ns);
        *to = SKEP_MAX(*to, a->rows.rows[i].time_ns);
    }
    *from = *from < INT64_MIN + TRACE_SLACK_NS ? INT64_MIN : *from - TRACE_SLACK_NS;
    *to = *to > INT64_MAX - TRACE_SLACK_NS ? INT64_MAX : *to + TRACE_SLACK_NS;
    return true;
}

void skep_engine__mark_losses(struct skep_engine *e, const struct skep_plan *plan,
                              const struct skep_run_opts *opts, struct skep_answer *a)
{
    skep_ts_ns from, to;
    if (!span_of(plan, a, &from, &to))
        return;
    struct skep_buf text;
    unsigned n = 0;
    skep_buf_init(&text, 4096);
    skep_buf_str(&text, a->missing);
    skep_mutex_lock(&e->snap_mu);
    for (unsigned i = 0; i < e->missing.n; i++) {
        if (!skep_missing__touches(&e->missing.items[i], from, to) || n++ >= TOLD_MAX)
            continue;
        skep_buf_str(&text, text.n ? SKEP_STR("; ") : SKEP_STR("lost: "));
        skep_missing__text(&text, &e->missing.items[i]);
    }
    skep_mutex_unlock(&e->snap_mu);
    if (n > TOLD_MAX)
        skep_buf_printf(&text, "; and %u more", n - TOLD_MAX);
    if (n > 0) {
        a->complete = false;
        a->missing = skep_arena_str(opts->arena, skep_buf_text(&text));
    }
    skep_buf_done(&text);
}

void skep_engine__loss_stats(struct skep_engine *e, struct skep_store_stats *r)
{
    skep_mutex_lock(&e->snap_mu);
    r->lost_rows = skep_missing__rows(&e->missing);
    r->losses = e->missing.n;
    skep_mutex_unlock(&e->snap_mu);
}

void skep_engine__each_loss(struct skep_store *s, skep_store_loss_fn *fn, void *ctx)
{
    struct skep_engine *e = skep_engine_of(s);
    struct skep_missing_list l = {0};
    struct skep_buf text;
    skep_mutex_lock(&e->snap_mu);
    skep_missing__copy(&l, &e->missing);
    skep_mutex_unlock(&e->snap_mu);
    skep_buf_init(&text, 4096);
    for (unsigned i = 0; i < l.n; i++) {
        skep_buf_reset(&text);
        skep_missing__text(&text, &l.items[i]);
        fn(ctx, skep_buf_text(&text));
    }
    skep_buf_done(&text);
    skep_missing__done(&l);
}
