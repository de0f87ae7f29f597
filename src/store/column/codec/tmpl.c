// SPDX-License-Identifier: Apache-2.0
/* Strings with shared structure: a few templates with slots, the slots' values bit-packed, the rest
 * as other strings.  SQL with changing numbers, paths with ids, prefixed ids, uuids, stack traces.
 *
 *   0   u32  bytes of the templates (as they stand here)
 *   4   u32  bytes of the codes, 0 = every value has template 1
 *   8   u32  bytes of the records
 *   12  u32  values in the rest, e
 *   16  u32  bytes of the templates before compression with zstd; the same number: they are not
 *   20  u32  bytes of the rest before compression; 0: it is not
 *   24  u32  bytes of the entries
 *   28  templates:
 *         varint words, and each: varint length, bytes
 *         varint domains, and each: varint n (>= 1), n varint words
 *         varint groups, and each: u8 bits of a reference, varint entries, varint fields (>= 1),
 *           and each: varint hex digits; 0 = a number: u8 width, varint lowest
 *         varint templates, and each pieces up to one of kind 0:
 *           varint length, bytes of the literal, u8 kind of the slot behind it:
 *             0 none, the template ends
 *             1 decimal without leading zeros    u8 width, varint lowest
 *             2 decimal of so many digits        u8 digits, u8 width, varint lowest
 *             3 hex digits, 4 upper-case ones    varint digits
 *             5 word                             varint domain; width is that of n - 1
 *             65..68 as 1..4, the value is a group's field: (66: u8 digits) varint group, varint
 *               field
 *   ..  codes, frame of reference (for.c) of a value's template, from 1; 0 = in the rest
 *   ..  with codes: for each 256 values u32 bit where the record of the first of them begins
 *   ..  with e > 0: for each 256 values u32 values of the rest before them
 *   ..  for each group: for each 256 values u32 entries of it before them
 *   ..  records: of each group that the template has fields of, ascending, a reference (0 the next
 *         entry, k the one k before the next); then the other slots of a value; from the lowest bit
 *         on, back to back; hex digits four bits each
 *   ..  entries of the groups: each group's fields back to back as in records, from a byte on
 *   ..  with e > 0: u8 codec (str or fsst), encoding of the rest
 *
 * Without codes a record is found by multiplication, with them by adding up at most 255 sizes.
 * With groups there are codes.
 *
 * Codec 18 is the same without groups and compression, its header ends at 16 and nothing stands
 * where groups do; it is read, and written by tests only.
 *
 * I1  what does not come back byte by byte from a template is in the rest.
 * Threads: any. */
#include "store/column/codec/tmpl_open.h"

#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"

enum { SAMPLE = 512, MIN_TOTAL = 512, MAX_TOTAL = 64 << 20, ZSTD_LEVEL = 3, PACK_LEAST = 1024 };

/* --- templates --- */

static void put_literal(struct skep_buf *out, const struct skep_buf *literal)
{
    skep_buf_varint(out, literal->n);
    skep_buf_put(out, literal->p, literal->n);
}

static void put_slot(const struct tmpl_slot *slot, const struct tmpl_token *t, struct skep_buf *out)
{
    if (slot->group) {
        skep_buf_u8(out, (uint8_t)(slot->kind + TMPL_GROUPED));
        if (slot->kind == TMPL_ZDEC)
            skep_buf_u8(out, (uint8_t)t->len);
        skep_buf_varint(out, slot->group - 1u);
        skep_buf_varint(out, slot->field);
        return;
    }
    skep_buf_u8(out, slot->kind);
    if (slot->kind == TMPL_ZDEC)
        skep_buf_u8(out, (uint8_t)t->len);
    switch (slot->kind) {
    case TMPL_ZDEC:
    case TMPL_DEC:
        skep_buf_u8(out, slot->width);
        skep_buf_varint(out, slot->min);
        return;
    case TMPL_HEX:
    case TMPL_UPPER: skep_buf_varint(out, t->len); return;
    case TMPL_WORD: skep_buf_varint(out, slot->domain); return;
    default: skep_unreachable("kind of a slot");
    }
}

static void put_template(const struct tmpl_shape *x, struct skep_buf *literal, struct skep_buf *out)
{
    size_t at = 0;
    skep_buf_reset(literal);
    for (uint32_t i = 0; i < x->n_tokens; i++) {
        const struct tmpl_token *t = &x->tokens[i];
        if (!x->slots[i].varies)
            continue; /* part of the literal */
        skep_buf_put(literal, x->first.p + at, t->at - at);
        put_literal(out, literal);
        skep_buf_reset(literal);
        put_slot(&x->slots[i], t, out);
        at = t->at + t->len;
    }
    skep_buf_put(literal, x->first.p + at, x->first.n - at);
    put_literal(out, literal);
    skep_buf_u8(out, TMPL_END);
}

