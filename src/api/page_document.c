// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/document/:id: the document that a row was made of, as it was sent.
 *
 * One document becomes many rows (a segment with its subsegments and causes); its text stands with
 * the first of them alone, so other rows of the document go up to it.
 *
 * I1  The way up stays among X-Ray's rows: a call of another wire is no part of a document.
 *
 * Threads: workers.  Memory: the request's arena. */
#include "api/api_priv.h"

#include "base/assert.h"

static skep_str raw_of(const struct skep_row *row)
{
    for (unsigned i = 0; i < row->n_fields; i++)
        if (skep_str_eq(row->fields[i].name, SKEP_RAW_FIELD) &&
            row->fields[i].value.type == SKEP_TYPE_STRING)
            return row->fields[i].value.s;
    return SKEP_STR_NULL;
}

static const struct skep_row *span_of(const struct skep_rows *rows, uint64_t span_id)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->rows[i].kind == SKEP_KIND_SPAN && rows->rows[i].span_id == span_id)
            return &rows->rows[i];
    return NULL;
}

/* The row of the trace that the document of `row` stands with; NULL = none.  Parents of a document
 * are few; ids may be of a ring, so there is an end to it. */
static const struct skep_row *holder(const struct skep_rows *rows, const struct skep_row *row)
{
    enum { UP_MAX = 256 };
    const struct skep_row *at = row;
    for (unsigned i = 0; i < UP_MAX && at && at->source == SKEP_SOURCE_XRAY; i++) {
        if (raw_of(at).n)
            return at;
        at = span_of(rows, at->parent_id);
    }
    return NULL;
}

static void answer(struct skep_api__job *job, const struct skep_row *row)
{
    struct skep_json *json = &job->out.json;
    char span[16];
    skep_api__json_begin(job, 200);
    skep_json_object(json);
    skep_api__put_row_id(json, SKEP_STR("id"), row->id);
    skep_json_put_str(json, SKEP_STR("span_id"), skep_api__span_id(span, row->span_id));
    skep_json_put_str(json, SKEP_STR("name"), row->name);
    skep_json_put_str(json, SKEP_STR("document"), raw_of(row));
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

/* *ret = the row with the document. */
static skep_rc find(struct skep_api__job *job, const struct skep_row **ret, skep_err *err)
{
    struct skep_plan plan = {
        .kind = SKEP_PLAN_ROW, .range = {0, INT64_MAX}, .limit = 1, .raw = true};
    struct skep_answer one = {0}, all = {0};
    if (!skep_lang_row_id(skep_request_capture(job->req, 0), &plan.row_id))
        return skep_fail(err, SKEP_ENOTFOUND, "no such row (it may have expired)");
    SKEP_TRY(skep_query_run(job->api->cfg.store, &plan, &job->opts, &one, err));
    if (one.rows.n == 0)
        return skep_fail(err, SKEP_ENOTFOUND, "no such row (it may have expired)");
    const struct skep_row *row = &one.rows.rows[0];
    *ret = raw_of(row).n ? row : NULL;
    if (!*ret && row->source == SKEP_SOURCE_XRAY) {
        plan = (struct skep_plan){.kind = SKEP_PLAN_TRACE,
                                  .range = {INT64_MIN, INT64_MAX},
                                  .trace_id = row->trace_id,
                                  .raw = true};
        SKEP_TRY(skep_query_run(job->api->cfg.store, &plan, &job->opts, &all, err));
        *ret = holder(&all.rows, row);
    }
    return *ret ? SKEP_OK
                : skep_fail(err, SKEP_ENOTFOUND, "the row was not made of a document that is kept");
}

static void document(struct skep_api__job *job)
{
    const struct skep_row *row = NULL;
    skep_err err;
    skep_rc rc = find(job, &row, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_assert(row != NULL);
    answer(job, row);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, document);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/document/:id",
     .handle = handle,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_document = {routes, SKEP_ARRAY_LEN(routes)};
