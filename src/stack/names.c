// SPDX-License-Identifier: Apache-2.0
/* What a frame and a class are called in a fingerprint: what stays when the program is built again,
 * put somewhere else, or run by another version of its language.
 *
 *   file       its name and its folder's, '/' between; no query, no hash of a bundler
 *   module     where a file has no folder, or the language's classes say more (.NET): the class
 *   function   without what compilers number (closures, lambdas, generics), without a receiver
 *              where the language makes it up (JavaScript), of a block the method it stands in
 *
 * Digits, dates and hex numbers go last, as of messages (clean.c).
 * Threads: any. */
#include "base/assert.h"
#include "stack/fingerprint.h"
#include "stack/stack_priv.h"

static skep_str cut_at(skep_str s, char c)
{
    size_t at = skep_str_chr(s, c);
    if (at != SIZE_MAX)
        s.n = at;
    return s;
}

static skep_str cut_before(skep_str s, skep_str mark)
{
    size_t at = skep_str_find(s, mark);
    if (at != SIZE_MAX && at > 0)
        s.n = at;
    return s;
}

static skep_str without(skep_str s, skep_str prefix)
{
    return skep_str_starts(s, prefix) ? skep_str_skip(s, prefix.n) : s;
}

/* Behind the last c; all of it without. */
static skep_str behind_last(skep_str s, char c)
{
    for (size_t at = s.n; at > 0; at--) {
        if (s.p[at - 1] == c)
            return skep_str_skip(s, at);
    }
    return s;
}

static bool any_end(skep_str s, const skep_str *ends, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (skep_str_ends(s, ends[i]))
            return true;
    }
    return false;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

// --- files -------------------------------------------------------------------------------------

/* The folder a file lies in and its name, without query: what stays when a program is put somewhere
 * else, and what a sender who knows the program's root says as well as one who does not. */
static skep_str short_path(skep_str file)
{
    size_t scheme = skep_str_find(file, SKEP_STR("://"));
    size_t names = 0;
    if (scheme != SIZE_MAX) {
        file = cut_at(cut_at(skep_str_skip(file, scheme + 3), '?'), '#');
        size_t slash = skep_str_chr(file, '/');
        if (slash != SIZE_MAX)
            file = skep_str_skip(file, slash);
    }
    for (size_t at = file.n; at > 0; at--) {
        if ((file.p[at - 1] == '/' || file.p[at - 1] == '\\') && ++names == 2)
            return skep_str_skip(file, at);
    }
    while (file.n > 0 && (file.p[0] == '/' || file.p[0] == '.'))
        file = skep_str_skip(file, 1);
    return file;
}

static bool javascript(skep_str file)
{
    static const skep_str ends[] = {
        SKEP_STR_INIT(".js"),  SKEP_STR_INIT(".mjs"), SKEP_STR_INIT(".cjs"),
        SKEP_STR_INIT(".jsx"), SKEP_STR_INIT(".ts"),  SKEP_STR_INIT(".mts"),
        SKEP_STR_INIT(".tsx"), SKEP_STR_INIT(".vue"), SKEP_STR_INIT(".svelte"),
    };
    return any_end(file, ends, SKEP_ARRAY_LEN(ends));
}

/* "main-QX7PLM2A.js", "index-DiwrgTda.js", "app.8f3c2a91.js": eight characters that are no word,
 * and what stands before them. */
static size_t bundler_hash(skep_str file, size_t dot)
{
    enum { HASH = 8 };
    bool odd = false;
    if (dot < HASH + 2 || (file.p[dot - HASH - 1] != '-' && file.p[dot - HASH - 1] != '.'))
        return 0;
    for (size_t i = dot - HASH; i < dot; i++) {
        char c = file.p[i];
        bool letter = upper(c) || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && !digit(c))
            return 0;
        odd |= digit(c) || (i > dot - HASH && upper(c));
    }
    return odd ? HASH + 1 : 0;
}

static void put_file(skep_str file, struct skep_buf *out)
{
    struct skep_buf plain;
    size_t dot = file.n;
    while (dot > 0 && file.p[dot - 1] != '.')
        dot--;
    size_t hash = dot > 0 && javascript(file) ? bundler_hash(file, dot - 1) : 0;
    if (hash == 0 && skep_str_chr(file, '\\') == SIZE_MAX) {
        skep_fingerprint_clean(file, out);
        return;
    }
    skep_buf_init(&plain, file.n + 1);
    for (size_t i = 0; i < file.n; i++) {
        if (hash == 0 || i + 1 + hash < dot || i + 1 >= dot)
            skep_buf_u8(&plain, file.p[i] == '\\' ? '/' : (uint8_t)file.p[i]);
    }
    skep_fingerprint_clean(skep_buf_text(&plain), out);
    skep_buf_done(&plain);
}

// --- classes -----------------------------------------------------------------------------------

/* "Cart$$EnhancerBySpringCGLIB$$1a" "CartFragment$load$1" "Shop.Import.<>c__DisplayClass3_0" */
static skep_str plain_module(skep_str m)
{
    m = cut_before(cut_before(m, SKEP_STR("$$")), SKEP_STR(".<"));
    for (;;) {
        size_t n = m.n;
        while (n > 0 && digit(m.p[n - 1]))
            n--;
        if (n == m.n || n < 2 || m.p[n - 1] != '$')
            return m;
        m.n = n - 1;
    }
}

skep_str skep_stack__bare_class(skep_str type)
{
    for (size_t at = type.n; at > 0; at--) {
        char c = type.p[at - 1];
        if (c == '.' || c == ':' || c == '\\' || c == '/')
            return skep_str_skip(type, at);
    }
    return type;
}

// --- functions ---------------------------------------------------------------------------------

