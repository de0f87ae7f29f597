// SPDX-License-Identifier: Apache-2.0
/* `skep import FILE...`: rows that export wrote, and OTLP, in bulk.
 *
 *   lines of rows    gathered to chunks of 2 MiB: a chunk is one commit, stored whole or not at all
 *   lines of OTLP    one request each
 *   protobuf         a request, or a framed file of them
 *
 * A chunk's identity is the hash of its bytes and of where it stands: sent twice it is stored once.
 * How far a file has come is kept beside it (FILE.skep-import): an import that was cut short goes
 * on there, one that is finished is not begun again.
 *
 * I1  the mark is moved after the acknowledgement; a chunk between the two is recognised by its
 *     identity when it comes again within ten minutes.
 *
 * Threads: main; with --data the store's.  Memory: a chunk; with --data what --memory says. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "server/cli_import.h"

enum { CHUNK_BYTES = 2 << 20, REQUEST_MAX = 64 << 20, HEAD_BYTES = 4096 };

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    {"data", "DIR", "Straight into this data folder, which no server has open"},
    {"memory", "SIZE", "With --data: memory that is used; default 256M"},
    {"signal", "NAME", "What protobuf files hold: traces (default) or logs"},
    {"again", NULL, "Begin from the start, also what was imported before"},
    {"quiet", NULL, "No progress and no summary"},
};

/* --- how far a file has come --------------------------------------------------------------------
 */

struct mark {
    char path[1100];
    uint64_t offset; /* everything before is stored */
    bool done;
    bool none; /* standard input */
};

/* Hash of the first bytes of what is stored: a file that has grown since is still the same. */
static uint64_t head_of(int fd, uint64_t offset)
{
    uint8_t bytes[HEAD_BYTES];
    const struct skep_os *os = skep_os_real();
    size_t n = (size_t)SKEP_MIN(offset, (uint64_t)HEAD_BYTES);
    if (n == 0 || os->pread(os, fd, bytes, n, 0, NULL) != SKEP_OK)
        return 0;
    return skep_hash((skep_bytes){bytes, n});
}

static void mark_load(struct mark *m, const struct skep_cli_input *in)
{
    char text[128] = "";
    const struct skep_os *os = skep_os_real();
    struct skep_os_stat st;
    int fd;
    uint64_t head = 0, offset = 0;
    *m = (struct mark){.none = in->fd < 0};
    if (m->none)
        return;
    (void)snprintf(m->path, sizeof m->path, "%s.skep-import", in->name);
    if (os->open(os, m->path, SKEP_OPEN_READ, &fd, NULL) != SKEP_OK)
        return;
    bool ok = os->fstat(os, fd, &st, NULL) == SKEP_OK && st.size_bytes < sizeof text &&
              os->pread(os, fd, text, st.size_bytes, 0, NULL) == SKEP_OK;
    os->close(os, fd);
    skep_str rest = skep_str_c(text);
    skep_str first = skep_str_cut(&rest, ' '), second = skep_str_cut(&rest, ' ');
    ok = ok && skep_str_u64(first, &head) && skep_str_u64(second, &offset);
    if (!ok || offset > in->size || head != head_of(in->fd, offset))
        return;
    m->offset = offset;
    m->done = skep_str_starts(rest, SKEP_STR("done")) && offset == in->size;
}

static bool mark_store(const struct mark *m, int of_fd)
{
    char text[128], tmp[1120];
    const struct skep_os *os = skep_os_real();
    skep_err err;
    int fd;
    if (m->none)
        return true;
    (void)snprintf(tmp, sizeof tmp, "%s.tmp", m->path);
    int n = snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %s\n", head_of(of_fd, m->offset),
                     m->offset, m->done ? "done" : "going");
    skep_rc rc = os->open(os, tmp, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC, &fd, &err);
    if (rc == SKEP_OK) {
        rc = os->pwrite(os, fd, text, (size_t)n, 0, &err);
        os->close(os, fd);
    }
    if (rc == SKEP_OK)
        rc = os->rename(os, tmp, m->path, &err);
    if (rc != SKEP_OK)
        (void)fprintf(stderr, "skep import: %s\n", err.text);
    return rc == SKEP_OK;
}

/* --- files ---------------------------------------------------------------------------------------
 */

struct import {
    struct skep_import_sink sink;
    enum skep_otlp_signal signal;
    bool again, quiet, tty;
    struct skep_cli_input in;
    struct mark mark;
    uint64_t done_bytes, total_bytes;
    int last_percent;
};

