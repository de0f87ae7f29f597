// SPDX-License-Identifier: Apache-2.0
/* Any text as a Logs Insights query: what is taken obeys the pipeline's rules, and its expressions
 * are evaluated on values of every type. */
#include <stdlib.h>

#include "lang/insights.h"

#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

enum { ROWS = 8 };

static void evaluate(const struct skep_calc *e, unsigned n_slots, struct skep_arena *a)
{
    static const skep_value some[ROWS] = {
        {.type = SKEP_TYPE_NULL},
        {.type = SKEP_TYPE_STRING, .s = SKEP_STR_INIT("a b=\"c\" 10.0.0.1")},
        {.type = SKEP_TYPE_INT, .i = INT64_MIN},
        {.type = SKEP_TYPE_DOUBLE, .f = 1e300},
        {.type = SKEP_TYPE_BOOL, .b = true},
        {.type = SKEP_TYPE_ARRAY, .s = SKEP_STR_INIT("[1,{\"a\":\"x\"}]")},
        {.type = SKEP_TYPE_STRING, .s = SKEP_STR_INIT("")},
        {.type = SKEP_TYPE_INT, .i = 1700000000000}};
    struct skep_budget budget;
    struct skep_arena scratch;
    skep_value values[ROWS];
    skep_budget_init(&budget, "fuzz", 64 << 20, NULL);
    skep_arena_init(&scratch, "fuzz", &budget);
    struct skep_calc_ctx ctx = {.scratch = &scratch, .now_ms = 1700000000000, .loose = true};
    skep_value **columns = skep_new_n(a, skep_value *, n_slots + 1);
    for (unsigned i = 0; i < n_slots; i++) {
        columns[i] = skep_new_n(a, skep_value, ROWS);
        for (unsigned r = 0; r < ROWS; r++)
            columns[i][r] = some[(r + i) % ROWS];
    }
    skep_calc_eval(e, &(struct skep_calc_batch){ROWS, columns}, &ctx, values);
    for (unsigned r = 0; r < ROWS; r++) {
        char out[SKEP_PIPE_TEXT_BYTES];
        skep_str s = skep_pipe_text(&values[r], e->time, out);
        MUST(s.n <= SKEP_LIMIT_CALC_TEXT);
    }
    skep_arena_done(&scratch);
}

static void check(const struct skep_pipe *p, struct skep_arena *a)
{
    MUST(p->n_slots <= SKEP_LIMIT_PIPE_SLOTS && p->n_stages <= SKEP_LIMIT_PIPE_STAGES);
    MUST(p->limit > 0 && p->limit <= SKEP_LIMIT_PIPE_ROWS);
    for (unsigned i = 0; i < p->n_outs; i++)
        MUST(p->outs[i].slot < p->n_slots);
    for (unsigned i = 0; i < p->n_stages; i++) {
        const struct skep_pipe_stage *s = &p->stages[i];
        if (s->cond)
            evaluate(s->cond, p->n_slots, a);
        for (unsigned k = 0; k < s->n_assigns; k++) {
            MUST(s->assigns[k].slot < p->n_slots);
            evaluate(s->assigns[k].expr, p->n_slots, a);
        }
        for (unsigned k = 0; k < s->n_aggs; k++)
            MUST(s->aggs[k].slot < p->n_slots);
        for (unsigned k = 0; k < s->n_sorts; k++)
            MUST(s->sorts[k].slot < p->n_slots);
        for (unsigned k = 0; k < s->n_slots; k++)
            MUST(s->slots[k] < p->n_slots);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skep_arena a;
    struct skep_lang_issue issue;
    struct skep_insights q;
    static const struct skep_lang_derived derived[] = {
        {.alias = {"d", 1}, .expression = {"$a + 1", 6}},
        {.alias = {"e", 1}, .expression = {"CONCAT($d, $f)", 14}},
        {.alias = {"f", 1}, .expression = {"IF($e", 5}, .dataset = {"g", 1}}};
    const struct skep_insights_opts opts = {
        .range = {0, 1000000000}, .derived = derived, .n_derived = SKEP_ARRAY_LEN(derived)};
    skep_str text = {(const char *)data, n};
    skep_arena_init(&a, "fuzz", NULL);
    skep_rc rc = skep_lang_insights(text, &opts, &a, &q, &issue);
    /* Tables of a fixed size, and what grows with the text. */
    MUST(a.total_bytes <= (2u << 20) + 4096 * SKEP_MIN(n, (size_t)SKEP_LIMIT_INSIGHTS_BYTES));
    if (rc == SKEP_OK)
        check(q.pipe, &a);
    else
        MUST(issue.at <= issue.end && issue.end <= n && issue.text[0]);
    skep_arena_done(&a);
    return 0;
}
