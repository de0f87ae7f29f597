// SPDX-License-Identifier: Apache-2.0
/* Log streams: making, listing by name or by their last line, deleting.
 *
 * A stream is listed as soon as it is created or has a line: winston asks until it sees its own.
 *
 * Threads: workers.  Memory: the request's arena. */
#include <stdlib.h>

#include "api/logs_priv.h"

#include "base/assert.h"
#include "base/bytes.h"

static void fail_state(struct skep_api__logs *l, skep_rc rc, const skep_err *err)
{
    if (rc == SKEP_EEXISTS)
        skep_api__logs_fail(l, SKEP_LOGS_EXISTS, "The specified log stream already exists");
    else if (rc == SKEP_EAGAIN)
        skep_api__logs_fail(l, SKEP_LOGS_ABORTED,
                            "A conflicting operation is currently in progress against this "
                            "resource. Please try again.");
    else
        skep_api__logs_fail_rc(l, rc, err);
}

void skep_api__logs_create_log_stream(struct skep_api__logs *l)
{
    skep_err err;
    skep_str group =
        skep_aws_str(&l->args, l->in, "logGroupName", &(struct skep_aws_len){1, 0, true});
    skep_str name =
        skep_aws_str(&l->args, l->in, "logStreamName", &(struct skep_aws_len){1, 0, true});
    if (skep_str_chr(name, ':') != SIZE_MAX || skep_str_chr(name, '*') != SIZE_MAX)
        skep_aws_wrong(&l->args, "logStreamName", yyjson_obj_get(l->in, "logStreamName"),
                       "Member must satisfy regular expression pattern: [^:*]*");
    if (!skep_api__logs_valid(l))
        return;
    if (group.n > 512 || name.n > 2048) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "Invalid LogGroup or LogStream, both must have length less than or "
                            "equal to 512.");
        return;
    }
    skep_rc rc = skep_state_log_stream_create(l->job->api->cfg.state, l->job->opts.environment,
                                              group, name, &err);
    if (rc == SKEP_ENOTFOUND)
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND, "The specified log group does not exist.");
    else if (rc != SKEP_OK)
        fail_state(l, rc, &err);
    else
        skep_api__logs_done(l);
}

// --- deleting ----------------------------------------------------------------------------------

