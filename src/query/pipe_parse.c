// SPDX-License-Identifier: Apache-2.0
/* Stages that take texts and documents apart: parse by glob, expression, logfmt, CSV; unnest.
 * A row that does not match goes on without the fields.
 * Threads: the run's.  Memory: the run's scratch; rows that become several go on in batches of the
 * stage's own. */
#include <yyjson.h>

#include "base/assert.h"
#include "query/pipe_priv.h"
#include "wire/json_out.h"

static skep_value text_value(skep_str s)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = s};
}

static void set_none(const struct skep_pipe_stage *s, struct skep_pipe__batch *b, unsigned row)
{
    for (unsigned i = 0; i < s->n_slots; i++)
        b->columns[s->slots[i]][row] = (skep_value){.type = SKEP_TYPE_NULL};
}

static void glob(const struct skep_pipe_stage *s, struct skep_pipe__batch *b, unsigned row,
                 skep_str text, skep_str *room)
{
    if (!skep_calc_glob(s->pieces, s->n_slots, text, room))
        return;
    for (unsigned i = 0; i < s->n_slots; i++)
        b->columns[s->slots[i]][row] = text_value(room[i]);
}

static void put_groups(const struct skep_pipe_stage *s, struct skep_pipe__batch *b, unsigned row,
                       skep_str text, const size_t *spans)
{
    for (unsigned i = 0; i < s->n_slots; i++) {
        const size_t *g = spans + 2 * s->groups[i];
        if (g[0] == SIZE_MAX)
            b->columns[s->slots[i]][row] = (skep_value){.type = SKEP_TYPE_NULL};
        else
            b->columns[s->slots[i]][row] = text_value((skep_str){text.p + g[0], g[1] - g[0]});
    }
}

static void regex(struct skep_pipe__run *r, const struct skep_pipe_stage *s,
                  struct skep_pipe__batch *b, unsigned row, skep_str text)
{
    size_t spans[2 * (SKEP_LIMIT_REGEX_GROUPS + 1)];
    bool found = false;
    if (skep_regex_find(s->regex, text, 0, 0, spans, &found) != SKEP_OK)
        r->calc.too_slow = true;
    else if (found)
        put_groups(s, b, row, text, spans);
}

/* The field at hand, quotes taken off ("" inside is one); moves behind the comma. */
static skep_str csv_field(struct skep_pipe__run *r, skep_str *rest)
{
    if (rest->n == 0 || rest->p[0] != '"')
        return skep_str_cut(rest, ',');
    char *out = skep_arena_try_alloc(&r->scratch, rest->n);
    size_t n = 0, i = 1;
    if (!out) {
        r->calc.short_of_memory = true;
        return SKEP_STR_NULL;
    }
    for (; i < rest->n; i++) {
        if (rest->p[i] == '"' && (i + 1 >= rest->n || rest->p[i + 1] != '"'))
            break;
        i += rest->p[i] == '"';
        out[n++] = rest->p[i];
    }
    *rest = skep_str_skip(*rest, SKEP_MIN(i + 1, rest->n));
    (void)skep_str_cut(rest, ','); /* what stands behind the quote is dropped */
    return (skep_str){out, n};
}

static void csv(struct skep_pipe__run *r, const struct skep_pipe_stage *s,
                struct skep_pipe__batch *b, unsigned row, skep_str text)
{
    skep_str rest = text;
    for (unsigned i = 0; i < s->n_slots && rest.p; i++)
        b->columns[s->slots[i]][row] = text_value(csv_field(r, &rest));
}

