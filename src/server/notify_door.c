// SPDX-License-Identifier: Apache-2.0
/* What the notifier is given: where webhooks may go, the mail server, the address of links.
 *
 * In open mode, which is for loopback alone, a webhook may go to this machine; with keys it takes
 * --notify-allow, because who administers one environment must not reach what only this machine
 * may.
 *
 * Threads: the owner; the secret from the notifier's workers and the api's. */
#include "server/notify_door.h"

#include <sodium.h>

#include "auth/auth.h"
#include "base/assert.h"

static bool secret_of(void *ctx, skep_str place, uint8_t ret[32])
{
    static const skep_str label = SKEP_STR_INIT("notify secret 1 ");
    const struct skep_notify_door *door = ctx;
    char text[128];
    skep_assert(place.n < sizeof text - label.n);
    memcpy(text, label.p, label.n);
    memcpy(text + label.n, place.p, place.n);
    return skep_auth_derive(door->os, door->key_file, (skep_str){text, label.n + place.n}, ret,
                            NULL) == SKEP_OK;
}

/* What links begin with: as we are told, or the first listener. */
static const char *public_url(const struct skep_config *cfg, struct skep_arena *arena)
{
    if (cfg->oidc.public_url)
        return cfg->oidc.public_url;
    return skep_arena_printf(arena, "%s://%s", cfg->tls.cert ? "https" : "http",
                             cfg->listen.items[0])
        .p;
}

skep_rc skep_notify_door_open(const struct skep_config *cfg, const struct skep_os *os,
                              struct skep_state *state, const char *key_file,
                              struct skep_budget *budget, struct skep_arena *arena,
                              struct skep_notify_door *ret, skep_err *err)
{
    struct skep_cidr *allow = skep_new_n(arena, struct skep_cidr, cfg->notify_allow.n + 1);
    *ret = (struct skep_notify_door){
        .os = os, .key_file = key_file, .public_url = public_url(cfg, arena)};
    for (unsigned i = 0; i < cfg->notify_allow.n; i++)
        SKEP_TRY(skep_cidr_parse(skep_str_c(cfg->notify_allow.items[i]), &allow[i], err));
    if (cfg->smtp_password_file)
        SKEP_TRY(skep_auth_secret_file(os, cfg->smtp_password_file, &ret->password, err));
    const struct skep_notify_config notify = {.os = os,
                                              .state = state,
                                              .budget = budget,
                                              .secret = secret_of,
                                              .secret_ctx = ret,
                                              .allow = allow,
                                              .n_allow = cfg->notify_allow.n,
                                              .near = !cfg->auth_keys,
                                              .public_url = ret->public_url,
                                              .ca_file = cfg->notify_ca,
                                              .smtp_server = cfg->smtp,
                                              .smtp_user = cfg->smtp_user,
                                              .smtp_password = ret->password,
                                              .smtp_from = cfg->smtp_from};
    ret->notify = skep_notify_new(&notify);
    return SKEP_OK;
}

void skep_notify_door_close(struct skep_notify_door *door)
{
    skep_notify_free(door->notify);
    sodium_free(door->password); // tidy: allow banned: sodium_malloc's
    *door = (struct skep_notify_door){.notify = NULL};
}
