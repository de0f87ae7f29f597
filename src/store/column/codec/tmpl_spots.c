// SPDX-License-Identifier: Apache-2.0
/* A text in one slot as ranges of the number that the slot's bits are (tmpl_judge.c).
 *
 *   what is laid     slot of a number           of hex digits          of words
 *   all of it        [v, v]                     its digits             codes of such words
 *   its begin        [v * 10^k, ... + 10^k)     the lowest bits        codes of such words
 *   its end          -                          the highest bits       codes of such words
 *   anywhere         -                          (digits inside)        codes of such words
 *
 * I1  spots say exactly what a search of the strings would: what is not exact is refused.
 * Threads: any. */
#include "base/mem.h"
#include "store/column/codec/tmpl_open.h"

enum { RUNS_MAX = 32, DIGITS_EXACT = 18 };

static void put(struct tmpl_verdict *to, struct tmpl_spot spot, uint64_t lo, uint64_t hi)
{
    spot.lo = lo;
    spot.hi = hi;
    SKEP_GROW(to->spots, to->n_spots, to->cap_spots);
    to->spots[to->n_spots++] = spot;
}

/* The numbers [lo, hi] of a slot. */
static void put_numbers(struct tmpl_verdict *to, const struct tmpl_spot *spot,
                        const struct tmpl_run *p, uint64_t top, uint64_t lo, uint64_t hi)
{
    if (lo <= top && hi >= p->base)
        put(to, *spot, SKEP_MAX(lo, p->base) - p->base, SKEP_MIN(hi, top) - p->base);
}

static uint64_t ten_to(unsigned n)
{
    uint64_t v = 1;
    for (; n > 0; n--)
        v *= 10;
    return v;
}

/* A number without leading zeros. */
static bool add_decimal(struct tmpl_verdict *to, const struct tmpl_spot *spot,
                        const struct tmpl_run *p, uint64_t top, const struct tmpl_laid *laid,
                        uint64_t v)
{
    if (laid->piece.n == 0 || (laid->piece.p[0] == '0' && laid->piece.n > 1))
        return true; /* no such */
    if (laid->ends || v == 0) {
        put_numbers(to, spot, p, top, v, v);
        return true;
    }
    for (unsigned more = 0; more + laid->piece.n <= DIGITS_EXACT; more++)
        put_numbers(to, spot, p, top, v * ten_to(more), v * ten_to(more) + ten_to(more) - 1);
    return true;
}

/* A number of so many digits.  The lowest bits of a slot may make more than its digits show, as no
 * encoder writes them: once more from there. */
static bool add_padded(struct tmpl_verdict *to, const struct tmpl_spot *spot,
                       const struct tmpl_run *p, uint64_t top, const struct tmpl_laid *laid,
                       uint64_t v)
{
    uint64_t all = ten_to(p->digits);
    if (top >= 2 * all)
        return false;
    if (laid->piece.n > p->digits || (laid->ends && laid->piece.n < p->digits))
        return true;
    uint64_t each = ten_to(p->digits - (unsigned)laid->piece.n);
    put_numbers(to, spot, p, top, v * each, v * each + each - 1);
    put_numbers(to, spot, p, top, v * each + all, v * each + each - 1 + all);
    return true;
}

static bool add_numbers(struct tmpl_verdict *to, const struct tmpl_spot *spot,
                        const struct tmpl_run *p, const struct tmpl_laid *laid)
{
    uint64_t v = 0, top, most = p->width >= 64 ? UINT64_MAX : (1ull << p->width) - 1;
    if (!laid->begins || laid->piece.n > DIGITS_EXACT || p->longest > DIGITS_EXACT ||
        SKEP_ADD_OVERFLOW(p->base, most, &top))
        return false;
    for (size_t i = 0; i < laid->piece.n; i++)
        v = v * 10 + (uint64_t)(laid->piece.p[i] - '0');
    return p->kind == TMPL_DEC ? add_decimal(to, spot, p, top, laid, v)
                               : add_padded(to, spot, p, top, laid, v);
}

static bool add_hex(struct tmpl_verdict *to, struct tmpl_spot *spot, const struct tmpl_run *p,
                    const struct tmpl_laid *laid)
{
    uint64_t v = 0;
    size_t n = laid->piece.n;
    if (n > p->digits || (laid->begins && laid->ends && n < p->digits))
        return true;
    if (n == 0 || n > 16)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)laid->piece.p[i];
        v |= (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) << (i * 4);
    }
    spot->offset += laid->begins ? 0 : (uint32_t)(p->digits - n) * 4;
    spot->width = (uint8_t)(n * 4);
    put(to, *spot, v, v);
    return true;
}

static bool word_has(const struct tmpl_entry *w, const struct tmpl_laid *laid)
{
    skep_str word = {(const char *)w->p, w->n}, piece = laid->piece;
    if (piece.n > word.n || (laid->begins && laid->ends && piece.n < word.n))
        return false;
    if (laid->begins || laid->ends)
        return memcmp(word.p + (laid->begins ? 0 : word.n - piece.n), piece.p, piece.n) == 0;
    return skep_str_find(word, piece) != SIZE_MAX;
}

static bool add_words(struct tmpl_verdict *to, const struct tmpl_spot *spot,
                      const struct tmpl_run *p, const struct tmpl_laid *laid)
{
    uint32_t runs = 0;
    for (uint32_t i = 0, from = 0; i <= p->n_words; i++) {
        if (i < p->n_words && word_has(&p->words[i], laid))
            continue;
        if (i > from && ++runs > RUNS_MAX)
            return false;
        if (i > from)
            put(to, *spot, from, i - 1);
        from = i + 1;
    }
    return true;
}

bool tmpl_add_spots(const struct tmpl_opened *o, struct tmpl_verdict *v, const struct tmpl_text *t,
                    const struct tmpl_laid *laid)
{
    const struct tmpl_run *first = o->pieces + t->first, *p = first + laid->k;
    struct tmpl_spot spot = {.offset = p->offset, .width = p->width, .group = p->group};
    if (!p->group) {
        spot.offset = t->reference_bits;
        for (const struct tmpl_run *before = first; before < p; before++)
            spot.offset += before->group ? 0 : tmpl_slot_bits(before);
    }
    if (tmpl_is_hex(p->kind))
        return add_hex(v, &spot, p, laid);
    return p->kind == TMPL_WORD ? add_words(v, &spot, p, laid) : add_numbers(v, &spot, p, laid);
}
