// SPDX-License-Identifier: Apache-2.0
/* Slots whose values come again together: the ids of a request stand in each of its lines.
 *
 *   {"order_id":8123456,"user":"u-00042","trace_id":"5f1c..."}     a new entry
 *   {"order_id":8977001,"user":"u-00007","trace_id":"77aa..."}     a new entry
 *   {"order_id":8123456,"user":"u-00042","trace_id":"5f1c..."}     the entry 2 before the next
 *
 * Such slots make a group.  A string's record has, instead of them, a reference of a few bits: 0
 * the next entry of the group, k the entry k before the next.  Entries are numbered over the whole
 * chunk and all templates of the group; how many there are before each TMPL_STEP values is in the
 * index, so that a range is read without what is before it.
 *
 * Which slots: those of different templates count as one class when what stands before them is the
 * same, back to a word (`order_id":`).  From a sample the class that saves most alone is taken and
 * others are added while that saves more; templates that have all of them use the group.  Then
 * again with what is left.
 *
 * I1  two strings share an entry only when all its values are equal (compared, not only hashed).
 * Threads: any.  Memory: the entries' cells, at most those of the strings; 0.4 MiB of tables. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/codec/tmpl.h"

enum {
    CLASSES_MAX = 64, /* bits of a mask */
    SAMPLE = 4096,    /* strings simulated */
    FEW_ROWS = 64,    /* with fewer strings nothing is looked for */
    LEAST_BITS = 4,   /* of a slot */
    LEAST_SAVED = 64, /* bytes a group saves of the sample */
    DIGITS_MOST = 64, /* hex */
    TABLE = 8192      /* of the simulation: twice the sample */
};

struct class
{
    uint64_t key;
    uint32_t digits, bits;
    int64_t alone; /* bits it would save as a group */
};

struct row {
    uint16_t shape;
    const uint64_t *cells;
};

struct finder {
    struct tmpl_builder *b;
    unsigned n_classes;
    uint32_t n_rows;
    uint64_t open[TMPL_SHAPES_MAX]; /* classes of a shape that are in no group */
    /* From here on nothing is set before it is used. */
    struct class classes[CLASSES_MAX];
    uint8_t slot_of[TMPL_SHAPES_MAX][CLASSES_MAX]; /* its slot of a class */
    struct row rows[SAMPLE];
    uint64_t hashes[SAMPLE]; /* of the simulated entries */
    uint16_t table[TABLE];   /* entry + 1 */
};

static inline SKEP_WRAPS uint64_t mixed(uint64_t h, uint64_t v)
{
    return skep_hash_u64(h ^ v) + 0x9e3779b97f4a7c15ull;
}

/* --- classes --- */

/* What stands before a slot, back to the beginning of a word or to the slot before it. */
static uint64_t context(const struct tmpl_shape *x, uint32_t token, uint64_t before)
{
    const struct tmpl_token *t = x->tokens;
    size_t from = 0;
    uint64_t h = 1;
    for (uint32_t i = token; i-- > 0;) {
        if (x->slots[i].varies) {
            from = t[i].at + t[i].len;
            h = before;
            break;
        }
        if (t[i].kind == TMPL_WORD) {
            from = t[i].at;
            break;
        }
    }
    return skep_hash_seed((skep_bytes){(const uint8_t *)x->first.p + from, t[token].at - from}, h);
}

static unsigned class_of(struct finder *f, uint64_t key, uint32_t digits)
{
    for (unsigned c = 0; c < f->n_classes; c++)
        if (f->classes[c].key == key && f->classes[c].digits == digits)
            return c;
    if (f->n_classes == CLASSES_MAX)
        return CLASSES_MAX;
    f->classes[f->n_classes] = (struct class){.key = key, .digits = digits};
    return f->n_classes++;
}

