// SPDX-License-Identifier: Apache-2.0
/* Logs Insights end to end on a store of a few odd rows: any text as a query; what is taken is run,
 * with and without memory.  Up to the first zero byte is the query, the rest is a row's message. */
#include <stdlib.h>

#include "agg/agg.h"
#include "lang/insights.h"

#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

enum { ROWS = 5 };

static skep_str message;

static skep_value value_of(skep_str name, unsigned row)
{
    static const skep_value odd[] = {{.type = SKEP_TYPE_NULL},
                                     {.type = SKEP_TYPE_STRING, .s = SKEP_STR_INIT("7")},
                                     {.type = SKEP_TYPE_INT, .i = INT64_MIN},
                                     {.type = SKEP_TYPE_DOUBLE, .f = -0.5},
                                     {.type = SKEP_TYPE_BOOL, .b = true},
                                     {.type = SKEP_TYPE_ARRAY, .s = SKEP_STR_INIT("[1,[2],\"x\"]")},
                                     {.type = SKEP_TYPE_EMPTY}};
    if (skep_str_eq(name, SKEP_MESSAGE_FIELD))
        return (skep_value){.type = SKEP_TYPE_STRING, .s = message};
    return odd[(row + name.n) % SKEP_ARRAY_LEN(odd)];
}

static void rows(const struct skep_plan *plan, struct skep_arena *a, struct skep_rows *ret)
{
    ret->rows = skep_new_n(a, struct skep_row, ROWS);
    for (unsigned i = 0; i < ROWS && !plan->has_cursor; i++) {
        struct skep_row *r = &ret->rows[ret->n++];
        *r = (struct skep_row){.id = {1, i},
                               .time_ns = (ROWS - i) * 1000000000ll,
                               .dataset = SKEP_STR("group"),
                               .n_fields = plan->n_columns,
                               .fields = skep_new_n(a, struct skep_row_field, plan->n_columns)};
        for (unsigned c = 0; c < plan->n_columns; c++)
            r->fields[c] = (struct skep_row_field){.name = plan->columns[c].name,
                                                   .value = value_of(plan->columns[c].name, i)};
    }
}

static skep_rc run(struct skep_store *s, const struct skep_plan *plan,
                   const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    (void)s;
    *ret = (struct skep_answer){.complete = true};
    SKEP_TRY(skep_plan_check(plan, err));
    if (plan->kind == SKEP_PLAN_ROWS)
        rows(plan, opts->arena, &ret->rows);
    if (plan->kind == SKEP_PLAN_AGGREGATE)
        SKEP_TRY(skep_partial_new(plan, opts->budget, &ret->partial));
    return SKEP_OK;
}

static void answer(const struct skep_pipe *p, uint64_t memory)
{
    static const struct skep_store_ops ops = {.name = "odd rows", .run = run};
    struct skep_store store = {&ops};
    struct skep_budget budget;
    struct skep_arena a;
    struct skep_pipe_result r;
    skep_err err;
    skep_budget_init(&budget, "fuzz", memory, NULL);
    skep_arena_init(&a, "fuzz answer", &budget);
    const struct skep_run_opts opts = {.budget = &budget, .arena = &a};
    if (skep_pipe_run(&store, p, &opts, &r, &err) == SKEP_OK) {
        MUST(r.n_rows <= p->limit);
        for (size_t i = 0; i < r.n_rows * p->n_outs; i++) {
            char text[SKEP_PIPE_TEXT_BYTES];
            skep_str s = skep_pipe_text(&r.values[i], p->outs[i % p->n_outs].time, text);
            MUST(s.n <= SKEP_LIMIT_CALC_TEXT + 64);
        }
    }
    skep_arena_done(&a);
    MUST(skep_budget_used(&budget) == 0); /* all was given back, whatever happened */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skep_arena a;
    struct skep_lang_issue issue;
    struct skep_insights q;
    const struct skep_insights_opts opts = {.range = {20000000000, 30000000000}};
    message = (skep_str){(const char *)data, n};
    skep_str text = skep_str_cut(&message, '\0');
    if (!message.p || !skep_utf8_valid(message)) /* rows hold UTF-8 */
        message = SKEP_STR("a=1 user=7 took 12 ms \"q\" 10.0.0.1, x");
    skep_arena_init(&a, "fuzz", NULL);
    if (skep_lang_insights(text, &opts, &a, &q, &issue) == SKEP_OK) {
        answer(q.pipe, 256 << 20);
        answer(q.pipe, 1 << 20);
    }
    skep_arena_done(&a);
    return 0;
}
