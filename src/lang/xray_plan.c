// SPDX-License-Identifier: Apache-2.0
/* What of a filter expression a plan can ask of rows.
 *
 * A tree is translated twice over at once: what lies under an even number of NOTs to a filter that
 * is *at least* as wide, what lies under an odd number to one that is at most as wide.  So the
 * whole is wider than the expression: no trace is lost, and those that come through too much are
 * sorted out on the assembled trace.
 *
 *                            wide                               narrow
 *   fault                    exact: the entry's own columns     the same
 *   duration                 exact: LASTS                       the same
 *   rootcause                everything                         nothing
 *   service("x") { f }       some row of x, or a call that may  some segment of x passes f
 *                            be to x, passes f
 *   edge(a, b) { f }         some row of a passes f, and b      nothing
 *                            is there
 *
 * Spans of other wires than X-Ray's answer too: each keyword names the columns of both
 * (facts of the wires: docs/api/xray.md).
 *
 * I1  At most RELATIONS relations; what goes beyond them counts as not expressible.
 *
 * Threads: none of its own.  Memory: the arena given. */
#include "base/assert.h"
#include "lang/xray.h"

enum { RELATIONS = 24 };

struct build {
    struct skep_arena *arena;
    enum skep_relation entry;
    bool exact;
    unsigned n_relations;
    bool in_row; /* inside RELATED: tests are of that row */
};

static struct skep_expr *node(struct build *b, enum skep_expr_op op, unsigned n)
{
    struct skep_expr *e = skep_new(b->arena, struct skep_expr);
    e->op = op;
    e->kids = n ? skep_new_n(b->arena, struct skep_expr *, n) : NULL;
    e->n_kids = n;
    return e;
}

static void set_kid(struct skep_expr *e, unsigned i, struct skep_expr *kid)
{
    skep_assert(i < e->n_kids);
    ((struct skep_expr **)(uintptr_t)e->kids)[i] = kid;
}

static struct skep_expr *all(struct build *b)
{
    return node(b, SKEP_EXPR_TRUE, 0);
}

static struct skep_expr *not_of(struct build *b, struct skep_expr *e)
{
    struct skep_expr *n = node(b, SKEP_EXPR_NOT, 1);
    set_kid(n, 0, e);
    return n;
}

static struct skep_expr *join(struct build *b, enum skep_expr_op op, struct skep_expr *x,
                              struct skep_expr *y)
{
    struct skep_expr *n = node(b, op, 2);
    set_kid(n, 0, x);
    set_kid(n, 1, y);
    return n;
}

static struct skep_expr *and_of(struct build *b, struct skep_expr *x, struct skep_expr *y)
{
    return join(b, SKEP_EXPR_AND, x, y);
}

static struct skep_expr *or_of(struct build *b, struct skep_expr *x, struct skep_expr *y)
{
    return join(b, SKEP_EXPR_OR, x, y);
}

/* Not expressible: everything, or nothing. */
static struct skep_expr *unknown(struct build *b, bool wide)
{
    b->exact = false;
    return wide ? all(b) : not_of(b, all(b));
}

/* Some span of the trace passes. */
static struct skep_expr *any_span(struct build *b, struct skep_expr *kid)
{
    struct skep_expr *n = node(b, SKEP_EXPR_RELATED, 1);
    n->relation = SKEP_REL_ANY;
    b->n_relations++;
    set_kid(n, 0, kid);
    return n;
}

// --- columns -----------------------------------------------------------------------------------

static struct skep_expr *test(struct build *b, skep_str name, enum skep_cmp op, skep_value v)
{
    struct skep_expr *e = node(b, SKEP_EXPR_TEST, 0);
    skep_value *values = skep_new(b->arena, skep_value);
    *values = v;
    e->test.field.name = name;
    e->test.op = op;
    e->test.values = values;
    e->test.n_values = op == SKEP_CMP_EXISTS || op == SKEP_CMP_NOT_EXISTS ? 0 : 1;
    if (!b->in_row && b->entry != SKEP_REL_SELF) {
        e->test.field.relation = b->entry;
        b->n_relations++;
    }
    return e;
}

static skep_value text_of(skep_str s)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = s};
}

static skep_value int_of(int64_t i)
{
    return (skep_value){.type = SKEP_TYPE_INT, .i = i};
}

