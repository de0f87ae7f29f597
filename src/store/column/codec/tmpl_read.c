// SPDX-License-Identifier: Apache-2.0
/* Templates, read (tmpl.c has the bytes).
 *
 * The templates of a chunk are unpacked once to pieces, a literal and the slot behind it each, and
 * kept in the scratch; a string is then made by a few short copies.
 *
 * I1  every read stays inside the chunk and its pad, every write inside the bytes taken: a
 *     template's longest string is known when it is opened and is at most TMPL_LENGTH_MAX.
 * Threads: any; a scratch belongs to one. */
#include "store/column/codec/tmpl_open.h"

#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"

enum { PIECE = 512, SLACK = 32 };

static void close_opened(void *state)
{
    struct tmpl_opened *o = state;
    skep_free(o->pieces);
    skep_free(o->words);
    for (unsigned g = 0; g < TMPL_GROUPS_MAX; g++)
        skep_free(o->hits[g]);
    skep_free(o->unpacked);
    skep_free(o->unpacked_rest);
    skep_free(o);
}

static bool read_words(skep_rd *r, struct tmpl_entry **ret, uint32_t *ret_n)
{
    uint64_t n = skep_rd_varint(r);
    if (r->bad || n > TMPL_WORDS_MAX || n > skep_rd_left(r))
        return false;
    struct tmpl_entry *w = *ret = skep_malloc((n + 1) * sizeof *w);
    *ret_n = (uint32_t)n;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t len = skep_rd_varint(r);
        if (r->bad || len > TMPL_WORD_MAX || len > skep_rd_left(r))
            return false;
        w[i] = (struct tmpl_entry){skep_rd_take(r, (size_t)len).p, (uint32_t)len};
    }
    return true;
}

static bool read_domains(skep_rd *r, struct tmpl_opened *o, const struct tmpl_entry *words,
                         uint32_t n_words)
{
    uint64_t n = skep_rd_varint(r);
    if (r->bad || n > TMPL_DOMAINS_MAX)
        return false;
    o->n_domains = (uint32_t)n;
    uint32_t total = 0, cap = 0;
    for (uint32_t d = 0; d < n; d++) {
        uint64_t size = skep_rd_varint(r);
        if (r->bad || size == 0 || size > n_words)
            return false;
        for (uint64_t i = 0; i < size; i++) {
            uint64_t k = skep_rd_varint(r);
            if (r->bad || k >= n_words)
                return false;
            SKEP_GROW(o->words, total, cap);
            o->words[total++] = words[k];
            o->domain_longest[d] = SKEP_MAX(o->domain_longest[d], words[k].n);
            for (uint32_t c = 0; c < words[k].n; c++)
                o->domain_bytes[d][words[k].p[c] / 8] |= (uint8_t)(1u << words[k].p[c] % 8);
        }
        o->domain_first[d + 1] = total;
    }
    return true;
}

static bool read_fields(skep_rd *r, struct tmpl_set *x)
{
    for (uint32_t k = 0; k < x->n_fields; k++) {
        struct tmpl_field *f = &x->fields[k];
        uint64_t digits = skep_rd_varint(r);
        if (r->bad || digits > TMPL_TEXT_MAX)
            return false;
        f->digits = (uint32_t)digits;
        f->width = digits ? 0 : skep_rd_u8(r);
        f->min = digits ? 0 : skep_rd_varint(r);
        if (f->width > 64)
            return false;
        x->offsets[k] = x->bits;
        x->bits += digits ? f->digits * 4 : f->width;
    }
    return !r->bad;
}

