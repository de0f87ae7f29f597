// SPDX-License-Identifier: Apache-2.0
/* .NET:
 *
 *   System.InvalidOperationException: no user
 *    ---> System.IO.IOException: closed
 *      at Shop.Store.Read(String name) in /src/Store.cs:line 9
 *      --- End of inner exception stack trace ---
 *      at Shop.Cart.Total() in C:\src\Cart.cs:line 12
 *
 * Frames of the inner exception are printed first, up to its end.  "--->" in the first line (.NET
 * Framework) is part of its message, and all frames are the outer exception's. */
#include "stack/stack_priv.h"

static bool frame(skep_str text, struct skep_frame *ret)
{
    skep_str name = text, place, call, arguments;
    if (skep_stack__split(text, SKEP_STR(") in "), &name, &place)) {
        skep_str number;
        if (skep_stack__split_last(place, SKEP_STR(":line "), &ret->file, &number))
            ret->line = skep_stack__number(number);
    } else if (text.n == 0 || text.p[text.n - 1] != ')') {
        return false;
    }
    if (!skep_stack__split(name, SKEP_STR("("), &call, &arguments))
        return false;
    if (skep_str_chr(call, ' ') != SIZE_MAX)
        return false;
    if (skep_stack__split(arguments, SKEP_STR(":"), &name, &place))
        return false; // "(file:1:2)" of JavaScript, "(Cart.java:12)" of Java
    return skep_stack__split_last(call, SKEP_STR("."), &ret->module, &ret->function) &&
           ret->module.n > 0;
}

static struct skep_stack__line read_line(skep_str line, bool after_frame)
{
    struct skep_stack__line ret = {.what = SKEP_STACK__NOTHING};
    skep_str text = skep_str_trim(line);
    (void)after_frame;
    if (skep_str_starts(text, SKEP_STR("at "))) {
        if (frame(skep_str_skip(text, 3), &ret.frame))
            ret.what = SKEP_STACK__FRAME;
        return ret;
    }
    if (skep_str_starts(text, SKEP_STR("---> "))) {
        (void)skep_stack__head(skep_str_skip(text, 5), &ret);
        ret.what = SKEP_STACK__CAUSE;
        return ret;
    }
    if (skep_str_starts(text, SKEP_STR("--- End of inner exception stack trace"))) {
        ret.what = SKEP_STACK__OUTER;
        return ret;
    }
    if (skep_str_starts(text, SKEP_STR("Unhandled exception. ")))
        text = skep_str_skip(text, 21);
    (void)skep_stack__head(text, &ret);
    return ret;
}

const struct skep_stack__language skep_stack__dotnet = {
    .name = SKEP_STR_INIT("dotnet"),
    .hints = {SKEP_STR_INIT("dotnet"), SKEP_STR_INIT("c#"), SKEP_STR_INIT("csharp"),
              SKEP_STR_INIT(".net")},
    .innermost_first = true,
    .read = read_line};
