// SPDX-License-Identifier: Apache-2.0
/* Honeycomb's objects (honeycomb_objects.h): requests, answers, checks by tables of members.
 *
 * I1  what is kept passed the table of its kind: who reads it back need not check again.
 * I2  an object is found under the scope it was made in, and under no other.
 * Threads: workers.  Memory: the request's arena and budget. */
#include "api/honeycomb_objects.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "wire/rfc3339.h"

const struct skep_api__hny_object *const skep_api__hny_objects[] = {
    /* One a line, so that two who add one do not meet. */
    // clang-format off
    &skep_api__hny_marker,
    &skep_api__hny_marker_setting,
    &skep_api__hny_derived_column,
    &skep_api__hny_query_annotation,
    &skep_api__hny_board,
    &skep_api__hny_board_view,
    &skep_api__hny_recipient,
    &skep_api__hny_trigger,
    &skep_api__hny_slo,
    &skep_api__hny_burn_alert,
    // clang-format on
};
const size_t skep_api__n_hny_objects = SKEP_ARRAY_LEN(skep_api__hny_objects);

static const enum skep_api__problem validation = SKEP_PROBLEM_VALIDATION;

/* --- JSON ----------------------------------------------------------------------------------------
 */

skep_str skep_api__hny_text(struct skep_arena *arena, yyjson_val *obj, const char *name)
{
    yyjson_val *v = yyjson_obj_get(obj, name);
    return yyjson_is_str(v)
               ? skep_arena_str(arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)})
               : SKEP_STR("");
}

skep_str skep_api__hny_mut_text(yyjson_mut_val *obj, const char *name)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(obj, name);
    return yyjson_mut_is_str(v) ? (skep_str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)}
                                : SKEP_STR("");
}

void skep_api__hny_mut_set(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *name,
                           yyjson_mut_val *v)
{
    (void)yyjson_mut_obj_remove_key(obj, name); /* there may be none */
    (void)yyjson_mut_obj_add_val(doc, obj, name, v);
}

