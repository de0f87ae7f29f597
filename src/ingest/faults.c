// SPDX-License-Identifier: Apache-2.0
/* Rows -> which of them are occurrences of an error (faults.h).
 *
 *   columns exception.type | exception.message | exception.stacktrace | body     of the batch
 *        |  one walk over the rows that have one of the first three, or a body with a trace's marks
 *        v
 *   stack_parse -> own -> fingerprint -> columns error.*
 *
 * A batch without such columns costs a few look-ups.
 *
 * I1  columns are made of the rows' own bytes: a retry gives the same. */
#include "ingest/faults.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "stack/fingerprint.h"
#include "symbols/symbols.h"

enum { ENVIRONMENT_MAX = 4096 };

/* A column, walked once in the order of its rows. */
struct column {
    const struct skep_batch_field *field; /* NULL: the batch has none */
    uint32_t at;
};

struct marks {
    struct skep_batch *b;
    const struct skep_faults_opts *opts;
    struct skep_buf environment; /* a copy: slices of the batch move */
    bool wants_wait;             /* opts does not allow what a stack needs */
    struct skep_arena arena;     /* of the row at hand */
    uint32_t *rows, *fingerprint, *loose, *culprit, n, cap;
    uint32_t *said_rows, *type, *message, n_said; /* rows whose exception stands in their body */
};

static struct column column_of(const struct skep_batch *b, enum skep_scope scope, skep_str name)
{
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *field = &b->fields[f];
        if (field->scope == scope && field->type == SKEP_TYPE_STRING && field->n > 0 &&
            skep_str_eq(skep_batch_str(b, field->name), name))
            return (struct column){.field = field};
    }
    return (struct column){.field = NULL};
}

/* The row's text; empty when it has none. */
static skep_str text_at(const struct skep_batch *b, struct column *c, uint32_t row)
{
    if (!c->field)
        return SKEP_STR_NULL;
    while (c->at < c->field->n && c->field->rows[c->at] < row)
        c->at++;
    if (c->at == c->field->n || c->field->rows[c->at] != row)
        return SKEP_STR_NULL;
    return skep_batch_str(b, (uint32_t)c->field->vals[c->at]);
}

/* What every language's traces have somewhere; most lines have none and cost a search each. */
static bool may_hold_trace(skep_str body)
{
    static const skep_str signs[] = {
        SKEP_STR_INIT("Traceback (most recent call last)"),
        SKEP_STR_INIT("\n\tat "),
        SKEP_STR_INIT("\n    at "),
        SKEP_STR_INIT("\n   at "),
        SKEP_STR_INIT("\ngoroutine "),
        SKEP_STR_INIT(" panicked at "),
        SKEP_STR_INIT("\n#0 "),
        SKEP_STR_INIT("\n    #0 "),
        SKEP_STR_INIT("\n\tfrom "),
    };
    if (skep_str_chr(body, '\n') == SIZE_MAX)
        return false;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(signs); i++) {
        if (skep_str_find(body, signs[i]) != SIZE_MAX)
            return true;
    }
    return false;
}

/* A text of the row's resource. */
static skep_str of_resource(const struct skep_batch *b, uint32_t row, skep_str name)
{
    const struct skep_batch_lists *l = &b->resources;
    uint32_t r = b->resource[row];
    for (uint32_t e = l->first[r]; e < l->first[r + 1]; e++) {
        const struct skep_batch_entry *x = &l->entries[e];
        if (x->type == SKEP_TYPE_STRING && skep_str_eq(skep_batch_str(b, x->name), name))
            return skep_batch_str(b, (uint32_t)x->val);
    }
    return SKEP_STR_NULL;
}

skep_str skep_fault_culprit(const struct skep_frame *f, struct skep_arena *arena)
{
    if (!f)
        return SKEP_STR_NULL;
    skep_str place = f->file.n ? f->file : f->module;
    if (f->function.n == 0)
        return place;
    if (place.n == 0)
        return f->function;
    return skep_arena_printf(arena, SKEP_STRFMT " in " SKEP_STRFMT, SKEP_STRARG(place),
                             SKEP_STRARG(f->function));
}

static void grow(struct marks *m)
{
    if (m->n < m->cap)
        return;
    m->cap = m->cap ? 2 * m->cap : 64;
    uint32_t **all[] = {&m->rows,      &m->fingerprint, &m->loose,  &m->culprit,
                        &m->said_rows, &m->type,        &m->message};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        *all[i] = skep_realloc(*all[i], m->cap * sizeof **all[i]);
}

