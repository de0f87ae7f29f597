// SPDX-License-Identifier: Apache-2.0
/* What the executor's files share.
 *
 *   skep_x_query   one run: plan, compiled names and tests, morsels, first error
 *   skep_x_ctx     one worker's view: the rowset it is bound to, open columns, memos, its partial
 *   skep_x_bits    which rows of the current block are selected
 *   skep_x_vals    values of one source of a name for some rows of the current block
 *
 * A canonical name has up to a few sources in a rowset, in order of precedence: attribute columns
 * (one a type), the view and intrinsic columns, instrumentation list, resource list.  Every
 * consumer walks them in that order and hands the rows one source has no value for on to the next.
 */
#pragma once

#include "agg/agg.h"
#include "agg/counts.h"
#include "event/view.h"
#include "store/column/exec.h"

#include <stdatomic.h>

enum {
    SKEP_X_WORDS = SKEP_BLOCK_ROWS / 64,
    SKEP_X_MORSEL_BLOCKS = SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS,
    SKEP_X_CACHE = 4096 /* entries of a direct-mapped cache of values -> key ids */
};
_Static_assert((int)SKEP_IDS_ROWS == (int)SKEP_BLOCK_ROWS, "ids cover one block");

struct skep_x_bits {
    uint64_t w[SKEP_X_WORDS];
};

