// SPDX-License-Identifier: Apache-2.0
/* The manifest: a checksummed log of edits, rewritten when it has grown.
 *
 *   MANIFEST:  head | record | record | ...
 *   record     = length, checksum, payload padded to 8; payload = tagged operations, all or none of
 * them
 *
 * An edit is one record: appended, fdatasynced, then taken over into the state in memory.  When an
 * append fails, or the file has grown to four times what the state needs, the whole state is
 * written aside as MANIFEST.tmp, fsynced and renamed over the old one.
 *
 * I1  a record is applied whole or not at all.
 * I2  a bad record with a good one behind it is damage; a bad last one is an edit that was never
 *     finished.  (If it had been, segments or log files would now be missing: recovery sees that.)
 * I3  after a failed append the file is never appended to again: its end is unknown.
 * I4  nor is it believed by the next process: where a sync failed, reading shows records that the
 *     disk does not have, and a new sync says nothing of them.  Unless the owner before said that
 *     its manifest was sound, what was read is written aside before anything is done by it.
 *
 * Threads: one at a time (the engine's manifest lock). */
#include "store/column/manifest.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/path.h"

enum {
    HEAD_BYTES = 32,
    RECORD_BYTES = 16, /* length, crc, record number */
    VERSION = 1,
    FEATURE_DEATHS = 1,    /* operations 7 to 10 */
    REQUIRED_FEATURES = 1, /* bits a reader must know: those it may find */
    MAX_BYTES = 256 << 20,
    REWRITE_BYTES = 1 << 20
};
static const char MAGIC[8] = "SKEPMAN1";

/* On disk: never reuse a number. */
enum op {
    OP_ADD = 1,
    OP_REMOVE = 2,
    OP_CHECKPOINT = 3,
    OP_NEXT_SEGMENT = 4,
    OP_TOTALS = 5,
    OP_IDENTITIES = 6,
    OP_LIVE = 7,
    OP_REMOVED = 8,
    OP_FILED = 9,
    OP_FILED_FROM = 10,
    OP_MISSING = 11, /* missing.c */
    OP_LEDGER = 12
};

struct skep_manifest {
    const struct skep_os *os;
    char *dir;
    int fd; /* -1: must be rewritten before the next edit (I3) */
    bool read_only;
    bool doubtful; /* I4 */
    uint64_t at;
    uint64_t live_bytes; /* size after the last rewrite */
    uint64_t next_record;
    uint32_t features; /* in the file's head */
    struct skep_manifest_state s;
};

/* --- records ---------------------------------------------------------------------------------- */

static void put_live(struct skep_buf *b, uint64_t segment, const struct skep_manifest_live *l)
{
    skep_buf_u64(b, OP_LIVE);
    skep_buf_u64(b, segment);
    skep_buf_u64(b, l->number);
    skep_buf_u64(b, l->bytes);
    skep_buf_u64(b, l->crc);
    skep_buf_u64(b, l->deleted);
    skep_buf_u64(b, l->superseded);
}

static void put_segment(struct skep_buf *b, const struct skep_manifest_segment *s)
{
    skep_buf_u64(b, OP_ADD);
    skep_buf_u64(b, s->number);
    skep_buf_u64(b, s->n_rows);
    skep_buf_u64(b, s->file_bytes);
    skep_buf_u64(b, s->min_seq);
    skep_buf_u64(b, s->max_seq);
    skep_buf_u64(b, (uint64_t)s->bounds.min_start_ns);
    skep_buf_u64(b, (uint64_t)s->bounds.max_start_ns);
    skep_buf_u64(b, (uint64_t)s->bounds.max_end_ns);
    skep_buf_u64(b, (uint64_t)s->received_max_ns);
    skep_buf_u64(b, OP_FILED);
    skep_buf_u64(b, s->number);
    skep_buf_u64(b, s->layout);
    skep_buf_u64(b, (uint64_t)s->filed_max_ns);
    skep_buf_u64(b, OP_FILED_FROM);
    skep_buf_u64(b, s->number);
    skep_buf_u64(b, (uint64_t)s->filed_min_ns);
    if (s->live.number)
        put_live(b, s->number, &s->live);
}

