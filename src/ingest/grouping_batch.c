// SPDX-License-Identifier: Apache-2.0
/* Occurrences of a batch, before it is appended: found (faults.h), and grouped by the rules of its
 * environment (grouping.h).
 *
 *   state/grouping_rules.h -> skep_ingest_grouping_load: a set, all environments; swapped whole
 *   batch -> error.fingerprint of each row -> judged -> replaced; error.fingerprint.rule, .before,
 *            error.title
 *
 * A batch of an environment without rules costs a lock.  Rules see what a row says of itself:
 * intrinsic fields, attributes, the resource.
 *
 * I1  a set never changes; who judges by it holds it.
 * Threads: any.  Memory: a row's judging at a time, from the batch's budget. */
#include "ingest/grouping.h"
#include "ingest/ingest_priv.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/faults.h"
#include "ingest/rollbar.h"
#include "state/grouping_rules.h"
#include "symbols/symbols.h"

struct skep_ingest__rules {
    struct skep_arena arena;
    unsigned held; /* lock of ingest: the newest is held once by it */
    struct {
        skep_str environment;
        struct skep_grouping_rule *rules;
        size_t n;
    } * of;
    size_t n;
};

/* --- the set --- */

static void let_go(struct skep_ingest *in, struct skep_ingest__rules *s)
{
    if (!s)
        return;
    skep_mutex_lock(&in->lock);
    bool last = --s->held == 0;
    skep_mutex_unlock(&in->lock);
    if (!last)
        return;
    skep_arena_done(&s->arena);
    skep_free(s);
}

static struct skep_ingest__rules *hold(struct skep_ingest *in)
{
    skep_mutex_lock(&in->lock);
    struct skep_ingest__rules *s = in->rules;
    if (s)
        s->held++;
    skep_mutex_unlock(&in->lock);
    return s;
}

static void replace(struct skep_ingest *in, struct skep_ingest__rules *s)
{
    skep_mutex_lock(&in->lock);
    struct skep_ingest__rules *old = in->rules;
    in->rules = s;
    skep_mutex_unlock(&in->lock);
    let_go(in, old);
}

void skep_ingest__rules_done(struct skep_ingest *in)
{
    replace(in, NULL);
}

/* What is kept was read once already: a rule that cannot be read is of another version. */
static void add(struct skep_ingest__rules *s, const struct skep_state_grouping_rule *kept)
{
    skep_str field;
    skep_err err = {.text = ""};
    bool another = s->n == 0 || !skep_str_eq(s->of[s->n - 1].environment, kept->environment);
    struct skep_grouping_rule rule;
    if (skep_grouping_read(kept->body, &s->arena, &rule, &field, &err) != SKEP_OK) {
        skep_log(WARN, "a rule about grouping cannot be read, ignoring it",
                 SKEP_K_CSTR("error", err.text));
        return;
    }
    rule.id = kept->id;
    if (another) {
        s->of[s->n].environment = skep_arena_str(&s->arena, kept->environment);
        s->of[s->n].rules =
            skep_new_n(&s->arena, struct skep_grouping_rule, SKEP_STATE_GROUPING_RULES_MAX);
        s->of[s->n++].n = 0;
    }
    if (s->of[s->n - 1].n < SKEP_STATE_GROUPING_RULES_MAX)
        s->of[s->n - 1].rules[s->of[s->n - 1].n++] = rule;
}

skep_rc skep_ingest_grouping_load(struct skep_ingest *in, skep_err *err)
{
    struct skep_arena scratch;
    struct skep_state_grouping_rule *kept;
    size_t n = 0;
    if (!in->cfg.state)
        return SKEP_OK;
    skep_arena_init(&scratch, "grouping", NULL);
    skep_rc rc = skep_state_grouping_rules(in->cfg.state, NULL, &scratch, &kept, &n, err);
    if (rc == SKEP_OK && n == 0)
        replace(in, NULL);
    if (rc == SKEP_OK && n > 0) {
        struct skep_ingest__rules *s = skep_alloc(struct skep_ingest__rules);
        s->held = 1;
        skep_arena_init(&s->arena, "grouping rules", NULL);
        s->of = skep_arena_alloc(&s->arena, n * sizeof *s->of);
        for (size_t i = 0; i < n; i++) /* by environment, then in their order */
            add(s, &kept[i]);
        replace(in, s);
    }
    skep_arena_done(&scratch);
    return rc;
}

/* --- a row of a batch --- */

struct subject {
    const struct skep_batch *b;
    struct skep_arena *arena;
    struct skep_symbols *symbols;
    uint32_t row;
};

