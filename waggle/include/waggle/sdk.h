// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/sdk.h - recording and sending what the API is told
 *
 *     int main(void)
 *     {
 *         waggle_init(NULL);                     // OTEL_* variables; else to 127.0.0.1:4318
 *         ...
 *         waggle_shutdown(2000);                 // sends what is left, at most 2 s
 *     }
 *
 * Memory is chosen when a provider is made and never grows. No constructor, no signal handler, no
 * output but to the error handler. After fork() the child records and sends on its own.
 *
 * Threads: any, unless a function says otherwise.
 */
#ifndef WAGGLE_SDK_H
#define WAGGLE_SDK_H

#include "waggle/context.h"
#include "waggle/logs.h"
#include "waggle/plugin.h"
#include "waggle/reader.h"
#include "waggle/resource.h"
#include "waggle/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- one call ------------------------------------------------------------------------------ */

/* What waggle_init may be told. Zero everywhere (or NULL) takes all from the environment and the
 * specification's defaults; what is set here wins over the environment. */
typedef struct waggle_options {
    size_t struct_size; /* 0, or sizeof(waggle_options) */
    const char *service_name;
    const char *service_version;
    waggle_attrs resource;                /* further attributes of the resource */
    const char *endpoint;                 /* base URL, as OTEL_EXPORTER_OTLP_ENDPOINT */
    struct waggle_sampler *sampler;       /* owned from now on */
    struct waggle_exporter *exporter;     /* instead of OTEL_TRACES_EXPORTER; owned from now on */
    struct waggle_exporter *log_exporter; /* instead of OTEL_LOGS_EXPORTER; owned from now on */
    uint32_t max_live_spans;              /* spans that may be open at once; 0 = 2048 */
    bool no_propagators;                  /* leave the global propagators alone */
    struct waggle_exporter *metric_exporter; /* instead of OTEL_METRICS_EXPORTER; owned */
} waggle_options;

/* Make a provider as the options and the environment say, and make it the global one. A second call
 * replaces the first provider after shutting it down.
 * Returns  0; -ENOMEM, -EINVAL (an unusable option), -EAGAIN (no thread). On failure, and with
 *          OTEL_SDK_DISABLED=true, the API goes on doing nothing. */
WAGGLE_EXPORT int waggle_init(const waggle_options *options);

/* Send what has ended. False if that was not done in time. */
WAGGLE_EXPORT bool waggle_flush(uint32_t timeout_ms);

/* Send what has ended and stop; spans are no spans from now on. Once; false if not done in time. */
WAGGLE_EXPORT bool waggle_shutdown(uint32_t timeout_ms);

/* --- errors -------------------------------------------------------------------------------- */

enum waggle_level {
    WAGGLE_LEVEL_NONE = 0,
    WAGGLE_LEVEL_ERROR = 1,
    WAGGLE_LEVEL_WARN = 2,
    WAGGLE_LEVEL_INFO = 3,
    WAGGLE_LEVEL_DEBUG = 4
};

/* Called with one line of text, from any thread; must not wait. */
typedef void waggle_error_fn(void *self, enum waggle_level level, const char *text);

/* Set who hears of waggle's own troubles, up to `level`; NULL: nobody. Before the first call, and
 * only if OTEL_LOG_LEVEL is set, they go to standard error. */
WAGGLE_EXPORT void waggle_set_error_handler(waggle_error_fn *handler, void *self,
                                            enum waggle_level level);

/* --- providers ----------------------------------------------------------------------------- */

struct waggle_provider;

#define WAGGLE_NO_LIMIT   UINT32_MAX
#define WAGGLE_LIMIT_ZERO (UINT32_MAX - 1) /* none at all: zero itself takes the default */

/* Zero members take the specification's default (or the environment's value in waggle_init). What a
 * span holds takes at most 64 KiB, encoded; what finds no room is counted as dropped. */
