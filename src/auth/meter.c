// SPDX-License-Identifier: Apache-2.0
/* What a key was used for: this minute, this day, and when last.
 *
 *   pass: used up? -> seconds until the minute or day ends      add: events and bytes that came
 *
 * A request is counted when its rows are known and refused only when a limit was reached before it
 * came: requests under way at once can pass a limit by what they carry together.  Minutes and days
 * are those of UTC.
 *
 * I1  the day's counts survive a restart (written with last_used, once a minute).
 * Threads: any; one lock a key, held for a few additions. */
#include "auth/auth_priv.h"
#include "base/mem.h"

static const int64_t ns_per_s = 1000000000;

struct skep_auth__meter *skep_auth__meter_new(uint64_t number, const struct skep_key_use *use)
{
    struct skep_auth__meter *m = skep_alloc(struct skep_auth__meter);
    m->number = number;
    m->use = *use;
    skep_mutex_init(&m->mu, "key meter");
    return m;
}

void skep_auth__meter_free(struct skep_auth__meter *m)
{
    skep_mutex_done(&m->mu);
    skep_free(m);
}

static void turn_locked(struct skep_auth__meter *m, int64_t now_ns)
{
    int64_t minute = now_ns / ns_per_s / 60;
    int64_t day = minute / 1440;
    if (m->minute != minute) {
        m->minute = minute;
        m->minute_events = m->minute_bytes = 0;
    }
    if (m->use.day != day) {
        m->use.day = day;
        m->use.day_events = m->use.day_bytes = 0;
    }
}

int skep_auth__meter_pass(struct skep_auth__meter *m, const struct skep_key_limits *limits,
                          int64_t now_ns, const char **ret_limit)
{
    int64_t s = now_ns / ns_per_s;
    const int minute_left = (int)(60 - s % 60), day_left = (int)(86400 - s % 86400);
    int wait = 0;
    skep_mutex_lock(&m->mu);
    turn_locked(m, now_ns);
    const struct {
        uint64_t used, limit;
        int wait_s;
        const char *name;
    } checks[] = {
        {m->minute_events, limits->events_per_minute, minute_left, "events a minute"},
        {m->minute_bytes, limits->bytes_per_minute, minute_left, "bytes a minute"},
        {m->use.day_events, limits->events_per_day, day_left, "events a day"},
        {m->use.day_bytes, limits->bytes_per_day, day_left, "bytes a day"},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(checks); i++) {
        if (checks[i].limit && checks[i].used >= checks[i].limit && checks[i].wait_s > wait) {
            wait = checks[i].wait_s;
            *ret_limit = checks[i].name;
        }
    }
    m->use.last_used_ns = now_ns;
    m->dirty = true;
    skep_mutex_unlock(&m->mu);
    return wait;
}

void skep_auth__meter_add(struct skep_auth__meter *m, int64_t now_ns, uint64_t events,
                          uint64_t bytes)
{
    skep_mutex_lock(&m->mu);
    turn_locked(m, now_ns);
    m->minute_events += events;
    m->minute_bytes += bytes;
    m->use.day_events += events;
    m->use.day_bytes += bytes;
    m->dirty = true;
    skep_mutex_unlock(&m->mu);
}

bool skep_auth__meter_take(struct skep_auth__meter *m, struct skep_key_use *ret)
{
    skep_mutex_lock(&m->mu);
    bool dirty = m->dirty;
    m->dirty = false;
    *ret = m->use;
    skep_mutex_unlock(&m->mu);
    return dirty;
}

int64_t skep_auth__meter_last(struct skep_auth__meter *m)
{
    skep_mutex_lock(&m->mu);
    int64_t last_ns = m->use.last_used_ns;
    skep_mutex_unlock(&m->mu);
    return last_ns;
}
