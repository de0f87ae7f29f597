// SPDX-License-Identifier: Apache-2.0
/* input.c - bodies of requests; see input.h
 *
 * Threads: the request's. Memory: the input's document. */
#include "input.h"

#include <string.h>
#include <strings.h>

#include "fault.h"
#include "reply.h"

static bool says_json(const struct request *request)
{
    static const char json[] = "application/json";
    const char *type = request_header(request, "Content-Type");
    return type != NULL && strncasecmp(type, json, strlen(json)) == 0;
}

bool input_open(struct request *request, struct input *ret_input)
{
    *ret_input = (struct input){NULL};
    if (!says_json(request)) {
        reply_error(request, 415);
        return false;
    }
    if (request->body != NULL)
        ret_input->doc = yyjson_read(request->body, request->body_n, 0);
    if (!yyjson_is_obj(yyjson_doc_get_root(ret_input->doc))) {
        input_done(ret_input);
        reply_error(request, 400);
        return false;
    }
    return true;
}

void input_done(struct input *input)
{
    yyjson_doc_free(input->doc);
    input->doc = NULL;
}

const char *input_text(struct request *request, const struct input *input, const char *key)
{
    yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(input->doc), key);
    const char *text = yyjson_get_str(value);
    if (value == NULL && request->service->config->bootcamp)
        fault_raise(request, "KeyError", "'%s'", key);
    // A NUL inside would end the text for C and for nobody else.
    return text != NULL && strlen(text) == yyjson_get_len(value) ? text : "";
}

static size_t count_characters(const char *utf8)
{
    size_t n = 0;
    for (; *utf8 != '\0'; utf8++)
        n += ((unsigned char)*utf8 & 0xc0) != 0x80;
    return n;
}

const char *input_check_message(const char *message, size_t max)
{
    if (message[0] == '\0')
        return "message_blank";
    return count_characters(message) > max ? "message_exceed_max_chars" : NULL;
}
