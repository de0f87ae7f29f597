// SPDX-License-Identifier: Apache-2.0
/* Templates found: strings split into tokens, strings of one shape put together.
 *
 *   "GET carts:orders:u-00042"  ->  W " " W ":" W ":" W "-" Z5
 *
 *   W   word: letters and _
 *   D   digits without a leading zero, up to 18;  Z5: five digits with leading zeros
 *   H24 24 hex digits: a run of at least 8, of digits and a..f (or A..F), some of each; behind one
 *       and a "-" also shorter ones (uuid)
 *   the rest is literal
 *
 * Strings with equal literals and equal kinds of tokens have one shape.  Words that are the same in
 * all strings of a shape, and such numbers, become literal again; other words are looked up in a
 * domain, a list of words that slots share when they hold about the same ones.
 *
 * A word is first held against the last one of its slot: most are found so.
 *
 * I1  two strings have a shape when every literal byte and every kind agrees (compared, not only
 *     hashed).
 * Threads: any.  Memory: about 400 KiB and 8 bytes a variable token, at most CELLS_MAX. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/codec/tmpl.h"

enum {
    CELLS_MAX = 512 << 10,
    FEW_VALUES = 4,   /* a shape of fewer strings is given up */
    HEX_MIN = 8,      /* a shorter run of hex digits is a word or a number */
    HEX_MIN_NEXT = 4, /* behind a hex run and "-" */
    DOMAIN_SHARE = 4, /* a word slot is given up with more distinct words than strings / that */
    DOMAIN_FEW = 64,  /* but never with fewer */
    AHEAD = 8         /* strings */
};

/* Classes of bytes: which bits stand for hex digits stays set in the and of a run of them. */
enum { OTHER = 0, LETTER = 1, DIGIT = 2, LOWER = 4, UPPER = 8 };

// clang-format off
#define D (DIGIT | LOWER | UPPER)
#define L LETTER
#define X (LETTER | LOWER)
#define Y (LETTER | UPPER)
static const uint8_t classes[256] = {
    ['0'] = D, ['1'] = D, ['2'] = D, ['3'] = D, ['4'] = D, ['5'] = D, ['6'] = D, ['7'] = D,
    ['8'] = D, ['9'] = D, ['_'] = L, ['a'] = X, ['b'] = X, ['c'] = X, ['d'] = X, ['e'] = X,
    ['f'] = X, ['g'] = L, ['h'] = L, ['i'] = L, ['j'] = L, ['k'] = L, ['l'] = L, ['m'] = L,
    ['n'] = L, ['o'] = L, ['p'] = L, ['q'] = L, ['r'] = L, ['s'] = L, ['t'] = L, ['u'] = L,
    ['v'] = L, ['w'] = L, ['x'] = L, ['y'] = L, ['z'] = L, ['A'] = Y, ['B'] = Y, ['C'] = Y,
    ['D'] = Y, ['E'] = Y, ['F'] = Y, ['G'] = L, ['H'] = L, ['I'] = L, ['J'] = L, ['K'] = L,
    ['L'] = L, ['M'] = L, ['N'] = L, ['O'] = L, ['P'] = L, ['Q'] = L, ['R'] = L, ['S'] = L,
    ['T'] = L, ['U'] = L, ['V'] = L, ['W'] = L, ['X'] = L, ['Y'] = L, ['Z'] = L,
};
#undef D
#undef L
#undef X
#undef Y
// clang-format on

struct splitter {
    const uint8_t *p;
    size_t n, n_tokens;
    struct tmpl_token *tokens;
    uint64_t hash;
    bool full;
};

static inline SKEP_WRAPS void mix(struct splitter *s, uint64_t v)
{
    s->hash = (s->hash ^ v) * 0x9fb21c651e98df25ull;
    s->hash ^= s->hash >> 32;
}

