// SPDX-License-Identifier: Apache-2.0
/* Reading events: GetLogEvents, FilterLogEvents, GetLogRecord.
 *
 *   GetLogEvents     one stream, pages in both directions: f/ID goes on behind an event, b/ID
 * before it.  A page at the end gives the token it came with back, by which clients know.
 *   FilterLogEvents  any streams, a filter pattern; a page's token is the id of the last line that
 *                    was looked at.  No token: that is all.
 *   GetLogRecord     one event with its fields, by its id (@ptr).
 *
 * A page ends after `limit` events or 1 MiB.
 *
 * Threads: workers.  Memory: the request's arena, a page of rows at a time. */
#include "api/logs_events.h"

#include "base/assert.h"
#include "event/log.h"
#include "lang/logs_pattern.h"

enum { EVENTS_MAX = 10000, PAGE_BYTES = 1 << 20 };

enum { BODY, STREAM, STREAM_ELSE, COLUMNS };
static const struct skep_field_ref columns[COLUMNS] = {
    [BODY] = {.name = SKEP_STR_INIT("meta.message")},
    [STREAM] = {.name = SKEP_STR_INIT("log.stream")},
    [STREAM_ELSE] = {.name = SKEP_STR_INIT("service.instance.id")}};

struct skep_plan skep_api__logs_plan(skep_str group, const struct skep_expr *filter, unsigned limit)
{
    return (struct skep_plan){.kind = SKEP_PLAN_ROWS,
                              .range = {0, INT64_MAX},
                              .dataset = group,
                              .filter = filter,
                              .columns = columns,
                              .n_columns = COLUMNS,
                              .limit = limit,
                              .oldest_first = true};
}

static skep_str text_of(struct skep_arena *a, const skep_value *v)
{
    struct skep_buf buf;
    struct skep_json json;
    if (v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_ARRAY)
        return v->s;
    if (v->type == SKEP_TYPE_NULL)
        return SKEP_STR_NULL;
    skep_buf_init(&buf, SKEP_LIMIT_VALUE_BYTES * 2);
    skep_json_init(&json, &buf);
    skep_api__value(&json, v);
    skep_str s = skep_arena_str(a, buf.bad ? SKEP_STR_NULL : skep_buf_text(&buf));
    skep_buf_done(&buf);
    return s;
}

struct skep_logs_line skep_api__logs_line(struct skep_arena *a, const struct skep_row *row)
{
    skep_assert(row->n_fields == COLUMNS);
    struct skep_logs_line line = {.place = {row->time_ns, row->id},
                                  .received_ns = row->received_ns,
                                  .message = text_of(a, &row->fields[BODY].value),
                                  .stream = SKEP_LOG_STREAM_NONE};
    for (unsigned i = STREAM_ELSE; i >= STREAM; i--)
        if (row->fields[i].value.type == SKEP_TYPE_STRING && row->fields[i].value.s.n)
            line.stream = row->fields[i].value.s;
    return line;
}

bool skep_api__logs_narrow(struct skep_api__logs *l, skep_str pattern,
                           const struct skep_expr **filter)
{
    struct skep_lang_issue issue;
    if (pattern.n == 0 ||
        skep_logs_pattern_narrow(pattern, &l->job->arena, filter, &issue) == SKEP_OK)
        return true;
    skep_api__logs_fail(l, SKEP_LOGS_INVALID, "Invalid filter pattern: %s", issue.text);
    return false;
}

/* startTime and endTime in ms; both may be absent. */
static void read_range(struct skep_api__logs *l, bool end_inclusive, struct skep_plan *plan)
{
    static const int64_t max_ms = INT64_MAX / 1000000;
    int64_t start = 0, end = max_ms;
    bool ends = false;
    (void)skep_api__logs_time(l, "startTime", &start);
    ends = skep_api__logs_time(l, "endTime", &end);
    if (ends && end_inclusive)
        end++;
    start = SKEP_MIN(start, max_ms);
    end = SKEP_MIN(end, max_ms);
    plan->range.start_ns = start * 1000000;
    plan->range.end_ns = ends ? end * 1000000 : INT64_MAX;
}

/* At most plan->limit rows; fewer, and `more`, when lines are so long that not as many fit. */
static bool fetch(struct skep_api__logs *l, struct skep_plan *plan, struct skep_rows *ret)
{
    skep_err err;
    struct skep_answer a = {0};
    if (plan->range.end_ns <= plan->range.start_ns) {
        *ret = (struct skep_rows){0};
        return true;
    }
    skep_rc rc = skep_query_run(l->job->api->cfg.store, plan, &l->job->opts, &a, &err);
    while (rc == SKEP_ENOMEM && plan->limit > 8) {
        plan->limit /= 8;
        rc = skep_query_run(l->job->api->cfg.store, plan, &l->job->opts, &a, &err);
    }
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return false;
    }
    *ret = a.rows;
    return true;
}

