// SPDX-License-Identifier: Apache-2.0
/*
 * test_tidy.c - each rule of tidy: a text that breaks it is named, one that keeps it is not
 *
 * Files are given as text, so that each test shows the offence itself; the last tests lay out small
 * trees in a temporary folder.
 *
 * Threads: one. Memory: an arena a test.
 */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tidy.h"

#define HEAD "// SPDX-License-Identifier: Apache-2.0\n/* What it is for. */\n"

static const char layers_text[] = "0 base\n1 os\n2 wire net # two of them\n3 event plan\n"
                                  "4 store\n\nedge net wire\nedge plan event\n";

struct bench {
    struct skep_arena arena;
    struct tidy t;
    char *out;
    size_t out_n;
};

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    skep_arena_init(&b->arena, "test", NULL);
    b->t.arena = &b->arena;
    b->t.out = open_memstream(&b->out, &b->out_n);
    assert_non_null(b->t.out);
    assert_true(tidy_layers_parse(&b->t, SKEP_STR("layers.txt"), skep_str_c(layers_text)));
}

static void bench_done(struct bench *b)
{
    fclose(b->t.out);
    free(b->out);
    skep_arena_done(&b->arena);
}

/* The findings for `text` at `path`, as the last word of each line: " rule:line rule:line". */
static const char *findings(const char *path, const char *text)
{
    static char result[2048];
    struct bench b;
    bench_init(&b);
    struct tidy_file file;
    tidy_file_init(&b.t, &file, skep_str_c(path), skep_str_c(text));
    tidy_check_file(&b.t, &file);
    fflush(b.t.out);
    result[0] = 0;
    skep_str out = {b.out, b.out_n};
    size_t n = 0;
    while (out.n > 0) {
        skep_str line = skep_str_cut(&out, '\n');
        (void)skep_str_cut(&line, ':');
        skep_str number = skep_str_cut(&line, ':');
        skep_str rule = line;
        for (size_t at = 0; at != SIZE_MAX; at = skep_str_chr(rule, '['))
            rule = skep_str_skip(rule, at + (at > 0));
        n += (size_t)snprintf(result + n, sizeof result - n, " %.*s:%.*s", (int)rule.n - 1, rule.p,
                              (int)number.n, number.p);
        assert_true(n < sizeof result);
    }
    bench_done(&b);
    return result;
}

static void assert_findings(const char *path, const char *text, const char *expected)
{
    assert_string_equal(findings(path, text), expected);
}

static void clean_file_has_no_finding(void **state)
{
    (void)state;
    assert_findings("src/wire/a.c",
                    HEAD "#include \"wire/a.h\"\n#include <stdio.h>\n#include \"base/str.h\"\n"
                         "static int f(void)\n{\n    return 1;\n}\n",
                    "");
}

static void text_rules(void **state)
{
    (void)state;
    char line[160];
    memset(line, 'x', sizeof line);
    char text[512];
    snprintf(text, sizeof text, HEAD "// %.97s\n// %.98s\n", line, line);
    assert_findings("src/wire/a.c", text, " long-line:4");
    assert_findings("src/wire/a.c", HEAD "int\ta;\n", " tab:3");
    assert_findings("src/wire/a.c", HEAD "int a; \n", " trailing-blank:3");
    assert_findings("src/wire/a.c", HEAD "// caf\xc3\xa9\n", " non-ascii:3");
    assert_findings("src/wire/a.c",
                    HEAD "// FIX"
                         "ME later\n",
                    " unfinished:3");
    assert_findings("src/wire/a.c",
                    HEAD "// TO"
                         "DO later\n",
                    " unfinished:3");
    assert_findings("tests/unit/a.c",
                    HEAD "// TO"
                         "DO later\n",
                    "");
}

static void file_length(void **state)
{
    (void)state;
    static char text[16384] = HEAD;
    size_t n = strlen(HEAD);
    for (int i = 2; i < 1000; i++)
        n += (size_t)sprintf(text + n, "int a%d;\n", i); // tidy: allow banned: bounded by the loop
    assert_findings("src/wire/a.c", text, "");
    memcpy(text + n, "int z;\n", 8);
    assert_findings("src/wire/a.c", text, " long-file:1");
}

static void head_rules(void **state)
{
    (void)state;
    assert_findings("src/wire/a.c", "/* Something. */\nint a;\n", " spdx:1");
    assert_findings("src/wire/a.c", "// SPDX-License-Identifier: Apache-2.0\n#include <stdio.h>\n",
                    " head-comment:2");
    assert_findings("tests/unit/a.c", "// SPDX-License-Identifier: Apache-2.0\nint a; // x\n", "");
}

static const char *function_of(size_t body_lines, const char *above)
{
    static char text[4096];
    size_t n = (size_t)snprintf(text, sizeof text,
                                HEAD "\n%sstatic void f(int a,\n        int b)\n{\n", above);
    for (size_t i = 0; i < body_lines; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "    a++;\n");
    snprintf(text + n, sizeof text - n, "}\n");
    return text;
}

