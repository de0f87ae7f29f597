// SPDX-License-Identifier: Apache-2.0
/*
 * span_set.c - what happens to a span between its start and its end
 *
 * Everything is appended to the span's encoding. A key that is set again, a second name or status
 * takes the old field out first: rare, so that it may cost a move. Whether a key is there already
 * is asked of 256 bits first, one for each hash of a key; only where the bit is set are the fields
 * walked.
 *
 * Limits: attributes, events and links beyond their number are counted, not kept; so is what finds
 * no room. The counts go out with the span.
 *
 * Threads: any; the slot's lock is held while bytes are copied.
 */
#include "sdk_priv.h"

enum { NAME_CHARS_MAX = 4096 };

static void let_go(struct waggle__slot *slot, waggle_span span)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    waggle__slot_unlock(slot, span, word & (WAGGLE__LIVE | WAGGLE__ENDING));
}

/* The span's slot, locked; NULL if what is said of the span now goes nowhere. */
static struct waggle__slot *hold(waggle_span span)
{
    struct waggle__slot *slot = waggle__slot_lock(span);
    if (slot == NULL ||
        (atomic_load_explicit(&slot->flags, memory_order_relaxed) & WAGGLE__ORPHAN) == 0)
        return slot;
    let_go(slot, span);
    return NULL;
}

static void count_lost(uint32_t *dropped)
{
    (*dropped)++;
    struct waggle__thread *t = waggle__thread();
    if (t != NULL)
        waggle__count(t, WAGGLE__VALUES, 1);
}

/* --- fields -------------------------------------------------------------------------------- */

static uint64_t read_varint(const uint8_t *p, size_t *at)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t c = p[(*at)++];
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
}

/* Steps over the field at *at, which we encoded ourselves; gives its tag. */
static uint64_t skip_field(const uint8_t *p, size_t *at)
{
    uint64_t tag = read_varint(p, at);
    switch (tag & 7) {
    case WAGGLE__VARINT: (void)read_varint(p, at); break; // only the position matters
    case WAGGLE__FIXED64: *at += 8; break;
    case WAGGLE__FIXED32: *at += 4; break;
    default: {
        uint64_t n = read_varint(p, at);
        *at += n;
        break;
    }
    }
    return tag;
}

static void move_mark(uint32_t *mark, uint32_t at, uint32_t n)
{
    if (*mark > at)
        *mark -= n;
}

static void take_out(struct waggle__slot *slot, uint32_t at, uint32_t n)
{
    memmove(slot->buf + at, slot->buf + at + n, slot->n - at - n);
    slot->n -= n;
    move_mark(&slot->name_at, at, n);
    move_mark(&slot->status_at, at, n);
}

/* --- attributes ---------------------------------------------------------------------------- */

/* Which of the 256 bits stands for a key. */
static unsigned key_hash(const waggle_kv *kv)
{
    const uint8_t *k = (const uint8_t *)kv->key;
    uint32_t n = kv->key_n;
    uint32_t h = k[0] * 5u + k[n / 2] * 59u + k[n - 1] * 31u + k[n / 3] * 17u + n * 7u;
    return (h ^ h >> 8) & 255;
}

/* Takes an attribute of this key out; true if there was one. */
static bool take_out_key(struct waggle__slot *slot, const waggle_kv *kv)
{
    for (size_t at = WAGGLE__HEADROOM; at < slot->n;) {
        size_t from = at;
        uint64_t tag = skip_field(slot->buf, &at);
        if (tag != WAGGLE__TAG(9, WAGGLE__LEN))
            continue;
        size_t k = from + 1;
        (void)read_varint(slot->buf, &k); // the length of the whole: the key stands behind it
        k++;                              // its tag
        uint64_t n = read_varint(slot->buf, &k);
        if (n != kv->key_n || memcmp(slot->buf + k, kv->key, n) != 0)
            continue;
        take_out(slot, (uint32_t)from, (uint32_t)(at - from));
        return true;
    }
    return false;
}

