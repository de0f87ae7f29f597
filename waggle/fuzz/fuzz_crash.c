// SPDX-License-Identifier: Apache-2.0
/* Spool files of crashes: whatever the bytes are, a record's parts lie within them, and it can be
 * told. The sum over a record is mended first, or hardly an input would get past it. */
#include "crash_record.h"

#include <stdlib.h>

static void mend(uint8_t *p, size_t n)
{
    for (size_t at = 0; n - at > WAGGLE__CRASH_HEAD;) {
        uint32_t length = (uint32_t)p[at + 4] | (uint32_t)p[at + 5] << 8;
        size_t from = at + WAGGLE__CRASH_HEAD;
        uint32_t h = 2166136261u;
        if (length > n - from)
            return;
        p[at + 6] = p[at + 7] = 0;
        for (size_t i = 0; i < length; i++)
            h = (h ^ p[from + i]) * 16777619u;
        for (size_t i = 0; i < 4; i++)
            p[at + 8 + i] = (uint8_t)(h >> (8 * i));
        at = from + length;
    }
}

static void within(waggle_str s, const uint8_t *data, size_t size)
{
    const char *from = (const char *)data;
    if (s.n > 0 && (s.p < from || s.p > from + size || s.n > (size_t)(from + size - s.p)))
        abort();
}

static void read_all(const uint8_t *data, size_t size)
{
    static struct waggle__crash c;
    size_t at = 0;
    char text[128];
    while (waggle__crash_next(data, size, &at, &c)) {
        struct waggle__module m;
        struct waggle__buf out;
        within(c.thread_name, data, size);
        within(c.note, data, size);
        within(c.version, data, size);
        for (waggle_cursor w = {0}; waggle__module_next(c.modules, &w, &m);) {
            within(m.path, data, size);
            within(m.build_id, data, size);
        }
        waggle__signal_text(&c, text, sizeof text);
        waggle__buf_init(&out, 1 << 16);
        waggle__stack_text(&out, c.pcs, c.n_pcs, c.exact, c.modules, false);
        waggle__buf_done(&out);
    }
    if (at > size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    read_all(copy, size);
    mend(copy, size);
    read_all(copy, size);
    free(copy);
    return 0;
}
