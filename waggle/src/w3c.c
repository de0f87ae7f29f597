// SPDX-License-Identifier: Apache-2.0
/*
 * w3c.c - traceparent and tracestate
 *
 *   traceparent: 00-<32 hex trace id>-<16 hex span id>-<2 hex flags>
 *   tracestate:  key=value,key2=value2        newest first
 *
 * Lower-case hex alone, ids that are not zero, version ff refused; a later version may have more
 * fields behind. A bad tracestate does not spoil a good traceparent. Where a tracestate is longer
 * than what must be passed on, whole entries go: those of more than 128 characters first, then the
 * oldest (W3C 3.3.1.5).
 *
 * Threads: no state.
 */
#include "priv.h"

enum { ENTRIES_MAX = 32, LONG_ENTRY = 128, KEY_MAX = 256, VALUE_MAX = 256 };

/* --- traceparent --------------------------------------------------------------------------- */

static int lower_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unhex(const char *p, size_t n, uint8_t *ret)
{
    for (size_t i = 0; i < n; i++) {
        int high = lower_hex(p[2 * i]);
        int low = lower_hex(p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void strip(const char **p, size_t *n)
{
    while (*n > 0 && (**p == ' ' || **p == '\t')) {
        ++*p;
        --*n;
    }
    while (*n > 0 && ((*p)[*n - 1] == ' ' || (*p)[*n - 1] == '\t'))
        --*n;
}

bool waggle_traceparent_parse(const char *header, size_t n, waggle_span_context *ret_context)
{
    enum { LENGTH = 55 };
    strip(&header, &n);
    uint8_t version = 0;
    uint8_t flags = 0;
    waggle_span_context c;
    if (n < LENGTH || !unhex(header, 1, &version) || version == 0xff || header[2] != '-' ||
        header[35] != '-' || header[52] != '-')
        return false;
    if (n > LENGTH && (version == 0 || header[LENGTH] != '-'))
        return false;
    if (!unhex(header + 3, 16, c.trace_id) || !unhex(header + 36, 8, c.span_id) ||
        !unhex(header + 53, 1, &flags))
        return false;
    if (!waggle_span_context_is_valid(&c))
        return false;
    memcpy(ret_context->trace_id, c.trace_id, 16);
    memcpy(ret_context->span_id, c.span_id, 8);
    ret_context->flags = flags & (WAGGLE_FLAG_SAMPLED | WAGGLE_FLAG_RANDOM);
    ret_context->is_remote = true;
    ret_context->tracestate_n = 0;
    return true;
}

void waggle_traceparent_format(const waggle_span_context *context, char ret_header[56])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(ret_header, "00-", 3);
    waggle_trace_id_hex(context->trace_id, ret_header + 3);
    ret_header[35] = '-';
    waggle_span_id_hex(context->span_id, ret_header + 36);
    ret_header[52] = '-';
    ret_header[53] = digits[context->flags >> 4];
    ret_header[54] = digits[context->flags & 15];
    ret_header[55] = '\0';
}

/* --- tracestate ---------------------------------------------------------------------------- */

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' ||
           c == '/';
}

/* W3C: simple-key, or tenant@system with at most 241 and 14 characters. */
static bool is_key(const char *p, size_t n)
{
    if (n == 0 || n > KEY_MAX)
        return false;
    const char *at = memchr(p, '@', n);
    size_t tenant = at ? (size_t)(at - p) : n;
    if (at != NULL && (tenant > 241 || n - tenant - 1 > 14 || n - tenant - 1 == 0 ||
                       !(at[1] >= 'a' && at[1] <= 'z')))
        return false;
    bool digit = p[0] >= '0' && p[0] <= '9';
    if (!(p[0] >= 'a' && p[0] <= 'z') && !digit)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_key_char(p[i]) && &p[i] != at)
            return false;
    return tenant > 0;
}

static bool is_value(const char *p, size_t n)
{
    if (n == 0 || n > VALUE_MAX || p[n - 1] == ' ')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20 || (unsigned char)p[i] > 0x7e || p[i] == ',' || p[i] == '=')
            return false;
    return true;
}

struct entry {
    const char *p; /* key=value */
    size_t n, key_n;
};

struct list {
    struct entry e[ENTRIES_MAX];
    size_t n;
};

static size_t index_of(const struct list *list, const char *key, size_t key_n)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->e[i].key_n == key_n && memcmp(list->e[i].p, key, key_n) == 0)
            return i;
    return SIZE_MAX;
}

/* Adds the entries of one header; false for a malformed or repeated one. Beyond 32 all is ignored.
 */
static bool split(struct list *list, const char *p, size_t n)
{
    for (size_t i = 0; i <= n;) {
        const char *comma = i < n ? memchr(p + i, ',', n - i) : NULL;
        size_t end = comma ? (size_t)(comma - p) : n;
        const char *at = p + i;
        size_t at_n = end - i;
        i = end + 1;
        strip(&at, &at_n);
        if (at_n == 0)
            continue; // an empty member is allowed
        const char *equals = memchr(at, '=', at_n);
        if (equals == NULL)
            return false;
        size_t key_n = (size_t)(equals - at);
        if (!is_key(at, key_n) || !is_value(equals + 1, at_n - key_n - 1) ||
            index_of(list, at, key_n) != SIZE_MAX)
            return false;
        if (list->n == ENTRIES_MAX)
            return false;
        list->e[list->n++] = (struct entry){at, at_n, key_n};
    }
    return true;
}

