// SPDX-License-Identifier: Apache-2.0
/* The derived columns of an environment, for languages that may name them.
 * Threads: any but I/O threads.  Memory: the question's arena. */
#include <yyjson.h>

#include "api/api_priv.h"
#include "base/log.h"
#include "state/objects.h"

skep_rc skep_api__derived(struct skep_api *api, const struct skep_run_opts *opts,
                          struct skep_lang_opts *lang, skep_err *err)
{
    struct skep_object *all;
    size_t n = 0;
    SKEP_TRY(skep_state_objects(api->cfg.state, SKEP_OBJECT_DERIVED_COLUMN, &opts->environment,
                                NULL, opts->arena, &all, &n, err));
    struct skep_lang_derived *list = skep_new_n(opts->arena, struct skep_lang_derived, n + 1);
    for (size_t i = 0; i < n; i++) {
        yyjson_doc *d = yyjson_read(all[i].body.p, all[i].body.n, 0);
        yyjson_val *v = yyjson_obj_get(yyjson_doc_get_root(d), "expression");
        list[i] = (struct skep_lang_derived){
            .alias = all[i].name,
            .dataset = all[i].scope,
            .expression =
                skep_arena_str(opts->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)})};
        yyjson_doc_free(d);
    }
    lang->derived = list;
    lang->n_derived = (unsigned)n;
    return SKEP_OK;
}

struct skep_lang_opts skep_api__page_lang(struct skep_api__job *job)
{
    struct skep_lang_opts lang = {.now_ns = skep_api__now(job->api), .page = true};
    skep_err err = {.text = ""};
    if (skep_api__derived(job->api, &job->opts, &lang, &err) != SKEP_OK)
        skep_log(WARN, "derived columns cannot be read, a question goes without",
                 SKEP_K_CSTR("error", err.text));
    return lang;
}
