// SPDX-License-Identifier: Apache-2.0
/* Making names durable: a file that was created, renamed or deleted is so for good only when its
 * directory was synced, and the directory only when its own parent was.  Threads: any. */
#include "os/os.h"

#include <string.h>

enum { PATH_BYTES = 1024 };

skep_rc skep_os_sync_dir(const struct skep_os *os, const char *path, skep_err *err)
{
    int fd;
    SKEP_TRY(os->open(os, path, SKEP_OPEN_DIR, &fd, err));
    skep_rc rc = os->fsync(os, fd, err);
    os->close(os, fd);
    return rc;
}

skep_rc skep_os_sync_parent(const struct skep_os *os, const char *path, skep_err *err)
{
    char dir[PATH_BYTES];
    skep_str p = skep_str_c(path);
    while (p.n > 1 && p.p[p.n - 1] == '/')
        p.n--;
    while (p.n > 0 && p.p[p.n - 1] != '/')
        p.n--;
    while (p.n > 1 && p.p[p.n - 1] == '/')
        p.n--;
    if (p.n == 0)
        p = SKEP_STR(".");
    if (p.n >= sizeof dir)
        return skep_fail(err, SKEP_EINVAL, "the name of a directory is too long");
    memcpy(dir, p.p, p.n);
    dir[p.n] = 0;
    return skep_os_sync_dir(os, dir, err);
}
