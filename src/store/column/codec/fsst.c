// SPDX-License-Identifier: Apache-2.0
/* FSST: strings through a table of up to 255 symbols of 1 to 8 bytes, any value alone.
 *
 *   0   u8   number of symbols s, 0..255
 *   1   s bytes: length of each symbol, 1..8; then the symbols' bytes, back to back
 *   ..  str.c's layout with the compressed lengths and bytes
 *
 *   compressed byte c < s: symbol c; c == 255: the next byte as it is; others do not occur
 *
 * The idea is of Boncz, Neumann and Leis, "FSST: Fast Random Access String Compression" (VLDB
 * 2020); the code is ours.  The table is grown from a sample in five rounds: compress the sample
 * with the table so far, count symbols and pairs of neighbours, keep the 255 symbols and joined
 * pairs that save the most bytes.  Matching takes the longest symbol; symbols of two and more bytes
 * are found by their first two bytes, longest first.
 *
 * I1  each input byte is covered by exactly one symbol or one escape.
 * Threads: any.  Memory: about 1.5 MiB while a table is built, freed before return. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"

enum {
    MAX_SYMBOLS = 255,
    ESCAPE = 255,
    ROUNDS = 5,
    SAMPLE_BYTES = 16 << 10,
    SAMPLE_PIECE = 512, /* of one string */
    CODES = 256 + 255,  /* while building: bytes, then symbols */
    MAX_CANDIDATES = 16384,
    SLOTS = 2 * MAX_CANDIDATES,
    MIN_TOTAL = 512 /* bytes; below, a table does not pay */
};

struct symbol {
    uint64_t bytes; /* little-endian, zero above len */
    uint32_t len;
};

/* Symbols and how to find the longest one at a place. */
struct table {
    unsigned n;
    struct symbol sym[MAX_SYMBOLS];
    uint16_t one[256];          /* symbol of one byte + 1, 0 = none */
    uint16_t first[65536];      /* head of the list for the first two bytes + 1, 0 = none */
    uint16_t next[MAX_SYMBOLS]; /* next shorter one + 1 */
};

struct candidate {
    struct symbol s;
    uint32_t gain;
};

struct builder {
    struct table t;
    uint32_t count1[CODES];
    uint16_t count2[CODES][CODES];
    struct candidate cand[MAX_CANDIDATES];
    uint32_t n_cand;
    uint16_t slot[SLOTS]; /* candidate + 1 */
};

static inline uint64_t low_bytes(uint64_t v, unsigned n)
{
    return n >= 8 ? v : v & ((1ull << (8 * n)) - 1);
}

static int longer_first(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    if (x->len != y->len)
        return x->len > y->len ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Fill the look-up part from t->sym. */
static void index_table(struct table *t)
{
    qsort(t->sym, t->n, sizeof t->sym[0], longer_first);
    memset(t->one, 0, sizeof t->one);
    memset(t->first, 0, sizeof t->first);
    /* Shortest first, each put at the head of its list: so the longest ends up there. */
    for (unsigned i = t->n; i-- > 0;) {
        const struct symbol *s = &t->sym[i];
        if (s->len == 1) {
            t->one[s->bytes & 0xff] = (uint16_t)(i + 1);
            continue;
        }
        uint16_t *head = &t->first[s->bytes & 0xffff];
        t->next[i] = *head;
        *head = (uint16_t)(i + 1);
    }
}

/* The longest symbol at p with n >= 1 bytes left, or -1.  p is readable for 8 bytes. */
static inline int longest(const struct table *t, const uint8_t *p, size_t n)
{
    uint64_t word = skep_load_le64(p);
    if (n >= 2) {
        for (unsigned k = t->first[word & 0xffff]; k; k = t->next[k - 1]) {
            const struct symbol *s = &t->sym[k - 1];
            if (s->len <= n && low_bytes(word, s->len) == s->bytes)
                return (int)k - 1;
        }
    }
    return (int)t->one[word & 0xff] - 1;
}

/* --- building --- */

static void add_candidate(struct builder *b, uint64_t bytes, unsigned len, uint32_t gain)
{
    size_t at = (size_t)(skep_hash_u64(bytes ^ ((uint64_t)len << 59)) % SLOTS);
    while (b->slot[at]) {
        struct candidate *c = &b->cand[b->slot[at] - 1];
        if (c->s.bytes == bytes && c->s.len == len) {
            c->gain += gain;
            return;
        }
        at = (at + 1) % SLOTS;
    }
    if (b->n_cand == MAX_CANDIDATES)
        return;
    b->cand[b->n_cand++] = (struct candidate){{bytes, len}, gain};
    b->slot[at] = (uint16_t)b->n_cand;
}

static struct symbol code_symbol(const struct table *t, unsigned code)
{
    return code < 256 ? (struct symbol){code, 1} : t->sym[code - 256];
}

static void count_string(struct builder *b, const uint8_t *p, size_t n)
{
    unsigned before = CODES;
    for (size_t i = 0; i < n;) {
        int k = longest(&b->t, p + i, n - i);
        unsigned code = k < 0 ? p[i] : 256 + (unsigned)k;
        unsigned len = k < 0 ? 1 : b->t.sym[k].len;
        b->count1[code]++;
        if (len > 1)
            b->count1[p[i]]++;
        if (before < CODES) {
            b->count2[before][code]++;
            if (len > 1)
                b->count2[before][p[i]]++;
        }
        before = code;
        i += len;
    }
}

static int by_gain(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->gain != y->gain)
        return x->gain > y->gain ? -1 : 1;
    return longer_first(&x->s, &y->s);
}

