// SPDX-License-Identifier: Apache-2.0
/* The question of a service graph and its answer: what graph_ask.c and graph_draw.c share. */
#pragma once

#include "api/graph.h"

struct skep_graph__ask {
    struct skep_arena *arena;
    const struct skep_graph_ask *ask;
    struct skep_graph *g;
};

/* clang-format off: a line a name */
/* What of a segment says which node it is. */
#define SKEP_GRAPH_PLACE(X)                                                                        \
    X("aws.xray.origin")                                                                           \
    X("cloud.platform")                                                                            \
    X("aws.ecs.launchtype")                                                                        \
    X("aws.account_id")                                                                            \
    X("cloud.account.id")
/* What every call says of itself. */
#define SKEP_GRAPH_CALL(X)                                                                         \
    X("span.kind")                                                                                 \
    X("rpc.system")                                                                                \
    X("db.system")                                                                                 \
    X("db.system.name")
/* Whom a call of another wire's names, as remote_name in xray_model.c. */
#define SKEP_GRAPH_NAMING(X)                                                                       \
    X("aws.remote.service")                                                                        \
    X("peer.service")                                                                              \
    X("aws.service")                                                                               \
    X("db.name")                                                                                   \
    X("db.namespace")                                                                              \
    X("rpc.service")                                                                               \
    X("http.host")                                                                                 \
    X("server.address")                                                                            \
    X("net.peer.name")
/* Of calls that name nobody, and X-Ray's. */
#define SKEP_GRAPH_UNNAMED(X)                                                                      \
    X("name")                                                                                      \
    X("aws.xray.namespace")                                                                        \
    X("aws.table_name")                                                                            \
    X("aws.queue_url")                                                                             \
    X("aws.bucket_name")                                                                           \
    X("aws.function_name")
/* clang-format on */

/* What most rows have not stands first: an engine folds keys from the left, and as long as all rows
 * of a block have the same that is one step for all of them. */
#define SKEP_GRAPH__ONE(n) +1
enum {
    SKEP_GRAPH_OF_UNNAMED,
    SKEP_GRAPH_OF_SEGMENTS = SKEP_GRAPH_OF_UNNAMED SKEP_GRAPH_UNNAMED(SKEP_GRAPH__ONE),
    SKEP_GRAPH_OF_CALLS = SKEP_GRAPH_OF_SEGMENTS SKEP_GRAPH_PLACE(SKEP_GRAPH__ONE),
    SKEP_GRAPH_SOURCE =
        SKEP_GRAPH_OF_CALLS SKEP_GRAPH_NAMING(SKEP_GRAPH__ONE) SKEP_GRAPH_CALL(SKEP_GRAPH__ONE),
    SKEP_GRAPH_SERVICE,
    SKEP_GRAPH_DATASET,
    SKEP_GRAPH_PARENT,
    SKEP_GRAPH_ROLE,   /* SKEP_GRAPH_BOTH ... */
    SKEP_GRAPH_CALLER, /* SKEP_GRAPH_CLIENT, SKEP_GRAPH_MEASURED, or absent */
    SKEP_GRAPH_KEYS
};
enum { SKEP_GRAPH_BOTH, SKEP_GRAPH_SEGMENT, SKEP_GRAPH_UNANSWERED };
enum { SKEP_GRAPH_CLIENT, SKEP_GRAPH_MEASURED };

/* Of the row, then the same of its parent. */
enum {
    SKEP_GRAPH_COUNT,
    SKEP_GRAPH_FAULT,
    SKEP_GRAPH_THROTTLE,
    SKEP_GRAPH_ERROR,
    SKEP_GRAPH_SUM,
    SKEP_GRAPH_HEAT,
    SKEP_GRAPH_MEASURES
};
enum { SKEP_GRAPH_HEAT_BINS = 100 };

/* Draw the answer. */
void skep_graph__draw(struct skep_graph__ask *a, const struct skep_plan *plan,
                      const struct skep_result *r);
