// SPDX-License-Identifier: Apache-2.0
/*
 * gzip.h - compression, where waggle was built with zlib (WAGGLE_ZLIB)
 */
#ifndef WAGGLE_GZIP_H
#define WAGGLE_GZIP_H

#include "priv.h"

bool waggle__have_gzip(void);

/* The pieces as one gzip member into *out, which is emptied first. False without memory or zlib. */
bool waggle__gzip(const waggle_piece *pieces, size_t n, struct waggle__buf *out);

#endif
