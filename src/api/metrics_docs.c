// SPDX-License-Identifier: Apache-2.0
/* docs/metrics.md, made of metrics.def: what the file must be (tests/unit/api/test_metrics.c).
 * Threads: any.  Memory: the caller's buffer. */
#include "api/metrics_docs.h"

#include "base/str.h"

static void cell(struct skep_buf *out, const char *text)
{
    skep_buf_str(out, skep_str_c(text));
    skep_buf_str(out, SKEP_STR(" | "));
}

static void row(struct skep_buf *out, const char *name, const char *type, const char *labels,
                const char *help)
{
    if (help[0] == 0)
        return; /* of the family above */
    bool counter = type[0] == 'c';
    skep_buf_str(out, SKEP_STR("| `"));
    skep_buf_str(out, skep_str_c(name));
    cell(out, counter ? "_total`" : "`");
    cell(out, type);
    /* A label with its value stands for all values of its name. */
    skep_str l = skep_str_c(labels);
    size_t eq = skep_str_chr(l, '=');
    skep_buf_str(out, eq == SIZE_MAX ? l : (skep_str){l.p, eq});
    skep_buf_str(out, SKEP_STR(" | "));
    skep_buf_str(out, skep_str_c(help));
    skep_buf_str(out, SKEP_STR(" |\n"));
}

void skep_metrics_docs(struct skep_buf *out)
{
    skep_buf_str(
        out,
        SKEP_STR(
            "# Metrics\n\n"
            "`GET /metrics` on any port: Prometheus' text format, or OpenMetrics when `Accept` "
            "asks "
            "for\n`application/openmetrics-text`. Every number is counted anyway; asking for them "
            "reads no rows. What stands for\nprocess and network begins at 0 when the server "
            "starts. "
            "The same Host and Origin rules as everywhere: a scraper\non another machine needs a "
            "listener there and `--allow-host`.\n\n"
            "```yaml\nscrape_configs:\n  - job_name: skep\n    static_configs:\n      - targets: "
            "['127.0.0.1:4318']\n```\n\n"
            "This file is made of `src/api/metrics.def`; `SKEP_WRITE_DOCS=1` with the test "
            "`test_metrics` writes it.\n\n"
            "| name | type | labels | what |\n|---|---|---|---|\n"));
#define COUNTER                                 "counter"
#define GAUGE                                   "gauge"
#define METRIC(type, name, labels, value, help) row(out, name, type, labels, help);
#define HISTOGRAM(name, value, help)            row(out, name, "histogram", "", help);
#define LIST(type, name, labels, fn, help)      row(out, name, type, labels, help);
#include "api/metrics.def"
}
