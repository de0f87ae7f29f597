// SPDX-License-Identifier: Apache-2.0
/* Log groups: making, listing, deleting; how long their lines are kept.
 *
 * Groups that rows make (OTLP) are listed, read and deleted like the others, and become groups of
 * state with the first setting.
 *
 * I1  A group that was deleted has no rows: they are deleted before it is forgotten, and puts under
 *     way are waited for.
 * I2  A key that may only write cannot make lines go earlier: see may_shorten.
 * Threads: workers.  Memory: the request's arena. */
#include "api/logs_retention.h"
#include "api/logs_tags.h"

#include "base/assert.h"

static const char *const classes[] = {"STANDARD", "INFREQUENT_ACCESS", "DELIVERY"};

/* Of a number in the database, which may be damaged. */
static skep_str class_name(unsigned class)
{
    return skep_str_c(classes[class < SKEP_ARRAY_LEN(classes) ? class : 0]);
}

static bool is_name(skep_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_' || c == '/' || c == '#';
        if (!ok)
            return false;
    }
    return !skep_str_starts(s, SKEP_STR("aws/"));
}

/* The name of a group to be made: AWS's words for too long a one are of their own. */
static skep_str new_name(struct skep_api__logs *l)
{
    skep_str name =
        skep_aws_str(&l->args, l->in, "logGroupName", &(struct skep_aws_len){1, 0, true});
    if (name.n && !is_name(name))
        skep_aws_wrong(&l->args, "logGroupName", yyjson_obj_get(l->in, "logGroupName"),
                       "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+");
    return name;
}

static void fail_state(struct skep_api__logs *l, skep_rc rc, const skep_err *err)
{
    if (rc == SKEP_EEXISTS)
        skep_api__logs_fail(l, SKEP_LOGS_EXISTS, "The specified log group already exists");
    else if (rc == SKEP_ENOTFOUND)
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND, "The specified log group does not exist.");
    else if (rc == SKEP_EAGAIN)
        skep_api__logs_fail(l, SKEP_LOGS_ABORTED,
                            "A conflicting operation is currently in progress against this "
                            "resource. Please try again.");
    else
        skep_api__logs_fail_rc(l, rc, err);
}

void skep_api__logs_create_log_group(struct skep_api__logs *l)
{
    skep_err err;
    struct skep_api__logs_tags tags;
    struct skep_state_log_group g = {.name = new_name(l)};
    skep_str key = skep_aws_str(&l->args, l->in, "kmsKeyId", &(struct skep_aws_len){0, 256, false});
    int class =
        skep_aws_enum(&l->args, l->in, "logGroupClass", false, classes, SKEP_ARRAY_LEN(classes));
    g.group_class = class < 0 ? 0 : (unsigned)class;
    g.protected_ = skep_aws_bool(&l->args, l->in, "deletionProtectionEnabled", false);
    skep_api__logs_read_tags(l, false, &tags);
    if (!skep_api__logs_valid(l))
        return;
    if (g.name.n > 512) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "Invalid LogGroup or LogStream, both must have length less than or "
                            "equal to 512.");
        return;
    }
    if (key.n) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "kmsKeyId: skep has no keys of KMS");
        return;
    }
    skep_rc rc = skep_state_log_group_create(l->job->api->cfg.state, l->job->opts.environment, &g,
                                             tags.tags, tags.n, &err);
    if (rc != SKEP_OK) {
        fail_state(l, rc, &err);
        return;
    }
    skep_api__logs_changed(l, g.name);
    skep_api__logs_done(l);
}

// --- settings ----------------------------------------------------------------------------------

/* A group in state, made if there were only rows; false after an error was sent. */
static bool adopt(struct skep_api__logs *l, skep_str name, struct skep_state_log_group *ret)
{
    skep_err err;
    struct skep_state *state = l->job->api->cfg.state;
    skep_str env = l->job->opts.environment;
    if (skep_state_log_group_get(state, env, name, ret))
        return true;
    if (!skep_api__logs_group_exists(l, name))
        return false;
    *ret = (struct skep_state_log_group){.name = name};
    skep_rc rc = skep_state_log_group_create(state, env, ret, NULL, 0, &err);
    if (rc == SKEP_OK || rc == SKEP_EEXISTS)
        return true;
    fail_state(l, rc, &err);
    return false;
}

