// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/items, /skep/v1/items/:id: the errors inbox and one item of it (docs/api/page.md).
 * Threads: workers.  Memory: the job's arena. */
#include "api/items.h"

#include "base/assert.h"

enum { LIST_MAX = 200 };
static const int64_t ns_per_s = 1000000000;

static void put_ns(struct skep_json *j, skep_str key, skep_ts_ns ns)
{
    if (ns)
        skep_json_put_i64_str(j, key, ns);
}

static void put_text(struct skep_json *j, skep_str key, skep_str text)
{
    if (text.n)
        skep_json_put_str(j, key, text);
}

/* Members of an item's object. */
static void put_item(struct skep_json *j, const struct skep_item *i)
{
    skep_json_put_i64(j, SKEP_STR("id"), i->id);
    skep_json_put_i64(j, SKEP_STR("counter"), i->counter);
    skep_json_put_str(j, SKEP_STR("title"), i->title);
    put_text(j, SKEP_STR("type"), i->type);
    put_text(j, SKEP_STR("culprit"), i->culprit);
    put_text(j, SKEP_STR("dataset"), i->dataset);
    put_text(j, SKEP_STR("framework"), i->framework);
    put_text(j, SKEP_STR("stage"), i->stage);
    skep_json_put_str(j, SKEP_STR("fingerprint"), i->fingerprint);
    skep_json_put_str(j, SKEP_STR("status"), skep_item_status_name(i->status));
    skep_json_put_str(j, SKEP_STR("level"), skep_api__item_level_name(i->level));
    put_text(j, SKEP_STR("owner"), i->owner);
    if (i->merged_into)
        skep_json_put_i64(j, SKEP_STR("merged_into"), i->merged_into);
    skep_json_put_u64(j, SKEP_STR("total"), i->total);
    skep_json_put_u64(j, SKEP_STR("since_activated"), i->since_activated);
    put_ns(j, SKEP_STR("first_ns"), i->first_ns);
    put_ns(j, SKEP_STR("last_ns"), i->last_ns);
    put_ns(j, SKEP_STR("activated_ns"), i->activated_ns);
    put_ns(j, SKEP_STR("resolved_ns"), i->resolved_ns);
    put_ns(j, SKEP_STR("muted_ns"), i->muted_ns);
    put_text(j, SKEP_STR("resolved_in"), i->resolved_in);
    put_text(j, SKEP_STR("first_version"), i->first_version);
    put_text(j, SKEP_STR("last_version"), i->last_version);
    put_ns(j, SKEP_STR("mute_until_ns"), i->mute_until_ns);
    if (i->mute_until_total)
        skep_json_put_u64(j, SKEP_STR("mute_until_total"), i->mute_until_total);
    skep_api__put_row_id(j, SKEP_STR("first_row"), i->first_row);
    skep_api__put_row_id(j, SKEP_STR("last_row"), i->last_row);
}

/* The deploy that ran when it was first seen, and the one when it came back. */
static void put_deploys(struct skep_api__job *job, const struct skep_item *i)
{
    struct skep_json *j = &job->out.json;
    struct skep_deploy d;
    bool by_version = false;
    skep_err err;
    const struct {
        skep_str key, version;
        skep_ts_ns at_ns;
        bool is;
    } asked[] = {
        {SKEP_STR("suspect"), i->first_version, i->first_ns, true},
        {SKEP_STR("back_in"), i->last_version, i->activated_ns,
         i->status == SKEP_ITEM_ACTIVE && i->since_activated < i->total},
    };
    for (size_t k = 0; k < SKEP_ARRAY_LEN(asked); k++) {
        if (!asked[k].is || skep_state_deploy_before(job->api->cfg.state, i->environment, i->stage,
                                                     asked[k].version, asked[k].at_ns, &job->arena,
                                                     &d, &by_version, &err) != SKEP_OK)
            continue; /* an item without one is an item */
        skep_json_key(j, asked[k].key);
        skep_json_object(j);
        skep_api__put_deploy(j, &d);
        skep_json_put_str(j, SKEP_STR("by"), by_version ? SKEP_STR("version") : SKEP_STR("time"));
        skep_json_end(j);
    }
}

