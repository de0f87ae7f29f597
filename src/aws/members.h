// SPDX-License-Identifier: Apache-2.0
/* Reading a request's members as AWS checks them.
 *
 *   struct skep_aws_in in = {.root = root};
 *   skep_str name = skep_aws_str(&in, in.root, "GroupName", &(struct skep_aws_len){1, 32});
 *   skep_str fault = skep_aws_in_fault(&in, &cause);    "1 validation error detected: ..."
 *
 * Absent and null are the same and unknown members are ignored, as AWS does.  The helpers note what
 * is wrong instead of failing; one question at the end tells it all. */
#pragma once

#include <yyjson.h>

#include "aws/aws.h"
#include "event/event.h"

struct skep_aws_in {
    yyjson_val *root; /* the body's object */
    /* Where the helpers are: "samplingRule.", "tags.2.member." */
    char path[160];
    size_t path_n;
    /* What they found wrong, as AWS words it. */
    unsigned n_wrong;
    char wrong[1024];
    size_t wrong_n;
    char mistyped[200]; /* the first member of a wrong JSON type; "" = none */
    char fault[1100];
};

/* Bounds of a text in characters, of a list in items; max 0 = none. */
struct skep_aws_len {
    size_t min, max;
    bool required;
};

/* A text; empty when absent (or null), or of the wrong kind. */
skep_str skep_aws_str(struct skep_aws_in *in, yyjson_val *obj, const char *key,
                      const struct skep_aws_len *len);
/* An array; NULL when absent, or of the wrong kind. */
yyjson_val *skep_aws_list(struct skep_aws_in *in, yyjson_val *obj, const char *key,
                          const struct skep_aws_len *len);
/* An object; NULL when absent, or of the wrong kind. */
yyjson_val *skep_aws_object(struct skep_aws_in *in, yyjson_val *obj, const char *key,
                            bool required);
/* Instant given as a number of seconds since 1970; false (and *ret_ns untouched) when absent. */
bool skep_aws_time(struct skep_aws_in *in, yyjson_val *obj, const char *key, bool required,
                   skep_ts_ns *ret_ns);

/* Bounds of a number, inclusive. */
struct skep_aws_range {
    double min, max;
    bool required;
};
/* A number; false when absent.  `_int` also takes 5.0; its bounds lie within +-9e15. */
bool skep_aws_number(struct skep_aws_in *in, yyjson_val *obj, const char *key,
                     const struct skep_aws_range *range, double *ret);
bool skep_aws_int(struct skep_aws_in *in, yyjson_val *obj, const char *key,
                  const struct skep_aws_range *range, int64_t *ret);
/* A boolean; `absent` when it is not there. */
bool skep_aws_bool(struct skep_aws_in *in, yyjson_val *obj, const char *key, bool absent);
/* Index of a text in names[n]; -1 when absent or another. */
int skep_aws_enum(struct skep_aws_in *in, yyjson_val *obj, const char *key, bool required,
                  const char *const *names, unsigned n);

/* Into a member object, or the i-th item of a list member, for the messages; returns where to go
 * back to. */
size_t skep_aws_enter(struct skep_aws_in *in, const char *key);
size_t skep_aws_enter_item(struct skep_aws_in *in, const char *key, size_t i);
static inline void skep_aws_leave(struct skep_aws_in *in, size_t mark)
{
    in->path_n = mark;
}
/* Note that a member failed a constraint: "Member must ...".  v NULL = absent. */
void skep_aws_wrong(struct skep_aws_in *in, const char *key, yyjson_val *v, const char *constraint);

/* What is wrong, in AWS's words, and SKEP_AWS_SERIALIZATION or SKEP_AWS_INVALID; empty (and *ret
 * untouched) when nothing is.  The text lives in `in`. */
skep_str skep_aws_in_fault(struct skep_aws_in *in, enum skep_aws_cause *ret);
