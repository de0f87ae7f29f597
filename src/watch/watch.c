// SPDX-License-Identifier: Apache-2.0
/* The scheduler (watch.h).
 *
 * I1  an evaluation and what it makes of its watch are written together, before anybody is told; it
 *     counts as told only when `tell` said so.  A crash in between tells again, recognisably.
 * I2  the watch's state in memory is what the disk has: it is read with the rules and changed after
 *     a write that succeeded.
 * I3  one evaluation at a time: `mu_work` is held over the question.
 * I4  what is dropped stays dropped, and who drops it waits for no question: it stands in `dropped`
 *     before its rows go, and whoever has written of a watch looks there afterwards and takes its
 *     rows away again.  The list ends when the rules are read anew, which have it no more.
 * Threads: one of its own; evaluate from workers.  Memory: an arena for the rules, one an
 * evaluation, charged to the budget. */
#include "watch/watch.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/thread.h"

enum { UNTOLD_MAX = 64, RETRY_MS = 5000, LOOK_AGAIN_MS = 60000, DROPS_MAX = 64 };

static const int64_t day_ns = INT64_C(86400000000000);
static const int64_t minute_ns = INT64_C(60000000000);

struct dropped {
    skep_str environment, id;
};

struct skep_watch {
    struct skep_watch_config cfg;
    skep_thread thread;
    bool started;
    struct skep_mutex mu_work; /* of the rules and states; held over a question */
    struct skep_arena arena;
    struct skep_watch_rule *rules;
    struct skep_watch_state *states; /* [n_rules], of the same index */
    size_t n_rules;
    bool untold;  /* something may not be told */
    bool unknown; /* the rules could not be read: what is watched is not what there is */
    struct skep_mutex mu;
    struct skep_cond bell;
    bool reload, stopping;             /* mu */
    struct dropped dropped[DROPS_MAX]; /* mu */
    size_t n_dropped;                  /* mu */
    struct skep_arena names;           /* mu; theirs */
    _Atomic bool cut;                  /* stopping, for questions */
};

/* --- the pure parts ------------------------------------------------------------------------------
 */

static int64_t floor_to(int64_t ns, int64_t step)
{
    int64_t rest = ns % step;
    return ns - (rest < 0 ? rest + step : rest);
}

bool skep_watch_in_window(const struct skep_watch_window *w, int64_t at_ns)
{
    if (w->days == 0)
        return true;
    int64_t day = floor_to(at_ns, day_ns);
    int minute = (int)((at_ns - day) / minute_ns);
    int weekday = (int)((day / day_ns + 4) % 7); /* 1970 began on a Thursday */
    weekday = weekday < 0 ? weekday + 7 : weekday;
    bool today = w->days & 1u << weekday, before = w->days & 1u << (weekday + 6) % 7;
    if (w->start_min < w->end_min)
        return today && minute >= w->start_min && minute < w->end_min;
    return (today && minute >= w->start_min) || (before && minute < w->end_min);
}

int64_t skep_watch_next(const struct skep_watch_rule *r, int64_t after_ns)
{
    return floor_to(after_ns, r->every_ns) + r->every_ns;
}

/* The last slot lies more than an interval ahead: the clock was set back since, and waiting until
 * it is there again could take years. */
static bool is_set_back(const struct skep_watch_rule *r, int64_t slot_ns, int64_t now_ns)
{
    return now_ns < slot_ns && slot_ns - now_ns > r->every_ns;
}

static int64_t last_slot(const struct skep_watch_rule *r, int64_t was_ns, int64_t slot_ns)
{
    return is_set_back(r, was_ns, slot_ns) ? slot_ns : SKEP_MAX(was_ns, slot_ns);
}

int64_t skep_watch_due(const struct skep_watch_rule *r, int64_t after_ns, int64_t now_ns)
{
    int64_t slot = floor_to(now_ns, r->every_ns);
    bool fresh = slot > after_ns || is_set_back(r, after_ns, now_ns);
    return fresh && skep_watch_in_window(&r->window, slot) ? slot : 0;
}

