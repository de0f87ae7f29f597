// SPDX-License-Identifier: Apache-2.0
/*
 * stream.c - views, and which streams an instrument has
 *
 * For each reader, each view that matches makes a stream; where none does, the kind's default. An
 * instrument is bound to its streams by its first measurement, and bound anew when its provider is
 * another one, or has another reader or view; streams that are there already are kept.
 *
 * Threads: binding takes a lock, which measurements of a bound instrument do not need. What was
 * bound before stays in memory until the provider is freed.
 */
#include "metrics_priv.h"

#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

static pthread_mutex_t binding_lock; /* may be taken twice: an error handler may measure */
static pthread_once_t binding_once = PTHREAD_ONCE_INIT;

enum { STREAMS_MAX = 64, STRIPES_MAX = 8, BOUNDARIES_MAX = 65536 };

/* --- copies -------------------------------------------------------------------------------- */

static bool copy_str(const char **s)
{
    if (*s == NULL)
        return true;
    size_t n = strlen(*s) + 1;
    char *copy = malloc(n);
    if (copy != NULL)
        memcpy(copy, *s, n);
    *s = copy;
    return copy != NULL;
}

static bool copy_strs(const char *const **list, size_t n)
{
    if (*list == NULL)
        return true;
    const char **copy = calloc(n + 1, sizeof *copy);
    bool ok = copy != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        copy[i] = (*list)[i];
        ok = copy_str(&copy[i]);
    }
    *list = copy;
    return ok;
}

static void free_str(const char *s)
{
    free((void *)(uintptr_t)s);
}

static void free_strs(const char *const *list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free_str(list[i]);
    free((void *)(uintptr_t)list);
}

static bool copy_doubles(const double **p, size_t n)
{
    if (*p == NULL)
        return true;
    double *copy = malloc((n + 1) * sizeof *copy);
    if (copy != NULL && n > 0)
        memcpy(copy, *p, n * sizeof *copy);
    *p = copy;
    return copy != NULL;
}

/* --- views --------------------------------------------------------------------------------- */

static void view_free(struct waggle__view *view)
{
    const char *texts[] = {view->v.instrument_name, view->v.instrument_unit,  view->v.meter_name,
                           view->v.meter_version,   view->v.meter_schema_url, view->v.name,
                           view->v.description};
    for (size_t i = 0; i < WAGGLE__COUNT(texts); i++)
        free_str(texts[i]);
    free_strs(view->v.keys);
    free_strs(view->v.excluded_keys);
    free((void *)(uintptr_t)view->v.aggregation.boundaries);
    free(view);
}

static bool view_copy(struct waggle__view *view)
{
    waggle_view *v = &view->v;
    const char **texts[] = {&v->instrument_name, &v->instrument_unit,  &v->meter_name,
                            &v->meter_version,   &v->meter_schema_url, &v->name,
                            &v->description};
    bool ok = true;
    for (size_t i = 0; i < WAGGLE__COUNT(texts); i++)
        ok = copy_str(texts[i]) && ok;
    ok = copy_strs(&v->keys, v->n_keys) && ok;
    ok = copy_strs(&v->excluded_keys, v->n_excluded_keys) && ok;
    return copy_doubles(&v->aggregation.boundaries, v->aggregation.n_boundaries) && ok;
}

static bool ascending(const double *p, size_t n)
{
    for (size_t i = 0; p != NULL && i < n; i++)
        if (!(p[i] - p[i] == 0) || (i > 0 && !(p[i - 1] < p[i]))) // finite, and rising
            return false;
    return n <= BOUNDARIES_MAX;
}

static const char *view_trouble(const waggle_view *v)
{
    if (v->name != NULL &&
        (v->instrument_name == NULL || strpbrk(v->instrument_name, "*?") != NULL))
        return "a name for several instruments";
    if (!ascending(v->aggregation.boundaries, v->aggregation.n_boundaries))
        return "boundaries that do not ascend";
    return NULL;
}

