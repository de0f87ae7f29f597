// SPDX-License-Identifier: Apache-2.0
/* Shared by the endpoints: the api, a request at work, its answer on the way out. */
#pragma once

#include "api/api.h"
#include "auth/auth.h"
#include "base/histogram.h"
#include "lang/honeycomb.h"
#include "os/thread.h"
#include "query/query.h"

/* How a question ended. */
enum skep_api__outcome {
    SKEP_API__ANSWERED,
    SKEP_API__FAILED,
    SKEP_API__CANCELED,
    SKEP_API__OVER_BUDGET,
    SKEP_API__REFUSED, /* too many at once */
    SKEP_API__OUTCOMES
};

/* A question in the list of those at work; embedded in its job. */
struct skep_api__running {
    struct skep_api__running *next, *prev; /* under running_mu, like all that is not atomic */
    uint64_t id;
    skep_str kind; /* static */
    char path[128], text[512], environment[128];
    skep_ts_ns since_ns;
    int64_t began_mono_ns;
    _Atomic uint64_t scanned, total;
    _Atomic bool begun;   /* a worker has it */
    _Atomic bool cancel;  /* asked for */
    _Atomic bool stopped; /* the question was told so, or that its client has gone */
    uint64_t watched;     /* the worker's: what the watch made of it; 0 = nothing */
};

struct skep_api {
    struct skep_api_config cfg;
    struct skep_pool *pool;
    struct skep_pool *login_pool; /* waits for the identity provider; NULL without one */
    _Atomic unsigned logins;      /* on it or waiting for it */
    int64_t started_mono_ns;
    _Atomic unsigned pending; /* requests on the workers or waiting for one */
    _Atomic unsigned tails;
    _Atomic bool stopping;
    struct skep_xray_sampler *sampler;             /* xray_sampler.h */
    struct skep_logs_retention *retention;         /* logs_retention.h */
    struct skep_logs_subscriptions *subscriptions; /* logs_filters.h */
    struct skep_logs_queries *logs_queries;        /* logs_queries.h */
    struct skep_logs_exports *exports;             /* logs_exports.h */
    struct skep_watch *watch;                      /* alerts.h */
    struct skep_arena routes;                      /* copies for the page: honeycomb_routes.c */
    /* Questions at work and what became of the others: running.c. */
    struct skep_mutex running_mu; /* of the two below */
    struct skep_api__running *running;
    uint64_t running_last_id;
    _Atomic uint64_t outcomes[SKEP_API__OUTCOMES];
    _Atomic uint64_t rows_scanned;
    struct skep_histogram latency;
};

/* An answer being written: kept in `buf` and sent with its length while it is small, as a stream
 * from the first flush on.  One thread at a time. */
struct skep_api__out {
    struct skep_request *req; /* NULL once answered or streaming */
    struct skep_stream *stream;
    struct skep_response resp;
    struct skep_buf buf;
    struct skep_json json; /* writes into buf */
    bool gone;
};

/* One request on a worker. */
struct skep_api__job {
    struct skep_api *api;
    struct skep_request *req;
    void (*work)(struct skep_api__job *job);
    struct skep_arena arena;
    struct skep_budget budget; /* of this question; the arena's parent */
    struct skep_run_opts opts; /* arena, budget and cancellation are set */
    struct skep_also also;     /* opts.also: who reported through X-Ray, too */
    struct skep_api__out out;
    struct skep_api__running running;
    struct skep_auth_hold hold; /* what it was let in with */
    bool failed;                /* answered with an error */
};
typedef void skep_api__work_fn(struct skep_api__job *job);

/* Hand a request to the workers; `work` must end the answer (skep_api__out_end or a fail). Threads:
 * I/O. */
void skep_api__run(struct skep_api *api, struct skep_request *req, skep_api__work_fn *work);
/* The same on other threads; false when it was refused. */
bool skep_api__run_on(struct skep_api *api, struct skep_pool *pool, struct skep_request *req,
                      skep_api__work_fn *work);

/* The member "also_xray" of an answer: services whose rows of X-Ray it leaves out, because they
 * reported through another tracer, too; nothing when there are none. */
void skep_api__put_also(struct skep_api__job *job, struct skep_json *json);

/* --- running.c --- */

