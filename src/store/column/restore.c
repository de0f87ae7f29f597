// SPDX-License-Identifier: Apache-2.0
/* skep restore: a backup as a data folder.
 *
 *   listing -> DATA.restoring/ (each file's digest compared) -> verified as a store -> DATA
 *
 * I1  DATA is there whole or not at all: the folder is renamed when everything in it was checked.
 * I2  a folder that holds anything is never written to; what an earlier restore left unfinished in
 *     DATA.restoring is written over.
 * I3  names come from the listing, which may be anyone's: only those of our files are taken.
 *
 * Threads: one.  Memory: the listing, a MiB; what verify takes. */
#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/backup_list.h"
#include "store/column/path.h"
#include "store/tools.h"

struct restore {
    const struct skep_tool *t;
    const struct skep_os *os;
    const char *from, *data;
    struct skep_arena arena;
    struct skep_backup_list list;
    struct skep_backup_result r;
    uint64_t done_bytes, total_bytes;
    skep_path aside; /* DATA.restoring */
};

static void step(void *ctx, uint64_t bytes)
{
    struct restore *x = ctx;
    x->done_bytes += bytes;
    if (x->t->progress)
        x->t->progress(x->t->ctx, x->done_bytes, x->total_bytes);
}

static skep_rc damaged(struct restore *x, const struct skep_backup_file *f, const char *what,
                       skep_err *err)
{
    const struct skep_finding finding = {
        .level = SKEP_FINDING_DAMAGE, .file = f->name, .text = skep_str_c(what)};
    x->t->found(x->t->ctx, &finding);
    x->r.damages++;
    return skep_fail(err, SKEP_ECORRUPT, "the backup is damaged: " SKEP_STRFMT " %s",
                     SKEP_STRARG(f->name), what);
}

static skep_rc copy_open(struct restore *x, const struct skep_backup_file *f, int in, int out,
                         skep_err *err)
{
    struct skep_os_stat st;
    struct skep_backup_digest d;
    SKEP_TRY(x->os->fstat(x->os, in, &st, err));
    if (st.size_bytes != f->digest.bytes)
        return damaged(x, f, "has another length", err);
    SKEP_TRY(skep_backup__digest(x->os, in, f->digest.bytes, out, step, x, &d, err));
    if (d.hash != f->digest.hash)
        return damaged(x, f, "is not what was backed up", err);
    return x->os->fsync(x->os, out, err);
}

static skep_rc copy_one(struct restore *x, const struct skep_backup_file *f, skep_err *err)
{
    const struct skep_os *os = x->os;
    int in, out;
    skep_path from = skep_path_of("%s/objects/%016" PRIx64 "-%" PRIu64, x->from, f->digest.hash,
                                  f->digest.bytes);
    skep_path to = skep_path_of("%s/" SKEP_STRFMT, x->aside.s, SKEP_STRARG(f->name));
    skep_assert(skep_backup_list__name_ok(f->name)); /* I3: decode let no other through */
    skep_rc rc = os->open(os, from.s, SKEP_OPEN_READ, &in, err);
    if (rc == SKEP_ENOTFOUND)
        return damaged(x, f, "is not there", err);
    SKEP_TRY(rc);
    rc = os->open(os, to.s, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC, &out, err);
    if (rc == SKEP_OK) {
        rc = copy_open(x, f, in, out, err);
        os->close(os, out);
    }
    os->close(os, in);
    return rc;
}

static bool note_any(void *ctx, skep_str name)
{
    (void)name;
    *(bool *)ctx = true;
    return false;
}

struct leftovers {
    struct restore *x;
    const char *sub;
};

static bool drop_leftover(void *ctx, skep_str name)
{
    struct leftovers *l = ctx;
    if (name.n <= 64)
        (void)l->x->os->unlink(
            l->x->os,
            skep_path_of("%s/rows/%s" SKEP_STRFMT, l->x->aside.s, l->sub, SKEP_STRARG(name)).s,
            NULL);
    return true;
}

/* The folder aside, without what an earlier run left in it. */
static skep_rc make_aside(struct restore *x, skep_err *err)
{
    static const char *const subs[] = {"", "/rows", "/rows/seg", "/rows/wal"};
    const struct skep_os *os = x->os;
    struct leftovers seg = {x, "seg/"}, wal = {x, "wal/"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(subs); i++)
        SKEP_TRY(os->mkdir(os, skep_path_of("%s%s", x->aside.s, subs[i]).s, err));
    SKEP_TRY(os->list(os, skep_path_of("%s/rows/seg", x->aside.s).s, drop_leftover, &seg, err));
    return os->list(os, skep_path_of("%s/rows/wal", x->aside.s).s, drop_leftover, &wal, err);
}

