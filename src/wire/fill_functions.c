// SPDX-License-Identifier: Apache-2.0
/* The functions of templates (fill.h): a row each.  Threads: any. */
#include <inttypes.h>

#include "base/assert.h"
#include "wire/fill_priv.h"
#include "wire/json_out.h"

enum { TEXT_MAX = 1 << 20 };

/* Empty for anything but a text: lists have a length, too. */
static skep_str str_of(yyjson_mut_val *v)
{
    return yyjson_mut_is_str(v) ? (skep_str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)}
                                : SKEP_STR("");
}

yyjson_mut_val *skep_fill__text(yyjson_mut_doc *doc, skep_str s)
{
    return yyjson_mut_strncpy(doc, s.p ? s.p : "", s.n);
}

bool skep_fill__true(yyjson_mut_val *v)
{
    if (yyjson_mut_is_bool(v))
        return yyjson_mut_get_bool(v);
    if (yyjson_mut_is_num(v))
        return yyjson_mut_get_num(v) != 0;
    if (yyjson_mut_is_str(v))
        return yyjson_mut_get_len(v) > 0;
    return v && !yyjson_mut_is_null(v) && yyjson_mut_get_len(v) > 0; /* lists, objects */
}

/* --- printing ------------------------------------------------------------------------------------
 */

static void put_number(struct skep_buf *out, yyjson_mut_val *v)
{
    char text[SKEP_JSON_NUMBER_BYTES];
    if (yyjson_mut_is_uint(v))
        skep_buf_printf(out, "%" PRIu64, yyjson_mut_get_uint(v));
    else if (yyjson_mut_is_sint(v))
        skep_buf_printf(out, "%" PRId64, yyjson_mut_get_sint(v));
    else {
        skep_str s = {text, skep_json_f64_text(yyjson_mut_get_real(v), text)};
        skep_buf_str(out, skep_str_ends(s, SKEP_STR(".0")) ? (skep_str){s.p, s.n - 2} : s);
    }
}

static void put_json(struct skep_buf *out, yyjson_mut_doc *doc, yyjson_mut_val *v)
{
    size_t n = 0;
    char *text = v ? yyjson_mut_val_write_opts(v, 0, &doc->alc, &n, NULL) : NULL;
    skep_buf_str(out, text ? (skep_str){text, n} : SKEP_STR("null"));
    if (text)
        doc->alc.free(doc->alc.ctx, text);
}

void skep_fill__print(struct skep_buf *out, yyjson_mut_doc *doc, yyjson_mut_val *v)
{
    if (yyjson_mut_is_str(v))
        skep_buf_str(out, str_of(v));
    else if (yyjson_mut_is_num(v))
        put_number(out, v);
    else if (v == NULL || yyjson_mut_is_null(v))
        skep_buf_str(out, SKEP_STR("<no value>"));
    else
        put_json(out, doc, v);
}

/* What was printed, as a value. */
static yyjson_mut_val *taken(yyjson_mut_doc *doc, struct skep_buf *buf)
{
    yyjson_mut_val *v = skep_fill__text(doc, skep_buf_text(buf));
    skep_buf_done(buf);
    return v;
}

static yyjson_mut_val *print(struct skep_fill__args *a)
{
    struct skep_buf buf;
    skep_buf_init(&buf, TEXT_MAX);
    for (size_t i = 0; i < a->n; i++) {
        /* Go: blanks between operands when neither is a string. */
        if (i > 0 && !yyjson_mut_is_str(a->v[i]) && !yyjson_mut_is_str(a->v[i - 1]))
            skep_buf_u8(&buf, ' ');
        skep_fill__print(&buf, a->doc, a->v[i]);
    }
    return taken(a->doc, &buf);
}

static yyjson_mut_val *to_json(struct skep_fill__args *a)
{
    struct skep_buf buf;
    skep_buf_init(&buf, TEXT_MAX);
    put_json(&buf, a->doc, a->v[0]);
    return taken(a->doc, &buf);
}

static void put_quoted(struct skep_buf *buf, yyjson_mut_doc *doc, yyjson_mut_val *v)
{
    struct skep_buf plain;
    struct skep_json json;
    skep_buf_init(&plain, TEXT_MAX);
    skep_fill__print(&plain, doc, v);
    skep_json_init(&json, buf);
    skep_json_str(&json, skep_buf_text(&plain));
    skep_buf_done(&plain);
}

static yyjson_mut_val *quote(struct skep_fill__args *a)
{
    struct skep_buf buf;
    skep_buf_init(&buf, TEXT_MAX);
    put_quoted(&buf, a->doc, a->v[0]);
    return taken(a->doc, &buf);
}

