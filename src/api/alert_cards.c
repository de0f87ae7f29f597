// SPDX-License-Identifier: Apache-2.0
/* An alert as other people's programs show it (alerts.h):
 *
 *   Teams        a message with one adaptive card: what happened, a table of facts, the groups that
 *                met the condition, a button
 *   PagerDuty    an event of its Events API v2; firing and resolving share the alert's id
 *   mail, Slack  lines of text
 *
 * Where there is no address that a reader elsewhere could open (no --public-url), there is no
 * button and no link: Teams and PagerDuty refuse a message with a relative one.
 *
 * Threads: the scheduler's, workers.  Memory: the card's arena. */
#include "api/alerts.h"

#include <stdio.h>

#include "base/assert.h"

enum { BODY_MAX = 64 << 10, GROUPS_SHOWN = 10, TITLE_MAX = 1024 };

/* The first bytes of a text, whole characters of them. */
static skep_str at_most(skep_str s, size_t n)
{
    if (s.n <= n)
        return s;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return (skep_str){s.p, n};
}

static bool has_link(const struct skep_api__card *c)
{
    return skep_str_starts(c->url, SKEP_STR("http"));
}

/* A JSON value as people read it. */
static skep_str plain(const struct skep_api__card *c, yyjson_val *v)
{
    if (yyjson_is_str(v))
        return skep_arena_str(c->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    if (yyjson_is_num(v))
        return skep_arena_printf(c->arena, "%.10g", yyjson_get_num(v));
    if (yyjson_is_bool(v))
        return yyjson_get_bool(v) ? SKEP_STR("true") : SKEP_STR("false");
    return v && !yyjson_is_null(v) ? SKEP_STR("...") : SKEP_STR("absent");
}

/* "status = 500, route = /cart", of a group; empty when there is nothing to part by. */
static skep_str group_name(const struct skep_api__card *c, yyjson_val *group)
{
    size_t i, n;
    yyjson_val *part;
    skep_str name = SKEP_STR("");
    yyjson_arr_foreach(yyjson_obj_get(group, "group"), i, n, part)
    {
        name = skep_arena_printf(c->arena, SKEP_STRFMT "%s" SKEP_STRFMT " = " SKEP_STRFMT,
                                 SKEP_STRARG(name), i ? ", " : "",
                                 SKEP_STRARG(plain(c, yyjson_obj_get(part, "key"))),
                                 SKEP_STRARG(plain(c, yyjson_obj_get(part, "value"))));
    }
    return name;
}

typedef void put_fact_fn(void *ctx, skep_str name, skep_str value);

/* What a reader needs beside the sentence. */
static void facts(const struct skep_api__card *c, put_fact_fn *put, void *ctx)
{
    size_t i, n;
    yyjson_val *g;
    if (c->about.n)
        put(ctx, SKEP_STR("About"), c->about);
    put(ctx, SKEP_STR("Environment"), c->environment);
    if (c->dataset.n)
        put(ctx, SKEP_STR("Dataset"), c->dataset);
    put(ctx, SKEP_STR("At"), c->at);
    yyjson_arr_foreach(c->triggered ? c->groups : NULL, i, n, g)
    {
        skep_str name = group_name(c, g);
        if (i == GROUPS_SHOWN) {
            put(ctx, SKEP_STR("And"), skep_arena_printf(c->arena, "%zu more", n - i));
            break;
        }
        if (name.n)
            put(ctx, name, plain(c, yyjson_obj_get(g, "result")));
    }
}

static skep_str ended(const struct skep_api__card *c, struct skep_buf *buf)
{
    skep_str text = buf->bad ? SKEP_STR("") : skep_arena_str(c->arena, skep_buf_text(buf));
    skep_buf_done(buf);
    return text;
}

// --- lines -------------------------------------------------------------------------------------

static void put_line(void *ctx, skep_str name, skep_str value)
{
    skep_buf_printf(ctx, "\n" SKEP_STRFMT ": " SKEP_STRFMT, SKEP_STRARG(name),
                    SKEP_STRARG(at_most(value, TITLE_MAX)));
}

skep_str skep_api__card_text(const struct skep_api__card *c)
{
    struct skep_buf buf;
    skep_buf_init(&buf, BODY_MAX);
    skep_buf_str(&buf, c->sentence);
    facts(c, put_line, &buf);
    return ended(c, &buf);
}

// --- Teams -------------------------------------------------------------------------------------

static void put_teams_fact(void *ctx, skep_str name, skep_str value)
{
    struct skep_json *j = ctx;
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("title"), at_most(name, TITLE_MAX));
    skep_json_put_str(j, SKEP_STR("value"), at_most(value, TITLE_MAX));
    skep_json_end(j);
}

static void put_text_block(struct skep_json *j, skep_str text, skep_str color)
{
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("type"), SKEP_STR("TextBlock"));
    skep_json_put_bool(j, SKEP_STR("wrap"), true);
    skep_json_put_str(j, SKEP_STR("text"), text);
    if (color.n) {
        skep_json_put_str(j, SKEP_STR("size"), SKEP_STR("Medium"));
        skep_json_put_str(j, SKEP_STR("weight"), SKEP_STR("Bolder"));
        skep_json_put_str(j, SKEP_STR("color"), color);
    }
    skep_json_end(j);
}