// --- GetLogEvents ------------------------------------------------------------------------------

struct page_token {
    bool given, forward;
    struct skep_logs_place place;
};

static bool read_page_token(struct skep_api__logs *l, struct page_token *ret)
{
    skep_str text = skep_aws_str(&l->args, l->in, "nextToken", &(struct skep_aws_len){1, 0, false});
    *ret = (struct page_token){.given = text.n > 0, .forward = true};
    if (text.n == 0)
        return true;
    ret->forward = text.p[0] == 'f';
    bool good = text.n > 2 && (text.p[0] == 'f' || text.p[0] == 'b') && text.p[1] == '/';
    return good && skep_logs_id_read(skep_str_skip(text, 2), &ret->place);
}

static void put_page_token(struct skep_api__logs *l, const char *key, char side,
                           const struct skep_logs_place *place)
{
    char digits[SKEP_LOGS_ID_BYTES];
    skep_str id = skep_logs_id(place, digits);
    skep_json_put_str(&l->job->out.json, skep_str_c(key),
                      skep_arena_printf(&l->job->arena, "%c/" SKEP_STRFMT, side, SKEP_STRARG(id)));
}

/* The page in the order of time: lines[0..n). */
struct page {
    struct skep_logs_line *lines;
    size_t n;
};

static void take_page(struct skep_api__logs *l, const struct skep_rows *rows, bool oldest_first,
                      struct page *ret)
{
    size_t bytes = 0;
    ret->lines = skep_new_n(&l->job->arena, struct skep_logs_line, rows->n);
    for (ret->n = 0; ret->n < rows->n; ret->n++) {
        ret->lines[ret->n] = skep_api__logs_line(&l->job->arena, &rows->rows[ret->n]);
        bytes += ret->lines[ret->n].message.n + 26;
        if (bytes > PAGE_BYTES && ret->n > 0)
            break;
    }
    for (size_t i = 0; !oldest_first && i < ret->n / 2; i++) {
        struct skep_logs_line t = ret->lines[i];
        ret->lines[i] = ret->lines[ret->n - 1 - i];
        ret->lines[ret->n - 1 - i] = t;
    }
}

/* Where the next pages begin: behind the last line, before the first.  Of an empty page it is where
 * it was asked for: its own token comes back. */
static void ends_of(const struct page *page, const struct page_token *token,
                    const struct skep_plan *plan, struct skep_logs_place *ret_next,
                    struct skep_logs_place *ret_before)
{
    if (page->n) {
        *ret_before = page->lines[0].place;
        *ret_next = page->lines[page->n - 1].place;
    } else if (token->given) {
        *ret_before = *ret_next = token->place;
    } else { /* nothing yet: what comes later is behind it */
        *ret_before = *ret_next = (struct skep_logs_place){.time_ns = plan->range.start_ns};
    }
}

static void answer_page(struct skep_api__logs *l, const struct page *page,
                        const struct page_token *token, const struct skep_plan *plan)
{
    struct skep_logs_place next, before;
    struct skep_json *json = skep_api__logs_begin(l);
    ends_of(page, token, plan, &next, &before);
    skep_json_key(json, SKEP_STR("events"));
    skep_json_array(json);
    for (size_t i = 0; i < page->n && !l->job->out.gone; i++) {
        skep_json_object(json);
        skep_api__logs_put_time(json, "timestamp", page->lines[i].place.time_ns);
        skep_api__logs_put(json, "message", page->lines[i].message);
        skep_api__logs_put_time(json, "ingestionTime", page->lines[i].received_ns);
        skep_json_end(json);
        skep_api__out_check(&l->job->out);
    }
    skep_json_end(json);
    put_page_token(l, "nextForwardToken", 'f', &next);
    put_page_token(l, "nextBackwardToken", 'b', &before);
    skep_api__logs_end(l);
}

/* The stream is there, or has lines; false after an error was sent. */
static bool stream_exists(struct skep_api__logs *l, skep_str group, skep_str name)
{
    struct skep_logs_stream *streams;
    size_t n;
    /* Who follows a stream asks each second: its rows are counted only where state knows none. */
    if (skep_state_log_stream_there(l->job->api->cfg.state, l->job->opts.environment, group, name))
        return true;
    if (!skep_api__logs_group_exists(l, group) ||
        !skep_api__logs_streams(l, group, name, &streams, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(streams[i].name, name))
            return true;
    skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND, "The specified log stream does not exist.");
    return false;
}

