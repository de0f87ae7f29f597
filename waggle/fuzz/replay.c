// SPDX-License-Identifier: Apache-2.0
/* Replays a fuzz corpus without libFuzzer: each file whole, and cut at every byte up to 256. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, CUTS = 256 };

static void run(const uint8_t *data, size_t size)
{
    // A block of exactly its size: a sanitizer sees the first byte read beyond it.
    uint8_t *block = malloc(size > 0 ? size : 1);
    if (block == NULL)
        exit(2);
    if (size > 0)
        memcpy(block, data, size);
    (void)LLVMFuzzerTestOneInput(block, size); // 0 by contract
    free(block);
}

static void run_file(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot open\n", path);
        exit(2);
    }
    size_t n = fread(data, 1, sizeof data, file);
    (void)fclose(file); // only read
    for (size_t cut = 0; cut < n && cut < CUTS; cut++)
        run(data, cut);
    run(data, n);
}

int main(int argc, char **argv)
{
    size_t n = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL)
        return 2;
    for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name); // our own short names
        run_file(path);
        n++;
    }
    (void)closedir(folder); // only read
    printf("replayed %zu files\n", n);
    return n > 0 ? 0 : 1;
}
