// SPDX-License-Identifier: Apache-2.0
/* fuzz_rules.c - answers of whoever stands where the X-Ray daemon should: rules, then targets */
#include <stdlib.h>

#include "xray_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xray_rules *rules = xray_rules_new();
    int64_t modified = 0;
    char rule[XRAY_RULE_BYTES];
    if (rules == NULL)
        return 0;
    bool taken = xray_rules_take(rules, (const char *)data, size);
    bool targets = xray_rules_take_targets(rules, (const char *)data, size, &modified);
    for (unsigned i = 0; i < 4; i++)
        (void)xray_rules_sample(rules, "backend-flask", // either is fine
                                &(struct xray_request){.method = "GET", .path = "/api/a/home"},
                                rule);
    free(xray_rules_count(rules, 1));
    xray_rules_free(rules);
    return taken && targets && modified < 0 ? abort(), 0 : 0;
}
