// SPDX-License-Identifier: Apache-2.0
/* RQL: clauses -> stages.
 *
 *   FROM                    a table (rql_tables.c): the rows that are read, and their columns.  It
 *                           stands behind the columns, so they are read once more (I1) when it is
 * not item_occurrence WHERE                   FILTER; bounds on `timestamp` narrow the range that
 * is read GROUP BY, aggregates    STATS: groups, aggregates SELECT                  ASSIGN: what is
 * answered; without GROUP BY of it a column of a group is that of its latest row ORDER BY, LIMIT
 * SORT, LIMIT
 *
 * I1  a text is read twice at most: the second time FROM names the table it is read for.
 *
 * Threads: none of its own.  Memory: the query's arena. */
#include "lang/rql.h"

#include <stdarg.h>

#include "base/assert.h"
#include "base/buf.h"
#include "lang/rql_priv.h"

typedef struct skep_rql__q Q;
typedef struct skep_rql__column Column;

enum { STAGES = 8 };

// --- tokens ------------------------------------------------------------------------------------

skep_rc skep_rql__wrong(Q *q, size_t at, size_t end, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    skep_rc rc = skep_lang__mistake(q->issue, SKEP_MIN(at, q->text.n), fmt, ap);
    va_end(ap);
    q->issue->end = SKEP_MIN(end, q->text.n);
    return rc;
}

size_t skep_rql__here(Q *q)
{
    while (q->at < q->text.n && (q->text.p[q->at] == ' ' || q->text.p[q->at] == '\t' ||
                                 q->text.p[q->at] == '\n' || q->text.p[q->at] == '\r'))
        q->at++;
    return q->at;
}

static bool name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

bool skep_rql__take(Q *q, const char *sign)
{
    skep_str s = skep_str_c(sign);
    if (!skep_str_starts(skep_str_skip(q->text, skep_rql__here(q)), s))
        return false;
    q->at += s.n;
    q->prev_end = q->at;
    return true;
}

bool skep_rql__word(Q *q, const char *word)
{
    skep_str s = skep_str_c(word), rest = skep_str_skip(q->text, skep_rql__here(q));
    if (rest.n < s.n || !skep_str_ieq((skep_str){rest.p, s.n}, s) ||
        (rest.n > s.n && (name_byte(rest.p[s.n]) || rest.p[s.n] == '.')))
        return false;
    q->at += s.n;
    q->prev_end = q->at;
    return true;
}

skep_rc skep_rql__expect(Q *q, const char *sign)
{
    if (skep_rql__take(q, sign))
        return SKEP_OK;
    return skep_rql__wrong(q, q->at, q->at + 1, "'%s' is expected here", sign);
}

bool skep_rql__name(Q *q, skep_str *ret, bool *ret_quoted)
{
    struct skep_buf b;
    size_t from = skep_rql__here(q);
    *ret_quoted = false;
    skep_buf_init(&b, SKEP_LIMIT_RQL_BYTES);
    while (q->at < q->text.n) {
        char c = q->text.p[q->at];
        skep_str rest = skep_str_skip(q->text, q->at + 1);
        size_t end = c == '`' ? skep_str_chr(rest, '`') : SIZE_MAX;
        bool inside = q->at > from && (c == '.' || c == '[' || c == ']');
        if (end != SIZE_MAX) {
            skep_buf_str(&b, (skep_str){rest.p, end});
            q->at += end + 2;
            *ret_quoted = true;
        } else if (name_byte(c) || inside) {
            skep_buf_u8(&b, (uint8_t)c);
            q->at++;
        } else {
            break;
        }
    }
    q->prev_end = q->at > from ? q->at : q->prev_end;
    *ret = skep_arena_str(q->a, skep_buf_text(&b));
    skep_buf_done(&b);
    return ret->n > 0;
}

skep_rc skep_rql__slot(Q *q, unsigned *ret)
{
    if (q->pipe->n_slots == SKEP_RQL__SLOTS)
        return skep_rql__wrong(q, q->at, q->at, "too many columns");
    *ret = q->pipe->n_slots++;
    return SKEP_OK;
}

struct skep_pipe_stage *skep_rql__stage(Q *q, enum skep_pipe_op op)
{
    skep_assert(q->pipe->n_stages < STAGES);
    struct skep_pipe_stage *s = &q->pipe->stages[q->pipe->n_stages++];
    *s = (struct skep_pipe_stage){.op = op};
    return s;
}

