// SPDX-License-Identifier: Apache-2.0
/* RE2's subset of regular expressions, matched by PCRE2.
 *
 *   text --dialect()--> only what RE2 has --PCRE2--> code in the arena
 *
 * PCRE2 backtracks, so a hostile expression can take exponential time.  Without back-references and
 * looking around the same language can be matched breadth first; that is what happens when a match
 * takes more than STEPS steps: first the fast way with limits, then pcre2_dfa_match.  The second
 * form of the expression begins with anything and is anchored, so that one pass over the text
 * follows the matches from all places at once; it calls back at each item (auto callouts), which
 * counts the work and ends it at WORK_MAX: with many states at once a step costs their number.
 * Captures cannot be had that way: there the limit is an error.
 *
 * I1  What dialect() lets through means the same to RE2 and to PCRE2 with the options below
 *     ($ is the end of the text alone; . is no newline).
 * I2  Every required literal stands in each text that matches.
 *
 * Threads: a compiled expression is read only; a match has its own scratch.
 * Memory: code in the caller's arena; scratch of a match at most HEAP_KIB and the breadth-first
 * work space, which is bounded by the code's size. */
#include "wire/regex.h"

#include <stdatomic.h>
#include <stdio.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    STEPS = 200000,
    FIND_STEPS = 5000000,
    NTH_STEPS = 500, /* that a later match of the same text may take in any case */
    HEAP_KIB = 1024,
    WORK_INTS = 4096,
    WORK_MAX = 200000000, /* half a second */
    ITEM_WORK = 16        /* of a call back, beside the states it is compared with */
};
/* Of an expression's slow ways together. */
static const uint64_t patience = 5ull * WORK_MAX;

struct skep_regex {
    skep_str text, literal;
    pcre2_code *code;    /* takes any bytes */
    pcre2_code *plain;   /* the same for ASCII alone, which PCRE2 need not check */
    pcre2_code *breadth; /* of UTF-8 alone; NULL = it would be too large */
    pcre2_match_context *quick, *patient;
    _Atomic uint64_t spent; /* on slow ways */
    _Atomic bool gave_up;
    unsigned n_groups;
    struct skep_regex_group *groups;
};

// --- the dialect -------------------------------------------------------------------------------

/* What is being read, and the literal that must be there. */
struct reading {
    skep_str text;
    size_t at;
    unsigned depth;
    bool folds;       /* letters stand for both cases, from here or earlier on */
    bool either;      /* an alternative on the outermost level: nothing is required */
    size_t best_n, n; /* of the two below */
    char *best, *now; /* the longest run, the one at hand */
    struct skep_regex_issue *issue;
};

static skep_rc wrong(struct reading *r, size_t at, const char *why)
{
    if (r->issue) {
        r->issue->at = SKEP_MIN(at, r->text.n);
        (void)snprintf(r->issue->text, sizeof r->issue->text, "%s", why);
    }
    return SKEP_EINVAL;
}