/* Into the list when it comes, out of it, and counted, when its answer has been sent. */
void skep_api__running_enter(struct skep_api__job *job);
void skep_api__running_leave(struct skep_api__job *job);
/* Fits skep_run_opts.progress; ctx is the job. */
void skep_api__progress(void *job, uint64_t scanned, uint64_t total);

/* --- answers --- */

/* Begin an answer.  Security headers are set. */
void skep_api__out_begin(struct skep_api__job *job, int status, skep_str content_type);
void skep_api__out_header(struct skep_api__out *out, skep_str name, skep_str value);
/* Send what stands in the buffer if it is much; between two items of a long list. */
void skep_api__out_check(struct skep_api__out *out);
/* Send what stands in the buffer now. */
void skep_api__out_flush(struct skep_api__out *out);
void skep_api__out_end(struct skep_api__out *out);
/* The client has gone. */
bool skep_api__out_gone(const struct skep_api__out *out);
bool skep_api__canceled(struct skep_api__job *job);
/* Told to end, whether or not the client is still there. */
bool skep_api__stopped(struct skep_api__job *job);

/* The usual frame of a JSON answer. */
void skep_api__json_begin(struct skep_api__job *job, int status);

/* {"error": text, "field": ..., "at": ...}; the answer must not have begun. */
struct skep_api__error {
    int status;
    skep_str text, field;
    bool has_at;
    size_t at, end;    /* end 0 = not known */
    int retry_after_s; /* 0 = the usual one of the status */
};
void skep_api__fail(struct skep_request *req, const struct skep_api__error *e);
void skep_api__fail_rc(struct skep_request *req, skep_rc rc, const skep_err *err);
void skep_api__fail_issue(struct skep_request *req, const struct skep_lang_issue *issue);
/* ENOMEM of the question's own budget is EBUDGET: the client must ask for less, not wait. */
skep_rc skep_api__job_rc(struct skep_api__job *job, skep_rc rc);
/* A job's request, to be answered otherwise; what was begun and not sent is forgotten. */
struct skep_request *skep_api__job_instead(struct skep_api__job *job);
/* The same from a worker: instead of the answer. */
void skep_api__job_fail(struct skep_api__job *job, const struct skep_api__error *e);
void skep_api__job_fail_rc(struct skep_api__job *job, skep_rc rc, const skep_err *err);
void skep_api__job_fail_issue(struct skep_api__job *job, const struct skep_lang_issue *issue);
/* net's own refusals in the same form. */
skep_refuse_fn skep_api__refuse;

/* --- values --- */

void skep_api__value(struct skep_json *json, const skep_value *v);
void skep_api__cell(struct skep_json *json, const struct skep_cell *c);
/* "12-7" */
skep_str skep_api__row_id(struct skep_arena *arena, skep_row_id id);
void skep_api__put_row_id(struct skep_json *json, skep_str key, skep_row_id id);
void skep_api__put_trace_id(struct skep_json *json, skep_str key, const skep_trace_id *id);
/* 16 hex digits, "" when 0. */
skep_str skep_api__span_id(char out[16], uint64_t id);

/* A canonical name computed from a row's intrinsic columns; type NULL = absent. */
struct skep_view;
skep_value skep_api__view(struct skep_arena *arena, const struct skep_row *row,
                          const struct skep_view *view);
/* The value that a name resolves to (event/view.h); type NULL = absent. */
skep_value skep_api__field(struct skep_arena *arena, const struct skep_row *row, skep_str name);
/* One row object of /rows and /tail. */
void skep_api__row(struct skep_json *json, struct skep_arena *arena, const struct skep_row *row,
                   bool all_fields);

/* --- endpoint groups: a table each --- */

struct skep_api__routes {
    const struct skep_route *routes;
    size_t n;
};
extern const struct skep_api__routes skep_api__page_notify;
extern const struct skep_api__routes skep_api__page_status, skep_api__page_names,
    skep_api__page_facets, skep_api__page_functions, skep_api__page_insights, skep_api__page_graph,
    skep_api__page_query, skep_api__page_rows, skep_api__page_traces, skep_api__page_tail,
    skep_api__page_export, skep_api__page_delete, skep_api__page_assets, skep_api__honeycomb_auth,
    skep_api__honeycomb_datasets, skep_api__honeycomb_columns, skep_api__honeycomb_queries,
    skep_api__honeycomb_results, skep_api__page_ledger, skep_api__page_running, skep_api__page_keys,
    skep_api__page_login, skep_api__page_users, skep_api__page_audit, skep_api__honeycomb_v2,
    skep_api__honeycomb_environments, skep_api__honeycomb_keys, skep_api__metrics,
    skep_api__xray_operations, skep_api__page_xray, skep_api__page_sampling;

