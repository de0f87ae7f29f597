// SPDX-License-Identifier: Apache-2.0
/* The store's side of the ledger: receipts travel with rows through log, fold, flush, merge,
 * restart and retention; what is damaged is said and not guessed. */
#include <cmocka.h>

#include "base/mem.h"
#include "support/fault_os.h"
#include "support/store_client.h"

#define DIR "/data"
#define T0  1700000000000000000
#define DAY (86400ll * 1000000000)

static struct skep_store *open_store(const struct skep_column_config *cfg)
{
    struct skep_store *s = NULL;
    skep_err err;
    if (skep_column_open(cfg, &s, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    return s;
}

static void flush(struct skep_store *s)
{
    skep_err err;
    if (s->ops->flush(s, &err) != SKEP_OK)
        fail_msg("flush: %s", err.text);
}

/* n spans, each with an event, of which `bad` more were rejected for their trace id. */
static struct skep_batch *spans(uint32_t n, uint32_t bad, skep_ts_ns at)
{
    struct skep_batch *b = skep_batch_new(NULL, at);
    for (uint32_t i = 0; i < n; i++) {
        (void)skep_batch_row(b, SKEP_KIND_SPAN, at - 5, SKEP_SOURCE_OTLP);
        (void)skep_batch_row(b, SKEP_KIND_SPAN_EVENT, at - 4, SKEP_SOURCE_OTLP);
    }
    b->receipt = (struct skep_receipt){
        .source = SKEP_SOURCE_OTLP, .signal = SKEP_SIGNAL_TRACES, .received = n + bad};
    b->receipt.rejected[SKEP_REJECTION_BAD_TRACE_ID] = bad;
    return b;
}

static void append(struct skep_store *s, struct skep_batch *b)
{
    assert_int_equal(client_append(s, b).rc, SKEP_OK);
}

struct totals {
    uint64_t received, rejected, stored, rows, live;
};

static void expect(struct skep_store *s, struct totals t)
{
    assert_int_equal(client_ledger_total(s, SKEP_LEDGER_RECEIVED), t.received);
    assert_int_equal(client_ledger_total(s, SKEP_LEDGER_REJECTED + SKEP_REJECTION_BAD_TRACE_ID),
                     t.rejected);
    assert_int_equal(client_ledger_total(s, SKEP_LEDGER_STORED), t.stored);
    assert_int_equal(client_ledger_total(s, SKEP_LEDGER_STORED_ROWS), t.rows);
    assert_int_equal(client_ledger_total(s, SKEP_LEDGER_LIVE), t.live);
    client_ledger_expect(s);
}

static void receipts_outlive_everything(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(1);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    atomic_store(&f.now_ns, T0);
    struct skep_column_config cfg = client_config(&f.os, DIR);
    struct skep_store *s = open_store(&cfg);
    expect(s, (struct totals){0});
    append(s, spans(10, 3, T0));
    append(s, spans(5, 0, T0 + DAY / 1440));
    const struct totals two = {18, 3, 15, 30, 15};
    expect(s, two);
    s->ops->close(s);
    s = open_store(&cfg); // from the log
    expect(s, two);
    flush(s);
    expect(s, two);
    append(s, spans(1, 1, T0)); // from both
    const struct totals three = {20, 4, 16, 32, 16};
    expect(s, three);
    s->ops->close(s);
    s = open_store(&cfg);
    expect(s, three);
    for (uint32_t i = 0; i < 40; i++) // folds
        append(s, spans(2, 1, T0 + i * DAY / 1440));
    const struct totals many = {140, 44, 96, 192, 96};
    expect(s, many);
    for (uint32_t i = 0; i < 6; i++) { // merges
        flush(s);
        append(s, spans(1, 0, T0));
    }
    const struct totals merged = {146, 44, 102, 204, 102};
    expect(s, merged);
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_true(st.merges > 0);
    s->ops->close(s);
    s = open_store(&cfg);
    expect(s, merged);
    s->ops->close(s);
    mem_os_free(m);
}

/* Minutes stand apart, and what old ones become is the same on both sides. */
static void minutes_fold_on_both_sides(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(2);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    struct skep_column_config cfg = client_config(&f.os, DIR);
    atomic_store(&f.now_ns, T0);
    struct skep_store *s = open_store(&cfg);
    for (int i = 0; i < 10; i++)
        append(s, spans(1, 0, T0 + i * DAY / 1440));
    flush(s);
    struct skep_store_ledger l;
    s->ops->ledger(s, T0 + 5 * DAY / 1440, false, &l);
    uint64_t stored = 0;
    for (size_t i = 0; i < l.counts.n; i++)
        stored += (l.counts.items[i].key & 0xff) == SKEP_LEDGER_STORED;
    assert_int_equal(stored, 5); // of the later minutes alone
    skep_ledger_done(&l.counts);
    for (int d = 1; d < 50; d += 7) {
        atomic_store(&f.now_ns, T0 + d * DAY);
        append(s, spans(1, 0, T0 + d * DAY));
        flush(s);
        client_ledger_expect(s);
    }
    assert_int_equal(client_ledger_total(s, SKEP_LEDGER_STORED), 17);
    s->ops->close(s);
    s = open_store(&cfg);
    client_ledger_expect(s);
    assert_int_equal(client_ledger_total(s, SKEP_LEDGER_LIVE), 17);
    s->ops->close(s);
    mem_os_free(m);
}

/* A manifest that could not be written has changed nothing; the next attempt counts once. */
static void a_failed_flush_counts_once(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 30; at++) {
        struct mem_os *m = mem_os_new(3);
        struct fault_os f;
        skep_err err;
        fault_os_init(&f, mem_os_ops(m));
        struct skep_column_config cfg = client_config(&f.os, DIR);
        struct skep_store *s = open_store(&cfg);
        append(s, spans(4, 1, T0));
        fault_os_arm(&f, FAULT_PWRITE | FAULT_SYNC | FAULT_SYNC_DIR | FAULT_RENAME, at, 1,
                     SKEP_EIO);
        bool failed = s->ops->flush(s, &err) != SKEP_OK;
        atomic_store(&f.calls, 0);
        client_ledger_expect(s);
        if (failed)
            flush(s);
        client_ledger_expect(s);
        assert_int_equal(client_ledger_total(s, SKEP_LEDGER_RECEIVED), 5);
        s->ops->close(s);
        s = open_store(&cfg);
        client_ledger_expect(s);
        assert_int_equal(client_ledger_total(s, SKEP_LEDGER_RECEIVED), 5);
        s->ops->close(s);
        mem_os_free(m);
    }
}

/* Rows without a receipt: what they are is what came. */
static void rows_without_a_receipt_are_their_own(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(4);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    struct skep_batch *b = spans(7, 0, T0);
    b->receipt = (struct skep_receipt){0};
    (void)skep_batch_row(b, SKEP_KIND_LOG, T0, SKEP_SOURCE_LOGS);
    append(s, b);
    expect(s, (struct totals){8, 0, 8, 15, 8});
    s->ops->close(s);
    mem_os_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receipts_outlive_everything),
        cmocka_unit_test(minutes_fold_on_both_sides),
        cmocka_unit_test(a_failed_flush_counts_once),
        cmocka_unit_test(rows_without_a_receipt_are_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