static char peek(const struct reading *r, size_t ahead)
{
    return r->at + ahead < r->text.n ? r->text.p[r->at + ahead] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void end_run(struct reading *r)
{
    if (r->n > r->best_n) {
        memcpy(r->best, r->now, r->n);
        r->best_n = r->n;
    }
    r->n = 0;
}

/* A letter of the outermost level. */
static void literal(struct reading *r, char c)
{
    if (r->depth == 0)
        r->now[r->n++] = c;
}

/* Does a repetition follow?  Then what stands before it may be missing or stand several times. */
static bool repeats(const struct reading *r)
{
    char c = peek(r, 0);
    return c == '*' || c == '?' || c == '+' || (c == '{' && is_digit(peek(r, 1)));
}

/* The letter just read is repeated: it ends the run, and + keeps it in it. */
static void after_letter(struct reading *r)
{
    if (!repeats(r) || r->depth > 0)
        return;
    if (peek(r, 0) != '+' && r->n > 0) {
        r->n--;
        /* A letter of several bytes goes as a whole. */
        while (r->n > 0 && ((unsigned char)r->now[r->n] & 0xc0) == 0x80)
            r->n--;
    }
    end_run(r);
}

/* What stands behind \x, \p and \P: digits or a letter, or anything in braces. */
static void code_point(struct reading *r, unsigned max)
{
    end_run(r);
    if (peek(r, 0) == '{') {
        while (r->at < r->text.n && peek(r, 0) != '}')
            r->at++;
        r->at = SKEP_MIN(r->at + 1, r->text.n);
        return;
    }
    for (unsigned i = 0; i < max && r->at < r->text.n; i++) {
        uint8_t b;
        char c[2] = {'0', peek(r, 0)};
        if (max == 2 && !skep_hex_decode((skep_str){c, 2}, &b, 1))
            return;
        r->at++;
    }
}

static skep_rc escape(struct reading *r)
{
    static const char classes[] = "dDsSwWbBAz";
    static const char letters[] = "afnrtv";
    size_t from = r->at++;
    char c = peek(r, 0);
    if (r->at >= r->text.n)
        return wrong(r, from, "a backslash at the end");
    r->at++;
    if (c == 'Q') {
        while (r->at < r->text.n && !(peek(r, 0) == '\\' && peek(r, 1) == 'E'))
            literal(r, r->text.p[r->at++]);
        r->at = SKEP_MIN(r->at + 2, r->text.n);
        after_letter(r);
        return SKEP_OK;
    }
    if (c == 'x' || c == 'p' || c == 'P') {
        code_point(r, c == 'x' ? 2 : 1);
        return SKEP_OK;
    }
    if (memchr(letters, c, sizeof letters - 1) || memchr(classes, c, sizeof classes - 1)) {
        end_run(r);
        return SKEP_OK;
    }
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
    if (word)
        return wrong(r, from,
                     is_digit(c) ? "back-references are not supported"
                                 : "no such escape in this dialect");
    literal(r, c);
    after_letter(r);
    return SKEP_OK;
}

/* Bytes of the "[:name:]" or "[:^name:]" that begins here; 0: none does. */
static size_t class_name(const struct reading *r)
{
    size_t n = peek(r, 2) == '^' ? 3 : 2, from = n;
    while (peek(r, n) >= 'a' && peek(r, n) <= 'z')
        n++;
    return n > from && peek(r, n) == ':' && peek(r, n + 1) == ']' ? n + 2 : 0;
}

static skep_rc set(struct reading *r)
{
    size_t from = r->at++;
    end_run(r);
    if (peek(r, 0) == '^')
        r->at++;
    if (peek(r, 0) == ']')
        r->at++;
    while (r->at < r->text.n && peek(r, 0) != ']') {
        if (peek(r, 0) == '\\') {
            char c = peek(r, 1);
            if (c == 'Q' || c == 'E')
                return wrong(r, r->at, "\\Q in [] is not supported");
            r->at++;
        } else if (peek(r, 0) == '[' && peek(r, 1) == ':') {
            size_t n = class_name(r);
            if (n == 0) /* what is none may end elsewhere for one of the two */
                return wrong(r, r->at, "[: begins a class as [:alpha:]; else write \\[");
            r->at += n - 1;
        }
        r->at++;
    }
    if (r->at >= r->text.n)
        return wrong(r, from, "a [ that is not closed");
    r->at++;
    return SKEP_OK;
}

/* (?i) (?i:...) (?<name>...) (?P<name>...) (?:...) */
static skep_rc special_group(struct reading *r)
{
    size_t from = r->at;
    r->at += 2;
    char c = peek(r, 0);
    if (c == 'P' && peek(r, 1) == '<') {
        r->at++;
        c = '<';
    }
    if (c == '<' && peek(r, 1) != '=' && peek(r, 1) != '!') {
        r->at++;
        while (r->at < r->text.n && peek(r, 0) != '>')
            r->at++;
        r->at++;
        return SKEP_OK;
    }
    while (peek(r, 0) == 'i' || peek(r, 0) == 'm' || peek(r, 0) == 's' || peek(r, 0) == 'U' ||
           peek(r, 0) == '-') {
        r->folds = r->folds || peek(r, 0) == 'i';
        r->at++;
    }
    if (peek(r, 0) == ':') {
        r->at++;
        return SKEP_OK;
    }
    if (peek(r, 0) == ')' && r->at > from + 2)
        return SKEP_OK;
    return wrong(r, from,
                 c == '=' || c == '!' || c == '<' ? "looking ahead or behind is not supported"
                                                  : "no such group in this dialect");
}

static skep_rc open_group(struct reading *r)
{
    end_run(r);
    if (++r->depth > 200)
        return wrong(r, r->at, "groups too deep in each other");
    if (peek(r, 1) == '*')
        return wrong(r, r->at, "verbs are not supported");
    if (peek(r, 1) == '?')
        return special_group(r);
    r->at++;
    return SKEP_OK;
}

/* * + ? {n,m}, once, with a ? behind for the least. */
static skep_rc repetition(struct reading *r)
{
    size_t from = r->at;
    end_run(r);
    if (peek(r, 0) == '{') {
        unsigned n = 0, commas = 0;
        for (r->at++; is_digit(peek(r, 0)) || (peek(r, 0) == ',' && commas == 0); r->at++) {
            char c = peek(r, 0);
            commas += c == ',';
            n = is_digit(c) ? n * 10 + (unsigned)(c - '0') : 0;
            if (n > SKEP_LIMIT_REGEX_REPEAT)
                return wrong(r, from, "a repetition of more than 1000");
        }
        if (peek(r, 0) != '}') /* else all up to some '}' would go unread */
            return wrong(r, from, "a repetition is {n}, {n,} or {n,m}; else write \\{");
    }
    r->at++;
    if (peek(r, 0) == '?')
        r->at++;
    else if (peek(r, 0) == '+')
        return wrong(r, r->at, "possessive repetitions are not supported");
    if (repeats(r))
        return wrong(r, r->at, "a repetition of a repetition");
    return SKEP_OK;
}

/* "{,5}" and "{ 5}", which mean one thing to some versions and another one to others. */
static bool half_repetition(const struct reading *r)
{
    size_t i = 1;
    while (peek(r, i) == ' ' || peek(r, i) == ',')
        i++;
    return i > 1 && is_digit(peek(r, i));
}

static skep_rc step(struct reading *r)
{
    switch (peek(r, 0)) {
    case '\\': return escape(r);
    case '[': return set(r);
    case '(': return open_group(r);
    case ')':
        if (r->depth == 0)
            return wrong(r, r->at, "a ) without (");
        r->depth--;
        r->at++;
        end_run(r);
        return SKEP_OK;
    case '|': r->either = r->either || r->depth == 0; break;
    case '^':
    case '$':
    case '.': break;
    case '*':
    case '+':
    case '?': return repetition(r);
    case '{':
        if (is_digit(peek(r, 1)))
            return repetition(r);
        if (half_repetition(r))
            return wrong(r, r->at, "a repetition is {n}, {n,} or {n,m}; else write \\{");
        literal(r, r->text.p[r->at++]);
        after_letter(r);
        return SKEP_OK;
    case '\0':
        if (r->text.p[r->at] == '\0')
            return wrong(r, r->at, "a zero byte");
        break;
    default:
        literal(r, r->text.p[r->at++]);
        /* The bytes of one letter stay together. */
        while (r->at < r->text.n && ((unsigned char)r->text.p[r->at] & 0xc0) == 0x80)
            literal(r, r->text.p[r->at++]);
        after_letter(r);
        return SKEP_OK;
    }
    end_run(r);
    r->at++;
    return SKEP_OK;
}

/* I1; leaves the required literal in r->best. */
static skep_rc dialect(struct reading *r)
{
    if (r->text.n > SKEP_LIMIT_REGEX_BYTES)
        return wrong(r, SKEP_LIMIT_REGEX_BYTES, "an expression of more than 10000 bytes");
    if (!skep_utf8_valid(r->text))
        return wrong(r, 0, "the expression is not UTF-8");
    while (r->at < r->text.n)
        SKEP_TRY(step(r));
    if (r->depth > 0)
        return wrong(r, r->text.n, "a ( that is not closed");
    end_run(r);
    if (r->either || r->folds)
        r->best_n = 0;
    return SKEP_OK;
}

// --- compiling ---------------------------------------------------------------------------------

/* PCRE2's memory of what lives as long as the expression. */
static void *from_arena(size_t n, void *arena)
{
    return skep_arena_alloc(arena, n);
}

static void to_arena(void *p, void *arena)
{
    (void)p;
    (void)arena;
}

static pcre2_match_context *limits(pcre2_general_context *g, uint32_t steps)
{
    pcre2_match_context *c = pcre2_match_context_create(g);
    skep_assert(c != NULL);
    (void)pcre2_set_match_limit(c, steps); /* always 0 */
    (void)pcre2_set_heap_limit(c, HEAP_KIB);
    return c;
}

static pcre2_code *compile(skep_str text, uint32_t options, pcre2_general_context *g,
                           struct skep_regex_issue *issue)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_compile_context *c = pcre2_compile_context_create(g);
    skep_assert(c != NULL);
    pcre2_code *re = pcre2_compile(
        (PCRE2_SPTR)(text.p ? text.p : ""), text.n,
        options | PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C, &code, &at, c);
    if (!re && issue) {
        issue->at = SKEP_MIN(at, text.n);
        if (pcre2_get_error_message(code, (PCRE2_UCHAR *)issue->text, sizeof issue->text) < 0)
            issue->text[sizeof issue->text - 1] = '\0';
    }
    return re;
}

