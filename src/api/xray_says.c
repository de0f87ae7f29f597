// SPDX-License-Identifier: Apache-2.0
/* What a row says in X-Ray's terms, whichever wire it came by: HTTP, annotations, origin, and whom
 * a call that nobody answers is to.
 *
 *   call                                       node type              node name
 *   aws, DynamoDB with a table                 AWS::DynamoDB::Table   the table
 *   aws, SQS with a queue's URL                AWS::SQS::Queue        its last part
 *   aws, S3 with a bucket                      AWS::S3::Bucket        the bucket
 *   aws, Lambda with a function                AWS::Lambda            the function
 *   aws, other                                 AWS::<service>         as the call says
 *   SQL                                        Database::SQL          as the call says, db@host
 *                                                                     where that is a method's name
 *   remote                                     remote                 as the call says
 *
 * Threads: none of its own.  Memory: the arena given. */
#include "api/api_priv.h"
#include "api/xray_model.h"
#include "base/assert.h"

#define THERE(arena, row, ...)                                                                     \
    first_there((arena), (row), (const skep_str[]){__VA_ARGS__},                                   \
                sizeof((const skep_str[]){__VA_ARGS__}) / sizeof(skep_str))
#define FIRST(arena, row, ...)                                                                     \
    first_text((arena), (row), (const skep_str[]){__VA_ARGS__},                                    \
               sizeof((const skep_str[]){__VA_ARGS__}) / sizeof(skep_str))

skep_str skep_xray_text(struct skep_arena *arena, const struct skep_row *row, skep_str name)
{
    skep_value v = skep_api__field(arena, row, name);
    if (v.type != SKEP_TYPE_STRING)
        return SKEP_STR_NULL;
    return v.s.n ? v.s : SKEP_STR("");
}

bool skep_xray_int(struct skep_arena *arena, const struct skep_row *row, skep_str name,
                   int64_t *ret)
{
    skep_value v = skep_api__field(arena, row, name);
    bool whole =
        v.type == SKEP_TYPE_DOUBLE && v.f > -9e15 && v.f < 9e15 && (double)(int64_t)v.f == v.f;
    if (v.type != SKEP_TYPE_INT && !whole)
        return false;
    *ret = whole ? (int64_t)v.f : v.i;
    return true;
}

static skep_str first_text(struct skep_arena *arena, const struct skep_row *row,
                           const skep_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        skep_str s = skep_xray_text(arena, row, names[i]);
        if (s.n)
            return s;
    }
    return SKEP_STR_NULL;
}

/* The first that is there, be it empty: as src/lang/xray_plan.c asks. */
static skep_str first_there(struct skep_arena *arena, const struct skep_row *row,
                            const skep_str *names, size_t n)
{
    skep_str s = SKEP_STR_NULL;
    for (size_t i = 0; i < n && !s.p; i++)
        s = skep_xray_text(arena, row, names[i]);
    return s;
}

static bool first_int(struct skep_arena *arena, const struct skep_row *row, skep_str a, skep_str b,
                      int64_t *ret)
{
    return skep_xray_int(arena, row, a, ret) || skep_xray_int(arena, row, b, ret);
}

/* A URL from its parts: scheme, host, port, path, query. */
static skep_str composed_url(struct skep_arena *arena, const struct skep_row *row)
{
    int64_t port = 0;
    skep_str target = FIRST(arena, row, SKEP_STR("http.target"), SKEP_STR("url.path"));
    skep_str query = skep_xray_text(arena, row, SKEP_STR("url.query"));
    if (target.n == 0)
        return SKEP_STR_NULL;
    skep_str scheme = FIRST(arena, row, SKEP_STR("url.scheme"), SKEP_STR("http.scheme"));
    skep_str host = FIRST(arena, row, SKEP_STR("http.host"), SKEP_STR("http.server_name"),
                          SKEP_STR("server.address"), SKEP_STR("net.host.name"),
                          SKEP_STR("net.peer.name"), SKEP_STR("host.name"));
    skep_str colon = SKEP_STR_NULL;
    if (skep_str_chr(host, ':') == SIZE_MAX &&
        first_int(arena, row, SKEP_STR("server.port"), SKEP_STR("net.host.port"), &port))
        colon = skep_arena_printf(arena, ":%lld", (long long)port);
    bool has_query = query.n && skep_str_chr(target, '?') == SIZE_MAX;
    return skep_arena_printf(
        arena, SKEP_STRFMT "://" SKEP_STRFMT SKEP_STRFMT SKEP_STRFMT "%s" SKEP_STRFMT,
        SKEP_STRARG(scheme.n ? scheme : SKEP_STR("http")), SKEP_STRARG(host), SKEP_STRARG(colon),
        SKEP_STRARG(target), has_query ? "?" : "", SKEP_STRARG(has_query ? query : SKEP_STR_NULL));
}