static struct skep_expr *is_true(struct build *b, skep_str name)
{
    return test(b, name, SKEP_CMP_EQ, (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

static struct skep_expr *exists(struct build *b, skep_str name)
{
    return test(b, name, SKEP_CMP_EXISTS, (skep_value){.type = SKEP_TYPE_NULL});
}

static struct skep_expr *from_xray(struct build *b)
{
    return test(b, SKEP_STR("meta.source"), SKEP_CMP_EQ, text_of(SKEP_STR("xray")));
}

static enum skep_cmp cmp_of(enum skep_xray_cmp c)
{
    static const enum skep_cmp to[SKEP_XRAY_CMP_COUNT] = {
        [SKEP_XRAY_IS] = SKEP_CMP_EXISTS,     [SKEP_XRAY_EQ] = SKEP_CMP_EQ,
        [SKEP_XRAY_NE] = SKEP_CMP_EQ,         [SKEP_XRAY_LT] = SKEP_CMP_LT,
        [SKEP_XRAY_LE] = SKEP_CMP_LE,         [SKEP_XRAY_GT] = SKEP_CMP_GT,
        [SKEP_XRAY_GE] = SKEP_CMP_GE,         [SKEP_XRAY_CONTAINS] = SKEP_CMP_CONTAINS,
        [SKEP_XRAY_BEGINS] = SKEP_CMP_STARTS, [SKEP_XRAY_ENDS] = SKEP_CMP_ENDS};
    return to[c];
}

/* The first of the names that the row has passes. */
static struct skep_expr *first_of(struct build *b, const skep_str *names, unsigned n,
                                  enum skep_cmp op, skep_value v)
{
    struct skep_expr *e = test(b, names[n - 1], op, v);
    for (unsigned i = n - 1; i-- > 0;)
        e = or_of(b, test(b, names[i], op, v), and_of(b, not_of(b, exists(b, names[i])), e));
    return e;
}

static const skep_str status_names[] = {SKEP_STR_INIT("http.response.status_code"),
                                        SKEP_STR_INIT("http.status_code")};

static struct skep_expr *status_between(struct build *b, int64_t from, int64_t to)
{
    return and_of(b, first_of(b, status_names, 2, SKEP_CMP_GE, int_of(from)),
                  first_of(b, status_names, 2, SKEP_CMP_LE, int_of(to)));
}

/* The three flags: X-Ray's own, or what X-Ray's exporter makes of a span of another wire. */
static struct skep_expr *flag(struct build *b, enum skep_xray_keyword k)
{
    struct skep_expr *own, *made;
    if (k == SKEP_XRAY_KW_FAULT) {
        own = is_true(b, SKEP_STR("xray.fault"));
        made = or_of(b, status_between(b, 500, 599),
                     and_of(b, test(b, SKEP_STR("status_code"), SKEP_CMP_EQ, int_of(2)),
                            not_of(b, status_between(b, 400, 499))));
    } else if (k == SKEP_XRAY_KW_ERROR) {
        own = is_true(b, SKEP_STR("xray.error"));
        made = status_between(b, 400, 499);
    } else {
        own = is_true(b, SKEP_STR("xray.throttle"));
        made = status_between(b, 429, 429);
    }
    return or_of(b, own, and_of(b, not_of(b, from_xray(b)), made));
}

static struct skep_expr *ok(struct build *b)
{
    return not_of(b, or_of(b, flag(b, SKEP_XRAY_KW_FAULT),
                           or_of(b, flag(b, SKEP_XRAY_KW_ERROR), flag(b, SKEP_XRAY_KW_THROTTLE))));
}

/* Keywords that are one of several columns. */
static const struct columns {
    enum skep_xray_keyword keyword;
    unsigned n;
    skep_str names[4];
} columns[] = {
    {SKEP_XRAY_KW_HTTP_STATUS,
     2,
     {SKEP_STR_INIT("http.response.status_code"), SKEP_STR_INIT("http.status_code")}},
    {SKEP_XRAY_KW_HTTP_METHOD,
     2,
     {SKEP_STR_INIT("http.request.method"), SKEP_STR_INIT("http.method")}},
    {SKEP_XRAY_KW_HTTP_USERAGENT,
     2,
     {SKEP_STR_INIT("user_agent.original"), SKEP_STR_INIT("http.user_agent")}},
    {SKEP_XRAY_KW_HTTP_CLIENTIP,
     4,
     {SKEP_STR_INIT("http.client_ip"), SKEP_STR_INIT("client.address"),
      SKEP_STR_INIT("net.peer.ip"), SKEP_STR_INIT("network.peer.address")}},
    {SKEP_XRAY_KW_USER, 1, {SKEP_STR_INIT("enduser.id")}},
    {SKEP_XRAY_KW_AVAILABILITYZONE, 1, {SKEP_STR_INIT("cloud.availability_zone")}},
    {SKEP_XRAY_KW_INSTANCE_ID, 1, {SKEP_STR_INIT("host.id")}},
    {SKEP_XRAY_KW_RESOURCE_ARN,
     2,
     {SKEP_STR_INIT("aws.xray.resource_arn"), SKEP_STR_INIT("cloud.resource_id")}},
    {SKEP_XRAY_KW_ACCOUNT_ID,
     2,
     {SKEP_STR_INIT("aws.account_id"), SKEP_STR_INIT("cloud.account.id")}},
};

static const struct columns *columns_of(enum skep_xray_keyword k)
{
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(columns); i++)
        if (columns[i].keyword == k)
            return &columns[i];
    return NULL;
}

static struct skep_expr *by_columns(struct build *b, const struct skep_xray_expr *e)
{
    const struct columns *c = columns_of(e->keyword);
    skep_assert(c != NULL);
    return first_of(b, c->names, c->n, cmp_of(e->cmp), e->value);
}

/* X-Ray's own url, or one that a span of another wire says in parts. */
static struct skep_expr *url(struct build *b, const struct skep_xray_expr *e, bool wide)
{
    static const skep_str names[] = {SKEP_STR_INIT("url.full"), SKEP_STR_INIT("http.url")};
    struct skep_expr *t = first_of(b, names, 2, cmp_of(e->cmp), e->value);
    b->exact = false;
    if (!wide)
        return t;
    struct skep_expr *parts =
        or_of(b, exists(b, SKEP_STR("http.target")), exists(b, SKEP_STR("url.path")));
    return or_of(b, t, and_of(b, not_of(b, from_xray(b)), parts));
}

/* The row says so, and says that it is an annotation where it must. */
static struct skep_expr *annotation(struct build *b, const struct skep_xray_expr *e)
{
    static const skep_str list = SKEP_STR_INIT("aws.xray.annotations");
    struct skep_expr *t;
    if (e->cmp == SKEP_XRAY_EQ || e->cmp == SKEP_XRAY_NE) {
        t = test(b, e->key, SKEP_CMP_EQ, e->value);
        t->test.values = e->forms;
        t->test.n_values = e->n_forms;
    } else {
        t = test(b, e->key, cmp_of(e->cmp), e->value);
    }
    struct skep_expr *other = and_of(b, not_of(b, from_xray(b)), not_of(b, exists(b, list)));
    return and_of(b, t, or_of(b, test(b, list, SKEP_CMP_EQ, text_of(e->key)), other));
}

/* The name of a segment, whose row is at hand. */
static struct skep_expr *segment_name(struct build *b, enum skep_cmp op, skep_value v)
{
    static const skep_str names[] = {SKEP_STR_INIT("service.name"), SKEP_STR_INIT("dataset")};
    return or_of(b, and_of(b, from_xray(b), test(b, SKEP_STR("name"), op, v)),
                 and_of(b, not_of(b, from_xray(b)), first_of(b, names, 2, op, v)));
}

/* Seconds of a row's own duration. */
static struct skep_expr *seconds(struct build *b, const struct skep_xray_expr *e)
{
    enum skep_cmp op = e->cmp == SKEP_XRAY_IS ? SKEP_CMP_EXISTS : cmp_of(e->cmp);
    return test(b, SKEP_STR("duration_ms"), op,
                (skep_value){.type = SKEP_TYPE_DOUBLE, .f = e->value.f * 1e3});
}

/* How long the whole trace lasts. */
static struct skep_expr *lasts(struct build *b, const struct skep_xray_expr *e)
{
    skep_value *ms = skep_new(b->arena, skep_value);
    *ms = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = e->value.f * 1e3};
    if (e->cmp == SKEP_XRAY_IS)
        return all(b);
    b->n_relations++;
    struct skep_expr *x = node(b, SKEP_EXPR_LASTS, 0);
    x->test = (struct skep_test){.op = cmp_of(e->cmp), .values = ms, .n_values = 1};
    return x;
}

static struct skep_expr *type(struct build *b, const struct skep_xray_expr *e, bool wide)
{
    struct skep_expr *t = test(b, SKEP_STR("aws.xray.origin"), cmp_of(e->cmp), e->value);
    b->exact = false; /* also made from other columns: the model's business */
    return wide ? all(b) : and_of(b, t, from_xray(b));
}

// --- tests -------------------------------------------------------------------------------------

/* A flag of the trace: the entry's, but for throttle, which any segment's is. */
static struct skep_expr *trace_flag(struct build *b, enum skep_xray_keyword k, bool wide)
{
    if (k != SKEP_XRAY_KW_THROTTLE)
        return k == SKEP_XRAY_KW_OK ? ok(b) : flag(b, k);
    b->in_row = true;
    struct skep_expr *f = flag(b, k);
    if (!wide)
        f = and_of(b, f, test(b, SKEP_STR("span.kind"), SKEP_CMP_EQ, text_of(SKEP_STR("server"))));
    b->in_row = false;
    b->exact = false; /* not of subsegments within a service */
    return any_span(b, f);
}

/* Of some span of the trace, whichever. */
static struct skep_expr *somewhere(struct build *b, const struct skep_xray_expr *e)
{
    b->in_row = true;
    struct skep_expr *t =
        e->keyword == SKEP_XRAY_KW_ANNOTATION ? annotation(b, e) : by_columns(b, e);
    b->in_row = false;
    return any_span(b, t);
}

/* The positive form of a test about the trace. */
static struct skep_expr *trace_test(struct build *b, const struct skep_xray_expr *e, bool wide)
{
    switch ((int)e->keyword) {
    case SKEP_XRAY_KW_OK:
    case SKEP_XRAY_KW_ERROR:
    case SKEP_XRAY_KW_FAULT:
    case SKEP_XRAY_KW_THROTTLE: return trace_flag(b, e->keyword, wide);
    case SKEP_XRAY_KW_PARTIAL: {
        b->in_row = true;
        struct skep_expr *open = is_true(b, SKEP_STR("meta.in_progress"));
        b->in_row = false;
        return any_span(b, open);
    }
    case SKEP_XRAY_KW_RESPONSETIME: return seconds(b, e);
    case SKEP_XRAY_KW_DURATION: return lasts(b, e);
    case SKEP_XRAY_KW_HTTP_URL: return url(b, e, wide);
    case SKEP_XRAY_KW_TYPE: return type(b, e, wide);
    case SKEP_XRAY_KW_HTTP_STATUS:
    case SKEP_XRAY_KW_HTTP_METHOD:
    case SKEP_XRAY_KW_HTTP_USERAGENT:
    case SKEP_XRAY_KW_HTTP_CLIENTIP: return by_columns(b, e);
    case SKEP_XRAY_KW_NAME: return segment_name(b, cmp_of(e->cmp), e->value);
    case SKEP_XRAY_KW_USER:
    case SKEP_XRAY_KW_ANNOTATION: return somewhere(b, e);
    case SKEP_XRAY_KW_AVAILABILITYZONE:
    case SKEP_XRAY_KW_INSTANCE_ID:
    case SKEP_XRAY_KW_RESOURCE_ARN:
    case SKEP_XRAY_KW_ACCOUNT_ID: {
        if (!wide) /* only of segments: which rows those are, the model knows */
            return unknown(b, false);
        b->exact = false;
        return somewhere(b, e);
    }
    default: return unknown(b, wide); /* inferred */
    }
}

/* The positive form of a test about a segment or a call: its row is at hand. */
static struct skep_expr *row_test(struct build *b, const struct skep_xray_expr *e, bool wide)
{
    switch ((int)e->keyword) {
    case SKEP_XRAY_KW_OK: return ok(b);
    case SKEP_XRAY_KW_ERROR:
    case SKEP_XRAY_KW_FAULT:
    case SKEP_XRAY_KW_THROTTLE: return flag(b, e->keyword);
    case SKEP_XRAY_KW_RESPONSETIME:
    case SKEP_XRAY_KW_DURATION: return seconds(b, e);
    case SKEP_XRAY_KW_HTTP_URL: return url(b, e, wide);
    case SKEP_XRAY_KW_HTTP_STATUS:
    case SKEP_XRAY_KW_HTTP_METHOD:
    case SKEP_XRAY_KW_HTTP_USERAGENT:
    case SKEP_XRAY_KW_HTTP_CLIENTIP: return by_columns(b, e);
    default: return unknown(b, wide); /* of the segment's subsegments, too; or the node's */
    }
}

static struct skep_expr *translate(struct build *b, const struct skep_xray_expr *e, bool wide);

/* !=, and "= false", are the contrary of what is positive. */
static struct skep_expr *signed_test(struct build *b, const struct skep_xray_expr *e, bool wide)
{
    bool no = e->cmp == SKEP_XRAY_NE;
    if (e->value.type == SKEP_TYPE_BOOL && e->keyword != SKEP_XRAY_KW_ANNOTATION)
        no = e->value.b == no;
    bool inner = no ? !wide : wide;
    struct skep_expr *t = b->in_row ? row_test(b, e, inner) : trace_test(b, e, inner);
    return no ? not_of(b, t) : t;
}

// --- nodes -------------------------------------------------------------------------------------

/* A call that may be to a node of that name: all that src/api names a node after. */
static struct skep_expr *call_to(struct build *b, skep_str name)
{
    static const skep_str
        whole[] = {SKEP_STR_INIT("name"),           SKEP_STR_INIT("aws.remote.service"),
                   SKEP_STR_INIT("peer.service"),   SKEP_STR_INIT("aws.service"),
                   SKEP_STR_INIT("db.name"),        SKEP_STR_INIT("db.namespace"),
                   SKEP_STR_INIT("rpc.service"),    SKEP_STR_INIT("http.host"),
                   SKEP_STR_INIT("server.address"), SKEP_STR_INIT("net.peer.name")},
        ends[] = {SKEP_STR_INIT("aws.table_name"), SKEP_STR_INIT("aws.queue_url"),
                  SKEP_STR_INIT("aws.bucket_name"), SKEP_STR_INIT("aws.function_name")};
    struct skep_expr *e = not_of(b, all(b));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(whole); i++)
        e = or_of(b, e, test(b, whole[i], SKEP_CMP_EQ, text_of(name)));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(ends); i++)
        e = or_of(b, e, test(b, ends[i], SKEP_CMP_ENDS, text_of(name)));
    if (skep_str_chr(name, '@') == SIZE_MAX)
        return e;
    /* db@host */
    return or_of(b, e,
                 or_of(b, exists(b, SKEP_STR("db.name")), exists(b, SKEP_STR("db.namespace"))));
}

