// SPDX-License-Identifier: Apache-2.0
/* Does an assembled trace satisfy a filter expression?  The whole meaning; src/lang/xray_plan.c
 * only narrows what is looked at.
 *
 *   at the top       the entry segment; throttle, user, annotation, the resource's keywords: any
 *                    segment; duration: the whole trace
 *   service() { }    one segment (or inferred one) of the node passes all of it; annotation and
 *                    user also of its subsegments
 *   edge() { }       one call passes all of it, with the caller's numbers
 *   rootcause { }    one service, entity or exception of a root cause passes all of it
 *
 * I1  "!=" is exactly the contrary of "=", also of what is absent.
 *
 * Recursion: as deep as the expression.  Threads: none of its own. */
#include "api/xray_model.h"

#include "api/api_priv.h"
#include "base/assert.h"

enum { NONE = -1 };

/* What the keywords at hand are about. */
enum about { TRACE, SERVICE, EDGE, CAUSE };

struct scope {
    const struct skep_xray_trace *t;
    enum about about;
    int32_t seg;  /* TRACE: the entry; SERVICE: the segment; EDGE: the call; CAUSE: the entity */
    int32_t node; /* SERVICE: its node; EDGE: the one called */
    /* CAUSE */
    enum skep_xray_level level;
    const struct skep_row *exception;
    int32_t index, count; /* position in its list */
};

static bool eval(const struct scope *sc, const struct skep_xray_expr *e);

static const struct skep_xray_seg *seg_of(const struct scope *sc)
{
    return sc->seg == NONE ? NULL : &sc->t->segs[sc->seg];
}

// --- values ------------------------------------------------------------------------------------

static bool number_passes(const struct skep_xray_expr *e, bool there, double v)
{
    double w = e->value.f;
    if (!there)
        return e->cmp == SKEP_XRAY_NE;
    switch ((int)e->cmp) {
    case SKEP_XRAY_EQ: return v >= w && v <= w;
    case SKEP_XRAY_NE: return v < w || v > w;
    case SKEP_XRAY_LT: return v < w;
    case SKEP_XRAY_LE: return v <= w;
    case SKEP_XRAY_GT: return v > w;
    case SKEP_XRAY_GE: return v >= w;
    default: return true; /* it is there */
    }
}

static bool text_passes(const struct skep_xray_expr *e, bool there, skep_str v)
{
    if (!there)
        return e->cmp == SKEP_XRAY_NE;
    switch ((int)e->cmp) {
    case SKEP_XRAY_EQ: return skep_str_eq(v, e->value.s);
    case SKEP_XRAY_NE: return !skep_str_eq(v, e->value.s);
    case SKEP_XRAY_CONTAINS: return skep_str_find(v, e->value.s) != SIZE_MAX;
    case SKEP_XRAY_BEGINS: return skep_str_starts(v, e->value.s);
    case SKEP_XRAY_ENDS: return skep_str_ends(v, e->value.s);
    default: return true;
    }
}

static bool bool_passes(const struct skep_xray_expr *e, bool v)
{
    if (e->cmp == SKEP_XRAY_IS)
        return v;
    return (v == e->value.b) == (e->cmp == SKEP_XRAY_EQ);
}

/* The positive form; != is its contrary where it is asked. */
static bool annotation_passes(const struct skep_xray_expr *e, const skep_value *v)
{
    struct skep_xray_expr as = *e;
    bool number = v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE;
    double f = v->type == SKEP_TYPE_INT ? (double)v->i : v->f;
    if (v->type == SKEP_TYPE_NULL)
        return false;
    if (e->cmp == SKEP_XRAY_IS)
        return true;
    if (e->cmp != SKEP_XRAY_EQ && e->cmp != SKEP_XRAY_NE) {
        if (e->value.type == SKEP_TYPE_DOUBLE)
            return number && number_passes(e, true, f);
        return v->type == SKEP_TYPE_STRING && text_passes(e, true, v->s);
    }
    as.cmp = SKEP_XRAY_EQ;
    for (unsigned i = 0; i < e->n_forms; i++) {
        as.value = e->forms[i];
        if ((as.value.type == SKEP_TYPE_DOUBLE && number && number_passes(&as, true, f)) ||
            (as.value.type == SKEP_TYPE_STRING && v->type == SKEP_TYPE_STRING &&
             text_passes(&as, true, v->s)) ||
            (as.value.type == SKEP_TYPE_BOOL && v->type == SKEP_TYPE_BOOL && v->b == as.value.b))
            return true;
    }
    return false;
}

