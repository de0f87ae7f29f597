// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/ledger: what was received and what became of it, checked anew for each answer
 * (src/ingest/ledger_check.c).
 * Threads: workers.  Memory: the request's arena. */
#include "api/api_priv.h"

#include "ingest/ingest.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

typedef uint64_t number_fn(const struct skep_ledger_line *x);

static uint64_t rejected(const struct skep_ledger_line *x)
{
    uint64_t n = 0;
    for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++)
        n += x->rejected[r];
    return n;
}

#define NUMBER(name)                                                                               \
    static uint64_t name(const struct skep_ledger_line *x)                                         \
    {                                                                                              \
        return x->name;                                                                            \
    }
NUMBER(received)
NUMBER(stored)
NUMBER(pending)
NUMBER(duplicate)
NUMBER(sampled)
NUMBER(superseded)
NUMBER(live)
NUMBER(expired)
NUMBER(deleted)
NUMBER(stored_rows)
NUMBER(live_rows)

/* Counts in the order of the answer; those of the first equation have a series, too. */
static const struct {
    skep_str key;
    number_fn *of;
    bool series;
} numbers[] = {
    {SKEP_STR("received"), received, true},
    {SKEP_STR("stored"), stored, true},
    {SKEP_STR("pending"), pending, true},
    {SKEP_STR("duplicate"), duplicate, true},
    {SKEP_STR("superseded"), superseded, true},
    {SKEP_STR("sampled"), sampled, true},
    {SKEP_STR("live"), live, true},
    {SKEP_STR("expired"), expired, false},
    {SKEP_STR("deleted"), deleted, false},
    {SKEP_STR("stored_rows"), stored_rows, false},
    {SKEP_STR("live_rows"), live_rows, false},
};

static void totals(struct skep_json *json, const struct skep_ledger_line *x, size_t n)
{
    uint64_t reasons[SKEP_REJECTION_COUNT] = {0};
    int64_t difference = 0, store_difference = 0;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(numbers); i++) {
        uint64_t sum = 0;
        for (size_t k = 0; k < n; k++)
            sum += numbers[i].of(&x[k]);
        skep_json_put_u64(json, numbers[i].key, sum);
    }
    for (size_t k = 0; k < n; k++) {
        /* Differences of opposite signs do not make up for each other. */
        difference += x[k].difference < 0 ? -x[k].difference : x[k].difference;
        store_difference +=
            x[k].store_difference < 0 ? -x[k].store_difference : x[k].store_difference;
        for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++)
            reasons[r] += x[k].rejected[r];
    }
    skep_json_key(json, SKEP_STR("rejected"));
    skep_json_object(json);
    for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++)
        if (reasons[r])
            skep_json_put_u64(json, skep_rejection_name((enum skep_rejection)r), reasons[r]);
    skep_json_end(json);
    skep_json_put_i64(json, SKEP_STR("difference"), difference);
    skep_json_put_i64(json, SKEP_STR("store_difference"), store_difference);
}

static void series(struct skep_json *json, const struct skep_ledger_line *x, size_t n)
{
    skep_json_key(json, SKEP_STR("start_s"));
    skep_json_array(json);
    for (size_t k = 0; k < n; k++)
        skep_json_i64(json, x[k].start_ns / 1000000000);
    skep_json_end(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(numbers); i++) {
        if (!numbers[i].series)
            continue;
        skep_json_key(json, numbers[i].key);
        skep_json_array(json);
        for (size_t k = 0; k < n; k++)
            skep_json_u64(json, numbers[i].of(&x[k]));
        skep_json_end(json);
    }
    skep_json_key(json, SKEP_STR("rejected"));
    skep_json_array(json);
    for (size_t k = 0; k < n; k++)
        skep_json_u64(json, rejected(&x[k]));
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("difference"));
    skep_json_array(json);
    for (size_t k = 0; k < n; k++)
        skep_json_i64(json, x[k].difference);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("store_difference"));
    skep_json_array(json);
    for (size_t k = 0; k < n; k++)
        skep_json_i64(json, x[k].store_difference);
    skep_json_end(json);
}

