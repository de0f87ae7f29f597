// SPDX-License-Identifier: Apache-2.0
/* What a pipeline computes is the same whether the store answers it, on all cores and by computed
 * fields, or its rows go through the stages one by one: random lines (documents, odd documents,
 * access lines, texts), as parts and as segments, and questions of all shapes. */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "lang/insights.h"
#include "os/thread.h"
#include "support/instrumented.h"
#include "support/refquery.h"
#include "support/rowdump.h"

enum { PARTS = 3, STORES = 3, SECONDS = 600 };

struct world {
    char dir[64];
    struct skep_cache *cache;
    struct skep_pool *pool;
    struct ref_store stores[STORES];
};

// --- lines -------------------------------------------------------------------------------------

static const char *pick(struct rnd *r, const char *const *of, unsigned n)
{
    return of[rnd_below(r, n)];
}
#define PICK(...)                                                                                  \
    pick(r, (const char *const[]){__VA_ARGS__},                                                    \
         (unsigned)SKEP_ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

/* A document as services write them: one of few shapes, values in the same places. */
static int document(struct rnd *r, char *to, size_t cap)
{
    const char *level = PICK("info", "info", "info", "warn", "error");
    unsigned ms = rnd_below(r, 2000), order = 1000000 + rnd_below(r, 9000000);
    switch (rnd_below(r, 6)) {
    case 0:
        return snprintf(
            to, cap,
            "{\"level\":\"%s\",\"msg\":\"order placed\",\"order_id\":%u,\"duration_ms\":"
            "%u,\"http\":{\"status\":%s,\"path\":\"/orders/%u\"}}",
            level, order, ms, PICK("200", "404", "503"), order);
    case 1:
        return snprintf(to, cap,
                        "{\"level\":\"%s\",\"trace\":\"%08x%08x\",\"duration_ms\":%u.%u,\"ok\":%s,"
                        "\"tags\":[\"%s\",%u]}",
                        level, (unsigned)rnd_u64(r), (unsigned)rnd_u64(r), ms, rnd_below(r, 1000),
                        PICK("true", "false", "null"), PICK("a", "b"), rnd_below(r, 5));
    case 2: /* a name twice, and names of others on the way */
        return snprintf(
            to, cap,
            "{\"http\":{\"level\":\"%s\",\"status\":%u},\"level\":\"%s\",\"level\":\"%s\","
            "\"duration_ms\":%u,\"duration_ms\":%u}",
            PICK("a", "b"), rnd_below(r, 600), level, PICK("x", "y"), ms, order);
    case 3:
        return snprintf(to, cap,
                        "{\"duration_ms\":-%u.%02u,\"level\":\"%s %u\",\"ok\":%s,\"msg\":\"\"}", ms,
                        rnd_below(r, 100), level, rnd_below(r, 9), PICK("0", "12", "7"));
    case 4:
        return snprintf(to, cap,
                        "  {\"msg\": \"cache %s\", \"level\" : \"%s\", \"duration_ms\": -%u}",
                        PICK("hit", "miss"), level, ms);
    default:
        return snprintf(to, cap, "{\"level\":\"%s\",\"duration_ms\":\"%u\",\"who\":\"%s-%u\"}",
                        level, ms, PICK("ann", "b\\u00e9a", "c\\\"d"), rnd_below(r, 20));
    }
}

/* One that is nearly a document, or says things twice or otherwise. */
static int odd(struct rnd *r, char *to, size_t cap)
{
    const char *text = PICK(
        "{\"level\":\"info\",\"level\":\"warn\",\"duration_ms\":1}", "{\"level\":{\"a\":1}}",
        "{\"level\":[1,2],\"duration_ms\":true}", "{\"level\":1}", "{\"level\":\"1\"}",
        "{\"level\":1.0,\"duration_ms\":\"07\"}", "{\"level\":true,\"duration_ms\":\" 12 \"}",
        "{\"level\":\"info\",\"duration_ms\":1e3}", "{\"level\":\"info\",\"duration_ms\":1e999}",
        "{\"level\":\"info\",\"duration_ms\":007}", "{\"level\":\"info\"", "{\"level\":\"info\",}",
        "[{\"level\":\"info\"}]", "\"{\\\"level\\\":\\\"info\\\",\\\"duration_ms\\\":5}\"", "17",
        "", "null", "{\"level\":null,\"duration_ms\":99999999999999999999}",
        "{\"level\":\"{\\\"a\\\":1}\"}", "{}", "{\"level\":\"\",\"duration_ms\":\"x\"}");
    return snprintf(to, cap, "%s", text);
}

static int line(struct rnd *r, char *to, size_t cap, bool odd_ones)
{
    unsigned k = rnd_below(r, 20);
    if (k < 11)
        return document(r, to, cap);
    if (k < 16)
        return snprintf(to, cap, "10.0.%u.%u - - \"%s /p/%u HTTP/1.1\" %s %u %.3f",
                        rnd_below(r, 256), rnd_below(r, 256), PICK("GET", "PUT"), rnd_below(r, 30),
                        PICK("200", "301", "499"), rnd_below(r, 40000), rnd_below(r, 9999) / 1e3);
    if (k < 18)
        return snprintf(to, cap, "time=%u level=%s took=%ums", rnd_below(r, 90000),
                        PICK("info", "warn"), rnd_below(r, 500));
    return odd_ones ? odd(r, to, cap) : document(r, to, cap);
}

static struct skep_batch *batch_of(struct rnd *r, unsigned n, bool odd_ones)
{
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    bool full = rnd_below(r, 2); /* every row has a message */
    for (unsigned i = 0; i < n; i++) {
        char text[400];
        int64_t t = REF_T0 + (int64_t)(rnd_u64(r) % (SECONDS * UINT64_C(1000000000)));
        uint32_t row = skep_batch_row(b, SKEP_KIND_LOG, t, SKEP_SOURCE_OTLP);
        int len = line(r, text, sizeof text, odd_ones);
        skep_str s = {text, (size_t)len};
        b->dataset[row] = skep_batch_intern(b, skep_str_c(PICK("shop", "edge")));
        if (full || rnd_below(r, 30))
            skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_BODY_FIELD,
                           (skep_value){.type = SKEP_TYPE_STRING, .s = s});
        if (rnd_below(r, 3) == 0)
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("n"),
                           rnd_below(r, 2)
                               ? (skep_value){.type = SKEP_TYPE_INT, .i = rnd_below(r, 4)}
                               : (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR("two")});
    }
    return b;
}

