// SPDX-License-Identifier: Apache-2.0
/* Expressions over numbers, a column at a time.
 *
 *   skep_calc        IF(EXISTS(items), DIV(duration, items))
 *   node tree        if_ ( exists(column 1), div_(column 0, column 1) )
 *   evaluation       a node after its arguments, each a loop over all rows of the batch
 *
 * A column has one type; rows without a value are marked beside it.  Texts are numbers of the
 * expression's own constants: the values of an IF, the labels of a BUCKET.
 *
 * I1  What comes out is what skep_calc_eval() gives for the same rows, type and bits; where one
 *     column cannot hold that (an integer that overflows becomes a double, nothing counts as the
 *     integer 0 among doubles), evaluation says so and nothing is kept of it.
 * I2  Recursion is as deep as the expression, which skep_calc_call bounds.
 * I3  Loops run over rows without a value, too: nothing they hold may trap.
 *
 * Threads: any; nodes are constant.  Memory: nodes in the arena they were made in, columns between
 * in the scratch. */

#include "base/assert.h"
#include "calc/calc_priv.h"
#include "calc/vectors_priv.h"

enum {
    ROWS = SKEP_CALC_ROWS,
    CONSTANTS_MAX = 64, /* each has a column of its own, made once */
    TEXTS_MAX = 4096
};

// --- making it ready ---------------------------------------------------------------------------

/* Room for n texts more; their first number. */
static bool take_texts(struct skep_arena *a, struct skep_calc_vectors *v, const skep_str *texts,
                       unsigned n, unsigned *ret_first)
{
    if (v->n_texts + n > TEXTS_MAX)
        return false;
    skep_str *more = skep_new_n(a, skep_str, v->n_texts + n);
    if (v->n_texts > 0)
        memcpy(more, v->texts, v->n_texts * sizeof *more);
    memcpy(more + v->n_texts, texts, n * sizeof *more);
    *ret_first = v->n_texts;
    v->texts = more;
    v->n_texts += n;
    return true;
}

static struct skep_calc__node *constant(struct skep_arena *a, struct skep_calc_vectors *v,
                                        skep_value value)
{
    struct skep_calc__node *node = skep_new(a, struct skep_calc__node);
    uint64_t *column = skep_new_n(a, uint64_t, ROWS);
    unsigned text = 0;
    node->constant = true;
    node->value.type = value.type;
    if (++v->n_constants > CONSTANTS_MAX)
        return NULL;
    if (value.type == SKEP_TYPE_STRING && !take_texts(a, v, &value.s, 1, &text))
        return NULL;
    for (unsigned i = 0; i < ROWS; i++)
        switch (value.type) {
        case SKEP_TYPE_INT: ((int64_t *)column)[i] = value.i; break;
        case SKEP_TYPE_DOUBLE: memcpy(&column[i], &value.f, sizeof value.f); break;
        case SKEP_TYPE_BOOL: ((uint8_t *)column)[i] = value.b; break;
        case SKEP_TYPE_STRING: ((uint32_t *)column)[i] = text; break;
        case SKEP_TYPE_NULL: break;
        case SKEP_TYPE_BYTES:
        case SKEP_TYPE_ARRAY:
        case SKEP_TYPE_EMPTY:
        case SKEP_TYPE_COUNT:
        default: return NULL;
        }
    node->value.ints = (const int64_t *)column;
    node->value.doubles = (const double *)column;
    node->value.bools = (const uint8_t *)column;
    node->value.texts = (const uint32_t *)column;
    return node;
}

static struct skep_calc__node *ready(struct skep_arena *a, struct skep_calc_vectors *v,
                                     const struct skep_calc *e)
{
    if (e->op == SKEP_CALC_CONST)
        return constant(a, v, e->value);
    struct skep_calc__node *node = skep_new(a, struct skep_calc__node);
    node->column = e->field;
    if (e->op == SKEP_CALC_FIELD)
        return node;
    node->fn = skep_calc__vector_function(e->fn);
    node->n_args = e->n_args;
    node->args = skep_new_n(a, struct skep_calc__node *, e->n_args + 1);
    if (!node->fn)
        return NULL;
    if (node->fn == skep_calc__vector_bucket) {
        node->buckets = e->prepared;
        if (!node->buckets->labels ||
            !take_texts(a, v, node->buckets->labels, node->buckets->n_labels, &node->first_text))
            return NULL;
        node->n_args = 1; /* the others are in its labels */
    }
    for (unsigned i = 0; i < node->n_args; i++) {
        node->args[i] = ready(a, v, e->args[i]);
        if (!node->args[i])
            return NULL;
    }
    return node;
}

const struct skep_calc_vectors *skep_calc_vectors_new(struct skep_arena *a,
                                                      const struct skep_calc *e)
{
    struct skep_calc_vectors *v = skep_new(a, struct skep_calc_vectors);
    memset(v->all, 1, sizeof v->all);
    v->root = e->op == SKEP_CALC_CALL ? ready(a, v, e) : NULL;
    return v->root ? v : NULL;
}

const skep_str *skep_calc_vectors_texts(const struct skep_calc_vectors *v, unsigned *ret_n)
{
    *ret_n = v->n_texts;
    return v->texts;
}

// --- evaluation --------------------------------------------------------------------------------

static bool evaluate(const struct skep_calc__run *r, const struct skep_calc__node *node,
                     struct skep_calc_vec *ret)
{
    if (!node->fn) {
        *ret = node->constant ? node->value : r->columns[node->column];
        return true;
    }
    struct skep_calc_vec *args =
        skep_arena_try_alloc(r->scratch, (node->n_args + 1) * sizeof *args);
    for (unsigned i = 0; args && i < node->n_args; i++)
        if (!evaluate(r, node->args[i], &args[i]))
            return false;
    return args && node->fn(r, node, args, ret);
}

bool skep_calc_vectors_eval(const struct skep_calc_vectors *v, const struct skep_calc_vec *columns,
                            unsigned n, struct skep_arena *scratch, struct skep_calc_vec *ret)
{
    skep_assert(n <= ROWS);
    const struct skep_calc__run r = {.of = v, .columns = columns, .n = n, .scratch = scratch};
    return evaluate(&r, v->root, ret);
}