static inline bool skep_x__any(const struct skep_x_bits *b)
{
    for (int i = 0; i < SKEP_X_WORDS; i++) /* the first word mostly decides */
        if (b->w[i])
            return true;
    return false;
}
static inline unsigned skep_x__count(const struct skep_x_bits *b)
{
    unsigned n = 0;
    for (int i = 0; i < SKEP_X_WORDS; i++) /* where few rows are left, most words are 0 */
        n += b->w[i] ? SKEP_POPCOUNT64(b->w[i]) : 0;
    return n;
}
static inline void skep_x__and(struct skep_x_bits *a, const struct skep_x_bits *b)
{
    for (int i = 0; i < SKEP_X_WORDS; i++)
        a->w[i] &= b->w[i];
}
static inline void skep_x__andnot(struct skep_x_bits *a, const struct skep_x_bits *b)
{
    for (int i = 0; i < SKEP_X_WORDS; i++)
        a->w[i] &= ~b->w[i];
}
static inline void skep_x__or(struct skep_x_bits *a, const struct skep_x_bits *b)
{
    for (int i = 0; i < SKEP_X_WORDS; i++)
        a->w[i] |= b->w[i];
}
static inline bool skep_x__has(const struct skep_x_bits *b, unsigned row)
{
    return b->w[row / 64] >> (row % 64) & 1;
}
static inline bool skep_x__same(const struct skep_x_bits *a, const struct skep_x_bits *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
/* The rows as a list; `rows` has room for SKEP_BLOCK_ROWS.  All of 0..n_block-1: no list. */
struct skep_sel skep_x__rows(const struct skep_x_bits *b, unsigned n_block, uint16_t *rows);
/* One bit for each non-zero byte of pass[SKEP_BLOCK_ROWS]. */
void skep_x__pack(const uint8_t *pass, struct skep_x_bits *ret);

struct skep_x_member;

enum { SKEP_X_FEW = 4 }; /* a share of a block's rows, of which texts are made one by one */

/* A distinct field name of the plan. */
struct skep_x_name {
    skep_str name;
    const struct skep_view *view;
    skep_value *view_values;                 /* ENUM: [n_table] */
    const struct skep_computed *computed;    /* not NULL: it is computed ... */
    uint32_t *inputs;                        /* ... of these names; [n_inputs] */
    const struct skep_calc_vectors *vectors; /* NULL: not a column at a time */
    const struct skep_x_member *member;      /* NULL: it looks at no member of one text alone */
};

/* A closed interval of what passes a number test, for each way numbers are stored. */
struct skep_x_span {
    int64_t lo, hi; /* integers, or nanoseconds standing for milliseconds */
};
struct skep_x_fspan {
    double lo, hi;
};

struct skep_x_test {
    const struct skep_test *t;
    uint32_t name; /* index into names; UINT32_MAX = any string field */
    bool negative, exists;
    unsigned n_ints, n_ns, n_doubles; /* ascending and disjoint for EQ */
    struct skep_x_span *ints, *ns;
    struct skep_x_fspan *doubles;
    /* EQ of exact strings: */
    bool str_eq;
    unsigned n_strs;
    skep_str *strs;
    uint64_t *hashes; /* skep_hash of strs */
    unsigned n_ids;   /* strs that are trace ids as the view writes them */
    skep_trace_id *ids;
    unsigned n_spans; /* likewise span ids */
    uint64_t *span_ids;
};

struct skep_x_expr {
    enum skep_expr_op op;
    unsigned n_kids;
    struct skep_x_expr **kids;
    uint32_t test;   /* TEST; RELATED (SAME too): index into rels; AND: of its turns */
    unsigned shared; /* > 0: it stands in several places of the plan */
};

/* What a shared expression said of rows of a block, so far. */
struct skep_x_said {
    uint64_t row0, window; /* of which window of relatives; 0 = nothing yet */
    uint32_t set;
    unsigned n;
    struct skep_x_bits asked, passed;
};

/* A group besides its field. */
struct skep_x_group_of {
    uint32_t name;
    struct skep_x_expr *on; /* only rows that pass have a key; NULL = all */
    struct skep_x_expr **cases;
    unsigned n_cases;
};

/* Answers of a test, or key ids, by dictionary code or list index. */
struct skep_x_memo {
    uint64_t serial; /* of the dictionary; SKEP_X_LIST for lists; 0 = nothing */
    uint32_t n, cap;
    uint32_t *v; /* 0 = not known; else answer + 1 */
};
/* What a COUNT_DISTINCT was given already: a bit for each code of a dictionary in each cell. */
struct skep_x_seen {
    uint64_t serial; /* of the dictionary; 0 = nothing */
    enum skep_type type;
    uint32_t words; /* a cell */
    uint32_t cap;
    uint64_t *bits;
};
#define SKEP_X_LIST      UINT64_MAX
#define SKEP_X_ANY_FIELD UINT32_MAX

struct skep_x_col {
    struct skep_colreader *reader;
    uint64_t row0; /* of vec; UINT64_MAX = none */
    struct skep_vec vec;
};

enum skep_x_source_kind {
    SKEP_X_FIELD,
    SKEP_X_VIEW,
    SKEP_X_LISTED,
    SKEP_X_LIST_ANY,
    SKEP_X_COMPUTED /* values of `type`; NULL = those that were computed once a code */
};

struct skep_x_source {
    enum skep_x_source_kind kind;
    enum skep_type type;     /* FIELD, COMPUTED */
    uint32_t field;          /* FIELD: of the rowset; COMPUTED: the name */
    enum skep_column column; /* VIEW, LISTED: the intrinsic column */
    const struct skep_view *view;
    const skep_value *list; /* LISTED: value by list index; VIEW ENUM: by number */
    uint32_t n_list;
    bool complete;                         /* LISTED: every list has a value */
    uint64_t full_serial;                  /* VIEW STRING: dictionary of `full` */
    bool full;                             /* it has no empty text */
    const struct skep_rowset_lists *lists; /* LIST_ANY */
    struct skep_x_scratch *scratch;        /* made when first needed */
    uint32_t ruled_test;                   /* LISTED: what `ruled_out` is of */
    uint8_t ruled_out;                     /* 0 not known, 1 some list may pass, 2 none does */
};

struct skep_x_bound {
    bool bound;
    unsigned n;
    struct skep_x_source *sources;
};

struct skep_x_scratch {
    int64_t i64[SKEP_BLOCK_ROWS];
    skep_str str[SKEP_BLOCK_ROWS];
    char text[SKEP_BLOCK_ROWS][40];
};

enum skep_x_form {
    SKEP_X_I64, /* type INT, BOOL, EMPTY */
    SKEP_X_F64,
    SKEP_X_NS,   /* i64 nanoseconds that read as milliseconds (DOUBLE) */
    SKEP_X_DICT, /* type STRING, BYTES, ARRAY */
    SKEP_X_STR,
    SKEP_X_ID16, /* trace ids that read as hex text */
    SKEP_X_ID8,  /* i64 span ids that read as hex text */
    SKEP_X_TIME, /* i64 ns that compare as numbers and read as RFC 3339 text */
    SKEP_X_CODES /* i64 indexes into list */
};

struct skep_x_vals {
    struct skep_x_bits present; /* rows of those asked for that have a value here */
    enum skep_x_form form;
    enum skep_type type;
    bool constant; /* the value at index 0 stands for all rows */
    const int64_t *i64;
    const double *f64;
    const uint32_t *codes;
    const struct skep_dict *dict;
    const skep_str *str;
    const skep_trace_id *id16;
    const skep_value *list;
    uint32_t n_list;
    uint64_t serial; /* CODES: of the list; 0 = of the rowset */
};

/* Which rows of a morsel are looked at: where a partial is kept, those of traces that stand in
 * several places apart (pieces.c). */
enum skep_x_only { SKEP_X_ALL_ROWS, SKEP_X_UNCUT_ROWS, SKEP_X_CUT_ROWS };

struct skep_x_morsel {
    uint32_t set;
    enum skep_x_only only;
    uint64_t block, end; /* blocks */
    int64_t edge_ns;     /* ROWS: its end of the time asked for */
};

struct skep_x_cache_entry {
    uint64_t bits;
    uint32_t id; /* key id + 1 */
    uint32_t type;
};

/* Rows a ROWS, TRACE or ROW plan found: sort key and place. */
struct skep_x_hit {
    skep_ts_ns time_ns;
    skep_row_id id;
    uint32_t set;
    uint64_t row;
};

/* In what order the operands of an AND are asked: conjunct.c. */
enum { SKEP_X_TURNS = 8 };
struct skep_x_turns {
    uint32_t seen[SKEP_X_TURNS], passed[SKEP_X_TURNS]; /* rows, in this morsel */
};

struct skep_x_ctx {
    struct skep_x_query *q;
    struct skep_x_ctx *next; /* free list */
    struct skep_x_ctx *next_all;
    /* the rowset */
    uint32_t set; /* UINT32_MAX = none */
    struct skep_rowset *rs;
    const struct skep_live *live;
    struct skep_arena arena; /* of the binding */
    struct skep_x_col *cols[SKEP_COL_COUNT];
    struct skep_x_col **fields;        /* [rs->n_fields] */
    struct skep_x_bound *bound;        /* [n_names] */
    struct skep_x_bound any;           /* all string sources */
    struct skep_x_computed **computed; /* [n_names], made when needed; computed.c */
    struct skep_x_memo **test_memos;   /* [n_tests][of sources], kept over bindings */
    unsigned *n_test_memos;
    struct skep_x_turns *turns; /* [n_turns] */
    /* the block, or the part of it that is looked at: rows [row0, row0 + n) */
    uint64_t block, row0;
    unsigned n;
    int64_t slice_ns; /* when skep_x__tick() last looked around */
    /* answers */
    uint64_t rows_examined;
    struct skep_partial *partial;
    enum skep_x_only only;       /* of the morsel */
    uint32_t partial_piece;      /* of whose rows it is, where that matters (keep.c) */
    uint64_t partial_rows;       /* rows_examined before it */
    uint64_t rows_first;         /* rows_examined in the first pass (shards.c) */
    uint64_t lookups;            /* keys looked up by code for the partial (tally.c) */
    struct skep_x_group *groups; /* [n_groups] */
    struct skep_x_agg_scratch *scratch;
    struct skep_x_tally *tally;
    struct skep_x_said *said;     /* [n_shared + 1][said_blocks] */
    uint64_t said_blocks;         /* >= 1; of the largest window */
    struct skep_x_same *sames;    /* [n_sames]; NULL = not looked at yet */
    uint64_t window_serial;       /* of the window now */
    struct skep_x_memo cell_memo; /* code -> cell, of `cell_bucket` */
    struct skep_x_seen *seen;     /* [n_seen], by state */
    unsigned n_seen;
    uint32_t cell_bucket;
    struct skep_x_hit *hits;
    size_t n_hits, cap_hits;
    struct skep_x_known *known;       /* of the morsel's row group */
    void *extra;                      /* of one kind of plan */
    struct skep_x_cut *cut;           /* where rows of cut traces are looked up */
    struct skep_x_window *window;     /* relations of the morsel's rows; NULL = none asked for */
    int64_t ints[4][SKEP_BLOCK_ROWS]; /* room for spread columns of the current block */
};

struct skep_x_query {
    const struct skep_plan *plan;
    const struct skep_run_opts *opts;
    struct skep_snapshot *snap;
    struct skep_pool *pool;
    struct skep_arena arena; /* compiled things */
    struct skep_x_name *names;
    unsigned n_names, cap_names;
    struct skep_x_test *tests;
    unsigned n_tests, cap_tests;
    unsigned n_turns;
    struct skep_x_compiled { /* expressions by where they stand in the plan */
        const struct skep_expr *of;
        struct skep_x_expr *x;
    } * compiled;
    unsigned n_compiled, cap_compiled, n_shared, n_sames;
    struct skep_x_group_of *group_of; /* [n_groups]; AGGREGATE */
    struct skep_x_rel *rels;          /* relate.h */
    unsigned n_rels, cap_rels;
    struct skep_x_field_of { /* relations of fields, made once */
        enum skep_relation relation;
        const struct skep_expr *on;
        uint32_t rel;
    } * fields_of;
    unsigned n_fields_of, cap_fields_of;
    const struct skep_x_expr *own_filter; /* what the filter says of the rows themselves */
    struct skep_x_cut *cut;
    struct skep_x_expr *filter;       /* with the plan's dataset */
    struct skep_x_expr **agg_filters; /* by state */
    bool need_overlap;                /* CONCURRENCY is asked for */
    struct skep_x_morsel *morsels;
    size_t n_morsels, cap_morsels;
    uint64_t rows_total;
    /* under mu while running */
    struct skep_mutex mu;
    struct skep_x_ctx *free, *all;
    uint64_t rows_scanned;
    bool damaged;
    size_t damaged_at; /* lowest morsel that could not be read */
    char damage[232];
    skep_rc rc;
    skep_err err;
    _Atomic bool stop;
    void *shared;                   /* of one kind of plan */
    struct skep_partials *partials; /* kept partials; NULL = none */
    struct skep_x_keep *keep;       /* AGGREGATE */
    struct skep_x_shards *shards;   /* AGGREGATE */
    uint64_t rows_kept;             /* rows behind the kept partials of the answer */
    /* Before the morsel's rowset is bound; done: there is nothing more to look at in it. NULL =
     * none */
    skep_rc (*early)(struct skep_x_ctx *c, const struct skep_x_morsel *m, bool *ret_done,
                     skep_err *err);
    bool knows;                 /* which rows pass is kept ... */
    struct skep_buf filter_key; /* ... of this filter */
};

/* A field that lists and rows leave out unless the plan wants it. */
static inline bool skep_x__unlisted(const struct skep_x_query *q,
                                    const struct skep_rowset_field *field)
{
    return !q->plan->raw && field->scope == SKEP_SCOPE_INTRINSIC &&
           skep_str_eq(field->name, SKEP_RAW_FIELD);
}

/* -- compile.c -- */
uint32_t skep_x__name(struct skep_x_query *q, skep_str name);
struct skep_x_expr *skep_x__compile(struct skep_x_query *q, const struct skep_expr *e);
/* e AND the plan's dataset. */
struct skep_x_expr *skep_x__compile_filter(struct skep_x_query *q);

/* -- bind.c -- */
SKEP_NODISCARD skep_rc skep_x__bind(struct skep_x_ctx *c, uint32_t set, skep_err *err);
void skep_x__unbind(struct skep_x_ctx *c);
SKEP_NODISCARD skep_rc skep_x__column(struct skep_x_ctx *c, enum skep_column col,
                                      const struct skep_vec **ret, skep_err *err);
SKEP_NODISCARD skep_rc skep_x__field(struct skep_x_ctx *c, uint32_t field,
                                     const struct skep_vec **ret, skep_err *err);
/* The open reader, or NULL with the error set. */
/* Does a text pass the test?  filter.c */
bool skep_x__text_passes(const struct skep_x_test *x, skep_str s);
struct skep_colreader *skep_x__field_reader(struct skep_x_ctx *c, uint32_t field, skep_err *err);
struct skep_colreader *skep_x__column_reader(struct skep_x_ctx *c, enum skep_column col,
                                             skep_err *err);
const struct skep_x_bound *skep_x__sources(struct skep_x_ctx *c, uint32_t name);
/* Select the block: sets block, row0, n. */
void skep_x__block(struct skep_x_ctx *c, uint64_t block);
/* Look at rows [row0, row0 + n), of one block, alone: what is read is then no more. */
void skep_x__look_at(struct skep_x_ctx *c, uint64_t row0, unsigned n);
/* All live rows of the block (not of a window). */
void skep_x__live(const struct skep_x_ctx *c, struct skep_x_bits *ret);
/* An intrinsic integer column as an array of c->n values (constants spread into buf). */
SKEP_NODISCARD skep_rc skep_x__ints(struct skep_x_ctx *c, enum skep_column col, int64_t *buf,
                                    const int64_t **ret, skep_err *err);

/* -- load.c -- */
/* Rows of `in` where r's integers lie in [lo, hi]; false when it cannot say without reading. */
bool skep_x__ints_between(struct skep_x_ctx *c, struct skep_colreader *r, int64_t lo, int64_t hi,
                          const struct skep_x_bits *in, struct skep_x_bits *ret);
/* Narrow bits to rows of the block where the integer column lies in [lo, hi]; false when its reader
 * cannot say without reading. */
bool skep_x__between(struct skep_x_ctx *c, enum skep_column col, int64_t lo, int64_t hi,
                     struct skep_x_bits *bits, skep_err *err);
SKEP_NODISCARD skep_rc skep_x__load(struct skep_x_ctx *c, struct skep_x_source *s,
                                    const struct skep_x_bits *in, struct skep_x_vals *ret,
                                    skep_err *err);
/* Rows of `in` that have a value in a field, by its presence alone; false: load it. */
bool skep_x__presence(struct skep_x_ctx *c, const struct skep_x_source *s,
                      const struct skep_x_bits *in, struct skep_x_bits *ret, skep_err *err);
/* The value of a name in one row of the block, by precedence; text may stand in buf[40]. */
SKEP_NODISCARD skep_rc skep_x__row_value(struct skep_x_ctx *c, uint32_t name, unsigned row,
                                         char *buf, skep_value *ret, enum skep_scope *ret_scope,
                                         skep_err *err);
enum skep_scope skep_x__source_scope(const struct skep_x_ctx *c, const struct skep_x_source *s);
/* The value of one present row; text may stand in buf[40]. */
skep_value skep_x__value(const struct skep_x_vals *v, unsigned row, char *buf);
size_t skep_x__hex16(const skep_trace_id *id, char *out);
size_t skep_x__hex8(uint64_t id, char *out);
size_t skep_x__rfc3339(skep_ts_ns ns, char *out);

/* Keep rows of the kinds (bits 1 << kind) on which a view exists. */
SKEP_NODISCARD skep_rc skep_x__keep_kinds(struct skep_x_ctx *c, uint32_t kinds,
                                          struct skep_x_bits *bits, skep_err *err);

/* Does a text of the list pass? */
bool skep_x__list_passes(const struct skep_x_test *x, const struct skep_rowset_lists *l,
                         uint32_t list);

/* Names what codes mean, for memos. */
static inline uint64_t skep_x__serial(const struct skep_x_ctx *c, const struct skep_x_vals *v)
{
    if (v->form == SKEP_X_DICT)
        return v->dict->serial;
    /* Lists belong to the rowset: the set's number, which no other binding of this context shares,
     * names them. */
    return v->serial ? v->serial : SKEP_X_LIST - c->set;
}

/* -- computed.c -- */
/* Fill in a computed name; names of its inputs are added.  Before there are contexts. */
void skep_x__compile_computed(struct skep_x_query *q, uint32_t name);
/* The sources of a computed name. */
void skep_x__computed_sources(struct skep_x_bound *b, uint32_t name);
/* skep_x__load of such a source. */
SKEP_NODISCARD skep_rc skep_x__load_computed(struct skep_x_ctx *c, const struct skep_x_source *s,
                                             const struct skep_x_bits *in, struct skep_x_vals *ret,
                                             skep_err *err);
void skep_x__computed_done(struct skep_x_ctx *c);
/* Of a computed name whose first source was loaded for these rows: have all of them a code there,
 * or no value? */
bool skep_x__computed_coded(const struct skep_x_ctx *c, uint32_t name,
                            const struct skep_x_bits *bits);

/* -- prune.c -- */
/* Can certainly none of the rows [row0, row0 + n), of one row group, pass?  NULL: no. */
bool skep_x__none(struct skep_x_ctx *c, const struct skep_x_expr *e, uint64_t row0, unsigned n);
/* The same for one source of the test's name. */
bool skep_x__source_none(struct skep_x_ctx *c, uint32_t test, struct skep_x_source *s,
                         uint64_t row0, unsigned n, skep_err *err);
/* Rows of `in` whose value in this source passes the (positive) test, without unpacking values;
 * false when that cannot be said. */
bool skep_x__direct(struct skep_x_ctx *c, const struct skep_x_test *x,
                    const struct skep_x_source *s, const struct skep_x_bits *in,
                    struct skep_x_bits *ret, skep_err *err);

/* -- conjunct.c -- */
/* Narrow bits to the rows that pass all operands of the AND. */
SKEP_NODISCARD skep_rc skep_x__filter_and(struct skep_x_ctx *c, const struct skep_x_expr *e,
                                          struct skep_x_bits *bits, skep_err *err);
/* A morsel begins. */
void skep_x__turns_reset(struct skep_x_ctx *c);

/* -- filter.c -- */
/* Narrow `bits`, rows of the block, to those that pass the query's filter. */
SKEP_NODISCARD skep_rc skep_x__filter_block(struct skep_x_ctx *c, struct skep_x_bits *bits,
                                            skep_err *err);
/* Narrow `bits` to the rows that pass. */
SKEP_NODISCARD skep_rc skep_x__filter(struct skep_x_ctx *c, const struct skep_x_expr *e,
                                      struct skep_x_bits *bits, skep_err *err);
/* Make a memo ready for n entries of `serial`; SKEP_ENOMEM over budget. */
SKEP_NODISCARD skep_rc skep_x__memo(struct skep_x_ctx *c, struct skep_x_memo *m, uint64_t serial,
                                    uint32_t n);
void skep_x__memo_done(struct skep_x_ctx *c, struct skep_x_memo *m);
/* Narrow `bits` to rows that start in the plan's range. */
SKEP_NODISCARD skep_rc skep_x__in_range(struct skep_x_ctx *c, struct skep_x_bits *bits,
                                        skep_err *err);
/* Live rows of the block inside the plan's range that pass the filter. */
SKEP_NODISCARD skep_rc skep_x__select(struct skep_x_ctx *c, struct skep_x_bits *ret, skep_err *err);

/* -- exec.c -- */
typedef skep_rc skep_x_morsel_fn(struct skep_x_ctx *c, const struct skep_x_morsel *m,
                                 skep_err *err);
/* Run fn over all morsels on the pool. */
SKEP_NODISCARD skep_rc skep_x__run(struct skep_x_query *q, skep_x_morsel_fn *fn, skep_err *err);
uint64_t skep_x__morsel_rows(const struct skep_x_query *q, const struct skep_x_morsel *m);
SKEP_NODISCARD skep_rc skep_x__plan_morsels(struct skep_x_query *q, skep_err *err);
/* Add morsels of blocks [first, end) of a set; ranged: without those outside the plan's range. */
SKEP_NODISCARD skep_rc skep_x__cut(struct skep_x_query *q, uint32_t set, uint64_t first,
                                   uint64_t end, bool ranged, skep_err *err);
/* Row ranges of a set that may hold one of the traces, ascending, not overlapping.  Freed by the
 * caller with skep_free. */
SKEP_NODISCARD skep_rc skep_x__trace_ranges(struct skep_x_query *q, uint32_t set,
                                            const skep_trace_id *ids, size_t n_ids,
                                            struct skep_row_range **ret, size_t *ret_n,
                                            skep_err *err);
/* Before each block: is the query stopped or canceled (looked at once a millisecond)?  Rests when
 * others must not wait.  Returns SKEP_OK | ECANCELED. */
SKEP_NODISCARD skep_rc skep_x__tick(struct skep_x_ctx *c, skep_err *err);
struct skep_x_ctx *skep_x__ctx_new(struct skep_x_query *q);
SKEP_NODISCARD skep_rc skep_x__take(struct skep_x_query *q, uint64_t bytes);
void skep_x__give(struct skep_x_query *q, uint64_t bytes);
bool skep_x__is_damage(skep_rc rc);
void skep_x__damaged(struct skep_x_query *q, size_t at, const skep_err *err);

/* -- group.c -- */
#define SKEP_X_NO_REL UINT32_MAX
struct skep_x_group {
    uint32_t name;
    uint32_t rel;                     /* SKEP_X_NO_REL: the row's own field */
    const struct skep_x_group_of *of; /* NULL: a plain field */
    struct skep_keys *keys;
    struct skep_x_memo *memos; /* by source */
    unsigned n_memos;
    uint32_t case_ids[SKEP_LIMIT_PLAN_CASES]; /* key id + 1, 0 = not known */
    struct skep_x_cache_entry cache[SKEP_X_CACHE];
};
SKEP_NODISCARD skep_rc skep_x__group_keys(struct skep_x_ctx *c, unsigned group,
                                          const struct skep_x_bits *bits, struct skep_ids *ret,
                                          skep_err *err);
/* The same of the row's own fields, whatever the group's relation. */
SKEP_NODISCARD skep_rc skep_x__own_keys(struct skep_x_ctx *c, unsigned group,
                                        const struct skep_x_bits *bits, struct skep_ids *ret,
                                        skep_err *err);
/* The same of any group. */
SKEP_NODISCARD skep_rc skep_x__keys_of(struct skep_x_ctx *c, struct skep_x_group *g,
                                       const struct skep_x_bits *bits, struct skep_ids *ret,
                                       skep_err *err);
void skep_x__group_done(struct skep_x_ctx *c, struct skep_x_group *g);
/* Compile what the plan's groups are besides fields.  Before there are contexts. */
void skep_x__compile_groups(struct skep_x_query *q);
/* The nth memo of a growing set. */
struct skep_x_memo *skep_x__nth_memo(struct skep_x_memo **memos, unsigned *n, unsigned at);

/* The id of a value; hash as skep_keys_get() wants it; SKEP_ENOMEM names what to narrow. */
SKEP_NODISCARD skep_rc skep_x__key(struct skep_x_ctx *c, unsigned group, const skep_value *v,
                                   uint64_t hash, uint32_t *ret, skep_err *err);

/* -- keep.c, pieces.c -- */
/* Look for kept partials of the snapshot's segments, before morsels are planned. */
void skep_x__keep_begin(struct skep_x_query *q);
/* The same of a plan with relations, when its morsels are planned and the cut is made: row groups
 * whose partial is kept lose their morsels, but for rows of cut traces.  Orders the morsels. */
SKEP_NODISCARD skep_rc skep_x__keep_planned(struct skep_x_query *q, skep_err *err);
/* Is the partial with the block's row group kept, so that it needs no morsel? */
bool skep_x__kept(const struct skep_x_query *q, uint32_t set, uint64_t block);
/* A worker begins a morsel. */
void skep_x__keep_enter(struct skep_x_ctx *c, const struct skep_x_morsel *m);
/* Groups of so many values of one row group: would a partial of the set be kept?  If not, it is
 * from now on as with skep_x__shards_go_direct. */
void skep_x__keep_many(struct skep_x_ctx *c, uint32_t values);
/* After a morsel: a partial that has grown large is added to the common one. */
SKEP_NODISCARD skep_rc skep_x__keep_spill(struct skep_x_ctx *c, skep_err *err);
/* After a run over the morsels: all contexts' and kept partials are the answer, or *ret_again: run
 * once more, for the groups that had to be put off.  Returns SKEP_OK | ENOMEM | ELIMIT; err may be
 * left alone. */
SKEP_NODISCARD skep_rc skep_x__keep_finish(struct skep_x_query *q, struct skep_answer *ret,
                                           bool *ret_again, skep_err *err);
void skep_x__keep_done(struct skep_x_query *q);

/* -- known.c -- */
/* Which rows pass the plan's filter may be kept: after compiling, before there are contexts. */
void skep_x__known_plan(struct skep_x_query *q);
/* A worker begins a morsel: what is known of its row group, good until it leaves. */
void skep_x__known_enter(struct skep_x_ctx *c, const struct skep_x_morsel *m);
/* The next row of the morsel that is known to pass, with time and id; *at is 0 at first.  False:
 * there is none. */
bool skep_x__known_hit(const struct skep_x_ctx *c, const struct skep_x_morsel *m, unsigned *at,
                       struct skep_x_hit *ret);
/* Are all rows of the block that pass among them? */
bool skep_x__known_named(const struct skep_x_ctx *c, uint64_t block);
/* Does no row of the morsel pass, which took no look at its blocks? */
bool skep_x__known_ruled_out(const struct skep_x_ctx *c, const struct skep_x_morsel *m);
/* Narrow bits, rows of the current block, to those that pass; false: filter them, and ... */
bool skep_x__known_narrow(struct skep_x_ctx *c, struct skep_x_bits *bits);
/* ... say which did. */
void skep_x__known_note(struct skep_x_ctx *c, const struct skep_x_bits *asked,
                        const struct skep_x_bits *passed);
/* ROWS: are the rows that passed just now to be added, all of them? */
bool skep_x__known_wants(const struct skep_x_ctx *c);
void skep_x__known_add(struct skep_x_ctx *c, const struct skep_x_hit *h);
/* No row of the morsel passes; it ends. */
void skep_x__known_none(struct skep_x_ctx *c, const struct skep_x_morsel *m);
/* The morsel was looked at without an error: what was found is kept. */
void skep_x__known_leave(struct skep_x_ctx *c);
void skep_x__known_done(struct skep_x_ctx *c);

/* -- kept_rows.c -- */
struct skep_x_kept_rows {
    struct skep_x_query *q;
    bool able;
    struct skep_buf key;
    size_t columns_bytes; /* of it */
};
/* Before an answer of n rows is made. */
void skep_x__kept_rows_begin(struct skep_x_kept_rows *k, struct skep_x_query *q, size_t n);
void skep_x__kept_rows_done(struct skep_x_kept_rows *k);
/* What is kept of the row there, held: skep_partials_let_go; NULL = nothing. */
const struct skep_partials_entry *skep_x__kept_row(struct skep_x_kept_rows *k,
                                                   const struct skep_x_hit *hit);
/* The row of what is kept, copied to to[kept.n], aligned as any type. */
struct skep_row skep_x__kept_row_read(skep_bytes kept, uint8_t *to);
void skep_x__keep_row(struct skep_x_kept_rows *k, const struct skep_x_hit *hit,
                      const struct skep_row *row);

/* -- shards.c -- */
void skep_x__shards_new(struct skep_x_query *q);
void skep_x__shards_done(struct skep_x_query *q);
/* Was something added?  Not while workers run. */
bool skep_x__shards_used(const struct skep_x_query *q);
/* The shards that take part, as skep_partial_restrict() wants them. */
uint64_t skep_x__shards_open(const struct skep_x_query *q);
/* Is much of the query's memory taken? */
bool skep_x__short(const struct skep_x_query *q);
/* Add a partial's groups; src is unchanged.  Returns SKEP_OK | ENOMEM | ELIMIT. */
SKEP_NODISCARD skep_rc skep_x__shards_add(struct skep_x_query *q, struct skep_partial *src);
/* How items that were sorted by shard are added to the table of theirs. */
struct skep_x_feed {
    skep_rc (*add)(void *arg, struct skep_partial *p, uint32_t first, unsigned n);
    skep_rc (*count)(void *arg, struct skep_counts *counts, uint32_t first, unsigned n);
    void *arg;
};
/* Add items [first[s], first[s + 1]) to the table of each shard s. */
SKEP_NODISCARD skep_rc skep_x__shards_feed(struct skep_x_query *q,
                                           const uint32_t first[SKEP_AGG_SHARDS + 1],
                                           const struct skep_x_feed *feed);
/* Are the shards' tables counts? */
bool skep_x__shards_counted(const struct skep_x_query *q);
/* Are counts of many values added to the shards at once?  A worker's own table of them would save
 * nothing.  Where they are counted only. */
bool skep_x__shards_direct(const struct skep_x_query *q);
void skep_x__shards_go_direct(struct skep_x_query *q);
/* Some row stands for others. */
void skep_x__shards_estimated(struct skep_x_query *q);
/* Put groups off when memory is short. */
void skep_x__shards_ease(struct skep_x_query *q);
/* When all rows were added: finish the groups that took part.  *ret_again: others do now. */
SKEP_NODISCARD skep_rc skep_x__shards_pass(struct skep_x_query *q, bool *ret_again, skep_err *err);
/* What was finished; the caller's. */
void skep_x__shards_answer(struct skep_x_query *q, struct skep_answer *ret);

/* -- tally.c -- */
/* Count blocks [block, end) of one row group, all of whose rows are selected and lie in `bucket`,
 * by code; *ret_done false: it cannot be done that way.  What was counted is in the partial after
 * settling, which every morsel ends with. */
SKEP_NODISCARD skep_rc skep_x__tally(struct skep_x_ctx *c, uint64_t block, uint64_t end,
                                     uint32_t bucket, bool *ret_done, skep_err *err);
SKEP_NODISCARD skep_rc skep_x__tally_settle(struct skep_x_ctx *c, skep_err *err);
/* At the end of a morsel, however it ended: what is not settled is thrown away. */
void skep_x__tally_leave(struct skep_x_ctx *c);
void skep_x__tally_done(struct skep_x_ctx *c);
/* May values of the source have codes (rowset.h)? */
bool skep_x__may_have_codes(const struct skep_x_source *s);
/* Codes of row0's row group, and their reader; NULL: they have none, or there is an error. */
struct skep_colreader *skep_x__coded(struct skep_x_ctx *c, const struct skep_x_source *s,
                                     uint64_t row0, struct skep_coded *ret, skep_err *err);
/* What a code stands for (type NULL: nothing), and the hash of that. */
skep_value skep_x__code_value(const struct skep_x_source *s, const struct skep_coded *coded,
                              uint32_t code);
uint64_t skep_x__code_hash(const struct skep_x_source *s, const struct skep_coded *coded,
                           uint32_t code, const skep_value *v);
/* The weight that all of the rows have; false when they differ or it is not known. */
bool skep_x__one_weight(struct skep_x_ctx *c, uint64_t row0, unsigned n, int64_t *ret);

/* -- relate*.c -- */
/* Compile a relation whose kid is compiled already. */
uint32_t skep_x__rel(struct skep_x_query *q, enum skep_relation how, struct skep_x_expr *kid,
                     bool first);
/* That a field of the root or parent has the row's own value. */
uint32_t skep_x__rel_same(struct skep_x_query *q, enum skep_relation how, skep_str name);
/* The relation behind a field of a group or aggregate; SKEP_X_NO_REL for the row's own. */
uint32_t skep_x__rel_field(struct skep_x_query *q, const struct skep_field_ref *f);
/* After the morsels are planned: gather cut traces, keep giants in one morsel. */
SKEP_NODISCARD skep_rc skep_x__relate(struct skep_x_query *q, skep_err *err);
/* Before a morsel is looked at: answer all relations for its rows. */
SKEP_NODISCARD skep_rc skep_x__relate_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m,
                                             skep_err *err);
