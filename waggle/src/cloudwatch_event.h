// SPDX-License-Identifier: Apache-2.0
/*
 * cloudwatch_event.h - a log record as the message of an event of CloudWatch Logs
 */
#ifndef WAGGLE_CLOUDWATCH_EVENT_H
#define WAGGLE_CLOUDWATCH_EVENT_H

#include "sdk_priv.h"

/* Write the message into `out`: the record as JSON, or its body alone. At least one byte. */
void waggle__cloudwatch_message(struct waggle__buf *out, const waggle_log_data *log,
                                const waggle_scope_info *scope,
                                const waggle_resource_info *resource, bool raw);

/* The resource's text of that key; empty if there is none. */
waggle_str waggle__resource_text(const waggle_resource_info *resource, const char *key);

#endif
