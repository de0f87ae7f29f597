// SPDX-License-Identifier: Apache-2.0
/* Any bytes as the listing of a backup: an error, or a list whose names lead nowhere else and that
 * is written as it was read.
 *
 * The first byte chooses whether the checksum at the end is put right first. */
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/backup_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(skep_bytes text)
{
    struct skep_backup_list l, again;
    skep_err err;
    if (skep_backup_list__decode(text, &l, &err) != SKEP_OK) {
        skep_assert(err.text[0]);
        return;
    }
    for (unsigned i = 0; i < l.n; i++)
        skep_assert(skep_backup_list__name_ok(l.files[i].name));
    struct skep_buf out;
    skep_buf_init(&out, 64 << 20);
    skep_backup_list__encode(&l, &out);
    skep_rc rc = skep_backup_list__decode(skep_buf_bytes(&out), &again, &err);
    skep_assert(rc == SKEP_OK && again.n == l.n && again.rows == l.rows);
    skep_backup_list__done(&again);
    skep_backup_list__done(&l);
    skep_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0 || n > 64 << 10)
        return 0;
    struct skep_buf text;
    skep_buf_init(&text, 128 << 10);
    skep_buf_put(&text, data + 1, n - 1);
    if (data[0] & 1)
        skep_buf_printf(&text, "end %016llx\n",
                        (unsigned long long)skep_hash(skep_buf_bytes(&text)));
    check(skep_buf_bytes(&text));
    skep_buf_done(&text);
    return 0;
}
