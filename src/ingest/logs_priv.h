// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of the log mapping. */
#pragma once

#include "base/buf.h"
#include "ingest/logs.h"

/* What a line says of itself. */
struct skep_logs__says {
    uint8_t severity; /* OTLP number; 0 = nothing */
    skep_str severity_text;
    skep_trace_id trace_id;
    uint64_t span_id;
};

struct skep_logs__dec {
    struct skep_batch *b;
    yyjson_alc alc; /* of the messages */
    struct skep_buf name, text;
    unsigned n_fields; /* of the message at hand */
    struct skep_logs__says says;
    unsigned level_rank; /* of the field that says.severity is from; 0 = none */
    char level[16];      /* its text: fields do not live as long as the row is made */
};

/* A field of the message at hand, its whole name. */
void skep_logs__field(struct skep_logs__dec *d, skep_str name, skep_value v);

/* Fields of a message that is one JSON object; false: it is none. */
bool skep_logs__json(struct skep_logs__dec *d, skep_str message);
/* Fields of a message that is key=value pairs from end to end, at least two; false: it is none. */
bool skep_logs__logfmt(struct skep_logs__dec *d, skep_str message);

/* --- logs_text.c: pure --- */

/* "ERROR", "warn" ... -> an OTLP severity number; false: no such word. */
bool skep_logs__level(skep_str word, uint8_t *ret);
/* A level word at the start of a text, and trace ids anywhere in it; what says has already stays.
 */
void skep_logs__look(skep_str message, struct skep_logs__says *says);
/* A trace id in the forms of W3C and X-Ray, alone or in a header of theirs, from the whole text. */
bool skep_logs__trace(skep_str text, struct skep_logs__says *says);
