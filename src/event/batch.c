// SPDX-License-Identifier: Apache-2.0
/* The columnar batch builder: rows, sparse typed fields, the string table.
 *
 * Finding the field of a put is the hot step.  Senders write attributes in the same order span
 * after span, so each field remembers which field came behind it the last time; the guess is
 * checked by comparing bytes and usually right, and then neither hash nor table is touched.  The
 * same holds for values: a value equal to the one before it in its column is found by one
 * comparison.
 *
 *   put(scope, name, value)
 *     guess = after[last put] ------ equal (scope, name, type)? --> field
 *       no: hash(scope, name, type) -> field_index -> field, or a new one
 *     rows[n], vals[n] = newest row, payload
 *
 * I1  rows of a field ascend strictly and are < n_rows.
 * I2  no two fields have the same (scope, name, type); no row has values in two fields of one ring
 * of siblings (same scope and name). I3  strings.items[0] is ""; no two strings are equal. I4
 * scratch->used_bytes <= budget_bytes unless over_budget. Threads: one at a time.  Memory: each
 * array is charged to the budget before it grows. */
#include "event/batch_priv.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"

#define NONE SKEP_INDEX_NONE

enum { ROWS_MIN = 64, TAKE_AHEAD_BYTES = 64 << 10 };

bool skep_batch__charge(struct skep_batch *b, uint64_t more)
{
    struct skep_batch__scratch *s = b->scratch;
    skep_assert(s != NULL);
    if (SKEP_UNLIKELY(b->over_budget))
        return false;
    if (b->budget && s->used_bytes + more > b->budget_bytes) {
        uint64_t lack = s->used_bytes + more - b->budget_bytes;
        uint64_t take = SKEP_MAX(lack, (uint64_t)TAKE_AHEAD_BYTES);
        if (skep_budget_take(b->budget, take, NULL) != SKEP_OK) {
            take = lack;
            if (skep_budget_take(b->budget, take, NULL) != SKEP_OK) {
                b->over_budget = true;
                return false;
            }
        }
        b->budget_bytes += take;
    }
    s->used_bytes += more;
    return true;
}

bool skep_batch__grow(struct skep_batch *b, void **p, uint32_t *cap, uint32_t need, size_t size)
{
    if (SKEP_LIKELY(need <= *cap))
        return true;
    uint32_t grown = *cap ? *cap : 8;
    while (grown < need)
        grown = grown > UINT32_MAX / 2 ? UINT32_MAX : grown * 2;
    if (!skep_batch__charge(b, (uint64_t)(grown - *cap) * size))
        return false;
    *p = skep_realloc(*p, (size_t)grown * size);
    *cap = grown;
    return true;
}

void skep_batch__index_add(struct skep_batch *b, struct skep_index *ix, uint64_t hash, uint32_t i)
{
    size_t cap = ix->cap;
    skep_index_add(ix, hash, i);
    if (ix->cap !=
        cap) // refused: the batch is over_budget from here on, which is all that is needed
        (void)skep_batch__charge(b, (ix->cap - cap) * sizeof *ix->slots);
}

// --- life --------------------------------------------------------------------------------------

/* One line a row column, so that growing and freeing cannot forget one. */
#define ROW_COLUMNS(X)                                                                             \
    X(time_ns)                                                                                     \
    X(duration_ns)                                                                                 \
    X(kind)                                                                                        \
    X(status)                                                                                      \
    X(span_kind)                                                                                   \
    X(severity)                                                                                    \
    X(source)                                                                                      \
    X(trace_id)                                                                                    \
    X(span_id)                                                                                     \
    X(parent_id)                                                                                   \
    X(name)                                                                                        \
    X(dataset)                                                                                     \
    X(resource)                                                                                    \
    X(scope)                                                                                       \
    X(flags)                                                                                       \
    X(sample_rate)

