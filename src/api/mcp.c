// SPDX-License-Identifier: Apache-2.0
/* The Model Context Protocol over streamable HTTP: tools an assistant asks this server with.
 *
 *   POST /mcp  one JSON-RPC message -> 200 application/json; a notification -> 202
 *   GET, DELETE /mcp -> 405: there is no stream to listen to and no session to end
 *
 * Every tool only reads, in the environment of who asks, within the budget of a question; each
 * answer is at most SKEP_MCP_TEXT_BYTES of text.  A tool that cannot answer says why in its result
 * (isError), as the protocol wants it; what is no proper message is an error of JSON-RPC.
 *
 * Threads: workers.  Memory: the job's arena and budget. */
#include "api/mcp_priv.h"

#include "wire/json_in.h"

enum {
    PARSE_ERROR = -32700,
    INVALID_REQUEST = -32600,
    NO_METHOD = -32601,
    INVALID_PARAMS = -32602
};

/* --- what the tools share ------------------------------------------------------------------------
 */

bool skep_mcp__fail(struct skep_mcp_call *c, const char *text)
{
    c->out->n = 0;
    skep_buf_str(c->out, skep_str_c(text));
    return false;
}

bool skep_mcp__fail_issue(struct skep_mcp_call *c, const struct skep_lang_issue *issue)
{
    return skep_mcp__fail(
        c, issue->field[0]
               ? skep_arena_printf(&c->job->arena, "%s: %s", issue->field, issue->text).p
               : issue->text);
}

skep_str skep_mcp__text(struct skep_mcp_call *c, const char *name)
{
    yyjson_val *v = yyjson_obj_get(c->args, name);
    return yyjson_is_str(v)
               ? skep_arena_str(&c->job->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)})
               : SKEP_STR("");
}

unsigned skep_mcp__number(struct skep_mcp_call *c, const char *name, unsigned absent, unsigned max)
{
    yyjson_val *v = yyjson_obj_get(c->args, name);
    double n = yyjson_is_num(v) ? yyjson_get_num(v) : absent;
    return n < 1 ? 1 : n > max ? max : (unsigned)n;
}

bool skep_mcp__full(const struct skep_mcp_call *c)
{
    return c->out->n > SKEP_MCP_TEXT_BYTES - 4096;
}

void skep_mcp__cell_text(struct skep_mcp_call *c, skep_str s)
{
    for (size_t i = 0; i < s.n && i < 200; i++) {
        if (s.p[i] == '|')
            skep_buf_u8(c->out, '\\');
        skep_buf_u8(c->out, (uint8_t)s.p[i] < ' ' ? ' ' : (uint8_t)s.p[i]);
    }
    if (s.n > 200)
        skep_buf_str(c->out, SKEP_STR("..."));
}

void skep_mcp__cell(struct skep_mcp_call *c, const skep_value *v)
{
    struct skep_buf buf;
    struct skep_json json;
    if (v->type == SKEP_TYPE_STRING) {
        skep_mcp__cell_text(c, v->s);
        return;
    }
    skep_buf_init(&buf, 1 << 20);
    skep_json_init(&json, &buf);
    skep_api__value(&json, v);
    skep_mcp__cell_text(c, skep_buf_text(&buf));
    skep_buf_done(&buf);
}

/* --- the tools -----------------------------------------------------------------------------------
 */

#define RANGE                                                                                      \
    "\"time_range\":{\"type\":\"integer\",\"description\":\"Seconds back from now; 7200 unless "   \
    "said\"},\"start_time\":{\"type\":\"integer\",\"description\":\"Unix seconds\"},"              \
    "\"end_time\":{\"type\":\"integer\",\"description\":\"Unix seconds\"}"
#define FILTERS                                                                                    \
    "\"filters\":{\"type\":\"array\",\"description\":\"Tests of columns, joined by "               \
    "filter_combination\",\"items\":{\"type\":\"object\",\"properties\":{\"column\":{\"type\":"    \
    "\"string\"},\"op\":{\"type\":\"string\",\"enum\":[\"=\",\"!=\",\">\",\">=\",\"<\",\"<=\","    \
    "\"starts-with\",\"does-not-start-with\",\"ends-with\",\"does-not-end-with\",\"exists\","      \
    "\"does-not-exist\",\"contains\",\"does-not-contain\",\"in\",\"not-in\"]},\"value\":{}},"      \
    "\"required\":[\"column\",\"op\"]}},\"filter_combination\":{\"type\":\"string\",\"enum\":["    \
    "\"AND\",\"OR\"]}"
