// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a segment, a log file, a manifest or a file of live rows: dump, its rows, and verify
 * end in output or an error; repair of a directory that holds them, in a directory that opens.
 *
 * The first byte chooses: bits 0-1 the kind (0 segment, 1 log, 2 manifest, 3 live rows), bit 2
 * whether repair runs too. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/store.h"
#include "store/tools.h"
#include "support/fault_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define DIR "/d"

static void put_file(const struct skep_os *os, const char *path, const uint8_t *p, size_t n)
{
    int fd;
    skep_rc rc = os->open(os, path, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE, &fd, NULL);
    skep_assert(rc == SKEP_OK);
    rc = os->pwrite(os, fd, p, n, 0, NULL);
    skep_assert(rc == SKEP_OK);
    os->close(os, fd);
}

static void on_found(void *ctx, const struct skep_finding *f)
{
    skep_assert(f->text.n > 0);
    ++*(unsigned *)ctx;
}

static void on_item(void *ctx, const char *what, const struct skep_dump_value *v, unsigned n)
{
    skep_assert(what && (n == 0 || v[0].key));
    ++*(unsigned *)ctx;
}

static bool on_row(void *ctx, const struct skep_row *row)
{
    skep_assert(row->n_fields == 0 || row->fields != NULL);
    return ++*(unsigned *)ctx < 10000;
}

static void look(const struct skep_os *os, const char *path)
{
    unsigned n = 0;
    struct skep_verify_result r;
    const struct skep_tool t = {.os = os, .found = on_found, .ctx = &n};
    skep_err err;
    (void)(skep_tool_dump(os, path, on_item, &n, &err) == SKEP_OK);
    (void)(skep_tool_dump_rows(os, path, on_row, &n, &err) == SKEP_OK);
    (void)(skep_tool_verify_file(&t, path, &r, &err) == SKEP_OK);
}

static void mend(const struct skep_os *os)
{
    unsigned n = 0;
    struct skep_repair_result r;
    const struct skep_repair_opts opts = {.dry_run = false};
    const struct skep_tool t = {.os = os, .found = on_found, .ctx = &n};
    struct skep_budget memory;
    skep_err err;
    skep_budget_init(&memory, "fuzz", 256 << 20, NULL);
    if (skep_tool_repair(&t, DIR, &opts, &r, &err) != SKEP_OK)
        return; /* of a newer version */
    struct skep_store *s;
    const struct skep_column_config cfg = {
        .os = os, .dir = DIR, .memory = &memory, .no_background = true};
    skep_rc rc = skep_column_open(&cfg, &s, &err);
    skep_assert(rc == SKEP_OK);
    s->ops->close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const paths[] = {DIR "/seg/0000000000000001.seg",
                                        DIR "/wal/0000000000000001.log", DIR "/MANIFEST",
                                        DIR "/seg/0000000000000002.live"};
    if (n == 0 || n > 256 << 10)
        return 0;
    struct mem_os *m = mem_os_new(1);
    const struct skep_os *os = mem_os_ops(m);
    static const char *const dirs[] = {DIR, DIR "/seg", DIR "/wal"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(dirs); i++) {
        skep_rc rc = os->mkdir(os, dirs[i], NULL);
        skep_assert(rc == SKEP_OK);
    }
    put_file(os, paths[data[0] & 3], data + 1, n - 1);
    look(os, paths[data[0] & 3]);
    if (data[0] & 4)
        mend(os);
    mem_os_free(m);
    return 0;
}
