// SPDX-License-Identifier: Apache-2.0
/* xray_rules.c - sampling rules: matching, deciding, counting; see xray_rules.h
 *
 * Rules are kept in the order of their priority; the first that matches decides.
 *
 * Threads: any; one lock. Memory: at most RULES_MAX rules, texts of at most PATTERN_BYTES. */
#include "xray_rules.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <yyjson.h>

#include "random.h"

enum { RULES_MAX = 128, NAME_BYTES = XRAY_RULE_BYTES, PATTERN_BYTES = 512, ID_BYTES = 25 };

struct rule {
    char name[NAME_BYTES];
    int64_t priority, reservoir;
    double rate;
    char service[PATTERN_BYTES], host[PATTERN_BYTES], method[PATTERN_BYTES], path[PATTERN_BYTES];
    int64_t quota, quota_until_s; /* ours a second; until when; 0: not given */
    int64_t second, taken;        /* how many of the reservoir in which second */
    int64_t requests, sampled, borrowed;
};

struct xray_rules {
    pthread_mutex_t mu; /* of all below */
    struct rule *rules;
    size_t n;
    struct rule fallback; /* while there are none */
    char client_id[ID_BYTES];
};

struct xray_rules *xray_rules_new(void)
{
    char uuid[UUID_BYTES];
    struct xray_rules *rules = calloc(1, sizeof *rules);
    if (rules == NULL || pthread_mutex_init(&rules->mu, NULL) != 0) {
        free(rules);
        return NULL;
    }
    rules->fallback = (struct rule){.reservoir = 1, .rate = 0.05};
    random_uuid(uuid);
    size_t n = 0;
    for (const char *c = uuid; n < ID_BYTES - 1; c++)
        if (*c != '-')
            rules->client_id[n++] = *c;
    return rules;
}

void xray_rules_free(struct xray_rules *rules)
{
    if (rules == NULL)
        return;
    (void)pthread_mutex_destroy(&rules->mu); // nobody holds it
    free(rules->rules);
    free(rules);
}

/* --- deciding ----------------------------------------------------------------------------------
 */

/* Does the text match the pattern of * and ?, whatever the case? Linear: the last * alone is gone
 * back to. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *from = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || strncasecmp(pattern, text, 1) == 0) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static struct rule *find_locked(struct xray_rules *rules, const char *name,
                                const struct xray_request *request)
{
    const char *host = request->host != NULL ? request->host : "";
    for (size_t i = 0; i < rules->n; i++) {
        struct rule *r = &rules->rules[i];
        if (matches(r->service, name) && matches(r->host, host) &&
            matches(r->method, request->method) && matches(r->path, request->path))
            return r;
    }
    return &rules->fallback;
}

static bool take_locked(struct rule *rule, int64_t now_s)
{
    bool has_quota = rule->quota_until_s > now_s;
    int64_t room = has_quota ? rule->quota : rule->reservoir > 0; // else one is borrowed
    if (rule->second != now_s) {
        rule->second = now_s;
        rule->taken = 0;
    }
    if (rule->taken < room) {
        rule->taken++;
        rule->borrowed += !has_quota;
        return true;
    }
    return random_below(1000000) < rule->rate * 1000000;
}

bool xray_rules_sample(struct xray_rules *rules, const char *name,
                       const struct xray_request *request, char ret_rule[XRAY_RULE_BYTES])
{
    (void)pthread_mutex_lock(&rules->mu); // a plain mutex that is ours: does not fail
    struct rule *rule = find_locked(rules, name, request);
    bool sampled = take_locked(rule, (int64_t)time(NULL));
    rule->requests++;
    rule->sampled += sampled;
    memcpy(ret_rule, rule->name, XRAY_RULE_BYTES); // the fallback has none
    (void)pthread_mutex_unlock(&rules->mu);
    return sampled;
}

/* --- the daemon's answers ----------------------------------------------------------------------
 */

static bool copy_text(yyjson_val *object, const char *key, char *ret, size_t cap)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    const char *text = yyjson_get_str(value);
    if (text == NULL || strlen(text) != yyjson_get_len(value) || strlen(text) >= cap)
        return false; // a NUL inside would end the text for C and for nobody else
    memcpy(ret, text, strlen(text) + 1);
    return true;
}

static bool read_rule(yyjson_val *record, struct rule *ret)
{
    yyjson_val *r = yyjson_obj_get(record, "SamplingRule");
    yyjson_val *rate = yyjson_obj_get(r, "FixedRate");
    *ret = (struct rule){.priority = yyjson_get_sint(yyjson_obj_get(r, "Priority")),
                         .reservoir = yyjson_get_sint(yyjson_obj_get(r, "ReservoirSize")),
                         .rate = yyjson_get_num(rate)};
    return yyjson_is_num(rate) && yyjson_get_sint(yyjson_obj_get(r, "Version")) == 1 &&
           copy_text(r, "RuleName", ret->name, sizeof ret->name) &&
           copy_text(r, "ServiceName", ret->service, sizeof ret->service) &&
           copy_text(r, "Host", ret->host, sizeof ret->host) &&
           copy_text(r, "HTTPMethod", ret->method, sizeof ret->method) &&
           copy_text(r, "URLPath", ret->path, sizeof ret->path);
}

