// SPDX-License-Identifier: Apache-2.0
/* Fields patterns: a message split at blanks, each piece tested.
 *
 *   127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /x HTTP/1.0" 404 1534
 *   ip        user name timestamp                    request           status bytes
 *
 * "..." and [...] are one field, without the signs around it.  Without a "..." in the pattern the
 * last name takes the rest of the line; with one, names behind it stand at the end of the line.
 *
 * Threads: any.  Memory: none. */
#include "base/assert.h"
#include "lang/logs_pattern_priv.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next piece, false at the end; *ret_from is where it begins, signs included. */
static bool next(skep_str s, size_t *at, skep_str *ret, size_t *ret_from)
{
    while (*at < s.n && is_blank(s.p[*at]))
        ++*at;
    size_t from = *ret_from = *at;
    if (from == s.n)
        return false;
    char close = s.p[from] == '"' ? '"' : s.p[from] == '[' ? ']' : '\0';
    if (close) {
        size_t n = skep_str_chr(skep_str_skip(s, from + 1), close);
        if (n != SIZE_MAX) {
            *ret = (skep_str){s.p + from + 1, n};
            *at = from + n + 2;
            return true;
        }
    }
    while (*at < s.n && !is_blank(s.p[*at]))
        ++*at;
    *ret = (skep_str){s.p + from, *at - from};
    return true;
}

static size_t count(skep_str s)
{
    size_t at = 0, n = 0, from;
    skep_str piece;
    while (next(s, &at, &piece, &from))
        n++;
    return n;
}

/* Recursion is bounded by SKEP_LOGS__DEPTH. */
static bool passes(const struct skep_logs__node *n, skep_str s)
{
    if (n->how == SKEP_LOGS__TEST) {
        double f;
        bool number = n->value.how == SKEP_LOGS__NUMBER && skep_str_f64(s, &f);
        if (number)
            return skep_logs__number_passes(n->op, &n->value, s);
        return skep_logs__text_passes(n->op, &n->value, s);
    }
    bool all = n->how == SKEP_LOGS__AND;
    for (unsigned i = 0; i < n->n; i++)
        if (passes(n->kids[i], s) != all)
            return !all;
    return all;
}

/* Walks the message and the pattern side by side. */
struct walk {
    const struct skep_logs_pattern *p;
    skep_str s;
    size_t at;
    unsigned field;
    size_t skip; /* pieces that the "..." takes */
};

/* False when the message has fewer pieces than the pattern has names. */
static bool begin(struct walk *w, const struct skep_logs_pattern *p, skep_str s)
{
    size_t n = count(s), names = 0;
    bool rest = false;
    for (unsigned i = 0; i < p->n_fields; i++) {
        rest = rest || p->fields[i].rest;
        names += !p->fields[i].rest;
    }
    *w = (struct walk){.p = p, .s = s, .skip = rest && n > names ? n - names : 0};
    return n >= names;
}

/* The text of the next name; false behind the last. */
static bool next_field(struct walk *w, const struct skep_logs__field **ret_field, skep_str *ret)
{
    const struct skep_logs_pattern *p = w->p;
    size_t from;
    if (w->field < p->n_fields && p->fields[w->field].rest) {
        for (size_t i = 0; i < w->skip; i++)
            (void)next(w->s, &w->at, ret, &from); /* begin() has counted them */
        w->field++;
    }
    if (w->field >= p->n_fields || !next(w->s, &w->at, ret, &from))
        return false;
    *ret_field = &p->fields[w->field++];
    /* The last name of all takes the rest of the line. */
    skep_str more = skep_str_trim(skep_str_skip(w->s, w->at));
    if (w->field == p->n_fields && more.n > 0)
        *ret = skep_str_trim(skep_str_skip(w->s, from));
    return true;
}

bool skep_logs__fields_match(const struct skep_logs_pattern *p, skep_str message)
{
    struct walk w;
    const struct skep_logs__field *f;
    skep_str s;
    if (!begin(&w, p, message))
        return false;
    while (next_field(&w, &f, &s))
        if (f->test && !passes(f->test, s))
            return false;
    return true;
}

bool skep_logs__field_value(const struct skep_logs_pattern *p, unsigned index, skep_str message,
                            skep_str *ret)
{
    struct walk w;
    const struct skep_logs__field *f;
    skep_str s;
    skep_assert(index < p->n_fields);
    if (!begin(&w, p, message))
        return false;
    while (next_field(&w, &f, &s)) {
        if (f == &p->fields[index]) {
            *ret = s;
            return true;
        }
    }
    return false;
}
