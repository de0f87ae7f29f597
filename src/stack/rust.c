// SPDX-License-Identifier: Apache-2.0
/* Rust:
 *
 *   thread 'main' panicked at 'no user', src/main.rs:2:5        up to 1.72
 *   thread 'main' panicked at src/main.rs:2:5:                  later
 *   no user
 *   stack backtrace:
 *      0: std::panicking::begin_panic
 *                at /rustc/0a1b/library/std/src/panicking.rs:616:12
 *      1: shop::cart::total
 *                at ./src/cart.rs:2:5
 */
#include "stack/stack_priv.h"

static struct skep_stack__line read_line(skep_str line, bool after_frame)
{
    struct skep_stack__line ret = {.what = SKEP_STACK__NOTHING};
    skep_str text = skep_str_trim(line), number, rest, quoted;
    if (skep_str_starts(text, SKEP_STR("at ")) && after_frame) {
        text = skep_str_skip(text, 3);
        if (skep_stack__position(&text, &ret.frame.line, &ret.frame.column)) {
            ret.frame.file = text;
            ret.what = SKEP_STACK__FILE;
        }
        return ret;
    }
    if (skep_str_starts(line, SKEP_STR("thread '")) &&
        skep_stack__split(line, SKEP_STR("' panicked at "), &number, &rest)) {
        ret.what = SKEP_STACK__HEAD;
        ret.type = SKEP_STR("panic");
        if (skep_str_starts(rest, SKEP_STR("'")) &&
            skep_stack__split_last(skep_str_skip(rest, 1), SKEP_STR("', "), &quoted, &rest))
            ret.message = quoted;
        return ret;
    }
    if (skep_stack__split(text, SKEP_STR(": "), &number, &rest) && number.n <= 4 &&
        (skep_stack__number(number) > 0 || skep_str_eq(number, SKEP_STR("0")))) {
        skep_str address;
        rest = skep_str_trim(rest);
        if (skep_str_starts(rest, SKEP_STR("0x")) &&
            skep_stack__split(rest, SKEP_STR(" - "), &address, &rest)) {
        }
        ret.frame.function = skep_str_trim(rest);
        ret.what = SKEP_STACK__FUNCTION;
    }
    return ret;
}

const struct skep_stack__language skep_stack__rust = {.name = SKEP_STR_INIT("rust"),
                                                      .hints = {SKEP_STR_INIT("rust")},
                                                      .innermost_first = true,
                                                      .message_behind = true,
                                                      .read = read_line};
