// SPDX-License-Identifier: Apache-2.0
/* AGGREGATE: rows of a block -> cells -> states.
 *
 *   selected rows -> key ids of each group column -> tuple ids \
 *                                     time bucket of each row  -> cells -> add() of each state
 *
 * Where a whole block has one key, one bucket or one value, that is computed once.  CONCURRENCY is
 * a second look at the block with another selection: spans that overlap the range, cut at the
 * buckets.
 *
 * I1  Nothing here depends on the order of rows, blocks, morsels or workers but the numbering of
 * ids, which the finished answer does not show.
 *
 * Threads: a context belongs to one thread; partials are merged by the caller's thread at the end.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

skep_rc skep_x__fail_memory(skep_rc rc, struct skep_x_ctx *c, skep_err *err)
{
    if (rc == SKEP_ELIMIT)
        return skep_fail(err, rc, "more than %u groups and time buckets",
                         (unsigned)c->q->plan->max_cells);
    return skep_fail(err, rc,
                     "the query needs more memory than it may use (%u groups and buckets so far): "
                     "group by less, take a coarser granularity or a shorter time range",
                     (unsigned)c->partial->cells.n);
}

skep_rc skep_x__prepare(struct skep_x_ctx *c, skep_err *err)
{
    if (c->partial)
        return SKEP_OK;
    const struct skep_plan *plan = c->q->plan;
    skep_rc rc = skep_partial_new(plan, c->q->opts->budget, &c->partial);
    if (rc != SKEP_OK)
        return skep_fail(err, rc, "the query needs more memory than it may use");
    skep_partial_restrict(c->partial, skep_x__shards_open(c->q));
    c->groups = skep_alloc_n(struct skep_x_group, plan->n_groups + 1);
    for (unsigned g = 0; g < plan->n_groups; g++) {
        const struct skep_x_group_of *of = c->q->group_of ? &c->q->group_of[g] : NULL;
        c->groups[g].name = of ? of->name : skep_x__name(c->q, plan->groups[g].name);
        c->groups[g].rel = skep_x__rel_field(c->q, &plan->groups[g]);
        c->groups[g].of = of && (of->on || of->n_cases > 0) ? of : NULL;
        c->groups[g].keys = &c->partial->keys[g];
    }
    c->scratch = skep_malloc(sizeof *c->scratch + (plan->n_groups + 1) * sizeof(struct skep_ids));
    c->n_seen = c->partial->n_states;
    c->seen = skep_alloc_n(struct skep_x_seen, c->n_seen + 1);
    return SKEP_OK;
}

void skep_x__aggregate_done(struct skep_x_ctx *c)
{
    skep_x__relate_forget(c);
    for (unsigned g = 0; c->groups && g < c->q->plan->n_groups; g++)
        skep_x__group_done(c, &c->groups[g]);
    skep_x__seen_done(c);
    skep_free(c->groups);
    skep_free(c->scratch);
    skep_x__tally_done(c);
    skep_x__memo_done(c, &c->cell_memo);
    skep_partial_free(c->partial);
    c->groups = NULL;
    c->scratch = NULL;
    c->partial = NULL;
}

/* The bucket of all rows of the block inside the range, if there is one. */
static bool block_bucket(const struct skep_x_ctx *c, uint64_t block, uint32_t *ret)
{
    const struct skep_partial *p = c->partial;
    uint64_t g = (uint64_t)p->plan->granularity_ns;
    *ret = 0;
    if (p->n_buckets == 1)
        return true;
    const struct skep_block_bounds *b = &c->rs->blocks[block];
    const struct skep_time_range *t = &p->plan->range;
    uint64_t lo = (uint64_t)SKEP_MAX(b->min_start_ns, t->start_ns) - (uint64_t)p->bucket0_ns;
    uint64_t hi = (uint64_t)SKEP_MIN(b->max_start_ns, t->end_ns - 1) - (uint64_t)p->bucket0_ns;
    *ret = (uint32_t)(lo / g);
    return lo / g == hi / g;
}

