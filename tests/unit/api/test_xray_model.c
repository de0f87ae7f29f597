// SPDX-License-Identifier: Apache-2.0
/* Traces as X-Ray sees them, over rows in a store: segments, nodes, edges, root causes, documents;
 * the corpus of filter expressions; and that a filter loses no trace that the expression selects.
 */
#include <cmocka.h>

#include <stdlib.h>

#include "api/xray_docs.h"
#include "api/xray_model.h"
#include "query/query.h"
#include "support/fault_os.h"
#include "support/store_client.h"
#include "support/xray_text.h"

#define T0 INT64_C(1795194450000000000)
#define MS INT64_C(1000000)

enum { INTERNAL = 1, SERVER, CLIENT, PRODUCER, CONSUMER };
enum { TRACES = 7 };

struct world {
    struct mem_os *os;
    struct skep_store *store;
    struct skep_arena arena;
    struct skep_xray_trace traces[TRACES + 1]; /* [1 .. TRACES] */
};

static skep_trace_id trace_id(unsigned n)
{
    skep_trace_id id = {{0x6b, 0x00, 0x7e, 0x52}};
    id.b[15] = (uint8_t)n;
    return id;
}

/* --- rows --- */

static struct skep_batch *b;
static unsigned cur_trace;
static enum skep_source cur_source;

static skep_value text(const char *s)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(s)};
}

static void attr(const char *name, skep_value v)
{
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(name), v);
}

static void attr_s(const char *name, const char *v)
{
    attr(name, text(v));
}

static void attr_i(const char *name, int64_t v)
{
    attr(name, (skep_value){.type = SKEP_TYPE_INT, .i = v});
}