/* Empty for what has no one text: doubles, bytes, lists. */
static skep_str text_of(struct skep_arena *arena, const struct skep_batch *b, uint32_t type,
                        uint64_t val)
{
    if (type == SKEP_TYPE_STRING)
        return skep_batch_str(b, (uint32_t)val);
    if (type == SKEP_TYPE_INT)
        return skep_arena_printf(arena, "%lld", (long long)val);
    if (type == SKEP_TYPE_BOOL)
        return val ? SKEP_STR("true") : SKEP_STR("false");
    return SKEP_STR_NULL;
}

static bool has(const struct skep_batch_field *f, uint32_t row, uint32_t *ret_at)
{
    uint32_t low = 0, high = f->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (f->rows[mid] < row)
            low = mid + 1;
        else
            high = mid;
    }
    *ret_at = low;
    return low < f->n && f->rows[low] == row;
}

static skep_str in_list(const struct subject *s, skep_str name)
{
    const struct skep_batch_lists *l = &s->b->resources;
    uint32_t r = s->b->resource[s->row];
    for (uint32_t e = l->first[r]; e < l->first[r + 1]; e++) {
        if (skep_str_eq(skep_batch_str(s->b, l->entries[e].name), name))
            return text_of(s->arena, s->b, l->entries[e].type, (uint64_t)l->entries[e].val);
    }
    return SKEP_STR_NULL;
}

static skep_str field_of(void *ctx, skep_str name)
{
    const struct subject *s = ctx;
    uint32_t at;
    if (skep_str_eq(name, SKEP_STR("name")))
        return skep_batch_str(s->b, s->b->name[s->row]);
    for (uint32_t f = 0; f < s->b->n_fields; f++) {
        const struct skep_batch_field *field = &s->b->fields[f];
        if (skep_str_eq(skep_batch_str(s->b, field->name), name) && has(field, s->row, &at))
            return text_of(s->arena, s->b, field->type, field->vals[at]);
    }
    return in_list(s, name);
}

/* The intrinsic text field's number; UINT32_MAX = the batch has none. */
static uint32_t find_field(const struct skep_batch *b, skep_str name)
{
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *field = &b->fields[f];
        if (field->scope == SKEP_SCOPE_INTRINSIC && field->type == SKEP_TYPE_STRING &&
            field->n > 0 && skep_str_eq(skep_batch_str(b, field->name), name))
            return f;
    }
    return UINT32_MAX;
}

static skep_str environment_of(const struct skep_batch *b)
{
    uint32_t f = find_field(b, SKEP_ENVIRONMENT_FIELD);
    return f == UINT32_MAX ? SKEP_ENVIRONMENT_DEFAULT
                           : skep_batch_str(b, (uint32_t)b->fields[f].vals[0]);
}

static bool stack_of(void *ctx, struct skep_stack *ret)
{
    struct subject *s = ctx;
    skep_str raw = field_of(s, SKEP_RAW_FIELD), type, message;
    if (s->b->source[s->row] == SKEP_SOURCE_ROLLBAR)
        return skep_rollbar_exceptions(raw, s->symbols, environment_of(s->b), s->arena, ret) &&
               ret->n > 0;
    skep_str trace = field_of(s, SKEP_STR("exception.stacktrace"));
    trace = trace.n ? trace : field_of(s, SKEP_STR("body"));
    if (!skep_stack_parse(trace, field_of(s, SKEP_STR("telemetry.sdk.language")), s->arena, ret))
        return false;
    type = field_of(s, SKEP_STR("exception.type"));
    message = field_of(s, SKEP_STR("exception.message"));
    ret->chain[0].type = type.n ? type : ret->chain[0].type;
    ret->chain[0].message = message.n ? message : ret->chain[0].message;
    if (s->symbols)
        skep_symbols_apply(s->symbols, environment_of(s->b),
                           field_of(s, SKEP_STR("service.version")), ret, s->arena);
    skep_stack_own(ret, SKEP_STR_NULL);
    return true;
}

/* --- all rows of a batch --- */

struct column {
    uint32_t *rows, *vals, n;
};

struct marking {
    struct skep_batch *b;
    struct skep_symbols *symbols;
    struct skep_arena arena; /* of the row at hand */
    const struct skep_grouping_rule *rules;
    size_t n;
    uint32_t fingerprint; /* the field's number */
    struct column rule, before, title;
};

static void put(struct skep_batch *b, struct column *c, uint32_t row, skep_str text)
{
    if (text.n == 0)
        return;
    c->rows[c->n] = row;
    c->vals[c->n++] = skep_batch_intern(b, text);
}

static void set(struct skep_batch *b, skep_str name, uint32_t row, skep_str text)
{
    uint32_t at;
    if (text.n == 0)
        return;
    uint32_t val = skep_batch_intern(b, text);
    for (uint32_t f = 0; f < b->n_fields; f++) {
        struct skep_batch_field *field = &b->fields[f];
        if (field->scope == SKEP_SCOPE_INTRINSIC && field->type == SKEP_TYPE_STRING &&
            skep_str_eq(skep_batch_str(b, field->name), name) && has(field, row, &at))
            field->vals[at] = val;
    }
}

