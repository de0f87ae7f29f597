// SPDX-License-Identifier: Apache-2.0
/* Rollbar's calls for items (docs/api/rollbar.md):
 *
 *   GET   /api/1/items/                 a page of them
 *   GET   /api/1/item/:id               one; /api/1/item/?counter=N too
 *   GET   /api/1/item_by_counter/:n     301 to it
 *   PATCH /api/1/item/:id               status, level, title, resolved_in_version, assigned_user_id
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/rollbar_priv.h"

#include "base/assert.h"

enum { PAGE_ITEMS = 100, LIMIT_MAX = 5000, LIST_MAX = 1000, PAGE_MAX = 1000000 };

void skep_api__rb_item_members(struct skep_json *j, const struct skep_item *i)
{
    int64_t controlling = i->merged_into ? i->merged_into : i->id;
    skep_json_put_i64(j, SKEP_STR("id"), i->id);
    skep_json_put_i64(j, SKEP_STR("counter"), i->counter);
    skep_json_put_str(j, SKEP_STR("title"), i->title);
    skep_json_put_str(j, SKEP_STR("environment"), i->stage);
    skep_json_put_str(j, SKEP_STR("hash"), i->fingerprint);
    skep_json_put_u64(j, SKEP_STR("total_occurrences"), i->since_activated);
    skep_api__rb_put_null(j, SKEP_STR("unique_occurrences"));
    skep_json_put_i64(j, SKEP_STR("first_occurrence_id"), skep_api__rb_occurrence_id(i->first_row));
    skep_json_put_i64(j, SKEP_STR("last_occurrence_id"), skep_api__rb_occurrence_id(i->last_row));
    skep_json_put_i64(j, SKEP_STR("activating_occurrence_id"),
                      skep_api__rb_occurrence_id(i->activating_row));
    skep_api__rb_put_s(j, SKEP_STR("first_occurrence_timestamp"), i->first_ns);
    skep_api__rb_put_s(j, SKEP_STR("last_occurrence_timestamp"), i->last_ns);
    skep_api__rb_put_s(j, SKEP_STR("last_activated_timestamp"), i->activated_ns);
    skep_api__rb_put_s(j, SKEP_STR("last_resolved_timestamp"), i->resolved_ns);
    skep_api__rb_put_s(j, SKEP_STR("last_muted_timestamp"), i->muted_ns);
    skep_api__rb_put_text(j, SKEP_STR("resolved_in_version"), i->resolved_in);
    skep_api__rb_put_null(j, SKEP_STR("assigned_user_id")); // owners have names, not numbers
    skep_api__rb_put_text(j, SKEP_STR("assigned_user"), i->owner);
    skep_json_put_u64(j, SKEP_STR("level_lock"), i->level_set);
    skep_json_put_u64(j, SKEP_STR("title_lock"), i->title_set);
    skep_json_put_i64(j, SKEP_STR("controlling_id"), controlling);
    skep_json_key(j, SKEP_STR("group_item_id"));
    if (i->merged_into)
        skep_json_i64(j, i->merged_into);
    else
        skep_json_null(j);
}

void skep_api__rb_item(struct skep_json *j, const struct skep_item *i)
{
    skep_json_object(j);
    skep_api__rb_item_members(j, i);
    skep_json_put_str(j, SKEP_STR("level"), skep_api__item_level_name(i->level));
    skep_json_put_str(j, SKEP_STR("status"), skep_item_status_name(i->status));
    skep_json_put_str(j, SKEP_STR("framework"),
                      i->framework.n ? i->framework : SKEP_STR("unknown"));
    skep_json_end(j);
}

// --- the list ----------------------------------------------------------------------------------

static bool read_sets(struct skep_api__job *job, struct skep_item_query *q)
{
    const skep_str *list;
    size_t n = skep_api__rb_list(job, SKEP_STR("status"), &list, LIST_MAX);
    for (size_t i = 0; i < n; i++) {
        enum skep_item_status s;
        if (!skep_api__rb_status_parse(list[i], &s))
            return skep_api__rb_invalid(job, SKEP_STR("status is active, resolved or muted"));
        q->statuses |= 1u << s;
    }
    n = skep_api__rb_list(job, SKEP_STR("level"), &list, LIST_MAX);
    for (size_t i = 0; i < n; i++) {
        int level;
        if (!skep_api__rb_level_parse(list[i], &level))
            return skep_api__rb_invalid(
                job, SKEP_STR("level is debug, info, warning, error or critical"));
        q->levels |= 1u << (level / 10);
    }
    q->n_stages = skep_api__rb_list(job, SKEP_STR("environment"), &q->stages, LIST_MAX);
    return true;
}

static bool read_ids(struct skep_api__job *job, struct skep_item_query *q)
{
    const skep_str *list;
    size_t n = skep_api__rb_list(job, SKEP_STR("ids"), &list, LIST_MAX);
    int64_t *ids = skep_new_n(&job->arena, int64_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (!skep_str_i64(list[i], &ids[i]))
            return skep_api__rb_invalid(job, SKEP_STR("ids are whole numbers between commas"));
    }
    q->ids = ids;
    q->n_ids = n;
    return true;
}

/* assigned_user: a name, "unassigned", or absent. */
static bool read_owner(struct skep_api__job *job, struct skep_item_query *q)
{
    skep_str owner = skep_api__param(job->req, SKEP_STR("assigned_user"));
    if (skep_str_eq(owner, SKEP_STR("assigned")))
        return skep_api__rb_invalid(job, SKEP_STR("assigned_user is a name or unassigned"));
    q->owner = skep_str_eq(owner, SKEP_STR("unassigned")) ? SKEP_STR("-") : owner;
    return true;
}