// --- SELECT, FROM, WHERE -----------------------------------------------------------------------

static skep_rc column(Q *q, Column *ret)
{
    size_t from = skep_rql__here(q);
    bool quoted;
    if (skep_rql__word(q, "distinct"))
        return skep_rql__wrong(q, from, q->prev_end,
                               "DISTINCT is not supported: GROUP BY, or count_distinct(a)");
    q->measures = q->looks = false;
    SKEP_TRY(skep_rql__expr(q, &ret->expr));
    ret->text = (skep_str){q->text.p + from, q->prev_end - from};
    ret->name = ret->text;
    ret->measured = q->measures;
    if (q->measures && q->looks)
        return skep_rql__wrong(q, from, q->prev_end, "aggregates and columns in one expression");
    if (skep_rql__word(q, "as") && !skep_rql__name(q, &ret->name, &quoted))
        return skep_rql__wrong(q, q->at, q->at + 1, "a name is expected behind AS");
    return SKEP_OK;
}

static skep_rc select_all(Q *q, Column *list, unsigned *n)
{
    for (const char *const *all = q->table->all; *all; all++) {
        Column *c = &list[(*n)++];
        *c = (Column){.text = skep_str_c(*all), .name = skep_str_c(*all)};
        SKEP_TRY(q->table->column(q, c->text, q->prev_end, &c->expr));
    }
    return SKEP_OK;
}

static skep_rc columns(Q *q, Column *list, unsigned *n)
{
    do {
        if (*n + SKEP_RQL__COLUMNS / 4 > SKEP_RQL__COLUMNS)
            return skep_rql__wrong(q, q->at, q->at + 1, "too many columns");
        if (skep_rql__take(q, "*"))
            SKEP_TRY(select_all(q, list, n));
        else
            SKEP_TRY(column(q, &list[(*n)++]));
    } while (skep_rql__take(q, ","));
    return SKEP_OK;
}

static skep_rc from(Q *q)
{
    size_t at = skep_rql__here(q);
    skep_str name;
    bool quoted;
    if (!skep_rql__word(q, "from"))
        return skep_rql__wrong(q, at, at + 1, "FROM is expected here");
    at = skep_rql__here(q);
    const struct skep_rql__table *table =
        skep_rql__name(q, &name, &quoted) ? skep_rql__table(name) : NULL;
    if (!table)
        return skep_rql__wrong(q, at, q->prev_end, "the tables are item_occurrence and deploy");
    if (table != q->table) {
        q->table = table;
        q->again = true;
        return SKEP_EINVAL; /* the caller begins again */
    }
    at = skep_rql__here(q);
    if (skep_rql__word(q, "join") || skep_rql__word(q, "left") || skep_rql__word(q, "inner") ||
        skep_rql__take(q, ","))
        return skep_rql__wrong(q, at, q->prev_end, "joins are not supported");
    return SKEP_OK;
}

/* Is it `timestamp`, which is made of the row's time? */
static bool is_time(const Q *q, const struct skep_calc *e)
{
    if (e->op != SKEP_CALC_CALL || e->n_args != 2 || e->args[0]->op != SKEP_CALC_FIELD)
        return false;
    for (unsigned i = 0; i < q->pipe->n_fields; i++) {
        if (q->pipe->fields[i].slot == e->args[0]->field)
            return q->pipe->fields[i].what == SKEP_PIPE_TIME;
    }
    return false;
}

/* What a condition that must hold says of the time; the condition stays and decides. */
static void narrow(Q *q, const struct skep_calc *e)
{
    static const struct skep_calc_ctx strict = {.loose = false};
    struct skep_time_range *r = &q->pipe->range;
    double s;
    if (e->op != SKEP_CALC_CALL || e->n_args != 2)
        return;
    skep_str fn = skep_str_c(e->fn->name);
    if (skep_str_eq(fn, SKEP_STR("and"))) {
        narrow(q, e->args[0]);
        narrow(q, e->args[1]);
    }
    bool least = skep_str_eq(fn, SKEP_STR("ge")) || skep_str_eq(fn, SKEP_STR("gt"));
    bool most = skep_str_eq(fn, SKEP_STR("le")) || skep_str_eq(fn, SKEP_STR("lt"));
    if ((!least && !most) || !is_time(q, e->args[0]) || e->args[1]->op != SKEP_CALC_CONST ||
        !skep_calc_number(&strict, &e->args[1]->value, &s) || !(s > 0 && s < 9e9))
        return;
    if (least)
        r->start_ns = SKEP_MAX(r->start_ns, (skep_ts_ns)s * 1000000000);
    else
        r->end_ns = SKEP_MIN(r->end_ns, ((skep_ts_ns)s + 1) * 1000000000);
}