static void put_button(struct skep_json *j, skep_str url)
{
    skep_json_key(j, SKEP_STR("actions"));
    skep_json_array(j);
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("type"), SKEP_STR("Action.OpenUrl"));
    skep_json_put_str(j, SKEP_STR("title"), SKEP_STR("Open in skep"));
    skep_json_put_str(j, SKEP_STR("url"), url);
    skep_json_end(j);
    skep_json_end(j);
}

static void put_card(struct skep_json *j, const struct skep_api__card *c)
{
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("$schema"),
                      SKEP_STR("http://adaptivecards.io/schemas/adaptive-card.json"));
    skep_json_put_str(j, SKEP_STR("type"), SKEP_STR("AdaptiveCard"));
    skep_json_put_str(j, SKEP_STR("version"), SKEP_STR("1.4"));
    skep_json_key(j, SKEP_STR("body"));
    skep_json_array(j);
    put_text_block(j, c->summary, c->triggered ? SKEP_STR("Attention") : SKEP_STR("Good"));
    put_text_block(j, c->sentence, SKEP_STR(""));
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("type"), SKEP_STR("FactSet"));
    skep_json_key(j, SKEP_STR("facts"));
    skep_json_array(j);
    facts(c, put_teams_fact, j);
    skep_json_end(j);
    skep_json_end(j);
    skep_json_end(j);
    if (has_link(c))
        put_button(j, c->url);
    skep_json_end(j);
}

skep_str skep_api__card_teams(const struct skep_api__card *c)
{
    struct skep_buf buf;
    struct skep_json j;
    skep_buf_init(&buf, BODY_MAX);
    skep_json_init(&j, &buf);
    skep_json_object(&j);
    skep_json_put_str(&j, SKEP_STR("type"), SKEP_STR("message"));
    skep_json_key(&j, SKEP_STR("attachments"));
    skep_json_array(&j);
    skep_json_object(&j);
    skep_json_put_str(&j, SKEP_STR("contentType"),
                      SKEP_STR("application/vnd.microsoft.card.adaptive"));
    skep_json_key(&j, SKEP_STR("contentUrl"));
    skep_json_null(&j);
    skep_json_key(&j, SKEP_STR("content"));
    put_card(&j, c);
    skep_json_end(&j);
    skep_json_end(&j);
    skep_json_end(&j);
    return ended(c, &buf);
}

// --- PagerDuty ---------------------------------------------------------------------------------

static void put_detail(void *ctx, skep_str name, skep_str value)
{
    skep_json_put_str(ctx, at_most(name, TITLE_MAX), at_most(value, TITLE_MAX));
}

static void put_payload(struct skep_json *j, const struct skep_api__card *c, skep_str severity)
{
    skep_json_key(j, SKEP_STR("payload"));
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("summary"), at_most(c->summary, TITLE_MAX));
    skep_json_put_str(j, SKEP_STR("source"), SKEP_STR("skep"));
    skep_json_put_str(j, SKEP_STR("severity"), severity.n ? severity : SKEP_STR("critical"));
    skep_json_put_str(j, SKEP_STR("timestamp"), c->at);
    if (c->dataset.n)
        skep_json_put_str(j, SKEP_STR("component"), c->dataset);
    skep_json_put_str(j, SKEP_STR("group"), c->environment);
    skep_json_key(j, SKEP_STR("custom_details"));
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("description"), c->sentence);
    facts(c, put_detail, j);
    skep_json_end(j);
    skep_json_end(j);
}

skep_str skep_api__card_pagerduty(const struct skep_api__card *c, skep_str routing_key,
                                  skep_str severity)
{
    struct skep_buf buf;
    struct skep_json j;
    skep_buf_init(&buf, BODY_MAX);
    skep_json_init(&j, &buf);
    skep_json_object(&j);
    skep_json_put_str(&j, SKEP_STR("routing_key"), routing_key);
    skep_json_put_str(&j, SKEP_STR("event_action"),
                      c->triggered ? SKEP_STR("trigger") : SKEP_STR("resolve"));
    skep_json_put_str(&j, SKEP_STR("dedup_key"), c->id);
    put_payload(&j, c, severity);
    skep_json_put_str(&j, SKEP_STR("client"), SKEP_STR("skep"));
    if (has_link(c)) {
        skep_json_put_str(&j, SKEP_STR("client_url"), c->url);
        skep_json_key(&j, SKEP_STR("links"));
        skep_json_array(&j);
        skep_json_object(&j);
        skep_json_put_str(&j, SKEP_STR("href"), c->url);
        skep_json_put_str(&j, SKEP_STR("text"), SKEP_STR("Open in skep"));
        skep_json_end(&j);
        skep_json_end(&j);
    }
    skep_json_end(&j);
    return ended(c, &buf);
}
