// SPDX-License-Identifier: Apache-2.0
/* Operations whose answer is always the same on a machine of one's own, and which refuse to pretend
 * something else: encryption, indexing, where segments go, insights.
 *
 *   encryption    NONE: the disk's business; KMS keys are refused
 *   indexing      100 % of spans, which is so; another share is refused
 *   destination   XRay, which stands for here; CloudWatchLogs is refused
 *   insights      enabled for no group (xray_groups.c), so that there truly are none; asked for one
 *                 by its id, it is not there
 *
 * Threads: workers. */
#include "api/xray_admin.h"

static bool fits(skep_str s, const char *pattern)
{
    size_t i = 0;
    for (; i < s.n && pattern[i]; i++) {
        char c = s.p[i], p = pattern[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (p == 'x' ? !hex : c != p)
            return false;
    }
    return i == s.n && pattern[i] == '\0';
}

/* --- encryption ----------------------------------------------------------------------------------
 */

static void answer_encryption(struct skep_api__xray *x)
{
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("EncryptionConfig"));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("Status"), SKEP_STR("ACTIVE"));
    skep_json_put_str(json, SKEP_STR("Type"), SKEP_STR("NONE"));
    skep_json_end(json);
    skep_api__xray_end(x);
}

void skep_api__xray_get_encryption_config(struct skep_api__xray *x)
{
    answer_encryption(x);
}

void skep_api__xray_put_encryption_config(struct skep_api__xray *x)
{
    static const char *const types[] = {"NONE", "KMS"};
    skep_str key = skep_aws_str(&x->args, x->in, "KeyId", &(struct skep_aws_len){1, 3000, false});
    int type = skep_aws_enum(&x->args, x->in, "Type", true, types, 2);
    if (!skep_api__xray_valid(x))
        return;
    if (type == 1 || key.n)
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "%s: skep has no keys of KMS; encrypt the disk under its data folder",
                            key.n ? "KeyId" : "Type");
    else
        answer_encryption(x);
}

/* --- indexing ------------------------------------------------------------------------------------
 */

static void put_indexing(struct skep_json *json)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("Name"), SKEP_STR("Default"));
    skep_api__xray_put_time(json, SKEP_STR("ModifiedAt"), 0);
    skep_json_key(json, SKEP_STR("Rule"));
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("Probabilistic"));
    skep_json_object(json);
    skep_json_put_f64(json, SKEP_STR("DesiredSamplingPercentage"), 100);
    skep_json_put_f64(json, SKEP_STR("ActualSamplingPercentage"), 100);
    skep_json_end(json);
    skep_json_end(json);
    skep_json_end(json);
}

void skep_api__xray_get_indexing_rules(struct skep_api__xray *x)
{
    skep_bytes position;
    if (!skep_api__xray_token(x, &position)) /* there is one page: none was ever given */
        return;
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("IndexingRules"));
    skep_json_array(json);
    put_indexing(json);
    skep_json_end(json);
    skep_api__xray_end(x);
}

void skep_api__xray_update_indexing_rule(struct skep_api__xray *x)
{
    double share = 0;
    skep_str name = skep_aws_str(&x->args, x->in, "Name", &(struct skep_aws_len){1, 32, true});
    yyjson_val *rule = skep_aws_object(&x->args, x->in, "Rule", true);
    if (rule) {
        size_t mark = skep_aws_enter(&x->args, "Rule");
        yyjson_val *p = skep_aws_object(&x->args, rule, "Probabilistic", true);
        size_t inner = skep_aws_enter(&x->args, "Probabilistic");
        if (p)
            (void)skep_aws_number(&x->args, p, "DesiredSamplingPercentage",
                                  &(struct skep_aws_range){0, 100, true}, &share);
        skep_aws_leave(&x->args, inner);
        skep_aws_leave(&x->args, mark);
    }
    if (!skep_api__xray_valid(x))
        return;
    if (!skep_str_eq(name, SKEP_STR("Default"))) {
        skep_api__xray_fail_resource(x, SKEP_XRAY_NOT_FOUND, name,
                                     SKEP_STR("The indexing rule does not exist"));
        return;
    }
    if (share < 100) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "DesiredSamplingPercentage: skep indexes every span, 100 %%");
        return;
    }
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("IndexingRule"));
    put_indexing(json);
    skep_api__xray_end(x);
}

/* --- destination ---------------------------------------------------------------------------------
 */

void skep_api__xray_get_trace_segment_destination(struct skep_api__xray *x)
{
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_put_str(json, SKEP_STR("Destination"), SKEP_STR("XRay"));
    skep_json_put_str(json, SKEP_STR("Status"), SKEP_STR("ACTIVE"));
    skep_api__xray_end(x);
}

void skep_api__xray_update_trace_segment_destination(struct skep_api__xray *x)
{
    static const char *const destinations[] = {"XRay", "CloudWatchLogs"};
    int to = skep_aws_enum(&x->args, x->in, "Destination", false, destinations, 2);
    if (!skep_api__xray_valid(x))
        return;
    if (to == 1)
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "Destination: segments stay here; skep sends none to CloudWatch Logs");
    else
        skep_api__xray_get_trace_segment_destination(x);
}

/* --- insights ------------------------------------------------------------------------------------
 */

static void read_page(struct skep_api__xray *x, double max)
{
    int64_t n;
    (void)skep_aws_int(&x->args, x->in, "MaxResults", &(struct skep_aws_range){1, max, false}, &n);
}

void skep_api__xray_get_insight_summaries(struct skep_api__xray *x)
{
    struct skep_time_range range;
    skep_str expression;
    skep_bytes position;
    size_t i, n;
    yyjson_val *v,
        *states = skep_aws_list(&x->args, x->in, "States", &(struct skep_aws_len){0, 1, false});
    yyjson_arr_foreach(states, i, n, v)
    {
        if (!yyjson_equals_str(v, "ACTIVE") && !yyjson_equals_str(v, "CLOSED"))
            skep_aws_wrong(&x->args, "States", v,
                           "Member must satisfy enum value set: [ACTIVE, CLOSED]");
    }
    skep_api__xray_period(x, &range);
    read_page(x, 100);
    if (!skep_api__xray_valid(x) || !skep_api__xray_group_asked(x, &expression) ||
        !skep_api__xray_token(x, &position))
        return;
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("InsightSummaries"));
    skep_json_array(json);
    skep_json_end(json);
    skep_api__xray_end(x);
}

/* Every id: none was ever given. */
static void fail_insight(struct skep_api__xray *x)
{
    skep_str id =
        skep_aws_str(&x->args, x->in, "InsightId", &(struct skep_aws_len){.required = true});
    if (id.p && !fits(id, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"))
        skep_aws_wrong(
            &x->args, "InsightId", yyjson_obj_get(x->in, "InsightId"),
            "Member must satisfy regular expression pattern: [0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
            "[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}");
    if (skep_api__xray_valid(x))
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "InsightId: the insight must exist; skep does not look for insights");
}

void skep_api__xray_get_insight(struct skep_api__xray *x)
{
    fail_insight(x);
}

void skep_api__xray_get_insight_events(struct skep_api__xray *x)
{
    read_page(x, 50);
    fail_insight(x);
}

void skep_api__xray_get_insight_impact_graph(struct skep_api__xray *x)
{
    struct skep_time_range range;
    skep_api__xray_period(x, &range);
    fail_insight(x);
}
