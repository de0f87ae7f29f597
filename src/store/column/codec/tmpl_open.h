// SPDX-License-Identifier: Apache-2.0
/* A chunk of templates, unpacked: what tmpl_read.c and tmpl_find.c share.  Internal to the codec.
 */
#pragma once

#include "base/hash.h"
#include "store/column/codec/tmpl.h"

enum { TMPL_NEEDLE_MAX = 64 /* hex digits sought in slots */ };

struct tmpl_entry {
    const uint8_t *p;
    uint32_t n;
};

/* A literal and the slot behind it. */
struct tmpl_run {
    const uint8_t *literal;
    uint32_t literal_n;
    uint8_t kind, width;
    uint8_t
        group; /* + 1: the value is in an entry, `offset` bits from its begin; 0: in the record */
    uint32_t offset;
    uint16_t digits;
    uint32_t n_words; /* of the slot's domain */
    const struct tmpl_entry *words;
    uint64_t base;
    uint32_t longest;     /* text of the slot */
    const uint8_t *bytes; /* WORD: those its words are made of, a bit each */
};

struct tmpl_text {
    uint32_t first, n; /* pieces */
    uint32_t bits, longest;
    uint8_t groups; /* bit g: the record begins with references, one of group g among them */
};

/* A group of slots and its entries. */
struct tmpl_set {
    uint8_t ref_bits;
    uint32_t n_fields, bits, n_entries;
    struct tmpl_field fields[TMPL_FIELDS_MAX];
    uint32_t offsets[TMPL_FIELDS_MAX]; /* of the fields, in bits */
    uint64_t at;                       /* bit of the first entry, from the records on */
    const uint8_t *index;
};

/* A text of hex digits as they stand in slots. */
struct tmpl_digits {
    uint32_t n;
    bool lower, upper; /* it may stand in slots of these */
    uint64_t words[TMPL_NEEDLE_MAX / 16];
};

struct tmpl_opened {
    uint32_t n_templates;
    bool old;                                        /* codec 18 */
    struct tmpl_text templates[TMPL_SHAPES_MAX + 1]; /* by code; 0 is not one */
    struct tmpl_set sets[TMPL_GROUPS_MAX];
    uint32_t n_sets;
    uint8_t *unpacked, *unpacked_rest; /* what was compressed */
    struct tmpl_run *pieces;
    size_t n_pieces, cap_pieces;
    struct tmpl_entry *words; /* of all domains, one after the other */
    uint32_t domain_first[TMPL_DOMAINS_MAX + 1], domain_longest[TMPL_DOMAINS_MAX];
    uint8_t domain_bytes[TMPL_DOMAINS_MAX][32];
    uint32_t n_domains;
    struct skep_codec_chunk codes, rest;
    const struct skep_codec_ops *rest_codec;
    const uint8_t *index, *rest_index, *records;
    uint64_t record_bits;
    /* What the text asked for last is to each template (tmpl_find.c). */
    uint64_t found_hash; /* of that text; 0 = none */
    bool found_any;
    uint8_t found[TMPL_SHAPES_MAX + 1];
    struct tmpl_digits digits;
    uint64_t *hits[TMPL_GROUPS_MAX]; /* with ENTRY: a bit an entry that holds the digits */
};

/* May a template's strings contain a text?  HEX: exactly those do that have it inside a slot of hex
 * digits; ENTRY: as HEX, and all these slots are of groups. */
enum tmpl_found { TMPL_NEVER, TMPL_ALWAYS, TMPL_PERHAPS, TMPL_INSIDE, TMPL_ENTRY };

/* width <= 64 bits from bit `at` on. */
SKEP_INLINE uint64_t tmpl_bits(const uint8_t *p, uint64_t at, unsigned width)
{
    unsigned shift = at & 7;
    p += at >> 3;
    uint64_t v = skep_load_le64(p) >> shift;
    if (SKEP_UNLIKELY(shift + width > 64))
        v |= (uint64_t)p[8] << (64 - shift);
    return width >= 64 ? v : v & ((1ull << width) - 1);
}

/* Are they among the `digits` digits that begin at a bit from the records on? */
bool tmpl_digits_in(const struct tmpl_opened *o, uint64_t at, uint32_t digits);

/* Kept in the scratch until another chunk comes; NULL when the bytes are damaged. */
struct tmpl_opened *tmpl_opened_of(const struct skep_codec_chunk *c, bool old,
                                   struct skep_codec_scratch *s);
/* As tmpl_decode(), but strings of templates that are not PERHAPS by found[code] are not made: p is
 * NULL and n is 1 when the string has the text asked for last, else 0.  found NULL: all are made.
 * Returns SKEP_OK | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc tmpl_decode_some(const struct tmpl_opened *o,
                                        const struct skep_codec_chunk *c, uint32_t first,
                                        uint32_t n, skep_str *out,
                                        struct skep_codec_scratch *scratch, const uint8_t *found);
/* The codecs' contains().  Return SKEP_OK | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc tmpl_contains_18(const struct skep_codec_chunk *c, uint32_t first,
                                        uint32_t n, skep_str needle, uint64_t *bits,
                                        struct skep_codec_scratch *scratch);
SKEP_NODISCARD skep_rc tmpl_contains(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                     skep_str needle, uint64_t *bits,
                                     struct skep_codec_scratch *scratch);
