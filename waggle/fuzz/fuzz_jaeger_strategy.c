// SPDX-License-Identifier: Apache-2.0
/* What Jaeger answers: any bytes, as JSON and as protobuf, are a strategy within its bounds, or
 * none. */
#include "jaeger_strategy.h"

#include <stdlib.h>

static void check(const struct waggle__jaeger_strategy *s)
{
    if (s->n > WAGGLE__JAEGER_OPERATIONS || !(s->rate >= 0 && s->rate <= 1) ||
        !(s->per_second >= 0) || !(s->lower_bound >= 0))
        abort();
    for (size_t i = 0; i < s->n; i++)
        if (!(s->p[i].rate >= 0 && s->p[i].rate <= 1) ||
            memchr(s->p[i].name, '\0', sizeof s->p[i].name) == NULL)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct waggle__jaeger_strategy s;
    const waggle_str bytes = {(const char *)data, size};
    if (waggle__jaeger_from_json(bytes, &s) != s.is_set)
        abort();
    check(&s);
    if (waggle__jaeger_from_protobuf(bytes, &s) != s.is_set)
        abort();
    check(&s);
    return 0;
}