static bool read_groups(skep_rd *r, struct tmpl_opened *o)
{
    uint64_t n = skep_rd_varint(r);
    if (r->bad || n > TMPL_GROUPS_MAX)
        return false;
    o->n_sets = (uint32_t)n;
    for (uint32_t g = 0; g < n; g++) {
        struct tmpl_set *x = &o->sets[g];
        x->ref_bits = skep_rd_u8(r);
        uint64_t entries = skep_rd_varint(r), fields = skep_rd_varint(r);
        if (r->bad || x->ref_bits > TMPL_REF_BITS_MAX || entries > SKEP_CODEC_MAX_VALUES ||
            fields == 0 || fields > TMPL_FIELDS_MAX)
            return false;
        x->n_entries = (uint32_t)entries;
        x->n_fields = (uint32_t)fields;
        if (!read_fields(r, x))
            return false;
    }
    return true;
}

/* A slot that is a field of a group; its longest text, or UINT32_MAX. */
static uint32_t read_grouped(skep_rd *r, const struct tmpl_opened *o, struct tmpl_run *p)
{
    p->kind -= TMPL_GROUPED;
    p->digits = p->kind == TMPL_ZDEC ? skep_rd_u8(r) : 20;
    uint64_t g = skep_rd_varint(r), k = skep_rd_varint(r);
    if (r->bad || g >= o->n_sets || k >= o->sets[g].n_fields || p->digits > 20)
        return UINT32_MAX;
    const struct tmpl_field *f = &o->sets[g].fields[k];
    bool hex = tmpl_is_hex(p->kind);
    if (hex != (f->digits > 0) || (!hex && p->kind != TMPL_DEC && p->kind != TMPL_ZDEC))
        return UINT32_MAX;
    p->group = (uint8_t)(g + 1);
    p->offset = o->sets[g].offsets[k];
    p->width = f->width;
    p->base = f->min;
    if (hex)
        p->digits = (uint16_t)f->digits;
    return p->digits;
}

/* The slot behind a literal; its longest text, or UINT32_MAX. */
static uint32_t read_slot(skep_rd *r, const struct tmpl_opened *o, struct tmpl_run *p)
{
    uint64_t v;
    if (p->kind > TMPL_GROUPED)
        return read_grouped(r, o, p);
    switch (p->kind) {
    case TMPL_DEC:
    case TMPL_ZDEC:
        p->digits = p->kind == TMPL_ZDEC ? skep_rd_u8(r) : 20;
        p->width = skep_rd_u8(r);
        p->base = skep_rd_varint(r);
        return p->width > 64 || p->digits > 20 ? UINT32_MAX : p->digits;
    case TMPL_HEX:
    case TMPL_UPPER:
        v = skep_rd_varint(r);
        p->digits = (uint16_t)v;
        return v == 0 || v > TMPL_TEXT_MAX ? UINT32_MAX : (uint32_t)v;
    case TMPL_WORD:
        v = skep_rd_varint(r);
        if (r->bad || v >= o->n_domains)
            return UINT32_MAX;
        p->words = o->words + o->domain_first[v];
        p->n_words = o->domain_first[v + 1] - o->domain_first[v];
        p->width = (uint8_t)skep_bits_width(p->n_words - 1);
        p->bytes = o->domain_bytes[v];
        return o->domain_longest[v];
    default: return UINT32_MAX;
    }
}

static bool read_template(skep_rd *r, struct tmpl_opened *o, struct tmpl_text *t)
{
    t->first = (uint32_t)o->n_pieces;
    for (;;) {
        uint64_t n = skep_rd_varint(r);
        if (r->bad || n > skep_rd_left(r) || t->n > TMPL_TOKENS_MAX)
            return false;
        struct tmpl_run p = {.literal = skep_rd_take(r, (size_t)n).p, .literal_n = (uint32_t)n};
        p.kind = skep_rd_u8(r);
        uint32_t longest = p.kind == TMPL_END ? 0 : read_slot(r, o, &p);
        if (r->bad || longest == UINT32_MAX || n + longest > TMPL_LENGTH_MAX - t->longest)
            return false;
        p.longest = longest;
        t->longest += (uint32_t)n + longest;
        if (p.group)
            t->groups |= (uint8_t)(1u << (p.group - 1));
        else
            t->bits += tmpl_is_hex(p.kind) ? p.digits * 4u : p.width;
        SKEP_GROW(o->pieces, o->n_pieces, o->cap_pieces);
        o->pieces[o->n_pieces++] = p;
        t->n++;
        if (p.kind == TMPL_END)
            break;
    }
    for (uint32_t g = 0; g < o->n_sets; g++)
        t->bits += t->groups >> g & 1 ? o->sets[g].ref_bits : 0;
    return true;
}