// --- what a segment says -----------------------------------------------------------------------

/* The positive form of a text keyword of one row. */
static bool row_text_passes(const struct scope *sc, const struct skep_xray_expr *e,
                            const struct skep_row *row)
{
    struct skep_arena *a = sc->t->arena;
    struct skep_xray_expr yes = *e;
    skep_str s = SKEP_STR_NULL;
    if (yes.cmp == SKEP_XRAY_NE)
        yes.cmp = SKEP_XRAY_EQ;
    switch ((int)e->keyword) {
    case SKEP_XRAY_KW_ANNOTATION: {
        skep_value v = skep_xray_annotation(a, row, e->key);
        return annotation_passes(&yes, &v);
    }
    case SKEP_XRAY_KW_USER: s = skep_xray_text(a, row, SKEP_STR("enduser.id")); break;
    case SKEP_XRAY_KW_AVAILABILITYZONE:
        s = skep_xray_text(a, row, SKEP_STR("cloud.availability_zone"));
        break;
    case SKEP_XRAY_KW_INSTANCE_ID: s = skep_xray_text(a, row, SKEP_STR("host.id")); break;
    case SKEP_XRAY_KW_RESOURCE_ARN:
        s = skep_xray_text(a, row, SKEP_STR("aws.xray.resource_arn"));
        s = s.p ? s : skep_xray_text(a, row, SKEP_STR("cloud.resource_id"));
        break;
    case SKEP_XRAY_KW_ACCOUNT_ID: s = skep_xray_account(a, row); break;
    default: skep_assert(false);
    }
    return text_passes(&yes, s.p != NULL, s);
}

/* Some segment of the trace passes; with `deep` a subsegment will do. */
static bool some_seg(const struct scope *sc, const struct skep_xray_expr *e, bool deep)
{
    for (int32_t i = 0; i < sc->t->n; i++) {
        const struct skep_xray_seg *s = &sc->t->segs[i];
        bool fits = deep || s->part != SKEP_XRAY_SUBSEGMENT;
        if (fits && row_text_passes(sc, e, s->row))
            return true;
    }
    return false;
}

/* The segment passes, or with `deep` one of its subsegments. */
static bool own_seg(const struct scope *sc, const struct skep_xray_expr *e, bool deep)
{
    int32_t i = sc->seg;
    do
        if (row_text_passes(sc, e, sc->t->segs[i].row))
            return true;
    while (deep && (i = skep_xray_next(sc->t, sc->seg, i)) != NONE);
    return false;
}

static bool http_passes(const struct scope *sc, const struct skep_xray_expr *e)
{
    struct skep_xray_http h = {.status = -1};
    const struct skep_xray_seg *s = seg_of(sc);
    if (s)
        (void)skep_xray_http(sc->t->arena, s->row, &h);
    if (e->keyword == SKEP_XRAY_KW_HTTP_STATUS)
        return number_passes(e, h.status >= 0, (double)h.status);
    skep_str v = e->keyword == SKEP_XRAY_KW_HTTP_URL        ? h.url
                 : e->keyword == SKEP_XRAY_KW_HTTP_METHOD   ? h.method
                 : e->keyword == SKEP_XRAY_KW_HTTP_CLIENTIP ? h.client_ip
                                                            : h.user_agent;
    return text_passes(e, v.p != NULL, v);
}