/* A row of the node, as its own segment or as a call to it. */
static struct skep_expr *of_node(struct build *b, const struct skep_xray_ref *ref)
{
    if (!ref->has_name)
        return all(b);
    return or_of(b, segment_name(b, SKEP_CMP_EQ, text_of(ref->name)), call_to(b, ref->name));
}

static struct skep_expr *services(struct build *b, const struct skep_xray_expr *e, bool wide)
{
    const struct skep_xray_ref *r = &e->refs[0];
    b->exact = false;
    if (!wide && (!r->has_name || r->has_type || r->has_account))
        return unknown(b, false);
    b->in_row = true;
    struct skep_expr *row = of_node(b, r);
    if (!wide) /* an X-Ray segment is a server's span, whatever else stands in the trace */
        row = and_of(b, and_of(b, segment_name(b, SKEP_CMP_EQ, text_of(r->name)), from_xray(b)),
                     test(b, SKEP_STR("span.kind"), SKEP_CMP_EQ, text_of(SKEP_STR("server"))));
    if (e->kids[0])
        row = and_of(b, row, translate(b, e->kids[0], wide));
    b->in_row = false;
    return any_span(b, row);
}

static struct skep_expr *edges(struct build *b, const struct skep_xray_expr *e, bool wide)
{
    b->exact = false;
    if (!wide)
        return unknown(b, false);
    b->in_row = true;
    struct skep_expr *to = of_node(b, &e->refs[1]);
    struct skep_expr *from = all(b);
    if (e->refs[0].has_name && e->kids[0])
        from = translate(b, e->kids[0], true); /* from a client node the call is the segment */
    b->in_row = false;
    return and_of(b, any_span(b, from), any_span(b, to));
}

