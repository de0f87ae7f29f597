// SPDX-License-Identifier: Apache-2.0
/* Functions of a JavaScript text, found without a parser.
 *
 *   one walk: strings, templates, comments and regular expressions are passed over, braces and
 *   parentheses pushed and popped; what stands before a '{' says what it opens:
 *
 *     function NAME (...) {       NAME          NAME (...) {              a method
 *     NAME = function (...) {     NAME          NAME = (...) => {         NAME, with ':' likewise
 *     if for while switch catch (...) {         a block
 *     (...): Type {               the same, TypeScript says what it returns
 *
 * It is a guess, bounded and without effect but on a name that is shown and hashed: the same text
 * gives the same name.
 *
 * Threads: any.  Memory: DEPTH_MAX entries; what nests deeper is as if it were a block. */
#include "symbols/enclosing.h"

#include "base/assert.h"

enum { DEPTH_MAX = 256, HEADER_MAX = 400 };

struct brace {
    enum { BLOCK, FUNCTION, TEMPLATE } what;
    skep_str name; /* of a function; empty = anonymous */
};

struct walk {
    skep_str text;
    size_t at, end;
    struct brace braces[DEPTH_MAX];
    size_t parens[DEPTH_MAX];
    unsigned n_braces, n_parens;
    size_t last_paren; /* where what was closed last was opened; SIZE_MAX = unknown */
    char before;       /* the last byte that is neither blank nor comment */
};

static bool word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '#' || (unsigned char)c >= 0x80;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool one_of(skep_str word, const skep_str *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (skep_str_eq(word, words[i]))
            return true;
    }
    return false;
}

// --- backwards from a brace --------------------------------------------------------------------

static size_t back_blanks(skep_str text, size_t at)
{
    while (at > 0 && blank(text.p[at - 1]))
        at--;
    return at;
}

/* The word that ends before `at`, blanks between; *ret_at: where it begins. */
static skep_str word_before(skep_str text, size_t at, size_t *ret_at)
{
    size_t end = back_blanks(text, at), begin = end;
    while (begin > 0 && word_byte(text.p[begin - 1]))
        begin--;
    *ret_at = begin;
    return (skep_str){text.p + begin, end - begin};
}

/* "NAME =" or "NAME:" before `at`; "const NAME: Type =" gives the type's last word, which is as
 * good as another. */
static skep_str given_name(skep_str text, size_t at)
{
    size_t begin;
    skep_str async = word_before(text, at, &begin);
    if (skep_str_eq(async, SKEP_STR("async")))
        at = begin;
    at = back_blanks(text, at);
    if (at == 0 || (text.p[at - 1] != '=' && text.p[at - 1] != ':'))
        return SKEP_STR_NULL;
    return word_before(text, at - 1, &begin);
}

/* What the function is called whose parameters begin at `open`. */
static struct brace function_before(skep_str text, size_t open, bool arrow)
{
    static const skep_str blocks[] = {SKEP_STR_INIT("if"),    SKEP_STR_INIT("for"),
                                      SKEP_STR_INIT("while"), SKEP_STR_INIT("switch"),
                                      SKEP_STR_INIT("catch"), SKEP_STR_INIT("with"),
                                      SKEP_STR_INIT("await")};
    size_t begin, earlier;
    if (arrow)
        return (struct brace){FUNCTION, given_name(text, open)};
    skep_str word = word_before(text, open, &begin);
    if (one_of(word, blocks, SKEP_ARRAY_LEN(blocks)))
        return (struct brace){BLOCK, SKEP_STR_NULL};
    if (skep_str_eq(word, SKEP_STR("function")))
        return (struct brace){FUNCTION, given_name(text, begin)};
    if (word.n == 0 && back_blanks(text, begin) > 0 &&
        text.p[back_blanks(text, begin) - 1] == '*') {
        skep_str star = word_before(text, back_blanks(text, begin) - 1, &earlier);
        return (struct brace){FUNCTION, skep_str_eq(star, SKEP_STR("function"))
                                            ? given_name(text, earlier)
                                            : SKEP_STR_NULL};
    }
    return (struct brace){word.n ? FUNCTION : BLOCK, word};
}

/* Behind a ')' a type may stand: ": Promise<string[]> {". */
static size_t back_type(skep_str text, size_t at)
{
    size_t from = at > HEADER_MAX ? at - HEADER_MAX : 0;
    for (size_t i = at; i > from; i--) {
        char c = text.p[i - 1];
        if (c == ':') {
            size_t before = back_blanks(text, i - 1);
            return before > 0 && text.p[before - 1] == ')' ? before : SIZE_MAX;
        }
        if (!word_byte(c) && !blank(c) && !strchr("<>[]|&.,", c))
            return SIZE_MAX;
    }
    return SIZE_MAX;
}

