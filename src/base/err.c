// SPDX-License-Identifier: Apache-2.0
/* Error records: one table of codes (rc.def) and the one function that makes an error.
 *
 * I1  skep_fail_at() never returns SKEP_OK.
 * I2  err->text is NUL-terminated and cut, never overrun.
 * Threads: any; touches only its arguments. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

static const struct skep_rc_info infos[] = {
#define X(name, text, http, grpc, client, retry) {#name, text, http, grpc, client, retry},
#include "base/rc.def"
#undef X
};

const struct skep_rc_info *skep_rc_info(skep_rc rc)
{
    if ((unsigned)rc >= SKEP_RC_COUNT)
        rc = SKEP_EINTERNAL;
    return &infos[rc];
}

skep_rc skep_fail_at(skep_err *err, skep_rc rc, const char *file, int line, const char *fmt, ...)
{
    skep_assert(rc != SKEP_OK);
    if (err) {
        va_list ap;
        err->rc = rc;
        err->file = file;
        err->line = line;
        va_start(ap, fmt);
        (void)vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
    }
    return rc;
}
