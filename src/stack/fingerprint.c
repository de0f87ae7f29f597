// SPDX-License-Identifier: Apache-2.0
/* Fingerprints of errors.
 *
 *   hashed, a line each:   file|function     of the frames that count, outermost first
 *                          class
 *                          ... the same of the cause, behind a line "cause"
 *   frames that count:     the program's own; without any, all; runs that repeat (recursion) once
 *   file:                  its name and its folder's, without what a build or a deploy puts into
 *                          it: versions, hashes, dates
 *   class:                 without packages
 *   function:              without numbers of two digits and what compilers add
 *   no frame at all:       class and cleaned message
 *
 * I1  the same bytes give the same fingerprint on every machine and in every version of skep with
 *     the same SKEP_FINGERPRINT_VERSION.
 * Threads: any.  Memory: at most HASHED_MAX bytes. */
#include "stack/fingerprint.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/assert.h"

enum { SHA1_BYTES = 20, PERIOD_MAX = 4 };
static const size_t hashed_max = 4 << 20;

struct skep_fingerprint skep_fingerprint_text(skep_str text)
{
    struct skep_fingerprint ret;
    uint8_t sha[SHA1_BYTES];
    int rc = gnutls_hash_fast(GNUTLS_DIG_SHA1, text.p ? text.p : "", text.n, sha);
    skep_assert(rc == 0);
    skep_hex_encode((skep_bytes){sha, sizeof sha}, ret.hex);
    return ret;
}

struct skep_fingerprint skep_fingerprint_message(skep_str text)
{
    struct skep_buf clean;
    skep_buf_init(&clean, text.n + 1);
    skep_fingerprint_clean(text, &clean);
    struct skep_fingerprint ret = skep_fingerprint_text(skep_buf_text(&clean));
    skep_buf_done(&clean);
    return ret;
}

// --- what a frame is called --------------------------------------------------------------------

static skep_str cut_at(skep_str s, char c)
{
    size_t at = skep_str_chr(s, c);
    if (at != SIZE_MAX)
        s.n = at;
    return s;
}

static skep_str without(skep_str s, skep_str prefix)
{
    return skep_str_starts(s, prefix) ? skep_str_skip(s, prefix.n) : s;
}

/* The folder a file lies in and its name, without query: what stays when a program is put somewhere
 * else, and what a sender who knows the program's root says as well as one who does not. */
static skep_str short_path(skep_str file)
{
    size_t scheme = skep_str_find(file, SKEP_STR("://"));
    size_t names = 0;
    if (scheme != SIZE_MAX) {
        file = cut_at(cut_at(skep_str_skip(file, scheme + 3), '?'), '#');
        size_t slash = skep_str_chr(file, '/');
        if (slash != SIZE_MAX)
            file = skep_str_skip(file, slash);
    }
    for (size_t at = file.n; at > 0; at--) {
        if ((file.p[at - 1] == '/' || file.p[at - 1] == '\\') && ++names == 2)
            return skep_str_skip(file, at);
    }
    while (file.n > 0 && (file.p[0] == '/' || file.p[0] == '.'))
        file = skep_str_skip(file, 1);
    return file;
}

/* What stands behind the name in functions of compiled and generated code. */
static skep_str plain_function(skep_str f)
{
    static const skep_str marks[] = {
        SKEP_STR_INIT("::h"),        SKEP_STR_INIT(".constprop."), SKEP_STR_INIT(".isra."),
        SKEP_STR_INIT(".part."),     SKEP_STR_INIT(".cold"),       SKEP_STR_INIT("$$Lambda"),
        SKEP_STR_INIT("$$Enhancer"), SKEP_STR_INIT("$$FastClass"),
    };
    f = without(without(f, SKEP_STR("async ")), SKEP_STR("new "));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(marks); i++) {
        size_t at = skep_str_find(f, marks[i]);
        bool hash = i > 0 || (at != SIZE_MAX && f.n - at == 3 + 16); /* Rust's 16 digits */
        if (at != SIZE_MAX && at > 0 && hash)
            f.n = at;
    }
    if (f.n == 0 || skep_str_eq(f, SKEP_STR("?")) || skep_str_eq(f, SKEP_STR("<anonymous>")) ||
        skep_str_eq(f, SKEP_STR("[anonymous]")) || skep_str_eq(f, SKEP_STR("(anonymous)")))
        return SKEP_STR("<anonymous>");
    return f;
}

