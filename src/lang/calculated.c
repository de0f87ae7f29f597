// SPDX-License-Identifier: Apache-2.0
/* Calculated fields: those a request defines and the derived columns its caller knows of, as
 * computed fields of the plan.
 *
 * A request's own are all read, wherever they are used; derived columns when something names them.
 * Either may use others, which come into the plan first.
 *
 * I1  a name that is being read stands in the chain of `reading`: whoever meets it again is
 * refused, so definitions cannot go in circles, and the chain is short (SKEP_LIMIT_PLAN_NESTED).
 *
 * Threads: none of its own.  Memory: the request's arena. */
#include "base/assert.h"
#include "lang/expression.h"

enum { FIELDS_MAX = 100 };

/* A field that is being read. */
struct skep_lang__reading {
    struct skep_lang__reading *outer;
    skep_str name;
    unsigned depth;
    struct skep_computed_input *inputs;
    unsigned n_inputs;
};

static bool find_computed(const struct skep_lang__q *q, skep_str name)
{
    for (unsigned i = 0; i < q->n_computed; i++)
        if (skep_str_eq(q->computed[i].name, name))
            return true;
    return false;
}

static unsigned find_definition(const struct skep_lang__q *q, skep_str name)
{
    unsigned i = 0;
    while (i < q->n_calculated && !skep_str_eq(q->calculated[i].name, name))
        i++;
    return i;
}

/* A character as slugs have it: letters, digits and _ stay. */
static char slug_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + 32);
    bool stays = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    return stays ? c : '-';
}

static bool is_of(const struct skep_lang_derived *d, skep_str dataset)
{
    bool same = d->dataset.n == dataset.n;
    for (size_t i = 0; same && i < dataset.n; i++)
        same = slug_of(d->dataset.p[i]) == slug_of(dataset.p[i]);
    return same;
}

bool skep_lang_derived_serves(const struct skep_lang_derived *d, skep_str dataset)
{
    return skep_lang_dataset(d->dataset).n == 0 || (dataset.n > 0 && is_of(d, dataset));
}

static const struct skep_lang_derived *find_derived(const struct skep_lang__q *q, skep_str name)
{
    const struct skep_lang_derived *general = NULL;
    for (unsigned i = 0; q->opts && i < q->opts->n_derived; i++) {
        const struct skep_lang_derived *d = &q->opts->derived[i];
        if (!skep_str_eq(d->alias, name))
            continue;
        if (skep_lang_dataset(d->dataset).n == 0)
            general = general ? general : d;
        else if (q->dataset.n > 0 && is_of(d, q->dataset))
            return d;
    }
    return general;
}

static skep_rc input_of(struct skep_lang__x *x, enum skep_computed_what what, skep_str name,
                        size_t *ret_n, struct skep_calc **ret)
{
    struct skep_lang__reading *r = x->arg;
    unsigned i = 0;
    (void)ret_n; /* all of the name */
    if (name.n > SKEP_LIMIT_NAME_BYTES)
        return skep_lang__x_wrong(x, x->name_at, x->name_end, "a column name has at most %d bytes",
                                  SKEP_LIMIT_NAME_BYTES);
    for (const struct skep_lang__reading *o = r; o && name.n > 0; o = o->outer)
        if (skep_str_eq(o->name, name))
            return skep_lang__x_wrong(x, x->name_at, x->name_end,
                                      "a calculated field cannot use itself, or one that uses it");
    size_t from = x->name_at, end = x->name_end;
    if (name.n > 0)
        SKEP_TRY(skep_lang__calculate(x->q, name));
    x->name_at = from;
    x->name_end = end;
    while (i < r->n_inputs && !(r->inputs[i].what == what && skep_str_eq(r->inputs[i].name, name)))
        i++;
    if (i == SKEP_LIMIT_PLAN_INPUTS)
        return skep_lang__x_wrong(x, from, end, "more than %d columns", SKEP_LIMIT_PLAN_INPUTS);
    if (i == r->n_inputs)
        r->inputs[r->n_inputs++] = (struct skep_computed_input){.what = what, .name = name};
    *ret = skep_calc_field(x->q->arena, i, false);
    return SKEP_OK;
}

/* Put the field into the plan's, behind those it uses. */
static skep_rc read_field(struct skep_lang__q *q, skep_str name, skep_str text)
{
    struct skep_lang__reading r = {
        .outer = q->reading,
        .name = name,
        .depth = q->reading ? q->reading->depth + 1 : 0,
        .inputs = skep_new_n(q->arena, struct skep_computed_input, SKEP_LIMIT_PLAN_INPUTS)};
    struct skep_lang__x x = {.q = q, .text = text, .resolve = input_of, .arg = &r};
    struct skep_calc *calc = NULL;
    if (r.depth > SKEP_LIMIT_PLAN_NESTED)
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "calculated fields use each other over %d deep",
                                 SKEP_LIMIT_PLAN_NESTED);
    q->reading = &r;
    skep_rc rc = skep_lang__expression(&x, &calc);
    q->reading = r.outer;
    SKEP_TRY(rc);
    if (!q->computed)
        q->computed = skep_new_n(q->arena, struct skep_computed, SKEP_LIMIT_PLAN_COMPUTED);
    if (q->n_computed == SKEP_LIMIT_PLAN_COMPUTED)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "more than %d calculated fields",
                                 SKEP_LIMIT_PLAN_COMPUTED);
    q->computed[q->n_computed++] = (struct skep_computed){
        .name = name, .text = text, .calc = calc, .inputs = r.inputs, .n_inputs = r.n_inputs};
    return SKEP_OK;
}

