// SPDX-License-Identifier: Apache-2.0
/* Rows of RQL's tables (rollbar_rql_rows.h).
 *
 *   item_occurrence   one row each, also where several wires told of it (inbox/twins.h)
 *   deploy            deploys, the newest first, PAGE at a time
 *
 * The row of an occurrence is Rollbar's report where there is one (its columns are what RQL asks
 * about), else the one that the inbox counts.  The others are left out.
 *
 * I1  of an occurrence's reports exactly one stands for it: count(*) is what the inbox counts.
 *
 * Threads: a question's; what is left out is made before it runs.  Memory: the job's arena. */
#include "api/rollbar_rql_rows.h"

#include <stdlib.h>

#include "api/rollbar_priv.h"
#include "base/assert.h"
#include "inbox/twins.h"
#include "state/item_twins.h"

// --- reports that are left out -----------------------------------------------------------------

static bool is_rollbars(unsigned wire)
{
    return skep_twins_source(wire) == SKEP_SOURCE_ROLLBAR;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The n reports of one occurrence beside the one that the inbox counts: their numbers but for the
 * one that stands for it. */
static size_t leave_out(const struct skep_item_twin_pair *list, size_t n, uint64_t *out)
{
    size_t stands = n, k = 0; /* n: the counted one */
    for (size_t i = 0; i < n && !is_rollbars(list[0].of_wire) && stands == n; i++)
        stands = is_rollbars(list[i].wire) ? i : n;
    if (stands < n)
        out[k++] = (uint64_t)skep_api__rb_occurrence_id(list[0].of);
    for (size_t i = 0; i < n; i++) {
        if (i != stands)
            out[k++] = (uint64_t)skep_api__rb_occurrence_id(list[i].row);
    }
    skep_assert(k == n); /* I1 */
    return k;
}

static bool is_same(skep_row_id a, skep_row_id b)
{
    return a.seq == b.seq && a.ordinal == b.ordinal;
}

static skep_rc find_left_out(struct skep_api__rql *x, skep_err *err)
{
    struct skep_item_twin_pair *list;
    size_t n, m;
    struct skep_arena *arena = &x->job->arena;
    SKEP_TRY(skep_state_twins_list(x->job->api->cfg.state, x->environment, arena, &list, &n, err));
    if (n == 0)
        return SKEP_OK;
    uint64_t *out = skep_arena_try_alloc(arena, n * sizeof *out);
    if (!out)
        return skep_fail(err, SKEP_ENOMEM,
                         "the reports of occurrences need more memory than a "
                         "question may use");
    for (size_t i = 0; i < n; i += m) {
        for (m = 1; i + m < n && is_same(list[i + m].of, list[i].of);)
            m++;
        x->n_left_out += leave_out(&list[i], m, out + x->n_left_out);
    }
    qsort(out, x->n_left_out, sizeof *out, by_number);
    x->left_out = out;
    return SKEP_OK;
}

static skep_value eval_stands(struct skep_calc_ctx *ctx, const struct skep_calc *call,
                              const skep_value *args)
{
    const struct skep_api__rql *x = call->prepared;
    int64_t id = 0;
    (void)ctx;
    bool known = args[0].type == SKEP_TYPE_STRING && skep_api__rql_number(args[0].s, &id);
    uint64_t key = (uint64_t)id;
    return (skep_value){.type = SKEP_TYPE_BOOL,
                        .b = !known ||
                             !bsearch(&key, x->left_out, x->n_left_out, sizeof key, by_number)};
}

static const struct skep_calc_fn stands_fn = {
    .name = "stands", .family = "rql", .min_args = 1, .max_args = 1, .eval = eval_stands};

static struct skep_calc *stands(void *ctx, struct skep_arena *a, struct skep_calc *row_id)
{
    struct skep_calc *ret = skep_api__rql_call(a, &stands_fn, row_id, NULL);
    skep_assert(ret != NULL); /* its number of arguments is right */
    ret->prepared = ctx;
    return ret;
}

// --- deploys -----------------------------------------------------------------------------------

#define COLUMN(name, value)                                                                        \
    static skep_value name(const struct skep_deploy *d)                                            \
    {                                                                                              \
        return value;                                                                              \
    }
COLUMN(c_id, skep_api__rql_whole(d->id))
COLUMN(c_project, skep_api__rql_whole(skep_api__rb_project_id(d->environment)))
COLUMN(c_environment, skep_api__rql_text(d->stage))
COLUMN(c_revision, skep_api__rql_text(d->revision))
COLUMN(c_comment, skep_api__rql_text(d->comment))
COLUMN(c_status, skep_api__rql_text(d->status))
COLUMN(c_user, skep_api__rql_text(d->user))
COLUMN(c_start, skep_api__rql_seconds(d->start_ns))
COLUMN(c_finish, skep_api__rql_seconds(d->finish_ns))

static const struct {
    const char *name;
    skep_value (*of)(const struct skep_deploy *d);
} columns[] = {
    {"id", c_id},
    {"project_id", c_project},
    {"environment", c_environment},
    {"revision", c_revision},
    {"comment", c_comment},
    {"status", c_status},
    {"local_username", c_user},
    {"start_time", c_start},
    {"finish_time", c_finish},
};

static size_t column_of(skep_str name)
{
    size_t i = 0;
    while (i < SKEP_ARRAY_LEN(columns) && !skep_str_eq(name, skep_str_c(columns[i].name)))
        i++;
    return i;
}

static bool is_column(void *ctx, skep_str name)
{
    (void)ctx;
    return column_of(name) < SKEP_ARRAY_LEN(columns);
}

static skep_rc next_deploys(void *ctx, const struct skep_pipe *p, struct skep_arena *arena,
                            const skep_value **ret, unsigned *ret_n, skep_err *err)
{
    enum { PAGE = 200 }; /* a comment has up to 64 KiB */
    struct skep_api__rql *x = ctx;
    struct skep_deploy *list;
    size_t n = 0;
    SKEP_TRY(skep_state_deploys(x->job->api->cfg.state, x->environment, 0, SKEP_STR(""), PAGE,
                                x->n_deploys, arena, &list, &n, err));
    skep_value *values = skep_new_n(arena, skep_value, n * p->n_fields + 1);
    for (size_t i = 0; i < n; i++) {
        for (unsigned f = 0; f < p->n_fields; f++)
            values[i * p->n_fields + f] = columns[column_of(p->fields[f].name)].of(&list[i]);
    }
    x->n_deploys += (unsigned)n;
    *ret = values;
    *ret_n = (unsigned)n;
    return SKEP_OK;
}

skep_rc skep_api__rql_begin(struct skep_api__job *job, struct skep_api__rql *x,
                            struct skep_rql_opts *ret, skep_err *err)
{
    *x = (struct skep_api__rql){.job = job,
                                .environment = job->opts.environment,
                                .items = skep_api__rql_items(job),
                                .deploys = {next_deploys, x}};
    SKEP_TRY(find_left_out(x, err));
    *ret = (struct skep_rql_opts){.now_ns = skep_api__now(job->api),
                                  .item = skep_api__rql_item,
                                  .id = skep_api__rql_id,
                                  .stands = x->n_left_out ? stands : NULL,
                                  .deploy_column = is_column,
                                  .deploys = &x->deploys,
                                  .ctx = x};
    return SKEP_OK;
}
