// SPDX-License-Identifier: Apache-2.0
/* Rules about grouping (grouping.h): judged.
 *
 *   rules that leave frames out: stack -> frames that hold -> another fingerprint
 *   then, in order: conditions -> templates -> the first fingerprint or title that is not empty
 *
 * A sender's own fingerprint stands over what frames make, a rule over both.
 * Threads: any.  Memory: the arena, texts of RENDERED_MAX bytes at most. */
#include "ingest/grouping.h"

#include "base/assert.h"
#include "ingest/faults.h"

enum { RENDERED_MAX = 4096, TITLE_MAX = 255 };

struct judging {
    const struct skep_grouping_subject *subject;
    struct skep_arena *arena;
    skep_str fingerprint; /* so far */
    struct skep_stack stack;
    bool asked, has_stack;
};

static skep_str field(const struct judging *j, skep_str name)
{
    return j->subject->field(j->subject->ctx, name);
}

static skep_str either(const struct judging *j, skep_str name, skep_str otherwise)
{
    skep_str v = field(j, name);
    return v.n ? v : field(j, otherwise);
}

static skep_str named(const struct judging *j, skep_str name)
{
    if (skep_str_eq(name, SKEP_STR("class")))
        return field(j, SKEP_STR("exception.type"));
    if (skep_str_eq(name, SKEP_STR("message")))
        return either(j, SKEP_STR("exception.message"), SKEP_STR("body"));
    if (skep_str_eq(name, SKEP_STR("culprit")))
        return field(j, SKEP_STR("error.culprit"));
    if (skep_str_eq(name, SKEP_STR("fingerprint")))
        return j->fingerprint;
    if (skep_str_eq(name, SKEP_STR("stage")))
        return either(j, SKEP_STR("deployment.environment.name"),
                      SKEP_STR("deployment.environment"));
    return field(j, name);
}

/* What takes too long does not match: an item is grouped without the rule. */
static bool matches(const struct skep_regex *re, skep_str text)
{
    bool yes;
    return skep_regex_test(re, text, &yes) == SKEP_OK && yes;
}

static bool holds_text(const struct skep_grouping_condition *c, skep_str text)
{
    switch (c->op) {
    case SKEP_GROUPING_IS: return skep_str_eq(text, c->value);
    case SKEP_GROUPING_IS_NOT: return !skep_str_eq(text, c->value);
    case SKEP_GROUPING_CONTAINS: return skep_str_find(text, c->value) != SIZE_MAX;
    case SKEP_GROUPING_CONTAINS_NOT: return skep_str_find(text, c->value) == SIZE_MAX;
    case SKEP_GROUPING_BEGINS: return skep_str_starts(text, c->value);
    case SKEP_GROUPING_ENDS: return skep_str_ends(text, c->value);
    case SKEP_GROUPING_MATCHES: return matches(c->regex, text);
    case SKEP_GROUPING_OPS: break;
    }
    skep_unreachable("an operator of a rule");
}

static bool of_frames(const struct skep_grouping_condition *c)
{
    return skep_str_eq(c->field, SKEP_STR("frame"));
}

/* --- frames --- */

static bool stack_of(struct judging *j)
{
    if (!j->asked)
        j->has_stack = j->subject->stack(j->subject->ctx, &j->stack);
    j->asked = true;
    return j->has_stack;
}

/* Each condition of "frame" holds for this one. */
static bool frame_holds(struct judging *j, const struct skep_grouping_rule *r,
                        const struct skep_frame *f)
{
    skep_str text = skep_fault_culprit(f, j->arena);
    for (unsigned i = 0; i < r->n_conditions; i++) {
        if (of_frames(&r->conditions[i]) && !holds_text(&r->conditions[i], text))
            return false;
    }
    return true;
}

/* A frame for which all conditions of "frame" hold; with `ignore`, all of them are left out. */
static bool any_frame_holds(struct judging *j, const struct skep_grouping_rule *r, bool ignore)
{
    bool any = false;
    for (uint32_t c = 0; stack_of(j) && c < j->stack.n; c++) {
        for (uint32_t i = 0; i < j->stack.chain[c].n_frames; i++) {
            struct skep_frame *f = &j->stack.chain[c].frames[i];
            if (f->ignored || !frame_holds(j, r, f))
                continue;
            any = true;
            f->ignored = ignore;
            f->own = f->own && !ignore;
            if (!ignore)
                return true;
        }
    }
    return any;
}

