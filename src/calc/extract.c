// SPDX-License-Identifier: Apache-2.0
/* Nodes that no language names: what a pipeline's stages are as expressions (query/pipe_compute.c).
 *
 *   captures(text, expression or glob, which ...)   what it takes of a text, all of it packed into
 *                                                   one value, so that a text is matched once:
 *       for each: u32 bytes, UINT32_MAX = took no part; then the bytes of all, back to back
 *   capture(captures, i)                            one of them
 *   member(text, key, ...)                          path(jsonParse(text), key, ...) without the
 *                                                   text of the document in between
 *   number(a), true(a)                              as stats count and filters decide
 *
 * What each gives is said by its constant arguments, so that who keeps answers can tell two of them
 * apart by those.
 *
 * Threads: any; a context belongs to one.  Memory: the context's scratch. */
#include "base/assert.h"
#include "base/bytes.h"
#include "calc/calc_priv.h"
#include "wire/regex.h"

struct captures {
    const struct skep_regex *regex; /* NULL: a glob */
    const unsigned *groups;
    const skep_str *pieces; /* n + 1 */
    unsigned n;
};

bool skep_calc_glob(const skep_str *pieces, unsigned n, skep_str text, skep_str *ret)
{
    size_t at = skep_str_find(text, pieces[0]);
    if (at == SIZE_MAX)
        return false;
    skep_str rest = skep_str_skip(text, at + pieces[0].n);
    for (unsigned i = 0; i < n; i++) {
        skep_str end = pieces[i + 1];
        size_t len = end.n ? skep_str_find(rest, end) : i + 1 == n ? rest.n : 0;
        if (len == SIZE_MAX)
            return false;
        ret[i] = (skep_str){rest.p, len};
        rest = skep_str_skip(rest, len + end.n);
    }
    return true;
}

static bool by_regex(struct skep_calc_ctx *ctx, const struct captures *c, skep_str text,
                     skep_str *ret)
{
    size_t spans[2 * (SKEP_LIMIT_REGEX_GROUPS + 1)];
    bool found = false;
    if (ctx->too_slow || skep_regex_find(c->regex, text, 0, 0, spans, &found) != SKEP_OK)
        ctx->too_slow = true;
    for (unsigned i = 0; found && i < c->n; i++) {
        const size_t *g = spans + 2 * (size_t)c->groups[i];
        ret[i] = g[0] == SIZE_MAX ? SKEP_STR_NULL : (skep_str){text.p + g[0], g[1] - g[0]};
    }
    return found;
}

static skep_value captures(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *a)
{
    const struct captures *c = e->prepared;
    skep_str parts[SKEP_CALC_CAPTURES];
    char buf[64];
    size_t n = 4 * (size_t)c->n;
    if (a[0].type == SKEP_TYPE_NULL)
        return SKEP_CALC__NULL;
    skep_str text = skep_calc_text(&a[0], buf);
    if (!(c->regex ? by_regex(ctx, c, text, parts) : skep_calc_glob(c->pieces, c->n, text, parts)))
        return SKEP_CALC__NULL;
    for (unsigned i = 0; i < c->n; i++)
        n += parts[i].n;
    char *out = skep_arena_try_alloc(ctx->scratch, n + 1), *to = out + 4 * (size_t)c->n;
    if (!out) {
        ctx->short_of_memory = true;
        return SKEP_CALC__NULL;
    }
    for (unsigned i = 0; i < c->n; i++) {
        skep_store_le32(out + 4 * (size_t)i, parts[i].p ? (uint32_t)parts[i].n : UINT32_MAX);
        if (parts[i].n > 0)
            memcpy(to, parts[i].p, parts[i].n);
        to += parts[i].n;
    }
    return skep_calc__str((skep_str){out, n});
}