static bool flag_of(const struct scope *sc, enum skep_xray_keyword k)
{
    const struct skep_xray_trace *t = sc->t;
    const struct skep_xray_seg *s = seg_of(sc);
    bool top = sc->about == TRACE;
    switch ((int)k) {
    case SKEP_XRAY_KW_OK: return s && !s->fault && !s->error && !s->throttle;
    case SKEP_XRAY_KW_ERROR: return s && s->error;
    case SKEP_XRAY_KW_FAULT: return s && s->fault;
    case SKEP_XRAY_KW_ROOT: return s && sc->seg == t->entry;
    default: break;
    }
    for (int32_t i = 0; top && i < t->n; i++) { /* of any segment */
        const struct skep_xray_seg *x = &t->segs[i];
        if ((k == SKEP_XRAY_KW_THROTTLE && x->part != SKEP_XRAY_SUBSEGMENT && x->throttle) ||
            (k == SKEP_XRAY_KW_PARTIAL && x->in_progress) ||
            (k == SKEP_XRAY_KW_INFERRED && x->part == SKEP_XRAY_INFERRED))
            return true;
    }
    if (top || !s)
        return false;
    if (k == SKEP_XRAY_KW_INFERRED)
        return sc->node != NONE && t->nodes[sc->node].inferred;
    return k == SKEP_XRAY_KW_THROTTLE ? s->throttle : s->in_progress;
}

static bool time_passes(const struct scope *sc, const struct skep_xray_expr *e)
{
    const struct skep_xray_seg *s = seg_of(sc);
    struct skep_xray_expr ms = *e;
    ms.value.f = e->value.f * 1e3; /* as the plan compares it */
    if (sc->about == TRACE && e->keyword == SKEP_XRAY_KW_DURATION)
        return number_passes(&ms, true, (double)(sc->t->end_ns - sc->t->start_ns) / 1e6);
    bool there = s && s->row->duration_ns >= 0;
    return number_passes(&ms, there, there ? (double)s->row->duration_ns / 1e6 : 0);
}

static const struct skep_xray_node *node_of(const struct scope *sc)
{
    int32_t n =
        sc->about == TRACE ? (sc->seg == NONE ? NONE : sc->t->segs[sc->seg].node) : sc->node;
    return n == NONE ? NULL : &sc->t->nodes[n];
}

static bool name_passes(const struct scope *sc, const struct skep_xray_expr *e)
{
    const struct skep_xray_node *n = node_of(sc);
    if (!n)
        return e->cmp == SKEP_XRAY_NE;
    if (e->keyword == SKEP_XRAY_KW_TYPE)
        return text_passes(e, n->type.n > 0, n->type);
    if (e->cmp != SKEP_XRAY_NE && n->other_name.n && text_passes(e, true, n->other_name))
        return true;
    return text_passes(e, true, n->name);
}

static bool cause_passes(const struct scope *sc, const struct skep_xray_expr *e)
{
    const struct skep_xray_trace *t = sc->t;
    const struct skep_xray_seg *s = &t->segs[sc->seg];
    struct skep_arena *a = t->arena;
    switch ((int)e->keyword) {
    case SKEP_XRAY_KW_FIRST: return bool_passes(e, sc->index == 0);
    case SKEP_XRAY_KW_LAST: return bool_passes(e, sc->index + 1 == sc->count);
    case SKEP_XRAY_KW_INDEX: return number_passes(e, true, sc->index);
    case SKEP_XRAY_KW_REMOTE: return bool_passes(e, s->remote);
    case SKEP_XRAY_KW_COVERAGE: return number_passes(e, true, skep_xray_coverage(t, sc->seg));
    case SKEP_XRAY_KW_INFERRED: return bool_passes(e, s->part == SKEP_XRAY_INFERRED);
    case SKEP_XRAY_KW_MESSAGE: {
        skep_str m = skep_xray_text(a, sc->exception, SKEP_STR("exception.message"));
        return text_passes(e, m.n > 0, m);
    }
    case SKEP_XRAY_KW_NAME:
        if (sc->level == SKEP_XRAY_LEVEL_EXCEPTION)
            return text_passes(e, true,
                               skep_xray_text(a, sc->exception, SKEP_STR("exception.type")));
        if (sc->level == SKEP_XRAY_LEVEL_ENTITY)
            return text_passes(e, true, s->name);
        return name_passes(sc, e);
    case SKEP_XRAY_KW_TYPE: return name_passes(sc, e);
    default: { /* account.id */
        const struct skep_xray_node *n = node_of(sc);
        return text_passes(e, n && n->account.n > 0, n ? n->account : SKEP_STR_NULL);
    }
    }
}