static void function_length(void **state)
{
    (void)state;
    assert_findings("src/wire/a.c", function_of(68, ""), "");
    assert_findings("src/wire/a.c", function_of(69, ""), " long-function:4");
    assert_findings("src/wire/a.c",
                    function_of(69, "/* tidy: allow long-function: opcode switch */\n"), "");
    assert_findings("src/wire/a.c", function_of(69, "/* tidy: allow long-function: */\n"),
                    " long-function:5");
    assert_findings("src/wire/a.c", function_of(69, "/* tidy: allow long-line: wrong rule */\n"),
                    " long-function:5");
    assert_findings("tests/unit/a.c", function_of(69, ""), "");
}

static void header_rules(void **state)
{
    (void)state;
    const char *path = "src/wire/a.h";
    assert_findings(path, HEAD "#pragma once\n\nvoid skep_a(int a);\n", " docstring:5");
    assert_findings(path, HEAD "#pragma once\n\n/* Doc. */\nvoid skep_a(int a);\n", "");
    assert_findings(path, HEAD "#pragma once\n\nvoid skep_a(int a); /* Doc. */\n", "");
    assert_findings(path, HEAD "\n/* Doc. */\nvoid skep_a(int a);\nvoid skep_b(void);\n", "");
    assert_findings(path, HEAD "\n/* Doc. */\nvoid skep_a(int a);\n\nvoid skep_b(void);\n",
                    " docstring:7");
    assert_findings(path,
                    HEAD "\n/* Doc. */\nstruct skep_a {\n    int a;\n};\nvoid skep_b(void);\n", "");
    assert_findings(path, HEAD "\nstruct skep_a {\n    int a;\n};\nvoid skep_b(void);\n",
                    " docstring:7");
    assert_findings(path, HEAD "\nvoid skep_a__b(void);\n", "");
    assert_findings(path, HEAD "\ntypedef void skep_a_fn(void);\nstruct x;\nextern int y;\n", "");
    assert_findings(path, HEAD "\n#define F(x) \\\n    g(x);\n", "");
    assert_findings("src/wire/a_priv.h", HEAD "\nvoid skep_a(int a);\n", "");
}

static void nodiscard(void **state)
{
    (void)state;
    const char *path = "src/wire/a.h";
    assert_findings(path, HEAD "\n/* Doc. */\nskep_rc skep_a(int a,\n               int b);\n",
                    " nodiscard:5");
    assert_findings(path, HEAD "\n/* Doc. */\nSKEP_NODISCARD skep_rc skep_a(int a);\n", "");
    assert_findings(path, HEAD "\n/* Doc. */\nconst char *skep_a(skep_rc rc);\n", "");
    assert_findings(path,
                    HEAD "\n/* Doc. */\nSKEP_PRINTF(1, 2) skep_rc skep_a(const char *f, ...);\n",
                    " nodiscard:5");
}

static void banned_calls(void **state)
{
    (void)state;
    const char *path = "src/wire/a.c";
    assert_findings(path, HEAD "void *p = malloc(1);\n", " banned:3");
    assert_findings("src/base/mem.c", HEAD "void *p = malloc(1);\n", "");
    assert_findings(path, HEAD "// malloc(1)\nconst char *s = \"malloc(1)\";\n", "");
    assert_findings(path, HEAD "int skep_malloc(int);\nint x = my.free(1) + p->open(2);\n", "");
    assert_findings(path, HEAD "int f = open (\"x\", 0);\n", " banned:3");
    assert_findings("src/os/real.c", HEAD "int f = open(\"x\", 0);\n", "");
    assert_findings(path, HEAD "size_t n = strlen(s);\nsize_t m = strlen(\"abc\");\n", " banned:3");
    assert_findings(path, HEAD "int a = strcpy(b, c), d = atoi(e);\n", " banned:3 banned:3");
    assert_findings("tests/unit/a.c", HEAD "int a = strcpy(b, c); int *p = malloc(1);\n",
                    " banned:3");
    assert_findings(path, HEAD "free(p); // tidy: allow banned: yyjson's own block\n", "");
    assert_findings(path, HEAD "// tidy: allow banned: yyjson's own block\nfree(p);\n", "");
    assert_findings(path, HEAD "int a __attribute__((unused));\n", " banned:3");
    assert_findings(path, HEAD "int a = __builtin_clz(3);\n", " banned:3");
    assert_findings(path, HEAD "char c = '\"'; free(p); char d = '\"';\n", " banned:3");
    assert_findings(path, HEAD "const char *s = \"\\\\\"; free(p);\n", " banned:3");
}

