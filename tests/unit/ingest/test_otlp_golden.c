// SPDX-License-Identifier: Apache-2.0
/* Requests recorded from real SDKs, decoded and compared with committed text.
 *
 *   build/release/tests/test_otlp_golden --bless      rewrites the texts; read the difference
 */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/otlp.h"
#include "support/batchdump.h"

#define FOLDER "tests/golden/otlp/"

static bool bless;

static const struct golden {
    const char *file;
    enum skep_otlp_signal signal;
} all[] = {
    {"flask-traces.pb", SKEP_OTLP_TRACES},
    {"browser-traces.json", SKEP_OTLP_TRACES},
    {"browser-backend-traces.pb", SKEP_OTLP_TRACES},
    {"node-traces.json", SKEP_OTLP_TRACES},
    {"python-traces.pb", SKEP_OTLP_TRACES},
    {"node-logs-1.json", SKEP_OTLP_LOGS},
    {"node-logs-2.json", SKEP_OTLP_LOGS},
    {"node-logs-3.json", SKEP_OTLP_LOGS},
    {"python-logs.pb", SKEP_OTLP_LOGS},
    {"node-metrics.json", SKEP_OTLP_METRICS},
    {"python-metrics.pb", SKEP_OTLP_METRICS},
};

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

static void decode(const struct golden *g, struct skep_buf *out)
{
    char path[128];
    struct skep_buf in;
    skep_err err = {0};
    struct skep_otlp_report rep;
    skep_buf_init(&in, 1 << 20);
    snprintf(path, sizeof path, FOLDER "%s", g->file);
    read_file(path, &in);
    struct skep_batch *b = skep_batch_new(NULL, 1795000000000000000);
    skep_rc rc = strstr(g->file, ".json")
                     ? skep_otlp_decode_json(g->signal, skep_buf_bytes(&in), b, NULL, &rep, &err)
                     : skep_otlp_decode_pb(g->signal, skep_buf_bytes(&in), b, NULL, &rep, &err);
    if (rc != SKEP_OK)
        fail_msg("%s: %s", g->file, err.text);
    skep_batch_check(b);
    skep_buf_printf(out, "received %" PRIu64 " accepted %" PRIu64 " rows %u\n", rep.received,
                    rep.accepted, b->n_rows);
    skep_batchdump(b, out);
    skep_batch_free(b);
    skep_buf_done(&in);
}

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        char path[128];
        struct skep_buf have, want;
        skep_buf_init(&have, 16 << 20);
        skep_buf_init(&want, 16 << 20);
        decode(&all[i], &have);
        assert_false(have.bad);
        snprintf(path, sizeof path, FOLDER "%s.txt", all[i].file);
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
            fail_msg("%s decodes to other rows: diff %s build/golden-have.txt", all[i].file, path);
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
