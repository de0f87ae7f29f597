// SPDX-License-Identifier: Apache-2.0
/*
 * db_spans.c - spans of database calls by OpenTelemetry's conventions
 *
 * Threads: no state.
 */
#include "semconv.h"

#include <stdio.h>

enum { QUERY_MAX = 4096, SUMMARY_MAX = 256 };

static void db_span_name(const waggle_db_call *c, const char *summary, char ret[SUMMARY_MAX])
{
    if (summary[0] != '\0')
        (void)snprintf(ret, SUMMARY_MAX, "%s", summary);
    else if (c->operation != NULL)
        (void)snprintf(ret, SUMMARY_MAX, "%s%s%s", c->operation, c->collection ? " " : "", // cut
                       c->collection ? c->collection : "");
    else
        (void)snprintf(ret, SUMMARY_MAX, "%s", c->system ? c->system : "query");
}

waggle_span waggle_db_start(struct waggle_tracer *tracer, const waggle_db_call *given)
{
    waggle_db_call call = {0};
    struct waggle__conv c;
    char query[QUERY_MAX];
    char summary[SUMMARY_MAX] = "";
    char name[SUMMARY_MAX];
    if (!waggle_tracer_enabled(tracer))
        return WAGGLE_SPAN_NONE;
    memcpy(&call, given,
           given->struct_size ? WAGGLE__MIN(given->struct_size, sizeof call) : sizeof call);
    waggle__conv_init(&c, WAGGLE__SEMCONV_DATABASE);
    waggle__conv_str(&c, "db.system.name", "db.system", call.system);
    waggle__conv_str(&c, "db.namespace", "db.name", call.name_space);
    if (call.query != NULL) {
        size_t n = strlen(call.query);
        (void)waggle_sql_sanitize(call.query, n, query, sizeof query);
        (void)waggle_sql_summary(call.query, n, summary, sizeof summary);
        waggle__conv_str(&c, "db.query.text", "db.statement", query);
        size_t word = strcspn(summary, " ");
        if (word > 0 && call.operation == NULL)
            waggle__conv_strn(&c, "db.operation.name", "db.operation", summary, word);
        if (summary[word] == ' ' && call.collection == NULL)
            waggle__conv_str(&c, "db.collection.name", "db.sql.table", summary + word + 1);
        if (word > 0)
            waggle__conv_str(&c, "db.query.summary", NULL, summary);
    }
    waggle__conv_str(&c, "db.query.text", "db.statement", call.text);
    waggle__conv_str(&c, "db.operation.name", "db.operation", call.operation);
    waggle__conv_str(&c, "db.collection.name", "db.sql.table", call.collection);
    waggle__conv_str(&c, "server.address", "net.peer.name", call.server_address);
    if (call.server_port > 0)
        waggle__conv_i64(&c, "server.port", "net.peer.port", call.server_port);
    db_span_name(&call, summary, name);
    return waggle_span_start(tracer, name,
                             &(waggle_span_opts){.kind = WAGGLE_KIND_CLIENT,
                                                 .context = call.context,
                                                 .attributes = waggle__conv_attrs(&c)});
}

void waggle_db_end(waggle_span span, const char *error, const char *message)
{
    if (error != NULL && waggle_span_is_recording(span)) {
        struct waggle__conv c;
        waggle__conv_init(&c, WAGGLE__SEMCONV_DATABASE);
        waggle__conv_str(&c, "error.type", NULL, error);
        waggle__conv_str(&c, "db.response.status_code", NULL, error);
        waggle_span_set(span, waggle__conv_attrs(&c));
        waggle_span_set_status(span, WAGGLE_STATUS_ERROR, message ? message : error);
    }
    waggle_span_end(span);
}
