// SPDX-License-Identifier: Apache-2.0
/* A small JSON writer into a bounded buffer: commas, escapes, exact numbers.
 *
 * Misuse (a value where a key belongs, unbalanced ends) is a programmer error.  Running over the
 * buffer's limit sets its sticky `bad` flag, as with every skep_buf. */
#pragma once

#include "base/buf.h"

enum { SKEP_JSON_DEPTH_MAX = 32 };

struct skep_json {
    struct skep_buf *out;
    unsigned depth;
    uint32_t is_object; /* bit d: level d is an object */
    uint32_t has_item;  /* bit d: level d has an item, the next one needs a comma */
    bool after_key;
};

/* Begin a document at the end of `out`. */
void skep_json_init(struct skep_json *j, struct skep_buf *out);

/* Begin an object or an array as the next value. */
void skep_json_object(struct skep_json *j);
/* See skep_json_object. */
void skep_json_array(struct skep_json *j);
/* End the innermost object or array. */
void skep_json_end(struct skep_json *j);
void skep_json_key(struct skep_json *j, skep_str key);

/* Bytes that are not UTF-8 are written as U+FFFD, so that the document is always valid. */
void skep_json_str(struct skep_json *j, skep_str s);
void skep_json_i64(struct skep_json *j, int64_t v);
void skep_json_u64(struct skep_json *j, uint64_t v);
/* Shortest text that reads back as the same double; integral values end in ".0" or an exponent.
 * NaN and infinities, which JSON lacks, are written as null. */
void skep_json_f64(struct skep_json *j, double v);
void skep_json_bool(struct skep_json *j, bool v);
void skep_json_null(struct skep_json *j);
/* A value that already is JSON text. */
void skep_json_raw(struct skep_json *j, skep_str json);
/* 64-bit integers as decimal strings ("_ns" members). */
void skep_json_i64_str(struct skep_json *j, int64_t v);

/* "key": value in one call. */
void skep_json_put_str(struct skep_json *j, skep_str key, skep_str v);
void skep_json_put_i64(struct skep_json *j, skep_str key, int64_t v);
void skep_json_put_u64(struct skep_json *j, skep_str key, uint64_t v);
void skep_json_put_f64(struct skep_json *j, skep_str key, double v);
void skep_json_put_bool(struct skep_json *j, skep_str key, bool v);
void skep_json_put_i64_str(struct skep_json *j, skep_str key, int64_t v);

/* The text of a double as skep_json_f64 writes it.
 * out     out[SKEP_JSON_NUMBER_BYTES], no NUL
 * Returns its length; 0 when v is not finite. */
enum { SKEP_JSON_NUMBER_BYTES = 40 };
size_t skep_json_f64_text(double v, char out[SKEP_JSON_NUMBER_BYTES]);