static struct skep_expr *translate(struct build *b, const struct skep_xray_expr *e, bool wide)
{
    if (b->n_relations >= RELATIONS)
        return unknown(b, wide); /* I1 */
    switch (e->op) {
    case SKEP_XRAY_ALL: return all(b);
    case SKEP_XRAY_AND:
        return and_of(b, translate(b, e->kids[0], wide), translate(b, e->kids[1], wide));
    case SKEP_XRAY_OR:
        return or_of(b, translate(b, e->kids[0], wide), translate(b, e->kids[1], wide));
    case SKEP_XRAY_NOT: return not_of(b, translate(b, e->kids[0], !wide));
    case SKEP_XRAY_TEST: return signed_test(b, e, wide);
    case SKEP_XRAY_SERVICE: return services(b, e, wide);
    case SKEP_XRAY_EDGE: return edges(b, e, wide);
    case SKEP_XRAY_CAUSE:
    case SKEP_XRAY_CAUSE_JSON: return unknown(b, wide);
    case SKEP_XRAY_GROUP: {
        bool no = e->cmp == SKEP_XRAY_NE;
        struct skep_expr *t = translate(b, e->kids[0], no ? !wide : wide);
        return no ? not_of(b, t) : t;
    }
    }
    return unknown(b, wide);
}

