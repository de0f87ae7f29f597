// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/instrument/hiredis.h - a span for each command of hiredis: the add-on library
 * waggle-hiredis
 *
 *     redisReply *r = waggle_redis_command(tracer, c, "SET %s %b", key, value, n);
 *
 * Each is hiredis' function of that name with a tracer in front. Spans have the command's name and
 * '?' for its arguments.
 */
#ifndef WAGGLE_INSTRUMENT_HIREDIS_H
#define WAGGLE_INSTRUMENT_HIREDIS_H

#include <stdarg.h>

#include <hiredis/hiredis.h>

#include "waggle/db.h"

#ifdef __cplusplus
extern "C" {
#endif

WAGGLE_EXPORT void *waggle_redis_command(struct waggle_tracer *tracer, redisContext *c,
                                         const char *format, ...);

WAGGLE_EXPORT void *waggle_redis_vcommand(struct waggle_tracer *tracer, redisContext *c,
                                          const char *format, va_list args);

WAGGLE_EXPORT void *waggle_redis_command_argv(struct waggle_tracer *tracer, redisContext *c,
                                              int argc, const char **argv, const size_t *argv_n);

#ifdef __cplusplus
}
#endif

#endif
