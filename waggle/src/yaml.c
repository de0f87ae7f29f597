// SPDX-License-Identifier: Apache-2.0
/*
 * yaml.c - reading the YAML of configuration files, a subset without surprises
 *
 *   understood   maps and lists by indentation and as {a: b} and [a, b]; texts plain, 'single' and
 *                "double" quoted, each on one line; comments; anchors, aliases, the merge key <<;
 *                "---" before the document
 *   refused      with its line: tabs that indent, keys that stand twice, tags, directives, block
 * texts
 *                (| and >), texts of several lines, "? " keys, several documents
 *
 *   I1  references to variables (config_env.c) are replaced in texts that were read: a value can
 *       add no structure
 *   I2  a node is below itself nowhere: an anchor is known when its node is complete
 *   I3  nodes counted with their aliases are at most WAGGLE__YAML_WEIGHT, so that walks end
 *   I4  depth is at most WAGGLE__YAML_DEPTH
 *
 * Memory: chunks that belong to the tree, at most WAGGLE__YAML_MEMORY. Threads: one at a time.
 */
#include "yaml.h"
#include "hex.h"

#include "sdk_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TREE_CHUNK = 4096, ANCHORS_MAX = 256, ANCHOR_BYTES = 64 };

struct waggle__yaml_chunk {
    struct waggle__yaml_chunk *next;
    size_t n, cap;
    max_align_t bytes[];
};

struct anchor {
    char name[ANCHOR_BYTES];
    const struct waggle_config_node *node;
};

struct parser {
    struct waggle_config *config;
    const char *p; /* without carriage returns */
    size_t n, at;
    size_t line_at; /* where the line begins */
    uint32_t line;
    uint32_t weight;
    struct waggle__buf text; /* of the scalar being read */
    struct anchor *anchors;
    size_t n_anchors;
    char *error;
    bool failed;
};

typedef struct waggle_config_node node;

/* --- troubles and memory ------------------------------------------------------------------- */

static void fail_at(struct parser *p, uint32_t line, const char *format, ...) WAGGLE__PRINTF(3, 4);

static void fail_at(struct parser *p, uint32_t line, const char *format, ...)
{
    if (p->failed)
        return; // the first one tells the cause
    p->failed = true;
    int n = snprintf(p->error, WAGGLE__YAML_ERROR, "%.100s:%u: ", p->config->name, (unsigned)line);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(p->error + n, WAGGLE__YAML_ERROR - (size_t)n, format, args); // cut is fine
    va_end(args);
}

static void *take_memory(struct waggle_config *c, size_t n)
{
    struct waggle__yaml_chunk *chunk = c->chunks;
    size_t rounded = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (chunk == NULL || chunk->cap - chunk->n < rounded) {
        size_t cap = rounded > TREE_CHUNK ? rounded : TREE_CHUNK;
        if (c->memory + cap > WAGGLE__YAML_MEMORY)
            return NULL;
        chunk = malloc(sizeof *chunk + cap);
        if (chunk == NULL)
            return NULL;
        c->memory += cap;
        chunk->n = 0;
        chunk->cap = cap;
        chunk->next = c->chunks;
        c->chunks = chunk;
    }
    void *at = (char *)chunk->bytes + chunk->n;
    chunk->n += rounded;
    memset(at, 0, n);
    return at;
}

static const char *take_text(struct waggle_config *c, const void *s, size_t n)
{
    char *copy = take_memory(c, n + 1);
    if (copy != NULL && n > 0)
        memcpy(copy, s, n);
    return copy;
}

static bool weigh(struct parser *p, uint32_t more)
{
    p->weight += more;
    if (p->weight > WAGGLE__YAML_WEIGHT)
        fail_at(p, p->line, "the file says more than %d things", WAGGLE__YAML_WEIGHT);
    return !p->failed;
}

static node *new_node(struct parser *p, int kind)
{
    node *x = weigh(p, 1) ? take_memory(p->config, sizeof *x) : NULL;
    if (x == NULL) {
        fail_at(p, p->line, "no memory for the file");
        return NULL;
    }
    x->kind = kind;
    x->line = p->line;
    x->weight = 1;
    x->config = p->config;
    return x;
}

static const node *member_of(const node *map, const char *key)
{
    for (const struct waggle__yaml_entry *e = map->first; e != NULL; e = e->next)
        if (e->key != NULL && strcmp(e->key, key) == 0)
            return e->value;
    return NULL;
}

