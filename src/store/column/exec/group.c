// SPDX-License-Identifier: Apache-2.0
/* Group keys: a value of each selected row -> id in an interner, mostly the partial's.
 *
 *   a field           its value
 *   ... `on`          its value where the row passes, else absent
 *   cases             the number of the first expression that the row passes
 *
 * A dictionary code or list index is looked up once and remembered (skep_x_memo); numbers and ids
 * go through a small direct-mapped cache in front of the hash table.  Key ids of one partial never
 * change, so the cache needs no clearing.
 *
 * Threads: a context belongs to one thread. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

static skep_rc key_of(struct skep_x_ctx *c, struct skep_x_group *g, const skep_value *v,
                      uint64_t hash, uint32_t *ret, skep_err *err)
{
    skep_rc rc = skep_keys_get(g->keys, v, hash, ret);
    if (rc != SKEP_OK)
        return skep_fail(err, rc,
                         "the query needs more memory than it may use: group by " SKEP_STRFMT
                         " has too many values; group by less, or narrow the time range",
                         SKEP_STRARG(c->q->names[g->name].name));
    return SKEP_OK;
}

skep_rc skep_x__key(struct skep_x_ctx *c, unsigned group, const skep_value *v, uint64_t hash,
                    uint32_t *ret, skep_err *err)
{
    skep_rc rc = skep_keys_get(&c->partial->keys[group], v, hash, ret);
    if (rc != SKEP_OK)
        return skep_fail(err, rc,
                         "the query needs more memory than it may use: group by " SKEP_STRFMT
                         " has too many values; group by less, or narrow the time range",
                         SKEP_STRARG(skep_field_label(&c->q->plan->groups[group])));
    return SKEP_OK;
}

/* Where the key of a number, id or bool is remembered, and the bits to compare; NULL: nowhere. */
static struct skep_x_cache_entry *cache_slot(struct skep_x_group *g, const struct skep_x_vals *v,
                                             unsigned at, struct skep_x_cache_entry *ret)
{
    uint64_t bits = 0, high = 0;
    if (v->form == SKEP_X_STR || v->form == SKEP_X_TIME)
        return NULL;
    if (v->form == SKEP_X_F64) {
        memcpy(&bits, &v->f64[at], 8);
    } else if (v->form == SKEP_X_ID16) {
        memcpy(&high, v->id16[at].b, 8);
        memcpy(&bits, v->id16[at].b + 8, 8);
    } else {
        bits = (uint64_t)v->i64[at];
    }
    *ret = (struct skep_x_cache_entry){.bits = bits,
                                       .type = (uint32_t)v->form << 8 | (uint32_t)v->type};
    /* Small integers, the usual ones, stand side by side: fewer cache lines than when spread. */
    uint64_t slot = v->form == SKEP_X_I64 ? bits ^ bits >> 12 ^ bits >> 24 : skep_hash_u64(bits);
    return high ? NULL : &g->cache[slot % SKEP_X_CACHE];
}

enum { BATCH = 32 };

/* Rows whose keys have to be looked up, a few together: see skep_keys_prefetch(). */
struct lookups {
    unsigned n;
    uint16_t rows[BATCH];
    uint64_t hashes[BATCH];
    struct skep_x_cache_entry *slots[BATCH], fresh[BATCH];
};

static skep_rc look_up(struct skep_x_ctx *c, struct skep_x_group *g, const struct skep_x_vals *v,
                       struct lookups *l, struct skep_ids *ret, skep_err *err)
{
    char text[40];
    skep_keys_prefetch(g->keys, l->hashes, l->n);
    for (unsigned i = 0; i < l->n; i++) {
        skep_value value = skep_x__value(v, l->rows[i], text);
        uint32_t id = 0;
        SKEP_TRY(key_of(c, g, &value, l->hashes[i], &id, err));
        ret->v[l->rows[i]] = id;
        if (l->slots[i] && id != SKEP_ID_NONE) {
            l->fresh[i].id = id + 1;
            *l->slots[i] = l->fresh[i];
        }
    }
    l->n = 0;
    return SKEP_OK;
}

