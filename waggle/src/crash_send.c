// SPDX-License-Identifier: Apache-2.0
/*
 * crash_send.c - crashes of processes that are no more, reported as log records
 *
 * A file that somebody holds the lock of belongs to a process that lives. Of several records with
 * the same key the last one is the fullest. A file goes when its reports were delivered, when
 * nothing stands in it, or after 30 days.
 *
 * Threads: one at a time, by the lock of each file: two processes that start at once share the
 * files among them. Memory: a file, at most 1 MiB, and the text of a stack.
 */
#include "sdk_priv.h"

#include "crash_record.h"
#include "json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "waggle/error.h"

enum { SPOOL_BYTES_MAX = 1 << 20, SPOOL_FILES_MAX = 256, CRASH_STACK_MAX = 40 << 10 };

#define KEPT_S INT64_C(2592000) /* 30 days */

static void emit_crash(struct waggle_logger *logger, const struct waggle__crash *c)
{
    char message[128];
    char address[32];
    struct waggle__buf stack;
    waggle_context context;
    waggle__buf_init(&stack, CRASH_STACK_MAX);
    waggle__stack_text(&stack, c->pcs, c->n_pcs, c->exact, c->modules, false);
    waggle__signal_text(c, message, sizeof message);
    (void)snprintf(address, sizeof address, "0x%llx", (unsigned long long)c->fault_address); // fits
    waggle_context_init(&context);
    memcpy(context.remote.trace_id, c->trace_id, 16);
    memcpy(context.remote.span_id, c->span_id, 8);
    context.remote.flags = c->flags;
    context.remote.is_remote = true;
    waggle_kv kv[12];
    size_t n = 0;
    kv[n++] = waggle_kv_str("exception.type", waggle__signal_name(c->signal));
    kv[n++] = waggle_kv_str("exception.message", message);
    kv[n++] = waggle_kv_strn("exception.stacktrace", (const char *)stack.p, stack.n);
    kv[n++] = waggle_kv_i64("process.pid", c->pid);
    kv[n++] = waggle_kv_i64("thread.id", c->tid);
    kv[n++] = waggle_kv_i64("process.exit.signal", c->signal);
    kv[n++] = waggle_kv_strn("thread.name", c->thread_name.p, c->thread_name.n);
    if (c->fault_address != 0)
        kv[n++] = waggle_kv_str("crash.fault_address", address);
    if (c->note.n > 0)
        kv[n++] = waggle_kv_strn("crash.note", c->note.p, c->note.n);
    if (c->version.n > 0)
        kv[n++] = waggle_kv_strn("service.version", c->version.p, c->version.n);
    waggle_log_emit(logger, &(waggle_log_record){.struct_size = sizeof(waggle_log_record),
                                                 .time_ns = c->time_ns,
                                                 .severity = WAGGLE_FATAL,
                                                 .body = waggle_value_str(message),
                                                 .attributes = waggle_attrs_of(kv, n),
                                                 .event_name = WAGGLE__REPORT_EVENT,
                                                 .context = &context});
    waggle__buf_done(&stack);
}

/* Report what stands in the bytes of a file; returns the number of crashes. */
static int emit_crashes(struct waggle_logger *logger, const uint8_t *p, size_t n)
{
    struct waggle__crash *c = malloc(2 * sizeof *c);
    size_t at = 0;
    int crashes = 0;
    bool pending = false;
    if (c == NULL)
        return 0;
    while (waggle__crash_next(p, n, &at, &c[1])) {
        if (pending && c[0].key != c[1].key) {
            emit_crash(logger, &c[0]);
            crashes++;
        }
        c[0] = c[1];
        pending = true;
    }
    if (pending) {
        emit_crash(logger, &c[0]);
        crashes++;
    }
    free(c);
    return crashes;
}

