// SPDX-License-Identifier: Apache-2.0
/* What an operator relies on: verify names every flipped bit and nothing else, a directory can be
 * looked at while it is owned, and what is lost stays said. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/column/segment.h"
#include "store/column/segment_check.h"
#include "store/tools.h"
#include "support/fault_os.h"
#include "support/store_client.h"

#define DIR "/data"
#define NOW (1790000000ll * 1000000000)

/* --- a store of three segments and a log ------------------------------------------------------ */

struct world {
    struct mem_os *mem;
    const struct skep_os *os;
    struct skep_column_config cfg;
    struct rnd rnd;
    struct rowlist want;
    struct commit {
        struct rowlist rows;
    } commits[64]; /* by number */
    uint64_t n_rows, n_commits;
    int64_t tag;
    bool logs; /* append logs, not spans */
};

static struct skep_store *open_store(struct world *w)
{
    struct skep_store *s = NULL;
    skep_err err;
    if (skep_column_open(&w->cfg, &s, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    return s;
}

static void append(struct world *w, struct skep_store *s, uint32_t n)
{
    struct skep_batch *b = random_batch(&w->rnd, n, NOW, w->tag += 100000);
    uint64_t seq = skep_engine_of(s)->next_seq;
    /* A commit of one layout: it is in one segment. */
    for (uint32_t i = 0; i < n; i++)
        b->kind[i] =
            (uint8_t)(w->logs ? SKEP_KIND_LOG + b->kind[i] % 2 : SKEP_KIND_SPAN + b->kind[i] % 3);
    rowlist_add_batch(&w->want, b, seq);
    assert_true(seq < SKEP_ARRAY_LEN(w->commits));
    rowlist_add_batch(&w->commits[seq].rows, b, seq);
    w->n_commits = seq;
    struct client_result c = client_append(s, b);
    assert_int_equal(c.rc, SKEP_OK);
    w->n_rows += n;
}

static void flush(struct skep_store *s)
{
    skep_err err;
    if (s->ops->flush(s, &err) != SKEP_OK)
        fail_msg("flush: %s", err.text);
}

static void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.mem = mem_os_new(seed), .rnd = {seed}};
    w->os = mem_os_ops(w->mem);
    w->cfg = client_config(w->os, DIR);
}

static void world_done(struct world *w)
{
    rowlist_done(&w->want);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(w->commits); i++)
        rowlist_done(&w->commits[i].rows);
    mem_os_free(w->mem);
}

static void fill(struct world *w, unsigned n_segments, unsigned n_commits)
{
    struct skep_store *s = open_store(w);
    for (unsigned i = 0; i < n_segments; i++) {
        w->logs = i == 1;
        append(w, s, 150);
        append(w, s, 40);
        flush(s);
    }
    w->logs = false;
    for (unsigned i = 0; i < n_commits; i++)
        append(w, s, 20 + i);
    s->ops->close(s);
}

/* --- verify ----------------------------------------------------------------------------------- */

struct found {
    unsigned damages, notes;
    char file[64], text[200]; /* of the first damage */
    uint64_t offset, min_seq, max_seq;
};

static void on_found(void *ctx, const struct skep_finding *f)
{
    struct found *x = ctx;
    if (f->level == SKEP_FINDING_NOTE) {
        x->notes++;
        return;
    }
    if (x->damages++ > 0)
        return;
    (void)snprintf(x->file, sizeof x->file, SKEP_STRFMT, SKEP_STRARG(f->file));
    (void)snprintf(x->text, sizeof x->text, SKEP_STRFMT, SKEP_STRARG(f->text));
    x->offset = f->offset;
    x->min_seq = f->min_seq;
    x->max_seq = f->max_seq;
}

static struct skep_verify_result verify(struct world *w, struct found *f)
{
    const struct skep_tool t = {.os = w->os, .found = on_found, .ctx = f};
    struct skep_verify_result r = {0};
    skep_err err;
    *f = (struct found){0};
    if (skep_tool_verify(&t, DIR, &r, &err) != SKEP_OK)
        fail_msg("verify: %s", err.text);
    assert_int_equal(r.damages, f->damages);
    return r;
}

