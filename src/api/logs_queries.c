// SPDX-License-Identifier: Apache-2.0
/* Started Insights queries and their answers, in memory.
 *
 * I1  What is kept of answers is charged to the budget of questions and stays below
 *     SKEP_LIMIT_LOGS_ANSWERS_BYTES; the oldest answers make room for new ones.
 * I2  A query that runs stays in the list until it has ended.
 *
 * Threads: any; one mutex, held for copies of texts only.  Memory: the heap, charged. */
#include "api/logs_queries.h"

#include "base/assert.h"
#include "base/mem.h"

struct entry {
    struct skep_logs_query q;
    char *texts; /* environment, text, groups */
    char *json;
    uint32_t *ends;
    size_t charged;
    bool stop;
    skep_ts_ns ended_ns;
};

struct skep_logs_queries {
    struct skep_mutex mu;
    struct skep_budget budget;
    struct entry **entries; /* by begin, oldest first */
    size_t n, cap;
};

struct skep_logs_queries *skep_logs_queries_new(struct skep_budget *parent)
{
    struct skep_logs_queries *s = skep_alloc(struct skep_logs_queries);
    uint64_t limit = SKEP_MIN(parent->limit_bytes / 8, (uint64_t)SKEP_LIMIT_LOGS_ANSWERS_BYTES);
    skep_mutex_init(&s->mu, "insights queries");
    skep_budget_init(&s->budget, "insights answers", limit, parent);
    return s;
}

static bool runs(const struct entry *e)
{
    return e->q.status <= SKEP_LOGS_QUERY_RUNNING;
}

static void free_entry(struct skep_logs_queries *s, struct entry *e)
{
    skep_budget_give(&s->budget, e->charged);
    skep_free(e->texts);
    skep_free(e->json);
    skep_free(e->ends);
    skep_free(e);
}

void skep_logs_queries_free(struct skep_logs_queries *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        free_entry(s, s->entries[i]);
    skep_free(s->entries);
    skep_budget_done(&s->budget);
    skep_mutex_done(&s->mu);
    skep_free(s);
}

static void drop_locked(struct skep_logs_queries *s, size_t i)
{
    free_entry(s, s->entries[i]);
    s->n--;
    memmove(&s->entries[i], &s->entries[i + 1], (s->n - i) * sizeof s->entries[0]);
}

/* The oldest that has ended goes, but for `keep`; false when there is none. */
static bool make_room_locked(struct skep_logs_queries *s, const struct entry *keep)
{
    for (size_t i = 0; i < s->n; i++) {
        if (!runs(s->entries[i]) && s->entries[i] != keep) {
            drop_locked(s, i);
            return true;
        }
    }
    return false;
}

static bool charge_locked(struct skep_logs_queries *s, struct entry *e, size_t bytes)
{
    while (skep_budget_take(&s->budget, bytes, NULL) != SKEP_OK)
        if (!make_room_locked(s, e))
            return false;
    e->charged += bytes;
    return true;
}

static skep_str put_text(char **to, skep_str s)
{
    if (s.n)
        memcpy(*to, s.p, s.n);
    skep_str copy = {*to, s.n};
    *to += s.n;
    return copy;
}

skep_rc skep_logs_queries_begin(struct skep_logs_queries *s, const struct skep_logs_query *q)
{
    size_t bytes = q->environment.n + q->text.n + q->groups.n;
    struct entry *e = skep_alloc(struct entry);
    skep_rc rc = SKEP_OK;
    e->q = *q;
    e->q.status = SKEP_LOGS_QUERY_RUNNING;
    skep_mutex_lock(&s->mu);
    if (s->n == SKEP_LIMIT_LOGS_QUERIES && !make_room_locked(s, NULL))
        rc = SKEP_ELIMIT;
    else if (!charge_locked(s, e, bytes + sizeof *e))
        rc = SKEP_ENOMEM;
    if (rc == SKEP_OK) {
        e->texts = skep_malloc(bytes + 1);
        char *to = e->texts;
        e->q.environment = put_text(&to, q->environment);
        e->q.text = put_text(&to, q->text);
        e->q.groups = put_text(&to, q->groups);
        SKEP_GROW(s->entries, s->n, s->cap);
        s->entries[s->n++] = e;
    }
    skep_mutex_unlock(&s->mu);
    if (rc != SKEP_OK)
        skep_free(e);
    return rc;
}

static struct entry *find_locked(struct skep_logs_queries *s, skep_str id)
{
    for (size_t i = 0; i < s->n; i++)
        if (skep_str_ieq((skep_str){s->entries[i]->q.id, 36}, id))
            return s->entries[i];
    return NULL;
}

