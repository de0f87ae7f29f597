// SPDX-License-Identifier: Apache-2.0
/*
 * frames.h - stack traces of compiled programs as text
 */
#ifndef WAGGLE_FRAMES_H
#define WAGGLE_FRAMES_H

#include "priv.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* One frame; what is not known is empty. Points into the text. */
struct waggle__frame {
    waggle_str function, file, module, build_id;
    uint64_t offset;       /* in the module, of the instruction; with has_offset */
    uint32_t line, column; /* 0 = not known */
    bool has_offset;
};

/* The next frame of a text, innermost first; lines that are none are passed over. False at the end.
 */
bool waggle__frame_next(waggle_str text, waggle_cursor *cursor, struct waggle__frame *ret_frame);

/* A frame as a line, as sanitizers write it, with its newline. */
void waggle__frame_write(struct waggle__buf *out, unsigned number,
                         const struct waggle__frame *frame);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
