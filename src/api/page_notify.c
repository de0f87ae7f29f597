// SPDX-License-Identifier: Apache-2.0
/* /skep/v1/notify/...: where messages go, and what became of them (docs/api/notify.md).
 *
 *   GET    /places               those of the environment, with their counters
 *   POST   /places               {name, kind, target, per_minute} -> {..., secret}
 *   PATCH  /places/ID            {disabled}
 *   DELETE /places/ID            with its messages
 *   GET    /places/ID/secret     what a webhook's messages are signed with
 *   POST   /places/ID/test       a message of kind "test" -> {id}
 *   GET    /messages             newest first, ?state=waiting|delivered|dead &place &before
 *   POST   /messages/ID/retry    a dead one waits again
 *   DELETE /messages/ID
 *
 * For keys and users that administer: an address may be a secret (Slack's are), and a place decides
 * where the server sends requests to.
 *
 * Threads: workers.  Memory: the request's arena. */
#include <sodium.h>

#include "api/keys.h"
#include "base/bytes.h"
#include "notify/notify.h"
#include "wire/base64.h"

enum { PAGE = 100, PER_MINUTE = 60, PER_MINUTE_MAX = 60000 };

static const char *const states[] = {[SKEP_STATE_MESSAGE_WAITING] = "waiting",
                                     [SKEP_STATE_MESSAGE_DELIVERED] = "delivered",
                                     [SKEP_STATE_MESSAGE_DEAD] = "dead"};

static void put_place(struct skep_api__job *job, struct skep_json *json,
                      const struct skep_state_place *p)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), p->id);
    skep_json_put_str(json, SKEP_STR("name"), p->name);
    skep_json_put_str(json, SKEP_STR("kind"), skep_str_c(skep_notify_kind_name(p->kind)));
    skep_json_put_str(json, SKEP_STR("target"),
                      p->kind == SKEP_STATE_PLACE_SLACK ? skep_notify_shown(&job->arena, p->target)
                                                        : p->target);
    skep_json_put_u64(json, SKEP_STR("per_minute"), p->per_minute);
    skep_json_put_bool(json, SKEP_STR("disabled"), p->disabled);
    skep_json_put_u64(json, SKEP_STR("failures"), p->failures);
    skep_json_put_u64(json, SKEP_STR("delivered"), p->delivered);
    skep_json_put_u64(json, SKEP_STR("dead"), p->dead);
    skep_json_put_u64(json, SKEP_STR("refused"), p->refused);
    skep_api__put_ns(json, SKEP_STR("created_ns"), p->created_ns);
    skep_api__put_ns(json, SKEP_STR("last_ns"), p->last_ns);
    skep_api__put_ns(json, SKEP_STR("retry_ns"), p->failures ? p->retry_ns : 0);
    skep_json_put_str(json, SKEP_STR("last_error"), p->last_error);
}