static skep_str text_of(yyjson_val *v)
{
    return (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
}

/* --- refusals ------------------------------------------------------------------------------------
 */

bool skep_api__hny_bad(struct skep_api__hny_call *c, const char *field, enum skep_lang_code code,
                       const char *text)
{
    skep_api__hny_fail(c->job, validation, skep_str_c(field), code, skep_str_c(text));
    return false;
}

/* What state could not do, in the API's words. */
static void fail_rc(struct skep_api__hny_call *c, skep_rc rc, const skep_err *err)
{
    if (rc == SKEP_ENOTFOUND)
        skep_api__hny_fail(c->job, SKEP_PROBLEM_NOT_FOUND, SKEP_STR_NULL, SKEP_LANG_INVALID,
                           skep_arena_printf(&c->job->arena, "%s not found", c->what->noun));
    else if (rc == SKEP_ELIMIT)
        (void)skep_api__hny_bad(c, "", SKEP_LANG_INVALID, err->text);
    else
        skep_api__hny_fail_rc(c->job, rc, err);
}

/* --- members -------------------------------------------------------------------------------------
 */

static size_t characters(skep_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool is_choice(const char *choices, skep_str s)
{
    skep_str rest = skep_str_c(choices);
    while (rest.p)
        if (skep_str_eq(skep_str_cut(&rest, '|'), s))
            return true;
    return false;
}

static const char *type_name(enum skep_api__hny_type t)
{
    switch (t) {
    case SKEP_HNY_TEXT: return "a string";
    case SKEP_HNY_INT: return "an integer";
    case SKEP_HNY_NUMBER: return "a number";
    case SKEP_HNY_BOOL: return "a boolean";
    case SKEP_HNY_OBJECT: return "an object";
    case SKEP_HNY_ARRAY: return "an array";
    case SKEP_HNY_TEXTS: return "an array of strings";
    case SKEP_HNY_ANY: break;
    }
    return "a value";
}

static bool is_integer(yyjson_val *v)
{
    return yyjson_is_int(v) ||
           (yyjson_is_real(v) && yyjson_get_real(v) > -9e15 && yyjson_get_real(v) < 9e15 &&
            (double)(int64_t)yyjson_get_real(v) == yyjson_get_real(v));
}

static int64_t integer_of(yyjson_val *v)
{
    if (yyjson_is_real(v))
        return (int64_t)yyjson_get_real(v);
    return yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX ? INT64_MAX : yyjson_get_sint(v);
}

static bool has_type(enum skep_api__hny_type t, yyjson_val *v)
{
    switch (t) {
    case SKEP_HNY_TEXT: return yyjson_is_str(v);
    case SKEP_HNY_INT: return is_integer(v);
    case SKEP_HNY_NUMBER: return yyjson_is_num(v);
    case SKEP_HNY_BOOL: return yyjson_is_bool(v);
    case SKEP_HNY_OBJECT: return yyjson_is_obj(v);
    case SKEP_HNY_ARRAY:
    case SKEP_HNY_TEXTS: return yyjson_is_arr(v);
    case SKEP_HNY_ANY: break;
    }
    return true;
}

static bool refuse(struct skep_api__hny_call *c, const char *path, enum skep_lang_code code,
                   const char *what)
{
    return skep_api__hny_bad(c, path, code,
                             skep_arena_printf(&c->job->arena, "%s: %s", path, what).p);
}

/* Length, size or amount within the member's bounds. */
static bool check_size(struct skep_api__hny_call *c, const struct skep_api__hny_member *m,
                       yyjson_val *v, const char *path)
{
    const bool list = m->type == SKEP_HNY_ARRAY || m->type == SKEP_HNY_TEXTS;
    const char *of = list ? " items" : m->type == SKEP_HNY_TEXT ? " characters" : "";
    if (!list && m->type != SKEP_HNY_TEXT && m->type != SKEP_HNY_INT)
        return true;
    int64_t n = list                       ? (int64_t)yyjson_arr_size(v)
                : m->type == SKEP_HNY_TEXT ? (int64_t)characters(text_of(v))
                                           : integer_of(v);
    if (n >= m->min && (m->max == 0 || n <= m->max))
        return true;
    const char *text =
        m->max ? skep_arena_printf(&c->job->arena, "must be %" PRId64 " to %" PRId64 "%s", m->min,
                                   m->max, of)
                     .p
               : skep_arena_printf(&c->job->arena, "must be at least %" PRId64 "%s", m->min, of).p;
    return refuse(c, path, SKEP_LANG_INVALID, text);
}

static bool take_items(struct skep_api__hny_call *c, const struct skep_api__hny_member *m,
                       yyjson_val *v, yyjson_mut_val *out, const char *path)
{
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(v, i, n, item)
    {
        const char *at = skep_arena_printf(&c->job->arena, "%s[%zu]", path, i).p;
        if (m->type == SKEP_HNY_TEXTS) {
            if (!yyjson_is_str(item) || characters(text_of(item)) > 255)
                return refuse(c, at, SKEP_LANG_INCORRECT_TYPE, "must be a string");
            (void)yyjson_mut_arr_append(out, yyjson_val_mut_copy(c->doc, item));
            continue;
        }
        if (!yyjson_is_obj(item))
            return refuse(c, at, SKEP_LANG_INCORRECT_TYPE, "must be an object");
        yyjson_mut_val *made = yyjson_mut_arr_add_obj(c->doc, out);
        if (!skep_api__hny_take(c, m->inside, item, NULL, made, at))
            return false;
    }
    return true;
}

/* A value that passed is put into *ret. */
static bool take_value(struct skep_api__hny_call *c, const struct skep_api__hny_member *m,
                       yyjson_val *v, yyjson_mut_val **ret, const char *path)
{
    if (!has_type(m->type, v))
        return refuse(c, path, SKEP_LANG_INCORRECT_TYPE,
                      skep_arena_printf(&c->job->arena, "must be %s", type_name(m->type)).p);
    if (!check_size(c, m, v, path))
        return false;
    if (m->choices && !is_choice(m->choices, text_of(v)))
        return refuse(c, path, SKEP_LANG_INVALID,
                      skep_arena_printf(&c->job->arena, "must be one of %s", m->choices).p);
    if (m->type == SKEP_HNY_OBJECT && m->inside) {
        *ret = yyjson_mut_obj(c->doc);
        return skep_api__hny_take(c, m->inside, v, NULL, *ret, path);
    }
    if (m->type == SKEP_HNY_TEXTS || (m->type == SKEP_HNY_ARRAY && m->inside)) {
        *ret = yyjson_mut_arr(c->doc);
        return take_items(c, m, v, *ret, path);
    }
    *ret = m->type == SKEP_HNY_INT ? yyjson_mut_sint(c->doc, integer_of(v))
                                   : yyjson_val_mut_copy(c->doc, v);
    return true;
}

static bool no_memory(struct skep_api__hny_call *c)
{
    skep_err err;
    fail_rc(c, skep_fail(&err, SKEP_ENOMEM, "no memory for the object"), &err);
    return false;
}

/* What stands where a member is not in the body; NULL = nothing. */
static bool take_absent(struct skep_api__hny_call *c, const struct skep_api__hny_member *m,
                        yyjson_val *old, yyjson_mut_val **ret, const char *path)
{
    yyjson_val *kept =
        m->flags & (SKEP_HNY_KEEP | SKEP_HNY_FIXED) ? yyjson_obj_get(old, m->name) : NULL;
    if (kept) {
        *ret = yyjson_val_mut_copy(c->doc, kept);
        return true;
    }
    if (m->flags & SKEP_HNY_REQUIRED)
        return refuse(c, path, SKEP_LANG_MISSING, "is required");
    if (m->absent) {
        yyjson_doc *d = yyjson_read(m->absent, skep_str_c(m->absent).n, 0);
        *ret = yyjson_val_mut_copy(c->doc, yyjson_doc_get_root(d));
        yyjson_doc_free(d);
    }
    return true;
}

bool skep_api__hny_take(struct skep_api__hny_call *c, const struct skep_api__hny_members *members,
                        yyjson_val *in, yyjson_val *old, yyjson_mut_val *out, const char *path)
{
    for (size_t i = 0; i < members->n; i++) {
        const struct skep_api__hny_member *m = &members->list[i];
        const char *at =
            *path ? skep_arena_printf(&c->job->arena, "%s.%s", path, m->name).p : m->name;
        yyjson_val *v = yyjson_obj_get(in, m->name);
        yyjson_mut_val *made = NULL;
        if (m->flags & SKEP_HNY_READONLY)
            continue;
        bool absent = v == NULL || yyjson_is_null(v);
        if (absent ? !take_absent(c, m, old, &made, at) : !take_value(c, m, v, &made, at))
            return false;
        if (made ? !yyjson_mut_obj_add_val(c->doc, out, m->name, made) : !absent)
            return no_memory(c);
        yyjson_val *was = m->flags & SKEP_HNY_FIXED ? yyjson_obj_get(old, m->name) : NULL;
        if (!absent && was && !yyjson_equals(was, v))
            return refuse(c, at, SKEP_LANG_INVALID, "cannot be changed");
    }
    return true;
}

/* Lower-case letters; a value goes on with digits, '/' and '-'. */
static bool is_tag(skep_str s, bool value)
{
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool letter = ch >= 'a' && ch <= 'z';
        bool more = value && i > 0 && ((ch >= '0' && ch <= '9') || ch == '/' || ch == '-');
        if (!letter && !more)
            return false;
    }
    return s.n > 0;
}

static bool check_tags(struct skep_api__hny_call *c)
{
    size_t i, n;
    yyjson_mut_val *tag;
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(c->body, "tags"), i, n, tag)
    {
        const char *at = skep_arena_printf(&c->job->arena, "tags[%zu]", i).p;
        if (!is_tag(skep_api__hny_mut_text(tag, "key"), false))
            return refuse(c, at, SKEP_LANG_INVALID, "a key is lower-case letters");
        if (!is_tag(skep_api__hny_mut_text(tag, "value"), true))
            return refuse(c, at, SKEP_LANG_INVALID,
                          "a value is a lower-case letter, then those, digits, / and -");
    }
    return true;
}

