// SPDX-License-Identifier: Apache-2.0
/* Templates (fill.h), carried out as they are read: a block is a position in the text, a loop
 * reads its body again.
 *
 *   block   = { text | action } ( end | else | end of the text )
 *   live    false: read, nothing is evaluated or written
 *   check   no data: every branch is read once, calls are checked by name and number of arguments
 *
 * I1  the position only grows but for loops, whose steps are counted: it ends.
 * I2  nesting, of blocks and of parentheses, is bounded by SKEP_FILL_DEPTH.
 * I3  at <= text.n, also after a mistake: nobody looks behind the text.
 * Threads: any.  Memory: values in one document of at most SKEP_FILL_BYTES. */
#include "wire/fill.h"

#include "base/assert.h"
#include "wire/fill_priv.h"
#include "wire/json_in.h"

struct variable {
    skep_str name; /* with its '$' */
    yyjson_mut_val *v;
};

struct run {
    skep_str text;
    size_t at;
    yyjson_mut_doc *doc;
    yyjson_mut_val *root, *dot;
    struct variable vars[SKEP_FILL_VARIABLES];
    size_t n_vars;
    unsigned depth, steps;
    bool live, check;
    struct skep_buf *out;
    struct skep_budget *values; /* of doc; once it refused, values are missing */
    skep_err *err;
    skep_rc rc; /* sticky */
};

enum stop { STOP_END, STOP_ELSE, STOP_ALL };

static enum stop block(struct run *r);
static yyjson_mut_val *pipeline(struct run *r);

