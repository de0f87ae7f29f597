// SPDX-License-Identifier: Apache-2.0
/* The fields of a batch: sparse columns, one per (scope, name, type), and puts into them.
 *
 *   put(scope, name, value)
 *     known.c: one of those seen behind the last put, or one that is looked up or added
 *     known[k].field, or a new one
 *     rows[n], vals[n] = newest row, payload
 *
 * A value equal to the one before it in its column is found by one comparison.
 *
 * Invariants, threads, memory: batch.c. */
#include "event/batch_priv.h"

#include "base/assert.h"
#include "base/mem.h"

#define NONE SKEP_BATCH_NONE

// --- fields ------------------------------------------------------------------------------------

uint32_t skep_batch__look_up(const struct skep_batch *b, enum skep_scope scope, skep_str name,
                             enum skep_type type)
{
    uint32_t k = skep_batch__known(b, scope, name, type);
    return k == NONE ? NONE : b->scratch->known[k].field;
}

static bool grow_fields(struct skep_batch *b)
{
    struct skep_batch__scratch *s = b->scratch;
    if (b->n_fields < b->cap_fields)
        return true;
    uint32_t old = b->cap_fields, cap = old ? old * 2 : 32;
    uint64_t each = sizeof *b->fields + sizeof *s->known_as + sizeof *s->sibling;
    if (!skep_batch__charge(b, (cap - old) * each))
        return false;
    b->fields = skep_realloc(b->fields, cap * sizeof *b->fields);
    memset(b->fields + old, 0, (cap - old) * sizeof *b->fields);
    s->known_as = skep_realloc(s->known_as, cap * sizeof *s->known_as);
    s->sibling = skep_realloc(s->sibling, cap * sizeof *s->sibling);
    b->cap_fields = cap;
    return true;
}

/* Put the new field f of known name k into the ring of its (scope, name). */
static void join_ring(struct skep_batch *b, uint32_t f, uint32_t k)
{
    struct skep_batch__scratch *s = b->scratch;
    b->fields[f].shared = false;
    s->sibling[f] = f;
    for (uint32_t kin = s->known[k].kin; kin != k; kin = s->known[kin].kin) {
        uint32_t other = s->known[kin].field;
        if (other == NONE)
            continue;
        s->sibling[f] = s->sibling[other];
        s->sibling[other] = f;
        b->fields[f].shared = b->fields[other].shared = true;
        return;
    }
}

uint32_t skep_batch__use(struct skep_batch *b, uint32_t k)
{
    struct skep_batch__scratch *s = b->scratch;
    struct skep_batch__known *known = &s->known[k];
    skep_assert(k < s->n_known && known->field == NONE);
    if (b->n_fields == SKEP_LIMIT_FIELDS_PER_BATCH) {
        b->over_limit = true;
        return NONE;
    }
    skep_str name = {(const char *)s->names.data + known->offset,
                     skep_batch__key_name_n(known->key)};
    uint32_t string = skep_batch__intern(b, name, known->hash);
    if (b->over_budget || b->over_limit || !grow_fields(b))
        return NONE;
    uint32_t f = b->n_fields++;
    struct skep_batch_field *field = &b->fields[f]; // its arrays may be there already
    field->name = string;
    field->scope = skep_batch__key_scope(known->key);
    field->type = skep_batch__key_type(known->key);
    field->n = 0;
    known->field = f;
    s->known_as[f] = k;
    join_ring(b, f, k);
    return f;
}

/* The field of known name k, or NONE. */
SKEP_INLINE uint32_t field_of(struct skep_batch *b, uint32_t k)
{
    if (k == NONE)
        return NONE;
    uint32_t f = b->scratch->known[k].field;
    return f != NONE ? f : skep_batch__use(b, k);
}

uint32_t skep_batch_field(struct skep_batch *b, enum skep_scope scope, skep_str name,
                          enum skep_type type)
{
    skep_assert(b->n_rows > 0);
    return field_of(b, skep_batch__know_next(b, scope, name, type, false));
}

uint32_t skep_batch_find(struct skep_batch *b, enum skep_scope scope, skep_str name,
                         enum skep_type type)
{
    skep_assert(b->n_rows > 0);
    return skep_batch__look_up(b, scope, name, type);
}

static bool grow_field(struct skep_batch *b, struct skep_batch_field *field)
{
    // Few values are common, and so are many: the steps between are made short.
    uint32_t cap = field->cap == 0 ? 8 : field->cap < 512 ? field->cap * 4 : field->cap * 2;
    if (!skep_batch__charge(b, (uint64_t)(cap - field->cap) *
                                   (sizeof *field->rows + sizeof *field->vals)))
        return false;
    field->rows = skep_realloc(field->rows, cap * sizeof *field->rows);
    field->vals = skep_realloc(field->vals, cap * sizeof *field->vals);
    field->cap = cap;
    return true;
}

void skep_batch__put_bits(struct skep_batch *b, uint32_t f, uint64_t val)
{
    struct skep_batch_field *field = &b->fields[f];
    uint32_t row = b->n_rows - 1;
    skep_assert(f < b->n_fields);
    for (uint32_t i = b->scratch->sibling[f]; i != f; i = b->scratch->sibling[i]) {
        struct skep_batch_field *other = &b->fields[i];
        if (other->n > 0 && other->rows[other->n - 1] == row)
            other->n--;
    }
    if (field->n > 0 && field->rows[field->n - 1] == row) {
        field->vals[field->n - 1] = val;
        return;
    }
    if (field->n == field->cap && !grow_field(b, field))
        return;
    field->rows[field->n] = row;
    field->vals[field->n++] = val;
}

