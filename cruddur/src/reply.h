// SPDX-License-Identifier: Apache-2.0
/* reply.h - what a view answers with; the last call counts */
#pragma once

#include <yyjson.h>

#include "request.h"

/* A page of HTML that says what a status means, as Flask does. */
void reply_error(struct request *request, unsigned status);

/* A text of HTML. */
void reply_html(struct request *request, unsigned status, const char *text);

/* The JSON of `root`: compact, beyond ASCII as \uXXXX, with a newline at its end. Members stand in
 * the order they were added in, which is the alphabet's everywhere in this API. */
void reply_json(struct request *request, unsigned status, yyjson_mut_val *root);

/* 422 and an array with one word: how the API says what is wrong with the input. */
void reply_invalid(struct request *request, const char *word);

/* A status in words as Flask writes them: "422 UNPROCESSABLE ENTITY" has the latter two. */
const char *reply_phrase(unsigned status);

/* Nothing but a status. */
void reply_empty(struct request *request, unsigned status);

/* Add a header, of which several may have one name. Values are cut at 512 bytes. */
void reply_header(struct request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Free what the reply holds. */
void reply_done(struct reply *reply);
