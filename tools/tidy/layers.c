// SPDX-License-Identifier: Apache-2.0
/*
 * layers.c - which module may include which
 *
 * tools/layers.txt names each module's layer and the few edges allowed between siblings:
 *
 *   2 wire net          # layer, modules
 *   edge net wire       # net may include wire although both are in layer 2
 *
 * A file of src/ includes its own module and lower layers, through public headers; a header named
 * *_priv.h belongs to its module alone (a sub-folder such as store/column is part of store).
 *
 * waggle/ is a library of its own and cruddur/ a program that uses it: both stand outside and
 * include nothing of src/.
 *
 * Threads: one. Memory: names point into the text of layers.txt.
 */
#include "tidy.h"

static bool layer_of(const struct tidy_layers *layers, skep_str module, uint64_t *ret_layer)
{
    for (size_t i = 0; i < layers->n_modules; i++) {
        if (skep_str_eq(layers->modules[i].module, module)) {
            *ret_layer = layers->modules[i].layer;
            return true;
        }
    }
    return false;
}

static bool has_edge(const struct tidy_layers *layers, skep_str from, skep_str to)
{
    for (size_t i = 0; i < layers->n_edges; i++)
        if (skep_str_eq(layers->edges[i].from, from) && skep_str_eq(layers->edges[i].to, to))
            return true;
    return false;
}

/* Reads one line that is neither empty nor a comment. */
static bool parse_line(struct tidy_layers *layers, skep_str line)
{
    skep_str first = skep_str_cut(&line, ' ');
    skep_str rest = skep_str_trim(line);
    if (skep_str_eq(first, SKEP_STR("edge"))) {
        skep_str from = skep_str_cut(&rest, ' ');
        skep_str to = skep_str_trim(rest);
        uint64_t layer = 0;
        if (layers->n_edges == TIDY_EDGES_MAX || !layer_of(layers, from, &layer) ||
            !layer_of(layers, to, &layer))
            return false;
        layers->edges[layers->n_edges].from = from;
        layers->edges[layers->n_edges++].to = to;
        return true;
    }
    uint64_t layer = 0;
    if (!skep_str_u64(first, &layer) || rest.n == 0)
        return false;
    while (rest.n > 0) {
        skep_str module = skep_str_cut(&rest, ' ');
        if (module.n == 0)
            continue;
        if (layers->n_modules == TIDY_MODULES_MAX)
            return false;
        layers->modules[layers->n_modules].module = module;
        layers->modules[layers->n_modules++].layer = layer;
    }
    return true;
}

bool tidy_layers_parse(struct tidy *t, skep_str path, skep_str text)
{
    size_t number = 0;
    while (text.n > 0) {
        number++;
        skep_str line = skep_str_cut(&text, '\n');
        line = skep_str_trim(skep_str_cut(&line, '#'));
        if (line.n == 0 || parse_line(&t->layers, line))
            continue;
        t->n_findings++;
        fprintf(t->out,
                SKEP_STRFMT ":%zu: error: not understood, use `LAYER module...` or "
                            "`edge FROM TO` with modules named above\n",
                SKEP_STRARG(path), number);
        return false;
    }
    return true;
}

/* The path between the quotes of an #include "..." line; empty for any other line. */
static skep_str included(const struct tidy_line *line)
{
    skep_str code = skep_str_trim(line->code);
    if (code.n == 0 || code.p[0] != '#' || tidy_find_word(code, SKEP_STR("include"), 0) == SIZE_MAX)
        return SKEP_STR_NULL;
    skep_str rest = line->raw;
    (void)skep_str_cut(&rest, '"'); // what stands in front is the directive
    size_t end = skep_str_chr(rest, '"');
    return end == SIZE_MAX ? SKEP_STR_NULL : (skep_str){rest.p, end};
}

static void check_edge(struct tidy *t, const struct tidy_file *file, size_t line, skep_str path)
{
    skep_str rest = path;
    skep_str module = skep_str_cut(&rest, '/');
    if (rest.p == NULL) {
        tidy_error(t, file, line, "layer", "\"" SKEP_STRFMT "\", use \"module/file.h\"",
                   SKEP_STRARG(path));
        return;
    }
    if (skep_str_eq(module, file->module))
        return;
    if (skep_str_find(rest, SKEP_STR("_priv.h")) != SIZE_MAX)
        tidy_error(t, file, line, "layer",
                   SKEP_STRFMT " is private to " SKEP_STRFMT ", use its public header",
                   SKEP_STRARG(path), SKEP_STRARG(module));
    uint64_t own = 0;
    uint64_t other = 0;
    if (!layer_of(&t->layers, file->module, &own) || !layer_of(&t->layers, module, &other)) {
        tidy_error(t, file, line, "layer",
                   "module " SKEP_STRFMT " or " SKEP_STRFMT
                   " is not in tools/layers.txt, use a listed one",
                   SKEP_STRARG(file->module), SKEP_STRARG(module));
        return;
    }
    if (other < own || has_edge(&t->layers, file->module, module))
        return;
    tidy_error(t, file, line, "layer",
               SKEP_STRFMT " (layer %llu) includes " SKEP_STRFMT
                           " (layer %llu), use only lower layers or move the shared part down",
               SKEP_STRARG(file->module), (unsigned long long)own, SKEP_STRARG(module),
               (unsigned long long)other);
}

void tidy_check_includes(struct tidy *t, const struct tidy_file *file)
{
    for (size_t i = 0; i < file->n_lines; i++) {
        skep_str path = included(&file->lines[i]);
        if (path.n > 0)
            check_edge(t, file, i + 1, path);
    }
}

/* Is the path a header of a module of src/? */
static bool is_of_module(const struct tidy *t, skep_str path)
{
    uint64_t layer = 0;
    skep_str module = skep_str_cut(&path, '/');
    return path.p != NULL && layer_of(&t->layers, module, &layer);
}

void tidy_check_cruddur_includes(struct tidy *t, const struct tidy_file *file)
{
    for (size_t i = 0; i < file->n_lines; i++) {
        skep_str path = included(&file->lines[i]);
        if (path.n > 0 && is_of_module(t, path))
            tidy_error(t, file, i + 1, "layer",
                       "cruddur includes \"" SKEP_STRFMT
                       "\", use only its own headers and libraries",
                       SKEP_STRARG(path));
    }
}

void tidy_check_waggle_includes(struct tidy *t, const struct tidy_file *file)
{
    for (size_t i = 0; i < file->n_lines; i++) {
        skep_str path = included(&file->lines[i]);
        bool foreign =
            skep_str_chr(path, '/') != SIZE_MAX && !skep_str_starts(path, SKEP_STR("waggle/"));
        if (foreign)
            tidy_error(t, file, i + 1, "layer",
                       "waggle includes \"" SKEP_STRFMT "\", use only its own headers and libc",
                       SKEP_STRARG(path));
    }
}
