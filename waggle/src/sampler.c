// SPDX-License-Identifier: Apache-2.0
/*
 * sampler.c - the built-in samplers: on, off, a ratio of traces, as the parent was
 *
 * The ratio is a threshold (threshold.c) of the low 7 bytes of the trace id, which W3C level 2
 * calls random: a trace sampled at a lower ratio is sampled at every higher one, in every process.
 *
 * Threads: stateless once made.
 */
#include "threshold.h"

#include <stdio.h>
#include <stdlib.h>

/* --- on and off ---------------------------------------------------------------------------- */

static void sample_on(struct waggle_sampler *s, const waggle_sampling_params *params,
                      waggle_sampling *ret_sampling)
{
    (void)s;
    (void)params;
    ret_sampling->decision = WAGGLE_RECORD_AND_SAMPLE;
}

static void sample_off(struct waggle_sampler *s, const waggle_sampling_params *params,
                       waggle_sampling *ret_sampling)
{
    (void)s;
    (void)params;
    ret_sampling->decision = WAGGLE_DROP;
}

static const char *on_description(struct waggle_sampler *s)
{
    (void)s;
    return "AlwaysOnSampler";
}

static const char *off_description(struct waggle_sampler *s)
{
    (void)s;
    return "AlwaysOffSampler";
}

static const struct waggle_sampler_ops on_ops = {
    .struct_size = sizeof on_ops, .sample = sample_on, .description = on_description};
static const struct waggle_sampler_ops off_ops = {
    .struct_size = sizeof off_ops, .sample = sample_off, .description = off_description};
static struct waggle_sampler always_on = {&on_ops};
static struct waggle_sampler always_off = {&off_ops};

struct waggle_sampler *waggle_sampler_always_on(void)
{
    return &always_on;
}

struct waggle_sampler *waggle_sampler_always_off(void)
{
    return &always_off;
}

/* --- ratio --------------------------------------------------------------------------------- */

struct ratio {
    struct waggle_sampler base;
    uint64_t threshold;
    char state[WAGGLE__TH_BYTES];
    char text[48];
};

static void sample_ratio(struct waggle_sampler *s, const waggle_sampling_params *params,
                         waggle_sampling *ret_sampling)
{
    const struct ratio *r = (const struct ratio *)s;
    waggle__threshold_decide(params, r->threshold, true, r->state, ret_sampling);
}

static const char *ratio_description(struct waggle_sampler *s)
{
    return ((const struct ratio *)s)->text;
}

static void sampler_free(struct waggle_sampler *s)
{
    free(s);
}

static const struct waggle_sampler_ops ratio_ops = {.struct_size = sizeof ratio_ops,
                                                    .sample = sample_ratio,
                                                    .description = ratio_description,
                                                    .free = sampler_free};

struct waggle_sampler *waggle_sampler_ratio_new(double ratio)
{
    struct ratio *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    double clamped = ratio > 0 ? (ratio < 1 ? ratio : 1) : 0; // NaN is 0, too
    r->base.ops = &ratio_ops;
    r->threshold = waggle__threshold_of(ratio);
    waggle__threshold_text(r->threshold, r->state);
    (void)snprintf(r->text, sizeof r->text, "TraceIdRatioBased{%.6f}", clamped); // always fits
    char *comma = strchr(r->text, ','); // another locale's decimal point
    if (comma != NULL)
        *comma = '.';
    return &r->base;
}

/* --- parent-based -------------------------------------------------------------------------- */

enum { ROOT, REMOTE_SAMPLED, REMOTE_UNSAMPLED, LOCAL_SAMPLED, LOCAL_UNSAMPLED, N_OF_PARENT };

struct parent_based {
    struct waggle_sampler base;
    struct waggle_sampler *of[N_OF_PARENT];
    char text[512];
};

static void sample_parent(struct waggle_sampler *s, const waggle_sampling_params *params,
                          waggle_sampling *ret_sampling)
{
    const struct parent_based *p = (const struct parent_based *)s;
    unsigned which = ROOT;
    if (params->parent != NULL) {
        bool sampled = (params->parent->flags & WAGGLE_FLAG_SAMPLED) != 0;
        which = params->parent->is_remote ? (sampled ? REMOTE_SAMPLED : REMOTE_UNSAMPLED)
                                          : (sampled ? LOCAL_SAMPLED : LOCAL_UNSAMPLED);
    }
    p->of[which]->ops->sample(p->of[which], params, ret_sampling);
}

static const char *parent_description(struct waggle_sampler *s)
{
    return ((const struct parent_based *)s)->text;
}

static void free_one(struct waggle_sampler *s)
{
    if (s != NULL && s->ops->free != NULL)
        s->ops->free(s);
}

static void parent_free(struct waggle_sampler *s)
{
    struct parent_based *p = (struct parent_based *)s;
    for (size_t i = 0; i < N_OF_PARENT; i++)
        free_one(p->of[i]);
    free(p);
}

static void parent_after_fork(struct waggle_sampler *s)
{
    const struct parent_based *p = (const struct parent_based *)s;
    for (size_t i = 0; i < N_OF_PARENT; i++)
        waggle__sampler_after_fork(p->of[i]);
}

void waggle__sampler_after_fork(struct waggle_sampler *sampler)
{
    size_t known = offsetof(struct waggle_sampler_ops, after_fork);
    if (sampler->ops->struct_size > known && sampler->ops->after_fork != NULL)
        sampler->ops->after_fork(sampler);
}

static const struct waggle_sampler_ops parent_ops = {.struct_size = sizeof parent_ops,
                                                     .sample = sample_parent,
                                                     .description = parent_description,
                                                     .free = parent_free,
                                                     .after_fork = parent_after_fork};

static const char *describe(struct waggle_sampler *s)
{
    return s->ops->description != NULL ? s->ops->description(s) : "custom";
}

struct waggle_sampler *waggle_sampler_parent_based_new(struct waggle_sampler *root,
                                                       struct waggle_sampler *remote_sampled,
                                                       struct waggle_sampler *remote_unsampled,
                                                       struct waggle_sampler *local_sampled,
                                                       struct waggle_sampler *local_unsampled)
{
    struct parent_based *p = calloc(1, sizeof *p);
    if (p == NULL) {
        struct waggle_sampler *given[] = {root, remote_sampled, remote_unsampled, local_sampled,
                                          local_unsampled};
        for (size_t i = 0; i < WAGGLE__COUNT(given); i++)
            free_one(given[i]);
        return NULL;
    }
    p->base.ops = &parent_ops;
    p->of[ROOT] = root ? root : &always_on;
    p->of[REMOTE_SAMPLED] = remote_sampled ? remote_sampled : &always_on;
    p->of[REMOTE_UNSAMPLED] = remote_unsampled ? remote_unsampled : &always_off;
    p->of[LOCAL_SAMPLED] = local_sampled ? local_sampled : &always_on;
    p->of[LOCAL_UNSAMPLED] = local_unsampled ? local_unsampled : &always_off;
    (void)snprintf(p->text, sizeof p->text, // cut is fine
                   "ParentBased{root:%s,remoteParentSampled:%s,remoteParentNotSampled:%s,"
                   "localParentSampled:%s,localParentNotSampled:%s}",
                   describe(p->of[ROOT]), describe(p->of[REMOTE_SAMPLED]),
                   describe(p->of[REMOTE_UNSAMPLED]), describe(p->of[LOCAL_SAMPLED]),
                   describe(p->of[LOCAL_UNSAMPLED]));
    return &p->base;
}
