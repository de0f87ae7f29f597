// SPDX-License-Identifier: Apache-2.0
/* Logs Insights: commands to stages.
 *
 * Names stand for slots, and for others after a command that assigns them anew: the text is read
 * once, in order, and each expression keeps the slots its names stood for.  What stands in a row
 * and is no field of it - @timestamp, the group, the row's id - has a kind of source of its own.
 *
 * I1  A mistake names the bytes it is about.
 * I2  Behind stats and pattern only what they gave is there; other names are mistakes.
 *
 * Threads: none of its own.  Memory: the arena. */
#include "lang/insights.h"

#include "base/assert.h"
#include "event/log.h"
#include "lang/insights_priv.h"

typedef struct skep_insights__q Q;

// --- slots and names ---------------------------------------------------------------------------

skep_rc skep_insights__slot(Q *q, unsigned *ret)
{
    if (q->pipe->n_slots == SKEP_LIMIT_PIPE_SLOTS)
        return skep_insights__wrong(q, q->command_at, q->prev_end, "more than %d columns",
                                    SKEP_LIMIT_PIPE_SLOTS);
    *ret = q->pipe->n_slots++;
    return SKEP_OK;
}

static skep_rc add_name(Q *q, const struct skep_insights__name *n)
{
    for (unsigned i = 0; i < q->n_names; i++) {
        if (skep_str_eq(q->names[i].name, n->name)) {
            q->names[i] = *n;
            return SKEP_OK;
        }
    }
    if (q->n_names == SKEP_INSIGHTS__NAMES)
        return skep_insights__wrong(q, q->command_at, q->prev_end, "more than %d names",
                                    SKEP_INSIGHTS__NAMES);
    q->names[q->n_names++] = *n;
    return SKEP_OK;
}

skep_rc skep_insights__define(Q *q, skep_str name, unsigned slot, bool time)
{
    return add_name(q, &(struct skep_insights__name){name, slot, time, true});
}

static const struct skep_insights__name *find_name(const Q *q, skep_str name)
{
    for (unsigned i = 0; i < q->n_names; i++)
        if (skep_str_eq(q->names[i].name, name))
            return &q->names[i];
    return NULL;
}

#define W(s) SKEP_STR_INIT(s)
#define NONE                                                                                       \
    {                                                                                              \
        NULL, 0                                                                                    \
    }
static const struct skep_insights_word field_words[] = {
    {W("@timestamp"), NONE, W("When it happened."), NONE, false},
    {W("@message"), NONE, W("The line as it came."), NONE, false},
    {W("@ingestionTime"), NONE, W("When it arrived."), NONE, false},
    {W("@logStream"), NONE, W("The log stream."), NONE, false},
    {W("@log"), NONE, W("The log group."), NONE, false},
    {W("@ptr"), NONE, W("The event, for GetLogRecord."), NONE, false},
    {W("@xrayTraceId"), NONE, W("The trace the line belongs to."), NONE, false},
};
/* What they are, in that order. */
static const struct special {
    skep_str field;
    int what;
    bool time;
} specials[] = {
    {NONE, SKEP_PIPE_TIME, true},
    {W("meta.message"), SKEP_PIPE_FIELD, false},
    {NONE, SKEP_PIPE_RECEIVED, true},
    {W("log.stream"), SKEP_PIPE_FIELD, false},
    {NONE, SKEP_PIPE_DATASET, false},
    {NONE, SKEP_PIPE_ROW_ID, false},
    {W("trace.trace_id"), SKEP_PIPE_FIELD, false},
};
_Static_assert(SKEP_ARRAY_LEN(specials) == SKEP_ARRAY_LEN(field_words), "one each");