static void add_token(struct splitter *s, size_t from, size_t to, uint8_t kind)
{
    if (s->n_tokens == TMPL_TOKENS_MAX) {
        s->full = true;
        return;
    }
    s->tokens[s->n_tokens++] = (struct tmpl_token){(uint16_t)from, (uint16_t)(to - from), kind};
    bool sized = kind == TMPL_ZDEC || kind == TMPL_HEX || kind == TMPL_UPPER;
    mix(s, 256 + kind + (sized ? (uint64_t)(to - from) << 16 : 0));
}

static void add_digits(struct splitter *s, size_t from, size_t to)
{
    /* Longer ones: pieces, each with its length, so that they come back as they were. */
    while (to - from > TMPL_DIGITS_MAX) {
        add_token(s, from, from + TMPL_DIGITS_MAX, TMPL_ZDEC);
        from += TMPL_DIGITS_MAX;
    }
    bool zero = s->p[from] == '0' && to - from > 1;
    add_token(s, from, to, zero ? TMPL_ZDEC : TMPL_DEC);
}

/* Is the hex run [from, to) one that follows another by a "-"? */
static bool follows_hex(const struct splitter *s, size_t from)
{
    if (s->n_tokens == 0 || from == 0 || s->p[from - 1] != '-')
        return false;
    const struct tmpl_token *t = &s->tokens[s->n_tokens - 1];
    return t->at + t->len + 1u == from && (t->kind == TMPL_HEX || t->kind == TMPL_UPPER);
}

/* A run of letters and digits that has both, or may be hex; the classes of its bytes or'ed and
 * and'ed. */
static void add_mixed(struct splitter *s, size_t from, size_t to, uint8_t any, uint8_t all)
{
    if ((all & (LOWER | UPPER)) && to - from >= HEX_MIN_NEXT) {
        bool mixed = (any & DIGIT) && (any & LETTER);
        if ((to - from >= HEX_MIN && mixed) || follows_hex(s, from)) {
            add_token(s, from, to, all & LOWER ? TMPL_HEX : TMPL_UPPER);
            return;
        }
    }
    while (from < to) {
        size_t end = from + 1;
        uint8_t digit = classes[s->p[from]] & DIGIT;
        while (end < to && (classes[s->p[end]] & DIGIT) == digit)
            end++;
        if (digit)
            add_digits(s, from, end);
        else
            add_token(s, from, end, TMPL_WORD);
        from = end;
    }
}

size_t tmpl_split(skep_str str, struct tmpl_token *tokens, uint64_t *ret_hash)
{
    if (str.n == 0 || str.n > TMPL_TEXT_MAX)
        return SIZE_MAX;
    struct splitter s = {.p = (const uint8_t *)str.p, .n = str.n, .tokens = tokens, .hash = 1};
    for (size_t i = 0; i < s.n && !s.full;) {
        uint8_t class = classes[s.p[i]];
        if (class == OTHER) {
            mix(&s, s.p[i++]);
            continue;
        }
        size_t from = i++;
        uint8_t any = class, all = class;
        for (; i < s.n && (class = classes[s.p[i]]) != OTHER; i++) {
            any |= class;
            all &= class;
        }
        if ((any & DIGIT) || (all & (LOWER | UPPER)))
            add_mixed(&s, from, i, any, all);
        else
            add_token(&s, from, i, TMPL_WORD);
    }
    *ret_hash = s.hash;
    return s.full ? SIZE_MAX : s.n_tokens;
}

/* --- words --- */

static size_t word_slot(const struct tmpl_builder *b, skep_str s, uint64_t hash)
{
    size_t slots = SKEP_ARRAY_LEN(b->word_slots), at = hash % slots;
    for (; b->word_slots[at]; at = (at + 1) % slots) {
        uint32_t k = b->word_slots[at] - 1u;
        if (b->word_hashes[k] == hash && skep_str_eq(b->words[k], s))
            break;
    }
    return at;
}

