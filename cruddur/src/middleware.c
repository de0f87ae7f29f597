// SPDX-License-Identifier: Apache-2.0
/* middleware.c - the order of middleware; see middleware.h
 *
 * Threads: the request's. Memory: none. */
#include "middleware.h"

/* The server span is outermost, so that the log lines and errors of all others are its. */
static const struct middleware *const table[] = {
    &middleware_otel, &middleware_xray, &middleware_user,
    &middleware_log,  &middleware_cors, &middleware_fault,
};
enum { N = sizeof table / sizeof *table };

void middleware_before(struct request *request)
{
    for (size_t i = 0; i < N; i++)
        if (table[i]->before != NULL)
            table[i]->before(request);
}

void middleware_after(struct request *request)
{
    for (size_t i = N; i-- > 0;)
        if (table[i]->after != NULL)
            table[i]->after(request);
}

void middleware_gone(struct request *request)
{
    for (size_t i = N; i-- > 0;)
        if (table[i]->gone != NULL)
            table[i]->gone(request);
}