static void resize_rows(struct skep_batch *b, uint32_t cap)
{
    skep_assert(cap >= b->n_rows);
#define X(column) b->column = skep_realloc(b->column, (size_t)cap * sizeof *b->column);
    ROW_COLUMNS(X)
#undef X
    b->cap_rows = cap;
}

static size_t row_bytes(const struct skep_batch *b)
{
    size_t n = 0;
#define X(column) n += sizeof *b->column;
    ROW_COLUMNS(X)
#undef X
    return n;
}

static void lists_init(struct skep_batch *b, struct skep_batch_lists *l)
{
    void *first = NULL, *hashes = NULL;
    l->cap = 8;
    first = skep_alloc_n(uint32_t, l->cap + 1);
    hashes = skep_alloc_n(uint64_t, l->cap);
    l->first = first;
    l->hashes = hashes;
    l->n = 1; // list 0: empty, from entry 0 to entry 0
    skep_index_init(&l->index, 0);
    b->scratch->used_bytes += (l->cap + 1) * sizeof *l->first + l->cap * sizeof *l->hashes;
}

struct skep_batch *skep_batch_new(struct skep_budget *budget, skep_ts_ns received_ns)
{
    struct skep_batch *b = skep_alloc(struct skep_batch);
    b->scratch = skep_alloc(struct skep_batch__scratch);
    b->budget = budget;
    b->received_ns = received_ns;
    b->scratch->list.batch = b;
    for (unsigned k = 0; k < SKEP_KIND_COUNT; k++)
        b->scratch->first[k] = NONE;
    b->scratch->last = NONE;
    resize_rows(b, ROWS_MIN);
    skep_index_init(&b->strings.index, 0);
    skep_index_init(&b->field_index, 0);
    lists_init(b, &b->resources);
    lists_init(b, &b->scopes);
    b->scratch->used_bytes += sizeof *b + sizeof *b->scratch + ROWS_MIN * row_bytes(b);
    b->budget_bytes = b->scratch->used_bytes; // what a batch holds at least is taken by force
    if (budget)
        skep_budget_force(budget, b->budget_bytes);
    b->strings.cap = 16;
    b->strings.items = skep_alloc_n(struct skep_batch_string, b->strings.cap);
    b->strings.data_cap = 1024; // never NULL: skep_batch_str adds offsets to it
    b->strings.data = skep_malloc(b->strings.data_cap);
    (void)skep_batch__charge(b, b->strings.cap * sizeof *b->strings.items + b->strings.data_cap);
    b->strings.n = 1; // index 0 is ""
    b->strings.items[0].hash = skep_hash((skep_bytes){NULL, 0});
    skep_index_add(&b->strings.index, b->strings.items[0].hash, 0);
    (void)skep_batch__charge(b, b->strings.index.cap * sizeof *b->strings.index.slots);
    return b;
}

static void lists_done(struct skep_batch_lists *l)
{
    skep_free(l->first);
    skep_free(l->entries);
    skep_free(l->hashes);
    skep_index_done(&l->index);
}

void skep_batch_free(struct skep_batch *b)
{
    if (!b)
        return;
#define X(column) skep_free(b->column);
    ROW_COLUMNS(X)
#undef X
    for (uint32_t i = 0; i < b->n_fields; i++) {
        skep_free(b->fields[i].rows);
        skep_free(b->fields[i].vals);
    }
    skep_free(b->fields);
    skep_index_done(&b->field_index);
    skep_free(b->strings.items);
    skep_free(b->strings.data);
    skep_index_done(&b->strings.index);
    lists_done(&b->resources);
    lists_done(&b->scopes);
    skep_free(b->scratch->list.entries);
    skep_free(b->scratch->after);
    skep_free(b->scratch->sibling);
    skep_free(b->scratch);
    if (b->budget)
        skep_budget_give(b->budget, b->budget_bytes);
    skep_free(b);
}

uint64_t skep_batch_bytes(const struct skep_batch *b)
{
    return b->scratch->used_bytes;
}

// --- rows --------------------------------------------------------------------------------------

