// SPDX-License-Identifier: Apache-2.0
/* routes.h - which view answers which method and path */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct request;

typedef void view_fn(struct request *request);

/* One row: what Flask's @app.route says. */
struct route {
    const char *method;  /* "GET", "POST"; GET answers HEAD, too */
    const char *pattern; /* at most one {name}, which stands for one or more bytes but '/' */
    view_fn *view;
    const char *capture; /* the X-Ray subsegment around the view; NULL: none */
};

extern const struct route routes[];
extern const size_t routes_n;

/* The route of a method and a decoded path. What stands for {name} is written to ret_param (cap
 * bytes with the NUL; a longer one is no match).
 * Returns the route; NULL, with the methods of the path in *ret_allowed (0 or more of
 * ROUTE_GET, ROUTE_POST), if there is none. */
enum { ROUTE_GET = 1, ROUTE_POST = 2 };
const struct route *route_find(const char *method, const char *path, char *ret_param, size_t cap,
                               unsigned *ret_allowed);

/* "GET, HEAD, OPTIONS" for a set of methods: the Allow header. */
const char *route_allow(unsigned allowed);
