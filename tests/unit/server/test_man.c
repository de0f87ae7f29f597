// SPDX-License-Identifier: Apache-2.0
/* The man page names every flag of `skep serve` (config.def) with its default, and every flag that
 * the terminal commands' tables hold. */
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

static struct {
    const char *flag, *value;
} const serve_flags[] = {
#define X(kind, member, flag, default, meta, help) {flag, default},
#include "server/config.def"
#undef X
};

static skep_str read_file(const char *path)
{
    char *text = skep_malloc(1 << 20);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(text, 1, 1 << 20, f);
    fclose(f);
    return (skep_str){text, n};
}

/* "--some-flag" as troff has it. */
static bool names_flag(skep_str man, skep_str flag)
{
    char text[80];
    size_t n = 4;
    memcpy(text, "\\-\\-", 4);
    for (size_t i = 0; i < flag.n; i++) {
        if (flag.p[i] == '-')
            text[n++] = '\\';
        text[n++] = flag.p[i];
    }
    /* A flag is followed by a blank, a quote or the end of the line, not by more of a name. */
    for (skep_str rest = man;;) {
        size_t at = skep_str_find(rest, (skep_str){text, n});
        if (at == SIZE_MAX)
            return false;
        char next = at + n < rest.n ? rest.p[at + n] : ' ';
        if (next == ' ' || next == '\n' || next == '"')
            return true;
        rest = skep_str_skip(rest, at + n);
    }
}

static void test_serve(void **state)
{
    skep_str man = read_file("docs/man/skep.1");
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(serve_flags); i++) {
        if (!names_flag(man, skep_str_c(serve_flags[i].flag)))
            fail_msg("docs/man/skep.1 does not name --%s", serve_flags[i].flag);
        if (skep_str_find(man, skep_str_c(serve_flags[i].value)) == SIZE_MAX)
            fail_msg("docs/man/skep.1 does not name the default of --%s: %s", serve_flags[i].flag,
                     serve_flags[i].value);
    }
    skep_free((char *)man.p);
}

/* Rows of the tables read `    {"name", ...`. */
/* False: the file has no table. */
static bool check_table(skep_str man, const char *path)
{
    skep_str source = read_file(path), rest = source;
    unsigned n = 0;
    while (rest.p) {
        skep_str line = skep_str_cut(&rest, '\n');
        if (!skep_str_starts(line, SKEP_STR("    {\"")))
            continue;
        skep_str name = skep_str_skip(line, 6);
        name = skep_str_cut(&name, '"');
        n++;
        if (!names_flag(man, name))
            fail_msg("docs/man/skep.1 does not name --" SKEP_STRFMT " of %s", SKEP_STRARG(name),
                     path);
    }
    skep_free((char *)source.p);
    return n > 0;
}

static void test_commands(void **state)
{
    skep_str man = read_file("docs/man/skep.1");
    (void)state;
    glob_t files;
    assert_int_equal(glob("src/server/cli_*.c", 0, NULL, &files), 0);
    unsigned n = 0;
    for (size_t i = 0; i < files.gl_pathc; i++)
        n += check_table(man, files.gl_pathv[i]);
    assert_true(n >= 5); /* query, trace, tail, send, verify ... */
    globfree(&files);
    assert_true(names_flag(man, SKEP_STR("server")));
    assert_false(names_flag(man, SKEP_STR("serv")));
    skep_free((char *)man.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serve),
        cmocka_unit_test(test_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
