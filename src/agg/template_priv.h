// SPDX-License-Identifier: Apache-2.0
/* What the template files share: a line as tokens, and the table of lines seen.
 *
 * A signature is what tells lines apart: its tokens one behind the other, each
 *
 *   [0x1e if blanks stand before it]  literal bytes >= 0x20, or one byte kind (1..7)   0x1f
 *
 * Bytes below 0x20 of the line itself are blanks, so signatures are unambiguous. */
#pragma once

#include "agg/template.h"

struct skep_buf;

enum {
    SKEP_TEMPLATE__BLANK = 0x1e,
    SKEP_TEMPLATE__END = 0x1f,
    SKEP_TEMPLATE__VALUE_BYTES = 64,
    SKEP_TEMPLATE__SIGNATURE_BYTES = 8192
};

struct skep_template__token {
    skep_str text;
    uint8_t kind; /* enum skep_template_kind; LITERAL for words, too */
    bool blank;   /* blanks stand before it */
    bool word;    /* a literal that could be a value: not punctuation */
};

/* Cut a line into at most SKEP_TEMPLATE_TOKENS + 1 tokens; returns how many. */
unsigned skep_template__tokens(skep_str line,
                               struct skep_template__token ret[SKEP_TEMPLATE_TOKENS + 1]);

/* Lines with one signature. */
struct skep_template__entry {
    skep_str signature; /* of the table's */
    uint64_t hash;
    uint64_t count, earlier;
    skep_ts_ns first_ns, last_ns;
    uint64_t severities[SKEP_TEMPLATE_SEVERITIES];
    uint64_t *bins;
    skep_row_id samples[SKEP_TEMPLATE_SAMPLES];
    unsigned n_samples;
    unsigned n_dynamic;
    struct skep_template__values {
        skep_str v[SKEP_TEMPLATE_VALUES];
        unsigned n;
    } * values;        /* [n_dynamic] */
    bool folded, gone; /* made of several; taken into another */
};

/* Whether a literal is a word, which could be a value, and not punctuation. */
bool skep_template__is_word(skep_str text);

/* What lines of one folded template have in common: how many tokens, and the punctuation. */
uint64_t skep_template__shape(const struct skep_template__token *tokens, unsigned n);

/* Write the tokens' signature; what was in the buffer goes. */
void skep_template__write(struct skep_buf *b, const struct skep_template__token *tokens,
                          unsigned n);

/* The tokens of a signature; texts point into it. */
unsigned skep_template__parse(skep_str signature,
                              struct skep_template__token ret[SKEP_TEMPLATE_TOKENS + 1]);

/* Fold entries[n] that differ in words of which there are many; those taken into others are `gone`,
 * signatures of folded ones live in the arena. */
void skep_template__fold(struct skep_template__entry *entries, size_t n, unsigned n_bins,
                         struct skep_arena *arena);

/* Add the counts of b to a; both have n_bins bins. */
void skep_template__merge(struct skep_template__entry *a, const struct skep_template__entry *b,
                          unsigned n_bins);
