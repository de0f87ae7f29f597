// SPDX-License-Identifier: Apache-2.0
/* X-Ray's filter expressions: text -> tree -> what of it a plan can ask.
 *
 *   service("api") { fault OR responsetime > 2.5 } annotation.user = "bob" !ok
 *
 *   expr       = and { "OR" and }
 *   and        = not { ["AND"] not }              standing side by side is AND
 *   not        = "!" not | primary
 *   primary    = "(" expr ")" | service | edge | rootcause | json | test
 *   service    = "service" "(" [ref] ")" ["{" expr "}"]
 *   edge       = "edge" "(" [ref] "," [ref] ")" ["{" expr "}"]
 *   ref        = STRING | "id" "(" part { "," part } ")"   part = ("name"|"type"|"account.id") ":"
 * STRING rootcause  = "rootcause" "." ("fault"|"error"|"responsetime") "."
 * ("service"|"entity"|"exception")
 *                ["{" expr "}"]
 *   json       = "rootcause" ["." ("fault"|"error"|"responsetime")] "." "json" "=" "#" JSON
 *   test       = keyword [op value]               a keyword alone: is true, is there
 *   keyword    = name { "." name } | "annotation" ("." NAME | "[" anything but "]" "]")
 *   op         = "=" "!=" "<" "<=" ">" ">=" "CONTAINS" "BEGINSWITH" "ENDSWITH"
 *   value      = "text with \" and \\" | number | true | false | word
 *
 * Keywords, functions and operators are case-insensitive.  "!" binds closest, then AND, then OR.
 *
 * The tree says what the text says.  A plan can ask a part of it only (root causes
 * and inferred nodes are of the assembled trace): skep_xray_filter makes the sharpest filter that
 * loses no trace, and says whether it is the whole answer; src/api/xray_match.c is. */
#pragma once

#include "base/buf.h"
#include "lang/honeycomb.h"

enum skep_xray_op {
    SKEP_XRAY_ALL, /* no expression: every trace */
    SKEP_XRAY_AND,
    SKEP_XRAY_OR,
    SKEP_XRAY_NOT,
    SKEP_XRAY_TEST,
    SKEP_XRAY_SERVICE,
    SKEP_XRAY_EDGE,
    SKEP_XRAY_CAUSE,
    SKEP_XRAY_CAUSE_JSON,
    SKEP_XRAY_GROUP /* kids[0] is the group's expression */
};

/* X(ID, text, type, where) */
#define SKEP_XRAY_KEYWORDS(X)                                                                      \
    X(OK, "ok", BOOL, TRACE | SERVICE | EDGE)                                                      \
    X(ERROR, "error", BOOL, TRACE | SERVICE | EDGE)                                                \
    X(THROTTLE, "throttle", BOOL, TRACE | SERVICE | EDGE)                                          \
    X(FAULT, "fault", BOOL, TRACE | SERVICE | EDGE)                                                \
    X(PARTIAL, "partial", BOOL, TRACE | SERVICE | EDGE)                                            \
    X(INFERRED, "inferred", BOOL, TRACE | SERVICE | EDGE | CAUSE_SERVICE)                          \
    X(FIRST, "first", BOOL, CAUSE_SERVICE | CAUSE_ENTITY | CAUSE_EXCEPTION)                        \
    X(LAST, "last", BOOL, CAUSE_SERVICE | CAUSE_ENTITY | CAUSE_EXCEPTION)                          \
    X(REMOTE, "remote", BOOL, CAUSE_ENTITY)                                                        \
    X(ROOT, "root", BOOL, SERVICE)                                                                 \
    X(RESPONSETIME, "responsetime", NUMBER, TRACE | SERVICE | EDGE)                                \
    X(DURATION, "duration", NUMBER, TRACE | SERVICE | EDGE)                                        \
    X(HTTP_STATUS, "http.status", NUMBER, TRACE | SERVICE | EDGE)                                  \
    X(INDEX, "index", NUMBER, CAUSE_SERVICE | CAUSE_ENTITY | CAUSE_EXCEPTION)                      \
    X(COVERAGE, "coverage", NUMBER, CAUSE_ENTITY)                                                  \
    X(HTTP_URL, "http.url", TEXT, TRACE | SERVICE | EDGE)                                          \
    X(HTTP_METHOD, "http.method", TEXT, TRACE | SERVICE | EDGE)                                    \
    X(HTTP_USERAGENT, "http.useragent", TEXT, TRACE | SERVICE | EDGE)                              \
    X(HTTP_CLIENTIP, "http.clientip", TEXT, TRACE | SERVICE | EDGE)                                \
    X(USER, "user", TEXT, TRACE | SERVICE | EDGE)                                                  \
    X(NAME, "name", TEXT, TRACE | SERVICE | EDGE | CAUSE_SERVICE | CAUSE_ENTITY | CAUSE_EXCEPTION) \
    X(TYPE, "type", TEXT, TRACE | SERVICE | EDGE | CAUSE_SERVICE)                                  \
    X(MESSAGE, "message", TEXT, CAUSE_EXCEPTION)                                                   \
    X(AVAILABILITYZONE, "availabilityzone", TEXT, TRACE | SERVICE | EDGE)                          \
    X(INSTANCE_ID, "instance.id", TEXT, TRACE | SERVICE | EDGE)                                    \
    X(RESOURCE_ARN, "resource.arn", TEXT, TRACE | SERVICE | EDGE)                                  \
    X(ACCOUNT_ID, "account.id", TEXT, TRACE | SERVICE | EDGE | CAUSE_SERVICE)                      \
    X(ANNOTATION, "annotation", ANY, TRACE | SERVICE | EDGE)                                       \
    X(GROUP_NAME, "group.name", TEXT, TRACE)                                                       \
    X(GROUP_ARN, "group.arn", TEXT, TRACE)

