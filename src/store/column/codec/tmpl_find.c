// SPDX-License-Identifier: Apache-2.0
/* Which strings made of templates contain a text: the templates decide for most of them
 * (tmpl_judge.c), bits of their records for others, and only what is left is made and searched.
 *
 *   codes      3   1   1   7   3   ...      of a block's values
 *   found      n   a   a   s   n            never, always, spots
 *   records    |---|-|-|-----|---|          their sizes add up to the place of the next
 *                      ^ bits compared
 *
 * A search that goes on where the last one ended knows the place; another begins at a step of the
 * index.
 *
 * Threads: any; a scratch belongs to one. */
#include "base/assert.h"
#include "store/column/codec/tmpl_open.h"

struct search {
    const struct tmpl_opened *o;
    struct tmpl_verdict *v;
    skep_str needle;
    unsigned of;   /* groups whose entries are asked */
    uint8_t *text; /* room for a string */
};

static bool spot_hit(const struct search *s, uint32_t code, const struct tmpl_place *place)
{
    for (uint32_t i = s->v->spots_end[code - 1]; i < s->v->spots_end[code]; i++) {
        const struct tmpl_spot *x = &s->v->spots[i];
        uint64_t at = (x->group ? place->entries[x->group - 1] : place->at) + x->offset;
        uint64_t bits = tmpl_bits(s->o->records, at, x->width);
        if (bits >= x->lo && bits <= x->hi)
            return true;
    }
    return false;
}

/* Has one of the string's slots of hex digits those that are sought? */
static bool digits_inside(const struct search *s, const struct tmpl_text *t,
                          const struct tmpl_place *place)
{
    const struct tmpl_opened *o = s->o;
    const struct tmpl_digits *d = &s->v->digits;
    uint64_t at = place->at + t->reference_bits;
    for (const struct tmpl_run *p = o->pieces + t->first; p->kind != TMPL_END; p++) {
        uint64_t from = p->group ? place->entries[p->group - 1] + p->offset : at;
        if (tmpl_is_hex(p->kind) && (p->kind == TMPL_HEX ? d->lower : d->upper) &&
            tmpl_digits_in(o, d, from, p->digits))
            return true;
        if (!p->group)
            at += tmpl_slot_bits(p);
    }
    return false;
}

static bool entry_hit(const struct tmpl_verdict *v, const struct tmpl_text *t,
                      const struct tmpl_place *place)
{
    for (unsigned left = t->groups; left; left &= left - 1) {
        unsigned g = SKEP_CTZ64(left);
        if (v->hits[g] && (v->hits[g][place->entry[g] / 64] >> (place->entry[g] % 64) & 1))
            return true;
    }
    return false;
}

/* A string whose template does not decide, and is inside. */
static skep_rc look(const struct search *s, uint32_t code, const struct tmpl_place *place,
                    bool *ret)
{
    const struct tmpl_opened *o = s->o;
    const struct tmpl_text *t = &o->templates[code];
    switch (s->v->found[code]) {
    case TMPL_SPOTS: *ret = spot_hit(s, code, place); return SKEP_OK;
    case TMPL_INSIDE: *ret = spot_hit(s, code, place) || digits_inside(s, t, place); return SKEP_OK;
    case TMPL_ENTRY: *ret = entry_hit(s->v, t, place); return SKEP_OK;
    case TMPL_PERHAPS: break;
    default: skep_unreachable("decided by its template");
    }
    const uint8_t *end = tmpl_put_string(s->text, o, t, place);
    if (!end)
        return SKEP_ECORRUPT;
    skep_str made = {(const char *)s->text, (size_t)(end - s->text)};
    *ret = skep_str_find(made, s->needle) != SIZE_MAX;
    return SKEP_OK;
}

/* The values of codes[n] from a place on; rest_bits: those of the rest among them, one by one. */
static skep_rc walk(const struct search *s, const uint32_t *codes, uint32_t n,
                    const uint64_t *rest_bits, struct tmpl_place *place, uint64_t *bits)
{
    const struct tmpl_opened *o = s->o;
    uint32_t rest = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct tmpl_text *t = &o->templates[codes[i]];
        uint8_t found = s->v->found[codes[i]];
        bool has = found == TMPL_ALWAYS;
        if (codes[i] == 0) {
            has = rest_bits[rest / 64] >> rest % 64 & 1;
            rest++;
        } else {
            if ((found > TMPL_ALWAYS || (t->groups & s->of)) && !tmpl_inside(o, t, place))
                return SKEP_ECORRUPT;
            if ((t->groups & s->of) && !tmpl_take_references(o, t, s->of, place))
                return SKEP_ECORRUPT;
            if (found > TMPL_ALWAYS)
                SKEP_TRY(look(s, codes[i], place, &has));
        }
        bits[i / 64] |= (uint64_t)has << i % 64;
        place->at += t->bits;
    }
    place->rest += rest;
    return SKEP_OK;
}

