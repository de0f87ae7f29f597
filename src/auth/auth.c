// SPDX-License-Identifier: Apache-2.0
/* The gate: which key came, and whether it may.
 *
 *   route.form -> forms in turn -> claim -> revoked? expired? right? environment? over a limit?
 *                    |               `--> the first of these that fails is the denial
 *                    `--> "ask again when the body stands"
 *
 *   environment   the key's; a key of all, or nobody in open mode, names one in X-Skep-Environment
 *                 (on /skep/v1 also as parameter `environment`), else "default"
 *
 * Open mode asks the same forms, for the environment alone: whatever does not fit is nobody.
 *
 * A thread looks once a second whether another process changed the keys, and writes once a minute
 * what they were used for.
 *
 * I1  in keys mode nothing passes but PUBLIC routes and keys that have the route's right.
 * I2  an I/O thread waits for no disk: it takes a reference to the table in memory.
 * I3  no message, counter or log line holds a token, a secret or a signature.
 * Threads: see above.  Locks, in order: load_mu, the state's, mu; a meter's is taken alone. */
#include <inttypes.h>

#include "auth/auth_priv.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"

enum { LOOK_MS = 1000, WRITE_EVERY = 60 /* looks */ };

static const struct skep_auth__form *const forms[] = {&skep_auth__honeycomb, &skep_auth__sigv4,
                                                      &skep_auth__rollbar, &skep_auth__bearer,
                                                      &skep_auth__session};

/* --- the table in force
 * --------------------------------------------------------------------------- */

static struct skep_auth__table *table_ref(struct skep_auth *a)
{
    skep_mutex_lock(&a->mu);
    struct skep_auth__table *t = a->table;
    t->refs++;
    skep_mutex_unlock(&a->mu);
    return t;
}

static void table_unref(struct skep_auth *a, struct skep_auth__table *t)
{
    skep_mutex_lock(&a->mu);
    bool last = --t->refs == 0;
    skep_mutex_unlock(&a->mu);
    if (last)
        skep_auth__table_free(t);
}

/* The key file of another process that made the first key. */
static skep_rc find_seal(struct skep_auth *a, skep_err *err)
{
    struct skep_auth__seal *seal = NULL;
    skep_mutex_lock(&a->mu);
    bool have = a->seal != NULL;
    skep_mutex_unlock(&a->mu);
    if (have)
        return SKEP_OK;
    SKEP_TRY(skep_auth__seal_open(a->cfg.os, a->cfg.key_file, false, &seal, err));
    skep_mutex_lock(&a->mu);
    a->seal = seal;
    skep_mutex_unlock(&a->mu);
    return SKEP_OK;
}

static skep_rc load_locked(struct skep_auth *a, uint64_t version, skep_err *err)
{
    struct skep_auth__table *fresh = NULL;
    skep_assert_held(&a->load_mu);
    SKEP_TRY(find_seal(a, err));
    SKEP_TRY(skep_auth__sessions_load(a, err));
    SKEP_TRY(skep_auth__table_load(a, &fresh, err));
    skep_mutex_lock(&a->mu);
    struct skep_auth__table *old = a->table;
    a->table = fresh;
    skep_mutex_unlock(&a->mu);
    atomic_fetch_add_explicit(&a->generation, 1, memory_order_release);
    if (old)
        table_unref(a, old);
    a->version = version;
    return SKEP_OK;
}

skep_rc skep_auth_refresh(struct skep_auth *a, skep_err *err)
{
    skep_mutex_lock(&a->load_mu);
    /* Before the load: what changes during it is seen by the next one. */
    uint64_t version = skep_state_keys_version(a->cfg.state);
    skep_rc rc = load_locked(a, version, err);
    skep_mutex_unlock(&a->load_mu);
    return rc;
}

