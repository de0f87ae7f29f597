// SPDX-License-Identifier: Apache-2.0
/* POST /1/kinesis_events/{dataset}: what Amazon Data Firehose delivers.
 *
 *   {"requestId","timestamp","records":[{"data":base64}]}  -> {"requestId","timestamp"}
 *
 * The data of a record, gzip'ed or not:
 *
 *   {...} {...}                                   an event each, of the request's time
 *   {"messageType":"DATA_MESSAGE","logEvents":..} lines of CloudWatch Logs, an event each: `body`,
 * the members of those that are JSON objects, group and stream as aws.cloudwatch.*
 *   {"messageType":"CONTROL_MESSAGE"}             nothing: whether somebody listens
 *
 * What cannot be read (metric streams among it) is counted and said in the last requests of the
 * status page, not answered by a failure: Firehose would send all of it again, for hours.
 *
 * Threads, memory: as events_http.c. */
#include "ingest/events_http.h"

#include "base/assert.h"
#include "wire/base64.h"
#include "wire/gunzip.h"
#include "wire/json_in.h"
#include "wire/json_out.h"

static const size_t record_bytes_max = 64 << 20; /* each octet is charged before it is there */

struct intake {
    struct skep_events__pending *p;
    struct skep_events_dec *d;
    const yyjson_alc *alc;
    yyjson_val *when; /* of the request */
    struct skep_buf packed, plain;
};

static skep_str text_of(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_str(v) ? (skep_str){yyjson_get_str(v), yyjson_get_len(v)} : SKEP_STR_NULL;
}

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

// --- records -----------------------------------------------------------------------------------

static void add(struct intake *in, yyjson_val *data, yyjson_val *when)
{
    const struct skep_events_one one = {.when = when, .rate = 1, .data = data};
    in->p->refused += skep_events_add(in->d, &one) != SKEP_EVENTS_TAKEN;
}

/* The members of a message that is a JSON object. */
static void add_members(struct intake *in, yyjson_mut_doc *doc, yyjson_mut_val *to,
                        skep_str message)
{
    skep_str s = skep_str_trim(message);
    yyjson_doc *parsed = NULL;
    if (s.n > 1 && s.p[0] == '{')
        parsed = yyjson_read_opts((char *)(uintptr_t)s.p, s.n, 0, in->alc, NULL);
    yyjson_val *key, *v;
    size_t i, max;
    yyjson_obj_foreach(yyjson_doc_get_root(parsed), i, max, key, v)
    {
        yyjson_mut_val *k = yyjson_val_mut_copy(doc, key), *value = yyjson_val_mut_copy(doc, v);
        if (k && value && !yyjson_equals_str(key, "body"))
            (void)yyjson_mut_obj_add(to, k, value); /* both are there */
    }
    yyjson_doc_free(parsed);
}

static void add_line(struct intake *in, yyjson_val *from, yyjson_val *line)
{
    static const char *const heads[][2] = {{"logGroup", "aws.cloudwatch.logGroup"},
                                           {"logStream", "aws.cloudwatch.logStream"},
                                           {"owner", "aws.cloudwatch.owner"}};
    skep_str message = text_of(line, "message");
    yyjson_mut_doc *doc = yyjson_mut_doc_new(in->alc);
    yyjson_mut_val *obj = yyjson_mut_obj(doc);
    yyjson_doc *made = NULL;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(heads); i++) {
        skep_str s = text_of(from, heads[i][0]);
        if (s.n)
            (void)yyjson_mut_obj_add_strn(doc, obj, heads[i][1], s.p, s.n); /* made says it */
    }
    (void)yyjson_mut_obj_add_strn(doc, obj, "body", message.n ? message.p : "", message.n);
    add_members(in, doc, obj, message);
    if (obj) {
        yyjson_mut_doc_set_root(doc, obj);
        made = yyjson_mut_doc_imut_copy(doc, in->alc);
    }
    if (made)
        add(in, yyjson_doc_get_root(made), yyjson_obj_get(line, "timestamp"));
    else
        in->p->refused++;
    yyjson_doc_free(made);
    yyjson_mut_doc_free(doc);
}

static void add_object(struct intake *in, yyjson_val *obj)
{
    skep_str type = text_of(obj, "messageType");
    yyjson_val *lines = yyjson_obj_get(obj, "logEvents"), *line;
    size_t i, max;
    if (skep_str_eq(type, SKEP_STR("CONTROL_MESSAGE")))
        return;
    if (!skep_str_eq(type, SKEP_STR("DATA_MESSAGE")) || !yyjson_is_arr(lines)) {
        add(in, obj, in->when);
        return;
    }
    yyjson_arr_foreach(lines, i, max, line) add_line(in, obj, line);
}

/* Values one behind the other. */
static void add_values(struct intake *in, skep_str s)
{
    s = skep_str_trim(s);
    while (s.n > 0) {
        yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)s.p, s.n, YYJSON_READ_STOP_WHEN_DONE,
                                           in->alc, NULL);
        if (!doc) {
            in->p->refused++;
            return;
        }
        size_t n = yyjson_doc_get_read_size(doc);
        add_object(in, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        s = skep_str_trim(skep_str_skip(s, n));
    }
}

static void add_record(struct intake *in, yyjson_val *record)
{
    skep_str data = text_of(record, "data");
    size_t n = 0;
    skep_buf_reset(&in->packed);
    skep_buf_reset(&in->plain);
    if (data.n == 0 || !skep_events__charge(in->p, data.n) ||
        !skep_buf_reserve(&in->packed, 3 * data.n / 4 + 3) ||
        !skep_base64_decode(data, in->packed.p, 3 * data.n / 4 + 3, &n)) {
        in->p->refused++;
        return;
    }
    in->packed.n = n;
    bool packed = n > 1 && in->packed.p[0] == 0x1f && in->packed.p[1] == 0x8b;
    if (!packed)
        add_values(in, skep_buf_text(&in->packed));
    else if (skep_events__charge(in->p, skep_gunzip_bound(skep_buf_bytes(&in->packed))) &&
             skep_gunzip(skep_buf_bytes(&in->packed), &in->plain) == SKEP_OK)
        add_values(in, skep_buf_text(&in->plain));
    else
        in->p->refused++;
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
    struct intake in = {.p = p,
                        .alc = &alc,
                        .d = skep_events_begin(b, &opts),
                        .when = yyjson_obj_get(root, "timestamp")};
    skep_buf_init(&in.packed, record_bytes_max);
    skep_buf_init(&in.plain, record_bytes_max);
    yyjson_arr_foreach(records, i, max, record) add_record(&in, record);
    skep_buf_done(&in.packed);
    skep_buf_done(&in.plain);
    yyjson_doc_free(doc);
    skep_events__append(p, b, in.d);
}
