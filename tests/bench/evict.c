// SPDX-License-Identifier: Apache-2.0
// evict DIR: asks the kernel to forget the pages of every file under DIR, so that the next read
// waits for the disk. Pages that a process has mapped stay. Prints how many bytes the files have.
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t bytes;

static int forget(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0; // removed meanwhile
    if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0)
        bytes += (uint64_t)st->st_size;
    close(fd);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2 || nftw(argv[1], forget, 16, FTW_PHYS) != 0) {
        fprintf(stderr, "usage: evict DIR\n");
        return 1;
    }
    printf("bytes %llu\n", (unsigned long long)bytes);
    return 0;
}
