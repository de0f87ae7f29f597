// SPDX-License-Identifier: Apache-2.0
/* Slots of few numbers.  A status code takes nine bits as a number and three as one of seven words;
 * a slot becomes a word's when that is smaller and its numbers are few.
 *
 * I1  the words are what the slot's numbers look like in the text, byte by byte.
 * Threads: any. */
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/codec/tmpl.h"

enum {
    FEW = 64,       /* different numbers */
    TABLE = 256,    /* slots of the table of them */
    SHARE = 4,      /* strings a number */
    LIKELY = 256,   /* strings looked at before all are */
    SAVED_BITS = 2, /* at least, a string */
    DIGITS_MAX = 32
};

struct few {
    uint64_t values[FEW];
    uint16_t slots[TABLE]; /* value + 1 */
    uint32_t n;
};

/* The place of v among the values, or FEW when there are too many. */
static uint32_t place_of(struct few *f, uint64_t v)
{
    uint32_t at = (uint32_t)(skep_hash_u64(v) % TABLE);
    for (; f->slots[at]; at = (at + 1) % TABLE)
        if (f->values[f->slots[at] - 1] == v)
            return f->slots[at] - 1u;
    if (f->n == FEW)
        return FEW;
    f->values[f->n] = v;
    f->slots[at] = (uint16_t)++f->n;
    return f->n - 1;
}

static bool few_enough(const struct few *f, uint32_t n_values, unsigned width)
{
    return f->n * SHARE <= n_values && skep_bits_width(f->n - 1) + SAVED_BITS <= width;
}

static bool count(struct few *f, const struct tmpl_shape *x, uint32_t cell, uint32_t to,
                  unsigned width)
{
    for (uint32_t i = 0; i < to; i++)
        if (place_of(f, x->cells[(size_t)i * x->n_cells + cell]) == FEW)
            return false;
    return few_enough(f, x->n_values, width);
}

/* What v looks like in the slot. */
static skep_str text_of(struct tmpl_builder *b, const struct tmpl_token *t, uint64_t v)
{
    char text[DIGITS_MAX];
    size_t n = 0;
    if (tmpl_is_hex(t->kind)) {
        const char *set = t->kind == TMPL_HEX ? "0123456789abcdef" : "0123456789ABCDEF";
        for (; n < t->len; v >>= 4)
            text[n++] = set[v & 15];
        return skep_arena_str(&b->made, (skep_str){text, n});
    }
    size_t least = t->kind == TMPL_ZDEC ? t->len : 1, at = sizeof text;
    for (; v > 0 || sizeof text - at < least; v /= 10)
        text[--at] = (char)('0' + v % 10);
    return skep_arena_str(&b->made, (skep_str){text + at, sizeof text - at});
}

bool tmpl_few(struct tmpl_builder *b, struct tmpl_shape *x, uint32_t token)
{
    struct tmpl_slot *slot = &x->slots[token];
    const struct tmpl_token *t = &x->tokens[token];
    bool hex = tmpl_is_hex(slot->kind);
    unsigned width = hex ? t->len * 4u : slot->width;
    if (slot->n_cells != 1 || t->len > 20)
        return false;
    struct few f = {.n = 0};
    if (!count(&f, x, slot->cell, SKEP_MIN(x->n_values, (uint32_t)LIKELY), width) ||
        !count(&f, x, slot->cell, x->n_values, width))
        return false;
    uint16_t words[FEW];
    for (uint32_t k = 0; k < f.n; k++) {
        uint32_t word = tmpl_word_number(b, text_of(b, t, f.values[k]));
        if (word == UINT32_MAX)
            return false;
        words[k] = (uint16_t)word;
    }
    if (!tmpl_choose_domain(b, slot, words, f.n))
        return false;
    for (uint32_t i = 0; i < x->n_values; i++) {
        uint64_t *cell = &x->cells[(size_t)i * x->n_cells + slot->cell];
        *cell = words[place_of(&f, *cell)];
    }
    slot->kind = TMPL_WORD;
    return true;
}
