// SPDX-License-Identifier: Apache-2.0
/* Ruby, up to 3.3 and from 3.4 on:
 *
 *   /srv/app/cart.rb:10:in `total': no user (RuntimeError)
 *       from /srv/app/main.rb:20:in `block in <main>'
 *   /srv/app/cart.rb:10:in 'Cart#total'
 *
 * A method that is written in C has the place of its caller; from 3.4 on some are written in Ruby
 * instead and lie in "<internal:". */
#include "stack/stack_priv.h"

/* "no user (RuntimeError)" behind the innermost frame. */
static void head(skep_str text, struct skep_stack__line *ret)
{
    skep_str message, type;
    if (text.n < 2 || text.p[text.n - 1] != ')' ||
        !skep_stack__split_last(text, SKEP_STR(" ("), &message, &type))
        return;
    type.n--;
    if (skep_str_chr(type, ' ') != SIZE_MAX)
        return;
    ret->type = type;
    ret->message = message;
}

/* "Cart#total" "Cart.find" "block in Import#run": the class is the frame's module. */
static void cut_class(struct skep_frame *f)
{
    skep_str before = SKEP_STR_NULL, name = f->function, class, method;
    if (skep_stack__split_last(f->function, SKEP_STR(" in "), &before, &name))
        before.n += 4;
    bool upper = name.n > 0 && name.p[0] >= 'A' && name.p[0] <= 'Z';
    if (!upper || (!skep_stack__split_last(name, SKEP_STR("#"), &class, &method) &&
                   !skep_stack__split_last(name, SKEP_STR("."), &class, &method)))
        return;
    f->module = class;
    f->function = method;
}

static struct skep_stack__line read_line(skep_str line, bool after_frame)
{
    struct skep_stack__line ret = {.what = SKEP_STACK__NOTHING};
    skep_str text = skep_str_trim(line), place, rest, behind;
    uint32_t column;
    (void)after_frame;
    if (skep_str_starts(text, SKEP_STR("from ")))
        text = skep_str_skip(text, 5);
    if (!skep_stack__split(text, SKEP_STR(":in `"), &place, &rest) &&
        !skep_stack__split(text, SKEP_STR(":in '"), &place, &rest)) {
        if (line.n > 0 && line.p[0] != ' ' && line.p[0] != '\t')
            (void)skep_stack__head(line, &ret);
        return ret;
    }
    if (!skep_stack__position(&place, &ret.frame.line, &column) ||
        !skep_stack__split(rest, SKEP_STR("'"), &ret.frame.function, &behind))
        return ret;
    ret.frame.file = place;
    cut_class(&ret.frame);
    if (skep_str_starts(behind, SKEP_STR(": ")))
        head(skep_str_skip(behind, 2), &ret);
    ret.what = SKEP_STACK__FRAME;
    return ret;
}

const struct skep_stack__language skep_stack__ruby = {
    .name = SKEP_STR_INIT("ruby"),
    .hints = {SKEP_STR_INIT("ruby"), SKEP_STR_INIT("jruby")},
    .innermost_first = true,
    .read = read_line};
