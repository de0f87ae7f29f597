// SPDX-License-Identifier: Apache-2.0
/* What an operator does with a data directory of the embedded engine, from outside the server:
 * verify, dump, repair, backup, restore.
 *
 * verify, dump and backup only read, and work on a directory that a running server owns (how:
 * column/read_only.c); repair and restore want it for themselves.  All of them take any bytes:
 * what is damaged is a finding or an error, never a crash.
 *
 * Threads: one call at a time per struct skep_tool. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "os/os.h"
#include "plan/rows.h"

enum skep_finding_level {
    SKEP_FINDING_NOTE,  /* worth knowing, nothing is wrong */
    SKEP_FINDING_DAMAGE /* bytes are not what was written, or something is not there */
};

struct skep_finding {
    enum skep_finding_level level;
    skep_str file;             /* inside the directory; the path given where a file was given */
    uint64_t offset, bytes;    /* where; bytes 0 = not known */
    uint64_t min_seq, max_seq; /* commits concerned; 0 = none or not known */
    uint64_t rows;             /* rows concerned; 0 = none or not known */
    skep_str text;             /* a sentence */
};

/* How a tool talks.  Texts are borrowed for the call. */
struct skep_tool {
    const struct skep_os *os;
    void (*found)(void *ctx, const struct skep_finding *f);
    /* NULL = none. */
    void (*progress)(void *ctx, uint64_t done_bytes, uint64_t total_bytes);
    void *ctx;
};

struct skep_verify_result {
    uint64_t files, bytes, rows; /* looked at; rows of segments and of the log behind them */
    uint64_t damages, notes;     /* findings */
};

/* Every checksum and invariant of manifest, segments, log and identities under `dir`.
 * Returns SKEP_OK (what is wrong was `found`) | SKEP_ENOTFOUND (no store is there) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_tool_verify(const struct skep_tool *t, const char *dir,
                                        struct skep_verify_result *ret, skep_err *err);
/* The same for one file of ours; which kind it is its first bytes tell.
 * Returns as above | SKEP_EUNSUPPORTED (not a file of ours). */
SKEP_NODISCARD skep_rc skep_tool_verify_file(const struct skep_tool *t, const char *path,
                                             struct skep_verify_result *ret, skep_err *err);

/* --- dump --- */

enum skep_dump_type { SKEP_DUMP_U64, SKEP_DUMP_HEX, SKEP_DUMP_TIME, SKEP_DUMP_TEXT };
struct skep_dump_value {
    const char *key; /* static */
    enum skep_dump_type type;
    uint64_t u; /* U64, HEX; TIME: ns since 1970 as int64 */
    skep_str s; /* TEXT; borrowed for the call */
};
/* One thing that stands in a file: "head", "frame", "segment", "column", "edit", "damage" ... */
typedef void skep_dump_fn(void *ctx, const char *what, const struct skep_dump_value *values,
                          unsigned n);

/* What stands in a segment, log file, manifest or live bitmap.  What is damaged comes out as
 * "damage"; the rest is still told.
 * Returns SKEP_OK | SKEP_ECORRUPT (nothing of it can be read) | SKEP_EUNSUPPORTED (not ours, or of
 * a newer version) | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_tool_dump(const struct skep_os *os, const char *path, skep_dump_fn *fn,
                                      void *ctx, skep_err *err);

/* The rows of a segment or a log file, dead ones too.  False from fn ends it.
 * Returns as above; SKEP_EINVAL: the file holds no rows. */
typedef bool skep_dump_row_fn(void *ctx, const struct skep_row *row);
SKEP_NODISCARD skep_rc skep_tool_dump_rows(const struct skep_os *os, const char *path,
                                           skep_dump_row_fn *fn, void *ctx, skep_err *err);

/* --- repair --- */

struct skep_repair_opts {
    bool dry_run;               /* only say what would be done */
    bool forget;                /* settle what is known to be lost: answers no longer speak of it */
    struct skep_budget *memory; /* for saving rows of a damaged segment: about 100 bytes a row */
};
struct skep_repair_result {
    uint64_t rows;                 /* served afterwards */
    uint64_t segments_aside;       /* set aside whole */
    uint64_t segments_saved;       /* written anew from their good row groups */
    uint64_t lost_rows;            /* known by number; of these segments */
    uint64_t segments_left_to_log; /* set aside because the log has all of their commits */
    uint64_t undeleted_rows;       /* dead rows that are back: the file that said so is damaged */
    uint64_t log_holes;            /* stretches of the log that lost commits */
    uint64_t forgotten;            /* records settled */
    bool manifest_rebuilt, changed;
};

/* Make a directory servable again, and say what is missing from it.  Bad files go to
 * DIR/quarantine; what was lost is recorded, so that answers over it say so.  `found` gets a note
 * for each thing that is done, a damage for each thing that is lost.
 * Returns SKEP_OK | SKEP_EEXISTS (a process owns it) | SKEP_ENOTFOUND | SKEP_ENOSPC | SKEP_EIO ...
 */
SKEP_NODISCARD skep_rc skep_tool_repair(const struct skep_tool *t, const char *dir,
                                        const struct skep_repair_opts *opts,
                                        struct skep_repair_result *ret, skep_err *err);

/* --- backup and restore (docs/formats/backup.md) --- */

struct skep_backup_opts {
    const char *name;  /* of this backup; letters, digits, '-' and '_' */
    const char *state; /* a copy of state.db made for this backup, or NULL; it stays */
    const char *key;   /* the data folder's key file, or NULL: then it is not in the backup */
    unsigned keep;     /* drop the oldest ones beyond so many; 0 = keep all */
};
struct skep_backup_result {
    uint64_t commit, rows;         /* the newest commit in it; rows of segments and log */
    uint64_t files, bytes;         /* of the backup */
    uint64_t new_files, new_bytes; /* of these, copied by this run */
    uint64_t dropped;              /* older backups that went */
    uint64_t damages;              /* findings: the store was damaged before it was copied */
};

/* One moment of the directory `rows` into the folder `to`, which may hold backups already: what
 * they have is not copied again.  The server may run.  Everything acknowledged before the call is
 * in it; all that was copied has been read back when it returns. Returns SKEP_OK | SKEP_EEXISTS (a
 * backup of that name is there, or `to` holds something else) | SKEP_ENOTFOUND (no store) |
 * SKEP_ENOSPC | SKEP_EIO | SKEP_ECORRUPT (what was read back differs). */
SKEP_NODISCARD skep_rc skep_tool_backup(const struct skep_tool *t, const char *rows, const char *to,
                                        const struct skep_backup_opts *opts,
                                        struct skep_backup_result *ret, skep_err *err);

struct skep_backup_info {
    skep_str name;
    skep_ts_ns made_ns;
    uint64_t commit, rows, files, bytes;
};
/* The backups in a folder, oldest first, in the arena. */
SKEP_NODISCARD skep_rc skep_tool_backups(const struct skep_os *os, const char *from,
                                         struct skep_arena *arena, struct skep_backup_info **ret,
                                         unsigned *ret_n, skep_err *err);

/* The backup `at` (NULL = the newest) as the data folder `data`, which must not be there or be
 * empty. Everything is checked against the listing on the way, then verified as a store, and only
 * then put in its place.
 * Returns SKEP_OK | SKEP_EEXISTS (`data` holds something) | SKEP_ENOTFOUND (no such backup) |
 * SKEP_ECORRUPT (the backup is damaged: `found` says where) | SKEP_ENOSPC | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_tool_restore(const struct skep_tool *t, const char *from,
                                         const char *at, const char *data,
                                         struct skep_backup_result *ret, skep_err *err);
