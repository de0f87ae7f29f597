// SPDX-License-Identifier: Apache-2.0
/* Two doubles for struct skep_os.
 *
 * fault_os wraps any os and makes calls of chosen kinds fail from the Nth on.
 * mem_os is a file system in memory that knows what was fsynced: power_cut() throws away, keeps or
 * garbles everything else, sector by sector, the way SQLite's test6 does. */
#pragma once

#include "os/os.h"

/* --- faults --- */

enum fault_call {
    FAULT_OPEN = 1 << 0,
    FAULT_PREAD = 1 << 1,
    FAULT_PWRITE = 1 << 2,
    FAULT_SYNC = 1 << 3, /* fsync and fdatasync of files */
    FAULT_SYNC_DIR = 1 << 4,
    FAULT_PREALLOCATE = 1 << 5,
    FAULT_RENAME = 1 << 6,
    FAULT_UNLINK = 1 << 7,
    FAULT_TRUNCATE = 1 << 8,
    FAULT_STAT = 1 << 9, /* stat, fstat, list, space */
    FAULT_MKDIR = 1 << 10
};

struct mem_os;

struct fault_os {
    struct skep_os os; /* pass &f.os */
    const struct skep_os *inner;
    /* Set by the test, any time. */
    _Atomic unsigned calls; /* bits of enum fault_call that may fail; 0 = none */
    _Atomic int64_t skip;   /* so many matching calls pass first */
    _Atomic int64_t times;  /* then so many fail, then all pass; INT64_MAX = for ever */
    skep_rc rc;             /* EIO, ENOSPC */
    bool torn;              /* a failing pwrite writes some of its bytes first */
    struct mem_os *mem; /* a failed sync loses what was written there; NULL = it loses nothing */
    /* After the first call that fails, `mem` takes so many more changes and is off; -1 = goes on.
     */
    _Atomic int64_t then_die;
    _Atomic bool hold;    /* matching calls wait until it is false, before they are counted */
    const char *only;     /* part of the path of files that may fail; NULL = all */
    _Atomic int64_t seen; /* matching calls so far */
    _Atomic int64_t failed;
    _Atomic uint64_t dirs[16];    /* bit fd: opened as directory */
    _Atomic uint64_t watched[16]; /* bit fd: path matched `only` */
    _Atomic int64_t now_ns;       /* 0 = the inner clock */
};
void fault_os_init(struct fault_os *f, const struct skep_os *inner);
/* From now on: after `skip` matching calls, `times` of them fail with rc.  Sets then_die to -1. */
void fault_os_arm(struct fault_os *f, unsigned calls, int64_t skip, int64_t times, skep_rc rc);

/* --- memory --- */

struct mem_os *mem_os_new(uint64_t seed);
void mem_os_free(struct mem_os *m);
const struct skep_os *mem_os_ops(struct mem_os *m);
/* The survivor's image: each write since the last sync of its file is kept, dropped or torn by
 * bytes or 512-byte sectors, each directory keeps some of its unsynced changes (mem_os.c).  All
 * descriptors die; locks go. */
void mem_os_power_cut(struct mem_os *m);
/* The process dies, the machine stays on: descriptors and locks go, what was written stays as it is
 * seen, unsynced as it is. */
void mem_os_kill(struct mem_os *m);
/* After so many more calls that change something (writes, syncs, sizes, names, opens that make a
 * file) every call fails with EIO until power_cut.  -1 = never. */
void mem_os_die_after(struct mem_os *m, int64_t calls);
bool mem_os_dead(struct mem_os *m);
/* A sync of this file failed: each unsynced write is on disk, in part, or never will be, and counts
 * as synced. */
void mem_os_sync_failed(struct mem_os *m, int fd);
void mem_os_set_now(struct mem_os *m, int64_t now_ns); /* of its wall clock; 0 = the real one */
void mem_os_limit(struct mem_os *m, uint64_t bytes);   /* of all files; over it ENOSPC; 0 = none */
uint64_t mem_os_used(struct mem_os *m);
/* Flip one bit of a file (both images).  False when there is no such byte. */
bool mem_os_flip(struct mem_os *m, const char *path, uint64_t bit);
