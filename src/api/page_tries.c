// SPDX-License-Identifier: Apache-2.0
/* Alerts, SLOs and recipients tried out, for the page's forms:
 *
 *   POST /skep/v1/triggers/:dataset/try      body of /1/triggers: what it would find now
 *   POST /skep/v1/burn_alerts/:dataset/try   body of /1/burn_alerts: likewise
 *   POST /skep/v1/slos/:dataset/try          body of /1/slos, whose sli may have an expression:
 *                                            how its budget would have gone
 *   POST /skep/v1/recipients/:id/test        {"kind"}: a message of that kind, as it would come
 *
 * A body is refused as it would be when it is made, with the member's name; nothing is kept, and
 * nobody is told.
 *
 * Threads: workers.  Memory: the request's. */
#include "api/alerts.h"
#include "api/honeycomb_objects.h"
#include "api/keys.h"
#include "base/assert.h"
#include "notify/notify.h"

enum { TRY_STEPS = 60 };

static void answer(struct skep_api__job *job, const struct skep_watch_answer *a)
{
    struct skep_json *j = &job->out.json;
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_put_bool(j, SKEP_STR("met"), a->met);
    skep_json_key(j, SKEP_STR("value"));
    if (a->has_value)
        skep_json_f64(j, a->value);
    else
        skep_json_null(j);
    skep_json_key(j, SKEP_STR("detail"));
    skep_json_raw(j, a->detail.n ? a->detail : SKEP_STR("{}"));
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

static void try_object(struct skep_api__job *job, const struct skep_api__hny_object *what)
{
    struct skep_api__hny_call c;
    struct skep_watch_answer found = {.has_value = false};
    skep_err err;
    if (!skep_api__hny_call_begin(&c, job, what))
        return;
    c.object.name = SKEP_STR("");
    if (skep_api__hny_read(&c)) {
        struct skep_api__alert a = {.api = job->api,
                                    .object = c.object,
                                    .doc = yyjson_read(c.object.body.p, c.object.body.n, 0),
                                    .opts = job->opts,
                                    .slot_ns = skep_api__now(job->api)};
        a.root = yyjson_doc_get_root(a.doc);
        skep_rc rc = what->kind == SKEP_OBJECT_TRIGGER ? skep_api__alert_trigger(&a, &found, &err)
                                                       : skep_api__alert_burn(&a, &found, &err);
        yyjson_doc_free(a.doc);
        if (rc == SKEP_OK)
            answer(job, &found);
        else
            skep_api__job_fail_rc(job, rc, &err);
    }
    yyjson_mut_doc_free(c.doc);
}

static void try_trigger(struct skep_api__job *job)
{
    try_object(job, &skep_api__hny_trigger);
}

static void try_burn_alert(struct skep_api__job *job)
{
    try_object(job, &skep_api__hny_burn_alert);
}

static void try_slo(struct skep_api__job *job)
{
    struct skep_api__hny_call c;
    struct skep_api__slo slo;
    skep_err err;
    if (!skep_api__hny_call_begin(&c, job, &skep_api__hny_slo_draft))
        return;
    c.object.name = SKEP_STR("");
    if (skep_api__hny_read(&c)) {
        skep_rc rc = skep_api__slo_read(&job->arena, &c.object, &slo, &err);
        if (rc == SKEP_OK)
            skep_api__slo_answer_burn(job, &slo, TRY_STEPS);
        else
            skep_api__job_fail_rc(job, rc, &err);
    }
    yyjson_mut_doc_free(c.doc);
}

static void test_recipient(struct skep_api__job *job)
{
    struct skep_object r;
    char id[SKEP_NOTICE_ID_BYTES] = "";
    skep_err err;
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    skep_str kind = skep_api__member(job, yyjson_doc_get_root(doc), "kind");
    yyjson_doc_free(doc);
    skep_rc rc =
        skep_state_object(job->api->cfg.state, SKEP_OBJECT_RECIPIENT, job->opts.environment,
                          skep_request_capture(job->req, 0), &job->arena, &r, &err);
    if (rc == SKEP_OK)
        rc = skep_api__alert_test(job, &r, kind.n ? kind : SKEP_STR("trigger"), id, &err);
    if (rc == SKEP_EINVAL) {
        skep_api__fail_field(job, "kind", err.text);
        return;
    }
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 202);
    skep_json_object(&job->out.json);
    skep_json_put_str(&job->out.json, SKEP_STR("id"), skep_str_c(id));
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

SKEP_API__HANDLER(handle_trigger, try_trigger)
SKEP_API__HANDLER(handle_burn_alert, try_burn_alert)
SKEP_API__HANDLER(handle_slo, try_slo)
SKEP_API__HANDLER(handle_recipient, test_recipient)

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/triggers/:dataset/try",
     .handle = handle_trigger,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_OBJECT_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/burn_alerts/:dataset/try",
     .handle = handle_burn_alert,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_OBJECT_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/slos/:dataset/try",
     .handle = handle_slo,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_OBJECT_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/recipients/:id/test",
     .handle = handle_recipient,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 1 << 10,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_tries = {routes, SKEP_ARRAY_LEN(routes)};