/* Bucket of each selected row; times are inside the range. */
static skep_rc row_buckets(struct skep_x_ctx *c, struct skep_sel sel, struct skep_ids *ret,
                           skep_err *err)
{
    const struct skep_partial *p = c->partial;
    int64_t g = p->plan->granularity_ns;
    ret->constant = block_bucket(c, c->block, &ret->value);
    if (ret->constant)
        return SKEP_OK;
    const int64_t *time = NULL;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, c->scratch->time, &time, err));
    double inverse = 1.0 / (double)g;
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        uint64_t d = (uint64_t)time[r] - (uint64_t)p->bucket0_ns;
        uint64_t q = (uint64_t)((double)d * inverse); /* right or off by one */
        if (q * (uint64_t)g > d)
            q--;
        else if (d - q * (uint64_t)g >= (uint64_t)g)
            q++;
        ret->v[r] = (uint32_t)q;
    }
    return SKEP_OK;
}

/* Weights of the rows: *ret_weights NULL when all are *ret_weight. */
skep_rc skep_x__row_weights(struct skep_x_ctx *c, struct skep_sel sel, const int64_t **ret_weights,
                            int64_t *ret_weight, skep_err *err)
{
    *ret_weights = NULL;
    *ret_weight = 1;
    if (c->q->plan->ignore_sample_rate)
        return SKEP_OK;
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__column(c, SKEP_COL_SAMPLE_RATE, &v, err));
    if (v->none || (v->constant && v->i64[0] <= 1))
        return SKEP_OK;
    if (v->form != SKEP_VEC_I64)
        return skep_fail(err, SKEP_ECORRUPT, "sample rates are no integers");
    if (v->constant) {
        *ret_weight = SKEP_MIN(v->i64[0], (int64_t)UINT32_MAX);
        c->partial->estimated = true;
        return SKEP_OK;
    }
    bool sampled = false;
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        c->scratch->weights[r] = SKEP_MIN(v->i64[r], (int64_t)UINT32_MAX);
        sampled = sampled || v->i64[r] > 1;
    }
    if (!sampled)
        return SKEP_OK;
    c->partial->estimated = true;
    *ret_weights = c->scratch->weights;
    return SKEP_OK;
}

/* Tuple ids of the rows in bits; rows whose group the plan leaves out are taken from bits. */
static skep_rc row_tuples(struct skep_x_ctx *c, struct skep_x_bits *bits, skep_err *err)
{
    struct skep_x_agg_scratch *s = c->scratch;
    const struct skep_plan *plan = c->q->plan;
    for (unsigned g = 0; g < plan->n_groups; g++)
        SKEP_TRY(skep_x__group_keys(c, g, bits, &s->keys[g], err));
    struct skep_sel sel = skep_x__rows(bits, c->n, s->rows);
    skep_rc rc = skep_partial_tuples(c->partial, sel, s->keys, &s->tuples);
    if (rc != SKEP_OK)
        return skep_x__fail_memory(rc, c, err);
    if (!c->partial->restricted)
        return SKEP_OK;
    if (s->tuples.constant) {
        if (s->tuples.value == SKEP_ID_NONE)
            memset(bits, 0, sizeof *bits);
        return SKEP_OK;
    }
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        if (s->tuples.v[r] == SKEP_ID_NONE)
            bits->w[r / 64] &= ~(1ull << (r % 64));
    }
    return SKEP_OK;
}

skep_rc skep_x__add(struct skep_x_ctx *c, unsigned state, const struct skep_agg_in *in,
                    skep_err *err)
{
    struct skep_partial *p = c->partial;
    skep_rc rc = p->states[state].ops->add(p->states[state].data, in, &p->mem);
    return rc == SKEP_OK ? SKEP_OK : skep_x__fail_memory(rc, c, err);
}

