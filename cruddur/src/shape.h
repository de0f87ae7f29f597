// SPDX-License-Identifier: Apache-2.0
/* shape.h - how posts and messages look as JSON: members in the alphabet's order
 *
 * Texts are copied into the document. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <yyjson.h>

/* A post or a reply. Texts are borrowed. */
struct activity {
    const char *uuid;
    const char *handle; /* what is shown: the author's display name */
    const char *message;
    int64_t created_us, expires_us;
    int64_t likes, replies, reposts;
    const char *reply_to; /* of a reply: the post's uuid; NULL: it is a post */
};

/* A message, or a group of them (which has none). */
struct message {
    const char *uuid, *display_name, *handle;
    const char *text; /* NULL: a group */
    int64_t created_us;
};

/* A post of the home page, with an empty array `replies` (get it with yyjson_mut_obj_get). */
yyjson_mut_val *shape_post(yyjson_mut_doc *doc, const struct activity *activity);

/* A reply below a post. */
yyjson_mut_val *shape_reply(yyjson_mut_doc *doc, const struct activity *activity);

/* A post in short: of a profile (times without offset), of a search (without its end). */
yyjson_mut_val *shape_short(yyjson_mut_doc *doc, const struct activity *activity, bool naive);

/* What creating a post or (with reply_to) a reply answers. */
yyjson_mut_val *shape_created(yyjson_mut_doc *doc, const struct activity *activity,
                              const char *handle);

yyjson_mut_val *shape_message(yyjson_mut_doc *doc, const struct message *message);