/* Only words and domains that a kept template uses. */
static void put_domains(const struct tmpl_builder *b, struct skep_buf *out)
{
    uint16_t *number = skep_alloc_n(uint16_t, TMPL_WORDS_MAX); /* + 1 */
    uint32_t n = 0;
    for (unsigned i = 0; i < b->n_domains; i++)
        for (uint32_t k = 0; k < b->domains[i].n; k++)
            number[b->domains[i].words[k]] = 1;
    for (uint32_t i = 0; i < b->n_words; i++)
        n += number[i];
    skep_buf_varint(out, n);
    n = 0;
    for (uint32_t i = 0; i < b->n_words; i++) {
        if (!number[i])
            continue;
        number[i] = (uint16_t)n++;
        skep_buf_varint(out, b->words[i].n);
        skep_buf_str(out, b->words[i]);
    }
    skep_buf_varint(out, b->n_domains);
    for (unsigned i = 0; i < b->n_domains; i++) {
        skep_buf_varint(out, b->domains[i].n);
        for (uint32_t k = 0; k < b->domains[i].n; k++)
            skep_buf_varint(out, number[b->domains[i].words[k]]);
    }
    skep_free(number);
}

static void put_groups(const struct tmpl_builder *b, struct skep_buf *out)
{
    skep_buf_varint(out, b->n_groups);
    for (unsigned g = 0; g < b->n_groups; g++) {
        const struct tmpl_group *x = &b->groups[g];
        skep_buf_u8(out, x->ref_bits);
        skep_buf_varint(out, x->n_entries);
        skep_buf_varint(out, x->n_fields);
        for (unsigned k = 0; k < x->n_fields; k++) {
            skep_buf_varint(out, x->fields[k].digits);
            if (x->fields[k].digits > 0)
                continue;
            skep_buf_u8(out, x->fields[k].width);
            skep_buf_varint(out, x->fields[k].min);
        }
    }
}

static void put_templates(const struct tmpl_builder *b, bool groups, struct skep_buf *out)
{
    struct skep_buf literal;
    skep_buf_init(&literal, TMPL_TEXT_MAX);
    put_domains(b, out);
    if (groups)
        put_groups(b, out);
    skep_buf_varint(out, b->n_codes);
    for (unsigned i = 0; i < b->n_shapes; i++)
        if (b->shapes[i].code)
            put_template(&b->shapes[i], &literal, out);
    skep_assert(!literal.bad);
    skep_buf_done(&literal);
}

/* --- records --- */

struct bits {
    struct skep_buf *out;
    uint64_t acc;
    unsigned have;
};

/* width <= 64; v is below 2^width. */
static void put_bits(struct bits *w, uint64_t v, unsigned width)
{
    w->acc |= v << w->have;
    if (w->have + width >= 64) {
        skep_buf_u64(w->out, w->acc);
        w->acc = w->have ? v >> (64 - w->have) : 0;
        w->have = w->have + width - 64;
        if (w->have == 0)
            w->acc = 0;
    } else {
        w->have += width;
    }
}

static void put_hex(const uint64_t *cells, uint32_t digits, struct bits *w)
{
    for (uint32_t k = 0; k * 16 < digits; k++)
        put_bits(w, cells[k], SKEP_MIN(digits - k * 16u, 16u) * 4);
}

static void put_record(const struct tmpl_builder *b, const struct tmpl_shape *x,
                       const uint64_t *cells, struct bits *w)
{
    for (uint32_t k = 0; k < x->n_varying; k++) {
        const uint32_t i = x->varying[k];
        const struct tmpl_slot *slot = &x->slots[i];
        if (slot->group)
            continue;
        const uint64_t *cell = cells + slot->cell;
        if (slot->kind == TMPL_WORD) {
            put_bits(w, b->domains[slot->domain].code_of[*cell] - 1u, slot->width);
        } else if (slot->kind == TMPL_DEC || slot->kind == TMPL_ZDEC) {
            put_bits(w, *cell - slot->min, slot->width);
        } else {
            put_hex(cell, x->tokens[i].len, w);
        }
    }
}

static void end_bits(struct bits *w)
{
    for (; w->have > 0; w->have -= SKEP_MIN(w->have, 8u)) {
        skep_buf_u8(w->out, (uint8_t)w->acc);
        w->acc >>= 8;
    }
}