static skep_rc source_field(Q *q, skep_str name, struct skep_insights__name *ret)
{
    struct skep_pipe_field *f = &q->pipe->fields[q->pipe->n_fields];
    const struct special *s = NULL;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(specials); i++)
        if (skep_str_eq(field_words[i].name, name))
            s = &specials[i];
    *ret = (struct skep_insights__name){.name = name, .time = s && s->time};
    SKEP_TRY(skep_insights__slot(q, &ret->slot));
    f->slot = ret->slot;
    f->what = s ? s->what : SKEP_PIPE_FIELD;
    f->name = s ? s->field : name;
    if (!s && skep_str_starts(name, SKEP_STR("@@"))) /* a field that begins with @ itself */
        f->name = skep_str_skip(name, 1);
    q->pipe->n_fields++;
    return add_name(q, ret);
}

/* path(base, "a", "0", ...) of the rest of a dotted name. */
static skep_rc path_of(Q *q, struct skep_calc *base, skep_str rest, size_t at,
                       struct skep_calc **ret)
{
    struct skep_calc **args = skep_new_n(q->a, struct skep_calc *, SKEP_LIMIT_CALC_ARGS);
    unsigned n = 1;
    args[0] = base;
    while (rest.p && n < SKEP_LIMIT_CALC_ARGS)
        args[n++] = skep_calc_const(
            q->a, (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_cut(&rest, '.')});
    return skep_insights__call(q, "path", args, n, at, ret);
}

/* Where a part of a dotted name is a number begins: that of an array's element. */
static size_t index_part(skep_str name)
{
    for (size_t i = 1; i + 1 < name.n; i++) {
        size_t end = i + 1;
        while (name.p[i] == '.' && end < name.n && name.p[end] >= '0' && name.p[end] <= '9')
            end++;
        if (name.p[i] == '.' && end > i + 1 && (end == name.n || name.p[end] == '.'))
            return i;
    }
    return SIZE_MAX;
}

static skep_rc field_node(Q *q, skep_str name, struct skep_calc **ret)
{
    struct skep_insights__name made;
    const struct skep_insights__name *n = find_name(q, name);
    if (!n) {
        SKEP_TRY(source_field(q, name, &made));
        n = &made;
    }
    *ret = skep_calc_field(q->a, n->slot, n->time);
    return SKEP_OK;
}

/* Of lines that came through CloudWatch Logs' API, and of others (event/log.h). */
static skep_rc stream_of(Q *q, size_t at, struct skep_calc **ret)
{
    struct skep_calc **args = skep_new_n(q->a, struct skep_calc *, 3);
    SKEP_TRY(field_node(q, SKEP_LOG_STREAM, &args[0]));
    SKEP_TRY(field_node(q, SKEP_LOG_STREAM_ELSE, &args[1]));
    args[2] =
        skep_calc_const(q->a, (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_LOG_STREAM_NONE});
    return skep_insights__call(q, "coalesce", args, 3, at, ret);
}

/* "account:group" of a group. */
static skep_rc log_of(Q *q, size_t at, struct skep_calc **ret)
{
    skep_str account = skep_arena_printf(q->a, SKEP_STRFMT ":", SKEP_STRARG(q->opts->account));
    struct skep_calc *prefix =
        skep_calc_const(q->a, (skep_value){.type = SKEP_TYPE_STRING, .s = account});
    return skep_insights__call(q, "concat", skep_insights__args(q, prefix, *ret), 2, at, ret);
}

/* Is it a derived column?  Then the plan computes it. */
static skep_rc derive(Q *q, skep_str name, size_t at, bool *ret)
{
    unsigned before = q->plan.n_computed;
    skep_rc rc = skep_lang__calculate(&q->plan, name);
    if (rc != SKEP_OK)
        return skep_insights__wrong(q, at, at + name.n, SKEP_STRFMT,
                                    SKEP_STRARG(skep_arena_str(q->a, skep_str_c(q->issue->text))));
    for (unsigned i = 0; i < q->plan.n_computed && !*ret; i++)
        *ret = skep_str_eq(q->plan.computed[i].name, name);
    if (q->plan.n_computed > before) {
        q->pipe->computed = q->plan.computed;
        q->pipe->n_computed = q->plan.n_computed;
    }
    return SKEP_OK;
}