static void put_range(struct skep_json *j, const struct skep_api__item_range *r)
{
    skep_json_key(j, SKEP_STR("range"));
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("count"), r->count);
    skep_json_put_u64(j, SKEP_STR("twins"), r->twins);
    skep_json_put_u64(j, SKEP_STR("users"), r->users);
    skep_json_put_u64(j, SKEP_STR("hosts"), r->hosts);
    skep_json_key(j, SKEP_STR("series"));
    skep_json_array(j);
    for (size_t i = 0; i < SKEP_API_ITEM_SERIES; i++)
        skep_json_u64(j, r->series[i]);
    skep_json_end(j);
    skep_json_end(j);
}

/* --- parameters --- */

static bool bad(struct skep_api__job *job, skep_str field, skep_str text)
{
    const struct skep_api__error e = {.status = 400, .text = text, .field = field};
    skep_api__job_fail(job, &e);
    return false;
}

static bool read_number(struct skep_api__job *job, skep_str name, uint64_t max, uint64_t *ret)
{
    skep_str text = skep_api__param(job->req, name);
    if (text.n == 0)
        return true;
    if (skep_str_u64(text, ret) && *ret <= max)
        return true;
    return bad(job, name, SKEP_STR("a whole number is needed here"));
}

static bool read_statuses(struct skep_api__job *job, unsigned *ret)
{
    skep_str list = skep_api__param(job->req, SKEP_STR("status"));
    while (list.p && list.n) {
        enum skep_item_status s;
        if (!skep_item_status_parse(skep_str_cut(&list, ','), &s))
            return bad(job, SKEP_STR("status"), SKEP_STR("one of active, resolved, muted"));
        *ret |= 1u << s;
    }
    return true;
}

static bool read_order(struct skep_api__job *job, enum skep_item_order *ret)
{
    static const skep_str names[] = {[SKEP_ITEMS_BY_LAST] = SKEP_STR_INIT("last"),
                                     [SKEP_ITEMS_BY_FIRST] = SKEP_STR_INIT("first"),
                                     [SKEP_ITEMS_BY_TOTAL] = SKEP_STR_INIT("total"),
                                     [SKEP_ITEMS_BY_LEVEL] = SKEP_STR_INIT("level")};
    skep_str text = skep_api__param(job->req, SKEP_STR("order"));
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        if (text.n == 0 || skep_str_eq(text, names[i])) {
            *ret = (enum skep_item_order)i;
            return true;
        }
    }
    return bad(job, SKEP_STR("order"), SKEP_STR("one of last, first, total, level"));
}

/* start_time and end_time in seconds, or time_range up to now; the last day without. */
static bool read_range(struct skep_api__job *job, struct skep_time_range *ret)
{
    uint64_t end = (uint64_t)(skep_api__now(job->api) / ns_per_s) + 1, start;
    const uint64_t max = (uint64_t)(INT64_MAX / ns_per_s);
    uint64_t back = 86400;
    if (!read_number(job, SKEP_STR("end_time"), max, &end) ||
        !read_number(job, SKEP_STR("time_range"), max, &back))
        return false;
    start = end > back ? end - back : 0;
    if (!read_number(job, SKEP_STR("start_time"), max, &start))
        return false;
    if (start >= end)
        return bad(job, SKEP_STR("start_time"), SKEP_STR("the range ends before it begins"));
    *ret = (struct skep_time_range){(int64_t)start * ns_per_s, (int64_t)end * ns_per_s};
    return true;
}

