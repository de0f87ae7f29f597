// SPDX-License-Identifier: Apache-2.0
/* One Rollbar item, any bytes.
 *
 * Holds: no crash; a row or a reason; the same bytes twice give the same row and identity. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "ingest/rollbar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_arena arena;
    struct skep_rollbar_report rep;
    uint8_t first[16];
    uint64_t bytes = 0;
    skep_arena_init(&arena, "fuzz", NULL);
    const struct skep_rollbar_opts opts = {.peer_ip = SKEP_STR("::1"), .arena = &arena};
    for (unsigned i = 0; i < 2; i++) {
        struct skep_batch *b = skep_batch_new(NULL, 1);
        skep_rc rc = skep_rollbar_decode((skep_str){(const char *)data, size}, &opts, b, &rep);
        skep_assert((rc == SKEP_OK) == (rep.error.n == 0));
        if (rc == SKEP_OK) {
            skep_assert(b->n_rows == 1 && rep.uuid.n > 0);
            skep_batch_check(b);
            skep_assert(i == 0 || memcmp(first, b->identity, sizeof first) == 0);
            skep_assert(i == 0 || bytes == skep_batch_content_bytes(b));
            memcpy(first, b->identity, sizeof first);
            bytes = skep_batch_content_bytes(b);
        }
        skep_batch_free(b);
    }
    skep_arena_done(&arena);
    return 0;
}
