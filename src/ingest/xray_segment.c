// SPDX-License-Identifier: Apache-2.0
/* What a segment says of its service and surroundings -> the resource of all its rows.
 *
 *   name                          service.name, and the dataset
 *   service.{version,runtime,...} service.version, process.runtime.*
 *   aws.{ec2,ecs,eks,...}         cloud.* host.* container.* k8s.* (the table below)
 *   aws.xray                      telemetry.sdk.*
 *
 * What no table names is aws.<object>.<member>.  cloud.provider is "aws" only where the segment
 * names an account or a machine of it: the SDKs send aws.xray from everywhere.
 *
 * Threads, memory: as the decoder; the owner lives in its arena. */
#include "base/assert.h"
#include "ingest/xray_priv.h"
#include "wire/json_out.h"

enum { FIELDS_MAX = 64, LOG_GROUPS_MAX = 64 };

#define R(path, name)                                                                              \
    {                                                                                              \
        path, SKEP_STR_INIT(name)                                                                  \
    }

/* Of the document: "object/member" or "object/object/member".  In this order: of two that give the
 * same field the first wins. */
static const struct skep_xray__rename renames[] = {
    R("service/version", "service.version"),
    R("service/runtime", "process.runtime.name"),
    R("service/runtime_version", "process.runtime.version"),
    R("service/compiler", "process.runtime.name"),
    R("service/compiler_version", "process.runtime.version"),
    R("aws/account_id", "cloud.account.id"),
    R("aws/ec2/instance_id", "host.id"),
    R("aws/ec2/instance_size", "host.type"),
    R("aws/ec2/instance_type", "host.type"),
    R("aws/ec2/ami_id", "host.image.id"),
    R("aws/ec2/availability_zone", "cloud.availability_zone"),
    R("aws/ecs/container", "container.name"),
    R("aws/ecs/container_id", "container.id"),
    R("aws/ecs/container_arn", "aws.ecs.container.arn"),
    R("aws/ecs/task_arn", "aws.ecs.task.arn"),
    R("aws/ecs/task_family", "aws.ecs.task.family"),
    R("aws/ecs/cluster_arn", "aws.ecs.cluster.arn"),
    R("aws/ecs/launch_type", "aws.ecs.launchtype"),
    R("aws/ecs/availability_zone", "cloud.availability_zone"),
    R("aws/eks/pod", "k8s.pod.name"),
    R("aws/eks/cluster_name", "k8s.cluster.name"),
    R("aws/eks/container_id", "container.id"),
    R("aws/elastic_beanstalk/environment_name", "service.namespace"),
    R("aws/elastic_beanstalk/deployment_id", "service.instance.id"),
    R("aws/elastic_beanstalk/version_label", "service.version"),
    R("aws/xray/sdk", "telemetry.sdk.name"),
    R("aws/xray/sdk_version", "telemetry.sdk.version"),
    R("aws/xray/package", "aws.xray.sdk.package"),
    R("aws/xray/auto_instrumentation", "aws.xray.auto_instrumentation"),
};

/* Members of `aws` that say that it runs there. */
static const char *const places[] = {"account_id",     "ec2", "ecs", "eks", "elastic_beanstalk",
                                     "cloudwatch_logs"};

static bool has(const struct skep_xray__owner *o, skep_str name)
{
    for (unsigned i = 0; i < o->n_fields; i++)
        if (skep_str_eq(o->fields[i].name, name))
            return true;
    return false;
}

static void add(struct skep_xray__owner *o, skep_str name, skep_value v)
{
    if (o->n_fields < FIELDS_MAX && !has(o, name))
        o->fields[o->n_fields++] = (struct skep_xray__field){name, v};
}

static void add_text(struct skep_xray__owner *o, skep_str name, skep_str text)
{
    if (text.n)
        add(o, name, (skep_value){.type = SKEP_TYPE_STRING, .s = text});
}

static void add_json(struct skep_xray__owner *o, skep_str name, yyjson_val *v)
{
    if (yyjson_is_str(v))
        add_text(o, name, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    else if (yyjson_is_bool(v))
        add(o, name, (skep_value){.type = SKEP_TYPE_BOOL, .b = yyjson_get_bool(v)});
    else if (yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX))
        add(o, name, (skep_value){.type = SKEP_TYPE_INT, .i = yyjson_get_sint(v)});
    else if (yyjson_is_num(v))
        add(o, name, (skep_value){.type = SKEP_TYPE_DOUBLE, .f = yyjson_get_num(v)});
}

static yyjson_val *at_path(yyjson_val *v, const char *path)
{
    skep_str rest = skep_str_c(path);
    while (v && rest.p) {
        skep_str step = skep_str_cut(&rest, '/');
        v = yyjson_obj_getn(v, step.p, step.n);
    }
    return v;
}

/* "X-Ray for Node.js" -> OpenTelemetry's word for the language. */
static skep_str language_of(struct skep_xray__dec *d, skep_str sdk)
{
    size_t at = skep_str_find(sdk, SKEP_STR(" for "));
    if (at == SIZE_MAX)
        return SKEP_STR_NULL;
    skep_str language = skep_str_trim(skep_str_skip(sdk, at + 5));
    if (skep_str_ieq(language, SKEP_STR("Node.js")))
        return SKEP_STR("nodejs");
    if (skep_str_starts(language, SKEP_STR(".NET")))
        return SKEP_STR("dotnet");
    if (language.n > 32)
        return SKEP_STR_NULL;
    char *lower = skep_new_n(d->arena, char, language.n + 1);
    for (size_t i = 0; i < language.n; i++)
        lower[i] =
            (char)(language.p[i] | (language.p[i] >= 'A' && language.p[i] <= 'Z' ? 0x20 : 0));
    return (skep_str){lower, language.n};
}

