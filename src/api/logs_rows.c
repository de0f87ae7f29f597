// SPDX-License-Identifier: Apache-2.0
/* Which rows are the lines of a log group and of its streams, as filters of plans.
 *
 * Lines of other wires (OTLP) have no log.stream: their stream is service.instance.id, else
 * "default".  Pure; threads: any. */
#include "api/logs_rows.h"

#include "base/assert.h"
#include "event/log.h"

static struct skep_expr *test(struct skep_arena *a, skep_str field, enum skep_cmp op,
                              const skep_str *texts, size_t n)
{
    struct skep_expr *e = skep_new(a, struct skep_expr);
    skep_value *values = skep_new_n(a, skep_value, n);
    for (size_t i = 0; i < n; i++)
        values[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = skep_arena_str(a, texts[i])};
    e->op = SKEP_EXPR_TEST;
    e->test = (struct skep_test){
        .field = {.name = field}, .op = op, .values = values, .n_values = (unsigned)n};
    return e;
}

static struct skep_expr *join(struct skep_arena *a, enum skep_expr_op op,
                              struct skep_expr *const *kids, unsigned n)
{
    struct skep_expr *e = skep_new(a, struct skep_expr);
    struct skep_expr **own = skep_new_n(a, struct skep_expr *, n);
    for (unsigned i = 0; i < n; i++)
        own[i] = kids[i];
    e->op = op;
    e->kids = own;
    e->n_kids = n;
    return e;
}

struct skep_expr *skep_logs_rows_and(struct skep_arena *a, const struct skep_expr *x,
                                     const struct skep_expr *y)
{
    struct skep_expr *kids[] = {(struct skep_expr *)(uintptr_t)x, (struct skep_expr *)(uintptr_t)y};
    return y ? join(a, SKEP_EXPR_AND, kids, 2) : kids[0];
}

struct skep_expr *skep_logs_rows_lines(struct skep_arena *a)
{
    const skep_str kind = skep_kind_name(SKEP_KIND_LOG);
    return test(a, SKEP_STR("meta.kind"), SKEP_CMP_EQ, &kind, 1);
}

struct skep_expr *skep_logs_rows_of_groups(struct skep_arena *a, const skep_str *groups, size_t n)
{
    /* Datasets are matched whatever their case, log groups are not. */
    return skep_logs_rows_and(a, skep_logs_rows_lines(a),
                              test(a, SKEP_STR("dataset"), SKEP_CMP_EQ, groups, n));
}

struct skep_expr *skep_logs_rows_of_group(struct skep_arena *a, skep_str group)
{
    return skep_logs_rows_of_groups(a, &group, 1);
}

struct skep_expr *skep_logs_rows_of_streams(struct skep_arena *a, const skep_str *names, size_t n,
                                            bool prefix)
{
    enum skep_cmp op = prefix ? SKEP_CMP_STARTS : SKEP_CMP_EQ;
    bool none = false;
    for (size_t i = 0; i < n; i++)
        none = none || (prefix ? skep_str_starts(SKEP_LOG_STREAM_NONE, names[i])
                               : skep_str_eq(SKEP_LOG_STREAM_NONE, names[i]));
    struct skep_expr *no_stream = test(a, SKEP_LOG_STREAM, SKEP_CMP_NOT_EXISTS, NULL, 0);
    struct skep_expr *kids[3], *own = test(a, SKEP_LOG_STREAM_ELSE, op, names, n);
    kids[0] = test(a, SKEP_LOG_STREAM, op, names, n);
    kids[1] = skep_logs_rows_and(a, no_stream, own);
    kids[2] = skep_logs_rows_and(a, no_stream,
                                 test(a, SKEP_LOG_STREAM_ELSE, SKEP_CMP_NOT_EXISTS, NULL, 0));
    return join(a, SKEP_EXPR_OR, kids, none ? 3 : 2);
}
