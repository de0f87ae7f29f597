// SPDX-License-Identifier: Apache-2.0
/* StartTraceRetrieval, ListRetrievedTraces, CancelTraceRetrieval.
 *
 *   state: token -> {"Start": ns, "End": ns, "TraceIds": [...], "Cancelled": false}
 *
 * In AWS traces come out of an archive and take a while; here they are rows like all, so that a
 * retrieval is COMPLETE as soon as it is started, and each page reads its traces as they are then.
 * The oldest retrievals of an environment make room for new ones; a forgotten one is
 * ResourceNotFoundException.
 *
 * A page has at most 5 traces of 100 spans.  A trace with more goes on in the next page:
 * NextToken = index of the trace, index of its first span.
 *
 * Threads: workers.  Memory: the request's arena, and one a trace. */
#include "api/xray_admin.h"
#include "api/xray_docs.h"
#include "api/xray_load.h"

#include "base/bytes.h"

enum { IDS_MAX = 100, PAGE_TRACES = 5, PAGE_SPANS = 100, TOKEN_BYTES = 16, POSITION_BYTES = 16 };

struct retrieval {
    struct skep_state_xray_item item;
    struct skep_time_range range;
    skep_trace_id ids[IDS_MAX];
    size_t n;
    bool cancelled;
};

/* --- as kept -------------------------------------------------------------------------------------
 */

static skep_str encode(struct skep_arena *arena, const struct retrieval *r)
{
    struct skep_buf buf;
    struct skep_json json;
    char text[35];
    skep_buf_init(&buf, SKEP_LIMIT_API_BODY_BYTES);
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    skep_json_put_i64(&json, SKEP_STR("Start"), r->range.start_ns);
    skep_json_put_i64(&json, SKEP_STR("End"), r->range.end_ns);
    skep_json_put_bool(&json, SKEP_STR("Cancelled"), r->cancelled);
    skep_json_key(&json, SKEP_STR("TraceIds"));
    skep_json_array(&json);
    for (size_t i = 0; i < r->n; i++)
        skep_json_str(&json, skep_api__xray_trace_id(text, &r->ids[i]));
    skep_json_end(&json);
    skep_json_end(&json);
    skep_str body = skep_arena_str(arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return body;
}

static void decode(struct retrieval *r)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_doc *doc = yyjson_read(r->item.body.p, r->item.body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    r->range = (struct skep_time_range){yyjson_get_sint(yyjson_obj_get(root, "Start")),
                                        yyjson_get_sint(yyjson_obj_get(root, "End"))};
    r->cancelled = yyjson_get_bool(yyjson_obj_get(root, "Cancelled"));
    r->n = 0;
    yyjson_arr_foreach(yyjson_obj_get(root, "TraceIds"), i, n, v)
    {
        skep_str text = {yyjson_get_str(v), yyjson_get_len(v)};
        if (r->n < IDS_MAX && skep_lang_trace_id(text, &r->ids[r->n]))
            r->n++;
    }
    yyjson_doc_free(doc);
}

/* --- StartTraceRetrieval -------------------------------------------------------------------------
 */

static void read_ids(struct skep_api__xray *x, struct retrieval *r)
{
    size_t i, n;
    const struct skep_aws_len len = {0, IDS_MAX, true};
    yyjson_val *v, *list = skep_aws_list(&x->args, x->in, "TraceIds", &len);
    yyjson_arr_foreach(list, i, n, v)
    {
        skep_str text = {yyjson_get_str(v), yyjson_get_len(v)};
        if (i >= IDS_MAX)
            break;
        if (yyjson_is_str(v) && skep_lang_trace_id(text, &r->ids[r->n]))
            r->n++;
        else
            skep_aws_wrong(&x->args, "TraceIds", v, "Member must be a trace id");
    }
}

void skep_api__xray_start_trace_retrieval(struct skep_api__xray *x)
{
    struct retrieval *r = skep_new(&x->job->arena, struct retrieval);
    uint8_t random[TOKEN_BYTES];
    char hex[2 * TOKEN_BYTES];
    const struct skep_os *os = x->job->api->cfg.os;
    skep_err err;
    read_ids(x, r);
    skep_api__xray_period(x, &r->range);
    if (!skep_api__xray_valid(x))
        return;
    os->random(os, random, sizeof random);
    skep_hex_encode((skep_bytes){random, sizeof random}, hex);
    r->item.name = (skep_str){hex, sizeof hex};
    r->item.body = encode(&x->job->arena, r);
    skep_rc rc = skep_state_xray_create(x->job->api->cfg.state, x->job->opts.environment,
                                        SKEP_STATE_XRAY_RETRIEVAL, &r->item, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_state(x, "RetrievalToken", rc, &err);
        return;
    }
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_put_str(json, SKEP_STR("RetrievalToken"), r->item.name);
    skep_api__xray_end(x);
}

/* --- the others ----------------------------------------------------------------------------------
 */

/* RetrievalToken's; NULL after an error was sent. */
static struct retrieval *asked(struct skep_api__xray *x)
{
    struct retrieval *r = skep_new(&x->job->arena, struct retrieval);
    skep_err err;
    const struct skep_aws_len len = {0, 1020, true};
    skep_str token = skep_aws_str(&x->args, x->in, "RetrievalToken", &len);
    if (!skep_api__xray_valid(x))
        return NULL;
    skep_rc rc =
        skep_state_xray_get(x->job->api->cfg.state, x->job->opts.environment,
                            SKEP_STATE_XRAY_RETRIEVAL, token, &x->job->arena, &r->item, &err);
    if (rc == SKEP_ENOTFOUND) {
        skep_api__xray_fail_resource(x, SKEP_XRAY_NOT_FOUND, token,
                                     SKEP_STR("The retrieval does not exist"));
        return NULL;
    }
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(x, rc, &err);
        return NULL;
    }
    decode(r);
    return r;
}

