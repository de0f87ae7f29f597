// SPDX-License-Identifier: Apache-2.0
/* A part while it is being made: what part.c, part_column.c and part_read.c share. */
#pragma once

#include "store/column/part.h"

struct skep_part_opening {
    struct skep_part *part;
    const uint8_t *p;
    size_t n;
    skep_err *err;
    uint32_t n_rows, n_columns, n_fields;
    struct skep_frame_col *dir; /* columns, then fields */
    size_t ranks_used;
};

/* ECORRUPT with the place. */
SKEP_NODISCARD skep_rc skep_part__bad(const struct skep_part_opening *o, uint64_t offset,
                                      const char *what);
/* Is [at, at + count * size) inside the payload and aligned? */
bool skep_part__inside(const struct skep_part_opening *o, uint64_t at, uint64_t count,
                       uint64_t size);

/* The columns every row has, and the fields some have; dictionaries and lists are open already. */
SKEP_NODISCARD skep_rc skep_part__open_columns(struct skep_part_opening *o);
SKEP_NODISCARD skep_rc skep_part__open_fields(struct skep_part_opening *o);

/* Of skep_part_ops: the last reference is gone. */
void skep_part__destroy(struct skep_rowset *rs);