uint32_t skep_batch_row(struct skep_batch *b, enum skep_kind kind, skep_ts_ns time_ns,
                        enum skep_source source)
{
    skep_assert(kind > 0 && kind < SKEP_KIND_COUNT);
    if (SKEP_UNLIKELY(b->n_rows == b->cap_rows)) {
        skep_assert(b->n_rows < SKEP_LIMIT_BATCH_ROWS);
        if (!skep_batch__charge(b, (uint64_t)b->cap_rows * row_bytes(b)))
            return b->n_rows - 1;
        resize_rows(b, b->cap_rows * 2);
    }
    uint32_t r = b->n_rows++;
    b->time_ns[r] = time_ns;
    b->duration_ns[r] = -1;
    b->kind[r] = (uint8_t)kind;
    b->status[r] = 0;
    b->span_kind[r] = 0;
    b->severity[r] = 0;
    b->source[r] = (uint8_t)source;
    b->trace_id[r] = (skep_trace_id){{0}};
    b->span_id[r] = 0;
    b->parent_id[r] = 0;
    b->name[r] = 0;
    b->dataset[r] = 0;
    b->resource[r] = 0;
    b->scope[r] = 0;
    b->flags[r] = 0;
    b->sample_rate[r] = 1;
    b->scratch->last = NONE;
    return r;
}

// --- strings -----------------------------------------------------------------------------------

static uint32_t add_string(struct skep_batch *b, skep_str s, uint64_t hash)
{
    struct skep_batch_strings *t = &b->strings;
    if (b->over_budget || b->over_limit)
        return 0;
    if (s.n > SKEP_LIMIT_VALUE_BYTES || t->data_n + s.n > UINT32_MAX || t->n == NONE - 1) {
        b->over_limit = true;
        return 0;
    }
    if (t->data_n + s.n > t->data_cap) {
        size_t cap = t->data_cap;
        while (cap < t->data_n + s.n)
            cap *= 2;
        if (!skep_batch__charge(b, cap - t->data_cap))
            return 0;
        t->data = skep_realloc(t->data, cap);
        t->data_cap = cap;
    }
    void *items = t->items;
    if (!skep_batch__grow(b, &items, &t->cap, t->n + 1, sizeof *t->items))
        return 0;
    t->items = items;
    uint32_t i = t->n++;
    t->items[i] = (struct skep_batch_string){(uint32_t)t->data_n, (uint32_t)s.n, hash};
    memcpy(t->data + t->data_n, s.p, s.n);
    t->data_n += s.n;
    skep_batch__index_add(b, &t->index, hash, i);
    return i;
}

uint32_t skep_batch_intern(struct skep_batch *b, skep_str s)
{
    if (s.n == 0)
        return 0;
    uint64_t hash = skep_hash(skep_str_bytes(s));
    struct skep_index_it it = skep_index_begin(&b->strings.index, hash);
    for (uint32_t i; (i = skep_index_next(&b->strings.index, &it)) != NONE;) {
        if (b->strings.items[i].hash == hash && skep_str_eq(skep_batch_str(b, i), s))
            return i;
    }
    return add_string(b, s, hash);
}

skep_str skep_batch__name(skep_str name)
{
    if (SKEP_LIKELY(name.n <= SKEP_LIMIT_NAME_BYTES))
        return name;
    size_t n = SKEP_LIMIT_NAME_BYTES;
    for (unsigned back = 0; back < 3 && ((uint8_t)name.p[n] & 0xc0) == 0x80; back++)
        n--;
    return (skep_str){name.p, n};
}

uint64_t skep_batch__payload(struct skep_batch *b, skep_value v)
{
    uint64_t bits = 0;
    switch (v.type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return skep_batch_intern(b, v.s);
    case SKEP_TYPE_INT: return (uint64_t)v.i;
    case SKEP_TYPE_DOUBLE: memcpy(&bits, &v.f, sizeof bits); return bits;
    case SKEP_TYPE_BOOL: return v.b;
    case SKEP_TYPE_EMPTY: return 0;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_COUNT: break;
    }
    skep_unreachable("a value of a type that is not stored");
}

