// SPDX-License-Identifier: Apache-2.0
/* A file system in memory with two images: what programs see, and what the disk surely has.
 *
 * A file's unsynced writes are a list; fsync empties it into the durable image.  A directory's
 * creations (of directories, too), renames and unlinks are a list; fsync of the directory applies
 * them to the durable names.  At the power cut each list is replayed in part: one cut keeps a
 * prefix of all changes of names (a journal), another a prefix for each directory, a third each
 * change or not, whatever came before it; a rename is one change in all of them.  A file is reached
 * only where its directory has survived.  Of a write a prefix may remain, or each sector for itself
 * what was written, what stood there before, or neither.
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

enum { SECTOR = 512, MAX_FDS = 512 };

struct image {
    uint8_t *p;
    uint64_t n, cap;
};

struct pending {
    bool is_size; /* truncate or preallocate: size alone */
    uint64_t at, n;
    uint8_t *p;
};

struct inode {
    unsigned refs; /* names in either table, and descriptors */
    struct image seen, durable;
    struct pending *writes;
    size_t n_writes, cap_writes;
    bool locked;
};

struct entry {
    char path[256];
    struct inode *inode; /* NULL: a directory */
};

struct table {
    struct entry *e;
    size_t n, cap;
};

struct change { /* of a directory: the name is this inode now, or a directory, or gone */
    char path[256];
    struct inode *inode;
    bool is_dir;
    bool with_next; /* one with the change that follows: the halves of a rename */
};

