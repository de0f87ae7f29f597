// SPDX-License-Identifier: Apache-2.0
/*
 * tree.c - walks the project and runs every rule
 *
 * Files are visited in the order of their names, so that two runs print the same. What concerns
 * more than one file is checked here:
 *
 *   - each .c below src/, tests/, tools/, waggle/, cruddur/ is named in the CMakeLists.txt (or, for
 * fuzz targets, in a *.cmake) of its folder or of one above it: a file that no build knows tests
 * nothing;
 *   - each CORPUS that tests/fuzz/<module>.cmake names is a folder with at least one file.
 *
 * Threads: one. Memory: every text stays in the run's arena.
 */
#include "tidy.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"

enum { PATH_BYTES_MAX = 4096 };

/* Folders whose content is not ours to judge. */
static const char *const skipped[] = {"node_modules", "corpus", "build", "golden", "fixtures"};

static bool read_text(struct tidy *t, const char *path, skep_str *ret_text)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    struct stat st;
    bool ok = fstat(fileno(file), &st) == 0;
    size_t size = ok ? (size_t)st.st_size : 0;
    char *text = skep_arena_alloc(t->arena, size + 1);
    ok = ok && fread(text, 1, size, file) == size;
    (void)fclose(file); // only read: nothing can be lost
    if (ok)
        *ret_text = (skep_str){text, size};
    return ok;
}

static skep_str join(struct tidy *t, skep_str folder, const char *name)
{
    return skep_arena_printf(t->arena, SKEP_STRFMT "/%s", SKEP_STRARG(folder), name);
}

/* --- is a file built? ----------------------------------------------------------------------------
 */

/* True if `text` names `path` as a whole word of CMake. */
static bool names(skep_str text, skep_str path)
{
    for (size_t from = 0; from < text.n;) {
        size_t at = skep_str_find(skep_str_skip(text, from), path);
        if (at == SIZE_MAX)
            return false;
        at += from;
        size_t end = at + path.n;
        bool left = at == 0 || (!tidy_is_ident(text.p[at - 1]) && text.p[at - 1] != '-');
        bool right = end == text.n || !tidy_is_ident(text.p[end]);
        if (left && right)
            return true;
        from = at + 1;
    }
    return false;
}

/* A file that may list sources. */
static int is_build_file(const struct dirent *e)
{
    skep_str name = skep_str_c(e->d_name);
    return skep_str_eq(name, SKEP_STR("CMakeLists.txt")) || skep_str_ends(name, SKEP_STR(".cmake"));
}

/* True if a build file of `folder` names `path` (given from that folder). */
static bool folder_names(struct tidy *t, const char *root, skep_str folder, skep_str path)
{
    const char *dir = skep_cstr(
        t->arena, skep_arena_printf(t->arena, "%s/" SKEP_STRFMT, root, SKEP_STRARG(folder)));
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, is_build_file, NULL);
    bool found = false;
    for (int i = 0; i < n; i++) {
        skep_str text = {0};
        const char *full = skep_cstr(t->arena, join(t, skep_str_c(dir), entries[i]->d_name));
        found = found || (read_text(t, full, &text) && names(text, path));
        free(entries[i]);
    }
    free(entries);
    return found;
}

static void check_is_built(struct tidy *t, const char *root, const struct tidy_file *file)
{
    for (size_t cut = file->path.n; cut > 0; cut--) {
        if (file->path.p[cut - 1] != '/')
            continue;
        if (folder_names(t, root, (skep_str){file->path.p, cut - 1},
                         skep_str_skip(file->path, cut)))
            return;
    }
    if (folder_names(t, root, SKEP_STR("cmake"), file->path))
        return;
    tidy_error(t, file, 1, "not-built",
               "no build file names it, use SOURCES in the CMakeLists.txt of its folder");
}

/* --- fuzz corpora --------------------------------------------------------------------------------
 */

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static bool folder_has_file(const char *path)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, is_visible, NULL);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    return n > 0;
}

/* Cuts the next word (blanks, newlines and parentheses part words) off `*text`; empty at its end.
 */
static skep_str next_word(skep_str *text)
{
    size_t i = 0;
    while (i < text->n && strchr(" \t\n()", text->p[i]) != NULL)
        i++;
    size_t end = i;
    while (end < text->n && strchr(" \t\n()", text->p[end]) == NULL)
        end++;
    skep_str word = {text->p + i, end - i};
    *text = skep_str_skip(*text, end);
    return word;
}

