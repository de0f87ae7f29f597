// SPDX-License-Identifier: Apache-2.0
/* A search for errors -> which items (docs/api/page.md, items).
 *
 *   words, and fields of the item itself     conditions of the list                  table `own`
 *   fields of occurrences                    the store says which fingerprints have   table `rows`;
 *                                            an occurrence with all of them in the    any other
 * field range; of each excluded one, too         by its name
 *
 * I1  of more than FOUND_MAX fingerprints those with the most occurrences are taken, and the answer
 *     says so; where they are to be left out, those beyond would be shown: that is refused.
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/items.h"

#include "base/assert.h"
#include "lang/search.h"
#include "query/query.h"

enum { FOUND_MAX = SKEP_LIMIT_PLAN_RESULT_GROUPS };

static const struct {
    const char *field;
    enum skep_item_column column;
} own[] = {
    {"title", SKEP_ITEM_TITLE},       {"class", SKEP_ITEM_TYPE},
    {"type", SKEP_ITEM_TYPE},         {"file", SKEP_ITEM_CULPRIT},
    {"function", SKEP_ITEM_CULPRIT},  {"place", SKEP_ITEM_CULPRIT},
    {"dataset", SKEP_ITEM_DATASET},   {"framework", SKEP_ITEM_FRAMEWORK},
    {"owner", SKEP_ITEM_OWNER},       {"env", SKEP_ITEM_STAGE},
    {"environment", SKEP_ITEM_STAGE}, {"fingerprint", SKEP_ITEM_FINGERPRINT},
};

static const struct {
    const char *field, *name;
} rows[] = {
    {"host", "host.name"},
    {"version", "service.version"},
    {"code_version", "service.version"},
    {"service", "service.name"},
    {"person", "user.id"},
    {"user", "user.name"},
    {"email", "user.email"},
    {"ip", "client.address"},
    {"url", "url.full"},
    {"method", "http.request.method"},
    {"context", "error.context"},
    {"language", "telemetry.sdk.language"},
    {"source", "meta.source"},
    {"browser", "user_agent.name"},
    {"trace", "trace.trace_id"},
    {"message", "exception.message"},
};

static bool refuse(struct skep_api__job *job, const struct skep_search_term *t, const char *text)
{
    skep_api__job_fail(job, &(struct skep_api__error){.status = 400,
                                                      .text = skep_str_c(text),
                                                      .field = SKEP_STR("q"),
                                                      .has_at = true,
                                                      .at = t->at,
                                                      .end = t->end});
    return false;
}

/* No item at all. */
static void nothing(struct skep_item_query *q)
{
    static const int64_t nobody = -1;
    q->ids = &nobody;
    q->n_ids = 1;
}

// --- of the item -------------------------------------------------------------------------------

/* level:error,critical; level:>=warning */
static bool add_level(struct skep_api__job *job, const struct skep_search_term *t,
                      struct skep_item_query *q)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < t->n_values; i++) {
        skep_str name = t->values[i].text;
        bool above = skep_str_starts(name, SKEP_STR(">="));
        int level, last = above ? SKEP_ITEM_CRITICAL : 0;
        if (!skep_api__item_level_parse(above ? skep_str_skip(name, 2) : name, &level))
            return refuse(job, t, "a level is debug, info, warning, error or critical");
        for (int l = level; l <= SKEP_MAX(level, last); l += 10)
            bits |= 1u << (l / 10);
    }
    bits = t->negative ? ~bits & 0x3e : bits; /* of 10 to 50 */
    q->levels = q->levels ? q->levels & bits : bits;
    if (q->levels == 0)
        nothing(q);
    return true;
}

static bool add_status(struct skep_api__job *job, const struct skep_search_term *t,
                       struct skep_item_query *q)
{
    unsigned bits = 0,
             all = 1u << SKEP_ITEM_ACTIVE | 1u << SKEP_ITEM_RESOLVED | 1u << SKEP_ITEM_MUTED;
    for (unsigned i = 0; i < t->n_values; i++) {
        enum skep_item_status s;
        if (!skep_item_status_parse(t->values[i].text, &s))
            return refuse(job, t, "a status is active, resolved or muted");
        bits |= 1u << s;
    }
    bits = t->negative ? all & ~bits : bits;
    q->statuses = q->statuses ? q->statuses & bits : bits;
    if (q->statuses == 0)
        nothing(q);
    return true;
}

