// SPDX-License-Identifier: Apache-2.0
/* Which frames are the program's own code.
 *
 *   a place where packages, runtimes and systems lie            not own
 *   else, below the root, if any frame of the trace is          own; the rest is not
 *   else                                                        own
 *
 *   Ruby: in the place of its caller, and no block of it         not own: a method written in C
 *
 * Places are parts of a path (table `parts`), beginnings of it (`starts`), and beginnings of a
 * class or package (`packages`). */
#include "base/assert.h"
#include "stack/stack.h"

static const skep_str parts[] = {
    SKEP_STR_INIT("/site-packages/"),
    SKEP_STR_INIT("/dist-packages/"),
    SKEP_STR_INIT("/lib/python"),
    SKEP_STR_INIT("\\lib\\site-packages\\"),
    SKEP_STR_INIT("node_modules/"),
    SKEP_STR_INIT("node_modules\\"),
    SKEP_STR_INIT("/bower_components/"),
    SKEP_STR_INIT("/gems/"),
    SKEP_STR_INIT("/lib/ruby/"),
    SKEP_STR_INIT("/go/pkg/mod/"),
    SKEP_STR_INIT("/usr/local/go/src/"),
    SKEP_STR_INIT("/go/src/runtime/"),
    SKEP_STR_INIT("/go/src/net/http/"),
    SKEP_STR_INIT("/libexec/src/"),
    SKEP_STR_INIT("/vendor/"),
    SKEP_STR_INIT("/rustc/"),
    SKEP_STR_INIT("/.cargo/registry/"),
    SKEP_STR_INIT("/webpack/bootstrap"),
    SKEP_STR_INIT("webpack/runtime/"),
    SKEP_STR_INIT("/x86_64-linux-gnu/"),
    SKEP_STR_INIT("/aarch64-linux-gnu/"),
    SKEP_STR_INIT("/libsanitizer/"),
};

static const skep_str starts[] = {
    SKEP_STR_INIT("/usr/lib"),
    SKEP_STR_INIT("/usr/share/"),
    SKEP_STR_INIT("/usr/include/"),
    SKEP_STR_INIT("/usr/local/lib/"),
    SKEP_STR_INIT("/lib/"),
    SKEP_STR_INIT("/lib64/"),
    SKEP_STR_INIT("/build/glibc"),
    SKEP_STR_INIT("<frozen "),
    SKEP_STR_INIT("<internal:"),
    SKEP_STR_INIT("node:"),
    SKEP_STR_INIT("internal/"),
    SKEP_STR_INIT("native "),
    SKEP_STR_INIT("chrome-extension:"),
    SKEP_STR_INIT("moz-extension:"),
    SKEP_STR_INIT("safari-extension:"),
    SKEP_STR_INIT("./nptl/"),
    SKEP_STR_INIT("../sysdeps/"),
    SKEP_STR_INIT("[internal function]"),
};

static const skep_str packages[] = {
    SKEP_STR_INIT("java."),
    SKEP_STR_INIT("javax."),
    SKEP_STR_INIT("jdk."),
    SKEP_STR_INIT("sun."),
    SKEP_STR_INIT("com.sun."),
    SKEP_STR_INIT("jakarta."),
    SKEP_STR_INIT("kotlin."),
    SKEP_STR_INIT("kotlinx."),
    SKEP_STR_INIT("scala."),
    SKEP_STR_INIT("clojure."),
    SKEP_STR_INIT("android."),
    SKEP_STR_INIT("androidx."),
    SKEP_STR_INIT("org.springframework."),
    SKEP_STR_INIT("org.apache."),
    SKEP_STR_INIT("org.hibernate."),
    SKEP_STR_INIT("org.eclipse."),
    SKEP_STR_INIT("org.junit."),
    SKEP_STR_INIT("io.netty."),
    SKEP_STR_INIT("io.micronaut."),
    SKEP_STR_INIT("io.quarkus."),
    SKEP_STR_INIT("reactor."),
    SKEP_STR_INIT("com.zaxxer."),
    SKEP_STR_INIT("com.fasterxml."),
    SKEP_STR_INIT("com.google.common."),
    SKEP_STR_INIT("System."),
    SKEP_STR_INIT("Microsoft."),
    SKEP_STR_INIT("/lib/"),
    SKEP_STR_INIT("/lib64/"),
    SKEP_STR_INIT("/usr/lib/"),
    SKEP_STR_INIT("/usr/local/lib/"),
};

