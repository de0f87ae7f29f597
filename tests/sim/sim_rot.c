// SPDX-License-Identifier: Apache-2.0
/* Bytes that change at rest: a bit, a sector of rubbish, a file cut short.
 *
 *   closed, settled -> rot -> verify names it, or nothing is lost
 *                          -> open: an error; or what is not there is said to be lost
 *                          -> repair -> verify is clean, open works, twice the same
 *
 * In all of it no row is invented or twice, a row of the list is missing only where a loss is said,
 * and what was deleted is back only where that is said. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "sim/sim.h"

enum { FILES_MAX = 128 };

struct files {
    char path[FILES_MAX][96];
    unsigned n;
};

struct listing {
    struct files *f;
    const char *dir;
};

static bool note_file(void *ctx, skep_str name)
{
    struct listing *l = ctx;
    bool ours = skep_str_ends(name, SKEP_STR(".seg")) || skep_str_ends(name, SKEP_STR(".live")) ||
                skep_str_ends(name, SKEP_STR(".log")) || skep_str_eq(name, SKEP_STR("MANIFEST"));
    if (ours && l->f->n < FILES_MAX)
        (void)snprintf(l->f->path[l->f->n++], sizeof l->f->path[0], "%s/" SKEP_STRFMT, l->dir,
                       SKEP_STRARG(name));
    return true;
}

static void list_files(struct sim *w, struct files *f)
{
    static const char *const dirs[] = {SIM_DIR, SIM_DIR "/seg", SIM_DIR "/wal"};
    f->n = 0;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(dirs); i++) {
        struct listing l = {f, dirs[i]};
        SIM_CHECK(w, w->f.os.list(&w->f.os, dirs[i], note_file, &l, NULL) == SKEP_OK);
    }
}

static void spoil(struct sim *w, const char *path)
{
    const struct skep_os *os = &w->f.os;
    struct skep_os_stat st;
    int fd;
    SIM_CHECK(w, os->stat(os, path, &st, NULL) == SKEP_OK);
    if (st.size_bytes == 0)
        return;
    uint64_t at = rnd_u64(&w->r) % st.size_bytes;
    uint32_t how = rnd_below(&w->r, 8);
    sim_say(w, "%s of %" PRIu64 " bytes: %s at %" PRIu64, path, st.size_bytes,
            how < 6    ? "a bit"
            : how == 6 ? "a sector"
                       : "cut",
            at);
    w->counts.rotten++;
    if (how < 6) {
        SIM_CHECK(w, mem_os_flip(w->m, path, at * 8 + rnd_below(&w->r, 8)));
        return;
    }
    SIM_CHECK(w, os->open(os, path, SKEP_OPEN_READ | SKEP_OPEN_WRITE, &fd, NULL) == SKEP_OK);
    uint8_t junk[512];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (uint8_t)rnd_u64(&w->r);
    at -= at % sizeof junk;
    uint64_t n = SKEP_MIN((uint64_t)sizeof junk, st.size_bytes - at);
    SIM_CHECK(w, (how == 6 ? os->pwrite(os, fd, junk, n, at, NULL)
                           : os->truncate(os, fd, at, NULL)) == SKEP_OK);
    SIM_CHECK(w, os->fsync(os, fd, NULL) == SKEP_OK);
    os->close(os, fd);
}

/* What is there beside the list. */
struct rest {
    bool complete; /* it could all be read */
    uint64_t missing, undead, n;
};

