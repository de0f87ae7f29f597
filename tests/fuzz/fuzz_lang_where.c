// SPDX-License-Identifier: Apache-2.0
/* Any text as a where-text, a calculation or an order: what is taken becomes valid JSON. */
#include <stdlib.h>
#include <yyjson.h>

#include "lang/where.h"

#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

static void must_be_json(const struct skep_buf *b)
{
    yyjson_doc *doc = yyjson_read((const char *)b->p, b->n, 0);
    MUST(doc != NULL);
    yyjson_doc_free(doc);
}

static void where(skep_str text, struct skep_buf *b)
{
    struct skep_arena arena;
    struct skep_where w;
    struct skep_json json;
    struct skep_lang_issue issue;
    skep_arena_init(&arena, "fuzz", NULL);
    if (skep_lang_where(text, &arena, &w, &issue) == SKEP_OK) {
        skep_buf_reset(b);
        skep_json_init(&json, b);
        skep_json_array(&json);
        skep_lang_where_json(&w, &json);
        skep_json_end(&json);
        must_be_json(b);
    } else {
        MUST(issue.at <= text.n);
    }
    skep_arena_done(&arena);
}

typedef skep_rc text_fn(skep_str text, struct skep_json *json, struct skep_lang_issue *issue);

static void short_form(text_fn *fn, skep_str text, struct skep_buf *b)
{
    struct skep_json json;
    struct skep_lang_issue issue;
    skep_buf_reset(b);
    skep_json_init(&json, b);
    if (fn(text, &json, &issue) == SKEP_OK)
        must_be_json(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const skep_str text = {(const char *)data, size};
    struct skep_buf b;
    if (size > 8192)
        return 0;
    skep_buf_init(&b, 1 << 20);
    where(text, &b);
    short_form(skep_lang_calc_json, text, &b);
    short_form(skep_lang_order_json, text, &b);
    skep_buf_done(&b);
    return 0;
}
