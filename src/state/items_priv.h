// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of items. */
#pragma once

#include <sqlite3.h>

#include "base/buf.h"
#include "state/items.h"

/* A row of SKEP_STATE__ITEM_COLUMNS. */
struct skep_item skep_state__item_read(struct skep_arena *a, sqlite3_stmt *st);
/* The statement's one row; SKEP_ENOTFOUND.  Lock held, also below. */
skep_rc skep_state__item_one(struct skep_state *s, sqlite3_stmt *st, struct skep_arena *arena,
                             struct skep_item *ret, skep_err *err);
skep_rc skep_state__item_by_id(struct skep_state *s, int64_t id, struct skep_arena *arena,
                               struct skep_item *ret, skep_err *err);
/* What an item is found by; kept on disk. */
int64_t skep_state__item_key(skep_str environment, skep_str stage, skep_str fingerprint);
/* A line of its history. */
skep_rc skep_state__item_line(struct skep_state *s, int64_t item, skep_ts_ns at_ns, skep_str actor,
                              skep_str what, skep_str before, skep_str after, skep_err *err);
/* A look's twins, and from where on they are remembered; in a transaction. */
skep_rc skep_state__twins_put(struct skep_state *s, const struct skep_items_look *look,
                              skep_err *err);
/* --- items_words.c: a question's words and terms as has_words and item_terms take them --- */
skep_str skep_state__items_folded(skep_str s, struct skep_buf *out);
skep_str skep_state__items_terms(const struct skep_item_query *q, struct skep_buf *out);
/* Functions of SQL that items and their migration use; false: no memory. */
bool skep_state__items_open(sqlite3 *db);
