// SPDX-License-Identifier: Apache-2.0
/* Relational column names -> relations of the plan (docs/decisions/0007-relational-columns.md).
 *
 *   root.X  parent.X           the field X of the row's root or parent: works wherever a column
 * does child.X  any.X any2.X any3.X   filters: some child, some span of the trace.  Those of one
 * prefix that are joined by AND hold on one span none.X                     filters: no span of the
 * trace passes all of them .root.X                    the attribute that is really called root.X
 *
 * As a breakdown or in a calculation child.X and any.X are the field of the span that the filters
 * of that prefix found (of several the first); without such filters, of the first that has the
 * field.
 *
 * I1  behind a prefix the name is taken as it stands.
 * Threads: none of its own.  Memory: the request's arena. */
#include "base/assert.h"
#include "lang/lang_priv.h"

static const struct {
    skep_str text;
    enum skep_relation relation;
} prefixes[SKEP_LANG__PREFIXES] = {
    [SKEP_LANG__ROOT] = {{"root.", 5}, SKEP_REL_ROOT},
    [SKEP_LANG__PARENT] = {{"parent.", 7}, SKEP_REL_PARENT},
    [SKEP_LANG__CHILD] = {{"child.", 6}, SKEP_REL_CHILD},
    [SKEP_LANG__ANY] = {{"any.", 4}, SKEP_REL_ANY},
    [SKEP_LANG__ANY2] = {{"any2.", 5}, SKEP_REL_ANY},
    [SKEP_LANG__ANY3] = {{"any3.", 5}, SKEP_REL_ANY},
    [SKEP_LANG__NONE] = {{"none.", 5}, SKEP_REL_ANY},
};

static enum skep_lang__prefix prefix_of(skep_str name)
{
    for (unsigned i = SKEP_LANG__OWN + 1; i < SKEP_LANG__PREFIXES; i++)
        if (skep_str_starts(name, prefixes[i].text))
            return (enum skep_lang__prefix)i;
    return SKEP_LANG__OWN;
}

/* ".root.x": dots, then a prefix. */
static bool is_escaped(skep_str name)
{
    size_t dots = 0;
    while (dots < name.n && name.p[dots] == '.')
        dots++;
    return dots > 0 && prefix_of(skep_str_skip(name, dots)) != SKEP_LANG__OWN;
}

skep_rc skep_lang__column(struct skep_lang__q *q, skep_str text, struct skep_field_ref *ret,
                          enum skep_lang__prefix *ret_prefix)
{
    SKEP_TRY(skep_lang__column_name(q, text, ret, ret_prefix));
    return skep_lang__calculate(q, ret->name);
}

skep_rc skep_lang__column_name(struct skep_lang__q *q, skep_str text, struct skep_field_ref *ret,
                               enum skep_lang__prefix *ret_prefix)
{
    if (text.n == 0)
        return skep_lang__refuse(q, SKEP_LANG_MISSING, "name a column");
    if (text.n > SKEP_LIMIT_NAME_BYTES)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "a column name has at most %d bytes",
                                 SKEP_LIMIT_NAME_BYTES);
    enum skep_lang__prefix prefix = prefix_of(text);
    *ret = (struct skep_field_ref){.name = text, .label = text};
    *ret_prefix = prefix;
    if (is_escaped(text))
        ret->name = skep_str_skip(text, 1);
    if (prefix == SKEP_LANG__OWN)
        return SKEP_OK;
    ret->name = skep_str_skip(text, prefixes[prefix].text.n);
    ret->relation = prefixes[prefix].relation;
    if (ret->name.n == 0)
        return skep_lang__refuse(q, SKEP_LANG_MISSING, "name a column behind " SKEP_STRFMT,
                                 SKEP_STRARG(text));
    return SKEP_OK;
}

skep_rc skep_lang__value_column(struct skep_lang__q *q, skep_str text, struct skep_field_ref *ret)
{
    enum skep_lang__prefix prefix;
    SKEP_TRY(skep_lang__column(q, text, ret, &prefix));
    if (skep_str_eq(ret->name, SKEP_STR("*")))
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "\"*\" stands in filters alone");
    if (prefix == SKEP_LANG__NONE)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "none. stands in filters alone");
    if (ret->relation != SKEP_REL_CHILD && ret->relation != SKEP_REL_ANY)
        return SKEP_OK;
    ret->on = q->found[prefix];
    if (ret->on)
        return SKEP_OK;
    struct skep_expr *has = skep_new(q->arena, struct skep_expr);
    *has = (struct skep_expr){.op = SKEP_EXPR_TEST,
                              .test = {.field.name = ret->name, .op = SKEP_CMP_EXISTS}};
    ret->on = has;
    return SKEP_OK;
}

skep_rc skep_lang__own_column(struct skep_lang__q *q, skep_str text, struct skep_field_ref *ret)
{
    enum skep_lang__prefix prefix;
    SKEP_TRY(skep_lang__column(q, text, ret, &prefix));
    if (prefix != SKEP_LANG__OWN)
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "rows list their own fields; relational ones (" SKEP_STRFMT
                                 "...) stand in filters, breakdowns and calculations",
                                 SKEP_STRARG(prefixes[prefix].text));
    return SKEP_OK;
}

static struct skep_expr *node(struct skep_lang__q *q, enum skep_expr_op op, unsigned n,
                              struct skep_expr ***ret_kids)
{
    struct skep_expr *e = skep_new(q->arena, struct skep_expr);
    *ret_kids = skep_new_n(q->arena, struct skep_expr *, n);
    *e = (struct skep_expr){.op = op, .kids = *ret_kids, .n_kids = n};
    return e;
}

struct skep_expr *skep_lang__relate(struct skep_lang__q *q, enum skep_lang__prefix prefix,
                                    struct skep_expr *kid)
{
    struct skep_expr **kids;
    if (prefix <= SKEP_LANG__PARENT) /* the test says whose field it is */
        return kid;
    struct skep_expr *some = node(q, SKEP_EXPR_RELATED, 1, &kids);
    some->relation = prefixes[prefix].relation;
    kids[0] = kid;
    if (prefix != SKEP_LANG__NONE)
        return some;
    struct skep_expr *not = node(q, SKEP_EXPR_NOT, 1, &kids);
    kids[0] = some;
    return not ;
}

struct skep_expr *skep_lang__combine(struct skep_lang__q *q, enum skep_expr_op op,
                                     struct skep_expr **tests,
                                     const enum skep_lang__prefix *prefixes_of, unsigned n)
{
    struct skep_expr **kids, **group;
    unsigned n_kids = 0;
    skep_assert(n > 0);
    struct skep_expr *all = node(q, op, n, &kids);
    memset(q->found, 0, sizeof q->found);
    for (unsigned i = 0; i < n; i++) {
        enum skep_lang__prefix p = prefixes_of[i];
        if (p <= SKEP_LANG__PARENT || op == SKEP_EXPR_OR) {
            kids[n_kids++] = skep_lang__relate(q, p, tests[i]);
            continue;
        }
        if (q->found[p]) /* taken along with the first of its prefix */
            continue;
        struct skep_expr *one = node(q, SKEP_EXPR_AND, n, &group);
        one->n_kids = 0;
        for (unsigned k = i; k < n; k++)
            if (prefixes_of[k] == p)
                group[one->n_kids++] = tests[k];
        one = one->n_kids == 1 ? group[0] : one;
        q->found[p] = one;
        kids[n_kids++] = skep_lang__relate(q, p, one);
    }
    all->n_kids = n_kids;
    return n_kids == 1 ? kids[0] : all;
}
