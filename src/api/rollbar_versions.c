// SPDX-License-Identifier: Apache-2.0
/* GET /api/1/versions/:version?environment=: what a version did (docs/api/rollbar.md).
 *
 *   occurrences whose code_version it is -> the first, the last
 *   the newest deploy of that revision   -> who, when
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/rollbar_priv.h"

#include "base/assert.h"

enum { DEPLOYS_MAX = 1000 };

struct version {
    skep_str name, stage;
    const struct skep_row *first, *last; /* NULL = none */
    const struct skep_deploy *deploy;
};

static skep_rc find_row(struct skep_api__job *job, const struct version *v, bool oldest,
                        const struct skep_row **ret, skep_err *err)
{
    static const struct skep_field_ref nothing = {.name = SKEP_STR_INIT("meta.kind")};
    struct skep_answer a = {0};
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                             .range = {0, INT64_MAX},
                             .columns = &nothing,
                             .n_columns = 1,
                             .oldest_first = oldest,
                             .limit = 1};
    skep_api__rb_rows_of_version(job, v->name, v->stage, &plan);
    SKEP_TRY(skep_query_run(job->api->cfg.store, &plan, &job->opts, &a, err));
    *ret = a.rows.n ? &a.rows.rows[0] : NULL;
    return SKEP_OK;
}

static skep_rc find(struct skep_api__job *job, struct version *v, skep_err *err)
{
    struct skep_deploy *deploys;
    size_t n;
    SKEP_TRY(find_row(job, v, true, &v->first, err));
    SKEP_TRY(find_row(job, v, false, &v->last, err));
    SKEP_TRY(skep_state_deploys(job->api->cfg.state, job->req->caller.environment, 0, v->stage,
                                DEPLOYS_MAX, 0, &job->arena, &deploys, &n, err));
    for (size_t i = 0; i < n && !v->deploy; i++) {
        if (skep_str_eq(deploys[i].revision, v->name))
            v->deploy = &deploys[i];
    }
    return v->first || v->deploy ? SKEP_OK
                                 : skep_fail(err, SKEP_ENOTFOUND, "no such version there");
}

static void put_occurrence(struct skep_json *j, const struct skep_row *row, skep_str id,
                           skep_str timestamp)
{
    if (!row) {
        skep_api__rb_put_null(j, id);
        skep_api__rb_put_null(j, timestamp);
        return;
    }
    skep_json_put_i64(j, id, skep_api__rb_occurrence_id(row->id));
    skep_api__rb_put_s(j, timestamp, row->time_ns);
}

static void version(struct skep_api__job *job)
{
    struct skep_json *j = &job->out.json;
    struct version v = {.name = skep_request_capture(job->req, 0),
                        .stage = skep_api__param(job->req, SKEP_STR("environment"))};
    skep_err err = {.text = ""};
    if (v.stage.n == 0) {
        (void)skep_api__rb_invalid(job, SKEP_STR("environment is needed"));
        return;
    }
    skep_rc rc = find(job, &v, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("version"), v.name);
    skep_json_put_str(j, SKEP_STR("environment"), v.stage);
    put_occurrence(j, v.first, SKEP_STR("first_occurrence_id"),
                   SKEP_STR("first_occurrence_timestamp"));
    put_occurrence(j, v.last, SKEP_STR("last_occurrence_id"),
                   SKEP_STR("last_occurrence_timestamp"));
    skep_api__rb_put_text(j, SKEP_STR("deployed_by"), v.deploy ? v.deploy->user : SKEP_STR(""));
    skep_api__rb_put_s(j, SKEP_STR("last_deploy_timestamp"), v.deploy ? v.deploy->start_ns : 0);
    skep_json_end(j);
    skep_api__rb_end(job);
}

static const struct skep_route routes[] = {SKEP_API__RB_READ("/api/1/versions/:version", version)};

const struct skep_api__routes skep_api__rollbar_versions = {routes, SKEP_ARRAY_LEN(routes)};
