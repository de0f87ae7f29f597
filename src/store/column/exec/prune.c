// SPDX-License-Identifier: Apache-2.0
/* What a filter can say about many rows without reading them.
 *
 *   none      can no row of a stretch (a block, a row group) pass?  From dictionaries, bounds and
 *             lists: AND needs one operand that says so, OR all of them
 *   direct    which rows of a block pass a test of one source, from packed values
 *
 * I1  "none" may be wrong in one direction only: rows it rules out do not pass.
 * I2  "direct" answers exactly or not at all.
 *
 * Threads: a context belongs to one thread.  Memory: none. */
#include "base/assert.h"
#include "base/mem.h"
#include "plan/compare.h"
#include "store/column/exec/exec_priv.h"

/* Do [lo, hi] and the bounds of the rows miss each other, for all intervals of the test? */
static bool outside(struct skep_colreader *r, uint64_t row0, unsigned n,
                    const struct skep_x_span *ints, unsigned n_ints,
                    const struct skep_x_fspan *doubles, unsigned n_doubles)
{
    double min = 0, max = 0;
    if (!r || !r->ops->zone || !r->ops->zone(r, row0, n, &min, &max))
        return false;
    for (unsigned i = 0; i < n_ints; i++)
        if (!((double)ints[i].hi < min || (double)ints[i].lo > max))
            return false;
    for (unsigned i = 0; i < n_doubles; i++)
        if (!(doubles[i].hi < min || doubles[i].lo > max))
            return false;
    return true;
}

/* Do filters and dictionaries say that no string holds one of the texts?  For = and in: the whole
 * text.  A dictionary is searched where that is found out once, for one text; = has its index. */
static bool texts_lacking(const struct skep_x_test *x, struct skep_colreader *r, uint64_t row0,
                          unsigned n)
{
    bool served = x->t->op == SKEP_CMP_CONTAINS || x->t->op == SKEP_CMP_STARTS ||
                  x->t->op == SKEP_CMP_ENDS || x->t->op == SKEP_CMP_EQ;
    bool only_filters = x->str_eq || x->t->fold_case || x->t->n_values > 1;
    if (!served || !r || !r->ops->lacks)
        return false;
    for (unsigned i = 0; i < x->t->n_values; i++)
        if (x->t->values[i].type == SKEP_TYPE_STRING &&
            !r->ops->lacks(r, row0, n, x->t->values[i].s, only_filters))
            return false;
    return true;
}

static bool field_none(struct skep_x_ctx *c, const struct skep_x_test *x,
                       const struct skep_x_source *s, uint64_t row0, unsigned n, skep_err *err)
{
    if (s->type == SKEP_TYPE_STRING && x->str_eq) {
        struct skep_colreader *r = skep_x__field_reader(c, s->field, err);
        if (x->n_strs == 0)
            return true;
        if (!r || !r->ops->maybe)
            return false;
        for (unsigned i = 0; i < x->n_strs; i++)
            if (!(r->ops->lacks && r->ops->lacks(r, row0, n, x->strs[i], true)) &&
                r->ops->maybe(r, row0, n, x->hashes[i]))
                return false;
        return true;
    }
    if (s->type == SKEP_TYPE_STRING)
        return texts_lacking(x, skep_x__field_reader(c, s->field, err), row0, n);
    if (s->type == SKEP_TYPE_INT && x->n_ints > 0)
        return outside(skep_x__field_reader(c, s->field, err), row0, n, x->ints, x->n_ints, NULL,
                       0);
    if (s->type == SKEP_TYPE_DOUBLE && x->n_doubles > 0)
        return outside(skep_x__field_reader(c, s->field, err), row0, n, NULL, 0, x->doubles,
                       x->n_doubles);
    return false;
}

static bool view_none(struct skep_x_ctx *c, const struct skep_x_test *x,
                      const struct skep_x_source *s, uint64_t row0, unsigned n, skep_err *err)
{
    if (s->view->how == SKEP_VIEW_STRING)
        return texts_lacking(x, skep_x__column_reader(c, s->view->column, err), row0, n);
    if (s->view->how == SKEP_VIEW_MS && x->n_ns > 0)
        return outside(skep_x__column_reader(c, s->view->column, err), row0, n, x->ns, x->n_ns,
                       NULL, 0);
    if (s->view->how == SKEP_VIEW_INT && x->n_ints > 0)
        return outside(skep_x__column_reader(c, s->view->column, err), row0, n, x->ints, x->n_ints,
                       NULL, 0);
    return false;
}

static bool list_may_pass(const struct skep_x_test *x, const struct skep_x_source *s, uint32_t i)
{
    if (s->kind == SKEP_X_LIST_ANY)
        return skep_x__list_passes(x, s->lists, i);
    return s->list[i].type != SKEP_TYPE_NULL && skep_value_passes(x->t, &s->list[i]);
}