static skep_rc read_derived(struct skep_lang__q *q, const struct skep_lang_derived *d)
{
    skep_str alias = skep_arena_str(q->arena, d->alias);
    skep_rc rc = read_field(q, alias, skep_arena_str(q->arena, d->expression));
    if (rc == SKEP_OK)
        return rc;
    struct skep_lang_issue was = *q->issue;
    (void)skep_lang__refuse(q, was.code, "derived column " SKEP_STRFMT ": %.150s",
                            (int)SKEP_MIN(alias.n, 60u), alias.p, was.text);
    return rc;
}

static skep_rc read_definition(struct skep_lang__q *q, unsigned i)
{
    char path[sizeof q->path];
    size_t path_n = q->path_n;
    memcpy(path, q->path, path_n);
    q->path_n = 0;
    (void)skep_lang__enter(q, "calculated_fields"); /* the path is put back as a whole */
    (void)skep_lang__enter_index(q, i);
    (void)skep_lang__enter(q, "expression");
    SKEP_TRY(read_field(q, q->calculated[i].name, q->calculated[i].expression));
    memcpy(q->path, path, path_n);
    q->path_n = path_n;
    return SKEP_OK;
}

skep_rc skep_lang__calculate(struct skep_lang__q *q, skep_str name)
{
    if (find_computed(q, name))
        return SKEP_OK;
    unsigned i = find_definition(q, name);
    if (i < q->n_calculated)
        return read_definition(q, i);
    const struct skep_lang_derived *d = find_derived(q, name);
    return d ? read_derived(q, d) : SKEP_OK;
}

static skep_rc definition(struct skep_lang__q *q, yyjson_val *v, unsigned at)
{
    static const char *const keys[] = {"name", "expression"};
    struct skep_lang__calculated *c = &q->calculated[at];
    struct skep_field_ref plain;
    enum skep_lang__prefix prefix;
    if (!yyjson_is_obj(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE,
                                 "a calculated field is an object {name, expression}");
    SKEP_TRY(skep_lang__known(q, v, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__str(q, v, "name", &c->name));
    SKEP_TRY(skep_lang__str(q, v, "expression", &c->expression));
    size_t mark = skep_lang__enter(q, "name");
    SKEP_TRY(skep_lang__column_name(q, c->name, &plain, &prefix));
    if (prefix != SKEP_LANG__OWN || !skep_str_eq(plain.name, c->name) ||
        skep_str_eq(c->name, SKEP_STR("*")))
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "this name means something else in a question: take another one");
    if (find_definition(q, c->name) < q->n_calculated)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "the same name as another calculated field");
    skep_lang__leave(q, mark);
    return SKEP_OK;
}

skep_rc skep_lang__calculated(struct skep_lang__q *q, yyjson_val *obj)
{
    yyjson_val *arr, *item;
    size_t i, max;
    SKEP_TRY(skep_lang__list(q, obj, "calculated_fields", FIELDS_MAX, &arr));
    if (yyjson_arr_size(arr) == 0)
        return SKEP_OK;
    q->calculated = skep_new_n(q->arena, struct skep_lang__calculated, yyjson_arr_size(arr));
    size_t mark = skep_lang__enter(q, "calculated_fields");
    yyjson_arr_foreach(arr, i, max, item)
    {
        size_t at = skep_lang__enter_index(q, i);
        SKEP_TRY(definition(q, item, (unsigned)i));
        q->n_calculated++; /* not before: nothing named it yet */
        skep_lang__leave(q, at);
    }
    skep_lang__leave(q, mark);
    for (unsigned k = 0; k < q->n_calculated; k++)
        SKEP_TRY(skep_lang__calculate(q, q->calculated[k].name));
    return SKEP_OK;
}

skep_rc skep_lang_derived_check(const struct skep_lang_opts *opts, skep_str alias,
                                skep_str expression, struct skep_arena *arena,
                                struct skep_lang_issue *issue)
{
    struct skep_lang__q q = {.arena = arena, .issue = issue};
    if (opts)
        q.dataset = skep_lang_dataset(opts->dataset);
    struct skep_field_ref plain;
    enum skep_lang__prefix prefix;
    size_t mark = skep_lang__enter(&q, "alias");
    if (alias.n > SKEP_LIMIT_LANG_ALIAS)
        return skep_lang__refuse(&q, SKEP_LANG_INVALID, "an alias has at most %d bytes",
                                 SKEP_LIMIT_LANG_ALIAS);
    SKEP_TRY(skep_lang__column_name(&q, skep_arena_str(arena, alias), &plain, &prefix));
    if (prefix != SKEP_LANG__OWN || !skep_str_eq(plain.name, alias) ||
        skep_str_eq(alias, SKEP_STR("*")))
        return skep_lang__refuse(&q, SKEP_LANG_INVALID,
                                 "this name means something else in a question: take another one");
    skep_lang__leave(&q, mark);
    (void)skep_lang__enter(&q, "expression");
    q.opts = opts;
    return read_field(&q, plain.name, skep_arena_str(arena, expression));
}
