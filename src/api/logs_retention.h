// SPDX-License-Identifier: Apache-2.0
/* Log groups keep their lines for as many days as they say. */
#pragma once

struct skep_api;
struct skep_logs_retention;

/* Starts its thread. */
struct skep_logs_retention *skep_logs_retention_new(struct skep_api *api);
/* A setting changed: look now.  Threads: any. */
void skep_logs_retention_wake(struct skep_logs_retention *r);
/* api->stopping is set: waits for the thread.  NULL is fine. */
void skep_logs_retention_free(struct skep_logs_retention *r);