static int by_priority(const void *a, const void *b)
{
    const struct rule *x = a;
    const struct rule *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return strcmp(x->name, y->name);
}

static struct rule *named_locked(struct xray_rules *rules, const char *name)
{
    for (size_t i = 0; name != NULL && i < rules->n; i++)
        if (strcmp(rules->rules[i].name, name) == 0)
            return &rules->rules[i];
    return NULL;
}

static void replace_locked(struct xray_rules *rules, struct rule *fresh, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct rule *old = named_locked(rules, fresh[i].name);
        if (old == NULL)
            continue;
        fresh[i].quota = old->quota;
        fresh[i].quota_until_s = old->quota_until_s;
        fresh[i].second = old->second;
        fresh[i].taken = old->taken;
        fresh[i].requests = old->requests;
        fresh[i].sampled = old->sampled;
        fresh[i].borrowed = old->borrowed;
    }
    free(rules->rules);
    rules->rules = fresh;
    rules->n = n;
}

bool xray_rules_take(struct xray_rules *rules, const char *json, size_t n)
{
    yyjson_doc *doc = yyjson_read(json, n, 0);
    yyjson_val *records = yyjson_obj_get(yyjson_doc_get_root(doc), "SamplingRuleRecords");
    struct rule *fresh = yyjson_is_arr(records) ? calloc(RULES_MAX, sizeof *fresh) : NULL;
    size_t n_fresh = 0;
    size_t i, max;
    yyjson_val *record;
    if (fresh == NULL) {
        yyjson_doc_free(doc);
        return false;
    }
    yyjson_arr_foreach(records, i, max, record)
    {
        if (n_fresh < RULES_MAX && read_rule(record, &fresh[n_fresh]))
            n_fresh++;
    }
    yyjson_doc_free(doc);
    qsort(fresh, n_fresh, sizeof *fresh, by_priority);
    (void)pthread_mutex_lock(&rules->mu);
    replace_locked(rules, fresh, n_fresh);
    (void)pthread_mutex_unlock(&rules->mu);
    return true;
}

static void add_count_locked(yyjson_mut_doc *doc, yyjson_mut_val *list, struct xray_rules *rules,
                             struct rule *rule, int64_t now_s)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, list);
    yyjson_mut_obj_add_strcpy(doc, o, "RuleName", rule->name);
    yyjson_mut_obj_add_str(doc, o, "ClientID", rules->client_id);
    yyjson_mut_obj_add_int(doc, o, "RequestCount", rule->requests);
    yyjson_mut_obj_add_int(doc, o, "BorrowCount", rule->borrowed);
    yyjson_mut_obj_add_int(doc, o, "SampledCount", rule->sampled);
    yyjson_mut_obj_add_int(doc, o, "Timestamp", now_s);
    rule->requests = rule->borrowed = rule->sampled = 0;
}

char *xray_rules_count(struct xray_rules *rules, int64_t now_s)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "SamplingStatisticsDocuments");
    (void)pthread_mutex_lock(&rules->mu);
    for (size_t i = 0; i < rules->n; i++)
        if (rules->rules[i].requests > 0)
            add_count_locked(doc, list, rules, &rules->rules[i], now_s);
    (void)pthread_mutex_unlock(&rules->mu);
    char *json = yyjson_mut_arr_size(list) > 0 ? yyjson_mut_val_write(root, 0, NULL) : NULL;
    yyjson_mut_doc_free(doc);
    return json;
}

static void take_target_locked(struct xray_rules *rules, yyjson_val *target)
{
    struct rule *rule = named_locked(rules, yyjson_get_str(yyjson_obj_get(target, "RuleName")));
    yyjson_val *rate = yyjson_obj_get(target, "FixedRate");
    yyjson_val *quota = yyjson_obj_get(target, "ReservoirQuota");
    double until = yyjson_get_num(yyjson_obj_get(target, "ReservoirQuotaTTL"));
    if (rule == NULL)
        return;
    if (yyjson_is_num(rate))
        rule->rate = yyjson_get_num(rate);
    if (yyjson_is_int(quota) && until > 0 && until < 1e12) {
        rule->quota = yyjson_get_sint(quota);
        rule->quota_until_s = (int64_t)until;
    }
}

bool xray_rules_take_targets(struct xray_rules *rules, const char *json, size_t n,
                             int64_t *ret_modified)
{
    yyjson_doc *doc = yyjson_read(json, n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *targets = yyjson_obj_get(root, "SamplingTargetDocuments");
    double modified = yyjson_get_num(yyjson_obj_get(root, "LastRuleModification"));
    bool ok = yyjson_is_arr(targets);
    size_t i, max;
    yyjson_val *target;
    (void)pthread_mutex_lock(&rules->mu);
    yyjson_arr_foreach(targets, i, max, target)
    {
        take_target_locked(rules, target);
    }
    (void)pthread_mutex_unlock(&rules->mu);
    if (ok)
        *ret_modified = modified > 0 && modified < 1e12 ? (int64_t)modified : 0;
    yyjson_doc_free(doc);
    return ok;
}
