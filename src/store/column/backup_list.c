// SPDX-License-Identifier: Apache-2.0
/* Listings and digests of backups.
 *
 *   TO/SKEP-BACKUP               a mark: this folder holds backups
 *   TO/<name>.backup             listing: a line a file, its own hash at the end
 *   TO/objects/<hash>-<bytes>    a file's content; several backups name the same one
 *
 * A digest is XXH3-64 over each MiB with the hash before as seed.
 *
 * I1  a listing is put in its place when all it names is on disk and was read back.
 *
 * Threads: one.  Memory: the listing; a MiB for copying. */
#include "store/column/backup_list.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/path.h"

enum { CHUNK = 1 << 20, QUICK = 64 << 10, LIST_MAX = 16 << 20, FILES_MAX = 100000 };
#define HEAD "skep backup 1"

void skep_backup_list__add(struct skep_backup_list *l, const struct skep_backup_file *f)
{
    skep_assert(f->name.n > 0);
    SKEP_GROW(l->files, l->n, l->cap);
    l->files[l->n++] = *f;
}

void skep_backup_list__done(struct skep_backup_list *l)
{
    skep_free(l->files);
    *l = (struct skep_backup_list){0};
}

/* --- the text ----------------------------------------------------------------------------------
 */

static bool is_numbered(skep_str s, skep_str suffix)
{
    uint64_t number;
    return skep_path_number(s, suffix, &number);
}

bool skep_backup_list__name_ok(skep_str name)
{
    static const skep_str seg = SKEP_STR_INIT("rows/seg/"), wal = SKEP_STR_INIT("rows/wal/");
    if (skep_str_eq(name, SKEP_STR("rows/MANIFEST")) || skep_str_eq(name, SKEP_STR("state.db")) ||
        skep_str_eq(name, SKEP_STR("key")))
        return true;
    if (skep_str_starts(name, seg)) {
        skep_str rest = skep_str_skip(name, seg.n);
        return is_numbered(rest, SKEP_STR(".seg")) || is_numbered(rest, SKEP_STR(".live"));
    }
    return skep_str_starts(name, wal) && is_numbered(skep_str_skip(name, wal.n), SKEP_STR(".log"));
}

void skep_backup_list__encode(const struct skep_backup_list *l, struct skep_buf *out)
{
    skep_assert(out->n == 0);
    skep_buf_printf(out, HEAD "\nname " SKEP_STRFMT "\nmade_ns %" PRId64 "\ncommit %" PRIu64 "\n",
                    SKEP_STRARG(l->name), l->made_ns, l->commit);
    skep_buf_printf(out, "rows %" PRIu64 "\n", l->rows);
    for (unsigned i = 0; i < l->n; i++) {
        const struct skep_backup_file *f = &l->files[i];
        skep_buf_printf(out, "file %016" PRIx64 " %" PRIu64 " %016" PRIx64 " " SKEP_STRFMT "\n",
                        f->digest.hash, f->digest.bytes, f->quick, SKEP_STRARG(f->name));
    }
    uint64_t hash = skep_hash(skep_buf_bytes(out));
    skep_buf_printf(out, "end %016" PRIx64 "\n", hash);
}

static bool hex_of(skep_str s, uint64_t *ret)
{
    uint8_t b[8];
    if (s.n != 16 || !skep_hex_decode(s, b, sizeof b))
        return false;
    *ret = 0;
    for (int i = 0; i < 8; i++)
        *ret = *ret << 8 | b[i];
    return true;
}

static bool file_line(skep_str line, struct skep_backup_file *f)
{
    skep_str hash = skep_str_cut(&line, ' '), bytes = skep_str_cut(&line, ' ');
    skep_str quick = skep_str_cut(&line, ' ');
    f->name = line;
    return line.p && hex_of(hash, &f->digest.hash) && skep_str_u64(bytes, &f->digest.bytes) &&
           hex_of(quick, &f->quick) && skep_backup_list__name_ok(line);
}

