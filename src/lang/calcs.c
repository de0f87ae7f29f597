// SPDX-License-Identifier: Apache-2.0
/* calculations, breakdowns, orders and havings of a query specification -> plan.
 *
 * Orders and havings name a calculation by (op, column), a named one by `column` alone; both are
 * resolved to indexes here, so that no engine compares names.
 * Threads: none of its own.  Memory: the request's arena. */
#include <limits.h>

#include "base/assert.h"
#include "lang/lang_priv.h"

/* What a calculation says about its column. */
enum column_rule { COLUMN_NEEDED, COLUMN_MAY, COLUMN_NONE };

static enum column_rule column_rule(enum skep_agg_op op)
{
    if (op == SKEP_AGG_COUNT)
        return COLUMN_MAY;
    return op == SKEP_AGG_CONCURRENCY ? COLUMN_NONE : COLUMN_NEEDED;
}

static skep_rc calc_op(struct skep_lang__q *q, skep_str name, struct skep_agg *agg)
{
    size_t mark = skep_lang__enter(q, "op");
    if (name.n == 0)
        return skep_lang__refuse(q, SKEP_LANG_MISSING, "a calculation needs an op");
    if (skep_str_eq(name, SKEP_STR("COUNT_DATAPOINTS")) ||
        skep_str_eq(name, SKEP_STR("HISTOGRAM_COUNT")))
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 SKEP_STRFMT " is for metrics, which this server does not keep",
                                 SKEP_STRARG(name));
    if (!skep_agg_op_parse(name, &agg->op, &agg->param))
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "unknown calculation \"" SKEP_STRFMT "\"",
                                 (int)SKEP_MIN(name.n, 40u), name.p);
    skep_lang__leave(q, mark);
    return SKEP_OK;
}

static skep_rc calc_column(struct skep_lang__q *q, skep_str column, struct skep_agg *agg)
{
    enum column_rule rule = column_rule(agg->op);
    skep_str op = skep_agg_op_name(agg->op, agg->param);
    size_t mark = skep_lang__enter(q, "column");
    if (column.n == 0 && rule == COLUMN_NEEDED)
        return skep_lang__refuse(q, SKEP_LANG_MISSING, SKEP_STRFMT " needs a column",
                                 SKEP_STRARG(op));
    if (column.n && rule == COLUMN_NONE)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, SKEP_STRFMT " takes no column",
                                 SKEP_STRARG(op));
    if (column.n)
        SKEP_TRY(skep_lang__value_column(q, column, &agg->field));
    skep_lang__leave(q, mark);
    return SKEP_OK;
}

static skep_str calc_key(struct skep_lang__q *q, const struct skep_agg *agg, skep_str name)
{
    skep_str op = skep_agg_op_name(agg->op, agg->param);
    if (name.n)
        return name;
    if (agg->field.name.n == 0)
        return op;
    return skep_arena_printf(q->arena, SKEP_STRFMT "(" SKEP_STRFMT ")", SKEP_STRARG(op),
                             SKEP_STRARG(skep_field_label(&agg->field)));
}

