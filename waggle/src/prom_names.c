// SPDX-License-Identifier: Apache-2.0
/*
 * prom_names.c - names as Prometheus has always had them, and units in words
 *
 * Threads: no state.
 */
#include "prom.h"

static bool is_legacy(char c, bool colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colon && c == ':');
}

bool waggle__prom_is_legacy(waggle_str s, bool colon)
{
    bool ok = s.n > 0 && !(s.p[0] >= '0' && s.p[0] <= '9');
    for (size_t i = 0; ok && i < s.n; i++)
        ok = is_legacy(s.p[i], colon);
    return ok;
}

void waggle__prom_sanitize(struct waggle__buf *out, waggle_str s, bool is_metric)
{
    bool was = false;
    if (s.n > 0 && s.p[0] >= '0' && s.p[0] <= '9')
        waggle__buf_str(out, "_");
    for (size_t i = 0; i < s.n; i++) {
        bool ok = is_legacy(s.p[i], is_metric);
        bool is_more = ((unsigned char)s.p[i] & 0xc0) == 0x80; // of the same character
        if (ok)
            waggle__buf_put(out, &s.p[i], 1);
        else if (!is_more && !(was && is_metric))
            waggle__buf_str(out, "_");
        was = !ok || (s.p[i] == '_' && is_metric);
    }
}

static const struct {
    const char *unit, *word, *per;
} units[] = {
    {"d", "days", "day"},        {"h", "hours", "hour"},       {"min", "minutes", "minute"},
    {"s", "seconds", "second"},  {"ms", "milliseconds", NULL}, {"us", "microseconds", NULL},
    {"ns", "nanoseconds", NULL}, {"By", "bytes", "byte"},      {"KiBy", "kibibytes", NULL},
    {"MiBy", "mebibytes", NULL}, {"GiBy", "gibibytes", NULL},  {"TiBy", "tebibytes", NULL},
    {"KBy", "kilobytes", NULL},  {"MBy", "megabytes", NULL},   {"GBy", "gigabytes", NULL},
    {"TBy", "terabytes", NULL},  {"kBy", "kilobytes", NULL},   {"B", "bytes", "byte"},
    {"KiB", "kibibytes", NULL},  {"MiB", "mebibytes", NULL},   {"GiB", "gibibytes", NULL},
    {"TiB", "tebibytes", NULL},  {"KB", "kilobytes", NULL},    {"MB", "megabytes", NULL},
    {"GB", "gigabytes", NULL},   {"TB", "terabytes", NULL},    {"m", "meters", "minute"},
    {"V", "volts", "volt"},      {"A", "amperes", "ampere"},   {"J", "joules", "joule"},
    {"W", "watts", "watt"},      {"g", "grams", "gram"},       {"Cel", "celsius", NULL},
    {"Hz", "hertz", NULL},       {"%", "percent", NULL},       {"w", NULL, "week"},
    {"mo", NULL, "month"},       {"y", NULL, "year"},          {"1", "", ""},
};

static void put_unit_word(struct waggle__buf *out, waggle_str unit, bool per)
{
    for (size_t i = 0; i < WAGGLE__COUNT(units); i++) {
        const char *word = per ? units[i].per : units[i].word;
        if (word == NULL && per)
            word = units[i].word;
        if (word != NULL && strlen(units[i].unit) == unit.n &&
            memcmp(units[i].unit, unit.p, unit.n) == 0) {
            waggle__buf_str(out, word);
            return;
        }
    }
    waggle__prom_sanitize(out, unit, true);
}

/* Without what stands in braces: "{request}/s" is "/s". */
void waggle__prom_unit(waggle_str unit, struct waggle__buf *out)
{
    char plain[64];
    size_t n = 0;
    unsigned braces = 0;
    size_t from = out->n;
    for (size_t i = 0; i < unit.n && n < sizeof plain; i++) {
        braces += unit.p[i] == '{';
        if (braces == 0 && unit.p[i] != ' ')
            plain[n++] = unit.p[i];
        braces -= unit.p[i] == '}' && braces > 0;
    }
    const char *slash = memchr(plain, '/', n);
    size_t upper = slash != NULL ? (size_t)(slash - plain) : n;
    if (upper > 0)
        put_unit_word(out, (waggle_str){plain, upper}, false);
    if (slash != NULL && upper + 1 < n) {
        waggle__buf_str(out, out->n > from ? "_per_" : "per_");
        put_unit_word(out, (waggle_str){slash + 1, n - upper - 1}, true);
    }
    while (out->n > from && out->p[out->n - 1] == '_')
        out->n--;
}
