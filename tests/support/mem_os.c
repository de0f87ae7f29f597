// SPDX-License-Identifier: Apache-2.0
/* A file system in memory with two images: what programs see, and what the disk surely has.  Of a
 * file's content that is mem_file.c, of the names mem_names.c; here are the calls, one lock around
 * each, and the power.
 *
 * A failed sync loses part of the file's unsynced writes for good, while reading shows them: so
 * kernels do.  The next sync succeeds and says nothing. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "support/fault_os.h"
#include "support/mem_disk.h"

enum { MAX_FDS = 512 };

struct mem_os {
    struct skep_os os;
    pthread_mutex_t mu;
    uint64_t rnd;
    struct mem_names names;
    struct {
        struct mem_file *file; /* NULL: a directory */
        char *dir;
        bool used;
        bool holds_lock;
    } fds[MAX_FDS];
    int64_t die_after;
    bool dead;
    uint64_t limit;
    int64_t now_ns; /* 0 = the real clock */
};

static struct mem_os *mem_of(const struct skep_os *os)
{
    return (struct mem_os *)(uintptr_t)os;
}

/* Counts down; true when the machine is off. */
static bool off(struct mem_os *m, bool counts)
{
    if (!m->dead && counts && m->die_after >= 0 && m->die_after-- == 0)
        m->dead = true;
    return m->dead;
}

#define LOCK(m)   (void)pthread_mutex_lock(&(m)->mu)
#define UNLOCK(m) (void)pthread_mutex_unlock(&(m)->mu)
#define OFF(err)  skep_fail(err, SKEP_EIO, "the power is off")

static uint64_t used_locked(const struct mem_os *m)
{
    uint64_t n = 0;
    for (size_t k = 0; k < m->names.seen.n; k++)
        if (m->names.seen.e[k].file)
            n += m->names.seen.e[k].file->seen.n;
    return n;
}

static bool too_full(struct mem_os *m, const struct mem_file *i, uint64_t size)
{
    return m->limit && size > i->seen.n && used_locked(m) + (size - i->seen.n) > m->limit;
}

static skep_rc open_locked(struct mem_os *m, const char *path, unsigned flags, int *ret,
                           skep_err *err)
{
    if (off(m, flags & (SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC)))
        return OFF(err);
    static struct mem_entry root;
    struct mem_entry *e = mem_names_find(&m->names, path);
    bool dir = flags & SKEP_OPEN_DIR;
    if (dir && strcmp(path, "/") == 0)
        e = &root;
    if (dir ? !e || e->file : !e && !(flags & SKEP_OPEN_CREATE))
        return skep_fail(err, SKEP_ENOTFOUND, "no %s", path);
    if (e && flags & SKEP_OPEN_EXCL)
        return skep_fail(err, SKEP_EEXISTS, "%s is there", path);
    int fd = 3;
    while (fd < MAX_FDS && m->fds[fd].used)
        fd++;
    skep_assert(fd < MAX_FDS);
    struct mem_file *i = e ? e->file : NULL;
    if (!e) {
        i = skep_alloc(struct mem_file);
        mem_names_add(&m->names, path, i);
    } else if (i && flags & SKEP_OPEN_TRUNC) {
        mem_file_size(i, 0);
    }
    m->fds[fd].used = true;
    m->fds[fd].holds_lock = false;
    m->fds[fd].file = i;
    m->fds[fd].dir = dir ? skep_strndup(path, strlen(path)) : NULL;
    if (i)
        i->refs++;
    *ret = fd;
    return SKEP_OK;
}

static skep_rc m_open(const struct skep_os *os, const char *path, unsigned flags, int *ret,
                      skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = open_locked(m, path, flags, ret, err);
    UNLOCK(m);
    return rc;
}

static void close_locked(struct mem_os *m, int fd)
{
    if (!m->fds[fd].used)
        return; /* died with the power */
    if (m->fds[fd].holds_lock)
        m->fds[fd].file->locked = false;
    mem_file_unref(m->fds[fd].file);
    skep_free(m->fds[fd].dir);
    memset(&m->fds[fd], 0, sizeof m->fds[fd]);
}

static void m_close(const struct skep_os *os, int fd)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    close_locked(m, fd);
    UNLOCK(m);
}

static skep_rc m_pread(const struct skep_os *os, int fd, void *buf, size_t n, uint64_t at,
                       skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    if (off(m, false) || !m->fds[fd].file)
        rc = OFF(err);
    else if (at + n > m->fds[fd].file->seen.n)
        rc = skep_fail(err, SKEP_ECORRUPT, "end of file");
    else
        mem_file_read(m->fds[fd].file, buf, n, at);
    UNLOCK(m);
    return rc;
}