/* The same of the fields of relatives, when the context has its partial. */
SKEP_NODISCARD skep_rc skep_x__relate_values(struct skep_x_ctx *c, skep_err *err);
/* The number of the block in the window; UINT64_MAX: it is not in it. */
uint64_t skep_x__window_at(const struct skep_x_ctx *c);
/* Narrow bits to the rows of the block that the morsel is about (c->only). */
void skep_x__only(const struct skep_x_ctx *c, struct skep_x_bits *bits);
/* The rows of a set that are of cut traces, ascending: *ret[*ret_n]. */
void skep_x__cut_rows(const struct skep_x_query *q, uint32_t set, const uint32_t **ret,
                      uint32_t *ret_n);
/* Narrow bits to the rows for which the relation holds. */
void skep_x__related(const struct skep_x_ctx *c, uint32_t rel, struct skep_x_bits *bits);
/* Keys of a group of relatives. */
SKEP_NODISCARD skep_rc skep_x__related_keys(struct skep_x_ctx *c, unsigned group,
                                            const struct skep_x_bits *bits, struct skep_ids *ret,
                                            skep_err *err);
/* Feed a state with the relatives' values. */
SKEP_NODISCARD skep_rc skep_x__related_add(struct skep_x_ctx *c, unsigned state,
                                           const struct skep_x_bits *bits, struct skep_agg_in *in,
                                           skep_err *err);
