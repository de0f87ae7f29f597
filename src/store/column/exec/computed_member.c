// SPDX-License-Identifier: Apache-2.0
/* Computed fields that look at one member of documents in a column of texts: where the column can
 * tell the member without its text (skep_colreader_ops.members), the text is not read.  What is
 * around the member, a comparison or so, is evaluated on it.
 *
 * Threads: a context belongs to one.  Memory: charged to the query. */
#include "base/assert.h"
#include "base/hash.h"
#include "calc/calc.h"
#include "store/column/codec/codec.h"
#include "store/column/exec/computed.h"

struct skep_x_member {
    struct skep_codec_path path;
    const struct skep_calc *around; /* its column is the member */
};

const struct skep_x_member *skep_x__compile_member(struct skep_arena *a,
                                                   const struct skep_computed *k)
{
    struct skep_calc_member_of of;
    if (k->n_inputs != 1 || k->inputs[0].what != SKEP_COMPUTED_FIELD ||
        !skep_calc_look_inside(k->calc, a, &of))
        return NULL;
    struct skep_x_member *m = skep_new(a, struct skep_x_member);
    *m = (struct skep_x_member){.path = {.keys = of.keys, .n = of.n_keys, .hash = of.n_keys},
                                .around = of.around};
    for (unsigned i = 0; i < of.n_keys; i++)
        m->path.hash = skep_hash_u64(m->path.hash * 31 + skep_hash(skep_str_bytes(of.keys[i])));
    return m;
}

/* The reader of the one column the texts are in, if it can. */
static struct skep_colreader *reader_of(struct skep_x_ctx *c, uint32_t input, skep_err *err)
{
    const struct skep_x_bound *b = skep_x__sources(c, input);
    if (b->n != 1 || b->sources[0].kind != SKEP_X_FIELD || b->sources[0].type != SKEP_TYPE_STRING)
        return NULL;
    struct skep_colreader *r = skep_x__field_reader(c, b->sources[0].field, err);
    return r && r->ops->members ? r : NULL;
}

skep_rc skep_x__compute_members(struct skep_x_ctx *c, struct skep_x_computed *k,
                                const struct skep_x_name *name, struct skep_x_bits *in,
                                skep_err *err)
{
    SKEP_UNINIT uint8_t wanted[SKEP_BLOCK_ROWS], known[SKEP_BLOCK_ROWS];
    SKEP_UNINIT uint16_t at[SKEP_BLOCK_ROWS];
    skep_value *values = skep_arena_try_alloc(&k->texts, 3 * sizeof *values * c->n);
    struct skep_colreader *r = reader_of(c, name->inputs[0], err);
    unsigned n = 0;
    if (!values)
        return skep_x__computed_no_memory(err);
    for (unsigned i = 0; i < c->n; i++)
        wanted[i] = skep_x__has(in, i);
    if (!r || !r->ops->members(r, c->row0, c->n, &name->member->path, wanted, known, values))
        return SKEP_OK;
    skep_value *some = values + c->n, *out = some + c->n;
    for (unsigned i = 0; i < c->n; i++) {
        if (!wanted[i] || !known[i])
            continue;
        at[n] = (uint16_t)i;
        some[n++] = values[i];
    }
    SKEP_TRY(skep_x__evaluate(c, name->computed, name->member->around, 1, &some, n, &k->texts, out,
                              err));
    for (unsigned i = 0; i < n; i++) {
        if (skep_x__has_text(&out[i]))
            SKEP_TRY(skep_x__keep_text(&k->texts, &out[i], err));
        skep_x__put_value(k, at[i], &out[i]);
        k->done.w[at[i] / 64] |= 1ull << at[i] % 64;
    }
    skep_x__andnot(in, &k->done);
    return SKEP_OK;
}
