// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/grouping-rules/preview: what a rule would make of the newest occurrences
 * (docs/api/page.md).
 *
 *   {rule, id?}: id = the rule that it stands for; otherwise it stands behind the others
 *   newest occurrences -> judged by the rules as they are, and with this one -> those for which it
 *   holds, by where they would go, and from where
 *
 * Threads: workers.  Memory: the job's arena and budget: an occurrence's document is read with it.
 */
#include <yyjson.h>

#include "api/grouping.h"
#include "api/items.h"
#include "api/people.h"
#include "event/batch.h"
#include "query/query.h"
#include "stack/stack.h"

enum { SAMPLE_ROWS = 200, GROUPS_MAX = 50 };
static const int64_t sample_ns = 7 * 86400 * 1000000000ll;

/* --- a row as a subject --- */

struct subject {
    struct skep_api__job *job;
    struct skep_arena *arena;
    const struct skep_row *row;
};

static skep_str text_of(struct skep_arena *arena, const struct skep_row *row, skep_str name)
{
    skep_value v = skep_api__field(arena, row, name);
    if (v.type == SKEP_TYPE_INT)
        return skep_arena_printf(arena, "%lld", (long long)v.i);
    if (v.type == SKEP_TYPE_BOOL)
        return v.b ? SKEP_STR("true") : SKEP_STR("false");
    return v.type == SKEP_TYPE_STRING ? v.s : SKEP_STR_NULL;
}

/* As it came, before rules. */
static skep_str field_of(void *ctx, skep_str name)
{
    const struct subject *s = ctx;
    skep_str before = SKEP_STR_NULL;
    if (skep_str_eq(name, SKEP_STR("error.fingerprint")))
        before = text_of(s->arena, s->row, SKEP_GROUPING_BEFORE_FIELD);
    return before.n ? before : text_of(s->arena, s->row, name);
}

static bool stack_of(void *ctx, struct skep_stack *ret)
{
    const struct subject *s = ctx;
    skep_api__stack_of(&s->job->arena, s->job->req->caller.environment, s->row,
                       s->job->api->cfg.symbols, ret);
    return ret->n > 0 && ret->chain[0].n_frames > 0;
}

static skep_str title_of(struct skep_arena *arena, const struct skep_row *row)
{
    skep_str type = text_of(arena, row, SKEP_STR("exception.type"));
    skep_str message = text_of(arena, row, SKEP_STR("exception.message"));
    message = message.n ? message : text_of(arena, row, SKEP_STR("body"));
    if (row->kind == SKEP_KIND_ERROR && row->name.n)
        return row->name;
    return type.n ? skep_arena_printf(arena, SKEP_STRFMT ": " SKEP_STRFMT, SKEP_STRARG(type),
                                      SKEP_STRARG(message))
                  : message;
}

/* --- groups --- */

struct group {
    skep_str fingerprint, title;
    uint64_t n;
    struct group *from; /* GROUPS_MAX; NULL in those of `from` */
    size_t n_from;
};

/* The group of a fingerprint, with one more; NULL: there is no room for another. */
static struct group *count(struct group *list, size_t *n, skep_str fingerprint, skep_str title)
{
    for (size_t i = 0; i < *n; i++) {
        if (skep_str_eq(list[i].fingerprint, fingerprint)) {
            list[i].n++;
            return &list[i];
        }
    }
    if (*n == GROUPS_MAX)
        return NULL;
    list[*n] = (struct group){.fingerprint = fingerprint, .title = title, .n = 1};
    return &list[(*n)++];
}

struct preview {
    struct skep_api__job *job;
    struct skep_grouping_rule *now, *then; /* rules */
    size_t n_now, n_then;
    const struct skep_grouping_rule *asked; /* in `then` */
    struct group *groups;
    size_t n_groups;
    uint64_t looked, held;
};

static skep_str goes_to(const struct skep_grouping_verdict *v)
{
    return v->fingerprint.n ? v->fingerprint : v->before;
}

