// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/plugin.h - writing an exporter, a processor, a sampler, an id generator, a resource
 * detector
 *
 * Each is a struct whose first member points to a table of functions; what follows it is yours:
 *
 *     struct my_exporter { struct waggle_exporter base; FILE *out; };
 *     static enum waggle_export my_export(struct waggle_exporter *e, const waggle_batch *b,
 *                                         const struct waggle_deadline *d);
 *     static const struct waggle_exporter_ops ops = {.struct_size = sizeof ops, .name = "my",
 *                                                    .export_batch = my_export};
 *     struct my_exporter x = {.base = {&ops}, .out = stdout};
 *
 * Unset functions do nothing. struct_size tells waggle which version of the table you know.
 * Callbacks may use the API; spans they make while exporting are not recorded.
 */
#ifndef WAGGLE_PLUGIN_H
#define WAGGLE_PLUGIN_H

#include "waggle/record.h"

#ifdef __cplusplus
extern "C" {
#endif

struct waggle_context;

/* --- time ---------------------------------------------------------------------------------- */

/* Until when a call may take, and what ends it sooner. */
typedef struct waggle_deadline {
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC */
    int cancel_fd;         /* readable once the call should give up soon (shutdown); -1 = none */
} waggle_deadline;

/* Milliseconds left, for poll: 0 if it is over. */
WAGGLE_EXPORT int waggle_deadline_left_ms(const waggle_deadline *deadline);

/* --- exporters ----------------------------------------------------------------------------- */

enum waggle_export {
    WAGGLE_EXPORT_OK = 0,
    WAGGLE_EXPORT_FAILED = 1,  /* refused: sending it again would not help */
    WAGGLE_EXPORT_TIMEOUT = 2, /* given up, after the exporter's own retries */
    WAGGLE_EXPORT_PARTIAL = 3  /* accepted but for what waggle_export_reject counted */
};

struct waggle_exporter {
    const struct waggle_exporter_ops *ops;
    uint64_t rejected; /* records the receiver refused in the last call; set it with PARTIAL */
};

struct waggle_exporter_ops {
    size_t struct_size;
    const char *name;
    /* Send a batch. Never called from two threads at once. Owns its retries. */
    enum waggle_export (*export_batch)(struct waggle_exporter *exporter, const waggle_batch *batch,
                                       const waggle_deadline *deadline);
    bool (*flush)(struct waggle_exporter *exporter, const waggle_deadline *deadline);
    bool (*shutdown)(struct waggle_exporter *exporter, const waggle_deadline *deadline);
    void (*after_fork)(struct waggle_exporter *exporter); /* in the child: drop connections */
    void (*free)(struct waggle_exporter *exporter);
};

/* --- processors ---------------------------------------------------------------------------- */

struct waggle_processor {
    const struct waggle_processor_ops *ops;
};

struct waggle_processor_ops {
    size_t struct_size;
    const char *name;
    /* A recording span began; it may be changed. Any thread. */
    void (*on_start)(struct waggle_processor *processor, waggle_span span,
                     const waggle_span_context *parent);
    /* The span's end is fixed, it may be changed one last time. */
    void (*on_ending)(struct waggle_processor *processor, waggle_span span);
    /* A record is complete (traces: recording spans, sampled or not). Any thread. */
    void (*on_end)(struct waggle_processor *processor, enum waggle_signal signal,
                   const waggle_record *record, const waggle_scope_info *scope, bool sampled);
    bool (*flush)(struct waggle_processor *processor, const waggle_deadline *deadline);
    bool (*shutdown)(struct waggle_processor *processor, const waggle_deadline *deadline);
    void (*before_fork)(struct waggle_processor *processor);
    void (*after_fork)(struct waggle_processor *processor, bool child);
    void (*set_resource)(struct waggle_processor *processor, const waggle_resource_info *resource);
    void (*free)(struct waggle_processor *processor);
    /* Of log records: would it do anything with such a one (waggle_logger_enabled_for)? Unset: yes.
     * Any thread. */
    bool (*enabled)(struct waggle_processor *processor, const waggle_scope_info *scope,
                    int severity, const char *event_name);
};

/* --- samplers ------------------------------------------------------------------------------ */

enum waggle_decision { WAGGLE_DROP = 0, WAGGLE_RECORD_ONLY = 1, WAGGLE_RECORD_AND_SAMPLE = 2 };

/* What is known when a span is about to begin. */
typedef struct waggle_sampling_params {
    const waggle_span_context *parent; /* NULL: a root */
    const uint8_t *trace_id;           /* 16 bytes */
    const char *name;
    enum waggle_kind kind;
    waggle_attrs attributes;
    const waggle_link *links;
    size_t n_links;
} waggle_sampling_params;

/* What to do. Borrowed parts must stay valid until the sampler is called again by this thread. */
typedef struct waggle_sampling {
    enum waggle_decision decision;
    waggle_attrs attributes; /* added to the span */
    const char *tracestate;  /* NULL: the parent's; "": none */
} waggle_sampling;

struct waggle_sampler {
    const struct waggle_sampler_ops *ops;
};

struct waggle_sampler_ops {
    size_t struct_size;
    void (*sample)(struct waggle_sampler *sampler, const waggle_sampling_params *params,
                   waggle_sampling *ret_sampling); /* *ret_sampling comes all zero: DROP */
    const char *(*description)(struct waggle_sampler *sampler);
    void (*free)(struct waggle_sampler *sampler);
    void (*after_fork)(struct waggle_sampler *sampler); /* in the child */
};

/* --- ids ----------------------------------------------------------------------------------- */

struct waggle_id_generator {
    const struct waggle_id_generator_ops *ops;
};

struct waggle_id_generator_ops {
    size_t struct_size;
    void (*trace_id)(struct waggle_id_generator *generator, uint8_t ret_id[16]);
    void (*span_id)(struct waggle_id_generator *generator, uint8_t ret_id[8]);
    bool is_random; /* the trace id's low 56 bits are: sets WAGGLE_FLAG_RANDOM */
};

/* --- resource detectors -------------------------------------------------------------------- */

struct waggle_resource; /* waggle/resource.h */

/* Adds what it finds. One file and one table row (src/detectors.c) for a built-in one. */
typedef void waggle_detect_fn(struct waggle_resource *resource);

#ifdef __cplusplus
}
#endif

#endif
