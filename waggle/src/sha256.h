// SPDX-License-Identifier: Apache-2.0
/*
 * sha256.h - SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104), for signatures of requests
 */
#ifndef WAGGLE_SHA256_H
#define WAGGLE_SHA256_H

#include "priv.h"

enum { WAGGLE__SHA256_BYTES = 32, WAGGLE__SHA256_BLOCK = 64 };

struct waggle__sha256 {
    uint32_t state[8];
    uint64_t n; /* bytes so far */
    uint8_t block[WAGGLE__SHA256_BLOCK];
};

void waggle__sha256_init(struct waggle__sha256 *h);
void waggle__sha256_put(struct waggle__sha256 *h, const void *p, size_t n);
void waggle__sha256_end(struct waggle__sha256 *h, uint8_t ret[WAGGLE__SHA256_BYTES]);

/* ret may be the key. */
void waggle__hmac_sha256(const void *key, size_t key_n, const void *p, size_t n,
                         uint8_t ret[WAGGLE__SHA256_BYTES]);

/* Lower-case hex with a terminating NUL. */
void waggle__sha256_hex(const uint8_t hash[WAGGLE__SHA256_BYTES], char ret[65]);

#endif