skep_rc skep_insights__resolve(Q *q, skep_str name, size_t at, struct skep_calc **ret)
{
    if (find_name(q, name))
        return field_node(q, name, ret);
    for (size_t i = name.n; i-- > 1;) {
        const struct skep_insights__name *n = NULL;
        if (name.p[i] != '.' || (n = find_name(q, (skep_str){name.p, i})) == NULL || !n->computed)
            continue;
        return path_of(q, skep_calc_field(q->a, n->slot, false), skep_str_skip(name, i + 1), at,
                       ret);
    }
    if (q->sealed)
        return skep_insights__wrong(q, at, at + name.n,
                                    SKEP_STRFMT " is not among what the commands before it give",
                                    SKEP_STRARG(name));
    if (skep_str_eq(name, SKEP_STR("@logStream")))
        return stream_of(q, at, ret);
    bool derived = false;
    SKEP_TRY(derive(q, name, at, &derived));
    if (derived)
        return field_node(q, name, ret);
    SKEP_TRY(field_node(q, name, ret));
    if (skep_str_eq(name, SKEP_STR("@log")) && q->opts->account.n > 0)
        return log_of(q, at, ret);
    if (skep_log_renamed(name)) {
        struct skep_calc *own = NULL;
        SKEP_TRY(field_node(
            q, skep_arena_printf(q->a, "%s" SKEP_STRFMT, "message.", SKEP_STRARG(name)), &own));
        return skep_insights__call(q, "coalesce", skep_insights__args(q, own, *ret), 2, at, ret);
    }
    size_t dot = index_part(name);
    if (dot == SIZE_MAX)
        return SKEP_OK;
    struct skep_calc *list = NULL, *inside = NULL;
    SKEP_TRY(field_node(q, (skep_str){name.p, dot}, &list));
    SKEP_TRY(path_of(q, list, skep_str_skip(name, dot + 1), at, &inside));
    return skep_insights__call(q, "coalesce", skep_insights__args(q, *ret, inside), 2, at, ret);
}

// --- stages and outputs ------------------------------------------------------------------------

struct skep_pipe_stage *skep_insights__stage(Q *q, enum skep_pipe_op op)
{
    struct skep_pipe *p = q->pipe;
    skep_assert(p->n_stages < SKEP_LIMIT_PIPE_STAGES);
    q->ret->steps[p->n_stages] = (skep_str){q->text.p + q->command_at, q->prev_end - q->command_at};
    p->stages[p->n_stages] = (struct skep_pipe_stage){.op = op};
    return &p->stages[p->n_stages++];
}

static skep_rc output(Q *q, skep_str name, unsigned slot, bool time)
{
    struct skep_pipe *p = q->pipe;
    for (unsigned i = 0; i < p->n_outs; i++) {
        if (skep_str_eq(p->outs[i].name, name)) {
            p->outs[i] = (struct skep_pipe_out){name, slot, time};
            return SKEP_OK;
        }
    }
    if (p->n_outs == SKEP_LIMIT_PIPE_SLOTS)
        return skep_insights__wrong(q, q->command_at, q->prev_end, "more than %d columns",
                                    SKEP_LIMIT_PIPE_SLOTS);
    p->outs[p->n_outs++] = (struct skep_pipe_out){name, slot, time};
    return SKEP_OK;
}

static skep_str text_from(const Q *q, size_t from)
{
    return (skep_str){q->text.p + from, q->prev_end - from};
}

