// SPDX-License-Identifier: Apache-2.0
/* Tables of RQL: a new one is one row here.
 *
 *   item_occurrence    rows of the store; columns: rql_names.c
 *   deploy             rows of whoever asks (opts->deploys)
 *
 * Threads: none of its own.  Memory: the query's arena. */
#include "base/assert.h"
#include "lang/rql_priv.h"

typedef struct skep_rql__q Q;

// --- item_occurrence ---------------------------------------------------------------------------

/* Occurrences of errors: what the inbox counts.  Of several reports of one, the one that stands for
 * it. */
static skep_rc occurrences(Q *q)
{
    static const skep_value span = {.type = SKEP_TYPE_STRING, .s = SKEP_STR_INIT("span")};
    struct skep_calc *id = NULL;
    struct skep_expr *all = skep_new_n(q->a, struct skep_expr, 3);
    struct skep_expr **kids = skep_new_n(q->a, struct skep_expr *, 2);
    all[1] = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {.field = {.name = SKEP_STR("error.fingerprint")}, .op = SKEP_CMP_EXISTS}};
    all[2] = (struct skep_expr){.op = SKEP_EXPR_TEST,
                                .test = {.field = {.name = SKEP_STR("meta.kind")},
                                         .op = SKEP_CMP_NE,
                                         .values = &span,
                                         .n_values = 1}};
    kids[0] = &all[1];
    kids[1] = &all[2];
    all[0] = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = 2};
    q->pipe->rows = &all[0];
    if (!q->opts->stands)
        return SKEP_OK;
    SKEP_TRY(skep_rql__field(q, SKEP_STR(""), SKEP_PIPE_ROW_ID, &id));
    struct skep_pipe_stage *s = skep_rql__stage(q, SKEP_PIPE_FILTER);
    s->cond = q->opts->stands(q->opts->ctx, q->a, id);
    return SKEP_OK;
}

static skep_rc time_of_row(Q *q, struct skep_calc **ret)
{
    return skep_rql__field(q, SKEP_STR(""), SKEP_PIPE_TIME, ret);
}

// --- deploy ------------------------------------------------------------------------------------

static skep_rc deploys(Q *q)
{
    q->pipe->source = q->opts->deploys;
    return SKEP_OK;
}

static skep_rc of_deploy(Q *q, skep_str name, size_t at, struct skep_calc **ret)
{
    if (skep_str_starts(name, SKEP_STR("deploy.")))
        name = skep_str_skip(name, 7);
    if (skep_str_eq(name, SKEP_STR("timestamp")))
        name = SKEP_STR("start_time");
    if (!q->opts->deploy_column(q->opts->ctx, name))
        return skep_rql__wrong(q, at, q->prev_end, SKEP_STRFMT " is no column of deploy",
                               SKEP_STRARG(name));
    return skep_rql__field(q, name, SKEP_PIPE_FIELD, ret);
}

static skep_rc start_of_deploy(Q *q, struct skep_calc **ret)
{
    return skep_rql__field(q, SKEP_STR("start_time"), SKEP_PIPE_FIELD, ret);
}

// --- the table of tables -----------------------------------------------------------------------

static const char *const occurrence_all[] = {"timestamp",   "item.counter", "id",           "level",
                                             "environment", "title",        "code_version", NULL};
static const char *const deploy_all[] = {"id",         "environment", "revision",
                                         "comment",    "status",      "local_username",
                                         "start_time", "finish_time", NULL};

static const struct skep_rql__table tables[] = {
    {"item_occurrence", occurrence_all, occurrences, skep_rql__resolve, time_of_row},
    {"deploy", deploy_all, deploys, of_deploy, start_of_deploy},
};

const struct skep_rql__table *skep_rql__table(skep_str name)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(tables); i++) {
        if (skep_str_ieq(name, skep_str_c(tables[i].name)))
            return &tables[i];
    }
    return NULL;
}