bool skep_logs_queries_stopped(struct skep_logs_queries *s, const char id[36])
{
    skep_mutex_lock(&s->mu);
    struct entry *e = find_locked(s, (skep_str){id, 36});
    bool stop = e && e->stop;
    skep_mutex_unlock(&s->mu);
    return stop;
}

/* The answer into the entry; false when there is no room for it. */
static bool keep_locked(struct skep_logs_queries *s, struct entry *e,
                        const struct skep_logs_query *q, skep_str json, const uint32_t *ends)
{
    if (q->status != SKEP_LOGS_QUERY_COMPLETE || q->n_rows == 0)
        return true;
    if (!charge_locked(s, e, json.n + q->n_rows * sizeof *ends))
        return false;
    e->json = skep_malloc(json.n);
    memcpy(e->json, json.p, json.n);
    e->ends = skep_malloc(q->n_rows * sizeof *ends);
    memcpy(e->ends, ends, q->n_rows * sizeof *ends);
    return true;
}

void skep_logs_queries_end(struct skep_logs_queries *s, const struct skep_logs_query *q,
                           skep_str json, const uint32_t *ends)
{
    skep_mutex_lock(&s->mu);
    struct entry *e = find_locked(s, (skep_str){q->id, 36});
    skep_assert(e != NULL); /* I2 */
    struct skep_logs_query texts = e->q;
    bool kept = keep_locked(s, e, q, json, ends);
    e->q = *q;
    e->q.environment = texts.environment;
    e->q.text = texts.text;
    e->q.groups = texts.groups;
    if (!kept) {
        e->q.status = SKEP_LOGS_QUERY_FAILED;
        e->q.n_rows = 0;
    }
    e->ended_ns = q->created_ns + q->elapsed_ns;
    skep_mutex_unlock(&s->mu);
}

static void copy_out(const struct entry *e, struct skep_arena *a, struct skep_logs_query *ret)
{
    *ret = e->q;
    ret->environment = skep_arena_str(a, e->q.environment);
    ret->text = skep_arena_str(a, e->q.text);
    ret->groups = skep_arena_str(a, e->q.groups);
}

bool skep_logs_queries_get(struct skep_logs_queries *s, skep_str environment, skep_str id,
                           struct skep_arena *a, struct skep_logs_query *ret)
{
    skep_mutex_lock(&s->mu);
    const struct entry *e = find_locked(s, id);
    bool found = e && skep_str_eq(e->q.environment, environment);
    if (found)
        copy_out(e, a, ret);
    skep_mutex_unlock(&s->mu);
    return found;
}

void skep_logs_queries_rows(struct skep_logs_queries *s, skep_str id, size_t from, size_t n,
                            struct skep_arena *a, skep_str *ret, size_t *ret_n)
{
    *ret = SKEP_STR_NULL;
    *ret_n = 0;
    skep_mutex_lock(&s->mu);
    const struct entry *e = find_locked(s, id);
    if (e && e->json && from < e->q.n_rows) {
        size_t end = SKEP_MIN(e->q.n_rows, from + n);
        size_t begin_byte = from ? e->ends[from - 1] : 0;
        size_t bytes = e->ends[end - 1] - begin_byte;
        if (bytes > 1) /* without the last comma */
            *ret = skep_arena_str(a, (skep_str){e->json + begin_byte, bytes - 1});
        *ret_n = end - from;
    }
    skep_mutex_unlock(&s->mu);
}

bool skep_logs_queries_stop(struct skep_logs_queries *s, skep_str environment, skep_str id)
{
    skep_mutex_lock(&s->mu);
    struct entry *e = find_locked(s, id);
    bool stops = e && skep_str_eq(e->q.environment, environment) && runs(e);
    if (stops)
        e->stop = true;
    skep_mutex_unlock(&s->mu);
    return stops;
}

void skep_logs_queries_list(struct skep_logs_queries *s, skep_str environment, struct skep_arena *a,
                            struct skep_logs_query **ret, size_t *ret_n)
{
    skep_mutex_lock(&s->mu);
    *ret = skep_new_n(a, struct skep_logs_query, s->n + 1);
    *ret_n = 0;
    for (size_t i = s->n; i-- > 0;)
        if (skep_str_eq(s->entries[i]->q.environment, environment))
            copy_out(s->entries[i], a, &(*ret)[(*ret_n)++]);
    skep_mutex_unlock(&s->mu);
}

void skep_logs_queries_age(struct skep_logs_queries *s, skep_ts_ns now_ns)
{
    skep_ts_ns oldest = now_ns - (skep_ts_ns)SKEP_LOGS_QUERY_KEPT_S * 1000000000;
    skep_mutex_lock(&s->mu);
    for (size_t i = s->n; i-- > 0;)
        if (!runs(s->entries[i]) && s->entries[i]->ended_ns < oldest)
            drop_locked(s, i);
    skep_mutex_unlock(&s->mu);
}
