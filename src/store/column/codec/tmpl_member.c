// SPDX-License-Identifier: Apache-2.0
/* Members of documents out of templates: of lines that are JSON a template says where a member
 * stands, so that the other slots, and the line, are not made.
 *
 *   {"level":"<word>","order_id":<0..9000000>,"took":<dec>.<3 digits>}
 *      level      a text of slot 1        order_id   the number of slot 2
 *      took       slots 3 and 4 and what stands between, read as a number
 *      msg        null: no line of the template has it
 *
 * A template is read once as a document in which slots stand inside strings or write numbers.  What
 * a slot can hold is known (digits, hex digits, its words), so that whatever the slots hold, the
 * document is one and has this shape.  Everything that is not known to be so is left to who reads
 * whole lines: escapes in what is asked for, bytes beyond ASCII, exponents, numbers of more than 18
 * digits, values that are lists or maps, lines that are no documents but those that begin like
 * none.
 *
 * I1  what is told is what reading the whole line as strict JSON gives: the first member of a name,
 *     numbers without a fraction as integers, others as the nearest double.
 * I2  recursion is bounded by DEPTH.
 * Threads: any; a chunk that is opened belongs to one. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/tmpl_open.h"

enum { DEPTH = 32, BARE_MAX = 256, DIGITS = 18, EXACT_DIGITS = 15 };

static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

enum how {
    UNKNOWN,
    FIXED,  /* in all lines the same, or null */
    NUMBER, /* of the slot behind the first piece */
    BARE,   /* pieces that write a number or a word of JSON */
    TEXT    /* pieces that are a string */
};

struct answer {
    uint8_t how, groups;
    bool negative;
    uint32_t k, from; /* begins in this piece's literal, there */
    uint32_t last, to;
    uint32_t offset; /* bits of the record's slots before that of piece k */
    skep_value fixed;
};

struct tmpl_members {
    uint64_t hash;
    unsigned groups;
    struct answer of[];
};

// --- bare values -------------------------------------------------------------------------------

static size_t digits(skep_str s, size_t at)
{
    size_t n = 0;
    while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9')
        n++;
    return n;
}

/* true, false, null, a number without exponent; false: another reader must say. */
static bool bare_value(skep_str s, skep_value *ret)
{
    *ret = (skep_value){.type = SKEP_TYPE_NULL};
    if (skep_str_eq(s, SKEP_STR("null")))
        return true;
    if (skep_str_eq(s, SKEP_STR("true")) || skep_str_eq(s, SKEP_STR("false"))) {
        *ret = (skep_value){.type = SKEP_TYPE_BOOL, .b = s.n == 4};
        return true;
    }
    size_t at = s.n > 0 && s.p[0] == '-', n = digits(s, at);
    if (n == 0 || n > DIGITS || (n > 1 && s.p[at] == '0'))
        return false;
    if (at + n == s.n) {
        ret->type = SKEP_TYPE_INT;
        return !(at == 1 && s.p[1] == '0') && skep_str_i64(s, &ret->i);
    }
    size_t fraction = s.p[at + n] == '.' ? digits(s, at + n + 1) : 0;
    ret->type = SKEP_TYPE_DOUBLE;
    if (fraction == 0 || at + n + 1 + fraction != s.n)
        return false;
    if (n + fraction > EXACT_DIGITS)
        return skep_str_f64(s, &ret->f);
    /* Both exact doubles: their quotient is the nearest one. */
    int64_t v = 0;
    for (size_t i = at; i < s.n; i++)
        v = s.p[i] == '.' ? v : v * 10 + (s.p[i] - '0');
    ret->f = (double)v / tens[fraction];
    ret->f = at ? -ret->f : ret->f;
    return true;
}

// --- a template as a document ------------------------------------------------------------------

struct scan {
    const struct tmpl_run *p; /* [k] */
    uint32_t k, at;
    const struct skep_codec_path *path;
    unsigned depth;
    struct answer *ret;
};

