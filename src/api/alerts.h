// SPDX-License-Identifier: Apache-2.0
/* Triggers and burn alerts as rules of the scheduler (src/watch): what it is given, asked and told.
 *
 *   alerts.c          rules of all environments; which question is whose
 *   alert_trigger.c   a trigger's question and threshold
 *   alert_burn.c      a burn alert's: budgets at two instants
 *   alert_tell.c      an evaluation -> messages for its recipients
 *   alert_cards.c     what programs of others, mails and channels show of it
 *   slo_counts.c      events that were good and all that count, of an SLO */
#pragma once

#include <yyjson.h>

#include "api/api_priv.h"
#include "state/objects.h"
#include "watch/slo.h"
#include "watch/watch.h"

struct skep_watch *skep_api__alerts_new(struct skep_api *api);

/* What an evaluation needs of an object: its JSON, parsed. */
struct skep_api__alert {
    struct skep_api *api;
    struct skep_object object;
    yyjson_doc *doc;
    yyjson_val *root;
    struct skep_run_opts opts; /* environment, arena, budget, cancellation */
    int64_t slot_ns;
};

/* Each asks its question and fills the answer; detail is JSON in the arena. */
SKEP_NODISCARD skep_rc skep_api__alert_trigger(struct skep_api__alert *a,
                                               struct skep_watch_answer *ret, skep_err *err);
SKEP_NODISCARD skep_rc skep_api__alert_burn(struct skep_api__alert *a,
                                            struct skep_watch_answer *ret, skep_err *err);
/* Fits skep_watch_config.tell. */
SKEP_NODISCARD skep_rc skep_api__alert_tell(void *api, const struct skep_evaluation *e,
                                            struct skep_arena *arena, skep_err *err);

/* A message of the form and kind ("trigger", "exhaustion_time", "budget_rate") that the recipient
 * would get, about an alert that nobody has; PagerDuty's incident is resolved right behind.
 *
 * ret_id   the message's id (notify/notify.h)
 * Returns  SKEP_OK | SKEP_EINVAL (no such kind) | as skep_notify_put */
SKEP_NODISCARD skep_rc skep_api__alert_test(struct skep_api__job *job,
                                            const struct skep_object *recipient, skep_str kind,
                                            char *ret_id, skep_err *err);

/* What is told of an alert, for readers elsewhere.  Texts are borrowed; what is made of them lives
 * in the arena. */
struct skep_api__card {
    struct skep_arena *arena;
    skep_str id;          /* of the alert: firing and resolving have the same */
    skep_str summary;     /* "Triggered: many errors" */
    skep_str sentence;    /* what was found */
    skep_str about;       /* as its maker describes it; may be empty */
    skep_str environment; /* slugs; dataset empty = all */
    skep_str dataset;
    skep_str at;  /* RFC 3339 */
    skep_str url; /* whole, or a path when nobody said what stands before it */
    bool triggered;
    yyjson_val *groups; /* that met it: [{group: [{key, value}], result}]; NULL = none */
};
skep_str skep_api__card_text(const struct skep_api__card *c);
skep_str skep_api__card_teams(const struct skep_api__card *c);
skep_str skep_api__card_pagerduty(const struct skep_api__card *c, skep_str routing_key,
                                  skep_str severity);

/* --- SLOs --- */

struct skep_api__slo {
    struct skep_object object;
    skep_str name, alias;
    skep_str expression; /* of a draft: what the alias stands for; empty = a derived column */
    uint32_t target_per_million;
    int64_t period_ns, reset_ns; /* reset 0 = never */
    const skep_str *datasets;    /* slugs; "__all__" alone = all */
    size_t n_datasets;
};
/* Read an SLO's object; SKEP_ECORRUPT when it is none. */
SKEP_NODISCARD skep_rc skep_api__slo_read(struct skep_arena *arena, const struct skep_object *o,
                                          struct skep_api__slo *ret, skep_err *err);
/* Counts of [start, end), weighted by sample rates. */
SKEP_NODISCARD skep_rc skep_api__slo_counts(struct skep_api *api, const struct skep_run_opts *opts,
                                            const struct skep_api__slo *slo, int64_t start_ns,
                                            int64_t end_ns, struct skep_slo_counts *ret,
                                            skep_err *err);
/* The same by steps: ret[n] of steps from start_ns, which is a multiple of step_ns; n of them. */
SKEP_NODISCARD skep_rc skep_api__slo_series(struct skep_api *api, const struct skep_run_opts *opts,
                                            const struct skep_api__slo *slo, int64_t start_ns,
                                            int64_t step_ns, struct skep_slo_counts *ret, size_t n,
                                            skep_err *err);
/* Counts of the period that ends at an instant: rolling, or since the reset when that is later. */
SKEP_NODISCARD skep_rc skep_api__slo_period(struct skep_api *api, const struct skep_run_opts *opts,
                                            const struct skep_api__slo *slo, int64_t at_ns,
                                            struct skep_slo_counts *ret, skep_err *err);
/* Answer with how the budget went over the period, in about so many steps. */
void skep_api__slo_answer_burn(struct skep_api__job *job, const struct skep_api__slo *slo,
                               size_t steps);