bool skep_api__xray_retrieved(struct skep_api__xray *x, struct skep_api__xray_retrieved *ret)
{
    const struct retrieval *r = asked(x);
    if (r)
        *ret = (struct skep_api__xray_retrieved){r->range, r->ids, r->n, r->cancelled};
    return r != NULL;
}

void skep_api__xray_cancel_trace_retrieval(struct skep_api__xray *x)
{
    skep_err err;
    struct retrieval *r = asked(x);
    if (!r)
        return;
    r->cancelled = true;
    r->item.body = encode(&x->job->arena, r);
    skep_rc rc = skep_state_xray_replace(x->job->api->cfg.state, x->job->opts.environment,
                                         SKEP_STATE_XRAY_RETRIEVAL, &r->item, &err);
    if (rc != SKEP_OK && rc != SKEP_EAGAIN) { /* EAGAIN: another cancelled it */
        skep_api__xray_fail_state(x, "RetrievalToken", rc, &err);
        return;
    }
    (void)skep_api__xray_begin(x);
    skep_api__xray_end(x);
}

struct page {
    struct skep_api__xray *x;
    const struct retrieval *r;
    uint64_t trace, span; /* the next */
    unsigned n_traces;
    struct skep_arena arena; /* of one trace */
};

/* Spans [from, from + PAGE_SPANS) of a trace's documents; the number of all. */
static skep_rc put_spans(struct page *p, const struct skep_xray_trace *t, uint64_t *ret_all,
                         skep_err *err)
{
    struct skep_buf buf;
    struct skep_json all, *json = &p->x->job->out.json;
    size_t i, n;
    yyjson_val *v;
    skep_buf_init(&buf, 64 << 20);
    skep_json_init(&all, &buf);
    bool whole = skep_api__xray_documents(&all, t) && !buf.bad;
    yyjson_doc *doc = whole ? yyjson_read((const char *)buf.p, buf.n, 0) : NULL;
    *ret_all = yyjson_arr_size(yyjson_doc_get_root(doc));
    skep_json_key(json, SKEP_STR("Spans"));
    skep_json_array(json);
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, v)
    {
        yyjson_val *id = yyjson_obj_get(v, "Id"), *text = yyjson_obj_get(v, "Document");
        if (i < p->span || i >= p->span + PAGE_SPANS)
            continue;
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("Id"), (skep_str){yyjson_get_str(id), yyjson_get_len(id)});
        skep_json_put_str(json, SKEP_STR("Document"),
                          (skep_str){yyjson_get_str(text), yyjson_get_len(text)});
        skep_json_end(json);
    }
    skep_json_end(json);
    bool read = doc != NULL;
    yyjson_doc_free(doc);
    skep_buf_done(&buf);
    return read ? SKEP_OK
                : skep_fail(err, SKEP_ENOMEM, "a trace needs more memory than a question may use");
}