static void make_world(struct world *w, struct rnd *r, unsigned rows, bool odd_ones)
{
    struct skep_rowset *parts[PARTS], *segment, *mixed[2];
    struct skep_segment_source src[PARTS];
    (void)snprintf(w->dir, sizeof w->dir, "/tmp/skep-pipe-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->cache = skep_cache_new(NULL, 64 << 20);
    w->pool = skep_pool_new("test", 2);
    for (unsigned i = 0; i < PARTS; i++) {
        struct skep_batch *b = batch_of(r, 1 + rnd_below(r, rows), odd_ones);
        parts[i] = ref_part(b, i + 1);
        skep_batch_free(b);
        src[i] = (struct skep_segment_source){parts[i], NULL};
    }
    segment = ref_segment(w->dir, w->cache, src, PARTS, SKEP_LAYOUT_LOGS, 5000);
    mixed[0] = ref_segment(w->dir, w->cache, src, 2, SKEP_LAYOUT_LOGS, 1500);
    mixed[1] = skep_rowset_ref(parts[2]);
    ref_store_init(&w->stores[0], ref_snapshot(parts, NULL, PARTS), NULL);
    ref_store_init(&w->stores[1], ref_snapshot(&segment, NULL, 1), w->pool);
    ref_store_init(&w->stores[2], ref_snapshot(mixed, NULL, 2), w->pool);
}

static void world_done(struct world *w)
{
    for (unsigned i = 0; i < STORES; i++)
        skep_snapshot_unref(w->stores[i].snap);
    skep_pool_free(w->pool);
    skep_cache_free(w->cache);
    assert_int_equal(rmdir(w->dir), 0);
}

// --- questions ---------------------------------------------------------------------------------

static const char *const questions[] = {
    "fields jsonParse(@message) as j | stats count(*), avg(j.duration_ms), min(j.duration_ms), "
    "max(j.duration_ms) by j.level",
    "fields jsonParse(@message) as j | stats sum(j.http.status), count(j.ok) by j.msg, j.ok",
    "fields jsonParse(@message) as j | filter j.duration_ms > 500 and j.level != \"info\" | stats "
    "count(*), sum(j.duration_ms) by j.level",
    "fields jsonParse(@message) as j, j.level as l | filter ispresent(l) | stats count(*) by l",
    "fields jsonParse(@message) as j | stats count(*) by j.tags[0], j.tags[1], bin(1m)",
    "fields jsonParse(@message) as j | stats count(*) by j.http",
    "fields jsonParse(@message) as j | stats count(*) by jsonStringify(j.tags), strlen(j)",
    "fields jsonParse(@message) as j | stats count(*) by j.level.a, j.none.of.it",
    "parse @message /\" (?<status>\\d{3}) (?<bytes>\\d+) / | stats count(*), avg(bytes), "
    "max(bytes), "
    "count_distinct(status) by status",
    "parse @message /level=(?<l>\\w+)( took=(?<t>\\d+))?/ | stats count(*), count(t), sum(t) by l",
    "parse @message \"* - - \\\"* * HTTP*\\\" * *\" as ip, method, path, v, status, rest | stats "
    "count(*), count(ip) by method, status",
    "parse @message \"took=*ms\" as t | filter t > 250 | stats count(*), avg(t) by @log",
    "parse @message /(?<a>\\d+)/ | fields a % 7 as m, m + 1 as k | filter k > 2 | stats count(*), "
    "min(a) by k",
    "fields strlen(@message) as l | filter l > 60 | stats count(*), sum(l), min(l) by bin(30s)",
    "filter @message like /level/ | fields strcontains(@message, \"warn\") as w | stats count(*) "
    "by w",
    "stats count(*), max(strlen(@message)) by n",
    "fields n + 1 as m | stats count(*), sum(m), count(m) by coalesce(m, \"none\")",
    "fields datefloor(@timestamp, 1m) as t | filter t > 0 | stats count(*) by t, @log | sort t",
    "fields now() as x | stats count(*) by x > 5, @timestamp % 3",
};

struct cells {
    char **rows;
    size_t n, cap;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A row as text; doubles with fractions to nine digits, as sums of them depend on the order. */
static char *row_text(const struct skep_pipe *p, const skep_value *v)
{
    struct skep_buf b;
    skep_buf_init(&b, 1 << 20);
    for (unsigned o = 0; o < p->n_outs; o++) {
        char buf[SKEP_PIPE_TEXT_BYTES], number[40];
        skep_str s = skep_pipe_text(&v[o], p->outs[o].time, buf);
        if (v[o].type == SKEP_TYPE_DOUBLE && v[o].f != floor(v[o].f)) {
            int n = snprintf(number, sizeof number, "%.9g", v[o].f);
            s = (skep_str){number, (size_t)n};
        }
        if (s.p)
            skep_buf_str(&b, s);
        skep_buf_str(&b, s.p ? SKEP_STR("|") : SKEP_STR("-|"));
    }
    skep_buf_u8(&b, 0);
    assert_false(b.bad);
    size_t n;
    return (char *)skep_buf_take(&b, &n);
}

static struct cells ask(struct ref_store *s, const struct skep_pipe *p)
{
    struct skep_arena a;
    struct skep_budget budget;
    struct cells c = {0};
    skep_err err;
    skep_arena_init(&a, "answer", NULL);
    skep_budget_init(&budget, "query", UINT64_C(1) << 31, NULL);
    struct skep_run_opts opts = {.budget = &budget, .arena = &a};
    struct skep_pipe_result ret;
    if (skep_pipe_run(&s->base, p, &opts, &ret, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    assert_true(ret.complete);
    assert_false(ret.truncated);
    for (size_t i = 0; i < ret.n_rows; i++) {
        SKEP_GROW(c.rows, c.n, c.cap);
        c.rows[c.n++] = row_text(p, ret.values + i * p->n_outs);
    }
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_arena_done(&a);
    if (c.n > 0)
        qsort(c.rows, c.n, sizeof *c.rows, by_text);
    return c;
}

static void cells_done(struct cells *c)
{
    for (size_t i = 0; i < c->n; i++)
        skep_free(c->rows[i]);
    skep_free(c->rows);
}

/* The same, but every row goes through a limit that none reaches: what stands behind is row by row.
 */
static struct skep_pipe by_row(const struct skep_pipe *p, struct skep_arena *a)
{
    struct skep_pipe q = *p;
    q.stages = skep_new_n(a, struct skep_pipe_stage, p->n_stages + 1);
    q.stages[0] = (struct skep_pipe_stage){.op = SKEP_PIPE_LIMIT, .limit = 1000000};
    memcpy(q.stages + 1, p->stages, p->n_stages * sizeof *p->stages);
    q.n_stages++;
    return q;
}

static const struct skep_pipe *read_question(const char *text, struct skep_arena *a)
{
    struct skep_insights q;
    struct skep_lang_issue issue;
    struct skep_insights_opts opts = {
        .now_ns = REF_T0 + INT64_C(700000000000),
        .range = {REF_T0, REF_T0 + SECONDS * INT64_C(1000000000)},
    };
    if (skep_lang_insights(skep_str_c(text), &opts, a, &q, &issue) != SKEP_OK)
        fail_msg("%s: %zu: %s", text, issue.at, issue.text);
    return q.pipe;
}

static void expect_by_store(struct ref_store *s, const struct skep_pipe *p, const char *text)
{
    struct skep_arena a;
    struct skep_budget budget;
    skep_str *how;
    unsigned n;
    skep_err err;
    skep_arena_init(&a, "explained", NULL);
    skep_budget_init(&budget, "query", UINT64_C(1) << 31, NULL);
    struct skep_run_opts opts = {.budget = &budget, .arena = &a};
    assert_int_equal(skep_pipe_explain(&s->base, p, &opts, &how, &n, &err), SKEP_OK);
    bool stats = false;
    for (unsigned i = 0; i < n && !stats; i++) {
        stats = p->stages[i].op == SKEP_PIPE_STATS;
        if (!skep_str_eq(how[i], SKEP_STR("by the store")))
            fail_msg("%s: stage %u is answered " SKEP_STRFMT, text, i, SKEP_STRARG(how[i]));
    }
    skep_arena_done(&a);
}

static void compare_all(struct rnd *r, unsigned rows, bool odd_ones)
{
    struct world w;
    make_world(&w, r, rows, odd_ones);
    for (unsigned k = 0; k < SKEP_ARRAY_LEN(questions); k++) {
        struct skep_arena a;
        skep_arena_init(&a, "question", NULL);
        const struct skep_pipe *p = read_question(questions[k], &a);
        struct skep_pipe slow = by_row(p, &a);
        struct cells want = ask(&w.stores[0], &slow);
        expect_by_store(&w.stores[0], p, questions[k]);
        for (unsigned s = 0; s < STORES; s++) {
            struct cells got = ask(&w.stores[s], p);
            for (size_t i = 0; i < got.n && i < want.n; i++)
                if (strcmp(got.rows[i], want.rows[i]) != 0)
                    fail_msg("%s, store %u: %s\nrow by row: %s", questions[k], s, got.rows[i],
                             want.rows[i]);
            assert_int_equal(got.n, want.n);
            cells_done(&got);
        }
        cells_done(&want);
        skep_arena_done(&a);
    }
    world_done(&w);
}

static void test_same_either_way(void **state)
{
    (void)state;
    struct rnd r = {20261130};
    for (unsigned i = 0; i < skep_tries(10); i++)
        compare_all(&r, i % 3 ? 300 : 5000, i % 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_either_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
