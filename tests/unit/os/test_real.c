// SPDX-License-Identifier: Apache-2.0
/* The real os: what each call promises, on a directory of its own under /tmp. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

static char dir[64];

static char *path(const char *name)
{
    static char buf[2][160];
    static int turn;
    turn = !turn;
    (void)snprintf(buf[turn], sizeof buf[turn], "%s/%s", dir, name);
    return buf[turn];
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/skep-os-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static bool count_and_remove(void *ctx, skep_str name)
{
    const struct skep_os *os = skep_os_real();
    char p[160];
    (void)snprintf(p, sizeof p, "%s/" SKEP_STRFMT, dir, SKEP_STRARG(name));
    struct skep_os_stat st;
    if (os->stat(os, p, &st, NULL) == SKEP_OK && !st.is_dir)
        (void)os->unlink(os, p, NULL);
    else
        (void)rmdir(p);
    ++*(int *)ctx;
    return true;
}

static int teardown(void **state)
{
    (void)state;
    int n = 0;
    const struct skep_os *os = skep_os_real();
    (void)os->list(os, dir, count_and_remove, &n, NULL);
    return rmdir(dir);
}

static void test_files(void **state)
{
    (void)state;
    const struct skep_os *os = skep_os_real();
    skep_err err;
    int fd = -1;
    assert_int_equal(os->open(os, path("a"), SKEP_OPEN_READ, &fd, &err), SKEP_ENOTFOUND);
    assert_non_null(strstr(err.text, "/a"));
    unsigned rw = SKEP_OPEN_READ | SKEP_OPEN_WRITE;
    assert_int_equal(os->open(os, path("a"), rw | SKEP_OPEN_CREATE | SKEP_OPEN_EXCL, &fd, &err),
                     SKEP_OK);
    int again;
    assert_int_equal(os->open(os, path("a"), rw | SKEP_OPEN_CREATE | SKEP_OPEN_EXCL, &again, &err),
                     SKEP_EEXISTS);
    assert_int_equal(os->pwrite(os, fd, "hello world", 11, 5, &err), SKEP_OK);
    char buf[32] = {0};
    assert_int_equal(os->pread(os, fd, buf, 11, 5, &err), SKEP_OK);
    assert_string_equal(buf, "hello world");
    assert_int_equal(os->pread(os, fd, buf, 12, 5, &err), SKEP_ECORRUPT);
    assert_int_equal(os->fdatasync(os, fd, &err), SKEP_OK);
    assert_int_equal(os->preallocate(os, fd, 1 << 20, &err), SKEP_OK);
    struct skep_os_stat st;
    assert_int_equal(os->fstat(os, fd, &st, &err), SKEP_OK);
    assert_int_equal(st.size_bytes, 1 << 20);
    assert_int_equal(os->preallocate(os, fd, 1000, &err), SKEP_OK); /* never shrinks */
    assert_int_equal(os->fstat(os, fd, &st, &err), SKEP_OK);
    assert_int_equal(st.size_bytes, 1 << 20);
    assert_int_equal(os->pread(os, fd, buf, 4, 4096, &err), SKEP_OK);
    assert_memory_equal(buf, "\0\0\0\0", 4);
    assert_int_equal(os->truncate(os, fd, 16, &err), SKEP_OK);
    assert_int_equal(os->stat(os, path("a"), &st, &err), SKEP_OK);
    assert_int_equal(st.size_bytes, 16);
    assert_false(st.is_dir);
    os->close(os, fd);
    assert_int_equal(os->rename(os, path("a"), path("b"), &err), SKEP_OK);
    assert_int_equal(os->stat(os, path("a"), &st, &err), SKEP_ENOTFOUND);
    assert_int_equal(os->unlink(os, path("b"), &err), SKEP_OK);
    assert_int_equal(os->unlink(os, path("b"), &err), SKEP_ENOTFOUND);
}

static void test_directories(void **state)
{
    (void)state;
    const struct skep_os *os = skep_os_real();
    skep_err err;
    assert_int_equal(os->mkdir(os, path("d"), &err), SKEP_OK);
    assert_int_equal(os->mkdir(os, path("d"), &err), SKEP_OK);
    int fd;
    assert_int_equal(os->open(os, dir, SKEP_OPEN_DIR, &fd, &err), SKEP_OK);
    assert_int_equal(os->fsync(os, fd, &err), SKEP_OK);
    os->close(os, fd);
    assert_int_equal(os->open(os, path("f"), SKEP_OPEN_WRITE | SKEP_OPEN_CREATE, &fd, &err),
                     SKEP_OK);
    os->close(os, fd);
    assert_int_equal(os->mkdir(os, path("f"), &err), SKEP_EEXISTS);
    int n = 0;
    assert_int_equal(os->list(os, dir, count_and_remove, &n, &err), SKEP_OK);
    assert_int_equal(n, 2);
    struct skep_os_space sp;
    assert_int_equal(os->space(os, dir, &sp, &err), SKEP_OK);
    assert_true(sp.total_bytes > 0 && sp.free_bytes <= sp.total_bytes);
}

static void test_lock(void **state)
{
    (void)state;
    const struct skep_os *os = skep_os_real();
    skep_err err;
    int a, b;
    unsigned flags = SKEP_OPEN_WRITE | SKEP_OPEN_CREATE;
    assert_int_equal(os->open(os, path("LOCK"), flags, &a, &err), SKEP_OK);
    assert_int_equal(os->open(os, path("LOCK"), flags, &b, &err), SKEP_OK);
    assert_int_equal(os->lock(os, a, &err), SKEP_OK);
    assert_int_equal(os->lock(os, b, &err), SKEP_EEXISTS);
    os->close(os, a);
    assert_int_equal(os->lock(os, b, &err), SKEP_OK);
    os->close(os, b);
}

static void test_clock_and_random(void **state)
{
    (void)state;
    const struct skep_os *os = skep_os_real();
    int64_t m0 = os->mono_ns(os);
    assert_true(os->now_ns(os) > (int64_t)1700000000 * 1000000000);
    assert_true(os->mono_ns(os) >= m0);
    uint8_t a[32] = {0}, b[32] = {0};
    os->random(os, a, sizeof a);
    os->random(os, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
        cmocka_unit_test(test_clock_and_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
