// SPDX-License-Identifier: Apache-2.0
/* Slack's incoming webhook, which Mattermost, Rocket.Chat, Discord (".../slack") and others take:
 *
 *   POST target {"text": "*title*\ntext\n<https://skep.example/ui/...|Open in skep>"}
 *
 * Threads: any.  Memory: the attempt's arena and two buffers. */
#include "notify/notify_priv.h"
#include "wire/json_out.h"

/* Slack's three characters; a text cannot make links or call people. */
static void put_escaped(struct skep_buf *out, skep_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '&')
            skep_buf_str(out, SKEP_STR("&amp;"));
        else if (s.p[i] == '<')
            skep_buf_str(out, SKEP_STR("&lt;"));
        else if (s.p[i] == '>')
            skep_buf_str(out, SKEP_STR("&gt;"));
        else
            skep_buf_u8(out, (uint8_t)s.p[i]);
    }
}

void skep_notify__slack_write(const struct skep_notify__try *t, struct skep_buf *body)
{
    struct skep_buf text;
    struct skep_json json;
    skep_str link = skep_notify__link(t);
    skep_buf_init(&text, 8 << 20);
    skep_buf_u8(&text, '*');
    put_escaped(&text, t->m->title);
    skep_buf_u8(&text, '*');
    if (t->m->text.n) {
        skep_buf_u8(&text, '\n');
        put_escaped(&text, t->m->text);
    }
    if (link.n) {
        skep_buf_str(&text, SKEP_STR("\n<"));
        put_escaped(&text, link);
        skep_buf_str(&text, SKEP_STR("|Open in skep>"));
    }
    skep_json_init(&json, body);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("text"), skep_buf_text(&text));
    skep_json_end(&json);
    skep_buf_done(&text);
}

void skep_notify__slack(const struct skep_notify__try *t, struct skep_notify__outcome *ret)
{
    static const char *const headers[] = {"content-type: application/json"};
    struct skep_buf body;
    skep_buf_init(&body, 64 << 20);
    skep_notify__slack_write(t, &body);
    skep_notify__post(t, headers, 1, skep_buf_bytes(&body), ret);
    skep_buf_done(&body);
}