/* (?s:.*?)(?:text): \E ends a \Q of the text. */
static pcre2_code *compile_breadth(skep_str text, uint32_t options, pcre2_general_context *g,
                                   struct skep_arena *a)
{
    skep_str whole = skep_arena_printf(a, "(?s:.*?)(?:" SKEP_STRFMT "\\E)", SKEP_STRARG(text));
    return compile(whole, options | PCRE2_ANCHORED | PCRE2_AUTO_CALLOUT, g, NULL);
}

static void name_groups(struct skep_regex *re, struct skep_arena *a)
{
    uint32_t n = 0, entry = 0, captures = 0;
    PCRE2_SPTR table = NULL;
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &captures); /* cannot fail */
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_NAMECOUNT, &n);
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_NAMEENTRYSIZE, &entry);
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_NAMETABLE, &table);
    re->n_groups = captures;
    re->groups = skep_new_n(a, struct skep_regex_group, captures + 1);
    for (uint32_t i = 0; i < n; i++) {
        PCRE2_SPTR e = table + i * entry;
        unsigned group = (unsigned)(e[0] << 8 | e[1]);
        skep_assert(group >= 1 && group <= captures);
        re->groups[group - 1].name = skep_arena_str(a, skep_str_c((const char *)e + 2));
    }
}

