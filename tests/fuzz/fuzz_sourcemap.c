// SPDX-License-Identifier: Apache-2.0
/* A source map: any bytes; then the same bytes as a text of JavaScript.
 *
 * Holds: no crash; what is found exists; memory that was taken is given back. */
#include "base/assert.h"
#include "symbols/enclosing.h"
#include "symbols/sourcemap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t memory = 64 << 20;
    struct skep_budget budget;
    struct skep_sourcemap *m = NULL;
    struct skep_sourcemap_place p;
    skep_str text = {(const char *)data, size}, line;
    skep_budget_init(&budget, "fuzz", memory, NULL);
    if (skep_sourcemap_read(text, &budget, &m, NULL) == SKEP_OK) {
        for (uint32_t at = 0; at < 32; at++) {
            if (!skep_sourcemap_find(m, 1 + at / 8, 1 + at * 7 % 64, &p))
                continue;
            skep_assert(p.source < skep_sourcemap_sources(m) && p.line > 0 && p.column > 0);
            if (skep_sourcemap_line(m, p.source, p.line, &line))
                skep_assert(line.n <= skep_sourcemap_text(m, p.source).n);
        }
        skep_sourcemap_free(m);
    }
    skep_assert(skep_budget_used(&budget) == 0);
    skep_str name = skep_enclosing_function(text, size);
    skep_assert(name.n == 0 || (name.p >= text.p && name.p + name.n <= text.p + text.n));
    (void)skep_enclosing_function(text, size / 2);
    return 0;
}