static void put_numbers(struct skep_buf *b, uint64_t checkpoint, uint64_t next_segment,
                        const struct skep_manifest_totals *t)
{
    skep_buf_u64(b, OP_CHECKPOINT);
    skep_buf_u64(b, checkpoint);
    skep_buf_u64(b, OP_NEXT_SEGMENT);
    skep_buf_u64(b, next_segment);
    skep_buf_u64(b, OP_TOTALS);
    skep_buf_u64(b, t->stored_rows);
    skep_buf_u64(b, t->expired_rows);
    skep_buf_u64(b, t->merges);
    skep_buf_u64(b, t->merge_rows);
    skep_buf_u64(b, OP_REMOVED);
    skep_buf_u64(b, t->deleted_rows);
    skep_buf_u64(b, t->superseded_rows);
}

static void put_identities(struct skep_buf *b, const struct skep_identity_entry *e, size_t n)
{
    if (n == 0)
        return;
    skep_buf_u64(b, OP_IDENTITIES);
    skep_buf_u64(b, n);
    for (size_t i = 0; i < n; i++) {
        skep_buf_put(b, e[i].id, sizeof e[i].id);
        skep_buf_u64(b, e[i].seq);
        skep_buf_u64(b, (uint64_t)e[i].received_ns);
    }
}

static void put_ledger(struct skep_buf *b, const struct skep_ledger *l)
{
    skep_buf_u64(b, OP_LEDGER);
    skep_buf_u64(b, l->n);
    for (size_t i = 0; i < l->n; i++) {
        skep_buf_u64(b, l->items[i].key);
        skep_buf_u64(b, l->items[i].n);
    }
}

/* Room for the record's header; returns its offset for end_record. */
static size_t begin_record(struct skep_buf *b)
{
    return skep_buf_zero(b, RECORD_BYTES);
}

static void end_record(struct skep_manifest *m, struct skep_buf *b, size_t at)
{
    skep_assert(!b->bad && b->n % 8 == 0);
    uint8_t *p = b->p + at;
    skep_store_le32(p, (uint32_t)(b->n - at - RECORD_BYTES));
    skep_store_le64(p + 8, m->next_record++);
    uint32_t crc = skep_crc32c(0, (skep_bytes){p, 4});
    skep_store_le32(p + 4, skep_crc32c(crc, (skep_bytes){p + 8, b->n - at - 8}));
}

static skep_rc apply_add(struct skep_manifest_state *s, skep_rd *r)
{
    struct skep_manifest_segment g = {
        .number = skep_rd_u64(r), .filed_min_ns = INT64_MAX, .filed_max_ns = INT64_MIN};
    g.n_rows = skep_rd_u64(r);
    g.file_bytes = skep_rd_u64(r);
    g.min_seq = skep_rd_u64(r);
    g.max_seq = skep_rd_u64(r);
    g.bounds.min_start_ns = (int64_t)skep_rd_u64(r);
    g.bounds.max_start_ns = (int64_t)skep_rd_u64(r);
    g.bounds.max_end_ns = (int64_t)skep_rd_u64(r);
    g.received_max_ns = (int64_t)skep_rd_u64(r);
    if (r->bad || g.min_seq > g.max_seq)
        return SKEP_ECORRUPT;
    unsigned at = s->n;
    while (at > 0 && s->segments[at - 1].min_seq > g.min_seq)
        at--;
    SKEP_GROW(s->segments, s->n, s->cap);
    memmove(s->segments + at + 1, s->segments + at, (s->n - at) * sizeof g);
    s->segments[at] = g;
    s->n++;
    return SKEP_OK;
}

static skep_rc apply_remove(struct skep_manifest_state *s, uint64_t number)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (s->segments[i].number != number)
            continue;
        memmove(s->segments + i, s->segments + i + 1, (s->n - i - 1) * sizeof s->segments[0]);
        s->n--;
        return SKEP_OK;
    }
    return SKEP_ECORRUPT;
}

static struct skep_manifest_segment *find(struct skep_manifest_state *s, uint64_t number)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->segments[i].number == number)
            return &s->segments[i];
    return NULL;
}

static skep_rc apply_live(struct skep_manifest_state *s, skep_rd *r)
{
    struct skep_manifest_segment *g = find(s, skep_rd_u64(r));
    struct skep_manifest_live l = {.number = skep_rd_u64(r)};
    l.bytes = skep_rd_u64(r);
    l.crc = skep_rd_u64(r);
    l.deleted = skep_rd_u64(r);
    l.superseded = skep_rd_u64(r);
    if (r->bad || !g || l.number == 0 || l.deleted > g->n_rows ||
        l.superseded > g->n_rows - l.deleted)
        return SKEP_ECORRUPT;
    g->live = l;
    return SKEP_OK;
}