/* Numbers out of a list: of mixed types, row by row. */
static skep_rc add_listed_numbers(struct skep_x_ctx *c, unsigned state, const struct skep_x_vals *v,
                                  struct skep_sel sel, struct skep_agg_in *in, skep_err *err)
{
    struct skep_x_agg_scratch *s = c->scratch;
    for (int pass = 0; pass < 2; pass++) {
        SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
        unsigned n = 0;
        for (unsigned i = 0; i < sel.n; i++) {
            unsigned r = sel.rows ? sel.rows[i] : i;
            const skep_value *x = &v->list[v->i64[v->constant ? 0 : r]];
            if (x->type != (pass ? SKEP_TYPE_DOUBLE : SKEP_TYPE_INT))
                continue;
            if (pass)
                s->f64[r] = x->f;
            else
                s->i64[r] = x->i;
            rows[n++] = (uint16_t)r;
        }
        if (n == 0)
            continue;
        in->sel = (struct skep_sel){n, rows};
        in->form = pass ? SKEP_AGG_F64 : SKEP_AGG_I64;
        in->constant = false;
        in->i64 = s->i64;
        in->f64 = s->f64;
        SKEP_TRY(skep_x__add(c, state, in, err));
    }
    return SKEP_OK;
}

static skep_rc add_numbers(struct skep_x_ctx *c, unsigned state, const struct skep_x_vals *v,
                           struct skep_sel sel, struct skep_agg_in *in, skep_err *err)
{
    if (v->form == SKEP_X_CODES)
        return add_listed_numbers(c, state, v, sel, in, err);
    bool ints = v->form == SKEP_X_TIME || (v->form == SKEP_X_I64 && v->type == SKEP_TYPE_INT);
    if (!ints && v->form != SKEP_X_F64 && v->form != SKEP_X_NS)
        return SKEP_OK; /* texts and bools are no numbers */
    in->sel = sel;
    in->form = ints ? SKEP_AGG_I64 : v->form == SKEP_X_NS ? SKEP_AGG_NS : SKEP_AGG_F64;
    in->constant = v->constant;
    in->i64 = v->i64;
    in->f64 = v->f64;
    return skep_x__add(c, state, in, err);
}

static uint64_t hash_at(const struct skep_x_vals *v, unsigned at)
{
    char text[40];
    switch (v->form) {
    case SKEP_X_F64: return skep_agg_hash_double(v->f64[at]);
    case SKEP_X_DICT: return skep_agg_hash_text(v->type, v->dict->hashes[v->codes[at]]);
    case SKEP_X_I64:
        if (v->type == SKEP_TYPE_INT)
            return skep_agg_hash_int(v->i64[at]);
        break;
    case SKEP_X_NS:
    case SKEP_X_STR:
    case SKEP_X_ID16:
    case SKEP_X_ID8:
    case SKEP_X_TIME:
    case SKEP_X_CODES:
    default: break;
    }
    skep_value value = skep_x__value(v, at, text);
    return skep_agg_hash_value(&value);
}

static skep_rc add_hashes(struct skep_x_ctx *c, unsigned state, const struct skep_x_vals *v,
                          struct skep_sel sel, struct skep_agg_in *in, skep_err *err)
{
    bool done = false;
    if (v->form == SKEP_X_DICT && !v->constant)
        SKEP_TRY(skep_x__add_codes(c, state, v, sel, in, &done, err));
    if (done)
        return SKEP_OK;
    uint64_t *hashes = c->scratch->hashes;
    unsigned last = UINT32_MAX;
    for (unsigned i = 0; i < (v->constant ? 1 : sel.n); i++) {
        unsigned r = v->constant ? 0 : sel.rows ? sel.rows[i] : i;
        /* Neighbours of one trace share its id: do not write it out as text again. */
        bool same = v->form == SKEP_X_ID16 && last != UINT32_MAX &&
                    memcmp(&v->id16[last], &v->id16[r], sizeof v->id16[r]) == 0;
        hashes[r] = same ? hashes[last] : hash_at(v, r);
        last = r;
    }
    in->sel = sel;
    in->form = SKEP_AGG_HASH;
    in->constant = v->constant;
    in->hashes = hashes;
    return skep_x__add(c, state, in, err);
}

