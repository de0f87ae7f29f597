// SPDX-License-Identifier: Apache-2.0
/* MCP tools that say what there is: datasets, columns, saved queries, boards, triggers, SLOs.
 * Threads: workers.  Memory: the job's arena. */
#include <stdlib.h>

#include "api/alerts.h"
#include "api/honeycomb_objects.h"
#include "api/mcp_priv.h"
#include "wire/rfc3339.h"

static void put_instant(struct skep_mcp_call *c, int64_t ns)
{
    char text[SKEP_RFC3339_BYTES];
    skep_buf_str(c->out, (skep_str){text, skep_rfc3339(ns, 0, text)});
}

bool skep_mcp__context(struct skep_mcp_call *c)
{
    struct skep_api__dataset *all;
    size_t n;
    skep_err err;
    if (skep_api__datasets(c->job->api, &c->job->opts, &all, &n, &err) != SKEP_OK)
        return skep_mcp__fail(c, err.text);
    skep_buf_printf(c->out,
                    "Environment: " SKEP_STRFMT "\nNow: ", SKEP_STRARG(c->job->opts.environment));
    put_instant(c, skep_api__now(c->job->api));
    skep_buf_str(c->out, SKEP_STR("\n\n| dataset | slug | last written |\n|---|---|---|\n"));
    for (size_t i = 0; i < n && !skep_mcp__full(c); i++) {
        skep_buf_str(c->out, SKEP_STR("| "));
        skep_mcp__cell_text(c, all[i].name);
        skep_buf_str(c->out, SKEP_STR(" | "));
        skep_mcp__cell_text(c, all[i].slug);
        skep_buf_str(c->out, SKEP_STR(" | "));
        if (all[i].last_ns)
            put_instant(c, all[i].last_ns);
        skep_buf_str(c->out, SKEP_STR(" |\n"));
    }
    skep_buf_str(c->out,
                 SKEP_STR("\nA dataset is a service (service.name). Spans have duration_ms, name, "
                          "error, trace.trace_id; columns of relatives are root.x, parent.x, "
                          "child.x, any.x; is_root is a column.\n"));
    return true;
}

/* --- columns -------------------------------------------------------------------------------------
 */

static int fullest_first(const void *a, const void *b)
{
    const struct skep_field_info *x = a, *y = b;
    if (x->rows != y->rows)
        return x->rows < y->rows ? 1 : -1;
    return skep_str_cmp(x->name, y->name);
}

static void put_types(struct skep_mcp_call *c, uint32_t types)
{
    bool first = true;
    for (int t = 0; t < SKEP_TYPE_COUNT; t++) {
        if (!(types & 1u << t))
            continue;
        skep_buf_printf(c->out, "%s" SKEP_STRFMT, first ? "" : ", ",
                        SKEP_STRARG(skep_type_name((enum skep_type)t)));
        first = false;
    }
}

static void put_derived(struct skep_mcp_call *c, const struct skep_lang_opts *lang, skep_str slug,
                        skep_str search)
{
    for (unsigned i = 0; i < lang->n_derived && !skep_mcp__full(c); i++) {
        const struct skep_lang_derived *d = &lang->derived[i];
        bool here = skep_str_eq(d->dataset, slug) || skep_str_eq(d->dataset, SKEP_STR("__all__"));
        if (!here || (search.n && skep_str_find(d->alias, search) == SIZE_MAX))
            continue;
        skep_buf_str(c->out, SKEP_STR("| "));
        skep_mcp__cell_text(c, d->alias);
        skep_buf_str(c->out, SKEP_STR(" | derived: "));
        skep_mcp__cell_text(c, d->expression);
        skep_buf_str(c->out, SKEP_STR(" | |\n"));
    }
}

/* The dataset of the arguments; false: there is none of that name. */
static bool dataset_of(struct skep_mcp_call *c, struct skep_api__dataset *ret)
{
    skep_err err;
    skep_str name = skep_mcp__text(c, "dataset");
    if (name.n == 0)
        name = SKEP_STR("__all__");
    return skep_api__dataset_of(c->job->api, &c->job->opts, name, ret, &err) == SKEP_OK ||
           skep_mcp__fail(c, "no such dataset: get_workspace_context lists them");
}

