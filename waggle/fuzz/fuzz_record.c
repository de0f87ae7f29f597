// SPDX-License-Identifier: Apache-2.0
/* Records of any bytes: the readers stay inside them. */
#include "otlp_json.h"

static size_t sum; /* so that nothing read is optimised away */

static void touch(waggle_str s)
{
    for (size_t i = 0; i < s.n; i++)
        sum += (unsigned char)s.p[i];
}

static void value(const waggle_value_data *v, unsigned depth)
{
    waggle_cursor c = {0};
    waggle_value_data element;
    waggle_attr_data attr;
    touch(v->str);
    if (depth == 8)
        return;
    if (v->type == WAGGLE_LIST)
        while (waggle_value_next(v->encoded, &c, &element))
            value(&element, depth + 1);
    if (v->type == WAGGLE_MAP)
        while (waggle_attr_next(v->encoded, &c, &attr))
            value(&attr.value, depth + 1);
}

static void as_json(const waggle_record *record, enum waggle_signal signal)
{
    static const waggle_scope_info scope;
    static const waggle_resource_info resource;
    const waggle_scope_info *scopes[] = {&scope};
    const waggle_batch batch = {.struct_size = sizeof batch,
                                .signal = signal,
                                .resource = &resource,
                                .scopes = scopes,
                                .n_scopes = 1,
                                .records = record,
                                .n_records = 1};
    struct waggle__buf out;
    waggle__buf_init(&out, 1 << 24);
    if (waggle__otlp_json(&batch, &out))
        sum += out.n;
    waggle__buf_done(&out);
}

static void metric(const waggle_record *record)
{
    waggle_metric_data m;
    waggle_point_data p;
    waggle_attr_data attr;
    waggle_exemplar_data e;
    uint64_t n = 0;
    double upper = 0;
    if (!waggle_record_metric(record, &m))
        return;
    touch(m.name);
    touch(m.description);
    touch(m.unit);
    for (waggle_cursor c = {0}; waggle_metric_data_point(&m, &c, &p);) {
        for (waggle_cursor a = {0}; waggle_point_data_attr(&p, &a, &attr);)
            value(&attr.value, 0);
        for (waggle_cursor b = {0}; waggle_bucket_next(&p, &b, &n, &upper);)
            sum += n;
        for (waggle_cursor b = {0}; waggle_count_next(p.positive, &b, &n);)
            sum += n;
        for (waggle_cursor a = {0}; waggle_point_data_exemplar(&p, &a, &e);)
            for (waggle_cursor f = {0}; waggle_exemplar_data_attr(&e, &f, &attr);)
                value(&attr.value, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    waggle_record record = {data, (uint32_t)size, 0};
    waggle_log_data log;
    waggle_span_data span;
    waggle_attr_data attr;
    as_json(&record, WAGGLE_SIGNAL_TRACES);
    as_json(&record, WAGGLE_SIGNAL_LOGS);
    as_json(&record, WAGGLE_SIGNAL_METRICS);
    metric(&record);
    if (waggle_record_log(&record, &log)) {
        value(&log.body, 0);
        touch(log.severity_text);
        touch(log.event_name);
        for (waggle_cursor c = {0}; waggle_log_data_attr(&log, &c, &attr);)
            value(&attr.value, 0);
    }
    if (!waggle_record_span(&record, &span))
        return 0;
    touch(span.name);
    touch(span.status_message);
    touch(span.tracestate);
    for (waggle_cursor c = {0}; waggle_span_data_attr(&span, &c, &attr);) {
        touch(attr.key);
        value(&attr.value, 0);
    }
    waggle_event_data event;
    for (waggle_cursor c = {0}; waggle_span_data_event(&span, &c, &event);)
        for (waggle_cursor e = {0}; waggle_event_data_attr(&event, &e, &attr);)
            value(&attr.value, 0);
    waggle_link_data link;
    for (waggle_cursor c = {0}; waggle_span_data_link(&span, &c, &link);)
        for (waggle_cursor e = {0}; waggle_link_data_attr(&link, &e, &attr);)
            value(&attr.value, 0);
    return 0;
}
