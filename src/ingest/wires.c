// SPDX-License-Identifier: Apache-2.0
/* The wires: a row each. */
#include "base/assert.h"
#include "ingest/ingest.h"

const struct skep_route *skep_ingest_routes(unsigned i, size_t *ret_n)
{
    static const struct skep_route *(*const wires[])(size_t *) = {
        skep_ingest_otlp_routes, skep_ingest_import_routes,  skep_ingest_xray_routes,
        skep_ingest_logs_routes, skep_ingest_rollbar_routes, skep_ingest_events_routes,
    };
    skep_assert(ret_n != NULL);
    return i < SKEP_ARRAY_LEN(wires) ? wires[i](ret_n) : NULL;
}