static bool read_templates(skep_rd *r, struct tmpl_opened *o)
{
    struct tmpl_entry *words = NULL;
    uint32_t n_words = 0;
    bool ok = read_words(r, &words, &n_words) && read_domains(r, o, words, n_words);
    skep_free(words);
    ok = ok && (o->old || read_groups(r, o));
    uint64_t n = ok ? skep_rd_varint(r) : 0;
    if (!ok || r->bad || n > (o->old ? TMPL_SHAPES_MAX_18 : TMPL_SHAPES_MAX))
        return false;
    o->n_templates = (uint32_t)n;
    for (uint32_t i = 1; i <= n; i++)
        if (!read_template(r, o, &o->templates[i]))
            return false;
    return skep_rd_left(r) == 0;
}

/* n bytes from `packed`, with a pad behind them; NULL when it is not as long as it says. */
static uint8_t *unpack(skep_bytes packed, uint32_t n)
{
    if (n > TMPL_PACKED_MAX)
        return NULL;
    uint8_t *to = skep_calloc(1, (size_t)n + SKEP_BITS_PAD);
    if (ZSTD_decompress(to, n, packed.p, packed.n) == n)
        return to;
    skep_free(to);
    return NULL;
}

static bool read_rest(skep_rd *r, const struct skep_codec_chunk *c, struct tmpl_opened *o,
                      const uint32_t *sizes)
{
    uint32_t e = sizes[TMPL_SIZE_REST], n = sizes[TMPL_SIZE_REST_UNPACKED];
    if (e == 0)
        return skep_rd_left(r) == 0;
    skep_rd rest = *r;
    if (n > 0) {
        o->unpacked_rest = unpack((skep_bytes){r->p, skep_rd_left(r)}, n);
        if (!o->unpacked_rest)
            return false;
        rest = skep_rd_make((skep_bytes){o->unpacked_rest, n});
    }
    uint8_t id = skep_rd_u8(&rest);
    o->rest_codec = id == SKEP_CODEC_STR    ? &skep_codec_str
                    : id == SKEP_CODEC_FSST ? &skep_codec_fsst
                                            : NULL;
    o->rest = (struct skep_codec_chunk){rest.p, skep_rd_left(&rest), e};
    return !rest.bad && o->rest_codec && e <= c->n_values;
}

/* The entries stand behind the records: a bit of both is counted from the records on. */
static bool read_entries(struct tmpl_opened *o, uint32_t bytes)
{
    uint64_t at = 0;
    for (uint32_t g = 0; g < o->n_sets; g++) {
        struct tmpl_set *x = &o->sets[g];
        x->at = o->record_bits + at;
        at += ((uint64_t)x->n_entries * x->bits + 7) / 8 * 8;
    }
    return at == (uint64_t)bytes * 8;
}

/* The parts behind the templates. */
static bool read_parts(skep_rd *r, const struct skep_codec_chunk *c, struct tmpl_opened *o,
                       const uint32_t *sizes)
{
    size_t steps = ((size_t)c->n_values + TMPL_STEP - 1) / TMPL_STEP;
    uint32_t codes = sizes[TMPL_SIZE_CODES], e = sizes[TMPL_SIZE_REST];
    if (codes > 0) {
        o->codes = (struct skep_codec_chunk){skep_rd_take(r, codes).p, codes, c->n_values};
        o->index = skep_rd_take(r, steps * 4).p;
        if (e > 0)
            o->rest_index = skep_rd_take(r, steps * 4).p;
        for (uint32_t g = 0; g < o->n_sets; g++)
            o->sets[g].index = skep_rd_take(r, steps * 4).p;
    } else if (e > 0 || o->n_templates != 1 || o->n_sets > 0) {
        return false;
    }
    o->records = skep_rd_take(r, sizes[TMPL_SIZE_RECORDS]).p;
    o->record_bits = (uint64_t)sizes[TMPL_SIZE_RECORDS] * 8;
    (void)skep_rd_take(r, sizes[TMPL_SIZE_ENTRIES]);
    return !r->bad && read_entries(o, sizes[TMPL_SIZE_ENTRIES]) && read_rest(r, c, o, sizes);
}