static void attr_true(const char *name)
{
    attr(name, (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

static void span(const char *service, const char *name, unsigned kind, uint64_t id, uint64_t parent,
                 int64_t start_ms, int64_t ms)
{
    uint32_t r =
        skep_batch_row(b, SKEP_KIND_SPAN, T0 + cur_trace * 10000 * MS + start_ms * MS, cur_source);
    struct skep_batch_list *l = skep_batch_list_begin(b);
    skep_batch_list_put(l, SKEP_STR("service.name"), text(service));
    b->resource[r] = skep_batch_list_end(l, &b->resources);
    b->trace_id[r] = trace_id(cur_trace);
    b->span_id[r] = id;
    b->parent_id[r] = parent;
    b->span_kind[r] = (uint8_t)kind;
    b->duration_ns[r] = ms * MS;
    b->name[r] = skep_batch_intern(b, skep_str_c(name));
    b->dataset[r] = skep_batch_intern(b, skep_str_c(service));
}

static void exception(const char *type, const char *message, uint64_t of)
{
    uint32_t r = skep_batch_row(b, SKEP_KIND_SPAN_EVENT, T0 + cur_trace * 10000 * MS, cur_source);
    b->trace_id[r] = trace_id(cur_trace);
    b->parent_id[r] = of;
    b->name[r] = skep_batch_intern(b, SKEP_STR("exception"));
    attr_s("exception.type", type);
    attr_s("exception.message", message);
}

static void raw(const char *json)
{
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_RAW_FIELD, text(json));
}

#define SEG1                                                                                       \
    "{\"id\":\"0100000000000000\", \"name\": \"api.example.com\", \"start_time\": "                \
    "1795194460.0000001, \"x\":NaN, "                                                              \
    "\"subsegments\":[{\"id\":\"0200000000000000\",\"name\":\"handler\"}]}"

/* 1: an api that fails because auth does, and a table; X-Ray's rows. */
static void trace_1(void)
{
    span("api.example.com", "api.example.com", SERVER, 1, 0, 0, 3000);
    raw(SEG1);
    attr_true("xray.fault");
    attr_s("http.request.method", "GET");
    attr_s("url.full", "http://api.example.com/v2/x");
    attr_i("http.response.status_code", 500);
    attr_s("enduser.id", "alice");
    attr_s("client.address", "10.0.0.1");
    span("api.example.com", "handler", INTERNAL, 2, 1, 10, 2900);
    attr_true("xray.fault");
    attr_s("foo", "bar");
    attr("aws.xray.annotations", (skep_value){.type = SKEP_TYPE_ARRAY, .s = SKEP_STR("[\"foo\"]")});
    span("api.example.com", "auth", CLIENT, 3, 2, 20, 2000);
    raw("{\"trace_id\":\"1-6b007e52-000000000000000000000001\",\"type\":\"subsegment\","
        "\"parent_id\":\"0200000000000000\",\"id\":\"0300000000000000\",\"name\":\"auth\","
        "\"n\":1.50}");
    attr_true("xray.fault");
    attr_s("aws.xray.namespace", "remote");
    attr_i("http.response.status_code", 502);
    span("auth", "auth", SERVER, 4, 3, 30, 1900);
    attr_true("xray.fault");
    attr_s("aws.xray.origin", "AWS::EC2::Instance");
    exception("Boom", "Access Denied", 4);
    span("api.example.com", "DynamoDB", CLIENT, 5, 2, 2100, 100);
    attr_s("aws.xray.namespace", "aws");
    attr_s("aws.table_name", "traces");
}

/* 2: a shop over OTLP with a database, all well. */
static void trace_2(void)
{
    span("shop", "GET /", SERVER, 1, 0, 0, 200);
    attr_s("http.method", "GET");
    attr_i("http.status_code", 200);
    attr_s("http.target", "/v2/list");
    attr_s("http.host", "shop.example.com");
    attr_i("age", 30);
    span("shop", "SELECT", CLIENT, 2, 1, 10, 150);
    attr_s("db.system", "postgresql");
    attr_s("db.name", "users");
    attr_s("server.address", "pg");
}

/* 3: 404 at the door, a call that is throttled. */
static void trace_3(void)
{
    span("backend-flask", "GET /x", SERVER, 1, 0, 0, 50);
    attr_i("http.response.status_code", 404);
    attr_s("http.request.method", "POST");
    attr_s("age", "31");
    span("backend-flask", "call", CLIENT, 2, 1, 10, 20);
    attr_i("http.response.status_code", 429);
    attr_s("peer.service", "backend.example.com");
}

/* 4: its caller never came; still open. */
static void trace_4(void)
{
    span("late", "late", SERVER, 9, 77, 0, 0);
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("meta.in_progress"),
                   (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

/* 5: Lambda's two segments. */
static void trace_5(void)
{
    span("f", "f", SERVER, 1, 0, 0, 400);
    attr_s("aws.xray.origin", "AWS::Lambda");
    span("f", "f", SERVER, 2, 1, 20, 345);
    attr_s("aws.xray.origin", "AWS::Lambda::Function");
    attr_s("aws.account_id", "123456789012");
    attr_true("xray.error");
    span("f", "Initialization", INTERNAL, 3, 2, 20, 345);
}

/* 6: a client program over OTLP that begins with its call, which is answered. */
static void trace_6(void)
{
    span("cron", "POST", CLIENT, 1, 0, 0, 100);
    attr_s("server.address", "shop");
    span("shop", "POST /", SERVER, 2, 1, 10, 80);
    b->status[b->n_rows - 1] = SKEP_STATUS_ERROR;
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("status_message"), text("out of stock"));
    span("shop", "publish", PRODUCER, 3, 2, 20, 10);
    attr_s("peer.service", "queue");
}

/* 7: one service, both tracers. */
static void trace_7(void)
{
    span("twice", "twice", SERVER, 1, 0, 0, 100);
    cur_source = SKEP_SOURCE_OTLP;
    span("twice", "GET /", SERVER, 2, 0, 0, 100);
    span("other", "GET /", SERVER, 3, 2, 0, 50);
}

static void fill(struct world *w)
{
    static void (*const make[])(void) = {trace_1, trace_2, trace_3, trace_4,
                                         trace_5, trace_6, trace_7};
    static const enum skep_source sources[] = {SKEP_SOURCE_XRAY, SKEP_SOURCE_OTLP, SKEP_SOURCE_OTLP,
                                               SKEP_SOURCE_XRAY, SKEP_SOURCE_XRAY, SKEP_SOURCE_OTLP,
                                               SKEP_SOURCE_XRAY};
    b = skep_batch_new(NULL, T0);
    for (unsigned i = 0; i < TRACES; i++) {
        cur_trace = i + 1;
        cur_source = sources[i];
        make[i]();
    }
    assert_int_equal(client_append(w->store, b).rc, SKEP_OK);
}

static struct skep_rows run(struct world *w, const struct skep_plan *plan)
{
    struct skep_answer a = {0};
    skep_err err;
    const struct skep_run_opts opts = {.arena = &w->arena};
    if (skep_query_run(w->store, plan, &opts, &a, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return a.rows;
}

static void assemble(struct world *w, unsigned n, const struct skep_xray_twice *twice,
                     struct skep_xray_trace *ret)
{
    const struct skep_plan plan = {.kind = SKEP_PLAN_TRACE,
                                   .range = {INT64_MIN, INT64_MAX},
                                   .trace_id = trace_id(n),
                                   .raw = true};
    struct skep_rows rows = run(w, &plan);
    skep_xray_assemble(&rows, twice, &w->arena, ret);
}

static int setup(void **state)
{
    static struct world w;
    skep_err err;
    w.os = mem_os_new(1);
    struct skep_column_config cfg = client_config(mem_os_ops(w.os), "/data");
    assert_int_equal(skep_column_open(&cfg, &w.store, &err), SKEP_OK);
    skep_arena_init(&w.arena, "test", NULL);
    fill(&w);
    for (unsigned i = 1; i <= TRACES; i++)
        assemble(&w, i, NULL, &w.traces[i]);
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

/* --- the model --- */

static void shows(const struct skep_xray_trace *t, const char *want)
{
    struct skep_buf out;
    skep_buf_init(&out, 1 << 16);
    for (int32_t i = 0; i < t->n_nodes; i++) {
        const struct skep_xray_node *n = &t->nodes[i];
        skep_buf_printf(&out, SKEP_STRFMT "[" SKEP_STRFMT "]%s ", SKEP_STRARG(n->name),
                        SKEP_STRARG(n->type), n->inferred ? "?" : "");
    }
    skep_buf_str(&out, SKEP_STR("|"));
    for (int32_t i = 0; i < t->n_edges; i++) {
        const struct skep_xray_edge *e = &t->edges[i];
        skep_buf_printf(&out, " %s" SKEP_STRFMT ">" SKEP_STRFMT,
                        t->nodes[e->from].client ? "@" : "", SKEP_STRARG(t->nodes[e->from].name),
                        SKEP_STRARG(t->nodes[e->to].name));
    }
    skep_buf_u8(&out, '\0');
    assert_string_equal((const char *)out.p, want);
    skep_buf_done(&out);
}

static void test_nodes(void **state)
{
    struct world *w = *state;
    shows(&w->traces[1], "api.example.com[] auth[AWS::EC2::Instance] traces[AWS::DynamoDB::Table]? "
                         "api.example.com[client] | @api.example.com>api.example.com "
                         "api.example.com>auth api.example.com>traces");
    shows(&w->traces[2], "shop[] users@pg[Database::SQL]? shop[client] | @shop>shop shop>users@pg");
    shows(&w->traces[4], "late[] |");
    shows(&w->traces[5], "f[AWS::Lambda] f[AWS::Lambda::Function] f[client] | @f>f f>f");
    shows(&w->traces[6], "cron[] shop[] queue[remote]? cron[client] | @cron>cron cron>shop "
                         "shop>queue");
    assert_int_equal(w->traces[6].segs[w->traces[6].entry].made, true);
    assert_true(w->traces[4].entry >= 0);
}

static void test_twice(void **state)
{
    struct world *w = *state;
    struct skep_xray_trace t;
    static const struct skep_xray_twice twice = {.in_trace = true};
    assemble(w, 7, &twice, &t);
    shows(&t, "twice[] other[] twice[client] | @twice>twice");
    const skep_str names[] = {SKEP_STR("shop")};
    const struct skep_xray_twice listed = {.services = names, .n = 1};
    assemble(w, 6, &listed, &t);
    shows(&t, "cron[] shop[remote]? cron[client] | @cron>cron cron>shop");
}

static void path_is(const struct skep_xray_trace *t, enum skep_xray_cause cause, const char *want)
{
    struct skep_buf out;
    struct skep_xray_causes causes;
    skep_buf_init(&out, 1 << 16);
    skep_xray_find_causes(t, cause, &causes);
    for (int32_t i = 0; i < causes.n; i++) {
        const struct skep_xray_cause_path *p = &causes.paths[i];
        skep_buf_str(&out, p->client_impacting ? SKEP_STR("!") : SKEP_STR("-"));
        for (int32_t s = 0; s < p->n_segs; s++)
            for (int32_t k = p->first[s]; k < p->first[s + 1]; k++)
                skep_buf_printf(&out, "%s" SKEP_STRFMT, k > p->first[s] ? "." : "/",
                                SKEP_STRARG(t->segs[p->entities[k]].name));
    }
    skep_buf_u8(&out, '\0');
    assert_string_equal((const char *)out.p, want);
    skep_buf_done(&out);
}

static void test_causes(void **state)
{
    struct world *w = *state;
    path_is(&w->traces[1], SKEP_XRAY_CAUSE_FAULT, "!/api.example.com.handler.auth/auth");
    path_is(&w->traces[1], SKEP_XRAY_CAUSE_TIME, "!/api.example.com.handler.auth/auth");
    path_is(&w->traces[2], SKEP_XRAY_CAUSE_FAULT, "");
    path_is(&w->traces[2], SKEP_XRAY_CAUSE_TIME, "!/shop.users/users");
    path_is(&w->traces[3], SKEP_XRAY_CAUSE_ERROR,
            "!/backend-flask.backend.example.com/backend.example.com");
    path_is(&w->traces[5], SKEP_XRAY_CAUSE_ERROR, "-/f");
    path_is(&w->traces[5], SKEP_XRAY_CAUSE_TIME, "!/f/f.Initialization");
    path_is(&w->traces[6], SKEP_XRAY_CAUSE_FAULT, "-/shop");
}

static void test_documents(void **state)
{
    struct world *w = *state;
    struct skep_buf out;
    struct skep_json json;
    skep_buf_init(&out, 1 << 20);
    skep_json_init(&json, &out);
    assert_true(skep_api__xray_documents(&json, &w->traces[1]));
    skep_str all = skep_buf_text(&out);
    /* The late subsegment is in its place, once, and digits are as they came. */
    static const char *const parts[] = {
        "{\\\"id\\\":\\\"0100000000000000\\\",\\\"name\\\":\\\"api.example.com\\\","
        "\\\"start_time\\\":1795194460.0000001,\\\"x\\\":NaN,\\\"subsegments\\\":[{\\\"id\\\":"
        "\\\"0200000000000000\\\",\\\"name\\\":\\\"handler\\\",\\\"subsegments\\\":[{\\\"id\\\":"
        "\\\"0300000000000000\\\",\\\"name\\\":\\\"auth\\\",\\\"n\\\":1.50}",
        "\\\"inferred\\\":true,\\\"origin\\\":\\\"AWS::DynamoDB::Table\\\"",
        "\\\"exceptions\\\":[{"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(parts); i++)
        if (skep_str_find(all, skep_str_c(parts[i])) == SIZE_MAX)
            fail_msg("%s is not in " SKEP_STRFMT, parts[i], SKEP_STRARG(all));
    skep_buf_reset(&out);
    skep_json_init(&json, &out);
    assert_true(skep_api__xray_documents(&json, &w->traces[6]));
    all = skep_buf_text(&out);
    assert_true(skep_str_find(all, SKEP_STR("out of stock")) != SIZE_MAX);
    skep_buf_done(&out);
}

/* --- the corpus --- */

static const struct skep_xray_expr *parse(struct world *w, skep_str text_)
{
    const struct skep_xray_expr *e = NULL;
    struct skep_lang_issue issue;
    if (skep_xray_parse(text_, NULL, &w->arena, &e, &issue) != SKEP_OK)
        fail_msg(SKEP_STRFMT ": %zu: %s", SKEP_STRARG(text_), issue.at, issue.text);
    return e;
}

static void selects(struct world *w, const char *expression, const char *want)
{
    char got[TRACES + 1];
    unsigned n = 0;
    const struct skep_xray_expr *e = parse(w, skep_str_c(expression));
    for (unsigned i = 1; i <= 6; i++)
        if (skep_xray_match(&w->traces[i], e))
            got[n++] = (char)('0' + i);
    got[n] = '\0';
    if (strcmp(got, want) != 0)
        fail_msg("%s selects %s instead of %s", expression, got, want);
}

static void test_corpus(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *expression, *want;
    } corpus[] = {
        {"", "123456"},
        {"responsetime > 0.3", "15"},
        {"duration >= 0.2 AND duration <= 0.5", "25"},
        {"ok !partial duration <3", "256"},
        {"http.status != 200", "13456"},
        {"!ok", "13"},
        {"ok = false", "13"},
        {"fault", "1"},
        {"error", "3"},
        {"throttle", "3"},
        {"partial", "4"},
        {"inferred", "1236"},
        {"http.url BEGINSWITH \"http://api.example.com/\" AND http.url CONTAINS \"/v2/\"", "1"},
        {"http.url CONTAINS \"/v2/\"", "12"},
        {"http.url = \"http://shop.example.com/v2/list\" !service(\"api.example.com\")", "2"},
        {"service(\"api.example.com\") { fault = true OR responsetime > 2.5 } AND "
         "annotation.foo = \"bar\"",
         "1"},
        {"service(\"backend-flask\") {fault OR error}", "3"},
        {"service() { fault }", "16"},
        {"service(\"shop\")", "26"},
        {"service(\"shop\") { fault }", "6"},
        {"service(\"users\")", "2"},
        {"service(\"users@pg\")", "2"},
        {"edge(\"api.example.com\",\"auth\") { fault }", "1"},
        {"edge(\"backend-flask\",\"backend.example.com\") { throttle }", "3"},
        {"edge(\"auth\",\"api.example.com\")", ""},
        {"edge(,\"shop\")", "26"},
        {"edge(id(type: \"client\"), \"shop\")", "2"},
        {"service(id(name: \"f\", type: \"AWS::Lambda::Function\")) { error }", "5"},
        {"service(id(type: \"AWS::Lambda::Function\"))", "5"},
        {"service(id(type: \"Database::SQL\"))", "2"},
        {"service(id(account.id: \"123456789012\"))", "5"},
        {"account.id = \"123456789012\"", "5"},
        {"annotation.age > 29", "2"},
        {"annotation.age", "23"},
        {"!annotation.age", "1456"},
        {"annotation.age = 31", "3"},
        {"annotation[foo]=bar", "1"},
        {"user = \"alice\"", "1"},
        {"user CONTAINS \"\"", "1"},
        {"http.clientip = \"10.0.0.1\"", "1"},
        {"name = late", "4"},
        {"type = \"AWS::Lambda\"", "5"},
        {"rootcause.fault.entity { last and name = \"auth\" }", "1"},
        {"rootcause.responsetime.entity { remote and coverage > 0.6 and name = \"auth\" }", "1"},
        {"rootcause.responsetime.service { inferred and name = \"users@pg\" }", "2"},
        {"rootcause.fault.exception { last and message = \"Access Denied\" }", "1"},
        {"rootcause.fault.service { index > 0 }", "1"},
        {"rootcause.error.service", "35"},
        {"service(\"f\") {root = true and error = true}", ""},
        {"service(\"f\") {root = false and error = true}", "5"},
        {"rootcause.json = #[{\"Services\":[{\"Name\":\"f\"},{\"Name\":\"f\",\"EntityPath\":"
         "[{\"Name\":\"f\"},{\"Name\":\"Initialization\"}]}]}]",
         "5"},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(corpus); i++)
        selects(w, corpus[i].expression, corpus[i].want);
}

/* --- filters lose nothing --- */

/* Bit n: some root row (SELF) or some row (ROOT) of trace n passes. */
static unsigned candidates(struct world *w, const struct skep_xray_expr *e,
                           enum skep_relation entry, bool *exact)
{
    unsigned found = 0;
    static const skep_value yes = {.type = SKEP_TYPE_BOOL, .b = true};
    struct skep_expr root = {.op = SKEP_EXPR_TEST,
                             .test = {.field = {.name = SKEP_STR("is_root")},
                                      .op = SKEP_CMP_EQ,
                                      .values = &yes,
                                      .n_values = 1}};
    const struct skep_expr *f = NULL;
    skep_xray_filter(e, entry, &w->arena, &f, exact);
    struct skep_expr *kids[2] = {&root, (struct skep_expr *)(uintptr_t)f};
    const struct skep_expr both = {.op = SKEP_EXPR_AND, .kids = kids, .n_kids = f ? 2 : 1};
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                                   .range = {INT64_MIN, INT64_MAX},
                                   .filter = entry == SKEP_REL_SELF ? &both : f,
                                   .limit = 1000};
    struct skep_rows rows = run(w, &plan);
    for (size_t i = 0; i < rows.n; i++)
        found |= 1u << rows.rows[i].trace_id.b[15];
    return found;
}

static void test_filters_lose_nothing(void **state)
{
    struct world *w = *state;
    struct xray_rnd r = {7};
    unsigned sharp = 0, selected = 0;
    for (unsigned round = 0; round < 1500; round++) {
        struct skep_buf t;
        struct skep_lang_issue issue;
        const struct skep_xray_expr *e = NULL;
        bool exact = false;
        skep_buf_init(&t, 1 << 16);
        xray_random(&r, &t, 3, XRAY_TOP);
        if (skep_xray_parse(skep_buf_text(&t), NULL, &w->arena, &e, &issue) == SKEP_OK) {
            unsigned self = candidates(w, e, SKEP_REL_SELF, &exact);
            unsigned root = candidates(w, e, SKEP_REL_ROOT, &exact);
            sharp += exact;
            for (unsigned i = 1; i <= 6; i++) {
                bool yes = skep_xray_match(&w->traces[i], e);
                if (i == 4) /* without a root it is looked at whatever the filter says */
                    continue;
                selected += yes;
                if ((yes && !(self >> i & 1)) || (yes && !(root >> i & 1)))
                    fail_msg("trace %u is lost by " SKEP_STRFMT, i, SKEP_STRARG(skep_buf_text(&t)));
                if (exact && !yes && ((self >> i & 1) || (root >> i & 1)))
                    fail_msg("trace %u is not selected by " SKEP_STRFMT, i,
                             SKEP_STRARG(skep_buf_text(&t)));
            }
        }
        skep_buf_done(&t);
    }
    assert_true(sharp > 300 && selected > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),  cmocka_unit_test(test_twice),
        cmocka_unit_test(test_causes), cmocka_unit_test(test_documents),
        cmocka_unit_test(test_corpus), cmocka_unit_test(test_filters_lose_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