static void expect_clean(struct world *w)
{
    struct found f;
    struct skep_verify_result r = verify(w, &f);
    if (f.damages)
        fail_msg("%s at %" PRIu64 ": %s", f.file, f.offset, f.text);
    assert_int_equal(r.rows, w->n_rows);
}

struct files {
    char path[32][64];
    unsigned n;
    const char *sub;
};

static bool note_file(void *ctx, skep_str name)
{
    struct files *f = ctx;
    assert_true(f->n < 32);
    (void)snprintf(f->path[f->n++], sizeof f->path[0], "%s" SKEP_STRFMT, f->sub, SKEP_STRARG(name));
    return true;
}

static void list_files(struct world *w, struct files *f)
{
    *f = (struct files){.sub = "seg/"};
    assert_int_equal(w->os->list(w->os, DIR "/seg", note_file, f, NULL), SKEP_OK);
    f->sub = "wal/";
    assert_int_equal(w->os->list(w->os, DIR "/wal", note_file, f, NULL), SKEP_OK);
    (void)snprintf(f->path[f->n++], sizeof f->path[0], "MANIFEST");
}

static uint64_t size_of(struct world *w, const char *name)
{
    struct skep_os_stat st;
    char path[128];
    (void)snprintf(path, sizeof path, DIR "/%s", name);
    assert_int_equal(w->os->stat(w->os, path, &st, NULL), SKEP_OK);
    return st.size_bytes;
}

static void flip(struct world *w, const char *name, uint64_t bit)
{
    char path[128];
    (void)snprintf(path, sizeof path, DIR "/%s", name);
    assert_true(mem_os_flip(w->mem, path, bit));
}

/* Every bit of every file is under a check, and the check names the file. */
static void test_flips(void **state)
{
    (void)state;
    struct world w;
    struct files files;
    world_init(&w, 11);
    fill(&w, 3, 5);
    expect_clean(&w);
    list_files(&w, &files);
    unsigned n_flips = 0;
    for (unsigned i = 0; i < files.n; i++) {
        uint64_t bits = size_of(&w, files.path[i]) * 8;
        for (unsigned k = 0; k < 150 && bits > 0; k++) {
            uint64_t bit = rnd_u64(&w.rnd) % bits;
            struct found f;
            flip(&w, files.path[i], bit);
            (void)verify(&w, &f);
            if (f.damages == 0)
                fail_msg("bit %" PRIu64 " of %s is not missed", bit, files.path[i]);
            /* A hole in the log may show where the next file begins. */
            if (memcmp(files.path[i], "wal/", 4) == 0)
                assert_memory_equal(f.file, "wal/", 4);
            else if (strcmp(files.path[i], f.file) != 0)
                fail_msg("bit %" PRIu64 " of %s: told of %s: %s", bit, files.path[i], f.file,
                         f.text);
            flip(&w, files.path[i], bit);
            n_flips++;
        }
    }
    assert_true(n_flips >= 5 * 150);
    expect_clean(&w);
    world_done(&w);
}

/* A commit in the middle of the log is named by its number. */
static void test_log_names_commits(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files files;
    world_init(&w, 12);
    fill(&w, 0, 5);
    list_files(&w, &files);
    const char *log = files.path[0];
    assert_memory_equal(log, "wal/", 4);
    flip(&w, log, (64 + 48 + 100) * 8); /* in the first payload */
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 1);
    assert_int_equal(f.offset, 64);
    assert_int_equal(f.min_seq, 1);
    assert_int_equal(f.max_seq, 1);
    world_done(&w);
}

/* --- read-only -------------------------------------------------------------------------------- */

static void expect_rows(struct world *w, struct skep_store *s)
{
    struct rowlist got = client_rows(s);
    rowlist_sort(&w->want);
    rowlist_expect(&got, &w->want);
    rowlist_done(&got);
}