static void put_records(const struct tmpl_builder *b, uint32_t n, struct skep_buf *out)
{
    struct bits w = {.out = out};
    uint32_t used[TMPL_SHAPES_MAX] = {0};
    const uint16_t *ref = b->refs;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = b->shape_of[i];
        if (s == 0)
            continue;
        const struct tmpl_shape *x = &b->shapes[s - 1];
        uint32_t k = used[s - 1]++;
        for (unsigned g = 0; x->groups >> g; g++)
            if (x->groups >> g & 1)
                put_bits(&w, *ref++, b->groups[g].ref_bits);
        if (x->code)
            put_record(b, x, x->cells + (size_t)k * x->n_cells, &w);
    }
    end_bits(&w);
}

static void put_entries(const struct tmpl_builder *b, struct skep_buf *out)
{
    for (unsigned g = 0; g < b->n_groups; g++) {
        const struct tmpl_group *x = &b->groups[g];
        struct bits w = {.out = out};
        const uint64_t *cell = x->cells;
        for (uint32_t i = 0; i < x->n_entries; i++) {
            for (unsigned k = 0; k < x->n_fields; k++) {
                const struct tmpl_field *f = &x->fields[k];
                if (f->digits > 0)
                    put_hex(cell, f->digits, &w);
                else
                    put_bits(&w, *cell - f->min, f->width);
                cell += f->digits ? (f->digits + 15) / 16 : 1;
            }
        }
        end_bits(&w);
    }
}

static unsigned code_of(const struct tmpl_builder *b, uint32_t i)
{
    return b->shape_of[i] ? b->shapes[b->shape_of[i] - 1].code : 0;
}

/* Codes and the index, where records do not all have one size. */
static void put_codes(const struct tmpl_builder *b, uint32_t n, struct skep_buf *out)
{
    int64_t *codes = skep_malloc((size_t)n * 8);
    for (uint32_t i = 0; i < n; i++)
        codes[i] = code_of(b, i);
    skep_codec__for_put(codes, n, out);
    skep_free(codes);
}

static void put_index(const struct tmpl_builder *b, uint32_t n, bool rest, struct skep_buf *out)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i % TMPL_STEP == 0)
            skep_buf_u32(out, (uint32_t)at);
        if (code_of(b, i))
            at += b->shapes[b->shape_of[i] - 1].bits;
    }
    uint32_t before = 0;
    for (uint32_t i = 0; rest && i < n; i++) {
        if (i % TMPL_STEP == 0)
            skep_buf_u32(out, before);
        before += code_of(b, i) == 0;
    }
    for (unsigned g = 0; g < b->n_groups; g++)
        for (uint32_t i = 0; i < n; i += TMPL_STEP)
            skep_buf_u32(out, b->groups[g].before[i / TMPL_STEP]);
}

/* Compress what stands in `out` from `at` on, when that makes it an eighth smaller and it is not so
 * little that beginning to costs more than it saves.  Returns the bytes before, or 0 when it is
 * left. */
static uint32_t pack(struct skep_buf *out, size_t at)
{
    size_t n = out->n - at, bound = ZSTD_compressBound(n);
    if (out->bad || n < PACK_LEAST || n > TMPL_PACKED_MAX)
        return 0;
    uint8_t *to = skep_malloc(bound);
    size_t packed = ZSTD_compress(to, bound, out->p + at, n, ZSTD_LEVEL);
    bool smaller = !ZSTD_isError(packed) && packed < n - n / 8;
    if (smaller) {
        memcpy(out->p + at, to, packed);
        out->n = at + packed;
    }
    skep_free(to);
    return smaller ? (uint32_t)n : 0;
}

/* Returns the bytes before compression, or 0. */
static uint32_t put_rest(const struct skep_codec_in *in, const struct tmpl_builder *b, uint32_t e,
                         bool may_pack, struct skep_buf *out)
{
    skep_str *strs = skep_malloc(e * sizeof *strs);
    struct skep_codec_in rest = {.strs = strs};
    for (uint32_t i = 0; i < in->n; i++)
        if (code_of(b, i) == 0)
            strs[rest.n++] = in->strs[i];
    skep_assert(rest.n == e);
    size_t at = out->n, plain = skep_codec_str.score(&rest);
    bool fsst = skep_codec_fsst.score(&rest) < plain;
    const struct skep_codec_ops *codec = fsst ? &skep_codec_fsst : &skep_codec_str;
    uint32_t packed = 0;
    if (may_pack && plain >= PACK_LEAST && plain < TMPL_PACKED_MAX) {
        skep_buf_u8(out, SKEP_CODEC_STR);
        skep_codec_str.encode(&rest, out);
        packed = pack(out, at);
        if (packed == 0 && !out->bad)
            out->n = at;
    }
    if (packed == 0) {
        skep_buf_u8(out, codec->id);
        codec->encode(&rest, out);
    }
    skep_free(strs);
    return packed;
}

