// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of Rollbar's API: its answers, its errors, its names of levels and
 * occurrences. */
#pragma once

#include <yyjson.h>

#include "api/items.h"
#include "state/item_rules.h"

/* {"err":0,"result": ... and, when the result stands, its end. */
void skep_api__rb_begin(struct skep_api__job *job, int status);
void skep_api__rb_end(struct skep_api__job *job);

/* {"err":1,"message":...} instead of the answer. */
void skep_api__rb_fail(struct skep_api__job *job, int status, skep_rc rc, skep_str message);
/* The same; always false. */
bool skep_api__rb_invalid(struct skep_api__job *job, skep_str message);
void skep_api__rb_fail_rc(struct skep_api__job *job, skep_rc rc, const skep_err *err);
/* net's and the gate's refusals in that form, for calls that read and for calls that write. */
skep_refuse_fn skep_api__rb_refuse_read, skep_api__rb_refuse_write;

/* Rows of a route table: path, with or without a slash at its end, and the job it is.  READ takes
 * the right to ask, WRITE (method, bytes of its body) that to change. */
skep_handler_fn skep_api__rb_handle;
#define SKEP_API__RB_ROUTE(verb, where, job, who, may)                                             \
    .method = (verb), .path = (where), .handle = skep_api__rb_handle,                              \
    .work = (void (*)(void))(job), .refuse = (who), .flags = SKEP_ROUTE_PREFIX_SLASH,              \
    .right = (may), .form = SKEP_FORM_ROLLBAR
#define SKEP_API__RB_READ(where, job)                                                              \
    {                                                                                              \
        SKEP_API__RB_ROUTE("GET", where, job, skep_api__rb_refuse_read, SKEP_RIGHT_QUERY)          \
    }
#define SKEP_API__RB_WRITE(verb, where, job, bytes)                                                \
    {                                                                                              \
        SKEP_API__RB_ROUTE(verb, where, job, skep_api__rb_refuse_write, SKEP_RIGHT_ADMIN),         \
            .body_limit_bytes = (bytes)                                                            \
    }

/* A whole number of the query string, from 1; absent: *ret stays.  false: refused. */
bool skep_api__rb_number(struct skep_api__job *job, skep_str name, uint64_t max, uint64_t *ret);
/* The first capture as a number; false after a 404 that says `what` is not there. */
bool skep_api__rb_id(struct skep_api__job *job, skep_str what, int64_t *ret);

/* Of a name ("error") or a number (40). */
bool skep_api__rb_level_parse(skep_str text, int *ret);
bool skep_api__rb_status_parse(skep_str text, enum skep_item_status *ret);

/* All values of parameter `name`, which may come several times, each with several values between
 * commas.  In the job's arena; at most `max`. */
size_t skep_api__rb_list(struct skep_api__job *job, skep_str name, const skep_str **ret,
                         size_t max);

/* The body, a JSON object, or NULL after a refusal; the caller frees. */
yyjson_doc *skep_api__rb_body(struct skep_api__job *job);
/* A member of it (text: at most max bytes); absent or null: *ret stays, *ret_set is false. */
bool skep_api__rb_text(struct skep_api__job *job, yyjson_val *root, const char *name, size_t max,
                       bool *ret_set, skep_str *ret);

/* A body whose members come as JSON, as a form, or as a form with files (multipart). */
struct skep_api__rb_form {
    yyjson_doc *doc;    /* NULL: a form */
    skep_str multipart; /* the Content-Type that names the boundary; empty: none */
};
/* false: refused.  Else done frees. */
bool skep_api__rb_form(struct skep_api__job *job, struct skep_api__rb_form *ret);
void skep_api__rb_form_done(struct skep_api__rb_form *f);
/* A member, a text of at most max bytes, in the job's arena; absent: *ret stays.  false: refused.
 */
bool skep_api__rb_member(struct skep_api__job *job, const struct skep_api__rb_form *f,
                         const char *name, size_t max, skep_str *ret);

/* Members with null for nothing. */
void skep_api__rb_put_s(struct skep_json *j, skep_str key, skep_ts_ns ns); /* as whole seconds */
void skep_api__rb_put_text(struct skep_json *j, skep_str key, skep_str text);
void skep_api__rb_put_null(struct skep_json *j, skep_str key);

/* The number that names an occurrence: commit sequence * 2^20 + ordinal.  A commit has at most 2^20
 * rows (SKEP_LIMIT_BATCH_ROWS), so the number is the row's alone, and as stable as its id. */
int64_t skep_api__rb_occurrence_id(skep_row_id id);
skep_row_id skep_api__rb_row_id(int64_t occurrence);

/* The fields that say where a program runs, the second of them the older name. */
extern const skep_str skep_api__rb_stage, skep_api__rb_old_stage;
/* Set a plan's filter, and of an item its range: from its first occurrence to its last. */
SKEP_NODISCARD skep_rc skep_api__rb_rows_of_item(struct skep_api__job *job,
                                                 const struct skep_item *item,
                                                 struct skep_plan *plan, skep_err *err);
/* Of any of the stages; n 0 = of all.  n * 5 tests. */
void skep_api__rb_rows_of_all(struct skep_api__job *job, const skep_str *stages, size_t n,
                              struct skep_plan *plan);
void skep_api__rb_rows_of_version(struct skep_api__job *job, skep_str version, skep_str stage,
                                  struct skep_plan *plan);

/* "new_item" ... */
const char *skep_api__rb_trigger_name(enum skep_item_trigger trigger);

/* An environment stands where Rollbar has a project; the number is made of its name. */
int64_t skep_api__rb_project_id(skep_str environment);

/* What of an item the calls and the webhooks have in common; level, status and framework are texts
 * in the one and numbers in the other. */
void skep_api__rb_item_members(struct skep_json *j, const struct skep_item *i);
/* An item's object, of the calls. */
void skep_api__rb_item(struct skep_json *j, const struct skep_item *i);