/* expr [as name] -> a slot with a name. */
static skep_rc named_expr(Q *q, struct skep_pipe_assign *ret, skep_str *ret_name, bool *ret_time)
{
    struct skep_calc *e = NULL;
    size_t from = skep_insights__here(q);
    SKEP_TRY(skep_insights__expr(q, &e));
    *ret_name = text_from(q, from);
    bool named = skep_insights__take_word(q, SKEP_STR("as"));
    if (named) {
        size_t at = skep_insights__here(q);
        skep_rc rc = skep_insights__field_name(q, ret_name);
        if (rc != SKEP_OK)
            return rc == SKEP_ENOTFOUND
                       ? skep_insights__wrong(q, at, at + 1, "a name is expected behind as")
                       : rc;
    }
    *ret_time = e->time;
    ret->expr = e;
    if (e->op == SKEP_CALC_FIELD && !named) {
        ret->slot = e->field;
        /* Under its own spelling, whatever backticks it was written with. */
        for (unsigned i = 0; i < q->n_names; i++)
            if (q->names[i].slot == e->field)
                *ret_name = q->names[i].name;
        return SKEP_OK;
    }
    return skep_insights__slot(q, &ret->slot);
}

static skep_rc fields_list(Q *q)
{
    struct skep_pipe_assign *assigns = skep_new_n(q->a, struct skep_pipe_assign, 64);
    skep_str names[64];
    bool times[64];
    unsigned n = 0;
    do {
        if (n == 64)
            return skep_insights__wrong(q, q->command_at, q->prev_end,
                                        "more than 64 columns in one command");
        SKEP_TRY(named_expr(q, &assigns[n], &names[n], &times[n]));
        n++;
    } while (skep_insights__take(q, SKEP_STR(",")));
    struct skep_pipe_stage *s = NULL;
    for (unsigned i = 0; i < n; i++) {
        SKEP_TRY(output(q, names[i], assigns[i].slot, times[i]));
        if (assigns[i].expr->op == SKEP_CALC_FIELD && assigns[i].expr->field == assigns[i].slot)
            continue;
        SKEP_TRY(skep_insights__define(q, names[i], assigns[i].slot, times[i]));
        if (!s) {
            s = skep_insights__stage(q, SKEP_PIPE_ASSIGN);
            s->assigns = skep_new_n(q->a, struct skep_pipe_assign, n);
        }
        s->assigns[s->n_assigns++] = assigns[i];
    }
    q->chosen = true;
    return SKEP_OK;
}

static skep_rc fields(Q *q)
{
    if (!q->chosen && !q->sealed)
        q->pipe->n_outs = 0; /* what was answered without being asked for */
    return fields_list(q);
}

static skep_rc display(Q *q)
{
    q->pipe->n_outs = 0; /* the last one says what is answered */
    return fields_list(q);
}

static skep_rc filter(Q *q)
{
    struct skep_calc *e = NULL;
    SKEP_TRY(skep_insights__expr(q, &e));
    skep_insights__stage(q, SKEP_PIPE_FILTER)->cond = e;
    return SKEP_OK;
}

static skep_rc filter_index(Q *q)
{
    return filter(q); /* every field is as fast as an indexed one */
}

static skep_rc sort(Q *q)
{
    struct skep_pipe_sort *sorts = skep_new_n(q->a, struct skep_pipe_sort, 64);
    struct skep_pipe_assign *assigns = skep_new_n(q->a, struct skep_pipe_assign, 64);
    unsigned n = 0, n_assigns = 0;
    do {
        struct skep_calc *e = NULL;
        if (n == 64)
            return skep_insights__wrong(q, q->command_at, q->prev_end, "more than 64 keys");
        size_t from = skep_insights__here(q);
        SKEP_TRY(skep_insights__expr(q, &e));
        /* An aggregate's own spelling names its column. */
        const struct skep_insights__name *made = find_name(q, text_from(q, from));
        if (made)
            e = skep_calc_field(q->a, made->slot, made->time);
        sorts[n].slot = e->field;
        if (e->op != SKEP_CALC_FIELD) {
            SKEP_TRY(skep_insights__slot(q, &sorts[n].slot));
            assigns[n_assigns++] = (struct skep_pipe_assign){sorts[n].slot, e};
        }
        sorts[n].descending = skep_insights__take_word(q, SKEP_STR("desc"));
        if (!sorts[n].descending)
            (void)skep_insights__take_word(q, SKEP_STR("asc")); /* also without a word */
        n++;
    } while (skep_insights__take(q, SKEP_STR(",")));
    if (n_assigns) {
        struct skep_pipe_stage *s = skep_insights__stage(q, SKEP_PIPE_ASSIGN);
        s->assigns = assigns;
        s->n_assigns = n_assigns;
    }
    struct skep_pipe_stage *s = skep_insights__stage(q, SKEP_PIPE_SORT);
    s->sorts = sorts;
    s->n_sorts = n;
    q->sorted = true;
    return SKEP_OK;
}

