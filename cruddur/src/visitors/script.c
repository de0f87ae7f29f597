// SPDX-License-Identifier: Apache-2.0
/* script.c - the visitors' habits, by tables; see script.h
 *
 * Threads: one a script. Memory: none. */
#include "visitors/script.h"

#include <stdio.h>
#include <string.h>

#include "people.h"

static const char *const clients[][3] = {
    {"web", "Mozilla/5.0", ""}, {"ios", "Cruddur-iOS", "/"}, {"android", "Cruddur-Android", "/"}};
static const char *const versions[] = {"2.0.4", "2.1.0", "2.1.1"};
static const char *const regions[] = {"ca-central-1", "eu-west-1", "us-east-1"};
static const char *const terms[] = {"cloud", "honor", "prune juice", "tailor", "nothing at all"};
static const char *const texts[] = {"Cloud is very fun!",
                                    "Today is a good day to die",
                                    "Prune juice, a warrior's drink",
                                    "Tailor to the stars",
                                    "I have reviewed the logs",
                                    "Who broke the build?",
                                    "Traces or it did not happen",
                                    "My span is longer than yours",
                                    "Gr\\u00fc\\u00dfe from the edge"};
static const char *const ttls[] = {"30-days", "7-days", "1-day", "1-hour"};

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof *(array)))

