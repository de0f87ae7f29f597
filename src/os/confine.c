// SPDX-License-Identifier: Apache-2.0
/* Bounding this process before it reads what may be hostile (run.h).
 *
 *   limits      memory, processor time, no files to write, no processes, no core
 *   filter      system calls of `allowed`, by libseccomp; mappings only without PROT_EXEC.  All
 * others fail with EACCES, as a file that may not be read does: libraries that look for more (libdw
 * for a file that a file names) go on without it.  Calls of another architecture end the process.
 *
 * What was opened before stays: input, output and errors.
 *
 * I1  a filter that cannot be loaded ends the process: what was to be confined does not run free.
 * Sanitizers need more memory and more calls than any of this leaves; in their builds there is
 * neither a limit of memory nor a filter.
 *
 * Threads: a process with one. */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/run.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#elif defined(__has_feature)
static const bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
static const bool sanitized = false;
#endif

/* Reading and writing what is open, memory, time, an end. */
static const int allowed[] = {
    SCMP_SYS(read),         SCMP_SYS(readv),          SCMP_SYS(pread64),
    SCMP_SYS(write),        SCMP_SYS(writev),         SCMP_SYS(lseek),
    SCMP_SYS(close),        SCMP_SYS(fstat),          SCMP_SYS(munmap),
    SCMP_SYS(mremap),       SCMP_SYS(madvise),        SCMP_SYS(brk),
    SCMP_SYS(futex),        SCMP_SYS(getrandom),      SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday), SCMP_SYS(getpid),         SCMP_SYS(gettid),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),  SCMP_SYS(tgkill),         SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),  SCMP_SYS(exit),           SCMP_SYS(exit_group),
};
/* Third argument: protection. */
static const int mapping[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};

static bool add_rules(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    bool ok = true;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(allowed); i++)
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(mapping); i++)
        ok = ok && seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, mapping[i], 1, &no_code) == 0;
    /* stat of a descriptor: what C libraries call it by is not one call */
    const struct scmp_arg_cmp of_fd =
        SCMP_A3(SCMP_CMP_MASKED_EQ, 0x1000, 0x1000); /* AT_EMPTY_PATH */
    return ok &&
           seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, &of_fd) == 0;
}

static bool load_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EACCES));
    if (!filter)
        return false;
    bool ok = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
              add_rules(filter) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

void skep_os_confine(uint64_t memory_bytes, unsigned cpu_s)
{
    const struct rlimit none = {0, 0}, few = {16, 16}, cpu = {cpu_s, cpu_s + 1};
    const struct rlimit memory = {memory_bytes, memory_bytes};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)setrlimit(RLIMIT_FSIZE, &none);
    (void)setrlimit(RLIMIT_NOFILE, &few);
    (void)setrlimit(RLIMIT_NPROC, &none);
    (void)setrlimit(RLIMIT_CPU, &cpu);
    if (!sanitized) /* sanitizers map terabytes that nobody uses */
        (void)setrlimit(RLIMIT_AS, &memory);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!sanitized && !load_filter()) {
        static const char text[] = "the filter of system calls cannot be loaded\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        _exit(EXIT_FAILURE); /* I1 */
    }
}
