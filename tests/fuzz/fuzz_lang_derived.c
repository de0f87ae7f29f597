// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a derived column's expression: refused with a text and bytes inside it, or a column
 * of a plan, which evaluates to values of known types over rows of anything. */
#include <stdlib.h>

#include "calc/calc.h"
#include "lang/honeycomb.h"

#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

enum { ROWS = 12 };

static const skep_value anything[ROWS] = {
    {.type = SKEP_TYPE_NULL},
    {.type = SKEP_TYPE_INT, .i = INT64_MIN},
    {.type = SKEP_TYPE_INT, .i = -1},
    {.type = SKEP_TYPE_INT, .i = INT64_MAX},
    {.type = SKEP_TYPE_DOUBLE, .f = -1e308},
    {.type = SKEP_TYPE_DOUBLE, .f = (double)(1.0f / 0.0f)},
    {.type = SKEP_TYPE_BOOL, .b = true},
    {.type = SKEP_TYPE_STRING, .s = {"", 0}},
    {.type = SKEP_TYPE_STRING, .s = {"9223372036854775808", 19}},
    {.type = SKEP_TYPE_STRING, .s = {"\xff\xc3x Aa 2026-11-29T10:00:00Z", 25}},
    {.type = SKEP_TYPE_ARRAY, .s = {"[1]", 3}},
    {.type = SKEP_TYPE_EMPTY}};

static void evaluate(const struct skep_computed *c)
{
    struct skep_arena scratch;
    skep_value *columns[SKEP_LIMIT_PLAN_INPUTS], out[ROWS];
    static skep_value turned[4][ROWS];
    for (unsigned t = 0; t < 4; t++) /* not all inputs alike */
        for (unsigned r = 0; r < ROWS; r++)
            turned[t][r] = anything[(r * (t + 1) + t) % ROWS];
    MUST(c->n_inputs <= SKEP_LIMIT_PLAN_INPUTS);
    for (unsigned i = 0; i < c->n_inputs; i++)
        columns[i] = turned[i % 4];
    skep_arena_init(&scratch, "fuzz", NULL);
    struct skep_calc_ctx ctx = {.scratch = &scratch};
    const struct skep_calc_batch batch = {.n = ROWS, .columns = columns};
    skep_calc_eval(c->calc, &batch, &ctx, out);
    for (unsigned r = 0; r < ROWS; r++)
        MUST((unsigned)out[r].type < SKEP_TYPE_COUNT);
    skep_arena_done(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const skep_str text = {(const char *)data, size};
    const struct skep_lang_derived others[] = {{SKEP_STR("x"), text, SKEP_STR_NULL},
                                               {SKEP_STR("y"), SKEP_STR("$z + 1"), SKEP_STR_NULL}};
    const struct skep_lang_opts opts = {
        .now_ns = 1795132800000000000, .derived = others, .n_derived = 2};
    struct skep_arena arena;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue = {.text = ""};
    if (size > 8192)
        return 0;
    skep_arena_init(&arena, "fuzz", NULL);
    skep_rc checked = skep_lang_derived_check(&opts, SKEP_STR("x"), text, &arena, &issue);
    if (checked != SKEP_OK)
        MUST(issue.text[0] != '\0' && issue.at <= size && issue.end <= size);
    skep_rc rc = skep_lang_honeycomb(skep_str_bytes(SKEP_STR("{\"breakdowns\":[\"x\"]}")), &opts,
                                     &arena, &plan, &issue);
    MUST(rc == checked);
    for (unsigned i = 0; rc == SKEP_OK && i < plan->n_computed; i++)
        evaluate(&plan->computed[i]);
    skep_arena_done(&arena);
    return 0;
}
