// SPDX-License-Identifier: Apache-2.0
/*
 * otlp_json.h - a batch as OTLP/JSON
 */
#ifndef WAGGLE_OTLP_JSON_H
#define WAGGLE_OTLP_JSON_H

#include "sdk_priv.h"

/* The whole request into *out, which is emptied first. False without memory or beyond its limit. */
bool waggle__otlp_json(const waggle_batch *batch, struct waggle__buf *out);

#endif
