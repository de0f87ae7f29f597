// SPDX-License-Identifier: Apache-2.0
/* Reading files for `skep send` and `skep import`, a chunk of 64 KiB at a time.
 * Threads: main. */
#include "server/cli_input.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "os/os.h"

enum { CHUNK = 64 << 10 };

bool skep_cli_input_open(struct skep_cli_input *in, const char *command, const char *name)
{
    const struct skep_os *os = skep_os_real();
    struct skep_os_stat st = {.size_bytes = 0};
    skep_err err;
    *in = (struct skep_cli_input){.command = command, .name = name, .fd = -1};
    if (!skep_str_eq(skep_str_c(name), SKEP_STR("-"))) {
        skep_rc rc = os->open(os, name, SKEP_OPEN_READ, &in->fd, &err);
        if (rc == SKEP_OK)
            rc = os->fstat(os, in->fd, &st, &err);
        if (rc != SKEP_OK) {
            (void)fprintf(stderr, "%s: %s\n", command, err.text);
            if (in->fd >= 0)
                os->close(os, in->fd);
            return false;
        }
    }
    in->size = st.size_bytes;
    in->chunk = skep_malloc(CHUNK);
    return true;
}

void skep_cli_input_close(struct skep_cli_input *in)
{
    skep_free(in->chunk);
    if (in->fd >= 0)
        skep_os_real()->close(skep_os_real(), in->fd);
}

void skep_cli_input_seek(struct skep_cli_input *in, uint64_t at)
{
    skep_assert(in->fd >= 0 && at <= in->size);
    in->at = at;
    in->pos = in->n = 0;
}

/* The next chunk; false at the end, or on an error, which is told. */
static bool fill(struct skep_cli_input *in)
{
    const struct skep_os *os = skep_os_real();
    skep_err err;
    in->pos = in->n = 0;
    if (in->fd < 0) {
        in->n = fread(in->chunk, 1, CHUNK, stdin);
        in->at += in->n;
        return in->n > 0;
    }
    size_t n = (size_t)SKEP_MIN(in->size - in->at, (uint64_t)CHUNK);
    if (n == 0)
        return false;
    if (os->pread(os, in->fd, in->chunk, n, in->at, &err) != SKEP_OK) {
        (void)fprintf(stderr, "%s: %s: %s\n", in->command, in->name, err.text);
        in->failed = true;
        return false;
    }
    in->at += n;
    in->n = n;
    return true;
}

/* A frame's head: a length that fits the file, and 0x0a (field 1 of the request) behind it. */
static bool is_framed(const struct skep_cli_input *in)
{
    uint64_t length = in->n >= 9 ? skep_load_le32(in->chunk) : 0;
    return length > 0 && length + 8 <= in->size && in->chunk[8] == 0x0a;
}

bool skep_cli_input_form(struct skep_cli_input *in, enum skep_cli_form *ret)
{
    *ret = SKEP_CLI_LINES;
    if (in->fd < 0)
        return true;
    skep_assert(in->n == 0);
    if (!fill(in)) {
        if (!in->failed)
            (void)fprintf(stderr, "%s: %s is empty\n", in->command, in->name);
        return false;
    }
    if (in->chunk[0] != '{')
        *ret = is_framed(in) ? SKEP_CLI_FRAMED : SKEP_CLI_WHOLE;
    return true;
}

uint64_t skep_cli_input_offset(const struct skep_cli_input *in)
{
    return in->at - (in->n - in->pos);
}

bool skep_cli_input_line(struct skep_cli_input *in, struct skep_buf *b)
{
    bool any = false;
    while (in->pos < in->n || fill(in)) {
        skep_str rest = {(const char *)in->chunk + in->pos, in->n - in->pos};
        size_t end = skep_str_chr(rest, '\n');
        any = true;
        skep_buf_put(b, rest.p, end == SIZE_MAX ? rest.n : end);
        in->pos += end == SIZE_MAX ? rest.n : end + 1;
        if (end != SIZE_MAX)
            break;
    }
    return any;
}

bool skep_cli_input_take(struct skep_cli_input *in, struct skep_buf *b, size_t n)
{
    while (n) {
        if (in->pos == in->n && !fill(in))
            return false;
        size_t take = SKEP_MIN(n, in->n - in->pos);
        skep_buf_put(b, in->chunk + in->pos, take);
        in->pos += take;
        n -= take;
    }
    return !b->bad;
}
