// SPDX-License-Identifier: Apache-2.0
/*
 * main.c - tidy [--root FOLDER] [--report]
 *
 * Checks the project in FOLDER (default: here) against the house rules and prints each finding as
 * `file:line: error: what, use what [rule]`. Exit code 0: clean; 1: findings; 2: cannot run.
 * --report adds the assertions per function of each module, which is read, not enforced.
 *
 * Threads: one. Memory: one arena, freed at the end.
 */
#include "tidy.h"

#include <string.h>

static void report(const struct tidy *t)
{
    for (size_t i = 0; i < t->n_counts; i++) {
        const struct tidy_count *c = &t->counts[i];
        double per = c->n_functions ? (double)c->n_asserts / (double)c->n_functions : 0;
        printf("%-8.*s %5zu functions %5zu assertions  %.2f per function\n", (int)c->module.n,
               c->module.p, c->n_functions, c->n_asserts, per);
    }
}

int main(int argc, char **argv)
{
    const char *root = ".";
    bool with_report = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--root") == 0 && i + 1 < argc) {
            root = argv[++i];
        } else if (strcmp(argv[i], "--report") == 0) {
            with_report = true;
        } else {
            fprintf(stderr, "usage: tidy [--root FOLDER] [--report]\n");
            return 2;
        }
    }
    struct skep_arena arena;
    skep_arena_init(&arena, "tidy", NULL);
    struct tidy t = {.arena = &arena, .out = stdout};
    bool ran = tidy_check_tree(&t, root);
    if (with_report)
        report(&t);
    printf("tidy: %zu files, %zu findings\n", t.n_files, t.n_findings);
    skep_arena_done(&arena);
    if (!ran || t.n_files == 0)
        return 2;
    return t.n_findings == 0 ? 0 : 1;
}
