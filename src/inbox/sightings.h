// SPDX-License-Identifier: Apache-2.0
/* Rows -> sightings, one for each item, and twins.  Internal to src/inbox. */
#pragma once

#include "base/arena.h"
#include "base/hash.h"
#include "inbox/twins.h"
#include "plan/rows.h"
#include "state/item_twins.h"

/* The columns a look asks for, in the order skep_inbox__gather reads them. */
const struct skep_field_ref *skep_inbox__columns(unsigned *ret_n);

/* Sightings and twins while they are gathered, of as many rows as a transaction takes. */
struct skep_inbox__gathering {
    struct skep_arena texts; /* of what is gathered: rows may go when they were looked at */
    struct skep_item_sighting *sightings;
    struct skep_item_twin *twins;
    size_t n, cap, n_twins, cap_twins, rows;
    struct skep_index index; /* of sightings, by fingerprint */
    skep_row_id at;          /* the last row */
};
void skep_inbox__gathering_init(struct skep_inbox__gathering *g);
void skep_inbox__gathering_done(struct skep_inbox__gathering *g);
/* Nothing is gathered; what look_of gave is gone. */
void skep_inbox__gathering_clear(struct skep_inbox__gathering *g);
/* Look at rows; what they are told by is remembered in `memory`. */
void skep_inbox__gather(struct skep_inbox__gathering *g, const struct skep_rows *rows,
                        struct skep_twins *memory, struct skep_arena *arena);
/* What was gathered; at least one row. */
struct skep_items_look skep_inbox__look_of(const struct skep_inbox__gathering *g,
                                           const struct skep_twins *memory);
/* Is a row one that is looked at?  A span's events are occurrences, the span is not. */
bool skep_inbox__is_occurrence(const struct skep_row *r);
/* What a row tells, for `memory`. */
struct skep_report skep_inbox__report(const struct skep_row *r);
