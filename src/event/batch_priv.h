// SPDX-License-Identifier: Apache-2.0
/* What batch.c, lists.c and identity.c share. */
#pragma once

#include "event/batch.h"

/* An interned list under construction. */
struct skep_batch_list {
    struct skep_batch *batch;
    struct skep_batch_entry *entries;
    uint32_t n, cap;
    bool open;
};

struct skep_batch__scratch {
    uint64_t used_bytes; /* of the arrays; budget_bytes - used_bytes is taken ahead */
    struct skep_batch_list list;
    /* Prediction: attributes come in the same order row after row. */
    uint32_t first[SKEP_KIND_COUNT]; /* field put first in the last row of the kind */
    uint32_t last;                   /* field put last in the newest row, or NONE */
    /* One element a field, cap_fields long. */
    uint32_t *after;   /* field put behind this one when last seen */
    uint32_t *sibling; /* ring of the fields with the same (scope, name) */
};

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
/* Names are cut at a character boundary. */
skep_str skep_batch__name(skep_str name);
