// SPDX-License-Identifier: Apache-2.0
/* The identity of a request: what makes a retry recognisable.
 *
 * One 64-byte record a row, in order, through XXH3-128.  Spans are known by the ids their sender
 * gave; what has no id of its own (logs) by its content.  The content of a row is gathered column
 * by column: each value's hash is added to its row's sum, which does not depend on the order of
 * fields.
 *
 *   record: trace 16 | span 8 | parent 8 | time 8 | extra 8 | resource hash 8 | kinds 8
 *   extra:  span 0; event and link: hash(name) + number of fields; log: hash of all it holds;
 *           of each, when it names one, the environment's
 *
 * Threads: as the batch.  Memory: 8 bytes a row, for the call. */
#include "event/batch_priv.h"

#include <xxhash.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"

SKEP_WRAPS uint64_t skep_batch__payload_hash(const struct skep_batch *b, uint32_t type,
                                             uint64_t val)
{
    switch (type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
        skep_assert(val < b->strings.n);
        return skep_hash_u64(b->strings.items[val].hash + type);
    default: return skep_hash_u64(skep_hash_u64(val) + type);
    }
}

/* Rows that are no spans: of spans only the environment counts, and most rows are spans. */
struct others {
    uint32_t *rows, n;
};

static struct others list_others(const struct skep_batch *b)
{
    struct others o = {.rows = skep_malloc((size_t)b->n_rows * sizeof *o.rows)};
    for (uint32_t row = 0; row < b->n_rows; row++) {
        o.rows[o.n] = row;
        o.n += b->kind[row] != SKEP_KIND_SPAN;
    }
    return o;
}

static SKEP_WRAPS void add_value(const struct skep_batch *b, const struct skep_batch_field *field,
                                 uint32_t i, bool environment, uint64_t *extra)
{
    uint32_t row = field->rows[i];
    uint64_t name = b->strings.items[field->name].hash + field->scope;
    bool part_of_span = b->kind[row] == SKEP_KIND_SPAN_EVENT || b->kind[row] == SKEP_KIND_LINK;
    if (part_of_span && !environment)
        extra[row] += 1;
    else if (b->kind[row] != SKEP_KIND_SPAN || environment)
        extra[row] +=
            skep_hash_u64(name ^ skep_batch__payload_hash(b, field->type, field->vals[i]));
}

/* The first of field->rows[from ..) that is at least `row`. */
static uint32_t find_row(const struct skep_batch_field *field, uint32_t from, uint32_t row)
{
    uint32_t high = field->n;
    while (from < high) {
        uint32_t mid = from + (high - from) / 2;
        if (field->rows[mid] < row)
            from = mid + 1;
        else
            high = mid;
    }
    return from;
}

static void add_fields(const struct skep_batch *b, uint64_t *extra)
{
    enum { SEARCHED_SHARE = 16 }; /* a search of a few steps, or all of a field */
    struct others o = list_others(b);
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *field = &b->fields[f];
        bool environment = field->scope == SKEP_SCOPE_INTRINSIC &&
                           skep_str_eq(skep_batch_str(b, field->name), SKEP_ENVIRONMENT_FIELD);
        if (environment || o.n > field->n / SEARCHED_SHARE) {
            for (uint32_t i = 0; (environment || o.n > 0) && i < field->n; i++)
                add_value(b, field, i, environment, extra);
            continue;
        }
        for (uint32_t k = 0, i = 0; k < o.n; k++) {
            i = find_row(field, i, o.rows[k]);
            if (i < field->n && field->rows[i] == o.rows[k])
                add_value(b, field, i, false, extra);
        }
    }
    skep_free(o.rows);
}

static SKEP_WRAPS void make_record(const struct skep_batch *b, uint32_t r, uint64_t extra,
                                   uint8_t rec[static 64])
{
    if (b->kind[r] != SKEP_KIND_SPAN)
        extra += b->strings.items[b->name[r]].hash;
    uint64_t kinds = (uint64_t)b->kind[r] | (uint64_t)b->span_kind[r] << 8;
    if (b->kind[r] == SKEP_KIND_LOG || b->kind[r] == SKEP_KIND_ERROR) {
        extra = skep_hash_u64(extra + b->strings.items[b->dataset[r]].hash);
        extra = skep_hash_u64(extra + b->scopes.hashes[b->scope[r]]);
        kinds |= (uint64_t)b->severity[r] << 16 | (uint64_t)b->flags[r] << 32;
    }
    memcpy(rec, b->trace_id[r].b, 16);
    skep_store_le64(rec + 16, b->span_id[r]);
    skep_store_le64(rec + 24, b->parent_id[r]);
    skep_store_le64(rec + 32, (uint64_t)b->time_ns[r]);
    skep_store_le64(rec + 40, extra);
    skep_store_le64(rec + 48, b->resources.hashes[b->resource[r]]);
    skep_store_le64(rec + 56, kinds);
}

void skep_batch_identity(struct skep_batch *b, bool all_logs_have_time)
{
    enum { AT_ONCE = 32 };
    memset(b->identity, 0, sizeof b->identity);
    if (b->n_rows == 0 || !all_logs_have_time || b->over_budget || b->over_limit)
        return;
    uint64_t *extra = skep_alloc_n(uint64_t, b->n_rows);
    add_fields(b, extra);
    XXH3_state_t *state = XXH3_createState();
    skep_assert(state != NULL);
    (void)XXH3_128bits_reset(state);       // fails only for a NULL state
    SKEP_UNINIT uint8_t recs[AT_ONCE][64]; // one at a time would be copied into the state first
    for (uint32_t r = 0, n = 0; r < b->n_rows; r++) {
        make_record(b, r, extra[r], recs[n++]);
        if (n < AT_ONCE && r + 1 < b->n_rows)
            continue;
        (void)XXH3_128bits_update(state, recs, n * sizeof recs[0]); // the same
        n = 0;
    }
    XXH128_hash_t h = XXH3_128bits_digest(state);
    (void)XXH3_freeState(state); // always XXH_OK
    skep_free(extra);
    h.low64 |= h.low64 == 0 && h.high64 == 0; // all zero means "none"
    skep_store_le64(b->identity, h.low64);
    skep_store_le64(b->identity + 8, h.high64);
}
