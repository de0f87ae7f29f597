// SPDX-License-Identifier: Apache-2.0
/*
 * hex.h - ids of other propagation formats, which are laxer than W3C's
 */
#ifndef WAGGLE_HEX_H
#define WAGGLE_HEX_H

#include "priv.h"

/* The value of a hex digit; -1 for any other character. */
static inline int waggle__hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Read an id of `bytes` bytes from n hex digits in either case; fewer digits are the low ones, as
 * 64-bit trace ids are. False for none, too many, other characters, and zero. */
static inline bool waggle__id_from_hex(const char *p, size_t n, uint8_t *ret, size_t bytes)
{
    uint8_t any = 0;
    if (n == 0 || n > 2 * bytes)
        return false;
    memset(ret, 0, bytes);
    for (size_t i = 0; i < n; i++) {
        int digit = waggle__hex_digit(p[n - 1 - i]);
        if (digit < 0)
            return false;
        uint8_t *at = &ret[bytes - 1 - i / 2];
        *at = (uint8_t)(*at | (i % 2 == 0 ? digit : digit << 4));
        any = (uint8_t)(any | digit);
    }
    return any != 0;
}

#endif