void skep_x__relate_ctx_done(struct skep_x_ctx *c);
/* The context's partial goes: forget the ids of its keys. */
void skep_x__relate_forget(struct skep_x_ctx *c);
void skep_x__relate_done(struct skep_x_query *q);

/* -- aggregate.c, rows.c, traces.c, lists.c -- */
/* Add to a state of the context's partial. */
SKEP_NODISCARD skep_rc skep_x__add(struct skep_x_ctx *c, unsigned state,
                                   const struct skep_agg_in *in, skep_err *err);
/* Pieces of spans, collected until there are enough for one add(). */
struct skep_x_pieces {
    unsigned state, n;
    struct skep_ids cells;
    int64_t ns[SKEP_BLOCK_ROWS], weights[SKEP_BLOCK_ROWS];
};

struct skep_x_agg_scratch {
    struct skep_x_pieces pieces;
    struct skep_ids buckets, tuples, cells;
    uint16_t rows[SKEP_BLOCK_ROWS], some_rows[SKEP_BLOCK_ROWS];
    int64_t weights[SKEP_BLOCK_ROWS], time[SKEP_BLOCK_ROWS], duration[SKEP_BLOCK_ROWS];
    int64_t i64[SKEP_BLOCK_ROWS];
    double f64[SKEP_BLOCK_ROWS];
    uint64_t hashes[SKEP_BLOCK_ROWS];
    struct skep_ids keys[]; /* [n_groups + 1] */
};
/* seen.c: add the rows' values, of a dictionary, to a COUNT_DISTINCT; *ret_done stays false: not by
 * code. */
