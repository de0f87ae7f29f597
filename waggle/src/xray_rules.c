// SPDX-License-Identifier: Apache-2.0
/*
 * xray_rules.c - the sampling rules of AWS X-Ray: read, matched, drawn from
 *
 * Rules are tried by priority, then by name. A rule's reservoir is what is sampled in each second
 * before its rate counts: the service shares it out among its clients as quotas; a client without a
 * quota borrows one request a second. Rules of another version, for one resource or with attributes
 * are not for us, as for the other X-Ray SDKs.
 *
 * Threads: what changes while requests are matched is atomic.
 */
#include "xray_rules.h"

#include "json_in.h"

#include <stdio.h>
#include <stdlib.h>

/* --- rules --------------------------------------------------------------------------------- */

struct rules_reader {
    struct waggle__xray_rules *rules;
    struct waggle__xray_rule rule;
    unsigned depth; /* of the rule being read; 0: none */
    bool is_ours, has_rate, found;
};

static void begin_rule(struct rules_reader *r, unsigned depth)
{
    memset(&r->rule, 0, sizeof r->rule);
    r->depth = depth;
    r->is_ours = true;
    r->has_rate = false;
}

static void end_rule(struct rules_reader *r)
{
    const struct waggle__xray_rule *rule = &r->rule;
    bool ok = r->is_ours && r->has_rate && rule->name[0] != '\0' && rule->fixed_rate >= 0 &&
              rule->fixed_rate <= 1 && rule->reservoir_size >= 0 &&
              rule->reservoir_size < UINT16_MAX && rule->priority >= 0;
    if (ok && r->rules->n < WAGGLE__XRAY_RULES_MAX)
        memcpy(&r->rules->p[r->rules->n++], rule, sizeof *rule);
    r->depth = 0;
}

static void rule_text(struct rules_reader *r, const char *key, const char *text)
{
    struct waggle__xray_rule *rule = &r->rule;
    const struct {
        const char *key;
        char *to;
        size_t cap;
    } texts[] = {
        {"RuleName", rule->name, sizeof rule->name},
        {"ServiceName", rule->service_name, sizeof rule->service_name},
        {"ServiceType", rule->service_type, sizeof rule->service_type},
        {"Host", rule->host, sizeof rule->host},
        {"HTTPMethod", rule->method, sizeof rule->method},
        {"URLPath", rule->path, sizeof rule->path},
    };
    for (size_t i = 0; i < WAGGLE__COUNT(texts); i++)
        if (strcmp(texts[i].key, key) == 0)
            (void)snprintf(texts[i].to, texts[i].cap, "%s", text); // longer ones there are none
    if (strcmp(key, "ResourceARN") == 0 && strcmp(text, "*") != 0)
        r->is_ours = false;
}

static void rule_number(struct rules_reader *r, const char *key, double number)
{
    if (strcmp(key, "Priority") == 0)
        r->rule.priority = number;
    else if (strcmp(key, "ReservoirSize") == 0)
        r->rule.reservoir_size = number;
    else if (strcmp(key, "Version") == 0 && !(number > 0.5 && number < 1.5))
        r->is_ours = false;
    if (strcmp(key, "FixedRate") != 0)
        return;
    r->rule.fixed_rate = number;
    r->has_rate = true;
}

static void on_rules(void *self, enum waggle__json_event event, unsigned depth, const char *key,
                     const char *text, double number)
{
    struct rules_reader *r = self;
    r->found |= event == WAGGLE__JSON_BEGIN && strcmp(key, "SamplingRuleRecords") == 0;
    if (event == WAGGLE__JSON_BEGIN && r->depth == 0 && strcmp(key, "SamplingRule") == 0)
        begin_rule(r, depth);
    else if (event == WAGGLE__JSON_END && r->depth == depth && r->depth != 0)
        end_rule(r);
    else if (r->depth != 0 && depth > r->depth + 1)
        r->is_ours = false; // an attribute
    else if (r->depth != 0 && event == WAGGLE__JSON_TEXT)
        rule_text(r, key, text);
    else if (r->depth != 0 && event == WAGGLE__JSON_NUMBER)
        rule_number(r, key, number);
}

static int by_priority(const void *a, const void *b)
{
    const struct waggle__xray_rule *x = a;
    const struct waggle__xray_rule *y = b;
    if (x->priority < y->priority || x->priority > y->priority)
        return x->priority < y->priority ? -1 : 1;
    return strcmp(x->name, y->name);
}