static const struct skep_api__hny_member tag_members[] = {
    {"key", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 32},
    {"value", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 128},
};
const struct skep_api__hny_members skep_api__hny_tag = SKEP_HNY_MEMBERS(tag_members);

/* --- answers -------------------------------------------------------------------------------------
 */

static void put_instant(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t ns)
{
    char text[SKEP_RFC3339_BYTES];
    size_t n = skep_rfc3339(ns, 0, text);
    (void)yyjson_mut_obj_add_strncpy(doc, obj, key, text, n);
}

/* Without the file's own `show`, were it to fail. */
void skep_api__hny_put_object(struct skep_api__hny_call *c, struct skep_json *json,
                              const struct skep_object *o)
{
    size_t n = 0;
    yyjson_doc *kept = yyjson_read_opts((char *)(uintptr_t)o->body.p, o->body.n, 0, &c->alc, NULL);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(&c->alc);
    yyjson_mut_val *obj = yyjson_val_mut_copy(doc, yyjson_doc_get_root(kept));
    char *text = NULL;
    if (obj) {
        skep_api__hny_mut_set(doc, obj, "id", yyjson_mut_strn(doc, o->id.p, o->id.n));
        put_instant(doc, obj, "created_at", o->created_ns);
        put_instant(doc, obj, "updated_at", o->updated_ns);
        if (c->what->show)
            c->what->show(c, o, doc, obj);
        yyjson_mut_doc_set_root(doc, obj);
        text = yyjson_mut_write_opts(doc, 0, &c->alc, &n, NULL);
    }
    if (text)
        skep_json_raw(json, (skep_str){text, n});
    else
        skep_json_null(json);
    if (text)
        c->alc.free(c->alc.ctx, text);
    yyjson_mut_doc_free(doc);
    yyjson_doc_free(kept);
}