static void look(struct preview *p, const struct skep_row *row)
{
    struct skep_arena *arena = &p->job->arena;
    struct subject s = {.job = p->job, .arena = arena, .row = row};
    const struct skep_grouping_subject subject = {.ctx = &s, .field = field_of, .stack = stack_of};
    struct skep_grouping_verdict now, then;
    p->looked++;
    skep_grouping_judge(p->then, p->n_then, &subject, arena, &then);
    if (then.rule != p->asked)
        return;
    p->held++;
    skep_grouping_judge(p->now, p->n_now, &subject, arena, &now);
    skep_str title = title_of(arena, row);
    struct group *g =
        count(p->groups, &p->n_groups, goes_to(&then), then.title.n ? then.title : title);
    if (!g)
        return;
    if (!g->from)
        g->from = skep_new_n(arena, struct group, GROUPS_MAX);
    (void)count(g->from, &g->n_from, goes_to(&now), now.title.n ? now.title : title);
}

static void put_groups(struct skep_json *j, skep_str key, const struct group *list, size_t n)
{
    skep_json_key(j, key);
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        skep_json_object(j);
        skep_json_put_str(j, SKEP_STR("fingerprint"), list[i].fingerprint);
        skep_json_put_str(j, SKEP_STR("title"), list[i].title);
        skep_json_put_u64(j, SKEP_STR("count"), list[i].n);
        if (list[i].from)
            put_groups(j, SKEP_STR("from"), list[i].from, list[i].n_from);
        skep_json_end(j);
    }
    skep_json_end(j);
}

static skep_rc sample(struct skep_api__job *job, struct skep_rows *ret, skep_err *err)
{
    static const struct skep_expr has_fingerprint = {
        .op = SKEP_EXPR_TEST,
        .test = {.field = {.name = SKEP_STR_INIT("error.fingerprint")}, .op = SKEP_CMP_EXISTS}};
    skep_ts_ns now = skep_api__now(job->api);
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                             .range = {now - sample_ns, INT64_MAX},
                             .filter = &has_fingerprint,
                             .limit = SAMPLE_ROWS,
                             .raw = true};
    struct skep_answer a = {0};
    SKEP_TRY(skep_query_run(job->api->cfg.store, &plan, &job->opts, &a, err));
    *ret = a.rows;
    return SKEP_OK;
}

/* The rules as they would be. */
static void place(struct preview *p, const struct skep_grouping_rule *rule, int64_t id)
{
    p->then = skep_new_n(&p->job->arena, struct skep_grouping_rule, p->n_now + 1);
    p->n_then = p->n_now;
    for (size_t i = 0; i < p->n_now; i++) {
        p->then[i] = p->now[i];
        if (id != 0 && p->now[i].id == id) {
            p->then[i] = *rule;
            p->asked = &p->then[i];
        }
    }
    if (p->asked)
        return;
    p->then[p->n_then] = *rule;
    p->asked = &p->then[p->n_then++];
}

static void answer(struct preview *p)
{
    struct skep_json *j = &p->job->out.json;
    skep_api__json_begin(p->job, 200);
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("looked"), p->looked);
    skep_json_put_u64(j, SKEP_STR("held"), p->held);
    put_groups(j, SKEP_STR("groups"), p->groups, p->n_groups);
    skep_json_end(j);
    skep_api__out_end(&p->job->out);
}

static skep_rc run(struct skep_api__job *job, const struct skep_grouping_rule *rule, int64_t id,
                   skep_err *err)
{
    struct preview p = {.job = job, .groups = skep_new_n(&job->arena, struct group, GROUPS_MAX)};
    struct skep_rows rows;
    SKEP_TRY(skep_api__grouping_rules(job, &p.now, &p.n_now, err));
    SKEP_TRY(sample(job, &rows, err));
    place(&p, rule, id);
    for (size_t i = 0; i < rows.n; i++) {
        if (rows.rows[i].kind != SKEP_KIND_SPAN)
            look(&p, &rows.rows[i]);
    }
    answer(&p);
    return SKEP_OK;
}

static void preview(struct skep_api__job *job)
{
    struct skep_grouping_rule rule;
    skep_err err = {.text = ""};
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    yyjson_val *root = yyjson_doc_get_root(doc), *id = yyjson_obj_get(root, "id");
    int64_t stands_for = yyjson_is_uint(id) ? (int64_t)yyjson_get_uint(id) : 0;
    bool good = skep_api__grouping_read(job, yyjson_obj_get(root, "rule"), &rule);
    yyjson_doc_free(doc);
    if (!good)
        return;
    skep_rc rc = run(job, &rule, stands_for, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
}

SKEP_API__HANDLER(handle, preview)

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/grouping-rules/preview",
     .handle = handle,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 64 << 10,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_grouping_preview = {routes, SKEP_ARRAY_LEN(routes)};