static void test_read_only(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    world_init(&w, 14);
    fill(&w, 2, 3);
    struct skep_store *owner = open_store(&w);
    append(&w, owner, 33); /* not flushed: only in the log */
    uint64_t used = mem_os_used(w.mem);
    struct skep_column_config cfg = w.cfg;
    cfg.read_only = true;
    struct skep_store *s;
    skep_err err;
    if (skep_column_open(&cfg, &s, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    expect_rows(&w, s);
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_true(st.read_only);
    assert_int_equal(st.rows_live, w.n_rows);
    struct client_result c = client_append(s, random_batch(&w.rnd, 5, NOW, 1));
    assert_int_equal(c.rc, SKEP_EFORBIDDEN);
    assert_int_equal(s->ops->flush(s, &err), SKEP_EFORBIDDEN);
    s->ops->close(s);
    assert_int_equal(mem_os_used(w.mem), used);
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 0);
    expect_rows(&w, owner); /* and it works on */
    append(&w, owner, 7);
    owner->ops->close(owner);
    struct skep_store *again = open_store(&w);
    expect_rows(&w, again);
    again->ops->close(again);
    world_done(&w);
}

static void test_read_only_of_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 15);
    struct skep_column_config cfg = w.cfg;
    cfg.read_only = true;
    struct skep_store *s;
    skep_err err;
    assert_int_equal(skep_column_open(&cfg, &s, &err), SKEP_ENOTFOUND);
    assert_int_equal(mem_os_used(w.mem), 0);
    world_done(&w);
}

/* --- what is lost ------------------------------------------------------------------------------
 */

