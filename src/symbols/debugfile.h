// SPDX-License-Identifier: Apache-2.0
/* A debug file (ELF with DWARF, or with a symbol table alone) -> a table (table.h). */
#pragma once

#include "base/buf.h"

/* Read what `elf` says of its code and append the table of it.  libdw does the reading: a file from
 * elsewhere is read by a process of its own (child.h), a user's own one at once.
 *
 * elf      may be changed
 * out      its limit bounds the table
 * Returns  SKEP_OK | SKEP_EMALFORMED (no ELF) | SKEP_EINVAL (an object file, no build id, no code)
 *          | SKEP_ELIMIT
 * Threads  any */
SKEP_NODISCARD skep_rc skep_debugfile_table(uint8_t *elf, size_t n, struct skep_buf *out,
                                            skep_err *err);