/* The common case: short ASCII key, short string or scalar; every length is one byte. */
static bool put_short(struct waggle__slot *slot, const waggle_kv *kv, uint32_t length_limit)
{
    enum { KEY_MAX = 56, TEXT_MAX = 60 };
    struct waggle__text text = {0};
    size_t value_n = 2;
    switch (kv->value.type) {
    case WAGGLE_STR:
        if (kv->value.n > TEXT_MAX)
            return false;
        text = waggle__text_of(kv->value.as.str, kv->value.n, length_limit);
        if (text.out_n > TEXT_MAX)
            return false;
        value_n += text.out_n;
        break;
    case WAGGLE_BOOL: break;
    case WAGGLE_I64: value_n = 1 + waggle__varint_n((uint64_t)kv->value.as.i64); break;
    case WAGGLE_F64: value_n = 9; break;
    default: return false;
    }
    if (kv->key_n > KEY_MAX)
        return false;
    struct waggle__text key = waggle__text_of(kv->key, kv->key_n, WAGGLE_NO_LIMIT);
    size_t n = 4 + key.n + value_n;
    if (key.out_n != key.n || !waggle__slot_room(slot, n + 2))
        return false;
    uint8_t *w = slot->buf + slot->n;
    *w++ = 0x4a;
    *w++ = (uint8_t)n;
    *w++ = 0x0a;
    *w++ = (uint8_t)key.n;
    memcpy(w, key.p, key.n);
    w += key.n;
    *w++ = 0x12;
    *w++ = (uint8_t)value_n;
    if (kv->value.type == WAGGLE_STR) {
        *w++ = 0x0a;
        *w++ = (uint8_t)text.out_n;
        w = waggle__text_write(w, &text);
    } else {
        w = waggle__value_write(w, &kv->value, &waggle__no_value_limits, 0);
    }
    slot->n = (uint32_t)(w - slot->buf);
    return true;
}

static bool put_any(struct waggle__slot *slot, const waggle_kv *kv)
{
    const struct waggle__value_limits *limits = &slot->provider->value_limits;
    bool is_text = kv->value.type == WAGGLE_STR || kv->value.type == WAGGLE_BYTES;
    if (kv->key_n > WAGGLE__BLOCK_BYTES ||
        (is_text && WAGGLE__MIN(kv->value.n, limits->length) > WAGGLE__BLOCK_BYTES))
        return false; // would find no room: not worth a look
    size_t n = waggle__kv_size(kv, limits, 0);
    if (!waggle__slot_room(slot, n + 11))
        return false;
    uint8_t *w = slot->buf + slot->n;
    *w++ = 0x4a;
    w = waggle__put_varint(w, n);
    w = waggle__kv_write(w, kv, limits, 0);
    slot->n = (uint32_t)(w - slot->buf);
    return true;
}

static void add_attribute(struct waggle__slot *slot, const waggle_kv *kv)
{
    if (kv->key == NULL || kv->key_n == 0)
        return;
    unsigned hash = key_hash(kv);
    uint64_t bit = UINT64_C(1) << (hash & 63);
    if ((slot->seen[hash >> 6] & bit) != 0 && take_out_key(slot, kv))
        slot->n_attributes--;
    slot->seen[hash >> 6] |= bit;
    if (slot->n_attributes >= slot->provider->limits.attributes ||
        (!put_short(slot, kv, slot->provider->value_limits.length) && !put_any(slot, kv)))
        count_lost(&slot->dropped_attributes);
    else
        slot->n_attributes++;
}

void waggle__add_attributes(struct waggle__slot *slot, waggle_attrs attributes)
{
    for (size_t i = 0; i < attributes.n; i++)
        add_attribute(slot, &attributes.p[i]);
}

void waggle__span_op_set(waggle_span span, waggle_attrs attributes)
{
    struct waggle__slot *slot = hold(span);
    if (slot == NULL)
        return;
    waggle__add_attributes(slot, attributes);
    let_go(slot, span);
}

/* --- name and status ----------------------------------------------------------------------- */

