// SPDX-License-Identifier: Apache-2.0
/* The columnar batch: life, rows, the string table.  Fields and puts: fields.c.
 *
 * Requests come one after another, so a batch that is freed is kept, emptied, for the next one:
 * its arrays have about the right size then and no page of them is faulted in anew.  A few are kept
 * at most, beside every budget but none large beside its own (may_keep); the one that gets such a
 * batch pays for its arrays.
 *
 * I1  rows of a field ascend strictly and are < n_rows.
 * I2  no two fields have the same (scope, name, type); no row has values in two fields of one ring
 *     of siblings (same scope and name).
 * I3  strings.items[0] is ""; no two strings are equal.
 * I4  scratch->used_bytes <= budget_bytes unless over_budget or without a budget.
 * I5  what a batch holds does not depend on what its memory held before.
 *
 * Threads: one at a time; any for what is kept.  Memory: each array is charged to the budget before
 * it grows. */
#include "event/batch_priv.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/hash_inline.h"
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
    l->cap = 8;
    l->first = skep_alloc_n(uint32_t, l->cap + 1);
    l->hashes = skep_alloc_n(uint64_t, l->cap);
    skep_index_init(&l->index, 0);
    b->scratch->used_bytes += (l->cap + 1) * sizeof *l->first + l->cap * sizeof *l->hashes;
}

/* With the arrays every batch has. */
static struct skep_batch *make(void)
{
    struct skep_batch *b = skep_alloc(struct skep_batch);
    struct skep_batch__scratch *s = b->scratch = skep_alloc(struct skep_batch__scratch);
    s->list.batch = b;
    resize_rows(b, ROWS_MIN);
    skep_batch__known_init(b);
    lists_init(b, &b->resources);
    lists_init(b, &b->scopes);
    b->strings.cap = 16;
    b->strings.items = skep_alloc_n(struct skep_batch_string, b->strings.cap);
    b->strings.data_cap = 1024; // never NULL: skep_batch_str adds offsets to it
    b->strings.data = skep_malloc(b->strings.data_cap + SKEP_EQ_PAD);
    memset(b->strings.data, 0, b->strings.data_cap + SKEP_EQ_PAD);
    skep_index_init(&b->strings.index, 8);
    s->used_bytes += sizeof *b + sizeof *s + ROWS_MIN * row_bytes(b) +
                     b->strings.cap * sizeof *b->strings.items + b->strings.data_cap +
                     b->strings.index.cap * sizeof *b->strings.index.slots;
    return b;
}

static void unmake(struct skep_batch *b)
{
#define X(column) skep_free(b->column);
    ROW_COLUMNS(X)
#undef X
    for (uint32_t i = 0; i < b->cap_fields; i++) {
        skep_free(b->fields[i].rows);
        skep_free(b->fields[i].vals);
    }
    skep_free(b->fields);
    skep_free(b->strings.items);
    skep_free(b->strings.data);
    skep_index_done(&b->strings.index);
    struct skep_batch_lists *lists[] = {&b->resources, &b->scopes};
    for (unsigned k = 0; k < SKEP_ARRAY_LEN(lists); k++) {
        skep_free(lists[k]->first);
        skep_free(lists[k]->entries);
        skep_free(lists[k]->hashes);
        skep_index_done(&lists[k]->index);
    }
    skep_free(b->scratch->list.entries);
    skep_batch__known_done(b);
    skep_free(b->scratch->known_as);
    skep_free(b->scratch->sibling);
    skep_free(b->scratch);
    skep_free(b);
}

/* An index that was little used is made anew: clearing it would cost more than filling it. */
static void reset_index(struct skep_batch *b, struct skep_index *ix)
{
    enum { KEEP_SLOTS = 64, SPARE = 16 };
    if (ix->cap <= KEEP_SLOTS || ix->n * SPARE >= ix->cap) {
        skep_index_clear(ix);
        return;
    }
    b->scratch->used_bytes -= ix->cap * sizeof *ix->slots;
    skep_index_done(ix);
}

static void reset_lists(struct skep_batch *b, struct skep_batch_lists *l)
{
    l->n = 1; // list 0: empty, from entry 0 to entry 0
    l->first[1] = 0;
    l->entries_n = 0;
    reset_index(b, &l->index);
}

/* Everything as in a new batch, but for the room in its arrays and what is known of names: that
 * goes when most of it is of no use any more. */
static void reset(struct skep_batch *b)
{
    enum { KNOWN_MAX = 4096 };
    struct skep_batch__scratch *s = b->scratch;
    b->n_rows = 0;
    skep_batch__drop_fields(b);
    if (s->n_known > KNOWN_MAX)
        skep_batch__known_clear(b);
    reset_lists(b, &b->resources);
    reset_lists(b, &b->scopes);
    b->strings.n = 0;
    b->strings.data_n = 0;
    reset_index(b, &b->strings.index);
    s->list.n = 0;
    s->list.open = false;
    memset(b->identity, 0, sizeof b->identity);
    b->receipt = (struct skep_receipt){0};
    b->budget = NULL;
    b->budget_bytes = 0;
    b->over_budget = b->over_limit = false;
}

/* Batches kept for the next request: as many as threads decode at once, more or less. */
enum { KEPT_MAX = 8 };
static _Atomic(struct skep_batch *) kept[KEPT_MAX];
static _Atomic uint64_t kept_bytes; /* of all of them; a batch that is on its way in counts */

/* A request of a collector has 8,192 spans (4 MB as a batch), of a budget of 77 MiB at --memory
 * 256M: a sixteenth of it each, an eighth together. */
