// SPDX-License-Identifier: Apache-2.0
/* The listing of a backup and its objects.  Internal to store/column; format:
 * docs/formats/backup.md. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "os/os.h"

/* What a file's content is known by. */
struct skep_backup_digest {
    uint64_t hash, bytes;
};

struct skep_backup_file {
    skep_str name; /* "rows/seg/0000000000000001.seg", "state.db" ... */
    struct skep_backup_digest digest;
    uint64_t quick; /* of its ends: enough to know an immutable file again */
};

struct skep_backup_list {
    struct skep_arena *arena; /* of the texts */
    skep_str name;            /* "20261129T083000Z" */
    int64_t made_ns;
    uint64_t commit; /* the newest one in it */
    uint64_t rows;
    struct skep_backup_file *files;
    unsigned n, cap;
};

void skep_backup_list__add(struct skep_backup_list *l, const struct skep_backup_file *f);
void skep_backup_list__done(struct skep_backup_list *l);
void skep_backup_list__encode(const struct skep_backup_list *l, struct skep_buf *out);
/* Returns SKEP_OK | SKEP_ECORRUPT | SKEP_EUNSUPPORTED.  The text must outlive the list. */
SKEP_NODISCARD skep_rc skep_backup_list__decode(skep_bytes text, struct skep_backup_list *ret,
                                                skep_err *err);
/* A name that a listing may hold: one of our files, inside the data folder. */
bool skep_backup_list__name_ok(skep_str name);

/* <to>/<name>.backup.  load: texts live in the arena. */
SKEP_NODISCARD skep_rc skep_backup_list__load(const struct skep_os *os, const char *to,
                                              skep_str name, struct skep_arena *arena,
                                              struct skep_backup_list *ret, skep_err *err);
SKEP_NODISCARD skep_rc skep_backup_list__store(const struct skep_os *os, const char *to,
                                               const struct skep_backup_list *l, skep_err *err);
/* Names of all backups in `to`, oldest first, in the arena. */
SKEP_NODISCARD skep_rc skep_backup_list__names(const struct skep_os *os, const char *to,
                                               struct skep_arena *arena, skep_str **ret,
                                               unsigned *ret_n, skep_err *err);

/* Digest of the first `bytes` of an open file; copied to `to_fd` on the way unless it is < 0. */
typedef void skep_backup_step_fn(void *ctx, uint64_t bytes);
SKEP_NODISCARD skep_rc skep_backup__digest(const struct skep_os *os, int fd, uint64_t bytes,
                                           int to_fd, skep_backup_step_fn *step, void *ctx,
                                           struct skep_backup_digest *ret, skep_err *err);
/* Hash of a file's size, its first and last 64 KiB. */
SKEP_NODISCARD skep_rc skep_backup__quick(const struct skep_os *os, int fd, uint64_t bytes,
                                          uint64_t *ret, skep_err *err);
