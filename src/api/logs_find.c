// SPDX-License-Identifier: Apache-2.0
/* Log groups and streams: those that were created, and those that rows make.
 *
 *   state: groups, streams               rows of kind log: datasets, log.stream,
 * service.instance.id
 *        \__________ by name, one list ___________/
 *
 * Lines of other wires (OTLP) are in the group that their dataset names, in the stream that
 * service.instance.id names, else "default".
 *
 * What rows say (counts, bytes, first and last line) is asked of the rows each time, so it is exact
 * and there at once.
 *
 * Threads: workers.  Memory: the request's arena. */
#include "api/logs_priv.h"

#include <stdlib.h>

#include "base/assert.h"
#include "event/log.h"

// --- groups ------------------------------------------------------------------------------------

static const struct skep_time_range always = {0, INT64_MAX};

enum { ROWS, BYTES, FIRST, LAST, RECEIVED, AGGS };

static const struct skep_agg aggs[AGGS] = {
    [ROWS] = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("rows")},
    [BYTES] = {.op = SKEP_AGG_SUM,
               .field = {.name = SKEP_STR_INIT("log.bytes")},
               .key = SKEP_STR_INIT("bytes")},
    [FIRST] = {.op = SKEP_AGG_MIN,
               .field = {.name = SKEP_STR_INIT("timestamp")},
               .key = SKEP_STR_INIT("first")},
    [LAST] = {.op = SKEP_AGG_MAX,
              .field = {.name = SKEP_STR_INIT("timestamp")},
              .key = SKEP_STR_INIT("last")},
    [RECEIVED] = {.op = SKEP_AGG_MAX,
                  .field = {.name = SKEP_STR_INIT("meta.received_ns")},
                  .key = SKEP_STR_INIT("received")},
};

static int64_t whole(const struct skep_cell *c)
{
    return c->kind == SKEP_CELL_INT ? c->i : c->kind == SKEP_CELL_DOUBLE ? (int64_t)c->f : 0;
}

/* False after an error was sent. */
static bool ask(struct skep_api__logs *l, const struct skep_expr *filter, skep_str dataset,
                const struct skep_field_ref *groups, unsigned n_groups, struct skep_result **ret)
{
    skep_err err;
    struct skep_plan *plan = skep_new(&l->job->arena, struct skep_plan);
    *plan = (struct skep_plan){.kind = SKEP_PLAN_AGGREGATE,
                               .range = always,
                               .dataset = dataset,
                               .filter = filter,
                               .groups = groups,
                               .n_groups = n_groups,
                               .aggs = aggs,
                               .n_aggs = AGGS,
                               .ignore_sample_rate = true,
                               .limit = SKEP_LIMIT_PLAN_RESULT_GROUPS};
    skep_rc rc = skep_query_aggregate(l->job->api->cfg.store, plan, &l->job->opts, ret, &err);
    if (rc == SKEP_OK)
        return true;
    skep_api__logs_fail_rc(l, rc, &err);
    return false;
}

static int by_group_name(const void *a, const void *b)
{
    return skep_str_cmp(((const struct skep_logs_group *)a)->g.name,
                        ((const struct skep_logs_group *)b)->g.name);
}

/* Among the first n, which are in order. */
static struct skep_logs_group *find_group(struct skep_logs_group *list, size_t n, skep_str name)
{
    const struct skep_logs_group key = {.g = {.name = name}};
    return n ? bsearch(&key, list, n, sizeof *list, by_group_name) : NULL;
}

bool skep_api__logs_groups(struct skep_api__logs *l, struct skep_logs_group **ret, size_t *ret_n)
{
    static const struct skep_field_ref dataset = {.name = SKEP_STR_INIT("dataset")};
    struct skep_arena *a = &l->job->arena;
    struct skep_state_log_group *known;
    size_t n_known, n = 0;
    struct skep_result *rows;
    skep_state_log_groups(l->job->api->cfg.state, l->job->opts.environment, a, &known, &n_known);
    if (!ask(l, skep_logs_rows_lines(a), SKEP_STR_NULL, &dataset, 1, &rows))
        return false;
    struct skep_logs_group *list = skep_new_n(a, struct skep_logs_group, n_known + rows->n_groups);
    for (; n < n_known; n++)
        list[n].g = known[n];
    for (size_t i = 0; i < rows->n_groups; i++) {
        const struct skep_result_group *r = &rows->groups[i];
        if (r->key[0].type != SKEP_TYPE_STRING || r->key[0].s.n == 0)
            continue;
        struct skep_logs_group *g = find_group(list, n_known, r->key[0].s);
        if (!g) {
            g = &list[n++];
            g->made = true;
            g->g.name = r->key[0].s;
            g->g.created_ns = whole(&r->values[FIRST]);
        }
        g->rows = (uint64_t)whole(&r->values[ROWS]);
        g->bytes = (uint64_t)whole(&r->values[BYTES]);
    }
    if (n)
        qsort(list, n, sizeof *list, by_group_name);
    *ret = list;
    *ret_n = n;
    return true;
}

