// SPDX-License-Identifier: Apache-2.0
/* A body of Honeycomb's batch endpoint, any bytes, as JSON and as MessagePack; and as a record of
 * Amazon Data Firehose.
 *
 * Holds: no crash; a status an item; rows for those taken and no others; the same bytes twice give
 * the same rows. */
#include <stdlib.h>

#include "base/assert.h"
#include "ingest/events.h"
#include "wire/base64.h"
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

/* The bytes as what a record holds, and a body that is one as it is. */
static void hose(skep_bytes data, yyjson_val *root, const yyjson_alc *alc)
{
    struct skep_batch *b = skep_batch_new(NULL, 1);
    const struct skep_events_opts opts = {.dataset = SKEP_STR("fuzz")};
    struct skep_events_hose h = {.d = skep_events_begin(b, &opts), .alc = alc};
    struct skep_buf text;
    bool timed;
    skep_buf_init(&text, 16 << 20);
    skep_base64_encode(&text, data);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(alc);
    yyjson_mut_val *obj = yyjson_mut_obj(doc);
    yyjson_mut_obj_add_strn(doc, obj, "data", text.n ? (const char *)text.p : "", text.n);
    yyjson_mut_doc_set_root(doc, obj);
    yyjson_doc *made = yyjson_mut_doc_imut_copy(doc, alc);
    skep_events_record(&h, yyjson_doc_get_root(made));
    if (root)
        skep_events_record(&h, root);
    skep_rc rc = skep_events_done(h.d, &timed);
    skep_assert(rc == SKEP_OK);
    skep_batch_check(b);
    yyjson_doc_free(made);
    yyjson_mut_doc_free(doc);
    skep_buf_done(&text);
    skep_batch_free(b);
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
        hose((skep_bytes){data, size}, yyjson_doc_get_root(doc), &alc);
        yyjson_doc_free(doc);
    }
    hose((skep_bytes){data, size}, NULL, &alc);
    return 0;
}
