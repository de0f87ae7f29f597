// SPDX-License-Identifier: Apache-2.0
/*
 * json_in.h - reading JSON: what stands where, without a tree
 */
#ifndef WAGGLE_JSON_IN_H
#define WAGGLE_JSON_IN_H

#include "priv.h"

enum waggle__json_event {
    WAGGLE__JSON_BEGIN, /* of an object */
    WAGGLE__JSON_END,
    WAGGLE__JSON_TEXT,
    WAGGLE__JSON_NUMBER
};

enum { WAGGLE__JSON_TEXT_MAX = 256, WAGGLE__JSON_DEPTH_MAX = 16 };

/* key: of the member; in an array, of the array's. depth: objects and arrays around it. text: cut
 * at WAGGLE__JSON_TEXT_MAX - 1 bytes. Both NUL-terminated, valid for the call. */
typedef void waggle__json_fn(void *self, enum waggle__json_event event, unsigned depth,
                             const char *key, const char *text, double number);

/* Walk; false if it is no JSON, or too deep. The calls that were made before then stand. */
bool waggle__json_walk(waggle_str json, waggle__json_fn *fn, void *self);

#endif
