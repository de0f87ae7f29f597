// SPDX-License-Identifier: Apache-2.0
/* backend_bootcamp.c - the course's fixed answers, byte for byte; times go by the clock
 *
 * What is posted is answered and forgotten. See backend.h.
 *
 * Threads: any. Memory: the document's. */
#include "backend.h"
#include "fault.h"
#include "random.h"
#include "shape.h"
#include "when.h"

#define UUID_CLOUD "68f126b0-1ceb-4a33-88be-d90fa7109eee"
#define UUID_REPLY "26e12864-1c26-5c3a-9658-97a10f8fea67"
#define UUID_JUICE "66e12864-8c26-4c3a-9658-95a10f8fea67"
#define UUID_GAREK "248959df-3079-4947-b847-9e0892d1bab4"

/* The post everything begins with, and its one reply. */
static yyjson_mut_val *first(yyjson_mut_doc *doc, int64_t now, const char *handle,
                             const char *message, const char *replier, const char *reply)
{
    yyjson_mut_val *post = shape_post(doc, &(struct activity){.uuid = UUID_CLOUD,
                                                              .handle = handle,
                                                              .message = message,
                                                              .created_us = now - 2 * WHEN_DAY,
                                                              .expires_us = now + 5 * WHEN_DAY,
                                                              .likes = 5,
                                                              .replies = 1});
    yyjson_mut_arr_append(yyjson_mut_obj_get(post, "replies"),
                          shape_reply(doc, &(struct activity){.uuid = UUID_REPLY,
                                                              .reply_to = UUID_CLOUD,
                                                              .handle = replier,
                                                              .message = reply,
                                                              .created_us = now - 2 * WHEN_DAY}));
    return post;
}

/* The course's other posts have `likes` for `likes_count`, and no other counts. */
static yyjson_mut_val *plain(yyjson_mut_doc *doc, const struct activity *activity)
{
    yyjson_mut_val *post = shape_short(doc, activity, false);
    yyjson_mut_val *uuid = yyjson_mut_obj_remove_key(post, "uuid");
    yyjson_mut_val *message = yyjson_mut_obj_remove_key(post, "message");
    yyjson_mut_obj_add_int(doc, post, "likes", 0);
    yyjson_mut_obj_add_val(doc, post, "message", message);
    yyjson_mut_obj_add_val(doc, post, "replies", yyjson_mut_arr(doc));
    yyjson_mut_obj_add_val(doc, post, "uuid", uuid);
    return post;
}

static yyjson_mut_val *home(struct request *request, yyjson_mut_doc *doc, int64_t now)
{
    yyjson_mut_val *posts = yyjson_mut_arr(doc);
    (void)request;
    yyjson_mut_arr_append(posts, first(doc, now, "Andrew Brown", "Cloud is very fun!", "Worf",
                                       "This post has no honor!"));
    yyjson_mut_arr_append(posts, plain(doc, &(struct activity){.uuid = UUID_JUICE,
                                                               .handle = "Worf",
                                                               .message = "I am out of prune juice",
                                                               .created_us = now - 7 * WHEN_DAY,
                                                               .expires_us = now + 9 * WHEN_DAY}));
    yyjson_mut_arr_append(
        posts, plain(doc, &(struct activity){.uuid = UUID_GAREK,
                                             .handle = "Garek",
                                             .message = "My dear doctor, I am just simple tailor",
                                             .created_us = now - WHEN_HOUR,
                                             .expires_us = now + 12 * WHEN_HOUR}));
    return posts;
}

static yyjson_mut_val *notifications(struct request *request, yyjson_mut_doc *doc, int64_t now)
{
    yyjson_mut_val *posts = yyjson_mut_arr(doc);
    (void)request;
    yyjson_mut_arr_append(
        posts, first(doc, now, "coco", "I am white unicorn", "worf", "this post has no honor!"));
    return posts;
}

static yyjson_mut_val *one_short(yyjson_mut_doc *doc, int64_t created_us, int64_t expires_us,
                                 bool naive)
{
    yyjson_mut_val *posts = yyjson_mut_arr(doc);
    yyjson_mut_arr_append(posts, shape_short(doc,
                                             &(struct activity){.uuid = UUID_GAREK,
                                                                .handle = "Andrew Brown",
                                                                .message = "Cloud is fun!",
                                                                .created_us = created_us,
                                                                .expires_us = expires_us},
                                             naive));
    return posts;
}

static yyjson_mut_val *profile(struct request *request, yyjson_mut_doc *doc, int64_t now,
                               const char *handle)
{
    (void)request;
    (void)handle;
    return one_short(doc, now - WHEN_DAY, now + 31 * WHEN_DAY, true);
}

static yyjson_mut_val *search(struct request *request, yyjson_mut_doc *doc, int64_t now,
                              const char *term)
{
    (void)request;
    (void)term;
    return one_short(doc, now, 0, false);
}

/* The course's class is called ShowActivities. */
static yyjson_mut_val *show(struct request *request, yyjson_mut_doc *doc, int64_t now,
                            const char *uuid)
{
    (void)doc;
    (void)now;
    (void)uuid;
    fault_raise(request, "NameError", "name 'ShowActivity' is not defined");
    return NULL;
}

static yyjson_mut_val *message_groups(struct request *request, yyjson_mut_doc *doc, int64_t now)
{
    yyjson_mut_val *groups = yyjson_mut_arr(doc);
    (void)request;
    yyjson_mut_arr_append(
        groups, shape_message(doc, &(struct message){"24b95582-9e7b-4e0a-9ad1-639773ab7552",
                                                     "Andrew Brown", "andrewbrown", NULL, now}));
    yyjson_mut_arr_append(
        groups, shape_message(doc, &(struct message){"417c360e-c4e6-4fce-873b-d2d71469b4ac", "Worf",
                                                     "worf", NULL, now}));
    return groups;
}

static yyjson_mut_val *messages(struct request *request, yyjson_mut_doc *doc, int64_t now,
                                const char *handle)
{
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    (void)request;
    (void)handle;
    yyjson_mut_arr_append(
        list,
        shape_message(doc, &(struct message){"4e81c06a-db0f-4281-b4cc-98208537772a", "Andrew Brown",
                                             "andrewbrown", "Cloud is fun!", now}));
    yyjson_mut_arr_append(
        list, shape_message(doc, &(struct message){UUID_JUICE, "Andrew Brown", "andrewbrown",
                                                   "This platform is great!", now}));
    return list;
}

static yyjson_mut_val *create(struct request *request, yyjson_mut_doc *doc,
                              const struct draft *draft)
{
    char uuid[UUID_BYTES];
    random_uuid(uuid);
    return shape_created(doc,
                         &(struct activity){.uuid = uuid,
                                            .handle = request->user->display_name,
                                            .message = draft->message,
                                            .reply_to = draft->reply_to,
                                            .created_us = draft->now_us,
                                            .expires_us = draft->now_us + draft->ttl_us},
                         request->user->handle);
}

static yyjson_mut_val *create_message(struct request *request, yyjson_mut_doc *doc,
                                      const struct draft *draft)
{
    char uuid[UUID_BYTES];
    random_uuid(uuid);
    return shape_message(doc,
                         &(struct message){uuid, request->user->display_name, request->user->handle,
                                           draft->message, draft->now_us});
}

const struct backend_ops backend_bootcamp = {
    .name = "bootcamp",
    .home = home,
    .notifications = notifications,
    .message_groups = message_groups,
    .profile = profile,
    .search = search,
    .show = show,
    .messages = messages,
    .create_activity = create,
    .create_reply = create,
    .create_message = create_message,
};
