// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a logged delete: refused, or sorted ids that encode to the same bytes' meaning.
 * Memory stays in proportion: a run may say more rows than it has bytes, at most 262,144. */
#include "base/assert.h"
#include "store/column/kill.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skep_row_keys k = {0}, again = {0};
    enum skep_death why, why_again;
    skep_bytes payload = {data, n};
    if (!skep_kill_is(payload) || skep_kill_decode(payload, &k, &why, NULL) != SKEP_OK)
        return 0;
    skep_assert(k.n > 0 && k.n <= SKEP_KILL_ROWS_MAX && why < SKEP_DEATH_COUNT);
    for (size_t i = 1; i < k.n; i++)
        skep_assert(
            k.keys[i - 1].seq < k.keys[i].seq ||
            (k.keys[i - 1].seq == k.keys[i].seq && k.keys[i - 1].ordinal < k.keys[i].ordinal));
    struct skep_buf b;
    skep_buf_init(&b, 64 << 20);
    skep_kill_encode(&k, why, 1, &b);
    skep_rc rc = skep_kill_decode(skep_buf_bytes(&b), &again, &why_again, NULL);
    skep_assert(rc == SKEP_OK && again.n == k.n && why == why_again);
    for (size_t i = 0; i < k.n; i++)
        skep_assert(again.keys[i].seq == k.keys[i].seq &&
                    again.keys[i].ordinal == k.keys[i].ordinal);
    skep_row_keys_done(&k);
    skep_row_keys_done(&again);
    skep_buf_done(&b);
    return 0;
}
