// SPDX-License-Identifier: Apache-2.0
/* See tools_support.h. */
#include "tools_support.h"

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "store/column/engine.h"

struct skep_store *open_store(struct world *w)
{
    struct skep_store *s = NULL;
    skep_err err;
    if (skep_column_open(&w->cfg, &s, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    return s;
}

void append(struct world *w, struct skep_store *s, uint32_t n)
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

void flush(struct skep_store *s)
{
    skep_err err;
    if (s->ops->flush(s, &err) != SKEP_OK)
        fail_msg("flush: %s", err.text);
}

void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.mem = mem_os_new(seed), .rnd = {seed}};
    w->os = mem_os_ops(w->mem);
    w->cfg = client_config(w->os, DIR);
}

void world_done(struct world *w)
{
    rowlist_done(&w->want);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(w->commits); i++)
        rowlist_done(&w->commits[i].rows);
    mem_os_free(w->mem);
}

void fill(struct world *w, unsigned n_segments, unsigned n_commits)
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

void on_found(void *ctx, const struct skep_finding *f)
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

struct skep_verify_result verify(struct world *w, struct found *f)
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

void expect_clean(struct world *w)
{
    struct found f;
    struct skep_verify_result r = verify(w, &f);
    if (f.damages)
        fail_msg("%s at %" PRIu64 ": %s", f.file, f.offset, f.text);
    assert_int_equal(r.rows, w->n_rows);
}

static bool note_file(void *ctx, skep_str name)
{
    struct files *f = ctx;
    assert_true(f->n < 32);
    (void)snprintf(f->path[f->n++], sizeof f->path[0], "%s" SKEP_STRFMT, f->sub, SKEP_STRARG(name));
    return true;
}

void list_files(struct world *w, struct files *f)
{
    *f = (struct files){.sub = "seg/"};
    assert_int_equal(w->os->list(w->os, DIR "/seg", note_file, f, NULL), SKEP_OK);
    f->sub = "wal/";
    assert_int_equal(w->os->list(w->os, DIR "/wal", note_file, f, NULL), SKEP_OK);
    (void)snprintf(f->path[f->n++], sizeof f->path[0], "MANIFEST");
}

uint64_t size_of(struct world *w, const char *name)
{
    struct skep_os_stat st;
    char path[128];
    (void)snprintf(path, sizeof path, DIR "/%s", name);
    assert_int_equal(w->os->stat(w->os, path, &st, NULL), SKEP_OK);
    return st.size_bytes;
}

void flip(struct world *w, const char *name, uint64_t bit)
{
    char path[128];
    (void)snprintf(path, sizeof path, DIR "/%s", name);
    assert_true(mem_os_flip(w->mem, path, bit));
}

/* The first rows of a commit: its tags begin at 100,000 times its number. */
void delete_some(struct skep_store *s, int64_t commit)
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
void fill_and_delete(struct world *w)
{
    fill(w, 3, 4);
    struct skep_store *s = open_store(w);
    delete_some(s, 1);
    delete_some(s, 5);
    append(w, s, 30);
    flush(s);
    s->ops->close(s);
}

struct skep_answer count(struct skep_store *s, struct skep_arena *arena, skep_ts_ns from,
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
