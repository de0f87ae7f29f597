// SPDX-License-Identifier: Apache-2.0
/* Lives of a store: it is opened, worked with, something goes wrong, it is opened again and must be
 * what the list says; and once more.
 *
 *   open -> steps, a fault among them -> closed, or the power goes -> open: settled? -> verify
 *        -> open again: the same? -> next life, or rot and the end
 *
 * Threads: the test's and the committer's. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "sim/sim.h"

#define SECOND_NS INT64_C(1000000000)

void sim_say(struct sim *w, const char *fmt, ...)
{
    va_list ap;
    if (!w->talk)
        return;
    (void)printf("life %u, step %u: ", w->life, w->steps);
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)printf("\n");
    (void)fflush(stdout);
}

_Noreturn void sim_fail(struct sim *w, const char *fmt, ...)
{
    char text[900];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)printf("FAILED seed %" PRIu64 ", life %u, step %u: %s\n", w->seed, w->life, w->steps,
                 text);
    (void)fflush(stdout);
    _Exit(1);
}

void sim_on_found(void *ctx, const struct skep_finding *f)
{
    struct sim_found *x = ctx;
    bool cut = skep_str_find(f->text, SKEP_STR("unfinished")) != SIZE_MAX ||
               skep_str_find(f->text, SKEP_STR("were never acknowledged")) != SIZE_MAX;
    x->torn |= cut;
    x->cuts += cut && f->level == SKEP_FINDING_DAMAGE;
    if (x->talk)
        (void)printf("  %s " SKEP_STRFMT ": " SKEP_STRFMT "\n",
                     f->level == SKEP_FINDING_DAMAGE ? "damage" : "note", SKEP_STRARG(f->file),
                     SKEP_STRARG(f->text));
    if (f->level == SKEP_FINDING_DAMAGE && x->damages++ == x->cuts)
        (void)snprintf(x->text, sizeof x->text, SKEP_STRFMT ": " SKEP_STRFMT, SKEP_STRARG(f->file),
                       SKEP_STRARG(f->text));
}

unsigned sim_verify(struct sim *w, const char *dir, struct sim_found *found)
{
    *found = (struct sim_found){.talk = w->talk};
    const struct skep_tool t = {.os = &w->f.os, .found = sim_on_found, .ctx = found};
    struct skep_verify_result r;
    skep_err err;
    if (skep_tool_verify(&t, dir, &r, &err) != SKEP_OK)
        sim_fail(w, "verify: %s", err.text);
    SIM_CHECK(w, r.damages == found->damages);
    return found->damages - found->cuts;
}

void sim_open(struct sim *w)
{
    skep_err err;
    if (skep_column_open(&w->cfg, &w->s, &err) != SKEP_OK)
        sim_fail(w, "open: %s", err.text);
}

static void close_store(struct sim *w)
{
    struct skep_store_stats st;
    w->s->ops->stats(w->s, &st);
    w->counts.merges += st.merge.n;
    w->s->ops->close(w->s);
    w->s = NULL;
}

static void tick(struct sim *w, int64_t ns)
{
    w->now_ns += ns;
    mem_os_set_now(w->m, w->now_ns);
}

/* --- steps --- */

/* Nothing keeps an operation from succeeding now. */
static bool must_succeed(struct sim *w)
{
    struct skep_store_stats st;
    w->s->ops->stats(w->s, &st);
    return !w->faulty && !st.read_only && !mem_os_dead(w->m);
}

static struct client_result send_op(struct sim *w, struct sim_op *op)
{
    struct client_result c = client_append(w->s, sim_batch(w, op));
    sim_say(w, "append rows %u to %u%s: %s", op->first, op->first + op->n - 1,
            op->identity ? " with identity" : "",
            c.rc == SKEP_OK ? c.res.duplicate ? "duplicate" : "stored" : c.text);
    if (c.rc != SKEP_OK && c.rc != SKEP_ENOMEM && must_succeed(w))
        sim_fail(w, "append: %s", c.text);
    return c;
}