void skep_watch_step(const struct skep_watch_rule *r, bool met, int64_t slot_ns,
                     struct skep_watch_state *s, struct skep_evaluation *e)
{
    bool was = s->triggered;
    skep_assert(r->limit >= 1);
    s->slot_ns = last_slot(r, s->slot_ns, slot_ns);
    s->streak = met ? SKEP_MIN(s->streak + 1, 1000000u) : 0;
    s->triggered = met && (was || s->streak >= r->limit);
    if (s->triggered && !was)
        s->triggered_ns = slot_ns;
    e->met = met;
    e->triggered = s->triggered;
    e->event = s->triggered && !was           ? SKEP_WATCH_FIRED
               : !s->triggered && was         ? SKEP_WATCH_RESOLVED
               : s->triggered && r->each_time ? SKEP_WATCH_AGAIN
                                              : SKEP_WATCH_NOTHING;
    e->told = e->event == SKEP_WATCH_NOTHING;
}

/* --- rules ---------------------------------------------------------------------------------------
 */

static const struct skep_watch_state *state_of(const struct skep_watch_state *all, size_t n,
                                               const struct skep_watch_rule *r)
{
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(all[i].id, r->id) && skep_str_eq(all[i].environment, r->environment))
            return &all[i];
    return NULL;
}

static skep_rc load_locked(struct skep_watch *w, skep_err *err)
{
    struct skep_watch_state *known;
    size_t n_known = 0;
    skep_assert_held(&w->mu_work);
    w->n_rules = 0;
    skep_arena_reset(&w->arena);
    SKEP_TRY(skep_state_watches(w->cfg.state, NULL, &w->arena, &known, &n_known, err));
    size_t n = 0;
    SKEP_TRY(w->cfg.rules(w->cfg.ctx, &w->arena, &w->rules, &n, err));
    w->states = skep_new_n(&w->arena, struct skep_watch_state, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct skep_watch_rule *r = &w->rules[i];
        skep_assert(r->every_ns >= 1000000000);
        const struct skep_watch_state *s = state_of(known, n_known, r);
        w->states[i] = s ? *s
                         : (struct skep_watch_state){.environment = r->environment,
                                                     .id = r->id,
                                                     .slot_ns = r->created_ns};
    }
    w->n_rules = n;
    return SKEP_OK;
}

