// SPDX-License-Identifier: Apache-2.0
/* What the files of a batch share. */
#pragma once

#include "event/put.h"

/* Account for `more` bytes of arrays; false (and over_budget) when the budget refuses. */
bool skep_batch__charge(struct skep_batch *b, uint64_t more);
/* Grow *p, an array of elements of `size` bytes and *cap long, to hold at least `need`; false (and
 * over_budget) when the budget refuses. */
bool skep_batch__grow(struct skep_batch *b, void **p, uint32_t *cap, uint32_t need, size_t size);
/* Add to an index, accounting for its growth. */
void skep_batch__index_add(struct skep_batch *b, struct skep_index *ix, uint64_t hash, uint32_t i);
/* The 64-bit payload of a value (interning strings). */
uint64_t skep_batch__payload(struct skep_batch *b, skep_value v);
/* A payload's hash that does not depend on string indexes. */
uint64_t skep_batch__payload_hash(const struct skep_batch *b, uint32_t type, uint64_t val);
/* Intern bytes whose skep_hash is known. */
uint32_t skep_batch__intern(struct skep_batch *b, skep_str s, uint64_t hash);
/* Names are cut at a character boundary. */
skep_str skep_batch__name(skep_str name);
/* The field of that identity, or SKEP_BATCH_NONE. */
uint32_t skep_batch__look_up(const struct skep_batch *b, enum skep_scope scope, skep_str name,
                             enum skep_type type);
/* No fields; their arrays and names stay. */
void skep_batch__drop_fields(struct skep_batch *b);

/* --- known names: known.c --- */

void skep_batch__known_init(struct skep_batch *b);
void skep_batch__known_done(struct skep_batch *b);
/* Nothing is known.  The batch has no fields. */
void skep_batch__known_clear(struct skep_batch *b);
/* The number of (scope, name, type), or NONE; name as skep_batch__name leaves it. */
uint32_t skep_batch__known(const struct skep_batch *b, enum skep_scope scope, skep_str name,
                           enum skep_type type);
/* The same, added when there is none; NONE when a budget refuses. */
uint32_t skep_batch__know(struct skep_batch *b, enum skep_scope scope, skep_str name,
                          enum skep_type type);
/* The same for what is put behind scratch->last, which it becomes; learns the order.  Added only
 * when told to `make` it. */
uint32_t skep_batch__know_next(struct skep_batch *b, enum skep_scope scope, skep_str name,
                               enum skep_type type, bool make);
