// SPDX-License-Identifier: Apache-2.0
/* What skep keeps of a debug file: addresses -> functions, inlined ones too, files and lines
 * (docs/formats/symbols.md).  Small, flat, and read without knowing ELF or DWARF. */
#pragma once

#include "base/buf.h"

enum {
    SKEP_SYMTAB_ID_MAX = 32, /* bytes of a build id */
    SKEP_SYMTAB_INLINE_MAX = 64
};
static const uint32_t skep_symtab_none = UINT32_MAX;
static const uint64_t skep_symtab_bytes_max = 64 << 20;

/* A table in memory; slices of the bytes it was opened from. */
struct skep_symtab {
    skep_bytes build_id;
    const uint8_t *files, *nodes, *ranges, *lines;
    uint32_t n_files, n_nodes, n_ranges, n_lines;
    skep_str strings;
};

struct skep_symtab_place {
    skep_str function, file; /* empty = not known */
    uint32_t line;           /* 0 = not known */
};

/* Check every byte that a look-up follows.
 * bytes    outlive the table
 * Returns  SKEP_OK | SKEP_EMALFORMED (err: what) */
SKEP_NODISCARD skep_rc skep_symtab_open(skep_bytes bytes, struct skep_symtab *ret, skep_err *err);
/* Looks like one. */
bool skep_symtab_is(skep_bytes bytes);
/* Who is at an address: ret[0] the innermost, inlined into ret[1] ...; how many (0 = nobody known).
 * Threads: any. */
uint32_t skep_symtab_find(const struct skep_symtab *t, uint64_t address,
                          struct skep_symtab_place ret[SKEP_SYMTAB_INLINE_MAX]);

// --- making one --------------------------------------------------------------------------------

struct skep_symtab_node { /* a function, or one inlined into its parent */
    skep_str name;
    uint32_t parent;               /* an earlier node, or skep_symtab_none */
    uint32_t call_file, call_line; /* where it is inlined; file: index or skep_symtab_none */
};
struct skep_symtab_range { /* from here to the next one */
    uint64_t start;
    uint32_t node; /* or skep_symtab_none */
};
struct skep_symtab_row { /* likewise */
    uint64_t address;
    uint32_t file, line; /* file skep_symtab_none: nothing from here on */
};
struct skep_symtab_parts {
    skep_bytes build_id;
    const skep_str *files;
    const struct skep_symtab_node *nodes;
    const struct skep_symtab_range *ranges; /* ascending */
    const struct skep_symtab_row *lines;    /* ascending */
    uint32_t n_files, n_nodes, n_ranges, n_lines;
};
/* Append the table; out->bad when it is larger than out may be. */
void skep_symtab_write(const struct skep_symtab_parts *parts, struct skep_buf *out);