/* Of a stream that rows alone make: they go, that is all. */
static bool has_rows(struct skep_api__logs *l, skep_str group, skep_str name, bool *ret)
{
    struct skep_logs_stream *streams;
    size_t n;
    *ret = false;
    if (!skep_api__logs_streams(l, group, name, &streams, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        *ret = *ret || skep_str_eq(streams[i].name, name);
    return true;
}

void skep_api__logs_delete_log_stream(struct skep_api__logs *l)
{
    skep_err err = {.text = ""};
    struct skep_state *state = l->job->api->cfg.state;
    skep_str env = l->job->opts.environment;
    skep_str group = skep_api__logs_name(l, "logGroupName", true);
    skep_str name = skep_api__logs_name(l, "logStreamName", true);
    bool there = false;
    if (!skep_api__logs_valid(l) || !skep_api__logs_group_exists(l, group) ||
        !has_rows(l, group, name, &there))
        return;
    if (!there) {
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND, "The specified log stream does not exist.");
        return;
    }
    skep_rc kept = skep_state_log_drop_begin(state, env, group, name), rc = SKEP_OK;
    if (kept == SKEP_EAGAIN) {
        fail_state(l, kept, &err);
        return;
    }
    const struct skep_expr *filter =
        skep_logs_rows_and(&l->job->arena, skep_logs_rows_of_group(&l->job->arena, group),
                           skep_logs_rows_of_streams(&l->job->arena, &name, 1, false));
    bool gone = skep_api__logs_delete_rows(l, group, filter, &err, &rc);
    skep_err why = {.text = ""};
    skep_rc end =
        kept == SKEP_OK ? skep_state_log_drop_end(state, env, group, name, gone, &why) : SKEP_OK;
    if (rc != SKEP_OK || end != SKEP_OK) {
        fail_state(l, rc != SKEP_OK ? rc : end, rc != SKEP_OK ? &err : &why);
        return;
    }
    skep_api__logs_changed(l, skep_arena_printf(&l->job->arena, SKEP_STRFMT " " SKEP_STRFMT,
                                                SKEP_STRARG(group), SKEP_STRARG(name)));
    skep_api__logs_done(l);
}

// --- listing -----------------------------------------------------------------------------------

static int by_last(const void *a, const void *b)
{
    const struct skep_logs_stream *x = a, *y = b;
    /* Those without a line first, by when they were made: AWS lists them as the oldest. */
    int64_t tx = x->rows ? x->last_ns : INT64_MIN, ty = y->rows ? y->last_ns : INT64_MIN;
    return tx != ty ? (tx < ty ? -1 : 1) : skep_str_cmp(x->name, y->name);
}

static void put_stream(struct skep_api__logs *l, skep_str group, const struct skep_logs_stream *s)
{
    struct skep_json *json = &l->job->out.json;
    skep_json_object(json);
    skep_api__logs_put(json, "logStreamName", s->name);
    skep_api__logs_put_time(json, "creationTime", s->created_ns);
    if (s->rows) {
        skep_api__logs_put_time(json, "firstEventTimestamp", s->first_ns);
        skep_api__logs_put_time(json, "lastEventTimestamp", s->last_ns);
        skep_api__logs_put_time(json, "lastIngestionTime", s->received_ns);
        /* Nobody asks for it since 2023; clients that see one need not look again (winston). */
        skep_api__logs_put(json, "uploadSequenceToken",
                           skep_arena_printf(&l->job->arena, "%056lld", (long long)s->received_ns));
    }
    skep_api__logs_put(
        json, "arn",
        skep_api__logs_arn(l, skep_arena_printf(&l->job->arena,
                                                "log-group:" SKEP_STRFMT ":log-stream:" SKEP_STRFMT,
                                                SKEP_STRARG(group), SKEP_STRARG(s->name))));
    skep_json_put_u64(json, SKEP_STR("storedBytes"), 0);
    skep_json_end(json);
}

/* The place of a stream in the order asked for: the key of its token. */
static skep_bytes place_of(struct skep_api__logs *l, const struct skep_logs_stream *s, bool by_time)
{
    uint8_t *p = skep_arena_alloc(&l->job->arena, 8 + s->name.n);
    int64_t at = by_time && s->rows ? s->last_ns : INT64_MIN;
    skep_store_le64(p, (uint64_t)at);
    memcpy(p + 8, s->name.p, s->name.n);
    return (skep_bytes){p, 8 + s->name.n};
}

static struct skep_logs_stream stream_at(skep_bytes position)
{
    struct skep_logs_stream s = {.rows = 1};
    s.last_ns = (int64_t)skep_load_le64(position.p);
    s.name = (skep_str){(const char *)position.p + 8, position.n - 8};
    if (s.last_ns == INT64_MIN)
        s.rows = 0;
    return s;
}

static int by_name(const void *a, const void *b)
{
    return skep_str_cmp(((const struct skep_logs_stream *)a)->name,
                        ((const struct skep_logs_stream *)b)->name);
}

struct listing {
    skep_str group, prefix;
    bool by_time, descending;
    unsigned limit;
};

static void answer_streams(struct skep_api__logs *l, const struct listing *w, skep_bytes position)
{
    struct skep_logs_stream *streams, from = {0};
    size_t n;
    if (!skep_api__logs_streams(l, w->group, w->prefix, &streams, &n))
        return;
    int (*order)(const void *, const void *) = w->by_time ? by_last : by_name;
    if (n)
        qsort(streams, n, sizeof *streams, order);
    if (position.n)
        from = stream_at(position);
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("logStreams"));
    skep_json_array(json);
    const struct skep_logs_stream *last = NULL;
    unsigned done = 0;
    bool more = false;
    for (size_t k = 0; k < n; k++) {
        const struct skep_logs_stream *s = &streams[w->descending ? n - 1 - k : k];
        int c = position.n ? order(s, &from) : 1;
        if (position.n && (w->descending ? c >= 0 : c <= 0))
            continue;
        more = done == w->limit;
        if (more)
            break;
        put_stream(l, w->group, s);
        last = s;
        done++;
    }
    skep_json_end(json);
    if (more)
        skep_api__logs_put_token(l, place_of(l, last, w->by_time));
    skep_api__logs_end(l);
}

void skep_api__logs_describe_log_streams(struct skep_api__logs *l)
{
    static const char *const orders[] = {"LogStreamName", "LastEventTime"};
    struct listing w = {.limit = skep_api__logs_limit(l, 50, 50)};
    skep_bytes position;
    w.prefix = skep_api__logs_name(l, "logStreamNamePrefix", false);
    w.by_time = skep_aws_enum(&l->args, l->in, "orderBy", false, orders, 2) == 1;
    w.descending = skep_aws_bool(&l->args, l->in, "descending", false);
    if (!skep_api__logs_which_group(l, &w.group))
        return;
    if (w.by_time && w.prefix.n) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "Cannot order by LastEventTime with a logStreamNamePrefix.");
        return;
    }
    if (!skep_api__logs_token(l, &position))
        return;
    if (position.n > 0 && position.n < 9) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "The specified nextToken is invalid.");
        return;
    }
    if (skep_api__logs_group_exists(l, w.group))
        answer_streams(l, &w, position);
}
