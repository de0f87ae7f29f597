// SPDX-License-Identifier: Apache-2.0
/* Writing an export task's files, and its end into state.
 *
 *   DATA/export/DESTINATION/PREFIX/TASK/STREAM/000000.gz      a '/' in a stream's name is a '-'
 *   2026-11-20T17:15:11.725Z the line as it came
 *
 * Lines of a stream stand in order of time.  A file is made of gzip members of PIECE_BYTES, one
 * behind the other, and is complete only when the task is: its folder is there while it runs, too.
 * The last sixteenth of the disk is not written to: the rows need it more.
 *
 * I1  one task at a time, as AWS has it.
 * Threads: one a task, counted among the live tails.  Memory: an arena a page of rows, two pieces.
 */
#include "api/logs_exports.h"

#include <libdeflate.h>
#include <stdio.h>

#include "api/logs_events.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "state/logs.h"
#include "wire/rfc3339.h"

enum { PAGE_ROWS = 1000, PIECE_BYTES = 4 << 20, PATH_MAX_BYTES = 900, LEVEL = 6 };

struct task {
    struct skep_api *api;
    struct skep_arena arena, page; /* as long as the task; a page of rows */
    struct skep_logs_export what;
    struct skep_buf text;
    struct libdeflate_compressor *deflate;
    uint8_t *packed;
    size_t packed_bytes;
    int fd;
    uint64_t offset;
    _Atomic bool cancel;
};

struct skep_logs_exports {
    struct skep_api *api;
    struct skep_mutex mu; /* of current */
    struct task *current;
};

static bool canceled(void *ctx)
{
    struct task *t = ctx;
    return atomic_load_explicit(&t->cancel, memory_order_relaxed) ||
           atomic_load_explicit(&t->api->stopping, memory_order_relaxed);
}

// --- files -------------------------------------------------------------------------------------

/* The folder and all above it. */
static skep_rc make_dirs(struct task *t, skep_str path, skep_err *err)
{
    const struct skep_os *os = t->api->cfg.os;
    for (size_t i = 1; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/')
            continue;
        const char *part = skep_cstr(&t->page, (skep_str){path.p, i});
        SKEP_TRY(os->mkdir(os, part, err));
    }
    return SKEP_OK;
}

static skep_str folder_of(struct task *t, skep_str stream)
{
    struct skep_arena *a = &t->page;
    char *name = skep_cstr(a, stream);
    for (size_t i = 0; name[i]; i++)
        if (name[i] == '/' || (uint8_t)name[i] < ' ')
            name[i] = '-';
    bool dots = name[0] == '.';
    return skep_arena_printf(a, "%s/" SKEP_STRFMT "/%s%.200s", t->api->cfg.export_dir,
                             SKEP_STRARG(t->what.dir), dots ? "-" : "", name);
}

static skep_rc room(struct task *t, skep_err *err)
{
    struct skep_os_space space;
    const struct skep_os *os = t->api->cfg.os;
    SKEP_TRY(os->space(os, t->api->cfg.export_dir, &space, err));
    if (space.free_bytes < space.total_bytes / 16)
        return skep_fail(err, SKEP_ENOSPC, "the disk is nearly full");
    return SKEP_OK;
}

/* What was gathered, as a gzip member. */
static skep_rc put_piece(struct task *t, skep_err *err)
{
    const struct skep_os *os = t->api->cfg.os;
    if (t->text.n == 0)
        return SKEP_OK;
    SKEP_TRY(room(t, err));
    size_t bound = libdeflate_gzip_compress_bound(t->deflate, t->text.n);
    if (bound > t->packed_bytes) {
        t->packed = skep_realloc(t->packed, bound);
        t->packed_bytes = bound;
    }
    size_t n = libdeflate_gzip_compress(t->deflate, t->text.p, t->text.n, t->packed, bound);
    skep_assert(n > 0);
    SKEP_TRY(os->pwrite(os, t->fd, t->packed, n, t->offset, err));
    t->offset += n;
    skep_buf_reset(&t->text);
    return SKEP_OK;
}

static void put_line(struct task *t, const struct skep_logs_line *line)
{
    char time[SKEP_RFC3339_BYTES];
    size_t n = skep_rfc3339(line->place.time_ns, 3, time);
    skep_buf_put(&t->text, time, n);
    skep_buf_u8(&t->text, ' ');
    skep_buf_str(&t->text, line->message);
    skep_buf_u8(&t->text, '\n');
}