static bool line_of(skep_str line, struct skep_backup_list *l)
{
    skep_str key = skep_str_cut(&line, ' ');
    if (skep_str_eq(key, SKEP_STR("name"))) {
        l->name = line;
        return line.n > 0;
    }
    if (skep_str_eq(key, SKEP_STR("made_ns")))
        return skep_str_i64(line, &l->made_ns);
    if (skep_str_eq(key, SKEP_STR("commit")))
        return skep_str_u64(line, &l->commit);
    if (skep_str_eq(key, SKEP_STR("rows")))
        return skep_str_u64(line, &l->rows);
    struct skep_backup_file f;
    if (!skep_str_eq(key, SKEP_STR("file")) || l->n >= FILES_MAX || !file_line(line, &f))
        return false;
    skep_backup_list__add(l, &f);
    return true;
}

static skep_rc decode_lines(skep_str text, struct skep_backup_list *l, skep_err *err)
{
    const char *begin = text.p;
    skep_str head = skep_str_cut(&text, '\n');
    if (!skep_str_eq(head, SKEP_STR(HEAD))) {
        bool ours = skep_str_starts(head, SKEP_STR("skep backup "));
        return skep_fail(err, ours ? SKEP_EUNSUPPORTED : SKEP_ECORRUPT,
                         ours ? "the backup was made by a newer skep"
                              : "not a listing of a backup");
    }
    while (text.n) {
        uint64_t want;
        skep_str line = skep_str_cut(&text, '\n');
        if (skep_str_starts(line, SKEP_STR("end "))) {
            skep_bytes covered = {(const uint8_t *)begin, (size_t)(line.p - begin)};
            if (!hex_of(skep_str_skip(line, 4), &want) || want != skep_hash(covered) || text.n)
                return skep_fail(err, SKEP_ECORRUPT, "the listing's checksum does not hold");
            return SKEP_OK;
        }
        if (!line_of(line, l))
            return skep_fail(err, SKEP_ECORRUPT, "the listing has a malformed line");
    }
    return skep_fail(err, SKEP_ECORRUPT, "the listing is cut off");
}

skep_rc skep_backup_list__decode(skep_bytes text, struct skep_backup_list *ret, skep_err *err)
{
    *ret = (struct skep_backup_list){.n = 0};
    skep_rc rc = decode_lines(skep_bytes_str(text), ret, err);
    if (rc != SKEP_OK)
        skep_backup_list__done(ret);
    return rc;
}

/* --- files -------------------------------------------------------------------------------------
 */

