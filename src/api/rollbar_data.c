// SPDX-License-Identifier: Apache-2.0
/* `data` of an occurrence (rollbar_data.h).
 *
 *   a Rollbar item          what is kept of it, word for word
 *   another wire's report   {timestamp, environment, level, code_version, language, context, body:
 *                           {trace_chain: its stack, or message: its text}}
 *
 * Threads: any.  Memory: the source's arena. */
#include "api/rollbar_data.h"

#include <yyjson.h>

#include "api/rollbar_priv.h"
#include "base/assert.h"
#include "stack/stack.h"
#include "wire/json_in.h"

static skep_str text_of(struct skep_arena *arena, const struct skep_row *row, skep_str name)
{
    skep_value v = skep_api__field(arena, row, name);
    return v.type == SKEP_TYPE_STRING ? v.s : SKEP_STR_NULL;
}

skep_str skep_api__rb_stage_of(struct skep_arena *arena, const struct skep_row *row)
{
    skep_str stage = text_of(arena, row, skep_api__rb_stage);
    return stage.n ? stage : text_of(arena, row, skep_api__rb_old_stage);
}

static void put_frames(struct skep_json *j, const struct skep_exception *e)
{
    skep_json_key(j, SKEP_STR("frames"));
    skep_json_array(j);
    for (uint32_t i = 0; i < e->n_frames; i++) {
        const struct skep_frame *f = &e->frames[i];
        skep_json_object(j);
        skep_api__rb_put_text(j, SKEP_STR("filename"), f->file);
        skep_api__rb_put_text(j, SKEP_STR("method"), f->function);
        if (f->line)
            skep_json_put_u64(j, SKEP_STR("lineno"), f->line);
        if (f->column)
            skep_json_put_u64(j, SKEP_STR("colno"), f->column);
        skep_json_end(j);
    }
    skep_json_end(j);
}

static void put_body(struct skep_json *j, const struct skep_api__rb_source *x, skep_str environment,
                     const struct skep_row *row)
{
    struct skep_stack s = {.n = 0};
    skep_api__stack_of(x->arena, environment, row, x->symbols, &s);
    skep_json_key(j, SKEP_STR("body"));
    skep_json_object(j);
    if (s.n == 0) {
        skep_json_key(j, SKEP_STR("message"));
        skep_json_object(j);
        skep_json_put_str(j, SKEP_STR("body"), text_of(x->arena, row, SKEP_BODY_FIELD));
        skep_json_end(j);
    } else {
        skep_json_key(j, SKEP_STR("trace_chain"));
        skep_json_array(j);
        for (uint32_t i = 0; i < s.n; i++) {
            skep_json_object(j);
            skep_json_key(j, SKEP_STR("exception"));
            skep_json_object(j);
            skep_json_put_str(j, SKEP_STR("class"), s.chain[i].type);
            skep_json_put_str(j, SKEP_STR("message"), s.chain[i].message);
            skep_json_end(j);
            put_frames(j, &s.chain[i]);
            skep_json_end(j);
        }
        skep_json_end(j);
    }
    skep_json_end(j);
}

void skep_api__rb_data_made(struct skep_json *j, const struct skep_api__rb_source *x,
                            skep_str environment, const struct skep_row *row)
{
    static const skep_str own[] = {SKEP_STR_INIT("service.version"),
                                   SKEP_STR_INIT("telemetry.sdk.language"),
                                   SKEP_STR_INIT("error.context")},
                          theirs[] = {SKEP_STR_INIT("code_version"), SKEP_STR_INIT("language"),
                                      SKEP_STR_INIT("context")};
    struct skep_arena *arena = x->arena;
    int level = skep_inbox_level(text_of(arena, row, SKEP_STR("error.level")), row->severity);
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("timestamp"), row->time_ns / 1000000000);
    skep_json_put_str(j, SKEP_STR("environment"), skep_api__rb_stage_of(arena, row));
    skep_json_put_str(j, SKEP_STR("level"), skep_api__item_level_name(level));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(own); i++) {
        skep_str text = text_of(arena, row, own[i]);
        if (text.n)
            skep_json_put_str(j, theirs[i], text);
    }
    put_body(j, x, environment, row);
    skep_json_end(j);
}

/* What is kept of a Rollbar item, if it is an object: rows may be imported with anything there. */
static skep_str kept_of(const struct skep_api__rb_source *x, const struct skep_row *row)
{
    if (row->source != SKEP_SOURCE_ROLLBAR)
        return SKEP_STR_NULL;
    yyjson_alc alc = skep_json_alc(x->budget);
    skep_str kept = text_of(x->arena, row, SKEP_RAW_FIELD);
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)kept.p, kept.n, 0, &alc, NULL);
    bool object = yyjson_is_obj(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return object ? kept : SKEP_STR_NULL;
}

void skep_api__rb_data(struct skep_json *j, const struct skep_api__rb_source *x,
                       skep_str environment, const struct skep_row *row)
{
    skep_str kept = kept_of(x, row);
    if (kept.n)
        skep_json_raw(j, kept);
    else
        skep_api__rb_data_made(j, x, environment, row);
}