typedef struct waggle_limits {
    size_t struct_size;
    uint32_t attributes;       /* 128 */
    uint32_t value_length;     /* characters of a string, bytes of bytes; no limit */
    uint32_t value_depth;      /* of lists and maps in each other; 64, the most there is */
    uint32_t events;           /* 128 */
    uint32_t links;            /* 128 */
    uint32_t attributes_event; /* 128 */
    uint32_t attributes_link;  /* 128 */
} waggle_limits;

/* Of log records; a body has no limit but the 64 KiB of a record. */
typedef struct waggle_log_limits {
    size_t struct_size;
    uint32_t attributes;   /* 128 */
    uint32_t value_length; /* no limit */
} waggle_log_limits;

typedef struct waggle_provider_options {
    size_t struct_size;
    struct waggle_resource *resource;         /* owned from now on; NULL: waggle_detect_all */
    struct waggle_sampler *sampler;           /* owned; NULL: parent-based, always on */
    struct waggle_id_generator *id_generator; /* borrowed for ever; NULL: random */
    const waggle_limits *limits;              /* copied; NULL: defaults */
    uint32_t max_live_spans;                  /* the first provider of the process decides */
    const waggle_log_limits *log_limits;      /* copied; NULL: defaults */
} waggle_provider_options;

/* A provider without processors: its spans do not record, its log records go nowhere. NULL without
 * memory (what it would have owned is freed). */
WAGGLE_EXPORT struct waggle_provider *waggle_provider_new(const waggle_provider_options *options);

/* Add a processor, which is owned from now on. At most 8; false (and the processor freed) beyond.
 * Also after tracers were made. */
WAGGLE_EXPORT bool waggle_provider_add(struct waggle_provider *provider,
                                       struct waggle_processor *processor);

/* The same for log records: a processor is of one signal. */
WAGGLE_EXPORT bool waggle_provider_add_log(struct waggle_provider *provider,
                                           struct waggle_processor *processor);

/* A logger of this provider, as waggle_logger_get_with (waggle/logs.h). */
WAGGLE_EXPORT struct waggle_logger *waggle_provider_logger(struct waggle_provider *provider,
                                                           const char *name, const char *version,
                                                           const char *schema_url,
                                                           waggle_attrs attributes);

/* A tracer of this provider, as waggle_tracer_get_with. It lives as long as the process. */
WAGGLE_EXPORT struct waggle_tracer *waggle_provider_tracer(struct waggle_provider *provider,
                                                           const char *name, const char *version,
                                                           const char *schema_url,
                                                           waggle_attrs attributes);

/* Make the provider the global one (NULL: none), which tracers of waggle_tracer_get use, those that
 * were made before, too. */
WAGGLE_EXPORT void waggle_provider_set_global(struct waggle_provider *provider);
WAGGLE_EXPORT struct waggle_provider *waggle_provider_global(void);

/* Flush or shut down all processors, each with what is left of the time. Shutdown: once; later
 * calls return false. */
WAGGLE_EXPORT bool waggle_provider_flush(struct waggle_provider *provider, uint32_t timeout_ms);
WAGGLE_EXPORT bool waggle_provider_shutdown(struct waggle_provider *provider, uint32_t timeout_ms);

/* Free the provider, after a shutdown if there was none (5 s). Its tracers stay and make no spans.
 * The caller sees to it that no other thread is in a call with one of its spans. A provider whose
 * shutdown failed stays in memory: something of it may still be at work. */
WAGGLE_EXPORT void waggle_provider_free(struct waggle_provider *provider);

/* --- processors ---------------------------------------------------------------------------- */

typedef struct waggle_batch_options {
    size_t struct_size;
    uint32_t max_queue;         /* records; 2048 */
    uint32_t max_batch;         /* records; 512, at most max_queue */
    uint32_t schedule_delay_ms; /* 5000 */
    uint32_t export_timeout_ms; /* 30000 */
    bool no_drop_report;        /* do not send a span that counts what was dropped */
    enum waggle_signal signal;  /* of what it is given: spans, or log records (delay: 1000) */
} waggle_batch_options;

