// SPDX-License-Identifier: Apache-2.0
/*
 * sha256.c - SHA-256 as FIPS 180-4 writes it, plain C
 *
 * For a few kilobytes a second; nothing here depends on secrets but the data itself.
 *
 * Threads: no state.
 */
#include "sha256.h"

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

static void sha256_block(uint32_t state[8], const uint8_t *p)
{
    uint32_t w[64];
    uint32_t s[8];
    for (size_t i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (size_t i = 16; i < 64; i++) {
        uint32_t a = w[i - 15];
        uint32_t b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) +
               (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (size_t i = 0; i < 64; i++) {
        uint32_t e = s[4];
        uint32_t a = s[0];
        uint32_t t1 = s[7] + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
                      ((e & s[5]) ^ (~e & s[6])) + round_constants[i] + w[i];
        uint32_t t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) +
                      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (size_t i = 0; i < 8; i++)
        state[i] += s[i];
}

void waggle__sha256_init(struct waggle__sha256 *h)
{
    static const uint32_t begin[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(h->state, begin, sizeof begin);
    h->n = 0;
}

void waggle__sha256_put(struct waggle__sha256 *h, const void *from, size_t n)
{
    const uint8_t *p = from;
    while (n > 0) {
        size_t have = h->n % WAGGLE__SHA256_BLOCK;
        size_t take = WAGGLE__MIN(n, WAGGLE__SHA256_BLOCK - have);
        memcpy(h->block + have, p, take);
        h->n += take;
        p += take;
        n -= take;
        if (have + take == WAGGLE__SHA256_BLOCK)
            sha256_block(h->state, h->block);
    }
}

void waggle__sha256_end(struct waggle__sha256 *h, uint8_t ret[WAGGLE__SHA256_BYTES])
{
    static const uint8_t padding[WAGGLE__SHA256_BLOCK] = {0x80};
    uint8_t length[8];
    uint64_t bits = h->n * 8;
    for (size_t i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    size_t have = h->n % WAGGLE__SHA256_BLOCK;
    waggle__sha256_put(h, padding, (have < 56 ? 56 : 120) - have);
    waggle__sha256_put(h, length, sizeof length);
    for (size_t i = 0; i < WAGGLE__SHA256_BYTES; i++)
        ret[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void waggle__hmac_sha256(const void *key, size_t key_n, const void *p, size_t n,
                         uint8_t ret[WAGGLE__SHA256_BYTES])
{
    struct waggle__sha256 h;
    uint8_t pad[WAGGLE__SHA256_BLOCK] = {0};
    waggle__sha256_init(&h);
    if (key_n > sizeof pad) {
        waggle__sha256_put(&h, key, key_n);
        waggle__sha256_end(&h, pad);
        waggle__sha256_init(&h);
    } else if (key_n > 0) {
        memcpy(pad, key, key_n);
    }
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    waggle__sha256_put(&h, pad, sizeof pad);
    waggle__sha256_put(&h, p, n);
    waggle__sha256_end(&h, ret);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    waggle__sha256_init(&h);
    waggle__sha256_put(&h, pad, sizeof pad);
    waggle__sha256_put(&h, ret, WAGGLE__SHA256_BYTES);
    waggle__sha256_end(&h, ret);
}

void waggle__sha256_hex(const uint8_t hash[WAGGLE__SHA256_BYTES], char ret[65])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < WAGGLE__SHA256_BYTES; i++) {
        ret[2 * i] = digits[hash[i] >> 4];
        ret[2 * i + 1] = digits[hash[i] & 15];
    }
    ret[64] = '\0';
}
