// SPDX-License-Identifier: Apache-2.0
/*
 * frames.c - stack traces of compiled programs, as the sanitizers, gdb and glibc write them
 *
 *   #0 0x1394 in total /src/cart.c:12:5
 *   #1 0x2f00 in main (/srv/app+0x2f00) (BuildId: 6f0a)
 *   #2 0x2f00 (/srv/app+0x2f00)
 *   #3  0x00005555 in total (cart=0x0) at src/cart.c:12
 *   ./app(total+0x12) [0x5581c0]
 *
 * Each line is read from its end: names of C++ functions hold blanks and brackets, too.
 *
 * Foreign bytes: whatever they are, frames lie within the text. Threads: no state.
 */
#include "frames.h"

static waggle_str cut_blanks(waggle_str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static bool begins(waggle_str s, const char *with)
{
    size_t n = strlen(with);
    return s.n >= n && memcmp(s.p, with, n) == 0;
}

static waggle_str tail_of(waggle_str s, size_t i)
{
    return (waggle_str){s.p + i, s.n - i};
}

/* Where `what` stands last; SIZE_MAX if nowhere. */
static size_t find_last(waggle_str s, const char *what)
{
    size_t n = strlen(what);
    for (size_t i = s.n < n ? 0 : s.n - n + 1; i-- > 0;)
        if (memcmp(s.p + i, what, n) == 0)
            return i;
    return SIZE_MAX;
}

/* A whole text as a number of that base; false if it is none or too large. */
static bool digits_of(waggle_str s, unsigned base, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = (char)(s.p[i] | 0x20);
        unsigned digit = 99;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        if (digit >= base || v > (UINT64_MAX - digit) / base)
            return false;
        v = v * base + digit;
    }
    *ret = v;
    return s.n > 0;
}

