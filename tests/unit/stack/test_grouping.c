// SPDX-License-Identifier: Apache-2.0
/* How well errors are grouped: labelled pairs (tests/grouping/README.md), counted.
 *
 *   together + labelled same    right        together + labelled other   wrong group
 *   apart    + labelled other   right        apart    + labelled same    one group too many
 *
 *   precision   of the pairs that were put together, how many belong together
 *   recall      of the pairs that belong together, how many were put together
 *
 * Which pairs are judged wrongly is printed; docs/grouping.md has the table of the last run.  The
 * floors are a little below it: a change of the fingerprints that makes them worse fails. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/fingerprint.h"

enum { PAIRS_MIN = 200, PRECISION_MIN_PCT = 96, RECALL_MIN_PCT = 89 };

static const char *const languages[] = {"python", "javascript", "java",   "go",       "ruby", "php",
                                        "dotnet", "rust",       "native", "messages", "held"};

struct score {
    unsigned same, other;   /* labels */
    unsigned found, merged; /* put together: of same, of other */
};

struct text {
    char *p;
    size_t n;
};

struct base {
    struct text text;
    char name[64], root[128];
    bool message;
};

static struct text read_file(const char *language)
{
    char path[128];
    struct text t = {malloc(1 << 18), 0};
    snprintf(path, sizeof path, "tests/grouping/%s.txt", language);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    t.n = fread(t.p, 1, (1 << 18) - 1, f);
    t.p[t.n] = 0;
    fclose(f);
    return t;
}

/* "\n" of two characters becomes a line's end. */
static skep_str unescaped(struct skep_arena *arena, skep_str s)
{
    char *out = skep_arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool end = s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == 'n';
        out[n++] = end ? '\n' : s.p[i];
        i += end;
    }
    return (skep_str){out, n};
}

static skep_str replaced(struct skep_arena *arena, skep_str text, skep_str from, skep_str to)
{
    struct skep_buf out;
    size_t at, times = 0;
    skep_buf_init(&out, 1 << 16);
    while ((at = skep_str_find(text, from)) != SIZE_MAX) {
        skep_buf_put(&out, text.p, at);
        skep_buf_str(&out, to);
        text = skep_str_skip(text, at + from.n);
        times++;
    }
    skep_buf_str(&out, text);
    if (times == 0)
        fail_msg("the base has no \"" SKEP_STRFMT "\"", SKEP_STRARG(from));
    skep_str ret = skep_arena_str(arena, skep_buf_text(&out));
    skep_buf_done(&out);
    return ret;
}

/* What a block makes of the base. */
static skep_str variant(struct skep_arena *arena, skep_str base, skep_str block)
{
    skep_str text = base, rest = block;
    bool edits = false;
    while (rest.p && rest.n) {
        skep_str line = skep_str_cut(&rest, '\n');
        size_t at = skep_str_find(line, SKEP_STR(" =>"));
        if (at == SIZE_MAX)
            continue;
        skep_str to = skep_str_skip(line, at + 3);
        if (to.n > 0)
            to = skep_str_skip(to, 1);
        text =
            replaced(arena, text, unescaped(arena, (skep_str){line.p, at}), unescaped(arena, to));
        edits = true;
    }
    return edits ? text : unescaped(arena, block);
}

static struct skep_fingerprint of(struct skep_arena *arena, skep_str text, bool message,
                                  skep_str root)
{
    struct skep_stack s;
    if (message)
        return skep_fingerprint_message(skep_str_trim(text));
    assert_true(skep_stack_parse(text, SKEP_STR_NULL, arena, &s));
    skep_stack_own(&s, root);
    return skep_fingerprint_exception(&s, NULL, NULL);
}

/* "NAME root=DIR" */
static skep_str root_of(skep_str head, skep_str otherwise)
{
    size_t at = skep_str_find(head, SKEP_STR(" root="));
    return at == SIZE_MAX ? otherwise : skep_str_skip(head, at + 6);
}

static void judge(struct skep_arena *arena, const char *language, skep_str head,
                  const struct base *b, skep_str block, struct score *s)
{
    bool same = skep_str_starts(head, SKEP_STR("same "));
    skep_str base = {b->text.p, b->text.n}, root = skep_str_c(b->root);
    skep_str text = variant(arena, base, block);
    assert_true(same || skep_str_starts(head, SKEP_STR("other ")));
    assert_false(skep_str_eq(text, base) && skep_str_eq(root_of(head, root), root));
    struct skep_fingerprint x = of(arena, base, b->message, root),
                            y = of(arena, text, b->message, root_of(head, root));
    bool together = memcmp(&x, &y, sizeof x) == 0;
    s->same += same;
    s->other += !same;
    s->found += same && together;
    s->merged += !same && together;
    if (same != together)
        printf("  %-10s %-13s %s: " SKEP_STRFMT "\n", language, b->name,
               same ? "kept apart" : "put together", SKEP_STRARG(head));
}

static void begin(struct base *b, skep_str head, skep_str block, bool message)
{
    skep_str name = head;
    (void)skep_str_cut(&name, ' ');
    name = skep_str_cut(&name, ' ');
    snprintf(b->name, sizeof b->name, SKEP_STRFMT, SKEP_STRARG(name));
    skep_str root = root_of(head, SKEP_STR(""));
    snprintf(b->root, sizeof b->root, SKEP_STRFMT, SKEP_STRARG(root));
    b->text = (struct text){(char *)block.p, block.n};
    b->message = message;
}

static struct score count(const char *language)
{
    struct text file = read_file(language);
    struct skep_arena arena;
    struct score s = {0};
    struct base b = {.message = false};
    skep_str rest = {file.p, file.n};
    skep_arena_init(&arena, "test", NULL);
    while (rest.p && rest.n) {
        skep_str head = skep_str_cut(&rest, '\n'), block = {rest.p, 0};
        size_t end =
            skep_str_starts(rest, SKEP_STR(".\n")) ? 0 : skep_str_find(rest, SKEP_STR("\n.\n"));
        assert_true(end != SIZE_MAX);
        block.n = end ? end + 1 : 0;
        rest = skep_str_skip(rest, end + (end ? 3 : 2));
        if (skep_str_starts(head, SKEP_STR("base ")) || skep_str_starts(head, SKEP_STR("message ")))
            begin(&b, head, block, skep_str_starts(head, SKEP_STR("message ")));
        else
            judge(&arena, language, head, &b, block, &s);
    }
    skep_arena_done(&arena);
    free(file.p);
    return s;
}

static double pct(unsigned part, unsigned all)
{
    return all ? 100.0 * part / all : 100.0;
}

static void say(const char *name, const struct score *s)
{
    printf("| %-10s | %5u | %4u | %5u | %5.1f | %5.1f |\n", name, s->same + s->other, s->same,
           s->other, pct(s->found, s->found + s->merged), pct(s->found, s->same));
}

static void test_pairs(void **state)
{
    struct score scores[SKEP_ARRAY_LEN(languages)], all = {0};
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(languages); i++) {
        struct score *s = &scores[i];
        *s = count(languages[i]);
        all.same += s->same;
        all.other += s->other;
        all.found += s->found;
        all.merged += s->merged;
    }
    printf("| language   | pairs | same | other | prec. | recall |\n");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(languages); i++)
        say(languages[i], &scores[i]);
    say("all", &all);
    assert_true(all.same + all.other >= PAIRS_MIN);
    assert_true(pct(all.found, all.found + all.merged) >= PRECISION_MIN_PCT);
    assert_true(pct(all.found, all.same) >= RECALL_MIN_PCT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
