// SPDX-License-Identifier: Apache-2.0
/* Live-row bitmaps.
 *
 *   skep_live --> chunk of row group 0 (NULL: all live)
 *             --> chunk of row group 1 --------.
 *   its next version: the same chunks, but for those whose rows died
 *
 * A version is never written after it was made; making the next one copies 8 KiB for each row group
 * in which a row dies, whatever the size of the segment.
 *
 * The file of a version, little-endian:
 *
 *    0  "SKEPLIV1"          8  u32 version, 1       12  u32 checksum of all other bytes
 *   16  u64 segment        24  u64 rows             32  u64 live
 *   40  u64 deleted        48  u64 superseded       56  u64 chunks that follow
 *   64  chunk: u32 row group, u32 dead rows; then, when dead < 4,096, u16 row in the group for each
 *       dead row, ascending, padded to 8 with zeros; else 8,192 bytes, the words
 *
 * I1  rows = live + deleted + superseded; the chunks hold exactly `live` rows.
 * I2  bits beyond the last row are 0 in a chunk.
 * I3  a chunk has at least one dead row; row groups ascend.
 *
 * Threads: versions any; a mask one. */
#include "store/column/live.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum { HEAD_BYTES = 64, VERSION = 1, LIST_MAX = 4096, CHUNK_BYTES = SKEP_LIVE_WORDS * 8 };
static const char MAGIC[8] = "SKEPLIV1";

static uint64_t groups_of(const struct skep_rowset *rs)
{
    return (rs->row_end + SKEP_ROW_GROUP_ROWS - 1) / SKEP_ROW_GROUP_ROWS;
}

/* Rows of group g. */
static uint32_t rows_in(uint64_t n_rows, const uint32_t *group_rows, uint64_t g)
{
    if (group_rows)
        return group_rows[g];
    return (uint32_t)SKEP_MIN(n_rows - g * SKEP_ROW_GROUP_ROWS, (uint64_t)SKEP_ROW_GROUP_ROWS);
}

static void fill(uint64_t *words, uint32_t rows)
{
    for (uint32_t w = 0; w < SKEP_LIVE_WORDS; w++) {
        uint32_t first = w * 64;
        words[w] = first >= rows        ? 0
                   : rows - first >= 64 ? UINT64_MAX
                                        : (1ull << (rows - first)) - 1;
    }
}

static uint32_t count(const uint64_t *words)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < SKEP_LIVE_WORDS; w++)
        n += SKEP_POPCOUNT64(words[w]);
    return n;
}

/* --- masks --- */

void skep_mask_init(struct skep_mask *m, const struct skep_rowset *rs)
{
    *m = (struct skep_mask){.n_rows = rs->n_rows,
                            .n_groups = groups_of(rs),
                            .group_rows = rs->group_rows,
                            .lives = rs->lives};
}

void skep_mask_done(struct skep_mask *m)
{
    for (uint64_t g = 0; m->chunks && g < m->n_groups; g++)
        skep_free(m->chunks[g]);
    skep_free(m->chunks);
    *m = (struct skep_mask){0};
}

uint64_t *skep_mask_chunk(struct skep_mask *m, uint64_t group)
{
    skep_assert(group < m->n_groups);
    if (!m->chunks)
        m->chunks = skep_calloc(m->n_groups, sizeof *m->chunks);
    if (!m->chunks[group])
        m->chunks[group] = skep_calloc(1, sizeof *m->chunks[group]);
    return *m->chunks[group];
}

void skep_mask_add(struct skep_mask *m, uint64_t row)
{
    uint64_t group = row / SKEP_ROW_GROUP_ROWS;
    skep_assert(group < m->n_groups &&
                row % SKEP_ROW_GROUP_ROWS < rows_in(m->n_rows, m->group_rows, group));
    uint64_t *w = skep_mask_chunk(m, row / SKEP_ROW_GROUP_ROWS);
    uint64_t bit = 1ull << (row % 64), *at = &w[row % SKEP_ROW_GROUP_ROWS / 64];
    m->n += !(*at & bit);
    *at |= bit;
}

