// SPDX-License-Identifier: Apache-2.0
/* A regular expression as a plan's matcher.
 * Threads: any.  Memory: the plan's arena. */
#include "plan/match.h"

#include <stdatomic.h>

#include "base/assert.h"

struct regex_matcher {
    struct skep_matcher base;
    const struct skep_regex *re;
};

static bool passes(const struct skep_matcher *m, skep_str s)
{
    const struct skep_regex *re = ((const struct regex_matcher *)(const void *)m)->re;
    bool yes = false;
    if (!skep_regex_tired(re) && skep_regex_test(re, s, &yes) == SKEP_OK)
        return yes;
    skep_matcher_give_up(m);
    return false;
}

void skep_matcher_give_up(const struct skep_matcher *m)
{
    struct skep_matcher *mine = (struct skep_matcher *)(uintptr_t)m; /* constant but for this */
    atomic_store_explicit(&mine->gave_up, true, memory_order_relaxed);
}

void skep_test_regex(struct skep_test *t, enum skep_cmp op, const struct skep_regex *re,
                     bool fold_case, struct skep_arena *a)
{
    skep_assert(op == SKEP_CMP_MATCHES || op == SKEP_CMP_NOT_MATCHES);
    struct regex_matcher *m = skep_new(a, struct regex_matcher);
    skep_value *v = skep_new(a, skep_value);
    *m = (struct regex_matcher){
        .base = {.kind = fold_case ? SKEP_STR("regex-fold") : SKEP_STR("regex"), .passes = passes},
        .re = re};
    *v = (skep_value){.type = SKEP_TYPE_STRING, .s = skep_regex_text(re)};
    t->op = op;
    t->values = v;
    t->n_values = 1;
    t->matcher = &m->base;
}

struct skep_expr *skep_expr_regex(skep_str field, const struct skep_regex *re, bool fold_case,
                                  struct skep_arena *a)
{
    struct skep_expr *match = skep_new(a, struct skep_expr);
    *match = (struct skep_expr){.op = SKEP_EXPR_TEST, .test.field.name = field};
    skep_test_regex(&match->test, SKEP_CMP_MATCHES, re, fold_case, a);
    skep_str literal = skep_regex_literal(re);
    if (literal.n < 3) /* shorter ones are no use to a text filter */
        return match;
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, 2);
    struct skep_expr *both = skep_new(a, struct skep_expr);
    skep_value *v = skep_new(a, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_STRING, .s = literal};
    kids[0] = skep_new(a, struct skep_expr);
    *kids[0] = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {.field.name = field, .op = SKEP_CMP_CONTAINS, .values = v, .n_values = 1}};
    kids[1] = match;
    *both = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = 2};
    return both;
}
