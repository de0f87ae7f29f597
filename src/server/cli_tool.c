// SPDX-License-Identifier: Apache-2.0
/* What the commands on a data directory share: findings in words or as JSON lines, progress.
 *
 *   DAMAGE  seg/0000000000000003.seg  byte 5120 (3071 bytes)  commits 4 to 9: values of http.url
 * ...
 *
 * Threads: main. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "server/cli.h"
#include "wire/json_out.h"

static void put_number(struct skep_json *json, const char *key, uint64_t v, bool is)
{
    if (is)
        skep_json_put_u64(json, skep_str_c(key), v);
}

static void as_json(struct skep_buf *out, const struct skep_finding *f)
{
    struct skep_json json;
    skep_json_init(&json, out);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("level"),
                      f->level == SKEP_FINDING_DAMAGE ? SKEP_STR("damage") : SKEP_STR("note"));
    skep_json_put_str(&json, SKEP_STR("file"), f->file);
    put_number(&json, "offset", f->offset, f->level == SKEP_FINDING_DAMAGE);
    put_number(&json, "bytes", f->bytes, f->bytes > 0);
    put_number(&json, "first_commit", f->min_seq, f->min_seq > 0);
    put_number(&json, "last_commit", f->max_seq, f->max_seq > 0);
    put_number(&json, "rows", f->rows, f->rows > 0);
    skep_json_put_str(&json, SKEP_STR("text"), f->text);
    skep_json_end(&json);
    skep_buf_u8(out, '\n');
}

static void as_text(struct skep_buf *out, const struct skep_finding *f)
{
    bool damage = f->level == SKEP_FINDING_DAMAGE;
    skep_buf_str(out, damage ? SKEP_STR("DAMAGE  ") : SKEP_STR("note    "));
    skep_cli_safe(out, f->file);
    if (damage && (f->offset || f->bytes))
        skep_buf_printf(out, "  byte %llu", (unsigned long long)f->offset);
    if (f->bytes)
        skep_buf_printf(out, " (%llu bytes)", (unsigned long long)f->bytes);
    if (f->max_seq > f->min_seq)
        skep_buf_printf(out, "  commits %llu to %llu", (unsigned long long)f->min_seq,
                        (unsigned long long)f->max_seq);
    else if (f->min_seq)
        skep_buf_printf(out, "  commit %llu", (unsigned long long)f->min_seq);
    if (f->rows) {
        skep_buf_str(out, SKEP_STR("  "));
        skep_cli_count(out, f->rows);
        skep_buf_str(out, f->rows == 1 ? SKEP_STR(" row") : SKEP_STR(" rows"));
    }
    skep_buf_str(out, SKEP_STR("\n        "));
    skep_cli_safe(out, f->text);
    skep_buf_u8(out, '\n');
}

static void on_found(void *ctx, const struct skep_finding *f)
{
    struct skep_cli_tool *t = ctx;
    skep_cli_tool_clear(t);
    if (f->level == SKEP_FINDING_DAMAGE)
        t->damages++;
    else
        t->notes++;
    if (t->json)
        as_json(&t->out, f);
    else
        as_text(&t->out, f);
    (void)skep_cli_print(&t->out); /* who closed stdout wants the exit code alone */
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    enum { BAR = 40 };
    struct skep_cli_tool *t = ctx;
    char bar[BAR + 1];
    if (!t->bar || total == 0)
        return;
    int percent = (int)((double)SKEP_MIN(done, total) * 100.0 / (double)total);
    if (percent == t->last_percent)
        return;
    t->last_percent = percent;
    for (int i = 0; i < BAR; i++)
        bar[i] = i < percent * BAR / 100 ? '=' : ' ';
    bar[BAR] = '\0';
    (void)fprintf(stderr, "\r[%s] %3d%%", bar, percent);
}

void skep_cli_tool_init(struct skep_cli_tool *t, const char *name, const struct skep_cli_args *args)
{
    const char *env = getenv("SKEP_DATA");
    *t = (struct skep_cli_tool){.name = name, .last_percent = -1};
    t->tool = (struct skep_tool){
        .os = skep_os_real(), .found = on_found, .progress = on_progress, .ctx = t};
    t->data = skep_cli_value(args, "data", env && env[0] ? env : "skep-data");
    t->json = skep_cli_has(args, "json");
    t->bar = !t->json && skep_cli_is_tty(STDERR_FILENO);
    skep_arena_init(&t->arena, "tool", NULL);
    skep_buf_init(&t->out, 64 << 20);
}

void skep_cli_tool_done(struct skep_cli_tool *t)
{
    skep_cli_tool_clear(t);
    skep_arena_done(&t->arena);
    skep_buf_done(&t->out);
}

const char *skep_cli_tool_path(struct skep_cli_tool *t, const char *name)
{
    return skep_cstr(&t->arena, skep_arena_printf(&t->arena, "%s/%s", t->data, name));
}

void skep_cli_tool_clear(struct skep_cli_tool *t)
{
    if (t->last_percent < 0)
        return;
    (void)fprintf(stderr, "\r%50s\r", "");
    t->last_percent = -1;
}

int skep_cli_tool_fail(struct skep_cli_tool *t, const skep_err *err)
{
    skep_cli_tool_clear(t);
    skep_assert(err->text[0]);
    (void)fprintf(stderr, "%s: %s\n", t->name, err->text);
    return SKEP_EXIT_FAILED;
}

void skep_cli_bytes(struct skep_buf *out, uint64_t n)
{
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    double v = (double)n;
    size_t i = 0;
    while (v >= 1000 && i + 1 < SKEP_ARRAY_LEN(units)) {
        v /= 1000;
        i++;
    }
    skep_buf_printf(out, i == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[i]);
}