/* A key=value of logfmt; false at the end.  Values may stand in quotes with \ escapes. */
static bool logfmt_pair(skep_str *rest, skep_str *key, skep_str *value, bool *ret_quoted)
{
    *rest = skep_str_trim(*rest);
    size_t n = 0;
    if (rest->n == 0)
        return false;
    while (n < rest->n && rest->p[n] != '=' && rest->p[n] != ' ')
        n++;
    *key = (skep_str){rest->p, n};
    *value = SKEP_STR_NULL;
    *ret_quoted = false;
    if (n == rest->n || rest->p[n] == ' ') {
        *rest = skep_str_skip(*rest, n);
        return true;
    }
    skep_str v = skep_str_skip(*rest, n + 1);
    size_t end = 0;
    if (v.n > 0 && v.p[0] == '"') {
        for (end = 1; end < v.n && v.p[end] != '"'; end++)
            end += v.p[end] == '\\';
        end = SKEP_MIN(end, v.n);
        *value = (skep_str){v.p + 1, end - 1};
        *ret_quoted = true;
        *rest = skep_str_skip(v, SKEP_MIN(end + 1, v.n));
        return true;
    }
    while (end < v.n && v.p[end] != ' ')
        end++;
    *value = (skep_str){v.p, end};
    *rest = skep_str_skip(v, end);
    return true;
}

static void put_unescaped(struct skep_json *json, skep_str s, struct skep_buf *room)
{
    skep_buf_reset(room);
    for (size_t i = 0; i < s.n; i++) {
        i += s.p[i] == '\\' && i + 1 < s.n;
        skep_buf_u8(room, (uint8_t)s.p[i]);
    }
    skep_json_str(json, skep_buf_text(room));
}

static void logfmt(struct skep_pipe__run *r, const struct skep_pipe_stage *s,
                   struct skep_pipe__batch *b, unsigned row, skep_str text)
{
    struct skep_buf out, room;
    struct skep_json json;
    skep_str key, value;
    bool is_quoted, any = false;
    skep_value v;
    skep_buf_init(&out, SKEP_LIMIT_CALC_TEXT);
    skep_buf_init(&room, SKEP_LIMIT_CALC_TEXT);
    skep_json_init(&json, &out);
    skep_json_object(&json);
    while (logfmt_pair(&text, &key, &value, &is_quoted)) {
        if (!value.p || key.n == 0)
            continue;
        any = true;
        skep_json_key(&json, key);
        if (is_quoted)
            put_unescaped(&json, value, &room);
        else
            skep_json_str(&json, value);
    }
    skep_json_end(&json);
    v = (skep_value){.type = SKEP_TYPE_ARRAY, .s = skep_buf_text(&out)};
    if (any && !out.bad) {
        bool kept = skep_pipe__keep(&r->scratch, &v, &b->columns[s->slots[0]][row]);
        r->calc.short_of_memory = r->calc.short_of_memory || !kept;
    }
    skep_buf_done(&out);
    skep_buf_done(&room);
}

/* A row of the batch into the stage's own batch, which goes on when it is full. */
static skep_rc copy_row(struct skep_pipe__run *r, struct skep_pipe__node *n,
                        const struct skep_pipe__batch *b, unsigned row)
{
    struct skep_pipe__batch *out = &n->out;
    if (out->n == SKEP_CALC_ROWS) {
        SKEP_TRY(skep_pipe__push(r, n->next, out));
        out->n = 0;
    }
    for (unsigned s = 0; s < r->p->n_slots; s++)
        out->columns[s][out->n] = b->columns[s][row];
    out->n++;
    return SKEP_OK;
}

static skep_rc every_match(struct skep_pipe__run *r, struct skep_pipe__node *n,
                           struct skep_pipe__batch *b, unsigned row, skep_str text)
{
    size_t spans[2 * (SKEP_LIMIT_REGEX_GROUPS + 1)];
    size_t at = 0, n_found = 0;
    bool found = false, any = false;
    while (at <= text.n) {
        if (skep_regex_find(n->stage->regex, text, at, n_found++, spans, &found) != SKEP_OK)
            r->calc.too_slow = true;
        if (!found || r->calc.too_slow)
            break;
        any = true;
        SKEP_TRY(copy_row(r, n, b, row));
        put_groups(n->stage, &n->out, n->out.n - 1, text, spans);
        at = spans[1] + (spans[1] == spans[0]);
    }
    return any ? SKEP_OK : copy_row(r, n, b, row);
}

static skep_rc own_batch(struct skep_pipe__run *r, struct skep_pipe__node *n)
{
    if (n->out.columns)
        return SKEP_OK;
    return skep_pipe__batch_new(r, &n->arena, &n->out);
}