static skep_rc limit(Q *q)
{
    uint64_t n = 0;
    (void)skep_insights__take_word(q, SKEP_STR("any")); /* the first ones are as good as any */
    size_t from = skep_insights__here(q);
    while (q->at < q->text.n && q->text.p[q->at] >= '0' && q->text.p[q->at] <= '9')
        q->at++;
    q->prev_end = q->at;
    if (!skep_str_u64((skep_str){q->text.p + from, q->at - from}, &n) || n == 0 ||
        n > SKEP_LIMIT_PIPE_ROWS)
        return skep_insights__wrong(q, from, SKEP_MAX(q->at, from + 1),
                                    "a number from 1 to %d is expected here", SKEP_LIMIT_PIPE_ROWS);
    skep_insights__stage(q, SKEP_PIPE_LIMIT)->limit = n;
    /* The text's own limit is the answer's, unless the caller asked for fewer. */
    if (q->opts->limit == 0)
        q->pipe->limit = SKEP_MAX(q->pipe->limit, (unsigned)n);
    return SKEP_OK;
}

/* Plain fields, as slots. */
static skep_rc slots_of(Q *q, unsigned **ret, unsigned *ret_n)
{
    struct skep_pipe_assign *assigns = skep_new_n(q->a, struct skep_pipe_assign, 64);
    unsigned n = 0, n_assigns = 0;
    *ret = skep_new_n(q->a, unsigned, 64);
    do {
        struct skep_calc *e = NULL;
        if (n == 64)
            return skep_insights__wrong(q, q->command_at, q->prev_end, "more than 64 fields");
        SKEP_TRY(skep_insights__expr(q, &e));
        (*ret)[n] = e->field;
        if (e->op != SKEP_CALC_FIELD) {
            SKEP_TRY(skep_insights__slot(q, &(*ret)[n]));
            assigns[n_assigns++] = (struct skep_pipe_assign){(*ret)[n], e};
        }
        n++;
    } while (skep_insights__take(q, SKEP_STR(",")));
    *ret_n = n;
    if (n_assigns) {
        struct skep_pipe_stage *s = skep_insights__stage(q, SKEP_PIPE_ASSIGN);
        s->assigns = assigns;
        s->n_assigns = n_assigns;
    }
    return SKEP_OK;
}

static skep_rc dedup(Q *q)
{
    unsigned *slots = NULL, n = 0;
    SKEP_TRY(slots_of(q, &slots, &n));
    struct skep_pipe_stage *s = skep_insights__stage(q, SKEP_PIPE_DEDUP);
    s->slots = slots;
    s->n_slots = n;
    q->dedup = true;
    return SKEP_OK;
}

static skep_rc unnest(Q *q)
{
    struct skep_calc *e = NULL;
    skep_str name = SKEP_STR_NULL;
    unsigned slot;
    SKEP_TRY(skep_insights__expr(q, &e));
    if (!skep_insights__take_word(q, SKEP_STR("into")) ||
        skep_insights__field_name(q, &name) != SKEP_OK)
        return skep_insights__wrong(q, q->at, q->at + 1, "into and a name are expected here");
    SKEP_TRY(skep_insights__slot(q, &slot));
    struct skep_pipe_stage *s = skep_insights__stage(q, SKEP_PIPE_UNNEST);
    s->cond = e;
    s->slots = skep_new(q->a, unsigned);
    s->slots[0] = slot;
    s->n_slots = 1;
    SKEP_TRY(skep_insights__define(q, name, slot, false));
    return q->chosen ? SKEP_OK : output(q, name, slot, false);
}