skep_rc skep_backup_list__load(const struct skep_os *os, const char *to, skep_str name,
                               struct skep_arena *arena, struct skep_backup_list *ret,
                               skep_err *err)
{
    struct skep_os_stat st;
    int fd;
    skep_path path = skep_path_of("%s/" SKEP_STRFMT ".backup", to, SKEP_STRARG(name));
    SKEP_TRY(os->open(os, path.s, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = os->fstat(os, fd, &st, err);
    if (rc == SKEP_OK && (st.size_bytes == 0 || st.size_bytes > LIST_MAX))
        rc = skep_fail(err, SKEP_ECORRUPT, "%s: a listing of %" PRIu64 " bytes", path.s,
                       st.size_bytes);
    uint8_t *p = rc == SKEP_OK ? skep_arena_alloc(arena, st.size_bytes) : NULL;
    if (rc == SKEP_OK)
        rc = os->pread(os, fd, p, st.size_bytes, 0, err);
    os->close(os, fd);
    return rc == SKEP_OK ? skep_backup_list__decode((skep_bytes){p, st.size_bytes}, ret, err) : rc;
}

skep_rc skep_backup_list__store(const struct skep_os *os, const char *to,
                                const struct skep_backup_list *l, skep_err *err)
{
    struct skep_buf text;
    int fd;
    skep_path tmp = skep_path_of("%s/" SKEP_STRFMT ".tmp", to, SKEP_STRARG(l->name));
    skep_path path = skep_path_of("%s/" SKEP_STRFMT ".backup", to, SKEP_STRARG(l->name));
    skep_buf_init(&text, LIST_MAX);
    skep_backup_list__encode(l, &text);
    skep_rc rc = text.bad ? skep_fail(err, SKEP_ETOOLARGE, "the listing is too large") : SKEP_OK;
    if (rc == SKEP_OK)
        rc = os->open(os, tmp.s, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC, &fd, err);
    if (rc == SKEP_OK) {
        rc = os->pwrite(os, fd, text.p, text.n, 0, err);
        if (rc == SKEP_OK)
            rc = os->fsync(os, fd, err);
        os->close(os, fd);
    }
    skep_buf_done(&text);
    if (rc == SKEP_OK)
        rc = os->rename(os, tmp.s, path.s, err);
    return rc == SKEP_OK ? skep_os_sync_dir(os, to, err) : rc;
}

struct names {
    struct skep_arena *arena;
    skep_str *v;
    unsigned n, cap;
};

static bool note_name(void *ctx, skep_str name)
{
    struct names *s = ctx;
    static const skep_str suffix = SKEP_STR_INIT(".backup");
    if (!skep_str_ends(name, suffix) || name.n == suffix.n || name.n > 100)
        return true;
    SKEP_GROW(s->v, s->n, s->cap);
    s->v[s->n++] = skep_arena_str(s->arena, (skep_str){name.p, name.n - suffix.n});
    return true;
}

static int by_name(const void *a, const void *b)
{
    return skep_str_cmp(*(const skep_str *)a, *(const skep_str *)b);
}

skep_rc skep_backup_list__names(const struct skep_os *os, const char *to, struct skep_arena *arena,
                                skep_str **ret, unsigned *ret_n, skep_err *err)
{
    struct names s = {.arena = arena};
    skep_rc rc = os->list(os, to, note_name, &s, err);
    if (rc == SKEP_OK) {
        if (s.n > 1)
            qsort(s.v, s.n, sizeof *s.v, by_name);
        *ret = skep_new_n(arena, skep_str, s.n + 1);
        for (unsigned i = 0; i < s.n; i++)
            (*ret)[i] = s.v[i];
        *ret_n = s.n;
    }
    skep_free(s.v);
    return rc;
}

skep_rc skep_backup__digest(const struct skep_os *os, int fd, uint64_t bytes, int to_fd,
                            skep_backup_step_fn *step, void *ctx, struct skep_backup_digest *ret,
                            skep_err *err)
{
    uint8_t *p = skep_malloc(CHUNK);
    uint64_t hash = 0;
    skep_rc rc = SKEP_OK;
    for (uint64_t at = 0; at < bytes && rc == SKEP_OK; at += CHUNK) {
        size_t n = (size_t)SKEP_MIN((uint64_t)CHUNK, bytes - at);
        rc = os->pread(os, fd, p, n, at, err);
        if (rc == SKEP_OK && to_fd >= 0)
            rc = os->pwrite(os, to_fd, p, n, at, err);
        hash = skep_hash_seed((skep_bytes){p, n}, hash);
        if (step)
            step(ctx, n);
    }
    skep_free(p);
    if (rc == SKEP_OK)
        *ret = (struct skep_backup_digest){hash, bytes};
    return rc;
}

skep_rc skep_backup__quick(const struct skep_os *os, int fd, uint64_t bytes, uint64_t *ret,
                           skep_err *err)
{
    uint8_t *p = skep_malloc(QUICK);
    size_t n = (size_t)SKEP_MIN(bytes, (uint64_t)QUICK);
    skep_rc rc = n ? os->pread(os, fd, p, n, 0, err) : SKEP_OK;
    uint64_t hash = skep_hash_seed((skep_bytes){p, n}, bytes);
    if (rc == SKEP_OK && n)
        rc = os->pread(os, fd, p, n, bytes - n, err);
    if (rc == SKEP_OK)
        *ret = skep_hash_seed((skep_bytes){p, n}, hash);
    skep_free(p);
    return rc;
}
