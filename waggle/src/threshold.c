// SPDX-License-Identifier: Apache-2.0
/*
 * threshold.c - consistent probability: a trace's randomness against a threshold of rejection
 *
 *   tracestate: ot=th:c;rv:6e6d1a75832a2f,other=1
 *     th   the threshold, 1 to 14 hex digits, zeros added behind
 *     rv   the randomness, 14 digits; without it the low 7 bytes of the trace id
 *
 * Sampled is what is not below the threshold. The new threshold takes the old one's place; other
 * members of `ot` and other entries stay. Without a tracestate of the parent the text is one that
 * was made before, so that roots cost nothing.
 *
 * Threads: what is made for a decision is the thread's until its next one.
 */
#include "threshold.h"

#include "hex.h"

enum { DIGITS = 14, OT_BYTES = 256 };

static _Thread_local waggle_span_context scratch; /* its tracestate alone is used */

uint64_t waggle__threshold_of(double ratio)
{
    double clamped = ratio > 0 ? (ratio < 1 ? ratio : 1) : 0; // NaN is 0, too
    return WAGGLE_NEVER - (uint64_t)(clamped * (double)WAGGLE_NEVER + 0.5);
}

void waggle__threshold_text(uint64_t threshold, char ret_text[WAGGLE__TH_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *w = ret_text + strlen("ot=th:");
    memcpy(ret_text, "ot=th:", strlen("ot=th:"));
    uint64_t left = threshold & (WAGGLE_NEVER - 1);
    do {
        *w++ = digits[left >> 52];
        left = left << 4 & (WAGGLE_NEVER - 1);
    } while (left != 0);
    *w = '\0';
}

/* The member of that name in the value of `ot`. */
static bool ot_member(waggle_str ot, const char *name, waggle_str *ret)
{
    for (size_t at = 0; at < ot.n;) {
        const char *p = ot.p + at;
        const char *end = memchr(p, ';', ot.n - at);
        size_t n = end != NULL ? (size_t)(end - p) : ot.n - at;
        if (n > 3 && memcmp(p, name, 2) == 0 && p[2] == ':') {
            *ret = (waggle_str){p + 3, n - 3};
            return true;
        }
        at += n + 1;
    }
    return false;
}

/* Hex digits, lower case, with zeros behind them to 14. False for none, and more. */
static bool read_digits(waggle_str s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > DIGITS)
        return false;
    for (size_t i = 0; i < DIGITS; i++) {
        int d = i < s.n ? waggle__hex_digit(s.p[i]) : 0;
        if (d < 0 || (i < s.n && s.p[i] >= 'A' && s.p[i] <= 'F'))
            return false;
        v = v << 4 | (uint64_t)d;
    }
    *ret = v;
    return true;
}

static bool get_ot(const waggle_span_context *parent, waggle_str *ret)
{
    return parent != NULL && parent->tracestate_n > 0 &&
           waggle_tracestate_get(parent, "ot", &ret->p, &ret->n);
}

bool waggle__threshold_of_parent(const waggle_span_context *parent, uint64_t *ret_threshold)
{
    waggle_str ot;
    waggle_str th;
    return get_ot(parent, &ot) && ot_member(ot, "th", &th) && read_digits(th, ret_threshold);
}

static uint64_t randomness(const waggle_sampling_params *params)
{
    waggle_str ot;
    waggle_str rv;
    uint64_t v = 0;
    if (get_ot(params->parent, &ot) && ot_member(ot, "rv", &rv) && rv.n == DIGITS &&
        read_digits(rv, &v))
        return v;
    for (unsigned i = 9; i < 16; i++)
        v = v << 8 | params->trace_id[i];
    return v;
}

/* The parent's `ot` without th, and with the new one (NULL: none). */
static const char *changed_state(const waggle_span_context *parent, const char *text)
{
    char value[OT_BYTES + WAGGLE__TH_BYTES];
    waggle_str ot = {NULL, 0};
    size_t n = 0;
    (void)get_ot(parent, &ot); // without it the value is empty
    if (text != NULL) {
        n = strlen(text) - strlen("ot=");
        memcpy(value, text + strlen("ot="), n);
    }
    for (size_t at = 0; at < ot.n;) {
        const char *p = ot.p + at;
        const char *end = memchr(p, ';', ot.n - at);
        size_t one = end != NULL ? (size_t)(end - p) : ot.n - at;
        at += one + 1;
        if (one < 3 || memcmp(p, "th:", 3) == 0 || n + one + 2 > OT_BYTES)
            continue;
        if (n > 0)
            value[n++] = ';';
        memcpy(value + n, p, one);
        n += one;
    }
    value[n] = '\0';
    memcpy(scratch.tracestate, parent->tracestate, parent->tracestate_n);
    scratch.tracestate_n = parent->tracestate_n;
    (void)waggle_tracestate_set(&scratch, "ot", n > 0 ? value : NULL); // refused: as it was
    size_t kept = WAGGLE__MIN((size_t)scratch.tracestate_n, sizeof scratch.tracestate - 1);
    scratch.tracestate[kept] = '\0';
    return scratch.tracestate;
}

void waggle__threshold_decide(const waggle_sampling_params *params, uint64_t threshold,
                              bool is_reliable, const char *text, waggle_sampling *ret_sampling)
{
    struct waggle__thread *t = is_reliable ? NULL : waggle__thread();
    uint64_t r = t != NULL ? waggle__random64(t) >> 8 : randomness(params);
    bool sampled = threshold < WAGGLE_NEVER && r >= threshold;
    const char *wanted = sampled && is_reliable ? text : NULL;
    uint64_t old;
    ret_sampling->decision = sampled ? WAGGLE_RECORD_AND_SAMPLE : WAGGLE_DROP;
    if (params->parent == NULL || params->parent->tracestate_n == 0)
        ret_sampling->tracestate = wanted;
    else if (wanted != NULL || waggle__threshold_of_parent(params->parent, &old))
        ret_sampling->tracestate = changed_state(params->parent, wanted);
}