static bool test_passes(const struct scope *sc, const struct skep_xray_expr *e)
{
    if (sc->about == CAUSE)
        return cause_passes(sc, e);
    switch ((int)e->keyword) {
    case SKEP_XRAY_KW_OK:
    case SKEP_XRAY_KW_ERROR:
    case SKEP_XRAY_KW_FAULT:
    case SKEP_XRAY_KW_THROTTLE:
    case SKEP_XRAY_KW_PARTIAL:
    case SKEP_XRAY_KW_INFERRED:
    case SKEP_XRAY_KW_ROOT: return bool_passes(e, flag_of(sc, e->keyword));
    case SKEP_XRAY_KW_RESPONSETIME:
    case SKEP_XRAY_KW_DURATION: return time_passes(sc, e);
    case SKEP_XRAY_KW_HTTP_STATUS:
    case SKEP_XRAY_KW_HTTP_URL:
    case SKEP_XRAY_KW_HTTP_METHOD:
    case SKEP_XRAY_KW_HTTP_USERAGENT:
    case SKEP_XRAY_KW_HTTP_CLIENTIP: return http_passes(sc, e);
    case SKEP_XRAY_KW_NAME:
    case SKEP_XRAY_KW_TYPE: return name_passes(sc, e);
    default: break;
    }
    /* Texts that any segment, or the segment with its subsegments, may say. */
    bool deep = e->keyword == SKEP_XRAY_KW_ANNOTATION || e->keyword == SKEP_XRAY_KW_USER;
    bool yes = sc->about == EDGE      ? row_text_passes(sc, e, sc->t->segs[sc->seg].row)
               : sc->about == SERVICE ? own_seg(sc, e, deep)
                                      : some_seg(sc, e, deep);
    return e->cmp == SKEP_XRAY_NE ? !yes : yes;
}

// --- functions ---------------------------------------------------------------------------------

bool skep_xray_ref_matches(const struct skep_xray_node *n, const struct skep_xray_ref *ref)
{
    bool name = !ref->has_name || skep_str_eq(n->name, ref->name) ||
                (n->other_name.n && skep_str_eq(n->other_name, ref->name));
    return name && (!ref->has_type || skep_str_eq(n->type, ref->type)) &&
           (!ref->has_account || skep_str_eq(n->account, ref->account));
}

static bool services_pass(const struct scope *sc, const struct skep_xray_expr *e)
{
    const struct skep_xray_trace *t = sc->t;
    for (int32_t i = 0; i < t->n_edges; i++) { /* the client before the trace is a service, too */
        const struct skep_xray_node *n = &t->nodes[t->edges[i].from];
        if (n->client && e->refs[0].has_type && !e->kids[0] &&
            skep_xray_ref_matches(n, &e->refs[0]))
            return true;
    }
    for (int32_t i = 0; i < t->n; i++) {
        const struct skep_xray_seg *s = &t->segs[i];
        if (s->part == SKEP_XRAY_SUBSEGMENT ||
            !skep_xray_ref_matches(&t->nodes[s->node], &e->refs[0]))
            continue;
        struct scope in = {.t = t, .about = SERVICE, .seg = i, .node = s->node};
        if (!e->kids[0] || eval(&in, e->kids[0]))
            return true;
    }
    return false;
}