static void append(struct sim *w)
{
    unsigned n = 1 + rnd_below(&w->r, 1u << rnd_below(&w->r, 6));
    if (w->n_rows + n > SIM_ROWS_MAX)
        return;
    struct sim_op *op = sim_op_new(w);
    op->what = SIM_APPEND;
    op->first = w->n_rows;
    op->n = n;
    op->seed = rnd_u64(&w->r) | 1;
    op->identity = rnd_below(&w->r, 2);
    sim_new_rows(w, n);
    struct client_result c = send_op(w, op);
    SIM_CHECK(w, c.rc != SKEP_OK || !c.res.duplicate);
    /* What found no memory was refused before the log was touched. */
    op->happened = c.rc == SKEP_OK ? SIM_SURE : c.rc == SKEP_ENOMEM ? SIM_NOT : SIM_DOUBT;
}

/* The sender did not hear of it, or thinks so: once more, the same. */
static void retry(struct sim *w)
{
    if (w->n_ops == 0)
        return;
    struct sim_op *op = &w->ops[rnd_below(&w->r, w->n_ops)];
    for (unsigned i = 0; i < w->n_ops; i++) /* what failed is what is sent again */
        if (w->ops[i].happened != SIM_SURE && w->ops[i].identity && rnd_below(&w->r, 2))
            op = &w->ops[i];
    if (op->what != SIM_APPEND || !op->identity || w->rows[op->first].era != w->era ||
        op->at_ns < w->now_ns - 300 * SECOND_NS)
        return;
    for (unsigned i = 0; i < w->n_ops; i++) { /* it may be there by another one of the same rows */
        const struct sim_op *x = &w->ops[i];
        bool same = x != op && x->what == SIM_APPEND && x->first == op->first;
        if (same && ((op->happened == SIM_NOT && x->happened != SIM_NOT) ||
                     (op->happened == SIM_DOUBT && x->happened == SIM_SURE)))
            return;
    }
    w->counts.retried++;
    if (op->happened == SIM_SURE) {
        struct client_result c = send_op(w, op);
        if (c.rc == SKEP_OK)
            SIM_CHECK(w, c.res.duplicate && c.res.rows == 0);
        return;
    }
    struct sim_op again = *op;
    struct client_result c = send_op(w, &again);
    if (c.rc == SKEP_OK && c.res.duplicate) {
        op->happened = SIM_SURE;
        SIM_CHECK(w, false && "a refused request is known: it was not in doubt while open");
    }
    again.happened = c.rc == SKEP_OK ? SIM_SURE : c.rc == SKEP_ENOMEM ? SIM_NOT : SIM_DOUBT;
    /* Both may be on the disk; the rows are there once. */
    if (c.rc == SKEP_OK)
        op->happened = SIM_NOT;
    if (again.happened != SIM_NOT)
        *sim_op_new(w) = again;
}

static void delete_some(struct sim *w)
{
    struct skep_store_stats st;
    w->s->ops->stats(w->s, &st);
    /* One that finds nothing says so though nothing can be written any more; rows in doubt that a
     * later start finds were not there for it. */
    if (st.read_only && sim_doubts(w) > 0)
        return;
    struct sim_op *op = sim_op_new(w);
    op->what = SIM_DELETE;
    op->where = sim_predicate(w);
    struct skep_arena arena;
    struct skep_plan plan;
    const struct skep_delete_opts opts = {.dry_run = false};
    uint64_t rows = 0, most = 0, least = 0;
    skep_err err;
    skep_arena_init(&arena, "sim", NULL);
    sim_plan(&arena, &op->where, &plan);
    SIM_CHECK(w, sim_replay(w, 0));
    for (unsigned i = 0; i < w->n_rows; i++) {
        bool hit = w->rows[i].is == SIM_LIVE && sim_matches(w, &op->where, i);
        most += hit;
        least += hit && !sim_may_expire(w, i);
    }
    skep_rc rc = skep_store_delete(w->s, &plan, &opts, &rows, &err);
    sim_say(w, "delete %u rows: %s", (unsigned)most, rc == SKEP_OK ? "done" : err.text);
    if (rc == SKEP_OK)
        SIM_CHECK(w, rows >= least && rows <= most);
    else if (must_succeed(w))
        sim_fail(w, "delete: %s", err.text);
    op->happened = rc == SKEP_OK ? SIM_SURE : SIM_DOUBT;
    w->counts.deletes++;
    skep_arena_done(&arena);
}

