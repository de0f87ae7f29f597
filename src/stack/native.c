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
 * The module of a frame is its binary; with offset and build id its debug file tells the rest
 * (docs/formats/native-stacks.md).  Addresses change with every start and are not kept; an
 * offset in a binary stands for a function without a name. */
#include "stack/stack_priv.h"

static skep_str cut_arguments(skep_str s)
{
    skep_str name, arguments;
    if (skep_stack__split(s, SKEP_STR(" ("), &name, &arguments))
        return name;
    return s;
}

bool skep_stack_offset(skep_str text, uint64_t *ret)
{
    uint64_t v = 0;
    if (skep_str_starts(text, SKEP_STR("0x")) || skep_str_starts(text, SKEP_STR("0X")))
        text = skep_str_skip(text, 2);
    if (text.n == 0 || text.n > 16)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit > 15)
            return false;
        v = v << 4 | digit;
    }
    *ret = v;
    return true;
}

/* Cut "(/srv/app+0x4f1) (BuildId: 6f0a)" off the end of *text; false when it does not stand there.
 * *ret_place: "0x4f1". */
static bool module_at_end(skep_str *text, struct skep_frame *ret, skep_str *ret_place)
{
    skep_str left = *text, before, inside, id = SKEP_STR_NULL, rest;
    if (skep_stack__split_last(left, SKEP_STR(" (BuildId: "), &before, &inside)) {
        (void)skep_stack__split(inside, SKEP_STR(")"), &id, &rest);
        left = before;
    }
    if (!skep_stack__split_last(left, SKEP_STR("("), &before, &inside) ||
        !skep_stack__split(inside, SKEP_STR(")"), &inside, &rest) ||
        !skep_stack__split_last(inside, SKEP_STR("+"), &ret->module, ret_place) ||
        ret->module.n == 0 || !skep_stack_offset(*ret_place, &ret->offset))
        return false;
    ret->has_offset = true;
    ret->build_id = id;
    *text = skep_str_trim(before);
    return true;
}

/* Behind "#N ": of gdb and of the sanitizers. */
static bool numbered(skep_str text, struct skep_frame *ret)
{
    skep_str before, rest, place;
    text = skep_str_trim(text);
    bool module = module_at_end(&text, ret, &place);
    if (skep_str_starts(text, SKEP_STR("0x"))) {
        if (module && skep_str_chr(text, ' ') == SIZE_MAX) {
            ret->function = place;
            return true;
        }
        if (!skep_stack__split(text, SKEP_STR(" "), &before, &rest))
            return false;
        rest = skep_str_trim(rest);
        if (!skep_str_starts(rest, SKEP_STR("in ")))
            return false;
        text = skep_str_skip(rest, 3);
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
    ret->function = module ? cut_arguments(text) : SKEP_STR_NULL;
    return module && ret->function.n > 0;
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
