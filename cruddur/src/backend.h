// SPDX-License-Identifier: Apache-2.0
/* backend.h - whose answers the views give: the store's, or the course's fixed ones
 *
 * Each function builds the JSON of an answer in `doc`. It returns NULL after fault_raise. */
#pragma once

#include <yyjson.h>

#include "request.h"

/* A new post, reply or message; everything is borrowed and valid. */
struct draft {
    const char *message;
    int64_t now_us;
    int64_t ttl_us;       /* of a post */
    const char *reply_to; /* of a reply: the post's uuid */
    const char *receiver; /* of a message: the handle */
};

typedef yyjson_mut_val *backend_list_fn(struct request *request, yyjson_mut_doc *doc,
                                        int64_t now_us);
typedef yyjson_mut_val *backend_about_fn(struct request *request, yyjson_mut_doc *doc,
                                         int64_t now_us, const char *about);
typedef yyjson_mut_val *backend_write_fn(struct request *request, yyjson_mut_doc *doc,
                                         const struct draft *draft);

struct backend_ops {
    const char *name;
    backend_list_fn *home, *notifications, *message_groups;
    backend_about_fn *profile;  /* posts of a handle */
    backend_about_fn *search;   /* posts with a term */
    backend_about_fn *show;     /* the post of a uuid; an empty array: there is none */
    backend_about_fn *messages; /* with a handle */
    backend_write_fn *create_activity, *create_reply, *create_message;
};

extern const struct backend_ops backend_store;    /* backend_store.c */
extern const struct backend_ops backend_bootcamp; /* backend_bootcamp.c */
