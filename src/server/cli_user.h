// SPDX-License-Identifier: Apache-2.0
/* `skep user` through a server; the verbs on a data folder are in cli_user.c. */
#pragma once

#include "auth/login.h"
#include "server/cli_keys.h"

/* Each tells what went wrong on stderr and returns false then. */

/* password: p NULL = one who logs in through the identity provider. */
bool skep_cli_user_create_there(struct skep_cli_keys *c, skep_str name, enum skep_role role,
                                skep_str password);
bool skep_cli_user_password_there(struct skep_cli_keys *c, skep_str name, skep_str password);
bool skep_cli_user_role_there(struct skep_cli_keys *c, skep_str name, enum skep_role role);
bool skep_cli_user_disable_there(struct skep_cli_keys *c, skep_str name, bool disabled);
/* login: the way in, as skep_auth_way_in. */
typedef void skep_cli_user_show_fn(struct skep_cli_keys *c, const struct skep_state_user *u,
                                   skep_str login);
bool skep_cli_user_list_there(struct skep_cli_keys *c, skep_cli_user_show_fn *show);
bool skep_cli_user_link_there(struct skep_cli_keys *c, enum skep_role role,
                              char ret[SKEP_LOGIN_TOKEN_BYTES]);
