// SPDX-License-Identifier: Apache-2.0
/* What a text is to each template of a chunk, without a look at any string.
 *
 *   always   it stands in one of the template's literals
 *   never    it cannot stand anywhere: laid over the template at every place it meets a byte of a
 *            literal that differs, or one that the slot there cannot hold
 *   spots    wherever it fits one slot alone decides, by the number that its bits are:
 *
 *               "id = 123456" over "... WHERE id = <0..4999999>": 123456 or 1234560..1234569
 *
 *            also codes of words, and digits at the begin or end of a slot of hex digits
 *   inside   it is of hex digits and can stand inside slots of such: these are compared as
 *            numbers, those of a group once an entry
 *   perhaps  the rest; these strings are made and searched
 *
 * A slot is taken for any text of its bytes (digits, hex digits, those of its words) up to its
 * longest; so "never" is never wrong, "perhaps" may be in vain.
 *
 * I1  the work of laying over is bounded by STEPS a template; over it the answer is "perhaps".
 * Threads: any; a chunk that is opened belongs to one. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/tmpl_open.h"

enum { STEPS = 20000 };

struct lay {
    const struct tmpl_opened *o;
    struct tmpl_verdict *v;
    const struct tmpl_text *t;
    skep_str needle;
    unsigned steps;
    unsigned n_slots;       /* that the needle as it is laid says something of */
    struct tmpl_laid first; /* the first of them */
    bool perhaps;
    bool inside, inside_own; /* it may stand inside a slot of hex digits; of one in the record */
};

static bool slot_holds(const struct tmpl_run *p, uint8_t c)
{
    switch (p->kind) {
    case TMPL_DEC:
    case TMPL_ZDEC: return c >= '0' && c <= '9';
    case TMPL_HEX: return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    case TMPL_UPPER: return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
    default: return p->bytes[c / 8] >> c % 8 & 1;
    }
}

static bool too_much(struct lay *l)
{
    l->perhaps = l->perhaps || ++l->steps > STEPS;
    return l->perhaps;
}

/* As it is laid, needle[from..to) stands in the slot behind piece k; with `ends` it goes on behind
 * the slot. */
static void say(struct lay *l, uint32_t k, size_t from, size_t to, bool ends)
{
    if (l->n_slots++ == 0)
        l->first = (struct tmpl_laid){
            k, {l->needle.p + from, to - from}, .begins = from > 0, .ends = ends};
}

/* The whole needle is laid. */
static void settle(struct lay *l)
{
    const struct tmpl_run *p = &l->o->pieces[l->t->first + l->first.k];
    if (l->n_slots == 1 && !l->first.begins && !l->first.ends && tmpl_is_hex(p->kind)) {
        l->inside = true; /* from its first byte to its last */
        l->inside_own = l->inside_own || !p->group;
        return;
    }
    l->perhaps = l->n_slots != 1 || !tmpl_add_spots(l->o, l->v, l->t, &l->first);
}

static void lay_in_slot(struct lay *l, uint32_t k, size_t at);

/* Lay needle[at..] from byte `from` of the literal of piece k on.  Recursion is at most as deep as
 * the needle is long, and STEPS. */
static void lay_in_literal(struct lay *l, uint32_t k, uint32_t from, size_t at)
{
    const struct tmpl_run *p = &l->o->pieces[l->t->first + k];
    for (; from < p->literal_n && at < l->needle.n; from++, at++)
        if (too_much(l) || p->literal[from] != (uint8_t)l->needle.p[at])
            return;
    if (at == l->needle.n)
        settle(l);
    else if (p->kind != TMPL_END)
        lay_in_slot(l, k, at);
}

static void lay_in_slot(struct lay *l, uint32_t k, size_t at)
{
    const struct tmpl_run *p = &l->o->pieces[l->t->first + k];
    for (size_t to = at; !too_much(l); to++) {
        unsigned n_slots = l->n_slots;
        bool whole = to == l->needle.n;
        say(l, k, at, to, !whole);
        if (whole)
            settle(l);
        else if (to > 0) /* else it begins behind the slot: laid by itself */
            lay_in_literal(l, k + 1, 0, to);
        l->n_slots = n_slots;
        if (whole || to - at == p->longest || !slot_holds(p, (uint8_t)l->needle.p[to]))
            return;
    }
}

/* Does an entry that holds the digits in any field mean that the string does?  It does when all of
 * its fields of digits stand in the template, in slots that may hold them. */