enum { END = -1, SLOT = 256 };

static int sign(const struct scan *s)
{
    const struct tmpl_run *p = &s->p[s->k];
    if (s->at < p->literal_n)
        return p->literal[s->at];
    return p->kind == TMPL_END ? END : SLOT;
}

static void step(struct scan *s)
{
    if (s->at < s->p[s->k].literal_n) {
        s->at++;
        return;
    }
    s->k++;
    s->at = 0;
}

static int past_blanks(struct scan *s)
{
    int c;
    while ((c = sign(s)) == ' ' || c == '\t' || c == '\n' || c == '\r')
        step(s);
    return c;
}

static bool expect(struct scan *s, int c)
{
    bool there = past_blanks(s) == c;
    if (there)
        step(s);
    return there;
}

/* Bits of a WORD slot's bytes in [lo, hi]. */
static bool any_byte(const struct tmpl_run *p, unsigned lo, unsigned hi)
{
    for (unsigned c = lo; c <= hi; c++)
        if (p->bytes[c / 8] >> c % 8 & 1)
            return true;
    return false;
}

/* Whatever it holds, a string goes on behind it. */
static bool safe_in_string(const struct tmpl_run *p)
{
    return p->kind != TMPL_WORD || !(any_byte(p, 0, 0x1f) || any_byte(p, '"', '"') ||
                                     any_byte(p, '\\', '\\') || any_byte(p, 0x80, 0xff));
}

/* From (k, from) to where the scan is. */
static void span(struct scan *s, enum how how, uint32_t k, uint32_t from)
{
    struct answer *a = s->ret;
    *a = (struct answer){.how = (uint8_t)how, .k = k, .from = from, .last = s->k, .to = s->at};
    for (uint32_t i = 0; i < k; i++)
        a->offset += s->p[i].group ? 0 : tmpl_slot_bits(&s->p[i]);
    for (uint32_t i = k; i < s->k; i++)
        if (s->p[i].group)
            a->groups |= (uint8_t)(1u << (s->p[i].group - 1));
}

static skep_str literal_of(const struct scan *s, uint32_t from)
{
    return (skep_str){(const char *)s->p[s->k].literal + from, s->at - from};
}

/* The scan is at its quote. */
static bool string(struct scan *s, bool wanted)
{
    step(s);
    uint32_t k = s->k, from = s->at;
    for (int c; (c = sign(s)) != '"'; step(s)) {
        if (c == SLOT ? !safe_in_string(&s->p[s->k]) : c < 0x20 || c >= 0x80)
            return false;
        if (c != '\\')
            continue;
        step(s);
        c = sign(s);
        if (wanted || c <= 0 || c >= 0x80 || !memchr("\"\\/bfnrt", c, 8))
            return false;
    }
    if (wanted && k == s->k)
        *s->ret = (struct answer){.how = FIXED,
                                  .fixed = {.type = SKEP_TYPE_STRING, .s = literal_of(s, from)}};
    else if (wanted)
        span(s, TEXT, k, from);
    step(s);
    return true;
}

static bool all_digits(const struct tmpl_run *p, bool leading_zeros)
{
    for (uint32_t i = 0; i < p->n_words; i++) {
        skep_str w = {(const char *)p->words[i].p, p->words[i].n};
        if (w.n == 0 || digits(w, 0) != w.n || (!leading_zeros && w.n > 1 && w.p[0] == '0'))
            return false;
    }
    return true;
}

static bool writes_digits(const struct tmpl_run *p)
{
    return p->kind == TMPL_DEC || p->kind == TMPL_ZDEC ||
           (p->kind == TMPL_WORD && all_digits(p, true));
}