static void encode_as(const struct skep_codec_in *in, bool groups, struct skep_buf *out)
{
    skep_assert(in->n > 0 && in->n <= SKEP_CODEC_MAX_VALUES);
    struct tmpl_builder *b = tmpl_build(in, 1, groups ? TMPL_SHAPES_MAX : TMPL_SHAPES_MAX_18);
    uint32_t e = 0, sizes[TMPL_SIZES] = {0};
    if (groups)
        tmpl_find_groups(b, in->n);
    for (uint32_t i = 0; i < in->n; i++)
        e += code_of(b, i) == 0;
    size_t head = out->n;
    skep_buf_zero(out, groups ? TMPL_SIZES * 4 : TMPL_SIZES_18 * 4);
    size_t at = out->n;
    put_templates(b, groups, out);
    sizes[TMPL_SIZE_UNPACKED] = (uint32_t)(out->n - at);
    if (groups)
        (void)pack(out, at); /* or it stands as it is */
    sizes[TMPL_SIZE_TEMPLATES] = (uint32_t)(out->n - at);
    at = out->n;
    if (b->n_codes != 1 || e > 0 || b->n_groups > 0) {
        put_codes(b, in->n, out);
        sizes[TMPL_SIZE_CODES] = (uint32_t)(out->n - at);
        put_index(b, in->n, e > 0, out);
    }
    at = out->n;
    put_records(b, in->n, out);
    sizes[TMPL_SIZE_RECORDS] = (uint32_t)(out->n - at);
    at = out->n;
    put_entries(b, out);
    sizes[TMPL_SIZE_ENTRIES] = (uint32_t)(out->n - at);
    sizes[TMPL_SIZE_REST] = e;
    if (e > 0)
        sizes[TMPL_SIZE_REST_UNPACKED] = put_rest(in, b, e, groups, out);
    for (unsigned i = 0; !out->bad && i < (groups ? TMPL_SIZES : TMPL_SIZES_18); i++)
        skep_store_le32(out->p + head + (size_t)4 * i, sizes[i]);
    tmpl_builder_free(b);
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    encode_as(in, true, out);
}

static void encode_18(const struct skep_codec_in *in, struct skep_buf *out)
{
    encode_as(in, false, out);
}

/* From a sample: what its records and its rest take, times its share. */
static size_t score(const struct skep_codec_in *in)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < in->n; i++)
        total += in->strs[i].n;
    if (total < MIN_TOTAL || total > MAX_TOTAL || in->n < 8)
        return SIZE_MAX;
    uint32_t step = (in->n + SAMPLE - 1) / SAMPLE, n = (in->n + step - 1) / step;
    struct tmpl_builder *b = tmpl_build(in, step, TMPL_SHAPES_MAX);
    uint64_t bits = 0, rest = 0, fixed = 64;
    for (uint32_t i = 0; i < n; i++) {
        if (code_of(b, i))
            bits += b->shapes[b->shape_of[i] - 1].bits;
        else
            rest += in->strs[(size_t)i * step].n / 2 + 1;
    }
    for (unsigned i = 0; i < b->n_shapes; i++)
        if (b->shapes[i].code)
            fixed += b->shapes[i].first.n;
    for (uint32_t i = 0; i < b->n_words; i++)
        fixed += b->words[i].n;
    bits += (uint64_t)n * (b->n_codes != 1 || rest ? skep_bits_width(b->n_codes) : 0);
    size_t bytes = (size_t)(fixed + (bits / 8 + rest) * in->n / n);
    if (rest * 4 > total / step)
        bytes = SIZE_MAX; /* the greater part would not be split */
    tmpl_builder_free(b);
    return bytes;
}

/* Nothing is to be written as codec 18 any more. */
static size_t score_18(const struct skep_codec_in *in)
{
    (void)in;
    return SIZE_MAX;
}

const struct skep_codec_ops skep_codec_tmpl18 = {
    .name = "tmpl18",
    .id = SKEP_CODEC_TMPL18,
    .kind = SKEP_CODEC_STRINGS,
    .score = score_18,
    .encode = encode_18,
    .decode_str = tmpl_decode_18,
    .contains = tmpl_contains_18,
};

const struct skep_codec_ops skep_codec_tmpl = {
    .name = "tmpl",
    .id = SKEP_CODEC_TMPL,
    .kind = SKEP_CODEC_STRINGS,
    .score = score,
    .encode = encode,
    .decode_str = tmpl_decode,
    .contains = tmpl_contains,
    .members = tmpl_members,
    .some = tmpl_some,
};