static bool append_entry(struct parser *p, node *to, const char *key, const node *value)
{
    struct waggle__yaml_entry *e = value != NULL ? take_memory(p->config, sizeof *e) : NULL;
    if (e == NULL) {
        fail_at(p, p->line, "no memory for the file");
        return false;
    }
    e->key = key;
    e->value = value;
    if (to->last != NULL)
        to->last->next = e;
    else
        to->first = e;
    to->last = e;
    to->n_entries++;
    to->weight += value->weight;
    return true;
}

/* --- characters ---------------------------------------------------------------------------- */

static char here(const struct parser *p)
{
    return p->at < p->n ? p->p[p->at] : '\0';
}

static char after(const struct parser *p, size_t k)
{
    return p->at + k < p->n ? p->p[p->at + k] : '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool ends_word(char c)
{
    return is_blank(c) || c == '\n' || c == '\0';
}

static size_t column(const struct parser *p)
{
    return p->at - p->line_at;
}

static void skip_spaces(struct parser *p)
{
    while (is_blank(here(p)))
        p->at++;
}

/* True at the end of a line, or at a comment, which is skipped. */
static bool at_line_end(struct parser *p)
{
    skip_spaces(p);
    if (here(p) == '#' && (p->at == p->line_at || is_blank(p->p[p->at - 1])))
        while (p->at < p->n && here(p) != '\n')
            p->at++;
    return p->at >= p->n || here(p) == '\n';
}

/* To the next thing that is there, perhaps lines below. False at the end. */
static bool next_content(struct parser *p)
{
    while (at_line_end(p) && p->at < p->n) {
        p->at++;
        p->line++;
        p->line_at = p->at;
    }
    for (size_t i = p->line_at; i < p->at && p->p[i] != '\0'; i++) {
        if (p->p[i] == '\t' && p->at < p->n)
            fail_at(p, p->line, "a tab indents; YAML wants blanks");
        if (p->p[i] != ' ')
            break;
    }
    return p->at < p->n && !p->failed;
}

/* "---" and "..." at the beginning of a line end a document. */
static bool is_marker(const struct parser *p, const char *marker)
{
    return column(p) == 0 && p->n - p->at >= 3 && memcmp(p->p + p->at, marker, 3) == 0 &&
           ends_word(after(p, 3));
}

static bool at_marker(const struct parser *p)
{
    return is_marker(p, "---") || is_marker(p, "...");
}

static bool begins_item(const struct parser *p)
{
    return here(p) == '-' && ends_word(after(p, 1));
}

static void fail_unexpected(struct parser *p)
{
    enum { SHOWN = 20 };
    size_t n = 0;
    while (n < SHOWN && p->at + n < p->n && p->p[p->at + n] != '\n')
        n++;
    fail_at(p, p->line, "\"%.*s\" is not expected here", (int)n, p->p + p->at);
}

static void want_line_end(struct parser *p)
{
    if (!p->failed && !at_line_end(p))
        fail_unexpected(p);
}

/* --- texts --------------------------------------------------------------------------------- */

static const char *substituted(struct parser *p, const char *s, size_t n, size_t *ret_n)
{
    enum { SHOWN = 60 };
    struct waggle__buf out;
    waggle__buf_init(&out, WAGGLE__YAML_MEMORY);
    const waggle_str bad = waggle__config_substitute((waggle_str){s, n}, &out);
    const char *text = out.bad ? NULL : take_text(p->config, out.p, out.n);
    *ret_n = out.n;
    if (bad.n > 0)
        fail_at(p, p->line, "%.*s is no reference to a variable",
                (int)WAGGLE__MIN(bad.n, (size_t)SHOWN), bad.p);
    if (text == NULL)
        fail_at(p, p->line, "no memory for the file");
    waggle__buf_done(&out);
    return text;
}

static node *scalar(struct parser *p, const char *s, size_t n, bool quoted)
{
    node *x = new_node(p, WAGGLE__YAML_SCALAR);
    if (x == NULL)
        return NULL;
    x->is_quoted = quoted;
    x->text = substituted(p, s, n, &x->n);
    return p->failed ? NULL : x;
}

static void put_code_point(struct parser *p, uint32_t c)
{
    uint8_t b[4] = {(uint8_t)c};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        fail_at(p, p->line, "an escape stands for no character");
        return;
    }
    static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = 0; n > 1 && i < n; i++)
        b[i] = (uint8_t)((i == 0 ? heads[n] : 0x80u) |
                         (c >> (6 * (n - 1 - i)) & (i == 0 ? 0xff : 0x3f)));
    waggle__buf_put(&p->text, b, n);
}

