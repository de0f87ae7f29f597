// SPDX-License-Identifier: Apache-2.0
/* CreateExportTask, DescribeExportTasks, CancelExportTask (writing: logs_exports.c).
 *
 *   state: task id -> {"task": what was asked, "code", "message", "completed_ms"}
 *
 * The last hundred tasks of an environment are kept.  One that state calls RUNNING and that does
 * not run was ended by the server's end: FAILED.
 *
 * I1  a task writes below the server's folder of exports alone: destination and prefix hold no
 *     way out of it.
 * Threads: workers.  Memory: the request's arena. */
#include "api/logs_exports.h"
#include "api/logs_priv.h"

#include "base/assert.h"
#include "base/log.h"

/* Letters, digits, '-', '_' and '.'; '/' between parts if `parts`.  No part begins with a dot. */
static bool is_path(skep_str s, bool parts)
{
    bool first = true;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || (c == '.' && !first);
        if (!plain && !(c == '/' && parts && !first))
            return false;
        first = c == '/';
    }
    return s.n > 0 && !first;
}

struct asked {
    skep_str group, prefix, destination, folder;
    int64_t from_ms, to_ms;
};

static bool read_asked(struct skep_api__logs *l, struct asked *q)
{
    const struct skep_aws_range when = {0, 9e15, true};
    q->group = skep_api__logs_name(l, "logGroupName", true);
    q->prefix = skep_api__logs_name(l, "logStreamNamePrefix", false);
    q->destination = skep_api__logs_name(l, "destination", true);
    q->folder =
        skep_aws_str(&l->args, l->in, "destinationPrefix", &(struct skep_aws_len){0, 200, false});
    (void)skep_api__logs_name(l, "taskName", false);
    (void)skep_aws_int(&l->args, l->in, "from", &when, &q->from_ms);
    (void)skep_aws_int(&l->args, l->in, "to", &when, &q->to_ms);
    if (q->folder.n == 0)
        q->folder = SKEP_STR("exportedlogs");
    if (q->destination.n && !is_path(q->destination, false))
        skep_aws_wrong(&l->args, "destination", yyjson_obj_get(l->in, "destination"),
                       "Member must be the name of a folder: letters, digits, '-', '_' and '.'");
    if (!is_path(q->folder, true))
        skep_aws_wrong(&l->args, "destinationPrefix", yyjson_obj_get(l->in, "destinationPrefix"),
                       "Member must be a path of letters, digits, '-', '_' and '.'");
    if (!skep_api__logs_valid(l))
        return false;
    if (q->from_ms > q->to_ms) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "The specified time range is not valid: from must not be after to.");
        return false;
    }
    return skep_api__logs_group_exists(l, q->group);
}

static bool keep_task(struct skep_api__logs *l, skep_str id)
{
    skep_err err;
    struct skep_buf body;
    struct skep_json json;
    skep_buf_init(&body, 64 << 10);
    skep_json_init(&json, &body);
    skep_json_object(&json);
    skep_json_key(&json, SKEP_STR("task"));
    skep_api__logs_put_value(&json, l->in);
    skep_api__logs_put(&json, "code", SKEP_STR("RUNNING"));
    skep_json_end(&json);
    struct skep_state_log_item item = {
        .group = SKEP_STR(""), .name = id, .body = skep_buf_text(&body)};
    skep_rc rc = body.bad
                     ? skep_fail(&err, SKEP_EINVAL, "the request is too large")
                     : skep_state_log_item_put(l->job->api->cfg.state, l->job->opts.environment,
                                               SKEP_STATE_LOG_EXPORT_TASK, &item, &err);
    skep_buf_done(&body);
    if (rc != SKEP_OK)
        skep_api__logs_fail_rc(l, rc, &err);
    return rc == SKEP_OK;
}