static void fail(struct run *r, const char *what)
{
    if (r->rc == SKEP_OK)
        r->rc = skep_fail(r->err, SKEP_EINVAL, "at byte %zu: %s", r->at, what);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char peek(const struct run *r)
{
    return r->at < r->text.n ? r->text.p[r->at] : '\0';
}

static void blanks(struct run *r)
{
    while (r->at < r->text.n && is_blank(r->text.p[r->at]))
        r->at++;
}

static bool starts(const struct run *r, skep_str s)
{
    return skep_str_starts(skep_str_skip(r->text, r->at), s);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static skep_str word(struct run *r)
{
    size_t from = r->at;
    while (r->at < r->text.n && is_word(r->text.p[r->at]))
        r->at++;
    return (skep_str){r->text.p + from, r->at - from};
}

/* A word that is this one, and nothing longer. */
static bool take_word(struct run *r, const char *want)
{
    size_t from = r->at;
    if (skep_str_eq(word(r), skep_str_c(want)))
        return true;
    r->at = from;
    return false;
}

/* "}}" or " -}}", the blanks behind it are left out then. */
static bool at_close(const struct run *r)
{
    return starts(r, SKEP_STR("}}")) || starts(r, SKEP_STR("-}}"));
}

static void close_action(struct run *r)
{
    blanks(r);
    if (starts(r, SKEP_STR("-}}"))) {
        r->at += 3;
        blanks(r);
    } else if (starts(r, SKEP_STR("}}"))) {
        r->at += 2;
    } else {
        fail(r, "}} expected");
    }
}

/* --- operands ------------------------------------------------------------------------------------
 */

static yyjson_mut_val *quoted(struct run *r)
{
    struct skep_buf buf;
    skep_buf_init(&buf, 1 << 16);
    r->at++;
    while (r->at < r->text.n && r->text.p[r->at] != '"' && r->text.p[r->at] != '\n') {
        char c = r->text.p[r->at++];
        if (c == '\\' && r->at < r->text.n) {
            c = r->text.p[r->at++];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        skep_buf_u8(&buf, (uint8_t)c);
    }
    if (r->at < r->text.n && r->text.p[r->at] == '"')
        r->at++;
    else
        fail(r, "a string does not end");
    yyjson_mut_val *v = skep_fill__text(r->doc, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return v;
}

static yyjson_mut_val *raw(struct run *r)
{
    skep_str rest = skep_str_skip(r->text, r->at + 1);
    size_t n = skep_str_chr(rest, '`');
    if (n == SIZE_MAX) {
        fail(r, "a string does not end");
        return NULL;
    }
    r->at += n + 2;
    return skep_fill__text(r->doc, (skep_str){rest.p, n});
}

static yyjson_mut_val *number(struct run *r)
{
    size_t from = r->at;
    int64_t i;
    double f;
    while (r->at < r->text.n && (is_word(r->text.p[r->at]) || r->text.p[r->at] == '.' ||
                                 r->text.p[r->at] == '-' || r->text.p[r->at] == '+'))
        r->at++;
    skep_str s = {r->text.p + from, r->at - from};
    if (skep_str_i64(s, &i))
        return yyjson_mut_sint(r->doc, i);
    if (skep_str_f64(s, &f))
        return yyjson_mut_real(r->doc, f);
    fail(r, "not a number");
    return NULL;
}

/* A member by its name, then in any case. */
static yyjson_mut_val *field(yyjson_mut_val *obj, skep_str name)
{
    size_t i, n;
    yyjson_mut_val *key, *v, *found = yyjson_mut_obj_getn(obj, name.p, name.n);
    if (found || !yyjson_mut_is_obj(obj))
        return found;
    yyjson_mut_obj_foreach(obj, i, n, key, v)
    {
        if (skep_str_ieq((skep_str){yyjson_mut_get_str(key), yyjson_mut_get_len(key)}, name))
            return v;
    }
    return NULL;
}

/* ".a.b" behind a value. */
static yyjson_mut_val *fields(struct run *r, yyjson_mut_val *v)
{
    while (peek(r) == '.') {
        r->at++;
        skep_str name = word(r);
        if (name.n == 0) {
            fail(r, "a name expected behind '.'");
            return NULL;
        }
        v = field(v, name);
    }
    return v;
}

static yyjson_mut_val *variable(struct run *r)
{
    size_t from = r->at++;
    (void)word(r);
    skep_str name = {r->text.p + from, r->at - from};
    if (name.n == 1)
        return fields(r, r->root);
    for (size_t i = r->n_vars; i-- > 0;)
        if (skep_str_eq(r->vars[i].name, name))
            return fields(r, r->vars[i].v);
    fail(r, "a variable that was not set");
    return NULL;
}

static void set_variable(struct run *r, skep_str name, yyjson_mut_val *v)
{
    if (r->n_vars == SKEP_FILL_VARIABLES)
        fail(r, "too many variables");
    else
        r->vars[r->n_vars++] = (struct variable){name, v};
}

static yyjson_mut_val *group(struct run *r)
{
    r->at++;
    if (r->depth++ >= SKEP_FILL_DEPTH)
        fail(r, "nested too deeply");
    yyjson_mut_val *v = r->rc == SKEP_OK ? pipeline(r) : NULL;
    r->depth--;
    blanks(r);
    if (peek(r) == ')')
        r->at++;
    else
        fail(r, ") expected");
    return fields(r, v);
}

static bool begins_operand(char c)
{
    return c == '.' || c == '$' || c == '"' || c == '`' || c == '(' || c == '-' || is_word(c);
}

/* An operand that is no call. */
static yyjson_mut_val *operand(struct run *r)
{
    char c = peek(r);
    if (c == '.') {
        bool alone = r->at + 1 >= r->text.n || !is_word(r->text.p[r->at + 1]);
        r->at += alone;
        return alone ? r->dot : fields(r, r->dot);
    }
    if (c == '$')
        return variable(r);
    if (c == '"')
        return quoted(r);
    if (c == '`')
        return raw(r);
    if (c == '(')
        return group(r);
    if (take_word(r, "true"))
        return yyjson_mut_bool(r->doc, true);
    if (take_word(r, "false"))
        return yyjson_mut_bool(r->doc, false);
    if (take_word(r, "nil"))
        return NULL;
    if (c == '-' || (c >= '0' && c <= '9'))
        return number(r);
    fail(r, "a value expected");
    return NULL;
}

/* --- pipelines -----------------------------------------------------------------------------------
 */

/* Is it the name of a function?  Other words are operands. */
static const struct skep_fill__function *function(struct run *r)
{
    size_t from = r->at;
    skep_str name = word(r);
    const struct skep_fill__function *f = skep_fill__function(name);
    bool literal = skep_str_eq(name, SKEP_STR("true")) || skep_str_eq(name, SKEP_STR("false")) ||
                   skep_str_eq(name, SKEP_STR("nil"));
    if (!f && name.n && !literal && !(name.p[0] >= '0' && name.p[0] <= '9'))
        fail(r, "there is no such function");
    if (!f)
        r->at = from;
    return f;
}

/* One command; `piped` is what the one before it made, its last argument. */
static yyjson_mut_val *command(struct run *r, bool has_piped, yyjson_mut_val *piped)
{
    struct skep_fill__args a = {.doc = r->doc};
    blanks(r);
    const struct skep_fill__function *f = function(r);
    if (!f) {
        yyjson_mut_val *v = r->rc == SKEP_OK ? operand(r) : NULL;
        if (has_piped)
            fail(r, "a function expected behind |");
        return v;
    }
    blanks(r);
    while (r->rc == SKEP_OK && !at_close(r) && begins_operand(peek(r))) {
        if (a.n == SKEP_FILL__ARGS) {
            fail(r, "too many arguments");
            return NULL;
        }
        a.v[a.n++] = operand(r);
        blanks(r);
    }
    if (has_piped && a.n < SKEP_FILL__ARGS)
        a.v[a.n++] = piped;
    if (r->rc == SKEP_OK && (a.n < f->min || a.n > f->max))
        fail(r, "wrong number of arguments");
    if (r->rc != SKEP_OK || !r->live || r->check)
        return NULL;
    yyjson_mut_val *v = f->call(&a);
    if (a.bad)
        fail(r, a.bad);
    return v;
}

static yyjson_mut_val *pipeline(struct run *r)
{
    yyjson_mut_val *v = command(r, false, NULL);
    blanks(r);
    while (r->rc == SKEP_OK && peek(r) == '|') {
        r->at++;
        v = command(r, true, v);
        blanks(r);
    }
    return v;
}

/* "$x :=", or "$i, $x :=" of a loop; SIZE_MAX names: none, the position is as it was. */
static size_t declared(struct run *r, skep_str names[2])
{
    size_t from = r->at, n = 0;
    while (n < 2 && peek(r) == '$') {
        size_t begin = r->at++;
        (void)word(r);
        names[n++] = (skep_str){r->text.p + begin, r->at - begin};
        blanks(r);
        if (peek(r) != ',')
            break;
        r->at++;
        blanks(r);
    }
    bool set = starts(r, SKEP_STR(":=")), again = n == 1 && starts(r, SKEP_STR("= "));
    if (n && (set || again)) {
        r->at += set ? 2 : 1;
        return n;
    }
    r->at = from;
    return 0;
}

/* --- actions -------------------------------------------------------------------------------------
 */

/* A body, live or not; variables set in it go with it. */
static enum stop body(struct run *r, bool live)
{
    bool was = r->live;
    size_t vars = r->n_vars;
    r->live = was && live;
    enum stop s = block(r);
    r->live = was;
    r->n_vars = vars;
    return s;
}

/* Behind {{ else: "if" goes on as a condition of its own, which takes the {{ end }}. */
static void condition(struct run *r, bool with);

static void otherwise(struct run *r, bool live, bool with)
{
    bool was = r->live;
    blanks(r);
    bool chained = take_word(r, with ? "with" : "if");
    r->live = was && live;
    if (chained) {
        condition(r, with);
    } else {
        close_action(r);
        if (r->rc == SKEP_OK && body(r, true) != STOP_END)
            fail(r, "{{ end }} expected");
    }
    r->live = was;
}

/* {{ if p }} and {{ with p }}; the word has been read. */
static void condition(struct run *r, bool with)
{
    skep_str names[2];
    size_t vars = r->n_vars;
    yyjson_mut_val *was = r->dot;
    if (r->depth++ >= SKEP_FILL_DEPTH)
        fail(r, "nested too deeply");
    blanks(r);
    size_t n = declared(r, names);
    yyjson_mut_val *v = pipeline(r);
    if (n)
        set_variable(r, names[0], v);
    close_action(r);
    bool holds = r->check || skep_fill__true(v);
    if (with && holds && r->live)
        r->dot = v;
    enum stop s = r->rc == SKEP_OK ? body(r, holds) : STOP_END;
    r->dot = was;
    if (r->rc == SKEP_OK && s == STOP_ELSE)
        otherwise(r, r->check || !holds, with);
    else if (s == STOP_ALL)
        fail(r, "{{ end }} expected");
    r->n_vars = vars;
    r->depth--;
}

/* The body once with an item; the position is that of the body's begin. */
static enum stop pass(struct run *r, const skep_str *names, size_t n, yyjson_mut_val *key,
                      yyjson_mut_val *item)
{
    size_t vars = r->n_vars;
    yyjson_mut_val *was = r->dot;
    if (n == 2)
        set_variable(r, names[0], key);
    if (n)
        set_variable(r, names[n - 1], item);
    r->dot = item;
    enum stop s = r->rc == SKEP_OK ? body(r, true) : STOP_END;
    r->dot = was;
    r->n_vars = vars;
    return s;
}

static enum stop passes(struct run *r, const skep_str *names, size_t n, yyjson_mut_val *v,
                        size_t begin)
{
    size_t i, count;
    yyjson_mut_val *key, *item;
    enum stop s = STOP_END;
    if (yyjson_mut_is_arr(v)) {
        yyjson_mut_arr_foreach(v, i, count, item)
        {
            r->at = begin;
            s = pass(r, names, n, yyjson_mut_uint(r->doc, i), item);
            if (r->rc != SKEP_OK)
                break;
        }
        return s;
    }
    yyjson_mut_obj_foreach(v, i, count, key, item)
    {
        r->at = begin;
        s = pass(r, names, n, key, item);
        if (r->rc != SKEP_OK)
            break;
    }
    return s;
}

static void range(struct run *r)
{
    skep_str names[2];
    if (r->depth++ >= SKEP_FILL_DEPTH)
        fail(r, "nested too deeply");
    blanks(r);
    size_t n = declared(r, names), begin;
    yyjson_mut_val *v = pipeline(r);
    close_action(r);
    begin = r->at;
    bool any = r->live && !r->check && yyjson_mut_is_ctn(v) && yyjson_mut_get_len(v) > 0;
    enum stop s = STOP_END;
    if (r->rc == SKEP_OK && any)
        s = passes(r, names, n, v, begin);
    else if (r->rc == SKEP_OK) { /* read over, or once for a check */
        bool was = r->live;
        r->live = was && r->check;
        s = pass(r, names, n, NULL, NULL);
        r->live = was;
    }
    if (r->rc == SKEP_OK && s == STOP_ELSE)
        otherwise(r, r->check || !any, false);
    else if (s == STOP_ALL)
        fail(r, "{{ end }} expected");
    r->depth--;
}

static void comment(struct run *r)
{
    size_t n = skep_str_find(skep_str_skip(r->text, r->at), SKEP_STR("*/"));
    if (n == SIZE_MAX)
        fail(r, "a comment does not end");
    else
        r->at += n + 2;
    close_action(r);
}

/* A value that is printed, or set. */
static void expression(struct run *r)
{
    skep_str names[2];
    size_t n = declared(r, names);
    if (n == 2)
        fail(r, "one variable can be set");
    yyjson_mut_val *v = pipeline(r);
    close_action(r);
    if (r->rc != SKEP_OK)
        return;
    if (n)
        set_variable(r, names[0], v);
    else if (r->live && !r->check)
        skep_fill__print(r->out, r->doc, v);
}

/* What stands in {{ }}, behind its opening.  STOP_ALL: it was an action like others. */
static enum stop action(struct run *r)
{
    if (++r->steps > SKEP_FILL_STEPS)
        fail(r, "it takes too many steps");
    blanks(r);
    if (starts(r, SKEP_STR("/*")))
        comment(r);
    else if (take_word(r, "end")) {
        close_action(r);
        return STOP_END;
    } else if (take_word(r, "else"))
        return STOP_ELSE;
    else if (take_word(r, "if"))
        condition(r, false);
    else if (take_word(r, "with"))
        condition(r, true);
    else if (take_word(r, "range"))
        range(r);
    else
        expression(r);
    return STOP_ALL;
}

static void put_text(struct run *r, skep_str s, bool trim_end)
{
    while (trim_end && s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    if (r->live && !r->check)
        skep_buf_str(r->out, s);
}

static enum stop block(struct run *r)
{
    while (r->rc == SKEP_OK) {
        skep_str rest = skep_str_skip(r->text, r->at);
        size_t n = skep_str_find(rest, SKEP_STR("{{"));
        bool more = n != SIZE_MAX;
        bool trims = more && n + 3 < rest.n && rest.p[n + 2] == '-' && is_blank(rest.p[n + 3]);
        put_text(r, more ? (skep_str){rest.p, n} : rest, trims);
        r->at += more ? n + 2 + trims : rest.n;
        if (!more)
            return STOP_ALL;
        enum stop s = action(r);
        if (r->rc == SKEP_OK && s != STOP_ALL)
            return s;
        if (r->rc == SKEP_OK && (skep_budget_refused(r->values) || (r->out && r->out->bad)))
            r->rc = skep_fail(r->err, SKEP_ETOOLARGE, "what the template makes is too large");
    }
    return STOP_ALL;
}

skep_rc skep_fill(skep_str text, yyjson_val *data, struct skep_buf *out, skep_err *err)
{
    struct skep_budget values;
    skep_budget_init(&values, "template", SKEP_FILL_BYTES, NULL);
    const yyjson_alc alc = skep_json_alc(&values);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(&alc);
    skep_assert(doc != NULL);
    yyjson_mut_val *root = data ? yyjson_val_mut_copy(doc, data) : NULL;
    struct run r = {.text = text,
                    .doc = doc,
                    .root = root,
                    .dot = root,
                    .live = true,
                    .check = data == NULL,
                    .out = out,
                    .values = &values,
                    .err = err};
    if (block(&r) != STOP_ALL)
        fail(&r, "{{ end }} or {{ else }} of nothing");
    if (r.rc == SKEP_OK && skep_budget_refused(&values))
        r.rc = skep_fail(err, SKEP_ETOOLARGE, "what the template makes is too large");
    yyjson_mut_doc_free(doc);
    return r.rc;
}