void skep_batch_put(struct skep_batch *b, enum skep_scope scope, skep_str name, skep_value v)
{
    skep_assert(b->n_rows > 0);
    skep_assert(scope == SKEP_SCOPE_INTRINSIC || scope == SKEP_SCOPE_ATTRIBUTE);
    if (name.n == 0 || v.type == SKEP_TYPE_NULL || b->over_budget || b->over_limit)
        return;
    uint32_t f = field_of(b, skep_batch__know_next(b, scope, skep_batch__name(name), v.type, true));
    if (f == NONE)
        return;
    const struct skep_batch_field *field = &b->fields[f];
    bool text = v.type == SKEP_TYPE_STRING || v.type == SKEP_TYPE_ARRAY;
    if (text && field->n > 0) {
        uint64_t before = field->vals[field->n - 1];
        if (skep_str_eq_short(skep_batch_str(b, (uint32_t)before), v.s)) {
            skep_batch_put_bits(b, f, before);
            return;
        }
    }
    skep_batch_put_bits(b, f, skep_batch__payload(b, v));
}

/* The intrinsic field of that name and type, emptied.  NONE: there is none, and none is made. */
static uint32_t whole_field(struct skep_batch *b, skep_str name, enum skep_type type, bool make)
{
    uint32_t f = skep_batch__look_up(b, SKEP_SCOPE_INTRINSIC, name, type);
    if (f == NONE && make && !b->over_budget && !b->over_limit)
        f = field_of(b, skep_batch__know(b, SKEP_SCOPE_INTRINSIC, name, type));
    if (f != NONE)
        b->fields[f].n = 0;
    return f;
}

/* False: over budget. */
static bool append_to(struct skep_batch *b, struct skep_batch_field *field, uint32_t row,
                      uint64_t val)
{
    if (field->n == field->cap && !grow_field(b, field))
        return false;
    field->rows[field->n] = row;
    field->vals[field->n++] = val;
    return true;
}

void skep_batch_mark(struct skep_batch *b, skep_str name, const uint32_t *rows, uint32_t n)
{
    uint32_t f = whole_field(b, name, SKEP_TYPE_BOOL, n > 0);
    if (f == NONE)
        return;
    for (uint32_t i = 0; i < n; i++) {
        skep_assert(rows[i] < b->n_rows && (i == 0 || rows[i] > rows[i - 1]));
        if (!append_to(b, &b->fields[f], rows[i], 1))
            return;
    }
}

void skep_batch_fill(struct skep_batch *b, skep_str name, const uint32_t *rows,
                     const uint32_t *vals, uint32_t n)
{
    uint32_t f = whole_field(b, name, SKEP_TYPE_STRING, n > 0);
    if (f == NONE)
        return;
    for (uint32_t i = 0; i < n; i++) {
        skep_assert(rows[i] < b->n_rows && (i == 0 || rows[i] > rows[i - 1]));
        if (!append_to(b, &b->fields[f], rows[i], vals[i]))
            return;
    }
}

void skep_batch_environment(struct skep_batch *b, skep_str environment)
{
    bool said =
        environment.n > 0 && b->n_rows > 0 && !skep_str_eq(environment, SKEP_ENVIRONMENT_DEFAULT);
    for (int type = SKEP_TYPE_NULL + 1; type < SKEP_TYPE_COUNT; type++)
        (void)whole_field(b, SKEP_ENVIRONMENT_FIELD, (enum skep_type)type, false);
    uint32_t f = whole_field(b, SKEP_ENVIRONMENT_FIELD, SKEP_TYPE_STRING, said);
    if (f == NONE || !said)
        return;
    uint32_t name = skep_batch_intern(b, environment);
    for (uint32_t row = 0; row < b->n_rows; row++)
        if (!append_to(b, &b->fields[f], row, name))
            return;
}

// --- taking back -------------------------------------------------------------------------------

/* Take back the newest field. */
static void drop_field(struct skep_batch *b)
{
    struct skep_batch__scratch *s = b->scratch;
    uint32_t f = --b->n_fields, before = f;
    while (s->sibling[before] != f)
        before = s->sibling[before];
    s->sibling[before] = s->sibling[f];
    s->known[s->known_as[f]].field = NONE;
}

void skep_batch_truncate(struct skep_batch *b, uint32_t n_rows)
{
    skep_assert(n_rows <= b->n_rows);
    if (n_rows == b->n_rows)
        return;
    for (uint32_t f = 0; f < b->n_fields; f++) {
        struct skep_batch_field *field = &b->fields[f];
        while (field->n > 0 && field->rows[field->n - 1] >= n_rows)
            field->n--;
    }
    b->n_rows = n_rows;
    b->scratch->last = 0; // no kind: the next row says which
    // A field made by the rows taken back stands behind all older ones; its arrays stay.
    while (b->n_fields > 0 && b->fields[b->n_fields - 1].n == 0)
        drop_field(b);
}

void skep_batch__drop_fields(struct skep_batch *b)
{
    struct skep_batch__scratch *s = b->scratch;
    for (uint32_t f = 0; f < b->n_fields; f++)
        s->known[s->known_as[f]].field = NONE;
    b->n_fields = 0;
    s->last = 0;
}
