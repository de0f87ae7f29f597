// SPDX-License-Identifier: Apache-2.0
/* What stages compute, as computed fields of a plan: the store evaluates them near the rows, on all
 * cores, and keeps answers made of them.
 *
 *   fields jsonParse(@message) as j    \    f1 = member(log.message, "level")
 *   | stats avg(j.ms) by j.level       /    f2 = number(member(log.message, "ms"))
 *
 *   parse @message /(?<a>.)(?<b>.)/    \    f1 = captures(log.message, /../, 1, 2)
 *   | stats sum(b) by a                /    f2 = capture(f1, 0)   f3 = number(capture(f1, 1))
 *
 * A slot is what the one stage that fills it says.  What a call gives is a field of its own, so
 * that it is evaluated once however many look at it; but for captures out of their pack, which are
 * cheaper than a field, and documents that are only looked into.
 *
 * I1  The expression over the store's fields gives what the stages give row by row: it is evaluated
 *     by the same functions under the same rules (`loose`).
 * I2  Functions without arguments (now) say one thing in all of a question: they become constants.
 * I3  Answers are kept under what the expressions say (skep_calc_say), so a function that looks at
 *     more than its arguments, as a language may have them, is left to the stages.
 *
 * Threads: the caller's.  Memory: the arena. */
#include "query/pipe_compute.h"

#include <limits.h>

typedef struct skep_pipe__compute X;

void skep_pipe__compute_begin(X *x, const struct skep_pipe *p, struct skep_arena *a)
{
    *x = (X){.p = p, .a = a};
    x->ctx = (struct skep_calc_ctx){.scratch = a,
                                    .now_ms = p->now_ns / 1000000,
                                    .start_ms = p->range.start_ns / 1000000,
                                    .end_ms = p->range.end_ns / 1000000,
                                    .loose = p->loose};
    x->inputs = skep_new_n(a, struct skep_computed_input, p->n_fields + SKEP_LIMIT_PLAN_COMPUTED);
    x->computed = skep_new_n(a, struct skep_computed, SKEP_LIMIT_PLAN_COMPUTED);
    x->known = skep_new_n(a, struct skep_calc *, p->n_slots + 1);
    for (unsigned i = 0; i < p->n_computed && i < SKEP_LIMIT_PLAN_COMPUTED; i++)
        x->computed[x->n_computed++] = p->computed[i];
}

static bool is(const struct skep_calc *e, const char *name)
{
    return e->op == SKEP_CALC_CALL && e->fn == skep_calc_find(skep_str_c(name));
}

/* --- inputs and fields --- */

static struct skep_calc *input(X *x, enum skep_computed_what what, skep_str name, bool time)
{
    unsigned k = 0;
    while (k < x->n_inputs && (x->inputs[k].what != what || !skep_str_eq(x->inputs[k].name, name)))
        k++;
    if (k == x->n_inputs)
        x->inputs[x->n_inputs++] = (struct skep_computed_input){what, name};
    return skep_calc_field(x->a, k, time);
}

/* A copy whose columns are of[], those that it has, in order of appearance.  Recursion is bounded
 * by SKEP_LIMIT_CALC_DEPTH, as in all of this file but along the stages. */
static struct skep_calc *with_own_columns(X *x, const struct skep_calc *e, unsigned *of,
                                          unsigned *n)
{
    struct skep_calc *copy = skep_new(x->a, struct skep_calc);
    *copy = *e;
    if (e->op == SKEP_CALC_FIELD) {
        unsigned k = 0;
        while (k < *n && of[k] != e->field)
            k++;
        if (k == *n)
            of[(*n)++] = e->field;
        copy->field = k;
    } else if (e->op == SKEP_CALC_CALL) {
        copy->args = skep_new_n(x->a, struct skep_calc *, e->n_args);
        for (unsigned i = 0; i < e->n_args; i++)
            copy->args[i] = with_own_columns(x, e->args[i], of, n);
    }
    return copy;
}

/* Is a field of that name read? */
static bool name_taken(const X *x, skep_str name)
{
    for (unsigned i = 0; i < x->p->n_fields; i++)
        if (skep_str_eq(x->p->fields[i].name, name))
            return true;
    return false;
}

