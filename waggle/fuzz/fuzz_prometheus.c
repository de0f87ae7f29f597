// SPDX-License-Identifier: Apache-2.0
/* The head of a scraper's request, and the text of any metric, in both formats. */
#include "prom.h"

#include <stdlib.h>

static void write_page(const uint8_t *data, size_t size, const struct waggle__prom_request *request,
                       enum waggle_prometheus_names names)
{
    static const waggle_scope_info scope = {.name = {"s", 1}};
    const waggle_scope_info *scopes[] = {&scope};
    const waggle_record records[] = {{data, (uint32_t)size, 0}, {data, (uint32_t)size, 0}};
    const waggle_resource_info resource = {.attributes = {(const char *)data, size}};
    const waggle_batch batch = {.struct_size = sizeof batch,
                                .signal = WAGGLE_SIGNAL_METRICS,
                                .resource = &resource,
                                .scopes = scopes,
                                .n_scopes = 1,
                                .records = records,
                                .n_records = 2};
    static const char *const all[] = {"*"};
    const waggle_prometheus_options o = {
        .names = names, .resource_labels = all, .n_resource_labels = 1};
    struct waggle__buf out;
    waggle__buf_init(&out, 1 << 20);
    (void)waggle__prom_text(&batch, &resource, &o, request, &out);
    for (size_t i = 0; !out.bad && i < out.n; i++) // a line ends where one is meant to
        if (out.p[i] == '\n' && i + 1 < out.n && out.p[i + 1] == '\n')
            abort();
    waggle__buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    waggle_set_error_handler(NULL, NULL, WAGGLE_LEVEL_NONE);
    struct waggle__prom_request r =
        waggle__prom_request_parse((waggle_str){(const char *)data, size});
    if (r.status != 200 && r.status != 400 && r.status != 404 && r.status != 405)
        abort();
    for (int names = 0; names < 4; names++) {
        const struct waggle__prom_request request = {
            .status = 200, .openmetrics = names & 1, .utf8 = names & 2};
        write_page(data, size, &request, (enum waggle_prometheus_names)names);
    }
    return 0;
}
