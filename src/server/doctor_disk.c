// SPDX-License-Identifier: Apache-2.0
/* `skep doctor`, on the server's machine: the disk and the data folder.
 *
 *   space    free bytes beside what --disk lets skep take
 *   memory   what is available beside what --memory lets the server take
 *   fsync    a scratch file of one page, written and synced 30 times; median and worst
 *   clock    the newest arrival in the store is not of the future
 *   files    the manifest, what is known to be lost, what is in quarantine
 *
 * Threads: main.  Memory: the manifest. */
#include <stdlib.h>

#include "base/assert.h"
#include "server/doctor.h"

enum { SYNCS = 30, PAGE = 4096 };
static const int64_t slow_ns = 10 * 1000000, unreal_ns = 15 * 1000;

struct size {
    char s[24];
};

static struct size size_of(uint64_t n)
{
    struct size t;
    struct skep_buf b;
    skep_buf_init(&b, sizeof t.s - 1);
    skep_cli_bytes(&b, n);
    memset(&t, 0, sizeof t);
    memcpy(t.s, b.p, b.n);
    skep_buf_done(&b);
    return t;
}

static void space(struct skep_doctor *d)
{
    const struct skep_os *os = d->tool.tool.os;
    struct skep_os_space s;
    skep_err err;
    if (os->space(os, d->tool.data, &s, &err) != SKEP_OK) {
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM, "Look at the disk.", "%s", err.text);
        return;
    }
    uint64_t used = skep_doctor_number(d, "disk", "used_bytes");
    uint64_t limit = skep_doctor_number(d, "disk", "limit_bytes");
    uint64_t more = limit > used ? limit - used : 0;
    if (limit > 0 && more > s.free_bytes)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM,
                        "Free space, or lower --disk: above it the oldest rows go, on a full disk "
                        "new ones are refused.",
                        "the disk has %s free, but --disk lets skep take %s more",
                        size_of(s.free_bytes).s, size_of(more).s);
    else if (s.free_bytes < s.total_bytes / 20)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM, "Free space.", "the disk has only %s of %s free",
                        size_of(s.free_bytes).s, size_of(s.total_bytes).s);
    else
        skep_doctor_say(d, SKEP_DOCTOR_OK, NULL, "the disk has %s free", size_of(s.free_bytes).s);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static skep_rc measure(const struct skep_os *os, const char *path, int64_t ns[SYNCS], skep_err *err)
{
    static const uint8_t page[PAGE];
    int fd;
    unsigned flags = SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC;
    SKEP_TRY(os->open(os, path, flags, &fd, err));
    skep_rc rc = os->preallocate(os, fd, (uint64_t)SYNCS * PAGE, err);
    if (rc == SKEP_OK)
        rc = os->fsync(os, fd, err);
    for (unsigned i = 0; i < SYNCS && rc == SKEP_OK; i++) {
        int64_t begin = os->mono_ns(os);
        rc = os->pwrite(os, fd, page, sizeof page, (uint64_t)i * PAGE, err);
        if (rc == SKEP_OK)
            rc = os->fdatasync(os, fd, err);
        ns[i] = os->mono_ns(os) - begin;
    }
    os->close(os, fd);
    (void)os->unlink(os, path, NULL);
    return rc;
}

static void syncs(struct skep_doctor *d)
{
    const struct skep_os *os = d->tool.tool.os;
    int64_t ns[SYNCS] = {0};
    skep_err err;
    if (measure(os, skep_cli_tool_path(&d->tool, "doctor-scratch.tmp"), ns, &err) != SKEP_OK) {
        skep_doctor_say(d, SKEP_DOCTOR_NOTE, "Run it as the user that the server runs as.",
                        "how fast the disk syncs was not measured: %s", err.text);
        return;
    }
    qsort(ns, SYNCS, sizeof ns[0], by_time);
    double median = (double)ns[SYNCS / 2] / 1e6, worst = (double)ns[SYNCS - 1] / 1e6;
    if (ns[SYNCS / 2] > slow_ns)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM,
                        "Put the data folder on a faster disk, or on one that others do not write "
                        "to.",
                        "an fsync takes %.3g ms here (worst of %d: %.3g ms): every acknowledgement "
                        "waits for one",
                        median, SYNCS, worst);
    else if (ns[SYNCS / 2] < unreal_ns)
        skep_doctor_say(d, SKEP_DOCTOR_NOTE,
                        "If this is a memory disk, or a disk whose cache survives no power cut, "
                        "what was acknowledged may be lost with the power.",
                        "an fsync takes %.3g ms here, which no disk does that writes", median);
    else
        skep_doctor_say(d, SKEP_DOCTOR_OK, NULL, "an fsync takes %.3g ms (worst of %d: %.3g ms)",
                        median, SYNCS, worst);
}

static void ignore(void *ctx, const struct skep_finding *f)
{
    (void)ctx;
    skep_assert(f != NULL);
}

struct manifest {
    struct skep_doctor *d;
    int64_t newest_ns;
    uint64_t segments, missing;
};