static void add_classes(struct finder *f, unsigned s)
{
    const struct tmpl_shape *x = &f->b->shapes[s];
    uint64_t key = 0;
    for (uint32_t i = 0; i < x->n_tokens; i++) {
        const struct tmpl_slot *slot = &x->slots[i];
        if (!slot->varies)
            continue;
        bool hex = tmpl_is_hex(slot->kind);
        uint32_t digits = hex ? x->tokens[i].len : 0, bits = hex ? digits * 4 : slot->width;
        key = mixed(context(x, i, key), digits);
        if (slot->kind == TMPL_WORD || bits < LEAST_BITS || digits > DIGITS_MOST)
            continue;
        unsigned c = class_of(f, key, digits);
        if (c == CLASSES_MAX || (f->open[s] >> c & 1))
            continue;
        f->open[s] |= 1ull << c;
        f->slot_of[s][c] = (uint8_t)i;
        f->classes[c].bits = SKEP_MAX(f->classes[c].bits, bits);
    }
}

static void sample(struct finder *f, uint32_t n)
{
    struct tmpl_builder *b = f->b;
    uint32_t *used = skep_alloc_n(uint32_t, TMPL_SHAPES_MAX);
    for (uint32_t i = 0; i < n && f->n_rows < SAMPLE; i++) {
        if (b->shape_of[i] == 0)
            continue;
        uint32_t s = b->shape_of[i] - 1, k = used[s]++;
        const struct tmpl_shape *x = &b->shapes[s];
        if (f->open[s])
            f->rows[f->n_rows++] = (struct row){(uint16_t)s, x->cells + (size_t)k * x->n_cells};
    }
    skep_free(used);
}

/* --- what a group would save --- */

static uint64_t hash_of(const struct finder *f, const struct row *r, uint64_t mask)
{
    const struct tmpl_slot *slots = f->b->shapes[r->shape].slots;
    uint64_t h = 0;
    for (uint64_t left = mask; left; left &= left - 1) {
        const struct tmpl_slot *slot = &slots[f->slot_of[r->shape][SKEP_CTZ64(left)]];
        for (unsigned k = 0; k < slot->n_cells; k++)
            h = mixed(h, r->cells[slot->cell + k]);
    }
    return h;
}

static uint32_t bits_of(const struct finder *f, uint64_t mask)
{
    uint32_t bits = 0;
    for (; mask; mask &= mask - 1)
        bits += f->classes[SKEP_CTZ64(mask)].bits;
    return bits;
}

/* Bits saved of the sample by a group of these classes, with references of the best width. */
static int64_t saved(struct finder *f, uint64_t mask, uint8_t *ret_ref_bits)
{
    uint32_t near[TMPL_REF_BITS_MAX + 1] = {0}, rows = 0, n = 0, bits = bits_of(f, mask);
    uint32_t slots = 64; /* twice the rows */
    while (slots < 2 * f->n_rows)
        slots *= 2;
    skep_assert(slots <= TABLE);
    memset(f->table, 0, slots * sizeof f->table[0]);
    for (uint32_t i = 0; i < f->n_rows; i++) {
        if ((f->open[f->rows[i].shape] & mask) != mask)
            continue;
        uint64_t h = hash_of(f, &f->rows[i], mask);
        uint32_t at = (uint32_t)h & (slots - 1);
        while (f->table[at] && f->hashes[f->table[at] - 1] != h)
            at = (at + 1) & (slots - 1);
        rows++;
        if (f->table[at]) {
            near[skep_bits_width(n - (f->table[at] - 1u))]++;
        } else {
            f->hashes[n] = h;
            f->table[at] = (uint16_t)++n;
        }
    }
    int64_t best = 0, again = 0;
    *ret_ref_bits = 1;
    for (unsigned w = 1; w <= TMPL_REF_BITS_MAX; w++) {
        again += near[w];
        int64_t bits_saved = again * bits - (int64_t)rows * w;
        if (bits_saved > best) {
            best = bits_saved;
            *ret_ref_bits = (uint8_t)w;
        }
    }
    return best;
}

/* --- groups --- */

