// SPDX-License-Identifier: Apache-2.0
/* A table of a debug file: any bytes.
 *
 * Holds: what opens is read without leaving the bytes. */
#include "base/assert.h"
#include "symbols/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_symtab t;
    struct skep_symtab_place places[SKEP_SYMTAB_INLINE_MAX];
    const char *end = (const char *)data + size;
    if (skep_symtab_open((skep_bytes){data, size}, &t, NULL) != SKEP_OK)
        return 0;
    for (uint64_t address = 0; address < 4096; address += 37) {
        uint32_t n = skep_symtab_find(&t, address, places);
        skep_assert(n <= SKEP_SYMTAB_INLINE_MAX);
        for (uint32_t i = 0; i < n; i++)
            skep_assert(places[i].function.n == 0 ||
                        places[i].function.p + places[i].function.n <= end);
    }
    (void)skep_symtab_find(&t, UINT64_MAX, places);
    return 0;
}
