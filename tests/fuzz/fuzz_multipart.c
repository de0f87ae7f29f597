// SPDX-License-Identifier: Apache-2.0
/* A form with files: a line of type, then any bytes.
 *
 * Holds: slices lie in the body, in order; it ends. */
#include "base/assert.h"
#include "wire/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    skep_str body = {(const char *)data, size}, type = skep_str_cut(&body, '\n');
    struct skep_multipart m;
    struct skep_part p;
    if (body.p == NULL || !skep_multipart_begin(type, body, &m))
        return 0;
    const char *last = body.p;
    while (skep_multipart_next(&m, &p)) {
        skep_assert(p.body.p >= last && p.body.p + p.body.n <= body.p + body.n);
        skep_assert(p.name.n == 0 || p.name.p >= last);
        last = p.body.p + p.body.n;
    }
    return 0;
}