static struct skep_answer count(struct skep_store *s, struct skep_arena *arena, skep_ts_ns from,
                                skep_ts_ns to)
{
    const struct skep_plan plan = {.kind = SKEP_PLAN_DATASETS, .range = {from, to}};
    const struct skep_run_opts opts = {.arena = arena};
    struct skep_answer a = {0};
    skep_err err;
    if (skep_store_run(s, &plan, &opts, &a, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return a;
}

/* A lost commit is said by every answer, after a flush and a restart too, until it is past the
 * retention. */
static void test_losses_stay_said(void **state)
{
    (void)state;
    struct world w;
    struct files files;
    struct skep_arena arena;
    world_init(&w, 16);
    fill(&w, 0, 5);
    list_files(&w, &files);
    flip(&w, files.path[0], (64 + 48 + 100) * 8);
    skep_arena_init(&arena, "test", NULL);
    for (unsigned round = 0; round < 3; round++) {
        struct skep_store *s = open_store(&w);
        struct skep_answer a = count(s, &arena, 0, INT64_MAX);
        assert_false(a.complete);
        assert_true(skep_str_find(a.missing, SKEP_STR("commit 1,")) != SIZE_MAX);
        struct skep_store_stats st;
        s->ops->stats(s, &st);
        assert_int_equal(st.losses, 1);
        if (round == 1)
            flush(s); /* the damaged file goes */
        s->ops->close(s);
    }
    struct found f;
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 0);
    assert_int_equal(f.notes, 1);

    /* The clock of the double is the real one: a nanosecond of retention is past at once. */
    w.cfg.retain_ns = 1;
    struct skep_store *s = open_store(&w);
    flush(s); /* without background threads it expires, too */
    struct skep_answer a = count(s, &arena, 0, INT64_MAX);
    assert_true(a.complete);
    s->ops->close(s);
    skep_arena_done(&arena);
    world_done(&w);
}

/* --- repair ------------------------------------------------------------------------------------
 */

static struct skep_repair_result repair(struct world *w, const struct skep_repair_opts *opts,
                                        struct found *f)
{
    const struct skep_tool t = {.os = w->os, .found = on_found, .ctx = f};
    struct skep_repair_result r = {0};
    skep_err err;
    *f = (struct found){0};
    if (skep_tool_repair(&t, DIR, opts, &r, &err) != SKEP_OK)
        fail_msg("repair: %s", err.text);
    return r;
}

/* Is this row of the sorted list there? */
static bool in_list(const struct rowlist *l, const char *row)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(l->rows[mid], row);
        if (c == 0)
            return true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static bool is_recorded(struct skep_store *s, uint64_t seq)
{
    const struct skep_missing_list *l = &skep_engine_of(s)->missing;
    for (unsigned i = 0; i < l->n; i++)
        if (seq >= l->items[i].min_seq && seq <= l->items[i].max_seq)
            return true;
    return false;
}

/* Each commit is there whole or not at all, nothing else is there, and what is not there is said.
 * Returns how many commits are not. */
static unsigned expect_rest(struct world *w, uint64_t torn_from)
{
    struct skep_arena arena;
    struct skep_store *s = open_store(w);
    struct rowlist got = client_rows(s);
    unsigned n_absent = 0, n_said = 0;
    size_t n_rows = 0;
    for (uint64_t seq = 1; seq <= w->n_commits; seq++) {
        const struct rowlist *c = &w->commits[seq].rows;
        bool first = in_list(&got, c->rows[0]);
        for (size_t i = 0; i < c->n; i++)
            if (in_list(&got, c->rows[i]) != first)
                fail_msg("commit %" PRIu64 " is there in part", seq);
        n_rows += first ? c->n : 0;
        if (first)
            continue;
        n_absent++;
        bool said = is_recorded(s, seq);
        n_said += said;
        if (!said && seq < torn_from)
            fail_msg("commit %" PRIu64 " is gone and nothing says so", seq);
    }
    assert_int_equal(got.n, n_rows);
    skep_arena_init(&arena, "test", NULL);
    struct skep_answer a = count(s, &arena, 0, INT64_MAX);
    if (n_said > 0)
        assert_false(a.complete);
    skep_arena_done(&arena);
    rowlist_done(&got);
    s->ops->close(s);
    return n_absent;
}

/* A bit of any file: repair serves all that was not in the damaged piece. */
static void test_repair_flips(void **state)
{
    (void)state;
    unsigned n_lost = 0, n_kept = 0;
    for (unsigned round = 0; round < 120; round++) {
        struct world w;
        struct files files;
        struct found f;
        world_init(&w, 100 + round);
        fill(&w, 3, 5);
        list_files(&w, &files);
        const char *file = files.path[round % files.n];
        uint64_t size = size_of(&w, file);
        if (size > 0)
            flip(&w, file, rnd_u64(&w.rnd) % (size * 8));
        const struct skep_repair_opts opts = {.memory = NULL};
        (void)repair(&w, &opts, &f);
        (void)verify(&w, &f);
        if (f.damages)
            fail_msg("round %u, %s: after repair: %s: %s", round, file, f.file, f.text);
        unsigned lost = expect_rest(&w, w.n_commits);
        /* Three segments of two commits each, five commits in the log. */
        if (memcmp(file, "seg/", 4) == 0)
            assert_true(lost == 0 || lost == 2);
        else if (memcmp(file, "wal/", 4) == 0)
            assert_true(lost <= 1);
        else
            assert_int_equal(lost, 0);
        n_lost += lost > 0;
        n_kept += lost == 0;
        world_done(&w);
    }
    assert_true(n_lost > 20 && n_kept > 20);
}

static void test_repair_without_manifest(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    world_init(&w, 21);
    fill(&w, 3, 4);
    assert_int_equal(w.os->unlink(w.os, DIR "/MANIFEST", NULL), SKEP_OK);
    struct skep_store *s;
    skep_err err;
    assert_int_equal(skep_column_open(&w.cfg, &s, &err), SKEP_ECORRUPT);
    const struct skep_repair_opts dry = {.dry_run = true}, wet = {.dry_run = false};
    struct skep_repair_result r = repair(&w, &dry, &f);
    assert_true(r.manifest_rebuilt);
    assert_int_equal(skep_column_open(&w.cfg, &s, &err), SKEP_ECORRUPT); /* nothing was done */
    r = repair(&w, &wet, &f);
    assert_true(r.manifest_rebuilt);
    assert_int_equal(r.rows, w.n_rows);
    assert_int_equal(f.damages, 0);
    expect_clean(&w);
    assert_int_equal(expect_rest(&w, UINT64_MAX), 0);
    world_done(&w);
}

static void test_repair_of_an_owned_directory(void **state)
{
    (void)state;
    struct world w;
    struct found f = {0};
    world_init(&w, 22);
    fill(&w, 1, 1);
    struct skep_store *owner = open_store(&w);
    const struct skep_tool t = {.os = w.os, .found = on_found, .ctx = &f};
    const struct skep_repair_opts opts = {.dry_run = false};
    struct skep_repair_result r;
    skep_err err;
    assert_int_equal(skep_tool_repair(&t, DIR, &opts, &r, &err), SKEP_EEXISTS);
    owner->ops->close(owner);
    (void)repair(&w, &opts, &f);
    assert_int_equal(expect_rest(&w, UINT64_MAX), 0);
    world_done(&w);
}

/* Rows the ledger says were stored, and are neither live nor gone for a reason. */
static uint64_t ledger_lacks(struct skep_store *s)
{
    struct skep_store_ledger l;
    int64_t lacks = 0;
    s->ops->ledger(s, 0, true, &l);
    assert_int_equal(l.unread_rows, 0);
    for (size_t i = 0; i < l.counts.n; i++) {
        struct skep_ledger_key k;
        assert_true(skep_ledger_unpack(l.counts.items[i].key, &k));
        if (k.what == SKEP_LEDGER_STORED_ROWS)
            lacks += (int64_t)l.counts.items[i].n;
        else if (k.what == SKEP_LEDGER_LIVE_ROWS || k.what == SKEP_LEDGER_EXPIRED_ROWS ||
                 k.what == SKEP_LEDGER_DELETED_ROWS || k.what == SKEP_LEDGER_SUPERSEDED_ROWS)
            lacks -= (int64_t)l.counts.items[i].n;
    }
    skep_ledger_done(&l.counts);
    assert_true(lacks >= 0);
    return (uint64_t)lacks;
}

/* Two row groups, one damaged: the other one's rows are served, to the row. */
static void test_repair_saves_row_groups(void **state)
{
    (void)state;
    enum { ROWS = 70000, STEP = 10000 };
    struct world w;
    struct found f;
    struct files files;
    world_init(&w, 23);
    struct skep_store *s = open_store(&w);
    for (unsigned i = 0; i < ROWS / STEP; i++)
        append(&w, s, STEP);
    flush(s);
    s->ops->close(s);
    list_files(&w, &files);
    flip(&w, files.path[0], 40 * 8); /* the first chunk is of the first row group */
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 1);
    const struct skep_repair_opts opts = {.memory = NULL};
    struct skep_repair_result r = repair(&w, &opts, &f);
    assert_int_equal(r.segments_saved, 1);
    assert_int_equal(r.lost_rows, 65536);
    assert_int_equal(r.rows, ROWS - 65536);
    (void)verify(&w, &f);
    if (f.damages)
        fail_msg("%s: %s", f.file, f.text);
    s = open_store(&w);
    struct rowlist got = client_rows(s);
    rowlist_sort(&w.want);
    assert_int_equal(got.n, ROWS - 65536);
    for (size_t i = 0; i < got.n; i++)
        assert_true(in_list(&w.want, got.rows[i]));
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_int_equal(st.lost_rows, 65536);
    assert_int_equal(st.stored_rows, st.rows_live + st.lost_rows);
    assert_int_equal(ledger_lacks(s), 65536);
    rowlist_done(&got);
    s->ops->close(s);
    /* An operator settles it. */
    const struct skep_repair_opts forget = {.forget = true};
    r = repair(&w, &forget, &f);
    assert_int_equal(r.forgotten, 1);
    s = open_store(&w);
    s->ops->stats(s, &st);
    assert_int_equal(st.losses, 0);
    assert_int_equal(st.stored_rows, st.rows_live + st.expired_rows);
    assert_int_equal(ledger_lacks(s), 0);
    s->ops->close(s);
    world_done(&w);
}

