// SPDX-License-Identifier: Apache-2.0
/* Rows of one look -> sightings, one for each item.  Internal to src/inbox. */
#pragma once

#include "plan/rows.h"
#include "state/items.h"

/* The columns a look asks for, in the order skep_inbox__gather reads them. */
const struct skep_field_ref *skep_inbox__columns(unsigned *ret_n);

/* Owns: all of it lives in the arena; texts are borrowed from the rows. */
void skep_inbox__gather(const struct skep_rows *rows, struct skep_arena *arena,
                        struct skep_item_sighting **ret, size_t *ret_n);