/* Originals of frames; false: they would have to be waited for. */
static bool map(struct marks *m, uint32_t row, struct skep_stack *stack)
{
    if (!m->opts || !m->opts->symbols)
        return true;
    skep_str version = of_resource(m->b, row, SKEP_STR("service.version"));
    skep_str environment = skep_buf_text(&m->environment);
    if (!skep_symbols_wanted(m->opts->symbols, environment, version, stack))
        return true;
    m->wants_wait = !m->opts->may_wait;
    if (m->opts->may_wait)
        skep_symbols_apply(m->opts->symbols, environment, version, stack, &m->arena);
    return !m->wants_wait;
}

/* type and message: what the row says of its exception; the trace's own where it says nothing. */
static void mark(struct marks *m, uint32_t row, skep_str type, skep_str message, skep_str trace,
                 bool in_body)
{
    struct skep_stack stack;
    struct skep_fingerprint loose;
    struct skep_batch *b = m->b;
    if (!skep_stack_parse(trace, of_resource(b, row, SKEP_STR("telemetry.sdk.language")), &m->arena,
                          &stack)) {
        if (in_body)
            return;
        stack.chain = skep_new(&m->arena, struct skep_exception);
        stack.n = 1;
    }
    stack.chain[0].type = type.n ? type : stack.chain[0].type;
    stack.chain[0].message = message.n ? message : stack.chain[0].message;
    if (!map(m, row, &stack))
        return;
    skep_stack_own(&stack, SKEP_STR_NULL);
    struct skep_fingerprint f = skep_fingerprint_exception(&stack, NULL, &loose);
    /* Copies: slices of the batch move when something is interned. */
    const skep_str culprit =
        skep_arena_str(&m->arena, skep_fault_culprit(skep_stack_culprit(&stack), &m->arena));
    const skep_str said[] = {skep_arena_str(&m->arena, stack.chain[0].type),
                             skep_arena_str(&m->arena, stack.chain[0].message)};
    grow(m);
    if (in_body) {
        m->said_rows[m->n_said] = row;
        m->type[m->n_said] = skep_batch_intern(b, said[0]);
        m->message[m->n_said++] = skep_batch_intern(b, said[1]);
    }
    m->culprit[m->n] = skep_batch_intern(b, culprit);
    m->fingerprint[m->n] = skep_batch_intern(b, skep_fingerprint_str(&f));
    m->loose[m->n] = skep_batch_intern(b, skep_fingerprint_str(&loose));
    m->rows[m->n++] = row;
}

static void walk(struct marks *m, struct column type, struct column message, struct column stack,
                 struct column body)
{
    struct skep_batch *b = m->b;
    for (uint32_t row = 0; row < b->n_rows && !b->over_budget && !b->over_limit && !m->wants_wait;
         row++) {
        bool log = b->kind[row] == SKEP_KIND_LOG;
        if (!log && b->kind[row] != SKEP_KIND_SPAN_EVENT)
            continue;
        skep_str t = text_at(b, &type, row), s = text_at(b, &stack, row);
        if (t.n > 0 || s.n > 0) {
            mark(m, row, t, text_at(b, &message, row), s, false);
        } else if (log) {
            skep_str line = text_at(b, &body, row);
            if (may_hold_trace(line))
                mark(m, row, SKEP_STR_NULL, SKEP_STR_NULL, line, true);
        }
        skep_arena_reset(&m->arena);
    }
}

static void put(struct marks *m)
{
    struct skep_batch *b = m->b;
    if (m->n == 0)
        return;
    skep_batch_fill(b, SKEP_STR("error.fingerprint"), m->rows, m->fingerprint, m->n);
    skep_batch_fill(b, SKEP_STR("error.fingerprint.loose"), m->rows, m->loose, m->n);
    skep_batch_fill(b, SKEP_STR("error.culprit"), m->rows, m->culprit, m->n);
    if (m->n_said == 0)
        return;
    skep_batch_fill(b, SKEP_STR("exception.type"), m->said_rows, m->type, m->n_said);
    skep_batch_fill(b, SKEP_STR("exception.message"), m->said_rows, m->message, m->n_said);
}

bool skep_faults_mark(struct skep_batch *b, const struct skep_faults_opts *opts)
{
    struct marks m = {.b = b, .opts = opts};
    const struct column type = column_of(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("exception.type"));
    const struct column stack =
        column_of(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("exception.stacktrace"));
    const struct column body = column_of(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"));
    if (!type.field && !stack.field && !body.field)
        return true;
    skep_arena_init(&m.arena, "faults", b->budget);
    skep_buf_init(&m.environment, ENVIRONMENT_MAX);
    skep_buf_str(&m.environment, opts ? opts->environment : SKEP_STR(""));
    walk(&m, type, column_of(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("exception.message")), stack, body);
    if (!m.wants_wait)
        put(&m);
    skep_buf_done(&m.environment);
    skep_arena_done(&m.arena);
    uint32_t *all[] = {m.rows, m.fingerprint, m.loose, m.culprit, m.said_rows, m.type, m.message};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        skep_free(all[i]);
    return !m.wants_wait;
}
