// SPDX-License-Identifier: Apache-2.0
/* Names of the fields of log lines.  Static data; any thread. */
#include "event/log.h"

#include "event/view.h"

bool skep_log_renamed(skep_str key)
{
    static const skep_str own[] = {SKEP_STR_INIT("body"), SKEP_STR_INIT("log.bytes"),
                                   SKEP_STR_INIT("log.stream"), SKEP_STR_INIT("severity_text")};
    /* Lines have neither: there is nothing to hide. */
    static const skep_str never[] = {SKEP_STR_INIT("name"), SKEP_STR_INIT("trace.span_id")};
    if (skep_str_starts(key, SKEP_STR("meta.")))
        return true;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(own); i++)
        if (skep_str_eq(key, own[i]))
            return true;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(never); i++)
        if (skep_str_eq(key, never[i]))
            return false;
    const struct skep_view *view = skep_view_find(key);
    return view && (view->kinds & 1u << SKEP_KIND_LOG);
}
