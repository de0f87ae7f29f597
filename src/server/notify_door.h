// SPDX-License-Identifier: Apache-2.0
/* The notifier of a server: its configuration, its mail password, its secrets. */
#pragma once

#include "notify/notify.h"
#include "server/config.h"

struct skep_notify_door {
    struct skep_notify *notify;
    const struct skep_os *os;
    const char *key_file;
    const char *public_url; /* what links in messages begin with */
    char *password;         /* sodium_malloc; NULL = none */
};

/* Start it.  cfg, key_file and the arena outlive it.
 * Returns  SKEP_OK | SKEP_EINVAL | SKEP_EIO (the password's file) */
SKEP_NODISCARD skep_rc skep_notify_door_open(const struct skep_config *cfg,
                                             const struct skep_os *os, struct skep_state *state,
                                             const char *key_file, struct skep_budget *budget,
                                             struct skep_arena *arena, struct skep_notify_door *ret,
                                             skep_err *err);
/* Attempts that run are cut off and made again after the next start. */
void skep_notify_door_close(struct skep_notify_door *door);
