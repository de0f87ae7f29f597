// SPDX-License-Identifier: Apache-2.0
/* An item's body -> the exception's fields, its place in the code, its fingerprint.
 *
 *   trace          one exception, frames oldest first (rollbar-go: newest first)
 *   trace_chain    raised last first
 *   message        no exception: the text's fingerprint
 *   crash_report   a text that skep_stack_parse may read; else a message
 *
 *   fingerprint    the item's own when it gives one (longer than 40: its SHA1), else computed */
#include "base/assert.h"
#include "ingest/faults.h"
#include "ingest/rollbar_priv.h"
#include "symbols/symbols.h"

enum { TITLE_MAX = 255 };

static uint32_t number(yyjson_val *v)
{
    return yyjson_is_uint(v) && yyjson_get_uint(v) <= UINT32_MAX ? (uint32_t)yyjson_get_uint(v) : 0;
}

/* The place in a binary (docs/formats/native-stacks.md). */
static void read_offset(yyjson_val *f, struct skep_frame *ret)
{
    yyjson_val *v = yyjson_obj_get(f, "offset");
    v = v ? v : yyjson_obj_get(f, "module_offset");
    ret->build_id = skep_rollbar__str(f, "build_id");
    ret->has_offset = yyjson_is_uint(v) || skep_stack_offset(skep_rollbar__text(v), &ret->offset);
    if (yyjson_is_uint(v))
        ret->offset = yyjson_get_uint(v);
}

/* A sender that knows no name writes "app+0x1394" for the method and the binary for the file. In a
 * stack as text (native.c) such a frame is the offset alone: here, too, so that what a program
 * reports over both wires is one error. */
static void forget_made_up_name(struct skep_frame *f)
{
    skep_str name, offset;
    if (!f->has_offset || f->line > 0 || !skep_str_eq(f->file, f->module))
        return;
    size_t plus = f->function.n;
    while (plus > 0 && f->function.p[plus - 1] != '+')
        plus--;
    if (plus < 2)
        return;
    name = (skep_str){f->function.p, plus - 1};
    offset = skep_str_skip(f->function, plus);
    if (!skep_str_starts(offset, SKEP_STR("0x")) || name.n > f->module.n ||
        !skep_str_eq(skep_str_skip(f->module, f->module.n - name.n), name))
        return;
    f->function = offset;
    f->file = SKEP_STR_NULL;
}

static struct skep_frame frame_of(yyjson_val *f)
{
    struct skep_frame ret = {.file = skep_rollbar__str(f, "filename"),
                             .function = skep_rollbar__str(f, "method"),
                             .module = skep_rollbar__str(f, "class_name"),
                             .line = number(yyjson_obj_get(f, "lineno")),
                             .column = number(yyjson_obj_get(f, "colno"))};
    if (ret.file.n == 0)
        ret.file = skep_rollbar__str(f, "url");
    if (ret.module.n == 0)
        ret.module = skep_rollbar__str(f, "module");
    read_offset(f, &ret);
    forget_made_up_name(&ret);
    return ret;
}

/* Of more frames than are kept the outer and the inner half. */
static void exception_of(struct skep_arena *arena, yyjson_val *trace, bool newest_first,
                         struct skep_exception *ret)
{
    yyjson_val *list = yyjson_obj_get(trace, "frames"), *f;
    yyjson_val *exception = yyjson_obj_get(trace, "exception");
    size_t i, max, n = yyjson_is_arr(list) ? yyjson_arr_size(list) : 0;
    size_t keep = SKEP_MIN(n, (size_t)SKEP_STACK_FRAMES_MAX), gap = n - keep;
    *ret = (struct skep_exception){.type = skep_rollbar__str(exception, "class"),
                                   .message = skep_rollbar__str(exception, "message"),
                                   .frames = skep_new_n(arena, struct skep_frame, keep + 1),
                                   .n_frames = (uint32_t)keep};
    yyjson_arr_foreach(list, i, max, f)
    {
        if (i >= keep / 2 && i < keep / 2 + gap)
            continue;
        size_t at = i < keep / 2 ? i : i - gap;
        ret->frames[newest_first ? keep - 1 - at : at] = frame_of(f);
    }
}

bool skep_rollbar__stack(struct skep_arena *arena, yyjson_val *data, struct skep_stack *ret)
{
    yyjson_val *body = yyjson_obj_get(data, "body"), *trace;
    yyjson_val *chain = yyjson_obj_get(body, "trace_chain");
    yyjson_val *one = yyjson_obj_get(body, "trace");
    size_t i, max;
    bool newest_first = skep_str_eq(skep_rollbar__str(yyjson_obj_get(data, "notifier"), "name"),
                                    SKEP_STR("rollbar-go"));
    *ret = (struct skep_stack){.language = skep_rollbar__str(data, "language")};
    ret->chain = skep_new_n(arena, struct skep_exception, SKEP_STACK_CHAIN_MAX);
    if (yyjson_is_obj(one))
        exception_of(arena, one, newest_first, &ret->chain[ret->n++]);
    yyjson_arr_foreach(chain, i, max, trace)
    {
        if (ret->n == SKEP_STACK_CHAIN_MAX)
            break;
        if (yyjson_is_obj(trace))
            exception_of(arena, trace, newest_first, &ret->chain[ret->n++]);
    }
    skep_str raw = skep_rollbar__str(yyjson_obj_get(body, "crash_report"), "raw");
    if (ret->n == 0 && raw.n > 0)
        (void)skep_stack_parse(raw, ret->language, arena, ret);
    return ret->n > 0;
}

