// SPDX-License-Identifier: Apache-2.0
/* Rows of one look -> sightings, one for each item, and twins.  Internal to src/inbox. */
#pragma once

#include "inbox/twins.h"
#include "plan/rows.h"
#include "state/item_twins.h"

/* The columns a look asks for, in the order skep_inbox__gather reads them. */
const struct skep_field_ref *skep_inbox__columns(unsigned *ret_n);

/* A look's sightings and twins; what they are told by is remembered in `memory`.
 * Owns: all of it lives in the arena; texts are borrowed from the rows. */
void skep_inbox__gather(const struct skep_rows *rows, struct skep_twins *memory,
                        struct skep_arena *arena, struct skep_items_look *ret);
/* Is a row one that is looked at?  A span's events are occurrences, the span is not. */
bool skep_inbox__is_occurrence(const struct skep_row *r);
/* What a row tells, for `memory`. */
struct skep_report skep_inbox__report(const struct skep_row *r);
