// SPDX-License-Identifier: Apache-2.0
/* What keep.c and pieces.c share: the pieces of a question's segments whose partials are kept. */
#pragma once

#include "store/column/exec/exec_priv.h"
#include "store/column/exec/partials.h"

enum { SKEP_X_PIECE_GROUPS = 16 };

struct skep_x_aside { /* one worker's partial of one piece */
    struct skep_partial *partial;
    uint64_t rows_examined;
    struct skep_x_aside *next;
};

struct skep_x_piece {
    uint32_t set;
    uint32_t at;     /* in the segment: row groups from at * SKEP_X_PIECE_GROUPS on */
    uint32_t groups; /* a bit each: those that lie wholly inside the range */
    bool whole;      /* the segment: at = 0, groups = 1 */
    bool able;       /* the partial over those row groups can be kept; under mu */
    const struct skep_partials_entry *hit;
    struct skep_x_aside *asides;
};

struct skep_x_keep {
    struct skep_mutex mu; /* of the pieces, while workers run */
    unsigned passes;      /* done */
    unsigned n_able;      /* pieces, at the beginning, */
    uint64_t rows_able;   /* and their rows, about */
    bool too_large;       /* their partials are, together or one; under mu */
    struct skep_buf question;
    size_t question_bytes;       /* without what is of one piece */
    uint32_t *first;             /* [sets + 1]: pieces of each */
    uint32_t n;                  /* pieces */
    struct skep_x_piece *pieces; /* [n + 1]; the last one: rows of no other, of all sets */
};

/* -- pieces.c -- */
/* The piece that the blocks' row group is in, for rows that a morsel of such looks at. */
uint32_t skep_x__piece_of(const struct skep_x_query *q, uint32_t set, uint64_t block,
                          enum skep_x_only only);
/* What it is remembered under that nothing of the question can be kept; good as long as below. */
struct skep_partials_key skep_x__nothing_key(const struct skep_x_query *q);
/* What its partial is kept under; good until the next one is made. */
struct skep_partials_key skep_x__piece_key(const struct skep_x_query *q,
                                           const struct skep_x_piece *p);