static void answer_one(struct skep_api__hny_call *c, int status)
{
    skep_api__hny_begin(c->job, status);
    if (status == 201 && c->what->location)
        skep_api__out_header(&c->job->out, SKEP_STR("Location"),
                             skep_arena_printf(&c->job->arena, SKEP_STRFMT "/" SKEP_STRFMT,
                                               SKEP_STRARG(c->job->req->path),
                                               SKEP_STRARG(c->object.id)));
    skep_api__hny_put_object(c, &c->job->out.json, &c->object);
    skep_api__out_end(&c->job->out);
}

static void answer_nothing(struct skep_api__hny_call *c)
{
    const struct skep_response resp = {.status = 204};
    skep_respond(skep_api__job_instead(c->job), &resp);
    c->job->failed = false;
}

/* --- requests ------------------------------------------------------------------------------------
 */

static unsigned id_capture(const struct skep_api__hny_object *what)
{
    return what->scope == SKEP_HNY_OF_ENVIRONMENT ? 0 : 1;
}

bool skep_api__hny_find(struct skep_api__job *job, enum skep_object_kind kind, skep_str id,
                        struct skep_object *ret)
{
    skep_err err;
    return skep_state_object(job->api->cfg.state, kind, job->opts.environment, id, &job->arena, ret,
                             &err) == SKEP_OK;
}

bool skep_api__hny_call_begin(struct skep_api__hny_call *c, struct skep_api__job *job,
                              const struct skep_api__hny_object *what)
{
    struct skep_object parent;
    *c = (struct skep_api__hny_call){
        .job = job, .what = what, .alc = skep_json_alc(&job->budget), .doc = NULL};
    c->object.environment = job->opts.environment;
    c->object.scope = SKEP_STR("");
    if (what->scope == SKEP_HNY_OF_PARENT) {
        if (!skep_api__hny_find(job, what->parent, skep_request_capture(job->req, 0), &parent)) {
            skep_api__hny_fail(job, SKEP_PROBLEM_NOT_FOUND, SKEP_STR_NULL, SKEP_LANG_INVALID,
                               SKEP_STR("The requested resource cannot be found."));
            return false;
        }
        c->object.scope = parent.id;
    } else if (what->scope != SKEP_HNY_OF_ENVIRONMENT) {
        if (!skep_api__hny_dataset(job, what->scope == SKEP_HNY_OF_ANY_DATASET, &c->dataset))
            return false;
        c->object.scope = c->dataset.slug;
    }
    return true;
}

/* The object that the path names (I2); false after a 404. */
static bool load(struct skep_api__hny_call *c)
{
    skep_err err;
    struct skep_object o;
    skep_str id = skep_request_capture(c->job->req, id_capture(c->what));
    skep_rc rc = skep_state_object(c->job->api->cfg.state, c->what->kind, c->job->opts.environment,
                                   id, &c->job->arena, &o, &err);
    if (rc == SKEP_OK && !skep_str_eq(o.scope, c->object.scope))
        rc = skep_fail(&err, SKEP_ENOTFOUND, "it belongs elsewhere");
    if (rc != SKEP_OK) {
        fail_rc(c, rc, &err);
        return false;
    }
    c->object = o;
    return true;
}

