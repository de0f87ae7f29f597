// SPDX-License-Identifier: Apache-2.0
/*
 * error.c - who hears of waggle's own troubles: nobody, unless the program or OTEL_LOG_LEVEL says
 * so
 *
 * Threads: any. The handler is called without a lock held, so that it may call waggle.
 */
#include "sdk_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

struct handler {
    waggle_error_fn *fn;
    void *self;
    enum waggle_level level;
};

static pthread_mutex_t handler_lock = PTHREAD_MUTEX_INITIALIZER;
static struct handler handler;
static bool is_set;

void waggle__error_lock(void)
{
    (void)pthread_mutex_lock(&handler_lock); // fails only for a mutex that is none
}

void waggle__error_unlock(void)
{
    (void)pthread_mutex_unlock(&handler_lock); // as above
}

static void to_stderr(void *self, enum waggle_level level, const char *text)
{
    static const char *const names[] = {"", "error", "warn", "info", "debug"};
    (void)self;
    (void)fprintf(stderr, "waggle: %s: %s\n", names[level], text); // nowhere to tell a failure
}

static enum waggle_level level_of_env(void)
{
    static const char *const names[] = {"none", "error", "warn", "info", "debug"};
    const char *value = waggle__env("OTEL_LOG_LEVEL");
    for (size_t i = 0; value != NULL && i < WAGGLE__COUNT(names); i++)
        if (strcasecmp(value, names[i]) == 0)
            return (enum waggle_level)i;
    return WAGGLE_LEVEL_NONE;
}

void waggle_set_error_handler(waggle_error_fn *fn, void *self, enum waggle_level level)
{
    waggle__error_lock();
    handler = (struct handler){fn, self, level};
    is_set = true;
    waggle__error_unlock();
}

void waggle__error_level(enum waggle_level level)
{
    waggle__error_lock();
    if (!is_set || handler.fn == to_stderr)
        handler = (struct handler){to_stderr, NULL, level};
    is_set = true;
    waggle__error_unlock();
}

static struct handler get(void)
{
    waggle__error_lock();
    if (!is_set) {
        handler = (struct handler){to_stderr, NULL, level_of_env()};
        is_set = true;
    }
    struct handler h = handler;
    waggle__error_unlock();
    return h;
}

void waggle__error(enum waggle_level level, const char *format, ...)
{
    struct handler h = get();
    if (h.fn == NULL || level > h.level)
        return;
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); // cut is fine
    va_end(args);
    h.fn(h.self, level, text);
}
