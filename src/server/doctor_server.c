// SPDX-License-Identifier: Apache-2.0
/* `skep doctor`: what the server's status tells.
 *
 * Two tables say what to do: about requests refused, by reason, and about paths that senders try in
 * vain.
 *
 * Threads: main. */
#include <stdlib.h>

#include "base/assert.h"
#include "server/doctor.h"

static const struct advice {
    const char *key, *what, *what_to_do;
} refusals[] = {
    {"no_memory", "for lack of memory", "Give the server more memory: --memory."},
    {"no_space", "for lack of disk space",
     "Give it more (--disk), keep less (--retain), or free the disk."},
    {"io_error", "because the disk failed", "Look at the disk and at the server's log."},
    {"too_large", "because they were too large",
     "Let the sender batch less; a body may be a third of what requests may take of --memory."},
    {"malformed", "because they could not be read",
     "See `last` in the status: it names the byte. Is something else sending to this port?"},
    {"unsupported", "because of their content type",
     "Set the exporter's protocol to http/protobuf, http/json or grpc."},
    {"metrics_not_stored", "because metrics are not stored",
     "Nothing is wrong: they are counted only. To stop them: OTEL_METRICS_EXPORTER=none."},
    {"bad_trace_id", "because of their trace ids",
     "A trace id is 16 bytes and not all zero: look at the sender's library."},
    {"bad_span_id", "because of their span ids",
     "A span id is 8 bytes and not all zero: look at the sender's library."},
    {"bad_parent_id", "because of their parents' ids",
     "A parent's id is 8 bytes or absent: look at the sender's library."},
    {"closed", "because the server was stopping", "Nothing is wrong: senders try again."},
};

static const struct advice doors[] = {
    {"refused_host", "named a Host that is not accepted", "Add the name: --allow-host NAME."},
    {"refused_origin", "came from another site's page",
     "Only ingest is open to other sites; ask the page's API from its own origin."},
    {"refused_limit", "were larger than a body may be",
     "Let the sender batch less, or raise --memory."},
    {"refused_encoding", "had a body that could not be unpacked",
     "Let the sender compress with gzip or zstd, or not at all."},
    {"refused_budget", "found no memory for their body", "Raise --memory, or send less at once."},
};

static const struct advice paths[] = {
    {"/v1/trace", "traces go to /v1/traces", NULL},
    {"/v1/log", "logs go to /v1/logs", NULL},
    {"/traces", "traces go to /v1/traces", NULL},
    {"/logs", "logs go to /v1/logs", NULL},
    {"/api/v2/spans", "this is Zipkin's path: set the exporter to OTLP", NULL},
    {"/api/traces", "this is Jaeger's path: set the exporter to OTLP", NULL},
    {"/v1/traces/v1/traces",
     "the exporter adds /v1/traces itself: set OTEL_EXPORTER_OTLP_ENDPOINT without it", NULL},
    {"/", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is taken as it is: it ends in /v1/traces", NULL},
};

static bool is_problem(const char *key)
{
    return !skep_str_eq(skep_str_c(key), SKEP_STR("metrics_not_stored")) &&
           !skep_str_eq(skep_str_c(key), SKEP_STR("closed"));
}

/* --- the store --- */

static void state(struct skep_doctor *d)
{
    yyjson_val *store = yyjson_obj_get(d->status, "store");
    if (yyjson_get_bool(yyjson_obj_get(store, "read_only")))
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM,
                        "Look at the disk, then start the server again: nothing acknowledged is "
                        "lost.",
                        "the log could not be written: the store takes nothing more");
    if (yyjson_get_bool(yyjson_obj_get(d->status, "recovering")))
        skep_doctor_say(d, SKEP_DOCTOR_NOTE, "Wait: answers are not whole yet.",
                        "the server is recovering");
    yyjson_val *missing = yyjson_obj_get(store, "missing"), *v;
    size_t i, max;
    yyjson_arr_foreach(missing, i, max, v)
    {
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM,
                        "Answers over it say so. A backup may have it (skep restore); to settle "
                        "it: skep repair --forget.",
                        "lost: %s", yyjson_get_str(v) ? yyjson_get_str(v) : "?");
    }
    if (skep_doctor_number(d, "store", "torn_writes"))
        skep_doctor_say(d, SKEP_DOCTOR_NOTE,
                        "Nothing is to be done: that was never acknowledged (a power cut leaves "
                        "it).",
                        "the log ended in an unfinished write when the server started");
    uint64_t segments = skep_doctor_number(d, "store", "segments");
    if (segments > 48)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM,
                        "Merging is behind: give it memory (--memory) and processor time, or send "
                        "less.",
                        "there are %llu segments, merging keeps them under 48",
                        (unsigned long long)segments);
    else
        skep_doctor_say(d, SKEP_DOCTOR_OK, NULL, "%llu segments, merging is not behind",
                        (unsigned long long)segments);
}

