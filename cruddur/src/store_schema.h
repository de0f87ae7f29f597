// SPDX-License-Identifier: Apache-2.0
/* store_schema.h - the tables and what stands in them at first */
#pragma once

#include <stdbool.h>

#include "store.h"

/* Made where they are not there yet. Times are microseconds since 1970 UTC. */
extern const char store_schema[];

/* Posts, a reply and messages to begin with. False, and *ret_why, if they cannot be kept. */
bool store_seed(struct store *store, char ret_why[STORE_WHY_BYTES]);