static skep_str cut_title(skep_str s)
{
    skep_str line = skep_str_cut(&s, '\n');
    if (line.n > TITLE_MAX)
        line.n = TITLE_MAX;
    while (line.n && !skep_utf8_valid(line))
        line.n--;
    return line;
}

static void put_place(struct skep_rollbar__dec *d, const struct skep_frame *f)
{
    if (!f)
        return;
    skep_rollbar__put(d, "code.file.path", f->file);
    skep_rollbar__put(d, "code.function.name", f->function);
    if (f->line)
        skep_rollbar__put_int(d, "code.line.number", f->line);
}

static void put_fingerprint(struct skep_rollbar__dec *d, skep_str own,
                            const struct skep_fingerprint *computed)
{
    struct skep_fingerprint hashed;
    skep_str f = skep_fingerprint_str(computed);
    if (own.n > SKEP_FINGERPRINT_HEX) {
        hashed = skep_fingerprint_text(own);
        f = skep_fingerprint_str(&hashed);
    } else if (own.n > 0)
        f = own;
    skep_rollbar__put_own(d, "error.fingerprint", f);
    if (own.n > 0)
        skep_rollbar__put_own(d, "error.fingerprint.computed", skep_fingerprint_str(computed));
}

static skep_str put_exception(struct skep_rollbar__dec *d, yyjson_val *data,
                              struct skep_stack *stack)
{
    struct skep_fingerprint loose;
    skep_str root = skep_rollbar__str(yyjson_obj_get(data, "server"), "root");
    const struct skep_exception *e = &stack->chain[0];
    if (d->opts->symbols)
        skep_symbols_apply(d->opts->symbols, d->opts->environment, skep_rollbar__version(data),
                           stack, d->opts->arena);
    skep_stack_own(stack, root);
    struct skep_fingerprint f = skep_fingerprint_exception(stack, NULL, &loose);
    put_fingerprint(d, skep_rollbar__str(data, "fingerprint"), &f);
    skep_rollbar__put_own(d, "error.fingerprint.loose", skep_fingerprint_str(&loose));
    skep_rollbar__put(d, "exception.type", e->type);
    skep_rollbar__put(d, "exception.message", e->message);
    put_place(d, skep_stack_culprit(stack));
    skep_rollbar__put_own(d, "error.culprit",
                          skep_fault_culprit(skep_stack_culprit(stack), d->opts->arena));
    if (e->type.n == 0)
        return e->message;
    return e->message.n == 0 ? e->type
                             : skep_arena_printf(d->opts->arena, SKEP_STRFMT ": " SKEP_STRFMT,
                                                 SKEP_STRARG(e->type), SKEP_STRARG(e->message));
}

skep_str skep_rollbar__put_body(struct skep_rollbar__dec *d, yyjson_val *data)
{
    struct skep_stack stack;
    yyjson_val *body = yyjson_obj_get(data, "body");
    skep_str title = skep_rollbar__str(data, "title"), text;
    if (skep_rollbar__stack(d->opts->arena, data, &stack)) {
        text = put_exception(d, data, &stack);
    } else {
        text = skep_rollbar__text(yyjson_obj_get(yyjson_obj_get(body, "message"), "body"));
        if (text.n == 0)
            text = skep_rollbar__str(yyjson_obj_get(body, "crash_report"), "raw");
        struct skep_fingerprint f = skep_fingerprint_message(text);
        put_fingerprint(d, skep_rollbar__str(data, "fingerprint"), &f);
    }
    if (text.n > 0)
        skep_batch_put(d->b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = text});
    return cut_title(title.n ? title : text);
}

bool skep_rollbar_exceptions(skep_str kept, struct skep_symbols *symbols, skep_str environment,
                             struct skep_arena *arena, struct skep_stack *ret)
{
    char *text = skep_cstr(arena, kept); /* what is read points into it */
    size_t most = yyjson_read_max_memory_usage(kept.n, 0);
    yyjson_alc alc;
    void *pool = skep_arena_try_alloc(arena, most);
    *ret = (struct skep_stack){.n = 0};
    if (!pool || !yyjson_alc_pool_init(&alc, pool, most))
        return false;
    yyjson_doc *doc = yyjson_read_opts(text, kept.n, 0, &alc, NULL);
    yyjson_val *data = yyjson_doc_get_root(doc); /* lives in the pool, not freed */
    if (!yyjson_is_obj(data) || !skep_rollbar__stack(arena, data, ret))
        return false;
    if (symbols)
        skep_symbols_apply(symbols, environment, skep_rollbar__version(data), ret, arena);
    skep_stack_own(ret, skep_rollbar__str(yyjson_obj_get(data, "server"), "root"));
    return true;
}
