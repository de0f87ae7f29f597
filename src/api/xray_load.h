// SPDX-License-Identifier: Apache-2.0
/* Traces and filter expressions for X-Ray's operations: xray_load.c. */
#pragma once

#include "api/xray_model.h"
#include "api/xray_priv.h"

/* Read a filter expression, in the request's arena; groups are those of its environment.  False
 * after an error was sent. */
SKEP_NODISCARD bool skep_api__xray_expression(struct skep_api__xray *x, skep_str text,
                                              const struct skep_xray_expr **ret);
/* The same without an answer of its own.  Returns as skep_xray_parse. */
SKEP_NODISCARD skep_rc skep_api__xray_read(struct skep_api__xray *x, skep_str text,
                                           const struct skep_xray_expr **ret,
                                           struct skep_lang_issue *issue);
/* The services that report by X-Ray in the range: what they report by other wires is not looked at.
 * False after an error was sent. */
SKEP_NODISCARD bool skep_api__xray_twice(struct skep_api__xray *x, struct skep_time_range range,
                                         struct skep_xray_twice *ret);
/* Which trace, and how. */
struct skep_api__xray_ask {
    skep_trace_id id;
    struct skep_xray_twice twice;
    bool raw; /* with the documents as they were sent: skep_api__xray_documents needs them */
};
/* One trace, assembled in the arena.  Returns SKEP_OK | ENOTFOUND | as skep_store_run. */
SKEP_NODISCARD skep_rc skep_api__xray_load(struct skep_api__xray *x,
                                           const struct skep_api__xray_ask *ask,
                                           struct skep_arena *arena, struct skep_xray_trace *ret,
                                           skep_err *err);

/* --- retrievals: xray_retrieval.c --- */

struct skep_api__xray_retrieved {
    struct skep_time_range range;
    const skep_trace_id *ids; /* in the request's arena */
    size_t n;
    bool cancelled;
};
/* The one that RetrievalToken names; false after an error was sent. */
SKEP_NODISCARD bool skep_api__xray_retrieved(struct skep_api__xray *x,
                                             struct skep_api__xray_retrieved *ret);
