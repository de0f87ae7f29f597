// SPDX-License-Identifier: Apache-2.0
/* What a language's file gives parse.c: what one line of a trace is. */
#pragma once

#include "stack/stack.h"

enum skep_stack__what {
    SKEP_STACK__NOTHING,
    SKEP_STACK__HEAD,     /* "Type: message" of an exception; frames follow or went before */
    SKEP_STACK__FRAME,    /* a whole frame; with a type, a head as well */
    SKEP_STACK__FUNCTION, /* the first line of a frame of two: its function */
    SKEP_STACK__FILE,     /* the second: file and line */
    SKEP_STACK__CAUSE,    /* what is read next is another exception of the chain; its head and its
                           * first frame when they stand in the same line */
    SKEP_STACK__OUTER,    /* what is read next is of the exception before this one again */
    SKEP_STACK__END       /* nothing behind it counts (other threads, suppressed exceptions) */
};

struct skep_stack__line {
    enum skep_stack__what what;
    struct skep_frame frame;
    skep_str type, message;
};

struct skep_stack__language {
    skep_str name;
    skep_str hints[6];    /* how clients call it; a prefix of theirs, case does not matter */
    bool innermost_first; /* frames, as printed */
    bool causes_first;    /* exceptions, as printed */
    bool head_behind;     /* "Type: message" stands behind its frames */
    bool message_behind;  /* of a head without a message: the next line is it */
    /* line: without its line ending.  `after_frame`: the line before was one of a frame. */
    struct skep_stack__line (*read)(skep_str line, bool after_frame);
};

extern const struct skep_stack__language skep_stack__python, skep_stack__java,
    skep_stack__javascript, skep_stack__go, skep_stack__ruby, skep_stack__php, skep_stack__dotnet,
    skep_stack__native, skep_stack__rust;

/* --- fingerprints: names.c, kinds.c --- */
struct skep_buf;
/* "FILE|FUNCTION\n" */
void skep_stack__put_frame(const struct skep_frame *f, struct skep_buf *out);
/* A compiler or a proxy put it there; another version of it does not. */
bool skep_stack__made_up(const struct skep_frame *f);
/* Without its packages: some senders leave them out. */
skep_str skep_stack__bare_class(skep_str type);
/* What of a message the code says; empty = nothing.  Points into the message or at a constant. */
skep_str skep_stack__kind(skep_str message);

/* Cut "...:LINE" or "...:LINE:COLUMN" off the end of *s; false when no number stands there, and
 * *s is unchanged. */
bool skep_stack__position(skep_str *s, uint32_t *ret_line, uint32_t *ret_column);
/* A decimal number in range, else 0. */
uint32_t skep_stack__number(skep_str s);
/* "Type: message", "Type": true when the type is a word of letters, digits and . _ $ : \ that
 * begins with a letter. */
bool skep_stack__head(skep_str line, struct skep_stack__line *ret);
/* Cut at the first `mark`; false (and nothing happens) without. */
bool skep_stack__split(skep_str s, skep_str mark, skep_str *ret_before, skep_str *ret_behind);
/* The same at the last. */
bool skep_stack__split_last(skep_str s, skep_str mark, skep_str *ret_before, skep_str *ret_behind);
