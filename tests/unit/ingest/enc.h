// SPDX-License-Identifier: Apache-2.0
/* OTLP messages written by hand, and batches asked about by name: for tests. */
#pragma once

#include <string.h>

#include "event/batch.h"
#include "wire/pb.h"

static inline skep_bytes bytes_of(const char *s)
{
    return skep_str_bytes(skep_str_c(s));
}

/* KeyValue with a value already encoded as an AnyValue. */
static inline void enc_kv(struct skep_buf *b, uint32_t number, skep_str key, skep_bytes any)
{
    size_t kv = skep_pb_begin(b, number);
    skep_pb_put_str(b, 1, key);
    skep_pb_put_bytes(b, 2, any);
    skep_pb_end(b, kv);
}

static inline void enc_str(struct skep_buf *b, uint32_t number, const char *key, const char *v)
{
    size_t kv = skep_pb_begin(b, number);
    skep_pb_put_str(b, 1, skep_str_c(key));
    size_t any = skep_pb_begin(b, 2);
    skep_pb_put_str(b, 1, skep_str_c(v));
    skep_pb_end(b, any);
    skep_pb_end(b, kv);
}

static inline void enc_int(struct skep_buf *b, uint32_t number, const char *key, int64_t v)
{
    size_t kv = skep_pb_begin(b, number);
    skep_pb_put_str(b, 1, skep_str_c(key));
    size_t any = skep_pb_begin(b, 2);
    skep_pb_put_varint(b, 3, (uint64_t)v);
    skep_pb_end(b, any);
    skep_pb_end(b, kv);
}

static inline void enc_double(struct skep_buf *b, uint32_t number, const char *key, double v)
{
    size_t kv = skep_pb_begin(b, number);
    skep_pb_put_str(b, 1, skep_str_c(key));
    size_t any = skep_pb_begin(b, 2);
    skep_pb_put_double(b, 4, v);
    skep_pb_end(b, any);
    skep_pb_end(b, kv);
}

/* Value of (scope, name) in a row; type NULL when absent.  Strings point into the batch. */
static inline skep_value get_field(const struct skep_batch *b, enum skep_scope scope,
                                   const char *name, uint32_t row)
{
    skep_value v = {.type = SKEP_TYPE_NULL};
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *field = &b->fields[f];
        if (field->scope != scope || !skep_str_eq(skep_batch_str(b, field->name), skep_str_c(name)))
            continue;
        for (uint32_t i = 0; i < field->n; i++) {
            if (field->rows[i] != row)
                continue;
            v.type = (enum skep_type)field->type;
            if (v.type == SKEP_TYPE_STRING || v.type == SKEP_TYPE_BYTES ||
                v.type == SKEP_TYPE_ARRAY)
                v.s = skep_batch_str(b, (uint32_t)field->vals[i]);
            else if (v.type == SKEP_TYPE_BOOL)
                v.b = field->vals[i] != 0;
            else
                memcpy(&v.i, &field->vals[i], sizeof v.i);
        }
    }
    return v;
}

/* The same in an interned list. */
static inline skep_value get_entry(const struct skep_batch *b, const struct skep_batch_lists *l,
                                   uint32_t list, const char *name)
{
    skep_value v = {.type = SKEP_TYPE_NULL};
    for (uint32_t e = l->first[list]; e < l->first[list + 1]; e++) {
        const struct skep_batch_entry *entry = &l->entries[e];
        if (!skep_str_eq(skep_batch_str(b, entry->name), skep_str_c(name)))
            continue;
        v.type = (enum skep_type)entry->type;
        if (v.type == SKEP_TYPE_STRING || v.type == SKEP_TYPE_ARRAY || v.type == SKEP_TYPE_BYTES)
            v.s = skep_batch_str(b, (uint32_t)entry->val);
        else
            v.i = (int64_t)entry->val;
    }
    return v;
}
