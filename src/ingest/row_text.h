// SPDX-License-Identifier: Apache-2.0
/* Rows as JSON lines and back: what `skep export` writes and `skep import` reads
 * (docs/formats/rows.md).  Lossless: all columns, all scopes, all types. */
#pragma once

#include "event/batch.h"
#include "plan/rows.h"
#include "wire/json_out.h"

enum { SKEP_LIMIT_ROW_LINE_BYTES = 32 << 20 };

/* One row as an object; the caller ends the line. */
void skep_row_write(struct skep_json *json, const struct skep_row *row);

/* Reads lines into one batch after the other: lists that lines have in common are made once. */
struct skep_row_reader;
struct skep_row_reader *skep_row_reader_new(struct skep_budget *budget);
void skep_row_reader_free(struct skep_row_reader *r); /* NULL is fine */

/* Append the row of one line to the batch.  After a failure the batch must be thrown away.
 *
 * Returns SKEP_OK | EMALFORMED (err: what) | ENOMEM | ETOOLARGE (over a limit of the batch)
 * Threads one at a time */
SKEP_NODISCARD skep_rc skep_row_read(struct skep_row_reader *r, skep_str line, struct skep_batch *b,
                                     skep_err *err);
