// SPDX-License-Identifier: Apache-2.0
/* Which strings made of templates contain a text.
 *
 * A template decides for most of its strings without their slots:
 *
 *   always   the text stands in one of its literals
 *   never    the text cannot stand anywhere: laid over the template at every place it meets a byte
 *            of a literal that differs, or one that the slot there cannot hold
 *   inside   it is of hex digits and can stand only in slots of such: these are compared as
 *            numbers, those of a group once an entry
 *   perhaps  the rest; these strings are made and searched
 *
 * A slot is taken for any text of its bytes (digits, hex digits, those of its words) up to its
 * longest; so "never" is never wrong, "perhaps" may be in vain.
 *
 * I1  the work of laying over is bounded by STEPS a template; over it the answer is "perhaps".
 * Threads: any; a scratch belongs to one. */
#include "store/column/codec/tmpl_open.h"

#include "base/assert.h"
#include "base/mem.h"

enum { STEPS = 20000, STEP = 512 };

struct lay {
    const struct tmpl_opened *o;
    const struct tmpl_text *t;
    skep_str needle;
    unsigned steps;
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

/* Can needle[at..] stand from byte `from` of the literal of piece k on?  Recursion is at most as
 * deep as the needle is long, and STEPS. */
static bool fits(struct lay *l, uint32_t k, uint32_t from, size_t at)
{
    const struct tmpl_run *p = &l->o->pieces[l->t->first + k];
    for (; from < p->literal_n; from++, at++) {
        if (at == l->needle.n || ++l->steps > STEPS)
            return true;
        if (p->literal[from] != (uint8_t)l->needle.p[at])
            return false;
    }
    if (p->kind == TMPL_END)
        return at == l->needle.n;
    for (uint32_t used = 0;; used++, at++) { /* less than it must hold is no harm */
        if (at == l->needle.n && at == used && tmpl_is_hex(p->kind)) {
            l->inside = true; /* from its first byte to its last */
            l->inside_own = l->inside_own || !p->group;
            return false;
        }
        if (at == l->needle.n || ++l->steps > STEPS || fits(l, k + 1, 0, at))
            return true;
        if (used == p->longest || !slot_holds(p, (uint8_t)l->needle.p[at]))
            return false;
    }
}

/* Does an entry that holds the digits in any field mean that the string does?  It does when all of
 * its fields of digits stand in the template, in slots that may hold them. */
static bool entries_speak(const struct tmpl_opened *o, const struct tmpl_text *t)
{
    uint32_t fields[TMPL_GROUPS_MAX] = {0};
    for (const struct tmpl_run *p = o->pieces + t->first; p->kind != TMPL_END; p++) {
        if (!p->group || !tmpl_is_hex(p->kind))
            continue;
        if (!(p->kind == TMPL_HEX ? o->digits.lower : o->digits.upper))
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

static enum tmpl_found judge(const struct tmpl_opened *o, const struct tmpl_text *t,
                             skep_str needle)
{
    struct lay l = {.o = o, .t = t, .needle = needle};
    bool perhaps = false;
    for (uint32_t k = 0; k < t->n; k++) {
        const struct tmpl_run *p = &o->pieces[t->first + k];
        skep_str literal = {(const char *)p->literal, p->literal_n};
        if (skep_str_find(literal, needle) != SIZE_MAX)
            return TMPL_ALWAYS;
        for (uint32_t from = 0; from <= p->literal_n && !perhaps;
             from++) /* the last: in the slot */
            perhaps = fits(&l, k, from, 0);
    }
    if (perhaps || (l.inside && o->digits.n == 0))
        return TMPL_PERHAPS;
    if (!l.inside)
        return TMPL_NEVER;
    return l.inside_own || !entries_speak(o, t) ? TMPL_INSIDE : TMPL_ENTRY;
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

bool tmpl_digits_in(const struct tmpl_opened *o, uint64_t at, uint32_t digits)
{
    const struct tmpl_digits *d = &o->digits;
    unsigned head = SKEP_MIN(d->n, 16u) * 4;
    for (uint32_t from = 0; from + d->n <= digits; from++, at += 4) {
        if (tmpl_bits(o->records, at, head) != d->words[0])
            continue;
        uint32_t k = 16;
        while (k < d->n && tmpl_bits(o->records, at + (uint64_t)k * 4,
                                     SKEP_MIN(d->n - k, 16u) * 4) == d->words[k / 16])
            k += 16;
        if (k >= d->n)
            return true;
    }
    return false;
}

/* Which entries of a group hold the digits.  False when none does. */
static bool find_hits(struct tmpl_opened *o, uint32_t g)
{
    const struct tmpl_set *x = &o->sets[g];
    uint64_t *hits = o->hits[g] = skep_alloc_n(uint64_t, x->n_entries / 64 + 1);
    bool any = false;
    for (uint32_t k = 0; k < x->n_fields; k++) {
        if (x->fields[k].digits < o->digits.n)
            continue;
        for (uint32_t i = 0; i < x->n_entries; i++) {
            if (!tmpl_digits_in(o, x->at + (uint64_t)i * x->bits + x->offsets[k],
                                x->fields[k].digits))
                continue;
            hits[i / 64] |= 1ull << i % 64;
            any = true;
        }
    }
    return any;
}

/* Templates whose entries are known not to hold the digits never do. */
static void judge_entries(struct tmpl_opened *o)
{
    unsigned asked = 0, hit = 0;
    for (uint32_t i = 1; i <= o->n_templates; i++)
        asked |= o->found[i] == TMPL_ENTRY ? o->templates[i].groups : 0;
    for (uint32_t g = 0; g < o->n_sets; g++) {
        skep_free(o->hits[g]);
        o->hits[g] = NULL;
        if (asked >> g & 1 && find_hits(o, g))
            hit |= 1u << g;
    }
    for (uint32_t i = 1; i <= o->n_templates; i++)
        if (o->found[i] == TMPL_ENTRY && !(o->templates[i].groups & hit))
            o->found[i] = TMPL_NEVER;
}

static void judge_all(struct tmpl_opened *o, skep_str needle, uint64_t hash)
{
    read_digits(&o->digits, needle);
    for (uint32_t i = 1; i <= o->n_templates; i++)
        o->found[i] = (uint8_t)judge(o, &o->templates[i], needle);
    judge_entries(o);
    o->found[0] = o->rest.n_values ? TMPL_PERHAPS : TMPL_NEVER;
    o->found_hash = hash;
    o->found_any = false;
    for (uint32_t i = o->codes.n_values ? 0 : 1; i <= o->n_templates; i++)
        o->found_any = o->found_any || o->found[i] != TMPL_NEVER;
}

/* Where the templates of n strings say it all: *ret is true, and their bits are set from `at` on.
 */
static skep_rc decide(const struct tmpl_opened *o, uint32_t first, uint32_t n, uint64_t *bits,
                      uint32_t at, bool *ret)
{
    SKEP_UNINIT int64_t codes[STEP];
    SKEP_UNINIT uint8_t in[STEP];
    uint8_t most = 0;
    *ret = false;
    SKEP_TRY(skep_codec__for_get(&o->codes, first, n, codes));
    for (uint32_t i = 0; i < n; i++) {
        if (SKEP_UNLIKELY((uint64_t)codes[i] > o->n_templates))
            return SKEP_ECORRUPT;
        in[i] = o->found[codes[i]];
        most = SKEP_MAX(most, in[i]);
    }
    if (most > TMPL_ALWAYS)
        return SKEP_OK;
    for (uint32_t i = 0; i < n; i++)
        bits[(at + i) / 64] |= (uint64_t)(in[i] == TMPL_ALWAYS) << (at + i) % 64;
    *ret = true;
    return SKEP_OK;
}

static skep_rc contains(const struct skep_codec_chunk *c, bool old, uint32_t first, uint32_t n,
                        skep_str needle, uint64_t *bits, struct skep_codec_scratch *scratch)
{
    skep_assert(n > 0 && n <= SKEP_CODEC_BLOCK);
    if ((uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    struct tmpl_opened *o = tmpl_opened_of(c, old, scratch);
    uint64_t hash = skep_hash(skep_str_bytes(needle)) | 1;
    if (!o)
        return SKEP_ECORRUPT;
    if (o->found_hash != hash)
        judge_all(o, needle, hash);
    memset(bits, 0, ((size_t)n + 63) / 64 * 8);
    if (!o->found_any)
        return SKEP_OK;
    SKEP_UNINIT skep_str s[STEP];
    for (uint32_t at = 0; at < n; at += STEP) {
        uint32_t take = SKEP_MIN(n - at, (uint32_t)STEP);
        bool decided = false;
        if (o->codes.n_values)
            SKEP_TRY(decide(o, first + at, take, bits, at, &decided));
        if (decided)
            continue;
        skep_codec_scratch_reset(scratch);
        SKEP_TRY(tmpl_decode_some(o, c, first + at, take, s, scratch, o->found));
        for (uint32_t i = 0; i < take; i++) {
            bool in = s[i].p ? skep_str_find(s[i], needle) != SIZE_MAX : s[i].n > 0;
            bits[(at + i) / 64] |= (uint64_t)in << i % 64;
        }
    }
    return SKEP_OK;
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
