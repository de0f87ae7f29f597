// SPDX-License-Identifier: Apache-2.0
/* Items: what is known of the errors that have one fingerprint, beside their rows.
 *
 * Rows are the occurrences and carry facts; an item is made when the first of them is seen and
 * holds what people and rules decided: status, level, title, owner, merges, and the cursor up to
 * which rows were looked at.  It can be made anew of the rows, without those decisions. */
#pragma once

#include "event/event.h"
#include "state/state.h"

enum skep_item_status { /* on disk and in Rollbar's API: never reuse a number */
                        SKEP_ITEM_ACTIVE = 1,
                        SKEP_ITEM_RESOLVED = 2,
                        SKEP_ITEM_MUTED = 3,
                        SKEP_ITEM_STATUSES
};
/* "active" "resolved" "muted"; false: none of them. */
skep_str skep_item_status_name(enum skep_item_status s);
SKEP_NODISCARD bool skep_item_status_parse(skep_str name, enum skep_item_status *ret);

enum { /* in Rollbar's API */
       SKEP_ITEM_DEBUG = 10,
       SKEP_ITEM_INFO = 20,
       SKEP_ITEM_WARNING = 30,
       SKEP_ITEM_ERROR = 40,
       SKEP_ITEM_CRITICAL = 50
};

/* An environment has at most so many items.  At the bound those that nobody touched and that were
 * not seen for 30 days make room; where none does, new errors are counted in one item a stage, of
 * this fingerprint, until there is room again. */
enum { SKEP_ITEMS_MAX = 200000 };
#define SKEP_ITEMS_OVERFLOW SKEP_STR("skep.overflow")

enum { SKEP_ITEM_TITLE_MAX = 255, SKEP_ITEM_VERSION_MAX = 40, SKEP_ITEM_TEXT_MAX = 65536 };

struct skep_item {
    int64_t id;           /* over all environments */
    int64_t counter;      /* within one, from 1 */
    skep_str environment; /* skep's: whose rows they are */
    skep_str stage; /* the program's own word for where it runs ("production"); may be empty */
    skep_str fingerprint;
    skep_str title, type, culprit, dataset, framework;
    enum skep_item_status status;
    int level; /* SKEP_ITEM_DEBUG .. CRITICAL: of the first occurrence, unless somebody set it */
    bool level_set, title_set;
    skep_str owner;           /* a user's name; empty = nobody */
    int64_t merged_into;      /* an item's id; 0 = it stands for itself */
    uint64_t total;           /* occurrences ever looked at */
    uint64_t since_activated; /* of them since it was new, or last reactivated */
    skep_ts_ns first_ns, last_ns;
    skep_row_id first_row, last_row, activating_row;
    skep_ts_ns activated_ns;          /* first seen, or when it was last active again */
    skep_ts_ns resolved_ns, muted_ns; /* 0 = never */
    skep_str resolved_in;             /* a version; empty = none was given */
    skep_str first_version, last_version;
    skep_ts_ns mute_until_ns;  /* 0 = no time */
    uint64_t mute_until_total; /* 0 = no number */
};

/* Rows of one fingerprint in one look, together. */
struct skep_item_sighting {
    skep_str environment, stage, fingerprint;
    skep_str title, type, culprit, dataset, framework; /* of the first of them */
    int level;
    skep_str version; /* of the last of them; empty = not said */
    uint64_t n;
    skep_ts_ns first_ns, last_ns;
    skep_row_id first_row, last_row;
};

enum skep_item_event { SKEP_ITEM_NEW = 1, SKEP_ITEM_REACTIVATED = 2, SKEP_ITEM_UNMUTED = 3 };
struct skep_item_change {
    enum skep_item_event event; /* 0 = it was seen again, nothing more */
    int64_t id;
    uint64_t total_before, total;
};

/* How many items an environment may have: SKEP_ITEMS_MAX, or the configuration's. */
uint64_t skep_state_items_limit(const struct skep_state *s);
/* How many it has. */
SKEP_NODISCARD skep_rc skep_state_items_number(struct skep_state *s, skep_str environment,
                                               uint64_t *ret, skep_err *err);

/* The row behind which the next look begins; {0, 0} at first. */
SKEP_NODISCARD skep_rc skep_state_items_cursor(struct skep_state *s, skep_row_id *ret,
                                               skep_err *err);

/* What a look at new rows saw. */
struct skep_item_twin; /* state/item_twins.h */
struct skep_items_look {
    const struct skep_item_sighting *sightings;
    size_t n;
    const struct skep_item_twin *twins; /* rows that are not among them: told of already */
    size_t n_twins;
    skep_row_id at;   /* the last row looked at */
    skep_row_id from; /* the first row whose twins may still come; seq 0 = as it was */
};

