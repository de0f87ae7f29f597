// SPDX-License-Identifier: Apache-2.0
/* Events -> rows.
 *
 *   time, dataset, body     timestamp, log group, the message as it came
 *   log.stream, log.bytes   the stream, the message's octets
 *   attributes              the fields of a message that is JSON or logfmt (logs_fields.c)
 *   severity, trace         what those or the text say (logs_text.c)
 *   resource                of the whole request: the entity, and what the stream's name tells
 *
 * A stream of the form HOST/PROGRAM/LOGGER/PID, which watchtower makes, tells where its lines come
 * from; so they meet what else the process reports.
 *
 * Threads: any.  Memory: the batch's budget. */
#include "ingest/logs_priv.h"

#include "base/assert.h"
#include "event/log.h"
#include "wire/json_in.h"

// --- resources ---------------------------------------------------------------------------------

static skep_value text(skep_str s)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = s};
}

static skep_str last_part(skep_str *s)
{
    size_t at = s->n;
    while (at > 0 && s->p[at - 1] != '/')
        at--;
    skep_str part = skep_str_skip(*s, at);
    s->n = at ? at - 1 : 0;
    return part;
}

static void put_process(struct skep_batch_list *l, skep_str stream)
{
    skep_str rest = stream;
    uint64_t number = 0;
    skep_str pid = last_part(&rest);
    skep_str logger = last_part(&rest);
    size_t slash = skep_str_chr(rest, '/');
    if (slash == SIZE_MAX || slash == 0 || slash + 1 >= rest.n || logger.n == 0)
        return;
    if (!skep_str_u64(pid, &number) || number == 0 || number > INT32_MAX)
        return;
    skep_batch_list_put(l, SKEP_STR("host.name"), text((skep_str){rest.p, slash}));
    skep_batch_list_put(l, SKEP_STR("process.executable.name"),
                        text(skep_str_skip(rest, slash + 1)));
    skep_batch_list_put(l, SKEP_STR("log.logger"), text(logger));
    skep_batch_list_put(l, SKEP_STR("process.pid"),
                        (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)number});
}

static void put_entity(struct skep_batch_list *l, yyjson_val *map, struct skep_buf *name)
{
    static const struct {
        const char *key;
        skep_str name;
    } known[] = {{"Name", SKEP_STR_INIT("service.name")},
                 {"Environment", SKEP_STR_INIT("deployment.environment.name")}};
    size_t i, max;
    yyjson_val *key, *v;
    yyjson_obj_foreach(map, i, max, key, v)
    {
        if (!yyjson_is_str(v))
            continue;
        skep_value value = text((skep_str){yyjson_get_str(v), yyjson_get_len(v)});
        skep_buf_reset(name);
        skep_buf_str(name, SKEP_STR("aws.entity."));
        skep_buf_put(name, yyjson_get_str(key), yyjson_get_len(key));
        for (size_t k = 0; k < SKEP_ARRAY_LEN(known); k++)
            if (yyjson_equals_str(key, known[k].key)) {
                skep_buf_reset(name);
                skep_buf_str(name, known[k].name);
            }
        if (!name->bad)
            skep_batch_list_put(l, skep_buf_text(name), value);
    }
}

static uint32_t resource_of(struct skep_logs__dec *d, const struct skep_logs_put *put)
{
    struct skep_batch_list *l = skep_batch_list_begin(d->b);
    put_process(l, put->stream);
    if (put->entity) {
        put_entity(l, yyjson_obj_get(put->entity, "attributes"), &d->name);
        put_entity(l, yyjson_obj_get(put->entity, "keyAttributes"), &d->name);
    }
    return skep_batch_list_end(l, &d->b->resources);
}

// --- rows --------------------------------------------------------------------------------------

static void put_own(struct skep_logs__dec *d, const struct skep_logs_put *put, skep_str message)
{
    struct skep_batch *b = d->b;
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_BODY_FIELD, text(message));
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_LOG_STREAM, text(put->stream));
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_LOG_BYTES,
                   (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)message.n});
    if (d->says.severity_text.n)
        skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("severity_text"),
                       text(d->says.severity_text));
}

static void one_row(struct skep_logs__dec *d, const struct skep_logs_put *put,
                    const struct skep_logs_event *e, uint32_t dataset, uint32_t resource)
{
    struct skep_batch *b = d->b;
    uint32_t row = skep_batch_row(b, SKEP_KIND_LOG, e->time_ms * 1000000, SKEP_SOURCE_LOGS);
    b->dataset[row] = dataset;
    b->resource[row] = resource;
    d->n_fields = 0;
    d->level_rank = 0;
    d->says = (struct skep_logs__says){0};
    if (!skep_logs__json(d, e->message))
        (void)skep_logs__logfmt(d, e->message); /* most lines are neither */
    skep_logs__look(e->message, &d->says);
    put_own(d, put, e->message);
    b->severity[row] = d->says.severity;
    b->trace_id[row] = d->says.trace_id;
    b->parent_id[row] = d->says.span_id;
}

skep_rc skep_logs_rows(const struct skep_logs_put *put, size_t first, size_t end,
                       struct skep_batch *b, skep_err *err)
{
    struct skep_logs__dec d = {.b = b, .alc = skep_json_alc(b->budget)};
    skep_assert(first <= end && end <= put->n);
    skep_buf_init(&d.name, SKEP_LIMIT_NAME_BYTES);
    skep_buf_init(&d.text, SKEP_LOGS_BYTES_MAX);
    uint32_t dataset = skep_batch_intern(b, put->group);
    uint32_t resource = resource_of(&d, put);
    for (size_t i = first; i < end && !b->over_budget && !b->over_limit; i++)
        one_row(&d, put, &put->events[i], dataset, resource);
    skep_buf_done(&d.name);
    skep_buf_done(&d.text);
    if (b->over_budget)
        return skep_fail(err, SKEP_ENOMEM, "no memory left for this request, try again later");
    if (b->over_limit)
        return skep_fail(err, SKEP_ETOOLARGE, "a request may hold %d distinct fields",
                         SKEP_LIMIT_FIELDS_PER_BATCH);
    return SKEP_OK;
}