/* The same where retention settles it: what came is kept, what was lost is past. */
static void test_retention_settles_the_ledger(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files files;
    struct skep_store_stats st;
    world_init(&w, 24);
    fill(&w, 2, 1);
    list_files(&w, &files);
    for (unsigned i = 0; i < files.n; i++)
        if (skep_str_ends(skep_str_c(files.path[i]), SKEP_STR(".seg"))) {
            flip(&w, files.path[i], 40 * 8);
            break;
        }
    const struct skep_repair_opts opts = {.memory = NULL};
    struct skep_repair_result r = repair(&w, &opts, &f);
    struct skep_store *s = open_store(&w);
    assert_true(r.lost_rows > 0);
    assert_int_equal(ledger_lacks(s), r.lost_rows);
    s->ops->close(s);
    w.cfg.retain_ns = 1;
    s = open_store(&w);
    flush(s); /* without background threads it expires, too */
    s->ops->stats(s, &st);
    assert_int_equal(st.losses, 0);
    assert_int_equal(ledger_lacks(s), 0);
    s->ops->close(s);
    w.cfg.retain_ns = 0;
    s = open_store(&w);
    assert_int_equal(ledger_lacks(s), 0);
    s->ops->close(s);
    world_done(&w);
}

/* --- deleted rows -------------------------------------------------------------------------------
 */

