// SPDX-License-Identifier: Apache-2.0
/* AND: in what order its operands are asked.
 *
 * Cheap ones come before those that look into texts; among the cheap, what let the smallest share
 * of the rows pass so far comes first.  An operand that was not asked yet is, in the plan's order.
 * What is left of a block after the first is often nothing, or so few rows that the next operand
 * looks at them alone (skep_x__ints_between).
 *
 * I1  The rows that pass do not depend on the order.
 * I2  The order depends on the rows of the morsel alone, not on time or threads: a damaged column
 *     is met, or not, whenever the same morsel is looked at.
 *
 * Threads: a context belongs to one thread.  Memory: of the context. */
#include "base/assert.h"
#include "store/column/exec/exec_priv.h"

void skep_x__turns_reset(struct skep_x_ctx *c)
{
    if (c->q->n_turns > 0)
        memset(c->turns, 0, c->q->n_turns * sizeof *c->turns);
}

/* Numbers and equality are compared packed, relations are a bitmap already. */
static bool looks_into_texts(const struct skep_x_query *q, const struct skep_x_expr *e)
{
    if (e->op == SKEP_EXPR_TEST) {
        const struct skep_x_test *x = &q->tests[e->test];
        return x->name == SKEP_X_ANY_FIELD || !(x->exists || x->t->op <= SKEP_CMP_GE);
    }
    for (unsigned i = 0; i < e->n_kids; i++)
        if (looks_into_texts(q, e->kids[i]))
            return true;
    return false;
}

/* Does operand a come before b?  Neither order is by the rows of this block. */
static bool before(const struct skep_x_turns *t, const bool *slow, unsigned a, unsigned b)
{
    if (slow[a] != slow[b])
        return slow[b];
    uint64_t x = (uint64_t)t->passed[a] * SKEP_MAX(t->seen[b], 1u);
    uint64_t y = (uint64_t)t->passed[b] * SKEP_MAX(t->seen[a], 1u);
    return x < y;
}

skep_rc skep_x__filter_and(struct skep_x_ctx *c, const struct skep_x_expr *e,
                           struct skep_x_bits *bits, skep_err *err)
{
    struct skep_x_turns *t = &c->turns[e->test];
    unsigned order[SKEP_X_TURNS], n = SKEP_MIN(e->n_kids, (unsigned)SKEP_X_TURNS);
    bool slow[SKEP_X_TURNS];
    skep_assert(e->op == SKEP_EXPR_AND && e->test < c->q->n_turns);
    for (unsigned i = 0; i < n; i++) {
        unsigned at = i;
        slow[i] = looks_into_texts(c->q, e->kids[i]);
        for (; at > 0 && before(t, slow, i, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    unsigned left = skep_x__count(bits);
    for (unsigned i = 0; i < n && left > 0; i++) {
        unsigned k = order[i], was = left;
        SKEP_TRY(skep_x__filter(c, e->kids[k], bits, err));
        left = skep_x__count(bits);
        t->seen[k] += was;
        t->passed[k] += left;
    }
    for (unsigned i = n; i < e->n_kids && left > 0; i++)
        SKEP_TRY(skep_x__filter(c, e->kids[i], bits, err));
    return SKEP_OK;
}
