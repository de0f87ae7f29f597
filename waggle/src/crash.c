// SPDX-License-Identifier: Apache-2.0
/*
 * crash.c - the handler of signals that end a program
 *
 *   install    opens DIR/waggle-crash-PID-N, locks it, encodes the modules, calls backtrace() once
 *   handler    1. a record with the address of the crash alone, written at once
 *              2. the stack, and a fuller record with the same key
 *              3. the signal's former owner again: for a fault by returning, else by raising it
 *   remove     gives the signals back; an empty file goes
 *
 * Everything that the handler reads is in static memory. It calls clock_gettime, syscall(gettid),
 * prctl, open, pread, write, sigaction, raise, alarm and, for the stack, backtrace(), which after
 * its first call takes no memory and (glibc 2.35 and later) no lock. Should it crash all the same,
 * the kernel ends the process, for all signals are blocked; should it hang, an alarm does. The
 * first record is in the file then.
 *
 * A call through a wild pointer has no frame of its own: the address of the crash is in no module,
 * and the unwinder would stop there. The return address stands at the stack's top; the handler
 * unwinds from there and puts the registers back.
 *
 * Threads: install, refresh and remove one at a time (a lock). The handler is any thread's; of two
 * that crash at once the first writes and the other waits for the end.
 */
#include "sdk_priv.h"

#include "crash_record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "waggle/error.h"

enum { ALT_STACK_BYTES = 128 << 10, HANG_S = 5, PATH_BYTES_MAX = 1024, FILES_TRIED_MAX = 64 };

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};

static pthread_mutex_t crash_lock = PTHREAD_MUTEX_INITIALIZER;

/* What the handler needs, made before. */
static struct {
    int fd;
    bool installed;
    char path[PATH_BYTES_MAX];
    struct sigaction before[WAGGLE__COUNT(crash_signals)];
    waggle_str version;
    char version_text[128];
    _Atomic uint32_t note_n;
    char note[WAGGLE__CRASH_TEXT + 1];
    _Atomic uint32_t which; /* of the two module tables, the one that is whole */
    uint32_t modules_n[2];
    uint8_t modules[2][WAGGLE__MODULES_BYTES];
    _Atomic long crashing; /* the thread whose crash it is; 0: none */
    uint8_t record[WAGGLE__CRASH_BYTES];
} crash = {.fd = -1};

/* --- the handler --------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define PC_OF(u) ((u)->uc_mcontext.gregs[REG_RIP])
#define SP_OF(u) ((u)->uc_mcontext.gregs[REG_RSP])
#elif defined(__aarch64__)
#define PC_OF(u) ((u)->uc_mcontext.pc)
#define SP_OF(u) ((u)->uc_mcontext.sp)
#endif

static void write_record(const struct waggle__crash *c)
{
    size_t n = waggle__crash_encode(c, crash.record);
    for (size_t at = 0; at < n;) {
        ssize_t w = write(crash.fd, crash.record + at, n - at);
        if (w <= 0 && errno != EINTR)
            return; // nobody to tell
        at += w > 0 ? (size_t)w : 0;
    }
}

static bool is_mapped_code(waggle_str modules, uint64_t pc)
{
    struct waggle__module m;
    for (waggle_cursor c = {0}; waggle__module_next(modules, &c, &m);)
        if (pc >= m.low && pc < m.high)
            return true;
    return false;
}

#if defined(__x86_64__)
/* A word of this process's memory, which may not be there: the kernel looks, and says so. */
static bool peek(uint64_t address, uint64_t *ret)
{
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    bool there = fd >= 0 && pread(fd, ret, sizeof *ret, (off_t)address) == (ssize_t)sizeof *ret;
    if (fd >= 0)
        (void)close(fd); // only read
    return there;
}
#endif

/* The stack, from the crash on: what lies above it is the handler's. */
static void unwind(struct waggle__crash *c, uint64_t pc, bool skip_pc)
{
    uint64_t pcs[WAGGLE__PCS_MAX];
    size_t n = waggle__backtrace(pcs);
    size_t first = 0;
    while (first < n && pcs[first] != pc)
        first++;
    if (first == n)
        return; // it did not get past the handler: the first record stays
    size_t at = skip_pc ? 1 : 0;
    for (size_t i = first; i < n && at < WAGGLE__PCS_MAX; i++)
        c->pcs[at++] = pcs[i];
    c->n_pcs = at;
}

