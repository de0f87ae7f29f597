// SPDX-License-Identifier: Apache-2.0
/* Crashes: nothing acknowledged is lost, nothing is there twice.
 *
 * kill   a child appends under load, with background threads, and writes each acknowledged tag to a
 *        pipe; the parent kills it with SIGKILL at a random time, reopens the directory and
 * compares. The directory lives on through all rounds. power  the engine runs on a disk in memory
 * that dies after N writes and keeps, drops or garbles what was not synced.
 *
 * Each batch has its own range of tags; a batch is there whole or not at all. */
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/fault_os.h"
#include "support/instrumented.h"
#include "support/store_client.h"

enum { SPACING = 1000, MAX_BATCH = 200 };

static skep_ts_ns now(void)
{
    return skep_os_real()->now_ns(skep_os_real());
}

/* Rows of batch `number`; derivable by the parent too. */
static uint32_t rows_of(uint64_t number)
{
    return 1 + (uint32_t)(number * 2654435761u % MAX_BATCH);
}

static struct skep_batch *batch_of(uint64_t number)
{
    struct rnd r = {number * 77 + 1};
    struct skep_batch *b = random_batch(&r, rows_of(number), now(), (int64_t)number * SPACING);
    memset(b->identity, 0, sizeof b->identity);
    memcpy(b->identity, &number, sizeof number);
    b->identity[15] = 1;
    return b;
}

struct shadow {
    uint64_t acked[200000];
    size_t n;
};

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Every acknowledged batch is there exactly once and whole; unacknowledged ones whole or not at
 * all. */
static void expect_acked(struct skep_store *s, struct shadow *sh)
{
    client_ledger_expect(s);
    size_t n;
    int64_t *tags = client_tags(s, "tag", &n);
    qsort(sh->acked, sh->n, sizeof sh->acked[0], by_number);
    size_t at = 0;
    for (size_t i = 0; i < n;) {
        uint64_t number = (uint64_t)tags[i] / SPACING;
        uint32_t rows = rows_of(number);
        for (uint32_t k = 0; k < rows; k++) {
            if (i + k >= n || tags[i + k] != (int64_t)(number * SPACING + k))
                fail_msg("batch %llu: row %u of %u is missing or twice", (unsigned long long)number,
                         k, rows);
        }
        i += rows;
        if (at < sh->n && sh->acked[at] < number)
            fail_msg("acknowledged batch %llu is lost", (unsigned long long)sh->acked[at]);
        if (at < sh->n && sh->acked[at] == number)
            at++;
    }
    if (at != sh->n)
        fail_msg("acknowledged batch %llu is lost", (unsigned long long)sh->acked[at]);
    skep_free(tags);
}

static void expect_whole(struct skep_store *s)
{
    const struct skep_wal_damage *d = &skep_engine_of(s)->damage;
    if (d->regions || d->lost_first)
        fail_msg("%llu damaged regions, lost from %llu on: %s", (unsigned long long)d->regions,
                 (unsigned long long)d->lost_first, d->text);
}

/* --- kill ------------------------------------------------------------------------------------- */

static _Atomic bool refused; /* the appenders wait a little, as a client told 503 does */

struct ack {
    int fd;
    uint64_t number;
};

static void write_ack(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    (void)res;
    (void)err;
    struct ack *a = ctx;
    if (rc == SKEP_OK && write(a->fd, &a->number, sizeof a->number) != sizeof a->number)
        _exit(3);
    if (rc != SKEP_OK)
        atomic_store(&refused, true);
    skep_free(a);
}

struct worker {
    struct skep_store *s;
    uint64_t first;
    int fd;
};

static void append_for_ever(void *arg)
{
    struct worker *w = arg;
    for (uint64_t i = 0;; i++) {
        struct ack *a = skep_alloc(struct ack);
        *a = (struct ack){w->fd, w->first + i * 2};
        skep_store_append(w->s, batch_of(a->number), write_ack, a);
        if (i % 50 == 49 || atomic_exchange(&refused, false))
            (void)usleep(1000);
    }
}

