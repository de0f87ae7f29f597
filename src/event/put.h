// SPDX-License-Identifier: Apache-2.0
/* Putting by prediction, for the inner loop of an adapter.
 *
 * Senders write attributes in the same order span after span.  So each field remembers which fields
 * came behind it the last times; the guess is checked by comparing bytes and usually right, and
 * then neither hash nor table is touched.  An adapter that finds its field here may also spare the
 * check of the name: it was put before.
 *
 *   f = skep_batch_predict(b, scope, name, type)      NONE: skep_batch_find; NONE again:
 *                                                     skep_batch_put does all
 *   skep_batch_put_bits(b, f, payload)                int, double, bool
 *   skep_batch_put_again(b, f, s)                     the value before it in its column?
 *   skep_batch_put_bits(b, f, skep_batch_intern(b, s))
 *
 * What stands in structs named with two underscores is private to src/event. */
#pragma once

#include "base/bytes.h"
#include "event/batch.h"

enum { SKEP_BATCH__WAYS = 4 };
#define SKEP_BATCH_NONE SKEP_INDEX_NONE

/* An interned list under construction. */
struct skep_batch_list {
    struct skep_batch *batch;
    struct skep_batch_entry *entries;
    uint32_t n, cap;
    bool open;
};

/* Fields seen behind another one, the likelier ones first; NONE in unused places. */
struct skep_batch__follow {
    uint32_t field[SKEP_BATCH__WAYS];
};

/* Where the name of a field stands, and all that must be equal beside its bytes. */
struct skep_batch__label {
    uint32_t offset; /* in strings.data */
    uint32_t key;
};

struct skep_batch__scratch {
    uint64_t used_bytes; /* of the arrays; budget_bytes - used_bytes is taken ahead */
    struct skep_batch_list list;
    /* What was put last in the newest row: a field (SKEP_KIND_COUNT + its number), or nothing yet
     * (the kind of the row). */
    uint32_t last;
    struct skep_batch__follow *follow; /* by `last`; SKEP_KIND_COUNT + cap_fields */
    /* One element a field, cap_fields long. */
    struct skep_batch__label *labels;
    uint32_t *sibling; /* ring of the fields with the same (scope, name) */
};

/* Names are at most SKEP_LIMIT_NAME_BYTES long: they fit. */
SKEP_INLINE uint32_t skep_batch__label_key(enum skep_scope scope, size_t name_n,
                                           enum skep_type type)
{
    return (uint32_t)name_n << 16 | (uint32_t)scope << 8 | (uint32_t)type;
}

/* The field of a put into the newest row, if it is one of those that came here before; else NONE,
 * and nothing has changed.  name: at most SKEP_LIMIT_NAME_BYTES, with SKEP_EQ_PAD readable bytes at
 * name.p. */
SKEP_INLINE uint32_t skep_batch_predict(struct skep_batch *b, enum skep_scope scope, skep_str name,
                                        enum skep_type type)
{
    struct skep_batch__scratch *s = b->scratch;
    uint32_t key = skep_batch__label_key(scope, name.n, type);
    uint32_t *way = s->follow[s->last].field;
    for (unsigned i = 0; i < SKEP_BATCH__WAYS; i++) {
        uint32_t f = way[i];
        if (f == SKEP_BATCH_NONE)
            return f;
        if (s->labels[f].key != key)
            continue;
        if (!skep_eq_padded(b->strings.data + s->labels[f].offset, name.p, name.n))
            continue;
        if (SKEP_UNLIKELY(i > 0)) {
            way[i] = way[i - 1];
            way[i - 1] = f;
        }
        s->last = SKEP_KIND_COUNT + f;
        return f;
    }
    return SKEP_BATCH_NONE;
}

/* The same for any field that is there, and learns that it came here. */
uint32_t skep_batch_find(struct skep_batch *b, enum skep_scope scope, skep_str name,
                         enum skep_type type);

/* The general case of skep_batch_put_bits. */
void skep_batch__put_bits(struct skep_batch *b, uint32_t f, uint64_t val);

/* Put a payload (as in struct skep_batch_field) into field f of the newest row. */
SKEP_INLINE void skep_batch_put_bits(struct skep_batch *b, uint32_t f, uint64_t val)
{
    struct skep_batch_field *field = &b->fields[f];
    uint32_t n = field->n, row = b->n_rows - 1;
    if (SKEP_UNLIKELY(n == field->cap || b->scratch->sibling[f] != f ||
                      (n > 0 && field->rows[n - 1] == row))) {
        skep_batch__put_bits(b, f, val);
        return;
    }
    field->rows[n] = row;
    field->vals[n] = val;
    field->n = n + 1;
}

/* Put s into field f, of strings or arrays, if it is the value before it in that column.  s as the
 * name above. */
SKEP_INLINE bool skep_batch_put_again(struct skep_batch *b, uint32_t f, skep_str s)
{
    const struct skep_batch_field *field = &b->fields[f];
    if (field->n == 0)
        return false;
    uint64_t before = field->vals[field->n - 1];
    const struct skep_batch_string *known = &b->strings.items[before];
    if (known->len != s.n || !skep_eq_padded(b->strings.data + known->offset, s.p, s.n))
        return false;
    skep_batch_put_bits(b, f, before);
    return true;
}
