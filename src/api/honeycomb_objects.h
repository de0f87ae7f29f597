// SPDX-License-Identifier: Apache-2.0
/* Objects of Honeycomb's API: made, read, changed and dropped by one piece of code, each described
 * by a file with a table.
 *
 *   POST    body -> checked by the table of members -> `check` -> kept as JSON -> `settle`
 *           -> `changed`
 *   GET     kept JSON + id, created_at, updated_at + what `show` adds
 *   PUT     as POST; the whole object, but for members that are KEEP or FIXED
 *   DELETE  `dropping` may refuse -> dropped -> `changed`
 *
 * Members that no table knows are left out, as Honeycomb does: clients send back what they read. */
#pragma once

#include <yyjson.h>

#include "api/honeycomb_priv.h"
#include "state/objects.h"
#include "wire/json_in.h"

enum skep_api__hny_type {
    SKEP_HNY_TEXT,   /* min..max characters */
    SKEP_HNY_INT,    /* min..max */
    SKEP_HNY_NUMBER, /* any */
    SKEP_HNY_BOOL,
    SKEP_HNY_OBJECT, /* with `inside` its members, else as it is */
    SKEP_HNY_ARRAY,  /* min..max items; with `inside` each an object with those members */
    SKEP_HNY_TEXTS,  /* min..max texts of at most 255 characters */
    SKEP_HNY_ANY     /* kept as it is */
};

enum {
    SKEP_HNY_REQUIRED = 1u << 0,
    SKEP_HNY_READONLY = 1u << 1, /* of answers: what a body says is left out */
    SKEP_HNY_FIXED = 1u << 2,    /* cannot change; may be left out of a PUT */
    SKEP_HNY_KEEP = 1u << 3      /* left out of a PUT: stays as it was */
};

struct skep_api__hny_members {
    const struct skep_api__hny_member *list;
    size_t n;
};
#define SKEP_HNY_MEMBERS(table)                                                                    \
    {                                                                                              \
        (table), SKEP_ARRAY_LEN(table)                                                             \
    }

struct skep_api__hny_member {
    const char *name;
    enum skep_api__hny_type type;
    unsigned flags;
    int64_t min, max;    /* max 0 = no limit */
    const char *choices; /* TEXT: "a|b|c"; NULL = any */
    const char *absent;  /* JSON in its place; NULL = left out */
    const struct skep_api__hny_members *inside;
};

/* A request about an object, as it goes on. */
struct skep_api__hny_call {
    struct skep_api__job *job;
    const struct skep_api__hny_object *what;
    struct skep_api__dataset dataset; /* of the path; slug "" = none in it */
    struct skep_object object;
    yyjson_mut_doc *doc;  /* POST, PUT: what will be kept */
    yyjson_mut_val *body; /* its root */
    yyjson_val *old;      /* PUT: as it was */
    yyjson_alc alc;
    void *memo; /* of `show`, over a list */
};

/* Refuse with 422 and a member's name; always false. */
bool skep_api__hny_bad(struct skep_api__hny_call *c, const char *field, enum skep_lang_code code,
                       const char *text);

enum skep_api__hny_change { SKEP_HNY_CREATED, SKEP_HNY_SET, SKEP_HNY_DROPPED };

enum skep_api__hny_scope {
    SKEP_HNY_OF_ENVIRONMENT, /* /1/boards/:id */
    SKEP_HNY_OF_DATASET,     /* /1/columns/:dataset/:id */
    SKEP_HNY_OF_ANY_DATASET, /* the same; `__all__` too */
    SKEP_HNY_OF_PARENT       /* /1/boards/:id/views/:id */
};

struct skep_api__hny_object {
    enum skep_object_kind kind;
    enum skep_api__hny_scope scope;
    enum skep_object_kind parent; /* OF_PARENT */
    const char *noun;             /* "Marker" */
    struct skep_api__hny_members members;
    const char *one_by;      /* a parameter of the list that names the one object wanted */
    const char *list_by;     /* a parameter that a list needs ... */
    const char *list_member; /* ... and the member that is compared with it */
    bool location;           /* a Location beside 201 */
    bool shows_dropped;      /* DELETE answers with what was dropped */
    /* All may be NULL.  False: the request has been refused. */
    bool (*check)(struct skep_api__hny_call *c);
    bool (*dropping)(struct skep_api__hny_call *c);
    /* Keep what belongs to it beside (a recipient's place), after it was written.  Not SKEP_OK: it
     * is as it was before, and the request is refused. */
    skep_rc (*settle)(struct skep_api__hny_call *c, skep_err *err);
    /* After all was written; must not fail. */
    void (*changed)(struct skep_api__hny_call *c, enum skep_api__hny_change how);
    /* Add what is known of it beside. */
    void (*show)(struct skep_api__hny_call *c, const struct skep_object *o, yyjson_mut_doc *doc,
                 yyjson_mut_val *obj);
    const struct skep_route *routes; /* by method and whether the path names one */
    size_t n_routes;
};