#define DATASET                                                                                    \
    "\"dataset\":{\"type\":\"string\",\"description\":\"A dataset's name or slug; all of them "    \
    "unless said\"}"
#define SCHEMA(properties, required)                                                               \
    "{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required "]}"

static const struct tool {
    const char *name, *title, *description, *schema;
    skep_mcp_tool_fn *run;
} tools[] = {
    {"get_workspace_context", "What there is",
     "The environment, its datasets with their last writes, and how to ask here. Call it first.",
     SCHEMA("", ""), skep_mcp__context},
    {"get_dataset_columns", "Columns of a dataset",
     "Columns with their types, those most rows have first; `search` keeps names that contain it. "
     "Derived columns are listed, too.",
     SCHEMA(DATASET ",\"search\":{\"type\":\"string\"},\"limit\":{\"type\":\"integer\","
                    "\"maximum\":100}",
            ""),
     skep_mcp__columns},
    {"run_query", "Run a query",
     "Aggregate events by a query specification of Honeycomb's (calculations, breakdowns, filters, "
     "havings, orders, limit, time_range, granularity, calculated_fields, formulas). Answers with "
     "a table of groups and a small line of each group's first value over time.",
     SCHEMA(DATASET ",\"query\":{\"type\":\"object\",\"description\":\"The specification\"}",
            "\"query\""),
     skep_mcp__query},
    {"run_bubbleup", "What is different",
     "Compare selected events with the rest over every column: which values stand out beyond "
     "chance. `selection` is {filters, filter_combination, start_time, end_time}.",
     SCHEMA(DATASET "," RANGE "," FILTERS ",\"selection\":{\"type\":\"object\"},\"baseline\":{"
                    "\"type\":\"object\"}",
            "\"selection\""),
     skep_mcp__bubbleup},
    {"list_spans", "Raw events",
     "The newest events that pass the filters, a JSON object a line, with their columns (or only "
     "`columns`).",
     SCHEMA(DATASET "," RANGE "," FILTERS ",\"columns\":{\"type\":\"array\",\"items\":{\"type\":"
                    "\"string\"}},\"limit\":{\"type\":\"integer\",\"maximum\":100}",
            ""),
     skep_mcp__spans},
    {"get_trace", "A trace as a waterfall",
     "All spans of a trace, indented under their parents, with offsets, durations and errors.",
     SCHEMA("\"trace_id\":{\"type\":\"string\"},\"show_events\":{\"type\":\"boolean\"}",
            "\"trace_id\""),
     skep_mcp__trace},
    {"get_service_map", "Who calls whom", "Services and their calls: how many, how many failed.",
     SCHEMA(RANGE, ""), skep_mcp__map},
    {"find_queries", "Saved queries", "Queries that people gave names, with their specifications.",
     SCHEMA("\"search\":{\"type\":\"string\"}", ""), skep_mcp__queries},
    {"list_boards", "Boards", "Boards and what stands on them.", SCHEMA("", ""), skep_mcp__boards},
    {"get_triggers", "Triggers", "Triggers, whether they are triggered, and what they found last.",
     SCHEMA("", ""), skep_mcp__triggers},
    {"get_slos", "SLOs", "Service level objectives: compliance, budget remaining, burn alerts.",
     SCHEMA("", ""), skep_mcp__slos},
};

/* --- JSON-RPC ------------------------------------------------------------------------------------
 */

static void begin_message(struct skep_api__job *job, int status, yyjson_val *id)
{
    struct skep_json *j = &job->out.json;
    skep_api__json_begin(job, status);
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("jsonrpc"), SKEP_STR("2.0"));
    skep_json_key(j, SKEP_STR("id"));
    if (yyjson_is_str(id))
        skep_json_str(j, (skep_str){yyjson_get_str(id), yyjson_get_len(id)});
    else if (yyjson_is_uint(id))
        skep_json_u64(j, yyjson_get_uint(id));
    else if (yyjson_is_int(id))
        skep_json_i64(j, yyjson_get_sint(id));
    else
        skep_json_null(j);
}

