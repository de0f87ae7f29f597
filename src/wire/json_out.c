// SPDX-License-Identifier: Apache-2.0
/* JSON writer.
 *
 * One bit per level says whether it is an object and whether it has an item yet, so the writer
 * knows where commas belong and asserts that keys stand only in objects.  Doubles go through
 * yyjson, whose writer gives the shortest text that reads back the same, in no locale.
 *
 * I1  a value stands in an object only behind its key, a key only in an object
 * I2  what is written is valid UTF-8: foreign bytes become U+FFFD, control characters \u escapes
 *
 * Threads: none of its own.  Memory: only the buffer given. */
#include "wire/json_out.h"

#include <math.h>
#include <yyjson.h>

#include "base/assert.h"

void skep_json_init(struct skep_json *j, struct skep_buf *out)
{
    skep_assert(out != NULL);
    *j = (struct skep_json){.out = out};
}

/* What stands before a value: the comma of its array. */
static void before_value(struct skep_json *j)
{
    uint32_t bit = 1u << j->depth;
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    skep_assert(!(j->is_object & bit)); /* I1 */
    if (j->depth && (j->has_item & bit))
        skep_buf_u8(j->out, ',');
    j->has_item |= bit;
}

static void begin(struct skep_json *j, bool object)
{
    before_value(j);
    skep_assert(j->depth + 1 < SKEP_JSON_DEPTH_MAX);
    j->depth++;
    uint32_t bit = 1u << j->depth;
    j->is_object = object ? j->is_object | bit : j->is_object & ~bit;
    j->has_item &= ~bit;
    skep_buf_u8(j->out, object ? '{' : '[');
}

void skep_json_object(struct skep_json *j)
{
    begin(j, true);
}

void skep_json_array(struct skep_json *j)
{
    begin(j, false);
}

void skep_json_end(struct skep_json *j)
{
    skep_assert(j->depth > 0);
    skep_assert(!j->after_key);
    skep_buf_u8(j->out, (j->is_object >> j->depth) & 1 ? '}' : ']');
    j->is_object &= ~(1u << j->depth);
    j->depth--;
}

/* Length of the well-formed UTF-8 sequence at s, or 0. */
static size_t sequence(skep_str s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n > s.n || !skep_utf8_valid((skep_str){s.p, n}))
        return 0;
    return n;
}

static void escape(struct skep_buf *out, unsigned char c)
{
    static const char short_form[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    static const char digits[] = "0123456789abcdef";
    if (c == '"' || c == '\\') {
        skep_buf_put(out, (const char[]){'\\', (char)c}, 2);
        return;
    }
    if (c < 32 && short_form[c]) {
        skep_buf_put(out, (const char[]){'\\', short_form[c]}, 2);
        return;
    }
    skep_buf_put(out, (const char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
}

static void quoted(struct skep_buf *out, skep_str s)
{
    size_t from = 0, i = 0;
    skep_buf_u8(out, '"');
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        if (SKEP_LIKELY(c >= 32 && c < 127 && c != '"' && c != '\\')) {
            i++;
            continue;
        }
        size_t n = c < 0x80 ? 0 : sequence(skep_str_skip(s, i));
        if (n) {
            i += n;
            continue;
        }
        skep_buf_put(out, s.p + from, i - from);
        if (c < 0x80)
            escape(out, c);
        else
            skep_buf_put(out, "\xef\xbf\xbd", 3); /* I2 */
        from = ++i;
    }
    skep_buf_put(out, s.p + from, i - from);
    skep_buf_u8(out, '"');
}

void skep_json_key(struct skep_json *j, skep_str key)
{
    uint32_t bit = 1u << j->depth;
    skep_assert(j->is_object & bit);
    skep_assert(!j->after_key);
    if (j->has_item & bit)
        skep_buf_u8(j->out, ',');
    j->has_item |= bit;
    quoted(j->out, key);
    skep_buf_u8(j->out, ':');
    j->after_key = true;
}

void skep_json_str(struct skep_json *j, skep_str s)
{
    before_value(j);
    quoted(j->out, s);
}

/* Decimal digits of v, right-aligned in d[20]; returns the index of the first. */
static unsigned digits_of(uint64_t v, char d[20])
{
    unsigned at = 20;
    do {
        d[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return at;
}

static void put_u64(struct skep_buf *out, uint64_t v)
{
    char d[20];
    unsigned at = digits_of(v, d);
    skep_buf_put(out, d + at, 20 - at);
}

static void put_i64(struct skep_buf *out, int64_t v)
{
    if (v < 0)
        skep_buf_u8(out, '-');
    put_u64(out, v < 0 ? ~(uint64_t)v + 1 : (uint64_t)v);
}

void skep_json_i64(struct skep_json *j, int64_t v)
{
    before_value(j);
    put_i64(j->out, v);
}

void skep_json_u64(struct skep_json *j, uint64_t v)
{
    before_value(j);
    put_u64(j->out, v);
}

void skep_json_i64_str(struct skep_json *j, int64_t v)
{
    before_value(j);
    skep_buf_u8(j->out, '"');
    put_i64(j->out, v);
    skep_buf_u8(j->out, '"');
}

size_t skep_json_f64_text(double v, char out[SKEP_JSON_NUMBER_BYTES])
{
    char pool[512];
    yyjson_alc alc;
    yyjson_val val = {0};
    size_t n = 0;

    if (!isfinite(v))
        return 0;
    skep_assert(yyjson_alc_pool_init(&alc, pool, sizeof pool));
    val.tag = YYJSON_TYPE_NUM | YYJSON_SUBTYPE_REAL;
    val.uni.f64 = v;
    char *text = yyjson_val_write_opts(&val, 0, &alc, &n, NULL);
    skep_assert(text != NULL);
    skep_assert(n > 0 && n < SKEP_JSON_NUMBER_BYTES);
    memcpy(out, text, n);
    return n;
}

void skep_json_f64(struct skep_json *j, double v)
{
    char text[SKEP_JSON_NUMBER_BYTES];
    size_t n = skep_json_f64_text(v, text);
    if (n == 0) {
        skep_json_null(j);
        return;
    }
    before_value(j);
    skep_buf_put(j->out, text, n);
}

void skep_json_bool(struct skep_json *j, bool v)
{
    before_value(j);
    skep_buf_str(j->out, v ? SKEP_STR("true") : SKEP_STR("false"));
}

void skep_json_null(struct skep_json *j)
{
    before_value(j);
    skep_buf_str(j->out, SKEP_STR("null"));
}

void skep_json_raw(struct skep_json *j, skep_str json)
{
    skep_assert(json.n > 0);
    before_value(j);
    skep_buf_str(j->out, json);
}

void skep_json_put_str(struct skep_json *j, skep_str key, skep_str v)
{
    skep_json_key(j, key);
    skep_json_str(j, v);
}

void skep_json_put_i64(struct skep_json *j, skep_str key, int64_t v)
{
    skep_json_key(j, key);
    skep_json_i64(j, v);
}

void skep_json_put_u64(struct skep_json *j, skep_str key, uint64_t v)
{
    skep_json_key(j, key);
    skep_json_u64(j, v);
}

void skep_json_put_f64(struct skep_json *j, skep_str key, double v)
{
    skep_json_key(j, key);
    skep_json_f64(j, v);
}

void skep_json_put_bool(struct skep_json *j, skep_str key, bool v)
{
    skep_json_key(j, key);
    skep_json_bool(j, v);
}

void skep_json_put_i64_str(struct skep_json *j, skep_str key, int64_t v)
{
    skep_json_key(j, key);
    skep_json_i64_str(j, v);
}