/* The handler of all their routes. */
void skep_api__hny_object_handle(void *ctx, struct skep_request *req);
#define SKEP_API__HNY_ROUTE(verb, address, needs)                                                  \
    {                                                                                              \
        .method = (verb), .path = (address), .handle = skep_api__hny_object_handle,                \
        .refuse = skep_api__hny_refuse, .body_limit_bytes = SKEP_OBJECT_BYTES, .right = (needs),   \
        .form = SKEP_FORM_HONEYCOMB                                                                \
    }
/* GET and POST of the list, GET, PUT and DELETE of one. */
#define SKEP_API__HNY_ROUTES(address)                                                              \
    SKEP_API__HNY_ROUTE("GET", address, SKEP_RIGHT_QUERY),                                         \
        SKEP_API__HNY_ROUTE("POST", address, SKEP_RIGHT_QUERY),                                    \
        SKEP_API__HNY_ROUTE("GET", address "/:id", SKEP_RIGHT_QUERY),                              \
        SKEP_API__HNY_ROUTE("PUT", address "/:id", SKEP_RIGHT_QUERY),                              \
        SKEP_API__HNY_ROUTE("DELETE", address "/:id", SKEP_RIGHT_QUERY)

/* All routes of the objects, and the same below /skep/v1/honeycomb for the page with those of
 * queries, results, datasets, columns and definitions.  Before skep_net_start; the copies are the
 * api's.  Returns as skep_net_routes. */
SKEP_NODISCARD skep_rc skep_api__hny_register(struct skep_api *api, struct skep_net *net,
                                              skep_err *err);

/* All of them, for the handler; a line each. */
extern const struct skep_api__hny_object *const skep_api__hny_objects[];
extern const size_t skep_api__n_hny_objects;

extern const struct skep_api__hny_object skep_api__hny_marker, skep_api__hny_marker_setting,
    skep_api__hny_derived_column, skep_api__hny_query_annotation, skep_api__hny_board,
    skep_api__hny_board_view, skep_api__hny_recipient, skep_api__hny_trigger, skep_api__hny_slo,
    skep_api__hny_burn_alert;

/* An SLO that is tried: as an SLO, but that `sli` may have an `expression`.  It has no routes. */
extern const struct skep_api__hny_object skep_api__hny_slo_draft;

/* --- for the files of objects --- */

/* {key, value}, of a member "tags". */
extern const struct skep_api__hny_members skep_api__hny_tag;

/* Check a body by a table and put what passes into `out`; false after a refusal.  Takes part in
 * requests that are not of the usual five. */
bool skep_api__hny_take(struct skep_api__hny_call *c, const struct skep_api__hny_members *members,
                        yyjson_val *in, yyjson_val *old, yyjson_mut_val *out, const char *path);
/* Begin a call about `what`; the dataset of the path is looked up.  False after a refusal. */
bool skep_api__hny_call_begin(struct skep_api__hny_call *c, struct skep_api__job *job,
                              const struct skep_api__hny_object *what);
/* c->doc of the request's body, checked as `what` checks it, and c->object.body, the text that
 * would be kept; false after a refusal. */
bool skep_api__hny_read(struct skep_api__hny_call *c);
/* The request's JSON object; NULL after a refusal.  Free it. */
yyjson_doc *skep_api__hny_body(struct skep_api__hny_call *c);
/* An object's JSON as answers have it; the array or object begun goes on. */
void skep_api__hny_put_object(struct skep_api__hny_call *c, struct skep_json *json,
                              const struct skep_object *o);
/* The object of an id, of any scope: false when there is none (nothing is answered). */
bool skep_api__hny_find(struct skep_api__job *job, enum skep_object_kind kind, skep_str id,
                        struct skep_object *ret);
/* The `changed` and a `show` of what the scheduler watches: "triggered". */
void skep_api__hny_watch_changed(struct skep_api__hny_call *c, enum skep_api__hny_change how);
void skep_api__hny_show_triggered(struct skep_api__hny_call *c, const struct skep_object *o,
                                  yyjson_mut_doc *doc, yyjson_mut_val *obj);
/* "13:05" in minutes; false when it is none.  0 for "sunday" ... 6; -1 for none. */
bool skep_api__clock(skep_str s, int *ret_minutes);
int skep_api__weekday(skep_str name);
/* An expression, over columns and the other derived columns of the call's dataset, that is to be
 * called so; false after a refusal. */
bool skep_api__hny_check_expression(struct skep_api__hny_call *c, skep_str alias,
                                    skep_str expression);
/* The SLO's id in a burn alert. */
skep_str skep_api__burn_alert_slo(struct skep_arena *arena, const struct skep_object *o);
/* "normal" ... "exhausted". */
skep_str skep_api__slo_status(double budget_remaining);
/* Texts of JSON, in the arena; empty when absent. */
skep_str skep_api__hny_text(struct skep_arena *arena, yyjson_val *obj, const char *name);
skep_str skep_api__hny_mut_text(yyjson_mut_val *obj, const char *name);
/* Put `text` in the place of a member. */
void skep_api__hny_mut_set(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *name,
                           yyjson_mut_val *v);
