// SPDX-License-Identifier: Apache-2.0
/* A stack trace: any bytes.
 *
 * Holds: no crash; slices lie in the text; counts within their limits; the same bytes twice give
 * the same fingerprint. */
#include <stdlib.h>

#include "base/assert.h"
#include "stack/fingerprint.h"

static void inside(skep_str s, skep_str text)
{
    skep_assert(s.n == 0 || (s.p >= text.p && s.p + s.n <= text.p + text.n) ||
                skep_str_eq(s, SKEP_STR("panic")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_arena arena;
    struct skep_stack s, again;
    skep_str text = {(const char *)data, size};
    skep_arena_init(&arena, "fuzz", NULL);
    bool any = skep_stack_parse(text, SKEP_STR_NULL, &arena, &s);
    skep_assert(any == (s.n > 0) && s.n <= SKEP_STACK_CHAIN_MAX);
    skep_stack_own(&s, SKEP_STR("/srv/app"));
    for (uint32_t c = 0; c < s.n; c++) {
        skep_assert(s.chain[c].n_frames <= SKEP_STACK_FRAMES_MAX);
        inside(s.chain[c].type, text);
        inside(s.chain[c].message, text);
        for (uint32_t i = 0; i < s.chain[c].n_frames; i++) {
            inside(s.chain[c].frames[i].file, text);
            inside(s.chain[c].frames[i].function, text);
            inside(s.chain[c].frames[i].module, text);
        }
    }
    (void)skep_stack_parse(text, SKEP_STR_NULL, &arena, &again);
    skep_stack_own(&again, SKEP_STR("/srv/app"));
    struct skep_fingerprint a = skep_fingerprint_exception(&s, NULL, NULL);
    struct skep_fingerprint b = skep_fingerprint_exception(&again, NULL, NULL);
    skep_assert(memcmp(&a, &b, sizeof a) == 0);
    (void)skep_fingerprint_message(text);
    skep_arena_done(&arena);
    return 0;
}
