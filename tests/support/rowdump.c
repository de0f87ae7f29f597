// SPDX-License-Identifier: Apache-2.0
/* Rows as text from batches and rowsets, by two separate roads, and random batches.
 * Memory: every text is the caller's. */
#include "support/rowdump.h"

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

uint64_t rnd_u64(struct rnd *r)
{
    r->s ^= r->s << 13;
    r->s ^= r->s >> 7;
    r->s ^= r->s << 17;
    return r->s;
}

/* --- text --- */

static void put_value(struct skep_buf *b, const skep_value *v)
{
    uint64_t bits;
    switch (v->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
        skep_buf_printf(b, "%d:'", v->type);
        skep_buf_str(b, v->s);
        skep_buf_printf(b, "'");
        break;
    case SKEP_TYPE_INT: skep_buf_printf(b, "i:%" PRId64, v->i); break;
    case SKEP_TYPE_DOUBLE:
        memcpy(&bits, &v->f, 8);
        skep_buf_printf(b, "d:%016" PRIx64, bits);
        break;
    case SKEP_TYPE_BOOL: skep_buf_printf(b, "b:%d", v->b); break;
    case SKEP_TYPE_EMPTY: skep_buf_printf(b, "empty"); break;
    default: fail();
    }
}

static void put_field(struct skep_buf *b, skep_str name, unsigned scope, const skep_value *v)
{
    skep_buf_printf(b, " %u.", scope);
    skep_buf_str(b, name);
    skep_buf_printf(b, "=");
    put_value(b, v);
}

static skep_value batch_value(const struct skep_batch *b, unsigned type, uint64_t val)
{
    skep_value v = {.type = type};
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

static void put_batch_list(struct skep_buf *out, const struct skep_batch *b,
                           const struct skep_batch_lists *l, uint32_t i)
{
    skep_buf_printf(out, " [");
    for (uint32_t e = l->first[i]; e < l->first[i + 1]; e++) {
        skep_value v = batch_value(b, l->entries[e].type, l->entries[e].val);
        put_field(out, skep_batch_str(b, l->entries[e].name), 9, &v);
    }
    skep_buf_printf(out, "]");
}

struct order {
    skep_str name;
    uint8_t scope, type;
    skep_value v;
};

static int by_name(const void *pa, const void *pb)
{
    const struct order *a = pa, *b = pb;
    int c = skep_str_cmp(a->name, b->name);
    if (c == 0)
        c = a->scope - b->scope;
    return c ? c : a->type - b->type;
}

static char *text_of(struct skep_buf *b)
{
    skep_buf_u8(b, 0);
    assert_false(b->bad);
    size_t n;
    return (char *)skep_buf_take(b, &n);
}

static const char FIXED[] = " seq=%" PRIu64 " ord=%" PRIu64 " t=%" PRId64 " dur=%" PRId64
                            " kind=%d tid=%016" PRIx64 "%016" PRIx64 " sid=%" PRIx64 " pid=%" PRIx64
                            " st=%d sk=%d sev=%d fl=%u sr=%u rec=%" PRId64 " src=%d name='";

char *dump_batch_row(const struct skep_batch *b, uint32_t row, uint64_t seq)
{
    struct skep_buf out;
    skep_buf_init(&out, 16 << 20);
    uint64_t tid[2];
    memcpy(tid, &b->trace_id[row], 16);
    skep_buf_printf(&out, FIXED, seq, (uint64_t)row, b->time_ns[row], b->duration_ns[row],
                    b->kind[row], tid[0], tid[1], b->span_id[row], b->parent_id[row],
                    b->status[row], b->span_kind[row], b->severity[row], b->flags[row],
                    b->sample_rate[row] ? b->sample_rate[row] : 1, b->received_ns, b->source[row]);
    skep_buf_str(&out, skep_batch_str(b, b->name[row]));
    skep_buf_printf(&out, "' ds='");
    skep_buf_str(&out, skep_batch_str(b, b->dataset[row]));
    skep_buf_printf(&out, "'");
    put_batch_list(&out, b, &b->resources, b->resource[row]);
    put_batch_list(&out, b, &b->scopes, b->scope[row]);
    struct order *o = skep_alloc_n(struct order, b->n_fields);
    uint32_t n = 0;
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *bf = &b->fields[f];
        uint32_t low = 0, high = bf->n;
        while (low < high) {
            uint32_t mid = (low + high) / 2;
            if (bf->rows[mid] < row)
                low = mid + 1;
            else
                high = mid;
        }
        if (low < bf->n && bf->rows[low] == row)
            o[n++] = (struct order){skep_batch_str(b, bf->name), bf->scope, bf->type,
                                    batch_value(b, bf->type, bf->vals[low])};
    }
    qsort(o, n, sizeof *o, by_name);
    for (uint32_t i = 0; i < n; i++)
        put_field(&out, o[i].name, o[i].scope, &o[i].v);
    skep_free(o);
    return text_of(&out);
}

static bool vec_has(const struct skep_vec *v, unsigned i)
{
    return !v->none && (!v->valid || (v->valid[i / 64] >> (i % 64) & 1));
}