/* A condition on a column, or words; false: the field is none of the item's. */
static bool add_own(struct skep_api__job *job, const struct skep_search_term *t,
                    struct skep_item_query *q, struct skep_item_term *terms)
{
    enum skep_item_column column = SKEP_ITEM_WORDS;
    size_t i = 0;
    while (t->field.n && i < SKEP_ARRAY_LEN(own) &&
           !skep_str_ieq(t->field, skep_str_c(own[i].field)))
        i++;
    if (t->field.n && i == SKEP_ARRAY_LEN(own))
        return false;
    column = t->field.n ? own[i].column : column;
    skep_str *values = skep_new_n(&job->arena, skep_str, t->n_values);
    for (unsigned k = 0; k < t->n_values; k++) {
        bool nobody =
            column == SKEP_ITEM_OWNER && skep_str_ieq(t->values[k].text, SKEP_STR("none"));
        values[k] = nobody ? SKEP_STR("") : t->values[k].text;
    }
    terms[q->n_terms++] = (struct skep_item_term){
        .column = column, .values = values, .n_values = t->n_values, .negative = t->negative};
    return true;
}

// --- of occurrences ----------------------------------------------------------------------------

/* "web*" begins with it, "*web" ends, "*web*" holds it; in quotes a star is one. */
static skep_rc test_of(struct skep_api__job *job, skep_str name, const struct skep_search_value *v,
                       const struct skep_expr **ret, struct skep_lang_issue *issue)
{
    skep_str text = v->text, op = SKEP_STR("=");
    bool front = !v->quoted && skep_str_starts(text, SKEP_STR("*"));
    bool back = !v->quoted && text.n > 1 && skep_str_ends(text, SKEP_STR("*"));
    text = front ? skep_str_skip(text, 1) : text;
    text.n -= back;
    if (front && text.n == 0)
        return skep_lang_test(name, SKEP_STR("exists"), text, &job->arena, ret, issue);
    if (front || back)
        op = front && back ? SKEP_STR("contains")
             : back        ? SKEP_STR("starts-with")
                           : SKEP_STR("ends-with");
    return skep_lang_test(name, op, text, &job->arena, ret, issue);
}

static skep_str row_field(skep_str field)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++) {
        if (skep_str_ieq(field, skep_str_c(rows[i].field)))
            return skep_str_c(rows[i].name);
    }
    return field;
}

static const struct skep_expr *joined(struct skep_arena *a, enum skep_expr_op op,
                                      const struct skep_expr **list, unsigned n)
{
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, n);
    struct skep_expr *ret = skep_new(a, struct skep_expr);
    for (unsigned i = 0; i < n; i++) {
        kids[i] = skep_new(a, struct skep_expr);
        *kids[i] = *list[i];
    }
    *ret = (struct skep_expr){.op = op, .kids = kids, .n_kids = n};
    return ret;
}

/* Any of the values; NULL: refused. */
static const struct skep_expr *expr_of(struct skep_api__job *job, const struct skep_search_term *t)
{
    struct skep_lang_issue issue;
    const struct skep_expr **any = skep_new_n(&job->arena, const struct skep_expr *, t->n_values);
    for (unsigned i = 0; i < t->n_values; i++) {
        if (test_of(job, row_field(t->field), &t->values[i], &any[i], &issue) != SKEP_OK) {
            (void)refuse(job, t, issue.text);
            return NULL;
        }
    }
    return joined(&job->arena, SKEP_EXPR_OR, any, t->n_values);
}

struct found {
    int64_t *ids;
    size_t n;
    bool cut; /* I1 */
};

static skep_str text_of(const skep_value *v)
{
    return v->type == SKEP_TYPE_STRING ? v->s : SKEP_STR("");
}

/* Items (those that members are merged into) of the groups of an answer. */
static skep_rc items_of(struct skep_api__job *job, const struct skep_result *r, int64_t **ret,
                        size_t *ret_n, skep_err *err)
{
    int64_t *ids = skep_new_n(&job->arena, int64_t, r->n_groups + 1);
    struct skep_item item;
    size_t n = 0;
    for (size_t i = 0; i < r->n_groups; i++) {
        skep_str stage = text_of(&r->groups[i].key[1]);
        stage = stage.n ? stage : text_of(&r->groups[i].key[2]);
        skep_rc rc = skep_state_item_find(job->api->cfg.state, job->req->caller.environment, stage,
                                          text_of(&r->groups[i].key[0]), &job->arena, &item, err);
        if (rc == SKEP_OK)
            ids[n++] = item.merged_into ? item.merged_into : item.id;
        else if (rc != SKEP_ENOTFOUND) /* a row that the inbox has not seen yet, or counts not */
            return rc;
    }
    *ret = ids;
    *ret_n = n;
    return SKEP_OK;
}