/* Keys of values without codes. */
static skep_rc value_keys(struct skep_x_ctx *c, struct skep_x_group *g, const struct skep_x_vals *v,
                          struct skep_sel sel, struct skep_ids *ret, skep_err *err)
{
    SKEP_UNINIT struct lookups l;
    char text[40];
    l.n = 0;
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        struct skep_x_cache_entry *e = cache_slot(g, v, v->constant ? 0 : r, &l.fresh[l.n]);
        if (e && e->id != 0 && e->bits == l.fresh[l.n].bits && e->type == l.fresh[l.n].type) {
            ret->v[r] = e->id - 1;
            continue;
        }
        skep_value value = skep_x__value(v, r, text);
        l.slots[l.n] = e;
        l.rows[l.n] = (uint16_t)r;
        l.hashes[l.n++] = skep_agg_hash_value(&value);
        if (l.n == BATCH)
            SKEP_TRY(look_up(c, g, v, &l, ret, err));
    }
    return look_up(c, g, v, &l, ret, err);
}

/* The key of one code that the memo does not know yet. */
static SKEP_NOINLINE skep_rc new_code(struct skep_x_ctx *c, struct skep_x_group *g,
                                      const struct skep_x_vals *v, struct skep_x_memo *m,
                                      unsigned row, skep_err *err)
{
    unsigned at = v->constant ? 0 : row;
    uint64_t code = v->form == SKEP_X_DICT ? v->codes[at] : (uint64_t)v->i64[at];
    skep_assert(code < m->n);
    char text[40];
    skep_value value = skep_x__value(v, row, text);
    uint64_t hash = v->form == SKEP_X_DICT ? skep_agg_hash_text(v->type, v->dict->hashes[code])
                                           : skep_agg_hash_value(&value);
    uint32_t id = 0;
    SKEP_TRY(key_of(c, g, &value, hash, &id, err));
    m->v[code] = id == SKEP_ID_NONE ? SKEP_ID_NONE : id + 1;
    return SKEP_OK;
}

/* Keys of codes; dict and dense are constants where it is inlined. */
SKEP_INLINE skep_rc code_keys(struct skep_x_ctx *c, struct skep_x_group *g,
                              const struct skep_x_vals *v, struct skep_x_memo *m,
                              struct skep_sel sel, struct skep_ids *ret, skep_err *err, bool dict,
                              bool dense)
{
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = dense ? i : sel.rows[i];
        uint64_t code = dict ? v->codes[r] : (uint64_t)v->i64[r];
        skep_dassert(code < m->n);
        if (SKEP_UNLIKELY(m->v[code] == 0))
            SKEP_TRY(new_code(c, g, v, m, r, err));
        uint32_t id = m->v[code];
        ret->v[r] = id == SKEP_ID_NONE ? id : id - 1;
    }
    return SKEP_OK;
}

static skep_rc coded_keys(struct skep_x_ctx *c, struct skep_x_group *g, const struct skep_x_vals *v,
                          struct skep_x_memo *m, struct skep_sel sel, struct skep_ids *ret,
                          skep_err *err)
{
    bool dict = v->form == SKEP_X_DICT;
    skep_rc rc = skep_x__memo(c, m, skep_x__serial(c, v), dict ? v->dict->n : v->n_list);
    if (rc != SKEP_OK)
        return skep_fail(err, rc, "the query needs more memory than it may use");
    if (v->constant) {
        uint64_t code = dict ? v->codes[0] : (uint64_t)v->i64[0];
        skep_assert(code < m->n);
        if (m->v[code] == 0)
            SKEP_TRY(new_code(c, g, v, m, 0, err));
        ret->value = m->v[code] == SKEP_ID_NONE ? SKEP_ID_NONE : m->v[code] - 1;
        for (unsigned i = 0; i < sel.n; i++)
            ret->v[sel.rows ? sel.rows[i] : i] = ret->value;
        return SKEP_OK;
    }
    if (dict)
        return sel.rows ? code_keys(c, g, v, m, sel, ret, err, true, false)
                        : code_keys(c, g, v, m, sel, ret, err, true, true);
    return sel.rows ? code_keys(c, g, v, m, sel, ret, err, false, false)
                    : code_keys(c, g, v, m, sel, ret, err, false, true);
}

