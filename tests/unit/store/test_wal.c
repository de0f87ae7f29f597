// SPDX-License-Identifier: Apache-2.0
/* The log: what was committed comes back; torn tails end it, damage is named; faults of the disk.
 */
#include <cmocka.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/wal.h"
#include "support/fault_os.h"
#include "support/instrumented.h"

#define DIR "/d/wal"

struct got {
    uint64_t seqs[4096];
    unsigned n;
};

static uint8_t payload_byte(uint64_t seq, size_t i)
{
    return (uint8_t)(seq * 31 + i * 7 + 1);
}

static size_t payload_size(uint64_t seq)
{
    return seq % 5 == 0 ? 200000 : 1 + seq * 37 % 3000;
}

static uint8_t *payload_of(uint64_t seq)
{
    size_t n = payload_size(seq);
    uint8_t *p = skep_malloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = payload_byte(seq, i);
    return p;
}

static skep_rc collect(void *ctx, uint64_t seq, uint8_t *payload, size_t n, skep_err *err)
{
    (void)err;
    struct got *g = ctx;
    assert_int_equal(n, payload_size(seq));
    uint8_t *want = payload_of(seq);
    assert_memory_equal(payload, want, n);
    skep_free(want);
    assert_true(g->n < 4096);
    g->seqs[g->n++] = seq;
    skep_free(payload);
    return SKEP_OK;
}

static skep_rc commit(struct skep_wal *w, uint64_t first, unsigned n)
{
    struct skep_wal_item items[16];
    uint8_t *p[16];
    for (unsigned i = 0; i < n; i++) {
        p[i] = payload_of(first + i);
        size_t bytes = payload_size(first + i);
        items[i] = (struct skep_wal_item){first + i, p[i], bytes,
                                          skep_crc32c(0, (skep_bytes){p[i], bytes})};
    }
    skep_err err;
    skep_rc rc = skep_wal_commit(w, items, n, &err);
    for (unsigned i = 0; i < n; i++)
        skep_free(p[i]);
    return rc;
}

static struct skep_wal *reopen(const struct skep_os *os, uint64_t checkpoint, struct got *g,
                               struct skep_wal_damage *d, uint64_t *last)
{
    struct skep_wal *w;
    skep_err err;
    g->n = 0;
    assert_int_equal(skep_wal_open(os, DIR, 256 << 10, &w, &err), SKEP_OK);
    skep_rc rc = skep_wal_replay(w, checkpoint, collect, g, d, last, &err);
    if (rc != SKEP_OK)
        fail_msg("replay: %s", err.text);
    return w;
}

static void expect_seqs(const struct got *g, uint64_t first, uint64_t last)
{
    assert_int_equal(g->n, last - first + 1);
    for (unsigned i = 0; i < g->n; i++)
        assert_int_equal(g->seqs[i], first + i);
}

static struct mem_os *fresh(uint64_t seed)
{
    struct mem_os *m = mem_os_new(seed);
    const struct skep_os *os = mem_os_ops(m);
    /* The folder of the log is the engine's to make durable. */
    assert_int_equal(os->mkdir(os, "/d", NULL), SKEP_OK);
    assert_int_equal(os->mkdir(os, DIR, NULL), SKEP_OK);
    assert_int_equal(skep_os_sync_parent(os, "/d", NULL), SKEP_OK);
    assert_int_equal(skep_os_sync_parent(os, DIR, NULL), SKEP_OK);
    return m;
}