static bool writes_whole(const struct tmpl_run *p)
{
    return p->kind == TMPL_DEC || (p->kind == TMPL_WORD && all_digits(p, false));
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Digits, written by literals and slots; *ret_n of them at least.  False: something else is. */
static bool run_of_digits(struct scan *s, unsigned *ret_n)
{
    for (*ret_n = 0;; ++*ret_n, step(s)) {
        int c = sign(s);
        if (c == SLOT && !writes_digits(&s->p[s->k]))
            return false;
        if (c != SLOT && !is_digit(c))
            return true;
    }
}

/* A number of which some of the digits are a slot's: the scan is at its first digit. */
static bool slotted_number(struct scan *s)
{
    unsigned n = 0;
    int c = sign(s);
    if (c == SLOT) {
        if (!writes_whole(&s->p[s->k]))
            return false;
        step(s);
        c = sign(s);
        if (c == SLOT || is_digit(c))
            return false; /* perhaps behind a zero */
    } else if (c == '0') {
        step(s);
        if (sign(s) != '.')
            return false;
    } else if (!run_of_digits(s, &n) || n == 0) {
        return false;
    }
    if (sign(s) != '.')
        return true;
    step(s);
    return run_of_digits(s, &n) && n > 0;
}

static bool ends_value(int c)
{
    return c == END || c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\n' ||
           c == '\r';
}

/* A slot that is a whole value by itself: words of JSON, or numbers. */
static bool slot_alone(struct scan *s)
{
    const struct tmpl_run *p = &s->p[s->k];
    skep_value v;
    if (p->kind != TMPL_WORD)
        return false;
    for (uint32_t i = 0; i < p->n_words; i++)
        if (!bare_value((skep_str){(const char *)p->words[i].p, p->words[i].n}, &v))
            return false;
    step(s);
    return ends_value(sign(s));
}

static bool fixed_bare(struct scan *s, uint32_t from, bool wanted)
{
    skep_value v;
    if (!bare_value(literal_of(s, from), &v))
        return false;
    if (wanted)
        *s->ret = (struct answer){.how = FIXED, .fixed = v};
    return true;
}

static bool bare(struct scan *s, bool wanted)
{
    const struct scan begin = *s;
    while (sign(s) != SLOT && !ends_value(sign(s)))
        step(s);
    if (sign(s) != SLOT)
        return fixed_bare(s, begin.at, wanted);
    *s = begin;
    bool negative = sign(s) == '-';
    if (negative)
        step(s);
    if (!slotted_number(s)) {
        *s = begin;
        if (sign(s) != SLOT || !slot_alone(s))
            return false;
    }
    if (!ends_value(sign(s)))
        return false;
    if (!wanted)
        return true;
    span(s, BARE, begin.k, begin.at);
    const struct tmpl_run *p = &s->p[begin.k];
    if (s->k == begin.k + 1 && s->at == 0 && p->kind == TMPL_DEC &&
        begin.at + negative == p->literal_n) {
        s->ret->how = NUMBER;
        s->ret->negative = negative;
    }
    return true;
}

static bool value(struct scan *s, unsigned level, bool wanted);

/* A key without slots and escapes. */
static bool key(struct scan *s, skep_str *ret)
{
    if (!expect(s, '"'))
        return false;
    uint32_t k = s->k, from = s->at;
    for (int c; (c = sign(s)) != '"'; step(s))
        if (c == SLOT || c == '\\' || c < 0x20 || c >= 0x80)
            return false;
    *ret = literal_of(s, from);
    step(s);
    return s->k == k;
}

static bool object(struct scan *s, unsigned level, bool wanted)
{
    bool seen = false;
    if (wanted && level == s->path->n)
        return false; /* its text is wanted */
    step(s);
    if (past_blanks(s) == '}') {
        step(s);
        return true;
    }
    do {
        skep_str name;
        if (!key(s, &name) || !expect(s, ':'))
            return false;
        bool match = wanted && !seen && skep_str_eq(name, s->path->keys[level]);
        seen = seen || match;
        if (!value(s, level + 1, match))
            return false;
    } while (expect(s, ','));
    return expect(s, '}');
}

static bool list(struct scan *s, bool wanted)
{
    if (wanted)
        return false; /* its text, or an element by a number */
    step(s);
    if (past_blanks(s) == ']') {
        step(s);
        return true;
    }
    do {
        if (!value(s, 0, false))
            return false;
    } while (expect(s, ','));
    return expect(s, ']');
}

static bool value(struct scan *s, unsigned level, bool wanted)
{
    int c = past_blanks(s);
    bool here = wanted && level == s->path->n; /* else nothing is inside of it */
    bool ok = false;
    if (++s->depth > DEPTH)
        return false;
    if (c == '{')
        ok = object(s, level, wanted);
    else if (c == '[')
        ok = list(s, wanted);
    else if (c == '"')
        ok = string(s, here);
    else
        ok = bare(s, here);
    s->depth--;
    return ok;
}

/* Is it known from its first bytes that no line is a document? */
static bool begins_like_none(struct scan s)
{
    static const char words[][6] = {"true", "false", "null"};
    int c = sign(&s);
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(words); i++)
        if (c == words[i][0]) {
            for (unsigned k = 0; words[i][k] && c == words[i][k]; k++, c = sign(&s))
                step(&s);
            return c > ' ' && c < 0x80; /* something else, or behind the word */
        }
    return c > ' ' && c < 0x80 && c != '{' && c != '[' && c != '"' && c != '-' && !is_digit(c);
}