skep_rc skep_regex_compile(skep_str text, bool fold_case, struct skep_arena *a,
                           const struct skep_regex **ret, struct skep_regex_issue *issue)
{
    struct reading r = {.text = text, .issue = issue, .folds = fold_case};
    if (text.n <= SKEP_LIMIT_REGEX_BYTES) {
        r.best = skep_arena_alloc(a, text.n + 1);
        r.now = skep_arena_alloc(a, text.n + 1);
    }
    SKEP_TRY(dialect(&r));
    pcre2_general_context *g = pcre2_general_context_create(from_arena, to_arena, a);
    skep_assert(g != NULL);
    uint32_t options = fold_case ? PCRE2_CASELESS : 0;
    struct skep_regex *re = skep_new(a, struct skep_regex);
    *re = (struct skep_regex){.text = skep_arena_str(a, text),
                              .literal = {r.best, r.best_n},
                              .quick = limits(g, STEPS),
                              .patient = limits(g, FIND_STEPS)};
    re->code = compile(text, options | PCRE2_MATCH_INVALID_UTF, g, issue);
    if (!re->code)
        return SKEP_EINVAL;
    re->plain = compile(text, options, g, NULL);
    re->breadth = compile_breadth(text, options, g, a);
    size_t bytes = 0;
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_SIZE, &bytes); /* cannot fail */
    if (bytes > SKEP_LIMIT_REGEX_CODE)
        return wrong(&r, 0, "an expression that is too large: fewer or smaller repetitions");
    name_groups(re, a);
    if (re->n_groups > SKEP_LIMIT_REGEX_GROUPS)
        return wrong(&r, 0, "more than 100 groups");
    *ret = re;
    return SKEP_OK;
}

