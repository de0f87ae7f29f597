// SPDX-License-Identifier: Apache-2.0
/* Shared by the families of functions. */
#pragma once

#include "base/buf.h"
#include "calc/calc.h"

extern const struct skep_calc_fn skep_calc__compare[], skep_calc__numbers[], skep_calc__general[],
    skep_calc__texts[], skep_calc__codes[], skep_calc__dates[], skep_calc__documents[],
    skep_calc__addresses[], skep_calc__derived[], skep_calc__derived_texts[], skep_calc__sql[];

#define SKEP_CALC__NULL ((skep_value){.type = SKEP_TYPE_NULL})

static inline skep_value skep_calc__bool(bool b)
{
    return (skep_value){.type = SKEP_TYPE_BOOL, .b = b};
}
static inline skep_value skep_calc__int(int64_t i)
{
    return (skep_value){.type = SKEP_TYPE_INT, .i = i};
}
static inline skep_value skep_calc__str(skep_str s)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = s};
}
/* A double; null when it is not finite. */
skep_value skep_calc__double(double f);
/* An integer when the double is one that fits exactly, else a double. */
skep_value skep_calc__whole(double f);

/* The text of a string, or of any scalar where texts are loose; false for null and documents.
 * `buf` must live as long as the text is used. */
bool skep_calc__text_of(const struct skep_calc_ctx *ctx, const skep_value *v, char buf[64],
                        skep_str *ret);
/* An integer argument: a number, cut towards zero. */
bool skep_calc__int_of(const struct skep_calc_ctx *ctx, const skep_value *v, int64_t *ret);
/* n bytes of scratch, NULL when there are none or the text would be too long. */
char *skep_calc__room(struct skep_calc_ctx *ctx, size_t n);
/* A copy in the scratch, as a value. */
skep_value skep_calc__copy(struct skep_calc_ctx *ctx, skep_str s);
/* The argument must be a constant text: its text.  Returns EINVAL with a message otherwise. */
skep_rc skep_calc__const_text(const struct skep_calc *call, unsigned arg, skep_str *ret,
                              unsigned *ret_arg, skep_err *err);
/* Compile the constant text of an argument into call->prepared (struct skep_regex). */
skep_rc skep_calc__prepare_regex(struct skep_calc *call, unsigned arg, struct skep_arena *a,
                                 unsigned *ret_arg, skep_err *err);

/* Does the prepared expression match?  Not, and the context says so, when that takes too long. */
bool skep_calc__matches(struct skep_calc_ctx *ctx, const struct skep_calc *call, skep_str s);

/* documents.c */
skep_value skep_calc__member(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a);
/* dates.c */
/* An instant by a format of strftime's conversions. */
void skep_calc__put_instant(struct skep_buf *b, skep_str format, int64_t t_ms, int64_t offset_ms);
/* "2026-11-20T17:15:11.725Z", with a zone -> seconds since 1970; false when it is none. */
bool skep_calc__rfc3339(skep_str s, double *ret);
/* derived.c */
struct skep_calc__buckets { /* BUCKET's prepared */
    double size, min, max;
    bool has_min, has_max;
    unsigned n_labels; /* of all there can be, where they are few: "< min", each, "> max" */
    skep_str *labels;
};
bool skep_calc__derived_true(const skep_value *v);
/* A number, or what a text writes, else 0. */
skep_value skep_calc__derived_number(const skep_value *v);