/* Only the columns given are there from here on. */
skep_rc skep_insights__seal(Q *q, const struct skep_insights__name *names, unsigned n)
{
    q->n_names = 0;
    q->pipe->n_outs = 0;
    q->sealed = true;
    q->chosen = false;
    q->ret->table = true;
    q->pipe->raw = false;
    for (unsigned i = 0; i < n; i++) {
        SKEP_TRY(add_name(q, &names[i]));
        SKEP_TRY(output(q, names[i].name, names[i].slot, names[i].time));
    }
    return SKEP_OK;
}

static skep_rc stats(Q *q)
{
    if (++q->n_stats > 2)
        return skep_insights__wrong(q, q->command_at, q->command_end, "at most two stats");
    SKEP_TRY(skep_insights__stats(q));
    return skep_insights__seal(q, q->results, q->n_results);
}

/* SOURCE logGroups(namePrefix: ["a", "b"]) */
static skep_rc source(Q *q)
{
    skep_str *prefixes = skep_new_n(q->a, skep_str, 64);
    unsigned n = 0;
    bool first = q->pipe->n_stages == 0 && q->pipe->n_fields == 0 && !q->ret->has_source;
    if (!first)
        return skep_insights__wrong(q, q->command_at, q->command_end, "SOURCE stands at the begin");
    if (!skep_insights__take_word(q, SKEP_STR("logGroups")))
        return skep_insights__wrong(q, q->at, q->at + 1, "logGroups(...) is expected here");
    SKEP_TRY(skep_insights__expect(q, SKEP_STR("(")));
    if (!skep_insights__take_word(q, SKEP_STR("namePrefix")))
        return skep_insights__wrong(q, q->at, q->at + 1, "namePrefix: [\"...\"] is expected here");
    SKEP_TRY(skep_insights__expect(q, SKEP_STR(":")));
    SKEP_TRY(skep_insights__expect(q, SKEP_STR("[")));
    do {
        char c = skep_insights__peek(q);
        if ((c != '"' && c != '\'') || n == 64)
            return skep_insights__wrong(q, q->at, q->at + 1,
                                        "a prefix in quotes is expected here, at most 64");
        SKEP_TRY(skep_insights__quoted(q, &prefixes[n++]));
    } while (skep_insights__take(q, SKEP_STR(",")));
    SKEP_TRY(skep_insights__expect(q, SKEP_STR("]")));
    SKEP_TRY(skep_insights__expect(q, SKEP_STR(")")));
    q->ret->has_source = true;
    q->pipe->prefixes = prefixes;
    q->pipe->n_prefixes = n;
    return SKEP_OK;
}

// --- commands ----------------------------------------------------------------------------------

