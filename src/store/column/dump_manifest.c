// SPDX-License-Identifier: Apache-2.0
/* skep dump: a manifest, edit by edit, from a table of its operations (docs/formats/manifest.md).
 *
 * Threads: one.  Memory: the file. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/dump.h"
#include "store/column/manifest_scan.h"

enum { VALUES_MAX = 12 };

/* Values in order; a letter for each: u number, x hexadecimal, t time. */
static const struct op {
    uint64_t tag;
    const char *name, *types;
    const char *keys[VALUES_MAX];
} ops[] = {
    {1,
     "add segment",
     "xuuuutttt",
     {"segment", "rows", "bytes", "first_commit", "last_commit", "first_start", "last_start",
      "last_end", "received"}},
    {2, "remove segment", "x", {"segment"}},
    {3, "checkpoint", "u", {"commit"}},
    {4, "next segment", "x", {"segment"}},
    {5, "totals", "uuuu", {"stored_rows", "expired_rows", "merges", "merge_rows"}},
    {6, "identities", "u", {"n"}},
    {7, "live rows", "xxuxuu", {"segment", "live", "bytes", "checksum", "deleted", "superseded"}},
    {8, "gone", "uu", {"deleted_rows", "superseded_rows"}},
    {9, "filed", "xut", {"segment", "layout", "newest"}},
    {10, "filed from", "xt", {"segment", "oldest"}},
    {11,
     "missing",
     "uxuuuttt",
     {"kind", "number", "first_commit", "last_commit", "rows", "first_start", "last_start",
      "found"}},
    {12, "ledger", "u", {"n"}},
};

/* Behind the first value of these tags stand so many entries of a size. */
static const struct list {
    uint64_t tag, entry_bytes;
} lists[] = {{6, 32}, {12, 16}};

static const struct op *find(uint64_t tag)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(ops); i++)
        if (ops[i].tag == tag)
            return &ops[i];
    return NULL;
}

static struct skep_dump_value value(const struct op *op, unsigned i, uint64_t v)
{
    const char *key = op->keys[i];
    if (op->types[i] == 'x')
        return skep_dump_hex(key, v);
    return op->types[i] == 't' ? skep_dump_time(key, (int64_t)v) : skep_dump_u64(key, v);
}

/* One operation; false: the rest of the record cannot be told apart. */
static bool operation(const struct skep_dump *d, uint64_t record, skep_rd *r)
{
    struct skep_dump_value v[VALUES_MAX + 2] = {skep_dump_u64("record", record)};
    unsigned n = 2;
    uint64_t tag = skep_rd_u64(r);
    const struct op *op = find(tag);
    if (!op) {
        v[1] = skep_dump_u64("unknown_operation", tag);
        d->fn(d->ctx, "edit", v, n);
        return false;
    }
    v[1] = skep_dump_text("operation", skep_str_c(op->name));
    for (unsigned i = 0; op->types[i]; i++)
        v[n++] = value(op, i, skep_rd_u64(r));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(lists); i++) {
        if (lists[i].tag != tag)
            continue;
        bool fits = v[2].u <= skep_rd_left(r) / lists[i].entry_bytes;
        (void)skep_rd_take(r, fits ? (size_t)(v[2].u * lists[i].entry_bytes) : SIZE_MAX);
    }
    d->fn(d->ctx, r->bad ? "damage" : "edit", v, n);
    return !r->bad;
}

static void on_piece(void *ctx, const struct skep_manifest_piece *p)
{
    const struct skep_dump *d = ctx;
    enum { RECORD_HEAD = 16 };
    if (!p->good) {
        const struct skep_dump_value v[] = {skep_dump_u64("offset", p->offset),
                                            skep_dump_u64("bytes", p->bytes)};
        d->fn(d->ctx, "damage", v, SKEP_ARRAY_LEN(v));
        return;
    }
    const struct skep_dump_value v[] = {skep_dump_u64("record", p->number),
                                        skep_dump_u64("offset", p->offset),
                                        skep_dump_u64("bytes", p->bytes)};
    d->fn(d->ctx, "record", v, SKEP_ARRAY_LEN(v));
    skep_rd r = skep_rd_make((skep_bytes){p->whole.p + RECORD_HEAD, p->whole.n - RECORD_HEAD});
    while (skep_rd_left(&r) > 0 && operation(d, p->number, &r)) {
    }
}

skep_rc skep_dump__manifest(const struct skep_dump *d, const char *path, skep_err *err)
{
    uint8_t *p;
    size_t n;
    skep_err why;
    SKEP_TRY(skep_manifest__read(d->os, path, &p, &n, err));
    skep_rc rc = skep_manifest__head((skep_bytes){p, n}, &why);
    if (rc == SKEP_EUNSUPPORTED) {
        if (err)
            *err = why;
        skep_free(p);
        return rc;
    }
    if (rc == SKEP_OK) {
        const struct skep_dump_value v[] = {skep_dump_u64("version", skep_load_le32(p + 8)),
                                            skep_dump_hex("required", skep_load_le32(p + 12)),
                                            skep_dump_hex("optional", skep_load_le64(p + 16)),
                                            skep_dump_u64("bytes", n)};
        d->fn(d->ctx, "manifest", v, SKEP_ARRAY_LEN(v));
    } else {
        const struct skep_dump_value v[] = {skep_dump_u64("offset", 0),
                                            skep_dump_text("text", skep_str_c(why.text))};
        d->fn(d->ctx, "damage", v, SKEP_ARRAY_LEN(v));
    }
    skep_manifest__scan((skep_bytes){p, n}, on_piece, (void *)(uintptr_t)d);
    skep_free(p);
    return SKEP_OK;
}
