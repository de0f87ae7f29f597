// SPDX-License-Identifier: Apache-2.0
/* Relations in a query: what the files relate*.c share, and the hooks the
 * rest of the executor calls.
 *
 *   skep_x_rel      a compiled relation: which relatives, and what they must pass
 *   skep_x_window   the rows of a morsel, widened to whole traces: their graph, each relation's
 * answer skep_x_cut      the same for the rows of traces that stand in several places */
#pragma once

#include "store/column/exec/exec_priv.h"
#include "store/column/exec/relate_graph.h"

struct skep_x_rel {
    enum skep_relation how;
    struct skep_x_expr *kid; /* NULL = every span */
    bool first;              /* which relative comes first is wanted, for its fields */
    bool nested;             /* kid has relations of its own, with lower numbers */
    bool same;               /* the relative's value of a field is the row's own: */
    uint32_t same_name;
    unsigned same_at;    /* of the sames */
    bool lasts;          /* the trace lasts as this says: */
    uint32_t lasts_test; /* its intervals of nanoseconds */
};

/* Growing memory, charged to the query. */
struct skep_x_room {
    void *p;
    uint64_t bytes;
};

enum skep_x_number { SKEP_X_NO_NUMBER, SKEP_X_NUM_I64, SKEP_X_NUM_F64, SKEP_X_NUM_NS };

/* What aggregates take of a value: a number, or the hash of any. */
struct skep_x_part {
    bool present;
    enum skep_x_number number;
    uint64_t bits; /* of the number, or the hash */
};

enum skep_x_window_room {
    SKEP_X_ROOM_SPANS,
    SKEP_X_ROOM_SET,
    SKEP_X_ROOM_BACK,
    SKEP_X_ROOM_SHAPE,
    SKEP_X_ROOM_ODD,
    SKEP_X_ROOM_PARENT_IDS,
    SKEP_X_ROOM_SPAN_IDS,
    SKEP_X_ROOM_PARENTS,
    SKEP_X_ROOM_RUNS,
    SKEP_X_ROOMS /* then one a relation, group, state */
};

struct skep_x_window {
    uint32_t set;
    uint64_t block, end; /* blocks */
    uint64_t row0;
    uint32_t n;            /* rows, and row numbers in gaps */
    bool answered, valued; /* all relations; their fields too */
    uint32_t cut0, cut1;   /* rows of cut traces: places of the cut */
    struct skep_relate_graph graph;
    struct skep_relate_scratch scratch;
    uint64_t *spans;
    int32_t *back; /* to parents, of rowset.h */
    uint32_t *odd; /* runs whose parents take ids: over row groups, with dead rows */
    uint32_t n_odd;
    uint64_t **bits;  /* [n_rels], of each 16 words a block; NULL for those with `first` */
    uint32_t **first; /* [n_rels][n]: row of the window, n = none; NULL without `first` */
    uint32_t **keys;  /* [n_groups][n + 1]: key ids of relatives; NULL for own fields */
    struct skep_x_part **parts; /* [n_states][n + 1] */
    struct skep_x_room *rooms;  /* behind all of it */
    unsigned n_rooms;
    uint64_t scratch_bytes;
    struct skep_x_room *cut_keys; /* [n_groups]: key id + 1 by value of the cut */
};

/* A value some relative has, of a cut trace. */
struct skep_x_cut_value {
    skep_value v;
    struct skep_x_part number; /* as a number */
    uint64_t hash;
};

struct skep_x_cut {
    uint32_t n;                    /* places = nodes */
    uint32_t *set_first, *set_end; /* [sets]: places of each */
    uint32_t *rows;                /* place -> row, ascending within a set */
    uint32_t *node_of;             /* place -> node */
    uint32_t *place_of;            /* node -> place */
    struct skep_relate_graph graph;
    struct skep_relate_scratch scratch;
    uint64_t *spans;
    uint64_t **bits;   /* [n_rels] by node */
    uint32_t **first;  /* [n_rels] by node */
    uint32_t **values; /* [n_names] by node: value + 1, 0 = absent; NULL = not asked for */
    unsigned n_values; /* names when the cut was made */
    struct skep_x_cut_value *table;
    uint32_t n_table, cap_table;
    struct skep_index table_index;
    struct skep_arena arena; /* texts of the table */
    uint64_t bytes;          /* charged */
};

