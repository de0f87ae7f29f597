// SPDX-License-Identifier: Apache-2.0
/* The real operating system behind struct skep_os (Linux, POSIX).
 *
 * Every function is a thin wrapper: it restarts after EINTR, finishes short reads and writes, and
 * turns errno into a skep_rc with a text that names the call and the path or descriptor.
 *
 * I1  errno does not leave this file.
 * I2  pwrite reports success only when every byte was taken by the kernel.
 * I3  fsync and fdatasync are never retried after an error: the kernel may have dropped the dirty
 *     pages, so a second call could report a success that never happened.
 *
 * Threads: any; no state.  Memory: none. */
#include "os/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

static skep_rc rc_of_errno(int e)
{
    switch (e) {
    case ENOENT: return SKEP_ENOTFOUND;
    case EEXIST: return SKEP_EEXISTS;
    case ENOSPC:
    case EDQUOT: return SKEP_ENOSPC;
    case EFBIG: return SKEP_ETOOLARGE;
    case EACCES:
    case EPERM:
    case EROFS: return SKEP_EFORBIDDEN;
    case ENOMEM: return SKEP_ENOMEM;
    default: return SKEP_EIO;
    }
}

static skep_rc fail_path(skep_err *err, const char *call, const char *path)
{
    int e = errno;
    char text[96];
    return skep_fail(err, rc_of_errno(e), "%s %s: %s", call, path,
                     strerror_r(e, text, sizeof text));
}

static skep_rc fail_fd(skep_err *err, const char *call, int fd)
{
    int e = errno;
    char text[96];
    return skep_fail(err, rc_of_errno(e), "%s of descriptor %d: %s", call, fd,
                     strerror_r(e, text, sizeof text));
}