bool skep_api__logs_group_exists(struct skep_api__logs *l, skep_str group)
{
    skep_err err;
    struct skep_answer a = {0};
    struct skep_state_log_group known;
    static const struct skep_field_ref none[] = {{.name = SKEP_STR_INIT("meta.row_id")}};
    if (skep_state_log_group_get(l->job->api->cfg.state, l->job->opts.environment, group, &known))
        return true;
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                                   .range = always,
                                   .dataset = group,
                                   .filter = skep_logs_rows_of_group(&l->job->arena, group),
                                   .columns = none,
                                   .n_columns = 1,
                                   .limit = 1};
    skep_rc rc = skep_query_run(l->job->api->cfg.store, &plan, &l->job->opts, &a, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return false;
    }
    if (a.rows.n == 0)
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND, "The specified log group does not exist.");
    return a.rows.n > 0;
}

// --- streams -----------------------------------------------------------------------------------

static int by_stream_name(const void *a, const void *b)
{
    return skep_str_cmp(((const struct skep_logs_stream *)a)->name,
                        ((const struct skep_logs_stream *)b)->name);
}

static skep_str stream_of(const struct skep_value *key)
{
    for (unsigned i = 0; i < 2; i++)
        if (key[i].type == SKEP_TYPE_STRING && key[i].s.n)
            return key[i].s;
    return SKEP_LOG_STREAM_NONE;
}

static void add_rows(struct skep_logs_stream *s, const struct skep_cell *values)
{
    uint64_t rows = (uint64_t)whole(&values[ROWS]);
    skep_ts_ns first = whole(&values[FIRST]), last = whole(&values[LAST]);
    s->first_ns = s->rows && s->first_ns < first ? s->first_ns : first;
    s->last_ns = s->rows && s->last_ns > last ? s->last_ns : last;
    s->received_ns = SKEP_MAX(s->received_ns, whole(&values[RECEIVED]));
    s->rows += rows;
    if (s->created_ns == 0)
        s->created_ns = first;
}

/* Equal names, which are neighbours, become one. */
static size_t fold(struct skep_logs_stream *list, size_t n)
{
    size_t to = 0;
    for (size_t i = 1; i < n; i++) {
        struct skep_logs_stream *s = &list[to];
        if (!skep_str_eq(s->name, list[i].name)) {
            list[++to] = list[i];
            continue;
        }
        bool had = s->rows > 0;
        if (list[i].rows) {
            s->first_ns = had ? SKEP_MIN(s->first_ns, list[i].first_ns) : list[i].first_ns;
            s->last_ns = had ? SKEP_MAX(s->last_ns, list[i].last_ns) : list[i].last_ns;
            s->received_ns = SKEP_MAX(s->received_ns, list[i].received_ns);
            s->rows += list[i].rows;
        }
        s->created_ns = SKEP_MIN(s->created_ns, list[i].created_ns);
    }
    return n ? to + 1 : 0;
}

bool skep_api__logs_streams(struct skep_api__logs *l, skep_str group, skep_str prefix,
                            struct skep_logs_stream **ret, size_t *ret_n)
{
    static const struct skep_field_ref by[] = {{.name = SKEP_STR_INIT("log.stream")},
                                               {.name = SKEP_STR_INIT("service.instance.id")}};
    struct skep_arena *a = &l->job->arena;
    struct skep_state_log_stream *known;
    size_t n_known, n = 0;
    struct skep_result *rows;
    skep_state_log_streams(l->job->api->cfg.state, l->job->opts.environment, group, prefix, a,
                           &known, &n_known);
    const struct skep_expr *filter = skep_logs_rows_of_group(&l->job->arena, group);
    if (prefix.n)
        filter = skep_logs_rows_and(a, filter, skep_logs_rows_of_streams(a, &prefix, 1, true));
    if (!ask(l, filter, group, by, 2, &rows))
        return false;
    struct skep_logs_stream *list =
        skep_new_n(a, struct skep_logs_stream, n_known + rows->n_groups);
    for (; n < n_known; n++)
        list[n] =
            (struct skep_logs_stream){.name = known[n].name, .created_ns = known[n].created_ns};
    for (size_t i = 0; i < rows->n_groups; i++) {
        struct skep_logs_stream s = {.name = stream_of(rows->groups[i].key)};
        add_rows(&s, rows->groups[i].values);
        list[n++] = s;
    }
    if (n)
        qsort(list, n, sizeof *list, by_stream_name);
    *ret = list;
    *ret_n = fold(list, n);
    return true;
}