static void test_commits_come_back(void **state)
{
    (void)state;
    struct mem_os *m = fresh(1);
    const struct skep_os *os = mem_os_ops(m);
    struct got g;
    struct skep_wal_damage d;
    uint64_t last;
    skep_err err;
    struct skep_wal *w = reopen(os, 0, &g, &d, &last);
    assert_int_equal(g.n, 0);
    assert_int_equal(last, 0);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    uint64_t seq = 1;
    for (unsigned k = 1; k <= 16; seq += k++)
        assert_int_equal(commit(w, seq, k), SKEP_OK); /* rolls over several files */
    skep_wal_close(w);
    for (int round = 0; round < 2; round++) { /* replaying changes nothing */
        w = reopen(os, 0, &g, &d, &last);
        expect_seqs(&g, 1, seq - 1);
        assert_int_equal(last, seq - 1);
        assert_int_equal(d.regions + d.torn + d.lost_first, 0);
        assert_string_equal(d.text, "");
        skep_wal_close(w);
    }
    w = reopen(os, 50, &g, &d, &last);
    expect_seqs(&g, 51, seq - 1);
    assert_int_equal(skep_wal_start(w, last, &err), SKEP_OK);
    uint64_t before = skep_wal_disk_bytes(w);
    skep_wal_drop(w, 100); /* the files of the first commits go */
    assert_true(skep_wal_disk_bytes(w) < before);
    assert_int_equal(commit(w, seq, 2), SKEP_OK);
    skep_wal_close(w);
    w = reopen(os, 100, &g, &d, &last);
    expect_seqs(&g, 101, seq + 1);
    assert_string_equal(d.text, "");
    skep_wal_close(w);
    /* A manifest that forgot its last record: the log begins too late. */
    w = reopen(os, 20, &g, &d, &last);
    assert_true(d.gap_at_start);
    assert_int_equal(d.lost_first, 21);
    skep_wal_close(w);
    mem_os_free(m);
}

/* Flip each of many bits: a lost frame is always named, all others come back unchanged. */
static void test_bit_flips(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < skep_tries(300); round++) {
        struct mem_os *m = fresh(round);
        const struct skep_os *os = mem_os_ops(m);
        struct got g;
        struct skep_wal_damage d;
        uint64_t last;
        skep_err err;
        struct skep_wal *w = reopen(os, 0, &g, &d, &last);
        assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
        for (uint64_t seq = 1; seq <= 30; seq += 3)
            assert_int_equal(commit(w, seq, 3), SKEP_OK);
        uint64_t used = skep_wal_used_bytes(w);
        skep_wal_close(w);
        uint64_t bit = (round * 7919 * 64 + round) % (used * 8);
        bool first = bit % 2; /* in the first or in the second file */
        const char *path = first ? DIR "/0000000000000001.log" : DIR "/0000000000000002.log";
        if (!mem_os_flip(m, path, bit)) {
            mem_os_free(m);
            continue;
        }
        w = reopen(os, 0, &g, &d, &last);
        unsigned lost = 30 - g.n;
        if (lost > 0)
            assert_true(d.text[0] != 0);
        if (lost > 0 && last == 30 && g.n > 0 && g.seqs[g.n - 1] == 30) {
            assert_true(d.regions > 0 || d.lost_first > 0);
            assert_int_equal(lost, 1);
        }
        assert_true(lost <= 3); /* the last group at most */
        skep_wal_close(w);
        mem_os_free(m);
    }
}

/* Power goes at every point of a run: nothing acknowledged is lost, nothing is damaged. */
static void test_power_cuts(void **state)
{
    (void)state;
    unsigned died = 0, torn = 0;
    for (int64_t when = 0; when < 400; when += SKEP_INSTRUMENTED ? 5 : 1) {
        struct mem_os *m = fresh((uint64_t)when + 1000);
        const struct skep_os *os = mem_os_ops(m);
        struct got g;
        struct skep_wal_damage d;
        uint64_t last, acked = 0;
        for (int life = 0; life < 4; life++) {
            struct skep_wal *w = reopen(os, 0, &g, &d, &last);
            assert_int_equal(d.regions + d.lost_first, 0);
            torn += d.torn > 0;
            assert_true(last >= acked);
            if (acked)
                expect_seqs(&g, 1, last);
            acked = last;
            mem_os_die_after(m, when % 57 + life * 3);
            skep_err err;
            if (skep_wal_start(w, last, &err) == SKEP_OK)
                for (unsigned k = 1; k < 12; k++) {
                    unsigned n = 1 + (unsigned)(when + k) % 5;
                    if (commit(w, acked + 1, n) != SKEP_OK)
                        break;
                    acked += n;
                    if (when % 2)
                        skep_wal_prepare(w);
                }
            died += mem_os_dead(m);
            mem_os_power_cut(m);
            skep_wal_close(w);
        }
        mem_os_free(m);
    }
    assert_true(died > skep_tries(500));
    assert_true(torn > skep_tries(100));
}

