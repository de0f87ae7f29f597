// SPDX-License-Identifier: Apache-2.0
/*
 * rules_code.c - rules about functions and public headers
 *
 * Functions are found by layout, which clang-format guarantees: a body is what stands between a
 * line
 * `{` and a line `}`, both at column 0; nothing else is laid out so. Declarations of headers are
 * found by a walk over the code text at brace depth 0, statement by statement.
 *
 *   / * doc * /                     documented: a comment ends on the line above, or stands
 *   skep_rc skep_x(...);            behind it, or what is declared above is documented and no
 *   skep_rc skep_y(...);            blank line lies between
 *
 * Threads: one. Memory: one statement's text, in the arena.
 */
#include "tidy.h"

#include "base/assert.h"

static struct tidy_count *count_of(struct tidy *t, skep_str module)
{
    for (size_t i = 0; i < t->n_counts; i++)
        if (skep_str_eq(t->counts[i].module, module))
            return &t->counts[i];
    if (t->n_counts == TIDY_MODULES_MAX)
        return NULL;
    t->counts[t->n_counts] = (struct tidy_count){.module = module};
    return &t->counts[t->n_counts++];
}

/* Index of the first line of the signature whose body opens at line index `open`. */
static size_t signature_start(const struct tidy_file *file, size_t open)
{
    size_t i = open;
    while (i > 0) {
        skep_str above = skep_str_trim(file->lines[i - 1].code);
        if (above.n == 0 || above.p[above.n - 1] == ';' || above.p[above.n - 1] == '}' ||
            above.p[0] == '#')
            break;
        i--;
    }
    return i;
}

static size_t asserts_in(skep_str code)
{
    size_t n = 0;
    static const char *const names[] = {"skep_assert", "skep_dassert", "skep_unreachable"};
    for (size_t k = 0; k < SKEP_ARRAY_LEN(names); k++)
        n += tidy_find_word(code, skep_str_c(names[k]), 0) != SIZE_MAX;
    return n;
}

void tidy_check_functions(struct tidy *t, const struct tidy_file *file)
{
    struct tidy_count *count = file->area == TIDY_SRC ? count_of(t, file->module) : NULL;
    size_t open = SIZE_MAX;
    for (size_t i = 0; i < file->n_lines; i++) {
        skep_str code = file->lines[i].code;
        if (count != NULL && open != SIZE_MAX)
            count->n_asserts += asserts_in(code);
        if (code.n == 0 || (code.p[0] != '{' && code.p[0] != '}'))
            continue;
        if (code.p[0] == '{' && skep_str_trim(code).n == 1) {
            open = i;
            continue;
        }
        if (code.p[0] != '}' || skep_str_trim(code).n != 1 || open == SIZE_MAX)
            continue;
        size_t n = i - open + 1;
        size_t first = signature_start(file, open);
        if (n > TIDY_FUNCTION_LINES_MAX)
            tidy_error(t, file, first + 1, "long-function",
                       "function of %zu lines, use at most %d: split it by what it does", n,
                       TIDY_FUNCTION_LINES_MAX);
        if (count != NULL)
            count->n_functions++;
        open = SIZE_MAX;
    }
}

/* --- public headers -----------------------------------------------------------------------------
 */

/* One declaration at depth 0: its code text and the line indexes it spans. */
struct statement {
    skep_str text;
    size_t first, last;
    bool has_body; /* ended by a brace, not by a semicolon */
};

/* The name of the function that `text` declares; empty if it declares none. */
static skep_str declared_function(skep_str text)
{
    static const char *const others[] = {"typedef", "_Static_assert", "extern", "enum", "union"};
    for (size_t k = 0; k < SKEP_ARRAY_LEN(others); k++)
        if (skep_str_starts(text, skep_str_c(others[k])))
            return SKEP_STR_NULL;
    size_t paren = skep_str_chr(text, '(');
    while (paren != SIZE_MAX) {
        size_t end = paren;
        while (end > 0 && text.p[end - 1] == ' ')
            end--;
        size_t begin = end;
        while (begin > 0 && tidy_is_ident(text.p[begin - 1]))
            begin--;
        // Attribute macros are upper case; the function is the first name that is not.
        if (begin < end && text.p[begin] >= 'a' && text.p[begin] <= 'z' && begin > 0)
            return (skep_str){text.p + begin, end - begin};
        size_t next = skep_str_chr(skep_str_skip(text, paren + 1), '(');
        paren = next == SIZE_MAX ? SIZE_MAX : paren + 1 + next;
    }
    return SKEP_STR_NULL;
}

