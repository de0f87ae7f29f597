// SPDX-License-Identifier: Apache-2.0
/* What the tools (store/tools.h) share.  Internal to store/column. */
#pragma once

#include "store/column/manifest.h"
#include "store/column/path.h"
#include "store/tools.h"

/* What a file is, by its first 8 bytes. */
enum skep_file_kind {
    SKEP_FILE_UNKNOWN,
    SKEP_FILE_SEGMENT,
    SKEP_FILE_LOG,
    SKEP_FILE_MANIFEST,
    SKEP_FILE_LIVE
};
SKEP_NODISCARD skep_rc skep_tool__kind(const struct skep_os *os, const char *path,
                                       enum skep_file_kind *ret, skep_err *err);
/* "<16 hex digits>.log" at the end of a path -> epoch, 0 = no such name. */
uint64_t skep_tool__epoch_of(const char *path);

/* The head of a file of live rows (docs/formats/live.md). */
struct skep_live_head {
    uint32_t version;
    uint64_t segment, rows, live, deleted, superseded, chunks;
    uint64_t bytes;
};
/* Whole file against its checksum; its bitmap is checked with its segment.
 * Returns SKEP_OK | ECORRUPT | EIO ... */
SKEP_NODISCARD skep_rc skep_tool__live_head(const struct skep_os *os, const char *path,
                                            struct skep_live_head *ret, skep_err *err);

/* Findings and counters of one run of verify. */
struct skep_verify {
    const struct skep_tool *t;
    struct skep_verify_result r;
    uint64_t total_bytes;
};

/* Fill `text` from fmt, count, hand on. */
void skep_verify__found(struct skep_verify *v, struct skep_finding f, const char *fmt, ...)
    SKEP_PRINTF(3, 4);
/* A segment: all chunks, then all of its promises.  m: what the manifest says, NULL = nothing is
 * known.  Returns SKEP_OK | ENOTFOUND (no such file) | ENOMEM | ... that are no findings. */
SKEP_NODISCARD skep_rc skep_verify__segment(struct skep_verify *v, const char *path, skep_str name,
                                            const struct skep_manifest_segment *m, skep_err *err);
/* All log files of `dir`, or (file != NULL) this one. */
SKEP_NODISCARD skep_rc skep_verify__log(struct skep_verify *v, const char *dir, const char *file,
                                        skep_err *err);
/* A manifest: head, records, what they say.  ret_state may be NULL; false: it does not open. */
SKEP_NODISCARD skep_rc skep_verify__manifest(struct skep_verify *v, const char *path, skep_str name,
                                             bool *ret_ok, skep_err *err);