static void set(struct skep_api__logs *l, const struct skep_state_log_group *g)
{
    skep_err err;
    skep_rc rc =
        skep_state_log_group_set(l->job->api->cfg.state, l->job->opts.environment, g, &err);
    if (rc != SKEP_OK) {
        fail_state(l, rc, &err);
        return;
    }
    skep_logs_retention_wake(l->job->api->retention);
    skep_api__logs_changed(l, g->name);
    skep_api__logs_done(l);
}

/* Clients with a key for writing set the retention of groups that they have just made (fluent-bit,
 * watchtower, winston).  To let lines of others go takes more. */
static bool may_shorten(const struct skep_api__logs *l, const struct skep_state_log_group *g,
                        unsigned days)
{
    static const int64_t just_made_ns = 600ll * 1000000000;
    bool longer = g->retention_days && days >= g->retention_days;
    return longer || (l->job->req->caller.rights & SKEP_RIGHT_ADMIN) ||
           skep_api__now(l->job->api) - g->created_ns < just_made_ns;
}

void skep_api__logs_put_retention_policy(struct skep_api__logs *l)
{
    static const uint16_t allowed[] = {1,    3,    5,    7,    14,   30,  60,  90,
                                       120,  150,  180,  365,  400,  545, 731, 1096,
                                       1827, 2192, 2557, 2922, 3288, 3653};
    struct skep_state_log_group g;
    int64_t days = 0;
    bool ok = false;
    skep_str name = skep_api__logs_name(l, "logGroupName", true);
    (void)skep_aws_int(&l->args, l->in, "retentionInDays",
                       &(struct skep_aws_range){-9e15, 9e15, true}, &days);
    if (!skep_api__logs_valid(l))
        return;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(allowed); i++)
        ok = ok || days == allowed[i];
    if (!ok) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "1 validation error detected: Value '%lld' at 'retentionInDays' failed "
                            "to satisfy constraint: Member must satisfy enum value set: [1, 3, 5, "
                            "7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, "
                            "2192, 2557, 2922, 3288, 3653]",
                            (long long)days);
        return;
    }
    if (!adopt(l, name, &g))
        return;
    if (!may_shorten(l, &g, (unsigned)days)) {
        skep_api__logs_fail(l, SKEP_LOGS_ACCESS_DENIED,
                            "this key may set the retention of log groups that were made in the "
                            "last ten minutes: of others a key with the right admin");
        return;
    }
    g.retention_days = (unsigned)days;
    set(l, &g);
}

void skep_api__logs_delete_retention_policy(struct skep_api__logs *l)
{
    struct skep_state_log_group g;
    skep_str name = skep_api__logs_name(l, "logGroupName", true);
    if (!skep_api__logs_valid(l) || !adopt(l, name, &g))
        return;
    g.retention_days = 0;
    set(l, &g);
}

void skep_api__logs_put_log_group_deletion_protection(struct skep_api__logs *l)
{
    struct skep_state_log_group g;
    skep_str name =
        skep_aws_str(&l->args, l->in, "logGroupIdentifier", &(struct skep_aws_len){1, 2048, true});
    yyjson_val *v = yyjson_obj_get(l->in, "deletionProtectionEnabled");
    bool on = skep_aws_bool(&l->args, l->in, "deletionProtectionEnabled", false);
    if (!v || yyjson_is_null(v))
        skep_aws_wrong(&l->args, "deletionProtectionEnabled", NULL, "Member must not be null");
    if (!skep_api__logs_valid(l) || !adopt(l, skep_api__logs_group_of(name), &g))
        return;
    g.protected_ = on;
    set(l, &g);
}

// --- deleting ----------------------------------------------------------------------------------

bool skep_api__logs_delete_rows(struct skep_api__logs *l, skep_str group,
                                const struct skep_expr *filter, skep_err *err, skep_rc *ret)
{
    uint64_t rows = 0;
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                                   .range = {INT64_MIN, INT64_MAX},
                                   .dataset = group,
                                   .filter = filter};
    const struct skep_delete_opts opts = {.run = l->job->opts};
    *ret = skep_store_delete(l->job->api->cfg.store, &plan, &opts, &rows, err);
    return *ret == SKEP_OK;
}