static void flush(struct sim *w)
{
    skep_err err;
    skep_rc rc = w->s->ops->flush(w->s, &err);
    sim_say(w, "flush: %s", rc == SKEP_OK ? "done" : err.text);
    if (rc != SKEP_OK && must_succeed(w))
        sim_fail(w, "flush: %s", err.text);
}

/* What was kept is back, in a folder of its own. */
static void expect_restored(struct sim *w, const char *name)
{
    char data[64], rows[80];
    struct sim_found found = {0};
    const struct skep_tool t = {.os = &w->f.os, .found = sim_on_found, .ctx = &found};
    struct skep_backup_result r;
    skep_err err;
    (void)snprintf(data, sizeof data, "/restored-%s", name);
    (void)snprintf(rows, sizeof rows, "%s/rows", data);
    skep_rc rc = skep_tool_restore(&t, "/backup", name, data, &r, &err);
    if (w->faulty) /* a fault in the midst of it: it says so, or it is whole */
        return;
    if (rc != SKEP_OK)
        sim_fail(w, "restore: %s", err.text);
    struct skep_column_config cfg = w->cfg;
    cfg.dir = rows;
    struct skep_store *now = w->s;
    if (skep_column_open(&cfg, &w->s, &err) != SKEP_OK)
        sim_fail(w, "open of what was restored: %s", err.text);
    sim_expect_visible(w);
    w->s->ops->close(w->s);
    w->s = now;
}

static void backup(struct sim *w)
{
    char name[32];
    struct sim_found found = {0};
    const struct skep_tool t = {.os = &w->f.os, .found = sim_on_found, .ctx = &found};
    struct skep_backup_result r;
    skep_err err;
    (void)snprintf(name, sizeof name, "b%u", w->backups++);
    const struct skep_backup_opts opts = {.name = name, .keep = rnd_below(&w->r, 2) ? 2 : 0};
    skep_rc rc = skep_tool_backup(&t, SIM_DIR, "/backup", &opts, &r, &err);
    sim_say(w, "backup: %s", rc == SKEP_OK ? "made" : err.text);
    if (rc != SKEP_OK && must_succeed(w))
        sim_fail(w, "backup: %s", err.text);
    if (rc == SKEP_OK) {
        struct skep_store_stats st;
        w->s->ops->stats(w->s, &st);
        if (!w->faulty && found.damages > found.cuts && st.torn_writes == 0)
            sim_fail(w, "backup: %s", found.text);
        w->counts.backups++;
        expect_restored(w, name);
    }
}

/* Time passes: what came before is older than it is kept. */
static void age(struct sim *w)
{
    if (sim_doubts(w) > 0 || w->faulty)
        return;
    sim_say(w, "time passes");
    tick(w, SIM_RETAIN_NS + 60 * SECOND_NS);
    w->era++;
}

static void step(struct sim *w)
{
    uint32_t what = rnd_below(&w->r, 100);
    tick(w, 1000000 + rnd_below(&w->r, 900000000));
    w->steps++;
    w->counts.steps++;
    if (w->n_ops + 3 > SIM_OPS_MAX)
        return;
    if (what < 45)
        append(w);
    else if (what < 58)
        retry(w);
    else if (what < 70)
        delete_some(w);
    else if (what < 90)
        flush(w);
    else if (what < 95)
        backup(w);
    else if (what < 97)
        age(w);
    sim_expect_answer(w);
    if (!w->faulty)
        sim_expect_visible(w);
}

