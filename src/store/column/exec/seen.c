// SPDX-License-Identifier: Apache-2.0
/* COUNT_DISTINCT of values by code: a value is added to a cell once a dictionary.
 *
 *   bits[cell][code]   was the code's value added to the cell?
 *
 * A set of hashes waits for memory at each value; a bit of a few KiB does not.
 *
 * I1  Bits belong to one dictionary and one partial, whose cells keep their numbers: with another
 * of either they are cleared. I2  States do not look at how often a value comes, so leaving
 * repetitions out changes nothing.
 *
 * Threads: a context belongs to one.  Memory: SEEN_WORDS a state at most, from the query's budget;
 * where that is not enough all rows are added. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

enum { SEEN_WORDS = 16384 }; /* 128 KiB: what stays in the processor's caches */

void skep_x__seen_done(struct skep_x_ctx *c)
{
    for (unsigned s = 0; c->seen && s < c->n_seen; s++) {
        skep_x__give(c->q, (uint64_t)c->seen[s].cap * sizeof *c->seen[s].bits);
        skep_free(c->seen[s].bits);
    }
    skep_free(c->seen);
    c->seen = NULL;
}

/* Bits of (cell, code) ready for the dictionary's codes and the cells there are; false: they are
 * too many, or memory is short. */
static bool ready_seen(struct skep_x_ctx *c, struct skep_x_seen *seen, const struct skep_x_vals *v)
{
    const struct skep_dict *dict = v->dict;
    uint32_t words = (dict->n + 63) / 64, n = c->partial->cells.n;
    uint64_t need = (uint64_t)words * n;
    if (need > SEEN_WORDS)
        return false;
    if (need > seen->cap) { /* room for more cells at once: begins anew */
        uint64_t cap = SKEP_MIN(need * 2, (uint64_t)SEEN_WORDS);
        if (skep_x__take(c->q, (cap - seen->cap) * sizeof *seen->bits) != SKEP_OK)
            return false;
        skep_free(seen->bits);
        seen->bits = skep_alloc_n(uint64_t, cap);
        seen->cap = (uint32_t)cap;
        seen->serial = 0;
    }
    if (seen->serial != dict->serial || seen->type != v->type || seen->words != words)
        memset(seen->bits, 0, seen->cap * sizeof *seen->bits);
    seen->serial = dict->serial;
    seen->type = v->type;
    seen->words = words;
    return true;
}

skep_rc skep_x__add_codes(struct skep_x_ctx *c, unsigned state, const struct skep_x_vals *v,
                          struct skep_sel sel, struct skep_agg_in *in, bool *ret_done,
                          skep_err *err)
{
    if (!ready_seen(c, &c->seen[state], v))
        return SKEP_OK;
    *ret_done = true;
    const struct skep_x_seen *seen = &c->seen[state];
    SKEP_UNINIT uint16_t fresh[SKEP_BLOCK_ROWS];
    unsigned n = 0;
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        uint32_t code = v->codes[r],
                 cell = in->cells->constant ? in->cells->value : in->cells->v[r];
        skep_dassert(code < v->dict->n && cell < c->partial->cells.n);
        uint64_t *word = &seen->bits[(uint64_t)cell * seen->words + code / 64];
        fresh[n] = (uint16_t)r;
        n += !(*word >> (code % 64) & 1);
        *word |= 1ull << (code % 64);
    }
    for (unsigned i = 0; i < n; i++)
        c->scratch->hashes[fresh[i]] =
            skep_agg_hash_text(v->type, v->dict->hashes[v->codes[fresh[i]]]);
    in->sel = (struct skep_sel){n, fresh};
    in->form = SKEP_AGG_HASH;
    in->constant = false;
    in->hashes = c->scratch->hashes;
    return n > 0 ? skep_x__add(c, state, in, err) : SKEP_OK;
}