static skep_str vec_str(const struct skep_vec *v, unsigned i)
{
    if (v->form == SKEP_VEC_STR)
        return v->str[v->constant ? 0 : i];
    assert_int_equal(v->form, SKEP_VEC_DICT);
    uint32_t code = v->codes[v->constant ? 0 : i];
    assert_true(code < v->dict->n);
    return skep_dict_str(v->dict, code);
}

static skep_value vec_value(const struct skep_vec *v, unsigned i, unsigned type)
{
    skep_value r = {.type = type};
    unsigned at = v->constant ? 0 : i;
    switch (type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: r.s = vec_str(v, i); break;
    case SKEP_TYPE_DOUBLE: r.f = v->f64[at]; break;
    case SKEP_TYPE_BOOL: r.b = v->i64[at] != 0; break;
    case SKEP_TYPE_INT: r.i = v->i64[at]; break;
    default: break;
    }
    return r;
}

static void put_list(struct skep_buf *out, const struct skep_rowset_lists *l, int64_t i)
{
    assert_true(i >= 0 && i < l->n);
    skep_buf_printf(out, " [");
    for (uint32_t e = l->first[i]; e < l->first[i + 1]; e++)
        put_field(out, l->entries[e].name, 9, &l->entries[e].value);
    skep_buf_printf(out, "]");
}

static void dump_block(struct skep_rowset *rs, struct skep_colreader **cols, uint64_t row0,
                       unsigned n, struct skep_buf *out)
{
    skep_err err;
    struct skep_vec v[SKEP_COL_COUNT];
    for (int c = 0; c < SKEP_COL_COUNT; c++)
        assert_int_equal(cols[c]->ops->read(cols[c], row0, n, &v[c], &err), SKEP_OK);
#define I(col) v[SKEP_COL_##col].i64[v[SKEP_COL_##col].constant ? 0 : i]
    for (unsigned i = 0; i < n; i++) {
        uint64_t tid[2];
        memcpy(tid, &v[SKEP_COL_TRACE_ID].id16[v[SKEP_COL_TRACE_ID].constant ? 0 : i], 16);
        skep_buf_printf(&out[i], FIXED, (uint64_t)I(SEQ), (uint64_t)I(ORDINAL), I(TIME),
                        I(DURATION), (int)I(KIND), tid[0], tid[1], (uint64_t)I(SPAN_ID),
                        (uint64_t)I(PARENT_ID), (int)I(STATUS), (int)I(SPAN_KIND), (int)I(SEVERITY),
                        (unsigned)I(FLAGS), (unsigned)I(SAMPLE_RATE), I(RECEIVED), (int)I(SOURCE));
        skep_buf_str(&out[i], vec_str(&v[SKEP_COL_NAME], i));
        skep_buf_printf(&out[i], "' ds='");
        skep_buf_str(&out[i], vec_str(&v[SKEP_COL_DATASET], i));
        skep_buf_printf(&out[i], "'");
        put_list(&out[i], &rs->resources, I(RESOURCE));
        put_list(&out[i], &rs->scopes, I(SCOPE));
    }
#undef I
}

char **dump_rowset(struct skep_rowset *rs)
{
    skep_err err;
    char **ret = skep_alloc_n(char *, rs->n_rows);
    struct skep_colreader *cols[SKEP_COL_COUNT];
    for (int c = 0; c < SKEP_COL_COUNT; c++)
        assert_int_equal(rs->ops->open_column(rs, c, &cols[c], &err), SKEP_OK);
    struct skep_colreader **fields = skep_alloc_n(struct skep_colreader *, rs->n_fields);
    for (uint32_t f = 0; f < rs->n_fields; f++)
        assert_int_equal(rs->ops->open_field(rs, f, &fields[f], &err), SKEP_OK);
    for (uint64_t row0 = 0, at = 0; row0 < rs->row_end; row0 += SKEP_BLOCK_ROWS) {
        unsigned n = skep_rowset_block_rows(rs, row0 / SKEP_BLOCK_ROWS);
        if (n == 0)
            continue;
        struct skep_buf *out = skep_alloc_n(struct skep_buf, n);
        for (unsigned i = 0; i < n; i++)
            skep_buf_init(&out[i], 16 << 20);
        dump_block(rs, cols, row0, n, out);
        for (uint32_t f = 0; f < rs->n_fields; f++) {
            struct skep_vec v;
            assert_int_equal(fields[f]->ops->read(fields[f], row0, n, &v, &err), SKEP_OK);
            for (unsigned i = 0; i < n; i++)
                if (vec_has(&v, i)) {
                    skep_value val = vec_value(&v, i, rs->fields[f].type);
                    put_field(&out[i], rs->fields[f].name, rs->fields[f].scope, &val);
                }
        }
        for (unsigned i = 0; i < n; i++)
            ret[at++] = text_of(&out[i]);
        skep_free(out);
    }
    for (int c = 0; c < SKEP_COL_COUNT; c++)
        cols[c]->ops->close(cols[c]);
    for (uint32_t f = 0; f < rs->n_fields; f++)
        fields[f]->ops->close(fields[f]);
    skep_free(fields);
    return ret;
}