static void progress(struct import *x)
{
    if (x->quiet || !x->tty || x->total_bytes == 0)
        return;
    uint64_t done = x->done_bytes + skep_cli_input_offset(&x->in);
    int percent = (int)((double)SKEP_MIN(done, x->total_bytes) * 100.0 / (double)x->total_bytes);
    if (percent == x->last_percent)
        return;
    x->last_percent = percent;
    (void)fprintf(stderr, "\r%3d%%  %llu rows", percent, (unsigned long long)x->sink.rows);
}

/* Acknowledged up to `offset`. */
static bool stored(struct import *x, uint64_t offset)
{
    x->mark.offset = offset;
    progress(x);
    return mark_store(&x->mark, x->in.fd);
}

static bool told(const struct import *x, const char *what)
{
    (void)fprintf(stderr, "skep import: %s: %s\n", x->in.name, what);
    return false;
}

static bool is_otlp(skep_str line, enum skep_otlp_signal *ret)
{
    skep_str head = {line.p, SKEP_MIN(line.n, (size_t)4096)};
    *ret = SKEP_OTLP_TRACES;
    if (skep_str_find(head, SKEP_STR("\"resourceLogs\"")) != SIZE_MAX)
        *ret = SKEP_OTLP_LOGS;
    else if (skep_str_find(head, SKEP_STR("\"resourceSpans\"")) == SIZE_MAX)
        return false;
    return true;
}

static bool flush_chunk(struct import *x, struct skep_buf *chunk, uint64_t from)
{
    struct skep_import_chunk c = {.rows = skep_buf_text(chunk)};
    if (chunk->n == 0)
        return true;
    skep_store_le64(c.identity, skep_hash_seed(skep_buf_bytes(chunk), from));
    skep_store_le64(c.identity + 8, skep_hash_seed(skep_buf_bytes(chunk), ~from) | 1);
    bool ok = x->sink.put_rows(&x->sink, &c);
    skep_buf_reset(chunk);
    return ok && stored(x, skep_cli_input_offset(&x->in));
}

static bool put_line(struct import *x, struct skep_buf *line, struct skep_buf *chunk,
                     uint64_t *from)
{
    enum skep_otlp_signal signal;
    skep_str text = skep_str_trim(skep_buf_text(line));
    if (line->bad)
        return told(x, "a line is too long");
    if (text.n == 0 || skep_str_starts(text, SKEP_STR("{\"type\":\"end\"")))
        return true;
    if (is_otlp(text, &signal)) {
        if (!x->sink.put_otlp(&x->sink, signal, true, skep_str_bytes(text)))
            return false;
        return chunk->n > 0 || stored(x, skep_cli_input_offset(&x->in));
    }
    if (chunk->n == 0)
        *from = skep_cli_input_offset(&x->in);
    skep_buf_str(chunk, text);
    skep_buf_u8(chunk, '\n');
    return chunk->n < CHUNK_BYTES || flush_chunk(x, chunk, *from);
}

static bool import_lines(struct import *x)
{
    struct skep_buf line, chunk;
    uint64_t from = 0;
    bool ok = true;
    skep_buf_init(&line, REQUEST_MAX);
    skep_buf_init(&chunk, CHUNK_BYTES + REQUEST_MAX + 1);
    while (ok && skep_cli_input_line(&x->in, &line)) {
        ok = put_line(x, &line, &chunk, &from);
        skep_buf_reset(&line);
    }
    ok = ok && !x->in.failed && flush_chunk(x, &chunk, from);
    skep_buf_done(&line);
    skep_buf_done(&chunk);
    return ok;
}

static bool import_framed(struct import *x)
{
    struct skep_buf b;
    bool ok = true;
    skep_buf_init(&b, REQUEST_MAX);
    for (;;) {
        skep_buf_reset(&b);
        if (!skep_cli_input_take(&x->in, &b, 8)) {
            ok = b.n == 0 || told(x, "a frame is cut off");
            break;
        }
        uint32_t n = skep_load_le32(b.p);
        skep_buf_reset(&b);
        if (!skep_cli_input_take(&x->in, &b, n)) {
            ok = told(x, "a frame is cut off or too large");
            break;
        }
        ok = x->sink.put_otlp(&x->sink, x->signal, false, skep_buf_bytes(&b)) &&
             stored(x, skep_cli_input_offset(&x->in));
        if (!ok)
            break;
    }
    skep_buf_done(&b);
    return ok && !x->in.failed;
}

