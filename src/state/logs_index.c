// SPDX-License-Identifier: Apache-2.0
/* Log groups and streams in memory: arrays, a hash over each, a chain of streams from each group.
 *
 *   by_group  (environment, name) -> groups[i] -> first_stream -> streams[j] -> next ...
 *   by_stream (group i, name)     -> streams[j]
 *
 * What goes leaves its place behind (GONE): the hashes cannot forget.  When half of the places are
 * such, all is made anew without them.  A group with a put under way never moves: its place is what
 * the put holds.
 *
 * I1  names_bytes is the sum of all owned texts.
 * I2  gone_* counts the places that are GONE.
 *
 * Threads: under mu.  Memory: bounded by SKEP_STATE_LOG_*. */
#include "state/logs_index.h"

#include "base/assert.h"
#include "base/mem.h"

enum { TIDY_MIN = 64 };

void skep_state__logs_init(struct skep_state__logs *l)
{
    skep_mutex_init(&l->mu, "log groups");
    skep_cond_init(&l->ended);
    skep_index_init(&l->by_group, 16);
    skep_index_init(&l->by_stream, 16);
}

static void free_text(struct skep_state__logs *l, skep_str *s)
{
    skep_assert(l->names_bytes >= s->n);
    l->names_bytes -= s->n;
    skep_free((char *)(uintptr_t)s->p);
    *s = SKEP_STR_NULL;
}

static skep_str own_text(struct skep_state__logs *l, skep_str s)
{
    char *p = skep_malloc(s.n + 1);
    memcpy(p, s.p ? s.p : "", s.n);
    l->names_bytes += s.n;
    return (skep_str){p, s.n};
}

void skep_state__logs_done(struct skep_state__logs *l)
{
    for (uint32_t i = 0; i < l->n_groups; i++) {
        free_text(l, &l->groups[i].environment);
        free_text(l, &l->groups[i].g.name);
    }
    for (uint32_t i = 0; i < l->n_streams; i++)
        free_text(l, &l->streams[i].name);
    skep_assert(l->names_bytes == 0); /* I1 */
    skep_free(l->groups);
    skep_free(l->streams);
    skep_index_done(&l->by_group);
    skep_index_done(&l->by_stream);
    skep_cond_done(&l->ended);
    skep_mutex_done(&l->mu);
}

static uint64_t group_hash(skep_str environment, skep_str name)
{
    return skep_hash_seed(skep_str_bytes(name), skep_hash(skep_str_bytes(environment)));
}

static uint64_t stream_hash(uint32_t group, skep_str name)
{
    return skep_hash_seed(skep_str_bytes(name), group);
}

struct skep_state__log_group *skep_state__logs_group(struct skep_state__logs *l,
                                                     skep_str environment, skep_str name)
{
    skep_assert_held(&l->mu);
    struct skep_index_it it = skep_index_begin(&l->by_group, group_hash(environment, name));
    for (uint32_t i; (i = skep_index_next(&l->by_group, &it)) != SKEP_INDEX_NONE;) {
        struct skep_state__log_group *g = &l->groups[i];
        if (g->life != SKEP_STATE__LOG_GONE && skep_str_eq(g->g.name, name) &&
            skep_str_eq(g->environment, environment))
            return g;
    }
    return NULL;
}

struct skep_state__log_stream *skep_state__logs_stream(struct skep_state__logs *l,
                                                       const struct skep_state__log_group *g,
                                                       skep_str name)
{
    skep_assert_held(&l->mu);
    uint32_t group = (uint32_t)(g - l->groups);
    struct skep_index_it it = skep_index_begin(&l->by_stream, stream_hash(group, name));
    for (uint32_t i; (i = skep_index_next(&l->by_stream, &it)) != SKEP_INDEX_NONE;) {
        struct skep_state__log_stream *st = &l->streams[i];
        if (st->life != SKEP_STATE__LOG_GONE && st->group == group && skep_str_eq(st->name, name))
            return st;
    }
    return NULL;
}

bool skep_state__logs_room(const struct skep_state__logs *l, size_t name_bytes, bool stream)
{
    uint32_t n = stream ? l->n_streams - l->gone_streams : l->n_groups - l->gone_groups;
    uint32_t max = stream ? SKEP_STATE_LOG_STREAMS_MAX : SKEP_STATE_LOG_GROUPS_MAX;
    return n < max && l->names_bytes + name_bytes <= SKEP_STATE_LOG_NAMES_BYTES;
}

// --- making anew -------------------------------------------------------------------------------

