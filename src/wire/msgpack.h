// SPDX-License-Identifier: Apache-2.0
/* MessagePack read as the JSON it stands for, and the little of it that answers are made of. */
#pragma once

#include <yyjson.h>

#include "base/buf.h"
#include "base/err.h"

enum { SKEP_MSGPACK_DEPTH_MAX = 64 };

/* Read one value that is all of `in`.
 *
 *   text          as it is; bytes that are no UTF-8 become U+FFFD
 * (docs/decisions/0003-invalid-utf8.md) bin           base64 ext -1        an instant: RFC 3339
 * text with nanoseconds; other extensions: base64 of their data keys of maps  text; numbers and
 * booleans as they are written; other keys are malformed float32       the double of the same
 * value; no numbers and infinities stay what they are
 *
 * alc      all memory is taken from it
 * ret      free with yyjson_doc_free while alc lives
 * Returns  SKEP_OK | EMALFORMED (err says where) | ENOMEM
 * Threads  any */
SKEP_NODISCARD skep_rc skep_msgpack_read(skep_bytes in, const yyjson_alc *alc, yyjson_doc **ret,
                                         skep_err *err);

/* Append the head of an array or map of n, a text, a number. */
void skep_msgpack_array(struct skep_buf *out, uint32_t n);
void skep_msgpack_map(struct skep_buf *out, uint32_t n);
void skep_msgpack_str(struct skep_buf *out, skep_str s);
void skep_msgpack_u64(struct skep_buf *out, uint64_t v);