void skep_mask_recount(struct skep_mask *m)
{
    m->n = 0;
    for (uint64_t g = 0; m->chunks && g < m->n_groups; g++)
        m->n += m->chunks[g] ? count(*m->chunks[g]) : 0;
}

uint64_t skep_mask_bytes(const struct skep_mask *m)
{
    uint64_t bytes = 0;
    for (uint64_t g = 0; m->chunks && g < m->n_groups; g++)
        bytes += m->chunks[g] ? CHUNK_BYTES : 0;
    return bytes;
}

/* --- versions --- */

static size_t live_bytes(const struct skep_live *l)
{
    return sizeof *l + l->n_groups * sizeof l->chunks[0];
}

static struct skep_live *live_new(uint64_t n_rows, uint64_t n_groups, const uint32_t *group_rows,
                                  struct skep_budget *budget)
{
    static _Atomic uint64_t versions;
    struct skep_live *l = skep_calloc(1, sizeof *l + n_groups * sizeof l->chunks[0]);
    atomic_init(&l->refs, 1);
    l->version = atomic_fetch_add_explicit(&versions, 1, memory_order_relaxed) + 1;
    l->n_rows = l->n_live = n_rows;
    l->n_groups = n_groups;
    l->group_rows = group_rows;
    l->budget = budget;
    skep_budget_force(budget, live_bytes(l));
    return l;
}

static struct skep_live_chunk *chunk_new(uint32_t rows, struct skep_budget *budget)
{
    struct skep_live_chunk *c = skep_alloc(struct skep_live_chunk);
    atomic_init(&c->refs, 1);
    fill(c->words, rows);
    c->budget = budget;
    skep_budget_force(budget, sizeof *c);
    return c;
}

static struct skep_live_chunk *chunk_ref(struct skep_live_chunk *c)
{
    if (c)
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

static void chunk_unref(struct skep_live_chunk *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    skep_budget_give(c->budget, sizeof *c);
    skep_free(c);
}

struct skep_live *skep_live_ref(struct skep_live *l)
{
    if (l) {
        /* Relaxed: whoever refs already holds a reference. */
        uint32_t old = atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
        skep_assert(old > 0);
    }
    return l;
}

void skep_live_unref(struct skep_live *l)
{
    if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint64_t g = 0; g < l->n_groups; g++)
        chunk_unref(l->chunks[g]);
    skep_budget_give(l->budget, live_bytes(l));
    skep_free(l);
}

/* A version with the same chunks and counts. */
static struct skep_live *copy(const struct skep_live *from)
{
    struct skep_live *l = live_new(from->n_rows, from->n_groups, from->group_rows, from->budget);
    l->n_live = from->n_live;
    l->n_deleted = from->n_deleted;
    l->n_superseded = from->n_superseded;
    for (uint64_t g = 0; g < l->n_groups; g++)
        l->chunks[g] = chunk_ref(from->chunks[g]);
    return l;
}

/* The chunk without the mask's rows, or itself; *killed grows. */
static struct skep_live_chunk *kill_in(struct skep_live_chunk *from, const uint64_t *mask,
                                       uint32_t rows, struct skep_budget *budget, uint64_t *killed)
{
    struct skep_live_chunk *c = chunk_new(rows, budget);
    uint64_t before = *killed;
    if (from)
        memcpy(c->words, from->words, sizeof c->words);
    for (uint32_t w = 0; w < SKEP_LIVE_WORDS; w++) {
        *killed += SKEP_POPCOUNT64(c->words[w] & mask[w]);
        c->words[w] &= ~mask[w];
    }
    if (*killed != before)
        return c;
    chunk_unref(c);
    return chunk_ref(from);
}