/* Walk the sources of the aggregate's field and add what each holds. */
static skep_rc add_field(struct skep_x_ctx *c, unsigned state, const struct skep_x_bits *bits,
                         struct skep_agg_in *in, skep_err *err)
{
    enum skep_agg_want want = c->partial->states[state].ops->want;
    if (in->agg->field.relation != SKEP_REL_SELF)
        return skep_x__related_add(c, state, bits, in, err);
    const struct skep_x_bound *b = skep_x__sources(c, skep_x__name(c->q, in->agg->field.name));
    struct skep_x_bits rest = *bits;
    for (unsigned i = 0; i < b->n && skep_x__any(&rest); i++) {
        struct skep_x_vals v;
        SKEP_TRY(skep_x__load(c, &b->sources[i], &rest, &v, err));
        if (!skep_x__any(&v.present))
            continue;
        struct skep_sel sel = skep_x__rows(&v.present, c->n, c->scratch->some_rows);
        if (want == SKEP_AGG_WANT_NUMBERS) {
            SKEP_TRY(add_numbers(c, state, &v, sel, in, err));
        } else if (want == SKEP_AGG_WANT_HASHES) {
            SKEP_TRY(add_hashes(c, state, &v, sel, in, err));
        } else {
            in->sel = sel;
            in->form = SKEP_AGG_ROWS;
            SKEP_TRY(skep_x__add(c, state, in, err));
        }
        skep_x__andnot(&rest, &v.present);
    }
    return SKEP_OK;
}

static skep_rc add_states(struct skep_x_ctx *c, const struct skep_x_bits *bits, struct skep_sel sel,
                          const int64_t *weights, int64_t weight, skep_err *err)
{
    struct skep_partial *p = c->partial;
    SKEP_UNINIT uint16_t filtered_rows[SKEP_BLOCK_ROWS];
    const struct skep_expr *last = NULL;
    struct skep_x_bits filtered = *bits;
    struct skep_sel filtered_sel = sel;
    for (unsigned s = 0; s < p->n_states; s++) {
        const struct skep_agg *agg = p->states[s].agg;
        if (p->states[s].ops->want == SKEP_AGG_WANT_SPANS)
            continue;
        if (agg->filter != last) {
            last = agg->filter;
            filtered = *bits;
            SKEP_TRY(skep_x__filter(c, c->q->agg_filters[s], &filtered, err));
            filtered_sel = skep_x__rows(&filtered, c->n, filtered_rows);
        }
        if (filtered_sel.n == 0)
            continue;
        struct skep_agg_in in = {.agg = agg,
                                 .sel = filtered_sel,
                                 .cells = &c->scratch->cells,
                                 .weights = weights,
                                 .weight = weight};
        if (agg->field.name.n > 0)
            SKEP_TRY(add_field(c, s, &filtered, &in, err));
        else
            SKEP_TRY(skep_x__add(c, s, &in, err));
    }
    return SKEP_OK;
}

static SKEP_NOINLINE skep_rc new_cell(struct skep_x_ctx *c, const skep_value *v, uint64_t hash,
                                      uint32_t *ret, skep_err *err)
{
    uint32_t key = 0, cell = 0;
    SKEP_TRY(skep_x__key(c, 0, v, hash, &key, err));
    skep_rc rc = skep_partial_cell(c->partial, key, c->cell_bucket, &cell);
    if (rc != SKEP_OK)
        return skep_x__fail_memory(rc, c, err);
    *ret = cell + 1;
    return SKEP_OK;
}

static skep_rc new_code_cell(struct skep_x_ctx *c, const struct skep_x_vals *v, unsigned row,
                             uint32_t *ret, skep_err *err)
{
    char none[1];
    skep_value value = skep_x__value(v, row, none); /* of texts and lists: no room needed */
    uint64_t hash = v->form == SKEP_X_DICT
                        ? skep_agg_hash_text(v->type, v->dict->hashes[v->codes[row]])
                        : skep_agg_hash_value(&value);
    return new_cell(c, &value, hash, ret, err);
}

/* out[r] = known[codes[r]] - 1; true when some code is not known (0). */
SKEP_CLONES SKEP_WRAPS static bool known_cells(const uint32_t *restrict known,
                                               const uint32_t *restrict codes, unsigned n,
                                               uint32_t *restrict out)
{
    uint32_t none = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t cell = known[codes[i]] - 1;
        none |= cell == UINT32_MAX;
        out[i] = cell;
    }
    return none;
}

/* The same of list numbers; one without a meaning, at a row without a value, stands for any. */
SKEP_CLONES SKEP_WRAPS static bool known_cells64(const uint32_t *restrict known, uint32_t n_known,
                                                 const int64_t *restrict codes, unsigned n,
                                                 uint32_t *restrict out)
{
    uint32_t none = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t cell = known[(uint64_t)codes[i] < n_known ? codes[i] : 0] - 1;
        none |= cell == UINT32_MAX;
        out[i] = cell;
    }
    return none;
}