static bool edges_pass(const struct scope *sc, const struct skep_xray_expr *e)
{
    const struct skep_xray_trace *t = sc->t;
    for (int32_t i = 0; i < t->n_edges; i++) {
        const struct skep_xray_edge *x = &t->edges[i];
        if (!skep_xray_ref_matches(&t->nodes[x->from], &e->refs[0]) ||
            !skep_xray_ref_matches(&t->nodes[x->to], &e->refs[1]))
            continue;
        struct scope in = {.t = t, .about = EDGE, .seg = x->call, .node = x->to};
        if (!e->kids[0] || eval(&in, e->kids[0]))
            return true;
    }
    return false;
}

static bool exceptions_pass(const struct scope *sc, const struct skep_xray_expr *e)
{
    const struct skep_xray_trace *t = sc->t;
    int32_t n = 0, i = 0;
    for (int32_t x = t->segs[sc->seg].first_event; x != NONE; x = t->events[x].next)
        n++;
    for (int32_t x = t->segs[sc->seg].first_event; x != NONE; x = t->events[x].next) {
        struct scope in = *sc;
        in.exception = t->events[x].row;
        in.index = i++;
        in.count = n;
        if (!e->kids[0] || eval(&in, e->kids[0]))
            return true;
    }
    return false;
}

static bool path_passes(const struct scope *sc, const struct skep_xray_expr *e,
                        const struct skep_xray_cause_path *p)
{
    for (int32_t v = 0; v < p->n_segs; v++) {
        int32_t from = p->first[v], to = p->first[v + 1];
        struct scope in = {.t = sc->t,
                           .about = CAUSE,
                           .level = e->level,
                           .seg = p->segs[v],
                           .node = sc->t->segs[p->segs[v]].node,
                           .index = v,
                           .count = p->n_segs};
        if (e->level == SKEP_XRAY_LEVEL_SERVICE) {
            if (!e->kids[0] || eval(&in, e->kids[0]))
                return true;
            continue;
        }
        for (int32_t k = from; k < to; k++) {
            in.seg = p->entities[k];
            in.index = k; /* over all services: "last" is where it happened */
            in.count = p->first[p->n_segs];
            bool yes = e->level == SKEP_XRAY_LEVEL_EXCEPTION ? exceptions_pass(&in, e)
                                                             : !e->kids[0] || eval(&in, e->kids[0]);
            if (yes)
                return true;
        }
    }
    return false;
}

static bool causes_pass(const struct scope *sc, const struct skep_xray_expr *e)
{
    struct skep_xray_causes causes;
    skep_xray_find_causes(sc->t, e->cause, &causes);
    for (int32_t i = 0; i < causes.n; i++)
        if (path_passes(sc, e, &causes.paths[i]))
            return true;
    return false;
}

// --- rootcause.json ----------------------------------------------------------------------------

static bool says(yyjson_val *obj, const char *key, skep_str v)
{
    yyjson_val *want = yyjson_obj_get(obj, key);
    return !want || (yyjson_is_str(want) &&
                     skep_str_eq((skep_str){yyjson_get_str(want), yyjson_get_len(want)}, v));
}

static bool says_bool(yyjson_val *obj, const char *key, bool v)
{
    yyjson_val *want = yyjson_obj_get(obj, key);
    return !want || (yyjson_is_bool(want) && yyjson_get_bool(want) == v);
}

static bool entities_are(const struct skep_xray_trace *t, const struct skep_xray_cause_path *p,
                         int32_t service, yyjson_val *want)
{
    size_t i, max;
    yyjson_val *item;
    int32_t from = p->first[service], n = p->first[service + 1] - from;
    if (!want)
        return true;
    if (!yyjson_is_arr(want) || yyjson_arr_size(want) != (size_t)n)
        return false;
    yyjson_arr_foreach(want, i, max, item)
    {
        int32_t seg = p->entities[from + (int32_t)i];
        const struct skep_xray_seg *s = &t->segs[seg];
        yyjson_val *coverage = yyjson_obj_get(item, "Coverage");
        double c = skep_xray_coverage(t, seg) - yyjson_get_num(coverage);
        if (!says(item, "Name", s->name) || !says_bool(item, "Remote", s->remote) ||
            (coverage && (c > 0.0005 || c < -0.0005))) /* three digits are shown */
            return false;
    }
    return true;
}

