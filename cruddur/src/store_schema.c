// SPDX-License-Identifier: Apache-2.0
/* store_schema.c - the tables, and the bootcamp's posts as their first rows; see store_schema.h
 *
 * Threads: one, at start. Memory: none. */
#include "store_schema.h"

#include "random.h"
#include "when.h"

const char store_schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = NORMAL;"
    "CREATE TABLE IF NOT EXISTS people ("
    "  handle TEXT PRIMARY KEY, display_name TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS activities ("
    "  uuid TEXT PRIMARY KEY, author TEXT NOT NULL, message TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
    "  likes INTEGER NOT NULL DEFAULT 0, reposts INTEGER NOT NULL DEFAULT 0, reply_to TEXT);"
    "CREATE INDEX IF NOT EXISTS activities_new ON activities (created_us) WHERE reply_to IS NULL;"
    "CREATE INDEX IF NOT EXISTS activities_replies ON activities (reply_to, created_us);"
    "CREATE TABLE IF NOT EXISTS messages ("
    "  uuid TEXT PRIMARY KEY, sender TEXT NOT NULL, receiver TEXT NOT NULL, message TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS messages_pairs ON messages (sender, receiver, created_us);"
    "INSERT OR IGNORE INTO people VALUES ('andrewbrown', 'Andrew Brown'), ('worf', 'Worf'),"
    "  ('garek', 'Garek'), ('cocomelon', 'Cocomelon');";

struct seed {
    const char *author, *message;
    int64_t age_us, ttl_us;
};

static bool add_post(struct store *store, const struct seed *seed, const char *reply_to,
                     char ret_uuid[UUID_BYTES], char ret_why[STORE_WHY_BYTES])
{
    int64_t now = when_now();
    random_uuid(ret_uuid);
    return store_add_activity(store,
                              &(struct activity){.uuid = ret_uuid,
                                                 .message = seed->message,
                                                 .created_us = now - seed->age_us,
                                                 .expires_us = now + seed->ttl_us,
                                                 .likes = reply_to == NULL ? 5 : 0,
                                                 .reply_to = reply_to},
                              seed->author, ret_why);
}

static bool add_message(struct store *store, const char *sender, const char *receiver,
                        const char *text, char ret_why[STORE_WHY_BYTES])
{
    char uuid[UUID_BYTES];
    random_uuid(uuid);
    return store_add_message(store,
                             &(struct message){uuid, NULL, sender, text, when_now() - WHEN_HOUR},
                             receiver, ret_why);
}

bool store_seed(struct store *store, char ret_why[STORE_WHY_BYTES])
{
    static const struct seed posts[] = {
        {"garek", "My dear doctor, I am just simple tailor", WHEN_HOUR, 12 * WHEN_HOUR},
        {"worf", "I am out of prune juice", 7 * WHEN_DAY, 9 * WHEN_DAY},
        {"andrewbrown", "Cloud is very fun!", 2 * WHEN_DAY, 30 * WHEN_DAY}};
    static const struct seed reply = {"worf", "This post has no honor!", WHEN_DAY, 30 * WHEN_DAY};
    char uuid[UUID_BYTES];
    char reply_uuid[UUID_BYTES];
    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++)
        if (!add_post(store, &posts[i], NULL, uuid, ret_why))
            return false;
    return add_post(store, &reply, uuid, reply_uuid, ret_why) &&
           add_message(store, "andrewbrown", "worf", "Cloud is fun!", ret_why) &&
           add_message(store, "worf", "andrewbrown", "This platform is great!", ret_why);
}
