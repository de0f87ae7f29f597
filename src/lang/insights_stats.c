// SPDX-License-Identifier: Apache-2.0
/* stats AGG(x) [as n], arithmetic of them, ... [by a, bin(5m) as t]
 *
 * Each aggregate of the text gets a slot; what is made of them is assigned behind the stats.
 * q->results are the names and slots of the groups, then of the measures: the order of the answer.
 * Threads: none of its own.  Memory: the query's arena. */
#include "base/assert.h"
#include "lang/insights_priv.h"

typedef struct skep_insights__q Q;

enum { COLUMNS = 64 };

static const struct agg {
    skep_str name;
    enum skep_pipe_agg_op op;
    skep_str signature, text;
    bool takes_all, time; /* count(*); the result is an instant where its argument is */
} aggs[] = {
    {SKEP_STR_INIT("count"), SKEP_PIPE_COUNT, SKEP_STR_INIT("count(*), count(a)"),
     SKEP_STR_INIT("Rows, or rows that have the field."), true, false},
    {SKEP_STR_INIT("count_distinct"), SKEP_PIPE_COUNT_DISTINCT, SKEP_STR_INIT("count_distinct(a)"),
     SKEP_STR_INIT("Different values."), false, false},
    {SKEP_STR_INIT("sum"), SKEP_PIPE_SUM, SKEP_STR_INIT("sum(a)"), SKEP_STR_INIT("The sum."), false,
     false},
    {SKEP_STR_INIT("avg"), SKEP_PIPE_AVG, SKEP_STR_INIT("avg(a)"), SKEP_STR_INIT("The mean."),
     false, false},
    {SKEP_STR_INIT("min"), SKEP_PIPE_MIN, SKEP_STR_INIT("min(a)"),
     SKEP_STR_INIT("The smallest number."), false, true},
    {SKEP_STR_INIT("max"), SKEP_PIPE_MAX, SKEP_STR_INIT("max(a)"),
     SKEP_STR_INIT("The largest number."), false, true},
    {SKEP_STR_INIT("stddev"), SKEP_PIPE_STDDEV, SKEP_STR_INIT("stddev(a)"),
     SKEP_STR_INIT("The standard deviation (of a sample)."), false, false},
    {SKEP_STR_INIT("pct"), SKEP_PIPE_PCT, SKEP_STR_INIT("pct(a, 95)"),
     SKEP_STR_INIT("The value that so many percent do not pass."), false, false},
    {SKEP_STR_INIT("percentile"), SKEP_PIPE_PCT, SKEP_STR_INIT("percentile(a, 95)"),
     SKEP_STR_INIT("The same as pct."), false, false},
    {SKEP_STR_INIT("earliest"), SKEP_PIPE_EARLIEST, SKEP_STR_INIT("earliest(a)"),
     SKEP_STR_INIT("The value of the earliest row that has one."), false, true},
    {SKEP_STR_INIT("latest"), SKEP_PIPE_LATEST, SKEP_STR_INIT("latest(a)"),
     SKEP_STR_INIT("The value of the latest row that has one."), false, true},
    {SKEP_STR_INIT("sortsFirst"), SKEP_PIPE_FIRST, SKEP_STR_INIT("sortsFirst(a)"),
     SKEP_STR_INIT("The value that sorts first."), false, true},
    {SKEP_STR_INIT("sortsLast"), SKEP_PIPE_LAST, SKEP_STR_INIT("sortsLast(a)"),
     SKEP_STR_INIT("The value that sorts last."), false, true},
};