void skep_api__logs_delete_log_group(struct skep_api__logs *l)
{
    skep_err err = {.text = ""};
    skep_rc rc;
    struct skep_state_log_group g;
    struct skep_state *state = l->job->api->cfg.state;
    skep_str env = l->job->opts.environment, name = skep_api__logs_name(l, "logGroupName", true);
    if (!skep_api__logs_valid(l) || !adopt(l, name, &g))
        return;
    if (g.protected_) {
        skep_api__logs_fail(l, SKEP_LOGS_VALIDATION,
                            "The specified log group is protected from deletion: turn "
                            "deletionProtectionEnabled off first.");
        return;
    }
    rc = skep_state_log_drop_begin(state, env, name, SKEP_STR_NULL);
    if (rc == SKEP_OK) {
        bool gone = skep_api__logs_delete_rows(
            l, name, skep_logs_rows_of_group(&l->job->arena, name), &err, &rc);
        skep_err kept;
        skep_rc end = skep_state_log_drop_end(state, env, name, SKEP_STR_NULL, gone, &kept);
        if (rc == SKEP_OK && end != SKEP_OK) {
            rc = end;
            err = kept;
        }
    }
    if (rc != SKEP_OK) {
        fail_state(l, rc, &err);
        return;
    }
    skep_api__logs_changed(l, name);
    skep_api__logs_done(l);
}

// --- listing -----------------------------------------------------------------------------------

static bool is_group_text(skep_str text, skep_str pattern)
{
    return skep_str_find(text, pattern) != SIZE_MAX;
}

/* How many metric filters of a group are among these, which are ordered by group. */
static uint64_t count_of(const struct skep_state_log_item *items, size_t n, skep_str group)
{
    uint64_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += skep_str_eq(items[i].group, group);
    return count;
}

static void put_group(struct skep_api__logs *l, const struct skep_logs_group *g, bool brief,
                      uint64_t filters)
{
    struct skep_json *json = &l->job->out.json;
    skep_str arn = skep_api__logs_arn(
        l, skep_arena_printf(&l->job->arena, "log-group:" SKEP_STRFMT, SKEP_STRARG(g->g.name)));
    skep_json_object(json);
    skep_api__logs_put(json, "logGroupName", g->g.name);
    skep_api__logs_put_time(json, "creationTime", g->g.created_ns);
    skep_json_put_u64(json, SKEP_STR("metricFilterCount"), filters);
    skep_api__logs_put(json, "arn",
                       skep_arena_printf(&l->job->arena, SKEP_STRFMT ":*", SKEP_STRARG(arn)));
    skep_api__logs_put(json, "logGroupArn", arn);
    skep_api__logs_put(json, "logGroupClass", class_name(g->g.group_class));
    if (!brief) {
        if (g->g.retention_days)
            skep_json_put_u64(json, SKEP_STR("retentionInDays"), g->g.retention_days);
        skep_json_put_u64(json, SKEP_STR("storedBytes"), g->bytes);
        skep_json_put_bool(json, SKEP_STR("deletionProtectionEnabled"), g->g.protected_);
    }
    skep_json_end(json);
}

struct wanted {
    skep_str prefix, pattern;
    const skep_str *names; /* NULL = all */
    size_t n_names;
    int group_class; /* -1 = all */
    skep_str after;
};

static bool wants(const struct wanted *w, const struct skep_logs_group *g)
{
    if (!skep_str_starts(g->g.name, w->prefix) ||
        (w->group_class >= 0 && (unsigned)w->group_class != g->g.group_class) ||
        (w->pattern.n && !is_group_text(g->g.name, w->pattern)) ||
        (w->after.n && skep_str_cmp(g->g.name, w->after) <= 0))
        return false;
    for (size_t i = 0; i < w->n_names; i++)
        if (skep_str_eq(w->names[i], g->g.name))
            return true;
    return w->names == NULL;
}

