// SPDX-License-Identifier: Apache-2.0
/* JSON patterns: tests of values inside a message that is one JSON document.
 *
 * Numbers are kept as the message writes them and compared as doubles.  A selector with a wildcard
 * passes if any of the values behind it does.  A value that is an object or an array passes no
 * comparison; one that is missing or null passes "!= *" alone, and NOT EXISTS or IS NULL.
 *
 * Threads: any.  Memory: the document is parsed for the call, at most twelve times the message. */
#include <yyjson.h>

#include "base/assert.h"
#include "lang/logs_pattern_priv.h"

static yyjson_doc *read_message(skep_str message)
{
    skep_str s = skep_str_trim(message);
    if (s.n < 2 || s.p[0] != '{' || s.p[s.n - 1] != '}')
        return NULL;
    /* Not inserted into: the text is copied by the parser. */
    return yyjson_read_opts((char *)(uintptr_t)s.p, s.n, YYJSON_READ_NUMBER_AS_RAW, NULL, NULL);
}

static bool scalar_passes(const struct skep_logs__node *t, yyjson_val *v)
{
    const struct skep_logs__value *x = &t->value;
    bool ne = t->op == SKEP_LOGS__NE;
    if (yyjson_is_raw(v)) {
        skep_str s = {yyjson_get_raw(v), yyjson_get_len(v)};
        return skep_logs__number_passes(t->op, x, s);
    }
    if (yyjson_is_str(v))
        return skep_logs__text_passes(t->op, x, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    if (yyjson_is_bool(v) && (x->how == SKEP_LOGS__WORD || x->how == SKEP_LOGS__ANY))
        return skep_logs__text_passes(t->op, x,
                                      yyjson_get_bool(v) ? SKEP_STR("true") : SKEP_STR("false"));
    return yyjson_is_bool(v) && ne;
}

static bool value_passes(const struct skep_logs__node *t, yyjson_val *v)
{
    switch (t->op) {
    case SKEP_LOGS__IS_NULL: return yyjson_is_null(v);
    case SKEP_LOGS__IS_TRUE: return yyjson_is_true(v);
    case SKEP_LOGS__IS_FALSE: return yyjson_is_false(v);
    case SKEP_LOGS__NOT_EXISTS: return false;
    case SKEP_LOGS__EQ:
    case SKEP_LOGS__NE:
    case SKEP_LOGS__LT:
    case SKEP_LOGS__LE:
    case SKEP_LOGS__GT:
    case SKEP_LOGS__GE:
    default: return !yyjson_is_null(v) && !yyjson_is_ctn(v) && scalar_passes(t, v);
    }
}

/* Visits the values behind steps [at, n) until one is taken; recursion is bounded by the one
 * wildcard a selector has. */
static bool any_value(const struct skep_logs__selector *s, unsigned at, yyjson_val *v,
                      bool (*visit)(void *ctx, yyjson_val *v), void *ctx)
{
    for (; v && at < s->n; at++) {
        const struct skep_logs__step *step = &s->steps[at];
        if (step->how == SKEP_LOGS__KEY) {
            v = yyjson_obj_getn(v, step->key.p, step->key.n);
        } else if (step->how == SKEP_LOGS__INDEX) {
            v = yyjson_arr_get(v, step->index);
        } else if (yyjson_is_arr(v)) {
            yyjson_arr_iter it = yyjson_arr_iter_with(v);
            for (yyjson_val *e = yyjson_arr_iter_next(&it); e; e = yyjson_arr_iter_next(&it))
                if (any_value(s, at + 1, e, visit, ctx))
                    return true;
            return false;
        } else {
            yyjson_obj_iter it = yyjson_obj_iter_with(v);
            for (yyjson_val *k = yyjson_obj_iter_next(&it); k; k = yyjson_obj_iter_next(&it))
                if (any_value(s, at + 1, yyjson_obj_iter_get_val(k), visit, ctx))
                    return true;
            return false;
        }
    }
    return v && visit(ctx, v);
}

struct visit {
    const struct skep_logs__node *test;
    bool seen; /* there is a value that is not null */
};

static bool visit_test(void *ctx, yyjson_val *v)
{
    struct visit *x = ctx;
    x->seen = x->seen || !yyjson_is_null(v);
    return value_passes(x->test, v);
}

static bool visit_any(void *ctx, yyjson_val *v)
{
    (void)ctx;
    return v != NULL;
}

static bool test_passes(const struct skep_logs__node *t, yyjson_val *root)
{
    struct visit x = {t, false};
    if (t->op == SKEP_LOGS__NOT_EXISTS)
        return !any_value(t->selector, 0, root, visit_any, NULL);
    bool yes = any_value(t->selector, 0, root, visit_test, &x);
    if (t->op == SKEP_LOGS__NE && t->value.how == SKEP_LOGS__ANY)
        return !x.seen;
    return yes;
}

/* Recursion is bounded by SKEP_LOGS__DEPTH. */
static bool passes(const struct skep_logs__node *n, yyjson_val *root)
{
    if (n->how == SKEP_LOGS__TEST)
        return test_passes(n, root);
    bool all = n->how == SKEP_LOGS__AND;
    for (unsigned i = 0; i < n->n; i++)
        if (passes(n->kids[i], root) != all)
            return !all;
    return all;
}

bool skep_logs__json_matches(const struct skep_logs_pattern *p, skep_str message)
{
    skep_assert(p->json != NULL);
    yyjson_doc *doc = read_message(message);
    if (!doc)
        return false;
    bool yes = passes(p->json, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return yes;
}

struct first {
    struct skep_arena *a;
    skep_str value;
};

static bool visit_first(void *ctx, yyjson_val *v)
{
    struct first *f = ctx;
    if (yyjson_is_raw(v))
        f->value = (skep_str){yyjson_get_raw(v), yyjson_get_len(v)};
    else if (yyjson_is_str(v))
        f->value = (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
    else if (yyjson_is_bool(v))
        f->value = yyjson_get_bool(v) ? SKEP_STR("true") : SKEP_STR("false");
    else
        return false;
    f->value = skep_arena_str(f->a, f->value);
    return true;
}

bool skep_logs__json_value(const struct skep_logs__selector *s, skep_str message,
                           struct skep_arena *a, skep_str *ret)
{
    struct first f = {.a = a};
    yyjson_doc *doc = read_message(message);
    if (!doc)
        return false;
    bool found = any_value(s, 0, yyjson_doc_get_root(doc), visit_first, &f);
    yyjson_doc_free(doc);
    if (found)
        *ret = f.value;
    return found;
}
