// SPDX-License-Identifier: Apache-2.0
/*
 * baggage.c - W3C baggage: an immutable counted list, read from and written to its header
 *
 *   baggage: name=percent-encoded value;property;property=x,name2=value2
 *
 * One block holds the entries and behind them their bytes. Names are tokens; values are kept
 * decoded and encoded again when written; properties are kept as they came.
 *
 * Limits are W3C's: 64 entries and 8192 bytes of header must pass; entries beyond are left out.
 *
 * Threads: immutable once made; counted atomically.
 */
#include "hex.h"
#include "priv.h"

#include <stdlib.h>

struct waggle_baggage {
    _Atomic uint32_t refs;
    uint32_t n;
    waggle_baggage_entry entries[];
};

/* --- characters ---------------------------------------------------------------------------- */

static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_token_char((unsigned char)p[i]))
            return false;
    return n > 0;
}

/* What may stand in a value without being encoded: no blank, quote, comma, semicolon, backslash.
 * '%' must be encoded itself. */
static bool is_plain(unsigned char c)
{
    return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\' && c != '%';
}

/* Decode %XX; returns the bytes written, at most n. What is no escape stays as it is. */
static size_t percent_decode(const char *p, size_t n, char *ret)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        int high = p[i] == '%' && i + 2 < n ? waggle__hex_digit(p[i + 1]) : -1;
        int low = high >= 0 ? waggle__hex_digit(p[i + 2]) : -1;
        if (low >= 0) {
            ret[out++] = (char)(high << 4 | low);
            i += 2;
        } else {
            ret[out++] = p[i];
        }
    }
    return out;
}

static void trim(const char **p, size_t *n)
{
    while (*n > 0 && (**p == ' ' || **p == '\t')) {
        ++*p;
        --*n;
    }
    while (*n > 0 && ((*p)[*n - 1] == ' ' || (*p)[*n - 1] == '\t'))
        --*n;
}

/* --- making -------------------------------------------------------------------------------- */

/* Bytes of the entry in a header, with the comma in front of it. */
static size_t header_n(const waggle_baggage_entry *e)
{
    size_t n = e->name_n + 2u;
    for (uint32_t i = 0; i < e->value_n; i++)
        n += is_plain((unsigned char)e->value[i]) ? 1 : 3;
    return n + (e->metadata_n ? e->metadata_n + 1u : 0);
}

static const char *store(char **at, const char *p, uint32_t n)
{
    char *to = *at;
    if (n > 0)
        memcpy(to, p, n);
    *at += n;
    return to;
}

/* A baggage of copies of n entries; NULL for none, over a limit, without memory. */
static struct waggle_baggage *make(const waggle_baggage_entry *entries, size_t n)
{
    size_t bytes = 0;
    size_t header = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += (size_t)entries[i].name_n + entries[i].value_n + entries[i].metadata_n;
        header += header_n(&entries[i]);
    }
    if (n == 0 || n > WAGGLE_BAGGAGE_ENTRIES_MAX || header - 1 > WAGGLE_BAGGAGE_BYTES_MAX)
        return NULL;
    struct waggle_baggage *b = malloc(sizeof *b + n * sizeof b->entries[0] + bytes);
    if (b == NULL)
        return NULL;
    atomic_init(&b->refs, 1);
    b->n = (uint32_t)n;
    char *at = (char *)&b->entries[n];
    for (size_t i = 0; i < n; i++) {
        waggle_baggage_entry e = entries[i];
        e.name = store(&at, e.name, e.name_n);
        e.value = store(&at, e.value, e.value_n);
        e.metadata = store(&at, e.metadata, e.metadata_n);
        b->entries[i] = e;
    }
    return b;
}

static size_t find_entry(const waggle_baggage_entry *entries, size_t n, const char *name,
                         size_t name_n)
{
    for (size_t i = 0; i < n; i++)
        if (entries[i].name_n == name_n && memcmp(entries[i].name, name, name_n) == 0)
            return i;
    return SIZE_MAX;
}

static size_t copy_entries(const struct waggle_baggage *b, waggle_baggage_entry *ret)
{
    if (b == NULL)
        return 0;
    for (uint32_t i = 0; i < b->n; i++)
        ret[i] = b->entries[i];
    return b->n;
}

struct waggle_baggage *waggle_baggage_set(const struct waggle_baggage *baggage, const char *name,
                                          const char *value, const char *metadata)
{
    waggle_baggage_entry entries[WAGGLE_BAGGAGE_ENTRIES_MAX + 1];
    if (name == NULL || value == NULL || !is_token(name, strlen(name)))
        return NULL;
    size_t n = copy_entries(baggage, entries);
    size_t i = find_entry(entries, n, name, strlen(name));
    if (i == SIZE_MAX)
        i = n++;
    entries[i] = (waggle_baggage_entry){
        .name = name,
        .value = value,
        .metadata = metadata ? metadata : "",
        .name_n = waggle__u32(strlen(name)),
        .value_n = waggle__u32(strlen(value)),
        .metadata_n = metadata ? waggle__u32(strlen(metadata)) : 0,
    };
    return make(entries, n);
}

struct waggle_baggage *waggle_baggage_remove(const struct waggle_baggage *baggage, const char *name)
{
    waggle_baggage_entry entries[WAGGLE_BAGGAGE_ENTRIES_MAX];
    if (baggage == NULL)
        return NULL;
    size_t n = copy_entries(baggage, entries);
    size_t i = find_entry(entries, n, name, strlen(name));
    if (i < n) {
        memmove(&entries[i], &entries[i + 1], (n - i - 1) * sizeof entries[0]);
        n--;
    }
    return make(entries, n);
}

