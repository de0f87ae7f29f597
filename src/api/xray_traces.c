// SPDX-License-Identifier: Apache-2.0
/* GetTraceSummaries and BatchGetTraces.
 *
 *   rows that may stand for a trace, newest first        (ROWS plan: range, filter, cursor)
 *     -> the trace, whole                                (TRACE plan)
 *     -> is the row the one that stands for it?          (no: another row does, on another page)
 *     -> does the expression select it?                  (src/api/xray_match.c)
 *     -> a summary
 *
 * Which row stands for a trace:
 *   TraceId   its first: the root span, else the first whose parent is missing
 *   Event     its last span that began in the range
 *   Service   its last span that ended in the range (and began at most an hour before it)
 *
 * I1  Each trace has one such row, so pages need no memory of each other: the token is the place
 *     of the last row looked at.
 * I2  A page ends after PAGE_TRACES summaries, PAGE_LOOKED traces looked at or PAGE_NS, whichever
 *     comes first; it may be empty and still have a token.
 *
 * Threads: workers.  Memory: the request's arena, and one a trace. */
#include "api/xray_docs.h"
#include "api/xray_load.h"
#include "api/xray_summary.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "ingest/xray.h"
#include "wire/json_out.h"

enum { PAGE_TRACES = 100, PAGE_LOOKED = 2000, ROWS_AT_ONCE = 2048, POSITION_BYTES = 20 };
static const int64_t page_ns = 3000000000, hour_ns = 3600000000000;
/* What BatchGetTraces puts into one answer. */
enum { BATCH_TRACES = 200, BATCH_BYTES = 8 << 20 };

enum range_type { BY_TRACE_ID, BY_EVENT, BY_SERVICE };

struct listing {
    struct skep_api__xray *x;
    struct skep_time_range range;
    enum range_type type;
    const struct skep_xray_expr *expr;
    struct skep_xray_twice twice;
    double share; /* of all traces */
    struct skep_plan plan;
    struct skep_arena trace_arena;
    int64_t begin_mono_ns;
    uint64_t looked, listed;
    bool done; /* no row is left */
    /* Traces met on this page, each once. */
    skep_trace_id *seen;
    uint32_t n_seen;
    struct skep_index seen_index;
};

// --- which rows --------------------------------------------------------------------------------

static struct skep_expr *node(struct listing *l, enum skep_expr_op op, struct skep_expr *a,
                              struct skep_expr *b)
{
    struct skep_expr *e = skep_new(&l->x->job->arena, struct skep_expr);
    struct skep_expr **kids = skep_new_n(&l->x->job->arena, struct skep_expr *, 2);
    kids[0] = a;
    kids[1] = b;
    e->op = op;
    e->kids = kids;
    e->n_kids = a ? (b ? 2 : 1) : 0;
    return e;
}

static struct skep_expr *test(struct listing *l, skep_str name, enum skep_cmp op,
                              const skep_value *values, unsigned n)
{
    struct skep_expr *e = node(l, SKEP_EXPR_TEST, NULL, NULL);
    e->test.field.name = name;
    e->test.op = op;
    e->test.values = values;
    e->test.n_values = n;
    return e;
}

static struct skep_expr *is_text(struct listing *l, skep_str name, skep_str text)
{
    skep_value *v = skep_new(&l->x->job->arena, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_STRING, .s = text};
    return test(l, name, SKEP_CMP_EQ, v, 1);
}

static struct skep_expr *related(struct listing *l, enum skep_relation relation,
                                 struct skep_expr *kid)
{
    struct skep_expr *e = node(l, SKEP_EXPR_RELATED, kid, NULL);
    e->relation = relation;
    return e;
}

static struct skep_expr *not_of(struct listing *l, struct skep_expr *e)
{
    return node(l, SKEP_EXPR_NOT, e, NULL);
}