void skep_insights_functions(struct skep_arena *a, struct skep_insights_word **ret, size_t *ret_n)
{
    unsigned n_families;
    size_t n = 0, cap = SKEP_ARRAY_LEN(aggs) + 2;
    const struct skep_calc_fn *const *families = skep_calc_families(&n_families);
    for (unsigned i = 0; i < n_families; i++)
        for (const struct skep_calc_fn *f = families[i]; f->name; f++)
            cap++;
    struct skep_insights_word *w = skep_new_n(a, struct skep_insights_word, cap);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(aggs); i++)
        w[n++] = (struct skep_insights_word){aggs[i].name, aggs[i].signature, aggs[i].text,
                                             SKEP_STR("stats"), true};
    for (unsigned i = 0; i < n_families; i++) {
        for (const struct skep_calc_fn *f = families[i]; f->name; f++) {
            if (skep_str_eq(skep_str_c(f->family), SKEP_STR("operator")) ||
                skep_str_eq(skep_str_c(f->name), SKEP_STR("size")))
                continue;
            w[n++] = (struct skep_insights_word){skep_str_c(f->name), skep_str_c(f->signature),
                                                 skep_str_c(f->text), skep_str_c(f->family), false};
        }
    }
    w[n++] = (struct skep_insights_word){SKEP_STR("bin"), SKEP_STR("bin(5m)"),
                                         SKEP_STR("The begin of the period that @timestamp is in."),
                                         SKEP_STR("date"), false};
    w[n++] = (struct skep_insights_word){SKEP_STR("messageSize"), SKEP_STR("messageSize()"),
                                         SKEP_STR("The length of the message in bytes."),
                                         SKEP_STR("general"), false};
    *ret = w;
    *ret_n = n;
}

static skep_rc percent(Q *q, double *ret)
{
    struct skep_calc *e = NULL;
    const struct skep_calc_ctx strict = {.loose = false};
    SKEP_TRY(skep_insights__expect(q, SKEP_STR(",")));
    size_t at = skep_insights__here(q);
    SKEP_TRY(skep_insights__expr(q, &e));
    if (e->op != SKEP_CALC_CONST || !skep_calc_number(&strict, &e->value, ret) || *ret < 0 ||
        *ret > 100)
        return skep_insights__wrong(q, at, q->prev_end, "a number from 0 to 100 is expected here");
    return SKEP_OK;
}

/* What stands in the parentheses. */
static skep_rc argument(Q *q, const struct agg *a, struct skep_pipe_agg *g, bool *ret_time)
{
    struct skep_calc *e = NULL, *by = NULL;
    struct skep_pipe_stage *outer = q->stats;
    if (a->takes_all && (skep_insights__take(q, SKEP_STR("*")) || skep_insights__peek(q) == ')'))
        return SKEP_OK;
    q->stats = NULL; /* no aggregates inside */
    size_t at = q->at;
    SKEP_TRY(skep_insights__expr(q, &e));
    q->stats = outer;
    g->expr = e;
    *ret_time = a->time && e->time;
    if (a->op == SKEP_PIPE_EARLIEST || a->op == SKEP_PIPE_LATEST) {
        SKEP_TRY(skep_insights__resolve(q, SKEP_STR("@timestamp"), at, &by));
        g->by = by;
    }
    return a->op == SKEP_PIPE_PCT ? percent(q, &g->param) : SKEP_OK;
}

skep_rc skep_insights__aggregate(Q *q, skep_str name, size_t at, struct skep_calc **ret)
{
    const struct agg *a = NULL;
    bool time = false;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(aggs); i++)
        if (skep_str_ieq(aggs[i].name, name))
            a = &aggs[i];
    if (!a)
        return SKEP_ENOTFOUND;
    if (!q->stats)
        return skep_insights__wrong(q, at, at + name.n, SKEP_STRFMT " stands in stats alone",
                                    SKEP_STRARG(name));
    if (q->stats->n_aggs == COLUMNS)
        return skep_insights__wrong(q, at, at + name.n, "more than %d aggregates", COLUMNS);
    SKEP_TRY(skep_insights__expect(q, SKEP_STR("(")));
    struct skep_pipe_agg *g = &q->stats->aggs[q->stats->n_aggs];
    *g = (struct skep_pipe_agg){.op = a->op};
    SKEP_TRY(argument(q, a, g, &time));
    SKEP_TRY(skep_insights__expect(q, SKEP_STR(")")));
    SKEP_TRY(skep_insights__slot(q, &g->slot));
    q->stats->n_aggs++;
    *ret = skep_calc_field(q->a, g->slot, time);
    return SKEP_OK;
}

/* A column of the command: an expression and its name. */
struct column {
    struct skep_calc *expr;
    skep_str name;
};

