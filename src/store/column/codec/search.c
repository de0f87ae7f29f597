// SPDX-License-Identifier: Apache-2.0
/* Which strings of a chunk contain a text.
 *
 * Most codecs decode strings back to back: then they are searched as one text, a place found is
 * looked up by its position, and one that reaches into the next string does not count.
 *
 *   [string 0][string 1][string 2] ...     needle at p, string i = the one that holds p:
 *                                          inside it: bit i, go on behind string i; else at p + 1
 *
 * Threads: any; 8 KiB of stack. */
#include "base/assert.h"
#include "base/str.h"
#include "store/column/codec/codec.h"

enum { STEP = 512 };

static bool back_to_back(const skep_str *s, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (s[i - 1].p + s[i - 1].n != s[i].p)
            return false;
    return true;
}

void skep_codec_search(const skep_str *s, uint32_t n, skep_str needle, uint64_t *bits)
{
    memset(bits, 0, ((size_t)n + 63) / 64 * 8);
    if (n == 0 || needle.n == 0 || !back_to_back(s, n)) {
        for (uint32_t i = 0; i < n; i++)
            if (skep_str_find(s[i], needle) != SIZE_MAX)
                bits[i / 64] |= 1ull << i % 64;
        return;
    }
    const char *at = s[0].p, *end = s[n - 1].p + s[n - 1].n;
    uint32_t i = 0;
    while (i < n) {
        size_t k = skep_str_find((skep_str){at, (size_t)(end - at)}, needle);
        if (k == SIZE_MAX)
            return;
        at += k;
        while (at >= s[i].p + s[i].n)
            i++;
        if (at + needle.n > s[i].p + s[i].n) {
            at++;
            continue;
        }
        bits[i / 64] |= 1ull << i % 64;
        at = s[i].p + s[i].n;
        i++;
    }
}

skep_rc skep_codec_contains(const struct skep_codec_ops *o, const struct skep_codec_chunk *c,
                            uint32_t first, uint32_t n, skep_str needle, uint64_t *bits,
                            struct skep_codec_scratch *scratch)
{
    skep_assert(o->kind == SKEP_CODEC_STRINGS && n <= SKEP_CODEC_BLOCK);
    if (o->contains)
        return o->contains(c, first, n, needle, bits, scratch);
    SKEP_UNINIT skep_str s[STEP];
    for (uint32_t at = 0; at < n; at += STEP) {
        uint32_t take = SKEP_MIN(n - at, (uint32_t)STEP);
        skep_codec_scratch_reset(scratch);
        SKEP_TRY(o->decode_str(c, first + at, take, s, scratch));
        skep_codec_search(s, take, needle, bits + at / 64);
    }
    return SKEP_OK;
}
