// SPDX-License-Identifier: Apache-2.0
/* Stack traces as text: the parts of a frame lie within it, and each frame can be written. */
#include "frames.h"

#include <stdlib.h>

static void within(waggle_str s, const uint8_t *data, size_t size)
{
    const char *from = (const char *)data;
    if (s.n > 0 && (s.p < from || s.p > from + size || s.n > (size_t)(from + size - s.p)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const waggle_str text = {(const char *)data, size};
    struct waggle__frame f;
    struct waggle__buf out;
    waggle__buf_init(&out, 2 * size + 4096);
    for (waggle_cursor c = {0}; waggle__frame_next(text, &c, &f);) {
        within(f.function, data, size);
        within(f.file, data, size);
        within(f.module, data, size);
        within(f.build_id, data, size);
        out.n = 0;
        waggle__frame_write(&out, 7, &f);
    }
    waggle__buf_done(&out);
    return 0;
}
