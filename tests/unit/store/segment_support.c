// SPDX-License-Identifier: Apache-2.0
/* See segment_support.h. */
#include "segment_support.h"

#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

uint64_t rng_next(struct rng *r)
{
    r->s ^= r->s << 13;
    r->s ^= r->s >> 7;
    r->s ^= r->s << 17;
    return r->s * 0x2545f4914f6cdd1dull;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)((rng_next(r) >> 33) % n);
}

static skep_value random_value(struct rng *r, uint32_t field, char *text, size_t cap)
{
    static const double doubles[] = {0.0, -0.0, 1.5, 1e300, -1e-300, 0.25, 12.375};
    static const int64_t ints[] = {0, -1, INT64_MAX, INT64_MIN, 42};
    /* Mostly one type a field, so that columns are dense; now and then another. */
    unsigned type = rng_below(r, 50) == 0 ? 1 + rng_below(r, 7) : 1 + field % 7;
    switch (type) {
    case SKEP_TYPE_INT:
        return (skep_value){.type = SKEP_TYPE_INT,
                            .i = rng_below(r, 20) ? (int64_t)rng_below(r, 5000)
                                                  : ints[rng_below(r, 5)]};
    case SKEP_TYPE_DOUBLE:
        return (skep_value){.type = SKEP_TYPE_DOUBLE,
                            .f = rng_below(r, 9) ? rng_below(r, 100000) / 1000.0
                                                 : doubles[rng_below(r, 7)]};
    case SKEP_TYPE_BOOL: return (skep_value){.type = SKEP_TYPE_BOOL, .b = rng_below(r, 2)};
    case SKEP_TYPE_EMPTY: return (skep_value){.type = SKEP_TYPE_EMPTY};
    default: break;
    }
    int n;
    switch (rng_below(r, 6)) {
    case 0: n = 0; break;
    case 1: n = snprintf(text, cap, "v%u", rng_below(r, 4)); break;
    case 2:
        n = snprintf(text, cap, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9d %u", rng_below(r, 30));
        break;
    case 3: n = snprintf(text, cap, "SELECT * FROM t WHERE id = %u", rng_below(r, 1000000)); break;
    case 4: n = snprintf(text, cap, "%0*d", (int)rng_below(r, 400) + 1, 7); break;
    default: n = snprintf(text, cap, "user-%05u", rng_below(r, 500)); break;
    }
    return (skep_value){.type = type == SKEP_TYPE_BYTES   ? SKEP_TYPE_BYTES
                                : type == SKEP_TYPE_ARRAY ? SKEP_TYPE_ARRAY
                                                          : SKEP_TYPE_STRING,
                        .s = {text, (size_t)n}};
}

static uint32_t random_resource(struct rng *r, struct skep_batch *b, struct skep_batch_lists *into)
{
    char text[64];
    struct skep_batch_list *l = skep_batch_list_begin(b);
    int n = snprintf(text, sizeof text, "service-%u", rng_below(r, 5));
    skep_batch_list_put(l, SKEP_STR("service.name"),
                        (skep_value){.type = SKEP_TYPE_STRING, .s = {text, (size_t)n}});
    skep_batch_list_put(l, SKEP_STR("pid"),
                        (skep_value){.type = SKEP_TYPE_INT, .i = rng_below(r, 3)});
    if (rng_below(r, 3) == 0)
        skep_batch_list_put(l, SKEP_STR("ratio"), (skep_value){.type = SKEP_TYPE_DOUBLE, .f = 0.5});
    return skep_batch_list_end(l, into);
}

static int64_t random_time(struct rng *r, const struct batch_shape *s)
{
    static const int64_t extremes[] = {0, -1, INT64_MIN, INT64_MAX, 1};
    if (s->hostile && rng_below(r, 10) == 0)
        return extremes[rng_below(r, 5)];
    return 1795132800000000000 + s->start_ns + (int64_t)rng_below(r, 2000000000);
}

/* Returns the number in the row's name. */
static uint32_t fill_row(struct rng *r, struct skep_batch *b, const struct batch_shape *s,
                         uint32_t row)
{
    uint64_t t = s->trace_base + rng_below(r, s->traces);
    if (!s->hostile || rng_below(r, 5)) {
        uint64_t id[2] = {t * 0x9e3779b97f4a7c15ull | 1, t};
        memcpy(b->trace_id[row].b, id, 16);
    }
    uint32_t ids = s->hostile ? 6 : 1000000;
    b->span_id[row] = rng_below(r, 8) ? t << 24 | (1 + rng_below(r, ids)) : 0;
    switch (rng_below(r, 4)) {
    case 0: break;
    case 1: b->parent_id[row] = rng_next(r); break;
    default: b->parent_id[row] = b->span_id[rng_below(r, row + 1)]; break;
    }
    b->duration_ns[row] = rng_below(r, 3) ? (int64_t)rng_below(r, 1u << 30) : -1;
    b->status[row] = (uint8_t)rng_below(r, 3);
    b->span_kind[row] = (uint8_t)rng_below(r, 6);
    b->severity[row] = (uint8_t)rng_below(r, 25);
    b->flags[row] = rng_below(r, 4) ? 0x101 : (uint32_t)rng_next(r);
    b->sample_rate[row] = 1 + rng_below(r, 3);
    char name[64];
    uint32_t number = rng_below(r, 40);
    int n = snprintf(name, sizeof name, "GET /x/%u", number);
    b->name[row] = skep_batch_intern(b, (skep_str){name, (size_t)n});
    n = snprintf(name, sizeof name, "set-%u", rng_below(r, 3));
    b->dataset[row] = skep_batch_intern(b, (skep_str){name, (size_t)n});
    return number;
}

/* Fields that follow from the name or the resource, some with exceptions, some in certain rows. */
static void put_followers(struct rng *r, struct skep_batch *b, uint32_t name, uint32_t resource)
{
    char text[64];
    int n = snprintf(text, sizeof text, "/x/{%u}", name % 20);
    skep_str route = {text, (size_t)n};
    if (name % 3 == 0)
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("follow.route"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = route});
    bool odd = rng_below(r, 50) == 0;
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("follow.status"),
                   (skep_value){.type = SKEP_TYPE_INT, .i = odd ? -7 : (int64_t)(200 + name % 5)});
    if (name % 3 == 0)
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("follow.weight"),
                       (skep_value){.type = SKEP_TYPE_DOUBLE, .f = resource * 0.5});
    if (name % 4 == 1)
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("peer"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = route});
    if (name % 4 == 1)
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("peer.port"),
                       (skep_value){.type = SKEP_TYPE_INT, .i = name % 20 + 8000});
    if (odd)
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("rare.text"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = route});
}