enum { DELETED = 10 };

static int64_t *tags_of(struct world *w, size_t *ret_n)
{
    struct skep_store *s = open_store(w);
    int64_t *tags = client_tags(s, "tag", ret_n);
    s->ops->close(s);
    return tags;
}

/* The first rows of a commit: its tags begin at 100,000 times its number. */
static void delete_some(struct skep_store *s, int64_t commit)
{
    const skep_value from = {.type = SKEP_TYPE_INT, .i = commit * 100000};
    const skep_value to = {.type = SKEP_TYPE_INT, .i = commit * 100000 + DELETED};
    struct skep_expr tests[2] = {
        {.op = SKEP_EXPR_TEST,
         .test = {.field = {SKEP_STR("tag")}, .op = SKEP_CMP_GE, .values = &from, .n_values = 1}},
        {.op = SKEP_EXPR_TEST,
         .test = {.field = {SKEP_STR("tag")}, .op = SKEP_CMP_LT, .values = &to, .n_values = 1}}};
    struct skep_expr *const kids[2] = {&tests[0], &tests[1]};
    const struct skep_expr both = {.op = SKEP_EXPR_AND, .kids = kids, .n_kids = 2};
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_ROWS, .range = {INT64_MIN, INT64_MAX}, .filter = &both};
    const struct skep_delete_opts opts = {.dry_run = false};
    uint64_t rows;
    skep_err err;
    if (skep_store_delete(s, &plan, &opts, &rows, &err) != SKEP_OK)
        fail_msg("delete: %s", err.text);
    assert_int_equal(rows, DELETED);
}

/* Three segments, the first and the last with dead rows. */
static void fill_and_delete(struct world *w)
{
    fill(w, 3, 4);
    struct skep_store *s = open_store(w);
    delete_some(s, 1);
    delete_some(s, 5);
    append(w, s, 30);
    flush(s);
    s->ops->close(s);
}

static void test_files_of_their_own(void **state)
{
    (void)state;
    struct world w;
    struct files files;
    world_init(&w, 13);
    fill_and_delete(&w);
    list_files(&w, &files);
    for (unsigned i = 0; i < files.n; i++) {
        struct found f = {0};
        const struct skep_tool t = {.os = w.os, .found = on_found, .ctx = &f};
        struct skep_verify_result r;
        char path[128];
        skep_err err;
        (void)snprintf(path, sizeof path, DIR "/%s", files.path[i]);
        assert_int_equal(skep_tool_verify_file(&t, path, &r, &err), SKEP_OK);
        if (f.damages)
            fail_msg("%s: %s", path, f.text);
        assert_int_equal(r.files, 1);
    }
    world_done(&w);
}