/* Enter what a look saw and move the cursor to `at`, together or not at all: no row is counted
 * twice.  ret[i] says what became of sightings[i]'s item (of the one it is merged into, if it is);
 * id 0: it was counted together with another one's of those that found no room, which says it.
 *
 * A resolved item is active again, unless it was resolved in a version and the sighting's is an
 * older one; a muted one when its time or number has come.
 *
 * now_ns   of changes in the history
 * Returns SKEP_OK | EIO | ENOSPC | ECORRUPT */
SKEP_NODISCARD skep_rc skep_state_items_see(struct skep_state *s,
                                            const struct skep_items_look *look, skep_ts_ns now_ns,
                                            struct skep_item_change *ret, skep_err *err);

/* Is version a before b?  Numbers compare as numbers ("1.9" before "1.10"), a part that is no
 * number is before one ("1.0-rc1" before "1.0").  What is no version of that kind (a commit's hash)
 * is never before another. */
bool skep_version_before(skep_str a, skep_str b);

/* By id or by counter (the other 0) of an environment.  SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_state_item_get(struct skep_state *s, skep_str environment, int64_t id,
                                           int64_t counter, struct skep_arena *arena,
                                           struct skep_item *ret, skep_err *err);
/* By what its rows say; the item itself, also when it is merged into another. */
SKEP_NODISCARD skep_rc skep_state_item_find(struct skep_state *s, skep_str environment,
                                            skep_str stage, skep_str fingerprint,
                                            struct skep_arena *arena, struct skep_item *ret,
                                            skep_err *err);

enum skep_item_order {
    SKEP_ITEMS_BY_LAST,
    SKEP_ITEMS_BY_FIRST,
    SKEP_ITEMS_BY_TOTAL,
    SKEP_ITEMS_BY_LEVEL
};
/* Conditions of a search. */
enum skep_item_column {
    SKEP_ITEM_WORDS, /* title, type, culprit, dataset together */
    SKEP_ITEM_TITLE,
    SKEP_ITEM_TYPE,
    SKEP_ITEM_CULPRIT,
    SKEP_ITEM_DATASET,
    SKEP_ITEM_FRAMEWORK,
    SKEP_ITEM_OWNER, /* these three are compared whole, */
    SKEP_ITEM_STAGE,
    SKEP_ITEM_FINGERPRINT,
    SKEP_ITEM_COLUMNS
};
struct skep_item_term {
    enum skep_item_column column;
    const skep_str *values; /* any of them, somewhere in the text; case does not matter */
    unsigned n_values;
    bool negative;
};
struct skep_item_query {
    skep_str environment;
    unsigned statuses;          /* bits 1 << enum skep_item_status; 0 = all */
    int level_min;              /* 0 = all */
    skep_str stage;             /* empty = all */
    skep_str owner;             /* empty = all; "-" = nobody's */
    skep_str words;             /* each of them in title, type, culprit or dataset; empty = all */
    skep_ts_ns seen_after_ns;   /* last seen then or later; 0 = all */
    int64_t members_of;         /* the items that are merged into this one; 0 = those that stand for
                                 * themselves */
    enum skep_item_order order; /* the newest, the most first; ties: the greater id */
    unsigned limit, offset;     /* limit 0 = 100, at most 5000 */
    unsigned levels;            /* bits 1 << level / 10; 0 = all */
    const skep_str *stages;     /* any of these, beside `stage`; n_stages 0 = all */
    size_t n_stages;
    const int64_t *ids; /* these alone; n_ids 0 = all */
    size_t n_ids;
    /* First seen from .. to; reactivated from .. to, and first seen before; _to 0 = whenever. */
    skep_ts_ns first_from_ns, first_to_ns, back_from_ns, back_to_ns;
    const int64_t *not_ids; /* none of these */
    size_t n_not_ids;
    const struct skep_item_term *terms; /* all of them */
    unsigned n_terms;
};
/* A page.  ret_counts[status]: how many there are of each, whatever statuses, limit and offset say;
 * NULL: nobody wants to know. */
SKEP_NODISCARD skep_rc skep_state_items_page(struct skep_state *s, const struct skep_item_query *q,
                                             struct skep_arena *arena, struct skep_item **ret,
                                             size_t *ret_n, uint64_t ret_counts[SKEP_ITEM_STATUSES],
                                             skep_err *err);
