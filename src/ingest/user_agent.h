// SPDX-License-Identifier: Apache-2.0
/* What a browser calls itself, in short. */
#pragma once

#include "base/arena.h"

/* "Firefox 128" of a User-Agent header; of other programs their first product ("curl 8"); empty
 * when it says neither.  In the arena. */
skep_str skep_user_agent_name(skep_str header, struct skep_arena *arena);
