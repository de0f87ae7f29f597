// SPDX-License-Identifier: Apache-2.0
/* Tables of debug files.
 *
 *   "skepsym1"  u32 files, nodes, ranges, lines, bytes of strings, bytes of build id
 *   build id    32 bytes, zeros behind it
 *   files       u32 text, u32 length                           of the strings
 *   nodes       u32 text, u32 length, u32 parent, u32 call file, u32 call line
 *   ranges      u64 start, u32 node, u32 0                     ascending by start
 *   lines       u64 address, u32 file, u32 line                ascending by address
 *   strings
 *
 * Little-endian; "none" is 0xffffffff.
 *
 * I1  after open no look-up leaves the bytes: texts lie in the strings, a node's parent stands
 *     before it, files and nodes that are named exist, starts and addresses ascend.
 * Threads: any.  Memory: none of its own. */
#include "symbols/table.h"

#include "base/assert.h"
#include "base/bytes.h"

enum { HEAD = 32, ID = SKEP_SYMTAB_ID_MAX, FILE_SIZE = 8, NODE = 20, RANGE = 16, LINE = 16 };
static const char magic[8] = "skepsym1";

bool skep_symtab_is(skep_bytes bytes)
{
    return bytes.n >= sizeof magic && memcmp(bytes.p, magic, sizeof magic) == 0;
}

// --- writing -----------------------------------------------------------------------------------

static void put_text(struct skep_buf *out, skep_str s, uint32_t *at)
{
    skep_buf_u32(out, *at);
    skep_buf_u32(out, (uint32_t)s.n);
    *at += (uint32_t)s.n;
}

void skep_symtab_write(const struct skep_symtab_parts *p, struct skep_buf *out)
{
    uint64_t strings = 0;
    uint32_t at = 0;
    uint8_t id[ID] = {0};
    for (uint32_t i = 0; i < p->n_files; i++)
        strings += p->files[i].n;
    for (uint32_t i = 0; i < p->n_nodes; i++)
        strings += p->nodes[i].name.n;
    if (strings > skep_symtab_bytes_max) {
        out->bad = true;
        return;
    }
    skep_assert(p->build_id.n <= ID);
    skep_buf_put(out, magic, sizeof magic);
    const uint32_t head[] = {p->n_files, p->n_nodes,        p->n_ranges,
                             p->n_lines, (uint32_t)strings, (uint32_t)p->build_id.n};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(head); i++)
        skep_buf_u32(out, head[i]);
    if (p->build_id.n)
        memcpy(id, p->build_id.p, p->build_id.n);
    skep_buf_put(out, id, sizeof id);
    for (uint32_t i = 0; i < p->n_files; i++)
        put_text(out, p->files[i], &at);
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        put_text(out, p->nodes[i].name, &at);
        skep_buf_u32(out, p->nodes[i].parent);
        skep_buf_u32(out, p->nodes[i].call_file);
        skep_buf_u32(out, p->nodes[i].call_line);
    }
    for (uint32_t i = 0; i < p->n_ranges; i++) {
        skep_buf_u64(out, p->ranges[i].start);
        skep_buf_u32(out, p->ranges[i].node);
        skep_buf_u32(out, 0);
    }
    for (uint32_t i = 0; i < p->n_lines; i++) {
        skep_buf_u64(out, p->lines[i].address);
        skep_buf_u32(out, p->lines[i].file);
        skep_buf_u32(out, p->lines[i].line);
    }
    for (uint32_t i = 0; i < p->n_files; i++)
        skep_buf_str(out, p->files[i]);
    for (uint32_t i = 0; i < p->n_nodes; i++)
        skep_buf_str(out, p->nodes[i].name);
}

// --- reading -----------------------------------------------------------------------------------

static bool text_fits(const struct skep_symtab *t, const uint8_t *at)
{
    return (uint64_t)skep_load_le32(at) + skep_load_le32(at + 4) <= t->strings.n;
}

static skep_str text_at(const struct skep_symtab *t, const uint8_t *at)
{
    return (skep_str){t->strings.p + skep_load_le32(at), skep_load_le32(at + 4)};
}

static bool known(uint32_t index, uint32_t n)
{
    return index < n || index == skep_symtab_none;
}

