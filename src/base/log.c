// SPDX-License-Identifier: Apache-2.0
/* Structured logging.  One write(2) a line, so lines of threads do not mix.
 * Threads: any. */
#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"

static _Atomic int min_level = SKEP_LOG_INFO;

void skep_log_set_level(enum skep_log_level level)
{
    atomic_store_explicit(&min_level, (int)level, memory_order_relaxed);
}

static void put_value(struct skep_buf *b, skep_str s)
{
    bool plain = s.n > 0;
    for (size_t i = 0; i < s.n && plain; i++)
        plain = s.p[i] > ' ' && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '=' && s.p[i] != '\\';
    if (plain) {
        skep_buf_str(b, s);
        return;
    }
    skep_buf_u8(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            skep_buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0))
            skep_buf_printf(b, "\\x%02x", c);
        else
            skep_buf_u8(b, c);
    }
    skep_buf_u8(b, '"');
}

static void put_kv(struct skep_buf *b, const struct skep_log_kv *kv)
{
    skep_buf_printf(b, " %s=", kv->key);
    switch (kv->kind) {
    case SKEP_KV_STR: put_value(b, kv->s); break;
    case SKEP_KV_I64: skep_buf_printf(b, "%" PRId64, kv->i); break;
    case SKEP_KV_U64: skep_buf_printf(b, "%" PRIu64, kv->u); break;
    case SKEP_KV_F64: skep_buf_printf(b, "%.6g", kv->f); break;
    }
}

void skep_log_at(enum skep_log_level level, const char *event, const struct skep_log_kv *kv,
                 size_t n)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    struct skep_buf b;
    struct timespec ts;
    struct tm tm;

    if ((int)level < atomic_load_explicit(&min_level, memory_order_relaxed))
        return;
    skep_buf_init(&b, 16384);
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    skep_buf_printf(&b, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s ", tm.tm_year + 1900,
                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                    ts.tv_nsec / 1000000, names[level]);
    put_value(&b, skep_str_c(event));
    for (size_t i = 0; i < n && kv[i].key; i++)
        put_kv(&b, &kv[i]);
    skep_buf_u8(&b, '\n');
    if (b.n)
        (void)!write(STDERR_FILENO, b.p, b.n);
    skep_buf_done(&b);
}
