// SPDX-License-Identifier: Apache-2.0
/* Request targets: path and query, percent-decoding, query parameters.
 *
 *   http://host/a%20b/c%2Fd?x=1   ->   path "/a b/c/d", segments "a b" and "c/d", query "x=1"
 *
 * The path is cut at its slashes before it is decoded, so that an encoded slash stays inside its
 * segment (a log group named "/aws/x" is one segment).  Dot segments are ordinary names: nothing
 * below maps a path to files.
 *
 * I1  each segment is a slice of `path`; the last one of a very long path holds the rest.
 * I2  nothing decoded holds a NUL.
 * Threads: any.  Memory: the caller's arena. */
#include "net/net_priv.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decode `in` to out (room for in.n); SIZE_MAX on a bad escape or NUL. */
static size_t decode(skep_str in, bool plus, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int hi = in.n - i > 2 ? hex_digit(in.p[i + 1]) : -1;
            int lo = in.n - i > 2 ? hex_digit(in.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return SIZE_MAX;
            c = (char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return SIZE_MAX;
        out[n++] = c;
    }
    skep_assert(n <= in.n);
    return n;
}

bool skep_net__percent_decode(struct skep_arena *arena, skep_str in, bool plus, skep_str *ret)
{
    char *out = skep_arena_alloc(arena, in.n + 1);
    size_t n = decode(in, plus, out);
    if (n == SIZE_MAX)
        return false;
    out[n] = '\0';
    *ret = (skep_str){out, n};
    return true;
}

bool skep_net__query_param(struct skep_arena *arena, skep_str query, skep_str name, unsigned i,
                           skep_str *ret)
{
    while (query.p && query.n > 0) {
        skep_str value = skep_str_cut(&query, '&');
        skep_str key = skep_str_cut(&value, '=');
        skep_str key_decoded;
        if (value.p == NULL)
            value = SKEP_STR("");
        if (skep_str_chr(key, '%') == SIZE_MAX && skep_str_chr(key, '+') == SIZE_MAX)
            key_decoded = key;
        else if (!skep_net__percent_decode(arena, key, true, &key_decoded))
            continue;
        if (skep_str_eq(key_decoded, name) && i-- == 0)
            return skep_net__percent_decode(arena, value, true, ret);
    }
    return false;
}

bool skep_net__is_token(skep_str s)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == '\0' || memchr(marks, c, sizeof marks - 1) == NULL))
            return false;
    }
    return s.n > 0;
}

/* "http://host:1/a?b" -> "/a?b"; anything else stays. */
static skep_str strip_authority(skep_str target)
{
    size_t skip = 0;
    if (skep_str_starts(target, SKEP_STR("http://")))
        skip = 7;
    else if (skep_str_starts(target, SKEP_STR("https://")))
        skip = 8;
    if (skip == 0)
        return target;
    skep_str rest = skep_str_skip(target, skip);
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] == '/')
            return skep_str_skip(rest, i);
        if (rest.p[i] == '?')
            break;
    }
    return SKEP_STR("/");
}

/* Decode each segment of the raw path into one block and cut it up. */
static skep_rc split(struct skep_arena *arena, skep_str raw, struct skep_net__uri *ret,
                     skep_err *err)
{
    char *out = skep_arena_alloc(arena, raw.n + 1);
    skep_str rest = skep_str_skip(raw, 1);
    size_t n = 0;
    ret->n_segs = 0;
    for (bool more = true; more;) {
        more = skep_str_chr(rest, '/') != SIZE_MAX;
        skep_str seg = skep_str_cut(&rest, '/');
        out[n++] = '/';
        size_t k = decode(seg, false, out + n);
        if (k == SIZE_MAX)
            return skep_fail(err, SKEP_EMALFORMED, "bad percent escape in the path at byte %zu",
                             (size_t)(seg.p - raw.p));
        if (ret->n_segs < SKEP_NET__SEGMENTS_MAX)
            ret->segs[ret->n_segs++] = (skep_str){out + n, k};
        else
            ret->segs[SKEP_NET__SEGMENTS_MAX - 1].n += k + 1;
        n += k;
    }
    skep_assert(n <= raw.n && ret->n_segs > 0);
    ret->path = (skep_str){out, n};
    return SKEP_OK;
}

skep_rc skep_net__uri_parse(struct skep_arena *arena, skep_str target, struct skep_net__uri *ret,
                            skep_err *err)
{
    for (size_t i = 0; i < target.n; i++)
        if ((unsigned char)target.p[i] <= 0x20 || target.p[i] == 0x7f)
            return skep_fail(err, SKEP_EMALFORMED,
                             "control byte or blank in the target at byte %zu", i);
    target = strip_authority(target);
    size_t hash = skep_str_chr(target, '#');
    if (hash != SIZE_MAX)
        target.n = hash;
    skep_str query = target;
    skep_str path = skep_str_cut(&query, '?');
    if (path.n == 1 && path.p[0] == '*') { /* OPTIONS * */
        *ret = (struct skep_net__uri){.path = path, .segs = {path}, .n_segs = 1};
        return SKEP_OK;
    }
    if (path.n == 0 || path.p[0] != '/')
        return skep_fail(err, SKEP_EMALFORMED, "the target must begin with '/'");
    struct skep_net__uri uri = {.query = query.p ? query : SKEP_STR("")};
    SKEP_TRY(split(arena, path, &uri, err));
    *ret = uri;
    return SKEP_OK;
}
