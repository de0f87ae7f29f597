// SPDX-License-Identifier: Apache-2.0
/* Tags of a CloudWatch Logs request. */
#pragma once

#include "api/logs_priv.h"

struct skep_api__logs_tags {
    struct skep_state_log_tag *tags; /* the request's texts */
    size_t n;
};
/* The member "tags"; what is wrong is noted. */
void skep_api__logs_read_tags(struct skep_api__logs *l, bool required,
                              struct skep_api__logs_tags *ret);