struct mem_os {
    struct skep_os os;
    pthread_mutex_t mu;
    uint64_t rnd;
    struct table seen, durable;
    struct change *changes;
    size_t n_changes, cap_changes;
    struct {
        struct inode *inode;
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

static uint64_t rnd(struct mem_os *m)
{
    m->rnd ^= m->rnd << 13;
    m->rnd ^= m->rnd >> 7;
    m->rnd ^= m->rnd << 17;
    return m->rnd;
}

static void image_size(struct image *i, uint64_t n)
{
    if (n > i->cap) {
        uint64_t cap = SKEP_MAX(n, i->cap * 2);
        i->p = skep_realloc(i->p, cap);
        i->cap = cap;
    }
    if (n > i->n)
        memset(i->p + i->n, 0, n - i->n);
    i->n = n;
}

static void image_write(struct image *i, const void *p, uint64_t n, uint64_t at)
{
    if (at + n > i->n)
        image_size(i, at + n);
    if (n)
        memcpy(i->p + at, p, n);
}

static void inode_unref(struct inode *i)
{
    if (!i || --i->refs > 0)
        return;
    for (size_t k = 0; k < i->n_writes; k++)
        skep_free(i->writes[k].p);
    skep_free(i->writes);
    skep_free(i->seen.p);
    skep_free(i->durable.p);
    skep_free(i);
}

static struct entry *find(struct table *t, const char *path)
{
    for (size_t k = 0; k < t->n; k++)
        if (strcmp(t->e[k].path, path) == 0)
            return &t->e[k];
    return NULL;
}

static void set_name(struct table *t, const char *path, struct inode *i)
{
    if (i)
        i->refs++;
    struct entry *e = find(t, path);
    if (e) {
        inode_unref(e->inode);
        e->inode = i;
        return;
    }
    SKEP_GROW(t->e, t->n, t->cap);
    e = &t->e[t->n++];
    (void)snprintf(e->path, sizeof e->path, "%s", path);
    e->inode = i;
}

static void drop_name(struct table *t, const char *path)
{
    struct entry *e = find(t, path);
    if (!e)
        return;
    inode_unref(e->inode);
    *e = t->e[--t->n];
}

static struct change *note_change(struct mem_os *m, const char *path, struct inode *i)
{
    SKEP_GROW(m->changes, m->n_changes, m->cap_changes);
    struct change *c = &m->changes[m->n_changes++];
    *c = (struct change){.inode = i};
    (void)snprintf(c->path, sizeof c->path, "%s", path);
    if (i)
        i->refs++;
    return c;
}

static void apply_change(struct mem_os *m, struct change *c)
{
    if (c->inode || c->is_dir)
        set_name(&m->durable, c->path, c->inode);
    else
        drop_name(&m->durable, c->path);
}

static bool in_dir(const char *path, const char *dir)
{
    size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/' && strchr(path + n + 1, '/') == NULL;
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
    for (size_t k = 0; k < m->seen.n; k++)
        if (m->seen.e[k].inode)
            n += m->seen.e[k].inode->seen.n;
    return n;
}

static bool too_full(struct mem_os *m, const struct inode *i, uint64_t size)
{
    return m->limit && size > i->seen.n && used_locked(m) + (size - i->seen.n) > m->limit;
}

static skep_rc open_locked(struct mem_os *m, const char *path, unsigned flags, int *ret,
                           skep_err *err)
{
    if (off(m, flags & (SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC)))
        return OFF(err);
    static struct entry root;
    struct entry *e = find(&m->seen, path);
    bool dir = flags & SKEP_OPEN_DIR;
    if (dir && strcmp(path, "/") == 0)
        e = &root;
    if (dir ? !e || e->inode : !e && !(flags & SKEP_OPEN_CREATE))
        return skep_fail(err, SKEP_ENOTFOUND, "no %s", path);
    if (e && flags & SKEP_OPEN_EXCL)
        return skep_fail(err, SKEP_EEXISTS, "%s is there", path);
    int fd = 3;
    while (fd < MAX_FDS && m->fds[fd].used)
        fd++;
    skep_assert(fd < MAX_FDS);
    struct inode *i = e ? e->inode : NULL;
    if (!e) {
        i = skep_alloc(struct inode);
        set_name(&m->seen, path, i);
        note_change(m, path, i);
    } else if (i && flags & SKEP_OPEN_TRUNC) {
        image_size(&i->seen, 0);
        SKEP_GROW(i->writes, i->n_writes, i->cap_writes);
        i->writes[i->n_writes++] = (struct pending){.is_size = true};
    }
    m->fds[fd].used = true;
    m->fds[fd].holds_lock = false;
    m->fds[fd].inode = i;
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
        m->fds[fd].inode->locked = false;
    inode_unref(m->fds[fd].inode);
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
    if (off(m, false) || !m->fds[fd].inode)
        rc = OFF(err);
    else if (at + n > m->fds[fd].inode->seen.n)
        rc = skep_fail(err, SKEP_ECORRUPT, "end of file");
    else if (n)
        memcpy(buf, m->fds[fd].inode->seen.p + at, n);
    UNLOCK(m);
    return rc;
}

static skep_rc m_pwrite(const struct skep_os *os, int fd, const void *buf, size_t n, uint64_t at,
                        skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    struct inode *i = m->fds[fd].inode;
    if (off(m, true) || !i) {
        rc = OFF(err);
    } else if (too_full(m, i, at + n)) {
        rc = skep_fail(err, SKEP_ENOSPC, "the disk is full");
    } else {
        image_write(&i->seen, buf, n, at);
        SKEP_GROW(i->writes, i->n_writes, i->cap_writes);
        i->writes[i->n_writes++] = (struct pending){.at = at, .n = n, .p = skep_malloc(n)};
        memcpy(i->writes[i->n_writes - 1].p, buf, n);
    }
    UNLOCK(m);
    return rc;
}

static void apply_write(struct inode *i, const struct pending *w)
{
    if (w->is_size)
        image_size(&i->durable, w->at);
    else
        image_write(&i->durable, w->p, w->n, w->at);
}

static void forget_writes(struct inode *i)
{
    for (size_t k = 0; k < i->n_writes; k++)
        skep_free(i->writes[k].p);
    i->n_writes = 0;
}

/* The changes of a directory, with those that are one with them, become durable. */
static void sync_names(struct mem_os *m, const char *dir)
{
    size_t kept = 0;
    for (size_t first = 0, end; first < m->n_changes; first = end) {
        bool ours = false;
        for (end = first; end == first || m->changes[end - 1].with_next; end++)
            ours |= in_dir(m->changes[end].path, dir);
        for (size_t k = first; k < end; k++) {
            struct change *c = &m->changes[k];
            if (ours) {
                apply_change(m, c);
                inode_unref(c->inode);
            } else {
                m->changes[kept++] = *c;
            }
        }
    }
    m->n_changes = kept;
}

static skep_rc m_fsync(const struct skep_os *os, int fd, skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    if (off(m, true) || !m->fds[fd].used) {
        rc = OFF(err);
    } else if (m->fds[fd].inode) {
        struct inode *i = m->fds[fd].inode;
        for (size_t k = 0; k < i->n_writes; k++)
            apply_write(i, &i->writes[k]);
        forget_writes(i);
    } else {
        sync_names(m, m->fds[fd].dir);
    }
    UNLOCK(m);
    return rc;
}

static skep_rc set_size(struct mem_os *m, int fd, uint64_t size, bool shrink, skep_err *err)
{
    LOCK(m);
    skep_rc rc = SKEP_OK;
    struct inode *i = m->fds[fd].inode;
    if (off(m, true) || !i) {
        rc = OFF(err);
    } else if (too_full(m, i, size)) {
        rc = skep_fail(err, SKEP_ENOSPC, "the disk is full");
    } else if (shrink || size > i->seen.n) {
        image_size(&i->seen, size);
        SKEP_GROW(i->writes, i->n_writes, i->cap_writes);
        i->writes[i->n_writes++] = (struct pending){.is_size = true, .at = size};
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
    if (off(m, false) || !m->fds[fd].inode)
        rc = OFF(err);
    else
        *ret = (struct skep_os_stat){.size_bytes = m->fds[fd].inode->seen.n};
    UNLOCK(m);
    return rc;
}

static skep_rc m_stat(const struct skep_os *os, const char *path, struct skep_os_stat *ret,
                      skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    struct entry *e = find(&m->seen, path);
    if (!e)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no %s", path);
    else
        *ret = (struct skep_os_stat){.size_bytes = e->inode ? e->inode->seen.n : 0,
                                     .is_dir = !e->inode};
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
    } else if (!find(&m->seen, path)) {
        set_name(&m->seen, path, NULL);
        note_change(m, path, NULL)->is_dir = true;
    }
    UNLOCK(m);
    return rc;
}

static void rename_one(struct mem_os *m, const char *from, const char *to)
{
    struct inode *i = find(&m->seen, from)->inode;
    if (i)
        i->refs++;
    struct change *c = note_change(m, to, i);
    c->is_dir = !i;
    c->with_next = true;
    note_change(m, from, NULL);
    drop_name(&m->seen, from);
    set_name(&m->seen, to, i);
    inode_unref(i);
}

/* All that stands in a directory, however deep, as part of the same change. */
static void rename_inside(struct mem_os *m, const char *from, const char *to)
{
    size_t n = strlen(from);
    for (size_t k = 0; k < m->seen.n;) {
        char old[256], now[512];
        (void)snprintf(old, sizeof old, "%s", m->seen.e[k].path);
        if (strncmp(old, from, n) != 0 || old[n] != '/') {
            k++;
            continue;
        }
        (void)snprintf(now, sizeof now, "%s%s", to, old + n);
        skep_assert(strlen(now) < sizeof old);
        m->changes[m->n_changes - 1].with_next = true;
        rename_one(m, old, now);
        k = 0;
    }
}

static skep_rc m_rename(const struct skep_os *os, const char *from, const char *to, skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    skep_rc rc = SKEP_OK;
    struct entry *e = find(&m->seen, from);
    if (off(m, true)) {
        rc = OFF(err);
    } else if (!e) {
        rc = skep_fail(err, SKEP_ENOTFOUND, "no %s", from);
    } else {
        rename_one(m, from, to);
        if (!find(&m->seen, to)->inode)
            rename_inside(m, from, to);
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
    } else if (!find(&m->seen, path)) {
        rc = skep_fail(err, SKEP_ENOTFOUND, "no %s", path);
    } else {
        note_change(m, path, NULL);
        drop_name(&m->seen, path);
    }
    UNLOCK(m);
    return rc;
}

static skep_rc m_list(const struct skep_os *os, const char *path, skep_os_name_fn *fn, void *ctx,
                      skep_err *err)
{
    struct mem_os *m = mem_of(os);
    LOCK(m);
    struct entry *dir = find(&m->seen, path);
    bool is_off = off(m, false);
    if (is_off || !dir || dir->inode) {
        UNLOCK(m);
        return is_off ? OFF(err) : skep_fail(err, SKEP_ENOTFOUND, "no directory %s", path);
    }
    char(*names)[256] = skep_malloc((m->seen.n + 1) * sizeof *names);
    size_t n = 0;
    for (size_t k = 0; k < m->seen.n; k++)
        if (in_dir(m->seen.e[k].path, path))
            (void)snprintf(names[n++], sizeof names[0], "%s", strrchr(m->seen.e[k].path, '/') + 1);
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
    if (m->fds[fd].inode->locked)
        rc = skep_fail(err, SKEP_EEXISTS, "locked");
    else
        m->fds[fd].inode->locked = m->fds[fd].holds_lock = true;
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
        ((uint8_t *)buf)[k] = (uint8_t)rnd(m);
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

static void table_done(struct table *t)
{
    for (size_t k = 0; k < t->n; k++)
        inode_unref(t->e[k].inode);
    skep_free(t->e);
    *t = (struct table){0};
}

void mem_os_free(struct mem_os *m)
{
    for (int fd = 0; fd < MAX_FDS; fd++)
        close_locked(m, fd);
    for (size_t k = 0; k < m->n_changes; k++)
        inode_unref(m->changes[k].inode);
    skep_free(m->changes);
    table_done(&m->seen);
    table_done(&m->durable);
    (void)pthread_mutex_destroy(&m->mu);
    skep_free(m);
}

const struct skep_os *mem_os_ops(struct mem_os *m)
{
    return &m->os;
}

/* Part of an unsynced write reaches the disk: a prefix to the byte; or sector by sector kept,
 * dropped or garbled. */
static void tear(struct mem_os *m, struct inode *i, const struct pending *w)
{
    if (rnd(m) % 4 == 0) {
        image_write(&i->durable, w->p, rnd(m) % (w->n + 1), w->at);
        return;
    }
    for (uint64_t at = 0; at < w->n;) {
        uint64_t n = SKEP_MIN(w->n - at, SECTOR - (w->at + at) % SECTOR);
        uint64_t fate = rnd(m) % 8;
        if (fate < 4) {
            image_write(&i->durable, w->p + at, n, w->at + at);
        } else if (fate == 4) {
            uint8_t junk[SECTOR];
            for (uint64_t k = 0; k < n; k++)
                junk[k] = (uint8_t)rnd(m);
            image_write(&i->durable, junk, n, w->at + at);
        }
        at += n;
    }
}

static void survive(struct mem_os *m, struct inode *i)
{
    for (size_t k = 0; k < i->n_writes; k++) {
        uint64_t fate = rnd(m) % 3;
        if (fate == 0 || (fate == 1 && i->writes[k].is_size))
            apply_write(i, &i->writes[k]);
        else if (fate == 1)
            tear(m, i, &i->writes[k]);
    }
    forget_writes(i);
}

static void restart_with(struct inode *i)
{
    i->locked = false;
    image_size(&i->seen, 0);
    image_write(&i->seen, i->durable.p, i->durable.n, 0);
}

/* The directory a name stands in is there; those at the top always are. */
static bool has_dir(struct mem_os *m, const char *path)
{
    char dir[256];
    (void)snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = 0;
    return dir[0] == 0 || find(&m->durable, dir) != NULL;
}

/* Which unsynced changes of names have reached the disk. */
static void survive_names(struct mem_os *m)
{
    enum { JOURNAL, EACH_DIR, EACH, FATES };
    uint64_t fate = rnd(m) % FATES, salt = rnd(m);
    size_t keep = m->n_changes ? rnd(m) % (m->n_changes + 1) : 0;
    bool kept = false, joined = false;
    for (size_t k = 0; k < m->n_changes; k++) {
        struct change *c = &m->changes[k];
        if (joined) {
        } else if (fate == JOURNAL) {
            kept = k < keep;
        } else if (fate == EACH_DIR) { /* its own share of the list */
            uint64_t h = salt;
            for (const char *p = c->path; p < strrchr(c->path, '/'); p++)
                h = (h ^ (uint8_t)*p) * 0x100000001b3ull;
            kept = k < (h >> 20) % (m->n_changes + 1);
        } else {
            kept = rnd(m) % 2;
        }
        joined = c->with_next;
        if (kept)
            apply_change(m, c);
        inode_unref(c->inode);
    }
    m->n_changes = 0;
    for (size_t k = 0; k < m->durable.n;) /* what stood in a directory that is gone is gone */
        if (has_dir(m, m->durable.e[k].path)) {
            k++;
        } else {
            drop_name(&m->durable, m->durable.e[k].path);
            k = 0;
        }
}

void mem_os_power_cut(struct mem_os *m)
{
    LOCK(m);
    survive_names(m);
    for (int fd = 0; fd < MAX_FDS; fd++)
        close_locked(m, fd);
    table_done(&m->seen);
    for (size_t k = 0; k < m->durable.n; k++) {
        struct entry *e = &m->durable.e[k];
        if (e->inode) {
            survive(m, e->inode);
            restart_with(e->inode);
        }
        set_name(&m->seen, e->path, e->inode);
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
    struct inode *i = m->fds[fd].used ? m->fds[fd].inode : NULL;
    if (i && !m->dead)
        survive(m, i);
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
    struct entry *e = find(&m->seen, path);
    bool ok = e && e->inode && bit / 8 < e->inode->seen.n;
    if (ok) {
        uint64_t at = bit / 8;
        uint8_t b = (uint8_t)(e->inode->seen.p[at] ^ (1u << (bit % 8)));
        image_write(&e->inode->seen, &b, 1, at);
        image_write(&e->inode->durable, &b, 1, at);
    }
    UNLOCK(m);
    return ok;
}
