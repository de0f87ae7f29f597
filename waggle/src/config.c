// SPDX-License-Identifier: Apache-2.0
/*
 * config.c - configuration files as values
 *
 * A text that is not quoted has the type YAML 1.2's core schema gives it (null, true, 12, 0x1f,
 * 1.5e3), after variables were put in. Maps are read by tables: each row a key, its type and the
 * member of the struct it goes into, so that what a component understands is one table and
 * everything else in the file is a mistake that is told with its line.
 *
 * Threads: one at a time.
 */
#include "config_priv.h"
#include "hex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct waggle_config_node node;

/* --- troubles ------------------------------------------------------------------------------ */

static void tell_of_file(enum waggle_level level, const node *x, const char *format, va_list args)
    WAGGLE__PRINTF(3, 0);

static void tell_of_file(enum waggle_level level, const node *x, const char *format, va_list args)
{
    char text[400];
    (void)vsnprintf(text, sizeof text, format, args); // cut is fine
    if (x != NULL)
        waggle__error(level, "%s:%u: %s", x->config->name, (unsigned)x->line, text);
    else
        waggle__error(level, "configuration: %s", text);
}

bool waggle__config_wrong(const node *x, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell_of_file(WAGGLE_LEVEL_ERROR, x, format, args);
    va_end(args);
    return false;
}

void waggle__config_warn(const node *x, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell_of_file(WAGGLE_LEVEL_WARN, x, format, args);
    va_end(args);
}

void waggle_config_error(const node *x, const char *text)
{
    (void)waggle__config_wrong(x, "%s", text); // says false to those who have nothing else to say
}

/* --- types --------------------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0)
            return true;
    return false;
}

static bool is_null(const char *s)
{
    static const char *const names[] = {"", "~", "null", "Null", "NULL"};
    return is_one_of(s, names, WAGGLE__COUNT(names));
}

static bool is_true(const char *s)
{
    static const char *const names[] = {"true", "True", "TRUE"};
    return is_one_of(s, names, WAGGLE__COUNT(names));
}

static bool is_false(const char *s)
{
    static const char *const names[] = {"false", "False", "FALSE"};
    return is_one_of(s, names, WAGGLE__COUNT(names));
}

/* [-+]?[0-9]+, 0o17, 0x1f. False if it is none, or too large. */
static bool to_i64(const char *s, int64_t *ret)
{
    bool negative = *s == '-';
    bool has_sign = negative || *s == '+';
    int base = s[0] == '0' && s[1] == 'o' ? 8 : s[0] == '0' && s[1] == 'x' ? 16 : 10;
    uint64_t v = 0;
    s += base != 10 ? 2 : has_sign;
    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        int d = waggle__hex_digit(*s);
        if (d < 0 || d >= base || v > (UINT64_MAX - (uint64_t)d) / (uint64_t)base)
            return false;
        v = v * (uint64_t)base + (uint64_t)d;
    }
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?, in any locale. */
static bool to_f64(const char *s, double *ret)
{
    char copy[64];
    size_t i = *s == '-' || *s == '+';
    size_t whole = digits(s + i);
    size_t point = i + whole;
    size_t part = s[point] == '.' ? digits(s + point + 1) : 0;
    size_t end = point + (s[point] == '.' ? 1 + part : 0);
    if (whole + part == 0)
        return false;
    if (s[end] == 'e' || s[end] == 'E') {
        size_t sign = s[end + 1] == '-' || s[end + 1] == '+';
        size_t power = digits(s + end + 1 + sign);
        if (power == 0)
            return false;
        end += 1 + sign + power;
    }
    if (s[end] != '\0' || end >= sizeof copy)
        return false;
    memcpy(copy, s, end + 1);
    char *rest = NULL;
    *ret = strtod(copy, &rest);
    if (*rest == '.') { // another locale's decimal point is a ','
        *rest = ',';
        *ret = strtod(copy, &rest);
    }
    return *rest == '\0' && *ret - *ret == 0; // finite
}

enum waggle_config_type waggle_config_type(const node *x)
{
    int64_t i;
    double d;
    if (x == NULL)
        return WAGGLE_CONFIG_MISSING;
    if (x->kind != WAGGLE__YAML_SCALAR)
        return x->kind == WAGGLE__YAML_MAP ? WAGGLE_CONFIG_MAP : WAGGLE_CONFIG_LIST;
    if (x->is_quoted || strlen(x->text) != x->n)
        return WAGGLE_CONFIG_STR;
    if (is_null(x->text))
        return WAGGLE_CONFIG_NULL;
    if (is_true(x->text) || is_false(x->text))
        return WAGGLE_CONFIG_BOOL;
    if (to_i64(x->text, &i))
        return WAGGLE_CONFIG_I64;
    return to_f64(x->text, &d) ? WAGGLE_CONFIG_F64 : WAGGLE_CONFIG_STR;
}

