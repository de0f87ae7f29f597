// SPDX-License-Identifier: Apache-2.0
/*
 * report.c - what was dropped is told to whoever receives the rest
 *
 * A span "waggle.dropped" of the scope "waggle" covers the time since the last report and has an
 * attribute for each cause that counted. It does not go through the queue, which may be what is
 * full: the batch processor's thread puts it into the batch it is about to send.
 *
 * Threads: the batch processor's.
 */
#include "sdk_priv.h"

static const struct {
    enum waggle__counter counter;
    const char *key;
} causes[] = {
    {WAGGLE__QUEUE_FULL, "waggle.dropped.queue_full"},
    {WAGGLE__NO_SLOT, "waggle.dropped.no_slot"},
    {WAGGLE__TOO_LARGE, "waggle.dropped.too_large"},
    {WAGGLE__FAILED, "waggle.dropped.failed"},
    {WAGGLE__TIMEOUT, "waggle.dropped.timeout"},
    {WAGGLE__REJECTED, "waggle.dropped.rejected"},
    {WAGGLE__SHUTDOWN, "waggle.dropped.shutdown"},
    {WAGGLE__BUSY, "waggle.dropped.busy_calls"},
    {WAGGLE__VALUES, "waggle.dropped.values"},
};

static uint8_t *put_bytes_of(uint8_t *w, uint8_t tag, const void *p, size_t n)
{
    *w++ = tag;
    w = waggle__put_varint(w, n);
    memcpy(w, p, n);
    return w + n;
}

static uint8_t *put_time(uint8_t *w, uint8_t tag, uint64_t ns)
{
    *w++ = tag;
    return waggle__put_le64(w, ns);
}

static uint8_t *put_counter(uint8_t *w, const char *key, uint64_t n)
{
    waggle_kv kv = waggle_kv_i64(key, (int64_t)n);
    *w++ = 0x4a;
    w = waggle__put_varint(w, waggle__kv_size(&kv, &waggle__no_value_limits, 0));
    return waggle__kv_write(w, &kv, &waggle__no_value_limits, 0);
}

void waggle__report_init(struct waggle__report *report)
{
    for (size_t i = 0; i < WAGGLE__COUNT(causes); i++)
        report->told[causes[i].counter] = waggle__counted(causes[i].counter);
    report->since_ns = waggle__os.realtime_ns();
}

bool waggle__report_make(struct waggle__report *report, uint8_t ret_bytes[WAGGLE__REPORT_BYTES],
                         waggle_record *ret_record)
{
    static const char name[] = "waggle.dropped";
    uint64_t now[WAGGLE__COUNT(causes)];
    bool more = false;
    for (size_t i = 0; i < WAGGLE__COUNT(causes); i++) {
        now[i] = waggle__counted(causes[i].counter);
        if (now[i] < report->told[causes[i].counter]) // a child of a fork counts anew
            report->told[causes[i].counter] = 0;
        more |= now[i] > report->told[causes[i].counter];
    }
    struct waggle_tracer *tracer =
        more ? waggle__tracer(NULL, false, "waggle", WAGGLE_VERSION, NULL, WAGGLE_NO_ATTRS) : NULL;
    struct waggle__thread *t = waggle__thread();
    if (tracer == NULL || t == NULL)
        return false;
    uint64_t ids[3] = {waggle__random64(t), waggle__random64(t) | 1, waggle__random64(t) | 1};
    uint64_t end_ns = waggle__os.realtime_ns();
    enum { HEAD = 6 }; // for the record's own tag and length
    uint8_t *w = ret_bytes + HEAD;
    w = put_bytes_of(w, 0x0a, ids, 16);
    w = put_bytes_of(w, 0x12, &ids[2], 8);
    w = put_bytes_of(w, 0x2a, name, sizeof name - 1);
    *w++ = 0x30;
    *w++ = WAGGLE_KIND_INTERNAL;
    w = put_time(w, 0x39, report->since_ns ? report->since_ns : end_ns);
    w = put_time(w, 0x41, end_ns);
    for (size_t i = 0; i < WAGGLE__COUNT(causes); i++) {
        uint64_t *told = &report->told[causes[i].counter];
        if (now[i] > *told)
            w = put_counter(w, causes[i].key, now[i] - *told);
        *told = now[i];
    }
    *w++ = 0x85;
    *w++ = 0x01;
    w = waggle__put_le32(w, 0x100u | WAGGLE_FLAG_SAMPLED | WAGGLE_FLAG_RANDOM);
    report->since_ns = end_ns;
    size_t n = (size_t)(w - ret_bytes) - HEAD;
    uint8_t *head = ret_bytes + HEAD - 1 - waggle__varint_n(n);
    *head = 0x12;
    (void)waggle__put_varint(head + 1, n); // ends where the span begins
    *ret_record = (waggle_record){head, (uint32_t)(w - head), tracer->scope};
    return true;
}
