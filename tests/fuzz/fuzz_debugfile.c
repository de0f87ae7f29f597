// SPDX-License-Identifier: Apache-2.0
/* A debug file as somebody uploads it: any bytes, through libdw.
 *
 * Holds: no crash; what is read makes a table that opens, whose answers lie in it; what is refused
 * says why. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "symbols/debugfile.h"
#include "symbols/table.h"

static void look(const struct skep_buf *table)
{
    struct skep_symtab t;
    struct skep_symtab_place places[SKEP_SYMTAB_INLINE_MAX];
    skep_rc rc = skep_symtab_open(skep_buf_bytes(table), &t, NULL);
    skep_assert(rc == SKEP_OK);
    for (uint64_t address = 0; address < 16384; address += 13)
        skep_assert(skep_symtab_find(&t, address, places) <= SKEP_SYMTAB_INLINE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_buf out;
    skep_err err = {.text = ""};
    uint8_t *elf = malloc(size + 1); /* it may be changed */
    skep_assert(elf != NULL);
    memcpy(elf, data, size);
    skep_buf_init(&out, 4 << 20);
    if (skep_debugfile_table(elf, size, &out, &err) == SKEP_OK)
        look(&out);
    else
        skep_assert(err.text[0] != '\0');
    skep_buf_done(&out);
    free(elf);
    return 0;
}
