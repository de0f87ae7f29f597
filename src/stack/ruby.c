// SPDX-License-Identifier: Apache-2.0
/* Ruby, up to 3.3 and from 3.4 on:
 *
 *   /srv/app/cart.rb:10:in `total': no user (RuntimeError)
 *       from /srv/app/main.rb:20:in `block in <main>'
 *   /srv/app/cart.rb:10:in 'Cart#total'
 */
#include "stack/stack_priv.h"

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
    ret.what = SKEP_STACK__FRAME;
    return ret;
}

const struct skep_stack__language skep_stack__ruby = {
    .name = SKEP_STR_INIT("ruby"),
    .hints = {SKEP_STR_INIT("ruby"), SKEP_STR_INIT("jruby")},
    .innermost_first = true,
    .read = read_line};