static struct answer answer_of(const struct tmpl_run *pieces, const struct skep_codec_path *path)
{
    struct answer ret = {.how = FIXED, .fixed = {.type = SKEP_TYPE_NULL}};
    struct scan s = {.p = pieces, .path = path, .ret = &ret};
    if (past_blanks(&s) != '{' ? !begins_like_none(s)
                               : !value(&s, 0, true) || past_blanks(&s) != END)
        ret = (struct answer){.how = UNKNOWN};
    return ret;
}

/* Kept with the opened chunk until TMPL_MEMBERS_MAX others were asked for. */
static const struct tmpl_members *members_of(struct tmpl_opened *o,
                                             const struct skep_codec_path *path)
{
    for (unsigned i = 0; i < TMPL_MEMBERS_MAX; i++)
        if (o->members[i] && o->members[i]->hash == path->hash)
            return o->members[i];
    struct tmpl_members **place = &o->members[o->next_members++ % TMPL_MEMBERS_MAX];
    size_t n = (size_t)o->n_templates + 1;
    skep_free(*place);
    struct tmpl_members *m = *place = skep_malloc(sizeof *m + n * sizeof m->of[0]);
    m->hash = path->hash;
    m->groups = 0;
    m->of[0] = (struct answer){.how = UNKNOWN};
    for (size_t i = 1; i < n; i++) {
        m->of[i] = answer_of(o->pieces + o->templates[i].first, path);
        m->groups |= m->of[i].groups;
    }
    return m;
}

// --- values ------------------------------------------------------------------------------------

/* The pieces of an answer as text; its end, NULL when the bytes are damaged. */
static uint8_t *put_pieces(uint8_t *to, const struct tmpl_opened *o, const struct tmpl_text *t,
                           const struct answer *a, const struct tmpl_place *place)
{
    uint64_t at = place->at + t->reference_bits + a->offset;
    for (uint32_t k = a->k; to; k++) {
        const struct tmpl_run *p = &o->pieces[t->first + k];
        uint32_t from = k == a->k ? a->from : 0, end = k == a->last ? a->to : p->literal_n;
        memcpy(to, p->literal + from, end - from);
        to += end - from;
        if (k == a->last)
            return to;
        to = tmpl_put_slot(to, o, p, p->group ? place->entries[p->group - 1] + p->offset : at);
        at += p->group ? 0 : tmpl_slot_bits(p);
    }
    return NULL;
}

