// SPDX-License-Identifier: Apache-2.0
/* backend_store.c - answers from the store, in the course's shapes; see backend.h
 *
 * A request that is to be slow (--trouble) asks for the replies of each post by itself, and waits
 * for each: the N+1 queries everybody has written once.
 *
 * Threads: the request's. Memory: the document's. */
#include <string.h>
#include <time.h>

#include "backend.h"
#include "fault.h"
#include "random.h"
#include "shape.h"
#include "store.h"
#include "when.h"

struct list {
    yyjson_mut_doc *doc;
    yyjson_mut_val *array;
};

/* The array, or NULL with the failure told. */
static yyjson_mut_val *given(struct request *request, bool ok, yyjson_mut_val *value,
                             const char *why)
{
    if (ok && value != NULL)
        return value;
    fault_raise(request, ok ? "MemoryError" : "DatabaseError", "%s", ok ? "out of memory" : why);
    return NULL;
}

/* --- posts with their replies ------------------------------------------------------------------
 */

static void add_post(void *self, const struct activity *activity)
{
    struct list *list = self;
    yyjson_mut_arr_append(list->array, shape_post(list->doc, activity));
}

/* Puts a reply below its post, if that is in the list. Replies come latest first and stand oldest
 * first. */
static void add_reply(void *self, const struct activity *reply)
{
    struct list *list = self;
    size_t i, n;
    yyjson_mut_val *post;
    yyjson_mut_arr_foreach(list->array, i, n, post)
    {
        const char *uuid = yyjson_mut_get_str(yyjson_mut_obj_get(post, "uuid"));
        if (uuid != NULL && strcmp(uuid, reply->reply_to) == 0)
            yyjson_mut_arr_prepend(yyjson_mut_obj_get(post, "replies"),
                                   shape_reply(list->doc, reply));
    }
}

static void wait_ms(uint32_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

static bool add_replies_one_by_one(struct request *request, struct list *list,
                                   char why[STORE_WHY_BYTES])
{
    size_t i, n;
    yyjson_mut_val *post;
    bool ok = true;
    yyjson_mut_arr_foreach(list->array, i, n, post)
    {
        const char *uuid = yyjson_mut_get_str(yyjson_mut_obj_get(post, "uuid"));
        wait_ms(20 + random_below(40));
        ok = ok && store_replies(request->service->store, uuid, add_reply, list, why);
    }
    return ok;
}

static yyjson_mut_val *posts_with_replies(struct request *request, yyjson_mut_doc *doc,
                                          const struct store_posts *what)
{
    char why[STORE_WHY_BYTES] = "";
    struct store *store = request->service->store;
    struct list list = {doc, yyjson_mut_arr(doc)};
    bool ok = store_posts(store, what, add_post, &list, why) &&
              (request->slow ? add_replies_one_by_one(request, &list, why)
                             : store_replies(store, what->uuid, add_reply, &list, why));
    return given(request, ok, list.array, why);
}

static yyjson_mut_val *home(struct request *request, yyjson_mut_doc *doc, int64_t now)
{
    return posts_with_replies(request, doc, &(struct store_posts){.now_us = now});
}

static yyjson_mut_val *notifications(struct request *request, yyjson_mut_doc *doc, int64_t now)
{
    return posts_with_replies(
        request, doc,
        &(struct store_posts){.author = request->user->handle, .answered = true, .now_us = now});
}

static yyjson_mut_val *show(struct request *request, yyjson_mut_doc *doc, int64_t now,
                            const char *uuid)
{
    return posts_with_replies(request, doc, &(struct store_posts){.uuid = uuid, .now_us = now});
}

/* --- posts in short ----------------------------------------------------------------------------
 */

static void add_of_profile(void *self, const struct activity *activity)
{
    struct list *list = self;
    yyjson_mut_arr_append(list->array, shape_short(list->doc, activity, true));
}

static void add_found(void *self, const struct activity *activity)
{
    struct list *list = self;
    struct activity found = *activity;
    found.expires_us = 0; // a search does not say
    yyjson_mut_arr_append(list->array, shape_short(list->doc, &found, false));
}

static yyjson_mut_val *profile(struct request *request, yyjson_mut_doc *doc, int64_t now,
                               const char *handle)
{
    char why[STORE_WHY_BYTES] = "";
    struct list list = {doc, yyjson_mut_arr(doc)};
    bool ok =
        store_posts(request->service->store, &(struct store_posts){.author = handle, .now_us = now},
                    add_of_profile, &list, why);
    return given(request, ok, list.array, why);
}

static yyjson_mut_val *search(struct request *request, yyjson_mut_doc *doc, int64_t now,
                              const char *term)
{
    char why[STORE_WHY_BYTES] = "";
    struct list list = {doc, yyjson_mut_arr(doc)};
    bool ok =
        store_posts(request->service->store, &(struct store_posts){.term = term, .now_us = now},
                    add_found, &list, why);
    return given(request, ok, list.array, why);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static void add_message(void *self, const struct message *message)
{
    struct list *list = self;
    yyjson_mut_arr_append(list->array, shape_message(list->doc, message));
}

static yyjson_mut_val *message_groups(struct request *request, yyjson_mut_doc *doc, int64_t now)
{
    char why[STORE_WHY_BYTES] = "";
    struct list list = {doc, yyjson_mut_arr(doc)};
    (void)now;
    bool ok = store_message_groups(request->service->store, request->user->handle, add_message,
                                   &list, why);
    return given(request, ok, list.array, why);
}

static yyjson_mut_val *messages(struct request *request, yyjson_mut_doc *doc, int64_t now,
                                const char *handle)
{
    char why[STORE_WHY_BYTES] = "";
    struct list list = {doc, yyjson_mut_arr(doc)};
    (void)now;
    bool ok = store_messages(request->service->store, request->user->handle, handle, add_message,
                             &list, why);
    return given(request, ok, list.array, why);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static yyjson_mut_val *create(struct request *request, yyjson_mut_doc *doc,
                              const struct draft *draft)
{
    char uuid[UUID_BYTES];
    char why[STORE_WHY_BYTES] = "";
    random_uuid(uuid);
    struct activity activity = {.uuid = uuid,
                                .handle = request->user->display_name,
                                .message = draft->message,
                                .reply_to = draft->reply_to,
                                .created_us = draft->now_us,
                                .expires_us = draft->now_us + draft->ttl_us};
    bool ok = store_add_activity(request->service->store, &activity, request->user->handle, why);
    return given(request, ok, shape_created(doc, &activity, request->user->handle), why);
}

static yyjson_mut_val *create_message(struct request *request, yyjson_mut_doc *doc,
                                      const struct draft *draft)
{
    char uuid[UUID_BYTES];
    char why[STORE_WHY_BYTES] = "";
    random_uuid(uuid);
    struct message message = {uuid, request->user->display_name, request->user->handle,
                              draft->message, draft->now_us};
    bool ok = store_add_message(request->service->store, &message, draft->receiver, why);
    return given(request, ok, shape_message(doc, &message), why);
}

const struct backend_ops backend_store = {
    .name = "store",
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