void waggle__add_name(struct waggle__slot *slot, const char *name)
{
    struct waggle__text text = waggle__text_of(name, strlen(name), NAME_CHARS_MAX);
    if (!waggle__slot_room(slot, text.out_n + 6))
        text = (struct waggle__text){"", 0, 0};
    if (text.out_n == 0 && !waggle__slot_room(slot, 2))
        return;
    uint8_t *w = slot->buf + slot->n;
    slot->name_at = slot->n;
    *w++ = 0x2a;
    w = waggle__put_varint(w, text.out_n);
    w = waggle__text_write(w, &text);
    slot->n = (uint32_t)(w - slot->buf);
    slot->name_n = slot->n - slot->name_at;
}

void waggle__span_op_set_name(waggle_span span, const char *name)
{
    struct waggle__slot *slot = hold(span);
    if (slot == NULL)
        return;
    take_out(slot, slot->name_at, slot->name_n);
    waggle__add_name(slot, name);
    let_go(slot, span);
}

static void put_status(struct waggle__slot *slot, enum waggle_status status,
                       const char *description)
{
    if (status == WAGGLE_STATUS_UNSET || slot->status == WAGGLE_STATUS_OK)
        return;
    if (slot->status_n > 0)
        take_out(slot, slot->status_at, slot->status_n);
    slot->status_n = 0;
    slot->status = (uint32_t)status;
    struct waggle__text text = {"", 0, 0};
    if (status == WAGGLE_STATUS_ERROR)
        text = waggle__text_of(description, strlen(description), NAME_CHARS_MAX);
    if (!waggle__slot_room(slot, text.out_n + 12)) {
        text = (struct waggle__text){"", 0, 0};
        if (!waggle__slot_room(slot, 12))
            return;
    }
    size_t n = 2 + (text.out_n > 0 ? 1 + waggle__varint_n(text.out_n) + text.out_n : 0);
    uint8_t *w = slot->buf + slot->n;
    slot->status_at = slot->n;
    *w++ = 0x7a;
    w = waggle__put_varint(w, n);
    if (text.out_n > 0) {
        *w++ = 0x12;
        w = waggle__put_varint(w, text.out_n);
        w = waggle__text_write(w, &text);
    }
    *w++ = 0x18;
    *w++ = (uint8_t)status;
    slot->n = (uint32_t)(w - slot->buf);
    slot->status_n = slot->n - slot->status_at;
}

void waggle__span_op_set_status(waggle_span span, enum waggle_status status,
                                const char *description)
{
    struct waggle__slot *slot = hold(span);
    if (slot == NULL)
        return;
    if (status == WAGGLE_STATUS_OK || status == WAGGLE_STATUS_ERROR)
        put_status(slot, status, description);
    let_go(slot, span);
}

/* --- events and links ---------------------------------------------------------------------- */

/* What of a list of attributes is kept: no empty key, of equal keys the last, at most `max`. */
static bool is_kept(waggle_attrs attributes, size_t i)
{
    const waggle_kv *kv = &attributes.p[i];
    if (kv->key == NULL || kv->key_n == 0)
        return false;
    for (size_t k = i + 1; k < attributes.n; k++)
        if (attributes.p[k].key_n == kv->key_n && attributes.p[k].key != NULL &&
            memcmp(attributes.p[k].key, kv->key, kv->key_n) == 0)
            return false;
    return true;
}

static size_t list_size(const struct waggle__slot *slot, waggle_attrs attributes, uint32_t max,
                        uint32_t *ret_dropped)
{
    size_t sum = 0;
    uint32_t kept = 0;
    for (size_t i = 0; i < attributes.n; i++) {
        if (!is_kept(attributes, i))
            continue;
        if (kept == max) {
            count_lost(ret_dropped);
            continue;
        }
        kept++;
        size_t n = waggle__kv_size(&attributes.p[i], &slot->provider->value_limits, 0);
        sum += 1 + waggle__varint_n(n) + n;
    }
    return sum;
}

static uint8_t *list_write(uint8_t *w, const struct waggle__slot *slot, uint8_t tag,
                           waggle_attrs attributes, uint32_t max)
{
    uint32_t kept = 0;
    for (size_t i = 0; i < attributes.n && kept < max; i++) {
        if (!is_kept(attributes, i))
            continue;
        kept++;
        *w++ = tag;
        w = waggle__put_varint(w,
                               waggle__kv_size(&attributes.p[i], &slot->provider->value_limits, 0));
        w = waggle__kv_write(w, &attributes.p[i], &slot->provider->value_limits, 0);
    }
    return w;
}

