// SPDX-License-Identifier: Apache-2.0
/* Every byte of one log file, piece by piece: for verify, dump and repair.  Internal to
 * store/column; replay (wal_replay.c) is what the engine itself does. */
#pragma once

#include "store/column/wal.h"

enum skep_wal_piece_kind {
    SKEP_WAL_HEAD,  /* a good head */
    SKEP_WAL_FRAME, /* a frame whose checksums hold */
    SKEP_WAL_BAD,   /* bytes that are neither frame nor zero */
    SKEP_WAL_REST   /* zeros to the end */
};

struct skep_wal_piece {
    enum skep_wal_piece_kind kind;
    uint64_t offset, bytes;
    uint64_t epoch, last_seq;         /* HEAD */
    struct skep_wal_frame_head frame; /* FRAME; of BAD where only the payload is damaged */
    const uint8_t *payload;           /* FRAME; borrowed for the call */
    bool has_frame;                   /* BAD: `frame` tells which commit it was */
    bool last;                        /* BAD: nothing good stands behind it */
    bool padding;                     /* BAD: behind a payload, where nothing is kept */
    const char *why;                  /* BAD; static */
};

/* False ends the scan. */
typedef bool skep_wal_piece_fn(void *ctx, const struct skep_wal_piece *p);

/* Pieces in order of offset; they tile the file.
 *
 * epoch    of the file's name; 0 = take the one in its head
 * Returns  SKEP_OK | SKEP_ECORRUPT (no epoch to be had) | SKEP_EIO | ... of the os */
SKEP_NODISCARD skep_rc skep_wal_scan(const struct skep_os *os, const char *path, uint64_t epoch,
                                     skep_wal_piece_fn *fn, void *ctx, skep_err *err);
