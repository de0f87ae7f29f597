// SPDX-License-Identifier: Apache-2.0
/* The text of the row's enums, as languages and answers spell it. */
#include "event/event.h"

#define S(lit)                                                                                     \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }

static const skep_str unknown = S("unknown");

static skep_str name_of(const skep_str *table, size_t n, size_t i)
{
    return i < n && table[i].n > 0 ? table[i] : unknown;
}

skep_str skep_kind_name(enum skep_kind k)
{
    static const skep_str names[SKEP_KIND_COUNT] = {
        [SKEP_KIND_SPAN] = S("span"),   [SKEP_KIND_SPAN_EVENT] = S("span_event"),
        [SKEP_KIND_LINK] = S("link"),   [SKEP_KIND_LOG] = S("log"),
        [SKEP_KIND_ERROR] = S("error"),
    };
    return name_of(names, SKEP_KIND_COUNT, (size_t)k);
}

skep_str skep_type_name(enum skep_type t)
{
    static const skep_str names[SKEP_TYPE_COUNT] = {
        [SKEP_TYPE_STRING] = S("string"), [SKEP_TYPE_INT] = S("int"),
        [SKEP_TYPE_DOUBLE] = S("double"), [SKEP_TYPE_BOOL] = S("bool"),
        [SKEP_TYPE_BYTES] = S("bytes"),   [SKEP_TYPE_ARRAY] = S("array"),
        [SKEP_TYPE_EMPTY] = S("null"),
    };
    return name_of(names, SKEP_TYPE_COUNT, (size_t)t);
}

skep_str skep_scope_name(enum skep_scope s)
{
    static const skep_str names[SKEP_SCOPE_COUNT] = {
        [SKEP_SCOPE_INTRINSIC] = S("intrinsic"),
        [SKEP_SCOPE_ATTRIBUTE] = S("attribute"),
        [SKEP_SCOPE_INSTRUMENTATION] = S("instrumentation"),
        [SKEP_SCOPE_RESOURCE] = S("resource"),
    };
    return name_of(names, SKEP_SCOPE_COUNT, (size_t)s);
}

skep_str skep_source_name(enum skep_source s)
{
    static const skep_str names[SKEP_SOURCE_COUNT] = {
        [SKEP_SOURCE_OTLP] = S("otlp"),       [SKEP_SOURCE_EVENTS] = S("events"),
        [SKEP_SOURCE_XRAY] = S("xray"),       [SKEP_SOURCE_LOGS] = S("logs"),
        [SKEP_SOURCE_ROLLBAR] = S("rollbar"), [SKEP_SOURCE_SELF] = S("skep"),
    };
    return name_of(names, SKEP_SOURCE_COUNT, (size_t)s);
}