// --- fields ------------------------------------------------------------------------------------

static uint64_t field_hash(enum skep_scope scope, skep_str name, enum skep_type type)
{
    return skep_hash_seed(skep_str_bytes(name), ((uint64_t)scope << 8) | (uint64_t)type);
}

/* skep_str_eq for names and values, which are short: without a call. */
SKEP_INLINE bool equal(skep_str a, skep_str b)
{
    if (a.n != b.n)
        return false;
    if (SKEP_UNLIKELY(a.n > 64))
        return memcmp(a.p, b.p, a.n) == 0;
    if (a.n >= 8) {
        for (size_t i = 0; i + 8 < a.n; i += 8) {
            if (skep_load_le64(a.p + i) != skep_load_le64(b.p + i))
                return false;
        }
        return skep_load_le64(a.p + a.n - 8) == skep_load_le64(b.p + a.n - 8);
    }
    if (a.n >= 4)
        return skep_load_le32(a.p) == skep_load_le32(b.p) &&
               skep_load_le32(a.p + a.n - 4) == skep_load_le32(b.p + a.n - 4);
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] != b.p[i])
            return false;
    }
    return true;
}

SKEP_INLINE bool is_field(const struct skep_batch *b, uint32_t f, enum skep_scope scope,
                          skep_str name, enum skep_type type)
{
    const struct skep_batch_field *field = &b->fields[f];
    return field->scope == scope && field->type == type &&
           equal(skep_batch_str(b, field->name), name);
}

static uint32_t look_up(const struct skep_batch *b, enum skep_scope scope, skep_str name,
                        enum skep_type type)
{
    struct skep_index_it it = skep_index_begin(&b->field_index, field_hash(scope, name, type));
    for (uint32_t f; (f = skep_index_next(&b->field_index, &it)) != NONE;) {
        if (is_field(b, f, scope, name, type))
            return f;
    }
    return NONE;
}

static bool grow_fields(struct skep_batch *b)
{
    struct skep_batch__scratch *s = b->scratch;
    if (b->n_fields < b->cap_fields)
        return true;
    uint32_t cap = b->cap_fields ? b->cap_fields * 2 : 32;
    uint64_t each = sizeof *b->fields + sizeof *s->after + sizeof *s->sibling;
    if (!skep_batch__charge(b, (cap - b->cap_fields) * each))
        return false;
    b->fields = skep_realloc(b->fields, cap * sizeof *b->fields);
    s->after = skep_realloc(s->after, cap * sizeof *s->after);
    s->sibling = skep_realloc(s->sibling, cap * sizeof *s->sibling);
    b->cap_fields = cap;
    return true;
}

/* Put the new field f into the ring of its (scope, name). */
static void join_ring(struct skep_batch *b, uint32_t f, enum skep_scope scope, skep_str name)
{
    uint32_t *sibling = b->scratch->sibling;
    sibling[f] = f;
    for (unsigned t = SKEP_TYPE_STRING; t < SKEP_TYPE_COUNT; t++) {
        if (t == b->fields[f].type)
            continue;
        uint32_t other = look_up(b, scope, name, (enum skep_type)t);
        if (other != NONE) {
            sibling[f] = sibling[other];
            sibling[other] = f;
            return;
        }
    }
}

static uint32_t add_field(struct skep_batch *b, enum skep_scope scope, skep_str name,
                          enum skep_type type)
{
    if (b->n_fields == SKEP_LIMIT_FIELDS_PER_BATCH) {
        b->over_limit = true;
        return NONE;
    }
    uint32_t string = skep_batch_intern(b, name);
    if (b->over_budget || b->over_limit || !grow_fields(b))
        return NONE;
    uint32_t f = b->n_fields++;
    b->fields[f] =
        (struct skep_batch_field){.name = string, .scope = (uint8_t)scope, .type = (uint8_t)type};
    b->scratch->after[f] = NONE;
    name = skep_batch_str(b, string);
    join_ring(b, f, scope, name);
    skep_batch__index_add(b, &b->field_index, field_hash(scope, name, type), f);
    return f;
}