/* All conditions but those of frames. */
static bool rest_holds(const struct judging *j, const struct skep_grouping_rule *r,
                       bool *ret_frames)
{
    *ret_frames = false;
    for (unsigned i = 0; i < r->n_conditions; i++) {
        const struct skep_grouping_condition *c = &r->conditions[i];
        *ret_frames |= of_frames(c);
        if (!of_frames(c) && !holds_text(c, named(j, c->field)))
            return false;
    }
    return true;
}

static void leave_out(struct judging *j, const struct skep_grouping_rule *rules, size_t n,
                      struct skep_grouping_verdict *ret)
{
    bool frames;
    for (size_t i = 0; i < n; i++) {
        if (!rules[i].ignore_frames || !rest_holds(j, &rules[i], &frames) || !frames ||
            !any_frame_holds(j, &rules[i], true))
            continue;
        ret->rule = ret->rule ? ret->rule : &rules[i];
        ret->frames = true;
    }
    if (!ret->frames)
        return;
    struct skep_fingerprint loose, f = skep_fingerprint_exception(&j->stack, NULL, &loose);
    ret->loose = skep_arena_str(j->arena, skep_fingerprint_str(&loose));
    ret->culprit = skep_fault_culprit(skep_stack_culprit(&j->stack), j->arena);
    if (field(j, SKEP_STR("error.fingerprint.computed")).n == 0) /* not a sender's */
        j->fingerprint = skep_arena_str(j->arena, skep_fingerprint_str(&f));
}

/* --- templates --- */

static void put_name(const struct judging *j, skep_str name, struct skep_buf *out)
{
    if (skep_str_eq(name, SKEP_STR("message.clean")))
        skep_fingerprint_clean(named(j, SKEP_STR("message")), out);
    else
        skep_buf_str(out, named(j, name));
}

/* "pay {{ class }} {{ custom.code }}" */
static skep_str render(const struct judging *j, skep_str template)
{
    struct skep_buf out;
    skep_buf_init(&out, RENDERED_MAX);
    while (template.n > 0) {
        size_t open = skep_str_find(template, SKEP_STR("{{"));
        size_t n = open == SIZE_MAX ? template.n : open;
        skep_buf_put(&out, template.p, n);
        template = skep_str_skip(template, n);
        size_t close = skep_str_find(template, SKEP_STR("}}"));
        if (open == SIZE_MAX || close == SIZE_MAX) {
            skep_buf_str(&out, template);
            break;
        }
        put_name(j, skep_str_trim((skep_str){template.p + 2, close - 2}), &out);
        template = skep_str_skip(template, close + 2);
    }
    /* A text that is too long is cut at the last part that had room. */
    skep_str ret = skep_arena_str(j->arena, skep_str_trim(skep_buf_text(&out)));
    skep_buf_done(&out);
    return ret;
}

static skep_str first_line(skep_str s)
{
    skep_str line = skep_str_cut(&s, '\n');
    line.n = SKEP_MIN(line.n, (size_t)TITLE_MAX);
    while (line.n && !skep_utf8_valid(line))
        line.n--;
    return line;
}

static skep_str as_fingerprint(const struct judging *j, skep_str text)
{
    if (text.n <= SKEP_FINGERPRINT_HEX)
        return text;
    struct skep_fingerprint f = skep_fingerprint_text(text);
    return skep_arena_str(j->arena, skep_fingerprint_str(&f));
}

static bool apply(struct judging *j, const struct skep_grouping_rule *r,
                  struct skep_grouping_verdict *ret)
{
    bool frames;
    if (r->ignore_frames || !rest_holds(j, r, &frames) || (frames && !any_frame_holds(j, r, false)))
        return false;
    ret->fingerprint = as_fingerprint(j, render(j, r->fingerprint));
    ret->title = first_line(render(j, r->title));
    if (ret->fingerprint.n == 0 && ret->title.n == 0)
        return false;
    ret->rule = r;
    return true;
}

void skep_grouping_judge(const struct skep_grouping_rule *rules, size_t n,
                         const struct skep_grouping_subject *subject, struct skep_arena *arena,
                         struct skep_grouping_verdict *ret)
{
    struct judging j = {.subject = subject, .arena = arena};
    skep_assert(subject->field && subject->stack);
    *ret = (struct skep_grouping_verdict){.before = field(&j, SKEP_STR("error.fingerprint"))};
    j.fingerprint = ret->before;
    leave_out(&j, rules, n, ret);
    bool done = false;
    for (size_t i = 0; i < n && !done; i++)
        done = apply(&j, &rules[i], ret);
    if (ret->fingerprint.n == 0 && !skep_str_eq(j.fingerprint, ret->before))
        ret->fingerprint = j.fingerprint;
}
