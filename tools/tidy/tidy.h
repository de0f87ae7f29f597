// SPDX-License-Identifier: Apache-2.0
/* tidy: the house rules that a compiler does not know (docs/style.md), as a program. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#include <stdio.h>

enum {
    TIDY_LINE_COLUMNS_MAX = 100,
    TIDY_FUNCTION_LINES_MAX = 70,
    TIDY_FILE_LINES_MAX = 1000,
    TIDY_MODULES_MAX = 32,
    TIDY_EDGES_MAX = 32
};

/* One line of a file: the same columns three times. */
struct tidy_line {
    skep_str raw;     /* as it stands */
    skep_str code;    /* comments and the contents of literals blanked */
    skep_str comment; /* everything but comments blanked */
};

/* What part of the tree a file belongs to; decides which rules hold for it. */
enum tidy_area { TIDY_SRC, TIDY_WAGGLE, TIDY_TESTS, TIDY_TOOLS };

struct tidy_file {
    skep_str path; /* from the project's root, with slashes */
    enum tidy_area area;
    skep_str module; /* first folder below src/; empty outside src/ */
    bool is_header;  /* .h */
    bool is_source;  /* .c */
    struct tidy_line *lines;
    size_t n_lines;
};

struct tidy_layers {
    struct {
        skep_str module;
        uint64_t layer;
    } modules[TIDY_MODULES_MAX];
    size_t n_modules;
    struct {
        skep_str from, to;
    } edges[TIDY_EDGES_MAX];
    size_t n_edges;
};

/* Functions and assertions of one module, for the report. */
struct tidy_count {
    skep_str module;
    size_t n_functions, n_asserts;
};

struct tidy {
    struct skep_arena *arena; /* holds every file's text; lives as long as the run */
    struct tidy_layers layers;
    struct tidy_count counts[TIDY_MODULES_MAX];
    size_t n_counts;
    size_t n_files, n_findings;
    FILE *out; /* where findings go */
};

/* Split `text` into lines and tell code from comments and literals. The file borrows `path` and
 * `text`, its lines live in t->arena. */
void tidy_file_init(struct tidy *t, struct tidy_file *ret_file, skep_str path, skep_str text);

/* Print `path:line: error: text` and count it, unless the line or the one above carries the
 * exemption comment `tidy: allow RULE: reason`. `line` counts from 1. */
void tidy_error(struct tidy *t, const struct tidy_file *file, size_t line, const char *rule,
                const char *fmt, ...) SKEP_PRINTF(5, 6);

/* True if line `line` (from 1) or the one above exempts itself from `rule`, with a reason. */
bool tidy_allowed(const struct tidy_file *file, size_t line, const char *rule);

/* Read layers.txt: `LAYER module...` and `edge FROM TO` lines. False (and a finding) if malformed.
 */
bool tidy_layers_parse(struct tidy *t, skep_str path, skep_str text);

/* Every rule that looks at one file alone. */
void tidy_check_file(struct tidy *t, const struct tidy_file *file);

/* The groups of rules that tidy_check_file runs. */
void tidy_check_text(struct tidy *t, const struct tidy_file *file);
void tidy_check_head(struct tidy *t, const struct tidy_file *file);
void tidy_check_functions(struct tidy *t, const struct tidy_file *file);
void tidy_check_header(struct tidy *t, const struct tidy_file *file);
void tidy_check_banned(struct tidy *t, const struct tidy_file *file);
void tidy_check_includes(struct tidy *t, const struct tidy_file *file);

/* waggle/ is a library of its own: it includes itself and libc. */
void tidy_check_waggle_includes(struct tidy *t, const struct tidy_file *file);

/* cruddur/ is a program of its own: it includes itself and libraries, nothing of src/. */
void tidy_check_cruddur_includes(struct tidy *t, const struct tidy_file *file);

/* Walk src, tests, tools, waggle and cruddur below `root`, check each file and what the tree as a
 * whole must hold: each .c is built, each fuzz target has a corpus. False if the tree cannot be
 * read. */
bool tidy_check_tree(struct tidy *t, const char *root);

/* True for a byte that can be part of a C identifier. */
static inline bool tidy_is_ident(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Offset of `word` in `s` at or after `from` where it stands as a whole identifier, or SIZE_MAX. */
size_t tidy_find_word(skep_str s, skep_str word, size_t from);
