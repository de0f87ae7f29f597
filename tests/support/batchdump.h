// SPDX-License-Identifier: Apache-2.0
/* The content of a batch as text, independent of string indexes and of the order of fields: for
 * golden files and for comparing two batches. */
#pragma once

#include "base/buf.h"
#include "event/batch.h"

/* Append to `out`.  Lists (resources, scopes) are written with the rows' first use of them. */
void skep_batchdump(const struct skep_batch *b, struct skep_buf *out);
