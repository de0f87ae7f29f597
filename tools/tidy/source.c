// SPDX-License-Identifier: Apache-2.0
/*
 * source.c - a file as lines, with code told from comments and literals
 *
 * Rules must not trip over a banned name in a comment or a brace in a string. So each file is kept
 * three times with equal columns: raw; code, where comments and the contents of literals are
 * blanks; comment, where everything else is. One pass of a small state machine makes both:
 *
 *        "..."  '...'        back at the closing quote, a backslash skips one byte
 *   CODE -----> LITERAL
 *        slash star -> BLOCK   back at star slash
 *        slash slash -> LINE   back at the newline
 *
 * What it leaves out: trigraphs and line splices inside a // comment, which the house never writes.
 *
 * Threads: one. Memory: all copies live in the run's arena.
 */
#include "tidy.h"

#include <stdarg.h>
#include <string.h>

enum state { CODE, LITERAL, BLOCK_COMMENT, LINE_COMMENT };

static bool starts(skep_str s, size_t i, const char *two)
{
    return i + 1 < s.n && s.p[i] == two[0] && s.p[i + 1] == two[1];
}

/* Moves the state machine over text[i]; returns the state that text[i] itself belongs to. `*skip`
 * is how many further bytes belong to the same token. */
static enum state step(skep_str text, size_t i, enum state *state, char *quote, size_t *skip)
{
    char c = text.p[i];
    *skip = 0;
    switch (*state) {
    case CODE:
        if (starts(text, i, "/*") || starts(text, i, "//")) {
            *state = text.p[i + 1] == '*' ? BLOCK_COMMENT : LINE_COMMENT;
            *skip = 1;
            return *state;
        }
        if (c == '"' || c == '\'') {
            *state = LITERAL;
            *quote = c;
        }
        return CODE; // the quotes themselves stay visible
    case LITERAL:
        if (c == '\\' && i + 1 < text.n) {
            *skip = 1;
            return LITERAL;
        }
        if (c != *quote && c != '\n')
            return LITERAL;
        *state = CODE;
        return CODE;
    case BLOCK_COMMENT:
        if (starts(text, i, "*/")) {
            *state = CODE;
            *skip = 1;
        }
        return BLOCK_COMMENT;
    case LINE_COMMENT:
        if (c == '\n')
            *state = CODE;
        return LINE_COMMENT;
    }
    return CODE;
}

static void separate(skep_str text, char *code, char *comment)
{
    enum state state = CODE;
    char quote = 0;
    memset(code, ' ', text.n);
    memset(comment, ' ', text.n);
    for (size_t i = 0; i < text.n; i++) {
        size_t skip = 0;
        enum state owner = step(text, i, &state, &quote, &skip);
        for (size_t end = i + skip; i <= end; i++) {
            char c = text.p[i];
            if (c == '\n')
                code[i] = comment[i] = c;
            else if (owner == CODE)
                code[i] = c;
            else if (owner != LITERAL)
                comment[i] = c;
        }
        i--;
    }
}

static void classify(struct tidy_file *file)
{
    skep_str path = file->path;
    file->is_header = skep_str_ends(path, SKEP_STR(".h"));
    file->is_source = skep_str_ends(path, SKEP_STR(".c"));
    file->area = skep_str_starts(path, SKEP_STR("waggle/")) ? TIDY_WAGGLE : TIDY_TOOLS;
    if (skep_str_starts(path, SKEP_STR("tests/")) ||
        skep_str_find(path, SKEP_STR("/tests/")) != SIZE_MAX)
        file->area = TIDY_TESTS;
    if (skep_str_starts(path, SKEP_STR("src/"))) {
        file->area = TIDY_SRC;
        skep_str rest = skep_str_skip(path, 4);
        file->module = skep_str_cut(&rest, '/');
    }
}

void tidy_file_init(struct tidy *t, struct tidy_file *ret_file, skep_str path, skep_str text)
{
    struct tidy_file file = {.path = path};
    classify(&file);
    char *code = skep_arena_alloc(t->arena, text.n + 1);
    char *comment = skep_arena_alloc(t->arena, text.n + 1);
    separate(text, code, comment);
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    file.lines = skep_new_n(t->arena, struct tidy_line, n);
    for (size_t i = 0; i < text.n;) {
        const char *newline = memchr(text.p + i, '\n', text.n - i);
        size_t len = newline ? (size_t)(newline - (text.p + i)) : text.n - i;
        file.lines[file.n_lines++] = (struct tidy_line){
            .raw = {text.p + i, len},
            .code = {code + i, len},
            .comment = {comment + i, len},
        };
        i += len + 1;
    }
    *ret_file = file;
}

/* True if `comment` holds `tidy: allow RULE: reason`. */
static bool allows(skep_str comment, const char *rule)
{
    size_t at = skep_str_find(comment, SKEP_STR("tidy: allow "));
    if (at == SIZE_MAX)
        return false;
    skep_str rest = skep_str_skip(comment, at + strlen("tidy: allow "));
    skep_str name = skep_str_cut(&rest, ':');
    skep_str reason = skep_str_trim(rest);
    return skep_str_eq(name, skep_str_c(rule)) && reason.n > strlen("*/");
}

bool tidy_allowed(const struct tidy_file *file, size_t line, const char *rule)
{
    return (line >= 1 && line <= file->n_lines && allows(file->lines[line - 1].comment, rule)) ||
           (line >= 2 && line - 1 <= file->n_lines && allows(file->lines[line - 2].comment, rule));
}

void tidy_error(struct tidy *t, const struct tidy_file *file, size_t line, const char *rule,
                const char *fmt, ...)
{
    if (tidy_allowed(file, line, rule))
        return;
    t->n_findings++;
    fprintf(t->out, SKEP_STRFMT ":%zu: error: ", SKEP_STRARG(file->path), line);
    va_list args;
    va_start(args, fmt);
    vfprintf(t->out, fmt, args);
    va_end(args);
    fprintf(t->out, " [%s]\n", rule);
}

size_t tidy_find_word(skep_str s, skep_str word, size_t from)
{
    while (from <= s.n) {
        size_t at = skep_str_find(skep_str_skip(s, from), word);
        if (at == SIZE_MAX)
            return SIZE_MAX;
        at += from;
        size_t end = at + word.n;
        if ((at == 0 || !tidy_is_ident(s.p[at - 1])) && (end == s.n || !tidy_is_ident(s.p[end])))
            return at;
        from = at + 1;
    }
    return SIZE_MAX;
}