static bool look_up(const struct skep_x_memo *m, const struct skep_x_vals *v, unsigned n,
                    uint32_t *out)
{
    return v->form == SKEP_X_DICT ? known_cells(m->v, v->codes, n, out)
                                  : known_cells64(m->v, m->n, v->i64, n, out);
}

/* One by one, where a code is new or few rows are asked for; rows alone make groups. */
static skep_rc each_cell(struct skep_x_ctx *c, const struct skep_x_vals *v, uint32_t *out,
                         skep_err *err)
{
    struct skep_x_memo *m = &c->cell_memo;
    for (unsigned w = 0; w < SKEP_X_WORDS; w++)
        for (uint64_t left = v->present.w[w]; left; left &= left - 1) {
            unsigned r = w * 64 + SKEP_CTZ64(left);
            uint64_t code = v->form == SKEP_X_DICT ? v->codes[r] : (uint64_t)v->i64[r];
            skep_dassert(code < m->n);
            if (m->v[code] == 0)
                SKEP_TRY(new_code_cell(c, v, r, &m->v[code], err));
            out[r] = m->v[code] - 1;
        }
    return SKEP_OK;
}

/* Rows without a bit get the cell. */
SKEP_CLONES SKEP_WRAPS static void fill_absent(const uint64_t *present, unsigned n, uint32_t cell,
                                               uint32_t *out)
{
    for (unsigned r = 0; r < n; r += 32) {
        uint32_t has = (uint32_t)(present[r / 64] >> (r % 64));
        uint32_t *o = out + r;
        for (unsigned i = 0; i < 32; i++) { /* without a branch */
            uint32_t keep = 0 - (has >> i & 1);
            o[i] = (o[i] & keep) | (cell & ~keep);
        }
    }
}

/* Cells straight from codes, of all rows of the block: one group column with one source in this
 * rowset, and one bucket.  Rows without a value have a code, too, which does not matter. */
static skep_rc code_cells(struct skep_x_ctx *c, const struct skep_x_bits *bits, uint32_t bucket,
                          bool *ret_done, skep_err *err)
{
    const struct skep_x_bound *b = skep_x__sources(c, c->groups[0].name);
    struct skep_x_vals v;
    bool computed = b->n > 0 && b->sources[0].kind == SKEP_X_COMPUTED;
    if (b->n != 1 && !computed)
        return SKEP_OK;
    SKEP_TRY(skep_x__load(c, &b->sources[0], bits, &v, err));
    if (computed && !skep_x__computed_coded(c, c->groups[0].name, bits))
        return SKEP_OK;
    bool dict = v.form == SKEP_X_DICT;
    if (v.constant || !skep_x__any(&v.present) || (!dict && v.form != SKEP_X_CODES))
        return SKEP_OK;
    struct skep_x_memo *m = &c->cell_memo;
    if (bucket != c->cell_bucket)
        m->serial = 0;
    c->cell_bucket = bucket;
    skep_rc rc = skep_x__memo(c, m, skep_x__serial(c, &v), dict ? v.dict->n : v.n_list);
    if (rc != SKEP_OK)
        return skep_x__fail_memory(rc, c, err);
    struct skep_ids *cells = &c->scratch->cells;
    cells->constant = false;
    bool few = skep_x__count(bits) < c->n / 8;
    if (few || look_up(m, &v, c->n, cells->v))
        SKEP_TRY(each_cell(c, &v, cells->v, err));
    *ret_done = true;
    if (skep_x__same(&v.present, bits))
        return SKEP_OK;
    uint32_t absent = 0;
    SKEP_TRY(new_cell(c, &(skep_value){.type = SKEP_TYPE_NULL}, 0, &absent, err));
    fill_absent(v.present.w, c->n, absent - 1, cells->v);
    return SKEP_OK;
}

/* Cells of the rows in bits, in scratch->cells; rows of groups that the plan leaves out are taken
 * from bits. */