static void end_message(struct skep_api__job *job)
{
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static void answer_error(struct skep_api__job *job, int status, yyjson_val *id, int code,
                         const char *text)
{
    struct skep_json *j = &job->out.json;
    begin_message(job, status, id);
    skep_json_key(j, SKEP_STR("error"));
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("code"), code);
    skep_json_put_str(j, SKEP_STR("message"), skep_str_c(text));
    skep_json_end(j);
    end_message(job);
}

static void initialize(struct skep_api__job *job, yyjson_val *id, yyjson_val *params)
{
    static const char *const known[] = {"2025-06-18", "2025-03-26", "2024-11-05"};
    struct skep_json *j = &job->out.json;
    yyjson_val *asked = yyjson_obj_get(params, "protocolVersion");
    const char *version = known[0];
    for (size_t i = 0; i < SKEP_ARRAY_LEN(known); i++)
        if (yyjson_equals_str(asked, known[i]))
            version = known[i];
    begin_message(job, 200, id);
    skep_json_key(j, SKEP_STR("result"));
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("protocolVersion"), skep_str_c(version));
    skep_json_key(j, SKEP_STR("capabilities"));
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("tools"));
    skep_json_object(j);
    skep_json_end(j);
    skep_json_end(j);
    skep_json_key(j, SKEP_STR("serverInfo"));
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("name"), SKEP_STR("skep"));
    skep_json_put_str(j, SKEP_STR("version"), job->api->cfg.version);
    skep_json_end(j);
    skep_json_put_str(j, SKEP_STR("instructions"),
                      SKEP_STR("Traces, logs and errors of programs. Begin with "
                               "get_workspace_context and get_dataset_columns; then run_query "
                               "from the broad to the narrow, run_bubbleup on what stands out, "
                               "get_trace for an example."));
    skep_json_end(j);
    end_message(job);
}

static void list_tools(struct skep_api__job *job, yyjson_val *id)
{
    struct skep_json *j = &job->out.json;
    begin_message(job, 200, id);
    skep_json_key(j, SKEP_STR("result"));
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("tools"));
    skep_json_array(j);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(tools); i++) {
        skep_json_object(j);
        skep_json_put_str(j, SKEP_STR("name"), skep_str_c(tools[i].name));
        skep_json_put_str(j, SKEP_STR("title"), skep_str_c(tools[i].title));
        skep_json_put_str(j, SKEP_STR("description"), skep_str_c(tools[i].description));
        skep_json_key(j, SKEP_STR("inputSchema"));
        skep_json_raw(j, skep_str_c(tools[i].schema));
        skep_json_key(j, SKEP_STR("annotations"));
        skep_json_object(j);
        skep_json_put_bool(j, SKEP_STR("readOnlyHint"), true);
        skep_json_put_bool(j, SKEP_STR("openWorldHint"), false);
        skep_json_end(j);
        skep_json_end(j);
    }
    skep_json_end(j);
    skep_json_end(j);
    end_message(job);
}

static void run_tool(struct skep_api__job *job, yyjson_val *id, const struct tool *t,
                     yyjson_val *args)
{
    struct skep_json *j = &job->out.json;
    struct skep_buf text;
    struct skep_mcp_call c = {.job = job, .args = args, .out = &text};
    skep_buf_init(&text, SKEP_MCP_TEXT_BYTES);
    bool ok = t->run(&c);
    if (text.bad || (ok && skep_mcp__full(&c))) {
        text.bad = false;
        text.n = SKEP_MIN(text.n, (size_t)SKEP_MCP_TEXT_BYTES - 128);
        skep_buf_str(&text,
                     SKEP_STR("\n\n(cut here: ask for less - fewer groups, columns, rows)\n"));
    }
    begin_message(job, 200, id);
    skep_json_key(j, SKEP_STR("result"));
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("content"));
    skep_json_array(j);
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("type"), SKEP_STR("text"));
    skep_json_put_str(j, SKEP_STR("text"), skep_buf_text(&text));
    skep_json_end(j);
    skep_json_end(j);
    skep_json_put_bool(j, SKEP_STR("isError"), !ok);
    skep_json_end(j);
    skep_buf_done(&text);
    end_message(job);
}

