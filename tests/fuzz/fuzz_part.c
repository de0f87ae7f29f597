// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a frame payload: refused, or every column, field, list and string of it can be read,
 * found and folded without leaving the payload. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint64_t sum;

static void touch(const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += ((const uint8_t *)p)[i];
}

static void read_all(struct skep_rowset *rs, struct skep_colreader *r)
{
    for (uint64_t row = 0; row < rs->n_rows; row += SKEP_BLOCK_ROWS) {
        unsigned n = (unsigned)SKEP_MIN((uint64_t)SKEP_BLOCK_ROWS, rs->n_rows - row);
        struct skep_vec v;
        skep_rc rc = r->ops->read(r, row, n, &v, NULL);
        skep_assert(rc == SKEP_OK);
        if (v.none)
            continue;
        unsigned k = v.constant ? 1 : n;
        if (v.form == SKEP_VEC_DICT)
            for (unsigned i = 0; i < k; i++) {
                skep_assert(v.codes[i] < v.dict->n);
                skep_str s = skep_dict_str(v.dict, v.codes[i]);
                touch(s.p, s.n);
            }
        else if (v.form == SKEP_VEC_ID16)
            touch(v.id16, k * sizeof *v.id16);
        else
            touch(v.form == SKEP_VEC_F64 ? (const void *)v.f64 : v.i64, k * 8);
        if (v.valid)
            touch(v.valid, (n + 63) / 64 * 8);
    }
    r->ops->close(r);
}

static void read_lists(const struct skep_rowset_lists *l)
{
    for (uint32_t i = 0; i < l->first[l->n]; i++) {
        touch(l->entries[i].name.p, l->entries[i].name.n);
        if (l->entries[i].value.type == SKEP_TYPE_STRING)
            touch(l->entries[i].value.s.p, l->entries[i].value.s.n);
    }
    touch(l->hashes, l->n * sizeof *l->hashes);
}

static void read_rowset(struct skep_rowset *rs)
{
    struct skep_colreader *r;
    for (int c = 0; c < SKEP_COL_COUNT; c++)
        if (rs->ops->open_column(rs, (enum skep_column)c, &r, NULL) == SKEP_OK)
            read_all(rs, r);
    for (uint32_t f = 0; f < rs->n_fields; f++) {
        uint32_t at =
            skep_rowset_find_field(rs, rs->fields[f].name, rs->fields[f].scope, rs->fields[f].type);
        skep_assert(at == f);
        if (rs->ops->open_field(rs, f, &r, NULL) == SKEP_OK)
            read_all(rs, r);
    }
    read_lists(&rs->resources);
    read_lists(&rs->scopes);
    touch(rs->blocks, skep_rowset_blocks(rs) * sizeof *rs->blocks);
    struct skep_row_range ranges[2];
    unsigned n;
    skep_trace_id id = {{7}};
    skep_rc rc = rs->ops->find_trace(rs, &id, ranges, 2, &n, NULL);
    skep_assert(rc == SKEP_OK && n <= 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t *p = skep_malloc(n + 1);
    if (n)
        memcpy(p, data, n);
    struct skep_rowset *rs, *folded;
    skep_err err = {0};
    skep_rc rc = skep_part_open(p, n, 1, NULL, &rs, &err);
    if (rc != SKEP_OK) {
        skep_assert(rc == SKEP_ECORRUPT || rc == SKEP_EUNSUPPORTED);
        return 0;
    }
    if (rs->n_rows <= 1 << 16) { /* constant columns make many rows of few bytes */
        read_rowset(rs);
        struct skep_rowset *twice[2] = {rs, rs};
        if (rs->n_rows > 0 && skep_part_fold(twice, 2, NULL, &folded, &err) == SKEP_OK) {
            skep_assert(folded->n_rows == 2 * rs->n_rows);
            skep_assert(folded->n_fields == rs->n_fields);
            read_rowset(folded);
            skep_rowset_unref(folded);
        }
    }
    skep_rowset_unref(rs);
    return 0;
}