static bool same_inputs(const struct skep_computed *a, const struct skep_computed_input *inputs,
                        unsigned n)
{
    bool same = a->n_inputs == n;
    for (unsigned i = 0; same && i < n; i++)
        same =
            a->inputs[i].what == inputs[i].what && skep_str_eq(a->inputs[i].name, inputs[i].name);
    return same;
}

/* A computed field of the expression; the one there is, when it was asked for before. */
static bool field_of(X *x, const struct skep_calc *e, skep_str *ret)
{
    unsigned *columns = skep_new_n(x->a, unsigned, x->n_inputs + 1), n = 0;
    const struct skep_calc *own = with_own_columns(x, e, columns, &n);
    struct skep_computed_input *inputs = skep_new_n(x->a, struct skep_computed_input, n + 1);
    skep_str text = skep_calc_say(own, x->p->loose, x->a);
    for (unsigned i = 0; i < n; i++)
        inputs[i] = x->inputs[columns[i]];
    if (!text.p)
        return false;
    for (unsigned i = x->p->n_computed; i < x->n_computed; i++) {
        if (skep_str_eq(x->computed[i].text, text) && same_inputs(&x->computed[i], inputs, n)) {
            *ret = x->computed[i].name;
            return true;
        }
    }
    skep_str name = skep_arena_printf(x->a, "(pipe %u)", x->n_computed);
    if (x->n_computed == SKEP_LIMIT_PLAN_COMPUTED || name_taken(x, name))
        return false;
    x->computed[x->n_computed++] = (struct skep_computed){.name = name,
                                                          .text = text,
                                                          .calc = own,
                                                          .inputs = inputs,
                                                          .n_inputs = n,
                                                          .loose = x->p->loose};
    *ret = name;
    return true;
}

/* A call as a field. */
static struct skep_calc *named(X *x, struct skep_calc *e)
{
    skep_str name;
    if (!e || e->op != SKEP_CALC_CALL)
        return e;
    return field_of(x, e, &name) ? input(x, SKEP_COMPUTED_FIELD, name, e->time) : NULL;
}

/* --- slots --- */

static struct skep_calc *source(X *x, const struct skep_pipe_field *f, bool time)
{
    switch (f->what) {
    case SKEP_PIPE_FIELD: return input(x, SKEP_COMPUTED_FIELD, f->name, time);
    case SKEP_PIPE_DATASET: return input(x, SKEP_COMPUTED_FIELD, SKEP_STR("dataset"), time);
    case SKEP_PIPE_TIME: return input(x, SKEP_COMPUTED_TIME_MS, SKEP_STR(""), true);
    case SKEP_PIPE_RECEIVED: return input(x, SKEP_COMPUTED_RECEIVED_MS, SKEP_STR(""), true);
    case SKEP_PIPE_ROW_ID:
    default: return NULL;
    }
}

static struct skep_calc *translate(X *x, const struct skep_calc *e);

static struct skep_calc *captured(X *x, const struct skep_pipe_stage *s, unsigned i)
{
    struct skep_calc *text = translate(x, s->cond), *all;
    bool regex = s->op == SKEP_PIPE_PARSE_REGEX && !s->many;
    if (!text || s->n_slots > SKEP_CALC_CAPTURES || !(regex || s->op == SKEP_PIPE_PARSE_GLOB))
        return NULL;
    all = regex ? skep_calc_captures_regex(x->a, text, s->regex, s->groups, s->n_slots)
                : skep_calc_captures_glob(x->a, text, s->pieces, s->n_slots);
    all = named(x, all);
    return all ? skep_calc_capture(x->a, all, i, s->n_slots) : NULL;
}

/* Which of the stage's assignments, or slots, fills it; UINT_MAX: it does not. */
static unsigned fills(const struct skep_pipe_stage *s, unsigned slot)
{
    for (unsigned i = 0; s->op == SKEP_PIPE_ASSIGN && i < s->n_assigns; i++)
        if (s->assigns[i].slot == slot)
            return i;
    for (unsigned i = 0; s->op != SKEP_PIPE_ASSIGN && i < s->n_slots; i++)
        if (s->slots[i] == slot)
            return i;
    return UINT_MAX;
}

