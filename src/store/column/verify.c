// SPDX-License-Identifier: Apache-2.0
/* skep verify: a whole data directory.
 *
 *   MANIFEST   head, records, what they amount to                     (here)
 *   seg/       every segment that the manifest names                  (verify_segment.c)
 *   wal/       every log file, and the chain of commits through them  (verify_log.c)
 *
 * Works beside a running server.  Files are looked at through open descriptors, so what it deletes
 * meanwhile is still checked; a segment that vanished before it could be opened is dropped from the
 * list if the manifest has let it go, and what came in its place is checked instead.
 *
 * I1  every byte of the files of a store is under some check: chunks tile a segment, pieces tile a
 *     log file and a manifest.
 *
 * Threads: one.  Memory: as the parts say; the manifest. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "os/thread.h"
#include "store/column/manifest_scan.h"
#include "store/column/tool.h"

enum { ROUNDS = 50, ATTEMPTS = 5, PAUSE_MS = 20 };

void skep_verify__found(struct skep_verify *v, struct skep_finding f, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    f.text = (skep_str){text, n < 0 ? 0 : SKEP_MIN((size_t)n, sizeof text - 1)};
    if (f.level == SKEP_FINDING_DAMAGE)
        v->r.damages++;
    else
        v->r.notes++;
    v->t->found(v->t->ctx, &f);
}

skep_rc skep_tool__kind(const struct skep_os *os, const char *path, enum skep_file_kind *ret,
                        skep_err *err)
{
    static const struct {
        char magic[9];
        enum skep_file_kind kind;
    } kinds[] = {{"skepseg\n", SKEP_FILE_SEGMENT},
                 {"SKEPWAL1", SKEP_FILE_LOG},
                 {"SKEPMAN1", SKEP_FILE_MANIFEST},
                 {"SKEPLIV1", SKEP_FILE_LIVE}};
    struct skep_os_stat st;
    char head[8] = {0};
    int fd;
    SKEP_TRY(os->open(os, path, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = os->fstat(os, fd, &st, err);
    if (rc == SKEP_OK && st.size_bytes >= sizeof head)
        rc = os->pread(os, fd, head, sizeof head, 0, err);
    os->close(os, fd);
    SKEP_TRY(rc);
    *ret = SKEP_FILE_UNKNOWN;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(kinds); i++)
        if (memcmp(head, kinds[i].magic, sizeof head) == 0)
            *ret = kinds[i].kind;
    if (*ret != SKEP_FILE_UNKNOWN)
        return SKEP_OK;
    skep_str name = skep_str_c(path); /* its head may be what is damaged */
    if (skep_str_ends(name, SKEP_STR(".seg")))
        *ret = SKEP_FILE_SEGMENT;
    else if (skep_str_ends(name, SKEP_STR(".log")))
        *ret = SKEP_FILE_LOG;
    else if (skep_str_ends(name, SKEP_STR("MANIFEST")))
        *ret = SKEP_FILE_MANIFEST;
    else if (skep_str_ends(name, SKEP_STR(".live")))
        *ret = SKEP_FILE_LIVE;
    return SKEP_OK;
}

uint64_t skep_tool__epoch_of(const char *path)
{
    skep_str s = skep_str_c(path);
    uint64_t epoch = 0;
    if (s.n < 20 || !skep_path_number(skep_str_skip(s, s.n - 20), SKEP_STR(".log"), &epoch))
        return 0;
    return epoch;
}

skep_rc skep_tool__live_head(const struct skep_os *os, const char *path, struct skep_live_head *ret,
                             skep_err *err)
{
    enum { HEAD = 64, CRC_AT = 12, BEHIND_CRC = 16 };
    uint8_t *p;
    size_t n;
    SKEP_TRY(skep_manifest__read(os, path, &p, &n, err));
    skep_rc rc = SKEP_OK;
    if (n < HEAD || memcmp(p, "SKEPLIV1", 8) != 0 ||
        skep_load_le32(p + CRC_AT) != skep_crc32c(skep_crc32c(0, (skep_bytes){p, CRC_AT}),
                                                  (skep_bytes){p + BEHIND_CRC, n - BEHIND_CRC}))
        rc = skep_fail(err, SKEP_ECORRUPT, "its checksum does not hold");
    if (rc == SKEP_OK)
        *ret = (struct skep_live_head){.version = skep_load_le32(p + 8),
                                       .segment = skep_load_le64(p + 16),
                                       .rows = skep_load_le64(p + 24),
                                       .live = skep_load_le64(p + 32),
                                       .deleted = skep_load_le64(p + 40),
                                       .superseded = skep_load_le64(p + 48),
                                       .chunks = skep_load_le64(p + 56),
                                       .bytes = n};
    skep_free(p);
    return rc;
}