/* Does no list of the rowset hold a value that passes?  Asked once for a binding. */
static bool lists_none(const struct skep_x_test *x, struct skep_x_source *s)
{
    uint32_t n = s->kind == SKEP_X_LIST_ANY ? s->lists->n : s->n_list;
    if (s->ruled_out == 0) {
        s->ruled_out = 2;
        for (uint32_t i = 0; i < n && s->ruled_out == 2; i++)
            if (list_may_pass(x, s, i))
                s->ruled_out = 1;
    }
    return s->ruled_out == 2;
}

bool skep_x__source_none(struct skep_x_ctx *c, uint32_t test, struct skep_x_source *s,
                         uint64_t row0, unsigned n, skep_err *err)
{
    const struct skep_x_test *x = &c->q->tests[test];
    if (x->exists)
        return false;
    if (s->kind == SKEP_X_FIELD)
        return field_none(c, x, s, row0, n, err);
    if (s->kind == SKEP_X_VIEW)
        return view_none(c, x, s, row0, n, err);
    if (s->kind != SKEP_X_LISTED && s->kind != SKEP_X_LIST_ANY)
        return false;
    if (s->ruled_test != test) {
        s->ruled_test = test;
        s->ruled_out = 0;
    }
    return lists_none(x, s);
}

static bool test_none(struct skep_x_ctx *c, uint32_t test, uint64_t row0, unsigned n, skep_err *err)
{
    const struct skep_x_test *x = &c->q->tests[test];
    if (x->negative || x->exists)
        return false;
    const struct skep_x_bound *b = skep_x__sources(c, x->name);
    for (unsigned i = 0; i < b->n; i++)
        if (!skep_x__source_none(c, test, &b->sources[i], row0, n, err))
            return false;
    return true;
}

/* Recursion is bounded by SKEP_LIMIT_PLAN_DEPTH. */
bool skep_x__none(struct skep_x_ctx *c, const struct skep_x_expr *e, uint64_t row0, unsigned n)
{
    skep_err err;
    if (!e)
        return false;
    switch (e->op) {
    case SKEP_EXPR_TEST: return test_none(c, e->test, row0, n, &err);
    case SKEP_EXPR_AND:
        for (unsigned i = 0; i < e->n_kids; i++)
            if (skep_x__none(c, e->kids[i], row0, n))
                return true;
        return false;
    case SKEP_EXPR_OR:
        for (unsigned i = 0; i < e->n_kids; i++)
            if (!skep_x__none(c, e->kids[i], row0, n))
                return false;
        return true;
    case SKEP_EXPR_LASTS:
    case SKEP_EXPR_SAME:    /* not after compiling */
    case SKEP_EXPR_RELATED: /* what other rows hold, perhaps in other row groups */
    case SKEP_EXPR_NOT:
    case SKEP_EXPR_TRUE:
    default: return false;
    }
}

static bool ints_direct(struct skep_x_ctx *c, struct skep_colreader *r,
                        const struct skep_x_span *spans, unsigned n_spans, int64_t least,
                        const struct skep_x_bits *in, struct skep_x_bits *ret)
{
    if (!r || !r->ops->between || n_spans > 1)
        return false;
    memset(ret, 0, sizeof *ret);
    if (n_spans == 0 || spans[0].hi < least)
        return true;
    return skep_x__ints_between(c, r, SKEP_MAX(spans[0].lo, least), spans[0].hi, in, ret);
}

static bool bool_passes(const struct skep_x_test *x, bool b)
{
    return skep_value_passes(x->t, &(skep_value){.type = SKEP_TYPE_BOOL, .b = b});
}

/* Any of the texts. */
static bool contains_direct(struct skep_x_ctx *c, struct skep_colreader *r,
                            const struct skep_x_test *x, struct skep_x_bits *ret)
{
    if (!r || !r->ops->contains || x->t->fold_case)
        return false;
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; i < x->t->n_values; i++) {
        struct skep_x_bits some = {{0}};
        skep_str needle = x->t->values[i].s;
        if (needle.n == 0 || !r->ops->contains(r, c->row0, c->n, needle, some.w))
            return false;
        skep_x__or(ret, &some);
    }
    return true;
}

