// SPDX-License-Identifier: Apache-2.0
/* Relations of the reference query engine: all rows with a trace id in one list by (trace, start,
 * row id), relatives found by looking through the row's trace.  What a relation's condition says of
 * each row is remembered while one plan is checked. */
#include "support/refquery.h"

#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"

struct traced {
    skep_trace_id id;
    int64_t time_ns;
    unsigned batch;
    uint32_t row;
    size_t first, end; /* of its trace */
    size_t parent;     /* SIZE_MAX = none */
    bool span;
};

struct answers { /* of one condition: 0 not known, 1 no, 2 yes */
    const struct skep_expr *kid;
    uint8_t *of;
};

struct ref_traces {
    struct traced *rows;
    size_t n;
    size_t **at; /* [batch][row], SIZE_MAX = not among them */
    unsigned n_batches;
    struct answers *answers;
    size_t n_answers, cap_answers;
};

static int by_trace(const void *a, const void *b)
{
    const struct traced *x = a, *y = b;
    int c = memcmp(&x->id, &y->id, sizeof x->id);
    if (c != 0)
        return c;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->batch != y->batch)
        return x->batch < y->batch ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static size_t find_parent(const struct ref_data *d, const struct ref_traces *t, size_t i)
{
    const struct traced *x = &t->rows[i];
    uint64_t id = d->batches[x->batch]->parent_id[x->row];
    for (size_t k = x->first; id != 0 && k < x->end; k++) {
        const struct traced *y = &t->rows[k];
        if (y->span && d->batches[y->batch]->span_id[y->row] == id)
            return k == i ? SIZE_MAX : k;
    }
    return SIZE_MAX;
}

void ref_traces_make(struct ref_data *d)
{
    static const skep_trace_id none;
    struct ref_traces *t = d->traces = skep_alloc(struct ref_traces);
    size_t cap = 0;
    t->n_batches = d->n;
    t->at = skep_alloc_n(size_t *, d->n);
    for (unsigned b = 0; b < d->n; b++) {
        const struct skep_batch *x = d->batches[b];
        t->at[b] = skep_alloc_n(size_t, x->n_rows);
        for (uint32_t r = 0; r < x->n_rows; r++) {
            t->at[b][r] = SIZE_MAX;
            if (!ref_alive(d, b, r) || memcmp(&x->trace_id[r], &none, sizeof none) == 0)
                continue;
            SKEP_GROW(t->rows, t->n, cap);
            t->rows[t->n++] = (struct traced){.id = x->trace_id[r],
                                              .time_ns = x->time_ns[r],
                                              .batch = b,
                                              .row = r,
                                              .span = x->kind[r] == SKEP_KIND_SPAN};
        }
    }
    if (t->n > 0)
        qsort(t->rows, t->n, sizeof *t->rows, by_trace);
    for (size_t i = 0, first = 0; i < t->n; i++) {
        if (memcmp(&t->rows[first].id, &t->rows[i].id, sizeof none) != 0)
            first = i;
        t->rows[i].first = first;
        for (size_t k = first; k <= i; k++)
            t->rows[k].end = i + 1;
        t->at[t->rows[i].batch][t->rows[i].row] = i;
    }
    for (size_t i = 0; i < t->n; i++)
        t->rows[i].parent = find_parent(d, t, i);
}

void ref_traces_forget(const struct ref_data *d)
{
    for (size_t i = 0; d->traces && i < d->traces->n_answers; i++)
        skep_free(d->traces->answers[i].of);
    if (d->traces)
        d->traces->n_answers = 0;
}

void ref_traces_done(struct ref_data *d)
{
    ref_traces_forget(d);
    for (unsigned b = 0; b < d->traces->n_batches; b++)
        skep_free(d->traces->at[b]);
    skep_free(d->traces->at);
    skep_free(d->traces->rows);
    skep_free(d->traces->answers);
    skep_free(d->traces);
    d->traces = NULL;
}