/* Rows of X-Ray, and of services that report by other wires alone. */
static struct skep_expr *shown(struct listing *l)
{
    skep_value *values = skep_new_n(&l->x->job->arena, skep_value, l->twice.n + 1);
    if (l->twice.n == 0)
        return node(l, SKEP_EXPR_TRUE, NULL, NULL);
    for (size_t i = 0; i < l->twice.n; i++)
        values[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = l->twice.services[i]};
    return node(
        l, SKEP_EXPR_OR, is_text(l, SKEP_STR("meta.source"), SKEP_STR("xray")),
        not_of(l, test(l, SKEP_STR("service.name"), SKEP_CMP_EQ, values, (unsigned)l->twice.n)));
}

/* Roots that may pass the expression, and spans whose parents are missing in traces without a
 * root: those are looked at one by one. */
static struct skep_expr *first_rows(struct listing *l)
{
    bool exact;
    const struct skep_expr *f = NULL;
    skep_value *yes = skep_new(&l->x->job->arena, skep_value);
    *yes = (skep_value){.type = SKEP_TYPE_BOOL, .b = true};
    struct skep_expr *root = test(l, SKEP_STR("is_root"), SKEP_CMP_EQ, yes, 1);
    struct skep_expr *orphan =
        node(l, SKEP_EXPR_AND, not_of(l, related(l, SKEP_REL_ROOT, shown(l))),
             not_of(l, related(l, SKEP_REL_PARENT, shown(l))));
    skep_xray_filter(l->expr, SKEP_REL_SELF, &l->x->job->arena, &f, &exact);
    if (f)
        root = node(l, SKEP_EXPR_AND, root, (struct skep_expr *)(uintptr_t)f);
    return node(l, SKEP_EXPR_OR, root, orphan);
}

/* Any span; of traces whose root fails the expression for certain, none. */
static struct skep_expr *all_rows(struct listing *l)
{
    bool exact;
    const struct skep_expr *f = NULL;
    if (l->twice.n == 0) /* else the root that shows may be another than the rows' */
        skep_xray_filter(l->expr, SKEP_REL_ROOT, &l->x->job->arena, &f, &exact);
    if (!f)
        return node(l, SKEP_EXPR_TRUE, NULL, NULL);
    struct skep_expr *rootless =
        not_of(l, related(l, SKEP_REL_ROOT, node(l, SKEP_EXPR_TRUE, NULL, NULL)));
    return node(l, SKEP_EXPR_OR, (struct skep_expr *)(uintptr_t)f, rootless);
}

static void make_plan(struct listing *l)
{
    static const struct skep_field_ref column = {.name = SKEP_STR_INIT("meta.source")};
    struct skep_expr *span = is_text(l, SKEP_STR("meta.kind"), skep_kind_name(SKEP_KIND_SPAN));
    struct skep_expr *which = l->type == BY_TRACE_ID ? first_rows(l) : all_rows(l);
    l->plan = (struct skep_plan){
        .kind = SKEP_PLAN_ROWS,
        .range = l->range,
        .filter = node(l, SKEP_EXPR_AND, node(l, SKEP_EXPR_AND, span, shown(l)), which),
        .columns = &column,
        .n_columns = 1,
        .limit = ROWS_AT_ONCE};
    if (l->type == BY_SERVICE && l->plan.range.start_ns > INT64_MIN + hour_ns)
        l->plan.range.start_ns -= hour_ns;
}

// --- which traces ------------------------------------------------------------------------------

static bool later(const struct skep_row *a, const struct skep_row *b)
{
    if (a->time_ns != b->time_ns)
        return a->time_ns > b->time_ns;
    return a->id.seq != b->id.seq ? a->id.seq > b->id.seq : a->id.ordinal > b->id.ordinal;
}

static bool in_range(const struct skep_time_range *r, skep_ts_ns ns)
{
    return ns >= r->start_ns && ns < r->end_ns;
}