/* deploy=7: what was new with it; deploy=7&since=back: what came back. */
static bool read_deploy(struct skep_api__job *job, struct skep_item_query *q)
{
    uint64_t id = 0;
    struct skep_deploy *d;
    size_t n = 0;
    skep_err err = {.text = ""};
    skep_str since = skep_api__param(job->req, SKEP_STR("since"));
    bool back = skep_str_eq(since, SKEP_STR("back"));
    if (!read_number(job, SKEP_STR("deploy"), INT64_MAX, &id))
        return false;
    if (since.n && !back && !skep_str_eq(since, SKEP_STR("new")))
        return bad(job, SKEP_STR("since"), SKEP_STR("one of new, back"));
    if (id == 0)
        return true;
    skep_rc rc = skep_state_deploys(job->api->cfg.state, q->environment, (int64_t)id, SKEP_STR_NULL,
                                    1, 0, &job->arena, &d, &n, &err);
    if (rc == SKEP_OK && n == 0)
        return bad(job, SKEP_STR("deploy"), SKEP_STR("no such deploy"));
    if (rc == SKEP_OK)
        rc = skep_api__deploy_window(job, &d[0], back, q, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

static bool read_query(struct skep_api__job *job, struct skep_item_query *q)
{
    uint64_t limit = 50, offset = 0;
    skep_str level = skep_api__param(job->req, SKEP_STR("level"));
    *q = (struct skep_item_query){.environment = job->req->caller.environment,
                                  .stage = skep_api__param(job->req, SKEP_STR("stage")),
                                  .owner = skep_api__param(job->req, SKEP_STR("owner")),
                                  .words =
                                      skep_str_trim(skep_api__param(job->req, SKEP_STR("words")))};
    if (level.n && !skep_api__item_level_parse(level, &q->level_min))
        return bad(job, SKEP_STR("level"),
                   SKEP_STR("one of debug, info, warning, error, critical"));
    if (!read_statuses(job, &q->statuses) || !read_order(job, &q->order) ||
        !read_number(job, SKEP_STR("limit"), LIST_MAX, &limit) ||
        !read_number(job, SKEP_STR("offset"), UINT32_MAX, &offset))
        return false;
    q->limit = limit ? (unsigned)limit : 50;
    q->offset = (unsigned)offset;
    return read_deploy(job, q);
}

/* --- the list --- */

/* How many there are of each status, the other conditions as asked. */
static skep_rc put_counts(struct skep_api__job *job, skep_str environment,
                          const uint64_t counts[SKEP_ITEM_STATUSES], skep_err *err)
{
    struct skep_json *j = &job->out.json;
    uint64_t n = 0;
    SKEP_TRY(skep_state_items_number(job->api->cfg.state, environment, &n, err));
    skep_json_key(j, SKEP_STR("counts"));
    skep_json_object(j);
    for (int s = SKEP_ITEM_ACTIVE; s <= SKEP_ITEM_MUTED; s++)
        skep_json_put_u64(j, skep_item_status_name((enum skep_item_status)s), counts[s]);
    skep_json_end(j);
    skep_json_key(j, SKEP_STR("bound"));
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("items"), n);
    skep_json_put_u64(j, SKEP_STR("max"), skep_state_items_limit(job->api->cfg.state));
    skep_json_end(j);
    return SKEP_OK;
}

static skep_rc put_list(struct skep_api__job *job, const struct skep_item_query *q,
                        struct skep_time_range range, bool cut, skep_err *err)
{
    struct skep_json *j = &job->out.json;
    struct skep_item *items;
    size_t n;
    uint64_t counts[SKEP_ITEM_STATUSES];
    skep_api__items_wait(job);
    SKEP_TRY(skep_state_items_page(job->api->cfg.state, q, &job->arena, &items, &n, counts, err));
    struct skep_api__item_range *ranges =
        skep_new_n(&job->arena, struct skep_api__item_range, n + 1);
    SKEP_TRY(skep_api__items_range(job, range, SKEP_API_ITEM_SERIES, items, n, ranges, err));
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("items"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        skep_json_object(j);
        put_item(j, &items[i]);
        put_deploys(job, &items[i]);
        put_range(j, &ranges[i]);
        skep_json_end(j);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_put_u64(j, SKEP_STR("total"), skep_item_counts_all(q, counts));
    skep_json_put_bool(j, SKEP_STR("cut"), cut);
    SKEP_TRY(put_counts(job, q->environment, counts, err));
    skep_json_put_f64(j, SKEP_STR("start_ms"), (double)range.start_ns / 1e6);
    skep_json_put_f64(j, SKEP_STR("end_ms"), (double)range.end_ns / 1e6);
    skep_json_end(j);
    skep_api__out_end(&job->out);
    return SKEP_OK;
}

static void list(struct skep_api__job *job)
{
    struct skep_item_query q;
    struct skep_time_range range;
    bool cut = false;
    skep_err err = {.text = ""};
    if (!read_query(job, &q) || !read_range(job, &range) ||
        !skep_api__items_search(job, skep_api__param(job->req, SKEP_STR("q")), range, &q, &cut))
        return;
    skep_rc rc = put_list(job, &q, range, cut, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
}

/* --- one --- */

static void put_history(struct skep_json *j, const struct skep_item_line *lines, size_t n)
{
    skep_json_key(j, SKEP_STR("history"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        skep_json_object(j);
        skep_json_put_i64_str(j, SKEP_STR("at_ns"), lines[i].at_ns);
        put_text(j, SKEP_STR("actor"), lines[i].actor);
        skep_json_put_str(j, SKEP_STR("what"), lines[i].what);
        put_text(j, SKEP_STR("before"), lines[i].before);
        put_text(j, SKEP_STR("after"), lines[i].after);
        skep_json_end(j);
    }
    skep_json_end(j);
}

static skep_rc put_one(struct skep_api__job *job, int64_t id, struct skep_time_range range,
                       skep_err *err)
{
    struct skep_state *state = job->api->cfg.state;
    struct skep_json *j = &job->out.json;
    struct skep_item item, *members;
    struct skep_item_line *lines;
    struct skep_api__item_range seen;
    size_t n_members, n_lines;
    uint64_t all;
    skep_api__items_wait(job);
    SKEP_TRY(
        skep_state_item_get(state, job->req->caller.environment, id, 0, &job->arena, &item, err));
    const struct skep_item_query q = {
        .environment = item.environment, .members_of = id, .limit = 1000};
    SKEP_TRY(skep_state_items(state, &q, &job->arena, &members, &n_members, &all, err));
    SKEP_TRY(skep_state_item_history(state, id, &job->arena, &lines, &n_lines, err));
    SKEP_TRY(skep_api__items_range(job, range, SKEP_API_ITEM_SERIES, &item, 1, &seen, err));
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    put_item(j, &item);
    put_deploys(job, &item);
    put_range(j, &seen);
    skep_json_key(j, SKEP_STR("members"));
    skep_json_array(j);
    for (size_t i = 0; i < n_members; i++) {
        skep_json_object(j);
        put_item(j, &members[i]);
        skep_json_end(j);
    }
    skep_json_end(j);
    put_history(j, lines, n_lines);
    skep_json_end(j);
    skep_api__out_end(&job->out);
    return SKEP_OK;
}

static void one(struct skep_api__job *job)
{
    int64_t id = 0;
    struct skep_time_range range;
    skep_err err = {.text = "no such item"};
    if (!read_range(job, &range))
        return;
    skep_rc rc = skep_str_i64(skep_request_capture(job->req, 0), &id) ? SKEP_OK : SKEP_ENOTFOUND;
    if (rc == SKEP_OK)
        rc = put_one(job, id, range, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
}

static void handle_list(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, list);
}
static void handle_one(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, one);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/items",
     .handle = handle_list,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "GET",
     .path = "/skep/v1/items/:id",
     .handle = handle_one,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_items = {routes, SKEP_ARRAY_LEN(routes)};