bool waggle__xray_rules_read(waggle_str json, struct waggle__xray_rules *ret)
{
    struct rules_reader r;
    memset(&r, 0, sizeof r);
    r.rules = ret;
    ret->n = 0;
    if (!waggle__json_walk(json, on_rules, &r) || !r.found)
        return false;
    qsort(ret->p, ret->n, sizeof ret->p[0], by_priority);
    return true;
}

/* --- targets ------------------------------------------------------------------------------- */

struct targets_reader {
    struct waggle__xray_rules *rules;
    unsigned depth;
    char name[64];
    double rate, quota, until_s; /* below zero: not said */
    double modified_s;
};

static void end_target(struct targets_reader *r)
{
    r->depth = 0;
    for (size_t i = 0; i < r->rules->n; i++) {
        struct waggle__xray_rule *rule = &r->rules->p[i];
        if (strcmp(rule->name, r->name) != 0)
            continue;
        if (r->quota >= 0 && r->quota < UINT16_MAX && r->until_s >= 0 && r->until_s < 1e15) {
            atomic_store_explicit(&rule->quota, (uint32_t)r->quota, memory_order_relaxed);
            atomic_store_explicit(&rule->quota_until_s, (uint64_t)r->until_s, memory_order_relaxed);
        }
    }
}

static void on_targets(void *self, enum waggle__json_event event, unsigned depth, const char *key,
                       const char *text, double number)
{
    struct targets_reader *r = self;
    if (event == WAGGLE__JSON_BEGIN && strcmp(key, "SamplingTargetDocuments") == 0) {
        r->depth = depth;
        r->name[0] = '\0';
        r->rate = r->quota = r->until_s = -1;
    } else if (event == WAGGLE__JSON_END && r->depth == depth && depth != 0) {
        end_target(r);
    } else if (event == WAGGLE__JSON_NUMBER && r->depth == 0) {
        if (strcmp(key, "LastRuleModification") == 0)
            r->modified_s = number;
    } else if (r->depth != 0 && depth == r->depth + 1) {
        if (event == WAGGLE__JSON_TEXT && strcmp(key, "RuleName") == 0)
            (void)snprintf(r->name, sizeof r->name, "%s", text); // longer ones there are none
        else if (event == WAGGLE__JSON_NUMBER && strcmp(key, "ReservoirQuota") == 0)
            r->quota = number;
        else if (event == WAGGLE__JSON_NUMBER && strcmp(key, "ReservoirQuotaTTL") == 0)
            r->until_s = number;
    }
}

bool waggle__xray_targets_read(waggle_str json, struct waggle__xray_rules *rules,
                               double *ret_modified_s)
{
    struct targets_reader r = {.rules = rules};
    bool ok = waggle__json_walk(json, on_targets, &r);
    *ret_modified_s = ok ? r.modified_s : 0;
    return ok;
}

/* --- matching ------------------------------------------------------------------------------ */

struct waggle__xray_rule *waggle__xray_match(struct waggle__xray_rules *rules,
                                             const struct waggle__xray_request *q)
{
    for (size_t i = 0; i < rules->n; i++) {
        struct waggle__xray_rule *r = &rules->p[i];
        if (waggle__wild_match(r->service_name, q->service_name) &&
            waggle__wild_match(r->service_type, q->service_type) &&
            waggle__wild_match(r->host, q->host) && waggle__wild_match(r->method, q->method) &&
            waggle__wild_match(r->path, q->path))
            return r;
    }
    return NULL;
}

/* One of `limit` in this second; false if they are taken. */
static bool take_one(struct waggle__xray_rule *r, uint64_t now_s, uint32_t limit)
{
    uint64_t seen = atomic_load_explicit(&r->window, memory_order_relaxed);
    for (unsigned tries = 0; tries < 100; tries++) {
        uint64_t taken = seen >> 16 == now_s ? seen & 0xffff : 0;
        if (taken >= limit || taken == 0xffff)
            return false;
        if (atomic_compare_exchange_weak_explicit(&r->window, &seen, now_s << 16 | (taken + 1),
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    return false;
}

bool waggle__xray_take(struct waggle__xray_rule *r, uint64_t now_s, double chance)
{
    bool has_quota = now_s < atomic_load_explicit(&r->quota_until_s, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->requests, 1, memory_order_relaxed);
    bool taken = false;
    if (has_quota)
        taken = take_one(r, now_s, atomic_load_explicit(&r->quota, memory_order_relaxed));
    else if (r->reservoir_size > 0)
        taken = take_one(r, now_s, 1);
    if (taken && !has_quota)
        atomic_fetch_add_explicit(&r->borrowed, 1, memory_order_relaxed);
    else if (taken || chance < r->fixed_rate)
        atomic_fetch_add_explicit(&r->sampled, 1, memory_order_relaxed);
    return taken || chance < r->fixed_rate;
}
