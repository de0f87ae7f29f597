// SPDX-License-Identifier: Apache-2.0
/* JavaScript, TypeScript; V8 (Node, Chromium), then SpiderMonkey and JavaScriptCore:
 *
 *   TypeError: user is undefined
 *       at Object.total (/srv/app/cart.js:10:5)
 *       at async Promise.all (index 0)
 *       at new Cart (file:///srv/app/cart.mjs:3:1)
 *       at http://shop/static/app.js:1:2000
 *     [cause]: Error: closed
 *   total@http://shop/static/app.js:10:5
 *   @http://shop/static/app.js:10:5
 */
#include "stack/stack_priv.h"

static skep_str without(skep_str s, skep_str prefix)
{
    return skep_str_starts(s, prefix) ? skep_str_skip(s, prefix.n) : s;
}

/* "total (/srv/app/cart.js:10:5)" or "/srv/app/cart.js:10:5" */
static bool v8(skep_str text, struct skep_frame *ret)
{
    skep_str name = SKEP_STR_NULL, place = text;
    text = without(without(text, SKEP_STR("async ")), SKEP_STR("new "));
    if (text.n > 0 && text.p[text.n - 1] == ')' &&
        skep_stack__split(text, SKEP_STR(" ("), &name, &place))
        place.n--;
    else
        place = text;
    ret->function = name;
    if (skep_stack__position(&place, &ret->line, &ret->column)) {
        ret->file = place;
        return place.n > 0;
    }
    ret->file = place;
    return name.n > 0 &&
           (skep_str_eq(place, SKEP_STR("<anonymous>")) || skep_str_eq(place, SKEP_STR("native")) ||
            skep_str_starts(place, SKEP_STR("index ")));
}

static bool gecko(skep_str text, struct skep_frame *ret)
{
    skep_str place;
    if (!skep_stack__split(text, SKEP_STR("@"), &ret->function, &place) ||
        skep_str_chr(ret->function, ' ') != SIZE_MAX ||
        !skep_stack__position(&place, &ret->line, &ret->column))
        return false;
    ret->file = place;
    return skep_str_find(place, SKEP_STR("/")) != SIZE_MAX;
}

static struct skep_stack__line read_line(skep_str line, bool after_frame)
{
    struct skep_stack__line ret = {.what = SKEP_STACK__NOTHING};
    skep_str text = skep_str_trim(line);
    (void)after_frame;
    if (skep_str_starts(text, SKEP_STR("at "))) {
        if (v8(skep_str_skip(text, 3), &ret.frame))
            ret.what = SKEP_STACK__FRAME;
        return ret;
    }
    if (gecko(text, &ret.frame)) {
        ret.what = SKEP_STACK__FRAME;
        return ret;
    }
    skep_str cause = without(without(text, SKEP_STR("[cause]: ")), SKEP_STR("Caused by: "));
    bool is_cause = cause.n < text.n;
    (void)skep_stack__head(without(cause, SKEP_STR("Uncaught ")), &ret);
    if (is_cause)
        ret.what = SKEP_STACK__CAUSE;
    return ret;
}

const struct skep_stack__language skep_stack__javascript = {
    .name = SKEP_STR_INIT("javascript"),
    .hints = {SKEP_STR_INIT("javascript"), SKEP_STR_INIT("node"), SKEP_STR_INIT("typescript"),
              SKEP_STR_INIT("webjs"), SKEP_STR_INIT("browser"), SKEP_STR_INIT("deno")},
    .innermost_first = true,
    .read = read_line};
