// SPDX-License-Identifier: Apache-2.0
/* input.h - the JSON body of a request, and the rules for what people write */
#pragma once

#include <yyjson.h>

#include "request.h"

struct input {
    yyjson_doc *doc; /* NULL: there is none, and the reply says why */
};

/* Read the body. On failure the reply is made: 415 if it says to be no JSON, 400 if it is none. */
bool input_open(struct request *request, struct input *ret_input);
void input_done(struct input *input);

/* The text of a member, borrowed from the input; "" if it is not there or no text. With --bootcamp
 * a member that is not there fails the request with KeyError, as it does in the course. */
const char *input_text(struct request *request, const struct input *input, const char *key);

/* What is wrong with a message of at most `max` characters, in the API's words; NULL: nothing. */
const char *input_check_message(const char *message, size_t max);
