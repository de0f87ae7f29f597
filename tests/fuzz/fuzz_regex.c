// SPDX-License-Identifier: Apache-2.0
/* Any text as a regular expression on any text: up to the first zero byte is the expression. */
#include <stdlib.h>

#include "wire/regex.h"

#define MUST(c)                                                                                    \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skep_arena a;
    struct skep_regex_issue issue = {0};
    const struct skep_regex *re;
    size_t spans[2 * (SKEP_LIMIT_REGEX_GROUPS + 1)];
    bool found;
    skep_str s = {(const char *)data, n};
    skep_str text = skep_str_cut(&s, '\0');
    skep_arena_init(&a, "fuzz", NULL);
    if (skep_regex_compile(text, n % 2 == 0, &a, &re, &issue) == SKEP_OK) {
        bool yes, slowly;
        skep_rc rc = skep_regex_test(re, s, &yes);
        skep_rc slow_rc = skep_regex_test_slowly(re, s, &slowly);
        MUST(rc != SKEP_OK || slow_rc != SKEP_OK || yes == slowly);
        bool known = rc == SKEP_OK;
        rc = skep_regex_find(re, s, 0, n % 3, spans, &found);
        MUST(rc == SKEP_ELIMIT || !known || !skep_utf8_valid(s) || yes == found);
        MUST(!found || rc != SKEP_OK || skep_str_find(s, skep_regex_literal(re)) != SIZE_MAX);
    } else {
        MUST(issue.at <= text.n && issue.text[0]);
    }
    skep_arena_done(&a);
    return 0;
}
