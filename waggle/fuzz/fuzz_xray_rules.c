// SPDX-License-Identifier: Apache-2.0
/* What a daemon of X-Ray answers: any bytes are rules within their bounds, or none. */
#include "xray_rules.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct waggle__xray_rules rules;
    waggle_str json = {(const char *)data, size};
    double modified_s = 0;
    (void)waggle__xray_rules_read(json, &rules); // whether it is one or not
    if (rules.n > WAGGLE__XRAY_RULES_MAX)
        abort();
    for (size_t i = 0; i < rules.n; i++)
        if (!(rules.p[i].fixed_rate >= 0 && rules.p[i].fixed_rate <= 1) ||
            rules.p[i].name[0] == '\0')
            abort();
    (void)waggle__xray_targets_read(json, &rules, &modified_s); // as above
    const struct waggle__xray_request q = {.path = {(const char *)data, size < 64 ? size : 64}};
    struct waggle__xray_rule *r = waggle__xray_match(&rules, &q);
    if (r != NULL)
        (void)waggle__xray_take(r, 1, 0.5); // either is fine
    return 0;
}
