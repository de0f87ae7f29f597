// SPDX-License-Identifier: Apache-2.0
/* test_hot.c - the promise of the hot path: start, eight attributes and end make no allocation and
 * no system call, nor does a measurement (the clock's is none: the kernel maps it into the process)
 *
 * Allocations are counted by wrapping malloc and friends at link time; system calls by a seccomp
 * filter that turns each into a signal, in a child whose worker thread is not under it. */
#include "support.h"

#include <cmocka.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define RUNS_SANITIZED 1
#else
#define RUNS_SANITIZED UNDER_TSAN
#endif

static _Thread_local size_t n_allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    n_allocations++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    n_allocations++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    n_allocations++;
    return __real_realloc(p, n);
}

static enum waggle_export swallow(struct waggle_exporter *e, const waggle_batch *b,
                                  const waggle_deadline *d)
{
    (void)e;
    (void)b;
    (void)d;
    return WAGGLE_EXPORT_OK;
}

static const struct waggle_exporter_ops swallow_ops = {
    .struct_size = sizeof swallow_ops, .name = "swallow", .export_batch = swallow};
static struct waggle_exporter swallower = {&swallow_ops, 0};
static struct waggle_tracer *tracer;
static struct waggle_instrument *counter, *histogram, *exponential;

static void begin_metrics(struct waggle_provider *p)
{
    assert_true(waggle_provider_add_view(
        p, &(waggle_view){.instrument_name = "exponential",
                          .aggregation = {.kind = WAGGLE_AGGREGATION_EXPONENTIAL}}));
    assert_true(waggle_provider_add_view(
        p, &(waggle_view){.instrument_name = "histogram",
                          .excluded_keys = (const char *const[]){"user.id"},
                          .n_excluded_keys = 1}));
    assert_true(waggle_provider_add_reader(
        p,
        waggle_periodic_reader_new(&swallower, &(waggle_reader_options){.interval_ms = 3600000})));
    struct waggle_meter *m = waggle_provider_meter(p, "hot", "1", NULL, WAGGLE_NO_ATTRS);
    counter = waggle_counter_new(m, "counter", NULL, NULL);
    histogram = waggle_histogram_new(m, "histogram", "s", NULL);
    exponential = waggle_histogram_new(m, "exponential", "s", NULL);
}

/* In a sampled span, so that there are exemplars; the histogram's lose an attribute to the view. */
static void measurements(int i)
{
    waggle_span s = waggle_span_start(tracer, "measured", NULL);
    WAGGLE_SPAN_SCOPE(s);
    waggle_add(counter, 1,
               WAGGLE_ATTRS(waggle_kv_str("http.route", "/users/{id}"),
                            waggle_kv_i64("http.response.status_code", 200)));
    waggle_record_f64(histogram, i * 0.01,
                      WAGGLE_ATTRS(waggle_kv_str("http.route", "/"), waggle_kv_i64("user.id", i)));
    waggle_record_f64(exponential, i * 0.01, WAGGLE_NO_ATTRS);
    waggle_span_end(s);
}

static void begin(void)
{
    struct waggle_provider *p = waggle_provider_new(NULL);
    assert_non_null(p);
    assert_true(waggle_provider_add(
        p, waggle_batch_processor_new(&swallower,
                                      &(waggle_batch_options){.schedule_delay_ms = 3600000})));
    tracer = waggle_provider_tracer(p, "hot", "1", NULL, WAGGLE_NO_ATTRS);
    begin_metrics(p);
}

static void one_span(int i)
{
    waggle_span s = waggle_span_start(tracer, "GET /users/{id}",
                                      &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER});
    WAGGLE_SPAN_SCOPE(s);
    waggle_span child = waggle_span_start(tracer, "SELECT", NULL);
    waggle_span_set(s, WAGGLE_ATTRS(waggle_kv_str("http.request.method", "GET"),
                                    waggle_kv_str("http.route", "/users/{id}"),
                                    waggle_kv_i64("http.response.status_code", 200),
                                    waggle_kv_i64("user.id", i), waggle_kv_bool("cache.hit", true),
                                    waggle_kv_f64("score", 0.5),
                                    waggle_kv_str("server.address", "example.com"),
                                    waggle_kv_i64("server.port", 443)));
    waggle_span_event(child, "row", WAGGLE_ATTRS(waggle_kv_i64("n", 1)));
    waggle_span_set_status(child, WAGGLE_STATUS_ERROR, "gone");
    waggle_span_end(child);
    waggle_span_end(s);
}

static void no_allocation(void **state)
{
    (void)state;
    begin();
    one_span(0);     // the thread's own block, once
    measurements(0); // the points, once
    n_allocations = 0;
    for (int i = 0; i < 5000; i++) { // full queue or not
        one_span(i);
        measurements(i);
    }
    assert_int_equal(n_allocations, 0);
}

/* --- system calls -------------------------------------------------------------------------- */

static volatile sig_atomic_t n_calls;
static volatile sig_atomic_t last_call;

static void on_call(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    n_calls++;
    last_call = info->si_syscall;
}

/* Every system call but those that end the process and return from the handler becomes a signal. */
static bool filter_calls(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void count_in_child(void)
{
    one_span(0); // starts the worker, which is not under the filter
    measurements(0);
    if (!filter_calls())
        _exit(100);
    for (int i = 0; i < 160; i++) { // 480 spans: less than a batch, for which the worker is woken
        one_span(i);
        measurements(i);
    }
    _exit(n_calls == 0 ? 0 : 1 + last_call % 90);
}

static void no_system_call(void **state)
{
    (void)state;
    if (RUNS_SANITIZED)
        skip(); // its run time makes calls of its own
    begin();
    pid_t pid = fork();
    if (pid == 0)
        count_in_child();
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 100)
        skip();                               // a kernel without seccomp
    assert_int_equal(WEXITSTATUS(status), 0); // else: the number of the call, from 1, modulo 90
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allocation),
        cmocka_unit_test(no_system_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
