// SPDX-License-Identifier: Apache-2.0
/* What a line's text says unmistakably: its level, its trace.
 *
 *   level    a word at the start, behind a time or brackets at most:
 *              ERROR something            2026-11-20 17:15:11,725 WARN x      [error] x
 *              error - winston's form     INFO:root:python's form
 *            Capital letters stand alone; other words need a bracket, a colon, a bar or " - "
 *            behind them: "error rates are fine" says nothing.
 *   trace    1-5759e988-bd862e3fe1be46a994272793              X-Ray; in a header Root before Self,
 *                                                            and the Parent behind it
 *            00-<32 hex>-<16 hex>-01                           traceparent
 *            trace_id=<32 hex>, "traceId": "<32 hex>" ...      behind a name that says so
 *            32 hex digits alone may be anything, and say nothing.
 *
 * One pass over the bytes.  Threads: any.  Memory: none. */
#include "ingest/logs_priv.h"

#include "base/assert.h"
#include "base/bytes.h"

// --- levels ------------------------------------------------------------------------------------

bool skep_logs__level(skep_str word, uint8_t *ret)
{
    static const struct {
        skep_str word;
        uint8_t severity;
    } words[] = {
        {SKEP_STR_INIT("trace"), 1},       {SKEP_STR_INIT("verbose"), 1},
        {SKEP_STR_INIT("silly"), 1},       {SKEP_STR_INIT("debug"), 5},
        {SKEP_STR_INIT("dbg"), 5},         {SKEP_STR_INIT("info"), 9},
        {SKEP_STR_INIT("information"), 9}, {SKEP_STR_INIT("notice"), 10},
        {SKEP_STR_INIT("warn"), 13},       {SKEP_STR_INIT("warning"), 13},
        {SKEP_STR_INIT("error"), 17},      {SKEP_STR_INIT("err"), 17},
        {SKEP_STR_INIT("severe"), 17},     {SKEP_STR_INIT("critical"), 18},
        {SKEP_STR_INIT("crit"), 18},       {SKEP_STR_INIT("alert"), 19},
        {SKEP_STR_INIT("fatal"), 21},      {SKEP_STR_INIT("panic"), 21},
        {SKEP_STR_INIT("emergency"), 22},  {SKEP_STR_INIT("emerg"), 22},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(words); i++) {
        if (skep_str_ieq(word, words[i].word)) {
            *ret = words[i].severity;
            return true;
        }
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What may stand before the level: a time, in brackets or not, and blanks. */
static skep_str behind_time(skep_str s)
{
    enum { TIME_BYTES_MAX = 40 };
    skep_str t = s;
    size_t n = 0, digits = 0;
    while (t.n && (t.p[0] == ' ' || t.p[0] == '['))
        t = skep_str_skip(t, 1);
    for (; n < t.n && n < TIME_BYTES_MAX; n++) {
        char c = t.p[n];
        bool in_time = is_digit(c) || c == '-' || c == ':' || c == '.' || c == ',' || c == '/' ||
                       c == '+' || c == ' ' ||
                       ((c == 'T' || c == 'Z') && n && is_digit(t.p[n - 1]));
        if (!in_time)
            break;
        digits += is_digit(c);
    }
    if (digits < 6)
        return s;
    t = skep_str_skip(t, n);
    while (t.n && (t.p[0] == ']' || t.p[0] == ' ' || t.p[0] == '|' || t.p[0] == '-'))
        t = skep_str_skip(t, 1);
    return t;
}

static void look_for_level(skep_str s, struct skep_logs__says *says)
{
    enum { WORD_BYTES_MAX = 12 };
    uint8_t severity = 0;
    size_t n = 0;
    bool capital = true;
    s = behind_time(s);
    bool bracket = s.n && (s.p[0] == '[' || s.p[0] == '<' || s.p[0] == '(');
    if (bracket)
        s = skep_str_skip(s, 1);
    for (; n < s.n && n <= WORD_BYTES_MAX && is_letter(s.p[n]); n++)
        capital = capital && s.p[n] <= 'Z';
    if (n < 3 || !skep_logs__level((skep_str){s.p, n}, &severity))
        return;
    skep_str rest = skep_str_skip(s, n);
    char next = rest.n ? rest.p[0] : '\0';
    bool closed = bracket && (next == ']' || next == '>' || next == ')');
    bool marked = next == ':' || next == '|' || skep_str_starts(rest, SKEP_STR(" - ")) ||
                  skep_str_starts(rest, SKEP_STR(" | "));
    bool alone =
        capital && !bracket &&
        (next == ' ' || next == '\t' || next == '\0' || next == '\n' || next == ',' || next == ']');
    if (!closed && !(marked && !bracket) && !alone)
        return;
    says->severity = severity;
    says->severity_text = (skep_str){s.p, n};
}

// --- traces ------------------------------------------------------------------------------------

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t hex_run(skep_str s, size_t at)
{
    size_t n = 0;
    while (at + n < s.n && is_hex(s.p[at + n]))
        n++;
    return n;
}

static void take_span(skep_str hex, struct skep_logs__says *says)
{
    uint8_t b[8];
    if (hex.n == 16 && skep_hex_decode(hex, b, sizeof b))
        says->span_id = skep_load_le64(b);
}

static bool take_trace(skep_str hex, struct skep_logs__says *says)
{
    static const skep_trace_id none;
    skep_trace_id id;
    if (hex.n != 32 || !skep_hex_decode(hex, id.b, sizeof id.b) ||
        memcmp(&id, &none, sizeof id) == 0)
        return false;
    says->trace_id = id;
    return true;
}

/* "1-5759e988-bd86..." at `at`, the length of its middle known. */
static bool xray_at(skep_str s, size_t at, struct skep_logs__says *says)
{
    char hex[32];
    if (at < 2 || s.p[at - 1] != '-' || s.p[at - 2] != '1' || (at > 2 && is_hex(s.p[at - 3])))
        return false;
    if (at + 8 >= s.n || s.p[at + 8] != '-' || hex_run(s, at + 9) != 24)
        return false;
    memcpy(hex, s.p + at, 8);
    memcpy(hex + 8, s.p + at + 9, 24);
    if (!take_trace((skep_str){hex, sizeof hex}, says))
        return false;
    skep_str rest = skep_str_skip(s, at + 33);
    const skep_str parent = SKEP_STR(";Parent=");
    if (skep_str_starts(rest, parent) && hex_run(rest, parent.n) == 16)
        take_span((skep_str){rest.p + parent.n, 16}, says);
    return true;
}

/* "00-<32>-<16>-01" whose long part is at `at`. */
static bool parent_at(skep_str s, size_t at, struct skep_logs__says *says)
{
    size_t span = at + 33;
    if (at < 3 || s.p[at - 1] != '-' || !is_hex(s.p[at - 2]) || !is_hex(s.p[at - 3]))
        return false;
    if (at > 3 && is_hex(s.p[at - 4]))
        return false;
    if (span > s.n || s.p[at + 32] != '-' || hex_run(s, span) != 16 || span + 16 >= s.n ||
        s.p[span + 16] != '-' || hex_run(s, span + 17) != 2)
        return false;
    if (!take_trace((skep_str){s.p + at, 32}, says))
        return false;
    take_span((skep_str){s.p + span, 16}, says);
    return true;
}

/* Is what stands before `at` a name that ends so (letters alone, any case), then = or : and quotes?
 */
static bool named(skep_str s, size_t at, skep_str name)
{
    size_t i = at, k = name.n;
    unsigned marks = 0;
    while (i > 0 && (s.p[i - 1] == '"' || s.p[i - 1] == '\'' || s.p[i - 1] == ' ' ||
                     s.p[i - 1] == '=' || s.p[i - 1] == ':')) {
        marks += s.p[i - 1] == '=' || s.p[i - 1] == ':';
        i--;
    }
    if (marks != 1 || at - i > 6)
        return false;
    while (i > 0 && k > 0) {
        char c = s.p[i - 1];
        if (c == '_' || c == '-' || c == '.') {
            i--;
            continue;
        }
        c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (c != name.p[k - 1])
            return false;
        i--;
        k--;
    }
    return k == 0;
}

/* A run of hex digits: true when it is the end of the search. */
static bool look_at_run(skep_str s, size_t at, size_t n, struct skep_logs__says *says)
{
    if (n == 8 && xray_at(s, at, says)) /* "Self=" is the load balancer's own: go on */
        return !(at >= 7 && memcmp(s.p + at - 7, "Self=", 5) == 0);
    if (n == 16 && says->span_id == 0 &&
        (named(s, at, SKEP_STR("spanid")) || named(s, at, SKEP_STR("parent"))))
        take_span((skep_str){s.p + at, n}, says);
    if (n != 32)
        return false;
    if (parent_at(s, at, says))
        return true;
    if (named(s, at, SKEP_STR("traceid")))
        (void)take_trace((skep_str){s.p + at, n}, says);
    return false;
}

static bool has_trace(const struct skep_logs__says *says)
{
    static const skep_trace_id none;
    return memcmp(&says->trace_id, &none, sizeof none) != 0;
}

static void look_for_trace(skep_str s, struct skep_logs__says *says)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = hex_run(s, i);
        if (n >= 8 && look_at_run(s, i, n, says))
            return;
        i += n + 1;
    }
    if (!has_trace(says))
        says->span_id = 0; /* a span of nothing */
}

bool skep_logs__trace(skep_str text, struct skep_logs__says *says)
{
    struct skep_logs__says found = {0};
    text = skep_str_trim(text);
    if (!take_trace(text, &found)) {
        look_for_trace(text, &found);
        if (!has_trace(&found))
            return false;
    }
    says->trace_id = found.trace_id;
    if (found.span_id)
        says->span_id = found.span_id;
    return true;
}

void skep_logs__look(skep_str message, struct skep_logs__says *says)
{
    if (says->severity == 0)
        look_for_level(message, says);
    if (!has_trace(says))
        look_for_trace(message, says);
}