skep_rc skep_pipe__parse_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                              struct skep_pipe__batch *b)
{
    const struct skep_pipe_stage *s = n->stage;
    const skep_value *of = skep_pipe__eval(r, s->cond, b);
    skep_str *room = skep_arena_try_alloc(&r->scratch, (s->n_slots + 1) * sizeof *room);
    if (!of || !room)
        return skep_pipe__no_memory(r);
    if (s->many)
        SKEP_TRY(own_batch(r, n));
    for (unsigned row = 0; row < b->n; row++) {
        char buf[64];
        skep_str text = skep_calc_text(&of[row], buf);
        bool is_text = of[row].type != SKEP_TYPE_NULL;
        if (text.p == buf) /* a number: its text must outlive this turn */
            text = skep_arena_str(&r->scratch, text);
        set_none(s, b, row);
        if (s->many)
            SKEP_TRY(is_text ? every_match(r, n, b, row, text) : copy_row(r, n, b, row));
        else if (!is_text)
            continue;
        else if (s->op == SKEP_PIPE_PARSE_GLOB)
            glob(s, b, row, text, room);
        else if (s->op == SKEP_PIPE_PARSE_REGEX)
            regex(r, s, b, row, text);
        else if (s->op == SKEP_PIPE_PARSE_CSV)
            csv(r, s, b, row, text);
        else
            logfmt(r, s, b, row, text);
    }
    if (r->calc.short_of_memory)
        return skep_pipe__no_memory(r);
    if (!s->many)
        return skep_pipe__push(r, n->next, b);
    skep_rc rc = skep_pipe__push(r, n->next, &n->out);
    n->out.n = 0;
    return rc;
}

static skep_value element(struct skep_pipe__run *r, yyjson_val *v)
{
    size_t n = 0;
    skep_value x = {.type = SKEP_TYPE_NULL}, kept;
    char *text = NULL;
    if (yyjson_is_str(v))
        x = text_value((skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    else if (yyjson_is_bool(v))
        x = (skep_value){.type = SKEP_TYPE_BOOL, .b = yyjson_get_bool(v)};
    else if (yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX))
        x = (skep_value){.type = SKEP_TYPE_INT, .i = yyjson_get_sint(v)};
    else if (yyjson_is_num(v))
        x = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = yyjson_get_num(v)};
    else if (yyjson_is_ctn(v) && (text = yyjson_val_write(v, 0, &n)) != NULL)
        x = (skep_value){.type = SKEP_TYPE_ARRAY, .s = {text, n}};
    if (!skep_pipe__keep(&r->scratch, &x, &kept)) {
        r->calc.short_of_memory = true;
        kept = (skep_value){.type = SKEP_TYPE_NULL};
    }
    free(text); // tidy: allow banned: yyjson's own allocation
    return kept;
}

skep_rc skep_pipe__unnest_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                               struct skep_pipe__batch *b)
{
    const skep_value *of = skep_pipe__eval(r, n->stage->cond, b);
    skep_rc rc = SKEP_OK;
    if (!of)
        return skep_pipe__no_memory(r);
    SKEP_TRY(own_batch(r, n));
    for (unsigned row = 0; row < b->n && rc == SKEP_OK; row++) {
        bool list = of[row].type == SKEP_TYPE_ARRAY;
        yyjson_doc *doc = list ? yyjson_read(of[row].s.p, of[row].s.n, 0) : NULL;
        yyjson_val *root = yyjson_doc_get_root(doc), *item;
        size_t i, max;
        yyjson_arr_foreach(root, i, max, item)
        {
            if (rc == SKEP_OK)
                rc = copy_row(r, n, b, row);
            if (rc == SKEP_OK)
                n->out.columns[n->stage->slots[0]][n->out.n - 1] = element(r, item);
        }
        yyjson_doc_free(doc);
    }
    SKEP_TRY(rc);
    if (r->calc.short_of_memory)
        return skep_pipe__no_memory(r);
    rc = skep_pipe__push(r, n->next, &n->out);
    n->out.n = 0;
    return rc;
}
