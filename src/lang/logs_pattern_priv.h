// SPDX-License-Identifier: Apache-2.0
/* A filter pattern as its files see it. */
#pragma once

#include "lang/lang_priv.h"
#include "lang/logs_pattern.h"
#include "wire/regex.h"

enum { SKEP_LOGS__DEPTH = 32, SKEP_LOGS__STEPS = 64 };

/* One step of a selector. */
struct skep_logs__step {
    enum { SKEP_LOGS__KEY, SKEP_LOGS__INDEX, SKEP_LOGS__EVERY } how; /* EVERY: [*] and .* */
    skep_str key;
    size_t index;
};

struct skep_logs__selector {
    skep_str text; /* "$.a[0].b" as written */
    struct skep_logs__step *steps;
    unsigned n;
};

enum skep_logs__op {
    SKEP_LOGS__EQ,
    SKEP_LOGS__NE,
    SKEP_LOGS__LT,
    SKEP_LOGS__LE,
    SKEP_LOGS__GT,
    SKEP_LOGS__GE,
    SKEP_LOGS__IS_NULL,
    SKEP_LOGS__IS_TRUE,
    SKEP_LOGS__IS_FALSE,
    SKEP_LOGS__NOT_EXISTS
};

/* What a value is compared with. */
struct skep_logs__value {
    enum {
        SKEP_LOGS__NUMBER, /* of a number */
        SKEP_LOGS__WORD,   /* unquoted: also of a number's or boolean's text */
        SKEP_LOGS__QUOTED,
        SKEP_LOGS__REGEX,
        SKEP_LOGS__ANY /* * */
    } how;
    skep_str text; /* WORD, QUOTED: without escapes */
    bool glob;     /* a * in it stands for any text: */
    skep_str *pieces;
    unsigned n_pieces; /* between the stars, >= 2 */
    double number;
    const struct skep_regex *regex;
};

/* AND, OR of kids, or one test. */
struct skep_logs__node {
    enum { SKEP_LOGS__AND, SKEP_LOGS__OR, SKEP_LOGS__TEST } how;
    struct skep_logs__node **kids;
    unsigned n;
    const struct skep_logs__selector *selector; /* JSON */
    enum skep_logs__op op;
    struct skep_logs__value value;
};

struct skep_logs__term {
    skep_str text;
    const struct skep_regex *regex; /* NULL = the text */
    bool exclude, optional;
};

/* A field of "[...]": what it is called and what it must pass. */
struct skep_logs__field {
    bool rest; /* "..." */
    skep_str name;
    const struct skep_logs__node *test; /* NULL = anything */
};

struct skep_logs_pattern {
    struct skep_matcher base; /* passes(): the pattern as a plan's matcher */
    skep_str text;
    enum skep_logs_kind kind;
    struct skep_logs__term *terms;
    unsigned n_terms;
    bool only_optional; /* '?' terms alone: one of them is enough */
    const struct skep_logs__node *json;
    struct skep_logs__field *fields;
    unsigned n_fields;
    const struct skep_logs__selector **selectors; /* of json, in order, each once */
    unsigned n_selectors;
    const struct skep_regex **regexes; /* all of them; NULL = none */
    unsigned n_regexes;
};

/* Read a selector that makes up the whole text; false when it is none. */
bool skep_logs__selector(skep_str text, struct skep_arena *a, struct skep_logs__selector *ret);

/* Does a text, of a number or not, pass op and value? */
bool skep_logs__text_passes(enum skep_logs__op op, const struct skep_logs__value *v, skep_str s);
/* A JSON number's text. */
bool skep_logs__number_passes(enum skep_logs__op op, const struct skep_logs__value *v, skep_str s);

/* logs_pattern_json.c */
bool skep_logs__json_matches(const struct skep_logs_pattern *p, skep_str message);
/* The first scalar behind the selector, as text in the arena. */
bool skep_logs__json_value(const struct skep_logs__selector *s, skep_str message,
                           struct skep_arena *a, skep_str *ret);

/* logs_pattern_fields.c */
bool skep_logs__fields_match(const struct skep_logs_pattern *p, skep_str message);
/* The field at `index`; false when the message does not reach so far. */
bool skep_logs__field_value(const struct skep_logs_pattern *p, unsigned index, skep_str message,
                            skep_str *ret);