static void write_uses(struct skep_auth *a)
{
    enum { BATCH = 256 };
    skep_err err = {.text = ""};
    uint64_t numbers[BATCH];
    struct skep_key_use uses[BATCH];
    skep_mutex_lock(&a->load_mu);
    skep_rc rc = SKEP_OK;
    for (size_t i = 0; i < a->n_meters && rc == SKEP_OK;) {
        size_t n = 0;
        for (; i < a->n_meters && n < BATCH; i++) {
            numbers[n] = a->meters[i]->number;
            n += skep_auth__meter_take(a->meters[i], &uses[n]);
        }
        if (n)
            rc = skep_state_use_keys(a->cfg.state, numbers, uses, n, &err);
    }
    if (rc == SKEP_OK)
        rc = skep_auth__sessions_write(a, &err);
    skep_mutex_unlock(&a->load_mu);
    if (rc != SKEP_OK)
        skep_log(WARN, "cannot write when keys were last used", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
}

static void look(struct skep_auth *a, bool *was_bad)
{
    skep_err err = {.text = ""};
    skep_rc rc = SKEP_OK;
    skep_mutex_lock(&a->load_mu);
    uint64_t version = skep_state_keys_version(a->cfg.state);
    const bool other = version != a->version;
    if (other)
        rc = load_locked(a, version, &err);
    skep_mutex_unlock(&a->load_mu);
    skep_mutex_lock(&a->hear_mu);
    if (other && rc == SKEP_OK && a->heard)
        a->heard(a->heard_ctx);
    skep_mutex_unlock(&a->hear_mu);
    if (rc != SKEP_OK && !*was_bad)
        skep_log(WARN, "cannot read the keys that changed: those read before stay in force",
                 SKEP_K_RC(rc), SKEP_K_CSTR("error", err.text));
    *was_bad = rc != SKEP_OK;
}

void skep_auth_hear(struct skep_auth *a, void (*heard)(void *ctx), void *ctx)
{
    skep_mutex_lock(&a->hear_mu);
    a->heard = heard;
    a->heard_ctx = ctx;
    skep_mutex_unlock(&a->hear_mu);
}

static void watch(void *arg)
{
    struct skep_auth *a = arg;
    bool stop = false, bad = false;
    for (unsigned n = 1; !stop; n++) {
        skep_mutex_lock(&a->stop_mu);
        if (!a->stop)
            (void)skep_cond_wait_ms(&a->stop_cond, &a->stop_mu, LOOK_MS);
        stop = a->stop;
        skep_mutex_unlock(&a->stop_mu);
        look(a, &bad);
        if (stop || n % WRITE_EVERY == 0)
            write_uses(a);
    }
}

static void init(struct skep_auth *a, const struct skep_auth_config *cfg)
{
    a->cfg = *cfg;
    skep_mutex_init(&a->mu, "auth");
    skep_mutex_init(&a->load_mu, "auth load");
    skep_mutex_init(&a->stop_mu, "auth stop");
    skep_mutex_init(&a->hear_mu, "auth hear");
    skep_cond_init(&a->stop_cond);
    skep_index_init(&a->meter_ix, 16);
    skep_auth__sessions_init(&a->sessions);
    skep_auth__guesses_init(&a->guesses, cfg->os);
    skep_mutex_init(&a->turn.mu, "password turn");
    skep_cond_init(&a->turn.free);
}

static void done(struct skep_auth *a)
{
    if (a->table)
        table_unref(a, a->table);
    for (size_t i = 0; i < a->n_meters; i++)
        skep_auth__meter_free(a->meters[i]);
    skep_free(a->meters);
    skep_index_done(&a->meter_ix);
    skep_auth__seal_free(a->seal);
    skep_auth__sessions_done(&a->sessions);
    skep_auth__guesses_done(&a->guesses);
    skep_cond_done(&a->turn.free);
    skep_mutex_done(&a->turn.mu);
    skep_cond_done(&a->stop_cond);
    skep_mutex_done(&a->hear_mu);
    skep_mutex_done(&a->stop_mu);
    skep_mutex_done(&a->load_mu);
    skep_mutex_done(&a->mu);
    skep_free(a);
}

skep_rc skep_auth_new(const struct skep_auth_config *cfg, struct skep_auth **ret, skep_err *err)
{
    skep_assert(cfg->os && cfg->state && cfg->key_file);
    struct skep_auth *a = skep_alloc(struct skep_auth);
    init(a, cfg);
    skep_rc rc = skep_auth_refresh(a, err);
    if (rc != SKEP_OK) {
        done(a);
        return rc;
    }
    skep_thread_start(&a->thread, "auth", watch, a);
    *ret = a;
    return SKEP_OK;
}

void skep_auth_free(struct skep_auth *a)
{
    if (!a)
        return;
    skep_mutex_lock(&a->stop_mu);
    a->stop = true;
    skep_cond_signal(&a->stop_cond);
    skep_mutex_unlock(&a->stop_mu);
    skep_thread_join(&a->thread);
    done(a);
}

/* --- the gate
 * -------------------------------------------------------------------------------------- */

static skep_str usual_message(struct skep_arena *arena, enum skep_denied why, unsigned right)
{
    static const skep_str texts[SKEP_DENIED_COUNT] = {
        [SKEP_DENIED_MALFORMED] = SKEP_STR_INIT("the API key is malformed"),
        [SKEP_DENIED_UNKNOWN] = SKEP_STR_INIT("unknown API key - check your credentials"),
        [SKEP_DENIED_REVOKED] = SKEP_STR_INIT("this API key was revoked"),
        [SKEP_DENIED_EXPIRED] = SKEP_STR_INIT("this API key has expired"),
    };
    if (why == SKEP_DENIED_RIGHT && (right & SKEP_RIGHT_ALL))
        return skep_arena_printf(arena, "this API key has no right to %s",
                                 right == SKEP_RIGHT_INGEST  ? "send data"
                                 : right == SKEP_RIGHT_QUERY ? "query"
                                                             : "administer");
    return texts[why].n ? texts[why] : SKEP_STR("this API key may not do that");
}

struct verdict {
    enum skep_denied why;
    skep_str message; /* empty = the usual one */
    int retry_after_s;
};

/* The environment a request names for itself; empty = none. */
static skep_str named_environment(struct skep_request *req)
{
    skep_str name = skep_request_header(req, SKEP_STR("x-skep-environment"));
    if (!name.n && skep_str_starts(req->path, SKEP_STR("/skep/v1/")) &&
        !skep_request_param(req, SKEP_STR("environment"), &name))
        name = SKEP_STR("");
    return name;
}

/* Fill the caller's environment; bound = the key's own, "" = any. */
static struct verdict choose_environment(const struct skep_auth__question *q, skep_str bound)
{
    struct skep_request *req = q->req;
    skep_str named = named_environment(req);
    skep_str use = named.n ? named : bound.n ? bound : SKEP_STR("default");
    if (named.n && bound.n && !q->open && !skep_str_eq(named, bound))
        return (struct verdict){
            .why = SKEP_DENIED_ENVIRONMENT,
            .message = skep_arena_printf(req->arena,
                                         "this API key is of environment \"" SKEP_STRFMT
                                         "\", not of the one asked for",
                                         SKEP_STRARG(bound))};
    if (named.n && !skep_auth__environment_is(q->table, named))
        return (struct verdict){.why = SKEP_DENIED_NO_ENVIRONMENT,
                                .message = SKEP_STR("there is no such environment")};
    req->caller.environment = skep_arena_str(req->arena, use);
    return (struct verdict){.why = SKEP_DENIED_NO};
}

/* What is wrong with a key as such, and with it on this route. */
static enum skep_denied key_fault(const struct skep_auth__question *q,
                                  const struct skep_state_key *k)
{
    unsigned right = q->req->route->right;
    if (k->revoked_ns || k->disabled)
        return SKEP_DENIED_REVOKED;
    if (k->expires_ns && k->expires_ns <= q->now_ns)
        return SKEP_DENIED_EXPIRED;
    if (right == SKEP_RIGHT_ANY)
        return SKEP_DENIED_NO;
    return (k->rights & right & SKEP_RIGHT_ALL) ? SKEP_DENIED_NO : SKEP_DENIED_RIGHT;
}

static struct verdict over_limit(const struct skep_auth__question *q,
                                 const struct skep_auth__key *key)
{
    const char *limit = "";
    int wait = skep_auth__meter_pass(key->meter, &key->k.limits, q->now_ns, &limit);
    if (wait == 0 || q->req->route->right != SKEP_RIGHT_INGEST)
        return (struct verdict){.why = SKEP_DENIED_NO};
    return (struct verdict){
        .why = SKEP_DENIED_RATE,
        .retry_after_s = wait,
        .message = skep_arena_printf(q->req->arena,
                                     "request dropped due to rate limiting: this API key has used "
                                     "up its %s",
                                     limit)};
}

static struct verdict judge(const struct skep_auth__question *q, const struct skep_auth__key *key)
{
    struct skep_request *req = q->req;
    struct verdict v = {.why = key_fault(q, &key->k)};
    if (v.why == SKEP_DENIED_NO)
        v = choose_environment(q, key->k.environment);
    if (v.why == SKEP_DENIED_NO)
        v = over_limit(q, key);
    if (v.why == SKEP_DENIED_NO && (req->route->flags & SKEP_ROUTE_WHOLE) && key->k.environment.n)
        return (struct verdict){
            .why = SKEP_DENIED_ENVIRONMENT,
            .message = SKEP_STR("this tells of all environments: it takes an API key of all "
                                "(skep key create --env all --rights query)")};
    if (v.why != SKEP_DENIED_NO)
        return v;
    req->caller.whole = key->k.environment.n == 0;
    req->caller.rights = key->k.rights;
    req->caller.actor = skep_arena_str(req->arena, key->k.name);
    req->caller.key = key->k.number;
    return v;
}

/* A person who is logged in: all environments, with the rights of the role. */
static struct verdict judge_user(const struct skep_auth__question *q,
                                 const struct skep_auth__claim *claim)
{
    struct skep_request *req = q->req;
    unsigned right = req->route->right;
    if (right != SKEP_RIGHT_ANY && !(claim->user_rights & right & SKEP_RIGHT_ALL))
        return (struct verdict){.why = SKEP_DENIED_RIGHT,
                                .message = SKEP_STR("this takes the role of an administrator")};
    struct verdict v = choose_environment(q, SKEP_STR(""));
    if (v.why != SKEP_DENIED_NO)
        return v;
    req->caller.rights = claim->user_rights;
    req->caller.actor = claim->user_name;
    req->caller.user = claim->user;
    req->caller.session = claim->session;
    req->caller.whole = true;
    return v;
}

/* The forms of the route in turn: the first that came decides. */
static enum skep_auth__found find(const struct skep_auth__question *q, struct skep_auth__claim *ret,
                                  skep_str *ret_missing)
{
    enum skep_auth__found later = SKEP_AUTH__NONE;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(forms); i++) {
        if (!(q->req->route->form & forms[i]->form))
            continue;
        if (!ret_missing->n)
            *ret_missing = forms[i]->missing;
        enum skep_auth__found found = forms[i]->find(q, ret);
        if (found == SKEP_AUTH__CLAIM || (found != SKEP_AUTH__NONE && ret->key))
            return found;
        later = found != SKEP_AUTH__NONE && later == SKEP_AUTH__NONE ? found : later;
    }
    return later;
}

