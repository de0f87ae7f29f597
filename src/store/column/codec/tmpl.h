// SPDX-License-Identifier: Apache-2.0
/* Strings as templates with slots: what tmpl.c (bytes), tmpl_build.c (finding templates),
 * tmpl_repeat.c (values that come again) and those that read them (tmpl_open.h) share.  Internal to
 * the codec. */
#pragma once

#include "base/arena.h"
#include "store/column/codec/codec.h"

enum {
    TMPL_TEXT_MAX = 4096,     /* longer strings are not split */
    TMPL_TOKENS_MAX = 128,    /* nor are those of more tokens */
    TMPL_SHAPES_MAX = 1022,   /* templates of a chunk; code 0 is for the rest */
    TMPL_SHAPES_MAX_18 = 254, /* of codec 18 */
    TMPL_WORDS_MAX = 4096,    /* different words of a chunk */
    TMPL_DOMAINS_MAX = 64,    /* lists of words that a slot may hold */
    TMPL_BITS_MAX = 32768,    /* of one record */
    TMPL_WORD_MAX = 64,       /* bytes of a word in a slot */
    TMPL_LENGTH_MAX =
        16384,       /* of a string a template can make: TEXT_MAX + TOKENS_MAX * WORD_MAX fit */
    TMPL_STEP = 256, /* values between two entries of the index */
    TMPL_DIGITS_MAX = 18,
    TMPL_RECENT = 1024,       /* strings remembered by their looks */
    TMPL_GROUPS_MAX = 8,      /* groups of slots whose values come again */
    TMPL_FIELDS_MAX = 16,     /* slots of one */
    TMPL_REF_BITS_MAX = 16,   /* of a reference to an earlier entry */
    TMPL_GROUPED = 64,        /* added to the kind of a slot that is a group's field; on disk */
    TMPL_PACKED_MAX = 1 << 20 /* bytes that are compressed in one piece, before */
};

/* The numbers in a chunk's header, in this order; codec 18 has the first four. */
enum {
    TMPL_SIZE_TEMPLATES,
    TMPL_SIZE_CODES,
    TMPL_SIZE_RECORDS,
    TMPL_SIZE_REST,
    TMPL_SIZES_18,
    TMPL_SIZE_UNPACKED = TMPL_SIZES_18,
    TMPL_SIZE_REST_UNPACKED,
    TMPL_SIZE_ENTRIES,
    TMPL_SIZES
};

/* What stands in a slot.  On disk: never reuse. */
enum tmpl_kind {
    TMPL_END = 0,   /* no slot: the template ends with this literal */
    TMPL_DEC = 1,   /* a number without leading zeros */
    TMPL_ZDEC = 2,  /* a number of so many digits */
    TMPL_HEX = 3,   /* so many lower-case hex digits, four bits each */
    TMPL_UPPER = 4, /* upper-case ones */
    TMPL_WORD = 5   /* one of a list of words */
};

/* A variable part of a string. */
struct tmpl_token {
    uint16_t at, len;
    uint8_t kind; /* enum tmpl_kind */
};

/* A slot of a shape while it is built; one a token. */
struct tmpl_slot {
    uint8_t kind;
    bool varies;
    uint16_t cell, n_cells; /* in the values of a string */
    uint16_t domain;        /* words */
    uint8_t width;          /* bits; hex: 0, see the token's length */
    uint8_t group, field;   /* group + 1 (0: in the record) and which of its fields it is */
    uint64_t min, max;
    uint32_t last_word; /* + 1 */
};

/* Strings with the same text around and the same kinds of tokens. */
struct tmpl_shape {
    uint64_t hash;
    skep_str first; /* the first such string */
    struct tmpl_token *tokens;
    struct tmpl_slot *slots;
    uint16_t *varying; /* [n_varying] slots that vary, ascending; set when the shape is settled */
    uint32_t n_varying;
    uint32_t n_tokens, n_cells;
    uint32_t n_values, cap;    /* strings seen */
    uint64_t *cells;           /* [n_values * n_cells] numbers, hex digits, word numbers */
    uint64_t text_bytes;       /* of all its strings */
    uint32_t bits;             /* of a record */
    struct tmpl_piece *pieces; /* to match it (tmpl_match.c) */
    bool pieces_ok;            /* they are those of what varies now */
    bool given_up;
    uint16_t code;  /* 0 = given up: its strings are in the rest */
    uint8_t groups; /* bit g: its strings have an entry of group g */
};

