// SPDX-License-Identifier: Apache-2.0
/* Answers of the page's questions that come in lines (NDJSON): how far it is while it runs, at the
 * end the result or an error.  With `Accept: application/json` the last line is the body. */
#pragma once

#include "api/api_priv.h"

struct skep_api__lines {
    struct skep_api__job *job;
    bool plain; /* application/json: no progress, no stream */
    int64_t last_progress_ns;
};

/* The answer begins; the question of job->opts tells of its progress in lines, at most ten a
 * second, and is canceled when the client leaves.  `lines` outlives it. */
void skep_api__lines_begin(struct skep_api__lines *lines, struct skep_api__job *job);
/* A line once lines have been sent, an HTTP status before. */
void skep_api__lines_failed(struct skep_api__job *job, skep_rc rc, const skep_err *err);