static skep_rc apply_filed(struct skep_manifest_state *s, skep_rd *r)
{
    struct skep_manifest_segment *g = find(s, skep_rd_u64(r));
    uint64_t layout = skep_rd_u64(r), filed = skep_rd_u64(r);
    if (r->bad || !g || layout >= SKEP_LAYOUT_COUNT)
        return SKEP_ECORRUPT;
    g->layout = layout;
    g->filed_max_ns = (int64_t)filed;
    return SKEP_OK;
}

static skep_rc apply_filed_from(struct skep_manifest_state *s, skep_rd *r)
{
    struct skep_manifest_segment *g = find(s, skep_rd_u64(r));
    uint64_t filed = skep_rd_u64(r);
    if (r->bad || !g)
        return SKEP_ECORRUPT;
    g->filed_min_ns = (int64_t)filed;
    return SKEP_OK;
}

static skep_rc apply_identities(struct skep_manifest_state *s, skep_rd *r)
{
    uint64_t n = skep_rd_u64(r);
    if (n > skep_rd_left(r) / sizeof(struct skep_identity_entry))
        return SKEP_ECORRUPT;
    for (uint64_t i = 0; i < n; i++) {
        struct skep_identity_entry e;
        skep_bytes id = skep_rd_take(r, sizeof e.id);
        if (!id.p)
            return SKEP_ECORRUPT;
        memcpy(e.id, id.p, sizeof e.id);
        e.seq = skep_rd_u64(r);
        e.received_ns = (int64_t)skep_rd_u64(r);
        SKEP_GROW(s->identities, s->identities_n, s->identities_cap);
        s->identities[s->identities_n++] = e;
    }
    return SKEP_OK;
}

static skep_rc apply_ledger(struct skep_manifest_state *s, skep_rd *r)
{
    uint64_t n = skep_rd_u64(r);
    if (n > skep_rd_left(r) / sizeof(struct skep_ledger_entry))
        return SKEP_ECORRUPT;
    for (uint64_t i = 0; i < n; i++) {
        struct skep_ledger_key k;
        if (!skep_ledger_unpack(skep_rd_u64(r), &k))
            return SKEP_ECORRUPT;
        skep_ledger_add(&s->ledger, k, skep_rd_u64(r));
    }
    s->has_ledger = true;
    return s->ledger.n <= SKEP_LEDGER_ENTRIES_MAX ? SKEP_OK : SKEP_ECORRUPT;
}

static skep_rc apply(struct skep_manifest_state *s, skep_bytes payload)
{
    skep_rd r = skep_rd_make(payload);
    while (skep_rd_left(&r) > 0 && !r.bad) {
        skep_rc rc = SKEP_OK;
        switch (skep_rd_u64(&r)) {
        case OP_ADD: rc = apply_add(s, &r); break;
        case OP_REMOVE: rc = apply_remove(s, skep_rd_u64(&r)); break;
        case OP_CHECKPOINT: s->checkpoint = skep_rd_u64(&r); break;
        case OP_NEXT_SEGMENT: s->next_segment = skep_rd_u64(&r); break;
        case OP_TOTALS:
            s->totals.stored_rows = skep_rd_u64(&r);
            s->totals.expired_rows = skep_rd_u64(&r);
            s->totals.merges = skep_rd_u64(&r);
            s->totals.merge_rows = skep_rd_u64(&r);
            break;
        case OP_IDENTITIES: rc = apply_identities(s, &r); break;
        case OP_LIVE: rc = apply_live(s, &r); break;
        case OP_REMOVED:
            s->totals.deleted_rows = skep_rd_u64(&r);
            s->totals.superseded_rows = skep_rd_u64(&r);
            break;
        case OP_FILED: rc = apply_filed(s, &r); break;
        case OP_FILED_FROM: rc = apply_filed_from(s, &r); break;
        case OP_MISSING: rc = skep_missing__apply(&s->missing, &r); break;
        case OP_LEDGER: rc = apply_ledger(s, &r); break;
        default: return SKEP_ECORRUPT;
        }
        SKEP_TRY(rc);
    }
    return r.bad ? SKEP_ECORRUPT : SKEP_OK;
}