bool skep_mcp__columns(struct skep_mcp_call *c)
{
    struct skep_api__dataset d;
    struct skep_lang_opts lang;
    struct skep_answer a = {0};
    skep_err err;
    unsigned shown = 0, limit = skep_mcp__number(c, "limit", SKEP_MCP_ROWS, SKEP_MCP_ROWS);
    skep_str search = skep_mcp__text(c, "search");
    if (!dataset_of(c, &d))
        return false;
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_FIELDS, .range = {0, INT64_MAX}, .dataset = d.name};
    if (skep_query_run(c->job->api->cfg.store, &plan, &c->job->opts, &a, &err) != SKEP_OK ||
        skep_api__hny_lang(c->job->api, &c->job->opts, &d, &lang, &err) != SKEP_OK)
        return skep_mcp__fail(c, err.text);
    qsort(a.fields.fields, a.fields.n, sizeof *a.fields.fields, fullest_first);
    skep_buf_str(c->out, SKEP_STR("| column | type | rows |\n|---|---|---|\n"));
    put_derived(c, &lang, d.slug, search);
    for (size_t i = 0; i < a.fields.n && shown < limit && !skep_mcp__full(c); i++) {
        const struct skep_field_info *f = &a.fields.fields[i];
        if (search.n && skep_str_find(f->name, search) == SIZE_MAX)
            continue;
        skep_buf_str(c->out, SKEP_STR("| "));
        skep_mcp__cell_text(c, f->name);
        skep_buf_str(c->out, SKEP_STR(" | "));
        put_types(c, f->types);
        skep_buf_printf(c->out, " | %llu |\n", (unsigned long long)f->rows);
        shown++;
    }
    return true;
}

/* --- objects -------------------------------------------------------------------------------------
 */

struct list {
    struct skep_object *objects;
    size_t n;
};

static bool load(struct skep_mcp_call *c, enum skep_object_kind kind, struct list *ret)
{
    skep_err err;
    return skep_state_objects(c->job->api->cfg.state, kind, &c->job->opts.environment, NULL,
                              &c->job->arena, &ret->objects, &ret->n, &err) == SKEP_OK ||
           skep_mcp__fail(c, err.text);
}

static skep_str member(struct skep_mcp_call *c, const struct skep_object *o, const char *name)
{
    yyjson_doc *d = yyjson_read(o->body.p, o->body.n, 0);
    skep_str text = skep_api__hny_text(&c->job->arena, yyjson_doc_get_root(d), name);
    yyjson_doc_free(d);
    return text;
}

bool skep_mcp__queries(struct skep_mcp_call *c)
{
    struct list all;
    struct skep_state_query q;
    skep_err err;
    skep_str search = skep_mcp__text(c, "search");
    if (!load(c, SKEP_OBJECT_QUERY_ANNOTATION, &all))
        return false;
    for (size_t i = 0; i < all.n && !skep_mcp__full(c); i++) {
        skep_str name = member(c, &all.objects[i], "name");
        if ((search.n && skep_str_find(name, search) == SIZE_MAX) ||
            skep_state_get_query(c->job->api->cfg.state, c->job->opts.environment,
                                 member(c, &all.objects[i], "query_id"), &c->job->arena, &q,
                                 &err) != SKEP_OK)
            continue;
        skep_buf_printf(c->out, "- " SKEP_STRFMT " (dataset " SKEP_STRFMT "): ", SKEP_STRARG(name),
                        SKEP_STRARG(q.dataset));
        skep_buf_str(c->out, q.spec);
        skep_buf_u8(c->out, '\n');
    }
    if (c->out->n == 0)
        skep_buf_str(c->out, SKEP_STR("No saved queries.\n"));
    return true;
}

bool skep_mcp__boards(struct skep_mcp_call *c)
{
    struct list all;
    if (!load(c, SKEP_OBJECT_BOARD, &all))
        return false;
    for (size_t i = 0; i < all.n && !skep_mcp__full(c); i++) {
        skep_buf_printf(c->out, "- " SKEP_STRFMT ": ", SKEP_STRARG(all.objects[i].id));
        skep_buf_str(c->out, all.objects[i].body);
        skep_buf_u8(c->out, '\n');
    }
    if (all.n == 0)
        skep_buf_str(c->out, SKEP_STR("No boards.\n"));
    return true;
}

