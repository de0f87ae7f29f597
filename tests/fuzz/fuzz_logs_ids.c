// SPDX-License-Identifier: Apache-2.0
/* Ids of log events and their tokens: what reads as one is written the same; what is written reads
 * as the same place. */
#include "api/logs_ids.h"
#include "base/assert.h"
#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char digits[SKEP_LOGS_ID_BYTES];
    struct skep_logs_place p, q;
    if (skep_logs_id_read((skep_str){(const char *)data, size}, &p)) {
        skep_str again = skep_logs_id(&p, digits);
        skep_assert(again.n <= size); /* zeros may stand before it */
        skep_assert(skep_logs_id_read(again, &q));
        skep_assert(p.time_ns == q.time_ns && p.id.seq == q.id.seq && p.id.ordinal == q.id.ordinal);
    }
    if (size < 20)
        return 0;
    p = (struct skep_logs_place){(int64_t)(skep_load_le64(data) >> 2),
                                 {skep_load_le64(data + 8), skep_load_le32(data + 16)}};
    skep_str text = skep_logs_id(&p, digits);
    bool good = skep_logs_id_read(text, &q);
    skep_assert(good && p.time_ns == q.time_ns && p.id.seq == q.id.seq &&
                p.id.ordinal == q.id.ordinal);
    return 0;
}
