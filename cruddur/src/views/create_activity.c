// SPDX-License-Identifier: Apache-2.0
/* create_activity.c - POST /api/activities {message, ttl}
 *
 * Homework: a span create-activity with app.user_handle, around work of 50 to 500 ms; an X-Ray
 * subsegment "Create Activity" with an annotation and metadata. */
#include <stdlib.h>
#include <time.h>

#include "backend.h"
#include "input.h"
#include "log.h"
#include "outgoing.h"
#include "random.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

enum { MESSAGE_MAX = 280, WORK_MS_MIN = 50, WORK_MS_MAX = 500, ANNOUNCE_MS = 2000 };

static void work(void)
{
    uint32_t ms = WORK_MS_MIN + random_below(WORK_MS_MAX - WORK_MS_MIN + 1);
    struct timespec left = {.tv_nsec = (long)ms * 1000000};
    while (ms > 0 && nanosleep(&left, &left) != 0) {
    }
}

/* Tells whoever is to hear of new posts. That it is away is no trouble of the post's. */
static void announce(struct request *request, struct xray_segment *segment, const char *json)
{
    struct outgoing_answer answer;
    const char *url = request->service->config->announce_url;
    if (url == NULL || request->reply.status != 200)
        return;
    struct outgoing_trace trace = {.otel = true, .xray = segment, .name = "announcements"};
    if (!outgoing_post(url, json, ANNOUNCE_MS, &trace, &answer))
        log_line(WAGGLE_WARN, "not announced: %s", answer.error);
    free(answer.body);
}

static void create(struct request *request, const struct draft *draft)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *answer = request->service->backend->create_activity(request, doc, draft);
    if (answer != NULL)
        reply_json(request, 200, answer);
    yyjson_mut_doc_free(doc);
}

static void create_traced(struct request *request, const struct draft *draft)
{
    char now[WHEN_TEXT_BYTES];
    const struct person *user = request->user;
    waggle_span span = waggle_span_start(
        waggle_tracer_get("create.activity", NULL), "create-activity",
        &(waggle_span_opts){.attributes = WAGGLE_ATTRS(
                                waggle_kv_str("app.now", when_text(draft->now_us, false, now)),
                                waggle_kv_str("app.user_handle", user->handle))});
    WAGGLE_SPAN_SCOPE(span);
    struct xray_segment *segment = xray_begin(request->segment, "Create Activity");
    xray_annotate(segment, "user_handle", user->handle);
    xray_metadata(segment, "activity_attributes", "metadata",
                  WAGGLE_ATTRS(waggle_kv_str("created_by", user->handle),
                               waggle_kv_str("display_name", user->display_name)));
    work();
    create(request, draft);
    announce(request, segment, request->reply.body);
    xray_end(segment);
    waggle_span_end(span);
}

/* Homework: Rollbar hears of wrong and missing input. */
static void refuse(struct request *request, const char *wrong)
{
    if (!request->service->config->bootcamp)
        log_report(WAGGLE_WARN, wrong,
                   WAGGLE_ATTRS(waggle_kv_str("http.request.method", request->method),
                                waggle_kv_str("url.full", request->path),
                                waggle_kv_str("user.id", request->user->handle)));
    reply_invalid(request, wrong);
}

void view_create_activity(struct request *request)
{
    struct input input;
    if (!input_open(request, &input))
        return;
    struct draft draft = {.now_us = when_now(), .message = input_text(request, &input, "message")};
    draft.ttl_us = when_ttl(input_text(request, &input, "ttl"));
    const char *wrong = input_check_message(draft.message, MESSAGE_MAX);
    if (wrong == NULL && draft.ttl_us < 0)
        wrong = "ttl_blank";
    if (wrong != NULL)
        refuse(request, wrong);
    else if (request->service->config->bootcamp)
        create(request, &draft);
    else
        create_traced(request, &draft);
    input_done(&input);
}
