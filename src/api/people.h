// SPDX-License-Identifier: Apache-2.0
/* What the endpoints for users and for logging in share. */
#pragma once

#include "api/keys.h"
#include "auth/login.h"

/* src/auth's view of a job: hashes take from the question's budget. */
struct skep_people skep_api__people(struct skep_api__job *job);
/* Forget a text of the job's arena. */
void skep_api__wipe(skep_str secret);
