// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a file of live rows, once as they are and once with the checksum put right: refused,
 * or a bitmap whose counts hold and that encodes to a file with the same rows. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/live.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(skep_bytes file)
{
    struct skep_live *l = NULL, *again = NULL;
    uint64_t segment = file.n >= 24 ? skep_load_le64(file.p + 16) : 0;
    uint64_t rows = file.n >= 32 ? skep_load_le64(file.p + 24) : 0;
    struct skep_rowset rs = {.n_rows = rows, .row_end = rows};
    if (rows > 1 << 22 || skep_live_decode(file, segment, &rs, &l, NULL) != SKEP_OK)
        return;
    uint64_t live = 0;
    for (uint64_t row = 0; row < rows; row++)
        live += skep_live_has(l, row);
    skep_assert(live == l->n_live);
    skep_assert(l->n_live + l->n_deleted + l->n_superseded == rows);
    struct skep_buf b;
    skep_buf_init(&b, 64 << 20);
    skep_live_encode(l, segment, &b);
    skep_rc rc = skep_live_decode(skep_buf_bytes(&b), segment, &rs, &again, NULL);
    skep_assert(rc == SKEP_OK);
    for (uint64_t row = 0; row < rows; row += 64)
        skep_assert(skep_live_word(l, row) == skep_live_word(again, row));
    skep_live_unref(again);
    skep_live_unref(l);
    skep_buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check((skep_bytes){data, n});
    if (n < 64)
        return 0;
    uint8_t *p = skep_malloc(n);
    memcpy(p, data, n);
    memcpy(p, "SKEPLIV1", 8);
    uint32_t head = skep_crc32c(0, (skep_bytes){p, 12});
    skep_store_le32(p + 12, skep_crc32c(head, (skep_bytes){p + 16, n - 16}));
    check((skep_bytes){p, n});
    skep_free(p);
    return 0;
}