static void put_escape(struct parser *p)
{
    static const char letters[] = "abtnvfre\"/\\ ";
    static const char values[] = "\a\b\t\n\v\f\r\x1b\"/\\ ";
    char c = here(p);
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t code = 0;
    p->at++;
    if (letter != NULL) {
        waggle__buf_put(&p->text, &values[letter - letters], 1);
        return;
    }
    for (size_t i = 0; i < digits; i++) {
        int v = waggle__hex_digit(here(p));
        if (v < 0)
            digits = 0;
        code = code << 4 | (uint32_t)(v & 15);
        p->at += v >= 0;
    }
    if (digits == 0)
        fail_at(p, p->line, "an escape that YAML does not have");
    else
        put_code_point(p, code);
}

/* A quoted text into p->text. */
static bool read_quoted(struct parser *p)
{
    char quote = here(p);
    p->text.n = 0;
    p->at++;
    while (p->at < p->n && here(p) != '\n' && !p->failed) {
        char c = here(p);
        p->at++;
        if (c == quote && !(quote == '\'' && here(p) == '\''))
            return !p->text.bad;
        if (c == quote)
            p->at++; // '' within single quotes
        if (c == '\\' && quote == '"')
            put_escape(p);
        else
            waggle__buf_put(&p->text, &c, 1);
    }
    fail_at(p, p->line, "a quoted text must end in its line");
    return false;
}

/* The end of a plain text that begins here; stops at ": ", " #", and in flow at its brackets. */
static size_t plain_end(const struct parser *p, bool flow)
{
    size_t i = p->at;
    for (; i < p->n && p->p[i] != '\n'; i++) {
        char c = p->p[i];
        char next = i + 1 < p->n ? p->p[i + 1] : '\0';
        if (c == ':' && (ends_word(next) || (flow && strchr(",[]{}", next) != NULL)))
            break;
        if (c == '#' && i > p->at && is_blank(p->p[i - 1]))
            break;
        if (flow && strchr(",[]{}", c) != NULL)
            break;
    }
    while (i > p->at && is_blank(p->p[i - 1]))
        i--;
    return i;
}

static bool is_plain_start(const struct parser *p)
{
    char c = here(p);
    if (c == '-' || c == '?' || c == ':')
        return !ends_word(after(p, 1));
    return c != '\0' && strchr(",[]{}#&*!|>'\"%@`", c) == NULL;
}

static void refuse(struct parser *p)
{
    char c = here(p);
    if (c == '|' || c == '>')
        fail_at(p, p->line, "block texts (| and >) are not understood; quote the text");
    else if (c == '!')
        fail_at(p, p->line, "tags are not understood");
    else if (c == '?')
        fail_at(p, p->line, "keys behind \"? \" are not understood");
    else
        fail_at(p, p->line, "'%c' begins no value; quote the text", c);
}

/* --- keys ---------------------------------------------------------------------------------- */

/* Is what begins here a key: a text, and a ':' behind it in the same line? */
static bool begins_key(struct parser *p, bool flow)
{
    size_t from = p->at;
    size_t end = from;
    char c = here(p);
    if (c == '"' || c == '\'') {
        for (end = from + 1; end < p->n && p->p[end] != '\n' && p->p[end] != c; end++)
            end += c == '"' && p->p[end] == '\\' && end + 1 < p->n;
        end++;
    } else if (is_plain_start(p)) {
        end = plain_end(p, flow);
    } else {
        return false;
    }
    while (end < p->n && is_blank(p->p[end]))
        end++;
    bool spaced = end + 1 >= p->n || ends_word(p->p[end + 1]) ||
                  (flow && (c == '"' || c == '\'' || strchr(",[]{}", p->p[end + 1]) != NULL));
    return end < p->n && p->p[end] == ':' && spaced;
}

/* The key with its ':'. NULL on failure. */
static const char *read_key(struct parser *p, bool flow)
{
    const char *key = NULL;
    if (!begins_key(p, flow)) {
        fail_at(p, p->line, "a key and ':' are expected");
        return NULL;
    }
    if (here(p) == '"' || here(p) == '\'') {
        if (read_quoted(p))
            key = take_text(p->config, p->text.p, p->text.n);
    } else {
        size_t end = plain_end(p, flow);
        key = take_text(p->config, p->p + p->at, end - p->at);
        p->at = end;
    }
    skip_spaces(p);
    p->at++; // the ':'
    if (key == NULL)
        fail_at(p, p->line, "no memory for the file");
    return key;
}

