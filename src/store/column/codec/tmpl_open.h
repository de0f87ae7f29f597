// SPDX-License-Identifier: Apache-2.0
/* A chunk of templates, opened (tmpl_open.c): what reading strings (tmpl_read.c) and searching them
 * (tmpl_judge.c, tmpl_spots.c, tmpl_find.c) share.  Internal to the codec. */
#pragma once

#include "base/hash.h"
#include "store/column/codec/tmpl.h"

enum {
    TMPL_NEEDLE_MAX = 64,  /* hex digits sought in slots */
    TMPL_VERDICTS_MAX = 4, /* texts of a question: each block is asked for one after the other */
    TMPL_MEMBERS_MAX = 8,  /* members of documents, likewise */
    TMPL_SLACK = 32        /* bytes that writing a string may spoil behind it */
};

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
    uint32_t reference_bits; /* the record begins with */
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

/* Where a value's slots are: bits from the records on; and what counts on from value to value. */
struct tmpl_place {
    uint64_t at;                       /* its record */
    uint32_t rest;                     /* values of the rest before it */
    uint32_t before[TMPL_GROUPS_MAX];  /* entries before it */
    uint32_t entry[TMPL_GROUPS_MAX];   /* the numbers of its own */
    uint64_t entries[TMPL_GROUPS_MAX]; /* and where they are */
};

/* Bits of a string's record, or of its entry of a group, that as a number lie in [lo, hi] when the
 * string has the text that is sought. */
struct tmpl_spot {
    uint32_t offset;
    uint8_t width, group; /* + 1; 0: the record */
    uint64_t lo, hi;
};

/* A text of hex digits as they stand in slots. */
struct tmpl_digits {
    uint32_t n;
    bool lower, upper; /* it may stand in slots of these */
    uint64_t words[TMPL_NEEDLE_MAX / 16];
};

/* What a text is to each template (tmpl_judge.c). */
struct tmpl_verdict {
    uint64_t hash;                      /* of the text */
    bool any;                           /* a template's strings may have it */
    uint8_t found[TMPL_SHAPES_MAX + 1]; /* enum tmpl_found by code; 0 is the rest */
    uint8_t needs[TMPL_SHAPES_MAX + 1]; /* bit g: to say so of a string, its entry of group g */
    uint32_t spots_end[TMPL_SHAPES_MAX + 1]; /* a template's begin where those before it end */
    struct tmpl_spot *spots;
    uint32_t n_spots, cap_spots;
    struct tmpl_digits digits;
    uint64_t *hits[TMPL_GROUPS_MAX]; /* with ENTRY: a bit an entry that holds the digits */
    /* Where its search ended (tmpl_find.c): value `next` is at `place`, entries of the groups
     * `counted` are counted up to it. */
    uint32_t next;
    unsigned counted;
    struct tmpl_place place;
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
    struct tmpl_verdict *verdicts[TMPL_VERDICTS_MAX]; /* texts asked for lately, any of them NULL */
    uint32_t next_verdict;
    struct tmpl_members *members[TMPL_MEMBERS_MAX]; /* tmpl_member.c */
    uint32_t next_members;
};

/* May a template's strings contain a text?  SPOTS: exactly those do one of whose spots says so;
 * INSIDE: or that have it inside a slot of hex digits; ENTRY: those that have it inside a slot of
 * hex digits, and all these slots are of groups. */
enum tmpl_found { TMPL_NEVER, TMPL_ALWAYS, TMPL_PERHAPS, TMPL_SPOTS, TMPL_INSIDE, TMPL_ENTRY };

SKEP_INLINE uint32_t tmpl_slot_bits(const struct tmpl_run *p)
{
    return tmpl_is_hex(p->kind) ? p->digits * 4u : p->width;
}

/* Does the record at a place lie inside the records? */
SKEP_INLINE bool tmpl_inside(const struct tmpl_opened *o, const struct tmpl_text *t,
                             const struct tmpl_place *place)
{
    return place->at + t->bits <= o->record_bits;
}

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

/* Kept in the scratch until another chunk comes; NULL when the bytes are damaged. */
struct tmpl_opened *tmpl_opened_of(const struct skep_codec_chunk *c, bool old,
                                   struct skep_codec_scratch *s);
unsigned tmpl_count_digits(uint64_t v);

/* The templates of values [first, first + n), all of them there. */
SKEP_NODISCARD skep_rc tmpl_codes(const struct tmpl_opened *o, uint32_t first, uint32_t n,
                                  uint32_t *codes);
/* The place of value step * TMPL_STEP; there are codes. */
void tmpl_place_at_step(const struct tmpl_opened *o, uint32_t step, struct tmpl_place *ret);
/* Go on over codes[n], counting entries of the groups `of`. */
SKEP_NODISCARD skep_rc tmpl_skip(const struct tmpl_opened *o, const uint32_t *codes, uint32_t n,
                                 unsigned of, struct tmpl_place *place);
/* Go over the references of a record of template t, which is inside, to the groups `of`.  False
 * when one leads nowhere. */
bool tmpl_take_references(const struct tmpl_opened *o, const struct tmpl_text *t, unsigned of,
                          struct tmpl_place *p);
/* The string of template t at a place whose references are taken: at most t->longest bytes, and
 * TMPL_SLACK may be written behind.  Its end; NULL when the bytes are damaged. */
uint8_t *tmpl_put_string(uint8_t *to, const struct tmpl_opened *o, const struct tmpl_text *t,
                         const struct tmpl_place *place);

/* The text of a slot whose bits begin there; likewise. */
uint8_t *tmpl_put_slot(uint8_t *to, const struct tmpl_opened *o, const struct tmpl_run *p,
                       uint64_t at);

/* What a text is to each template; kept until TMPL_VERDICTS_MAX others were asked for. */
struct tmpl_verdict *tmpl_verdict_of(struct tmpl_opened *o, skep_str needle);
void tmpl_verdict_free(struct tmpl_verdict *v);
/* Are the digits sought among the `digits` digits that begin at a bit from the records on? */
bool tmpl_digits_in(const struct tmpl_opened *o, const struct tmpl_digits *d, uint64_t at,
                    uint32_t digits);

/* The strings that have the piece of a text in one slot, as spots.  The slot is behind piece k of
 * the template; the piece is the slot's begin, its end, both or neither (its letters are known to
 * fit).  False: spots cannot say it. */
struct tmpl_laid {
    uint32_t k;
    skep_str piece;
    bool begins, ends;
};
bool tmpl_add_spots(const struct tmpl_opened *o, struct tmpl_verdict *v, const struct tmpl_text *t,
                    const struct tmpl_laid *laid);

/* The codec's members(). */
SKEP_NODISCARD skep_rc tmpl_members(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                    const struct skep_codec_path *path, const uint8_t *wanted,
                                    uint8_t *known, skep_value *ret,
                                    struct skep_codec_scratch *scratch);

/* The codecs' contains().  Return SKEP_OK | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc tmpl_contains_18(const struct skep_codec_chunk *c, uint32_t first,
                                        uint32_t n, skep_str needle, uint64_t *bits,
                                        struct skep_codec_scratch *scratch);
SKEP_NODISCARD skep_rc tmpl_contains(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                     skep_str needle, uint64_t *bits,
                                     struct skep_codec_scratch *scratch);
