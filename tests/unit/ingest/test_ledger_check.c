// SPDX-License-Identifier: Apache-2.0
/* Both sides of the ledger with a store of paper that may lie: a difference is shown, whatever is
 * in flight; what was refused is kept by state, what was stored comes back from the store. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/ingest_priv.h"
#include "state/state.h"

#define MIN_NS  (60ll * 1000000000)
#define NOW_MIN 29918400u
#define NOW_NS  (NOW_MIN * MIN_NS)

/* The handlers are not called here. */
void skep_respond(struct skep_request *req, const struct skep_response *resp)
{
    (void)req;
    (void)resp;
    fail();
}

skep_str skep_request_header(const struct skep_request *req, skep_str name)
{
    (void)req;
    (void)name;
    return SKEP_STR_NULL;
}

static struct skep_ledger says; /* the store */
static uint64_t unread;
static struct skep_ledger_key at;
static struct skep_ingest *ingest;
static struct skep_arena arena;
static void (*meanwhile)(void); /* between the two looks at the wire */

static void paper_ledger(struct skep_store *s, skep_ts_ns from_ns, bool live,
                         struct skep_store_ledger *ret)
{
    (void)s;
    (void)live;
    *ret = (struct skep_store_ledger){.unread_rows = unread};
    skep_ledger_copy(&ret->counts, &says, skep_ledger_minute(from_ns));
    if (meanwhile)
        meanwhile();
}

static int64_t paper_now(const struct skep_os *self)
{
    (void)self;
    return NOW_NS;
}

static const struct skep_store_ops ops = {.name = "paper", .ledger = paper_ledger};
static struct skep_store store = {&ops};
static const struct skep_os os = {.name = "paper", .now_ns = paper_now};

static struct skep_ingest *make(struct skep_state *state)
{
    struct skep_ingest *in =
        skep_ingest_new(&(struct skep_ingest_config){.store = &store, .os = &os, .state = state});
    skep_err err;
    assert_int_equal(skep_ingest_load(in, &err), SKEP_OK);
    return in;
}

static int set_up(void **unused)
{
    (void)unused;
    skep_arena_init(&arena, "test", NULL);
    at = skep_ingest__at(SKEP_SOURCE_OTLP, SKEP_SIGNAL_TRACES, NOW_NS);
    meanwhile = NULL;
    unread = 0;
    ingest = make(NULL);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    skep_ingest_free(ingest);
    skep_ledger_done(&says);
    skep_arena_done(&arena);
    return 0;
}

static void store_has(uint64_t stored, uint64_t live)
{
    struct skep_ledger_key k = at;
    k.what = SKEP_LEDGER_STORED;
    skep_ledger_add(&says, k, stored);
    k.what = SKEP_LEDGER_LIVE;
    skep_ledger_add(&says, k, live);
}

static struct skep_ledger_line look(int source)
{
    struct skep_ledger_report r;
    skep_ingest_ledger(ingest, NOW_NS - 10 * MIN_NS, NOW_NS + MIN_NS, source, &arena, &r);
    assert_true(r.n <= 1);
    return r.n ? r.lines[0] : (struct skep_ledger_line){0};
}

static void accept(uint64_t n)
{
    skep_ingest__settled(
        ingest, at, &(struct skep_ingest__outcome){.received = n, .accepted = n, .carried = true});
}

static void expect(uint64_t stored, uint64_t pending, int64_t difference)
{
    struct skep_ledger_line x = look(SKEP_LEDGER_NOT_SELF);
    assert_int_equal(x.stored, stored);
    assert_int_equal(x.pending, pending);
    assert_int_equal(x.difference, difference);
}

static void lost_and_invented_rows_are_shown(void **unused)
{
    (void)unused;
    skep_ingest__received(ingest, at, 10);
    expect(0, 10, 0); // in flight
    store_has(10, 10);
    expect(10, 0, 0); // visible, the answer not yet counted
    accept(10);
    expect(10, 0, 0);
    skep_ingest__received(ingest, at, 5);
    accept(5);
    expect(10, 0, 5); // five acknowledged, nowhere
    store_has(7, 7);
    expect(17, 0, -2);                    // two out of nothing
    skep_ingest__received(ingest, at, 4); // in flight: they may be those
    expect(17, 2, 0);
}

/* A store that lost two rows has a difference; one that could not read two has none, and says so.
 */
static void unread_rows_are_not_called_lost(void **unused)
{
    (void)unused;
    skep_ingest__received(ingest, at, 10);
    accept(10);
    store_has(10, 8);
    assert_int_equal(look(SKEP_LEDGER_NOT_SELF).store_difference, 2);
    unread = 2;
    assert_int_equal(look(SKEP_LEDGER_NOT_SELF).store_difference, 0);
}

static void settle_five(void)
{
    skep_ingest__received(ingest, at, 5);
    accept(5);
}

/* What comes and is answered between the looks is neither lost nor invented. */
static void requests_between_the_looks_are_no_difference(void **unused)
{
    (void)unused;
    skep_ingest__received(ingest, at, 10);
    accept(10);
    store_has(10, 10);
    meanwhile = settle_five;
    expect(10, 5, 0);
    meanwhile = NULL;
    store_has(5, 5);
    expect(15, 0, 0);
}

