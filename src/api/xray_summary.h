// SPDX-License-Identifier: Apache-2.0
/* A trace as GetTraceSummaries shows it, and the forms that other answers share with it. */
#pragma once

#include "api/xray_model.h"
#include "wire/json_out.h"

/* One object of TraceSummaries.  matched_ns: MatchedEventTime, NULL = not said. */
void skep_api__xray_summary(struct skep_json *json, const struct skep_xray_trace *t,
                            const skep_ts_ns *matched_ns);
/* "Names": all that the node is called. */
void skep_api__xray_put_names(struct skep_json *json, const struct skep_xray_node *n);