static skep_rc calculation(struct skep_lang__q *q, yyjson_val *v, struct skep_agg *agg)
{
    static const char *const keys[] = {"op", "column", "name", "filters", "filter_combination"};
    skep_str op, column, name;
    if (!yyjson_is_obj(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE,
                                 "a calculation is an object {op, column}");
    SKEP_TRY(skep_lang__known(q, v, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__str(q, v, "op", &op));
    SKEP_TRY(skep_lang__str(q, v, "column", &column));
    SKEP_TRY(skep_lang__str(q, v, "name", &name));
    SKEP_TRY(calc_op(q, op, agg));
    SKEP_TRY(calc_column(q, column, agg));
    const struct skep_expr *found[SKEP_LANG__PREFIXES]; /* of the query's own filters */
    memcpy(found, q->found, sizeof found);
    SKEP_TRY(skep_lang__filters(q, v, &agg->filter));
    memcpy(q->found, found, sizeof found);
    if (agg->filter && name.n == 0) {
        (void)skep_lang__enter(q, "name");
        return skep_lang__refuse(q, SKEP_LANG_MISSING, "a calculation with filters needs a name");
    }
    agg->key = calc_key(q, agg, name);
    agg->heat_scale = q->opts->heat_scale;
    agg->heat_bins = q->opts->heat_bins ? q->opts->heat_bins : 40;
    return SKEP_OK;
}

skep_rc skep_lang__calculations(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    yyjson_val *arr, *item;
    size_t i, max;
    SKEP_TRY(skep_lang__list(q, obj, "calculations", SKEP_LIMIT_PLAN_AGGS, &arr));
    size_t n = yyjson_arr_size(arr);
    struct skep_agg *aggs = skep_new_n(q->arena, struct skep_agg, n ? n : 1);
    plan->aggs = aggs;
    plan->n_aggs = (unsigned)(n ? n : 1);
    if (n == 0) {
        aggs[0] = (struct skep_agg){.op = SKEP_AGG_COUNT, .key = SKEP_STR("COUNT")};
        return SKEP_OK;
    }
    size_t mark = skep_lang__enter(q, "calculations");
    yyjson_arr_foreach(arr, i, max, item)
    {
        size_t at = skep_lang__enter_index(q, i);
        SKEP_TRY(calculation(q, item, &aggs[i]));
        for (size_t k = 0; k < i; k++)
            if (skep_str_eq(aggs[k].key, aggs[i].key))
                return skep_lang__refuse(q, SKEP_LANG_INVALID, "the same name as calculations[%zu]",
                                         k);
        skep_lang__leave(q, at);
    }
    skep_lang__leave(q, mark);
    return SKEP_OK;
}

/* A breakdown must differ from the others and from the calculations: results are keyed by name. */
static skep_rc unique_breakdown(struct skep_lang__q *q, const struct skep_field_ref *groups,
                                size_t i, const struct skep_plan *plan)
{
    for (size_t k = 0; k < i; k++)
        if (skep_str_eq(groups[k].label, groups[i].label))
            return skep_lang__refuse(q, SKEP_LANG_INVALID, "the same as breakdowns[%zu]", k);
    for (unsigned k = 0; k < plan->n_aggs; k++)
        if (skep_str_eq(plan->aggs[k].key, groups[i].label))
            return skep_lang__refuse(q, SKEP_LANG_INVALID, "the same name as calculations[%u]", k);
    for (unsigned k = 0; k < plan->n_formulas; k++)
        if (skep_str_eq(plan->formulas[k].key, groups[i].label))
            return skep_lang__refuse(q, SKEP_LANG_INVALID, "the same name as formulas[%u]", k);
    return SKEP_OK;
}

skep_rc skep_lang__breakdowns(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    yyjson_val *arr, *item;
    size_t i, max;
    SKEP_TRY(skep_lang__list(q, obj, "breakdowns", SKEP_LIMIT_PLAN_GROUPS, &arr));
    size_t n = yyjson_arr_size(arr);
    if (n == 0)
        return SKEP_OK;
    struct skep_field_ref *groups = skep_new_n(q->arena, struct skep_field_ref, n);
    size_t mark = skep_lang__enter(q, "breakdowns");
    yyjson_arr_foreach(arr, i, max, item)
    {
        size_t at = skep_lang__enter_index(q, i);
        if (!yyjson_is_str(item))
            return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "a breakdown is a column name");
        SKEP_TRY(skep_lang__value_column(q, skep_lang__text(q, item), &groups[i]));
        SKEP_TRY(unique_breakdown(q, groups, i, plan));
        skep_lang__leave(q, at);
    }
    skep_lang__leave(q, mark);
    plan->groups = groups;
    plan->n_groups = (unsigned)n;
    return SKEP_OK;
}

/* Column of the calculation or formula that (op, column) mean; UINT_MAX when there is none. */
static unsigned find_calc(const struct skep_plan *plan, skep_str op, skep_str column)
{
    for (unsigned i = 0; op.n == 0 && i < plan->n_formulas; i++)
        if (skep_str_eq(plan->formulas[i].key, column))
            return plan->n_aggs + i;
    for (unsigned i = 0; i < plan->n_aggs; i++) {
        const struct skep_agg *a = &plan->aggs[i];
        if (op.n == 0) {
            if (skep_str_eq(a->key, column))
                return i;
            continue;
        }
        if (skep_str_eq(skep_agg_op_name(a->op, a->param), op) &&
            (skep_str_eq(skep_field_label(&a->field), column) || skep_str_eq(a->key, column)))
            return i;
    }
    return UINT_MAX;
}

static unsigned find_group(const struct skep_plan *plan, skep_str column)
{
    unsigned i = 0;
    while (i < plan->n_groups && !skep_str_eq(skep_field_label(&plan->groups[i]), column))
        i++;
    return i;
}

static skep_rc order_target(struct skep_lang__q *q, skep_str op, skep_str column,
                            const struct skep_plan *plan, struct skep_order *ret)
{
    unsigned calc = find_calc(plan, op, column);
    unsigned group = op.n ? plan->n_groups : find_group(plan, column);
    if (op.n == 0 && column.n == 0)
        return skep_lang__refuse(q, SKEP_LANG_MISSING, "an order needs op, column or both");
    if (group < plan->n_groups) {
        ret->index = group;
        return SKEP_OK;
    }
    if (calc == UINT_MAX)
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "an order must name a breakdown or a calculation of this query");
    if (skep_plan_value_heat(plan, calc))
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "a HEATMAP has no order");
    ret->by_agg = true;
    ret->index = calc;
    return SKEP_OK;
}