static void test_failed_sync(void **state)
{
    (void)state;
    struct mem_os *m = fresh(3);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    struct got g;
    struct skep_wal_damage d;
    uint64_t last;
    skep_err err;
    struct skep_wal *w = reopen(&f.os, 0, &g, &d, &last);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    assert_int_equal(commit(w, 1, 3), SKEP_OK);
    fault_os_arm(&f, FAULT_SYNC, 0, 1, SKEP_EIO); /* once: written again to a new file */
    assert_int_equal(commit(w, 4, 3), SKEP_OK);
    fault_os_arm(&f, FAULT_PWRITE, 0, 1, SKEP_EIO);
    f.torn = true;
    assert_int_equal(commit(w, 7, 3), SKEP_OK);
    assert_false(skep_wal_failed(w));
    fault_os_arm(&f, FAULT_SYNC, 0, 2, SKEP_EIO); /* twice: no more */
    assert_int_equal(commit(w, 10, 3), SKEP_EIO);
    assert_true(skep_wal_failed(w));
    fault_os_arm(&f, 0, 0, 0, SKEP_OK);
    assert_int_equal(commit(w, 13, 1), SKEP_EIO);
    skep_wal_close(w);
    w = reopen(&f.os, 0, &g, &d, &last);
    expect_seqs(&g, 1, 9);
    assert_int_equal(d.regions + d.lost_first, 0);
    assert_int_equal(skep_wal_start(w, last, &err), SKEP_OK);
    assert_int_equal(commit(w, 10, 3), SKEP_OK);
    skep_wal_close(w);
    w = reopen(&f.os, 0, &g, &d, &last);
    expect_seqs(&g, 1, 12);
    skep_wal_close(w);
    mem_os_free(m);
}

static void test_full_disk_heals(void **state)
{
    (void)state;
    struct mem_os *m = fresh(4);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    struct got g;
    struct skep_wal_damage d;
    uint64_t last;
    skep_err err;
    struct skep_wal *w = reopen(&f.os, 0, &g, &d, &last);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    assert_int_equal(commit(w, 1, 4), SKEP_OK);
    fault_os_arm(&f, FAULT_PWRITE, 1, 1, SKEP_ENOSPC); /* half of the group is written */
    assert_int_equal(commit(w, 5, 3), SKEP_ENOSPC);
    mem_os_limit(m, 1); /* and when a new file is wanted */
    uint64_t seq = 8;
    while (commit(w, seq, 3) == SKEP_OK)
        seq += 3;
    assert_false(skep_wal_failed(w));
    mem_os_limit(m, 0);
    seq += 3; /* a refused number is never used again */
    assert_int_equal(commit(w, seq, 1), SKEP_OK);
    skep_wal_close(w);
    w = reopen(&f.os, 0, &g, &d, &last);
    assert_int_equal(last, seq);
    assert_int_equal(g.seqs[3], 4);
    assert_int_equal(g.seqs[4], 8);
    assert_int_equal(g.n, 4 + (seq - 3 - 8) + 1);
    assert_int_equal(d.regions + d.lost_first, 0);
    skep_wal_close(w);
    mem_os_free(m);
}

/* A refused group does not come back when the process dies right after. */
static void test_refused_stays_refused(void **state)
{
    (void)state;
    struct mem_os *m = fresh(5);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    struct got g;
    struct skep_wal_damage d;
    uint64_t last;
    skep_err err;
    struct skep_wal *w = reopen(&f.os, 0, &g, &d, &last);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    assert_int_equal(commit(w, 1, 1), SKEP_OK);
    fault_os_arm(&f, FAULT_SYNC, 0, 1, SKEP_ENOSPC);
    assert_int_equal(commit(w, 2, 3), SKEP_ENOSPC);
    struct skep_wal *other = reopen(&f.os, 0, &g, &d, &last); /* as after a kill */
    expect_seqs(&g, 1, 1);
    skep_wal_close(other);
    skep_wal_close(w);
    mem_os_free(m);
}

/* Commits of 1 KiB and more until the next file is wanted; returns the next number. */
static uint64_t fill_half(struct skep_wal *w, uint64_t seq)
{
    for (; !skep_wal_wants_next(w); seq += 2)
        assert_int_equal(commit(w, seq, 2), SKEP_OK);
    return seq;
}

