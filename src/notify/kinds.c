// SPDX-License-Identifier: Apache-2.0
/* The kinds of places, and what those that are asked over HTTP share.
 *
 *   2xx                           delivered
 *   408 425 429 5xx, no answer    again, not before its Retry-After
 *   3xx and other 4xx             never: a redirect is not followed, it could lead anywhere
 *
 * Threads: any.  Memory: the attempt's arena. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "notify/notify_priv.h"

static const struct skep_notify__kind kinds[] = {
    [SKEP_STATE_PLACE_WEBHOOK] = {"webhook", skep_notify__webhook, skep_notify__check_url},
    [SKEP_STATE_PLACE_SLACK] = {"slack", skep_notify__slack, skep_notify__check_url},
    [SKEP_STATE_PLACE_MAIL] = {"mail", skep_notify__mail, skep_notify__check_mail},
};

const struct skep_notify__kind *skep_notify__kind(enum skep_state_place_kind kind)
{
    return (size_t)kind < SKEP_ARRAY_LEN(kinds) && kinds[kind].name ? &kinds[kind] : NULL;
}

const char *skep_notify_kind_name(enum skep_state_place_kind kind)
{
    const struct skep_notify__kind *k = skep_notify__kind(kind);
    return k ? k->name : "unknown";
}

skep_str skep_notify_shown(struct skep_arena *arena, skep_str target)
{
    size_t at = skep_str_find(target, SKEP_STR("://"));
    size_t path = at == SIZE_MAX ? at : skep_str_chr(skep_str_skip(target, at + 3), '/');
    if (path == SIZE_MAX)
        return target;
    return skep_arena_printf(arena, SKEP_STRFMT "/...",
                             SKEP_STRARG(((skep_str){target.p, at + 3 + path})));
}

skep_rc skep_notify_check_place(skep_str kind, skep_str target, enum skep_state_place_kind *ret,
                                skep_err *err)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(kinds); i++) {
        if (!kinds[i].name || !skep_str_eq(kind, skep_str_c(kinds[i].name)))
            continue;
        SKEP_TRY(kinds[i].check(target, err));
        *ret = (enum skep_state_place_kind)i;
        return SKEP_OK;
    }
    return skep_fail(err, SKEP_EINVAL, "a kind is webhook, slack or mail");
}

skep_rc skep_notify__check_url(skep_str target, skep_err *err)
{
    bool http = skep_str_starts(target, SKEP_STR("https://")) ||
                skep_str_starts(target, SKEP_STR("http://"));
    size_t host = skep_str_find(target, SKEP_STR("://")) + 3;
    if (!http || target.n > SKEP_NOTIFY__TARGET_MAX || target.n == host || target.p[host] == '/')
        return skep_fail(err, SKEP_EINVAL, "a target is an address: https://host/path");
    for (size_t i = 0; i < target.n; i++)
        if ((uint8_t)target.p[i] <= ' ' || target.p[i] == 0x7f)
            return skep_fail(err, SKEP_EINVAL, "an address has no blanks or control characters");
    return SKEP_OK;
}

/* --- where webhooks may go -----------------------------------------------------------------------
 */

/* Not for requests that somebody else may word: this machine, its link (where clouds keep their
 * metadata), groups, nobody. */
static const char *const refused[] = {"169.254.0.0/16", "fe80::/10", "224.0.0.0/4",    "ff00::/8",
                                      "0.0.0.0/8",      "::/128",    "255.255.255.255"};
static const char *const loopback[] = {"127.0.0.0/8", "::1"};

static bool is_in(const char *const *ranges, size_t n, const struct sockaddr_storage *a)
{
    for (size_t i = 0; i < n; i++) {
        struct skep_cidr range;
        skep_rc rc = skep_cidr_parse(skep_str_c(ranges[i]), &range, NULL);
        skep_assert(rc == SKEP_OK);
        if (skep_cidr_contains(&range, 1, a))
            return true;
    }
    return false;
}