static skep_rc real_open(const struct skep_os *self, const char *path, unsigned flags, int *ret_fd,
                         skep_err *err)
{
    (void)self;
    skep_assert(path != NULL && ret_fd != NULL);
    skep_assert(flags & (SKEP_OPEN_READ | SKEP_OPEN_WRITE | SKEP_OPEN_DIR));
    int f = O_CLOEXEC;
    if (flags & SKEP_OPEN_DIR)
        f |= O_RDONLY | O_DIRECTORY;
    else if (flags & SKEP_OPEN_WRITE)
        f |= flags & SKEP_OPEN_READ ? O_RDWR : O_WRONLY;
    f |= flags & SKEP_OPEN_CREATE ? O_CREAT : 0;
    f |= flags & SKEP_OPEN_EXCL ? O_EXCL : 0;
    f |= flags & SKEP_OPEN_TRUNC ? O_TRUNC : 0;
    int fd;
    do {
        fd = open(path, f, 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return fail_path(err, "open", path);
    *ret_fd = fd;
    return SKEP_OK;
}

static void real_close(const struct skep_os *self, int fd)
{
    (void)self;
    skep_assert(fd >= 0);
    (void)close(fd); /* what mattered was fsynced before */
}

static skep_rc real_pread(const struct skep_os *self, int fd, void *buf, size_t n, uint64_t offset,
                          skep_err *err)
{
    (void)self;
    uint8_t *p = buf;
    while (n > 0) {
        ssize_t got = pread(fd, p, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_fd(err, "pread", fd);
        if (got == 0)
            return skep_fail(err, SKEP_ECORRUPT, "file ends %zu bytes early at %llu", n,
                             (unsigned long long)offset);
        p += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return SKEP_OK;
}

static skep_rc real_pwrite(const struct skep_os *self, int fd, const void *buf, size_t n,
                           uint64_t offset, skep_err *err)
{
    (void)self;
    const uint8_t *p = buf;
    while (n > 0) {
        ssize_t put = pwrite(fd, p, n, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail_fd(err, "pwrite", fd);
        if (put == 0)
            return skep_fail(err, SKEP_EIO, "pwrite of descriptor %d took nothing", fd);
        p += put;
        offset += (uint64_t)put;
        n -= (size_t)put;
    }
    return SKEP_OK;
}

static skep_rc real_fdatasync(const struct skep_os *self, int fd, skep_err *err)
{
    (void)self;
    return fdatasync(fd) == 0 ? SKEP_OK : fail_fd(err, "fdatasync", fd);
}

static skep_rc real_fsync(const struct skep_os *self, int fd, skep_err *err)
{
    (void)self;
    return fsync(fd) == 0 ? SKEP_OK : fail_fd(err, "fsync", fd);
}

static skep_rc real_preallocate(const struct skep_os *self, int fd, uint64_t size, skep_err *err)
{
    (void)self;
    int rc;
    do {
        rc = fallocate(fd, 0, 0, (off_t)size);
    } while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return SKEP_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return fail_fd(err, "fallocate", fd);
    struct stat st; /* the file system cannot reserve: at least the size must be there */
    if (fstat(fd, &st) != 0)
        return fail_fd(err, "fstat", fd);
    if ((uint64_t)st.st_size >= size || ftruncate(fd, (off_t)size) == 0)
        return SKEP_OK;
    return fail_fd(err, "ftruncate", fd);
}

enum { ZERO_BLOCK_BYTES = 1 << 20, ZERO_ALIGN = 4096 };

static bool write_zeros(int fd, const uint8_t *zeros, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        size_t n = (size_t)SKEP_MIN(size - at, (uint64_t)ZERO_BLOCK_BYTES);
        ssize_t w = pwrite(fd, zeros, n, (off_t)at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        at += (uint64_t)w;
    }
    return true;
}

/* Past the page cache where the file system lets us: the zeros are not looked at again. */
static skep_rc real_zero(const struct skep_os *self, int fd, uint64_t size, skep_err *err)
{
    SKEP_TRY(real_preallocate(self, fd, size, err));
    int flags = fcntl(fd, F_GETFL);
    uint8_t *zeros = skep_malloc_aligned(ZERO_ALIGN, ZERO_BLOCK_BYTES);
    memset(zeros, 0, ZERO_BLOCK_BYTES);
    bool direct = flags >= 0 && size % ZERO_ALIGN == 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
    bool ok = write_zeros(fd, zeros, size);
    if (direct && fcntl(fd, F_SETFL, flags) == 0 && !ok)
        ok = write_zeros(fd, zeros, size);
    skep_rc rc = ok ? SKEP_OK : fail_fd(err, "pwrite", fd);
    skep_free(zeros);
    return rc;
}

static skep_rc real_truncate(const struct skep_os *self, int fd, uint64_t size, skep_err *err)
{
    (void)self;
    return ftruncate(fd, (off_t)size) == 0 ? SKEP_OK : fail_fd(err, "ftruncate", fd);
}

static void stat_out(const struct stat *st, struct skep_os_stat *ret)
{
    *ret =
        (struct skep_os_stat){.size_bytes = (uint64_t)st->st_size, .is_dir = S_ISDIR(st->st_mode)};
}

static skep_rc real_fstat(const struct skep_os *self, int fd, struct skep_os_stat *ret,
                          skep_err *err)
{
    (void)self;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_fd(err, "fstat", fd);
    stat_out(&st, ret);
    return SKEP_OK;
}

static skep_rc real_stat(const struct skep_os *self, const char *path, struct skep_os_stat *ret,
                         skep_err *err)
{
    (void)self;
    struct stat st;
    if (stat(path, &st) != 0)
        return fail_path(err, "stat", path);
    stat_out(&st, ret);
    return SKEP_OK;
}

static skep_rc real_mkdir(const struct skep_os *self, const char *path, skep_err *err)
{
    (void)self;
    if (mkdir(path, 0700) == 0)
        return SKEP_OK;
    if (errno != EEXIST)
        return fail_path(err, "mkdir", path);
    struct stat st;
    if (stat(path, &st) != 0)
        return fail_path(err, "stat", path);
    if (!S_ISDIR(st.st_mode))
        return skep_fail(err, SKEP_EEXISTS, "%s is there and not a directory", path);
    return SKEP_OK;
}

static skep_rc real_rename(const struct skep_os *self, const char *from, const char *to,
                           skep_err *err)
{
    (void)self;
    return rename(from, to) == 0 ? SKEP_OK : fail_path(err, "rename", from);
}

static skep_rc real_unlink(const struct skep_os *self, const char *path, skep_err *err)
{
    (void)self;
    return unlink(path) == 0 ? SKEP_OK : fail_path(err, "unlink", path);
}

static skep_rc real_list(const struct skep_os *self, const char *path, skep_os_name_fn *fn,
                         void *ctx, skep_err *err)
{
    (void)self;
    DIR *d = opendir(path);
    if (!d)
        return fail_path(err, "opendir", path);
    skep_rc rc = SKEP_OK;
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) {
            if (errno)
                rc = fail_path(err, "readdir", path);
            break;
        }
        skep_str name = skep_str_c(e->d_name);
        if (skep_str_eq(name, SKEP_STR(".")) || skep_str_eq(name, SKEP_STR("..")))
            continue;
        if (!fn(ctx, name))
            break;
    }
    (void)closedir(d);
    return rc;
}

static skep_rc real_lock(const struct skep_os *self, int fd, skep_err *err)
{
    (void)self;
    int rc;
    do {
        rc = flock(fd, LOCK_EX | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    if (rc == 0)
        return SKEP_OK;
    if (errno == EWOULDBLOCK)
        return skep_fail(err, SKEP_EEXISTS, "the lock is held by another process");
    return fail_fd(err, "flock", fd);
}

static skep_rc real_space(const struct skep_os *self, const char *path, struct skep_os_space *ret,
                          skep_err *err)
{
    (void)self;
    struct statvfs v;
    if (statvfs(path, &v) != 0)
        return fail_path(err, "statvfs", path);
    *ret = (struct skep_os_space){.free_bytes = (uint64_t)v.f_bavail * v.f_frsize,
                                  .total_bytes = (uint64_t)v.f_blocks * v.f_frsize};
    return SKEP_OK;
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    int rc = clock_gettime(id, &ts);
    skep_assert(rc == 0);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t real_now_ns(const struct skep_os *self)
{
    (void)self;
    return clock_ns(CLOCK_REALTIME);
}

static int64_t real_mono_ns(const struct skep_os *self)
{
    (void)self;
    return clock_ns(CLOCK_MONOTONIC);
}

static void real_random(const struct skep_os *self, void *buf, size_t n)
{
    (void)self;
    uint8_t *p = buf;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        skep_assert(got > 0); /* the kernel's pool is there since boot */
        p += got;
        n -= (size_t)got;
    }
}

const struct skep_os *skep_os_real(void)
{
    static const struct skep_os real = {
        .name = "real",
        .open = real_open,
        .close = real_close,
        .pread = real_pread,
        .pwrite = real_pwrite,
        .fdatasync = real_fdatasync,
        .fsync = real_fsync,
        .preallocate = real_preallocate,
        .zero = real_zero,
        .truncate = real_truncate,
        .fstat = real_fstat,
        .stat = real_stat,
        .mkdir = real_mkdir,
        .rename = real_rename,
        .unlink = real_unlink,
        .list = real_list,
        .lock = real_lock,
        .space = real_space,
        .now_ns = real_now_ns,
        .mono_ns = real_mono_ns,
        .random = real_random,
    };
    return &real;
}