/* The classes that save most together; 0 when it is too little. */
static uint64_t best_group(struct finder *f, uint8_t *ret_ref_bits)
{
    unsigned anchor = 0;
    uint8_t ref_bits;
    for (unsigned c = 0; c < f->n_classes; c++) {
        f->classes[c].alone = saved(f, 1ull << c, &ref_bits);
        if (f->classes[c].alone > f->classes[anchor].alone)
            anchor = c;
    }
    int64_t have = f->classes[anchor].alone;
    uint64_t mask = 1ull << anchor, tried = mask;
    (void)saved(f, mask, ret_ref_bits);
    for (unsigned n = 1; n < TMPL_FIELDS_MAX;) {
        unsigned next = CLASSES_MAX;
        for (unsigned c = 0; c < f->n_classes; c++)
            if (!(tried >> c & 1) && f->classes[c].alone > 0 &&
                (next == CLASSES_MAX || f->classes[c].alone > f->classes[next].alone))
                next = c;
        if (next == CLASSES_MAX)
            break;
        tried |= 1ull << next;
        int64_t with = saved(f, mask | 1ull << next, &ref_bits);
        if (with <= have + f->classes[next].alone)
            continue;
        have = with;
        mask |= 1ull << next;
        *ret_ref_bits = ref_bits;
        n++;
    }
    return have >= LEAST_SAVED * 8 ? mask : 0;
}

/* The shapes that have all of the classes use the group from now on. */
static void make_group(struct finder *f, uint64_t mask, uint8_t ref_bits)
{
    struct tmpl_builder *b = f->b;
    unsigned g = b->n_groups++;
    struct tmpl_group *to = &b->groups[g];
    *to = (struct tmpl_group){.ref_bits = ref_bits};
    for (uint64_t left = mask; left; left &= left - 1)
        to->fields[to->n_fields++] =
            (struct tmpl_field){f->classes[SKEP_CTZ64(left)].digits, 0, UINT64_MAX, 0};
    for (unsigned s = 0; s < b->n_shapes; s++) {
        if ((f->open[s] & mask) != mask)
            continue;
        struct tmpl_shape *x = &b->shapes[s];
        unsigned k = 0;
        for (uint64_t left = mask; left; left &= left - 1, k++) {
            struct tmpl_slot *slot = &x->slots[f->slot_of[s][SKEP_CTZ64(left)]];
            slot->group = (uint8_t)(g + 1);
            slot->field = (uint8_t)k;
            if (to->fields[k].digits == 0) {
                to->fields[k].min = SKEP_MIN(to->fields[k].min, slot->min);
                to->fields[k].max = SKEP_MAX(to->fields[k].max, slot->max);
            }
        }
        f->open[s] &= ~mask;
        x->groups |= (uint8_t)(1u << g);
    }
    for (unsigned k = 0; k < to->n_fields; k++) {
        struct tmpl_field *field = &to->fields[k];
        if (field->digits == 0)
            field->width = (uint8_t)skep_bits_width(field->max - field->min);
        to->bits += field->digits ? field->digits * 4 : field->width;
        to->n_cells += field->digits ? (field->digits + 15) / 16 : 1;
    }
}

/* --- entries --- */

struct entries {
    uint64_t *hashes; /* [cap] */
    uint32_t *slots;  /* [n_slots] the newest entry + 1 */
    uint32_t n_slots;
};

/* The string's values of a group, in the order of its fields. */
static uint64_t gather(const struct tmpl_group *g, const struct tmpl_shape *x, unsigned number,
                       const uint64_t *cells, uint64_t *to)
{
    uint64_t *at[TMPL_FIELDS_MAX], h = 0;
    uint32_t n = 0;
    for (unsigned k = 0; k < g->n_fields; k++) {
        at[k] = to + n;
        n += g->fields[k].digits ? (g->fields[k].digits + 15) / 16 : 1;
    }
    for (uint32_t i = 0; i < x->n_varying; i++) {
        const struct tmpl_slot *slot = &x->slots[x->varying[i]];
        if (slot->group == number + 1)
            memcpy(at[slot->field], cells + slot->cell, slot->n_cells * sizeof *cells);
    }
    for (uint32_t i = 0; i < n; i++)
        h = mixed(h, to[i]);
    return h;
}

