// SPDX-License-Identifier: Apache-2.0
/* A file of mem_os: two images and the unsynced writes between them.
 *
 *      write, size ----> seen
 *                   \--> writes ---- sync ----> durable
 *
 * At the power cut each write reaches the durable image whole, not at all, or in part: a prefix to
 * the byte, or each sector for itself what was written, what stood there before, or neither.
 *
 * 1. Of an image only what was written takes memory: the log preallocates 64 MiB, of which a test
 *    writes some kilobytes. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/mem_disk.h"

enum { SECTOR = 512 };

uint64_t mem_rnd(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void image_size(struct mem_image *i, uint64_t n)
{
    i->n = n;
    i->stored = SKEP_MIN(i->stored, n);
}

static void image_write(struct mem_image *i, const void *p, uint64_t n, uint64_t at)
{
    i->n = SKEP_MAX(i->n, at + n);
    if (n == 0)
        return;
    if (at + n > i->cap) {
        i->cap = SKEP_MAX(at + n, i->cap * 2);
        i->p = skep_realloc(i->p, i->cap);
    }
    if (at > i->stored)
        memset(i->p + i->stored, 0, at - i->stored);
    memcpy(i->p + at, p, n);
    i->stored = SKEP_MAX(i->stored, at + n);
}

static void image_read(const struct mem_image *i, void *buf, uint64_t n, uint64_t at)
{
    uint64_t there = at < i->stored ? SKEP_MIN(n, i->stored - at) : 0;
    if (there)
        memcpy(buf, i->p + at, there);
    if (n > there)
        memset((uint8_t *)buf + there, 0, n - there);
}

static void apply_write(struct mem_file *f, const struct mem_pending *w)
{
    if (w->is_size)
        image_size(&f->durable, w->at);
    else
        image_write(&f->durable, w->p, w->n, w->at);
}

static void forget_writes(struct mem_file *f)
{
    for (size_t k = 0; k < f->n_writes; k++)
        skep_free(f->writes[k].p);
    f->n_writes = 0;
}

void mem_file_unref(struct mem_file *f)
{
    if (!f || --f->refs > 0)
        return;
    forget_writes(f);
    skep_free(f->writes);
    skep_free(f->seen.p);
    skep_free(f->durable.p);
    skep_free(f);
}

void mem_file_read(const struct mem_file *f, void *buf, uint64_t n, uint64_t at)
{
    image_read(&f->seen, buf, n, at);
}

void mem_file_write(struct mem_file *f, const void *buf, uint64_t n, uint64_t at)
{
    image_write(&f->seen, buf, n, at);
    SKEP_GROW(f->writes, f->n_writes, f->cap_writes);
    f->writes[f->n_writes++] = (struct mem_pending){.at = at, .n = n, .p = skep_malloc(n)};
    memcpy(f->writes[f->n_writes - 1].p, buf, n);
}

void mem_file_size(struct mem_file *f, uint64_t n)
{
    image_size(&f->seen, n);
    SKEP_GROW(f->writes, f->n_writes, f->cap_writes);
    f->writes[f->n_writes++] = (struct mem_pending){.is_size = true, .at = n};
}

void mem_file_sync(struct mem_file *f)
{
    for (size_t k = 0; k < f->n_writes; k++)
        apply_write(f, &f->writes[k]);
    forget_writes(f);
}

/* Part of an unsynced write reaches the disk: a prefix to the byte; or sector by sector kept,
 * dropped or garbled. */
static void tear(struct mem_file *f, const struct mem_pending *w, uint64_t *rnd)
{
    if (mem_rnd(rnd) % 4 == 0) {
        image_write(&f->durable, w->p, mem_rnd(rnd) % (w->n + 1), w->at);
        return;
    }
    for (uint64_t at = 0; at < w->n;) {
        uint64_t n = SKEP_MIN(w->n - at, SECTOR - (w->at + at) % SECTOR);
        uint64_t fate = mem_rnd(rnd) % 8;
        if (fate < 4) {
            image_write(&f->durable, w->p + at, n, w->at + at);
        } else if (fate == 4) {
            uint8_t junk[SECTOR];
            for (uint64_t k = 0; k < n; k++)
                junk[k] = (uint8_t)mem_rnd(rnd);
            image_write(&f->durable, junk, n, w->at + at);
        }
        at += n;
    }
}

void mem_file_survive(struct mem_file *f, uint64_t *rnd)
{
    for (size_t k = 0; k < f->n_writes; k++) {
        uint64_t fate = mem_rnd(rnd) % 3;
        if (fate == 0 || (fate == 1 && f->writes[k].is_size))
            apply_write(f, &f->writes[k]);
        else if (fate == 1)
            tear(f, &f->writes[k], rnd);
    }
    forget_writes(f);
}

void mem_file_restart(struct mem_file *f)
{
    f->locked = false;
    image_size(&f->seen, 0);
    image_write(&f->seen, f->durable.p, f->durable.stored, 0);
    image_size(&f->seen, f->durable.n);
}

void mem_file_flip(struct mem_file *f, uint64_t bit)
{
    uint8_t b;
    image_read(&f->seen, &b, 1, bit / 8);
    b = (uint8_t)(b ^ (1u << (bit % 8)));
    image_write(&f->seen, &b, 1, bit / 8);
    image_write(&f->durable, &b, 1, bit / 8);
}
