// SPDX-License-Identifier: Apache-2.0
/*
 * jaeger_strategy.h - how Jaeger wants a service sampled
 */
#ifndef WAGGLE_JAEGER_STRATEGY_H
#define WAGGLE_JAEGER_STRATEGY_H

#include "sdk_priv.h"

enum { WAGGLE__JAEGER_OPERATIONS = 256, WAGGLE__JAEGER_NAME = 128 };

struct waggle__jaeger_operation {
    char name[WAGGLE__JAEGER_NAME]; /* of a span; what is longer is cut */
    double rate;
};

struct waggle__jaeger_strategy {
    bool is_set;
    bool limits;        /* so many a second, and no share */
    double per_second;  /* of `limits` */
    double rate;        /* from 0 to 1: a share; with operations, of those that are not named */
    double lower_bound; /* with operations: of each at least so many a second */
    bool has_operations;
    size_t n;
    struct waggle__jaeger_operation p[WAGGLE__JAEGER_OPERATIONS];
};

/* Read a SamplingStrategyResponse, as JSON or as protobuf. False, and *ret is not set, if it is
 * none. Rates are within their bounds. */
bool waggle__jaeger_from_json(waggle_str json, struct waggle__jaeger_strategy *ret);
bool waggle__jaeger_from_protobuf(waggle_str message, struct waggle__jaeger_strategy *ret);

#endif
