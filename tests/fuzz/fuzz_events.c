// SPDX-License-Identifier: Apache-2.0
/* A body of Honeycomb's batch endpoint, any bytes, as JSON and as MessagePack.
 *
 * Holds: no crash; a status an item; rows for those taken and no others; the same bytes twice give
 * the same rows. */
#include <stdlib.h>

#include "base/assert.h"
#include "ingest/events.h"
#include "wire/json_in.h"

static uint64_t take(yyjson_val *root, unsigned depth, uint8_t identity[16])
{
    struct skep_batch *b = skep_batch_new(NULL, 1);
    const struct skep_events_opts opts = {.dataset = SKEP_STR("fuzz"), .expand_depth = depth};
    struct skep_events_dec *d = skep_events_begin(b, &opts);
    yyjson_val *item;
    size_t i, max, good = 0;
    bool timed;
    yyjson_arr_foreach(root, i, max, item)
    {
        struct skep_events_one one;
        skep_events_item(item, &one);
        enum skep_events_status s = skep_events_add(d, &one);
        good += s == SKEP_EVENTS_TAKEN;
        skep_assert((s == SKEP_EVENTS_TAKEN) == (skep_events_why(s).n == 0));
    }
    skep_rc rc = skep_events_done(d, &timed);
    skep_assert(rc == SKEP_OK && b->n_rows == good);
    skep_batch_identity(b, timed);
    skep_batch_check(b);
    memcpy(identity, b->identity, 16);
    uint64_t bytes = skep_batch_content_bytes(b);
    skep_batch_free(b);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const yyjson_alc alc = skep_json_alc(NULL);
    for (unsigned form = 0; form < 2; form++) {
        yyjson_doc *doc = NULL;
        skep_err err;
        uint8_t first[16], second[16];
        if (skep_events_read((skep_bytes){data, size}, form == 1, &alc, &doc, &err) != SKEP_OK)
            continue;
        for (unsigned depth = 0; depth <= SKEP_EVENTS_DEPTH_MAX; depth += SKEP_EVENTS_DEPTH_MAX) {
            uint64_t n = take(yyjson_doc_get_root(doc), depth, first);
            skep_assert(n == take(yyjson_doc_get_root(doc), depth, second));
            skep_assert(memcmp(first, second, sizeof first) == 0);
        }
        yyjson_doc_free(doc);
    }
    return 0;
}