static skep_rc m_pwrite(const struct skep_os *os, int fd, const void *buf, size_t n, uint64_t at,
                        skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    struct mem_file *i = m->fds[fd].file;
    if (off(m, true) || !i) {
        rc = OFF(err);
    } else if (too_full(m, i, at + n)) {
        rc = skep_fail(err, SKEP_ENOSPC, "the disk is full");
    } else {
        mem_file_write(i, buf, n, at);
    }
    UNLOCK(m);
    return rc;
}

static skep_rc m_fsync(const struct skep_os *os, int fd, skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    if (off(m, true) || !m->fds[fd].used) {
        rc = OFF(err);
    } else if (m->fds[fd].file) {
        mem_file_sync(m->fds[fd].file);
    } else {
        mem_names_sync(&m->names, m->fds[fd].dir);
    }
    UNLOCK(m);
    return rc;
}

static skep_rc set_size(struct mem_os *m, int fd, uint64_t size, bool shrink, skep_err *err)
{
    LOCK(m);
    skep_rc rc = SKEP_OK;
    struct mem_file *i = m->fds[fd].file;
    if (off(m, true) || !i) {
        rc = OFF(err);
    } else if (too_full(m, i, size)) {
        rc = skep_fail(err, SKEP_ENOSPC, "the disk is full");
    } else if (shrink || size > i->seen.n) {
        mem_file_size(i, size);
    }
    UNLOCK(m);
    return rc;
}

static skep_rc m_preallocate(const struct skep_os *os, int fd, uint64_t size, skep_err *err)
{
    return set_size(mem_of(os), fd, size, false, err);
}

static skep_rc m_truncate(const struct skep_os *os, int fd, uint64_t size, skep_err *err)
{
    return set_size(mem_of(os), fd, size, true, err);
}

static skep_rc m_fstat(const struct skep_os *os, int fd, struct skep_os_stat *ret, skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    if (off(m, false) || !m->fds[fd].file)
        rc = OFF(err);
    else
        *ret = (struct skep_os_stat){.size_bytes = m->fds[fd].file->seen.n};
    UNLOCK(m);
    return rc;
}

static skep_rc m_stat(const struct skep_os *os, const char *path, struct skep_os_stat *ret,
                      skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    struct mem_entry *e = mem_names_find(&m->names, path);
    if (!e)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no %s", path);
    else
        *ret =
            (struct skep_os_stat){.size_bytes = e->file ? e->file->seen.n : 0, .is_dir = !e->file};
    UNLOCK(m);
    return rc;
}

static skep_rc m_mkdir(const struct skep_os *os, const char *path, skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    if (off(m, true)) {
        rc = OFF(err);
    } else if (!mem_names_find(&m->names, path)) {
        mem_names_add(&m->names, path, NULL);
    }
    UNLOCK(m);
    return rc;
}

static skep_rc m_rename(const struct skep_os *os, const char *from, const char *to, skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    struct mem_entry *e = mem_names_find(&m->names, from);
    if (off(m, true)) {
        rc = OFF(err);
    } else if (!e) {
        rc = skep_fail(err, SKEP_ENOTFOUND, "no %s", from);
    } else {
        mem_names_rename(&m->names, from, to);
    }
    UNLOCK(m);
    return rc;
}

static skep_rc m_unlink(const struct skep_os *os, const char *path, skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    if (off(m, true)) {
        rc = OFF(err);
    } else if (!mem_names_find(&m->names, path)) {
        rc = skep_fail(err, SKEP_ENOTFOUND, "no %s", path);
    } else {
        mem_names_drop(&m->names, path);
    }
    UNLOCK(m);
    return rc;
}

static skep_rc m_list(const struct skep_os *os, const char *path, skep_os_name_fn *fn, void *ctx,
                      skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    struct mem_entry *dir = mem_names_find(&m->names, path);
    bool is_off = off(m, false);
    if (is_off || !dir || dir->file) {
        UNLOCK(m);
        return is_off ? OFF(err) : skep_fail(err, SKEP_ENOTFOUND, "no directory %s", path);
    }
    char(*names)[256] = skep_malloc((m->names.seen.n + 1) * sizeof *names);
    size_t n = 0;
    for (size_t k = 0; k < m->names.seen.n; k++)
        if (mem_names_in_dir(m->names.seen.e[k].path, path))
            (void)snprintf(names[n++], sizeof names[0], "%s",
                           strrchr(m->names.seen.e[k].path, '/') + 1);
    UNLOCK(m);
    for (size_t k = 0; k < n && fn(ctx, skep_str_c(names[k])); k++) {
    }
    skep_free(names);
    return SKEP_OK;
}

static skep_rc m_lock(const struct skep_os *os, int fd, skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    if (m->fds[fd].file->locked)
        rc = skep_fail(err, SKEP_EEXISTS, "locked");
    else
        m->fds[fd].file->locked = m->fds[fd].holds_lock = true;
    UNLOCK(m);
    return rc;
}

