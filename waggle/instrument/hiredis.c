// SPDX-License-Identifier: Apache-2.0
/*
 * hiredis.c - a span for each command of hiredis
 *
 * Threads: a context is one thread's at a time, as hiredis'.
 */
#include "waggle/instrument/hiredis.h"

#include <stdio.h>
#include <string.h>

enum { REDIS_TEXT_MAX = 256, REDIS_NAME_MAX = 32 };

/* A command's name in capitals; what is no letter ends it. Returns the bytes of the name. */
static size_t name_of(const char *p, size_t n, char ret[REDIS_NAME_MAX])
{
    size_t w = 0;
    for (; w < n && w + 1 < REDIS_NAME_MAX; w++) {
        char c = p[w];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_'))
            break;
        ret[w] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    ret[w] = '\0';
    return w;
}

static waggle_span begin(struct waggle_tracer *tracer, const redisContext *c, const char *name,
                         size_t n_arguments)
{
    char text[REDIS_TEXT_MAX];
    bool tcp = c != NULL && c->connection_type == REDIS_CONN_TCP;
    size_t w = (size_t)snprintf(text, sizeof text, "%s", name[0] != '\0' ? name : "?"); // fits
    for (size_t i = 0; i < n_arguments && w + 3 < sizeof text; i++) {
        memcpy(text + w, " ?", 3);
        w += 2;
    }
    return waggle_db_start(tracer, &(waggle_db_call){
                                       .struct_size = sizeof(waggle_db_call),
                                       .system = "redis",
                                       .text = text,
                                       .operation = name[0] != '\0' ? name : NULL,
                                       .server_address = tcp         ? c->tcp.host
                                                         : c != NULL ? c->unix_sock.path
                                                                     : NULL,
                                       .server_port = tcp ? c->tcp.port : 0,
                                   });
}

static void end(waggle_span span, const redisContext *c, const redisReply *reply)
{
    char type[REDIS_NAME_MAX];
    if (reply == NULL) {
        waggle_db_end(span, "connection_error", c != NULL ? c->errstr : NULL);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        (void)name_of(reply->str, reply->len, type);
        waggle_db_end(span, type[0] != '\0' ? type : "ERR", reply->str);
    } else {
        waggle_db_end(span, NULL, NULL);
    }
}

void *waggle_redis_vcommand(struct waggle_tracer *tracer, redisContext *c, const char *format,
                            va_list args)
{
    char name[REDIS_NAME_MAX];
    const char *p = format + strspn(format, " ");
    size_t n = 0;
    p += name_of(p, strlen(p), name);
    for (p += strcspn(p, " "), p += strspn(p, " "); *p != '\0'; n++) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    waggle_span span = begin(tracer, c, name, n);
    void *reply = redisvCommand(c, format, args);
    end(span, c, reply);
    return reply;
}

void *waggle_redis_command(struct waggle_tracer *tracer, redisContext *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    void *reply = waggle_redis_vcommand(tracer, c, format, args);
    va_end(args);
    return reply;
}

void *waggle_redis_command_argv(struct waggle_tracer *tracer, redisContext *c, int argc,
                                const char **argv, const size_t *argv_n)
{
    char name[REDIS_NAME_MAX] = "";
    if (argc > 0)
        (void)name_of(argv[0], argv_n != NULL ? argv_n[0] : strlen(argv[0]), name);
    waggle_span span = begin(tracer, c, name, argc > 0 ? (size_t)argc - 1 : 0);
    void *reply = redisCommandArgv(c, argc, argv, argv_n);
    end(span, c, reply);
    return reply;
}
