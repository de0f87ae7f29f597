// SPDX-License-Identifier: Apache-2.0
/* Python:
 *
 *   Traceback (most recent call last):
 *     File "/srv/app.py", line 30, in err
 *       return 1/0
 *              ~^~
 *   ZeroDivisionError: division by zero
 *
 *   The above exception was the direct cause of the following exception:
 *   During handling of the above exception, another exception occurred:
 */
#include "stack/stack_priv.h"

static struct skep_stack__line read_line(skep_str line, bool after_frame)
{
    struct skep_stack__line ret = {.what = SKEP_STACK__NOTHING};
    skep_str text = skep_str_trim(line), file, rest, number;
    (void)after_frame;
    if (skep_str_starts(text, SKEP_STR("File \"")) &&
        skep_stack__split(skep_str_skip(text, 6), SKEP_STR("\", line "), &file, &rest)) {
        if (!skep_stack__split(rest, SKEP_STR(", in "), &number, &ret.frame.function))
            number = rest;
        ret.frame.file = file;
        ret.frame.line = skep_stack__number(number);
        ret.what = ret.frame.line > 0 ? SKEP_STACK__FRAME : SKEP_STACK__NOTHING;
        return ret;
    }
    if (skep_str_starts(line, SKEP_STR("The above exception was the direct cause")) ||
        skep_str_starts(line, SKEP_STR("During handling of the above exception"))) {
        ret.what = SKEP_STACK__CAUSE;
        return ret;
    }
    if (line.n > 0 && line.p[0] != ' ' && line.p[0] != '\t')
        (void)skep_stack__head(line, &ret);
    return ret;
}

const struct skep_stack__language skep_stack__python = {
    .name = SKEP_STR_INIT("python"),
    .hints = {SKEP_STR_INIT("python"), SKEP_STR_INIT("cpython"), SKEP_STR_INIT("pypy")},
    .causes_first = true,
    .head_behind = true,
    .read = read_line};