bool waggle_provider_add_view(struct waggle_provider *provider, const waggle_view *given)
{
    struct waggle__view *view = calloc(1, sizeof *view);
    if (view == NULL || provider == NULL || given == NULL) {
        free(view);
        return false;
    }
    memcpy(&view->v, given,
           given->struct_size ? WAGGLE__MIN(given->struct_size, sizeof view->v) : sizeof view->v);
    const char *trouble = view_trouble(&view->v);
    if (trouble != NULL) {
        waggle__error(WAGGLE_LEVEL_ERROR, "a view has %s, ignoring it", trouble);
        free(view);
        return false;
    }
    if (!view_copy(view)) {
        view_free(view);
        return false;
    }
    (void)pthread_mutex_lock(&provider->lock); // fails only for a mutex that is none
    _Atomic(struct waggle__view *) *at = &provider->views;
    while (atomic_load_explicit(at, memory_order_relaxed) != NULL)
        at = &atomic_load_explicit(at, memory_order_relaxed)->next;
    atomic_store_explicit(at, view, memory_order_release);
    atomic_fetch_add_explicit(&provider->metrics_epoch, 1, memory_order_release);
    (void)pthread_mutex_unlock(&provider->lock);
    return true;
}

static bool matches(const char *pattern, waggle_str s, bool fold)
{
    const char *star = NULL;
    size_t from = 0;
    size_t at = 0;
    while (at < s.n) {
        if (*pattern == '*') {
            star = pattern++;
            from = at;
        } else if (*pattern != '\0' && (*pattern == '?' || *pattern == s.p[at] ||
                                        (fold && strncasecmp(pattern, s.p + at, 1) == 0))) {
            pattern++;
            at++;
        } else if (star != NULL) {
            pattern = star + 1;
            at = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool waggle__wild_match(const char *pattern, waggle_str s)
{
    return s.p == NULL || matches(pattern, s, true);
}

bool waggle__wild_match_case(const char *pattern, waggle_str s)
{
    return matches(pattern, s, false);
}

static bool text_is(const char *wanted, waggle_str s)
{
    return wanted == NULL || (strlen(wanted) == s.n && memcmp(wanted, s.p, s.n) == 0);
}

static bool view_matches(const waggle_view *v, const struct waggle_instrument *i)
{
    const waggle_scope_info *scope =
        atomic_load_explicit(&waggle__scopes[i->meter->scope], memory_order_acquire);
    return (v->instrument_name == NULL ||
            waggle__wild_match(v->instrument_name, (waggle_str){i->name, strlen(i->name)})) &&
           (v->instrument_kind == 0 || v->instrument_kind == i->kind) &&
           (v->instrument_unit == NULL || strcmp(v->instrument_unit, i->unit) == 0) &&
           text_is(v->meter_name, scope->name) && text_is(v->meter_version, scope->version) &&
           text_is(v->meter_schema_url, scope->schema_url);
}

/* --- aggregations -------------------------------------------------------------------------- */

static bool is_observable(enum waggle_instrument_kind kind)
{
    return kind >= WAGGLE_OBSERVABLE_COUNTER;
}

static enum waggle_aggregation_kind usual_aggregation(enum waggle_instrument_kind kind)
{
    if (kind == WAGGLE_GAUGE || kind == WAGGLE_OBSERVABLE_GAUGE)
        return WAGGLE_AGGREGATION_LAST_VALUE;
    return kind == WAGGLE_HISTOGRAM ? WAGGLE_AGGREGATION_EXPLICIT : WAGGLE_AGGREGATION_SUM;
}

static bool aggregation_fits(enum waggle_aggregation_kind a, enum waggle_instrument_kind kind)
{
    bool is_gauge = usual_aggregation(kind) == WAGGLE_AGGREGATION_LAST_VALUE;
    switch (a) {
    case WAGGLE_AGGREGATION_SUM: return !is_gauge;
    case WAGGLE_AGGREGATION_LAST_VALUE: return is_gauge;
    case WAGGLE_AGGREGATION_EXPLICIT:
    case WAGGLE_AGGREGATION_EXPONENTIAL: return !is_observable(kind);
    case WAGGLE_AGGREGATION_DROP: return true;
    case WAGGLE_AGGREGATION_DEFAULT:
    default: return false;
    }
}

/* The view's, else the reader's, else the kind's. */
static waggle_aggregation choose_aggregation(const struct waggle__stream *s)
{
    enum waggle_instrument_kind kind = s->instrument->kind;
    waggle_aggregation usual = {.kind = usual_aggregation(kind)};
    waggle_aggregation a = s->reader->options.aggregation[kind];
    if (s->view != NULL && s->view->v.aggregation.kind != WAGGLE_AGGREGATION_DEFAULT)
        a = s->view->v.aggregation;
    if (a.kind == WAGGLE_AGGREGATION_DEFAULT)
        return usual;
    if (aggregation_fits(a.kind, kind))
        return a;
    waggle__error(WAGGLE_LEVEL_WARN, "an aggregation does not fit metric %s, using the usual one",
                  s->name);
    return usual;
}

static bool take_boundaries(struct waggle__stream *s, const waggle_aggregation *a)
{
    static const double usual[] = {0,   5,   10,   25,   50,   75,   100,  250,
                                   500, 750, 1000, 2500, 5000, 7500, 10000};
    const struct waggle_instrument *i = s->instrument;
    s->boundaries = a->boundaries;
    s->n_boundaries = a->n_boundaries;
    if (a->boundaries == NULL) {
        s->boundaries = i->has_boundaries ? i->boundaries : usual;
        s->n_boundaries = i->has_boundaries ? i->n_boundaries : WAGGLE__COUNT(usual);
    }
    return copy_doubles(&s->boundaries, s->n_boundaries);
}

static bool take_aggregation(struct waggle__stream *s)
{
    enum { SIZE = 160, SIZE_MIN = 2, SCALE = 20, SCALE_MIN = -10 };
    static const struct waggle__aggregator *const of[] = {
        [WAGGLE_AGGREGATION_SUM] = &waggle__aggregate_sum,
        [WAGGLE_AGGREGATION_LAST_VALUE] = &waggle__aggregate_last,
        [WAGGLE_AGGREGATION_EXPLICIT] = &waggle__aggregate_explicit,
        [WAGGLE_AGGREGATION_EXPONENTIAL] = &waggle__aggregate_exponential,
    };
    waggle_aggregation a = choose_aggregation(s);
    s->aggregator = (size_t)a.kind < WAGGLE__COUNT(of) ? of[a.kind] : NULL;
    s->no_min_max = a.no_min_max;
    s->max_size = a.max_size == 0 || a.max_size > SIZE ? SIZE : a.max_size;
    s->max_size = s->max_size < SIZE_MIN ? SIZE_MIN : s->max_size;
    s->max_scale = a.max_scale == 0 || a.max_scale > SCALE ? SCALE : a.max_scale;
    s->max_scale = s->max_scale < SCALE_MIN ? SCALE_MIN : s->max_scale;
    return s->aggregator != &waggle__aggregate_explicit || take_boundaries(s, &a);
}

/* --- streams ------------------------------------------------------------------------------- */

static bool is_delta_for(const waggle_reader_options *o, enum waggle_instrument_kind kind)
{
    if (o->temporality[kind] != 0)
        return o->temporality[kind] == WAGGLE_DELTA;
    bool sync = kind == WAGGLE_COUNTER || kind == WAGGLE_HISTOGRAM;
    return o->preference == WAGGLE_PREFER_DELTA ? sync || kind == WAGGLE_OBSERVABLE_COUNTER
                                                : o->preference == WAGGLE_PREFER_LOW_MEMORY && sync;
}

/* As many stripes as threads can be at work, to a limit; one where the order counts. */
static uint32_t stripes_for(const struct waggle__stream *s)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t stripes = 1;
    if (s->is_async || s->aggregator == &waggle__aggregate_last)
        return 1;
    while (stripes < STRIPES_MAX && (long)stripes < n)
        stripes *= 2;
    return stripes < 2 ? 2 : stripes;
}

/* The instrument of that name that was made first: names are told apart without case. */
static struct waggle_instrument *first_named(const struct waggle_instrument *i)
{
    struct waggle_instrument *first = NULL;
    for (struct waggle_instrument *k = waggle__instruments(); k != NULL; k = k->next)
        if (k->meter == i->meter && strcasecmp(k->name, i->name) == 0)
            first = k; // the last of the list
    return first;
}

static void take_names(struct waggle__stream *s)
{
    const waggle_view *v = s->view != NULL ? &s->view->v : NULL;
    s->name = v != NULL && v->name != NULL ? v->name : first_named(s->instrument)->name;
    s->description =
        v != NULL && v->description != NULL ? v->description : s->instrument->description;
    s->unit = s->instrument->unit;
    s->keys = (const char *const *)s->instrument->keys;
    s->n_keys = s->instrument->n_keys;
    if (v != NULL && (v->keys != NULL || v->n_excluded_keys > 0)) {
        s->keys = v->keys;
        s->n_keys = v->n_keys;
    }
    if (v != NULL) {
        s->excluded_keys = v->excluded_keys;
        s->n_excluded_keys = v->n_excluded_keys;
    }
}

static uint32_t choose_limit(const struct waggle__stream *s)
{
    enum { LIMIT_MIN = 2 };
    uint32_t limit = s->view != NULL ? s->view->v.cardinality_limit : 0;
    limit = limit ? limit : s->reader->options.cardinality_limits[s->instrument->kind];
    limit = limit ? limit : s->reader->options.cardinality_limit;
    limit = limit ? limit : WAGGLE__CARDINALITY;
    return limit < LIMIT_MIN ? LIMIT_MIN : limit;
}

void waggle__stream_free(struct waggle__stream *s)
{
    waggle__points_free(s);
    (void)pthread_mutex_destroy(&s->lock); // nobody holds it
    free((void *)(uintptr_t)s->boundaries);
    free(s->scratch);
    free(s);
}

static struct waggle__stream *stream_new(struct waggle_reader *reader, struct waggle__view *view,
                                         struct waggle_instrument *i,
                                         const struct waggle_provider *provider)
{
    struct waggle__stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->instrument = i;
    s->reader = reader;
    s->view = view;
    s->is_double = i->is_double;
    s->is_async = is_observable(i->kind);
    s->is_monotonic = i->kind == WAGGLE_COUNTER || i->kind == WAGGLE_OBSERVABLE_COUNTER ||
                      i->kind == WAGGLE_HISTOGRAM;
    s->is_delta = is_delta_for(&reader->options, i->kind);
    s->no_sum = i->kind == WAGGLE_UP_DOWN_COUNTER || i->kind == WAGGLE_GAUGE; // may be below zero
    s->limit = choose_limit(s);
    s->start_ns = waggle__os.realtime_ns();
    s->exemplar_filter = view != NULL && view->v.no_exemplars ? WAGGLE_EXEMPLARS_ALWAYS_OFF
                                                              : provider->exemplar_filter;
    (void)pthread_mutex_init(&s->lock, NULL); // cannot fail on Linux
    take_names(s);
    bool ok = take_aggregation(s);
    if (ok && s->aggregator != NULL) {
        size_t line = WAGGLE__CACHE_LINE;
        size_t state = s->aggregator->size(s);
        s->n_stripes = stripes_for(s);
        s->stripe_size = (sizeof(struct waggle__stripe) + state + line - 1) / line * line;
        s->scratch = malloc(state);
        ok = s->scratch != NULL;
    }
    if (ok)
        return s;
    waggle__stream_free(s);
    return NULL;
}

/* --- binding ------------------------------------------------------------------------------- */

/* The error handler is told once. */
static void check_twice(struct waggle_instrument *i)
{
    if (first_named(i) == i ||
        atomic_exchange_explicit(&i->is_named_twice, true, memory_order_relaxed))
        return;
    waggle__error(WAGGLE_LEVEL_WARN,
                  "instrument %s is made twice with another kind, type, unit or description",
                  i->name);
}

static bool has_good_name(const struct waggle_instrument *i)
{
    enum { LETTERS_MAX = 255 };
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char others[] = "0123456789_.-/";
    size_t n = strspn(i->name, letters);
    if (n == 0)
        return false;
    while (i->name[n] != '\0' && (strchr(letters, i->name[n]) || strchr(others, i->name[n])))
        n++;
    return i->name[n] == '\0' && n <= LETTERS_MAX;
}

static struct waggle__stream *existing(struct waggle_reader *reader,
                                       const struct waggle__view *view,
                                       const struct waggle_instrument *i)
{
    struct waggle__stream *s = atomic_load_explicit(&reader->streams, memory_order_relaxed);
    while (s != NULL && (s->instrument != i || s->view != view))
        s = atomic_load_explicit(&s->next, memory_order_relaxed);
    return s;
}

static void add_stream(struct waggle__binding *b, struct waggle_reader *reader,
                       struct waggle__view *view, struct waggle_instrument *i)
{
    struct waggle__stream *s = existing(reader, view, i);
    if (s == NULL) {
        s = stream_new(reader, view, i, b->provider);
        struct waggle__stream *other = existing(reader, view, i); // an error handler measured it
        if (s == NULL || other != NULL) {
            if (s != NULL)
                waggle__stream_free(s);
            return;
        }
        _Atomic(struct waggle__stream *) *at = &reader->streams;
        while (atomic_load_explicit(at, memory_order_relaxed) != NULL)
            at = &atomic_load_explicit(at, memory_order_relaxed)->next;
        atomic_store_explicit(at, s, memory_order_release);
    }
    if (s->aggregator != NULL && b->n < STREAMS_MAX)
        b->streams[b->n++] = s;
}

static void add_streams(struct waggle__binding *b, struct waggle_reader *reader,
                        struct waggle_instrument *i)
{
    bool any = false;
    struct waggle__view *v = atomic_load_explicit(&b->provider->views, memory_order_acquire);
    for (; v != NULL; v = atomic_load_explicit(&v->next, memory_order_acquire)) {
        if (!view_matches(&v->v, i))
            continue;
        any = true;
        add_stream(b, reader, v, i);
    }
    if (!any)
        add_stream(b, reader, NULL, i);
}

static struct waggle__binding *bind_locked(struct waggle_instrument *i,
                                           struct waggle_provider *provider, uint32_t epoch)
{
    struct waggle__binding *b = malloc(sizeof *b + STREAMS_MAX * sizeof(struct waggle__stream *));
    if (b == NULL)
        return NULL;
    *b = (struct waggle__binding){.provider = provider, .epoch = epoch};
    const struct waggle__processors *readers = &provider->processors[WAGGLE_SIGNAL_METRICS];
    bool good = has_good_name(i);
    if (!good)
        waggle__error(WAGGLE_LEVEL_ERROR, "%s is no name for an instrument, which measures nothing",
                      i->name);
    check_twice(i);
    for (uint32_t r = 0, n = waggle__processors_n(readers); good && r < n; r++)
        add_streams(b, (struct waggle_reader *)waggle__processor_at(readers, r), i);
    b->older = provider->bindings;
    provider->bindings = b;
    atomic_store_explicit(&i->binding, b, memory_order_release);
    return b;
}

static void begin_readers(struct waggle_provider *provider)
{
    const struct waggle__processors *readers = &provider->processors[WAGGLE_SIGNAL_METRICS];
    for (uint32_t i = 0, n = waggle__processors_n(readers); i < n; i++) {
        struct waggle_reader *r = (struct waggle_reader *)waggle__processor_at(readers, i);
        if (r->begin != NULL)
            r->begin(r);
    }
}

static bool is_current(const struct waggle__binding *b, const struct waggle_provider *provider)
{
    return b != NULL && b->provider == provider &&
           b->epoch == atomic_load_explicit(&provider->metrics_epoch, memory_order_acquire);
}

WAGGLE__COLD static struct waggle__binding *bind_anew(struct waggle_instrument *i,
                                                      struct waggle_provider *provider)
{
    waggle__binding_lock();
    struct waggle__binding *b = atomic_load_explicit(&i->binding, memory_order_relaxed);
    if (!is_current(b, provider))
        b = bind_locked(i, provider,
                        atomic_load_explicit(&provider->metrics_epoch, memory_order_acquire));
    waggle__binding_unlock();
    if (b != NULL && b->n > 0) {
        begin_readers(provider);
        waggle__self_metrics(provider);
    }
    return b;
}

struct waggle__binding *waggle__binding_of(struct waggle_instrument *i)
{
    struct waggle_provider *provider =
        atomic_load_explicit(&i->meter->provider, memory_order_acquire);
    struct waggle__binding *b = atomic_load_explicit(&i->binding, memory_order_acquire);
    if (WAGGLE__UNLIKELY(provider == NULL))
        return NULL;
    return WAGGLE__LIKELY(is_current(b, provider)) ? b : bind_anew(i, provider);
}

static void make_binding_lock(void)
{
    waggle__mutex_init_recursive(&binding_lock);
}

void waggle__binding_lock(void)
{
    (void)pthread_once(&binding_once, make_binding_lock); // fails only for one that is none
    (void)pthread_mutex_lock(&binding_lock);              // fails only for a mutex that is none
}

void waggle__binding_unlock(void)
{
    (void)pthread_mutex_unlock(&binding_lock); // as above
}

/* --- forks --------------------------------------------------------------------------------- */

typedef void on_stream_fn(struct waggle__stream *s);

static void each_stream(struct waggle_provider *provider, on_stream_fn *fn)
{
    const struct waggle__processors *readers = &provider->processors[WAGGLE_SIGNAL_METRICS];
    for (uint32_t i = 0, n = waggle__processors_n(readers); i < n; i++) {
        struct waggle_reader *r = (struct waggle_reader *)waggle__processor_at(readers, i);
        struct waggle__stream *s = atomic_load_explicit(&r->streams, memory_order_acquire);
        for (; s != NULL; s = atomic_load_explicit(&s->next, memory_order_acquire))
            fn(s);
    }
}

static void lock_stream(struct waggle__stream *s)
{
    (void)pthread_mutex_lock(&s->lock); // fails only for a mutex that is none
}

static void unlock_stream(struct waggle__stream *s)
{
    (void)pthread_mutex_unlock(&s->lock); // as above
}

static void begin_anew(struct waggle__stream *s)
{
    s->start_ns = waggle__os.realtime_ns();
    waggle__points_after_fork(s);
}

void waggle__streams_before_fork(struct waggle_provider *provider)
{
    each_stream(provider, lock_stream);
}

void waggle__streams_after_fork(struct waggle_provider *provider, bool child)
{
    if (child)
        each_stream(provider, begin_anew);
    each_stream(provider, unlock_stream);
}

/* --- the API's side ------------------------------------------------------------------------ */

void waggle__instrument_op_made(struct waggle_instrument *instrument)
{
    (void)waggle__binding_of(instrument); // its readers begin
}

void waggle__metrics_bind_all(void)
{
    for (struct waggle_instrument *i = waggle__instruments(); i != NULL; i = i->next)
        waggle__instrument_op_made(i);
}

void waggle__binding_after_fork(bool child)
{
    if (child)
        make_binding_lock(); // see waggle__callbacks_after_fork
    else
        waggle__binding_unlock();
}

/* The provider is about to be freed: no instrument may point at what hangs on it. */
void waggle__metrics_free(struct waggle_provider *provider)
{
    waggle__binding_lock();
    for (struct waggle_instrument *i = waggle__instruments(); i != NULL; i = i->next) {
        struct waggle__binding *b = atomic_load_explicit(&i->binding, memory_order_relaxed);
        if (b != NULL && b->provider == provider)
            atomic_store_explicit(&i->binding, NULL, memory_order_release);
    }
    waggle__binding_unlock();
    while (provider->bindings != NULL) {
        struct waggle__binding *older = provider->bindings->older;
        free(provider->bindings);
        provider->bindings = older;
    }
    struct waggle__view *v = atomic_load_explicit(&provider->views, memory_order_relaxed);
    while (v != NULL) {
        struct waggle__view *next = atomic_load_explicit(&v->next, memory_order_relaxed);
        view_free(v);
        v = next;
    }
}
