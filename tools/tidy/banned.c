// SPDX-License-Identifier: Apache-2.0
/*
 * banned.c - calls the house does not make, each with what to use instead
 *
 * One table. A row holds for the files of src/ except those of the modules in `but`, and for tools/
 * too where `everywhere` is set (what is unsafe wherever it stands). Names are matched as whole
 * identifiers in code, followed by an opening parenthesis where `call` is set, and never as a
 * member
 * (`os->open(...)` is not open(2)).
 *
 * Threads: one. Memory: none of its own.
 */
#include "tidy.h"

struct banned {
    const char *name;
    const char *instead;
    const char *but;  /* modules that may, separated by blanks */
    bool everywhere;  /* in tools/ and tests/ too */
    bool not_literal; /* fine if the first argument is a string literal */
};

static const char use_budgeted[] = "skep_malloc and friends (base/mem.h) or an arena";
static const char use_parse[] = "skep_str_u64, skep_str_i64 or skep_str_f64 (base/str.h)";
static const char use_cursor[] = "a cursor over a slice (base/str.h, base/bytes.h)";
static const char use_buf[] = "skep_buf_printf or skep_arena_printf";
static const char use_os[] = "struct skep_os (os/os.h), which a test can replace";
static const char use_clock[] = "the clock of struct skep_os";
static const char use_random[] = "the randomness of struct skep_os";
static const char use_time_r[] = "the _r variant or arithmetic on nanoseconds";

static const struct banned table[] = {
    {"malloc", use_budgeted, "base", false, false},
    {"calloc", use_budgeted, "base", false, false},
    {"realloc", use_budgeted, "base", false, false},
    {"free", "skep_free (base/mem.h)", "base", false, false},
    {"strdup", "skep_strndup or skep_arena_str", "base", false, false},
    {"strndup", "skep_strndup or skep_arena_str", "base", false, false},
    {"asprintf", use_buf, "", false, false},
    {"strlen", "a slice, or skep_str_c for a foreign C string", "base", false, true},
    {"strcpy", "skep_arena_str or memcpy with a checked length", "", true, false},
    {"stpcpy", "skep_arena_str or memcpy with a checked length", "", true, false},
    {"strncpy", "skep_arena_str or memcpy with a checked length", "", true, false},
    {"strcat", use_buf, "", true, false},
    {"strncat", use_buf, "", true, false},
    {"sprintf", use_buf, "", true, false},
    {"vsprintf", use_buf, "", true, false},
    {"gets", "fgets", "", true, false},
    {"strtok", "skep_str_cut", "", true, false},
    {"strtok_r", "skep_str_cut", "", false, false},
    {"atoi", use_parse, "", true, false},
    {"atol", use_parse, "", true, false},
    {"atoll", use_parse, "", true, false},
    {"atof", use_parse, "", true, false},
    {"strtol", use_parse, "base", false, false},
    {"strtoll", use_parse, "base", false, false},
    {"strtoul", use_parse, "base", false, false},
    {"strtoull", use_parse, "base", false, false},
    {"strtod", use_parse, "base", false, false},
    {"scanf", use_cursor, "", false, false},
    {"fscanf", use_cursor, "", false, false},
    {"sscanf", use_cursor, "", false, false},
    {"assert", "skep_assert (base/assert.h)", "", false, false},
    {"abort", "skep_assert or skep_unreachable (base/assert.h)", "base", false, false},
    {"alloca", "an arena", "", true, false},
    {"setlocale", "nothing: the server runs in the C locale", "", false, false},
    {"localtime", use_time_r, "", true, false},
    {"gmtime", use_time_r, "", true, false},
    {"ctime", use_time_r, "", true, false},
    {"asctime", use_time_r, "", true, false},
    {"strerror", "strerror_r, inside src/os", "", false, false},
    {"rand", use_random, "", false, false},
    {"srand", use_random, "", false, false},
    {"random", use_random, "", false, false},
    {"getrandom", use_random, "os", false, false},
    {"system", "an argument vector and posix_spawn, or nothing", "", false, false},
    {"popen", "an argument vector and posix_spawn, or nothing", "", false, false},
    {"tmpnam", "mkstemp", "", true, false},
    {"mktemp", "mkstemp", "", true, false},
    {"signal", "sigaction", "", false, false},
    {"fopen", use_os, "os net", false, false},
    {"open", use_os, "os", false, false},
    {"openat", use_os, "os", false, false},
    {"creat", use_os, "os", false, false},
    {"pread", use_os, "os", false, false},
    {"pwrite", use_os, "os", false, false},
    {"fsync", use_os, "os", false, false},
    {"fdatasync", use_os, "os", false, false},
    {"rename", use_os, "os", false, false},
    {"unlink", use_os, "os", false, false},
    {"mkdir", use_os, "os", false, false},
    {"opendir", use_os, "os net", false, false},
    {"mmap", use_os, "os", false, false},
    {"time", use_clock, "os", false, false},
    {"gettimeofday", use_clock, "os", false, false},
    {"clock_gettime", use_clock, "base os net", false, false},
    {"sleep", "a condition variable with a deadline", "os", false, false},
    {"usleep", "a condition variable with a deadline", "os", false, false},
};

