// SPDX-License-Identifier: Apache-2.0
/* `data` of an occurrence, as Rollbar's calls and webhooks have it. */
#pragma once

#include "api/items.h"

struct skep_symbols;
/* What it is made with. */
struct skep_api__rb_source {
    struct skep_arena *arena;
    struct skep_budget *budget;   /* may be NULL */
    struct skep_symbols *symbols; /* may be NULL */
};

/* Of a row with all its fields, SKEP_RAW_FIELD among them: the Rollbar item that is kept of it,
 * word for word, else made. */
void skep_api__rb_data(struct skep_json *j, const struct skep_api__rb_source *x,
                       skep_str environment, const struct skep_row *row);
/* Made of the row's fields and its stack, in the same shape. */
void skep_api__rb_data_made(struct skep_json *j, const struct skep_api__rb_source *x,
                            skep_str environment, const struct skep_row *row);
/* The program's own word for where it runs. */
skep_str skep_api__rb_stage_of(struct skep_arena *arena, const struct skep_row *row);
