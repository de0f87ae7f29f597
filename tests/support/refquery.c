// SPDX-License-Identifier: Apache-2.0
/* The reference query engine of the tests (refquery.h): a row's values, and which rows pass.
 *
 * Everything is done the plainest way: a row's fields are searched one by one, JSON arrays are read
 * with yyjson, int64 and double are compared as long double.  Aggregates: refagg.c. */
#include "support/refquery_priv.h"

#include <cmocka.h>
#include <math.h>
#include <regex.h>
#include <yyjson.h>

#include "event/view.h"

_Static_assert(LDBL_MANT_DIG >= 64, "the reference compares int64 and double as long double");

static skep_value payload(const struct skep_batch *b, uint8_t type, uint64_t val)
{
    skep_value v = {.type = type};
    switch (type) {
    case SKEP_TYPE_INT: v.i = (int64_t)val; break;
    case SKEP_TYPE_DOUBLE: memcpy(&v.f, &val, 8); break;
    case SKEP_TYPE_BOOL: v.b = val != 0; break;
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: v.s = skep_batch_str(b, (uint32_t)val); break;
    default: break;
    }
    return v;
}

skep_value ref_own_field(const struct skep_batch *b, uint32_t row, skep_str name, uint8_t scope)
{
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *x = &b->fields[f];
        if (x->scope != scope || !skep_str_eq(skep_batch_str(b, x->name), name))
            continue;
        for (uint32_t i = 0; i < x->n; i++)
            if (x->rows[i] == row)
                return payload(b, x->type, x->vals[i]);
    }
    return (skep_value){0};
}

static skep_value listed(const struct skep_batch *b, const struct skep_batch_lists *l,
                         uint32_t list, skep_str name)
{
    for (uint32_t e = l->first[list]; e < l->first[list + 1]; e++)
        if (skep_str_eq(skep_batch_str(b, l->entries[e].name), name))
            return payload(b, (uint8_t)l->entries[e].type, l->entries[e].val);
    return (skep_value){0};
}

static int64_t column(const struct skep_batch *b, uint64_t seq, uint32_t row, enum skep_column c)
{
    switch (c) {
    case SKEP_COL_TIME: return b->time_ns[row];
    case SKEP_COL_DURATION: return b->duration_ns[row];
    case SKEP_COL_KIND: return b->kind[row];
    case SKEP_COL_SPAN_ID: return (int64_t)b->span_id[row];
    case SKEP_COL_PARENT_ID: return (int64_t)b->parent_id[row];
    case SKEP_COL_STATUS: return b->status[row];
    case SKEP_COL_SPAN_KIND: return b->span_kind[row];
    case SKEP_COL_SEVERITY: return b->severity[row];
    case SKEP_COL_FLAGS: return b->flags[row];
    case SKEP_COL_SAMPLE_RATE: return b->sample_rate[row];
    case SKEP_COL_RECEIVED: return b->received_ns;
    case SKEP_COL_SEQ: return (int64_t)seq;
    case SKEP_COL_ORDINAL: return row;
    case SKEP_COL_SOURCE: return b->source[row];
    default: return 0;
    }
}

static skep_value text(char *buf, int n)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = {buf, (size_t)n}};
}