static bool path_is(const struct skep_xray_trace *t, const struct skep_xray_cause_path *p,
                    yyjson_val *want)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_val *services = yyjson_obj_get(want, "Services");
    if (!yyjson_is_obj(want) || !says_bool(want, "ClientImpacting", p->client_impacting))
        return false;
    if (!services)
        return true;
    if (!yyjson_is_arr(services) || yyjson_arr_size(services) != (size_t)p->n_segs)
        return false;
    yyjson_arr_foreach(services, i, max, item)
    {
        const struct skep_xray_seg *s = &t->segs[p->segs[i]];
        const struct skep_xray_node *n = &t->nodes[s->node];
        if (!yyjson_is_obj(item) || !says(item, "Name", n->name) || !says(item, "Type", n->type) ||
            !says(item, "AccountId", n->account) ||
            !says_bool(item, "Inferred", s->part == SKEP_XRAY_INFERRED) ||
            !entities_are(t, p, (int32_t)i, yyjson_obj_get(item, "EntityPath")))
            return false;
    }
    return true;
}

/* Each root cause of the list is one of the trace's. */
static bool listed_in(const struct skep_xray_trace *t, enum skep_xray_cause cause, yyjson_val *list)
{
    size_t i, max, found = 0;
    yyjson_val *item;
    struct skep_xray_causes causes;
    skep_xray_find_causes(t, cause, &causes);
    yyjson_arr_foreach(list, i, max, item)
    {
        for (int32_t k = 0; k < causes.n; k++) {
            if (path_is(t, &causes.paths[k], item)) {
                found++;
                break;
            }
        }
    }
    return max > 0 && found == max;
}

static bool json_passes(const struct scope *sc, const struct skep_xray_expr *e)
{
    bool yes = false;
    yyjson_doc *doc = yyjson_read(e->json.p, e->json.n, 0);
    yyjson_val *list = yyjson_doc_get_root(doc);
    if (e->cause != SKEP_XRAY_CAUSE_ANY)
        yes = listed_in(sc->t, e->cause, list);
    for (unsigned c = 0; c < SKEP_XRAY_CAUSE_ANY && e->cause == SKEP_XRAY_CAUSE_ANY && !yes; c++)
        yes = listed_in(sc->t, (enum skep_xray_cause)c, list);
    yyjson_doc_free(doc);
    return yes;
}

static bool eval(const struct scope *sc, const struct skep_xray_expr *e)
{
    switch (e->op) {
    case SKEP_XRAY_ALL: return true;
    case SKEP_XRAY_AND: return eval(sc, e->kids[0]) && eval(sc, e->kids[1]);
    case SKEP_XRAY_OR: return eval(sc, e->kids[0]) || eval(sc, e->kids[1]);
    case SKEP_XRAY_NOT: return !eval(sc, e->kids[0]);
    case SKEP_XRAY_TEST: return test_passes(sc, e);
    case SKEP_XRAY_SERVICE: return services_pass(sc, e);
    case SKEP_XRAY_EDGE: return edges_pass(sc, e);
    case SKEP_XRAY_CAUSE: return causes_pass(sc, e);
    case SKEP_XRAY_CAUSE_JSON: return json_passes(sc, e);
    case SKEP_XRAY_GROUP: return eval(sc, e->kids[0]) == (e->cmp != SKEP_XRAY_NE);
    }
    return false;
}

bool skep_xray_match(const struct skep_xray_trace *t, const struct skep_xray_expr *e)
{
    const struct scope top = {.t = t, .about = TRACE, .seg = t->entry, .node = NONE};
    return eval(&top, e);
}
