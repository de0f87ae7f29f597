// SPDX-License-Identifier: Apache-2.0
/* One trace summary of GetTraceSummaries, from an assembled trace.
 *
 * Lists hold each value once, in the order it was met; annotations and users name the services that
 * said them.  Threads: the request's worker.  Memory: the trace's arena. */
#include "api/xray_summary.h"
#include "api/xray_docs.h"
#include "api/xray_priv.h"

#include "base/assert.h"

enum { NONE = -1, ANNOTATIONS_MAX = 200, VALUES_MAX = 100 };

static void put_service(struct skep_json *json, const struct skep_xray_node *n)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("Name"), n->name);
    skep_api__xray_put_names(json, n);
    if (n->account.n)
        skep_json_put_str(json, SKEP_STR("AccountId"), n->account);
    /* Readers take a missing type for a broken answer. */
    skep_json_put_str(json, SKEP_STR("Type"), n->type);
    skep_json_end(json);
}

void skep_api__xray_put_names(struct skep_json *json, const struct skep_xray_node *n)
{
    skep_json_key(json, SKEP_STR("Names"));
    skep_json_array(json);
    skep_json_str(json, n->name);
    if (n->other_name.n)
        skep_json_str(json, n->other_name);
    skep_json_end(json);
}

/* Values said by segments, with the nodes that said them. */
struct said {
    skep_str key;
    skep_value value;
    int32_t *nodes;
    int32_t n_nodes;
};

struct sayings {
    const struct skep_xray_trace *t;
    struct said *items;
    int32_t n, max;
    int32_t node; /* who says what comes next */
};

static bool same(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    switch ((int)a->type) {
    case SKEP_TYPE_STRING: return skep_str_eq(a->s, b->s);
    case SKEP_TYPE_BOOL: return a->b == b->b;
    case SKEP_TYPE_DOUBLE: return a->f >= b->f && a->f <= b->f;
    default: return a->i == b->i;
    }
}

static void say(void *ctx, skep_str key, const skep_value *v)
{
    struct sayings *s = ctx;
    struct said *at = NULL;
    for (int32_t i = 0; i < s->n && !at; i++)
        if (skep_str_eq(s->items[i].key, key) && same(&s->items[i].value, v))
            at = &s->items[i];
    if (!at && s->n == s->max)
        return;
    if (!at) {
        at = &s->items[s->n++];
        *at = (struct said){.key = key,
                            .value = *v,
                            .nodes = skep_new_n(s->t->arena, int32_t, (size_t)s->t->n_nodes + 1)};
    }
    for (int32_t i = 0; i < at->n_nodes; i++)
        if (at->nodes[i] == s->node)
            return;
    if (s->node != NONE)
        at->nodes[at->n_nodes++] = s->node;
}

static void put_said_services(struct skep_json *json, const struct skep_xray_trace *t,
                              const struct said *s)
{
    skep_json_key(json, SKEP_STR("ServiceIds"));
    skep_json_array(json);
    for (int32_t i = 0; i < s->n_nodes; i++)
        put_service(json, &t->nodes[s->nodes[i]]);
    skep_json_end(json);
}

static int32_t owner_node(const struct skep_xray_trace *t, int32_t seg)
{
    int32_t owner = t->segs[seg].owner;
    return owner == NONE ? NONE : t->segs[owner].node;
}

static void put_annotation_value(struct skep_json *json, const skep_value *v)
{
    skep_json_key(json, SKEP_STR("AnnotationValue"));
    skep_json_object(json);
    if (v->type == SKEP_TYPE_STRING)
        skep_json_put_str(json, SKEP_STR("StringValue"), v->s);
    else if (v->type == SKEP_TYPE_BOOL)
        skep_json_put_bool(json, SKEP_STR("BooleanValue"), v->b);
    else
        skep_json_put_f64(json, SKEP_STR("NumberValue"),
                          v->type == SKEP_TYPE_INT ? (double)v->i : v->f);
    skep_json_end(json);
}

static void put_annotations(struct skep_json *json, const struct skep_xray_trace *t)
{
    struct sayings s = {.t = t, .max = ANNOTATIONS_MAX};
    s.items = skep_new_n(t->arena, struct said, ANNOTATIONS_MAX);
    for (int32_t i = 0; i < t->n; i++) {
        s.node = owner_node(t, i);
        if (t->segs[i].part != SKEP_XRAY_INFERRED && !t->segs[i].made)
            skep_api__xray_each_annotation(t->arena, t->segs[i].row, say, &s);
    }
    skep_json_key(json, SKEP_STR("Annotations"));
    skep_json_object(json);
    for (int32_t i = 0; i < s.n; i++) {
        bool first = true;
        for (int32_t k = 0; k < i && first; k++)
            first = !skep_str_eq(s.items[k].key, s.items[i].key);
        if (!first)
            continue;
        skep_json_key(json, s.items[i].key);
        skep_json_array(json);
        for (int32_t k = i; k < s.n; k++) {
            if (!skep_str_eq(s.items[k].key, s.items[i].key))
                continue;
            skep_json_object(json);
            put_annotation_value(json, &s.items[k].value);
            put_said_services(json, t, &s.items[k]);
            skep_json_end(json);
        }
        skep_json_end(json);
    }
    skep_json_end(json);
}

