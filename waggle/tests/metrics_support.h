// SPDX-License-Identifier: Apache-2.0
/*
 * metrics_support.h - what a reader collected, and looking into it
 */
#ifndef WAGGLE_TEST_METRICS_SUPPORT_H
#define WAGGLE_TEST_METRICS_SUPPORT_H

#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

enum { METRICS_MAX = 64 };

/* One collection: copies of its metrics. */
struct collected {
    size_t n, n_points;
    waggle_record records[METRICS_MAX];
    waggle_metric_data metrics[METRICS_MAX];
    char scopes[METRICS_MAX][32];
};

static inline void keep_batch(void *self, const waggle_batch *batch)
{
    struct collected *c = self;
    assert_int_equal(batch->signal, WAGGLE_SIGNAL_METRICS);
    for (size_t i = 0; i < batch->n_records; i++) {
        const waggle_scope_info *scope = batch->scopes[batch->records[i].scope];
        if (str_is(scope->name, "waggle"))
            continue; // its own
        assert_true(c->n < METRICS_MAX);
        uint8_t *copy = malloc(batch->records[i].n);
        memcpy(copy, batch->records[i].p, batch->records[i].n);
        c->records[c->n] = (waggle_record){copy, batch->records[i].n, 0};
        assert_true(waggle_record_metric(&c->records[c->n], &c->metrics[c->n]));
        snprintf(c->scopes[c->n], sizeof c->scopes[0], "%.*s", (int)scope->name.n, scope->name.p);
        waggle_point_data p;
        for (waggle_cursor at = {0}; waggle_metric_data_point(&c->metrics[c->n], &at, &p);)
            c->n_points++;
        c->n++;
    }
}

static inline void forget(struct collected *c)
{
    for (size_t i = 0; i < c->n; i++)
        free((void *)(uintptr_t)c->records[i].p);
    *c = (struct collected){0};
}

static inline void collect(struct waggle_reader *reader, struct collected *c)
{
    forget(c);
    assert_true(waggle_reader_collect(reader, keep_batch, c));
}

/* The only metric of that name; NULL if there is none. */
static inline const waggle_metric_data *metric_of(const struct collected *c, const char *name)
{
    const waggle_metric_data *found = NULL;
    for (size_t i = 0; i < c->n; i++) {
        if (!str_is(c->metrics[i].name, name))
            continue;
        assert_null(found);
        found = &c->metrics[i];
    }
    return found;
}

static inline size_t points_of(const struct collected *c, const char *name)
{
    const waggle_metric_data *m = metric_of(c, name);
    waggle_point_data p;
    size_t n = 0;
    for (waggle_cursor at = {0}; m != NULL && waggle_metric_data_point(m, &at, &p);)
        n++;
    return n;
}

static inline bool has_text(const waggle_point_data *p, const char *key, const char *value)
{
    waggle_attr_data a;
    for (waggle_cursor at = {0}; waggle_point_data_attr(p, &at, &a);)
        if (str_is(a.key, key))
            return value == NULL || str_is(a.value.str, value);
    return false;
}

/* The point with key=value (key NULL: the only one). Fails the test if it is not there. */
static inline waggle_point_data point_of(const struct collected *c, const char *name,
                                         const char *key, const char *value)
{
    const waggle_metric_data *m = metric_of(c, name);
    waggle_point_data p;
    waggle_point_data found = {0};
    size_t n = 0;
    assert_non_null(m);
    for (waggle_cursor at = {0}; waggle_metric_data_point(m, &at, &p);) {
        if (key != NULL && !has_text(&p, key, value))
            continue;
        found = p;
        n++;
    }
    assert_int_equal(n, 1);
    return found;
}

#endif
