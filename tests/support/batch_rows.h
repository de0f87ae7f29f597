// SPDX-License-Identifier: Apache-2.0
/* The rows of one trace in a batch, as a question would give them, without a store in between. */
#pragma once

#include "event/batch.h"
#include "plan/rows.h"

static inline skep_value batch_row_value(const struct skep_batch *b, unsigned type, uint64_t val)
{
    skep_value v = {.type = (uint8_t)type};
    if (type == SKEP_TYPE_STRING || type == SKEP_TYPE_BYTES || type == SKEP_TYPE_ARRAY)
        v.s = skep_batch_str(b, (uint32_t)val);
    else if (type == SKEP_TYPE_DOUBLE)
        memcpy(&v.f, &val, 8);
    else if (type == SKEP_TYPE_BOOL)
        v.b = val != 0;
    else
        v.i = (int64_t)val;
    return v;
}

static inline void batch_row_fields(const struct skep_batch *b, uint32_t r, struct skep_row *ret,
                                    struct skep_arena *arena)
{
    const struct skep_batch_lists *l = &b->resources;
    uint32_t first = l->first[b->resource[r]], end = l->first[b->resource[r] + 1];
    ret->fields = skep_new_n(arena, struct skep_row_field, b->n_fields + (end - first) + 1);
    for (uint32_t i = 0; i < b->n_fields; i++) {
        const struct skep_batch_field *f = &b->fields[i];
        for (uint32_t k = 0; k < f->n; k++)
            if (f->rows[k] == r)
                ret->fields[ret->n_fields++] =
                    (struct skep_row_field){.name = skep_batch_str(b, f->name),
                                            .scope = f->scope,
                                            .value = batch_row_value(b, f->type, f->vals[k])};
    }
    for (uint32_t e = first; e < end; e++)
        ret->fields[ret->n_fields++] = (struct skep_row_field){
            .name = skep_batch_str(b, l->entries[e].name),
            .scope = SKEP_SCOPE_RESOURCE,
            .value = batch_row_value(b, l->entries[e].type, l->entries[e].val)};
}

/* Texts are the batch's. */
static inline struct skep_rows batch_rows(const struct skep_batch *b, const skep_trace_id *trace,
                                          struct skep_arena *arena)
{
    struct skep_rows ret = {.rows = skep_new_n(arena, struct skep_row, b->n_rows + 1)};
    for (uint32_t r = 0; r < b->n_rows; r++) {
        if (memcmp(&b->trace_id[r], trace, sizeof *trace) != 0)
            continue;
        struct skep_row *row = &ret.rows[ret.n++];
        *row = (struct skep_row){.id = {1, r},
                                 .time_ns = b->time_ns[r],
                                 .received_ns = b->received_ns,
                                 .duration_ns = b->duration_ns[r],
                                 .kind = b->kind[r],
                                 .source = b->source[r],
                                 .trace_id = b->trace_id[r],
                                 .span_id = b->span_id[r],
                                 .parent_id = b->parent_id[r],
                                 .name = skep_batch_str(b, b->name[r]),
                                 .dataset = skep_batch_str(b, b->dataset[r]),
                                 .status = b->status[r],
                                 .span_kind = b->span_kind[r],
                                 .severity = b->severity[r],
                                 .flags = b->flags[r],
                                 .sample_rate = 1};
        batch_row_fields(b, r, row, arena);
    }
    return ret;
}
