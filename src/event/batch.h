// SPDX-License-Identifier: Apache-2.0
/* A columnar batch of rows under construction: what an ingest adapter fills and the store commits.
 *
 *   intrinsic columns   one array each, n_rows long
 *   fields              one sparse column per (scope, name, type): rows ascending, one value a row
 *   strings             every string once; values are indexes into the table
 *   resources, scopes   interned lists of (name, type, value)
 *
 * Rows are appended in order.  One thread at a time. */
#pragma once

#include "base/budget.h"
#include "base/hash.h"
#include "event/event.h"
#include "event/ledger.h"

struct skep_batch_strings {
    uint32_t n, cap;
    struct skep_batch_string {
        uint32_t offset, len;
        uint64_t hash; /* skep_hash of the bytes: stored, so that later unions need no strings */
    } * items;
    uint8_t *data; /* all bytes, back to back */
    size_t data_n, data_cap;
    struct skep_index index;
};

/* One sparse column.  vals[i] belongs to row rows[i].  Payload of vals: STRING, BYTES, ARRAY:
 * string index; INT: the int64's bits; DOUBLE: the double's bits; BOOL: 0 or 1; EMPTY: 0. n is 0
 * when each value was replaced by one of another type. */
struct skep_batch_field {
    uint32_t name; /* string index */
    uint8_t scope; /* INTRINSIC or ATTRIBUTE (resource and instrumentation fields are interned) */
    uint8_t type;
    bool shared; /* there are or were fields of other types with its name */
    uint32_t n, cap;
    uint32_t *rows;
    uint64_t *vals;
};

/* Interned attribute lists: entry e of list k is entries[first[k] .. first[k + 1]). Lists are equal
 * only if their entries are; entry order is by (name bytes, type). List 0 exists and is empty. */
struct skep_batch_lists {
    uint32_t n;      /* lists */
    uint32_t *first; /* n + 1 */
    uint32_t cap;
    struct skep_batch_entry {
        uint32_t name; /* string index */
        uint32_t type;
        uint64_t val; /* as in skep_batch_field */
    } * entries;
    uint32_t entries_n, entries_cap;
    uint64_t *hashes; /* content hash of each list, independent of string indexes */
    struct skep_index index;
};

struct skep_batch {
    uint32_t n_rows, cap_rows;
    /* Intrinsic columns [n_rows]. */
    int64_t *time_ns, *duration_ns;
    uint8_t *kind, *status, *span_kind, *severity, *source;
    skep_trace_id *trace_id;
    uint64_t *span_id, *parent_id;
    uint32_t *name, *dataset; /* string indexes */
    uint32_t *resource, *scope;
    uint32_t *flags, *sample_rate;

    struct skep_batch_strings strings; /* index 0 is "" */
    struct skep_batch_field *fields;
    uint32_t n_fields, cap_fields;
    struct skep_batch_lists resources, scopes;

    skep_ts_ns received_ns;
    uint8_t identity[16];        /* of the whole request, or all zero: see skep_batch_identity */
    struct skep_receipt receipt; /* what the wire says of the request; set before append */
    struct skep_budget *budget;
    uint64_t budget_bytes;
    bool over_budget; /* sticky: a put was refused; the batch must be thrown away */
    bool over_limit;  /* sticky: the same for SKEP_LIMIT_*, and 4 GiB of strings */
    struct skep_batch__scratch *scratch; /* private to src/event */
};

/* budget may be NULL.  received_ns: the clock at arrival. */
struct skep_batch *skep_batch_new(struct skep_budget *budget, skep_ts_ns received_ns);
/* The memory of a few batches is kept for the next ones, outside of any budget, and with it
 * the names of their fields: a batch looks as if it had none, but is filled faster. */
void skep_batch_free(struct skep_batch *b);
/* Give that memory back.  Threads: any. */
void skep_batch_trim(void);

/* Append a row with all intrinsic columns at their neutral value (kind, time as given,
 * sample_rate 1, duration -1, source as given); the caller then sets b->x[row].  Returns the row.
 * A batch that is over_budget gives its last row again, so that the caller need not ask after
 * each call.  The caller keeps n_rows under SKEP_LIMIT_BATCH_ROWS. */