/* Of few rows: their texts alone are made. */
static SKEP_NOINLINE bool some_direct(struct skep_x_ctx *c, struct skep_colreader *r,
                                      const struct skep_x_test *x, const struct skep_x_bits *in,
                                      struct skep_x_bits *ret)
{
    SKEP_UNINIT uint8_t wanted[SKEP_BLOCK_ROWS];
    if (!r->ops->some || skep_x__count(in) > c->n / SKEP_X_FEW)
        return false;
    for (unsigned i = 0; i < c->n; i++)
        wanted[i] = skep_x__has(in, i);
    skep_str *texts = skep_malloc(c->n * sizeof *texts);
    bool done = r->ops->some(r, c->row0, c->n, wanted, texts);
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; done && i < c->n; i++)
        if (wanted[i] && texts[i].p && skep_x__text_passes(x, texts[i]))
            ret->w[i / 64] |= 1ull << i % 64;
    skep_free(texts);
    return done;
}

static bool field_direct(struct skep_x_ctx *c, const struct skep_x_test *x,
                         const struct skep_x_source *s, const struct skep_x_bits *in,
                         struct skep_x_bits *ret, skep_err *err)
{
    struct skep_colreader *r = skep_x__field_reader(c, s->field, err);
    if (!r)
        return false;
    if (s->type == SKEP_TYPE_INT && x->t->op <= SKEP_CMP_GE)
        return ints_direct(c, r, x->ints, x->n_ints, INT64_MIN, in, ret);
    if (s->type == SKEP_TYPE_BOOL && r->ops->between) {
        bool no = bool_passes(x, false), yes = bool_passes(x, true);
        memset(ret, 0, sizeof *ret);
        return (!no && !yes) ||
               skep_x__ints_between(c, r, no ? INT64_MIN : 1, yes ? INT64_MAX : 0, in, ret);
    }
    if (s->type == SKEP_TYPE_STRING && x->t->op == SKEP_CMP_CONTAINS)
        return contains_direct(c, r, x, ret);
    if (s->type == SKEP_TYPE_STRING && x->str_eq && x->n_strs == 1 && r->ops->equal) {
        memset(ret, 0, sizeof *ret);
        return r->ops->equal(r, c->row0, c->n, x->strs[0], x->hashes[0], ret->w);
    }
    if (s->type == SKEP_TYPE_STRING && x->t->op >= SKEP_CMP_STARTS)
        return some_direct(c, r, x, in, ret);
    return false;
}

/* Enumerators that pass, as intervals of numbers. */
static bool enum_direct(struct skep_x_ctx *c, struct skep_colreader *r, const struct skep_x_test *x,
                        const struct skep_view *v, struct skep_x_bits *ret)
{
    if (!r || !r->ops->between)
        return false;
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0, end; i < v->n_table; i = end + 1) {
        struct skep_x_bits some = {{0}};
        for (end = i; end < v->n_table && v->table[end].n > 0; end++)
            if (!skep_value_passes(x->t,
                                   &(skep_value){.type = SKEP_TYPE_STRING, .s = v->table[end]}))
                break;
        if (end == i)
            continue;
        if (!r->ops->between(r, c->row0, c->n, i, (int64_t)end - 1, some.w))
            return false;
        skep_x__or(ret, &some);
    }
    return true;
}

bool skep_x__direct(struct skep_x_ctx *c, const struct skep_x_test *x,
                    const struct skep_x_source *s, const struct skep_x_bits *in,
                    struct skep_x_bits *ret, skep_err *err)
{
    bool done = false;
    if (x->exists || x->negative)
        return false;
    if (s->kind == SKEP_X_FIELD) {
        done = field_direct(c, x, s, in, ret, err);
    } else if (s->kind == SKEP_X_VIEW) {
        const struct skep_view *v = s->view;
        struct skep_colreader *r = skep_x__column_reader(c, v->column, err);
        if (v->how == SKEP_VIEW_MS && x->t->op <= SKEP_CMP_GE)
            done = ints_direct(c, r, x->ns, x->n_ns, 0, in, ret);
        else if (v->how == SKEP_VIEW_INT && x->t->op <= SKEP_CMP_GE)
            done = ints_direct(c, r, x->ints, x->n_ints, INT64_MIN, in, ret);
        else if (v->how == SKEP_VIEW_BOOL_EQ)
            done = ints_direct(c, r, &(struct skep_x_span){v->arg, v->arg}, bool_passes(x, true),
                               INT64_MIN, in, ret);
        else if (v->how == SKEP_VIEW_ENUM)
            done = enum_direct(c, r, x, v, ret);
        else if (v->how == SKEP_VIEW_STRING && x->t->op == SKEP_CMP_CONTAINS)
            done = contains_direct(c, r, x, ret);
        if (done)
            skep_x__and(ret, in); /* the fewer rows, the less the next question costs */
        if (done && v->how != SKEP_VIEW_MS && skep_x__any(ret)) /* as in load.c */
            done = skep_x__keep_kinds(c, v->kinds, ret, err) == SKEP_OK;
    }
    if (done)
        skep_x__and(ret, in);
    return done;
}
