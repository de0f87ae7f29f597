// SPDX-License-Identifier: Apache-2.0
/* Derived columns (/1/derived_columns/{dataset}), called calculated fields by now: a name for an
 * expression, of a dataset or (__all__) of the environment.
 *
 * One that an SLO counts by is not dropped, and keeps its alias.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_objects.h"

#include "base/assert.h"

/* The first SLO that counts by an alias; empty = none. */
static skep_str used_by(struct skep_api__hny_call *c, skep_str alias)
{
    struct skep_object *all;
    size_t n = 0;
    skep_err err;
    skep_str name = SKEP_STR("");
    if (skep_state_objects(c->job->api->cfg.state, SKEP_OBJECT_SLO, &c->job->opts.environment, NULL,
                           &c->job->arena, &all, &n, &err) != SKEP_OK)
        return name;
    for (size_t i = 0; i < n && name.n == 0; i++) {
        yyjson_doc *d = yyjson_read(all[i].body.p, all[i].body.n, 0);
        yyjson_val *root = yyjson_doc_get_root(d), *sli = yyjson_obj_get(root, "sli");
        bool here = skep_str_eq(all[i].scope, c->object.scope) ||
                    skep_str_eq(all[i].scope, SKEP_STR("__all__"));
        if (here && skep_str_eq(skep_api__hny_text(&c->job->arena, sli, "alias"), alias))
            name = skep_api__hny_text(&c->job->arena, root, "name");
        yyjson_doc_free(d);
    }
    return name;
}

static bool refuse_used(struct skep_api__hny_call *c, skep_str alias)
{
    skep_str slo = used_by(c, alias);
    if (slo.n == 0)
        return true;
    skep_api__hny_fail(c->job, SKEP_PROBLEM_CONFLICT, SKEP_STR_NULL, SKEP_LANG_INVALID,
                       skep_arena_printf(&c->job->arena,
                                         "the SLO \"" SKEP_STRFMT "\" counts by this column",
                                         SKEP_STRARG(slo)));
    return false;
}

bool skep_api__hny_check_expression(struct skep_api__hny_call *c, skep_str alias,
                                    skep_str expression)
{
    struct skep_lang_opts lang;
    struct skep_lang_issue issue;
    skep_err err;
    skep_rc rc = skep_api__hny_lang(c->job->api, &c->job->opts, &c->dataset, &lang, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(c->job, rc, &err);
        return false;
    }
    if (skep_lang_derived_check(&lang, alias, expression, &c->job->arena, &issue) == SKEP_OK)
        return true;
    skep_api__hny_fail_issue(c->job, &issue);
    return false;
}

static bool check(struct skep_api__hny_call *c)
{
    skep_str alias = skep_api__hny_mut_text(c->body, "alias");
    if (!skep_api__hny_check_expression(c, alias, skep_api__hny_mut_text(c->body, "expression")))
        return false;
    if (c->old && !skep_str_eq(alias, c->object.name) && !refuse_used(c, c->object.name))
        return false;
    c->object.name = alias;
    return true;
}

static bool dropping(struct skep_api__hny_call *c)
{
    return refuse_used(c, c->object.name);
}

static const struct skep_api__hny_member members[] = {
    {"alias", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255},
    {"expression", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 4095},
    {"description", SKEP_HNY_TEXT, .max = 255, .absent = "\"\""},
};

static const struct skep_route routes[] = {SKEP_API__HNY_ROUTES("/1/derived_columns/:dataset")};

const struct skep_api__hny_object skep_api__hny_derived_column = {
    .kind = SKEP_OBJECT_DERIVED_COLUMN,
    .scope = SKEP_HNY_OF_ANY_DATASET,
    .noun = "Derived column",
    .members = SKEP_HNY_MEMBERS(members),
    .one_by = "alias",
    .check = check,
    .dropping = dropping,
    .routes = routes,
    .n_routes = SKEP_ARRAY_LEN(routes),
};