static skep_rc put_rows(struct task *t, struct skep_plan *plan, const struct skep_rows *rows,
                        skep_err *err)
{
    for (size_t i = 0; i < rows->n; i++) {
        struct skep_logs_line line = skep_api__logs_line(&t->page, &rows->rows[i]);
        put_line(t, &line);
        if (t->text.n >= PIECE_BYTES)
            SKEP_TRY(put_piece(t, err));
        plan->has_cursor = true;
        plan->cursor_time_ns = line.place.time_ns;
        plan->cursor_id = line.place.id;
    }
    return SKEP_OK;
}

static skep_rc write_stream(struct task *t, skep_str stream, skep_err *err)
{
    struct skep_arena filters;
    skep_arena_init(&filters, "export filter", NULL);
    struct skep_plan plan = skep_api__logs_plan(
        t->what.group,
        skep_logs_rows_and(&filters, skep_logs_rows_of_group(&filters, t->what.group),
                           skep_logs_rows_of_streams(&filters, &stream, 1, false)),
        PAGE_ROWS);
    plan.range = t->what.range;
    const struct skep_run_opts opts = {.environment = t->what.environment,
                                       .budget = t->api->cfg.queries,
                                       .canceled = canceled,
                                       .ctx = t,
                                       .arena = &t->page};
    skep_rc rc = SKEP_OK;
    for (bool more = true; more && rc == SKEP_OK;) {
        struct skep_answer a = {0};
        skep_arena_reset(&t->page);
        rc = skep_query_run(t->api->cfg.store, &plan, &opts, &a, err);
        if (rc == SKEP_OK)
            rc = put_rows(t, &plan, &a.rows, err);
        more = a.rows.more;
    }
    skep_arena_done(&filters);
    return rc == SKEP_OK ? put_piece(t, err) : rc;
}

static skep_rc export_stream(struct task *t, skep_str stream, skep_err *err)
{
    const struct skep_os *os = t->api->cfg.os;
    skep_arena_reset(&t->page);
    skep_str dir = folder_of(t, stream);
    skep_str path = skep_arena_printf(&t->page, SKEP_STRFMT "/000000.gz", SKEP_STRARG(dir));
    if (path.n > PATH_MAX_BYTES)
        return skep_fail(err, SKEP_EINVAL, "the path of a file is too long");
    SKEP_TRY(make_dirs(t, dir, err));
    SKEP_TRY(os->open(os, skep_cstr(&t->page, path),
                      SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC, &t->fd, err));
    t->offset = 0;
    skep_rc rc = write_stream(t, stream, err);
    if (rc == SKEP_OK)
        rc = os->fsync(os, t->fd, err);
    os->close(os, t->fd);
    return rc;
}

// --- a task's end ------------------------------------------------------------------------------

static void keep_end(struct task *t, skep_rc rc, const skep_err *err)
{
    skep_err why;
    struct skep_state_log_item item;
    struct skep_buf body;
    struct skep_json json;
    skep_str env = t->what.environment;
    struct skep_state *state = t->api->cfg.state;
    const char *code = rc == SKEP_OK ? "COMPLETED" : rc == SKEP_ECANCELED ? "CANCELLED" : "FAILED";
    if (skep_state_log_item(state, env, SKEP_STATE_LOG_EXPORT_TASK, SKEP_STR(""), t->what.id,
                            &t->arena, &item, &why) != SKEP_OK)
        return; /* a hundred tasks later: nobody asks */
    yyjson_doc *doc = yyjson_read(item.body.p, item.body.n, 0);
    skep_buf_init(&body, 64 << 10);
    skep_json_init(&json, &body);
    skep_json_object(&json);
    skep_json_key(&json, SKEP_STR("task"));
    skep_api__logs_put_value(&json, yyjson_obj_get(yyjson_doc_get_root(doc), "task"));
    skep_api__logs_put(&json, "code", skep_str_c(code));
    skep_api__logs_put(&json, "message", rc == SKEP_OK ? SKEP_STR("") : skep_str_c(err->text));
    skep_api__logs_put_time(&json, "completed_ms", t->api->cfg.os->now_ns(t->api->cfg.os));
    skep_json_end(&json);
    item.body = skep_buf_text(&body);
    if (skep_state_log_item_put(state, env, SKEP_STATE_LOG_EXPORT_TASK, &item, &why) != SKEP_OK)
        skep_log(WARN, "the end of an export cannot be kept", SKEP_K_CSTR("error", why.text));
    skep_buf_done(&body);
    yyjson_doc_free(doc);
}