/* One verb, of which *at is behind the '%'; false: it is none that is known. */
static bool put_verb(struct skep_buf *buf, yyjson_mut_doc *doc, skep_str format, size_t *at,
                     yyjson_mut_val *v)
{
    bool sharp = *at < format.n && format.p[*at] == '#';
    *at += sharp;
    unsigned digits = 6;
    if (*at + 1 < format.n && format.p[*at] == '.' && format.p[*at + 1] >= '0' &&
        format.p[*at + 1] <= '9') {
        digits = (unsigned)(format.p[*at + 1] - '0');
        *at += 2;
    }
    char verb = *at < format.n ? format.p[(*at)++] : '\0';
    switch (verb) {
    case 'f': skep_buf_printf(buf, "%.*f", (int)digits, yyjson_mut_get_num(v)); return true;
    case 'q': put_quoted(buf, doc, v); return true;
    case 'v':
        if (sharp && yyjson_mut_is_str(v))
            put_quoted(buf, doc, v);
        else if (sharp)
            put_json(buf, doc, v);
        else
            skep_fill__print(buf, doc, v);
        return true;
    case 's':
    case 'd':
    case 'g':
    case 't': skep_fill__print(buf, doc, v); return true;
    default: return false;
    }
}

static yyjson_mut_val *print_format(struct skep_fill__args *a)
{
    struct skep_buf buf;
    size_t used = 1;
    if (!yyjson_mut_is_str(a->v[0])) {
        a->bad = "printf wants a string first";
        return NULL;
    }
    skep_str format = str_of(a->v[0]);
    skep_buf_init(&buf, TEXT_MAX);
    for (size_t i = 0; i < format.n && !a->bad;) {
        char c = format.p[i++];
        if (c == '%' && i < format.n && format.p[i] == '%')
            i++;
        else if (c == '%') {
            yyjson_mut_val *v = used < a->n ? a->v[used++] : NULL;
            if (!put_verb(&buf, a->doc, format, &i, v))
                a->bad = "printf knows %v %s %d %f %g %q %#v %t and %%";
            continue;
        }
        skep_buf_u8(&buf, (uint8_t)c);
    }
    return taken(a->doc, &buf);
}

/* --- comparing -----------------------------------------------------------------------------------
 */

/* <0, 0, >0; false: of different kinds. */
static bool compare(yyjson_mut_val *x, yyjson_mut_val *y, int *ret)
{
    if (yyjson_mut_is_num(x) && yyjson_mut_is_num(y)) {
        double a = yyjson_mut_get_num(x), b = yyjson_mut_get_num(y);
        *ret = (a > b) - (a < b);
        return true;
    }
    if (yyjson_mut_is_str(x) && yyjson_mut_is_str(y)) {
        *ret = skep_str_cmp(str_of(x), str_of(y));
        return true;
    }
    return false;
}

static bool equal(yyjson_mut_val *x, yyjson_mut_val *y)
{
    int order;
    if (compare(x, y, &order))
        return order == 0;
    return x && y && yyjson_mut_equals(x, y);
}

static yyjson_mut_val *eq(struct skep_fill__args *a)
{
    bool same = false;
    for (size_t i = 1; i < a->n; i++)
        same = same || equal(a->v[0], a->v[i]);
    return yyjson_mut_bool(a->doc, same);
}

static yyjson_mut_val *ne(struct skep_fill__args *a)
{
    return yyjson_mut_bool(a->doc, !equal(a->v[0], a->v[1]));
}

static int order_of(struct skep_fill__args *a)
{
    int order = 0;
    if (!compare(a->v[0], a->v[1], &order))
        a->bad = "these two cannot be compared";
    return order;
}
static yyjson_mut_val *lt(struct skep_fill__args *a)
{
    return yyjson_mut_bool(a->doc, order_of(a) < 0);
}
static yyjson_mut_val *le(struct skep_fill__args *a)
{
    return yyjson_mut_bool(a->doc, order_of(a) <= 0);
}
static yyjson_mut_val *gt(struct skep_fill__args *a)
{
    return yyjson_mut_bool(a->doc, order_of(a) > 0);
}
static yyjson_mut_val *ge(struct skep_fill__args *a)
{
    return yyjson_mut_bool(a->doc, order_of(a) >= 0);
}

/* Go: the first that is false, or the last; the first that is true, or the last. */
static yyjson_mut_val *all_of(struct skep_fill__args *a)
{
    for (size_t i = 0; i + 1 < a->n; i++)
        if (!skep_fill__true(a->v[i]))
            return a->v[i];
    return a->v[a->n - 1];
}
static yyjson_mut_val *any_of(struct skep_fill__args *a)
{
    for (size_t i = 0; i + 1 < a->n; i++)
        if (skep_fill__true(a->v[i]))
            return a->v[i];
    return a->v[a->n - 1];
}
static yyjson_mut_val * not(struct skep_fill__args * a)
{
    return yyjson_mut_bool(a->doc, !skep_fill__true(a->v[0]));
}

/* --- lists and texts -----------------------------------------------------------------------------
 */

static yyjson_mut_val *len(struct skep_fill__args *a)
{
    if (a->v[0] && !yyjson_mut_is_ctn(a->v[0]) && !yyjson_mut_is_str(a->v[0]))
        a->bad = "len wants a list or a string";
    return yyjson_mut_uint(a->doc, yyjson_mut_get_len(a->v[0]));
}

