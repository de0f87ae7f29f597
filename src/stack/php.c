// SPDX-License-Identifier: Apache-2.0
/* PHP:
 *
 *   PHP Fatal error:  Uncaught Shop\Missing: no user in /srv/app/cart.php:12
 *   Stack trace:
 *   #0 /srv/app/main.php(30): Shop\Cart->total('x')
 *   #1 [internal function]: Shop\{closure}()
 *   #2 {main}
 *     thrown in /srv/app/cart.php on line 12
 *
 * The place in the first line is the innermost frame, without a function: a frame's place is where
 * its function was called. */
#include "stack/stack_priv.h"

static bool call(skep_str text, struct skep_frame *ret)
{
    skep_str place, rest, file, number, name, arguments;
    if (!skep_stack__split(text, SKEP_STR(": "), &place, &rest))
        return false;
    if (place.n > 0 && place.p[place.n - 1] == ')' &&
        skep_stack__split_last(place, SKEP_STR("("), &file, &number)) {
        number.n--;
        ret->line = skep_stack__number(number);
        ret->file = file;
        if (ret->line == 0)
            return false;
    } else if (!skep_str_eq(place, SKEP_STR("[internal function]"))) {
        return false;
    }
    ret->function = skep_stack__split(rest, SKEP_STR("("), &name, &arguments) ? name : rest;
    return true;
}

/* "no user in /srv/app/cart.php:12" of a head. */
static bool thrown_in(struct skep_stack__line *ret)
{
    skep_str message, place;
    uint32_t column;
    if (!skep_stack__split_last(ret->message, SKEP_STR(" in "), &message, &place) ||
        !skep_stack__position(&place, &ret->frame.line, &column) ||
        !skep_str_ends(place, SKEP_STR(".php")))
        return false;
    ret->message = message;
    ret->frame.file = place;
    return true;
}

static struct skep_stack__line read_line(skep_str line, bool after_frame)
{
    struct skep_stack__line ret = {.what = SKEP_STACK__NOTHING};
    skep_str text = skep_str_trim(line), number, rest;
    (void)after_frame;
    if (skep_str_starts(text, SKEP_STR("#"))) {
        if (skep_stack__split(skep_str_skip(text, 1), SKEP_STR(" "), &number, &rest) &&
            (skep_stack__number(number) > 0 || skep_str_eq(number, SKEP_STR("0"))) &&
            call(rest, &ret.frame))
            ret.what = SKEP_STACK__FRAME;
        return ret;
    }
    if (skep_str_starts(line, SKEP_STR("PHP ")))
        line = skep_str_skip(line, 4);
    if (skep_str_starts(line, SKEP_STR("Fatal error: ")))
        line = skep_str_trim(skep_str_skip(line, 13));
    if (skep_str_starts(line, SKEP_STR("Uncaught ")))
        line = skep_str_skip(line, 9);
    if (skep_str_starts(line, SKEP_STR("Next "))) {
        (void)skep_stack__head(skep_str_skip(line, 5), &ret);
        (void)thrown_in(&ret);
        ret.what = SKEP_STACK__CAUSE;
        return ret;
    }
    if (skep_stack__head(line, &ret) && thrown_in(&ret))
        ret.what = SKEP_STACK__FRAME;
    return ret;
}

const struct skep_stack__language skep_stack__php = {.name = SKEP_STR_INIT("php"),
                                                     .hints = {SKEP_STR_INIT("php")},
                                                     .innermost_first = true,
                                                     .causes_first = true,
                                                     .read = read_line};
