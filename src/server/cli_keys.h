// SPDX-License-Identifier: Apache-2.0
/* What `skep key`, `skep env` and `skep user` share: a data folder's state.db, or a server. */
#pragma once

#include "server/cli.h"
#include "state/keys.h"

struct skep_cli_keys {
    const char *name; /* "skep key" */
    const struct skep_cli_args *args;
    const struct skep_os *os;
    bool remote; /* --server was given: http, else state */
    struct skep_cli_http http;
    struct skep_state *state;
    const char *key_file;
    struct skep_arena arena;
    struct skep_buf out; /* printed at the end, then wiped */
};

struct skep_cli_keys_verb {
    const char *name;
    int (*run)(struct skep_cli_keys *c);
};

/* Parse, open, run the verb that the first argument names, print, close.  Returns the exit code. */
int skep_cli_keys_run(const char *name, struct skep_cli_args *args, int argc, char *const *argv,
                      const struct skep_cli_keys_verb *verbs, unsigned n_verbs);
/* "skep key: text" to stderr; FAILED. */
int skep_cli_keys_fail(struct skep_cli_keys *c, const skep_err *err);
/* Into the audit log of the data folder that something was done; only where !c->remote. */
void skep_cli_keys_audit(struct skep_cli_keys *c, const char *what, skep_str on);
/* Members of an answer: a text (empty when absent), an instant written as decimal text (0). */
skep_str skep_cli_keys_text(yyjson_val *obj, const char *member);
int64_t skep_cli_keys_ns(yyjson_val *obj, const char *member);
/* DELETE path + escaped name; false after an error was told. */
bool skep_cli_keys_delete(struct skep_cli_keys *c, skep_str path, skep_str name);
