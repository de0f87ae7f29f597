// SPDX-License-Identifier: Apache-2.0
/* Putting by prediction, for the inner loop of an adapter.
 *
 * Senders write attributes in the same order span after span, request after request.  So each name
 * remembers which names came behind it the last times (known.c); the guess is checked by comparing
 * bytes and usually right, and then neither hash nor table is touched.  An adapter that finds its
 * field here may also spare the check of the name: it was put before.
 *
 *   f = skep_batch_predict(b, scope, name, type)      NONE: skep_batch_field; NONE again:
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

/* A (scope, name, type) that was put, into this batch or one before it in the same memory.  The
 * first SKEP_KIND_COUNT are no names but where a row of that kind begins. */
struct skep_batch__known {
    uint32_t offset;                   /* of the name in names.data */
    uint32_t key;                      /* all that must be equal beside its bytes */
    uint32_t field;                    /* of this batch; NONE: it has none yet */
    uint32_t kin;                      /* ring of those with the same (scope, name) */
    uint32_t behind[SKEP_BATCH__WAYS]; /* what came behind it, the likelier ones first, then NONE */
    uint64_t hash;                     /* of the name */
};

struct skep_batch__scratch {
    uint64_t used_bytes; /* of the arrays; budget_bytes - used_bytes is taken ahead */
    struct skep_batch_list list;
    uint32_t last; /* known: what was put last in the newest row, or its kind */
    struct skep_batch__known *known;
    uint32_t n_known, cap_known;
    uint32_t *sorted, *rank, n_sorted; /* cap_known long: order.c */
    struct skep_index known_index;     /* one of each ring of kin */
    struct {
        uint8_t *data; /* SKEP_EQ_PAD more bytes than cap can be read */
        uint32_t n, cap;
    } names;
    /* One element a field, cap_fields long. */
    uint32_t *known_as; /* its number among the known */
    uint32_t *sibling;  /* ring of the fields with the same (scope, name) */
};

/* Names are at most SKEP_LIMIT_NAME_BYTES long: they fit. */
SKEP_INLINE uint32_t skep_batch__label_key(enum skep_scope scope, size_t name_n,
                                           enum skep_type type)
{
    return (uint32_t)name_n << 16 | (uint32_t)scope << 8 | (uint32_t)type;
}

SKEP_INLINE size_t skep_batch__key_name_n(uint32_t key)
{
    return key >> 16;
}

SKEP_INLINE uint8_t skep_batch__key_scope(uint32_t key)
{
    return (uint8_t)(key >> 8);
}

SKEP_INLINE uint8_t skep_batch__key_type(uint32_t key)
{
    return (uint8_t)key;
}

/* The field of known name k, made; NONE over a budget or limit. */
uint32_t skep_batch__use(struct skep_batch *b, uint32_t k);

/* The field of a put into the newest row, if its name is one of those that came here before; else
 * NONE, and nothing has changed.  The field may be new and empty: put into it.  name: at most
 * SKEP_LIMIT_NAME_BYTES, with SKEP_EQ_PAD readable bytes at name.p. */
SKEP_INLINE uint32_t skep_batch_predict(struct skep_batch *b, enum skep_scope scope, skep_str name,
                                        enum skep_type type)
{
    struct skep_batch__scratch *s = b->scratch;
    uint32_t key = skep_batch__label_key(scope, name.n, type);
    uint32_t *way = s->known[s->last].behind;
    for (unsigned i = 0; i < SKEP_BATCH__WAYS; i++) {
        uint32_t k = way[i];
        if (k == SKEP_BATCH_NONE)
            return k;
        const struct skep_batch__known *known = &s->known[k];
        if (known->key != key)
            continue;
        if (!skep_eq_padded(s->names.data + known->offset, name.p, name.n))
            continue;
        if (SKEP_UNLIKELY(i > 0)) {
            way[i] = way[i - 1];
            way[i - 1] = k;
        }
        s->last = k;
        return SKEP_LIKELY(known->field != SKEP_BATCH_NONE) ? known->field : skep_batch__use(b, k);
    }
    return SKEP_BATCH_NONE;
}

/* The same for any name that is known, and learns that it came here. */
uint32_t skep_batch_field(struct skep_batch *b, enum skep_scope scope, skep_str name,
                          enum skep_type type);

/* The field of a put into the newest row, if the batch has it. */
uint32_t skep_batch_find(struct skep_batch *b, enum skep_scope scope, skep_str name,
                         enum skep_type type);

/* The general case of skep_batch_put_bits. */
void skep_batch__put_bits(struct skep_batch *b, uint32_t f, uint64_t val);

/* Put a payload (as in struct skep_batch_field) into field f of the newest row. */
SKEP_INLINE void skep_batch_put_bits(struct skep_batch *b, uint32_t f, uint64_t val)
{
    struct skep_batch_field *field = &b->fields[f];
    uint32_t n = field->n, row = b->n_rows - 1;
    if (SKEP_UNLIKELY(n == field->cap || field->shared || (n > 0 && field->rows[n - 1] == row))) {
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
