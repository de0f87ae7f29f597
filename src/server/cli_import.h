// SPDX-License-Identifier: Apache-2.0
/* Where `skep import` puts what it reads: a server, or a data folder. */
#pragma once

#include "server/cli.h"
#include "server/cli_input.h"
#include "wire/otlp.h"

struct skep_import_chunk {
    skep_str rows; /* JSON lines */
    uint8_t identity[16];
};

struct skep_import_sink {
    void *impl;
    uint64_t rows, duplicates; /* rows stored; rows that were there already */
    uint64_t requests;         /* of OTLP */
    uint64_t rejected;         /* items of OTLP that were refused one by one */
    /* Returns when it is on disk.  False: told on stderr. */
    bool (*put_rows)(struct skep_import_sink *s, const struct skep_import_chunk *c);
    bool (*put_otlp)(struct skep_import_sink *s, enum skep_otlp_signal signal, bool json,
                     skep_bytes body);
    bool (*close)(struct skep_import_sink *s);
};

/* Through the server that the flags name; `close` frees the sink.  Returns true. */
bool skep_import_to_server(struct skep_import_sink *s, const struct skep_cli_args *args);
/* Straight into a data folder, made if it is missing.  False: told on stderr; `close` frees the
 * sink either way. */
bool skep_import_to_folder(struct skep_import_sink *s, const char *data, uint64_t memory_bytes);