/* Members of the maps that "<<" names stand behind the map's own. */
static void merge(struct parser *p, node *map, const node *from)
{
    if (from->kind == WAGGLE__YAML_LIST) {
        for (const struct waggle__yaml_entry *e = from->first; e != NULL && !p->failed; e = e->next)
            if (e->value->kind == WAGGLE__YAML_MAP)
                merge(p, map, e->value);
            else
                fail_at(p, p->line, "<< wants a map, or a list of maps");
        return;
    }
    if (from->kind != WAGGLE__YAML_MAP) {
        fail_at(p, p->line, "<< wants a map, or a list of maps");
        return;
    }
    for (const struct waggle__yaml_entry *e = from->first; e != NULL && !p->failed; e = e->next)
        if (member_of(map, e->key) == NULL && weigh(p, e->value->weight))
            (void)append_entry(p, map, e->key, e->value); // a failure is noted
}

static void add_member(struct parser *p, node *map, const char *key, const node *value,
                       const node **merged)
{
    if (key == NULL || value == NULL)
        return; // failed
    if (strcmp(key, "<<") == 0 && *merged == NULL)
        *merged = value;
    else if (strcmp(key, "<<") == 0 || member_of(map, key) != NULL)
        fail_at(p, value->line, "\"%.60s\" stands twice", key);
    else
        (void)append_entry(p, map, key, value); // a failure is noted
}

/* --- anchors ------------------------------------------------------------------------------- */

/* The name behind '&' or '*'. */
static bool read_anchor_name(struct parser *p, char ret[ANCHOR_BYTES])
{
    size_t n = 0;
    p->at++;
    while (!ends_word(here(p)) && strchr(",[]{}", here(p)) == NULL && n + 1 < ANCHOR_BYTES) {
        ret[n++] = here(p);
        p->at++;
    }
    ret[n] = '\0';
    if (n == 0 || (!ends_word(here(p)) && strchr(",[]{}", here(p)) == NULL))
        fail_at(p, p->line, "an anchor's name is missing or too long");
    return !p->failed;
}

static const node *read_alias(struct parser *p)
{
    char name[ANCHOR_BYTES];
    if (!read_anchor_name(p, name))
        return NULL;
    for (size_t i = p->n_anchors; i-- > 0;)
        if (strcmp(p->anchors[i].name, name) == 0)
            return weigh(p, p->anchors[i].node->weight) ? p->anchors[i].node : NULL;
    fail_at(p, p->line, "*%s names no anchor above it", name);
    return NULL;
}

static void remember(struct parser *p, const char *name, const node *x)
{
    if (x == NULL || name[0] == '\0')
        return;
    if (p->anchors == NULL)
        p->anchors = calloc(ANCHORS_MAX, sizeof *p->anchors);
    if (p->anchors == NULL || p->n_anchors == ANCHORS_MAX) {
        fail_at(p, p->line, "there are too many anchors");
        return;
    }
    struct anchor *a = &p->anchors[p->n_anchors++];
    memcpy(a->name, name, ANCHOR_BYTES);
    a->node = x;
}

/* --- flow: [a, b] and {a: b} --------------------------------------------------------------- */

static const node *read_flow(struct parser *p, unsigned depth);

static bool too_deep(struct parser *p, unsigned depth)
{
    if (depth >= WAGGLE__YAML_DEPTH)
        fail_at(p, p->line, "maps and lists stand more than %d deep", WAGGLE__YAML_DEPTH);
    return p->failed;
}

/* Behind an element: true if another one follows. */
static bool flow_goes_on(struct parser *p, char close)
{
    if (!next_content(p)) {
        fail_at(p, p->line, "'%c' is missing", close);
        return false;
    }
    if (here(p) == ',') {
        p->at++;
        if (!next_content(p))
            fail_at(p, p->line, "'%c' is missing", close);
        return !p->failed && here(p) != close;
    }
    if (here(p) != close)
        fail_at(p, p->line, "',' or '%c' is expected", close);
    return false;
}