static void call_tool(struct skep_api__job *job, yyjson_val *id, yyjson_val *params)
{
    yyjson_val *name = yyjson_obj_get(params, "name"), *args = yyjson_obj_get(params, "arguments");
    if (args && !yyjson_is_null(args) && !yyjson_is_obj(args)) {
        answer_error(job, 200, id, INVALID_PARAMS, "arguments must be an object");
        return;
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(tools); i++) {
        if (yyjson_equals_str(name, tools[i].name)) {
            run_tool(job, id, &tools[i], yyjson_is_obj(args) ? args : NULL);
            return;
        }
    }
    answer_error(job, 200, id, INVALID_PARAMS, "there is no such tool");
}

static void answer_request(struct skep_api__job *job, yyjson_val *root)
{
    yyjson_val *id = yyjson_obj_get(root, "id"), *method = yyjson_obj_get(root, "method");
    yyjson_val *params = yyjson_obj_get(root, "params");
    if (yyjson_equals_str(method, "initialize"))
        initialize(job, id, params);
    else if (yyjson_equals_str(method, "tools/list"))
        list_tools(job, id);
    else if (yyjson_equals_str(method, "tools/call"))
        call_tool(job, id, params);
    else if (yyjson_equals_str(method, "ping")) {
        begin_message(job, 200, id);
        skep_json_key(&job->out.json, SKEP_STR("result"));
        skep_json_object(&job->out.json);
        skep_json_end(&job->out.json);
        end_message(job);
    } else
        answer_error(job, 200, id, NO_METHOD, "there is no such method");
}

static void accepted(struct skep_api__job *job)
{
    const struct skep_response resp = {.status = 202};
    skep_respond(skep_api__job_instead(job), &resp);
    job->failed = false;
}

static void post(struct skep_api__job *job)
{
    const yyjson_alc alc = skep_json_alc(&job->budget);
    skep_bytes body = job->req->body;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)body.p, body.n, 0, &alc,
                                       NULL); // not changed: no INSITU
    yyjson_val *root = yyjson_doc_get_root(doc), *id = yyjson_obj_get(root, "id");
    bool message = yyjson_is_obj(root) && yyjson_equals_str(yyjson_obj_get(root, "jsonrpc"), "2.0");
    bool call = yyjson_is_str(yyjson_obj_get(root, "method"));
    if (!doc)
        answer_error(job, 400, NULL, PARSE_ERROR, "the body is not JSON");
    else if (!message ||
             (!call && !yyjson_obj_get(root, "result") && !yyjson_obj_get(root, "error")))
        answer_error(job, 400, NULL, INVALID_REQUEST, "send one message of JSON-RPC 2.0");
    else if (!call || !id) /* an answer to nothing we asked, or a notification */
        accepted(job);
    else if (!yyjson_is_str(id) && !yyjson_is_int(id))
        answer_error(job, 400, NULL, INVALID_REQUEST, "an id is a string or an integer");
    else
        answer_request(job, root);
    yyjson_doc_free(doc);
}

static void handle_post(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, post);
}

static void handle_other(void *ctx, struct skep_request *req)
{
    struct skep_response resp = {.status = 405};
    (void)ctx;
    resp.headers[resp.n_headers++] = (struct skep_header){SKEP_STR("Allow"), SKEP_STR("POST")};
    skep_respond(req, &resp);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/mcp",
     .handle = handle_post,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_BEARER | SKEP_FORM_HONEYCOMB},
    {.method = "GET",
     .path = "/mcp",
     .handle = handle_other,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_BEARER | SKEP_FORM_HONEYCOMB},
    {.method = "DELETE",
     .path = "/mcp",
     .handle = handle_other,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_BEARER | SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__mcp = {routes, SKEP_ARRAY_LEN(routes)};