static skep_value viewed(const struct skep_batch *b, uint64_t seq, uint32_t row,
                         const struct skep_view *v, char *buf)
{
    skep_value none = {0}, s;
    if (!(v->kinds >> b->kind[row] & 1))
        return none;
    int64_t c = column(b, seq, row, v->column);
    switch (v->how) {
    case SKEP_VIEW_HEX16: {
        const uint8_t *id = b->trace_id[row].b;
        int n = 0, from = 8;
        uint8_t any = 0;
        for (int i = 0; i < 16; i++) {
            any |= id[i];
            from = i < 8 && id[i] ? 0 : from;
        }
        for (int i = from; i < 16; i++)
            n += snprintf(buf + n, 3, "%02x", id[i]);
        return any ? text(buf, n) : none;
    }
    case SKEP_VIEW_HEX8: {
        int n = 0;
        for (int i = 0; i < 8; i++)
            n += snprintf(buf + n, 3, "%02x", (unsigned)((uint64_t)c >> (8 * i) & 255));
        return c ? text(buf, n) : none;
    }
    case SKEP_VIEW_STRING:
        s = (skep_value){
            .type = SKEP_TYPE_STRING,
            .s = skep_batch_str(b, v->column == SKEP_COL_NAME ? b->name[row] : b->dataset[row])};
        return s.s.n ? s : none;
    case SKEP_VIEW_INT: return (skep_value){.type = SKEP_TYPE_INT, .i = c};
    case SKEP_VIEW_MS:
        return c < 0 ? none : (skep_value){.type = SKEP_TYPE_DOUBLE, .f = (double)c / 1e6};
    case SKEP_VIEW_ENUM:
        if (c < 0 || c >= v->n_table || v->table[c].n == 0)
            return none;
        return (skep_value){.type = SKEP_TYPE_STRING, .s = v->table[c]};
    case SKEP_VIEW_BOOL_EQ:
        return c == v->arg ? (skep_value){.type = SKEP_TYPE_BOOL, .b = true} : none;
    case SKEP_VIEW_IS_ROOT: return (skep_value){.type = SKEP_TYPE_BOOL, .b = c == 0};
    case SKEP_VIEW_ROW_ID:
        return text(buf, snprintf(buf, 64, "%llu-%u", (unsigned long long)seq, row));
    default: return none;
    }
}

skep_value ref_value(const struct skep_batch *b, uint64_t seq, uint32_t row, skep_str name,
                     char *buf)
{
    if (skep_str_eq(name, SKEP_MESSAGE_FIELD))
        return ref_own_field(b, row, SKEP_STR("body"), SKEP_SCOPE_INTRINSIC);
    skep_value v = ref_own_field(b, row, name, SKEP_SCOPE_ATTRIBUTE);
    const struct skep_view *view = skep_view_find(name);
    if (v.type == SKEP_TYPE_NULL && view)
        v = viewed(b, seq, row, view, buf);
    if (v.type == SKEP_TYPE_NULL)
        v = ref_own_field(b, row, name, SKEP_SCOPE_INTRINSIC);
    if (v.type == SKEP_TYPE_NULL)
        v = listed(b, &b->scopes, b->scope[row], name);
    if (v.type == SKEP_TYPE_NULL)
        v = listed(b, &b->resources, b->resource[row], name);
    return v;
}

bool ref_is_number(const skep_value *v)
{
    return v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE;
}

long double ref_wide(const skep_value *v)
{
    return v->type == SKEP_TYPE_INT ? (long double)v->i : (long double)v->f;
}

bool ref_same(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SKEP_TYPE_INT: return a->i == b->i;
    case SKEP_TYPE_DOUBLE: return a->f == b->f || (isnan(a->f) && isnan(b->f));
    case SKEP_TYPE_BOOL: return a->b == b->b;
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return skep_str_eq(a->s, b->s);
    default: return true;
    }
}

int ref_number_cmp(const skep_value *a, const skep_value *b)
{
    return ref_wide(a) < ref_wide(b) ? -1 : ref_wide(a) > ref_wide(b);
}

/* By the C library's own expressions. */
static bool posix_match(bool ignore_case, skep_str pattern, skep_str s)
{
    regex_t re;
    char text[256], subject[256];
    assert_true(pattern.n < sizeof text && s.n < sizeof subject);
    memcpy(text, pattern.p, pattern.n);
    text[pattern.n] = '\0';
    memcpy(subject, s.p ? s.p : "", s.n);
    subject[s.n] = '\0';
    assert_int_equal(regcomp(&re, text, REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0)),
                     0);
    int rc = regexec(&re, subject, 0, NULL, 0);
    regfree(&re);
    return rc == 0;
}

