// SPDX-License-Identifier: Apache-2.0
/*
 * threshold.h - rejection thresholds, and where they stand in a tracestate
 */
#ifndef WAGGLE_THRESHOLD_H
#define WAGGLE_THRESHOLD_H

#include "sdk_priv.h"

#include "waggle/composite.h"

enum { WAGGLE__TH_BYTES = 24 }; /* "ot=th:" and 14 digits */

/* 2^56 times what is not to be sampled. */
uint64_t waggle__threshold_of(double ratio);
/* "ot=th:c" with the zeros at its end left out. */
void waggle__threshold_text(uint64_t threshold, char ret_text[WAGGLE__TH_BYTES]);
/* Of the parent's tracestate; false if it says none. */
bool waggle__threshold_of_parent(const waggle_span_context *parent, uint64_t *ret_threshold);
/* The decision, and the tracestate that goes with it; `text` as waggle__threshold_text made it.
 * What ret_sampling points to is the thread's. */
void waggle__threshold_decide(const waggle_sampling_params *params, uint64_t threshold,
                              bool is_reliable, const char *text, waggle_sampling *ret_sampling);

#endif
