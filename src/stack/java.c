// SPDX-License-Identifier: Apache-2.0
/* Java, Kotlin, Scala, Clojure:
 *
 *   Exception in thread "main" java.lang.IllegalStateException: no user
 *       at com.shop.Cart.total(Cart.java:12)
 *       at java.base/java.lang.Thread.run(Thread.java:833)
 *       Suppressed: ...
 *       ... 3 more
 *   Caused by: java.io.IOException: closed
 *
 * The module of a frame is its class; a module name of Java 9 before '/' is dropped. */
#include "stack/stack_priv.h"

/* "com.shop.Cart.total(Cart.java:12)" */
static bool frame(skep_str text, struct skep_frame *ret)
{
    skep_str name, place, before;
    if (text.n == 0 || text.p[text.n - 1] != ')' ||
        !skep_stack__split(text, SKEP_STR("("), &name, &place))
        return false;
    place.n--;
    if (skep_str_chr(name, ' ') != SIZE_MAX || skep_str_chr(place, '(') != SIZE_MAX)
        return false;
    /* "java.base/java.lang.Thread.run", but "Cart$$Lambda$14/0x0000000800c03000.apply" */
    skep_str behind;
    if (skep_stack__split_last(name, SKEP_STR("/"), &before, &behind)) {
        bool hidden = skep_str_starts(behind, SKEP_STR("0x"));
        skep_str address;
        name = behind;
        if (hidden) {
            ret->module = before;
            if (!skep_stack__split(behind, SKEP_STR("."), &address, &ret->function))
                return false;
            return true;
        }
    }
    if (!skep_stack__split_last(name, SKEP_STR("."), &ret->module, &ret->function) ||
        ret->module.n == 0)
        return false;
    uint32_t column;
    bool source = skep_stack__position(&place, &ret->line, &column);
    bool odd = skep_str_eq(place, SKEP_STR("Native Method")) ||
               skep_str_eq(place, SKEP_STR("Unknown Source")) ||
               skep_str_eq(place, SKEP_STR("<generated>")) ||
               skep_str_ends(place, SKEP_STR(".java")) || skep_str_ends(place, SKEP_STR(".kt"));
    if (!source && !odd)
        return false;
    if (skep_str_chr(place, '/') != SIZE_MAX || skep_str_chr(place, '\\') != SIZE_MAX)
        return false; // a JavaScript frame
    if (source || skep_str_ends(place, SKEP_STR(".java")) || skep_str_ends(place, SKEP_STR(".kt")))
        ret->file = place;
    return true;
}

static struct skep_stack__line read_line(skep_str line, bool after_frame)
{
    struct skep_stack__line ret = {.what = SKEP_STACK__NOTHING};
    skep_str text = skep_str_trim(line), rest, thread;
    (void)after_frame;
    if (skep_str_starts(text, SKEP_STR("at "))) {
        if (frame(skep_str_trim(skep_str_skip(text, 3)), &ret.frame))
            ret.what = SKEP_STACK__FRAME;
        return ret;
    }
    if (skep_str_starts(line, SKEP_STR("Caused by: "))) {
        (void)skep_stack__head(skep_str_skip(line, 11), &ret);
        ret.what = SKEP_STACK__CAUSE;
        return ret;
    }
    if (skep_str_starts(text, SKEP_STR("Suppressed: "))) {
        ret.what = SKEP_STACK__END;
        return ret;
    }
    if (skep_str_starts(line, SKEP_STR("Exception in thread \"")) &&
        skep_stack__split(skep_str_skip(line, 21), SKEP_STR("\" "), &thread, &rest))
        line = rest;
    (void)skep_stack__head(line, &ret);
    return ret;
}

const struct skep_stack__language skep_stack__java = {
    .name = SKEP_STR_INIT("java"),
    .hints = {SKEP_STR_INIT("java"), SKEP_STR_INIT("kotlin"), SKEP_STR_INIT("scala"),
              SKEP_STR_INIT("clojure"), SKEP_STR_INIT("jvm")},
    .innermost_first = true,
    .read = read_line};