static void read_names(struct skep_api__logs *l, struct wanted *w)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_val *list =
        skep_aws_list(&l->args, l->in, "logGroupIdentifiers", &(struct skep_aws_len){1, 50, false});
    if (!list)
        return;
    skep_str *names = skep_new_n(&l->job->arena, skep_str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, max, v)
    {
        if (yyjson_is_str(v))
            names[w->n_names++] =
                skep_api__logs_group_of((skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    }
    w->names = names;
}

/* Groups that pass, from w->after on, `limit` of them; nextToken if there are more. */
static void answer_groups(struct skep_api__logs *l, struct wanted *w, unsigned limit,
                          void (*put)(struct skep_api__logs *l, const struct skep_logs_group *g,
                                      const struct skep_state_log_item *filters, size_t n_filters))
{
    skep_err err;
    skep_bytes position;
    struct skep_logs_group *groups;
    struct skep_state_log_item *filters;
    size_t n, n_filters;
    skep_str last = SKEP_STR_NULL;
    unsigned done = 0;
    if (!skep_api__logs_token(l, &position) || !skep_api__logs_groups(l, &groups, &n))
        return;
    w->after = skep_bytes_str(position);
    skep_rc rc = skep_state_log_items(l->job->api->cfg.state, l->job->opts.environment,
                                      SKEP_STATE_LOG_METRIC_FILTER, SKEP_STR_NULL, &l->job->arena,
                                      &filters, &n_filters, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("logGroups"));
    skep_json_array(json);
    bool more = false;
    for (size_t i = 0; i < n && !more; i++) {
        if (!wants(w, &groups[i]))
            continue;
        more = done == limit;
        if (more)
            break;
        put(l, &groups[i], filters, n_filters);
        last = groups[i].g.name;
        done++;
    }
    skep_json_end(json);
    if (more)
        skep_api__logs_put_token(l, skep_str_bytes(last));
    skep_api__logs_end(l);
}

static void put_described(struct skep_api__logs *l, const struct skep_logs_group *g,
                          const struct skep_state_log_item *filters, size_t n_filters)
{
    bool brief = yyjson_is_str(yyjson_obj_get(l->in, "logGroupNamePattern"));
    put_group(l, g, brief, count_of(filters, n_filters, g->g.name));
}

void skep_api__logs_describe_log_groups(struct skep_api__logs *l)
{
    struct wanted w = {.group_class = -1};
    w.prefix = skep_api__logs_name(l, "logGroupNamePrefix", false);
    w.pattern =
        skep_aws_str(&l->args, l->in, "logGroupNamePattern", &(struct skep_aws_len){0, 512, false});
    w.group_class =
        skep_aws_enum(&l->args, l->in, "logGroupClass", false, classes, SKEP_ARRAY_LEN(classes));
    unsigned limit = skep_api__logs_limit(l, 50, 50);
    read_names(l, &w);
    if (!skep_api__logs_valid(l))
        return;
    if (w.prefix.n && w.pattern.n) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "LogGroup name prefix and LogGroup name pattern are mutually exclusive "
                            "parameters.");
        return;
    }
    answer_groups(l, &w, limit, put_described);
}

static void put_listed(struct skep_api__logs *l, const struct skep_logs_group *g,
                       const struct skep_state_log_item *filters, size_t n_filters)
{
    struct skep_json *json = &l->job->out.json;
    (void)filters; /* the answer is smaller */
    (void)n_filters;
    skep_json_object(json);
    skep_api__logs_put(json, "logGroupName", g->g.name);
    skep_api__logs_put(
        json, "logGroupArn",
        skep_api__logs_arn(l, skep_arena_printf(&l->job->arena, "log-group:" SKEP_STRFMT,
                                                SKEP_STRARG(g->g.name))));
    skep_api__logs_put(json, "logGroupClass", class_name(g->g.group_class));
    skep_json_end(json);
}

/* logGroupNamePattern is AWS's "regular expression": alternatives, each a text to be found or, with
 * ^ before it, a beginning. */
void skep_api__logs_list_log_groups(struct skep_api__logs *l)
{
    struct wanted w = {0};
    skep_str pattern =
        skep_aws_str(&l->args, l->in, "logGroupNamePattern", &(struct skep_aws_len){3, 129, false});
    w.group_class =
        skep_aws_enum(&l->args, l->in, "logGroupClass", false, classes, SKEP_ARRAY_LEN(classes));
    unsigned limit = skep_api__logs_limit(l, 1000, 50);
    if (!skep_api__logs_valid(l))
        return;
    struct skep_logs_group *groups;
    size_t n, n_names = 0;
    if (!skep_api__logs_groups(l, &groups, &n))
        return;
    skep_str *names = skep_new_n(&l->job->arena, skep_str, n + 1);
    for (size_t i = 0; i < n; i++) {
        skep_str rest = pattern;
        bool found = pattern.n == 0;
        while (rest.n && !found) {
            skep_str part = skep_str_cut(&rest, '|');
            found = skep_str_starts(part, SKEP_STR("^"))
                        ? skep_str_starts(groups[i].g.name, skep_str_skip(part, 1))
                        : is_group_text(groups[i].g.name, part);
        }
        if (found)
            names[n_names++] = groups[i].g.name;
    }
    w.names = names;
    w.n_names = n_names;
    answer_groups(l, &w, limit, put_listed);
}
