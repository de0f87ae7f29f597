// SPDX-License-Identifier: Apache-2.0
/* Where the class alone says little, or the message is the language's own: the part of the message
 * that the code says, not the data.
 *
 *   a beginning that runtimes print themselves    "attempt to divide by zero", "send on closed
 *                                                 channel"
 *   an error number of the system's               "ENOENT: no such file ...", "connect
 * ECONNREFUSED" the name that was looked for in vain          "... has no attribute 'price'"
 *
 * Texts of others' programs are not looked at: they would part what belongs together.
 * Threads: any. */
#include "base/assert.h"
#include "stack/stack_priv.h"

static const skep_str beginnings[] = {
    /* Go */
    SKEP_STR_INIT("runtime error: index out of range"),
    SKEP_STR_INIT("runtime error: slice bounds out of range"),
    SKEP_STR_INIT("runtime error: invalid memory address"),
    SKEP_STR_INIT("runtime error: integer divide by zero"),
    SKEP_STR_INIT("runtime error: makeslice"),
    SKEP_STR_INIT("send on closed channel"),
    SKEP_STR_INIT("close of closed channel"),
    SKEP_STR_INIT("close of nil channel"),
    SKEP_STR_INIT("assignment to entry in nil map"),
    SKEP_STR_INIT("interface conversion"),
    /* Rust */
    SKEP_STR_INIT("called `Option::unwrap()` on a `None` value"),
    SKEP_STR_INIT("called `Result::unwrap()` on an `Err` value"),
    SKEP_STR_INIT("attempt to add with overflow"),
    SKEP_STR_INIT("attempt to subtract with overflow"),
    SKEP_STR_INIT("attempt to multiply with overflow"),
    SKEP_STR_INIT("attempt to divide by zero"),
    SKEP_STR_INIT("index out of bounds"),
    SKEP_STR_INIT("already borrowed"),
    SKEP_STR_INIT("already mutably borrowed"),
    SKEP_STR_INIT("internal error: entered unreachable code"),
    SKEP_STR_INIT("not implemented"),
    SKEP_STR_INIT("not yet implemented"),
    SKEP_STR_INIT("assertion "),
    SKEP_STR_INIT("explicit panic"),
};

/* What the language says before the name it looked for. */
static const skep_str looked_for[] = {
    SKEP_STR_INIT("has no attribute '"),   /* Python */
    SKEP_STR_INIT("No module named '"),    /* Python */
    SKEP_STR_INIT("cannot import name '"), /* Python */
    SKEP_STR_INIT("undefined method `"),   /* Ruby up to 3.3 */
    SKEP_STR_INIT("undefined method '"),   /* Ruby */
    SKEP_STR_INIT("undefined local variable or method `"),
    SKEP_STR_INIT("undefined local variable or method '"),
    SKEP_STR_INIT("uninitialized constant "), /* Ruby; no quotes */
};

static size_t name_length(skep_str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != '\'' && s.p[n] != '`' && s.p[n] != ' ' && s.p[n] != '\n')
        n++;
    return n;
}

/* "ENOENT" */
static bool error_number(skep_str word)
{
    if (word.n < 4 || word.n > 20 || word.p[0] != 'E')
        return false;
    for (size_t i = 0; i < word.n; i++) {
        if (!(word.p[i] >= 'A' && word.p[i] <= 'Z') && !(word.p[i] >= '0' && word.p[i] <= '9'))
            return false;
    }
    return true;
}

skep_str skep_stack__kind(skep_str message)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(beginnings); i++) {
        if (skep_str_starts(message, beginnings[i]))
            return beginnings[i];
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(looked_for); i++) {
        size_t at = skep_str_find(message, looked_for[i]);
        if (at == SIZE_MAX)
            continue;
        skep_str name = skep_str_skip(message, at + looked_for[i].n);
        return (skep_str){name.p, name_length(name)};
    }
    skep_str rest = message;
    for (int words = 0; words < 2 && rest.p; words++) { /* "connect ECONNREFUSED" */
        skep_str word = skep_str_cut(&rest, ' ');
        if (word.n > 0 && word.p[word.n - 1] == ':')
            word.n--;
        if (error_number(word))
            return word;
    }
    return SKEP_STR_NULL;
}