static void record_stack(struct waggle__crash *c, ucontext_t *u)
{
#if defined(PC_OF)
    uint64_t pc = (uint64_t)PC_OF(u);
    c->pcs[0] = pc;
    c->n_pcs = 1;
    c->exact = 1;
    write_record(c);
#if defined(__x86_64__)
    uint64_t back = 0;
    if (!is_mapped_code(c->modules, pc) && peek((uint64_t)SP_OF(u), &back) &&
        is_mapped_code(c->modules, back)) {
        const mcontext_t saved = u->uc_mcontext;
        PC_OF(u) = (long long)back;
        SP_OF(u) += 8;
        unwind(c, back, true);
        u->uc_mcontext = saved;
        write_record(c);
        return;
    }
#endif
    unwind(c, pc, false);
    write_record(c);
#else
    (void)u;
    write_record(c);
    c->n_pcs = waggle__backtrace(c->pcs);
    write_record(c);
#endif
}

static void record_crash(int signal, const siginfo_t *info, ucontext_t *u, long tid)
{
    static struct waggle__crash c; // not on a stack that may be short
    static waggle_span_context span;
    static char name[17];
    struct timespec now = {0, 0};
    uint32_t which = atomic_load_explicit(&crash.which, memory_order_acquire);
    (void)clock_gettime(CLOCK_REALTIME, &now); // else it happened in 1970
    c.signal = (uint32_t)signal;
    c.code = info->si_code;
    c.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    c.fault_address = info->si_code > 0 ? (uint64_t)(uintptr_t)info->si_addr : 0;
    c.pid = (uint32_t)getpid();
    c.tid = (uint32_t)tid;
    c.key = c.time_ns ^ (uint64_t)c.tid << 40;
    if (waggle_span_get_context(waggle_span_current(), &span)) {
        for (size_t i = 0; i < 16; i++)
            c.trace_id[i] = span.trace_id[i];
        for (size_t i = 0; i < 8; i++)
            c.span_id[i] = span.span_id[i];
        c.flags = span.flags;
    }
    if (prctl(PR_GET_NAME, name, 0, 0, 0) == 0)
        c.thread_name = (waggle_str){name, strlen(name)};
    c.note = (waggle_str){crash.note, atomic_load_explicit(&crash.note_n, memory_order_acquire)};
    c.version = crash.version;
    c.modules = (waggle_str){(const char *)crash.modules[which], crash.modules_n[which]};
    record_stack(&c, u);
}

static void restore_signal(int signal)
{
    for (size_t i = 0; i < WAGGLE__COUNT(crash_signals); i++)
        if (crash_signals[i] == signal)
            (void)sigaction(signal, &crash.before[i], NULL); // as it was before: does not fail
}

static void handle(int signal, siginfo_t *info, void *context)
{
    int saved = errno;
    long tid = syscall(SYS_gettid);
    long nobody = 0;
    if (atomic_compare_exchange_strong(&crash.crashing, &nobody, tid)) {
        struct sigaction end = {.sa_handler = SIG_DFL};
        (void)sigaction(SIGALRM, &end, NULL); // none of these fails with these arguments
        sigset_t alarm_only;
        (void)sigemptyset(&alarm_only);
        (void)sigaddset(&alarm_only, SIGALRM);
        (void)pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
        (void)alarm(HANG_S);
        record_crash(signal, info, context, tid);
        (void)alarm(0);
    } else if (nobody != tid) {
        for (;;)
            (void)pause(); // another thread's crash ends the process
    }
    restore_signal(signal);
    if (info->si_code <= 0)
        (void)raise(signal); // sent, not a fault: it would not come again by itself
    errno = saved;
}

/* --- before -------------------------------------------------------------------------------- */

void waggle_crash_refresh(void)
{
    struct waggle__buf table;
    (void)pthread_mutex_lock(&crash_lock); // fails only for a mutex that is none
    uint32_t next = 1 - atomic_load_explicit(&crash.which, memory_order_relaxed);
    waggle__buf_init(&table, WAGGLE__MODULES_BYTES);
    waggle__modules_encode(&table);
    memcpy(crash.modules[next], table.p, table.n);
    crash.modules_n[next] = (uint32_t)table.n;
    atomic_store_explicit(&crash.which, next, memory_order_release);
    waggle__buf_done(&table);
    (void)pthread_mutex_unlock(&crash_lock); // as above
}

