// SPDX-License-Identifier: Apache-2.0
/* POST /1/kinesis_events/{dataset}: what Amazon Data Firehose delivers.
 *
 *   {"requestId","timestamp","records":[...]}  -> events_hose.c -> {"requestId","timestamp"}
 *
 * What cannot be read (metric streams among it) is counted and said in the last requests of the
 * status page, not answered by a failure: Firehose would send all of it again, for hours.
 *
 * Threads, memory: as events_http.c. */
#include "ingest/events_http.h"

#include "base/assert.h"
#include "wire/json_in.h"
#include "wire/json_out.h"

// --- answers -----------------------------------------------------------------------------------

static void put_head(struct skep_ingest *in, struct skep_request *req, struct skep_json *j)
{
    skep_json_put_str(j, SKEP_STR("requestId"),
                      skep_request_header(req, SKEP_STR("x-amz-firehose-request-id")));
    skep_json_put_i64(j, SKEP_STR("timestamp"), in->cfg.os->now_ns(in->cfg.os) / 1000000);
}

static void put_error(struct skep_ingest *in, struct skep_request *req, struct skep_json *j,
                      skep_str message)
{
    put_head(in, req, j);
    skep_json_put_str(j, SKEP_STR("errorMessage"), message);
}

static void answer(struct skep_events__pending *p)
{
    struct skep_buf body;
    struct skep_json j;
    const struct skep_response r = {.status = 200, .content_type = SKEP_STR("application/json")};
    skep_buf_init(&body, 1 << 16);
    skep_json_init(&j, &body);
    skep_json_object(&j);
    put_head(p->in, p->req, &j);
    skep_json_end(&j);
    skep_respond_buf(p->req, &r, &body);
    skep_buf_done(&body);
}

void skep_events__kinesis_refused(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                                  skep_str message)
{
    skep_events__refuse(ctx, req, put_error, http_status, rc, message);
}

static bool charge(void *ctx, uint64_t n)
{
    return skep_events__charge(ctx, n);
}

void skep_events__put_kinesis(void *ctx, struct skep_request *req)
{
    struct skep_events__pending *p = skep_events__pending_new(ctx, req, answer, put_error);
    const yyjson_alc alc = skep_json_alc(p->in->cfg.budget);
    yyjson_doc *doc = NULL;
    yyjson_val *record;
    size_t i, max;
    if (!skep_events__body(p, &alc, &doc))
        return;
    yyjson_val *root = yyjson_doc_get_root(doc), *records = yyjson_obj_get(root, "records");
    if (!yyjson_is_arr(records)) {
        yyjson_doc_free(doc);
        skep_events__refuse(p->in, req, put_error, 400, SKEP_EMALFORMED,
                            SKEP_STR("Request body is malformed and cannot be read. (no records)"));
        return;
    }
    const struct skep_events_opts opts = skep_events__opts(p);
    struct skep_batch *b = skep_events__batch(p);
    struct skep_events_hose hose = {.d = skep_events_begin(b, &opts),
                                    .alc = &alc,
                                    .when = yyjson_obj_get(root, "timestamp"),
                                    .charge = charge,
                                    .ctx = p};
    yyjson_arr_foreach(records, i, max, record) skep_events_record(&hose, record);
    yyjson_doc_free(doc);
    p->refused = hose.refused;
    skep_events__append(p, b, hose.d);
}