/* The file made ready is the one that is written next, and nothing need be created then. */
static void test_next_file_is_ready(void **state)
{
    (void)state;
    struct mem_os *m = fresh(6);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    struct got g;
    struct skep_wal_damage d;
    struct skep_os_stat st;
    uint64_t last;
    skep_err err;
    struct skep_wal *w = reopen(&f.os, 0, &g, &d, &last);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    skep_wal_prepare(w); /* not yet */
    assert_int_equal(f.os.stat(&f.os, DIR "/0000000000000002.log", &st, &err), SKEP_ENOTFOUND);
    uint64_t seq = fill_half(w, 1), before = skep_wal_disk_bytes(w);
    skep_wal_prepare(w);
    assert_false(skep_wal_wants_next(w));
    assert_int_equal(skep_wal_disk_bytes(w), before + (256 << 10));
    assert_int_equal(f.os.stat(&f.os, DIR "/0000000000000002.log", &st, &err), SKEP_OK);
    /* As after a kill: an empty file behind the last one is no damage. */
    struct skep_wal *other = reopen(&f.os, 0, &g, &d, &last);
    expect_seqs(&g, 1, seq - 1);
    assert_string_equal(d.text, "");
    skep_wal_close(other);
    fault_os_arm(&f, FAULT_OPEN | FAULT_PREALLOCATE | FAULT_SYNC_DIR, 0, INT64_MAX, SKEP_EIO);
    for (; skep_wal_used_bytes(w) < (300 << 10); seq++)
        assert_int_equal(commit(w, seq, 1), SKEP_OK);
    assert_int_equal(f.failed, 0);
    fault_os_arm(&f, 0, 0, 0, SKEP_OK);
    struct skep_wal_file_head file_head;
    uint8_t head[SKEP_WAL_HEAD_BYTES];
    int fd;
    assert_int_equal(f.os.open(&f.os, DIR "/0000000000000002.log", SKEP_OPEN_READ, &fd, &err),
                     SKEP_OK);
    assert_int_equal(f.os.pread(&f.os, fd, head, sizeof head, 0, &err), SKEP_OK);
    f.os.close(&f.os, fd);
    assert_true(skep_wal__file_head(head, &file_head));
    assert_int_equal(file_head.epoch, 2);
    assert_true(file_head.last_seq > 0 && file_head.last_seq < seq);
    skep_wal_close(w);
    w = reopen(&f.os, 0, &g, &d, &last);
    expect_seqs(&g, 1, seq - 1);
    assert_string_equal(d.text, "");
    skep_wal_close(w);
    mem_os_free(m);
}

/* What a client sends may be any bytes, also those of a frame with all checksums right: where the
 * frame around them was torn it is searched through, and they must not come back as a commit. */
static void forge(uint8_t *p, uint32_t nonce, uint64_t prev_seq)
{
    uint8_t *payload = payload_of(9), salted[8 + 44] = {[0] = 1};
    skep_store_le32(p, 0x46574b53);
    skep_store_le32(p + 4, nonce);
    skep_store_le64(p + 8, 9);
    skep_store_le64(p + 16, prev_seq);
    skep_store_le64(p + 24, prev_seq);
    skep_store_le64(p + 32, payload_size(9));
    skep_store_le32(p + 40, skep_crc32c(0, (skep_bytes){payload, payload_size(9)}));
    memcpy(salted + 8, p, 44);
    skep_store_le32(p + 44, skep_crc32c(0, (skep_bytes){salted, sizeof salted}));
    memcpy(p + SKEP_WAL_FRAME_BYTES, payload, payload_size(9));
    skep_free(payload);
}

static void tear(const struct skep_os *os, uint64_t offset)
{
    int fd;
    skep_err err;
    assert_int_equal(os->open(os, DIR "/0000000000000001.log", SKEP_OPEN_WRITE, &fd, &err),
                     SKEP_OK);
    assert_int_equal(os->pwrite(os, fd, (const uint8_t[8]){0}, 8, offset, &err), SKEP_OK);
    os->close(os, fd);
}