/* "triggered since ..." and the last value. */
static void put_watch(struct skep_mcp_call *c, const struct skep_watch_state *all, size_t n,
                      skep_str id)
{
    struct skep_evaluation e;
    bool found = false;
    skep_err err;
    const struct skep_watch_state *w = NULL;
    for (size_t i = 0; i < n; i++)
        w = skep_str_eq(all[i].id, id) ? &all[i] : w;
    skep_buf_str(c->out, w && w->triggered ? SKEP_STR(" **triggered** since ") : SKEP_STR(" ok"));
    if (w && w->triggered)
        put_instant(c, w->triggered_ns);
    if (skep_state_evaluation_last(c->job->api->cfg.state, c->job->opts.environment, id,
                                   &c->job->arena, &e, &found, &err) != SKEP_OK ||
        !found)
        return;
    skep_buf_str(c->out, SKEP_STR(", asked last at "));
    put_instant(c, e.slot_ns);
    if (e.has_value)
        skep_buf_printf(c->out, ", value %.6g", e.value);
    if (e.error.n)
        skep_buf_printf(c->out, ", failed: " SKEP_STRFMT, SKEP_STRARG(e.error));
}

static bool watches(struct skep_mcp_call *c, struct skep_watch_state **ret, size_t *ret_n)
{
    skep_err err;
    return skep_state_watches(c->job->api->cfg.state, &c->job->opts.environment, &c->job->arena,
                              ret, ret_n, &err) == SKEP_OK ||
           skep_mcp__fail(c, err.text);
}

bool skep_mcp__triggers(struct skep_mcp_call *c)
{
    struct list all;
    struct skep_watch_state *w;
    size_t n;
    if (!load(c, SKEP_OBJECT_TRIGGER, &all) || !watches(c, &w, &n))
        return false;
    for (size_t i = 0; i < all.n && !skep_mcp__full(c); i++) {
        skep_buf_printf(c->out, "- " SKEP_STRFMT " (dataset " SKEP_STRFMT "):",
                        SKEP_STRARG(member(c, &all.objects[i], "name")),
                        SKEP_STRARG(all.objects[i].scope));
        put_watch(c, w, n, all.objects[i].id);
        skep_buf_str(c->out, SKEP_STR("\n  "));
        skep_buf_str(c->out, all.objects[i].body);
        skep_buf_u8(c->out, '\n');
    }
    if (all.n == 0)
        skep_buf_str(c->out, SKEP_STR("No triggers.\n"));
    return true;
}

static void put_slo(struct skep_mcp_call *c, const struct skep_object *o)
{
    struct skep_api__slo slo;
    struct skep_slo_counts counts;
    skep_err err = {.text = ""};
    skep_rc rc = skep_api__slo_read(&c->job->arena, o, &slo, &err);
    if (rc == SKEP_OK)
        rc = skep_api__slo_period(c->job->api, &c->job->opts, &slo, skep_api__now(c->job->api),
                                  &counts, &err);
    if (rc != SKEP_OK) {
        skep_buf_printf(c->out, " cannot be counted: %s\n", err.text);
        return;
    }
    double left = skep_slo_budget_remaining(counts, slo.target_per_million);
    skep_buf_printf(c->out,
                    " target %.4f %%, compliance %.4f %%, budget remaining %.2f %% (" SKEP_STRFMT
                    "), %llu of %llu events good in %lld days, SLI " SKEP_STRFMT "\n",
                    slo.target_per_million / 1e4, skep_slo_compliance(counts), left,
                    SKEP_STRARG(skep_api__slo_status(left)), (unsigned long long)counts.good,
                    (unsigned long long)counts.total,
                    (long long)(slo.period_ns / INT64_C(86400000000000)), SKEP_STRARG(slo.alias));
}

bool skep_mcp__slos(struct skep_mcp_call *c)
{
    struct list all, alerts;
    struct skep_watch_state *w;
    size_t n;
    if (!load(c, SKEP_OBJECT_SLO, &all) || !load(c, SKEP_OBJECT_BURN_ALERT, &alerts) ||
        !watches(c, &w, &n))
        return false;
    for (size_t i = 0; i < all.n && !skep_mcp__full(c); i++) {
        skep_buf_printf(c->out, "- " SKEP_STRFMT " (dataset " SKEP_STRFMT "):",
                        SKEP_STRARG(member(c, &all.objects[i], "name")),
                        SKEP_STRARG(all.objects[i].scope));
        put_slo(c, &all.objects[i]);
        for (size_t k = 0; k < alerts.n; k++) {
            if (!skep_str_eq(skep_api__burn_alert_slo(&c->job->arena, &alerts.objects[k]),
                             all.objects[i].id))
                continue;
            skep_buf_printf(c->out, "  - burn alert " SKEP_STRFMT ":",
                            SKEP_STRARG(member(c, &alerts.objects[k], "alert_type")));
            put_watch(c, w, n, alerts.objects[k].id);
            skep_buf_u8(c->out, '\n');
        }
    }
    if (all.n == 0)
        skep_buf_str(c->out, SKEP_STR("No SLOs.\n"));
    return true;
}
