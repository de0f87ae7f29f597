// SPDX-License-Identifier: Apache-2.0
/* Answers that are not aggregates, as pure data: raw rows, trace summaries, field and dataset
 * lists.
 * An answer lives in the arena it was made in. */
#pragma once

#include "plan/plan.h"

struct skep_row_field {
    skep_str name;
    enum skep_scope scope;
    skep_value value;
};

struct skep_row {
    skep_row_id id;
    skep_ts_ns time_ns;
    skep_ts_ns received_ns;
    int64_t duration_ns; /* -1 = none */
    enum skep_kind kind;
    enum skep_source source;
    skep_trace_id trace_id;
    uint64_t span_id, parent_id;
    skep_str name, dataset;
    uint8_t status, span_kind, severity;
    uint32_t flags, sample_rate;
    struct skep_row_field *fields; /* columns asked for (value NULL = absent), or all stored ones */
    unsigned n_fields;
};

struct skep_rows {
    struct skep_row *rows;
    size_t n;
    bool more; /* the limit cut the answer; continue behind the last row */
};

struct skep_trace_service {
    skep_str name;
    uint64_t spans, errors;
};

struct skep_trace_summary {
    skep_trace_id id;
    skep_ts_ns start_ns, end_ns;
    uint64_t spans, errors;
    bool has_root;
    skep_str root_service, root_name;
    int64_t root_status; /* http.status_code or http.response.status_code; -1 = none */
    struct skep_trace_service *services; /* by first appearance */
    unsigned n_services;
};

struct skep_traces {
    struct skep_trace_summary *traces;
    size_t n;
};

struct skep_field_info {
    skep_str name;
    uint32_t types;  /* bits 1 << enum skep_type */
    uint32_t scopes; /* bits 1 << enum skep_scope */
    uint64_t rows;   /* rows that have it, counted by whole segments and parts touching the range */
};

struct skep_fields {
    struct skep_field_info *fields; /* by name */
    size_t n;
};

struct skep_dataset_info {
    skep_str name;
    uint64_t rows;
    skep_ts_ns first_ns, last_ns;
};

struct skep_datasets {
    struct skep_dataset_info *datasets; /* by name */
    size_t n;
};

/* FACETS: a value of a field (NULL type: rows without it) and its rows on both sides. */
struct skep_facet_value {
    skep_value value;
    uint64_t selected, rest;
};
enum skep_facet_kind {
    SKEP_FACET_VALUES,  /* compared value by value */
    SKEP_FACET_NUMBERS, /* nearly all are numbers, of many values: by their distribution */
    SKEP_FACET_PRESENCE /* too many values: whether there is one */
};
/* Rows from edges[i] up to edges[i + 1]. */
struct skep_facet_bin {
    uint64_t selected, rest;
};
struct skep_facet {
    skep_str name;
    enum skep_facet_kind kind;
    double difference; /* of the two distributions: 0 = the same .. 1 = no value in common */
    double effect;     /* what of it is beyond chance (agg/differ.h) */
    double p, q;       /* as probable by chance; share of false discoveries up to it */
    bool significant;  /* q <= SKEP_FACET_Q and effect >= SKEP_FACET_EFFECT */
    uint64_t n_values; /* distinct, rows without it not counted; 0 with too_many */
    bool too_many;     /* more than SKEP_LIMIT_PLAN_FACET_VALUES: they are not listed */
    size_t n;          /* the values that differ most; of PRESENCE rows without it alone */
    struct skep_facet_value *values;
    /* NUMBERS; rows without a number are in no bin */
    size_t n_bins; /* 0 = none */
    double *edges; /* [n_bins + 1] */
    struct skep_facet_bin *bins;
};
#define SKEP_FACET_Q      0.01
#define SKEP_FACET_EFFECT 0.05
struct skep_facets {
    struct skep_facet *facets; /* the significant ones first, then by effect, difference, name */
    size_t n;
    uint64_t selected, rest; /* rows */
    bool estimated;          /* some of them stand for more than one */
};