static void forget_old(struct skep_manifest_state *s, skep_ts_ns now_ns)
{
    size_t kept = 0;
    size_t from =
        s->identities_n > 2 * SKEP_IDENTITY_MAX ? s->identities_n - 2 * SKEP_IDENTITY_MAX : 0;
    for (size_t i = from; i < s->identities_n; i++)
        if (now_ns - s->identities[i].received_ns <= SKEP_IDENTITY_NS)
            s->identities[kept++] = s->identities[i];
    s->identities_n = kept;
}

/* --- the file --------------------------------------------------------------------------------- */

static void put_head(struct skep_buf *b)
{
    skep_buf_put(b, MAGIC, 8);
    skep_buf_u32(b, VERSION);
    skep_buf_u32(b, FEATURE_DEATHS);
    skep_buf_u64(b, 0);
    skep_buf_u32(b, 0);
    skep_buf_u32(b, skep_crc32c(0, (skep_bytes){b->p, 28}));
    skep_assert(b->n == HEAD_BYTES);
}

static skep_rc write_aside(struct skep_manifest *m, const struct skep_buf *b, int *ret_fd,
                           skep_err *err)
{
    const struct skep_os *os = m->os;
    skep_path tmp = skep_path_of("%s/MANIFEST.tmp", m->dir);
    skep_path path = skep_path_of("%s/MANIFEST", m->dir);
    int fd;
    unsigned flags = SKEP_OPEN_READ | SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC;
    SKEP_TRY(os->open(os, tmp.s, flags, &fd, err));
    skep_rc rc = os->pwrite(os, fd, b->p, b->n, 0, err);
    if (rc == SKEP_OK)
        rc = os->fsync(os, fd, err);
    if (rc == SKEP_OK)
        rc = os->rename(os, tmp.s, path.s, err);
    if (rc == SKEP_OK)
        rc = skep_os_sync_dir(m->os, m->dir, err);
    if (rc != SKEP_OK) {
        os->close(os, fd);
        return rc;
    }
    *ret_fd = fd;
    return SKEP_OK;
}

/* The whole state as a new file. */
static skep_rc rewrite(struct skep_manifest *m, skep_err *err)
{
    struct skep_buf b;
    skep_buf_init(&b, MAX_BYTES);
    put_head(&b);
    size_t at = begin_record(&b);
    put_numbers(&b, m->s.checkpoint, m->s.next_segment, &m->s.totals);
    for (unsigned i = 0; i < m->s.n; i++)
        put_segment(&b, &m->s.segments[i]);
    put_identities(&b, m->s.identities, m->s.identities_n);
    for (unsigned i = 0; i < m->s.missing.n; i++)
        skep_missing__put(&b, &m->s.missing.items[i]);
    put_ledger(&b, &m->s.ledger);
    uint64_t record = m->next_record;
    end_record(m, &b, at);
    int fd = -1;
    skep_rc rc = write_aside(m, &b, &fd, err);
    if (rc == SKEP_OK) {
        if (m->fd >= 0)
            m->os->close(m->os, m->fd);
        m->fd = fd;
        m->doubtful = false;
        m->at = m->live_bytes = b.n;
        m->features = FEATURE_DEATHS;
    } else {
        m->next_record = record;
    }
    skep_buf_done(&b);
    return rc;
}

uint64_t skep_manifest__record_at(skep_bytes file, uint64_t at)
{
    if (at > file.n || file.n - at < RECORD_BYTES)
        return 0;
    const uint8_t *p = file.p + at;
    uint64_t n = skep_load_le32(p);
    if (n == 0 || n % 8 != 0 || n > file.n - at - RECORD_BYTES)
        return 0;
    uint32_t crc = skep_crc32c(0, (skep_bytes){p, 4});
    return skep_load_le32(p + 4) == skep_crc32c(crc, (skep_bytes){p + 8, n + 8}) ? RECORD_BYTES + n
                                                                                 : 0;
}

skep_rc skep_manifest__head(skep_bytes file, skep_err *err)
{
    if (file.n < HEAD_BYTES || memcmp(file.p, MAGIC, 8) != 0 ||
        skep_load_le32(file.p + 28) != skep_crc32c(0, (skep_bytes){file.p, 28}))
        return skep_fail(err, SKEP_ECORRUPT, "MANIFEST: its head is damaged");
    if (skep_load_le32(file.p + 8) > VERSION ||
        skep_load_le32(file.p + 12) & ~(uint32_t)REQUIRED_FEATURES)
        return skep_fail(err, SKEP_EUNSUPPORTED,
                         "MANIFEST of version %u, features %x: written by a newer skep",
                         skep_load_le32(file.p + 8), skep_load_le32(file.p + 12));
    return SKEP_OK;
}