/* "block (2 levels) in run" stands in run. */
static skep_str ruby_method(skep_str f)
{
    static const skep_str begins[] = {SKEP_STR_INIT("block "), SKEP_STR_INIT("rescue in "),
                                      SKEP_STR_INIT("ensure in ")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(begins); i++) {
        skep_str before, behind;
        if (skep_str_starts(f, begins[i]) &&
            skep_stack__split_last(f, SKEP_STR(" in "), &before, &behind))
            return behind;
    }
    return f;
}

/* The receiver is a guess of V8's, Firefox names the function around it instead, and neither says
 * it of every function: "Object.total [as sum]" "async*checkout/total". */
static skep_str javascript_function(skep_str f)
{
    f = cut_before(without(f, SKEP_STR("async*")), SKEP_STR(" [as "));
    return behind_last(behind_last(f, '/'), '.');
}

/* "<Run>b__1" is a lambda of Run. */
static skep_str dotnet_function(const struct skep_frame *f)
{
    skep_str before, name, behind;
    skep_str text = skep_str_eq(f->function, SKEP_STR("MoveNext")) ? f->module : f->function;
    if (skep_stack__split_last(text, SKEP_STR("<"), &before, &name) &&
        skep_stack__split(name, SKEP_STR(">"), &name, &behind) && name.n > 0 && behind.n > 0)
        return name;
    return f->function;
}

/* "lambda$total$3" */
static skep_str without_number(skep_str f)
{
    size_t n = f.n;
    while (n > 0 && digit(f.p[n - 1]))
        n--;
    if (n < f.n && n > 1 && f.p[n - 1] == '$')
        f.n = n - 1;
    return f;
}

/* What stands behind the name in functions of compiled and generated code. */
static skep_str plain_function(const struct skep_frame *frame, bool of_javascript)
{
    static const skep_str marks[] = {
        SKEP_STR_INIT("::h"),      SKEP_STR_INIT("::{{closure}}"), SKEP_STR_INIT(".constprop."),
        SKEP_STR_INIT(".isra"),    SKEP_STR_INIT(".part."),        SKEP_STR_INIT(".cold"),
        SKEP_STR_INIT("$$Lambda"), SKEP_STR_INIT("$$Enhancer"),    SKEP_STR_INIT("$$FastClass"),
    };
    skep_str f = dotnet_function(frame);
    f = ruby_method(without(without(f, SKEP_STR("async ")), SKEP_STR("new ")));
    /* Each begins with one of these: a plain name needs no search. */
    bool plain = skep_str_chr(f, ':') == SIZE_MAX && skep_str_chr(f, '.') == SIZE_MAX &&
                 skep_str_chr(f, '$') == SIZE_MAX;
    for (size_t i = 0; !plain && i < SKEP_ARRAY_LEN(marks); i++) {
        size_t at = skep_str_find(f, marks[i]);
        bool hash = i > 0 || (at != SIZE_MAX && f.n - at == 3 + 16); /* Rust's 16 digits */
        if (at != SIZE_MAX && at > 0 && hash)
            f.n = at;
    }
    f = without_number(f);
    if (of_javascript)
        f = javascript_function(f);
    if (f.n == 0 || skep_str_eq(f, SKEP_STR("?")) || skep_str_eq(f, SKEP_STR("<")) ||
        skep_str_eq(f, SKEP_STR("<anonymous>")) || skep_str_eq(f, SKEP_STR("[anonymous]")) ||
        skep_str_eq(f, SKEP_STR("(anonymous)")))
        return SKEP_STR("<anonymous>");
    return f;
}

/* Go: "Start.func2.1" is in Start, "Get[go.shape.string]" is Get. */
static skep_str go_function(skep_str f)
{
    size_t at = skep_str_find(f, SKEP_STR(".func"));
    if (at != SIZE_MAX && at > 0 && at + 5 < f.n && digit(f.p[at + 5]))
        f.n = at;
    return cut_before(f, SKEP_STR("["));
}

// --- frames ------------------------------------------------------------------------------------

bool skep_stack__made_up(const struct skep_frame *f)
{
    static const skep_str inlined[] = {SKEP_STR_INIT("<listcomp>"), SKEP_STR_INIT("<dictcomp>"),
                                       SKEP_STR_INIT("<setcomp>"), SKEP_STR_INIT("<genexpr>")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(inlined); i++) {
        if (skep_str_eq(f->function, inlined[i]))
            return true;
    }
    return skep_str_chr(f->module, '$') != SIZE_MAX &&
           (skep_str_find(f->module, SKEP_STR("$$FastClass")) != SIZE_MAX ||
            skep_str_find(f->module, SKEP_STR("$$Lambda")) != SIZE_MAX);
}

/* A class says more than a file's name, and is where files have none. */
void skep_stack__put_frame(const struct skep_frame *f, struct skep_buf *out)
{
    static const skep_str by_class_always[] = {SKEP_STR_INIT(".cs"), SKEP_STR_INIT(".vb"),
                                               SKEP_STR_INIT(".fs")};
    skep_str file = short_path(f->file), module = plain_module(f->module);
    bool has_folder = skep_str_chr(file, '/') != SIZE_MAX || skep_str_chr(file, '\\') != SIZE_MAX;
    bool by_class = module.n > 0 && (!has_folder || any_end(file, by_class_always,
                                                            SKEP_ARRAY_LEN(by_class_always)));
    skep_str function = plain_function(f, javascript(file));
    if (by_class && skep_str_chr(module, '/') != SIZE_MAX)
        module = behind_last(module, '/'); /* a binary */
    if (skep_str_ends(file, SKEP_STR(".go")))
        function = go_function(function);
    put_file(by_class ? module : file, out);
    skep_buf_u8(out, '|');
    skep_fingerprint_clean(function, out);
    skep_buf_u8(out, '\n');
}