/* The row that stands for the trace; NULL = none does. */
static const struct skep_row *standing(const struct listing *l, const struct skep_xray_trace *t)
{
    const struct skep_row *best = NULL;
    if (l->type == BY_TRACE_ID)
        return t->anchor;
    for (int32_t i = 0; i < t->n; i++) {
        const struct skep_xray_seg *s = &t->segs[i];
        bool open = s->row->time_ns >= l->plan.range.start_ns && !s->in_progress;
        bool fits = l->type == BY_EVENT ? in_range(&l->range, s->row->time_ns)
                                        : open && in_range(&l->range, s->end_ns);
        if (s->part != SKEP_XRAY_INFERRED && fits && (!best || later(s->row, best)))
            best = s->row;
    }
    return best;
}

static uint64_t id_hash(const skep_trace_id *id)
{
    return skep_hash((skep_bytes){id->b, sizeof id->b});
}

static bool first_time(struct listing *l, const skep_trace_id *id)
{
    uint64_t h = id_hash(id);
    struct skep_index_it it = skep_index_begin(&l->seen_index, h);
    for (uint32_t i; (i = skep_index_next(&l->seen_index, &it)) != SKEP_INDEX_NONE;)
        if (memcmp(&l->seen[i], id, sizeof *id) == 0)
            return false;
    if (l->n_seen < PAGE_LOOKED + ROWS_AT_ONCE) {
        l->seen[l->n_seen] = *id;
        skep_index_add(&l->seen_index, h, l->n_seen++);
    }
    return true;
}

/* The same traces in every answer. */
static bool sampled(const struct listing *l, const skep_trace_id *id)
{
    return (double)(skep_hash_u64(id_hash(id)) >> 11) * 0x1p-53 < l->share;
}

static skep_rc look(struct listing *l, const struct skep_row *row, skep_err *err)
{
    struct skep_xray_trace t;
    static const skep_trace_id none;
    if (memcmp(&row->trace_id, &none, sizeof none) == 0 || !sampled(l, &row->trace_id))
        return SKEP_OK;
    /* By first rows each row must be looked at; by others the first one met is the last one. */
    if (l->type != BY_TRACE_ID && !first_time(l, &row->trace_id))
        return SKEP_OK;
    skep_arena_reset(&l->trace_arena);
    l->looked++;
    const struct skep_api__xray_ask ask = {.id = row->trace_id, .twice = l->twice};
    skep_rc rc = skep_api__xray_load(l->x, &ask, &l->trace_arena, &t, err);
    if (rc == SKEP_ENOTFOUND) /* deleted in between */
        return SKEP_OK;
    if (rc != SKEP_OK)
        return rc;
    const struct skep_row *stands = standing(l, &t);
    if (!stands || stands->id.seq != row->id.seq || stands->id.ordinal != row->id.ordinal)
        return SKEP_OK;
    if (!skep_xray_match(&t, l->expr))
        return SKEP_OK;
    skep_api__xray_summary(&l->x->job->out.json, &t, l->type == BY_EVENT ? &stands->time_ns : NULL);
    l->listed++;
    return SKEP_OK;
}

static bool page_full(const struct listing *l)
{
    const struct skep_os *os = l->x->job->api->cfg.os;
    return l->listed >= PAGE_TRACES || l->looked >= PAGE_LOOKED ||
           (l->looked > 0 && os->mono_ns(os) - l->begin_mono_ns > page_ns);
}

static skep_rc list_page(struct listing *l, skep_err *err)
{
    while (!l->done && !page_full(l)) {
        struct skep_answer a = {0};
        SKEP_TRY(skep_query_run(l->x->job->api->cfg.store, &l->plan, &l->x->job->opts, &a, err));
        size_t i = 0;
        for (; i < a.rows.n && !page_full(l); i++) {
            SKEP_TRY(look(l, &a.rows.rows[i], err));
            l->plan.has_cursor = true;
            l->plan.cursor_time_ns = a.rows.rows[i].time_ns;
            l->plan.cursor_id = a.rows.rows[i].id;
        }
        l->done = i == a.rows.n && !a.rows.more;
    }
    return SKEP_OK;
}

// --- GetTraceSummaries -------------------------------------------------------------------------

