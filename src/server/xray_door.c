// SPDX-License-Identifier: Apache-2.0
/* Unsigned calls on the X-Ray daemon's TCP port.
 *
 *   listener is the daemon's, no Authorization, sender in --xray-allow,
 *   the route takes AWS signatures and writes (segments, telemetry, sampling)
 *       -> pass: rights to write, environment --xray-environment
 *   the daemon's listener, without TLS where it is required elsewhere, and another route
 *       -> refused: the port is there for SDKs that know no TLS, not as a way around it
 *   anything else -> the inner gate
 *
 * Threads: any; nothing changes after start.  Memory: none of its own. */
#include "server/xray_door.h"

#include "base/assert.h"

void skep_xray_door_init(struct skep_xray_door *d, const struct skep_config *cfg,
                         struct skep_arena *arena, const struct skep_gate *inner)
{
    *d = (struct skep_xray_door){.first = cfg->listen.n + cfg->grpc.n,
                                 .n = cfg->xray.n,
                                 .tls_alone = cfg->tls.cert && !cfg->tls.allow_plain,
                                 .open = !cfg->auth_keys,
                                 .environment = skep_str_c(cfg->xray_environment),
                                 .n_allow = cfg->xray_allow.n,
                                 .inner = *inner};
    d->allow = skep_new_n(arena, struct skep_cidr, cfg->xray_allow.n + 1);
    for (unsigned i = 0; i < d->n_allow; i++) {
        skep_rc rc = skep_cidr_parse(skep_str_c(cfg->xray_allow.items[i]), &d->allow[i], NULL);
        skep_assert(rc == SKEP_OK); /* config.c has read it */
    }
}

/* Did the request come to this listener? One on all addresses ("0.0.0.0:2000", "[::]:2000") has
 * those that come to its port at any: a connection knows its own address alone. */
static bool came_to(const struct skep_request *req, skep_str address)
{
    static const skep_str all[] = {SKEP_STR_INIT("0.0.0.0"), SKEP_STR_INIT("[::]")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        if (skep_str_starts(address, all[i]))
            return skep_str_ends(req->listener, skep_str_skip(address, all[i].n));
    return skep_str_eq(req->listener, address);
}

static bool is_daemons(const struct skep_xray_door *d, const struct skep_request *req)
{
    for (unsigned i = 0; i < d->n; i++)
        if (came_to(req, skep_net_address(d->net, d->first + i)))
            return true;
    return false;
}

static enum skep_gate_answer ask(void *ctx, struct skep_request *req, enum skep_gate_moment moment,
                                 skep_bytes wire, skep_str *ret_message)
{
    const struct skep_xray_door *d = ctx;
    bool route = req->route->right == SKEP_RIGHT_INGEST && req->route->form == SKEP_FORM_SIGV4;
    bool sdk = route && skep_request_header(req, SKEP_STR("authorization")).n == 0;
    if (d->tls_alone && !req->tls && !route) { /* net takes it on the daemon's listeners alone */
        req->denial.why = SKEP_DENIED_RIGHT;
        *ret_message =
            SKEP_STR("without TLS this port takes the X-Ray SDKs' calls alone: use https");
        return SKEP_GATE_REFUSE;
    }
    if (d->open || !sdk || !is_daemons(d, req) ||
        !skep_cidr_contains_peer(d->allow, d->n_allow, req->peer))
        return d->inner.ask(d->inner.ctx, req, moment, wire, ret_message);
    req->caller = (struct skep_caller){.environment = d->environment, .rights = SKEP_RIGHT_INGEST};
    return SKEP_GATE_PASS;
}

static void rows(void *ctx, const struct skep_request *req, uint64_t n)
{
    const struct skep_xray_door *d = ctx;
    if (d->inner.rows)
        d->inner.rows(d->inner.ctx, req, n);
}

struct skep_gate skep_xray_door_gate(struct skep_xray_door *d)
{
    return (struct skep_gate){.ctx = d, .ask = ask, .rows = rows};
}
