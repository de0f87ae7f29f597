// SPDX-License-Identifier: Apache-2.0
/* What is asked of the client itself, beside a key: not to ask too often, and a certificate where
 * the server wants one.
 *
 * Asked when the route is known, so that a refusal has the form of the route's API.
 *
 * Threads: the connection's I/O thread. */
#include "net/net_priv.h"

static bool needs_certificate(const struct skep_net__req *r)
{
    switch (r->net->cfg.tls.client_cert) {
    case SKEP_CLIENT_CERT_OFF: return false;
    case SKEP_CLIENT_CERT_INGEST: return r->match.route->right == SKEP_RIGHT_INGEST;
    case SKEP_CLIENT_CERT_ALL: return true;
    default: skep_unreachable("client certificates");
    }
}

bool skep_net__admit_client(struct skep_net__req *r)
{
    skep_assert(r->match.route != NULL);
    if (skep_net__peers_request(r->net->peers, &r->from, skep_net__now_ms()) > 0) {
        skep_net__count(r->net, refused_address, 1);
        skep_net__req_refuse(r, 429, SKEP_ELIMIT,
                             SKEP_STR("too many requests of your address in this second"));
        return false;
    }
    if (!needs_certificate(r) || r->pub.client_subject.n > 0)
        return true;
    skep_net__count(r->net, refused_client, 1);
    skep_net__req_refuse(
        r, 403, SKEP_EFORBIDDEN,
        r->pub.tls ? SKEP_STR("a client certificate of this server's --tls-client-ca is needed")
                   : SKEP_STR("a client certificate is needed: use TLS"));
    return false;
}