uint32_t tmpl_find_word(const struct tmpl_builder *b, skep_str s, uint64_t hash)
{
    size_t at = word_slot(b, s, hash);
    return b->word_slots[at] ? b->word_slots[at] - 1u : UINT32_MAX;
}

uint32_t tmpl_word_number(struct tmpl_builder *b, skep_str s)
{
    uint64_t hash = skep_hash(skep_str_bytes(s));
    size_t at = word_slot(b, s, hash);
    if (b->word_slots[at])
        return b->word_slots[at] - 1u;
    if (b->n_words == TMPL_WORDS_MAX)
        return UINT32_MAX;
    b->words[b->n_words] = s;
    b->word_hashes[b->n_words] = hash;
    b->word_slots[at] = (uint16_t)++b->n_words;
    return b->n_words - 1;
}

/* --- shapes --- */

static bool same_shape(const struct tmpl_shape *x, skep_str s, const struct tmpl_token *t, size_t n)
{
    if (x->n_tokens != n)
        return false;
    size_t a = 0, b = 0; /* where the literal before the token begins */
    for (size_t i = 0; i <= n; i++) {
        size_t a_end = i < n ? x->tokens[i].at : x->first.n, b_end = i < n ? t[i].at : s.n;
        if (a_end - a != b_end - b || memcmp(x->first.p + a, s.p + b, a_end - a) != 0)
            return false;
        if (i == n)
            return true;
        bool sized = t[i].kind != TMPL_WORD && t[i].kind != TMPL_DEC;
        if (x->tokens[i].kind != t[i].kind || (sized && x->tokens[i].len != t[i].len))
            return false;
        a = a_end + x->tokens[i].len;
        b = b_end + t[i].len;
    }
    return true;
}

static struct tmpl_shape *new_shape(struct tmpl_builder *b, skep_str s, uint64_t hash,
                                    const struct tmpl_token *t, size_t n)
{
    struct tmpl_shape *x = &b->shapes[b->n_shapes++];
    *x = (struct tmpl_shape){.hash = hash, .first = s, .n_tokens = (uint32_t)n};
    x->tokens = skep_malloc((n + 1) * sizeof *x->tokens);
    x->slots = skep_alloc_n(struct tmpl_slot, n + 1);
    if (n > 0)
        memcpy(x->tokens, t, n * sizeof *t);
    for (size_t i = 0; i < n; i++) {
        struct tmpl_slot *slot = &x->slots[i];
        bool hex = t[i].kind == TMPL_HEX || t[i].kind == TMPL_UPPER;
        *slot = (struct tmpl_slot){.kind = t[i].kind,
                                   .cell = (uint16_t)x->n_cells,
                                   .n_cells = (uint16_t)(hex ? (t[i].len + 15u) / 16 : 1)};
        x->n_cells += slot->n_cells;
    }
    return x;
}

/* The shape of s, made when it is new; NULL when there is no room. */
static struct tmpl_shape *shape_for(struct tmpl_builder *b, skep_str s, uint64_t hash,
                                    const struct tmpl_token *t, size_t n)
{
    size_t slots = SKEP_ARRAY_LEN(b->shape_slots), at = hash % slots;
    for (; b->shape_slots[at]; at = (at + 1) % slots) {
        struct tmpl_shape *x = &b->shapes[b->shape_slots[at] - 1];
        if (x->hash == hash && same_shape(x, s, t, n))
            return x;
    }
    if (b->n_shapes == b->most_shapes)
        return NULL;
    b->shape_slots[at] = (uint16_t)(b->n_shapes + 1);
    return new_shape(b, s, hash, t, n);
}

static uint64_t number(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v * 10 + (uint64_t)(p[i] - '0');
    return v;
}

static uint64_t nibbles(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        v |= (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) << (4 * i);
    }
    return v;
}