uint32_t skep_batch_row(struct skep_batch *b, enum skep_kind kind, skep_ts_ns time_ns,
                        enum skep_source source);
/* Take rows >= n_rows back, with their field values and the fields that only they had (a span
 * refused half way).  Interned strings and lists stay. */
void skep_batch_truncate(struct skep_batch *b, uint32_t n_rows);

/* Intern bytes; the index stays valid for the life of the batch.  0 when over_budget or
 * over_limit. */
uint32_t skep_batch_intern(struct skep_batch *b, skep_str s);
static inline skep_str skep_batch_str(const struct skep_batch *b, uint32_t i)
{
    const struct skep_batch_string *s = &b->strings.items[i];
    return (skep_str){(const char *)b->strings.data + s->offset, s->len};
}

/* Put a value for the newest row (row == n_rows - 1).  A second value of the same (scope, name)
 * replaces the first, whatever its type.  name longer than SKEP_LIMIT_NAME_BYTES is cut at a
 * character boundary; an empty name is ignored.  scope is INTRINSIC or ATTRIBUTE. */
void skep_batch_put(struct skep_batch *b, enum skep_scope scope, skep_str name, skep_value v);

#define SKEP_ENVIRONMENT_FIELD   SKEP_STR("meta.environment")
#define SKEP_ENVIRONMENT_DEFAULT SKEP_STR("default")
/* The rows so far are of this environment; those of SKEP_ENVIRONMENT_DEFAULT (or "") say nothing,
 * so that one environment costs nothing.  What a row said before is replaced.  Kept as an intrinsic
 * string field of this name; questions see one environment (plan.h).  Before skep_batch_identity,
 * which covers it. */
void skep_batch_environment(struct skep_batch *b, skep_str environment);

/* The newest row is revision `revision` of the span (trace, span, source, environment): of all
 * rows of a span that say so one is visible, that of the highest revision, of equal ones the last
 * committed.  The row must have a trace and a span id.  Events and links that say a revision, too,
 * are parts of their parent's: they stand before its row, and go with it.  Kept as an intrinsic
 * integer field of this name. */
#define SKEP_REVISION_FIELD SKEP_STR("meta.revision")
static inline void skep_batch_revision(struct skep_batch *b, int64_t revision)
{
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_REVISION_FIELD,
                   (skep_value){.type = SKEP_TYPE_INT, .i = revision});
}

/* Give `rows` (ascending) the intrinsic field `name` = true, and no other row of the batch. */
void skep_batch_mark(struct skep_batch *b, skep_str name, const uint32_t *rows, uint32_t n);

/* Give `rows` (ascending) the intrinsic text field `name` = vals[i] (interned), and no other row of
 * the batch. */
void skep_batch_fill(struct skep_batch *b, skep_str name, const uint32_t *rows,
                     const uint32_t *vals, uint32_t n);

/* Build an interned list (resource or instrumentation scope): begin, add values, end -> index.
 * Later values of the same name win.  Lists cannot nest. */
struct skep_batch_list; /* scratch, owned by the batch */
struct skep_batch_list *skep_batch_list_begin(struct skep_batch *b);
void skep_batch_list_put(struct skep_batch_list *l, skep_str name, skep_value v);
uint32_t skep_batch_list_end(struct skep_batch_list *l, struct skep_batch_lists *into);

/* Compute b->identity: XXH3-128 over the identities of the rows in order: for spans (trace, span,
 * kind, time, resource hash), for span events and links the same of their span plus time, name
 * and field count, for logs the content of the row.  Logs without a client timestamp make the
 * whole identity zero: such a request is never a duplicate (design.md, "Identity"). */
void skep_batch_identity(struct skep_batch *b, bool all_logs_have_time);

/* The fields that are not empty, in order of (name bytes, scope, type): ret[n_fields] gets their
 * numbers.  Returns how many. */
uint32_t skep_batch_order(const struct skep_batch *b, uint32_t *ret);

/* Check the structure's invariants (tests, debug builds). */
void skep_batch_check(const struct skep_batch *b);

/* Memory the batch holds, in bytes: the room of its arrays, used or not. */
uint64_t skep_batch_bytes(const struct skep_batch *b);
/* The part of it that is used. */
uint64_t skep_batch_content_bytes(const struct skep_batch *b);
