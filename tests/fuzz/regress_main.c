// SPDX-License-Identifier: Apache-2.0
/*
 * regress_main.c - replay a fuzz corpus without libFuzzer
 *
 * Every fuzz target is linked with this file in all presets but `fuzz`, so that each build, with
 * any compiler, runs all that fuzzing ever found. Each file of the folders (or files) given is
 * handed to LLVMFuzzerTestOneInput whole, then cut at about sixteen places, since a cut message is
 * what a parser of foreign bytes meets most often.
 *
 * Invariants
 *   1. Each input lies in a heap block of exactly its size, so that ASan and valgrind see the first
 *      byte read past the end.
 *   2. No file at all is a failure: a corpus that vanished must not look like a passing test.
 *
 * Threads: one. Memory: one block an input, freed at once.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

enum { CUTS = 16, INPUT_BYTES_MAX = 16 << 20 };

static size_t n_files;
static size_t n_inputs;

static void give_up(const char *what, const char *path)
{
    fprintf(stderr, "%s: %s: %s\n", path, what, strerror(errno));
    exit(2);
}

static void run_prefix(const uint8_t *data, size_t size)
{
    uint8_t *block = malloc(size > 0 ? size : 1);
    if (block == NULL)
        give_up("cannot allocate the input", "regress");
    if (size > 0)
        memcpy(block, data, size);
    (void)LLVMFuzzerTestOneInput(block, size); // 0 and -1 only steer libFuzzer's own corpus
    free(block);
    n_inputs++;
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        give_up("cannot open", path);
    uint8_t *data = malloc(INPUT_BYTES_MAX);
    if (data == NULL)
        give_up("cannot allocate", path);
    size_t size = fread(data, 1, INPUT_BYTES_MAX, file);
    if (ferror(file))
        give_up("cannot read", path);
    (void)fclose(file); // read only: nothing can be lost
    n_files++;
    run_prefix(data, size);
    size_t last = size;
    for (size_t i = 0; i < CUTS; i++) {
        size_t cut = size * i / CUTS;
        if (cut != last && cut < size)
            run_prefix(data, cut);
        last = cut;
    }
    if (size > 1)
        run_prefix(data, size - 1);
    free(data);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void run_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        give_up("cannot stat", path);
    if (!S_ISDIR(st.st_mode)) {
        run_file(path);
        return;
    }
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, by_name);
    if (n < 0)
        give_up("cannot list", path);
    for (int i = 0; i < n; i++) {
        char child[4096];
        int len = snprintf(child, sizeof child, "%s/%s", path, entries[i]->d_name);
        if (len < 0 || (size_t)len >= sizeof child) {
            errno = ENAMETOOLONG;
            give_up("cannot enter", path);
        }
        if (entries[i]->d_name[0] != '.')
            run_path(child);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize != NULL)
        (void)LLVMFuzzerInitialize(&argc, &argv); // libFuzzer ignores its result too
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("replayed %zu inputs from %zu corpus files\n", n_inputs, n_files);
    if (n_files == 0) {
        fprintf(stderr, "no corpus file: use %s FOLDER with at least one file\n", argv[0]);
        return 1;
    }
    return 0;
}