// --- matching ----------------------------------------------------------------------------------

static pcre2_match_data *scratch(unsigned pairs)
{
    pcre2_match_data *m = pcre2_match_data_create(pairs, NULL);
    skep_assert(m != NULL);
    return m;
}

SKEP_CLONES static bool is_ascii(skep_str s)
{
    unsigned char any = 0;
    for (size_t i = 0; i < s.n; i++)
        any |= (unsigned char)s.p[i];
    return any < 0x80;
}

/* Checking that a text is UTF-8 is often more work than matching it. */
static int match(const struct skep_regex *re, skep_str s, size_t from, pcre2_match_data *m,
                 pcre2_match_context *c)
{
    PCRE2_SPTR p = (PCRE2_SPTR)(s.p ? s.p : "");
    if (re->plain && is_ascii(s))
        return pcre2_match(re->plain, p, s.n, from, PCRE2_NO_UTF_CHECK, m, c);
    return pcre2_match(re->code, p, s.n, from, 0, m, c);
}

/* What following all ways costs: at a place of the text, each item is compared with those before.
 */
struct work {
    uint64_t all, here;
    size_t at;
};

static int count_item(pcre2_callout_block *b, void *ctx)
{
    struct work *w = ctx;
    if (b->current_position != w->at) {
        w->at = b->current_position;
        w->here = 0;
    }
    w->all += ITEM_WORK + ++w->here;
    return w->all > WORK_MAX ? PCRE2_ERROR_CALLOUT : 0;
}

/* All ways side by side; work space doubles until it is enough.  Negative: it was given up. */
static int breadth_first(const struct skep_regex *re, skep_str s, pcre2_match_data *m,
                         struct work *w)
{
    int rc = PCRE2_ERROR_DFA_WSSIZE;
    pcre2_match_context *c = pcre2_match_context_create(NULL);
    skep_assert(c != NULL);
    (void)pcre2_set_callout(c, count_item, w); /* always 0 */
    for (size_t n = WORK_INTS; rc == PCRE2_ERROR_DFA_WSSIZE && n <= SKEP_LIMIT_REGEX_CODE * 4;
         n *= 4) {
        int *work = skep_malloc(n * sizeof *work);
        rc = pcre2_dfa_match(re->breadth, (PCRE2_SPTR)(s.p ? s.p : ""), s.n, 0,
                             PCRE2_NO_UTF_CHECK | PCRE2_DFA_SHORTEST, m, c, work, n);
        skep_free(work);
    }
    pcre2_match_context_free(c);
    return rc;
}

static bool is_limit(int rc)
{
    return rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT ||
           rc == PCRE2_ERROR_DEPTHLIMIT;
}