/* The groups of cloudwatch_logs, as the two arrays that OpenTelemetry has of them. */
static void add_log_groups(struct skep_xray__dec *d, struct skep_xray__owner *o, yyjson_val *logs)
{
    static const struct skep_xray__rename members[] = {R("log_group", "aws.log.group.names"),
                                                       R("arn", "aws.log.group.arns")};
    for (size_t m = 0; m < SKEP_ARRAY_LEN(members); m++) {
        struct skep_json j;
        yyjson_val *item;
        size_t i, n, found = 0;
        skep_buf_reset(&d->text);
        skep_json_init(&j, &d->text);
        skep_json_array(&j);
        yyjson_arr_foreach(logs, i, n, item)
        {
            skep_str s = skep_xray__str(item, members[m].path);
            if (s.n && found++ < LOG_GROUPS_MAX)
                skep_json_str(&j, s);
        }
        skep_json_end(&j);
        if (found && !d->text.bad)
            add(o, members[m].name,
                (skep_value){.type = SKEP_TYPE_ARRAY,
                             .s = skep_arena_str(d->arena, skep_buf_text(&d->text))});
    }
}

/* Attributes of the sender's resource, as OpenTelemetry's collector and waggle hand them on. */
static void add_resource(struct skep_xray__owner *o, yyjson_val *all)
{
    static const skep_str prefix = SKEP_STR_INIT("otel.resource.");
    yyjson_val *key, *val;
    size_t i, n;
    yyjson_obj_foreach(all, i, n, key, val)
    {
        skep_str name = {yyjson_get_str(key), yyjson_get_len(key)};
        if (skep_str_starts(name, prefix) && name.n > prefix.n &&
            name.n - prefix.n <= SKEP_LIMIT_NAME_BYTES)
            add_json(o, skep_str_skip(name, prefix.n), val);
    }
}

static bool runs_on_aws(yyjson_val *root)
{
    yyjson_val *aws = yyjson_obj_get(root, "aws");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(places); i++)
        if (yyjson_obj_get(aws, places[i]))
            return true;
    return skep_str_starts(skep_xray__str(root, "origin"), SKEP_STR("AWS::"));
}

struct skep_xray__owner *skep_xray__owner_of(struct skep_xray__dec *d, yyjson_val *root)
{
    struct skep_xray__owner *o = skep_new(d->arena, struct skep_xray__owner);
    o->fields = skep_new_n(d->arena, struct skep_xray__field, FIELDS_MAX);
    o->service = skep_xray__str(root, "name");
    if (o->service.n == 0)
        o->service = SKEP_STR("unknown");
    add_text(o, SKEP_STR("service.name"), o->service);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(renames); i++)
        add_json(o, renames[i].name, at_path(root, renames[i].path));
    add_resource(o, at_path(root, "metadata/default"));
    skep_str sdk = skep_xray__str(at_path(root, "aws/xray"), "sdk");
    skep_str language = language_of(d, sdk);
    add_text(o, SKEP_STR("telemetry.sdk.language"), language);
    o->outermost_first = skep_str_eq(language, SKEP_STR("python"));
    o->compiled = skep_str_eq(language, SKEP_STR("c")) || skep_str_eq(language, SKEP_STR("cpp"));
    if (runs_on_aws(root))
        add_text(o, SKEP_STR("cloud.provider"), SKEP_STR("aws"));
    yyjson_val *logs = at_path(root, "aws/cloudwatch_logs");
    if (yyjson_is_arr(logs))
        add_log_groups(d, o, logs);
    return o;
}

void skep_xray__enter(struct skep_xray__dec *d, const struct skep_xray__owner *owner)
{
    struct skep_batch_list *l = skep_batch_list_begin(d->b);
    for (unsigned i = 0; i < owner->n_fields; i++)
        skep_batch_list_put(l, owner->fields[i].name, owner->fields[i].value);
    d->resource = skep_batch_list_end(l, &d->b->resources);
    d->dataset = skep_batch_intern(d->b, owner->service.n ? owner->service : SKEP_STR("unknown"));
}

/* Names too: those of a resource stand in the document, which goes. */
struct skep_xray__owner *skep_xray__owner_copy(struct skep_arena *a,
                                               const struct skep_xray__owner *from)
{
    struct skep_xray__owner *o = skep_new(a, struct skep_xray__owner);
    *o = *from;
    o->service = skep_arena_str(a, from->service);
    o->fields = skep_new_n(a, struct skep_xray__field, from->n_fields + 1);
    for (unsigned i = 0; i < from->n_fields; i++) {
        skep_value v = from->fields[i].value;
        if (v.type == SKEP_TYPE_STRING || v.type == SKEP_TYPE_ARRAY)
            v.s = skep_arena_str(a, v.s);
        o->fields[i] = (struct skep_xray__field){skep_arena_str(a, from->fields[i].name), v};
    }
    return o;
}
