// SPDX-License-Identifier: Apache-2.0
/* xray_poll.c - the thread that asks for sampling rules; see xray_poll.h
 *
 * Whoever is asked may be away: then the rules stay as they are, standard error is told once, and
 * it is asked again after 10 s.
 *
 * Threads: one of its own. Memory: an answer at a time. */
#include "xray_poll.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "outgoing.h"

enum { URL_BYTES = 300, ROUND_S = 10, RULES_S = 300, TIMEOUT_MS = 2000 };

struct xray_poll {
    struct xray_rules *rules;
    char url[URL_BYTES];
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t stopped;
    bool stopping; /* mu */
    int64_t rules_at_s;
    bool told;
};

static bool ask(struct xray_poll *poll, const char *path, const char *json,
                struct outgoing_answer *ret_answer)
{
    char url[URL_BYTES + 32];
    snprintf(url, sizeof url, "%s%s", poll->url, path);
    bool ok = outgoing_post(url, json, TIMEOUT_MS, NULL, ret_answer) && ret_answer->status == 200 &&
              ret_answer->body != NULL;
    if (!ok && !poll->told)
        fprintf(stderr, "cruddur: no sampling rules from %s: %s; a few requests are sampled\n",
                poll->url, ret_answer->status == 0 ? ret_answer->error : "refused");
    poll->told = !ok;
    return ok;
}

static void ask_rules(struct xray_poll *poll, int64_t now_s)
{
    struct outgoing_answer answer;
    if (ask(poll, "/GetSamplingRules", "{}", &answer) &&
        xray_rules_take(poll->rules, answer.body, answer.body_n))
        poll->rules_at_s = now_s;
    free(answer.body);
}

static void ask_targets(struct xray_poll *poll, int64_t now_s)
{
    struct outgoing_answer answer;
    int64_t modified = 0;
    char *counts = xray_rules_count(poll->rules, now_s);
    if (counts == NULL)
        return;
    if (ask(poll, "/SamplingTargets", counts, &answer) &&
        xray_rules_take_targets(poll->rules, answer.body, answer.body_n, &modified) &&
        modified > poll->rules_at_s)
        poll->rules_at_s = 0; // the next round asks for them
    free(answer.body);
    free(counts);
}

/* Waits for the next round. False: the end. */
static bool wait_round(struct xray_poll *poll)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until); // this clock is always there
    until.tv_sec += ROUND_S;
    (void)pthread_mutex_lock(&poll->mu); // plain mutexes that are ours do not fail
    while (!poll->stopping && pthread_cond_timedwait(&poll->stopped, &poll->mu, &until) == 0) {
    }
    bool stopping = poll->stopping;
    (void)pthread_mutex_unlock(&poll->mu);
    return !stopping;
}

static void *run(void *self)
{
    struct xray_poll *poll = self;
    do {
        int64_t now_s = (int64_t)time(NULL);
        ask_targets(poll, now_s);
        if (now_s - poll->rules_at_s >= RULES_S)
            ask_rules(poll, now_s);
    } while (wait_round(poll));
    return NULL;
}

struct xray_poll *xray_poll_start(struct xray_rules *rules, const char *address)
{
    const char *tcp = strstr(address, "tcp:");
    const char *from = tcp != NULL ? tcp + strlen("tcp:") : address;
    struct xray_poll *poll = calloc(1, sizeof *poll);
    if (poll == NULL)
        return NULL;
    poll->rules = rules;
    snprintf(poll->url, sizeof poll->url, "http://%.*s", (int)strcspn(from, " "), from);
    (void)pthread_mutex_init(&poll->mu, NULL); // neither fails with these attributes
    (void)pthread_cond_init(&poll->stopped, NULL);
    if (pthread_create(&poll->thread, NULL, run, poll) == 0)
        return poll;
    free(poll);
    return NULL;
}

void xray_poll_stop(struct xray_poll *poll)
{
    if (poll == NULL)
        return;
    (void)pthread_mutex_lock(&poll->mu);
    poll->stopping = true;
    (void)pthread_cond_signal(&poll->stopped);
    (void)pthread_mutex_unlock(&poll->mu);
    (void)pthread_join(poll->thread, NULL); // ends within one request's timeout
    (void)pthread_mutex_destroy(&poll->mu);
    (void)pthread_cond_destroy(&poll->stopped);
    free(poll);
}
