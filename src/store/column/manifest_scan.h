// SPDX-License-Identifier: Apache-2.0
/* Every byte of a manifest, record by record: for verify, dump and repair.  Internal to
 * store/column. */
#pragma once

#include "store/column/manifest.h"

struct skep_manifest_piece {
    uint64_t offset, bytes;
    bool good;        /* a record whose checksum holds; else bytes that are none */
    bool last;        /* not good, and no good record stands behind it */
    uint64_t number;  /* of the record */
    skep_bytes whole; /* of the record, header included */
};
typedef void skep_manifest_piece_fn(void *ctx, const struct skep_manifest_piece *p);

/* The pieces behind the head, which tile the file.  The head is the caller's
 * (skep_manifest__head). */
void skep_manifest__scan(skep_bytes file, skep_manifest_piece_fn *fn, void *ctx);
