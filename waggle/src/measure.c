// SPDX-License-Identifier: Apache-2.0
/*
 * measure.c - a measurement on its way into its points
 *
 *   value, attributes -> for each stream: what a view keeps of them -> a point -> its stripe
 *
 * Attributes are taken as they stand where they can be. They are copied to the stack when a view
 * takes some away, when a key stands twice (the last counts), and when one is an array, a list or a
 * map: such a value is told from others by its encoding, which goes into the thread's scratch
 * block.
 *
 * Threads: any; observations on the reader's.
 */
#include "metrics_priv.h"

#include <stdlib.h>

static bool is_plain_attr(const waggle_kv *kv)
{
    return kv->key != NULL && kv->key_n > 0 && kv->value.type <= WAGGLE_BYTES;
}

static bool are_plain(waggle_attrs attributes)
{
    for (size_t i = 0; i < attributes.n; i++)
        if (!is_plain_attr(&attributes.p[i]))
            return false;
    return attributes.n <= WAGGLE__METRIC_ATTRS;
}

/* What stands of a measurement's attributes that cannot be taken as they are. */
struct kept {
    waggle_kv p[WAGGLE__METRIC_ATTRS];
    size_t n, scratch_n;
};

static void forget_key(struct kept *k, const waggle_kv *kv)
{
    for (size_t i = 0; i < k->n; i++) {
        if (k->p[i].key_n != kv->key_n || memcmp(k->p[i].key, kv->key, kv->key_n) != 0)
            continue;
        memmove(&k->p[i], &k->p[i + 1], (k->n - i - 1) * sizeof k->p[0]);
        k->n--;
        return;
    }
}

/* The value encoded into the scratch block; false if there is no room. */
static bool encode_value(struct waggle__thread *t, struct kept *k, waggle_kv *kv)
{
    size_t n = waggle__value_size(&kv->value, &waggle__no_value_limits, 0);
    if (t->scratch == NULL)
        t->scratch = malloc(WAGGLE__BLOCK_BYTES);
    if (t->scratch == NULL || n > WAGGLE__BLOCK_BYTES - k->scratch_n)
        return false;
    uint8_t *at = t->scratch + k->scratch_n;
    (void)waggle__value_write(at, &kv->value, &waggle__no_value_limits, 0); // n bytes
    k->scratch_n += n;
    kv->value = waggle_value_bytes(at, n);
    kv->value.type = WAGGLE__ENCODED;
    return true;
}

WAGGLE__COLD static void keep(const struct waggle__stream *s, struct waggle__thread *t,
                              waggle_attrs all, struct kept *k)
{
    k->n = k->scratch_n = 0;
    for (size_t i = 0; i < all.n; i++) {
        waggle_kv kv = all.p[i];
        if (kv.key == NULL || kv.key_n == 0 || !waggle__keeps(s, &kv))
            continue;
        forget_key(k, &kv);
        bool ok = k->n < WAGGLE__METRIC_ATTRS &&
                  (kv.value.type <= WAGGLE_BYTES || encode_value(t, k, &kv));
        if (ok)
            k->p[k->n++] = kv;
        else
            waggle__count(t, WAGGLE__VALUES, 1);
    }
}

static struct waggle__stripe *find_stripe(struct waggle__stream *s, struct waggle__thread *t,
                                          waggle_attrs attributes, bool plain,
                                          struct waggle__point **ret_point)
{
    bool twice = false;
    if (WAGGLE__LIKELY(plain && s->keys == NULL && s->n_excluded_keys == 0)) {
        uint64_t hash = waggle__attrs_hash(attributes.p, attributes.n, &twice);
        if (WAGGLE__LIKELY(!twice))
            return waggle__point_lock(s, t, attributes.p, attributes.n, hash, ret_point);
    }
    struct kept k;
    keep(s, t, attributes, &k);
    return waggle__point_lock(s, t, k.p, k.n, waggle__attrs_hash(k.p, k.n, &twice), ret_point);
}

