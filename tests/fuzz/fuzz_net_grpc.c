// SPDX-License-Identifier: Apache-2.0
/* gRPC unframing, and the two encodings of trailers. */
#include <stdint.h>
#include <stdlib.h>

#include "net/net_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_arena arena;
    skep_bytes message = {0};
    bool compressed = false;
    skep_err err = {0};
    skep_rc rc = skep_net__grpc_unframe((skep_bytes){data, size}, &message, &compressed, &err);
    if (rc == SKEP_OK) {
        skep_assert(message.n + SKEP_NET__GRPC_PREFIX_BYTES == size);
        skep_assert(compressed == (data[0] == 1));
    } else {
        skep_assert(rc == SKEP_EMALFORMED && err.text[0] != '\0');
    }
    skep_arena_init(&arena, "fuzz", NULL);
    skep_str text = skep_net__grpc_message(&arena, (skep_str){(const char *)data, size});
    for (size_t i = 0; i < text.n; i++)
        skep_assert(text.p[i] >= 0x20 && text.p[i] <= 0x7e);
    skep_str back = {0};
    bool whole = memchr(data, 0, size) == NULL; /* the decoder takes no NUL */
    if (size && skep_net__percent_decode(&arena, text, false, &back))
        skep_assert(skep_str_eq(back, (skep_str){(const char *)data, size}));
    else
        skep_assert(size == 0 || !whole);
    skep_str b64 = skep_net__base64(&arena, (skep_bytes){data, size});
    skep_assert(b64.n == (size + 2) / 3 * 4);
    skep_arena_done(&arena);
    return 0;
}
