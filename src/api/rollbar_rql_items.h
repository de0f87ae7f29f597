// SPDX-License-Identifier: Apache-2.0
/* Columns of RQL that are not in a row: those of its item, and the occurrence's number. */
#pragma once

#include "api/items.h"
#include "lang/rql.h"

/* The ctx of the two below, in the job's arena; it lives as long as the question. */
void *skep_api__rql_items(struct skep_api__job *job);
struct skep_calc *skep_api__rql_item(void *ctx, struct skep_arena *a, skep_str name,
                                     struct skep_calc *fingerprint, struct skep_calc *stage);
struct skep_calc *skep_api__rql_id(void *ctx, struct skep_arena *a, struct skep_calc *row_id);