bool waggle_baggage_find(const struct waggle_baggage *baggage, const char *name,
                         waggle_baggage_entry *ret_entry)
{
    size_t i = baggage ? find_entry(baggage->entries, baggage->n, name, strlen(name)) : SIZE_MAX;
    if (i == SIZE_MAX)
        return false;
    *ret_entry = baggage->entries[i];
    return true;
}

size_t waggle_baggage_count(const struct waggle_baggage *baggage)
{
    return baggage ? baggage->n : 0;
}

waggle_baggage_entry waggle_baggage_at(const struct waggle_baggage *baggage, size_t i)
{
    if (baggage == NULL || i >= baggage->n)
        return (waggle_baggage_entry){.name = "", .value = "", .metadata = ""};
    return baggage->entries[i];
}

void waggle_baggage_ref(const struct waggle_baggage *baggage)
{
    if (baggage != NULL)
        atomic_fetch_add_explicit(&((struct waggle_baggage *)(uintptr_t)baggage)->refs, 1,
                                  memory_order_relaxed);
}

void waggle_baggage_unref(const struct waggle_baggage *baggage)
{
    struct waggle_baggage *own = (struct waggle_baggage *)(uintptr_t)baggage;
    if (own != NULL && atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) == 1)
        free(own);
}

/* --- the header ---------------------------------------------------------------------------- */

/* One list member into *ret_entry, its value decoded into scratch; false if it is malformed. */
static bool parse_member(const char *p, size_t n, char **scratch, waggle_baggage_entry *ret_entry)
{
    const char *semicolon = memchr(p, ';', n);
    const char *metadata = semicolon ? semicolon + 1 : p + n;
    size_t metadata_n = (size_t)(p + n - metadata);
    n = semicolon ? (size_t)(semicolon - p) : n;
    const char *equals = memchr(p, '=', n);
    if (equals == NULL)
        return false;
    const char *value = equals + 1;
    size_t value_n = (size_t)(p + n - value);
    size_t name_n = (size_t)(equals - p);
    trim(&p, &name_n);
    trim(&value, &value_n);
    trim(&metadata, &metadata_n);
    if (!is_token(p, name_n))
        return false;
    for (size_t i = 0; i < value_n; i++)
        if (!is_plain((unsigned char)value[i]) && value[i] != '%')
            return false;
    for (size_t i = 0; i < metadata_n; i++)
        if ((unsigned char)metadata[i] < 0x20 || (unsigned char)metadata[i] > 0x7e)
            return false;
    size_t decoded_n = percent_decode(value, value_n, *scratch);
    *ret_entry = (waggle_baggage_entry){
        p, *scratch, metadata, (uint32_t)name_n, (uint32_t)decoded_n, (uint32_t)metadata_n};
    *scratch += decoded_n;
    return true;
}

struct waggle_baggage *waggle_baggage_parse(const char *header, size_t n)
{
    waggle_baggage_entry entries[WAGGLE_BAGGAGE_ENTRIES_MAX];
    char scratch[WAGGLE_BAGGAGE_BYTES_MAX];
    char *at = scratch;
    size_t n_entries = 0;
    size_t header_bytes = 0;
    n = WAGGLE__MIN(n, (size_t)WAGGLE_BAGGAGE_BYTES_MAX);
    for (size_t i = 0; i < n && n_entries < WAGGLE_BAGGAGE_ENTRIES_MAX;) {
        const char *comma = memchr(header + i, ',', n - i);
        size_t end = comma ? (size_t)(comma - header) : n;
        waggle_baggage_entry e;
        if (parse_member(header + i, end - i, &at, &e)) {
            size_t k = find_entry(entries, n_entries, e.name, e.name_n);
            size_t more = header_n(&e);
            if (header_bytes + more <= WAGGLE_BAGGAGE_BYTES_MAX) {
                entries[k == SIZE_MAX ? n_entries++ : k] = e;
                header_bytes += more;
            }
        }
        i = end + 1;
    }
    return make(entries, n_entries);
}

size_t waggle_baggage_format(const struct waggle_baggage *baggage, char *ret_header, size_t cap)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t need = 0;
    for (size_t i = 0; i < waggle_baggage_count(baggage); i++)
        need += header_n(&baggage->entries[i]);
    if (need == 0 || need > cap) // one comma too many in `need` is the room for the NUL
        return 0;
    char *w = ret_header;
    for (size_t i = 0; i < baggage->n; i++) {
        const waggle_baggage_entry *e = &baggage->entries[i];
        if (i > 0)
            *w++ = ',';
        memcpy(w, e->name, e->name_n);
        w += e->name_n;
        *w++ = '=';
        for (uint32_t k = 0; k < e->value_n; k++) {
            unsigned char c = (unsigned char)e->value[k];
            if (is_plain(c)) {
                *w++ = (char)c;
            } else {
                *w++ = '%';
                *w++ = digits[c >> 4];
                *w++ = digits[c & 15];
            }
        }
        if (e->metadata_n > 0) {
            *w++ = ';';
            memcpy(w, e->metadata, e->metadata_n);
            w += e->metadata_n;
        }
    }
    *w = '\0';
    return (size_t)(w - ret_header);
}
