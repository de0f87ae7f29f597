// SPDX-License-Identifier: Apache-2.0
/* The derived columns of an environment, for languages that may name them: the one place where
 * questions get to know them.
 *
 * I1  a question whose derived columns cannot be read is refused: without them the same text would
 *     mean stored fields of those names, and a deletion other rows.
 *
 * Threads: any but I/O threads.  Memory: the question's arena. */
#include <yyjson.h>

#include "api/api_priv.h"
#include "state/objects.h"

skep_rc skep_api_derived(struct skep_state *state, skep_str environment, struct skep_arena *arena,
                         struct skep_lang_opts *lang, skep_err *err)
{
    struct skep_object *all;
    size_t n = 0;
    SKEP_TRY(skep_state_objects(state, SKEP_OBJECT_DERIVED_COLUMN, &environment, NULL, arena, &all,
                                &n, err));
    struct skep_lang_derived *list = skep_new_n(arena, struct skep_lang_derived, n + 1);
    for (size_t i = 0; i < n; i++) {
        yyjson_doc *d = yyjson_read(all[i].body.p, all[i].body.n, 0);
        yyjson_val *v = yyjson_obj_get(yyjson_doc_get_root(d), "expression");
        list[i] = (struct skep_lang_derived){
            .alias = all[i].name,
            .dataset = all[i].scope,
            .expression = skep_arena_str(arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)})};
        yyjson_doc_free(d);
    }
    lang->derived = list;
    lang->n_derived = (unsigned)n;
    return SKEP_OK;
}

skep_rc skep_api__derived(struct skep_api *api, const struct skep_run_opts *opts,
                          struct skep_lang_opts *lang, skep_err *err)
{
    return skep_api_derived(api->cfg.state, opts->environment, opts->arena, lang, err);
}

bool skep_api__page_lang(struct skep_api__job *job, struct skep_lang_opts *ret)
{
    skep_err err = {.text = ""};
    *ret = (struct skep_lang_opts){.now_ns = skep_api__now(job->api), .page = true};
    skep_rc rc = skep_api__derived(job->api, &job->opts, ret, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}