/* Sampling: SamplingStrategy counts only with it. */
static void read_sampling(struct listing *l)
{
    static const char *const names[] = {"PartialScan", "FixedRate"};
    struct skep_api__xray *x = l->x;
    double share = 1;
    bool on = skep_aws_bool(&x->args, x->in, "Sampling", false);
    yyjson_val *strategy = skep_aws_object(&x->args, x->in, "SamplingStrategy", false);
    if (strategy) {
        size_t mark = skep_aws_enter(&x->args, "SamplingStrategy");
        (void)skep_aws_enum(&x->args, strategy, "Name", false, names, 2);
        (void)skep_aws_number(&x->args, strategy, "Value",
                              &(struct skep_aws_range){.min = 0, .max = 1}, &share);
        skep_aws_leave(&x->args, mark);
    }
    l->share = on ? share : 1;
}

static bool read_listing(struct listing *l)
{
    static const char *const types[] = {"TraceId", "Event", "Service"};
    struct skep_api__xray *x = l->x;
    skep_bytes position;
    skep_api__xray_period(x, &l->range);
    int type = skep_aws_enum(&x->args, x->in, "TimeRangeType", false, types, 3);
    skep_str text = skep_aws_str(&x->args, x->in, "FilterExpression", &(struct skep_aws_len){0});
    read_sampling(l);
    if (!skep_api__xray_valid(x) || !skep_api__xray_token(x, &position))
        return false;
    l->type = type < 0 ? BY_TRACE_ID : (enum range_type)type;
    if (!skep_api__xray_expression(x, text, &l->expr))
        return false;
    if (!skep_api__xray_twice(x, l->range, &l->twice))
        return false;
    make_plan(l);
    if (position.n == 0)
        return true;
    if (position.n != POSITION_BYTES) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST, "NextToken is not one of this request's");
        return false;
    }
    l->plan.has_cursor = true;
    l->plan.cursor_time_ns = (int64_t)skep_load_le64(position.p);
    l->plan.cursor_id =
        (skep_row_id){skep_load_le64(position.p + 8), skep_load_le32(position.p + 16)};
    return true;
}

static void put_position(const struct listing *l)
{
    uint8_t p[POSITION_BYTES];
    skep_store_le64(p, (uint64_t)l->plan.cursor_time_ns);
    skep_store_le64(p + 8, l->plan.cursor_id.seq);
    skep_store_le32(p + 16, l->plan.cursor_id.ordinal);
    skep_api__xray_put_token(l->x, (skep_bytes){p, sizeof p});
}

void skep_api__xray_get_trace_summaries(struct skep_api__xray *x)
{
    struct listing l = {.x = x};
    const struct skep_os *os = x->job->api->cfg.os;
    skep_err err;
    if (!read_listing(&l))
        return;
    l.begin_mono_ns = os->mono_ns(os);
    l.seen = skep_new_n(&x->job->arena, skep_trace_id, PAGE_LOOKED + ROWS_AT_ONCE);
    skep_index_init(&l.seen_index, PAGE_LOOKED);
    skep_arena_init(&l.trace_arena, "trace", &x->job->budget);
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("TraceSummaries"));
    skep_json_array(json);
    skep_rc rc = list_page(&l, &err);
    if (rc == SKEP_OK) {
        skep_json_end(json);
        skep_api__xray_put_time(json, SKEP_STR("ApproximateTime"), skep_api__now(x->job->api));
        skep_json_put_u64(json, SKEP_STR("TracesProcessedCount"), l.looked);
        if (!l.done)
            put_position(&l);
        skep_api__xray_end(x);
    } else {
        skep_api__xray_fail_rc(x, rc, &err);
    }
    skep_arena_done(&l.trace_arena);
    skep_index_done(&l.seen_index);
}

// --- BatchGetTraces ----------------------------------------------------------------------------

struct batch {
    struct skep_api__xray *x;
    yyjson_val *ids;
    skep_str *missing;
    size_t n_missing, n_traces;
    struct skep_arena arena; /* of one trace */
};