bool skep_xray_http(struct skep_arena *arena, const struct skep_row *row,
                    struct skep_xray_http *ret)
{
    struct skep_xray_http h = {.status = -1, .content_length = -1};
    h.method = THERE(arena, row, SKEP_STR("http.request.method"), SKEP_STR("http.method"));
    h.url = THERE(arena, row, SKEP_STR("url.full"), SKEP_STR("http.url"));
    if (!h.url.p && row->source != SKEP_SOURCE_XRAY)
        h.url = composed_url(arena, row);
    h.user_agent = THERE(arena, row, SKEP_STR("user_agent.original"), SKEP_STR("http.user_agent"));
    h.client_ip = THERE(arena, row, SKEP_STR("http.client_ip"), SKEP_STR("client.address"),
                        SKEP_STR("net.peer.ip"), SKEP_STR("network.peer.address"));
    bool status = first_int(arena, row, SKEP_STR("http.response.status_code"),
                            SKEP_STR("http.status_code"), &h.status);
    bool length = first_int(arena, row, SKEP_STR("http.response.body.size"),
                            SKEP_STR("http.response_content_length"), &h.content_length);
    *ret = h;
    return h.method.p || h.url.p || h.user_agent.p || h.client_ip.p || status || length;
}

/* Is the key in the array of names? */
static bool in_list(skep_str json, skep_str key)
{
    size_t i, max;
    yyjson_val *item;
    bool found = false;
    yyjson_doc *doc = yyjson_read(json.p, json.n, 0);
    yyjson_val *list = yyjson_doc_get_root(doc);
    yyjson_arr_foreach(list, i, max, item)
    {
        found |= yyjson_is_str(item) &&
                 skep_str_eq((skep_str){yyjson_get_str(item), yyjson_get_len(item)}, key);
    }
    yyjson_doc_free(doc);
    return found;
}

skep_value skep_xray_annotation(struct skep_arena *arena, const struct skep_row *row, skep_str key)
{
    static const skep_value none = {.type = SKEP_TYPE_NULL};
    skep_value v = skep_api__field(arena, row, key);
    if (v.type == SKEP_TYPE_NULL)
        return none;
    skep_value list = skep_api__field(arena, row, SKEP_STR("aws.xray.annotations"));
    if (list.type == SKEP_TYPE_ARRAY)
        return in_list(list.s, key) ? v : none;
    if (list.type == SKEP_TYPE_STRING)
        return skep_str_eq(list.s, key) ? v : none;
    return row->source == SKEP_SOURCE_XRAY || list.type != SKEP_TYPE_NULL ? none : v;
}

skep_str skep_xray_origin(struct skep_arena *arena, const struct skep_row *row)
{
    static const struct {
        skep_str platform, origin;
    } origins[] = {
        {SKEP_STR_INIT("aws_app_runner"), SKEP_STR_INIT("AWS::AppRunner::Service")},
        {SKEP_STR_INIT("aws_eks"), SKEP_STR_INIT("AWS::EKS::Container")},
        {SKEP_STR_INIT("aws_elastic_beanstalk"),
         SKEP_STR_INIT("AWS::ElasticBeanstalk::Environment")},
        {SKEP_STR_INIT("aws_lambda"), SKEP_STR_INIT("AWS::Lambda::Function")},
        {SKEP_STR_INIT("aws_ec2"), SKEP_STR_INIT("AWS::EC2::Instance")},
    };
    skep_str own = skep_xray_text(arena, row, SKEP_STR("aws.xray.origin"));
    if (own.n || row->source == SKEP_SOURCE_XRAY)
        return own;
    skep_str platform = skep_xray_text(arena, row, SKEP_STR("cloud.platform"));
    if (skep_str_eq(platform, SKEP_STR("aws_ecs"))) {
        skep_str type = skep_xray_text(arena, row, SKEP_STR("aws.ecs.launchtype"));
        return skep_str_ieq(type, SKEP_STR("ec2"))       ? SKEP_STR("AWS::ECS::EC2")
               : skep_str_ieq(type, SKEP_STR("fargate")) ? SKEP_STR("AWS::ECS::Fargate")
                                                         : SKEP_STR("AWS::ECS::Container");
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(origins); i++)
        if (skep_str_eq(platform, origins[i].platform))
            return origins[i].origin;
    return SKEP_STR_NULL;
}

skep_str skep_xray_account(struct skep_arena *arena, const struct skep_row *row)
{
    return FIRST(arena, row, SKEP_STR("aws.account_id"), SKEP_STR("cloud.account.id"));
}