static skep_rc row_cells(struct skep_x_ctx *c, struct skep_x_bits *bits, skep_err *err)
{
    struct skep_x_agg_scratch *s = c->scratch;
    const struct skep_plan *plan = c->q->plan;
    uint32_t bucket = 0;
    bool done = false;
    if (plan->n_groups == 1 && !c->partial->restricted && c->groups[0].rel == SKEP_X_NO_REL &&
        !c->groups[0].of && block_bucket(c, c->block, &bucket))
        SKEP_TRY(code_cells(c, bits, bucket, &done, err));
    if (done)
        return SKEP_OK;
    SKEP_TRY(row_tuples(c, bits, err));
    struct skep_sel sel = skep_x__rows(bits, c->n, s->rows);
    if (sel.n == 0)
        return SKEP_OK;
    SKEP_TRY(row_buckets(c, sel, &s->buckets, err));
    skep_rc rc = skep_partial_cells(c->partial, sel, &s->tuples, &s->buckets, &s->cells);
    return rc == SKEP_OK ? SKEP_OK : skep_x__fail_memory(rc, c, err);
}

/* Rows whose cells stand in scratch->cells. */
static skep_rc add_rows(struct skep_x_ctx *c, const struct skep_x_bits *bits, skep_err *err)
{
    const int64_t *weights = NULL;
    int64_t weight = 1;
    struct skep_sel sel = skep_x__rows(bits, c->n, c->scratch->rows);
    if (sel.n == 0)
        return SKEP_OK;
    SKEP_TRY(skep_x__row_weights(c, sel, &weights, &weight, err));
    return add_states(c, bits, sel, weights, weight, err);
}

static skep_rc block_rows(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_bits bits;
    SKEP_TRY(skep_x__select(c, &bits, err));
    if (c->only != SKEP_X_ALL_ROWS)
        skep_x__only(c, &bits);
    if (!skep_x__any(&bits))
        return SKEP_OK;
    SKEP_TRY(row_cells(c, &bits, err));
    return add_rows(c, &bits, err);
}

static skep_rc flush_pieces(struct skep_x_ctx *c, struct skep_x_pieces *p, skep_err *err)
{
    struct skep_agg_in in = {.agg = c->partial->states[p->state].agg,
                             .sel = {p->n, NULL},
                             .cells = &p->cells,
                             .weights = p->weights,
                             .weight = 1,
                             .form = SKEP_AGG_I64,
                             .i64 = p->ns};
    p->n = 0;
    return skep_x__add(c, p->state, &in, err);
}

/* Cut one span at the buckets. */
static skep_rc add_span(struct skep_x_ctx *c, struct skep_x_pieces *p, uint32_t tuple,
                        struct skep_time_range span, int64_t weight, skep_err *err)
{
    const struct skep_partial *part = c->partial;
    const struct skep_time_range *range = &part->plan->range;
    int64_t start = SKEP_MAX(span.start_ns, range->start_ns);
    int64_t end = SKEP_MIN(span.end_ns, range->end_ns);
    uint64_t g = (uint64_t)part->plan->granularity_ns;
    while (start < end) {
        uint32_t b = 0;
        int64_t until = end;
        if (g > 0) {
            uint64_t at = ((uint64_t)start - (uint64_t)part->bucket0_ns) / g;
            skep_i128 next = (skep_i128)part->bucket0_ns + ((skep_i128)at + 1) * (skep_i128)g;
            b = (uint32_t)at;
            until = next < end ? (int64_t)next : end;
        }
        uint32_t cell = 0;
        skep_rc rc = skep_partial_cell(c->partial, tuple, b, &cell);
        if (rc != SKEP_OK)
            return skep_x__fail_memory(rc, c, err);
        p->cells.v[p->n] = cell;
        p->ns[p->n] = until - start;
        p->weights[p->n++] = weight;
        if (p->n == SKEP_BLOCK_ROWS)
            SKEP_TRY(flush_pieces(c, p, err));
        start = until;
    }
    return SKEP_OK;
}