static skep_rc parse(struct skep_manifest *m, skep_bytes file, skep_err *err)
{
    SKEP_TRY(skep_manifest__head(file, err));
    m->features = skep_load_le32(file.p + 12);
    uint64_t at = HEAD_BYTES;
    unsigned n_records = 0;
    for (uint64_t n; at < file.n && (n = skep_manifest__record_at(file, at)) > 0; at += n) {
        uint64_t number = skep_load_le64(file.p + at + 8);
        if (n_records++ > 0 && number != m->next_record)
            return skep_fail(err, SKEP_ECORRUPT, "MANIFEST: record %" PRIu64 " is missing",
                             m->next_record);
        m->next_record = number + 1;
        if (apply(&m->s, (skep_bytes){file.p + at + RECORD_BYTES, n - RECORD_BYTES}) != SKEP_OK)
            return skep_fail(err, SKEP_ECORRUPT, "MANIFEST: malformed record at byte %" PRIu64, at);
    }
    if (n_records == 0)
        return skep_fail(err, SKEP_ECORRUPT, "MANIFEST: no whole record");
    for (uint64_t more = at; more < file.n; more += 8) /* I2 */
        if (skep_manifest__record_at(file, more) > 0)
            return skep_fail(err, SKEP_ECORRUPT, "MANIFEST: damaged at byte %" PRIu64, at);
    m->at = m->live_bytes = at;
    return SKEP_OK;
}

