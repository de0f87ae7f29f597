// SPDX-License-Identifier: Apache-2.0
/* Which rows: the flags --where, --last, --from and --to of every command that takes them, as
 * members of a question.
 *
 *   --where TEST ...   "filters": [...], "filter_combination"
 *   --last TIME        "time_range": seconds
 *   --from, --to       "start_time", "end_time"
 *
 * Threads: main.  Memory: the caller's arena. */
#include <stdio.h>

#include "lang/where.h"
#include "server/cli.h"

/* Later than any row can be: 2261. */
#define END_OF_TIME "9200000000"

bool skep_cli_where(const char *command, const struct skep_cli_args *args, struct skep_arena *arena,
                    struct skep_json *json)
{
    return skep_cli_where_and(command, args, arena, NULL, NULL, json);
}

bool skep_cli_where_and(const char *command, const struct skep_cli_args *args,
                        struct skep_arena *arena, skep_cli_more_fn *more, void *ctx,
                        struct skep_json *json)
{
    const struct skep_cli_values *texts = skep_cli_values(args, "where");
    struct skep_where where[SKEP_CLI_VALUES_MAX];
    struct skep_lang_issue issue;
    bool any = false;
    for (unsigned i = 0; i < texts->n; i++) {
        if (skep_lang_where(skep_str_c(texts->v[i]), arena, &where[i], &issue) != SKEP_OK) {
            (void)fprintf(stderr, "skep %s: --where: %s (at character %zu)\n", command, issue.text,
                          issue.at + 1);
            return false;
        }
        any = any || where[i].any;
    }
    if (any && (texts->n > 1 || more)) {
        (void)fprintf(stderr, "skep %s: --where with OR stands alone\n", command);
        return false;
    }
    skep_json_key(json, SKEP_STR("filters"));
    skep_json_array(json);
    for (unsigned i = 0; i < texts->n; i++)
        skep_lang_where_json(&where[i], json);
    if (more)
        more(ctx, json);
    skep_json_end(json);
    if (any)
        skep_json_put_str(json, SKEP_STR("filter_combination"), SKEP_STR("OR"));
    return true;
}

static bool seconds(const char *command, const struct skep_cli_args *args, const char *flag,
                    const char *absent, skep_str key, struct skep_json *json)
{
    double v;
    const char *text = skep_cli_value(args, flag, absent);
    if (!text)
        return true;
    if (!skep_str_f64(skep_str_c(text), &v)) {
        (void)fprintf(stderr, "skep %s: --%s: not a number of seconds\n", command, flag);
        return false;
    }
    skep_json_key(json, key);
    skep_json_raw(json, skep_str_c(text));
    return true;
}

bool skep_cli_times(const char *command, const struct skep_cli_args *args, bool always,
                    struct skep_json *json)
{
    const char *last = skep_cli_value(args, "last", NULL);
    int64_t ns;
    if (!last)
        return seconds(command, args, "from", always ? "0" : NULL, SKEP_STR("start_time"), json) &&
               seconds(command, args, "to", always ? END_OF_TIME : NULL, SKEP_STR("end_time"),
                       json);
    if (skep_cli_has(args, "from") || skep_cli_has(args, "to")) {
        (void)fprintf(stderr, "skep %s: --last stands alone, without --from and --to\n", command);
        return false;
    }
    if (!skep_parse_duration(skep_str_c(last), &ns) || ns <= 0) {
        (void)fprintf(stderr, "skep %s: --last: use a time like 30m, 2h or 7d\n", command);
        return false;
    }
    skep_json_key(json, SKEP_STR("time_range"));
    if (ns % 1000000000 == 0)
        skep_json_i64(json, ns / 1000000000);
    else
        skep_json_f64(json, (double)ns / 1e9);
    return true;
}