/* Live rows with a duration that overlap the range and pass the filter. */
static skep_rc overlapping(struct skep_x_ctx *c, struct skep_x_bits *ret, skep_err *err)
{
    struct skep_x_agg_scratch *s = c->scratch;
    const struct skep_time_range *range = &c->q->plan->range;
    const int64_t *time = NULL, *duration = NULL;
    skep_x__live(c, ret);
    SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, s->time, &time, err));
    SKEP_TRY(skep_x__ints(c, SKEP_COL_DURATION, s->duration, &duration, err));
    uint8_t pass[SKEP_BLOCK_ROWS];
    memset(pass, 0, sizeof pass);
    for (unsigned r = 0; r < c->n; r++)
        pass[r] = duration[r] > 0 && time[r] < range->end_ns &&
                  (time[r] >= range->start_ns ||
                   (uint64_t)range->start_ns - (uint64_t)time[r] < (uint64_t)duration[r]);
    struct skep_x_bits in;
    skep_x__pack(pass, &in);
    skep_x__and(ret, &in);
    return skep_x__filter_block(c, ret, err);
}

static skep_rc span_state(struct skep_x_ctx *c, unsigned state, struct skep_x_bits bits,
                          const int64_t *weights, int64_t weight, skep_err *err)
{
    struct skep_x_agg_scratch *s = c->scratch;
    SKEP_TRY(skep_x__filter(c, c->q->agg_filters[state], &bits, err));
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(&bits, c->n, rows);
    const int64_t *time = NULL, *duration = NULL;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, s->time, &time, err));
    SKEP_TRY(skep_x__ints(c, SKEP_COL_DURATION, s->duration, &duration, err));
    struct skep_x_pieces *p = &s->pieces;
    p->state = state;
    p->n = 0;
    p->cells.constant = false;
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        struct skep_time_range span = {time[r], 0};
        if (SKEP_ADD_OVERFLOW(time[r], duration[r], &span.end_ns))
            span.end_ns = INT64_MAX;
        uint32_t tuple = s->tuples.constant ? s->tuples.value : s->tuples.v[r];
        SKEP_TRY(add_span(c, p, tuple, span, weights ? weights[r] : weight, err));
    }
    return p->n > 0 ? flush_pieces(c, p, err) : SKEP_OK;
}

static skep_rc block_spans(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_bits bits;
    SKEP_TRY(overlapping(c, &bits, err));
    if (!skep_x__any(&bits))
        return SKEP_OK;
    SKEP_TRY(row_tuples(c, &bits, err));
    struct skep_sel sel = skep_x__rows(&bits, c->n, c->scratch->rows);
    if (sel.n == 0)
        return SKEP_OK;
    const int64_t *weights = NULL;
    int64_t weight = 1;
    SKEP_TRY(skep_x__row_weights(c, sel, &weights, &weight, err));
    for (unsigned s = 0; s < c->partial->n_states; s++)
        if (c->partial->states[s].ops->want == SKEP_AGG_WANT_SPANS)
            SKEP_TRY(span_state(c, s, bits, weights, weight, err));
    return SKEP_OK;
}

/* How many blocks from `block` on lie inside the range, in one bucket, with all rows alive. */
static uint64_t stretch(const struct skep_x_ctx *c, uint64_t block, uint64_t end,
                        uint32_t *ret_bucket)
{
    const struct skep_time_range *t = &c->q->plan->range;
    uint64_t b = block;
    if (c->live && c->live->chunks[block * SKEP_BLOCK_ROWS / SKEP_ROW_GROUP_ROWS])
        return 0;
    for (; b < end; b++) {
        const struct skep_block_bounds *bb = &c->rs->blocks[b];
        uint32_t bucket = 0;
        if (bb->min_start_ns < t->start_ns || bb->max_start_ns >= t->end_ns ||
            !block_bucket(c, b, &bucket) || (b > block && bucket != *ret_bucket))
            break;
        *ret_bucket = bucket;
    }
    return b - block;
}

static skep_rc one_block(struct skep_x_ctx *c, uint64_t b, skep_err *err)
{
    const struct skep_time_range *t = &c->q->plan->range;
    const struct skep_block_bounds *bb = &c->rs->blocks[b];
    bool starts = bb->max_start_ns >= t->start_ns && bb->min_start_ns < t->end_ns;
    bool spans = c->q->need_overlap && bb->max_end_ns > t->start_ns && bb->min_start_ns < t->end_ns;
    if (!starts && !spans)
        return SKEP_OK;
    SKEP_TRY(skep_x__tick(c, err));
    skep_x__block(c, b);
    c->rows_examined += c->only == SKEP_X_CUT_ROWS ? 0 : c->n; /* were with the others */
    if (starts)
        SKEP_TRY(block_rows(c, err));
    return spans ? block_spans(c, err) : SKEP_OK;
}

