// SPDX-License-Identifier: Apache-2.0
/* What the files of FACETS share. */
#pragma once

#include "store/column/exec/exec_priv.h"

struct skep_x_sides {
    uint64_t all, selected;
};

/* Numbers by ordered bits: exponent and sign choose a page, the first bits of the fraction a cell
 * of it, under 1% wide. */
enum { SKEP_X_PAGES = 4096, SKEP_X_CELLS = 128 };
struct skep_x_numbers {
    struct skep_x_sides *pages[SKEP_X_PAGES]; /* [SKEP_X_CELLS]; NULL = none */
    struct skep_x_sides absent, others;       /* no value; no number */
};

struct skep_x_facet {
    uint32_t cap;
    struct skep_x_sides *by_id;
    bool counted; /* all rows of the morsel were counted by code */
    bool dropped; /* memory was given back */
    uint32_t cap_codes;
    uint32_t *counts; /* by code, of one morsel */
    struct skep_x_numbers *numbers;
};

struct skep_x_facets { /* of one context */
    struct skep_x_sides rows;
    skep_u128 all_squares, selected_squares; /* of weights */
    struct skep_x_facet fields[];
};

enum skep_x_facet_how {
    SKEP_X_COUNTED,
    SKEP_X_TOO_MANY, /* values: dropped */
    SKEP_X_LATER,    /* in another pass */
    SKEP_X_ANSWERED, /* in an earlier pass */
    SKEP_X_MEASURED  /* too many values: in the last pass, by number */
};

/* Rows of a block. */
struct skep_x_facet_rows {
    struct skep_x_bits bits, selected;
    struct skep_sel sel, selected_sel;
    const int64_t *weights;
    int64_t weight;
    uint16_t rows[SKEP_BLOCK_ROWS], selected_rows[SKEP_BLOCK_ROWS];
};
static inline uint64_t skep_x__weight_of(const struct skep_x_facet_rows *b, unsigned r)
{
    int64_t w = b->weights ? b->weights[r] : b->weight;
    return w < 1 ? 1 : (uint64_t)w;
}

SKEP_NODISCARD skep_rc skep_x__facet_memory(struct skep_x_ctx *c, unsigned f,
                                            skep_err *err) SKEP_COLD;
enum skep_x_facet_how skep_x__facet_how(const struct skep_x_query *q, unsigned f);

/* facets_measure.c */
/* The rows of the bits by their weights. */
uint64_t skep_x__facet_rows(const struct skep_x_ctx *c, const struct skep_x_facet_rows *b,
                            const struct skep_x_bits *bits);
/* Count the rows of a block by number. */
SKEP_NODISCARD skep_rc skep_x__measure(struct skep_x_ctx *c, const struct skep_x_facet_rows *b,
                                       unsigned f, skep_err *err);
SKEP_NODISCARD skep_rc skep_x__measure_merge(struct skep_x_ctx *to, const struct skep_x_ctx *from,
                                             unsigned f, skep_err *err);
void skep_x__measure_done(struct skep_x_ctx *c, unsigned f);
/* The first number of a cell. */
double skep_x__measure_least(unsigned page, unsigned cell);

/* facets_answer.c */
/* Answer field f, by what was counted in c (NULL: nothing). */
SKEP_NODISCARD skep_rc skep_x__facet_answer(struct skep_x_ctx *c, unsigned f, size_t limit,
                                            struct skep_facet *ret, skep_err *err);
