// SPDX-License-Identifier: Apache-2.0
/* A mail, plain text:
 *
 *   From, To, Subject, Date, Message-ID: <msg_...@skep>, Auto-Submitted: auto-generated
 *
 * Header texts are encoded words, the body is base64: whatever a title holds, no line of it is a
 * header, and no line is too long.
 *
 *   5xx for the recipients or the message    never
 *   4xx, no answer                           again
 *
 * Threads: any.  Memory: the attempt's arena and buffers. */
#include "fetch/mail.h"

#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "notify/notify_priv.h"
#include "wire/base64.h"

enum { TO_MAX = 20, LINE = 76, WORD_BYTES = 45 };
#define CRLF SKEP_STR("\r\n")

static bool is_address(skep_str s)
{
    size_t at = skep_str_chr(s, '@');
    if (s.n > 254 || at == SIZE_MAX || at == 0 || at + 1 >= s.n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool fine = c > ' ' && c < 0x7f && c != '<' && c != '>' && c != '"' && c != ',' &&
                    c != ';' && c != '(' && c != ')' && c != '\\' && (c != '@' || i == at);
        if (!fine)
            return false;
    }
    return true;
}

skep_rc skep_notify__check_mail(skep_str target, skep_err *err)
{
    unsigned n = 0;
    if (target.n > SKEP_NOTIFY__TARGET_MAX)
        return skep_fail(err, SKEP_EINVAL, "a target has at most %d bytes",
                         SKEP_NOTIFY__TARGET_MAX);
    for (size_t i = 0; i < target.n; i++) /* it becomes a header */
        if ((uint8_t)target.p[i] < ' ')
            return skep_fail(err, SKEP_EINVAL, "mail addresses have no control characters");
    while (target.p) {
        skep_str one = skep_str_trim(skep_str_cut(&target, ','));
        if (!is_address(one))
            return skep_fail(err, SKEP_EINVAL, "a target is mail addresses with commas between");
        if (++n > TO_MAX)
            return skep_fail(err, SKEP_EINVAL, "at most %d addresses", TO_MAX);
    }
    return n ? SKEP_OK : skep_fail(err, SKEP_EINVAL, "a mail needs an address");
}

/* "Subject: =?UTF-8?B?...?=" in words of WORD_BYTES at most, cut at characters. */
static void put_subject(struct skep_buf *out, skep_str s)
{
    skep_buf_str(out, SKEP_STR("Subject:"));
    do {
        size_t n = SKEP_MIN(s.n, (size_t)WORD_BYTES);
        while (n < s.n && n > 0 && ((uint8_t)s.p[n] & 0xc0) == 0x80)
            n--;
        if (n == 0)
            n = SKEP_MIN(s.n, (size_t)WORD_BYTES); /* no UTF-8 */
        skep_buf_str(out, SKEP_STR(" =?UTF-8?B?"));
        skep_base64_encode(out, skep_str_bytes((skep_str){s.p, n}));
        skep_buf_str(out, SKEP_STR("?="));
        skep_buf_str(out, CRLF);
        s = skep_str_skip(s, n);
    } while (s.n);
}

static void put_date(struct skep_buf *out, int64_t now_s)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm;
    time_t t = (time_t)now_s;
    if (!gmtime_r(&t, &tm))
        return;
    skep_buf_printf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d +0000\r\n", days + 3 * tm.tm_wday,
                    tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                    tm.tm_sec);
}

static void put_base64(struct skep_buf *out, struct skep_buf *text)
{
    skep_str rest = skep_buf_text(text);
    while (rest.n) {
        size_t n = SKEP_MIN(rest.n, (size_t)(LINE / 4 * 3));
        skep_base64_encode(out, skep_str_bytes((skep_str){rest.p, n}));
        skep_buf_str(out, CRLF);
        rest = skep_str_skip(rest, n);
    }
}

static void put_body(const struct skep_notify__try *t, struct skep_buf *out)
{
    struct skep_buf text;
    skep_str link = skep_notify__link(t);
    skep_buf_init(&text, 512 << 10);
    skep_buf_str(&text, t->m->text);
    if (link.n) {
        skep_buf_str(&text, t->m->text.n ? SKEP_STR("\r\n\r\n") : SKEP_STR(""));
        skep_buf_str(&text, link);
    }
    skep_buf_str(&text, CRLF);
    put_base64(out, &text);
    skep_buf_done(&text);
}

/* A line an address. */
static void put_to(struct skep_buf *out, skep_str target)
{
    skep_buf_str(out, SKEP_STR("To:"));
    while (target.p) {
        skep_buf_u8(out, ' ');
        skep_buf_str(out, skep_str_trim(skep_str_cut(&target, ',')));
        skep_buf_str(out, target.p ? SKEP_STR(",\r\n") : CRLF);
    }
}

void skep_notify__mail_write(const struct skep_notify__try *t, struct skep_buf *out)
{
    const struct skep_state_message *m = t->m;
    skep_buf_printf(out, "From: %s\r\n", t->cfg->smtp_from);
    put_to(out, t->target);
    put_subject(out, m->title.n ? m->title : m->kind);
    put_date(out, m->created_ns / 1000000000);
    skep_buf_printf(out, "Message-ID: <" SKEP_STRFMT "@skep>\r\n", SKEP_STRARG(m->id));
    skep_buf_str(out, SKEP_STR("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                               "Content-Type: text/plain; charset=utf-8\r\n"
                               "Content-Transfer-Encoding: base64\r\n\r\n"));
    put_body(t, out);
}

void skep_notify__mail(const struct skep_notify__try *t, struct skep_notify__outcome *ret)
{
    const char *to[TO_MAX];
    struct skep_buf message;
    skep_err err = {.text = ""};
    struct skep_mail mail = {.server = t->cfg->smtp_server,
                             .user = t->cfg->smtp_user,
                             .password = t->cfg->smtp_password,
                             .ca_file = t->cfg->ca_file,
                             .from = t->cfg->smtp_from,
                             .to = to,
                             .timeout_ms = t->cfg->timeout_ms,
                             .stop = t->stop,
                             .stop_ctx = t->stop_ctx};
    ret->verdict = SKEP_NOTIFY__AGAIN;
    if (!mail.server) {
        (void)snprintf(ret->text, sizeof ret->text, "no mail server is set: --smtp");
        return;
    }
    for (skep_str rest = t->target; rest.p && mail.n_to < TO_MAX;)
        to[mail.n_to++] = skep_cstr(t->arena, skep_str_trim(skep_str_cut(&rest, ',')));
    skep_buf_init(&message, 2 << 20);
    skep_notify__mail_write(t, &message);
    mail.message = skep_buf_bytes(&message);
    skep_rc rc = skep_mail_send(&mail, &ret->status, &err);
    if (rc == SKEP_OK)
        ret->verdict = SKEP_NOTIFY__DELIVERED;
    else if (rc == SKEP_ECANCELED)
        ret->verdict = SKEP_NOTIFY__CANCELED;
    else if (ret->status >= 550 && ret->status <= 559) /* of the mailbox, the message */
        ret->verdict = SKEP_NOTIFY__NEVER;
    (void)snprintf(ret->text, sizeof ret->text, "%s", err.text);
    skep_buf_done(&message);
}
