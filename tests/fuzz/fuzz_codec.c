// SPDX-License-Identifier: Apache-2.0
/* Codec decoders: byte 0 is the codec's id (any other number: one of them), bytes 1..2 the number
 * of values, bytes 3..4 the first one asked for; the rest is the chunk.  Whatever it is, decoding
 * reads inside it (ASan sees the pad's end) and says OK or ECORRUPT.  What decodes is encoded again
 * by the same codec and must come back equal. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"
#include "store/column/codec/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct skep_codec_chunk pad(const uint8_t *p, size_t n, uint32_t n_values)
{
    uint8_t *copy = skep_malloc(n + SKEP_BITS_PAD);
    if (n)
        memcpy(copy, p, n);
    memset(copy + n, 0, SKEP_BITS_PAD);
    return (struct skep_codec_chunk){copy, n, n_values};
}

static void again_ints(const struct skep_codec_ops *c, const int64_t *v, uint32_t n)
{
    struct skep_codec_in in = {.n = n, .ints = v};
    if (c->score(&in) == SIZE_MAX)
        return;
    struct skep_buf b;
    skep_buf_init(&b, 1u << 24);
    c->encode(&in, &b);
    struct skep_codec_chunk chunk = pad(b.p, b.n, n);
    int64_t *out = skep_alloc_n(int64_t, n);
    skep_assert(c->decode(&chunk, 0, n, out) == SKEP_OK);
    skep_assert(memcmp(out, v, n * sizeof *v) == 0);
    skep_free(out);
    skep_free((uint8_t *)(uintptr_t)chunk.p);
    skep_buf_done(&b);
}

/* Which of the strings have a text, block by block: no more may go wrong than in decoding.  When
 * they are given, so it is. */
static void search(const struct skep_codec_ops *c, const struct skep_codec_chunk *chunk,
                   uint32_t first, skep_str needle, const skep_str *v)
{
    struct skep_codec_scratch scratch = {0};
    uint64_t bits[SKEP_CODEC_BLOCK / 64];
    for (uint32_t at = first, n; at < chunk->n_values; at += n) {
        n = SKEP_MIN(chunk->n_values - at, (uint32_t)SKEP_CODEC_BLOCK);
        skep_rc rc = skep_codec_contains(c, chunk, at, n, needle, bits, &scratch);
        skep_assert(rc == SKEP_OK || (rc == SKEP_ECORRUPT && !v));
        for (uint32_t i = 0; v && i < n; i++)
            skep_assert((bits[i / 64] >> i % 64 & 1) ==
                        (skep_str_find_portable(v[at + i], needle) != SIZE_MAX));
    }
    skep_codec_scratch_done(&scratch);
}

/* What they have as documents: no more may go wrong than in decoding; what is told can be read. */
static uint64_t look_inside(const struct skep_codec_ops *c, const struct skep_codec_chunk *chunk,
                            uint32_t first, bool sound)
{
    static const skep_str keys[] = {{"level", 5}, {"a", 1}};
    struct skep_codec_scratch scratch = {0};
    SKEP_UNINIT uint8_t wanted[SKEP_CODEC_BLOCK], known[SKEP_CODEC_BLOCK];
    SKEP_UNINIT skep_value v[SKEP_CODEC_BLOCK];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < SKEP_CODEC_BLOCK; i++)
        wanted[i] = i % 3 != 1;
    for (uint32_t at = first, n; c->members && c->some && at < chunk->n_values; at += n) {
        struct skep_codec_path path = {keys, 1 + (at & 1), 1 + (at & 1)};
        n = SKEP_MIN(chunk->n_values - at, (uint32_t)SKEP_CODEC_BLOCK);
        SKEP_UNINIT skep_str some[SKEP_CODEC_BLOCK];
        skep_rc rc = c->some(chunk, at, n, wanted, some, &scratch);
        skep_assert(rc == SKEP_OK || (rc == SKEP_ECORRUPT && !sound));
        for (uint32_t i = 0; rc == SKEP_OK && i < n; i++)
            sum += wanted[i] && some[i].n > 0 ? (uint8_t)some[i].p[some[i].n - 1] : 0;
        rc = c->members(chunk, at, n, &path, wanted, known, v, &scratch);
        skep_assert(rc == SKEP_OK || (rc == SKEP_ECORRUPT && !sound));
        for (uint32_t i = 0; rc == SKEP_OK && i < n; i++)
            for (size_t k = 0; known[i] && v[i].type == SKEP_TYPE_STRING && k < v[i].s.n; k++)
                sum += (uint8_t)v[i].s.p[k];
    }
    skep_codec_scratch_done(&scratch);
    return sum;
}

