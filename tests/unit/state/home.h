// SPDX-License-Identifier: Apache-2.0
/* A directory for a state's database, an arena beside it: of one test at a time. */
#pragma once

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "state/state.h"

static char home_dir[64], path[80];
static struct skep_arena arena;

static inline void home_begin(void)
{
    (void)snprintf(home_dir, sizeof home_dir, "/tmp/skep-test-state-XXXXXX");
    assert_non_null(mkdtemp(home_dir));
    (void)snprintf(path, sizeof path, "%s/state.db", home_dir);
    skep_arena_init(&arena, "test", NULL);
}

static inline struct skep_state *home_open(const struct skep_state_config *cfg)
{
    struct skep_state *ret = NULL;
    skep_err err = {.text = ""};
    if (skep_state_open(cfg, &ret, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return ret;
}

/* Closes it, too. */
static inline int home_end(struct skep_state *state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[96];
    skep_state_close(state);
    skep_arena_done(&arena);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
    return rmdir(home_dir);
}
