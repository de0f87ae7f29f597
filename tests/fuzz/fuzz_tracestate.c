// SPDX-License-Identifier: Apache-2.0
/* The sampling threshold in a tracestate: any bytes give a rate, or none. */
#include "base/assert.h"
#include "ingest/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t rate = skep_tracestate_rate((skep_str){(const char *)data, size});
    skep_assert(rate <= INT32_MAX);
    return 0;
}
