// SPDX-License-Identifier: Apache-2.0
/* Thousands of seeds of the simulation (sim.h).
 *
 *   test_sim                        SKEP_SEEDS seeds, or as many as a test run has time for
 *   test_sim --seeds FIRST N        these, in this process
 *   test_sim --seed N [STEPS] [FAULTS]   one, telling each step
 *
 * Seeds run in processes of their own, a hundred in each, so that an assertion of the engine ends
 * only one of them.  The seed that failed is tried with fewer kinds of faults and fewer steps, and
 * the command for the smallest run that still fails is printed. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "sim/sim.h"
#include "support/instrumented.h"

enum { SEEDS = 400 }; /* as tries: instrumented.h */
enum { BATCH = 100, STEPS_MAX = 1000 };

static const char *self;

static void add(struct sim_counts *to, const struct sim_counts *from)
{
    const uint64_t *f = (const uint64_t *)from;
    uint64_t *t = (uint64_t *)to;
    for (size_t i = 0; i < sizeof *to / sizeof *t; i++)
        t[i] += f[i];
}

static void run_seed(uint64_t seed, unsigned steps, unsigned faults, bool talk,
                     struct sim_counts *counts)
{
    struct sim *w = skep_calloc(1, sizeof *w);
    w->seed = seed;
    w->steps_left = steps;
    w->faults = faults;
    w->talk = talk;
    sim_run(w);
    add(counts, &w->counts);
    skep_free(w);
}

/* In the child: each seed is written down before it runs. */
static int run_here(uint64_t first, uint64_t n, int progress)
{
    struct sim_counts counts = {0};
    for (uint64_t seed = first; seed < first + n; seed++) {
        if (write(progress, &seed, sizeof seed) != sizeof seed)
            return 3;
        run_seed(seed, STEPS_MAX, SIM_ALL, false, &counts);
    }
    uint64_t end = UINT64_MAX;
    bool ok = write(progress, &end, sizeof end) == sizeof end &&
              write(progress, &counts, sizeof counts) == sizeof counts;
    return ok ? 0 : 3;
}

/* This program again; its status. */
static int run_self(char *const argv[], bool quiet, int progress)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (quiet && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)))
            _exit(4);
        if (progress >= 0 && dup2(progress, 3) != 3)
            _exit(4);
        execv(self, argv);
        _exit(4);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static bool fails(uint64_t seed, unsigned steps, unsigned faults, bool quiet)
{
    char s[3][24], flag[] = "--seed", name[] = "test_sim";
    (void)snprintf(s[0], sizeof s[0], "%" PRIu64, seed);
    (void)snprintf(s[1], sizeof s[1], "%u", steps);
    (void)snprintf(s[2], sizeof s[2], "%u", faults);
    char *const argv[] = {name, flag, s[0], s[1], s[2], NULL};
    return run_self(argv, quiet, -1) != 0;
}

static void shrink(uint64_t seed)
{
    unsigned faults = SIM_ALL, steps = STEPS_MAX;
    for (unsigned k = 1; k < SIM_ALL; k <<= 1)
        if ((faults & ~k) && fails(seed, steps, faults & ~k, true))
            faults &= ~k;
    for (unsigned n = 1; n <= 60; n++)
        if (fails(seed, n, faults, true)) {
            steps = n;
            break;
        }
    (void)fails(seed, steps, faults, false);
    fail_msg("seed %" PRIu64 "; alone: %s --seed %" PRIu64 " %u %u", seed, self, seed, steps,
             faults);
}

/* Seeds of one process. */
static void run_batch(uint64_t first, uint64_t n, struct sim_counts *total)
{
    char s[2][24], flag[] = "--seeds", name[] = "test_sim";
    (void)snprintf(s[0], sizeof s[0], "%" PRIu64, first);
    (void)snprintf(s[1], sizeof s[1], "%" PRIu64, n);
    char *const argv[] = {name, flag, s[0], s[1], NULL};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    int status = run_self(argv, false, fds[1]);
    (void)close(fds[1]);
    uint64_t seed = first, got;
    struct sim_counts counts = {0};
    bool ended = false;
    while (!ended && read(fds[0], &got, sizeof got) == sizeof got) {
        ended = got == UINT64_MAX;
        seed = ended ? seed : got;
    }
    ended = ended && read(fds[0], &counts, sizeof counts) == sizeof counts;
    (void)close(fds[0]);
    if (status != 0 || !ended)
        shrink(seed);
    add(total, &counts);
}

static void test_seeds(void **state)
{
    (void)state;
    const char *env = getenv("SKEP_SEEDS"), *from = getenv("SKEP_SEED");
    uint64_t seeds = skep_tries(SEEDS), first = 1;
    if ((env && !skep_str_u64(skep_str_c(env), &seeds)) ||
        (from && !skep_str_u64(skep_str_c(from), &first)))
        fail_msg("SKEP_SEEDS and SKEP_SEED are numbers");
    struct sim_counts c = {0};
    for (uint64_t done = 0; done < seeds; done += BATCH)
        run_batch(first + done, SKEP_MIN(seeds - done, (uint64_t)BATCH), &c);
    print_message("%" PRIu64 " seeds, %" PRIu64 " lives, %" PRIu64 " steps: %" PRIu64
                  " power cuts, %" PRIu64 " kills, %" PRIu64 " lives with failing calls, %" PRIu64
                  " full disks, %" PRIu64 " files spoiled; %" PRIu64
                  " operations in doubt, %" PRIu64 " sent again, %" PRIu64 " deletes, %" PRIu64
                  " superseded, %" PRIu64 " merges, %" PRIu64 " backups, %" PRIu64 " repairs\n",
                  c.seeds, c.lives, c.steps, c.cuts, c.kills, c.failed, c.full, c.rotten, c.doubts,
                  c.retried, c.deletes, c.superseded, c.merges, c.backups, c.repairs);
    assert_true(c.cuts > 0 && c.failed > 0 && c.doubts > 0);
    if (seeds >= 100)
        assert_true(c.full > 0 && c.rotten > 0 && c.retried > 0 && c.deletes > 0 &&
                    c.superseded > 0 && c.merges > 0 && c.backups > 0);
}

static uint64_t number(int argc, char **argv, int at, uint64_t otherwise)
{
    uint64_t n = otherwise;
    if (at < argc && !skep_str_u64(skep_str_c(argv[at]), &n))
        exit(2);
    return n;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds)};
    struct sim_counts counts = {0};
    self = "/proc/self/exe";
    if (argc > 2 && skep_str_eq(skep_str_c(argv[1]), SKEP_STR("--seeds")))
        return run_here(number(argc, argv, 2, 1), number(argc, argv, 3, 1), 3);
    if (argc > 2 && skep_str_eq(skep_str_c(argv[1]), SKEP_STR("--seed"))) {
        run_seed(number(argc, argv, 2, 1), (unsigned)number(argc, argv, 3, STEPS_MAX),
                 (unsigned)number(argc, argv, 4, SIM_ALL), true, &counts);
        return 0;
    }
    self = argv[0];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