/* A member of a map into it. */
static void read_flow_member(struct parser *p, node *map, const node **merged, unsigned depth)
{
    const char *key = read_key(p, true);
    if (key != NULL)
        add_member(p, map, key, read_flow(p, depth + 1), merged);
}

/* "[a: b]" is a list of a map of one member. */
static const node *read_single_pair(struct parser *p, unsigned depth)
{
    node *map = too_deep(p, depth) ? NULL : new_node(p, WAGGLE__YAML_MAP);
    const node *merged = NULL;
    if (map != NULL)
        read_flow_member(p, map, &merged, depth);
    if (merged != NULL && !p->failed)
        merge(p, map, merged);
    return p->failed ? NULL : map;
}

static const node *read_flow_collection(struct parser *p, unsigned depth)
{
    bool is_map = here(p) == '{';
    char close = is_map ? '}' : ']';
    node *x =
        too_deep(p, depth) ? NULL : new_node(p, is_map ? WAGGLE__YAML_MAP : WAGGLE__YAML_LIST);
    const node *merged = NULL;
    if (x == NULL)
        return NULL;
    p->at++;
    if (!next_content(p))
        fail_at(p, p->line, "'%c' is missing", close);
    bool more = !p->failed && here(p) != close;
    while (more && !p->failed) {
        if (is_map) {
            read_flow_member(p, x, &merged, depth);
        } else {
            const node *value =
                begins_key(p, true) ? read_single_pair(p, depth + 1) : read_flow(p, depth + 1);
            if (value != NULL)
                (void)append_entry(p, x, NULL, value); // a failure is noted
        }
        more = !p->failed && flow_goes_on(p, close);
    }
    p->at++; // the bracket
    if (merged != NULL && !p->failed)
        merge(p, x, merged);
    return p->failed ? NULL : x;
}

static const node *read_flow(struct parser *p, unsigned depth)
{
    if (!next_content(p)) {
        fail_at(p, p->line, "a value is missing");
        return NULL;
    }
    char c = here(p);
    if (c == '[' || c == '{')
        return read_flow_collection(p, depth);
    if (c == '*')
        return read_alias(p);
    if (c == '"' || c == '\'')
        return read_quoted(p) ? scalar(p, (const char *)p->text.p, p->text.n, true) : NULL;
    if (c == ',' || c == ']' || c == '}')
        return scalar(p, "", 0, false);
    if (!is_plain_start(p)) {
        refuse(p);
        return NULL;
    }
    size_t from = p->at;
    p->at = plain_end(p, true);
    return scalar(p, p->p + from, p->at - from, false);
}

/* --- blocks: by indentation ---------------------------------------------------------------- */

static const node *read_block(struct parser *p, long parent, bool is_member, unsigned depth);

static const node *read_list(struct parser *p, unsigned depth)
{
    size_t col = column(p);
    node *x = too_deep(p, depth) ? NULL : new_node(p, WAGGLE__YAML_LIST);
    while (x != NULL && !p->failed) {
        p->at++; // the '-'
        const node *value = read_block(p, (long)col, false, depth + 1);
        if (value == NULL || !append_entry(p, x, NULL, value) || !next_content(p) ||
            column(p) < col)
            break;
        if (column(p) > col)
            fail_at(p, p->line, "this is indented unlike the \"- \" above it");
        else if (!begins_item(p))
            break;
    }
    return p->failed ? NULL : x;
}

static const node *read_map(struct parser *p, unsigned depth)
{
    size_t col = column(p);
    node *x = too_deep(p, depth) ? NULL : new_node(p, WAGGLE__YAML_MAP);
    const node *merged = NULL;
    while (x != NULL && !p->failed) {
        const char *key = read_key(p, false);
        if (key != NULL)
            add_member(p, x, key, read_block(p, (long)col, true, depth + 1), &merged);
        if (p->failed || !next_content(p) || column(p) < col || at_marker(p))
            break;
        if (column(p) > col)
            fail_at(p, p->line, "this is indented unlike the key above it");
    }
    if (merged != NULL && !p->failed)
        merge(p, x, merged);
    return p->failed ? NULL : x;
}

