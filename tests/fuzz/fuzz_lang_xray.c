// SPDX-License-Identifier: Apache-2.0
/* Any text as a filter expression, its second line as a group's: what is taken prints to a text
 * that reads back and prints the same, and its filters are filters a plan may have. */
#include <stdlib.h>

#include "lang/xray.h"

#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

static bool find_group(void *ctx, skep_str name, bool arn, struct skep_arena *arena, skep_str *ret)
{
    (void)arena;
    (void)arn;
    *ret = *(skep_str *)ctx;
    return skep_str_eq(name, SKEP_STR("g"));
}

static void good(const struct skep_xray_expr *e, const struct skep_xray_groups *groups,
                 struct skep_arena *arena)
{
    const struct skep_xray_expr *again = NULL;
    const struct skep_expr *filter = NULL;
    struct skep_lang_issue issue;
    struct skep_buf once, twice;
    skep_err err;
    bool exact;
    skep_buf_init(&once, 1 << 20);
    skep_buf_init(&twice, 1 << 20);
    skep_xray_print(e, &once);
    if (once.n <= SKEP_LIMIT_XRAY_TEXT) {
        MUST(skep_xray_parse(skep_buf_text(&once), groups, arena, &again, &issue) == SKEP_OK);
        skep_xray_print(again, &twice);
        MUST(skep_str_eq(skep_buf_text(&once), skep_buf_text(&twice)));
    }
    for (unsigned i = 0; i < 2; i++) {
        skep_xray_filter(e, i ? SKEP_REL_ROOT : SKEP_REL_SELF, arena, &filter, &exact);
        const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS, .range = {0, 1}, .filter = filter};
        MUST(skep_plan_check(&plan, &err) == SKEP_OK);
    }
    skep_buf_done(&once);
    skep_buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    skep_str group = {(const char *)data, size};
    skep_str text = skep_str_cut(&group, '\n');
    struct skep_arena arena;
    struct skep_lang_issue issue;
    const struct skep_xray_expr *e = NULL;
    const struct skep_xray_groups groups = {.ctx = &group, .find = find_group};
    if (size > 4096)
        return 0;
    skep_arena_init(&arena, "fuzz", NULL);
    if (skep_xray_parse(text, &groups, &arena, &e, &issue) == SKEP_OK)
        good(e, &groups, &arena);
    else
        MUST(issue.at <= text.n);
    skep_arena_done(&arena);
    return 0;
}