static void check_forged(uint32_t nonce, uint64_t prev_seq)
{
    struct mem_os *m = fresh(8);
    const struct skep_os *os = mem_os_ops(m);
    struct got g;
    struct skep_wal_damage d;
    uint64_t last;
    skep_err err;
    uint8_t hostile[1024] = {0};
    forge(hostile + 64, nonce, prev_seq);
    struct skep_wal *w = reopen(os, 0, &g, &d, &last);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    assert_int_equal(commit(w, 1, 2), SKEP_OK);
    uint64_t at = SKEP_WAL_HEAD_BYTES + skep_wal_used_bytes(w);
    struct skep_wal_item item = {3, hostile, sizeof hostile,
                                 skep_crc32c(0, (skep_bytes){hostile, sizeof hostile})};
    assert_int_equal(skep_wal_commit(w, &item, 1, &err), SKEP_OK);
    skep_wal_close(w);
    tear(os, at);
    w = reopen(os, 0, &g, &d, &last);
    expect_seqs(&g, 1, 2);
    assert_int_equal(last, 2);
    assert_int_equal(d.torn, 1);
    assert_int_equal(d.lost_first, 0);
    skep_wal_close(w);
    /* Not even when the head is gone, as long as a frame before it says the nonce. */
    tear(os, 0);
    w = reopen(os, 0, &g, &d, &last);
    expect_seqs(&g, 1, 2);
    skep_wal_close(w);
    mem_os_free(m);
}

static void test_payload_is_no_frame(void **state)
{
    (void)state;
    for (uint32_t nonce = 0; nonce < 3; nonce++) {
        check_forged(nonce, 2);
        check_forged(nonce, 8);
    }
}

/* What a start has read is synced, but for files that nobody needs any more. */
static void test_start_syncs(void **state)
{
    (void)state;
    for (uint64_t checkpoint = 0; checkpoint <= 3; checkpoint++) {
        struct mem_os *m = fresh(10);
        struct fault_os f;
        struct got g;
        struct skep_wal_damage d;
        uint64_t last;
        skep_err err;
        fault_os_init(&f, mem_os_ops(m));
        f.only = "0000000000000001.log";
        fault_os_arm(&f, FAULT_SYNC, INT64_MAX, 0, SKEP_EIO); /* counts */
        struct skep_wal *w = reopen(&f.os, 0, &g, &d, &last);
        assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
        assert_int_equal(commit(w, 1, 3), SKEP_OK);
        skep_wal_close(w);
        int64_t before = f.seen;
        w = reopen(&f.os, checkpoint, &g, &d, &last);
        assert_int_equal(skep_wal_start(w, last, &err), SKEP_OK);
        assert_int_equal(f.seen - before, checkpoint < 3);
        skep_wal_close(w);
        mem_os_free(m);
    }
}

/* A file of version 1 has no nonce, and is read as ever. */
static void test_version_1(void **state)
{
    (void)state;
    struct mem_os *m = fresh(9);
    const struct skep_os *os = mem_os_ops(m);
    struct got g;
    struct skep_wal_damage d;
    uint64_t last;
    skep_err err;
    int fd;
    uint8_t file[SKEP_WAL_HEAD_BYTES + 1024] = "SKEPWAL1";
    file[8] = file[16] = 1;
    file[24] = 8;
    skep_store_le32(file + 60, skep_crc32c(0, (skep_bytes){file, 60}));
    forge(file + SKEP_WAL_HEAD_BYTES, 1, 8);
    assert_int_equal(os->mkdir(os, DIR, &err), SKEP_OK);
    assert_int_equal(
        os->open(os, DIR "/0000000000000001.log", SKEP_OPEN_WRITE | SKEP_OPEN_CREATE, &fd, &err),
        SKEP_OK);
    assert_int_equal(os->pwrite(os, fd, file, sizeof file, 0, &err), SKEP_OK);
    os->close(os, fd);
    struct skep_wal *w = reopen(os, 8, &g, &d, &last);
    expect_seqs(&g, 9, 9);
    assert_string_equal(d.text, "");
    assert_int_equal(skep_wal_start(w, last, &err), SKEP_OK);
    assert_int_equal(commit(w, 10, 1), SKEP_OK); /* to a file of version 2 */
    skep_wal_close(w);
    w = reopen(os, 8, &g, &d, &last);
    expect_seqs(&g, 9, 10);
    skep_wal_close(w);
    mem_os_free(m);
}