void skep_api__logs_create_export_task(struct skep_api__logs *l)
{
    skep_err err;
    char random[36];
    struct asked q = {.group = SKEP_STR_NULL};
    struct skep_logs_stream *streams;
    size_t n;
    struct skep_arena *a = &l->job->arena;
    if (!read_asked(l, &q) || !skep_api__logs_streams(l, q.group, q.prefix, &streams, &n))
        return;
    skep_str id = skep_arena_str(a, skep_aws_request_id(l->job->api->cfg.os, random));
    skep_str *names = skep_new_n(a, skep_str, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = streams[i].name;
    if (!keep_task(l, id))
        return;
    const struct skep_logs_export task = {
        .environment = l->job->opts.environment,
        .id = id,
        .group = q.group,
        .dir =
            skep_arena_printf(a, SKEP_STRFMT "/" SKEP_STRFMT "/" SKEP_STRFMT,
                              SKEP_STRARG(q.destination), SKEP_STRARG(q.folder), SKEP_STRARG(id)),
        .streams = names,
        .n_streams = n,
        .range = {q.from_ms * 1000000, (SKEP_MIN(q.to_ms, INT64_MAX / 1000000 - 1) + 1) * 1000000}};
    skep_rc rc = skep_logs_export_start(l->job->api->exports, &task, &err);
    if (rc != SKEP_OK) {
        skep_err gone;
        if (skep_state_log_item_drop(l->job->api->cfg.state, l->job->opts.environment,
                                     SKEP_STATE_LOG_EXPORT_TASK, SKEP_STR(""), id,
                                     &gone) != SKEP_OK)
            skep_log(WARN, "a task that was not begun stays listed",
                     SKEP_K_CSTR("error", gone.text));
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    skep_api__logs_changed(l, q.group);
    struct skep_json *json = skep_api__logs_begin(l);
    skep_api__logs_put(json, "taskId", id);
    skep_api__logs_end(l);
}

// --- listing -----------------------------------------------------------------------------------

static skep_str text_of(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
}

struct task_view {
    yyjson_doc *doc;
    yyjson_val *task;
    skep_str code, message;
    int64_t completed_ms; /* 0 = not yet */
};

static struct task_view view_of(struct skep_api__logs *l, const struct skep_state_log_item *item)
{
    struct task_view v = {.doc = yyjson_read(item->body.p, item->body.n, 0)};
    yyjson_val *root = yyjson_doc_get_root(v.doc);
    v.task = yyjson_obj_get(root, "task");
    v.code = text_of(root, "code");
    v.message = text_of(root, "message");
    v.completed_ms = yyjson_get_sint(yyjson_obj_get(root, "completed_ms"));
    if (skep_str_eq(v.code, SKEP_STR("RUNNING")) &&
        !skep_logs_export_running(l->job->api->exports, l->job->opts.environment, item->name,
                                  false)) {
        v.code = SKEP_STR("FAILED");
        v.message = SKEP_STR("the server was stopped");
    }
    return v;
}

static void put_task(struct skep_api__logs *l, const struct skep_state_log_item *item,
                     const struct task_view *v)
{
    static const char *const echoed[] = {"taskName", "logGroupName", "from",
                                         "to",       "destination",  "destinationPrefix"};
    struct skep_json *json = &l->job->out.json;
    skep_json_object(json);
    skep_api__logs_put(json, "taskId", item->name);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(echoed); i++) {
        yyjson_val *member = yyjson_obj_get(v->task, echoed[i]);
        if (!member || yyjson_is_null(member))
            continue;
        skep_json_key(json, skep_str_c(echoed[i]));
        skep_api__logs_put_value(json, member);
    }
    skep_json_key(json, SKEP_STR("status"));
    skep_json_object(json);
    skep_api__logs_put(json, "code", v->code);
    skep_api__logs_put(json, "message", v->message);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("executionInfo"));
    skep_json_object(json);
    skep_api__logs_put_time(json, "creationTime", item->created_ns);
    if (v->completed_ms)
        skep_json_put_i64(json, SKEP_STR("completionTime"), v->completed_ms);
    skep_json_end(json);
    skep_json_end(json);
}

void skep_api__logs_describe_export_tasks(struct skep_api__logs *l)
{
    static const char *const codes[] = {"CANCELLED", "COMPLETED",      "FAILED",
                                        "PENDING",   "PENDING_CANCEL", "RUNNING"};
    skep_err err;
    skep_bytes position;
    struct skep_state_log_item *items;
    size_t n;
    skep_str id = skep_api__logs_name(l, "taskId", false), last = SKEP_STR_NULL;
    int code = skep_aws_enum(&l->args, l->in, "statusCode", false, codes, SKEP_ARRAY_LEN(codes));
    unsigned limit = skep_api__logs_limit(l, 50, 50), done = 0;
    bool more = false;
    if (!skep_api__logs_valid(l) || !skep_api__logs_token(l, &position))
        return;
    skep_rc rc = skep_state_log_items(l->job->api->cfg.state, l->job->opts.environment,
                                      SKEP_STATE_LOG_EXPORT_TASK, SKEP_STR_NULL, &l->job->arena,
                                      &items, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("exportTasks"));
    skep_json_array(json);
    for (size_t i = 0; i < n && !more; i++) {
        struct task_view v = view_of(l, &items[i]);
        bool wanted =
            (id.n == 0 || skep_str_eq(id, items[i].name)) &&
            (code < 0 || skep_str_eq(v.code, skep_str_c(codes[code]))) &&
            (position.n == 0 || skep_str_cmp(items[i].name, skep_bytes_str(position)) > 0);
        more = wanted && done == limit;
        if (wanted && !more) {
            put_task(l, &items[i], &v);
            last = items[i].name;
            done++;
        }
        yyjson_doc_free(v.doc);
    }
    skep_json_end(json);
    if (more)
        skep_api__logs_put_token(l, skep_str_bytes(last));
    skep_api__logs_end(l);
}

void skep_api__logs_cancel_export_task(struct skep_api__logs *l)
{
    skep_err err;
    struct skep_state_log_item item;
    skep_str id = skep_api__logs_name(l, "taskId", true);
    if (!skep_api__logs_valid(l))
        return;
    skep_str env = l->job->opts.environment;
    skep_rc rc = skep_state_log_item(l->job->api->cfg.state, env, SKEP_STATE_LOG_EXPORT_TASK,
                                     SKEP_STR(""), id, &l->job->arena, &item, &err);
    if (rc == SKEP_ENOTFOUND)
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND, "The specified export task does not exist.");
    else if (rc != SKEP_OK)
        skep_api__logs_fail_rc(l, rc, &err);
    else if (!skep_logs_export_running(l->job->api->exports, env, id, true))
        skep_api__logs_fail(l, SKEP_LOGS_OPERATION,
                            "The specified export task has already finished.");
    else
        skep_api__logs_done(l);
}
