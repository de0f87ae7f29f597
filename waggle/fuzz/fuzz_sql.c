// SPDX-License-Identifier: Apache-2.0
/* SQL of any bytes: what is told is never longer and stays the same when it is
 * read once more; the summary fits. */
#include <stdlib.h>
#include <string.h>

#include "waggle/db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *out = malloc(2 * size + 64);
    char *again = out != NULL ? out + size + 32 : NULL;
    char small[40];
    if (out == NULL)
        return 0;
    size_t n = waggle_sql_sanitize((const char *)data, size, out, size + 1);
    if (n > size || out[n] != '\0')
        abort();
    if (waggle_sql_sanitize(out, n, again, size + 1) != n || memcmp(out, again, n) != 0)
        abort();
    n = waggle_sql_sanitize((const char *)data, size, small, sizeof small);
    if (n >= sizeof small || small[n] != '\0')
        abort();
    n = waggle_sql_summary((const char *)data, size, small, sizeof small);
    if (n >= sizeof small || small[n] != '\0')
        abort();
    free(out);
    return 0;
}