/* Items with occurrences in the range that pass all of the tests. */
static skep_rc find(struct skep_api__job *job, const struct skep_expr **tests, unsigned n,
                    struct skep_time_range range, struct found *ret, skep_err *err)
{
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("COUNT")};
    const struct skep_field_ref by[] = {{.name = SKEP_STR("error.fingerprint")},
                                        {.name = SKEP_STR("deployment.environment.name")},
                                        {.name = SKEP_STR("deployment.environment")}};
    struct skep_lang_issue issue;
    struct skep_result *r = NULL;
    struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                             .range = range,
                             .groups = by,
                             .n_groups = SKEP_ARRAY_LEN(by),
                             .aggs = &count,
                             .n_aggs = 1,
                             .ignore_sample_rate = true,
                             .limit = FOUND_MAX};
    if (skep_lang_test(SKEP_STR("error.fingerprint"), SKEP_STR("exists"), SKEP_STR(""), &job->arena,
                       &tests[n], &issue) != SKEP_OK)
        return skep_fail(err, SKEP_EINVAL, "%s", issue.text);
    plan.filter = joined(&job->arena, SKEP_EXPR_AND, tests, n + 1);
    SKEP_TRY(skep_query_aggregate(job->api->cfg.store, &plan, &job->opts, &r, err));
    ret->cut = r->n_groups < r->n_groups_total;
    return items_of(job, r, &ret->ids, &ret->n, err);
}

/* The terms that are about occurrences. */
static bool add_rows(struct skep_api__job *job, const struct skep_search_term **terms, unsigned n,
                     struct skep_time_range range, struct skep_item_query *q, bool *ret_cut)
{
    const struct skep_search_term *excluded = NULL;
    struct found found = {.n = 0};
    const struct skep_expr **tests = skep_new_n(&job->arena, const struct skep_expr *, n + 1);
    const struct skep_expr **not = skep_new_n(&job->arena, const struct skep_expr *, n + 1);
    unsigned n_tests = 0, n_not = 0;
    skep_err err = {.text = ""};
    for (unsigned i = 0; i < n; i++) {
        const struct skep_expr *e = expr_of(job, terms[i]);
        if (!e)
            return false;
        if (terms[i]->negative) {
            excluded = terms[i];
            not [n_not++] = e;
        } else {
            tests[n_tests++] = e;
        }
    }
    skep_rc rc = SKEP_OK;
    if (n_tests > 0) {
        rc = find(job, tests, n_tests, range, &found, &err);
        *ret_cut = found.cut;
        if (found.n == 0)
            nothing(q);
        if (q->n_ids == 0) { /* not: nothing, for another reason */
            q->ids = found.ids;
            q->n_ids = found.n;
        }
    }
    if (rc == SKEP_OK && n_not > 0) { /* any of them */
        const struct skep_expr **one = skep_new_n(&job->arena, const struct skep_expr *, 2);
        one[0] = joined(&job->arena, SKEP_EXPR_OR, not, n_not);
        found = (struct found){.n = 0};
        rc = find(job, one, 1, range, &found, &err);
        q->not_ids = found.ids;
        q->n_not_ids = found.n;
        if (rc == SKEP_OK && found.cut)
            return refuse(job, excluded,
                          "more than 10,000 errors of the range have it, too many to "
                          "leave out: a shorter range helps");
    }
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

bool skep_api__items_search(struct skep_api__job *job, skep_str text, struct skep_time_range range,
                            struct skep_item_query *q, bool *ret_cut)
{
    struct skep_search s;
    struct skep_lang_issue issue;
    if (skep_lang_search(text, &job->arena, &s, &issue) != SKEP_OK) {
        const struct skep_search_term at = {.at = issue.at, .end = issue.end};
        return refuse(job, &at, issue.text);
    }
    const struct skep_search_term **left =
        skep_new_n(&job->arena, const struct skep_search_term *, s.n + 1);
    struct skep_item_term *terms = skep_new_n(&job->arena, struct skep_item_term, s.n + 1);
    unsigned n_left = 0;
    for (unsigned i = 0; i < s.n; i++) {
        const struct skep_search_term *t = &s.terms[i];
        bool level = skep_str_ieq(t->field, SKEP_STR("level"));
        bool status = skep_str_ieq(t->field, SKEP_STR("status"));
        if ((level && !add_level(job, t, q)) || (status && !add_status(job, t, q)))
            return false;
        if (!level && !status && !add_own(job, t, q, terms))
            left[n_left++] = t;
    }
    q->terms = terms;
    *ret_cut = false;
    return n_left == 0 || add_rows(job, left, n_left, range, q, ret_cut);
}
