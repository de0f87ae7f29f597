// SPDX-License-Identifier: Apache-2.0
/* A filter expression's tree as text: as few parentheses as say the same, annotations in brackets.
 *
 * I1  What was read and printed reads back as the same tree; it has no more levels than the text it
 *     came from.
 *
 * Recursion: as deep as the tree, whose joins are as many as its tests (SKEP_LIMIT_XRAY_TESTS). */
#include "base/assert.h"
#include "lang/xray.h"
#include "wire/json_out.h"

static void put_text(struct skep_buf *out, skep_str s)
{
    skep_buf_u8(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            skep_buf_u8(out, '\\');
        skep_buf_u8(out, (uint8_t)s.p[i]);
    }
    skep_buf_u8(out, '"');
}

static void put_value(struct skep_buf *out, const skep_value *v)
{
    char text[SKEP_JSON_NUMBER_BYTES];
    if (v->type == SKEP_TYPE_STRING)
        put_text(out, v->s);
    else if (v->type == SKEP_TYPE_BOOL)
        skep_buf_str(out, v->b ? SKEP_STR("true") : SKEP_STR("false"));
    else
        skep_buf_str(out, (skep_str){text, skep_json_f64_text(v->f, text)});
}

static void put_test(struct skep_buf *out, const struct skep_xray_expr *e)
{
    static const char *const ops[SKEP_XRAY_CMP_COUNT] = {[SKEP_XRAY_EQ] = " = ",
                                                         [SKEP_XRAY_NE] = " != ",
                                                         [SKEP_XRAY_LT] = " < ",
                                                         [SKEP_XRAY_LE] = " <= ",
                                                         [SKEP_XRAY_GT] = " > ",
                                                         [SKEP_XRAY_GE] = " >= ",
                                                         [SKEP_XRAY_CONTAINS] = " CONTAINS ",
                                                         [SKEP_XRAY_BEGINS] = " BEGINSWITH ",
                                                         [SKEP_XRAY_ENDS] = " ENDSWITH "};
    skep_buf_str(out, skep_xray_keyword_text(e->keyword));
    if (e->keyword == SKEP_XRAY_KW_ANNOTATION) {
        skep_buf_u8(out, '[');
        skep_buf_str(out, e->key);
        skep_buf_u8(out, ']');
    }
    if (e->cmp == SKEP_XRAY_IS)
        return;
    skep_buf_str(out, skep_str_c(ops[e->cmp]));
    put_value(out, &e->value);
}

static void put_ref(struct skep_buf *out, const struct skep_xray_ref *r)
{
    const struct {
        bool has;
        skep_str name, text;
    } parts[] = {{r->has_name, SKEP_STR("name"), r->name},
                 {r->has_type, SKEP_STR("type"), r->type},
                 {r->has_account, SKEP_STR("account.id"), r->account}};
    unsigned n = 0;
    if (r->has_name && !r->has_type && !r->has_account) {
        put_text(out, r->name);
        return;
    }
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(parts); i++) {
        if (!parts[i].has)
            continue;
        skep_buf_str(out, n++ ? SKEP_STR(", ") : SKEP_STR("id("));
        skep_buf_str(out, parts[i].name);
        skep_buf_str(out, SKEP_STR(": "));
        put_text(out, parts[i].text);
    }
    if (n)
        skep_buf_u8(out, ')');
}

static void put_braces(struct skep_buf *out, const struct skep_xray_expr *kid)
{
    if (!kid)
        return;
    skep_buf_str(out, SKEP_STR(" { "));
    skep_xray_print(kid, out);
    skep_buf_str(out, SKEP_STR(" }"));
}

static void put_nodes(struct skep_buf *out, const struct skep_xray_expr *e)
{
    bool edge = e->op == SKEP_XRAY_EDGE;
    skep_buf_str(out, edge ? SKEP_STR("edge(") : SKEP_STR("service("));
    put_ref(out, &e->refs[0]);
    if (edge) {
        skep_buf_str(out, SKEP_STR(", "));
        put_ref(out, &e->refs[1]);
    }
    skep_buf_u8(out, ')');
    put_braces(out, e->kids[0]);
}

static void put_cause(struct skep_buf *out, const struct skep_xray_expr *e)
{
    static const char *const causes[] = {".fault", ".error", ".responsetime", ""},
                             *const levels[] = {".service", ".entity", ".exception"};
    skep_buf_str(out, SKEP_STR("rootcause"));
    skep_buf_str(out, skep_str_c(causes[e->cause]));
    if (e->op == SKEP_XRAY_CAUSE_JSON) {
        skep_buf_str(out, SKEP_STR(".json = #"));
        skep_buf_str(out, e->json);
        return;
    }
    skep_buf_str(out, skep_str_c(levels[e->level]));
    put_braces(out, e->kids[0]);
}

/* What may stand without parentheses. */
enum level { IN_OR, IN_AND, IN_NOT, IN_NOT_NOT };

static void put(struct skep_buf *out, const struct skep_xray_expr *e, enum level level)
{
    bool any = e->op == SKEP_XRAY_OR, all = e->op == SKEP_XRAY_AND, no = e->op == SKEP_XRAY_NOT;
    bool wrap = (any && level > IN_OR) || (all && level > IN_AND) || (no && level > IN_NOT);
    if (wrap)
        skep_buf_u8(out, '(');
    switch (e->op) {
    case SKEP_XRAY_ALL: break;
    case SKEP_XRAY_AND:
    case SKEP_XRAY_OR: /* joins are read from the left */
        put(out, e->kids[0], any ? IN_OR : IN_AND);
        skep_buf_str(out, any ? SKEP_STR(" OR ") : SKEP_STR(" AND "));
        put(out, e->kids[1], any ? IN_AND : IN_NOT);
        break;
    case SKEP_XRAY_NOT:
        skep_buf_u8(out, '!');
        put(out, e->kids[0], IN_NOT_NOT);
        break;
    case SKEP_XRAY_TEST:
    case SKEP_XRAY_GROUP: put_test(out, e); break;
    case SKEP_XRAY_SERVICE:
    case SKEP_XRAY_EDGE: put_nodes(out, e); break;
    case SKEP_XRAY_CAUSE:
    case SKEP_XRAY_CAUSE_JSON: put_cause(out, e); break;
    }
    if (wrap)
        skep_buf_u8(out, ')');
}

void skep_xray_print(const struct skep_xray_expr *e, struct skep_buf *out)
{
    put(out, e, IN_OR);
}
