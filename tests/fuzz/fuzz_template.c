// SPDX-License-Identifier: Apache-2.0
/* Any bytes as log lines: every line counts once, whatever the table has room for. */
#include <stdlib.h>

#include "agg/template.h"

#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536)
        return 0;
    const struct skep_template_config cfg = {
        .range = {0, 100}, .n_bins = 7, .max = 4 + data[0] % 60};
    struct skep_templates *t = skep_templates_new(&cfg);
    struct skep_arena arena;
    struct skep_template_list list;
    uint64_t lines = 0, sum = 0;
    skep_str rest = {(const char *)data + 1, size - 1};
    while (rest.n > 0) {
        skep_str text = skep_str_cut(&rest, '\n');
        MUST(skep_templates_add(t, &(struct skep_template_line){.text = text,
                                                                .time_ns = (skep_ts_ns)lines,
                                                                .severity = data[0],
                                                                .id = {lines, 0}}) == SKEP_OK);
        lines++;
    }
    skep_arena_init(&arena, "fuzz", NULL);
    skep_templates_finish(t, &arena, &list);
    for (size_t i = 0; i < list.n; i++) {
        sum += list.templates[i].count;
        (void)skep_template_text(&list.templates[i], &arena);
        (void)skep_template_regex(&list.templates[i], &arena);
    }
    MUST(sum == lines && list.lines == lines && list.n <= cfg.max + 1);
    skep_templates_free(t);
    skep_arena_done(&arena);
    return 0;
}
