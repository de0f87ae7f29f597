// SPDX-License-Identifier: Apache-2.0
/* `skep doctor`: what its checks share. */
#pragma once

#include "server/cli.h"

enum skep_doctor_level { SKEP_DOCTOR_OK, SKEP_DOCTOR_NOTE, SKEP_DOCTOR_PROBLEM };

struct skep_doctor {
    struct skep_cli_tool tool;
    struct skep_cli_http http; /* of the server; while the checks run */
    yyjson_doc *doc;           /* the server's status; NULL = no server answers */
    yyjson_val *status;        /* its root */
    bool has_data;             /* there is a data folder */
    unsigned problems;
};

/* One finding: what is seen, and (unless it is well) what to do. */
void skep_doctor_say(struct skep_doctor *d, enum skep_doctor_level level, const char *what_to_do,
                     const char *fmt, ...) SKEP_PRINTF(4, 5);

/* A number of the status: "store.segments"; 0 when it is not there. */
uint64_t skep_doctor_number(const struct skep_doctor *d, const char *object, const char *member);

/* doctor_disk.c: space, fsync, the folder. */
void skep_doctor_disk(struct skep_doctor *d);
/* doctor_server.c: memory, what was refused, senders, what is lost. */
void skep_doctor_server(struct skep_doctor *d);
/* doctor_ledger.c: what was received and what became of it. */
void skep_doctor_ledger(struct skep_doctor *d);
