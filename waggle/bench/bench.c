// SPDX-License-Identifier: Apache-2.0
/*
 * bench.c - what a span costs
 *
 *   waggle_bench [SPANS]        spans a thread in each row; default 2000000
 *   waggle_bench metrics [N]    N measurements a thread in each row; default 5000000
 *   waggle_bench rate N         one second of N spans/s: is every span delivered?
 *
 * Each row runs in a process of its own. "thread" is CPU time of the threads that make spans,
 * "process" that of all threads with the exporter's, both a span; wall time is beside them, because
 * on a busy machine it says more of the neighbours than of the code. The span has the kind server,
 * a name of 21 bytes and 5 attributes (2 strings, 2 integers, 1 boolean), or 10 attributes of 20 +
 * 20 characters (the specification's benchmark). Flat-out loops drop by design; the last rows look
 * for the highest rate at which every span is delivered, with the default queue.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <waggle/waggle.h>

#include "receiver.h"

static double clock_s(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- allocations --------------------------------------------------------------------------- */

static _Atomic uint64_t n_allocations;

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

/* --- spans --------------------------------------------------------------------------------- */

static struct waggle_tracer *tracer;
static bool ten_attributes;

static void five(void)
{
    waggle_span s =
        waggle_span_start(tracer, "GET /api/users/{id}xx",
                          &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER,
                                              .attributes = WAGGLE_ATTRS(
                                                  waggle_kv_str("http.request.method", "GET"),
                                                  waggle_kv_str("http.route", "/api/users/{id}"),
                                                  waggle_kv_i64("http.response.status_code", 200),
                                                  waggle_kv_i64("user.id", 123456),
                                                  waggle_kv_bool("cache.hit", true))});
    waggle_span_end(s);
}

static void ten(void)
{
    static const char value[] = "abcdefghijklmnopqrst";
    waggle_span s = waggle_span_start(tracer, "benchmark", NULL);
    waggle_span_set(s, WAGGLE_ATTRS(waggle_kv_str("attribute.key.000000", value),
                                    waggle_kv_str("attribute.key.000001", value),
                                    waggle_kv_str("attribute.key.000002", value),
                                    waggle_kv_str("attribute.key.000003", value),
                                    waggle_kv_str("attribute.key.000004", value),
                                    waggle_kv_str("attribute.key.000005", value),
                                    waggle_kv_str("attribute.key.000006", value),
                                    waggle_kv_str("attribute.key.000007", value),
                                    waggle_kv_str("attribute.key.000008", value),
                                    waggle_kv_str("attribute.key.000009", value)));
    waggle_span_end(s);
}

static void one_span(void)
{
    if (ten_attributes)
        ten();
    else
        five();
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

enum mode { NO_SDK, OFF, NOOP, OTLP };

static void set_up(enum mode mode, int port)
{
    tracer = waggle_tracer_get("bench", "1");
    if (mode == NO_SDK)
        return;
    struct waggle_provider *p = waggle_provider_new(
        &(waggle_provider_options){.sampler = mode == OFF ? waggle_sampler_always_off() : NULL});
    struct waggle_exporter *e = &swallower;
    if (mode == OTLP) {
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
        e = waggle_otlp_exporter_new(&(waggle_otlp_options){.endpoint = url});
    }
    waggle_provider_add(p, waggle_batch_processor_new(e, NULL));
    waggle_provider_set_global(p);
}

/* --- flat out ------------------------------------------------------------------------------ */

struct run {
    size_t n;
    double wall_s, cpu_s;
};

static void *flat_out(void *self)
{
    struct run *r = self;
    for (size_t i = 0; i < 1000; i++)
        one_span();
    double wall = clock_s(CLOCK_MONOTONIC);
    double cpu = clock_s(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; i < r->n; i++)
        one_span();
    r->wall_s = clock_s(CLOCK_MONOTONIC) - wall;
    r->cpu_s = clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
    return NULL;
}

static void row(const char *name, enum mode mode, size_t threads, size_t n)
{
    pid_t receiver = 0;
    struct run runs[8];
    pthread_t ids[8];
    int port = mode == OTLP ? start_receiver(&receiver) : 0;
    set_up(mode, port);
    one_span();
    uint64_t allocations = n_allocations;
    double process = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < threads; i++) {
        runs[i] = (struct run){.n = n};
        pthread_create(&ids[i], NULL, flat_out, &runs[i]);
    }
    double cpu = 0;
    double wall = 0;
    for (size_t i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        cpu += runs[i].cpu_s / (double)threads;
        wall += runs[i].wall_s / (double)threads;
    }
    process = clock_s(CLOCK_PROCESS_CPUTIME_ID) - process;
    allocations = n_allocations - allocations;
    waggle_shutdown(5000);
    waggle_stats s;
    struct rusage usage;
    waggle_get_stats(&s, sizeof s);
    getrusage(RUSAGE_SELF, &usage);
    double total = (double)((n + 1000) * threads);
    printf("| %-30s | %zu | %7.1f | %7.1f | %7.1f | %6.4f | %5.1f %% | %5.1f |\n", name, threads,
           cpu / (double)n * 1e9, wall / (double)n * 1e9, process / total * 1e9,
           (double)allocations / total,
           s.ended ? 100.0 * (double)s.exported / (double)s.ended : 0.0,
           (double)usage.ru_maxrss / 1024);
    fflush(stdout);
    if (receiver > 0)
        kill(receiver, SIGTERM);
}

