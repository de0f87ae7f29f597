// SPDX-License-Identifier: Apache-2.0
/* multipart/form-data (RFC 7578).
 *
 *   --BOUNDARY CRLF
 *   Content-Disposition: form-data; name="version" CRLF  more headers CRLF  CRLF
 *   the part's bytes
 *   CRLF --BOUNDARY CRLF      the next part      CRLF --BOUNDARY--      the end
 *
 * I1  every slice lies in the body; a part whose end is missing is none.
 * Threads: any.  Memory: none. */
#include "wire/multipart.h"

#include "base/assert.h"

enum { BOUNDARY_MAX = 70, HEADERS_MAX = 16 };

static bool istarts(skep_str s, skep_str prefix)
{
    return s.n >= prefix.n && skep_str_ieq((skep_str){s.p, prefix.n}, prefix);
}

/* Up to the next ';' that is not in quotes; the header goes on behind it.  A quote without an end
 * ends the header. */
static skep_str cut_parameter(skep_str *header)
{
    bool quoted = false;
    size_t n = 0;
    while (n < header->n && (quoted || header->p[n] != ';'))
        quoted ^= header->p[n++] == '"';
    skep_str ret = {header->p, quoted ? 0 : n};
    *header = skep_str_skip(*header, n < header->n ? n + 1 : n);
    return ret;
}

/* The value of a parameter behind ';', without its quotes; false without one.
 * Cost: one pass; strangers send headers, and of any length. */
static bool parameter(skep_str header, skep_str name, skep_str *ret)
{
    (void)skep_str_cut(&header, ';');
    while (header.n > 0) {
        skep_str value = skep_str_trim(cut_parameter(&header));
        if (!istarts(value, name) || value.n <= name.n || value.p[name.n] != '=')
            continue;
        value = skep_str_skip(value, name.n + 1);
        if (value.n > 0 && value.p[0] == '"') {
            value = skep_str_skip(value, 1);
            value.n = skep_str_chr(value, '"'); /* there is one: the quotes come in pairs */
        } else {
            value = skep_str_trim(value);
        }
        *ret = value;
        return true;
    }
    return false;
}

bool skep_multipart_begin(skep_str content_type, skep_str body, struct skep_multipart *ret)
{
    skep_assert(ret != NULL);
    *ret = (struct skep_multipart){.left = body};
    if (!istarts(content_type, SKEP_STR("multipart/form-data")) ||
        !parameter(content_type, SKEP_STR("boundary"), &ret->boundary))
        return false;
    return ret->boundary.n > 0 && ret->boundary.n <= BOUNDARY_MAX;
}

/* Where the next "--BOUNDARY" stands that begins a line. */
static size_t find_mark(const struct skep_multipart *m, skep_str s)
{
    size_t from = 0;
    for (;;) {
        size_t at = skep_str_find(skep_str_skip(s, from), m->boundary);
        if (at == SIZE_MAX)
            return SIZE_MAX;
        at += from;
        if (at >= 2 && s.p[at - 1] == '-' && s.p[at - 2] == '-' && (at == 2 || s.p[at - 3] == '\n'))
            return at - 2;
        from = at + 1;
    }
}

static bool read_headers(skep_str *left, struct skep_part *ret)
{
    bool named = false;
    for (unsigned i = 0; i < HEADERS_MAX; i++) {
        size_t end = skep_str_chr(*left, '\n');
        if (end == SIZE_MAX)
            return false;
        skep_str line = skep_str_trim((skep_str){left->p, end});
        *left = skep_str_skip(*left, end + 1);
        if (line.n == 0)
            return named;
        if (!istarts(line, SKEP_STR("content-disposition:")))
            continue;
        named = parameter(line, SKEP_STR("name"), &ret->name);
        if (!parameter(line, SKEP_STR("filename"), &ret->filename))
            ret->filename = SKEP_STR_NULL;
    }
    return false;
}

/* A text without the line ending at its end: it belongs to the mark behind it. */
static skep_str without_ending(skep_str s)
{
    if (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n > 0 && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

bool skep_multipart_next(struct skep_multipart *m, struct skep_part *ret)
{
    size_t at = m->bad ? SIZE_MAX : find_mark(m, m->left);
    *ret = (struct skep_part){.name = SKEP_STR_NULL};
    if (at == SIZE_MAX) {
        m->bad = true;
        return false;
    }
    skep_str left = skep_str_skip(m->left, at + 2 + m->boundary.n);
    if (skep_str_starts(left, SKEP_STR("--")))
        return false;
    size_t line = skep_str_chr(left, '\n');
    m->bad = line == SIZE_MAX;
    if (m->bad)
        return false;
    left = skep_str_skip(left, line + 1);
    m->bad = !read_headers(&left, ret);
    size_t end = m->bad ? SIZE_MAX : find_mark(m, left);
    /* A part of no bytes: the mark stands where they would. */
    m->bad = end == SIZE_MAX;
    if (m->bad)
        return false;
    ret->body = without_ending((skep_str){left.p, end});
    m->left = skep_str_skip(left, end);
    return true;
}

bool skep_multipart_find(skep_str content_type, skep_str body, skep_str name, struct skep_part *ret)
{
    struct skep_multipart m;
    if (!skep_multipart_begin(content_type, body, &m))
        return false;
    while (skep_multipart_next(&m, ret)) {
        if (skep_str_eq(ret->name, name))
            return true;
    }
    return false;
}
