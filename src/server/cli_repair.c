// SPDX-License-Identifier: Apache-2.0
/* `skep repair`: serve what is good, say what is missing.
 *
 * Threads: main, and the store's while it is open. */
#include <stdio.h>

#include "base/log.h"
#include "server/cli.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_DATA_FLAG,
    {"dry-run", NULL, "Only say what would be done"},
    {"forget", NULL, "Settle what is known to be lost: answers no longer speak of it"},
    {"memory", "SIZE", "For saving rows of damaged segments, about 100 bytes a row; default 1G"},
    {"json", NULL, "One JSON object a line for each finding, and one for the sum"},
};

static void as_json(struct skep_buf *out, const struct skep_repair_result *r)
{
    skep_buf_printf(
        out,
        "{\"level\":\"sum\",\"rows\":%llu,\"lost_rows\":%llu,\"segments_aside\":%llu,"
        "\"segments_saved\":%llu,\"undeleted_rows\":%llu,\"log_holes\":%llu,\"forgotten\":%llu,"
        "\"manifest_rebuilt\":%s,\"changed\":%s}\n",
        (unsigned long long)r->rows, (unsigned long long)r->lost_rows,
        (unsigned long long)r->segments_aside, (unsigned long long)r->segments_saved,
        (unsigned long long)r->undeleted_rows, (unsigned long long)r->log_holes,
        (unsigned long long)r->forgotten, r->manifest_rebuilt ? "true" : "false",
        r->changed ? "true" : "false");
}

static void as_text(struct skep_cli_tool *t, const struct skep_repair_result *r, bool dry_run)
{
    struct skep_buf *out = &t->out;
    if (!r->changed && t->damages == 0 && r->log_holes == 0) {
        skep_buf_str(out, SKEP_STR("nothing to repair: "));
        skep_cli_count(out, r->rows);
        skep_buf_str(out, SKEP_STR(" rows\n"));
        return;
    }
    if (r->forgotten)
        skep_buf_printf(out, "%llu records of what is lost are settled\n",
                        (unsigned long long)r->forgotten);
    skep_cli_count(out, r->rows);
    skep_buf_str(out,
                 dry_run ? SKEP_STR(" rows in segments would stay") : SKEP_STR(" rows served"));
    if (r->lost_rows) {
        skep_buf_str(out, SKEP_STR(", "));
        skep_cli_count(out, r->lost_rows);
        skep_buf_str(out, SKEP_STR(" lost"));
    }
    if (r->undeleted_rows) {
        skep_buf_str(out, SKEP_STR(", "));
        skep_cli_count(out, r->undeleted_rows);
        skep_buf_str(out, SKEP_STR(" that were dead are back"));
    }
    skep_buf_u8(out, '\n');
    if (t->damages && !dry_run) {
        skep_buf_str(out, SKEP_STR("Answers over what is lost say so. Bad files are in "));
        skep_cli_safe(out, skep_str_c(t->data));
        skep_buf_str(out, SKEP_STR("/rows/quarantine.\n"));
    }
    if (dry_run)
        skep_buf_str(out, SKEP_STR("Nothing was changed (--dry-run).\n"));
}

int skep_cli_repair(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep repair [--data DIR] [flags]\n\nMake a damaged data folder servable again: "
                 "bad segments are set aside (row groups\nthat are good are saved), damaged "
                 "stretches of the log are passed over, a lost\nmanifest is made anew. Says what "
                 "is missing, and answers over it will. The server\nmust not run.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_cli_tool t;
    struct skep_budget memory;
    struct skep_repair_result r = {0};
    uint64_t bytes;
    skep_err err;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    if (args.rest.n ||
        !skep_parse_size(skep_str_c(skep_cli_value(&args, "memory", "1G")), &bytes) ||
        bytes < SKEP_CONFIG_MEMORY_MIN) {
        (void)fprintf(stderr, "skep repair: %s\n",
                      args.rest.n ? "it takes no arguments" : "--memory: a size of at least 64M");
        return SKEP_EXIT_USAGE;
    }
    skep_cli_tool_init(&t, "skep repair", &args);
    skep_log_set_level(SKEP_LOG_ERROR);
    skep_budget_init(&memory, "repair", bytes, NULL);
    const struct skep_repair_opts opts = {.dry_run = skep_cli_has(&args, "dry-run"),
                                          .forget = skep_cli_has(&args, "forget"),
                                          .memory = &memory};
    skep_rc rc = skep_tool_repair(&t.tool, skep_cli_tool_path(&t, "rows"), &opts, &r, &err);
    skep_cli_tool_clear(&t);
    if (rc == SKEP_OK && t.json)
        as_json(&t.out, &r);
    else if (rc == SKEP_OK)
        as_text(&t, &r, opts.dry_run);
    else
        (void)skep_cli_tool_fail(&t, &err);
    if (t.out.n)
        (void)skep_cli_print(&t.out);
    skep_cli_tool_done(&t);
    return rc == SKEP_OK ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}
