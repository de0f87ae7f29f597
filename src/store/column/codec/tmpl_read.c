// SPDX-License-Identifier: Apache-2.0
/* Templates, read (tmpl.c has the bytes): of an opened chunk (tmpl_open.c) a string is made by a
 * few short copies.
 *
 * I1  every read stays inside the chunk and its pad, every write inside the bytes taken.
 * Threads: any; a scratch belongs to one. */
#include "store/column/codec/tmpl_open.h"

#include <limits.h>

enum { PIECE = 512 };

/* --- writing a string --- */

/* n bytes from readable 16 past p + n to writable 16 past to + n. */
SKEP_INLINE uint8_t *copy(uint8_t *to, const uint8_t *p, uint32_t n)
{
    memcpy(to, p, 16);
    if (SKEP_UNLIKELY(n > 16))
        memcpy(to + 16, p + 16, n - 16);
    return to + n;
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

/* The last `digits` digits of v. */
SKEP_INLINE uint8_t *put_digits(uint8_t *to, uint64_t v, unsigned digits)
{
    uint8_t *at = to + digits;
    for (; digits >= 2; digits -= 2) {
        at -= 2;
        memcpy(at, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (digits)
        at[-1] = (uint8_t)('0' + v % 10);
    return to;
}

/* Eight digits, the first in the lowest four bits of v; above nine they begin `letter` later. */
SKEP_INLINE SKEP_WRAPS uint64_t hex_digits(uint32_t v, unsigned letter)
{
    uint64_t x = v;
    x = (x | x << 16) & 0x0000ffff0000ffffull;
    x = (x | x << 8) & 0x00ff00ff00ff00ffull;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0full; /* a byte each */
    uint64_t above = (x + 0x0606060606060606ull) >> 4 & 0x0101010101010101ull;
    return x + 0x3030303030303030ull + above * letter;
}

/* Writable 16 past the digits. */
static uint8_t *put_hex(uint8_t *to, const uint8_t *records, uint64_t at, unsigned digits,
                        bool upper)
{
    unsigned letter = (upper ? 'A' : 'a') - '9' - 1;
    for (unsigned i = 0; i < digits; i += 16) {
        uint64_t v = tmpl_bits(records, at + i * 4, SKEP_MIN(digits - i, 16u) * 4);
        skep_store_le64(to + i, hex_digits((uint32_t)v, letter));
        skep_store_le64(to + i + 8, hex_digits((uint32_t)(v >> 32), letter));
    }
    return to + digits;
}

SKEP_INLINE SKEP_WRAPS uint8_t *put_slot(uint8_t *to, const struct tmpl_opened *o,
                                         const struct tmpl_run *p, uint64_t at)
{
    if (tmpl_is_hex(p->kind))
        return put_hex(to, o->records, at, p->digits, p->kind == TMPL_UPPER);
    uint64_t v = tmpl_bits(o->records, at, p->width);
    if (p->kind == TMPL_WORD) {
        if (SKEP_UNLIKELY(v >= p->n_words))
            return NULL;
        return copy(to, p->words[v].p, p->words[v].n);
    }
    v += p->base;
    unsigned digits = p->kind == TMPL_ZDEC ? p->digits : tmpl_count_digits(v);
    return put_digits(to, v, digits) + digits;
}

uint8_t *tmpl_put_slot(uint8_t *to, const struct tmpl_opened *o, const struct tmpl_run *p,
                       uint64_t at)
{
    return put_slot(to, o, p, at);
}

bool tmpl_take_references(const struct tmpl_opened *o, const struct tmpl_text *t, unsigned of,
                          struct tmpl_place *p)
{
    uint64_t at = p->at;
    for (unsigned left = t->groups; left; left &= left - 1) {
        unsigned g = SKEP_CTZ64(left);
        const struct tmpl_set *x = &o->sets[g];
        if (!(of >> g & 1)) {
            at += x->ref_bits;
            continue;
        }
        uint32_t back = (uint32_t)tmpl_bits(o->records, at, x->ref_bits);
        uint32_t entry = back ? p->before[g] - back : p->before[g]++;
        if (SKEP_UNLIKELY(entry >= x->n_entries)) /* also of one before the first: it wraps */
            return false;
        p->entry[g] = entry;
        p->entries[g] = x->at + (uint64_t)entry * x->bits;
        at += x->ref_bits;
    }
    return true;
}

uint8_t *tmpl_put_string(uint8_t *to, const struct tmpl_opened *o, const struct tmpl_text *t,
                         const struct tmpl_place *place)
{
    const struct tmpl_run *p = o->pieces + t->first;
    uint64_t at = place->at + t->reference_bits;
    for (;; p++) {
        to = copy(to, p->literal, p->literal_n);
        if (p->kind == TMPL_END)
            return to;
        if (p->group) {
            to = put_slot(to, o, p, place->entries[p->group - 1] + p->offset);
        } else {
            to = put_slot(to, o, p, at);
            at += tmpl_slot_bits(p);
        }
        if (SKEP_UNLIKELY(!to))
            return NULL;
    }
}

/* --- ranges --- */

void tmpl_place_at_step(const struct tmpl_opened *o, uint32_t step, struct tmpl_place *ret)
{
    *ret = (struct tmpl_place){.at = skep_load_le32(o->index + (size_t)step * 4)};
    if (o->rest_index)
        ret->rest = skep_load_le32(o->rest_index + (size_t)step * 4);
    for (uint32_t g = 0; g < o->n_sets; g++)
        ret->before[g] = skep_load_le32(o->sets[g].index + (size_t)step * 4);
}

skep_rc tmpl_skip(const struct tmpl_opened *o, const uint32_t *codes, uint32_t n, unsigned of,
                  struct tmpl_place *place)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct tmpl_text *t = &o->templates[codes[i]];
        if ((t->groups & of) &&
            (!tmpl_inside(o, t, place) || !tmpl_take_references(o, t, of, place)))
            return SKEP_ECORRUPT;
        place->at += t->bits;
        place->rest += codes[i] == 0;
    }
    return SKEP_OK;
}

/* All values have template 1.  wanted (NULL: all): the strings that are made, here and below. */
static skep_rc decode_plain(const struct tmpl_opened *o, uint32_t first, uint32_t n,
                            const uint8_t *wanted, skep_str *out,
                            struct skep_codec_scratch *scratch)
{
    const struct tmpl_text *t = &o->templates[1];
    struct tmpl_place place = {.at = (uint64_t)first * t->bits};
    if (place.at + (uint64_t)n * t->bits > o->record_bits)
        return SKEP_ECORRUPT;
    uint8_t *to = skep_codec_scratch_take(scratch, (size_t)n * t->longest + TMPL_SLACK);
    for (uint32_t i = 0; i < n; i++, place.at += t->bits) {
        if (wanted && !wanted[i])
            continue;
        uint8_t *end = tmpl_put_string(to, o, t, &place);
        if (!end)
            return SKEP_ECORRUPT;
        out[i] = (skep_str){(const char *)to, (size_t)(end - to)};
        to = end;
    }
    return SKEP_OK;
}

/* The strings of codes[n] from a place on. */
static skep_rc decode_coded(const struct tmpl_opened *o, const uint32_t *codes, uint32_t n,
                            struct tmpl_place *place, const uint8_t *wanted, const skep_str *rest,
                            skep_str *out, struct skep_codec_scratch *scratch)
{
    size_t room = TMPL_SLACK;
    for (uint32_t i = 0; i < n; i++)
        room += !wanted || wanted[i] ? o->templates[codes[i]].longest : 0;
    uint8_t *to = skep_codec_scratch_take(scratch, room);
    for (uint32_t i = 0; i < n; i++) {
        const struct tmpl_text *t = &o->templates[codes[i]];
        bool make = !wanted || wanted[i];
        if (codes[i] == 0) {
            if (rest) /* else none of it is wanted */
                out[i] = *rest++;
            continue;
        }
        if (!tmpl_inside(o, t, place) ||
            (t->groups && !tmpl_take_references(o, t, t->groups, place)))
            return SKEP_ECORRUPT;
        uint8_t *stop = make ? tmpl_put_string(to, o, t, place) : to;
        if (!stop)
            return SKEP_ECORRUPT;
        if (make)
            out[i] = (skep_str){(const char *)to, (size_t)(stop - to)};
        to = stop;
        place->at += t->bits;
    }
    return SKEP_OK;
}

/* The e strings of the rest from `first` on.  What was compressed goes with the opened chunk, which
 * may be before the strings do (a block of two chunks): they are copied. */
static skep_rc read_rest(const struct tmpl_opened *o, uint32_t first, uint32_t e, skep_str **ret,
                         struct skep_codec_scratch *scratch)
{
    if ((uint64_t)first + e > o->rest.n_values)
        return SKEP_ECORRUPT;
    skep_str *rest = (skep_str *)(void *)skep_codec_scratch_take(scratch, e * sizeof *rest + 8);
    *ret = rest = (skep_str *)(((uintptr_t)rest + 7) & ~(uintptr_t)7);
    SKEP_TRY(o->rest_codec->decode_str(&o->rest, first, e, rest, scratch));
    size_t bytes = 0;
    for (uint32_t i = 0; i < e; i++)
        bytes += rest[i].n;
    if (!o->unpacked_rest || o->rest_codec != &skep_codec_str || bytes == 0)
        return SKEP_OK;
    char *to = (char *)skep_codec_scratch_take(scratch, bytes);
    for (uint32_t i = 0; i < e; i++) {
        if (rest[i].n > 0)
            memcpy(to, rest[i].p, rest[i].n);
        rest[i].p = to;
        to += rest[i].n;
    }
    return SKEP_OK;
}

/* [first, first + n), n <= PIECE. */
static skep_rc decode_piece(const struct tmpl_opened *o, uint32_t first, uint32_t n,
                            const uint8_t *wanted, skep_str *out,
                            struct skep_codec_scratch *scratch)
{
    SKEP_UNINIT uint32_t codes[PIECE + TMPL_STEP];
    uint32_t skip = first % TMPL_STEP, e = 0, e_wanted = 0;
    struct tmpl_place place;
    SKEP_TRY(tmpl_codes(o, first - skip, skip + n, codes));
    tmpl_place_at_step(o, first / TMPL_STEP, &place);
    SKEP_TRY(tmpl_skip(o, codes, skip, UINT_MAX, &place));
    for (uint32_t i = skip; i < skip + n; i++) {
        e += codes[i] == 0;
        e_wanted += codes[i] == 0 && (!wanted || wanted[i - skip]);
    }
    skep_str *rest = NULL;
    if (e_wanted > 0)
        SKEP_TRY(read_rest(o, place.rest, e, &rest, scratch));
    return decode_coded(o, codes + skip, n, &place, wanted, rest, out, scratch);
}

skep_rc tmpl_codes(const struct tmpl_opened *o, uint32_t first, uint32_t n, uint32_t *codes)
{
    uint32_t most = 0;
    SKEP_TRY(skep_codec__for_get32(&o->codes, first, n, codes));
    for (uint32_t i = 0; i < n; i++)
        most = SKEP_MAX(most, codes[i]);
    return most > o->n_templates ? SKEP_ECORRUPT : SKEP_OK;
}

static skep_rc decode(const struct skep_codec_chunk *c, bool old, uint32_t first, uint32_t n,
                      const uint8_t *wanted, skep_str *out, struct skep_codec_scratch *scratch)
{
    const struct tmpl_opened *o = tmpl_opened_of(c, old, scratch);
    if (!o || (uint64_t)first + n > c->n_values || n == 0)
        return SKEP_ECORRUPT;
    for (uint32_t at = 0; at < n;) {
        uint32_t take = SKEP_MIN(n - at, (uint32_t)PIECE);
        const uint8_t *of = wanted ? wanted + at : NULL;
        SKEP_TRY(o->codes.n_values ? decode_piece(o, first + at, take, of, out + at, scratch)
                                   : decode_plain(o, first + at, take, of, out + at, scratch));
        at += take;
    }
    return SKEP_OK;
}

skep_rc tmpl_decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, skep_str *out,
                    struct skep_codec_scratch *scratch)
{
    return decode(c, false, first, n, NULL, out, scratch);
}

skep_rc tmpl_some(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                  const uint8_t *wanted, skep_str *out, struct skep_codec_scratch *scratch)
{
    return decode(c, false, first, n, wanted, out, scratch);
}

skep_rc tmpl_decode_18(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, skep_str *out,
                       struct skep_codec_scratch *scratch)
{
    return decode(c, true, first, n, NULL, out, scratch);
}
