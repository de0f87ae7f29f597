// SPDX-License-Identifier: Apache-2.0
/* shape.c - posts and messages as JSON; see shape.h
 *
 * Threads: any. Memory: the document's. */
#include "shape.h"

#include "when.h"

static void add_text(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, const char *text)
{
    yyjson_mut_obj_add_strcpy(doc, object, key, text);
}

static void add_when(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, int64_t when_us,
                     bool naive)
{
    char text[WHEN_TEXT_BYTES];
    yyjson_mut_obj_add_strcpy(doc, object, key, when_text(when_us, naive, text));
}

yyjson_mut_val *shape_post(yyjson_mut_doc *doc, const struct activity *a)
{
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    add_when(doc, o, "created_at", a->created_us, false);
    add_when(doc, o, "expires_at", a->expires_us, false);
    add_text(doc, o, "handle", a->handle);
    yyjson_mut_obj_add_int(doc, o, "likes_count", a->likes);
    add_text(doc, o, "message", a->message);
    yyjson_mut_obj_add_val(doc, o, "replies", yyjson_mut_arr(doc));
    yyjson_mut_obj_add_int(doc, o, "replies_count", a->replies);
    yyjson_mut_obj_add_int(doc, o, "reposts_count", a->reposts);
    add_text(doc, o, "uuid", a->uuid);
    return o;
}

yyjson_mut_val *shape_reply(yyjson_mut_doc *doc, const struct activity *a)
{
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    add_when(doc, o, "created_at", a->created_us, false);
    add_text(doc, o, "handle", a->handle);
    yyjson_mut_obj_add_int(doc, o, "likes_count", a->likes);
    add_text(doc, o, "message", a->message);
    yyjson_mut_obj_add_int(doc, o, "replies_count", a->replies);
    add_text(doc, o, "reply_to_activity_uuid", a->reply_to);
    yyjson_mut_obj_add_int(doc, o, "reposts_count", a->reposts);
    add_text(doc, o, "uuid", a->uuid);
    return o;
}

yyjson_mut_val *shape_short(yyjson_mut_doc *doc, const struct activity *a, bool naive)
{
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    add_when(doc, o, "created_at", a->created_us, naive);
    if (a->expires_us != 0)
        add_when(doc, o, "expires_at", a->expires_us, naive);
    add_text(doc, o, "handle", a->handle);
    add_text(doc, o, "message", a->message);
    add_text(doc, o, "uuid", a->uuid);
    return o;
}

yyjson_mut_val *shape_created(yyjson_mut_doc *doc, const struct activity *a, const char *handle)
{
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    add_when(doc, o, "created_at", a->created_us, false);
    add_text(doc, o, "display_name", a->handle);
    if (a->reply_to == NULL)
        add_when(doc, o, "expires_at", a->expires_us, false);
    add_text(doc, o, "handle", handle);
    add_text(doc, o, "message", a->message);
    if (a->reply_to != NULL)
        add_text(doc, o, "reply_to_activity_uuid", a->reply_to);
    add_text(doc, o, "uuid", a->uuid);
    return o;
}

yyjson_mut_val *shape_message(yyjson_mut_doc *doc, const struct message *m)
{
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    add_when(doc, o, "created_at", m->created_us, false);
    add_text(doc, o, "display_name", m->display_name);
    add_text(doc, o, "handle", m->handle);
    if (m->text != NULL)
        add_text(doc, o, "message", m->text);
    add_text(doc, o, "uuid", m->uuid);
    return o;
}
