// SPDX-License-Identifier: Apache-2.0
/* What the calls of Rollbar's API share (rollbar_priv.h; docs/api/rollbar.md).
 * Threads: workers, the refusals any.  Memory: the job's arena. */
#include "api/rollbar_priv.h"

#include "base/assert.h"
#include "ingest/rollbar_answer.h"
#include "wire/multipart.h"

enum { ORDINAL_BITS = 20 };
_Static_assert(SKEP_LIMIT_BATCH_ROWS <= 1 << ORDINAL_BITS, "two rows would have one number");

// --- answers -----------------------------------------------------------------------------------

void skep_api__rb_begin(struct skep_api__job *job, int status)
{
    struct skep_json *j = &job->out.json;
    skep_api__out_begin(job, status, SKEP_STR("application/json; charset=utf-8"));
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("err"), 0);
    skep_json_key(j, SKEP_STR("result"));
}

void skep_api__rb_end(struct skep_api__job *job)
{
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

void skep_api__rb_fail(struct skep_api__job *job, int status, skep_rc rc, skep_str message)
{
    skep_rollbar_fail(job->api->cfg.os, skep_api__job_instead(job), status, rc, message);
}

bool skep_api__rb_invalid(struct skep_api__job *job, skep_str message)
{
    skep_api__rb_fail(job, 422, SKEP_EINVAL, message);
    return false;
}

void skep_api__rb_fail_rc(struct skep_api__job *job, skep_rc rc, const skep_err *err)
{
    rc = skep_api__job_rc(job, rc);
    const struct skep_rc_info *info = skep_rc_info(rc);
    skep_str text = skep_str_c(err && err->text[0] ? err->text : info->text);
    if (rc == SKEP_ECANCELED && !skep_auth_holds(job->api->cfg.auth, &job->hold))
        skep_api__rb_fail(job, 403, rc, SKEP_STR("access token is disabled"));
    else
        skep_api__rb_fail(job, rc == SKEP_EINVAL ? 422 : info->http, rc, text);
}

static void refuse(struct skep_api *api, struct skep_request *req, skep_str scope, int status,
                   skep_rc rc, skep_str message)
{
    skep_rollbar_denied(req, scope, &status, &message);
    skep_rollbar_fail(api->cfg.os, req, status, rc, message);
}

void skep_api__rb_refuse_read(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                              skep_str message)
{
    refuse(ctx, req, SKEP_STR("read"), http_status, rc, message);
}

void skep_api__rb_refuse_write(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                               skep_str message)
{
    refuse(ctx, req, SKEP_STR("write"), http_status, rc, message);
}

void skep_api__rb_handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, (skep_api__work_fn *)req->route->work);
}

void skep_api__rb_put_null(struct skep_json *j, skep_str key)
{
    skep_json_key(j, key);
    skep_json_null(j);
}

void skep_api__rb_put_s(struct skep_json *j, skep_str key, skep_ts_ns ns)
{
    if (ns)
        skep_json_put_i64(j, key, ns / 1000000000);
    else
        skep_api__rb_put_null(j, key);
}

void skep_api__rb_put_text(struct skep_json *j, skep_str key, skep_str text)
{
    if (text.n)
        skep_json_put_str(j, key, text);
    else
        skep_api__rb_put_null(j, key);
}

// --- names -------------------------------------------------------------------------------------

int64_t skep_api__rb_occurrence_id(skep_row_id id)
{
    skep_assert(id.ordinal < 1u << ORDINAL_BITS);
    return (int64_t)(id.seq << ORDINAL_BITS | id.ordinal);
}

skep_row_id skep_api__rb_row_id(int64_t occurrence)
{
    uint64_t n = (uint64_t)occurrence;
    return (skep_row_id){.seq = n >> ORDINAL_BITS,
                         .ordinal = (uint32_t)(n & ((1u << ORDINAL_BITS) - 1))};
}

bool skep_api__rb_level_parse(skep_str text, int *ret)
{
    uint64_t n = 0;
    if (skep_api__item_level_parse(text, ret))
        return true;
    *ret = skep_str_u64(text, &n) && n <= SKEP_ITEM_CRITICAL ? (int)n : 0;
    return *ret >= SKEP_ITEM_DEBUG && *ret % 10 == 0;
}

bool skep_api__rb_status_parse(skep_str text, enum skep_item_status *ret)
{
    uint64_t n = 0;
    if (skep_item_status_parse(text, ret))
        return true;
    if (!skep_str_u64(text, &n) || n < SKEP_ITEM_ACTIVE || n > SKEP_ITEM_MUTED)
        return false;
    *ret = (enum skep_item_status)n;
    return true;
}

