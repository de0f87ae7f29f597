// SPDX-License-Identifier: Apache-2.0
/* The fields of a batch: sparse columns, one per (scope, name, type), and puts into them.
 *
 *   put(scope, name, value)
 *     put.h: one of those seen behind the last put ---- equal (scope, name, type)? --> field
 *       no: hash(scope, name) -> field_index -> ring of siblings -> field, or a new one; seen from
 *           now on
 *     rows[n], vals[n] = newest row, payload
 *
 * A value equal to the one before it in its column is found by one comparison.
 *
 * Invariants, threads, memory: batch.c. */
#include "event/batch_priv.h"

#include "base/assert.h"
#include "base/hash_inline.h"
#include "base/mem.h"

#define NONE SKEP_BATCH_NONE

// --- fields ------------------------------------------------------------------------------------

static uint64_t field_hash(enum skep_scope scope, skep_str name)
{
    return skep_hash_inline(skep_str_bytes(name)) + scope;
}

SKEP_INLINE bool is_name(const struct skep_batch *b, uint32_t f, enum skep_scope scope,
                         skep_str name)
{
    const struct skep_batch_field *field = &b->fields[f];
    return field->scope == scope && skep_str_eq_short(skep_batch_str(b, field->name), name);
}

SKEP_INLINE bool is_field(const struct skep_batch *b, uint32_t f, enum skep_scope scope,
                          skep_str name, enum skep_type type)
{
    return b->fields[f].type == type && is_name(b, f, scope, name);
}

/* Any field of the name, whatever its type; the index has one of each ring. */
static uint32_t find_ring(const struct skep_batch *b, enum skep_scope scope, skep_str name,
                          uint64_t hash)
{
    struct skep_index_it it = skep_index_begin(&b->field_index, hash);
    for (uint32_t f; (f = skep_index_next(&b->field_index, &it)) != NONE;) {
        if (is_name(b, f, scope, name))
            return f;
    }
    return NONE;
}

/* The one of that type in the ring of f, or NONE. */
static uint32_t in_ring(const struct skep_batch *b, uint32_t f, enum skep_type type)
{
    uint32_t first = f;
    if (f == NONE)
        return NONE;
    do {
        if (b->fields[f].type == type)
            return f;
        f = b->scratch->sibling[f];
    } while (f != first);
    return NONE;
}

uint32_t skep_batch__look_up(const struct skep_batch *b, enum skep_scope scope, skep_str name,
                             enum skep_type type)
{
    return in_ring(b, find_ring(b, scope, name, field_hash(scope, name)), type);
}

static bool grow_fields(struct skep_batch *b)
{
    struct skep_batch__scratch *s = b->scratch;
    if (b->n_fields < b->cap_fields)
        return true;
    uint32_t old = b->cap_fields, cap = old ? old * 2 : 32;
    uint64_t each = sizeof *b->fields + sizeof *s->follow + sizeof *s->labels + sizeof *s->sibling;
    if (!skep_batch__charge(b, (cap - old) * each))
        return false;
    b->fields = skep_realloc(b->fields, cap * sizeof *b->fields);
    memset(b->fields + old, 0, (cap - old) * sizeof *b->fields);
    s->follow = skep_realloc(s->follow, (SKEP_KIND_COUNT + cap) * sizeof *s->follow);
    s->labels = skep_realloc(s->labels, cap * sizeof *s->labels);
    s->sibling = skep_realloc(s->sibling, cap * sizeof *s->sibling);
    b->cap_fields = cap;
    return true;
}

static const struct skep_batch__follow nothing = {{NONE, NONE, NONE, NONE}};
_Static_assert(SKEP_ARRAY_LEN(nothing.field) == 4, "one NONE a way");

/* Put the new field f into the ring of its (scope, name), or make one. */
static void join_ring(struct skep_batch *b, uint32_t f, uint32_t other, uint64_t hash)
{
    uint32_t *sibling = b->scratch->sibling;
    sibling[f] = f;
    if (other == NONE) {
        skep_batch__index_add(b, &b->field_index, hash, f);
        return;
    }
    sibling[f] = sibling[other];
    sibling[other] = f;
}

