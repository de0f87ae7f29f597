// SPDX-License-Identifier: Apache-2.0
/* A worker's binding to one rowset: open columns and the sources of names.
 *
 * Columns are opened when first read and each block of a column is read once, however many tests,
 * groups and aggregates look at it.  A binding lasts as long as the worker gets morsels of the same
 * rowset.  Of a column one row group is in memory at a time (its reader is brief): what a question
 * needs of the chunk cache does not grow with the data.
 *
 * I1  vectors stay valid until the same column is read at other rows, or spoiled by a question to
 *     its reader: then they are read again.  Dictionaries of a row group until the column is asked
 *     about another one.
 * I2  sources stand in order of precedence: attribute, view, intrinsic field, instrumentation,
 * resource.
 *
 * Threads: a context belongs to one thread at a time.  Memory: the binding's arena. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

void skep_x__unbind(struct skep_x_ctx *c)
{
    for (int i = 0; i < SKEP_COL_COUNT; i++) {
        if (c->cols[i])
            c->cols[i]->reader->ops->close(c->cols[i]->reader);
        c->cols[i] = NULL;
    }
    for (uint32_t f = 0; c->rs && f < c->rs->n_fields; f++)
        if (c->fields[f])
            c->fields[f]->reader->ops->close(c->fields[f]->reader);
    c->rs = NULL;
    c->set = UINT32_MAX;
    c->fields = NULL;
    c->bound = NULL;
    c->any = (struct skep_x_bound){0};
    skep_arena_reset(&c->arena);
}

skep_rc skep_x__bind(struct skep_x_ctx *c, uint32_t set, skep_err *err)
{
    if (c->set == set)
        return SKEP_OK;
    skep_assert(set < c->q->snap->n);
    skep_x__unbind(c);
    struct skep_rowset *rs = c->q->snap->sets[set].rowset;
    size_t fields_bytes = (rs->n_fields + 1) * sizeof *c->fields;
    c->fields = skep_arena_try_alloc(&c->arena, fields_bytes);
    c->bound = skep_arena_try_alloc(&c->arena, (c->q->n_names + 1) * sizeof *c->bound);
    if (!c->fields || !c->bound)
        return skep_fail(err, SKEP_ENOMEM, "query: no memory left to open a rowset");
    c->rs = rs;
    c->live = c->q->snap->sets[set].live;
    c->set = set;
    c->block = UINT64_MAX;
    return SKEP_OK;
}

void skep_x__block(struct skep_x_ctx *c, uint64_t block)
{
    skep_assert(c->rs != NULL);
    c->block = block;
    c->row0 = block * SKEP_BLOCK_ROWS;
    c->n = skep_rowset_block_rows(c->rs, block);
    skep_assert(c->n > 0);
}

void skep_x__look_at(struct skep_x_ctx *c, uint64_t row0, unsigned n)
{
    skep_x__block(c, row0 / SKEP_BLOCK_ROWS);
    skep_assert(n > 0 && row0 + n <= c->row0 + c->n);
    c->row0 = row0;
    c->n = n;
}

void skep_x__live(const struct skep_x_ctx *c, struct skep_x_bits *ret)
{
    for (unsigned w = 0; w < SKEP_X_WORDS; w++) {
        unsigned first = w * 64;
        uint64_t all = first >= c->n        ? 0
                       : c->n - first >= 64 ? UINT64_MAX
                                            : (1ull << (c->n - first)) - 1;
        if (all && c->live)
            all &= skep_live_word(c->live, c->row0 + first);
        ret->w[w] = all;
    }
}

static struct skep_x_col *new_col(struct skep_x_ctx *c, struct skep_colreader *r)
{
    struct skep_x_col *col = skep_new(&c->arena, struct skep_x_col);
    col->reader = r;
    r->brief = true;
    col->row0 = UINT64_MAX;
    return col;
}

static skep_rc read_col(struct skep_x_ctx *c, struct skep_x_col *col, const struct skep_vec **ret,
                        skep_err *err)
{
    if (col->row0 != c->row0 || col->vec.n != c->n || col->reader->spoiled) {
        col->row0 = UINT64_MAX;
        SKEP_TRY(col->reader->ops->read(col->reader, c->row0, c->n, &col->vec, err));
        col->row0 = c->row0;
    }
    *ret = &col->vec;
    return SKEP_OK;
}

static skep_rc open_column(struct skep_x_ctx *c, enum skep_column col, skep_err *err)
{
    if (!c->cols[col]) {
        struct skep_colreader *r = NULL;
        SKEP_TRY(c->rs->ops->open_column(c->rs, col, &r, err));
        c->cols[col] = new_col(c, r);
    }
    return SKEP_OK;
}

struct skep_colreader *skep_x__column_reader(struct skep_x_ctx *c, enum skep_column col,
                                             skep_err *err)
{
    return open_column(c, col, err) == SKEP_OK ? c->cols[col]->reader : NULL;
}

skep_rc skep_x__column(struct skep_x_ctx *c, enum skep_column col, const struct skep_vec **ret,
                       skep_err *err)
{
    SKEP_TRY(open_column(c, col, err));
    return read_col(c, c->cols[col], ret, err);
}

static skep_rc open_field(struct skep_x_ctx *c, uint32_t field, skep_err *err)
{
    skep_assert(field < c->rs->n_fields);
    if (!c->fields[field]) {
        struct skep_colreader *r = NULL;
        SKEP_TRY(c->rs->ops->open_field(c->rs, field, &r, err));
        c->fields[field] = new_col(c, r);
    }
    return SKEP_OK;
}

skep_rc skep_x__field(struct skep_x_ctx *c, uint32_t field, const struct skep_vec **ret,
                      skep_err *err)
{
    SKEP_TRY(open_field(c, field, err));
    return read_col(c, c->fields[field], ret, err);
}

struct skep_colreader *skep_x__field_reader(struct skep_x_ctx *c, uint32_t field, skep_err *err)
{
    return open_field(c, field, err) == SKEP_OK ? c->fields[field]->reader : NULL;
}

skep_rc skep_x__ints(struct skep_x_ctx *c, enum skep_column col, int64_t *buf, const int64_t **ret,
                     skep_err *err)
{
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__column(c, col, &v, err));
    if (!v->none && v->form != SKEP_VEC_I64)
        return skep_fail(err, SKEP_ECORRUPT, "column %d is not made of integers", (int)col);
    if (!v->none && !v->constant) {
        *ret = v->i64;
        return SKEP_OK;
    }
    int64_t same = v->none ? 0 : v->i64[0];
    for (unsigned r = 0; r < c->n; r++)
        buf[r] = same;
    *ret = buf;
    return SKEP_OK;
}

/* Value of `name` in one list, or NULL type.  Entries are by (name, type). */
static skep_value list_value(const struct skep_rowset_lists *l, uint32_t list, skep_str name)
{
    uint32_t lo = l->first[list], hi = l->first[list + 1];
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (skep_str_cmp(l->entries[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < l->first[list + 1] && skep_str_eq(l->entries[lo].name, name))
        return l->entries[lo].value;
    return (skep_value){.type = SKEP_TYPE_NULL};
}

static void add_listed(struct skep_x_ctx *c, struct skep_x_bound *b, skep_str name,
                       const struct skep_rowset_lists *l, enum skep_column col)
{
    skep_value *values = NULL;
    uint32_t n_values = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        skep_value v = list_value(l, i, name);
        if (v.type == SKEP_TYPE_NULL)
            continue;
        if (!values)
            values = skep_new_n(&c->arena, skep_value, l->n);
        values[i] = v;
        n_values++;
    }
    if (values)
        b->sources[b->n++] = (struct skep_x_source){.kind = SKEP_X_LISTED,
                                                    .column = col,
                                                    .list = values,
                                                    .n_list = l->n,
                                                    .complete = n_values == l->n};
}

static void add_fields(struct skep_x_ctx *c, struct skep_x_bound *b, skep_str name,
                       enum skep_scope scope)
{
    for (int type = SKEP_TYPE_NULL + 1; type < SKEP_TYPE_COUNT; type++) {
        uint32_t f = skep_rowset_find_field(c->rs, name, (uint8_t)scope, (uint8_t)type);
        if (f != UINT32_MAX)
            b->sources[b->n++] = (struct skep_x_source){
                .kind = SKEP_X_FIELD, .type = (enum skep_type)type, .field = f};
    }
}

/* Every source of texts, for tests of "any string field". */
static const struct skep_x_bound *any_sources(struct skep_x_ctx *c)
{
    struct skep_x_bound *b = &c->any;
    if (b->bound)
        return b;
    b->bound = true;
    b->sources = skep_new_n(&c->arena, struct skep_x_source, c->rs->n_fields + 4);
    for (uint32_t f = 0; f < c->rs->n_fields; f++) {
        uint8_t type = c->rs->fields[f].type;
        if (type == SKEP_TYPE_STRING || type == SKEP_TYPE_ARRAY)
            b->sources[b->n++] = (struct skep_x_source){
                .kind = SKEP_X_FIELD, .type = (enum skep_type)type, .field = f};
    }
    b->sources[b->n++] = (struct skep_x_source){
        .kind = SKEP_X_VIEW, .column = SKEP_COL_NAME, .view = skep_view_find(SKEP_STR("name"))};
    b->sources[b->n++] = (struct skep_x_source){.kind = SKEP_X_VIEW,
                                                .column = SKEP_COL_DATASET,
                                                .view = skep_view_find(SKEP_STR("dataset"))};
    b->sources[b->n++] = (struct skep_x_source){
        .kind = SKEP_X_LIST_ANY, .column = SKEP_COL_SCOPE, .lists = &c->rs->scopes};
    b->sources[b->n++] = (struct skep_x_source){
        .kind = SKEP_X_LIST_ANY, .column = SKEP_COL_RESOURCE, .lists = &c->rs->resources};
    return b;
}

const struct skep_x_bound *skep_x__sources(struct skep_x_ctx *c, uint32_t name)
{
    if (name == SKEP_X_ANY_FIELD)
        return any_sources(c);
    skep_assert(name < c->q->n_names);
    struct skep_x_bound *b = &c->bound[name];
    if (b->bound)
        return b;
    b->bound = true;
    const struct skep_x_name *n = &c->q->names[name];
    b->sources = skep_new_n(&c->arena, struct skep_x_source, 2 * SKEP_TYPE_COUNT + 3);
    if (n->computed) {
        skep_x__computed_sources(b, name);
        return b;
    }
    if (skep_str_eq(n->name, SKEP_MESSAGE_FIELD)) {
        add_fields(c, b, SKEP_BODY_FIELD, SKEP_SCOPE_INTRINSIC);
        return b;
    }
    add_fields(c, b, n->name, SKEP_SCOPE_ATTRIBUTE);
    if (n->view) {
        b->sources[b->n++] = (struct skep_x_source){.kind = SKEP_X_VIEW,
                                                    .column = n->view->column,
                                                    .view = n->view,
                                                    .list = n->view_values,
                                                    .n_list = n->view->n_table};
    }
    add_fields(c, b, n->name, SKEP_SCOPE_INTRINSIC);
    add_listed(c, b, n->name, &c->rs->scopes, SKEP_COL_SCOPE);
    add_listed(c, b, n->name, &c->rs->resources, SKEP_COL_RESOURCE);
    return b;
}
