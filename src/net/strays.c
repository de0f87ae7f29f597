// SPDX-License-Identifier: Apache-2.0
/* Requests that no route takes: which paths senders try.
 *
 * A small table of the newest distinct "METHOD path" with a count each, for the status and for
 * `skep doctor`: a sender with a wrong path sees its 404, the one who looks at the server does not.
 * What only reads (GET, HEAD, OPTIONS) is no sender and is left out.
 *
 * I1  texts are of the bytes that `shown` lets through, cut to fit.
 *
 * Threads: any.  Locks: its own, a leaf.  Memory: fixed. */
#include "net/net_priv.h"

#include <stdio.h>

static void lock(struct skep_net *net)
{
    int rc = pthread_mutex_lock(&net->strays_mu);
    skep_assert(rc == 0);
}

static void unlock(struct skep_net *net)
{
    int rc = pthread_mutex_unlock(&net->strays_mu);
    skep_assert(rc == 0);
}

void skep_net__stray(struct skep_net *net, skep_str method, skep_str path)
{
    static const skep_str readers[] = {SKEP_STR_INIT("GET"), SKEP_STR_INIT("HEAD"),
                                       SKEP_STR_INIT("OPTIONS")};
    struct skep_net_stray fresh = {.times = 1};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(readers); i++)
        if (skep_str_eq(method, readers[i]))
            return;
    (void)snprintf(fresh.what, sizeof fresh.what, "%.*s %.*s", (int)SKEP_MIN(method.n, 16u),
                   method.p, (int)SKEP_MIN(path.n, sizeof fresh.what), path.p ? path.p : "");
    lock(net);
    unsigned i = 0, last = net->n_strays < SKEP_NET_STRAYS ? net->n_strays : SKEP_NET_STRAYS - 1;
    while (i < net->n_strays && memcmp(net->strays[i].what, fresh.what, sizeof fresh.what) != 0)
        i++;
    if (i < net->n_strays)
        fresh.times = net->strays[i].times + 1;
    else
        i = last; /* the one that was seen longest ago makes room */
    memmove(net->strays + 1, net->strays, i * sizeof fresh);
    net->strays[0] = fresh;
    net->n_strays = SKEP_MAX(net->n_strays, i + 1);
    unlock(net);
}

unsigned skep_net_strays(struct skep_net *net, struct skep_net_stray ret[SKEP_NET_STRAYS])
{
    lock(net);
    unsigned n = net->n_strays;
    memcpy(ret, net->strays, n * sizeof *ret);
    unlock(net);
    skep_assert(n <= SKEP_NET_STRAYS);
    return n;
}