static bool has_tag(const int64_t *tags, size_t n, int64_t tag)
{
    for (size_t i = 0; i < n; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

static unsigned list_lives(struct world *w, struct files *ret)
{
    struct files all;
    list_files(w, &all);
    *ret = (struct files){.n = 0};
    for (unsigned i = 0; i < all.n; i++)
        if (skep_str_ends(skep_str_c(all.path[i]), SKEP_STR(".live")))
            memcpy(ret->path[ret->n++], all.path[i], sizeof all.path[i]);
    return ret->n;
}

/* Without its manifest a store is the same again: what was deleted stays deleted. */
static void test_repair_keeps_deletes(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files lives;
    size_t n, again;
    world_init(&w, 31);
    fill_and_delete(&w);
    int64_t *before = tags_of(&w, &n);
    assert_true(list_lives(&w, &lives) > 0);
    assert_int_equal(n, w.n_rows - 2 * DELETED);
    (void)verify(&w, &f);
    if (f.damages)
        fail_msg("%s: %s", f.file, f.text);
    assert_int_equal(w.os->unlink(w.os, DIR "/MANIFEST", NULL), SKEP_OK);
    const struct skep_repair_opts opts = {.dry_run = false};
    struct skep_repair_result r = repair(&w, &opts, &f);
    assert_int_equal(r.undeleted_rows, 0);
    int64_t *after = tags_of(&w, &again);
    assert_int_equal(again, n);
    assert_memory_equal(after, before, n * sizeof *before);
    skep_free(before);
    skep_free(after);
    world_done(&w);
}

/* A damaged file of live rows is named; repair keeps the segment and says how many rows are back.
 */
static void test_damaged_live_rows(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files lives;
    size_t n;
    world_init(&w, 32);
    fill_and_delete(&w);
    unsigned n_lives = list_lives(&w, &lives);
    for (unsigned i = 0; i < n_lives; i++)
        for (unsigned k = 0; k < 40; k++) {
            uint64_t bit = rnd_u64(&w.rnd) % (size_of(&w, lives.path[i]) * 8);
            flip(&w, lives.path[i], bit);
            (void)verify(&w, &f);
            assert_true(f.damages > 0);
            assert_string_equal(f.file, lives.path[i]);
            flip(&w, lives.path[i], bit);
        }
    flip(&w, lives.path[0], 300);
    const struct skep_repair_opts opts = {.dry_run = false};
    struct skep_repair_result r = repair(&w, &opts, &f);
    assert_true(r.undeleted_rows == DELETED || r.undeleted_rows == 2 * DELETED);
    assert_int_equal(f.damages, 1);
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 0);
    int64_t *tags = tags_of(&w, &n);
    assert_int_equal(n, w.n_rows - 2 * DELETED + r.undeleted_rows);
    assert_true(has_tag(tags, n, 200000)); /* what was not deleted is there in any case */
    skep_free(tags);
    struct skep_store *s = open_store(&w);
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_int_equal(st.stored_rows, st.rows_live + st.deleted_rows);
    s->ops->close(s);
    world_done(&w);
}

/* Neither manifest nor the file of live rows: rows that were deleted are back, and it is said. */
static void test_damaged_live_rows_and_manifest(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files lives;
    size_t n;
    world_init(&w, 35);
    fill_and_delete(&w);
    unsigned n_lives = list_lives(&w, &lives);
    for (unsigned i = 0; i < n_lives; i++)
        flip(&w, lives.path[i], 300);
    assert_int_equal(w.os->unlink(w.os, DIR "/MANIFEST", NULL), SKEP_OK);
    const struct skep_repair_opts opts = {.dry_run = false};
    (void)repair(&w, &opts, &f);
    assert_int_equal(f.damages, n_lives);
    assert_non_null(strstr(f.text, "may be back"));
    skep_free(tags_of(&w, &n));
    assert_int_equal(n, w.n_rows);
    world_done(&w);
}

/* A damaged segment with dead rows: those are not counted as lost. */
static void test_dead_rows_are_not_lost(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files files;
    world_init(&w, 33);
    fill_and_delete(&w);
    list_files(&w, &files);
    for (unsigned i = 0; i < files.n; i++)
        if (skep_str_ends(skep_str_c(files.path[i]), SKEP_STR(".seg")))
            flip(&w, files.path[i], 40 * 8);
    const struct skep_repair_opts opts = {.dry_run = false};
    (void)repair(&w, &opts, &f);
    struct skep_store *s = open_store(&w);
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_true(st.lost_rows > 0);
    assert_int_equal(st.stored_rows, st.rows_live + st.lost_rows + st.deleted_rows);
    assert_int_equal(st.deleted_rows, 2 * DELETED);
    s->ops->close(s);
    world_done(&w);
}

/* Spans in order of time, each a trace of its own: rows of a segment stand in that order. */
static void fill_in_order(struct world *w, uint32_t rows)
{
    enum { STEP = 10000 };
    struct skep_store *s = open_store(w);
    for (uint32_t row = 0; row < rows; row += STEP) {
        struct skep_batch *b = random_batch(&w->rnd, STEP, NOW, row);
        for (uint32_t i = 0; i < b->n_rows; i++) {
            b->kind[i] = SKEP_KIND_SPAN;
            b->time_ns[i] = NOW + row + i;
            memset(&b->trace_id[i], 1, sizeof b->trace_id[i]);
            skep_store_le32(b->trace_id[i].b, row + i);
        }
        assert_int_equal(client_append(s, b).rc, SKEP_OK);
    }
    flush(s);
    s->ops->close(s);
}

static void delete_between(struct world *w, skep_ts_ns from, skep_ts_ns to, uint64_t want)
{
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS, .range = {from, to}};
    const struct skep_delete_opts opts = {.dry_run = false};
    struct skep_store *s = open_store(w);
    uint64_t rows;
    skep_err err;
    assert_int_equal(skep_store_delete(s, &plan, &opts, &rows, &err), SKEP_OK);
    assert_int_equal(rows, want);
    flush(s); /* from the log to a file of live rows */
    s->ops->close(s);
}