/* --- faults --- */

static const unsigned kinds[] = {FAULT_PWRITE,      FAULT_SYNC,     FAULT_SYNC_DIR,
                                 FAULT_PREALLOCATE, FAULT_RENAME,   FAULT_UNLINK,
                                 FAULT_OPEN,        FAULT_PREAD,    FAULT_STAT,
                                 FAULT_MKDIR,       FAULT_TRUNCATE, FAULT_PWRITE | FAULT_SYNC};

static unsigned choose(struct sim *w)
{
    unsigned allowed[4], n = 0;
    for (unsigned k = 1; k < SIM_ROT; k <<= 1)
        if (w->faults & k)
            allowed[n++] = k;
    return n && rnd_below(&w->r, 10) ? allowed[rnd_below(&w->r, n)] : 0;
}

static void arm(struct sim *w, unsigned fault)
{
    if (fault == SIM_CUT) {
        unsigned after = rnd_below(&w->r, 1u << rnd_below(&w->r, 8));
        sim_say(w, "nothing is written after %u changes", after);
        mem_os_die_after(w->m, after);
    } else if (fault == SIM_CALL) {
        unsigned kind = kinds[rnd_below(&w->r, SKEP_ARRAY_LEN(kinds))];
        int64_t skip = rnd_below(&w->r, 1u << rnd_below(&w->r, 6));
        int64_t times = rnd_below(&w->r, 4) ? 1 + rnd_below(&w->r, 3) : INT64_MAX;
        if (kind == FAULT_PREAD) /* what can never be read supersedes nothing (supersede.c, I3) */
            times = SKEP_MIN(times, 3);
        w->f.torn = rnd_below(&w->r, 2);
        skep_rc rc = rnd_below(&w->r, 3) ? SKEP_EIO : SKEP_ENOSPC;
        sim_say(w, "calls %x fail after %d, %d times", kind, (int)skip, (int)SKEP_MIN(times, 99));
        fault_os_arm(&w->f, kind, skip, times, rc);
        /* Dead before what failed could be tidied up. */
        if ((w->faults & SIM_CUT) && rnd_below(&w->r, 3) == 0) {
            unsigned after = rnd_below(&w->r, 1u << rnd_below(&w->r, 5));
            sim_say(w, "and nothing is written after %u more changes", after);
            atomic_store(&w->f.then_die, (int64_t)after);
        }
    } else if (fault == SIM_FULL) {
        uint64_t room = rnd_below(&w->r, 1u << rnd_below(&w->r, 20));
        sim_say(w, "the disk has %" PRIu64 " bytes left", room);
        mem_os_limit(w->m, mem_os_used(w->m) + room);
        w->counts.full++;
    }
    w->faulty = fault != 0;
}

static void disarm(struct sim *w)
{
    w->counts.failed += atomic_load(&w->f.failed) > 0;
    fault_os_arm(&w->f, 0, 0, 0, SKEP_OK);
    mem_os_limit(w->m, 0);
    w->faulty = mem_os_dead(w->m);
    if (!w->faulty)
        mem_os_die_after(w->m, -1);
}

/* Opening while something may fail: it fails, too, or it is open. */
static void open_faulty(struct sim *w)
{
    skep_err err;
    w->s = NULL;
    skep_rc rc = skep_column_open(&w->cfg, &w->s, &err);
    sim_say(w, "open: %s", rc == SKEP_OK ? "done" : err.text);
    if (rc != SKEP_OK && !w->faulty)
        sim_fail(w, "open: %s", err.text);
    if (rc != SKEP_OK)
        w->s = NULL;
}

/* The machine stops, or the process alone does, also after a sync that failed: what the kernel has
 * given up it goes on showing to the next one. */
