// SPDX-License-Identifier: Apache-2.0
/* random.c - the kernel's randomness
 *
 * Threads: any. Memory: none. */
#include "random.h"

#include <stdio.h>
#include <sys/random.h>

static void fill(uint8_t *bytes, size_t n)
{
    // Up to 256 bytes come whole once the kernel's pool is seeded, which getrandom waits for.
    while (getrandom(bytes, n, 0) != (ssize_t)n) {
    }
}

uint32_t random_below(uint32_t n)
{
    uint32_t r;
    fill((uint8_t *)&r, sizeof r);
    return (uint32_t)(((uint64_t)r * n) >> 32);
}

void random_uuid(char ret_uuid[UUID_BYTES])
{
    uint8_t b[16];
    fill(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(ret_uuid, UUID_BYTES,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}