static void judge_row(struct marking *m, uint32_t row)
{
    struct subject s = {.b = m->b, .arena = &m->arena, .symbols = m->symbols, .row = row};
    const struct skep_grouping_subject subject = {.ctx = &s, .field = field_of, .stack = stack_of};
    struct skep_grouping_verdict v;
    skep_grouping_judge(m->rules, m->n, &subject, &m->arena, &v);
    /* Copies: slices of the batch move when something is interned. */
    skep_str before = skep_arena_str(&m->arena, v.before),
             fingerprint = skep_arena_str(&m->arena, v.fingerprint),
             title = skep_arena_str(&m->arena, v.title),
             culprit = skep_arena_str(&m->arena, v.culprit);
    set(m->b, SKEP_STR("error.fingerprint"), row, fingerprint);
    set(m->b, SKEP_STR("error.fingerprint.loose"), row, v.loose);
    set(m->b, SKEP_STR("error.culprit"), row, culprit);
    if (v.rule) {
        put(m->b, &m->before, row, before);
        put(m->b, &m->rule, row,
            skep_arena_printf(&m->arena, "%lld " SKEP_STRFMT, (long long)v.rule->id,
                              SKEP_STRARG(v.rule->name)));
        put(m->b, &m->title, row, title);
    }
    skep_arena_reset(&m->arena);
}

static void column(struct column *c, uint32_t n)
{
    *c = (struct column){.rows = skep_alloc_n(uint32_t, n), .vals = skep_alloc_n(uint32_t, n)};
}

static void fill(struct skep_batch *b, skep_str name, struct column *c)
{
    if (c->n > 0)
        skep_batch_fill(b, name, c->rows, c->vals, c->n);
    skep_free(c->rows);
    skep_free(c->vals);
}

static void judge_all(struct marking *m)
{
    uint32_t n = m->b->fields[m->fingerprint].n;
    column(&m->rule, n);
    column(&m->before, n);
    column(&m->title, n);
    skep_arena_init(&m->arena, "grouping", m->b->budget);
    for (uint32_t i = 0; i < n && !m->b->over_budget && !m->b->over_limit; i++)
        judge_row(m, m->b->fields[m->fingerprint].rows[i]);
    skep_arena_done(&m->arena);
    fill(m->b, SKEP_GROUPING_RULE_FIELD, &m->rule);
    fill(m->b, SKEP_GROUPING_BEFORE_FIELD, &m->before);
    fill(m->b, SKEP_GROUPING_TITLE_FIELD, &m->title);
}

/* Judge what was found by the rules of the batch's environment. */
static void judge_batch(struct skep_ingest *in, struct skep_batch *b, struct skep_symbols *symbols)
{
    struct skep_ingest__rules *s = hold(in);
    struct marking m = {
        .b = b, .symbols = symbols, .fingerprint = find_field(b, SKEP_STR("error.fingerprint"))};
    skep_str environment = environment_of(b);
    for (size_t i = 0; s && i < s->n && m.fingerprint != UINT32_MAX; i++) {
        if (!skep_str_eq(s->of[i].environment, environment))
            continue;
        m.rules = s->of[i].rules;
        m.n = s->of[i].n;
        judge_all(&m);
        break;
    }
    let_go(in, s);
}

void skep_ingest__occurrences(struct skep_ingest *in, struct skep_batch *b,
                              struct skep_symbols *symbols)
{
    const struct skep_faults_opts opts = {
        .symbols = symbols, .environment = environment_of(b), .may_wait = true};
    bool marked = skep_faults_mark(b, &opts);
    skep_assert(marked);
    judge_batch(in, b, symbols);
}

// --- appending ---------------------------------------------------------------------------------

struct waiting {
    struct skep_ingest *in;
    struct skep_batch *b;
    skep_append_done_fn *done;
    void *ctx;
};

static void append_mapped(void *arg)
{
    struct waiting w = *(struct waiting *)arg;
    skep_free(arg);
    skep_ingest__occurrences(w.in, w.b, w.in->cfg.symbols);
    skep_store_append(w.in->cfg.store, w.b, w.done, w.ctx);
}

void skep_ingest__append(struct skep_ingest *in, struct skep_batch *b, skep_append_done_fn *done,
                         void *ctx)
{
    const struct skep_faults_opts opts = {.symbols = in->mappers ? in->cfg.symbols : NULL,
                                          .environment = environment_of(b)};
    if (skep_faults_mark(b, &opts)) {
        judge_batch(in, b, NULL);
        skep_store_append(in->cfg.store, b, done, ctx);
        return;
    }
    struct waiting *w = skep_alloc(struct waiting);
    *w = (struct waiting){.in = in, .b = b, .done = done, .ctx = ctx};
    skep_pool_submit(in->mappers, append_mapped, w);
}
