// SPDX-License-Identifier: Apache-2.0
/* Binary fuse filter: three fingerprints, one of them chosen so that their xor is the key's.
 *
 *   places   [segment 0][segment 1][segment 2][segment 3] ...   of 2^segment_log fingerprints
 *   key      one place in a segment, one in the next, one in the one behind that
 *   has      print[a] ^ print[b] ^ print[c] == fingerprint of the key
 *
 * To build: a place that one key alone has decides that key, which is taken away, which leaves
 * other places with one key, and so on; then the keys are gone through backwards and the deciding
 * place of each is set.  When keys are left that share all their places, another seed is tried.
 *
 * I1  every key put is found (the places of a key differ: they lie in three segments).
 * I2  about 9 bits a key for fingerprints of 8 when there are thousands, more when there are few.
 * I3  whatever an opened set's bytes are, no place lies outside them.
 *
 * Threads: any.  Memory: skep_fuse_work_bytes() while building. */
#include "store/column/filter_hash.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum { SEEDS = 64, SEGMENT_LOG_MAX = 18 };

struct shape {
    uint32_t first_n, places;
    uint8_t segment_log;
};

/* The paper's choice for three places: segments of 3.33^(log n ...) fingerprints, and 1.125 times
 * as many places as keys for millions of them, more for fewer. */
static struct shape shape_of(uint32_t n)
{
    double size = 4.757; /* 2^2.25 */
    struct shape s = {.segment_log = 0};
    for (double x = n; x >= 3.33; x /= 3.33)
        size *= 2;
    while (s.segment_log < SEGMENT_LOG_MAX && (2u << s.segment_log) <= size)
        s.segment_log++;
    double bits = 0, x = n < 2 ? 2 : n;
    for (; x >= 2; x /= 2)
        bits++;
    bits += x - 1; /* log2(n), a straight line between powers of two */
    double factor = 0.875 + 0.25 * 19.93 / bits;
    uint64_t want = (uint64_t)((double)n * (factor < 1.125 ? 1.125 : factor)) + 1;
    uint32_t size_n = 1u << s.segment_log;
    uint32_t segments = (uint32_t)((want + size_n - 1) / size_n);
    segments = segments > 2 ? segments - 2 : 1;
    s.first_n = segments << s.segment_log;
    s.places = (segments + 2) << s.segment_log;
    return s;
}

size_t skep_fuse_bytes(uint32_t n, unsigned bits)
{
    return SKEP_FUSE_HEAD_BYTES + ((size_t)shape_of(n).places * bits + 7) / 8;
}

uint64_t skep_fuse_work_bytes(uint32_t n)
{
    uint64_t places = shape_of(n).places;
    return places * (8 + 4 + 4 + 1) + (uint64_t)n * 12;
}

static SKEP_WRAPS uint64_t hash_of(uint64_t key, uint64_t seed)
{
    return skep_hash_u64(key + seed * 0x9e3779b97f4a7c15ull);
}

static void places_of(uint64_t hash, uint32_t first_n, unsigned segment_log, uint32_t at[3])
{
    uint32_t size = 1u << segment_log, mask = size - 1;
    at[0] = (uint32_t)(((hash >> 32) * first_n) >> 32);
    at[1] = (at[0] + size) ^ ((uint32_t)(hash >> 18) & mask);
    at[2] = (at[0] + 2 * size) ^ ((uint32_t)hash & mask);
}

static uint8_t print_of(uint64_t hash)
{
    return (uint8_t)(hash ^ hash >> 25 ^ hash >> 47);
}

/* What building works on. */
struct build {
    struct shape s;
    uint64_t *hashes;  /* [places] xor of the keys' here */
    uint32_t *n_keys;  /* [places] */
    uint32_t *single;  /* [places] with one key, not yet looked at */
    uint64_t *order;   /* [n] hashes as they were taken away */
    uint32_t *decides; /* [n] place of each */
    uint8_t *prints;   /* [places] */
};

/* Take keys away one by one.  False: some share all their places. */
static bool peel(struct build *b, const uint64_t *keys, uint32_t n, uint64_t seed)
{
    uint32_t at[3], n_single = 0, taken = 0;
    memset(b->hashes, 0, b->s.places * sizeof *b->hashes);
    memset(b->n_keys, 0, b->s.places * sizeof *b->n_keys);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t hash = hash_of(keys[i], seed);
        places_of(hash, b->s.first_n, b->s.segment_log, at);
        for (unsigned k = 0; k < 3; k++) {
            b->hashes[at[k]] ^= hash;
            b->n_keys[at[k]]++;
        }
    }
    for (uint32_t p = 0; p < b->s.places; p++)
        if (b->n_keys[p] == 1)
            b->single[n_single++] = p;
    while (n_single > 0) {
        uint32_t p = b->single[--n_single];
        if (b->n_keys[p] != 1)
            continue; /* its key went by another place */
        uint64_t hash = b->hashes[p];
        b->order[taken] = hash;
        b->decides[taken++] = p;
        places_of(hash, b->s.first_n, b->s.segment_log, at);
        for (unsigned k = 0; k < 3; k++) {
            b->hashes[at[k]] ^= hash;
            if (--b->n_keys[at[k]] == 1)
                b->single[n_single++] = at[k];
        }
    }
    return taken == n;
}

