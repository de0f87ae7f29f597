// SPDX-License-Identifier: Apache-2.0
/* Talking to the embedded engine from a test: waiting appends, and all visible rows as text. */
#pragma once

#include "store/column/engine.h"
#include "support/rowdump.h"

struct client_result {
    skep_rc rc;
    struct skep_append_result res;
    char text[232];
};

/* Append and wait for the outcome. */
struct client_result client_append(struct skep_store *s, struct skep_batch *b);

/* A growing list of rows as text. */
struct rowlist {
    char **rows;
    size_t n, cap;
};
void rowlist_add(struct rowlist *l, char *row); /* takes it */
void rowlist_add_batch(struct rowlist *l, const struct skep_batch *b, uint64_t seq);
void rowlist_sort(struct rowlist *l);
void rowlist_done(struct rowlist *l);
/* Everything visible, sorted. */
struct rowlist client_rows(struct skep_store *s);
/* Both sorted; fails the test at the first difference. */
void rowlist_expect(const struct rowlist *got, const struct rowlist *want);

/* All values of the int attribute `name` in visible rows, sorted; *ret_n of them, skep_free. */
int64_t *client_tags(struct skep_store *s, const char *name, size_t *ret_n);

/* The store's ledger balances, minute by minute: stored = live + expired + deleted + superseded,
 * for things and for rows, received = stored + rejected; and its live rows are those of the stats.
 */
void client_ledger_expect(struct skep_store *s);
/* Sum of one count over all minutes. */
uint64_t client_ledger_total(struct skep_store *s, unsigned what);

/* A config over `os` with small limits and no background. */
struct skep_column_config client_config(const struct skep_os *os, const char *dir);
