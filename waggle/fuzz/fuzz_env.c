// SPDX-License-Identifier: Apache-2.0
/* Lists of pairs (OTEL_RESOURCE_ATTRIBUTES, headers), and texts of any bytes made valid UTF-8. */
#include "sdk_priv.h"

#include <stdlib.h>

static void pair(void *self, waggle_str key, waggle_str value)
{
    size_t *n = self;
    if (key.n == 0)
        abort();
    *n += key.n + value.n;
}

static void text(const char *p, size_t n, uint32_t limit)
{
    struct waggle__text t = waggle__text_of(p, n, limit);
    uint8_t *out = malloc(t.out_n + 1);
    if (out == NULL)
        return;
    if (waggle__text_write(out, &t) != out + t.out_n)
        abort();
    for (size_t i = 0, chars = 0; i < t.out_n; chars++) {
        size_t k = waggle__utf8_n(out + i, t.out_n - i);
        if (k == 0 || chars >= limit)
            abort();
        i += k;
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *list = malloc(size + 1);
    if (list == NULL)
        return 0;
    memcpy(list, data, size);
    list[size] = '\0';
    size_t n = 0;
    if (waggle__pairs(list, pair, &n) && n > size)
        abort();
    free(list);
    text((const char *)data, size, WAGGLE_NO_LIMIT);
    text((const char *)data, size, 5);
    return 0;
}