/* As the instrument's values are; false for one that is not to be kept. */
static bool convert(const struct waggle_instrument *i, struct waggle__number *v)
{
    bool is_gauge = i->kind == WAGGLE_GAUGE || i->kind == WAGGLE_OBSERVABLE_GAUGE;
    if (v->is_double && !(v->as.f64 - v->as.f64 == 0) && (!is_gauge || !i->is_double))
        return false; // not a number, or infinite
    if (i->is_double && !v->is_double) {
        *v = (struct waggle__number){.as.f64 = (double)v->as.i64, .is_double = true};
    } else if (!i->is_double && v->is_double) {
        if (!(v->as.f64 > -9.2e18 && v->as.f64 < 9.2e18))
            return false;
        *v = (struct waggle__number){.as.i64 = (int64_t)v->as.f64, .is_double = false};
    }
    bool negative = v->is_double ? v->as.f64 < 0 : v->as.i64 < 0;
    return i->kind != WAGGLE_COUNTER || !negative;
}

void waggle__measure_op(struct waggle_instrument *instrument, struct waggle__number value,
                        waggle_attrs attributes)
{
    struct waggle__thread *t = waggle__thread();
    const struct waggle__binding *b = waggle__binding_of(instrument);
    if (t == NULL || b == NULL || b->n == 0 || !convert(instrument, &value) ||
        atomic_load_explicit(&b->provider->is_shut, memory_order_relaxed))
        return;
    bool plain = are_plain(attributes);
    for (size_t i = 0; i < b->n; i++) {
        struct waggle__stream *s = b->streams[i];
        struct waggle__point *point = NULL;
        struct waggle__stripe *stripe = find_stripe(s, t, attributes, plain, &point);
        if (WAGGLE__UNLIKELY(stripe == NULL))
            continue; // counted
        stripe->used = 1;
        s->aggregator->update(s, stripe->state, value);
        if (point->exemplars != NULL)
            waggle__exemplar_offer(s, point->exemplars, t, value, attributes);
        waggle__stripe_unlock(stripe);
    }
}

bool waggle__measures_op(struct waggle_instrument *instrument)
{
    const struct waggle__binding *b = waggle__binding_of(instrument);
    return b != NULL && b->n > 0 &&
           !atomic_load_explicit(&b->provider->is_shut, memory_order_relaxed);
}

/* --- observing ----------------------------------------------------------------------------- */

static bool is_registered(const struct waggle_callback *callback,
                          const struct waggle_instrument *instrument)
{
    for (size_t i = 0; i < callback->n; i++)
        if (callback->instruments[i] == instrument)
            return true;
    return false;
}

/* An observation replaces another of the same attributes; where a view has made two sets one, sums
 * are added. */
static void observe_in(struct waggle__stream *s, struct waggle__thread *t,
                       struct waggle__number value, waggle_attrs attributes)
{
    struct waggle__point *point = NULL;
    struct waggle__stripe *stripe = find_stripe(s, t, attributes, are_plain(attributes), &point);
    if (stripe == NULL)
        return; // counted
    if (s->keys == NULL && s->n_excluded_keys == 0)
        s->aggregator->reset(s, stripe->state);
    stripe->used = 1;
    s->aggregator->update(s, stripe->state, value);
    waggle__stripe_unlock(stripe);
}

void waggle__observe_op(struct waggle_observer *observer, struct waggle_instrument *instrument,
                        struct waggle__number value, waggle_attrs attributes)
{
    struct waggle__thread *t = waggle__thread();
    const struct waggle__binding *b = waggle__binding_of(instrument);
    if (t == NULL || b == NULL || !is_registered(observer->callback, instrument) ||
        !convert(instrument, &value))
        return;
    for (size_t i = 0; i < b->n; i++)
        if (b->streams[i]->reader == observer->reader)
            observe_in(b->streams[i], t, value, attributes);
}