struct skep_live *skep_live_kill(struct skep_live *from, const struct skep_mask *mask,
                                 enum skep_death why, uint64_t *ret_killed)
{
    uint64_t killed = 0;
    skep_assert(!from || (from->n_rows == mask->n_rows && from->n_groups == mask->n_groups));
    struct skep_live *l =
        from ? copy(from) : live_new(mask->n_rows, mask->n_groups, mask->group_rows, mask->lives);
    for (uint64_t g = 0; mask->chunks && g < mask->n_groups; g++) {
        if (!mask->chunks[g])
            continue;
        struct skep_live_chunk *old = l->chunks[g];
        l->chunks[g] = kill_in(old, *mask->chunks[g], rows_in(l->n_rows, l->group_rows, g),
                               l->budget, &killed);
        chunk_unref(old);
    }
    *ret_killed = killed;
    if (killed == 0) {
        skep_live_unref(l);
        return skep_live_ref(from);
    }
    skep_assert(killed <= l->n_live);
    l->n_live -= killed;
    if (why == SKEP_DEATH_DELETED)
        l->n_deleted += killed;
    else
        l->n_superseded += killed;
    return l;
}

struct skep_live *skep_live_recount(struct skep_live *from, uint64_t n_deleted,
                                    uint64_t n_superseded)
{
    skep_assert(from->n_deleted + from->n_superseded == n_deleted + n_superseded);
    struct skep_live *l = copy(from);
    l->n_deleted = n_deleted;
    l->n_superseded = n_superseded;
    return l;
}

void skep_live_diff(const struct skep_live *before, const struct skep_live *after,
                    const struct skep_rowset *rs, struct skep_mask *ret)
{
    skep_mask_init(ret, rs);
    uint64_t all[SKEP_LIVE_WORDS];
    for (uint64_t g = 0; after && g < ret->n_groups; g++) {
        const struct skep_live_chunk *a = after->chunks[g], *b = before ? before->chunks[g] : NULL;
        if (!a || a == b)
            continue;
        fill(all, rows_in(ret->n_rows, ret->group_rows, g));
        uint64_t *to = NULL;
        for (uint32_t w = 0; w < SKEP_LIVE_WORDS; w++) {
            uint64_t died = (b ? b->words[w] : all[w]) & ~a->words[w];
            if (died && !to)
                to = skep_mask_chunk(ret, g);
            if (died)
                to[w] = died;
        }
    }
    skep_mask_recount(ret);
}

/* --- the file --- */

static uint32_t checksum(skep_bytes file)
{
    uint32_t head = skep_crc32c(0, (skep_bytes){file.p, 12});
    return skep_crc32c(head, (skep_bytes){file.p + 16, file.n - 16});
}

static void put_chunk(struct skep_buf *out, const struct skep_live_chunk *c, uint64_t g,
                      uint32_t rows)
{
    uint32_t dead = rows - count(c->words);
    skep_assert(dead > 0); /* I3 */
    skep_buf_u32(out, (uint32_t)g);
    skep_buf_u32(out, dead);
    if (dead >= LIST_MAX) {
        for (uint32_t w = 0; w < SKEP_LIVE_WORDS; w++)
            skep_buf_u64(out, c->words[w]);
        return;
    }
    uint64_t all[SKEP_LIVE_WORDS];
    fill(all, rows);
    for (uint32_t w = 0; w < SKEP_LIVE_WORDS; w++)
        for (uint64_t died = all[w] & ~c->words[w]; died; died &= died - 1) {
            uint32_t row = w * 64 + SKEP_CTZ64(died);
            skep_buf_u8(out, (uint8_t)row);
            skep_buf_u8(out, (uint8_t)(row >> 8));
        }
    skep_buf_align(out, 8);
}

void skep_live_encode(const struct skep_live *l, uint64_t segment, struct skep_buf *out)
{
    skep_assert(out->n == 0);
    uint64_t chunks = 0;
    for (uint64_t g = 0; g < l->n_groups; g++)
        chunks += l->chunks[g] != NULL;
    skep_buf_put(out, MAGIC, sizeof MAGIC);
    skep_buf_u32(out, VERSION);
    skep_buf_u32(out, 0);
    skep_buf_u64(out, segment);
    skep_buf_u64(out, l->n_rows);
    skep_buf_u64(out, l->n_live);
    skep_buf_u64(out, l->n_deleted);
    skep_buf_u64(out, l->n_superseded);
    skep_buf_u64(out, chunks);
    for (uint64_t g = 0; g < l->n_groups; g++)
        if (l->chunks[g])
            put_chunk(out, l->chunks[g], g, rows_in(l->n_rows, l->group_rows, g));
    if (!out->bad)
        skep_store_le32(out->p + 12, checksum(skep_buf_bytes(out)));
}