static size_t count_size(uint32_t n)
{
    return n ? 1 + waggle__varint_n(n) : 0;
}

static void add_event(struct waggle__slot *slot, const char *name, uint64_t time_ns,
                      waggle_attrs attributes)
{
    const waggle_limits *limits = &slot->provider->limits;
    if (slot->n_events >= limits->events) {
        count_lost(&slot->dropped_events);
        return;
    }
    uint32_t dropped = 0;
    struct waggle__text text = waggle__text_of(name, strlen(name), NAME_CHARS_MAX);
    size_t list_n = list_size(slot, attributes, limits->attributes_event, &dropped);
    size_t n = 9 + 1 + waggle__varint_n(text.out_n) + text.out_n + list_n + count_size(dropped);
    if (!waggle__slot_room(slot, n + 11)) {
        count_lost(&slot->dropped_events);
        return;
    }
    uint8_t *w = slot->buf + slot->n;
    *w++ = 0x5a;
    w = waggle__put_varint(w, n);
    *w++ = 0x09;
    w = waggle__put_le64(w, time_ns ? time_ns : waggle__monotonic() + slot->utc_offset);
    *w++ = 0x12;
    w = waggle__put_varint(w, text.out_n);
    w = waggle__text_write(w, &text);
    w = list_write(w, slot, 0x1a, attributes, limits->attributes_event);
    if (dropped > 0) {
        *w++ = 0x20;
        w = waggle__put_varint(w, dropped);
    }
    slot->n = (uint32_t)(w - slot->buf);
    slot->n_events++;
}

void waggle__span_op_event(waggle_span span, const char *name, uint64_t time_ns,
                           waggle_attrs attributes)
{
    struct waggle__slot *slot = hold(span);
    if (slot == NULL)
        return;
    add_event(slot, name, time_ns, attributes);
    let_go(slot, span);
}

void waggle__add_link(struct waggle__slot *slot, const waggle_link *link)
{
    const waggle_limits *limits = &slot->provider->limits;
    const waggle_span_context *c = link->context;
    bool valid = waggle_span_context_is_valid(c);
    if (!valid && link->attributes.n == 0 && c->tracestate_n == 0)
        return;
    if (slot->n_links >= limits->links) {
        count_lost(&slot->dropped_links);
        return;
    }
    uint32_t dropped = 0;
    size_t list_n = list_size(slot, link->attributes, limits->attributes_link, &dropped);
    size_t state_n = c->tracestate_n;
    size_t n = 18 + 10 + 5 + (state_n ? 1 + waggle__varint_n(state_n) + state_n : 0) + list_n +
               count_size(dropped);
    if (!waggle__slot_room(slot, n + 11)) {
        count_lost(&slot->dropped_links);
        return;
    }
    uint8_t *w = slot->buf + slot->n;
    *w++ = 0x6a;
    w = waggle__put_varint(w, n);
    *w++ = 0x0a;
    *w++ = 16;
    memcpy(w, c->trace_id, 16);
    w += 16;
    *w++ = 0x12;
    *w++ = 8;
    memcpy(w, c->span_id, 8);
    w += 8;
    if (state_n > 0) {
        *w++ = 0x1a;
        w = waggle__put_varint(w, state_n);
        memcpy(w, c->tracestate, state_n);
        w += state_n;
    }
    w = list_write(w, slot, 0x22, link->attributes, limits->attributes_link);
    if (dropped > 0) {
        *w++ = 0x28;
        w = waggle__put_varint(w, dropped);
    }
    *w++ = 0x35; // flags = 6, fixed32
    w = waggle__put_le32(w, c->flags | 0x100u | (c->is_remote ? 0x200u : 0));
    slot->n = (uint32_t)(w - slot->buf);
    slot->n_links++;
}

void waggle__span_op_link(waggle_span span, const waggle_link *link)
{
    struct waggle__slot *slot = hold(span);
    if (slot == NULL)
        return;
    waggle__add_link(slot, link);
    let_go(slot, span);
}