static const struct skep_insights_word words[] = {
    {W("fields"), W("fields a, expression as b, ..."), W("Columns of the answer, and new ones."),
     NONE, false},
    {W("display"), W("display a, b, ..."), W("The columns of the answer; the last one counts."),
     NONE, false},
    {W("filter"), W("filter condition"),
     W("Rows that it holds for: = != < > and or not, in [...], like \"text\", like /expression/."),
     NONE, false},
    {W("where"), W("where condition"), W("The same as filter."), NONE, false},
    {W("stats"), W("stats count(*) as n, avg(a), ... by b, bin(5m)"), W("Measures by groups."),
     NONE, false},
    {W("sort"), W("sort a desc, b asc"), W("In that order; asc where nothing is said."), NONE,
     false},
    {W("limit"), W("limit 100"), W("The first rows."), NONE, false},
    {W("parse"), W("parse a \"from * to *\" as b, c"),
     W("Parts of a text: by stars, by /(?<name>...)/ (multi for every match), logfmt as a, csv as "
       "a, b."),
     NONE, false},
    {W("dedup"), W("dedup a, b"), W("The first row of each combination."), NONE, false},
    {W("pattern"), W("pattern @message"), W("Similar lines folded, with counts."), NONE, false},
    {W("diff"), W("diff previousDay"),
     W("Patterns beside those of the time before: previousDay, previousWeek, previousMonth, or the "
       "same length just before."),
     NONE, false},
    {W("logcompare"), W("logcompare timeshift 7d"), W("As diff, with a time of any length before."),
     NONE, false},
    {W("unnest"), W("unnest a into b"), W("A row for each element of a list."), NONE, false},
    {W("unmask"), W("unmask a"), W("Columns, as fields: nothing is masked here."), NONE, false},
    {W("filterIndex"), W("filterIndex a = \"x\""), W("The same as filter: every field is indexed."),
     NONE, false},
    {W("SOURCE"), W("SOURCE logGroups(namePrefix: [\"/aws/\"])"),
     W("The log groups, as the first command."), NONE, false},
};
static skep_insights__command_fn *const commands[] = {fields,
                                                      display,
                                                      filter,
                                                      filter,
                                                      stats,
                                                      sort,
                                                      limit,
                                                      skep_insights__parse,
                                                      dedup,
                                                      skep_insights__pattern,
                                                      skep_insights__diff,
                                                      skep_insights__logcompare,
                                                      unnest,
                                                      fields,
                                                      filter_index,
                                                      source};
_Static_assert(SKEP_ARRAY_LEN(commands) == SKEP_ARRAY_LEN(words), "one function a command");

/* Of the language, and not done here. */
static const skep_str refused[] = {
    W("anomaly"),       W("join"),           W("lookup"),      W("cidrlookup"),
    W("appendcols"),    W("addtotals"),      W("autoregress"), W("accum"),
    W("filldown"),      W("fillmissing"),    W("outlier"),     W("sessionize"),
    W("countFrequent"), W("relevantfields"), W("expand"),      W("subquery")};

const struct skep_insights_word *skep_insights_commands(size_t *ret_n)
{
    *ret_n = SKEP_ARRAY_LEN(words);
    return words;
}

const struct skep_insights_word *skep_insights_fields(size_t *ret_n)
{
    *ret_n = SKEP_ARRAY_LEN(field_words);
    return field_words;
}

static skep_rc order_of(Q *q, size_t i)
{
    bool only_limit = commands[i] == limit;
    if (q->dedup && !only_limit)
        return skep_insights__wrong(q, q->command_at, q->command_end,
                                    "only limit may stand behind dedup");
    if (q->sorted && commands[i] == stats)
        return skep_insights__wrong(q, q->command_at, q->command_end,
                                    "sort and limit stand behind the last stats");
    return SKEP_OK;
}

static skep_rc command(Q *q)
{
    skep_insights__blanks(q);
    size_t from = q->at;
    while (q->at < q->text.n && skep_insights__is_name(q->text.p[q->at]))
        q->at++;
    skep_str word = {q->text.p + from, q->at - from};
    q->command_at = from;
    q->command_end = q->prev_end = q->at;
    if (word.n == 0)
        return skep_insights__wrong(q, from, from + 1, "a command is expected here");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(words); i++) {
        if (!skep_str_ieq(words[i].name, word))
            continue;
        SKEP_TRY(order_of(q, i));
        if (q->pipe->n_stages + 3 > SKEP_LIMIT_PIPE_STAGES)
            return skep_insights__wrong(q, from, q->at, "too many commands");
        return commands[i](q);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(refused); i++)
        if (skep_str_ieq(refused[i], word))
            return skep_insights__wrong(
                q, from, q->at, "the command " SKEP_STRFMT " is not supported", SKEP_STRARG(word));
    return skep_insights__wrong(q, from, q->at, SKEP_STRFMT " is no command", SKEP_STRARG(word));
}

