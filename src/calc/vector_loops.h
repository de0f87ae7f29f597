// SPDX-License-Identifier: Apache-2.0
/* The loops of vectors.c over n rows, for the processor that runs them.  `present` and `chosen` are
 * 0 or 1 a row; what comes out is never among what goes in, but where it is changed. */
#pragma once

#include <stdint.h>

struct skep_calc__buckets;

enum skep_calc__order { SKEP_CALC__LESS, SKEP_CALC__LESS_EQUAL, SKEP_CALC__EQUAL };
enum skep_calc__operation { SKEP_CALC__ADD, SKEP_CALC__SUBTRACT, SKEP_CALC__MULTIPLY };

void skep_calc__reals_of(const int64_t *restrict in, const uint8_t *restrict present, unsigned n,
                         double *restrict out);
void skep_calc__present_reals(const double *restrict in, const uint8_t *restrict present,
                              unsigned n, double *restrict out);
void skep_calc__present_ints(const int64_t *restrict in, const uint8_t *restrict present,
                             unsigned n, int64_t *restrict out);
void skep_calc__both(uint8_t *restrict a, const uint8_t *restrict b, unsigned n);
void skep_calc__choose64(const uint8_t *restrict chosen, const int64_t *restrict a,
                         const int64_t *restrict b, unsigned n, int64_t *restrict out);
void skep_calc__choose_reals(const uint8_t *restrict chosen, const double *restrict a,
                             const double *restrict b, unsigned n, double *restrict out);
void skep_calc__choose32(const uint8_t *restrict chosen, const uint32_t *restrict a,
                         const uint32_t *restrict b, unsigned n, uint32_t *restrict out);
void skep_calc__choose8(const uint8_t *restrict chosen, const uint8_t *restrict a,
                        const uint8_t *restrict b, unsigned n, uint8_t *restrict out);
void skep_calc__divide(const double *restrict a, const double *restrict b, unsigned n,
                       double *restrict out, uint8_t *restrict present);
void skep_calc__mark_finite(const double *restrict a, unsigned n, uint8_t *restrict present);
void skep_calc__order_ints(enum skep_calc__order how, const int64_t *restrict a,
                           const int64_t *restrict b, unsigned n, uint8_t *restrict out);
void skep_calc__order_reals(enum skep_calc__order how, const double *restrict a,
                            const double *restrict b, unsigned n, uint8_t *restrict out);
void skep_calc__labels_of(const struct skep_calc__buckets *b, const double *restrict v,
                          const uint8_t *restrict present, unsigned n, uint32_t first,
                          uint32_t *restrict out);
void skep_calc__ints_true(const int64_t *restrict v, unsigned n, uint8_t *restrict out);
void skep_calc__reals_true(const double *restrict v, unsigned n, uint8_t *restrict out);
void skep_calc__combine_reals(enum skep_calc__operation how, const double *restrict a,
                              const double *restrict b, unsigned n, double *restrict out);