static bool read_chunk(const struct skep_codec_chunk *c, struct tmpl_opened *o)
{
    skep_rd r = skep_rd_make((skep_bytes){c->p, c->n});
    uint32_t sizes[TMPL_SIZES] = {0};
    for (unsigned i = 0; i < (o->old ? TMPL_SIZES_18 : TMPL_SIZES); i++)
        sizes[i] = skep_rd_u32(&r);
    skep_bytes head = skep_rd_take(&r, sizes[TMPL_SIZE_TEMPLATES]);
    uint32_t n = sizes[TMPL_SIZE_UNPACKED];
    if (!r.bad && !o->old && n != head.n) {
        o->unpacked = unpack(head, n);
        if (!o->unpacked)
            return false;
        head = (skep_bytes){o->unpacked, n};
    }
    skep_rd t = skep_rd_make(head);
    return !r.bad && read_templates(&t, o) && read_parts(&r, c, o, sizes);
}

struct tmpl_opened *tmpl_opened_of(const struct skep_codec_chunk *c, bool old,
                                   struct skep_codec_scratch *s)
{
    if (s->opened.p == c->p && s->opened.n == c->n && s->opened.close == close_opened &&
        ((struct tmpl_opened *)s->opened.state)->old == old)
        return s->opened.state;
    skep_codec_scratch_forget(s);
    struct tmpl_opened *o = skep_alloc(struct tmpl_opened);
    o->old = old;
    if (!read_chunk(c, o)) {
        close_opened(o);
        return NULL;
    }
    s->opened = (struct skep_codec_opened){c->p, c->n, o, close_opened};
    return o;
}

/* --- writing a string --- */

