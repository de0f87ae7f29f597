// SPDX-License-Identifier: Apache-2.0
/* Asking the gate who sends a request (net/caller.h draws the moments).
 *
 *   HEAD --ask--> PASS | REFUSE | ASK_WIRE --> WIRE --ask--> PASS | REFUSE | ASK_BODY --> BODY ...
 *                               |                                                          ^
 *                               `- ASK_BODY --> BEGUN --ask--> PASS | REFUSE | ASK_BODY ---'
 *
 * A refusal at HEAD means that no byte of the body is kept, one at BEGUN that no more is.
 *
 * I1  r->gate is PASS when a handler runs.
 * I2  the gate is asked at most once a moment, and never for what it let pass.
 * Threads: the request's I/O thread; rows from any. */
#include "net/net_priv.h"

static const struct {
    int http;
    skep_rc rc;
} denials[SKEP_DENIED_COUNT] = {
    [SKEP_DENIED_NO] = {500, SKEP_EINTERNAL},
    [SKEP_DENIED_MISSING] = {401, SKEP_EUNAUTHENTICATED},
    [SKEP_DENIED_MALFORMED] = {401, SKEP_EUNAUTHENTICATED},
    [SKEP_DENIED_UNKNOWN] = {401, SKEP_EUNAUTHENTICATED},
    [SKEP_DENIED_REVOKED] = {401, SKEP_EUNAUTHENTICATED},
    [SKEP_DENIED_EXPIRED] = {401, SKEP_EUNAUTHENTICATED},
    [SKEP_DENIED_SIGNATURE] = {401, SKEP_EUNAUTHENTICATED},
    [SKEP_DENIED_CLOCK] = {401, SKEP_EUNAUTHENTICATED},
    [SKEP_DENIED_RIGHT] = {403, SKEP_EFORBIDDEN},
    [SKEP_DENIED_ENVIRONMENT] = {403, SKEP_EFORBIDDEN},
    [SKEP_DENIED_NO_ENVIRONMENT] = {404, SKEP_ENOTFOUND},
    [SKEP_DENIED_RATE] = {429, SKEP_ELIMIT},
};

int skep_denied_http(enum skep_denied why)
{
    skep_assert(why < SKEP_DENIED_COUNT);
    return denials[why].http;
}

skep_rc skep_denied_rc(enum skep_denied why)
{
    skep_assert(why < SKEP_DENIED_COUNT);
    return denials[why].rc;
}

/* Without a gate the door stands open. */
static enum skep_gate_answer open_door(struct skep_request *req)
{
    req->caller = (struct skep_caller){
        .environment = SKEP_STR("default"), .rights = SKEP_RIGHT_ALL, .whole = true};
    return SKEP_GATE_PASS;
}

static bool wanted(const struct skep_net__req *r, enum skep_gate_moment moment)
{
    switch (moment) {
    case SKEP_GATE_HEAD: return true;
    case SKEP_GATE_WIRE: return r->gate == SKEP_GATE_ASK_WIRE;
    case SKEP_GATE_BEGUN:
    case SKEP_GATE_BODY: return r->gate == SKEP_GATE_ASK_BODY;
    case SKEP_GATE_MOMENTS:
    default: skep_unreachable("moment");
    }
}

void skep_net__gate_ask(struct skep_net__req *r, enum skep_gate_moment moment)
{
    const struct skep_gate *gate = &r->net->cfg.gate;
    skep_str message = SKEP_STR("");
    skep_bytes wire = {0};
    if (!wanted(r, moment))
        return;
    if (moment == SKEP_GATE_WIRE || moment == SKEP_GATE_BEGUN)
        wire = (skep_bytes){r->wire.p, r->wire.n};
    r->gate =
        gate->ask ? gate->ask(gate->ctx, &r->pub, moment, wire, &message) : open_door(&r->pub);
    skep_assert(moment != SKEP_GATE_BODY || r->gate <= SKEP_GATE_REFUSE);
    skep_assert(moment == SKEP_GATE_HEAD || r->gate != SKEP_GATE_ASK_WIRE);
    skep_assert(r->gate != SKEP_GATE_PASS || r->pub.caller.environment.n > 0);
    if (r->gate != SKEP_GATE_REFUSE)
        return;
    enum skep_denied why = r->pub.denial.why;
    skep_assert(why != SKEP_DENIED_NO);
    skep_net__count(r->net, refused_key, 1);
    skep_net__req_refuse(r, skep_denied_http(why), skep_denied_rc(why), message);
}

void skep_request_rows(const struct skep_request *req, uint64_t n)
{
    const struct skep_net__req *r = (const struct skep_net__req *)(const void *)req;
    skep_assert(r->magic == SKEP_NET__REQ_MAGIC);
    if (r->net->cfg.gate.rows)
        r->net->cfg.gate.rows(r->net->cfg.gate.ctx, req, n);
}
