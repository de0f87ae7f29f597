// SPDX-License-Identifier: Apache-2.0
/* Searches for errors: a text -> terms (search.h).
 * Threads: none of its own.  Memory: the arena. */
#include "lang/search.h"

#include <stdarg.h>

#include "base/assert.h"
#include "lang/lang_priv.h"

enum { VALUES = 50 };

struct reading {
    skep_str text;
    size_t at;
    struct skep_arena *a;
    struct skep_lang_issue *issue;
};

static skep_rc wrong(struct reading *r, size_t at, size_t end, const char *fmt, ...)
    SKEP_PRINTF(4, 5);
static skep_rc wrong(struct reading *r, size_t at, size_t end, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    skep_rc rc = skep_lang__mistake(r->issue, at, fmt, ap);
    va_end(ap);
    r->issue->end = end;
    return rc;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool field_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

/* The field before a ':' and behind it something; else nothing is taken. */
static skep_str field(struct reading *r)
{
    size_t n = 0;
    skep_str rest = skep_str_skip(r->text, r->at);
    while (n < rest.n && field_byte(rest.p[n]))
        n++;
    bool url = n + 2 < rest.n && rest.p[n + 1] == '/' && rest.p[n + 2] == '/';
    if (n == 0 || n >= rest.n || rest.p[n] != ':' || url || rest.p[n - 1] == '-')
        return SKEP_STR_NULL;
    r->at += n + 1;
    return (skep_str){rest.p, n};
}

static skep_rc value(struct reading *r, bool listed, struct skep_search_value *ret)
{
    size_t from = r->at;
    if (from < r->text.n && r->text.p[from] == '"') {
        skep_str rest = skep_str_skip(r->text, from + 1);
        size_t end = skep_str_chr(rest, '"');
        if (end == SIZE_MAX)
            return wrong(r, from, r->text.n, "a quote without its end");
        *ret = (struct skep_search_value){{rest.p, end}, true};
        r->at = from + end + 2;
        return SKEP_OK;
    }
    while (r->at < r->text.n && !blank(r->text.p[r->at]) && !(listed && r->text.p[r->at] == ','))
        r->at++;
    *ret = (struct skep_search_value){{r->text.p + from, r->at - from}, false};
    return SKEP_OK;
}

static skep_rc term(struct reading *r, struct skep_search_term *ret)
{
    size_t from = r->at;
    *ret = (struct skep_search_term){.at = from};
    ret->negative = r->at + 1 < r->text.n && (r->text.p[r->at] == '-' || r->text.p[r->at] == '!') &&
                    !blank(r->text.p[r->at + 1]);
    r->at += ret->negative;
    ret->field = field(r);
    ret->values = skep_new_n(r->a, struct skep_search_value, VALUES);
    bool more;
    do {
        if (ret->n_values == VALUES)
            return wrong(r, from, r->at, "more than %d values", VALUES);
        SKEP_TRY(value(r, ret->field.n > 0, &ret->values[ret->n_values++]));
        more = ret->field.n > 0 && r->at < r->text.n && r->text.p[r->at] == ',';
        r->at += more;
    } while (more);
    ret->end = r->at;
    for (unsigned i = 0; i < ret->n_values; i++) {
        if (ret->field.n > 0 && ret->values[i].text.n == 0 && !ret->values[i].quoted)
            return wrong(r, from, r->at, "a value is expected behind " SKEP_STRFMT ":",
                         SKEP_STRARG(ret->field));
    }
    return SKEP_OK;
}

skep_rc skep_lang_search(skep_str text, struct skep_arena *a, struct skep_search *ret,
                         struct skep_lang_issue *issue)
{
    struct reading r = {.text = text, .a = a, .issue = issue};
    *issue = (struct skep_lang_issue){.rc = SKEP_OK};
    *ret = (struct skep_search){
        .terms = skep_new_n(a, struct skep_search_term, SKEP_LIMIT_SEARCH_TERMS)};
    if (text.n > SKEP_LIMIT_SEARCH_BYTES)
        return wrong(&r, 0, text.n, "a search has at most %d bytes", SKEP_LIMIT_SEARCH_BYTES);
    for (;;) {
        while (r.at < text.n && blank(text.p[r.at]))
            r.at++;
        if (r.at == text.n)
            return SKEP_OK;
        if (ret->n == SKEP_LIMIT_SEARCH_TERMS)
            return wrong(&r, r.at, text.n, "a search has at most %d terms",
                         SKEP_LIMIT_SEARCH_TERMS);
        size_t from = r.at;
        SKEP_TRY(term(&r, &ret->terms[ret->n++]));
        skep_assert(r.at > from);
    }
}
