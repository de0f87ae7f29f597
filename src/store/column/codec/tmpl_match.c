// SPDX-License-Identifier: Apache-2.0
/* Known templates matched: most strings are like one seen before, and comparing a few long literals
 * is much cheaper than splitting the string into tokens.
 *
 * A shape's words that have been the same so far are literal here; when one of them changes, the
 * string does not match, is split, and the shape's pieces are made anew.  Which shape to try is
 * remembered by the first bytes, the last one and the length.
 *
 * I1  a string that matches is made again by its pieces, byte by byte: so it does not matter
 * whether splitting it would have given the same tokens. Threads: any. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/codec/tmpl.h"

/* A literal and the token behind it. */
struct tmpl_piece {
    const char *text;
    uint16_t n;
    uint8_t kind; /* enum tmpl_kind */
    uint16_t len; /* of a sized token */
    uint16_t cell;
    struct tmpl_slot *slot;
};

static void make_pieces(struct tmpl_shape *x)
{
    uint32_t n = 0;
    size_t at = 0;
    if (!x->pieces)
        x->pieces = skep_malloc((x->n_tokens + 1) * sizeof *x->pieces);
    for (uint32_t i = 0; i < x->n_tokens; i++) {
        const struct tmpl_token *t = &x->tokens[i];
        if (t->kind == TMPL_WORD && !x->slots[i].varies)
            continue; /* literal so far */
        x->pieces[n++] = (struct tmpl_piece){x->first.p + at, (uint16_t)(t->at - at), t->kind,
                                             t->len,          x->slots[i].cell,       &x->slots[i]};
        at = t->at + t->len;
    }
    x->pieces[n] =
        (struct tmpl_piece){x->first.p + at, (uint16_t)(x->first.n - at), TMPL_END, 0, 0, NULL};
    x->pieces_ok = true;
}

static inline bool is_digit(char c)
{
    return (uint8_t)(c - '0') < 10;
}

static inline bool is_letter(char c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26 || c == '_';
}

/* Each returns the end of the token that begins at p, or NULL. */
static const char *match_number(const struct tmpl_piece *piece, const char *p, const char *end,
                                uint64_t *cell)
{
    uint64_t v = 0;
    const char *q = p;
    if (end - p > TMPL_DIGITS_MAX)
        end = p + TMPL_DIGITS_MAX;
    if (piece->kind == TMPL_ZDEC) {
        if (end - p < piece->len)
            return NULL;
        end = p + piece->len;
    }
    for (; q < end && is_digit(*q); q++)
        v = v * 10 + (uint64_t)(*q - '0');
    if (piece->kind == TMPL_ZDEC ? q != end : q == p || (*p == '0' && q - p > 1))
        return NULL;
    *cell = v;
    return q;
}

static const char *match_hex(const struct tmpl_piece *piece, const char *p, const char *end,
                             uint64_t *cells)
{
    char a = piece->kind == TMPL_HEX ? 'a' : 'A';
    if (end - p < piece->len)
        return NULL;
    for (unsigned i = 0; i < piece->len; i++) {
        uint8_t digit = (uint8_t)(p[i] - '0'), letter = (uint8_t)(p[i] - a);
        if (digit >= 10 && letter >= 6)
            return NULL;
        if (i % 16 == 0)
            cells[i / 16] = 0;
        cells[i / 16] |= (uint64_t)(digit < 10 ? digit : letter + 10u) << (i % 16 * 4);
    }
    return p + piece->len;
}

static const char *match_word(const struct tmpl_builder *b, const struct tmpl_piece *piece,
                              const char *p, const char *end, uint64_t *cell)
{
    const char *q = p;
    while (q < end && is_letter(*q))
        q++;
    skep_str s = {p, (size_t)(q - p)};
    if (s.n == 0)
        return NULL;
    uint32_t k = piece->slot->last_word - 1;
    if (!skep_str_eq(b->words[k], s)) {
        k = tmpl_find_word(b, s, skep_hash(skep_str_bytes(s)));
        if (k == UINT32_MAX)
            return NULL;
        piece->slot->last_word = k + 1;
    }
    *cell = k;
    return q;
}

static bool match(const struct tmpl_builder *b, const struct tmpl_shape *x, skep_str s,
                  uint64_t *cells)
{
    const char *p = s.p, *end = s.p + s.n;
    for (const struct tmpl_piece *piece = x->pieces;; piece++) {
        if ((size_t)(end - p) < piece->n || memcmp(p, piece->text, piece->n) != 0)
            return false;
        p += piece->n;
        uint64_t *cell = cells + piece->cell;
        switch (piece->kind) {
        case TMPL_END: return p == end;
        case TMPL_DEC:
        case TMPL_ZDEC: p = match_number(piece, p, end, cell); break;
        case TMPL_WORD: p = match_word(b, piece, p, end, cell); break;
        default: p = match_hex(piece, p, end, cell); break;
        }
        if (!p)
            return false;
    }
}

bool tmpl_match(struct tmpl_builder *b, struct tmpl_shape *x, skep_str s)
{
    if (x->given_up || x->n_values == 0)
        return false;
    if (!x->pieces_ok)
        make_pieces(x);
    uint64_t *cells = tmpl_next_cells(x);
    /* Words that are literal so far have the cells of the string before. */
    memcpy(cells, cells - x->n_cells, x->n_cells * sizeof *cells);
    if (!match(b, x, s, cells))
        return false;
    tmpl_took(b, x, s);
    return true;
}