struct skep_rowset *random_part(struct rng *r, const struct batch_shape *s, uint64_t seq)
{
    struct skep_batch *b = skep_batch_new(NULL, 1795132800000000000 + (int64_t)seq * 1000);
    uint32_t lists[8], scopes[3];
    for (int i = 0; i < 8; i++)
        lists[i] = random_resource(r, b, &b->resources);
    for (int i = 0; i < 3; i++)
        scopes[i] = random_resource(r, b, &b->scopes);
    char name[32], text[512];
    for (uint32_t i = 0; i < s->rows; i++) {
        uint32_t row = skep_batch_row(b, (enum skep_kind)(1 + rng_below(r, 5)), random_time(r, s),
                                      SKEP_SOURCE_OTLP);
        uint32_t name_number = fill_row(r, b, s, row), resource = rng_below(r, 8);
        b->resource[row] = lists[resource];
        put_followers(r, b, name_number, resource);
        b->scope[row] = scopes[rng_below(r, 3)];
        for (uint32_t k = rng_below(r, s->per_row + 1); k-- > 0;) {
            /* A few fields are common, most are rare. */
            uint32_t f =
                rng_below(r, 3) ? rng_below(r, SKEP_MIN(s->fields, 12u)) : rng_below(r, s->fields);
            int n = snprintf(name, sizeof name, "attr.%u", s->first_field + f);
            skep_batch_put(b, f % 11 == 10 ? SKEP_SCOPE_INTRINSIC : SKEP_SCOPE_ATTRIBUTE,
                           (skep_str){name, (size_t)n}, random_value(r, f, text, sizeof text));
        }
    }
    skep_batch_check(b);
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_rowset *rs = NULL;
    skep_err err;
    if (skep_part_open(payload, n, seq, NULL, &rs, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return rs;
}

/* --- rows as text --- */

/* Numbers, digit by digit: a test writes tens of millions, which with printf is most of its time.
 * What stands before and behind is left out if it is 0. */
static void put_number(struct skep_buf *b, char before, int64_t v, char after)
{
    char text[24];
    size_t at = sizeof text;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    if (after)
        text[--at] = after;
    do
        text[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (v < 0)
        text[--at] = '-';
    if (before)
        text[--at] = before;
    skep_buf_put(b, text + at, sizeof text - at);
}

static void put_bits(struct skep_buf *b, uint64_t bits)
{
    char text[17] = "f";
    for (unsigned i = 0; i < 16; i++)
        text[1 + i] = "0123456789abcdef"[bits >> (60 - 4 * i) & 15];
    skep_buf_put(b, text, sizeof text);
}

static void put_vec(struct skep_buf *b, const struct skep_vec *v, unsigned i, uint8_t type)
{
    unsigned k = v->constant ? 0 : i;
    switch (v->form) {
    case SKEP_VEC_I64: put_number(b, 0, v->i64[k], 0); break;
    case SKEP_VEC_F64: {
        uint64_t bits;
        memcpy(&bits, &v->f64[k], 8);
        put_bits(b, bits);
        break;
    }
    case SKEP_VEC_DICT: {
        assert_true(v->codes[k] < v->dict->n);
        skep_str s = skep_dict_str(v->dict, v->codes[k]);
        assert_true(v->dict->hashes[v->codes[k]] == skep_hash(skep_str_bytes(s)));
        put_number(b, 0, (int64_t)s.n, ':');
        skep_buf_str(b, s);
        break;
    }
    case SKEP_VEC_STR:
        put_number(b, 0, (int64_t)v->str[k].n, ':');
        skep_buf_str(b, v->str[k]);
        break;
    case SKEP_VEC_ID16: {
        char hex[32];
        skep_hex_encode((skep_bytes){v->id16[k].b, 16}, hex);
        skep_buf_put(b, hex, 32);
        break;
    }
    }
    put_number(b, '/', type, ';');
}

static void put_list(struct skep_buf *b, const struct skep_rowset_lists *l, uint32_t i)
{
    assert_true(i < l->n);
    for (uint32_t k = l->first[i]; k < l->first[i + 1]; k++) {
        const struct skep_rowset_entry *e = &l->entries[k];
        skep_buf_str(b, e->name);
        put_number(b, '=', e->value.type, ':');
        switch (e->value.type) {
        case SKEP_TYPE_INT: put_number(b, 0, e->value.i, 0); break;
        case SKEP_TYPE_DOUBLE: skep_buf_printf(b, "%a", e->value.f); break;
        case SKEP_TYPE_BOOL: skep_buf_printf(b, "%d", e->value.b); break;
        default: skep_buf_str(b, e->value.s); break;
        }
        skep_buf_u8(b, ',');
    }
}

static bool is_valid(const struct skep_vec *v, unsigned i)
{
    return !v->none && (!v->valid || (v->valid[i / 64] >> (i % 64) & 1));
}

struct text_reader {
    struct skep_colreader *cols[SKEP_COL_COUNT];
    struct skep_colreader **fields;
    uint32_t n_fields;
};

static int64_t int_of(const struct skep_vec *v, unsigned i)
{
    return v->none ? 0 : v->i64[v->constant ? 0 : i];
}

static skep_rc add_range(struct skep_rowset *rs, struct text_reader *t,
                         const struct skep_live *live, uint64_t row0, unsigned n,
                         struct row_texts *out, skep_err *err)
{
    struct skep_buf *bufs = skep_alloc_n(struct skep_buf, n);
    uint32_t base = out->n;
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < n; i++)
        skep_buf_init(&bufs[i], 1u << 28);
    out->rows = skep_realloc(out->rows, (base + n) * sizeof *out->rows);
    for (unsigned c = 0; c < SKEP_COL_COUNT && rc == SKEP_OK; c++) {
        struct skep_vec v;
        rc = t->cols[c]->ops->read(t->cols[c], row0, n, &v, err);
        for (unsigned i = 0; i < n && rc == SKEP_OK; i++) {
            put_number(&bufs[i], 'c', c, '=');
            if (c == SKEP_COL_SEQ)
                out->rows[base + i].seq = (uint64_t)int_of(&v, i);
            if (c == SKEP_COL_ORDINAL)
                out->rows[base + i].ordinal = (uint32_t)int_of(&v, i);
            if (c == SKEP_COL_RESOURCE || c == SKEP_COL_SCOPE)
                put_list(&bufs[i], c == SKEP_COL_RESOURCE ? &rs->resources : &rs->scopes,
                         (uint32_t)int_of(&v, i));
            else if (c == SKEP_COL_NAME || c == SKEP_COL_DATASET) {
                if (is_valid(&v, i))
                    put_vec(&bufs[i], &v, i, 0);
                else
                    skep_buf_str(&bufs[i], SKEP_STR("0:/0;"));
            } else if (c == SKEP_COL_TRACE_ID) {
                struct skep_vec zero = {
                    .form = SKEP_VEC_ID16, .constant = true, .id16 = &(skep_trace_id){{0}}};
                put_vec(&bufs[i], is_valid(&v, i) ? &v : &zero, i, 0);
            } else {
                put_number(&bufs[i], 0, is_valid(&v, i) ? int_of(&v, i) : 0, ';');
            }
        }
    }
    for (uint32_t f = 0; f < t->n_fields && rc == SKEP_OK; f++) {
        struct skep_vec v;
        rc = t->fields[f]->ops->read(t->fields[f], row0, n, &v, err);
        for (unsigned i = 0; i < n && rc == SKEP_OK; i++) {
            if (!is_valid(&v, i))
                continue;
            skep_buf_str(&bufs[i], rs->fields[f].name);
            put_number(&bufs[i], '@', rs->fields[f].scope, '=');
            put_vec(&bufs[i], &v, i, rs->fields[f].type);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        bool keep = rc == SKEP_OK && skep_live_has(live, row0 + i);
        if (keep) {
            struct row_text x = out->rows[base + i];
            skep_assert(!bufs[i].bad);
            x.text = skep_strndup((char *)bufs[i].p, bufs[i].n);
            out->rows[out->n++] = x;
        }
        skep_buf_done(&bufs[i]);
    }
    skep_free(bufs);
    return rc;
}

skep_rc read_rows(struct skep_rowset *rs, const struct skep_live *live, unsigned step,
                  struct row_texts *out, skep_err *err)
{
    struct text_reader t = {.n_fields = rs->n_fields};
    t.fields = skep_alloc_n(struct skep_colreader *, rs->n_fields + 1);
    skep_rc rc = SKEP_OK;
    for (unsigned c = 0; c < SKEP_COL_COUNT && rc == SKEP_OK; c++)
        rc = rs->ops->open_column(rs, c, &t.cols[c], err);
    for (uint32_t f = 0; f < rs->n_fields && rc == SKEP_OK; f++)
        rc = rs->ops->open_field(rs, f, &t.fields[f], err);
    for (uint64_t row = 0; row < rs->row_end && rc == SKEP_OK;) {
        unsigned rows = skep_rowset_block_rows(rs, row / SKEP_BLOCK_ROWS);
        unsigned at = (unsigned)(row % SKEP_BLOCK_ROWS);
        if (at >= rows) {
            row += SKEP_BLOCK_ROWS - at;
            continue;
        }
        unsigned n = SKEP_MIN(rows - at, step);
        rc = add_range(rs, &t, live, row, n, out, err);
        row += n;
    }
    for (unsigned c = 0; c < SKEP_COL_COUNT; c++)
        if (t.cols[c])
            t.cols[c]->ops->close(t.cols[c]);
    for (uint32_t f = 0; f < rs->n_fields; f++)
        if (t.fields[f])
            t.fields[f]->ops->close(t.fields[f]);
    skep_free(t.fields);
    return rc;
}

static int by_id(const void *a, const void *b)
{
    const struct row_text *x = a, *y = b;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

void sort_rows(struct row_texts *t)
{
    if (t->n)
        qsort(t->rows, t->n, sizeof *t->rows, by_id);
}

void free_rows(struct row_texts *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        skep_free(t->rows[i].text);
    skep_free(t->rows);
    *t = (struct row_texts){0};
}

void same_rows(const struct row_texts *a, const struct row_texts *b)
{
    assert_int_equal(a->n, b->n);
    for (uint32_t i = 0; i < a->n; i++) {
        assert_true(a->rows[i].seq == b->rows[i].seq);
        assert_int_equal(a->rows[i].ordinal, b->rows[i].ordinal);
        if (strcmp(a->rows[i].text, b->rows[i].text) != 0)
            fail_msg("row %llu-%u differs:\n%s\n%s", (unsigned long long)a->rows[i].seq,
                     a->rows[i].ordinal, a->rows[i].text, b->rows[i].text);
    }
}

int64_t *int_column(struct skep_rowset *rs, enum skep_column col)
{
    int64_t *out = skep_alloc_n(int64_t, rs->n_rows);
    struct skep_colreader *r;
    assert_int_equal(rs->ops->open_column(rs, col, &r, NULL), SKEP_OK);
    for (uint64_t row = 0, at = 0; row < rs->row_end; row += SKEP_BLOCK_ROWS) {
        unsigned n = skep_rowset_block_rows(rs, row / SKEP_BLOCK_ROWS);
        struct skep_vec v;
        if (n == 0)
            continue;
        assert_int_equal(r->ops->read(r, row, n, &v, NULL), SKEP_OK);
        for (unsigned i = 0; i < n; i++)
            out[at++] = is_valid(&v, i) ? int_of(&v, i) : 0;
    }
    r->ops->close(r);
    return out;
}

skep_trace_id *trace_column(struct skep_rowset *rs)
{
    skep_trace_id *out = skep_alloc_n(skep_trace_id, rs->n_rows);
    struct skep_colreader *r;
    assert_int_equal(rs->ops->open_column(rs, SKEP_COL_TRACE_ID, &r, NULL), SKEP_OK);
    for (uint64_t row = 0, at = 0; row < rs->row_end; row += SKEP_BLOCK_ROWS) {
        unsigned n = skep_rowset_block_rows(rs, row / SKEP_BLOCK_ROWS);
        struct skep_vec v;
        if (n == 0)
            continue;
        assert_int_equal(r->ops->read(r, row, n, &v, NULL), SKEP_OK);
        for (unsigned i = 0; i < n; i++)
            out[at++] = is_valid(&v, i) ? v.id16[v.constant ? 0 : i] : (skep_trace_id){{0}};
    }
    r->ops->close(r);
    return out;
}
