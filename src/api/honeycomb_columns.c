// SPDX-License-Identifier: Apache-2.0
/* /1/columns/{dataset}: the columns a dataset has, and what people said of them.
 *
 *   GET [?key_name=], POST, GET PUT DELETE /{id}
 *
 * Columns are made by rows that have them; POST says one before there are any, PUT describes it.
 * The type is what was said, else that of the rows: Honeycomb knows one type a column, so where
 * rows disagree, int with double is a float, anything else a string - the type in which every value
 * can be shown.  DELETE forgets what was said; a column that rows have is there as on first sight.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_objects.h"

#include "base/assert.h"

struct column {
    struct skep_state_column c;
    uint32_t types; /* of rows; 0 = no row has it */
    const struct skep_object *said;
};

static skep_str type_of(uint32_t bits)
{
    const uint32_t integer = 1u << SKEP_TYPE_INT, floating = 1u << SKEP_TYPE_DOUBLE;
    bits &= ~(1u << SKEP_TYPE_EMPTY);
    if (bits == integer)
        return SKEP_STR("integer");
    if (bits && (bits & ~(integer | floating)) == 0)
        return SKEP_STR("float");
    return bits == 1u << SKEP_TYPE_BOOL ? SKEP_STR("boolean") : SKEP_STR("string");
}

static void put_column(struct skep_api__hny_call *c, const struct column *col)
{
    struct skep_json *json = &c->job->out.json;
    yyjson_doc *d = col->said ? yyjson_read(col->said->body.p, col->said->body.n, 0) : NULL;
    yyjson_val *said = yyjson_doc_get_root(d);
    skep_str type = skep_api__hny_text(&c->job->arena, said, "type");
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), skep_state_id_str(&col->c.id));
    skep_json_put_str(json, SKEP_STR("key_name"), col->c.name);
    skep_json_put_str(json, SKEP_STR("type"), type.n ? type : type_of(col->types));
    skep_json_put_str(json, SKEP_STR("description"),
                      skep_api__hny_text(&c->job->arena, said, "description"));
    skep_json_put_bool(json, SKEP_STR("hidden"), yyjson_is_true(yyjson_obj_get(said, "hidden")));
    skep_api__put_time(json, SKEP_STR("created_at"), col->c.created_ns);
    skep_api__put_time(json, SKEP_STR("updated_at"),
                       col->said ? col->said->updated_ns : col->c.created_ns);
    skep_json_end(json);
    yyjson_doc_free(d);
}

/* --- all columns ---------------------------------------------------------------------------------
 */

static const struct skep_object *said_of(const struct skep_object *said, size_t n, skep_str name)
{
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(said[i].name, name))
            return &said[i];
    return NULL;
}

static bool has(const struct column *list, size_t n, skep_str name)
{
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(list[i].c.name, name))
            return true;
    return false;
}

/* Ids, made for those that have none. */
static skep_rc number(struct skep_api__hny_call *c, struct column *list, size_t n, skep_err *err)
{
    struct skep_state_column *ids = skep_new_n(&c->job->arena, struct skep_state_column, n + 1);
    for (size_t i = 0; i < n; i++)
        ids[i] = list[i].c;
    SKEP_TRY(skep_state_columns(c->job->api->cfg.state, c->dataset.slug, ids, n, err));
    for (size_t i = 0; i < n; i++)
        list[i].c = ids[i];
    return SKEP_OK;
}

/* Those of rows, then those that were only said; false after a refusal. */
static bool load(struct skep_api__hny_call *c, struct column **ret, size_t *ret_n)
{
    struct skep_answer a = {0};
    struct skep_object *said;
    size_t n = 0, n_said = 0;
    skep_err err;
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_FIELDS, .range = {0, INT64_MAX}, .dataset = c->dataset.name};
    skep_rc rc = skep_query_run(c->job->api->cfg.store, &plan, &c->job->opts, &a, &err);
    if (rc == SKEP_OK)
        rc = skep_state_objects(c->job->api->cfg.state, SKEP_OBJECT_COLUMN,
                                &c->job->opts.environment, &c->dataset.slug, &c->job->arena, &said,
                                &n_said, &err);
    if (rc == SKEP_OK) {
        struct column *list = skep_new_n(&c->job->arena, struct column, a.fields.n + n_said + 1);
        for (size_t i = 0; i < a.fields.n; i++)
            list[n++] = (struct column){.c = {.name = a.fields.fields[i].name},
                                        .types = a.fields.fields[i].types,
                                        .said = said_of(said, n_said, a.fields.fields[i].name)};
        for (size_t i = 0; i < n_said; i++)
            if (!has(list, n, said[i].name))
                list[n++] = (struct column){.c = {.name = said[i].name}, .said = &said[i]};
        *ret = list;
        *ret_n = n;
        rc = number(c, list, n, &err);
    }
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(c->job, rc, &err);
    return rc == SKEP_OK;
}

