// SPDX-License-Identifier: Apache-2.0
/* Patterns: each row's text into one miner (agg/template.h), page by page.
 * Threads: the caller's, helped by the store's pool.  Memory: a page of rows and the miner's table.
 */
#include "query/patterns.h"

#include "base/assert.h"
#include "query/export.h"

enum { PAGE_ROWS = 20000 };

struct work {
    struct skep_templates *templates;
    const struct skep_run_opts *opts;
    struct skep_patterns_answer *ret;
    uint64_t n; /* rows seen */
    bool earlier;
    skep_rc rc;
};

static bool on_row(void *ctx, const struct skep_row *row)
{
    struct work *w = ctx;
    const skep_value *v = row->n_fields ? &row->fields[0].value : NULL;
    w->n++;
    if (!v || v->type != SKEP_TYPE_STRING) {
        w->ret->without++;
        return true;
    }
    w->rc =
        skep_templates_add(w->templates, &(struct skep_template_line){.text = v->s,
                                                                      .time_ns = row->time_ns,
                                                                      .severity = row->severity,
                                                                      .weight = row->sample_rate,
                                                                      .id = row->id,
                                                                      .earlier = w->earlier});
    return w->rc == SKEP_OK &&
           !(w->opts->canceled && (w->n & 1023) == 0 && w->opts->canceled(w->opts->ctx));
}

/* All rows of the plan into the miner. */
static skep_rc feed(struct skep_store *store, const struct skep_plan *plan, struct work *w,
                    skep_err *err)
{
    struct skep_export_result each;
    skep_rc rc = skep_query_each(store, plan, PAGE_ROWS, w->opts, on_row, w, &each, err);
    if (w->rc != SKEP_OK)
        return skep_fail(err, w->rc, "no memory for the patterns: narrow the time range or filter");
    SKEP_TRY(rc);
    w->ret->rows_examined += each.rows_examined;
    if (w->ret->complete && !each.complete) {
        w->ret->complete = false;
        w->ret->missing = skep_arena_str(w->opts->arena, skep_str_c(each.missing));
    }
    return SKEP_OK;
}

skep_rc skep_query_patterns(struct skep_store *store, const struct skep_plan *plan,
                            const struct skep_patterns_ask *ask, const struct skep_run_opts *opts,
                            struct skep_patterns_answer *ret, skep_err *err)
{
    const struct skep_field_ref column = {.name = ask->field};
    struct skep_plan rows = *plan;
    skep_assert(plan->kind == SKEP_PLAN_ROWS && ask->field.n > 0 && ask->earlier_ns >= 0);
    *ret = (struct skep_patterns_answer){.complete = true};
    rows.columns = &column;
    rows.n_columns = 1;
    rows.raw = false;
    const struct skep_template_config cfg = {
        .range = plan->range, .n_bins = ask->n_bins, .budget = opts->budget};
    struct work w = {.templates = skep_templates_new(&cfg), .opts = opts, .ret = ret};
    skep_rc rc = SKEP_OK;
    if (ask->earlier_ns > 0) {
        struct skep_plan before = rows;
        before.range.start_ns -= ask->earlier_ns;
        before.range.end_ns -= ask->earlier_ns;
        w.earlier = true;
        rc = feed(store, &before, &w, err);
        w.earlier = false;
    }
    if (rc == SKEP_OK)
        rc = feed(store, &rows, &w, err);
    if (rc == SKEP_OK)
        skep_templates_finish(w.templates, opts->arena, &ret->list);
    skep_templates_free(w.templates);
    return rc;
}