static skep_rc column(Q *q, struct column *ret)
{
    size_t from = skep_insights__here(q);
    SKEP_TRY(skep_insights__expr(q, &ret->expr));
    ret->name = (skep_str){q->text.p + from, q->prev_end - from};
    if (!skep_insights__take_word(q, SKEP_STR("as")))
        return SKEP_OK;
    size_t at = skep_insights__here(q);
    skep_rc rc = skep_insights__field_name(q, &ret->name);
    if (rc == SKEP_ENOTFOUND)
        return skep_insights__wrong(q, at, at + 1, "a name is expected behind as");
    return rc;
}

static skep_rc columns(Q *q, struct column *list, unsigned *n)
{
    *n = 0;
    do {
        if (*n == COLUMNS)
            return skep_insights__wrong(q, q->command_at, q->prev_end, "more than %d columns",
                                        COLUMNS);
        SKEP_TRY(column(q, &list[(*n)++]));
    } while (skep_insights__take(q, SKEP_STR(",")));
    return SKEP_OK;
}

/* Does the expression look at anything but aggregates (slots from `first` on)?  Recursion is
 * bounded by the expression's depth. */
static bool looks_at_rows(const struct skep_calc *e, unsigned first)
{
    if (e->op == SKEP_CALC_FIELD)
        return e->field < first;
    for (unsigned i = 0; e->op == SKEP_CALC_CALL && i < e->n_args; i++)
        if (looks_at_rows(e->args[i], first))
            return true;
    return false;
}

/* Names for groups, then for results, on slots of their own. */
static skep_rc name_results(Q *q, struct skep_pipe_stage *s, const struct column *groups,
                            unsigned n_groups, const struct column *results, unsigned n_results)
{
    unsigned slot;
    s->assigns = skep_new_n(q->a, struct skep_pipe_assign, n_groups + 1);
    q->results = skep_new_n(q->a, struct skep_insights__name, n_groups + n_results);
    q->n_results = n_groups + n_results;
    for (unsigned i = 0; i < n_groups + n_results; i++) {
        const struct column *c = i < n_groups ? &groups[i] : &results[i - n_groups];
        SKEP_TRY(skep_insights__slot(q, &slot));
        q->results[i] = (struct skep_insights__name){c->name, slot, c->expr->time, true};
        if (i < n_groups)
            s->assigns[s->n_assigns++] = (struct skep_pipe_assign){slot, c->expr};
    }
    struct skep_pipe_stage *after = skep_insights__stage(q, SKEP_PIPE_ASSIGN);
    after->assigns = skep_new_n(q->a, struct skep_pipe_assign, n_results + 1);
    for (unsigned i = 0; i < n_results; i++)
        after->assigns[after->n_assigns++] =
            (struct skep_pipe_assign){q->results[n_groups + i].slot, results[i].expr};
    return SKEP_OK;
}

skep_rc skep_insights__stats(Q *q)
{
    struct column *results = skep_new_n(q->a, struct column, COLUMNS);
    struct column *groups = skep_new_n(q->a, struct column, COLUMNS);
    unsigned n_results = 0, n_groups = 0;
    struct skep_pipe_stage *s = skep_insights__stage(q, SKEP_PIPE_STATS);
    s->aggs = skep_new_n(q->a, struct skep_pipe_agg, COLUMNS);
    q->stats = s;
    SKEP_TRY(columns(q, results, &n_results));
    q->stats = NULL;
    unsigned first = s->n_aggs ? s->aggs[0].slot : UINT32_MAX;
    for (unsigned i = 0; i < n_results; i++)
        if (s->n_aggs == 0 || looks_at_rows(results[i].expr, first))
            return skep_insights__wrong(q, q->command_at, q->prev_end,
                                        SKEP_STRFMT ": stats takes aggregates like count(*)",
                                        SKEP_STRARG(results[i].name));
    if (skep_insights__take_word(q, SKEP_STR("by")))
        SKEP_TRY(columns(q, groups, &n_groups));
    q->ret->steps[s - q->pipe->stages] =
        (skep_str){q->text.p + q->command_at, q->prev_end - q->command_at};
    SKEP_TRY(name_results(q, s, groups, n_groups, results, n_results));
    return SKEP_OK;
}