static bool returns_rc(skep_str text, skep_str name)
{
    size_t at = tidy_find_word(text, SKEP_STR("skep_rc"), 0);
    if (at == SIZE_MAX || text.p + at >= name.p)
        return false;
    for (const char *p = text.p + at; p < name.p; p++)
        if (*p == '*' || *p == '(')
            return false;
    return true;
}

/* True if line index `line` ends a comment or holds one behind its code. */
static bool has_comment(const struct tidy_file *file, size_t line)
{
    return skep_str_trim(file->lines[line].comment).n > 0;
}

/* True if `s` has a comment of its own, or stands right below what has one. */
static bool is_documented(const struct tidy_file *file, struct statement s, size_t documented_up_to)
{
    return (s.first > 0 && has_comment(file, s.first - 1)) || has_comment(file, s.last) ||
           has_comment(file, s.first) || documented_up_to == s.first ||
           (s.first > 0 && documented_up_to == s.first - 1);
}

static void check_declaration(struct tidy *t, const struct tidy_file *file, struct statement s,
                              bool documented)
{
    skep_str name = declared_function(s.text);
    if (name.n == 0)
        return;
    if (returns_rc(s.text, name) &&
        tidy_find_word(s.text, SKEP_STR("SKEP_NODISCARD"), 0) == SIZE_MAX)
        tidy_error(t, file, s.first + 1, "nodiscard",
                   SKEP_STRFMT " returns skep_rc, use SKEP_NODISCARD in front", SKEP_STRARG(name));
    bool internal = skep_str_find(name, SKEP_STR("__")) != SIZE_MAX;
    if (!documented && !internal && !s.has_body)
        tidy_error(t, file, s.first + 1, "docstring",
                   SKEP_STRFMT " has no docstring, use a comment right above: what, parameters, "
                               "Returns, Owns, Threads",
                   SKEP_STRARG(name));
}

/* True for a line of the preprocessor; follows continuation lines through `*continued`. */
static bool is_directive(skep_str code, bool *continued)
{
    skep_str trimmed = skep_str_trim(code);
    bool directive = *continued || (trimmed.n > 0 && trimmed.p[0] == '#');
    *continued = directive && trimmed.n > 0 && trimmed.p[trimmed.n - 1] == '\\';
    return directive;
}

/* Where the walk over a header stands. */
struct walk {
    struct skep_buf text; /* of the statement so far */
    struct statement s;
    size_t depth;            /* of braces */
    size_t documented_up_to; /* last line of the latest documented statement */
    bool body_documented;    /* the braces we are in belong to a documented statement */
};

static void end_statement(struct tidy *t, const struct tidy_file *file, struct walk *w)
{
    w->s.text = skep_buf_text(&w->text);
    bool documented = w->text.n > 0 && is_documented(file, w->s, w->documented_up_to);
    check_declaration(t, file, w->s, documented);
    w->body_documented = w->s.has_body && documented;
    if (documented)
        w->documented_up_to = w->s.last;
    skep_buf_reset(&w->text);
}

static void walk_char(struct tidy *t, const struct tidy_file *file, struct walk *w, size_t line,
                      char c)
{
    if (w->depth == 0 && (c == ';' || c == '{')) {
        w->s.last = line;
        w->s.has_body = c == '{';
        end_statement(t, file, w);
    } else if (w->depth == 0 && c != '}' && (c != ' ' || w->text.n > 0)) {
        if (w->text.n == 0)
            w->s.first = line;
        skep_buf_u8(&w->text, (uint8_t)c);
    }
    w->depth += c == '{';
    if (c == '}' && w->depth > 0 && --w->depth == 0 && w->body_documented)
        w->documented_up_to = line;
}

void tidy_check_header(struct tidy *t, const struct tidy_file *file)
{
    bool continued = false;
    struct walk w = {.documented_up_to = SIZE_MAX};
    skep_buf_init(&w.text, 1 << 20);
    for (size_t i = 0; i < file->n_lines; i++) {
        skep_str code = file->lines[i].code;
        if (is_directive(code, &continued))
            continue;
        for (size_t k = 0; k < code.n; k++)
            walk_char(t, file, &w, i, code.p[k]);
        if (w.text.n > 0)
            skep_buf_u8(&w.text, ' ');
    }
    skep_buf_done(&w.text);
}