/* --- the manifest --- */

struct records {
    struct skep_verify *v;
    skep_str name;
    struct skep_manifest_state state;
    uint64_t next; /* number of the record that should come; 0 = any */
    uint64_t n;
    bool ok;
};

static void on_record(void *ctx, const struct skep_manifest_piece *p)
{
    struct records *r = ctx;
    struct skep_finding f = {
        .level = SKEP_FINDING_DAMAGE, .file = r->name, .offset = p->offset, .bytes = p->bytes};
    if (!p->good) {
        r->ok = r->ok && p->last && r->n > 0;
        skep_verify__found(r->v, f,
                           p->last ? "the last edit is unfinished or damaged: the next start goes "
                                     "by those before it, and refuses if files say otherwise"
                                   : "records are damaged");
        return;
    }
    if (r->next && p->number != r->next) {
        r->ok = false;
        skep_verify__found(r->v, f, "record %" PRIu64 " is missing before record %" PRIu64, r->next,
                           p->number);
    }
    r->next = p->number + 1;
    r->n++;
    if (skep_manifest__apply(&r->state, p->whole) != SKEP_OK) {
        r->ok = false;
        skep_verify__found(r->v, f, "record %" PRIu64 " is malformed", p->number);
    }
}

static void check_state(struct records *r)
{
    const struct skep_manifest_state *s = &r->state;
    struct skep_finding f = {.level = SKEP_FINDING_DAMAGE, .file = r->name};
    for (unsigned i = 0; i < s->n; i++) {
        const struct skep_manifest_segment *g = &s->segments[i];
        bool twice = skep_manifest_overlaps(s, i);
        if (g->number >= s->next_segment || g->max_seq > s->checkpoint || twice) {
            r->ok = r->ok && !twice;
            f.min_seq = g->min_seq;
            f.max_seq = g->max_seq;
            skep_verify__found(r->v, f, "segment %016" PRIx64 " contradicts the other records",
                               g->number);
        }
    }
    f.min_seq = f.max_seq = 0;
    for (size_t i = 0; i < s->identities_n; i++)
        if (s->identities[i].seq == 0 || s->identities[i].seq > s->checkpoint) {
            f.min_seq = f.max_seq = s->identities[i].seq;
            skep_verify__found(r->v, f, "an identity is of a commit behind the checkpoint");
            break;
        }
    f.level = SKEP_FINDING_NOTE;
    struct skep_buf text;
    skep_buf_init(&text, 4096);
    for (unsigned i = 0; i < s->missing.n; i++) {
        const struct skep_missing *m = &s->missing.items[i];
        skep_buf_reset(&text);
        skep_missing__text(&text, m);
        f.min_seq = m->min_seq;
        f.max_seq = m->max_seq;
        f.rows = m->rows == SKEP_MISSING_ROWS_UNKNOWN ? 0 : m->rows;
        skep_verify__found(r->v, f, "known to be lost: " SKEP_STRFMT,
                           SKEP_STRARG(skep_buf_text(&text)));
    }
    skep_buf_done(&text);
}

skep_rc skep_verify__manifest(struct skep_verify *v, const char *path, skep_str name, bool *ret_ok,
                              skep_err *err)
{
    uint8_t *p;
    size_t n;
    SKEP_TRY(skep_manifest__read(v->t->os, path, &p, &n, err));
    struct records r = {.v = v, .name = name, .ok = true};
    skep_err why;
    skep_rc rc = skep_manifest__head((skep_bytes){p, n}, &why);
    if (rc == SKEP_EUNSUPPORTED) {
        skep_free(p);
        return skep_fail(err, rc, "%.200s", why.text);
    }
    if (rc != SKEP_OK) {
        r.ok = false;
        skep_verify__found(
            v, (struct skep_finding){.level = SKEP_FINDING_DAMAGE, .file = name, .bytes = 32},
            "the head is damaged");
    }
    skep_manifest__scan((skep_bytes){p, n}, on_record, &r);
    if (r.n == 0) {
        r.ok = false;
        skep_verify__found(v, (struct skep_finding){.level = SKEP_FINDING_DAMAGE, .file = name},
                           "there is no whole record");
    }
    if (r.ok)
        check_state(&r);
    v->r.files++;
    v->r.bytes += n;
    *ret_ok = r.ok;
    skep_manifest__state_done(&r.state);
    skep_free(p);
    return SKEP_OK;
}