static void collect_candidates(struct builder *b, bool last)
{
    b->n_cand = 0;
    memset(b->slot, 0, sizeof b->slot);
    for (unsigned c = 0; c < 256 + b->t.n; c++) {
        if (b->count1[c] == 0)
            continue;
        struct symbol s = code_symbol(&b->t, c);
        /* A byte without a symbol costs two: favour them until the table is settled. */
        add_candidate(b, s.bytes, s.len, b->count1[c] * s.len * (s.len == 1 && !last ? 8 : 1));
        if (last)
            continue;
        for (unsigned d = 0; s.len < 8 && d < 256 + b->t.n; d++) {
            if (b->count2[c][d] < 2)
                continue;
            struct symbol e = code_symbol(&b->t, d);
            unsigned len = SKEP_MIN(s.len + e.len, 8u);
            uint64_t bytes = low_bytes(s.bytes | e.bytes << (8 * s.len), len);
            add_candidate(b, bytes, len, (uint32_t)b->count2[c][d] * len);
        }
    }
}

static void next_table(struct builder *b, bool last)
{
    collect_candidates(b, last);
    qsort(b->cand, b->n_cand, sizeof b->cand[0], by_gain);
    b->t.n = (unsigned)SKEP_MIN(b->n_cand, (uint32_t)MAX_SYMBOLS);
    for (unsigned i = 0; i < b->t.n; i++)
        b->t.sym[i] = b->cand[i].s;
    index_table(&b->t);
}

struct sample {
    uint8_t *bytes; /* padded by 8 */
    uint32_t *lens;
    uint32_t n;
};

static struct sample take_sample(const struct skep_codec_in *in, uint64_t total)
{
    struct sample s = {.bytes = skep_malloc(SAMPLE_BYTES + SAMPLE_PIECE + 8),
                       .lens = skep_malloc((SAMPLE_BYTES + 1) * sizeof *s.lens)};
    uint32_t step = (uint32_t)SKEP_MIN(total / SAMPLE_BYTES + 1, (uint64_t)in->n);
    size_t at = 0;
    /* Neighbours are alike (one trace): take pairs far apart instead of a prefix. */
    for (uint32_t i = 0; i < in->n && at < SAMPLE_BYTES && s.n < SAMPLE_BYTES; i += step) {
        size_t n = SKEP_MIN(in->strs[i].n, (size_t)SAMPLE_PIECE);
        if (n == 0)
            continue;
        memcpy(s.bytes + at, in->strs[i].p, n);
        s.lens[s.n++] = (uint32_t)n;
        at += n;
    }
    memset(s.bytes + at, 0, 8);
    return s;
}

static void build(struct builder *b, const struct skep_codec_in *in, uint64_t total)
{
    struct sample s = take_sample(in, total);
    b->t.n = 0;
    index_table(&b->t);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t part = s.n * (8 + 30 * round) / 128 + 1; /* more of the sample each time */
        memset(b->count1, 0, sizeof b->count1);
        for (unsigned c = 0; c < 256 + b->t.n; c++)
            memset(b->count2[c], 0, (256 + b->t.n) * sizeof b->count2[c][0]);
        const uint8_t *p = s.bytes;
        for (uint32_t i = 0; i < SKEP_MIN(part, s.n); i++) {
            count_string(b, p, s.lens[i]);
            p += s.lens[i];
        }
        next_table(b, round == ROUNDS - 1);
    }
    skep_free(s.bytes);
    skep_free(s.lens);
}

/* --- encoding --- */

/* Compress n bytes at p, readable 8 bytes past the end; to has room for 2 * n. */
static size_t compress(const struct table *t, const uint8_t *p, size_t n, uint8_t *to)
{
    size_t at = 0;
    for (size_t i = 0; i < n;) {
        int k = longest(t, p + i, n - i);
        if (k < 0) {
            to[at++] = ESCAPE;
            to[at++] = p[i++];
        } else {
            to[at++] = (uint8_t)k;
            i += t->sym[k].len;
        }
    }
    return at;
}

static uint64_t total_bytes(const struct skep_codec_in *in, size_t *ret_longest)
{
    uint64_t total = 0;
    *ret_longest = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        total += in->strs[i].n;
        *ret_longest = SKEP_MAX(*ret_longest, in->strs[i].n);
    }
    return total;
}