static struct rest look(struct sim *w)
{
    struct skep_arena arena;
    struct skep_answer a = {0};
    struct rest r = {.complete = false};
    skep_err err;
    uint8_t *there = skep_calloc(SIM_ROWS_MAX, 1);
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_ROWS, .range = {INT64_MIN, INT64_MAX}, .limit = 1000000};
    skep_arena_init(&arena, "sim", NULL);
    const struct skep_run_opts opts = {.arena = &arena};
    skep_rc rc = skep_store_run(w->s, &plan, &opts, &a, &err);
    sim_say(w, "a question: %s", rc != SKEP_OK ? err.text : a.complete ? "whole" : "incomplete");
    for (size_t i = 0; rc == SKEP_OK && i < a.rows.n; i++) {
        const struct skep_row *row = &a.rows.rows[i];
        int64_t tag = -1;
        for (unsigned f = 0; f < row->n_fields; f++)
            if (skep_str_eq(row->fields[f].name, SKEP_STR("tag")))
                tag = row->fields[f].value.i;
        SIM_CHECK(w, tag >= 0 && tag < w->n_rows && !there[tag]); /* known, and once */
        SIM_CHECK(w, w->rows[tag].is != SIM_ABSENT);              /* it was stored */
        SIM_CHECK(w, (int)row->kind == (int)w->rows[tag].kind);   /* and is the same */
        there[tag] = 1;
        r.n++;
        /* What had expired was not deleted by what matches it now. */
        r.undead += w->rows[tag].is != SIM_LIVE && !sim_may_expire(w, (unsigned)tag);
    }
    for (unsigned i = 0; rc == SKEP_OK && i < w->n_rows; i++)
        r.missing += w->rows[i].is == SIM_LIVE && !there[i] && !sim_may_expire(w, i);
    r.complete = rc == SKEP_OK && a.complete;
    skep_arena_done(&arena);
    skep_free(there);
    return r;
}

/* Does the store say that something is not as it was? */
static bool said(struct sim *w)
{
    struct skep_store_stats st;
    w->s->ops->stats(w->s, &st);
    return st.losses > 0 || st.damaged_regions > 0 || st.torn_writes > 0 || st.damage.n > 0;
}

/* True when it said that something is not as it was. */
static bool open_as_it_is(struct sim *w, bool named)
{
    skep_err err;
    skep_rc rc = skep_column_open(&w->cfg, &w->s, &err);
    sim_say(w, "open: %s", rc == SKEP_OK ? "done" : err.text);
    if (rc != SKEP_OK) {
        SIM_CHECK(w, err.text[0] != 0 && named);
        return false;
    }
    struct rest r = look(w);
    bool told = said(w);
    if (r.complete && (r.missing > 0 || r.undead > 0) && !told)
        sim_fail(w, "%" PRIu64 " rows are missing, %" PRIu64 " are back, and nothing is said",
                 r.missing, r.undead);
    w->s->ops->close(w->s);
    return told;
}

static void repair(struct sim *w, bool told_before)
{
    struct sim_found found = {.talk = w->talk};
    const struct skep_tool t = {.os = &w->f.os, .found = sim_on_found, .ctx = &found};
    const struct skep_repair_opts opts = {.dry_run = false};
    struct skep_repair_result res;
    skep_err err;
    if (skep_tool_repair(&t, SIM_DIR, &opts, &res, &err) != SKEP_OK)
        sim_fail(w, "repair: %s", err.text);
    sim_say(w, "repair: %s", found.damages ? found.text : "nothing is lost");
    w->counts.repairs++;
    struct sim_found after;
    if (sim_verify(w, SIM_DIR, &after))
        sim_fail(w, "verify after repair: %s", after.text);
    struct rest first = {.n = 0};
    for (int i = 0; i < 2; i++) {
        sim_open(w);
        struct rest r = look(w);
        bool told =
            told_before || said(w) || found.damages > 0 || found.torn || res.undeleted_rows > 0;
        w->s->ops->close(w->s);
        if ((r.missing > 0 || r.undead > 0) && !told)
            sim_fail(w, "repaired: %" PRIu64 " rows are missing, %" PRIu64 " are back, unsaid",
                     r.missing, r.undead);
        SIM_CHECK(w, i == 0 || (r.n == first.n && r.missing == first.missing));
        first = r;
    }
}

void sim_rot(struct sim *w)
{
    struct files f;
    struct sim_found found;
    SIM_CHECK(w, sim_replay(w, 0));
    list_files(w, &f);
    unsigned n = 1 + rnd_below(&w->r, 2);
    for (unsigned i = 0; i < n; i++)
        spoil(w, f.path[rnd_below(&w->r, f.n)]);
    found = (struct sim_found){.talk = w->talk};
    const struct skep_tool t = {.os = &w->f.os, .found = sim_on_found, .ctx = &found};
    struct skep_verify_result v;
    skep_err err;
    skep_rc rc = skep_tool_verify(&t, SIM_DIR, &v, &err);
    sim_say(w, "verify: %s", rc != SKEP_OK ? err.text : found.damages ? found.text : "clean");
    bool told = open_as_it_is(w, rc != SKEP_OK || found.damages > 0);
    repair(w, told);
}