/* Where templates say it all there is no way to go.  False: they do not. */
static bool decided(const struct tmpl_verdict *v, const uint32_t *codes, uint32_t n, uint64_t *bits)
{
    uint8_t most = 0;
    for (uint32_t i = 0; i < n; i++)
        most = SKEP_MAX(most, v->found[codes[i]]);
    for (uint32_t i = 0; most == TMPL_ALWAYS && i < n; i++)
        bits[i / 64] |= (uint64_t)(v->found[codes[i]] == TMPL_ALWAYS) << i % 64;
    return most <= TMPL_ALWAYS;
}

static skep_rc search_rest(const struct tmpl_opened *o, uint32_t first, const uint32_t *codes,
                           uint32_t n, skep_str needle, uint64_t *bits,
                           struct skep_codec_scratch *scratch)
{
    uint32_t e = 0;
    for (uint32_t i = 0; i < n; i++)
        e += codes[i] == 0;
    if (e == 0)
        return SKEP_OK;
    if ((uint64_t)first + e > o->rest.n_values)
        return SKEP_ECORRUPT;
    memset(bits, 0, ((size_t)e + 63) / 64 * 8);
    return skep_codec_contains(o->rest_codec, &o->rest, first, e, needle, bits, scratch);
}

static skep_rc search_coded(struct search *s, uint32_t first, uint32_t n, uint64_t *bits,
                            struct skep_codec_scratch *scratch)
{
    const struct tmpl_opened *o = s->o;
    struct tmpl_verdict *v = s->v;
    SKEP_UNINIT uint32_t all[SKEP_CODEC_BLOCK + TMPL_STEP];
    SKEP_UNINIT uint64_t rest_bits[SKEP_CODEC_BLOCK / 64];
    uint32_t skip = first % TMPL_STEP;
    const uint32_t *codes = all + skip;
    SKEP_TRY(tmpl_codes(o, first - skip, skip + n, all));
    if (decided(v, codes, n, bits))
        return SKEP_OK;
    for (uint32_t i = 0; i < n; i++)
        s->of |= v->needs[codes[i]];
    bool goes_on = v->next == first && !(s->of & ~v->counted);
    s->of |= v->counted; /* the next block may need them again */
    if (!goes_on) {
        tmpl_place_at_step(o, first / TMPL_STEP, &v->place);
        SKEP_TRY(tmpl_skip(o, all, skip, s->of, &v->place));
    }
    v->counted = s->of;
    v->next = UINT32_MAX; /* unless it ends well */
    SKEP_TRY(search_rest(o, v->place.rest, codes, n, s->needle, rest_bits, scratch));
    skep_codec_scratch_reset(scratch);
    s->text = skep_codec_scratch_take(scratch, TMPL_LENGTH_MAX + TMPL_SLACK);
    SKEP_TRY(walk(s, codes, n, rest_bits, &v->place, bits));
    v->next = first + n;
    return SKEP_OK;
}

/* All values have template 1. */
static skep_rc search_plain(struct search *s, uint32_t first, uint32_t n, uint64_t *bits,
                            struct skep_codec_scratch *scratch)
{
    const struct tmpl_text *t = &s->o->templates[1];
    struct tmpl_place place = {.at = (uint64_t)first * t->bits};
    if (s->v->found[1] == TMPL_ALWAYS) {
        skep_codec__set_bits(bits, 0, n);
        return SKEP_OK;
    }
    skep_codec_scratch_reset(scratch);
    s->text = skep_codec_scratch_take(scratch, TMPL_LENGTH_MAX + TMPL_SLACK);
    for (uint32_t i = 0; i < n; i++, place.at += t->bits) {
        bool has = false;
        if (!tmpl_inside(s->o, t, &place))
            return SKEP_ECORRUPT;
        SKEP_TRY(look(s, 1, &place, &has));
        bits[i / 64] |= (uint64_t)has << i % 64;
    }
    return SKEP_OK;
}

static skep_rc contains(const struct skep_codec_chunk *c, bool old, uint32_t first, uint32_t n,
                        skep_str needle, uint64_t *bits, struct skep_codec_scratch *scratch)
{
    skep_assert(n > 0 && n <= SKEP_CODEC_BLOCK);
    if ((uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    struct tmpl_opened *o = tmpl_opened_of(c, old, scratch);
    if (!o)
        return SKEP_ECORRUPT;
    struct search s = {.o = o, .v = tmpl_verdict_of(o, needle), .needle = needle};
    memset(bits, 0, ((size_t)n + 63) / 64 * 8);
    if (!s.v->any)
        return SKEP_OK;
    return o->codes.n_values ? search_coded(&s, first, n, bits, scratch)
                             : search_plain(&s, first, n, bits, scratch);
}

skep_rc tmpl_contains(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, skep_str needle,
                      uint64_t *bits, struct skep_codec_scratch *scratch)
{
    return contains(c, false, first, n, needle, bits, scratch);
}

skep_rc tmpl_contains_18(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                         skep_str needle, uint64_t *bits, struct skep_codec_scratch *scratch)
{
    return contains(c, true, first, n, needle, bits, scratch);
}
