// SPDX-License-Identifier: Apache-2.0
/* The log from inside: what wal.c, wal_replay.c, wal_settle.c, wal_file.c and wal_commit.c share.
 */
#pragma once

#include "base/bytes.h"
#include "base/hash.h"
#include "os/thread.h"
#include "store/column/path.h"
#include "store/column/wal.h"

enum {
    SKEP_WAL_FRAME_MAGIC = 0x46574b53, /* "SKWF" */
    SKEP_WAL_VERSION = 2,
    SKEP_WAL_NONCE_UNKNOWN = 0,
    SKEP_WAL_NONCE_V1 = 1,         /* files of version 1 have none */
    SKEP_WAL_GROUP_BYTES = 1 << 20 /* of the group buffer */
};

struct skep_wal_file {
    uint64_t epoch, max_seq;
    uint64_t disk_bytes, used_bytes;
    uint64_t limit; /* replay: what stands above it was not durable when a later file was begun */
    uint32_t nonce; /* replay */
};

/* A frame that replay took and of which nothing says that it is durable. */
struct skep_wal_doubt {
    uint64_t epoch, offset, seq, length;
};

struct skep_wal {
    const struct skep_os *os;
    char *dir;
    uint64_t file_bytes_max;

    struct skep_mutex mu;        /* guards the list, `checkpoint` and the counters */
    struct skep_wal_file *files; /* by epoch */
    unsigned n, cap;
    uint64_t checkpoint;
    uint64_t syncs;
    struct skep_histogram sync_times;
    bool failed, started;
    uint64_t next_bytes; /* size of the next file; the committer's alone to change */
    /* A file made ready for when the active one is full; fd -1 = none.  disk_bytes counts while it
     * is being made, too. */
    struct {
        int fd;
        uint64_t epoch, disk_bytes;
    } next;
    bool preparing;
    bool rolling;          /* a file is being begun: its number is taken (I5) */
    uint64_t not_prepared; /* epoch that could not be made ready: not tried again */
    struct skep_cond prepared;
    bool drop_due;           /* a file was left with nothing in it that is needed */
    uint64_t dropping_bytes; /* of files that are being deleted */

    /* What replay leaves for start. */
    uint64_t synced_seq; /* newest commit that heads and frames know to be durable */
    struct skep_wal_doubt *doubts;
    size_t n_doubts, cap_doubts;
    bool doubtful;

    /* The active file; the committer's alone. */
    int fd; /* -1 = none */
    uint64_t epoch, at, size;
    uint32_t nonce;
    uint64_t last_seq; /* durable */
    bool synced;       /* something was committed to the active file */
    uint8_t *buf;
    size_t buf_n;
};

/* Where the file of an epoch lies. */
static inline skep_path skep_wal__path(const struct skep_wal *w, uint64_t epoch)
{
    return skep_path_of("%s/%016" PRIx64 ".log", w->dir, epoch);
}

/* Bytes that a payload of n takes. */
static inline size_t skep_wal__padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* Checksum of bytes of the file of this epoch. */
static inline uint32_t skep_wal__salted_crc(uint64_t epoch, const uint8_t *p, size_t n)
{
    uint8_t salt[8];
    skep_store_le64(salt, epoch);
    return skep_crc32c(skep_crc32c(0, (skep_bytes){salt, sizeof salt}), (skep_bytes){p, n});
}

/* The 64 bytes at the beginning of a file. */
void skep_wal__put_file_head(uint8_t *p, const struct skep_wal_file_head *head);
/* A nonce for a file that is begun. */
uint32_t skep_wal__new_nonce(const struct skep_wal *w);

/* Let the active file go; clean: nothing failed in it. */
void skep_wal__leave(struct skep_wal *w, bool clean);
/* Begin a file with room for `need` bytes of frames. */
SKEP_NODISCARD skep_rc skep_wal__roll(struct skep_wal *w, uint64_t need, skep_err *err);
/* The same, but that it has no head yet. */
SKEP_NODISCARD skep_rc skep_wal__begin_headless(struct skep_wal *w, uint64_t need, skep_err *err);
/* Write a group at w->at without moving it; *ret_end behind the last byte. */
SKEP_NODISCARD skep_rc skep_wal__write_group(struct skep_wal *w, const struct skep_wal_item *items,
                                             unsigned n, uint64_t *ret_end, skep_err *err);
/* Make durable what replay has seen (wal_settle.c). */
SKEP_NODISCARD skep_rc skep_wal__settle(struct skep_wal *w, uint64_t last_seq, skep_err *err);