static void assign(struct build *b, uint32_t n)
{
    uint32_t at[3];
    memset(b->prints, 0, b->s.places);
    for (uint32_t i = n; i-- > 0;) {
        places_of(b->order[i], b->s.first_n, b->s.segment_log, at);
        /* The deciding one is still 0. */
        uint8_t others = b->prints[at[0]] ^ b->prints[at[1]] ^ b->prints[at[2]];
        b->prints[b->decides[i]] = print_of(b->order[i]) ^ others;
    }
}

static void put(const struct build *b, uint64_t seed, unsigned bits, struct skep_buf *out)
{
    skep_buf_u8(out, (uint8_t)bits);
    skep_buf_u8(out, b->s.segment_log);
    skep_buf_u16(out, (uint16_t)seed);
    skep_buf_u32(out, b->s.first_n);
    skep_buf_u32(out, b->s.places);
    if (bits == 8) {
        skep_buf_put(out, b->prints, b->s.places);
        return;
    }
    for (uint32_t i = 0; i < b->s.places; i += 2) {
        unsigned high = i + 1 < b->s.places ? b->prints[i + 1] & 15u : 0;
        skep_buf_u8(out, (uint8_t)((b->prints[i] & 15u) | high << 4));
    }
}

bool skep_fuse_put(const uint64_t *keys, uint32_t n, unsigned bits, struct skep_buf *out)
{
    skep_assert(n > 0 && n <= SKEP_FUSE_KEYS_MAX && (bits == 4 || bits == 8));
    struct build b = {.s = shape_of(n)};
    b.hashes = skep_alloc_n(uint64_t, b.s.places);
    b.n_keys = skep_alloc_n(uint32_t, b.s.places);
    b.single = skep_alloc_n(uint32_t, b.s.places);
    b.order = skep_alloc_n(uint64_t, n);
    b.decides = skep_alloc_n(uint32_t, n);
    b.prints = skep_alloc_n(uint8_t, b.s.places);
    uint64_t seed = 0;
    while (seed < SEEDS && !peel(&b, keys, n, seed))
        seed++;
    if (seed < SEEDS) {
        assign(&b, n);
        put(&b, seed, bits, out);
    }
    void *blocks[] = {b.hashes, b.n_keys, b.single, b.order, b.decides, b.prints};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(blocks); i++)
        skep_free(blocks[i]);
    return seed < SEEDS;
}

bool skep_fuse_open(skep_rd *r, struct skep_fuse *ret)
{
    uint8_t bits = skep_rd_u8(r), segment_log = skep_rd_u8(r);
    uint16_t seed = skep_rd_u16(r);
    uint32_t first_n = skep_rd_u32(r), places = skep_rd_u32(r);
    if (r->bad || (bits != 4 && bits != 8) || segment_log > SEGMENT_LOG_MAX)
        return false;
    uint32_t size = 1u << segment_log;
    /* I3: the last place is below first_n + 2 segments, whatever is mixed into its lower bits. */
    if (first_n == 0 || first_n % size != 0 || first_n > UINT32_MAX - 2 * size ||
        places != first_n + 2 * size || ((uint64_t)places * bits + 7) / 8 > skep_rd_left(r))
        return false;
    skep_bytes prints = skep_rd_take(r, (size_t)(((uint64_t)places * bits + 7) / 8));
    *ret = (struct skep_fuse){prints.p, seed, first_n, segment_log, bits};
    return true;
}

bool skep_fuse_has(const struct skep_fuse *f, uint64_t key)
{
    uint64_t hash = hash_of(key, f->seed);
    uint32_t at[3];
    places_of(hash, f->first_n, f->segment_log, at);
    const uint8_t *p = f->prints;
    if (f->bits == 8)
        return (p[at[0]] ^ p[at[1]] ^ p[at[2]]) == print_of(hash);
    uint8_t x = print_of(hash);
    for (unsigned k = 0; k < 3; k++)
        x ^= (uint8_t)(p[at[k] / 2] >> at[k] % 2 * 4);
    return (x & 15) == 0;
}
