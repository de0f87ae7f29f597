// SPDX-License-Identifier: Apache-2.0
/* The table of codecs, and the choice of one by measured size.
 *
 * I1  ids and names are unique; every codec has the members its kind needs (checked at first use of
 *     the table by the conformance suite, and cheaply here).
 * Threads: any. */
#include "store/column/codec/codec.h"

#include "base/assert.h"
#include "base/mem.h"

static const struct skep_codec_ops *const all[] = {
    &skep_codec_constant, &skep_codec_raw64, &skep_codec_for,     &skep_codec_delta,
    &skep_codec_rle,      &skep_codec_idict, &skep_codec_decimal, &skep_codec_classes,
    &skep_codec_dclasses, &skep_codec_str,   &skep_codec_fsst,    &skep_codec_tmpl18,
    &skep_codec_tmpl,
};

const struct skep_codec_ops *const *skep_codec_all(size_t *ret_n)
{
    skep_assert(ret_n);
    *ret_n = SKEP_ARRAY_LEN(all);
    return all;
}

const struct skep_codec_ops *skep_codec_find(uint8_t id)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        if (all[i]->id == id)
            return all[i];
    return NULL;
}

const struct skep_codec_ops *skep_codec_choose(const struct skep_codec_in *in, size_t *ret_score)
{
    skep_assert(in->n >= 1 && in->n <= SKEP_CODEC_MAX_VALUES);
    skep_assert((in->ints == NULL) != (in->strs == NULL));
    unsigned kind = in->ints ? SKEP_CODEC_INTS : SKEP_CODEC_STRINGS;
    const struct skep_codec_ops *best = NULL;
    size_t best_score = SIZE_MAX;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        if (all[i]->kind != kind)
            continue;
        size_t score = all[i]->score(in);
        if (score < best_score) {
            best_score = score;
            best = all[i];
        }
        if (best == &skep_codec_constant)
            break; /* nothing is smaller */
    }
    skep_assert(best);
    if (ret_score)
        *ret_score = best_score;
    return best;
}

uint8_t *skep_codec_scratch_take(struct skep_codec_scratch *s, size_t n)
{
    struct skep_codec__block *b = s->head;
    if (!b || b->cap - b->n < n) {
        size_t cap = SKEP_MAX(n, b ? b->cap * 2 : (size_t)16 << 10);
        struct skep_codec__block *fresh = skep_malloc(sizeof *fresh + cap);
        *fresh = (struct skep_codec__block){.older = b, .cap = cap};
        s->head = b = fresh;
    }
    uint8_t *p = b->bytes + b->n;
    b->n += n;
    return p;
}

static void free_blocks(struct skep_codec__block *b)
{
    while (b) {
        struct skep_codec__block *older = b->older;
        skep_free(b);
        b = older;
    }
}

void skep_codec_scratch_reset(struct skep_codec_scratch *s)
{
    if (!s->head)
        return;
    free_blocks(s->head->older);
    s->head->older = NULL;
    s->head->n = 0;
}

void skep_codec_scratch_forget(struct skep_codec_scratch *s)
{
    if (s->opened.close)
        s->opened.close(s->opened.state);
    s->opened = (struct skep_codec_opened){0};
}

void skep_codec_scratch_done(struct skep_codec_scratch *s)
{
    skep_codec_scratch_forget(s);
    free_blocks(s->head);
    *s = (struct skep_codec_scratch){0};
}