/* The field of a put into the newest row, made if there is none; learns the order of fields. */
SKEP_INLINE uint32_t find_field(struct skep_batch *b, enum skep_scope scope, skep_str name,
                                enum skep_type type)
{
    struct skep_batch__scratch *s = b->scratch;
    uint32_t *guess = s->last == NONE ? &s->first[b->kind[b->n_rows - 1]] : &s->after[s->last];
    uint32_t f = *guess;
    if (SKEP_UNLIKELY(f == NONE || !is_field(b, f, scope, name, type))) {
        f = look_up(b, scope, name, type);
        if (f == NONE) {
            f = add_field(b, scope, name, type);
            if (f == NONE)
                return NONE;
        }
        // add_field may have moved `after`
        *(s->last == NONE ? &s->first[b->kind[b->n_rows - 1]] : &s->after[s->last]) = f;
    }
    s->last = f;
    return f;
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

/* Like skep_batch__payload, trying the value before it in the column first. */
SKEP_INLINE uint64_t payload_near(struct skep_batch *b, const struct skep_batch_field *field,
                                  const skep_value *v)
{
    if (v->type == SKEP_TYPE_INT)
        return (uint64_t)v->i;
    if (v->type != SKEP_TYPE_STRING && v->type != SKEP_TYPE_ARRAY)
        return skep_batch__payload(b, *v);
    if (field->n > 0) {
        uint64_t before = field->vals[field->n - 1];
        if (equal(skep_batch_str(b, (uint32_t)before), v->s))
            return before;
    }
    return skep_batch_intern(b, v->s);
}

void skep_batch_put(struct skep_batch *b, enum skep_scope scope, skep_str name, skep_value v)
{
    skep_assert(b->n_rows > 0);
    skep_assert(scope == SKEP_SCOPE_INTRINSIC || scope == SKEP_SCOPE_ATTRIBUTE);
    if (name.n == 0 || v.type == SKEP_TYPE_NULL || b->over_budget || b->over_limit)
        return;
    uint32_t f = find_field(b, scope, skep_batch__name(name), v.type);
    if (f == NONE)
        return;
    struct skep_batch_field *field = &b->fields[f];
    uint64_t val = payload_near(b, field, &v);
    uint32_t row = b->n_rows - 1;
    for (uint32_t i = b->scratch->sibling[f]; SKEP_UNLIKELY(i != f); i = b->scratch->sibling[i]) {
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

// --- taking back -------------------------------------------------------------------------------

static void reindex_fields(struct skep_batch *b)
{
    skep_index_clear(&b->field_index);
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *field = &b->fields[f];
        skep_str name = skep_batch_str(b, field->name);
        join_ring(b, f, (enum skep_scope)field->scope, name);
        skep_index_add(&b->field_index,
                       field_hash((enum skep_scope)field->scope, name, (enum skep_type)field->type),
                       f);
        b->scratch->after[f] = NONE;
    }
    for (unsigned k = 0; k < SKEP_KIND_COUNT; k++)
        b->scratch->first[k] = NONE;
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
    b->scratch->last = NONE;
    // A field made by the rows taken back stands behind all older ones.
    uint32_t n_fields = b->n_fields;
    while (n_fields > 0 && b->fields[n_fields - 1].n == 0) {
        struct skep_batch_field *field = &b->fields[--n_fields];
        b->scratch->used_bytes -=
            (uint64_t)field->cap * (sizeof *field->rows + sizeof *field->vals);
        skep_free(field->rows);
        skep_free(field->vals);
    }
    if (n_fields != b->n_fields) {
        b->n_fields = n_fields;
        reindex_fields(b);
    }
}

// --- invariants --------------------------------------------------------------------------------

static void check_strings(const struct skep_batch *b)
{
    const struct skep_batch_strings *t = &b->strings;
    skep_assert(t->n >= 1 && t->n <= t->cap && t->items[0].len == 0);
    skep_assert(t->index.n == t->n);
    size_t at = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        skep_assert(t->items[i].offset == at);
        at += t->items[i].len;
        skep_assert(at <= t->data_n);
        skep_assert(t->items[i].hash == skep_hash(skep_str_bytes(skep_batch_str(b, i))));
    }
    skep_assert(at == t->data_n);
}

static bool is_string_type(unsigned type)
{
    return type == SKEP_TYPE_STRING || type == SKEP_TYPE_BYTES || type == SKEP_TYPE_ARRAY;
}

static void check_field(const struct skep_batch *b, uint32_t f)
{
    const struct skep_batch_field *field = &b->fields[f];
    enum skep_scope scope = (enum skep_scope)field->scope;
    skep_assert(scope == SKEP_SCOPE_INTRINSIC || scope == SKEP_SCOPE_ATTRIBUTE);
    skep_assert(field->type > SKEP_TYPE_NULL && field->type < SKEP_TYPE_COUNT);
    skep_assert(field->n <= field->cap && field->name > 0 && field->name < b->strings.n);
    skep_assert(look_up(b, scope, skep_batch_str(b, field->name), (enum skep_type)field->type) ==
                f);
    for (uint32_t i = 0; i < field->n; i++) {
        skep_assert(field->rows[i] < b->n_rows);
        skep_assert(i == 0 || field->rows[i] > field->rows[i - 1]);
        skep_assert(!is_string_type(field->type) || field->vals[i] < b->strings.n);
        skep_assert(field->type != SKEP_TYPE_BOOL || field->vals[i] <= 1);
    }
}

/* No row has values of two types under one name. */
static void check_ring(const struct skep_batch *b, uint32_t f)
{
    const struct skep_batch_field *field = &b->fields[f];
    for (uint32_t o = b->scratch->sibling[f]; o != f; o = b->scratch->sibling[o]) {
        const struct skep_batch_field *other = &b->fields[o];
        skep_assert(other->name == field->name && other->scope == field->scope);
        skep_assert(other->type != field->type);
        for (uint32_t i = 0, j = 0; i < field->n && j < other->n;) {
            skep_assert(field->rows[i] != other->rows[j]);
            if (field->rows[i] < other->rows[j])
                i++;
            else
                j++;
        }
    }
}

static void check_lists(const struct skep_batch *b, const struct skep_batch_lists *l)
{
    skep_assert(l->n >= 1 && l->first[0] == 0 && l->first[1] == 0);
    skep_assert(l->first[l->n] == l->entries_n);
    for (uint32_t k = 0; k < l->n; k++) {
        for (uint32_t e = l->first[k]; e + 1 < l->first[k + 1]; e++)
            skep_assert(skep_str_cmp(skep_batch_str(b, l->entries[e].name),
                                     skep_batch_str(b, l->entries[e + 1].name)) < 0);
    }
}

void skep_batch_check(const struct skep_batch *b)
{
    skep_assert(b->n_rows <= b->cap_rows && b->n_rows <= SKEP_LIMIT_BATCH_ROWS);
    check_strings(b);
    check_lists(b, &b->resources);
    check_lists(b, &b->scopes);
    skep_assert(b->field_index.n == b->n_fields);
    for (uint32_t f = 0; f < b->n_fields; f++) {
        check_field(b, f);
        check_ring(b, f);
    }
    for (uint32_t r = 0; r < b->n_rows; r++) {
        skep_assert(b->kind[r] > 0 && b->kind[r] < SKEP_KIND_COUNT);
        skep_assert(b->name[r] < b->strings.n && b->dataset[r] < b->strings.n);
        skep_assert(b->resource[r] < b->resources.n && b->scope[r] < b->scopes.n);
        skep_assert(b->sample_rate[r] >= 1);
    }
}
