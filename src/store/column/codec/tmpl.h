// SPDX-License-Identifier: Apache-2.0
/* Strings as templates with slots: what tmpl.c (bytes), tmpl_build.c (finding templates) and
 * tmpl_read.c share.  Internal to the codec. */
#pragma once

#include "store/column/codec/codec.h"

enum {
    TMPL_TEXT_MAX = 4096,  /* longer strings are not split */
    TMPL_TOKENS_MAX = 128, /* nor are those of more tokens */
    TMPL_SHAPES_MAX = 254, /* templates of a chunk; code 0 is for the rest */
    TMPL_WORDS_MAX = 4096, /* different words of a chunk */
    TMPL_DOMAINS_MAX = 64, /* lists of words that a slot may hold */
    TMPL_BITS_MAX = 32768, /* of one record */
    TMPL_WORD_MAX = 64,    /* bytes of a word in a slot */
    TMPL_LENGTH_MAX =
        16384,       /* of a string a template can make: TEXT_MAX + TOKENS_MAX * WORD_MAX fit */
    TMPL_STEP = 256, /* values between two entries of the index */
    TMPL_DIGITS_MAX = 18,
    TMPL_RECENT = 1024 /* strings remembered by their looks */
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
    uint64_t min, max;
    uint32_t last_word; /* + 1 */
};

/* Strings with the same text around and the same kinds of tokens. */
struct tmpl_shape {
    uint64_t hash;
    skep_str first; /* the first such string */
    struct tmpl_token *tokens;
    struct tmpl_slot *slots;
    uint32_t n_tokens, n_cells;
    uint32_t n_values, cap;    /* strings seen */
    uint64_t *cells;           /* [n_values * n_cells] numbers, hex digits, word numbers */
    uint64_t text_bytes;       /* of all its strings */
    uint32_t bits;             /* of a record */
    struct tmpl_piece *pieces; /* to match it (tmpl_match.c) */
    bool pieces_ok;            /* they are those of what varies now */
    bool given_up;
    uint8_t code; /* 0 = given up: its strings are in the rest */
};

struct tmpl_domain {
    uint32_t n;
    uint8_t width;
    uint16_t *words;
    uint16_t *code_of; /* [TMPL_WORDS_MAX] code + 1 */
};

struct tmpl_builder {
    unsigned n_shapes, n_codes, n_domains;
    uint32_t n_words;
    uint32_t *shape_of; /* [n] shape + 1; 0 = not split */
    uint64_t n_cells;
    uint16_t word_slots[2 * TMPL_WORDS_MAX];   /* word + 1 */
    uint16_t shape_slots[4 * TMPL_SHAPES_MAX]; /* shape + 1 */
    uint16_t recent[TMPL_RECENT][2];           /* shape + 1 of strings alike, the latest first */
    /* From here on nothing is set before it is used: a chunk of few strings pays for few. */
    struct tmpl_shape shapes[TMPL_SHAPES_MAX];
    struct tmpl_domain domains[TMPL_DOMAINS_MAX];
    skep_str words[TMPL_WORDS_MAX];
    uint64_t word_hashes[TMPL_WORDS_MAX];
};

/* Split the strings first, first + step, ... and settle the templates.  Strings stay borrowed. */
struct tmpl_builder *tmpl_build(const struct skep_codec_in *in, uint32_t step);
void tmpl_builder_free(struct tmpl_builder *b);

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

/* The codec's decode_str: values [first, first + n).  Returns SKEP_OK | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc tmpl_decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                   skep_str *out, struct skep_codec_scratch *scratch);