/* Functions of runtimes whose files do not say so. */
static const skep_str functions[] = {
    SKEP_STR_INIT("core::panicking::"),
    SKEP_STR_INIT("std::panicking::"),
    SKEP_STR_INIT("std::rt::"),
    SKEP_STR_INIT("core::ops::function::"),
    SKEP_STR_INIT("std::sys"),
    SKEP_STR_INIT("rust_begin_unwind"),
    SKEP_STR_INIT("runtime."),
    SKEP_STR_INIT("__libc_start"),
    SKEP_STR_INIT("__GI_"),
    SKEP_STR_INIT("__interceptor_"),
    SKEP_STR_INIT("__asan_"),
    SKEP_STR_INIT("start_thread"),
    SKEP_STR_INIT("Promise.all"),
};

static bool any_start(skep_str s, const skep_str *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (skep_str_starts(s, table[i]))
            return true;
    }
    return false;
}

/* Each part has a separator: a plain name needs no search. */
static bool any_part(skep_str file)
{
    if (skep_str_chr(file, '/') == SIZE_MAX && skep_str_chr(file, '\\') == SIZE_MAX)
        return false;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(parts); i++) {
        if (skep_str_find(file, parts[i]) != SIZE_MAX)
            return true;
    }
    return false;
}

static bool foreign(const struct skep_frame *f)
{
    return any_part(f->file) || any_start(f->file, starts, SKEP_ARRAY_LEN(starts)) ||
           any_start(f->module, packages, SKEP_ARRAY_LEN(packages)) ||
           any_start(f->function, functions, SKEP_ARRAY_LEN(functions)) ||
           skep_str_eq(f->file, SKEP_STR("native")) ||
           skep_str_eq(f->file, SKEP_STR("<anonymous>"));
}

static bool below(skep_str file, skep_str root)
{
    while (root.n > 0 && (root.p[root.n - 1] == '/' || root.p[root.n - 1] == '\\'))
        root.n--;
    return root.n > 0 && file.n > root.n && skep_str_starts(file, root) &&
           (file.p[root.n] == '/' || file.p[root.n] == '\\');
}

static bool block(skep_str function)
{
    return skep_str_starts(function, SKEP_STR("block ")) ||
           skep_str_starts(function, SKEP_STR("rescue in ")) ||
           skep_str_starts(function, SKEP_STR("ensure in "));
}

/* A newer Ruby has such a method in Ruby, in "<internal:". */
static void methods_in_c(struct skep_exception *e)
{
    for (uint32_t i = 1; i < e->n_frames; i++) {
        const struct skep_frame *caller = &e->frames[i - 1];
        struct skep_frame *f = &e->frames[i];
        if (f->line > 0 && f->line == caller->line && skep_str_eq(f->file, caller->file) &&
            !skep_str_eq(f->function, caller->function) && !block(f->function))
            f->own = false;
    }
}

void skep_stack_own(struct skep_stack *stack, skep_str root)
{
    bool any_below = false;
    skep_assert(stack);
    for (uint32_t c = 0; c < stack->n; c++) {
        for (uint32_t i = 0; i < stack->chain[c].n_frames; i++) {
            struct skep_frame *f = &stack->chain[c].frames[i];
            f->own = !foreign(f);
            any_below |= f->own && below(f->file, root);
        }
    }
    for (uint32_t c = 0; skep_str_eq(stack->language, SKEP_STR("ruby")) && c < stack->n; c++)
        methods_in_c(&stack->chain[c]);
    for (uint32_t c = 0; any_below && c < stack->n; c++) {
        for (uint32_t i = 0; i < stack->chain[c].n_frames; i++) {
            struct skep_frame *f = &stack->chain[c].frames[i];
            /* A relative path lies below whatever the root is. */
            bool relative =
                f->file.n > 0 && f->file.p[0] != '/' && skep_str_chr(f->file, ':') == SIZE_MAX;
            f->own = f->own && (relative || below(f->file, root));
        }
    }
}

const struct skep_frame *skep_stack_culprit(const struct skep_stack *stack)
{
    for (uint32_t c = 0; c < stack->n; c++) {
        for (uint32_t i = stack->chain[c].n_frames; i > 0; i--) {
            if (stack->chain[c].frames[i - 1].own)
                return &stack->chain[c].frames[i - 1];
        }
    }
    for (uint32_t c = 0; c < stack->n; c++) {
        if (stack->chain[c].n_frames > 0)
            return &stack->chain[c].frames[stack->chain[c].n_frames - 1];
    }
    return NULL;
}