static bool may(const struct banned *row, const struct tidy_file *file)
{
    if (file->area != TIDY_SRC)
        return !row->everywhere;
    return file->module.n > 0 && tidy_find_word(skep_str_c(row->but), file->module, 0) != SIZE_MAX;
}

/* True if `at`, where `name` stands in `code`, is a call of the function of that name. */
static bool is_call(skep_str code, size_t at, skep_str name)
{
    skep_str before = skep_str_trim((skep_str){code.p, at});
    if (before.n > 0) {
        char last = before.p[before.n - 1];
        if (last == '.' || last == '*' || skep_str_ends(before, SKEP_STR("->")))
            return false;
    }
    skep_str after = skep_str_trim(skep_str_skip(code, at + name.n));
    return after.n > 0 && after.p[0] == '(';
}

static bool first_argument_is_literal(skep_str code, size_t at)
{
    skep_str rest = skep_str_skip(code, at);
    (void)skep_str_cut(&rest, '('); // what stands in front is the name itself
    rest = skep_str_trim(rest);
    return rest.n > 0 && rest.p[0] == '"';
}

static void check_line(struct tidy *t, const struct tidy_file *file, size_t i)
{
    skep_str code = file->lines[i].code;
    for (size_t k = 0; k < SKEP_ARRAY_LEN(table); k++) {
        const struct banned *row = &table[k];
        skep_str name = skep_str_c(row->name);
        if (may(row, file))
            continue;
        for (size_t at = tidy_find_word(code, name, 0); at != SIZE_MAX;
             at = tidy_find_word(code, name, at + 1)) {
            if (!is_call(code, at, name))
                continue;
            if (row->not_literal && first_argument_is_literal(code, at))
                continue;
            tidy_error(t, file, i + 1, "banned", "%s, use %s", row->name, row->instead);
        }
    }
}

void tidy_check_banned(struct tidy *t, const struct tidy_file *file)
{
    for (size_t i = 0; i < file->n_lines; i++) {
        if (skep_str_trim(file->lines[i].code).n == 0)
            continue;
        check_line(t, file, i);
        skep_str code = file->lines[i].code;
        bool compiler_h = skep_str_eq(file->module, SKEP_STR("base"));
        if (file->area == TIDY_SRC && !compiler_h &&
            tidy_find_word(code, SKEP_STR("__attribute__"), 0) != SIZE_MAX)
            tidy_error(t, file, i + 1, "banned",
                       "raw attribute, use its name from base/compiler.h");
        if (file->area == TIDY_SRC && !compiler_h &&
            skep_str_find(code, SKEP_STR("__builtin_")) != SIZE_MAX)
            tidy_error(t, file, i + 1, "banned", "raw builtin, use its name from base/compiler.h");
    }
}
