// SPDX-License-Identifier: Apache-2.0
/* How Rollbar's API says no: its intake and its reading calls alike (src/api/rollbar*.c). */
#pragma once

#include "net/net.h"
#include "os/os.h"

/* Answer {"err":1,"message":...}.  Over a rate, the headers say when it ends; notifiers wait for
 * that.  Threads: any. */
void skep_rollbar_fail(const struct skep_os *os, struct skep_request *req, int status, skep_rc rc,
                       skep_str message);

/* Where the gate refused the request: Rollbar's status and words for it instead of those given.
 * scope  what the call needs, by Rollbar's name */
void skep_rollbar_denied(struct skep_request *req, skep_str scope, int *status, skep_str *message);
