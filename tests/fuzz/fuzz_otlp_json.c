// SPDX-License-Identifier: Apache-2.0
/* OTLP/JSON of each signal; the first byte chooses it when it is not '{'.
 *
 * Holds: no crash; the message made is at most twice the text, and well-formed protobuf: the
 * decoder refuses it for nothing but nesting. */
#include <stdlib.h>

#include "base/assert.h"
#include "ingest/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum skep_otlp_signal signal = SKEP_OTLP_TRACES;
    if (size > 0 && data[0] != '{') {
        signal = (enum skep_otlp_signal)(data[0] % SKEP_OTLP_SIGNAL_COUNT);
        data++;
        size--;
    }
    skep_bytes in = {data, size};
    skep_err err;
    struct skep_otlp_report rep;
    struct skep_buf pb;
    skep_buf_init(&pb, 2 * size + 64);
    skep_rc rc = skep_otlp_json_to_pb(signal, in, NULL, &pb, &err);
    skep_assert(rc != SKEP_ETOOLARGE);
    struct skep_batch *b = skep_batch_new(NULL, 1);
    if (rc == SKEP_OK) {
        rc = skep_otlp_decode_pb(signal, skep_buf_bytes(&pb), b, NULL, &rep, &err);
        skep_assert(rc == SKEP_OK ||
                    skep_str_find(skep_str_c(err.text), SKEP_STR("nested")) != SIZE_MAX ||
                    rc == SKEP_ETOOLARGE);
        if (rc == SKEP_OK)
            skep_batch_check(b);
    }
    skep_batch_free(b);
    skep_buf_done(&pb);
    return 0;
}