static skep_rc m_space(const struct skep_os *os, const char *path, struct skep_os_space *ret,
                       skep_err *err)
{
    (void)path;
    (void)err;
    struct mem_os *m = mem_of(os);
    LOCK(m);
    uint64_t total = m->limit ? m->limit : 1ull << 40, used = used_locked(m);
    *ret = (struct skep_os_space){total > used ? total - used : 0, total};
    UNLOCK(m);
    return SKEP_OK;
}

static int64_t m_now_ns(const struct skep_os *os)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    int64_t now = m->now_ns;
    UNLOCK(m);
    return now ? now : skep_os_real()->now_ns(skep_os_real());
}

static int64_t m_mono_ns(const struct skep_os *os)
{
    (void)os;
    return skep_os_real()->mono_ns(skep_os_real());
}

static void m_random(const struct skep_os *os, void *buf, size_t n)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    for (size_t k = 0; k < n; k++)
        ((uint8_t *)buf)[k] = (uint8_t)mem_rnd(&m->rnd);
    UNLOCK(m);
}

struct mem_os *mem_os_new(uint64_t seed)
{
    struct mem_os *m = skep_alloc(struct mem_os);
    (void)pthread_mutex_init(&m->mu, NULL);
    m->rnd = seed * 2654435761u + 88172645463325252ull;
    m->die_after = -1;
    m->os = (struct skep_os){.name = "mem",
                             .open = m_open,
                             .close = m_close,
                             .pread = m_pread,
                             .pwrite = m_pwrite,
                             .fdatasync = m_fsync,
                             .fsync = m_fsync,
                             .preallocate = m_preallocate,
                             .zero = m_preallocate,
                             .truncate = m_truncate,
                             .fstat = m_fstat,
                             .stat = m_stat,
                             .mkdir = m_mkdir,
                             .rename = m_rename,
                             .unlink = m_unlink,
                             .list = m_list,
                             .lock = m_lock,
                             .space = m_space,
                             .now_ns = m_now_ns,
                             .mono_ns = m_mono_ns,
                             .random = m_random};
    return m;
}

void mem_os_free(struct mem_os *m)
{
    for (int fd = 0; fd < MAX_FDS; fd++)
        close_locked(m, fd);
    mem_names_done(&m->names);
    (void)pthread_mutex_destroy(&m->mu);
    skep_free(m);
}

const struct skep_os *mem_os_ops(struct mem_os *m)
{
    return &m->os;
}

void mem_os_power_cut(struct mem_os *m)
{
    LOCK(m);
    for (int fd = 0; fd < MAX_FDS; fd++)
        close_locked(m, fd);
    mem_names_restart(&m->names, &m->rnd);
    for (size_t k = 0; k < m->names.seen.n; k++) {
        struct mem_file *i = m->names.seen.e[k].file;
        if (i) {
            mem_file_survive(i, &m->rnd);
            mem_file_restart(i);
        }
    }
    m->dead = false;
    m->die_after = -1;
    UNLOCK(m);
}

void mem_os_kill(struct mem_os *m)
{
    LOCK(m);
    for (int fd = 0; fd < MAX_FDS; fd++)
        close_locked(m, fd);
    m->dead = false;
    m->die_after = -1;
    UNLOCK(m);
}

void mem_os_sync_failed(struct mem_os *m, int fd)
{
    LOCK(m);
    struct mem_file *i = m->fds[fd].used ? m->fds[fd].file : NULL;
    if (i && !m->dead)
        mem_file_survive(i, &m->rnd);
    UNLOCK(m);
}

void mem_os_set_now(struct mem_os *m, int64_t now_ns)
{
    LOCK(m);
    m->now_ns = now_ns;
    UNLOCK(m);
}

void mem_os_die_after(struct mem_os *m, int64_t calls)
{
    LOCK(m);
    m->die_after = calls;
    UNLOCK(m);
}

bool mem_os_dead(struct mem_os *m)
{
    LOCK(m);
    bool dead = m->dead;
    UNLOCK(m);
    return dead;
}

void mem_os_limit(struct mem_os *m, uint64_t bytes)
{
    LOCK(m);
    m->limit = bytes;
    UNLOCK(m);
}

uint64_t mem_os_used(struct mem_os *m)
{
    LOCK(m);
    uint64_t n = used_locked(m);
    UNLOCK(m);
    return n;
}

bool mem_os_flip(struct mem_os *m, const char *path, uint64_t bit)
{
    LOCK(m);
    struct mem_entry *e = mem_names_find(&m->names, path);
    bool ok = e && e->file && bit / 8 < e->file->seen.n;
    if (ok)
        mem_file_flip(e->file, bit);
    UNLOCK(m);
    return ok;
}