static skep_rc order(struct skep_lang__q *q, yyjson_val *v, const struct skep_plan *plan,
                     struct skep_order *ret)
{
    static const char *const keys[] = {"op", "column", "order"};
    skep_str op, column, direction;
    if (!yyjson_is_obj(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE,
                                 "an order is an object {op, column, order}");
    SKEP_TRY(skep_lang__known(q, v, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__str(q, v, "op", &op));
    SKEP_TRY(skep_lang__str(q, v, "column", &column));
    SKEP_TRY(skep_lang__str(q, v, "order", &direction));
    *ret = (struct skep_order){.descending = skep_str_eq(direction, SKEP_STR("descending"))};
    if (direction.n && !ret->descending && !skep_str_eq(direction, SKEP_STR("ascending"))) {
        (void)skep_lang__enter(q, "order");
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "use ascending or descending");
    }
    return order_target(q, op, column, plan, ret);
}

skep_rc skep_lang__orders(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    yyjson_val *arr, *item;
    size_t i, max;
    SKEP_TRY(skep_lang__list(q, obj, "orders", SKEP_LIMIT_PLAN_AGGS, &arr));
    size_t n = yyjson_arr_size(arr);
    if (n == 0)
        return SKEP_OK;
    struct skep_order *orders = skep_new_n(q->arena, struct skep_order, n);
    size_t mark = skep_lang__enter(q, "orders");
    yyjson_arr_foreach(arr, i, max, item)
    {
        size_t at = skep_lang__enter_index(q, i);
        SKEP_TRY(order(q, item, plan, &orders[i]));
        skep_lang__leave(q, at);
    }
    skep_lang__leave(q, mark);
    plan->orders = orders;
    plan->n_orders = (unsigned)n;
    return SKEP_OK;
}

static skep_rc having_op(struct skep_lang__q *q, skep_str op, enum skep_cmp *ret)
{
    static const struct {
        skep_str text;
        enum skep_cmp cmp;
    } known[] = {
        {{"=", 1}, SKEP_CMP_EQ},  {{"!=", 2}, SKEP_CMP_NE}, {{">", 1}, SKEP_CMP_GT},
        {{">=", 2}, SKEP_CMP_GE}, {{"<", 1}, SKEP_CMP_LT},  {{"<=", 2}, SKEP_CMP_LE},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(known); i++) {
        if (skep_str_eq(known[i].text, op)) {
            *ret = known[i].cmp;
            return SKEP_OK;
        }
    }
    (void)skep_lang__enter(q, "op");
    return skep_lang__refuse(q, op.n ? SKEP_LANG_INVALID : SKEP_LANG_MISSING, "use = != > >= < <=");
}

static skep_rc having_value(struct skep_lang__q *q, yyjson_val *v, double *ret)
{
    size_t mark = skep_lang__enter(q, "value");
    if (!v)
        return skep_lang__refuse(q, SKEP_LANG_MISSING, "a having needs a number");
    if (!yyjson_is_num(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use a number");
    *ret = yyjson_get_num(v);
    skep_lang__leave(q, mark);
    return SKEP_OK;
}

static skep_rc having(struct skep_lang__q *q, yyjson_val *v, const struct skep_plan *plan,
                      struct skep_having *ret)
{
    static const char *const keys[] = {"calculate_op", "column", "op", "value"};
    skep_str calc, column, op;
    if (!yyjson_is_obj(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE,
                                 "a having is an object {calculate_op, column, op, value}");
    SKEP_TRY(skep_lang__known(q, v, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__str(q, v, "calculate_op", &calc));
    SKEP_TRY(skep_lang__str(q, v, "column", &column));
    SKEP_TRY(skep_lang__str(q, v, "op", &op));
    SKEP_TRY(having_op(q, op, &ret->op));
    SKEP_TRY(having_value(q, skep_lang__get(v, "value"), &ret->value));
    ret->agg = find_calc(plan, calc, column);
    if (ret->agg == UINT_MAX) {
        (void)skep_lang__enter(q, "calculate_op");
        return skep_lang__refuse(q, calc.n || column.n ? SKEP_LANG_INVALID : SKEP_LANG_MISSING,
                                 "a having must name a calculation of this query");
    }
    if (skep_plan_value_heat(plan, ret->agg))
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "a HEATMAP has no having");
    return SKEP_OK;
}

skep_rc skep_lang__havings(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    yyjson_val *arr, *item;
    size_t i, max;
    SKEP_TRY(skep_lang__list(q, obj, "havings", SKEP_LIMIT_PLAN_AGGS, &arr));
    size_t n = yyjson_arr_size(arr);
    if (n == 0)
        return SKEP_OK;
    struct skep_having *havings = skep_new_n(q->arena, struct skep_having, n);
    size_t mark = skep_lang__enter(q, "havings");
    yyjson_arr_foreach(arr, i, max, item)
    {
        size_t at = skep_lang__enter_index(q, i);
        SKEP_TRY(having(q, item, plan, &havings[i]));
        skep_lang__leave(q, at);
    }
    skep_lang__leave(q, mark);
    plan->havings = havings;
    plan->n_havings = (unsigned)n;
    return SKEP_OK;
}
