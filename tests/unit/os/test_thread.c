// SPDX-License-Identifier: Apache-2.0
/* Mutex, condition variable, threads, worker pool. */
#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/thread.h"

struct shared {
    struct skep_mutex mu;
    struct skep_cond cond;
    int n;
};

static void add_thousand(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < 1000; i++) {
        skep_mutex_lock(&s->mu);
        s->n++;
        skep_mutex_unlock(&s->mu);
    }
}

static void test_mutex_and_threads(void **state)
{
    (void)state;
    struct shared s = {0};
    skep_mutex_init(&s.mu, "test");
    skep_thread t[4];
    for (int i = 0; i < 4; i++)
        skep_thread_start(&t[i], "adder", add_thousand, &s);
    for (int i = 0; i < 4; i++)
        skep_thread_join(&t[i]);
    assert_int_equal(s.n, 4000);
    skep_mutex_lock(&s.mu);
    skep_assert_held(&s.mu);
    skep_mutex_unlock(&s.mu);
    skep_mutex_done(&s.mu);
}

/* Runs fn in a child: true if it died of SIGABRT. */
static bool aborts(void (*fn)(struct shared *))
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(2);
        struct shared s = {0};
        skep_mutex_init(&s.mu, "test");
        fn(&s);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void unlock_free(struct shared *s)
{
    skep_mutex_unlock(&s->mu);
}

static void lock_twice(struct shared *s)
{
    skep_mutex_lock(&s->mu);
    skep_mutex_lock(&s->mu);
}

static void test_mutex_misuse_aborts(void **state)
{
    (void)state;
    assert_true(aborts(unlock_free));
    assert_true(aborts(lock_twice));
}

static void signaller(void *arg)
{
    struct shared *s = arg;
    skep_mutex_lock(&s->mu);
    s->n = 1;
    skep_cond_broadcast(&s->cond);
    skep_mutex_unlock(&s->mu);
}

static void test_cond(void **state)
{
    (void)state;
    struct shared s = {0};
    skep_mutex_init(&s.mu, "test");
    skep_cond_init(&s.cond);
    skep_mutex_lock(&s.mu);
    assert_false(skep_cond_wait_ms(&s.cond, &s.mu, 5));
    skep_thread t;
    skep_thread_start(&t, "signaller", signaller, &s);
    while (s.n == 0)
        skep_cond_wait(&s.cond, &s.mu);
    skep_mutex_unlock(&s.mu);
    skep_thread_join(&t);
    skep_cond_done(&s.cond);
    skep_mutex_done(&s.mu);
}

static _Atomic int jobs_done;

static void job(void *arg)
{
    (void)arg;
    atomic_fetch_add(&jobs_done, 1);
}

static void test_pool_runs_queued_jobs(void **state)
{
    (void)state;
    atomic_store(&jobs_done, 0);
    struct skep_pool *p = skep_pool_new("test", 3);
    assert_int_equal(skep_pool_threads(p), 3);
    for (int i = 0; i < 1000; i++)
        skep_pool_submit(p, job, NULL);
    skep_pool_free(p);
    assert_int_equal(atomic_load(&jobs_done), 1000);
}

struct each {
    struct skep_pool *p;
    _Atomic int hits[64];
    _Atomic int inner;
};

static void inner(void *arg, unsigned i)
{
    (void)i;
    atomic_fetch_add(&((struct each *)arg)->inner, 1);
}

static void outer(void *arg, unsigned i)
{
    struct each *e = arg;
    atomic_fetch_add(&e->hits[i], 1);
    skep_pool_each(e->p, 8, inner, e); /* nested: must not deadlock with all workers busy */
}

static void each_job(void *arg)
{
    struct each *e = arg;
    skep_pool_each(e->p, 64, outer, e);
    atomic_fetch_add(&jobs_done, 1);
}

static void test_pool_each(void **state)
{
    (void)state;
    static struct each e;
    for (int round = 0; round < 20; round++) {
        e.p = skep_pool_new("test", 2);
        atomic_store(&jobs_done, 0);
        atomic_store(&e.inner, 0);
        for (int i = 0; i < 64; i++)
            atomic_store(&e.hits[i], 0);
        for (int k = 0; k < 4; k++)
            skep_pool_submit(e.p, each_job, &e);
        skep_pool_each(e.p, 64, outer, &e);
        skep_pool_each(e.p, 0, outer, &e);
        skep_pool_free(e.p);
        assert_int_equal(atomic_load(&jobs_done), 4);
        for (int i = 0; i < 64; i++)
            assert_int_equal(atomic_load(&e.hits[i]), 5);
        assert_int_equal(atomic_load(&e.inner), 5 * 64 * 8);
    }
}

static void test_cores(void **state)
{
    (void)state;
    assert_true(skep_n_cores() >= 1);
}

/* While something is urgent, one each() has at most half of the cores; jobs go on; all indexes are
 * done once. */
struct urgent {
    struct skep_pool *pool;
    pthread_t caller;
    _Atomic unsigned inside, most, done[400], jobs;
};

static void urgent_one(void *arg, unsigned i)
{
    struct urgent *u = arg;
    unsigned now = atomic_fetch_add(&u->inside, 1) + 1, most = atomic_load(&u->most);
    while (now > most && !atomic_compare_exchange_weak(&u->most, &most, now))
        ;
    for (volatile unsigned k = 0; k < 20000; k++)
        ;
    skep_pool_give_way(u->pool);
    atomic_fetch_sub(&u->inside, 1);
    atomic_fetch_add(&u->done[i], 1);
}

static void urgent_job(void *arg)
{
    atomic_fetch_add(&((struct urgent *)arg)->jobs, 1);
}

static void urgent_work_gets_half(void **state)
{
    (void)state;
    struct urgent *u = skep_alloc(struct urgent);
    unsigned half = skep_n_cores() / 2 > 1 ? skep_n_cores() / 2 : 1;
    u->pool = skep_pool_new("urgent", 4);
    skep_pool_urgent_begin(u->pool, 2);
    skep_pool_urgent_end(u->pool, 1);
    for (unsigned k = 0; k < 10; k++)
        skep_pool_submit(u->pool, urgent_job, u);
    skep_pool_each(u->pool, 400, urgent_one, u);
    assert_true(atomic_load(&u->most) <= half);
    skep_pool_urgent_end(u->pool, 1);
    skep_pool_each(u->pool, 400, urgent_one, u);
    for (unsigned i = 0; i < 400; i++)
        assert_int_equal(atomic_load(&u->done[i]), 2);
    skep_pool_free(u->pool);
    assert_int_equal(atomic_load(&u->jobs), 10);
    skep_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urgent_work_gets_half),
        cmocka_unit_test(test_mutex_and_threads),
        cmocka_unit_test(test_mutex_misuse_aborts),
        cmocka_unit_test(test_cond),
        cmocka_unit_test(test_pool_runs_queued_jobs),
        cmocka_unit_test(test_pool_each),
        cmocka_unit_test(test_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
