// SPDX-License-Identifier: Apache-2.0
/* The names of mem_os: those that are seen, those that the disk has, and the changes between them.
 *
 * A directory's creations (of directories, too), renames and unlinks are a list; fsync of the
 * directory applies them to the durable names.  At the power cut the list is replayed in part: one
 * cut keeps a prefix of all changes (a journal), another a prefix for each directory, a third each
 * change or not, whatever came before it; a rename is one change in all of them.  A file is reached
 * only where its directory has survived. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "support/mem_disk.h"

static struct mem_entry *find(struct mem_table *t, const char *path)
{
    for (size_t k = 0; k < t->n; k++)
        if (strcmp(t->e[k].path, path) == 0)
            return &t->e[k];
    return NULL;
}

static void set_name(struct mem_table *t, const char *path, struct mem_file *f)
{
    if (f)
        f->refs++;
    struct mem_entry *e = find(t, path);
    if (e) {
        mem_file_unref(e->file);
        e->file = f;
        return;
    }
    SKEP_GROW(t->e, t->n, t->cap);
    e = &t->e[t->n++];
    (void)snprintf(e->path, sizeof e->path, "%s", path);
    e->file = f;
}

static void drop_name(struct mem_table *t, const char *path)
{
    struct mem_entry *e = find(t, path);
    if (!e)
        return;
    mem_file_unref(e->file);
    *e = t->e[--t->n];
}

static struct mem_change *note_change(struct mem_names *m, const char *path, struct mem_file *f)
{
    SKEP_GROW(m->changes, m->n_changes, m->cap_changes);
    struct mem_change *c = &m->changes[m->n_changes++];
    *c = (struct mem_change){.file = f};
    (void)snprintf(c->path, sizeof c->path, "%s", path);
    if (f)
        f->refs++;
    return c;
}

static void apply_change(struct mem_names *m, struct mem_change *c)
{
    if (c->file || c->is_dir)
        set_name(&m->durable, c->path, c->file);
    else
        drop_name(&m->durable, c->path);
}

struct mem_entry *mem_names_find(struct mem_names *m, const char *path)
{
    return find(&m->seen, path);
}

bool mem_names_in_dir(const char *path, const char *dir)
{
    size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/' && strchr(path + n + 1, '/') == NULL;
}

void mem_names_add(struct mem_names *m, const char *path, struct mem_file *f)
{
    set_name(&m->seen, path, f);
    note_change(m, path, f)->is_dir = !f;
}

void mem_names_drop(struct mem_names *m, const char *path)
{
    note_change(m, path, NULL);
    drop_name(&m->seen, path);
}

static void rename_one(struct mem_names *m, const char *from, const char *to)
{
    struct mem_file *f = find(&m->seen, from)->file;
    if (f)
        f->refs++;
    struct mem_change *c = note_change(m, to, f);
    c->is_dir = !f;
    c->with_next = true;
    note_change(m, from, NULL);
    drop_name(&m->seen, from);
    set_name(&m->seen, to, f);
    mem_file_unref(f);
}

/* All that stands in a directory, however deep, as part of the same change. */
static void rename_inside(struct mem_names *m, const char *from, const char *to)
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

void mem_names_rename(struct mem_names *m, const char *from, const char *to)
{
    rename_one(m, from, to);
    if (!find(&m->seen, to)->file)
        rename_inside(m, from, to);
}

/* The changes of a directory, with those that are one with them, become durable. */
void mem_names_sync(struct mem_names *m, const char *dir)
{
    size_t kept = 0;
    for (size_t first = 0, end; first < m->n_changes; first = end) {
        bool ours = false;
        for (end = first; end == first || m->changes[end - 1].with_next; end++)
            ours |= mem_names_in_dir(m->changes[end].path, dir);
        for (size_t k = first; k < end; k++) {
            struct mem_change *c = &m->changes[k];
            if (ours) {
                apply_change(m, c);
                mem_file_unref(c->file);
            } else {
                m->changes[kept++] = *c;
            }
        }
    }
    m->n_changes = kept;
}

/* The directory a name stands in is there; those at the top always are. */
static bool has_dir(struct mem_names *m, const char *path)
{
    char dir[256];
    (void)snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = 0;
    return dir[0] == 0 || find(&m->durable, dir) != NULL;
}

static void survive(struct mem_names *m, uint64_t *rnd)
{
    enum { JOURNAL, EACH_DIR, EACH, FATES };
    uint64_t fate = mem_rnd(rnd) % FATES, salt = mem_rnd(rnd);
    size_t keep = m->n_changes ? mem_rnd(rnd) % (m->n_changes + 1) : 0;
    bool kept = false, joined = false;
    for (size_t k = 0; k < m->n_changes; k++) {
        struct mem_change *c = &m->changes[k];
        if (joined) {
        } else if (fate == JOURNAL) {
            kept = k < keep;
        } else if (fate == EACH_DIR) { /* its own share of the list */
            uint64_t h = salt;
            for (const char *p = c->path; p < strrchr(c->path, '/'); p++)
                h = (h ^ (uint8_t)*p) * 0x100000001b3ull;
            kept = k < (h >> 20) % (m->n_changes + 1);
        } else {
            kept = mem_rnd(rnd) % 2;
        }
        joined = c->with_next;
        if (kept)
            apply_change(m, c);
        mem_file_unref(c->file);
    }
    m->n_changes = 0;
}

static void table_done(struct mem_table *t)
{
    for (size_t k = 0; k < t->n; k++)
        mem_file_unref(t->e[k].file);
    skep_free(t->e);
    *t = (struct mem_table){0};
}

void mem_names_restart(struct mem_names *m, uint64_t *rnd)
{
    survive(m, rnd);
    for (size_t k = 0; k < m->durable.n;) /* what stood in a directory that is gone is gone */
        if (has_dir(m, m->durable.e[k].path)) {
            k++;
        } else {
            drop_name(&m->durable, m->durable.e[k].path);
            k = 0;
        }
    table_done(&m->seen);
    for (size_t k = 0; k < m->durable.n; k++)
        set_name(&m->seen, m->durable.e[k].path, m->durable.e[k].file);
}

void mem_names_done(struct mem_names *m)
{
    for (size_t k = 0; k < m->n_changes; k++)
        mem_file_unref(m->changes[k].file);
    skep_free(m->changes);
    table_done(&m->seen);
    table_done(&m->durable);
}
