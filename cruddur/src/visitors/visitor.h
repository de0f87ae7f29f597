// SPDX-License-Identifier: Apache-2.0
/* visitor.h - carries out a script over HTTP, at a pace */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What the command line asks for; shared by all visitors. */
struct plan {
    const char *url;
    uint64_t seed;
    unsigned people;              /* visitors at once */
    double rate;                  /* requests a second, of all; 0: as fast as it goes */
    uint64_t count;               /* requests of each; 0: until stopped */
    double slow_from, slow_until; /* seconds since the start; from < 0: never */
    double errors_from, errors_until;
};

/* Ask for the spells to begin or to end, from a signal handler, too. */
void visitors_toggle_slow(void);
void visitors_toggle_errors(void);

/* Ask all to stop, from a signal handler, too. */
void visitors_stop(void);

/* Run all visitors until they have done. Prints what came of it. False if a thread could not begin
 * or no request was answered. */
bool visitors_run(const struct plan *plan);