static void source(struct skep_json *json, const struct skep_ledger_line *x, size_t n)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("source"), skep_source_name((enum skep_source)x->source));
    skep_json_put_str(json, SKEP_STR("signal"), skep_signal_name((enum skep_signal)x->signal));
    skep_json_key(json, SKEP_STR("totals"));
    skep_json_object(json);
    totals(json, x, n);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("series"));
    skep_json_object(json);
    series(json, x, n);
    skep_json_end(json);
    skep_json_end(json);
}

static void write_report(struct skep_api__job *job, const struct skep_time_range *range,
                         const struct skep_ledger_report *r)
{
    struct skep_json *json = &job->out.json;
    uint64_t differences = 0;
    for (size_t i = 0; i < r->n; i++)
        differences += r->lines[i].difference != 0 || r->lines[i].store_difference != 0;
    skep_json_object(json);
    skep_json_put_f64(json, SKEP_STR("start_s"), (double)range->start_ns / 1e9);
    skep_json_put_f64(json, SKEP_STR("end_s"), (double)range->end_ns / 1e9);
    skep_json_put_u64(json, SKEP_STR("step_s"), r->step_minutes * 60ull);
    skep_json_put_bool(json, SKEP_STR("complete"), r->unread_rows == 0);
    if (r->unread_rows > 0) {
        skep_json_put_u64(json, SKEP_STR("unread_rows"), r->unread_rows);
        skep_json_put_str(json, SKEP_STR("missing"), r->why);
    }
    skep_json_put_u64(json, SKEP_STR("differences"), differences);
    skep_json_key(json, SKEP_STR("sources"));
    skep_json_array(json);
    for (size_t i = 0, n; i < r->n; i += n) {
        n = 1;
        while (i + n < r->n && r->lines[i + n].source == r->lines[i].source &&
               r->lines[i + n].signal == r->lines[i].signal)
            n++;
        source(json, &r->lines[i], n);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    skep_json_end(json);
}

/* The source asked for; false when there is none of that name. */
static bool source_param(struct skep_request *req, int *ret)
{
    skep_str name = skep_api__param(req, SKEP_STR("source"));
    *ret = skep_str_eq(name, SKEP_STR("__all__")) ? SKEP_LEDGER_ALL : SKEP_LEDGER_NOT_SELF;
    if (name.n == 0 || *ret == SKEP_LEDGER_ALL)
        return true;
    for (int s = 1; s < SKEP_SOURCE_COUNT; s++)
        if (skep_str_eq(name, skep_source_name((enum skep_source)s)))
            *ret = s;
    return *ret != SKEP_LEDGER_NOT_SELF;
}

static void ledger(struct skep_api__job *job)
{
    struct skep_plan plan = {.range = {0}};
    struct skep_ledger_report report;
    int which;
    if (!skep_api__scope(job, &plan))
        return;
    if (!source_param(job->req, &which)) {
        skep_api__job_fail(job, &(struct skep_api__error){.status = 422,
                                                          .text = SKEP_STR("no such source"),
                                                          .field = SKEP_STR("source")});
        return;
    }
    if (skep_api__param(job->req, SKEP_STR("start")).n == 0)
        plan.range.start_ns = skep_api__now(job->api) - DAY_NS;
    if (plan.range.end_ns <= plan.range.start_ns)
        plan.range.start_ns = plan.range.end_ns - DAY_NS;
    skep_ingest_ledger(job->api->cfg.ingest, plan.range.start_ns, plan.range.end_ns, which,
                       &job->arena, &report);
    skep_api__json_begin(job, 200);
    write_report(job, &plan.range, &report);
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, ledger);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/ledger",
     .handle = handle,
     .refuse = skep_api__refuse,
     .flags = SKEP_ROUTE_WHOLE,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_ledger = {routes, SKEP_ARRAY_LEN(routes)};