static void on_item(void *ctx, const char *what, const struct skep_dump_value *v, unsigned n)
{
    struct manifest *m = ctx;
    bool add = false;
    if (!skep_str_eq(skep_str_c(what), SKEP_STR("edit")))
        return;
    for (unsigned i = 0; i < n; i++) {
        skep_str key = skep_str_c(v[i].key);
        if (skep_str_eq(key, SKEP_STR("operation")))
            add = skep_str_eq(v[i].s, SKEP_STR("add segment"));
        if (add && skep_str_eq(key, SKEP_STR("received")))
            m->newest_ns = SKEP_MAX(m->newest_ns, (int64_t)v[i].u);
    }
}

static void wall_clock(struct skep_doctor *d)
{
    const struct skep_os *os = d->tool.tool.os;
    struct manifest m = {.d = d, .newest_ns = INT64_MIN};
    const char *path = skep_cli_tool_path(&d->tool, "rows/MANIFEST");
    if (skep_tool_dump(os, path, on_item, &m, NULL) != SKEP_OK)
        return; /* told with the files */
    int64_t now = os->now_ns(os), ahead = m.newest_ns - now;
    yyjson_val *theirs = yyjson_obj_get(d->status, "now_ns");
    int64_t server = 0;
    if (m.newest_ns != INT64_MIN && ahead > 5ll * 1000000000)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM,
                        "Let a time service keep the clock (chrony, systemd-timesyncd); rows keep "
                        "the times their senders gave.",
                        "the clock was set back: the newest rows arrived %.0f s in the future",
                        (double)ahead / 1e9);
    else if (skep_str_i64((skep_str){yyjson_get_str(theirs), yyjson_get_len(theirs)}, &server) &&
             llabs(server - now) > 2ll * 1000000000)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM, "Let a time service keep both clocks.",
                        "the server's clock and this one are %.1f s apart",
                        (double)llabs(server - now) / 1e9);
    else
        skep_doctor_say(d, SKEP_DOCTOR_OK, NULL, "the clock has not been set back");
}

static bool count_name(void *ctx, skep_str name)
{
    skep_assert(name.n > 0);
    ++*(uint64_t *)ctx;
    return true;
}

static void files(struct skep_doctor *d)
{
    const struct skep_os *os = d->tool.tool.os;
    const struct skep_tool silent = {.os = os, .found = ignore};
    struct skep_verify_result r = {0};
    skep_err err;
    uint64_t n = 0;
    skep_rc rc =
        skep_tool_verify_file(&silent, skep_cli_tool_path(&d->tool, "rows/MANIFEST"), &r, &err);
    if (rc != SKEP_OK || r.damages)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM, "See skep verify, then skep repair.", "%s",
                        rc != SKEP_OK ? err.text : "the manifest is damaged");
    else
        skep_doctor_say(d, SKEP_DOCTOR_OK, NULL,
                        "the manifest is whole (skep verify looks at every byte)");
    if (os->list(os, skep_cli_tool_path(&d->tool, "rows/quarantine"), count_name, &n, NULL) ==
            SKEP_OK &&
        n > 0)
        skep_doctor_say(d, SKEP_DOCTOR_NOTE,
                        "They are served no more; delete them when nobody wants to look at them.",
                        "%llu files lie in quarantine", (unsigned long long)n);
}

/* "MemAvailable:   123 kB" of a file of /proc, which tells no size: byte by byte to its end. */
static uint64_t available_bytes(const struct skep_os *os)
{
    static const skep_str name = SKEP_STR_INIT("MemAvailable:");
    char text[4096];
    size_t n = 0;
    int fd;
    uint64_t kb = 0;
    if (os->open(os, "/proc/meminfo", SKEP_OPEN_READ, &fd, NULL) != SKEP_OK)
        return 0;
    while (n < sizeof text && os->pread(os, fd, text + n, 1, n, NULL) == SKEP_OK)
        n++;
    os->close(os, fd);
    for (skep_str rest = {text, n}; rest.p;) {
        skep_str line = skep_str_cut(&rest, '\n');
        if (!skep_str_starts(line, name))
            continue;
        line = skep_str_trim(skep_str_skip(line, name.n));
        if (skep_str_u64(skep_str_cut(&line, ' '), &kb))
            return kb * 1024;
    }
    return 0;
}

static void memory(struct skep_doctor *d)
{
    uint64_t free_bytes = available_bytes(d->tool.tool.os);
    uint64_t used = skep_doctor_number(d, "memory", "used_bytes");
    uint64_t limit = skep_doctor_number(d, "memory", "limit_bytes");
    if (free_bytes == 0 || limit <= used)
        return;
    if (limit - used > free_bytes)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM,
                        "Lower --memory, or stop something else: the system would end a process.",
                        "the machine has %s free, but the server may take %s more",
                        size_of(free_bytes).s, size_of(limit - used).s);
    else
        skep_doctor_say(d, SKEP_DOCTOR_OK, NULL, "the machine has %s of memory free",
                        size_of(free_bytes).s);
}

void skep_doctor_disk(struct skep_doctor *d)
{
    skep_assert(d->has_data);
    space(d);
    memory(d);
    syncs(d);
    wall_clock(d);
    files(d);
}