static bool may_keep(const struct skep_budget *budget, uint64_t one, uint64_t all)
{
    const uint64_t least = 1 << 20, most = 16 << 20;
    uint64_t limit = budget ? budget->limit_bytes / 16 : 0;
    limit = SKEP_MIN(SKEP_MAX(limit, least), most);
    return one <= limit && all <= SKEP_MAX(2 * limit, KEPT_MAX * least);
}

/* Taken out of its place. */
static void count_out(const struct skep_batch *b)
{
    atomic_fetch_sub_explicit(&kept_bytes, b->scratch->used_bytes, memory_order_relaxed);
}

static struct skep_batch *take_kept(struct skep_budget *budget)
{
    for (unsigned i = 0; i < KEPT_MAX; i++) {
        if (!atomic_load_explicit(&kept[i], memory_order_relaxed))
            continue;
        /* acquire: what the one who kept it wrote */
        struct skep_batch *b = atomic_exchange_explicit(&kept[i], NULL, memory_order_acquire);
        if (!b)
            continue;
        count_out(b);
        if (!budget || skep_budget_take(budget, b->scratch->used_bytes, NULL) == SKEP_OK) {
            b->budget_bytes = budget ? b->scratch->used_bytes : 0;
            return b;
        }
        unmake(b);
    }
    return NULL;
}

static bool keep(struct skep_batch *b)
{
    const struct skep_budget *budget = b->budget;
    if (!may_keep(budget, b->scratch->used_bytes, 0))
        return false;
    reset(b);
    uint64_t bytes = b->scratch->used_bytes;
    if (!may_keep(budget, bytes,
                  bytes + atomic_fetch_add_explicit(&kept_bytes, bytes, memory_order_relaxed))) {
        count_out(b);
        return false;
    }
    for (unsigned i = 0; i < KEPT_MAX; i++) {
        struct skep_batch *none = NULL;
        /* release: the one who takes it sees it emptied */
        if (atomic_compare_exchange_strong_explicit(&kept[i], &none, b, memory_order_release,
                                                    memory_order_relaxed))
            return true;
    }
    count_out(b);
    return false;
}

void skep_batch_trim(void)
{
    for (unsigned i = 0; i < KEPT_MAX; i++) {
        struct skep_batch *b = atomic_exchange_explicit(&kept[i], NULL, memory_order_acquire);
        if (!b)
            continue;
        count_out(b);
        unmake(b);
    }
}

struct skep_batch *skep_batch_new(struct skep_budget *budget, skep_ts_ns received_ns)
{
    struct skep_batch *b = take_kept(budget);
    if (!b) {
        b = make();
        reset(b);
        b->budget_bytes = b->scratch->used_bytes; // what a batch holds at least is taken by force
        if (budget)
            skep_budget_force(budget, b->budget_bytes);
    }
    b->budget = budget;
    b->received_ns = received_ns;
    b->strings.n = 1; // index 0 is ""
    b->strings.items[0] = (struct skep_batch_string){.hash = skep_hash((skep_bytes){NULL, 0})};
    skep_batch__index_add(b, &b->strings.index, b->strings.items[0].hash, 0);
    return b;
}

void skep_batch_free(struct skep_batch *b)
{
    if (!b)
        return;
    if (b->budget)
        skep_budget_give(b->budget, b->budget_bytes);
    if (!keep(b))
        unmake(b);
}

uint64_t skep_batch_bytes(const struct skep_batch *b)
{
    return b->scratch->used_bytes;
}

uint64_t skep_batch_content_bytes(const struct skep_batch *b)
{
    const struct skep_batch_lists *lists[] = {&b->resources, &b->scopes};
    uint64_t n = (uint64_t)b->n_rows * row_bytes(b) + b->strings.data_n +
                 (uint64_t)b->strings.n * sizeof *b->strings.items;
    for (uint32_t f = 0; f < b->n_fields; f++)
        n += sizeof b->fields[f] +
             (uint64_t)b->fields[f].n * (sizeof *b->fields[f].rows + sizeof *b->fields[f].vals);
    for (unsigned k = 0; k < SKEP_ARRAY_LEN(lists); k++)
        n += lists[k]->n * (sizeof *lists[k]->first + sizeof *lists[k]->hashes) +
             lists[k]->entries_n * sizeof *lists[k]->entries;
    skep_assert(n <= skep_batch_bytes(b));
    return n;
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
    b->scratch->last = kind;
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
        t->data = skep_realloc(t->data, cap + SKEP_EQ_PAD);
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

SKEP_INLINE uint32_t intern(struct skep_batch *b, skep_str s, uint64_t hash)
{
    struct skep_index_it it = skep_index_begin(&b->strings.index, hash);
    for (uint32_t i; (i = skep_index_next(&b->strings.index, &it)) != NONE;) {
        if (b->strings.items[i].hash == hash && skep_str_eq_short(skep_batch_str(b, i), s))
            return i;
    }
    return add_string(b, s, hash);
}

uint32_t skep_batch_intern(struct skep_batch *b, skep_str s)
{
    return s.n == 0 ? 0 : intern(b, s, skep_hash_inline(skep_str_bytes(s)));
}

uint32_t skep_batch__intern(struct skep_batch *b, skep_str s, uint64_t hash)
{
    return intern(b, s, hash);
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
    skep_assert(skep_batch__look_up(b, scope, skep_batch_str(b, field->name),
                                    (enum skep_type)field->type) == f);
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
        skep_assert(other->type != field->type && field->shared);
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
    for (uint32_t f = 0; f < b->n_fields; f++) {
        skep_assert(b->scratch->known[b->scratch->known_as[f]].field == f);
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