void skep_api__logs_get_log_events(struct skep_api__logs *l)
{
    skep_str group;
    struct page_token token;
    struct skep_rows rows;
    struct page page;
    struct skep_plan plan = skep_api__logs_plan(SKEP_STR_NULL, NULL, 0);
    skep_str name = skep_api__logs_name(l, "logStreamName", true);
    bool from_head = skep_aws_bool(&l->args, l->in, "startFromHead", false);
    plan.limit = skep_api__logs_limit(l, EVENTS_MAX, EVENTS_MAX);
    read_range(l, false, &plan);
    bool good = read_page_token(l, &token);
    if (!skep_api__logs_which_group(l, &group))
        return;
    if (!good) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "The specified nextToken is invalid.");
        return;
    }
    if (!stream_exists(l, group, name))
        return;
    plan.dataset = group;
    plan.filter = skep_logs_rows_and(&l->job->arena, skep_logs_rows_of_group(&l->job->arena, group),
                                     skep_logs_rows_of_streams(&l->job->arena, &name, 1, false));
    plan.oldest_first = token.given ? token.forward : from_head;
    plan.has_cursor = token.given;
    plan.cursor_time_ns = token.place.time_ns;
    plan.cursor_id = token.place.id;
    if (!fetch(l, &plan, &rows))
        return;
    take_page(l, &rows, plan.oldest_first, &page);
    answer_page(l, &page, &token, &plan);
}

// --- FilterLogEvents ---------------------------------------------------------------------------

/* The streams asked for, NULL = all; *ret_both: by name and by prefix, which must not be. */
static const struct skep_expr *read_streams(struct skep_api__logs *l, bool *ret_both)
{
    size_t i, max, n = 0;
    yyjson_val *v;
    struct skep_arena *a = &l->job->arena;
    yyjson_val *list =
        skep_aws_list(&l->args, l->in, "logStreamNames", &(struct skep_aws_len){1, 100, false});
    skep_str prefix = skep_api__logs_name(l, "logStreamNamePrefix", false);
    skep_str *names = skep_new_n(a, skep_str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, max, v)
    {
        if (yyjson_is_str(v))
            names[n++] = (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
    }
    *ret_both = n && prefix.n;
    if (n)
        return skep_logs_rows_of_streams(a, names, n, false);
    return prefix.n ? skep_logs_rows_of_streams(a, &prefix, 1, true) : NULL;
}

static void put_found(struct skep_api__logs *l, const struct skep_logs_line *line)
{
    char digits[SKEP_LOGS_ID_BYTES];
    struct skep_json *json = &l->job->out.json;
    skep_json_object(json);
    skep_api__logs_put(json, "logStreamName", line->stream);
    skep_api__logs_put_time(json, "timestamp", line->place.time_ns);
    skep_api__logs_put(json, "message", line->message);
    skep_api__logs_put_time(json, "ingestionTime", line->received_ns);
    skep_api__logs_put(json, "eventId", skep_logs_id(&line->place, digits));
    skep_json_end(json);
    skep_api__out_check(&l->job->out);
}

static void answer_found(struct skep_api__logs *l, const struct skep_rows *rows)
{
    char digits[SKEP_LOGS_ID_BYTES];
    size_t bytes = 0, i = 0;
    struct skep_logs_line line = {.stream = SKEP_STR_NULL};
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("events"));
    skep_json_array(json);
    for (; i < rows->n && bytes < PAGE_BYTES && !l->job->out.gone; i++) {
        line = skep_api__logs_line(&l->job->arena, &rows->rows[i]);
        bytes += line.message.n + 26;
        put_found(l, &line);
    }
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("searchedLogStreams"));
    skep_json_array(json);
    skep_json_end(json);
    if (i > 0 && (rows->more || i < rows->n))
        skep_api__logs_put(json, "nextToken", skep_logs_id(&line.place, digits));
    skep_api__logs_end(l);
}

