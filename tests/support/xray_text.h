// SPDX-License-Identifier: Apache-2.0
/* Random filter expressions of X-Ray, for tests of what is done with them. */
#pragma once

#include "base/buf.h"

struct xray_rnd {
    uint64_t s;
};

static inline uint32_t xray_below(struct xray_rnd *r, uint32_t n)
{
    r->s = r->s * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->s >> 33) % n;
}

static inline skep_str xray_pick(struct xray_rnd *r, const char *const *of, unsigned n)
{
    return skep_str_c(of[xray_below(r, n)]);
}

/* Where an expression stands. */
enum xray_where { XRAY_TOP, XRAY_BRACES, XRAY_IN_CAUSE };

/* A text of the language, with odd blanks and cases, over the names of tests/unit/api. */
static inline void xray_random(struct xray_rnd *r, struct skep_buf *b, unsigned depth,
                               enum xray_where where)
{
    static const char *const tests[] = {"ok",
                                        "!Fault",
                                        "error = false",
                                        "THROTTLE != true",
                                        "partial",
                                        "inferred",
                                        "fault",
                                        "error",
                                        "throttle",
                                        "responsetime>=0.25",
                                        "responsetime < 3",
                                        "duration < 1e3",
                                        "duration > 1",
                                        "http.status=500",
                                        "http.status != 404",
                                        "http.status",
                                        "http.url CONTAINS \"/v2/\"",
                                        "http.url",
                                        "http.method != GET",
                                        "http.useragent",
                                        "http.clientip beginswith 10",
                                        "user",
                                        "user = alice",
                                        "name endswith \"h\"",
                                        "name = api.example.com",
                                        "type = \"AWS::EC2::Instance\"",
                                        "type",
                                        "annotation.foo",
                                        "annotation[ foo ] = bar",
                                        "annotation.age > 29",
                                        "annotation.age = \"31\"",
                                        "annotation.age != 30",
                                        "annotation.t = \"007\"",
                                        "account.id = \"123456789012\"",
                                        "resource.arn CONTAINS \"\"",
                                        "instance.id = i-1",
                                        "availabilityzone endswith a"};
    static const char *const in_cause[] = {
        "first", "last", "index != 1", "name = auth", "name = \"Boom\"", "index < 1"};
    static const char *const functions[] = {"service()",
                                            "service(\"auth\")",
                                            "service(\"traces\")",
                                            "service(\"users@pg\")",
                                            "service(id(type: \"AWS::DynamoDB::Table\"))",
                                            "edge(,)",
                                            "edge(\"shop\", \"users@pg\")",
                                            "edge(\"api.example.com\" , id(name:\"auth\"))",
                                            "service(\"shop\")",
                                            "service(\"backend-flask\")",
                                            "service(id(type:\"client\"))"};
    static const char *const causes[] = {"rootcause.fault.service", "RootCause.Error.Entity",
                                         "rootcause.responsetime.entity",
                                         "rootcause.fault.exception", "rootcause.fault.entity"};
    static const char *const joins[] = {" ", " AND ", " or ", "  and\n", " OR "};
    unsigned how = xray_below(r, depth ? 8 : 2);
    if (how < 2) {
        skep_buf_str(b, where == XRAY_IN_CAUSE ? xray_pick(r, in_cause, SKEP_ARRAY_LEN(in_cause))
                                               : xray_pick(r, tests, SKEP_ARRAY_LEN(tests)));
    } else if (how < 4) {
        xray_random(r, b, depth - 1, where);
        skep_buf_str(b, xray_pick(r, joins, SKEP_ARRAY_LEN(joins)));
        xray_random(r, b, depth - 1, where);
    } else if (how < 6 || where != XRAY_TOP) {
        skep_buf_str(b, how % 2 ? SKEP_STR("!( ") : SKEP_STR("("));
        xray_random(r, b, depth - 1, where);
        skep_buf_u8(b, ')');
    } else {
        bool cause = how == 7;
        skep_buf_str(b, cause ? xray_pick(r, causes, SKEP_ARRAY_LEN(causes))
                              : xray_pick(r, functions, SKEP_ARRAY_LEN(functions)));
        if (xray_below(r, 3) == 0)
            return;
        skep_buf_str(b, SKEP_STR("{"));
        xray_random(r, b, depth - 1, cause ? XRAY_IN_CAUSE : XRAY_BRACES);
        skep_buf_str(b, SKEP_STR(" }"));
    }
}
