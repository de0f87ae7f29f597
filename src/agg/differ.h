// SPDX-License-Identifier: Apache-2.0
/* How the values of a field differ between two groups of rows, and whether chance explains it.
 *
 * Counts may be weighted (a row that stands for many): tests then count each side as so many rows
 * as carry the same information (Kish's effective size).  All sums are of integers, so that the
 * result does not depend on the order in which values are given. */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

struct skep_differ {
    uint64_t selected, rest;   /* rows, weighted */
    double n_selected, n_rest; /* effective */
    skep_u128 distance;        /* sum of |s * R - r * S| */
    skep_i128 chance, chi;     /* fixed point: differ.c */
    uint64_t few_selected, few_rest;
    uint64_t n_values, n_cells;
    double least_log; /* of the value that chance explains least: log of a bound of its probability
                       */
    skep_i128 run, furthest; /* numbers: s * R - r * S so far */
};

struct skep_difference {
    double difference; /* 0 = the same distribution .. 1 = no value in common */
    double effect;     /* of it, what is beyond the difference that chance makes; 0 .. 1 */
    double p;          /* at most so probable where nothing differs */
};

/* selected, rest: weighted rows of both sides; *_squares: the sums of their squared weights. */
void skep_differ_begin(struct skep_differ *d, uint64_t selected, uint64_t rest,
                       skep_u128 selected_squares, skep_u128 rest_squares);
/* A value (or none), with its rows on both sides.  In any order. */
void skep_differ_value(struct skep_differ *d, uint64_t selected, uint64_t rest);
/* By values: total variation distance; chi square, and the odds of each value, corrected for their
 * number. */
struct skep_difference skep_differ_values(const struct skep_differ *d);
/* A number, or neighbouring ones, in ascending order; each row in one of them. */
void skep_differ_number(struct skep_differ *d, uint64_t selected, uint64_t rest);
/* By numbers: the largest distance of the two cumulated distributions (Kolmogorov, Smirnov). */
struct skep_difference skep_differ_numbers(const struct skep_differ *d);

/* From probabilities p[n] to the share of false discoveries that calling everything up to this one
 * different would have (Benjamini, Hochberg): q[n]. */
void skep_differ_adjust(const double *p, double *q, unsigned n);
