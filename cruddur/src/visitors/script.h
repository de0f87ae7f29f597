// SPDX-License-Identifier: Apache-2.0
/* script.h - what a visitor does next: the same for the same seed
 *
 * A visitor reads most of the time, posts and replies at times, and mistypes. Who it is, and with
 * which program it came, stays for some requests. Nothing here knows the network or the clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct script {
    uint64_t state;  /* of the random numbers */
    unsigned person; /* who visits now, with what, from where */
    unsigned client, version, region;
    unsigned left; /* requests until somebody else comes */
    char post[64]; /* the uuid of a post that was seen; "": none yet */
};

/* One request. */
struct action {
    const char *method; /* "GET", "POST" */
    char path[160];
    char body[512];    /* JSON; "": none */
    char baggage[256]; /* the header's value */
    char agent[64];    /* User-Agent */
};

/* What goes wrong while it is asked for; see script_next. */
struct spells {
    bool slow;   /* visitors on ios 2.1.0 are slow */
    bool errors; /* visitors on android fail when they read home or search */
};

/* The visitor of number n among those of a seed. */
void script_init(struct script *ret_script, uint64_t seed, unsigned n);

/* The next request. */
void script_next(struct script *script, const struct spells *spells, struct action *ret_action);

/* Remember a post from an answer of the home page, to reply to. */
void script_saw(struct script *script, const char *answer, size_t n);
