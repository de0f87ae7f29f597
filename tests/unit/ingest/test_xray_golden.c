// SPDX-License-Identifier: Apache-2.0
/* Datagrams recorded from the X-Ray SDKs for Python (Flask) and Node.js (Express), decoded in one
 * call and compared with committed text, field by field.
 *
 *   build/release/tests/test_xray_golden --bless      rewrites the texts; read the difference
 */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ingest/xray.h"
#include "support/batchdump.h"

#define FOLDER "tests/golden/xray/"

static bool bless;

static void read_file(const char *path, struct skep_buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    for (;;) {
        assert_true(skep_buf_reserve(out, 4096));
        size_t n = fread(out->p + out->n, 1, 4096, f);
        out->n += n;
        if (n == 0)
            break;
    }
    fclose(f);
}

/* "<length>\n<datagram>\n" ... -> their bodies. */
static size_t split(skep_str file, struct skep_xray_text *texts, size_t cap)
{
    size_t n = 0;
    while (file.n > 0) {
        uint64_t len = 0;
        assert_true(skep_str_u64(skep_str_cut(&file, '\n'), &len));
        assert_true(len < file.n && n < cap);
        texts[n] = (struct skep_xray_text){.sender = 7};
        assert_true(skep_xray_datagram((skep_str){file.p, len}, &texts[n].text));
        n++;
        file = skep_str_skip(file, len + 1);
    }
    return n;
}

static void decode(const char *name, struct skep_buf *out)
{
    char path[128];
    struct skep_buf in;
    struct skep_arena arena;
    struct skep_xray_text texts[64];
    struct skep_xray_report rep;
    skep_err err = {0};
    skep_buf_init(&in, 1 << 20);
    skep_arena_init(&arena, "test", NULL);
    snprintf(path, sizeof path, FOLDER "%s.packets", name);
    read_file(path, &in);
    size_t n = split(skep_buf_text(&in), texts, SKEP_ARRAY_LEN(texts));
    struct skep_batch *b = skep_batch_new(NULL, 1795195300000000000);
    const struct skep_xray_opts opts = {.arena = &arena};
    skep_rc rc = skep_xray_decode(texts, n, &opts, b, &rep, &err);
    if (rc != SKEP_OK)
        fail_msg("%s: %s", name, err.text);
    skep_batch_check(b);
    skep_buf_printf(out, "packets %zu received %" PRIu64 " accepted %" PRIu64 " rows %u\n", n,
                    rep.received, rep.accepted, b->n_rows);
    skep_batchdump(b, out);
    skep_batch_free(b);
    skep_arena_done(&arena);
    skep_buf_done(&in);
}

static void test_all(void **state)
{
    static const char *const all[] = {"flask", "express"};
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        char path[128];
        struct skep_buf have, want;
        skep_buf_init(&have, 16 << 20);
        skep_buf_init(&want, 16 << 20);
        decode(all[i], &have);
        assert_false(have.bad);
        snprintf(path, sizeof path, FOLDER "%s.txt", all[i]);
        if (bless) {
            FILE *f = fopen(path, "wb");
            assert_non_null(f);
            assert_int_equal(fwrite(have.p, 1, have.n, f), have.n);
            fclose(f);
        }
        read_file(path, &want);
        if (!skep_str_eq(skep_buf_text(&have), skep_buf_text(&want))) {
            FILE *f = fopen("build/golden-have.txt", "wb");
            if (f) {
                fwrite(have.p, 1, have.n, f);
                fclose(f);
            }
            fail_msg("%s decodes to other rows: diff %s build/golden-have.txt", all[i], path);
        }
        skep_buf_done(&have);
        skep_buf_done(&want);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    bless = argc > 1 && strcmp(argv[1], "--bless") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
