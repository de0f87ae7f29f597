// SPDX-License-Identifier: Apache-2.0
/* Browsers by the product of theirs that no other one has; all of them say Mozilla, most say
 * Safari, many Chrome, so the order of the table decides. Threads: any.  Memory: the arena. */
#include "ingest/user_agent.h"

#include "base/assert.h"

enum { NAME_MAX_BYTES = 40 };

static const struct {
    const char *mark, *name;
} browsers[] = {
    {"Edg/", "Edge"},
    {"EdgA/", "Edge"},
    {"EdgiOS/", "Edge"},
    {"OPR/", "Opera"},
    {"SamsungBrowser/", "Samsung Internet"},
    {"HeadlessChrome/", "Chrome"},
    {"CriOS/", "Chrome"},
    {"Chrome/", "Chrome"},
    {"FxiOS/", "Firefox"},
    {"Firefox/", "Firefox"},
    {"Version/", "Safari"},
    {"MSIE ", "Internet Explorer"},
};

/* The digits at the beginning: the major version. */
static skep_str major_of(skep_str s)
{
    size_t n = 0;
    while (n < s.n && n < 8 && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return (skep_str){s.p, n};
}

skep_str skep_user_agent_name(skep_str header, struct skep_arena *arena)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(browsers); i++) {
        skep_str mark = skep_str_c(browsers[i].mark);
        size_t at = skep_str_find(header, mark);
        skep_str major =
            at == SIZE_MAX ? SKEP_STR_NULL : major_of(skep_str_skip(header, at + mark.n));
        if (major.n)
            return skep_arena_printf(arena, "%s " SKEP_STRFMT, browsers[i].name,
                                     SKEP_STRARG(major));
    }
    skep_str product = skep_str_cut(&header, '/');
    if (!header.p || product.n == 0 || product.n > NAME_MAX_BYTES ||
        skep_str_chr(product, ' ') != SIZE_MAX || skep_str_eq(product, SKEP_STR("Mozilla")) ||
        !skep_utf8_valid(product))
        return SKEP_STR_NULL;
    skep_str major = major_of(header);
    return skep_arena_printf(arena, SKEP_STRFMT "%s" SKEP_STRFMT, SKEP_STRARG(product),
                             major.n ? " " : "", SKEP_STRARG(major));
}