skep_rc skep_manifest__read(const struct skep_os *os, const char *path, uint8_t **ret,
                            size_t *ret_n, skep_err *err)
{
    struct skep_os_stat st;
    int fd;
    SKEP_TRY(os->open(os, path, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = os->fstat(os, fd, &st, err);
    if (rc == SKEP_OK && st.size_bytes > MAX_BYTES)
        rc = skep_fail(err, SKEP_ECORRUPT, "MANIFEST of %" PRIu64 " bytes", st.size_bytes);
    if (rc == SKEP_OK) {
        uint8_t *p = skep_malloc(st.size_bytes);
        rc = os->pread(os, fd, p, st.size_bytes, 0, err);
        if (rc == SKEP_OK) {
            *ret = p;
            *ret_n = st.size_bytes;
        } else {
            skep_free(p);
        }
    }
    os->close(os, fd);
    return rc;
}

skep_rc skep_manifest__apply(struct skep_manifest_state *s, skep_bytes record)
{
    skep_assert(record.n >= RECORD_BYTES);
    return apply(s, (skep_bytes){record.p + RECORD_BYTES, record.n - RECORD_BYTES});
}

void skep_manifest__state_done(struct skep_manifest_state *s)
{
    skep_free(s->segments);
    skep_free(s->identities);
    skep_missing__done(&s->missing);
    skep_ledger_done(&s->ledger);
    *s = (struct skep_manifest_state){0};
}

static skep_rc read_all(struct skep_manifest *m, skep_err *err)
{
    struct skep_os_stat st;
    SKEP_TRY(m->os->fstat(m->os, m->fd, &st, err));
    if (st.size_bytes > MAX_BYTES)
        return skep_fail(err, SKEP_ECORRUPT, "MANIFEST of %" PRIu64 " bytes", st.size_bytes);
    uint8_t *p = skep_malloc(st.size_bytes);
    skep_rc rc = m->os->pread(m->os, m->fd, p, st.size_bytes, 0, err);
    if (rc == SKEP_OK)
        rc = parse(m, (skep_bytes){p, st.size_bytes}, err);
    skep_free(p);
    /* What a process that was killed wrote may not be on the disk yet; what is served from must be.
     * Before the file is let go of, because of an unfinished edit behind it (I3). */
    if (rc == SKEP_OK && !m->read_only)
        rc = m->os->fdatasync(m->os, m->fd, err);
    if (rc == SKEP_OK && m->at < st.size_bytes) {
        m->os->close(m->os, m->fd);
        m->fd = -1;
    }
    return rc;
}

static struct skep_manifest *new_manifest(const struct skep_os *os, const char *dir)
{
    struct skep_manifest *m = skep_alloc(struct skep_manifest);
    m->os = os;
    skep_str d = skep_str_c(dir);
    m->dir = skep_strndup(d.p, d.n);
    m->fd = -1;
    m->s.next_segment = 1;
    return m;
}

skep_rc skep_manifest_load(const struct skep_os *os, const char *dir, struct skep_manifest **ret,
                           skep_err *err)
{
    skep_assert(os && dir && ret);
    struct skep_manifest *m = new_manifest(os, dir);
    m->read_only = true;
    skep_rc rc = os->open(os, skep_path_of("%s/MANIFEST", dir).s, SKEP_OPEN_READ, &m->fd, err);
    if (rc == SKEP_OK)
        rc = read_all(m, err);
    if (rc != SKEP_OK) {
        skep_manifest_close(m);
        return rc;
    }
    *ret = m;
    return SKEP_OK;
}

/* I4.  Where there is no room for it now, the next edit does it. */
static void settle_doubt(struct skep_manifest *m)
{
    m->doubtful = true;
    if (rewrite(m, NULL) == SKEP_OK)
        return;
    if (m->fd >= 0)
        m->os->close(m->os, m->fd);
    m->fd = -1;
}

skep_rc skep_manifest_open(const struct skep_os *os, const char *dir, bool doubtful,
                           struct skep_manifest **ret, bool *ret_new, skep_err *err)
{
    skep_assert(os && dir && ret && ret_new);
    struct skep_manifest *m = new_manifest(os, dir);
    skep_path path = skep_path_of("%s/MANIFEST", dir);
    skep_rc rc = os->open(os, path.s, SKEP_OPEN_READ | SKEP_OPEN_WRITE, &m->fd, err);
    *ret_new = rc == SKEP_ENOTFOUND;
    if (rc == SKEP_OK) {
        rc = read_all(m, err);
        if (rc == SKEP_OK && doubtful)
            settle_doubt(m);
    } else if (rc == SKEP_ENOTFOUND) {
        m->s.has_ledger = true;
        rc = rewrite(m, err);
    }
    if (rc != SKEP_OK) {
        skep_manifest_close(m);
        return rc;
    }
    *ret = m;
    return SKEP_OK;
}

void skep_manifest_close(struct skep_manifest *m)
{
    if (!m)
        return;
    if (m->fd >= 0)
        m->os->close(m->os, m->fd);
    skep_manifest__state_done(&m->s);
    skep_free(m->dir);
    skep_free(m);
}

bool skep_manifest_doubtful(const struct skep_manifest *m)
{
    return m->doubtful;
}

bool skep_manifest_sound(const struct skep_manifest *m)
{
    return m->fd >= 0 && !m->doubtful;
}

bool skep_manifest_overlaps(const struct skep_manifest_state *s, unsigned at)
{
    skep_assert(at < s->n);
    for (unsigned i = 0; i < at; i++)
        if (s->segments[i].layout == s->segments[at].layout &&
            s->segments[i].max_seq >= s->segments[at].min_seq)
            return true;
    return false;
}

const struct skep_manifest_state *skep_manifest_state(const struct skep_manifest *m)
{
    return &m->s;
}

uint64_t skep_manifest_bytes(const struct skep_manifest *m)
{
    return m->at;
}

static skep_rc append_record(struct skep_manifest *m, const struct skep_buf *b, skep_err *err)
{
    if (m->fd < 0)
        return skep_fail(err, SKEP_EAGAIN, "MANIFEST is to be rewritten");
    SKEP_TRY(m->os->pwrite(m->os, m->fd, b->p, b->n, m->at, err));
    skep_rc rc = m->os->fdatasync(m->os, m->fd, err);
    if (rc ==
        SKEP_ENOSPC) /* the whole record may be there all the same: in doubt as by any error */
        return skep_fail(err, SKEP_EIO, "MANIFEST could not be synced: the disk is full");
    SKEP_TRY(rc);
    m->at += b->n;
    return SKEP_OK;
}

skep_rc skep_manifest__write(const struct skep_os *os, const char *dir,
                             const struct skep_manifest_state *s, skep_err *err)
{
    struct skep_manifest *m = new_manifest(os, dir);
    struct skep_manifest_state own = m->s;
    m->s = *s; /* borrowed */
    skep_rc rc = rewrite(m, err);
    m->s = own;
    skep_manifest_close(m);
    return rc;
}

/* Takes back what an edit did to the state; segments it removed are put back from `old`. */
struct undo {
    struct skep_manifest_segment *segments;
    unsigned n;
    uint64_t checkpoint, next_segment;
    struct skep_manifest_totals totals;
    size_t identities_n;
    struct skep_missing_list missing;
};

static struct undo keep(const struct skep_manifest_state *s)
{
    struct undo u = {.n = s->n,
                     .checkpoint = s->checkpoint,
                     .next_segment = s->next_segment,
                     .totals = s->totals,
                     .identities_n = s->identities_n};
    u.segments = skep_malloc(s->n * sizeof *u.segments);
    if (s->n)
        memcpy(u.segments, s->segments, s->n * sizeof *u.segments);
    skep_missing__copy(&u.missing, &s->missing);
    return u;
}

static void take_back(struct skep_manifest_state *s, const struct undo *u)
{
    skep_assert(u->n <= s->cap);
    if (u->n)
        memcpy(s->segments, u->segments, u->n * sizeof *u->segments);
    s->n = u->n;
    s->checkpoint = u->checkpoint;
    s->next_segment = u->next_segment;
    s->totals = u->totals;
    s->identities_n = u->identities_n;
    skep_missing__copy(&s->missing, &u->missing);
}

skep_rc skep_manifest_edit(struct skep_manifest *m, const struct skep_manifest_edit *e,
                           skep_err *err)
{
    skep_assert(!m->read_only);
    skep_assert(e->checkpoint == 0 || e->checkpoint >= m->s.checkpoint);
    skep_assert(e->next_segment >= m->s.next_segment);
    forget_old(&m->s, e->now_ns);
    (void)skep_ledger_fold(&m->s.ledger, e->now_ns);
    struct skep_buf b;
    skep_buf_init(&b, MAX_BYTES);
    uint64_t record = m->next_record;
    size_t at = begin_record(&b);
    for (unsigned i = 0; i < e->n_remove; i++) {
        skep_buf_u64(&b, OP_REMOVE);
        skep_buf_u64(&b, e->remove[i]);
    }
    for (unsigned i = 0; i < e->n_add; i++)
        put_segment(&b, &e->add[i]);
    for (unsigned i = 0; i < e->n_lives; i++)
        put_live(&b, e->lives[i].segment, &e->lives[i].live);
    put_numbers(&b, e->checkpoint ? e->checkpoint : m->s.checkpoint, e->next_segment, &e->totals);
    put_identities(&b, e->identities, e->n_identities);
    if (e->forget_missing)
        skep_missing__put(&b, &(struct skep_missing){.kind = SKEP_MISSING_FORGET});
    for (unsigned i = 0; i < e->n_missing; i++)
        skep_missing__put(&b, &e->missing[i]);
    if (e->ledger)
        put_ledger(&b, e->ledger);
    end_record(m, &b, at);

    struct undo u = keep(&m->s);
    skep_rc rc = apply(&m->s, (skep_bytes){b.p + at + RECORD_BYTES, b.n - at - RECORD_BYTES});
    skep_assert(rc == SKEP_OK); /* the engine removes only what is there */
    /* A file of before that feature gets it by being written anew. */
    bool large = !(m->features & FEATURE_DEATHS) ||
                 (m->at + b.n > REWRITE_BYTES && m->at + b.n > 4 * m->live_bytes);
    rc = large ? SKEP_EAGAIN : append_record(m, &b, err);
    bool doubt = rc != SKEP_OK && rc != SKEP_EAGAIN && rc != SKEP_ENOSPC;
    if (rc != SKEP_OK) {
        if (!large && m->fd >= 0) {
            m->os->close(m->os, m->fd); /* I3 */
            m->fd = -1;
        }
        rc = rewrite(m, err);
    }
    if (rc != SKEP_OK) {
        take_back(&m->s, &u);
        if (e->ledger)
            skep_ledger_unmerge(&m->s.ledger, e->ledger);
        m->next_record = record;
        if (m->fd >= 0)
            m->os->close(m->os, m->fd);
        m->fd = -1;                     /* which of the two files is the manifest now is unknown */
        if (doubt && rc == SKEP_ENOSPC) /* the record may have reached the disk */
            rc = skep_fail(err, SKEP_EIO, "MANIFEST could not be written");
    }
    skep_free(u.segments);
    skep_missing__done(&u.missing);
    skep_buf_done(&b);
    return rc;
}
