// SPDX-License-Identifier: Apache-2.0
/* Tables of debug files: written, read back, damaged; one of this program itself. */
#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "symbols/debugfile.h"
#include "symbols/table.h"

static const uint32_t none = UINT32_MAX;

static void write_small(struct skep_buf *out)
{
    static const uint8_t id[3] = {0x6f, 0x0a, 0xd1};
    const skep_str files[] = {SKEP_STR("/src/a.c"), SKEP_STR("/src/b.h")};
    const struct skep_symtab_node nodes[] = {
        {.name = SKEP_STR("total"), .parent = none, .call_file = none},
        {.name = SKEP_STR("inlined"), .parent = 0, .call_file = 0, .call_line = 12}};
    const struct skep_symtab_range ranges[] = {{16, 0}, {24, 1}, {32, 0}, {48, none}};
    const struct skep_symtab_row lines[] = {{16, 0, 10}, {24, 1, 3}, {32, 0, 13}, {48, none, 0}};
    const struct skep_symtab_parts parts = {.build_id = {id, sizeof id},
                                            .files = files,
                                            .nodes = nodes,
                                            .ranges = ranges,
                                            .lines = lines,
                                            .n_files = 2,
                                            .n_nodes = 2,
                                            .n_ranges = 4,
                                            .n_lines = 4};
    skep_symtab_write(&parts, out);
    assert_false(out->bad);
}

static void at(const struct skep_symtab *t, uint64_t address, const char *want)
{
    struct skep_symtab_place p[SKEP_SYMTAB_INLINE_MAX];
    char got[256] = "";
    uint32_t n = skep_symtab_find(t, address, p);
    for (uint32_t i = 0; i < n; i++) {
        size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s" SKEP_STRFMT " " SKEP_STRFMT ":%u",
                 i ? " < " : "", SKEP_STRARG(p[i].function), SKEP_STRARG(p[i].file), p[i].line);
    }
    assert_string_equal(got, want);
}

static void test_table(void **state)
{
    (void)state;
    struct skep_buf b;
    struct skep_symtab t;
    skep_buf_init(&b, 1 << 16);
    write_small(&b);
    assert_int_equal(skep_symtab_open(skep_buf_bytes(&b), &t, NULL), SKEP_OK);
    assert_int_equal(t.build_id.n, 3);
    at(&t, 15, "");
    at(&t, 16, "total /src/a.c:10");
    at(&t, 31, "inlined /src/b.h:3 < total /src/a.c:12");
    at(&t, 32, "total /src/a.c:13");
    at(&t, 48, "");
    at(&t, UINT64_MAX, "");
    skep_buf_done(&b);
}

/* Whatever byte is wrong: refused, or read without leaving the table. */
static void test_damaged(void **state)
{
    (void)state;
    struct skep_buf b;
    struct skep_symtab t;
    struct skep_symtab_place p[SKEP_SYMTAB_INLINE_MAX];
    unsigned refused = 0;
    skep_buf_init(&b, 1 << 16);
    write_small(&b);
    for (size_t i = 0; i < b.n; i++) {
        const skep_bytes cut = {b.p, i};
        assert_int_equal(skep_symtab_open(cut, &t, NULL), SKEP_EMALFORMED);
        b.p[i] ^= 0xff;
        if (skep_symtab_open(skep_buf_bytes(&b), &t, NULL) == SKEP_OK) {
            for (uint64_t a = 0; a < 64; a++)
                (void)skep_symtab_find(&t, a, p);
        } else {
            refused++;
        }
        b.p[i] ^= 0xff;
    }
    assert_true(refused > b.n / 2);
    skep_buf_done(&b);
}

SKEP_NOINLINE static void here(Dl_info *ret)
{
    assert_int_not_equal(dladdr(__builtin_return_address(0), ret), 0);
    ret->dli_saddr = __builtin_return_address(0);
}

static void test_this_program(void **state)
{
    (void)state;
    const struct skep_os *os = skep_os_real();
    struct skep_os_stat st;
    struct skep_buf b;
    struct skep_symtab t;
    struct skep_symtab_place p[SKEP_SYMTAB_INLINE_MAX];
    Dl_info info;
    int fd;
    here(&info);
    const uint32_t line = __LINE__ - 1;
    assert_int_equal(os->open(os, "/proc/self/exe", SKEP_OPEN_READ, &fd, NULL), SKEP_OK);
    assert_int_equal(os->fstat(os, fd, &st, NULL), SKEP_OK);
    uint8_t *elf = skep_malloc(st.size_bytes);
    assert_int_equal(os->pread(os, fd, elf, st.size_bytes, 0, NULL), SKEP_OK);
    os->close(os, fd);
    skep_buf_init(&b, skep_symtab_bytes_max);
    skep_err err = {.text = ""};
    if (skep_debugfile_table(elf, st.size_bytes, &b, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(skep_symtab_open(skep_buf_bytes(&b), &t, NULL), SKEP_OK);
    uint64_t offset = (uint64_t)((char *)info.dli_saddr - (char *)info.dli_fbase) - 1;
    uint32_t n = skep_symtab_find(&t, offset, p);
    assert_true(n >= 1);
    assert_true(skep_str_eq(p[0].function, SKEP_STR("test_this_program")));
    assert_true(skep_str_ends(p[0].file, SKEP_STR("test_symtab.c")));
    assert_int_equal(p[0].line, line);
    skep_buf_reset(&b);
    assert_int_equal(skep_debugfile_table(elf, 3, &b, &err), SKEP_EMALFORMED);
    skep_buf_done(&b);
    skep_free(elf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_this_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