static bool passes(const struct ref_data *d, size_t i, const struct skep_expr *kid)
{
    struct ref_traces *t = d->traces;
    struct answers *a = NULL;
    if (!t->rows[i].span)
        return false;
    if (!kid)
        return true;
    for (size_t k = 0; k < t->n_answers && !a; k++)
        if (t->answers[k].kid == kid)
            a = &t->answers[k];
    if (!a) {
        SKEP_GROW(t->answers, t->n_answers, t->cap_answers);
        a = &t->answers[t->n_answers++];
        *a = (struct answers){kid, skep_alloc_n(uint8_t, t->n)};
    }
    uint8_t *of = a->of; /* the list may move meanwhile */
    if (of[i] == 0)
        of[i] = 1 + ref_passes(d, t->rows[i].batch, t->rows[i].row, kid);
    return of[i] == 2;
}

/* Is k above i?  A walk ends where it began or after as many steps as there are rows. */
static bool is_above(const struct ref_traces *t, size_t i, size_t k)
{
    size_t at = t->rows[i].parent;
    for (size_t steps = 0; at != SIZE_MAX && at != i && steps <= t->n; steps++) {
        if (at == k)
            return true;
        at = t->rows[at].parent;
    }
    return false;
}

static size_t root_of(const struct ref_data *d, const struct ref_traces *t, size_t i)
{
    for (size_t k = t->rows[i].first; k < t->rows[i].end; k++)
        if (t->rows[k].span && d->batches[t->rows[k].batch]->parent_id[t->rows[k].row] == 0)
            return k;
    return SIZE_MAX;
}

static bool is_relative(const struct ref_data *d, size_t i, enum skep_relation how, size_t k)
{
    const struct ref_traces *t = d->traces;
    switch (how) {
    case SKEP_REL_ROOT: return root_of(d, t, i) == k;
    case SKEP_REL_PARENT: return t->rows[i].parent == k;
    case SKEP_REL_CHILD: return t->rows[k].parent == i;
    case SKEP_REL_ANY: return true;
    case SKEP_REL_ANCESTOR: return is_above(t, i, k);
    case SKEP_REL_DESCENDANT: return is_above(t, k, i);
    case SKEP_REL_SIBLING:
        return k != i && t->rows[i].parent != SIZE_MAX && t->rows[i].parent == t->rows[k].parent;
    case SKEP_REL_SELF:
    case SKEP_REL_COUNT:
    default: fail_msg("no relation to others"); return false;
    }
}

bool ref_relative(const struct ref_data *d, unsigned batch, uint32_t row, enum skep_relation how,
                  const struct skep_expr *kid, unsigned *ret_batch, uint32_t *ret_row)
{
    assert_non_null(d->traces);
    size_t i = d->traces->at[batch][row];
    if (i == SIZE_MAX)
        return false;
    const struct traced *x = &d->traces->rows[i];
    for (size_t k = x->first, end = x->end; k < end; k++) {
        if (!passes(d, k, kid) || !is_relative(d, i, how, k))
            continue;
        *ret_batch = d->traces->rows[k].batch;
        *ret_row = d->traces->rows[k].row;
        return true;
    }
    return false;
}

int64_t ref_lasts(const struct ref_data *d, unsigned batch, uint32_t row)
{
    const struct ref_traces *t = d->traces;
    size_t i = t->at[batch][row];
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t k = i == SIZE_MAX ? 0 : t->rows[i].first; i != SIZE_MAX && k < t->rows[i].end;
         k++) {
        int64_t duration = d->batches[t->rows[k].batch]->duration_ns[t->rows[k].row];
        if (!t->rows[k].span)
            continue;
        first = SKEP_MIN(first, t->rows[k].time_ns);
        last = SKEP_MAX(last, t->rows[k].time_ns + SKEP_MAX(duration, (int64_t)0));
    }
    return first > last ? -1 : last - first;
}
