// SPDX-License-Identifier: Apache-2.0
/* The engine through its interface, where all must go well: what the tests of its life, its limits
 * and its damage share. */
#pragma once

#include "support/fault_os.h"
#include "support/store_client.h"

#define DIR "/data"
#define NOW (skep_os_real()->now_ns(skep_os_real()))

struct skep_store *open_store(const struct skep_column_config *cfg);
struct skep_store_stats stats_of(struct skep_store *s);
void flush(struct skep_store *s);

/* All visible rows are those; sorts them. */
void expect_rows(struct skep_store *s, struct rowlist *want);

/* Appends n random rows, readable at once, and adds them to the list. */
void append_ok(struct skep_store *s, struct rnd *r, struct rowlist *want, uint32_t n);
