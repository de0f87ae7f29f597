// SPDX-License-Identifier: Apache-2.0
/* pattern @message
 * pattern @message | diff [previousDay | previousWeek | previousMonth]
 * pattern @message | logcompare timeshift 7d
 *
 * A comparison is a wider pattern: the stage before it learns how much earlier the other period is,
 * and answers more columns.  Both periods have the same length.
 * Threads: none of its own.  Memory: the query's arena. */
#include "base/assert.h"
#include "calc/dates.h"
#include "lang/insights_priv.h"

typedef struct skep_insights__q Q;

enum { ALONE = 3, COMPARED = 7 };
static const skep_str columns[COMPARED] = {SKEP_STR_INIT("@pattern"),
                                           SKEP_STR_INIT("@sampleCount"),
                                           SKEP_STR_INIT("@ratio"),
                                           SKEP_STR_INIT("@previousSampleCount"),
                                           SKEP_STR_INIT("@difference"),
                                           SKEP_STR_INIT("@differencePercent"),
                                           SKEP_STR_INIT("@differenceDescription")};

/* The stage answers its first n columns, and nothing else is there behind it. */
static skep_rc widen(Q *q, struct skep_pipe_stage *s, unsigned n)
{
    struct skep_insights__name made[COMPARED];
    for (; s->n_slots < n; s->n_slots++)
        SKEP_TRY(skep_insights__slot(q, &s->slots[s->n_slots]));
    for (unsigned i = 0; i < n; i++)
        made[i] = (struct skep_insights__name){columns[i], s->slots[i], false, true};
    return skep_insights__seal(q, made, n);
}

static skep_rc fold(Q *q, struct skep_calc *of)
{
    struct skep_pipe_stage *s = skep_insights__stage(q, SKEP_PIPE_PATTERNS);
    s->cond = of;
    s->slots = skep_new_n(q->a, unsigned, COMPARED);
    return widen(q, s, ALONE);
}

skep_rc skep_insights__pattern(Q *q)
{
    struct skep_calc *e = NULL;
    SKEP_TRY(skep_insights__expr(q, &e));
    return fold(q, e);
}

/* Rows of both periods go one way until they are folded: nothing on it may keep or count them. */
static bool keeps(const struct skep_pipe_stage *s)
{
    return s->op == SKEP_PIPE_STATS || s->op == SKEP_PIPE_SORT || s->op == SKEP_PIPE_LIMIT ||
           s->op == SKEP_PIPE_DEDUP;
}

static skep_rc compared(Q *q, int64_t earlier_ms)
{
    struct skep_pipe *p = q->pipe;
    bool folded = p->n_stages > 0 && p->stages[p->n_stages - 1].op == SKEP_PIPE_PATTERNS;
    const char *wrong = NULL;
    if (p->earlier_ns > 0)
        wrong = "patterns are compared once";
    else if (!folded && q->sealed)
        wrong = "patterns are compared: stand right behind pattern, or without one";
    for (unsigned i = 0; !wrong && i < p->n_stages; i++)
        if (keeps(&p->stages[i]))
            wrong = "stats, sort, limit and dedup may not stand before a comparison";
    if (!wrong && (earlier_ms > p->range.start_ns / 1000000))
        wrong = "the time before would begin before 1970";
    if (wrong)
        return skep_insights__wrong(q, q->command_at, q->command_end, "%s", wrong);
    if (!folded) {
        struct skep_calc *message = NULL;
        SKEP_TRY(skep_insights__resolve(q, SKEP_STR("@message"), q->command_at, &message));
        SKEP_TRY(fold(q, message));
    }
    p->earlier_ns = earlier_ms * 1000000;
    return widen(q, &p->stages[p->n_stages - 1], COMPARED);
}

static int64_t before(const Q *q, const struct skep_period *p)
{
    int64_t start_ms = q->pipe->range.start_ns / 1000000;
    return start_ms - skep_period_before(p, start_ms);
}

skep_rc skep_insights__diff(Q *q)
{
    static const struct {
        skep_str word;
        struct skep_period period;
    } all[] = {{SKEP_STR_INIT("previousDay"), {86400000, SKEP_PERIOD_MS}},
               {SKEP_STR_INIT("previousWeek"), {7 * 86400000, SKEP_PERIOD_MS}},
               {SKEP_STR_INIT("previousMonth"), {1, SKEP_PERIOD_MONTHS}}};
    const struct skep_time_range r = q->pipe->range;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        if (skep_insights__take_word(q, all[i].word))
            return compared(q, before(q, &all[i].period));
    char c = skep_insights__peek(q);
    if (c != '|' && c != '\0')
        return skep_insights__wrong(q, q->at, q->at + 1,
                                    "previousDay, previousWeek or previousMonth is expected here");
    return compared(q, SKEP_MAX((r.end_ns - r.start_ns + 999999) / 1000000, 1));
}

skep_rc skep_insights__logcompare(Q *q)
{
    struct skep_period period;
    if (!skep_insights__take_word(q, SKEP_STR("timeshift")))
        return skep_insights__wrong(q, q->at, q->at + 1, "timeshift is expected here");
    size_t from = skep_insights__here(q);
    while (q->at < q->text.n && skep_insights__is_name(q->text.p[q->at]))
        q->at++;
    q->prev_end = q->at;
    if (!skep_period_parse((skep_str){q->text.p + from, q->at - from}, &period))
        return skep_insights__wrong(q, from, SKEP_MAX(q->at, from + 1),
                                    "a length of time is expected here: 7d");
    return compared(q, before(q, &period));
}
