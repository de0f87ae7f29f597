// SPDX-License-Identifier: Apache-2.0
/* Import straight into a data folder that no server has open: the engine in this process.
 *
 *   chunk -> batch -> append, wait -> next chunk
 *
 * Parts flush to segments in the background as memory fills; a chunk that is refused meanwhile is
 * made again.
 *
 * I1  put_* returns when the rows are fsynced in the log.
 *
 * Threads: main, and the store's. */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/otlp.h"
#include "ingest/row_text.h"
#include "os/thread.h"
#include "server/cli_import.h"
#include "store/store.h"

enum { TRIES = 600, PAUSE_MS = 100 };

struct folder {
    const struct skep_os *os;
    struct skep_budget memory;
    struct skep_pool *pool;
    struct skep_store *store;
    struct skep_row_reader *reader;
};

/* An append that somebody waits for. */
struct wait {
    struct skep_mutex mu;
    struct skep_cond cond;
    bool done;
    skep_rc rc;
    struct skep_append_result res;
    skep_err err;
};

static void on_done(void *ctx, skep_rc rc, const struct skep_append_result *res,
                    const skep_err *err)
{
    struct wait *w = ctx;
    skep_mutex_lock(&w->mu);
    w->done = true;
    w->rc = rc;
    w->res = *res;
    if (err)
        w->err = *err;
    skep_cond_signal(&w->cond);
    skep_mutex_unlock(&w->mu);
}

static skep_rc append(struct folder *x, struct skep_batch *b, struct skep_append_result *ret,
                      skep_err *err)
{
    struct wait w = {.done = false};
    skep_mutex_init(&w.mu, "append");
    skep_cond_init(&w.cond);
    skep_store_append(x->store, b, on_done, &w);
    skep_mutex_lock(&w.mu);
    while (!w.done)
        skep_cond_wait(&w.cond, &w.mu);
    skep_mutex_unlock(&w.mu);
    skep_cond_done(&w.cond);
    skep_mutex_done(&w.mu);
    *ret = w.res;
    *err = w.err;
    return w.rc;
}

/* What is put, so that a refused batch can be made again. */
struct content {
    const struct skep_import_chunk *rows; /* or */
    skep_bytes otlp;
    enum skep_otlp_signal signal;
    bool json;
    uint64_t line; /* of rows: the one that failed */
    struct skep_otlp_report report;
};

static skep_rc fill_rows(struct folder *x, struct content *c, struct skep_batch *b, skep_err *err)
{
    skep_str rest = c->rows->rows;
    c->line = 0;
    while (rest.n) {
        c->line++;
        SKEP_TRY(skep_row_read(x->reader, skep_str_cut(&rest, '\n'), b, err));
    }
    memcpy(b->identity, c->rows->identity, sizeof b->identity);
    return SKEP_OK;
}

static skep_rc fill_otlp(struct content *c, struct skep_batch *b, skep_err *err)
{
    const struct skep_otlp_opts opts = {.hide_offsets = false};
    if (c->json)
        SKEP_TRY(skep_otlp_decode_json(c->signal, c->otlp, b, &opts, &c->report, err));
    else
        SKEP_TRY(skep_otlp_decode_pb(c->signal, c->otlp, b, &opts, &c->report, err));
    skep_batch_identity(b, c->report.logs_have_time);
    return SKEP_OK;
}

static skep_rc put_once(struct folder *x, struct content *c, uint32_t *ret_rows,
                        struct skep_append_result *res, skep_err *err)
{
    struct skep_batch *b = skep_batch_new(&x->memory, x->os->now_ns(x->os));
    skep_rc rc = c->rows ? fill_rows(x, c, b, err) : fill_otlp(c, b, err);
    *ret_rows = b->n_rows;
    if (rc != SKEP_OK || b->n_rows == 0) {
        skep_batch_free(b);
        return rc;
    }
    return append(x, b, res, err);
}

static bool put(struct skep_import_sink *s, struct content *c)
{
    struct folder *x = s->impl;
    struct skep_append_result res = {.rows = 0};
    skep_err err = {.text = ""};
    uint32_t rows = 0;
    skep_rc rc = SKEP_EAGAIN;
    for (unsigned i = 0; i < TRIES; i++) {
        rc = put_once(x, c, &rows, &res, &err);
        if (rc != SKEP_ENOMEM && rc != SKEP_EAGAIN)
            break;
        skep_sleep_ms(PAUSE_MS); /* the flusher is behind */
    }
    if (rc != SKEP_OK) {
        if (c->line)
            (void)fprintf(stderr, "skep import: line %" PRIu64 " of a chunk: %s\n", c->line,
                          err.text);
        else
            (void)fprintf(stderr, "skep import: %s\n", err.text);
        return false;
    }
    if (res.duplicate)
        s->duplicates += rows;
    else
        s->rows += rows;
    return true;
}

static bool put_rows(struct skep_import_sink *s, const struct skep_import_chunk *chunk)
{
    struct content c = {.rows = chunk};
    return put(s, &c);
}

static bool put_otlp(struct skep_import_sink *s, enum skep_otlp_signal signal, bool json,
                     skep_bytes body)
{
    struct content c = {.otlp = body, .signal = signal, .json = json};
    if (!put(s, &c))
        return false;
    s->requests++;
    s->rejected += c.report.received - c.report.accepted;
    return true;
}

static bool close_folder(struct skep_import_sink *s)
{
    struct folder *x = s->impl;
    skep_err err;
    skep_rc rc = SKEP_OK;
    if (x->store) {
        rc = x->store->ops->flush(x->store, &err);
        x->store->ops->close(x->store);
    }
    if (rc != SKEP_OK) /* the log has it all */
        (void)fprintf(stderr, "skep import: not all was flushed to segments: %s\n", err.text);
    skep_row_reader_free(x->reader);
    skep_pool_free(x->pool);
    skep_free(x);
    return rc == SKEP_OK;
}

bool skep_import_to_folder(struct skep_import_sink *s, const char *data, uint64_t memory_bytes)
{
    struct folder *x = skep_alloc(struct folder);
    struct skep_arena arena;
    skep_err err;
    *s = (struct skep_import_sink){
        .impl = x, .put_rows = put_rows, .put_otlp = put_otlp, .close = close_folder};
    x->os = skep_os_real();
    x->pool = skep_pool_new("work", skep_n_cores());
    skep_log_set_level(SKEP_LOG_ERROR);
    skep_budget_init(&x->memory, "memory", memory_bytes / 4 * 3, NULL);
    x->reader = skep_row_reader_new(&x->memory);
    skep_arena_init(&arena, "import", NULL);
    const struct skep_column_config cfg = {
        .os = x->os,
        .dir = skep_cstr(&arena, skep_arena_printf(&arena, "%s/rows", data)),
        .pool = x->pool,
        .memory = &x->memory};
    skep_rc rc = x->os->mkdir(x->os, data, &err);
    if (rc == SKEP_OK)
        rc = skep_column_open(&cfg, &x->store, &err);
    if (rc == SKEP_EEXISTS)
        (void)fprintf(stderr, "skep import: a server has %s open: leave --data out, or stop it\n",
                      data);
    else if (rc != SKEP_OK)
        (void)fprintf(stderr, "skep import: %s\n", err.text);
    skep_arena_done(&arena);
    return rc == SKEP_OK;
}
