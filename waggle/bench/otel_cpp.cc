// SPDX-License-Identifier: Apache-2.0
/*
 * otel_cpp.cc - bench.c's rows with opentelemetry-cpp: the same span, the same receiver, the same
 * columns. Built and run by peers.sh alone.
 */
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/sdk/common/global_log_handler.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/samplers/always_off_factory.h>
#include <opentelemetry/sdk/trace/span_data.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>
#include <opentelemetry/trace/provider.h>

#include "receiver.h"

namespace trace = opentelemetry::trace;
namespace sdk = opentelemetry::sdk::trace;
namespace otlp = opentelemetry::exporter::otlp;

static std::atomic<uint64_t> allocations{0};
static std::atomic<uint64_t> exported{0};

__attribute__((noinline)) void *operator new(size_t n)
{
    allocations.fetch_add(1, std::memory_order_relaxed);
    void *p = malloc(n);
    if (p == nullptr)
        throw std::bad_alloc();
    return p;
}

__attribute__((noinline)) void operator delete(void *p) noexcept
{
    free(p);
}

__attribute__((noinline)) void operator delete(void *p, size_t) noexcept
{
    free(p);
}

static double clock_s(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

class Swallower : public sdk::SpanExporter
{
  public:
    std::unique_ptr<sdk::Recordable> MakeRecordable() noexcept override
    {
        return std::unique_ptr<sdk::Recordable>(new sdk::SpanData);
    }

    opentelemetry::sdk::common::ExportResult Export(
        const opentelemetry::nostd::span<std::unique_ptr<sdk::Recordable>> &spans) noexcept override
    {
        exported += spans.size();
        return opentelemetry::sdk::common::ExportResult::kSuccess;
    }

    bool ForceFlush(std::chrono::microseconds) noexcept override
    {
        return true;
    }

    bool Shutdown(std::chrono::microseconds) noexcept override
    {
        return true;
    }
};

enum mode { NO_SDK, OFF, NOOP, OTLP };

static std::shared_ptr<sdk::TracerProvider> provider;

static void set_up(mode m, int port)
{
    if (m == NO_SDK)
        return;
    std::unique_ptr<sdk::SpanExporter> exporter(new Swallower);
    if (m == OTLP) {
        otlp::OtlpHttpExporterOptions o;
        o.url = "http://127.0.0.1:" + std::to_string(port) + "/v1/traces";
        o.content_type = otlp::HttpRequestContentType::kBinary;
        exporter = otlp::OtlpHttpExporterFactory::Create(o);
    }
    auto processor = sdk::BatchSpanProcessorFactory::Create(std::move(exporter),
                                                            sdk::BatchSpanProcessorOptions{});
    auto resource = opentelemetry::sdk::resource::Resource::Create({});
    provider.reset(m == OFF ? new sdk::TracerProvider(std::move(processor), resource,
                                                      sdk::AlwaysOffSamplerFactory::Create())
                            : new sdk::TracerProvider(std::move(processor), resource));
    trace::Provider::SetTracerProvider(
        opentelemetry::nostd::shared_ptr<trace::TracerProvider>(provider));
}

static void one_span(trace::Tracer &tracer)
{
    trace::StartSpanOptions o;
    o.kind = trace::SpanKind::kServer;
    auto span = tracer.StartSpan("GET /api/users/{id}xx",
                                 {{"http.request.method", "GET"},
                                  {"http.route", "/api/users/{id}"},
                                  {"http.response.status_code", (int64_t)200},
                                  {"user.id", (int64_t)123456},
                                  {"cache.hit", true}},
                                 o);
    span->End();
}

static void row(const char *name, mode m, size_t threads, size_t n)
{
    pid_t receiver = 0;
    int port = m == OTLP ? start_receiver(&receiver) : 0;
    set_up(m, port);
    auto tracer = trace::Provider::GetTracerProvider()->GetTracer("bench", "1");
    one_span(*tracer);
    uint64_t before = allocations;
    double process = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    std::vector<double> cpu(threads), wall(threads);
    std::vector<std::thread> all;
    for (size_t i = 0; i < threads; i++)
        all.emplace_back([&, i] {
            for (size_t k = 0; k < 1000; k++)
                one_span(*tracer);
            double w = clock_s(CLOCK_MONOTONIC);
            double c = clock_s(CLOCK_THREAD_CPUTIME_ID);
            for (size_t k = 0; k < n; k++)
                one_span(*tracer);
            wall[i] = clock_s(CLOCK_MONOTONIC) - w;
            cpu[i] = clock_s(CLOCK_THREAD_CPUTIME_ID) - c;
        });
    double cpu_sum = 0, wall_sum = 0;
    for (size_t i = 0; i < threads; i++) {
        all[i].join();
        cpu_sum += cpu[i] / (double)threads;
        wall_sum += wall[i] / (double)threads;
    }
    process = clock_s(CLOCK_PROCESS_CPUTIME_ID) - process;
    uint64_t made = allocations - before;
    double total = (double)((n + 1000) * threads);
    if (provider)
        provider->Shutdown(std::chrono::seconds(5));
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    char delivered[16] = "";
    if (m == NOOP)
        snprintf(delivered, sizeof delivered, "%.1f %%", 100.0 * (double)exported / (total + 1));
    printf("| %-30s | %zu | %7.1f | %7.1f | %7.1f | %6.4f | %7s | %5.1f |\n", name, threads,
           cpu_sum / (double)n * 1e9, wall_sum / (double)n * 1e9, process / total * 1e9,
           (double)made / total, delivered, (double)usage.ru_maxrss / 1024);
    fflush(stdout);
    if (receiver > 0)
        kill(receiver, SIGTERM);
}

static void in_child(const char *name, mode m, size_t threads, size_t n)
{
    pid_t pid = fork();
    if (pid == 0) {
        row(name, m, threads, n);
        _exit(0);
    }
    waitpid(pid, nullptr, 0);
}

int main(int argc, char **argv)
{
    opentelemetry::sdk::common::internal_log::GlobalLogHandler::SetLogLevel(
        opentelemetry::sdk::common::internal_log::LogLevel::None); // a line a dropped span is no
                                                                   // work
    size_t n = argc > 1 ? strtoul(argv[1], nullptr, 10) : 200000;
    printf("| opentelemetry-cpp | threads | thread ns | wall ns | process ns | operator new | "
           "delivered "
           "| MiB |\n|---|--:|--:|--:|--:|--:|--:|--:|\n");
    fflush(stdout);
    in_child("no SDK", NO_SDK, 1, n);
    in_child("sampler off", OFF, 1, n);
    in_child("batch, exporter does nothing", NOOP, 1, n);
    in_child("batch, exporter does nothing", NOOP, 2, n);
    in_child("batch, OTLP/HTTP", OTLP, 1, n);
    return 0;
}