/* ":12" from the end of *s; false, and nothing cut, if there is none. */
static bool cut_number(waggle_str *s, uint32_t *ret)
{
    size_t colon = find_last(*s, ":");
    uint64_t v = 0;
    if (colon == SIZE_MAX || !digits_of(tail_of(*s, colon + 1), 10, &v) || v > UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    s->n = colon;
    return true;
}

/* "file:12" or "file:12:5" */
static bool read_position(waggle_str s, struct waggle__frame *f)
{
    uint32_t last = 0;
    uint32_t before = 0;
    if (!cut_number(&s, &last) || s.n == 0)
        return false;
    bool both = cut_number(&s, &before) && s.n > 0;
    f->line = both ? before : last;
    f->column = both ? last : 0;
    f->file = s;
    return s.n > 0;
}

/* " (KEY...)" from the end of *s, where KEY may be anything: what stands in the brackets. */
static bool cut_brackets(waggle_str *s, waggle_str *ret)
{
    size_t open = find_last(*s, "(");
    if (s->n == 0 || s->p[s->n - 1] != ')' || open == SIZE_MAX ||
        (open > 0 && s->p[open - 1] != ' '))
        return false;
    *ret = (waggle_str){s->p + open + 1, s->n - open - 2};
    s->n = open;
    *s = cut_blanks(*s);
    return true;
}

/* "/srv/app+0x2f00" */
static bool read_module(waggle_str s, struct waggle__frame *f)
{
    size_t plus = find_last(s, "+0x");
    if (plus == SIZE_MAX || plus == 0 || !digits_of(tail_of(s, plus + 3), 16, &f->offset))
        return false;
    f->module = (waggle_str){s.p, plus};
    f->has_offset = true;
    return true;
}

static waggle_str without_arguments(waggle_str s)
{
    size_t open = find_last(s, " (");
    return open == SIZE_MAX ? s : (waggle_str){s.p, open};
}

/* What stands behind "#N ". */
static bool read_numbered(waggle_str s, struct waggle__frame *f)
{
    waggle_str inside;
    s = cut_blanks(s);
    if (begins(s, "0x")) {
        size_t i = 2;
        while (i < s.n && s.p[i] != ' ')
            i++;
        s = cut_blanks(tail_of(s, i));
        if (begins(s, "in "))
            s = cut_blanks(tail_of(s, 3));
        else if (!begins(s, "("))
            return false;
    }
    waggle_str whole = s;
    if (cut_brackets(&s, &inside) && begins(inside, "BuildId: "))
        f->build_id = tail_of(inside, 9);
    else
        s = whole;
    waggle_str rest = s;
    if (cut_brackets(&s, &inside) && read_module(inside, f)) {
        f->function = s;
        return true;
    }
    s = rest;
    size_t at = find_last(s, " at ");
    if (at != SIZE_MAX && read_position(cut_blanks(tail_of(s, at + 4)), f)) {
        f->function = without_arguments((waggle_str){s.p, at});
        return true;
    }
    at = find_last(s, " from ");
    if (at != SIZE_MAX) {
        f->module = cut_blanks(tail_of(s, at + 6));
        f->function = without_arguments((waggle_str){s.p, at});
        return true;
    }
    at = find_last(s, " ");
    if (at != SIZE_MAX && read_position(tail_of(s, at + 1), f)) {
        f->function = cut_blanks((waggle_str){s.p, at});
        return true;
    }
    return false;
}

/* backtrace_symbols(): "./app(total+0x12) [0x5581c0]", "./app(+0x1394) [0x5581c0]" */
static bool read_glibc(waggle_str s, struct waggle__frame *f)
{
    size_t open = find_last(s, "(");
    size_t close = find_last(s, ") [0x");
    if (open == SIZE_MAX || close == SIZE_MAX || open == 0 || close < open)
        return false;
    waggle_str inside = {s.p + open + 1, close - open - 1};
    size_t plus = find_last(inside, "+0x");
    f->module = (waggle_str){s.p, open};
    if (plus == 0)
        f->has_offset = digits_of(tail_of(inside, 3), 16, &f->offset);
    else
        f->function = plus == SIZE_MAX ? inside : (waggle_str){inside.p, plus};
    return memchr(s.p, ' ', open) == NULL;
}

static bool read_frame(waggle_str line, struct waggle__frame *f)
{
    const waggle_str none = {"", 0};
    *f = (struct waggle__frame){.function = none, .file = none, .module = none, .build_id = none};
    line = cut_blanks(line);
    if (!begins(line, "#"))
        return read_glibc(line, f);
    size_t i = 1;
    while (i < line.n && line.p[i] >= '0' && line.p[i] <= '9')
        i++;
    return i > 1 && i < line.n && line.p[i] == ' ' && read_numbered(tail_of(line, i), f);
}

bool waggle__frame_next(waggle_str text, waggle_cursor *cursor, struct waggle__frame *ret_frame)
{
    while (cursor->at < text.n) {
        const char *p = text.p + cursor->at;
        const char *newline = memchr(p, '\n', text.n - cursor->at);
        size_t n = newline != NULL ? (size_t)(newline - p) : text.n - cursor->at;
        cursor->at += n + (newline != NULL);
        if (read_frame((waggle_str){p, n}, ret_frame))
            return true;
    }
    return false;
}

void waggle__frame_write(struct waggle__buf *out, unsigned number, const struct waggle__frame *f)
{
    waggle__buf_printf(out, "    #%u 0x%llx", number, (unsigned long long)f->offset);
    if (f->function.n > 0) {
        waggle__buf_str(out, " in ");
        waggle__buf_put(out, f->function.p, f->function.n);
    }
    if (f->file.n > 0) {
        waggle__buf_put(out, " ", 1);
        waggle__buf_put(out, f->file.p, f->file.n);
        waggle__buf_printf(out, ":%u", f->line);
    } else if (f->module.n > 0) {
        waggle__buf_str(out, " (");
        waggle__buf_put(out, f->module.p, f->module.n);
        waggle__buf_printf(out, "+0x%llx)", (unsigned long long)f->offset);
        if (f->build_id.n > 0) {
            waggle__buf_str(out, " (BuildId: ");
            waggle__buf_put(out, f->build_id.p, f->build_id.n);
            waggle__buf_put(out, ")", 1);
        }
    }
    waggle__buf_put(out, "\n", 1);
}