static void not_found(struct skep_api__hny_call *c)
{
    skep_api__hny_fail(c->job, SKEP_PROBLEM_NOT_FOUND, SKEP_STR_NULL, SKEP_LANG_INVALID,
                       SKEP_STR("Column not found"));
}

static void answer_one(struct skep_api__hny_call *c, int status, const struct column *col)
{
    skep_api__hny_begin(c->job, status);
    put_column(c, col);
    skep_api__out_end(&c->job->out);
}

static void list(struct skep_api__hny_call *c)
{
    struct column *all;
    size_t n;
    skep_str name;
    bool by_name = skep_request_param(c->job->req, SKEP_STR("key_name"), &name);
    if (!load(c, &all, &n))
        return;
    for (size_t i = 0; i < n && by_name; i++) {
        if (skep_str_eq(all[i].c.name, name)) {
            answer_one(c, 200, &all[i]);
            return;
        }
    }
    if (by_name) {
        not_found(c);
        return;
    }
    skep_api__hny_begin(c->job, 200);
    skep_json_array(&c->job->out.json);
    for (size_t i = 0; i < n; i++) {
        put_column(c, &all[i]);
        skep_api__out_check(&c->job->out);
    }
    skep_json_end(&c->job->out.json);
    skep_api__out_end(&c->job->out);
}

/* The column of the path's id; NULL after a refusal. */
static struct column *named(struct skep_api__hny_call *c)
{
    struct column *all;
    size_t n;
    skep_str id = skep_request_capture(c->job->req, 1);
    if (!load(c, &all, &n))
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(skep_state_id_str(&all[i].c.id), id))
            return &all[i];
    not_found(c);
    return NULL;
}

static void get(struct skep_api__hny_call *c)
{
    const struct column *col = named(c);
    if (col)
        answer_one(c, 200, col);
}

/* --- saying --------------------------------------------------------------------------------------
 */

static const struct skep_api__hny_member said_members[] = {
    {"key_name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED | SKEP_HNY_FIXED, .min = 1, .max = 255},
    {"type", SKEP_HNY_TEXT, SKEP_HNY_KEEP, .choices = "string|float|integer|boolean"},
    {"description", SKEP_HNY_TEXT, .max = 255, .absent = "\"\""},
    {"hidden", SKEP_HNY_BOOL, .absent = "false"},
};
static const struct skep_api__hny_members said = SKEP_HNY_MEMBERS(said_members);

/* The body as it will be kept; false after a refusal. */
static bool take(struct skep_api__hny_call *c, yyjson_val *old, struct skep_object *ret)
{
    size_t n = 0;
    yyjson_doc *in = skep_api__hny_body(c);
    if (!in)
        return false;
    c->doc = yyjson_mut_doc_new(&c->alc);
    c->body = yyjson_mut_obj(c->doc);
    bool ok = skep_api__hny_take(c, &said, yyjson_doc_get_root(in), old, c->body, "");
    yyjson_doc_free(in);
    char *text = ok ? yyjson_mut_val_write_opts(c->body, 0, &c->alc, &n, NULL) : NULL;
    if (text) {
        *ret = (struct skep_object){
            .environment = c->job->opts.environment,
            .scope = c->dataset.slug,
            .name = skep_arena_str(&c->job->arena, skep_api__hny_mut_text(c->body, "key_name")),
            .body = skep_arena_str(&c->job->arena, (skep_str){text, n})};
        c->alc.free(c->alc.ctx, text);
    }
    return text != NULL;
}

static void create(struct skep_api__hny_call *c)
{
    struct column *all;
    struct skep_object o;
    size_t n;
    skep_err err;
    if (!take(c, NULL, &o) || !load(c, &all, &n))
        return;
    if (has(all, n, o.name)) {
        skep_api__hny_fail(c->job, SKEP_PROBLEM_CONFLICT, SKEP_STR_NULL, SKEP_LANG_INVALID,
                           SKEP_STR("a column by that name already exists"));
        return;
    }
    struct column made = {.c = {.name = o.name}, .said = &o};
    skep_rc rc = number(c, &made, 1, &err);
    o.id = skep_state_id_str(&made.c.id);
    if (rc == SKEP_OK)
        rc = skep_state_put_object(c->job->api->cfg.state, SKEP_OBJECT_COLUMN, &o, &c->job->arena,
                                   &err);
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(c->job, rc, &err);
    else
        answer_one(c, 201, &made);
}

/* {"key_name": name}: a PUT may leave out or repeat it, nothing else. */
static yyjson_doc *old_of(const struct column *col)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_doc *was = col->said ? yyjson_read(col->said->body.p, col->said->body.n, 0) : NULL;
    yyjson_mut_val *root =
        was ? yyjson_val_mut_copy(d, yyjson_doc_get_root(was)) : yyjson_mut_obj(d);
    skep_api__hny_mut_set(d, root, "key_name", yyjson_mut_strn(d, col->c.name.p, col->c.name.n));
    yyjson_mut_doc_set_root(d, root);
    yyjson_doc *ret = yyjson_mut_doc_imut_copy(d, NULL);
    yyjson_doc_free(was);
    yyjson_mut_doc_free(d);
    return ret;
}

