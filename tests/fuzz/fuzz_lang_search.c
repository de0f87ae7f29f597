// SPDX-License-Identifier: Apache-2.0
/* A search for errors: any bytes.
 *
 * Holds: terms follow each other inside the text, fields and values inside their term. */
#include "base/assert.h"
#include "lang/search.h"

static void inside(skep_str s, skep_str text, const struct skep_search_term *t)
{
    skep_assert(s.n == 0 || (s.p >= text.p + t->at && s.p + s.n <= text.p + t->end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_arena arena;
    struct skep_search s;
    struct skep_lang_issue issue;
    skep_str text = {(const char *)data, size};
    size_t at = 0;
    skep_arena_init(&arena, "fuzz", NULL);
    if (skep_lang_search(text, &arena, &s, &issue) == SKEP_OK) {
        for (unsigned i = 0; i < s.n; i++) {
            const struct skep_search_term *t = &s.terms[i];
            skep_assert(t->at >= at && t->end > t->at && t->end <= size && t->n_values > 0);
            at = t->end;
            inside(t->field, text, t);
            for (unsigned v = 0; v < t->n_values; v++)
                inside(t->values[v].text, text, t);
        }
    } else {
        skep_assert(issue.rc == SKEP_EINVAL && issue.at <= size);
    }
    skep_arena_done(&arena);
    return 0;
}