static void check_corpora(struct tidy *t, const char *root, skep_str path, skep_str text)
{
    struct tidy_file file = {.path = path};
    for (skep_str word = next_word(&text); word.n > 0; word = next_word(&text)) {
        if (!skep_str_eq(word, SKEP_STR("CORPUS")))
            continue;
        skep_str corpus = next_word(&text);
        skep_str folder =
            skep_arena_printf(t->arena, "%s/tests/fuzz/" SKEP_STRFMT, root, SKEP_STRARG(corpus));
        if (!folder_has_file(skep_cstr(t->arena, folder)))
            tidy_error(t, &file, 1, "corpus",
                       "corpus " SKEP_STRFMT " has no file, use at least one seed",
                       SKEP_STRARG(corpus));
    }
}

/* --- the walk ------------------------------------------------------------------------------------
 */

void tidy_check_file(struct tidy *t, const struct tidy_file *file)
{
    tidy_check_text(t, file);
    tidy_check_head(t, file);
    if (file->area != TIDY_TESTS)
        tidy_check_functions(t, file);
    tidy_check_banned(t, file);
    bool waggle = skep_str_starts(file->path, SKEP_STR("waggle/"));
    if (waggle)
        tidy_check_waggle_includes(t, file);
    if (skep_str_starts(file->path, SKEP_STR("cruddur/")))
        tidy_check_cruddur_includes(t, file);
    if (skep_str_starts(file->path, SKEP_STR("waggle/include/")))
        tidy_check_header(t, file);
    if (file->area != TIDY_SRC)
        return;
    tidy_check_includes(t, file);
    if (file->is_header && !skep_str_ends(file->path, SKEP_STR("_priv.h")))
        tidy_check_header(t, file);
}

static void visit_file(struct tidy *t, const char *root, skep_str path)
{
    bool c = skep_str_ends(path, SKEP_STR(".c")) || skep_str_ends(path, SKEP_STR(".h"));
    bool fuzz_list =
        skep_str_starts(path, SKEP_STR("tests/fuzz/")) && skep_str_ends(path, SKEP_STR(".cmake"));
    if (!c && !fuzz_list)
        return;
    skep_str text = {0};
    const char *full = skep_cstr(
        t->arena, skep_arena_printf(t->arena, "%s/" SKEP_STRFMT, root, SKEP_STRARG(path)));
    if (!read_text(t, full, &text)) {
        t->n_findings++;
        fprintf(t->out, SKEP_STRFMT ":1: error: cannot read it\n", SKEP_STRARG(path));
        return;
    }
    if (fuzz_list) {
        check_corpora(t, root, path, text);
        return;
    }
    struct tidy_file file;
    tidy_file_init(t, &file, path, text);
    t->n_files++;
    tidy_check_file(t, &file);
    bool support = skep_str_starts(path, SKEP_STR("tests/support/"));
    if (file.is_source && !support)
        check_is_built(t, root, &file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_skipped(const char *name)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(skipped); i++)
        if (strcmp(name, skipped[i]) == 0)
            return true;
    return name[0] == '.';
}

/* Visits what lies in `folder` (from the root); a folder that is not there holds nothing. */
static void visit_folder(struct tidy *t, const char *root, skep_str folder, unsigned depth)
{
    skep_assert(depth < 32);
    const char *full = skep_cstr(
        t->arena, skep_arena_printf(t->arena, "%s/" SKEP_STRFMT, root, SKEP_STRARG(folder)));
    struct dirent **entries = NULL;
    int n = scandir(full, &entries, NULL, by_name);
    for (int i = 0; i < n; i++) {
        skep_str path = join(t, folder, entries[i]->d_name);
        struct stat st;
        const char *child = skep_cstr(
            t->arena, skep_arena_printf(t->arena, "%s/" SKEP_STRFMT, root, SKEP_STRARG(path)));
        if (!is_skipped(entries[i]->d_name) && lstat(child, &st) == 0) {
            if (S_ISDIR(st.st_mode))
                visit_folder(t, root, path, depth + 1);
            else if (S_ISREG(st.st_mode))
                visit_file(t, root, path);
        }
        free(entries[i]);
    }
    free(entries);
}

bool tidy_check_tree(struct tidy *t, const char *root)
{
    skep_str text = {0};
    skep_str path = SKEP_STR("tools/layers.txt");
    const char *full =
        skep_cstr(t->arena, skep_arena_printf(t->arena, "%s/tools/layers.txt", root));
    if (!read_text(t, full, &text)) {
        fprintf(t->out, SKEP_STRFMT ":1: error: cannot read it, use --root FOLDER\n",
                SKEP_STRARG(path));
        return false;
    }
    if (!tidy_layers_parse(t, path, text))
        return false;
    visit_folder(t, root, SKEP_STR("src"), 0);
    visit_folder(t, root, SKEP_STR("tests"), 0);
    visit_folder(t, root, SKEP_STR("tools"), 0);
    visit_folder(t, root, SKEP_STR("waggle"), 0);
    visit_folder(t, root, SKEP_STR("cruddur"), 0);
    return true;
}
