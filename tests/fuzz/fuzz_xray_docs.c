// SPDX-License-Identifier: Apache-2.0
/* X-Ray documents, one behind the other with 0x1e bytes between, as the traces that are read back:
 * assembled, matched, summed up, their documents merged.
 *
 * Holds: no crash; whatever came, the answers are JSON; a segment's document is an object (in which
 * numbers may be what the sender wrote, NaN and 1e999 too); no seg hangs below itself. */
#include <stdlib.h>
#include <yyjson.h>

#include "api/xray_docs.h"
#include "api/xray_summary.h"
#include "base/assert.h"
#include "ingest/xray.h"
#include "support/batch_rows.h"

enum { TEXTS = 16, TRACES = 4 };

static void check_documents(yyjson_val *list)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(list, i, max, item)
    {
        yyjson_val *text = yyjson_obj_get(item, "Document");
        yyjson_doc *doc = yyjson_read(yyjson_get_str(text), yyjson_get_len(text),
                                      YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_INF_AND_NAN);
        skep_assert(yyjson_is_obj(yyjson_doc_get_root(doc)));
        yyjson_doc_free(doc);
    }
}

static void look(const struct skep_rows *rows, struct skep_arena *arena)
{
    struct skep_xray_trace t;
    struct skep_buf buf;
    struct skep_json json;
    struct skep_xray_causes causes;
    skep_xray_assemble(rows, NULL, arena, &t);
    for (int32_t i = 0; i < t.n; i++)
        skep_assert(t.segs[i].parent < i);
    for (int c = 0; c < 3; c++)
        skep_xray_find_causes(&t, (enum skep_xray_cause)c, &causes);
    skep_buf_init(&buf, 64 << 20);
    skep_json_init(&json, &buf);
    skep_json_array(&json);
    skep_api__xray_summary(&json, &t, NULL);
    skep_assert(skep_api__xray_documents(&json, &t));
    skep_json_end(&json);
    skep_assert(!buf.bad);
    yyjson_doc *doc = yyjson_read((const char *)buf.p, buf.n, 0);
    skep_assert(doc != NULL);
    check_documents(yyjson_arr_get(yyjson_doc_get_root(doc), 1));
    yyjson_doc_free(doc);
    skep_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_arena arena;
    struct skep_xray_text texts[TEXTS];
    struct skep_xray_report rep;
    skep_trace_id seen[TRACES];
    skep_err err;
    size_t n = 0, n_seen = 0;
    skep_str all = {(const char *)data, size};
    while (all.p && n < TEXTS)
        texts[n++] = (struct skep_xray_text){.text = skep_str_cut(&all, '\x1e'), .sender = 1};
    skep_arena_init(&arena, "fuzz", NULL);
    struct skep_batch *b = skep_batch_new(NULL, 1);
    const struct skep_xray_opts opts = {.arena = &arena};
    skep_rc rc = skep_xray_decode(texts, n, &opts, b, &rep, &err);
    skep_assert(rc == SKEP_OK);
    for (uint32_t r = 0; r < b->n_rows && n_seen < TRACES; r++) {
        bool again = false;
        for (size_t i = 0; i < n_seen; i++)
            again |= memcmp(&seen[i], &b->trace_id[r], sizeof seen[i]) == 0;
        if (again)
            continue;
        seen[n_seen++] = b->trace_id[r];
        const struct skep_rows rows = batch_rows(b, &b->trace_id[r], &arena);
        look(&rows, &arena);
    }
    skep_batch_free(b);
    skep_arena_done(&arena);
    return 0;
}