/* An id that is none of X-Ray's may be that of a sender who made up his own: they are hashed. */
static skep_rc put_trace(struct batch *b, skep_str asked, skep_err *err)
{
    char text[35];
    skep_trace_id id;
    bool odd = !skep_lang_trace_id(asked, &id);
    if (odd)
        (void)skep_xray_trace_id(asked, &id);
    struct skep_xray_trace t;
    const struct skep_api__xray_ask ask = {.id = id, .twice = {.in_trace = true}, .raw = true};
    struct skep_json *json = &b->x->job->out.json;
    skep_arena_reset(&b->arena);
    SKEP_TRY(skep_api__xray_load(b->x, &ask, &b->arena, &t, err));
    if (t.n == 0)
        return SKEP_ENOTFOUND;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("Id"), odd ? asked : skep_api__xray_trace_id(text, &id));
    skep_api__xray_put_seconds(json, SKEP_STR("Duration"), t.end_ns - t.start_ns);
    skep_json_put_bool(json, SKEP_STR("LimitExceeded"), false);
    skep_json_key(json, SKEP_STR("Segments"));
    if (!skep_api__xray_documents(json, &t))
        return skep_fail(err, SKEP_ENOMEM, "a trace needs more memory than a question may use");
    skep_json_end(json);
    b->n_traces++;
    return SKEP_OK;
}

/* Traces from the i-th id on, until the answer is full; *next = where the next page begins. */
static skep_rc put_traces(struct batch *b, size_t from, size_t *next, skep_err *err)
{
    size_t n = yyjson_arr_size(b->ids), i = from;
    for (; i < n; i++) {
        yyjson_val *v = yyjson_arr_get(b->ids, i);
        skep_str text = {yyjson_get_str(v), yyjson_get_len(v)};
        if (b->n_traces >= BATCH_TRACES || b->x->job->out.buf.n > BATCH_BYTES)
            break;
        skep_rc rc = put_trace(b, text, err);
        if (rc == SKEP_ENOTFOUND)
            b->missing[b->n_missing++] = text;
        else if (rc != SKEP_OK)
            return rc;
    }
    *next = i;
    return SKEP_OK;
}

static bool read_batch(struct batch *b, size_t *ret_from)
{
    struct skep_api__xray *x = b->x;
    skep_bytes position;
    size_t i, max;
    yyjson_val *item;
    b->ids = skep_aws_list(&x->args, x->in, "TraceIds", &(struct skep_aws_len){.required = true});
    yyjson_arr_foreach(b->ids, i, max, item)
    {
        size_t n = yyjson_get_len(item);
        if (!yyjson_is_str(item) || n < 1 || n > 35) {
            skep_aws_wrong(&x->args, "TraceIds", b->ids,
                           "Member must satisfy constraint: [Member must have length less "
                           "than or equal to 35, Member must have length greater than or "
                           "equal to 1]");
            break;
        }
    }
    if (!skep_api__xray_valid(x) || !skep_api__xray_token(x, &position))
        return false;
    *ret_from = position.n == 4 ? skep_load_le32(position.p) : 0;
    b->missing = skep_new_n(&x->job->arena, skep_str, yyjson_arr_size(b->ids) + 1);
    return true;
}

void skep_api__xray_batch_get_traces(struct skep_api__xray *x)
{
    struct batch b = {.x = x};
    size_t from = 0, next = 0;
    skep_err err;
    if (!read_batch(&b, &from))
        return;
    skep_arena_init(&b.arena, "trace", &x->job->budget);
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("Traces"));
    skep_json_array(json);
    skep_rc rc = put_traces(&b, from, &next, &err);
    skep_arena_done(&b.arena);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(x, rc, &err);
        return;
    }
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("UnprocessedTraceIds"));
    skep_json_array(json);
    for (size_t i = 0; i < b.n_missing; i++)
        skep_json_str(json, b.missing[i]);
    skep_json_end(json);
    if (next < yyjson_arr_size(b.ids)) {
        uint8_t p[4];
        skep_store_le32(p, (uint32_t)next);
        skep_api__xray_put_token(x, (skep_bytes){p, sizeof p});
    }
    skep_api__xray_end(x);
}
