// SPDX-License-Identifier: Apache-2.0
/* What the endpoints of errors share (page_items*.c, and the vendors' APIs that speak of items). */
#pragma once

#include "api/api_priv.h"
#include "inbox/inbox.h"

enum { SKEP_API_ITEM_SERIES = 30, SKEP_API_ITEM_STEPS_MAX = 168 };

/* What the rows of a range say of an item. */
struct skep_api__item_range {
    uint64_t count, users, hosts;
    uint64_t twins; /* reports of the same by another wire, not in count */
    uint64_t series[SKEP_API_ITEM_STEPS_MAX]; /* `steps` equal ones of the range */
};

/* Fill ret[i] for items[i], members of merged ones included, from the store.
 * steps  1 to SKEP_API_ITEM_STEPS_MAX
 * Returns as skep_query_aggregate. */
SKEP_NODISCARD skep_rc skep_api__items_range(struct skep_api__job *job,
                                             struct skep_time_range range, unsigned steps,
                                             const struct skep_item *items, size_t n,
                                             struct skep_api__item_range *ret, skep_err *err);

/* ret[0 .. steps - 1] become the numbers of reports of an item (members included) that are not
 * occurrences, because another wire told of the same: what counts rows takes them off. */
SKEP_NODISCARD skep_rc skep_api__item_twins(struct skep_api__job *job, const struct skep_item *item,
                                            struct skep_time_range range, unsigned steps,
                                            uint64_t *ret, skep_err *err);

/* Narrow a list by what somebody typed (lang/search.h).  Fields of occurrences are looked for in
 * the range; *ret_cut: more items have such occurrences than can be told here, those with the most
 * are listed.  false: refused. */
bool skep_api__items_search(struct skep_api__job *job, skep_str text, struct skep_time_range range,
                            struct skep_item_query *q, bool *ret_cut);

/* Wait, not for long, until what was acknowledged is in the items. */
void skep_api__items_wait(struct skep_api__job *job);
/* The exceptions of an occurrence; ret->n 0 = it tells of none.
 * row      with all its fields, SKEP_RAW_FIELD among them
 * symbols  of whose maps and debug files originals are filled in; NULL = frames as they came */
struct skep_stack;
void skep_api__stack_of(struct skep_arena *arena, skep_str environment, const struct skep_row *row,
                        struct skep_symbols *symbols, struct skep_stack *ret);
/* Members of a deploy's object. */
void skep_api__put_deploy(struct skep_json *j, const struct skep_deploy *d);
/* Narrow a question to what was new, or came back, while a deploy ran. */
SKEP_NODISCARD skep_rc skep_api__deploy_window(struct skep_api__job *job,
                                               const struct skep_deploy *d, bool back,
                                               struct skep_item_query *q, skep_err *err);
/* Member `also` of an occurrence: other wires' reports of it; nothing when there is none. */
void skep_api__put_other_reports(struct skep_api__job *job, struct skep_json *j, skep_row_id row);
/* Member `rule` of an occurrence that a rule about grouping held for; nothing when none did. */
void skep_api__put_grouping(struct skep_api__job *job, struct skep_json *j,
                            const struct skep_row *row);
/* "critical" ... of 50 40 30 20 10, and back. */
skep_str skep_api__item_level_name(int level);
SKEP_NODISCARD bool skep_api__item_level_parse(skep_str name, int *ret);