/* Dead rows as a list; false when malformed. */
static bool get_list(skep_rd *r, struct skep_live_chunk *c, uint32_t dead, uint32_t rows)
{
    int64_t last = -1;
    for (uint32_t i = 0; i < dead; i++) {
        uint32_t row = skep_rd_u16(r);
        if (r->bad || row >= rows || (int64_t)row <= last)
            return false;
        last = row;
        c->words[row / 64] &= ~(1ull << (row % 64));
    }
    for (uint32_t pad = dead * 2 % 8; pad != 0 && pad < 8; pad++)
        if (skep_rd_u8(r) != 0)
            return false;
    return !r->bad;
}

static bool get_words(skep_rd *r, struct skep_live_chunk *c, uint32_t dead, uint32_t rows)
{
    for (uint32_t w = 0; w < SKEP_LIVE_WORDS; w++) {
        uint64_t word = skep_rd_u64(r);
        if (word & ~c->words[w])
            return false; /* I2 */
        c->words[w] = word;
    }
    return !r->bad && rows - count(c->words) == dead;
}

static bool get_chunks(skep_rd *r, struct skep_live *l, uint64_t chunks)
{
    uint64_t dead_rows = 0;
    int64_t last = -1;
    for (uint64_t i = 0; i < chunks; i++) {
        uint32_t g = skep_rd_u32(r), dead = skep_rd_u32(r);
        if (r->bad || g >= l->n_groups || (int64_t)g <= last)
            return false;
        uint32_t rows = rows_in(l->n_rows, l->group_rows, g);
        if (dead == 0 || dead > rows)
            return false;
        last = g;
        dead_rows += dead;
        l->chunks[g] = chunk_new(rows, l->budget);
        if (!(dead < LIST_MAX ? get_list : get_words)(r, l->chunks[g], dead, rows))
            return false;
    }
    return !r->bad && skep_rd_left(r) == 0 && dead_rows == l->n_rows - l->n_live;
}

bool skep_live_intact(skep_bytes file)
{
    return file.n >= HEAD_BYTES && memcmp(file.p, MAGIC, sizeof MAGIC) == 0 &&
           skep_load_le32(file.p + 12) == checksum(file);
}

skep_rc skep_live_decode(skep_bytes file, uint64_t segment, const struct skep_rowset *rs,
                         struct skep_live **ret, skep_err *err)
{
    if (!skep_live_intact(file))
        return skep_fail(err, SKEP_ECORRUPT, "live rows of segment %016llx: damaged",
                         (unsigned long long)segment);
    if (skep_load_le32(file.p + 8) > VERSION)
        return skep_fail(err, SKEP_EUNSUPPORTED, "live rows of version %u: by a newer skep",
                         skep_load_le32(file.p + 8));
    skep_rd r = skep_rd_make((skep_bytes){file.p + 16, file.n - 16});
    uint64_t of = skep_rd_u64(&r), rows = skep_rd_u64(&r), live = skep_rd_u64(&r);
    uint64_t deleted = skep_rd_u64(&r), superseded = skep_rd_u64(&r), chunks = skep_rd_u64(&r);
    if (of != segment || rows != rs->n_rows || live > rows || deleted > rows - live ||
        superseded != rows - live - deleted)
        return skep_fail(err, SKEP_ECORRUPT, "live rows of segment %016llx are of another one",
                         (unsigned long long)segment);
    struct skep_live *l = live_new(rows, groups_of(rs), rs->group_rows, rs->lives);
    l->n_live = live;
    l->n_deleted = deleted;
    l->n_superseded = superseded;
    if (!get_chunks(&r, l, chunks)) {
        skep_live_unref(l);
        return skep_fail(err, SKEP_ECORRUPT, "live rows of segment %016llx: malformed at byte %zu",
                         (unsigned long long)segment, skep_rd_offset(&r) + 16);
    }
    *ret = l;
    return SKEP_OK;
}
