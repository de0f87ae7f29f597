// SPDX-License-Identifier: Apache-2.0
/* The operating system as a struct of functions, so that a test can replace disk, clock and
 * randomness.  errno does not leave this module.  Sockets are src/net's business.
 *
 * Files are small integers of the implementation (real: descriptors).  All functions are called
 * through the wrappers below; `self` is the struct itself, implementations embed it first. */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum {
    SKEP_OPEN_READ = 1 << 0,
    SKEP_OPEN_WRITE = 1 << 1,
    SKEP_OPEN_CREATE = 1 << 2,
    SKEP_OPEN_EXCL = 1 << 3,
    SKEP_OPEN_TRUNC = 1 << 4,
    SKEP_OPEN_DIR = 1 << 5
};

struct skep_os_stat {
    uint64_t size_bytes;
    bool is_dir;
};

struct skep_os_space {
    uint64_t free_bytes, total_bytes;
};

struct skep_os;

/* Called once for each name in a directory ("." and ".." left out); return false to stop. */
typedef bool skep_os_name_fn(void *ctx, skep_str name);

struct skep_os {
    const char *name;
    skep_rc (*open)(const struct skep_os *self, const char *path, unsigned flags, int *ret_fd,
                    skep_err *err);
    void (*close)(const struct skep_os *self, int fd);
    /* Exactly n bytes or an error: ECORRUPT at end of file, EIO else. */
    skep_rc (*pread)(const struct skep_os *self, int fd, void *buf, size_t n, uint64_t offset,
                     skep_err *err);
    /* All n bytes or an error: ENOSPC, EIO. */
    skep_rc (*pwrite)(const struct skep_os *self, int fd, const void *buf, size_t n,
                      uint64_t offset, skep_err *err);
    skep_rc (*fdatasync)(const struct skep_os *self, int fd, skep_err *err);
    skep_rc (*fsync)(const struct skep_os *self, int fd, skep_err *err); /* also directories */
    /* Reserve [0, size); the size of the file becomes at least `size`, new bytes read as zero. */
    skep_rc (*preallocate)(const struct skep_os *self, int fd, uint64_t size, skep_err *err);
    /* The same with zeros written: a later write inside changes data alone, so that syncing it need
     * not wait for the file system's journal.  Durable after fsync. */
    skep_rc (*zero)(const struct skep_os *self, int fd, uint64_t size, skep_err *err);
    skep_rc (*truncate)(const struct skep_os *self, int fd, uint64_t size, skep_err *err);
    skep_rc (*fstat)(const struct skep_os *self, int fd, struct skep_os_stat *ret, skep_err *err);
    skep_rc (*stat)(const struct skep_os *self, const char *path, struct skep_os_stat *ret,
                    skep_err *err); /* ENOTFOUND */
    skep_rc (*mkdir)(const struct skep_os *self, const char *path,
                     skep_err *err); /* fine if there */
    skep_rc (*rename)(const struct skep_os *self, const char *from, const char *to, skep_err *err);
    skep_rc (*unlink)(const struct skep_os *self, const char *path, skep_err *err); /* ENOTFOUND */
    skep_rc (*list)(const struct skep_os *self, const char *path, skep_os_name_fn *fn, void *ctx,
                    skep_err *err);
    /* Exclusive advisory lock on the open file, held until close.  EEXISTS when another holds it.
     */
    skep_rc (*lock)(const struct skep_os *self, int fd, skep_err *err);
    skep_rc (*space)(const struct skep_os *self, const char *path, struct skep_os_space *ret,
                     skep_err *err);
    int64_t (*now_ns)(const struct skep_os *self);  /* wall clock, ns since 1970 UTC */
    int64_t (*mono_ns)(const struct skep_os *self); /* monotonic */
    void (*random)(const struct skep_os *self, void *buf, size_t n);
};

/* Make the names in a directory durable; the name of a file or directory in its parent ("." and "/"
 * are parents, too).  Returns what open and fsync do.  Threads: any. */
SKEP_NODISCARD skep_rc skep_os_sync_dir(const struct skep_os *os, const char *path, skep_err *err);
SKEP_NODISCARD skep_rc skep_os_sync_parent(const struct skep_os *os, const char *path,
                                           skep_err *err);

/* The real system.  Static, thread-safe. */
const struct skep_os *skep_os_real(void);

/* What the system says of this process. */
struct skep_os_process {
    int64_t cpu_ns; /* user and system */
    uint64_t resident_bytes, virtual_bytes, open_fds, max_fds, threads;
    double start_s; /* unix time */
};
/* Zeros where the system does not tell.  Threads: any. */
void skep_os_process(struct skep_os_process *ret);
/* No core dump of this process, neither into a file nor to a program.  Threads: main, at the start.
 */
void skep_os_no_core(void);
