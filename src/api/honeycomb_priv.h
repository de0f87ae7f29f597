// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of Honeycomb's API: its answers, its errors, its dataset slugs. */
#pragma once

#include "api/api_priv.h"

/* Begin an answer with the headers Honeycomb's carry. */
void skep_api__hny_begin(struct skep_api__job *job, int status);

enum skep_api__problem {
    SKEP_PROBLEM_UNPARSEABLE,
    SKEP_PROBLEM_NOT_FOUND,
    SKEP_PROBLEM_CONFLICT,
    SKEP_PROBLEM_VALIDATION,
    SKEP_PROBLEM_TOO_LARGE,
    SKEP_PROBLEM_RATE_LIMITED,
    SKEP_PROBLEM_INTERNAL
};
/* application/problem+json with the legacy "error" member; `field` may be empty. */
void skep_api__hny_fail(struct skep_api__job *job, enum skep_api__problem problem, skep_str field,
                        enum skep_lang_code code, skep_str text);
void skep_api__hny_fail_rc(struct skep_api__job *job, skep_rc rc, const skep_err *err);
void skep_api__hny_fail_issue(struct skep_api__job *job, const struct skep_lang_issue *issue);
skep_refuse_fn skep_api__hny_refuse;

/* A dataset that a slug names. */
struct skep_api__dataset {
    skep_str name; /* as its rows have it; "" = all (__all__) */
    skep_str slug;
    skep_str description;
    int64_t created_ns, last_ns; /* last_ns 0 = nothing written yet */
};
/* The same without a request: datasets, and the one that a slug or a name in any case names
 * (`__all__`: name ""); opts says of which environment and where they are made.
 * Returns as skep_query_run; SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_api__datasets(struct skep_api *api, const struct skep_run_opts *opts,
                                          struct skep_api__dataset **ret, size_t *ret_n,
                                          skep_err *err);
SKEP_NODISCARD skep_rc skep_api__dataset_of(struct skep_api *api, const struct skep_run_opts *opts,
                                            skep_str slug, struct skep_api__dataset *ret,
                                            skep_err *err);
/* How a text of Honeycomb's language about a dataset is read: as of now, with its real name and the
 * derived columns it may name.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_api__hny_lang(struct skep_api *api, const struct skep_run_opts *opts,
                                          const struct skep_api__dataset *d,
                                          struct skep_lang_opts *ret, skep_err *err);
/* All datasets with rows and all created by POST /1/datasets, ordered by slug; on failure the
 * request has been answered. */
bool skep_api__hny_datasets(struct skep_api__job *job, struct skep_api__dataset **ret,
                            size_t *ret_n);
/* The dataset of the first capture of the route; false after a 404 (or another failure).
 * with_all: `__all__` is fine, too. */
bool skep_api__hny_dataset(struct skep_api__job *job, bool with_all, struct skep_api__dataset *ret);

/* Path of the page that shows a specification that was read already, which may have the page's own
 * members. */
skep_str skep_api__plan_page_path(struct skep_arena *arena, skep_str dataset, skep_str spec,
                                  const struct skep_plan *plan);
/* The same of a text; relative times count from now_ns. */
skep_str skep_api__hny_page_path(struct skep_arena *arena, skep_str dataset, skep_str spec,
                                 skep_ts_ns now_ns);

/* A path of the page as the client of this request reaches it. */
skep_str skep_api__hny_page_url(struct skep_api__job *job, skep_str path);

/* Instants as Honeycomb writes them. */
void skep_api__put_time(struct skep_json *json, skep_str key, int64_t ns);

/* The data member of a finished query result. */
struct skep_api__result_opts {
    bool series, totals, others;
};
void skep_api__hny_data(struct skep_json *json, const struct skep_result *r,
                        const struct skep_api__result_opts *opts);
