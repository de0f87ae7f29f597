// SPDX-License-Identifier: Apache-2.0
/* Strings with shared structure: a few templates with slots, the slots' values bit-packed, the rest
 * as other strings.  SQL with changing numbers, paths with ids, prefixed ids, uuids, stack traces.
 *
 *   0   u32  bytes of the templates
 *   4   u32  bytes of the codes, 0 = every value has template 1
 *   8   u32  bytes of the records
 *   12  u32  values in the rest, e
 *   16  templates:
 *         varint words, and each: varint length, bytes
 *         varint domains, and each: varint n (>= 1), n varint words
 *         varint templates, and each pieces up to one of kind 0:
 *           varint length, bytes of the literal, u8 kind of the slot behind it:
 *             0 none, the template ends
 *             1 decimal without leading zeros    u8 width, varint lowest
 *             2 decimal of so many digits        u8 digits, u8 width, varint lowest
 *             3 hex digits, 4 upper-case ones    varint digits
 *             5 word                             varint domain; width is that of n - 1
 *   ..  codes, frame of reference (for.c) of a value's template, from 1; 0 = in the rest
 *   ..  with codes: for each 256 values u32 bit where the record of the first of them begins
 *   ..  with e > 0: for each 256 values u32 values of the rest before them
 *   ..  records: the slots of a value from the lowest bit on, back to back; hex digits four bits
 * each
 *   ..  with e > 0: u8 codec (str or fsst), encoding of the rest
 *
 * Without codes a record is found by multiplication, with them by adding up at most 255 sizes.
 *
 * I1  what does not come back byte by byte from a template is in the rest.
 * Threads: any. */
#include "store/column/codec/tmpl_open.h"

#include "base/assert.h"
#include "base/mem.h"

enum { HEADER_BYTES = 16, SAMPLE = 512, MIN_TOTAL = 512, MAX_TOTAL = 64 << 20 };

/* --- templates --- */

static void put_literal(struct skep_buf *out, const struct skep_buf *literal)
{
    skep_buf_varint(out, literal->n);
    skep_buf_put(out, literal->p, literal->n);
}

static void put_slot(const struct tmpl_slot *slot, const struct tmpl_token *t, struct skep_buf *out)
{
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

static void put_templates(const struct tmpl_builder *b, struct skep_buf *out)
{
    struct skep_buf literal;
    skep_buf_init(&literal, TMPL_TEXT_MAX);
    put_domains(b, out);
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

static void put_record(const struct tmpl_builder *b, const struct tmpl_shape *x,
                       const uint64_t *cells, struct bits *w)
{
    for (uint32_t i = 0; i < x->n_tokens; i++) {
        const struct tmpl_slot *slot = &x->slots[i];
        if (!slot->varies)
            continue;
        const uint64_t *cell = cells + slot->cell;
        if (slot->kind == TMPL_WORD) {
            put_bits(w, b->domains[slot->domain].code_of[*cell] - 1u, slot->width);
        } else if (slot->kind == TMPL_DEC || slot->kind == TMPL_ZDEC) {
            put_bits(w, *cell - slot->min, slot->width);
        } else {
            for (uint32_t k = 0; k < slot->n_cells; k++)
                put_bits(w, cell[k], SKEP_MIN(x->tokens[i].len - k * 16u, 16u) * 4);
        }
    }
}

static void put_records(const struct tmpl_builder *b, uint32_t n, struct skep_buf *out)
{
    struct bits w = {.out = out};
    uint32_t used[TMPL_SHAPES_MAX] = {0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = b->shape_of[i];
        if (s == 0)
            continue;
        const struct tmpl_shape *x = &b->shapes[s - 1];
        uint32_t k = used[s - 1]++;
        if (x->code)
            put_record(b, x, x->cells + (size_t)k * x->n_cells, &w);
    }
    for (; w.have > 0; w.have -= SKEP_MIN(w.have, 8u)) {
        skep_buf_u8(out, (uint8_t)w.acc);
        w.acc >>= 8;
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
}

static void put_rest(const struct skep_codec_in *in, const struct tmpl_builder *b, uint32_t e,
                     struct skep_buf *out)
{
    skep_str *strs = skep_malloc(e * sizeof *strs);
    struct skep_codec_in rest = {.strs = strs};
    for (uint32_t i = 0; i < in->n; i++)
        if (code_of(b, i) == 0)
            strs[rest.n++] = in->strs[i];
    skep_assert(rest.n == e);
    bool fsst = skep_codec_fsst.score(&rest) < skep_codec_str.score(&rest);
    const struct skep_codec_ops *codec = fsst ? &skep_codec_fsst : &skep_codec_str;
    skep_buf_u8(out, codec->id);
    codec->encode(&rest, out);
    skep_free(strs);
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    skep_assert(in->n > 0 && in->n <= SKEP_CODEC_MAX_VALUES);
    struct tmpl_builder *b = tmpl_build(in, 1);
    uint32_t e = 0;
    for (uint32_t i = 0; i < in->n; i++)
        e += code_of(b, i) == 0;
    size_t head = out->n;
    skep_buf_zero(out, HEADER_BYTES);
    size_t at = out->n;
    uint32_t sizes[3] = {0};
    put_templates(b, out);
    sizes[0] = (uint32_t)(out->n - at);
    at = out->n;
    bool coded = b->n_codes != 1 || e > 0;
    if (coded) {
        put_codes(b, in->n, out);
        sizes[1] = (uint32_t)(out->n - at);
        put_index(b, in->n, e > 0, out);
    }
    at = out->n;
    put_records(b, in->n, out);
    sizes[2] = (uint32_t)(out->n - at);
    if (e > 0)
        put_rest(in, b, e, out);
    if (!out->bad) {
        for (unsigned i = 0; i < 3; i++)
            skep_store_le32(out->p + head + 4 * i, sizes[i]);
        skep_store_le32(out->p + head + 12, e);
    }
    tmpl_builder_free(b);
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
    struct tmpl_builder *b = tmpl_build(in, step);
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

const struct skep_codec_ops skep_codec_tmpl = {
    .name = "tmpl",
    .id = SKEP_CODEC_TMPL,
    .kind = SKEP_CODEC_STRINGS,
    .score = score,
    .encode = encode,
    .decode_str = tmpl_decode,
    .contains = tmpl_contains,
};