static void in_child(const char *name, enum mode mode, size_t threads, size_t n)
{
    pid_t pid = fork();
    if (pid == 0) {
        row(name, mode, threads, n);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

/* --- metrics ------------------------------------------------------------------------------- */

static struct waggle_instrument *instrument;
static unsigned n_keys;

/* One measurement: of a counter, or of a histogram with a value that changes. */
static void one_measurement(size_t i)
{
    const waggle_kv kv[] = {
        waggle_kv_str("http.request.method", "GET"), waggle_kv_str("http.route", "/api/users/{id}"),
        waggle_kv_i64("http.response.status_code", 200), waggle_kv_str("url.scheme", "https"),
        waggle_kv_bool("cache.hit", true)};
    waggle_add(instrument, 1, waggle_attrs_of(kv, n_keys));
    waggle_record_f64(instrument, (double)(i & 1023) * 0.37, waggle_attrs_of(kv, n_keys));
}

static void *measure_flat_out(void *self)
{
    struct run *r = self;
    for (size_t i = 0; i < 1000; i++)
        one_measurement(i);
    double wall = clock_s(CLOCK_MONOTONIC);
    double cpu = clock_s(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; i < r->n; i++)
        one_measurement(i);
    r->wall_s = clock_s(CLOCK_MONOTONIC) - wall;
    r->cpu_s = clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
    return NULL;
}

static void set_up_metrics(bool sdk, enum waggle_instrument_kind kind, bool exponential)
{
    instrument =
        waggle_instrument_new(waggle_meter_get("bench", "1"), kind, "bench",
                              &(waggle_instrument_options){.is_double = kind == WAGGLE_HISTOGRAM});
    if (!sdk)
        return;
    struct waggle_provider *p = waggle_provider_new(NULL);
    waggle_reader_options o = {.interval_ms = 1000};
    if (exponential)
        o.aggregation[WAGGLE_HISTOGRAM].kind = WAGGLE_AGGREGATION_EXPONENTIAL;
    waggle_provider_add_reader(p, waggle_periodic_reader_new(&swallower, &o));
    waggle_provider_set_global(p);
}

static void metrics_row(const char *name, bool sdk, enum waggle_instrument_kind kind,
                        bool exponential, unsigned keys, size_t threads, size_t n)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct run runs[8];
        pthread_t ids[8];
        n_keys = keys;
        set_up_metrics(sdk, kind, exponential);
        one_measurement(0);
        uint64_t allocations = n_allocations;
        for (size_t i = 0; i < threads; i++) {
            runs[i] = (struct run){.n = n};
            pthread_create(&ids[i], NULL, measure_flat_out, &runs[i]);
        }
        double cpu = 0;
        double wall = 0;
        for (size_t i = 0; i < threads; i++) {
            pthread_join(ids[i], NULL);
            cpu += runs[i].cpu_s / (double)threads;
            wall += runs[i].wall_s / (double)threads;
        }
        printf("| %-42s | %zu | %7.1f | %7.1f | %8.5f |\n", name, threads, cpu / (double)n * 1e9,
               wall / (double)n * 1e9,
               (double)(n_allocations - allocations) / (double)(n * threads));
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void all_metrics_rows(size_t n)
{
    printf(
        "| a measurement | threads | thread ns | wall ns | allocations |\n|---|--:|--:|--:|--:|\n");
    fflush(stdout);
    metrics_row("no SDK", false, WAGGLE_COUNTER, false, 2, 1, n);
    metrics_row("counter, no attributes", true, WAGGLE_COUNTER, false, 0, 1, n);
    metrics_row("counter, no attributes", true, WAGGLE_COUNTER, false, 0, 2, n);
    metrics_row("counter, 2 attributes", true, WAGGLE_COUNTER, false, 2, 1, n);
    metrics_row("counter, 2 attributes", true, WAGGLE_COUNTER, false, 2, 2, n);
    metrics_row("counter, 5 attributes", true, WAGGLE_COUNTER, false, 5, 1, n);
    metrics_row("histogram, 15 buckets, 2 attributes", true, WAGGLE_HISTOGRAM, false, 2, 1, n);
    metrics_row("histogram, 15 buckets, 2 attributes", true, WAGGLE_HISTOGRAM, false, 2, 2, n);
    metrics_row("exponential histogram, 2 attributes", true, WAGGLE_HISTOGRAM, true, 2, 1, n);
    metrics_row("exponential histogram, 2 attributes", true, WAGGLE_HISTOGRAM, true, 2, 2, n);
}

/* --- the highest rate without a drop ------------------------------------------------------- */

/* Makes `rate` spans a second for `seconds`; true if all were delivered. */
static bool delivers(size_t rate, double seconds)
{
    int fds[2];
    if (pipe(fds) != 0)
        exit(2);
    pid_t pid = fork();
    if (pid == 0) {
        pid_t receiver;
        int port = start_receiver(&receiver);
        set_up(OTLP, port);
        one_span();
        double from = clock_s(CLOCK_MONOTONIC);
        size_t made = 0;
        for (double now = from; now - from < seconds; now = clock_s(CLOCK_MONOTONIC)) {
            size_t due = (size_t)((now - from) * (double)rate);
            // Not more at once than a tenth of the queue: a late scheduler is no burst of the
            // program.
            for (size_t k = 0; made < due && k < 200; made++, k++)
                one_span();
        }
        waggle_shutdown(10000);
        waggle_stats s;
        waggle_get_stats(&s, sizeof s);
        kill(receiver, SIGTERM);
        if (getenv("BENCH_VERBOSE") != NULL)
            fprintf(stderr,
                    "%zu/s: made %zu, ended %" PRIu64 ", exported %" PRIu64 ", queue full %" PRIu64
                    "\n",
                    rate, made, s.ended, s.exported, s.dropped_queue_full);
        bool fast_enough = made >= (size_t)((double)rate * seconds * 0.95);
        char ok = s.dropped_queue_full == 0 && s.exported == s.ended && fast_enough;
        ssize_t sent = write(fds[1], &ok, 1);
        _exit(sent == 1 ? 0 : 1);
    }
    char ok = 0;
    ssize_t got = read(fds[0], &ok, 1);
    close(fds[0]);
    close(fds[1]);
    waitpid(pid, NULL, 0);
    return got == 1 && ok;
}

static void find_rate(const char *name)
{
    size_t low = 100000;
    size_t high = 6400000;
    while (high - low > low / 16) {
        size_t rate = (low + high) / 2;
        if (delivers(rate, 1) && delivers(rate, 1))
            low = rate;
        else
            high = rate;
    }
    printf("%s: %zu spans/s before the first drop\n", name, low);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "rate") == 0) {
        size_t rate = strtoul(argv[2], NULL, 10);
        printf("%zu spans/s: %s\n", rate, delivers(rate, 1) ? "all delivered" : "some dropped");
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "metrics") == 0) {
        all_metrics_rows(argc > 2 ? strtoul(argv[2], NULL, 10) : 5000000);
        return 0;
    }
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    printf("| %-30s | threads | thread ns | wall ns | process ns | allocations | delivered | RSS "
           "MiB |\n"
           "|---|--:|--:|--:|--:|--:|--:|--:|\n",
           "5 attributes");
    fflush(stdout);
    in_child("no SDK", NO_SDK, 1, n);
    in_child("sampler off", OFF, 1, n);
    in_child("sampler off", OFF, 2, n);
    in_child("batch, exporter does nothing", NOOP, 1, n);
    in_child("batch, exporter does nothing", NOOP, 2, n);
    in_child("OTLP/HTTP", OTLP, 1, n);
    in_child("OTLP/HTTP", OTLP, 2, n);
    ten_attributes = true;
    in_child("spec: 10 attributes, OTLP/HTTP", OTLP, 1, n);
    ten_attributes = false;
    find_rate("OTLP/HTTP, 5 attributes, default queue");
    ten_attributes = true;
    find_rate("OTLP/HTTP, 10 attributes, default queue");
    return 0;
}
