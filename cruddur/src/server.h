// SPDX-License-Identifier: Apache-2.0
/* server.h - the HTTP server of the API */
#pragma once

#include <stdint.h>

#include "request.h"

struct server;

/* Listen and serve until server_stop. The service must outlive the server.
 * ret_port   the port it listens on
 * Returns    the server; NULL, with a message on standard error, if it cannot listen */
struct server *server_start(const struct service *service, uint16_t *ret_port);

/* Wait for what is being answered, close everything. NULL is fine. */
void server_stop(struct server *server);
