// SPDX-License-Identifier: Apache-2.0
/* The parts of skep repair.  Internal to store/column. */
#pragma once

#include "store/column/manifest.h"
#include "store/tools.h"

struct skep_repair {
    const struct skep_tool *t;
    const char *dir;
    const struct skep_repair_opts *opts;
    struct skep_repair_result r;
    struct skep_manifest_state s; /* what the new manifest will say */
    bool manifest_ok;             /* the old one is good and complete */
    uint64_t *aside;              /* numbers of segments to move to quarantine */
    size_t aside_n, aside_cap;
    struct skep_budget *memory; /* opts->memory, or one without a limit */
    skep_ts_ns now_ns;
    uint64_t forgotten_rows; /* that the ledger may lack for what is forgotten */
};

/* Tell of a thing done (note) or lost (damage). */
void skep_repair__tell(struct skep_repair *p, enum skep_finding_level level, skep_str file,
                       const char *fmt, ...) SKEP_PRINTF(4, 5);
void skep_repair__lose(struct skep_repair *p, const struct skep_missing *m);
void skep_repair__set_aside(struct skep_repair *p, uint64_t number);

/* repair_manifest.c: fills p->s from the manifest, or from what is left of it and the files. */
SKEP_NODISCARD skep_rc skep_repair__manifest(struct skep_repair *p, skep_err *err);
/* repair_segment.c: looks at segment i of p->s; drops it there, or replaces it by what was saved.
 */
SKEP_NODISCARD skep_rc skep_repair__segment(struct skep_repair *p, unsigned i, bool *ret_dropped,
                                            skep_err *err);
