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