static bool is_there(const node *x)
{
    return waggle_config_type(x) > WAGGLE_CONFIG_NULL;
}

const char *waggle_config_str(const node *x, const char *otherwise)
{
    return is_there(x) && x->kind == WAGGLE__YAML_SCALAR ? x->text : otherwise;
}

bool waggle_config_bool(const node *x, bool otherwise)
{
    return waggle_config_type(x) == WAGGLE_CONFIG_BOOL ? is_true(x->text) : otherwise;
}

int64_t waggle_config_i64(const node *x, int64_t otherwise)
{
    int64_t v = otherwise;
    return waggle_config_type(x) == WAGGLE_CONFIG_I64 && to_i64(x->text, &v) ? v : otherwise;
}

double waggle_config_f64(const node *x, double otherwise)
{
    double v = otherwise;
    if (waggle_config_type(x) == WAGGLE_CONFIG_I64)
        return (double)waggle_config_i64(x, 0);
    return waggle_config_type(x) == WAGGLE_CONFIG_F64 && to_f64(x->text, &v) ? v : otherwise;
}

/* --- places -------------------------------------------------------------------------------- */

unsigned waggle_config_line(const node *x)
{
    return x != NULL ? x->line : 0;
}

const node *waggle_config_get(const node *map, const char *key)
{
    if (map == NULL || map->kind != WAGGLE__YAML_MAP)
        return NULL;
    for (const struct waggle__yaml_entry *e = map->first; e != NULL; e = e->next)
        if (strcmp(e->key, key) == 0)
            return e->value;
    return NULL;
}

size_t waggle_config_count(const node *x)
{
    return x != NULL ? x->n_entries : 0;
}

const node *waggle_config_at(const node *x, size_t i, const char **ret_key)
{
    const struct waggle__yaml_entry *e = x != NULL ? x->first : NULL;
    for (; e != NULL && i > 0; i--)
        e = e->next;
    if (ret_key != NULL)
        *ret_key = e != NULL ? e->key : NULL;
    return e != NULL ? e->value : NULL;
}

/* --- tables of fields ---------------------------------------------------------------------- */

static const char *type_name(enum waggle_config_type t)
{
    static const char *const names[] = {"nothing",  "null",   "a boolean", "an integer",
                                        "a number", "a text", "a map",     "a list"};
    return names[t];
}

static bool wrong_type(const node *x, const struct waggle__config_field *f, const char *wanted)
{
    return waggle__config_wrong(x, "%s: %s is expected, not %s", f->key, wanted,
                                type_name(waggle_config_type(x)));
}

static bool put_u32(const node *x, const struct waggle__config_field *f, char *into)
{
    int64_t v = waggle_config_i64(x, -1);
    int64_t least = f->type == WAGGLE__FIELD_POSITIVE;
    if (waggle_config_type(x) != WAGGLE_CONFIG_I64)
        return wrong_type(x, f, "an integer");
    if (v < least || v >= WAGGLE_LIMIT_ZERO)
        return waggle__config_wrong(x, "%s: %s is out of range", f->key, x->text);
    uint32_t u = (uint32_t)v;
    if (u == 0)
        u = f->type == WAGGLE__FIELD_COUNT   ? WAGGLE_LIMIT_ZERO
            : f->type == WAGGLE__FIELD_DELAY ? 1
                                             : UINT32_MAX;
    memcpy(into, &u, sizeof u);
    return true;
}

static bool put_int(const node *x, const struct waggle__config_field *f, char *into)
{
    int64_t v = waggle_config_i64(x, INT64_MAX);
    int i = (int)v;
    if (waggle_config_type(x) != WAGGLE_CONFIG_I64)
        return wrong_type(x, f, "an integer");
    if (i != v)
        return waggle__config_wrong(x, "%s: %s is out of range", f->key, x->text);
    memcpy(into, &i, sizeof i);
    return true;
}

static bool put_ratio(const node *x, const struct waggle__config_field *f, char *into)
{
    double v = waggle_config_f64(x, -1);
    if (waggle_config_type(x) != WAGGLE_CONFIG_I64 && waggle_config_type(x) != WAGGLE_CONFIG_F64)
        return wrong_type(x, f, "a number");
    if (!(v >= 0 && v <= 1))
        return waggle__config_wrong(x, "%s: %s is not from 0 to 1", f->key, x->text);
    memcpy(into, &v, sizeof v);
    return true;
}