static void stop(struct sim *w)
{
    bool kill = rnd_below(&w->r, 4) == 0;
    sim_say(w, kill ? "the process is killed" : "the power goes");
    w->counts.kills += kill;
    w->counts.cuts += !kill;
    if (kill)
        mem_os_kill(w->m);
    else
        mem_os_power_cut(w->m);
}

/* The end of a life: the store is closed, and the machine on. */
static void end(struct sim *w)
{
    bool healed = w->s && rnd_below(&w->r, 2);
    if (healed) { /* what failed is over while it is still open */
        disarm(w);
        if (!w->faulty && sim_doubts(w) < SIM_DOUBTS_MAX) {
            sim_expect_visible(w);
            append(w);
            sim_expect_visible(w);
        }
    }
    bool cut = mem_os_dead(w->m) || ((w->faults & SIM_CUT) && rnd_below(&w->r, 2));
    if (cut)
        mem_os_die_after(w->m, 0);
    if (w->s)
        close_store(w);
    cut |= mem_os_dead(w->m); /* closing changes the disk, too */
    if (cut)
        stop(w);
    else
        sim_say(w, "closed");
    disarm(w);
}

/* Opened again and again it is the same, and nothing is damaged. */
static void expect_sound(struct sim *w)
{
    struct sim_found found;
    struct skep_store_stats st;
    /* What was seen stays, though nothing was written since. */
    bool cut = (w->faults & SIM_CUT) && rnd_below(&w->r, 3) == 0;
    for (int i = 0; i < 2; i++) {
        sim_open(w);
        sim_expect_settled(w);
        w->s->ops->stats(w->s, &st);
        close_store(w);
        if (i == 0 && cut)
            mem_os_power_cut(w->m);
        /* An end that a power cut tore looks like damage as long as its file stands: the start has
         * told of it, too. */
        if (sim_verify(w, SIM_DIR, &found) && st.torn_writes == 0)
            sim_fail(w, "verify: %s", found.text);
    }
}

static void life(struct sim *w)
{
    unsigned fault = choose(w), n = 2 + rnd_below(&w->r, 14), when = rnd_below(&w->r, n);
    bool early = rnd_below(&w->r, 4) == 0; /* opening is part of it */
    w->life++;
    w->counts.lives++;
    if (early)
        arm(w, fault);
    open_faulty(w);
    for (unsigned i = 0; w->s && i < n && w->steps_left > 0 && !mem_os_dead(w->m); i++) {
        if (i == when && !early)
            arm(w, fault);
        if (sim_doubts(w) >= SIM_DOUBTS_MAX)
            break;
        w->steps_left--;
        step(w);
    }
    end(w);
    expect_sound(w);
}

void sim_run(struct sim *w)
{
    w->r = (struct rnd){w->seed * 0x9e3779b97f4a7c15ull | 1};
    for (int i = 0; i < 8; i++)
        (void)rnd_u64(&w->r);
    w->m = mem_os_new(w->seed);
    fault_os_init(&w->f, mem_os_ops(w->m));
    w->f.mem = w->m;
    w->now_ns = SIM_T0;
    tick(w, 0);
    w->cfg = client_config(&w->f.os, SIM_DIR);
    w->cfg.retain_ns = SIM_RETAIN_NS;
    w->cfg.disk_limit_bytes = 8 << 20;
    if (rnd_below(&w->r, 4) == 0) /* replay and admission feel it */
        w->cfg.part_limit_bytes = 30 << 10;
    unsigned lives = 2 + rnd_below(&w->r, 3);
    for (unsigned i = 0; i < lives && w->steps_left > 0; i++)
        life(w);
    if ((w->faults & SIM_ROT) && rnd_below(&w->r, 3) == 0)
        sim_rot(w);
    for (unsigned i = 0; i < w->n_rows; i++)
        w->counts.superseded += w->rows[i].is == SIM_SUPERSEDED;
    w->counts.seeds++;
    mem_os_free(w->m);
}
