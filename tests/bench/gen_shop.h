// SPDX-License-Identifier: Apache-2.0
/* What the generated shop is made of: services, routes, tables.  The order of everything here is
 * part of the data set: changing it changes every figure in docs/performance.md. */
#pragma once

enum {
    N_SERVICES = 10,
    N_ROUTES = 8,
    N_REGIONS = 5,
    N_AGENTS = 24,
    N_TABLES = 12,
    N_FUNCTIONS = 16,
    N_EXCEPTIONS = 6,
    N_SYSTEMS = 6
};

struct route {
    const char *method, *pattern;
    double median_ms;
};

struct service {
    const char *name, *scope;
    int pods;
    const char *db_system, *db_name;
    int db_port;
    int calls[4]; /* services it calls */
    struct route routes[N_ROUTES];
};

extern const struct service services[N_SERVICES];
extern const char *const regions[N_REGIONS];
extern const char *const db_tables[N_TABLES];
extern const char *const functions[N_FUNCTIONS];
extern const char *const exceptions[N_EXCEPTIONS];
extern const char *const agent_systems[N_SYSTEMS];