static skep_rc where(Q *q)
{
    struct skep_calc *cond = NULL;
    if (!skep_rql__word(q, "where"))
        return SKEP_OK;
    SKEP_TRY(skep_rql__expr(q, &cond));
    narrow(q, cond);
    if (q->pipe->range.start_ns >= q->pipe->range.end_ns)
        q->pipe->range.start_ns = q->pipe->range.end_ns - 1;
    skep_rql__stage(q, SKEP_PIPE_FILTER)->cond = cond;
    return SKEP_OK;
}

// --- GROUP BY ----------------------------------------------------------------------------------

/* A number, a name or a text of the columns: which; n = none of them. */
static unsigned which(const Column *list, unsigned n, skep_str text, const struct skep_calc *e)
{
    if (e->op == SKEP_CALC_CONST && e->value.type == SKEP_TYPE_INT)
        return e->value.i >= 1 && e->value.i <= n ? (unsigned)e->value.i - 1 : n;
    for (unsigned i = 0; i < n; i++) {
        if (skep_str_ieq(list[i].name, text) || skep_str_ieq(list[i].text, text))
            return i;
    }
    return n;
}

static skep_rc group_by(Q *q, Column *list, unsigned n, Column *groups, unsigned *n_groups)
{
    size_t at = skep_rql__here(q);
    if (!skep_rql__word(q, "group"))
        return SKEP_OK;
    if (!skep_rql__word(q, "by"))
        return skep_rql__wrong(q, at, q->prev_end, "GROUP BY is expected here");
    do {
        Column *g = &groups[*n_groups];
        at = skep_rql__here(q);
        if (*n_groups == SKEP_RQL__COLUMNS)
            return skep_rql__wrong(q, at, at + 1, "too many groups");
        SKEP_TRY(column(q, g));
        unsigned i = which(list, n, g->text, g->expr);
        if (i < n && list[i].measured)
            return skep_rql__wrong(q, at, q->prev_end, "an aggregate cannot be grouped by");
        if (g->expr->op == SKEP_CALC_CONST && i == n)
            return skep_rql__wrong(q, at, q->prev_end, "there is no such column");
        if (i < n)
            *g = list[i];
        ++*n_groups;
    } while (skep_rql__take(q, ","));
    at = skep_rql__here(q);
    if (skep_rql__word(q, "having"))
        return skep_rql__wrong(q, at, q->prev_end, "HAVING is not supported");
    return SKEP_OK;
}

/* The latest of a group, for a column that it is not grouped by. */
static skep_rc latest(Q *q, struct skep_calc *e, struct skep_calc **ret)
{
    struct skep_pipe_agg g = {.op = SKEP_PIPE_LATEST, .expr = e};
    struct skep_calc *by = NULL;
    if (q->n_aggs == SKEP_RQL__COLUMNS)
        return skep_rql__wrong(q, q->at, q->at, "too many columns");
    SKEP_TRY(q->table->time(q, &by));
    SKEP_TRY(skep_rql__slot(q, &g.slot));
    g.by = by;
    q->aggs[q->n_aggs++] = g;
    *ret = skep_calc_field(q->a, g.slot, false);
    return SKEP_OK;
}

/* Behind the stats an expression of rows is that of a group, or of the latest row. */
static skep_rc regroup(Q *q, Column *c, const Column *groups, unsigned n_groups)
{
    if (c->measured || c->expr->op == SKEP_CALC_CONST)
        return SKEP_OK;
    for (unsigned i = 0; i < n_groups; i++) {
        if (skep_str_ieq(groups[i].text, c->text) || groups[i].expr == c->expr) {
            c->expr = skep_calc_field(q->a, groups[i].slot, false);
            return SKEP_OK;
        }
    }
    return latest(q, c->expr, &c->expr);
}

