// SPDX-License-Identifier: Apache-2.0
/* The queue and its workers.
 *
 *   put -> state (on disk) -> bell
 *                               \
 *   worker: place that is due -> its oldest message -> attempt -> state -> when the place is due
 * next
 *
 *   delivered            at once, no more than per_minute
 *   again                backoff_ns * 2^(failures - 1), at most backoff_max_ns, by a random half
 * less or more; Retry-After (at most an hour) if that is later never, or too old    the message is
 * dead; the next one is tried
 *
 * What is in memory of a place is what its row says, and whether a worker has it: a restart goes on
 * where the rows say.  An attempt that the server's stop cut off is not counted.
 *
 * I1  a place has one attempt at a time; its messages are tried in the order of their numbers.
 * I2  `work` is false only when the queue was found empty after the last put that was seen.
 * I3  no lock is held while a worker waits for the network or the disk.
 * Threads: n_workers of its own; put from any but I/O threads.  Memory: 500 places; a body a
 * worker.
 */
#include "notify/notify.h"

#include <stdio.h>
#include <yyjson.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "notify/notify_priv.h"
#include "os/thread.h"

enum { WORKERS_MAX = 8, RETRY_AFTER_MAX_S = 3600, LOOK_AGAIN_MS = 60000 };

static const int64_t wait_max_ns = (int64_t)RETRY_AFTER_MAX_S * 1000000000;

struct place {
    struct place *next;
    char id[SKEP_NOTICE_ID_BYTES], name[120], target[SKEP_NOTIFY__TARGET_MAX + 1];
    enum skep_state_place_kind kind;
    uint32_t per_minute, failures;
    int64_t due_ns; /* not before */
    bool disabled, busy, work;
    bool seen;    /* in the last list */
    uint64_t put; /* grows with each message: I2 */
};

struct skep_notify {
    struct skep_notify_config cfg;
    skep_thread workers[WORKERS_MAX];
    struct skep_mutex mu; /* of all below */
    struct skep_cond bell;
    struct place *places;
    bool reload, stopping;
    uint64_t loads, loaded; /* begun; the one whose places are known */
    struct skep_notify_stats stats;
    _Atomic bool cut; /* stopping, for attempts */
};

/* --- places --------------------------------------------------------------------------------------
 */

static struct place *find_locked(struct skep_notify *n, skep_str id)
{
    for (struct place *p = n->places; p; p = p->next)
        if (skep_str_eq(skep_str_c(p->id), id))
            return p;
    return NULL;
}

