// SPDX-License-Identifier: Apache-2.0
/*
 * config_env.c - references to variables in the texts of a configuration file
 *
 *   ${NAME}  ${env:NAME}  ${NAME:-otherwise}     the value, nothing, or what stands behind ":-"
 *   $$                                           a '$', which begins no reference
 *
 * From left to right; a reference ends at the first '}', and is none if "$$" comes before it. What
 * a variable holds is not looked into again. Anything else in "${" and "}" is a mistake.
 *
 * Threads: reads the environment.
 */
#include "config_priv.h"

static bool is_name_char(char c, bool first)
{
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (!first && c >= '0' && c <= '9');
}

/* What stands between "${" and "}". False if it is no reference. */
static bool put_reference(waggle_str in, struct waggle__buf *out)
{
    char name[256];
    bool is_env = in.n > 4 && memcmp(in.p, "env:", 4) == 0 && in.p[4] != '-';
    const char *s = in.p + (is_env ? 4 : 0);
    size_t left = in.n - (is_env ? 4 : 0);
    size_t k = 0;
    while (k < left && is_name_char(s[k], k == 0))
        k++;
    bool has_default = left - k >= 2 && s[k] == ':' && s[k + 1] == '-';
    if (k == 0 || k >= sizeof name || (k < left && !has_default))
        return false;
    memcpy(name, s, k);
    name[k] = '\0';
    const char *value = waggle__env(name);
    if (value != NULL)
        waggle__buf_str(out, value);
    else if (has_default)
        waggle__buf_put(out, s + k + 2, left - k - 2);
    return true;
}

/* Bytes of the reference that begins at s, with its brace; 0: it is none. */
static size_t reference_n(const char *s, size_t n)
{
    for (size_t i = 2; i < n; i++) {
        if (s[i] == '}')
            return i > 2 ? i + 1 : 0;
        if (s[i] == '$' && i + 1 < n && s[i + 1] == '$')
            return 0;
    }
    return 0;
}

waggle_str waggle__config_substitute(waggle_str in, struct waggle__buf *out)
{
    for (size_t i = 0; i < in.n;) {
        const char *s = in.p + i;
        char next = i + 1 < in.n ? s[1] : '\0';
        size_t k = s[0] == '$' && next == '{' ? reference_n(s, in.n - i) : 0;
        if (k > 0 && !put_reference((waggle_str){s + 2, k - 3}, out))
            return (waggle_str){s, k};
        if (k == 0) {
            waggle__buf_put(out, s, 1);
            k = s[0] == '$' && next == '$' ? 2 : 1;
        }
        i += k;
    }
    return (waggle_str){NULL, 0};
}
