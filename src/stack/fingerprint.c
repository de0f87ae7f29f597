// SPDX-License-Identifier: Apache-2.0
/* Fingerprints of errors.
 *
 *   hashed, a line each:   file|function     of the frames that count, outermost first (names.c)
 *                          class             without packages; and the kind of what it says where
 *                                            that is the language's own (kinds.c)
 *                          ... the same of the cause, behind a line "cause"
 *   frames that count:     the program's own; without any, all; lines that repeat (recursion,
 *                          closures of a function) once; not what compilers put between
 *   exceptions that count: not those in front that have no frame of the program's own while a
 *                          later one has
 *   no frame at all:       class and cleaned message
 *
 * I1  the same bytes give the same fingerprint on every machine and in every version of skep with
 *     the same SKEP_FINGERPRINT_VERSION.
 * Threads: any.  Memory: at most HASHED_MAX bytes. */
#include "stack/fingerprint.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/assert.h"
#include "stack/stack_priv.h"

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

// --- an exception ------------------------------------------------------------------------------

/* Lines of a trace as they are hashed; what repeats up to PERIOD_MAX lines is there once. */
struct lines {
    struct skep_buf *out;
    size_t starts[SKEP_STACK_FRAMES_MAX + 1];
    uint32_t n;
};

static bool same_lines(const struct lines *l, uint32_t a, uint32_t b, uint32_t n)
{
    size_t a_at = l->starts[a], b_at = l->starts[b], a_end = l->starts[a + n],
           b_end = l->starts[b + n];
    return a_end - a_at == b_end - b_at &&
           memcmp(l->out->p + a_at, l->out->p + b_at, a_end - a_at) == 0;
}

/* The last one was put: drop it with those before it when they say what stands there already. */
static void fold(struct lines *l)
{
    l->starts[l->n] = l->out->n;
    for (uint32_t period = 1; period <= PERIOD_MAX && 2 * period <= l->n; period++) {
        if (same_lines(l, l->n - period, l->n - 2 * period, period)) {
            l->n -= period;
            l->out->n = l->starts[l->n];
            return;
        }
    }
}

static bool counts(const struct skep_frame *f, bool own)
{
    return (!own || f->own) && !f->ignored && !skep_stack__made_up(f);
}

static bool any_own(const struct skep_exception *e)
{
    for (uint32_t i = 0; i < e->n_frames; i++) {
        if (counts(&e->frames[i], true))
            return true;
    }
    return false;
}

static bool any_frame(const struct skep_stack *s, bool own)
{
    for (uint32_t c = 0; c < s->n; c++) {
        for (uint32_t i = 0; i < s->chain[c].n_frames; i++) {
            if (counts(&s->chain[c].frames[i], own))
                return true;
        }
    }
    return false;
}

/* Frameworks wrap what the program raised: exceptions in front without a frame of its own. */
static uint32_t first_of(const struct skep_stack *s, bool own)
{
    uint32_t c = 0;
    while (own && c + 1 < s->n && s->chain[c].n_frames > 0 && !any_own(&s->chain[c]))
        c++;
    return c;
}

static void put_class(const struct skep_exception *e, struct skep_buf *out)
{
    skep_str kind = skep_stack__kind(e->message);
    skep_buf_str(out, skep_stack__bare_class(e->type));
    if (kind.n > 0) {
        skep_buf_str(out, SKEP_STR(": "));
        skep_buf_str(out, kind);
    }
    skep_buf_u8(out, '\n');
}

static void put_exception(const struct skep_exception *e, bool own, struct skep_buf *out)
{
    struct lines l = {.out = out};
    skep_assert(e->n_frames <= SKEP_STACK_FRAMES_MAX);
    for (uint32_t i = 0; i < e->n_frames; i++) {
        if (!counts(&e->frames[i], own))
            continue;
        l.starts[l.n++] = out->n;
        skep_stack__put_frame(&e->frames[i], out);
        if (!out->bad)
            fold(&l);
    }
    put_class(e, out);
}

static struct skep_fingerprint loose_of(const struct skep_stack *s)
{
    struct skep_buf out;
    const struct skep_frame *f = skep_stack_culprit(s);
    skep_buf_init(&out, hashed_max);
    skep_buf_str(&out, s->n ? skep_stack__bare_class(s->chain[0].type) : SKEP_STR_NULL);
    skep_buf_u8(&out, '\n');
    if (f)
        skep_stack__put_frame(f, &out);
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
    uint32_t first = first_of(stack, own);
    for (uint32_t c = first; c < stack->n && any; c++) {
        if (c > first)
            skep_buf_str(&out, SKEP_STR("cause\n"));
        put_exception(&stack->chain[c], own, &out);
    }
    if (!any && stack->n > 0) {
        skep_buf_str(&out, skep_stack__bare_class(stack->chain[0].type));
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
