// SPDX-License-Identifier: Apache-2.0
/*
 * rules_text.c - rules about lines and about how a file begins
 *
 * Line length, tabs, blanks at the end, bytes beyond ASCII, words of unfinished work, file length;
 * the SPDX line and the head comment.
 *
 * Threads: one. Memory: none of its own.
 */
#include "tidy.h"

/* Marks of unfinished work. Split, so that this file does not hold them itself. */
static const char *const unfinished[] = {"FIX"
                                         "ME",
                                         "X"
                                         "XX",
                                         "HA"
                                         "CK"};

static size_t columns_of(skep_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80; // a UTF-8 sequence is one column
    return n;
}

static bool has_non_ascii(skep_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return true;
    return false;
}

static void check_line(struct tidy *t, const struct tidy_file *file, size_t i)
{
    skep_str raw = file->lines[i].raw;
    size_t columns = columns_of(raw);
    if (columns > TIDY_LINE_COLUMNS_MAX)
        tidy_error(t, file, i + 1, "long-line", "%zu columns, use at most %d", columns,
                   TIDY_LINE_COLUMNS_MAX);
    if (skep_str_chr(raw, '\t') != SIZE_MAX)
        tidy_error(t, file, i + 1, "tab", "tab, use blanks");
    if (raw.n > 0 && (raw.p[raw.n - 1] == ' ' || raw.p[raw.n - 1] == '\r'))
        tidy_error(t, file, i + 1, "trailing-blank", "blank at the end of the line, remove it");
    if (has_non_ascii(raw))
        tidy_error(t, file, i + 1, "non-ascii", "byte beyond ASCII, use an escape or plain words");
    for (size_t k = 0; k < SKEP_ARRAY_LEN(unfinished); k++)
        if (tidy_find_word(raw, skep_str_c(unfinished[k]), 0) != SIZE_MAX)
            tidy_error(t, file, i + 1, "unfinished", "%s, finish it or file an issue",
                       unfinished[k]);
    if (file->area == TIDY_SRC && tidy_find_word(raw,
                                                 SKEP_STR("TO"
                                                          "DO"),
                                                 0) != SIZE_MAX)
        tidy_error(t, file, i + 1, "unfinished",
                   "TO"
                   "DO in product code, finish it or file an issue");
}

void tidy_check_text(struct tidy *t, const struct tidy_file *file)
{
    for (size_t i = 0; i < file->n_lines; i++)
        check_line(t, file, i);
    if (file->n_lines > TIDY_FILE_LINES_MAX)
        tidy_error(t, file, 1, "long-file", "%zu lines, use at most %d: split by concept",
                   file->n_lines, TIDY_FILE_LINES_MAX);
}

void tidy_check_head(struct tidy *t, const struct tidy_file *file)
{
    skep_str spdx = SKEP_STR("// SPDX-License-Identifier: Apache-2.0");
    if (file->n_lines == 0 || !skep_str_eq(file->lines[0].raw, spdx)) {
        tidy_error(t, file, 1, "spdx", "no licence line, use \"" SKEP_STRFMT "\" as the first line",
                   SKEP_STRARG(spdx));
        return;
    }
    for (size_t i = 1; i < file->n_lines; i++) {
        if (skep_str_trim(file->lines[i].comment).n > 0)
            return;
        if (skep_str_trim(file->lines[i].code).n > 0)
            break;
    }
    tidy_error(t, file, 2, "head-comment",
               "no head comment, use one below the licence line: what the file is for, its idea, "
               "threads, memory");
}