SKEP_NODISCARD skep_rc skep_x__add_codes(struct skep_x_ctx *c, unsigned state,
                                         const struct skep_x_vals *v, struct skep_sel sel,
                                         struct skep_agg_in *in, bool *ret_done, skep_err *err);
/* The context's partial goes. */
void skep_x__seen_done(struct skep_x_ctx *c);
/* The context's partial, groups and scratch, made once. */
SKEP_NODISCARD skep_rc skep_x__prepare(struct skep_x_ctx *c, skep_err *err);
/* Weights of the rows: *ret_weights NULL when all are *ret_weight. */
SKEP_NODISCARD skep_rc skep_x__row_weights(struct skep_x_ctx *c, struct skep_sel sel,
                                           const int64_t **ret_weights, int64_t *ret_weight,
                                           skep_err *err);
/* rc with a message that says what to narrow. */
skep_rc skep_x__fail_memory(skep_rc rc, struct skep_x_ctx *c, skep_err *err);
skep_rc skep_x__aggregate(struct skep_x_query *q, struct skep_answer *ret, skep_err *err);
void skep_x__aggregate_done(struct skep_x_ctx *c);
skep_rc skep_x__plan_rows(struct skep_x_query *q, struct skep_answer *ret, skep_err *err);
skep_rc skep_x__plan_trace(struct skep_x_query *q, struct skep_answer *ret, skep_err *err);
skep_rc skep_x__plan_row(struct skep_x_query *q, struct skep_answer *ret, skep_err *err);
skep_rc skep_x__plan_traces(struct skep_x_query *q, struct skep_answer *ret, skep_err *err);
skep_rc skep_x__plan_fields(struct skep_x_query *q, struct skep_answer *ret, skep_err *err);
skep_rc skep_x__plan_facets(struct skep_x_query *q, struct skep_answer *ret, skep_err *err);
skep_rc skep_x__plan_datasets(struct skep_x_query *q, struct skep_answer *ret, skep_err *err);
/* -1, 0, 1 by sequence, then ordinal. */
int skep_x__id_order(skep_row_id a, skep_row_id b);
/* Put a hit into c->hits[], which may grow to any size. */
SKEP_NODISCARD skep_rc skep_x__push_hit(struct skep_x_ctx *c, struct skep_x_hit h, skep_err *err);
/* mask.c: fills skep_x_query.shared, masks by set. */
SKEP_NODISCARD skep_rc skep_x__plan_mask(struct skep_x_query *q, skep_err *err);
/* fill.c: rows at hits[n], in that order, into the arena; rows that cannot be read are left out. */
SKEP_NODISCARD skep_rc skep_x__fill(struct skep_x_query *q, const struct skep_x_hit *hits, size_t n,
                                    struct skep_rows *ret, skep_err *err);
