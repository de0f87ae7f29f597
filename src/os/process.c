// SPDX-License-Identifier: Apache-2.0
/* What the system says of this process, from /proc.  Where there is none, zeros.
 * Threads: any.  Memory: none. */
#include "os/os.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"

/* The text of a small file; its length. */
static size_t read_file(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, buf, cap - 1);
    (void)close(fd);
    buf[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

/* The nth word, from 0. */
static uint64_t word(skep_str text, unsigned n)
{
    uint64_t v = 0;
    skep_str w = SKEP_STR_NULL;
    for (unsigned i = 0; i <= n; i++)
        w = skep_str_cut(&text, ' ');
    return skep_str_u64(skep_str_trim(w), &v) ? v : 0;
}

static uint64_t count_fds(void)
{
    uint64_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n > 3 ? n - 3 : 0; /* without ".", ".." and the folder's own */
}

/* When the system started, unix seconds, to a hundredth: the two clocks drift apart by less. */
static double boot_time_s(void)
{
    struct timespec now, up;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || clock_gettime(CLOCK_BOOTTIME, &up) != 0)
        return 0;
    int64_t ns = (now.tv_sec - up.tv_sec) * INT64_C(1000000000) + now.tv_nsec - up.tv_nsec;
    return (double)(ns / 10000000) / 100;
}

void skep_os_process(struct skep_os_process *ret)
{
    char buf[1024];
    struct rusage usage;
    struct rlimit limit;
    *ret = (struct skep_os_process){0};
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        ret->cpu_ns = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000000) +
                      (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * INT64_C(1000);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        ret->max_fds = limit.rlim_cur;
    ret->open_fds = count_fds();
    size_t n = read_file("/proc/self/statm", buf, sizeof buf);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    ret->virtual_bytes = word((skep_str){buf, n}, 0) * page;
    ret->resident_bytes = word((skep_str){buf, n}, 1) * page;
    n = read_file("/proc/self/stat", buf, sizeof buf);
    /* Behind the name, which may hold anything. */
    const char *name_end = memrchr(buf, ')', n);
    if (!name_end)
        return;
    skep_str rest = {name_end + 2, n - (size_t)(name_end + 2 - buf)};
    ret->threads = word(rest, 17);
    uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
    ret->start_s = boot_time_s() + (double)word(rest, 19) / (double)ticks;
}

void skep_os_no_core(void)
{
    /* 1, not 0: of a core_pattern that names a program the kernel heeds this limit alone
     * (fs/coredump.c), and a file of one byte it does not begin. */
    const struct rlimit one = {1, 1};
    const struct rlimit none = {0, 0}; /* where the hard limit is 0 already */
    if (setrlimit(RLIMIT_CORE, &one) != 0)
        (void)setrlimit(RLIMIT_CORE, &none); /* lowering is always allowed */
}
