// SPDX-License-Identifier: Apache-2.0
/* Any text as a filter pattern, on any message: up to the first newline is the pattern. */
#include <stdlib.h>

#include "lang/logs_pattern.h"
#include "plan/plan.h"

#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

static void try_it(const struct skep_logs_pattern *p, skep_str message, struct skep_arena *a)
{
    struct skep_logs_value *values;
    size_t n;
    skep_str v;
    (void)skep_logs_pattern_matches(p, message); /* either answer is right */
    skep_logs_pattern_extract(p, message, a, &values, &n);
    (void)skep_logs_pattern_value(p, SKEP_STR("$.a[0]"), message, a, &v);
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                                   .range = {0, 1},
                                   .filter = skep_logs_pattern_filter(p, a),
                                   .limit = 1};
    skep_err err;
    skep_rc rc = skep_plan_check(&plan, &err); /* very many terms are refused there */
    MUST(rc == SKEP_OK || rc == SKEP_EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skep_arena a;
    struct skep_lang_issue issue;
    const struct skep_logs_pattern *p;
    skep_str message = {(const char *)data, n};
    skep_str text = skep_str_cut(&message, '\n');
    skep_arena_init(&a, "fuzz", NULL);
    skep_rc rc = skep_logs_pattern_parse(text, &a, &p, &issue);
    MUST(a.total_bytes <= (2u << 20) + 4096 * SKEP_MIN(n, (size_t)4 * SKEP_LIMIT_LOGS_PATTERN));
    if (rc == SKEP_OK)
        try_it(p, message, &a);
    else
        MUST(issue.at <= issue.end && issue.end <= text.n);
    skep_arena_done(&a);
    return 0;
}
