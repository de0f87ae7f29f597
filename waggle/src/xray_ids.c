// SPDX-License-Identifier: Apache-2.0
/*
 * xray_ids.c - trace ids that AWS X-Ray takes for its own: the first four bytes are the time in
 * seconds
 *
 * Threads: any.
 */
#include "sdk_priv.h"

static void trace_id(struct waggle_id_generator *g, uint8_t ret_id[16])
{
    struct waggle__thread *t = waggle__thread(); // there: its span is being started
    uint64_t seconds = waggle__os.realtime_ns() / 1000000000u;
    (void)g;
    for (unsigned i = 0; i < 4; i++)
        ret_id[i] = (uint8_t)(seconds >> (24 - 8 * i));
    uint64_t random[2] = {waggle__random64(t), waggle__random64(t) | 1};
    memcpy(ret_id + 4, random, 12);
}

struct waggle_id_generator *waggle_id_generator_xray(void)
{
    static const struct waggle_id_generator_ops ops = {
        .struct_size = sizeof ops, .trace_id = trace_id, .is_random = true};
    static struct waggle_id_generator generator = {&ops};
    return &generator;
}
