// SPDX-License-Identifier: Apache-2.0
/* A confined process: what it may still do, and what it may not.  This program starts itself. */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/run.h"
#include "support/instrumented.h"

static void say(const char *what, bool went)
{
    (void)printf("%s: %s\n", what, went ? "yes" : errno == EACCES ? "refused" : "failed");
    errno = 0;
}

static bool spawns(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool maps(int protection)
{
    void *p = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED && munmap(p, 4096) == 0;
}

static bool makes_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static int confined(void)
{
    char in[8] = "";
    struct stat s;
    char *const none[] = {NULL};
    skep_os_confine(1ull << 30, 10);
    say("reads", read(0, in, sizeof in) == 5 && strncmp(in, "input", 5) == 0);
    say("stats what is open", fstat(0, &s) == 0);
    void *p = malloc(64 << 20);
    say("allocates", p != NULL);
    free(p);
    say("maps", maps(PROT_READ | PROT_WRITE));
    say("maps code", maps(PROT_READ | PROT_EXEC));
    say("makes code of data", makes_code());
    say("opens", open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
    say("stats", stat("/etc/passwd", &s) == 0);
    say("writes a file", open("/tmp/skep-test-confine", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0);
    say("connects", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
    say("forks", spawns());
    say("runs", execve("/bin/true", none, none) == 0);
    say("kills", kill(getppid(), 0) == 0);
    return fflush(stdout) == 0 ? 0 : 1;
}

static void test_confined(void **state)
{
    static const char expected[] =
        "reads: yes\nstats what is open: yes\nallocates: yes\nmaps: yes\n"
        "maps code: refused\nmakes code of data: refused\n"
        "opens: refused\nstats: refused\nwrites a file: refused\n"
        "connects: refused\nforks: refused\nruns: refused\n"
        "kills: refused\n";
    const char *const argv[] = {"/proc/self/exe", "confined", NULL};
    struct skep_buf out;
    skep_err err = {.text = ""};
    (void)state;
    if (SKEP_INSTRUMENTED)
        skip(); /* sanitizers need more than this leaves */
    skep_buf_init(&out, 4096);
    skep_rc rc = skep_os_run(argv, (skep_bytes){(const uint8_t *)"input", 5}, &out, 30000, &err);
    skep_buf_u8(&out, 0);
    assert_string_equal(out.p, expected);
    assert_int_equal(rc, SKEP_OK);
    skep_buf_done(&out);
}

/* What reads more than its memory, or for longer than its time, ends; nothing else does. */
static void test_bounds(void **state)
{
    struct skep_buf out;
    skep_err err = {.text = ""};
    (void)state;
    if (SKEP_INSTRUMENTED)
        skip();
    skep_buf_init(&out, 4096);
    const char *const spins[] = {"/proc/self/exe", "spins", NULL};
    assert_int_equal(skep_os_run(spins, (skep_bytes){NULL, 0}, &out, 60000, &err), SKEP_EINVAL);
    const char *const eats[] = {"/proc/self/exe", "eats", NULL};
    assert_int_equal(skep_os_run(eats, (skep_bytes){NULL, 0}, &out, 60000, &err), SKEP_OK);
    skep_buf_u8(&out, 0);
    assert_string_equal(out.p, "no more\n");
    skep_buf_done(&out);
}

static int eats(void)
{
    skep_os_confine(128 << 20, 10);
    for (int i = 0; i < 64; i++) {
        if (malloc(8 << 20) == NULL)
            return puts("no more") < 0;
    }
    return 1;
}

static int spins(void)
{
    skep_os_confine(128 << 20, 1);
    static volatile bool never;
    while (!never) {
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_confined),
                                       cmocka_unit_test(test_bounds)};
    if (argc == 2)
        return strcmp(argv[1], "confined") == 0 ? confined()
               : strcmp(argv[1], "eats") == 0   ? eats()
                                                : spins();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
