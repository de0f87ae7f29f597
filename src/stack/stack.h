// SPDX-License-Identifier: Apache-2.0
/* Stack traces: text of many languages -> exceptions with frames, and which frames are the
 * program's own.
 *
 * A language is one file that says what one line of its traces is, and one row of the table in
 * parse.c.  Nothing here knows who sent the trace. */
#pragma once

#include "base/arena.h"

enum { SKEP_STACK_CONTEXT_MAX = 5 };

/* The line of a frame and its neighbours, where the text of the file is known. */
struct skep_frame_code {
    skep_str line;
    skep_str before[SKEP_STACK_CONTEXT_MAX], after[SKEP_STACK_CONTEXT_MAX];
    uint32_t n_before, n_after;
};

struct skep_frame {
    skep_str file;         /* path or URL as written; empty = not said */
    skep_str function;     /* as written; empty = not said */
    skep_str module;       /* class, package or binary, where the language names one */
    uint32_t line, column; /* from 1; 0 = not said */
    bool ignored;          /* a rule says it does not count: in no fingerprint */
    bool own;              /* the program's own code, not a library's: skep_stack_own */
    /* Of compiled code (docs/formats/native-stacks.md). */
    skep_str build_id; /* of the module, hexadecimal; empty = not said */
    uint64_t offset;   /* in the module, with has_offset */
    bool has_offset;
    /* Filled in by who has maps and debug files (src/symbols). */
    const struct skep_frame *sent;      /* as it came; NULL = the frame is as it came */
    const struct skep_frame_code *code; /* NULL = not known */
};

struct skep_exception {
    skep_str type, message;    /* empty = not said */
    struct skep_frame *frames; /* outermost call first, the one that threw last */
    uint32_t n_frames;
};

/* chain[0] is what was raised last, its cause behind it, and so on. */
struct skep_stack {
    skep_str language; /* "python" "java" "dotnet" "javascript" "php" "ruby" "go" "rust" "native";
                        * empty = unknown */
    struct skep_exception *chain;
    uint32_t n;
};

enum {
    SKEP_STACK_FRAMES_MAX = 512,  /* of an exception: of more, the outer and the inner half */
    SKEP_STACK_CHAIN_MAX = 16,    /* causes behind it are left out */
    SKEP_STACK_TEXT_MAX = 1 << 20 /* bytes looked at */
};

/* Read a trace as a language prints it.  Slices point into `text`; arrays lie in the arena.
 *
 * text      any bytes; lines that are no part of a trace are passed over
 * language  a hint ("python 3.11", "Java", "nodejs" ...); decides between languages that see the
 *           same number of frames; may be empty
 * Returns false when no line is a frame; then *ret is empty.
 * Threads: any. */
bool skep_stack_parse(skep_str text, skep_str language, struct skep_arena *arena,
                      struct skep_stack *ret);

/* "0x1394", hexadecimal with or without its mark.  false: no number of 64 bits. */
SKEP_NODISCARD bool skep_stack_offset(skep_str text, uint64_t *ret);

/* Mark the frames that are the program's own: below `root` (a directory; may be empty) and in no
 * place where packages, runtimes and system libraries are put.  A root under which nothing lies is
 * not believed. */
void skep_stack_own(struct skep_stack *stack, skep_str root);

/* The innermost frame of the program's own code, of the raised exception, else of its causes; else
 * the innermost of all; NULL = there is none. */
const struct skep_frame *skep_stack_culprit(const struct skep_stack *stack);