static bool entries_speak(const struct tmpl_opened *o, const struct tmpl_digits *d,
                          const struct tmpl_text *t)
{
    uint32_t fields[TMPL_GROUPS_MAX] = {0};
    for (const struct tmpl_run *p = o->pieces + t->first; p->kind != TMPL_END; p++) {
        if (!p->group || !tmpl_is_hex(p->kind))
            continue;
        if (!(p->kind == TMPL_HEX ? d->lower : d->upper))
            return false;
        for (uint32_t k = 0; k < o->sets[p->group - 1].n_fields; k++)
            if (o->sets[p->group - 1].offsets[k] == p->offset)
                fields[p->group - 1] |= 1u << k;
    }
    for (unsigned left = t->groups; left; left &= left - 1) {
        const struct tmpl_set *x = &o->sets[SKEP_CTZ64(left)];
        for (uint32_t k = 0; k < x->n_fields; k++)
            if (x->fields[k].digits > 0 && !(fields[x - o->sets] >> k & 1))
                return false;
    }
    return true;
}

static enum tmpl_found judge(const struct tmpl_opened *o, struct tmpl_verdict *v,
                             const struct tmpl_text *t, skep_str needle)
{
    struct lay l = {.o = o, .v = v, .t = t, .needle = needle};
    uint32_t spots = v->n_spots;
    for (uint32_t k = 0; k < t->n; k++) {
        const struct tmpl_run *p = &o->pieces[t->first + k];
        skep_str literal = {(const char *)p->literal, p->literal_n};
        if (skep_str_find(literal, needle) != SIZE_MAX) {
            v->n_spots = spots;
            return TMPL_ALWAYS;
        }
        for (uint32_t from = 0; from < p->literal_n && !l.perhaps; from++)
            lay_in_literal(&l, k, from, 0);
        if (p->kind != TMPL_END && !l.perhaps)
            lay_in_slot(&l, k, 0);
    }
    if (l.perhaps || (l.inside && v->digits.n == 0)) {
        v->n_spots = spots;
        return TMPL_PERHAPS;
    }
    if (!l.inside)
        return v->n_spots > spots ? TMPL_SPOTS : TMPL_NEVER;
    return v->n_spots > spots || l.inside_own || !entries_speak(o, &v->digits, t) ? TMPL_INSIDE
                                                                                  : TMPL_ENTRY;
}

/* n = 0: it is not only hex digits, or too long. */
static void read_digits(struct tmpl_digits *d, skep_str needle)
{
    *d = (struct tmpl_digits){.lower = true, .upper = true};
    if (needle.n > TMPL_NEEDLE_MAX)
        return;
    for (size_t i = 0; i < needle.n; i++) {
        uint8_t c = (uint8_t)needle.p[i], letter = (uint8_t)((c | 0x20) - 'a');
        if ((c < '0' || c > '9') && letter >= 6)
            return;
        bool digit = c <= '9';
        d->lower = d->lower && (digit || c >= 'a');
        d->upper = d->upper && (digit || c < 'a');
        d->words[i / 16] |= (uint64_t)(digit ? c - '0' : letter + 10) << (i % 16 * 4);
    }
    d->n = (uint32_t)needle.n;
}

static bool digits_at(const struct tmpl_opened *o, const struct tmpl_digits *d, uint64_t at)
{
    for (uint32_t k = 0; k < d->n; k += 16)
        if (tmpl_bits(o->records, at + (uint64_t)k * 4, SKEP_MIN(d->n - k, 16u) * 4) !=
            d->words[k / 16])
            return false;
    return true;
}

/* The lowest bit of each of 16 digits that is `digit`. */
SKEP_INLINE SKEP_WRAPS uint64_t equal_digits(uint64_t w, uint64_t digit)
{
    const uint64_t ones = 0x1111111111111111ull;
    w ^= digit * ones;
    w |= w >> 1;
    return ~(w | w >> 2) & ones;
}

/* Sixteen digits at a time: where up to three begin that are the first sought, all are compared. */
bool tmpl_digits_in(const struct tmpl_opened *o, const struct tmpl_digits *d, uint64_t at,
                    uint32_t digits)
{
    const uint64_t first = d->words[0];
    for (uint32_t from = 0; from + d->n <= digits; from += 14) {
        uint64_t w = tmpl_bits(o->records, at + (uint64_t)from * 4, 64);
        uint64_t begins = equal_digits(w, first & 15);
        if (d->n > 1)
            begins &= equal_digits(w, first >> 4 & 15) >> 4;
        if (d->n > 2)
            begins &= equal_digits(w, first >> 8 & 15) >> 8;
        for (; begins; begins &= begins - 1) {
            uint32_t pos = from + SKEP_CTZ64(begins) / 4;
            if (pos + d->n <= digits && digits_at(o, d, at + (uint64_t)pos * 4))
                return true;
        }
    }
    return false;
}