/* other: a field of the same name, or NONE */
static uint32_t add_field(struct skep_batch *b, enum skep_scope scope, skep_str name,
                          enum skep_type type, uint32_t other, uint64_t hash)
{
    if (b->n_fields == SKEP_LIMIT_FIELDS_PER_BATCH) {
        b->over_limit = true;
        return NONE;
    }
    uint32_t string = skep_batch_intern(b, name);
    if (b->over_budget || b->over_limit || !grow_fields(b))
        return NONE;
    uint32_t f = b->n_fields++;
    struct skep_batch_field *field = &b->fields[f]; // its arrays may be there already
    field->name = string;
    field->scope = (uint8_t)scope;
    field->type = (uint8_t)type;
    field->n = 0;
    name = skep_batch_str(b, string);
    b->scratch->follow[SKEP_KIND_COUNT + f] = nothing;
    b->scratch->labels[f] = (struct skep_batch__label){b->strings.items[string].offset,
                                                       skep_batch__label_key(scope, name.n, type)};
    join_ring(b, f, other, hash);
    return f;
}

/* The field of a put into the newest row, made if there is none and `make`; learns the order of
 * fields. */
SKEP_INLINE uint32_t find_field(struct skep_batch *b, enum skep_scope scope, skep_str name,
                                enum skep_type type, bool make)
{
    struct skep_batch__scratch *s = b->scratch;
    const uint32_t *known = s->follow[s->last].field;
    uint32_t f = NONE;
    unsigned at = 0; // where it is remembered
    for (; at < SKEP_BATCH__WAYS && known[at] != NONE && f == NONE; at++)
        f = is_field(b, known[at], scope, name, type) ? known[at] : NONE;
    if (f == NONE) {
        uint64_t hash = field_hash(scope, name);
        uint32_t ring = find_ring(b, scope, name, hash);
        f = in_ring(b, ring, type);
        if (f == NONE && make)
            f = add_field(b, scope, name, type, ring, hash);
        if (f == NONE)
            return NONE;
        // add_field may have moved `follow`; the first free place, or that of the least likely
        s->follow[s->last].field[SKEP_MIN(at, (unsigned)SKEP_BATCH__WAYS - 1)] = f;
    }
    s->last = SKEP_KIND_COUNT + f;
    return f;
}

uint32_t skep_batch_find(struct skep_batch *b, enum skep_scope scope, skep_str name,
                         enum skep_type type)
{
    skep_assert(b->n_rows > 0);
    return find_field(b, scope, name, type, false);
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
    uint32_t f = find_field(b, scope, skep_batch__name(name), v.type, true);
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
    uint64_t hash = field_hash(SKEP_SCOPE_INTRINSIC, name);
    uint32_t ring = find_ring(b, SKEP_SCOPE_INTRINSIC, name, hash);
    uint32_t f = in_ring(b, ring, type);
    if (f == NONE && make && !b->over_budget && !b->over_limit)
        f = add_field(b, SKEP_SCOPE_INTRINSIC, name, type, ring, hash);
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

static void reindex_fields(struct skep_batch *b)
{
    skep_index_clear(&b->field_index);
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *field = &b->fields[f];
        skep_str name = skep_batch_str(b, field->name);
        uint64_t hash = field_hash((enum skep_scope)field->scope, name);
        join_ring(b, f, find_ring(b, (enum skep_scope)field->scope, name, hash), hash);
        b->scratch->follow[SKEP_KIND_COUNT + f] = nothing;
    }
    for (unsigned k = 0; k < SKEP_KIND_COUNT; k++)
        b->scratch->follow[k] = nothing;
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
    uint32_t n_fields = b->n_fields;
    while (n_fields > 0 && b->fields[n_fields - 1].n == 0)
        n_fields--;
    if (n_fields != b->n_fields) {
        b->n_fields = n_fields;
        reindex_fields(b);
    }
}

void skep_batch__forget_fields(struct skep_batch *b)
{
    b->n_fields = 0;
    reindex_fields(b);
    b->scratch->last = 0;
}
