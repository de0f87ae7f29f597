// SPDX-License-Identifier: Apache-2.0
/*
 * aws_answer.h - what an AWS service says in its JSON
 */
#ifndef WAGGLE_AWS_ANSWER_H
#define WAGGLE_AWS_ANSWER_H

#include "priv.h"

/* The exception's name out of "__type", without what stands in front of '#' and behind ':'; empty
 * if there is none. */
waggle_str waggle__aws_exception(waggle_str body);
bool waggle__aws_is(waggle_str body, const char *exception);

/* The text of "message" or "Message" as it stands in the JSON; empty if there is none. */
waggle_str waggle__aws_message(waggle_str body);

/* How many of n events PutLogEvents did not take, by its rejectedLogEventsInfo. */
size_t waggle__aws_rejected(waggle_str body, size_t n);

#endif
