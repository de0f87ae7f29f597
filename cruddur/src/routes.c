// SPDX-License-Identifier: Apache-2.0
/* routes.c - the table of routes; see routes.h
 *
 * A new route is a file in views/, a line in views.h and a row here. Rows are tried in order: a
 * fixed path stands before a pattern that would match it, too.
 *
 * Threads: any. Memory: constants. */
#include "routes.h"

#include <string.h>

#include "views/views.h"

const struct route routes[] = {
    {"GET", "/api/health-check", view_health_check, NULL},
    {"GET", "/api/activities/home", view_home, "activities_home"},
    {"GET", "/api/activities/notifications", view_notifications, NULL},
    {"GET", "/api/activities/search", view_search, NULL},
    {"GET", "/api/activities/@{handle}", view_profile, "activities_users"},
    {"GET", "/api/activities/@", view_profile, "activities_users"},
    {"GET", "/api/activities/{uuid}", view_show_activity, "activities_show"},
    {"POST", "/api/activities", view_create_activity, NULL},
    {"POST", "/api/activities/{uuid}/reply", view_create_reply, NULL},
    {"GET", "/api/message_groups", view_message_groups, NULL},
    {"GET", "/api/messages/@{handle}", view_messages, NULL},
    {"POST", "/api/messages", view_create_message, NULL},
    {"GET", "/rollbar/test", view_rollbar_test, NULL},
};
const size_t routes_n = sizeof routes / sizeof *routes;

static bool matches(const char *pattern, const char *path, char *ret_param, size_t cap)
{
    size_t before = strcspn(pattern, "{");
    ret_param[0] = '\0';
    if (pattern[before] == '\0')
        return strcmp(pattern, path) == 0;
    const char *after = strchr(pattern, '}') + 1;
    size_t path_n = strlen(path);
    size_t after_n = strlen(after);
    if (path_n <= before + after_n || strncmp(pattern, path, before) != 0 ||
        strcmp(path + path_n - after_n, after) != 0)
        return false;
    size_t n = path_n - before - after_n;
    if (n >= cap || memchr(path + before, '/', n) != NULL)
        return false;
    memcpy(ret_param, path + before, n);
    ret_param[n] = '\0';
    return true;
}

const struct route *route_find(const char *method, const char *path, char *ret_param, size_t cap,
                               unsigned *ret_allowed)
{
    bool head = strcmp(method, "HEAD") == 0;
    *ret_allowed = 0;
    for (size_t i = 0; i < routes_n; i++) {
        if (!matches(routes[i].pattern, path, ret_param, cap))
            continue;
        if (strcmp(routes[i].method, head ? "GET" : method) == 0)
            return &routes[i];
        *ret_allowed |= strcmp(routes[i].method, "GET") == 0 ? ROUTE_GET : ROUTE_POST;
    }
    return NULL;
}

const char *route_allow(unsigned allowed)
{
    static const char *const texts[] = {"", "GET, HEAD, OPTIONS", "POST, OPTIONS",
                                        "GET, HEAD, POST, OPTIONS"};
    return texts[allowed & (ROUTE_GET | ROUTE_POST)];
}