/* False after a refusal. */
static bool list_of(struct skep_api__job *job, struct skep_state_place **ret, size_t *ret_n)
{
    skep_err err;
    skep_rc rc = skep_state_places(job->api->cfg.state, &job->opts.environment, &job->arena, ret,
                                   ret_n, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

static void list_places(struct skep_api__job *job)
{
    struct skep_state_place *list;
    size_t n;
    if (!list_of(job, &list, &n))
        return;
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_bool(json, SKEP_STR("mail"), job->api->cfg.mail);
    skep_json_key(json, SKEP_STR("places"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        put_place(job, json, &list[i]);
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

/* The place of the address; NULL after a refusal. */
static const struct skep_state_place *place_of(struct skep_api__job *job)
{
    struct skep_state_place *list;
    size_t n;
    skep_err err;
    skep_str id = skep_request_capture(job->req, 0);
    if (!list_of(job, &list, &n))
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(list[i].id, id))
            return &list[i];
    skep_api__job_fail_rc(job, skep_fail(&err, SKEP_ENOTFOUND, "there is no such place to notify"),
                          &err);
    return NULL;
}

static void put_secret(struct skep_json *json, const uint8_t secret[32])
{
    struct skep_buf text;
    skep_buf_init(&text, 128);
    skep_buf_str(&text, SKEP_STR("whsec_"));
    skep_base64_encode(&text, (skep_bytes){secret, 32});
    skep_json_put_str(json, SKEP_STR("secret"), skep_buf_text(&text));
    sodium_memzero(text.p, text.n);
    skep_buf_done(&text);
}

/* Answer with a place and, of a webhook, its secret. */
static void answer_place(struct skep_api__job *job, int status, const struct skep_state_place *p)
{
    uint8_t secret[32];
    bool have = p->kind == SKEP_STATE_PLACE_WEBHOOK &&
                skep_notify_secret(job->api->cfg.notify, p->id, secret);
    skep_api__json_begin(job, status);
    put_place(job, &job->out.json, p);
    if (have)
        put_secret(&job->out.json, secret);
    sodium_memzero(secret, sizeof secret);
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

/* The members of a new place; false after a refusal. */
static bool read_place(struct skep_api__job *job, struct skep_state_place *ret)
{
    skep_err err = {.text = ""};
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return false;
    yyjson_val *root = yyjson_doc_get_root(doc), *rate = yyjson_obj_get(root, "per_minute");
    skep_str kind = skep_api__member(job, root, "kind");
    ret->name = skep_api__member(job, root, "name");
    ret->target = skep_str_trim(skep_api__member(job, root, "target"));
    ret->per_minute = rate ? (uint32_t)SKEP_MIN(yyjson_get_uint(rate), (uint64_t)UINT32_MAX)
                           : (uint32_t)PER_MINUTE;
    yyjson_doc_free(doc);
    const char *wrong = NULL;
    if (skep_auth_check_name(ret->name, &err) != SKEP_OK)
        wrong = "name";
    else if (skep_notify_check_place(kind, ret->target, &ret->kind, &err) != SKEP_OK)
        wrong = skep_str_starts(skep_str_c(err.text), SKEP_STR("a kind")) ? "kind" : "target";
    else if (ret->per_minute < 1 || ret->per_minute > PER_MINUTE_MAX) {
        (void)skep_fail(&err, SKEP_EINVAL, "per_minute is a number from 1 to %d", PER_MINUTE_MAX);
        wrong = "per_minute";
    }
    if (wrong)
        skep_api__fail_field(job, wrong, err.text);
    return !wrong;
}

static void create_place(struct skep_api__job *job)
{
    uint8_t random[16];
    char hex[32];
    skep_err err;
    const struct skep_os *os = job->api->cfg.os;
    struct skep_state_place p = {.environment = job->opts.environment,
                                 .created_ns = skep_api__now(job->api)};
    if (!read_place(job, &p))
        return;
    os->random(os, random, sizeof random);
    skep_hex_encode((skep_bytes){random, sizeof random}, hex);
    p.id = skep_arena_printf(&job->arena, "place_%.24s", hex);
    skep_rc rc = skep_state_put_place(job->api->cfg.state, &p, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_notify_changed(job->api->cfg.notify);
    skep_api__audit(job, "notify.create",
                    skep_arena_printf(&job->arena, SKEP_STRFMT " (" SKEP_STRFMT ")",
                                      SKEP_STRARG(p.name), SKEP_STRARG(p.id)));
    answer_place(job, 201, &p);
}

static void end_place_change(struct skep_api__job *job, skep_rc rc, const char *what, skep_str on,
                             const skep_err *err)
{
    if (rc == SKEP_OK) {
        skep_notify_changed(job->api->cfg.notify);
        skep_api__audit(job, what, on);
    }
    skep_api__end_ok(job, rc, err);
}

static void change_place(struct skep_api__job *job)
{
    skep_err err;
    const struct skep_state_place *p = place_of(job);
    yyjson_doc *doc = p ? skep_api__body_object(job) : NULL;
    if (!doc)
        return;
    yyjson_val *disabled = yyjson_obj_get(yyjson_doc_get_root(doc), "disabled");
    bool known = yyjson_is_bool(disabled), off = yyjson_get_bool(disabled);
    yyjson_doc_free(doc);
    if (!known) {
        skep_api__fail_field(job, "disabled", "disabled is true or false");
        return;
    }
    skep_rc rc =
        skep_state_disable_place(job->api->cfg.state, job->opts.environment, p->id, off, &err);
    end_place_change(job, rc, off ? "notify.disable" : "notify.enable", p->name, &err);
}

static void delete_place(struct skep_api__job *job)
{
    skep_err err;
    const struct skep_state_place *p = place_of(job);
    if (!p)
        return;
    skep_rc rc = skep_state_drop_place(job->api->cfg.state, job->opts.environment, p->id, &err);
    end_place_change(job, rc, "notify.delete", p->name, &err);
}

static void show_secret(struct skep_api__job *job)
{
    const struct skep_state_place *p = place_of(job);
    if (p)
        answer_place(job, 200, p);
}

static void test_place(struct skep_api__job *job)
{
    char id[SKEP_NOTICE_ID_BYTES];
    skep_err err;
    const struct skep_state_place *p = place_of(job);
    if (!p)
        return;
    const struct skep_notice notice = {
        .environment = job->opts.environment,
        .place = p->id,
        .kind = SKEP_STR("test"),
        .title = SKEP_STR("A test from skep"),
        .text = skep_arena_printf(&job->arena, "Messages for \"" SKEP_STRFMT "\" arrive here.",
                                  SKEP_STRARG(p->name)),
        .url = SKEP_STR("/ui/settings/notify")};
    skep_rc rc = skep_notify_put(job->api->cfg.notify, &notice, id, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 202);
    skep_json_object(&job->out.json);
    skep_json_put_str(&job->out.json, SKEP_STR("id"), skep_str_c(id));
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

/* --- messages ------------------------------------------------------------------------------------
 */

static void put_message(struct skep_json *json, const struct skep_state_message *m)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), m->id);
    skep_json_put_str(json, SKEP_STR("place"), m->place);
    skep_json_put_str(json, SKEP_STR("kind"), m->kind);
    skep_json_put_str(json, SKEP_STR("title"), m->title);
    skep_json_put_str(json, SKEP_STR("state"), skep_str_c(states[m->state]));
    skep_json_put_u64(json, SKEP_STR("attempts"), m->attempts);
    skep_json_put_u64(json, SKEP_STR("status"), (uint64_t)SKEP_MAX(m->status, 0));
    skep_json_put_str(json, SKEP_STR("error"), m->error);
    skep_api__put_ns(json, SKEP_STR("created_ns"), m->created_ns);
    skep_api__put_ns(json, SKEP_STR("ended_ns"), m->ended_ns);
    skep_json_end(json);
}

/* False after a refusal. */
static bool read_filter(struct skep_api__job *job, int *ret_state, uint64_t *ret_before)
{
    skep_str state = skep_api__param(job->req, SKEP_STR("state"));
    skep_str before = skep_api__param(job->req, SKEP_STR("before"));
    *ret_state = -1;
    *ret_before = UINT64_MAX;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(states); i++)
        if (skep_str_eq(state, skep_str_c(states[i])))
            *ret_state = (int)i;
    if (state.n && *ret_state < 0) {
        skep_api__fail_field(job, "state", "a state is waiting, delivered or dead");
        return false;
    }
    if (before.n && !skep_str_u64(before, ret_before)) {
        skep_api__fail_field(job, "before", "before is the last page's next");
        return false;
    }
    return true;
}

static void list_messages(struct skep_api__job *job)
{
    int state;
    uint64_t before;
    size_t n = 0;
    skep_err err;
    struct skep_state_message *list = skep_new_n(&job->arena, struct skep_state_message, PAGE);
    if (!read_filter(job, &state, &before))
        return;
    skep_rc rc = skep_state_messages(job->api->cfg.state, job->opts.environment, state, before,
                                     &job->arena, list, PAGE, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("messages"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++)
        put_message(json, &list[i]);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("next"));
    if (n == PAGE)
        skep_json_u64(json, list[n - 1].number);
    else
        skep_json_null(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void retry_message(struct skep_api__job *job)
{
    skep_err err;
    skep_str id = skep_request_capture(job->req, 0);
    skep_rc rc = skep_state_revive_message(job->api->cfg.state, job->opts.environment, id, &err);
    end_place_change(job, rc, "notify.retry", id, &err);
}

static void delete_message(struct skep_api__job *job)
{
    skep_err err;
    skep_str id = skep_request_capture(job->req, 0);
    skep_rc rc = skep_state_drop_message(job->api->cfg.state, job->opts.environment, id, &err);
    end_place_change(job, rc, "notify.drop", id, &err);
}

SKEP_API__HANDLER(handle_list_places, list_places)
SKEP_API__HANDLER(handle_create_place, create_place)
SKEP_API__HANDLER(handle_change_place, change_place)
SKEP_API__HANDLER(handle_delete_place, delete_place)
SKEP_API__HANDLER(handle_show_secret, show_secret)
SKEP_API__HANDLER(handle_test_place, test_place)
SKEP_API__HANDLER(handle_list_messages, list_messages)
SKEP_API__HANDLER(handle_retry_message, retry_message)
SKEP_API__HANDLER(handle_delete_message, delete_message)

#define ROUTE(method_, path_, handle_)                                                             \
    {                                                                                              \
        .method = (method_), .path = "/skep/v1/notify/" path_, .handle = (handle_),                \
        .refuse = skep_api__refuse, .body_limit_bytes = 64 << 10, .right = SKEP_RIGHT_ADMIN,       \
        .form = SKEP_FORM_PAGE                                                                     \
    }

static const struct skep_route routes[] = {
    ROUTE("GET", "places", handle_list_places),
    ROUTE("POST", "places", handle_create_place),
    ROUTE("PATCH", "places/:id", handle_change_place),
    ROUTE("DELETE", "places/:id", handle_delete_place),
    ROUTE("GET", "places/:id/secret", handle_show_secret),
    ROUTE("POST", "places/:id/test", handle_test_place),
    ROUTE("GET", "messages", handle_list_messages),
    ROUTE("POST", "messages/:id/retry", handle_retry_message),
    ROUTE("DELETE", "messages/:id", handle_delete_message),
};

const struct skep_api__routes skep_api__page_notify = {routes, SKEP_ARRAY_LEN(routes)};
