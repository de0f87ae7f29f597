// SPDX-License-Identifier: Apache-2.0
/* X-Ray documents: texts -> documents -> who belongs to whom -> rows.
 *
 *   text:  document | '[' document, ... ']' | document document ...     blanks between them
 *            |  cut by braces (strings are skipped): each document keeps its own bytes
 *            v
 *   document: yyjson -> id, trace_id, start_time are there?   no: unprocessed, counted by reason
 *            |
 *            v  all documents of the call
 *   bind:  segment of each independent subsegment, in this call or remembered; late ones again
 *            |
 *            v
 *   rows:  xray_rows.c
 *
 * I1  each document, and each subsegment that is looked at, is counted as received once, and either
 *     accepted or rejected for one reason.
 * I2  a document's text is what stood in the request, byte for byte.
 * Threads: the caller's.  Memory: values of yyjson from the batch's budget, the rest in the arena:
 * some tens of bytes a document. */
#include "ingest/xray_priv.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "wire/json_in.h"
#include "wire/json_out.h"

#include <xxhash.h>

// --- ids ---------------------------------------------------------------------------------------

bool skep_xray_trace_id(skep_str text, skep_trace_id *ret)
{
    char digits[32];
    bool plain = text.n == 32;
    bool xray = text.n == 35 && memcmp(text.p, "1-", 2) == 0 && text.p[10] == '-';
    if (xray) {
        memcpy(digits, text.p + 2, 8);
        memcpy(digits + 8, text.p + 11, 24);
    } else if (plain) {
        memcpy(digits, text.p, 32);
    }
    static const skep_trace_id none;
    if ((xray || plain) &&
        skep_hex_decode((skep_str){digits, sizeof digits}, ret->b, sizeof ret->b) &&
        memcmp(ret, &none, sizeof none) != 0)
        return true;
    XXH128_hash_t h = XXH3_128bits(text.p ? text.p : "", text.n);
    skep_store_le64(ret->b, h.low64 | 1);
    skep_store_le64(ret->b + 8, h.high64);
    return false;
}

bool skep_xray_span_id(skep_str text, uint64_t *ret)
{
    uint8_t id[8];
    if (text.n == 16 && skep_hex_decode(text, id, sizeof id) && skep_load_le64(id) != 0) {
        *ret = skep_load_le64(id);
        return true;
    }
    *ret = skep_hash(skep_str_bytes(text)) | 1;
    return false;
}

// --- values ------------------------------------------------------------------------------------

skep_str skep_xray__str(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_str(v) ? (skep_str){unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v)}
                            : SKEP_STR_NULL;
}

bool skep_xray__bool(yyjson_val *obj, const char *key)
{
    return yyjson_is_true(yyjson_obj_get(obj, key));
}

bool skep_xray__number(yyjson_val *v, double *ret)
{
    if (yyjson_is_num(v)) {
        *ret = yyjson_get_num(v);
        return isfinite(*ret);
    }
    skep_str s = {yyjson_get_str(v), yyjson_get_len(v)};
    return yyjson_is_str(v) && skep_str_f64(skep_str_trim(s), ret) && isfinite(*ret);
}

/* A double near 1.8e9 stands for the shortest decimal that reads back as it: that one was sent. */
skep_ts_ns skep_xray__ns(double seconds)
{
    char text[SKEP_JSON_NUMBER_BYTES];
    if (seconds <= -9.2e9 || seconds >= 9.2e9)
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    skep_str s = {text, skep_json_f64_text(seconds, text)};
    skep_str whole_text = skep_str_cut(&s, '.');
    int64_t whole, ns = 0;
    if (!skep_str_i64(whole_text, &whole) || skep_str_chr(s, 'e') != SIZE_MAX)
        return (skep_ts_ns)(seconds * 1e9 + (seconds < 0 ? -0.5 : 0.5)); // near zero, or whole
    for (size_t i = 0; i < 9; i++)
        ns = ns * 10 + (i < s.n ? s.p[i] - '0' : 0);
    return whole * INT64_C(1000000000) + (seconds < 0 ? -ns : ns);
}

bool skep_xray__open(yyjson_val *root)
{
    double end;
    return skep_xray__bool(root, "in_progress") ||
           !skep_xray__number(yyjson_obj_get(root, "end_time"), &end);
}

// --- rejections --------------------------------------------------------------------------------