static void copy(char *out, size_t room, skep_str s)
{
    size_t n = SKEP_MIN(s.n, room - 1);
    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

static void take_place_locked(struct skep_notify *n, const struct skep_state_place *from)
{
    struct place *p = find_locked(n, from->id);
    if (!p) {
        p = skep_alloc(struct place);
        *p =
            (struct place){.next = n->places, .failures = from->failures, .due_ns = from->retry_ns};
        copy(p->id, sizeof p->id, from->id);
        n->places = p;
    }
    p->seen = true;
    p->work = true; /* maybe: the next look tells */
    p->put++;
    p->kind = from->kind;
    p->per_minute = from->per_minute;
    p->disabled = from->disabled;
    copy(p->name, sizeof p->name, from->name);
    copy(p->target, sizeof p->target, from->target);
}

/* Forget those that are gone; one that a worker has goes at a later load. */
static void sweep_locked(struct skep_notify *n)
{
    for (struct place **at = &n->places; *at;) {
        struct place *p = *at;
        if (p->seen || p->busy) {
            p->disabled = p->disabled || !p->seen;
            at = &p->next;
            continue;
        }
        *at = p->next;
        skep_free(p);
    }
}

/* Called with the lock, which is let go of meanwhile. */
static void load_locked(struct skep_notify *n)
{
    struct skep_arena arena;
    struct skep_state_place *list = NULL;
    size_t k = 0;
    skep_err err = {.text = ""};
    uint64_t load = ++n->loads;
    n->reload = false;
    skep_mutex_unlock(&n->mu);
    skep_arena_init(&arena, "notify places", NULL);
    skep_rc rc = skep_state_places(n->cfg.state, NULL, &arena, &list, &k, &err);
    if (rc != SKEP_OK)
        skep_log(WARN, "the places to notify cannot be read, keeping those known", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
    skep_mutex_lock(&n->mu);
    if (rc == SKEP_OK && load > n->loaded) { /* not one that began before what is known */
        n->loaded = load;
        for (struct place *p = n->places; p; p = p->next)
            p->seen = false;
        for (size_t i = 0; i < k; i++)
            take_place_locked(n, &list[i]);
        sweep_locked(n);
    }
    skep_arena_done(&arena);
}

/* --- an attempt ----------------------------------------------------------------------------------
 */

static bool is_cut(void *ctx)
{
    struct skep_notify *n = ctx;
    return atomic_load_explicit(&n->cut, memory_order_relaxed);
}

/* How long a place that has failed so often is left alone. */
static int64_t pause_ns(const struct skep_notify *n, uint32_t failures, unsigned retry_after_s)
{
    uint32_t r;
    const struct skep_notify_config *c = &n->cfg;
    unsigned doublings = SKEP_MIN(failures - 1, 20u);
    int64_t ns = SKEP_MIN(c->backoff_max_ns >> doublings, c->backoff_ns) << doublings;
    c->os->random(c->os, &r, sizeof r);
    ns = ns / 2 + (int64_t)((double)ns * ((double)r / UINT32_MAX));
    int64_t told = (int64_t)SKEP_MIN(retry_after_s, (unsigned)RETRY_AFTER_MAX_S) * 1000000000;
    return SKEP_MAX(ns, told);
}

/* What an outcome means for message and place. */
static struct skep_state_attempt judge(const struct skep_notify *n, const struct place *p,
                                       const struct skep_state_message *m,
                                       const struct skep_notify__outcome *o)
{
    int64_t now = n->cfg.os->now_ns(n->cfg.os);
    struct skep_state_attempt a = {.status = o->status, .at_ns = now};
    if (o->verdict == SKEP_NOTIFY__DELIVERED) {
        a.state = SKEP_STATE_MESSAGE_DELIVERED;
        a.retry_ns = now + INT64_C(60000000000) / p->per_minute;
        return a;
    }
    a.error = skep_str_c(o->text);
    bool old = now - m->due_from_ns > n->cfg.age_max_ns;
    if (o->verdict == SKEP_NOTIFY__NEVER || old) {
        a.state = SKEP_STATE_MESSAGE_DEAD;
        a.retry_ns = now + INT64_C(60000000000) / p->per_minute;
        return a;
    }
    a.failures = p->failures + 1;
    a.retry_ns = now + pause_ns(n, a.failures, o->retry_after_s);
    return a;
}

static void say(const struct place *p, const struct skep_state_message *m,
                const struct skep_state_attempt *a)
{
    if (a->state == SKEP_STATE_MESSAGE_DEAD)
        skep_log(WARN, "a message cannot be delivered, keeping it as dead",
                 SKEP_K_CSTR("place", p->name), SKEP_K_STR("message", m->id),
                 SKEP_K_STR("error", a->error));
    else if (a->failures == 1)
        skep_log(WARN, "a place to notify fails, retrying", SKEP_K_CSTR("place", p->name),
                 SKEP_K_STR("message", m->id), SKEP_K_STR("error", a->error));
}

static void send_one(struct skep_notify *n, const struct place *p,
                     const struct skep_state_message *m, struct skep_arena *arena,
                     struct skep_notify__outcome *ret)
{
    const struct skep_notify__try t = {.cfg = &n->cfg,
                                       .m = m,
                                       .target = skep_str_c(p->target),
                                       .arena = arena,
                                       .stop = is_cut,
                                       .stop_ctx = n};
    const struct skep_notify__kind *kind = skep_notify__kind(p->kind);
    if (kind) {
        kind->send(&t, ret);
        return;
    }
    ret->verdict = SKEP_NOTIFY__AGAIN;
    (void)snprintf(ret->text, sizeof ret->text, "this version does not know the kind of the place");
}

/* One attempt for a place that is this worker's; what is said of the place later is in *a.  False:
 * nothing waits, or nothing is to be noted. */
static bool attempt(struct skep_notify *n, const struct place *p, struct skep_arena *arena,
                    struct skep_state_attempt *a, bool *ret_empty)
{
    struct skep_state_message m;
    skep_err err = {.text = ""};
    struct skep_notify__outcome o = {.verdict = SKEP_NOTIFY__AGAIN};
    skep_rc rc = skep_state_next_message(n->cfg.state, skep_str_c(p->id), arena, &m, &err);
    *ret_empty = rc == SKEP_ENOTFOUND;
    if (*ret_empty)
        return false;
    if (rc == SKEP_OK) {
        send_one(n, p, &m, arena, &o);
        if (o.verdict == SKEP_NOTIFY__CANCELED)
            return false;
        *a = judge(n, p, &m, &o);
        a->error = skep_arena_str(arena, a->error);
        say(p, &m, a);
        rc = skep_state_note_attempt(n->cfg.state, &m, a, &err);
    }
    if (rc == SKEP_OK)
        return true;
    /* Not noted: it may be delivered once more, with the same id. */
    skep_log(WARN, "the queue of messages cannot be used, retrying", SKEP_K_RC(rc),
             SKEP_K_CSTR("error", err.text));
    int64_t now = n->cfg.os->now_ns(n->cfg.os);
    *a = (struct skep_state_attempt){.failures = p->failures + 1,
                                     .retry_ns = now + pause_ns(n, p->failures + 1, 0)};
    return true;
}

static void count_locked(struct skep_notify *n, const struct skep_state_attempt *a)
{
    n->stats.delivered += a->state == SKEP_STATE_MESSAGE_DELIVERED;
    n->stats.dead += a->state == SKEP_STATE_MESSAGE_DEAD;
    n->stats.failed_attempts += a->state != SKEP_STATE_MESSAGE_DELIVERED;
}

/* Called with the lock, which is let go of meanwhile. */
static void work_locked(struct skep_notify *n, struct place *p)
{
    struct skep_arena arena;
    struct skep_state_attempt a = {.failures = 0};
    bool empty = false;
    const struct place mine = *p; /* a load may change *p meanwhile; busy keeps it from going */
    p->busy = true;
    skep_mutex_unlock(&n->mu);
    skep_arena_init(&arena, "notify attempt", n->cfg.budget);
    bool tried = attempt(n, &mine, &arena, &a, &empty);
    skep_mutex_lock(&n->mu);
    p->busy = false;
    if (tried) {
        count_locked(n, &a);
        p->failures = a.failures;
        p->due_ns = a.retry_ns;
    } else if (empty && p->put == mine.put) {
        p->work = false; /* I2 */
    }
    skep_arena_done(&arena);
}

/* The place that has waited longest; NULL when none is due, and then *ret_wait_ms. */
static struct place *due_locked(struct skep_notify *n, int64_t *ret_wait_ms)
{
    struct place *best = NULL;
    for (struct place *p = n->places; p; p = p->next)
        if (p->work && !p->busy && !p->disabled && (!best || p->due_ns < best->due_ns))
            best = p;
    int64_t wait_ns = best ? best->due_ns - n->cfg.os->now_ns(n->cfg.os) : INT64_MAX;
    /* More than it was ever told to wait: the clock was set back. */
    if (wait_ns <= 0 || (best && wait_ns > 2 * n->cfg.backoff_max_ns + wait_max_ns))
        return best;
    *ret_wait_ms = SKEP_MIN(wait_ns / 1000000 + 1, (int64_t)LOOK_AGAIN_MS);
    return NULL;
}

static void worker(void *ctx)
{
    struct skep_notify *n = ctx;
    skep_thread_background();
    skep_mutex_lock(&n->mu);
    while (!n->stopping) {
        int64_t wait_ms = LOOK_AGAIN_MS;
        if (n->reload) {
            load_locked(n);
            continue;
        }
        struct place *p = due_locked(n, &wait_ms);
        if (p)
            work_locked(n, p);
        else
            (void)skep_cond_wait_ms(&n->bell, &n->mu, wait_ms); /* woken or not, it looks again */
    }
    skep_mutex_unlock(&n->mu);
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct skep_notify *skep_notify_new(const struct skep_notify_config *cfg)
{
    struct skep_notify *n = skep_alloc(struct skep_notify);
    skep_assert(cfg->os && cfg->state && cfg->secret);
    *n = (struct skep_notify){.cfg = *cfg, .reload = true};
    struct skep_notify_config *c = &n->cfg;
    c->n_workers = c->n_workers ? SKEP_MIN(c->n_workers, (unsigned)WORKERS_MAX) : 2;
    c->timeout_ms = c->timeout_ms ? c->timeout_ms : 10000;
    c->backoff_ns = c->backoff_ns ? c->backoff_ns : INT64_C(1000000000);
    c->backoff_max_ns = c->backoff_max_ns ? c->backoff_max_ns : INT64_C(300000000000);
    c->age_max_ns = c->age_max_ns ? c->age_max_ns : INT64_C(86400000000000);
    skep_mutex_init(&n->mu, "notify");
    skep_cond_init(&n->bell);
    for (unsigned i = 0; i < c->n_workers; i++)
        skep_thread_start(&n->workers[i], "notify", worker, n);
    return n;
}

void skep_notify_free(struct skep_notify *n)
{
    if (!n)
        return;
    atomic_store_explicit(&n->cut, true, memory_order_relaxed);
    skep_mutex_lock(&n->mu);
    n->stopping = true;
    skep_cond_broadcast(&n->bell);
    skep_mutex_unlock(&n->mu);
    for (unsigned i = 0; i < n->cfg.n_workers; i++)
        skep_thread_join(&n->workers[i]);
    while (n->places) {
        struct place *p = n->places;
        n->places = p->next;
        skep_free(p);
    }
    skep_cond_done(&n->bell);
    skep_mutex_done(&n->mu);
    skep_free(n);
}

bool skep_notify_may_connect(void *ctx, const struct sockaddr *to, size_t to_bytes)
{
    struct skep_notify *n = ctx;
    return skep_notify__may_connect(&n->cfg, to, to_bytes);
}

bool skep_notify_secret(struct skep_notify *n, skep_str place, uint8_t ret[32])
{
    return n->cfg.secret(n->cfg.secret_ctx, place, ret);
}

void skep_notify_changed(struct skep_notify *n)
{
    skep_mutex_lock(&n->mu);
    n->reload = true;
    skep_cond_signal(&n->bell);
    skep_mutex_unlock(&n->mu);
}

/* --- messages ------------------------------------------------------------------------------------
 */

static bool is_word(skep_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    return s.n <= 200;
}

/* Lines of printable ASCII with a colon, not too many. */
static bool are_headers(skep_str s)
{
    size_t lines = 0;
    while (s.n) {
        skep_str line = skep_str_cut(&s, '\n');
        size_t colon = skep_str_chr(line, ':');
        if (colon == 0 || colon == SIZE_MAX || ++lines > SKEP_NOTICE_HEADERS_MAX)
            return false;
        for (size_t i = 0; i < line.n; i++)
            if (line.p[i] < ' ' || line.p[i] > '~' || (i < colon && line.p[i] == ' '))
                return false;
    }
    return true;
}

static skep_rc check(const struct skep_notice *w, skep_err *err)
{
    if (!are_headers(w->headers) || w->headers.n > 8192)
        return skep_fail(err, SKEP_EINVAL, "headers are at most %d lines \"name: value\" of ASCII",
                         SKEP_NOTICE_HEADERS_MAX);
    if (!is_word(w->kind) || w->kind.n == 0 || !is_word(w->content_type) ||
        !is_word(w->content_encoding))
        return skep_fail(err, SKEP_EINVAL, "a kind, a content type are one line of ASCII");
    if (w->key.n > SKEP_NOTICE_KEY_MAX)
        return skep_fail(err, SKEP_EINVAL, "a key has at most %d bytes", SKEP_NOTICE_KEY_MAX);
    if (w->body.n + w->data.n + w->title.n + w->text.n + w->url.n > SKEP_STATE_MESSAGE_BYTES)
        return skep_fail(err, SKEP_ETOOLARGE, "a message has at most %d bytes",
                         SKEP_STATE_MESSAGE_BYTES);
    if (w->content_type.n || w->data.n == 0)
        return SKEP_OK;
    yyjson_doc *doc = yyjson_read(w->data.p, w->data.n, 0);
    bool object = yyjson_is_obj(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return object ? SKEP_OK : skep_fail(err, SKEP_EINVAL, "a message's data is a JSON object");
}

static void make_id(const struct skep_os *os, char out[SKEP_NOTICE_ID_BYTES])
{
    uint8_t b[16];
    os->random(os, b, sizeof b);
    memcpy(out, "msg_", 4);
    skep_hex_encode((skep_bytes){b, sizeof b}, out + 4);
    out[36] = '\0';
}

skep_rc skep_notify_put(struct skep_notify *n, const struct skep_notice *w, char *ret_id,
                        skep_err *err)
{
    char id[SKEP_NOTICE_ID_BYTES];
    bool fresh = false;
    SKEP_TRY(check(w, err));
    make_id(n->cfg.os, id);
    const struct skep_state_message m = {.id = skep_str_c(id),
                                         .place = w->place,
                                         .environment = w->environment,
                                         .kind = w->kind,
                                         .key = w->key,
                                         .title = w->title,
                                         .text = w->text,
                                         .url = w->url,
                                         .content_type = w->content_type,
                                         .content_encoding = w->content_encoding,
                                         .headers = w->headers,
                                         .body =
                                             w->content_type.n ? w->body : skep_str_bytes(w->data),
                                         .created_ns = n->cfg.os->now_ns(n->cfg.os)};
    skep_rc rc = skep_state_put_message(n->cfg.state, &m, &fresh, err);
    skep_mutex_lock(&n->mu);
    n->stats.queued += fresh;
    n->stats.refused += rc == SKEP_ELIMIT;
    struct place *p = fresh ? find_locked(n, w->place) : NULL;
    if (p) {
        p->work = true;
        p->put++;
    }
    n->reload = n->reload || (fresh && !p);
    skep_cond_signal(&n->bell);
    skep_mutex_unlock(&n->mu);
    if (rc == SKEP_OK && ret_id)
        copy(ret_id, SKEP_NOTICE_ID_BYTES, fresh ? skep_str_c(id) : SKEP_STR(""));
    return rc;
}

void skep_notify_stats(struct skep_notify *n, struct skep_notify_stats *ret)
{
    skep_mutex_lock(&n->mu);
    *ret = n->stats;
    for (struct place *p = n->places; p; p = p->next) {
        ret->places++;
        ret->waiting_places += p->work;
    }
    skep_mutex_unlock(&n->mu);
}