/* What fills the slot, in the stages that keep rows at the beginning, as one of them alone does;
 * documents and captures as calls, all else as fields and constants. */
static struct skep_calc *filled(X *x, unsigned slot)
{
    const struct skep_pipe_stage *by = NULL;
    unsigned at = 0;
    for (unsigned k = 0; k < x->p->n_stages && skep_pipe__keeps_rows(&x->p->stages[k]); k++) {
        unsigned i = fills(&x->p->stages[k], slot);
        if (i == UINT_MAX)
            continue;
        if (by)
            return NULL;
        by = &x->p->stages[k];
        at = i;
    }
    if (!by)
        return NULL;
    if (by->op != SKEP_PIPE_ASSIGN)
        return captured(x, by, at);
    const struct skep_calc *of = by->assigns[at].expr;
    if (of->op == SKEP_CALC_FIELD && of->field == slot)
        return NULL;
    struct skep_calc *e = translate(x, of);
    return e && is(e, "jsonParse") ? e : named(x, e);
}

static struct skep_calc *slot_value(X *x, const struct skep_calc *e)
{
    for (unsigned i = 0; i < x->p->n_fields; i++)
        if (x->p->fields[i].slot == e->field) /* nothing fills it but the store */
            return source(x, &x->p->fields[i], e->time);
    if (!x->known[e->field])
        x->known[e->field] = filled(x, e->field);
    return x->known[e->field];
}

/* --- expressions --- */

static struct skep_calc *constant(X *x, const struct skep_calc *e)
{
    skep_value v;
    skep_calc_eval(e, &(struct skep_calc_batch){.n = 1}, &x->ctx, &v);
    struct skep_calc *ret = skep_calc_const(x->a, v);
    ret->time = e->time;
    return x->ctx.short_of_memory ? NULL : ret;
}

/* The same over inputs; NULL where that cannot be said. */
static struct skep_calc *translate(X *x, const struct skep_calc *e)
{
    struct skep_calc *copy = skep_new(x->a, struct skep_calc);
    *copy = *e;
    if (e->op == SKEP_CALC_CONST)
        return copy;
    if (e->op == SKEP_CALC_FIELD)
        return slot_value(x, e);
    if (!skep_calc_own(e->fn)) /* I3 */
        return NULL;
    if (e->n_args == 0)
        return constant(x, e); /* I2 */
    copy->args = skep_new_n(x->a, struct skep_calc *, e->n_args);
    for (unsigned i = 0; i < e->n_args; i++) {
        struct skep_calc *arg = translate(x, e->args[i]);
        bool slot = arg && arg->op == SKEP_CALC_CALL && e->args[i]->op == SKEP_CALC_FIELD;
        if (slot && is(arg, "jsonParse") && !(i == 0 && is(e, "path")))
            arg = named(x, arg);
        if (!arg)
            return NULL;
        copy->args[i] = arg;
        copy->depth = SKEP_MAX(copy->depth, arg->depth + 1);
    }
    if (copy->depth > SKEP_LIMIT_CALC_DEPTH)
        return NULL;
    if (is(e, "path") && is(copy->args[0], "jsonParse"))
        return skep_calc_member(x->a, copy->args[0]->args[0], copy->args + 1, e->n_args - 1);
    return copy;
}

bool skep_pipe__compute_field(X *x, const struct skep_calc *e, enum skep_pipe__computed_as as,
                              skep_str *ret)
{
    struct skep_calc *t = translate(x, e);
    if (!t)
        return false;
    if (as == SKEP_PIPE__AS_NUMBER)
        t = skep_calc_as_number(x->a, t);
    else if (as == SKEP_PIPE__AS_TRUE)
        t = skep_calc_as_true(x->a, t);
    return field_of(x, t, ret);
}

bool skep_pipe__compute_is_text(X *x, const struct skep_calc *e)
{
    const struct skep_calc *t = translate(x, e);
    return t && skep_calc_is_capture(t);
}