static bool take_word(struct tmpl_builder *b, struct tmpl_shape *x, struct tmpl_slot *slot,
                      skep_str s, uint64_t *cell)
{
    if (slot->last_word) {
        skep_str last = b->words[slot->last_word - 1];
        if (last.n == s.n && memcmp(last.p, s.p, s.n) == 0) {
            *cell = slot->last_word - 1;
            return true;
        }
        x->pieces_ok = x->pieces_ok && slot->varies;
        slot->varies = true;
    }
    uint32_t k = tmpl_word_number(b, s);
    if (k == UINT32_MAX)
        return false;
    slot->last_word = k + 1;
    *cell = k;
    return true;
}

uint64_t *tmpl_next_cells(struct tmpl_shape *x)
{
    if (x->n_values == x->cap) {
        x->cap = x->cap ? x->cap * 2 : 8;
        x->cells = skep_realloc(x->cells, (size_t)x->cap * (x->n_cells + !x->n_cells) * 8);
    }
    return x->cells + (size_t)x->n_values * x->n_cells;
}

void tmpl_took(struct tmpl_builder *b, struct tmpl_shape *x, skep_str s)
{
    x->n_values++;
    x->text_bytes += s.n;
    b->n_cells += x->n_cells;
}

/* The tokens of a string into its shape's cells; false when a word does not fit. */
static bool take_tokens(struct tmpl_builder *b, struct tmpl_shape *x, skep_str s,
                        const struct tmpl_token *t)
{
    uint64_t *cells = tmpl_next_cells(x);
    for (uint32_t i = 0; i < x->n_tokens; i++) {
        struct tmpl_slot *slot = &x->slots[i];
        const char *p = s.p + t[i].at;
        uint64_t *cell = cells + slot->cell;
        if (slot->kind == TMPL_WORD) {
            if (!take_word(b, x, slot, (skep_str){p, t[i].len}, cell))
                return false;
        } else if (slot->kind == TMPL_HEX || slot->kind == TMPL_UPPER) {
            for (uint32_t k = 0; k < slot->n_cells; k++)
                cell[k] = nibbles(p + k * 16, SKEP_MIN(t[i].len - k * 16u, 16u));
        } else {
            *cell = number(p, t[i].len);
        }
    }
    tmpl_took(b, x, s);
    return true;
}

/* Strings that begin and end alike and are as long are probably of one shape. */
static uint16_t *recent_of(struct tmpl_builder *b, skep_str s)
{
    uint32_t head = 0;
    if (s.n >= sizeof head)
        head = skep_load_le32(s.p);
    else
        memcpy(&head, s.p, s.n);
    uint64_t looks = (uint64_t)head << 32 | (uint64_t)s.n << 8 | classes[(uint8_t)s.p[s.n - 1]];
    return b->recent[skep_hash_u64(looks) % TMPL_RECENT];
}

static uint32_t split_string(struct tmpl_builder *b, skep_str s)
{
    SKEP_UNINIT struct tmpl_token tokens[TMPL_TOKENS_MAX];
    uint64_t hash;
    size_t n = tmpl_split(s, tokens, &hash);
    if (n == SIZE_MAX)
        return 0;
    struct tmpl_shape *x = shape_for(b, s, hash, tokens, n);
    if (!x || x->given_up)
        return 0;
    /* What a slot has seen of a string that did not fit would not be in the cells. */
    x->given_up = !take_tokens(b, x, s, tokens);
    return x->given_up ? 0 : (uint32_t)(x - b->shapes) + 1;
}

static uint32_t take_string(struct tmpl_builder *b, skep_str s)
{
    if (s.n == 0 || s.n > TMPL_TEXT_MAX || b->n_cells >= CELLS_MAX)
        return 0;
    uint16_t *recent = recent_of(b, s);
    for (unsigned k = 0; k < 2; k++)
        if (recent[k] && tmpl_match(b, &b->shapes[recent[k] - 1], s))
            return recent[k];
    uint32_t shape = split_string(b, s);
    if (shape) {
        recent[1] = recent[0];
        recent[0] = (uint16_t)shape;
    }
    return shape;
}

/* --- domains --- */