static void task_free(struct task *t)
{
    libdeflate_free_compressor(t->deflate);
    skep_free(t->packed);
    skep_buf_done(&t->text);
    skep_arena_done(&t->page);
    skep_arena_done(&t->arena);
    skep_free(t);
}

static void task_thread(void *arg)
{
    struct task *t = arg;
    struct skep_api *api = t->api;
    skep_err err = {.text = ""};
    skep_rc rc = SKEP_OK;
    for (size_t i = 0; i < t->what.n_streams && rc == SKEP_OK; i++)
        rc = canceled(t) ? SKEP_ECANCELED : export_stream(t, t->what.streams[i], &err);
    if (rc != SKEP_OK && rc != SKEP_ECANCELED)
        skep_log(WARN, "an export failed", SKEP_K_STR("group", t->what.group), SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
    keep_end(t, rc, &err);
    skep_mutex_lock(&api->exports->mu);
    api->exports->current = NULL;
    skep_mutex_unlock(&api->exports->mu);
    task_free(t);
    atomic_fetch_sub(&api->tails, 1);
}

// --- tasks -------------------------------------------------------------------------------------

struct skep_logs_exports *skep_logs_exports_new(struct skep_api *api)
{
    struct skep_logs_exports *x = skep_alloc(struct skep_logs_exports);
    x->api = api;
    skep_mutex_init(&x->mu, "exports");
    return x;
}

void skep_logs_exports_free(struct skep_logs_exports *x)
{
    if (!x)
        return;
    skep_assert(x->current == NULL);
    skep_mutex_done(&x->mu);
    skep_free(x);
}

static struct task *task_new(struct skep_api *api, const struct skep_logs_export *what)
{
    struct task *t = skep_alloc(struct task);
    struct skep_arena *a = &t->arena;
    t->api = api;
    skep_arena_init(a, "export", NULL);
    skep_arena_init(&t->page, "export page", api->cfg.queries);
    skep_buf_init(&t->text, PIECE_BYTES + SKEP_LIMIT_VALUE_BYTES + 64);
    t->deflate = libdeflate_alloc_compressor(LEVEL);
    skep_assert(t->deflate != NULL);
    t->what = *what;
    t->what.environment = skep_arena_str(a, what->environment);
    t->what.id = skep_arena_str(a, what->id);
    t->what.group = skep_arena_str(a, what->group);
    t->what.dir = skep_arena_str(a, what->dir);
    skep_str *streams = skep_new_n(a, skep_str, what->n_streams);
    for (size_t i = 0; i < what->n_streams; i++)
        streams[i] = skep_arena_str(a, what->streams[i]);
    t->what.streams = streams;
    return t;
}

skep_rc skep_logs_export_start(struct skep_logs_exports *x, const struct skep_logs_export *what,
                               skep_err *err)
{
    skep_thread thread;
    struct task *t = task_new(x->api, what);
    skep_mutex_lock(&x->mu);
    bool busy = x->current != NULL;
    if (!busy)
        x->current = t;
    skep_mutex_unlock(&x->mu);
    if (busy) {
        task_free(t);
        return skep_fail(err, SKEP_ELIMIT, "another export is running");
    }
    atomic_fetch_add(&x->api->tails, 1);
    skep_thread_start(&thread, "log-export", task_thread, t);
    (void)pthread_detach(thread.t); /* counted in api->tails; skep_api__tails_wait waits */
    return SKEP_OK;
}

bool skep_logs_export_running(struct skep_logs_exports *x, skep_str environment, skep_str id,
                              bool cancel)
{
    skep_mutex_lock(&x->mu);
    bool running = x->current && skep_str_eq(x->current->what.id, id) &&
                   skep_str_eq(x->current->what.environment, environment);
    if (running && cancel)
        x->current->cancel = true;
    skep_mutex_unlock(&x->mu);
    return running;
}
