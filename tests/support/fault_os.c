// SPDX-License-Identifier: Apache-2.0
/* Faults on purpose: every call goes through to the inner os unless it is armed to fail.
 * Threads: any; the counters are atomic. */
#include "support/fault_os.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* struct fault_os embeds the os first. */
static struct fault_os *self_of(const struct skep_os *os)
{
    return (struct fault_os *)(uintptr_t)os;
}

static bool bit_get(_Atomic uint64_t *bits, int fd)
{
    return fd < 1024 && (atomic_load(&bits[fd / 64]) >> (fd % 64) & 1);
}

static void bit_set(_Atomic uint64_t *bits, int fd, bool on)
{
    if (fd >= 1024)
        return;
    if (on)
        atomic_fetch_or(&bits[fd / 64], 1ull << (fd % 64));
    else
        atomic_fetch_and(&bits[fd / 64], ~(1ull << (fd % 64)));
}

static bool hit(struct fault_os *f, unsigned call, bool watched)
{
    if (!(atomic_load(&f->calls) & call) || (f->only && !watched))
        return false;
    while (atomic_load(&f->hold))
        (void)usleep(1000);
    int64_t n = atomic_fetch_add(&f->seen, 1);
    int64_t skip = atomic_load(&f->skip);
    if (n < skip || n - skip >= atomic_load(&f->times))
        return false;
    int64_t then_die = atomic_load(&f->then_die);
    if (atomic_fetch_add(&f->failed, 1) == 0 && f->mem && then_die >= 0)
        mem_os_die_after(f->mem, then_die);
    return true;
}

#define FAIL(f, err, what)                                                                         \
    skep_fail((err), (f)->rc ? (f)->rc : SKEP_EIO, "injected failure of %s", what)

static bool path_watched(const struct fault_os *f, const char *path)
{
    return !f->only || strstr(path, f->only) != NULL;
}

static skep_rc f_open(const struct skep_os *os, const char *path, unsigned flags, int *fd,
                      skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (!(flags & SKEP_OPEN_DIR) && hit(f, FAULT_OPEN, path_watched(f, path)))
        return FAIL(f, err, path);
    SKEP_TRY(f->inner->open(f->inner, path, flags, fd, err));
    bit_set(f->dirs, *fd, flags & SKEP_OPEN_DIR);
    bit_set(f->watched, *fd, path_watched(f, path));
    return SKEP_OK;
}

static void f_close(const struct skep_os *os, int fd)
{
    struct fault_os *f = self_of(os);
    f->inner->close(f->inner, fd);
}

static skep_rc f_pread(const struct skep_os *os, int fd, void *buf, size_t n, uint64_t at,
                       skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_PREAD, bit_get(f->watched, fd)))
        return FAIL(f, err, "pread");
    return f->inner->pread(f->inner, fd, buf, n, at, err);
}

static skep_rc f_pwrite(const struct skep_os *os, int fd, const void *buf, size_t n, uint64_t at,
                        skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_PWRITE, bit_get(f->watched, fd))) {
        uint64_t part = (uint64_t)atomic_load(&f->seen) * 2654435761u % SKEP_MAX(n, (size_t)1);
        if (f->torn && part > 0)
            (void)f->inner->pwrite(f->inner, fd, buf, part, at, NULL);
        return FAIL(f, err, "pwrite");
    }
    return f->inner->pwrite(f->inner, fd, buf, n, at, err);
}

static skep_rc sync_with(const struct skep_os *os, int fd, bool data, skep_err *err)
{
    struct fault_os *f = self_of(os);
    bool dir = bit_get(f->dirs, fd);
    if (hit(f, dir ? FAULT_SYNC_DIR : FAULT_SYNC, bit_get(f->watched, fd))) {
        if (f->mem)
            mem_os_sync_failed(f->mem, fd);
        return FAIL(f, err, "sync");
    }
    return data ? f->inner->fdatasync(f->inner, fd, err) : f->inner->fsync(f->inner, fd, err);
}

static skep_rc f_fdatasync(const struct skep_os *os, int fd, skep_err *err)
{
    return sync_with(os, fd, true, err);
}

static skep_rc f_fsync(const struct skep_os *os, int fd, skep_err *err)
{
    return sync_with(os, fd, false, err);
}

static skep_rc f_preallocate(const struct skep_os *os, int fd, uint64_t size, skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_PREALLOCATE, bit_get(f->watched, fd)))
        return FAIL(f, err, "preallocate");
    return f->inner->preallocate(f->inner, fd, size, err);
}

