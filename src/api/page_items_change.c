// SPDX-License-Identifier: Apache-2.0
/* What people do with items (docs/api/page.md):
 *
 *   PATCH /skep/v1/items               {ids, status?, resolved_in?, level?, title?, owner?,
 *                                       mute_for_s?, mute_for_count?}: what is absent stays
 *   POST  /skep/v1/items/:id/comments  {text}
 *   POST  /skep/v1/items/:id/merge     {into}: 0 = it stands for itself again
 *
 * Several ids are changed one after the other: one that is not there ends it with 404, and those
 * before it are changed.
 * Threads: workers.  Memory: the job's arena. */
#include <yyjson.h>

#include "api/items.h"
#include "api/people.h"

enum { IDS_MAX = 1000 };

struct change {
    struct skep_item_patch patch;
    int64_t ids[IDS_MAX];
    size_t n;
};

static bool refuse(struct skep_api__job *job, const char *field, const char *text)
{
    skep_api__fail_field(job, field, text);
    return false;
}

static bool read_ids(struct skep_api__job *job, yyjson_val *root, struct change *c)
{
    yyjson_val *list = yyjson_obj_get(root, "ids"), *v;
    size_t i, n;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0 || yyjson_arr_size(list) > IDS_MAX)
        return refuse(job, "ids", "a list of 1 to 1000 ids is needed");
    yyjson_arr_foreach(list, i, n, v)
    {
        if (!yyjson_is_uint(v) || yyjson_get_uint(v) > INT64_MAX)
            return refuse(job, "ids", "an id is a whole number");
        c->ids[c->n++] = (int64_t)yyjson_get_uint(v);
    }
    return true;
}

/* A text member of at most `max` bytes; absent is fine. */
static bool read_text(struct skep_api__job *job, yyjson_val *root, const char *name, size_t max,
                      bool *ret_set, skep_str *ret)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    *ret_set = v != NULL;
    if (!v)
        return true;
    if (!yyjson_is_str(v) || yyjson_get_len(v) > max)
        return refuse(job, name, "a text, and not that long, is needed here");
    *ret = skep_arena_str(&job->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    return true;
}

static bool read_status(struct skep_api__job *job, yyjson_val *root, struct skep_item_patch *p)
{
    skep_str status = SKEP_STR_NULL, level = SKEP_STR_NULL;
    if (!read_text(job, root, "status", 16, &p->set_status, &status) ||
        !read_text(job, root, "level", 16, &p->set_level, &level))
        return false;
    if (p->set_status && !skep_item_status_parse(status, &p->status))
        return refuse(job, "status", "one of active, resolved, muted");
    if (p->set_level && !skep_api__item_level_parse(level, &p->level))
        return refuse(job, "level", "one of debug, info, warning, error, critical");
    return true;
}

/* A whole number up to max; absent: 0. */
static bool read_number(struct skep_api__job *job, yyjson_val *root, const char *name, uint64_t max,
                        uint64_t *ret)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    *ret = 0;
    if (!v)
        return true;
    if (!yyjson_is_uint(v) || yyjson_get_uint(v) > max)
        return refuse(job, name, "a whole number is needed here");
    *ret = yyjson_get_uint(v);
    return true;
}

static bool read_mute(struct skep_api__job *job, yyjson_val *root, struct skep_item_patch *p)
{
    uint64_t seconds;
    if (!read_number(job, root, "mute_for_s", UINT64_C(3650) * 86400, &seconds) ||
        !read_number(job, root, "mute_for_count", INT64_MAX / 2, &p->mute_until_total))
        return false;
    p->set_mute = seconds > 0 || p->mute_until_total > 0;
    if (seconds)
        p->mute_until_ns = skep_api__now(job->api) + (int64_t)seconds * INT64_C(1000000000);
    return true;
}

