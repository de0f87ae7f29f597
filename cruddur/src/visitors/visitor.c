// SPDX-License-Identifier: Apache-2.0
/* visitor.c - visitors as threads, each with a connection of its own; see visitor.h
 *
 * A visitor makes its n-th request at its turn of the common pace, or as soon as the last one was
 * answered. A server that is away is waited for.
 *
 * Threads: one a visitor; flags are atomic. Memory: an answer at a time. */
#include "visitors/visitor.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "visitors/script.h"

enum {
    PEOPLE_MAX = 64,
    TIMEOUT_MS = 20000,
    AWAY_MS = 500,
    STEP_MS = 100,
    ANSWER_BYTES_MAX = 1 << 20
};

static atomic_bool stopping, slow, errors;

struct visitor {
    const struct plan *plan;
    unsigned n;
    double began;
    CURL *curl;
    char *answer;
    size_t answer_n;
    uint64_t done, failed, away; /* requests; of them 5xx; without an answer */
};

void visitors_toggle_slow(void)
{
    atomic_store(&slow, !atomic_load(&slow));
}

void visitors_toggle_errors(void)
{
    atomic_store(&errors, !atomic_load(&errors));
}

void visitors_stop(void)
{
    atomic_store(&stopping, true);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); // this clock is always there
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Waits until a moment, or until all stop. */
static void wait_until(double when)
{
    for (double left; (left = when - now()) > 0 && !atomic_load(&stopping);) {
        long ms = left * 1000 < STEP_MS ? (long)(left * 1000) + 1 : STEP_MS;
        (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); // or until a signal
    }
}

static size_t collect(char *piece, size_t size, size_t n, void *self)
{
    struct visitor *v = self;
    size_t bytes = size * n;
    char *grown =
        v->answer_n + bytes <= ANSWER_BYTES_MAX ? realloc(v->answer, v->answer_n + bytes) : NULL;
    if (grown == NULL)
        return 0; // libcurl gives up
    memcpy(grown + v->answer_n, piece, bytes);
    v->answer = grown;
    v->answer_n += bytes;
    return bytes;
}

static struct curl_slist *header(struct curl_slist *list, const char *name, const char *value)
{
    char line[512];
    snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(list, line);
    return longer != NULL ? longer : list;
}

/* Carries out one action. Returns the answer's status; 0: there was none. */
static long carry_out(struct visitor *v, const struct action *action)
{
    char url[512];
    long status = 0;
    struct curl_slist *headers = header(NULL, "baggage", action->baggage);
    snprintf(url, sizeof url, "%s%s", v->plan->url, action->path);
    v->answer_n = 0;
    curl_easy_reset(v->curl); // the connection stays
    (void)curl_easy_setopt(v->curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(v->curl, CURLOPT_USERAGENT, action->agent);
    (void)curl_easy_setopt(v->curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    (void)curl_easy_setopt(v->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(v->curl, CURLOPT_WRITEFUNCTION, collect);
    (void)curl_easy_setopt(v->curl, CURLOPT_WRITEDATA, v);
    if (action->body[0] != '\0') {
        headers = header(headers, "Content-Type", "application/json");
        (void)curl_easy_setopt(v->curl, CURLOPT_POSTFIELDS, action->body);
    }
    (void)curl_easy_setopt(v->curl, CURLOPT_HTTPHEADER, headers);
    if (curl_easy_perform(v->curl) == CURLE_OK)
        (void)curl_easy_getinfo(v->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    return status;
}

static struct spells spells_at(const struct plan *plan, double seconds)
{
    return (struct spells){
        .slow = atomic_load(&slow) ||
                (plan->slow_from >= 0 && seconds >= plan->slow_from && seconds < plan->slow_until),
        .errors = atomic_load(&errors) || (plan->errors_from >= 0 && seconds >= plan->errors_from &&
                                           seconds < plan->errors_until)};
}

static void *visit(void *self)
{
    struct visitor *v = self;
    const struct plan *plan = v->plan;
    struct script script;
    struct action action;
    double step = plan->rate > 0 ? plan->people / plan->rate : 0;
    script_init(&script, plan->seed, v->n);
    for (uint64_t i = 0; !atomic_load(&stopping) && (plan->count == 0 || i < plan->count); i++) {
        if (step > 0)
            wait_until(v->began + step * ((double)i + (double)v->n / plan->people));
        struct spells spells = spells_at(plan, now() - v->began);
        script_next(&script, &spells, &action);
        long status = carry_out(v, &action);
        if (status == 200 && strcmp(action.path, "/api/activities/home") == 0)
            script_saw(&script, v->answer, v->answer_n);
        v->done++;
        v->failed += status >= 500;
        v->away += status == 0;
        if (status == 0)
            wait_until(now() + AWAY_MS / 1000.0);
    }
    return NULL;
}

bool visitors_run(const struct plan *plan)
{
    static struct visitor visitors[PEOPLE_MAX];
    static pthread_t threads[PEOPLE_MAX];
    uint64_t done = 0;
    uint64_t failed = 0;
    uint64_t away = 0;
    unsigned n = 0;
    double began = now();
    for (; n < plan->people && n < PEOPLE_MAX; n++) {
        visitors[n] =
            (struct visitor){.plan = plan, .n = n, .began = began, .curl = curl_easy_init()};
        if (visitors[n].curl == NULL || pthread_create(&threads[n], NULL, visit, &visitors[n]) != 0)
            break;
    }
    for (unsigned i = 0; i < n; i++) {
        (void)pthread_join(threads[i], NULL); // ours, and joined once
        done += visitors[i].done;
        failed += visitors[i].failed;
        away += visitors[i].away;
        curl_easy_cleanup(visitors[i].curl);
        free(visitors[i].answer);
    }
    printf("cruddur-visitors: %llu requests, %llu failed, %llu without an answer\n",
           (unsigned long long)done, (unsigned long long)failed, (unsigned long long)away);
    return n == plan->people && (done == 0 || away < done);
}