static bool scalar(enum skep_cmp op, bool ignore_case, const skep_value *v, const skep_value *x)
{
    int c;
    if (op == SKEP_CMP_MATCHES)
        return v->type == SKEP_TYPE_STRING && posix_match(ignore_case, x->s, v->s);
    if (ref_is_number(v) && ref_is_number(x)) {
        if (isnan(ref_wide(v)) || isnan(ref_wide(x)))
            return false;
        c = ref_number_cmp(v, x);
    } else if (v->type != x->type) {
        return false;
    } else if (v->type == SKEP_TYPE_STRING) {
        char a[256], b[256];
        size_t na = v->s.n, nb = x->s.n;
        for (size_t i = 0; i < na; i++)
            a[i] = ignore_case ? ref_fold(v->s.p[i]) : v->s.p[i];
        for (size_t i = 0; i < nb; i++)
            b[i] = ignore_case ? ref_fold(x->s.p[i]) : x->s.p[i];
        if (op == SKEP_CMP_STARTS)
            return na >= nb && memcmp(a, b, nb) == 0;
        if (op == SKEP_CMP_ENDS)
            return na >= nb && memcmp(a + na - nb, b, nb) == 0;
        if (op == SKEP_CMP_CONTAINS)
            return nb == 0 || memmem(a, na, b, nb) != NULL;
        c = memcmp(a, b, na < nb ? na : nb);
        c = c < 0 ? -1 : c > 0 ? 1 : na < nb ? -1 : na > nb;
    } else if (v->type == SKEP_TYPE_BOOL) {
        return op == SKEP_CMP_EQ && v->b == x->b;
    } else if (v->type == SKEP_TYPE_EMPTY) {
        return op == SKEP_CMP_EQ;
    } else {
        return op == SKEP_CMP_EQ && skep_str_eq(v->s, x->s);
    }
    switch (op) {
    case SKEP_CMP_EQ: return c == 0;
    case SKEP_CMP_LT: return c < 0;
    case SKEP_CMP_LE: return c <= 0;
    case SKEP_CMP_GT: return c > 0;
    case SKEP_CMP_GE: return c >= 0;
    default: return false;
    }
}

static bool in_array(enum skep_cmp op, const struct skep_test *t, skep_str json)
{
    if (op == SKEP_CMP_LT || op == SKEP_CMP_LE || op == SKEP_CMP_GT || op == SKEP_CMP_GE)
        return false;
    yyjson_doc *doc = yyjson_read(json.p, json.n, 0);
    assert_non_null(doc);
    bool yes = false;
    size_t i, n;
    yyjson_val *e;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, e)
    {
        skep_value v = {0};
        if (yyjson_is_str(e))
            v = (skep_value){.type = SKEP_TYPE_STRING, .s = {yyjson_get_str(e), yyjson_get_len(e)}};
        else if (yyjson_is_int(e))
            v = (skep_value){.type = SKEP_TYPE_INT, .i = yyjson_get_sint(e)};
        else if (yyjson_is_real(e))
            v = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = yyjson_get_real(e)};
        else if (yyjson_is_bool(e))
            v = (skep_value){.type = SKEP_TYPE_BOOL, .b = yyjson_get_bool(e)};
        for (unsigned k = 0; k < t->n_values && v.type; k++)
            yes = yes || scalar(op, t->fold_case, &v, &t->values[k]);
    }
    yyjson_doc_free(doc);
    return yes;
}

static enum skep_cmp without_not(enum skep_cmp op, bool *ret_not)
{
    static const enum skep_cmp twins[][2] = {{SKEP_CMP_NE, SKEP_CMP_EQ},
                                             {SKEP_CMP_NOT_STARTS, SKEP_CMP_STARTS},
                                             {SKEP_CMP_NOT_ENDS, SKEP_CMP_ENDS},
                                             {SKEP_CMP_NOT_CONTAINS, SKEP_CMP_CONTAINS},
                                             {SKEP_CMP_NOT_EXISTS, SKEP_CMP_EXISTS},
                                             {SKEP_CMP_NOT_MATCHES, SKEP_CMP_MATCHES}};
    *ret_not = false;
    for (int i = 0; i < 6; i++)
        if (twins[i][0] == op) {
            *ret_not = true;
            return twins[i][1];
        }
    return op;
}

static bool value_passes(enum skep_cmp op, const struct skep_test *t, const skep_value *v)
{
    if (v->type == SKEP_TYPE_NULL)
        return false;
    if (op == SKEP_CMP_EXISTS)
        return true;
    for (unsigned i = 0; i < t->n_values; i++)
        if (scalar(op, t->fold_case, v, &t->values[i]))
            return true;
    return v->type == SKEP_TYPE_ARRAY && in_array(op, t, v->s);
}

static bool texts_pass(enum skep_cmp op, const struct skep_test *t, skep_value v)
{
    return (v.type == SKEP_TYPE_STRING || v.type == SKEP_TYPE_ARRAY) && value_passes(op, t, &v);
}