static bool read_change(struct skep_api__job *job, yyjson_val *root, struct change *c)
{
    struct skep_item_patch *p = &c->patch;
    if (!read_ids(job, root, c) || !read_status(job, root, p) || !read_mute(job, root, p) ||
        !read_text(job, root, "title", SKEP_ITEM_TITLE_MAX, &p->set_title, &p->title) ||
        !read_text(job, root, "owner", 255, &p->set_owner, &p->owner) ||
        !read_text(job, root, "resolved_in", SKEP_ITEM_VERSION_MAX, &p->set_resolved_in,
                   &p->resolved_in))
        return false;
    if (p->set_title && p->title.n == 0)
        return refuse(job, "title", "a title is needed here");
    return true;
}

static void say(struct skep_api__job *job, size_t changed)
{
    struct skep_json *j = &job->out.json;
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("changed"), changed);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

static void change(struct skep_api__job *job)
{
    struct change *c = skep_new(&job->arena, struct change);
    skep_err err = {.text = ""};
    size_t done = 0;
    skep_rc rc = SKEP_OK;
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    bool ok = read_change(job, yyjson_doc_get_root(doc), c);
    yyjson_doc_free(doc);
    if (!ok)
        return;
    const struct skep_caller *who = &job->req->caller;
    for (; done < c->n && rc == SKEP_OK; done++)
        rc = skep_state_item_patch(job->api->cfg.state, who->environment, c->ids[done], &c->patch,
                                   who->actor, skep_api__now(job->api), &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    else
        say(job, done);
}

static bool id_of(struct skep_api__job *job, int64_t *ret)
{
    const skep_err none = {.text = "no such item"};
    if (skep_str_i64(skep_request_capture(job->req, 0), ret))
        return true;
    skep_api__job_fail_rc(job, SKEP_ENOTFOUND, &none);
    return false;
}

static void comment(struct skep_api__job *job)
{
    int64_t id;
    bool set = false;
    skep_str text = SKEP_STR_NULL;
    skep_err err = {.text = ""};
    yyjson_doc *doc = id_of(job, &id) ? skep_api__body_object(job) : NULL;
    if (!doc)
        return;
    bool ok = read_text(job, yyjson_doc_get_root(doc), "text", SKEP_ITEM_TEXT_MAX, &set, &text);
    yyjson_doc_free(doc);
    if (ok && skep_str_trim(text).n == 0)
        ok = refuse(job, "text", "a comment says something");
    if (!ok)
        return;
    const struct skep_caller *who = &job->req->caller;
    skep_rc rc = skep_state_item_comment(job->api->cfg.state, who->environment, id, who->actor,
                                         text, skep_api__now(job->api), &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    else
        say(job, 1);
}

static void merge(struct skep_api__job *job)
{
    int64_t id;
    skep_err err = {.text = ""};
    yyjson_doc *doc = id_of(job, &id) ? skep_api__body_object(job) : NULL;
    if (!doc)
        return;
    yyjson_val *into = yyjson_obj_get(yyjson_doc_get_root(doc), "into");
    bool ok = yyjson_is_uint(into) && yyjson_get_uint(into) <= INT64_MAX;
    int64_t other = ok ? (int64_t)yyjson_get_uint(into) : 0;
    yyjson_doc_free(doc);
    if (!ok) {
        (void)refuse(job, "into", "the id of an item is needed here, or 0");
        return;
    }
    const struct skep_caller *who = &job->req->caller;
    skep_rc rc = skep_state_item_merge(job->api->cfg.state, who->environment, id, other, who->actor,
                                       skep_api__now(job->api), &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    else
        say(job, 1);
}

static void handle_change(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, change);
}
static void handle_comment(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, comment);
}
static void handle_merge(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, merge);
}

static const struct skep_route routes[] = {
    {.method = "PATCH",
     .path = "/skep/v1/items",
     .handle = handle_change,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 1 << 20,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/items/:id/comments",
     .handle = handle_comment,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 1 << 20,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/items/:id/merge",
     .handle = handle_merge,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 1 << 16,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_items_change = {routes, SKEP_ARRAY_LEN(routes)};
