// SPDX-License-Identifier: Apache-2.0
/* Rows by their stable ids: the frame that records a delete, and finding such rows wherever they
 * lie.  Internal to store/column; format: docs/formats/kill.md. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "store/column/live.h"

/* Rows in one frame; a larger delete takes several. */
enum { SKEP_KILL_ROWS_MAX = 1 << 18 };

struct skep_row_key {
    uint64_t seq;
    uint32_t ordinal;
};

/* Growing list of keys. */
struct skep_row_keys {
    struct skep_row_key *keys;
    size_t n, cap;
};
void skep_row_keys_done(struct skep_row_keys *k);
/* By (seq, ordinal). */
void skep_row_keys_sort(struct skep_row_keys *k);

/* Is the payload of a log frame a delete, not rows? */
bool skep_kill_is(skep_bytes payload);
/* Keys sorted, all different, at least one. */
void skep_kill_encode(const struct skep_row_keys *keys, enum skep_death why, skep_ts_ns received_ns,
                      struct skep_buf *out);
/* Returns SKEP_OK | ECORRUPT (with the byte) | EUNSUPPORTED.  *ret must be empty; sorted after. */
SKEP_NODISCARD skep_rc skep_kill_decode(skep_bytes payload, struct skep_row_keys *ret,
                                        enum skep_death *ret_why, skep_err *err);

/* Append the keys of the mask's rows of group `group`.  Returns SKEP_OK | ECORRUPT | EIO. */
SKEP_NODISCARD skep_rc skep_row_keys_of(struct skep_rowset *rs, const struct skep_mask *mask,
                                        uint64_t group, struct skep_row_keys *ret, skep_err *err);
/* Add the rows of rs whose keys are among `keys` (sorted) to the mask. */
SKEP_NODISCARD skep_rc skep_row_keys_find(struct skep_rowset *rs, const struct skep_row_keys *keys,
                                          struct skep_mask *mask, skep_err *err);
