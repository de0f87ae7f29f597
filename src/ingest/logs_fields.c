// SPDX-License-Identifier: Apache-2.0
/* Messages that have a structure -> fields of the newest row, attributes by dotted names.
 *
 *   {"level":"error","user":{"id":7},"tags":["a"]}    level, user.id int, tags array
 *   level=error user.id=7 ok=true                      the same from logfmt
 *
 * Of JSON as json_fields.h has it, objects down to SKEP_LIMIT_MAP_DEPTH; of logfmt numbers and
 * booleans are those values that are written as such, unquoted.
 *
 * The line itself is kept beside them, so nothing is lost where a limit ends (logs.h).
 * Some fields also say the row's severity and trace: by their name, whatever its case and dots.
 *
 * Threads, memory: as the decoder. */
#include "ingest/logs_priv.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "event/log.h"
#include "event/put.h"
#include "ingest/json_fields.h"

// --- what fields say of the row ----------------------------------------------------------------

enum says { LEVEL, TRACE, SPAN };

static const struct {
    skep_str name; /* lower case, letters and digits alone */
    enum says says;
    unsigned rank; /* of levels: the higher one counts */
} telling[] = {
    {SKEP_STR_INIT("level"), LEVEL, 6},          {SKEP_STR_INIT("loglevel"), LEVEL, 5},
    {SKEP_STR_INIT("severity"), LEVEL, 4},       {SKEP_STR_INIT("severitytext"), LEVEL, 4},
    {SKEP_STR_INIT("levelname"), LEVEL, 3},      {SKEP_STR_INIT("lvl"), LEVEL, 2},
    {SKEP_STR_INIT("priority"), LEVEL, 1},       {SKEP_STR_INIT("traceid"), TRACE, 0},
    {SKEP_STR_INIT("tracetraceid"), TRACE, 0},   {SKEP_STR_INIT("oteltraceid"), TRACE, 0},
    {SKEP_STR_INIT("traceparent"), TRACE, 0},    {SKEP_STR_INIT("xraytraceid"), TRACE, 0},
    {SKEP_STR_INIT("awsxraytraceid"), TRACE, 0}, {SKEP_STR_INIT("xamzntraceid"), TRACE, 0},
    {SKEP_STR_INIT("spanid"), SPAN, 0},          {SKEP_STR_INIT("tracespanid"), SPAN, 0},
    {SKEP_STR_INIT("otelspanid"), SPAN, 0},      {SKEP_STR_INIT("xraysegmentid"), SPAN, 0},
};

/* Index into telling[], or -1. */
static int find_telling(skep_str name)
{
    char plain[20];
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            continue;
        if (n == sizeof plain)
            return -1;
        plain[n++] = c;
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(telling); i++)
        if (skep_str_eq((skep_str){plain, n}, telling[i].name))
            return (int)i;
    return -1;
}

/* Numbers of bunyan and pino. */
static uint8_t severity_of_number(int64_t v)
{
    static const uint8_t severities[] = {1, 5, 9, 13, 17, 21};
    return v >= 10 && v <= 60 && v % 10 == 0 ? severities[v / 10 - 1] : 0;
}

static void take_level(struct skep_logs__dec *d, unsigned rank, skep_value v)
{
    uint8_t severity = 0;
    skep_str text = SKEP_STR_NULL;
    if (rank <= d->level_rank)
        return;
    if (v.type == SKEP_TYPE_STRING && skep_logs__level(v.s, &severity)) {
        skep_assert(v.s.n <= sizeof d->level); /* a level's word */
        memcpy(d->level, v.s.p, v.s.n);
        text = (skep_str){d->level, v.s.n};
    } else if (v.type == SKEP_TYPE_INT)
        severity = severity_of_number(v.i);
    if (severity == 0)
        return;
    d->level_rank = rank;
    d->says.severity = severity;
    d->says.severity_text = text;
}

static void take_telling(struct skep_logs__dec *d, skep_str name, skep_value v)
{
    uint8_t b[8];
    int at = find_telling(name);
    if (at < 0)
        return;
    if (telling[at].says == LEVEL)
        take_level(d, telling[at].rank, v);
    else if (v.type == SKEP_TYPE_STRING && telling[at].says == TRACE)
        (void)skep_logs__trace(v.s, &d->says);
    else if (v.type == SKEP_TYPE_STRING && v.s.n == 16 && skep_hex_decode(v.s, b, sizeof b))
        d->says.span_id = skep_load_le64(b);
}

