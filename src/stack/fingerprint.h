// SPDX-License-Identifier: Apache-2.0
/* What two errors of one cause have in common.
 *
 *   message     SHA1(text without its data)                    equals Rollbar's (facts of its docs)
 *   exception   SHA1 over the program's own frames (file, function) and the class, of the exception
 *               and its causes: no line numbers, of the message what the language itself says
 *   loose       SHA1(class, innermost own frame): who shares it may belong together
 *
 * A row keeps fingerprints, never a group: groups are made of them when they are asked for.  The
 * algorithm has a version; what it makes of an error never changes within one. */
#pragma once

#include "base/buf.h"
#include "stack/stack.h"

enum { SKEP_FINGERPRINT_VERSION = 2, SKEP_FINGERPRINT_HEX = 40 };

struct skep_fingerprint {
    char hex[SKEP_FINGERPRINT_HEX]; /* lower case, no NUL */
};
static inline skep_str skep_fingerprint_str(const struct skep_fingerprint *f)
{
    return (skep_str){f->hex, SKEP_FINGERPRINT_HEX};
}

/* SHA1 of any text: a fingerprint that a client gave and that is too long for one. */
struct skep_fingerprint skep_fingerprint_text(skep_str text);

/* Append `text` without timestamps, decimals, integers of two and more digits and hex numbers of
 * four and more digits. */
void skep_fingerprint_clean(skep_str text, struct skep_buf *out);

/* Of a message without an exception.  Threads: any. */
struct skep_fingerprint skep_fingerprint_message(skep_str text);

/* Of an exception (skep_stack_own has been called).  What was hashed, a line for
 * each part, is appended to `why` unless NULL: the page shows it.
 * loose    may be NULL
 * Threads: any. */
struct skep_fingerprint skep_fingerprint_exception(const struct skep_stack *stack,
                                                   struct skep_buf *why,
                                                   struct skep_fingerprint *ret_loose);
