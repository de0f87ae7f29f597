// SPDX-License-Identifier: Apache-2.0
/* Files of OTLP and rows as the terminal reads them: standard input, lines, framed requests. */
#pragma once

#include "base/buf.h"

/* A file, or standard input. */
struct skep_cli_input {
    const char *command, *name; /* for messages */
    int fd;                     /* -1: standard input */
    uint64_t size, at;          /* of the file; at = behind the chunk */
    uint8_t *chunk;
    size_t n, pos;
    bool failed; /* a read failed, and was told */
};

/* What a file is, its first bytes tell. */
enum skep_cli_form {
    SKEP_CLI_LINES,  /* '{': JSON, one thing a line; also standard input */
    SKEP_CLI_FRAMED, /* u32le length, u32le spans, request ... */
    SKEP_CLI_WHOLE   /* one protobuf request */
};

/* "-" is standard input.  False: told on stderr. */
bool skep_cli_input_open(struct skep_cli_input *in, const char *command, const char *name);
void skep_cli_input_close(struct skep_cli_input *in);
/* Go on at this byte; before anything was read. */
void skep_cli_input_seek(struct skep_cli_input *in, uint64_t at);
/* False: the file is empty, which is told. */
bool skep_cli_input_form(struct skep_cli_input *in, enum skep_cli_form *ret);
/* Where reading is. */
uint64_t skep_cli_input_offset(const struct skep_cli_input *in);
/* The next line without its end appended to b; false at the end of the file.  b->bad: too long. */
bool skep_cli_input_line(struct skep_cli_input *in, struct skep_buf *b);
/* n bytes more into b, as far as there are any; true when there were n. */
bool skep_cli_input_take(struct skep_cli_input *in, struct skep_buf *b, size_t n);
