// SPDX-License-Identifier: Apache-2.0
/* Service graphs: the engine's answer over random traces of two wires against each trace assembled
 * on its own, in parts, in segments, and with traces cut over both; time steps; outcomes. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/graph.h"
#include "support/fault_os.h"
#include "support/store_client.h"

#define T0 INT64_C(1795194450000000000)
#define MS INT64_C(1000000)

enum { INTERNAL = 1, SERVER, CLIENT, PRODUCER, CONSUMER };
enum { TRACES = 150, SPANS_MAX = 14 };

static uint64_t seed;

static uint32_t roll(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % n;
}

/* --- random traces --- */

struct gen {
    unsigned kind[SPANS_MAX], parent[SPANS_MAX], service[SPANS_MAX];
    bool xray[SPANS_MAX];
    unsigned n;
};

static skep_value text(const char *s)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(s)};
}

static void attr_s(struct skep_batch *b, const char *name, const char *v)
{
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(name), text(v));
}

static void attr_i(struct skep_batch *b, const char *name, int64_t v)
{
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(name),
                   (skep_value){.type = SKEP_TYPE_INT, .i = v});
}

static void flag(struct skep_batch *b, enum skep_scope scope, const char *name)
{
    skep_batch_put(b, scope, skep_str_c(name), (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

/* What a span is: below a call often the server of another service, else anything that the wires
 * send; X-Ray's services are others than OTLP's. */
static void plan_span(struct gen *g, unsigned i)
{
    unsigned p = i ? roll(i) : 0;
    bool xray = i ? (roll(4) ? g->xray[p] : !g->xray[p]) : roll(2);
    bool call = i && (g->kind[p] == CLIENT || g->kind[p] == PRODUCER);
    unsigned kind = i && !call ? 1 + roll(5) : roll(3) ? SERVER : 1 + roll(5);
    if (xray && (kind == PRODUCER || kind == CONSUMER))
        kind = CLIENT;
    bool same = i && g->xray[p] == xray && kind != SERVER && kind != CONSUMER;
    if (xray && !same) /* a subsegment has a segment */
        kind = SERVER;
    g->kind[i] = kind;
    g->parent[i] = p;
    g->xray[i] = xray;
    g->service[i] = same && (xray || roll(8)) ? g->service[p] : roll(4);
}

static void outcome(struct skep_batch *b, bool xray)
{
    static const int codes[] = {200, 204, 404, 429, 500, 503};
    if (!xray) {
        if (roll(2))
            attr_i(b, roll(2) ? "http.status_code" : "http.response.status_code", codes[roll(6)]);
        if (roll(5) == 0)
            b->status[b->n_rows - 1] = SKEP_STATUS_ERROR;
        return;
    }
    if (roll(6) == 0)
        flag(b, SKEP_SCOPE_ATTRIBUTE, "xray.fault");
    if (roll(6) == 0)
        flag(b, SKEP_SCOPE_ATTRIBUTE, "xray.error");
    if (roll(8) == 0)
        flag(b, SKEP_SCOPE_ATTRIBUTE, "xray.throttle");
    if (roll(12) == 0)
        flag(b, SKEP_SCOPE_INTRINSIC, "meta.in_progress");
}

static void callee(struct skep_batch *b, bool xray)
{
    static const char *const peers[] = {"cache", "mail", "search"};
    if (xray)
        attr_s(b, "aws.xray.namespace", roll(2) ? "aws" : "remote");
    if (xray && roll(2))
        attr_s(b, "aws.table_name", roll(2) ? "users" : "orders");
    if (!xray && roll(2))
        attr_s(b, roll(2) ? "peer.service" : "server.address", peers[roll(3)]);
    if (roll(3) == 0) {
        attr_s(b, "db.system", roll(2) ? "postgresql" : "redis");
        attr_s(b, "db.name", "shop");
    }
}

static void put_span(struct skep_batch *b, const struct gen *g, unsigned trace, unsigned i,
                     bool orphan)
{
    static const char *const services[2][4] = {{"o-web", "o-api", "o-auth", "o-mail"},
                                               {"x-web", "x-api", "x-auth", "x-mail"}};
    static const char *const names[] = {"DynamoDB", "S3", "get", "put"};
    const char *service = services[g->xray[i]][g->service[i]];
    bool segment = g->xray[i] && g->kind[i] == SERVER;
    uint32_t r = skep_batch_row(b, SKEP_KIND_SPAN, T0 + trace * 1000 * MS + i * MS,
                                g->xray[i] ? SKEP_SOURCE_XRAY : SKEP_SOURCE_OTLP);
    struct skep_batch_list *l = skep_batch_list_begin(b);
    skep_batch_list_put(l, SKEP_STR("service.name"), text(service));
    if (g->service[i] == 1)
        skep_batch_list_put(l, skep_str_c(g->xray[i] ? "aws.xray.origin" : "cloud.platform"),
                            text(g->xray[i] ? "AWS::EC2::Instance" : "aws_eks"));
    b->resource[r] = skep_batch_list_end(l, &b->resources);
    b->trace_id[r].b[0] = 1;
    b->trace_id[r].b[14] = (uint8_t)(trace >> 8);
    b->trace_id[r].b[15] = (uint8_t)trace;
    b->span_id[r] = i + 1;
    b->parent_id[r] = i ? g->parent[i] + 1 : orphan ? 99 : 0;
    b->span_kind[r] = (uint8_t)g->kind[i];
    b->duration_ns[r] = roll(1000000) * 1000;
    b->name[r] = skep_batch_intern(b, skep_str_c(segment ? service : names[roll(4)]));
    b->dataset[r] = skep_batch_intern(b, skep_str_c(service));
    outcome(b, g->xray[i]);
    if (g->kind[i] == CLIENT || g->kind[i] == PRODUCER || roll(10) == 0)
        callee(b, g->xray[i]);
}

struct world {
    struct mem_os *os;
    struct skep_store *store;
    struct skep_arena arena;
};

static void fill(struct world *w)
{
    struct skep_batch *halves[2] = {skep_batch_new(NULL, T0), skep_batch_new(NULL, T0)};
    skep_err err;
    for (unsigned t = 0; t < TRACES; t++) {
        struct gen g = {.n = 1 + roll(SPANS_MAX)};
        bool orphan = roll(6) == 0, cut = roll(3) == 0;
        for (unsigned i = 0; i < g.n; i++) {
            plan_span(&g, i);
            put_span(halves[cut && roll(2)], &g, t, i, orphan);
        }
    }
    assert_int_equal(client_append(w->store, halves[0]).rc, SKEP_OK);
    if (roll(2))
        assert_int_equal(w->store->ops->flush(w->store, &err), SKEP_OK);
    assert_int_equal(client_append(w->store, halves[1]).rc, SKEP_OK);
}

static int setup(void **state)
{
    static struct world w;
    skep_err err;
    w.os = mem_os_new(1);
    struct skep_column_config cfg = client_config(mem_os_ops(w.os), "/data");
    assert_int_equal(skep_column_open(&cfg, &w.store, &err), SKEP_OK);
    skep_arena_init(&w.arena, "test", NULL);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    skep_arena_done(&w->arena);
    w->store->ops->close(w->store);
    mem_os_free(w->os);
    return 0;
}

/* --- graphs as text --- */

static void put_stats(struct skep_buf *out, const struct skep_graph_stats *s)
{
    uint64_t in_bins = 0;
    for (uint32_t i = 0; i < s->n_bins; i++)
        in_bins += s->bins[i].count;
    assert_int_equal(in_bins, s->total);
    skep_buf_printf(out, " %llu f%llu t%llu e%llu %.0f", (unsigned long long)s->total,
                    (unsigned long long)s->fault, (unsigned long long)s->throttle,
                    (unsigned long long)s->error, s->sum_ms);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *line_of(struct skep_arena *arena, const struct skep_graph *g, uint32_t i, bool edge)
{
    struct skep_buf out;
    skep_buf_init(&out, 4096);
    const struct skep_graph_node *from = &g->nodes[edge ? g->edges[i].from : i];
    skep_buf_printf(&out, "%s" SKEP_STRFMT "[" SKEP_STRFMT "]%s%s", from->client ? "@" : "",
                    SKEP_STRARG(from->name), SKEP_STRARG(from->type), from->inferred ? "?" : "",
                    edge || !from->root ? "" : "!");
    if (edge) {
        const struct skep_graph_node *to = &g->nodes[g->edges[i].to];
        skep_buf_printf(&out, " > " SKEP_STRFMT "[" SKEP_STRFMT "]", SKEP_STRARG(to->name),
                        SKEP_STRARG(to->type));
    }
    put_stats(&out, edge ? &g->edges[i].stats : &from->stats);
    char *line = skep_cstr(arena, skep_buf_text(&out));
    skep_buf_done(&out);
    return line;
}

static char *text_of(struct skep_arena *arena, const struct skep_graph *g)
{
    uint32_t n = g->n_nodes + g->n_edges;
    char **lines = skep_new_n(arena, char *, n + 1);
    struct skep_buf out;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        lines[i] = line_of(arena, g, i, false);
    for (uint32_t i = 0; i < g->n_edges; i++)
        lines[g->n_nodes + i] = line_of(arena, g, i, true);
    if (n)
        qsort(lines, n, sizeof *lines, by_text);
    skep_buf_init(&out, 1 << 20);
    for (uint32_t i = 0; i < n; i++)
        skep_buf_printf(&out, "%s\n", lines[i]);
    char *s = skep_cstr(arena, skep_buf_text(&out));
    skep_buf_done(&out);
    return s;
}

static const struct skep_time_range whole = {T0 - 1000 * MS, T0 + 1000000 * MS};

static char *engine(struct world *w, struct skep_time_range range, int64_t step, char *steps[])
{
    struct skep_graph g;
    skep_err err = {.rc = SKEP_OK};
    struct skep_xray_twice twice;
    const struct skep_run_opts opts = {.arena = &w->arena};
    const struct skep_graph_ask ask = {.range = range, .twice = &twice, .granularity_ns = step};
    skep_graph_init(&g, &w->arena);
    skep_rc rc = skep_graph_twice(w->store, &opts, range, &twice, &err);
    if (rc == SKEP_OK)
        rc = skep_graph_run(w->store, &opts, &ask, &g, &err);
    if (rc != SKEP_OK)
        fail_msg("%s", err.text);
    assert_true(g.complete);
    char *all = text_of(&w->arena, &g);
    for (unsigned b = 0; steps && b < g.n_buckets; b++) {
        struct skep_graph one = g;
        one.nodes = skep_new_n(&w->arena, struct skep_graph_node, g.n_nodes + 1);
        one.edges = skep_new_n(&w->arena, struct skep_graph_edge, g.n_edges + 1);
        for (uint32_t i = 0; i < g.n_nodes; i++) {
            one.nodes[i] = g.nodes[i];
            one.nodes[i].stats =
                g.nodes[i].series ? g.nodes[i].series[b] : (struct skep_graph_stats){0};
        }
        for (uint32_t i = 0; i < g.n_edges; i++) {
            one.edges[i] = g.edges[i];
            one.edges[i].stats =
                g.edges[i].series ? g.edges[i].series[b] : (struct skep_graph_stats){0};
        }
        steps[b] = text_of(&w->arena, &one);
    }
    skep_graph_done(&g);
    return all;
}

/* Each trace whole, assembled, added. */
static char *naive(struct world *w, struct skep_time_range range)
{
    struct skep_graph g;
    skep_err err;
    const struct skep_run_opts opts = {.arena = &w->arena};
    skep_graph_init(&g, &w->arena);
    for (unsigned i = 0; i < TRACES; i++) {
        struct skep_answer a = {0};
        struct skep_xray_trace t;
        struct skep_plan plan = {.kind = SKEP_PLAN_TRACE, .range = {INT64_MIN, INT64_MAX}};
        plan.trace_id.b[0] = 1;
        plan.trace_id.b[14] = (uint8_t)(i >> 8);
        plan.trace_id.b[15] = (uint8_t)i;
        assert_int_equal(skep_query_run(w->store, &plan, &opts, &a, &err), SKEP_OK);
        skep_xray_assemble(&a.rows, NULL, &w->arena, &t);
        skep_graph_add_trace(&g, &t, range);
    }
    char *s = text_of(&w->arena, &g);
    skep_graph_done(&g);
    return s;
}

/* Equal, or fails with the lines that only one of them has. */
static void same(const char *got, const char *want)
{
    struct skep_buf out;
    if (strcmp(got, want) == 0)
        return;
    skep_buf_init(&out, 1 << 20);
    const char *texts[2] = {got, want};
    for (int i = 0; i < 2; i++)
        for (const char *p = texts[i], *end; (end = strchr(p, '\n')); p = end + 1) {
            char line[512];
            snprintf(line, sizeof line, "%.*s\n", (int)(end - p), p);
            if (!strstr(texts[1 - i], line))
                skep_buf_printf(&out, "%s%s", i ? "- " : "+ ", line);
        }
    skep_buf_u8(&out, '\0');
    fail_msg("engine +, traces -\n%s", (const char *)out.p);
}

static void test_random(void **state)
{
    struct world *w = *state;
    skep_err err;
    fill(w);
    char *want = naive(w, whole);
    assert_true(strlen(want) > 1000);
    char *parts = engine(w, whole, 0, NULL);
    same(parts, want);
    assert_int_equal(w->store->ops->flush(w->store, &err), SKEP_OK);
    same(engine(w, whole, 0, NULL), want);
    same(engine(w, whole, 0, NULL), want); /* partial answers kept */
}

/* Nodes and edges that are there in a step, without those that have no request in it. */
static void test_steps(void **state)
{
    struct world *w = *state;
    enum { STEPS = 3 };
    char *steps[STEPS + 2] = {NULL};
    fill(w);
    const int64_t step = 60000 * MS;
    const struct skep_time_range range = {T0 - T0 % step, T0 - T0 % step + STEPS * step};
    (void)engine(w, range, step, steps);
    for (unsigned i = 0; i < STEPS; i++) {
        const struct skep_time_range one = {range.start_ns + i * step,
                                            range.start_ns + (i + 1) * step};
        char *want = naive(w, one);
        size_t found = 0, lines = 0;
        for (skep_str rest = skep_str_c(want); rest.n;) {
            char *line = skep_cstr(&w->arena, skep_str_cut(&rest, '\n'));
            char *bang = strstr(line, "]!"); /* who is asked by clients: of the whole answer */
            if (bang)
                memmove(bang + 1, bang + 2, strlen(bang + 2) + 1);
            if (line[0] == '@' && !strstr(line, " > "))
                continue;
            lines++;
            char *all = skep_cstr(&w->arena, skep_str_c(steps[i]));
            for (char *b; (b = strstr(all, "]!"));)
                memmove(b + 1, b + 2, strlen(b + 2) + 1);
            char *numbers = strrchr(line, ']');
            if (!strstr(all, line) && !strstr(numbers, " 0 f0"))
                fail_msg("step %u: %s\nnot in\n%s", i, line, all);
            found++;
        }
        assert_true(lines > 0 && found > 0);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
    };
    int failed = 0;
    unsigned first = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    unsigned n = argc > 1 ? 1 : 6;
    for (unsigned s = first; s < first + n; s++) {
        seed = s;
        failed += cmocka_run_group_tests_name("graph", tests, NULL, NULL);
    }
    return failed;
}
