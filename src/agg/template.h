// SPDX-License-Identifier: Apache-2.0
/* Patterns of log lines: similar lines folded to a template, with exact counts.
 *
 *   user 17 logged in from 10.0.0.7      ->  user <Number> logged in from <IPAddress>   2
 *   user 18 logged in from 10.0.0.9
 *
 * Each line counts for exactly one template.  What is evidently a value (numbers, times, addresses,
 * ids) is dynamic at once; a word is when lines that are otherwise alike have many words in its
 * place.  While no more than `max` different lines (after the first rule) have been seen the answer
 * is a function of the multiset of lines; beyond that it may depend on their order, and the rarest
 * may be counted together as "other". */
#pragma once

#include "agg/agg.h"
#include "plan/plan.h"

enum skep_template_kind {
    SKEP_TEMPLATE_LITERAL, /* text that all lines have */
    SKEP_TEMPLATE_NUMBER,
    SKEP_TEMPLATE_TIME,
    SKEP_TEMPLATE_IP,
    SKEP_TEMPLATE_UUID,
    SKEP_TEMPLATE_HEX,
    SKEP_TEMPLATE_TOKEN, /* words of which there are many in this place */
    SKEP_TEMPLATE_REST,  /* whatever follows in long lines */
    SKEP_TEMPLATE_KIND_COUNT
};

/* "Number", "Time", "IPAddress", "UUID", "Hex", "Token", "Rest"; "" for a literal. */
skep_str skep_template_kind_name(enum skep_template_kind kind);

enum {
    SKEP_TEMPLATE_SAMPLES = 3,
    SKEP_TEMPLATE_SEVERITIES = 7, /* unspecified trace debug info warn error fatal */
    SKEP_TEMPLATE_VALUES = 4,     /* of a dynamic part, to show */
    SKEP_TEMPLATE_TOKENS = 192,   /* of a line, punctuation too; what follows is REST */
    SKEP_TEMPLATE_MAX = 8192
};

/* A piece of a template, in order; literals include the blanks between words. */
struct skep_template_part {
    enum skep_template_kind kind;
    skep_str text; /* LITERAL */
    /* other kinds: some of the values, different ones, by first appearance */
    skep_str values[SKEP_TEMPLATE_VALUES];
    unsigned n_values;
};

struct skep_template {
    struct skep_template_part *parts;
    unsigned n_parts;
    bool other; /* lines too rare to keep apart; no parts, the last of a list */
    uint64_t count;
    uint64_t earlier; /* lines of the earlier period; in nothing below but the samples */
    skep_ts_ns first_ns, last_ns;
    uint64_t severities[SKEP_TEMPLATE_SEVERITIES];
    const uint64_t *bins; /* [config.n_bins] lines over time */
    skep_row_id samples[SKEP_TEMPLATE_SAMPLES];
    unsigned n_samples;
};

struct skep_template_list {
    /* By how much more or less there is than earlier, descending (without an earlier period that is
     * the count), then by text. */
    struct skep_template *templates;
    size_t n;
    uint64_t lines;   /* the sum of counts */
    uint64_t earlier; /* likewise */
};

struct skep_template_config {
    struct skep_time_range range; /* what the bins cover, in equal steps */
    unsigned n_bins;              /* 0 = none, at most 1000 */
    unsigned max;                 /* different lines kept apart; 0 = SKEP_TEMPLATE_MAX */
    struct skep_budget *budget;   /* NULL = unbounded */
};

/* A line; borrowed for the call. */
struct skep_template_line {
    skep_str text;
    skep_ts_ns time_ns;
    uint8_t severity; /* OTLP's number, 0 = unspecified */
    uint64_t weight;  /* lines it stands for; 0 counts as 1 */
    skep_row_id id;
    bool earlier; /* of the period that is compared with */
};

/* A miner of templates.  Owns: skep_templates_free (NULL is fine).  Threads: one at a time. */
struct skep_templates;
struct skep_templates *skep_templates_new(const struct skep_template_config *cfg);
void skep_templates_free(struct skep_templates *t);

/* Count a line.  Only its first SKEP_TEMPLATE_TOKENS tokens tell it from others.
 * Returns SKEP_OK | SKEP_ENOMEM (the budget; the line is not counted). */
SKEP_NODISCARD skep_rc skep_templates_add(struct skep_templates *t,
                                          const struct skep_template_line *line);

/* The templates of all lines so far, in the arena; nothing may be added afterwards. */
void skep_templates_finish(struct skep_templates *t, struct skep_arena *arena,
                           struct skep_template_list *ret);

/* The template as text, as Logs Insights prints it: dynamic parts are <Kind-N>, N counts them from
 * 1. */
skep_str skep_template_text(const struct skep_template *t, struct skep_arena *arena);

/* A regular expression (RE2's and PCRE's common part) that matches the lines of the template: its
 * literals escaped, .*? between them, anchored at the start and, without REST, at the end. */
skep_str skep_template_regex(const struct skep_template *t, struct skep_arena *arena);