static bool put_choice(const node *x, const struct waggle__config_field *f, char *into)
{
    const char *name = waggle_config_str(x, NULL);
    char known[200] = "";
    if (name == NULL)
        return wrong_type(x, f, "a text");
    for (int i = 0; f->choices[i] != NULL; i++) {
        if (strcmp(f->choices[i], name) == 0) {
            memcpy(into, &i, sizeof i);
            return true;
        }
        size_t n = strlen(known);
        (void)snprintf(known + n, sizeof known - n, "%s%s", i > 0 ? ", " : "", f->choices[i]);
    }
    return waggle__config_wrong(x, "%s: %.60s is none of %s", f->key, name, known);
}

static bool fill_member(const node *x, const struct waggle__config_field *f, char *into)
{
    bool is_bool = waggle_config_type(x) == WAGGLE_CONFIG_BOOL;
    switch (f->type) {
    case WAGGLE__FIELD_NODE: memcpy(into, &x, sizeof x); return true;
    case WAGGLE__FIELD_STR: {
        const char *s = waggle_config_str(x, NULL);
        memcpy(into, &s, sizeof s);
        return s != NULL || wrong_type(x, f, "a text");
    }
    case WAGGLE__FIELD_BOOL:
    case WAGGLE__FIELD_NOT:
        *(bool *)into = waggle_config_bool(x, false) != (f->type == WAGGLE__FIELD_NOT);
        return is_bool || wrong_type(x, f, "true or false");
    case WAGGLE__FIELD_COUNT:
    case WAGGLE__FIELD_POSITIVE:
    case WAGGLE__FIELD_DELAY:
    case WAGGLE__FIELD_TIMEOUT: return put_u32(x, f, into);
    case WAGGLE__FIELD_INT: return put_int(x, f, into);
    case WAGGLE__FIELD_RATIO: return put_ratio(x, f, into);
    case WAGGLE__FIELD_CHOICE: return put_choice(x, f, into);
    case WAGGLE__FIELD_MISSING:
        waggle__config_warn(x, "%s is not among what waggle has, ignoring it", f->key);
        return true;
    case WAGGLE__FIELD_ELSEWHERE:
    default: return true;
    }
}

static bool unknown_key(const node *x, const char *what, const char *key,
                        const struct waggle__config_field *fields, size_t n_fields)
{
    char known[300] = "";
    for (size_t i = 0; i < n_fields; i++) {
        size_t n = strlen(known);
        (void)snprintf(known + n, sizeof known - n, "%s%s", i > 0 ? ", " : "", fields[i].key);
    }
    return waggle__config_wrong(x, "%s has no \"%.60s\"%s%s", what, key,
                                n_fields > 0 ? "; it has " : "", known);
}

bool waggle__config_read(const node *map, const char *what,
                         const struct waggle__config_field *fields, size_t n, void *into)
{
    bool ok = true;
    if (is_there(map) && map->kind != WAGGLE__YAML_MAP)
        return waggle__config_wrong(map, "%s: a map is expected, not %s", what ? what : "this",
                                    type_name(waggle_config_type(map)));
    bool any = is_there(map);
    for (const struct waggle__yaml_entry *e = any ? map->first : NULL; e != NULL; e = e->next) {
        size_t i = 0;
        while (i < n && strcmp(fields[i].key, e->key) != 0)
            i++;
        if (i == n)
            ok = what == NULL ? ok : unknown_key(e->value, what, e->key, fields, n);
        else if (fields[i].type != WAGGLE__FIELD_ELSEWHERE &&
                 (is_there(e->value) || fields[i].type == WAGGLE__FIELD_NODE))
            ok = fill_member(e->value, &fields[i], (char *)into + fields[i].offset) && ok;
    }
    for (size_t i = 0; i < n; i++)
        if (fields[i].is_required && !is_there(waggle_config_get(map, fields[i].key)))
            ok = waggle__config_wrong(map, "%s: \"%s\" is missing", what, fields[i].key);
    return ok;
}

const char *waggle__config_one(const node *map, const char *what, const node **ret_properties)
{
    const char *name = NULL;
    if (map == NULL || map->kind != WAGGLE__YAML_MAP || map->n_entries != 1) {
        (void)waggle__config_wrong(map, "%s: exactly one name is expected here", what);
        return NULL;
    }
    *ret_properties = waggle_config_at(map, 0, &name);
    return name;
}

/* --- lists and filters --------------------------------------------------------------------- */

