// SPDX-License-Identifier: Apache-2.0
/* user.c - who is asking, and whether the request is to have trouble
 *
 * There is no login. A caller may say who it is in W3C baggage, which travels with the trace:
 *
 *   baggage: user.handle=worf,app.client=ios,app.version=1.4.2,cruddur.trouble=slow
 *
 * What it says becomes attributes of the server span. `cruddur.trouble` is heard with --trouble
 * alone: slow, or error. With --bootcamp everybody is the course's one user.
 *
 * Threads: the request's. Memory: none. */
#include <string.h>

#include "middleware.h"

static bool is(const waggle_baggage_entry *entry, const char *word)
{
    return entry->value_n == strlen(word) && memcmp(entry->value, word, entry->value_n) == 0;
}

/* What is told of the caller on the server span, as it was said. */
static void describe(const struct request *request, const struct waggle_baggage *baggage)
{
    static const char *const names[] = {"app.client", "app.version", "app.region"};
    waggle_baggage_entry entry;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (waggle_baggage_find(baggage, names[i], &entry))
            waggle_span_set_kv(request->span, waggle_kv_strn(names[i], entry.value, entry.value_n));
}

static void before(struct request *request)
{
    const struct config *config = request->service->config;
    const char *header = config->bootcamp ? NULL : request_header(request, "baggage");
    struct waggle_baggage *baggage =
        header != NULL ? waggle_baggage_parse(header, strlen(header)) : NULL;
    waggle_baggage_entry entry;
    request->user = &people[0];
    if (baggage == NULL)
        return;
    describe(request, baggage);
    if (waggle_baggage_find(baggage, "user.handle", &entry)) {
        const struct person *known = people_find(entry.value, entry.value_n);
        request->says_user = known != NULL;
        request->user = known != NULL ? known : request->user;
    }
    if (config->trouble && waggle_baggage_find(baggage, "cruddur.trouble", &entry)) {
        request->slow = is(&entry, "slow");
        request->failing = is(&entry, "error");
    }
    waggle_baggage_unref(baggage);
}

const struct middleware middleware_user = {.name = "user", .before = before};
