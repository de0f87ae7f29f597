// SPDX-License-Identifier: Apache-2.0
/* Columns of RQL: paths in an occurrence as Rollbar has it -> fields of the row.
 *
 *   item.NAME          of the group the row is in            opts->item
 *   timestamp, id      what the row is                       seconds; opts->id
 *   a path of `paths`  the field that the intake made of it  docs/api/rollbar.md
 *   any other          the field of that name; rows without it have null
 *
 * Threads: none of its own.  Memory: the query's arena. */
#include "base/assert.h"
#include "lang/rql_priv.h"

typedef struct skep_rql__q Q;

static const struct {
    const char *path, *field;
} paths[] = {
    {"level", "error.level"},
    {"environment", "deployment.environment.name"},
    {"code_version", "service.version"},
    {"context", "error.context"},
    {"framework", "error.framework"},
    {"language", "telemetry.sdk.language"},
    {"platform", "os.name"},
    {"uuid", "error.uuid"},
    {"title", "name"},
    {"fingerprint", "error.fingerprint"},
    {"notifier.name", "telemetry.sdk.name"},
    {"notifier.version", "telemetry.sdk.version"},
    {"server.host", "host.name"},
    {"server.pid", "process.pid"},
    {"server.argv", "process.command_args"},
    {"server.root", "process.working_directory"},
    {"server.branch", "vcs.ref.head.name"},
    {"server.sha", "vcs.ref.head.revision"},
    {"server.code_version", "service.version"},
    {"client.javascript.code_version", "service.version"},
    {"client.javascript.browser", "user_agent.original"},
    {"request.url", "url.full"},
    {"request.method", "http.request.method"},
    {"request.query_string", "url.query"},
    {"request.user_ip", "client.address"},
    {"person.id", "user.id"},
    {"person.username", "user.name"},
    {"person.email", "user.email"},
    {"body.message.body", "body"},
    {"body.trace.exception.class", "exception.type"},
    {"body.trace.exception.message", "exception.message"},
    {"body.trace_chain.0.exception.class", "exception.type"},
    {"body.trace_chain.0.exception.message", "exception.message"},
    {"body.trace_chain[0].exception.class", "exception.type"},
    {"body.trace_chain[0].exception.message", "exception.message"},
};

skep_rc skep_rql__field(Q *q, skep_str name, int what, struct skep_calc **ret)
{
    struct skep_pipe *p = q->pipe;
    unsigned slot;
    q->looks = true;
    for (unsigned i = 0; i < p->n_fields; i++) {
        if ((int)p->fields[i].what == what && skep_str_eq(p->fields[i].name, name)) {
            *ret = skep_calc_field(q->a, p->fields[i].slot, false);
            return SKEP_OK;
        }
    }
    SKEP_TRY(skep_rql__slot(q, &slot));
    p->fields[p->n_fields] = (struct skep_pipe_field){.slot = slot, .name = name};
    p->fields[p->n_fields++].what = what;
    *ret = skep_calc_field(q->a, slot, false);
    return SKEP_OK;
}

static struct skep_calc *number(Q *q, int64_t i)
{
    return skep_calc_const(q->a, (skep_value){.type = SKEP_TYPE_INT, .i = i});
}

/* Where the program said it runs: by the new name, else the old one, else nothing. */
static skep_rc stage(Q *q, size_t at, struct skep_calc **ret)
{
    struct skep_calc **args = skep_new_n(q->a, struct skep_calc *, 3);
    SKEP_TRY(
        skep_rql__field(q, SKEP_STR("deployment.environment.name"), SKEP_PIPE_FIELD, &args[0]));
    SKEP_TRY(skep_rql__field(q, SKEP_STR("deployment.environment"), SKEP_PIPE_FIELD, &args[1]));
    args[2] = skep_calc_const(q->a, (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR("")});
    return skep_rql__call(q, skep_calc_find(SKEP_STR("coalesce")), args, 3, at, ret);
}

static skep_rc item(Q *q, skep_str name, size_t at, struct skep_calc **ret)
{
    struct skep_calc *fingerprint = NULL, *where = NULL;
    SKEP_TRY(skep_rql__field(q, SKEP_STR("error.fingerprint"), SKEP_PIPE_FIELD, &fingerprint));
    SKEP_TRY(stage(q, at, &where));
    *ret = q->opts->item(q->opts->ctx, q->a, name, fingerprint, where);
    return *ret ? SKEP_OK
                : skep_rql__wrong(q, at, q->prev_end, "item." SKEP_STRFMT " is no column",
                                  SKEP_STRARG(name));
}

static skep_rc seconds(Q *q, size_t at, struct skep_calc **ret)
{
    struct skep_calc **args = skep_new_n(q->a, struct skep_calc *, 2);
    SKEP_TRY(skep_rql__field(q, SKEP_STR(""), SKEP_PIPE_TIME, &args[0]));
    args[1] = number(q, 1000);
    SKEP_TRY(skep_rql__call(q, skep_calc_find_sql(SKEP_STR("div")), args, 2, at, ret));
    return SKEP_OK;
}

skep_rc skep_rql__resolve(Q *q, skep_str name, size_t at, struct skep_calc **ret)
{
    struct skep_calc *id = NULL;
    if (skep_str_starts(name, SKEP_STR("item.")))
        return item(q, skep_str_skip(name, 5), at, ret);
    if (skep_str_starts(name, SKEP_STR("occurrence.")))
        name = skep_str_skip(name, 11);
    if (skep_str_eq(name, SKEP_STR("timestamp")))
        return seconds(q, at, ret);
    if (skep_str_eq(name, SKEP_STR("id"))) {
        SKEP_TRY(skep_rql__field(q, SKEP_STR(""), SKEP_PIPE_ROW_ID, &id));
        *ret = q->opts->id(q->opts->ctx, q->a, id);
        return SKEP_OK;
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(paths); i++) {
        if (skep_str_eq(name, skep_str_c(paths[i].path)))
            return skep_rql__field(q, skep_str_c(paths[i].field), SKEP_PIPE_FIELD, ret);
    }
    if (skep_str_starts(name, SKEP_STR("body.message.")))
        name = skep_str_skip(name, 5);
    return skep_rql__field(q, name, SKEP_PIPE_FIELD, ret);
}