static enum skep_gate_answer refuse(struct skep_auth *a, struct skep_request *req,
                                    const struct verdict *v, skep_str *ret_message)
{
    atomic_fetch_add_explicit(&a->denied[v->why], 1, memory_order_relaxed);
    req->denial = (struct skep_denial){.why = v->why, .retry_after_s = v->retry_after_s};
    *ret_message = v->message.n ? v->message : usual_message(req->arena, v->why, req->route->right);
    return SKEP_GATE_REFUSE;
}

static enum skep_gate_answer ask_later(enum skep_auth__found found)
{
    return found == SKEP_AUTH__LATER_WIRE ? SKEP_GATE_ASK_WIRE : SKEP_GATE_ASK_BODY;
}

/* Anybody may do anything; a good key selects its environment. */
static enum skep_gate_answer ask_open(const struct skep_auth__question *q, skep_str *ret_message)
{
    struct skep_auth__claim claim = {.key = NULL};
    skep_str missing = SKEP_STR("");
    struct skep_request *req = q->req;
    enum skep_auth__found found = find(q, &claim, &missing);
    if (found == SKEP_AUTH__LATER_WIRE || found == SKEP_AUTH__LATER_BODY)
        return ask_later(found);
    const struct skep_state_key *k = claim.key ? &claim.key->k : NULL;
    bool good =
        k && !k->revoked_ns && !k->disabled && (k->expires_ns == 0 || k->expires_ns > q->now_ns);
    struct verdict v = choose_environment(q, good ? k->environment : SKEP_STR(""));
    if (v.why != SKEP_DENIED_NO)
        return refuse(q->a, req, &v, ret_message);
    const char *limit = "";
    if (good)
        (void)skep_auth__meter_pass(claim.key->meter, &k->limits, q->now_ns, &limit);
    req->caller.rights = SKEP_RIGHT_ALL;
    req->caller.whole = true;
    req->caller.actor = good ? skep_arena_str(req->arena, k->name) : SKEP_STR("");
    req->caller.key = good ? k->number : 0;
    return SKEP_GATE_PASS;
}