// --- smaller -----------------------------------------------------------------------------------

static bool is_none(const struct skep_expr *e)
{
    return e->op == SKEP_EXPR_NOT && e->kids[0]->op == SKEP_EXPR_TRUE;
}

/* Everything and nothing swallow what stands beside them.  Long chains become one list, so that
 * the filter is as flat as a plan wants it. */
static struct skep_expr *simplify(struct build *b, struct skep_expr *e)
{
    bool conj = e->op == SKEP_EXPR_AND;
    if (e->op == SKEP_EXPR_NOT || e->op == SKEP_EXPR_RELATED) {
        set_kid(e, 0, simplify(b, e->kids[0]));
        if (e->op == SKEP_EXPR_NOT && is_none(e->kids[0]))
            return all(b);
        return e;
    }
    if (!conj && e->op != SKEP_EXPR_OR)
        return e;
    unsigned n = 0;
    struct skep_expr *kids[2];
    for (unsigned i = 0; i < 2; i++) {
        struct skep_expr *kid = simplify(b, e->kids[i]);
        bool whole = kid->op == SKEP_EXPR_TRUE, none = is_none(kid);
        if (conj ? none : whole)
            return kid;
        if (!(conj ? whole : none))
            kids[n++] = kid;
    }
    if (n < 2)
        return n ? kids[0] : (conj ? all(b) : not_of(b, all(b)));
    unsigned left = kids[0]->op == e->op ? kids[0]->n_kids : 1;
    struct skep_expr *flat = node(b, e->op, left + 1);
    for (unsigned i = 0; i < left; i++)
        set_kid(flat, i, kids[0]->op == e->op ? kids[0]->kids[i] : kids[0]);
    set_kid(flat, left, kids[1]);
    return flat;
}

