// SPDX-License-Identifier: Apache-2.0
/* The simulation: one store on a disk in memory, a seed, faults on purpose, and a list of what must
 * be there.
 *
 *   test_sim.c    seeds: running many, each in a process that may die; shrinking one that fails
 *   sim_life.c    lives of a store: steps, the fault, what is checked behind it
 *   sim_model.c   the list: operations, some of them in doubt, and the rows that follow from them
 *   sim_rot.c     bytes that change at rest: verify, open, repair */
#pragma once

#include "store/tools.h"
#include "support/fault_os.h"
#include "support/store_client.h"

#define SIM_DIR       "/data"
#define SIM_T0        INT64_C(1700000000000000000)
#define SIM_RETAIN_NS (INT64_C(3600) * 1000000000)

enum {
    SIM_ROWS_MAX = 4000,
    SIM_OPS_MAX = 400,
    SIM_DOUBTS_MAX = 6, /* 2^n lists are tried */
    SIM_TRACES = 6,
    SIM_SPANS = 3,
    SIM_DATASETS = 3
};

/* What may go wrong in a life; bits, so that shrinking can take some away. */
enum sim_fault {
    SIM_CUT = 1 << 0,  /* the power goes at the nth change of the disk */
    SIM_CALL = 1 << 1, /* one kind of call fails, once or for a while */
    SIM_FULL = 1 << 2, /* the disk is full for a while */
    SIM_ROT = 1 << 3,  /* bytes change at rest */
    SIM_ALL = 15
};

struct sim_row {
    int64_t filed_ns; /* what retention counts */
    int16_t revision; /* -1: none */
    uint8_t kind, dataset, trace, span, era;
    enum { SIM_ABSENT, SIM_LIVE, SIM_DELETED, SIM_SUPERSEDED } is;
};

struct sim_op {
    enum { SIM_APPEND, SIM_DELETE } what;
    enum { SIM_SURE, SIM_DOUBT, SIM_NOT } happened;
    unsigned first, n; /* APPEND: rows */
    uint64_t seed;     /* APPEND: of the batch's other fields */
    int64_t at_ns;     /* when it was received first */
    bool identity;
    struct sim_predicate {
        int64_t from, to;  /* tags [from, to) */
        int dataset, kind; /* -1: any */
    } where;
};

struct sim {
    uint64_t seed;
    unsigned faults;      /* enum sim_fault: allowed ones */
    unsigned steps_left;  /* of all lives: shrinking cuts it */
    unsigned steps, life; /* done */
    bool talk;
    struct rnd r;
    struct mem_os *m;
    struct fault_os f;
    struct skep_column_config cfg;
    struct skep_store *s;
    int64_t now_ns;
    struct sim_row rows[SIM_ROWS_MAX]; /* the tag is the index */
    unsigned n_rows;
    struct sim_op ops[SIM_OPS_MAX];
    unsigned n_ops;
    unsigned era;     /* keys of revisions are of one, so that expiry does not decide who wins */
    unsigned backups; /* made; of the names, too */
    bool faulty;      /* calls may fail now */
    struct sim_counts {
        uint64_t seeds, lives, steps, cuts, kills, failed, full, rotten, doubts, retried, deletes,
            merges, expired, superseded, backups, repairs;
    } counts;
};

SKEP_PRINTF(2, 3) void sim_say(struct sim *w, const char *fmt, ...);
/* Ends the test: seed and life are in the message. */
SKEP_PRINTF(2, 3) _Noreturn void sim_fail(struct sim *w, const char *fmt, ...);
#define SIM_CHECK(w, cond)                                                                         \
    do {                                                                                           \
        if (!(cond))                                                                               \
            sim_fail(w, "%s:%d: %s", __FILE__, __LINE__, #cond);                                   \
    } while (0)

/* --- sim_model.c --- */

/* n new rows, no operation yet. */
void sim_new_rows(struct sim *w, unsigned n);
/* The rows of an operation as a batch: the same each time. */
struct skep_batch *sim_batch(struct sim *w, const struct sim_op *op);
struct sim_op *sim_op_new(struct sim *w);
struct sim_predicate sim_predicate(struct sim *w);
bool sim_matches(const struct sim *w, const struct sim_predicate *p, unsigned row);
void sim_plan(struct skep_arena *a, const struct sim_predicate *p, struct skep_plan *plan);
/* Rows by the operations that happened; doubts as the bits say, in order.  False when a row came
 * twice. */
bool sim_replay(struct sim *w, uint64_t doubts);
unsigned sim_doubts(const struct sim *w);
/* The row may have expired. */
bool sim_may_expire(const struct sim *w, unsigned row);
/* What is visible is what the list says, all doubts taken as not having happened. */
void sim_expect_visible(struct sim *w);
/* Nothing fails and nothing is under way: settles the doubts, compares rows and counts, ledger,
 * questions. */
void sim_expect_settled(struct sim *w);
/* A question with a random predicate; under faults it may fail or say that it is not complete. */
void sim_expect_answer(struct sim *w);

/* --- sim_life.c --- */

void sim_open(struct sim *w);
void sim_run(struct sim *w);
struct sim_found {
    unsigned damages, cuts; /* of these, ends that a power cut leaves: they may look so */
    bool torn;              /* an unfinished end of the log, or its last commit, is spoken of */
    bool talk;
    char text[300];
};
void sim_on_found(void *ctx, const struct skep_finding *f);
unsigned sim_verify(struct sim *w, const char *dir, struct sim_found *found);

/* --- sim_rot.c --- */

/* The store is closed and settled; afterwards the list says nothing any more. */
void sim_rot(struct sim *w);