extern const struct skep_api__routes skep_api__page_document, skep_api__page_patterns,
    skep_api__page_oidc, skep_api__page_runs, skep_api__page_tries;
extern const struct skep_api__routes skep_api__logs_operations, skep_api__page_logs,
    skep_api__aws_root, skep_api__page_logs_metric;

extern const struct skep_api__routes skep_api__honeycomb_definitions, skep_api__honeycomb_maps,
    skep_api__honeycomb_reporting, skep_api__page_alerts, skep_api__mcp;

extern const struct skep_api__routes skep_api__page_items, skep_api__page_items_change,
    skep_api__page_stack, skep_api__page_item_rules, skep_api__page_grouping,
    skep_api__page_grouping_preview, skep_api__page_deploys, skep_api__page_symbols;
extern const struct skep_api__routes skep_api__rollbar_items, skep_api__rollbar_instances,
    skep_api__rollbar_deploys, skep_api__rollbar_reports, skep_api__rollbar_versions,
    skep_api__rollbar_sourcemaps, skep_api__rollbar_rql, skep_api__rollbar_projects,
    skep_api__rollbar_rules;

/* Add the derived columns of an environment that a text may name; opts says which environment. */
SKEP_NODISCARD skep_rc skep_api__derived(struct skep_api *api, const struct skep_run_opts *opts,
                                         struct skep_lang_opts *lang, skep_err *err);
/* Answer a FACETS plan, of all columns where it names "*". */
SKEP_NODISCARD skep_rc skep_api__facets(struct skep_api__job *job, const struct skep_plan *asked,
                                        struct skep_answer *ret, skep_err *err);
/* How the page's questions are read: as of now, with derived columns; false after the job was
 * refused because they cannot be read: a question that knows fewer names asks something else. */
SKEP_NODISCARD bool skep_api__page_lang(struct skep_api__job *job, struct skep_lang_opts *ret);
/* start, end, dataset of the query string -> plan; false when the request has been refused. */
bool skep_api__scope(struct skep_api__job *job, struct skep_plan *plan);
/* Keep a question that was answered, with what `write` makes of its answer; *ret is then its id.
 * The page's where its request says keep=true; a program's (`question` is not empty) always, the
 * newest answer of each question in the place of the one before: who polls pushes nobody out.  It
 * goes without a place in the history when that cannot be written, without its answer when that is
 * very large: the question itself is answered. */
struct skep_result;
struct skep_api__kept_run {
    const struct skep_plan *plan;
    const struct skep_result *result, *then; /* NULL = with no earlier time */
    skep_str question;                       /* empty = the request's body */
    skep_str owner, actor;                   /* with it: skep_api__asker, before the answer */
    void (*write)(struct skep_api__job *job, struct skep_api__out *out,
                  const struct skep_api__kept_run *run);
};
/* Who asks, as runs keep it, in the arena: a request that was answered is gone. */
void skep_api__asker(struct skep_api__job *job, skep_str *ret_owner, skep_str *ret_actor);
/* A `write`: the members of an answer of /skep/v1/query (page_query.c). */
void skep_api__page_members(struct skep_api__job *job, struct skep_api__out *out,
                            const struct skep_api__kept_run *run);
bool skep_api__keep_run(struct skep_api__job *job, const struct skep_api__kept_run *run,
                        skep_state_id *ret);
/* A parameter of the query string, or an empty slice. */
skep_str skep_api__param(struct skep_request *req, skep_str name);
int64_t skep_api__now(const struct skep_api *api);

/* Keep all that X-Ray's clients reported of their sampling. */
void skep_api__sampling_keep(struct skep_api *api);

/* Threads that outlive their request (live tail); counted in api->tails. */
void skep_api__tails_wait(struct skep_api *api);
