// SPDX-License-Identifier: Apache-2.0
/* Scan a manifest: good records, and what lies between them.
 *
 *   head | record | BAD | record | record | BAD (last)
 *
 * Records begin at multiples of 8, so behind damage the next one is looked for there.
 * Threads: one.  Memory: none of its own. */
#include "store/column/manifest_scan.h"

#include "base/assert.h"
#include "base/bytes.h"

enum { HEAD = 32 };

static void tell_bad(skep_bytes file, uint64_t from, uint64_t to, skep_manifest_piece_fn *fn,
                     void *ctx)
{
    const struct skep_manifest_piece p = {.offset = from,
                                          .bytes = to - from,
                                          .last = to == file.n,
                                          .whole = {file.p + from, to - from}};
    skep_assert(to > from && to <= file.n);
    fn(ctx, &p);
}

void skep_manifest__scan(skep_bytes file, skep_manifest_piece_fn *fn, void *ctx)
{
    uint64_t from = HEAD, at = HEAD;
    while (at < file.n) {
        uint64_t n = skep_manifest__record_at(file, at);
        if (n == 0) {
            at = SKEP_MIN(at + 8, (uint64_t)file.n);
            continue;
        }
        if (at > from)
            tell_bad(file, from, at, fn, ctx);
        const struct skep_manifest_piece p = {.offset = at,
                                              .bytes = n,
                                              .good = true,
                                              .number = skep_load_le64(file.p + at + 8),
                                              .whole = {file.p + at, n}};
        fn(ctx, &p);
        at += n;
        from = at;
    }
    if (from < file.n)
        tell_bad(file, from, file.n, fn, ctx);
}