/* Distinct values of a field over all segments. */
static void collect(const struct skep_xray_trace *t, skep_str name, struct sayings *s)
{
    *s = (struct sayings){.t = t, .max = VALUES_MAX};
    s->items = skep_new_n(t->arena, struct said, VALUES_MAX);
    for (int32_t i = 0; i < t->n; i++) {
        skep_str v = t->segs[i].part == SKEP_XRAY_INFERRED
                         ? SKEP_STR_NULL
                         : skep_xray_text(t->arena, t->segs[i].row, name);
        s->node = owner_node(t, i);
        if (v.n)
            say(s, name, &(skep_value){.type = SKEP_TYPE_STRING, .s = v});
    }
}

static void put_users(struct skep_json *json, const struct skep_xray_trace *t)
{
    struct sayings s;
    collect(t, SKEP_STR("enduser.id"), &s);
    skep_json_key(json, SKEP_STR("Users"));
    skep_json_array(json);
    for (int32_t i = 0; i < s.n; i++) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("UserName"), s.items[i].value.s);
        put_said_services(json, t, &s.items[i]);
        skep_json_end(json);
    }
    skep_json_end(json);
}

/* "list": [{"member": value}] */
static void put_list(struct skep_json *json, const struct skep_xray_trace *t, skep_str list,
                     skep_str member, skep_str name)
{
    struct sayings s;
    collect(t, name, &s);
    skep_json_key(json, list);
    skep_json_array(json);
    for (int32_t i = 0; i < s.n; i++) {
        skep_json_object(json);
        skep_json_put_str(json, member, s.items[i].value.s);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void put_http(struct skep_json *json, const struct skep_xray_trace *t)
{
    struct skep_xray_http h = {.status = -1};
    bool there = t->entry != NONE && skep_xray_http(t->arena, t->segs[t->entry].row, &h);
    skep_json_key(json, SKEP_STR("Http"));
    skep_json_object(json);
    if (there && h.url.n)
        skep_json_put_str(json, SKEP_STR("HttpURL"), h.url);
    if (there && h.status >= 0)
        skep_json_put_i64(json, SKEP_STR("HttpStatus"), h.status);
    if (there && h.method.n)
        skep_json_put_str(json, SKEP_STR("HttpMethod"), h.method);
    if (there && h.user_agent.n)
        skep_json_put_str(json, SKEP_STR("UserAgent"), h.user_agent);
    if (there && h.client_ip.n)
        skep_json_put_str(json, SKEP_STR("ClientIp"), h.client_ip);
    skep_json_end(json);
}

// --- root causes -------------------------------------------------------------------------------

static void put_exceptions(struct skep_json *json, const struct skep_xray_trace *t,
                           const struct skep_xray_seg *s)
{
    skep_json_key(json, SKEP_STR("Exceptions"));
    skep_json_array(json);
    for (int32_t i = s->first_event; i != NONE; i = t->events[i].next) {
        const struct skep_row *row = t->events[i].row;
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("Name"),
                          skep_xray_text(t->arena, row, SKEP_STR("exception.type")));
        skep_json_put_str(json, SKEP_STR("Message"),
                          skep_xray_text(t->arena, row, SKEP_STR("exception.message")));
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void put_entity(struct skep_json *json, const struct skep_xray_trace *t, int32_t seg,
                       enum skep_xray_cause cause)
{
    const struct skep_xray_seg *s = &t->segs[seg];
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("Name"), s->name);
    if (cause == SKEP_XRAY_CAUSE_TIME) {
        double c = skep_xray_coverage(t, seg);
        skep_json_put_f64(json, SKEP_STR("Coverage"), (double)(int)(c * 1000 + 0.5) / 1000);
    } else {
        put_exceptions(json, t, s);
    }
    skep_json_put_bool(json, SKEP_STR("Remote"), s->remote && s->part == SKEP_XRAY_SUBSEGMENT);
    skep_json_end(json);
}

static void put_path(struct skep_json *json, const struct skep_xray_trace *t,
                     const struct skep_xray_cause_path *p, enum skep_xray_cause cause)
{
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("Services"));
    skep_json_array(json);
    for (int32_t i = 0; i < p->n_segs; i++) {
        const struct skep_xray_seg *s = &t->segs[p->segs[i]];
        const struct skep_xray_node *n = &t->nodes[s->node];
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("Name"), n->name);
        skep_api__xray_put_names(json, n);
        skep_json_put_str(json, SKEP_STR("Type"), n->type);
        if (n->account.n)
            skep_json_put_str(json, SKEP_STR("AccountId"), n->account);
        skep_json_key(json, SKEP_STR("EntityPath"));
        skep_json_array(json);
        for (int32_t k = p->first[i]; k < p->first[i + 1]; k++)
            put_entity(json, t, p->entities[k], cause);
        skep_json_end(json);
        skep_json_put_bool(json, SKEP_STR("Inferred"), s->part == SKEP_XRAY_INFERRED);
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_json_put_bool(json, SKEP_STR("ClientImpacting"), p->client_impacting);
    skep_json_end(json);
}

static void put_causes(struct skep_json *json, const struct skep_xray_trace *t)
{
    static const skep_str names[] = {SKEP_STR_INIT("FaultRootCauses"),
                                     SKEP_STR_INIT("ErrorRootCauses"),
                                     SKEP_STR_INIT("ResponseTimeRootCauses")};
    for (unsigned c = 0; c < SKEP_XRAY_CAUSE_ANY; c++) {
        struct skep_xray_causes causes;
        skep_xray_find_causes(t, (enum skep_xray_cause)c, &causes);
        skep_json_key(json, names[c]);
        skep_json_array(json);
        for (int32_t i = 0; i < causes.n; i++)
            put_path(json, t, &causes.paths[i], (enum skep_xray_cause)c);
        skep_json_end(json);
    }
}

// --- the whole ---------------------------------------------------------------------------------

static void put_flags(struct skep_json *json, const struct skep_xray_trace *t)
{
    bool throttle = false, partial = false;
    const struct skep_xray_seg *e = t->entry == NONE ? NULL : &t->segs[t->entry];
    for (int32_t i = 0; i < t->n; i++) {
        throttle |= t->segs[i].part != SKEP_XRAY_SUBSEGMENT && t->segs[i].throttle;
        partial |= t->segs[i].in_progress;
    }
    skep_json_put_bool(json, SKEP_STR("HasFault"), e && e->fault);
    skep_json_put_bool(json, SKEP_STR("HasError"), e && e->error);
    skep_json_put_bool(json, SKEP_STR("HasThrottle"), throttle);
    skep_json_put_bool(json, SKEP_STR("IsPartial"), partial || !e);
}

void skep_api__xray_summary(struct skep_json *json, const struct skep_xray_trace *t,
                            const skep_ts_ns *matched_ns)
{
    char id[35];
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("Id"), skep_api__xray_trace_id(id, &t->id));
    skep_api__xray_put_time(json, SKEP_STR("StartTime"), t->start_ns);
    skep_api__xray_put_seconds(json, SKEP_STR("Duration"), t->end_ns - t->start_ns);
    if (t->entry != NONE && !t->segs[t->entry].in_progress)
        skep_api__xray_put_seconds(json, SKEP_STR("ResponseTime"),
                                   t->segs[t->entry].end_ns - t->segs[t->entry].start_ns);
    put_flags(json, t);
    put_http(json, t);
    put_annotations(json, t);
    put_users(json, t);
    skep_json_key(json, SKEP_STR("ServiceIds"));
    skep_json_array(json);
    for (int32_t i = 0; i < t->n_nodes; i++)
        put_service(json, &t->nodes[i]);
    skep_json_end(json);
    put_list(json, t, SKEP_STR("ResourceARNs"), SKEP_STR("ARN"), SKEP_STR("aws.xray.resource_arn"));
    put_list(json, t, SKEP_STR("InstanceIds"), SKEP_STR("Id"), SKEP_STR("host.id"));
    put_list(json, t, SKEP_STR("AvailabilityZones"), SKEP_STR("Name"),
             SKEP_STR("cloud.availability_zone"));
    if (t->entry != NONE) {
        skep_json_key(json, SKEP_STR("EntryPoint"));
        put_service(json, &t->nodes[t->segs[t->entry].node]);
    }
    put_causes(json, t);
    skep_json_put_u64(json, SKEP_STR("Revision"), t->revision);
    if (matched_ns)
        skep_api__xray_put_time(json, SKEP_STR("MatchedEventTime"), *matched_ns);
    skep_json_end(json);
}