static bool files_and_nodes_fit(const struct skep_symtab *t)
{
    for (uint32_t i = 0; i < t->n_files; i++) {
        if (!text_fits(t, t->files + (size_t)i * FILE_SIZE))
            return false;
    }
    for (uint32_t i = 0; i < t->n_nodes; i++) {
        const uint8_t *n = t->nodes + (size_t)i * NODE;
        if (!text_fits(t, n) || !known(skep_load_le32(n + 8), i) ||
            !known(skep_load_le32(n + 12), t->n_files))
            return false;
    }
    return true;
}

/* Pairs of u64 and an index of n, ascending. */
static bool ascends(const uint8_t *p, uint32_t count, uint32_t n)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < count; i++, p += RANGE) {
        uint64_t at = skep_load_le64(p);
        if (at < last || !known(skep_load_le32(p + 8), n))
            return false;
        last = at;
    }
    return true;
}
_Static_assert(RANGE == (int)LINE, "ascends walks both");

skep_rc skep_symtab_open(skep_bytes bytes, struct skep_symtab *ret, skep_err *err)
{
    if (!skep_symtab_is(bytes) || bytes.n < HEAD + ID)
        return skep_fail(err, SKEP_EMALFORMED, "symbols: no table");
    const uint8_t *p = bytes.p + sizeof magic;
    struct skep_symtab t = {.n_files = skep_load_le32(p),
                            .n_nodes = skep_load_le32(p + 4),
                            .n_ranges = skep_load_le32(p + 8),
                            .n_lines = skep_load_le32(p + 12)};
    uint32_t strings = skep_load_le32(p + 16), id = skep_load_le32(p + 20);
    uint64_t want = HEAD + ID + (uint64_t)t.n_files * FILE_SIZE + (uint64_t)t.n_nodes * NODE +
                    (uint64_t)t.n_ranges * RANGE + (uint64_t)t.n_lines * LINE + strings;
    if (id > ID || want != bytes.n)
        return skep_fail(err, SKEP_EMALFORMED, "symbols: %zu bytes where the head says %llu",
                         bytes.n, (unsigned long long)want);
    t.build_id = (skep_bytes){bytes.p + HEAD, id};
    t.files = bytes.p + HEAD + ID;
    t.nodes = t.files + (size_t)t.n_files * FILE_SIZE;
    t.ranges = t.nodes + (size_t)t.n_nodes * NODE;
    t.lines = t.ranges + (size_t)t.n_ranges * RANGE;
    t.strings = (skep_str){(const char *)(t.lines + (size_t)t.n_lines * LINE), strings};
    if (!files_and_nodes_fit(&t) || !ascends(t.ranges, t.n_ranges, t.n_nodes) ||
        !ascends(t.lines, t.n_lines, t.n_files))
        return skep_fail(err, SKEP_EMALFORMED, "symbols: something points outside of the table");
    *ret = t;
    return SKEP_OK;
}

/* The last of n pairs that begins at or before; NULL = none. */
static const uint8_t *last_before(const uint8_t *p, uint32_t n, uint64_t address)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (skep_load_le64(p + (size_t)mid * RANGE) > address)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo ? p + (size_t)(lo - 1) * RANGE : NULL;
}

static skep_str file_at(const struct skep_symtab *t, uint32_t file)
{
    return file == skep_symtab_none ? SKEP_STR_NULL
                                    : text_at(t, t->files + (size_t)file * FILE_SIZE);
}

uint32_t skep_symtab_find(const struct skep_symtab *t, uint64_t address,
                          struct skep_symtab_place ret[SKEP_SYMTAB_INLINE_MAX])
{
    const uint8_t *range = last_before(t->ranges, t->n_ranges, address);
    const uint8_t *row = last_before(t->lines, t->n_lines, address);
    uint32_t node = range ? skep_load_le32(range + 8) : skep_symtab_none;
    struct skep_symtab_place here = {.line = 0};
    uint32_t n = 0;
    if (row && skep_load_le32(row + 8) != skep_symtab_none) {
        here.file = file_at(t, skep_load_le32(row + 8));
        here.line = skep_load_le32(row + 12);
    }
    while (node != skep_symtab_none && n < SKEP_SYMTAB_INLINE_MAX) {
        const uint8_t *p = t->nodes + (size_t)node * NODE;
        here.function = text_at(t, p);
        ret[n++] = here;
        here = (struct skep_symtab_place){.file = file_at(t, skep_load_le32(p + 12)),
                                          .line = skep_load_le32(p + 16)};
        node = skep_load_le32(p + 8);
    }
    if (n == 0 && here.line > 0)
        ret[n++] = here;
    return n;
}
