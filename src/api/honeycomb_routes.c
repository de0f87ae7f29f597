// SPDX-License-Identifier: Apache-2.0
/* Routes of Honeycomb's objects, and their twins for the page: /1/boards is also
 * /skep/v1/honeycomb/boards, for who is logged in.  A twin's handler, right and captures are those
 * of the original.
 * Threads: the one that starts.  Memory: twins live as long as the api. */
#include "api/honeycomb_objects.h"

#include "base/assert.h"

static skep_rc add_twins(struct skep_api *api, struct skep_net *net,
                         const struct skep_route *routes, size_t n, skep_err *err)
{
    struct skep_route *twins = skep_new_n(&api->routes, struct skep_route, n);
    for (size_t i = 0; i < n; i++) {
        skep_str path = skep_str_c(routes[i].path);
        skep_assert(skep_str_starts(path, SKEP_STR("/1/")));
        twins[i] = routes[i];
        twins[i].path = skep_arena_printf(&api->routes, "/skep/v1/honeycomb" SKEP_STRFMT,
                                          SKEP_STRARG(skep_str_skip(path, 2)))
                            .p;
        twins[i].form = SKEP_FORM_PAGE;
    }
    return skep_net_routes(net, twins, n, api, err);
}

skep_rc skep_api__hny_register(struct skep_api *api, struct skep_net *net, skep_err *err)
{
    static const struct skep_api__routes *const also[] = {
        &skep_api__honeycomb_datasets, &skep_api__honeycomb_definitions,
        &skep_api__honeycomb_columns,  &skep_api__honeycomb_queries,
        &skep_api__honeycomb_results,
    };
    for (size_t i = 0; i < skep_api__n_hny_objects; i++) {
        const struct skep_api__hny_object *o = skep_api__hny_objects[i];
        SKEP_TRY(skep_net_routes(net, o->routes, o->n_routes, api, err));
        SKEP_TRY(add_twins(api, net, o->routes, o->n_routes, err));
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(also); i++)
        SKEP_TRY(add_twins(api, net, also[i]->routes, also[i]->n, err));
    return SKEP_OK;
}