static skep_rc is_free(struct restore *x, skep_err *err)
{
    bool any = false;
    skep_rc rc = x->os->list(x->os, x->data, note_any, &any, err);
    if (rc == SKEP_ENOTFOUND)
        return SKEP_OK;
    SKEP_TRY(rc);
    return any ? skep_fail(err, SKEP_EEXISTS, "%s holds data: restore goes into a new folder",
                           x->data)
               : SKEP_OK;
}

static skep_rc find_backup(struct restore *x, const char *at, skep_err *err)
{
    skep_str *names, want = skep_str_c(at);
    unsigned n;
    skep_rc rc = skep_backup_list__names(x->os, x->from, &x->arena, &names, &n, err);
    if (rc == SKEP_OK && n == 0)
        rc = SKEP_ENOTFOUND;
    if (rc == SKEP_ENOTFOUND)
        return skep_fail(err, rc, "%s holds no backups", x->from);
    SKEP_TRY(rc);
    for (unsigned i = 0; i < n; i++)
        if (at ? skep_str_eq(names[i], want) : i + 1 == n)
            return skep_backup_list__load(x->os, x->from, names[i], &x->arena, &x->list, err);
    return skep_fail(err, SKEP_ENOTFOUND, "%s holds no backup %s", x->from, at);
}

static skep_rc sync_aside(struct restore *x, skep_err *err)
{
    static const char *const subs[] = {"/rows/seg", "/rows/wal", "/rows", ""};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(subs); i++)
        SKEP_TRY(skep_os_sync_dir(x->os, skep_path_of("%s%s", x->aside.s, subs[i]).s, err));
    return SKEP_OK;
}

static skep_rc run(struct restore *x, const char *at, skep_err *err)
{
    struct skep_verify_result v;
    SKEP_TRY(is_free(x, err));
    SKEP_TRY(find_backup(x, at, err));
    SKEP_TRY(make_aside(x, err));
    for (unsigned i = 0; i < x->list.n; i++)
        x->total_bytes += x->list.files[i].digest.bytes;
    for (unsigned i = 0; i < x->list.n; i++)
        SKEP_TRY(copy_one(x, &x->list.files[i], err));
    SKEP_TRY(sync_aside(x, err));
    SKEP_TRY(skep_tool_verify(x->t, skep_path_of("%s/rows", x->aside.s).s, &v, err));
    x->r.damages += v.damages; /* the store was damaged when it was backed up: repair is next */
    SKEP_TRY(x->os->rename(x->os, x->aside.s, x->data, err)); /* I1 */
    SKEP_TRY(skep_os_sync_parent(x->os, x->data, err));
    x->r.commit = x->list.commit;
    x->r.rows = v.rows;
    x->r.files = x->list.n;
    x->r.bytes = x->total_bytes;
    return SKEP_OK;
}

skep_rc skep_tool_restore(const struct skep_tool *t, const char *from, const char *at,
                          const char *data, struct skep_backup_result *ret, skep_err *err)
{
    skep_assert(t && t->os && t->found && from && data && ret);
    struct restore x = {.t = t, .os = t->os, .from = from, .data = data};
    skep_str d = skep_str_c(data);
    while (d.n > 1 && d.p[d.n - 1] == '/')
        d.n--;
    if (d.n == 0 || d.n > 800 || skep_str_c(from).n > 800)
        return skep_fail(err, SKEP_EINVAL, "the folder's name is empty or too long");
    x.aside = skep_path_of(SKEP_STRFMT ".restoring", SKEP_STRARG(d));
    skep_arena_init(&x.arena, "restore", NULL);
    skep_rc rc = run(&x, at, err);
    skep_backup_list__done(&x.list);
    skep_arena_done(&x.arena);
    *ret = x.r;
    return rc;
}

skep_rc skep_tool_backups(const struct skep_os *os, const char *from, struct skep_arena *arena,
                          struct skep_backup_info **ret, unsigned *ret_n, skep_err *err)
{
    skep_str *names;
    unsigned n;
    if (skep_str_c(from).n > 800)
        return skep_fail(err, SKEP_EINVAL, "the folder's name is too long");
    SKEP_TRY(skep_backup_list__names(os, from, arena, &names, &n, err));
    *ret = skep_new_n(arena, struct skep_backup_info, n + 1);
    for (unsigned i = 0; i < n; i++) {
        struct skep_backup_list l;
        SKEP_TRY(skep_backup_list__load(os, from, names[i], arena, &l, err));
        struct skep_backup_info *b = &(*ret)[i];
        *b = (struct skep_backup_info){.name = names[i],
                                       .made_ns = l.made_ns,
                                       .commit = l.commit,
                                       .rows = l.rows,
                                       .files = l.n};
        for (unsigned k = 0; k < l.n; k++)
            b->bytes += l.files[k].digest.bytes;
        skep_backup_list__done(&l);
    }
    *ret_n = n;
    return SKEP_OK;
}
