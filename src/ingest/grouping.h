// SPDX-License-Identifier: Apache-2.0
/* Rules of an environment about how errors are grouped (docs/grouping.md).
 *
 *   a rule      conditions, all of which must hold -> a fingerprint and a title of a template each,
 *               or: frames like this are not the program's own
 *   a subject   an occurrence, whatever it is read from: a batch, a row of the store
 *
 * Rules that leave frames out come first, all of them; then the first rule that holds and whose
 * fingerprint is not empty. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "stack/fingerprint.h"
#include "wire/regex.h"

enum { SKEP_GROUPING_CONDITIONS_MAX = 10, SKEP_GROUPING_TEXT_MAX = 1000 };

enum skep_grouping_op {
    SKEP_GROUPING_IS,
    SKEP_GROUPING_IS_NOT,
    SKEP_GROUPING_CONTAINS,
    SKEP_GROUPING_CONTAINS_NOT,
    SKEP_GROUPING_BEGINS,
    SKEP_GROUPING_ENDS,
    SKEP_GROUPING_MATCHES,
    SKEP_GROUPING_OPS
};

struct skep_grouping_condition {
    skep_str field; /* "class" "message" "culprit" "frame" "fingerprint" "stage", else a field */
    enum skep_grouping_op op;
    skep_str value;
    const struct skep_regex *regex; /* of MATCHES */
};

struct skep_grouping_rule {
    int64_t id;
    skep_str name;
    struct skep_grouping_condition conditions[SKEP_GROUPING_CONDITIONS_MAX];
    unsigned n_conditions;
    skep_str fingerprint, title; /* templates; empty = as it was */
    bool ignore_frames;          /* those that hold the conditions of "frame" */
};

/* Read a rule: {"name","conditions":[{"field","op","value"}],"fingerprint"?,"title"?,
 * "ignore_frames"?}.
 *
 * value      of a document; NULL or anything that is no such rule is refused
 * ret_field  the member at fault; static
 * Returns    SKEP_OK | SKEP_EINVAL.  Texts and expressions in the arena. */
struct yyjson_val;
SKEP_NODISCARD skep_rc skep_grouping_read_value(struct yyjson_val *value, struct skep_arena *arena,
                                                struct skep_grouping_rule *ret, skep_str *ret_field,
                                                skep_err *err);
/* The same of a text. */
SKEP_NODISCARD skep_rc skep_grouping_read(skep_str json, struct skep_arena *arena,
                                          struct skep_grouping_rule *ret, skep_str *ret_field,
                                          skep_err *err);
/* Append its members, without id, to an open object. */
struct skep_json;
void skep_grouping_put(struct skep_json *j, const struct skep_grouping_rule *r);

struct skep_grouping_subject {
    void *ctx;
    /* A field's text; numbers as digits; empty = it has none.  Valid for the call of judge. */
    skep_str (*field)(void *ctx, skep_str name);
    /* Its exceptions, with the program's own frames marked; false: none.  Asked once at most. */
    bool (*stack)(void *ctx, struct skep_stack *ret);
};

struct skep_grouping_verdict {
    /* The one that gave fingerprint or title; else the first that left frames out; NULL = none. */
    const struct skep_grouping_rule *rule;
    skep_str before;      /* the fingerprint without rules */
    skep_str fingerprint; /* the one to have, in SKEP_FINGERPRINT_HEX bytes; empty = as it is */
    skep_str title;       /* empty = as it is */
    bool frames;          /* frames were left out; what follows is of the others */
    skep_str loose, culprit;
};
/* What rules make of an occurrence; in the arena.  Threads: any. */
void skep_grouping_judge(const struct skep_grouping_rule *rules, size_t n,
                         const struct skep_grouping_subject *subject, struct skep_arena *arena,
                         struct skep_grouping_verdict *ret);

/* The field that names the rule an occurrence is grouped by ("7 payments"), the fingerprint it
 * would have without, and its title by a rule. */
#define SKEP_GROUPING_RULE_FIELD   SKEP_STR("error.fingerprint.rule")
#define SKEP_GROUPING_BEFORE_FIELD SKEP_STR("error.fingerprint.before")
#define SKEP_GROUPING_TITLE_FIELD  SKEP_STR("error.title")
