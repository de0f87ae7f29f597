// SPDX-License-Identifier: Apache-2.0
/* Text for terminals: foreign bytes made harmless, cells of a fixed width, readable numbers.
 * Threads: none of its own. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "server/cli.h"

/* Length of the well-formed sequence at s; 0 when there is none. */
static size_t sequence(skep_str s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n <= s.n && skep_utf8_valid((skep_str){s.p, n}) ? n : 0;
}

/* C0, DEL and the C1 controls, which some terminals obey even in UTF-8. */
static bool is_control(skep_str s, size_t n)
{
    unsigned char c = (unsigned char)s.p[0];
    return c < 32 || c == 127 || (n == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0);
}

static uint32_t code_point(skep_str s, size_t n)
{
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t v = (unsigned char)s.p[0] & first[n];
    for (size_t i = 1; i < n; i++)
        v = v << 6 | ((unsigned char)s.p[i] & 0x3fu);
    return v;
}

/* What turns the reading order of a line, breaks it, or is not seen: text that shows other than it
 * is.  Joiners (U+200C, U+200D) stay: scripts and emoji need them. */
static bool is_deceptive(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {
        {0x061c, 0x061c}, {0x200b, 0x200b}, {0x200e, 0x200f},   {0x2028, 0x202e},
        {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xe0000, 0xe007f},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(ranges); i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

void skep_cli_json_safe(struct skep_buf *out, skep_str json)
{
    while (json.n) {
        size_t n = sequence(json);
        uint32_t c = n ? code_point(json, n) : 0;
        bool newline = n == 1 && (c == '\n' || c == '\r' || c == '\t');
        if (n && (newline || (!is_control(json, n) && !is_deceptive(c)))) {
            skep_buf_put(out, json.p, n);
        } else if (n && c < 0x10000) {
            skep_buf_printf(out, "\\u%04x", c);
        } else if (n) {
            skep_buf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                            0xdc00 + (c & 0x3ff));
        } else {
            skep_buf_str(out, SKEP_STR("\\ufffd"));
            n = 1;
        }
        json = skep_str_skip(json, n);
    }
}

void skep_cli_safe(struct skep_buf *out, skep_str s)
{
    while (s.n) {
        size_t n = sequence(s);
        if (n > 1 && is_deceptive(code_point(s, n))) {
            skep_buf_printf(out, "\\u{%x}", code_point(s, n));
        } else if (n && !is_control(s, n)) {
            skep_buf_put(out, s.p, n);
        } else if (s.p[0] == '\n' || s.p[0] == '\t') {
            skep_buf_str(out, s.p[0] == '\n' ? SKEP_STR("\\n") : SKEP_STR("\\t"));
            n = 1;
        } else {
            n = n ? n : 1;
            for (size_t i = 0; i < n; i++)
                skep_buf_printf(out, "\\x%02x", (unsigned char)s.p[i]);
        }
        s = skep_str_skip(s, n);
    }
}

size_t skep_cli_width(skep_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void blanks(struct skep_buf *out, size_t n)
{
    while (n--)
        skep_buf_u8(out, ' ');
}

void skep_cli_cell(struct skep_buf *out, skep_str s, size_t cells, bool right)
{
    size_t width = skep_cli_width(s);
    if (width > cells) { /* cut at a character, mark the cut */
        size_t keep = 0, seen = 0;
        while (keep < s.n) {
            bool starts = ((unsigned char)s.p[keep] & 0xc0) != 0x80;
            if (starts && ++seen > (cells ? cells - 1 : 0))
                break;
            keep++;
        }
        skep_buf_put(out, s.p, keep);
        if (cells)
            skep_buf_u8(out, '~');
        return;
    }
    if (right)
        blanks(out, cells - width);
    skep_buf_str(out, s);
    if (!right)
        blanks(out, cells - width);
}

/* {"int":"..."} and its siblings show what they hold. */
static yyjson_val *unwrap(yyjson_val *v)
{
    yyjson_obj_iter it;
    if (!yyjson_is_obj(v) || yyjson_obj_size(v) != 1 || !yyjson_obj_iter_init(v, &it))
        return v;
    yyjson_val *inner = yyjson_obj_iter_get_val(yyjson_obj_iter_next(&it));
    return yyjson_is_str(inner) ? inner : v;
}

static void number(struct skep_buf *out, yyjson_val *v)
{
    char text[48];
    int n;
    if (yyjson_is_uint(v)) {
        skep_buf_printf(out, "%llu", (unsigned long long)yyjson_get_uint(v));
        return;
    }
    if (yyjson_is_sint(v)) {
        skep_buf_printf(out, "%lld", (long long)yyjson_get_sint(v));
        return;
    }
    n = snprintf(text, sizeof text, "%.6g", yyjson_get_real(v));
    skep_assert(n > 0 && (size_t)n < sizeof text);
    skep_buf_put(out, text, (size_t)n);
}

void skep_cli_json_text(struct skep_buf *out, yyjson_val *v)
{
    size_t n = 0;
    v = unwrap(v);
    if (yyjson_is_str(v)) {
        skep_cli_safe(out, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    } else if (yyjson_is_num(v)) {
        number(out, v);
    } else if (!v || yyjson_is_null(v)) {
        skep_buf_u8(out, '-');
    } else {
        char *text = yyjson_val_write(v, 0, &n);
        if (text)
            skep_cli_safe(out, (skep_str){text, n});
        skep_free(text);
    }
}

void skep_cli_duration(struct skep_buf *out, int64_t ns)
{
    static const struct {
        double ns;
        const char *unit;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    size_t i = 0;
    if (ns == 0) {
        skep_buf_str(out, SKEP_STR("0"));
        return;
    }
    while (i + 1 < SKEP_ARRAY_LEN(units) && fabs((double)ns) < units[i].ns)
        i++;
    skep_buf_printf(out, "%.3g %s", (double)ns / units[i].ns, units[i].unit);
}

void skep_cli_count(struct skep_buf *out, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            skep_buf_u8(out, ',');
        skep_buf_u8(out, (uint8_t)digits[i]);
    }
}

unsigned skep_cli_columns(void)
{
    struct winsize w;
    uint64_t n;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40)
        return w.ws_col;
    return skep_str_u64(skep_str_c(getenv("COLUMNS")), &n) && n >= 40 && n <= 1000 ? (unsigned)n
                                                                                   : 100;
}

bool skep_cli_is_tty(int fd)
{
    return isatty(fd) == 1;
}

bool skep_cli_print_json(struct skep_buf *json)
{
    struct skep_buf safe;
    skep_buf_init(&safe, json->n * 6 + 64); /* an escape is at most six times its character */
    skep_cli_json_safe(&safe, skep_buf_text(json));
    bool ok = !safe.bad && skep_cli_print(&safe);
    skep_buf_done(&safe);
    skep_buf_reset(json);
    return ok;
}

bool skep_cli_print(struct skep_buf *out)
{
    size_t n = fwrite(out->p, 1, out->n, stdout);
    bool ok = n == out->n && fflush(stdout) == 0;
    skep_buf_reset(out);
    return ok;
}