static uint64_t lost_so_far(void)
{
    static const enum waggle__counter all[] = {WAGGLE__QUEUE_FULL, WAGGLE__TOO_LARGE,
                                               WAGGLE__SHUTDOWN,   WAGGLE__FAILED,
                                               WAGGLE__TIMEOUT,    WAGGLE__REJECTED};
    uint64_t n = 0;
    for (size_t i = 0; i < WAGGLE__COUNT(all); i++)
        n += waggle__counted(all[i]);
    return n;
}

/* Read a whole file that is ours, no longer written to, and no link; false if there is none. */
static bool read_spool(int fd, uint8_t **ret, size_t *ret_n, bool *ret_old)
{
    struct stat st;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_uid != geteuid())
        return false;
    int64_t now = (int64_t)(waggle__os.realtime_ns() / 1000000000u);
    *ret_old = now - (int64_t)st.st_mtime > KEPT_S;
    size_t n = st.st_size > SPOOL_BYTES_MAX ? SPOOL_BYTES_MAX : (size_t)st.st_size;
    uint8_t *p = malloc(n + 1);
    size_t have = 0;
    while (p != NULL && have < n) {
        ssize_t r = read(fd, p + have, n - have);
        if (r <= 0 && errno != EINTR)
            break;
        have += r > 0 ? (size_t)r : 0;
    }
    *ret = p;
    *ret_n = have;
    return p != NULL;
}

/* One file, and what became of it. */
struct spool {
    char name[64];
    int fd; /* locked */
};

/* Report a file; returns the number of crashes, and -1 if it is not for us. */
static int send_file(struct waggle_logger *logger, int dir, const char *name, struct spool *ret)
{
    uint8_t *p = NULL;
    size_t n = 0;
    bool old = false;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || strlen(name) >= sizeof ret->name || !read_spool(fd, &p, &n, &old)) {
        if (fd >= 0)
            (void)close(fd); // only read
        return -1;
    }
    int crashes = old ? 0 : emit_crashes(logger, p, n);
    free(p);
    memcpy(ret->name, name, strlen(name) + 1);
    ret->fd = fd;
    return crashes;
}

static int send_all_files(struct waggle_logger *logger, DIR *directory, struct spool *spools,
                          size_t *ret_n)
{
    static const char prefix[] = "waggle-crash-";
    int crashes = 0;
    for (const struct dirent *d = readdir(directory); d != NULL && *ret_n < SPOOL_FILES_MAX;
         d = readdir(directory)) {
        if (strncmp(d->d_name, prefix, sizeof prefix - 1) != 0)
            continue;
        int one = send_file(logger, dirfd(directory), d->d_name, &spools[*ret_n]);
        if (one >= 0)
            (*ret_n)++;
        crashes += one > 0 ? one : 0;
    }
    return crashes;
}

int waggle_crash_send(const char *path, uint32_t timeout_ms)
{
    struct waggle_logger *logger = waggle_logger_get("waggle.crash", WAGGLE_VERSION);
    size_t n = 0;
    if (!waggle_logger_enabled(logger))
        return 0; // nobody would hear: the files stay
    DIR *directory = opendir(path);
    if (directory == NULL)
        return errno == ENOENT ? 0 : -errno;
    struct spool *spools = calloc(SPOOL_FILES_MAX, sizeof *spools);
    uint64_t lost = lost_so_far();
    int crashes = spools != NULL ? send_all_files(logger, directory, spools, &n) : -ENOMEM;
    bool sent = crashes == 0 || (waggle_flush(timeout_ms) && lost_so_far() == lost);
    for (size_t i = 0; i < n; i++) {
        if (sent)
            (void)unlinkat(dirfd(directory), spools[i].name, 0); // else it is reported once more
        (void)close(spools[i].fd);                               // only read
    }
    if (!sent)
        waggle__error(WAGGLE_LEVEL_WARN, "%d crashes could not be reported, keeping their files",
                      crashes);
    free(spools);
    (void)closedir(directory); // only read
    return crashes;
}