/* A part of an entry: so many hex digits, or with 0 a number in `width` bits over `min`. */
struct tmpl_field {
    uint32_t digits;
    uint8_t width;
    uint64_t min, max;
};

/* Slots of several templates whose values come again together; an entry is one of their sets. */
struct tmpl_group {
    uint32_t n_fields;
    struct tmpl_field fields[TMPL_FIELDS_MAX];
    uint32_t bits; /* of an entry */
    uint8_t ref_bits;
    uint32_t n_entries;
    uint64_t *cells; /* [n_entries * n_cells] */
    uint32_t n_cells;
    uint32_t *before; /* entries before each TMPL_STEP values */
};

struct tmpl_domain {
    uint32_t n;
    uint8_t width;
    uint16_t *words;
    uint16_t *code_of; /* [TMPL_WORDS_MAX] code + 1 */
};

struct tmpl_builder {
    unsigned n_shapes, most_shapes, n_codes, n_domains, n_groups;
    uint32_t n_words;
    uint32_t *shape_of; /* [n] shape + 1; 0 = not split */
    uint64_t n_cells;
    struct skep_arena made; /* words that stand for numbers */
    uint16_t *refs;         /* of the records, one after the other */
    size_t n_refs, cap_refs;
    uint16_t word_slots[2 * TMPL_WORDS_MAX];   /* word + 1 */
    uint16_t shape_slots[4 * TMPL_SHAPES_MAX]; /* shape + 1 */
    uint16_t recent[TMPL_RECENT][2];           /* shape + 1 of strings alike, the latest first */
    /* From here on nothing is set before it is used: a chunk of few strings pays for few. */
    struct tmpl_shape shapes[TMPL_SHAPES_MAX];
    struct tmpl_domain domains[TMPL_DOMAINS_MAX];
    skep_str words[TMPL_WORDS_MAX];
    uint64_t word_hashes[TMPL_WORDS_MAX];
    struct tmpl_group groups[TMPL_GROUPS_MAX];
};

/* Split the strings first, first + step, ... and settle at most `most` templates.  Strings stay
 * borrowed. */
struct tmpl_builder *tmpl_build(const struct skep_codec_in *in, uint32_t step, unsigned most);
void tmpl_builder_free(struct tmpl_builder *b);
/* A slot that holds few different numbers becomes one of words; n_values of the shape's strings. */
bool tmpl_few(struct tmpl_builder *b, struct tmpl_shape *x, uint32_t token);
/* A domain for the words list[n] of a slot; false when there is no room. */
bool tmpl_choose_domain(struct tmpl_builder *b, struct tmpl_slot *slot, const uint16_t *list,
                        uint32_t n);
/* The number of a word; UINT32_MAX when there is no room for a new one. */
uint32_t tmpl_word_number(struct tmpl_builder *b, skep_str s);
/* Find the groups among the n strings and make their entries and references; the shapes' bits are
 * made anew. */
void tmpl_find_groups(struct tmpl_builder *b, uint32_t n);
/* Bits of a shape's record. */
uint32_t tmpl_record_bits(const struct tmpl_builder *b, struct tmpl_shape *x);

static inline bool tmpl_is_hex(unsigned kind)
{
    return kind == TMPL_HEX || kind == TMPL_UPPER;
}

/* Tokens of s; SIZE_MAX when it is not to be split. */
size_t tmpl_split(skep_str s, struct tmpl_token *tokens, uint64_t *ret_hash);

/* Number of a known word; UINT32_MAX = it is not known. */
uint32_t tmpl_find_word(const struct tmpl_builder *b, skep_str s, uint64_t hash);
/* Room for the cells of the shape's next string. */
uint64_t *tmpl_next_cells(struct tmpl_shape *x);
/* They are filled: the string is the shape's. */
void tmpl_took(struct tmpl_builder *b, struct tmpl_shape *x, skep_str s);
/* Is s one of the shape, as far as known by now?  Then it is taken. */
bool tmpl_match(struct tmpl_builder *b, struct tmpl_shape *x, skep_str s);

/* The codecs' decode_str: values [first, first + n).  Return SKEP_OK | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc tmpl_decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                   skep_str *out, struct skep_codec_scratch *scratch);
/* The codec's some(). */
SKEP_NODISCARD skep_rc tmpl_some(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                 const uint8_t *wanted, skep_str *out,
                                 struct skep_codec_scratch *scratch);
SKEP_NODISCARD skep_rc tmpl_decode_18(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                      skep_str *out, struct skep_codec_scratch *scratch);