bool skep_notify__may_connect(void *ctx, const struct sockaddr *to, size_t to_bytes)
{
    const struct skep_notify_config *cfg = ctx;
    struct sockaddr_storage a = {0};
    memcpy(&a, to, SKEP_MIN(to_bytes, sizeof a));
    if (cfg->n_allow)
        return skep_cidr_contains(cfg->allow, cfg->n_allow, &a);
    if (a.ss_family != AF_INET && a.ss_family != AF_INET6)
        return false;
    return !is_in(refused, SKEP_ARRAY_LEN(refused), &a) &&
           (cfg->near || !is_in(loopback, SKEP_ARRAY_LEN(loopback), &a));
}

/* --- over HTTP -----------------------------------------------------------------------------------
 */

static enum skep_notify__verdict verdict_of(int status)
{
    if (status >= 200 && status < 300)
        return SKEP_NOTIFY__DELIVERED;
    if (status >= 500 || status == 408 || status == 425 || status == 429)
        return SKEP_NOTIFY__AGAIN;
    return SKEP_NOTIFY__NEVER;
}

/* What a place answered, as far as a person can read it. */
static void say_answer(struct skep_notify__outcome *ret, const struct skep_buf *answer)
{
    char text[120];
    size_t n = 0;
    for (size_t i = 0; i < answer->n && n + 1 < sizeof text; i++)
        if (answer->p[i] >= ' ' && answer->p[i] < 0x7f)
            text[n++] = (char)answer->p[i];
    text[n] = '\0';
    (void)snprintf(ret->text, sizeof ret->text, "HTTP %d%s%s%s", ret->status, n ? ": " : "", text,
                   ret->status >= 300 && ret->status < 400 ? " (redirects are not followed)" : "");
}

void skep_notify__post(const struct skep_notify__try *t, const char *const *headers, size_t n,
                       skep_bytes body, struct skep_notify__outcome *ret)
{
    struct skep_buf answer;
    skep_err err = {.text = ""};
    struct skep_fetch f = {.method = "POST",
                           .url = skep_cstr(t->arena, t->target),
                           .body = body,
                           .ca_file = t->cfg->ca_file,
                           .timeout_ms = t->cfg->timeout_ms,
                           .may_connect = skep_notify__may_connect,
                           .may_connect_ctx = (void *)(uintptr_t)t->cfg,
                           .ret_retry_after_s = &ret->retry_after_s,
                           .stop = t->stop,
                           .stop_ctx = t->stop_ctx};
    skep_assert(n <= SKEP_FETCH_HEADERS_MAX);
    for (size_t i = 0; i < n; i++)
        f.headers[i] = headers[i];
    skep_buf_init(&answer, 64 << 10);
    skep_rc rc = skep_fetch(&f, &answer, &ret->status, &err);
    if (rc == SKEP_OK) {
        ret->verdict = verdict_of(ret->status);
        if (ret->verdict != SKEP_NOTIFY__DELIVERED)
            say_answer(ret, &answer);
    } else {
        ret->verdict = rc == SKEP_ECANCELED    ? SKEP_NOTIFY__CANCELED
                       : rc == SKEP_EFORBIDDEN ? SKEP_NOTIFY__NEVER
                                               : SKEP_NOTIFY__AGAIN;
        (void)snprintf(ret->text, sizeof ret->text, "%s", err.text);
    }
    skep_buf_done(&answer);
}

skep_str skep_notify__link(const struct skep_notify__try *t)
{
    skep_str base = t->cfg->public_url ? skep_str_c(t->cfg->public_url) : SKEP_STR("");
    if (t->m->url.n == 0 || t->m->url.p[0] != '/')
        return t->m->url;
    if (base.n && base.p[base.n - 1] == '/')
        base.n--;
    return skep_arena_printf(t->arena, SKEP_STRFMT SKEP_STRFMT, SKEP_STRARG(base),
                             SKEP_STRARG(t->m->url));
}
