// SPDX-License-Identifier: Apache-2.0
/* A rule about grouping and an occurrence: the bytes up to the first NUL are the rule, the others
 * the occurrence's trace and every field of it.
 *
 * Holds: no crash; what is read is written so that it is read again; a fingerprint is no longer
 * than one; without a rule that holds nothing is said. */
#include "base/assert.h"
#include "ingest/grouping.h"
#include "wire/json_out.h"

static skep_str text;
static struct skep_arena arena;

static skep_str field(void *ctx, skep_str name)
{
    (void)ctx;
    return name.n % 3 ? text : SKEP_STR_NULL;
}

static bool stack(void *ctx, struct skep_stack *ret)
{
    (void)ctx;
    if (!skep_stack_parse(text, SKEP_STR_NULL, &arena, ret))
        return false;
    skep_stack_own(ret, SKEP_STR_NULL);
    return true;
}

static void again(const struct skep_grouping_rule *r)
{
    struct skep_buf out;
    struct skep_json j;
    struct skep_grouping_rule same;
    skep_str at;
    skep_buf_init(&out, 1 << 20);
    skep_json_init(&j, &out);
    skep_json_object(&j);
    skep_grouping_put(&j, r);
    skep_json_end(&j);
    skep_assert(!out.bad);
    skep_rc rc = skep_grouping_read(skep_buf_text(&out), &arena, &same, &at, NULL);
    skep_assert(rc == SKEP_OK);
    skep_assert(same.n_conditions == r->n_conditions);
    skep_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct skep_grouping_subject subject = {.field = field, .stack = stack};
    struct skep_grouping_rule rule;
    struct skep_grouping_verdict v;
    skep_str at, json = {(const char *)data, 0};
    while (json.n < size && data[json.n])
        json.n++;
    text = json.n < size ? (skep_str){(const char *)data + json.n + 1, size - json.n - 1}
                         : SKEP_STR_NULL;
    skep_arena_init(&arena, "fuzz", NULL);
    if (skep_grouping_read(json, &arena, &rule, &at, NULL) == SKEP_OK) {
        again(&rule);
        skep_grouping_judge(&rule, 1, &subject, &arena, &v);
        skep_assert(v.rule || v.fingerprint.n == 0);
        skep_assert(v.fingerprint.n <= SKEP_FINGERPRINT_HEX && v.title.n <= 255);
    }
    skep_arena_done(&arena);
    return 0;
}