/* A manifest under a server is replaced and appended to: what is wrong with it must stay wrong. */
static skep_rc settled_manifest(struct skep_verify *v, const char *path, bool *ret_ok,
                                skep_err *err)
{
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        uint8_t *p;
        size_t n;
        SKEP_TRY(skep_manifest__read(v->t->os, path, &p, &n, err));
        uint64_t at = 32;
        for (uint64_t k; at < n && (k = skep_manifest__record_at((skep_bytes){p, n}, at)) > 0;)
            at += k;
        skep_free(p);
        if (at == n && n > 32)
            break;
        skep_sleep_ms(PAUSE_MS);
    }
    return skep_verify__manifest(v, path, SKEP_STR("MANIFEST"), ret_ok, err);
}

/* --- segments --- */

struct numbers {
    uint64_t *v;
    size_t n, cap;
};

static bool has(const struct numbers *s, uint64_t number)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i] == number)
            return true;
    return false;
}

static void add(struct numbers *s, uint64_t number)
{
    SKEP_GROW(s->v, s->n, s->cap);
    s->v[s->n++] = number;
}

static skep_rc one_segment(struct skep_verify *v, const char *dir, uint64_t number,
                           const struct skep_manifest_segment *m, skep_err *err)
{
    char name[32];
    int n = snprintf(name, sizeof name, "seg/%016" PRIx64 ".seg", number);
    skep_assert(n > 0 && (size_t)n < sizeof name);
    return skep_verify__segment(v, skep_path_of("%s/%s", dir, name).s, (skep_str){name, (size_t)n},
                                m, err);
}

/* The segments that the manifest names and that were not looked at yet; *ret_new: how many. */
static skep_rc named_segments(struct skep_verify *v, const char *dir, struct numbers *seen,
                              struct numbers *absent, size_t *ret_new, skep_err *err)
{
    struct skep_manifest *m;
    SKEP_TRY(skep_manifest_load(v->t->os, dir, &m, err));
    const struct skep_manifest_state *s = skep_manifest_state(m);
    skep_rc rc = SKEP_OK;
    *ret_new = 0;
    for (unsigned i = 0; i < s->n && rc == SKEP_OK; i++) {
        if (has(seen, s->segments[i].number))
            continue;
        rc = one_segment(v, dir, s->segments[i].number, &s->segments[i], err);
        if (rc == SKEP_ENOTFOUND && !has(absent, s->segments[i].number)) {
            add(absent, s->segments[i].number); /* is it still named the next time? */
            ++*ret_new;
            rc = SKEP_OK;
            continue;
        }
        if (rc == SKEP_ENOTFOUND) {
            skep_verify__found(v,
                               (struct skep_finding){.level = SKEP_FINDING_DAMAGE,
                                                     .file = SKEP_STR("MANIFEST"),
                                                     .min_seq = s->segments[i].min_seq,
                                                     .max_seq = s->segments[i].max_seq,
                                                     .rows = s->segments[i].n_rows},
                               "segment %016" PRIx64 " is named and not there",
                               s->segments[i].number);
            rc = SKEP_OK;
        }
        add(seen, s->segments[i].number);
        ++*ret_new;
    }
    skep_manifest_close(m);
    return rc;
}

static bool note_name(void *ctx, skep_str name)
{
    uint64_t number;
    if (skep_path_number(name, SKEP_STR(".seg"), &number))
        add(ctx, number);
    return true;
}

/* Files that no manifest names: leftovers when the manifest is good, all there is when it is not.
 */
static skep_rc other_segments(struct skep_verify *v, const char *dir, const struct numbers *seen,
                              bool manifest_ok, skep_err *err)
{
    struct numbers files = {0};
    skep_rc rc = v->t->os->list(v->t->os, skep_path_of("%s/seg", dir).s, note_name, &files, err);
    for (size_t i = 0; i < files.n && rc == SKEP_OK; i++) {
        char name[32];
        if (has(seen, files.v[i]))
            continue;
        if (!manifest_ok) {
            rc = one_segment(v, dir, files.v[i], NULL, err);
        } else {
            (void)snprintf(name, sizeof name, "seg/%016" PRIx64 ".seg", files.v[i]);
            skep_verify__found(
                v, (struct skep_finding){.level = SKEP_FINDING_NOTE, .file = skep_str_c(name)},
                "the manifest does not name it: new, or left over and deleted by the next start");
        }
        if (rc == SKEP_ENOTFOUND)
            rc = SKEP_OK;
    }
    skep_free(files.v);
    return rc;
}

