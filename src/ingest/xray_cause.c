// SPDX-License-Identifier: Apache-2.0
/* Causes and links of a segment or subsegment -> rows.
 *
 *   cause.exceptions[]   SPAN_EVENT "exception" at the end of the span: exception.type, .message,
 *                        .stacktrace; aws.xray.exception.id, .cause, .remote, .truncated, .skipped
 *   links[]              LINK: trace.link.trace_id, trace.link.span_id, its attributes
 *
 * A cause may also be the id of an exception that another subsegment has, as text or as {"id"}.
 * Stacks are written innermost frame first; the SDK for Python sends them the other way round.
 *
 * Threads, memory: as the decoder. */
#include "base/assert.h"
#include "ingest/xray_priv.h"

#include <inttypes.h>

#define A SKEP_SCOPE_ATTRIBUTE
#define R(path, name)                                                                              \
    {                                                                                              \
        path, SKEP_STR_INIT(name)                                                                  \
    }

static const struct skep_xray__rename members[] = {
    R("id", "aws.xray.exception.id"),           R("cause", "aws.xray.exception.cause"),
    R("remote", "aws.xray.exception.remote"),   R("truncated", "aws.xray.exception.truncated"),
    R("skipped", "aws.xray.exception.skipped"),
};

bool skep_xray__has_cause(yyjson_val *node)
{
    yyjson_val *cause = yyjson_obj_get(node, "cause");
    return yyjson_is_str(cause) || skep_xray__str(cause, "id").n > 0 ||
           yyjson_arr_size(yyjson_obj_get(cause, "exceptions")) > 0;
}

static void put_frame(struct skep_buf *out, yyjson_val *frame)
{
    skep_str label = skep_xray__str(frame, "label"), path = skep_xray__str(frame, "path");
    double line;
    skep_buf_printf(out, "\n\tat " SKEP_STRFMT "(" SKEP_STRFMT, SKEP_STRARG(label),
                    SKEP_STRARG(path));
    if (skep_xray__number(yyjson_obj_get(frame, "line"), &line) && line >= 0 && line < 0x1p53)
        skep_buf_printf(out, ":%" PRIu64, (uint64_t)line);
    skep_buf_u8(out, ')');
}

static bool is_native(yyjson_val *frame)
{
    return skep_xray__str(frame, "module").n > 0 && skep_xray__str(frame, "offset").n > 0;
}

/* A frame of a compiled program (docs/formats/native-stacks.md). */
static void put_native(struct skep_buf *out, yyjson_val *frame, size_t number)
{
    skep_str label = skep_xray__str(frame, "label"), path = skep_xray__str(frame, "path");
    skep_str module = skep_xray__str(frame, "module"), id = skep_xray__str(frame, "build_id");
    skep_str offset = skep_xray__str(frame, "offset");
    double line;
    skep_buf_printf(out, "\n    #%zu", number);
    if (is_native(frame))
        skep_buf_printf(out, " " SKEP_STRFMT "%s", SKEP_STRARG(offset),
                        label.n && label.p[0] != '+' ? " in" : "");
    if (label.n && label.p[0] != '+')
        skep_buf_printf(out, " " SKEP_STRFMT, SKEP_STRARG(label));
    if (skep_xray__number(yyjson_obj_get(frame, "line"), &line) && line > 0 && line < 0x1p53)
        skep_buf_printf(out, " " SKEP_STRFMT ":%" PRIu64, SKEP_STRARG(path), (uint64_t)line);
    if (is_native(frame))
        skep_buf_printf(out, " (" SKEP_STRFMT "+" SKEP_STRFMT ")", SKEP_STRARG(module),
                        SKEP_STRARG(offset));
    if (is_native(frame) && id.n)
        skep_buf_printf(out, " (BuildId: " SKEP_STRFMT ")", SKEP_STRARG(id));
}

/* The frames, innermost first.  One that says where in a binary it is makes all of them a compiled
 * program's. */
static void put_frames(struct skep_xray__dec *d, yyjson_val *stack)
{
    size_t i, n = yyjson_arr_size(stack), k = 0;
    yyjson_val **all = skep_new_n(d->arena, yyjson_val *, n), *frame;
    bool native = d->doc->owner->compiled;
    yyjson_arr_foreach(stack, i, n, frame)
    {
        all[d->doc->owner->outermost_first ? n - 1 - i : i] = frame;
        native = native || is_native(frame);
    }
    for (; k < n; k++) {
        if (native)
            put_native(&d->text, all[k], k);
        else
            put_frame(&d->text, all[k]);
    }
}

/* "Type: message\n\tat label(path:line)...", of a compiled program "Type: message\n    #0 ...";
 * empty without frames. */