static enum skep_gate_answer ask_keys(const struct skep_auth__question *q, skep_str *ret_message)
{
    struct skep_auth__claim claim = {.key = NULL};
    skep_str missing = SKEP_STR("");
    if ((q->req->route->right & (SKEP_RIGHT_ALL | SKEP_RIGHT_ANY)) == 0) {
        const struct verdict v = {.why = SKEP_DENIED_RIGHT,
                                  .message = SKEP_STR("nobody has a right to this path")};
        return refuse(q->a, q->req, &v, ret_message);
    }
    enum skep_auth__found found = find(q, &claim, &missing);
    struct verdict v = {.why = SKEP_DENIED_MISSING, .message = missing};
    if (claim.key) {
        bool later = found != SKEP_AUTH__CLAIM;
        v = later ? (struct verdict){.why = key_fault(q, &claim.key->k)} : judge(q, claim.key);
        if (v.why == SKEP_DENIED_NO)
            return later ? ask_later(found) : SKEP_GATE_PASS;
    } else if (claim.user) {
        v = judge_user(q, &claim);
        if (v.why == SKEP_DENIED_NO)
            return SKEP_GATE_PASS;
    } else if (found == SKEP_AUTH__CLAIM) {
        v = (struct verdict){.why = claim.why, .message = claim.message};
    } else if (found != SKEP_AUTH__NONE) {
        return ask_later(found);
    }
    return refuse(q->a, q->req, &v, ret_message);
}

