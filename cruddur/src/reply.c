// SPDX-License-Identifier: Apache-2.0
/* reply.c - bodies of JSON and HTML; see reply.h
 *
 * Threads: the request's. Memory: the body and the headers' values belong to the reply. */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct error {
    unsigned status;
    const char *title, *phrase, *text; /* text NULL: never a page */
} errors[] = {
    {200, "OK", "OK", NULL},
    {422, "Unprocessable Entity", "UNPROCESSABLE ENTITY", NULL},
    {400, "Bad Request", "BAD REQUEST",
     "The browser (or proxy) sent a request that this server could not understand."},
    {404, "Not Found", "NOT FOUND",
     "The requested URL was not found on the server. If you entered the URL manually please check "
     "your spelling and try again."},
    {405, "Method Not Allowed", "METHOD NOT ALLOWED",
     "The method is not allowed for the requested URL."},
    {413, "Request Entity Too Large", "REQUEST ENTITY TOO LARGE",
     "The data value transmitted exceeds the capacity limit."},
    {415, "Unsupported Media Type", "UNSUPPORTED MEDIA TYPE",
     "Did not attempt to load JSON data because the request Content-Type was not "
     "&#39;application/json&#39;."},
    {500, "Internal Server Error", "INTERNAL SERVER ERROR",
     "The server encountered an internal error and was unable to complete your request. Either "
     "the server is overloaded or there is an error in the application."},
};

/* The row of a status; the last one if there is none. */
static const struct error *row_of(unsigned status)
{
    size_t i = 0;
    while (i + 1 < sizeof errors / sizeof *errors && errors[i].status != status)
        i++;
    return &errors[i];
}

const char *reply_phrase(unsigned status)
{
    return row_of(status)->phrase;
}

static void set_body(struct request *request, unsigned status, const char *type, char *body,
                     size_t n)
{
    struct reply *reply = &request->reply;
    free(reply->body);
    reply->status = body != NULL ? status : 500; // without memory there is no body
    reply->type = type;
    reply->body = body;
    reply->body_n = body != NULL ? n : 0;
}

void reply_html(struct request *request, unsigned status, const char *text)
{
    set_body(request, status, "text/html; charset=utf-8", strdup(text), strlen(text));
}

void reply_error(struct request *request, unsigned status)
{
    char text[512];
    const struct error *row = row_of(status);
    snprintf(text, sizeof text,
             "<!doctype html>\n<html lang=en>\n<title>%u %s</title>\n<h1>%s</h1>\n<p>%s</p>\n",
             row->status, row->title, row->title, row->text);
    reply_html(request, row->status, text);
}

void reply_empty(struct request *request, unsigned status)
{
    set_body(request, status, "text/html; charset=utf-8", strdup(""), 0);
}

/* yyjson writes \u00FC where the API has always written \u00fc. Outside of strings there is no
 * backslash, and in them every one begins an escape. */
static void lower_escapes(char *json, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (json[i] != '\\')
            continue;
        i++;
        for (size_t k = 1; json[i] == 'u' && k <= 4 && i + k < n; k++)
            if (json[i + k] >= 'A' && json[i + k] <= 'F')
                json[i + k] = (char)(json[i + k] - 'A' + 'a');
    }
}

void reply_json(struct request *request, unsigned status, yyjson_mut_val *root)
{
    size_t n = 0;
    char *json = yyjson_mut_val_write(root, YYJSON_WRITE_ESCAPE_UNICODE, &n);
    char *body = json != NULL ? realloc(json, n + 2) : NULL;
    if (body != NULL) {
        lower_escapes(body, n);
        memcpy(body + n++, "\n", 2);
    } else {
        free(json);
    }
    set_body(request, status, "application/json", body, n);
}

void reply_invalid(struct request *request, const char *word)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *array = yyjson_mut_arr(doc);
    yyjson_mut_arr_add_str(doc, array, word);
    reply_json(request, 422, array);
    yyjson_mut_doc_free(doc);
}

void reply_header(struct request *request, const char *name, const char *format, ...)
{
    char value[512];
    struct reply *reply = &request->reply;
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    char *copy = reply->n_headers < REPLY_HEADERS_MAX ? strdup(value) : NULL;
    if (copy != NULL)
        reply->headers[reply->n_headers++] = (struct reply_header){name, copy};
}

void reply_done(struct reply *reply)
{
    free(reply->body);
    for (size_t i = 0; i < reply->n_headers; i++)
        free(reply->headers[i].value);
    *reply = (struct reply){0};
}