/* What the brace at w->at opens. */
static struct brace brace_of(const struct walk *w)
{
    const struct brace block = {BLOCK, SKEP_STR_NULL};
    size_t at = back_blanks(w->text, w->at), begin;
    if (at == 0)
        return block;
    if (at >= 2 && w->text.p[at - 1] == '>' && w->text.p[at - 2] == '=') {
        size_t behind = back_blanks(w->text, at - 2);
        if (behind > 0 && w->text.p[behind - 1] != ')') {
            size_t typed = back_type(w->text, behind);
            if (typed == SIZE_MAX) { /* one parameter without parentheses */
                (void)word_before(w->text, behind, &begin);
                return function_before(w->text, begin, true);
            }
        }
        return w->last_paren == SIZE_MAX ? (struct brace){FUNCTION, SKEP_STR_NULL}
                                         : function_before(w->text, w->last_paren, true);
    }
    if (w->text.p[at - 1] != ')')
        at = back_type(w->text, at);
    if (at == SIZE_MAX || w->last_paren == SIZE_MAX)
        return block;
    return function_before(w->text, w->last_paren, false);
}

// --- forwards ----------------------------------------------------------------------------------

static void skip_string(struct walk *w, char quote)
{
    for (w->at++; w->at < w->end && w->text.p[w->at] != quote && w->text.p[w->at] != '\n'; w->at++)
        w->at += w->text.p[w->at] == '\\';
}

/* Until the end of a template's text: a '`', or "${", whose brace is pushed. */
static void skip_template(struct walk *w)
{
    for (w->at++; w->at < w->end; w->at++) {
        char c = w->text.p[w->at];
        if (c == '`')
            return;
        if (c == '\\') {
            w->at++;
        } else if (c == '$' && w->at + 1 < w->end && w->text.p[w->at + 1] == '{') {
            w->at++;
            if (w->n_braces < DEPTH_MAX)
                w->braces[w->n_braces] = (struct brace){TEMPLATE, SKEP_STR_NULL};
            w->n_braces++;
            return;
        }
    }
}

static void skip_regex(struct walk *w)
{
    bool class = false;
    for (w->at++; w->at < w->end && w->text.p[w->at] != '\n'; w->at++) {
        char c = w->text.p[w->at];
        if (c == '\\')
            w->at++;
        else if (c == '[')
            class = true;
        else if (c == ']')
            class = false;
        else if (c == '/' && !class)
            return;
    }
}

/* A comment or a regular expression; false: a division. */
static bool skip_slash(struct walk *w)
{
    char next = w->at + 1 < w->end ? w->text.p[w->at + 1] : '\0';
    skep_str rest = {w->text.p + w->at, w->end - w->at};
    if (next == '/' || next == '*') {
        size_t end = next == '/' ? skep_str_chr(rest, '\n')
                                 : skep_str_find(skep_str_skip(rest, 2), SKEP_STR("*/"));
        if (end != SIZE_MAX && next == '*')
            end += 3;
        w->at = end == SIZE_MAX ? w->end : w->at + end;
        return true;
    }
    if (w->before && !strchr("(,=:[!&|?{};+-*%<>~^", w->before))
        return false;
    skip_regex(w);
    w->before = '/';
    return true;
}

static void open_brace(struct walk *w)
{
    if (w->n_braces < DEPTH_MAX)
        w->braces[w->n_braces] = brace_of(w);
    w->n_braces++;
}

static void close_brace(struct walk *w)
{
    bool template =
        w->n_braces > 0 && w->n_braces <= DEPTH_MAX && w->braces[w->n_braces - 1].what == TEMPLATE;
    w->n_braces -= w->n_braces > 0;
    if (template)
        skip_template(w);
}

static void paren(struct walk *w, char c)
{
    if (c == '(') {
        if (w->n_parens < DEPTH_MAX)
            w->parens[w->n_parens] = w->at;
        w->n_parens++;
    } else if (w->n_parens > 0) {
        w->n_parens--;
        w->last_paren = w->n_parens < DEPTH_MAX ? w->parens[w->n_parens] : SIZE_MAX;
    }
}

static void step(struct walk *w)
{
    char c = w->text.p[w->at];
    if (c == '/' && skip_slash(w)) {
        w->at++;
        return;
    }
    if (c == '\'' || c == '"')
        skip_string(w, c);
    else if (c == '`')
        skip_template(w);
    else if (c == '{')
        open_brace(w);
    else if (c == '}')
        close_brace(w);
    else if (c == '(' || c == ')')
        paren(w, c);
    if (!blank(c))
        w->before = c;
    w->at++;
}

skep_str skep_enclosing_function(skep_str text, size_t at)
{
    struct walk w = {.text = text, .end = SKEP_MIN(at, text.n), .last_paren = SIZE_MAX};
    while (w.at < w.end)
        step(&w);
    for (unsigned n = SKEP_MIN(w.n_braces, (unsigned)DEPTH_MAX); n > 0; n--) {
        if (w.braces[n - 1].what == FUNCTION)
            return w.braces[n - 1].name;
    }
    return SKEP_STR_NULL;
}

size_t skep_enclosing_offset(skep_str text, uint32_t line, uint32_t column)
{
    size_t at = 0;
    for (uint32_t i = 1; i < line; i++) {
        size_t end = skep_str_chr(skep_str_skip(text, at), '\n');
        if (end == SIZE_MAX)
            return SIZE_MAX;
        at += end + 1;
    }
    return column > 0 && at + column - 1 <= text.n ? at + column - 1 : SIZE_MAX;
}