/* A file that could not be made ready, is too small, or was not needed. */
static void test_next_file_is_not_used(void **state)
{
    (void)state;
    struct mem_os *m = fresh(7);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    struct got g;
    struct skep_wal_damage d;
    struct skep_os_stat st;
    uint64_t last;
    skep_err err;
    struct skep_wal *w = reopen(&f.os, 0, &g, &d, &last);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    uint64_t seq = fill_half(w, 1), before = skep_wal_disk_bytes(w);
    fault_os_arm(&f, FAULT_PREALLOCATE, 0, 1, SKEP_ENOSPC);
    skep_wal_prepare(w);
    assert_int_equal(f.failed, 1);
    assert_false(skep_wal_wants_next(w)); /* the commit that needs it will say */
    assert_int_equal(skep_wal_disk_bytes(w), before);
    for (; skep_wal_used_bytes(w) < (300 << 10); seq++)
        assert_int_equal(commit(w, seq, 1), SKEP_OK);
    seq = fill_half(w, seq);
    skep_wal_prepare(w);
    struct skep_wal_item large = {.seq = seq++, .n = 1 << 20};
    uint8_t *p = skep_calloc(1, large.n);
    large.payload = p;
    large.crc = skep_crc32c(0, (skep_bytes){p, large.n});
    assert_int_equal(skep_wal_commit(w, &large, 1, &err), SKEP_OK);
    skep_free(p);
    skep_wal_drop(w, large.seq);
    seq = fill_half(w, seq);
    skep_wal_prepare(w);
    assert_int_equal(f.os.stat(&f.os, DIR "/0000000000000004.log", &st, &err), SKEP_OK);
    skep_wal_close(w);
    assert_int_equal(f.os.stat(&f.os, DIR "/0000000000000004.log", &st, &err), SKEP_ENOTFOUND);
    w = reopen(&f.os, large.seq, &g, &d, &last);
    expect_seqs(&g, large.seq + 1, seq - 1);
    assert_string_equal(d.text, "");
    skep_wal_close(w);
    mem_os_free(m);
}

/* Another thread that makes a file ready comes between the steps of a commit that begins one: it
 * runs after each file was opened, and must not open the same. */
static struct {
    skep_rc (*open)(const struct skep_os *, const char *, unsigned, int *, skep_err *);
    struct skep_wal *wal;
    unsigned wanted;
    bool within;
} between;

static skep_rc open_then_prepare(const struct skep_os *os, const char *path, unsigned flags,
                                 int *ret_fd, skep_err *err)
{
    skep_rc rc = between.open(os, path, flags, ret_fd, err);
    if (rc == SKEP_OK && between.wal && !between.within) {
        between.within = true;
        between.wanted++;
        skep_wal_prepare(between.wal);
        between.within = false;
    }
    return rc;
}

struct image {
    uint8_t *p;
    uint64_t n;
};

/* The first file as it is; or as it was. */
static void keep_first(const struct skep_os *os, struct image *i, bool back)
{
    struct skep_os_stat st;
    int fd;
    assert_int_equal(
        os->open(os, DIR "/0000000000000001.log", SKEP_OPEN_READ | SKEP_OPEN_WRITE, &fd, NULL),
        SKEP_OK);
    if (back) {
        assert_int_equal(os->pwrite(os, fd, i->p, i->n, 0, NULL), SKEP_OK);
        assert_int_equal(os->fsync(os, fd, NULL), SKEP_OK);
        skep_free(i->p);
    } else {
        assert_int_equal(os->fstat(os, fd, &st, NULL), SKEP_OK);
        *i = (struct image){skep_malloc(st.size_bytes), st.size_bytes};
        assert_int_equal(os->pread(os, fd, i->p, i->n, 0, NULL), SKEP_OK);
    }
    os->close(os, fd);
}

/* A refused group was unmade, the disk did not hear of it, and the next process gave its numbers
 * away: with the power cut the refused frames are back, and are not taken for the acknowledged ones
 * of the same numbers. */