void skep_xray__reject(struct skep_xray__dec *d, enum skep_rejection why, const char *code,
                       skep_str id, bool subsegment, const char *text)
{
    struct skep_xray_report *rep = &d->rep;
    rep->received++;
    rep->rejected[why]++;
    if (rep->message[0] == 0)
        (void)snprintf(rep->message, sizeof rep->message, "%s " SKEP_STRFMT "%s%s",
                       subsegment ? "subsegment" : "document", (int)SKEP_MIN(id.n, (size_t)40),
                       id.n ? id.p : "", id.n ? ": " : "", text);
    if (rep->n_unprocessed == SKEP_XRAY_UNPROCESSED_MAX)
        return;
    if (!rep->unprocessed)
        rep->unprocessed =
            skep_new_n(d->arena, struct skep_xray_unprocessed, SKEP_XRAY_UNPROCESSED_MAX);
    rep->unprocessed[rep->n_unprocessed++] = (struct skep_xray_unprocessed){
        .id = skep_arena_str(d->arena, (skep_str){id.p, SKEP_MIN(id.n, (size_t)256)}),
        .code = code,
        .subsegment = subsegment};
}

static void reject_text(struct skep_xray__dec *d, const char *text)
{
    skep_xray__reject(d, SKEP_REJECTION_MALFORMED, "InvalidSegment", SKEP_STR_NULL, false, text);
}

// --- documents ---------------------------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(skep_str *s)
{
    while (s->n && is_blank(*s->p))
        *s = skep_str_skip(*s, 1);
}

/* The object at the beginning of s, by its braces; all of s when they do not close. */
static skep_str cut_object(skep_str *s)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < s->n; i++) {
        char c = s->p[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        depth += c == '{';
        if (c == '}' && --depth == 0) {
            skep_str object = {s->p, i + 1};
            *s = skep_str_skip(*s, i + 1);
            return object;
        }
    }
    skep_str all = *s;
    *s = skep_str_skip(*s, s->n);
    return all;
}

void skep_xray__ids(struct skep_xray__doc *doc)
{
    doc->root = yyjson_doc_get_root(doc->json);
    skep_str parent = skep_xray__str(doc->root, "parent_id");
    doc->trace_text = skep_xray__str(doc->root, "trace_id");
    doc->segment = !skep_str_eq(skep_xray__str(doc->root, "type"), SKEP_STR("subsegment"));
    doc->state = skep_xray__open(doc->root) ? SKEP_XRAY__OPEN : SKEP_XRAY__COMPLETE;
    (void)skep_xray_span_id(skep_xray__str(doc->root, "id"), &doc->id); // odd ids: a hash
    (void)skep_xray_trace_id(doc->trace_text, &doc->trace);
    if (parent.n)
        (void)skep_xray_span_id(parent, &doc->parent);
}

/* What is wrong with a document that could be read, in the order in which X-Ray looks.
 * COUNT = nothing. */
static enum skep_rejection judge(const struct skep_xray__doc *doc, const char **ret_code,
                                 const char **ret_text)
{
    double start;
    *ret_code = "MissingId";
    *ret_text = "it has no id";
    if (skep_xray__str(doc->root, "id").n == 0)
        return SKEP_REJECTION_BAD_SPAN_ID;
    *ret_code = "MissingTraceId";
    *ret_text = "it has no trace_id";
    if (skep_xray__str(doc->root, "trace_id").n == 0)
        return SKEP_REJECTION_BAD_TRACE_ID;
    *ret_code = "MissingStartTime";
    *ret_text = "it has no start_time";
    if (!skep_xray__number(yyjson_obj_get(doc->root, "start_time"), &start))
        return SKEP_REJECTION_MISSING_TIME;
    return SKEP_REJECTION_COUNT;
}

static void take_document(struct skep_xray__dec *d, skep_str raw, uint64_t sender)
{
    const yyjson_alc alc = skep_json_alc(d->b->budget);
    yyjson_read_err fault;
    struct skep_xray__doc doc = {.raw = raw, .sender = sender};
    if (raw.n > d->opts->document_bytes_max) {
        skep_xray__reject(d, SKEP_REJECTION_TOO_LARGE, "DocumentTooLarge", SKEP_STR_NULL, false,
                          "larger than --xray-document-size");
        return;
    }
    doc.json = yyjson_read_opts((char *)(uintptr_t)raw.p, raw.n, YYJSON_READ_ALLOW_INF_AND_NAN,
                                &alc, &fault);
    if (!doc.json) {
        char text[96];
        d->no_memory |= fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION;
        (void)snprintf(text, sizeof text, "JSON: %s, at byte %zu", fault.msg, fault.pos);
        reject_text(d, text);
        return;
    }
    skep_xray__ids(&doc);
    const char *code, *text;
    enum skep_rejection why = judge(&doc, &code, &text);
    if (why != SKEP_REJECTION_COUNT) {
        skep_xray__reject(d, why, code, skep_xray__str(doc.root, "id"), !doc.segment, text);
        yyjson_doc_free(doc.json);
        return;
    }
    SKEP_GROW(d->docs, d->n_docs, d->cap_docs);
    d->docs[d->n_docs++] = doc;
}