static unsigned depth_of(const struct skep_expr *e)
{
    unsigned deep = 0;
    for (unsigned i = 0; i < e->n_kids; i++)
        deep = SKEP_MAX(deep, depth_of(e->kids[i]));
    return deep + 1;
}

static unsigned tests_of(const struct skep_expr *e)
{
    unsigned n = e->op == SKEP_EXPR_TEST;
    for (unsigned i = 0; i < e->n_kids; i++)
        n += tests_of(e->kids[i]);
    return n;
}

void skep_xray_filter(const struct skep_xray_expr *e, enum skep_relation entry,
                      struct skep_arena *arena, const struct skep_expr **ret, bool *ret_exact)
{
    skep_assert(entry == SKEP_REL_SELF || entry == SKEP_REL_ROOT);
    struct build b = {.arena = arena, .entry = entry, .exact = true};
    struct skep_expr *f = simplify(&b, translate(&b, e, true));
    /* More than a plan may hold: looking at every trace is slow, but right. */
    if (depth_of(f) > SKEP_LIMIT_PLAN_DEPTH - 10 || tests_of(f) > SKEP_LIMIT_PLAN_TESTS / 2 ||
        b.n_relations > RELATIONS) {
        f = all(&b);
        b.exact = false;
    }
    *ret = f->op == SKEP_EXPR_TRUE ? NULL : f;
    *ret_exact = b.exact;
}
