// SPDX-License-Identifier: Apache-2.0
/* Root causes: from the entry down the one path that explains a fault, an error, or the time.
 *
 *   Services: api ------------------> auth ----------> users@db (inferred)
 *   entities: api, handler, POST      auth, query      users@db
 *
 * A service's entities are its segment and the subsegments the path goes through.  At each step the
 * path takes the child that failed (of several the one that ended last), or a subsegment that did
 * not but has one below it that did: not every tracer marks the work around a call that failed. For
 * response times it takes the longest, as long as that takes at least half of the entry's time.
 *
 * I1  A path has at least one service, each service at least one entity.
 *
 * Threads: none of its own.  Memory: the trace's arena. */
#include "api/xray_model.h"
#include "base/assert.h"

enum { NONE = -1 };

static const double dominant = 0.5;

double skep_xray_coverage(const struct skep_xray_trace *t, int32_t seg)
{
    if (t->entry == NONE)
        return 0;
    const struct skep_xray_seg *e = &t->segs[t->entry], *s = &t->segs[seg];
    double whole = (double)(e->end_ns - e->start_ns), part = (double)(s->end_ns - s->start_ns);
    if (whole <= 0)
        return seg == t->entry ? 1 : 0;
    return part / whole > 1 ? 1 : part / whole;
}

static bool failed(const struct skep_xray_seg *s, enum skep_xray_cause cause)
{
    return cause == SKEP_XRAY_CAUSE_FAULT ? s->fault : s->error;
}

struct search {
    const struct skep_xray_trace *t;
    enum skep_xray_cause cause;
    bool *below; /* [t->n]: something failed below it, in its service or called from it */
};

static void look_below(struct search *x)
{
    const struct skep_xray_trace *t = x->t;
    x->below = skep_new_n(t->arena, bool, (size_t)t->n + 1);
    for (int32_t i = t->n; i-- > 0;) { /* children stand behind their parents */
        const struct skep_xray_seg *s = &t->segs[i];
        bool through = s->part == SKEP_XRAY_SUBSEGMENT && x->below[i];
        if (s->parent != NONE && (failed(s, x->cause) || through))
            x->below[s->parent] = true;
    }
}

/* The child that the path goes on with; NONE = it ends here. */
static int32_t step(const struct search *x, int32_t at)
{
    int32_t best = NONE;
    const struct skep_xray_trace *t = x->t;
    enum skep_xray_cause cause = x->cause;
    for (int32_t c = t->segs[at].first_child; c != NONE; c = t->segs[c].next) {
        const struct skep_xray_seg *s = &t->segs[c];
        bool through = s->part == SKEP_XRAY_SUBSEGMENT && x->below[c];
        bool fits = cause == SKEP_XRAY_CAUSE_TIME ? skep_xray_coverage(t, c) >= dominant
                                                  : failed(s, cause) || through;
        if (!fits || s->in_progress)
            continue;
        const struct skep_xray_seg *b = best == NONE ? NULL : &t->segs[best];
        bool better =
            !b || (cause == SKEP_XRAY_CAUSE_TIME ? s->end_ns - s->start_ns > b->end_ns - b->start_ns
                                                 : s->end_ns > b->end_ns);
        /* An inferred segment repeats its call: a real child says more. */
        if (better || (b && b->part == SKEP_XRAY_INFERRED))
            best = c;
    }
    return best;
}

static void walk(const struct search *x, int32_t from, struct skep_xray_cause_path *p)
{
    int32_t n = 0, n_entities = 0;
    const struct skep_xray_trace *t = x->t;
    for (int32_t i = from; i != NONE; i = step(x, i))
        n++;
    *p = (struct skep_xray_cause_path){.segs = skep_new_n(t->arena, int32_t, (size_t)n),
                                       .entities = skep_new_n(t->arena, int32_t, (size_t)n),
                                       .first = skep_new_n(t->arena, int32_t, (size_t)n + 1)};
    for (int32_t i = from; i != NONE; i = step(x, i)) {
        if (t->segs[i].part != SKEP_XRAY_SUBSEGMENT) {
            p->first[p->n_segs] = n_entities;
            p->segs[p->n_segs++] = i;
        }
        p->entities[n_entities++] = i;
    }
    p->first[p->n_segs] = n_entities;
    p->client_impacting = t->entry != NONE && from == t->entry;
    skep_assert(p->n_segs > 0);
}

/* Does something above it, up to the entry, fail as well? */
static bool failed_above(const struct skep_xray_trace *t, int32_t i, enum skep_xray_cause cause)
{
    for (i = t->segs[i].parent; i != NONE; i = t->segs[i].parent)
        if (failed(&t->segs[i], cause))
            return true;
    return false;
}

void skep_xray_find_causes(const struct skep_xray_trace *t, enum skep_xray_cause cause,
                           struct skep_xray_causes *ret)
{
    *ret = (struct skep_xray_causes){
        .paths = skep_new_n(t->arena, struct skep_xray_cause_path, SKEP_XRAY_CAUSES_MAX)};
    struct search x = {.t = t, .cause = cause};
    look_below(&x);
    if (cause == SKEP_XRAY_CAUSE_TIME) {
        if (t->entry != NONE && step(&x, t->entry) != NONE)
            walk(&x, t->entry, &ret->paths[ret->n++]);
        return;
    }
    for (int32_t i = 0; i < t->n && ret->n < SKEP_XRAY_CAUSES_MAX; i++) {
        const struct skep_xray_seg *s = &t->segs[i];
        if (s->part == SKEP_XRAY_SEGMENT && failed(s, cause) && !failed_above(t, i, cause))
            walk(&x, i, &ret->paths[ret->n++]);
    }
}