static size_t joined_n(const struct list *list)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += list->e[i].n + (i > 0);
    return n;
}

static void drop(struct list *list, size_t i)
{
    memmove(&list->e[i], &list->e[i + 1], (list->n - i - 1) * sizeof list->e[0]);
    list->n--;
}

/* Leave out entries until the rest fits; the first one is the caller's own and goes last. */
static void shorten(struct list *list)
{
    for (size_t i = list->n; i-- > 1 && joined_n(list) > WAGGLE_TRACESTATE_BYTES_MAX;)
        if (list->e[i].n > LONG_ENTRY)
            drop(list, i);
    while (list->n > 0 && joined_n(list) > WAGGLE_TRACESTATE_BYTES_MAX)
        drop(list, list->n - 1);
}

static void join(const struct list *list, waggle_span_context *context)
{
    char text[WAGGLE_TRACESTATE_BYTES_MAX]; // entries may point into the context itself
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            text[n++] = ',';
        memcpy(text + n, list->e[i].p, list->e[i].n);
        n += list->e[i].n;
    }
    if (n > 0)
        memcpy(context->tracestate, text, n);
    context->tracestate_n = (uint16_t)n;
}

bool waggle_tracestate_parse(const char *header, size_t n, waggle_span_context *context)
{
    struct list list = {.n = 0};
    if (!split(&list, context->tracestate, context->tracestate_n) || !split(&list, header, n)) {
        context->tracestate_n = 0;
        return false;
    }
    shorten(&list);
    join(&list, context);
    return true;
}

bool waggle_tracestate_get(const waggle_span_context *context, const char *key,
                           const char **ret_value, size_t *ret_n)
{
    struct list list = {.n = 0};
    if (!split(&list, context->tracestate, context->tracestate_n))
        return false;
    size_t i = index_of(&list, key, strlen(key));
    if (i == SIZE_MAX)
        return false;
    *ret_value = list.e[i].p + list.e[i].key_n + 1;
    *ret_n = list.e[i].n - list.e[i].key_n - 1;
    return true;
}

bool waggle_tracestate_set(waggle_span_context *context, const char *key, const char *value)
{
    struct list list = {.n = 0};
    char own[KEY_MAX + 1 + VALUE_MAX];
    size_t key_n = strlen(key);
    size_t value_n = value ? strlen(value) : 0;
    if (!is_key(key, key_n) || (value != NULL && !is_value(value, value_n)))
        return false;
    if (value != NULL && key_n + 1 + value_n > WAGGLE_TRACESTATE_BYTES_MAX)
        return false;
    if (!split(&list, context->tracestate, context->tracestate_n))
        list.n = 0;
    size_t i = index_of(&list, key, key_n);
    if (i != SIZE_MAX)
        drop(&list, i);
    if (value != NULL) {
        memcpy(own, key, key_n);
        own[key_n] = '=';
        memcpy(own + key_n + 1, value, value_n);
        if (list.n == ENTRIES_MAX)
            drop(&list, ENTRIES_MAX - 1);
        memmove(&list.e[1], &list.e[0], list.n * sizeof list.e[0]);
        list.e[0] = (struct entry){own, key_n + 1 + value_n, key_n};
        list.n++;
    }
    shorten(&list);
    join(&list, context);
    return true;
}

/* --- the propagator ------------------------------------------------------------------------ */

static void inject_tracecontext(const waggle_context *context, waggle_set_fn *set, void *carrier)
{
    waggle_span_context c;
    char header[56];
    if (!waggle_context_get_span_context(context, &c))
        return;
    waggle_traceparent_format(&c, header);
    set(carrier, "traceparent", header);
    if (c.tracestate_n == 0)
        return;
    char state[WAGGLE_TRACESTATE_BYTES_MAX + 1];
    memcpy(state, c.tracestate, c.tracestate_n);
    state[c.tracestate_n] = '\0';
    set(carrier, "tracestate", state);
}

static void extract_tracecontext(waggle_context *context, waggle_get_fn *get, void *carrier)
{
    const char *value = NULL;
    size_t n = 0;
    waggle_span_context c;
    memset(&c, 0, sizeof c);
    if (!get(carrier, "traceparent", 0, &value, &n) || !waggle_traceparent_parse(value, n, &c))
        return;
    for (size_t i = 0; i < ENTRIES_MAX && get(carrier, "tracestate", i, &value, &n); i++)
        if (!waggle_tracestate_parse(value, n, &c))
            break;
    waggle_context_set_remote(context, &c);
}

static const char *const tracecontext_fields[] = {"traceparent", "tracestate", NULL};

const struct waggle_propagator waggle_propagator_tracecontext = {
    .name = "tracecontext",
    .fields = tracecontext_fields,
    .inject = inject_tracecontext,
    .extract = extract_tracecontext,
};