/* relate.c */
SKEP_NODISCARD skep_rc skep_x__room(struct skep_x_query *q, struct skep_x_room *r, uint64_t bytes,
                                    skep_err *err);
/* Open a window over blocks [block, end) of the bound rowset, without a graph. */
SKEP_NODISCARD skep_rc skep_x__window(struct skep_x_ctx *c, uint64_t block, uint64_t end,
                                      skep_err *err);
/* Answers of a relation for the window's rows of cut traces. */
void skep_x__window_cut(struct skep_x_ctx *c, uint32_t rel);
/* Places of the cut among the rows [first, end) of a set. */
void skep_x__cut_range(const struct skep_x_cut *cut, uint32_t set, uint64_t first, uint64_t end,
                       uint32_t *ret_from, uint32_t *ret_to);

/* relate_cut.c */
/* q->cut: the rows of traces that stand in more than one place, of parts too; NULL when there are
 * none.  Rows of the logs layout are left to skep_x__cut_morsel. */
SKEP_NODISCARD skep_rc skep_x__cut_all(struct skep_x_query *q, skep_err *err);
/* The rows of a morsel of the logs layout and the spans of their traces.  Binds the context to
 * other rowsets.  Owns: *ret (NULL when no row has a trace) by the caller, skep_x__cut_free. */
SKEP_NODISCARD skep_rc skep_x__cut_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m,
                                          struct skep_x_cut **ret, skep_err *err);
void skep_x__cut_free(struct skep_x_query *q, struct skep_x_cut *cut); /* NULL is fine */
/* Memory that stays with the cut, zeroed; NULL over budget. */
void *skep_x__cut_keep(struct skep_x_query *q, struct skep_x_cut *cut, uint64_t bytes);
SKEP_NODISCARD skep_rc skep_x__cut_too_many(skep_err *err) SKEP_COLD;
SKEP_NODISCARD skep_rc skep_x__cut_canceled(struct skep_x_query *q, skep_err *err);
/* What cannot be read is left out, and the answer says so: damage becomes SKEP_OK. */
SKEP_NODISCARD skep_rc skep_x__cut_damaged(struct skep_x_query *q, skep_rc rc, const skep_err *why,
                                           skep_err *err);

/* relate_answer.c: with the cut's graph made, on the context that gathered it. */
SKEP_NODISCARD skep_rc skep_x__cut_answer(struct skep_x_ctx *c, skep_err *err);

/* relate_lasts.c */
/* From the first start to the last end of some spans. */
struct skep_x_lasting {
    int64_t start_ns, end_ns;
    bool any;
};
void skep_x__lasting_add(struct skep_x_lasting *l, int64_t start_ns, int64_t duration_ns);
bool skep_x__lasts(const struct skep_x_query *q, uint32_t rel, const struct skep_x_lasting *l);
/* Answer a relation of that kind for the window's rows. */
SKEP_NODISCARD skep_rc skep_x__lasts_window(struct skep_x_ctx *c, uint32_t rel, skep_err *err);

/* relate_same.c */
/* Answer a relation of that kind for the window's rows. */
SKEP_NODISCARD skep_rc skep_x__same_window(struct skep_x_ctx *c, uint32_t rel, skep_err *err);
/* Ids of the field's values for rows of the block: equal ids, equal values (0 = none). */
SKEP_NODISCARD skep_rc skep_x__same_ids(struct skep_x_ctx *c, uint32_t rel,
                                        const struct skep_x_bits *bits, struct skep_ids *ret,
                                        skep_err *err);
void skep_x__same_done(struct skep_x_ctx *c);

/* relate_value.c */
/* The value of one present row as a number. */
struct skep_x_part skep_x__number(const struct skep_x_vals *v, unsigned row);