static void test_number_of_a_refused_commit(void **state)
{
    (void)state;
    struct mem_os *m = fresh(9);
    const struct skep_os *os = mem_os_ops(m);
    struct got g;
    struct image refused, unmade;
    struct skep_wal_damage d;
    uint64_t last;
    skep_err err;
    struct skep_wal *w = reopen(os, 0, &g, &d, &last);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    assert_int_equal(commit(w, 1, 3), SKEP_OK);
    keep_first(os, &unmade, false);
    static uint8_t other[64];
    const struct skep_wal_item item = {4, other, sizeof other,
                                       skep_crc32c(0, (skep_bytes){other, sizeof other})};
    assert_int_equal(skep_wal_commit(w, &item, 1, &err), SKEP_OK);
    skep_wal_close(w);
    keep_first(os, &refused, false);
    keep_first(os, &unmade, true);
    w = reopen(os, 0, &g, &d, &last);
    expect_seqs(&g, 1, 3);
    assert_int_equal(skep_wal_start(w, last, &err), SKEP_OK);
    assert_int_equal(commit(w, 4, 2), SKEP_OK);
    skep_wal_close(w);
    keep_first(os, &refused, true);
    w = reopen(os, 0, &g, &d, &last);
    expect_seqs(&g, 1, 5); /* collect() knows their bytes */
    assert_int_equal(d.regions + d.lost_first, 0);
    skep_wal_close(w);
    mem_os_free(m);
}

/* Frames of which nothing says that they are durable are written anew where the owner before died:
 * they survive the loss of what they were found in.  Without room for it they are believed. */
static void test_doubts_are_written_anew(void **state)
{
    (void)state;
    for (int full = 0; full < 2; full++) {
        struct mem_os *m = fresh(10);
        struct fault_os f;
        fault_os_init(&f, mem_os_ops(m));
        struct got g;
        struct image before;
        struct skep_wal_damage d;
        uint64_t last;
        skep_err err;
        struct skep_wal *w = reopen(&f.os, 0, &g, &d, &last);
        assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
        assert_int_equal(commit(w, 1, 5), SKEP_OK);
        keep_first(&f.os, &before, false);
        assert_int_equal(commit(w, 6, 4), SKEP_OK);
        mem_os_die_after(m, 0);
        skep_wal_close(w);
        mem_os_kill(m);
        w = reopen(&f.os, 0, &g, &d, &last);
        expect_seqs(&g, 1, 9);
        skep_wal_doubt(w);
        fault_os_arm(&f, full ? FAULT_PWRITE : 0, 0, 1, SKEP_ENOSPC);
        assert_int_equal(skep_wal_start(w, last, &err), SKEP_OK);
        assert_int_equal(commit(w, 10, 1), SKEP_OK);
        skep_wal_close(w);
        for (int lost = 0; lost < 2; lost++) {
            if (lost)
                keep_first(&f.os, &before, true);
            w = reopen(&f.os, 0, &g, &d, &last);
            if (full && lost) /* the head of the next file knows */
                assert_int_equal(d.lost_last, 9);
            else
                expect_seqs(&g, 1, 10);
            assert_int_equal(d.text[0] != 0, full && lost);
            skep_wal_close(w);
        }
        mem_os_free(m);
    }
}

static void test_two_make_a_file(void **state)
{
    (void)state;
    struct mem_os *m = fresh(8);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    between.open = f.os.open;
    f.os.open = open_then_prepare;
    struct got g;
    struct skep_wal_damage d;
    uint64_t last, seq = 1;
    skep_err err;
    struct skep_wal *w = reopen(&f.os, 0, &g, &d, &last);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    between.wal = w;
    for (; skep_wal_used_bytes(w) < (2 << 20); seq++)
        assert_int_equal(commit(w, seq, 1), SKEP_OK);
    between.wal = NULL;
    assert_true(between.wanted >= 4);
    skep_wal_close(w);
    w = reopen(&f.os, 0, &g, &d, &last);
    assert_string_equal(d.text, "");
    expect_seqs(&g, 1, seq - 1);
    skep_wal_close(w);
    mem_os_free(m);
}

static struct {
    struct skep_wal *wal;
    bool committing;
    unsigned n;
} deleting;

/* Any commit could come while a file is being deleted: the log's lock is free. */
static skep_rc unlink_beside(const struct skep_os *os, const char *path, skep_err *err)
{
    const struct fault_os *f = (const struct fault_os *)(uintptr_t)os;
    if (deleting.wal) {
        assert_true(skep_wal_disk_bytes(deleting.wal) > 0);
        assert_false(deleting.committing);
        deleting.n++;
    }
    return f->inner->unlink(f->inner, path, err);
}