static skep_value capture(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    (void)e;
    if (a[0].type != SKEP_TYPE_STRING)
        return SKEP_CALC__NULL;
    const char *p = a[0].s.p, *at = p + 4 * (size_t)a[2].i;
    for (int64_t i = 0; i < a[1].i; i++) {
        uint32_t n = skep_load_le32(p + 4 * i);
        at += n == UINT32_MAX ? 0 : n;
    }
    uint32_t n = skep_load_le32(p + 4 * a[1].i);
    return n == UINT32_MAX ? SKEP_CALC__NULL : skep_calc__str((skep_str){at, n});
}

static skep_value number(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double f;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT)
        return a[0];
    return skep_calc_number(ctx, &a[0], &f) ? skep_calc__double(f) : SKEP_CALC__NULL;
}

static skep_value is_true(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(skep_calc_true(&a[0]));
}

enum { CAPTURES, CAPTURE, MEMBER, NUMBER, TRUTH };
#define X "extract"
static const struct skep_calc_fn fns[] = {
    [CAPTURES] = {"captures", "captures(text, ...)", "What is taken of it.", X, 1, UINT32_MAX,
                  captures, NULL, 0},
    [CAPTURE] = {"capture", "capture(captures, i, n)", "One of them.", X, 3, 3, capture, NULL, 0},
    [MEMBER] = {"member", "member(text, key, ...)", "A value inside a text's document.", X, 2,
                SKEP_LIMIT_CALC_ARGS, skep_calc__member, NULL, 0},
    [NUMBER] = {"number", "number(a)", "As a number, if it is one.", X, 1, 1, number, NULL, 0},
    [TRUTH] = {"true", "true(a)", "Is it true?", X, 1, 1, is_true, NULL, 0},
};

static struct skep_calc *call(struct skep_arena *a, unsigned fn, unsigned n)
{
    struct skep_calc *e = skep_new(a, struct skep_calc);
    *e = (struct skep_calc){.op = SKEP_CALC_CALL,
                            .fn = &fns[fn],
                            .args = skep_new_n(a, struct skep_calc *, n),
                            .n_args = n};
    return e;
}

/* Of one argument that is no constant. */
static struct skep_calc *of(struct skep_calc *e, struct skep_calc *arg)
{
    e->args[0] = arg;
    e->depth = arg->depth + 1;
    return e;
}

static struct skep_calc *number_node(struct skep_arena *a, unsigned i)
{
    return skep_calc_const(a, skep_calc__int((int64_t)i));
}

struct skep_calc *skep_calc_captures_regex(struct skep_arena *a, struct skep_calc *text,
                                           const struct skep_regex *regex, const unsigned *groups,
                                           unsigned n)
{
    struct skep_calc *e = of(call(a, CAPTURES, n + 2), text);
    struct captures *c = skep_new(a, struct captures);
    skep_assert(n <= SKEP_CALC_CAPTURES);
    *c = (struct captures){.regex = regex, .groups = groups, .n = n};
    e->args[1] = skep_calc_const(a, skep_calc__str(skep_regex_text(regex)));
    for (unsigned i = 0; i < n; i++)
        e->args[2 + i] = number_node(a, groups[i]);
    e->prepared = c;
    return e;
}

struct skep_calc *skep_calc_captures_glob(struct skep_arena *a, struct skep_calc *text,
                                          const skep_str *pieces, unsigned n)
{
    struct skep_calc *e = of(call(a, CAPTURES, n + 2), text);
    struct captures *c = skep_new(a, struct captures);
    skep_assert(n <= SKEP_CALC_CAPTURES);
    *c = (struct captures){.pieces = pieces, .n = n};
    for (unsigned i = 0; i <= n; i++)
        e->args[1 + i] = skep_calc_const(a, skep_calc__str(pieces[i]));
    e->prepared = c;
    return e;
}

struct skep_calc *skep_calc_capture(struct skep_arena *a, struct skep_calc *all, unsigned i,
                                    unsigned n)
{
    struct skep_calc *e = of(call(a, CAPTURE, 3), all);
    e->args[1] = number_node(a, i);
    e->args[2] = number_node(a, n);
    return e;
}

bool skep_calc_is_capture(const struct skep_calc *e)
{
    return e->op == SKEP_CALC_CALL && e->fn == &fns[CAPTURE];
}

