// SPDX-License-Identifier: Apache-2.0
/* Who is told: recipients as objects, and the lists of them in triggers and burn alerts. */
#pragma once

#include "api/honeycomb_objects.h"

/* Members of an item of "recipients". */
extern const struct skep_api__hny_members skep_api__hny_notified;

/* Each of c->body's "recipients" becomes {"id", "type", "target", "details"?} of one that is there.
 * markers: {"type": "marker", "target": type of markers} may be among them.  False after a refusal.
 */
bool skep_api__hny_check_notified(struct skep_api__hny_call *c, bool markers);
/* The place (state/notify.h) of a recipient's id. */
skep_str skep_api__recipient_place(struct skep_arena *arena, skep_str id);