static void domain_add(struct tmpl_domain *d, uint16_t word)
{
    if (d->code_of[word])
        return;
    d->words[d->n++] = word;
    d->code_of[word] = (uint16_t)d->n;
    d->width = (uint8_t)skep_bits_width(d->n - 1);
}

static struct tmpl_domain *new_domain(struct tmpl_builder *b)
{
    if (b->n_domains == TMPL_DOMAINS_MAX)
        return NULL;
    struct tmpl_domain *d = &b->domains[b->n_domains++];
    *d = (struct tmpl_domain){0};
    d->words = skep_malloc(TMPL_WORDS_MAX * sizeof *d->words);
    d->code_of = skep_alloc_n(uint16_t, TMPL_WORDS_MAX);
    return d;
}

/* A domain for the words list[n]: one that has most of them and does not grow wider by the others,
 * or a new one. */
bool tmpl_choose_domain(struct tmpl_builder *b, struct tmpl_slot *slot, const uint16_t *list,
                        uint32_t n)
{
    struct tmpl_domain *to = NULL;
    for (unsigned i = 0; i < b->n_domains && !to; i++) {
        struct tmpl_domain *d = &b->domains[i];
        uint32_t known = 0;
        for (uint32_t k = 0; k < n; k++)
            known += d->code_of[list[k]] != 0;
        unsigned width = skep_bits_width(d->n + (n - known) - 1);
        if (known * 2 >= n && width <= SKEP_MAX(skep_bits_width(n - 1), 1u) + 1 &&
            (width == d->width || d->n <= n))
            to = d;
    }
    if (!to)
        to = new_domain(b);
    if (!to)
        return false;
    for (uint32_t k = 0; k < n; k++)
        domain_add(to, list[k]);
    slot->domain = (uint16_t)(to - b->domains);
    return true;
}

static bool settle_word(struct tmpl_builder *b, const struct tmpl_shape *x, struct tmpl_slot *slot,
                        uint16_t *list, uint32_t *seen, uint32_t mark)
{
    uint32_t n = 0, most = SKEP_MAX(x->n_values / DOMAIN_SHARE, (uint32_t)DOMAIN_FEW);
    for (uint32_t i = 0; i < x->n_values; i++) {
        uint16_t word = (uint16_t)x->cells[(size_t)i * x->n_cells + slot->cell];
        if (seen[word] == mark)
            continue;
        if (n == most || b->words[word].n > TMPL_WORD_MAX)
            return false;
        seen[word] = mark;
        list[n++] = word;
    }
    return tmpl_choose_domain(b, slot, list, n);
}

struct settling {
    uint16_t list[TMPL_WORDS_MAX];
    uint32_t seen[TMPL_WORDS_MAX]; /* the last slot that had the word */
    uint32_t mark;                 /* slots up to now: more than 65,536 */
};

/* What the numbers, or hex digits, of a slot are like. */
static void settle_number(const struct tmpl_shape *x, struct tmpl_slot *slot)
{
    const uint64_t *cell = x->cells + slot->cell;
    bool hex = tmpl_is_hex(slot->kind);
    slot->min = slot->max = *cell;
    for (uint32_t i = 0; i < x->n_values; i++, cell += x->n_cells) {
        slot->min = SKEP_MIN(slot->min, *cell);
        slot->max = SKEP_MAX(slot->max, *cell);
        if (hex && memcmp(cell, x->cells + slot->cell, slot->n_cells * sizeof *cell) != 0)
            slot->varies = true;
    }
    if (!hex) {
        slot->varies = slot->min != slot->max;
        slot->width = (uint8_t)skep_bits_width(slot->max - slot->min);
    }
}