/* Collect ended spans, send them from a thread of its own: when max_batch have gathered, when
 * schedule_delay has passed, at a flush. A span for which the queue has no room is dropped and
 * counted. NULL without memory; the exporter is then freed. */
WAGGLE_EXPORT struct waggle_processor *
waggle_batch_processor_new(struct waggle_exporter *exporter, const waggle_batch_options *options);

/* Send each span when it ends, from the thread that ends it: for tests and debugging. */
WAGGLE_EXPORT struct waggle_processor *
waggle_simple_processor_new(struct waggle_exporter *exporter);

/* --- samplers ------------------------------------------------------------------------------ */

/* The two constants; free does nothing. */
WAGGLE_EXPORT struct waggle_sampler *waggle_sampler_always_on(void);
WAGGLE_EXPORT struct waggle_sampler *waggle_sampler_always_off(void);

/* A share of traces, decided on the trace id alone: 0 to 1, else it is clamped. NULL without
 * memory.
 */
WAGGLE_EXPORT struct waggle_sampler *waggle_sampler_ratio_new(double ratio);

/* As the parent was decided; roots as `root` says. The four others may be NULL: on, off, on, off.
 * Owns them all. NULL without memory. */
WAGGLE_EXPORT struct waggle_sampler *
waggle_sampler_parent_based_new(struct waggle_sampler *root, struct waggle_sampler *remote_sampled,
                                struct waggle_sampler *remote_unsampled,
                                struct waggle_sampler *local_sampled,
                                struct waggle_sampler *local_unsampled);

/* Zero members take the default. */
typedef struct waggle_xray_sampler_options {
    size_t struct_size;
    const char *endpoint; /* base URL; NULL: http://, AWS_XRAY_DAEMON_ADDRESS or 127.0.0.1:2000 */
    const char *service_name, *service_type; /* what rules are matched with; NULL: any */
    uint32_t poll_s;                         /* between two looks at the rules; 300 */
    uint32_t tick_ms;                        /* between two reports of what was sampled; 10000 */
} waggle_xray_sampler_options;

/* As the sampling rules of AWS X-Ray say, which its daemon hands out, or skep: matched with the
 * service and, of the attributes a span begins with, the host, the method and the path of the URL.
 * For roots: put it into waggle_sampler_parent_based_new. Calls are made by a thread that begins
 * with the first span. NULL without memory or for an address of no use. */
WAGGLE_EXPORT struct waggle_sampler *
waggle_sampler_xray_new(const waggle_xray_sampler_options *options);

/* Zero members take the default. */
typedef struct waggle_jaeger_sampler_options {
    size_t struct_size;
    const char *endpoint;     /* NULL: http://localhost:14250; with a path it is asked over HTTP */
    const char *service_name; /* whose strategy; NULL: OTEL_SERVICE_NAME, "unknown_service" */
    uint32_t poll_ms;         /* between two looks; 60000 */
    struct waggle_sampler *initial; /* until there is a strategy; owned; NULL: a ratio of 0.001 */
} waggle_jaeger_sampler_options;

/* As Jaeger says, which is asked for its strategy for this service: a share, so many a second, or
 * a share by the name of the span with at least so many a second. An endpoint with a path
 * (http://localhost:5778/sampling) is asked for JSON over HTTP; one without over gRPC where
 * waggle-tls is used, else at /sampling. For roots: put it into waggle_sampler_parent_based_new.
 * Calls are made by a thread that begins with the first span. NULL without memory or for an address
 * of no use; `initial` is then freed. */
WAGGLE_EXPORT struct waggle_sampler *
waggle_sampler_jaeger_new(const waggle_jaeger_sampler_options *options);

/* --- ids ----------------------------------------------------------------------------------- */

/* Trace ids whose first four bytes are the time in seconds, which AWS X-Ray's own tools expect. */
WAGGLE_EXPORT struct waggle_id_generator *waggle_id_generator_xray(void);

/* --- exporters ----------------------------------------------------------------------------- */