/* n bytes from readable 16 past p + n to writable 16 past to + n. */
SKEP_INLINE uint8_t *copy(uint8_t *to, const uint8_t *p, uint32_t n)
{
    memcpy(to, p, 16);
    if (SKEP_UNLIKELY(n > 16))
        memcpy(to + 16, p + 16, n - 16);
    return to + n;
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

/* The last `digits` digits of v. */
SKEP_INLINE uint8_t *put_digits(uint8_t *to, uint64_t v, unsigned digits)
{
    uint8_t *at = to + digits;
    for (; digits >= 2; digits -= 2) {
        at -= 2;
        memcpy(at, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (digits)
        at[-1] = (uint8_t)('0' + v % 10);
    return to;
}

static unsigned count_digits(uint64_t v)
{
    static const uint64_t tens[] = {1ull,
                                    10ull,
                                    100ull,
                                    1000ull,
                                    10000ull,
                                    100000ull,
                                    1000000ull,
                                    10000000ull,
                                    100000000ull,
                                    1000000000ull,
                                    10000000000ull,
                                    100000000000ull,
                                    1000000000000ull,
                                    10000000000000ull,
                                    100000000000000ull,
                                    1000000000000000ull,
                                    10000000000000000ull,
                                    100000000000000000ull,
                                    1000000000000000000ull,
                                    10000000000000000000ull};
    if (v < 10)
        return 1;
    unsigned guess = skep_bits_width(v) * 1233 >> 12; /* log10(2) */
    return guess + (guess > 19 || v >= tens[guess]);
}

static uint8_t *put_hex(uint8_t *to, const uint8_t *records, uint64_t at, unsigned digits,
                        bool upper)
{
    const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (unsigned i = 0; i < digits; i += 16) {
        unsigned n = SKEP_MIN(digits - i, 16u);
        uint64_t v = tmpl_bits(records, at + i * 4, n * 4);
        for (unsigned k = 0; k < n; k++, v >>= 4)
            *to++ = (uint8_t)set[v & 15];
    }
    return to;
}

SKEP_INLINE SKEP_WRAPS uint8_t *put_slot(uint8_t *to, const struct tmpl_opened *o,
                                         const struct tmpl_run *p, uint64_t at)
{
    if (tmpl_is_hex(p->kind))
        return put_hex(to, o->records, at, p->digits, p->kind == TMPL_UPPER);
    uint64_t v = tmpl_bits(o->records, at, p->width);
    if (p->kind == TMPL_WORD) {
        if (SKEP_UNLIKELY(v >= p->n_words))
            return NULL;
        return copy(to, p->words[v].p, p->words[v].n);
    }
    v += p->base;
    unsigned digits = p->kind == TMPL_ZDEC ? p->digits : count_digits(v);
    return put_digits(to, v, digits) + digits;
}

/* Where a value's slots are: bits from the records on. */
struct place {
    uint64_t at;                       /* its record */
    uint32_t rest;                     /* values of the rest before it */
    uint32_t before[TMPL_GROUPS_MAX];  /* entries before it */
    uint32_t entry[TMPL_GROUPS_MAX];   /* the numbers of its own */
    uint64_t entries[TMPL_GROUPS_MAX]; /* and where they are */
};

/* Go over the references of a record of template t to the groups `of`.  False when one leads
 * nowhere. */
static bool take_references(const struct tmpl_opened *o, const struct tmpl_text *t, unsigned of,
                            struct place *p)
{
    uint64_t at = p->at;
    for (unsigned left = t->groups; left; left &= left - 1) {
        unsigned g = SKEP_CTZ64(left);
        const struct tmpl_set *x = &o->sets[g];
        if (!(of >> g & 1)) {
            at += x->ref_bits;
            continue;
        }
        uint32_t back = (uint32_t)tmpl_bits(o->records, at, x->ref_bits);
        uint32_t entry = back ? p->before[g] - back : p->before[g]++;
        if (SKEP_UNLIKELY(entry >= x->n_entries)) /* also of one before the first: it wraps */
            return false;
        p->entry[g] = entry;
        p->entries[g] = x->at + (uint64_t)entry * x->bits;
        at += x->ref_bits;
    }
    return true;
}

static uint32_t reference_bits(const struct tmpl_opened *o, const struct tmpl_text *t)
{
    uint32_t bits = 0;
    for (unsigned left = t->groups; left; left &= left - 1)
        bits += o->sets[SKEP_CTZ64(left)].ref_bits;
    return bits;
}

/* The string of template t at a place; its end, or NULL. */
static uint8_t *put_string(uint8_t *to, const struct tmpl_opened *o, const struct tmpl_text *t,
                           const struct place *place)
{
    const struct tmpl_run *p = o->pieces + t->first;
    uint64_t at = place->at + (t->groups ? reference_bits(o, t) : 0);
    for (;; p++) {
        to = copy(to, p->literal, p->literal_n);
        if (p->kind == TMPL_END)
            return to;
        if (p->group) {
            to = put_slot(to, o, p, place->entries[p->group - 1] + p->offset);
        } else {
            to = put_slot(to, o, p, at);
            at += tmpl_is_hex(p->kind) ? p->digits * 4u : p->width;
        }
        if (SKEP_UNLIKELY(!to))
            return NULL;
    }
}

/* --- ranges --- */

/* Has one of the string's slots of hex digits those that are sought? */
static bool digits_inside(const struct tmpl_opened *o, const struct tmpl_text *t,
                          const struct place *place)
{
    uint64_t at = place->at + (t->groups ? reference_bits(o, t) : 0);
    for (const struct tmpl_run *p = o->pieces + t->first; p->kind != TMPL_END; p++) {
        bool hex = tmpl_is_hex(p->kind);
        uint64_t from = p->group ? place->entries[p->group - 1] + p->offset : at;
        if (hex && (p->kind == TMPL_HEX ? o->digits.lower : o->digits.upper) &&
            tmpl_digits_in(o, from, p->digits))
            return true;
        if (!p->group)
            at += hex ? p->digits * 4u : p->width;
    }
    return false;
}

static bool entry_hit(const struct tmpl_opened *o, const struct tmpl_text *t,
                      const struct place *place)
{
    for (unsigned left = t->groups; left; left &= left - 1) {
        unsigned g = SKEP_CTZ64(left);
        if (o->hits[g] && (o->hits[g][place->entry[g] / 64] >> (place->entry[g] % 64) & 1))
            return true;
    }
    return false;
}

/* What stands for a string that is not made: NULL and whether it has the text. */
static bool known(const struct tmpl_opened *o, const uint8_t *found, int64_t code,
                  const struct place *place, skep_str *out)
{
    if (!found || found[code] == TMPL_PERHAPS)
        return false;
    const struct tmpl_text *t = &o->templates[code];
    bool has = found[code] == TMPL_INSIDE  ? digits_inside(o, t, place)
               : found[code] == TMPL_ENTRY ? entry_hit(o, t, place)
                                           : found[code] == TMPL_ALWAYS;
    *out = (skep_str){NULL, has};
    return true;
}

/* All values have template 1. */
static skep_rc decode_plain(const struct tmpl_opened *o, uint32_t first, uint32_t n, skep_str *out,
                            struct skep_codec_scratch *scratch, const uint8_t *found)
{
    const struct tmpl_text *t = &o->templates[1];
    uint64_t at = (uint64_t)first * t->bits;
    if (at + (uint64_t)n * t->bits > o->record_bits)
        return SKEP_ECORRUPT;
    uint8_t *to = skep_codec_scratch_take(scratch, (size_t)n * t->longest + SLACK);
    for (uint32_t i = 0; i < n; i++, at += t->bits) {
        struct place place = {.at = at};
        if (known(o, found, 1, &place, &out[i]))
            continue;
        uint8_t *end = put_string(to, o, t, &place);
        if (!end)
            return SKEP_ECORRUPT;
        out[i] = (skep_str){(const char *)to, (size_t)(end - to)};
        to = end;
    }
    return SKEP_OK;
}

/* The groups whose entries must be known to say of codes[n] whether they have the text. */
static unsigned groups_needed(const struct tmpl_opened *o, const int64_t *codes, uint32_t n,
                              const uint8_t *found)
{
    unsigned needed = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!found || found[codes[i]] > TMPL_ALWAYS)
            needed |= o->templates[codes[i]].groups;
    return needed;
}

/* The strings of codes[n] from a place on, whose references in the records are inside them. */
static skep_rc decode_coded(const struct tmpl_opened *o, const int64_t *codes, uint32_t n,
                            struct place *place, const skep_str *rest, skep_str *out,
                            struct skep_codec_scratch *scratch, const uint8_t *found)
{
    size_t room = SLACK;
    for (uint32_t i = 0; i < n; i++)
        room += o->templates[codes[i]].longest;
    uint8_t *to = skep_codec_scratch_take(scratch, room);
    unsigned needed = groups_needed(o, codes, n, found);
    for (uint32_t i = 0; i < n; i++) {
        const struct tmpl_text *t = &o->templates[codes[i]];
        if (codes[i] == 0) {
            out[i] = *rest++;
            continue;
        }
        if ((t->groups & needed) && !take_references(o, t, needed, place))
            return SKEP_ECORRUPT;
        if (!known(o, found, codes[i], place, &out[i])) {
            uint8_t *stop = put_string(to, o, t, place);
            if (!stop)
                return SKEP_ECORRUPT;
            out[i] = (skep_str){(const char *)to, (size_t)(stop - to)};
            to = stop;
        }
        place->at += t->bits;
    }
    return SKEP_OK;
}

/* The place of value number `skip` of a step, of whose codes there are n; all n records lie inside
 * the bytes. */
static skep_rc find_place(const struct tmpl_opened *o, uint32_t step, const int64_t *codes,
                          uint32_t skip, uint32_t n, struct place *ret)
{
    struct place p = {.at = skep_load_le32(o->index + (size_t)step * 4)};
    uint64_t end = p.at;
    for (uint32_t g = 0; g < o->n_sets; g++)
        p.before[g] = skep_load_le32(o->sets[g].index + (size_t)step * 4);
    for (uint32_t i = 0; i < n; i++) {
        if ((uint64_t)codes[i] > o->n_templates)
            return SKEP_ECORRUPT;
        end += o->templates[codes[i]].bits;
    }
    if (end > o->record_bits)
        return SKEP_ECORRUPT;
    for (uint32_t i = 0; i < skip; i++) {
        const struct tmpl_text *t = &o->templates[codes[i]];
        if (t->groups && !take_references(o, t, t->groups, &p))
            return SKEP_ECORRUPT;
        p.at += t->bits;
        p.rest += codes[i] == 0;
    }
    *ret = p;
    return SKEP_OK;
}

/* [first, first + n), n <= PIECE. */
static skep_rc decode_piece(const struct tmpl_opened *o, uint32_t first, uint32_t n, skep_str *out,
                            struct skep_codec_scratch *scratch, const uint8_t *found)
{
    SKEP_UNINIT int64_t codes[PIECE + TMPL_STEP];
    uint32_t step = first / TMPL_STEP, skip = first % TMPL_STEP, e = 0;
    struct place place;
    SKEP_TRY(skep_codec__for_get(&o->codes, first - skip, skip + n, codes));
    SKEP_TRY(find_place(o, step, codes, skip, skip + n, &place));
    for (uint32_t i = skip; i < skip + n; i++)
        e += codes[i] == 0;
    skep_str *rest = NULL;
    if (e > 0) {
        if (!o->rest_index)
            return SKEP_ECORRUPT;
        uint64_t from = (uint64_t)skep_load_le32(o->rest_index + (size_t)step * 4) + place.rest;
        if (from + e > o->rest.n_values)
            return SKEP_ECORRUPT;
        rest = (skep_str *)(void *)skep_codec_scratch_take(scratch, e * sizeof *rest + 8);
        rest = (skep_str *)(((uintptr_t)rest + 7) & ~(uintptr_t)7);
        SKEP_TRY(o->rest_codec->decode_str(&o->rest, (uint32_t)from, e, rest, scratch));
    }
    return decode_coded(o, codes + skip, n, &place, rest, out, scratch, found);
}

skep_rc tmpl_decode_some(const struct tmpl_opened *o, const struct skep_codec_chunk *c,
                         uint32_t first, uint32_t n, skep_str *out,
                         struct skep_codec_scratch *scratch, const uint8_t *found)
{
    if ((uint64_t)first + n > c->n_values || n == 0)
        return SKEP_ECORRUPT;
    for (uint32_t at = 0; at < n;) {
        uint32_t take = SKEP_MIN(n - at, (uint32_t)PIECE);
        SKEP_TRY(o->codes.n_values ? decode_piece(o, first + at, take, out + at, scratch, found)
                                   : decode_plain(o, first + at, take, out + at, scratch, found));
        at += take;
    }
    return SKEP_OK;
}

static skep_rc decode(const struct skep_codec_chunk *c, bool old, uint32_t first, uint32_t n,
                      skep_str *out, struct skep_codec_scratch *scratch)
{
    const struct tmpl_opened *o = tmpl_opened_of(c, old, scratch);
    return o ? tmpl_decode_some(o, c, first, n, out, scratch, NULL) : SKEP_ECORRUPT;
}

skep_rc tmpl_decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, skep_str *out,
                    struct skep_codec_scratch *scratch)
{
    return decode(c, false, first, n, out, scratch);
}

skep_rc tmpl_decode_18(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, skep_str *out,
                       struct skep_codec_scratch *scratch)
{
    return decode(c, true, first, n, out, scratch);
}