/* Decide what of a shape varies; false when its strings are better kept whole. */
static bool settle_shape(struct tmpl_builder *b, struct tmpl_shape *x, struct settling *s)
{
    if (x->n_values < FEW_VALUES || x->given_up)
        return false;
    for (uint32_t i = 0; i < x->n_tokens; i++) {
        struct tmpl_slot *slot = &x->slots[i];
        if (slot->kind != TMPL_WORD) {
            settle_number(x, slot);
            if (slot->varies)
                (void)tmpl_few(b, x, i); /* or it stays a number */
        } else if (slot->varies && !settle_word(b, x, slot, s->list, s->seen, ++s->mark)) {
            return false;
        }
    }
    x->varying = skep_malloc((x->n_tokens + 1) * sizeof *x->varying);
    for (uint32_t i = 0; i < x->n_tokens; i++)
        if (x->slots[i].varies)
            x->varying[x->n_varying++] = (uint16_t)i;
    return true;
}

/* Domains have their final widths now. */
uint32_t tmpl_record_bits(const struct tmpl_builder *b, struct tmpl_shape *x)
{
    uint32_t bits = 0;
    for (unsigned g = 0; g < b->n_groups; g++)
        if (x->groups >> g & 1)
            bits += b->groups[g].ref_bits;
    for (uint32_t i = 0; i < x->n_tokens; i++) {
        struct tmpl_slot *slot = &x->slots[i];
        if (!slot->varies || slot->group)
            continue;
        if (slot->kind == TMPL_WORD)
            slot->width = b->domains[slot->domain].width;
        bits += tmpl_is_hex(slot->kind) ? x->tokens[i].len * 4u : slot->width;
    }
    return bits;
}

static void settle(struct tmpl_builder *b)
{
    struct settling *s = skep_alloc(struct settling);
    bool keep[TMPL_SHAPES_MAX];
    for (unsigned i = 0; i < b->n_shapes; i++)
        keep[i] = settle_shape(b, &b->shapes[i], s);
    skep_free(s);
    for (unsigned i = 0; i < b->n_shapes; i++) {
        struct tmpl_shape *x = &b->shapes[i];
        if (!keep[i])
            continue;
        x->bits = tmpl_record_bits(b, x);
        /* Other codecs about halve text. */
        uint64_t bytes = (uint64_t)x->bits * x->n_values / 8 + x->first.n + x->n_tokens;
        if (bytes <= x->text_bytes / 8 * 5 + 1 && x->bits <= TMPL_BITS_MAX)
            x->code = (uint16_t)++b->n_codes;
    }
}

struct tmpl_builder *tmpl_build(const struct skep_codec_in *in, uint32_t step, unsigned most)
{
    struct tmpl_builder *b = skep_malloc(sizeof *b);
    memset(b, 0, offsetof(struct tmpl_builder, shapes));
    uint32_t n = (in->n + step - 1) / step;
    b->most_shapes = most;
    skep_arena_init(&b->made, "templates", NULL);
    b->shape_of = skep_malloc(n * sizeof *b->shape_of);
    for (uint32_t i = 0; i < n; i++) {
        /* The strings stand all over the sources: each would be waited for. */
        if (i + AHEAD < n)
            SKEP_PREFETCH(in->strs[(size_t)(i + AHEAD) * step].p);
        b->shape_of[i] = take_string(b, in->strs[(size_t)i * step]);
    }
    settle(b);
    return b;
}

void tmpl_builder_free(struct tmpl_builder *b)
{
    for (unsigned i = 0; i < b->n_shapes; i++) {
        skep_free(b->shapes[i].tokens);
        skep_free(b->shapes[i].slots);
        skep_free(b->shapes[i].varying);
        skep_free(b->shapes[i].pieces);
        skep_free(b->shapes[i].cells);
    }
    for (unsigned i = 0; i < b->n_domains; i++) {
        skep_free(b->domains[i].words);
        skep_free(b->domains[i].code_of);
    }
    for (unsigned g = 0; g < b->n_groups; g++) {
        skep_free(b->groups[g].cells);
        skep_free(b->groups[g].before);
    }
    skep_arena_done(&b->made);
    skep_free(b->refs);
    skep_free(b->shape_of);
    skep_free(b);
}