/* Readable text, one line a span, to `out` (a FILE *; NULL: stdout). */
WAGGLE_EXPORT struct waggle_exporter *waggle_console_exporter_new(void *out);

typedef struct waggle_otlp_options {
    size_t struct_size;
    enum waggle_signal signal;
    const char *endpoint;               /* base URL; else OTEL_EXPORTER_OTLP_ENDPOINT */
    const char *url;                    /* used as it is; else OTEL_EXPORTER_OTLP_*_ENDPOINT */
    const char *headers;                /* "k=v,k2=v2", over those of the environment */
    uint32_t timeout_ms;                /* of one export with its retries; 10000 */
    int gzip;                           /* 1 on, -1 off, 0 as the environment says */
    bool json;                          /* JSON instead of protobuf */
    struct waggle_transport *transport; /* owned; NULL: plain HTTP built in */
    bool grpc; /* gRPC; endpoint and url are http://host:port then, 4317 (needs waggle/tls.h) */
    const waggle_tls_options
        *tls;            /* borrowed; of what is NULL, OTEL_EXPORTER_OTLP_CERTIFICATE,
                            _CLIENT_KEY and _CLIENT_CERTIFICATE of the signal, then of all */
    bool no_environment; /* what is zero takes the default, whatever variables say */
    bool insecure;       /* gRPC: an endpoint without a scheme is plain */
} waggle_otlp_options;

/* OTLP over HTTP, protobuf or JSON (OTEL_EXPORTER_OTLP_PROTOCOL=http/json), or over gRPC (=grpc).
 * NULL without memory, or for a URL that the transport cannot reach (https without waggle-tls); the
 * error handler is told.
 */
WAGGLE_EXPORT struct waggle_exporter *waggle_otlp_exporter_new(const waggle_otlp_options *options);

/* One OTLP/JSON request a line, appended to the file; NULL: to standard output. NULL if it cannot
 * be opened. */
WAGGLE_EXPORT struct waggle_exporter *waggle_file_exporter_new(const char *path);

/* X-Ray segments over UDP to the daemon at "host:port"; NULL: AWS_XRAY_DAEMON_ADDRESS, else
 * 127.0.0.1:2000. For spans. NULL without memory or for an address of no use. */
WAGGLE_EXPORT struct waggle_exporter *waggle_xray_exporter_new(const char *address);

/* --- what became of it --------------------------------------------------------------------- */

/* Counts since the start of the process (of this process, after a fork).
 * started = sampled + unsampled + dropped_no_slot; ended spans that were sampled are exported,
 * dropped for one of the reasons, or still queued. */
typedef struct waggle_stats {
    uint64_t started;              /* calls of waggle_span_start that had an SDK */
    uint64_t ended;                /* recording spans that ended */
    uint64_t exported;             /* records an exporter took */
    uint64_t dropped_no_slot;      /* too many spans open at once */
    uint64_t dropped_queue_full;   /* no room in the queue */
    uint64_t dropped_too_large;    /* beyond what the queue can hold */
    uint64_t dropped_shutdown;     /* ended after the shutdown */
    uint64_t dropped_failed;       /* refused by the receiver */
    uint64_t dropped_timeout;      /* given up after retries */
    uint64_t dropped_rejected;     /* partial success */
    uint64_t dropped_busy;         /* calls given up because another thread held the span */
    uint64_t dropped_values;       /* attributes, events, links left out for a limit or for room */
    uint64_t stale_calls;          /* calls on handles whose slot has a new owner */
    uint64_t logged;               /* log records emitted; exported and dropped count them, too */
    uint64_t dropped_measurements; /* of metrics, without memory or because a point stayed taken */
    uint64_t points_exported;      /* data points of metrics an exporter took */
    uint64_t points_failed;        /* those it did not: refused, rejected or given up */
} waggle_stats;

/* Sum them up. struct_size: sizeof(waggle_stats) as the caller knows it. */
WAGGLE_EXPORT void waggle_get_stats(waggle_stats *ret_stats, size_t struct_size);

#ifdef __cplusplus
}
#endif

#endif