bool waggle__config_texts(const node *list, const char *what, const char *const **ret,
                          size_t *ret_n)
{
    *ret = NULL;
    *ret_n = 0;
    if (!is_there(list))
        return true;
    if (list->kind != WAGGLE__YAML_LIST)
        return waggle__config_wrong(list, "%s: a list is expected", what);
    const char **texts = calloc(list->n_entries + 1, sizeof *texts);
    size_t n = 0;
    for (const struct waggle__yaml_entry *e = list->first; texts != NULL && e != NULL;
         e = e->next) {
        texts[n] = waggle_config_str(e->value, NULL);
        if (texts[n++] == NULL) {
            free(texts);
            return waggle__config_wrong(e->value, "%s: texts are expected", what);
        }
    }
    *ret = texts;
    *ret_n = n;
    return texts != NULL || waggle__config_wrong(list, "no memory");
}

bool waggle__config_filter_lists(const node *map, struct waggle__config_filter *ret)
{
    *ret = (struct waggle__config_filter){0};
    return waggle__config_texts(waggle_config_get(map, "included"), "included", &ret->included,
                                &ret->n_included) &&
           waggle__config_texts(waggle_config_get(map, "excluded"), "excluded", &ret->excluded,
                                &ret->n_excluded);
}

bool waggle__config_filter(const node *map, const char *what, struct waggle__config_filter *ret)
{
    static const struct waggle__config_field fields[] = {WAGGLE__FIELD_NO("included", ELSEWHERE),
                                                         WAGGLE__FIELD_NO("excluded", ELSEWHERE)};
    *ret = (struct waggle__config_filter){0};
    return WAGGLE__READ(map, what, fields, NULL) && waggle__config_filter_lists(map, ret);
}

bool waggle__config_passes(const struct waggle__config_filter *f, waggle_str key)
{
    bool passes = f->included == NULL;
    for (size_t i = 0; i < f->n_included && !passes; i++)
        passes = waggle__wild_match_case(f->included[i], key);
    for (size_t i = 0; i < f->n_excluded && passes; i++)
        passes = !waggle__wild_match_case(f->excluded[i], key);
    return passes;
}

void waggle__config_filter_done(struct waggle__config_filter *f)
{
    free((void *)(uintptr_t)f->included);
    free((void *)(uintptr_t)f->excluded);
}

/* --- files --------------------------------------------------------------------------------- */

/* 1.x: what stands behind the point may be new, but changes nothing that was there. */
static bool known_format(const node *root)
{
    const node *format = waggle_config_get(root, "file_format");
    const char *s = waggle_config_str(format, NULL);
    if (root->kind != WAGGLE__YAML_MAP)
        return waggle__config_wrong(root, "a configuration is a map, and this is none");
    if (s == NULL)
        return waggle__config_wrong(root, "\"file_format\" is missing");
    if (strncmp(s, "1.", 2) != 0)
        return waggle__config_wrong(format, "file_format %.20s is not understood; 1.0 is", s);
    return true;
}

struct waggle_config *waggle_config_parse(const char *name, const char *yaml, size_t n)
{
    char error[WAGGLE__YAML_ERROR];
    struct waggle_config *c = malloc(sizeof *c);
    if (c == NULL)
        return NULL;
    bool ok = waggle__yaml_parse(c, name, yaml, n, error);
    if (!ok)
        waggle__error(WAGGLE_LEVEL_ERROR, "%s", error);
    if (ok && known_format(c->root))
        return c;
    waggle_config_free(c);
    return NULL;
}

struct waggle_config *waggle_config_load(const char *path)
{
    struct waggle__buf bytes;
    char piece[4096];
    ssize_t n = -1;
    waggle__buf_init(&bytes, WAGGLE__YAML_BYTES + sizeof piece);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && !bytes.bad && bytes.n <= WAGGLE__YAML_BYTES &&
           (n = read(fd, piece, sizeof piece)) > 0)
        waggle__buf_put(&bytes, piece, (size_t)n);
    int failure = n < 0 ? errno : 0;
    if (fd >= 0)
        (void)close(fd); // only read
    struct waggle_config *c = NULL;
    if (failure != 0)
        waggle__error(WAGGLE_LEVEL_ERROR, "cannot read the configuration %s (errno %d)", path,
                      failure);
    else
        c = waggle_config_parse(path, bytes.p != NULL ? (const char *)bytes.p : "", bytes.n);
    waggle__buf_done(&bytes);
    return c;
}

void waggle_config_free(struct waggle_config *config)
{
    if (config == NULL)
        return;
    waggle__yaml_done(config);
    free(config);
}

const node *waggle_config_root(const struct waggle_config *config)
{
    return config->root;
}
