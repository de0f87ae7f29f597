// SPDX-License-Identifier: Apache-2.0
/* Of an occurrence: the other reports, when several wires told of it (state/item_twins.h), and the
 * rule that it is grouped by (ingest/grouping.h).
 * Threads: workers.  Memory: the job's arena. */
#include "api/items.h"

#include "base/assert.h"
#include "ingest/grouping.h"
#include "state/item_twins.h"

void skep_api__put_other_reports(struct skep_api__job *job, struct skep_json *j, skep_row_id row)
{
    struct skep_item_other others[SKEP_ITEM_OTHERS_MAX];
    size_t n = 0;
    skep_err err;
    if (skep_state_twins_others(job->api->cfg.state, row, others, &n, &err) != SKEP_OK || n == 0)
        return; /* the occurrence itself is what was asked for */
    skep_json_key(j, SKEP_STR("also"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        enum skep_source source = (enum skep_source)(others[i].wire / SKEP_KIND_COUNT);
        enum skep_kind kind = (enum skep_kind)(others[i].wire % SKEP_KIND_COUNT);
        skep_assert(source < SKEP_SOURCE_COUNT);
        skep_json_object(j);
        skep_api__put_row_id(j, SKEP_STR("row"), others[i].row);
        skep_json_put_str(j, SKEP_STR("source"), skep_source_name(source));
        skep_json_put_str(j, SKEP_STR("kind"), skep_kind_name(kind));
        skep_json_end(j);
    }
    skep_json_end(j);
}

/* "7 payments" */
void skep_api__put_grouping(struct skep_api__job *job, struct skep_json *j,
                            const struct skep_row *row)
{
    int64_t id = 0;
    skep_value v = skep_api__field(&job->arena, row, SKEP_GROUPING_RULE_FIELD);
    skep_str name = v.type == SKEP_TYPE_STRING ? v.s : SKEP_STR_NULL;
    if (!skep_str_i64(skep_str_cut(&name, ' '), &id))
        return;
    skep_json_key(j, SKEP_STR("rule"));
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("id"), id);
    skep_json_put_str(j, SKEP_STR("name"), name);
    skep_json_end(j);
}
