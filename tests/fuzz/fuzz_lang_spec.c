// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a query specification, a rows or a traces request: either a plan that obeys its own
 * rules, or a refusal with a text.  The canonical form of what is taken is taken, too, and is its
 * own form. */
#include <stdlib.h>

#include "lang/honeycomb.h"

#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

typedef skep_rc read_fn(skep_bytes json, const struct skep_lang_opts *opts,
                        struct skep_arena *arena, const struct skep_plan **ret,
                        struct skep_lang_issue *issue);

static void one(read_fn *fn, skep_bytes in)
{
    const struct skep_lang_opts opts = {.now_ns = 1795132800000000000, .page = true};
    struct skep_arena arena;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue = {.text = ""};
    skep_err err;
    skep_arena_init(&arena, "fuzz", NULL);
    if (fn(in, &opts, &arena, &plan, &issue) == SKEP_OK)
        MUST(skep_plan_check(plan, &err) == SKEP_OK);
    else
        MUST(issue.text[0] != '\0');
    MUST(arena.total_bytes <= 64 * in.n + (1 << 20));
    skep_arena_done(&arena);
}

static void canonical(skep_bytes in)
{
    struct skep_arena arena;
    struct skep_lang_issue issue;
    skep_str first, second;
    skep_arena_init(&arena, "fuzz", NULL);
    if (skep_lang_honeycomb_text(in, &arena, &first, &issue) == SKEP_OK) {
        MUST(skep_lang_honeycomb_text(skep_str_bytes(first), &arena, &second, &issue) == SKEP_OK);
        MUST(skep_str_eq(first, second));
    }
    skep_arena_done(&arena);
}

static skep_rc traces(skep_bytes json, const struct skep_lang_opts *opts, struct skep_arena *arena,
                      const struct skep_plan **ret, struct skep_lang_issue *issue)
{
    struct skep_lang_narrow narrow;
    skep_rc rc = skep_lang_traces(json, opts, arena, ret, &narrow, issue);
    MUST(rc != SKEP_OK || narrow.min_ms < narrow.max_ms);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A delete, without its confirmation, so that it is a reader like the others. */
static skep_rc deletion(skep_bytes json, const struct skep_lang_opts *opts,
                        struct skep_arena *arena, const struct skep_plan **ret,
                        struct skep_lang_issue *issue)
{
    struct skep_lang_confirm confirm;
    return skep_lang_delete(json, opts, arena, ret, &confirm, issue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const skep_bytes in = {data, size};
    if (size > 65536)
        return 0;
    one(skep_lang_honeycomb, in);
    one(skep_lang_rows, in);
    one(skep_lang_facets, in);
    one(traces, in);
    one(deletion, in);
    canonical(in);
    return 0;
}