struct skep_calc *skep_calc_member(struct skep_arena *a, struct skep_calc *text,
                                   struct skep_calc *const *keys, unsigned n)
{
    struct skep_calc *e = of(call(a, MEMBER, n + 1), text);
    for (unsigned i = 0; i < n; i++)
        e->args[1 + i] = keys[i];
    return e;
}

/* A copy with the one member as column 0.  NULL: there are more, or other columns. */
static struct skep_calc *around(const struct skep_calc *e, struct skep_arena *a,
                                struct skep_calc_member_of *ret)
{
    if (e->op == SKEP_CALC_FIELD)
        return NULL;
    if (e->op == SKEP_CALC_CALL && e->fn == &fns[MEMBER]) {
        bool taken = ret->n_keys > 0 || e->args[0]->op != SKEP_CALC_FIELD;
        ret->keys = skep_new_n(a, skep_str, e->n_args);
        for (unsigned i = 1; i < e->n_args; i++) {
            taken = taken || e->args[i]->op != SKEP_CALC_CONST ||
                    e->args[i]->value.type != SKEP_TYPE_STRING;
            ret->keys[ret->n_keys++] = taken ? SKEP_STR_NULL : e->args[i]->value.s;
        }
        return taken ? NULL : skep_calc_field(a, 0, e->time);
    }
    struct skep_calc *copy = skep_new(a, struct skep_calc);
    *copy = *e;
    copy->args = skep_new_n(a, struct skep_calc *, e->n_args + 1);
    for (unsigned i = 0; i < e->n_args; i++)
        if ((copy->args[i] = around(e->args[i], a, ret)) == NULL)
            return NULL;
    return copy;
}

bool skep_calc_look_inside(const struct skep_calc *e, struct skep_arena *a,
                           struct skep_calc_member_of *ret)
{
    *ret = (struct skep_calc_member_of){.n_keys = 0};
    ret->around = around(e, a, ret);
    return ret->around && ret->n_keys > 0;
}

struct skep_calc *skep_calc_as_number(struct skep_arena *a, struct skep_calc *e)
{
    return of(call(a, NUMBER, 1), e);
}

struct skep_calc *skep_calc_as_true(struct skep_arena *a, struct skep_calc *e)
{
    return of(call(a, TRUTH, 1), e);
}

/* Recursion is bounded by SKEP_LIMIT_CALC_DEPTH. */
static void say(const struct skep_calc *e, struct skep_buf *b)
{
    skep_buf_u8(b, (uint8_t)e->op);
    switch (e->op) {
    case SKEP_CALC_FIELD: skep_buf_u32(b, e->field); return;
    case SKEP_CALC_CONST: {
        const skep_value *v = &e->value;
        bool text =
            v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_BYTES || v->type == SKEP_TYPE_ARRAY;
        skep_buf_u8(b, (uint8_t)v->type);
        if (text) {
            skep_buf_u32(b, (uint32_t)v->s.n);
            skep_buf_str(b, v->s);
        } else {
            uint64_t bits = 0;
            memcpy(&bits, &v->i, v->type == SKEP_TYPE_BOOL ? sizeof v->b : sizeof bits);
            skep_buf_u64(b, v->type == SKEP_TYPE_NULL ? 0 : bits);
        }
        return;
    }
    case SKEP_CALC_CALL:
        skep_buf_u64(b, (uint64_t)(uintptr_t)e->fn);
        skep_buf_u32(b, e->n_args);
        for (unsigned i = 0; i < e->n_args; i++)
            say(e->args[i], b);
        return;
    default: skep_unreachable("a node of an expression");
    }
}

skep_str skep_calc_say(const struct skep_calc *e, bool loose, struct skep_arena *a)
{
    struct skep_buf b;
    skep_buf_init(&b, 4 << 20);
    skep_buf_u8(&b, loose);
    say(e, &b);
    skep_str s = b.bad ? SKEP_STR_NULL : skep_arena_str(a, skep_buf_text(&b));
    skep_buf_done(&b);
    return s;
}