static void put_line(struct skep_buf *out, skep_str a, skep_str b)
{
    skep_fingerprint_clean(a, out);
    skep_buf_u8(out, '|');
    skep_fingerprint_clean(b, out);
    skep_buf_u8(out, '\n');
}

/* A class says more than a file's name, and is where files have none. */
static void put_frame(const struct skep_frame *f, struct skep_buf *out)
{
    skep_str file = short_path(f->file);
    bool by_class = f->module.n > 0 && skep_str_chr(file, '/') == SIZE_MAX;
    put_line(out, plain_function(by_class ? f->module : file), plain_function(f->function));
}

// --- an exception ------------------------------------------------------------------------------

static bool same_frame(const struct skep_frame *a, const struct skep_frame *b)
{
    return skep_str_eq(a->file, b->file) && skep_str_eq(a->function, b->function) &&
           skep_str_eq(a->module, b->module);
}

/* Drop repeated runs of up to PERIOD_MAX frames; returns how many are left. */
static uint32_t fold(const struct skep_frame **f, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        f[kept++] = f[i];
        for (uint32_t period = 1; period <= PERIOD_MAX && 2 * period <= kept; period++) {
            uint32_t same = 0;
            while (same < period && same_frame(f[kept - 1 - same], f[kept - 1 - same - period]))
                same++;
            if (same == period) {
                kept -= period;
                break;
            }
        }
    }
    return kept;
}

static uint32_t counting(const struct skep_exception *e, bool own, const struct skep_frame **ret)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->n_frames; i++) {
        if (!own || e->frames[i].own)
            ret[n++] = &e->frames[i];
    }
    return fold(ret, n);
}

static bool any_frame(const struct skep_stack *s, bool own)
{
    for (uint32_t c = 0; c < s->n; c++) {
        for (uint32_t i = 0; i < s->chain[c].n_frames; i++) {
            if (!own || s->chain[c].frames[i].own)
                return true;
        }
    }
    return false;
}

/* Without its packages: some senders leave them out. */
static skep_str bare_class(skep_str type)
{
    for (size_t at = type.n; at > 0; at--) {
        char c = type.p[at - 1];
        if (c == '.' || c == ':' || c == '\\' || c == '/')
            return skep_str_skip(type, at);
    }
    return type;
}

static void put_exception(const struct skep_exception *e, bool own, struct skep_buf *out)
{
    const struct skep_frame *frames[SKEP_STACK_FRAMES_MAX];
    skep_assert(e->n_frames <= SKEP_STACK_FRAMES_MAX);
    uint32_t n = counting(e, own, frames);
    for (uint32_t i = 0; i < n; i++)
        put_frame(frames[i], out);
    skep_buf_str(out, bare_class(e->type));
    skep_buf_u8(out, '\n');
}

static struct skep_fingerprint loose_of(const struct skep_stack *s)
{
    struct skep_buf out;
    const struct skep_frame *f = skep_stack_culprit(s);
    skep_buf_init(&out, hashed_max);
    skep_buf_str(&out, s->n ? bare_class(s->chain[0].type) : SKEP_STR_NULL);
    skep_buf_u8(&out, '\n');
    if (f)
        put_frame(f, &out);
    struct skep_fingerprint ret = skep_fingerprint_text(skep_buf_text(&out));
    skep_buf_done(&out);
    return ret;
}

struct skep_fingerprint skep_fingerprint_exception(const struct skep_stack *stack,
                                                   struct skep_buf *why,
                                                   struct skep_fingerprint *ret_loose)
{
    struct skep_buf out;
    skep_assert(stack);
    skep_buf_init(&out, hashed_max);
    bool own = any_frame(stack, true), any = own || any_frame(stack, false);
    for (uint32_t c = 0; c < stack->n && any; c++) {
        if (c > 0)
            skep_buf_str(&out, SKEP_STR("cause\n"));
        put_exception(&stack->chain[c], own, &out);
    }
    if (!any && stack->n > 0) {
        skep_buf_str(&out, bare_class(stack->chain[0].type));
        skep_buf_u8(&out, '\n');
        skep_fingerprint_clean(stack->chain[0].message, &out);
        skep_buf_u8(&out, '\n');
    }
    struct skep_fingerprint ret = skep_fingerprint_text(skep_buf_text(&out));
    if (why)
        skep_buf_str(why, skep_buf_text(&out));
    if (ret_loose)
        *ret_loose = loose_of(stack);
    skep_buf_done(&out);
    return ret;
}