static skep_rc blocks(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    for (uint64_t b = m->block; b < m->end;) {
        uint32_t bucket = 0;
        bool counted = false;
        SKEP_TRY(skep_x__prepare(c, err)); /* at first, or when it grew too large */
        SKEP_TRY(skep_x__relate_values(c, err));
        uint64_t n = stretch(c, b, m->end, &bucket);
        if (n > 0)
            SKEP_TRY(skep_x__tally(c, b, b + n, bucket, &counted, err));
        if (!counted)
            n = 1;
        for (uint64_t k = b; counted && k < b + n; k++)
            c->rows_examined += skep_rowset_block_rows(c->rs, k);
        if (!counted) {
            SKEP_TRY(one_block(c, b, err));
            SKEP_TRY(skep_x__keep_spill(c, err));
        }
        b += n;
    }
    SKEP_TRY(skep_x__tally_settle(c, err));
    return skep_x__keep_spill(c, err);
}

static skep_rc morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    c->only = m->only;
    skep_x__keep_enter(c, m);
    skep_rc rc = blocks(c, m, err);
    skep_x__tally_leave(c);
    return rc;
}

/* Compile what the partial's states will ask for; the states of every partial are the same. */
static skep_rc compile_states(struct skep_x_query *q, skep_err *err)
{
    struct skep_partial *p = NULL;
    skep_rc rc = skep_partial_new(q->plan, NULL, &p);
    if (rc != SKEP_OK)
        return skep_fail(err, rc, "out of memory");
    q->agg_filters = skep_new_n(&q->arena, struct skep_x_expr *, p->n_states + 1);
    for (unsigned s = 0; s < p->n_states; s++) {
        const struct skep_agg *a = p->states[s].agg;
        if (a->filter)
            q->agg_filters[s] = skep_x__compile(q, a->filter);
        if (a->field.name.n > 0)
            skep_x__name(q, a->field.name);
        (void)skep_x__rel_field(q, &a->field); /* the number is asked for again */
        q->need_overlap = q->need_overlap || p->states[s].ops->want == SKEP_AGG_WANT_SPANS;
    }
    skep_x__compile_groups(q);
    skep_partial_free(p);
    return SKEP_OK;
}

static skep_rc fail_merge(skep_rc rc, struct skep_x_query *q, skep_err *err)
{
    if (rc == SKEP_ELIMIT)
        return skep_fail(err, rc, "more than %u groups and time buckets",
                         (unsigned)q->plan->max_cells);
    return skep_fail(err, rc,
                     "the query needs more memory than it may use: group by less, take a coarser "
                     "granularity or a shorter time range");
}

skep_rc skep_x__aggregate(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    for (unsigned i = 0; i < q->plan->n_aggs; i++) {
        const struct skep_agg *a = &q->plan->aggs[i];
        if (a->op == SKEP_AGG_HEATMAP && a->heat_scale == SKEP_HEAT_LINEAR &&
            !(a->heat_max > a->heat_min))
            return skep_fail(err, SKEP_EINVAL, "a linear heatmap without its range");
    }
    SKEP_TRY(compile_states(q, err));
    skep_x__known_plan(q);
    skep_x__keep_begin(q);
    skep_x__shards_new(q);
    skep_rc rc = skep_x__plan_morsels(q, err);
    if (rc == SKEP_OK)
        rc = skep_x__keep_planned(q, err);
    uint64_t rows = q->rows_total;
    for (bool again = true; rc == SKEP_OK && again;) {
        rc = skep_x__run(q, morsel, err);
        if (rc == SKEP_OK) {
            rc = skep_x__keep_finish(q, ret, &again, err);
            if (rc != SKEP_OK)
                rc = fail_merge(rc, q, err);
            q->rows_total += again ? rows : 0;
        }
    }
    skep_x__keep_done(q);
    skep_x__shards_done(q);
    return rc;
}