void skep_api__logs_filter_log_events(struct skep_api__logs *l)
{
    skep_str group;
    bool both = false, good = true;
    struct skep_logs_place place = {0};
    struct skep_rows rows;
    struct skep_plan plan = skep_api__logs_plan(SKEP_STR_NULL, NULL, 0);
    skep_str pattern =
        skep_aws_str(&l->args, l->in, "filterPattern", &(struct skep_aws_len){0, 1024, false});
    skep_str token =
        skep_aws_str(&l->args, l->in, "nextToken", &(struct skep_aws_len){1, 0, false});
    plan.oldest_first = skep_aws_bool(&l->args, l->in, "startFromHead", true);
    plan.limit = skep_api__logs_limit(l, EVENTS_MAX, EVENTS_MAX);
    read_range(l, true, &plan);
    const struct skep_expr *streams = read_streams(l, &both);
    if (!skep_api__logs_which_group(l, &group))
        return;
    if (token.n)
        good = skep_logs_id_read(token, &place);
    if (both || !good) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "%s",
                            both ? "logStreamNames and logStreamNamePrefix are mutually exclusive "
                                   "parameters."
                                 : "The specified nextToken is invalid.");
        return;
    }
    plan.dataset = group;
    plan.filter =
        skep_logs_rows_and(&l->job->arena, skep_logs_rows_of_group(&l->job->arena, group), streams);
    if (!skep_api__logs_group_exists(l, group) || !skep_api__logs_narrow(l, pattern, &plan.filter))
        return;
    plan.has_cursor = token.n > 0;
    plan.cursor_time_ns = place.time_ns;
    plan.cursor_id = place.id;
    if (fetch(l, &plan, &rows))
        answer_found(l, &rows);
}

// --- GetLogRecord ------------------------------------------------------------------------------

static void put_record(struct skep_api__logs *l, const struct skep_row *row, skep_str pointer)
{
    struct skep_arena *a = &l->job->arena;
    struct skep_json *json = skep_api__logs_begin(l);
    skep_str stream = SKEP_LOG_STREAM_NONE;
    skep_json_key(json, SKEP_STR("logRecord"));
    skep_json_object(json);
    for (unsigned i = 0; i < row->n_fields; i++) {
        const struct skep_row_field *f = &row->fields[i];
        skep_str text = text_of(a, &f->value), name = f->name;
        bool own = f->scope == SKEP_SCOPE_INTRINSIC;
        if (skep_str_eq(name, SKEP_LOG_STREAM) ||
            (skep_str_eq(name, SKEP_LOG_STREAM_ELSE) && skep_str_eq(stream, SKEP_LOG_STREAM_NONE)))
            stream = text;
        if (own && skep_str_eq(name, SKEP_BODY_FIELD))
            name = SKEP_STR("@message");
        else if (own &&
                 (skep_str_starts(name, SKEP_STR("meta.")) || skep_str_eq(name, SKEP_LOG_STREAM)))
            continue;
        else if (skep_str_starts(name, SKEP_LOG_RENAMED) &&
                 skep_log_renamed(skep_str_skip(name, SKEP_LOG_RENAMED.n)))
            name = skep_str_skip(name, SKEP_LOG_RENAMED.n);
        else if (skep_str_starts(name, SKEP_STR("@")))
            name = skep_arena_printf(a, "@" SKEP_STRFMT, SKEP_STRARG(name));
        skep_json_put_str(json, name, text);
    }
    skep_json_put_str(json, SKEP_STR("@log"),
                      skep_arena_printf(a, "000000000000:" SKEP_STRFMT, SKEP_STRARG(row->dataset)));
    skep_json_put_str(json, SKEP_STR("@logStream"), stream);
    skep_json_put_str(json, SKEP_STR("@timestamp"),
                      skep_arena_printf(a, "%lld", (long long)(row->time_ns / 1000000)));
    skep_json_put_str(json, SKEP_STR("@ingestionTime"),
                      skep_arena_printf(a, "%lld", (long long)(row->received_ns / 1000000)));
    skep_json_put_str(json, SKEP_STR("@ptr"), pointer);
    skep_json_end(json);
    skep_api__logs_end(l);
}

void skep_api__logs_get_log_record(struct skep_api__logs *l)
{
    skep_err err;
    struct skep_logs_place place;
    struct skep_answer a = {0};
    skep_str pointer =
        skep_aws_str(&l->args, l->in, "logRecordPointer", &(struct skep_aws_len){1, 0, true});
    if (!skep_api__logs_valid(l))
        return;
    if (!skep_logs_id_read(pointer, &place)) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "The specified logRecordPointer is invalid.");
        return;
    }
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_ROW, .range = {0, INT64_MAX}, .limit = 1, .row_id = place.id};
    skep_rc rc = skep_query_run(l->job->api->cfg.store, &plan, &l->job->opts, &a, &err);
    if (rc == SKEP_ENOTFOUND || (rc == SKEP_OK && a.rows.n == 0))
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND,
                            "The specified log record does not exist: it may have expired.");
    else if (rc != SKEP_OK)
        skep_api__logs_fail_rc(l, rc, &err);
    else
        put_record(l, &a.rows.rows[0], pointer);
}