// --- parameters --------------------------------------------------------------------------------

bool skep_api__rb_number(struct skep_api__job *job, skep_str name, uint64_t max, uint64_t *ret)
{
    skep_str text = skep_api__param(job->req, name);
    uint64_t n = 0;
    if (text.n == 0)
        return true;
    if (!skep_str_u64(text, &n) || n == 0 || n > max)
        return skep_api__rb_invalid(
            job, skep_arena_printf(&job->arena, SKEP_STRFMT " is a whole number from 1 to %llu",
                                   SKEP_STRARG(name), (unsigned long long)max));
    *ret = n;
    return true;
}

bool skep_api__rb_id(struct skep_api__job *job, skep_str what, int64_t *ret)
{
    if (skep_str_i64(skep_request_capture(job->req, 0), ret) && *ret > 0)
        return true;
    skep_api__rb_fail(job, 404, SKEP_ENOTFOUND,
                      skep_arena_printf(&job->arena, "no such " SKEP_STRFMT, SKEP_STRARG(what)));
    return false;
}

size_t skep_api__rb_list(struct skep_api__job *job, skep_str name, const skep_str **ret, size_t max)
{
    skep_str *list = skep_new_n(&job->arena, skep_str, max);
    skep_str value;
    size_t n = 0;
    for (unsigned i = 0; skep_request_param_at(job->req, name, i, &value); i++) {
        while (value.p && value.n && n < max) {
            skep_str one = skep_str_trim(skep_str_cut(&value, ','));
            if (one.n)
                list[n++] = one;
        }
    }
    *ret = list;
    return n;
}

// --- bodies ------------------------------------------------------------------------------------

yyjson_doc *skep_api__rb_body(struct skep_api__job *job)
{
    skep_bytes body = job->req->body;
    yyjson_doc *doc = yyjson_read((const char *)body.p, body.n, 0);
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        return doc;
    yyjson_doc_free(doc);
    skep_api__rb_fail(job, 400, SKEP_EMALFORMED,
                      SKEP_STR("Could not parse JSON: the body must be an object"));
    return NULL;
}

bool skep_api__rb_text(struct skep_api__job *job, yyjson_val *root, const char *name, size_t max,
                       bool *ret_set, skep_str *ret)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    *ret_set = v && !yyjson_is_null(v);
    if (!*ret_set)
        return true;
    if (!yyjson_is_str(v) || yyjson_get_len(v) > max)
        return skep_api__rb_invalid(
            job, skep_arena_printf(&job->arena, "%s is a text of at most %zu bytes", name, max));
    *ret = skep_arena_str(&job->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    return true;
}

bool skep_api__rb_form(struct skep_api__job *job, struct skep_api__rb_form *ret)
{
    skep_str body = skep_str_trim(skep_bytes_str(job->req->body));
    bool multipart = skep_str_starts(job->req->content_type, SKEP_STR("multipart/"));
    *ret = (struct skep_api__rb_form){.doc = NULL};
    if (multipart) {
        struct skep_multipart m;
        ret->multipart = skep_request_header(job->req, SKEP_STR("content-type"));
        if (skep_multipart_begin(ret->multipart, body, &m))
            return true;
        skep_api__rb_fail(job, 400, SKEP_EMALFORMED,
                          SKEP_STR("multipart/form-data with a boundary is needed"));
        return false;
    }
    bool json = (body.n > 0 && body.p[0] == '{') ||
                skep_str_eq(job->req->content_type, SKEP_STR("application/json"));
    ret->doc = json ? skep_api__rb_body(job) : NULL;
    return !json || ret->doc;
}

void skep_api__rb_form_done(struct skep_api__rb_form *f)
{
    yyjson_doc_free(f->doc);
    f->doc = NULL;
}

bool skep_api__rb_member(struct skep_api__job *job, const struct skep_api__rb_form *f,
                         const char *name, size_t max, skep_str *ret)
{
    struct skep_part part = {.name = SKEP_STR_NULL};
    skep_str text = SKEP_STR_NULL;
    bool set;
    if (f->doc)
        return skep_api__rb_text(job, yyjson_doc_get_root(f->doc), name, max, &set, ret);
    if (f->multipart.n) {
        if (!skep_multipart_find(f->multipart, skep_bytes_str(job->req->body), skep_str_c(name),
                                 &part))
            return true;
        text = part.body;
    } else if (!skep_request_form(job->req, skep_str_c(name), &text)) {
        return true;
    }
    if (text.n > max || !skep_utf8_valid(text))
        return skep_api__rb_invalid(
            job, skep_arena_printf(&job->arena, "%s is a text of at most %zu bytes", name, max));
    *ret = text;
    return true;
}
