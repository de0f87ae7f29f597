// SPDX-License-Identifier: Apache-2.0
/* A chunk of templates, opened (tmpl.c has the bytes): its templates become pieces, a literal and
 * the slot behind it each; its other parts are found and measured.  Kept in the scratch until
 * another chunk comes.
 *
 * I1  what is opened is safe to read from: every part lies inside the chunk, a template's longest
 *     string is known and at most TMPL_LENGTH_MAX.  What codes, references and the index say is
 *     checked where they are read.
 * Threads: any; a scratch belongs to one. */
#include "store/column/codec/tmpl_open.h"

#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"

unsigned tmpl_count_digits(uint64_t v)
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

static void close_opened(void *state)
{
    struct tmpl_opened *o = state;
    skep_free(o->pieces);
    skep_free(o->words);
    for (unsigned i = 0; i < TMPL_VERDICTS_MAX; i++)
        tmpl_verdict_free(o->verdicts[i]);
    for (unsigned i = 0; i < TMPL_MEMBERS_MAX; i++)
        skep_free(o->members[i]);
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

/* The most digits of a number of `width` bits over `base`. */
static uint32_t most_digits(uint64_t base, unsigned width)
{
    uint64_t top, most = width >= 64 ? UINT64_MAX : (1ull << width) - 1;
    return tmpl_count_digits(SKEP_ADD_OVERFLOW(base, most, &top) ? UINT64_MAX : top);
}

/* A slot that is a field of a group; its longest text, or UINT32_MAX. */
static uint32_t read_grouped(skep_rd *r, const struct tmpl_opened *o, struct tmpl_run *p)
{
    p->kind -= TMPL_GROUPED;
    p->digits = p->kind == TMPL_ZDEC ? skep_rd_u8(r) : 0;
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
    return p->kind == TMPL_DEC ? most_digits(p->base, p->width) : p->digits;
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
        p->digits = p->kind == TMPL_ZDEC ? skep_rd_u8(r) : 0;
        p->width = skep_rd_u8(r);
        p->base = skep_rd_varint(r);
        if (p->width > 64 || p->digits > 20)
            return UINT32_MAX;
        return p->kind == TMPL_DEC ? most_digits(p->base, p->width) : p->digits;
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
            t->bits += tmpl_slot_bits(&p);
        SKEP_GROW(o->pieces, o->n_pieces, o->cap_pieces);
        o->pieces[o->n_pieces++] = p;
        t->n++;
        if (p.kind == TMPL_END)
            break;
    }
    for (uint32_t g = 0; g < o->n_sets; g++)
        t->reference_bits += t->groups >> g & 1 ? o->sets[g].ref_bits : 0;
    t->bits += t->reference_bits;
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