static skep_rc f_zero(const struct skep_os *os, int fd, uint64_t size, skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_PREALLOCATE, bit_get(f->watched, fd)))
        return FAIL(f, err, "zero");
    return f->inner->zero(f->inner, fd, size, err);
}

static skep_rc f_truncate(const struct skep_os *os, int fd, uint64_t size, skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_TRUNCATE, bit_get(f->watched, fd)))
        return FAIL(f, err, "truncate");
    return f->inner->truncate(f->inner, fd, size, err);
}

static skep_rc f_fstat(const struct skep_os *os, int fd, struct skep_os_stat *ret, skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_STAT, bit_get(f->watched, fd)))
        return FAIL(f, err, "fstat");
    return f->inner->fstat(f->inner, fd, ret, err);
}

static skep_rc f_stat(const struct skep_os *os, const char *path, struct skep_os_stat *ret,
                      skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_STAT, path_watched(f, path)))
        return FAIL(f, err, path);
    return f->inner->stat(f->inner, path, ret, err);
}

static skep_rc f_mkdir(const struct skep_os *os, const char *path, skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_MKDIR, path_watched(f, path)))
        return FAIL(f, err, path);
    return f->inner->mkdir(f->inner, path, err);
}

static skep_rc f_rename(const struct skep_os *os, const char *from, const char *to, skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_RENAME, path_watched(f, from)))
        return FAIL(f, err, "rename");
    return f->inner->rename(f->inner, from, to, err);
}

static skep_rc f_unlink(const struct skep_os *os, const char *path, skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_UNLINK, path_watched(f, path)))
        return FAIL(f, err, "unlink");
    return f->inner->unlink(f->inner, path, err);
}

static skep_rc f_list(const struct skep_os *os, const char *path, skep_os_name_fn *fn, void *ctx,
                      skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_STAT, path_watched(f, path)))
        return FAIL(f, err, path);
    return f->inner->list(f->inner, path, fn, ctx, err);
}

static skep_rc f_lock(const struct skep_os *os, int fd, skep_err *err)
{
    struct fault_os *f = self_of(os);
    return f->inner->lock(f->inner, fd, err);
}

static skep_rc f_space(const struct skep_os *os, const char *path, struct skep_os_space *ret,
                       skep_err *err)
{
    struct fault_os *f = self_of(os);
    if (hit(f, FAULT_STAT, path_watched(f, path)))
        return FAIL(f, err, path);
    return f->inner->space(f->inner, path, ret, err);
}

static int64_t f_now_ns(const struct skep_os *os)
{
    struct fault_os *f = self_of(os);
    int64_t now = atomic_load(&f->now_ns);
    return now ? now : f->inner->now_ns(f->inner);
}

static int64_t f_mono_ns(const struct skep_os *os)
{
    struct fault_os *f = self_of(os);
    return f->inner->mono_ns(f->inner);
}

static void f_random(const struct skep_os *os, void *buf, size_t n)
{
    struct fault_os *f = self_of(os);
    f->inner->random(f->inner, buf, n);
}

void fault_os_init(struct fault_os *f, const struct skep_os *inner)
{
    memset(f, 0, sizeof *f);
    f->inner = inner;
    atomic_store(&f->then_die, -1);
    f->os = (struct skep_os){.name = "fault",
                             .open = f_open,
                             .close = f_close,
                             .pread = f_pread,
                             .pwrite = f_pwrite,
                             .fdatasync = f_fdatasync,
                             .fsync = f_fsync,
                             .preallocate = f_preallocate,
                             .zero = f_zero,
                             .truncate = f_truncate,
                             .fstat = f_fstat,
                             .stat = f_stat,
                             .mkdir = f_mkdir,
                             .rename = f_rename,
                             .unlink = f_unlink,
                             .list = f_list,
                             .lock = f_lock,
                             .space = f_space,
                             .now_ns = f_now_ns,
                             .mono_ns = f_mono_ns,
                             .random = f_random};
}

void fault_os_arm(struct fault_os *f, unsigned calls, int64_t skip, int64_t times, skep_rc rc)
{
    atomic_store(&f->calls, 0);
    f->rc = rc;
    atomic_store(&f->then_die, -1);
    atomic_store(&f->seen, 0);
    atomic_store(&f->failed, 0);
    atomic_store(&f->skip, skip);
    atomic_store(&f->times, times);
    atomic_store(&f->calls, calls);
}