static skep_rc source_keys(struct skep_x_ctx *c, struct skep_x_group *g,
                           const struct skep_x_vals *v, unsigned source, struct skep_sel sel,
                           struct skep_ids *ret, skep_err *err)
{
    if (v->form == SKEP_X_DICT || v->form == SKEP_X_CODES)
        return coded_keys(c, g, v, skep_x__nth_memo(&g->memos, &g->n_memos, source), sel, ret, err);
    if (!v->constant)
        return value_keys(c, g, v, sel, ret, err);
    unsigned first = sel.rows ? sel.rows[0] : 0;
    SKEP_TRY(value_keys(c, g, v, (struct skep_sel){1, sel.rows}, ret, err));
    ret->value = ret->v[first];
    for (unsigned i = 0; i < sel.n; i++)
        ret->v[sel.rows ? sel.rows[i] : i] = ret->value;
    return SKEP_OK;
}

skep_rc skep_x__group_keys(struct skep_x_ctx *c, unsigned group, const struct skep_x_bits *bits,
                           struct skep_ids *ret, skep_err *err)
{
    return c->groups[group].rel == SKEP_X_NO_REL ? skep_x__own_keys(c, group, bits, ret, err)
                                                 : skep_x__related_keys(c, group, bits, ret, err);
}

/* Keys of the field. */
static skep_rc field_keys(struct skep_x_ctx *c, struct skep_x_group *g,
                          const struct skep_x_bits *bits, struct skep_ids *ret, skep_err *err)
{
    const struct skep_x_bound *b = skep_x__sources(c, g->name);
    struct skep_x_bits rest = *bits;
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    ret->constant = false;
    for (unsigned i = 0; i < b->n && skep_x__any(&rest); i++) {
        struct skep_x_vals v;
        SKEP_TRY(skep_x__load(c, &b->sources[i], &rest, &v, err));
        if (!skep_x__any(&v.present))
            continue;
        bool all = skep_x__same(&v.present, bits);
        struct skep_sel sel = skep_x__rows(&v.present, c->n, rows);
        if (all && v.constant) { /* one key for the whole block */
            struct skep_sel one = {1, sel.rows};
            ret->constant = true;
            return source_keys(c, g, &v, i, one, ret, err);
        }
        SKEP_TRY(source_keys(c, g, &v, i, sel, ret, err));
        skep_x__andnot(&rest, &v.present);
    }
    if (skep_x__same(&rest, bits)) {
        ret->constant = true;
        ret->value = 0;
        return SKEP_OK;
    }
    struct skep_sel absent = skep_x__rows(&rest, c->n, rows);
    for (unsigned i = 0; i < absent.n; i++)
        ret->v[absent.rows ? absent.rows[i] : i] = 0;
    return SKEP_OK;
}

static void put_keys(struct skep_x_ctx *c, const struct skep_x_bits *bits, uint32_t id,
                     struct skep_ids *ret)
{
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(bits, c->n, rows);
    for (unsigned i = 0; i < sel.n; i++)
        ret->v[sel.rows ? sel.rows[i] : i] = id;
}

static skep_rc case_key(struct skep_x_ctx *c, struct skep_x_group *g, unsigned at, uint32_t *ret,
                        skep_err *err)
{
    if (g->case_ids[at] == 0) {
        const skep_value v = {.type = SKEP_TYPE_INT, .i = at};
        uint32_t id = 0;
        SKEP_TRY(key_of(c, g, &v, skep_agg_hash_value(&v), &id, err));
        g->case_ids[at] = id == SKEP_ID_NONE ? SKEP_ID_NONE : id + 1;
    }
    *ret = g->case_ids[at] == SKEP_ID_NONE ? SKEP_ID_NONE : g->case_ids[at] - 1;
    return SKEP_OK;
}

