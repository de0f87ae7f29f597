// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/deploys: which revision ran from when on, and what was new and came back with it
 * (docs/api/page.md); the deploys that items speak of.
 *
 * A deploy's time ends with the next one of its stage.
 * Threads: workers.  Memory: the job's arena. */
#include "api/items.h"

enum { DEPLOYS = 20, DEPLOYS_MAX = 100 };

void skep_api__put_deploy(struct skep_json *j, const struct skep_deploy *d)
{
    const struct {
        skep_str key, text;
    } texts[] = {{SKEP_STR("stage"), d->stage},
                 {SKEP_STR("revision"), d->revision},
                 {SKEP_STR("status"), d->status},
                 {SKEP_STR("user"), d->user},
                 {SKEP_STR("comment"), d->comment}};
    skep_json_put_i64(j, SKEP_STR("id"), d->id);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++) {
        if (texts[i].text.n)
            skep_json_put_str(j, texts[i].key, texts[i].text);
    }
    skep_json_put_i64_str(j, SKEP_STR("start_ns"), d->start_ns);
    if (d->finish_ns)
        skep_json_put_i64_str(j, SKEP_STR("finish_ns"), d->finish_ns);
}

skep_rc skep_api__deploy_window(struct skep_api__job *job, const struct skep_deploy *d, bool back,
                                struct skep_item_query *q, skep_err *err)
{
    skep_ts_ns end;
    SKEP_TRY(skep_state_deploy_end(job->api->cfg.state, d, &end, err));
    q->stage = d->stage;
    *(back ? &q->back_from_ns : &q->first_from_ns) = d->start_ns;
    *(back ? &q->back_to_ns : &q->first_to_ns) = end;
    return SKEP_OK;
}

static skep_rc put_counts(struct skep_api__job *job, const struct skep_deploy *d, skep_err *err)
{
    struct skep_state *state = job->api->cfg.state;
    skep_ts_ns end;
    uint64_t new, back;
    SKEP_TRY(skep_state_deploy_end(state, d, &end, err));
    SKEP_TRY(skep_state_deploy_counts(state, d, end, &new, &back, err));
    skep_json_put_u64(&job->out.json, SKEP_STR("new"), new);
    skep_json_put_u64(&job->out.json, SKEP_STR("back"), back);
    return SKEP_OK;
}

static skep_rc put_list(struct skep_api__job *job, uint64_t limit, skep_err *err)
{
    struct skep_json *j = &job->out.json;
    struct skep_deploy *deploys;
    size_t n;
    skep_api__items_wait(job);
    SKEP_TRY(skep_state_deploys(job->api->cfg.state, job->req->caller.environment, 0,
                                skep_api__param(job->req, SKEP_STR("stage")), (unsigned)limit, 0,
                                &job->arena, &deploys, &n, err));
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("deploys"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        skep_json_object(j);
        skep_api__put_deploy(j, &deploys[i]);
        SKEP_TRY(put_counts(job, &deploys[i], err));
        skep_json_end(j);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__out_end(&job->out);
    return SKEP_OK;
}

static void list(struct skep_api__job *job)
{
    uint64_t limit = DEPLOYS;
    skep_err err = {.text = ""};
    skep_str text = skep_api__param(job->req, SKEP_STR("limit"));
    if (text.n && (!skep_str_u64(text, &limit) || limit < 1 || limit > DEPLOYS_MAX)) {
        const struct skep_api__error e = {.status = 400,
                                          .text = SKEP_STR("a whole number from 1 to 100"),
                                          .field = SKEP_STR("limit")};
        skep_api__job_fail(job, &e);
        return;
    }
    skep_rc rc = put_list(job, limit, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, list);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/deploys",
     .handle = handle,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_deploys = {routes, SKEP_ARRAY_LEN(routes)};
