// SPDX-License-Identifier: Apache-2.0
/* Text -> exceptions: every language reads every line, who sees most frames is believed.
 *
 *   for each language:  lines -> HEAD | FRAME | FUNCTION FILE | CAUSE ...      count frames
 *   the best one again:
 *       exception[0]   head, frames as printed
 *       CAUSE          exception[1] ...
 *   then frames are turned outermost first, the chain raised-last first.
 *
 * I1  every slice of the answer lies inside the text.
 * I2  at most SKEP_STACK_FRAMES_MAX frames of an exception are kept: the first and the last half
 *     as printed.
 * Threads, memory: the caller's; two passes over the text for the language believed, of the others
 * no more lines than show that they cannot see as many frames. */
#include "base/assert.h"
#include "stack/stack_priv.h"

/* Of languages that see as many frames, the earlier one is believed (language_of): Rust before
 * JavaScript, which reads its "at FILE:LINE:COLUMN" too. */
static const struct skep_stack__language *const languages[] = {
    &skep_stack__python, &skep_stack__java,       &skep_stack__dotnet,
    &skep_stack__rust,   &skep_stack__javascript, &skep_stack__php,
    &skep_stack__ruby,   &skep_stack__go,         &skep_stack__native,
};

// --- pieces of lines ---------------------------------------------------------------------------

uint32_t skep_stack__number(skep_str s)
{
    uint64_t v;
    return skep_str_u64(s, &v) && v <= UINT32_MAX ? (uint32_t)v : 0;
}

static bool cut_number(skep_str *s, uint32_t *ret)
{
    size_t n = s->n;
    while (n > 0 && s->p[n - 1] >= '0' && s->p[n - 1] <= '9')
        n--;
    if (n == s->n || n == 0 || s->p[n - 1] != ':')
        return false;
    *ret = skep_stack__number(skep_str_skip(*s, n));
    s->n = n - 1;
    return true;
}

bool skep_stack__position(skep_str *s, uint32_t *ret_line, uint32_t *ret_column)
{
    uint32_t last, before;
    skep_str rest = *s;
    if (!cut_number(&rest, &last))
        return false;
    bool two = cut_number(&rest, &before);
    *ret_line = two ? before : last;
    *ret_column = two ? last : 0;
    *s = rest;
    return true;
}

bool skep_stack__split(skep_str s, skep_str mark, skep_str *ret_before, skep_str *ret_behind)
{
    size_t at = skep_str_find(s, mark);
    if (at == SIZE_MAX)
        return false;
    *ret_before = (skep_str){s.p, at};
    *ret_behind = skep_str_skip(s, at + mark.n);
    return true;
}

