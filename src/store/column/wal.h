// SPDX-License-Identifier: Apache-2.0
/* The write-ahead log: files of checksummed frames, written in groups.  Internal to store/column;
 * format: docs/formats/wal.md. */
#pragma once

#include "base/err.h"
#include "base/histogram.h"
#include "os/os.h"

enum {
    SKEP_WAL_HEAD_BYTES = 64,          /* of a file */
    SKEP_WAL_FRAME_BYTES = 48,         /* header of a frame */
    SKEP_WAL_FILE_BYTES_MIN = 8 << 20, /* first file of a process; each further one doubles */
    SKEP_WAL_FILE_BYTES_MAX = 64 << 20
};

struct skep_wal;

/* One frame to commit; borrowed. */
struct skep_wal_item {
    uint64_t seq; /* ascending, never used before, not even by a failed commit */
    const uint8_t *payload;
    size_t n;
    uint32_t crc; /* skep_crc32c of the payload */
};

/* Commits that something behind them knows of and that are not there. */
struct skep_wal_gap {
    uint64_t first, last;
    uint64_t epoch; /* of the file in which, or before which, they are missing */
};
enum { SKEP_WAL_GAPS_MAX = 32 };

/* What replay found wrong. */
struct skep_wal_damage {
    uint64_t regions; /* bad stretches that held acknowledged commits */
    uint64_t torn;    /* unfinished writes at an end: what a power cut leaves, no loss */
    uint64_t lost_first, lost_last; /* commits that are missing, 0 = none is known */
    bool gap_at_start; /* the log begins behind the checkpoint: commits between are not in it */
    /* Each hole by itself; the last one reaches from the first of the rest to the last of it. */
    struct skep_wal_gap gaps[SKEP_WAL_GAPS_MAX];
    unsigned n_gaps;
    char text[200]; /* names the first one; empty = none */
};

struct skep_wal_frame_head {
    uint64_t seq, prev_seq, synced_seq, length;
    uint32_t crc;   /* of the payload */
    uint32_t nonce; /* of the file */
};
/* The 48 bytes at p as a frame's header, with `room` bytes from p to the end of the file; false:
 * they are none.  nonce: of the file; 0: not known, its head is damaged. */
bool skep_wal__frame_head(const uint8_t *p, uint64_t epoch, uint32_t nonce, uint64_t room,
                          struct skep_wal_frame_head *ret);
/* What stands at the beginning of a file. */
struct skep_wal_file_head {
    uint64_t epoch, last_seq;
    uint32_t nonce;
};
/* The 64 bytes at p as a file's head. */
bool skep_wal__file_head(const uint8_t *p, struct skep_wal_file_head *ret);

/* A replayed frame.  Takes `payload` (skep_malloc memory) in every case. */
typedef skep_rc skep_wal_frame_fn(void *ctx, uint64_t seq, uint8_t *payload, size_t n,
                                  skep_err *err);

/* Look at the log files under `dir` (created if missing); writes nothing else.
 * file_bytes_max: 0 = SKEP_WAL_FILE_BYTES_MAX.  Returns SKEP_OK | SKEP_EIO | ... of the os. */
SKEP_NODISCARD skep_rc skep_wal_open(const struct skep_os *os, const char *dir,
                                     uint64_t file_bytes_max, struct skep_wal **ret, skep_err *err);
/* Cuts the active file to what is used and closes.  NULL is fine. */
void skep_wal_close(struct skep_wal *w);

/* Call fn for each frame with seq > checkpoint, ascending; before skep_wal_start.
 * *ret_last: highest commit the log knows of, at least `checkpoint`.
 * Returns SKEP_OK | an error of fn | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_wal_replay(struct skep_wal *w, uint64_t checkpoint,
                                       skep_wal_frame_fn *fn, void *ctx,
                                       struct skep_wal_damage *damage, uint64_t *ret_last,
                                       skep_err *err);

/* Before start: the owner before did not say that its log was sound.  Frames of which nothing says
 * that they are durable are then written anew: where a sync failed, reading shows what the disk
 * does not have. */
void skep_wal_doubt(struct skep_wal *w);

/* Begin a new file behind all others; last_seq as replay said. */
SKEP_NODISCARD skep_rc skep_wal_start(struct skep_wal *w, uint64_t last_seq, skep_err *err);

/* Write n frames and make them durable: all or none.  One thread at a time.
 * A failed write or sync abandons the file and tries once more in a new one.
 * Returns SKEP_OK | SKEP_ENOSPC (nothing stored, try again later) | SKEP_EIO (the log takes no
 * more: every later call fails too). */
SKEP_NODISCARD skep_rc skep_wal_commit(struct skep_wal *w, const struct skep_wal_item *items,
                                       unsigned n, skep_err *err);

/* Is it time to make the next file ready, or to delete one that was left?  Threads: any. */
bool skep_wal_wants_next(struct skep_wal *w);
/* Do so, if it is time; a failure is left for the commit that needs the file.  Threads: one
 * beside the committer. */
void skep_wal_prepare(struct skep_wal *w);

/* Delete files that hold nothing above `checkpoint`; the active one stays, but is left for a new
 * one at the next commit when it holds nothing above either and is large. Before skep_wal_start
 * nothing is deleted yet.  Threads: any. */
void skep_wal_drop(struct skep_wal *w, uint64_t checkpoint);

/* Bytes reserved by log files; bytes of frames in them. Threads: any. */
uint64_t skep_wal_disk_bytes(struct skep_wal *w);
uint64_t skep_wal_used_bytes(struct skep_wal *w);
uint64_t skep_wal_syncs(struct skep_wal *w);
/* How long the syncs of commits took. */
struct skep_histogram *skep_wal_sync_times(struct skep_wal *w);
bool skep_wal_failed(struct skep_wal *w);
/* Started, and nothing failed: the next owner may believe what it reads. */
bool skep_wal_sound(struct skep_wal *w);