void waggle_crash_note(const char *text)
{
    size_t n = text != NULL ? WAGGLE__MIN(strlen(text), (size_t)WAGGLE__CRASH_TEXT) : 0;
    (void)pthread_mutex_lock(&crash_lock); // fails only for a mutex that is none
    atomic_store_explicit(&crash.note_n, 0, memory_order_release);
    memcpy(crash.note, text != NULL ? text : "", n);
    atomic_store_explicit(&crash.note_n, (uint32_t)n, memory_order_release);
    (void)pthread_mutex_unlock(&crash_lock); // as above
}

static pthread_key_t alt_stack_key;
static pthread_once_t alt_stack_once = PTHREAD_ONCE_INIT;
static bool alt_stack_ok;

static void free_alt_stack(void *p)
{
    stack_t off = {.ss_flags = SS_DISABLE};
    (void)sigaltstack(&off, NULL); // the thread is at its end
    (void)munmap(p, ALT_STACK_BYTES);
}

static void make_alt_stack_key(void)
{
    alt_stack_ok = pthread_key_create(&alt_stack_key, free_alt_stack) == 0;
}

bool waggle_crash_thread(void)
{
    stack_t have;
    (void)pthread_once(&alt_stack_once, make_alt_stack_key); // does not fail
    if (sigaltstack(NULL, &have) == 0 && (have.ss_flags & SS_DISABLE) == 0)
        return true; // somebody's own serves
    void *p = alt_stack_ok ? mmap(NULL, ALT_STACK_BYTES, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                           : MAP_FAILED;
    if (p == MAP_FAILED)
        return false;
    stack_t mine = {.ss_sp = p, .ss_size = ALT_STACK_BYTES};
    if (sigaltstack(&mine, NULL) == 0 && pthread_setspecific(alt_stack_key, p) == 0)
        return true;
    free_alt_stack(p);
    return false;
}

/* A new file, locked for as long as a process has it open: who reads it knows by that that its
 * owner lives. */
static int open_spool(const char *directory)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return -errno;
    for (unsigned i = 0; i < FILES_TRIED_MAX; i++) {
        int n = snprintf(crash.path, sizeof crash.path, "%s/waggle-crash-%ld-%u", directory,
                         (long)getpid(), i);
        if (n < 0 || (size_t)n >= sizeof crash.path)
            return -ENAMETOOLONG;
        int fd =
            open(crash.path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0) {
            (void)flock(fd, LOCK_EX | LOCK_NB); // ours alone: nobody knows its name yet
            return fd;
        }
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

static void remember_version(void)
{
    waggle_str version = {"", 0};
    struct waggle_provider *provider = waggle_provider_global();
    if (provider == NULL || provider->resource == NULL ||
        !waggle_resource_get_str(provider->resource, "service.version", &version))
        version.n = 0;
    crash.version.n = WAGGLE__MIN(version.n, sizeof crash.version_text);
    memcpy(crash.version_text, version.p, crash.version.n);
    crash.version.p = crash.version_text;
}

static int install_handlers(void)
{
    struct sigaction mine = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    mine.sa_sigaction = handle;
    (void)sigfillset(&mine.sa_mask); // does not fail
    for (size_t i = 0; i < WAGGLE__COUNT(crash_signals); i++)
        if (sigaction(crash_signals[i], &mine, &crash.before[i]) != 0)
            return -errno;
    return 0;
}

int waggle_crash_install(const char *directory)
{
    uint64_t pcs[WAGGLE__PCS_MAX];
    (void)pthread_mutex_lock(&crash_lock); // fails only for a mutex that is none
    int result = crash.installed ? -EALREADY : open_spool(directory);
    if (result >= 0) {
        crash.fd = result;
        crash.installed = true;
        remember_version();
    }
    (void)pthread_mutex_unlock(&crash_lock); // as above
    if (result < 0)
        return result;
    (void)waggle__backtrace(pcs); // the first call loads the unwinder
    waggle_crash_refresh();
    (void)waggle_crash_thread(); // without: an overflow of this stack is not told
    return install_handlers();
}

void waggle_crash_remove(void)
{
    struct stat st;
    (void)pthread_mutex_lock(&crash_lock); // fails only for a mutex that is none
    if (crash.installed) {
        for (size_t i = 0; i < WAGGLE__COUNT(crash_signals); i++)
            restore_signal(crash_signals[i]);
        if (fstat(crash.fd, &st) == 0 && st.st_size == 0)
            (void)unlink(crash.path); // else the next start removes it
        (void)close(crash.fd);        // nothing is buffered
        crash.fd = -1;
        crash.installed = false;
    }
    (void)pthread_mutex_unlock(&crash_lock); // as above
}
