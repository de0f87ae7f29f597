// SPDX-License-Identifier: Apache-2.0
/* The X-Ray daemon's TCP port takes some calls without a key: the SDKs have none. */
#pragma once

#include "net/cidr.h"
#include "net/net.h"
#include "server/config.h"

struct skep_xray_door {
    const struct skep_net *net;
    unsigned first, n; /* listeners of net that are the daemon's */
    bool tls_alone;    /* but for the SDKs' calls there: what comes without TLS is refused */
    bool open;         /* without keys everybody may do anything: the inner gate alone decides */
    skep_str environment;
    struct skep_cidr *allow;
    unsigned n_allow;
    struct skep_gate inner;
};

/* Fill from the configuration, whose ranges were checked; texts and ranges in the arena. */
void skep_xray_door_init(struct skep_xray_door *d, const struct skep_config *cfg,
                         struct skep_arena *arena, const struct skep_gate *inner);
/* The gate in front of `inner`.  d->net is set before a request comes. */
struct skep_gate skep_xray_door_gate(struct skep_xray_door *d);