static const node *read_inline(struct parser *p, unsigned depth)
{
    const node *x = NULL;
    char c = here(p);
    if (c == '[' || c == '{')
        x = read_flow_collection(p, depth);
    else if (c == '*')
        x = read_alias(p);
    else if (c == '"' || c == '\'')
        x = read_quoted(p) ? scalar(p, (const char *)p->text.p, p->text.n, true) : NULL;
    else if (!is_plain_start(p))
        refuse(p);
    else {
        size_t from = p->at;
        p->at = plain_end(p, false);
        x = scalar(p, p->p + from, p->at - from, false);
        if (!p->failed && here(p) == ':')
            fail_at(p, p->line, "a value with \": \" in it must be quoted");
    }
    want_line_end(p);
    return p->failed ? NULL : x;
}

/* What stands behind a key (is_member), a '-' or at the top (parent -1). */
static const node *read_block(struct parser *p, long parent, bool is_member, unsigned depth)
{
    char anchor[ANCHOR_BYTES] = "";
    uint32_t line = p->line;
    bool own_line = !is_member;
    skip_spaces(p);
    if (here(p) == '&' && read_anchor_name(p, anchor))
        skip_spaces(p);
    if (at_line_end(p)) {
        own_line = true;
        bool any = next_content(p);
        bool deeper =
            (long)column(p) > parent || (is_member && (long)column(p) == parent && begins_item(p));
        if (p->failed)
            return NULL;
        if (!any || !deeper) {
            const node *none = scalar(p, "", 0, false);
            if (none != NULL)
                ((node *)(uintptr_t)none)->line = line;
            remember(p, anchor, none);
            return p->failed ? NULL : none;
        }
    }
    if (anchor[0] != '\0' && p->line == line && begins_key(p, false))
        fail_at(p, p->line, "the anchor of a map stands in the line before it");
    const node *x = own_line && begins_item(p)         ? read_list(p, depth)
                    : own_line && begins_key(p, false) ? read_map(p, depth)
                                                       : read_inline(p, depth);
    remember(p, anchor, x);
    return p->failed ? NULL : x;
}

/* --- files --------------------------------------------------------------------------------- */

/* Without carriage returns, checked for what is no text. */
static char *cleaned(struct parser *p, const char *bytes, size_t n)
{
    char *copy = malloc(n + 1);
    size_t out = 0;
    if (copy == NULL) {
        fail_at(p, 1, "no memory for the file");
        return NULL;
    }
    size_t i = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (uint32_t line = 1; i < n;) {
        size_t k = waggle__utf8_n((const uint8_t *)bytes + i, n - i);
        unsigned char c = (unsigned char)bytes[i];
        if (k == 0 || c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) {
            fail_at(p, line, "byte %02x is no text", c);
            break;
        }
        line += c == '\n';
        if (!(c == '\r' && (i + 1 == n || bytes[i + 1] == '\n'))) {
            memcpy(copy + out, bytes + i, k);
            out += k;
        }
        i += k;
    }
    copy[out] = '\0';
    p->n = out;
    return copy;
}

static void read_document(struct parser *p)
{
    if (next_content(p) && is_marker(p, "---"))
        p->at += 3;
    if (next_content(p) && here(p) == '%')
        fail_at(p, p->line, "directives are not understood");
    p->config->root = (node *)(uintptr_t)read_block(p, -1, false, 0);
    if (!p->failed && next_content(p) && is_marker(p, "...")) {
        p->at += 3;
        want_line_end(p);
    }
    if (!p->failed && next_content(p))
        fail_unexpected(p);
}

bool waggle__yaml_parse(struct waggle_config *config, const char *name, const char *bytes, size_t n,
                        char ret_error[WAGGLE__YAML_ERROR])
{
    struct parser p = {.config = config, .line = 1, .error = ret_error};
    char *text = NULL;
    *config = (struct waggle_config){.name = "configuration"};
    waggle__buf_init(&p.text, WAGGLE__YAML_BYTES);
    const char *own_name = take_text(config, name, strlen(name));
    if (own_name != NULL)
        config->name = own_name;
    if (n > WAGGLE__YAML_BYTES)
        fail_at(&p, 1, "the file is larger than %d bytes", WAGGLE__YAML_BYTES);
    else
        text = cleaned(&p, bytes, n);
    p.p = text;
    if (!p.failed)
        read_document(&p);
    if (p.failed)
        config->root = NULL;
    waggle__buf_done(&p.text);
    free(p.anchors);
    free(text);
    return !p.failed;
}

void waggle__yaml_done(struct waggle_config *config)
{
    while (config->chunks != NULL) {
        struct waggle__yaml_chunk *next = config->chunks->next;
        free(config->chunks);
        config->chunks = next;
    }
}