static skep_str stack_of(struct skep_xray__dec *d, yyjson_val *x)
{
    yyjson_val *stack = yyjson_obj_get(x, "stack");
    skep_str type = skep_xray__str(x, "type"), message = skep_xray__str(x, "message");
    skep_buf_reset(&d->text);
    if (yyjson_arr_size(stack) == 0)
        return SKEP_STR_NULL;
    skep_buf_printf(&d->text, SKEP_STRFMT "%s" SKEP_STRFMT, SKEP_STRARG(type),
                    type.n && message.n ? ": " : "", SKEP_STRARG(message));
    put_frames(d, stack);
    return d->text.bad ? SKEP_STR_NULL : skep_buf_text(&d->text);
}

/* What events and links of OpenTelemetry have, too. */
static void put_place(struct skep_xray__dec *d, const struct skep_xray__span *s, skep_ts_ns time_ns)
{
    if (s->name.n)
        skep_xray__put_text(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("parent_name"), s->name);
    if (time_ns < 0)
        return;
    int64_t ns;
    if (SKEP_SUB_OVERFLOW(time_ns, s->start_ns, &ns)) // a start long before 1970
        ns = INT64_MAX;
    double ms = ns > 0 ? (double)ns / 1e6 : 0;
    skep_batch_put(d->b, SKEP_SCOPE_INTRINSIC, SKEP_STR("meta.time_since_span_start_ms"),
                   (skep_value){.type = SKEP_TYPE_DOUBLE, .f = ms});
}

static bool put_exception(struct skep_xray__dec *d, yyjson_val *x, const struct skep_xray__span *s,
                          struct skep_xray__exception *ret)
{
    skep_ts_ns time_ns = SKEP_MAX(s->end_ns, s->start_ns);
    uint32_t r = skep_xray__row(d, SKEP_KIND_SPAN_EVENT, time_ns, s);
    if (d->too_many)
        return false;
    d->b->name[r] = skep_batch_intern(d->b, SKEP_STR("exception"));
    put_place(d, s, SKEP_MAX(time_ns, 0));
    skep_str type = skep_xray__str(x, "type"), message = skep_xray__str(x, "message");
    skep_str stack = stack_of(d, x);
    skep_xray__put_text(d, A, SKEP_STR("exception.type"), type);
    skep_xray__put_text(d, A, SKEP_STR("exception.message"), message);
    if (stack.n)
        skep_xray__put_text(d, A, SKEP_STR("exception.stacktrace"), stack);
    if (ret)
        *ret = (struct skep_xray__exception){type, message, skep_arena_str(d->arena, stack)};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(members); i++) {
        yyjson_val *v = yyjson_obj_get(x, members[i].path);
        if (v)
            skep_xray__put(d, members[i].name, v);
    }
    return true;
}

unsigned skep_xray__put_exceptions(struct skep_xray__dec *d, yyjson_val *node,
                                   const struct skep_xray__span *s,
                                   struct skep_xray__exception *ret_first)
{
    yyjson_val *list = yyjson_obj_get(yyjson_obj_get(node, "cause"), "exceptions"), *x;
    size_t i, n;
    unsigned found = 0;
    yyjson_arr_foreach(list, i, n, x)
    {
        if (!yyjson_is_obj(x))
            continue;
        if (!put_exception(d, x, s, found == 0 ? ret_first : NULL))
            return found;
        found++;
    }
    return found;
}

static void put_link_ids(struct skep_xray__dec *d, yyjson_val *link)
{
    char hex[32];
    skep_trace_id trace;
    skep_str text = skep_xray__str(link, "trace_id"), span = skep_xray__str(link, "id");
    if (text.n && skep_xray_trace_id(text, &trace)) {
        skep_hex_encode((skep_bytes){trace.b, sizeof trace.b}, hex);
        text = (skep_str){hex, sizeof hex};
    }
    if (text.n)
        skep_xray__put_text(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("trace.link.trace_id"), text);
    if (span.n)
        skep_xray__put_text(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("trace.link.span_id"), span);
}

unsigned skep_xray__put_links(struct skep_xray__dec *d, yyjson_val *node,
                              const struct skep_xray__span *s)
{
    yyjson_val *list = yyjson_obj_get(node, "links"), *link;
    size_t i, n;
    unsigned found = 0;
    yyjson_arr_foreach(list, i, n, link)
    {
        if (!yyjson_is_obj(link))
            continue;
        (void)skep_xray__row(d, SKEP_KIND_LINK, s->start_ns, s); // its number is the newest row's
        if (d->too_many)
            return found;
        found++;
        put_place(d, s, -1);
        put_link_ids(d, link);
        skep_xray__put_members(d, "", yyjson_obj_get(link, "attributes"));
    }
    return found;
}