enum skep_xray_keyword {
#define X(id, text, type, where) SKEP_XRAY_KW_##id,
    SKEP_XRAY_KEYWORDS(X)
#undef X
        SKEP_XRAY_KW_COUNT
};

enum skep_xray_cmp {
    SKEP_XRAY_IS, /* the keyword alone */
    SKEP_XRAY_EQ,
    SKEP_XRAY_NE,
    SKEP_XRAY_LT,
    SKEP_XRAY_LE,
    SKEP_XRAY_GT,
    SKEP_XRAY_GE,
    SKEP_XRAY_CONTAINS,
    SKEP_XRAY_BEGINS,
    SKEP_XRAY_ENDS,
    SKEP_XRAY_CMP_COUNT
};

/* A node of the service graph: what is not said may be anything. */
struct skep_xray_ref {
    bool has_name, has_type, has_account;
    skep_str name, type, account;
};

enum skep_xray_cause {
    SKEP_XRAY_CAUSE_FAULT,
    SKEP_XRAY_CAUSE_ERROR,
    SKEP_XRAY_CAUSE_TIME,
    SKEP_XRAY_CAUSE_ANY /* rootcause.json alone */
};
enum skep_xray_level { SKEP_XRAY_LEVEL_SERVICE, SKEP_XRAY_LEVEL_ENTITY, SKEP_XRAY_LEVEL_EXCEPTION };

enum { SKEP_XRAY_FORMS = 3 };

struct skep_xray_expr {
    enum skep_xray_op op;
    /* AND, OR: two; NOT, GROUP: one; SERVICE, EDGE, CAUSE: what stands in braces, or none */
    struct skep_xray_expr *kids[2];
    /* TEST; GROUP: keyword, EQ or NE, and the group's name or ARN as value */
    enum skep_xray_keyword keyword;
    enum skep_xray_cmp cmp;
    skep_str key;                      /* ANNOTATION */
    skep_value value;                  /* STRING, DOUBLE or BOOL; NULL for IS */
    skep_value forms[SKEP_XRAY_FORMS]; /* ANNOTATION's EQ and NE: all that the value may be */
    unsigned n_forms;
    struct skep_xray_ref refs[2]; /* SERVICE: one; EDGE: from, to */
    enum skep_xray_cause cause;   /* CAUSE, CAUSE_JSON */
    enum skep_xray_level level;   /* CAUSE */
    skep_str json;                /* CAUSE_JSON */
};

struct skep_xray_groups {
    void *ctx;
    /* The expression of a group by name, or by ARN, in the arena; false when there is none. */
    bool (*find)(void *ctx, skep_str name, bool arn, struct skep_arena *arena, skep_str *ret);
};

enum {
    SKEP_LIMIT_XRAY_TEXT = 16384,
    SKEP_LIMIT_XRAY_DEPTH = 32,
    SKEP_LIMIT_XRAY_TESTS = 200,
    SKEP_LIMIT_XRAY_GROUPS = 8 /* groups inside groups */
};

/* Read an expression; an empty text is SKEP_XRAY_ALL.
 *
 * groups   NULL = group.name and group.arn are refused
 * ret      in the arena, as are its texts
 * Returns  SKEP_OK | EINVAL: issue.at is the byte in `text` where something else was expected, and
 *          issue.text says what
 * Threads  any */
SKEP_NODISCARD skep_rc skep_xray_parse(skep_str text, const struct skep_xray_groups *groups,
                                       struct skep_arena *arena, const struct skep_xray_expr **ret,
                                       struct skep_lang_issue *issue);
/* The tree as text that reads back as the same tree. */
void skep_xray_print(const struct skep_xray_expr *e, struct skep_buf *out);

/* A filter that every row passes whose trace the expression selects.
 *
 * entry      whose fields the tests about the trace as a whole ask: SELF = the row is the trace's
 *            entry, ROOT = any row
 * ret        in the arena; NULL = all rows
 * ret_exact  it passes no other row: the trace need not be looked at */
void skep_xray_filter(const struct skep_xray_expr *e, enum skep_relation entry,
                      struct skep_arena *arena, const struct skep_expr **ret, bool *ret_exact);

/* The text of a keyword, "http.status". */
skep_str skep_xray_keyword_text(enum skep_xray_keyword k);
