// SPDX-License-Identifier: Apache-2.0
/*
 * store.h - posts, replies and messages in SQLite
 *
 * Rows are given to a function of the caller's, one by one; what it gets is borrowed for the call.
 * Functions that can fail return false and write why to `ret_why`.
 *
 * Threads: any; calls are made one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shape.h"

struct store;

enum { STORE_WHY_BYTES = 200 };

typedef void store_activity_fn(void *self, const struct activity *activity);
typedef void store_message_fn(void *self, const struct message *message);

/* Open the file, or make it, with a few posts to begin with. NULL, and *ret_why, if that fails. */
struct store *store_open(const char *path, char ret_why[STORE_WHY_BYTES]);
void store_close(struct store *store);

/* Which posts are asked for. Those that have expired are never among them. */
struct store_posts {
    const char *author; /* this handle's; NULL: everybody's */
    const char *term;   /* with this text in them; NULL: any */
    const char *uuid;   /* this one; NULL: any */
    bool answered;      /* which others have replied to */
    int64_t now_us;
};

enum { STORE_POSTS_MAX = 20, STORE_REPLIES_MAX = 200 };

/* The latest STORE_POSTS_MAX posts. */
bool store_posts(struct store *store, const struct store_posts *what, store_activity_fn *row,
                 void *self, char ret_why[STORE_WHY_BYTES]);

/* Replies to the latest posts, the latest first; with `uuid` to that one alone. */
bool store_replies(struct store *store, const char *uuid, store_activity_fn *row, void *self,
                   char ret_why[STORE_WHY_BYTES]);

/* Keep a post or a reply (reply_to is set) of the author of that handle. */
bool store_add_activity(struct store *store, const struct activity *activity, const char *author,
                        char ret_why[STORE_WHY_BYTES]);

/* Whom a handle has written with, the last message first. */
bool store_message_groups(struct store *store, const char *handle, store_message_fn *row,
                          void *self, char ret_why[STORE_WHY_BYTES]);

/* What two handles have written each other, oldest first. */
bool store_messages(struct store *store, const char *one, const char *other, store_message_fn *row,
                    void *self, char ret_why[STORE_WHY_BYTES]);

/* Keep a message of the sender of handle message->handle. */
bool store_add_message(struct store *store, const struct message *message, const char *receiver,
                       char ret_why[STORE_WHY_BYTES]);
