// SPDX-License-Identifier: Apache-2.0
/* Source maps and debug files, and stacks read with them.
 *
 * What was uploaded lies in the state's database (state/artifacts.h), by environment; what is in
 * use, decoded, in a cache of bounded size. */
#pragma once

#include "os/os.h"
#include "stack/stack.h"
#include "state/artifacts.h"

struct skep_symbols;

struct skep_symbols_config {
    const struct skep_os *os;
    struct skep_state *state;
    struct skep_budget *memory; /* parent of the cache's budget; NULL = none */
    /* The program that makes a table of a debug file on its standard input: a path and arguments,
     * NULL behind the last; NULL = debug files are refused, tables are taken.  Borrowed. */
    const char *const *reader;
};

enum { SKEP_SYMBOLS_MAP_BYTES_MAX = 32 << 20, SKEP_SYMBOLS_VERSION_MAX = 255 };

/* Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_symbols_new(const struct skep_symbols_config *cfg,
                                        struct skep_symbols **ret, skep_err *err);
void skep_symbols_free(struct skep_symbols *s); /* NULL is fine */

/* Is there anything of this environment?  Never waits.  Threads: any. */
bool skep_symbols_any(struct skep_symbols *s, skep_str environment);

/* Does apply have something for any of the frames?  Never waits.  Threads: any. */
bool skep_symbols_wanted(struct skep_symbols *s, skep_str environment, skep_str version,
                         const struct skep_stack *stack);

/* Fill in what frames did not say themselves: files, functions, lines and code of the originals
 * of bundles, of compiled code also frames of inlined functions.  What was there stands in
 * frame.sent.  Frames that nothing is known of stay.
 *
 * version  of the program; which of several maps of a bundle is meant
 * arena    texts and arrays
 * Threads  any that may wait for the disk */
void skep_symbols_apply(struct skep_symbols *s, skep_str environment, skep_str version,
                        struct skep_stack *stack, struct skep_arena *arena);

/* A bundle's address as maps are found by: without scheme, query and fragment. */
skep_str skep_symbols_address(skep_str url);

/* Keep a source map.  Returns SKEP_OK | SKEP_EINVAL (no version or address) | SKEP_EMALFORMED |
 * SKEP_ETOOLARGE | SKEP_ELIMIT | SKEP_ENOMEM | SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_symbols_put_map(struct skep_symbols *s,
                                            const struct skep_artifact *what, skep_str json,
                                            int64_t *ret_id, skep_err *err);
/* Keep what a debug file says, or a table of one (table.h).  what->name is not read: ret_build_id,
 * in the arena, is what the file says.  Returns as put_map, and SKEP_ETIMEOUT. */
SKEP_NODISCARD skep_rc skep_symbols_put_native(struct skep_symbols *s,
                                               const struct skep_artifact *what, skep_bytes file,
                                               struct skep_arena *arena, skep_str *ret_build_id,
                                               int64_t *ret_id, skep_err *err);
/* Forget one.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_symbols_drop(struct skep_symbols *s, skep_str environment, int64_t id,
                                         skep_err *err);
