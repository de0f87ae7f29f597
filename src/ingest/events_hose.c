// SPDX-License-Identifier: Apache-2.0
/* Records of Amazon Data Firehose -> events.
 *
 * The data of a record, gzip'ed or not:
 *
 *   {...} {...}                                   an event each, of the request's time
 *   {"messageType":"DATA_MESSAGE","logEvents":..} lines of CloudWatch Logs, an event each: `body`,
 * the members of those that are JSON objects, group and stream as aws.cloudwatch.*
 *   {"messageType":"CONTROL_MESSAGE"}             nothing: whether somebody listens
 *
 * Threads: the caller's.  Memory: what a record unpacks to, asked for first; a record at a time. */
#include "ingest/events.h"

#include "base/assert.h"
#include "base/buf.h"
#include "wire/base64.h"
#include "wire/gunzip.h"

enum { RECORD_BYTES_MAX = 64 << 20, MESSAGE_DEPTH_MAX = 64 };

static skep_str text_of(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_str(v) ? (skep_str){yyjson_get_str(v), yyjson_get_len(v)} : SKEP_STR_NULL;
}

/* May n bytes be held? */
static bool held(struct skep_events_hose *h, uint64_t n)
{
    return !h->charge || h->charge(h->ctx, n);
}

static void add(struct skep_events_hose *h, yyjson_val *data, yyjson_val *when)
{
    const struct skep_events_one one = {.when = when, .rate = 1, .data = data};
    h->refused += skep_events_add(h->d, &one) != SKEP_EVENTS_TAKEN;
}

/* Does JSON nest deeper than a copy of it may (yyjson copies by recursion)? */
static bool is_deep(skep_str s)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > MESSAGE_DEPTH_MAX)
            return true;
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return false;
}

/* The members of a message that is a JSON object. */
static void add_members(struct skep_events_hose *h, yyjson_mut_doc *doc, yyjson_mut_val *to,
                        skep_str message)
{
    skep_str s = skep_str_trim(message);
    yyjson_doc *parsed = NULL;
    if (s.n > 1 && s.p[0] == '{' && !is_deep(s))
        parsed = yyjson_read_opts((char *)(uintptr_t)s.p, s.n, 0, h->alc, NULL);
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

static void add_line(struct skep_events_hose *h, yyjson_val *from, yyjson_val *line)
{
    static const char *const heads[][2] = {{"logGroup", "aws.cloudwatch.logGroup"},
                                           {"logStream", "aws.cloudwatch.logStream"},
                                           {"owner", "aws.cloudwatch.owner"}};
    skep_str message = text_of(line, "message");
    yyjson_mut_doc *doc = yyjson_mut_doc_new(h->alc);
    yyjson_mut_val *obj = yyjson_mut_obj(doc);
    yyjson_doc *made = NULL;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(heads); i++) {
        skep_str s = text_of(from, heads[i][0]);
        if (s.n)
            (void)yyjson_mut_obj_add_strn(doc, obj, heads[i][1], s.p, s.n); /* made says it */
    }
    (void)yyjson_mut_obj_add_strn(doc, obj, "body", message.n ? message.p : "", message.n);
    add_members(h, doc, obj, message);
    if (obj) {
        yyjson_mut_doc_set_root(doc, obj);
        made = yyjson_mut_doc_imut_copy(doc, h->alc);
    }
    if (made)
        add(h, yyjson_doc_get_root(made), yyjson_obj_get(line, "timestamp"));
    else
        h->refused++;
    yyjson_doc_free(made);
    yyjson_mut_doc_free(doc);
}

static void add_object(struct skep_events_hose *h, yyjson_val *obj)
{
    skep_str type = text_of(obj, "messageType");
    yyjson_val *lines = yyjson_obj_get(obj, "logEvents"), *line;
    size_t i, max;
    if (skep_str_eq(type, SKEP_STR("CONTROL_MESSAGE")))
        return;
    if (!skep_str_eq(type, SKEP_STR("DATA_MESSAGE")) || !yyjson_is_arr(lines)) {
        add(h, obj, h->when);
        return;
    }
    yyjson_arr_foreach(lines, i, max, line) add_line(h, obj, line);
}

/* Values one behind the other. */
static void add_values(struct skep_events_hose *h, skep_str s)
{
    s = skep_str_trim(s);
    while (s.n > 0) {
        yyjson_doc *doc =
            yyjson_read_opts((char *)(uintptr_t)s.p, s.n, YYJSON_READ_STOP_WHEN_DONE, h->alc, NULL);
        if (!doc) {
            h->refused++;
            return;
        }
        size_t n = yyjson_doc_get_read_size(doc);
        add_object(h, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        s = skep_str_trim(skep_str_skip(s, n));
    }
}

static void add_text(struct skep_events_hose *h, skep_str data)
{
    struct skep_buf packed, plain;
    size_t n = 0, cap = 3 * data.n / 4 + 3;
    skep_buf_init(&packed, RECORD_BYTES_MAX);
    skep_buf_init(&plain, RECORD_BYTES_MAX);
    bool ok = skep_buf_reserve(&packed, cap) && skep_base64_decode(data, packed.p, cap, &n);
    packed.n = n;
    bool gzip = n > 1 && packed.p[0] == 0x1f && packed.p[1] == 0x8b;
    if (ok && gzip)
        ok = held(h, skep_gunzip_bound(skep_buf_bytes(&packed))) &&
             skep_gunzip(skep_buf_bytes(&packed), &plain) == SKEP_OK;
    if (ok)
        add_values(h, skep_buf_text(gzip ? &plain : &packed));
    else
        h->refused++;
    skep_buf_done(&packed);
    skep_buf_done(&plain);
}

void skep_events_record(struct skep_events_hose *h, yyjson_val *record)
{
    skep_str data = text_of(record, "data");
    if (data.n > 0 && held(h, data.n))
        add_text(h, data);
    else
        h->refused++;
}
