// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/stack/:id: the exceptions of an occurrence, frame by frame, and what of them its
 * fingerprint was made of.
 *
 *   a Rollbar item          its frames                                 ingest/rollbar.h
 *   exception.stacktrace    the trace as its language prints it        stack/stack.h
 *   a log line's body       the trace in it
 *   none of them            an exception without frames, by exception.type and .message
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/items.h"

#include "base/assert.h"
#include "ingest/rollbar.h"
#include "query/query.h"
#include "stack/fingerprint.h"
#include "symbols/symbols.h"

static skep_str text_of(struct skep_arena *arena, const struct skep_row *row, const char *name)
{
    skep_value v = skep_api__field(arena, row, skep_str_c(name));
    return v.type == SKEP_TYPE_STRING ? v.s : SKEP_STR_NULL;
}

void skep_api__stack_of(struct skep_arena *arena, skep_str environment, const struct skep_row *row,
                        struct skep_symbols *symbols, struct skep_stack *ret)
{
    skep_str trace = text_of(arena, row, "exception.stacktrace");
    skep_str type = text_of(arena, row, "exception.type");
    skep_str message = text_of(arena, row, "exception.message");
    if (row->source == SKEP_SOURCE_ROLLBAR &&
        skep_rollbar_exceptions(text_of(arena, row, "meta.raw"), symbols, environment, arena, ret))
        return;
    if (trace.n == 0)
        trace = text_of(arena, row, "body");
    if (!skep_stack_parse(trace, text_of(arena, row, "telemetry.sdk.language"), arena, ret)) {
        ret->chain = skep_new(arena, struct skep_exception);
        ret->n = type.n || message.n ? 1 : 0;
    }
    if (ret->n == 0)
        return;
    ret->chain[0].type = type.n ? type : ret->chain[0].type;
    ret->chain[0].message = message.n ? message : ret->chain[0].message;
    if (symbols)
        skep_symbols_apply(symbols, environment, text_of(arena, row, "service.version"), ret,
                           arena);
    skep_stack_own(ret, SKEP_STR_NULL);
}

static void put_text(struct skep_json *j, skep_str key, skep_str text)
{
    if (text.n)
        skep_json_put_str(j, key, text);
}

/* "0x1394" */
static skep_str offset_text(uint64_t offset, char out[24])
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 24;
    do {
        out[--n] = digits[offset & 15];
        offset >>= 4;
    } while (offset);
    out[--n] = 'x';
    out[--n] = '0';
    return (skep_str){out + n, 24 - n};
}

static void put_lines(struct skep_json *j, skep_str key, const skep_str *lines, uint32_t n)
{
    skep_json_key(j, key);
    skep_json_array(j);
    for (uint32_t i = 0; i < n; i++)
        skep_json_str(j, lines[i]);
    skep_json_end(j);
}

static void put_code(struct skep_json *j, const struct skep_frame_code *c)
{
    skep_json_key(j, SKEP_STR("code"));
    skep_json_object(j);
    put_lines(j, SKEP_STR("before"), c->before, c->n_before);
    skep_json_put_str(j, SKEP_STR("line"), c->line);
    put_lines(j, SKEP_STR("after"), c->after, c->n_after);
    skep_json_end(j);
}

static void put_frame(struct skep_json *j, const struct skep_frame *f, bool inlined)
{
    skep_json_object(j);
    if (inlined)
        skep_json_put_bool(j, SKEP_STR("inlined"), true);
    if (f->sent) {
        skep_json_key(j, SKEP_STR("sent"));
        put_frame(j, f->sent, false);
    }
    if (f->code)
        put_code(j, f->code);
    put_text(j, SKEP_STR("build_id"), f->build_id);
    if (f->has_offset)
        skep_json_put_str(j, SKEP_STR("offset"), offset_text(f->offset, (char[24]){0}));
    put_text(j, SKEP_STR("file"), f->file);
    put_text(j, SKEP_STR("function"), f->function);
    put_text(j, SKEP_STR("module"), f->module);
    if (f->line)
        skep_json_put_u64(j, SKEP_STR("line"), f->line);
    if (f->column)
        skep_json_put_u64(j, SKEP_STR("column"), f->column);
    skep_json_put_bool(j, SKEP_STR("own"), f->own);
    skep_json_end(j);
}

/* Made of the same frame as the one that called it. */
static bool is_inlined(const struct skep_frame *frames, uint32_t i)
{
    return i > 0 && frames[i].sent && frames[i].sent == frames[i - 1].sent;
}