static void child_run(const char *dir, uint64_t first, int fd)
{
    struct skep_column_config cfg = client_config(skep_os_real(), dir);
    cfg.no_background = false;
    cfg.part_limit_bytes = 2 << 20; /* flushes all the time */
    cfg.flush_quiet_ns = 50 * 1000000;
    cfg.wal_file_bytes = 256 << 10; /* and begins a log file all the time */
    struct skep_store *s;
    skep_err err;
    if (skep_column_open(&cfg, &s, &err) != SKEP_OK) {
        (void)dprintf(2, "child: %s\n", err.text);
        _exit(4);
    }
    struct worker w[2] = {{s, first, fd}, {s, first + 1, fd}};
    skep_thread t;
    skep_thread_start(&t, "appender", append_for_ever, &w[1]);
    append_for_ever(&w[0]);
}

static bool remove_name(void *ctx, skep_str name)
{
    char p[256];
    (void)snprintf(p, sizeof p, "%s/" SKEP_STRFMT, (const char *)ctx, SKEP_STRARG(name));
    (void)unlink(p);
    return true;
}

static void remove_dir(char *dir)
{
    const struct skep_os *os = skep_os_real();
    char sub[128];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(sub, sizeof sub, "%s/%s", dir, i ? "wal" : "seg");
        (void)os->list(os, sub, remove_name, sub, NULL);
        (void)rmdir(sub);
    }
    (void)os->list(os, dir, remove_name, dir, NULL);
    (void)rmdir(dir);
}

static void read_acks(int fd, struct shadow *sh)
{
    uint64_t buf[512];
    ssize_t got;
    while ((got = read(fd, buf, sizeof buf)) > 0) {
        assert_int_equal(got % 8, 0);
        for (ssize_t i = 0; i < got / 8; i++) {
            assert_true(sh->n < 200000);
            sh->acked[sh->n++] = buf[i];
        }
    }
}

static void test_kill(void **state)
{
    (void)state;
    const char *env = getenv("SKEP_CRASH_ROUNDS");
    int64_t rounds = skep_tries(20);
    if (env && !skep_str_i64(skep_str_c(env), &rounds))
        fail_msg("SKEP_CRASH_ROUNDS=%s is no number", env);
    char dir[] = "/tmp/skep-crash-XXXXXX";
    assert_non_null(mkdtemp(dir));
    static struct shadow sh;
    struct rnd r = {(uint64_t)now() | 1};
    print_message("seed %llu\n", (unsigned long long)r.s);
    uint64_t next = 1;
    for (int round = 0; round < rounds; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)close(fds[0]);
            child_run(dir, next, fds[1]);
            _exit(5);
        }
        (void)close(fds[1]);
        struct pollfd p = {.fd = fds[0], .events = POLLIN};
        assert_true(poll(&p, 1, 120000) == 1); /* the first acknowledgement: it runs */
        (void)usleep(rnd_below(&r, 250000));
        assert_int_equal(kill(pid, SIGKILL), 0);
        read_acks(fds[0], &sh);
        (void)close(fds[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        for (size_t i = 0; i < sh.n; i++)
            next = SKEP_MAX(next, sh.acked[i] + 100000);
        next |= 1;

        struct skep_column_config cfg = client_config(skep_os_real(), dir);
        struct skep_store *s = NULL;
        skep_err err;
        if (skep_column_open(&cfg, &s, &err) != SKEP_OK)
            fail_msg("round %d: %s", round, err.text);
        expect_whole(s);
        expect_acked(s, &sh);
        /* A retry of an acknowledged request is recognised, in whatever file it is now. */
        struct client_result c = client_append(s, batch_of(sh.acked[sh.n - 1]));
        assert_int_equal(c.rc, SKEP_OK);
        assert_true(c.res.duplicate);
        s->ops->close(s);
    }
    print_message("%zu batches acknowledged in %lld rounds\n", sh.n, (long long)rounds);
    assert_true(sh.n > (size_t)rounds * 5);
    remove_dir(dir);
}