/* Of counts, those with a status that is asked for. */
uint64_t skep_item_counts_all(const struct skep_item_query *q,
                              const uint64_t counts[SKEP_ITEM_STATUSES]);
/* A page, and *ret_all: how many there are without limit and offset. */
SKEP_NODISCARD skep_rc skep_state_items(struct skep_state *s, const struct skep_item_query *q,
                                        struct skep_arena *arena, struct skep_item **ret,
                                        size_t *ret_n, uint64_t *ret_all, skep_err *err);

/* What somebody changes; members with `set_` false stay as they are. */
struct skep_item_patch {
    bool set_status, set_level, set_title, set_owner, set_resolved_in, set_mute;
    enum skep_item_status status;
    int level;
    skep_str title, owner, resolved_in;
    skep_ts_ns mute_until_ns;
    uint64_t mute_until_total; /* occurrences from now on */
};
/* Each change is a line of the item's history.  SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_state_item_patch(struct skep_state *s, skep_str environment, int64_t id,
                                             const struct skep_item_patch *p, skep_str actor,
                                             skep_ts_ns now_ns, skep_err *err);
/* Item `id`, and those merged into it, from now on count as `into`'s (0: it stands for itself
 * again).  SKEP_ENOTFOUND | SKEP_EINVAL (into itself; of two stages). */
SKEP_NODISCARD skep_rc skep_state_item_merge(struct skep_state *s, skep_str environment, int64_t id,
                                             int64_t into, skep_str actor, skep_ts_ns now_ns,
                                             skep_err *err);

struct skep_item_line {
    int64_t id; /* 0: that it was new */
    skep_ts_ns at_ns;
    skep_str actor; /* empty = skep itself */
    skep_str what;  /* "new" "status" "level" "title" "owner" "reactivated" "unmuted" "merged"
                     * "comment" */
    skep_str before, after;
};
/* A comment is a line of the history.  SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_state_item_comment(struct skep_state *s, skep_str environment,
                                               int64_t id, skep_str actor, skep_str text,
                                               skep_ts_ns now_ns, skep_err *err);
/* The newest first, at most 1000. */
SKEP_NODISCARD skep_rc skep_state_item_history(struct skep_state *s, int64_t id,
                                               struct skep_arena *arena,
                                               struct skep_item_line **ret, size_t *ret_n,
                                               skep_err *err);

/* --- deploys --- */

struct skep_deploy {
    int64_t id;
    skep_str environment, stage, revision, status, comment, user; /* status: started succeeded
                                                                   * failed timed_out */
    skep_ts_ns start_ns, finish_ns;                               /* finish 0 = it has not */
};
/* *ret_id of the new one. */
SKEP_NODISCARD skep_rc skep_state_deploy_put(struct skep_state *s, const struct skep_deploy *d,
                                             int64_t *ret_id, skep_err *err);
/* status and comment; empty ones stay.  SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_state_deploy_set(struct skep_state *s, skep_str environment, int64_t id,
                                             skep_str status, skep_str comment, skep_ts_ns now_ns,
                                             skep_err *err);
/* The deploy that ran what is said to have begun at at_ns in a stage: the last one before it of
 * that version (a revision, or the beginning of one: 7 digits at least), else the last one before
 * it. Those that failed ran nothing.  SKEP_ENOTFOUND. ret_by_version  may be NULL */
SKEP_NODISCARD skep_rc skep_state_deploy_before(struct skep_state *s, skep_str environment,
                                                skep_str stage, skep_str version, skep_ts_ns at_ns,
                                                struct skep_arena *arena, struct skep_deploy *ret,
                                                bool *ret_by_version, skep_err *err);
/* When the stage's next deploy began; INT64_MAX: there was none. */
SKEP_NODISCARD skep_rc skep_state_deploy_end(struct skep_state *s, const struct skep_deploy *d,
                                             skep_ts_ns *ret, skep_err *err);
/* Items that were first seen, and that came back, from a deploy's beginning up to end_ns. */
SKEP_NODISCARD skep_rc skep_state_deploy_counts(struct skep_state *s, const struct skep_deploy *d,
                                                skep_ts_ns end_ns, uint64_t *ret_new,
                                                uint64_t *ret_back, skep_err *err);
/* The newest first.  id not 0: that one alone.  stage may be empty. */
SKEP_NODISCARD skep_rc skep_state_deploys(struct skep_state *s, skep_str environment, int64_t id,
                                          skep_str stage, unsigned limit, unsigned offset,
                                          struct skep_arena *arena, struct skep_deploy **ret,
                                          size_t *ret_n, skep_err *err);