static void layer_edges(void **state)
{
    (void)state;
    assert_findings("src/store/column/a.c",
                    HEAD "#include \"store/column/a_priv.h\"\n#include \"plan/plan.h\"\n", "");
    assert_findings("src/wire/a.c", HEAD "#include \"event/event.h\"\n", " layer:3");
    assert_findings("src/net/a.c", HEAD "#include \"wire/pb.h\"\n", "");
    assert_findings("src/wire/a.c", HEAD "#include \"net/net.h\"\n", " layer:3");
    assert_findings("src/event/a.c", HEAD "#include \"plan/plan.h\"\n", " layer:3");
    assert_findings("src/store/a.c", HEAD "#include \"event/batch_priv.h\"\n", " layer:3");
    assert_findings("src/store/a.c", HEAD "#include \"a.h\"\n", " layer:3");
    assert_findings("src/store/a.c", HEAD "#include \"unknown/a.h\"\n", " layer:3");
    assert_findings("waggle/src/a.c", HEAD "#include \"base/buf.h\"\n", " layer:3");
    assert_findings("waggle/tests/a.c", HEAD "#include \"base/buf.h\"\n", " layer:3");
    assert_findings("cruddur/src/a.c", HEAD "#include \"base/buf.h\"\n", " layer:3");
    assert_findings("cruddur/src/a.c", HEAD "#include \"views/views.h\"\n#include \"b.h\"\n", "");
    assert_findings("waggle/src/a.c", HEAD "#include \"waggle/api.h\"\n#include \"b.h\"\n", "");
    assert_findings("waggle/include/waggle/a.h", HEAD "#include <a.h>\n\nint f(void);\n",
                    " docstring:5");
    assert_findings("src/store/a.c", HEAD "// #include \"a.h\"\n#include <a.h>\n", "");
}

static void layers_file_must_be_well_formed(void **state)
{
    (void)state;
    static const char *const bad[] = {"x base\n", "0\n", "0 base\nedge base\n",
                                      "0 base\nedge base gone\n"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++) {
        struct bench b;
        bench_init(&b);
        b.t.layers = (struct tidy_layers){0};
        assert_false(tidy_layers_parse(&b.t, SKEP_STR("layers.txt"), skep_str_c(bad[i])));
        assert_int_equal(b.t.n_findings, 1);
        bench_done(&b);
    }
}

/* --- trees ---------------------------------------------------------------------------------------
 */

static void put_file(const char *root, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *p = full + strlen(root) + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        mkdir(full, 0700);
        *p = '/';
    }
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void tree_rules(void **state)
{
    (void)state;
    char root[] = "/tmp/skep-tidy-XXXXXX";
    assert_non_null(mkdtemp(root));
    put_file(root, "tools/layers.txt", layers_text);
    put_file(root, "src/wire/CMakeLists.txt", "skep_module(wire SOURCES pb.c sub/in.c)\n");
    put_file(root, "src/wire/pb.c", HEAD);
    put_file(root, "src/wire/sub/in.c", HEAD);
    put_file(root, "src/wire/b.c", HEAD); // ends like pb.c, but is named nowhere
    put_file(root, "src/wire/node_modules/x.c", "not ours");
    put_file(root, "tests/fuzz/wire.cmake",
             "skep_fuzz(fuzz_a SOURCES fuzz_a.c CORPUS corpus/a)\n"
             "skep_fuzz(fuzz_b SOURCES fuzz_b.c\n  CORPUS corpus/b)\n");
    put_file(root, "tests/fuzz/fuzz_a.c", HEAD);
    put_file(root, "tests/fuzz/fuzz_b.c", HEAD);
    put_file(root, "tests/fuzz/corpus/a/seed", "x");
    struct bench b;
    bench_init(&b);
    b.t.layers = (struct tidy_layers){0};
    assert_true(tidy_check_tree(&b.t, root));
    fflush(b.t.out);
    assert_int_equal(b.t.n_files, 5);
    assert_string_equal(b.out,
                        "src/wire/b.c:1: error: no build file names it, use SOURCES in the "
                        "CMakeLists.txt of its folder [not-built]\n"
                        "tests/fuzz/wire.cmake:1: error: corpus corpus/b has no file, use at least "
                        "one seed [corpus]\n");
    bench_done(&b);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0);
}

static void tree_without_layers_cannot_be_checked(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    assert_false(tidy_check_tree(&b.t, "/nonexistent"));
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_file_has_no_finding),
        cmocka_unit_test(text_rules),
        cmocka_unit_test(file_length),
        cmocka_unit_test(head_rules),
        cmocka_unit_test(function_length),
        cmocka_unit_test(header_rules),
        cmocka_unit_test(nodiscard),
        cmocka_unit_test(banned_calls),
        cmocka_unit_test(layer_edges),
        cmocka_unit_test(layers_file_must_be_well_formed),
        cmocka_unit_test(tree_rules),
        cmocka_unit_test(tree_without_layers_cannot_be_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