static bool any_passes(const struct skep_batch *b, uint32_t row, enum skep_cmp op,
                       const struct skep_test *t)
{
    char buf[64];
    for (uint32_t f = 0; f < b->n_fields; f++)
        for (uint32_t i = 0; i < b->fields[f].n; i++)
            if (b->fields[f].rows[i] == row &&
                texts_pass(op, t, payload(b, b->fields[f].type, b->fields[f].vals[i])))
                return true;
    const struct skep_batch_lists *l = &b->resources;
    uint32_t k = b->resource[row];
    for (int lists = 0; lists < 2; lists++, l = &b->scopes, k = b->scope[row])
        for (uint32_t e = l->first[k]; e < l->first[k + 1]; e++)
            if (texts_pass(op, t, payload(b, (uint8_t)l->entries[e].type, l->entries[e].val)))
                return true;
    return texts_pass(op, t, viewed(b, 0, row, skep_view_find(SKEP_STR("name")), buf)) ||
           texts_pass(op, t, viewed(b, 0, row, skep_view_find(SKEP_STR("dataset")), buf));
}

skep_value ref_field(const struct ref_data *d, unsigned *batch, uint32_t *row,
                     const struct skep_field_ref *f, char *buf)
{
    if (f->relation != SKEP_REL_SELF &&
        !ref_relative(d, *batch, *row, f->relation, f->on, batch, row))
        return (skep_value){0};
    return ref_value(d->batches[*batch], *batch + 1, *row, f->name, buf);
}

static bool same_as_relative(const struct ref_data *d, unsigned batch, uint32_t row,
                             const struct skep_field_ref *f)
{
    char bufs[2][64];
    unsigned other;
    uint32_t other_row;
    if (!ref_relative(d, batch, row, f->relation, NULL, &other, &other_row))
        return false;
    skep_value own = ref_value(d->batches[batch], batch + 1, row, f->name, bufs[0]);
    skep_value its = ref_value(d->batches[other], other + 1, other_row, f->name, bufs[1]);
    return ref_same(&own, &its);
}

static bool test_passes(const struct ref_data *d, unsigned batch, uint32_t row,
                        const struct skep_test *t)
{
    char buf[64];
    bool negate;
    enum skep_cmp op = without_not(t->op, &negate);
    if (skep_str_eq(t->field.name, SKEP_STR("*"))) {
        bool there = t->field.relation == SKEP_REL_SELF ||
                     ref_relative(d, batch, row, t->field.relation, NULL, &batch, &row);
        return (there && any_passes(d->batches[batch], row, op, t)) != negate;
    }
    skep_value v = ref_field(d, &batch, &row, &t->field, buf);
    return value_passes(op, t, &v) != negate;
}

bool ref_passes(const struct ref_data *d, unsigned batch, uint32_t row, const struct skep_expr *e)
{
    unsigned other_batch;
    uint32_t other_row;
    switch (e ? e->op : SKEP_EXPR_TRUE) {
    case SKEP_EXPR_AND:
        for (unsigned i = 0; i < e->n_kids; i++)
            if (!ref_passes(d, batch, row, e->kids[i]))
                return false;
        return true;
    case SKEP_EXPR_OR:
        for (unsigned i = 0; i < e->n_kids; i++)
            if (ref_passes(d, batch, row, e->kids[i]))
                return true;
        return false;
    case SKEP_EXPR_NOT: return !ref_passes(d, batch, row, e->kids[0]);
    case SKEP_EXPR_TEST: return test_passes(d, batch, row, &e->test);
    case SKEP_EXPR_RELATED:
        return ref_relative(d, batch, row, e->relation, e->kids[0], &other_batch, &other_row);
    case SKEP_EXPR_LASTS: {
        int64_t ns = ref_lasts(d, batch, row);
        skep_value ms = {.type = SKEP_TYPE_DOUBLE, .f = (double)ns / 1e6};
        return ns >= 0 && value_passes(e->test.op, &e->test, &ms);
    }
    case SKEP_EXPR_SAME: return same_as_relative(d, batch, row, &e->same);
    case SKEP_EXPR_TRUE:
    default: return true;
    }
}
