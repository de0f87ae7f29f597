// SPDX-License-Identifier: Apache-2.0
/* A batch as text. */
#include "support/batchdump.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

static void put_quoted(struct skep_buf *out, skep_str s)
{
    skep_buf_u8(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c == '"' || c == '\\')
            skep_buf_printf(out, "\\%c", c);
        else if (c < 32 || c == 127)
            skep_buf_printf(out, "\\x%02x", c);
        else
            skep_buf_u8(out, c);
    }
    skep_buf_u8(out, '"');
}

static void put_value(const struct skep_batch *b, unsigned type, uint64_t val, struct skep_buf *out)
{
    double x;
    char hex[512];
    skep_str s;
    skep_buf_str(out, skep_type_name((enum skep_type)type));
    skep_buf_u8(out, ' ');
    switch (type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_ARRAY: put_quoted(out, skep_batch_str(b, (uint32_t)val)); break;
    case SKEP_TYPE_BYTES:
        s = skep_batch_str(b, (uint32_t)val);
        s.n = s.n > 256 ? 256 : s.n;
        skep_hex_encode(skep_str_bytes(s), hex);
        skep_buf_put(out, hex, 2 * s.n);
        break;
    case SKEP_TYPE_INT: skep_buf_printf(out, "%" PRId64, (int64_t)val); break;
    case SKEP_TYPE_DOUBLE:
        memcpy(&x, &val, sizeof x);
        skep_buf_printf(out, "%.17g", x);
        break;
    case SKEP_TYPE_BOOL: skep_buf_str(out, val ? SKEP_STR("true") : SKEP_STR("false")); break;
    default: break;
    }
    skep_buf_u8(out, '\n');
}

static void put_list(const struct skep_batch *b, const struct skep_batch_lists *l, uint32_t k,
                     const char *what, struct skep_buf *out)
{
    for (uint32_t e = l->first[k]; e < l->first[k + 1]; e++) {
        skep_buf_printf(out, "    %s ", what);
        skep_buf_str(out, skep_batch_str(b, l->entries[e].name));
        skep_buf_u8(out, ' ');
        put_value(b, l->entries[e].type, l->entries[e].val, out);
    }
}

static const struct skep_batch *sorting;

static int by_name(const void *pa, const void *pb)
{
    const struct skep_batch_field *x = &sorting->fields[*(const uint32_t *)pa];
    const struct skep_batch_field *y = &sorting->fields[*(const uint32_t *)pb];
    if (x->scope != y->scope)
        return (int)x->scope - (int)y->scope;
    int order = skep_str_cmp(skep_batch_str(sorting, x->name), skep_batch_str(sorting, y->name));
    return order ? order : (int)x->type - (int)y->type;
}

static void put_row(const struct skep_batch *b, uint32_t r, struct skep_buf *out)
{
    char trace[33] = {0};
    uint8_t id[8];
    char span[17] = {0}, parent[17] = {0};
    skep_hex_encode((skep_bytes){b->trace_id[r].b, 16}, trace);
    memcpy(id, &b->span_id[r], 8);
    skep_hex_encode((skep_bytes){id, 8}, span);
    memcpy(id, &b->parent_id[r], 8);
    skep_hex_encode((skep_bytes){id, 8}, parent);
    skep_buf_str(out, skep_kind_name((enum skep_kind)b->kind[r]));
    skep_buf_u8(out, ' ');
    put_quoted(out, skep_batch_str(b, b->name[r]));
    skep_buf_printf(out, " time=%" PRId64 " duration=%" PRId64, b->time_ns[r], b->duration_ns[r]);
    skep_buf_printf(out, "\n    trace=%s span=%s parent=%s\n    dataset=", trace, span, parent);
    put_quoted(out, skep_batch_str(b, b->dataset[r]));
    skep_buf_printf(out,
                    " status=%u span_kind=%u severity=%u flags=%#x rate=%u source=", b->status[r],
                    b->span_kind[r], b->severity[r], b->flags[r], b->sample_rate[r]);
    skep_buf_str(out, skep_source_name((enum skep_source)b->source[r]));
    skep_buf_u8(out, '\n');
}

void skep_batchdump(const struct skep_batch *b, struct skep_buf *out)
{
    uint32_t *order = skep_alloc_n(uint32_t, b->n_fields + 1);
    uint32_t *at = skep_alloc_n(uint32_t, b->n_fields + 1);
    for (uint32_t f = 0; f < b->n_fields; f++)
        order[f] = f;
    sorting = b;
    qsort(order, b->n_fields, sizeof *order, by_name);
    for (uint32_t r = 0; r < b->n_rows; r++) {
        put_row(b, r, out);
        if (r == 0 || b->resource[r] != b->resource[r - 1])
            put_list(b, &b->resources, b->resource[r], "resource", out);
        if (r == 0 || b->scope[r] != b->scope[r - 1])
            put_list(b, &b->scopes, b->scope[r], "scope", out);
        for (uint32_t i = 0; i < b->n_fields; i++) {
            const struct skep_batch_field *f = &b->fields[order[i]];
            if (at[order[i]] >= f->n || f->rows[at[order[i]]] != r)
                continue;
            skep_buf_str(out,
                         f->scope == SKEP_SCOPE_INTRINSIC ? SKEP_STR("    - ") : SKEP_STR("    "));
            skep_buf_str(out, skep_batch_str(b, f->name));
            skep_buf_u8(out, ' ');
            put_value(b, f->type, f->vals[at[order[i]]++], out);
        }
    }
    skep_free(order);
    skep_free(at);
}