static skep_rc give_up(const struct skep_regex *re)
{
    struct skep_regex *mine = (struct skep_regex *)(uintptr_t)re; /* its counters alone */
    atomic_store_explicit(&mine->gave_up, true, memory_order_relaxed);
    return SKEP_ELIMIT;
}

static void spend(const struct skep_regex *re, uint64_t work)
{
    struct skep_regex *mine = (struct skep_regex *)(uintptr_t)re;
    atomic_fetch_add_explicit(&mine->spent, work, memory_order_relaxed);
}

bool skep_regex_tired(const struct skep_regex *re)
{
    return atomic_load_explicit(&re->spent, memory_order_relaxed) > patience;
}

bool skep_regex_gave_up(const struct skep_regex *re)
{
    return atomic_load_explicit(&re->gave_up, memory_order_relaxed);
}

skep_rc skep_regex_test_slowly(const struct skep_regex *re, skep_str s, bool *ret)
{
    struct work w = {.at = SIZE_MAX};
    *ret = false;
    if (!re->breadth || !skep_utf8_valid(s))
        return give_up(re);
    pcre2_match_data *m = scratch(1);
    int rc = breadth_first(re, s, m, &w);
    pcre2_match_data_free(m);
    spend(re, w.all);
    *ret = rc >= 0;
    return rc >= 0 || rc == PCRE2_ERROR_NOMATCH ? SKEP_OK : give_up(re);
}

skep_rc skep_regex_test(const struct skep_regex *re, skep_str s, bool *ret)
{
    skep_assert(re->code != NULL);
    *ret = false;
    if (re->literal.n > 0 && skep_str_find(s, re->literal) == SIZE_MAX)
        return SKEP_OK;
    pcre2_match_data *m = scratch(1);
    int rc = match(re, s, 0, m, re->quick);
    pcre2_match_data_free(m);
    *ret = rc >= 0;
    return is_limit(rc) ? skep_regex_test_slowly(re, s, ret) : SKEP_OK;
}

skep_str skep_regex_text(const struct skep_regex *re)
{
    return re->text;
}

skep_str skep_regex_literal(const struct skep_regex *re)
{
    return re->literal;
}

const struct skep_regex_group *skep_regex_groups(const struct skep_regex *re, unsigned *ret_n)
{
    *ret_n = re->n_groups;
    return re->groups;
}

/* A later match of a text: so many steps are left for it. */
static int find_nth(const struct skep_regex *re, skep_str s, size_t from, size_t nth,
                    pcre2_match_data *m)
{
    pcre2_match_context *c = limits(NULL, (uint32_t)SKEP_MAX(STEPS / (nth + 1), (size_t)NTH_STEPS));
    int rc = match(re, s, from, m, c);
    pcre2_match_context_free(c);
    return rc;
}

/* The first: quick, or with patience as long as there is some. */
static int find_first(const struct skep_regex *re, skep_str s, size_t from, pcre2_match_data *m)
{
    int rc = match(re, s, from, m, re->quick);
    if (!is_limit(rc) || skep_regex_tired(re))
        return rc;
    spend(re, 8ull * FIND_STEPS);
    return match(re, s, from, m, re->patient);
}

skep_rc skep_regex_find(const struct skep_regex *re, skep_str s, size_t from, size_t nth,
                        size_t *spans, bool *ret)
{
    skep_assert(from <= s.n);
    pcre2_match_data *m = scratch(re->n_groups + 1);
    int rc = nth > 0 ? find_nth(re, s, from, nth, m) : find_first(re, s, from, m);
    *ret = rc >= 0;
    if (rc >= 0) {
        const PCRE2_SIZE *o = pcre2_get_ovector_pointer(m);
        for (unsigned i = 0; i < 2 * (re->n_groups + 1); i++)
            spans[i] = o[i] == PCRE2_UNSET || i / 2 >= (unsigned)rc ? SIZE_MAX : o[i];
    }
    pcre2_match_data_free(m);
    return is_limit(rc) ? give_up(re) : SKEP_OK;
}