static bool import_whole(struct import *x)
{
    struct skep_buf b;
    skep_buf_init(&b, REQUEST_MAX);
    while (skep_cli_input_take(&x->in, &b, 64 << 10)) {
    }
    bool ok = !x->in.failed && (!b.bad || told(x, "a request of more than 64 MB"));
    ok = ok && x->sink.put_otlp(&x->sink, x->signal, false, skep_buf_bytes(&b)) &&
         stored(x, x->in.size);
    skep_buf_done(&b);
    return ok;
}

static bool import_open(struct import *x)
{
    enum skep_cli_form form;
    mark_load(&x->mark, &x->in);
    if (x->again) {
        x->mark.offset = 0;
        x->mark.done = false;
    }
    if (x->mark.done) {
        if (!x->quiet)
            (void)fprintf(stderr, "%s: imported before (--again imports it once more)\n",
                          x->in.name);
        return true;
    }
    if (!skep_cli_input_form(&x->in, &form))
        return false;
    if (x->mark.offset > 0) {
        if (!x->quiet)
            (void)fprintf(stderr, "%s: going on at byte %" PRIu64 "\n", x->in.name, x->mark.offset);
        skep_cli_input_seek(&x->in, x->mark.offset);
    }
    bool ok = form == SKEP_CLI_LINES    ? import_lines(x)
              : form == SKEP_CLI_FRAMED ? import_framed(x)
                                        : import_whole(x);
    x->mark.done = true;
    return ok && mark_store(&x->mark, x->in.fd);
}

static bool import_file(struct import *x, const char *name)
{
    if (!skep_cli_input_open(&x->in, "skep import", name))
        return false;
    bool ok = import_open(x);
    x->done_bytes += x->in.size;
    skep_cli_input_close(&x->in);
    return ok;
}

static void summary(const struct import *x)
{
    if (x->last_percent >= 0)
        (void)fprintf(stderr, "\r%40s\r", "");
    if (x->quiet)
        return;
    (void)printf("%llu rows", (unsigned long long)x->sink.rows);
    if (x->sink.requests)
        (void)printf(", %llu OTLP requests", (unsigned long long)x->sink.requests);
    (void)printf(" imported");
    if (x->sink.duplicates)
        (void)printf(", %llu were there already", (unsigned long long)x->sink.duplicates);
    if (x->sink.rejected)
        (void)printf(", %llu refused", (unsigned long long)x->sink.rejected);
    (void)printf("\n");
}

static bool read_flags(struct import *x, const struct skep_cli_args *args, uint64_t *ret_memory)
{
    skep_str signal = skep_str_c(skep_cli_value(args, "signal", "traces"));
    if (args->rest.n == 0) {
        (void)fprintf(stderr, "skep import: give a file, or - for standard input\n");
        return false;
    }
    if (!skep_parse_size(skep_str_c(skep_cli_value(args, "memory", "256M")), ret_memory) ||
        *ret_memory < SKEP_CONFIG_MEMORY_MIN) {
        (void)fprintf(stderr, "skep import: --memory: a size of at least 64M\n");
        return false;
    }
    x->signal = skep_str_eq(signal, SKEP_STR("logs")) ? SKEP_OTLP_LOGS : SKEP_OTLP_TRACES;
    x->again = skep_cli_has(args, "again");
    x->quiet = skep_cli_has(args, "quiet");
    x->tty = skep_cli_is_tty(STDERR_FILENO);
    return true;
}

int skep_cli_import(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep import FILE... [flags]\n\nTake in rows in bulk: what skep export wrote, "
                 "OTLP as JSON lines, protobuf requests.\n'-' is standard input. What was cut "
                 "short goes on where it was (FILE.skep-import).",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct import x = {.last_percent = -1};
    uint64_t memory;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    if (!read_flags(&x, &args, &memory))
        return SKEP_EXIT_USAGE;
    const char *data = skep_cli_value(&args, "data", NULL);
    bool ok =
        data ? skep_import_to_folder(&x.sink, data, memory) : skep_import_to_server(&x.sink, &args);
    for (unsigned i = 0; i < args.rest.n; i++) {
        struct skep_os_stat st;
        if (skep_os_real()->stat(skep_os_real(), args.rest.v[i], &st, NULL) == SKEP_OK)
            x.total_bytes += st.size_bytes;
    }
    for (unsigned i = 0; i < args.rest.n && ok; i++)
        ok = import_file(&x, args.rest.v[i]);
    if (x.sink.close)
        ok = x.sink.close(&x.sink) && ok;
    summary(&x);
    return ok ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}
