// SPDX-License-Identifier: Apache-2.0
/* A template, filled from fixed data and checked without.
 *
 * Holds: what can be filled with data that has everything passes the check, or stops at a bound;
 * what is refused says where; what is made stays within its buffer. */
#include <string.h>

#include "base/assert.h"
#include "wire/fill.h"

static const char data[] =
    "{\"Name\":\"n\",\"N\":3,\"F\":2.5,\"T\":true,\"Z\":null,\"A\":{\"B\":{\"C\":\"c\"}},"
    "\"L\":[1,\"x\",null,[2],{\"k\":\"v\"}],\"G\":[{\"group\":[{\"key\":\"a\",\"value\":1}],"
    "\"result\":5}]}";

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *in, size_t size)
{
    struct skep_buf out;
    skep_err err = {.text = ""};
    skep_str text = {(const char *)in, size};
    yyjson_doc *d = yyjson_read(data, strlen(data), 0);
    skep_buf_init(&out, 1 << 16);
    skep_rc filled = skep_fill(text, yyjson_doc_get_root(d), &out, &err);
    skep_assert(out.n <= 1 << 16);
    skep_assert(filled == SKEP_OK || err.text[0] != '\0');
    skep_buf_done(&out);
    yyjson_doc_free(d);
    skep_rc checked = skep_fill(text, NULL, NULL, &err);
    skep_assert(checked == SKEP_OK || checked == SKEP_EINVAL);
    return 0;
}