/* Some of a string; never empty. */
static skep_str piece_of(skep_str s)
{
    size_t from = s.n / 3;
    return s.n ? (skep_str){s.p + from, SKEP_MIN(s.n - from, s.n / 2 + 1)} : SKEP_STR("1");
}

static void again_strs(const struct skep_codec_ops *c, const skep_str *v, uint32_t n)
{
    struct skep_codec_in in = {.n = n, .strs = v};
    struct skep_codec_scratch scratch = {0};
    struct skep_buf b;
    skep_buf_init(&b, 1u << 26);
    c->encode(&in, &b);
    struct skep_codec_chunk chunk = pad(b.p, b.n, n);
    skep_str *out = skep_alloc_n(skep_str, n);
    skep_assert(c->decode_str(&chunk, 0, n, out, &scratch) == SKEP_OK);
    for (uint32_t i = 0; i < n; i++)
        skep_assert(skep_str_eq(out[i], v[i]));
    search(c, &chunk, 0, piece_of(v[n / 2]), v);
    (void)look_inside(c, &chunk, 0, true);
    skep_free(out);
    skep_free((uint8_t *)(uintptr_t)chunk.p);
    skep_codec_scratch_done(&scratch);
    skep_buf_done(&b);
}

/* A column that follows another one: codec 34 is no row of the table. */
static skep_rc read_map(const struct skep_codec_chunk *c, uint32_t first)
{
    struct skep_map map;
    SKEP_TRY(skep_map_open(c->p, c->n, c->n_values, &map));
    int64_t *table = skep_alloc_n(int64_t, map.m), out[SKEP_CODEC_BLOCK];
    skep_rc rc = skep_map_table(&map, table);
    skep_free(table);
    uint32_t n = SKEP_CODEC_BLOCK - first % SKEP_CODEC_BLOCK;
    return rc != SKEP_OK ? rc : skep_map_patch(&map, first, SKEP_MIN(n, c->n_values - first), out);
}

/* Codecs added later change no seed: they are chosen by id. */
static const struct skep_codec_ops *choose(uint8_t byte)
{
    size_t n;
    const struct skep_codec_ops *const *all = skep_codec_all(&n);
    const struct skep_codec_ops *c = skep_codec_find(byte);
    return c ? c : all[byte % n];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 5 || n > 65536)
        return 0;
    const struct skep_codec_ops *c = choose(data[0]);
    uint32_t n_values = 1u + skep_load_le16(data + 1), first = skep_load_le16(data + 3) % n_values;
    uint32_t count = n_values - first;
    struct skep_codec_chunk chunk = pad(data + 5, n - 5, n_values);
    skep_rc rc;
    if (data[0] == SKEP_CODEC_MAP) {
        rc = read_map(&chunk, first);
    } else if (c->kind == SKEP_CODEC_INTS) {
        int64_t *out = skep_alloc_n(int64_t, count);
        rc = c->decode(&chunk, first, count, out);
        if (rc == SKEP_OK)
            again_ints(c, out, count);
        skep_free(out);
    } else {
        skep_str *out = skep_alloc_n(skep_str, count);
        struct skep_codec_scratch scratch = {0};
        rc = c->decode_str(&chunk, first, count, out, &scratch);
        search(c, &chunk, first, rc == SKEP_OK ? piece_of(out[0]) : SKEP_STR("id = 12"), NULL);
        (void)look_inside(c, &chunk, first, false);
        if (rc == SKEP_OK)
            again_strs(c, out, count);
        skep_codec_scratch_done(&scratch);
        skep_free(out);
    }
    skep_assert(rc == SKEP_OK || rc == SKEP_ECORRUPT);
    skep_free((uint8_t *)(uintptr_t)chunk.p);
    return 0;
}
