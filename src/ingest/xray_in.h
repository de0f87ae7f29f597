// SPDX-License-Identifier: Apache-2.0
/* What the X-Ray daemon's port and the X-Ray calls share. */
#pragma once

#include "ingest/ingest_priv.h"
#include "ingest/xray.h"

/* Counts of a decoded request, as rows carry them. */
struct skep_receipt skep_ingest__xray_receipt(const struct skep_xray_report *rep);
/* Settle them, once, as the store answered.  duplicate: nothing was stored, or nothing was there
 * to store. */
void skep_ingest__xray_settle(struct skep_ingest *in, struct skep_ledger_key at,
                              const struct skep_xray_report *rep, skep_rc rc, bool duplicate);
/* Add what a daemon reported. */
void skep_ingest__xray_daemons(struct skep_ingest *in, const struct skep_xray_daemons *sum,
                               skep_str host);
/* Life, with the ingest's. */
void skep_ingest__xray_init(struct skep_ingest *in);
void skep_ingest__xray_done(struct skep_ingest *in);
/* The member "xray" of the status; nothing when there is nothing to say. */
void skep_ingest__xray_status(struct skep_ingest *in, struct skep_json *json);