/* Which entries of a group hold the digits.  False when none does. */
static bool find_hits(const struct tmpl_opened *o, struct tmpl_verdict *v, uint32_t g)
{
    const struct tmpl_set *x = &o->sets[g];
    uint64_t *hits = v->hits[g] = skep_alloc_n(uint64_t, x->n_entries / 64 + 1);
    bool any = false;
    for (uint32_t k = 0; k < x->n_fields; k++) {
        if (x->fields[k].digits < v->digits.n)
            continue;
        for (uint32_t i = 0; i < x->n_entries; i++) {
            if (!tmpl_digits_in(o, &v->digits, x->at + (uint64_t)i * x->bits + x->offsets[k],
                                x->fields[k].digits))
                continue;
            hits[i / 64] |= 1ull << i % 64;
            any = true;
        }
    }
    return any;
}

/* Templates whose entries are known not to hold the digits never do. */
static void judge_entries(const struct tmpl_opened *o, struct tmpl_verdict *v)
{
    unsigned asked = 0, hit = 0;
    for (uint32_t i = 1; i <= o->n_templates; i++)
        asked |= v->found[i] == TMPL_ENTRY ? o->templates[i].groups : 0;
    for (uint32_t g = 0; g < o->n_sets; g++) {
        if (asked >> g & 1 && find_hits(o, v, g))
            hit |= 1u << g;
    }
    for (uint32_t i = 1; i <= o->n_templates; i++)
        if (v->found[i] == TMPL_ENTRY && !(o->templates[i].groups & hit))
            v->found[i] = TMPL_NEVER;
}

static uint8_t needed(const struct tmpl_opened *o, const struct tmpl_verdict *v, uint32_t code)
{
    uint8_t groups = 0;
    if (v->found[code] == TMPL_NEVER || v->found[code] == TMPL_ALWAYS)
        return 0;
    if (v->found[code] != TMPL_SPOTS)
        return o->templates[code].groups;
    for (uint32_t i = v->spots_end[code - 1]; i < v->spots_end[code]; i++)
        groups |= (uint8_t)(v->spots[i].group ? 1u << (v->spots[i].group - 1) : 0);
    return groups;
}

static struct tmpl_verdict *judge_all(const struct tmpl_opened *o, skep_str needle, uint64_t hash)
{
    struct tmpl_verdict *v = skep_alloc(struct tmpl_verdict);
    v->hash = hash;
    v->next = UINT32_MAX;
    read_digits(&v->digits, needle);
    for (uint32_t i = 1; i <= o->n_templates; i++) {
        v->found[i] = (uint8_t)judge(o, v, &o->templates[i], needle);
        v->spots_end[i] = v->n_spots;
    }
    judge_entries(o, v);
    v->found[0] = o->rest.n_values ? TMPL_PERHAPS : TMPL_NEVER;
    for (uint32_t i = o->codes.n_values ? 0 : 1; i <= o->n_templates; i++) {
        v->any = v->any || v->found[i] != TMPL_NEVER;
        v->needs[i] = i ? needed(o, v, i) : 0;
    }
    return v;
}

struct tmpl_verdict *tmpl_verdict_of(struct tmpl_opened *o, skep_str needle)
{
    uint64_t hash = skep_hash(skep_str_bytes(needle));
    for (unsigned i = 0; i < TMPL_VERDICTS_MAX; i++)
        if (o->verdicts[i] && o->verdicts[i]->hash == hash)
            return o->verdicts[i];
    struct tmpl_verdict **place = &o->verdicts[o->next_verdict++ % TMPL_VERDICTS_MAX];
    tmpl_verdict_free(*place);
    *place = judge_all(o, needle, hash);
    return *place;
}

void tmpl_verdict_free(struct tmpl_verdict *v)
{
    if (!v)
        return;
    for (unsigned g = 0; g < TMPL_GROUPS_MAX; g++)
        skep_free(v->hits[g]);
    skep_free(v->spots);
    skep_free(v);
}