/* --- power ------------------------------------------------------------------------------------ */

static void power_life(struct mem_os *m, struct rnd *r, struct shadow *sh, uint64_t *next)
{
    struct skep_column_config cfg = client_config(mem_os_ops(m), "/data");
    struct skep_store *s = NULL;
    skep_err err;
    skep_rc rc = skep_column_open(&cfg, &s, &err);
    if (rc != SKEP_OK) { /* only because the power went while it was recovering */
        if (!mem_os_dead(m))
            fail_msg("open: %s", err.text);
        return;
    }
    if (!mem_os_dead(m)) {
        expect_whole(s);
        expect_acked(s, sh);
    }
    for (int op = 0; op < 30 && !mem_os_dead(m); op++) {
        if (rnd_below(r, 6) == 0) {
            (void)s->ops->flush(s, &err);
            continue;
        }
        uint64_t number = (*next)++;
        if (client_append(s, batch_of(number)).rc == SKEP_OK)
            sh->acked[sh->n++] = number;
    }
    s->ops->close(s);
}

static void test_power_cuts(void **state)
{
    (void)state;
    unsigned cuts = 0;
    static struct shadow sh;
    const unsigned seeds = skep_tries(30);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct mem_os *m = mem_os_new(seed);
        struct rnd r = {seed * 31337};
        sh.n = 0;
        uint64_t next = 1;
        for (int life = 0; life < 6; life++) {
            mem_os_die_after(m, rnd_below(&r, 120));
            power_life(m, &r, &sh, &next);
            cuts += mem_os_dead(m);
            mem_os_power_cut(m);
        }
        power_life(m, &r, &sh, &next); /* with the power on */
        mem_os_free(m);
    }
    assert_true(cuts > 3 * seeds);
}

/* --- faults under load ------------------------------------------------------------------------ */

/* Any single call fails at any time: what was acknowledged stays, the store goes on or says why
 * not. */
static void test_failing_calls(void **state)
{
    (void)state;
    static struct shadow sh;
    static const unsigned calls[] = {FAULT_PWRITE, FAULT_SYNC,   FAULT_SYNC_DIR, FAULT_PREALLOCATE,
                                     FAULT_RENAME, FAULT_UNLINK, FAULT_OPEN,     FAULT_PREAD};
    const unsigned rounds = skep_tries(96);
    unsigned failed = 0;
    for (unsigned round = 0; round < rounds; round++) {
        struct mem_os *m = mem_os_new(round + 500);
        struct fault_os f;
        fault_os_init(&f, mem_os_ops(m));
        struct rnd r = {round + 1};
        sh.n = 0;
        struct skep_column_config cfg = client_config(&f.os, "/data");
        struct skep_store *s;
        skep_err err;
        assert_int_equal(skep_column_open(&cfg, &s, &err), SKEP_OK);
        f.torn = round % 3 == 0;
        fault_os_arm(&f, calls[round % 8], rnd_below(&r, round % 8 < 2 ? 40 : 5),
                     1 + rnd_below(&r, 3), round % 2 ? SKEP_EIO : SKEP_ENOSPC);
        for (uint64_t number = 1; number <= 40; number++) {
            struct client_result c = client_append(s, batch_of(number));
            if (c.rc == SKEP_OK)
                sh.acked[sh.n++] = number;
            else
                assert_true(c.text[0] != 0);
            if (number % 7 == 0)
                (void)s->ops->flush(s, &err);
        }
        failed += atomic_load(&f.failed) > 0;
        fault_os_arm(&f, 0, 0, 0, SKEP_OK);
        expect_acked(s, &sh);
        s->ops->close(s);
        mem_os_power_cut(m);
        skep_rc rc = skep_column_open(&cfg, &s, &err);
        if (rc != SKEP_OK)
            fail_msg("round %u: %s", round, err.text);
        expect_acked(s, &sh);
        s->ops->close(s);
        mem_os_free(m);
    }
    assert_true(failed > rounds / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
