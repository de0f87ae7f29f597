// SPDX-License-Identifier: Apache-2.0
/*
 * resource.c - attributes of the process, kept in the form OTLP sends them
 *
 * The bytes are those of a Resource message: field 1, once for each attribute. Setting a key again
 * takes the old field out.
 *
 * Threads: one at a time; immutable once a provider has it, but for the child of a fork.
 */
#include "sdk_priv.h"

#include <stdlib.h>

enum { RESOURCE_BYTES_MAX = 1 << 20 };

struct waggle_resource {
    struct waggle__buf attributes;
    char *schema_url;  /* NULL = none */
    bool own_instance; /* service.instance.id is what waggle made up */
};

struct waggle_resource *waggle_resource_new(void)
{
    struct waggle_resource *r = calloc(1, sizeof *r);
    if (r != NULL)
        waggle__buf_init(&r->attributes, RESOURCE_BYTES_MAX);
    return r;
}

void waggle_resource_free(struct waggle_resource *resource)
{
    if (resource == NULL)
        return;
    waggle__buf_done(&resource->attributes);
    free(resource->schema_url);
    free(resource);
}

static waggle_str encoded(const struct waggle_resource *r)
{
    return (waggle_str){(const char *)r->attributes.p, r->attributes.n};
}

static bool find_attr(const struct waggle_resource *r, waggle_str key, size_t *ret_from,
                      size_t *ret_end, waggle_attr_data *ret_attr)
{
    waggle_cursor c = {0};
    for (size_t from = 0; waggle_attr_next(encoded(r), &c, ret_attr); from = c.at) {
        if (ret_attr->key.n != key.n || memcmp(ret_attr->key.p, key.p, key.n) != 0)
            continue;
        *ret_from = from;
        *ret_end = c.at;
        return true;
    }
    return false;
}

static void remove_key(struct waggle_resource *r, waggle_str key)
{
    size_t from = 0;
    size_t end = 0;
    waggle_attr_data attr;
    if (!find_attr(r, key, &from, &end, &attr))
        return;
    struct waggle__buf *b = &r->attributes;
    memmove(b->p + from, b->p + end, b->n - end);
    b->n -= end - from;
}

bool waggle_resource_set(struct waggle_resource *resource, waggle_attrs attributes)
{
    for (size_t i = 0; i < attributes.n; i++) {
        const waggle_kv *kv = &attributes.p[i];
        if (kv->key == NULL || kv->key_n == 0)
            continue;
        remove_key(resource, (waggle_str){kv->key, kv->key_n});
        waggle__buf_attr(&resource->attributes, 1, kv);
    }
    return !resource->attributes.bad;
}

bool waggle_resource_set_schema_url(struct waggle_resource *resource, const char *schema_url)
{
    char *copy = NULL;
    if (schema_url != NULL && schema_url[0] != '\0') {
        size_t n = strlen(schema_url) + 1;
        copy = malloc(n);
        if (copy == NULL)
            return false;
        memcpy(copy, schema_url, n);
    }
    free(resource->schema_url);
    resource->schema_url = copy;
    return true;
}

static bool merge_schema_url(struct waggle_resource *resource, const struct waggle_resource *from)
{
    if (from->schema_url == NULL)
        return true;
    if (resource->schema_url == NULL)
        return waggle_resource_set_schema_url(resource, from->schema_url);
    if (strcmp(resource->schema_url, from->schema_url) == 0)
        return true;
    waggle__error(WAGGLE_LEVEL_ERROR, "resources of two schema URLs are merged, leaving both out");
    return waggle_resource_set_schema_url(resource, NULL);
}

bool waggle__resource_merge_some(struct waggle_resource *resource,
                                 const struct waggle_resource *from, waggle__passes_fn *passes,
                                 void *self)
{
    waggle_cursor c = {0};
    waggle_attr_data attr;
    for (size_t at = 0; waggle_attr_next(encoded(from), &c, &attr); at = c.at) {
        if (passes != NULL && !passes(self, attr.key))
            continue;
        remove_key(resource, attr.key);
        waggle__buf_put(&resource->attributes, from->attributes.p + at, c.at - at);
    }
    return merge_schema_url(resource, from) && !resource->attributes.bad;
}

bool waggle_resource_merge(struct waggle_resource *resource, const struct waggle_resource *from)
{
    return waggle__resource_merge_some(resource, from, NULL, NULL);
}

bool waggle_resource_get_str(const struct waggle_resource *resource, const char *key,
                             waggle_str *ret_value)
{
    size_t from = 0;
    size_t end = 0;
    waggle_attr_data attr;
    if (!find_attr(resource, (waggle_str){key, strlen(key)}, &from, &end, &attr) ||
        attr.value.type != WAGGLE_STR)
        return false;
    *ret_value = attr.value.str;
    return true;
}

waggle_resource_info waggle_resource_get_info(const struct waggle_resource *resource)
{
    waggle_str schema_url = {resource->schema_url ? resource->schema_url : "",
                             resource->schema_url ? strlen(resource->schema_url) : 0};
    return (waggle_resource_info){encoded(resource), schema_url, encoded(resource)};
}

/* --- the instance -------------------------------------------------------------------------- */

void waggle_detect_instance(struct waggle_resource *resource)
{
    uint8_t b[16];
    char text[37];
    static const char digits[] = "0123456789abcdef";
    if (!waggle__os.random(b, sizeof b))
        return;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); // UUID, version 4
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    size_t at = 0;
    for (size_t i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = digits[b[i] >> 4];
        text[at++] = digits[b[i] & 15];
    }
    text[at] = '\0';
    (void)waggle_resource_set(resource, WAGGLE_ATTRS(waggle_kv_str("service.instance.id", text)));
    resource->own_instance = true;
}

bool waggle__resource_has(const struct waggle_resource *resource, const char *key)
{
    size_t from = 0;
    size_t end = 0;
    waggle_attr_data attr;
    return find_attr(resource, (waggle_str){key, strlen(key)}, &from, &end, &attr);
}

void waggle__resource_not_own_instance(struct waggle_resource *resource)
{
    resource->own_instance = false;
}

void waggle__resource_renew(struct waggle_resource *resource)
{
    if (resource->own_instance)
        waggle_detect_instance(resource);
    if (waggle__resource_has(resource, "process.pid"))
        waggle_detect_process(resource);
}