static skep_rc case_keys(struct skep_x_ctx *c, struct skep_x_group *g,
                         const struct skep_x_bits *bits, struct skep_ids *ret, skep_err *err)
{
    struct skep_x_bits rest = *bits;
    ret->constant = false;
    for (unsigned i = 0; i < g->of->n_cases && skep_x__any(&rest); i++) {
        struct skep_x_bits some = rest;
        uint32_t id = 0;
        SKEP_TRY(skep_x__filter(c, g->of->cases[i], &some, err));
        if (!skep_x__any(&some))
            continue;
        SKEP_TRY(case_key(c, g, i, &id, err));
        ret->constant = skep_x__same(&some, bits);
        ret->value = id;
        if (ret->constant)
            return SKEP_OK;
        put_keys(c, &some, id, ret);
        skep_x__andnot(&rest, &some);
    }
    ret->constant = skep_x__same(&rest, bits);
    ret->value = 0;
    if (!ret->constant)
        put_keys(c, &rest, 0, ret);
    return SKEP_OK;
}

static skep_rc keys_on(struct skep_x_ctx *c, struct skep_x_group *g, const struct skep_x_bits *bits,
                       struct skep_ids *ret, skep_err *err)
{
    struct skep_x_bits some = *bits, rest = *bits;
    SKEP_TRY(skep_x__filter(c, g->of->on, &some, err));
    ret->constant = true;
    ret->value = 0;
    if (!skep_x__any(&some))
        return SKEP_OK;
    SKEP_TRY(field_keys(c, g, &some, ret, err));
    if (skep_x__same(&some, bits) || (ret->constant && ret->value == 0))
        return SKEP_OK;
    if (ret->constant)
        put_keys(c, &some, ret->value, ret);
    ret->constant = false;
    skep_x__andnot(&rest, &some);
    put_keys(c, &rest, 0, ret);
    return SKEP_OK;
}

skep_rc skep_x__keys_of(struct skep_x_ctx *c, struct skep_x_group *g,
                        const struct skep_x_bits *bits, struct skep_ids *ret, skep_err *err)
{
    if (!g->of)
        return field_keys(c, g, bits, ret, err);
    return g->of->n_cases > 0 ? case_keys(c, g, bits, ret, err) : keys_on(c, g, bits, ret, err);
}

skep_rc skep_x__own_keys(struct skep_x_ctx *c, unsigned group, const struct skep_x_bits *bits,
                         struct skep_ids *ret, skep_err *err)
{
    return skep_x__keys_of(c, &c->groups[group], bits, ret, err);
}

void skep_x__group_done(struct skep_x_ctx *c, struct skep_x_group *g)
{
    for (unsigned i = 0; i < g->n_memos; i++)
        skep_x__memo_done(c, &g->memos[i]);
    skep_free(g->memos);
}

void skep_x__compile_groups(struct skep_x_query *q)
{
    q->group_of = skep_new_n(&q->arena, struct skep_x_group_of, q->plan->n_groups + 1);
    for (unsigned i = 0; i < q->plan->n_groups; i++) {
        const struct skep_field_ref *f = &q->plan->groups[i];
        struct skep_x_group_of *of = &q->group_of[i];
        of->name = skep_x__name(q, f->name);
        (void)skep_x__rel_field(q, f);
        if (f->n_cases > 0) { /* a name that no field has, and no other group */
            struct skep_buf name;
            skep_buf_init(&name, 64);
            skep_buf_printf(&name,
                            "\x01"
                            "cases %u",
                            i);
            of->name = skep_x__name(q, skep_arena_str(&q->arena, skep_buf_text(&name)));
            skep_buf_done(&name);
        }
        if (f->relation == SKEP_REL_SELF && f->on)
            of->on = skep_x__compile(q, f->on);
        of->n_cases = f->n_cases;
        of->cases = skep_new_n(&q->arena, struct skep_x_expr *, f->n_cases + 1);
        for (unsigned k = 0; k < f->n_cases; k++)
            of->cases[k] = skep_x__compile(q, f->cases[k]);
    }
}