yyjson_doc *skep_api__hny_body(struct skep_api__hny_call *c)
{
    skep_bytes body = c->job->req->body;
    yyjson_read_err why;
    yyjson_doc *in = yyjson_read_opts((char *)(uintptr_t)body.p, body.n, 0, &c->alc, &why);
    if (yyjson_is_obj(yyjson_doc_get_root(in)))
        return in;
    const char *text =
        in ? "the body must be a JSON object"
           : skep_arena_printf(&c->job->arena, "the body is not JSON: %s at byte %zu", why.msg,
                               why.pos)
                 .p;
    yyjson_doc_free(in);
    skep_api__hny_fail(c->job, SKEP_PROBLEM_UNPARSEABLE, SKEP_STR_NULL, SKEP_LANG_INVALID,
                       skep_str_c(text));
    return NULL;
}

bool skep_api__hny_read(struct skep_api__hny_call *c)
{
    size_t n = 0;
    yyjson_doc *in = skep_api__hny_body(c);
    if (!in)
        return false;
    c->doc = yyjson_mut_doc_new(&c->alc);
    c->body = yyjson_mut_obj(c->doc);
    yyjson_mut_doc_set_root(c->doc, c->body);
    bool ok =
        skep_api__hny_take(c, &c->what->members, yyjson_doc_get_root(in), c->old, c->body, "");
    yyjson_doc_free(in);
    if (!ok || !check_tags(c) || (c->what->check && !c->what->check(c)))
        return false;
    char *text = yyjson_mut_write_opts(c->doc, 0, &c->alc, &n, NULL);
    if (!text)
        return no_memory(c);
    c->object.body = skep_arena_str(&c->job->arena, (skep_str){text, n});
    c->object.name = skep_arena_str(&c->job->arena, c->object.name);
    c->alc.free(c->alc.ctx, text);
    return true;
}

/* Undone where what belongs to it cannot be kept: 201 would promise what is not so. */
static skep_rc put_whole(struct skep_api__hny_call *c, skep_err *err)
{
    struct skep_state *state = c->job->api->cfg.state;
    skep_err why;
    SKEP_TRY(skep_state_put_object(state, c->what->kind, &c->object, &c->job->arena, err));
    skep_rc rc = c->what->settle ? c->what->settle(c, err) : SKEP_OK;
    if (rc != SKEP_OK && skep_state_drop_object(state, c->what->kind, c->object.environment,
                                                c->object.id, &why) != SKEP_OK)
        skep_log(WARN, "an object that was refused stays", SKEP_K_STR("id", c->object.id),
                 SKEP_K_CSTR("error", why.text));
    return rc;
}

static skep_rc set_whole(struct skep_api__hny_call *c, struct skep_object *before, skep_err *err)
{
    struct skep_state *state = c->job->api->cfg.state;
    skep_err why;
    SKEP_TRY(skep_state_set_object(state, c->what->kind, &c->object, err));
    skep_rc rc = c->what->settle ? c->what->settle(c, err) : SKEP_OK;
    if (rc != SKEP_OK && skep_state_set_object(state, c->what->kind, before, &why) != SKEP_OK)
        skep_log(WARN, "a change of an object that was refused stays",
                 SKEP_K_STR("id", c->object.id), SKEP_K_CSTR("error", why.text));
    return rc;
}

static void create(struct skep_api__hny_call *c)
{
    skep_err err;
    c->object.name = SKEP_STR("");
    if (!skep_api__hny_read(c))
        return;
    skep_rc rc = put_whole(c, &err);
    if (rc != SKEP_OK) {
        fail_rc(c, rc, &err);
        return;
    }
    if (c->what->changed)
        c->what->changed(c, SKEP_HNY_CREATED);
    answer_one(c, 201);
}

static void set(struct skep_api__hny_call *c)
{
    skep_err err;
    if (!load(c))
        return;
    yyjson_doc *old =
        yyjson_read_opts((char *)(uintptr_t)c->object.body.p, c->object.body.n, 0, &c->alc, NULL);
    c->old = yyjson_doc_get_root(old);
    struct skep_object before = c->object;
    if (skep_api__hny_read(c)) {
        skep_rc rc = set_whole(c, &before, &err);
        if (rc == SKEP_OK && c->what->changed)
            c->what->changed(c, SKEP_HNY_SET);
        if (rc == SKEP_OK)
            answer_one(c, 200);
        else
            fail_rc(c, rc, &err);
    }
    yyjson_doc_free(old);
}