/* An estimate: FSST halves text as a rule; encode() is asked for the truth. */
static size_t score(const struct skep_codec_in *in)
{
    size_t longest_bytes;
    uint64_t total = total_bytes(in, &longest_bytes);
    if (total < MIN_TOTAL || total > UINT32_MAX / 4)
        return SIZE_MAX;
    return (size_t)(total / 2) + in->n + MAX_SYMBOLS * 4;
}

static void put_table(const struct table *t, struct skep_buf *out)
{
    skep_buf_u8(out, (uint8_t)t->n);
    for (unsigned i = 0; i < t->n; i++)
        skep_buf_u8(out, (uint8_t)t->sym[i].len);
    for (unsigned i = 0; i < t->n; i++)
        skep_buf_put(out, &t->sym[i].bytes, t->sym[i].len);
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    size_t longest_bytes;
    uint64_t total = total_bytes(in, &longest_bytes);
    skep_assert(total <= UINT32_MAX / 4);
    struct builder *b = skep_malloc(sizeof *b);
    build(b, in, total);
    int64_t *lengths = skep_malloc((size_t)in->n * 8);
    uint8_t *heap = skep_malloc((size_t)total * 2 + 8);
    uint8_t *padded = skep_malloc(longest_bytes + 8);
    size_t at = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        skep_str s = in->strs[i];
        if (s.n)
            memcpy(padded, s.p, s.n);
        memset(padded + s.n, 0, 8);
        size_t n = compress(&b->t, padded, s.n, heap + at);
        lengths[i] = (int64_t)n;
        at += n;
    }
    put_table(&b->t, out);
    skep_codec__heap_put(lengths, in->n, out);
    skep_buf_put(out, heap, at);
    skep_free(padded);
    skep_free(heap);
    skep_free(lengths);
    skep_free(b);
}

/* --- decoding --- */

struct decoder {
    unsigned n;
    uint64_t bytes[256];
    uint8_t len[256];
};

static skep_rc open_table(const struct skep_codec_chunk *c, struct decoder *d,
                          struct skep_codec_chunk *ret_body)
{
    skep_rd r = skep_rd_make((skep_bytes){c->p, c->n});
    d->n = skep_rd_u8(&r);
    skep_bytes lens = skep_rd_take(&r, d->n);
    if (r.bad)
        return SKEP_ECORRUPT;
    memset(d->len, 0, sizeof d->len);
    for (unsigned i = 0; i < d->n; i++) {
        if (lens.p[i] < 1 || lens.p[i] > 8)
            return SKEP_ECORRUPT;
        skep_bytes s = skep_rd_take(&r, lens.p[i]);
        if (r.bad)
            return SKEP_ECORRUPT;
        d->bytes[i] = low_bytes(skep_load_le64(s.p), lens.p[i]);
        d->len[i] = lens.p[i];
    }
    *ret_body = (struct skep_codec_chunk){r.p, skep_rd_left(&r), c->n_values};
    return SKEP_OK;
}

/* Expand n compressed bytes; `to` has room for 8 * n + 8.  Returns the length or SIZE_MAX. */
static size_t expand(const struct decoder *d, const uint8_t *p, size_t n, uint8_t *to)
{
    uint8_t *at = to;
    for (size_t i = 0; i < n; i++) {
        unsigned code = p[i];
        unsigned len = d->len[code];
        if (SKEP_LIKELY(len)) {
            skep_store_le64(at, d->bytes[code]);
            at += len;
        } else {
            if (code != ESCAPE || ++i == n)
                return SIZE_MAX;
            *at++ = p[i];
        }
    }
    return (size_t)(at - to);
}

static skep_rc decode_block(const struct decoder *d, const struct skep_codec_chunk *body,
                            uint32_t first, uint32_t n, skep_str *out,
                            struct skep_codec_scratch *scratch)
{
    uint32_t lengths[SKEP_CODEC_BLOCK];
    const uint8_t *p;
    size_t sum = 0;
    SKEP_TRY(skep_codec__heap_get(body, first, n, &p, lengths));
    for (uint32_t i = 0; i < n; i++)
        sum += lengths[i];
    uint8_t *to = skep_codec_scratch_take(scratch, sum * 8 + 8);
    for (uint32_t i = 0; i < n; i++) {
        size_t len = expand(d, p, lengths[i], to);
        if (len == SIZE_MAX)
            return SKEP_ECORRUPT;
        out[i] = (skep_str){(const char *)to, len};
        to += len;
        p += lengths[i];
    }
    return SKEP_OK;
}

static skep_rc decode_str(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                          skep_str *out, struct skep_codec_scratch *scratch)
{
    struct decoder d;
    struct skep_codec_chunk body;
    SKEP_TRY(open_table(c, &d, &body));
    for (uint32_t at = 0; at < n;) {
        uint32_t take = SKEP_MIN(n - at, (uint32_t)SKEP_CODEC_BLOCK);
        SKEP_TRY(decode_block(&d, &body, first + at, take, out + at, scratch));
        at += take;
    }
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_fsst = {
    .name = "fsst",
    .id = SKEP_CODEC_FSST,
    .kind = SKEP_CODEC_STRINGS,
    .score = score,
    .encode = encode,
    .decode_str = decode_str,
};
