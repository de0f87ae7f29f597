// SPDX-License-Identifier: Apache-2.0
/* The canonical names and how each is computed from intrinsic columns.
 *
 * I1  views[] is sorted by name (bytes), so that it can be searched and listed as it is.
 * Static data; any thread. */
#include "event/view.h"

#include "base/assert.h"

#define S(lit)                                                                                     \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }

enum {
    SPAN = 1 << SKEP_KIND_SPAN,
    EVENT = 1 << SKEP_KIND_SPAN_EVENT,
    LINK = 1 << SKEP_KIND_LINK,
    LOG = 1 << SKEP_KIND_LOG,
    ERR = 1 << SKEP_KIND_ERROR,
    TRACE = SPAN | EVENT | LINK,
    ALL = TRACE | LOG | ERR
};

static const skep_str span_kinds[] = {S("unspecified"), S("internal"), S("server"),
                                      S("client"),      S("producer"), S("consumer")};

static const skep_str signals[SKEP_KIND_COUNT] = {
    [SKEP_KIND_SPAN] = S("trace"),  [SKEP_KIND_SPAN_EVENT] = S("trace"),
    [SKEP_KIND_LINK] = S("trace"),  [SKEP_KIND_LOG] = S("log"),
    [SKEP_KIND_ERROR] = S("error"),
};

static const skep_str annotations[SKEP_KIND_COUNT] = {
    [SKEP_KIND_SPAN_EVENT] = S("span_event"),
    [SKEP_KIND_LINK] = S("link"),
};

/* These two repeat names.c: a table of constants cannot be made of calls; a test holds them equal.
 */
static const skep_str kinds[SKEP_KIND_COUNT] = {
    [SKEP_KIND_SPAN] = S("span"),   [SKEP_KIND_SPAN_EVENT] = S("span_event"),
    [SKEP_KIND_LINK] = S("link"),   [SKEP_KIND_LOG] = S("log"),
    [SKEP_KIND_ERROR] = S("error"),
};

static const skep_str sources[SKEP_SOURCE_COUNT] = {
    [SKEP_SOURCE_OTLP] = S("otlp"),       [SKEP_SOURCE_EVENTS] = S("events"),
    [SKEP_SOURCE_XRAY] = S("xray"),       [SKEP_SOURCE_LOGS] = S("logs"),
    [SKEP_SOURCE_ROLLBAR] = S("rollbar"), [SKEP_SOURCE_SELF] = S("skep"),
};

#define FOUR(lit) S(lit), S(lit), S(lit), S(lit)
static const skep_str severities[] = {S("unspecified"), FOUR("trace"), FOUR("debug"), FOUR("info"),
                                      FOUR("warn"),     FOUR("error"), FOUR("fatal")};

#define VIEW(n, h, c, a, k, t)                                                                     \
    {                                                                                              \
        .name = S(n), .how = SKEP_VIEW_##h, .column = SKEP_COL_##c, .arg = (a), .kinds = (k),      \
        .type = SKEP_TYPE_##t                                                                      \
    }
#define ENUM(n, c, k, tab)                                                                         \
    {                                                                                              \
        .name = S(n), .how = SKEP_VIEW_ENUM, .column = SKEP_COL_##c, .table = (tab),               \
        .n_table = SKEP_ARRAY_LEN(tab), .kinds = (k), .type = SKEP_TYPE_STRING                     \
    }

static const struct skep_view views[] = {
    VIEW("SampleRate", INT, SAMPLE_RATE, 0, ALL, INT),
    VIEW("dataset", STRING, DATASET, 0, ALL, STRING),
    VIEW("duration_ms", MS, DURATION, 0, SPAN, DOUBLE),
    VIEW("duration_ns", INT, DURATION, 0, SPAN, INT),
    VIEW("error", BOOL_EQ, STATUS, SKEP_STATUS_ERROR, TRACE, BOOL),
    VIEW("flags", INT, FLAGS, 0, SPAN | LINK | LOG, INT),
    VIEW("is_root", IS_ROOT, PARENT_ID, 0, SPAN, BOOL),
    ENUM("meta.annotation_type", KIND, EVENT | LINK, annotations),
    ENUM("meta.kind", KIND, ALL, kinds),
    VIEW("meta.received_ns", INT, RECEIVED, 0, ALL, INT),
    VIEW("meta.row_id", ROW_ID, SEQ, 0, ALL, STRING),
    ENUM("meta.signal_type", KIND, ALL, signals),
    ENUM("meta.source", SOURCE, ALL, sources),
    VIEW("name", STRING, NAME, 0, ALL, STRING),
    ENUM("severity", SEVERITY, LOG, severities),
    VIEW("severity_code", INT, SEVERITY, 0, LOG, INT),
    ENUM("span.kind", SPAN_KIND, SPAN, span_kinds),
    VIEW("status_code", INT, STATUS, 0, SPAN, INT),
    VIEW("timestamp", TIMESTAMP, TIME, 0, ALL, STRING),
    VIEW("trace.parent_id", HEX8, PARENT_ID, 0, ALL, STRING),
    VIEW("trace.span_id", HEX8, SPAN_ID, 0, ALL, STRING),
    VIEW("trace.trace_id", HEX16, TRACE_ID, 0, ALL, STRING),
    ENUM("type", SPAN_KIND, SPAN, span_kinds),
};

const struct skep_view *skep_view_find(skep_str name)
{
    size_t lo = 0, hi = SKEP_ARRAY_LEN(views);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = skep_str_cmp(views[mid].name, name);
        if (order == 0)
            return &views[mid];
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct skep_view *skep_view_all(size_t *ret_n)
{
    skep_assert(ret_n != NULL);
    *ret_n = SKEP_ARRAY_LEN(views);
    return views;
}
