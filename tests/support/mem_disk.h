// SPDX-License-Identifier: Apache-2.0
/* The parts of mem_os (fault_os.h): a file with what is written and what the disk has of it
 * (mem_file.c), names with what is changed and what the disk has of them (mem_names.c), the calls
 * and the power (mem_os.c). */
#pragma once

#include "os/os.h"

/* --- chance --- */

uint64_t mem_rnd(uint64_t *state);

/* --- files --- */

struct mem_image { /* `n` bytes: those at `p`, then zeros, which take no memory */
    uint8_t *p;
    uint64_t stored, cap;
    uint64_t n;
};

struct mem_pending {
    bool is_size; /* truncate or preallocate: size alone */
    uint64_t at, n;
    uint8_t *p;
};

struct mem_file {
    unsigned refs; /* names in either table, and descriptors */
    struct mem_image seen, durable;
    struct mem_pending *writes;
    size_t n_writes, cap_writes;
    bool locked;
};

void mem_file_unref(struct mem_file *f); /* NULL: nothing */
/* at + n <= seen.n */
void mem_file_read(const struct mem_file *f, void *buf, uint64_t n, uint64_t at);
void mem_file_write(struct mem_file *f, const void *buf, uint64_t n, uint64_t at);
void mem_file_size(struct mem_file *f, uint64_t n);
void mem_file_sync(struct mem_file *f);
/* Of each unsynced write all, a part or nothing reaches the disk. */
void mem_file_survive(struct mem_file *f, uint64_t *rnd);
/* What is seen is what the disk has. */
void mem_file_restart(struct mem_file *f);
/* One bit of both images; at / 8 < seen.n */
void mem_file_flip(struct mem_file *f, uint64_t bit);

/* --- names --- */

struct mem_entry {
    char path[256];
    struct mem_file *file; /* NULL: a directory */
};

struct mem_table {
    struct mem_entry *e;
    size_t n, cap;
};

struct mem_change { /* of a directory: the name is this file now, or a directory, or gone */
    char path[256];
    struct mem_file *file;
    bool is_dir;
    bool with_next; /* one with the change that follows: the halves of a rename */
};

struct mem_names {
    struct mem_table seen, durable;
    struct mem_change *changes; /* of `seen`, since the last sync of their directories */
    size_t n_changes, cap_changes;
};

struct mem_entry *mem_names_find(struct mem_names *m, const char *path);
bool mem_names_in_dir(const char *path, const char *dir);
void mem_names_add(struct mem_names *m, const char *path, struct mem_file *f); /* NULL: directory */
void mem_names_drop(struct mem_names *m, const char *path);
/* A directory with all that stands in it, as one change. */
void mem_names_rename(struct mem_names *m, const char *from, const char *to);
void mem_names_sync(struct mem_names *m, const char *dir);
/* Which unsynced changes have reached the disk; `seen` is what it has then. */
void mem_names_restart(struct mem_names *m, uint64_t *rnd);
void mem_names_done(struct mem_names *m);