/* The reference for these values; a new entry when they are not near. */
static uint16_t reference(struct tmpl_group *g, struct entries *e, const uint64_t *cells,
                          uint64_t h)
{
    uint32_t at = (uint32_t)(h % e->n_slots);
    size_t bytes = g->n_cells * sizeof *cells;
    for (; e->slots[at]; at = (at + 1) % e->n_slots) {
        uint32_t k = e->slots[at] - 1;
        if (e->hashes[k] != h || memcmp(g->cells + (size_t)k * g->n_cells, cells, bytes) != 0)
            continue;
        if (g->n_entries - k < 1u << g->ref_bits)
            return (uint16_t)(g->n_entries - k);
        break; /* too far: the newer one takes its place */
    }
    memcpy(g->cells + (size_t)g->n_entries * g->n_cells, cells, bytes);
    e->hashes[g->n_entries] = h;
    e->slots[at] = ++g->n_entries;
    return 0;
}

static void make_entries(struct tmpl_builder *b, uint32_t n)
{
    struct entries e[TMPL_GROUPS_MAX];
    uint32_t *used = skep_alloc_n(uint32_t, TMPL_SHAPES_MAX),
             steps = (n + TMPL_STEP - 1) / TMPL_STEP;
    uint64_t cells[TMPL_FIELDS_MAX * DIGITS_MOST / 16];
    for (unsigned g = 0; g < b->n_groups; g++) {
        uint32_t most = 0; /* strings */
        for (unsigned s = 0; s < b->n_shapes; s++)
            most += b->shapes[s].groups >> g & 1 ? b->shapes[s].n_values : 0;
        e[g].n_slots = 2 * most + 1;
        e[g].slots = skep_alloc_n(uint32_t, e[g].n_slots);
        e[g].hashes = skep_malloc((most + 1) * sizeof *e[g].hashes);
        b->groups[g].cells = skep_malloc(((size_t)most + 1) * b->groups[g].n_cells * sizeof *cells);
        b->groups[g].before = skep_alloc_n(uint32_t, steps);
    }
    for (uint32_t i = 0; i < n; i++) {
        for (unsigned g = 0; i % TMPL_STEP == 0 && g < b->n_groups; g++)
            b->groups[g].before[i / TMPL_STEP] = b->groups[g].n_entries;
        if (b->shape_of[i] == 0)
            continue;
        const struct tmpl_shape *x = &b->shapes[b->shape_of[i] - 1];
        uint32_t k = used[b->shape_of[i] - 1]++;
        for (unsigned g = 0; x->groups >> g; g++) {
            if (!(x->groups >> g & 1))
                continue;
            uint64_t h = gather(&b->groups[g], x, g, x->cells + (size_t)k * x->n_cells, cells);
            SKEP_GROW(b->refs, b->n_refs, b->cap_refs);
            b->refs[b->n_refs++] = reference(&b->groups[g], &e[g], cells, h);
        }
    }
    for (unsigned g = 0; g < b->n_groups; g++) {
        skep_free(e[g].slots);
        skep_free(e[g].hashes);
    }
    skep_free(used);
}

void tmpl_find_groups(struct tmpl_builder *b, uint32_t n)
{
    if (n < FEW_ROWS)
        return;
    struct finder *f = skep_malloc(sizeof *f);
    memset(f, 0, offsetof(struct finder, classes));
    f->b = b;
    for (unsigned s = 0; s < b->n_shapes; s++)
        if (b->shapes[s].code)
            add_classes(f, s);
    sample(f, n);
    while (b->n_groups < TMPL_GROUPS_MAX && f->n_classes > 0) {
        uint8_t ref_bits;
        uint64_t mask = best_group(f, &ref_bits);
        if (mask == 0)
            break;
        make_group(f, mask, ref_bits);
    }
    skep_free(f);
    if (b->n_groups == 0)
        return;
    make_entries(b, n);
    for (unsigned s = 0; s < b->n_shapes; s++)
        if (b->shapes[s].code)
            b->shapes[s].bits = tmpl_record_bits(b, &b->shapes[s]);
}