static skep_rc stats(Q *q, Column *list, unsigned n, Column *orders, unsigned n_orders,
                     Column *groups, unsigned n_groups)
{
    if (n_groups == 0 && q->n_aggs == 0)
        return SKEP_OK;
    struct skep_pipe_stage *s = skep_rql__stage(q, SKEP_PIPE_STATS);
    s->assigns = skep_new_n(q->a, struct skep_pipe_assign, n_groups + 1);
    for (unsigned i = 0; i < n_groups; i++) {
        SKEP_TRY(skep_rql__slot(q, &groups[i].slot));
        s->assigns[s->n_assigns++] = (struct skep_pipe_assign){groups[i].slot, groups[i].expr};
    }
    for (unsigned i = 0; i < n; i++)
        SKEP_TRY(regroup(q, &list[i], groups, n_groups));
    for (unsigned i = 0; i < n_orders; i++)
        SKEP_TRY(regroup(q, &orders[i], groups, n_groups));
    s->aggs = q->aggs;
    s->n_aggs = q->n_aggs;
    return SKEP_OK;
}

// --- ORDER BY, LIMIT ---------------------------------------------------------------------------

/* Columns to order by; `sorts` gets directions, and slots of columns that are selected. */
static skep_rc order_by(Q *q, const Column *list, unsigned n, Column *orders, unsigned *n_orders,
                        struct skep_pipe_sort *sorts)
{
    size_t at = skep_rql__here(q);
    if (!skep_rql__word(q, "order"))
        return SKEP_OK;
    if (!skep_rql__word(q, "by"))
        return skep_rql__wrong(q, at, q->prev_end, "ORDER BY is expected here");
    do {
        Column *o = &orders[*n_orders];
        at = skep_rql__here(q);
        if (*n_orders == SKEP_RQL__COLUMNS)
            return skep_rql__wrong(q, at, at + 1, "too many columns");
        SKEP_TRY(column(q, o));
        unsigned i = which(list, n, o->text, o->expr);
        if (o->expr->op == SKEP_CALC_CONST && i == n)
            return skep_rql__wrong(q, at, q->prev_end, "there is no such column");
        if (i < n)
            *o = list[i];
        bool down = skep_rql__word(q, "desc");
        if (!down)
            (void)skep_rql__word(q, "asc"); /* what it is without */
        sorts[(*n_orders)++].descending = down;
    } while (skep_rql__take(q, ","));
    return SKEP_OK;
}

static skep_rc whole(Q *q, uint64_t *ret)
{
    size_t from = skep_rql__here(q);
    while (q->at < q->text.n && q->text.p[q->at] >= '0' && q->text.p[q->at] <= '9')
        q->at++;
    q->prev_end = q->at;
    if (skep_str_u64((skep_str){q->text.p + from, q->at - from}, ret) && *ret <= 100000)
        return SKEP_OK;
    return skep_rql__wrong(q, from, from + 1, "a whole number up to 100000 is expected here");
}

static skep_rc limit(Q *q, uint64_t *ret_limit, uint64_t *ret_offset)
{
    *ret_limit = SKEP_RQL_ROWS;
    if (!skep_rql__word(q, "limit"))
        return SKEP_OK;
    SKEP_TRY(whole(q, ret_limit));
    if (skep_rql__take(q, ",")) {
        *ret_offset = *ret_limit;
        SKEP_TRY(whole(q, ret_limit));
    } else if (skep_rql__word(q, "offset")) {
        SKEP_TRY(whole(q, ret_offset));
    }
    *ret_limit = SKEP_MIN(*ret_limit, (uint64_t)SKEP_RQL_ROWS);
    return SKEP_OK;
}

// --- the whole ---------------------------------------------------------------------------------

static skep_rc assign(Q *q, struct skep_pipe_stage *s, Column *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        SKEP_TRY(skep_rql__slot(q, &list[i].slot));
        s->assigns[s->n_assigns++] = (struct skep_pipe_assign){list[i].slot, list[i].expr};
    }
    return SKEP_OK;
}