static yyjson_mut_val *element(struct skep_fill__args *a)
{
    yyjson_mut_val *v = a->v[0];
    for (size_t i = 1; i < a->n; i++) {
        if (yyjson_mut_is_arr(v) && yyjson_mut_is_int(a->v[i]))
            v = yyjson_mut_arr_get(v, (size_t)yyjson_mut_get_uint(a->v[i]));
        else if (yyjson_mut_is_obj(v) && yyjson_mut_is_str(a->v[i]))
            v = yyjson_mut_obj_getn(v, yyjson_mut_get_str(a->v[i]), yyjson_mut_get_len(a->v[i]));
        else
            return NULL;
    }
    return v;
}

static yyjson_mut_val *cased(struct skep_fill__args *a, char from, char to)
{
    struct skep_buf buf;
    skep_str s = str_of(a->v[0]);
    skep_buf_init(&buf, TEXT_MAX);
    for (size_t i = 0; i < s.n; i++) {
        bool letter = s.p[i] >= from && s.p[i] <= to;
        skep_buf_u8(&buf, (uint8_t)(letter ? s.p[i] ^ 0x20 : s.p[i]));
    }
    return taken(a->doc, &buf);
}
static yyjson_mut_val *lower(struct skep_fill__args *a)
{
    return cased(a, 'A', 'Z');
}
static yyjson_mut_val *upper(struct skep_fill__args *a)
{
    return cased(a, 'a', 'z');
}
static yyjson_mut_val *trim(struct skep_fill__args *a)
{
    return skep_fill__text(a->doc, skep_str_trim(str_of(a->v[0])));
}

/* join ", " .List, and .List | join ", " */
static yyjson_mut_val *join(struct skep_fill__args *a)
{
    size_t i, n;
    struct skep_buf buf;
    yyjson_mut_val *item;
    skep_buf_init(&buf, TEXT_MAX);
    yyjson_mut_arr_foreach(a->v[1], i, n, item)
    {
        if (i > 0)
            skep_buf_str(&buf, str_of(a->v[0]));
        skep_fill__print(&buf, a->doc, item);
    }
    return taken(a->doc, &buf);
}

static yyjson_mut_val *replace(struct skep_fill__args *a)
{
    struct skep_buf buf;
    skep_str old = str_of(a->v[0]), new = str_of(a->v[1]), s = str_of(a->v[2]);
    skep_buf_init(&buf, TEXT_MAX);
    while (s.n) {
        size_t at = old.n ? skep_str_find(s, old) : SIZE_MAX;
        skep_buf_str(&buf, at == SIZE_MAX ? s : (skep_str){s.p, at});
        if (at == SIZE_MAX)
            break;
        skep_buf_str(&buf, new);
        s = skep_str_skip(s, at + old.n);
    }
    return taken(a->doc, &buf);
}

static yyjson_mut_val *contains(struct skep_fill__args *a)
{
    return yyjson_mut_bool(a->doc, skep_str_find(str_of(a->v[1]), str_of(a->v[0])) != SIZE_MAX);
}
static yyjson_mut_val *has_prefix(struct skep_fill__args *a)
{
    return yyjson_mut_bool(a->doc, skep_str_starts(str_of(a->v[1]), str_of(a->v[0])));
}
static yyjson_mut_val *has_suffix(struct skep_fill__args *a)
{
    return yyjson_mut_bool(a->doc, skep_str_ends(str_of(a->v[1]), str_of(a->v[0])));
}
static yyjson_mut_val *or_default(struct skep_fill__args *a)
{
    return skep_fill__true(a->v[1]) ? a->v[1] : a->v[0];
}

static const struct skep_fill__function functions[] = {
    {"and", 1, SKEP_FILL__ARGS, all_of},
    {"contains", 2, 2, contains},
    {"default", 2, 2, or_default},
    {"eq", 2, SKEP_FILL__ARGS, eq},
    {"ge", 2, 2, ge},
    {"gt", 2, 2, gt},
    {"hasPrefix", 2, 2, has_prefix},
    {"hasSuffix", 2, 2, has_suffix},
    {"index", 1, SKEP_FILL__ARGS, element},
    {"join", 2, 2, join},
    {"le", 2, 2, le},
    {"len", 1, 1, len},
    {"lower", 1, 1, lower},
    {"lt", 2, 2, lt},
    {"ne", 2, 2, ne},
    {"not", 1, 1, not },
    {"or", 1, SKEP_FILL__ARGS, any_of},
    {"print", 0, SKEP_FILL__ARGS, print},
    {"printf", 1, SKEP_FILL__ARGS, print_format},
    {"quote", 1, 1, quote},
    {"replace", 3, 3, replace},
    {"toJson", 1, 1, to_json},
    {"trim", 1, 1, trim},
    {"upper", 1, 1, upper},
};

const struct skep_fill__function *skep_fill__function(skep_str name)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(functions); i++)
        if (skep_str_eq(name, skep_str_c(functions[i].name)))
            return &functions[i];
    return NULL;
}
