// SPDX-License-Identifier: Apache-2.0
/* Structured logging to stderr, logfmt: `ts level "event text" key=value ...`.
 * The event text is constant, data goes into keys.  Values are escaped: no control byte of a client
 * reaches a terminal.  Used by api, server and background threads only. */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum skep_log_level { SKEP_LOG_DEBUG, SKEP_LOG_INFO, SKEP_LOG_WARN, SKEP_LOG_ERROR };

struct skep_log_kv {
    const char *key;
    enum { SKEP_KV_STR, SKEP_KV_I64, SKEP_KV_U64, SKEP_KV_F64 } kind;
    skep_str s;
    int64_t i;
    uint64_t u;
    double f;
};

#define SKEP_K_STR(k, v) ((struct skep_log_kv){.key = (k), .kind = SKEP_KV_STR, .s = (v)})
#define SKEP_K_CSTR(k, v)                                                                          \
    ((struct skep_log_kv){.key = (k), .kind = SKEP_KV_STR, .s = skep_str_c(v)})
#define SKEP_K_I64(k, v) ((struct skep_log_kv){.key = (k), .kind = SKEP_KV_I64, .i = (v)})
#define SKEP_K_U64(k, v) ((struct skep_log_kv){.key = (k), .kind = SKEP_KV_U64, .u = (v)})
#define SKEP_K_F64(k, v) ((struct skep_log_kv){.key = (k), .kind = SKEP_KV_F64, .f = (v)})
#define SKEP_K_RC(v)     SKEP_K_CSTR("rc", skep_rc_info(v)->name)

/* Write one line if the level is on.  kv[n] borrowed; use through skep_log().  Threads: any. */
void skep_log_at(enum skep_log_level level, const char *event, const struct skep_log_kv *kv,
                 size_t n);
/* Messages below this level are dropped; default INFO. */
void skep_log_set_level(enum skep_log_level level);

#define skep_log(level, event, ...)                                                                \
    skep_log_at(SKEP_LOG_##level, "" event, (const struct skep_log_kv[]){__VA_ARGS__},             \
                sizeof((const struct skep_log_kv[]){__VA_ARGS__}) / sizeof(struct skep_log_kv))
