// SPDX-License-Identifier: Apache-2.0
/* Who is told what about items: rules, each for one place of an environment (state/notify.h). */
#pragma once

#include "state/items.h"

/* On disk: never reuse a number. */
enum skep_item_trigger {
    SKEP_TRIGGER_NEW = 1,         /* seen for the first time */
    SKEP_TRIGGER_REACTIVATED = 2, /* resolved or muted, and active again */
    SKEP_TRIGGER_REPEAT = 3,      /* seen 10, 100, 1,000 ... times */
    SKEP_TRIGGER_RATE = 4         /* `count` occurrences within `window_s` */
};
/* "new" "reactivated" "repeat" "rate"; false: none of them. */
skep_str skep_item_trigger_name(enum skep_item_trigger t);
SKEP_NODISCARD bool skep_item_trigger_parse(skep_str name, enum skep_item_trigger *ret);

enum { SKEP_ITEM_RULES_MAX = 200 }; /* of an environment */

struct skep_item_rule {
    int64_t id;
    skep_str environment;
    skep_str place; /* the id of a place */
    enum skep_item_trigger trigger;
    int level_min;    /* 0 = every level */
    skep_str stage;   /* empty = all */
    uint64_t count;   /* RATE: at least 1 */
    int64_t window_s; /* RATE: 1 .. 86,400 */
    skep_str payload; /* what a webhook is sent: the name of a form; empty = skep's message */
    skep_ts_ns created_ns;
};

/* All rules, or an environment's (NULL = all). */
SKEP_NODISCARD skep_rc skep_state_item_rules(struct skep_state *s, const skep_str *environment,
                                             struct skep_arena *arena, struct skep_item_rule **ret,
                                             size_t *ret_n, skep_err *err);
/* Returns SKEP_OK | SKEP_ELIMIT | EIO.  *ret_id of the new one. */
SKEP_NODISCARD skep_rc skep_state_item_rule_put(struct skep_state *s,
                                                const struct skep_item_rule *r, int64_t *ret_id,
                                                skep_err *err);
/* In one go, all of it or nothing: away with the rules of these ids (a rule that is gone is gone),
 * then n new ones of the environment, whose ids are set.  Returns SKEP_OK | SKEP_ELIMIT | EIO. */
SKEP_NODISCARD skep_rc skep_state_item_rules_swap(struct skep_state *s, skep_str environment,
                                                  const int64_t *drop, size_t n_drop,
                                                  struct skep_item_rule *put, size_t n_put,
                                                  skep_err *err);
/* SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_state_item_rule_drop(struct skep_state *s, skep_str environment,
                                                 int64_t id, skep_err *err);
