// SPDX-License-Identifier: Apache-2.0
/* A program that has waggle's two files beside its own. */
#include "waggle.h"

int main(void)
{
    waggle_init(NULL);
    waggle_span span = waggle_span_start(waggle_tracer_get("amalgam", "1"), "hello", NULL);
    waggle_span_set(span, WAGGLE_ATTRS(waggle_kv_str("who", "amalgam")));
    waggle_span_end(span);
    return waggle_shutdown(2000) ? 0 : 1;
}