static void the_stores_own_account_is_checked_too(void **unused)
{
    (void)unused;
    skep_ingest__received(ingest, at, 10);
    accept(10);
    store_has(10, 6);
    assert_int_equal(look(SKEP_LEDGER_NOT_SELF).store_difference, 4);
    struct skep_ledger_key k = at;
    k.what = SKEP_LEDGER_EXPIRED;
    skep_ledger_add(&says, k, 1);
    k.what = SKEP_LEDGER_DELETED;
    skep_ledger_add(&says, k, 1);
    assert_int_equal(look(SKEP_LEDGER_NOT_SELF).store_difference, 2);
    k.what = SKEP_LEDGER_SUPERSEDED;
    skep_ledger_add(&says, k, 2);
    struct skep_ledger_line x = look(SKEP_LEDGER_NOT_SELF);
    assert_int_equal(x.store_difference, 0);
    assert_int_equal(x.difference, 0);
    assert_int_equal(x.received, x.stored + x.superseded);
    assert_int_equal(x.stored, x.live + x.expired + x.deleted);
}

static void the_servers_own_is_shown_when_asked_for(void **unused)
{
    (void)unused;
    at = skep_ingest__at(SKEP_SOURCE_SELF, SKEP_SIGNAL_TRACES, NOW_NS);
    skep_ingest__received(ingest, at, 1);
    accept(1);
    assert_int_equal(look(SKEP_LEDGER_NOT_SELF).received, 0);
    assert_int_equal(look(SKEP_SOURCE_OTLP).received, 0);
    assert_int_equal(look(SKEP_SOURCE_SELF).received, 1);
    assert_int_equal(look(SKEP_LEDGER_ALL).received, 1);
    struct skep_ingest_snapshot s;
    skep_ingest_snapshot(ingest, &s);
    assert_int_equal(s.n_ledger, 0);
}

/* Old times are told in hours and days on both sides; the step follows the widest. */
static void the_step_follows_what_is_kept(void **unused)
{
    (void)unused;
    struct skep_ledger_report r;
    for (uint32_t m = NOW_MIN - 3 * 1440; m <= NOW_MIN; m += 7) {
        at = skep_ingest__at(SKEP_SOURCE_OTLP, SKEP_SIGNAL_LOGS, m * MIN_NS);
        skep_ingest__received(ingest, at, 2);
        accept(2);
        store_has(2, 2);
    }
    (void)skep_ledger_fold(&says, NOW_NS);
    skep_ingest_ledger(ingest, NOW_NS - 60 * MIN_NS, NOW_NS, 0, &arena, &r);
    assert_int_equal(r.step_minutes, 1);
    skep_ingest_ledger(ingest, NOW_NS - 4 * 1440 * MIN_NS, NOW_NS + MIN_NS, 0, &arena, &r);
    assert_int_equal(r.step_minutes, 60);
    uint64_t received = 0;
    for (size_t i = 0; i < r.n; i++) {
        assert_int_equal(r.lines[i].difference, 0);
        assert_int_equal(r.lines[i].store_difference, 0);
        assert_true(i == 0 || r.lines[i].start_ns > r.lines[i - 1].start_ns);
        received += r.lines[i].received;
    }
    assert_int_equal(received, 2 * (3 * 1440 / 7 + 1));
    skep_ingest_ledger(ingest, 0, NOW_NS + MIN_NS, 0, &arena, &r); // since 1970
    assert_true(r.n >= 1 && r.n <= 2);
}

static void refusals_are_kept_by_state(void **unused)
{
    (void)unused;
    char path[64];
    skep_err err;
    struct skep_state *state;
    snprintf(path, sizeof path, "/tmp/skep-ledger-%ld.db", (long)getpid());
    const struct skep_state_config cfg = {.os = skep_os_real(), .path = path};
    assert_int_equal(skep_state_open(&cfg, &state, &err), SKEP_OK);
    skep_ingest_free(ingest);
    ingest = make(state);
    skep_ingest__received(ingest, at, 9); // stored: the frame keeps it
    skep_ingest__settled(ingest, at,
                         &(struct skep_ingest__outcome){
                             .received = 9, .accepted = 7, .rejected = {2}, .carried = true});
    skep_ingest__received(ingest, at, 3); // twice
    skep_ingest__settled(ingest, at, &(struct skep_ingest__outcome){.received = 3, .duplicate = 3});
    assert_int_equal(skep_ingest_save(ingest, &err), SKEP_OK);
    skep_ingest__received(ingest, at, 1);
    skep_ingest__settled(
        ingest, at,
        &(struct skep_ingest__outcome){.received = 1, .rejected = {[SKEP_REJECTION_CLOSED] = 1}});
    skep_ingest_free(ingest); // kill -9: the last one is lost, received and outcome alike

    struct skep_receipt receipt = {.source = SKEP_SOURCE_OTLP, .received = 9, .rejected = {2}};
    skep_ledger_add_receipt(&says, &receipt, NOW_MIN);
    store_has(7, 7);
    ingest = make(state);
    struct skep_ledger_line x = look(SKEP_LEDGER_NOT_SELF);
    assert_int_equal(x.received, 12);
    assert_int_equal(x.stored, 7);
    assert_int_equal(x.duplicate, 3);
    assert_int_equal(x.rejected[SKEP_REJECTION_BAD_TRACE_ID], 2);
    assert_int_equal(x.rejected[SKEP_REJECTION_CLOSED], 0);
    assert_int_equal(x.pending, 0);
    assert_int_equal(x.difference, 0);
    /* Totals since the start are of this process alone. */
    struct skep_ledger totals;
    skep_ingest_totals(ingest, &totals);
    assert_int_equal(totals.n, 0);
    skep_ledger_done(&totals);
    skep_ingest_free(ingest);
    ingest = NULL;
    skep_state_close(state);
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lost_and_invented_rows_are_shown),
        TEST(unread_rows_are_not_called_lost),
        TEST(requests_between_the_looks_are_no_difference),
        TEST(the_stores_own_account_is_checked_too),
        TEST(the_servers_own_is_shown_when_asked_for),
        TEST(the_step_follows_what_is_kept),
        TEST(refusals_are_kept_by_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