void skep_logs__field(struct skep_logs__dec *d, skep_str name, skep_value v)
{
    char renamed[SKEP_LIMIT_NAME_BYTES];
    if (name.n == 0 || name.n > sizeof renamed - SKEP_LOG_RENAMED.n ||
        d->n_fields == SKEP_LOGS_FIELDS_MAX)
        return;
    take_telling(d, name, v);
    if (skep_log_renamed(name)) {
        memcpy(renamed, SKEP_LOG_RENAMED.p, SKEP_LOG_RENAMED.n);
        memcpy(renamed + SKEP_LOG_RENAMED.n, name.p, name.n);
        name = (skep_str){renamed, SKEP_LOG_RENAMED.n + name.n};
    }
    if (d->b->n_fields >= SKEP_LOGS_NEW_FIELDS_MAX &&
        skep_batch_find(d->b, SKEP_SCOPE_ATTRIBUTE, name, v.type) == SKEP_BATCH_NONE)
        return;
    skep_batch_put(d->b, SKEP_SCOPE_ATTRIBUTE, name, v);
    d->n_fields++;
}

// --- JSON --------------------------------------------------------------------------------------

static void put_field(void *ctx, skep_str name, skep_value v)
{
    skep_logs__field(ctx, name, v);
}

bool skep_logs__json(struct skep_logs__dec *d, skep_str message)
{
    skep_str s = skep_str_trim(message);
    if (s.n < 2 || s.p[0] != '{' || s.p[s.n - 1] != '}')
        return false;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)s.p, s.n, 0, &d->alc, NULL);
    if (!doc)
        return false;
    struct skep_json_fields fields = {.put = put_field,
                                      .ctx = d,
                                      .alc = &d->alc,
                                      .depth = SKEP_LIMIT_MAP_DEPTH,
                                      .left = SKEP_LOGS_FIELDS_MAX - d->n_fields,
                                      .name = &d->name};
    skep_json_fields_put(&fields, SKEP_STR(""), yyjson_doc_get_root(doc)); /* for lack of memory:
                                                                            * the line has it */
    yyjson_doc_free(doc);
    return true;
}

// --- logfmt ------------------------------------------------------------------------------------

static bool is_key(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '@' || c == '/';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The rest of "..." with its escapes undone, into d->text; false: it does not end. */
static bool quoted(struct skep_logs__dec *d, skep_str *s)
{
    skep_buf_reset(&d->text);
    for (size_t i = 0; i < s->n; i++) {
        char c = s->p[i];
        if (c == '"') {
            *s = skep_str_skip(*s, i + 1);
            return !d->text.bad;
        }
        if (c == '\\' && i + 1 < s->n) {
            c = s->p[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        skep_buf_u8(&d->text, (uint8_t)c);
    }
    return false;
}

static skep_value bare_value(skep_str s)
{
    skep_value v = {.type = SKEP_TYPE_INT};
    if (skep_str_i64(s, &v.i))
        return v;
    v.type = SKEP_TYPE_DOUBLE;
    if (skep_str_f64(s, &v.f))
        return v;
    v.type = SKEP_TYPE_BOOL;
    v.b = skep_str_eq(s, SKEP_STR("true"));
    if (v.b || skep_str_eq(s, SKEP_STR("false")))
        return v;
    return (skep_value){.type = SKEP_TYPE_STRING, .s = s};
}

/* One pair from the start of *s; false: there is none. */
static bool next_pair(struct skep_logs__dec *d, skep_str *s, skep_str *ret_key, skep_value *ret)
{
    size_t n = 0;
    while (n < s->n && is_key(s->p[n]))
        n++;
    if (n == 0 || n == s->n || s->p[n] != '=')
        return false;
    *ret_key = (skep_str){s->p, n};
    *s = skep_str_skip(*s, n + 1);
    if (s->n && s->p[0] == '"') {
        *s = skep_str_skip(*s, 1);
        if (!quoted(d, s))
            return false;
        *ret = (skep_value){.type = SKEP_TYPE_STRING, .s = skep_buf_text(&d->text)};
    } else {
        for (n = 0; n < s->n && !is_blank(s->p[n]); n++)
            if (s->p[n] == '"' || s->p[n] == '=')
                return false;
        *ret = bare_value((skep_str){s->p, n});
        *s = skep_str_skip(*s, n);
    }
    return s->n == 0 || is_blank(s->p[0]);
}

static bool walk_pairs(struct skep_logs__dec *d, skep_str s, bool put)
{
    unsigned pairs = 0;
    skep_str key;
    skep_value v;
    for (s = skep_str_trim(s); s.n; pairs++) {
        if (!next_pair(d, &s, &key, &v))
            return false;
        if (put)
            skep_logs__field(d, key, v);
        s = skep_str_trim(s);
    }
    return pairs >= 2;
}

bool skep_logs__logfmt(struct skep_logs__dec *d, skep_str message)
{
    if (!walk_pairs(d, message, false))
        return false;
    bool again = walk_pairs(d, message, true);
    skep_assert(again);
    return true;
}