static void set(struct skep_api__hny_call *c)
{
    struct skep_object o;
    skep_err err;
    struct column *col = named(c);
    if (!col)
        return;
    yyjson_doc *old = old_of(col);
    bool ok = take(c, yyjson_doc_get_root(old), &o);
    yyjson_doc_free(old);
    if (!ok)
        return;
    struct skep_state *state = c->job->api->cfg.state;
    o.id = skep_state_id_str(&col->c.id);
    skep_rc rc = col->said
                     ? skep_state_set_object(state, SKEP_OBJECT_COLUMN, &o, &err)
                     : skep_state_put_object(state, SKEP_OBJECT_COLUMN, &o, &c->job->arena, &err);
    col->said = &o;
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(c->job, rc, &err);
    else
        answer_one(c, 200, col);
}

static void drop(struct skep_api__hny_call *c)
{
    skep_err err;
    const struct column *col = named(c);
    if (!col)
        return;
    skep_rc rc =
        skep_state_drop_object(c->job->api->cfg.state, SKEP_OBJECT_COLUMN, c->job->opts.environment,
                               skep_state_id_str(&col->c.id), &err);
    if (rc != SKEP_OK && rc != SKEP_ENOTFOUND) { /* nothing was said of it: as good */
        skep_api__hny_fail_rc(c->job, rc, &err);
        return;
    }
    const struct skep_response resp = {.status = 204};
    skep_respond(skep_api__job_instead(c->job), &resp);
    c->job->failed = false;
}

/* Not of the usual five: its list is the rows', too. */
static const struct skep_api__hny_object what = {
    .kind = SKEP_OBJECT_COLUMN, .scope = SKEP_HNY_OF_DATASET, .noun = "Column"};

static void with_call(struct skep_api__job *job, void (*work)(struct skep_api__hny_call *c))
{
    struct skep_api__hny_call c;
    if (!skep_api__hny_call_begin(&c, job, &what))
        return;
    work(&c);
    yyjson_mut_doc_free(c.doc);
}

#define WORK(name, function)                                                                       \
    static void name##_work(struct skep_api__job *job)                                             \
    {                                                                                              \
        with_call(job, function);                                                                  \
    }                                                                                              \
    static void name(void *ctx, struct skep_request *req)                                          \
    {                                                                                              \
        skep_api__run(ctx, req, name##_work);                                                      \
    }
WORK(handle_list, list)
WORK(handle_create, create)
WORK(handle_get, get)
WORK(handle_set, set)
WORK(handle_drop, drop)
#undef WORK

#define ROUTE(verb, address, function)                                                             \
    {                                                                                              \
        .method = (verb), .path = (address), .handle = (function), .refuse = skep_api__hny_refuse, \
        .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES, .right = SKEP_RIGHT_QUERY,                  \
        .form = SKEP_FORM_HONEYCOMB                                                                \
    }
static const struct skep_route routes[] = {
    ROUTE("GET", "/1/columns/:dataset", handle_list),
    ROUTE("POST", "/1/columns/:dataset", handle_create),
    ROUTE("GET", "/1/columns/:dataset/:id", handle_get),
    ROUTE("PUT", "/1/columns/:dataset/:id", handle_set),
    ROUTE("DELETE", "/1/columns/:dataset/:id", handle_drop),
};

const struct skep_api__routes skep_api__honeycomb_columns = {routes, SKEP_ARRAY_LEN(routes)};
