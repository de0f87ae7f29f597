// SPDX-License-Identifier: Apache-2.0
/* The history of questions, each with its answer as it was:
 *
 *   POST   /skep/v1/query?keep=true    (page_query.c) asks, and keeps
 *   POST   /1/query_results/:dataset   (honeycomb_results.c) too
 *   GET    /skep/v1/runs               the newest first, a page at a time
 *   GET    /skep/v1/runs/:id           one, with its answer
 *   PATCH  /skep/v1/runs/:id           {"name","starred"}
 *   DELETE /skep/v1/runs/:id
 *
 * Whoever may ask questions of an environment sees all that were asked of it; who asked one, or
 * administers, changes it.  An answer is the text that the asker got, packed (wire/pack.h).
 *
 * Threads: workers.  Memory: the request's; an answer that is kept takes ANSWER_BYTES and what
 * packing needs from the question's budget, or goes unkept.
 */
#include "api/honeycomb_priv.h"
#include "api/keys.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "state/runs.h"
#include "wire/pack.h"

enum { ANSWER_BYTES = 4 << 20, LEVEL = 3, PAGE = 50, PAGE_MAX = 200, WORDS = 8 };

/* Who asks, as runs keep it. */
static skep_str owner_of(struct skep_api__job *job)
{
    const struct skep_caller *c = &job->req->caller;
    if (!c->user && !c->key)
        return SKEP_STR("");
    return skep_arena_printf(&job->arena, "%c%llu", c->user ? 'u' : 'k',
                             (unsigned long long)(c->user ? c->user : c->key));
}

void skep_api__asker(struct skep_api__job *job, skep_str *ret_owner, skep_str *ret_actor)
{
    *ret_owner = owner_of(job);
    *ret_actor = skep_arena_str(&job->arena, job->req->caller.actor);
}

// --- keeping -----------------------------------------------------------------------------------

/* The answer's text, packed; empty when it is too large. */
static void pack_answer(struct skep_api__job *job, const struct skep_api__kept_run *run,
                        struct skep_buf *packed)
{
    struct skep_api__out out = {.gone = false};
    skep_buf_init(&out.buf, ANSWER_BYTES);
    skep_json_init(&out.json, &out.buf);
    skep_json_object(&out.json);
    run->write(job, &out, run);
    skep_json_end(&out.json);
    if (!out.buf.bad)
        skep_pack(skep_buf_bytes(&out.buf), LEVEL, packed);
    if (packed->bad)
        skep_buf_reset(packed);
    skep_buf_done(&out.buf);
}

