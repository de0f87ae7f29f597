// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a log file and as a manifest: opening either ends in an error or in a state that can
 * be written to and opened again with the same content.
 *
 * The first byte chooses: bit 0 manifest or log, bit 1 whether checksums are put right first, so
 * that what lies behind them is reached. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/manifest.h"
#include "store/column/wal.h"
#include "support/fault_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define DIR    "/d"
#define FILE_1 DIR "/0000000000000001.log"

static uint32_t crc2(const void *a, size_t an, const void *b, size_t bn)
{
    return skep_crc32c(skep_crc32c(0, (skep_bytes){a, an}), (skep_bytes){b, bn});
}

static void fix_log(uint8_t *p, size_t n)
{
    static const uint8_t salt[8] = {1};
    if (n >= SKEP_WAL_HEAD_BYTES) {
        memcpy(p, "SKEPWAL1", 8);
        skep_store_le64(p + 16, 1);
        skep_store_le32(p + 60, skep_crc32c(0, (skep_bytes){p, 60}));
    }
    for (size_t at = SKEP_WAL_HEAD_BYTES; at + SKEP_WAL_FRAME_BYTES <= n; at += 8) {
        if (memcmp(p + at, "SKWF", 4) != 0)
            continue;
        uint64_t length = skep_load_le64(p + at + 32), room = n - at - SKEP_WAL_FRAME_BYTES;
        if (length <= room && p[at + 4] != 0xff)
            skep_store_le32(p + at + 40, skep_crc32c(0, (skep_bytes){p + at + 48, length}));
        skep_store_le32(p + at + 44, crc2(salt, 8, p + at, 44));
    }
}

static void fix_manifest(uint8_t *p, size_t n)
{
    if (n < 32)
        return;
    memcpy(p, "SKEPMAN1", 8);
    skep_store_le32(p + 28, skep_crc32c(0, (skep_bytes){p, 28}));
    for (size_t at = 32; at + 16 <= n;) {
        uint64_t length = skep_load_le32(p + at);
        if (length == 0 || length % 8 != 0 || length > n - at - 16)
            break;
        skep_store_le32(p + at + 4, crc2(p + at, 4, p + at + 8, length + 8));
        at += 16 + length;
    }
}

static void put_file(const struct skep_os *os, const char *path, const uint8_t *p, size_t n)
{
    int fd;
    skep_rc rc = os->open(os, path, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE, &fd, NULL);
    skep_assert(rc == SKEP_OK);
    rc = os->pwrite(os, fd, p, n, 0, NULL);
    skep_assert(rc == SKEP_OK);
    os->close(os, fd);
}

struct seen {
    uint64_t n, last, bytes;
};

static skep_rc on_frame(void *ctx, uint64_t seq, uint8_t *payload, size_t n, skep_err *err)
{
    (void)err;
    struct seen *s = ctx;
    skep_assert(seq > s->last);
    s->last = seq;
    s->n++;
    s->bytes += n;
    skep_free(payload);
    return SKEP_OK;
}

static struct seen replay(const struct skep_os *os, bool write)
{
    struct skep_wal *w;
    struct skep_wal_damage d;
    struct seen s = {0};
    uint64_t last;
    skep_err err;
    skep_rc rc = skep_wal_open(os, DIR, 4096, &w, &err);
    skep_assert(rc == SKEP_OK);
    rc = skep_wal_replay(w, 0, on_frame, &s, &d, &last, &err);
    skep_assert(rc == SKEP_OK && last >= s.last);
    if (write && last < INT64_MAX - 8) {
        rc = skep_wal_start(w, last, &err);
        skep_assert(rc == SKEP_OK);
        uint8_t byte = 5;
        struct skep_wal_item it = {last + 1, &byte, 1, skep_crc32c(0, (skep_bytes){&byte, 1})};
        rc = skep_wal_commit(w, &it, 1, &err);
        skep_assert(rc == SKEP_OK);
        s.n++;
        s.bytes++;
        s.last = last + 1;
    }
    skep_wal_close(w);
    return s;
}

static void try_manifest(const struct skep_os *os)
{
    struct skep_manifest *m;
    bool fresh;
    skep_err err = {0};
    skep_rc rc = skep_manifest_open(os, DIR, false, &m, &fresh, &err);
    if (rc != SKEP_OK) {
        skep_assert(rc == SKEP_ECORRUPT || rc == SKEP_EUNSUPPORTED);
        return;
    }
    unsigned n = skep_manifest_state(m)->n;
    struct skep_manifest_edit e = {.next_segment = skep_manifest_state(m)->next_segment};
    rc = skep_manifest_edit(m, &e, &err);
    skep_assert(rc == SKEP_OK);
    skep_manifest_close(m);
    rc = skep_manifest_open(os, DIR, false, &m, &fresh, &err);
    skep_assert(rc == SKEP_OK && skep_manifest_state(m)->n == n);
    skep_manifest_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0 || n > 64 << 10)
        return 0;
    uint8_t how = data[0];
    uint8_t *p = skep_malloc(n);
    memcpy(p, data + 1, n - 1);
    struct mem_os *m = mem_os_new(1);
    const struct skep_os *os = mem_os_ops(m);
    skep_rc rc = os->mkdir(os, DIR, NULL);
    skep_assert(rc == SKEP_OK);
    if (how & 1) {
        if (how & 2)
            fix_manifest(p, n - 1);
        put_file(os, DIR "/MANIFEST", p, n - 1);
        try_manifest(os);
    } else {
        if (how & 2)
            fix_log(p, n - 1);
        put_file(os, FILE_1, p, n - 1);
        struct seen a = replay(os, true), b = replay(os, false);
        skep_assert(a.n == b.n && a.bytes == b.bytes && a.last == b.last);
    }
    mem_os_free(m);
    skep_free(p);
    return 0;
}