/* What stands behind the last slash of a queue's URL. */
static skep_str last_part(skep_str url)
{
    while (url.n) {
        size_t slash = skep_str_chr(url, '/');
        if (slash == SIZE_MAX || slash + 1 == url.n)
            break;
        url = skep_str_skip(url, slash + 1);
    }
    return url;
}

static struct skep_xray_node aws_node(struct skep_arena *arena, const struct skep_xray_seg *call)
{
    static const struct {
        skep_str service, type, named_type, name_in;
    } known[] = {
        {SKEP_STR_INIT("DynamoDB"), SKEP_STR_INIT("AWS::DynamoDB"),
         SKEP_STR_INIT("AWS::DynamoDB::Table"), SKEP_STR_INIT("aws.table_name")},
        {SKEP_STR_INIT("SQS"), SKEP_STR_INIT("AWS::SQS"), SKEP_STR_INIT("AWS::SQS::Queue"),
         SKEP_STR_INIT("aws.queue_url")},
        {SKEP_STR_INIT("S3"), SKEP_STR_INIT("AWS::S3"), SKEP_STR_INIT("AWS::S3::Bucket"),
         SKEP_STR_INIT("aws.bucket_name")},
        {SKEP_STR_INIT("Lambda"), SKEP_STR_INIT("AWS::Lambda"), SKEP_STR_INIT("AWS::Lambda"),
         SKEP_STR_INIT("aws.function_name")},
        {SKEP_STR_INIT("SNS"), SKEP_STR_INIT("AWS::SNS"), SKEP_STR_INIT(""), SKEP_STR_INIT("")},
    };
    struct skep_xray_node n = {.name = call->name, .inferred = true};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(known); i++) {
        if (!skep_str_ieq(call->name, known[i].service))
            continue;
        skep_str name =
            known[i].name_in.n ? skep_xray_text(arena, call->row, known[i].name_in) : SKEP_STR_NULL;
        n.type = name.n ? known[i].named_type : known[i].type;
        if (name.n) {
            n.other_name = call->name;
            n.name = last_part(name);
        }
        return n;
    }
    n.type = skep_arena_printf(arena, "AWS::" SKEP_STRFMT, SKEP_STRARG(call->name));
    return n;
}

static bool is_sql(skep_str system)
{
    static const skep_str sql[] = {
        SKEP_STR_INIT("db2"),     SKEP_STR_INIT("derby"),      SKEP_STR_INIT("hive"),
        SKEP_STR_INIT("mariadb"), SKEP_STR_INIT("mssql"),      SKEP_STR_INIT("mysql"),
        SKEP_STR_INIT("oracle"),  SKEP_STR_INIT("postgresql"), SKEP_STR_INIT("sqlite"),
        SKEP_STR_INIT("sqlite3"), SKEP_STR_INIT("teradata"),   SKEP_STR_INIT("other_sql"),
        SKEP_STR_INIT("mysql2"),  SKEP_STR_INIT("postgres")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(sql); i++)
        if (skep_str_ieq(system, sql[i]))
            return true;
    return false;
}

struct skep_xray_node skep_xray_called(struct skep_arena *arena, const struct skep_xray_seg *call)
{
    struct skep_xray_node n = {.name = call->name, .inferred = true};
    skep_str system = FIRST(arena, call->row, SKEP_STR("db.system"), SKEP_STR("db.system.name"));
    bool xray = call->row->source == SKEP_SOURCE_XRAY;
    if (call->aws) {
        n = aws_node(arena, call);
    } else if (system.n && (xray || is_sql(system))) {
        /* Of psycopg and pymysql the name is the method's. */
        bool method = !xray || skep_str_eq(n.name, SKEP_STR("execute")) ||
                      skep_str_eq(n.name, SKEP_STR("executemany")) ||
                      skep_str_eq(n.name, SKEP_STR("callproc"));
        skep_str db = FIRST(arena, call->row, SKEP_STR("db.name"), SKEP_STR("db.namespace"));
        skep_str host =
            FIRST(arena, call->row, SKEP_STR("server.address"), SKEP_STR("net.peer.name"));
        n.type = SKEP_STR("Database::SQL");
        if (method && db.n) {
            n.other_name = call->name;
            n.name = host.n ? skep_arena_printf(arena, SKEP_STRFMT "@" SKEP_STRFMT, SKEP_STRARG(db),
                                                SKEP_STRARG(host))
                            : db;
        }
    } else {
        n.type = SKEP_STR("remote");
    }
    if (skep_str_eq(n.name, n.other_name))
        n.other_name = SKEP_STR_NULL;
    return n;
}
