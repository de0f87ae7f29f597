// SPDX-License-Identifier: Apache-2.0
/* C and C++: gdb, the sanitizers, backtrace_symbols():
 *
 *   #1  0x00005555 in total (cart=0x0) at src/cart.c:12
 *   #2  0x00007fff in start_thread () from /lib/x86_64-linux-gnu/libc.so.6
 *   #0 0x4f1 in total /src/cart.c:12:5
 *   #3 0x4f1  (/srv/app+0x4f1) (BuildId: 6f)
 *   ==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010
 *   Program received signal SIGSEGV, Segmentation fault.
 *   ./app(total+0x12) [0x5581c0]
 *   /lib/x86_64-linux-gnu/libc.so.6(+0x29d8f) [0x7f0a]
 *
 * The module of a frame is its binary.  Addresses change with every start and are not kept; an
 * offset in a binary stands for a function without a name. */
#include "stack/stack_priv.h"

static skep_str cut_arguments(skep_str s)
{
    skep_str name, arguments;
    if (skep_stack__split(s, SKEP_STR(" ("), &name, &arguments))
        return name;
    return s;
}

/* Behind "#N ": of gdb and of the sanitizers. */
static bool numbered(skep_str text, struct skep_frame *ret)
{
    skep_str before, rest, behind;
    text = skep_str_trim(text);
    if (skep_str_starts(text, SKEP_STR("0x"))) {
        if (!skep_stack__split(text, SKEP_STR(" "), &before, &rest))
            return false;
        rest = skep_str_trim(rest);
        if (skep_str_starts(rest, SKEP_STR("in ")))
            rest = skep_str_skip(rest, 3);
        else if (!skep_str_starts(rest, SKEP_STR("(")))
            return false;
        text = rest;
    }
    if (skep_str_starts(text, SKEP_STR("(")) &&
        skep_stack__split(skep_str_skip(text, 1), SKEP_STR(")"), &rest, &behind)) {
        if (!skep_stack__split_last(rest, SKEP_STR("+"), &ret->module, &ret->function))
            return false;
        return true;
    }
    if (skep_stack__split_last(text, SKEP_STR(" at "), &before, &rest) &&
        skep_stack__position(&rest, &ret->line, &ret->column)) {
        ret->file = rest;
        ret->function = cut_arguments(before);
        return true;
    }
    if (skep_stack__split_last(text, SKEP_STR(" from "), &before, &rest)) {
        ret->module = rest;
        ret->function = cut_arguments(before);
        return true;
    }
    if (skep_stack__split_last(text, SKEP_STR(" "), &before, &rest) &&
        skep_stack__position(&rest, &ret->line, &ret->column)) {
        ret->file = rest;
        ret->function = before;
        return true;
    }
    return false;
}

/* "./app(total+0x12) [0x5581c0]" */
static bool symbols(skep_str text, struct skep_frame *ret)
{
    skep_str binary, rest, inside, address, offset;
    if (!skep_stack__split(text, SKEP_STR("("), &binary, &rest) ||
        !skep_stack__split(rest, SKEP_STR(") ["), &inside, &address) ||
        !skep_str_starts(address, SKEP_STR("0x")) || binary.n == 0 ||
        skep_str_chr(binary, ' ') != SIZE_MAX)
        return false;
    ret->module = binary;
    if (skep_stack__split_last(inside, SKEP_STR("+"), &ret->function, &offset) &&
        ret->function.n == 0)
        ret->function = offset;
    return true;
}

/* What went wrong, as a sanitizer or gdb says it. */
static void head(skep_str text, struct skep_stack__line *ret)
{
    skep_str before, what, rest;
    if (skep_stack__split(text, SKEP_STR("Sanitizer: "), &before, &what)) {
        if (!skep_stack__split(what, SKEP_STR(" on "), &ret->type, &rest) &&
            !skep_stack__split(what, SKEP_STR(" ("), &ret->type, &rest))
            ret->type = what;
        ret->message = what;
    } else if (skep_str_starts(text, SKEP_STR("Program ")) &&
               skep_stack__split(text, SKEP_STR(" signal "), &before, &what)) {
        ret->message = what;
        if (!skep_stack__split(what, SKEP_STR(","), &ret->type, &rest))
            ret->type = what;
    }
    if (ret->type.n > 0)
        ret->what = SKEP_STACK__HEAD;
}

static struct skep_stack__line read_line(skep_str line, bool after_frame)
{
    struct skep_stack__line ret = {.what = SKEP_STACK__NOTHING};
    skep_str text = skep_str_trim(line), number, rest;
    (void)after_frame;
    if (skep_str_starts(text, SKEP_STR("#")) &&
        skep_stack__split(skep_str_skip(text, 1), SKEP_STR(" "), &number, &rest)) {
        if ((skep_stack__number(number) > 0 || skep_str_eq(number, SKEP_STR("0"))) &&
            numbered(rest, &ret.frame))
            ret.what = SKEP_STACK__FRAME;
        return ret;
    }
    if (symbols(text, &ret.frame))
        ret.what = SKEP_STACK__FRAME;
    else
        head(text, &ret);
    return ret;
}

const struct skep_stack__language skep_stack__native = {
    .name = SKEP_STR_INIT("native"),
    .hints = {SKEP_STR_INIT("native"), SKEP_STR_INIT("c++"), SKEP_STR_INIT("cpp"),
              SKEP_STR_INIT("swift"), SKEP_STR_INIT("objective")},
    .innermost_first = true,
    .read = read_line};