static bool any_put(const struct skep_state__logs *l)
{
    for (uint32_t i = 0; i < l->n_groups; i++)
        if (l->groups[i].puts)
            return true;
    return false;
}

/* Where each group goes; GONE ones nowhere. */
static uint32_t *move_groups(struct skep_state__logs *l)
{
    uint32_t n = 0;
    uint32_t *to = skep_alloc_n(uint32_t, l->n_groups + 1);
    for (uint32_t i = 0; i < l->n_groups; i++) {
        to[i] = l->groups[i].life == SKEP_STATE__LOG_GONE ? SKEP_INDEX_NONE : n;
        if (to[i] == SKEP_INDEX_NONE)
            continue;
        l->groups[n] = l->groups[i];
        l->groups[n].first_stream = SKEP_INDEX_NONE;
        skep_index_add(&l->by_group, group_hash(l->groups[n].environment, l->groups[n].g.name), n);
        n++;
    }
    l->n_groups = n;
    l->gone_groups = 0;
    return to;
}

static void link_stream(struct skep_state__logs *l, uint32_t i)
{
    struct skep_state__log_stream *st = &l->streams[i];
    st->next = l->groups[st->group].first_stream;
    l->groups[st->group].first_stream = i;
    skep_index_add(&l->by_stream, stream_hash(st->group, st->name), i);
}

void skep_state__logs_tidy(struct skep_state__logs *l)
{
    skep_assert_held(&l->mu);
    uint32_t gone = l->gone_groups + l->gone_streams, n = 0;
    if (gone < TIDY_MIN || gone < (l->n_groups + l->n_streams) / 2 || any_put(l))
        return;
    skep_index_clear(&l->by_group);
    skep_index_clear(&l->by_stream);
    uint32_t *to = move_groups(l);
    for (uint32_t i = 0; i < l->n_streams; i++) {
        if (l->streams[i].life == SKEP_STATE__LOG_GONE)
            continue;
        l->streams[n] = l->streams[i];
        l->streams[n].group = to[l->streams[n].group];
        link_stream(l, n++);
    }
    l->n_streams = n;
    l->gone_streams = 0;
    skep_free(to);
}

// --- coming and going --------------------------------------------------------------------------

void skep_state__logs_add_group(struct skep_state__logs *l, skep_str environment,
                                const struct skep_state_log_group *g)
{
    skep_assert_held(&l->mu);
    skep_assert(skep_state__logs_group(l, environment, g->name) == NULL);
    SKEP_GROW(l->groups, l->n_groups, l->cap_groups);
    struct skep_state__log_group *to = &l->groups[l->n_groups];
    *to = (struct skep_state__log_group){.g = *g, .first_stream = SKEP_INDEX_NONE};
    to->environment = own_text(l, environment);
    to->g.name = own_text(l, g->name);
    skep_index_add(&l->by_group, group_hash(environment, g->name), l->n_groups++);
}

void skep_state__logs_add_stream(struct skep_state__logs *l, struct skep_state__log_group *g,
                                 skep_str name, skep_ts_ns created_ns)
{
    skep_assert_held(&l->mu);
    skep_assert(skep_state__logs_stream(l, g, name) == NULL);
    SKEP_GROW(l->streams, l->n_streams, l->cap_streams);
    l->streams[l->n_streams] = (struct skep_state__log_stream){
        .group = (uint32_t)(g - l->groups), .name = own_text(l, name), .created_ns = created_ns};
    link_stream(l, l->n_streams++);
}

void skep_state__logs_forget_stream(struct skep_state__logs *l, struct skep_state__log_stream *st)
{
    skep_assert_held(&l->mu);
    skep_assert(st->life != SKEP_STATE__LOG_GONE);
    uint32_t *at = &l->groups[st->group].first_stream, i = (uint32_t)(st - l->streams);
    while (*at != i)
        at = &l->streams[*at].next;
    *at = st->next;
    free_text(l, &st->name);
    st->life = SKEP_STATE__LOG_GONE;
    l->gone_streams++;
}

void skep_state__logs_forget_group(struct skep_state__logs *l, struct skep_state__log_group *g)
{
    skep_assert_held(&l->mu);
    skep_assert(g->puts == 0);
    while (g->first_stream != SKEP_INDEX_NONE)
        skep_state__logs_forget_stream(l, &l->streams[g->first_stream]);
    free_text(l, &g->environment);
    free_text(l, &g->g.name);
    g->life = SKEP_STATE__LOG_GONE;
    l->gone_groups++;
}