static void put_stack(struct skep_json *j, const struct skep_stack *s)
{
    put_text(j, SKEP_STR("language"), s->language);
    skep_json_key(j, SKEP_STR("exceptions"));
    skep_json_array(j);
    for (uint32_t c = 0; c < s->n; c++) {
        skep_json_object(j);
        put_text(j, SKEP_STR("type"), s->chain[c].type);
        put_text(j, SKEP_STR("message"), s->chain[c].message);
        skep_json_key(j, SKEP_STR("frames"));
        skep_json_array(j);
        for (uint32_t i = 0; i < s->chain[c].n_frames; i++)
            put_frame(j, &s->chain[c].frames[i], is_inlined(s->chain[c].frames, i));
        skep_json_end(j);
        skep_json_end(j);
    }
    skep_json_end(j);
}

/* Of what the fingerprint is made, in `why`. */
static struct skep_fingerprint fingerprint_of(struct skep_api__job *job, const struct skep_row *row,
                                              const struct skep_stack *s, struct skep_buf *why)
{
    if (s->n > 0)
        return skep_fingerprint_exception(s, why, NULL);
    skep_str body = text_of(&job->arena, row, "body");
    skep_fingerprint_clean(body, why);
    return skep_fingerprint_message(body);
}

/* Why the occurrence is in its group: what its fingerprint was made of when it came.  Maps and
 * debug files that came later are shown and change no group. */
static void put_why(struct skep_json *j, struct skep_api__job *job, const struct skep_row *row,
                    const struct skep_stack *s)
{
    struct skep_buf why;
    struct skep_stack sent;
    skep_str kept = text_of(&job->arena, row, "error.fingerprint");
    skep_buf_init(&why, 1 << 20);
    struct skep_fingerprint f = fingerprint_of(job, row, s, &why);
    bool later = false;
    if (!skep_str_eq(kept, skep_fingerprint_str(&f)) && job->api->cfg.symbols) {
        size_t n = why.n;
        skep_api__stack_of(&job->arena, job->req->caller.environment, row, NULL, &sent);
        struct skep_fingerprint before = fingerprint_of(job, row, &sent, &why);
        later = skep_str_eq(kept, skep_fingerprint_str(&before));
        f = later ? before : f;
        if (later)
            memmove(why.p, why.p + n, why.n - n);
        why.n = later ? why.n - n : n;
    }
    put_text(j, SKEP_STR("fingerprint"), kept);
    skep_json_put_str(j, SKEP_STR("computed"), skep_fingerprint_str(&f));
    skep_json_put_bool(j, SKEP_STR("by_sender"), !skep_str_eq(kept, skep_fingerprint_str(&f)));
    if (later)
        skep_json_put_bool(j, SKEP_STR("mapped_later"), true);
    skep_json_put_str(j, SKEP_STR("why"), skep_buf_text(&why));
    skep_buf_done(&why);
}

static skep_rc fetch(struct skep_api__job *job, const struct skep_row **ret, skep_err *err)
{
    struct skep_plan plan = {
        .kind = SKEP_PLAN_ROW, .range = {0, INT64_MAX}, .limit = 1, .raw = true};
    struct skep_answer a = {0};
    if (!skep_lang_row_id(skep_request_capture(job->req, 0), &plan.row_id))
        return skep_fail(err, SKEP_ENOTFOUND, "no such row (it may have expired)");
    SKEP_TRY(skep_query_run(job->api->cfg.store, &plan, &job->opts, &a, err));
    if (a.rows.n == 0)
        return skep_fail(err, SKEP_ENOTFOUND, "no such row (it may have expired)");
    *ret = &a.rows.rows[0];
    return SKEP_OK;
}

static void stack(struct skep_api__job *job)
{
    const struct skep_row *row = NULL;
    struct skep_stack s = {.n = 0};
    struct skep_json *j = &job->out.json;
    skep_err err = {.text = ""};
    skep_rc rc = fetch(job, &row, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_assert(row != NULL);
    skep_api__stack_of(&job->arena, job->req->caller.environment, row, job->api->cfg.symbols, &s);
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_api__put_row_id(j, SKEP_STR("id"), row->id);
    put_stack(j, &s);
    put_why(j, job, row, &s);
    skep_api__put_grouping(job, j, row);
    skep_api__put_other_reports(job, j, row->id);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, stack);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/stack/:id",
     .handle = handle,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_stack = {routes, SKEP_ARRAY_LEN(routes)};
