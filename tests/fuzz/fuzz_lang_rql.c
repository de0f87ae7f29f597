// SPDX-License-Identifier: Apache-2.0
/* RQL: any bytes.
 *
 * Holds: no crash; what is read is a pipeline within its limits; what is refused says where. */
#include "base/assert.h"
#include "lang/rql.h"

static struct skep_calc *item(void *ctx, struct skep_arena *a, skep_str name,
                              struct skep_calc *fingerprint, struct skep_calc *stage)
{
    (void)ctx;
    (void)a;
    (void)stage;
    return skep_str_eq(name, SKEP_STR("counter")) ? fingerprint : NULL;
}

static struct skep_calc *id(void *ctx, struct skep_arena *a, struct skep_calc *row_id)
{
    (void)ctx;
    (void)a;
    return row_id;
}

static bool deploy_column(void *ctx, skep_str name)
{
    (void)ctx;
    return skep_str_eq(name, SKEP_STR("revision")) || skep_str_eq(name, SKEP_STR("start_time"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct skep_pipe_source deploys = {.next = NULL};
    const struct skep_rql_opts opts = {.now_ns = 1795000000000000000,
                                       .item = item,
                                       .id = id,
                                       .stands = size % 2 ? id : NULL,
                                       .deploy_column = deploy_column,
                                       .deploys = &deploys};
    struct skep_arena arena;
    struct skep_rql q;
    struct skep_lang_issue issue;
    skep_str text = {(const char *)data, size};
    skep_arena_init(&arena, "fuzz", NULL);
    if (skep_lang_rql(text, &opts, &arena, &q, &issue) == SKEP_OK) {
        const struct skep_pipe *p = q.pipe;
        skep_assert(p->n_slots <= SKEP_LIMIT_PIPE_SLOTS && p->n_outs > 0);
        skep_assert(p->range.start_ns < p->range.end_ns && p->limit <= SKEP_LIMIT_PIPE_ROWS * 2);
        for (unsigned i = 0; i < p->n_outs; i++)
            skep_assert(p->outs[i].slot < p->n_slots);
        for (unsigned i = 0; i < p->n_fields; i++)
            skep_assert(p->fields[i].slot < p->n_slots);
    } else {
        skep_assert(issue.rc == SKEP_EINVAL && issue.text[0] != '\0' && issue.at <= size);
    }
    skep_arena_done(&arena);
    return 0;
}