/* The trace at p->trace, or what is left of it. */
static skep_rc put_trace(struct page *p, skep_err *err)
{
    char text[35];
    uint64_t all = 0;
    struct skep_xray_trace t;
    const skep_trace_id *id = &p->r->ids[p->trace];
    const struct skep_api__xray_ask ask = {.id = *id, .twice = {.in_trace = true}, .raw = true};
    struct skep_json *json = &p->x->job->out.json;
    skep_arena_reset(&p->arena);
    skep_rc rc = skep_api__xray_load(p->x, &ask, &p->arena, &t, err);
    bool shown = rc == SKEP_OK && t.n > 0 && t.start_ns < p->r->range.end_ns &&
                 t.end_ns >= p->r->range.start_ns;
    if (rc != SKEP_OK && rc != SKEP_ENOTFOUND)
        return rc;
    if (shown) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("Id"), skep_api__xray_trace_id(text, id));
        skep_api__xray_put_seconds(json, SKEP_STR("Duration"), t.end_ns - t.start_ns);
        SKEP_TRY(put_spans(p, &t, &all, err));
        skep_json_end(json);
        p->n_traces++;
    }
    p->span = p->span + PAGE_SPANS < all ? p->span + PAGE_SPANS : 0;
    p->trace += p->span == 0;
    return SKEP_OK;
}

static void put_page(struct page *p)
{
    uint8_t next[POSITION_BYTES];
    skep_err err;
    skep_rc rc = SKEP_OK;
    struct skep_json *json = skep_api__xray_begin(p->x);
    skep_json_put_str(json, SKEP_STR("RetrievalStatus"),
                      p->r->cancelled ? SKEP_STR("CANCELLED") : SKEP_STR("COMPLETE"));
    skep_json_put_str(json, SKEP_STR("TraceFormat"), SKEP_STR("XRAY"));
    skep_json_key(json, SKEP_STR("Traces"));
    skep_json_array(json);
    uint64_t n = p->r->cancelled ? 0 : p->r->n;
    while (rc == SKEP_OK && p->trace < n && p->n_traces < PAGE_TRACES)
        rc = put_trace(p, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(p->x, rc, &err);
        return;
    }
    skep_json_end(json);
    if (p->trace < n) {
        skep_store_le64(next, p->trace);
        skep_store_le64(next + 8, p->span);
        skep_api__xray_put_token(p->x, (skep_bytes){next, sizeof next});
    }
    skep_api__xray_end(p->x);
}

void skep_api__xray_list_retrieved_traces(struct skep_api__xray *x)
{
    static const char *const formats[] = {"XRAY", "OTEL"};
    struct page p = {.x = x};
    skep_bytes position;
    int format = skep_aws_enum(&x->args, x->in, "TraceFormat", false, formats, 2);
    p.r = asked(x);
    if (!p.r || !skep_api__xray_token(x, &position))
        return;
    if (format == 1) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "TraceFormat: skep gives XRAY; its export gives OTLP");
        return;
    }
    if (position.n == POSITION_BYTES) {
        p.trace = skep_load_le64(position.p);
        p.span = skep_load_le64(position.p + 8) % (1u << 30);
    }
    skep_arena_init(&p.arena, "trace", &x->job->budget);
    put_page(&p);
    skep_arena_done(&p.arena);
}