void dump_free(char **rows, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        skep_free(rows[i]);
    skep_free(rows);
}

/* --- random batches --- */

static skep_str rnd_text(struct rnd *r, char *buf, size_t cap, uint32_t variety)
{
    int n = snprintf(buf, cap, "v%u", rnd_below(r, variety));
    if (rnd_below(r, 50) == 0)
        n = 0;
    return (skep_str){buf, (size_t)n};
}

static void rnd_value(struct rnd *r, struct skep_batch *b, skep_str name, unsigned scope)
{
    char buf[32];
    skep_value v = {.type = 1 + rnd_below(r, SKEP_TYPE_COUNT - 1)};
    static const double odd[] = {0.0, -0.0, 1.5, -1e300, 3.0};
    static const int64_t ints[] = {INT64_MIN, INT64_MAX, 0, -1, 255, 256, 65536};
    switch (v.type) {
    case SKEP_TYPE_STRING: v.s = rnd_text(r, buf, sizeof buf, 1000); break;
    case SKEP_TYPE_BYTES: v.s = (skep_str){"\0\xff", rnd_below(r, 3)}; break;
    case SKEP_TYPE_ARRAY: v.s = SKEP_STR("[1,\"a\"]"); break;
    case SKEP_TYPE_INT:
        v.i = rnd_below(r, 4) ? rnd_below(r, 600) : ints[rnd_below(r, SKEP_ARRAY_LEN(ints))];
        break;
    case SKEP_TYPE_DOUBLE: v.f = odd[rnd_below(r, SKEP_ARRAY_LEN(odd))]; break;
    case SKEP_TYPE_BOOL: v.b = rnd_below(r, 2); break;
    default: break;
    }
    skep_batch_put(b, scope, name, v);
}

static uint32_t rnd_list(struct rnd *r, struct skep_batch *b, struct skep_batch_lists *into)
{
    char buf[32];
    struct skep_batch_list *l = skep_batch_list_begin(b);
    for (uint32_t k = rnd_below(r, 4); k > 0; k--) {
        skep_value v = {.type = SKEP_TYPE_INT, .i = rnd_below(r, 3)};
        skep_batch_list_put(l, rnd_text(r, buf, sizeof buf, 4), v);
    }
    skep_batch_list_put(l, SKEP_STR("service.name"),
                        (skep_value){.type = SKEP_TYPE_STRING, .s = rnd_text(r, buf, 32, 5)});
    return skep_batch_list_end(l, into);
}

struct skep_batch *random_batch(struct rnd *r, uint32_t n_rows, skep_ts_ns received_ns, int64_t tag)
{
    struct skep_batch *b = skep_batch_new(NULL, received_ns);
    char name[32];
    bool plain = rnd_below(r, 4) == 0; /* whole columns constant */
    for (uint32_t i = 0; i < n_rows; i++) {
        uint32_t row = skep_batch_row(b, plain ? SKEP_KIND_SPAN : 1 + rnd_below(r, 5),
                                      received_ns - rnd_below(r, 1000000000), SKEP_SOURCE_OTLP);
        if (!plain || i == 0) {
            b->duration_ns[row] = (int64_t)rnd_below(r, 1u << rnd_below(r, 31)) - 1;
            b->status[row] = (uint8_t)rnd_below(r, 3);
            b->span_kind[row] = (uint8_t)rnd_below(r, 6);
            b->severity[row] = (uint8_t)rnd_below(r, 25);
            b->flags[row] = (uint32_t)rnd_u64(r);
            b->sample_rate[row] = 1 + rnd_below(r, 3);
            uint64_t id[2] = {rnd_below(r, 40) * 0x9e3779b97f4a7c15ull, 7};
            memcpy(&b->trace_id[row], id, 16);
            b->span_id[row] = rnd_u64(r);
            b->parent_id[row] = rnd_below(r, 3) ? rnd_u64(r) : 0;
            b->resource[row] = rnd_list(r, b, &b->resources);
            b->scope[row] = rnd_list(r, b, &b->scopes);
        }
        b->name[row] = skep_batch_intern(b, rnd_text(r, name, sizeof name, plain ? 1 : 300));
        b->dataset[row] = skep_batch_intern(b, rnd_text(r, name, sizeof name, 3));
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("tag"),
                       (skep_value){.type = SKEP_TYPE_INT, .i = tag + i});
        uint32_t k = rnd_below(r, 6);
        for (uint32_t f = 0; f < k; f++) {
            /* Low numbers often, high ones rarely: dense, middling and rare fields. */
            uint32_t which = rnd_below(r, 1 + rnd_below(r, 1 + rnd_below(r, 60)));
            (void)snprintf(name, sizeof name, "field.%u", which);
            rnd_value(r, b, skep_str_c(name), rnd_below(r, 8) ? 1 : 0);
        }
    }
    return b;
}