static void load_if_asked_locked(struct skep_watch *w)
{
    skep_err err = {.text = ""};
    skep_mutex_lock(&w->mu);
    bool reload = w->reload || w->unknown;
    w->reload = false;
    if (reload) { /* I4: their objects went before they came here */
        w->n_dropped = 0;
        skep_arena_reset(&w->names);
    }
    skep_mutex_unlock(&w->mu);
    skep_rc rc = reload ? load_locked(w, &err) : SKEP_OK;
    w->unknown = rc != SKEP_OK;
    if (w->unknown)
        skep_log(WARN, "the rules to watch cannot be read, retrying", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
}

/* --- evaluations ---------------------------------------------------------------------------------
 */

static bool is_cut(void *ctx)
{
    struct skep_watch *w = ctx;
    return atomic_load_explicit(&w->cut, memory_order_relaxed);
}

static bool is_dropped(struct skep_watch *w, const struct skep_watch_rule *r)
{
    bool found = false;
    skep_mutex_lock(&w->mu);
    for (size_t i = 0; i < w->n_dropped && !found; i++)
        found = skep_str_eq(w->dropped[i].id, r->id) &&
                skep_str_eq(w->dropped[i].environment, r->environment);
    skep_mutex_unlock(&w->mu);
    return found;
}

/* Ask and note it (I1).  ret is in the arena. */
static skep_rc evaluate_locked(struct skep_watch *w, size_t i, int64_t slot_ns,
                               struct skep_arena *arena, struct skep_evaluation *ret, skep_err *err)
{
    const struct skep_os *os = w->cfg.os;
    const struct skep_watch_rule *r = &w->rules[i];
    struct skep_watch_state next = w->states[i];
    struct skep_watch_answer answer = {.detail = SKEP_STR("{}")};
    skep_err why = {.text = ""};
    const struct skep_watch_ask q = {.rule = r,
                                     .slot_ns = slot_ns,
                                     .arena = arena,
                                     .budget = w->cfg.budget,
                                     .canceled = is_cut,
                                     .ctx = w};
    *ret =
        (struct skep_evaluation){.slot_ns = slot_ns, .environment = r->environment, .watch = r->id};
    int64_t began = os->mono_ns(os);
    skep_rc rc = w->cfg.ask(w->cfg.ctx, &q, &answer, &why);
    ret->took_ns = os->mono_ns(os) - began;
    if (rc == SKEP_ECANCELED)
        return skep_fail(err, rc, "the server stops");
    ret->detail = answer.detail;
    if (rc == SKEP_OK) {
        ret->has_value = answer.has_value;
        ret->value = answer.value;
        skep_watch_step(r, answer.met, slot_ns, &next, ret);
    } else { /* decides nothing, but the slot was used */
        next.slot_ns = last_slot(r, next.slot_ns, slot_ns);
        ret->triggered = next.triggered;
        ret->told = true;
        ret->error = skep_arena_str(arena, skep_str_c(why.text));
        ret->detail = SKEP_STR("{}");
    }
    SKEP_TRY(skep_state_note_evaluation(w->cfg.state, &next, ret, err));
    if (is_dropped(w, r)) {
        SKEP_TRY(skep_state_drop_watch(w->cfg.state, r->environment, r->id, err));
        return skep_fail(err, SKEP_ENOTFOUND, "it was deleted while it was asked");
    }
    w->states[i] = next; /* I2: texts are those of the rule or the load */
    w->untold = w->untold || !ret->told;
    return SKEP_OK;
}

/* All that is not told, oldest first; what fails is tried at the next look. */
static void tell_locked(struct skep_watch *w)
{
    struct skep_evaluation list[UNTOLD_MAX];
    struct skep_arena arena;
    size_t n = 0;
    skep_err err = {.text = ""};
    skep_arena_init(&arena, "watch tells", w->cfg.budget);
    skep_rc rc = skep_state_evaluations_untold(w->cfg.state, &arena, list, UNTOLD_MAX, &n, &err);
    w->untold = rc != SKEP_OK || n == UNTOLD_MAX;
    for (size_t i = 0; i < n; i++) {
        skep_rc one = w->cfg.tell(w->cfg.ctx, &list[i], &arena, &err);
        if (one == SKEP_OK)
            one = skep_state_evaluation_told(w->cfg.state, list[i].number, &err);
        if (one == SKEP_OK)
            continue;
        rc = one;
        w->untold = true;
    }
    if (rc != SKEP_OK)
        skep_log(WARN, "what was found cannot be told, retrying", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
    skep_arena_done(&arena);
}

static void evaluate_due_locked(struct skep_watch *w)
{
    const struct skep_os *os = w->cfg.os;
    struct skep_arena arena;
    struct skep_evaluation e;
    skep_err err = {.text = ""};
    for (size_t i = 0; i < w->n_rules && !is_cut(w); i++) {
        int64_t slot = skep_watch_due(&w->rules[i], w->states[i].slot_ns, os->now_ns(os));
        if (slot == 0 || is_dropped(w, &w->rules[i]))
            continue;
        skep_arena_init(&arena, "watch", w->cfg.budget);
        skep_rc rc = evaluate_locked(w, i, slot, &arena, &e, &err);
        if (rc != SKEP_OK && rc != SKEP_ECANCELED && rc != SKEP_ENOTFOUND)
            skep_log(WARN, "an evaluation cannot be kept, retrying", SKEP_K_RC(rc),
                     SKEP_K_CSTR("error", err.text));
        skep_arena_done(&arena);
    }
}

int64_t skep_watch_look(struct skep_watch *w)
{
    const struct skep_os *os = w->cfg.os;
    int64_t next = INT64_MAX;
    skep_mutex_lock(&w->mu_work);
    load_if_asked_locked(w);
    evaluate_due_locked(w);
    if (w->untold && !is_cut(w))
        tell_locked(w);
    for (size_t i = 0; i < w->n_rules; i++)
        next = SKEP_MIN(next, skep_watch_next(&w->rules[i], os->now_ns(os)));
    if (w->untold || w->unknown)
        next = SKEP_MIN(next, os->now_ns(os) + (int64_t)RETRY_MS * 1000000);
    skep_mutex_unlock(&w->mu_work);
    return next;
}

skep_rc skep_watch_evaluate(struct skep_watch *w, skep_str environment, skep_str id,
                            struct skep_arena *arena, struct skep_evaluation *ret, skep_err *err)
{
    const struct skep_os *os = w->cfg.os;
    skep_rc rc = skep_fail(err, SKEP_ENOTFOUND, "it is not watched: there is none, or it is off");
    skep_mutex_lock(&w->mu_work);
    load_if_asked_locked(w);
    for (size_t i = 0; i < w->n_rules; i++) {
        const struct skep_watch_rule *r = &w->rules[i];
        if (!skep_str_eq(r->id, id) || !skep_str_eq(r->environment, environment))
            continue;
        rc = evaluate_locked(w, i, os->now_ns(os), arena, ret, err);
        if (rc == SKEP_OK) { /* the rules may be loaded anew before the caller reads it */
            ret->environment = skep_arena_str(arena, ret->environment);
            ret->watch = skep_arena_str(arena, ret->watch);
        }
        break;
    }
    if (rc == SKEP_OK && w->untold)
        tell_locked(w);
    skep_mutex_unlock(&w->mu_work);
    return rc;
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void run(void *ctx)
{
    struct skep_watch *w = ctx;
    const struct skep_os *os = w->cfg.os;
    skep_thread_background();
    for (;;) {
        int64_t next = skep_watch_look(w);
        int64_t now = os->now_ns(os);
        int64_t ms = next > now ? (next - now) / 1000000 + 1 : 1;
        skep_mutex_lock(&w->mu);
        if (!w->stopping && !w->reload)
            (void)skep_cond_wait_ms(&w->bell, &w->mu, SKEP_MIN(ms, (int64_t)LOOK_AGAIN_MS));
        bool stop = w->stopping;
        skep_mutex_unlock(&w->mu);
        if (stop)
            return;
    }
}

struct skep_watch *skep_watch_new(const struct skep_watch_config *cfg)
{
    struct skep_watch *w = skep_alloc(struct skep_watch);
    skep_assert(cfg->os && cfg->state && cfg->rules && cfg->ask && cfg->tell);
    *w = (struct skep_watch){.cfg = *cfg, .reload = true, .untold = true};
    skep_arena_init(&w->arena, "watch rules", NULL);
    skep_arena_init(&w->names, "watch drops", NULL);
    skep_mutex_init(&w->mu_work, "watch work");
    skep_mutex_init(&w->mu, "watch");
    skep_cond_init(&w->bell);
    return w;
}

void skep_watch_start(struct skep_watch *w)
{
    skep_assert(!w->started);
    w->started = true;
    skep_thread_start(&w->thread, "watch", run, w);
}

void skep_watch_changed(struct skep_watch *w)
{
    skep_mutex_lock(&w->mu);
    w->reload = true;
    skep_cond_signal(&w->bell);
    skep_mutex_unlock(&w->mu);
}

/* False: the list is full. */
static bool note_dropped(struct skep_watch *w, skep_str environment, skep_str id)
{
    skep_mutex_lock(&w->mu);
    bool room = w->n_dropped < DROPS_MAX;
    if (room)
        w->dropped[w->n_dropped++] =
            (struct dropped){skep_arena_str(&w->names, environment), skep_arena_str(&w->names, id)};
    skep_mutex_unlock(&w->mu);
    return room;
}

skep_rc skep_watch_drop(struct skep_watch *w, skep_str environment, skep_str id, skep_err *err)
{
    bool noted = note_dropped(w, environment, id);
    if (!noted) /* an evaluation that runs writes its state behind us else */
        skep_mutex_lock(&w->mu_work);
    skep_rc rc = skep_state_drop_watch(w->cfg.state, environment, id, err);
    skep_watch_changed(w);
    if (!noted)
        skep_mutex_unlock(&w->mu_work);
    return rc;
}

void skep_watch_stop(struct skep_watch *w)
{
    atomic_store_explicit(&w->cut, true, memory_order_relaxed);
    skep_mutex_lock(&w->mu);
    w->stopping = true;
    skep_cond_signal(&w->bell);
    skep_mutex_unlock(&w->mu);
    if (w->started)
        skep_thread_join(&w->thread);
    w->started = false;
}

void skep_watch_free(struct skep_watch *w)
{
    if (!w)
        return;
    skep_watch_stop(w);
    skep_arena_done(&w->arena);
    skep_arena_done(&w->names);
    skep_cond_done(&w->bell);
    skep_mutex_done(&w->mu);
    skep_mutex_done(&w->mu_work);
    skep_free(w);
}