/* splitmix64: small, and good enough for habits. */
static uint64_t next(struct script *script)
{
    uint64_t z = script->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned below(struct script *script, unsigned n)
{
    return (unsigned)(((next(script) >> 32) * n) >> 32);
}

void script_init(struct script *ret_script, uint64_t seed, unsigned n)
{
    *ret_script = (struct script){.state = seed * UINT64_C(1000003) + n};
}

/* --- the kinds of requests ---------------------------------------------------------------------
 */

static void get(struct action *action, const char *path)
{
    action->method = "GET";
    snprintf(action->path, sizeof action->path, "%s", path);
}

static void home(struct script *script, struct action *action)
{
    (void)script;
    get(action, "/api/activities/home");
}

static void profile(struct script *script, struct action *action)
{
    action->method = "GET";
    snprintf(action->path, sizeof action->path, "/api/activities/@%s",
             people[below(script, (unsigned)people_n)].handle);
}

static void notifications(struct script *script, struct action *action)
{
    (void)script;
    get(action, "/api/activities/notifications");
}

static void search(struct script *script, struct action *action)
{
    const char *term = terms[below(script, COUNT(terms))];
    get(action, "/api/activities/search?term=");
    for (size_t n = strlen(action->path); *term != '\0'; term++, n++) {
        action->path[n] = *term == ' ' ? '+' : *term;
        action->path[n + 1] = '\0';
    }
}

static void groups(struct script *script, struct action *action)
{
    (void)script;
    get(action, "/api/message_groups");
}

static void messages(struct script *script, struct action *action)
{
    action->method = "GET";
    snprintf(action->path, sizeof action->path, "/api/messages/@%s",
             people[below(script, (unsigned)people_n)].handle);
}

static void post(struct script *script, struct action *action)
{
    action->method = "POST";
    snprintf(action->path, sizeof action->path, "/api/activities");
    snprintf(action->body, sizeof action->body, "{\"message\":\"%s\",\"ttl\":\"%s\"}",
             texts[below(script, COUNT(texts))], ttls[below(script, COUNT(ttls))]);
}

static void reply(struct script *script, struct action *action)
{
    if (script->post[0] == '\0') {
        home(script, action);
        return;
    }
    action->method = "POST";
    snprintf(action->path, sizeof action->path, "/api/activities/%s/reply", script->post);
    snprintf(action->body, sizeof action->body, "{\"message\":\"%s\"}",
             texts[below(script, COUNT(texts))]);
}

static void message(struct script *script, struct action *action)
{
    action->method = "POST";
    snprintf(action->path, sizeof action->path, "/api/messages");
    snprintf(action->body, sizeof action->body,
             "{\"message\":\"%s\",\"user_receiver_handle\":\"%s\"}",
             texts[below(script, COUNT(texts))], people[below(script, (unsigned)people_n)].handle);
}

/* What people get wrong. */
static void mistype(struct script *script, struct action *action)
{
    static const char *const paths[] = {"/api/activities/search?term=", "/api/activities/search",
                                        "/api/activites/home", "/api/activities/0"};
    static const char *const bodies[] = {"{\"message\":\"\",\"ttl\":\"7-days\"}",
                                         "{\"message\":\"forever\",\"ttl\":\"always\"}",
                                         "{\"message\":\"no end\"}", "{\"message\":"};
    unsigned which = below(script, COUNT(paths) + COUNT(bodies));
    if (which < COUNT(paths)) {
        get(action, paths[which]);
        return;
    }
    action->method = "POST";
    snprintf(action->path, sizeof action->path, "/api/activities");
    snprintf(action->body, sizeof action->body, "%s", bodies[which - COUNT(paths)]);
}

static const struct {
    unsigned weight; /* of 100 */
    void (*make)(struct script *script, struct action *action);
} habits[] = {{38, home},    {12, profile}, {8, notifications}, {12, search}, {5, groups},
              {5, messages}, {7, post},     {6, reply},         {3, message}, {4, mistype}};

/* --- who does it -------------------------------------------------------------------------------
 */

static void somebody_else(struct script *script)
{
    script->person = below(script, (unsigned)people_n);
    script->client = below(script, COUNT(clients));
    script->version = below(script, COUNT(versions));
    script->region = below(script, COUNT(regions));
    script->left = 5 + below(script, 20);
}

static bool is_reading(const struct action *action)
{
    return strcmp(action->path, "/api/activities/home") == 0 ||
           strncmp(action->path, "/api/activities/search", strlen("/api/activities/search")) == 0;
}

static const char *trouble(const struct script *script, const struct spells *spells,
                           const struct action *action)
{
    bool reads = is_reading(action);
    const char *client = clients[script->client][0];
    if (spells->slow && reads && strcmp(client, "ios") == 0 &&
        strcmp(versions[script->version], "2.1.0") == 0)
        return ",cruddur.trouble=slow";
    if (spells->errors && reads && strcmp(client, "android") == 0)
        return ",cruddur.trouble=error";
    return "";
}

void script_next(struct script *script, const struct spells *spells, struct action *ret_action)
{
    if (script->left == 0)
        somebody_else(script);
    script->left--;
    *ret_action = (struct action){.method = "GET"};
    unsigned at = below(script, 100);
    size_t i = 0;
    while (i + 1 < COUNT(habits) && at >= habits[i].weight)
        at -= habits[i++].weight;
    habits[i].make(script, ret_action);
    const char *const *client = clients[script->client];
    const char *version = versions[script->version];
    snprintf(ret_action->agent, sizeof ret_action->agent, "%s%s%s", client[1], client[2],
             client[2][0] != '\0' ? version : "");
    snprintf(ret_action->baggage, sizeof ret_action->baggage,
             "user.handle=%s,app.client=%s,app.version=%s,app.region=%s%s",
             people[script->person].handle, client[0], version, regions[script->region],
             trouble(script, spells, ret_action));
}

void script_saw(struct script *script, const char *answer, size_t n)
{
    static const char key[] = "\"reply_to_activity_uuid\":\"";
    static const char uuid_key[] = "\"uuid\":\"";
    const char *at = memmem(answer, n, key, sizeof key - 1);
    size_t skip = sizeof key - 1;
    if (at == NULL) {
        at = memmem(answer, n, uuid_key, sizeof uuid_key - 1);
        skip = sizeof uuid_key - 1;
    }
    if (at == NULL || n - (size_t)(at - answer) < skip + 36)
        return;
    memcpy(script->post, at + skip, 36);
    script->post[36] = '\0';
    if (strspn(script->post, "0123456789abcdef-") != 36)
        script->post[0] = '\0';
}
