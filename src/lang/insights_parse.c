// SPDX-License-Identifier: Apache-2.0
/* parse [field] "glob * with *" as a, b
 * parse [field] /(?<a>..)(..)/ [as b] [multi]
 * parse [field] logfmt as m
 * parse [field] csv as a, b
 * Threads: none of its own.  Memory: the query's arena. */
#include "base/assert.h"
#include "lang/insights_priv.h"

typedef struct skep_insights__q Q;

enum { ALIASES = 200 };

static skep_rc aliases(Q *q, skep_str *names, unsigned *n)
{
    *n = 0;
    do {
        size_t at = skep_insights__here(q);
        if (*n == ALIASES)
            return skep_insights__wrong(q, at, at + 1, "more than %d names", ALIASES);
        skep_rc rc = skep_insights__field_name(q, &names[*n]);
        if (rc != SKEP_OK)
            return rc == SKEP_ENOTFOUND
                       ? skep_insights__wrong(q, at, at + 1, "a name is expected here")
                       : rc;
        ++*n;
    } while (skep_insights__take(q, SKEP_STR(",")));
    return SKEP_OK;
}

/* Slots with the names, answered when nothing else says what is. */
static skep_rc targets(Q *q, struct skep_pipe_stage *s, const skep_str *names, unsigned n)
{
    s->slots = skep_new_n(q->a, unsigned, n + 1);
    s->n_slots = n;
    for (unsigned i = 0; i < n; i++) {
        SKEP_TRY(skep_insights__slot(q, &s->slots[i]));
        SKEP_TRY(skep_insights__define(q, names[i], s->slots[i], false));
        if (q->chosen || q->sealed || q->pipe->n_outs == SKEP_LIMIT_PIPE_SLOTS)
            continue;
        q->pipe->outs[q->pipe->n_outs++] = (struct skep_pipe_out){names[i], s->slots[i], false};
    }
    return SKEP_OK;
}

static skep_rc by_glob(Q *q, struct skep_calc *of)
{
    skep_str *names = skep_new_n(q->a, skep_str, ALIASES), glob;
    unsigned n, stars = 0;
    size_t at = q->at;
    SKEP_TRY(skep_insights__quoted(q, &glob));
    size_t end = q->at;
    if (!skep_insights__take_word(q, SKEP_STR("as")))
        return skep_insights__wrong(q, q->at, q->at + 1, "as and names are expected here");
    SKEP_TRY(aliases(q, names, &n));
    for (size_t i = 0; i < glob.n; i++)
        stars += glob.p[i] == '*';
    if (stars != n)
        return skep_insights__wrong(q, at, end, "%u stars, but %u names", stars, n);
    struct skep_pipe_stage *s = skep_insights__stage(q, SKEP_PIPE_PARSE_GLOB);
    s->cond = of;
    s->pieces = skep_new_n(q->a, skep_str, n + 1);
    for (unsigned i = 0; i <= n; i++)
        s->pieces[i] = skep_str_cut(&glob, '*');
    return targets(q, s, names, n);
}

/* Named groups are fields; the unnamed ones too, when there are names behind "as". */
static skep_rc by_regex(Q *q, struct skep_calc *of)
{
    skep_str *names = skep_new_n(q->a, skep_str, ALIASES + SKEP_LIMIT_REGEX_GROUPS), text;
    skep_str *more = skep_new_n(q->a, skep_str, ALIASES);
    const struct skep_regex *re = NULL;
    struct skep_regex_issue why = {0};
    unsigned n = 0, n_more = 0, used = 0, n_groups;
    size_t at = q->at;
    SKEP_TRY(skep_insights__slashed(q, &text));
    size_t end = q->at;
    if (skep_regex_compile(text, false, q->a, &re, &why) != SKEP_OK)
        return skep_insights__wrong(q, at, end, "%s", why.text);
    if (skep_insights__take_word(q, SKEP_STR("as")))
        SKEP_TRY(aliases(q, more, &n_more));
    bool many = skep_insights__take_word(q, SKEP_STR("multi"));
    const struct skep_regex_group *groups = skep_regex_groups(re, &n_groups);
    struct skep_pipe_stage *s = skep_insights__stage(q, SKEP_PIPE_PARSE_REGEX);
    s->groups = skep_new_n(q->a, unsigned, n_groups + 1);
    for (unsigned i = 0; i < n_groups; i++) {
        if (groups[i].name.n == 0 && used == n_more)
            continue;
        s->groups[n] = i + 1;
        names[n++] = groups[i].name.n ? groups[i].name : more[used++];
    }
    if (n == 0 || used < n_more)
        return skep_insights__wrong(q, at, end,
                                    n == 0 ? "the expression names nothing: (?<name>...)"
                                           : "more names than groups");
    s->cond = of;
    s->regex = re;
    s->many = many;
    return targets(q, s, names, n);
}

static skep_rc by_format(Q *q, struct skep_calc *of, enum skep_pipe_op op)
{
    skep_str *names = skep_new_n(q->a, skep_str, ALIASES);
    unsigned n;
    if (!skep_insights__take_word(q, SKEP_STR("as")))
        return skep_insights__wrong(q, q->at, q->at + 1, "as and a name are expected here");
    size_t at = skep_insights__here(q);
    SKEP_TRY(aliases(q, names, &n));
    if (op == SKEP_PIPE_PARSE_LOGFMT && n != 1)
        return skep_insights__wrong(q, at, q->prev_end, "logfmt gives one map: one name");
    struct skep_pipe_stage *s = skep_insights__stage(q, op);
    s->cond = of;
    return targets(q, s, names, n);
}

/* A field; no expression, whose division would take the slash. */
static skep_rc subject(Q *q, size_t at, struct skep_calc **ret)
{
    skep_str name = SKEP_STR_NULL;
    skep_rc rc = skep_insights__field_name(q, &name);
    if (rc == SKEP_ENOTFOUND)
        return skep_insights__wrong(q, at, at + 1, "a field or \"text with *\" is expected here");
    SKEP_TRY(rc);
    return skep_insights__resolve(q, name, at, ret);
}

skep_rc skep_insights__parse(Q *q)
{
    struct skep_calc *of = NULL;
    char c = skep_insights__peek(q);
    size_t at = q->at;
    bool format = skep_insights__take_word(q, SKEP_STR("logfmt")) ||
                  skep_insights__take_word(q, SKEP_STR("csv"));
    q->at = at;
    if (c == '"' || c == '\'' || c == '/' || format)
        SKEP_TRY(skep_insights__resolve(q, SKEP_STR("@message"), at, &of));
    else
        SKEP_TRY(subject(q, at, &of));
    c = skep_insights__peek(q);
    if (c == '"' || c == '\'')
        return by_glob(q, of);
    if (c == '/')
        return by_regex(q, of);
    if (skep_insights__take_word(q, SKEP_STR("logfmt")))
        return by_format(q, of, SKEP_PIPE_PARSE_LOGFMT);
    if (skep_insights__take_word(q, SKEP_STR("csv")))
        return by_format(q, of, SKEP_PIPE_PARSE_CSV);
    return skep_insights__wrong(q, q->at, q->at + 1,
                                "\"text with *\", /expression/, logfmt or csv is expected here");
}