/* One value; *to: where its text may stand. */
SKEP_WRAPS static skep_rc tell(const struct tmpl_opened *o, const struct tmpl_text *t,
                               const struct answer *a, const struct tmpl_place *place, uint8_t **to,
                               skep_value *ret, uint8_t *ret_known)
{
    *ret_known = 1;
    if (a->how == FIXED) {
        *ret = a->fixed;
        return SKEP_OK;
    }
    if (a->how == NUMBER) {
        const struct tmpl_run *p = &o->pieces[t->first + a->k];
        uint64_t at = p->group ? place->entries[p->group - 1] + p->offset
                               : place->at + t->reference_bits + a->offset;
        uint64_t v = tmpl_bits(o->records, at, p->width) + p->base;
        *ret_known = v <= INT64_MAX && !(a->negative && v == 0);
        *ret = (skep_value){.type = SKEP_TYPE_INT, .i = a->negative ? -(int64_t)v : (int64_t)v};
        return SKEP_OK;
    }
    uint8_t *end = put_pieces(*to, o, t, a, place);
    if (!end)
        return SKEP_ECORRUPT;
    skep_str s = {(const char *)*to, (size_t)(end - *to)};
    if (a->how == BARE) {
        *ret_known = s.n <= BARE_MAX && bare_value(s, ret);
        return SKEP_OK;
    }
    *ret = (skep_value){.type = SKEP_TYPE_STRING, .s = s};
    *to = end;
    return SKEP_OK;
}

static skep_rc tell_all(const struct tmpl_opened *o, const struct tmpl_members *m,
                        const uint32_t *codes, uint32_t n, struct tmpl_place *place,
                        const uint8_t *wanted, uint8_t *known, skep_value *ret,
                        struct skep_codec_scratch *scratch)
{
    size_t room = TMPL_SLACK, most = 0;
    for (uint32_t i = 0; i < n; i++) {
        size_t longest = m->of[codes[i]].how >= BARE ? o->templates[codes[i]].longest : 0;
        room += m->of[codes[i]].how == TEXT && wanted[i] ? longest : 0;
        most = SKEP_MAX(most, longest);
    }
    uint8_t *to = skep_codec_scratch_take(scratch, room + most);
    for (uint32_t i = 0; i < n; i++) {
        const struct tmpl_text *t = &o->templates[codes[i]];
        const struct answer *a = &m->of[codes[i]];
        known[i] = 0;
        if (codes[i] == 0)
            continue;
        if ((t->groups & m->groups) || a->how > FIXED)
            if (!tmpl_inside(o, t, place) || !tmpl_take_references(o, t, m->groups, place))
                return SKEP_ECORRUPT;
        if (wanted[i] && a->how != UNKNOWN)
            SKEP_TRY(tell(o, t, a, place, &to, &ret[i], &known[i]));
        place->at += t->bits;
    }
    return SKEP_OK;
}

skep_rc tmpl_members(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                     const struct skep_codec_path *path, const uint8_t *wanted, uint8_t *known,
                     skep_value *ret, struct skep_codec_scratch *scratch)
{
    SKEP_UNINIT uint32_t codes[SKEP_CODEC_BLOCK + TMPL_STEP];
    uint32_t skip = 0;
    struct tmpl_place place = {0};
    skep_assert(n > 0 && n <= SKEP_CODEC_BLOCK);
    struct tmpl_opened *o = tmpl_opened_of(c, false, scratch);
    if (!o || (uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    const struct tmpl_members *m = members_of(o, path);
    if (o->codes.n_values) {
        skip = first % TMPL_STEP;
        SKEP_TRY(tmpl_codes(o, first - skip, skip + n, codes));
        tmpl_place_at_step(o, first / TMPL_STEP, &place);
        SKEP_TRY(tmpl_skip(o, codes, skip, m->groups, &place));
    } else {
        for (uint32_t i = 0; i < n; i++)
            codes[i] = 1;
        place.at = (uint64_t)first * o->templates[1].bits;
    }
    return tell_all(o, m, codes + skip, n, &place, wanted, known, ret, scratch);
}