static skep_rc segments(struct skep_verify *v, const char *dir, bool manifest_ok, skep_err *err)
{
    struct numbers seen = {0}, absent = {0};
    skep_rc rc = SKEP_OK;
    size_t fresh = 1;
    for (unsigned i = 0; i < ROUNDS && manifest_ok && fresh > 0 && rc == SKEP_OK; i++)
        rc = named_segments(v, dir, &seen, &absent, &fresh, err);
    if (rc == SKEP_OK)
        rc = other_segments(v, dir, &seen, manifest_ok, err);
    skep_free(seen.v);
    skep_free(absent.v);
    return rc;
}

/* --- all of it --- */

struct sum {
    const struct skep_os *os;
    const char *dir, *sub;
    uint64_t bytes;
};

static bool add_size(void *ctx, skep_str name)
{
    struct sum *s = ctx;
    struct skep_os_stat st;
    if (name.n > 64)
        return true; /* none of ours */
    skep_path path = skep_path_of("%s/%s/" SKEP_STRFMT, s->dir, s->sub, SKEP_STRARG(name));
    if (s->os->stat(s->os, path.s, &st, NULL) == SKEP_OK)
        s->bytes += st.size_bytes;
    return true;
}

static uint64_t size_of(const struct skep_os *os, const char *dir)
{
    struct sum s = {.os = os, .dir = dir, .sub = "seg"};
    (void)os->list(os, skep_path_of("%s/seg", dir).s, add_size, &s, NULL); /* only for progress */
    s.sub = "wal";
    (void)os->list(os, skep_path_of("%s/wal", dir).s, add_size, &s, NULL);
    return s.bytes;
}

skep_rc skep_tool_verify(const struct skep_tool *t, const char *dir, struct skep_verify_result *ret,
                         skep_err *err)
{
    skep_assert(t && t->os && t->found && dir && ret);
    if (skep_str_c(dir).n > 900)
        return skep_fail(err, SKEP_EINVAL, "the data directory's name is too long");
    struct skep_verify v = {.t = t, .total_bytes = size_of(t->os, dir)};
    struct skep_os_stat st;
    skep_path path = skep_path_of("%s/MANIFEST", dir);
    bool ok = false;
    if (t->os->stat(t->os, skep_path_of("%s/seg", dir).s, &st, NULL) != SKEP_OK)
        return skep_fail(err, SKEP_ENOTFOUND, "%s holds no rows of skep", dir);
    skep_rc rc = settled_manifest(&v, path.s, &ok, err);
    if (rc == SKEP_ENOTFOUND) {
        skep_verify__found(
            &v, (struct skep_finding){.level = SKEP_FINDING_DAMAGE, .file = SKEP_STR("MANIFEST")},
            "it is not there");
        rc = SKEP_OK;
    }
    SKEP_TRY(rc);
    SKEP_TRY(segments(&v, dir, ok, err));
    SKEP_TRY(skep_verify__log(&v, dir, NULL, err));
    *ret = v.r;
    return SKEP_OK;
}

static skep_rc verify_live(struct skep_verify *v, const char *path, skep_err *err)
{
    struct skep_live_head h;
    skep_err why;
    skep_rc rc = skep_tool__live_head(v->t->os, path, &h, &why);
    if (rc == SKEP_ECORRUPT)
        skep_verify__found(
            v, (struct skep_finding){.level = SKEP_FINDING_DAMAGE, .file = skep_str_c(path)}, "%s",
            why.text);
    else if (rc != SKEP_OK && err)
        *err = why;
    v->r.files++;
    v->r.bytes += rc == SKEP_OK ? h.bytes : 0;
    return rc == SKEP_ECORRUPT ? SKEP_OK : rc;
}

skep_rc skep_tool_verify_file(const struct skep_tool *t, const char *path,
                              struct skep_verify_result *ret, skep_err *err)
{
    skep_assert(t && t->os && t->found && path && ret);
    struct skep_verify v = {.t = t};
    enum skep_file_kind kind;
    bool ok;
    skep_str name = skep_str_c(path);
    SKEP_TRY(skep_tool__kind(t->os, path, &kind, err));
    switch (kind) {
    case SKEP_FILE_SEGMENT: SKEP_TRY(skep_verify__segment(&v, path, name, NULL, err)); break;
    case SKEP_FILE_LOG: SKEP_TRY(skep_verify__log(&v, NULL, path, err)); break;
    case SKEP_FILE_MANIFEST: SKEP_TRY(skep_verify__manifest(&v, path, name, &ok, err)); break;
    case SKEP_FILE_LIVE: SKEP_TRY(verify_live(&v, path, err)); break;
    case SKEP_FILE_UNKNOWN:
    default: return skep_fail(err, SKEP_EUNSUPPORTED, "%s is no file of skep's store", path);
    }
    *ret = v.r;
    return SKEP_OK;
}