/* What is answered when nothing says it. */
static skep_rc defaults(Q *q)
{
    struct skep_calc *time = NULL, *message = NULL, *id = NULL;
    unsigned n = q->pipe->n_outs;
    struct skep_pipe_out *own = skep_new_n(q->a, struct skep_pipe_out, n + 1);
    if (q->sealed)
        return SKEP_OK;
    memcpy(own, q->pipe->outs, n * sizeof *own);
    SKEP_TRY(field_node(q, SKEP_STR("@ptr"), &id));
    q->pipe->id_slot = id->field;
    q->pipe->raw = true;
    if (q->chosen)
        return SKEP_OK;
    q->pipe->n_outs = 0;
    SKEP_TRY(field_node(q, SKEP_STR("@timestamp"), &time));
    SKEP_TRY(field_node(q, SKEP_STR("@message"), &message));
    SKEP_TRY(output(q, SKEP_STR("@timestamp"), time->field, true));
    SKEP_TRY(output(q, SKEP_STR("@message"), message->field, false));
    for (unsigned i = 0; i < n; i++)
        SKEP_TRY(output(q, own[i].name, own[i].slot, own[i].time));
    return SKEP_OK;
}

static skep_rc whole(Q *q)
{
    (void)skep_insights__take(q, SKEP_STR("|")); /* the console writes one at the begin */
    do {
        SKEP_TRY(command(q));
    } while (skep_insights__take(q, SKEP_STR("|")));
    if (skep_insights__peek(q) != '\0' || q->at < q->text.n)
        return skep_insights__wrong(q, q->at, q->at + 1, "| or the end is expected here");
    return defaults(q);
}

skep_rc skep_lang_insights(skep_str text, const struct skep_insights_opts *opts,
                           struct skep_arena *a, struct skep_insights *ret,
                           struct skep_lang_issue *issue)
{
    Q *q = skep_new(a, Q);
    struct skep_pipe *p = skep_new(a, struct skep_pipe);
    *ret =
        (struct skep_insights){.pipe = p, .steps = skep_new_n(a, skep_str, SKEP_LIMIT_PIPE_STAGES)};
    *q = (Q){.text = skep_arena_str(a, text),
             .a = a,
             .issue = issue,
             .opts = opts,
             .ret = ret,
             .pipe = p};
    struct skep_lang_opts *lang = skep_new(a, struct skep_lang_opts);
    *lang = (struct skep_lang_opts){.derived = opts->derived, .n_derived = opts->n_derived};
    q->plan = (struct skep_lang__q){.arena = a, .issue = issue, .opts = lang};
    if (opts->n_datasets == 1)
        q->plan.dataset = opts->datasets[0];
    *p = (struct skep_pipe){
        .fields = skep_new_n(a, struct skep_pipe_field, SKEP_LIMIT_PIPE_SLOTS + 1),
        .stages = skep_new_n(a, struct skep_pipe_stage, SKEP_LIMIT_PIPE_STAGES),
        .outs = skep_new_n(a, struct skep_pipe_out, SKEP_LIMIT_PIPE_SLOTS),
        .datasets = opts->datasets,
        .n_datasets = opts->n_datasets,
        .range = opts->range,
        .now_ns = opts->now_ns,
        .loose = true,
        .limit = opts->limit ? SKEP_MIN(opts->limit, (unsigned)SKEP_LIMIT_PIPE_ROWS)
                             : SKEP_INSIGHTS_ROWS};
    if (text.n > SKEP_LIMIT_INSIGHTS_BYTES)
        return skep_insights__wrong(q, SKEP_LIMIT_INSIGHTS_BYTES, text.n,
                                    "a query of more than %d bytes", SKEP_LIMIT_INSIGHTS_BYTES);
    return whole(q);
}
