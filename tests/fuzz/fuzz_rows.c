// SPDX-License-Identifier: Apache-2.0
/* Any bytes as lines of rows: an error, or a batch whose structure holds.
 *
 * Lines go into one batch after the other, ended by a blank line, as an import does it. */
#include <string.h>

#include "base/assert.h"
#include "ingest/row_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skep_budget budget;
    if (n > 64 << 10)
        return 0;
    skep_budget_init(&budget, "fuzz", 64 << 20, NULL);
    struct skep_row_reader *r = skep_row_reader_new(&budget);
    struct skep_batch *b = skep_batch_new(&budget, 1);
    skep_str rest = {(const char *)data, n};
    while (rest.n) {
        skep_err err = {.text = ""};
        skep_str line = skep_str_cut(&rest, '\n');
        skep_rc rc = line.n ? skep_row_read(r, line, b, &err) : SKEP_OK;
        if (rc == SKEP_OK)
            skep_batch_check(b);
        else
            skep_assert(err.text[0] &&
                        (rc == SKEP_EMALFORMED || rc == SKEP_ENOMEM || rc == SKEP_ETOOLARGE));
        if (rc != SKEP_OK || line.n == 0) {
            skep_batch_free(b);
            b = skep_batch_new(&budget, 1);
        }
    }
    skep_batch_free(b);
    skep_row_reader_free(r);
    skep_assert(skep_budget_used(&budget) == 0);
    return 0;
}