static bool put(struct skep_api__job *job, const struct skep_api__kept_run *run,
                const struct skep_buf *packed, skep_state_id *ret)
{
    skep_err err;
    const bool program = run->question.n > 0;
    skep_str question = program ? run->question : skep_bytes_str(job->req->body);
    struct skep_run r = {
        .environment = job->opts.environment,
        .owner = program ? run->owner : owner_of(job),
        .actor = program ? run->actor : job->req->caller.actor,
        .question = question,
        .path = skep_api__plan_page_path(&job->arena, run->plan->dataset, question, run->plan),
        /* A program's never stands in the place of one that was asked in the page. */
        .same = program ? ~skep_hash(skep_str_bytes(question)) : skep_hash(job->req->body),
        .instead = program,
        .created_ns = skep_api__now(job->api),
        .elapsed_ns = run->result->elapsed_ns,
        .rows_examined = run->result->rows_examined,
        .answer = skep_buf_bytes(packed)};
    if (r.path.n > SKEP_RUN_PATH_MAX)
        return false;
    skep_rc rc = skep_state_run_put(job->api->cfg.state, &r, ret, &err);
    if (rc != SKEP_OK)
        skep_log(WARN, "a question is not in the history", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
    return rc == SKEP_OK;
}

bool skep_api__keep_run(struct skep_api__job *job, const struct skep_api__kept_run *run,
                        skep_state_id *ret)
{
    const size_t room = ANSWER_BYTES + skep_pack_bound(ANSWER_BYTES);
    struct skep_buf packed;
    size_t n = run->question.n ? run->question.n : job->req->body.n;
    if ((!run->question.n &&
         !skep_str_eq(skep_api__param(job->req, SKEP_STR("keep")), SKEP_STR("true"))) ||
        n > SKEP_RUN_QUESTION_MAX)
        return false;
    bool fits = skep_budget_take(&job->budget, room, NULL) == SKEP_OK;
    skep_buf_init(&packed, skep_pack_bound(ANSWER_BYTES));
    if (fits)
        pack_answer(job, run, &packed);
    bool kept = put(job, run, &packed, ret);
    skep_buf_done(&packed);
    if (fits)
        skep_budget_give(&job->budget, room);
    return kept;
}

// --- reading -----------------------------------------------------------------------------------

static void put_run(struct skep_api__job *job, const struct skep_run *r)
{
    struct skep_json *j = &job->out.json;
    skep_json_put_str(j, SKEP_STR("id"), skep_state_id_str(&r->id));
    skep_api__put_ns(j, SKEP_STR("at_ns"), r->created_ns);
    skep_json_put_str(j, SKEP_STR("who"), r->actor);
    skep_json_put_bool(j, SKEP_STR("mine"), skep_str_eq(r->owner, owner_of(job)));
    skep_json_put_str(j, SKEP_STR("name"), r->name);
    skep_json_put_bool(j, SKEP_STR("starred"), r->starred);
    skep_json_key(j, SKEP_STR("question"));
    skep_json_raw(j, skep_str_trim(r->question).n ? r->question : SKEP_STR("{}"));
    skep_json_put_str(j, SKEP_STR("path"), r->path);
    skep_json_put_u64(j, SKEP_STR("rows_examined"), r->rows_examined);
    skep_json_put_f64(j, SKEP_STR("elapsed_ms"), (double)r->elapsed_ns / 1e6);
    skep_json_put_bool(j, SKEP_STR("answered"), r->bytes > 0);
    skep_json_put_u64(j, SKEP_STR("times"), r->times);
}

static bool is_set(struct skep_api__job *job, skep_str name)
{
    return skep_str_eq(skep_api__param(job->req, name), SKEP_STR("true"));
}

/* The parameters of a list; false after a refusal. */
static bool read_list(struct skep_api__job *job, struct skep_run_list *ret)
{
    skep_str *words = skep_new_n(&job->arena, skep_str, WORDS);
    skep_str *owner = skep_new(&job->arena, skep_str);
    skep_str before = skep_api__param(job->req, SKEP_STR("before"));
    skep_str limit = skep_api__param(job->req, SKEP_STR("limit"));
    skep_str q = skep_api__param(job->req, SKEP_STR("q"));
    uint64_t n = PAGE;
    *owner = owner_of(job);
    *ret = (struct skep_run_list){.environment = job->opts.environment,
                                  .owner = is_set(job, SKEP_STR("mine")) ? owner : NULL,
                                  .words = words,
                                  .kept = is_set(job, SKEP_STR("kept")),
                                  .once = is_set(job, SKEP_STR("once"))};
    while (q.n) {
        skep_str word = skep_str_trim(skep_str_cut(&q, ' '));
        if (word.n && ret->n_words == WORDS) {
            skep_api__fail_field(job, "q", "at most 8 words");
            return false;
        }
        if (word.n)
            words[ret->n_words++] = word;
    }
    if (before.n && (!skep_str_i64(before, &ret->before) || ret->before < 1)) {
        skep_api__fail_field(job, "before", "the `next` of the last page");
        return false;
    }
    if (limit.n && (!skep_str_u64(limit, &n) || n < 1 || n > PAGE_MAX)) {
        skep_api__fail_field(job, "limit", "1 to 200");
        return false;
    }
    ret->limit = (unsigned)n;
    return true;
}

static void list(struct skep_api__job *job)
{
    struct skep_json *j = &job->out.json;
    struct skep_run_list which;
    struct skep_run *runs;
    size_t n = 0;
    skep_err err;
    if (!read_list(job, &which))
        return;
    skep_rc rc = skep_state_runs(job->api->cfg.state, &which, &job->arena, &runs, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("runs"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        skep_json_object(j);
        put_run(job, &runs[i]);
        skep_json_end(j);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_key(j, SKEP_STR("next"));
    if (n == which.limit)
        skep_json_i64(j, runs[n - 1].number);
    else
        skep_json_null(j);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

static bool find(struct skep_api__job *job, struct skep_run *ret)
{
    skep_err err;
    skep_rc rc = skep_state_run_get(job->api->cfg.state, job->opts.environment,
                                    skep_request_capture(job->req, 0), &job->arena, ret, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

/* The answer's text in the arena; none when it was not kept, or is damaged. */
static skep_str unpacked(struct skep_api__job *job, const struct skep_run *r)
{
    size_t n = 0;
    uint8_t *text;
    if (!r->answer.n || !skep_packed_bytes(r->answer, ANSWER_BYTES, &n) ||
        !(text = skep_arena_try_alloc(&job->arena, n + 1)) || !skep_unpack(r->answer, text, n))
        return SKEP_STR_NULL;
    return (skep_str){(const char *)text, n};
}

static void answer_one(struct skep_api__job *job, const struct skep_run *r)
{
    struct skep_json *j = &job->out.json;
    skep_str answer = unpacked(job, r);
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    put_run(job, r);
    skep_json_key(j, SKEP_STR("result"));
    if (answer.n)
        skep_json_raw(j, answer);
    else
        skep_json_null(j);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

static void get(struct skep_api__job *job)
{
    struct skep_run r;
    if (find(job, &r))
        answer_one(job, &r);
}

// --- changing ----------------------------------------------------------------------------------

static bool may_change(struct skep_api__job *job, const struct skep_run *r)
{
    if ((job->req->caller.rights & SKEP_RIGHT_ADMIN) || skep_str_eq(r->owner, owner_of(job)))
        return true;
    skep_api__job_fail(
        job,
        &(struct skep_api__error){
            .status = 403, .text = SKEP_STR("who asked it, or an administrator, may do that")});
    return false;
}

/* What the body says; false after a refusal. */
static bool read_change(struct skep_api__job *job, struct skep_run *r)
{
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return false;
    yyjson_val *obj = yyjson_doc_get_root(doc);
    yyjson_val *starred = yyjson_obj_get(obj, "starred"), *name = yyjson_obj_get(obj, "name");
    const char *wrong = NULL;
    if (starred && !yyjson_is_bool(starred))
        wrong = "starred";
    else if (name && (!yyjson_is_str(name) || yyjson_get_len(name) > SKEP_RUN_NAME_MAX))
        wrong = "name";
    if (!wrong && starred)
        r->starred = yyjson_get_bool(starred);
    if (!wrong && name)
        r->name = skep_str_trim(skep_api__member(job, obj, "name"));
    yyjson_doc_free(doc);
    if (wrong)
        skep_api__fail_field(job, wrong,
                             wrong[0] == 's' ? "true or false" : "a text of at most 320 bytes");
    return !wrong;
}

static void change(struct skep_api__job *job)
{
    struct skep_run r;
    skep_err err;
    if (!find(job, &r) || !may_change(job, &r) || !read_change(job, &r))
        return;
    skep_rc rc = skep_state_run_set(job->api->cfg.state, job->opts.environment,
                                    skep_state_id_str(&r.id), r.name, r.starred, &err);
    if (rc == SKEP_ELIMIT)
        skep_api__job_fail(job,
                           &(struct skep_api__error){.status = 409, .text = skep_str_c(err.text)});
    else if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    else
        answer_one(job, &r);
}

static void drop(struct skep_api__job *job)
{
    struct skep_run r;
    skep_err err = {.text = ""};
    if (!find(job, &r) || !may_change(job, &r))
        return;
    skep_rc rc = skep_state_run_drop(job->api->cfg.state, job->opts.environment,
                                     skep_state_id_str(&r.id), &err);
    skep_api__end_ok(job, rc, &err);
}

SKEP_API__HANDLER(handle_list, list)
SKEP_API__HANDLER(handle_get, get)
SKEP_API__HANDLER(handle_change, change)
SKEP_API__HANDLER(handle_drop, drop)

#define ROUTE(verb, where, what)                                                                   \
    {                                                                                              \
        .method = (verb), .path = (where), .handle = (what), .refuse = skep_api__refuse,           \
        .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES, .right = SKEP_RIGHT_QUERY,                  \
        .form = SKEP_FORM_PAGE                                                                     \
    }
static const struct skep_route routes[] = {
    ROUTE("GET", "/skep/v1/runs", handle_list),
    ROUTE("GET", "/skep/v1/runs/:id", handle_get),
    ROUTE("PATCH", "/skep/v1/runs/:id", handle_change),
    ROUTE("DELETE", "/skep/v1/runs/:id", handle_drop),
};

const struct skep_api__routes skep_api__page_runs = {routes, SKEP_ARRAY_LEN(routes)};