static void drop(struct skep_api__hny_call *c)
{
    skep_err err;
    if (!load(c) || (c->what->dropping && !c->what->dropping(c)))
        return;
    skep_rc rc = skep_state_drop_object(c->job->api->cfg.state, c->what->kind,
                                        c->job->opts.environment, c->object.id, &err);
    if (rc != SKEP_OK) {
        fail_rc(c, rc, &err);
        return;
    }
    if (c->what->changed)
        c->what->changed(c, SKEP_HNY_DROPPED);
    if (c->what->shows_dropped)
        answer_one(c, 200);
    else
        answer_nothing(c);
}

static void get(struct skep_api__hny_call *c)
{
    if (load(c))
        answer_one(c, 200);
}

/* Is it one that ?list_by= asks for? */
static bool is_listed(struct skep_api__hny_call *c, const struct skep_object *o, skep_str want)
{
    if (!c->what->list_by)
        return true;
    yyjson_doc *d = yyjson_read_opts((char *)(uintptr_t)o->body.p, o->body.n, 0, &c->alc, NULL);
    yyjson_val *v = yyjson_ptr_get(yyjson_doc_get_root(d), c->what->list_member);
    bool same = yyjson_is_str(v) && skep_str_eq(text_of(v), want);
    yyjson_doc_free(d);
    return same;
}

static void answer_list(struct skep_api__hny_call *c, const struct skep_object *list, size_t n,
                        skep_str want)
{
    struct skep_json *json = &c->job->out.json;
    skep_api__hny_begin(c->job, 200);
    skep_json_array(json);
    for (size_t i = 0; i < n && !skep_api__out_gone(&c->job->out); i++) {
        if (!is_listed(c, &list[i], want))
            continue;
        skep_api__hny_put_object(c, json, &list[i]);
        skep_api__out_check(&c->job->out);
    }
    skep_json_end(json);
    skep_api__out_end(&c->job->out);
}

static void list(struct skep_api__hny_call *c)
{
    struct skep_object *all;
    size_t n = 0;
    skep_str want = SKEP_STR_NULL;
    skep_err err;
    if (c->what->list_by && !skep_request_param(c->job->req, skep_str_c(c->what->list_by), &want)) {
        (void)skep_api__hny_bad(c, c->what->list_by, SKEP_LANG_MISSING,
                                "say which are wanted with this parameter");
        return;
    }
    skep_rc rc =
        skep_state_objects(c->job->api->cfg.state, c->what->kind, &c->job->opts.environment,
                           &c->object.scope, &c->job->arena, &all, &n, &err);
    if (rc != SKEP_OK) {
        fail_rc(c, rc, &err);
        return;
    }
    if (!c->what->one_by || !skep_request_param(c->job->req, skep_str_c(c->what->one_by), &want)) {
        answer_list(c, all, n, want);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (skep_str_eq(all[i].name, want)) {
            c->object = all[i];
            answer_one(c, 200);
            return;
        }
    }
    fail_rc(c, skep_fail(&err, SKEP_ENOTFOUND, "none"), &err);
}

/* The object whose route it is; a twin of the page's has the same path behind its prefix. */
static const struct skep_api__hny_object *object_of(const struct skep_route *route)
{
    skep_str path = skep_str_c(route->path);
    for (size_t i = 0; i < skep_api__n_hny_objects; i++) {
        const struct skep_api__hny_object *o = skep_api__hny_objects[i];
        for (size_t k = 0; k < o->n_routes; k++)
            if (skep_str_ends(path, skep_str_skip(skep_str_c(o->routes[k].path), 2)))
                return o;
    }
    skep_unreachable("a route of no object");
}

static void work(struct skep_api__job *job)
{
    struct skep_api__hny_call c;
    skep_str method = skep_str_c(job->req->route->method);
    bool one = skep_str_ends(skep_str_c(job->req->route->path), SKEP_STR("/:id"));
    if (!skep_api__hny_call_begin(&c, job, object_of(job->req->route)))
        return;
    if (skep_str_eq(method, SKEP_STR("POST")))
        create(&c);
    else if (skep_str_eq(method, SKEP_STR("PUT")))
        set(&c);
    else if (skep_str_eq(method, SKEP_STR("DELETE")))
        drop(&c);
    else if (one)
        get(&c);
    else
        list(&c);
    yyjson_mut_doc_free(c.doc);
}

void skep_api__hny_object_handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, work);
}
