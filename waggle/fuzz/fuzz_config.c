// SPDX-License-Identifier: Apache-2.0
/* Configuration files of any bytes: parsed, walked, and made into a provider where they can be. */
#include "config_priv.h"

#include <stdlib.h>

static size_t walk(const struct waggle_config_node *x, unsigned depth)
{
    size_t n = 1;
    if (depth > WAGGLE__YAML_DEPTH + 1)
        abort();
    if (waggle_config_str(x, NULL) != NULL && x->n < strlen(x->text))
        abort();
    (void)waggle_config_i64(x, 0);
    (void)waggle_config_f64(x, 0);
    const struct waggle__yaml_entry *e = x->first;
    for (; e != NULL; e = e->next)
        n += walk(e->value, depth + 1);
    if (n > WAGGLE__YAML_WEIGHT)
        abort();
    return n;
}

/* Exporters that would open files, ports or threads are no part of it: what is made of a name is.
 */
static void make(const struct waggle_config *c)
{
    const struct waggle_propagator *p[WAGGLE_PROPAGATORS_MAX];
    const struct waggle_config_node *root = waggle_config_root(c);
    const struct waggle_config_node *tracer = waggle_config_get(root, "tracer_provider");
    const struct waggle_config_node *meter = waggle_config_get(root, "meter_provider");
    waggle_options none = {0};
    size_t n = 0;
    (void)waggle_config_propagators(c, p, &n);
    bool plain = waggle_config_get(root, "logger_provider") == NULL &&
                 waggle_config_count(waggle_config_get(tracer, "processors")) == 0 &&
                 waggle_config_count(waggle_config_get(meter, "readers")) == 0;
    struct waggle_provider *provider = plain ? waggle__config_provider(c, &none) : NULL;
    if (provider != NULL)
        waggle_provider_free(provider);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    waggle_set_error_handler(NULL, NULL, WAGGLE_LEVEL_NONE);
    struct waggle_config *c = waggle_config_parse("fuzz", (const char *)data, size);
    if (c == NULL)
        return 0;
    (void)walk(waggle_config_root(c), 0);
    make(c);
    waggle_config_free(c);
    return 0;
}