/* What would be answered as if it had not been asked is refused. */
static bool no_others(struct skep_api__job *job)
{
    static const skep_str names[] = {SKEP_STR_INIT("framework"), SKEP_STR_INIT("project_ids"),
                                     SKEP_STR_INIT("date_from"), SKEP_STR_INIT("date_to")};
    skep_str value;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        if (skep_request_param(job->req, names[i], &value))
            return skep_api__rb_invalid(job, skep_arena_printf(&job->arena,
                                                               SKEP_STRFMT " is not supported here",
                                                               SKEP_STRARG(names[i])));
    }
    return true;
}

static void put_list(struct skep_api__job *job, const struct skep_item_query *q, uint64_t page)
{
    struct skep_json *j = &job->out.json;
    struct skep_item *items;
    size_t n;
    uint64_t all;
    skep_err err = {.text = ""};
    skep_rc rc = skep_state_items(job->api->cfg.state, q, &job->arena, &items, &n, &all, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("page"), page);
    skep_json_put_u64(j, SKEP_STR("total_count"), all);
    skep_json_key(j, SKEP_STR("items"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        skep_api__rb_item(j, &items[i]);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__rb_end(job);
}

static void list(struct skep_api__job *job)
{
    struct skep_item_query q = {.environment = job->req->caller.environment,
                                .words =
                                    skep_str_trim(skep_api__param(job->req, SKEP_STR("query")))};
    uint64_t page = 1, limit = PAGE_ITEMS;
    if (!no_others(job) || !read_sets(job, &q) || !read_ids(job, &q) || !read_owner(job, &q) ||
        !skep_api__rb_number(job, SKEP_STR("page"), PAGE_MAX / PAGE_ITEMS, &page) ||
        !skep_api__rb_number(job, SKEP_STR("limit"), LIMIT_MAX, &limit))
        return;
    q.limit = (unsigned)limit;
    q.offset = (unsigned)((page - 1) * limit);
    skep_api__items_wait(job);
    put_list(job, &q, page);
}

// --- one ---------------------------------------------------------------------------------------

/* By id or by counter, the other 0; false after a refusal. */
static bool get(struct skep_api__job *job, int64_t id, int64_t counter, struct skep_item *ret)
{
    skep_err err = {.text = ""};
    skep_api__items_wait(job);
    skep_rc rc = skep_state_item_get(job->api->cfg.state, job->req->caller.environment, id, counter,
                                     &job->arena, ret, &err);
    if (rc != SKEP_OK)
        skep_api__rb_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

static void put_one(struct skep_api__job *job, const struct skep_item *item)
{
    skep_api__rb_begin(job, 200);
    skep_api__rb_item(&job->out.json, item);
    skep_api__rb_end(job);
}

static void one(struct skep_api__job *job)
{
    int64_t id;
    struct skep_item item;
    if (skep_api__rb_id(job, SKEP_STR("item"), &id) && get(job, id, 0, &item))
        put_one(job, &item);
}

static void by_parameter(struct skep_api__job *job)
{
    uint64_t counter = 0;
    struct skep_item item;
    if (!skep_api__rb_number(job, SKEP_STR("counter"), INT64_MAX, &counter))
        return;
    if (counter == 0)
        (void)skep_api__rb_invalid(job, SKEP_STR("counter=N says which item"));
    else if (get(job, 0, (int64_t)counter, &item))
        put_one(job, &item);
}

/* The token goes along, as Rollbar's does, if it came in the query and is one. */
static skep_str token_of(struct skep_api__job *job)
{
    skep_str token = skep_api__param(job->req, SKEP_STR("access_token"));
    for (size_t i = 0; i < token.n; i++) {
        char c = token.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return SKEP_STR("");
    }
    return token.n
               ? skep_arena_printf(&job->arena, "?access_token=" SKEP_STRFMT, SKEP_STRARG(token))
               : SKEP_STR("");
}

static void by_counter(struct skep_api__job *job)
{
    int64_t counter;
    struct skep_item item;
    struct skep_json *j = &job->out.json;
    if (!skep_api__rb_id(job, SKEP_STR("item"), &counter) || !get(job, 0, counter, &item))
        return;
    skep_str path = skep_arena_printf(&job->arena, "/item/%lld", (long long)item.id);
    skep_str uri = skep_arena_printf(&job->arena, "/api/1" SKEP_STRFMT SKEP_STRFMT,
                                     SKEP_STRARG(path), SKEP_STRARG(token_of(job)));
    skep_api__rb_begin(job, 301);
    skep_api__out_header(&job->out, SKEP_STR("Location"), uri);
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("itemId"), item.id);
    skep_json_put_str(j, SKEP_STR("path"), path);
    skep_json_put_str(j, SKEP_STR("uri"), uri);
    skep_json_end(j);
    skep_api__rb_end(job);
}

// --- a change ----------------------------------------------------------------------------------

/* A member that is a name or a number, as text. */
static skep_str word_of(struct skep_api__job *job, yyjson_val *v)
{
    if (yyjson_is_str(v))
        return (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
    if (yyjson_is_uint(v))
        return skep_arena_printf(&job->arena, "%llu", (unsigned long long)yyjson_get_uint(v));
    return SKEP_STR("");
}

static bool read_enums(struct skep_api__job *job, yyjson_val *root, struct skep_item_patch *p)
{
    yyjson_val *status = yyjson_obj_get(root, "status"), *level = yyjson_obj_get(root, "level");
    p->set_status = status != NULL;
    p->set_level = level != NULL;
    if (status && !skep_api__rb_status_parse(word_of(job, status), &p->status))
        return skep_api__rb_invalid(job, SKEP_STR("status is active, resolved or muted"));
    if (level && !skep_api__rb_level_parse(word_of(job, level), &p->level))
        return skep_api__rb_invalid(job,
                                    SKEP_STR("level is debug, info, warning, error or critical"));
    return true;
}

static bool read_patch(struct skep_api__job *job, yyjson_val *root, struct skep_item_patch *p)
{
    static const char *const refused[] = {
        "snoozed", "snooze_enabled", "snooze_expiration_in_seconds", "team_id", "assigned_team_id"};
    yyjson_val *user = yyjson_obj_get(root, "assigned_user_id");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(refused); i++) {
        yyjson_val *v = yyjson_obj_get(root, refused[i]);
        if (v && !yyjson_is_null(v) && !yyjson_is_false(v))
            return skep_api__rb_invalid(
                job, skep_arena_printf(&job->arena, "%s is not supported here", refused[i]));
    }
    if (user && !yyjson_is_null(user))
        return skep_api__rb_invalid(job, SKEP_STR("assigned_user_id can only be null: owners have "
                                                  "names here (PATCH /skep/v1/items)"));
    p->set_owner = user != NULL;
    if (!read_enums(job, root, p) ||
        !skep_api__rb_text(job, root, "title", SKEP_ITEM_TITLE_MAX, &p->set_title, &p->title) ||
        !skep_api__rb_text(job, root, "resolved_in_version", SKEP_ITEM_VERSION_MAX,
                           &p->set_resolved_in, &p->resolved_in))
        return false;
    p->set_resolved_in |=
        yyjson_obj_get(root, "resolved_in_version") != NULL; // null: none any more
    if (p->set_title && p->title.n == 0)
        return skep_api__rb_invalid(job, SKEP_STR("title is not empty"));
    if (!p->set_owner && !p->set_status && !p->set_level && !p->set_title && !p->set_resolved_in)
        return skep_api__rb_invalid(job, SKEP_STR("nothing that can be changed is named"));
    return true;
}

static void change(struct skep_api__job *job)
{
    int64_t id;
    struct skep_item_patch p = {.set_status = false};
    struct skep_item item;
    skep_err err = {.text = ""};
    yyjson_doc *doc = skep_api__rb_id(job, SKEP_STR("item"), &id) ? skep_api__rb_body(job) : NULL;
    if (!doc)
        return;
    bool ok = read_patch(job, yyjson_doc_get_root(doc), &p);
    yyjson_doc_free(doc);
    if (!ok)
        return;
    skep_api__items_wait(job);
    const struct skep_caller *who = &job->req->caller;
    skep_rc rc = skep_state_item_patch(job->api->cfg.state, who->environment, id, &p, who->actor,
                                       skep_api__now(job->api), &err);
    if (rc != SKEP_OK)
        skep_api__rb_fail_rc(job, rc, &err);
    else if (get(job, id, 0, &item))
        put_one(job, &item);
}

// --- routes ------------------------------------------------------------------------------------

static const struct skep_route routes[] = {
    SKEP_API__RB_READ("/api/1/items", list),
    SKEP_API__RB_READ("/api/1/item/:id", one),
    SKEP_API__RB_READ("/api/1/item", by_parameter),
    SKEP_API__RB_READ("/api/1/item_by_counter/:n", by_counter),
    SKEP_API__RB_WRITE("PATCH", "/api/1/item/:id", change, 1 << 16),
};

const struct skep_api__routes skep_api__rollbar_items = {routes, SKEP_ARRAY_LEN(routes)};