/* Flip a bit that this row group alone needs. */
static void damage_group(struct world *w, const char *name, uint32_t group)
{
    char path[128];
    (void)snprintf(path, sizeof path, DIR "/%s", name);
    for (uint64_t at = 40; at < size_of(w, name); at += 997) {
        struct skep_cache *cache = skep_cache_new(NULL, 1 << 20);
        struct skep_segment_health h = {.n_bad = 0};
        struct skep_rowset *rs;
        skep_err err;
        flip(w, name, at * 8);
        if (skep_segment_open(w->os, path, cache, &rs, &err) == SKEP_OK) {
            assert_int_equal(skep_segment__health(rs, NULL, NULL, &h, &err), SKEP_OK);
            assert_int_equal(h.n_groups, 2);
            bool done = h.n_bad_groups == 1 && h.bad_group[group];
            skep_free(h.bad_group);
            skep_rowset_unref(rs);
            skep_cache_free(cache);
            if (done)
                return;
        } else {
            skep_cache_free(cache);
        }
        flip(w, name, at * 8);
    }
    fail_msg("no byte of row group %u alone", group);
}

/* A segment of two row groups, one damaged, all rows of the other dead: nothing is left to save.
 * What was alive of the damaged one is lost, what was dead is gone, and none is counted twice. */
static void test_good_row_groups_all_dead(void **state)
{
    (void)state;
    enum { ROWS = 70000, FIRST = 65536, DEAD_OF_BAD = 36 };
    struct world w;
    struct found f;
    struct files files;
    struct skep_store_stats st;
    unsigned at = 0;
    world_init(&w, 34);
    fill_in_order(&w, ROWS);
    delete_between(&w, NOW + FIRST - DEAD_OF_BAD, NOW + ROWS, ROWS - FIRST + DEAD_OF_BAD);
    list_files(&w, &files);
    while (!skep_str_ends(skep_str_c(files.path[at]), SKEP_STR(".seg")))
        at++;
    damage_group(&w, files.path[at], 0);
    for (int dry = 1; dry >= 0; dry--) {
        const struct skep_repair_opts opts = {.dry_run = dry};
        struct skep_repair_result r = repair(&w, &opts, &f);
        assert_int_equal(r.lost_rows, FIRST - DEAD_OF_BAD);
        assert_int_equal(r.rows, 0);
        assert_int_equal(r.segments_saved, 0);
        assert_int_equal(r.segments_aside, 1);
        assert_int_equal(f.damages, 1);
    }
    (void)verify(&w, &f);
    if (f.damages)
        fail_msg("%s: %s", f.file, f.text);
    struct skep_store *s = open_store(&w);
    s->ops->stats(s, &st);
    assert_int_equal(st.rows_live, 0);
    assert_int_equal(st.lost_rows, FIRST - DEAD_OF_BAD);
    assert_int_equal(st.deleted_rows, ROWS - FIRST + DEAD_OF_BAD);
    assert_int_equal(st.stored_rows, ROWS);
    assert_int_equal(client_append(s, random_batch(&w.rnd, 10, NOW, 0)).rc, SKEP_OK);
    flush(s);
    s->ops->close(s);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair_keeps_deletes),
        cmocka_unit_test(test_damaged_live_rows),
        cmocka_unit_test(test_damaged_live_rows_and_manifest),
        cmocka_unit_test(test_dead_rows_are_not_lost),
        cmocka_unit_test(test_good_row_groups_all_dead),
        cmocka_unit_test(test_repair_flips),
        cmocka_unit_test(test_repair_without_manifest),
        cmocka_unit_test(test_repair_of_an_owned_directory),
        cmocka_unit_test(test_repair_saves_row_groups),
        cmocka_unit_test(test_retention_settles_the_ledger),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_log_names_commits),
        cmocka_unit_test(test_files_of_their_own),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_read_only_of_nothing),
        cmocka_unit_test(test_losses_stay_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