static enum skep_gate_answer ask(void *ctx, struct skep_request *req, enum skep_gate_moment moment,
                                 skep_bytes wire, skep_str *ret_message)
{
    struct skep_auth *a = ctx;
    if (req->route->right == SKEP_RIGHT_PUBLIC) {
        req->caller = (struct skep_caller){.environment = SKEP_STR("default")};
        return SKEP_GATE_PASS;
    }
    struct skep_auth__table *t = table_ref(a);
    const struct skep_auth__question q = {.a = a,
                                          .table = t,
                                          .req = req,
                                          .moment = moment,
                                          .wire = wire,
                                          .now_ns = a->cfg.os->now_ns(a->cfg.os),
                                          .open = !a->cfg.keys};
    enum skep_gate_answer answer = q.open ? ask_open(&q, ret_message) : ask_keys(&q, ret_message);
    table_unref(a, t);
    return answer;
}

static void rows(void *ctx, const struct skep_request *req, uint64_t n)
{
    struct skep_auth *a = ctx;
    struct skep_auth__table *t = table_ref(a);
    for (size_t lo = 0, hi = t->n_keys; req->caller.key && lo < hi;) { /* ordered by number */
        size_t mid = lo + (hi - lo) / 2;
        const struct skep_auth__key *k = &t->keys[mid];
        if (k->k.number == req->caller.key) {
            skep_auth__meter_add(k->meter, a->cfg.os->now_ns(a->cfg.os), n, req->wire_bytes);
            break;
        }
        if (k->k.number < req->caller.key)
            lo = mid + 1;
        else
            hi = mid;
    }
    table_unref(a, t);
}

struct skep_gate skep_auth_gate(struct skep_auth *a)
{
    skep_assert(a != NULL);
    return (struct skep_gate){.ctx = a, .ask = ask, .rows = rows};
}

/* --- what others ask
 * ------------------------------------------------------------------------------- */

bool skep_auth_is_open(const struct skep_auth *a)
{
    return !a->cfg.keys;
}

bool skep_auth_key(struct skep_auth *a, uint64_t number, struct skep_arena *arena,
                   struct skep_state_key *ret)
{
    bool found = false;
    struct skep_auth__table *t = table_ref(a);
    for (size_t i = 0; i < t->n_keys && number && !found; i++) {
        const struct skep_state_key *k = &t->keys[i].k;
        found = k->number == number;
        if (!found)
            continue;
        *ret = *k;
        ret->id = skep_arena_str(arena, k->id);
        ret->name = skep_arena_str(arena, k->name);
        ret->environment = skep_arena_str(arena, k->environment);
        ret->access_key = skep_arena_str(arena, k->access_key);
        ret->token_hash = ret->rollbar_hash = ret->sealed = (skep_bytes){0};
    }
    table_unref(a, t);
    return found;
}

void skep_auth_last_used(struct skep_auth *a, struct skep_state_key *keys, size_t n)
{
    struct skep_auth__table *t = table_ref(a);
    for (size_t i = 0, k = 0; i < n; i++) { /* both ordered by number */
        while (k < t->n_keys && t->keys[k].k.number < keys[i].number)
            k++;
        if (k < t->n_keys && t->keys[k].k.number == keys[i].number)
            keys[i].use.last_used_ns =
                SKEP_MAX(keys[i].use.last_used_ns, skep_auth__meter_last(t->keys[k].meter));
    }
    table_unref(a, t);
}

void skep_auth_stats(struct skep_auth *a, struct skep_auth_stats *ret)
{
    int64_t now_ns = a->cfg.os->now_ns(a->cfg.os);
    struct skep_auth__table *t = table_ref(a);
    *ret = (struct skep_auth_stats){.environments = t->n_environments, .open = !a->cfg.keys};
    for (size_t i = 0; i < t->n_keys; i++) {
        const struct skep_state_key *k = &t->keys[i].k;
        ret->keys +=
            !k->revoked_ns && !k->disabled && (k->expires_ns == 0 || k->expires_ns > now_ns);
    }
    table_unref(a, t);
    for (unsigned i = 0; i < SKEP_DENIED_COUNT; i++)
        ret->denied[i] = atomic_load_explicit(&a->denied[i], memory_order_relaxed);
}