static skep_rc outputs(Q *q, Column *list, unsigned n, Column *orders, unsigned n_orders,
                       struct skep_pipe_sort *sorts)
{
    struct skep_pipe_stage *s = skep_rql__stage(q, SKEP_PIPE_ASSIGN);
    s->assigns = skep_new_n(q->a, struct skep_pipe_assign, n + n_orders);
    SKEP_TRY(assign(q, s, list, n));
    SKEP_TRY(assign(q, s, orders, n_orders));
    q->pipe->outs = skep_new_n(q->a, struct skep_pipe_out, n);
    for (unsigned i = 0; i < n; i++)
        q->pipe->outs[q->pipe->n_outs++] =
            (struct skep_pipe_out){.name = list[i].name, .slot = list[i].slot};
    if (n_orders == 0)
        return SKEP_OK;
    for (unsigned i = 0; i < n_orders; i++)
        sorts[i].slot = orders[i].slot;
    s = skep_rql__stage(q, SKEP_PIPE_SORT);
    s->sorts = sorts;
    s->n_sorts = n_orders;
    return SKEP_OK;
}

static skep_rc read(Q *q, struct skep_rql *ret)
{
    Column *list = skep_new_n(q->a, Column, SKEP_RQL__COLUMNS);
    Column *groups = skep_new_n(q->a, Column, SKEP_RQL__COLUMNS);
    Column *orders = skep_new_n(q->a, Column, SKEP_RQL__COLUMNS);
    struct skep_pipe_sort *sorts = skep_new_n(q->a, struct skep_pipe_sort, SKEP_RQL__COLUMNS);
    unsigned n = 0, n_groups = 0, n_orders = 0;
    uint64_t rows = 0;
    if (!skep_rql__word(q, "select"))
        return skep_rql__wrong(q, q->at, q->at + 1, "SELECT is expected here");
    q->aggregates = true;
    SKEP_TRY(columns(q, list, &n));
    q->aggregates = false;
    SKEP_TRY(from(q));
    SKEP_TRY(where(q));
    SKEP_TRY(q->table->rows(q));
    q->named = list;
    q->n_named = n;
    SKEP_TRY(group_by(q, list, n, groups, &n_groups));
    q->aggregates = n_groups > 0 || q->n_aggs > 0;
    SKEP_TRY(order_by(q, list, n, orders, &n_orders, sorts));
    SKEP_TRY(limit(q, &rows, &ret->offset));
    (void)skep_rql__take(q, ";"); /* may stand at the end */
    if (skep_rql__here(q) < q->text.n)
        return skep_rql__wrong(q, q->at, q->text.n, "the end is expected here");
    SKEP_TRY(stats(q, list, n, orders, n_orders, groups, n_groups));
    SKEP_TRY(outputs(q, list, n, orders, n_orders, sorts));
    skep_rql__stage(q, SKEP_PIPE_LIMIT)->limit = rows + ret->offset;
    q->pipe->limit = (unsigned)(rows + ret->offset);
    return SKEP_OK;
}

/* Read for a table. */
static skep_rc begin(Q *q, struct skep_rql *ret)
{
    struct skep_pipe *p = skep_new(q->a, struct skep_pipe);
    *ret = (struct skep_rql){.pipe = p};
    q->pipe = p;
    q->at = q->prev_end = 0;
    q->n_aggs = q->depth = q->n_named = 0;
    q->aggregates = q->again = false;
    q->aggs = skep_new_n(q->a, struct skep_pipe_agg, SKEP_RQL__COLUMNS);
    p->stages = skep_new_n(q->a, struct skep_pipe_stage, STAGES);
    p->fields = skep_new_n(q->a, struct skep_pipe_field, SKEP_RQL__SLOTS);
    p->now_ns = q->opts->now_ns;
    p->loose = true;
    p->range = (struct skep_time_range){0, q->opts->now_ns + 86400ll * 1000000000};
    return read(q, ret);
}

skep_rc skep_lang_rql(skep_str text, const struct skep_rql_opts *opts, struct skep_arena *a,
                      struct skep_rql *ret, struct skep_lang_issue *issue)
{
    Q q = {.text = text, .a = a, .opts = opts, .issue = issue};
    skep_assert(opts->item && opts->id && opts->deploy_column);
    *issue = (struct skep_lang_issue){.rc = SKEP_OK};
    if (text.n > SKEP_LIMIT_RQL_BYTES)
        return skep_rql__wrong(&q, 0, text.n, "a query has at most %d bytes", SKEP_LIMIT_RQL_BYTES);
    q.table = skep_rql__table(SKEP_STR("item_occurrence"));
    skep_rc rc = begin(&q, ret);
    return q.again ? begin(&q, ret) : rc; /* I1 */
}