/* A file that is left with nothing in it that is needed is deleted by the thread that makes files
 * ready, not by the commit that leaves it. */
static void test_no_commit_deletes(void **state)
{
    (void)state;
    struct mem_os *m = fresh(11);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    f.os.unlink = unlink_beside;
    struct got g = {.n = 0};
    struct skep_wal_damage d;
    uint64_t last, seq = 5;
    skep_err err;
    struct skep_wal *w;
    assert_int_equal(skep_wal_open(&f.os, DIR, 0, &w, &err), SKEP_OK);
    assert_int_equal(skep_wal_replay(w, 0, collect, &g, &d, &last, &err), SKEP_OK);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    for (; skep_wal_used_bytes(w) < (5 << 20); seq += 5) /* each fifth is a large one */
        assert_int_equal(commit(w, seq, 1), SKEP_OK);
    skep_wal_prepare(w);
    deleting.wal = w;
    skep_wal_drop(w, seq - 5); /* all is flushed; the active file stays */
    assert_int_equal(deleting.n, 0);
    assert_false(skep_wal_wants_next(w));
    uint64_t before = skep_wal_disk_bytes(w);
    deleting.committing = true;
    assert_int_equal(commit(w, seq, 1), SKEP_OK);
    deleting.committing = false;
    assert_true(skep_wal_wants_next(w));
    skep_wal_prepare(w);
    assert_int_equal(deleting.n, 1);
    assert_true(skep_wal_disk_bytes(w) < before);
    assert_false(skep_wal_wants_next(w));
    deleting.wal = NULL;
    skep_wal_close(w);
    mem_os_free(m);
}

/* Where the writes of commits end. */
static struct {
    skep_rc (*pwrite)(const struct skep_os *, int, const void *, size_t, uint64_t, skep_err *);
    bool committing;
    unsigned n;
} ends;

static skep_rc pwrite_to_a_page(const struct skep_os *os, int fd, const void *p, size_t n,
                                uint64_t at, skep_err *err)
{
    if (ends.committing) {
        assert_int_equal((at + n) % 4096, 0);
        ends.n++;
    }
    return ends.pwrite(os, fd, p, n, at, err);
}

/* A page that is not in the kernel's cache is read before it is written in part: a commit fills its
 * last one, and what it fills it with is no frame. */
static void test_commits_end_with_a_page(void **state)
{
    (void)state;
    struct mem_os *m = fresh(12);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    ends.pwrite = f.os.pwrite;
    f.os.pwrite = pwrite_to_a_page;
    struct got g = {.n = 0};
    struct skep_wal_damage d;
    uint64_t last;
    skep_err err;
    struct skep_wal *w;
    assert_int_equal(skep_wal_open(&f.os, DIR, 256 << 10, &w, &err), SKEP_OK);
    assert_int_equal(skep_wal_replay(w, 0, collect, &g, &d, &last, &err), SKEP_OK);
    assert_int_equal(skep_wal_start(w, 0, &err), SKEP_OK);
    ends.committing = true;
    for (uint64_t seq = 1; seq < 50; seq += 5) /* small ones, in groups and alone */
        assert_int_equal(commit(w, seq, seq % 2 ? 4 : 1), SKEP_OK);
    ends.committing = false;
    assert_int_equal(ends.n, 10);
    skep_wal_close(w);
    w = reopen(&f.os, 0, &g, &d, &last);
    assert_int_equal(g.n, 5 * 4 + 5);
    assert_int_equal(d.regions, 0);
    skep_wal_close(w);
    mem_os_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commits_come_back),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_full_disk_heals),
        cmocka_unit_test(test_refused_stays_refused),
        cmocka_unit_test(test_next_file_is_ready),
        cmocka_unit_test(test_payload_is_no_frame),
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_start_syncs),
        cmocka_unit_test(test_next_file_is_not_used),
        cmocka_unit_test(test_two_make_a_file),
        cmocka_unit_test(test_number_of_a_refused_commit),
        cmocka_unit_test(test_doubts_are_written_anew),
        cmocka_unit_test(test_no_commit_deletes),
        cmocka_unit_test(test_commits_end_with_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