static void share(struct skep_doctor *d, const char *object, const char *what, const char *to_do)
{
    uint64_t used = skep_doctor_number(d, object, "used_bytes");
    uint64_t limit = skep_doctor_number(d, object, "limit_bytes");
    double percent = limit ? (double)used * 100.0 / (double)limit : 0;
    if (percent > 90)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM, to_do, "%.0f%% of the %s is taken", percent, what);
    else if (limit)
        skep_doctor_say(d, SKEP_DOCTOR_OK, NULL, "%.0f%% of the %s is taken", percent, what);
}

/* --- requests --- */

static uint64_t rejected(const struct skep_doctor *d, const char *reason)
{
    yyjson_val *row, *ledger = yyjson_obj_get(d->status, "ledger");
    size_t i, max;
    uint64_t n = 0;
    yyjson_arr_foreach(ledger, i, max, row)
    {
        n += yyjson_get_uint(yyjson_obj_get(yyjson_obj_get(row, "rejected"), reason));
    }
    return n;
}

static void requests(struct skep_doctor *d)
{
    bool any = false;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(refusals); i++) {
        uint64_t n = rejected(d, refusals[i].key);
        if (n == 0)
            continue;
        bool problem = is_problem(refusals[i].key);
        any |= problem;
        skep_doctor_say(d, problem ? SKEP_DOCTOR_PROBLEM : SKEP_DOCTOR_NOTE, refusals[i].what_to_do,
                        "%llu items were refused %s", (unsigned long long)n, refusals[i].what);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(doors); i++) {
        uint64_t n = skep_doctor_number(d, "net", doors[i].key);
        any |= n > 0;
        if (n > 0)
            skep_doctor_say(d, SKEP_DOCTOR_PROBLEM, doors[i].what_to_do, "%llu requests %s",
                            (unsigned long long)n, doors[i].what);
    }
    if (!any)
        skep_doctor_say(d, SKEP_DOCTOR_OK, NULL, "nothing was refused since the server started");
}

static const char *advice_for(skep_str what)
{
    (void)skep_str_cut(&what, ' '); /* the method */
    if (what.n > 1 && what.p[what.n - 1] == '/')
        what.n--;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(paths); i++)
        if (what.p && skep_str_eq(what, skep_str_c(paths[i].key)))
            return paths[i].what;
    return "set the sender's URL to a path that skep has: /v1/traces, /v1/logs";
}

static void strays(struct skep_doctor *d)
{
    yyjson_val *v, *list = yyjson_obj_get(yyjson_obj_get(d->status, "net"), "unknown_paths");
    size_t i, max;
    yyjson_arr_foreach(list, i, max, v)
    {
        yyjson_val *what = yyjson_obj_get(v, "what");
        skep_str text = {yyjson_get_str(what), yyjson_get_len(what)};
        uint64_t times = yyjson_get_uint(yyjson_obj_get(v, "times"));
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM, advice_for(text),
                        "a sender tries " SKEP_STRFMT ", where there is nothing (%llu times)",
                        SKEP_STRARG(text), (unsigned long long)times);
    }
}

static void silence(struct skep_doctor *d)
{
    if (yyjson_arr_size(yyjson_obj_get(d->status, "ledger")) > 0)
        return;
    skep_doctor_say(d, SKEP_DOCTOR_NOTE,
                    "Set OTEL_EXPORTER_OTLP_ENDPOINT to the server's address in the program.",
                    "nobody has sent anything since the server started");
}

void skep_doctor_server(struct skep_doctor *d)
{
    skep_assert(d->status != NULL);
    state(d);
    share(d, "memory", "memory that the server may use",
          "Raise --memory: above it requests are refused with 503.");
    share(d, "disk", "disk space that the server may use",
          "The oldest rows are dropped now. To keep more: --disk.");
    requests(d);
    strays(d);
    silence(d);
}