/* Documents of an array, behind its '['. */
static bool take_array(struct skep_xray__dec *d, skep_str *s, uint64_t sender)
{
    bool any = false;
    for (skip_blanks(s); s->n && *s->p == '{'; skip_blanks(s)) {
        take_document(d, cut_object(s), sender);
        any = true;
        skip_blanks(s);
        if (!s->n || *s->p != ',')
            break;
        *s = skep_str_skip(*s, 1);
    }
    if (!s->n || *s->p != ']')
        return false;
    *s = skep_str_skip(*s, 1);
    if (!any) // X-Ray's own answer to "[]"
        skep_xray__reject(d, SKEP_REJECTION_BAD_SPAN_ID, "MissingId", SKEP_STR_NULL, false,
                          "an empty array");
    return true;
}

static void take_text(struct skep_xray__dec *d, const struct skep_xray_text *t)
{
    skep_str s = t->text;
    if (skep_str_starts(s, SKEP_STR("\xef\xbb\xbf")))
        s = skep_str_skip(s, 3);
    skip_blanks(&s);
    if (s.n == 0)
        reject_text(d, "empty");
    for (; s.n && !d->no_memory; skip_blanks(&s)) {
        if (*s.p == '{') {
            take_document(d, cut_object(&s), t->sender);
            continue;
        }
        bool array = *s.p == '[';
        s = skep_str_skip(s, array);
        if (!array || !take_array(d, &s, t->sender)) {
            reject_text(d, array ? "the array of documents is broken" : "no JSON object");
            return;
        }
    }
}

bool skep_xray_datagram(skep_str datagram, skep_str *ret_body)
{
    char pool[1024];
    yyjson_alc alc;
    skep_str body = datagram;
    skep_str header = skep_str_cut(&body, '\n');
    if (!body.p || skep_str_trim(body).n == 0 || header.n > 128)
        return false;
    bool ok = yyjson_alc_pool_init(&alc, pool, sizeof pool);
    skep_assert(ok);
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)header.p, header.n, 0, &alc, NULL);
    yyjson_val *root = yyjson_doc_get_root(doc);
    double version = 0;
    ok = skep_str_ieq(skep_xray__str(root, "format"), SKEP_STR("json")) &&
         skep_xray__number(yyjson_obj_get(root, "version"), &version) && version == 1;
    yyjson_doc_free(doc);
    *ret_body = body;
    return ok;
}

// --- decoding ----------------------------------------------------------------------------------

static void done(struct skep_xray__dec *d)
{
    for (size_t i = 0; i < d->n_docs; i++)
        yyjson_doc_free(d->docs[i].json);
    skep_free(d->docs);
    skep_buf_done(&d->text);
}

skep_rc skep_xray_decode(const struct skep_xray_text *texts, size_t n,
                         const struct skep_xray_opts *opts, struct skep_batch *b,
                         struct skep_xray_report *ret, skep_err *err)
{
    skep_assert(opts->arena && b && b->n_rows == 0);
    struct skep_xray_opts own = *opts;
    struct skep_xray__dec d = {.b = b, .opts = &own, .arena = opts->arena};
    if (own.document_bytes_max == 0 || own.document_bytes_max > SKEP_XRAY_DOCUMENT_MAX)
        own.document_bytes_max = SKEP_XRAY_DOCUMENT_MAX;
    skep_buf_init(&d.text, SKEP_LIMIT_VALUE_BYTES);
    for (size_t i = 0; i < n && !d.no_memory; i++)
        take_text(&d, &texts[i]);
    if (!d.no_memory)
        skep_xray__bind(&d);
    for (size_t i = 0; i < d.n_docs && !d.no_memory; i++) {
        skep_xray__rows(&d, &d.docs[i]);
        yyjson_doc_free(d.docs[i].json); // large requests: values are given back as rows are made
        d.docs[i].json = NULL;
        d.no_memory |= b->over_budget;
    }
    done(&d);
    if (d.no_memory)
        return skep_fail(err, SKEP_ENOMEM, "no memory left for these segments, try again later");
    if (b->over_limit)
        return skep_fail(err, SKEP_ETOOLARGE, "the segments are too large for one request");
    skep_batch_environment(b, opts->environment);
    *ret = d.rep;
    return SKEP_OK;
}
