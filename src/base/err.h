// SPDX-License-Identifier: Apache-2.0
/* Result codes and error records.
 *
 * Leaf functions return a skep_rc alone; boundary functions also take a last parameter
 * `skep_err *err` (may be NULL) that receives code, place and text.  skep_fail() is the only way to
 * make an error. */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum skep_rc {
#define X(name, text, http, grpc, client, retry) SKEP_##name,
#include "base/rc.def"
#undef X
    SKEP_RC_COUNT
} skep_rc;

typedef struct skep_err {
    skep_rc rc;
    int line;
    const char *file; /* static string */
    char text[232];   /* NUL-terminated, for developers; never empty after a failure */
} skep_err;

/* What a code means to the protocols.  Static storage. */
struct skep_rc_info {
    const char *name; /* "EMALFORMED" */
    const char *text;
    int http;
    int grpc;
    bool client_fault;
    bool retry;
};

/* Facts about `rc`; any value outside the enum reads as EINTERNAL.  Threads: any. */
const struct skep_rc_info *skep_rc_info(skep_rc rc);

/* Fill `err` (nullable) and return `rc`.  rc != SKEP_OK.  Use through skep_fail(). */
/* tidy: allow nodiscard: some callers only want err filled */
skep_rc skep_fail_at(skep_err *err, skep_rc rc, const char *file, int line, const char *fmt,
                     ...) SKEP_COLD SKEP_PRINTF(5, 6);

#define skep_fail(err, rc, ...) skep_fail_at((err), (rc), __FILE__, __LINE__, __VA_ARGS__)

/* The only macro that hides a return. */
#define SKEP_TRY(expr)                                                                             \
    do {                                                                                           \
        skep_rc skep_try_rc_ = (expr);                                                             \
        if (SKEP_UNLIKELY(skep_try_rc_ != SKEP_OK))                                                \
            return skep_try_rc_;                                                                   \
    } while (0)