bool skep_stack__split_last(skep_str s, skep_str mark, skep_str *ret_before, skep_str *ret_behind)
{
    for (size_t at = s.n < mark.n ? 0 : s.n - mark.n + 1; at > 0; at--) {
        if (s.p[at - 1] == mark.p[0] && memcmp(s.p + at - 1, mark.p, mark.n) == 0) {
            *ret_before = (skep_str){s.p, at - 1};
            *ret_behind = skep_str_skip(s, at - 1 + mark.n);
            return true;
        }
    }
    return false;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

bool skep_stack__head(skep_str line, struct skep_stack__line *ret)
{
    size_t n = 0;
    while (n < line.n && (letter(line.p[n]) || (n > 0 && line.p[n] >= '0' && line.p[n] <= '9') ||
                          (n > 0 && (line.p[n] == '.' || line.p[n] == '$' || line.p[n] == '\\')) ||
                          (n > 0 && line.p[n] == ':' && n + 2 < line.n && line.p[n + 1] == ':' &&
                           letter(line.p[n + 2])) ||
                          (n > 1 && line.p[n] == ':' && line.p[n - 1] == ':')))
        n++;
    if (n == 0)
        return false;
    skep_str rest = skep_str_skip(line, n);
    if (rest.n > 0 && !(rest.p[0] == ':' && (rest.n == 1 || rest.p[1] == ' ')))
        return false;
    ret->what = SKEP_STACK__HEAD;
    ret->type = (skep_str){line.p, n};
    ret->message = rest.n ? skep_str_trim(skep_str_skip(rest, 1)) : SKEP_STR_NULL;
    return true;
}

// --- one language over all lines ---------------------------------------------------------------

struct building {
    struct skep_exception *e;
    uint32_t seen; /* frames, kept or not */
};

static struct skep_frame *room(struct building *b, struct skep_arena *arena)
{
    enum { HALF = SKEP_STACK_FRAMES_MAX / 2 };
    struct skep_exception *e = b->e;
    if (!e->frames)
        e->frames = skep_new_n(arena, struct skep_frame, SKEP_STACK_FRAMES_MAX);
    b->seen++;
    if (e->n_frames < SKEP_STACK_FRAMES_MAX)
        return &e->frames[e->n_frames++];
    memmove(&e->frames[HALF], &e->frames[HALF + 1], (HALF - 1) * sizeof *e->frames);
    return &e->frames[SKEP_STACK_FRAMES_MAX - 1];
}

static bool next_line(skep_str *text, skep_str *ret)
{
    if (!text->p)
        return false;
    *ret = skep_str_cut(text, '\n');
    if (ret->n > 0 && ret->p[ret->n - 1] == '\r')
        ret->n--;
    return true;
}

/* How many frames, of `lines` lines; given up once they cannot be more than `most`. */
static uint32_t frames_of(const struct skep_stack__language *l, skep_str text, uint32_t lines,
                          uint32_t most)
{
    skep_str line;
    uint32_t n = 0;
    bool after = false;
    for (uint32_t left = lines; n + left > most && next_line(&text, &line); left--) {
        enum skep_stack__what what = l->read(line, after).what;
        n += what == SKEP_STACK__FRAME || (what == SKEP_STACK__FILE && after);
        after = what == SKEP_STACK__FRAME || what == SKEP_STACK__FUNCTION;
    }
    return n;
}

/* A first head that frames went before belongs to them when the language prints it behind. */
static void take_head(const struct skep_stack__language *l, struct building *b,
                      const struct skep_stack__line *x)
{
    bool in_place = l->head_behind ? b->seen > 0 : b->seen == 0;
    if (b->e->type.n > 0 || !in_place)
        return;
    b->e->type = x->type;
    b->e->message = x->message;
}

static void read_all(const struct skep_stack__language *l, skep_str text, struct skep_arena *arena,
                     struct skep_stack *ret)
{
    skep_str line;
    bool after = false;
    struct skep_frame half = {.line = 0};
    bool headless = false; /* the line before was a head without a message */
    struct building b = {.e = &ret->chain[0]};
    ret->n = 1;
    while (next_line(&text, &line)) {
        struct skep_stack__line x = l->read(line, after);
        if (x.what == SKEP_STACK__END && b.seen > 0)
            break;
        if (x.what == SKEP_STACK__CAUSE && (b.seen > 0 || b.e->type.n > 0)) {
            if (ret->n == SKEP_STACK_CHAIN_MAX)
                break;
            b = (struct building){.e = &ret->chain[ret->n++]};
            take_head(l, &b, &x);
        }
        if (x.what == SKEP_STACK__HEAD || x.type.n > 0)
            take_head(l, &b, &x);
        if (x.what == SKEP_STACK__FRAME || (x.what == SKEP_STACK__CAUSE && x.frame.file.n > 0))
            *room(&b, arena) = x.frame;
        if (x.what == SKEP_STACK__OUTER && b.e > ret->chain)
            b = (struct building){.e = b.e - 1, .seen = b.e[-1].n_frames};
        if (x.what == SKEP_STACK__NOTHING && headless && l->message_behind)
            b.e->message = skep_str_trim(line);
        headless = x.what == SKEP_STACK__HEAD && x.message.n == 0 && b.e->message.n == 0;
        if (x.what == SKEP_STACK__FUNCTION)
            half = x.frame;
        if (x.what == SKEP_STACK__FILE && after) {
            struct skep_frame *f = room(&b, arena);
            *f = x.frame;
            f->function = half.function;
            f->module = half.module;
        }
        after = x.what == SKEP_STACK__FRAME || x.what == SKEP_STACK__FUNCTION;
    }
}

static void turn_frames(struct skep_exception *e)
{
    for (uint32_t i = 0; i < e->n_frames / 2; i++) {
        struct skep_frame f = e->frames[i];
        e->frames[i] = e->frames[e->n_frames - 1 - i];
        e->frames[e->n_frames - 1 - i] = f;
    }
}

static void turn_chain(struct skep_stack *s)
{
    for (uint32_t i = 0; i < s->n / 2; i++) {
        struct skep_exception e = s->chain[i];
        s->chain[i] = s->chain[s->n - 1 - i];
        s->chain[s->n - 1 - i] = e;
    }
}

static bool hinted(const struct skep_stack__language *l, skep_str language)
{
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(l->hints) && l->hints[i].n; i++) {
        skep_str h = l->hints[i];
        if (language.n >= h.n && skep_str_ieq((skep_str){language.p, h.n}, h))
            return true;
    }
    return false;
}

static uint32_t lines_of(skep_str text)
{
    uint32_t n = 1;
    for (size_t at; (at = skep_str_chr(text, '\n')) != SIZE_MAX; n++)
        text = skep_str_skip(text, at + 1);
    return n;
}

/* Who sees most frames; of those who see as many, one the sender hints at, else the earlier one.
 * So those hinted at are asked first: the others then stop at the first lines. */
static const struct skep_stack__language *language_of(skep_str text, skep_str language)
{
    const struct skep_stack__language *best = NULL;
    uint32_t most = 0, lines = lines_of(text);
    for (unsigned i = 0; i < 2 * SKEP_ARRAY_LEN(languages); i++) {
        const struct skep_stack__language *l = languages[i % SKEP_ARRAY_LEN(languages)];
        if (hinted(l, language) != (i < SKEP_ARRAY_LEN(languages)))
            continue;
        uint32_t n = frames_of(l, text, lines, most);
        if (n > most) {
            most = n;
            best = l;
        }
    }
    return best;
}

bool skep_stack_parse(skep_str text, skep_str language, struct skep_arena *arena,
                      struct skep_stack *ret)
{
    skep_assert(arena && ret);
    *ret = (struct skep_stack){.n = 0};
    if (text.n > SKEP_STACK_TEXT_MAX)
        text.n = SKEP_STACK_TEXT_MAX;
    const struct skep_stack__language *best = language_of(text, language);
    if (!best)
        return false;
    ret->chain = skep_new_n(arena, struct skep_exception, SKEP_STACK_CHAIN_MAX);
    ret->language = best->name;
    read_all(best, text, arena, ret);
    if (ret->chain[ret->n - 1].n_frames == 0 && ret->chain[ret->n - 1].type.n == 0 && ret->n > 1)
        ret->n--; // "Caused by" with nothing behind it
    for (uint32_t i = 0; i < ret->n && best->innermost_first; i++)
        turn_frames(&ret->chain[i]);
    if (best->causes_first)
        turn_chain(ret);
    return true;
}
