// SPDX-License-Identifier: Apache-2.0
/* Go: panics, debug.Stack(), and what errors with stacks print:
 *
 *   panic: runtime error: index out of range [5] with length 3
 *
 *   goroutine 1 [running]:
 *   main.(*Cart).Total(0xc0000b2000, ...)
 *       /srv/app/cart.go:12 +0x1d
 *   created by main.serve in goroutine 1
 *       /srv/app/main.go:40 +0x55
 *
 * Only the first goroutine counts. */
#include "stack/stack_priv.h"

/* "main.(*Cart).Total(0xc0, ...)" or "main.serve": arguments are cut. */
static bool function(skep_str text, struct skep_frame *ret)
{
    skep_str before, behind;
    if (skep_str_starts(text, SKEP_STR("created by "))) {
        text = skep_str_skip(text, 11);
        if (skep_stack__split(text, SKEP_STR(" in goroutine"), &before, &behind))
            text = before;
    }
    if (text.n > 0 && text.p[text.n - 1] == ')') {
        size_t open = text.n;
        while (open > 0 && text.p[open - 1] != '(')
            open--;
        if (open < 2)
            return false;
        text.n = open - 1;
    }
    if (text.n == 0 || skep_str_chr(text, ' ') != SIZE_MAX || skep_str_chr(text, '.') == SIZE_MAX ||
        skep_str_chr(text, ':') != SIZE_MAX)
        return false;
    ret->function = text;
    size_t slash = text.n;
    while (slash > 0 && text.p[slash - 1] != '/')
        slash--;
    skep_str last = skep_str_skip(text, slash);
    size_t dot = skep_str_chr(last, '.');
    if (dot == SIZE_MAX || dot == 0)
        return false;
    ret->module = (skep_str){text.p, slash + dot};
    return true;
}

static struct skep_stack__line read_line(skep_str line, bool after_frame)
{
    struct skep_stack__line ret = {.what = SKEP_STACK__NOTHING};
    skep_str text = skep_str_trim(line), before, behind;
    uint32_t column;
    if (line.n > 0 && (line.p[0] == '\t' || line.p[0] == ' ') && after_frame) {
        if (skep_stack__split_last(text, SKEP_STR(" +0x"), &before, &behind))
            text = before;
        if (skep_stack__position(&text, &ret.frame.line, &column) &&
            skep_str_ends(text, SKEP_STR(".go"))) {
            ret.frame.file = text;
            ret.what = SKEP_STACK__FILE;
        }
        return ret;
    }
    if (skep_str_starts(line, SKEP_STR("panic: "))) {
        ret.what = SKEP_STACK__HEAD;
        ret.type = SKEP_STR("panic");
        ret.message = skep_str_trim(skep_str_skip(line, 7));
        return ret;
    }
    if (skep_str_starts(line, SKEP_STR("goroutine ")) && skep_str_ends(line, SKEP_STR("]:"))) {
        ret.what = SKEP_STACK__END; // of the first goroutine, when it has frames
        return ret;
    }
    if (line.n > 0 && line.p[0] != ' ' && line.p[0] != '\t' && function(line, &ret.frame))
        ret.what = SKEP_STACK__FUNCTION;
    return ret;
}

const struct skep_stack__language skep_stack__go = {.name = SKEP_STR_INIT("go"),
                                                    .hints = {SKEP_STR_INIT("go")},
                                                    .innermost_first = true,
                                                    .read = read_line};
