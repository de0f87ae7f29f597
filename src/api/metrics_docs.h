// SPDX-License-Identifier: Apache-2.0
/* The page of docs/ that lists what /metrics shows. */
#pragma once

#include "base/buf.h"

/* Append the text of docs/metrics.md. */
void skep_metrics_docs(struct skep_buf *out);
