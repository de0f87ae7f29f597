// SPDX-License-Identifier: Apache-2.0
/*
 * file.c - the OTLP file exporter: one OTLP/JSON request a line, as collectors read them
 *
 * Lines are appended whole with one write(2) where the system allows it, so that several processes
 * may share a file.
 *
 * Threads: one at a time. Memory: a line grows to the largest batch.
 */
#include "otlp_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 64 << 20 };

struct file_exporter {
    struct waggle_exporter base;
    int fd;
    bool is_own; /* to be closed */
    struct waggle__buf line;
};

static bool write_whole(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, p, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        p += written;
        n -= (size_t)written;
    }
    return true;
}

static enum waggle_export file_export(struct waggle_exporter *e, const waggle_batch *batch,
                                      const waggle_deadline *deadline)
{
    struct file_exporter *f = (struct file_exporter *)e;
    (void)deadline;
    bool made = waggle__otlp_json(batch, &f->line);
    waggle__buf_put(&f->line, "\n", 1);
    if (made && !f->line.bad && write_whole(f->fd, f->line.p, f->line.n))
        return WAGGLE_EXPORT_OK;
    waggle__error(WAGGLE_LEVEL_ERROR, "cannot write to the file, dropping %zu records",
                  batch->n_records);
    return WAGGLE_EXPORT_FAILED;
}

static void file_free(struct waggle_exporter *e)
{
    struct file_exporter *f = (struct file_exporter *)e;
    if (f->is_own)
        (void)close(f->fd); // each line was written and checked
    waggle__buf_done(&f->line);
    free(f);
}

static const struct waggle_exporter_ops file_ops = {
    .struct_size = sizeof file_ops,
    .name = "otlp_file",
    .export_batch = file_export,
    .free = file_free,
};

struct waggle_exporter *waggle_file_exporter_new(const char *path)
{
    struct file_exporter *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->base.ops = &file_ops;
    f->is_own = path != NULL;
    f->fd =
        path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : STDOUT_FILENO;
    waggle__buf_init(&f->line, LINE_BYTES_MAX);
    if (f->fd >= 0)
        return &f->base;
    waggle__error(WAGGLE_LEVEL_ERROR, "cannot open %s (errno %d), not exporting", path, errno);
    free(f);
    return NULL;
}
